"""What `triaged evaluate` measured in, one HTML page out: figures with intervals, two plots, the worst mistakes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from triaged.classify.evaluate import ALL_WHOLE_PERCENT, Bin, Coverage, Mistake, Report, thinned
from triaged.terminal import spread, with_interval

PAGE = Path(__file__).with_name("scorecard.html")

LEFT, RIGHT, TOP, BOTTOM = 46, 22, 12, 42
"""Room around a plot for its axes, in units of the drawing."""
SMALL, WIDE, HIGH = 260, 860, 320
"""A calibration plot is square, the curve is not; without the room around."""
MIN_DOT, MAX_DOT = 2.5, 12.0
"""Radius of a dot: its area goes with the number of answers."""
HIGHEST_FLOOR = 0.8
"""The curve's plot begins here or lower, so that the line at 95 % stands well inside it."""


def page(report: Report, *, name: str, model: str) -> str:
    """The report as one HTML page: no script, nothing from elsewhere. name: of the mails; model: which one judged."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(PAGE.read_text(encoding="utf-8"))
    template.globals["percent"] = _percent
    return template.render(
        name=name,
        model=model,
        report=report,
        headline=_headline(report),
        categories=_categories(report),
        calibrations=[_calibration(category, each.bins) for category, each in report.categories.items()],
        curve=_curve(report) if len(report.coverage) > 0 else None,
        mistakes=[_mistake(each) for each in report.mistakes],
    )


def _percent(share: float | None) -> str:
    return f"{share:.0%}" if share is not None else "-"


def _headline(report: Report) -> list[tuple[str, str, str, str]]:
    """Figure, value, interval, what it means."""
    figures = [
        ("macro F1", "macro_f1", ".2f", "precision and recall in one, the mean of all categories"),
        (
            "mean average precision",
            "mean_average_precision",
            ".2f",
            "whether a category's mails come first when all are ranked by its score",
        ),
        ("calibration error", "calibration_error", ".3f", "how far a score is from the truth, on average"),
        ("decided", "decided", ".0%", "share of mails marked sure"),
        ("right when decided", "decided_right", ".0%", "share of those with exactly the right categories"),
        ("right when one answer is sure", "sure_right", ".1%", "share of all single answers marked sure"),
        (
            f"could be decided at {ALL_WHOLE_PERCENT}% right",
            "decided_at_95",
            ".0%",
            "read off the curve below; flattering, as it was picked on these mails",
        ),
    ]
    return [
        (title, with_interval(getattr(report, name), None, form=form), spread(report.interval(name), form=form), means)
        for title, name, form, means in figures
    ]


def _categories(report: Report) -> list[tuple[str, ...]]:
    return [
        (
            name,
            str(each.count),
            f"{each.precision:.2f}",
            f"{each.recall:.2f}",
            with_interval(each.f1, report.interval("f1", name)),
            with_interval(each.average_precision, report.interval("average_precision", name)),
            _percent(each.read_for_90),
        )
        for name, each in report.categories.items()
    ]


# --- the plots ------------------------------------------------------------------------------------------------


def _frame(*, width: int, height: int, floor: float = 0.0) -> dict[str, Any]:
    """The axes of a plot: shares 0..1 to the right, floor..1 upwards; places in units of the drawing."""
    rows = [floor + (1 - floor) * step / 5 for step in range(6)]
    return {
        "width": LEFT + width + RIGHT,
        "height": TOP + height + BOTTOM,
        "left": LEFT,
        "right": LEFT + width,
        "top": TOP,
        "bottom": TOP + height,
        "across": [(_x(share / 5, width), _percent(share / 5)) for share in range(6)],
        "up": [(_y(share, height, floor), _percent(share)) for share in rows],
    }


def _x(share: float, width: int) -> float:
    return round(LEFT + share * width, 1)


def _y(share: float, height: int, floor: float) -> float:
    return round(TOP + (1 - share) / (1 - floor) * height, 1)


def _calibration(category: str, bins: Sequence[Bin]) -> dict[str, Any]:
    """One dot a bin: its mean score to the right, the share that has the category upwards."""
    most = max(each.count for each in bins)
    return {
        "category": category,
        "frame": _frame(width=SMALL, height=SMALL),
        "rows": [(f"{each.mean_score:.2f}", f"{each.share_true:.2f}", each.count) for each in bins],
        "dots": [
            {
                "x": _x(each.mean_score, SMALL),
                "y": _y(each.share_true, SMALL, 0.0),
                "r": round(max(MIN_DOT, MAX_DOT * math.sqrt(each.count / most)), 1),
            }
            for each in bins
        ],
    }


def _curve(report: Report) -> dict[str, Any]:
    """The curve from the most certain mails on the left to all of them, and the place of what is marked sure now."""
    points = thinned(report.coverage)
    lowest = min(*(each.right for each in points), 1.0 if report.decided_right is None else report.decided_right)
    floor = min(HIGHEST_FLOOR, math.floor(lowest * 10) / 10)
    now = None
    if report.decided_right is not None:
        now = {"x": _x(report.decided, WIDE), "y": _y(report.decided_right, HIGH, floor)}
    return {
        "frame": _frame(width=WIDE, height=HIGH, floor=floor),
        "line": " ".join(f"{_x(each.decided, WIDE)},{_y(each.right, HIGH, floor)}" for each in points),
        "wanted": _y(ALL_WHOLE_PERCENT / 100, HIGH, floor),
        "now": now,
        "rows": [_curve_row(each) for each in points],
    }


def _curve_row(point: Coverage) -> tuple[str, str, str]:
    return (f"{point.decided:.1%}", f"{point.right:.1%}", f"{point.certainty:.3f}")


def _mistake(mistake: Mistake) -> dict[str, Any]:
    return {
        "id": mistake.row_id,
        "subject": mistake.subject or "(no subject)",
        "said": mistake.category if mistake.chosen else f"not {mistake.category}",
        "sure": mistake.sure,
        "truths": ", ".join(mistake.truths) or "other",
        "score": f"{mistake.score:.2f}",
        "evidence": [
            {"words": " ".join(each.words.split()), "weight": f"{each.weight:.2f}", "source": each.source}
            for each in mistake.evidence
        ],
    }
