"""Sure answers keep what they promise on other mails of that kind, and nothing is promised where little is known."""

from __future__ import annotations

import random

import pytest

from triaged.classify.calibrate import calibrate, masses, mixes, scores_of
from triaged.classify.evaluate import Row
from triaged.classify.features import Sentence
from triaged.classify.model import Opinion
from triaged.classify.train import folds
from triaged.classify.verdict import NEVER, STATED, Calibration, sigmoid, verdict
from triaged.model import Verdict

NAMES = ("complaint", "request")


def mails(count: int, *, seed: int, sharp: float = 2.0) -> tuple[list[Row], dict[str, dict[str, float]]]:
    """Mails whose scores are true log-odds, stretched: what a well-made model would say of them."""
    chance = random.Random(seed)
    rows, scores = [], {}
    for n in range(count):
        odds = {name: chance.gauss(-1.0, sharp) for name in NAMES}
        labels = {name: chance.random() < sigmoid(each) for name, each in odds.items()}
        rows.append(Row(f"{seed}-{n}", f"g{seed}-{n}", f"s{n}", "body", labels, origin="real" if n % 3 else "written"))
        scores[rows[-1].row_id] = {name: sigmoid(0.5 * each + 1) for name, each in odds.items()}
    return rows, scores


def nothing(_subject: str, _text: str) -> tuple[()]:
    return ()


def judged(
    rows: list[Row], scores: dict[str, dict[str, float]], calibration: Calibration, sure: float
) -> list[Verdict]:
    return [
        verdict(
            model_scores=scores[row.row_id],
            model_evidence=(),
            rule_evidence=(),
            calibration=calibration,
            categories=(),
            language="en",
            model_id="m",
            rules_id="r",
            sure=sure,
        )
        for row in rows
    ]


@pytest.mark.parametrize("stated", [0.9, 0.95, 0.97])
def test_sure_answers_on_other_mails_are_right_as_often_as_stated(stated: float) -> None:
    fits = calibrate(*mails(6_000, seed=1, sharp=4.0), categories=NAMES, languages=("en",), rule_evidence=nothing)
    rows, scores = mails(6_000, seed=2, sharp=4.0)
    verdicts = judged(rows, scores, fits, stated)
    for name in NAMES:
        for answer in ("yes", "no"):
            given = [row for row, each in zip(rows, verdicts, strict=True) if each.answer(name) == answer]
            right = [row.labels[name] == (answer == "yes") for row in given]
            assert len(right) > 300
            assert sum(right) / len(right) >= stated - 0.01, (name, answer)
    whole = [
        all((name in each.chosen) == row.labels[name] for name in NAMES)
        for row, each in zip(rows, verdicts, strict=True)
        if each.sure
    ]
    assert len(whole) > 300
    assert sum(whole) / len(whole) >= 1 - 2 * (1 - stated)


def test_scores_are_probabilities_again() -> None:
    rows, scores = mails(8_000, seed=3)
    fits = calibrate(rows, scores, categories=NAMES, languages=("en",), rule_evidence=nothing)
    verdicts = judged(rows, scores, fits, 0.95)
    for low in (0.1, 0.3, 0.5, 0.7):
        inside = [
            (each.score("request"), row.labels["request"])
            for row, each in zip(rows, verdicts, strict=True)
            if low <= each.score("request") < low + 0.2
        ]
        assert len(inside) > 200
        assert sum(score for score, _ in inside) / len(inside) == pytest.approx(
            sum(truth for _, truth in inside) / len(inside), abs=0.04
        )


def test_few_complaints_hide_behind_a_sure_no() -> None:
    rows, scores = mails(6_000, seed=4, sharp=1.0)  # scores tell little: nearly every low score holds some complaint
    fit = calibrate(rows, scores, categories=NAMES, languages=("en",), rule_evidence=nothing).categories["complaint"]
    calibration = Calibration(("en",), {"complaint": fit})
    verdicts = judged(rows, scores, calibration, 0.95)
    complaints = [each for row, each in zip(rows, verdicts, strict=True) if row.labels["complaint"]]
    hidden = [each for each in complaints if each.answer("complaint") == "no"]
    assert len(complaints) > 500
    assert len(hidden) <= 0.2 * len(complaints)


def test_from_few_mails_little_is_sure() -> None:
    fits = calibrate(*mails(30, seed=5), categories=NAMES, languages=("en",), rule_evidence=nothing)
    assert all(fit.yes[-1] == NEVER and fit.no[-1] == -NEVER for fit in fits.categories.values())
    rows, scores = mails(1_000, seed=8)
    sure = [each for each in judged(rows, scores, fits, 0.97) if each.sure]
    assert len(sure) < 100


def test_bounds_get_stricter_with_what_is_stated() -> None:
    found = calibrate(*mails(6_000, seed=6, sharp=4.0), categories=NAMES, languages=("en",), rule_evidence=nothing)
    for fit in found.categories.values():
        assert list(fit.yes) == sorted(fit.yes)
        assert list(fit.no) == sorted(fit.no, reverse=True)
        assert all(bound >= fit.threshold for bound in fit.yes)
        assert all(bound <= 1 - stated + 1e-9 for stated, bound in zip(STATED, fit.no, strict=True))


def test_a_mix_takes_what_tells() -> None:
    chance = random.Random(7)
    rows, telling, idle = [], {}, {}
    for n in range(800):
        truth = chance.random() < 0.5
        rows.append(Row(str(n), str(n), "", "", {"request": truth}))
        told, noise = (chance.gauss(2.0 if truth else -2.0, 1.0), chance.gauss(0.0, 2.0))
        nowhere = (Sentence(0, 0, (), ()),)
        telling[str(n)] = Opinion((noise,), (told,), nowhere, 20, 1.0)
        idle[str(n)] = Opinion((told,), (noise,), nowhere, 20, 1.0)
    whole, strongest, *_ = mixes(rows, telling, categories=("request",))["request"]
    assert strongest > 4 * abs(whole)
    whole, strongest, *_ = mixes(rows, idle, categories=("request",))["request"]
    assert whole > 4 * abs(strongest)
    found = scores_of(idle, mixes(rows, idle, categories=("request",)), categories=("request",))
    right = [(found[row.row_id]["request"] >= 0.5) == row.labels["request"] for row in rows]
    assert sum(right) / len(right) > 0.95


def test_each_origin_weighs_the_same() -> None:
    rows = [Row(str(n), "g", "", "", {}, origin="real" if n < 3 else "written") for n in range(12)]
    found = masses(rows)
    assert sum(found[:3]) == pytest.approx(sum(found[3:])) == pytest.approx(6)


def test_no_sender_no_conversation_and_no_copy_on_both_sides() -> None:
    rows = [Row(f"{n}", f"sender{n % 40}", f"Topic number {n % 50}", f"text {n}", {}) for n in range(400)]
    rows += [
        Row(f"c{n}", f"copier{n}", "", "The very same words of a mail that was passed on " * 3, {}) for n in range(9)
    ]
    seen = 0
    for others, held in folds(rows):
        seen += len(held)
        assert len(others) > 0
        assert {row.group for row in others}.isdisjoint(row.group for row in held)
        assert {row.subject for row in others if row.subject}.isdisjoint(row.subject for row in held)
        assert not (any(row.row_id[0] == "c" for row in others) and any(row.row_id[0] == "c" for row in held))
    assert seen == len(rows)


def test_answers_to_a_conversation_belong_to_it() -> None:
    rows = [Row("1", "a", "Roof repair in May", "x", {}), Row("2", "b", "RE: [Ext] roof repair in May", "y", {})]
    for others, held in folds(rows):
        assert len(held) == 0 or len(others) == 0
