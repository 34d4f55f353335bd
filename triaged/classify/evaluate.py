"""Labelled mails and a judge in, a report out: how often the verdicts are right, and how far they may be trusted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from triaged.model import CategoryScore, Evidence, Verdict

Origin = Literal["real", "written", "sentence"]

BINS = 10
"""Bins of the calibration error (ECE, equal width)."""

ALL_WHOLE_PERCENT = 95
"""Share of mails wholly right that `decided_at_95` asks for."""
FIND_PERCENT = 90
"""Share of a category's mails that `read_for_90` has found."""
MISTAKES = 20
"""The most confident mistakes that a report names."""
WORDS = 3
"""Pieces of evidence that are told of a mistake."""
POINTS = 100
"""Points of the curve of coverage that are told, at most: about one for each percent of the mails."""

Interval = tuple[float, float]
"""Low and high end of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled mail.

    labels: category → does it apply; a category that is missing was not judged. group: rows of one group (a
    sender) are never on both sides of a fold. body: as the caller wants it judged, usually the new text only.
    span: the words that carry the label, may be empty. origin: `sentence` is not a whole mail and only learned from.
    """

    row_id: str
    group: str
    subject: str
    body: str
    labels: Mapping[str, bool]
    language: str = ""
    span: str = ""
    origin: Origin = "written"

    @property
    def judged(self) -> str:
        """As `Message.judged`."""
        return f"{self.subject}\n\n{self.body}"


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers with scores in one tenth of 0..1: their mean score, how many of them have the category, their number."""

    mean_score: float
    share_true: float
    count: int


@dataclass(frozen=True, slots=True)
class CategoryReport:
    """Figures of one category, 0..1. count: mails that have it. average_precision: area under precision over recall.

    read_for_90: share of the mails one reads, by falling score, until 90 % of those that have it are found; None
    without one. bins: lowest scores first, the empty ones left out.
    """

    count: int
    precision: float
    recall: float
    f1: float
    average_precision: float
    read_for_90: float | None = None
    bins: tuple[Bin, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """If every mail at this certainty or over it were decided: the share of all mails that is, and the share of those
    whose answers are all right."""

    certainty: float
    decided: float
    right: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong answer about one category. chosen: it was said that the mail has it. certainty: how far that answer was
    believed, 0..1. truths: the categories the mail has. evidence: the strongest first, may be empty."""

    row_id: str
    subject: str
    category: str
    chosen: bool
    sure: bool
    score: float
    certainty: float
    truths: tuple[str, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Intervals:
    """95 % intervals by the names of the report's figures; None where the mails cannot tell one.

    senders: groups that were drawn from; resamples: how often. categories: of `f1` and `average_precision`.
    """

    senders: int
    resamples: int
    figures: Mapping[str, Interval | None]
    categories: Mapping[str, Mapping[str, Interval | None]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON, as `[low, high]`; rounded to four digits."""
        categories = {name: _rounded_each(each) for name, each in self.categories.items()}
        size = {"senders": self.senders, "resamples": self.resamples}
        return {**size, **_rounded_each(self.figures), "categories": categories}


@dataclass(frozen=True, slots=True)
class Report:
    """decided: share of mails whose verdict is sure; decided_right: share of those with exactly the right categories,
    None when none was decided. sure_right: share of right answers among all single sure scores, None likewise.
    calibration_error: ECE over all scores. mails_per_s: None when the time is not known.

    coverage: the most certain mails first. mistakes: the most certain first, at most `MISTAKES`. intervals: None when
    nobody asked for them.
    """

    mails: int
    categories: Mapping[str, CategoryReport]
    macro_f1: float
    mean_average_precision: float
    calibration_error: float
    decided: float
    decided_right: float | None
    sure_right: float | None
    mails_per_s: float | None = None
    coverage: tuple[Coverage, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    intervals: Intervals | None = None

    @property
    def decided_at_95(self) -> float:
        """The largest share of mails that could be decided with 95 % of them wholly right. Flattering: the certainty
        is picked with these very mails in view."""
        reached = (each.decided for each in self.coverage if each.right * 100 >= ALL_WHOLE_PERCENT)
        return max(reached, default=0.0)

    def interval(self, figure: str, category: str = "") -> Interval | None:
        """The interval of a figure, or of a category's figure; None if there is none."""
        if self.intervals is None:
            return None
        figures = self.intervals.categories.get(category, {}) if category != "" else self.intervals.figures
        return figures.get(figure)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; figures rounded to four digits."""
        figures = ("precision", "recall", "f1", "average_precision", "read_for_90")
        categories = {
            name: {"count": each.count, **{figure: _rounded(getattr(each, figure)) for figure in figures}}
            for name, each in self.categories.items()
        }
        names = ("macro_f1", "mean_average_precision", "calibration_error", "decided", "decided_right", "sure_right")
        rest = {name: _rounded(getattr(self, name)) for name in (*names, "decided_at_95", "mails_per_s")}
        return {
            "mails": self.mails,
            **rest,
            "categories": categories,
            "intervals": self.intervals.as_dict() if self.intervals is not None else None,
            "calibration": {
                name: [_rounded_each(asdict(each)) for each in report.bins] for name, report in self.categories.items()
            },
            "coverage": [_rounded_each(asdict(each)) for each in thinned(self.coverage)],
        }


def read_rows(path: Path, *, new_text: Callable[[str], str] = str, origin: Origin = "written") -> list[Row]:
    """Rows of a JSON lines file: id, subject, from, body, labels (`["other"]` or categories); perhaps language, span,
    owner.

    Every category named anywhere in the file counts as judged in every row. Raises: OSError, ValueError, KeyError.
    """
    told = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip() != ""]
    categories = sorted({label for each in told for label in each["labels"]} - {"other"})
    return [
        Row(
            row_id=each["id"],
            group=each.get("owner") or each.get("from") or each["id"],
            subject=each.get("subject") or "",
            body=new_text(each["body"]),
            labels={category: category in each["labels"] for category in categories},
            language=each.get("language", ""),
            span=each.get("span") or "",
            origin=origin,
        )
        for each in told
    ]


@dataclass(slots=True)
class Answers:
    """One category's answers in the order of the rows that were judged for it; rows: their places among all rows."""

    rows: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    chosen: list[bool] = field(default_factory=list)
    truths: list[bool] = field(default_factory=list)
    sure: list[bool] = field(default_factory=list)


def answers_of(rows: Sequence[Row], verdicts: Sequence[Verdict]) -> dict[str, Answers]:
    """By category, in the order of their names; only what the rows are labelled for."""
    found: dict[str, Answers] = {}
    for at, (row, verdict) in enumerate(zip(rows, verdicts, strict=True)):
        for score in verdict.scores:
            if score.category in row.labels:
                answers = found.setdefault(score.category, Answers())
                answers.rows.append(at)
                answers.scores.append(score.score)
                answers.chosen.append(score.category in verdict.chosen)
                answers.truths.append(row.labels[score.category])
                answers.sure.append(score.sure)
    return dict(sorted(found.items()))


def is_right(row: Row, verdict: Verdict) -> bool:
    """Every category the row is labelled for is answered rightly."""
    return all((name in verdict.chosen) == truth for name, truth in row.labels.items())


def evaluate(
    rows: Sequence[Row], *, judge: Callable[[Sequence[Row]], Sequence[Verdict]], elapsed_s: float | None = None
) -> Report:
    """Judge all rows and compare. elapsed_s: what the judging took, if the caller knows it beforehand or measured it.

    Raises: ValueError when there are no rows.
    """
    if len(rows) == 0:
        raise ValueError("there are no mails to judge")
    verdicts = judge(rows)
    answers = answers_of(rows, verdicts)
    reports = {name: _category(each) for name, each in answers.items()}
    decided = [is_right(row, verdict) for row, verdict in zip(rows, verdicts, strict=True) if verdict.sure]
    sure = [c == t for a in answers.values() for c, t, s in zip(a.chosen, a.truths, a.sure, strict=True) if s]
    return Report(
        mails=len(rows),
        categories=reports,
        macro_f1=_mean([each.f1 for each in reports.values()]),
        mean_average_precision=_mean([each.average_precision for each in reports.values()]),
        calibration_error=_mean([calibration_error(each.scores, each.truths) for each in answers.values()]),
        decided=len(decided) / len(rows),
        decided_right=sum(decided) / len(decided) if len(decided) > 0 else None,
        sure_right=sum(sure) / len(sure) if len(sure) > 0 else None,
        mails_per_s=len(rows) / elapsed_s if elapsed_s else None,
        coverage=coverage(rows, verdicts),
        mistakes=mistakes(rows, verdicts),
    )


def f1(chosen: Sequence[bool], truths: Sequence[bool]) -> tuple[float, float, float]:
    """Precision, recall and F1; 0.0 where one is undefined."""
    hits = sum(c and t for c, t in zip(chosen, truths, strict=True))
    precision = hits / sum(chosen) if any(chosen) else 0.0
    recall = hits / sum(truths) if any(truths) else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if hits > 0 else 0.0


def average_precision(scores: Sequence[float], truths: Sequence[bool]) -> float:
    """Mean over the true ones of the precision at their score; equal scores are one step; 0.0 without a true one."""
    total = sum(truths)
    ranked = sorted(zip(scores, truths, strict=True), reverse=True)
    area, seen, hits = 0.0, 0, 0
    for _, step in groupby(ranked, key=lambda each: each[0]):
        same = [truth for _, truth in step]
        seen += len(same)
        hits += sum(same)
        area += sum(same) * hits / seen
    return area / total if total > 0 else 0.0


def read_for_90(scores: Sequence[float], truths: Sequence[bool]) -> float | None:
    """Share of the scores that are read, from the top, to find 90 % of the true ones; None without a true one.

    Where equal scores stand at the end of it, all of them are read: which comes first is chance.
    """
    found = sorted((score for score, truth in zip(scores, truths, strict=True) if truth), reverse=True)
    if len(found) == 0:
        return None
    needed = -(-FIND_PERCENT * len(found) // 100)
    return sum(score >= found[needed - 1] for score in scores) / len(scores)


def bins_of(scores: Sequence[float], truths: Sequence[bool]) -> tuple[Bin, ...]:
    """`BINS` bins of equal width, lowest first, the empty ones left out."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for score, truth in zip(scores, truths, strict=True):
        bins.setdefault(bin_of(score), []).append((score, truth))
    return tuple(
        Bin(sum(score for score, _ in each) / len(each), sum(truth for _, truth in each) / len(each), len(each))
        for _, each in sorted(bins.items())
    )


def bin_of(score: float) -> int:
    """The number of the score's bin, 0 to `BINS` - 1."""
    return min(int(score * BINS), BINS - 1)


def calibration_error(scores: Sequence[float], truths: Sequence[bool]) -> float:
    """Expected calibration error: mean distance between score and truth over the bins, weighted by their size."""
    return sum(each.count * abs(each.mean_score - each.share_true) for each in bins_of(scores, truths)) / len(scores)


def certainty(verdict: Verdict) -> float:
    """How probable the least certain answer is by its own score, 0..1: the score of a category that was chosen, what it
    lacks to 1 of one that was not. 0.0 for a verdict without scores."""
    return min((_certainty(each, verdict) for each in verdict.scores), default=0.0)


def coverage(rows: Sequence[Row], verdicts: Sequence[Verdict]) -> tuple[Coverage, ...]:
    """The most certain first, one step for each certainty; a row without a label counts for nothing."""
    judged = [(certainty(v), is_right(row, v)) for row, v in zip(rows, verdicts, strict=True) if len(row.labels) > 0]
    points: list[Coverage] = []
    done = right = 0
    for level, same in groupby(sorted(judged, reverse=True), key=lambda each: each[0]):
        answers = [is_whole for _, is_whole in same]
        done += len(answers)
        right += sum(answers)
        points.append(Coverage(level, done / len(judged), right / done))
    return tuple(points)


def thinned(points: Sequence[Coverage]) -> tuple[Coverage, ...]:
    """At most `POINTS` of the curve: the first at or after each percent of the mails, so that the last one stays."""
    kept: dict[int, Coverage] = {}
    for each in points:
        kept.setdefault(int(each.decided * POINTS + 1e-9), each)
    kept.pop(0, None)
    return tuple(kept.values())


def mistakes(rows: Sequence[Row], verdicts: Sequence[Verdict]) -> tuple[Mistake, ...]:
    """The answers that were wrong and most certain, those first."""
    found = [
        _mistake(row, verdict, score)
        for row, verdict in zip(rows, verdicts, strict=True)
        for score in verdict.scores
        if score.category in row.labels and row.labels[score.category] != (score.category in verdict.chosen)
    ]
    return tuple(sorted(found, key=lambda each: (-each.certainty, each.row_id, each.category))[:MISTAKES])


def _mistake(row: Row, verdict: Verdict, score: CategoryScore) -> Mistake:
    chosen = score.category in verdict.chosen
    evidence = [each for each in verdict.evidence if each.category == score.category]
    return Mistake(
        row_id=row.row_id,
        subject=row.subject,
        category=score.category,
        chosen=chosen,
        sure=score.sure,
        score=score.score,
        certainty=_certainty(score, verdict),
        truths=tuple(sorted(name for name, truth in row.labels.items() if truth)),
        evidence=tuple(sorted(evidence, key=lambda each: -each.weight if chosen else each.weight)[:WORDS]),
    )


def _certainty(score: CategoryScore, verdict: Verdict) -> float:
    return score.score if score.category in verdict.chosen else 1 - score.score


def _category(answer: Answers) -> CategoryReport:
    precision, recall, balanced = f1(answer.chosen, answer.truths)
    return CategoryReport(
        count=sum(answer.truths),
        precision=precision,
        recall=recall,
        f1=balanced,
        average_precision=average_precision(answer.scores, answer.truths),
        read_for_90=read_for_90(answer.scores, answer.truths),
        bins=bins_of(answer.scores, answer.truths),
    )


def _mean(figures: Sequence[float]) -> float:
    return sum(figures) / len(figures) if len(figures) > 0 else 0.0


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 4)


def _rounded_each(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers, and intervals as lists, to four digits."""
    return {
        name: [round(end, 4) for end in figure] if isinstance(figure, tuple) else _rounded(figure)
        for name, figure in figures.items()
    }
