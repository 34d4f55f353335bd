"""iCalendar of other people (RFC 5545), events or a free/busy answer, in, busy times out; never free if unreadable.

Recurrences are expanded by recurring_ical_events, within limits: four events of 812 kept it busy for more than
ten seconds, some for ever (mail-safety 4.7, S52).
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
import warnings
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from math import prod
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from triaged.errors import Permanent
from triaged.model import Interval

MAX_BYTES = 2 * 1024 * 1024
"""Bytes of one object; one event has 1–5 kB."""
MAX_INSTANCES = 1_000
"""Of one event within the window (S52)."""
MAX_TIMES_A_DAY = 24
"""BYHOUR × BYMINUTE × BYSECOND; 96 a day since 1900 took 7.9 s."""
MAX_RULES = 100
"""RRULE lines in one object; each may take dateutil four seconds of looking for a 30 February until the year 9999."""
MAX_ZONES = 20
"""VTIMEZONE components in one object."""
DEADLINE_S = 20.0
"""Seconds for all objects of one call; looked at between two events, each of which takes 4 s at worst."""

_DAY = timedelta(days=1)
_BREAKS = re.compile(rb"(?:\r?\n)+([ \t]?)")
"""Matches every run of line breaks, folded or not: `(?:\r?\n)+[ \t]`, as icalendar has it, took 3.4 s for 20,000 empty
lines and goes by their square."""
_RULE = re.compile(r"^(?:RRULE|EXRULE)\b.*$", re.MULTILINE)
_ZONE = re.compile(r"^BEGIN:VTIMEZONE\b.*?^END:VTIMEZONE\b", re.MULTILINE | re.DOTALL)
_SUBDAILY = re.compile(r"FREQ\s*=\s*(SECONDLY|MINUTELY|HOURLY)")
_NO_INTERVAL = re.compile(r"INTERVAL\s*=\s*[+-]?0*\s*(?:;|$)")
_TIMES_A_DAY = re.compile(r"BY(?:HOUR|MINUTE|SECOND)\s*=([^;]*)")
_WHOLE = re.compile(r"\ufeff?\s*BEGIN:VCALENDAR\b.*\bEND:VCALENDAR\s*", re.DOTALL)
_EVENT = re.compile(r"^BEGIN:VEVENT\b", re.MULTILINE)
_LASTS = re.compile(r"^(?:RRULE|EXRULE|RDATE|DURATION)\b", re.MULTILINE)
_START_OR_END = re.compile(r"^(?:DTSTART|DTEND)\b.*:([0-9]{8})(?:T[0-9]{6}Z?)?\s*$", re.MULTILINE)
_SAFE_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_@.-]{0,199}")

_BROKEN = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, AssertionError, OSError,
)  # fmt: skip
"""What icalendar, recurring_ical_events, dateutil and zoneinfo raise on broken input (measured on 425 files)."""

_parsing = threading.Lock()
"""icalendar keeps the time zones of every VTIMEZONE it ever read, for the whole process, and the first of a name
wins: emptied before each parse, so that no calendar can bend the times of another."""


def busy_of(
    objects: Iterable[tuple[str, bytes]],
    start: datetime,
    end: datetime,
    *,
    timezone: str,
    besides: Collection[str] = (),
) -> tuple[Interval, ...]:
    """Busy times within [start, end): cut to it, merged, in order, UTC.

    objects: what each is called in messages, and its octets. timezone: IANA name, for all-day events and times
    without a zone. besides: UIDs of events that do not count. Events that are TRANSPARENT or CANCELLED or have no
    length are free. Raises: Permanent that names the object when it cannot be read, has a time zone nobody knows, or
    recurs beyond the limits.
    """
    give_up_at = time.monotonic() + DEADLINE_S
    zone = ZoneInfo(timezone)
    found: list[Interval] = []
    for name, octets in objects:
        try:
            lines = _lines(octets)
            # In capitals, as icalendar compares them in the end: no odd letter may hide a rule from us.
            text = lines.decode("utf-8", "replace").upper()
            if _may_touch(text, start, end):
                found += _blocks(lines, text, start, end, zone, give_up_at, besides)
        except Permanent as error:
            raise Permanent(f"{name}: {error}") from error.__cause__
        except _BROKEN as error:
            raise Permanent(f"{name}: cannot be read as iCalendar: {error!r}"[:500]) from error
    return merged(found, start, end)


def free_busy_of(octets: bytes, start: datetime, end: datetime, *, timezone: str) -> tuple[Interval, ...]:
    """Busy times within [start, end), as `busy_of`, of the answer to a free-busy-query (RFC 4791 7.10).

    Everything but FBTYPE=FREE is busy. timezone: as in `days_here`. Raises: Permanent when the answer is no VFREEBUSY
    over the whole window, or a period in it cannot be read or has no length (Xandikos 0.4 writes an all-day event
    without an end so).
    """
    found: list[Interval] = []
    try:
        lines = _lines(octets)
        text = lines.decode("utf-8", "replace").upper()
        _refuse_bombs(text)
        answers = [each for one in _parse(lines, len(_EVENT.findall(text))) for each in one.walk("VFREEBUSY")]
        # Radicale 3.5 answers with a component for each busy time, of an FBTYPE of its own and without periods.
        if len(answers) != 1 or "FBTYPE" in answers[0]:
            raise Permanent("is no answer to a free-busy-query")
        if answers[0].decoded("DTSTART") > start or answers[0].decoded("DTEND") < end:
            raise Permanent("does not tell of all the time that was asked about")
        periods = answers[0].get("FREEBUSY", [])
        for period in periods if isinstance(periods, list) else [periods]:
            if str(period.params.get("FBTYPE", "BUSY")).upper() == "FREE":
                continue
            if period.start >= period.end or period.start.tzinfo is None:
                raise Permanent("a busy time has no length, or no time zone")
            found += days_here(Interval(period.start, period.end), timezone)
    except _BROKEN as error:
        raise Permanent(f"cannot be read as free/busy times: {error!r}"[:500]) from error
    return merged(found, start, end)


def days_here(block: Interval, timezone: str) -> Iterator[Interval]:
    """A busy time; and if it is whole days of UTC, those days in `timezone` (IANA name) as well: perhaps it is an
    all-day event by a server that counts in UTC (Radicale 3.9 and Xandikos 0.4 do), and people see it on those days.
    """
    yield block
    days = [each.astimezone(UTC) for each in (block.start, block.end)]
    if all(day.time() == datetime.min.time() for day in days):
        start, end = (_moment(day.date(), ZoneInfo(timezone)) for day in days)
        yield Interval(start, end)


def merged(blocks: Iterable[Interval], start: datetime, end: datetime) -> tuple[Interval, ...]:
    """What lies within [start, end) of these times, in order, those that overlap or touch made one, in UTC."""
    result: list[Interval] = []
    for since, until in sorted((max(each.start, start), min(each.end, end)) for each in blocks):
        if since >= until:
            continue
        if len(result) > 0 and since <= result[-1].end:
            result[-1] = Interval(result[-1].start, max(result[-1].end, until.astimezone(UTC)))
        else:
            result.append(Interval(since.astimezone(UTC), until.astimezone(UTC)))
    return tuple(result)


def file_name(uid: str) -> str:
    """The name an event of this UID is written under: the UID itself where it is a safe name, else its hash."""
    return f"{uid if _SAFE_UID.fullmatch(uid) else hashlib.sha256(uid.encode()).hexdigest()[:40]}.ics"


def holds_uid(octets: bytes, uid: str) -> bool:
    """Whether an object has this UID, without parsing it."""
    return re.search(rb"^UID(?:;[^:\r\n]*)?:" + re.escape(uid.encode()) + rb"\r?$", unfold(octets), re.M) is not None


def unfold(octets: bytes) -> bytes:
    """The content lines whole (RFC 5545 3.1), none of them empty: icalendar allows empty ones inside a fold too."""
    return _BREAKS.sub(lambda found: b"\r\n" if found[1] == b"" else b"", octets)


def _lines(octets: bytes) -> bytes:
    if len(octets) > MAX_BYTES:
        raise Permanent(f"is larger than {MAX_BYTES // 1024 // 1024} MB")
    lines = unfold(octets)
    # Before they are looked for with their ends: 8,000 that have none took 3.7 s, which goes by the square.
    if (zones := lines.upper().count(b"BEGIN:VTIMEZONE")) > MAX_ZONES:
        raise Permanent(f"has {zones} time zones, which is too many")
    return lines


def _may_touch(text: str, start: datetime, end: datetime) -> bool:
    """False when there is no event, or only whole, single ones days away: 2,000 past events took 4.4 s to parse."""
    if _WHOLE.fullmatch(text) is None:
        return True
    text = _ZONE.sub("", text)
    events, days = len(_EVENT.findall(text)), _START_OR_END.findall(text)
    if events == 0:
        return False
    if _LASTS.search(text) is not None or len(days) != 2 * events:
        return True
    first, last = (each.strftime("%Y%m%d") for each in (start - 2 * _DAY, end + 2 * _DAY))
    return not (max(days) < first or min(days) > last)


def _blocks(
    lines: bytes,
    text: str,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    give_up_at: float,
    besides: Collection[str],
) -> Iterator[Interval]:
    """Busy times of one object that may overlap the window. One of ours must be readable as any other."""
    _refuse_bombs(text)
    for calendar in _parse(lines, len(_EVENT.findall(text))):
        lost = _unknown_zones(calendar)
        query = recurring_ical_events.of(calendar)
        for series in query.series:
            if time.monotonic() > give_up_at:
                raise Permanent(f"the calendar's events take longer than {DEADLINE_S:.0f} s to read")
            if str(series.uid) in besides:
                continue
            # A day more on both sides: all-day times and those without a zone are compared as if they were UTC.
            instances = list(islice(series.between(start - _DAY, end + _DAY), MAX_INSTANCES + 1))
            if len(instances) > MAX_INSTANCES:
                raise Permanent(f"an event recurs more than {MAX_INSTANCES} times in these days")
            for instance in instances:
                if _is_free(instance.as_component(False)):
                    continue
                if (tzid := lost.get(str(series.uid), lost.get(""))) is not None:
                    raise Permanent(f"nobody knows the time zone '{tzid}' of an event")
                since, until = _moment(instance.start, zone), _moment(instance.end, zone)
                if since < until:
                    yield Interval(since, until)


def _refuse_bombs(text: str) -> None:
    """Look at the rules before anything is parsed: the parse of a VTIMEZONE expands its rules already."""
    rules, zones = _RULE.findall(text), _ZONE.findall(text)
    if len(rules) > MAX_RULES:
        raise Permanent(f"has {len(rules)} recurrence rules, which is too many")
    for rule in rules:
        if (frequency := _SUBDAILY.search(rule)) is not None:
            raise Permanent(f"an event recurs {frequency[1].lower()}, which is not expanded")
        if _NO_INTERVAL.search(rule) is not None:
            raise Permanent("an event recurs at an interval of 0")
        if prod(times.count(",") + 1 for times in _TIMES_A_DAY.findall(rule)) > MAX_TIMES_A_DAY:
            raise Permanent(f"an event recurs more than {MAX_TIMES_A_DAY} times a day, which is not expanded")
    if any("FREQ=YEARLY" not in rule for zone in zones for rule in _RULE.findall(zone)):
        raise Permanent("a time zone in it changes more often than yearly")


def _parse(octets: bytes, count: int) -> list[Any]:
    with _parsing, warnings.catch_warnings():
        # A TZID like `/vendor/Europe/Berlin` is read as Europe/Berlin, with a warning.
        warnings.simplefilter("ignore")
        icalendar.timezone.tzp.use_default()
        calendars = icalendar.Calendar.from_ical(octets, multiple=True)
    if len(calendars) == 0 or any(calendar.name != "VCALENDAR" for calendar in calendars):
        raise Permanent("is no iCalendar object")
    events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    if len(events) != count:
        raise Permanent("is cut short")
    for event in events:
        if "DTSTART" not in event:
            raise Permanent("an event has no start")
        # icalendar passes over a property it cannot read, and the event would be somewhere else, or once only.
        for name, reason in event.errors:
            if str(name).upper() in ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "RECURRENCE-ID"):
                raise Permanent(f"an event's {name} cannot be read: {reason}"[:300])
    return list(calendars)


def _unknown_zones(calendar: Any) -> dict[str, str]:
    """UID → TZID of events with a time in a zone that neither IANA, Windows nor the object itself knows."""
    lost = {}
    for event in calendar.walk("VEVENT"):
        for name in ("DTSTART", "DTEND", "RDATE"):
            values = event.get(name, [])
            for value in values if isinstance(values, list) else [values]:
                tzid = value.params.get("TZID")
                if tzid is not None and any(_is_floating(each) for each in _times(value)):
                    lost[str(event.get("UID", ""))] = str(tzid)
    return lost


def _times(value: Any) -> list[object]:
    return [each.dt for each in value.dts] if hasattr(value, "dts") else [value.dt]


def _is_floating(value: object) -> bool:
    first = value[0] if isinstance(value, tuple) else value
    return isinstance(first, datetime) and first.tzinfo is None


def _is_free(event: Any) -> bool:
    return str(event.get("TRANSP", "")).upper() == "TRANSPARENT" or str(event.get("STATUS", "")).upper() == "CANCELLED"


def _moment(value: date | datetime, zone: ZoneInfo) -> datetime:
    """A date is its midnight, a time without a zone a time, in the calendar's zone."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=zone)
    return (value if value.tzinfo is not None else value.replace(tzinfo=zone)).astimezone(UTC)
