"""A time zone and a year in, the VTIMEZONE out that calendar programs come to the right times by (RFC 5545 3.6.5).

Written here and not by icalendar, whose `add_missing_timezones` (7.3.2) puts the spring change an hour late
(DTSTART on the clock after the change) and lists dates: Outlook reads rules only and takes the event for another
zone's (MS-STANOICAL 2.2.47; iCalcreator issues 86 and 106).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

RULES_FROM = 1970
"""The year that the rules begin in, as in what Google and Thunderbird write."""

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY = timedelta(days=1)


class _Change(NamedTuple):
    """A change of the clocks: when, on the clock before it; the offsets before and after; what the time is called."""

    at: datetime
    before: timedelta
    after: timedelta
    name: str


def vtimezone(zone: ZoneInfo, year: int) -> Timezone | None:
    """The zone as it is in that year, None for one that is too odd in it, whose times are to be written in UTC.

    Simple is a year without a change, or with two, to and fro: each is told as a rule, which need not hold for other
    years. Odd are three in a year (Morocco's Ramadan) and one (a zone that moves for good).
    """
    changes = _changes(zone, year)
    component = Timezone()
    component.add("tzid", zone.key)
    if len(changes) == 0:
        since = datetime(RULES_FROM, 1, 1, tzinfo=UTC)
        offset, name = _offset(zone, datetime(year, 7, 1, tzinfo=UTC))
        component.add_component(_part(_Change(since.replace(tzinfo=None), offset, offset, name), ""))
        return component
    if len(changes) != 2 or changes[0].before != changes[1].after:
        return None
    for change in changes:
        component.add_component(_yearly(change))
    return component


@lru_cache(maxsize=1_000)
def _changes(zone: ZoneInfo, year: int) -> tuple[_Change, ...]:
    """The changes of the offset in that year of the zone, in order."""
    return tuple(
        _found(zone, datetime(year, 1, 1, tzinfo=UTC) - _DAY, datetime(year + 1, 1, 1, tzinfo=UTC) + _DAY, year)
    )


def _found(zone: ZoneInfo, start: datetime, end: datetime, year: int) -> Iterator[_Change]:
    while start < end:
        low, high = start, start + _DAY
        before, _ = _offset(zone, low)
        if before != _offset(zone, high)[0]:
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                low, high = (middle, high) if _offset(zone, middle)[0] == before else (low, middle)
            high = high.replace(microsecond=0)
            at = (high + before).replace(tzinfo=None)
            if at.year == year:
                yield _Change(at, before, *_offset(zone, high))
        start += _DAY


def _offset(zone: ZoneInfo, moment: datetime) -> tuple[timedelta, str]:
    local = moment.astimezone(zone)
    return local.utcoffset() or timedelta(0), local.tzname() or ""


def _part(change: _Change, day: str) -> TimezoneStandard | TimezoneDaylight:
    """What holds from a change on. day: BYDAY of its rule, `""` for a change that is none."""
    part = TimezoneDaylight() if change.after > change.before else TimezoneStandard()
    part.add("dtstart", change.at)
    if day != "":
        part.add("rrule", {"FREQ": "YEARLY", "BYMONTH": change.at.month, "BYDAY": day})
    part.add("tzoffsetfrom", change.before)
    part.add("tzoffsetto", change.after)
    part.add("tzname", change.name)
    return part


def _yearly(change: _Change) -> TimezoneStandard | TimezoneDaylight:
    """A change as a rule from 1970 on: the last such weekday of its month where it is that, else the first to fourth.

    Never by the numbers of days, as Israel's rule is told elsewhere: Outlook reads none such.
    """
    at = change.at
    is_last = (at + 7 * _DAY).month != at.month
    nth = -1 if is_last else (at.day + 6) // 7
    days = [each for each in _days(at.month) if each.weekday() == at.weekday()]
    first = datetime.combine(days[nth if is_last else nth - 1], at.time())
    return _part(change._replace(at=first), f"{nth}{_WEEKDAYS[at.weekday()]}")


def _days(month: int) -> list[date]:
    return [date(RULES_FROM, month, day) for day in range(1, monthrange(RULES_FROM, month)[1] + 1)]
