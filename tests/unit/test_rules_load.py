"""Every kind of broken rule file is named by line, in a sentence that says what to do; good files are read whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rules_facts import PEOPLE, TEMPLATES, rule_set
from triaged.errors import ConfigError
from triaged.rules.grammar import CONDITIONS, CallWish, SendPolicy, is_span, parse_send
from triaged.rules.load import parse_rules
from triaged.written import rule_files

GOOD = '[[rule]]\nname = "A"\nwhen.says = "x"\nthen.suggests = { request = 0.7 }\n'


def broken(when: str = 'when.says = "x"', then: str = "then.suggests = { request = 0.7 }", more: str = "") -> str:
    """A rule whose `when` stands on line 3, `then` on line 4, anything more from line 5 on."""
    return f'[[rule]]\nname = "A"\n{when}\n{then}\n{more}\n'


BROKEN = [
    # what is wrong, the text, the line, words of the sentence
    ("toml", '[[rule]]\nname = "A\n', 2, "a text has no closing quote"),
    ("curly quotes", "[[rule]]\nname = “A”\n", 2, "use straight ones"),
    ("one bracket", '[rule]\nname = "A"\n', 1, "begins with [[rule]], with two brackets"),
    ("outside", 'name = "A"\n' + GOOD, 1, "'name' stands outside of a rule"),
    ("no name", '[[rule]]\nwhen.says = "x"\nthen.priority = "high"\n', 1, "has no name"),
    ("name twice", GOOD + GOOD.replace('"A"', '"a"'), 6, "is taken by the rule at x.toml:1"),
    ("name of two lines", broken().replace('"A"', '"A\\nB"'), 2, "name must be one line"),
    ("empty name", broken().replace('"A"', '""'), 2, "name is empty; write something between the quotes"),
    ("example alone", '[[rule.example]]\nmail = "x"\n', 1, "above this one there is no line [[rule]]"),
    ("attachment", broken('when.attachment = "true"'), 3, "write true or false without quotes"),
    ("rule key", broken(more='becuase = "y"'), 5, "'becuase' has no meaning in a rule; did you mean 'because'?"),
    ("enabled", broken(more='enabled = "yes"'), 5, "enabled must be true or false, without quotes, not 'yes'"),
    ("condition", broken('when.form = "a@b.example"'), 3, "no condition 'when.form'; did you mean 'from'?"),
    ("unless", broken(more='unless.sayz = "y"'), 5, "no condition 'unless.sayz'; did you mean 'says'?"),
    ("when text", broken('when = "x"'), 3, "when needs to say what it looks at"),
    ("empty list", broken("when.says = []"), 3, "empty list, so it could never hold"),
    ("empty text", broken('when.says = ["a", " "]'), 3, "when.says holds an empty text"),
    ("number", broken("when.says = 5"), 3, "when.says must be a text in \"quotes\" or a list of texts, not '5'"),
    ("phrase star", broken('when.says = "cancel*"'), 3, "'*' means nothing in it"),
    ("phrase dots", broken('when.says = "..."'), 3, "holds no word"),
    ("phrase of quotes", broken("""when.says = '""'"""), 3, "holds no word"),
    ("one quote", broken("""when.says = '"let us down'"""), 3, '"let us down: a double quote stands alone'),
    (
        "one quote at the end",
        broken("""when.says = ["a", 'let us down”']"""),
        3,
        "put one at each end for exactly these",
    ),
    ("quotes in the middle", broken("""when.says = 'the "final" offer'"""), 3, "or take it out"),
    ("three quotes", broken("""when.says = '"the " offer"'"""), 3, "alone or in the middle"),
    ("domain", broken('when.from = "partner.example"'), 3, "for everybody there write '*@partner.example'"),
    ("manager", broken('when.manager = "lenna"'), 3, "no person 'lenna'; did you mean 'lena'?"),
    ("language", broken('when.language = "German"'), 3, "write two letters"),
    ("automatic", broken('when.automatic = "robot"'), 3, "no kind of sender 'robot'"),
    ("automatic true", broken("when.automatic = true"), 3, 'for any machine write ["hold", "machine"]'),
    ("is_reply", broken('when.is_reply = "no"'), 3, "when.is_reply must be true or false, without quotes"),
    ("category first", broken('when.category = "request"'), 3, "a rule that suggests cannot ask for when.category"),
    ("unless first", broken(more="unless.sure = true"), 5, "a rule that suggests cannot ask for unless.sure"),
    ("no when", '[[rule]]\nname = "A"\nthen.suggests = { request = 0.7 }\n', 1, "suggests something for every mail"),
    ("category", broken('when.category = "complant"', 'then.priority = "low"'), 3, "did you mean 'complaint'?"),
    ("category name", broken('when.category = "a b"', 'then.priority = "low"'), 3, "'a b' cannot be a category"),
    ("score number", broken("when.score = 80", 'then.priority = "low"'), 3, 'for example ">= 0.8"'),
    ("score text", broken('when.score = "high"', 'then.priority = "low"'), 3, "'high' is not a score"),
    ("signal", broken('when.signal = "chasign"', 'then.priority = "low"'), 3, "did you mean 'chasing'?"),
    ("signal name", broken('unless.signal = "a b"', 'then.priority = "low"'), 3, "'a b' cannot be a signal"),
    ("risk number", broken("when.risk = 70", 'then.priority = "low"'), 3, "write the risk with a sign and in quotes"),
    ("risk text", broken('when.risk = "high"', 'then.priority = "low"'), 3, "'high' is not a risk"),
    ("signal first", broken('when.signal = "churn"'), 3, "a rule that suggests cannot ask for when.signal"),
    ("risk first", broken('when.risk = ">= 0.5"', "then.signals = { churn = 0.7 }"), 3, "a rule that signals cannot"),
    ("signals all", '[[rule]]\nname="A"\nthen.signals={churn=0.7}\n', 1, "signals something for every mail"),
    ("signals weight", broken(then="then.signals = { churn = 70 }"), 4, "did you mean 0.7?"),
    ("signals text", broken(then='then.signals = "churn"'), 4, "then.signals = { churn = 0.7 }"),
    ("then signal", broken(then="then.signal = { churn = 0.7 }"), 4, "did you mean 'signals'?"),
    ("example signal", broken(more='[[rule.example]]\nmail = "x"\ngives.signal = "churm"'), 7, "mean 'churn'?"),
    ("pattern", broken("when.pattern = '(a'"), 3, "the pattern '(a' cannot be used"),
    ("pattern number", broken("when.pattern = 5"), 3, "when.pattern must be a pattern in 'quotes'"),
    ("tokens text", broken('when.tokens = "price"'), 3, 'for example [{ LOWER = "price" }'),
    ("open items", broken("when.open_items = 3", 'then.priority = "low"'), 3, '">= 3"'),
    ("open items text", broken('when.open_items = "many"', 'then.priority = "low"'), 3, "not a number of open items"),
    ("amount number", broken("when.amount = 10000"), 3, '">= 10000 EUR"'),
    ("amount dots", broken('when.amount = "> 10.000,00 EUR"'), 3, "without dots"),
    ("contract", broken('when.contract_ends_within = "2 months"'), 3, 'for example "60 days"'),
    ("date mentioned", broken('when.date_mentioned = "soon"'), 3, 'write true, or for example "within 14 days"'),
    ("received", broken('when.received = "busines hours"'), 3, "did you mean 'business hours'?"),
    ("received day", broken('when.received = "fryday"'), 3, "did you mean 'friday'?"),
    ("received time", broken('when.received = "18:00-25:00"'), 3, "is no time of receipt"),
    ("list", broken('when.says = "@angry-words"'), 3, "there is no list '@angry-words'; make the file lists/angry"),
    ("from date", broken(more="from_date = 5"), 5, "from_date must be a day such as 2026-12-31, not '5'"),
    ("dates", broken(more="from_date = 2026-12-31\nto_date = 2026-12-30"), 6, "before it begins on 2026-12-31"),
    ("assign", broken(then='then.assign = "lina"'), 4, "there is no person 'lina'; did you mean 'lena'?"),
    ("notify", broken(then='then.notify = ["lena", "bob"]'), 4, "there is no person 'bob'"),
    ("example call", broken(more='[[rule.example]]\nmail = "x"\ngives.call = "yes"'), 7, "must be true or false"),
    (
        "example moment",
        broken(more='[[rule.example]]\nmail = "x"\nreceived = "9am"\ngives.tag = "t"'),
        7,
        "2026-12-01T18:30:00",
    ),
    ("example file", broken(more='[[rule.example]]\nfile = "x.txt"\ngives.tag = "t"'), 6, "ends in .eml"),
    ("example priority", broken(more='[[rule.example]]\nmail = "x"\nnot.priority = "hihg"'), 7, "did you mean 'high'?"),
    ("no then", '[[rule]]\nname = "A"\nwhen.says = "x"\n', 1, "does nothing"),
    ("then key", broken(then='then.acknowlege = "request"'), 4, "did you mean 'acknowledge'?"),
    ("tags", broken(then='then.tags = "x"'), 4, "did you mean 'tag'?"),
    ("template", broken(then='then.acknowledge = "complain"'), 4, "no template 'complain'; did you mean 'complaint'?"),
    ("priority", broken(then='then.priority = "urgnet"'), 4, "did you mean 'urgent'?"),
    (
        "weight percent",
        broken(then="then.suggests = { request = 70 }"),
        4,
        "not 70; did you mean 0.7?",
    ),
    ("weight text", broken(then='then.suggests = { request = "0.7" }'), 4, "must be a number like 0.7, without quotes"),
    ("weight true", broken(then="then.suggests = { request = true }"), 4, "must be a number like 0.7"),
    ("suggests other", broken(then="then.suggests = { other = 0.7 }"), 4, "'other' cannot be suggested"),
    ("suggests text", broken(then='then.suggests = "request"'), 4, "write the category with its weight"),
    ("send", broken(then='then.send = "later"'), 4, "write observe, approve, hold 15m or auto"),
    ("hold", broken(then='then.send = "hold"'), 4, "write for example 'hold 15m'"),
    ("hold business", broken(then='then.send = "hold 2 business hours"'), 4, "write for example 'hold 15m'"),
    ("call text", broken(then='then.call = "lena"'), 4, 'write then.call = { with = "account manager"'),
    ("call who", broken(then='then.call = { with = "lina", within = "2 days" }'), 4, "did you mean 'lena'?"),
    ("call within", broken(then='then.call = { with = "lena", within = "soon" }'), 4, "'soon' is not a span of time"),
    ("call missing", broken(then='then.call = { within = "2d" }'), 4, 'add with = "account manager"'),
    (
        "call way",
        broken(then='then.call = { with = "lena", way = "bok" }'),
        4,
        "no way to call 'bok'; did you mean 'book'?",
    ),
    (
        "call notice",
        broken(then='then.call = { with = "lena", notice = "0 days" }'),
        4,
        "'0 days' is not a span of time",
    ),
    ("call long", broken(then='then.call = { with = "lena", within = "2d", minutes = 999 }'), 4, "from 5 to 480"),
    ("call key", broken(then='then.call = { with = "lena", within = "2d", lenght = 5 }'), 4, "'lenght' has no meaning"),
    ("escalate", broken(then='then.escalate = "acount manager"'), 4, "did you mean 'account manager'?"),
    ("due", broken(then='then.due = "0 days"'), 4, "'0 days' is not a span of time"),
    ("file", broken(then='then.file = "a\\nb"'), 4, "file must be one line"),
    ("stop", broken(then="then.stop = 1"), 4, "stop must be true or false"),
    ("example bracket", broken(more='[rule.example]\nmail = "x"'), 5, "[[rule.example]], with two brackets"),
    ("example gives", broken(more='[[rule.example]]\nmail = "x"'), 5, "does not say what must come of it"),
    (
        "example mail",
        broken(more='[[rule.example]]\ngives.category = "request"'),
        5,
        'an example needs either mail = "…"',
    ),
    ("example key", broken(more='[[rule.example]]\nmail = "x"\ngives.categroy = "x"'), 7, "did you mean 'category'?"),
    (
        "example category",
        broken(more='[[rule.example]]\nmail = "x"\nnot.category = "reqest"'),
        7,
        "did you mean 'request'?",
    ),
]


@pytest.mark.parametrize(("text", "line", "words"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_file_is_named_by_line_and_in_words(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rule_set(text)
    assert len(caught.value.problems) == 1, [str(problem) for problem in caught.value.problems]
    [problem] = caught.value.problems
    assert problem.where == f"x.toml:{line}"
    assert words in problem.what


def test_the_rule_that_the_broken_ones_are_made_from_is_good() -> None:
    assert len(rule_set(broken()).rules) == 1
    assert len(rule_set(GOOD).rules) == 1


def test_every_problem_of_every_file_is_told_at_once_in_order() -> None:
    files = [
        ("b.toml", broken('when.says = ""\nwhen.tierr = "x"', 'then.send = "x"').encode()),
        ("a.toml", b"[[rule]]\nname = \x93A\x94\n"),
        ("c.toml", b"[[rule]]\n"),
    ]
    with pytest.raises(ConfigError) as caught:
        parse_rules(dict(files), templates=TEMPLATES, people=PEOPLE)
    assert [problem.where for problem in caught.value.problems] == [
        "a.toml:2",
        "b.toml:3",
        "b.toml:4",
        "b.toml:5",
        "c.toml:1",
        "c.toml:1",
    ]


def test_a_category_of_ones_own_exists_when_any_file_suggests_it_even_a_disabled_rule() -> None:
    asks = broken('when.category = "billing"', 'then.priority = "high"').encode()
    suggests = b'[[rule]]\nname="B"\nenabled=false\nwhen.says="y"\nthen.suggests={ Billing = 0.7 }\n'
    rules = parse_rules({"a.toml": asks, "b.toml": suggests}, templates=TEMPLATES, people=PEOPLE)
    assert rules.categories == ("billing",)
    assert rules.phrases == ()  # a disabled rule's phrases are not looked for
    with pytest.raises(ConfigError, match="no rule suggests a category 'billing'"):
        parse_rules({"a.toml": asks}, templates=TEMPLATES, people=PEOPLE)


def test_a_signal_of_ones_own_exists_when_any_file_gives_it() -> None:
    asks = broken('when.signal = "moving"', 'then.priority = "high"').encode()
    gives = b'[[rule]]\nname="B"\nenabled=false\nwhen.says="y"\nthen.signals={ Moving = 0.7 }\n'
    rules = parse_rules({"a.toml": asks, "b.toml": gives}, templates=TEMPLATES, people=PEOPLE)
    assert rules.rules[1].signals == (("moving", 0.7),)
    assert rules.categories == ()
    with pytest.raises(ConfigError, match="no rule gives a signal 'moving'"):
        parse_rules({"a.toml": asks}, templates=TEMPLATES, people=PEOPLE)


def test_a_file_that_cannot_be_read_does_not_make_its_categories_unknown() -> None:
    asks = broken('when.category = "billing"', 'then.priority = "high"').encode()
    with pytest.raises(ConfigError) as caught:
        parse_rules({"a.toml": asks, "b.toml": b"[[rule"}, templates=TEMPLATES, people=PEOPLE)
    assert [problem.where for problem in caught.value.problems] == ["b.toml:1"]


def test_mark_line_ends_and_curly_quotes_do_no_harm() -> None:
    plain = broken('when.says = "don\'t  WAIT"')
    rules = rule_set(plain)
    windows = parse_rules(
        {"x.toml": b"\xef\xbb\xbf" + plain.replace("'", "’").replace("\n", "\r\n").encode()},
        templates=TEMPLATES,
        people=PEOPLE,
    )
    assert rules.phrases == windows.phrases == ("don't wait",)
    assert windows.rules == rules.rules


def test_a_phrase_in_quotes_keeps_them() -> None:
    rules = rule_set(broken("""when.says = ['"Let us  DOWN"', '“turn us down”', "cancel it"]"""))
    assert rules.phrases == ('"let us down"', '"turn us down"', "cancel it")
    assert set(rules.by_key) == {("says", phrase) for phrase in rules.phrases}


def test_the_same_tokens_written_otherwise_are_looked_for_once() -> None:
    rules = rule_set(broken("when.tokens = [[{LOWER = 'ä', IS_ALPHA = true}], [{IS_ALPHA = true, LOWER = 'ä'}]]"))
    assert rules.tokens == ('[{"IS_ALPHA": true, "LOWER": "ä"}]',)


def test_files_are_ordered_by_name() -> None:
    files = [("b.toml", GOOD.encode()), ("a.toml", GOOD.replace('"A"', '"B"').encode())]
    rules = parse_rules(dict(files), templates=TEMPLATES, people=PEOPLE)
    assert [rule.source for rule in rules.rules] == ["a.toml:1", "b.toml:1"]
    assert rules == parse_rules(dict(files[::-1]), templates=TEMPLATES, people=PEOPLE)


def test_a_rule_is_read_whole() -> None:
    text = """[[rule]]
name = " Leaves "
because = "A call helps"
enabled = true
when = { says = ["Cancel Our Contract", "cancel our contract"], tier = "Gold" }
unless.from = ["*@Partner.example"]
then.priority = "urgent"
then.acknowledge = "complaint"
then.send = "hold 2 hours"
then.call = { with = "Account Manager", within = "1 Business Day" }
then.escalate = "lena"
then.file = "Clients/Gold"
then.tag = ["VIP", "churn"]
then.due = "4 business hours"
then.stop = true
  [[rule.example]]
  subject = "S"
  from = "a@b.example"
  mail = "cancel our contract"
  gives.category = ["complaint", "renewal"]
  gives.priority = "urgent"
  gives.acknowledge = "none"
  gives.signal = "churn"
  not.category = "request"
  not.signal = ["chasing", "escalation"]
"""
    [rule] = rule_set(text).rules
    assert (rule.name, rule.because, rule.source, rule.enabled) == ("Leaves", "A call helps", "x.toml:1", True)
    assert [(each.key, each.values) for each in rule.when] == [("says", ("cancel our contract",)), ("tier", ("gold",))]
    assert [(each.key, each.values) for each in rule.unless] == [("from", ("*@partner.example",))]
    then = rule.then
    assert (then.priority, then.acknowledge, then.send) == ("urgent", "complaint", SendPolicy("hold", 7200))
    assert then.call is not None
    assert (then.call.with_, then.call.within, then.call.minutes) == ("account manager", "1 business day", 30)
    assert (then.escalate, then.file, then.tags, then.due, then.stop) == (
        "lena",
        "Clients/Gold",
        ("vip", "churn"),
        "4 business hours",
        True,
    )
    [example] = rule.examples
    assert (example.source, example.subject, example.sender) == ("x.toml:16", "S", "a@b.example")
    assert dict(example.gives) == {
        "category": ("complaint", "renewal"),
        "priority": ("urgent",),
        "acknowledge": ("none",),
        "signal": ("churn",),
    }
    assert dict(example.never) == {"category": ("request",), "signal": ("chasing", "escalation")}


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("observe", SendPolicy("observe")),
        ("Approve", SendPolicy("approve")),
        ("auto", SendPolicy("auto")),
        ("hold 15m", SendPolicy("hold", 900)),
        ("hold  2 Hours", SendPolicy("hold", 7200)),
        ("hold 1d", SendPolicy("hold", 86_400)),
        ("hold 1 week", SendPolicy("hold", 604_800)),
    ],
)
def test_ways_to_send(text: str, policy: SendPolicy) -> None:
    assert parse_send(text) == policy


@pytest.mark.parametrize("text", ["", "hold", "hold 0m", "hold soon", "hold 99999m", "auto 5m", "approve now", "never"])
def test_what_is_no_way_to_send(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_send(text)


def test_spans() -> None:
    good = ["15m", "2h", "1d", "1 business day", "2 business days", "30 minutes", "1 week", "4 business hours"]
    bad = ["", "0m", "1.5h", "1 businessday", "-1d", "1 month", "day", "15 m", "12345 days", "1w"]
    assert [is_span(text) for text in good + bad] == [True] * len(good) + [False] * len(bad)


def test_lists_are_named_by_many_rules() -> None:
    files = {
        "lists/angry-words.txt": "\ufeff# anger\r\nI’m furious   # strong\r\n\r\nfed up\r\nFed  up\r\n".encode(),
        "lists/partners.txt": b"*@partner.example\nkim@agent.example\n",
        "a.toml": b"""[[rule]]
name = "A"
when.says = ["@angry-words", "outraged"]
unless.from = "@partners"
then.suggests = { complaint = 0.7 }
""",
    }
    rules = parse_rules(files, templates=TEMPLATES, people=PEOPLE)
    assert rules.lists == {
        "angry-words": ("i'm furious", "fed up"),
        "partners": ("*@partner.example", "kim@agent.example"),
    }
    [rule] = rules.rules
    assert rule.when[0].values == ("i'm furious", "fed up", "outraged")
    assert rule.unless[0].values == ("*@partner.example", "kim@agent.example")


@pytest.mark.parametrize(
    ("name", "octets", "where", "words"),
    [
        ("lists/angry.txt", b"", "lists/angry.txt", "holds no entry"),
        ("lists/angry.txt", b"# nothing\n", "lists/angry.txt", "holds no entry"),
        ("lists/angry.txt", b"a\n\xff\n", "lists/angry.txt:2", "is not UTF-8 text"),
        ("lists/angry.txt", b"a\n@other\n", "lists/angry.txt:2", "a list cannot hold another list"),
        ("lists/angry.txt", b"a\x07b\n", "lists/angry.txt:1", "cannot be seen"),
        ("lists/Angry Words.txt", b"a\n", "lists/Angry Words.txt", "rename the file, as in angry-words.txt"),
    ],
)
def test_what_is_wrong_with_a_list(name: str, octets: bytes, where: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rules({"x.toml": GOOD.encode(), name: octets}, templates=TEMPLATES, people=PEOPLE)
    [problem] = caught.value.problems
    assert problem.where == where
    assert words in problem.what


def test_a_folder_is_read_without_hidden_and_other_files(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD)
    for name in (".#a.toml", "a.toml~", "notes.md"):
        (tmp_path / name).write_text("nonsense [[[")
    (tmp_path / "sub.toml").mkdir()
    rules = parse_rules(rule_files(tmp_path), templates=TEMPLATES, people=PEOPLE)
    assert [rule.source for rule in rules.rules] == ["a.toml:1"]
    assert list(rule_files(tmp_path)) == ["a.toml"]


def test_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    def told(folder: Path) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            parse_rules(rule_files(folder), templates=TEMPLATES, people=PEOPLE)
        return [str(problem) for problem in caught.value.problems]

    assert "cannot be read" in told(tmp_path / "absent")[0]
    assert "holds no rule file (*.toml)" in told(tmp_path)[0]
    (tmp_path / "b.toml.txt").write_text(GOOD)
    (tmp_path / "c.toml").write_text("[[rule]]\n")
    problems = told(tmp_path)
    assert "rename it to 'b.toml'" in problems[0]
    assert len(problems) == 3


def test_an_examples_file_must_be_there_and_inside(tmp_path: Path) -> None:
    example = '[[rule.example]]\nfile = "{}"\ngives.category = "request"\n'
    rules = tmp_path / "rules"
    rules.mkdir()
    (tmp_path / "out.eml").write_text("x")
    (rules / "in.eml").write_text("x")
    (rules / "a.toml").write_text(GOOD + "".join(example.format(name) for name in ("in.eml", "no.eml", "../out.eml")))
    with pytest.raises(ConfigError) as caught:
        parse_rules(rule_files(rules), templates=TEMPLATES, people=PEOPLE)
    assert [str(problem) for problem in caught.value.problems] == [
        "a.toml:9: there is no file 'no.eml' in the rule folder; did you mean 'in.eml'?",
        "a.toml:12: '../out.eml' must lie in the rule folder",
    ]


WEIRD = [
    *(
        "5",
        "-1",
        "nan",
        "inf",
        "1e400",
        "true",
        '""',
        '" "',
        '"\\u0000"',
        '"x"',
        "[]",
        "[[]]",
        '[""]',
        '["x", 1]',
        "{}",
    ),
    *("{ a = 1 }", '{ "" = 0.5 }', "[{}]", "2026-01-01", "12:30:00", "2026-01-01T00:00:00Z", '"*"', '">= 2"', '"ﬀ"'),
]


def test_no_value_anywhere_makes_anything_but_a_config_error() -> None:
    keys = [f"{side}.{key}" for side in ("when", "unless") for key in CONDITIONS]
    keys += [f"then.{key}" for key in ("suggests", "priority", "acknowledge", "send", "call", "escalate", "file")]
    keys += [
        "then.tag",
        "then.due",
        "then.stop",
        "then.call.with",
        "then.call.minutes",
        "then.call.way",
        "then.suggests.x",
    ]
    keys += ["then.call.within", "then.call.notice"]
    keys += ["name", "because", "enabled", "when", "unless", "then", "example", "example.mail", "foo", '""', '"a.b"']
    keys += ["gives", "not"]
    seen = 0
    refused = []
    for key in keys:
        for value in WEIRD:
            for table in ("[[rule]]\n", '[[rule]]\nname="A"\n[[rule.example]]\nmail="x"\n', ""):
                seen += 1
                try:
                    rule_set(f"{table}{key} = {value}\n")
                except ConfigError as error:
                    refused.append(error.problems)
    assert seen > 3000
    assert len(refused) == seen  # none of these is a whole rule
    assert all(problem.where.startswith("x.toml") for problems in refused for problem in problems)


@pytest.mark.parametrize(
    ("table", "wish", "told"),
    [
        (
            '{ with = "account manager" }',
            CallWish("account manager", "2 business days", 30),
            "30 minutes with account manager within 2 business days",
        ),
        (
            '{ with = "lena", within = "1 week", minutes = 45, way = "Offer", notice = "4 Business Hours" }',
            CallWish("lena", "1 week", 45, "offer", "4 business hours"),
            "45 minutes with lena within 1 week, not sooner than in 4 business hours, times offered",
        ),
        (
            '{ with = "lena", way = "book" }',
            CallWish("lena", "2 business days", 30, "book"),
            "30 minutes with lena within 2 business days, booked",
        ),
    ],
)
def test_a_call_needs_only_a_person(table: str, wish: CallWish, told: str) -> None:
    [rule] = rule_set(f'[[rule]]\nname = "A"\nwhen.says = "x"\nthen.call = {table}\n').rules
    assert rule.then.call == wish
    assert str(wish) == told
