"""When mail used to come into a mailbox in, whether its silence of now is unusual out; no clock.

The rule: of each hour of the week we know in what share of the last eight weeks no mail came in it. A silence is
unusual when all these shares multiplied, over the whole hours since the last mail, are under one in a million.
So a busy mailbox is missed after a few working hours and a lazy one after days, nights and weekends count
nothing where they were always empty, and one burst of mail changes nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

PAST = timedelta(weeks=8)
"""How far back we look."""
ENOUGH = timedelta(weeks=2)
"""With less past than this nothing is usual yet."""
UNUSUAL = math.log(1e-6)

Slot = tuple[int, int]
"""Day of the week (Monday is 0) and hour, on the desk's wall clock."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How a mailbox is used. silent: by slot, the logarithm of the share of hours without mail; a slot that is not
    there says nothing. enough: whether there is past enough to tell."""

    silent: Mapping[Slot, float]
    enough: bool


def habit(busy: Sequence[int], *, until: datetime, zone: str, is_holiday: Callable[[date], bool]) -> Habit:
    """What is usual. busy: hours with mail, counted from 1970 in UTC, in order; until: the last mail."""
    if len(busy) == 0:
        return Habit({}, enough=False)
    seen, empty, taken = Counter[Slot](), Counter[Slot](), frozenset(busy)
    for hour in range(busy[0], _hour(until)):
        slot = _slot(hour, zone, is_holiday)
        if slot is not None:
            seen[slot] += 1
            empty[slot] += hour not in taken
    # Half an hour more on either side, or eight weeks could make a thing impossible (Jeffreys' rule).
    shares = {slot: math.log((empty[slot] + 0.5) / (count + 1)) for slot, count in seen.items()}
    silent = {slot: share for slot, share in shares.items() if empty[slot] < seen[slot]}
    return Habit(silent, enough=until - datetime.fromtimestamp(busy[0] * 3600, UTC) >= ENOUGH)


def is_unusual(past: Habit, *, last: datetime, now: datetime, zone: str, is_holiday: Callable[[date], bool]) -> bool:
    """Whether so long a silence hardly ever happens here."""
    chance = 0.0
    for hour in range(_hour(last) + 1, _hour(now)):
        slot = _slot(hour, zone, is_holiday)
        chance += past.silent.get(slot, 0.0) if slot is not None else 0.0
        if chance < UNUSUAL:
            return True
    return False


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) // 3600


def _slot(hour: int, zone: str, is_holiday: Callable[[date], bool]) -> Slot | None:
    """None on a holiday, which is like no other day."""
    local = datetime.fromtimestamp(hour * 3600, ZoneInfo(zone))
    return None if is_holiday(local.date()) else (local.weekday(), local.hour)
