"""A sentence in, out its clauses: where commas and "but" part what is said of one time from what is said of another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from triaged.calls.lexicon import Item, Sentence

NAMES: Final = frozenset(
    (
        "weekday", "day", "month", "week", "theweek", "part", "noon", "clock", "iso", "dotted", "slashed",
        "shift", "half", "hour", "halfhour", "ordinal", "nth", "number", "unclear",
    )
)  # fmt: skip
"""Kinds that name a time or a slot."""

DAYS: Final = frozenset(("weekday", "day", "month", "week", "iso", "dotted", "slashed", "ordinal", "nth"))
CLOCKS: Final = frozenset(("clock", "noon", "half", "hour", "shift", "at", "after", "before", "between"))
"""Kinds that name a day and those that name a time of it: "Tuesday, 1 December, 3 pm would suit" is one clause."""

SILENT: Final = NAMES | frozenset(
    (
        "tail", "at", "after", "before", "until", "between", "through", "onwards", "edge", "next", "coming",
        "this", "last", "in", "minutes", "hours", "days", "weeks", "zone", "thedate", "or", "and", "dash",
        "comma", "line", "plain", "who", "ne", "digits", "except", "instead",
    )
)  # fmt: skip
"""Kinds that pass no judgement: a piece of a sentence of these alone belongs to its neighbour."""

OPENERS: Final = frozenset(("nay", "sorry", "yes", "thanks"))
"""Kinds that stand before what is judged: "No, not on Tuesday"."""

HENCE: Final = frozenset(("so", "then", "hence", "also", "dann", "daher", "deshalb", "donc", "alors"))
"""Words behind which is said what is left: "not Thursday, not Friday, so Tuesday"."""


def clauses(sentence: Sentence) -> Iterable[tuple[list[Item], bool]]:
    """The clauses of a sentence, none empty, each with whether it asks: only the last one can.

    A piece between commas, or after "but", opens a clause of its own when it judges a time: "Tuesday does not work,
    Wednesday does". A piece that only names times goes on with the one before, and opens one after "no, but".
    """
    clause: list[Item] = []
    for joint, piece in _pieces(sentence.items):
        if len(clause) > 0 and _opens(clause, joint, piece):
            yield clause, False
            clause = [joint] if joint is not None and joint.kind == "but" else []
        elif joint is not None and len(clause) > 0:
            clause.append(joint)
        clause.extend(piece)
    if len(clause) > 0:
        yield clause, sentence.asks


def _pieces(items: Sequence[Item]) -> Iterable[tuple[Item | None, list[Item]]]:
    """What stands between commas and "but", with the one before it; without greetings ("have a nice Tuesday")."""
    joint: Item | None = None
    piece: list[Item] = []
    for place, item in enumerate((*items, None)):
        if item is not None and _is_any_but(items, place, piece):
            piece.append(replace(item, kind="except"))
            continue
        if item is not None and item.kind not in ("comma", "but"):
            piece.append(item)
            continue
        if len(piece) > 0 and all(each.kind != "nice" for each in piece):
            yield joint, piece
        joint, piece = item, []


def _is_any_but(items: Sequence[Item], place: int, piece: list[Item]) -> bool:
    """ "Any morning but Wednesday"; not "any day works but Wednesday is best"."""
    if items[place].text != "but":
        return False
    closes = next((n for n in range(place + 1, len(items)) if items[n].kind == "comma"), len(items))
    return (
        any(item.text.startswith("any") for item in piece)
        and all(item.kind not in ("no", "none", "bad") for item in piece)
        and all(item.kind in SILENT for item in items[place + 1 : closes])
    )


def _opens(clause: list[Item], joint: Item | None, piece: list[Item]) -> bool:
    kinds, before = {item.kind for item in piece}, {item.kind for item in clause}
    names, named = bool(kinds & NAMES), bool(before & NAMES)
    judges, was_judged = bool(kinds - SILENT), bool(before - SILENT - OPENERS)
    after_but = joint is not None and joint.kind == "but"
    if names and not kinds & DAYS and before & DAYS and not before & (CLOCKS | {"no", "bad", "none"}):
        return False
    if names and not judges:
        return (after_but or piece[0].text in HENCE) and bool(before & {"no", "bad", "none"})
    if names:
        return was_judged or (named and after_but)
    if kinds - SILENT <= {"ask", "thanks"}:  # "please" goes with what it stands beside
        return False
    if "cancel" in before and judges:  # "Please cancel the call, we have found it ourselves"
        return True
    return judges and was_judged and (named or after_but)
