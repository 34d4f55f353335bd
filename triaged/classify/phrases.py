"""Fixed phrases and a text in, every place where one of them stands out, by one spaCy PhraseMatcher."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

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

    A phrase matches whole words only. A phrase without any word is left out.
    Measured 2026-11-22 on real mails: ten phrases cost 0.35 ms a mail, ten thousand 1.0 ms.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        import spacy
        from spacy.matcher import PhraseMatcher

        self._nlp: Any = spacy.blank("xx")
        self._matcher: Any = PhraseMatcher(self._nlp.vocab, attr="LOWER")
        self._phrases: dict[int, list[str]] = {}
        keyed: dict[str, list[str]] = {}
        for phrase in dict.fromkeys(phrases):
            plain = plainly(phrase)[0].strip().lower()
            if plain != "":
                keyed.setdefault(plain, []).append(phrase)
        for plain, originals in keyed.items():
            self._matcher.add(plain, [self._nlp.make_doc(plain)])
            self._phrases[self._nlp.vocab.strings[plain]] = originals

    def find(self, text: str) -> tuple[PhraseHit, ...]:
        """Every hit, by start, then the longer first; phrases may overlap."""
        plain, places = plainly(text)
        hits = []
        with bounded(self._nlp):
            doc = self._nlp.make_doc(plain)
            for key, first, last in self._matcher(doc):
                span = doc[first:last]
                start, end = places[span.start_char], places[span.end_char - 1] + 1
                hits += [PhraseHit(phrase, text[start:end], start, end) for phrase in self._phrases[key]]
        return tuple(sorted(hits, key=lambda hit: (hit.start, -hit.end, hit.phrase)))


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
