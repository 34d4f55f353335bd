"""Two sets of rule files and templates in, what differs out: by file and rule in words, and line by line."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from triaged.errors import ConfigError
from triaged.tomlfile import parse_toml
from triaged.written import RULES, Written

SHOWN = 5
"""Rules that are named; the rest is a number."""
CONTEXT = 3
"""Lines shown around a change."""
NO_FILE = "/dev/null"
"""As `diff -u` calls a file that is not there."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that is not as it was. name: as people call it. rules: what happened to its rules, `added`, `removed` or
    `changed`, by name in the order of the file. moved: only their order is another. has_rules: it is a rule file.
    readable: a rule file is TOML both times.
    """

    name: str
    what: Literal["added", "removed", "changed"]
    rules: tuple[tuple[str, str], ...] = ()
    moved: bool = False
    has_rules: bool = False
    readable: bool = True

    @property
    def words(self) -> str:
        """In a line: `complaint.toml: 1 rule changed (Says they are unhappy)`."""
        if not self.readable:
            return f"{self.name} {self.what} (it cannot be read as rules)"
        if self.what != "changed":
            told = _named([name for name, _ in self.rules], "")
            return f"{self.name} {self.what}" + (f": {told}" if told != "" else "")
        parts = [_named([name for name, each in self.rules if each == what], f" {what}") for what in _ORDER]
        if (told := ", ".join(part for part in parts if part != "")) != "":
            return f"{self.name}: {told}"
        if self.moved:
            return f"{self.name}: its rules in another order"
        return f"{self.name}: comments or spacing only" if self.has_rules else f"{self.name} changed"


_ORDER = ("changed", "added", "removed")


def _named(names: Sequence[str], what: str) -> str:
    """`2 rules added (A, B)`, `""` for none."""
    if len(names) == 0:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} rule{'s' if len(names) > 1 else ''}{what} ({', '.join(names[:SHOWN])}{more})"


def file_changes(before: Written, after: Written) -> tuple[FileChange, ...]:
    """Every file that differs, by name; none when the sets are the same."""
    return tuple(
        _change(name, before.files.get(name), after.files.get(name))
        for name in sorted(before.files.keys() | after.files.keys())
        if before.files.get(name) != after.files.get(name)
    )


def _change(name: str, before: bytes | None, after: bytes | None) -> FileChange:
    what: Literal["added", "removed", "changed"] = (
        "added" if before is None else "removed" if after is None else "changed"
    )
    told = called(name)
    if not (name.startswith(RULES) and name.lower().endswith(".toml")):
        return FileChange(told, what)
    old, new = _rules(before), _rules(after)
    if old is None or new is None:
        return FileChange(told, what, has_rules=True, readable=False)
    changed = [(rule, "changed") for rule in new if rule in old and old[rule] != new[rule]]
    added = [(rule, "added") for rule in new if rule not in old]
    removed = [(rule, "removed") for rule in old if rule not in new]
    found = (*changed, *added, *removed)
    return FileChange(told, what, found, moved=len(found) == 0 and list(old) != list(new), has_rules=True)


def called(name: str) -> str:
    """How a file of a set is called in messages: without the folder of the rules."""
    return name.removeprefix(RULES)


def _rules(octets: bytes | None) -> dict[str, Any] | None:
    """The tables of a rule file by the rule's name; None when it is not TOML. A name that comes again is counted."""
    try:
        tables = parse_toml(octets or b"", name="").data.get("rule", [])
    except ConfigError:
        return None
    if not isinstance(tables, list):
        return None
    found: dict[str, Any] = {}
    seen: Counter[str] = Counter()
    for number, table in enumerate(tables, start=1):
        name = table.get("name") if isinstance(table, Mapping) else None
        told = name if isinstance(name, str) and name != "" else f"rule {number} without a name"
        seen[told] += 1
        found[told if seen[told] == 1 else f"{told}, {seen[told]}"] = table
    return found


@dataclass(frozen=True, slots=True)
class FileDiff:
    """The lines of a file that differ, as `diff -u` writes them, without line ends."""

    name: str
    lines: tuple[str, ...]


def diffs(before: Written, after: Written, *, names: tuple[str, str]) -> Iterator[FileDiff]:
    """For each file that differs, its lines. names: what the two sets are called. What is no UTF-8 is escaped."""
    for name in sorted(before.files.keys() | after.files.keys()):
        old, new = before.files.get(name), after.files.get(name)
        if old != new:
            was = f"{names[0]}/{name}" if old is not None else NO_FILE
            now = f"{names[1]}/{name}" if new is not None else NO_FILE
            lines = difflib.unified_diff(_lines(old), _lines(new), was, now, n=CONTEXT, lineterm="")
            yield FileDiff(called(name), tuple(lines))


def _lines(octets: bytes | None) -> list[str]:
    """The lines of a file; a last one without an end is marked, or it would look like one that has it."""
    text = (octets or b"").decode("utf-8", "backslashreplace")
    lines = text.split("\n")
    if lines[-1] == "":
        return lines[:-1]
    return [*lines[:-1], f"{lines[-1]} (no line end)"]
