"""Templates: what is wrong is named by file and line, what is right renders in the client's language, within limits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from triaged.errors import ConfigError, Permanent
from triaged.mail.render import load_templates, render
from triaged.shipped import shipped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped templates."""
    shutil.copytree(shipped("templates"), tmp_path / "templates")
    return tmp_path / "templates"


ACK = {
    "contact": "Ann <b>Archer</b>",
    "account": "Acme",
    "category": "request",
    "reference": "T-1",
    "due": "Friday",
    "subject": "Hello\r\nBcc: x@evil.example",
    "team": "Desk",
    "desk": "desk@firm.example",
}


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("Hello\n", "own.txt:1", "must begin with a line 'Subject: …'"),
        ("Subject:\n\nx\n", "own.txt:1", "must begin with a line 'Subject: …'"),
        ("Subject: {{ contct }}\n\nx\n", "own.txt:1", "did you mean 'contact'?"),
        ("Subject: x\n\nDear\n{{ nam }}\n", "own.txt:4", "there is no variable 'nam' here"),
        ("Subject: x\n\n\n\n{% if contact %}\nx\n", "own.txt:6", "end of template"),
        ("Subject: x\n\n{{ contact }\n", "own.txt:3", "unexpected '}'"),
        ("Subject: x\n\n{{ range(5) }}\n", "own.txt:3", "there is no variable 'range' here"),
        ("Subject: x\n\n{% include 'complaint.txt' %}\n", "own.txt", "cannot include"),
        ("Subject: x\n\n{{ when }}\n", "own.txt:3", "there is no variable 'when' here"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, text: str, where: str, words: str) -> None:
    (folder / "own.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_templates(folder)
    [problem] = refused.value.problems
    assert problem.where == where
    assert words in problem.what


def test_every_problem_at_once(folder: Path) -> None:
    (folder / "own.txt").write_text("no subject\n", encoding="utf-8")
    (folder / "other.txt").write_bytes(b"Subject: \xff\n\nx\n")
    (folder / "invitation.txt").unlink()
    (folder / "layout.html").unlink()
    with pytest.raises(ConfigError) as refused:
        load_templates(folder)
    wheres = sorted(problem.where for problem in refused.value.problems)
    assert wheres == ["layout.html", "other.txt", "own.txt:1", "templates/invitation.txt"]


def test_language_falls_back_to_the_plain_file(folder: Path) -> None:
    templates = load_templates(folder)
    assert render(templates, "request", language="de", variables=ACK).template == "request.de"
    assert render(templates, "request", language="fi", variables=ACK).template == "request"
    assert templates.names >= {"request", "complaint", "renewal", "received"}
    assert "escalation" not in templates.names


def test_a_subject_is_one_line_and_html_is_escaped(folder: Path) -> None:
    (folder / "own.txt").write_text("Subject: Re {{ subject }}\n\nDear {{ contact }}\n", encoding="utf-8")
    rendered = render(load_templates(folder), "own", language="en", variables=ACK)
    assert rendered.subject == "Re Hello Bcc: x@evil.example"
    assert "Ann <b>Archer</b>" in rendered.text
    assert "&lt;b&gt;" in rendered.html
    assert "<b>" not in rendered.html


@pytest.mark.parametrize(
    "body",
    [
        "{% for a in 'x' * 300 %}{{ 'y' * 300 }}{% endfor %}",
        "{{ contact.__class__.__mro__ }}",
        "{{ 1 / 0 }}",
        "{{ due[999] }}",
        "{{ contact.nothing }}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
    ],
)
def test_a_template_that_fails_is_permanent(folder: Path, body: str) -> None:
    (folder / "own.txt").write_text(f"Subject: x\n\n{body}\n", encoding="utf-8")
    templates = load_templates(folder)
    with pytest.raises(Permanent, match=r"own\.txt failed"):
        render(templates, "own", language="en", variables=ACK)
