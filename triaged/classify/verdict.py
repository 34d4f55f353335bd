"""Model scores and evidence in, a Verdict out: everything is added up in log-odds, so order never matters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from triaged.model import CategoryScore, Evidence, Verdict

PRIOR = 0.1
"""Probability of a category before anything is known; evidence of this weight changes nothing."""

_EDGE = 0.001
"""Weights and scores are kept this far from 0 and 1, so that no single one decides for ever."""

STATED = (0.9, 0.95, 0.97, 0.99)
"""Shares of right answers that can be asked for: each category knows from which score on answers keep them."""
NEVER = 2.0
"""As a bound of `yes`: no score is sure. `-NEVER` likewise of `no`."""
MIN_FAMILIAR = 0.5
"""Share of a text's words that the model must know before anything is sure: of what it cannot read it says nothing."""


@dataclass(frozen=True, slots=True)
class CategoryCalibration:
    """score = sigmoid(a · logit(model score) + b · Σ(logit(weight) − logit(PRIOR)) + c).

    threshold: chosen at or over it. yes, no: for each share of `STATED`, the score at or over which a chosen category,
    at or under which one that was not chosen, is right so often.
    """

    a: float
    b: float
    c: float
    threshold: float
    yes: tuple[float, ...]
    no: tuple[float, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> CategoryCalibration:
        """As it was written to JSON. Raises: KeyError, ValueError."""
        yes, no = (tuple(float(bound) for bound in told[name]) for name in ("yes", "no"))
        if not len(yes) == len(no) == len(STATED):
            raise ValueError(f"a category needs {len(STATED)} bounds of yes and of no")
        return cls(told["a"], told["b"], told["c"], told["threshold"], yes, no)

    def precision(self, score: float) -> float:
        """The highest share of `STATED` that an answer of this score keeps; 0.0 for none: a person looks."""
        bounds = self.yes if score >= self.threshold else self.no
        kept = [
            share
            for share, bound in zip(STATED, bounds, strict=True)
            if (score >= bound if score >= self.threshold else score <= bound)
        ]
        return max(kept, default=0.0)


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


OWN = CategoryCalibration(a=0.0, b=1.0, c=logit(PRIOR), threshold=0.5, yes=STATED, no=(PRIOR + 0.01,) * len(STATED))
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
    sure: float = 0.95,
    readable: bool = True,
) -> Verdict:
    """Weigh model and rules.

    model_scores: 0..1 per category the model knows; empty for a text without words, and then nothing is sure.
    categories: what the rules may suggest; a category exists if it is among them, or scored, or suggested here.
    language: ISO 639-1 of the text or `""`; in one the model does not cover nothing is sure. sure: the share of right
    answers from which one counts as sure. readable: whether the model knows the words and all of the mail is text.
    """
    known = {*model_scores, *calibration.categories, *categories, *(each.category for each in rule_evidence)}
    may_be_sure = readable and language in calibration.languages and len(model_scores) > 0
    scores, chosen = [], []
    for category in known:
        fit = calibration.categories.get(category, OWN)
        rules = contribution(each for each in rule_evidence if each.category == category)
        model = fit.a * logit(model_scores.get(category, PRIOR))
        score = sigmoid(model + fit.b * rules + fit.c)
        trust = fit.precision(score) if may_be_sure else 0.0
        scores.append(CategoryScore(category, score, trust >= sure, trust))
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
