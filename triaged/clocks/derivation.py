"""A moment, a span and business hours in; how the moment after it comes about, step by step in words, out.

Reckoned apart from `hours.add`, by the same rules: the last step is the same moment (a test holds them together).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from triaged.clocks.hours import MAX_DAYS, Hours, Span, instant, into_hours, openings

MOST_DAYS = 6
"""Days that are passed over, or counted in, that are named; of more the first of them and how many more."""


@dataclass(frozen=True, slots=True)
class Step:
    """at: the moment that is reached, UTC. words: a sentence on the wall clock of the hours."""

    at: datetime
    what: Literal["received", "span", "begins", "passed", "counted", "moved", "due"]
    words: str


def derivation(start: datetime, span: Span, hours: Hours) -> tuple[Step, ...]:
    """How `add(start, span, hours)` comes about; the last step is that moment. Raises: ValueError, as `add` does."""
    match span.unit:
        case "minutes":
            end = start.astimezone(UTC) + timedelta(minutes=span.amount)
            steps = [Step(end, "counted", f"{_length(span.amount)} by the clock, open or closed")]
        case "days":
            steps = list(_days(start, span.amount, hours))
        case "business minutes":
            steps = list(_open_time(start, timedelta(minutes=span.amount), hours))
        case "business days":
            steps = list(_working_days(start, span.amount, hours))
    end = steps[-1].at
    return (*steps, Step(end, "due", moment_words(end, hours.timezone)))


def moment_words(at: datetime, timezone: str) -> str:
    """A moment on the wall clock: `Tue 17 Nov 2026, 08:14`."""
    local = at.astimezone(ZoneInfo(timezone))
    return f"{day_words(local.date())} {local.year}, {local:%H:%M}"


def day_words(day: date) -> str:
    """`Tue 17 Nov`."""
    return f"{day:%a} {day.day} {day:%b}"


def _days(start: datetime, amount: int, hours: Hours) -> Iterator[Step]:
    local = start.astimezone(ZoneInfo(hours.timezone))
    day = local.date() + timedelta(days=amount)
    end = instant(day, local.time(), hours)
    plural = "s" if amount != 1 else ""
    yield Step(end, "counted", f"the same time of day {amount} day{plural} later, working days or not")
    yield from _jumped(end, local, hours)


def _working_days(start: datetime, amount: int, hours: Hours) -> Iterator[Step]:
    local = start.astimezone(ZoneInfo(hours.timezone))
    after = (local.date() + timedelta(days=number + 1) for number in range(2 * MAX_DAYS))
    worked, passed = list[date](), list[date]()
    for day in after:
        (worked if hours.works_on(day) else passed).append(day)
        if len(worked) == amount:
            break
    else:
        raise ValueError("there are not enough working days in twenty years")
    yield from _passed(instant(day, local.time(), hours), passed, hours)
    which = "the next working day" if amount == 1 else f"{amount} working days"
    reached = instant(day, local.time(), hours)
    yield Step(reached, "counted", f"{which} after {day_words(local.date())}: {day_words(day)}")
    _, inside = into_hours(day, local.time(), hours)
    if inside != local.time():
        closed = "before opening" if inside > local.time() else "after closing"
        words = f"{local:%H:%M} is {closed} that day, so {inside:%H:%M}"
        yield Step(instant(day, inside, hours), "moved", words)
    yield from _jumped(instant(day, inside, hours), local.replace(hour=inside.hour, minute=inside.minute), hours)


def _jumped(end: datetime, wanted: datetime, hours: Hours) -> Iterator[Step]:
    """Where the clocks are put forward there is no such time that day (RFC 5545 3.3.5)."""
    local = end.astimezone(ZoneInfo(hours.timezone))
    if (local.hour, local.minute) != (wanted.hour, wanted.minute):
        yield Step(end, "moved", f"the clocks skip {wanted:%H:%M} that day, so {local:%H:%M}")


def _open_time(start: datetime, left: timedelta, hours: Hours) -> Iterator[Step]:
    """Only open time counts: what is passed over before it begins, and each stretch that is counted."""
    begin, zone = start.astimezone(UTC), ZoneInfo(hours.timezone)
    stretches = list(_stretches(begin, left, hours))
    first, more = stretches[0][0], len(stretches) - MOST_DAYS - 1
    if first > begin:
        yield from _passed(first, _closed_days(begin, first, hours), hours)
        words = f"{_clock(begin, zone)} is outside business hours, so counting begins {_at(first, zone)}"
        yield Step(first, "begins", words)
    before = first
    for opens, closes in stretches[:MOST_DAYS] + stretches[MOST_DAYS:][-1:]:
        if more > 0 and closes == stretches[-1][1]:
            yield Step(opens, "counted", f"and {more} more stretches of open hours")
        else:
            yield from _passed(opens, _closed_days(before, opens, hours), hours)
        minutes = round((closes - opens).total_seconds() / 60)
        yield Step(closes, "counted", f"{_at(opens, zone)}–{_clock(closes, zone)}: {_length(minutes)}")
        before = closes


def _stretches(start: datetime, left: timedelta, hours: Hours) -> Iterator[tuple[datetime, datetime]]:
    """The open times after `start` that add up to `left`."""
    for opens, closes in openings(start, hours):
        begin = max(opens, start)
        end = min(closes, begin + left)
        yield begin, end
        left -= end - begin
        if left == timedelta():
            return
    raise ValueError("nothing is open for ten years")


def _closed_days(start: datetime, end: datetime, hours: Hours) -> list[date]:
    """The days without any hours between two moments."""
    zone = ZoneInfo(hours.timezone)
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    days = (first + timedelta(days=number) for number in range((last - first).days))
    return [day for day in days if not hours.works_on(day)]


def _passed(at: datetime, days: Sequence[date], hours: Hours) -> Iterator[Step]:
    """What was passed over, each run of days in one step: holidays by themselves, days off together."""
    told = [
        _run_words(run) + (" is a holiday" if run[0] in hours.holidays else " closed") for run in _runs(days, hours)
    ]
    for words in told[:MOST_DAYS]:
        yield Step(at, "passed", f"{words}: passed over")
    if len(told) > MOST_DAYS:
        yield Step(at, "passed", f"and {len(told) - MOST_DAYS} more holidays or days off: passed over")


def _runs(days: Sequence[date], hours: Hours) -> list[list[date]]:
    runs: list[list[date]] = [[day] for day in days[:1]]
    for before, day in pairwise(days):
        together = day - before == timedelta(days=1) and not (hours.is_holiday(before) or hours.is_holiday(day))
        if together:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _run_words(run: Sequence[date]) -> str:
    return day_words(run[0]) if len(run) == 1 else f"{day_words(run[0])} to {day_words(run[-1])}"


def _at(moment: datetime, zone: ZoneInfo) -> str:
    return f"{day_words(moment.astimezone(zone).date())} {_clock(moment, zone)}"


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%H:%M}"


def _length(minutes: int) -> str:
    """`45 min`, `4 h`, `3 h 30 min`."""
    hours, rest = divmod(minutes, 60)
    told = ([f"{hours} h"] if hours > 0 else []) + ([f"{rest} min"] if rest > 0 or hours == 0 else [])
    return " ".join(told)
