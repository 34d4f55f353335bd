"""Labelled mails in, a model folder out: learns the weights, then fits the calibration on folds it has not seen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any

from triaged.classify import model as models
from triaged.classify.evaluate import Row, f1, read_rows
from triaged.classify.model import Model
from triaged.classify.verdict import NEVER, Calibration, CategoryCalibration, contribution, logit, sigmoid
from triaged.model import Evidence

RuleEvidence = Callable[[str, str], tuple[Evidence, ...]]
"""Subject and new text in, what the rules suggest out."""
Progress = Callable[[str, int, int], None]
"""Called with a step in words, how many are done, how many there are."""

BUILT_IN = ("complaint", "renewal", "request")
MIN_POSITIVES = 8
"""Rows a category needs before the model learns it."""
FOLDS = 5
STRENGTH = 3.0
"""How far weights may follow the rows (C of a logistic regression); 1 was worse (cross-validation 2026-11-22)."""
REAL_WEIGHT = 5.0
"""A real mail counts as much as so many written ones; 10 and 20 were a little worse (likewise)."""
MIN_TEXTS = 2
"""Texts that must hold a word for the model to know it: names and numbers of a single mail never get in."""
MAX_STEPS = 200
TOLERANCE = 1e-3
"""Done when the slope has fallen to this share of what it was."""
LOWEST_THRESHOLD, LOWEST_FOR_COMPLAINT = 0.4, 0.24
"""What is less likely is never chosen, even where F1 would be a little better for it: a category too many costs a
coordinator a look. A complaint too few costs a client."""
SURE = 0.97
"""Wanted share of wholly right mails among those that are sure."""
MIN_SURE = 20
"""Sure mails that must have been seen before any is."""
THIRD_PARTY = ("parakweet", "nlupp")
"""Sources of public_train.jsonl whose licence allows it and that helped; politeness-se did not."""


@dataclass(frozen=True, slots=True)
class _Lesson:
    """A text with, per category, the truth (0 or 1) and how much it counts (0: not known)."""

    text: str
    truth: tuple[float, ...]
    weight: tuple[float, ...]


def shipped_rows(examples: Path, *, shared: Path | None, new_text: Callable[[str], str]) -> list[Row]:
    """The rows the shipped model is trained on: our own examples and, given the folder, real and public mails.

    shared: holds gold_dev.jsonl (real mails; those of AESLC are left out, their licence forbids it) and
    public_train.jsonl. new_text: raw body → what was written now. Raises: OSError, ValueError, KeyError.
    """
    rows = [row for path in sorted(examples.glob("*.jsonl")) for row in read_rows(path, new_text=new_text)]
    if shared is not None:
        gold = read_rows(shared / "gold_dev.jsonl", new_text=new_text, origin="real")
        rows += [replace(row, language="en") for row in gold if not row.row_id.startswith("enron-aeslc")]
        for line in (shared / "public_train.jsonl").read_text("utf-8").splitlines():
            told = json.loads(line)
            if told["source"] in THIRD_PARTY:
                labels = {name: told[name] == 1 for name in BUILT_IN if told[name] is not None}
                row = Row(
                    told["id"], told["id"], told["subject"], told["text"], labels, language="en", origin="sentence"
                )
                rows.append(row)
    return rows


def train(*, rows: Sequence[Row], out: Path, rule_evidence: RuleEvidence, seed: int, progress: Progress) -> None:
    """Train and write into `out`. The same rows, rules and seed give the same model.

    Raises: ValueError when no category has enough rows.
    """
    categories = learnable(rows)
    if len(categories) == 0:
        raise ValueError(f"no category has {MIN_POSITIVES} mails that have it and {MIN_POSITIVES} that do not")
    scores = unseen_scores(rows, categories=categories, seed=seed, progress=progress)
    words = learn(rows, categories=categories)
    progress("weights", FOLDS + 1, FOLDS + 1)
    languages = tuple(sorted({row.language for row in rows if row.language != ""}))
    fits = calibrate(rows, scores, categories=categories, rule_evidence=rule_evidence)
    models.save(out, categories=categories, words=words, calibration=Calibration(languages, fits))


def learnable(rows: Sequence[Row]) -> tuple[str, ...]:
    """The categories with at least `MIN_POSITIVES` rows that have it and as many that do not, by name."""
    counts: dict[str, list[int]] = {}
    for row in rows:
        for category, truth in row.labels.items():
            counts.setdefault(category, [0, 0])[truth] += 1
    return tuple(sorted(category for category, count in counts.items() if min(count) >= MIN_POSITIVES))


def learn(rows: Sequence[Row], *, categories: tuple[str, ...]) -> models.Words:
    """Weights by logistic regression over all rows; what is not known of a row does not count."""
    import numpy
    import spacy

    lessons = [lesson for row in rows for lesson in _lessons(row, categories)]
    nlp = spacy.blank("xx")
    counts = [models.counted(nlp.make_doc(models.plain(lesson.text))) for lesson in lessons]
    keys, texts = numpy.unique(numpy.concatenate([keys for keys, _ in counts]), return_counts=True)
    known = texts >= MIN_TEXTS
    rarity = (numpy.log(len(lessons) / texts[known]) + 1).astype("float16").astype("float32")
    words = models.Words(keys[known], rarity, numpy.zeros((len(categories), known.sum() + 1), dtype="float32"))
    weighed = [models.weighed(*each, words) for each in counts]
    bias = len(words.keys)
    columns = numpy.concatenate([numpy.append(columns, bias) for columns, _ in weighed])
    values = numpy.concatenate([numpy.append(values, 1.0) for _, values in weighed])
    starts = numpy.cumsum([0] + [len(values) + 1 for _, values in weighed])[:-1]
    for index in range(len(categories)):
        truth = numpy.array([lesson.truth[index] for lesson in lessons])
        weight = numpy.array([lesson.weight[index] for lesson in lessons])
        for side in (0, 1):  # both sides weigh the same altogether, however rare the category is
            weight[truth == side] *= weight.sum() / (2 * max(weight[truth == side].sum(), 1e-9))
        words.weights[index] = regression(columns, values, starts, truth, weight, width=bias + 1)
    return words


def regression(columns: Any, values: Any, starts: Any, truth: Any, weight: Any, *, width: int) -> Any:
    """Weights of a logistic regression with ridge 1/STRENGTH, the last (the bias) free; by L-BFGS, so always the same.

    columns, values: the texts' entries one after another; starts: where each text begins; width: number of columns.
    """
    import numpy

    ridge = numpy.full(width, 1 / STRENGTH)
    ridge[-1] = 1e-6
    texts = numpy.repeat(numpy.arange(len(starts)), numpy.diff(numpy.append(starts, len(columns))))

    def loss_and_slope(at: Any) -> tuple[float, Any]:
        score = numpy.add.reduceat(at[columns] * values, starts)
        loss = weight @ (numpy.logaddexp(0, score) - truth * score) + (ridge * at) @ at / 2
        error = weight * (1 / (1 + numpy.exp(-score)) - truth)
        return float(loss), numpy.bincount(columns, values * error[texts], minlength=width) + ridge * at

    return minimum(loss_and_slope, numpy.zeros(width))


def minimum(loss_and_slope: Callable[[Any], tuple[float, Any]], at: Any) -> Any:
    """Where a convex function is smallest: L-BFGS (Nocedal, Wright: Numerical Optimization, 7.4) with halving steps."""
    import numpy

    loss, slope = loss_and_slope(at)
    steepest = float(numpy.linalg.norm(slope))
    past: list[tuple[Any, Any]] = []
    for _ in range(MAX_STEPS):
        way, shares = slope.copy(), []
        for step, turn in reversed(past):
            shares.append((step @ way) / (step @ turn))
            way -= shares[-1] * turn
        if len(past) > 0:
            way *= (past[-1][0] @ past[-1][1]) / (past[-1][1] @ past[-1][1])
        for (step, turn), share in zip(past, reversed(shares), strict=True):
            way += (share - (turn @ way) / (step @ turn)) * step
        size = 1.0 if len(past) > 0 else 1 / max(float(numpy.linalg.norm(slope)), 1e-12)
        while True:
            new_loss, new_slope = loss_and_slope(at - size * way)
            if new_loss <= loss - 1e-4 * size * (slope @ way) or size < 1e-10:
                break
            size /= 2
        step, turn = -size * way, new_slope - slope
        at, loss, slope = at + step, new_loss, new_slope
        if float(numpy.linalg.norm(slope)) < TOLERANCE * steepest or size < 1e-10:
            break
        if step @ turn > 0:
            past = [*past[-9:], (step, turn)]
    return at


def unseen_scores(
    rows: Sequence[Row], *, categories: tuple[str, ...], seed: int, progress: Progress
) -> dict[str, Mapping[str, float]]:
    """Row id → model scores by a model that saw no row of its group; for whole mails only."""
    wanted = [row for row in rows if row.origin != "sentence"]
    folds = {group: index % FOLDS for index, group in enumerate(sorted({row.group for row in wanted}))}
    scores: dict[str, Mapping[str, float]] = {}
    for fold in range(FOLDS):
        progress("folds", fold, FOLDS + 1)
        held = [row for row in wanted if folds[row.group] == fold]
        words = learn([row for row in rows if folds.get(row.group) != fold], categories=categories)
        model = Model("", categories, Calibration((), {}), models.pipeline(categories, words))
        judged = models.judge(model, [row.judged for row in held])
        scores |= {row.row_id: each.scores for row, each in zip(held, judged, strict=True)}
    return scores


def calibrate(
    rows: Sequence[Row],
    scores: Mapping[str, Mapping[str, float]],
    *,
    categories: tuple[str, ...],
    rule_evidence: RuleEvidence,
) -> dict[str, CategoryCalibration]:
    """Fit a, b, c, the threshold and the bounds of `sure` of each category. scores: as `unseen_scores` gives them.

    Real and written mails weigh the same altogether: real ones here are few and of one kind.
    """
    seen = [row for row in rows if scores.get(row.row_id)]
    evidence = [rule_evidence(row.subject, row.body) for row in seen]
    share = Counter(row.origin for row in seen)
    mass = [len(seen) / len(share) / share[row.origin] for row in seen]
    fits, calibrated = {}, {}
    for category in categories:
        known = [at for at, row in enumerate(seen) if category in row.labels]
        model = [logit(scores[seen[at].row_id][category]) for at in known]
        rules = [contribution(e for e in evidence[at] if e.category == category) for at in known]
        truths = [seen[at].labels[category] for at in known]
        a, b, c = fit(model, rules, truths, [mass[at] for at in known])
        found = [sigmoid(a * m + b * r + c) for m, r in zip(model, rules, strict=True)]
        pools = [[seen[at].origin == origin for at in known] for origin in sorted(share)]
        lowest = LOWEST_FOR_COMPLAINT if category == "complaint" else LOWEST_THRESHOLD
        threshold = _best_threshold(found, truths, pools, lowest=lowest)
        fits[category] = CategoryCalibration(a, b, c, threshold, NEVER, -NEVER)
        calibrated[category] = dict(zip(known, found, strict=True))
    margin = _margin(seen, fits, calibrated, mass)
    return {category: replace(each, **_bounds(each.threshold, margin)) for category, each in fits.items()}


def fit(
    model: Sequence[float], rules: Sequence[float], truths: Sequence[bool], mass: Sequence[float]
) -> tuple[float, float, float]:
    """a, b, c by logistic regression in the log-odds of model and rules, drawn a little towards a = b = 1, by Newton.

    a is at least 0 and b at least 0.5: a rule that a person wrote always counts. mass: how much each row counts.
    """
    import numpy

    inputs = numpy.array([model, rules, [1.0] * len(truths)], dtype="float64").T
    truth, weight = numpy.array(truths, dtype="float64"), numpy.array(mass)
    start, pull, lowest = numpy.array([1.0, 1.0, 0.0]), numpy.array([1.0, 1.0, 0.01]), numpy.array([0.0, 0.5, -30.0])
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


def _bounds(threshold: float, margin: float) -> dict[str, float]:
    """Sure is a score within `margin` of 0 or 1, on its own side of the threshold; margin 0 is never."""
    if margin == 0:
        return {"sure_no": -NEVER, "sure_yes": NEVER}
    return {"sure_no": min(margin, threshold - 0.01), "sure_yes": max(1 - margin, threshold)}


def _margin(
    seen: Sequence[Row],
    fits: Mapping[str, CategoryCalibration],
    calibrated: Mapping[str, Mapping[int, float]],
    mass: Sequence[float],
) -> float:
    """The widest margin with which `SURE` of the mails whose every score is sure are wholly right; 0 if none is."""
    best = 0.0
    for margin in (step / 200 for step in range(2, 50)):
        right = {True: 0.0, False: 0.0}
        count = 0
        for at in range(len(seen)):
            scores = [(fits[name], each[at], seen[at].labels[name]) for name, each in calibrated.items() if at in each]
            bounds = [_bounds(each.threshold, margin) for each, _, _ in scores]
            if all(not b["sure_no"] < s < b["sure_yes"] for b, (_, s, _) in zip(bounds, scores, strict=True)):
                right[all((s >= each.threshold) == truth for each, s, truth in scores)] += mass[at]
                count += 1
        if count >= MIN_SURE and right[False] <= (1 - SURE) * (right[True] + right[False]):
            best = margin
    return best


def _lessons(row: Row, categories: tuple[str, ...]) -> list[_Lesson]:
    """The mail as a whole; the words that carry its label; and each sentence of a mail that has no label at all."""
    truth = tuple(float(row.labels.get(category, False)) for category in categories)
    weight = tuple((REAL_WEIGHT if row.origin == "real" else 1.0) * (category in row.labels) for category in categories)
    text = row.judged.strip()
    lessons = [_Lesson(text[: models.MAX_CHARS], truth, weight)]
    if row.span != "" and sum(truth) == 1:
        lessons.append(_Lesson(row.span, truth, weight))
    if not any(truth):
        places = models.sentences(text)
        if len(places) > 1:
            lessons += [_Lesson(text[a:b], truth, tuple(each / len(places) for each in weight)) for a, b in places]
    return lessons
