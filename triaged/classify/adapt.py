"""A model and a site's labelled mails in, a model that has learned from them out: wholly, or its combination alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from triaged.classify import model as models
from triaged.classify.calibrate import RuleEvidence, calibrate, fit, mixes, scores_of
from triaged.classify.evaluate import Row
from triaged.classify.features import Vocabulary, weighed
from triaged.classify.logistic import regression, table
from triaged.classify.model import Mix, Model, Weights
from triaged.classify.train import Progress, balanced, learnable, lessons_of, unseen, vocabularies_of
from triaged.classify.verdict import CategoryCalibration, contribution, logit
from triaged.model import Evidence

SITE_WEIGHT, KEPT_WEIGHT = 4.0, 0.5
"""How much a site's mail counts, and one that ships whose scores are to stay. Forty corrections of a new trade moved
macro F1 on its mail from .68 to .80 and elsewhere from .797 to .800; weights of 1 and 0.1 to .76 (2026-11-29)."""
HELD = 20.0
"""Mails that hold the factors of the combination to what they were: ten labels must not turn them round."""
PULL = 1.0
"""How strongly each weight is held to what it was."""


def adapt(base: Path | None, rows: Sequence[Row], *, out: Path, rule_evidence: RuleEvidence, progress: Progress) -> str:
    """Learn from a site's mails without forgetting; returns the new model's id.

    base: the folder of the model to start from, None is the one that ships. rows: those that ship and the site's (of
    origin `real`). Weights move as far as the site's mails make them while the scores of the others stay: the model has
    learned from mail that does not ship, too. Categories of the site's own are learned from nothing; how scores are
    read stays as it was for the rest. The same arguments give the same model. Raises: ValueError, OSError.
    """
    model = models.load(base)
    progress("weights", 0, 2)
    site = [row for row in rows if row.origin == "real"]
    kept = [row for row in rows if row.origin != "real"]
    if len(site) == 0:
        raise ValueError("there is no mail of the site to learn from")
    own = tuple(each for each in learnable(site) if each not in model.categories)
    categories = (*model.categories, *own)
    weights = _moved(
        _with_room(model.weights, len(own)), site, kept, categories=categories, known=len(model.categories)
    )
    calibration, mixing = model.calibration, _padded(model, len(own))
    progress("new categories", 1, 2)
    if len(own) > 0:
        judged = [row for row in site if any(each in row.labels for each in own)]
        opinions = unseen(judged, categories=categories, progress=lambda *_: None)
        mixing |= {name: mix for name, mix in mixes(judged, opinions, categories=categories).items() if name in own}
        scores = scores_of(opinions, mixing, categories=own)
        fresh = calibrate(judged, scores, categories=own, languages=(), rule_evidence=rule_evidence)
        calibration = replace(calibration, categories={**calibration.categories, **fresh.categories})
    progress("new categories", 2, 2)
    return models.save(out, categories=categories, weights=weights, mixes=mixing, calibration=calibration)


def recalibrate(
    base: Path | None, rows: Sequence[Row], *, out: Path, rule_evidence: RuleEvidence, progress: Progress
) -> str:
    """Fit only how model and rules are added up, by the site's mails (of origin `real`) alone.

    The text model has learned from those that ship, and would be believed too much if it were measured on them. The
    factors are held to what they were as by `HELD` mails; thresholds and bounds, which are scores, stay. Takes seconds.
    """
    model = models.load(base)
    progress("combination", 0, 1)
    site = [row for row in rows if row.origin == "real"]
    said = models.opinions(model, [row.judged for row in site])
    opinions = {row.row_id: each for row, each in zip(site, said, strict=True) if each is not None}
    scores = scores_of(opinions, model.mixes, categories=model.categories)
    seen = [row for row in site if row.row_id in scores]
    evidence = {row.row_id: rule_evidence(row.subject, row.body) for row in seen}
    fits = {name: _refitted(name, old, seen, scores, evidence) for name, old in model.calibration.categories.items()}
    progress("combination", 1, 1)
    calibration = replace(model.calibration, categories=fits)
    return models.save(
        out, categories=model.categories, weights=model.weights, mixes=model.mixes, calibration=calibration
    )


def _refitted(
    category: str,
    old: CategoryCalibration,
    rows: Sequence[Row],
    scores: Mapping[str, Mapping[str, float]],
    evidence: Mapping[str, tuple[Evidence, ...]],
) -> CategoryCalibration:
    known = [row for row in rows if category in row.labels]
    if len(known) == 0:
        return old
    a, b, c = fit(
        [logit(scores[row.row_id][category]) for row in known],
        [contribution(each for each in evidence[row.row_id] if each.category == category) for row in known],
        [row.labels[category] for row in known],
        [1.0] * len(known),
        around=(old.a, old.b, old.c),
        pull=HELD,
    )
    return replace(old, a=a, b=b, c=c)


def _moved(
    weights: Weights, site: Sequence[Row], kept: Sequence[Row], *, categories: tuple[str, ...], known: int
) -> Weights:
    """The weights, moved by the site's mails; those kept are to score as before in the first `known` categories."""
    import numpy

    learned = lessons_of(site, categories, real_weight=SITE_WEIGHT)
    others = lessons_of([replace(row, span="") for row in kept], categories, real_weight=1.0)
    vocabularies, matrix = _grown(weights, vocabularies_of([lesson.counts for lesson in learned]))
    inputs = [weighed(lesson.counts, vocabularies) for lesson in (*learned, *others)]
    texts = table(inputs, width=matrix.shape[1] - 1)
    for index in range(len(categories)):
        truth, weight = balanced(learned, index)
        row = matrix[index]
        kept_weight = KEPT_WEIGHT if index < known else 0.0  # of a new category the model has nothing to keep
        odds = numpy.array([row[columns] @ values + row[-1] for columns, values in inputs[len(learned) :]])
        matrix[index] = regression(
            texts,
            numpy.append(truth, 1 / (1 + numpy.exp(-odds))),
            numpy.append(weight, numpy.full(len(others), kept_weight)),
            ridge=PULL,
            around=row,
        )
    return Weights(vocabularies, matrix.astype("float32"))


def _grown(weights: Weights, more: tuple[Vocabulary, Vocabulary]) -> tuple[tuple[Vocabulary, Vocabulary], Any]:
    """Vocabularies with what is new in `more`, and the matrix of weights in them: 0 for what they did not know."""
    import numpy

    grown = tuple(_joined(old, new) for old, new in zip(weights.vocabularies, more, strict=True))
    matrix = numpy.zeros((len(weights.matrix), sum(len(each.keys) for each in grown) + 1))
    matrix[:, -1] = weights.matrix[:, -1]
    before = there = 0
    for old, new in zip(weights.vocabularies, grown, strict=True):
        places = numpy.searchsorted(new.keys, old.keys) + there
        matrix[:, places] = weights.matrix[:, before : before + len(old.keys)]
        before, there = before + len(old.keys), there + len(new.keys)
    return (grown[0], grown[1]), matrix


def _joined(known: Vocabulary, more: Vocabulary) -> Vocabulary:
    import numpy

    fresh = ~numpy.isin(more.keys, known.keys)
    keys = numpy.concatenate((known.keys, more.keys[fresh]))
    rarity = numpy.concatenate((known.rarity, more.rarity[fresh]))
    order = numpy.argsort(keys)
    return Vocabulary(keys[order], rarity[order])


def _with_room(weights: Weights, more: int) -> Weights:
    """The weights with rows of 0 for more categories."""
    import numpy

    room: Any = numpy.zeros((more, weights.matrix.shape[1]), dtype="float32")
    return Weights(weights.vocabularies, numpy.vstack((weights.matrix, room)))


def _padded(model: Model, more: int) -> dict[str, Mix]:
    """How the known categories are mixed, among more that mean nothing to them."""
    known, room = len(model.categories), (0.0,) * more
    return {
        name: (*mix[:known], *room, *mix[known : 2 * known], *room, *mix[2 * known :])
        for name, mix in model.mixes.items()
    }
