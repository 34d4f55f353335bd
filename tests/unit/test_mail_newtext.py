"""Replies written by hand go through `split`: what was written now, apart from the rest, in linear time."""

import random
import re
import time

import pytest

from tests.unit.newtext_forms import HTML, PLAIN
from triaged.mail.htmltext import to_text
from triaged.mail.newtext import split

_WORD = re.compile(r"\w+")

ASK = "Please call me."
CASES = {
    "nothing quoted": (ASK, ASK),
    "marks": (f"{ASK}\n\n> old\n> older", ASK),
    "English": (f"{ASK}\n\nOn Mon, 2 Nov 2026 at 10:15, Bo Li <bo@firm.example> wrote:\n\n> old", ASK),
    "English, wrapped, no marks": (
        f"{ASK}\n\nOn Mon, 2 Nov 2026 at 10:15, Bo Li\n<bo@firm.example> wrote:\n\nold text",
        ASK,
    ),
    "German": (f"{ASK}\n\nAm 02.11.2026 um 10:15 schrieb Bo Li <bo@firm.example>:\n> alt", ASK),
    "French": (f"{ASK}\n\nLe 2 nov. 2026 à 10:15, Bo Li <bo@firm.example> a écrit :\n\n> vieux", ASK),
    "Spanish": (f"{ASK}\n\nEl lun, 2 nov 2026 a las 10:15, Bo Li (<bo@firm.example>) escribió:\n\nviejo", ASK),
    "a language nobody listed": (f"{ASK}\n\n2026-11-02 10:15 Bo Li xyzzy plugh:\n> old", ASK),
    "prose above that begins alike": (
        "On the whole, yes.\nOn Mon, 2 Nov 2026 at 10:15, Bo <\nbo@firm.example> wrote:\n\nold",
        "On the whole, yes.",
    ),
    "original message": (
        f"{ASK}\n\n-----Original Message-----\nFrom: Bo\nSent: today\nTo: Ann\nSubject: x\n\nold",
        ASK,
    ),
    "Outlook": (f"{ASK}\n\nFrom: Bo <bo@firm.example>\nSent: Monday\nTo: Ann\nSubject: x\n\nold", ASK),
    "Outlook, bold": (f"{ASK}\n\n*From:* Bo\n*Sent:* Monday\n*To:* Ann\n*Subject:* x\n\nold", ASK),
    "Outlook, rule": (f"{ASK}\n{'_' * 32}\nFrom: Bo\nSent: Monday\nTo: Ann\nSubject: x\n\nold", ASK),
    "Outlook, German": (f"{ASK}\n\nVon: Bo\nGesendet: Montag\nAn: Ann\nBetreff: x\n\nalt", ASK),
    "Outlook, French": (f"{ASK}\n\nDe : Bo\nEnvoyé : lundi\nÀ : Ann\nObjet : x\n\nvieux", ASK),
    "Outlook, Spanish": (f"{ASK}\n\nDe: Bo\nEnviado el: lunes\nPara: Ann\nAsunto: x\n\nviejo", ASK),
    "signature": (f"{ASK}\n-- \nAnn Lee\nClient Ltd", ASK),
    "telephone": (f"{ASK}\n\nSent from my iPhone", ASK),
    "telephone, German": (f"{ASK}\n\nVon meinem iPhone gesendet", ASK),
    "signature above a quote": (f"{ASK}\n-- \nAnn\n\nOn 2 Nov 2026, Bo wrote:\n> old", ASK),
    "answers between": ("On 2 Nov 2026, Bo wrote:\n> one?\nYes.\n> two?\nNo.", "Yes.\nNo."),
    "bare forward": (
        "---------- Forwarded message ---------\nFrom: Cy\nDate: Monday\nSubject: x\nTo: Ann\n\nWe cancel.",
        "We cancel.",
    ),
    "FYI above a forward": (
        "FYI\n\n-----Original Message-----\nFrom: Cy\nSent: Mon\nTo: Ann\n\nWe cancel.",
        "FYI\n\nWe cancel.",
    ),
    "own words above a forward": (f"{ASK}\n\nBegin forwarded message:\n\nFrom: Cy\nDate: Mon\nTo: Ann\n\nold", ASK),
    "prose that begins with On": ("On Monday we met.\nIt was fine.", "On Monday we met.\nIt was fine."),
    "prose with a colon": ("From: Berlin\nTo be frank, no.", "From: Berlin\nTo be frank, no."),
    "sent from my desk": ("Sent from my desk, which is large.", "Sent from my desk, which is large."),
    "nothing but a quote": ("> old", "> old"),
    "nothing but a signature": ("Sent from my iPhone", "Sent from my iPhone"),
    "empty": ("", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_new_text(name: str) -> None:
    text, wanted = CASES[name]
    new, quoted = split(text)
    assert new == wanted
    kept = {word for word in text.split() if word.isalnum()}
    assert kept <= set(f"{new}\n{quoted}".split()), "no word may get lost"


HOSTILE = {
    "On": "On " * 100_000,
    "lines of On": "On \n" * 250_000,
    "hyphens": "-" * 1_000_000,
    "spaces after On": "On" + " " * 1_000_000,
    "From": "From:\n" * 50_000,
    "blocks": "From: a\nSent: b\nTo: c\n\n" * 40_000,
    "attributions": "On 1 Jan 2026 at 10:00 x wrote:\n" * 30_000,
    "quote marks": ">\n" * 500_000,
    "long dated lines": ("On 2026 @ " * 49 + "\n") * 2_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_of_anything_is_quick(name: str) -> None:
    text = HOSTILE[name][:1_000_000]
    started = time.process_time()
    new, _ = split(text)
    assert time.process_time() - started < 0.6  # measured: 0.15 s at most; three times that on a busy machine
    assert new != ""


@pytest.mark.parametrize("name", PLAIN)
def test_new_text_in_the_forms_of_programs(name: str) -> None:
    text, wanted = PLAIN[name]
    assert split(text)[0] == wanted
    assert split(text.replace("\n", "\r\n"))[0] == wanted


@pytest.mark.parametrize("name", HTML)
def test_new_text_of_html(name: str) -> None:
    html, wanted = HTML[name]
    assert split(to_text(html))[0] == wanted


ANGRY = "This is unacceptable: I complain about your invoice and cancel the contract."
_OLD = re.compile(r"\b(?:old|older|alt|vieux|viejo|vana)\b(?=[\s<]|$)")


def test_a_complaint_that_stands_only_in_the_history_changes_nothing() -> None:
    forms = [(text, wanted) for text, wanted in (*CASES.values(), *PLAIN.values()) if _OLD.search(text)]
    pages = [(html, wanted) for html, wanted in HTML.values() if _OLD.search(html)]
    assert len(forms) >= 35
    assert len(pages) >= 12
    for text, wanted in forms:
        if not _OLD.search(wanted):
            assert split(_OLD.sub(ANGRY, text))[0] == wanted
    for html, wanted in pages:
        assert split(to_text(_OLD.sub(ANGRY, html)))[0] == wanted


FRAGMENTS = (
    *(line for text, _ in PLAIN.values() for line in text.split("\n")),
    *(
        "",
        "",
        " ",
        "\t",
        "\x0b",
        "\u2028",
        "\u200b",
        ">",
        "> ",
        "> > old",
        "|",
        "| a",
        "-- ",
        "--",
        "----",
        "*" * 9,
        "\r",
    ),
    *(
        "On 2 Nov 2026, Bo wrote:",
        "Begin forwarded message:",
        "Sent from my iPhone",
        "FYI",
        "From: a",
        "To: b",
        "Subject: c",
    ),
)


def test_new_text_is_empty_only_where_the_text_is_and_no_word_is_lost() -> None:
    chance = random.Random(4)
    fallen_back = 0
    for _ in range(3_000):
        text = "\n".join(chance.choices(FRAGMENTS, k=chance.randrange(12)))
        new, quoted = split(text)
        assert (new.strip() == "") == (text.strip() == ""), repr(text)
        kept = set(_WORD.findall(f"{new}\n{quoted}"))
        assert set(_WORD.findall(text)) <= kept, repr(text)
        fallen_back += new != "" and quoted == ""
    assert fallen_back > 200


LINEAR = {
    "prose": "The quick brown fox jumps over the lazy dog and wrote nothing",
    "fields": "To: a@firm.example,",
    "fields of a head": "From: a\nTo: b@firm.example,",
    "names and dates": "Ann Lee\n11/02/2026 10:15 AM",
    "names, dates and receivers": "Ann Lee\n11/02/2026 10:15 AM\n\nTo: x@y,",
    "attributions": "On 1 Jan 2026 at 10:00 x wrote:",
    "wrapped attributions": "On 1 Jan 2026 at 10:00\nx",
    "dividers": "Begin forwarded message:\n\n> a",
    "disclaimers": "This e-mail is confidential and intended for\n",
    "rules": "----------",
    "hyphens": "-" * 450,
    "spaces": "On" + " " * 450 + "x",
    "addresses": "Best regards\nAnn Lee\nTel 1234567\n> a",
    "numbers": "1234567890 " * 40,
    "banners": "this e-mail " * 40,
    "telephones": "sent from my " + "a " * 200,
}


@pytest.mark.parametrize("name", LINEAR)
def test_twice_the_text_takes_at_most_about_twice_the_time(name: str) -> None:
    lines = LINEAR[name].count("\n") + 1
    one = f"{LINEAR[name]}\n" * (1_400 // lines)
    # One of six: on a busy machine some take longer; what is quadratic takes four times as long in each.
    assert any(_seconds(2 * one) < 2.5 * _seconds(one) for _ in range(6))


def _seconds(text: str) -> float:
    started = time.process_time()
    split(text)
    return time.process_time() - started
