"""A rule's phrases in; those that do nothing, and an `unless` that does more than it seems, out, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triaged.errors import Problem
from triaged.rules.grammar import Rule, plain
from triaged.rules.implies import has_words
from triaged.rules.places import Places, texts_in

SHOWN = 5
"""Phrases named in a sentence; the rest is a number."""


def phrasing(rule: Rule, places: Places) -> Iterator[Problem]:
    """What is to be said of the phrases of one rule."""
    when, unless = _phrases(rule, "when"), _phrases(rule, "unless")
    raw = places.raw(rule)
    for side, phrases in (("when", when), ("unless", unless)):
        yield from _twice(rule, side, raw, places)
        yield from _superfluous(rule, side, phrases, places)
    yield from _silenced(rule, when, unless, places)
    yield from _whole_mail(rule, when, unless, places)


def listed(names: Sequence[str]) -> str:
    """The first few in quotes, and how many more there are."""
    told = ", ".join(f"'{name}'" for name in names[:SHOWN])
    return told if len(names) <= SHOWN else f"{told} and {len(names) - SHOWN} more"


def _phrases(rule: Rule, side: str) -> tuple[str, ...]:
    conditions = rule.when if side == "when" else rule.unless
    return next((each.values for each in conditions if each.key == "says"), ())


def _twice(rule: Rule, side: str, raw: Mapping[str, Any], places: Places) -> Iterator[Problem]:
    """Phrases that are written more than once in one list."""
    table = raw.get(side)
    value = table.get("says", []) if isinstance(table, dict) else []
    counts = Counter(plain(each) for each in texts_in(value))
    again = [phrase for phrase, count in counts.items() if count > 1]
    if len(again) > 0:
        where = places.where_words(rule, side, "says", again[0])
        yield Problem(where, f"{side}.says names {listed(again)} more than once; once is enough")


def _superfluous(rule: Rule, side: str, phrases: tuple[str, ...], places: Places) -> Iterator[Problem]:
    """Phrases that hold a shorter one of the same list: the shorter is found wherever they are."""
    known = set(phrases)
    held = {phrase: shorter for phrase in phrases if (shorter := _part_of(phrase, known)) != ""}
    if len(held) > 0:
        longer, shorter = next(iter(held.items()))
        more = f"; the same is true of {listed([each for each in held if each != longer])}" if len(held) > 1 else ""
        yield Problem(
            places.where_words(rule, side, "says", longer),
            f"'{longer}' in {side}.says does nothing: '{shorter}' stands there too and is found wherever it is{more}; "
            "take the longer out, or the shorter if it says too much",
        )


def _part_of(phrase: str, known: set[str]) -> str:
    """A shorter phrase within this one, or `""`."""
    words = phrase.split()
    for length in range(1, len(words)):
        for start in range(len(words) - length + 1):
            if (part := " ".join(words[start : start + length])) in known:
                return part
    return ""


def _silenced(rule: Rule, when: tuple[str, ...], unless: tuple[str, ...], places: Places) -> Iterator[Problem]:
    """Phrases that are waited for and bring what is refused with them; if all of them do, the rule is impossible."""
    held = {phrase: refused for phrase in when for refused in unless if has_words(phrase, refused)}
    if 0 < len(held) < len(when):
        phrase, refused = next(iter(held.items()))
        more = f"; the same is true of {listed([each for each in held if each != phrase])}" if len(held) > 1 else ""
        yield Problem(
            places.where_words(rule, "when", "says", phrase),
            f"'{phrase}' can never make this rule hold, for unless.says refuses every mail with '{refused}'{more}; "
            "take one of them out",
        )


def _whole_mail(rule: Rule, when: tuple[str, ...], unless: tuple[str, ...], places: Places) -> Iterator[Problem]:
    """An `unless` about one phrase keeps the whole rule from the whole mail; an example shows that it is meant so."""
    pairs = [
        (refused, phrase) for refused in unless for phrase in when if refused != phrase and has_words(refused, phrase)
    ]
    if len(pairs) == 0 or any(refused in _words(rule) for refused, _ in pairs):
        return
    refused, phrase = pairs[0]
    others = f" or one of the {len(when) - 1} other phrases" if len(when) > 1 else ""
    more = (
        f" The same is true of {listed(list(dict.fromkeys(each for each, _ in pairs[1:])))}." if len(pairs) > 1 else ""
    )
    yield Problem(
        places.where_words(rule, "unless", "says", refused),
        f"unless.says '{refused}' refuses the whole mail, not only the words '{phrase}' within it: a mail that says "
        f"'{refused}' in one place and '{phrase}'{others} in another is passed over.{more} If that is meant, show it "
        f"with a [[rule.example]] that says '{refused}'; if not, make a rule of its own for '{phrase}'",
    )


def _words(rule: Rule) -> str:
    return " ".join(plain(f"{each.subject} {each.mail}") for each in rule.examples)
