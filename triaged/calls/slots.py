"""Busy times and business hours in, the first free slot out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from triaged.model import Interval

CLIENT_OPENS, CLIENT_CLOSES = time(8), time(18)
"""A client's wall clock, Monday to Friday: nobody is called outside it. Our own choice."""


class Hours(Protocol):
    """What is needed of business hours; `triaged.clocks.hours.Hours` has it."""

    @property
    def timezone(self) -> str:
        """IANA name."""
        ...

    def open_intervals(self, start: datetime, end: datetime) -> tuple[Interval, ...]:
        """What is open within [start, end), in order."""
        ...


def free_slot(
    *,
    busy: Sequence[Interval],
    hours: Hours,
    earliest: datetime,
    latest: datetime,
    minutes: int,
    client_timezone: str = "",
    step_min: int = 30,
    buffer_min: int = 0,
) -> Interval | None:
    """The first slot of `minutes` within [earliest, latest], UTC; None when there is none.

    It lies whole within one opening of the organizer, touches no busy time widened by `buffer_min` on both
    sides, starts at a multiple of `step_min` minutes after the organizer's midnight, and, where the client's
    zone is known, lies within a weekday's 08:00–18:00 there. busy: in any order, may overlap.
    """
    zone, length, buffer = ZoneInfo(hours.timezone), timedelta(minutes=minutes), timedelta(minutes=buffer_min)
    taken = sorted((block.start - buffer, block.end + buffer) for block in busy)
    for opening in hours.open_intervals(earliest, latest):
        start = _on_grid(opening.start, zone, step_min)
        while start + length <= opening.end:
            end = start + length
            after = max((until for since, until in taken if since < end and until > start), default=None)
            if after is not None:
                start = _on_grid(after, zone, step_min)
            elif client_timezone == "" or _suits_client(start, end, ZoneInfo(client_timezone)):
                return Interval(start, end)
            else:
                start = _on_grid(start + timedelta(minutes=1), zone, step_min)
    return None


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


def _suits_client(start: datetime, end: datetime, zone: ZoneInfo) -> bool:
    first, last = start.astimezone(zone), end.astimezone(zone)
    same_day = first.date() == last.date() and first.weekday() < 5
    return same_day and first.time() >= CLIENT_OPENS and last.time() <= CLIENT_CLOSES
