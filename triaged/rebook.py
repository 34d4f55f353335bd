"""A call that stands and what one of us wants of it in; its move or cancellation planned in the log out.

Used by the command line and the desk alike; the worker does it, and tells the client.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from triaged.decision import BookCall, CancelCall, MoveCall, Planned
from triaged.errors import Permanent
from triaged.log.calls import CallRow, is_being_changed
from triaged.log.store import Log
from triaged.model import Interval
from triaged.scheduling import Letterhead, cancel, choose, move
from triaged.settings import Config
from triaged.terminal import wall
from triaged.tomlfile import did_you_mean

FARTHEST_YEARS = 2
"""A call is hardly laid farther ahead; a year that was mistyped is."""


def moment(text: str, *, zone: str, now: datetime) -> datetime:
    """`2026-12-01 15:00` on the wall clock of a zone (IANA), in UTC. Raises: ValueError, a sentence."""
    if zone not in available_timezones():
        raise ValueError(f"{zone!r} is no time zone{did_you_mean(zone, sorted(available_timezones()))}")
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no day and time; write such as '2026-12-01 15:00'") from None
    local = found if found.tzinfo is not None else found.replace(tzinfo=ZoneInfo(zone))
    if not now.year - 1 <= found.year <= now.year + FARTHEST_YEARS:
        raise ValueError(f"{text!r} is over, or more than {FARTHEST_YEARS} years ahead")
    start = local.astimezone(UTC)
    if found.tzinfo is None and start.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != found:
        raise ValueError(f"the clocks in {zone} skip {text} that night; take another time")
    if start <= now:
        raise ValueError(f"{text!r} is over")
    return start


def moved(
    row: CallRow, start: datetime, letterhead: Letterhead, *, message_id: str, now: datetime
) -> BookCall | MoveCall:
    """What moves it to this moment, or books it then if it was only offered. message_id: of the mail it came from.

    Raises: Permanent, see `scheduling.booking`.
    """
    windows = (Interval(start, start + timedelta(minutes=row.call.appointment.minutes)),)
    make = choose if row.call.slot is None else move
    return make(row.call, windows, letterhead, cause=_cause(row, now), in_reply_to=message_id)


def cancelled(row: CallRow, letterhead: Letterhead, *, message_id: str, silent: bool, now: datetime) -> CancelCall:
    """What takes it out of the calendar. silent: the client is not told. As `moved`."""
    effect = cancel(row.call, letterhead, cause=_cause(row, now), in_reply_to=message_id)
    return dataclasses.replace(effect, draft=None) if silent else effect


def words(row: CallRow, effect: BookCall | MoveCall | CancelCall, config: Config) -> str:
    """What is to be done: `move the call of Ann Archer with Lena Vogt on Tue 01 Dec 10:00 to …`."""
    call = row.call
    client = call.appointment.attendee.display_name or call.appointment.attendee.addr_spec
    name = names(config).get(call.appointment.person, call.appointment.person)
    who = f"the call of {client} with {name}" + (f" on {wall(call.slot.start, row.zone)}" if call.slot else "")
    if isinstance(effect, CancelCall):
        return f"cancel {who}"
    to = f"{wall(effect.windows[0].start, row.zone)} ({row.zone})"
    return f"{'book' if isinstance(effect, BookCall) else 'move'} {who} to {to}"


def told(row: CallRow, effect: BookCall | MoveCall | CancelCall) -> str:
    """Who hears of it: of times that were only offered, nobody."""
    tells = effect.draft is not None and (row.call.slot is not None or isinstance(effect, BookCall))
    return f"{row.call.appointment.attendee.addr_spec} is told by mail" if tells else "nobody is told"


def must_be_doable(row: CallRow, config: Config) -> None:
    """Raises: Permanent, a sentence, when nobody could do it."""
    person = row.call.appointment.person
    if row.call.state == "cancelled":
        raise Permanent(f"the call of mail {row.message} is cancelled already")
    if all(each.id != person or each.calendar is None for each in config.person):
        raise Permanent(
            f"{person} has no calendar in the configuration any more: change theirs by hand, and write to the client"
        )


def plan(log: Log, row: CallRow, effect: BookCall | MoveCall | CancelCall, told: str, *, now: datetime) -> bool:
    """Have the worker do it, in the caller's transaction; False when a limit or the mailbox's mode holds it back.

    told: what is done and by whom, for the mail's story. Raises: Permanent when a change of it is being made already.
    """
    if is_being_changed(log.db, row.call.appointment):
        raise Permanent("another change of this call is about to be made; wait some seconds and look at it again")
    log.event("calls", told, message=row.message, now=now)
    return len(log.plan(row.message, (Planned(effect, "owed", now),), now)) > 0


def names(config: Config) -> dict[str, str]:
    """Our people's names by their ids."""
    return {person.id: person.name for person in config.person}


def _cause(row: CallRow, now: datetime) -> str:
    """What makes this change another than the next."""
    return f"{row.call.appointment.uid}:{now.isoformat()}"
