"""Phrases and a text in, every place where one of them stands in any form out, by spaCy's PhraseMatcher."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from triaged.classify.inflection import LANGUAGES, begins, is_form

_SIGNS = str.maketrans({"‘": "'", "’": "'", "´": "'", "`": "'", "“": '"', "”": '"', "„": '"'})
_SIGNS |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
"""Straight quotes; half a character (which a broken mail may hold, and at which spaCy raises) as one unknown one."""

MAX_WORD = 100
"""Characters. spaCy's time grows with the square of a word's length: 8,000 emoji took 5 s (measured 2026-11-29)."""
_BLANKS = re.compile(r"\s+")
_BLANKS_OR_LONG = re.compile(rf"\s+|\S{{{MAX_WORD}}}(?=\S)")

MAX_WORDS_KEPT = 50_000
"""Words remembered for good, some 50 MB; forgetting the rest at once costs 1 ms a mail (measured 2026-11-22)."""


@dataclass(frozen=True, slots=True)
class PhraseHit:
    """phrase: as it was given. words: as they stand in the text. start, end: characters, end exclusive."""

    phrase: str
    words: str
    start: int
    end: int


class PhraseIndex:
    """Phrases compiled once. Case, kinds of quotes, and kinds and number of blanks (line ends too) make no difference.

    A phrase matches whole words only, in any of their forms where the language's endings are known (`inflection`).
    A phrase in double quotes matches exactly these words. A phrase without any word is left out.
    Measured 2026-11-29: ten phrases cost 0.4 ms a mail, ten thousand 1.0 ms (exactly alone 0.5) and 52 MB (25 MB).
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        import spacy
        from spacy.attrs import NORM
        from spacy.matcher import PhraseMatcher

        self._nlp: Any = spacy.blank("xx")
        vocab: Any = self._nlp.vocab
        vocab.lex_attr_getters[NORM] = _begins
        self._exact: Any = PhraseMatcher(self._nlp.vocab, attr="LOWER")
        self._alike: Any = PhraseMatcher(self._nlp.vocab, attr="NORM")
        self._phrases: dict[int, list[str]] = {}
        self._forms: dict[int, list[tuple[tuple[str, ...], list[str]]]] = {}
        exact: dict[str, list[str]] = {}
        tolerant: dict[str, list[str]] = {}
        for phrase in dict.fromkeys(phrases):
            plain = plainly(phrase)[0].strip().lower()
            words = unquoted(plain)
            if words != "":
                exact.setdefault(words, []).append(phrase)
            if words == plain != "":
                tolerant.setdefault(words, []).append(phrase)
        for plain, originals in exact.items():
            self._exact.add(plain, [self._nlp.make_doc(plain)])
            self._phrases[self._nlp.vocab.strings[plain]] = originals
        self._add_forms(tolerant)

    def _add_forms(self, phrases: Mapping[str, list[str]]) -> None:
        """Phrases whose words begin alike are one entry; which of them is meant is seen when it is found."""
        alike: dict[str, list[tuple[tuple[str, ...], list[str]]]] = {}
        for plain, originals in phrases.items():
            doc = self._nlp.make_doc(plain)
            beginnings = " ".join(token.norm_ for token in doc)
            if beginnings not in alike:
                self._alike.add(beginnings, [doc])
                alike[beginnings] = self._forms[self._nlp.vocab.strings[beginnings]] = []
            alike[beginnings].append((tuple(token.text for token in doc), originals))

    def find(self, text: str, language: str) -> tuple[PhraseHit, ...]:
        """Every hit, by start, then the longer first; phrases may overlap. language: ISO 639-1 of the text, or `""`."""
        plain, places = plainly(text)
        hits = set()
        with bounded(self._nlp):
            doc = self._nlp.make_doc(plain)
            for phrase, first, last in (*self._exactly(doc), *self._in_any_form(doc, language)):
                start, end = places[doc[first].idx], places[doc[last - 1].idx + len(doc[last - 1]) - 1] + 1
                hits.add(PhraseHit(phrase, text[start:end], start, end))
        return tuple(sorted(hits, key=lambda hit: (hit.start, -hit.end, hit.phrase)))

    def _exactly(self, doc: Any) -> Iterator[tuple[str, int, int]]:
        """Phrase, first token, token after the last."""
        for key, first, last in self._exact(doc):
            for phrase in self._phrases[key]:
                yield phrase, first, last

    def _in_any_form(self, doc: Any, language: str) -> Iterator[tuple[str, int, int]]:
        """Likewise. First what begins like a phrase, which is quick, then word by word.

        A text too short for its language to be told may be in any that we know.
        """
        spoken = LANGUAGES if language == "" else tuple(each for each in LANGUAGES if each == language)
        for key, first, last in self._alike(doc) if len(spoken) > 0 else ():
            found = [token.text for token in doc[first:last]]
            for words, phrases in self._forms[key]:
                if any(all(map(is_form, words, found, repeat(each))) for each in spoken):
                    for phrase in phrases:
                        yield phrase, first, last


def _begins(word: str) -> str:
    """spaCy asks this once for each word it meets."""
    return begins(word.lower())


def unquoted(phrase: str) -> str:
    """What stands between the double quotes around a phrase; without them the phrase as it is."""
    is_quoted = len(phrase) > 1 and phrase.startswith('"') and phrase.endswith('"')
    return phrase[1:-1].strip() if is_quoted else phrase


def bounded(nlp: Any) -> AbstractContextManager[Any]:
    """Keeps a pipeline's memory bounded: spaCy remembers every word it ever met (about 1 KB each), unless told not to.

    No doc made inside may be used after it.
    """
    return nlp.memory_zone() if len(nlp.vocab) > MAX_WORDS_KEPT else nullcontext()


def plainly(text: str) -> tuple[str, list[int] | range]:
    """The text as spaCy reads it in linear time, and the old place of each of its characters.

    Straight quotes, every run of blanks as one space, a space after each `MAX_WORD` characters without any.
    """
    text = text.translate(_SIGNS)
    has_long = max(map(len, text.split()), default=0) > MAX_WORD
    runs = [run for run in (_BLANKS_OR_LONG if has_long else _BLANKS).finditer(text) if run[0] != " "]
    if len(runs) == 0:
        return text, range(len(text))
    pieces: list[str] = []
    places: list[int] = []
    done = 0
    for run in runs:
        kept = run.start() if run[0].isspace() else run.end()
        pieces += (text[done:kept], " ")
        places += (*range(done, kept), min(kept, run.end() - 1))
        done = run.end()
    pieces.append(text[done:])
    places += range(done, len(text))
    return "".join(pieces), places
