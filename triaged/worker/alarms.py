"""Facts about the worker and its surroundings in, what people must be told and what they heard of it already out.

No clock and no I/O: `worker/telling.py` gathers the facts and does the telling.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from triaged.log.alerts import Alert, LogFacts, RunRow, Severity

PATIENCE = timedelta(seconds=10)
"""A lost connection that is back within this time is nobody's business."""
CERTIFICATE_STEPS = ((14, 1), (7, 2), (1, 3))
"""Days before the end of a certificate, and how bad that is."""
NOT_ACCEPTED = 4
STEADY = timedelta(hours=1)
"""So long after a crash all is well again."""
ABSENT = timedelta(minutes=1)
"""A worker that is away for less is being started again."""
WORKER = "worker"
"""The condition that only somebody outside the worker can raise; the worker clears it."""
LONGEST_DETAIL = 500
"""Characters of a server's words that are told."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that people must know, as it is now; the fields are those of `Alert`."""

    key: str
    what: str
    severity: Severity
    words: str
    step: int = 1


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system of the state folder, in bytes. full: nothing more can be written."""

    free: int
    total: int
    full: bool


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate, or what we prove ourselves by (`ours`). ends: None when it was not accepted or cannot be
    used, then `problem` says why."""

    where: str
    ends: datetime | None
    problem: str = ""
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Quiet:
    """A mailbox without mail for unusually long. last: None when none ever came since the worker began."""

    mailbox: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """All that conditions are made of. log_problem: why the log cannot be read or written, `""` when it can."""

    now: datetime
    log: LogFacts
    log_problem: str = ""
    silent: tuple[str, ...] = ()
    disk: Disk | None = None
    certificates: tuple[Certificate, ...] = ()
    quiet: tuple[Quiet, ...] = ()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When something is worth an alarm (`[alerts]` and `[canary]`). zone: in which times are written."""

    zone: str
    poll: timedelta
    waiting: timedelta
    disk_min_bytes: int
    disk_min_share: float


def conditions(facts: Facts, limits: Thresholds) -> tuple[Condition, ...]:
    """What is so now, each once."""
    return tuple(condition for look in _LOOKS for condition in look(facts, limits))


def _parts(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    for row in facts.log.parts:
        if row.state != "trouble" or facts.now - row.since < min(PATIENCE, limits.poll / 2):
            continue
        detail = row.detail.partition("; next try in")[0][:LONGEST_DETAIL]
        if row.part == "rules":
            words = (
                f"Edited rules or templates are {detail}. Mend what is named and save; they are taken by themselves."
            )
            yield Condition("rules", "rules and templates", "warning", words)
            continue
        if row.part == "do-not-answer list":
            words = (
                f"Lines in it are not understood: {detail}. The others count. Mend them; it is read again by itself."
            )
            yield Condition(f"part:{row.part}", row.part, "warning", words)
            continue
        words = f"It is in trouble since {_wall(row.since, limits.zone)}: {detail}. {_meaning(row.part)}"
        yield Condition(f"part:{row.part}", row.part, "trouble", words)


def _meaning(part: str) -> str:
    """Why a part in trouble matters, and what to do."""
    kind = part.partition(" ")[0]
    lane = part.removeprefix("lane ").partition(":")[0]
    if kind == "mailbox":
        return "New mail there is not read until this is mended; it is tried again by itself. See: triaged status."
    if lane == "mail":
        return "No acknowledgement or note leaves meanwhile; what is owed stays owed. See: triaged status."
    if lane == "calendar":
        return "No call is booked in this calendar meanwhile. See: triaged status."
    if part == "timer answers":
        return "Meanwhile what people answer by themselves stays among the open items. See: triaged status."
    if part == "model":
        return "Mail is judged all the same. Choose another (triaged model list, triaged model use ID) or train anew."
    if part == "alerts":
        return "Not everybody who should be told of alarms is told. See: triaged alerts test."
    return "See: triaged status, and the journal."


def _silent(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    for part in facts.silent:
        words = (
            "It gave no sign of life for so long that it must hang. systemd starts the service again by itself; "
            "without systemd, start it again."
        )
        yield Condition(f"silent:{part}", part, "trouble", words)


def _log(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    if facts.log_problem != "":
        words = (
            f"{facts.log_problem}. No mail is logged and none is acknowledged until it can be. Look at the disk and "
            "at the permissions of the state folder."
        )
        yield Condition("log", "the log", "trouble", words)


def _disk(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    disk = facts.disk
    if disk is None:
        return
    if disk.full:
        words = "It is full: no mail is logged and none is acknowledged. Make room; the work then goes on by itself."
        yield Condition("disk", "disk of the state folder", "trouble", words, step=2)
    elif disk.free < limits.disk_min_bytes or disk.free < limits.disk_min_share * disk.total:
        words = (
            f"Only {disk.free / 1e6:,.0f} MB are free ({disk.free / max(1, disk.total):.1%}). When it is full, no mail "
            "is logged and none is acknowledged. Make room."
        )
        yield Condition("disk", "disk of the state folder", "warning", words)


def _certificates(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    for each in facts.certificates:
        if each.ours:
            yield from _secret(each, facts.now, limits)
            continue
        key, what = f"certificate:{each.where}", f"certificate of {each.where}"
        if each.ends is None:
            words = (
                f"It is not accepted: {each.problem}. Nothing is sent to or read from this server until it is renewed."
            )
            yield Condition(key, what, "trouble", words, step=NOT_ACCEPTED)
            continue
        left = each.ends - facts.now
        step = max((step for days, step in CERTIFICATE_STEPS if left <= timedelta(days=days)), default=0)
        if step > 0:
            words = (
                f"It ends on {_wall(each.ends, limits.zone)}. From then on this server is not spoken to. "
                "Ask whoever runs it to renew the certificate."
            )
            yield Condition(key, what, "warning", words, step=step)


def _secret(found: Certificate, now: datetime, limits: Thresholds) -> Iterator[Condition]:
    """A secret or certificate of a sign-in; people need days to make a new one."""
    key, what = f"secret:{found.where}", found.where
    stops = "nothing that signs in by it works: no mail is read or sent, no call booked"
    renew = "Make a new one where the app is registered, put it in place of the old, and see: triaged check --connect."
    if found.ends is None:
        words = f"It cannot be used: {found.problem}. Until it is mended {stops}. {renew}"
        yield Condition(key, what, "trouble", words, step=NOT_ACCEPTED)
        return
    left = found.ends - now
    if left <= timedelta(0):
        words = f"It has ended on {_wall(found.ends, limits.zone)}; {stops}. {renew}"
        yield Condition(key, what, "trouble", words, step=NOT_ACCEPTED)
        return
    step = max((step for days, step in CERTIFICATE_STEPS if left <= timedelta(days=days)), default=0)
    if step > 0:
        words = f"It ends on {_wall(found.ends, limits.zone)}. From then on {stops}. {renew}"
        yield Condition(key, what, "warning", words, step=step)


def _breaker(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    if facts.log.breaker.opened is not None:
        words = (
            f"It is open since {_wall(facts.log.breaker.opened, limits.zone)}: {facts.log.breaker.why}. Nothing is "
            "acknowledged by machine. Look what came in, then: triaged breaker close."
        )
        yield Condition("breaker", "breaker", "trouble", words)


def _quarantine(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    if (count := facts.log.quarantined) > 0:
        words = (
            f"{_count(count, 'mail')} could not be read and nobody answered. A person must look: "
            "triaged quarantine list, then triaged quarantine show ID."
        )
        yield Condition("quarantine", "quarantine", "warning", words, step=_digits(count))


def _stuck(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    if (count := facts.log.stuck) > 0:
        words = (
            f"{_count(count, 'thing')} to be sent, booked or filed did not work, or perhaps did. No machine touches "
            "it again; a person decides: triaged status names the mail, triaged show ID says what happened."
        )
        yield Condition("person", "effects that a person must decide", "warning", words, step=_digits(count))


def _waiting(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    if (count := facts.log.waiting) > 0:
        hours = limits.waiting.total_seconds() / 3600
        words = (
            f"{_count(count, 'effect')} waited for a person's word longer than {hours:g} hours; the clients hear "
            "nothing meanwhile. See: triaged status, then triaged approve ID or triaged drop ID."
        )
        yield Condition("waiting", "approvals and questions", "warning", words, step=_digits(count))


def _quiet(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    for each in facts.quiet:
        words = (
            f"No mail came since {_wall(each.since, limits.zone)}, which is unusually long for this mailbox. "
            "Perhaps mail is lost before it reaches the server, or lies in another folder. Send a test mail."
        )
        yield Condition(f"quiet:{each.mailbox}", f"silence in mailbox {each.mailbox}", "warning", words)


def _canary(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    if facts.log.canary_lost is not None:
        words = (
            f"The test mail that was sent to ourselves at {_wall(facts.log.canary_lost, limits.zone)} did not arrive "
            "in time. Clients' mail, or our answers, may be late or lost: look at the outgoing server and the mailbox."
        )
        yield Condition("canary", "canary mail", "trouble", words)


def _bounced(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    if (count := facts.log.bounced) > 0:
        words = (
            f"Mail to {_count(count, 'address', 'addresses')} came back since yesterday; these are not acknowledged "
            "any more. Look whether the address in the accounts is right: triaged bounced list."
        )
        yield Condition("bounced", "addresses that came back", "info", words, step=_digits(count))


def _crash(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    run, before = facts.log.run, facts.log.run_before
    if run is not None and before is not None and before.ended is None and facts.now - run.started < STEADY:
        words = (
            f"It ended without being told to at about {_wall(before.alive, limits.zone)} and was started again at "
            f"{_wall(run.started, limits.zone)}. Nothing is lost or done twice by that. The journal says why: "
            "journalctl -u triaged."
        )
        yield Condition("crash", "worker", "warning", words)


_LOOKS: tuple[Callable[[Facts, Thresholds], Iterator[Condition]], ...] = (
    _log,
    _disk,
    _breaker,
    _parts,
    _silent,
    _certificates,
    _canary,
    _quiet,
    _quarantine,
    _stuck,
    _waiting,
    _crash,
    _bounced,
)


def _wall(moment: datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).strftime("%a %d %b %H:%M")


def _count(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _digits(count: int) -> int:
    """How bad a number is: told anew at 10, 100, 1,000 …"""
    return len(str(count))


def absence(run: RunRow | None, *, running: bool, now: datetime, hung_after: timedelta, zone: str) -> Condition | None:
    """What is to be said of the worker by somebody else, who looks from outside; None when it is well.

    run: its latest; None: it never ran, and nobody expects it to. hung_after: silence of one that holds its lock.
    """
    if run is None or now - (run.ended or run.alive) < (hung_after if running else ABSENT):
        return None
    if running:
        words = (
            f"It runs and does nothing since {_wall(run.alive, zone)}. Look at the journal, then: "
            "systemctl restart triaged."
        )
    else:
        words = (
            f"It does not run since about {_wall(run.ended or run.alive, zone)}: no mail is logged and none is "
            "answered. Why: systemctl status triaged, journalctl -u triaged. Start it: systemctl start triaged."
        )
    return Condition(WORKER, "worker", "trouble", words)


# --- what people heard of it ---


@dataclass(frozen=True, slots=True)
class News:
    """Something to tell. kind: an alarm, or the all-clear after one."""

    kind: Literal["alarm", "clear"]
    alert: Alert


def seen(known: Mapping[str, Alert], found: Sequence[Condition], *, now: datetime) -> dict[str, Alert]:
    """The conditions as they are now; those that are so no longer are cleared, and none is forgotten."""
    alerts = dict(known)
    for each in found:
        old = alerts.get(each.key)
        fresh = Alert(each.key, each.what, each.severity, each.words, each.step, now)
        if old is not None:
            since = old.since if old.cleared is None else now
            fresh = dataclasses.replace(
                fresh, since=since, heard_step=old.heard_step, heard=old.heard, failed=old.failed
            )
        alerts[each.key] = fresh
    standing = {each.key for each in found}
    for key, alert in alerts.items():
        if key not in standing and alert.cleared is None:
            after = 0 if alert.severity == "info" else alert.heard_step  # what was only to know has no all-clear
            alerts[key] = dataclasses.replace(alert, cleared=now, failed="", heard_step=after)
    return alerts


def news(alerts: Mapping[str, Alert], *, now: datetime, again: timedelta) -> tuple[News, ...]:
    """What people do not know yet. An alarm that comes back within `again` of the last one waits until that is over."""
    told: list[News] = []
    for alert in alerts.values():
        if alert.cleared is not None:
            if alert.heard_step > 0:
                told.append(News("clear", alert))
        elif alert.step > alert.heard_step and not (alert.heard_step == 0 and _lately(alert.heard, now, again)):
            told.append(News("alarm", alert))
    return tuple(told)


def _lately(heard: datetime | None, now: datetime, again: timedelta) -> bool:
    """A time to come counts as long ago: somebody put the clock back."""
    return heard is not None and timedelta(0) <= now - heard < again


def heard(item: News, *, now: datetime) -> Alert:
    """The alert once somebody was told."""
    if item.kind == "clear":
        return dataclasses.replace(item.alert, heard_step=0, failed="")
    return dataclasses.replace(item.alert, heard_step=item.alert.step, heard=now, failed="")


def unheard(item: News, why: str) -> Alert:
    """The alert when nobody could be told."""
    return dataclasses.replace(item.alert, failed=why)


def message(told: Sequence[News], *, host: str, zone: str) -> tuple[str, str]:
    """Title and text for a person; `told` is not empty."""
    if len(told) == 1:
        word = told[0].alert.severity if told[0].kind == "alarm" else "all clear"
        title = f"{word}: {told[0].alert.what}"
    else:
        alarms = sum(item.kind == "alarm" for item in told)
        parts = (
            _count(alarms, "alarm") if alarms else "",
            _count(len(told) - alarms, "all-clear") if alarms < len(told) else "",
        )
        title = ", ".join(part for part in parts if part)
    return f"triaged on {host}: {title}", "\n\n".join(_lines(item, zone) for item in told)


def _lines(item: News, zone: str) -> str:
    alert = item.alert
    if item.kind == "clear":
        return f"All clear: {alert.what} (it was so since {_wall(alert.since, zone)})."
    return f"{alert.severity.capitalize()}: {alert.what}. {alert.words}"
