"""A checked configuration in; each configured server tried once, what works there and what does not in words, out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from triaged.errors import Problem, TriagedError
from triaged.ports import Calendar, Mailbox, Mailer
from triaged.settings import Config
from triaged.wire import calendars_of, mailbox_of, mailer_of
from triaged.worker.service import utc_now

AHEAD = timedelta(days=7)
"""How far a calendar is read: what is busy, not what stands there, is told."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One service. kind: the protocol, as in the configuration. done: what worked there, in order; problem: what did
    not and what to do about it, `""` where all of it did."""

    service: str
    kind: str
    done: tuple[str, ...]
    problem: str

    @property
    def works(self) -> bool:
        """Whether all that was tried did."""
        return self.problem == ""


Steps = Iterator[str]
"""What was just done, one step after the other. Raises: TriagedError at what does not work."""


def tried(config: Config) -> Iterator[Tried]:
    """Every mailbox, the way out, every calendar: each as the service would use it, but nothing is changed or sent."""
    for mailbox in config.mailbox:
        yield _tried(f"mailbox {mailbox.name}", mailbox.kind, _mailbox(mailbox_of(config, mailbox.name)))
    yield _tried("outgoing", config.outgoing.kind, _mailer(mailer_of(config)))
    for person in config.person:
        timezone = (person.hours.timezone if person.hours is not None else "") or config.hours.timezone
        own, others = calendars_of(config, person, timezone=timezone)
        if person.calendar is not None and own is not None:
            yield _tried(f"calendar of {person.id}", person.calendar.kind, _calendar(own))
        for number, (table, other) in enumerate(zip(person.also_busy, others, strict=True), start=1):
            yield _tried(f"also_busy {number} of {person.id}", table.kind, _calendar(other))


def unreachable(config: Config) -> Iterator[Problem]:
    """What does not work of it."""
    return (Problem(each.service, each.problem) for each in tried(config) if not each.works)


def _tried(service: str, kind: str, steps: Steps) -> Tried:
    done: list[str] = []
    try:
        for step in steps:
            done.append(step)  # noqa: PERF402 - what worked before a step raises is told
    except TriagedError as error:
        return Tried(service, kind, tuple(done), str(error))
    return Tried(service, kind, tuple(done), "")


def _mailbox(mailbox: Mailbox) -> Steps:
    try:
        mailbox.connect()
        yield f"the folder {mailbox.folder} is open"
        first = next(iter(mailbox.list_after(None)), None)
        if first is None:
            yield "it is empty"
        else:
            list(mailbox.fetch(first.keys[:1]))
            yield "a mail can be read"
    finally:
        mailbox.close()


def _mailer(mailer: Mailer) -> Steps:
    try:
        mailer.connect()
        yield "signed in; nothing was sent"
    finally:
        mailer.close()


def _calendar(calendar: Calendar) -> Steps:
    now = utc_now()
    try:
        busy = calendar.busy(now, now + AHEAD)
        yield f"it can be read: {len(busy)} busy times in the next {AHEAD.days} days"
        calendar.find("triaged-looks-for-nothing")  # some servers tell busy times to those who may see no event
        yield "events in it can be looked for"
    finally:
        calendar.close()
