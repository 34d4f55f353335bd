"""Rules in, which of them can hold for a mail that has certain keys out: ten thousand rules cost about what ten do.

A rule is filed under one of its conditions: under each value of it, of which one must be met. Of all rules only those
filed under what a mail really has are looked at, and those that no such condition narrows down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from triaged.rules.grammar import WORDS, Condition, Key, Rule

EXACT = ("from", "account", "manager", "tier", "signal", "language", "mailbox", "automatic", "category")
"""Conditions met by one of few values that a mail has; those that single out fewest mails first."""


def index(rules: Sequence[Rule]) -> tuple[Mapping[Key, tuple[int, ...]], tuple[int, ...]]:
    """The enabled rules by key, each under one condition, and those that must always be looked at; numbers in order."""
    by_key: dict[Key, list[int]] = {}
    always = []
    for number, rule in enumerate(rules):
        if not rule.enabled:
            continue
        condition = _narrowest(rule)
        if condition is None:
            always.append(number)
        for value in condition.values if condition is not None else ():
            by_key.setdefault((condition.key, value), []).append(number)  # type: ignore[union-attr]
    return {key: tuple(numbers) for key, numbers in by_key.items()}, tuple(always)


def _narrowest(rule: Rule) -> Condition | None:
    by_name = {condition.key: condition for condition in rule.when}
    for key in (*WORDS, *EXACT):
        condition = by_name.get(key)
        if condition is not None and (key in WORDS or all(_is_exact(key, value) for value in condition.values)):
            return condition
    return None


def _is_exact(key: str, value: str) -> bool:
    """Whether a mail meets the value by having it as a key (see `match.keys_of`), not by likeness."""
    if key == "account":
        return True
    if key == "from" and value.startswith("*@"):
        value = value[2:]
    return "*" not in value
