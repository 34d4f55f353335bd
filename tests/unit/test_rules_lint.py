"""Hints about rules that load: each is given where it is right, and not where it would be a false alarm."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import triaged.rules
from triaged.errors import Problem
from triaged.rules.implies import always_holds, implies
from triaged.rules.lint import lint
from triaged.rules.load import parse_rules
from triaged.written import rule_files

TEMPLATES = frozenset({"received", "complaint", "renewal", "request"})
PEOPLE = frozenset({"lena", "marek"})
MAILBOXES = frozenset({"desk", "support"})
TODAY = date(2026, 11, 17)
EXAMPLE = '[[rule.example]]\nmail = "x"\ngives.category = "request"\n'
ALL_TEMPLATES = (
    '[[rule]]\nname = "All"\nbecause = "b"\nwhen.from = "all@templates.example"\nthen.acknowledge = "complaint"\n'
    '[[rule]]\nname = "All 2"\nbecause = "b"\nwhen.from = "two@templates.example"\nthen.acknowledge = "renewal"\n'
    '[[rule]]\nname = "All 3"\nbecause = "b"\nwhen.from = "three@templates.example"\nthen.acknowledge = "request"\n'
    '[[rule]]\nname = "All 4"\nbecause = "b"\nwhen.from = "four@templates.example"\nwhen.category = "request"\n'
    'then.priority = "low"\n'
)


def rule(name: str, body: str, *, because: str = "b") -> str:
    reason = f'because = "{because}"\n' if because else ""
    return f'[[rule]]\nname = "{name}"\n{reason}{body}\n'


def hints(*rules: str, files: dict[str, bytes] | None = None) -> list[Problem]:
    """Of these rules in a.toml; what is there besides gives none itself."""
    written = {"a.toml": "".join(rules).encode(), "z.toml": ALL_TEMPLATES.encode(), **(files or {})}
    loaded = parse_rules(written, templates=TEMPLATES, people=PEOPLE, mailboxes=MAILBOXES)
    return list(lint(loaded, files=written, templates=TEMPLATES, mailboxes=MAILBOXES, today=TODAY))


def one(body: str) -> list[tuple[str, str]]:
    """Where and what, of one rule whose first condition stands on line 4 (it handles: no example is missed)."""
    return [(each.where, each.what) for each in hints(rule("A", body))]


def test_the_rules_that_ship_give_no_hint() -> None:
    files = rule_files(Path(triaged.rules.__file__).parent / "starter")
    loaded = parse_rules(files, templates=TEMPLATES, people=frozenset())
    assert len(loaded.rules) > 40
    assert lint(loaded, files=files, templates=TEMPLATES, mailboxes=MAILBOXES, today=TODAY) == ()


def test_what_is_right_gives_no_hint() -> None:
    assert hints() == []
    assert one('when.says = "invoice"\nthen.priority = "high"') == []


IMPOSSIBLE = [
    # what stands in the rule, the line, words of the hint; a rule much like it that gives none
    (
        'when.account = "none"\nwhen.tier = "gold"\nthen.priority = "high"',
        4,
        "when.tier exclude each other",
        'when.account = "*"\nwhen.tier = "gold"\nthen.priority = "high"',
    ),
    (
        'when.account = "none"\nwhen.manager = "lena"\nthen.priority = "high"',
        4,
        "when.manager exclude each other",
        'when.account = ["none", "c-1"]\nwhen.manager = "lena"\nthen.priority = "high"',
    ),
    (
        'when.account = "none"\nwhen.contract_ends_within = "60 days"\nthen.priority = "high"',
        4,
        "when.contract_ends_within exclude each other",
        'when.contract_ends_within = "60 days"\nthen.priority = "high"',
    ),
    (
        'when.account = "none"\nwhen.open_items = ">= 1"\nthen.priority = "high"',
        4,
        "when.open_items exclude each other",
        'when.account = "none"\nwhen.open_items = "< 3"\nthen.priority = "high"',
    ),
    (
        'when.account = "none"\nthen.escalate = "account manager"',
        5,
        "has no account manager",
        'when.account = "none"\nthen.escalate = "coordinator"',
    ),
    (
        'when.account = "none"\nthen.call = { with = "lena", within = "1 day" }',
        5,
        "no call can be booked",
        'when.account = "*"\nthen.call = { with = "lena", within = "1 day" }',
    ),
    (
        'when.automatic = "machine"\nthen.acknowledge = "request"',
        5,
        "a machine is never answered",
        'when.automatic = ["hold", "machine"]\nthen.acknowledge = "request"',
    ),
    (
        'when.automatic = "machine"\nthen.call = { with = "lena", within = "1 day" }',
        5,
        "then.call does nothing",
        'when.automatic = "machine"\nthen.acknowledge = "none"',
    ),
    (
        'when.score = [">= 0.5", "< 0.8"]\nthen.priority = "high"',
        4,
        'for a span write when.score = ">= 0.5" with unless.score = ">= 0.8"',
        'when.score = ">= 0.5"\nunless.score = ">= 0.8"\nthen.priority = "high"',
    ),
    (
        'when.score = "> 1"\nthen.priority = "high"',
        4,
        "holds for no mail, so this rule can never hold",
        'when.score = ">= 1"\nthen.priority = "high"',
    ),
    (
        'when.risk = ">= 0"\nthen.priority = "high"',
        4,
        "holds for every mail, so it asks for nothing",
        'when.risk = "> 0"\nthen.priority = "high"',
    ),
    (
        'when.says = "x"\nunless.open_items = ">= 0"\nthen.priority = "high"',
        5,
        "refuses every mail, and the rule can never hold",
        'when.says = "x"\nunless.open_items = ">= 1"\nthen.priority = "high"',
    ),
    (
        'when.score = ">= 0.8"\nunless.score = "> 0.7"\nthen.priority = "high"',
        5,
        "can never hold: unless.score refuses all that when.score asks for",
        'when.score = ">= 0.7"\nunless.score = "> 0.8"\nthen.priority = "high"',
    ),
    (
        'when.says = ["not happy", "unhappy"]\nunless.says = ["happy", "unhappy"]\nthen.priority = "high"',
        5,
        "can never hold: unless.says refuses all that when.says asks for",
        'when.says = ["not happy", "unhappy"]\nunless.says = ["happy birthday"]\nthen.priority = "high"',
    ),
    (
        'when.tier = "gold"\nunless.account = "*"\nthen.priority = "high"',
        5,
        "can never hold: unless.account refuses all that when asks for",
        'when.tier = "gold"\nunless.account = "c-1"\nthen.priority = "high"',
    ),
    (
        "when.is_reply = true\nunless.is_reply = true\nthen.stop = true",
        5,
        "can never hold",
        'when.is_reply = true\nunless.subject = "aw"\nthen.stop = true',
    ),
    (
        'when.from = "ann@acme.example"\nunless.from = "*@acme.example"\nthen.priority = "high"',
        5,
        "can never hold",
        'when.from = "*@acme.example"\nunless.from = "ann@acme.example"\nthen.priority = "high"',
    ),
    (
        'when.category = "other"\nunless.category = "complaint"\nthen.priority = "low"',
        5,
        "unless.category does nothing",
        'when.category = "request"\nunless.category = "complaint"\nthen.priority = "low"',
    ),
    (
        'when.tier = ["gold", "silver"]\nunless.tier = "gold"\nthen.priority = "low"',
        5,
        "'gold' stands in when.tier and in unless.tier",
        'when.tier = ["gold", "silver"]\nunless.account = "c-1"\nthen.priority = "low"',
    ),
    (
        'when.tier = "gold"\nunless.tier = "silver"\nthen.priority = "low"',
        5,
        "unless.tier does nothing",
        'when.tier = "gold"\nunless.manager = "lena"\nthen.priority = "low"',
    ),
    (
        'to_date = 2026-11-16\nwhen.says = "x"\nthen.priority = "low"',
        4,
        "the rule ended on 2026-11-16",
        'to_date = 2026-11-17\nwhen.says = "x"\nthen.priority = "low"',
    ),
    (
        'when.account = ["*", "none"]\nthen.priority = "low"',
        4,
        "together are every mail",
        'when.account = ["c-1", "none"]\nthen.priority = "low"',
    ),
    (
        'when.automatic = ["person", "hold", "machine"]\nthen.priority = "low"',
        4,
        "names all there is",
        'when.automatic = ["person", "hold"]\nthen.priority = "low"',
    ),
    (
        'when.mailbox = "sales*"\nthen.priority = "low"',
        4,
        "no mailbox is called like 'sales*' (there is: desk, support)",
        'when.mailbox = "supp*"\nthen.priority = "low"',
    ),
]


@pytest.mark.parametrize(("body", "line", "words", "right"), IMPOSSIBLE)
def test_conditions_that_never_or_always_hold(body: str, line: int, words: str, right: str) -> None:
    [(where, what)] = one(body)
    assert (where, words in what) == (f"a.toml:{line}", True), what
    assert one(right) == []


PHRASES = [
    ('when.says = ["a", "b c",\n "B  C"]\nthen.priority = "low"', 4, "names 'b c' more than once"),
    (
        'when.says = [\n  "credit note",\n  "the credit note",\n]\nthen.priority = "low"',
        6,
        "'the credit note' in when.says does nothing: 'credit note' stands there too",
    ),
    (
        'when.says = ["x"]\nunless.says = ["thank you", "thank you all"]\nthen.priority = "low"',
        5,
        "'thank you all' in unless.says does nothing",
    ),
    (
        'when.says = [\n  "very unhappy",\n  "angry",\n]\nunless.says = "unhappy"\nthen.priority = "low"',
        5,
        "'very unhappy' can never make this rule hold, for unless.says refuses every mail with 'unhappy'",
    ),
    (
        'when.says = ["disappointed", "fed up", "angry"]\nunless.says = "not disappointed"\nthen.priority = "low"',
        5,
        "a mail that says 'not disappointed' in one place and 'disappointed' or one of the 2 other phrases in another "
        "is passed over",
    ),
]


@pytest.mark.parametrize(("body", "line", "words"), PHRASES)
def test_phrases_that_do_nothing_or_more_than_it_seems(body: str, line: int, words: str) -> None:
    [(where, what)] = one(body)
    assert (where, words in what) == (f"a.toml:{line}", True), what


@pytest.mark.parametrize(
    "body",
    [
        'when.says = ["note", "notes", "footnote", "no te"]\nthen.priority = "low"',  # whole words only
        'when.says = ["disappointed"]\nunless.says = ["thank you"]\nthen.priority = "low"',
        'when.says = ["happy"]\nunless.says = ["unhappy"]\nthen.priority = "low"',
        'when.says = "happy"\nunless.says = "not happy"\nthen.priority = "low"\n  [[rule.example]]\n'
        '  mail = "We are NOT  happy."\n  not.priority = "low"',  # the author has shown what is meant
    ],
)
def test_phrases_that_are_right(body: str) -> None:
    assert one(body) == []


def test_a_phrase_of_a_list_is_named_where_the_list_is_named() -> None:
    files = {"lists/angry.txt": b"furious\nso furious\n"}
    [hint] = hints(rule("A", 'when.says = "@angry"\nthen.priority = "low"'), files=files)
    assert hint.where == "a.toml:4"


# --- rules beside each other --------------------------------------------------------------------------------------


def test_a_rule_behind_a_stop_that_it_implies_is_never_reached() -> None:
    stops = rule("Stops", 'when.tier = "gold"\nthen.stop = true')
    [hint] = hints(stops, rule("B", 'when.tier = "gold"\nwhen.says = "x"\nthen.tag = "t"'))
    assert hint.where == "a.toml:6"
    assert "is never reached" in hint.what
    assert "'Stops' (a.toml:1)" in hint.what
    assert hints(rule("B", 'when.tier = "gold"\nwhen.says = "x"\nthen.tag = "t"'), stops) == []
    assert hints(stops, rule("B", 'when.tier = ["gold", "silver"]\nthen.tag = "t"')) == []
    assert (
        hints(stops.replace("then.stop", "enabled = false\nthen.stop"), rule("B", 'when.tier = "gold"\nthen.tag = "t"'))
        == []
    )


def test_a_rule_whose_fields_are_all_set_before_does_nothing() -> None:
    general = rule(
        "General", 'when.category = ["complaint", "renewal"]\nthen.priority = "high"\nthen.escalate = "lena"'
    )
    special = rule("Special", 'when.category = "complaint"\nwhen.tier = "gold"\nthen.priority = "urgent"')
    [hint] = hints(general, special)
    assert (hint.where, "never does anything" in hint.what) == ("a.toml:7", True)
    assert hints(special, general) == []  # the exception stands first, as it should


def test_two_earlier_rules_may_forestall_one_together() -> None:
    first = rule("First", 'when.account = "*"\nthen.priority = "high"')
    second = rule("Second", 'when.says = "invoice"\nthen.due = "2h"')
    third = rule("Third", 'when.says = "the invoice"\nwhen.tier = "gold"\nthen.priority = "low"\nthen.due = "4h"')
    [hint] = hints(first, second, third)
    assert "'First' (a.toml:1)" in hint.what
    assert "'Second' (a.toml:6)" in hint.what
    assert hints(first, second, third + 'then.tag = "invoice"\n')[0].what.startswith(
        "then.priority = 'low' never counts"
    )


def test_two_rules_with_the_same_conditions_that_contradict_each_other() -> None:
    first = rule("First", 'when.category = "complaint"\nthen.priority = "high"\nthen.escalate = "lena"')
    second = rule("Second", 'when.category = "complaint"\nthen.priority = "urgent"\nthen.tag = "t"')
    [hint] = hints(first, second)
    assert hint.where == "a.toml:11"
    assert "then.priority = 'urgent' never counts" in hint.what
    assert "sets 'high'" in hint.what
    assert hints(first, second.replace('"urgent"', '"high"')) == []


IMPLIED = [
    # what the later rule asks for, what the earlier does, whether the earlier always holds then
    ('when.says = "the credit note"', 'when.says = ["credit note", "invoice"]', True),
    ('when.says = ["credit note", "dunning"]', 'when.says = ["credit note", "invoice"]', False),
    ('when.says = "credit notes"', 'when.says = "credit note"', False),
    ('when.tier = "gold"', 'when.account = "*"', True),
    ('when.manager = "lena"', 'when.account = "*"', True),
    ('when.account = "c-1"', 'when.account = "*"', True),
    ('when.account = "none"', 'when.account = "*"', False),
    ('when.open_items = ">= 1"', 'when.account = "*"', True),
    ('when.open_items = "< 3"', 'when.account = "*"', False),
    ('when.open_items = "= 5"', 'when.open_items = ">= 3"', True),
    ('when.risk = ">= 0.8"', 'when.risk = "> 0.7"', True),
    ('when.risk = ">= 0.7"', 'when.risk = "> 0.7"', False),
    ('when.risk = "> 0.7"', 'when.risk = ">= 0.7"', True),
    ('when.category = "complaint"\nwhen.score = ">= 0.8"', 'when.category = "complaint"\nwhen.score = ">= 0.5"', True),
    # the scores looked at are those of a rule's own categories
    ('when.category = "complaint"\nwhen.score = ">= 0.8"', 'when.score = ">= 0.5"', False),
    (
        'when.category = "complaint"\nwhen.sure = true',
        'when.category = ["complaint", "renewal"]\nwhen.sure = true',
        False,
    ),
    ('when.from = "ann@acme.example"', 'when.from = "*@acme.example"', True),
    ('when.from = "*@mail.acme.example"', 'when.from = "*acme.example"', True),
    ('when.from = "*@acme.example"', 'when.from = "ann@acme.example"', False),
    ('when.subject = "invoice 12"', 'when.subject = "invoice"', True),
    ('when.subject = "re: *"', 'when.subject = "re:"', True),
    ('when.subject = "invoice"', 'when.subject = "invoice*"', False),
    ('when.attachment = "*.pdf"', "when.attachment = true", True),
    ("when.attachment = true", 'when.attachment = "*.pdf"', False),
    ("when.attachment = false", "when.attachment = true", False),
    ('when.contract_ends_within = "30 days"', 'when.contract_ends_within = "60 days"', True),
    ('when.contract_ends_within = "60 days"', 'when.contract_ends_within = "30 days"', False),
    ('when.amount = ">= 10000 EUR"', 'when.amount = ">= 5000"', True),
    ('when.amount = ">= 10000"', 'when.amount = ">= 5000 EUR"', False),
    ('when.date_mentioned = "within 7 days"', 'when.date_mentioned = ["within 14 days"]', True),
    ('when.date_mentioned = "within 7 days"', "when.date_mentioned = true", True),
    ("when.date_mentioned = true", 'when.date_mentioned = "within 14 days"', False),
    ('when.says = "x"\nunless.tier = "gold"', 'when.says = "x"\nunless.tier = "gold"', True),
    ('when.says = "x"', 'when.says = "x"\nunless.tier = "gold"', False),
    ('when.says = "x"\nwhen.tier = "silver"', 'when.says = "x"\nunless.tier = "gold"', True),
    ('when.says = "x"\nunless.says = "y"', 'when.says = "x"\nunless.says = "not y"', True),
    ('when.says = "x"\nunless.says = "not y"', 'when.says = "x"\nunless.says = "y"', False),
    ('when.says = "x"\nfrom_date = 2026-12-01', 'when.says = "x"\nfrom_date = 2026-11-01', True),
    ('when.says = "x"', 'when.says = "x"\nfrom_date = 2026-11-01', False),
    ('when.says = "x"\nto_date = 2026-12-31', 'when.says = "x"', True),
]


@pytest.mark.parametrize(("later", "earlier", "follows"), IMPLIED)
def test_whether_a_rule_follows_from_another(later: str, earlier: str, follows: bool) -> None:
    texts = [rule("A", f'{earlier}\nthen.priority = "low"'), rule("B", f'{later}\nthen.priority = "high"')]
    first, second = parse_rules({"a.toml": "".join(texts).encode()}, templates=TEMPLATES, people=PEOPLE).rules
    assert implies(second, first) is follows
    told = [each for each in hints(*texts) if "never does anything" in each.what]  # the look-up finds it, too
    assert (len(told) == 1) is follows


def test_bounds_that_any_number_meets() -> None:
    assert always_holds("risk", ("< 0.5", ">= 0.5"))
    assert not always_holds("risk", ("< 0.5", "> 0.5"))
    assert always_holds("open_items", ("< 3", "> 2"))
    assert not always_holds("score", ("= 0.5",))


# --- answers by machine, what nothing names, what is bare ---------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            'when.category = "complaint"\nthen.acknowledge = "complaint"\nthen.send = "auto"',
            "a complaint would be answered",
        ),
        ('when.category = "complaint"\nthen.acknowledge = "complaint"\nthen.send = "hold 15m"', 'send = "hold 15m"'),
        ('when.sure = false\nthen.acknowledge = "request"\nthen.send = "auto"', "a mail that is not sure would be"),
    ],
)
def test_an_answer_that_no_person_sees(body: str, words: str) -> None:
    [(where, what)] = one(body)
    assert (where, words in what) == ("a.toml:6", True), what
    for right in ('then.send = "approve"', ""):
        assert one(body.rsplit("\n", 1)[0] + f"\n{right}") == []
    assert (
        one(
            body.replace('e = "request"', 'e = "received"').replace('e = "complaint"\nthen.s', 'e = "received"\nthen.s')
        )
        == []
    )


def test_a_category_that_nothing_handles() -> None:
    gives = rule("A", 'when.says = "invoice"\nthen.suggests = { billing = 0.7 }\n' + EXAMPLE)
    [hint] = hints(gives)
    assert hint.where == "a.toml:5"
    assert 'add a rule with when.category = "billing"' in hint.what
    assert hints(gives, rule("B", 'when.category = "billing"\nthen.priority = "low"')) == []


def test_a_category_that_only_a_rule_gives_that_is_switched_off() -> None:
    gives = rule("A", 'enabled = false\nwhen.says = "invoice"\nthen.suggests = { billing = 0.7 }')
    asks = rule("B", 'when.category = "billing"\nthen.priority = "low"')
    [hint] = hints(gives, asks)
    assert (hint.where, "only rules that are switched off give" in hint.what) == ("a.toml:10", True)


def test_what_no_rule_names() -> None:
    files = {"lists/vip.txt": b"c-1\n", "mails/old.eml": b"Subject: x\n\nx\n"}
    names = (
        'when.account = "@vip"\nthen.priority = "low"\n[[rule.example]]\nfile = "mails/old.eml"\ngives.priority = "low"'
    )
    assert [each.where for each in hints(files=files)] == ["lists/vip.txt", "mails/old.eml"]
    assert hints(rule("A", names), files=files) == []
    written = {"a.toml": rule("A", 'when.says = "x"\nthen.acknowledge = "complaint"').encode()}
    loaded = parse_rules(written, templates=TEMPLATES, people=PEOPLE)
    told = lint(loaded, files=written, templates=TEMPLATES, mailboxes=MAILBOXES, today=TODAY)
    assert [each.where for each in told] == ["templates/renewal.txt", "templates/request.txt"]


def test_rules_without_a_reason_or_an_example_are_named_in_a_line_each() -> None:
    bare = [
        rule(f"R{number}", f'when.says = "w{number}"\nthen.suggests = {{ request = 0.7 }}', because="")
        for number in range(7)
    ]
    first, second = hints(*bare)
    assert first.where == second.where == "a.toml:1"
    assert first.what.startswith("7 rules have no because: 'R0', 'R1', 'R2', 'R3', 'R4' and 2 more")
    assert second.what.startswith("7 rules have no example")


def test_ten_thousand_rules_are_not_compared_with_each_other() -> None:
    rules = [rule(f"R{n}", f'when.from = "u{n}@acme.example"\nthen.priority = "low"') for n in range(1_500)]
    shadowed = rule("Last", 'when.from = "u700@acme.example"\nthen.priority = "high"')
    parts = {f"{n}.toml": "".join(rules[n * 500 : (n + 1) * 500]).encode() for n in range(3)}
    [hint] = hints(files={**parts, "x.toml": shadowed.encode()})
    assert "'R700'" in hint.what
