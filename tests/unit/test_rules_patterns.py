"""Patterns find what people mean, at the right characters, in whatever text; those that cannot be used are told why."""

from __future__ import annotations

import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from triaged.rules import patterns
from triaged.rules.patterns import PatternIndex, problem

FOUND = [
    # pattern, text, the words as they stand
    (r"INV-\d{4,}", "About inv-20931, please.", ["inv-20931"]),
    (r"\bcancel\w*", "Cancelled? cancels it", ["Cancelled", "cancels"]),
    (r"(?:^|\W)übergab\w+", "Die ÜBERGABE am Montag", [" ÜBERGABE"]),
    (r"kündig\w*", "Wir KÜNDIGEN hiermit.", ["KÜNDIGEN"]),
    (r"\w+spesen", "Die Überstundenspesen", ["Überstundenspesen"]),
    (r"[\w.]+@acme\.example", "an jürgen.groß@acme.example", ["jürgen.groß@acme.example"]),
    (r"договор\w*", "О ДОГОВОРЕ поставки", ["ДОГОВОРЕ"]),
    (r"EUR\s+\d", "EUR\u00a05 und EUR\u202f7", ["EUR\u00a05", "EUR\u202f7"]),
    (r"isn't working", "The portal isn’t working.", ["isn’t working"]),
    (r"isn’t working", "The portal isn't working.", ["isn't working"]),
    (r"„offen“", 'Status "offen"', ['"offen"']),
    (r"^total:", "Subtotal: 5\nTotal: 7", ["Total:"]),
    (r"soon$", "Answer soon\r\nor not so soon.", ["soon"]),
    (r"price.{0,20}rise", "the price is on the rise", ["price is on the rise"]),
    (r"price.*rise", "the price\nis on the rise", []),
    (r"(?s)price.*rise", "the price\nis on the rise", ["price\nis on the rise"]),
    (r"(?-i)SLA", "sla SLA", ["SLA"]),
    (r"C\+\+", "our c++ code", ["c++"]),
    (r"\Qa.b\E", "a.b axb", ["a.b"]),
    (r"[]x]{2}", "a ]x b", ["]x"]),
    (r"ß{2}|😀😀", "straße 😀😀", ["😀😀"]),
    (r"fee", "fee fee fee fee", ["fee", "fee", "fee"]),
    (r"a\x00b", "a\0b", ["a\0b"]),
    (r"b\Wc", "b\ud800c", ["b\ud800c"]),
    (r"late", "early", []),
]


@pytest.mark.parametrize(("pattern", "text", "words"), FOUND)
def test_found(pattern: str, text: str, words: list[str]) -> None:
    places = PatternIndex([pattern]).find(text).get(pattern, ())
    assert [place[0] for place in places] == words
    assert all(text[start:end] == found for found, start, end in places)


def test_places_are_characters_behind_whatever_stands_before() -> None:
    text = "ä😀\ud800\0€\r\n fee, ß fee"
    assert PatternIndex(["fee"]).find(text)["fee"] == (("fee", 8, 11), ("fee", 15, 18))


def test_only_patterns_that_are_there() -> None:
    index = PatternIndex(["fee", "fine", "fee", r"\d{5}", r"price|fee"])
    assert index.find("A fee of 5.") == {"fee": (("fee", 2, 5),), "price|fee": (("fee", 2, 5),)}


@pytest.mark.parametrize("patterns", [[], ["fee"]])
def test_nothing_to_find(patterns: list[str]) -> None:
    assert PatternIndex(patterns).find("") == {}


def test_at_most_so_many_characters_are_read() -> None:
    found = PatternIndex(["fee"]).find
    assert found("x" * (patterns.MAX_TEXT - 3) + "fee")["fee"][0][1] == patterns.MAX_TEXT - 3
    assert found("x" * (patterns.MAX_TEXT - 2) + "fee") == {}


BACKTRACKING = [r"(a+)+$", r"(a|aa)+!", r"(?:a|b)*a(?:a|b){200}c", r"(\w+\s?)+:"]


@pytest.mark.parametrize("pattern", BACKTRACKING)
def test_what_stops_other_engines_is_answered(pattern: str) -> None:
    """RE2 takes a bounded number of steps for each character; others would never come back from these."""
    PatternIndex([pattern]).find("ab" * 20_000 + "a" * 50_000 + "c")
    assert len(PatternIndex([r"(a+)+$"]).find("a" * patterns.MAX_TEXT)) == 1


ANY_TEXT = st.text(st.characters() | st.sampled_from("aAbKkſ\u212aéÉßẞİıσς\u0301 \n\r\0\ud800€😀"), max_size=60)
SOME = [
    "k",
    "é+",
    "ß",
    "σ",
    "İ",
    "[kß]b?",
    "a.{0,3}b",
    "(?:ab|ſ)",
    r"\w\W€",
    "^b",
    "a$",
    "(?i)É",
    "[^a]b",
    "€|😀",
    r"\pLb",
]


@given(ANY_TEXT)
def test_any_text_is_read_and_its_words_are_where_they_are_said_to_be(text: str) -> None:
    index = PatternIndex(SOME)
    for places in index.find(text).values():
        assert 1 <= len(places) <= patterns.MAX_PLACES
        assert all(text[start:end] == words != "" for words, start, end in places)


@given(ANY_TEXT)
def test_all_at_once_finds_what_each_finds_alone(text: str) -> None:
    octets = text.translate(patterns._SIGNS).encode("utf-8", "replace")
    alone = {each for each in SOME if patterns._compiled(patterns._prepared(each)).search(octets) is not None}
    assert PatternIndex(SOME).find(text).keys() == alone


@given(st.text(max_size=30) | st.from_regex(r"[a-z(\[\]){}*+?|\\^$.\d,:<>=!PQEwWb-]{0,15}", fullmatch=True))
def test_a_pattern_without_a_problem_can_be_used(pattern: str) -> None:
    if problem(pattern) is None:
        PatternIndex([pattern]).find("Some text, ä €\n7")
    else:
        with pytest.raises(ValueError, match=re.escape(str(problem(pattern)))):
            PatternIndex([pattern])


def test_more_than_fits_together_is_split_and_still_found() -> None:
    long = [f"{number:04d}{'abcdefghij' * 99}" for number in range(700)]
    index = PatternIndex(long)
    assert len(index._filters) > 1
    assert index.find(f"{long[0]} {long[350]} {long[699]}").keys() == {long[0], long[350], long[699]}


def test_when_the_filter_gives_up_each_is_tried() -> None:
    """RE2's filter says 'nothing' when its memory does not do; here it is one that finds not even the mark."""
    index = PatternIndex(["fee", "fine"])
    silent = re2.Filter()
    silent.Add("never")
    silent.Compile()
    index._filters = [(("fee", "fine"), silent)]
    assert index.find("a fee").keys() == {"fee"}


GOOD = [
    "fee",
    r"\bfee\b",
    r"INV-\d+",
    r"price.{0,40}(?:rise|increase)",
    r"[\w.]+@[\w.]+\.com",
    "(?P<name>fee)",
    r"\\1",
    r"a{3",
    r"\pL-\d",
    "(?i)fee",
    r"[[:digit:]]{5}",
    r"fee\?",
    r"\(\?=fee\)",
    r"[(?=]x",
    "é|è",
    r"café\W",
    "(?:the )?invoice",
]


@pytest.mark.parametrize("pattern", GOOD)
def test_good(pattern: str) -> None:
    assert problem(pattern) is None


FOREVER = "which RE2 does not know because a hostile mail could make it take forever"
EVERY = "would hold for every mail, for it can also match without any words; name the words"
NEARLY = "would hold for nearly every mail; name the words or signs that must be there"
BAD = [
    ("(fee", "has a ( without its ); add the ), or write \\( for the sign itself"),
    ("fee)", "has a ) without its (; add the (, or write \\) for the sign itself"),
    ("[fee", "has a [ without its ]; add the ], or write \\[ for the sign itself"),
    ("[]", "has a [ without its ]"),
    ("*fee", "repeats nothing: in front of * something must stand; write \\* for the sign"),
    ("fee|+", "repeats nothing: in front of + something must stand"),
    ("fee**", "repeats what is repeated already (**); leave one of them"),
    ("fe++", "repeats what is repeated already (++)"),
    ("fe{2,1}", "cannot repeat {2,1}; the smaller number comes first"),
    ("fe{1001}", "cannot repeat {1001}; the smaller number comes first, and 1,000 is the most in all"),
    ("((fe{100}){100}){100}", "cannot repeat {100}"),
    ("fee\\", "ends with a single \\; write \\\\ for the sign itself"),
    (r"\yfee", "holds \\y, which means nothing to RE2; write the sign without the \\"),
    ("[z-a]", "holds z-a, which is no range or kind of characters; write for example [a-z]"),
    (r"\p{Klingon}", "holds \\p{Klingon}, which is no range"),
    ("[[:foo:]]", "holds [:foo:], which is no range"),
    ("(?P<n", "names a group in a wrong way ((?P<n); write (?:…), a name is not needed"),
    ("(?q)fee", "holds (?q…, which RE2 does not know; for a group write (?:…)"),
    ("fee(?=s)", f"looks ahead or behind with (?=…), {FOREVER}; write what must not be there as unless.pattern"),
    ("fee(?!s)", f"looks ahead or behind with (?!…), {FOREVER}"),
    ("(?<=a )fee", f"looks ahead or behind with (?<=…), {FOREVER}"),
    ("(?<!a )fee", f"looks ahead or behind with (?<!…), {FOREVER}"),
    (r"(fee) \1", f"refers to what a group found with \\1, {FOREVER}; write the words out"),
    (r"(?P<a>fee) (?P=a)", f"refers to what a group found with (?P=…), {FOREVER}"),
    (r"(?<a>fee) \k<a>", f"refers to what a group found with \\k, {FOREVER}"),
    ("(?(1)a|b)", f"refers to what a group found with (?(…), {FOREVER}"),
    ("(?>fee)", "holds (?>…), which RE2 does not know and does not need; write (?:…)"),
    ("(?#why)fee", "holds a comment (?#…), which RE2 does not know; write it above the line, after #"),
    ("(?m)fee", "changes how lines are read with (?m); ^ and $ are always the start and the end of a line"),
    (r"fee\Z", "holds \\Z, the end of the mail"),
    (r"fee\z", "write $, the end of a line"),
    (r"\C", "holds \\C, half a character; write . for any character"),
    (r"a\hb", "holds \\h, which RE2 does not know; write \\s for a blank"),
    (r"\u00e4", "holds \\u, which RE2 does not know; write the letter itself, or \\x{e4} for ä"),
    (r"[\W_]x", r"has \W inside of [ ]; write [^\w …] with ^ in front, or \W outside"),
    ("\bfee", "holds a backspace, which is what \\b means in \"double quotes\"; put the pattern in 'single quotes'"),
    ("\ud800", "holds half a character; write it anew"),
    (r"\bübergabe", "has \\b in front of 'ü', but \\b knows only the letters a to z; write (?:^|\\W) instead"),
    (r"\b(?:fee|äh)", "has \\b in front of 'ä'"),
    (r"(?:fee|café)\b", "has \\b after 'é', but \\b knows only the letters a to z; write (?:\\W|$) instead"),
    ("fe{999}e{999}", "is too large, mostly because of long repetitions like {1,500}; write a shorter one"),
    (r"(?:\w{1,50}){1,20}", "is too large"),
    (r"\p{L}{20}", "or \\w in place of \\p{…}"),
    ("f" * 1_001, "is longer than 1,000 characters; make two patterns of it"),
    ("", "is empty; write what is to be found"),
    (" ", "is empty"),
    (".*", EVERY),
    ("fee|", EVERY),
    ("(?:fee)?", EVERY),
    ("^", EVERY),
    ("^$", EVERY),
    (r"\b", EVERY),
    (".", NEARLY),
    (r"\w+", NEARLY),
    (r"\s", NEARLY),
    ("[^x]", NEARLY),
]


@pytest.mark.parametrize(("pattern", "sentence"), BAD)
def test_bad(pattern: str, sentence: str) -> None:
    assert sentence in str(problem(pattern))
