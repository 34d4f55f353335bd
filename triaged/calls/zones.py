"""A local time, its TZID and the VTIMEZONEs beside it in, the moment in UTC out; or why it cannot be told (S51).

A TZID is an IANA name, a Windows name (CLDR windowsZones), an IANA name behind a vendor's prefix
(`/mozilla.org/20050126_1/Europe/Berlin`), or a name that only the object's own VTIMEZONE explains, as Outlook's
`Customized Time Zone` or `(UTC+01:00) Amsterdam, Berlin, ...`. Every explanation that there is must give the same
offset at that time: a VTIMEZONE that contradicts its name tells no time.

A local time that a change of the clocks leaves out is read with the offset before the change; one that occurs twice
means the first of the two (RFC 5545 3.3.5).
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from triaged.calls.lines import Component, Property, unescaped

MAX_OFFSET = timedelta(hours=16)
"""15:13:42 is the largest that the tz database has."""

MAX_CHANGES = 300
"""STANDARD and DAYLIGHT in one VTIMEZONE; the whole history of a zone needs fewer than 100."""

_WALL = re.compile(r"([0-9]{8})T([0-9]{6})(Z?)")
_OFFSET = re.compile(r"([+-])([0-9]{2})([0-5][0-9])([0-5][0-9])?")
_DAY = re.compile(r"([+-]?[1-4])?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[+-]?[0-9]{1,2}")
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class _Onset(NamedTuple):
    """A change of the clocks: when, on the clock before it, and the offsets before and after."""

    at: datetime
    before: timedelta
    after: timedelta


def to_utc(time: Property, zones: Sequence[Component]) -> datetime:
    """The moment of a DATE-TIME. zones: the VTIMEZONEs of its object. Raises: ValueError, a sentence."""
    wall, in_utc = _wall(time.value)
    tzid = time.parameter("TZID")
    if in_utc and tzid == "":
        return wall.replace(tzinfo=UTC)
    if tzid == "":
        raise ValueError("its time is in no time zone")
    try:
        offset = _offset_at(wall, tzid, zones)
        moment = (wall - offset).replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("its time is out of reach") from error
    if in_utc and offset != timedelta(0):
        raise ValueError(f"its time is both in UTC and in '{tzid}'"[:200])
    return moment


def iana_name(tzid: str) -> str:
    """The IANA name that a TZID means, `""` if it is not one that everybody knows."""
    text = tzid.strip(" \"'").casefold()
    if text in _windows_names():
        return _windows_names()[text]
    if text == "tzone://microsoft/utc":
        return "UTC"
    pieces = text.strip("/").split("/")
    # Of a name with a prefix two pieces at least: `/vendor/Cuba` may be anything.
    ends = ["/".join(pieces), *("/".join(pieces[-count:]) for count in (3, 2) if count < len(pieces))]
    return next((_iana_names()[end] for end in ends if end in _iana_names()), "")


@cache
def _iana_names() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones() if name not in ("Factory", "localtime")}


@cache
def _windows_names() -> dict[str, str]:
    return {name.casefold(): zone for name, zone in WINDOWS_TO_OLSON.items()}


def _wall(text: str) -> tuple[datetime, bool]:
    """The time on the wall clock, and whether it is UTC."""
    found = _WALL.fullmatch(text)
    if found is None:
        raise ValueError("its time cannot be read")
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}"), found[3] != ""
    except ValueError as error:
        raise ValueError("its time cannot be read") from error


def _offset_at(wall: datetime, tzid: str, zones: Sequence[Component]) -> timedelta:
    explained = [_by_rules(zone, wall) for zone in zones if _tzid_of(zone) == tzid.strip(" \"'").casefold()]
    offsets = {offset for offset in explained if offset is not None}
    name = iana_name(tzid)
    if name != "":
        offsets.add(wall.replace(tzinfo=ZoneInfo(name)).utcoffset() or timedelta(0))
    if len(offsets) == 0:
        raise ValueError(f"nobody knows the time zone '{tzid}'"[:200])
    if len(offsets) > 1:
        raise ValueError(f"what it says of the time zone '{tzid}' contradicts itself"[:200])
    return offsets.pop()


def _tzid_of(zone: Component) -> str:
    found = zone.one("TZID")
    return unescaped(found.value).strip(" \"'").casefold() if found is not None else ""


# --- a VTIMEZONE ----------------------------------------------------------------------------------------------


def _by_rules(zone: Component, wall: datetime) -> timedelta | None:
    """The offset by a VTIMEZONE, None for one that says nothing. Raises: ValueError, a sentence."""
    parts = zone.within("STANDARD", "DAYLIGHT")
    if len(parts) > MAX_CHANGES:
        raise ValueError(f"a time zone in it has more than {MAX_CHANGES} parts")
    onsets = [onset for part in parts for onset in _onsets(part, wall.year)]
    if len(onsets) == 0:
        return None
    past = [onset for onset in onsets if onset.at <= wall]
    if len(past) == 0:
        return min(onsets).before
    last = max(past)
    if any(onset.at == last.at and onset.after != last.after for onset in past):
        raise ValueError("a time zone in it changes twice at once")
    is_left_out = wall - last.at < last.after - last.before
    return last.before if is_left_out else last.after


def _onsets(part: Component, year: int) -> Iterator[_Onset]:
    """Those that may be the last before a time in that year: nothing else of a rule is worked out."""
    start, rules = part.one("DTSTART"), part.all("RRULE")
    if start is None or len(rules) > 1:
        raise ValueError("a time zone in it has no start, or more than one rule")
    first, _ = _wall(start.value)
    before, after = _offset(part, "TZOFFSETFROM"), _offset(part, "TZOFFSETTO")
    dates = [text for line in part.all("RDATE") for text in line.value.split(",")]
    others = [_wall(text)[0] for text in dates]
    if rules:
        others += [at for at in _yearly(rules[0].value, first, before, year) if at > first]
    for at in (first, *others):
        yield _Onset(at, before, after)


def _offset(part: Component, name: str) -> timedelta:
    line = part.one(name)
    found = _OFFSET.fullmatch(line.value) if line is not None else None
    if found is None:
        raise ValueError("a time zone in it has no readable offset from UTC")
    amount = timedelta(hours=int(found[2]), minutes=int(found[3]), seconds=int(found[4] or 0))
    if amount > MAX_OFFSET:
        raise ValueError(f"a time zone in it is {found[0]} from UTC")
    return -amount if found[1] == "-" else amount


def _yearly(rule: str, first: datetime, before: timedelta, year: int) -> Iterator[datetime]:
    """The changes of that year and the one before; the last two of a rule that has ended by then."""
    pairs = [piece.partition("=") for piece in rule.upper().split(";") if piece.strip() != ""]
    parts = {key.strip(): value.strip() for key, _, value in pairs}
    if len(parts) != len(pairs) or parts.get("FREQ") != "YEARLY" or parts.get("INTERVAL", "1") != "1":
        raise ValueError("a time zone in it does not change once a year")
    # HCL Notes repeats the hour and the minute of the start in the rule.
    again = {key for key, at in (("BYHOUR", first.hour), ("BYMINUTE", first.minute)) if parts.get(key) == str(at)}
    if not parts.keys() <= again | {"FREQ", "INTERVAL", "BYMONTH", "BYDAY", "BYMONTHDAY", "UNTIL", "WKST"}:
        raise ValueError("a time zone in it changes by an odd rule")
    until = datetime(9999, 12, 31)  # noqa: DTZ001
    if "UNTIL" in parts:
        until, in_utc = _wall(parts["UNTIL"] if "T" in parts["UNTIL"] else parts["UNTIL"] + "T235959")
        year = min(year, until.year)
        until += before if in_utc else timedelta(0)
    for each in (year - 1, year):
        if each >= first.year:
            at = datetime.combine(_day_of(parts, first, each), first.time())
            if at <= until:
                yield at


def _day_of(parts: dict[str, str], first: datetime, year: int) -> date:
    """The one day of that year by BYMONTH, BYDAY and BYMONTHDAY; by the first change where they say nothing."""
    odd = ValueError("a time zone in it changes by an odd rule")
    month = int(parts["BYMONTH"]) if _NUMBER.fullmatch(parts.get("BYMONTH", "")) else first.month
    if not 1 <= month <= 12 or ("BYMONTH" in parts and _NUMBER.fullmatch(parts["BYMONTH"]) is None):
        raise odd
    days = [date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1)]
    numbers = parts.get("BYMONTHDAY", "" if "BYDAY" in parts else str(first.day))
    if numbers != "":
        wanted = {int(number) for number in numbers.split(",")[:62] if _NUMBER.fullmatch(number)}
        days = [day for day in days if day.day in wanted or day.day - len(days) - 1 in wanted]
    if "BYDAY" in parts:
        found = _DAY.fullmatch(parts["BYDAY"])
        if found is None:
            raise odd
        days = [day for day in days if day.weekday() == _WEEKDAYS.index(found[2])]
        if found[1] is not None:
            nth = int(found[1])
            days = days[nth - 1 : nth] if nth > 0 else days[nth:][:1]
    if len(days) != 1:
        raise odd
    return days[0]
