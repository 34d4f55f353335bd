"""Corrections raise right answers on mail of that kind, cost little elsewhere, and are taken up reproducibly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from triaged import shipped
from triaged.classify import model as models
from triaged.classify.adapt import adapt, recalibrate
from triaged.classify.evaluate import Report, Row, evaluate, read_rows
from triaged.classify.language import language
from triaged.classify.model import Model, judge
from triaged.classify.train import example_rows
from triaged.classify.verdict import verdict
from triaged.mail.newtext import split
from triaged.model import Verdict

CORPUS = Path(__file__).parents[1] / "corpus"
EACH = 10
"""Corrections of each category."""


def new_text(body: str) -> str:
    return split(body)[0]


def kind(row: Row) -> str:
    return next((name for name, truth in row.labels.items() if truth), "other")


def verdicts(model: Model, rows: Sequence[Row]) -> list[Verdict]:
    return [
        verdict(
            model_scores=judged.scores,
            model_evidence=judged.evidence,
            rule_evidence=(),
            calibration=model.calibration,
            categories=(),
            language=language(row.body),
            model_id=model.model_id,
            rules_id="",
        )
        for row, judged in zip(rows, judge(model, [row.judged for row in rows]), strict=True)
    ]


def figures(model: Model, rows: Sequence[Row]) -> Report:
    return evaluate(rows, judge=lambda _: verdicts(model, rows))


def right(model: Model, rows: Sequence[Row]) -> float:
    hits = [
        all((name in each.chosen) == truth for name, truth in row.labels.items())
        for row, each in zip(rows, verdicts(model, rows), strict=True)
    ]
    return sum(hits) / len(hits)


@pytest.fixture(scope="module")
def drifted() -> tuple[list[Row], list[Row]]:
    """Mails of a trade with words of its own: those that a coordinator puts right, and others like them."""
    rows = read_rows(CORPUS / "drift.jsonl", new_text=new_text, origin="real")
    corrected: list[Row] = []
    for name in ("request", "complaint", "renewal", "other"):
        corrected += [row for row in rows if kind(row) == name][:EACH]
    return corrected, [row for row in rows if row not in corrected]


@pytest.fixture(scope="module")
def adapted(drifted: tuple[list[Row], list[Row]], tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("adapted")
    rows = [*example_rows(shipped.EXAMPLES, new_text=new_text), *drifted[0]]
    made = adapt(None, rows, out=folder, rule_evidence=lambda *_: (), progress=lambda *_: None)
    model = models.load(folder)
    assert made == model.model_id != models.load().model_id
    return model


def test_ten_corrections_a_category_raise_right_answers_on_similar_mail(
    drifted: tuple[list[Row], list[Row]], adapted: Model
) -> None:
    _, similar = drifted
    assert len(similar) == 160
    before, after = figures(models.load(), similar), figures(adapted, similar)
    assert after.mean_average_precision >= before.mean_average_precision + 0.03
    assert after.macro_f1 >= before.macro_f1 + 0.08
    assert right(adapted, similar) >= right(models.load(), similar) + 0.06
    for name, each in before.categories.items():
        assert after.categories[name].average_precision >= each.average_precision, name


def test_they_cost_at_most_one_point_elsewhere(adapted: Model) -> None:
    elsewhere = example_rows(CORPUS / "written", new_text=new_text)
    assert len(elsewhere) > 1_000
    before, after = figures(models.load(), elsewhere), figures(adapted, elsewhere)
    assert after.macro_f1 >= before.macro_f1 - 0.01
    assert after.mean_average_precision >= before.mean_average_precision - 0.01
    assert right(adapted, elsewhere) >= right(models.load(), elsewhere) - 0.01


def few_rows() -> list[Row]:
    return example_rows(shipped.EXAMPLES, new_text=new_text)[:200]


def test_a_category_of_ones_own_is_learned_and_leaves_the_others_alone(tmp_path: Path) -> None:
    things = "chairs lamps desks carpets screens phones doors keys forks plants mugs bags".split()
    billing = [
        Row(
            f"b{n}",
            f"g{n}",
            thing,
            f"The {thing} belong to cost centre {n}, not to ours.",
            {"billing": True},
            origin="real",
        )
        for n, thing in enumerate(things)
    ]
    rest = [
        replace(row, row_id=f"n{at}", origin="real", labels={**row.labels, "billing": False})
        for at, row in enumerate(few_rows()[:40])
    ]
    adapt(None, [*few_rows(), *billing, *rest], out=tmp_path, rule_evidence=lambda *_: (), progress=lambda *_: None)
    model, base = models.load(tmp_path), models.load()
    assert model.categories == (*base.categories, "billing")
    other = Row("x", "x", "Question", "Which cost centre do the chairs belong to, ours?", {})
    plain = Row("y", "y", "Thanks", "Thank you for the nice visit, see you in spring.", {})
    ours, theirs = (each.scores for each in judge(model, [other.judged, plain.judged]))
    assert ours["billing"] > theirs["billing"]
    [before] = judge(base, [plain.judged])
    assert {name: theirs[name] for name in base.categories} == pytest.approx(dict(before.scores), abs=0.1)


def test_the_same_rows_give_the_same_octets(tmp_path: Path) -> None:
    rows = [*few_rows(), *(replace(row, row_id=f"s{row.row_id}", origin="real") for row in few_rows()[:30])]
    for make in (adapt, recalibrate):
        for name in ("one", "two"):
            make(None, rows, out=tmp_path / name, rule_evidence=lambda *_: (), progress=lambda *_: None)
        for file in ("model.json", "weights.npz"):
            assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_without_a_mail_of_the_site_nothing_is_learned(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no mail of the site"):
        adapt(None, few_rows(), out=tmp_path, rule_evidence=lambda *_: (), progress=lambda *_: None)


def test_recalibrating_leaves_the_text_model_alone(tmp_path: Path) -> None:
    upside_down = [
        replace(row, origin="real", labels={name: not truth for name, truth in row.labels.items()})
        for row in few_rows()
    ]
    recalibrate(None, upside_down, out=tmp_path, rule_evidence=lambda *_: (), progress=lambda *_: None)
    model, base = models.load(tmp_path), models.load()
    texts = [row.judged for row in few_rows()[:20]]
    assert judge(model, texts) == judge(base, texts)
    assert model.calibration.categories["request"].a < base.calibration.categories["request"].a
    after, before = model.calibration.categories["request"], base.calibration.categories["request"]
    assert (after.threshold, after.yes, after.no) == (before.threshold, before.yes, before.no)


def test_recalibrating_is_not_misled_by_mail_the_model_has_learned_from(tmp_path: Path) -> None:
    recalibrate(None, few_rows(), out=tmp_path, rule_evidence=lambda *_: (), progress=lambda *_: None)
    assert models.load(tmp_path).calibration == models.load().calibration
