"""Templates are proofread: what is wrong or would come out wrong is named by file and line, with what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from tests.desk import NOW
from triaged.mail.render import ACKNOWLEDGEMENT, NEEDED, VARIABLES, load_templates, read_templates, render
from triaged.mail.template import trace
from triaged.proofread import Proof, proofread
from triaged.rules.grammar import RuleSet
from triaged.rules.load import parse_rules
from triaged.samples import CLIENTS, Ours, circumstances, emptied, may_be_empty, sample
from triaged.shipped import shipped
from triaged.written import template_files

ROOT = Path(__file__).parents[2]
OURS = Ours("Client Desk", "desk@firm.example", "Lena Brandt", "by phone", "Europe/Berlin", "en")
SHIPPED = template_files(shipped("templates"))
FEWEST = {name: SHIPPED[name] for name in ("layout.html", *(f"{each}.txt" for each in NEEDED))}
"""What must be there."""
END = "\nReference {{ reference }}\n"
GOOD = "Subject: Mail ({{ reference }})\n\n{% if contact %}Dear {{ contact }}{% else %}Hello{% endif %},\n\nit came.\n"


def proof_of(
    files: dict[str, str | bytes],
    *,
    rules: RuleSet | None = None,
    others: tuple[str, ...] = (),
    beside: Mapping[str, bytes] = SHIPPED,
) -> Proof:
    """The templates of `beside` with these in their place or as well."""
    octets = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    people = frozenset({"en", "de"})
    return proofread({**beside, **octets}, rules=rules, ours=OURS, colleagues=people, now=NOW, others=others)


def rules_of(text: str) -> RuleSet:
    names = frozenset(name.split(".")[0] for name in SHIPPED) | {"own"}
    return parse_rules({"a.toml": text.encode()}, templates=names, people=frozenset())


def test_the_shipped_templates_are_without_a_fault() -> None:
    handling = (ROOT / "triaged/rules/starter/handling.toml").read_text(encoding="utf-8")
    proof = proofread(SHIPPED, rules=rules_of(handling), ours=OURS, colleagues=frozenset({"en", "de"}), now=NOW)
    assert (proof.problems, proof.hints) == ((), ())
    assert proof.filled > 100


WRONG = [
    # cannot be read
    ("Subject: x\n\nDear {{ contct }},\n", "own.txt:3", "there is no variable 'contct' here; did you mean 'contact'?"),
    ("Subject: {{ referense }}\n\nx\n", "own.txt:1", "did you mean 'reference'?"),
    ("Dear client,\n\nx\n", "own.txt:1", "must begin with a line 'Subject: …'"),
    ("Betreff: Ihre Mail\n\nx\n", "own.txt:1", "the word is Subject in every language, not 'Betreff'"),
    ("\nSubject: x\n\nx\n", "own.txt:1", "it stands in line 2, move it to the top"),
    ("Subject:\n\nx\n", "own.txt:1", "nothing stands behind 'Subject:'"),
    ("Subject: x\n\na\n{% if due %}\nb\n", "own.txt:4", "{% if … %} begins here and never ends; write {% endif %}"),
    ("Subject: x\n\n{% for a in b %}{% endif %}\n", "own.txt:3", "{% for … %} begins here and never ends"),
    ("Subject: x\n\na{% endif %}\n", "own.txt:3", "there is {% endif %} without its beginning"),
    ("Subject: x\n\n{% if due %}a{% else if contact %}b{% endif %}\n", "own.txt:3", "{% elif … %}"),
    ("Subject: x\n\n{% if category = 'x' %}a{% endif %}\n", "own.txt:3", "write two equals signs"),
    ("Subject: x\n\n{{ contact or “client” }}\n", "own.txt:3", "“ is a curly quote"),
    ("Subject: x\n\n{{ contact or 'client }}\n", "own.txt:3", "a text in quotes begins here and never ends"),
    ("Subject: x\n\n{{ contact name }}\n", "own.txt:3", "there is 'name' too many"),
    ("Subject: x\n\n{{ }}\n", "own.txt:3", "a variable is missing before }}"),
    ("Subject: x\n\n{% if %}a{% endif %}\n", "own.txt:3", "a variable is missing before %}"),
    ("Subject: x\n\n{{{ contact }}}\n", "own.txt:3", "three braces in a row"),
    ("Subject: x\n\n{{ contact }\n", "own.txt:3", "{{ contact }} ends with two braces"),
    ("Subject: x\n\n{{ contact\n", "own.txt:3", "write }} behind it"),
    ("Subject: x\n\n{# note\n", "own.txt:3", "the note that begins here never ends"),
    ("Subject: x\n\n{% fi due %}\n", "own.txt:3", "unknown tag 'fi'; there are if, elif, else, endif, for and endfor"),
    ("Subject: x\n\n{% for words of evidence %}a{% endfor %}\n", "own.txt:3", "{% for words in evidence %}"),
    (b"Subject: x\n\nGr\xfc\xdfe\n", "own.txt:3", "is not UTF-8 text (the word is perhaps 'Grüße'); save the file as"),
    # can be read, and comes out wrong
    (f"Subject: x\n\nDear {{{{ contact }}}},\n{END}", "own.txt:3", "a space before ',', in “Dear ,”, when 'contact'"),
    (f"Subject: x\n\n{{% if contact %}}Dear {{{{ contact }}}}{{% endif %}},\n{END}", "own.txt:3", "it begins with ','"),
    (f"Subject: x\n\na\n\nby {{{{ due }}}} we answer\n{END}", "own.txt:5", "two spaces in a row, in “by  we answer”"),
    (f"Subject: x\n\nyou hear from us by {{{{ due }}}}.\n{END}", "own.txt:3", "a space before '.'"),
    (f"Subject: x\n\nyour mail, {{{{ subject }}}}, came\n{END}", "own.txt:3", "', ,' where one sign is enough"),
    (f"Subject: x\n\nyour mail \"{{{{ subject }}}}\" came\n{END}", "own.txt:3", "nothing between the quotation marks"),
    (f"Subject: x\n\nyour mail ({{{{ subject }}}}) came\n{END}", "own.txt:3", "nothing between the brackets"),
    (f"Subject: x\n\nyour mail (of {{{{ account }}}}) came\n{END}", "own.txt:3", "a space inside the brackets"),
    (f"Subject: x\n\nDue: {{{{ due }}}}\n{END}", "own.txt:3", "nothing stands behind ':', in “Due:”, when 'due'"),
    (f"Subject: x\n\nHello\n\n{{{{ due }}}}\n\nBye\n{END}", "own.txt:5", "more than one empty line follows, in “Hel"),
    (
        f"Subject: x\n\nHello,\n\n{{% if due %}}\nBy {{{{ due }}}}.\n{{% endif %}}\n\nBye\n{END}",
        "own.txt:8",
        "more than one empty line follows, in “Hello,”, when 'due' is empty; put what belongs to it into {% if due %}",
    ),
    (f"Subject: x\n\na\n{{{{ contact }}}} wrote\n{END}", "own.txt:4", "it begins with a space"),
    (f"Subject: x\n\nDear {{{{ contact }}}}}},\n{END}", "own.txt:3", "braces are left over"),
    (f"Subject: x\n\nHello }}}},\n{END}", "own.txt:3", "braces are left over"),
    (f"Subject: x\n\nHello,\n\ndear {{contact}}\n{END}", "own.txt:5", "'{contact}' is sent as it is (the variable is"),
    (f"Subject: x\n\nHello [Contact]\n{END}", "own.txt:3", "'[Contact]' is sent as it is"),
    (f"Subject: x\n\nHello %contact%\n{END}", "own.txt:3", "'%contact%' is sent as it is"),
    (f"Subject: {{{{ subject }}}}\n\nx\n{END}", "own.txt:1", "an empty subject, when 'subject' is empty; write"),
    (f"Subject: {{{{ account }}}}: your mail\n\nx\n{END}", "own.txt:1", "it begins with ':'"),
    (f"Subject: Re: {{{{ subject }}}}\n\nx\n{END}", "own.txt:1", "nothing stands behind ':', in “Re:”, when"),
    (f"Subject: {'so long ' * 30}\n\nx\n{END}", "own.txt:1", "the subject has 239 characters, more than 200"),
    ("Subject: {{ reference }}\n", "own.txt", "the mail has no text; write it below the Subject line"),
    (f"Subject: x\n\n{{% if due > 5 %}}a{{% endif %}}{END}", "own.txt:3", "a text and a number cannot be compared"),
    (f"Subject: x\n\n\n{{% for line in subject %}}a{{% endfor %}}{END}", "own.txt:4", "'subject' is no list"),
    (f"Subject: x\n\n{'y' * 48_000}{END}", "own.txt:3", "it makes more than 48000 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where", "words"), WRONG, ids=[words[:40] for _, _, words in WRONG])
def test_what_is_wrong_is_named_by_line(text: str | bytes, where: str, words: str) -> None:
    assert len(WRONG) >= 25
    problems = proof_of({"own.txt": text}, beside=FEWEST).problems
    assert [each.where for each in problems if words in each.what][:1] == [where]
    assert all(each.where.startswith("own.txt") for each in problems)


DOUBTFUL = [
    ("Subject: x ({{ reference }})\n\nSo it is.  And so on.\n", "own.txt:3", "two spaces in a row"),
    ("Subject: x ({{ reference }})\nReply-To: a@b.example\n\nx\n", "own.txt:2", "'Reply-To:' is sent as part of"),
    ("Subject: x\n\nHello\n", "own.txt", "never says {{ reference }}: the client has nothing to name when they call"),
    ("Subject: {{ reference }} {{ subject }}\n\nx\n", "own.txt:1", "write {{ subject|truncate(60) }}"),
    (GOOD, "own.txt", "is not there in German, Spanish and French, though other templates are; write 'own.de.txt'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where", "words"), DOUBTFUL, ids=[words[:40] for _, _, words in DOUBTFUL])
def test_what_may_be_meant_is_a_hint(text: str, where: str, words: str) -> None:
    proof = proof_of({"own.txt": text})
    assert proof.problems == ()
    assert [each.where for each in proof.hints if words in each.what] == [where]


FILES = [
    ({"own.DE.txt": GOOD, "own.txt": GOOD}, "own.DE.txt", "'DE' is no language", "'own.de.txt'"),
    ({"own.german.txt": GOOD, "own.txt": GOOD}, "own.german.txt", "'german' is no language", "two small letters"),
    ({"own.de.txt": GOOD}, "own.de.txt", "there is no 'own.txt' for all other languages", "write that too"),
    ({"none.txt": GOOD}, "none.txt", "'none' in a rule forbids an answer", "call it otherwise"),
    ({"invitation.txt": GOOD}, "invitation.txt", "never says {{ when }}", "is not told when the call is"),
    ({"layout.html": "<p>{{ subject }}</p>"}, "layout.html", "never says 'paragraphs'", "the HTML part has no text"),
    ({"layout.html": "<p>\n{{ subjct }}</p>"}, "layout.html:2", "no variable 'subjct'", "did you mean 'subject'?"),
]


@pytest.mark.parametrize(("files", "where", "words", "more"), FILES, ids=[where for _, where, _, _ in FILES])
def test_files_that_cannot_be_used(files: dict[str, str | bytes], where: str, words: str, more: str) -> None:
    [found] = [each for each in proof_of(files).problems if words in each.what]
    assert found.where == where
    assert more in found.what


DE = "Subject: Ihre Mail ({{ reference }})\n\nGuten Tag,\n\nwir haben Ihre Nachricht und melden uns bei Ihnen.\n"
BESIDE = [
    ({"complaint.de.txt": DE}, "complaint.de.txt", "{{ due }}, {{ minutes }}, {{ organizer }}, {{ slots }} and"),
    ({"own.txt": DE, "own.de.txt": DE.replace("wir", "wir, {{ team }},")}, "own.de.txt", "says {{ team }}, which"),
    ({"own.txt": GOOD, "own.de.txt": GOOD}, "own.de.txt", "is the same as own.txt, word for word"),
    ({"own.txt": DE, "own.fr.txt": DE + "Bis bald.\n"}, "own.fr.txt", "reads like German, but by its name it is"),
    ({"complaint_de.txt": GOOD}, "complaint_de.txt", "if it is 'complaint' in German, call it 'complaint.de.txt'"),
    ({"other.html": "<p>x</p>"}, "other.html", "the HTML part of every mail is made by layout.html"),
    ({"complaint.it.txt": DE}, "received.txt", "though other templates are; write 'received.it.txt'"),
    ({"escalation.txt": "Subject: x\n\n{{ reference }}\n"}, "escalation.txt", "never says {{ sender }}: nobody"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "where", "words"), BESIDE, ids=[words[:40] for _, _, words in BESIDE])
def test_files_that_do_not_go_together(files: dict[str, str | bytes], where: str, words: str) -> None:
    assert [each.where for each in proof_of(files).hints if words in each.what] == [where]


def test_an_acknowledgement_has_a_place_for_times_where_a_rule_offers_some() -> None:
    rule = '[[rule]]\nname = "One"\nwhen.says = "x"\nwhen.account = "*"\nthen.acknowledge = "own"\nthen.call = {}\n'
    for call, hinted in (('{ with = "coordinator", way = "offer" }', True), ('{ with = "coordinator" }', False)):
        hints = proof_of({"own.txt": GOOD}, rules=rules_of(rule.format(call))).hints
        assert ["{{ slots }}" in each.what for each in hints if each.where == "own.txt"].count(True) == hinted


def test_a_template_that_nobody_names_is_a_hint() -> None:
    rule = '[[rule]]\nname = "One"\nenabled = {}\nwhen.says = "x"\nthen.acknowledge = "own"\n'
    own = {"own.txt": GOOD}
    [hint] = [each for each in proof_of(own, rules=rules_of(rule.format("false"))).hints if each.where == "own.txt"]
    assert hint.what == "only rules that are switched off name it, so nobody gets it"
    unnamed = {
        each.where for each in proof_of(own, rules=rules_of(rule.format("true"))).hints if "no rule" in each.what
    }
    assert unnamed == {
        "complaint.txt",
        "renewal.txt",
        "request.txt",
    }  # received, invitation, escalation are always used
    assert not any("name it" in each.what for each in proof_of(own, rules=None).hints)


def test_files_that_are_not_read_are_named() -> None:
    hints = proof_of({}, others=("complaint.docx", "Own.TXT")).hints
    assert [each.where for each in hints] == ["Own.TXT", "complaint.docx"]
    assert "the name of a template ends in .txt" in hints[0].what


def test_every_problem_of_every_template_at_once() -> None:
    proof = proof_of({
        "a.txt": "Hello {{ x }}\n",
        "b.txt": "Subject: {{ x }}\n\n{{ y }}\n{{ contact.name }}\n",
        "c.txt": f"Subject: x\n\nDear {{{{ contact }}}},\n\nyour mail ({{{{ subject }}}}) came\n{END}",
    })  # fmt: skip
    wheres = [each.where for each in proof.problems]
    assert wheres == ["a.txt:1", "a.txt:1", "b.txt:1", "b.txt:3", "b.txt:4", "c.txt:3", "c.txt:5"]


def test_each_slip_is_told_once_in_the_plainest_circumstance() -> None:
    proof = proof_of({"own.txt": f"Subject: x\n\nDear {{{{ contact }}}},\n{END}"})
    [problem] = proof.problems
    assert problem.what == (
        "a space before ',', in “Dear ,”, when 'contact' is empty; put what belongs to it into "
        "{% if contact %} … {% endif %}"
    )


FINE = [
    "Subject: x {{ reference }}\n\nCall us:\n\n+49 40 123 (9-17)\n\n... and so on :)\n\n-- \nThe team\n",
    "Subject: x {{ reference }}\n\n{{ contact or 'Hello' }},\n\n  - one\n  - two (a, b; c.)\n\n[ ] yes   e.g. 12:30\n",
    "Subject: x {{ reference }}\n\nSee https://firm.example/a,b;c or a < b > c, 100 % {sic} \"so\" 'so' „so“.\n",
]


@pytest.mark.parametrize("text", FINE)
def test_what_is_fine_is_left_alone(text: str) -> None:
    assert proof_of({"own.txt": text}).problems == ()


def test_french_has_its_spaces_and_others_do_not() -> None:
    text = "Subject: Votre message ({{ reference }})\n\nBonjour !\n\nVotre message est bien arrivé ; merci.\n"
    assert proof_of({"own.txt": text, "own.fr.txt": text}).problems == ()
    assert [each.where for each in proof_of({"own.txt": text}).hints if "space before" in each.what] == [
        "own.txt:3",
        "own.txt:5",
    ]


# --- the made-up values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["complaint", *sorted(VARIABLES)])
@pytest.mark.parametrize("language", ["", "xx", *sorted(CLIENTS)])
def test_every_variable_has_a_made_up_value(name: str, language: str) -> None:
    values = sample(name, language=language, ours=OURS, now=NOW)
    assert values.keys() == VARIABLES.get(name, ACKNOWLEDGEMENT)
    assert all(value for value in values.values())
    empty = emptied(values, circumstances(name)[-1])
    assert {each for each, value in empty.items() if not value} == may_be_empty(name)
    made = render(load_templates(SHIPPED), name, language=language, variables=values)
    assert made.text != render(load_templates(SHIPPED), name, language=language, variables=empty).text


def test_what_may_be_empty_is_documented() -> None:
    text = (ROOT / "docs/templates.md").read_text(encoding="utf-8")
    headings = {"": "Acknowledgements", "escalation": "`escalation`", "invitation": "`invitation`"}
    for name, heading in headings.items():
        rows = [
            line for line in text.split(f"## {heading}", 1)[1].split("\n## ")[0].splitlines() if line.startswith("| `")
        ]
        said = {
            each
            for row in rows
            if re.search(r"\bempty\b|\b0 when\b", row)
            for each in re.findall(r"`([a-z_]+)`", row.split("|")[1])
        }
        assert said == may_be_empty(name), name


def test_days_are_made_up_from_the_day_it_is() -> None:
    first, later = (sample("complaint", language="de", ours=OURS, now=NOW + timedelta(days=n)) for n in (0, 7))
    assert first["due"] == "Mittwoch, 18. November 2026"
    assert later["due"] == "Mittwoch, 25. November 2026"


def test_a_trace_says_where_each_word_stands() -> None:
    text = "Subject: a\n\n\nHello {{ contact }},\n{% if due %}\n  by {{ due }}\n{% endif %}\n\nBye\n{{ team }}\n"
    body = read_templates({"own.txt": text.encode()}).bodies["own"]
    pieces, stopped = trace(body, {"contact": "Ann", "due": "Friday", "team": "Desk"})
    assert stopped is None
    assert "".join(piece.text for piece in pieces) == "Hello Ann,\n  by Friday\n\nBye\nDesk\n"
    lines = text.split("\n")
    seen = 0
    for piece in pieces:
        for number, part in enumerate(piece.text.split("\n")):
            if not piece.is_value and part.strip() != "":
                assert part.strip() in lines[piece.line + number - 1]
                seen += 1
    assert [piece.line for piece in pieces if piece.is_value] == [4, 6, 10]
    assert seen >= 4
    _, stopped = trace(body, {"contact": "Ann"})
    assert stopped == (5, "'due' has no value")
