"""Model scores and evidence in, a Verdict out: everything is added up in log-odds, so order never matters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from triaged.model import CategoryScore, Evidence, Verdict

PRIOR = 0.1
"""Probability of a category before anything is known; evidence of this weight changes nothing."""

_EDGE = 0.001
"""Weights and scores are kept this far from 0 and 1, so that no single one decides for ever."""

NEVER = 2.0
"""As `sure_yes`: no score is sure. `-NEVER` likewise as `sure_no`."""


@dataclass(frozen=True, slots=True)
class CategoryCalibration:
    """score = sigmoid(a · logit(model score) + b · Σ(logit(weight) − logit(PRIOR)) + c).

    threshold: chosen at or over it. sure_yes, sure_no: sure at or over the one, at or under the other.
    """

    a: float
    b: float
    c: float
    threshold: float
    sure_yes: float
    sure_no: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """languages: ISO 639-1 codes the model was trained for; in any other nothing is sure."""

    languages: tuple[str, ...]
    categories: Mapping[str, CategoryCalibration]


def logit(probability: float) -> float:
    """Log-odds; the probability is first kept within 0.001..0.999."""
    bounded = min(max(probability, _EDGE), 1 - _EDGE)
    return math.log(bounded / (1 - bounded))


def sigmoid(log_odds: float) -> float:
    """The probability of these log-odds, 0..1."""
    if log_odds < 0:
        return math.exp(log_odds) / (1 + math.exp(log_odds))
    return 1 / (1 + math.exp(-log_odds))


OWN = CategoryCalibration(a=0.0, b=1.0, c=logit(PRIOR), threshold=0.5, sure_yes=0.9, sure_no=PRIOR + 0.01)
"""For a category the model does not know: one rule alone gives its own weight, no rule the prior."""


def contribution(evidence: Iterable[Evidence]) -> float:
    """What the evidence adds to the log-odds: the sum over it of logit(weight) − logit(PRIOR)."""
    return math.fsum(logit(each.weight) - logit(PRIOR) for each in evidence)


def verdict(
    *,
    model_scores: Mapping[str, float],
    model_evidence: tuple[Evidence, ...],
    rule_evidence: tuple[Evidence, ...],
    calibration: Calibration,
    categories: tuple[str, ...],
    language: str,
    model_id: str,
    rules_id: str,
) -> Verdict:
    """Weigh model and rules.

    model_scores: 0..1 per category the model knows; empty for a text without words, and then nothing is sure.
    categories: what the rules may suggest; a category exists if it is among them, or scored, or suggested here.
    language: ISO 639-1 of the text or `""`; in one the model does not cover nothing is sure.
    """
    known = {*model_scores, *calibration.categories, *categories, *(each.category for each in rule_evidence)}
    may_be_sure = language in calibration.languages and len(model_scores) > 0
    scores, chosen = [], []
    for category in known:
        fit = calibration.categories.get(category, OWN)
        rules = contribution(each for each in rule_evidence if each.category == category)
        model = fit.a * logit(model_scores.get(category, PRIOR))
        score = sigmoid(model + fit.b * rules + fit.c)
        scores.append(CategoryScore(category, score, may_be_sure and not fit.sure_no < score < fit.sure_yes))
        if score >= fit.threshold:
            chosen.append(category)
    scores.sort(key=lambda each: (-each.score, each.category))
    return Verdict(
        scores=tuple(scores),
        chosen=tuple(each.category for each in scores if each.category in chosen),
        evidence=(*rule_evidence, *model_evidence),
        sure=may_be_sure and all(each.sure for each in scores),
        language=language,
        model_id=model_id,
        rules_id=rules_id,
    )
