"""The rule language and a site's rule files in, each word with what it means and how it is used there out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from triaged.rules.grammar import ROLES
from triaged.rules.schema import Schema, rule_schema
from triaged.settings import Config
from triaged.shipped import STARTER_RULES
from triaged.written import Written, rule_files

SECTIONS = (
    ("conditions", "Conditions", "when."),
    ("then", "What can be set", "then."),
    ("rule", "Around them", ""),
    ("example", "An example", ""),
    ("expected", "What an example asks for", "gives."),
)
"""Definitions of the schema in the order in which they are shown: their title, and what stands before each word."""
MOST_OFFERED, MOST_LETTERS = 8, 90
_USED = re.compile(r"^\s*((?:when|unless|then|gives|not)\.\w+|\w+)\s*=\s*(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Word:
    """A key of the language. offered: values that it knows; example: a line with it, from the file `where`."""

    key: str
    means: str
    offered: tuple[str, ...]
    example: str
    where: str


@dataclass(frozen=True, slots=True)
class Section:
    """Words that stand in the same place of a rule."""

    title: str
    words: tuple[Word, ...]


def rule_words(config: Config, written: Written) -> tuple[Section, ...]:
    """Every word, as `triaged rules schema` has it, with an example out of the site's own rules or those that ship."""
    schema = rule_schema(
        templates=sorted({name.split(".")[0] for name in written.templates if name.endswith(".txt")}),
        people=sorted({*config.people, *ROLES}),
        mailboxes=[mailbox.name for mailbox in config.mailbox],
    )
    used = _used({**rule_files(STARTER_RULES), **written.rules})
    return tuple(
        Section(title, tuple(_words(schema["definitions"][name], before, used))) for name, title, before in SECTIONS
    )


def _words(table: Schema, before: str, used: Mapping[str, tuple[str, str]]) -> Iterator[Word]:
    for key, told in table["properties"].items():
        offered = tuple(dict.fromkeys(_offered(told)))
        example, where = used.get(before + key, ("", ""))
        if example == "" and len(offered) > 0:
            example = f"{before}{key} = {offered[0]}"
        yield Word(before + key, told["description"], offered[:MOST_OFFERED], example, where)


def _used(files: Mapping[str, bytes]) -> dict[str, tuple[str, str]]:
    """By key, a short line with it and its file; those that are written on several lines are passed over."""
    found: dict[str, tuple[str, str]] = {}
    for name, octets in sorted(files.items()):
        if name.endswith(".toml"):
            for line in _USED.finditer(octets.decode("utf-8", "replace")):
                if len(line[0].strip()) <= MOST_LETTERS and not line[2].endswith(("[", '"""', ",")):
                    found.setdefault(line[1], (line[0].strip(), name))
    return found


def _offered(told: Schema) -> Iterator[str]:
    """Values that a part of the schema names, as TOML writes them."""
    yield from (_toml(each) for each in (*told.get("enum", ()), *told.get("examples", ())))
    if told.get("type") == "boolean":
        yield from ("true", "false")
    for part in told.get("anyOf", ()):
        yield from _offered(part)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
