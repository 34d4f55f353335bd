"""Patterns of tokens and a text in, where each of them is found out, by spaCy's Matcher.

A pattern is a tuple of tables as a rule file holds them: `({"LOWER": "price"}, {"OP": "{0,3}"}, {"LOWER": "rise"})`.
Rules keep it as one text, its key: JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import prod
from typing import Any

from triaged.classify.phrases import bounded, plainly
from triaged.tomlfile import did_you_mean

MAX_TOKENS = 20
"""Tables of a pattern."""
MAX_REPEATS = 10
"""Times that one table may be repeated."""
MAX_SPAN = 30
"""Tokens that a pattern may cover in a text."""
MAX_FORMS = 16
"""Ways to read a pattern with all its optional tokens, each a pattern of fixed length for spaCy.

spaCy's own way doubles with each optional token: 12 of them took 0.8 s for 2,000 words. 16 forms of 16 tokens take
0.4 s for 20,000 words that keep all of them waiting, the worst there is (measured 2026-11-29).
"""
MAX_TEXT = 100_000
"""Characters of a text that are read."""
MAX_TEXT_TOKENS = 20_000
"""Tokens of a text that are read: ordinary words of that many characters."""
MAX_PLACES = 3
"""Places kept of each pattern."""
_WINDOW = 1_000
"""Tokens looked at before it is seen whether enough places are known, so that few matches are ever held."""

Token = Mapping[str, Any]
Stretch = tuple[int, int]
"""Of tokens: the first, one behind the last."""
Places = tuple[tuple[str, int, int], ...]
"""Words as they stand in the text, start, end (characters, end exclusive); by start, they do not overlap."""

_TEXTS = ("ORTH", "TEXT", "LOWER", "SHAPE")
_FLAGS = ("IS_ALPHA", "IS_DIGIT", "IS_LOWER", "IS_UPPER", "IS_TITLE", "IS_PUNCT", "LIKE_NUM", "LIKE_URL", "LIKE_EMAIL")
_KNOWN = (*_TEXTS, "LENGTH", *_FLAGS, "OP")
_TRAINED = frozenset({"LEMMA", "POS", "TAG", "DEP", "MORPH", "ENT_TYPE", "ENT_ID", "ENT_IOB", "ENT_KB_ID"})
_LISTS = ("IN", "NOT_IN")
_COMPARISONS = ("==", "!=", ">=", "<=", ">", "<")
_TIMES = re.compile(r"\{(\d{1,4})(?:,(\d{1,4}))?\}")
_EXAMPLE = '[{LOWER = "price"}, {LOWER = "rise"}]'


@dataclass(frozen=True, slots=True)
class _Pattern:
    """needs: each a set of words (hashes of spaCy's LOWER), of which one must be there. longest: tokens."""

    key: str
    needs: tuple[frozenset[int], ...]
    matcher: Any
    longest: int


class TokenIndex:
    """Patterns compiled once, given by their keys; in each of them `token_problem` finds nothing. Raises: ValueError.

    `LOWER` is read in lower case; kinds of quotes, and kinds and number of blanks make no difference. Only patterns
    whose words are all there are tried, around the rarest of these, so most cost nothing.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        import spacy

        self._nlp: Any = spacy.blank("xx")
        self._by_word: dict[int, list[int]] = {}
        self._always: list[int] = []
        self._patterns: list[_Pattern] = []
        for number, key in enumerate(dict.fromkeys(keys)):
            pattern = json.loads(key)
            if (wrong := token_problem(pattern)) is not None:
                raise ValueError(f"{key}: {wrong}")
            compiled = _compiled(key, pattern, self._nlp)
            self._patterns.append(compiled)
            for word in min(compiled.needs, key=len, default=frozenset()):
                self._by_word.setdefault(word, []).append(number)
            if len(compiled.needs) == 0:
                self._always.append(number)

    def find(self, text: str) -> Mapping[str, Places]:
        """Each pattern found in the first 100,000 characters, by its key, with its first three places; never raises.

        Of matches that begin at the same token the longest is taken.
        """
        if len(self._patterns) == 0:
            return {}
        text = text[:MAX_TEXT]
        plain, places = plainly(text)
        found: dict[str, Places] = {}
        with bounded(self._nlp):
            doc = self._nlp.make_doc(plain)[:MAX_TEXT_TOKENS]
            for pattern, stretches in self._candidates(doc):
                spans = [doc[first:last] for first, last in _matches(pattern, doc, stretches)]
                at = [(places[span.start_char], places[span.end_char - 1] + 1) for span in spans]
                if len(at) > 0:
                    found[pattern.key] = tuple((text[start:end], start, end) for start, end in at)
        return found

    def _candidates(self, doc: Any) -> Iterator[tuple[_Pattern, list[Stretch]]]:
        """Patterns whose words are all there, with the stretches around the rarest of these words."""
        from spacy.attrs import LOWER

        at: dict[int, list[int]] = {}
        for place, word in enumerate(doc.to_array([LOWER]).ravel().tolist()):
            at.setdefault(word, []).append(place)
        numbers = set(self._always)
        for word in at.keys() & self._by_word.keys():
            numbers.update(self._by_word[word])
        for pattern in (self._patterns[number] for number in sorted(numbers)):
            if len(pattern.needs) == 0:
                yield pattern, [(0, len(doc))]
            elif not any(need.isdisjoint(at.keys()) for need in pattern.needs):
                found = [[place for word in need for place in at.get(word, ())] for need in pattern.needs]
                rarest: list[int] = min(found, key=len)
                yield pattern, _stretches(sorted(rarest), pattern.longest)


def _stretches(places: Sequence[int], longest: int) -> list[Stretch]:
    """All tokens that a match of so many tokens with one of these places in it can have."""
    found: list[Stretch] = []
    for place in places:
        start, end = max(0, place - longest + 1), place + longest
        if len(found) > 0 and start <= found[-1][1]:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _matches(pattern: _Pattern, doc: Any, stretches: Sequence[Stretch]) -> list[Stretch]:
    """The first places that do not overlap."""
    found: list[Stretch] = []
    for start, stop in ((start, end) for first, end in stretches for start in range(first, end, _WINDOW)):
        window = doc[start : min(start + _WINDOW + pattern.longest - 1, stop)]
        ordered = sorted((first, -last) for _, first, last in pattern.matcher(window) if first < _WINDOW)
        for first, last in ((start + first, start - last) for first, last in ordered):
            if len(found) == 0 or first >= found[-1][1]:
                found.append((first, last))
            if len(found) == MAX_PLACES:
                return found
    return found


def _compiled(key: str, pattern: Sequence[Token], nlp: Any) -> _Pattern:
    from spacy.matcher import Matcher

    forms = _forms(pattern)
    matcher = Matcher(nlp.vocab)
    matcher.add("pattern", forms)
    needs = [_words(token) for token in pattern if _times(token)[0] > 0]
    hashed = tuple(frozenset(map(nlp.vocab.strings.add, words)) for words in needs if len(words) > 0)
    return _Pattern(key, hashed, matcher, max(len(form) for form in forms))


def _forms(pattern: Sequence[Token]) -> list[list[dict[str, Any]]]:
    """Each way to read the pattern, without anything optional; equal ones once."""
    choices = []
    for token in pattern:
        least, most = _times(token)
        choices.append([[_for_spacy(token)] * times for times in range(least, most + 1)])
    forms = ([token for run in runs for token in run] for runs in product(*choices))
    return list({json.dumps(form): form for form in forms}.values())


def _for_spacy(token: Token) -> dict[str, Any]:
    """Without repeats, and with `LOWER` in lower case."""
    made = {key: value for key, value in token.items() if key != "OP" or value == "!"}
    if isinstance(lower := made.get("LOWER"), str):
        made["LOWER"] = _plain(lower).lower()
    elif lower is not None:
        made["LOWER"] = {name: [_plain(word).lower() for word in words] for name, words in lower.items()}
    return made


def _plain(word: str) -> str:
    return plainly(word)[0].strip()


def _times(token: Token) -> tuple[int, int]:
    """How often a token must, and may, stand there."""
    match token.get("OP", "!"):
        case "!":  # one token that is another
            return 1, 1
        case "?":
            return 0, 1
        case text:
            numbers = re.findall(r"\d+", text)
            return int(numbers[0]), int(numbers[-1])


def _words(token: Token) -> list[str]:
    """Lower-case words of which a token must be one; none when it may be any, or must not be these."""
    if token.get("OP") == "!":
        return []
    for name in ("LOWER", "ORTH", "TEXT"):
        value = token.get(name)
        words = value.get("IN", []) if isinstance(value, Mapping) else [value] if isinstance(value, str) else []
        if len(words) > 0:
            return [_plain(word).lower() for word in words]
    return []


# --- what a pattern must be ------------------------------------------------------------------------------------

_SAMPLES = ("The box is red", "Munch my fudge", "Klar, gut, komm")
"""What holds for all of these holds for nearly every mail."""


def token_problem(pattern: object) -> str | None:
    """Why a pattern, as it comes out of TOML, cannot be used, and what to write instead; None when it can."""
    if not isinstance(pattern, list | tuple) or len(pattern) == 0:
        return f"a pattern of tokens is a list with a table for each token, for example {_EXAMPLE}"
    if len(pattern) > MAX_TOKENS:
        return f"the pattern has {len(pattern)} tokens, {MAX_TOKENS} is the most; make two rules of it"
    for number, token in enumerate(pattern, start=1):
        if (wrong := _token_problem(token)) is not None:
            return f"token {number} {wrong}"
    times = [_times(token) for token in pattern]
    if sum(least for least, _ in times) == 0:
        return "every token may be absent, so the pattern would hold for every mail; take the OP from one of them"
    if sum(most for _, most in times) > MAX_SPAN:
        return f"the pattern covers more than {MAX_SPAN} tokens with all its repeats; make them smaller"
    if (forms := prod(most - least + 1 for least, most in times)) > MAX_FORMS:
        return (
            f"the optional tokens can be read in {forms} ways, {MAX_FORMS} is the most, or a hostile mail could take "
            "too long; make the repeats smaller, or make two rules of it"
        )
    return _emptiness(pattern)


def _token_problem(token: object) -> str | None:
    if not isinstance(token, Mapping):
        return f'must be a table in braces, for example {{LOWER = "price"}}, not {_shown(token)}'
    for name, value in token.items():
        if (wrong := _name_problem(name) or _VALUES[name](name, value)) is not None:
            return wrong
    if token.get("OP") == "!" and len(token) == 1:
        return 'forbids every token; say which one must not stand there, for example {LOWER = "not", OP = "!"}'
    return None


def _name_problem(name: str) -> str | None:
    if name in _TRAINED:
        return f'asks for {name}, which is not known here; list the forms: {{LOWER = {{IN = ["price", "prices"]}}}}'
    if name in ("REGEX", "FUZZY"):
        return _OPERATORS_ELSEWHERE[name]
    if name not in _KNOWN:
        return f"asks for '{name}', which does not exist{did_you_mean(name, _KNOWN)} (there is: {', '.join(_KNOWN)})"
    return None


_OPERATORS_ELSEWHERE = {
    "REGEX": "has a REGEX; write it as when.pattern, which no mail can slow down",
    "FUZZY": 'has FUZZY, which also takes words that mean something else; list the spellings: {IN = ["…", "…"]}',
}


def _text_problem(name: str, value: object) -> str | None:
    words: Iterable[object] = [value]
    if isinstance(value, Mapping):
        if (wrong := _operator_problem(name, value, _LISTS)) is not None:
            return wrong
        words = [word for words in value.values() for word in words]
    for word in words:
        if not isinstance(word, str) or word.strip() == "":
            return f'needs a word in "quotes" for {name}, not {_shown(word)}'
        if (wrong := _shape_problem(word) if name == "SHAPE" else _word_problem(name, word)) is not None:
            return wrong
    return None


def _word_problem(name: str, word: str) -> str | None:
    pieces = [piece.text for piece in _blank().make_doc(_plain(word))]
    if len(pieces) == 1:
        return None
    tables = ", ".join(f'{{{name} = "{piece}"}}' for piece in pieces[:MAX_TOKENS])
    return f"can never be '{word}', which is {len(pieces)} tokens; write {tables}"


def _shape_problem(shape: str) -> str | None:
    if re.search(r"([Xxd])\1{4}", shape):
        return f"has the shape '{shape}', but a shape shows at most four of the same sign in a row; leave out the rest"
    if re.search(r"[A-WYZa-ce-wyz0-9\s]", shape):
        return f"has the shape '{shape}'; in a shape X is a capital letter, x a small one, d a digit: 'Xxxx', 'XX-dddd'"
    return None


def _flag_problem(name: str, value: object) -> str | None:
    return None if isinstance(value, bool) else f"needs true or false without quotes for {name}, not {_shown(value)}"


def _length_problem(name: str, value: object) -> str | None:
    numbers: Iterable[object] = [value]
    if isinstance(value, Mapping):
        if (wrong := _operator_problem(name, value, (*_LISTS, *_COMPARISONS))) is not None:
            return wrong
        numbers = [each for found in value.values() for each in (found if isinstance(found, list | tuple) else [found])]
    for number in numbers:
        if type(number) is not int or not 0 <= number <= MAX_TEXT:
            return f'needs a whole number of letters for {name}, or {{">=" = 4}}, not {_shown(number)}'
    return None


def _operator_problem(name: str, value: Mapping[str, Any], known: Sequence[str]) -> str | None:
    """What stands in braces behind an attribute: `{IN = ["a", "b"]}`, `{">=" = 4}`."""
    if len(value) == 0:
        return f"has empty braces for {name}; say what it must be"
    for operator, operand in value.items():
        if operator.startswith("FUZZY") or operator == "REGEX":
            return _OPERATORS_ELSEWHERE[operator[:5]]
        if operator not in known:
            return f"has '{operator}' for {name}{did_you_mean(operator, known)} (there is: {', '.join(known)})"
        if operator in _LISTS and (not isinstance(operand, list | tuple) or len(operand) == 0):
            return (
                f'needs a list behind {operator}, for example {{{operator} = ["price", "fee"]}}, not {_shown(operand)}'
            )
        if operator in _COMPARISONS and isinstance(operand, list | tuple):
            return f"needs one number behind '{operator}', not {_shown(operand)}"
    return None


def _repeat_problem(_name: str, value: object) -> str | None:
    if value in ("!", "?"):
        return None
    if value in ("*", "+") or (isinstance(value, str) and re.fullmatch(r"\{\d+,\}", value)):
        start = {"*": "0", "+": "1"}.get(value) or value[1:-2]
        instead = f"{{{start},{max(8, min(int(start), MAX_REPEATS))}}}"
        return f'has no end with OP = "{value}", so a hostile mail could take forever; write OP = "{instead}"'
    found = _TIMES.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return f'has OP = {_shown(value)}; write "!" (not this), "?" (or nothing), "{{2}}" (twice), "{{0,3}}" (up to 3)'
    least, most = int(found[1]), int(found[2] or found[1])
    if most > MAX_REPEATS or most == 0:
        return f'has OP = "{value}"; the most is {MAX_REPEATS}, the least is 1 time: write OP = "{{0,{MAX_REPEATS}}}"'
    if least > most:
        return f'has OP = "{value}"; the smaller number comes first: "{{{most},{least}}}"'
    return None


_VALUES = {
    **dict.fromkeys(_TEXTS, _text_problem),
    **dict.fromkeys(_FLAGS, _flag_problem),
    "LENGTH": _length_problem,
    "OP": _repeat_problem,
}


def _emptiness(pattern: Sequence[Token]) -> str | None:
    """What holds for every mail is no condition."""
    nlp = _blank()
    compiled = _compiled("", pattern, nlp)
    docs = [nlp.make_doc(sample) for sample in _SAMPLES]
    if all(len(_matches(compiled, doc, [(0, len(doc))])) > 0 for doc in docs):
        return "the pattern would hold for nearly every mail; name a word or sign that must be there"
    return None


@cache
def _blank() -> Any:
    """Only to check patterns with: each index has its own, whose memory is bounded."""
    import spacy

    return spacy.blank("xx")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return "a table" if isinstance(value, Mapping) else "a list"
    return f"'{value}'"
