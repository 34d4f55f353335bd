"""What a person calls a rule in, the name of the one rule that they mean out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from triaged.tomlfile import did_you_mean


def rule_named(text: str, rules: Mapping[str, str]) -> str:
    """The name of the rule that a person means: its name in any case, the beginning of one, or a line within it.

    rules: name → `file:line`. Raises: ValueError, a sentence.
    """
    by_name = {name.casefold(): name for name in rules}
    wanted = text.casefold().strip()
    if wanted in by_name:
        return by_name[wanted]
    if (place := re.fullmatch(r"(.+):(\d+)", text.strip())) is not None:
        at = [(line, name) for name, (file, line) in _places(rules) if file == place[1] and line <= int(place[2])]
        if len(at) > 0:
            return max(at)[1]
    begun = [name for folded, name in by_name.items() if wanted != "" and folded.startswith(wanted)]
    if len(begun) == 1:
        return begun[0]
    if len(begun) > 1:
        raise ValueError(f"more than one rule begins with '{text}': {', '.join(sorted(begun))}")
    raise ValueError(f"no rule is called '{text}'{did_you_mean(text, rules)}")


def _places(rules: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, int]]]:
    for name, source in rules.items():
        file, _, line = source.rpartition(":")
        if line.isdecimal():
            yield name, (file, int(line))
