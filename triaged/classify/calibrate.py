"""What a model says of mails it has not seen, and the truth, in; how far it may be trusted out (`verdict`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from triaged.classify.evaluate import Row, f1
from triaged.classify.model import Mix, Opinion, ingredients, mixed
from triaged.classify.verdict import NEVER, STATED, Calibration, CategoryCalibration, contribution, logit, sigmoid
from triaged.model import Evidence

RuleEvidence = Callable[[str, str], tuple[Evidence, ...]]
"""Subject and new text in, what the rules suggest out."""

LOWEST_THRESHOLD, LOWEST_FOR_COMPLAINT = 0.3, 0.2
"""What is less likely is never chosen, even where F1 would be a little better for it: a category too many costs a
coordinator a look. A complaint too few costs a client."""
PRECISE = 1e-6
"""A step of Newton's that moves no coefficient further ends it."""
HIDDEN = 4.0
"""Of the complaints of each origin, so many times (1 − stated share) at most may get a sure "no": an unhappy client
does not sink to the bottom because no word was found."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One category over the mails that were judged for it. scores: calibrated; mass: how much each mail counts."""

    scores: Any
    truths: Any
    mass: Any
    origins: Any
    threshold: float


def mixes(rows: Sequence[Row], opinions: Mapping[str, Opinion], *, categories: tuple[str, ...]) -> dict[str, Mix]:
    """How the model's score of each category comes from what its weights say of all: a logistic regression.

    opinions: row id → what weights that have not seen the row say, in the order of the categories.
    """
    import numpy

    seen = [row for row in rows if row.row_id in opinions]
    inputs = numpy.array([ingredients(opinions[row.row_id]) for row in seen])
    mass = numpy.array(masses(seen))
    found = {}
    for index, category in enumerate(categories):
        known = numpy.array([category in row.labels for row in seen])
        truth = numpy.array([row.labels.get(category, False) for row in seen], dtype="float64")
        start = numpy.zeros(inputs.shape[1])
        start[index] = 1.0
        pull = numpy.append(numpy.ones(inputs.shape[1] - 1), 0.01)
        mix = logistic(inputs[known], truth[known], mass[known], start=start, pull=pull)
        found[category] = tuple(round(float(value), 4) for value in mix)
    return found


def scores_of(
    opinions: Mapping[str, Opinion], mixes: Mapping[str, Mix], *, categories: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Row id → the model's score of each category, as `judge` would give it."""
    return {
        row_id: {category: mixed(opinion, mixes[category]) for category in categories}
        for row_id, opinion in opinions.items()
    }


def calibrate(
    rows: Sequence[Row],
    scores: Mapping[str, Mapping[str, float]],
    *,
    categories: tuple[str, ...],
    languages: tuple[str, ...],
    rule_evidence: RuleEvidence,
) -> Calibration:
    """Fit a, b, c, the threshold and the bounds of sure answers of each category.

    scores: row id → score per category, by a model that has not seen the row. Mails of each origin weigh the same
    altogether: real ones here are of few firms, written ones of many.
    """
    import numpy

    seen = [row for row in rows if len(scores.get(row.row_id, {})) > 0]
    evidence = [rule_evidence(row.subject, row.body) for row in seen]
    mass = masses(seen)
    found = {}
    for category in categories:
        known = [at for at, row in enumerate(seen) if category in row.labels]
        model = [logit(scores[seen[at].row_id][category]) for at in known]
        rules = [contribution(e for e in evidence[at] if e.category == category) for at in known]
        truths = [seen[at].labels[category] for at in known]
        a, b, c = fit(model, rules, truths, [mass[at] for at in known])
        fitted = [sigmoid(a * m + b * r + c) for m, r in zip(model, rules, strict=True)]
        pools = [[seen[at].origin == origin for at in known] for origin in sorted({row.origin for row in seen})]
        lowest = LOWEST_FOR_COMPLAINT if category == "complaint" else LOWEST_THRESHOLD
        each = _Seen(
            scores=numpy.array(fitted),
            truths=numpy.array(truths),
            mass=numpy.array([mass[at] for at in known]),
            origins=numpy.array([seen[at].origin for at in known]),
            threshold=_best_threshold(fitted, truths, pools, lowest=lowest),
        )
        edges = [_edges(each, stated, category) for stated in STATED]
        yes, no = (tuple(round(bounds[side], 4) for bounds in edges) for side in (0, 1))
        found[category] = CategoryCalibration(a, b, c, each.threshold, yes, no)
    return Calibration(languages, found)


def masses(rows: Sequence[Row]) -> list[float]:
    """How much each row counts, so that each origin weighs the same altogether; 1 on average."""
    count = Counter(row.origin for row in rows)
    return [len(rows) / len(count) / count[row.origin] for row in rows]


def fit(
    model: Sequence[float],
    rules: Sequence[float],
    truths: Sequence[bool],
    mass: Sequence[float],
    *,
    around: tuple[float, float, float] = (1.0, 1.0, 0.0),
    pull: float = 1.0,
) -> tuple[float, float, float]:
    """a, b, c by logistic regression in the log-odds of model and rules, drawn towards `around`, c a hundredth as much.

    a is at least 0 and b at least 0.6: a rule that a person wrote always counts. mass: how much each row counts.
    """
    import numpy

    inputs = numpy.array([model, rules, [1.0] * len(truths)], dtype="float64").T
    found = logistic(
        inputs,
        numpy.array(truths, dtype="float64"),
        numpy.array(mass),
        start=numpy.array(around),
        pull=numpy.array([pull, pull, pull / 100]),
        lowest=numpy.array([0.0, 0.6, -30.0]),
    )
    a, b, c = (round(float(value), 4) for value in found)
    return a, b, c


def logistic(inputs: Any, truth: Any, mass: Any, *, start: Any, pull: Any, lowest: Any = None) -> Any:
    """Coefficients of a logistic regression with few inputs, by Newton.

    start, pull: what each is drawn to, and how strongly; lowest: the least each may be, None for anything.
    """
    import numpy

    least = numpy.full(len(start), -numpy.inf) if lowest is None else lowest
    found = start.copy()
    for _ in range(50):
        score = 1 / (1 + numpy.exp(-(inputs @ found).clip(-30, 30)))
        slope = inputs.T @ (mass * (score - truth)) + pull * (found - start)
        curve = (inputs * (mass * score * (1 - score))[:, None]).T @ inputs + numpy.diag(pull)
        free = numpy.flatnonzero((found > least) | (slope < 0))
        step = numpy.linalg.solve(curve[numpy.ix_(free, free)], slope[free])
        found[free] -= step
        found = numpy.maximum(found, least)
        if float(numpy.abs(step).max(initial=0.0)) < PRECISE:
            break
    return found


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


def _edges(seen: _Seen, stated: float, category: str) -> tuple[float, float]:
    """The lowest score over the threshold and the highest under it from which on so many answers are right.

    A "no" must be as improbable by its own score, too: most mails have most categories not, so that nearly any "no" is
    right, and a mail is sure only when all its answers are.
    """
    over = seen.scores >= seen.threshold
    yes = _edge(seen.scores[over], seen.truths[over], seen.mass[over], stated)
    no = min(-_edge(-seen.scores[~over], ~seen.truths[~over], seen.mass[~over], stated), 1 - stated)
    if category == "complaint":
        for origin in sorted(set(seen.origins[seen.truths])):
            scores = sorted(seen.scores[seen.truths & (seen.origins == origin)])
            no = min(no, float(scores[int(HIDDEN * (1 - stated) * len(scores))]) - 1e-6)
    return yes, no


def _edge(scores: Any, right: Any, mass: Any, wanted: float) -> float:
    """The lowest score such that of those at or over it `wanted` are right, counting one wrong one that was not met."""
    import numpy

    order = numpy.argsort(-scores, kind="stable")
    share = (right * mass)[order].cumsum() / (mass[order].cumsum() + 1)
    kept = numpy.flatnonzero(share >= wanted)
    return float(scores[order][kept[-1]]) if len(kept) > 0 else NEVER
