"""Busy times, business hours and the windows that were asked for in, free slots for a call out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from triaged.model import Interval

AFTERNOON = time(12, 30)
"""The organizer's wall clock: a slot that starts earlier is one of the morning. Our own choice."""


class Hours(Protocol):
    """What is needed of business hours; `triaged.clocks.hours.Hours` has it."""

    @property
    def timezone(self) -> str:
        """IANA name."""
        ...

    def open_intervals(self, start: datetime, end: datetime) -> tuple[Interval, ...]:
        """What is open within [start, end), in order."""
        ...


def free_slots(
    *,
    busy: Sequence[Interval],
    hours: Hours,
    windows: Sequence[Interval],
    minutes: int,
    count: int = 1,
    step_min: int = 30,
    buffer_min: int = 0,
    full_days: Collection[date] = (),
) -> tuple[Interval, ...]:
    """At most `count` slots of `minutes`, UTC, in order of time; none when nothing is free.

    Each lies whole within one window and one opening of the organizer; touches no full day and no busy time widened
    by `buffer_min` on both sides; and starts at a
    multiple of `step_min` minutes after the organizer's midnight. A window as long as the call is a moment that was
    asked for: it is tried as it stands, off the grid too.

    The first that fit are taken, window by window as they are given; of several at most one from each morning and
    each afternoon of the organizer, unless there are too few of them. busy: in any order, may overlap; it must reach
    `buffer_min` beyond the windows. full_days: the organizer's, no further call is laid on them.
    """
    zone, buffer = ZoneInfo(hours.timezone), timedelta(minutes=buffer_min)
    widened = (Interval(block.start - buffer, block.end + buffer) for block in busy)
    taken = _merged((*widened, *(_whole(day, zone) for day in full_days)))
    found = _candidates(taken, hours, windows, timedelta(minutes=minutes), step_min)

    chosen, halves, passed = list[Interval](), set[tuple[date, bool]](), list[Interval]()
    for slot in found:
        local = slot.start.astimezone(zone)
        half = (local.date(), local.time() < AFTERNOON)
        if half in halves or not _is_apart(slot, chosen, buffer):
            passed.append(slot)
            continue
        chosen.append(slot)
        halves.add(half)
        if len(chosen) == count:
            break
    for slot in passed:
        if len(chosen) < count and _is_apart(slot, chosen, buffer):
            chosen.append(slot)
    return tuple(sorted(chosen, key=lambda slot: slot.start))


def _candidates(
    taken: Sequence[Interval],
    hours: Hours,
    windows: Sequence[Interval],
    length: timedelta,
    step_min: int,
) -> Iterator[Interval]:
    """Every slot that may be had, window by window; those of one window in order, and they overlap."""
    zone = ZoneInfo(hours.timezone)
    for window in windows:
        is_moment = window.end - window.start == length
        for opening in hours.open_intervals(window.start, window.end):
            for gap in _gaps(opening, taken):
                start = gap.start.astimezone(UTC) if is_moment else _on_grid(gap.start, zone, step_min)
                while start + length <= gap.end:
                    yield Interval(start, start + length)
                    start = _on_grid(start + timedelta(minutes=1), zone, step_min)


def _gaps(opening: Interval, taken: Sequence[Interval]) -> Iterator[Interval]:
    """What of an opening is not taken. taken: as `_merged` gives it."""
    start = opening.start
    for number in range(bisect_right(taken, start, key=lambda block: block.end), len(taken)):
        block = taken[number]
        if block.start >= opening.end:
            break
        if start < block.start:
            yield Interval(start, block.start)
        start = block.end
    if start < opening.end:
        yield Interval(start, opening.end)


def _merged(blocks: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same time in order, none of it twice."""
    merged: list[Interval] = []
    for block in sorted(blocks, key=lambda block: block.start):
        if merged and block.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, block.end))
        else:
            merged.append(block)
    return tuple(merged)


def _whole(day: date, zone: ZoneInfo) -> Interval:
    start, end = (datetime.combine(each, time(), zone) for each in (day, day + timedelta(days=1)))
    return Interval(start.astimezone(UTC), end.astimezone(UTC))


def _is_apart(slot: Interval, chosen: Sequence[Interval], buffer: timedelta) -> bool:
    """Whether a slot could be booked beside all those chosen."""
    return all(slot.end + buffer <= each.start or each.end + buffer <= slot.start for each in chosen)


def _on_grid(moment: datetime, zone: ZoneInfo, step_min: int) -> datetime:
    """The first moment from `moment` on that is a multiple of the step on the wall clock, in UTC."""
    start = moment.astimezone(UTC)
    if start.second or start.microsecond:
        start = start.replace(second=0, microsecond=0) + timedelta(minutes=1)
    # A second round only where the clocks change by less than a step in between.
    while (past := _minute_of_day(start.astimezone(zone)) % step_min) != 0:
        start += timedelta(minutes=step_min - past)
    return start


def _minute_of_day(local: datetime) -> int:
    return local.hour * 60 + local.minute
