"""A thousand spellings of one person's address must give one key, and other people other keys (S14)."""

from __future__ import annotations

import itertools

import pytest

from triaged.mail.addresses import person_key


def test_a_thousand_variants_are_one_person() -> None:
    locals_ = ["annlee", "ann.lee", "a.n.n.lee", "Ann.Lee", "ANNLEE", "ａｎｎ.lee", '"ann.lee"', "ann.lee."]
    tags = ["", *(f"+{tag}" for tag in ("news", "x.y", "2026", "a+b", "é", "-", "_", "=", "client.example", "T", "~"))]
    domains = [
        "münchen.example", "MÜNCHEN.example", "xn--mnchen-3ya.example", "XN--MNCHEN-3YA.EXAMPLE", "münchen.example.",
        "mu\u0308nchen.example", "münchen。example", "ｍünchen.example", "münchen．example", "Mu\u0308nchen.Example.",
        "xn--mnchen-3ya。example",
    ]  # fmt: skip
    variants = {
        (f'{local[:-1]}{tag}"' if local.endswith('"') else f"{local}{tag}") + f"@{domain}"
        for local, tag, domain in itertools.product(locals_, tags, domains)
    }
    assert len(variants) > 1000
    assert {person_key(each) for each in variants} == {"annlee@münchen.example"}


def test_gmail_has_two_names() -> None:
    assert person_key("Ann.Lee+x@GoogleMail.com") == person_key("annlee@gmail.com") == "annlee@gmail.com"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann@client.example", "anna@client.example"),
        ("ann@client.example", "ann@mail.client.example"),
        ("ann-lee@client.example", "annlee@client.example"),
        ("ann@strasze.example", "ann@strasse.example"),
        ("+x@client.example", "+y@client.example"),
    ],
)
def test_two_people_are_two(one: str, other: str) -> None:
    assert person_key(one) != person_key(other)


def test_every_text_has_a_key() -> None:
    for text in ("", "@", "x", "+@", "a@xn--", "a@xn--" + "9" * 90, "\ud800@x", "a@" + "." * 500):
        assert person_key(text) == person_key(text.strip())
