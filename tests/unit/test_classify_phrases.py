"""Phrases are found as people write them, at the right place, and languages are told from a few words."""

from __future__ import annotations

import subprocess
import sys

import pytest

from triaged.classify.language import language
from triaged.classify.phrases import PhraseIndex

FOUND = [
    # phrase, text, the words as they stand
    ("cancel our contract", "Please cancel our contract by Friday.", "cancel our contract"),
    ("cancel our contract", "Please Cancel\nour   CONTRACT.", "Cancel\nour   CONTRACT"),
    ("isn't working", "The portal isn’t working.", "isn’t working"),
    ("isn’t working", "The portal isn't working.", "isn't working"),
    ("Verlängerung des Vertrags", "zur VERLÄNGERUNG des\r\nVertrags", "VERLÄNGERUNG des\r\nVertrags"),
    ("third  time", "For the third\u00a0time!", "third\u00a0time"),
    ("price?", "What is the price?", "price?"),
]


@pytest.mark.parametrize(("phrase", "text", "words"), FOUND)
def test_found(phrase: str, text: str, words: str) -> None:
    (hit,) = PhraseIndex([phrase]).find(text)
    assert (hit.phrase, hit.words) == (phrase, words)
    assert text[hit.start : hit.end] == words


@pytest.mark.parametrize(
    ("phrase", "text"),
    [("cancel", "The cancellation is done."), ("our contract", "our old contract"), ("late", "I will translate it")],
)
def test_whole_words_only(phrase: str, text: str) -> None:
    assert PhraseIndex([phrase]).find(text) == ()


def test_every_place_and_overlaps_in_order() -> None:
    hits = PhraseIndex(["not happy", "we are not happy", "happy"]).find("We are not happy.\n\nNot happy.")
    assert [(hit.phrase, hit.start) for hit in hits] == [
        ("we are not happy", 0),
        ("not happy", 7),
        ("happy", 11),
        ("not happy", 19),
        ("happy", 23),
    ]


def test_phrases_that_differ_only_in_quotes_are_both_reported() -> None:
    hits = PhraseIndex(["it's late", "it’s late", "it's late"]).find("It's late")
    assert sorted(hit.phrase for hit in hits) == ["it's late", "it’s late"]


@pytest.mark.parametrize("phrases", [[], [""], [" \n"]])
def test_nothing_to_find(phrases: list[str]) -> None:
    assert PhraseIndex(phrases).find("anything at all") == ()


def test_empty_text() -> None:
    assert PhraseIndex(["a"]).find("") == ()


def test_ten_thousand_phrases_are_all_there() -> None:
    index = PhraseIndex(f"phrase number x{number}" for number in range(10_000))
    assert [hit.phrase for hit in index.find("See phrase number x9999 and phrase\nnumber x0.")] == [
        "phrase number x9999",
        "phrase number x0",
    ]


LANGUAGES = [
    ("en", "Could you please send me the invoice for March? We have not received it yet."),
    ("de", "Könnten Sie mir bitte die Rechnung für März schicken? Wir haben sie noch nicht erhalten."),
    ("fr", "Pourriez-vous m'envoyer la facture du mois de mars ? Nous ne l'avons pas encore reçue."),
    ("es", "¿Podrían enviarme la factura de marzo? Todavía no la hemos recibido y la necesitamos para el cierre."),
    ("it", "Potete inviarmi la fattura di marzo? Non l'abbiamo ancora ricevuta e ne abbiamo bisogno per la chiusura."),
    ("nl", "Kunt u mij de factuur van maart sturen? Wij hebben hem nog niet ontvangen."),
    ("pt", "Podem enviar-me a fatura de março? Ainda não a recebemos e precisamos dela para o fecho."),
    ("", ""),
    ("", "INV-20931"),
    ("", "Müller GmbH, Hauptstr. 5, 10115 Berlin"),
]


@pytest.mark.parametrize(("code", "text"), LANGUAGES)
def test_language(code: str, text: str) -> None:
    assert language(text) == code


def test_importing_the_room_does_not_import_spacy() -> None:
    rooms = ["language", "phrases", "model", "verdict", "train", "evaluate", "bootstrap"]
    code = "import sys\n" + "".join(f"import triaged.classify.{room}\n" for room in rooms)
    code += "print(sorted({name.partition('.')[0] for name in sys.modules} & {'spacy', 'numpy', 'thinc'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from triaged.classify import phrases

    monkeypatch.setattr(phrases, "MAX_WORDS_KEPT", 500)
    index = PhraseIndex(["cancel it"])
    for number in range(2_000):
        assert len(index.find(f"Please w{number}x cancel it, y{number}z.")) == 1
    assert len(index._nlp.vocab.strings) < 3_000
