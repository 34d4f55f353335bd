"""Weighted texts and their truths in, the weights of a logistic regression out: numpy alone, so always the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

MAX_STEPS = 100
TOLERANCE = 2e-3
"""Done when the slope has fallen to this share of what it was."""
REMEMBERED = 9
"""Steps that L-BFGS remembers."""


@dataclass(frozen=True, slots=True)
class Table:
    """Texts as rows of a sparse table, one after another: columns, values; starts: where each text begins.

    The last column, `width - 1`, is the bias: 1 in each text.
    """

    columns: Any
    values: Any
    starts: Any
    width: int


def table(texts: Sequence[tuple[Any, Any]], *, width: int) -> Table:
    """texts: columns and values of each, as `features.weighed` gives them; width: columns without the bias."""
    import numpy

    columns = numpy.concatenate([part for columns, _ in texts for part in (columns, [width])]).astype("int32")
    values = numpy.concatenate([part for _, values in texts for part in (values, [1.0])]).astype("float32")
    starts = numpy.cumsum([0] + [len(values) + 1 for _, values in texts])[:-1]
    return Table(columns, values, starts, width + 1)


def regression(texts: Table, truth: Any, weight: Any, *, ridge: float, around: Any = None) -> Any:
    """Weights of a logistic regression, one a column.

    truth: 0 or 1 a text; weight: how much each counts. ridge: how strongly the weights are held to `around` (None: to
    nothing); the bias is free, but for `around`.
    """
    import numpy

    centre = numpy.zeros(texts.width) if around is None else around.astype("float64")
    pull = numpy.full(texts.width, ridge)
    if around is None:
        pull[-1] = 1e-6
    of_text = numpy.repeat(numpy.arange(len(texts.starts)), numpy.diff(numpy.append(texts.starts, len(texts.columns))))

    def loss_and_slope(at: Any) -> tuple[float, Any]:
        score = numpy.add.reduceat(at[texts.columns] * texts.values, texts.starts)
        loss = weight @ (numpy.logaddexp(0, score) - truth * score) + (pull * (at - centre)) @ (at - centre) / 2
        error = (weight * (1 / (1 + numpy.exp(-score)) - truth)).astype("float32")
        slope = numpy.bincount(texts.columns, texts.values * error[of_text], minlength=texts.width)
        return float(loss), slope + pull * (at - centre)

    return minimum(loss_and_slope, centre)


def minimum(loss_and_slope: Callable[[Any], tuple[float, Any]], at: Any) -> Any:
    """Where a convex function is smallest: L-BFGS (Nocedal, Wright: Numerical Optimization, 7.4) with halving steps."""
    import numpy

    loss, slope = loss_and_slope(at)
    steepest = float(numpy.linalg.norm(slope))
    past: list[tuple[Any, Any]] = []
    for _ in range(MAX_STEPS):
        way = _direction(slope, past)
        size = 1.0 if len(past) > 0 else 1 / max(float(numpy.linalg.norm(slope)), 1e-12)
        while True:
            new_loss, new_slope = loss_and_slope(at - size * way)
            if new_loss <= loss - 1e-4 * size * (slope @ way) or size < 1e-10:
                break
            size /= 2
        step, turn = -size * way, new_slope - slope
        at, loss, slope = at + step, new_loss, new_slope
        if float(numpy.linalg.norm(slope)) <= TOLERANCE * steepest or size < 1e-10:
            break
        if step @ turn > 0:
            past = [*past[-REMEMBERED:], (step, turn)]
    return at


def _direction(slope: Any, past: Sequence[tuple[Any, Any]]) -> Any:
    way, shares = slope.copy(), []
    for step, turn in reversed(past):
        shares.append((step @ way) / (step @ turn))
        way -= shares[-1] * turn
    if len(past) > 0:
        way *= (past[-1][0] @ past[-1][1]) / (past[-1][1] @ past[-1][1])
    for (step, turn), share in zip(past, reversed(shares), strict=True):
        way += (share - (turn @ way) / (step @ turn)) * step
    return way
