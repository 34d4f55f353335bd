"""What a model says of mails it has not seen, and the truth, in; how far it may be trusted out (`verdict`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from triaged.classify.evaluate import Row, f1
from triaged.classify.model import Opinion, together
from triaged.classify.verdict import NEVER, STATED, CategoryCalibration, contribution, logit, sigmoid
from triaged.model import Evidence

RuleEvidence = Callable[[str, str], tuple[Evidence, ...]]
"""Subject and new text in, what the rules suggest out."""

LOWEST_THRESHOLD, LOWEST_FOR_COMPLAINT = 0.3, 0.2
"""What is less likely is never chosen, even where F1 would be a little better for it: a category too many costs a
coordinator a look. A complaint too few costs a client."""
MIN_SURE = 20
"""Sure mails that must have been seen before any is."""
STEPS = (0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998)
"""Shares of right answers tried for single categories until whole mails are right as often as stated."""
HIDDEN = 2.0
"""Of all complaints, so many times (1 − stated share) at most may get a sure "no": an unhappy client never sinks to the
bottom because no word was found."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One category over the mails that were judged for it. scores: calibrated. mass: how much each mail counts."""

    scores: Any
    truths: Any
    mass: Any
    threshold: float
    places: tuple[int, ...]


def shares(rows: Sequence[Row], opinions: Mapping[str, Opinion], *, categories: tuple[str, ...]) -> dict[str, float]:
    """How much the strongest sentence counts beside the whole text: what makes the truth likeliest, in tenths."""
    seen = [row for row in rows if row.row_id in opinions]
    mass = dict(zip((row.row_id for row in seen), masses(seen), strict=True))
    found = {}
    for index, category in enumerate(categories):
        known = [row for row in seen if category in row.labels]
        odds = [(opinions[row.row_id].whole[index], opinions[row.row_id].strongest[index]) for row in known]
        truths, weight = [row.labels[category] for row in known], [mass[row.row_id] for row in known]
        losses = [
            (_loss([(1 - share) * whole + share * strongest for whole, strongest in odds], truths, weight), share)
            for share in (step / 10 for step in range(8))
        ]
        found[category] = min(losses)[1]
    return found


def _loss(odds: Sequence[float], truths: Sequence[bool], mass: Sequence[float]) -> float:
    """How unlikely the truths are by these log-odds, once they are stretched and moved to fit best."""
    import numpy

    a, _, c = fit(odds, [0.0] * len(odds), truths, mass)
    fitted = a * numpy.array(odds) + c
    return float(numpy.array(mass) @ (numpy.logaddexp(0, fitted) - numpy.array(truths) * fitted))


def scores_of(
    opinions: Mapping[str, Opinion], shares: Mapping[str, float], *, categories: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Row id → the model's score of each category, as `judge` would give it."""
    return {
        row_id: {
            category: together(opinion.whole[index], opinion.strongest[index], shares[category])
            for index, category in enumerate(categories)
        }
        for row_id, opinion in opinions.items()
    }


def calibrate(
    rows: Sequence[Row],
    scores: Mapping[str, Mapping[str, float]],
    *,
    categories: tuple[str, ...],
    rule_evidence: RuleEvidence,
) -> dict[str, CategoryCalibration]:
    """Fit a, b, c, the threshold and the bounds of sure answers of each category.

    scores: row id → score per category, by a model that has not seen the row. Mails of each origin weigh the same
    altogether: real ones here are of few firms, written ones of many.
    """
    import numpy

    seen = [row for row in rows if len(scores.get(row.row_id, {})) > 0]
    evidence = [rule_evidence(row.subject, row.body) for row in seen]
    mass = masses(seen)
    fits: dict[str, tuple[float, float, float]] = {}
    judged: dict[str, _Seen] = {}
    for category in categories:
        known = [at for at, row in enumerate(seen) if category in row.labels]
        model = [logit(scores[seen[at].row_id][category]) for at in known]
        rules = [contribution(e for e in evidence[at] if e.category == category) for at in known]
        truths = [seen[at].labels[category] for at in known]
        a, b, c = fits[category] = fit(model, rules, truths, [mass[at] for at in known])
        found = [sigmoid(a * m + b * r + c) for m, r in zip(model, rules, strict=True)]
        pools = [[seen[at].origin == origin for at in known] for origin in sorted({row.origin for row in seen})]
        lowest = LOWEST_FOR_COMPLAINT if category == "complaint" else LOWEST_THRESHOLD
        threshold = _best_threshold(found, truths, pools, lowest=lowest)
        arrays = (numpy.array(found), numpy.array(truths), numpy.array([mass[at] for at in known]))
        judged[category] = _Seen(*arrays, threshold, tuple(known))
    origins = numpy.array([row.origin for row in seen])
    yes, no = _bounds(judged, origins)
    return {name: CategoryCalibration(*fits[name], judged[name].threshold, yes[name], no[name]) for name in categories}


def masses(rows: Sequence[Row]) -> list[float]:
    """How much each row counts, so that each origin weighs the same altogether; 1 on average."""
    count = Counter(row.origin for row in rows)
    return [len(rows) / len(count) / count[row.origin] for row in rows]


def fit(
    model: Sequence[float], rules: Sequence[float], truths: Sequence[bool], mass: Sequence[float]
) -> tuple[float, float, float]:
    """a, b, c by logistic regression in the log-odds of model and rules, drawn a little towards a = b = 1, by Newton.

    a is at least 0 and b at least 0.2: a rule that a person wrote always counts. mass: how much each row counts.
    """
    import numpy

    inputs = numpy.array([model, rules, [1.0] * len(truths)], dtype="float64").T
    truth, weight = numpy.array(truths, dtype="float64"), numpy.array(mass)
    start, pull, lowest = numpy.array([1.0, 1.0, 0.0]), numpy.array([1.0, 1.0, 0.01]), numpy.array([0.0, 0.2, -30.0])
    found = start.copy()
    for _ in range(100):
        score = 1 / (1 + numpy.exp(-(inputs @ found).clip(-30, 30)))
        slope = inputs.T @ (weight * (score - truth)) + pull * (found - start)
        curve = (inputs * (weight * score * (1 - score))[:, None]).T @ inputs + numpy.diag(pull)
        free = numpy.flatnonzero((found > lowest) | (slope < 0))
        found[free] -= numpy.linalg.solve(curve[numpy.ix_(free, free)], slope[free])
        found = numpy.maximum(found, lowest)
    a, b, c = (round(float(value), 4) for value in found)
    return a, b, c


def _best_threshold(
    scores: Sequence[float], truths: Sequence[bool], pools: Sequence[Sequence[bool]], *, lowest: float
) -> float:
    """The threshold with the best F1, mean of the pools, averaged over its neighbours because few rows make F1 jump."""
    grid = [step / 50 for step in range(round(lowest * 50), 41)]
    raw = [
        sum(f1([s >= at for s in compress(scores, pool)], list(compress(truths, pool)))[2] for pool in pools)
        for at in grid
    ]
    smooth = [sum(raw[max(0, i - 2) : i + 3]) / len(raw[max(0, i - 2) : i + 3]) for i in range(len(raw))]
    return grid[max(range(len(grid)), key=lambda index: smooth[index])]


Bounds = dict[str, tuple[float, ...]]


def _bounds(judged: Mapping[str, _Seen], origins: Any) -> tuple[Bounds, Bounds]:
    """For each share of `STATED` the bounds of each category's sure answers, such that of the mails whose every answer
    is sure so many are wholly right, in each origin; where no step gives that, nothing is sure."""
    tried = [{name: _bounds_of(seen, step, name) for name, seen in judged.items()} for step in STEPS]
    yes: dict[str, list[float]] = {name: [] for name in judged}
    no: dict[str, list[float]] = {name: [] for name in judged}
    for stated in STATED:
        good = (
            bounds
            for step, bounds in zip(STEPS, tried, strict=True)
            if step >= stated and _keeps(judged, bounds, stated, origins)
        )
        found = next(good, dict.fromkeys(judged, (NEVER, -NEVER)))
        for name in judged:
            yes[name].append(found[name][0])
            no[name].append(found[name][1])
    return {name: tuple(each) for name, each in yes.items()}, {name: tuple(each) for name, each in no.items()}


def _bounds_of(seen: _Seen, wanted: float, category: str) -> tuple[float, float]:
    """The lowest score over the threshold and the highest under it from which on `wanted` of the answers are right."""
    over = seen.scores >= seen.threshold
    yes = _edge(seen.scores[over], seen.truths[over], seen.mass[over], wanted)
    no = -_edge(-seen.scores[~over], ~seen.truths[~over], seen.mass[~over], wanted)
    if category == "complaint":
        complaints = sorted(seen.scores[seen.truths])
        hidden = int(HIDDEN * (1 - wanted) * len(complaints))
        no = min(no, float(complaints[hidden]) - 1e-6) if len(complaints) > 0 else no
    return yes, no


def _edge(scores: Any, right: Any, mass: Any, wanted: float) -> float:
    """The lowest score such that of those at or over it `wanted` are right, counting one wrong one that was not met."""
    import numpy

    order = numpy.argsort(-scores, kind="stable")
    share = (right * mass)[order].cumsum() / (mass[order].cumsum() + 1)
    kept = numpy.flatnonzero(share >= wanted)
    return round(float(scores[order][kept[-1]]), 4) if len(kept) > 0 else NEVER


def _keeps(judged: Mapping[str, _Seen], bounds: Mapping[str, tuple[float, float]], stated: float, origins: Any) -> bool:
    """Whether of the mails whose every answer is sure so many are right, in each origin that has enough of them."""
    import numpy

    sure, right = numpy.ones(len(origins), dtype=bool), numpy.ones(len(origins), dtype=bool)
    for name, seen in judged.items():
        yes, no = bounds[name]
        over = seen.scores >= seen.threshold
        places = list(seen.places)
        sure[places] &= numpy.where(over, seen.scores >= yes, seen.scores <= no)
        right[places] &= over == seen.truths
    chosen = [sure & (origins == origin) for origin in sorted(set(origins))]
    shares = [right[each].mean() for each in chosen if each.sum() >= MIN_SURE]
    return len(shares) > 0 and min(shares) >= stated
