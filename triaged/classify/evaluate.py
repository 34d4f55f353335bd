"""Labelled mails and a judge in, a report out: how often the verdicts are right, and how far they may be trusted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from triaged.model import Verdict

Origin = Literal["real", "written", "sentence"]

BINS = 10
"""Bins of the calibration error (ECE, equal width)."""


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
class CategoryReport:
    """Figures of one category, 0..1. count: mails that have it. average_precision: area under precision over recall."""

    count: int
    precision: float
    recall: float
    f1: float
    average_precision: float


@dataclass(frozen=True, slots=True)
class Report:
    """decided: share of mails whose verdict is sure; decided_right: share of those with exactly the right categories,
    None when none was decided. sure_right: share of right answers among all single sure scores, None likewise.
    calibration_error: ECE over all scores. mails_per_s: None when the time is not known."""

    mails: int
    categories: Mapping[str, CategoryReport]
    macro_f1: float
    mean_average_precision: float
    calibration_error: float
    decided: float
    decided_right: float | None
    sure_right: float | None
    mails_per_s: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; figures rounded to four digits."""
        figures = ("precision", "recall", "f1", "average_precision")
        categories = {
            name: {"count": each.count, **{figure: round(getattr(each, figure), 4) for figure in figures}}
            for name, each in self.categories.items()
        }
        names = ("macro_f1", "mean_average_precision", "calibration_error", "decided", "decided_right", "sure_right")
        rest = {name: _rounded(getattr(self, name)) for name in (*names, "mails_per_s")}
        return {"mails": self.mails, **rest, "categories": categories}


def read_rows(path: Path, *, new_text: Callable[[str], str] = str, origin: Origin = "written") -> list[Row]:
    """Rows of a JSON lines file: id, subject, from, body, labels (`["other"]` or categories); perhaps language, span,
    owner.

    Every category named anywhere in the file counts as judged in every row. Raises: OSError, ValueError, KeyError.
    """
    told = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip() != ""]
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
class _Answers:
    """One category's answers, in the order of the rows."""

    scores: list[float] = field(default_factory=list)
    chosen: list[bool] = field(default_factory=list)
    truths: list[bool] = field(default_factory=list)
    sure: list[bool] = field(default_factory=list)


def evaluate(
    rows: Sequence[Row], *, judge: Callable[[Sequence[Row]], Sequence[Verdict]], elapsed_s: float | None = None
) -> Report:
    """Judge all rows and compare. elapsed_s: what the judging took, if the caller knows it beforehand or measured it.

    Raises: ValueError when there are no rows.
    """
    if len(rows) == 0:
        raise ValueError("there are no mails to judge")
    verdicts = judge(rows)
    answers: dict[str, _Answers] = {}
    decided = right = 0
    for row, verdict in zip(rows, verdicts, strict=True):
        for score in verdict.scores:
            if score.category in row.labels:
                answer = answers.setdefault(score.category, _Answers())
                answer.scores.append(score.score)
                answer.chosen.append(score.category in verdict.chosen)
                answer.truths.append(row.labels[score.category])
                answer.sure.append(score.sure)
        if verdict.sure:
            decided += 1
            right += all((name in verdict.chosen) == truth for name, truth in row.labels.items())
    reports = {name: _category(answers[name]) for name in sorted(answers)}
    sure = [c == t for a in answers.values() for c, t, s in zip(a.chosen, a.truths, a.sure, strict=True) if s]
    return Report(
        mails=len(rows),
        categories=reports,
        macro_f1=_mean([each.f1 for each in reports.values()]),
        mean_average_precision=_mean([each.average_precision for each in reports.values()]),
        calibration_error=_mean([calibration_error(each.scores, each.truths) for each in answers.values()]),
        decided=decided / len(rows),
        decided_right=right / decided if decided > 0 else None,
        sure_right=sum(sure) / len(sure) if len(sure) > 0 else None,
        mails_per_s=len(rows) / elapsed_s if elapsed_s else None,
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
    area, seen, hits, at = 0.0, 0, 0, 0
    while at < len(ranked):
        same = [truth for score, truth in ranked[at:] if score == ranked[at][0]]
        at += len(same)
        seen += len(same)
        hits += sum(same)
        area += sum(same) * hits / seen
    return area / total if total > 0 else 0.0


def calibration_error(scores: Sequence[float], truths: Sequence[bool]) -> float:
    """Expected calibration error: mean distance between score and truth over `BINS` bins, weighted by their size."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for score, truth in zip(scores, truths, strict=True):
        bins.setdefault(min(int(score * BINS), BINS - 1), []).append((score, truth))
    return sum(abs(sum(s for s, _ in each) - sum(t for _, t in each)) for each in bins.values()) / len(scores)


def _category(answer: _Answers) -> CategoryReport:
    precision, recall, balanced = f1(answer.chosen, answer.truths)
    area = average_precision(answer.scores, answer.truths)
    return CategoryReport(sum(answer.truths), precision, recall, balanced, area)


def _mean(figures: Sequence[float]) -> float:
    return sum(figures) / len(figures) if len(figures) > 0 else 0.0


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 4)
