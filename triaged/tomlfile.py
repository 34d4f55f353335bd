"""TOML text in, its values and the line of each key out, so that every mistake can be named by file and line."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triaged.errors import ConfigError, Problem
from triaged.plaintext import text_of
from triaged.tomlsyntax import explained

MAX_FILE_BYTES = 262_144
"""Bytes; a hand-written file is far smaller, and tomllib is quadratic on some longer ones (mail-safety 4.9)."""

MOST_FAULTS = 20
"""Paragraphs of a file that are told of when they cannot be read; each costs one more look at the whole file."""

Place = tuple[str | int, ...]
"""Where a value stands: `("rule", 0, "when", "says")`; table arrays count from 0."""

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """name: how the file is called in messages. data: what tomllib made of it. lines: line (from 1) of each place."""

    name: str
    data: dict[str, Any]
    lines: Mapping[Place, int]

    def where(self, place: Place) -> str:
        """`file:line` of a place, or of the nearest thing around it that has a line."""
        for end in range(len(place), 0, -1):
            if place[:end] in self.lines:
                return f"{self.name}:{self.lines[place[:end]]}"
        return self.name


def read_toml(path: Path) -> TomlFile:
    """Read a TOML file; its name is the path as given. Raises: ConfigError."""
    name = str(path)
    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError((Problem(name, "there is no such file"),)) from None
    except OSError as error:
        raise ConfigError((Problem(name, f"cannot be read: {error.strerror}"),)) from None
    return parse_toml(octets, name=name)


def parse_toml(octets: bytes, *, name: str) -> TomlFile:
    """Parse TOML octets; a byte order mark, CRLF and odd blanks do no harm. Raises: ConfigError, `file:line`."""
    text = _text_of(octets, name)
    data, fault = _parsed(text)
    if fault is not None:
        raise ConfigError((Problem(f"{name}:{fault[0]}" if fault[0] > 0 else name, fault[1]),))
    return TomlFile(name, data, _lines(text))


def parse_paragraphs(octets: bytes, *, name: str, begin: str) -> tuple[TomlFile, tuple[Problem, ...]]:
    """As `parse_toml`, but paragraphs that cannot be read are left out, each with its problem.

    begin: the header that begins one (`[[rule]]`). Raises: ConfigError when nothing of the file can be read.
    """
    text, problems = _text_of(octets, name), list[Problem]()
    data, fault = _parsed(text)
    readable = text
    while fault is not None:
        line, what = fault
        problems.append(Problem(f"{name}:{line}" if line > 0 else name, what))
        shorter = _without_paragraph(readable, line, begin)
        if line == 0 or len(problems) >= MOST_FAULTS or shorter == readable:
            raise ConfigError(tuple(problems))
        readable = shorter
        data, fault = _parsed(readable)
    return TomlFile(name, data, _lines(readable)), tuple(problems)


def _without_paragraph(text: str, line: int, begin: str) -> str:
    """The text with the paragraph around a line made empty, so that all other lines keep their number."""
    lines = text.split("\n")
    begins = [number for number, each in enumerate(lines) if "".join(each.split()).startswith(begin)]
    start = max((number for number in begins if number < line), default=0)
    end = min((number for number in begins if number >= line), default=len(lines))
    return "\n".join(("" if start <= number < end else each) for number, each in enumerate(lines))


def _text_of(octets: bytes, name: str) -> str:
    if len(octets) > MAX_FILE_BYTES:
        what = f"is larger than {MAX_FILE_BYTES // 1024} KB; make two files of it"
        raise ConfigError((Problem(name, what),))
    return text_of(octets, name=name)


def _parsed(text: str) -> tuple[dict[str, Any], tuple[int, str] | None]:
    """What tomllib makes of it; or nothing, with the line (0: of no line) and what is wrong there."""
    try:
        return tomllib.loads(text), None
    except tomllib.TOMLDecodeError as error:
        return {}, explained(text, str(error))
    except RecursionError:
        return {}, (0, "is nested too deeply: there are too many [ or { within each other")
    except ValueError:  # a number of thousands of digits
        return {}, (0, "holds a number that is too long to be one; did you forget a quote?")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the nearest known word whatever its case, or `""`."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean '{by_lower[near[0]]}'?" if near else ""


def _lines(text: str) -> dict[Place, int]:
    """Line of each table header and key; a key inside an inline table has no line of its own."""
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    open_quotes = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if open_quotes:
            if open_quotes in line:
                open_quotes = ""
            continue
        if header := _HEADER.match(line):
            names = _parts(header[2])
            table = _resolve(names[:-1], counts) + names[-1:]
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            else:
                table = _resolve(names, counts)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            place = table
            for part in _parts(key[1]):
                place = (*place, part)
                lines.setdefault(place, number)
            value = line[key.end() :]
            for quotes in ('"""', "'''"):
                if value.count(quotes) == 1:
                    open_quotes = quotes
    return lines


def _parts(dotted: str) -> Place:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _resolve(names: Place, counts: Mapping[Place, int]) -> Place:
    """`rule.example` inside the third `[[rule]]` is `("rule", 2, "example")`."""
    place: Place = ()
    for name in names:
        place = (*place, name)
        if place in counts:
            place = (*place, counts[place])
    return place
