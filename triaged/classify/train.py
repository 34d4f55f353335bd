"""Labelled mails in, a model folder out: learns the weights, then fits the calibration on folds it has not seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triaged.classify import model as models
from triaged.classify.calibrate import RuleEvidence, calibrate, mixes, scores_of
from triaged.classify.evaluate import Row, read_rows
from triaged.classify.features import MAX_CHARS, Counts, Vocabulary, counted, sentences, weighed
from triaged.classify.logistic import regression, table
from triaged.classify.model import Model, Opinion, Weights
from triaged.classify.verdict import Calibration

Progress = Callable[[str, int, int], None]
"""Called with a step in words, how many are done, how many there are."""

MIN_POSITIVES = 8
"""Rows a category needs before the model learns it."""
FOLDS = 5
RIDGE = 0.33
"""How strongly weights are held to 0; a third and three times of it were no better (cross-validation 2026-11-29)."""
REAL_WEIGHT = 3.0
"""A real mail counts as much as so many written ones; 2 and 5 moved one kind up by what the other lost (likewise)."""
MIN_WORDS, MIN_LETTERS = 2, 3
"""Texts that must hold a word, a piece of one, for the model to know it: names of a single mail never get in."""

_ANSWER = re.compile(r"(?:\s*(?:re|fw|fwd|aw|wg|tr|rv)\s*(?:\[\d+\])?\s*:|\s*\[[^\]]{1,30}\])+\s*", re.IGNORECASE)
_NO_WORD = re.compile(r"\W+")
MIN_SUBJECT = 9
"""Letters of a subject that tell a conversation; `Re: hello` does not."""
BEGINNING = 150
"""Letters that two copies of a mail share."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A text with, per category, the truth (0 or 1) and how much it counts (0: not known)."""

    counts: Counts
    truth: tuple[float, ...]
    weight: tuple[float, ...]


def example_rows(folder: Path, *, new_text: Callable[[str], str]) -> list[Row]:
    """The written client mails of a folder of JSON lines. new_text: raw body → what was written now.

    Raises: OSError, ValueError, KeyError.
    """
    return [row for path in sorted(folder.glob("*.jsonl")) for row in read_rows(path, new_text=new_text)]


def train(*, rows: Sequence[Row], out: Path, rule_evidence: RuleEvidence, progress: Progress) -> str:
    """Train and write into `out`; the model's id. The same rows and rules give the same model.

    Raises: ValueError when no category has enough rows.
    """
    categories = learnable(rows)
    if len(categories) == 0:
        raise ValueError(f"no category has {MIN_POSITIVES} mails that have it and {MIN_POSITIVES} that do not")
    opinions = unseen(rows, categories=categories, progress=progress)
    weights = learn(rows, categories=categories)
    progress("weights", FOLDS + 1, FOLDS + 1)
    languages = tuple(sorted({row.language for row in rows if row.language != ""}))
    mixing = mixes(rows, opinions, categories=categories)
    scores = scores_of(opinions, mixing, categories=categories)
    calibration = calibrate(rows, scores, categories=categories, languages=languages, rule_evidence=rule_evidence)
    return models.save(out, categories=categories, weights=weights, mixes=mixing, calibration=calibration)


def learnable(rows: Sequence[Row]) -> tuple[str, ...]:
    """The categories with at least `MIN_POSITIVES` rows that have it and as many that do not, by name."""
    counts: dict[str, list[int]] = {}
    for row in rows:
        for category, truth in row.labels.items():
            counts.setdefault(category, [0, 0])[truth] += 1
    return tuple(sorted(category for category, count in counts.items() if min(count) >= MIN_POSITIVES))


def learn(rows: Sequence[Row], *, categories: tuple[str, ...]) -> Weights:
    """Weights by logistic regression over all rows; what is not known of a row does not count."""
    import numpy

    lessons = lessons_of(rows, categories, real_weight=REAL_WEIGHT)
    vocabularies = vocabularies_of([lesson.counts for lesson in lessons])
    width = sum(len(each.keys) for each in vocabularies)
    texts = table([weighed(lesson.counts, vocabularies) for lesson in lessons], width=width)
    matrix = numpy.zeros((len(categories), width + 1), dtype="float32")
    for index in range(len(categories)):
        truth, weight = balanced(lessons, index)
        matrix[index] = regression(texts, truth, weight, ridge=RIDGE)
    return Weights(vocabularies, matrix)


def balanced(lessons: Sequence[Lesson], index: int) -> tuple[Any, Any]:
    """The truth of one category, and how much each lesson counts: both sides the same, whatever their shares."""
    import numpy

    truth = numpy.array([lesson.truth[index] for lesson in lessons])
    weight = numpy.array([lesson.weight[index] for lesson in lessons], dtype="float64")
    whole = weight.sum()
    for side in (0, 1):
        weight[truth == side] *= whole / (2 * max(weight[truth == side].sum(), 1e-9))
    return truth, weight


def unseen(rows: Sequence[Row], *, categories: tuple[str, ...], progress: Progress) -> dict[str, Opinion]:
    """Row id → what weights say that saw no row of its group, its conversation or its copies."""
    found: dict[str, Opinion] = {}
    for number, (seen, held) in enumerate(folds(rows)):
        progress("folds", number, FOLDS + 1)
        weights = learn(seen, categories=categories)
        nlp = models.pipeline(categories, weights)
        model = Model("", categories, {}, Calibration((), {}), weights, nlp)
        said = models.opinions(model, [row.judged for row in held])
        found |= {row.row_id: each for row, each in zip(held, said, strict=True) if each is not None}
    return found


def folds(rows: Sequence[Row]) -> Iterator[tuple[list[Row], list[Row]]]:
    """The rows in `FOLDS` parts of about the same size by group, each as (all others, this part).

    Of the others those are left out that stand in a conversation with one of this part, or are its copy.
    """
    sizes = [0] * FOLDS
    fold_of: dict[str, int] = {}
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.group] = counts.get(row.group, 0) + 1
    for group, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        fold_of[group] = sizes.index(min(sizes))
        sizes[fold_of[group]] += count
    for fold in range(FOLDS):
        held = [row for row in rows if fold_of[row.group] == fold]
        marks = {mark for row in held for mark in _marks(row)}
        yield [r for r in rows if fold_of[r.group] != fold and marks.isdisjoint(_marks(r))], held


def _marks(row: Row) -> Iterator[str]:
    """What two mails of one conversation, or two copies of a mail, have in common."""
    subject = _NO_WORD.sub(" ", _ANSWER.sub("", row.subject, count=1).lower()).strip()
    if len(subject) >= MIN_SUBJECT:
        yield f"subject {subject}"
    beginning = _NO_WORD.sub(" ", row.body.lower())[:BEGINNING]
    if len(beginning) > BEGINNING / 3:
        yield f"text {beginning}"


def lessons_of(rows: Sequence[Row], categories: tuple[str, ...], *, real_weight: float) -> list[Lesson]:
    """Of each row the mail as a whole, and the words that carry its label where those are told.

    real_weight: a real mail counts as much as so many written ones.
    """
    import spacy

    nlp = spacy.blank("xx")
    lessons = []
    for row in rows:
        truth = tuple(float(row.labels.get(category, False)) for category in categories)
        much = real_weight if row.origin == "real" else 1.0
        weight = tuple(much * (category in row.labels) for category in categories)
        texts = [row.judged] + ([row.span] if row.span != "" and sum(truth) == 1 else [])
        lessons += [Lesson(counted(sentences(nlp.make_doc(text[:MAX_CHARS]))), truth, weight) for text in texts]
    return lessons


def vocabularies_of(texts: Sequence[Counts]) -> tuple[Vocabulary, Vocabulary]:
    """What stands in enough of the texts: words and pairs, letters."""
    words = _vocabulary([words for (words, _), _ in texts], MIN_WORDS)
    return words, _vocabulary([letters for _, (letters, _) in texts], MIN_LETTERS)


def _vocabulary(texts: Sequence[Any], least: int) -> Vocabulary:
    import numpy

    keys, counts = numpy.unique(numpy.concatenate([numpy.unique(text) for text in texts]), return_counts=True)
    keys, counts = keys[counts >= least], counts[counts >= least]
    return Vocabulary(keys, (numpy.log(len(texts) / counts) + 1).astype("float16").astype("float32"))
