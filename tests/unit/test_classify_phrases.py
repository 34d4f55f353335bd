"""Phrases are found as people write them, in all forms of their words, at the right place; languages are told apart."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triaged.classify.inflection import LANGUAGES as INFLECTED
from triaged.classify.inflection import STEM_LETTERS, begins, is_form
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
    (hit,) = PhraseIndex([phrase]).find(text, "")
    assert (hit.phrase, hit.words) == (phrase, words)
    assert text[hit.start : hit.end] == words


@pytest.mark.parametrize(
    ("phrase", "text"),
    [("cancel", "The cancellation is done."), ("our contract", "our old contract"), ("late", "I will translate it")],
)
def test_whole_words_only(phrase: str, text: str) -> None:
    assert PhraseIndex([phrase]).find(text, "en") == ()


def test_every_place_and_overlaps_in_order() -> None:
    hits = PhraseIndex(["not happy", "we are not happy", "happy"]).find("We are not happy.\n\nNot happy.", "en")
    assert [(hit.phrase, hit.start) for hit in hits] == [
        ("we are not happy", 0),
        ("not happy", 7),
        ("happy", 11),
        ("not happy", 19),
        ("happy", 23),
    ]


def test_phrases_that_differ_only_in_quotes_are_both_reported() -> None:
    hits = PhraseIndex(["it's late", "it’s late", "it's late"]).find("It's late", "en")
    assert sorted(hit.phrase for hit in hits) == ["it's late", "it’s late"]


@pytest.mark.parametrize("phrases", [[], [""], [" \n"]])
def test_nothing_to_find(phrases: list[str]) -> None:
    assert PhraseIndex(phrases).find("anything at all", "en") == ()


def test_empty_text() -> None:
    assert PhraseIndex(["a"]).find("", "en") == ()


def test_ten_thousand_phrases_are_all_there() -> None:
    index = PhraseIndex(f"phrase number x{number}" for number in range(10_000))
    assert [hit.phrase for hit in index.find("See phrase number x9999 and phrase\nnumber x0.", "en")] == [
        "phrase number x9999",
        "phrase number x0",
    ]


FORMS = {
    "en": [
        ("cancel our contract", "we are cancelling our contracts"),
        ("cancel our contract", "we cancelled our contract in May"),
        ("cancel our contract", "they canceled our contract"),
        ("cancelling our contracts", "please cancel our contract"),
        ("terminate the agreement", "terminating the agreements"),
        ("terminate the agreement", "they terminated the agreement"),
        ("renewal quote", "two renewal quotes"),
        ("copy of the invoice", "copies of the invoices"),
        ("change supplier", "we are changing suppliers"),
        ("switch to another supplier", "we switched to another supplier"),
        ("charged twice", "you charge twice"),
        ("notice period", "what notice periods apply?"),
        ("policy renewal", "the policies renewal"),
        ("ship the crate", "he shipped the crates"),
        ("still wait for", "we are still waiting for it"),
        ("damaged pallet", "Damaged Pallets"),
        ("our company complains", "our companies complained"),
    ],
    "de": [
        ("Rechnungskopie", "die Rechnungskopien fehlen"),
        ("Vertrag kündigen", "wir wollen beide Verträge kündigen"),
        ("Vertrag kündigen", "werden den Vertrag kündigen"),
        ("Vertragskündigung", "alle Vertragskündigungen"),
        ("kündigen wir", "ich kündigte, wir auch; hiermit kündige wir"),
        ("Kündigung unseres Vertrags", "Kündigung unserer Verträge"),
        ("kündigen", "Frau Roth kündigt zum Juni"),
        ("kündigen", "sie kündigten im Mai"),
        ("beschädigt", "die beschädigten Kisten"),
        ("offene Rechnung", "mehrere offene Rechnungen"),
        ("offene Rechnung", "wegen der offenen Rechnung"),
        ("falsche Ware", "wegen falscher Waren"),
        ("funktioniert nicht", "sie funktionieren nicht"),
        ("funktioniert nicht", "das funktionierte nicht"),
        ("unser Anwalt", "unsere Anwälte"),
        ("unserem Anwalt", "unser Anwalt"),
        ("Mangel", "die Mängel"),
        ("das Ergebnis fehlt", "das Ergebnisse fehlten"),
        ("Geschäftsführung", "Ihre GESCHÄFTSFÜHRUNGEN"),
    ],
    "fr": [
        ("facture erronée", "deux factures erronées"),
        ("factures erronées", "une facture erronée"),
        ("contrat résilié", "les contrats résiliés"),
        ("résilier notre contrat", "nous résilions notre contrat"),
        ("résilier le contrat", "il a résilié le contrat"),
        ("nous attendons toujours", "nous attendions toujours"),
        ("ne fonctionne pas", "ils ne fonctionnent pas"),
        ("produit défectueux", "des produits défectueux"),
        ("pièce défectueuse", "les pièces défectueuses"),
        ("appareil défectueux", "une appareil défectueuse"),
        ("renouveler", "on ne renouvelle pas"),
        ("renouveler", "nous renouvellerons"),
        ("semaine de retard", "trois semaines de retard"),
        ("clause contractuelle", "les clauses contractuelles"),
        ("geste commercial", "des gestes commerciaux"),
        ("finir le travail", "ils finissent le travail"),
        ("facturé deux fois", "FACTURE DEUX FOIS"),
        ("réclamation", "vos réclamations"),
    ],
    "es": [
        ("factura incorrecta", "varias facturas incorrectas"),
        ("cancelar el contrato", "cancelamos el contrato"),
        ("cancelar el contrato", "han cancelado el contrato"),
        ("rescindir el contrato", "rescindiremos el contrato"),
        ("rescisión", "las rescisiones"),
        ("renovar", "no renovaremos la póliza"),
        ("no funciona", "no funcionan"),
        ("enviarme la factura", "pueden enviarnos la factura"),
        ("estoy decepcionado", "estoy decepcionada"),
        ("muy decepcionado", "muy decepcionadas"),
        ("caja dañada", "dos cajas dañadas"),
        ("nuestro proveedor", "nuestros proveedores"),
        ("enviar la copia", "envíen la copia"),
        ("enviar la copia", "pueden enviarnos la copia, o enviarme la copia"),
        ("número de pedido", "los numeros de pedidos"),
        ("seguimos esperando", "sigo esperando, seguimos esperando"),
    ],
}
OTHERS = {
    "en": [
        ("renew", "the renewal"),
        ("account", "our accountant"),
        ("terminate", "the termination"),
        ("terminate", "the bus terminal"),
        ("organ", "the organisation"),
        ("police", "our policies"),
        ("policy", "the police"),
        ("complain", "a complaint"),
        ("time", "a timely answer"),
        ("hat", "they hate it"),
        ("recommend", "a recommendation"),
        ("general", "they generate heat"),
        ("past", "paste it here"),
        ("car", "who cares"),
        ("late", "a later date"),
        ("cancel our contract", "cancel our old contract"),
        ("cancel our contract", "cancel your contract"),
        ("order", "nothing disorderly"),
    ],
    "de": [
        ("schon wieder", "schön wieder da zu sein"),
        ("schön", "das ist schon da"),
        ("zahlen wir", "jetzt zählen wir"),
        ("fordern", "wir fördern das"),
        ("kündigen", "die Kündigung"),
        ("Vertrag", "vertraglich"),
        ("Rechnung", "die Rechnungskopie"),
        ("Ware", "die Wartung"),
        ("möglich", "die Möglichkeit"),
        ("der Chef", "den Chef"),
        ("konnten wir", "leider könnten wir"),
        ("telefonisch", "per Telefon"),
    ],
    "fr": [
        ("facture", "le facteur"),
        ("résilier", "la résiliation"),
        ("prolonger", "la prolongation"),
        ("commande", "le commandant"),
        ("pour", "ils pourront"),
        ("relance", "le relancement"),
        ("part", "un départ"),
        ("réel", "réellement"),
        ("notre contrat", "votre contrat"),
        ("la facture", "les factures"),
    ],
    "es": [
        ("renovar", "la renovación"),
        ("queja", "el quejoso"),
        ("cliente", "la clientela"),
        ("ano", "el año"),
        ("este", "esterilizar"),
        ("contrato", "contra el contratista"),
        ("importe", "lo importante"),
        ("claro", "claramente"),
        ("carta", "el cartero"),
    ],
}


@pytest.mark.parametrize(("code", "phrase", "text"), [(code, *pair) for code, pairs in FORMS.items() for pair in pairs])
def test_other_forms_of_the_words_are_found(code: str, phrase: str, text: str) -> None:
    hits = PhraseIndex([phrase]).find(text, code)
    assert [hit.phrase for hit in hits][:1] == [phrase]
    assert all(text[hit.start : hit.end] == hit.words for hit in hits)


@pytest.mark.parametrize(
    ("code", "phrase", "text"), [(code, *pair) for code, pairs in OTHERS.items() for pair in pairs]
)
def test_other_words_are_not(code: str, phrase: str, text: str) -> None:
    assert PhraseIndex([phrase]).find(text, code) == ()


def test_both_tables_are_long_enough() -> None:
    assert set(FORMS) == set(OTHERS) == set(INFLECTED)
    assert sum(map(len, FORMS.values())) >= 60
    assert sum(map(len, OTHERS.values())) >= 40


def test_a_text_too_short_to_tell_its_language_may_be_in_any() -> None:
    index = PhraseIndex(["our contract", "Rechnungskopie", "facture erronée", "contrato vencido"])
    text = "our contracts, Rechnungskopien, factures erronées, contratos vencidos"
    assert len(index.find(text, "")) == 4


@pytest.mark.parametrize("code", ["it", "nl", "xx"])
def test_in_a_language_that_we_do_not_know_only_the_same_words_are_found(code: str) -> None:
    index = PhraseIndex(["our contract"])
    assert [hit.words for hit in index.find("our contracts and OUR contract", code)] == ["OUR contract"]


@pytest.mark.parametrize("quoted", ['"turn us down"', "“turn us down”", '" turn us  down "', "„Turn us down“"])
def test_a_phrase_in_quotes_is_found_exactly(quoted: str) -> None:
    index = PhraseIndex([quoted, "turn us down"])
    found = index.find("They turn us down. Turning us down is one thing, Turn us\nDown another.", "en")
    assert [(hit.phrase, hit.words) for hit in found if hit.phrase == quoted] == [
        (quoted, "turn us down"),
        (quoted, "Turn us\nDown"),
    ]
    assert [hit.words for hit in found if hit.phrase != quoted] == ["turn us down", "Turning us down", "Turn us\nDown"]


@pytest.mark.parametrize("quoted", ['""', '"', '" "'])
def test_quotes_around_nothing_find_nothing(quoted: str) -> None:
    assert PhraseIndex([quoted]).find("nothing at all", "en") == ()


def test_several_phrases_may_be_found_in_the_same_words() -> None:
    phrases = ["renew our licence", "renew our licences", '"renew our licences"', "renewing our licence"]
    hits = PhraseIndex(phrases).find("We'll  Renew our\n licences.", "en")
    assert {hit.phrase for hit in hits} == set(phrases)
    assert {(hit.words, hit.start, hit.end) for hit in hits} == {("Renew our\n licences", 7, 26)}


def test_a_word_is_a_form_of_itself_and_forms_go_both_ways() -> None:
    """Text words in capitals, as German changes the vowel of nouns only."""
    words = [each for pairs in FORMS.values() for pair in pairs for text in pair for each in text.lower().split()]
    for code in INFLECTED:
        for one, other in pairwise(words):
            assert is_form(one, one, code)
            assert is_form(one, other.upper(), code) is is_form(other, one.upper(), code), (code, one, other)


WORDS = st.sampled_from(
    "cancel cancelled our contract contracts Verträge vertrag été année años ıİß ﬁ ' \" . \n".split(" ")
)
TEXTS = st.lists(WORDS | st.text(max_size=12), max_size=30).map(" ".join)


@settings(deadline=None)  # building an index takes 20 ms and more
@given(
    phrases=st.lists(st.lists(WORDS | st.text(max_size=5), max_size=3).map(" ".join), max_size=5),
    text=TEXTS,
    code=st.sampled_from(["", "en", "de", "fr", "es", "it"]),
)
def test_any_phrases_and_any_text(phrases: list[str], text: str, code: str) -> None:
    hits = PhraseIndex(phrases).find(text, code)
    assert [hit for hit in hits if text[hit.start : hit.end] != hit.words] == []
    assert {hit.phrase for hit in hits} <= set(phrases)
    exact = PhraseIndex(phrases).find(text, "it")  # of which no forms are known
    assert set(exact) <= set(hits)


@given(one=st.text(min_size=1), other=st.text(min_size=1), code=st.sampled_from(["", *INFLECTED]))
def test_any_two_words(one: str, other: str, code: str) -> None:
    assert is_form(one.lower(), other, code) in (True, False)
    if is_form(one.lower(), other, code):
        assert begins(one.lower())[:STEM_LETTERS] == begins(other.lower())[:STEM_LETTERS]


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
        assert len(index.find(f"Please w{number}x cancel it, y{number}z.", "en")) == 1
    assert len(index._nlp.vocab.strings) < 3_000
