"""A mail's text in, out its sentences as items: what each word says in English, German or French."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from babel.dates import get_day_names, get_month_names

from triaged.calls.words import ENGLISH, FRENCH, GERMAN

LONGEST: Final = 20_000
"""Characters; what a person writes about when to talk stands in the first few hundred."""

LONGEST_NAME: Final = 100

TABLES: Final = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH}

SHORT: Final = {
    "de": {"mo": 0, "di": 1, "mi": 2, "do": 3, "fr": 4, "sa": 5, "so": 6},
    "fr": {"lun": 0, "mar": 1, "mer": 2, "jeu": 3, "ven": 4, "sam": 5, "dim": 6},
    "en": {"mon": 0, "sat": 5, "sun": 6},
}
"""Short weekdays that are words too ("so", "do", "mer", "sat"): days only before something that says when."""

_TOKEN = re.compile(
    r"""
      (?P<phone>(?:\+\d|0\d\d)[\d ()/.-]{4,20}\d|0\d(?:[ .]\d\d){4})
    | (?P<iso>\d{4}-\d{2}-\d{2}(?!\d)T?)
    | (?P<clock>\d{1,2}[:hH]\d{2}(?![\d:]))
    | (?P<dotted>\d{1,2}\.\d{1,2}(?:\.(?:\d{4}|\d{2})?)?(?!\d|[.,]\d))
    | (?P<slashed>\d{1,2}/\d{1,2}(?:/(?:\d{4}|\d{2}))?(?![\d/]))
    | (?P<nth>\d{1,2}(?:st|nd|rd|th|er|ère|e|ème|eme|ter|ten)(?!\w))
    | (?P<number>\d{1,2}(?![\d.,]*\d))
    | (?P<digits>\d[\d.,]*)
    | (?P<half>[ap]\.m\b\.?)
    | (?P<word>[^\W\d_]+)
    | (?P<line>\n)
    | (?P<mark>[^\w\s]|_)
    """,
    re.VERBOSE | re.IGNORECASE,
)

_COMPOUNDS: Final = {
    day + part: len(day)
    for day in ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")
    for part in ("vormittag", "nachmittag", "abend", "morgen", "mittag", "früh")
}
"""German writes "Freitagnachmittag" as one word; with the length of its first half."""

_MARKS: Final = {",": "comma", "(": "comma", ")": "comma", "•": "line", "*": "line"}
_QUIET: Final = frozenset("'\"«»“”„‚:…<>[]~|^`´")
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_TYPOGRAPHY: Final = str.maketrans(
    {"’": "'", "‘": "'", "–": "-", "—": "-", "‑": "-", "−": "-", "\u00a0": " ", "\u202f": " "}
)


@dataclass(frozen=True, slots=True)
class Item:
    """What one word, number or phrase says. kind: of `words` or of `_TOKEN`, "?" for a word that no table has.

    value: the number beside the kind in the tables, or of the token. start, end: its place in the text.
    """

    kind: str
    value: int
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """items: in order, not empty. asks: it ends in a question mark. language: the one most of its words are of."""

    items: tuple[Item, ...]
    asks: bool
    language: str


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


Entry = tuple[tuple[str, ...], str, int]


def sentences(text: str, names: Collection[str] = ()) -> tuple[Sentence, ...]:
    """Up to the closing words ("Kind regards"), without what follows them. names: of people and firms; they say nothing
    of a time, where no table has the word."""
    known = frozenset(word.text for name in names for word in _tokens(name[:LONGEST_NAME]) if word.kind == "word")
    folded = text[:LONGEST].translate(_TYPOGRAPHY)
    tokens = _tokens(folded)
    whole = _language(tokens, "en")
    found: list[Sentence] = []
    for run, asks in _runs(tokens):
        language = _language(run, whole)
        items = tuple(_items(run, language, known))
        if len(items) == 0:
            continue
        if items[0].kind == "bye" or (run[0].text == "best" and _is_alone(run)):
            break
        found.append(Sentence(items, asks, language))
    return tuple(found)


def _is_alone(run: list[_Token]) -> bool:
    return len(run) <= 2 or (len(run) <= 4 and run[1].text == ",")


def _tokens(text: str) -> list[_Token]:
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        size = _COMPOUNDS.get(match[0].casefold(), 0) if kind == "word" else 0
        if size > 0:
            found.append(_Token(kind, match[0][:size].casefold(), match.start(), match.start() + size))
            found.append(_Token(kind, match[0][size:].casefold(), match.start() + size, match.end()))
            continue
        found.append(_Token(kind, unicodedata.normalize("NFC", match[0]).casefold(), match.start(), match.end()))
    return found


def _runs(tokens: list[_Token]) -> Iterator[tuple[list[_Token], bool]]:
    """Sentences as tokens. A line ends one unless it is long, as lines are that were wrapped, and the next goes on."""
    run: list[_Token] = []
    line_start = 0
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else None
        if token.kind == "line":
            wrapped = token.start - line_start > 50 and following is not None and following.kind != "line"
            line_start = token.end
            if wrapped or not run:
                continue
            yield run, False
            run = []
        elif token.kind == "mark" and token.text in ".!?;" and not _is_within(run, token, following):
            if run:
                yield run, token.text == "?"
            run = []
        else:
            run.append(token)
    if run:
        yield run, False


_DAY_BEFORE: Final = frozenset(("am", "den", "der", "dem", "vom", "zum", "le"))


def _is_within(run: list[_Token], mark: _Token, following: _Token | None) -> bool:
    """Whether a mark belongs to what stands before it: "3. Dezember", "am 3. um", "p.m.", "Do. 14 Uhr"."""
    if mark.text != "." or not run or run[-1].end != mark.start:
        return False
    before = run[-1]
    if following is None:
        return False
    if before.kind == "number":
        dated = len(run) > 1 and run[-2].text in _DAY_BEFORE
        return dated or following.text in _months()
    if before.kind != "word":
        return False
    if following.start == mark.end or before.text in _TITLES:
        return True
    return before.text in _abbreviations() and (
        following.kind in _NUMERIC or following.text in (",", "um", "at", "à", "ab")
    )


_TITLES: Final = frozenset(
    ("nr", "no", "mr", "mrs", "ms", "dr", "ca", "evtl", "bzw", "ggf", "tel", "hr", "fr", "approx")
)
_NUMERIC: Final = frozenset(("number", "clock", "dotted", "slashed", "nth", "iso", "digits"))


@functools.cache
def _months() -> frozenset[str]:
    return frozenset(
        words[0]
        for table in _lexicon().values()
        for entries in table.values()
        for words, kind, _ in entries
        if kind == "month"
    )


@functools.cache
def _abbreviations() -> frozenset[str]:
    """Short names of weekdays and months, which a full stop may follow."""
    named = {
        word
        for table in _lexicon().values()
        for word, entries in table.items()
        for words, kind, _ in entries
        if kind in ("weekday", "month") and len(words) == 1 and len(word) <= 5
    }
    return frozenset(named | {name for short in SHORT.values() for name in short})


def _language(tokens: list[_Token], otherwise: str) -> str:
    votes = dict.fromkeys(TABLES, 0)
    own = _own_words()
    for token in tokens:
        if token.text in own:
            votes[own[token.text]] += 1
    best = max(votes, key=lambda name: (votes[name], name == otherwise))
    return best if votes[best] > 0 else otherwise


def _items(run: list[_Token], language: str, names: frozenset[str]) -> Iterator[Item]:
    order = [language, *(name for name in TABLES if name != language)]
    place = 0
    while place < len(run):
        token = run[place]
        kind, value, size = _read(run, place, order)
        kind = "plain" if kind == "?" and token.text in names else kind
        last = run[place + size - 1]
        if kind != "":
            yield Item(kind, value, token.start, last.end, " ".join(each.text for each in run[place : place + size]))
        place += size


def _read(run: list[_Token], place: int, order: list[str]) -> tuple[str, int, int]:
    """Kind, value and number of tokens of the longest phrase that starts here; "" for a mark that says nothing."""
    token = run[place]
    found = _phrase(run, place, order)
    is_phrase = found is not None and len(found[0]) > 1  # "so gegen 15 Uhr" is no Sunday
    if not is_phrase and (day := _short_weekday(run, place, order)) is not None:
        return "weekday", day, 1
    if token.text == "am" and order[0] == "en" and place > 0 and run[place - 1].text != "i":
        return "half", 0, 1  # "9 am", "Tuesday am"; not "I am"
    if found is not None:
        words, kind, value = found
        return kind, value, len(words)
    match token.kind:
        case "word":
            wrong = _misspelled().get(token.text)
            return ("?", 0, 1) if wrong is None else (*wrong, 1)
        case "number":
            return "number", int(token.text), 1
        case "nth":
            return "nth", int("".join(letter for letter in token.text if letter.isdecimal())), 1
        case "half":
            return "half", 12 if token.text.startswith("p") else 0, 1
        case "phone":
            return "plain", 0, 1
        case "mark":
            return _mark(run, place), 0, 1
        case other:
            return other, 0, 1


def _mark(run: list[_Token], place: int) -> str:
    token = run[place]
    if token.text != "-":
        return "" if token.text in _QUIET or token.text == "." else _MARKS.get(token.text, "?")
    if place == 0:
        return "line"
    if place + 1 == len(run):
        return "comma"
    before, after = run[place - 1], run[place + 1]
    tight = before.end == token.start and after.start == token.end
    return "" if tight and before.kind == after.kind == "word" and not _is_day_pair(before, after) else "dash"


def _is_day_pair(before: _Token, after: _Token) -> bool:
    """ "Mon-Fri", "lundi-vendredi"."""
    return all(
        any(kind == "weekday" for _, kind, _ in _any(each.text)) or any(each.text in days for days in SHORT.values())
        for each in (before, after)
    )


def _any(word: str) -> list[Entry]:
    return [entry for table in _lexicon().values() for entry in table.get(word, ()) if len(entry[0]) == 1]


_SAYS_WHEN: Final = frozenset(
    ("at", "after", "before", "between", "part", "noon", "weekday", "day", "shift", "or", "month", "edge")
)


def _short_weekday(run: list[_Token], place: int, order: list[str]) -> int | None:
    token = run[place]
    day = next((SHORT[name][token.text] for name in order[:1] if token.text in SHORT[name]), None)
    if day is None:
        return None
    after = place + 1
    while after < len(run) and run[after].text in (".", ","):
        after += 1
    if after == len(run):
        return day if len(run) == 1 else None
    following = run[after]
    if following.kind in _NUMERIC or following.text == "-":
        return day
    says = any(kind in _SAYS_WHEN for name in order[:1] for _, kind, _ in _lexicon()[name].get(following.text, ()))
    return day if says or following.text in SHORT[order[0]] else None


def _phrase(run: list[_Token], place: int, order: list[str]) -> Entry | None:
    best: Entry | None = None
    for name in order:
        for entry in _lexicon()[name].get(run[place].text, ()):
            words = entry[0]
            if name != order[0] and entry[1] == "plain":
                continue  # "agenda" is a diary in French only
            if best is not None and len(words) <= len(best[0]):
                break
            if all(run[place + step].text == word for step, word in enumerate(words) if place + step < len(run)) and (
                place + len(words) <= len(run)
            ):
                best = entry
                break
    return best


@functools.cache
def _lexicon() -> dict[str, dict[str, tuple[Entry, ...]]]:
    """By language and first word, the longest phrase first."""
    return {name: _compiled(name) for name in TABLES}


def _compiled(language: str) -> dict[str, tuple[Entry, ...]]:
    known: dict[tuple[str, ...], tuple[str, int]] = {}
    for key, phrases in TABLES[language].items():
        kind, _, value = key.partition(" ")
        for phrase in phrases.split(","):
            known[tuple(token.text for token in _tokens(" ".join(phrase.split())))] = (kind, int(value or 0))
    for name, said in _names(language):
        known.setdefault((name,), said)
    for words, said in list(known.items()):
        for spelt in (tuple(map(_bare, words)), tuple(word.translate(_UMLAUTS) for word in words)):
            known.setdefault(spelt, said)
    table: dict[str, list[Entry]] = {}
    for words, said in known.items():
        table.setdefault(words[0], []).append((words, *said))
    return {first: tuple(sorted(entries, key=lambda entry: -len(entry[0]))) for first, entries in table.items()}


def _names(language: str) -> Iterator[tuple[str, tuple[str, int]]]:
    """Names and short names of weekdays and months, without those that are words too (`SHORT`)."""
    for width in ("wide", "abbreviated"):
        weekdays, months = get_day_names(width, locale=language), get_month_names(width, locale=language)
        for kind, names in (("weekday", weekdays), ("month", months)):
            for number, name in names.items():
                bare = name.casefold().rstrip(".")
                if bare not in SHORT[language]:
                    yield bare, (kind, number)


def _bare(word: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", word) if not unicodedata.combining(letter))


@functools.cache
def _own_words() -> dict[str, str]:
    """Words that only one language has."""
    seen: dict[str, set[str]] = {}
    for language, table in _lexicon().items():
        for entries in table.values():
            for words, _, _ in entries:
                if len(words) == 1:
                    seen.setdefault(words[0], set()).add(language)
    return {word: next(iter(languages)) for word, languages in seen.items() if len(languages) == 1 and word.isalpha()}


@functools.cache
def _misspelled() -> dict[str, tuple[str, int]]:
    """Weekdays and months of at least six letters with one letter left out, doubled or swapped with the next.

    A spelling that could be two of them, or is a word of its own, is none.
    """
    meant: dict[str, set[tuple[str, int]]] = {}
    for language, table in _lexicon().items():
        for entries in table.values():
            for words, kind, value in entries:
                if kind in ("weekday", "month") and len(words) == 1 and len(words[0]) >= 6:
                    for wrong in _slips(words[0]):
                        meant.setdefault(wrong, set()).add((kind, value))
        del language
    return {wrong: next(iter(said)) for wrong, said in meant.items() if len(said) == 1 and not _any(wrong)}


def _slips(word: str) -> Iterator[str]:
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]
        yield word[:place] + word[place] + word[place:]
        yield word[:place] + word[place + 1 : place + 2] + word[place : place + 1] + word[place + 2 :]
