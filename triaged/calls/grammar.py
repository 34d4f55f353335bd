"""The items of a clause in, out the times that it names, as they are said; `days` looks up the days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from triaged.calls.lexicon import Item
from triaged.calls.said import Ask, Clock, Day, Term
from triaged.calls.terms import terms

FROM: Final = 2
"""The number of "from" under "after" in the tables."""

ABOUT: Final = 1
"""The number of "about" under "at": "about 3 pm" is a time, "talk about Thursday" is not."""

MOST: Final = 20
"""Times that a clause may name; who writes more does not answer an offer."""


def asks(items: Sequence[Item], *, minutes: int, language: str) -> tuple[tuple[Ask, ...], tuple[str, ...]]:
    """The times that a clause names, in order, and the kinds of what was left over and is part of no time.

    Left over may be words that only count within a time ("after", "between"), or an "unclear" one.
    """
    if language == "fr" and _is_moved_by(items):
        return (), ("unclear",)
    read = terms(items, minutes=minutes, language=language)
    if any(item.kind == "move" for item in items):
        # "from Tuesday to Thursday" names two days then, and no range.
        return _assembled([term for term in read if not (term.kind == "after" and term.extra == FROM)])
    return _assembled(_ranges(read, language))


def _is_moved_by(items: Sequence[Item]) -> bool:
    """ "Décaler d'une heure" says by how long, "décaler de 14h à 15h" between which times."""
    triples = zip(items, items[1:], (*items[2:], None), strict=False)
    return any(item.kind == "move" for item in items) and any(
        first.text in ("d", "de")
        and (second.kind == "clock" or (second.kind == "number" and third is not None and third.kind == "hour"))
        and not any(item.kind in ("at", "dash") for item in items[place + 2 : place + 4])
        for place, (first, second, third) in enumerate(triples)
    )


# --- terms that belong together ------------------------------------------------------------------------------


def _ranges(those: list[Term], language: str) -> list[Term]:
    """ "between 2 and 4", "after 3", "9-11", "Monday to Wednesday", "from Thursday on" as one term each."""
    found: list[Term] = []
    place = 0
    while place < len(those):
        term, size = _range(those, place, language)
        found.append(term)
        place += size
    return found


def _term(those: list[Term], place: int) -> Term:
    return those[place] if place < len(those) else Term("", None, 0, 0)


def _range(those: list[Term], place: int, language: str) -> tuple[Term, int]:
    first, second, third = (_term(those, place + step) for step in range(3))
    joins = ("through", "dash", "until", "before", *(("at",) if language == "fr" else ()))
    if first.kind == "between":
        if (
            second.kind in ("clock", "day")
            and third.kind in ("and", *joins)
            and _term(those, place + 3).kind == second.kind
        ):
            return _spanned(first, second, _term(those, place + 3)), 4
        return first, 1
    if first.kind in ("after", "at") and second.kind == third.kind == "":
        return first, 1
    if first.kind == "after" and second.kind in ("clock", "day"):
        if third.kind in joins and _term(those, place + 3).kind == second.kind:
            return _spanned(first, second, _term(those, place + 3)), 4
        return _bounded(first, second, after=True), 2
    if first.kind == "at" and second.kind == "clock":
        taken, size = _range(those, place + 1, language)
        return replace(taken, start=first.start), size + 1
    if first.kind in ("before", "until") and second.kind in ("clock", "day"):
        if first.kind == "until" and second.kind == "day":
            if language == "de" and all(term.kind in ("until", "day", "at", "clock") for term in those):
                return second, 2  # "Bis Dienstag!", "Bis Dienstag um elf!": see you then
            return Term("gone", None, first.start, second.end), 2
        return _bounded(first, second, after=False), 2
    if first.kind in ("clock", "day"):
        if second.kind in joins and third.kind == first.kind and not (first.kind == "day" and second.kind == "at"):
            return _spanned(first, first, third), 3
        if second.kind == "onwards":
            return _bounded(first, first, after=True, until=second), 2
    return first, 1


def _spanned(mark: Term, first: Term, last: Term) -> Term:
    if isinstance(first.value, Day) and isinstance(last.value, Day):
        ends = first.value, last.value
        plain = all(each == Day(weekday=each.weekday) for each in ends) and ends[0].weekday != ends[1].weekday
        if plain:
            return Term("day", Day(weekday=ends[0].weekday, last=ends[1].weekday), mark.start, last.end)
        return Term("unclear", None, mark.start, last.end)
    since, until = first.value, last.value
    if isinstance(since, Clock) and isinstance(until, Clock):
        return Term("span", (since, until), mark.start, last.end)
    return Term("unclear", None, mark.start, last.end)


def _bounded(mark: Term, term: Term, *, after: bool, until: Term | None = None) -> Term:
    end = term.end if until is None else until.end
    if isinstance(term.value, Clock):
        return Term("span", (term.value, None) if after else (None, term.value), mark.start, end)
    if not isinstance(term.value, Day) or term.value.week is not None or term.value.last is not None:
        return Term("unclear", None, mark.start, end)
    if not after:
        return Term("day", replace(term.value, bound="before"), mark.start, end)
    strictly = mark.extra == 1
    return Term("day", replace(term.value, bound="after" if strictly else "from"), mark.start, end)


# --- terms to times --------------------------------------------------------------------------------------------

_PARTS_OF_TIMES: Final = frozenset(
    (
        "after", "before", "until", "between", "onwards", "edge", "theweek", "except", "instead", "unclear",
        "gone", "month", "week", "number", "half", "digits", "shift", "tail", "next", "last", "slashed", "zone",
        "minutes", "weeks", "days", "hours",
    )
)  # fmt: skip
"""Kinds that say something about a time: a clause in which one of them belongs to none is not understood."""


def _assembled(those: list[Term]) -> tuple[tuple[Ask, ...], tuple[str, ...]]:
    found: list[Ask] = []
    left: list[str] = []
    joined, apart, excluded, once = "", False, False, False
    for place, term in enumerate(those):
        match term.kind:
            case "clock" if term.value is None:
                left.append("unclear")
            case "slot" if term.value is None:
                joined = joined or "word"
            case "day" | "clock" | "span" | "part" | "delta" | "moved" | "slot" | "nth":
                new = _ask(term, excluded=excluded, joined=joined)
                merged = None if not found or (apart and joined != "to") else _merged(found, new)
                if merged is None:
                    found.append(new)
                else:
                    found[-1] = merged
                joined, apart = "", False
                excluded = excluded and not once
            case "zone" if found and found[-1].zone is None:
                found[-1] = replace(found[-1], zone=int(str(term.value)), end=term.end)
            case "or" | "and" | "comma" | "dash" | "line":
                joint = "comma" if term.kind == "dash" else term.kind
                joined = joint if joint == "or" or joined in ("", "comma") else joined
            case "except" | "instead" if _says_when(those, place + 1):
                excluded, once, joined, apart = True, term.kind == "instead", "", True
            case "through" if found and _says_when(those, place + 1):
                joined, apart = "to", True
            case kind if kind in _PARTS_OF_TIMES or (kind == "at" and term.extra == ABOUT):
                left.append(kind)
            case kind if found and kind not in ("at", "thedate", "hour", "half", "this", "coming", "through"):
                joined = joined or "word"
    if len(found) > MOST:
        return (), ("unclear",)
    return tuple(found), tuple(left)


def _says_when(those: list[Term], place: int) -> bool:
    while _term(those, place).kind in ("at", "or", "thedate", "this"):
        place += 1
    return _term(those, place).kind in ("day", "clock", "span", "part", "nth") or _term(those, place).value is not None


def _ask(term: Term, *, excluded: bool, joined: str) -> Ask:
    ask = Ask(term.start, term.end, excluded=excluded, joined=joined)
    match term.value:
        case Day() as day:
            return replace(ask, day=day)
        case Clock() as clock:
            return replace(ask, clock=clock)
        case (first, last):
            return replace(ask, span=(first, last))
        case int(number):
            match term.kind:
                case "part":
                    return replace(ask, part=number, edge=term.extra)
                case "delta":
                    return replace(ask, delta=number)
                case "moved":
                    return replace(ask, shift=number)
                case "slot":
                    return replace(ask, slot=number)
                case _:
                    return replace(ask, nth=number)
        case None:
            return ask


def _merged(found: list[Ask], new: Ask) -> Ask | None:
    """The last time with what `new` adds to it; None when `new` is one more."""
    last = found[-1]
    moved = new.joined == "to" and new.day is None and not last.is_timed
    apart = new.joined in ("or", "and", "to", "line") and not moved
    if apart or new.delta is not None or last.delta is not None or last.excluded != new.excluded:
        return None
    if new.shift is not None or last.shift is not None:
        return None
    if new.slot is not None or last.slot is not None or new.nth is not None or last.nth is not None:
        return None
    day = new.day if last.day is None else last.day if new.day is None else _one_day(last.day, new.day, new.joined)
    if day is None and new.day is not None:
        return None
    both = (last.part is not None and new.part is not None) or (
        (last.clock is not None or last.span is not None) and (new.clock is not None or new.span is not None)
    )
    narrows = last.part is not None and new.clock is not None  # "in the afternoon, about three"
    if both or (new.joined == "comma" and new.day is None and last.is_timed and last.day is None and not narrows):
        return None
    if new.joined == "comma" and new.day is not None and last.day is None and len(found) > 1:
        return None
    return replace(
        last,
        end=new.end,
        day=day,
        part=new.part if last.part is None else last.part,
        edge=new.edge if last.edge is None else last.edge,
        clock=new.clock or last.clock,
        span=new.span or last.span,
    )


def _one_day(first: Day, second: Day, joined: str) -> Day | None:
    """Two that name one day ("Tuesday, 1 December", "next week Tuesday"); None when they name two."""
    names = ("weekday", "offset", "week", "date")
    if any(getattr(first, name) is not None and getattr(second, name) is not None for name in names):
        return None
    if first.bound != "" or second.bound != "" or first.last is not None or second.last is not None:
        return None
    if joined == "comma" and first.date is None and second.date is None:
        return None
    given = {name: getattr(second, name) for name in (*names, "edge") if getattr(second, name) is not None}
    how = first.how or second.how
    return replace(first, **given, how=how, either=first.either or second.either)
