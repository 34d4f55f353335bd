"""What differs between two sets of rule files is said by file and rule, and shown line by line."""

from __future__ import annotations

import pytest

from triaged.rules.difference import SHOWN, diffs, file_changes
from triaged.written import Written


def rule(name: str, weight: float = 0.5) -> str:
    return f'[[rule]]\nname = "{name}"\nwhen.says = "word"\nthen.suggests = {{ request = {weight} }}\n'


def words(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Of `changes`; the files' texts by name."""
    return [change.words for change in file_changes(written(before), written(after))]


def written(files: dict[str, str]) -> Written:
    return Written.of({name: text.encode() for name, text in files.items()})


A = {"rules/a.toml": rule("One") + rule("Two")}

CASES = [
    (A, A, []),
    (A, {"rules/a.toml": rule("One", 0.6) + rule("Two")}, ["a.toml: 1 rule changed (One)"]),
    (
        A,
        {"rules/a.toml": rule("Two", 0.6) + rule("Three")},
        ["a.toml: 1 rule changed (Two), 1 rule added (Three), 1 rule removed (One)"],
    ),
    (A, {"rules/a.toml": rule("Two") + rule("One")}, ["a.toml: its rules in another order"]),
    (A, {"rules/a.toml": "# said\n" + rule("One") + rule("Two")}, ["a.toml: comments or spacing only"]),
    (A, {**A, "rules/b.toml": rule("Three")}, ["b.toml added: 1 rule (Three)"]),
    ({**A, "rules/b.toml": rule("Three")}, A, ["b.toml removed: 1 rule (Three)"]),
    (
        A,
        {"rules/b.toml": A["rules/a.toml"]},
        ["a.toml removed: 2 rules (One, Two)", "b.toml added: 2 rules (One, Two)"],
    ),
    (A, {"rules/a.toml": "[[rule"}, ["a.toml changed (it cannot be read as rules)"]),
    (A, {"rules/a.toml": "rule = 1"}, ["a.toml changed (it cannot be read as rules)"]),
    (A, {"rules/a.toml": "rule = [1]"}, ["a.toml: 1 rule added (rule 1 without a name), 2 rules removed (One, Two)"]),
    (
        A,
        {"rules/a.toml": rule("One") + rule("One", 0.7) + rule("Two")},
        ["a.toml: 1 rule added (One, 2)"],
    ),
    ({"templates/received.de.txt": "a"}, {"templates/received.de.txt": "b"}, ["templates/received.de.txt changed"]),
    ({}, {"rules/lists/vip.txt": "a", "rules/mails/one.eml": "b"}, ["lists/vip.txt added", "mails/one.eml added"]),
]


@pytest.mark.parametrize(("before", "after", "expected"), CASES)
def test_what_changed_in_words(before: dict[str, str], after: dict[str, str], expected: list[str]) -> None:
    assert words(before, after) == expected


def test_a_long_list_of_rules_ends_in_a_number() -> None:
    [told] = words({}, {"rules/a.toml": "".join(rule(f"R{number}") for number in range(SHOWN + 2))})
    assert told == "a.toml added: 7 rules (R0, R1, R2, R3, R4 and 2 more)"


def test_a_rule_named_like_a_change_is_named_as_it_is() -> None:
    [told] = words({}, {"rules/a.toml": rule("An item was added")})
    assert told == "a.toml added: 1 rule (An item was added)"


def test_lines_that_differ() -> None:
    before = written({**A, "rules/gone.toml": "old\n", "rules/same.toml": "same\n"})
    after = written({"rules/a.toml": A["rules/a.toml"].replace("Two", "Zwei") + "# end", "rules/same.toml": "same\n"})
    one, gone = diffs(before, after, names=("old", "new"))
    assert (one.name, gone.name) == ("a.toml", "gone.toml")
    assert one.lines[:2] == ("--- old/rules/a.toml", "+++ new/rules/a.toml")
    assert [line for line in one.lines[2:] if line[0] in "+-"] == [
        '-name = "Two"',
        '+name = "Zwei"',
        "+# end (no line end)",
    ]
    assert gone.lines == ("--- old/rules/gone.toml", "+++ /dev/null", "@@ -1 +0,0 @@", "-old")


def test_octets_that_are_no_text_are_shown_escaped() -> None:
    [diff] = diffs(Written.of({}), Written.of({"rules/x.eml": b"Subject: \xff\r\n"}), names=("old", "new"))
    assert diff.lines[-1] == "+Subject: \\xff\r"
