"""A checked configuration in, the working parts out: the one module that names every backend."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from triaged.backends.caldav import CaldavCalendar
from triaged.backends.certificates import Begins, TlsServer, certificate_end
from triaged.backends.graph.calendar import GraphCalendar
from triaged.backends.graph.line import GraphSettings
from triaged.backends.graph.mailbox import GraphMailbox
from triaged.backends.graph.mailer import GraphMailer
from triaged.backends.imap.line import ImapSettings
from triaged.backends.imap.mailbox import ImapMailbox
from triaged.backends.imap.sent import ImapSent
from triaged.backends.maildir import MaildirMailbox, MaildirMailer
from triaged.backends.notify import AppriseNotifier, read_urls, url_problems
from triaged.backends.oauth.openid import OpenIdProvider
from triaged.backends.smtp import SmtpMailer, SmtpSettings
from triaged.backends.vdir import VdirCalendar
from triaged.config import sign_ins
from triaged.errors import ConfigError, Problem
from triaged.loading import build_playbook, folders_of, list_path, people_of, secret_of
from triaged.log import rights
from triaged.log.calls import starts
from triaged.log.limits import Caps
from triaged.log.read import Reader
from triaged.ports import Calendar, Mailbox, Mailer
from triaged.servers import (
    AnyCalendar,
    CaldavTable,
    EwsCalendarTable,
    EwsOutgoing,
    EwsTable,
    GraphCalendarTable,
    GraphOutgoing,
    GraphTable,
    ImapTable,
    MaildirOutgoing,
    MaildirTable,
    Remote,
    SignIn,
    SmtpOutgoing,
    VdirTable,
)
from triaged.settings import Config, Person
from triaged.shelf import use_path
from triaged.signon import graph_service, secret_ends, sign_in_problems, tokens_of
from triaged.worker.booking import CalendarLane, Diary
from triaged.worker.learner import learner_of
from triaged.worker.listed import ListFile
from triaged.worker.lookout import Lookout, canary_of, ours_of, timers, watchfulness_of
from triaged.worker.perform import FilingLane, LaneService, MailLane
from triaged.worker.progress import Progress
from triaged.worker.service import Parts, utc_now
from triaged.worker.triage import Limits, TriageProcess
from triaged.worker.vitals import Page
from triaged.worker.watch import Watched

if TYPE_CHECKING:
    from triaged.backends.ews.line import EwsSettings


def log_path(config: Config) -> Path:
    """The log's file."""
    return config.state_dir / "triaged.db"


def open_to_others(config: Config) -> Iterator[Problem]:
    """Files of ours that others may open: the log, its secret, password files; each with what to type."""
    yield from rights.open_to_others(config.state_dir)
    tables = [table for _, table in sign_ins(config) if isinstance(table, SignIn)]
    files = {config.path(table.password_file) for table in tables if table.password_file}
    files |= {config.path(file) for each in config.sign_in for file, _ in each.secrets().values() if file}
    for file in sorted(files):
        yield from rights.read_by_world(file)


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


# --- what is outside ------------------------------------------------------------------------------------------


def mailbox_of(config: Config, name: str) -> Mailbox:
    """A new, unconnected mailbox object for one thread."""
    table = next(mailbox for mailbox in config.mailbox if mailbox.name == name)
    limit = config.triage.max_message_mb * 1_000_000
    match table:
        case ImapTable():
            return ImapMailbox(table.name, table.folder, imap_settings(config, table), max_message_bytes=limit)
        case GraphTable():
            settings = graph_settings(config, table, table.address)
            return GraphMailbox(table.name, table.folder, settings, max_message_bytes=limit)
        case EwsTable():
            from triaged.backends.ews.mailbox import EwsMailbox  # exchangelib: 0.4 s and 24 MB that few need

            return EwsMailbox(
                table.name, table.folder, ews_settings(config, table, table.address), max_message_bytes=limit
            )
        case MaildirTable():
            return MaildirMailbox(table.name, config.path(table.path), max_message_bytes=limit)


def triage_process(config: Config) -> TriageProcess:
    """A process that reads mail and decides about it, not started yet, for one who asks beside the worker."""
    return TriageProcess(
        build=partial(build_playbook, config),
        list_path=list_path(config),
        log_path=log_path(config),
        limits=Limits(config.triage.timeout_s, config.triage.memory_mb),
        beat=lambda: None,
        on_loaded=lambda loaded: None,
    )


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
        tokens=tokens_of(config, table, "mail") if table.sign_in else None,
    )


def graph_settings(
    config: Config, table: GraphTable | GraphOutgoing | GraphCalendarTable, address: str
) -> GraphSettings:
    """How to reach the mailbox of `address` in Microsoft 365."""
    return GraphSettings(
        address=address,
        tokens=tokens_of(config, table, "graph"),
        base_url=table.service or graph_service(config, table),
        ca_file=_ca_file(config, table.ca_file),
        timeout_s=table.timeout_s,
    )


def ews_settings(config: Config, table: EwsTable | EwsOutgoing | EwsCalendarTable, address: str) -> EwsSettings:
    """How to reach the mailbox of `address` on an Exchange server."""
    from triaged.backends.ews.line import EwsSettings

    return EwsSettings(
        endpoint=table.endpoint,
        address=address,
        user=table.user,
        password=table.password(config.base),
        auth=table.auth,
        tokens=tokens_of(config, table, "ews") if table.sign_in else None,
        ca_file=_ca_file(config, table.ca_file),
        timeout_s=table.timeout_s,
        access=table.access,
    )


def mailer_of(config: Config, *, keep_sent: bool = True) -> Mailer:
    """A new, unconnected mailer for one thread. keep_sent: put copies into Sent where that is configured."""
    outgoing = config.outgoing
    match outgoing:
        case SmtpOutgoing():
            return _smtp_mailer(config, outgoing, keep_sent=keep_sent)
        case GraphOutgoing():
            return GraphMailer(graph_settings(config, outgoing, outgoing.address))
        case EwsOutgoing():
            from triaged.backends.ews.mailer import EwsMailer

            return EwsMailer(ews_settings(config, outgoing, outgoing.address))
        case MaildirOutgoing():
            return MaildirMailer(config.path(outgoing.path))


def _smtp_mailer(config: Config, outgoing: SmtpOutgoing, *, keep_sent: bool) -> SmtpMailer:
    settings = SmtpSettings(
        host=outgoing.host,
        port=outgoing.port,
        security=outgoing.security,
        user=outgoing.user or None,
        password=outgoing.password(config.base),
        ca_file=_ca_file(config, outgoing.ca_file),
        timeout_s=outgoing.timeout_s,
        local_hostname=outgoing.message_id_domain,
        tokens=tokens_of(config, outgoing, "mail") if outgoing.sign_in else None,
    )
    kept = next((each for each in config.mailbox if each.name == outgoing.keep_sent_in), None)
    sent = (
        ImapSent(outgoing.sent_folder or None, imap_settings(config, kept))
        if isinstance(kept, ImapTable) and keep_sent
        else None
    )
    return SmtpMailer(settings, sent=sent)


def calendars_of(config: Config, person: Person, *, timezone: str) -> tuple[Calendar | None, tuple[Calendar, ...]]:
    """The calendar that a person's calls are booked in, None when they have none here; and the others that say when
    they are busy. timezone: of what stands in them without one."""
    made = partial(_calendar, config, person, timezone=timezone)
    return made(person.calendar) if person.calendar is not None else None, tuple(map(made, person.also_busy))


def _calendar(config: Config, person: Person, table: AnyCalendar, *, timezone: str) -> Calendar:
    match table:
        case VdirTable():
            return VdirCalendar(config.path(table.path), timezone)
        case CaldavTable():
            return CaldavCalendar(
                table.url,
                user=table.user,
                password=table.password(config.base),
                ca_file=_ca_file(config, table.ca_file),
                timeout_s=table.timeout_s,
                timezone=timezone,
                tokens=tokens_of(config, table, "calendar") if table.sign_in else None,
            )
        case GraphCalendarTable():
            graph = graph_settings(config, table, table.address or person.email)
            return GraphCalendar(graph, timezone=timezone, online_meeting=table.online_meeting)
        case EwsCalendarTable():
            from triaged.backends.ews.calendar import EwsCalendar

            return EwsCalendar(ews_settings(config, table, table.address or person.email), timezone=timezone)


def _ca_file(config: Config, path: str) -> str | None:
    return str(config.path(path)) if path else None


def all_problems(config: Config) -> tuple[Problem, ...]:
    """Everything that would keep the service from running as meant, the rules' examples too; no server is asked."""
    listed = ListFile(list_path(config))
    listed.current()
    problems = (*state_problems(config), *alert_problems(config), *listed.problems)
    problems = (*problems, *sign_in_problems(config, now=utc_now()))
    try:
        build_playbook(config, dry=True)
    except ConfigError as error:
        problems = (*problems, *error.problems)
    return problems


def alert_problems(config: Config) -> Iterator[Problem]:
    """Addresses of people to be told that cannot be used."""
    if config.alerts.urls_file or config.alerts.urls_credential:
        yield from url_problems(read_urls(config.alerts.urls(config.base)), where="alerts")


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
        folders=folders_of(config),
        list_path=list_path(config),
        model_choice=use_path(config.state_dir),
        review_percent=config.learn.review_percent,
        processes=config.triage.processes,
        batch=config.triage.batch,
        limits=Limits(config.triage.timeout_s, config.triage.memory_mb),
        stall_s=config.service.stall_s,
        timers=partial(timers, lookout_of(config)),
        page=Page(*config.health.address) if config.health.address is not None else None,
        desk=desk_command(config.file) if config.desk.listen != "" else (),
    )


def desk_command(file: Path) -> tuple[str, ...]:
    """What serves the review desk: a program of its own, so that no page can hold up or bring down the worker."""
    return (sys.executable, "-m", "triaged", "desk", "--config", str(file.resolve()), "--with-worker")


def provider_of(config: Config) -> OpenIdProvider | None:
    """Where people sign in for the desk, None when they do not do so elsewhere. Raises: OSError, KeyError."""
    desk = config.desk
    if desk.oidc_issuer == "":
        return None
    return OpenIdProvider(
        issuer=desk.oidc_issuer,
        client_id=desk.oidc_client_id,
        secret=desk.oidc_secret(config.base),
        claim=desk.oidc_claim,
        back=f"{desk.address}/sign-in/oidc/back",
        ca_file=str(config.path(desk.oidc_ca_file)) if desk.oidc_ca_file else None,
    )


def lookout_of(config: Config) -> Lookout:
    """What is looked after, and who is told."""
    return Lookout(
        watchfulness=watchfulness_of(config),
        notifier=notifier_of(config),
        certificates=dict(_certificates(config)),
        secrets=secret_ends(config),
        canary=canary_of(config, secret=secret_of(config)) if config.canary.every_min > 0 else None,
        mailer=partial(mailer_of, config, keep_sent=False),
        calendars=partial(_calendars, config),
        mailboxes=lambda: [mailbox_of(config, each.name) for each in config.mailbox],
        ours=ours_of(config),
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
    for _, table in sign_ins(config):
        address = _https_address(config, table)
        if address.startswith("https://"):
            url = urlsplit(address)
            yield _certificate(url.hostname or "", url.port or 443, "at once", _ca_file(config, table.ca_file))


def _https_address(config: Config, table: Remote) -> str:
    """Where a table's server speaks HTTPS, as far as the configuration says."""
    match table:
        case CaldavTable():
            return table.url
        case EwsTable() | EwsOutgoing() | EwsCalendarTable():
            return table.endpoint
        case GraphTable() | GraphOutgoing() | GraphCalendarTable():
            return table.service or graph_service(config, table)
        case _:
            return ""


def _certificate(host: str, port: int, begins: Begins, ca_file: str | None) -> tuple[str, Callable[[], datetime]]:
    return f"{host}:{port}", partial(certificate_end, TlsServer(host, port, begins, ca_file))


def _lanes(config: Config) -> Iterator[tuple[str, LaneService]]:
    """One lane for outgoing mail, one a calendar, one a mailbox that mail is filed in."""
    yield "mail", MailLane(mailer_of(config), ListFile(list_path(config)).covers)
    for mailbox in config.mailbox:
        yield f"mailbox:{mailbox.name}", FilingLane(mailbox_of(config, mailbox.name))
    for colleague, person in zip(people_of(config).values(), config.person, strict=True):
        calendar, also = calendars_of(config, person, timezone=colleague.hours.timezone)
        if calendar is None:
            continue
        diary = Diary(
            organizer=colleague.address,
            hours=colleague.hours,
            step_min=config.calls.step_min,
            buffer_min=config.calls.buffer_min,
            per_day=config.calls.per_day,
            also=also,
            booked=partial(_booked, config, person.id),
        )
        refuses = ListFile(list_path(config)).covers
        yield f"calendar:{person.id}", CalendarLane(calendar, diary, refuses=refuses, clock=utc_now)


def _booked(config: Config, person: str) -> list[datetime]:
    """When a person's calls are, from yesterday on."""
    with closing(Reader(log_path(config))) as reader:
        return starts(reader, person, since=utc_now() - timedelta(days=1))


def _calendars(config: Config) -> dict[str, Calendar]:
    """The calendar of each of our people who have one, by their ids."""
    found = {}
    for colleague, person in zip(people_of(config).values(), config.person, strict=True):
        calendar, _ = calendars_of(config, person, timezone=colleague.hours.timezone)
        if calendar is not None:
            found[person.id] = calendar
    return found
