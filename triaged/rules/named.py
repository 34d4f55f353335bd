"""What a person calls a rule in, the name of the one rule that they mean out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from triaged.rules.grammar import plain
from triaged.tomlfile import did_you_mean

MOST_NAMED = 5
"""Rules named where several could be meant."""
_AT_LINE = re.compile(r"(?:rules/)?(.+):(\d+)")


def rule_named(text: str, rules: Mapping[str, str]) -> str:
    """The name of the rule that a person means: its name in any case, the beginning of one, or a line within it.

    rules: name → `file:line`, in the order of the files. Raises: ValueError, a sentence.
    """
    wanted = plain(text)
    for name in rules:
        if plain(name) == wanted:
            return name
    if (place := _AT_LINE.fullmatch(text.strip())) is not None:
        at = [(line, name) for name, (file, line) in _places(rules) if file == place[1] and line <= int(place[2])]
        if len(at) > 0:
            return max(at)[1]
    begun = [name for name in rules if wanted != "" and plain(name).startswith(wanted)]
    if len(begun) == 0:
        raise ValueError(f"there is no rule “{text}”{did_you_mean(text, rules)}")
    if len(begun) > 1:
        more = f" and {len(begun) - MOST_NAMED} more" if len(begun) > MOST_NAMED else ""
        names = ", ".join(f"“{name}”" for name in begun[:MOST_NAMED])
        raise ValueError(
            f"“{text}” begins the names of {len(begun)} rules: {names}{more}; write more of the one you mean"
        )
    return begun[0]


def _places(rules: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, int]]]:
    for name, source in rules.items():
        file, _, line = source.rpartition(":")
        if line.isdecimal():
            yield name, (file, int(line))
