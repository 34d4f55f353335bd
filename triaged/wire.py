"""A checked configuration in, the working parts out: the one module that names every backend."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from triaged.accounts.match import plain_address, plain_domain
from triaged.backends.caldav import CaldavCalendar
from triaged.backends.certificates import Begins, TlsServer, certificate_end
from triaged.backends.imap import ImapMailbox, ImapSent, ImapSettings
from triaged.backends.maildir import MaildirMailbox, MaildirMailer
from triaged.backends.notify import AppriseNotifier, read_urls, url_problems
from triaged.backends.smtp import SmtpMailer, SmtpSettings
from triaged.backends.vdir import VdirCalendar
from triaged.classify.model import Model
from triaged.classify.phrases import PhraseIndex
from triaged.clocks.hours import Hours, Span, parse_hours, parse_span
from triaged.config import sign_ins
from triaged.errors import ConfigError, Problem, TriagedError
from triaged.examples import failing
from triaged.log import rights
from triaged.log.limits import Caps
from triaged.mail.identity import Border
from triaged.mail.render import Templates, load_templates
from triaged.model import Address
from triaged.playbook import Colleague, Playbook, Role
from triaged.ports import Calendar, Mailbox, Mailer
from triaged.rules.grammar import RuleSet, parse_send
from triaged.rules.load import load_rules
from triaged.settings import CaldavTable, Config, HoursTable, ImapTable, Keep, Person, SmtpOutgoing, VdirTable
from triaged.shelf import model_of, use_path
from triaged.tomlfile import did_you_mean
from triaged.worker.learner import learner_of
from triaged.worker.listed import FILE_NAME, ListFile
from triaged.worker.lookout import Lookout, canary_of, timers, watchfulness_of
from triaged.worker.perform import CalendarLane, FilingLane, LaneService, MailLane
from triaged.worker.progress import Progress
from triaged.worker.service import Parts, utc_now
from triaged.worker.triage import Limits
from triaged.worker.vitals import Page
from triaged.worker.watch import Watched

SECRET_BYTES = 32


def log_path(config: Config) -> Path:
    """The log's file."""
    return config.state_dir / "triaged.db"


def secret_path(config: Config) -> Path:
    """The file of the key of our Message-IDs and UIDs."""
    return config.state_dir / "secret"


def open_to_others(config: Config) -> Iterator[Problem]:
    """Files of ours that others may open: the log, its secret, password files; each with what to type."""
    yield from rights.open_to_others(config.state_dir)
    files = {config.path(table.password_file) for _, table in sign_ins(config) if table.password_file}
    for file in sorted(files):
        yield from rights.read_by_world(file)


def secret_of(config: Config) -> bytes:
    """The key of our Message-IDs and UIDs, made once, mode 0600. It must outlive restarts: it finds what was sent."""
    path = secret_path(config)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"secret.{os.getpid()}.tmp")  # or a kill before the write leaves an empty key for ever
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_bytes()


def hours_of(config: Config, table: HoursTable, *, where: str) -> Hours:
    """Working hours; zone and holidays default to the desk's. Raises: ConfigError."""
    return parse_hours(
        table.days,
        timezone=table.timezone or config.hours.timezone,
        holidays=table.holidays or config.hours.holidays,
        where=where,
    )


def people_of(config: Config) -> dict[str, Colleague]:
    """Our people by id. Raises: ConfigError."""
    return {
        person.id: Colleague(
            person=person.id,
            address=Address(person.email, person.name),
            language=person.language,
            hours=hours_of(config, person.hours or config.hours, where=f"person {person.id}: hours"),
            has_calendar=person.calendar is not None,
        )
        for person in config.person
    }


def border_of(config: Config) -> Border:
    """Where our side begins."""
    own = (address for mailbox in config.mailbox for address in (mailbox.address, *mailbox.aliases))
    return Border(
        own_addresses=frozenset(plain_address(address) for address in own),
        message_id_domain=config.outgoing.message_id_domain,
        authserv_ids=tuple(config.firm.authserv_ids),
    )


def rules_and_templates(config: Config) -> tuple[RuleSet, Templates]:
    """What coordinators wrote. Raises: ConfigError with every problem of both."""
    problems: list[Problem] = []
    templates: Templates | None = None
    try:
        templates = load_templates(config.path(config.service.templates_dir))
    except ConfigError as error:
        problems.extend(error.problems)
    names = templates.names if templates is not None else _template_names(config)
    try:
        rules = load_rules(config.path(config.service.rules_dir), templates=names, people=config.people)
    except ConfigError as error:
        raise ConfigError((*problems, *error.problems)) from None
    if templates is None:
        raise ConfigError(tuple(problems))
    return rules, templates


def _template_names(config: Config) -> frozenset[str]:
    """Names of template files, whatever is in them, so that a broken template is not told twice."""
    files = config.path(config.service.templates_dir).glob("*.txt")
    return frozenset(file.stem.split(".")[0] for file in files)


def settings_problems(config: Config) -> Iterator[Problem]:
    """Spans, hours and policies that cannot be read, each named by its key."""
    for key in ("urgent", "high", "normal", "low"):
        yield from _trial(f"due.{key}", partial(parse_span, getattr(config.due, key)))
    yield from _trial("calls.notice", partial(parse_span, config.calls.notice))
    yield from _trial("acknowledge.send", partial(parse_send, config.acknowledge.send))
    yield from _trial("hours", partial(hours_of, config, config.hours, where="hours"))
    if config.alerts.urls_file or config.alerts.urls_credential:
        yield from url_problems(read_urls(config.alerts.urls(config.base)), where="alerts")
    for person in config.person:
        if person.hours is not None:
            where = f"person {person.id}: hours"
            yield from _trial(where, partial(hours_of, config, person.hours, where=where))


def _trial(where: str, read: Callable[[], object]) -> Iterator[Problem]:
    try:
        read()
    except ConfigError as error:
        yield from error.problems
    except (ValueError, OSError) as error:
        yield Problem(where, str(error))


def build_playbook(config: Config, *, dry: bool = False, model: Model | None = None) -> Playbook:
    """Load all that people wrote, and the model (2 s, most of it spaCy). dry: make no secret, nothing will be sent.

    model: to be used in the place of the one in use. Raises: ConfigError with every problem.
    """
    if len(problems := written_problems(config)) > 0:
        raise ConfigError(problems)
    rules, templates = rules_and_templates(config)
    problem = ""
    if model is None:
        model, problem = model_of(config)
    playbook = Playbook(
        model=model,
        rules=rules,
        phrases=PhraseIndex(rules.phrases),
        templates=templates,
        border=border_of(config),
        own_domains=frozenset(plain_domain(domain) for domain in config.firm.domains),
        mailboxes={mailbox.name: Role(mailbox.address, mailbox.file_into) for mailbox in config.mailbox},
        people=people_of(config),
        hours=hours_of(config, config.hours, where="hours"),
        due=due_of(config),
        notice=parse_span(config.calls.notice),
        send=parse_send(config.acknowledge.send),
        max_age=timedelta(hours=config.acknowledge.max_age_h),
        team=config.firm.team,
        language=config.firm.language,
        envelope_sender=config.outgoing.envelope_sender,
        call_location=config.calls.location,
        secret=b"" if dry else secret_of(config),
        do_not_answer=ListFile(list_path(config)).current(),
        sure=config.classify.sure,
        answer=config.classify.answer,
        model_problem=problem,
    )
    if len(wrong := tuple(failing(playbook, folder=config.path(config.service.rules_dir)))) > 0:
        raise ConfigError(wrong)
    return playbook


def list_path(config: Config) -> Path:
    """The file that says who is never answered by machine."""
    return config.path(config.service.rules_dir) / FILE_NAME


def caps_of(config: Config) -> Caps:
    """How much may be sent by machine."""
    limits = config.limits
    return Caps(
        window=timedelta(hours=limits.window_h),
        per_hour=limits.per_hour,
        domain_per_hour=limits.domain_per_hour,
        breaker_per_hour=limits.breaker_per_hour,
        notices_per_hour=limits.notices_per_hour,
    )


def due_of(config: Config) -> dict[str, Span]:
    """How soon an answer is owed, by priority. Raises: ValueError."""
    return {key: parse_span(getattr(config.due, key)) for key in ("urgent", "high", "normal", "low")}


# --- what is outside ------------------------------------------------------------------------------------------


def mailbox_of(config: Config, name: str) -> Mailbox:
    """A new, unconnected mailbox object for one thread."""
    table = next(mailbox for mailbox in config.mailbox if mailbox.name == name)
    limit = config.triage.max_message_mb * 1_000_000
    if isinstance(table, ImapTable):
        return ImapMailbox(table.name, table.folder, imap_settings(config, table), max_message_bytes=limit)
    return MaildirMailbox(table.name, config.path(table.path), max_message_bytes=limit)


def imap_settings(config: Config, table: ImapTable) -> ImapSettings:
    """How to reach an IMAP mailbox."""
    return ImapSettings(
        host=table.host,
        port=table.port,
        security=table.security,
        user=table.user,
        password=table.password(config.base),
        ca_file=_ca_file(config, table.ca_file),
        timeout_s=table.timeout_s,
    )


def mailer_of(config: Config, *, keep_sent: bool = True) -> Mailer:
    """A new, unconnected mailer for one thread. keep_sent: put copies into Sent where that is configured."""
    outgoing = config.outgoing
    if not isinstance(outgoing, SmtpOutgoing):
        return MaildirMailer(config.path(outgoing.path))
    settings = SmtpSettings(
        host=outgoing.host,
        port=outgoing.port,
        security=outgoing.security,
        user=outgoing.user or None,
        password=outgoing.password(config.base),
        ca_file=_ca_file(config, outgoing.ca_file),
        timeout_s=outgoing.timeout_s,
        local_hostname=outgoing.message_id_domain,
    )
    kept = next((each for each in config.mailbox if each.name == outgoing.keep_sent_in), None)
    sent = (
        ImapSent(outgoing.sent_folder or None, imap_settings(config, kept))
        if isinstance(kept, ImapTable) and keep_sent
        else None
    )
    return SmtpMailer(settings, sent=sent)


def calendar_of(config: Config, person: Person, *, timezone: str) -> Calendar | None:
    """A person's calendar, None when they have none here."""
    table = person.calendar
    if table is None:
        return None
    if isinstance(table, VdirTable):
        return VdirCalendar(config.path(table.path), timezone)
    return CaldavCalendar(
        table.url,
        user=table.user,
        password=table.password(config.base),
        ca_file=_ca_file(config, table.ca_file),
        timeout_s=table.timeout_s,
        timezone=timezone,
    )


def _ca_file(config: Config, path: str) -> str | None:
    return str(config.path(path)) if path else None


def unreachable(config: Config) -> Iterator[Problem]:
    """Try every configured server once; what cannot be reached or refuses us, in plain sentences."""
    for mailbox in config.mailbox:
        box = mailbox_of(config, mailbox.name)
        yield from _try_out(f"mailbox {mailbox.name}", box.connect)
        box.close()
    mailer = mailer_of(config)
    yield from _try_out("outgoing", mailer.connect)
    mailer.close()
    now = utc_now()
    for person in config.person:
        calendar = calendar_of(config, person, timezone=config.hours.timezone)
        if calendar is not None:
            yield from _try_out(f"calendar of {person.id}", partial(calendar.busy, now, now + timedelta(hours=1)))
            calendar.close()


def _try_out(where: str, attempt: Callable[[], object]) -> Iterator[Problem]:
    try:
        attempt()
    except TriagedError as error:
        yield Problem(where, str(error))


def written_problems(config: Config) -> tuple[Problem, ...]:
    """What is wrong in what people wrote, as far as it can be told without the model."""
    problems = list(settings_problems(config))
    try:
        rules, _ = rules_and_templates(config)
        problems.extend(_unknown_kept(config, rules))
    except ConfigError as error:
        problems.extend(error.problems)
    return tuple(problems)


def _unknown_kept(config: Config, rules: RuleSet) -> Iterator[Problem]:
    known = {*Keep.model_fields, *rules.categories}
    for category in config.keep.days.keys() - known:
        yield Problem(f"keep.{category}", f"there is no category '{category}'{did_you_mean(category, sorted(known))}")


def all_problems(config: Config, *, connect: bool) -> tuple[Problem, ...]:
    """Everything that would keep the service from running as meant, the rules' examples too; servers come last."""
    listed = ListFile(list_path(config))
    listed.current()
    problems = (*state_problems(config), *listed.problems)
    try:
        build_playbook(config, dry=True)
    except ConfigError as error:
        problems = (*problems, *error.problems)
    return problems or (tuple(unreachable(config)) if connect else ())


def state_problems(config: Config) -> Iterator[Problem]:
    """The state folder, or the folder that it will be made in, must be ours to write."""
    folder = config.state_dir.resolve()
    standing = next(each for each in (folder, *folder.parents) if each.exists())
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        yield Problem("service.state_dir", f"{standing} cannot be written by this user")
    yield from rights.of_another_owner(folder)


def parts_of(config: Config) -> Parts:
    """All that the service runs on; nothing is connected yet."""
    watched = tuple(Watched(mailbox_of(config, mailbox.name), mailbox.poll_s, Progress()) for mailbox in config.mailbox)
    return Parts(
        log_path=log_path(config),
        caps=caps_of(config),
        watched=watched,
        lanes=dict(_lanes(config)),
        build=partial(build_playbook, config),
        list_path=list_path(config),
        model_choice=use_path(config.state_dir),
        review_percent=config.learn.review_percent,
        processes=config.triage.processes,
        batch=config.triage.batch,
        limits=Limits(config.triage.timeout_s, config.triage.memory_mb),
        stall_s=config.service.stall_s,
        timers=partial(timers, lookout_of(config)),
        page=Page(*config.health.address) if config.health.address is not None else None,
    )


def lookout_of(config: Config) -> Lookout:
    """What is looked after, and who is told."""
    return Lookout(
        watchfulness=watchfulness_of(config),
        notifier=notifier_of(config),
        certificates=dict(_certificates(config)),
        canary=canary_of(config, secret=secret_of(config)) if config.canary.every_min > 0 else None,
        mailer=partial(mailer_of, config, keep_sent=False),
        stall_s=config.service.stall_s,
        keep_days=config.keep.days,
        learner=learner_of(config),
    )


def notifier_of(config: Config) -> AppriseNotifier:
    """Who is told of alarms; perhaps nobody."""
    return AppriseNotifier(read_urls(config.alerts.urls(config.base)))


def _certificates(config: Config) -> Iterator[tuple[str, Callable[[], datetime]]]:
    """Every server that we speak TLS with, once."""
    for mailbox in config.mailbox:
        if isinstance(mailbox, ImapTable) and mailbox.security != "none":
            begins: Begins = "at once" if mailbox.security == "tls" else "imap"
            yield _certificate(mailbox.host, mailbox.port, begins, _ca_file(config, mailbox.ca_file))
    out = config.outgoing
    if isinstance(out, SmtpOutgoing) and out.security != "none":
        begins = "at once" if out.security == "tls" else "smtp"
        yield _certificate(out.host, out.port, begins, _ca_file(config, out.ca_file))
    for person in config.person:
        if isinstance(person.calendar, CaldavTable) and person.calendar.url.startswith("https://"):
            url = urlsplit(person.calendar.url)
            ca_file = _ca_file(config, person.calendar.ca_file)
            yield _certificate(url.hostname or "", url.port or 443, "at once", ca_file)


def _certificate(host: str, port: int, begins: Begins, ca_file: str | None) -> tuple[str, Callable[[], datetime]]:
    return f"{host}:{port}", partial(certificate_end, TlsServer(host, port, begins, ca_file))


def _lanes(config: Config) -> Iterator[tuple[str, LaneService]]:
    """One lane for outgoing mail, one a calendar, one a mailbox that mail is filed in."""
    yield "mail", MailLane(mailer_of(config), ListFile(list_path(config)).covers)
    for mailbox in config.mailbox:
        yield f"mailbox:{mailbox.name}", FilingLane(mailbox_of(config, mailbox.name))
    for colleague, person in zip(people_of(config).values(), config.person, strict=True):
        calendar = calendar_of(config, person, timezone=colleague.hours.timezone)
        if calendar is not None:
            yield (
                f"calendar:{person.id}",
                CalendarLane(
                    calendar,
                    organizer=colleague.address,
                    hours=colleague.hours,
                    step_min=config.calls.step_min,
                    buffer_min=config.calls.buffer_min,
                    location=config.calls.location,
                    clock=utc_now,
                ),
            )
