"""Evidence adds up the same in any order, more of it never lowers a score, and nothing is sure without reason."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import asdict

import pytest

from triaged.classify.calibrate import fit
from triaged.classify.evaluate import Row, average_precision, calibration_error, evaluate, f1
from triaged.classify.verdict import NEVER, PRIOR, STATED, Calibration, CategoryCalibration, logit, sigmoid, verdict
from triaged.model import Evidence, Verdict

FIT = CategoryCalibration(
    a=0.8, b=0.9, c=-1.0, threshold=0.4, yes=(0.8, 0.9, 0.95, NEVER), no=(0.1, 0.05, 0.01, -NEVER)
)
CALIBRATION = Calibration(("en", "de"), {"request": FIT, "complaint": FIT})


def told(category: str, weight: float) -> Evidence:
    return Evidence(f"{category}.toml:1", category, weight, "words", 0, 5)


def weigh(
    *evidence: Evidence,
    scores: dict[str, float] | None = None,
    language: str = "en",
    categories: tuple[str, ...] = (),
    sure: float = 0.95,
    readable: bool = True,
) -> Verdict:
    return verdict(
        sure=sure,
        readable=readable,
        model_scores={"request": 0.3, "complaint": 0.02} if scores is None else scores,
        model_evidence=(),
        rule_evidence=evidence,
        calibration=CALIBRATION,
        categories=categories,
        language=language,
        model_id="m",
        rules_id="r",
    )


@pytest.mark.parametrize("weight", [0.01, 0.1, 0.35, 0.5, 0.7, 0.99])
def test_one_rule_alone_gives_its_weight(weight: float) -> None:
    assert weigh(told("billing", weight)).score("billing") == pytest.approx(weight)


def test_an_own_category_without_evidence_has_the_prior() -> None:
    assert weigh(categories=("billing",)).score("billing") == pytest.approx(PRIOR)


def test_order_never_matters() -> None:
    evidence = [told("billing", w) for w in (0.2, 0.7, 0.31)] + [told("complaint", 0.6), told("request", 0.05)]
    results = {(v.scores, v.chosen, v.sure) for v in (weigh(*each) for each in itertools.permutations(evidence))}
    assert len(results) == 1


def test_more_evidence_never_lowers() -> None:
    chance = random.Random(1)
    seen = 0
    for _ in range(300):
        category = chance.choice(["request", "complaint", "billing"])
        evidence = [told(category, chance.uniform(PRIOR, 1)) for _ in range(chance.randint(0, 4))]
        more = weigh(*evidence, told(category, chance.uniform(PRIOR, 1)), categories=("billing",))
        assert more.score(category) >= weigh(*evidence, categories=("billing",)).score(category)
        seen += 1
    assert seen == 300


def test_evidence_under_the_prior_speaks_against() -> None:
    assert weigh(told("request", 0.02)).score("request") < weigh().score("request")


def test_rules_can_carry_a_category_the_model_denies() -> None:
    found = weigh(told("complaint", 0.9), told("complaint", 0.8))
    assert "complaint" in found.chosen
    assert found.chosen[0] == found.scores[0].category == "complaint"


def test_known_are_model_rules_and_suggested() -> None:
    found = weigh(told("onboarding", 0.6), categories=("billing",))
    assert {each.category for each in found.scores} == {"request", "complaint", "billing", "onboarding"}
    assert [each.score for each in found.scores] == sorted((each.score for each in found.scores), reverse=True)


@pytest.mark.parametrize(
    ("scores", "language", "sure"),
    [
        ({"request": 0.99, "complaint": 0.001}, "en", True),
        ({"request": 0.99, "complaint": 0.001}, "it", False),
        ({"request": 0.99, "complaint": 0.001}, "", False),
        ({"request": 0.6, "complaint": 0.001}, "en", False),
        ({}, "en", False),
    ],
)
def test_sure(scores: dict[str, float], language: str, sure: bool) -> None:
    found = weigh(scores=scores, language=language)
    assert found.sure is sure
    assert all(each.sure for each in found.scores) is sure


@pytest.mark.parametrize(
    ("score", "precision"),
    [
        (0.85, 0.9),
        (0.8, 0.9),
        (0.79, 0.0),
        (0.93, 0.95),
        (0.999, 0.97),
        (0.39, 0.0),
        (0.1, 0.9),
        (0.03, 0.95),
        (0.0, 0.97),
    ],
)
def test_the_bounds_say_how_far_an_answer_is_trusted(score: float, precision: float) -> None:
    assert FIT.precision(score) == precision


def test_what_is_asked_for_decides_what_is_sure() -> None:
    scores = {"request": 0.99, "complaint": 0.001}
    assert weigh(scores=scores, sure=0.95).sure
    assert not weigh(scores=scores, sure=0.99).sure
    assert {each.precision for each in weigh(scores=scores, sure=0.99).scores} == {0.95, 0.97}


def test_nothing_is_sure_of_what_cannot_be_read() -> None:
    found = weigh(scores={"request": 0.99, "complaint": 0.001}, readable=False)
    assert not found.sure
    assert {each.precision for each in found.scores} == {0.0}
    assert {found.answer(name) for name in ("request", "complaint")} == {"a person looks"}


def test_three_answers_and_the_runner_up() -> None:
    found = weigh(scores={"request": 0.99, "complaint": 0.3})
    assert found.answer("request") == "yes"
    assert found.answer("complaint") == "a person looks"
    assert found.answer("nobody knows it") == "no"
    assert weigh(scores={"request": 0.99, "complaint": 0.001}).answer("complaint") == "no"
    assert found.runner_up is not None
    assert found.runner_up.category == "complaint"
    everything = weigh(scores={"request": 0.99, "complaint": 0.99})
    assert everything.runner_up is None


def test_a_calibration_goes_to_json_and_back() -> None:
    told = json.loads(json.dumps(asdict(FIT)))
    assert CategoryCalibration.of(told) == FIT
    with pytest.raises(ValueError, match=f"needs {len(STATED)} bounds"):
        CategoryCalibration.of({**told, "yes": [0.9]})


def test_log_odds_go_back_and_forth() -> None:
    for probability in (0.001, 0.2, 0.5, 0.999):
        assert sigmoid(logit(probability)) == pytest.approx(probability)
    assert logit(0) == logit(0.001)
    assert 0 < sigmoid(-800) + 1e-300 < sigmoid(800) == 1


def test_fit_finds_the_odds_and_keeps_rules_counting() -> None:
    chance = random.Random(2)
    model = [chance.gauss(0, 2) for _ in range(2_000)]
    truths = [chance.random() < sigmoid(0.5 * each - 1) for each in model]
    mass = [1.0] * len(model)
    a, b, c = fit(model, [0.0] * len(model), truths, mass)
    assert a == pytest.approx(0.5, abs=0.1)
    assert c == pytest.approx(-1, abs=0.15)
    assert b == 1.0
    noise = [chance.gauss(0, 2) for _ in model]
    assert fit(model, noise, truths, mass)[1] == 0.6


def test_figures() -> None:
    assert f1([True, True, False], [True, False, True]) == (0.5, 0.5, 0.5)
    assert f1([False], [True]) == (0.0, 0.0, 0.0)
    assert average_precision([0.9, 0.8, 0.7, 0.1], [True, False, True, False]) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([0.5, 0.5], [True, False]) == 0.5
    assert calibration_error([0.2] * 10, [True, True] + [False] * 8) == pytest.approx(0)
    assert calibration_error([0.9] * 10, [False] * 10) == pytest.approx(0.9)


def test_evaluate_counts() -> None:
    rows = [
        Row("1", "a", "s", "b", {"request": True, "complaint": False}),
        Row("2", "b", "s", "b", {"request": False, "complaint": False}),
    ]
    verdicts = [
        weigh(scores={"request": 0.99, "complaint": 0.001}),
        weigh(scores={"request": 0.6, "complaint": 0.001}, language="it"),
    ]
    report = evaluate(rows, judge=lambda _: verdicts, elapsed_s=0.5)
    assert (report.mails, report.decided, report.decided_right, report.mails_per_s) == (2, 0.5, 1.0, 4.0)
    told_of = report.as_dict()
    assert told_of["categories"]["request"]["count"] == 1
    assert told_of["categories"]["request"]["recall"] == 1.0
    with pytest.raises(ValueError, match="no mails"):
        evaluate([], judge=lambda _: [])
