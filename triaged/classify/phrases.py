"""Fixed phrases and a text in, every place where one of them stands out, by one spaCy PhraseMatcher."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

_QUOTES = str.maketrans({"‘": "'", "’": "'", "´": "'", "`": "'", "“": '"', "”": '"', "„": '"'})
_SPACE = re.compile(r"\s+")


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
            plain = _SPACE.sub(" ", phrase.translate(_QUOTES)).strip().lower()
            if plain != "":
                keyed.setdefault(plain, []).append(phrase)
        for plain, originals in keyed.items():
            self._matcher.add(plain, [self._nlp.make_doc(plain)])
            self._phrases[self._nlp.vocab.strings[plain]] = originals

    def find(self, text: str) -> tuple[PhraseHit, ...]:
        """Every hit, by start, then the longer first; phrases may overlap."""
        plain, places = _one_blank(text.translate(_QUOTES))
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


def _one_blank(text: str) -> tuple[str, list[int] | range]:
    """The text with every run of blanks as one space, and the old place of each of its characters."""
    runs = [run for run in _SPACE.finditer(text) if run[0] != " "]
    if len(runs) == 0:
        return text, range(len(text))
    pieces: list[str] = []
    places: list[int] = []
    done = 0
    for run in runs:
        pieces += (text[done : run.start()], " ")
        places += range(done, run.start() + 1)
        done = run.end()
    pieces.append(text[done:])
    places += range(done, len(text))
    return "".join(pieces), places
