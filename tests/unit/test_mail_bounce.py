"""Delivery reports of several kinds go through `parse`; who was not reached, for good or not, must be read."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from triaged.mail.identity import Border
from triaged.mail.parse import parse
from triaged.model import Bounce, BouncedRecipient, Locator, Raw

SHARED = Path(__file__).parents[2] / "../shared/mail"
BORDER = Border(frozenset({"desk@firm.example"}), "triaged.firm.example")
SENT = "<0a1b.ack@triaged.firm.example>"


def read(octets: bytes) -> Bounce | None:
    given = Raw(Locator("desk", "INBOX", "1"), datetime(2026, 11, 22, tzinfo=UTC), octets, len(octets))
    return parse(given, border=BORDER).bounce


def report(recipients: str, *, third: str = "message/rfc822", subtype: str = "message/delivery-status") -> bytes:
    return f"""From: MAILER-DAEMON@relay.example
To: desk@firm.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

It did not work. Write to <postmaster@relay.example> for help.

--b
Content-Type: {subtype}

Reporting-MTA: dns; relay.example

{recipients}

--b
Content-Type: {third}

From: desk@firm.example
To: zoe@gone.example
Message-ID: {SENT}
Subject: We have your request

Hello
--b--
""".encode()


ZOE = "Final-Recipient: rfc822; zoe@gone.example\nAction: {action}\nStatus: {status}\nDiagnostic-Code: smtp; {said}"


@pytest.mark.parametrize(
    ("action", "status", "said", "permanent"),
    [
        ("failed", "5.1.1", "550 5.1.1 <zoe@gone.example>: Recipient address rejected: User unknown", True),
        ("failed", "5.1.2", "550 Host not found", True),
        ("failed", "5.0.0", "550 no such user here", True),
        ("failed", "5.2.1", "550 5.2.1 the account is disabled", True),
        ("failed", "5.2.2", "552 5.2.2 Mailbox full", False),
        ("failed", "5.1.1", "552 sorry, mailbox is over quota temporarily (#5.1.1)", False),
        ("failed", "5.7.1", "554 5.7.1 Message rejected as spam", False),
        ("failed", "5.3.4", "552 5.3.4 Message too big", False),
        ("failed", "5.1.8", "553 5.1.8 Sender address does not exist", False),
        ("failed", "4.4.7", "delivery time expired", False),
        ("delayed", "4.4.1", "connection timed out", False),
        ("delayed", "5.1.1", "550 5.1.1 user unknown", False),
    ],
)
def test_whether_the_address_itself_is_no_good(action: str, status: str, said: str, permanent: bool) -> None:
    found = read(report(ZOE.format(action=action, status=status, said=said)))
    assert found == Bounce((SENT,), (BouncedRecipient("zoe@gone.example", permanent, said),))


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_a_mail_that_arrived_is_no_bounce(action: str) -> None:
    octets = report(ZOE.format(action=action, status="2.0.0", said="250 ok"))
    assert read(octets.replace(b"Undelivered Mail Returned to Sender", b"Your mail").replace(b"for help", b"")) is None


def test_several_recipients_the_one_written_to_and_odd_forms() -> None:
    found = read(
        report(
            "Original-Recipient: rfc822;zoe+40gone.example\nFinal-Recipient: rfc822; z123@inner.example\n"
            "Action: failed\nStatus: 5.1.1\n\n"
            "Final-Recipient: RFC822;<YAN@Gone.Example>\nAction: Failed (no such user)\nStatus: 5.1.1 (bad)\n\n"
            "Final-Recipient: x-local; 4711\nAction: failed\nStatus: 5.1.1",
            third="text/rfc822-headers",
        )
    )
    assert found is not None
    assert [each.addr_spec for each in found.recipients] == ["zoe@gone.example", "YAN@gone.example"]
    assert found.message_ids == (SENT,)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_reports_in_words(ends: str) -> None:
    text = (
        "Hi. This is the qmail-send program at relay.example.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n\n"
        "<zoe@gone.example>:\n192.0.2.7 does not like recipient.\nRemote host said: 550 5.1.1 user unknown\n\n"
        "<yan@full.example>:\nRemote host said: 552 5.2.2 mailbox full\n\n"
        f"--- Below this line is a copy of the message.\n\nMessage-ID: {SENT}\nTo: x@else.example\n"
    )
    head = "From: MAILER-DAEMON@relay.example\nTo: desk@firm.example\nSubject: failure notice\n\n"
    found = read((head + text).replace("\n", ends).encode())
    assert found == Bounce(
        (SENT,),
        (
            BouncedRecipient("zoe@gone.example", True, "Remote host said: 550 5.1.1 user unknown"),
            BouncedRecipient("yan@full.example", False, "Remote host said: 552 5.2.2 mailbox full"),
        ),
    )


def test_a_person_who_writes_of_a_bounce_marks_nobody() -> None:
    text = f"Your mail came back, can you look?\n\n<zoe@gone.example>: 550 5.1.1 user unknown\nMessage-ID: {SENT}\n"
    assert read(f"From: ann@client.example\nTo: desk@firm.example\nSubject: bounce\n\n{text}".encode()) is None


def test_it_is_bounded() -> None:
    many = "\n\n".join(
        f"Final-Recipient: rfc822; a{n}@gone.example\nAction: failed\nStatus: 5.1.1" for n in range(5000)
    )
    found = read(report(many + "\n\nDiagnostic-Code: " + "x" * 100_000))
    assert found is not None
    assert 50 <= len(found.recipients) <= 100
    long = read(report(ZOE.format(action="failed", status="5.1.1", said="550 " + "user unknown " * 500 + "\x00\x07é")))
    assert long is not None
    assert len(long.recipients[0].diagnostic) == 200


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/mail")
def test_reports_of_many_servers() -> None:
    """Held against sisimai's own expectations: [status, code, reason, hard bounce] for each recipient."""
    oracle = json.loads((SHARED / "oracle/bounce.json").read_text("utf-8"))
    about_the_address = {"userunknown", "hostunknown", "hasmoved"}
    not_about_it = {"mailboxfull", "blocked", "rejected", "spamdetected", "expired", "mesgtoobig", "policyviolation"}
    seen: Counter[str] = Counter()
    for name, expected in oracle.items():
        reasons = {each[2] for each in expected}
        if reasons & {"feedback", "vacation", "delivered"}:
            continue
        found = read((SHARED / "auto/sisimai" / name).read_bytes())
        seen["reports"] += 1
        recipients = found.recipients if found is not None else ()
        seen["recipients counted right"] += len(recipients) == len(expected)
        seen["returned message named"] += found is not None and len(found.message_ids) > 0
        if len(reasons) == 1 and reasons <= about_the_address:
            seen["about the address"] += 1
            seen["so read"] += len(recipients) > 0 and all(each.permanent for each in recipients)
        if len(reasons) == 1 and reasons <= not_about_it:
            seen["not about it"] += 1
            seen["nobody marked"] += not any(each.permanent for each in recipients)
    print(dict(seen))  # noqa: T201 - the figures are the finding
    assert seen["reports"] > 200
    assert seen["recipients counted right"] >= 0.9 * seen["reports"]
    assert seen["returned message named"] >= 0.85 * seen["reports"]
    assert seen["about the address"] > 50
    assert seen["so read"] >= 0.75 * seen["about the address"]
    assert seen["not about it"] > 50
    assert seen["nobody marked"] >= 0.97 * seen["not about it"]
