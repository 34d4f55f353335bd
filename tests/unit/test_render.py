"""Templates: what is wrong is named by file and line, what is right renders in the client's language, within limits."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from triaged.decision import WHEN
from triaged.errors import ConfigError, Permanent
from triaged.mail.render import (
    ACKNOWLEDGEMENT,
    MAX_ITEMS,
    MAX_TEXT_CHARACTERS,
    MAX_VALUE_CHARACTERS,
    VARIABLES,
    load_templates,
    render,
)
from triaged.mail.template import FILTERS, fill, read_template
from triaged.shipped import shipped
from triaged.written import template_files


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
    "organizer": "Lena Brandt",
    "minutes": 30,
    "slots": "1. Friday, 10:00",
}


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("Hello\n", "own.txt:1", "must begin with a line 'Subject: …'"),
        ("Subject:\n\nx\n", "own.txt:1", "must begin with a line 'Subject: …'"),
        ("Subject: {{ contct }}\n\nx\n", "own.txt:1", "did you mean 'contact'?"),
        ("Subject: x\n\nDear\n{{ nam }}\n", "own.txt:4", "there is no variable 'nam' here"),
        ("Subject: x\n\n\n\n{% if contact %}\nx\n", "own.txt:5", "never ends; write {% endif %}"),
        ("Subject: x\n\n{{ contact }\n", "own.txt:3", "unexpected '}'"),
        ("Subject: x\n\n{{ range(5) }}\n", "own.txt:3", "cannot call functions"),
        ("Subject: x\n\n{{ range }}\n", "own.txt:3", "there is no variable 'range' here"),
        ("Subject: {{ evidence }}\n\nx\n", "own.txt:1", "there is no variable 'evidence' here"),
        ("Subject: x\n\na\n{% include 'complaint.txt' %}\n", "own.txt:4", "cannot include"),
        ("Subject: x\n\n{{ when }}\n", "own.txt:3", "there is no variable 'when' here"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, text: str, where: str, words: str) -> None:
    (folder / "own.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_templates(template_files(folder))
    [problem] = refused.value.problems
    assert problem.where == where
    assert words in problem.what


def test_every_problem_at_once(folder: Path) -> None:
    (folder / "own.txt").write_text("no subject\n", encoding="utf-8")
    (folder / "other.txt").write_bytes(b"Subject: \xff\n\nx\n")
    (folder / "invitation.txt").unlink()
    (folder / "layout.html").unlink()
    with pytest.raises(ConfigError) as refused:
        load_templates(template_files(folder))
    wheres = sorted(problem.where for problem in refused.value.problems)
    assert wheres == ["other.txt:1", "own.txt:1", "templates/invitation.txt", "templates/layout.html"]


def test_language_falls_back_to_the_plain_file(folder: Path) -> None:
    templates = load_templates(template_files(folder))
    assert render(templates, "request", language="de", variables=ACK).template == "request.de"
    assert render(templates, "request", language="fi", variables=ACK).template == "request"
    assert templates.names >= {"request", "complaint", "renewal", "received"}
    assert "escalation" not in templates.names


def test_a_subject_is_one_line_and_html_is_escaped(folder: Path) -> None:
    (folder / "own.txt").write_text("Subject: Re {{ subject }}\n\nDear {{ contact }}\n", encoding="utf-8")
    rendered = render(load_templates(template_files(folder)), "own", language="en", variables=ACK)
    assert rendered.subject == "Re Hello Bcc: x@evil.example"
    assert "Ann <b>Archer</b>" in rendered.text
    assert "&lt;b&gt;" in rendered.html
    assert "<b>" not in rendered.html


def write(folder: Path, body: str) -> None:
    (folder / "own.txt").write_text(f"Subject: x\n\n{body}\n", encoding="utf-8")


CALL = "a template cannot call functions"
CALCULATE = "a template cannot calculate"
LOOK = "a template cannot look into a variable"
FILES = "a template cannot include, import or extend another file"
SET = "a template cannot set variables"
MANY = "there are more than 4000 words and signs in one template"
DEEP = "there are more than 20 things within each other"
HOSTILE = [
    ("{% for a in range(10**9) %}{% for b in range(10**9) %}{% endfor %}{% endfor %}", "can only go through a list"),
    ("{% for a in subject %}{% for b in subject %}x{% endfor %}{% endfor %}", "'subject' is no list"),
    ("{% for a in 'xxxx' %}x{% endfor %}", "can only go through a list"),
    ("{% for a in [1, 2] %}x{% endfor %}", "can only go through a list"),
    ("{% for a in subject recursive %}{{ loop(a) }}{% endfor %}", "one list, nothing else"),
    ("{% for a in subject if a %}x{% endfor %}", "one list, nothing else"),
    ("{% for a, b in subject %}x{% endfor %}", "one new name"),
    ("{% for subject in subject %}x{% endfor %}", "one new name"),
    ("{% set a = subject %}{% set a = a ~ a %}{% set a = a ~ a %}{{ a }}", SET),
    ("{% set a %}{{ subject }}{{ subject }}{% endset %}{{ a }}", SET),
    ("{% with a = subject ~ subject %}{{ a }}{% endwith %}", SET),
    ("{{ subject ~ subject ~ subject }}", "'~' is not needed"),
    ("{{ subject * 1000000000 }}", CALCULATE),
    ("{{ 'x' * 4000000000 }}", CALCULATE),
    ("{{ 9 ** 9 ** 9 }}", CALCULATE),
    ("{{ '%1000000000d' % 1 }}", CALCULATE),
    ("{{ subject + subject }}", CALCULATE),
    ("{{ -1 }}", CALCULATE),
    ("{{ '{:>1000000000}'.format(1) }}", CALL),
    ("{{ subject.format(a=subject) }}", CALL),
    ("{{ lipsum(n=100000) }}", CALL),
    ("{{ cycler('a').next() }}", CALL),
    ("{{ [].append(1) }}", CALL),
    ("{{ subject() }}", CALL),
    ("{{ lipsum }}", "there is no variable 'lipsum' here"),
    ("{{ self }}", "there is no variable 'self' here"),
    ("{{ subject.__class__.__mro__ }}", LOOK),
    ("{{ subject['__class__'] }}", LOOK),
    ("{{ subject|attr('__class__') }}", "no filter 'attr'"),
    ("{{ subject[::-1] }}", LOOK),
    ("{{ loop.first }}", LOOK),
    ("{% macro m() %}{{ m() }}{% endmacro %}", "cannot define or use macros"),
    ("{% call subject() %}x{% endcall %}", "cannot define or use macros"),
    ("{% include 'layout.html' %}", FILES),
    ("{% import 'layout.html' as l %}", FILES),
    ("{% from 'layout.html' import l %}", FILES),
    ("{% extends 'layout.html' %}", FILES),
    ("{% block a %}x{% endblock %}", FILES),
    ("{{ subject|center(1000000000) }}", "no filter 'center'"),
    ("{{ subject|indent(1000000000) }}", "no filter 'indent'"),
    ("{{ subject|wordwrap(1) }}", "no filter 'wordwrap'"),
    ("{{ subject|format('x') }}", "no filter 'format'"),
    ("{{ subject|replace('', subject) }}", "no filter 'replace'"),
    ("{{ subject|list|pprint }}", "no filter 'pprint'"),
    ("{{ {'a': subject}|xmlattr }}", "no filter 'xmlattr'"),
    ("{{ {'a': subject} }}", "there are no tables here"),
    ("{{ subject|tojson(indent=1000000000) }}", "no filter 'tojson'"),
    ("{{ subject|batch(1, subject)|list }}", "no filter 'list'"),
    ("{{ subject|safe }}", "no filter 'safe'"),
    ("{{ subject|uper }}", "did you mean 'upper'?"),
    ("{{ contact|default('there') }}", 'write {{ contact or "there" }}'),
    ("{{ subject|truncate }}", "'truncate' takes one whole number in brackets"),
    ("{{ subject|truncate(length=5) }}", "'truncate' takes one whole number in brackets"),
    ("{{ subject|truncate(5, true, subject) }}", "'truncate' takes one whole number in brackets"),
    ("{{ subject|upper(*subject) }}", "'upper' takes nothing in brackets"),
    ("{{ subject|upper(**subject) }}", "'upper' takes nothing in brackets"),
    ("{{ subject|join(subject) }}", "'join' takes one text in quotes in brackets"),
    ("{% filter upper %}x{% endfilter %}", "a filter stands behind one variable"),
    ("{% if contact is defined %}x{% endif %}", "there is no 'is' here"),
    ("{% autoescape false %}{{ subject }}{% endautoescape %}", "is not possible in a template"),
    ("{{ [subject, subject] }}", "nothing but words and numbers"),
    ("{{ 'x' if contact }}", "needs an 'else'"),
    ("{% do subject.append(1) %}", "unknown tag 'do'"),
    ("{% raw %}{{ contact }}{% endraw %}", "a mail that holds '{{' never leaves"),
    ("{{ '{%' }}", "a mail that holds '{%' never leaves"),
    ("{{ '{' }}{{ '{' }}", "a mail that holds '{' never leaves"),
    (WHEN, "never leaves"),
    ("{{ " + "(" * 1_000 + "1" + ")" * 1_000 + " }}", DEEP),
    ("{{ " + "not " * 1_500 + "contact }}", DEEP),
    ("{{ contact" + " or contact" * 500 + " }}", DEEP),
    ("{{ contact" + "|upper" * 1_000 + " }}", DEEP),
    ("{% if contact %}" * 3_000 + "{% endif %}" * 3_000, "is longer than 65536 characters"),
    ("{% if contact %}" * 1_000 + "{% endif %}" * 1_000, MANY),
    ("{% if contact %}" * 300 + "{% endif %}" * 300, DEEP),
    ("{{ contact }}" * 2_000, MANY),
    ("{{ subject" + "(1)" * 9_000 + " }}", MANY),
    ("{{ 1" + " < 1" * 9_000 + " }}", MANY),
    ("{{ " + "1" * 30_000 + " }}", "cannot be read"),
    ("x" * 70_000, "is longer than 65536 characters"),
]


@pytest.mark.parametrize(("body", "words"), HOSTILE, ids=[body[:40] for body, _ in HOSTILE])
def test_what_could_be_endless_is_refused_when_it_is_read(body: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_template(body, name="own.txt", variables=ACKNOWLEDGEMENT, lists={}, first_line=3)
    assert words in refused.value.problems[0].what
    assert refused.value.problems[0].where in ("own.txt:3", "own.txt")


def test_the_layout_is_held_to_the_same(folder: Path) -> None:
    seen = 0
    for body, words in HOSTILE:
        source = body.replace("subject", "language").replace("contact", "language")
        with pytest.raises(ConfigError) as refused:
            read_template(source, name="layout.html", variables=frozenset({"language"}), lists={}, markup=True)
        seen += words.replace("subject", "language") in refused.value.problems[0].what
    assert seen > len(HOSTILE) - 5


def test_problems_are_told_together_and_not_without_end(folder: Path) -> None:
    write(folder, "{{ nam }}\n{{ f(1) }}\n\n{{ contact|safe }}")
    with pytest.raises(ConfigError) as refused:
        load_templates(template_files(folder))
    assert [problem.where for problem in refused.value.problems] == ["own.txt:3", "own.txt:4", "own.txt:6"]
    write(folder, "{% for a in contact %}{% for b in contact %}x{% endfor %}{% endfor %}" * 100)
    with pytest.raises(ConfigError) as refused:
        load_templates(template_files(folder))
    assert len(refused.value.problems) == 10
    assert {problem.where for problem in refused.value.problems} == {"own.txt:3"}


ROWS = ["first", "second", "third"]
LISTED = "1first, 2second, 3third"
GOOD = [
    ("Dear {{ contact or 'client' }},", "Dear Ann,"),
    ("{{ empty or 'client' }}", "client"),
    ("{% if empty %}a{% elif contact %}b{% else %}c{% endif %}", "b"),
    ("{% if empty %}a{% elif empty %}b{% else %}c{% endif %}", "c"),
    ("{% if not empty and contact and (minutes > 20) %}yes{% endif %}", "yes"),
    ("{% if 10 <= minutes < 30 %}short{% else %}long{% endif %}", "long"),
    ("{% if contact == 'Ann' %}1{% endif %}{% if contact != 'Bob' %}2{% endif %}", "12"),
    ("{% if contact in ['Ann', 'Bob'] %}1{% endif %}{% if contact not in ('Eve', 'Bob') %}2{% endif %}", "12"),
    ("{% if 'nn' in contact %}1{% endif %}", "1"),
    ("{{ 'known' if contact else 'new' }}", "known"),
    ("{{ minutes }} {{ true }} {{ 1.5 }} {{ none }}", "30 True 1.5 None"),
    ("{% for row in rows %}{{ loop.index }}{{ row }}{% if not loop.last %}, {% endif %}{% endfor %}", LISTED),
    ("{% for row in rows %}{% if loop.first %}: {% endif %}{{ row|upper }}{% endfor %}", ": FIRSTSECONDTHIRD"),
    ("{% for row in nothing %}x{% else %}none{% endfor %}", "none"),
    ("{% for row in rows %}\n- {{ row }}\n{% endfor %}\nend", "- first\n- second\n- third\nend"),
    ("{%for p in pages %}{% for l in p %}{{ l }}{% if not loop.last %}+{% endif %}{% endfor %}.{% endfor %}", "a+b.c."),
    ("{% for lines in pages %}{{ lines|join('-') }}{{ loop.last }};{% endfor %}", "a-bFalse;cTrue;"),
    ("{{ rows|join(', ') }} {{ rows|length }} {{ rows|first }} {{ rows|last }}", "first, second, third 3 first third"),
    ("{{ contact|upper }}{{ contact|lower }}{{ 'ann lee'|title }}", "ANNannAnn Lee"),
    ("{{ 'ann'|capitalize }}{{ ' a '|trim }}", "Anna"),
    ("{# a note {{ contact }} #}x{{- contact -}} y", "xAnny"),
    ("a\n  {% if contact %}\n  b\n  {% endif %}\nc", "a\n  b\nc"),
    ("{ {{ contact }} } {x", "{ Ann } {x"),
    ("'Grüße' “{{ contact }}” 100 % }}", "'Grüße' “Ann” 100 % }}"),
]  # fmt: skip
VALUES: dict[str, Any] = {
    "contact": "Ann", "empty": "", "minutes": 30, "rows": ROWS, "nothing": [], "pages": [["a", "b"], ["c"]],
}  # fmt: skip


@pytest.mark.parametrize(("source", "made"), GOOD)
def test_good_templates_are_filled_as_jinja2_would(source: str, made: str) -> None:
    lists = {"rows": 1, "nothing": 1, "pages": 2}
    template = read_template(source, name="own.txt", variables=frozenset(VALUES), lists=lists)
    assert fill(template, VALUES) == made
    jinja2 = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    assert jinja2.from_string(source).render(VALUES) == made


def test_every_shipped_template_is_filled_as_jinja2_would(folder: Path) -> None:
    templates = load_templates(template_files(folder))
    jinja2 = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    markup = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    layout = markup.from_string((folder / "layout.html").read_text(encoding="utf-8"))
    seen = 0
    for stem in templates.bodies:
        known = VARIABLES.get(stem.split(".")[0], ACKNOWLEDGEMENT)
        for empty in (False, True):
            values: dict[str, Any] = dict.fromkeys(known, "") if empty else {name: f"<{name}> & 'x'" for name in known}
            values |= {"evidence": [] if empty else ["one", "two & three"], "signals": [] if empty else ["three"]}
            values |= {"text": "" if empty else "a\n\nb\nc <d>"}
            source = (folder / f"{stem}.txt").read_text(encoding="utf-8")
            head, _, body = source.partition("\n")
            made = render(templates, stem, language="", variables=values)
            assert made.subject == " ".join(jinja2.from_string(head[8:].strip()).render(values).split())
            assert made.text == jinja2.from_string(body.lstrip("\n")).render(values).strip() + "\n"
            paragraphs = [each.split("\n") for each in made.text.strip().split("\n\n")]
            wanted = layout.render(subject=made.subject, language="en", paragraphs=paragraphs)
            assert html.unescape(made.html) == html.unescape(wanted)
            assert "<d>" not in made.html
            assert "<subject>" not in made.html
            seen += 1
    assert seen > 40


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{{ due > 5 }}", "'>' not supported"),
        ("{{ 5 in due }}", "string"),
        ("{{ due|join(', ') }}", "only a list can be joined"),
        ("x" * 30_000 + "{{ subject }}" * 30, "it makes more than 48000 characters"),
    ],
)
def test_a_template_that_fails_is_permanent(folder: Path, body: str, words: str) -> None:
    write(folder, body)
    templates = load_templates(template_files(folder))
    with pytest.raises(Permanent, match=r"the template own\.txt failed: ") as held:
        render(templates, "own", language="en", variables=ACK | {"subject": "y" * 2_000})
    assert words in str(held.value)


def test_a_variable_without_a_value_holds_the_mail(folder: Path) -> None:
    templates = load_templates(template_files(folder))
    without = {name: value for name, value in ACK.items() if name != "team"}
    with pytest.raises(Permanent, match=r"request\.txt failed: 'team' has no value"):
        render(templates, "request", language="en", variables=without)
    with pytest.raises(Permanent, match="'team' is no text"):
        render(templates, "request", language="en", variables=ACK | {"team": None})
    with pytest.raises(Permanent, match=r"no-such\.txt failed"):
        render(templates, "no-such", language="en", variables=ACK)


def test_work_is_counted_so_that_no_template_is_endless() -> None:
    inner = "{% for line in lines %}" + "{% if line|upper|lower|title == 'x' %}y{% endif %}" * 100 + "{% endfor %}"
    source = "{% for lines in pages %}" + inner + "{% endfor %}"
    template = read_template(source, name="layout.html", variables=frozenset({"pages"}), lists={"pages": 2})
    assert fill(template, {"pages": [["a"] * 10] * 2}) == ""
    for pages in ([["a"] * 1_000] * 1_000, [["a" * 100_000] * 10]):
        with pytest.raises(ValueError, match="it takes more than 30000 steps"):
            fill(template, {"pages": pages})


def test_a_filling_stops_as_soon_as_it_is_too_long() -> None:
    template = read_template(
        "{% for row in rows %}{{ row }}{% endfor %}", name="own.txt", variables=frozenset({"rows"}), lists={"rows": 1}
    )
    taken = 0

    class Counted(str):
        __slots__ = ()

        def __str__(self) -> str:
            nonlocal taken
            taken += 1
            return "x" * 1_000

    with pytest.raises(ValueError, match="more than 48000 characters"):
        fill(template, {"rows": [Counted("x")] * 10_000})
    assert taken == 49


def test_filters_are_all_shown_to_be_linear() -> None:
    arguments: dict[str, tuple[Any, ...]] = {"join": (", ",), "truncate": (10,)}
    for name, (function, wanted) in FILTERS.items():
        assert tuple(map(type, arguments.get(name, ()))) == wanted
        value: Any = ["ŉß"] * 500 if name == "join" else "ŉß" * 500
        made = function(value, *arguments.get(name, ()))
        assert isinstance(made, int) or len(made) <= 3 * len("ŉß" * 500)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("{{ team }}", "{ { team }}"),
        ("{% if x %}", "{ % if x %}"),
        ("{{{{", "{ { { {"),
        ("a {", "a {"),
        ("{ a }", "{ a }"),
        (WHEN, WHEN[0] + " " + WHEN[1:]),
        ("a\r\n\r\nBcc: x@y.example", "a Bcc: x@y.example"),
        ("a\u2028b\x85c\x0bd\te", "a b c d e"),
        ("a\0b\x1b[31mc\x9bd", "a b [31mc d"),
        ("\u202eevil\u202c \u2066x\u2069", "evil x"),
        ("\ud800\udfff!", "??!"),
        ("\ufffd", "\ufffd"),
        ("שלום עולם", "שלום עולם"),
        ("x" * 5_000, "x" * (MAX_VALUE_CHARACTERS - 1) + "…"),
    ],
)
def test_hostile_values_are_made_harmless_and_do_not_stop_the_mail(folder: Path, given: str, shown: str) -> None:
    (folder / "own.txt").write_text("Subject: {{ subject }}|\n\n[{{ subject }}]{{ contact }}\n", encoding="utf-8")
    made = render(
        load_templates(template_files(folder)),
        "own",
        language="en",
        variables=ACK | {"subject": given, "contact": "{ {"},
    )
    assert made.subject == (shown + "|" if not given.endswith("{") else shown + " |")
    assert f"[{shown}" in made.text
    assert "{{" not in made.text + made.html + made.subject
    assert "{%" not in made.text + made.html + made.subject


def test_only_the_time_may_be_a_mark_and_only_the_text_may_have_lines(folder: Path) -> None:
    templates = load_templates(template_files(folder))
    values = dict.fromkeys(VARIABLES["invitation"], WHEN) | {"minutes": 30}
    made = render(templates, "invitation", language="en", variables=values)
    assert made.subject.count(WHEN) == made.text.count(WHEN) == 1
    values = dict.fromkeys(VARIABLES["escalation"], "a\nb") | {"text": "c\n\nd" * 2_000, "evidence": ["e\nf"] * 99}
    values["signals"] = ["g\nh"]
    made = render(templates, "escalation", language="en", variables=values)
    assert "a\nb" not in made.text
    assert made.text.count("- e f\n") == MAX_ITEMS
    assert "c\n\ndc" in made.text
    shown = made.text.partition("What they wrote:\n\n")[2].partition("…")[0]
    assert MAX_TEXT_CHARACTERS - 2 <= len(shown) < MAX_TEXT_CHARACTERS


def test_hostile_values_cannot_leave_the_html_text(folder: Path) -> None:
    hostile = '<script>alert(1)</script><img src=x onerror="x">&lt;b&gt;\'"'
    made = render(
        load_templates(template_files(folder)), "request", language="en", variables=ACK | {"contact": hostile}
    )
    assert hostile in made.text
    assert html.escape(hostile) in made.html
    assert re.search(r"<(script|img)", made.html) is None
