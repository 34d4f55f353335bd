"""Three thousand hostile acknowledgements: none gains a field or a recipient; and a planted mistake is found."""

from __future__ import annotations

import pytest

from tests.fuzz import answers
from triaged.decision import Outgoing
from triaged.mail.compose import compose
from triaged.model import Address


@pytest.mark.parametrize("number", range(6))
def test_no_value_adds_a_field_or_a_recipient_or_stops_a_mail(number: int) -> None:
    counts, wrong = answers.block(3, number)
    assert wrong == []
    assert counts["cases"] == 500
    assert counts["composed"] > 400
    assert counts["refused for the address"] > 20


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (b"Subject: ", b"Bcc: eve@evil.example\r\nSubject: ", "default: the fields are"),
        (b"Subject: ", b"Bcc: eve@evil.example\r\nSubject: ", "compat32: the fields are"),
        (b"To: Ann ", b"To: eve@evil.example, Ann ", "default: To is"),
        (b"To: Ann ", b"To: eve@evil.example, Ann ", "compat32: To is not the one recipient"),
        (b"ann@client", b"eve@client", "compat32: To is not the one recipient"),
        (b"Hello", b"<script>", "a tag of theirs in our HTML"),
        (b"Hello", b"=1B", "the text is not ours"),
        (b"text/html", b"text/xml", "the parts are"),
    ],
)
def test_each_reader_finds_what_was_planted(old: bytes, new: bytes, found: str) -> None:
    mail = compose(
        message_id="<1@firm.example>",
        sender=answers.DESK,
        envelope_sender="",
        recipient=Address("ann@client.example", "Ann"),
        subject="We have it",
        text=answers.REFERENCE,
        html=f"<p>Hello</p> {answers.REFERENCE}",
        date=answers.NOW,
        automatic="auto-replied",
    )
    values = {"recipient": "ann@client.example", "in_reply_to": "", "references": ()}
    assert answers.complaints(mail, values, whole=True) == []
    assert old in mail.octets
    planted = Outgoing("", mail.recipient, mail.message_id, mail.octets.replace(old, new))
    assert any(found in each for each in answers.complaints(planted, values, whole=True))
    other = values | {"recipient": "ann@other.example"}
    assert any(each.startswith("recipient:") for each in answers.complaints(mail, other, whole=False))
