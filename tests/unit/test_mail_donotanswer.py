"""A do-not-answer list as people write it goes in; whom it covers must not hang on how they wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from triaged.mail.donotanswer import DoNotAnswer, parse_list

STARTER = Path(__file__).parents[2] / "triaged/rules/starter/do-not-answer.txt"
LIST = (
    "\ufeff# Who gets no answer\r\n\r\nann@client.example\t# wants to be telephoned\r\n*@Acme.example\r\n"
    "@bücher.example#press\r\n  Bob Lee <bob.lee@x.example>  \r\n<mailto:cat@x.example>\n“dan@x.example”\r"
    "mailto:eve@x.example?subject=hi\nO’Brien@x.example\ndept#4@x.example # four\n"
    "\u200bfay@x.example,\nann@client.example # twice\n"
)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ann@client.example", "ann@client.example is on the do-not-answer list: wants to be telephoned"),
        ("Ann+orders@CLIENT.example", "Ann+orders@CLIENT.example is on the do-not-answer list: wants to be telephoned"),
        ("zoe@acme.example", "@acme.example is on the do-not-answer list"),
        ("zoe@mail.acme.example", "@acme.example is on the do-not-answer list"),
        ("zoe@xn--bcher-kva.example", "@bücher.example is on the do-not-answer list: press"),
        ("boblee@x.example", "boblee@x.example is on the do-not-answer list"),
        ("cat@x.example", "cat@x.example is on the do-not-answer list"),
        ("dan@x.example", "dan@x.example is on the do-not-answer list"),
        ("eve@x.example", "eve@x.example is on the do-not-answer list"),
        ("o'brien@x.example", "o'brien@x.example is on the do-not-answer list"),
        ("dept#4@x.example", "dept#4@x.example is on the do-not-answer list: four"),
        ("fay@x.example", "fay@x.example is on the do-not-answer list"),
        ("zoe@client.example", ""),
        ("zoe@notacme.example", ""),
        ("zoe@acme.example.evil.example", ""),
        ("zoe@example", ""),
        ("", ""),
    ],
)
def test_whom_it_covers(address: str, reason: str) -> None:
    listed, problems = parse_list(LIST, "do-not-answer.txt")
    assert problems == ()
    assert listed.covers(address) == reason


def test_lines_that_nobody_understands_are_named_and_the_others_count() -> None:
    text = "client.example\nann@client.example\nlater please\na@x.example, b@x.example\nbo*@x.example\nc@nowhere\n@\n"
    listed, problems = parse_list(text, "do-not-answer.txt")
    assert listed.covers("ann@client.example") != ""
    assert [problem.where for problem in problems] == [f"do-not-answer.txt:{number}" for number in (1, 3, 4, 5, 6, 7)]
    assert "for a whole domain write @client.example" in problems[0].what
    assert "one a line" in problems[2].what
    assert all(problem.what.endswith("The line is passed over.") for problem in problems)


def test_the_file_that_ships_is_empty_but_teaches() -> None:
    listed, problems = parse_list(STARTER.read_text("utf-8"), "do-not-answer.txt")
    assert (listed, problems) == (DoNotAnswer(), ())
    examples = [
        line.removeprefix("#").split("  ")[1].strip()
        for line in STARTER.read_text("utf-8").split("\n")
        if "@" in line and line.startswith("#   ")
    ]
    assert len(examples) >= 3


def test_any_text_is_read() -> None:
    for text in ("", "\0", "\n" * 1000, "@" * 5000, "#" * 5000, "<" * 5000, "a@b.example " * 5000, "é@é.é\n" * 3000):
        listed, problems = parse_list(text, "list")
        assert len(problems) <= 100
        assert listed.covers("ann@client.example") == ""
