"""Nothing in, out the types of a time as it is said: a clock time, a day, and what a clause asks for with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Clock:
    """hour: 0..23, of the twelve-hour clock unless `exact`."""

    hour: int
    minute: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Day:
    """A day as it is said; all that is given must agree.

    weekday: 0 is Monday; last: the last one of a range. how: "" plain, "next", "coming", "this". offset: days from
    today. week: weeks from this one; edge: 0 early in it, 1 in its middle, 2 late. date: day, month (0 for none),
    year (0 for none); either: day and month may be the other way round. bound: "from" and "after" that day,
    "before" it.
    """

    weekday: int | None = None
    last: int | None = None
    how: Literal["", "next", "coming", "this"] = ""
    offset: int | None = None
    week: int | None = None
    edge: int | None = None
    date: tuple[int, int, int] | None = None
    either: bool = False
    bound: Literal["", "from", "after", "before"] = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """One time that is named, as it is said; None for what is left open.

    span: from and until, one of them may be None; a moment is `clock`. edge: 0 early, 1 middle, 2 late in the part.
    delta: minutes from now; shift: from the call that stands. slot: the number of an offered slot from 1, -1 for the
    last. nth: "the 2nd", which may be a slot or a day of the month. zone: index of `words.ZONES`. excluded: it is taken
    away ("except", "instead of").
    """

    start: int
    end: int
    day: Day | None = None
    part: int | None = None
    edge: int | None = None
    clock: Clock | None = None
    span: tuple[Clock | None, Clock | None] | None = None
    delta: int | None = None
    shift: int | None = None
    slot: int | None = None
    nth: int | None = None
    zone: int | None = None
    excluded: bool = False
    joined: str = ""

    @property
    def is_timed(self) -> bool:
        """Whether it says when on the day."""
        return self.clock is not None or self.span is not None or self.part is not None


Value = Day | Clock | tuple[Clock | None, Clock | None] | int | None


@dataclass(frozen=True, slots=True)
class Term:
    """An item, or several that say one thing. value: for "day", "clock", "span", "part" (edge in `extra`), …"""

    kind: str
    value: Value
    start: int
    end: int
    extra: int | None = None
