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

MAX_FILE_BYTES = 262_144
"""Bytes; a hand-written file is far smaller, and tomllib is quadratic on some longer ones (mail-safety 4.9)."""

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


def read_toml(path: Path, *, name: str | None = None) -> TomlFile:
    """Read a TOML file; `name` defaults to the path as given. Raises: ConfigError."""
    name = name or str(path)
    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError((Problem(name, "there is no such file"),)) from None
    except OSError as error:
        raise ConfigError((Problem(name, f"cannot be read: {error.strerror}"),)) from None
    return parse_toml(octets, name=name)


def parse_toml(octets: bytes, *, name: str) -> TomlFile:
    """Parse TOML octets; a byte order mark and CRLF do no harm. Raises: ConfigError with `file:line`."""
    if len(octets) > MAX_FILE_BYTES:
        raise ConfigError((Problem(name, f"is larger than {MAX_FILE_BYTES // 1024} KB"),))
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise ConfigError((Problem(f"{name}:{line}", "is not UTF-8 text; save the file as UTF-8"),)) from None
    text = text.replace("\r\n", "\n")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((_syntax_problem(name, text, str(error)),)) from None
    except RecursionError:
        raise ConfigError((Problem(name, "is nested too deeply"),)) from None
    return TomlFile(name, data, _lines(text))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the nearest known word whatever its case, or `""`."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean '{by_lower[near[0]]}'?" if near else ""


def _syntax_problem(name: str, text: str, message: str) -> Problem:
    found = re.search(r"\(at line (\d+), column (\d+)\)|\(at end of document\)", message)
    line = int(found[1]) if found and found[1] else text.count("\n") + 1
    what = message[: found.start()].strip() if found else message
    source = text.split("\n")[line - 1].strip() if line <= text.count("\n") + 1 else ""
    quotes = '; it holds curly quotes, use straight ones (")' if re.search("[“”„‘’]", source) else ""
    return Problem(f"{name}:{line}", f"is not valid TOML: {what}{quotes}")


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
