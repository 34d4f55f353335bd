"""Rules and the files they were read from in, the line of each rule, key and phrase out: for hints about rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triaged.rules.grammar import Rule, plain
from triaged.tomlfile import Place, TomlFile, parse_toml


@dataclass(frozen=True, slots=True)
class Places:
    """files: what was parsed, with its text, by name. at: by a rule's source, its place in its file."""

    files: Mapping[str, TomlFile]
    texts: Mapping[str, str]
    at: Mapping[str, Place]

    def where(self, rule: Rule, *parts: str | int) -> str:
        """`file:line` of a key of a rule, of the rule itself without one."""
        file, place = self._found(rule)
        return file.where((*place, *parts))

    def where_words(self, rule: Rule, side: str, key: str, words: str) -> str:
        """`file:line` of one of several texts that a condition names; of the condition when it stands in a list."""
        file, place = self._found(rule)
        name, _, first = file.where((*place, side, key)).rpartition(":")
        lines = self.texts[file.name].split("\n")
        later = [line for line in file.lines.values() if line > int(first)]
        sought = re.compile(rf"[\"']\s*{re.escape(words)}\s*[\"']")
        for number in range(int(first), min(later, default=len(lines) + 1)):
            if sought.search(plain(lines[number - 1])):
                return f"{name}:{number}"
        return f"{name}:{first}"

    def raw(self, rule: Rule) -> Mapping[str, Any]:
        """The rule's table as it stands in the file."""
        file, place = self._found(rule)
        value: Any = file.data
        for part in place:
            value = value[part]
        table: Mapping[str, Any] = value
        return table

    def _found(self, rule: Rule) -> tuple[TomlFile, Place]:
        return self.files[rule.source.rpartition(":")[0]], self.at[rule.source]


def places_of(rules: Sequence[Rule], files: Mapping[str, bytes]) -> Places:
    """files: the folder of the rules, from which they were read without a problem."""
    names = dict.fromkeys(rule.source.rpartition(":")[0] for rule in rules)
    parsed = {name: parse_toml(files[name], name=name) for name in names}
    texts = {name: files[name].decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n") for name in names}
    at = {}
    for file in parsed.values():
        for number in range(len(file.data.get("rule", []))):
            place: Place = ("rule", number)
            at[file.where(place)] = place
    return Places(parsed, texts, at)


def texts_in(value: Any) -> Iterator[str]:
    """Every text within a value of a rule file, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)
