"""Business hours and a span of time in, moments and open intervals out; wall clock in, UTC out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from triaged.clocks.holidays import country_problem, is_holiday
from triaged.errors import ConfigError, Problem
from triaged.model import Interval
from triaged.tomlfile import did_you_mean

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

MAX_DAYS = 3_660
"""Days; ten years. A longer span, or hours that stay closed so long, is a mistake."""

_MINUTES_A_DAY = 24 * 60
_MIDNIGHT = time(0, 0)
_SPAN = re.compile(r"([0-9]{1,7})\s*(business |working )?\s*([a-z]+)")
_UNITS = {
    "m": 1, "min": 1, "mins": 1, "minute": 1, "minutes": 1,
    "h": 60, "hour": 60, "hours": 60,
    "d": _MINUTES_A_DAY, "day": _MINUTES_A_DAY, "days": _MINUTES_A_DAY,
    "w": 7 * _MINUTES_A_DAY, "week": 7 * _MINUTES_A_DAY, "weeks": 7 * _MINUTES_A_DAY,
}  # fmt: skip
_DAYS_OF_LINE = re.compile(r"([^\W\d_]+(?:\s*[-–]\s*[^\W\d_]+)?)")
_TIMES = re.compile(r"([0-9]{1,2}):([0-9]{2})\s*[-–]\s*([0-9]{1,2}):([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Hours:
    """When somebody works. timezone: IANA name.

    spans: seven tuples, Monday first, of (opens, closes) on the wall clock, in order, not overlapping; an empty
    one is a day off; closing at 00:00 is the end of the day. holidays: dates on which nothing is open; country: on
    whose public holidays nothing is either, `""` for none (see `public_holidays`).
    """

    timezone: str
    spans: tuple[tuple[tuple[time, time], ...], ...]
    holidays: frozenset[date] = frozenset()
    country: str = ""

    def is_holiday(self, day: date) -> bool:
        """Whether nothing is open for the day's sake, whatever day of the week it is."""
        return is_holiday(day, own=self.holidays, country=self.country)

    def works_on(self, day: date) -> bool:
        """Whether the day is a working day."""
        return len(self.spans[day.weekday()]) > 0 and not self.is_holiday(day)

    def open_intervals(self, start: datetime, end: datetime) -> tuple[Interval, ...]:
        """`open_intervals(start, end, self)`, for rooms that may not import this one."""
        return open_intervals(start, end, self)


@dataclass(frozen=True, slots=True)
class Span:
    """How long. minutes: elapsed time; days: the same wall-clock time so many days later; both may be counted in
    business hours only."""

    amount: int
    unit: Literal["minutes", "days", "business minutes", "business days"]


# --- read what a person wrote -------------------------------------------------------------------------------


def parse_span(text: str) -> Span:
    """Read `30m`, `4h`, `2d`, `2 weeks`, `90 minutes`, `4 business hours`, `1 business day`.

    "working" means the same as "business"; a business week is five business days. Raises: ValueError, a sentence.
    """
    found = _SPAN.fullmatch(" ".join(text.lower().split()))
    if found is None or found[3] not in _UNITS or int(found[1]) == 0:
        raise ValueError(f"'{text}' is no span of time; write such as '30m', '4h', '2 days' or '1 business day'")
    amount, business, minutes = int(found[1]), found[2] is not None, _UNITS[found[3]]
    if amount * minutes > MAX_DAYS * _MINUTES_A_DAY:
        raise ValueError(f"'{text}' is longer than ten years")
    if minutes < _MINUTES_A_DAY:
        return Span(amount * minutes, "business minutes" if business else "minutes")
    days = amount * minutes // _MINUTES_A_DAY
    return Span(days // 7 * 5 if business and days == amount * 7 else days, "business days" if business else "days")


def parse_hours(
    text_by_day: Mapping[str, str],
    *,
    timezone: str,
    holidays: Iterable[date] = (),
    country: str = "",
    where: str = "hours",
) -> Hours:
    """Read `{"mon-fri": "09:00-12:30 13:30-17:30", "sat": ""}`; days that are not named are days off.

    `24:00` is the end of the day. country: as `Hours` has it. where: what the keys are called in messages.
    Raises: ConfigError, every problem.
    """
    problems: list[Problem] = []
    if timezone not in available_timezones():
        near = did_you_mean(timezone, sorted(available_timezones()))
        problems.append(
            Problem(f"{where}.timezone", f"'{timezone}' is no time zone; write such as 'Europe/Berlin'{near}")
        )
    if (wrong := country_problem(country)) != "":
        problems.append(Problem(f"{where}.country", wrong))
    by_day: dict[int, tuple[tuple[time, time], ...]] = {}
    for key, text in text_by_day.items():
        days = _parse_days(key)
        if len(days) == 0:
            problems.append(Problem(f"{where}.{key}", "is no day; write such as 'mon', 'sat' or 'mon-fri'"))
        for day in days:
            if day in by_day:
                problems.append(Problem(f"{where}.{key}", f"sets {DAYS[day]} a second time"))
            by_day[day] = ()
        try:
            spans = _parse_spans(text)
        except ValueError as error:
            problems.append(Problem(f"{where}.{key}", str(error)))
        else:
            by_day.update(dict.fromkeys(days, spans))
    if not problems and not any(by_day.values()):
        problems.append(Problem(where, 'are never open; write such as mon-fri = "09:00-17:30"'))
    if problems:
        raise ConfigError(tuple(problems))
    return Hours(timezone, tuple(by_day.get(day, ()) for day in range(7)), frozenset(holidays), country)


def parse_week(text: str, *, timezone: str, country: str = "") -> Hours:
    """Read hours in one line, such as `mon-thu 09:00-17:00, fri 09:00-13:00`; else as `parse_hours`.

    Raises: ValueError, a sentence.
    """
    before, *named = _DAYS_OF_LINE.split(text.replace(";", ","))
    by_day: dict[str, str] = {}
    for key, spans in zip(named[::2], named[1::2], strict=True):
        key = re.sub(r"\s*[-–]\s*", "-", key)
        by_day[key] = f"{by_day.get(key, '')} {spans.strip(' ,')}".strip()
    example = "write such as 'mon-thu 09:00-17:00, fri 09:00-13:00'"
    if before.strip() != "" or len(by_day) == 0:
        raise ValueError(f"'{text}' does not begin with a day; {example}")
    try:
        return parse_hours(by_day, timezone=timezone, country=country)
    except ConfigError as error:
        first = error.problems[0]
        told = f"{first.where.removeprefix('hours.')}: {first.what.partition(';')[0]}"
        raise ValueError(f"'{text}' are no working hours ({told}); {example}") from None


def _parse_days(key: str) -> tuple[int, ...]:
    first, dash, last = key.strip().lower().partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        return ()
    start = DAYS.index(first)
    count = (DAYS.index(last) - start) % 7 + 1 if dash else 1
    return tuple((start + offset) % 7 for offset in range(count))


def _parse_spans(text: str) -> tuple[tuple[time, time], ...]:
    spans: list[tuple[time, time]] = []
    rest = _TIMES.sub("", text).replace(",", " ").strip()
    if rest != "":
        raise ValueError(f"'{text}' are no hours; write such as '09:00-12:30 13:30-17:30', or '' for a day off")
    for found in _TIMES.finditer(text):
        opens, closes = (int(found[i]) * 60 + int(found[i + 1]) for i in (1, 3))
        if max(int(found[2]), int(found[4])) > 59 or closes > _MINUTES_A_DAY:
            raise ValueError(f"'{found[0]}' holds a time that no day has")
        if opens >= closes:
            raise ValueError(f"'{found[0]}' ends before it starts; write hours past midnight on the next day")
        if spans and (spans[-1][1] == _MIDNIGHT or opens < _minutes(spans[-1][1])):
            raise ValueError(f"'{found[0]}' starts before the hours in front of it end")
        spans.append((_time(opens), _time(closes)))
    return tuple(spans)


def _minutes(wall: time) -> int:
    return wall.hour * 60 + wall.minute


def _time(minutes: int) -> time:
    return time(minutes // 60 % 24, minutes % 60)


# --- reckon ---------------------------------------------------------------------------------------------------


def add(start: datetime, span: Span, hours: Hours) -> datetime:
    """The moment `span` after `start` (aware), in UTC.

    minutes: elapsed time, open or not. days: the same wall-clock time in `hours.timezone`, working day or not.
    business minutes: only time within the hours counts. business days: the same wall-clock time on the n-th
    working day after the day of `start`, moved into that day's hours: before opening it becomes the opening, in a
    break or after closing the last closing before it. A wall-clock time that the clocks skip is read with the
    offset before the jump (RFC 5545 3.3.5); of one that comes twice the first is meant.
    Raises: ValueError when nothing is open for ten years.
    """
    local = start.astimezone(ZoneInfo(hours.timezone))
    match span.unit:
        case "minutes":
            return start.astimezone(UTC) + timedelta(minutes=span.amount)
        case "days":
            return instant(local.date() + timedelta(days=span.amount), local.time(), hours)
        case "business minutes":
            return _add_open_time(start, timedelta(minutes=span.amount), hours)
        case "business days":
            day = _working_day(local.date(), span.amount, hours)
            return instant(*into_hours(day, local.time(), hours), hours)


def open_intervals(start: datetime, end: datetime, hours: Hours) -> tuple[Interval, ...]:
    """What is open within [start, end), in order, UTC; times that touch are one interval."""
    merged: list[Interval] = []
    for opens, closes in openings(start, hours):
        if max(opens, start) >= end:
            break
        opens, closes = max(opens, start.astimezone(UTC)), min(closes, end.astimezone(UTC))
        if merged and merged[-1].end == opens:
            opens = merged.pop().start
        merged.append(Interval(opens, closes))
    return tuple(merged)


def openings(start: datetime, hours: Hours) -> Iterator[tuple[datetime, datetime]]:
    """(opens, closes) in UTC from the first that ends after `start` on, for ten years."""
    first = start.astimezone(ZoneInfo(hours.timezone)).date()
    for offset in range(MAX_DAYS):
        day = first + timedelta(days=offset)
        for opens, closes in hours.spans[day.weekday()] if hours.works_on(day) else ():
            last = day + timedelta(days=1) if closes == _MIDNIGHT else day
            span = instant(day, opens, hours), instant(last, closes, hours)
            # A span that lies in the hour the clocks skip is empty that day.
            if span[0] < span[1] and span[1] > start:
                yield span


def _add_open_time(start: datetime, left: timedelta, hours: Hours) -> datetime:
    for opens, closes in openings(start, hours):
        opens = max(opens, start.astimezone(UTC))
        if opens + left <= closes:
            return opens + left
        left -= closes - opens
    raise ValueError("nothing is open for ten years")


def _working_day(day: date, count: int, hours: Hours) -> date:
    """The `count`-th working day after `day`."""
    for _ in range(MAX_DAYS * 2):
        day += timedelta(days=1)
        if hours.works_on(day):
            count -= 1
            if count == 0:
                return day
    raise ValueError("there are not enough working days in twenty years")


def into_hours(day: date, wall: time, hours: Hours) -> tuple[date, time]:
    """A wall-clock time on a working day, moved into that day's hours; see `add`."""
    spans = hours.spans[day.weekday()]
    opened = [span for span in spans if span[0] <= wall]
    if len(opened) == 0:
        return day, spans[0][0]
    closes = opened[-1][1]
    return day, wall if closes == _MIDNIGHT else min(wall, closes)


def instant(day: date, wall: time, hours: Hours) -> datetime:
    """The wall-clock time in UTC; fold 0 is the first of two, and the offset before a jump."""
    return datetime.combine(day, wall.replace(fold=0), ZoneInfo(hours.timezone)).astimezone(UTC)
