"""Labelled mails and their verdicts in, 95 % intervals of the figures out: what other mail of such senders might show.

The percentile bootstrap: senders are drawn with replacement, each with all its mails, and the figures computed anew.
Mails of one sender resemble each other; drawn one by one they would promise too much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from triaged.classify.evaluate import BINS, Answers, Interval, Intervals, Row, answers_of, bin_of, is_right
from triaged.classify.evaluate import calibration_error as measured_error
from triaged.model import Verdict

if TYPE_CHECKING:
    from numpy import ndarray

    Numbers = ndarray[Any, Any]

RESAMPLES = 1_000
AT_ONCE = 50
"""Resamples that are computed together: 100,000 mails take some 40 MB an array."""
MIN_TOLD = 100
"""Resamples that must know a figure for its interval to be told; one without a mail of a category does not."""
ENDS = (0.025, 0.975)


def intervals(
    rows: Sequence[Row], verdicts: Sequence[Verdict], *, seed: int, progress: Callable[[int], None] = lambda _: None
) -> Intervals:
    """The same rows, verdicts and seed give the same intervals; `progress` hears how many resamples were drawn.

    With a single sender there is nothing to draw, and every interval is None.
    """
    import numpy

    senders = numpy.unique([row.group for row in rows], return_inverse=True)[1]
    count = int(senders.max()) + 1
    answers = answers_of(rows, verdicts)
    sure = numpy.array([verdict.sure for verdict in verdicts])
    right = numpy.array([is_right(row, verdict) for row, verdict in zip(rows, verdicts, strict=True)])
    chance = numpy.random.default_rng(seed)
    drawn: list[dict[str, Numbers]] = []
    for _ in range(RESAMPLES // AT_ONCE):
        times = chance.multinomial(count, numpy.full(count, 1 / count), size=AT_ONCE)
        weights = times[:, senders].astype(float)
        drawn.append({**_whole(weights, sure, right), **_by_category(weights, answers)})
        progress(AT_ONCE)
    told = {name: numpy.concatenate([each[name] for each in drawn]) for name in drawn[0]}
    told["calibration_error"] = _without_drift(told["calibration_error"], answers)
    found = {name: _interval(values) if count > 1 else None for name, values in told.items()}
    return Intervals(
        senders=count,
        resamples=RESAMPLES,
        figures={name: found[name] for name in found if "/" not in name},
        categories={name: {figure: found[f"{name}/{figure}"] for figure in _FIGURES} for name in answers},
    )


_FIGURES = ("f1", "average_precision")


def _whole(weights: Numbers, sure: Numbers, right: Numbers) -> dict[str, Numbers]:
    """Figures of whole mails, one a resample. weights: resamples × mails, how often each mail was drawn."""
    decided = weights @ sure
    return {
        "decided": decided / weights.sum(axis=1),
        "decided_right": _share(weights @ (sure & right), decided),
    }


def _by_category(weights: Numbers, answers: Mapping[str, Answers]) -> dict[str, Numbers]:
    """Figures of each category as `category/figure`, and their means; NaN where a resample does not know one."""
    import numpy

    found: dict[str, Numbers] = {}
    errors = []
    for name, each in answers.items():
        scores, chosen, truths = (numpy.array(column) for column in (each.scores, each.chosen, each.truths))
        drawn = weights[:, each.rows]
        found[f"{name}/f1"] = f1(drawn, chosen, truths)
        found[f"{name}/average_precision"] = average_precision(drawn, scores, truths)
        errors.append(calibration_error(drawn, scores, truths))
    nothing = numpy.zeros(len(weights))
    means = {
        "macro_f1": [found[f"{name}/f1"] for name in answers],
        "mean_average_precision": [found[f"{name}/average_precision"] for name in answers],
        "calibration_error": errors,
    }
    return {**found, **{name: numpy.mean(each, axis=0) if each else nothing for name, each in means.items()}}


def f1(weights: Numbers, chosen: Numbers, truths: Numbers) -> Numbers:
    """F1 of each resample; NaN where it has no true one, 0.0 where there is none at all."""
    if not truths.any():
        return weights[:, 0] * 0
    total = weights @ truths
    return _share(2 * (weights @ (chosen & truths)), weights @ chosen + total, known=total > 0)


def average_precision(weights: Numbers, scores: Numbers, truths: Numbers) -> Numbers:
    """As `evaluate.average_precision`, of each resample; NaN and 0.0 as for `f1`."""
    import numpy

    if not truths.any():
        return weights[:, 0] * 0
    order = numpy.argsort(-scores, kind="stable")
    ends = numpy.flatnonzero(numpy.diff(scores[order], append=-1.0))  # the last of each run of equal scores
    seen = weights[:, order].cumsum(axis=1)[:, ends]
    hits = (weights * truths)[:, order].cumsum(axis=1)[:, ends]
    area = (numpy.diff(hits, axis=1, prepend=0) * _share(hits, seen, known=hits > 0, otherwise=0.0)).sum(axis=1)
    return _share(area, hits[:, -1])


def calibration_error(weights: Numbers, scores: Numbers, truths: Numbers) -> Numbers:
    """As `evaluate.calibration_error`, of each resample; NaN where it has no mail that was judged."""
    import numpy

    bins = numpy.array([bin_of(score) for score in scores])
    apart = (scores - truths)[:, None] * (bins[:, None] == numpy.arange(BINS))
    return _share(numpy.abs(weights @ apart).sum(axis=1), weights.sum(axis=1))


def _without_drift(errors: Numbers, answers: Mapping[str, Answers]) -> Numbers:
    """The calibration errors moved back to about the one that was measured: as it adds up distances, chance can only
    add to it, so a resample's lies higher (0.023 instead of 0.014 for 2,000 mails with perfect scores, 2026-11-29)."""
    import numpy

    known = errors[~numpy.isnan(errors)]
    if len(known) == 0 or len(answers) == 0:
        return errors
    measured = numpy.mean([measured_error(each.scores, each.truths) for each in answers.values()])
    moved: Numbers = (errors - known.mean() + measured).clip(min=0)
    return moved


def _share(part: Numbers, whole: Numbers, *, known: Numbers | None = None, otherwise: float = float("nan")) -> Numbers:
    """part / whole where it is known (where there is a whole, unless said), else `otherwise`."""
    import numpy

    where = whole > 0 if known is None else known
    shares: Numbers = numpy.divide(part, whole, out=numpy.full(whole.shape, otherwise), where=where)
    return shares


def _interval(values: Numbers) -> Interval | None:
    import numpy

    known = values[~numpy.isnan(values)]
    if len(known) < MIN_TOLD:
        return None
    low, high = numpy.quantile(known, ENDS)
    return float(low), float(high)
