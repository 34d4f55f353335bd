"""Every figure of `triaged evaluate` on cases counted by hand, its intervals, and the page they are shown on."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace
from io import StringIO
from xml.etree import ElementTree

import numpy
import pytest
from rich.console import Console

from triaged.classify import bootstrap
from triaged.classify.bootstrap import intervals
from triaged.classify.evaluate import (
    MISTAKES,
    POINTS,
    Bin,
    Coverage,
    Row,
    answers_of,
    average_precision,
    bins_of,
    calibration_error,
    certainty,
    coverage,
    evaluate,
    f1,
    mistakes,
    read_for_90,
    thinned,
)
from triaged.model import CategoryScore, Evidence, Verdict
from triaged.scorecard import page
from triaged.terminal import print_report, spread, with_interval

THRESHOLD = 0.4
SURE_YES, SURE_NO = 0.9, 0.1


def said(*evidence: Evidence, sure: bool | None = None, **scores: float) -> Verdict:
    """A verdict with these scores."""
    found = tuple(
        CategoryScore(name, score, score >= SURE_YES or score <= SURE_NO)
        for name, score in sorted(scores.items(), key=lambda each: -each[1])
    )
    chosen = tuple(each.category for each in found if each.score >= THRESHOLD)
    return Verdict(found, chosen, evidence, all(e.sure for e in found) if sure is None else sure, "en", "m", "r")


def row(number: int, *, group: str = "", subject: str = "Subject", **labels: bool) -> Row:
    return Row(f"mail-{number}", group or f"sender-{number}", subject, "Body", labels)


def test_average_precision_by_hand() -> None:
    # precision at the true ones: 1/1, 2/3, 3/5
    assert average_precision([0.9, 0.8, 0.7, 0.6, 0.5], [True, False, True, False, True]) == pytest.approx(34 / 45)
    # one true at the top (1/1), then three equal scores with one true: 2 of 4
    assert average_precision([0.9, 0.3, 0.3, 0.3], [True, False, True, False]) == pytest.approx((1 + 2 / 4) / 2)
    assert average_precision([0.9], [False]) == 0.0


def test_calibration_by_hand() -> None:
    scores = [0.05, 0.01, 0.61, 0.69, 1.0]
    truths = [False, False, True, False, True]
    assert [(b.mean_score, b.share_true, b.count) for b in bins_of(scores, truths)] == [
        (pytest.approx(0.03), 0.0, 2),
        (pytest.approx(0.65), 0.5, 2),
        (1.0, 1.0, 1),
    ]
    assert calibration_error(scores, truths) == pytest.approx((2 * 0.03 + 2 * 0.15 + 0) / 5)


def test_how_much_is_read_to_find_most() -> None:
    scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
    # all three of three are needed for 90 %; the last stands at the sixth place
    assert read_for_90(scores, [True, False, True, False, False, True, False, False, False, False]) == 0.6
    # nine of ten are enough: the tenth, at the very end, is not looked for
    assert read_for_90([*scores, 0.0, 0.0], [True] * 9 + [False] * 2 + [True]) == pytest.approx(9 / 12)
    # equal scores cannot be told apart, so all of them are read
    assert read_for_90([0.5, 0.5, 0.5, 0.1], [True, False, False, False]) == 0.75
    assert read_for_90([0.5], [False]) is None


def test_a_mail_is_as_certain_as_its_least_certain_answer() -> None:
    assert certainty(said(request=0.95, complaint=0.2)) == pytest.approx(0.8)
    assert certainty(said(request=0.5, complaint=0.01)) == pytest.approx(0.5)
    assert certainty(said(request=0.42, complaint=0.01)) == pytest.approx(0.42)  # chosen, though less likely than not
    assert certainty(said()) == 0.0


def test_coverage_by_hand() -> None:
    rows = [
        row(1, request=True),  # right, 0.99
        row(2, request=False),  # wrong, 0.9
        row(3, request=False),  # right, 0.9
        row(4, request=False),  # right, 0.7
        row(5),  # nobody labelled it
    ]
    verdicts = [said(request=score) for score in (0.99, 0.9, 0.1, 0.3, 0.999)]
    assert coverage(rows, verdicts) == (
        Coverage(0.99, 1 / 4, 1.0),
        Coverage(0.9, 3 / 4, 2 / 3),
        Coverage(0.7, 1.0, 3 / 4),
    )
    report = evaluate(rows[:4], judge=lambda _: verdicts[:4])
    assert report.decided_at_95 == 1 / 4
    assert coverage(rows[4:], verdicts[4:]) == ()


def test_a_label_that_is_missing_judges_nothing() -> None:
    rows = [row(1, request=True, complaint=False), row(2, request=False), row(3, complaint=True)]
    verdicts = [said(request=0.95, complaint=0.05), said(request=0.05, complaint=0.95), said(request=0.95, complaint=1)]
    report = evaluate(rows, judge=lambda _: verdicts)
    assert answers_of(rows, verdicts)["complaint"].rows == [0, 2]
    assert {name: (each.count, each.f1) for name, each in report.categories.items()} == {
        "complaint": (1, 1.0),
        "request": (1, 1.0),
    }
    assert (report.decided, report.decided_right, report.mistakes) == (1.0, 1.0, ())
    found = intervals(rows, verdicts, seed=1)
    assert found.categories["complaint"] == {"f1": (1.0, 1.0), "average_precision": (1.0, 1.0)}


def test_the_curve_is_told_in_few_points() -> None:
    points = [Coverage(1 - n / 3_000, (n + 1) / 3_000, 1.0) for n in range(3_000)]
    told = thinned(points)
    assert len(told) == POINTS
    assert [round(each.decided * POINTS, 9) for each in told] == list(range(1, POINTS + 1))
    assert thinned(points[-1:]) == (points[-1],)
    assert thinned(()) == ()
    few = [Coverage(0.9, n / 7, 1.0) for n in range(1, 8)]
    assert thinned(few) == tuple(few)


def test_the_most_confident_mistakes_come_first() -> None:
    strong, weak = (Evidence("model", "complaint", weight, f"words {weight}", 0, 5) for weight in (0.9, 0.5))
    other = Evidence("request.toml:3", "request", 0.9, "please", 0, 6)
    rows = [
        row(1, complaint=False, request=True),
        row(2, complaint=True),
        row(3, complaint=True),
        row(4, complaint=False),
    ]
    verdicts = [
        said(weak, other, strong, complaint=0.8, request=0.9),
        said(strong, weak, complaint=0.05),
        said(complaint=0.3),
        said(complaint=0.01),
    ]
    found = mistakes(rows, verdicts)
    assert [(each.row_id, each.chosen, each.sure, each.score) for each in found] == [
        ("mail-2", False, True, 0.05),
        ("mail-1", True, False, 0.8),
        ("mail-3", False, False, 0.3),
    ]
    assert found[0].evidence == (weak, strong)  # for a no: what spoke least for it
    assert found[1].evidence == (strong, weak)
    assert found[1].truths == ("request",)
    many = [row(number, complaint=True) for number in range(MISTAKES + 5)]
    assert len(mistakes(many, [said(complaint=0.1)] * len(many))) == MISTAKES


# --- intervals --------------------------------------------------------------------------------------------------


def lot(count: int, *, senders: int, seed: int = 1) -> tuple[list[Row], list[Verdict]]:
    """Mails whose scores are true probabilities."""
    chance = random.Random(seed)
    rows, verdicts = [], []
    for number in range(count):
        scores = {name: round(chance.betavariate(0.4, 1.2), 2) for name in ("complaint", "request")}
        labels = {name: chance.random() < score for name, score in scores.items()}
        rows.append(row(number, group=f"s{chance.randrange(senders)}", **labels))
        verdicts.append(said(**scores))
    return rows, verdicts


def test_drawn_figures_are_those_of_the_mails_drawn() -> None:
    rows, verdicts = lot(60, senders=20)
    answers = answers_of(rows, verdicts)["request"]
    scores, chosen, truths = (numpy.array(each) for each in (answers.scores, answers.chosen, answers.truths))
    assert len(set(answers.scores)) < len(answers.scores)  # some are equal
    weights = numpy.random.default_rng(3).integers(0, 4, size=(30, 60)).astype(float)
    drawn = [[at for at, times in enumerate(each) for _ in range(int(times))] for each in weights]
    expected = {
        "f1": [f1([chosen[at] for at in each], [truths[at] for at in each])[2] for each in drawn],
        "average_precision": [
            average_precision([scores[at] for at in each], [truths[at] for at in each]) for each in drawn
        ],
        "calibration_error": [
            calibration_error([scores[at] for at in each], [truths[at] for at in each]) for each in drawn
        ],
    }
    assert bootstrap.f1(weights, chosen, truths) == pytest.approx(expected["f1"])
    assert bootstrap.average_precision(weights, scores, truths) == pytest.approx(expected["average_precision"])
    assert bootstrap.calibration_error(weights, scores, truths) == pytest.approx(expected["calibration_error"])


def test_what_is_the_same_in_every_mail_has_no_spread() -> None:
    rows = [row(number, request=True) for number in range(20)]
    found = intervals(rows, [said(request=0.95)] * 20, seed=1)
    assert found.figures["macro_f1"] == found.figures["decided"] == found.figures["decided_right"] == (1.0, 1.0)
    assert found.figures["calibration_error"] == pytest.approx((0.05, 0.05))
    assert found.categories == {"request": {"f1": (1.0, 1.0), "average_precision": (1.0, 1.0)}}


def test_a_share_has_the_spread_that_theory_knows() -> None:
    rows = [row(number, request=False) for number in range(400)]
    verdicts = [said(request=0.05, sure=number % 2 == 0) for number in range(400)]
    low, high = intervals(rows, verdicts, seed=1).figures["decided"] or (0, 0)
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.006)


def test_whole_senders_are_drawn() -> None:
    """Four senders, two of whom have all that is decided: a draw may well hold none of it, or nothing else."""
    verdicts = [said(request=0.05, sure=number < 200) for number in range(400)]
    rows = [row(number, group=str(number // 100), request=False) for number in range(400)]
    found = intervals(rows, verdicts, seed=1)
    assert found.senders == 4
    low, high = found.figures["decided"] or (0, 0)
    assert high - low > 0.9


def test_intervals_hold_the_figure_and_keep_to_their_seed() -> None:
    rows, verdicts = lot(500, senders=100)
    heard: list[int] = []
    found = intervals(rows, verdicts, seed=1, progress=heard.append)
    assert sum(heard) == found.resamples == 1_000
    assert found == intervals(rows, verdicts, seed=1)
    assert found != intervals(rows, verdicts, seed=2)
    report = replace(evaluate(rows, judge=lambda _: verdicts), intervals=found)
    for name in ("macro_f1", "mean_average_precision", "calibration_error", "decided", "decided_right"):
        low, high = report.interval(name) or (1, 0)
        assert low < getattr(report, name) < high
    for name, each in report.categories.items():
        for figure in ("f1", "average_precision"):
            low, high = report.interval(figure, name) or (1, 0)
            assert low < getattr(each, figure) < high


def test_no_interval_where_the_mails_cannot_tell() -> None:
    rows, verdicts = lot(50, senders=1)
    alone = intervals(rows, verdicts, seed=1)
    assert alone.senders == 1
    assert set(alone.figures.values()) == {None}
    rows = [row(number, request=False, complaint=number < 10) for number in range(20)]
    unsure = intervals(rows, [said(request=0.2, complaint=0.2)] * 20, seed=1)
    assert unsure.figures["decided_right"] is None  # nothing was decided
    assert unsure.categories["request"] == {"f1": (0.0, 0.0), "average_precision": (0.0, 0.0)}  # as the figure itself
    assert unsure.figures["decided"] == (0.0, 0.0)
    nobody = intervals([row(1), row(2)], [said(request=0.2)] * 2, seed=1)
    assert nobody.figures["macro_f1"] == (0.0, 0.0)


# --- as it is told ------------------------------------------------------------------------------------------------


def test_json_names_stay() -> None:
    rows, verdicts = lot(300, senders=50)
    report = replace(evaluate(rows, judge=lambda _: verdicts, elapsed_s=1), intervals=intervals(rows, verdicts, seed=1))
    told = report.as_dict()
    assert set(told) >= {
        "mails", "macro_f1", "mean_average_precision", "calibration_error", "decided", "decided_right", "sure_right",
        "mails_per_s", "categories", "intervals", "calibration", "coverage", "decided_at_95",
    }  # fmt: skip
    assert set(told["categories"]["request"]) == {
        "count", "precision", "recall", "f1", "average_precision", "read_for_90",
    }  # fmt: skip
    assert len(told["intervals"]["macro_f1"]) == len(told["intervals"]["categories"]["request"]["f1"]) == 2
    assert sum(each["count"] for each in told["calibration"]["request"]) == 300
    assert told["coverage"][-1]["decided"] == 1.0
    assert evaluate(rows, judge=lambda _: verdicts).as_dict()["intervals"] is None


def test_intervals_in_words() -> None:
    assert with_interval(0.718, (0.66, 0.771)) == "0.72 (0.66–0.77)"
    assert with_interval(0.58, (0.5, 1.0), form=".0%") == "58% (50–100%)"
    assert with_interval(0.58, None) == "0.58"
    assert with_interval(None, None) == spread(None) == "-"


def test_the_terminal_tells_intervals() -> None:
    rows, verdicts = lot(300, senders=50)
    bare = evaluate(rows, judge=lambda _: verdicts)
    report = replace(bare, intervals=intervals(rows, verdicts, seed=1))
    told, plain = StringIO(), StringIO()
    print_report(Console(file=told, width=200), report)
    interval = r" +0\.\d\d \(0\.\d\d–0\.\d\d\)"
    assert re.search(rf"complaint +\d+ +0\.\d\d +0\.\d\d{interval}{interval} +\d+%", told.getvalue())
    assert "49 senders drawn again and again" in told.getvalue()  # one of the fifty wrote nothing
    print_report(Console(file=plain, width=200), bare)
    assert "–" not in plain.getvalue()


def shown(rows: list[Row], verdicts: list[Verdict]) -> str:
    report = evaluate(rows, judge=lambda _: verdicts)
    return page(replace(report, intervals=intervals(rows, verdicts, seed=1)), name="mails.jsonl", model="abc123")


def test_the_page_holds_what_was_measured() -> None:
    rows, verdicts = lot(300, senders=50)
    html = shown(rows, verdicts)
    report = evaluate(rows, judge=lambda _: verdicts)
    assert "<script" not in html
    assert re.search(r"""(?:src|href)=["']|url\(|@import""", html) is None
    dots = sum(len(each.bins) for each in report.categories.values())
    assert html.count('<circle class="dot"') == dots > 15
    assert html.count('<circle class="now"') == 1
    (line,) = re.findall(r'<polyline class="line" points="([^"]+)"', html)
    assert len(line.split()) == len(thinned(report.coverage))
    for each in report.categories["request"].bins:
        assert f'<td class="number">{each.share_true:.2f}</td><td class="number">{each.count}</td>' in html
    assert html.count('<td class="mail">') == MISTAKES
    assert report.mistakes[0].row_id in html


def test_a_plot_can_be_read_without_being_seen() -> None:
    html = shown(*lot(300, senders=50))
    drawings = [ElementTree.fromstring(each) for each in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]
    assert len(drawings) == 3
    for each in drawings:
        title, desc = each.find("title"), each.find("desc")
        assert title is not None
        assert desc is not None
        assert each.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
        assert len(desc.text or "") > 50
    assert html.count("<details>") == 3
    ids = Counter(re.findall(r' id="([^"]+)"', html))
    assert len(ids) == 6
    assert max(ids.values()) == 1


def test_dots_and_curve_stand_where_they_should() -> None:
    rows = [row(1, request=True), row(2, request=False), row(3, request=False), row(4, request=False)]
    html = shown(rows, [said(request=score) for score in (0.99, 0.55, 0.05, 0.05)])
    (drawing, curve) = (ElementTree.fromstring(each) for each in re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    (even,) = (each for each in drawing.iter("line") if each.get("class") == "even")
    left, bottom, right, top = (float(even.get(name) or "") for name in ("x1", "y1", "x2", "y2"))
    dots = [[float(each.get(name) or "") for name in ("cx", "cy", "r")] for each in drawing.iter("circle")]
    at = [((x - left) / (right - left), (bottom - y) / (bottom - top), r * r) for x, y, r in dots]
    assert [(x, y) for x, y, _ in at] == [
        pytest.approx(each, abs=0.001) for each in ((0.05, 0.0), (0.55, 0.0), (0.99, 1.0))
    ]
    assert at[0][2] / at[1][2] == pytest.approx(2, rel=0.02)  # two mails, one mail
    (line,) = (each.get("points") or "" for each in curve.iter("polyline"))
    heights = [float(each.split(",")[1]) for each in line.split()]
    (wanted,) = (float(each.get("y1") or "") for each in curve.iter("line") if each.get("class") == "wanted")
    assert heights[0] == heights[1] < wanted < heights[2]  # 1.0, 1.0, then 3 of 4


def test_words_of_a_mail_stay_words_on_the_page() -> None:
    evil = "<script>alert(1)</script> {{ 7 * 7 }}"
    evidence = Evidence("model", "request", 0.9, evil, 0, 5)
    rows = [row(1, subject=evil, request=False), row(2, request=True)]
    html = shown(rows, [said(evidence, request=0.95), said(request=0.95)])
    assert "<script" not in html
    assert html.count("{{ 7 * 7 }}") == 2


def test_a_page_about_little() -> None:
    assert "There are none." in shown([row(1, request=True)], [said(request=0.95)])
    unlabelled = shown([row(1)], [said(request=0.2)])
    assert "<svg" not in unlabelled
    assert "Nothing is marked sure today." in shown([row(1, request=True)], [said(request=0.6)])
    assert bins_of([0.5], [True]) == (Bin(0.5, 1.0, 1),)
