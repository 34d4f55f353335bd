"""A place in a rule file and what stands there in, the value out; what is wrong is told at the place, in words."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from triaged.errors import Problem
from triaged.rules.grammar import is_span, plain
from triaged.rules.lists import named_list
from triaged.tomlfile import Place, TomlFile, did_you_mean

SPAN_EXAMPLES = "'30 minutes', '4 business hours', '1 business day' or '2h'"


TokenProblem = Callable[[object], str | None]


def unchecked(_pattern: object) -> None:
    """For who only reads rules: what compiles them refuses a wrong pattern all the same."""


@dataclass(frozen=True, slots=True)
class Known:
    """What exists outside the rules: template names, people's ids with the roles, mailboxes, lists by name.

    token_problem: why a pattern of tokens cannot be used, in words; None when it can.
    """

    templates: frozenset[str]
    people: frozenset[str]
    mailboxes: frozenset[str] = frozenset()
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    token_problem: TokenProblem = unchecked


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a file, and the list that what is wrong there is added to."""

    file: TomlFile
    place: Place
    problems: list[Problem]

    def at(self, *parts: str | int) -> Spot:
        """A place further in."""
        return Spot(self.file, self.place + parts, self.problems)

    @property
    def where(self) -> str:
        """`file:line`."""
        return self.file.where(self.place)

    @property
    def label(self) -> str:
        """As its author calls it: `when.says`."""
        return ".".join(part for part in self.place[-2:] if isinstance(part, str))

    def wrong(self, what: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(self.where, what))


def words(table: Mapping[str, Any], key: str, spot: Spot) -> str:
    """A text that is not empty; "" when it is absent or wrong."""
    value = table.get(key)
    if key not in table:
        return ""
    if isinstance(value, str) and value.strip() == "":
        spot.at(key).wrong(f"{key} is empty; write something between the quotes, or take the line out")
        return ""
    if not isinstance(value, str):
        spot.at(key).wrong(f'{key} must be a text in "quotes", not {shown(value)}')
        return ""
    if key in ("name", "file", "send") and any(unicodedata.category(char) == "Cc" for char in value):
        spot.at(key).wrong(f"{key} must be one line")
        return ""
    return value.strip()


def yes_no(table: Mapping[str, Any], key: str, spot: Spot, *, default: bool) -> bool:
    """True or false; the default when it is absent or wrong."""
    value = table.get(key, default)
    if isinstance(value, bool):
        return value
    spot.at(key).wrong(f"{key} must be true or false, without quotes, not {shown(value)}")
    return default


def whole_number(table: Mapping[str, Any], key: str, spot: Spot, *, least: int, most: int, default: int) -> int:
    """A whole number within bounds; the default when it is absent or wrong."""
    value = table.get(key, default)
    if type(value) is int and least <= value <= most:
        return value
    spot.at(key).wrong(f"{key} must be a whole number from {least} to {most}, not {shown(value)}")
    return default


def choice(table: Mapping[str, Any], key: str, spot: Spot, known: Iterable[str], kind: str) -> str | None:
    """One of the names that are known; None when it is absent or wrong."""
    value = words(table, key, spot)
    found = plain(value)
    return found if value != "" and one_of(found, spot.at(key), known, kind) else None


def span(table: Mapping[str, Any], key: str, spot: Spot) -> str | None:
    """A span of time in words; None when it is absent or wrong."""
    value = words(table, key, spot)
    found = plain(value)
    if value == "" or is_span(found):
        return found or None
    spot.at(key).wrong(f"'{value}' is not a span of time; write for example {SPAN_EXAMPLES}")
    return None


def texts(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    """A text or a list of texts, made plain, with what stands in the lists they name; () when something is wrong."""
    items = value if isinstance(value, list) else [value]
    if len(items) == 0:
        spot.wrong(f"{spot.label} is an empty list, so it could never hold; name something or take the line out")
    elif not all(isinstance(item, str) for item in items):
        spot.wrong(f'{spot.label} must be a text in "quotes" or a list of texts, not {shown(value)}')
    elif any(plain(item) == "" for item in items):
        spot.wrong(f"{spot.label} holds an empty text; take it out")
    else:
        found = [entry for item in items for entry in _entries(plain(item), spot, known)]
        return tuple(dict.fromkeys(found))
    return ()


def _entries(item: str, spot: Spot, known: Known) -> tuple[str, ...]:
    if not item.startswith("@") or "." in item or " " in item:
        return (item,)
    entries, problem = named_list(item, known.lists)
    if problem != "":
        spot.wrong(problem)
    return entries


def one_of(word: str, spot: Spot, known: Iterable[str], kind: str) -> bool:
    """Whether the name is known; if not, it is told with what could have been meant."""
    names = {plain(name) for name in known}
    if word not in names:
        spot.wrong(f"there is no {kind} '{word}'{did_you_mean(word, sorted(names))}{all_of(sorted(names))}")
    return word in names


def no_other_keys(table: Mapping[str, Any], spot: Spot, known: tuple[str, ...], what: str) -> None:
    """Tell of every key that has no meaning there."""
    for key in table:
        if key not in known:
            spot.at(key).wrong(f"'{key}' has no meaning in {what}{did_you_mean(key, known)}{all_of(known)}")


def all_of(names: Iterable[str]) -> str:
    """What there is, in brackets."""
    return f" (there is: {', '.join(names)})"


def shown(value: Any) -> str:
    """A wrong value, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return f"'{value}'"
