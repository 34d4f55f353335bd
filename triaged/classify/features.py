"""A text in, what a linear model counts in it out: its sentences, their words, word pairs and the letters inside words.

Words are hashes (spaCy's), so that a model holds none of the mails it learned from.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

LETTERS = (3, 4, 5)
"""Lengths of the pieces of a word: a stem, an ending, half of a German compound. With them mean average precision on
written mail of other writers was .84 instead of .79, on real mail .56 instead of .51 (2026-11-29)."""
MAX_WORD = 30
"""Letters of a word that are read."""
MAX_CHARS = 4_000
"""Characters read of a text: bounds the time; longer mails say what they want before that."""
MAX_SENTENCES = 60
"""Sentences read of a text."""
MAX_SENTENCE_CHARS = 500
"""What has no full stop is read in pieces of this size: one line must not be hidden by pages around it."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n\s*\n|\n(?=\s*[-*•])")
_DIGITS = re.compile(r"\d+")
_QUOTES = str.maketrans("‘’´`", "''''")


@dataclass(frozen=True, slots=True)
class Sentence:
    """start, end: its place in the text, characters, end exclusive. words: as the model reads them; tokens: their
    places in the text, one a word."""

    start: int
    end: int
    words: tuple[str, ...]
    tokens: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a model knows of one kind. keys: sorted hashes (uint64); rarity: log(texts / those with it) + 1, each."""

    keys: Any
    rarity: Any


Counts = tuple[tuple[Any, Any], tuple[Any, Any]]
"""Of words with pairs, and of letters: hashes (uint64; letters of two words may repeat) and log(1 + how often)."""


def sentences(doc: Any) -> tuple[Sentence, ...]:
    """The sentences of a spaCy doc that have a word, in order, within the first `MAX_CHARS`."""
    text = doc.text[:MAX_CHARS]
    ends = [(token, token.idx + len(token)) for token in doc if not token.is_space]
    words = [(word_of(token), token.idx, end) for token, end in ends if end <= MAX_CHARS]
    found, at = [], 0
    for end in _ends(text):
        first = at
        while at < len(words) and words[at][1] < end:
            at += 1
        inside = words[first:at]
        if any(word.isalpha() for word, _, _ in inside):
            places = tuple((begin, stop) for _, begin, stop in inside)
            found.append(Sentence(places[0][0], places[-1][1], tuple(word for word, _, _ in inside), places))
    return tuple(found[:MAX_SENTENCES])


def word_of(token: Any) -> str:
    """A token as the model reads it: lower case, numbers and links as one word each, straight apostrophes."""
    if token.like_url or token.like_email:
        return "url"
    return _DIGITS.sub("0", token.lower_).translate(_QUOTES)


def counted(sentences: Sequence[Sentence]) -> Counts:
    """What stands in some sentences, taken together."""
    import numpy

    words = Counter(word for sentence in sentences for word in sentence.words)
    pairs = Counter(pair for sentence in sentences for pair in pairwise(sentence.words))
    keys = [_hash(word) for word in words] + [_hash(" ".join(pair)) for pair in pairs]
    values = numpy.log1p([*words.values(), *pairs.values()]).astype("float32")
    pieces = [_letters(word) for word in words]
    sizes = [len(each) for each in pieces]
    letters = numpy.concatenate(pieces) if len(pieces) > 0 else numpy.zeros(0, dtype="uint64")
    return (numpy.array(keys, dtype="uint64"), values), (letters, numpy.repeat(values[: len(words)], sizes))


def familiar(sentences: Sequence[Sentence], words: Vocabulary) -> float:
    """The share of the different words of some sentences that a model knows; 0.0 when they have none."""
    import numpy

    found = numpy.array(
        [_hash(word) for word in {w for each in sentences for w in each.words if w.isalpha()}], "uint64"
    )
    return float(_known(found, words)[1].mean()) if len(found) > 0 else 0.0


def weighed(counts: Counts, vocabularies: Sequence[Vocabulary]) -> tuple[Any, Any]:
    """Columns of what is known, and values by rarity; words and letters are each scaled to length 1: a long mail must
    not be judged with more confidence than a short one."""
    import numpy

    all_columns, all_values, before = [], [], 0
    for (keys, values), vocabulary in zip(counts, vocabularies, strict=True):
        columns, known = _known(keys, vocabulary)
        columns = columns[known]
        values = values[known] * vocabulary.rarity[columns]
        all_columns.append(columns + before)
        all_values.append(values / _length(values))
        before += len(vocabulary.keys)
    return numpy.concatenate(all_columns), numpy.concatenate(all_values)


def shares(sentence: Sentence, vocabularies: Sequence[Vocabulary], weights: Any) -> list[float]:
    """How much each word of a sentence adds to its log-odds, pairs half to each of their words.

    weights: of one category, one a key, as in `weighed`.
    """
    import numpy

    first, second = vocabularies
    pairs = [" ".join(pair) for pair in pairwise(sentence.words)]
    keys = numpy.array([_hash(each) for each in (*sentence.words, *pairs)], dtype="uint64")
    alone = _worth(keys, first, weights[: len(first.keys)])
    pieces = [_letters(word) for word in sentence.words]
    letters = _worth(numpy.concatenate(pieces), second, weights[len(first.keys) : -1])
    found: list[float] = alone[: len(sentence.words)].tolist()
    at = 0
    for place, half in enumerate((alone[len(sentence.words) :] / 2).tolist()):
        found[place] += half
        found[place + 1] += half
    for place, each in enumerate(pieces):
        found[place] += float(letters[at : at + len(each)].sum())
        at += len(each)
    return found


def _worth(keys: Any, vocabulary: Vocabulary, weights: Any) -> Any:
    """What each key adds, were each there once."""
    columns, known = _known(keys, vocabulary)
    values = vocabulary.rarity[columns] * known
    return weights[columns] * values / _length(values)


def _length(values: Any) -> float:
    return max(math.sqrt(float(values @ values)), 1e-6)


def _known(keys: Any, vocabulary: Vocabulary) -> tuple[Any, Any]:
    """Where each key would stand, and whether it does."""
    import numpy

    columns = numpy.minimum(numpy.searchsorted(vocabulary.keys, keys), len(vocabulary.keys) - 1)
    return columns, vocabulary.keys[columns] == keys


def _ends(text: str) -> Iterator[int]:
    """Where sentences end, blanks behind them included, none longer than `MAX_SENTENCE_CHARS`."""
    done = 0
    for cut in (*(found.end() for found in _SENTENCE_END.finditer(text)), len(text)):
        yield from range(done + MAX_SENTENCE_CHARS, cut, MAX_SENTENCE_CHARS)
        yield cut
        done = cut


@lru_cache(maxsize=50_000)
def _hash(words: str) -> int:
    from spacy.strings import get_string_id

    return int(get_string_id(words))


@lru_cache(maxsize=20_000)
def _letters(word: str) -> Any:
    """Hashes of a word's pieces, its ends marked by a blank; none of what is no word."""
    import numpy

    ended = f" {word[:MAX_WORD]} " if word.isalpha() else ""
    pieces = [ended[at : at + size] for size in LETTERS for at in range(max(len(ended) - size + 1, 0))]
    return numpy.array([_hash(piece) for piece in pieces], dtype="uint64")
