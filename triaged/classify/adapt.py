"""A model and a site's labelled mails in, a model that has learned from them out: wholly, or its combination alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from triaged.classify import model as models
from triaged.classify.calibrate import RuleEvidence, calibrate, scores_of, shares
from triaged.classify.evaluate import Row
from triaged.classify.model import Model, Weights
from triaged.classify.train import Progress, learn, learnable, unseen
from triaged.classify.verdict import Calibration

SITE_WEIGHT = 8.0
"""A site's mail counts as much as so many that ship: it is what the site will see again."""
PULL = 3.0
"""How strongly the weights are held to the model that is adapted; it has learned from mail that does not ship."""


def adapt(base: Path | None, rows: Sequence[Row], *, out: Path, rule_evidence: RuleEvidence, progress: Progress) -> str:
    """Learn from a site's mails without forgetting; returns the new model's id.

    base: the folder of the model to start from, None is the one that ships. rows: those that ship and the site's (of
    origin `real`). Weights move only as far from the base's as the rows make them, categories of the site's own are
    learned from nothing; how scores are read stays as it was for those that were known. The same arguments give the
    same model. Raises: ValueError, OSError.
    """
    model = models.load(base)
    progress("weights", 0, 2)
    own = tuple(each for each in learnable(rows) if each not in model.categories)
    categories = (*model.categories, *own)
    weights = learn(
        rows, categories=categories, around=_with_room(model.weights, len(own)), pull=PULL, real_weight=SITE_WEIGHT
    )
    calibration, mixed = model.calibration, dict(model.shares)
    progress("new categories", 1, 2)
    if len(own) > 0:
        site = [row for row in rows if any(each in row.labels for each in own)]
        opinions = unseen(site, categories=own, progress=lambda *_: None)
        mixed |= shares(site, opinions, categories=own)
        fits = calibrate(site, scores_of(opinions, mixed, categories=own), categories=own, rule_evidence=rule_evidence)
        calibration = replace(calibration, categories={**calibration.categories, **fits})
    progress("new categories", 2, 2)
    return models.save(out, categories=categories, weights=weights, shares=mixed, calibration=calibration)


def recalibrate(base: Path | None, rows: Sequence[Row], *, out: Path, rule_evidence: RuleEvidence) -> str:
    """Fit only how model and rules are added up, and the thresholds, on rows that the model has not learned from.

    Takes seconds; a category that the text model does not know stays unknown. Otherwise as `adapt`.
    """
    model = models.load(base)
    said = models.opinions(model, [row.judged for row in rows])
    opinions = {row.row_id: each for row, each in zip(rows, said, strict=True) if each is not None}
    scores = scores_of(opinions, model.shares, categories=model.categories)
    fits = calibrate(rows, scores, categories=_judged(model, rows), rule_evidence=rule_evidence)
    calibration = Calibration(model.calibration.languages, {**model.calibration.categories, **fits})
    return models.save(
        out, categories=model.categories, weights=model.weights, shares=model.shares, calibration=calibration
    )


def _judged(model: Model, rows: Sequence[Row]) -> tuple[str, ...]:
    """The model's categories that the rows can say something about."""
    able = learnable(rows)
    return tuple(each for each in model.categories if each in able)


def _with_room(weights: Weights, more: int) -> Weights:
    """The weights with rows of 0 for more categories."""
    import numpy

    room: Any = numpy.zeros((more, weights.matrix.shape[1]), dtype="float32")
    return Weights(weights.vocabularies, numpy.vstack((weights.matrix, room)))
