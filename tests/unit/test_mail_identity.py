"""Authentication-Results in every place and form; only what our border wrote, about this From, is believed (S40)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from triaged.mail.identity import Border
from triaged.mail.parse import parse
from triaged.model import Identity, Locator, Raw

BORDER = Border(frozenset({"desk@firm.example"}), "triaged.firm.example", ("mx.firm.example",))
HOP = (
    "Received: from out.client.example (out.client.example [192.0.2.7])\n\tby mx.firm.example (Postfix) with ESMTPS "
    "id 1;\n\tSun, 22 Nov 2026 09:00:00 +0000"
)
INNER = "Received: from mx.firm.example by 2001:db8:a05:1 with LMTP id 2; Sun, 22 Nov 2026 09:00:01 +0000"
THEIRS = "Received: from laptop by out.client.example id 3; Sun, 22 Nov 2026 08:59:59 +0000"
PASS = "Authentication-Results: mx.firm.example; dmarc=pass header.from=client.example"
NONE = "Authentication-Results: mx.firm.example; dmarc=none header.from=client.example"
FAIL = "Authentication-Results: mx.firm.example; dmarc=fail (p=none) header.from=client.example"
FORGED = "Authentication-Results: mx.firm.example; dmarc=pass header.from=client.example"


def believed(*fields: str, sender: str = "ann@client.example") -> Identity:
    octets = ("\n".join((*fields, f"From: {sender}", "To: desk@firm.example", "", "Hello"))).encode()
    given = Raw(Locator("desk", "INBOX", "1"), datetime(2026, 11, 22, tzinfo=UTC), octets, len(octets))
    return parse(given, border=BORDER).identity


@pytest.mark.parametrize(
    ("fields", "trust"),
    [
        ((PASS, HOP), "authenticated"),
        ((HOP, PASS, THEIRS), "authenticated"),
        ((INNER, PASS, HOP, THEIRS), "authenticated"),
        ((INNER, HOP, PASS, THEIRS), "authenticated"),
        ((PASS,), "authenticated"),
        (
            ("Authentication-Results: mx.firm.example; spf=pass smtp.mailfrom=client.example", PASS, HOP),
            "authenticated",
        ),
        ((PASS, HOP, FORGED), "authenticated"),
        ((PASS, HOP, THEIRS, FORGED, NONE), "authenticated"),
        ((HOP, THEIRS, FORGED), "unauthenticated"),
        ((THEIRS, FORGED), "unauthenticated"),
        ((NONE, HOP, FORGED), "unauthenticated"),
        ((NONE, HOP, THEIRS, FORGED), "unauthenticated"),
        ((FAIL, HOP, FORGED), "none"),
        ((PASS, NONE, HOP), "unauthenticated"),
        ((PASS, PASS, HOP), "unauthenticated"),
        ((HOP, PASS, NONE, THEIRS), "unauthenticated"),
        ((HOP,), "unauthenticated"),
        ((), "unauthenticated"),
    ],
)
def test_where_it_stands(fields: tuple[str, ...], trust: str) -> None:
    assert believed(*fields).trust == trust


@pytest.mark.parametrize(
    ("value", "trust"),
    [
        ("mx.firm.example; dmarc=pass header.from=client.example", "authenticated"),
        (
            "MX.Firm.Example 1;\n\tspf=pass; DMARC = PASS (p=reject dis=none) header.From=Client.Example",
            "authenticated",
        ),
        ('mx.firm.example; dmarc=pass header.from="client.example"', "authenticated"),
        ("mx.firm.example (our border; really); dmarc=pass header.from=client.example", "authenticated"),
        ("mx.firm.example; dmarc=pass header.from=evil.example", "unauthenticated"),
        ("mx.firm.example; dmarc=pass header.from=sub.client.example", "unauthenticated"),
        ("mx.firm.example; dmarc=pass header.from=client.example header.from=evil.example", "unauthenticated"),
        ("mx.firm.example; dmarc=pass", "unauthenticated"),
        ("mx.firm.example; dmarc=pass policy.header.from=client.example", "unauthenticated"),
        ("mx.firm.example; dmarc=none; dmarc=pass header.from=client.example", "unauthenticated"),
        ("mx.firm.example; dkim=pass header.d=client.example; spf=pass", "unauthenticated"),
        ("mx.firm.example; dmarc=temperror header.from=client.example", "unauthenticated"),
        (
            'mx.firm.example; spf=pass smtp.mailfrom="; dmarc=pass header.from=client.example;"@evil.example',
            "unauthenticated",
        ),
        ('mx.firm.example; spf=pass smtp.mailfrom="\\"; dmarc=pass header.from=client.example"', "unauthenticated"),
        ('mx.firm.example; spf=pass smtp.mailfrom="x; dmarc=pass header.from=client.example', "unauthenticated"),
        ("mx.firm.example (; dmarc=pass header.from=client.example); spf=none", "unauthenticated"),
        ("mx.firm.example (; dmarc=pass header.from=client.example; spf=none", "unauthenticated"),
        ("mx.firm.example.evil.example; dmarc=pass header.from=client.example", "unauthenticated"),
        ("evil.example mx.firm.example; dmarc=pass header.from=client.example", "unauthenticated"),
        ("dmarc=pass header.from=client.example", "unauthenticated"),
        ("; dmarc=pass header.from=client.example", "unauthenticated"),
        ("", "unauthenticated"),
        ("mx.firm.example; dmarc=fail header.from=client.example", "none"),
    ],
)
def test_what_it_says(value: str, trust: str) -> None:
    assert believed(f"Authentication-Results: {value}", HOP).trust == trust


def test_other_fields_of_the_kind_prove_nothing() -> None:
    said = "mx.firm.example; dmarc=pass header.from=client.example"
    for name in ("ARC-Authentication-Results", "X-Authentication-Results", "Authentication-Results-Original"):
        assert believed(f"{name}: i=1; {said}", HOP).trust == "unauthenticated"


def test_an_idn_is_the_same_in_both_forms_and_no_letter_is_taken_for_another() -> None:
    def trust(sender: str, about: str) -> str:
        return believed(f"Authentication-Results: mx.firm.example; dmarc=pass header.from={about}", sender=sender).trust

    assert trust("ann@xn--mnchen-3ya.example", "xn--mnchen-3ya.example") == "authenticated"
    assert trust("ann@münchen.example", "xn--mnchen-3ya.example") == "authenticated"
    assert trust("ann@xn--mnchen-3ya.example", "munchen.example") == "unauthenticated"
    assert trust("ann@straße.example", "strasse.example") == "unauthenticated"
    assert trust("ann@straße.example", "xn--strae-oqa.example") == "authenticated"


def test_without_a_border_of_ours_nobody_is_authenticated() -> None:
    octets = f"{PASS}\nFrom: ann@client.example\n\nHello".encode()
    given = Raw(Locator("desk", "INBOX", "1"), datetime(2026, 11, 22, tzinfo=UTC), octets, len(octets))
    assert parse(given, border=Border(frozenset(), "firm.example")).identity.trust == "unauthenticated"
