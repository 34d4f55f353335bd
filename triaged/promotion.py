"""Champion, challenger and labelled mails in; whether the challenger may take the champion's place, and why, out.

Both judge the newest fifth of the site's labelled mails, by date, which the challenger has not learned from, and a
fifth of the examples that ship, from which every model here has learned: there one sees only what was lost.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from triaged.classify.evaluate import Row, average_precision
from triaged.classify.model import Model, load
from triaged.examples import failing
from triaged.learning import judge_rows
from triaged.model import Verdict
from triaged.playbook import Playbook

NEWEST = 5
"""One mail in so many is for measuring: the newest of the site's, any of those that ship."""
MIN_LABELS = 10
"""Labelled mails needed to train from the log: with fewer, the newest fifth is a single one."""
DRAWS = 400
"""Resamples of the bootstrap: the standard error is then known to about 4 %."""
LOSS_ELSEWHERE = 0.01
"""What macro average precision, or the share of right mails, may fall on what ships: one point, or a single mail."""

MORE_WRONG = 1
"""Mails that may be sure and wrong beyond those that are so today: a single one tells nothing."""

T = TypeVar("T")
Build = Callable[[Sequence[Row], Path], str]
"""Rows and an empty folder in, a model in it and its id out."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How a model judges some mails. areas: average precision by category that at least one mail has; right: share of
    the mails with exactly the right categories; sure, sure_right: how many were sure, and right of these."""

    mails: int
    areas: Mapping[str, float]
    right: float
    sure: int
    sure_right: int

    @property
    def macro(self) -> float:
        """The mean of the areas; 0.0 without one."""
        return sum(self.areas.values()) / len(self.areas) if len(self.areas) > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON; four digits."""
        areas = {name: round(area, 4) for name, area in self.areas.items()}
        return {
            "mails": self.mails,
            "average_precision": areas,
            "macro_average_precision": round(self.macro, 4),
            "right": round(self.right, 4),
            "sure": self.sure,
            "sure_right": self.sure_right,
        }


@dataclass(frozen=True, slots=True)
class Pair:
    """Both models on the same mails. counts: mails that have a category; noise: by category, the standard error of the
    difference of the two areas; right_noise: of the difference of their shares of right mails."""

    champion: Figures
    challenger: Figures
    counts: Mapping[str, int]
    noise: Mapping[str, float]
    right_noise: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "champion": self.champion.as_dict(),
            "challenger": self.challenger.as_dict(),
            "counts": dict(self.counts),
            "noise": {name: round(value, 4) for name, value in self.noise.items()},
        }


@dataclass(frozen=True, slots=True)
class Trial:
    """A challenger measured against the champion. against: why it may not take its place, in sentences; or empty."""

    champion_id: str
    challenger_id: str
    site: Pair
    elsewhere: Pair
    against: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON and for a model's `about.json`."""
        return {
            "champion": self.champion_id,
            "challenger": self.challenger_id,
            "site": self.site.as_dict(),
            "elsewhere": self.elsewhere.as_dict(),
            "against": list(self.against),
        }


def newest_apart(rows: Sequence[T]) -> tuple[list[T], list[T]]:
    """All but the newest fifth, and the newest fifth (at least one), of rows or labels in the order of the labels."""
    count = max(1, round(len(rows) / NEWEST))
    return list(rows[:-count]), list(rows[-count:])


def some_of(rows: Sequence[Row]) -> list[Row]:
    """Always the same fifth of the whole mails among these, whole groups, whatever their order."""
    picked = (hashlib.sha256(row.group.encode()).digest()[0] % NEWEST == 0 for row in rows)
    return [row for row, is_in in zip(rows, picked, strict=True) if is_in and row.origin != "sentence"]


def try_out(
    playbook: Playbook,
    *,
    shipped: Sequence[Row],
    site: Sequence[Row],
    build: Build,
    folder: Path,
    progress: Callable[[str, int, int], None],
) -> Trial:
    """Train a challenger in `folder` on all but the newest fifth of the site's rows and measure it against the model of
    the playbook. site: in the order of their labels.

    Raises: ValueError (too few rows), OSError.
    """
    if len(site) < MIN_LABELS:
        raise ValueError(f"only {len(site)} mails have a label and their text; {MIN_LABELS} are needed to learn")
    older, newest = newest_apart(site)
    build([*shipped, *older], folder)
    challenger = load(folder)
    trial = measure(playbook, challenger, site=newest, elsewhere=some_of(shipped), progress=progress)
    lost = examples_lost(playbook, challenger)
    return dataclasses.replace(trial, against=(*trial.against, *lost))


def examples_lost(playbook: Playbook, model: Model) -> tuple[str, ...]:
    """Why the rules would not be taken with this model, in a sentence: their examples are judged with it; or empty.

    A model in use with which an example fails would keep the worker from starting.
    """
    wrong = [
        str(problem) for problem in failing(dataclasses.replace(playbook, model=model), files=playbook.written.rules)
    ]
    if len(wrong) == 0:
        return ()
    return (f"examples of the rules no longer come out ({len(wrong)}, the first: {wrong[0]})",)


def measure(
    playbook: Playbook,
    challenger: Model,
    *,
    site: Sequence[Row],
    elsewhere: Sequence[Row],
    progress: Callable[[str, int, int], None],
) -> Trial:
    """Compare a model with that of the playbook, by the playbook's rules. site may be empty, then nothing is known."""
    done, total = 0, 2 * (len(site) + len(elsewhere))

    def step(count: int) -> None:
        nonlocal done
        done += count
        progress("measuring", done, total)

    judges = [judge_rows(dataclasses.replace(playbook, model=model), step) for model in (playbook.model, challenger)]
    at_site, at_others = (pair(rows, *(judge(rows) for judge in judges)) for rows in (site, elsewhere))
    against = (
        *_losses(at_site),
        *_wrongly_sure(at_site, "the newest mails"),
        *_losses_elsewhere(at_others),
        *_wrongly_sure(at_others, "the examples that ship"),
    )
    return Trial(playbook.model.model_id, challenger.model_id, at_site, at_others, against)


def _losses(site: Pair) -> list[str]:
    """What fell on the newest of the site's mails by more than the mails let one tell by chance.

    A fall counts when it is larger than the standard error of the difference, both models on the same mails
    (bootstrap): one that is none in truth is taken for one in at most one of six cases, one that is large is seen with
    few mails too. So the gate errs to the side of what is in use.
    """
    return [
        f"on the newest mails the average precision of {name} falls from {champion:.2f} to "
        f"{site.challenger.areas[name]:.2f}, more than chance explains ({site.noise[name]:.2f})"
        for name, champion in site.champion.areas.items()
        if champion - site.challenger.areas[name] > site.noise[name]
    ] + [
        f"on the newest mails fewer are wholly right: {site.challenger.right:.0%} instead of {site.champion.right:.0%}"
        for _ in range(site.champion.right - site.challenger.right > site.right_noise)
    ]


def _wrongly_sure(both: Pair, where: str) -> list[str]:
    """That more mails are called sure and are not wholly right: people stop reading what is called sure."""
    before, after = (side.sure - side.sure_right for side in (both.champion, both.challenger))
    if after <= before + MORE_WRONG:
        return []
    return [f"on {where} {after} mails are called sure and are wrong, instead of {before}"]


def _losses_elsewhere(others: Pair) -> list[str]:
    """What fell by more than one point on the examples that ship."""
    one_mail = 1 / max(others.champion.mails, 1)
    figures = (
        ("the mean average precision", others.champion.macro, others.challenger.macro, LOSS_ELSEWHERE),
        (
            "the share of wholly right mails",
            others.champion.right,
            others.challenger.right,
            max(LOSS_ELSEWHERE, one_mail + 1e-9),
        ),
    )
    return [
        f"on the examples that ship {what} falls from {before:.3f} to {after:.3f}, more than one point"
        for what, before, after, much in figures
        if before - after > much
    ]


def pair(rows: Sequence[Row], champion: Sequence[Verdict], challenger: Sequence[Verdict]) -> Pair:
    """Both models' verdicts on the same rows, and how much of their difference may be chance."""
    counts: dict[str, int] = {}
    for row in rows:
        for name in (name for name, truth in row.labels.items() if truth):
            counts[name] = counts.get(name, 0) + 1
    names = sorted(counts)
    hits = [[_is_right(row, each) for row, each in zip(rows, side, strict=True)] for side in (champion, challenger)]
    return Pair(
        champion=_figures(rows, champion, names, hits[0]),
        challenger=_figures(rows, challenger, names, hits[1]),
        counts={name: counts[name] for name in names},
        noise={name: _noise(rows, champion, challenger, name) for name in names},
        right_noise=_mean_noise([two - one for one, two in zip(*hits, strict=True)]),
    )


def _is_right(row: Row, verdict: Verdict) -> bool:
    return all((name in verdict.chosen) == truth for name, truth in row.labels.items())


def _figures(rows: Sequence[Row], verdicts: Sequence[Verdict], names: Sequence[str], hits: Sequence[bool]) -> Figures:
    sure = [hit for hit, verdict in zip(hits, verdicts, strict=True) if verdict.sure]
    return Figures(
        mails=len(rows),
        areas={name: average_precision(*_ranked(rows, verdicts, name)) for name in names},
        right=sum(hits) / len(hits) if len(hits) > 0 else 0.0,
        sure=len(sure),
        sure_right=sum(sure),
    )


def _ranked(rows: Sequence[Row], verdicts: Sequence[Verdict], name: str) -> tuple[list[float], list[bool]]:
    """Scores and truths of a category where it is known."""
    known = [
        (verdict.score(name), row.labels[name])
        for row, verdict in zip(rows, verdicts, strict=True)
        if name in row.labels
    ]
    return [score for score, _ in known], [truth for _, truth in known]


def _noise(rows: Sequence[Row], champion: Sequence[Verdict], challenger: Sequence[Verdict], name: str) -> float:
    """The standard error of the difference of the two average precisions, by drawing the mails anew `DRAWS` times.

    The draws are always the same. A draw without a mail of the category says nothing.
    """
    import numpy

    scores, truths = _ranked(rows, champion, name)
    others, _ = _ranked(rows, challenger, name)
    draw = numpy.random.default_rng(0)
    times = draw.multinomial(len(truths), numpy.full(len(truths), 1 / len(truths)), size=DRAWS).astype("float64")
    truth = numpy.array(truths, dtype="float64")
    times = times[times @ truth > 0]
    areas = []
    for each in (scores, others):
        order = numpy.argsort(-numpy.array(each), kind="stable")
        seen = times[:, order]
        hits = seen * truth[order]
        precision = hits.cumsum(axis=1) / numpy.maximum(seen.cumsum(axis=1), 1)
        areas.append((hits * precision).sum(axis=1) / hits.sum(axis=1))
    return float((areas[1] - areas[0]).std())


def _mean_noise(differences: Sequence[int]) -> float:
    """The standard error of a mean."""
    if len(differences) < 2:
        return 0.0
    mean = sum(differences) / len(differences)
    return math.sqrt(sum((each - mean) ** 2 for each in differences) / (len(differences) - 1) / len(differences))
