"""A checked configuration and what coordinators wrote in, a `Playbook` out, whole or not at all; nothing outside it."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

from triaged.accounts.match import plain_address, plain_domain
from triaged.classify.model import Model
from triaged.classify.tokens import token_problem
from triaged.clocks.hours import Hours, Span, parse_hours, parse_span
from triaged.errors import ConfigError, Problem
from triaged.examples import failing
from triaged.mail.identity import Border
from triaged.mail.render import Templates, load_templates
from triaged.model import Address
from triaged.playbook import Colleague, Playbook, Role, sought_of
from triaged.rules.grammar import RuleSet, parse_send
from triaged.rules.load import parse_rules
from triaged.samples import Ours
from triaged.scheduling import Letterhead
from triaged.settings import Config, HoursTable, Keep
from triaged.shelf import model_of
from triaged.tomlfile import did_you_mean
from triaged.worker.listed import FILE_NAME
from triaged.written import Written, read_written

SECRET_BYTES = 32


def folders_of(config: Config) -> tuple[Path, Path]:
    """The folders of the rules and of the templates."""
    return config.path(config.service.rules_dir), config.path(config.service.templates_dir)


def written_of(config: Config, *, rules_dir: Path | None = None) -> Written:
    """The files of rules and templates as they stand on disk. rules_dir: another folder of rules. Raises: ConfigError.

    A folder that holds `rules` and `templates` itself gives both.
    """
    rules, templates = folders_of(config)
    if rules_dir is not None and (rules_dir / "rules").is_dir():
        here = rules_dir / "templates"
        return read_written(rules_dir / "rules", here if here.is_dir() else templates)
    return read_written(rules_dir or rules, templates)


def rules_and_templates(config: Config, written: Written | None = None) -> tuple[RuleSet, Templates]:
    """What coordinators wrote, as it stands on disk or in `written`. Raises: ConfigError with every problem of both."""
    written = written or written_of(config)
    problems: list[Problem] = []
    templates: Templates | None = None
    try:
        templates = load_templates(written.templates)
    except ConfigError as error:
        problems.extend(error.problems)
    names = templates.names if templates is not None else _template_names(written)
    mailboxes = frozenset(mailbox.name for mailbox in config.mailbox)
    try:
        rules = parse_rules(
            written.rules,
            templates=names,
            people=config.people,
            mailboxes=mailboxes,
            token_problem=token_problem,
        )
    except ConfigError as error:
        raise ConfigError((*problems, *error.problems)) from None
    if templates is None:
        raise ConfigError(tuple(problems))
    return rules, templates


def rules_alone(config: Config, written: Written) -> RuleSet:
    """The rules, whatever is wrong within the templates. Raises: ConfigError."""
    mailboxes = frozenset(mailbox.name for mailbox in config.mailbox)
    return parse_rules(written.rules, templates=_template_names(written), people=config.people, mailboxes=mailboxes)


def _template_names(written: Written) -> frozenset[str]:
    """Names of template files, whatever is in them, so that a broken template is not told twice."""
    return frozenset(name.split(".")[0] for name in written.templates)


def build_playbook(
    config: Config, *, dry: bool = False, model: Model | None = None, written: Written | None = None
) -> Playbook:
    """Load all that people wrote, and the model (2 s, most of it spaCy). dry: make no secret, nothing will be sent.

    model: to be used in the place of the one in use. written: in the place of what stands on disk.
    Raises: ConfigError with every problem.
    """
    playbook = assembled(config, dry=dry, model=model, written=written)
    if len(wrong := tuple(failing(playbook, files=playbook.written.rules))) > 0:
        raise ConfigError(wrong)
    return playbook


def assembled(
    config: Config, *, dry: bool = False, model: Model | None = None, written: Written | None = None
) -> Playbook:
    """As `build_playbook`, without judging the examples of the rules."""
    written = written or written_of(config)
    if len(problems := written_problems(config, written)) > 0:
        raise ConfigError(problems)
    rules, templates = rules_and_templates(config, written)
    problem = ""
    if model is None:
        model, problem = model_of(config)
    return Playbook(
        model=model,
        written=written,
        settings_id=settings_id(config),
        settings=settings_text(config),
        rules=rules,
        sought=sought_of(rules),
        templates=templates,
        border=border_of(config),
        own_domains=frozenset(plain_domain(domain) for domain in config.firm.domains),
        mailboxes={box.name: Role(box.address, box.file_into, box.show_categories) for box in config.mailbox},
        people=people_of(config),
        hours=hours_of(config, config.hours, where="hours"),
        due=due_of(config),
        notice=parse_span(config.calls.notice),
        send=parse_send(config.acknowledge.send),
        max_age=timedelta(hours=config.acknowledge.max_age_h),
        team=config.firm.team,
        language=config.firm.language,
        envelope_sender=config.outgoing.envelope_sender,
        secret=b"" if dry else secret_of(config),
        call_way=config.calls.way,
        offers=config.calls.offers,
        hold=parse_span(config.calls.hold),
        sure=config.classify.sure,
        answer=config.classify.answer,
        model_problem=problem,
    )


def settings_text(config: Config) -> str:
    """The configuration as JSON, to be kept with what it decided; it holds no secret."""
    return config.model_dump_json(exclude={"file", "base"})


def settings_id(config: Config) -> str:
    """The id of a configuration."""
    return text_id(settings_text(config))


def text_id(settings: str) -> str:
    """12 hex digits over a configuration as it is kept (see `settings_text`)."""
    return hashlib.sha256(settings.encode()).hexdigest()[:12]


def written_problems(config: Config, written: Written | None = None) -> tuple[Problem, ...]:
    """What is wrong in what people wrote, as far as it can be told without the model.

    written: in the place of what stands on disk.
    """
    problems = list(settings_problems(config))
    try:
        rules, _ = rules_and_templates(config, written)
        problems.extend(unknown_kept(config, rules))
    except ConfigError as error:
        problems.extend(error.problems)
    return tuple(problems)


def unknown_kept(config: Config, rules: RuleSet) -> Iterator[Problem]:
    """Categories in `[keep]` that no rule knows."""
    known = {*Keep.model_fields, *rules.categories}
    for category in config.keep.days.keys() - known:
        yield Problem(f"keep.{category}", f"there is no category '{category}'{did_you_mean(category, sorted(known))}")


def settings_problems(config: Config) -> Iterator[Problem]:
    """Spans, hours and policies that cannot be read, each named by its key."""
    for key in ("urgent", "high", "normal", "low"):
        yield from _trial(f"due.{key}", partial(parse_span, getattr(config.due, key)))
    for key in ("notice", "hold"):
        yield from _trial(f"calls.{key}", partial(parse_span, getattr(config.calls, key)))
    yield from _trial("acknowledge.send", partial(parse_send, config.acknowledge.send))
    yield from _trial("hours", partial(hours_of, config, config.hours, where="hours"))
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


def hours_of(config: Config, table: HoursTable, *, where: str) -> Hours:
    """Working hours; zone, holidays and country default to the desk's. Raises: ConfigError."""
    return parse_hours(
        table.days,
        timezone=table.timezone or config.hours.timezone,
        holidays=table.holidays or config.hours.holidays,
        country=table.country or config.hours.country,
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
            location=person.location or config.calls.location,
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


def letterhead_of(config: Config) -> Letterhead:
    """What mails about calls need, without the model. Raises: ConfigError."""
    return Letterhead(
        rules_and_templates(config)[1],
        config.firm.team,
        config.firm.language,
        secret_of(config),
        config.outgoing.message_id_domain,
        {person.id: person.name for person in config.person},
    )


def ours_of(config: Config) -> Ours:
    """What mails with made-up values say of ourselves."""
    return Ours(
        team=config.firm.team,
        desk=config.mailbox[0].address,
        colleague=config.person[0].name if len(config.person) > 0 else "Lena Brandt",
        location=config.calls.location,
        timezone=config.hours.timezone,
        language=config.firm.language,
    )


def languages_of(config: Config) -> frozenset[str]:
    """Those in which our people read mail."""
    return frozenset(person.language or config.firm.language for person in config.person)


def due_of(config: Config) -> dict[str, Span]:
    """How soon an answer is owed, by priority. Raises: ValueError."""
    return {key: parse_span(getattr(config.due, key)) for key in ("urgent", "high", "normal", "low")}


def list_path(config: Config) -> Path:
    """The file that says who is never answered by machine."""
    return config.path(config.service.rules_dir) / FILE_NAME


def secret_path(config: Config) -> Path:
    """The file of the key of our Message-IDs and UIDs."""
    return config.state_dir / "secret"


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
