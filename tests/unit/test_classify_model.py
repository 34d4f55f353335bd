"""The shipped model knows obvious mails and carries no text; training twice gives the same octets."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.corpus import real
from triaged.classify import model as models
from triaged.classify.evaluate import Row, read_rows
from triaged.classify.features import MAX_CHARS, MAX_SENTENCES, sentences
from triaged.classify.language import language
from triaged.classify.train import example_rows, learnable, train
from triaged.classify.verdict import verdict
from triaged.learning import rule_evidence
from triaged.playbook import Sought, sought_of
from triaged.rules.grammar import RuleSet
from triaged.rules.load import parse_rules
from triaged.shipped import STARTER_RULES
from triaged.written import rule_files

TEMPLATES = frozenset({"request", "complaint", "renewal", "received"})
EXAMPLES = Path(models.__file__).with_name("examples")

OBVIOUS = [
    ("request", "Invoice copy", "Could you please send me a copy of the March invoice? Thanks."),
    ("request", "New user", "Please set up a login for our new colleague Tim Frost by Monday."),
    ("request", "Question", "Can you tell me whether the report covers the northern stores as well?"),
    ("request", "Termin", "Könnten Sie mir bitte bis Freitag die aktuelle Preisliste schicken?"),
    ("request", "Facture", "Pourriez-vous nous envoyer une copie de la facture de mars, s'il vous plaît ?"),
    ("request", "Factura", "¿Podrían enviarnos una copia de la factura de marzo, por favor?"),
    (
        "complaint",
        "Late again",
        "This is the third time your delivery came late. We are very disappointed with the service.",
    ),
    ("complaint", "Unacceptable", "This is unacceptable. Nobody called us back and the problem is still not fixed."),
    (
        "complaint",
        "Wrong charge",
        "You overcharged us again, although you promised to correct this. I am really frustrated.",
    ),
    (
        "complaint",
        "Beschwerde",
        "Wir sind sehr enttäuscht. Der Fehler ist trotz Ihrer Zusage immer noch nicht behoben.",
    ),
    (
        "complaint",
        "Mécontents",
        "Nous sommes très déçus de votre service : toujours aucune réponse, c'est inacceptable.",
    ),
    ("complaint", "Queja", "Estamos muy decepcionados con el servicio: es la tercera vez que llega tarde."),
    ("renewal", "Renewal", "Our contract expires on 31 May and we would like to renew it for another two years."),
    ("renewal", "Cancellation", "We hereby give notice that we will not renew our subscription. It ends on 30 June."),
    ("renewal", "Kündigung", "Hiermit kündigen wir unseren Vertrag zum 31. Dezember."),
    ("renewal", "Renouvellement", "Notre contrat arrive à échéance le 31 mai et nous souhaitons le renouveler."),
    ("renewal", "Renovación", "Nuestro contrato vence el 31 de mayo y queremos renovarlo por dos años."),
    ("", "Thanks", "Thank you, the files arrived. Have a nice weekend."),
    ("", "Minutes", "Attached are the minutes of yesterday's meeting for your records."),
    ("", "Re: Schedule", "Yes, Tuesday at ten works for me. See you then."),
    ("", "Danke", "Vielen Dank, alles ist gut angekommen. Schönes Wochenende!"),
    ("", "Merci", "Merci beaucoup, nous avons bien reçu les documents. Bon week-end !"),
    ("", "Gracias", "Muchas gracias, hemos recibido los documentos. ¡Buen fin de semana!"),
    ("", "Our new office", "We have moved. Our new address is 12 Mill Lane. The phone numbers stay the same."),
]


@pytest.fixture(scope="module")
def shipped() -> models.Model:
    return models.load()


@pytest.fixture(scope="module")
def rules() -> tuple[RuleSet, Sought]:
    """The starter rules: thresholds are fitted for model and rules together."""
    found = parse_rules(rule_files(STARTER_RULES), templates=TEMPLATES, people=frozenset())
    return found, sought_of(found)


def chosen(
    model: models.Model, subject: str, body: str, rules: tuple[RuleSet, Sought] | None = None
) -> tuple[str, ...]:
    text = f"{subject}\n\n{body}"
    (judged,) = models.judge(model, [text])
    return verdict(
        model_scores=judged.scores,
        model_evidence=judged.evidence,
        rule_evidence=rule_evidence(*rules)(subject, body) if rules is not None else (),
        calibration=model.calibration,
        categories=(),
        language=language(text),
        model_id=model.model_id,
        rules_id="",
    ).chosen


def test_obvious_mails(shipped: models.Model, rules: tuple[RuleSet, Sought]) -> None:
    wrong = []
    for category, subject, body in OBVIOUS:
        found = chosen(shipped, subject, body, rules)
        if (category not in found) if category != "" else len(found) > 0:
            wrong.append((category, subject, found))
    assert len(OBVIOUS) == 24
    assert len(wrong) <= 2, wrong


def test_evidence_points_at_the_sentence(shipped: models.Model) -> None:
    text = "Visit\n\nIt was nice to see you. We are very disappointed with the late delivery. Best regards"
    (judged,) = models.judge(shipped, [text])
    (complaint,) = [each for each in judged.evidence if each.category == "complaint"]
    assert complaint.source == "model"
    assert complaint.words == "We are very disappointed with the late delivery."
    assert text[complaint.start : complaint.end] == complaint.words


@pytest.mark.parametrize("text", ["", "\n\n", "12345 -- 678", "\n\n!!!"])
def test_text_without_words_is_not_judged(shipped: models.Model, text: str) -> None:
    assert models.judge(shipped, [text]) == [models.Judged({}, (), 0.0)]
    assert chosen(shipped, "", text) == ()


def test_batch_is_as_one_by_one(shipped: models.Model) -> None:
    texts = [f"{subject}\n\n{body}" for _, subject, body in OBVIOUS]
    assert models.judge(shipped, texts) == [models.judge(shipped, [text])[0] for text in texts]


def test_a_huge_text_is_read_in_part(shipped: models.Model) -> None:
    text = "Please send the file. " * 50_000
    assert len(sentences(shipped.nlp.make_doc(text[:MAX_CHARS]))) == MAX_SENTENCES
    (judged,) = models.judge(shipped, [text])
    assert not judged.complete
    assert not judged.readable
    [short] = models.judge(shipped, ["Question\n\nPlease send the file to our office in Leeds."])
    assert short.readable
    assert judged.scores == models.judge(shipped, [text[:MAX_CHARS]])[0].scores


def test_the_spacy_pipeline_is_whole(shipped: models.Model) -> None:
    text = "Could you please send me the invoice?"
    scores = shipped.nlp(text).cats
    assert set(scores) == set(shipped.categories) == {"request", "complaint", "renewal"}
    assert scores["request"] == max(scores.values())
    assert shipped.calibration.languages == ("de", "en", "es", "fr")


def test_the_shipped_model_is_small_and_holds_no_text() -> None:
    files = sorted(models.SHIPPED.iterdir())
    assert [file.name for file in files] == ["model.json", "weights.npz"]
    assert sum(file.stat().st_size for file in files) < 5_000_000
    octets = (models.SHIPPED / "weights.npz").read_bytes()
    told = json.loads((models.SHIPPED / "model.json").read_text())
    assert set(told) == {"model_id", "categories", "languages", "mixes", "calibration"}
    rows = [row for path in sorted(EXAMPLES.glob("*.jsonl")) for row in read_rows(path)]
    counts = Counter(word for row in rows for word in re.findall(r"[a-zäöüß]{8,}", row.body.lower()))
    rare = [word for word, count in counts.items() if count <= 2]
    assert len(rare) > 250
    assert [word for word in rare if word.encode() in octets] == []
    import numpy

    with numpy.load(models.SHIPPED / "weights.npz", allow_pickle=False) as stored:
        kinds = {name: stored[name].dtype.kind for name in stored}
    assert kinds == {"word_keys": "u", "word_rarity": "f", "letter_keys": "u", "letter_rarity": "f", "weights": "f"}


def some_rows(count: int) -> list[Row]:
    rows = [row for path in sorted(EXAMPLES.glob("english-*.jsonl")) for row in read_rows(path)]
    return rows[:count]


def test_training_twice_gives_the_same_octets(tmp_path: Path) -> None:
    rows = some_rows(40)
    steps: list[tuple[str, int, int]] = []
    for name in ("one", "two"):
        train(
            rows=rows,
            out=tmp_path / name,
            rule_evidence=lambda _subject, _text: (),
            progress=lambda *step: steps.append(step),
        )
    assert (tmp_path / "one/model.json").read_bytes() == (tmp_path / "two/model.json").read_bytes()
    assert (tmp_path / "one/weights.npz").read_bytes() == (tmp_path / "two/weights.npz").read_bytes()
    assert steps[-1][1] == steps[-1][2]
    loaded = models.load(tmp_path / "one")
    assert loaded.model_id == json.loads((tmp_path / "one/model.json").read_text())["model_id"]
    train(rows=rows[:-1], out=tmp_path / "other", rule_evidence=lambda *_: (), progress=lambda *_: None)
    assert models.load(tmp_path / "other").model_id != loaded.model_id


def test_an_own_category_is_learned_from_enough_rows(tmp_path: Path) -> None:
    rows = [
        Row(f"b{n}", f"g{n}", "Billing", f"The amount on invoice {n} belongs to cost centre {n}.", {"billing": True})
        for n in range(10)
    ] + [Row(f"o{n}", f"h{n}", "Hello", f"See you on day {n} at the fair.", {"billing": False}) for n in range(10)]
    assert learnable(rows) == ("billing",)
    assert learnable(rows[:12]) == ()
    train(rows=rows, out=tmp_path, rule_evidence=lambda *_: (), progress=lambda *_: None)
    model = models.load(tmp_path)
    assert chosen(model, "Billing", "Which cost centre does the invoice belong to?") == ("billing",)
    with pytest.raises(ValueError, match="no category"):
        train(rows=rows[:12], out=tmp_path, rule_evidence=lambda *_: (), progress=lambda *_: None)


def test_a_folder_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    for file in models.SHIPPED.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    told = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**told, "categories": ["request"]}))
    with pytest.raises(ValueError, match="does not fit"):
        models.load(tmp_path)
    with pytest.raises(OSError, match=r"model\.json"):
        models.load(tmp_path / "nowhere")


def test_the_examples_that_ship() -> None:
    rows = example_rows(EXAMPLES, new_text=str)
    assert len(rows) >= 3_000
    assert len({row.row_id for row in rows}) == len(rows)
    assert Counter(row.language for row in rows).keys() == {"en", "de", "fr", "es"}
    labelled = [row for row in rows if any(row.labels.values())]
    assert [row.row_id for row in labelled if row.span == ""] == []
    assert [row.row_id for row in labelled if row.span not in row.judged] == []
    assert {name: sum(row.labels[name] for row in rows) > 500 for name in rows[0].labels} == dict.fromkeys(
        ("complaint", "renewal", "request"), True
    )


@pytest.mark.skipif(not real.SHARED.exists(), reason="needs ../shared/nlp")
def test_real_mails_leave_out_what_the_licence_forbids(tmp_path: Path) -> None:
    rows = read_rows(real.write(tmp_path / "real.jsonl"), origin="real")
    sources = Counter(row.row_id.partition(":")[0] for row in rows)
    assert sources["enron-idan"] > 100
    assert sources["spamassassin-ham"] > 1_000
    assert sources[real.NOT_TO_LEARN_FROM] == 0
    measured = read_rows(real.write(tmp_path / "all.jsonl", measured_only=True), origin="real")
    assert sum(row.row_id.startswith(real.NOT_TO_LEARN_FROM) for row in measured) == len(measured) - len(rows) == 95
