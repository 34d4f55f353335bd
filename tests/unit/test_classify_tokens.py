"""Patterns of tokens find what people mean, at the right characters, in whatever text; wrong ones are told why."""

from __future__ import annotations

import json
import re
import tomllib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triaged.classify import phrases, tokens
from triaged.classify.tokens import TokenIndex, token_problem


def pattern(toml: str) -> Any:
    """As it comes out of a rule file."""
    return tomllib.loads(f"tokens = {toml}")["tokens"]


RISE = '[{LOWER = "price"}, {OP = "{0,3}"}, {LOWER = {IN = ["rise", "increase"]}}]'
FOUND = [
    # pattern, text, the words as they stand
    (RISE, "The Price increase, please.", ["Price increase"]),
    (RISE, "The price will not\n\nRISE.", ["price will not\n\nRISE"]),
    (RISE, "The price will surely never ever rise.", []),
    (RISE, "price rise increase", ["price rise increase"]),
    (RISE, "price rise, price rise price rise price rise", ["price rise, price rise", "price rise price rise"]),
    ('[{LOWER = "kündigung"}]', "KÜNDIGUNG 😀 Kündigung", ["KÜNDIGUNG", "Kündigung"]),
    ('[{LOWER = "Price"}]', "the PRICE", ["PRICE"]),
    ('[{TEXT = "SLA"}]', "sla SLA", ["SLA"]),
    ('[{ORTH = {IN = ["SLA", "KPI"]}}]', "kpi KPI", ["KPI"]),
    ('[{LOWER = "isn’t"}, {LOWER = "ok", OP = "!"}]', "It isn't ok. It isn´t fine.", ["isn´t fine"]),
    ('[{LOWER = "our"}, {OP = "?"}, {LOWER = "fee"}]', "our fee, our old fee", ["our fee", "our old fee"]),
    ('[{LOWER = "very", OP = "{2}"}, {LOWER = "bad"}]', "very bad; very very bad", ["very very bad"]),
    ('[{LOWER = "very", OP = "{0,2}"}, {LOWER = "bad"}]', "very very very bad", ["very very bad"]),
    ('[{LIKE_NUM = true}, {LOWER = {IN = ["eur", "€"]}}]', "3,000 EUR or 10 €", ["3,000 EUR", "10 €"]),
    ('[{SHAPE = "XX-dddd"}]', "Ticket AB-1234", ["AB-1234"]),
    ("[{LIKE_EMAIL = true}]", "ask x@y.example now", ["x@y.example"]),
    ('[{IS_UPPER = true, LENGTH = {">=" = 6}}]', "ABCDEF ABC abcdef", ["ABCDEF"]),
    ("[{LENGTH = {IN = [7, 9]}, IS_DIGIT = true}]", "1234567 12345678", ["1234567"]),
    ('[{LOWER = "fee"}, {LOWER = {NOT_IN = ["is", "was"]}}]', "fee is fee due", ["fee due"]),
    ('[{LOWER = "fee"}]', "fee fee fee fee", ["fee", "fee", "fee"]),
    ('[{LOWER = "fee"}]', "\ud800 fee\0 fee", ["fee"]),
    ('[{LOWER = "fee"}]', "late", []),
]


@pytest.mark.parametrize(("toml", "text", "words"), FOUND)
def test_found(toml: str, text: str, words: list[str]) -> None:
    key = json.dumps(pattern(toml))
    places = TokenIndex([key]).find(text).get(key, ())
    assert [place[0] for place in places] == words
    assert all(text[start:end] == found for found, start, end in places)


def test_only_patterns_that_are_there_by_their_keys() -> None:
    keys = [json.dumps(pattern(f'[{{LOWER = "{word}"}}, {{LOWER = "now"}}]')) for word in ("pay", "call", "wait")]
    index = TokenIndex([*keys, keys[0], json.dumps(pattern("[{LIKE_URL = true}]"))])
    assert index.find("ä Call now, pay later") == {keys[1]: (("Call now", 2, 10),)}
    assert index.find("wait NOW: www.x.example").keys() == {keys[2], json.dumps([{"LIKE_URL": True}])}


def test_a_place_across_the_border_of_two_windows() -> None:
    key = json.dumps(pattern(RISE))
    for before in range(tokens._WINDOW - 5, tokens._WINDOW + 2):
        assert TokenIndex([key]).find("a " * before + "price of it all rise")[key][0][1] == 2 * before


def test_a_mail_of_nothing_but_matches_gives_the_first_few() -> None:
    key = json.dumps(pattern('[{LOWER = "a"}, {OP = "{0,9}"}, {LOWER = "a"}]'))
    assert [start for _, start, _ in TokenIndex([key]).find("a " * 50_000)[key]] == [0, 22, 44]


def test_at_most_so_much_is_read() -> None:
    key = json.dumps(pattern('[{LOWER = "fee"}]'))
    found = TokenIndex([key]).find
    assert len(found("a " * (tokens.MAX_TEXT_TOKENS - 1) + "fee")) == 1
    assert found("a " * tokens.MAX_TEXT_TOKENS + "fee") == {}
    assert found("a" * tokens.MAX_TEXT + " fee") == {}


@pytest.mark.parametrize("texts", ["", " ", "\n\n", "\0", "\ud800"])
def test_nothing_to_find(texts: str) -> None:
    assert TokenIndex([json.dumps(pattern(RISE))]).find(texts) == {}
    assert TokenIndex([]).find(texts) == {}


SIGNS = ["😀", "(", "'s", "a)", "http://", "a.b@", "\u200b", "¨"]


@pytest.mark.parametrize("sign", SIGNS)
def test_a_long_word_is_cut_before_spacy_reads_it(sign: str) -> None:
    """spaCy's time grows with the square of a word's length; a mail of emoji alone would take it minutes."""
    plain, places = phrases.plainly("Fee " + sign * 1_000 + " fee")
    assert max(map(len, plain.split())) <= phrases.MAX_WORD
    assert plain.replace(" ", "") == "Fee" + sign * 1_000 + "fee"
    assert len(places) == len(plain)
    assert ("Fee " + sign * 1_000 + " fee")[places[-3] :] == "fee"


ANY_TEXT = st.text(st.characters() | st.sampled_from("aAbß \n\0\ud800😀’“.-"), max_size=80) | st.text(
    "a \n’b", max_size=400
)
SOME = ['[{LOWER = "a"}, {OP = "?"}, {LOWER = "b"}]', "[{IS_PUNCT = true}]", '[{LOWER = "ß", OP = "!"}, {TEXT = "A"}]']


@given(ANY_TEXT)
def test_any_text_is_read_and_its_words_are_where_they_are_said_to_be(text: str) -> None:
    for places in INDEX.find(text).values():
        assert 1 <= len(places) <= tokens.MAX_PLACES
        assert all(text[start:end] == words != "" for words, start, end in places)
        assert all(before[2] <= after[1] for before, after in pairwise(places))


@given(st.lists(st.sampled_from(["price", "rise", "increase", "a", "b"]), max_size=40))
def test_looking_around_the_rarest_word_finds_what_looking_everywhere_finds(words: list[str]) -> None:
    key = json.dumps(pattern(RISE))
    (compiled,), text = RISES._patterns, " ".join(words)
    doc = RISES._nlp.make_doc(text)
    everywhere = [doc[first:last].text for first, last in tokens._matches(compiled, doc, [(0, len(doc))])]
    assert [place[0] for place in RISES.find(text).get(key, ())] == everywhere


RISES = TokenIndex([json.dumps(pattern(RISE))])
INDEX = TokenIndex(json.dumps(pattern(each)) for each in SOME)


@given(ANY_TEXT)
def test_plainly_keeps_every_character_but_blanks_at_its_place(text: str) -> None:
    plain, places = phrases.plainly(text)
    kept = [(sign, places[at]) for at, sign in enumerate(plain) if sign != " "]
    assert [at for _, at in kept] == [at for at, sign in enumerate(text) if not sign.isspace()]


def test_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrases, "MAX_WORDS_KEPT", 500)
    key = json.dumps(pattern('[{LOWER = "cancel"}, {LOWER = "it"}]'))
    index = TokenIndex([key])
    for number in range(2_000):
        assert len(index.find(f"Please w{number}x cancel it, y{number}z.")) == 1
    assert len(index._nlp.vocab.strings) < 3_000


@pytest.mark.parametrize("toml", [toml for toml, _, _ in FOUND])
def test_good(toml: str) -> None:
    assert token_problem(pattern(toml)) is None


A_LIST = "a pattern of tokens is a list with a table for each token"
FOREVER = "so a hostile mail could take forever; write OP = "
NEARLY = "the pattern would hold for nearly every mail; name a word or sign that must be there"
BAD = [
    ("[]", A_LIST),
    ('"price"', A_LIST),
    ('{LOWER = "price"}', A_LIST),
    ('["price"]', "token 1 must be a table in braces, for example {LOWER = \"price\"}, not 'price'"),
    ("[1]", "token 1 must be a table in braces"),
    ("[" + '{LOWER = "a"}, ' * 21 + "]", "the pattern has 21 tokens, 20 is the most; make two rules of it"),
    ('[{LOWER = "fee"}, {OP = "*"}]', f'token 2 has no end with OP = "*", {FOREVER}"{{0,8}}"'),
    ('[{LOWER = "fee"}, {OP = "+"}]', f'token 2 has no end with OP = "+", {FOREVER}"{{1,8}}"'),
    ('[{LOWER = "fee"}, {OP = "{2,}"}]', f'token 2 has no end with OP = "{{2,}}", {FOREVER}"{{2,8}}"'),
    ('[{LOWER = "fee"}, {OP = "{,3}"}]', "token 2 has OP = '{,3}'; write \"!\" (not this)"),
    ('[{LOWER = "fee"}, {OP = 3}]', "token 2 has OP = '3'"),
    ('[{LOWER = "fee"}, {OP = "{0,11}"}]', 'token 2 has OP = "{0,11}"; the most is 10'),
    ('[{LOWER = "fee"}, {OP = "{0}"}]', "the least is 1 time"),
    ('[{LOWER = "fee"}, {OP = "{3,1}"}]', 'the smaller number comes first: "{1,3}"'),
    ('[{LOWER = "fee"}, {OP = "!"}]', "token 2 forbids every token; say which one must not stand there"),
    ('[{LOWER = "price rise"}]', 'which is 2 tokens; write {LOWER = "price"}, {LOWER = "rise"}'),
    ('[{TEXT = {IN = ["e-mail"]}}]', "token 1 can never be 'e-mail', which is 3 tokens"),
    ('[{LEMMA = "be"}]', "token 1 asks for LEMMA, which is not known here; list the forms"),
    ('[{POS = "NOUN"}]', "token 1 asks for POS"),
    ('[{TAG = "NN"}]', "token 1 asks for TAG"),
    ('[{DEP = "dobj"}]', "token 1 asks for DEP"),
    ('[{ENT_TYPE = "ORG"}]', "token 1 asks for ENT_TYPE"),
    ('[{MORPH = "x"}]', "token 1 asks for MORPH"),
    ('[{REGEX = "x"}]', "token 1 has a REGEX; write it as when.pattern"),
    ('[{LOWER = {REGEX = "x"}}]', "token 1 has a REGEX; write it as when.pattern"),
    ('[{LOWER = {FUZZY = "x"}}]', "token 1 has FUZZY, which also takes words that mean something else"),
    ('[{LOWER = {FUZZY2 = "x"}}]', "token 1 has FUZZY"),
    ('[{LOWR = "fee"}]', "token 1 asks for 'LOWR', which does not exist; did you mean 'LOWER'? (there is: ORTH,"),
    ('[{lower = "fee"}]', "did you mean 'LOWER'?"),
    (
        '[{LOWER = "a"}, {IS_DIGITS = true}]',
        "token 2 asks for 'IS_DIGITS', which does not exist; did you mean 'IS_DIGIT'?",
    ),
    ("[{_ = {x = 1}}]", "token 1 asks for '_'"),
    ("[{LOWER = 3}]", "token 1 needs a word in \"quotes\" for LOWER, not '3'"),
    ("[{LOWER = true}]", "not true"),
    ('[{LOWER = ["fee"]}]', "not a list"),
    ('[{LOWER = " "}]', 'needs a word in "quotes" for LOWER'),
    ("[{LOWER = {}}]", "token 1 has empty braces for LOWER; say what it must be"),
    ('[{LOWER = {IN = "fee"}}]', 'token 1 needs a list behind IN, for example {IN = ["price", "fee"]}, not \'fee\''),
    ("[{LOWER = {IN = []}}]", "token 1 needs a list behind IN"),
    ("[{LOWER = {IN = [3]}}]", 'needs a word in "quotes"'),
    ('[{LOWER = {in = ["a"]}}]', "token 1 has 'in' for LOWER; did you mean 'IN'? (there is: IN, NOT_IN)"),
    ('[{LOWER = {">=" = "a"}}]', "token 1 has '>=' for LOWER"),
    ('[{IS_DIGIT = "true"}]', "token 1 needs true or false without quotes for IS_DIGIT, not 'true'"),
    ('[{LENGTH = "3"}]', "token 1 needs a whole number of letters for LENGTH"),
    ("[{LENGTH = 2.5}]", "token 1 needs a whole number"),
    ("[{LENGTH = true}]", "not true"),
    ('[{LENGTH = {"=>" = 3}}]', "token 1 has '=>' for LENGTH"),
    ('[{LENGTH = {">=" = [3]}}]', "token 1 needs one number behind '>=', not a list"),
    ("[{LENGTH = 2026-01-01}]", "not '2026-01-01'"),
    ('[{SHAPE = "ddddd"}]', "but a shape shows at most four of the same sign in a row"),
    ('[{SHAPE = "Abc-1"}]', "in a shape X is a capital letter, x a small one, d a digit"),
    (
        '[{OP = "?"}, {LOWER = "fee", OP = "{0,2}"}]',
        "every token may be absent, so the pattern would hold for every mail",
    ),
    ("[{LOWER = 'a'}, " + "{OP = '{0,3}'}, " * 3 + "]", "the optional tokens can be read in 64 ways, 16 is the most"),
    ("[{LOWER = 'a'}, " + "{OP = '{10}'}, " * 3 + "]", "the pattern covers more than 30 tokens with all its repeats"),
    ("[{}]", NEARLY),
    ("[{IS_ALPHA = true}]", NEARLY),
    ('[{LOWER = "fee", OP = "!"}]', NEARLY),
    ('[{LENGTH = {">=" = 1}}]', NEARLY),
]


@pytest.mark.parametrize(("toml", "sentence"), BAD)
def test_bad(toml: str, sentence: str) -> None:
    assert sentence in str(token_problem(pattern(toml)))


def test_a_bad_pattern_is_not_compiled() -> None:
    with pytest.raises(ValueError, match=re.escape("token 1 asks for LEMMA")):
        TokenIndex([json.dumps(pattern('[{LEMMA = "be"}]'))])
