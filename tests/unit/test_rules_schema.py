"""The schema for editors takes every rule file that loads, and marks what does not."""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.unit.rules_facts import PEOPLE, TEMPLATES, rule_set
from tests.unit.test_rules_load import BROKEN, GOOD
from tests.unit.test_rules_match import CONDITION_TEXTS
from triaged.errors import ConfigError
from triaged.rules.check import EXAMPLE_KEYS, RULE_KEYS, THEN_KEYS
from triaged.rules.grammar import CONDITIONS, EXPECTED, ROLES
from triaged.rules.schema import rule_schema

ROOT = Path(__file__).parents[2]
SCHEMA = rule_schema(templates=sorted(TEMPLATES), people=sorted(PEOPLE | ROLES), mailboxes=["desk"])
CHECKER = jsonschema.Draft7Validator(SCHEMA)

BEYOND = {
    *("name twice", "name of two lines", "empty text", "phrase star", "phrase dots", "domain", "no when"),
    *("category first", "unless first", "signal first", "risk first", "category", "category name", "signal"),
    *("signal name", "signals all", "example signal", "suggests other", "send", "hold", "hold business", "call within"),
    *("due", "file", "example gives", "example mail", "example category", "example moment", "pattern", "list", "dates"),
    *("received", "received day", "received time", "phrase of quotes", "one quote", "one quote at the end"),
    *("quotes in the middle", "three quotes", "call notice"),
}
"""Mistakes that no schema of this kind can see; `triaged rules check` does."""


def as_editors_read_it(value: Any) -> Any:
    """An editor hands TOML's dates to the schema as text."""
    match value:
        case dict():
            return {key: as_editors_read_it(each) for key, each in value.items()}
        case list():
            return [as_editors_read_it(each) for each in value]
        case date() | datetime():
            return value.isoformat()
        case _:
            return value


def mistakes(text: str) -> list[str]:
    return [error.message for error in CHECKER.iter_errors(as_editors_read_it(tomllib.loads(text)))]


def test_it_is_a_schema_and_knows_every_word() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    tables = SCHEMA["definitions"]
    for name, keys in {
        "rule": RULE_KEYS,
        "conditions": CONDITIONS,
        "then": THEN_KEYS,
        "example": EXAMPLE_KEYS,
        "expected": EXPECTED,
    }.items():
        assert set(tables[name]["properties"]) == set(keys)
        assert all(each["description"] for each in tables[name]["properties"].values())


def test_files_that_ship_are_right() -> None:
    files = sorted((ROOT / "triaged/rules/starter").glob("*.toml"))
    assert len(files) >= 5
    free = jsonschema.Draft7Validator(rule_schema())
    for file in files:
        found = as_editors_read_it(tomllib.loads(file.read_text(encoding="utf-8")))
        assert [error.message for error in free.iter_errors(found)] == []


@pytest.mark.parametrize("condition", CONDITION_TEXTS)
def test_every_condition_that_loads_is_right(condition: str) -> None:
    text = f'[[rule]]\nname="A"\nwhen.{condition}\nthen.priority="high"\n'
    rule_set(text)
    lower = re.sub(r'"(Weekend|Desk|ADA|ACME|EN)', lambda found: found[0].lower(), text)
    assert mistakes(lower) == []


@pytest.mark.parametrize(("name", "text"), [case[:2] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_mistakes_are_marked(name: str, text: str) -> None:
    try:
        found = mistakes(text)
    except tomllib.TOMLDecodeError:
        return
    assert (len(found) == 0) is (name in BEYOND)


def test_the_good_rule_is_right() -> None:
    assert mistakes(GOOD) == []
    with pytest.raises(ConfigError):
        rule_set(GOOD.replace("0.7", "7"))
    assert mistakes(GOOD.replace("0.7", "7")) != []
