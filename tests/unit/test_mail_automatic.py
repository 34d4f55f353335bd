"""Mails of machines and of people who write about holidays go through `parse`; only the former may be held back."""

from datetime import UTC, datetime

import pytest

from triaged.mail.identity import Border
from triaged.mail.parse import parse
from triaged.model import Automatic, Locator, Raw

BORDER = Border(frozenset({"desk@firm.example"}), "triaged.firm.example")


def judged(
    fields: str, *, subject: str = "Hello", sender: str = "ann@client.example", to: str = "desk@firm.example"
) -> Automatic:
    mail = f"From: {sender}\nTo: {to}\nSubject: {subject}\n{fields}\n\nPlease call me.\n".replace("\n\n\n", "\n\n")
    return parse(
        Raw(Locator("desk", "INBOX", "1"), datetime(2026, 11, 22, tzinfo=UTC), mail.encode(), len(mail)), border=BORDER
    ).automatic


@pytest.mark.parametrize(
    "fields",
    [
        "Auto-Submitted: auto-replied",
        "AUTO-SUBMITTED: Auto-Generated (rejected); x=y",
        "Auto-Submitted: no\nAuto-Submitted: no",
        "Return-Path: <>",
        "List-Id: <l.example>",
        "List-Unsubscribe: <mailto:x@y.example>",
        "Precedence: bulk",
        "X-Precedence: auto_reply",
        "X-Auto-Response-Suppress: DR, OOF",
        "X-Auto-Response-Suppress: all",
        "Content-Type: multipart/report; boundary=b",
        "Content-Type: message/disposition-notification",
        "X-Autoreply: yes",
        "X-Failed-Recipients: x@y.example",
        "X-Apple-Action: VACATION",
        "X-Triaged: 1",
        "Message-ID: <0123@triaged.firm.example>",
        "Return-Path: <bounces+12-ab=cd@mailer.example>",
        "Sender: root@server.example",
        'Return-Path: <"">',
        "Return-Path: < >",
        "X-Envelope-From: <>",
        "Received: from a.example by mx.firm.example (envelope-from <>) id 1; Sun, 22 Nov 2026 09:00:00 +0000",
        'Received-SPF: none (mx.firm.example) envelope-from="<>"',
        "Content-Class: urn:content-classes:dsn",
        "X-Mailer: Vacation/1.2",
        "User-Agent: Out-of-Office-Agent",
        "Content-Type: multipart/report report-type=delivery-status boundary=b",
        "Content-Type: text/plain; report-type=delivery-status",
        "Content-Type: text/rfc822-headers",
        "X-Out-Of-Office: yes",
    ],
)
def test_a_machine_that_says_so(fields: str) -> None:
    verdict = judged(fields)
    assert verdict.by == "machine"
    assert verdict.reason != ""


@pytest.mark.parametrize(
    "sender",
    [
        "MAILER-DAEMON@x.example",
        "no-reply@x.example",
        "donotreply@x.example",
        "owner-list@x.example",
        "list-request@x.example",
        "noreply-billing@x.example",
        "cron@x.example",
        "nepasrepondre@x.example",
        "no-responder@x.example",
        "niet-beantwoorden@x.example",
        "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@x.example",
        "desk@firm.example",
        "DESK@Firm.example",
    ],
)
def test_a_machine_by_its_address(sender: str) -> None:
    assert judged("", sender=sender).by == "machine"


@pytest.mark.parametrize(
    "fields",
    [
        "Auto-Submitted: no",
        "X-Auto-Response-Suppress: None",
        "X-Auto-Response-Suppress: DR, NDR, RN, NRN",
        "X-MS-Exchange-Inbox-Rules-Loop: ann@client.example",
        "Precedence: first-class",
        "Return-Path: <ann@client.example>",
        "Return-Path: <prvs=1234abcd=ann@client.example>",
        "Return-Path: <SRS0=ab=cd=client.example=ann@forward.example>",
        "Received: from a by mx.firm.example; Sun, 22 Nov 2026 09:00:00 +0000\n"
        "Received: from b by a (envelope-from <>); Sun, 22 Nov 2026 08:00:00 +0000",
        "X-Mailer: Microsoft Outlook 16.0",
        "Content-Class: urn:content-classes:message",
        "X-Loop: ann@client.example",
        "Disposition-Notification-To: ann@client.example",
    ],
)
def test_a_field_that_means_nothing(fields: str) -> None:
    assert judged(fields) == Automatic()


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: Offer",
        "Out of Office: Re: call",
        "Abwesenheitsnotiz: Rechnung",
        "Réponse automatique : Devis",
        "Respuesta automática: Factura",
        "Risposta automatica: Offerta",
        "Resposta automática: Contrato",
        "Automatisch antwoord: Offerte",
        "Automatiskt svar: Möte",
        "Autosvar: Møde",
        "Automaattinen vastaus: Sopimus",
        "Automatyczna odpowiedź: Umowa",
        "Автоответ: встреча",
        "自動応答: 会議",
        "自动回复: 合同",
        "자동 회신: 계약",
        "Otomatik yanıt: Teklif",
        "Undeliverable: Offer",
        "[EXTERNAL] Automatic reply: x",
        "Delivery Status Notification (Failure)",
    ],
)
def test_words_in_the_subject_only_ever_hold(subject: str) -> None:
    verdict = judged("", subject=subject)
    assert verdict.by == "hold"
    assert subject in verdict.reason


@pytest.mark.parametrize(
    "subject",
    [
        "Holiday cover",
        "Re: Automatic reply: Offer",
        "FW: Abwesenheit im Dezember",
        "Our automatic payment failed",
        "Delivery date?",
        "Out of office next week, can we move the call?",
        "Delivery problem with order 5",
        "Read: the contract, clause 4",
        "Rejected: my invoice?",
        "Vacation days in the contract",
        "Automatic reply settings",
        "Returned mail from the warehouse",
    ],
)
def test_people_who_write_about_such_things_are_people(subject: str) -> None:
    assert judged("", subject=subject) == Automatic()


def test_a_mail_that_names_none_of_our_addresses_is_held() -> None:
    assert judged("", to="someone@else.example").by == "hold"
    assert judged("Resent-To: desk@firm.example", to="someone@else.example").by == "person"
    assert judged("Delivered-To: Desk@firm.example", to="someone@else.example").by == "person"
