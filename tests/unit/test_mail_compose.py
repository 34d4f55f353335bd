"""Answers are built from hostile values and read back as a stranger would; nothing may be added, broken or lost."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from triaged.errors import Permanent
from triaged.mail.compose import MAX_REFERENCES, MAX_REFERENCES_BYTES, compose, faults, make_message_id
from triaged.model import Address, Outgoing

ID = make_message_id(b"secret", "ack:1", "triaged.firm.example")
ICS = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nSUMMARY:Gespr\xc3\xa4ch\r\nEND:VCALENDAR\r\n"


def build(**changed: Any) -> Outgoing:
    values: dict[str, Any] = {
        "message_id": ID,
        "sender": Address("desk@firm.example", "Desk"),
        "envelope_sender": "",
        "recipient": Address("ann@client.example", "Ann"),
        "subject": "We have your mail",
        "text": "Hello Ann,\nwe call you.\n",
        "date": datetime(2026, 11, 22, 9, tzinfo=UTC),
        "automatic": "auto-replied",
    }
    return compose(**(values | changed))


def reread(mail: Outgoing) -> EmailMessage:
    read = message_from_bytes(mail.octets, policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


def test_message_ids_are_the_same_each_time_and_differ_by_key_and_secret() -> None:
    assert make_message_id(b"secret", "ack:1", "triaged.firm.example") == ID
    assert (
        len({ID, make_message_id(b"other", "ack:1", "x.example"), make_message_id(b"secret", "ack:2", "x.example")})
        == 3
    )
    assert ID.endswith("@triaged.firm.example>")


def test_the_same_values_make_the_same_octets() -> None:
    assert build(html="<p>Hello</p>", calendar=ICS) == build(html="<p>Hello</p>", calendar=ICS)


def test_a_plain_answer() -> None:
    mail = build(subject="Grüße", text="Schöne Grüße\n.\nFrom us\n" + "x" * 3_000)
    read = reread(mail)
    assert (mail.sender, mail.recipient) == ("", "ann@client.example")
    assert read["Subject"] == "Grüße"
    assert read["Auto-Submitted"] == "auto-replied"
    assert read["X-Auto-Response-Suppress"] == "All"
    assert read["Message-ID"] == ID
    assert "In-Reply-To" not in read
    assert read.get_content().replace("\r\n", "\n") == "Schöne Grüße\n.\nFrom us\n" + "x" * 3_000 + "\n"


def test_alternatives_and_an_invitation() -> None:
    read = reread(build(html="<p>Grüße</p>", calendar=ICS))
    assert read.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in read.iter_parts()]
    assert kinds == ["text/plain", "text/html", "text/calendar"]
    part = list(read.iter_parts())[-1]
    assert (part.get_param("method"), part.get_param("charset")) == ("REQUEST", "utf-8")
    assert part.get_payload(decode=True) == ICS


@pytest.mark.parametrize(
    "breaker",
    [
        "\r\nBcc: eve@evil.example",
        "\nBcc: eve@evil.example",
        "\rBcc: eve@evil.example",
        "\0",
        "\r\n\r\nbody",
        "\u2028Bcc: eve@evil.example",
        "\x0bBcc: x",
        "=?utf-8?q?=0D=0ABcc:_x@y.example?=",
    ],
)
@pytest.mark.parametrize("where", ["subject", "sender", "recipient", "in_reply_to", "references"])
def test_no_field_can_be_injected(where: str, breaker: str) -> None:
    values: dict[str, Any] = {
        "subject": f"Hello{breaker}",
        "sender": Address("desk@firm.example", f"Desk{breaker}"),
        "recipient": Address("ann@client.example", f"Ann{breaker}"),
        "in_reply_to": f"<1@client.example>{breaker}",
        "references": (f"<1@client.example>{breaker}",),
    }
    changed = {where: values[where]} | ({"in_reply_to": "<2@client.example>"} if where == "references" else {})
    read = reread(build(**changed))
    plain = reread(build(in_reply_to="<2@client.example>"))
    assert set(read.keys()) <= set(plain.keys())
    assert len(read.keys()) == len(set(read.keys()))
    assert [each.addr_spec for each in read["To"].addresses] == ["ann@client.example"]
    assert read.get_content() == plain.get_content()


@pytest.mark.parametrize(
    "addr_spec",
    [
        "",
        "ann",
        "ann@",
        "@client.example",
        "a@b@c.example",
        "ann@client.example\r\nBcc: x@y.example",
        "ann@client.example, eve@evil.example",
        "jürgen@client.example",
        "<ann@client.example>",
        "a b@client.example",
        "ann@client..example",
        '"a b"@client.example',
        "ann@" + "x" * 300,
    ],
)
def test_an_address_that_is_none_is_refused(addr_spec: str) -> None:
    with pytest.raises(Permanent):
        build(recipient=Address(addr_spec))


def test_an_idn_domain_goes_out_in_ascii() -> None:
    assert build(recipient=Address("ann@münchen.example")).recipient == "ann@xn--mnchen-3ya.example"


@pytest.mark.parametrize(
    ("answered", "kept"),
    [
        ("<1@client.example>", True),
        ("", False),
        ("1@client.example", False),
        ("<1@a.example> <2@a.example>", False),
        ("<" + "x" * 1_000 + "@a.example>", False),
    ],
)
def test_only_a_valid_id_is_answered(answered: str, kept: bool) -> None:
    read = reread(build(in_reply_to=answered))
    assert ("In-Reply-To" in read) is kept
    assert ("References" in read) is kept


@pytest.mark.parametrize("length", [1, 200])
def test_references_are_cut_in_the_middle(length: int) -> None:
    old = tuple(f"<{number}{'x' * length}@client.example>" for number in range(300))
    ids = str(reread(build(in_reply_to="<last@client.example>", references=old))["References"]).split()
    assert ids[0] == old[0]
    assert ids[-2:] == [old[-1], "<last@client.example>"]
    assert 2 < len(ids) <= MAX_REFERENCES
    assert len(" ".join(ids)) <= MAX_REFERENCES_BYTES


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "Hello {{ name }}"},
        {"html": "<p>{% if x %}</p>"},
        {"subject": "{{ subject }}"},
        {"text": "x" * 70_000},
        {"message_id": "no id"},
        {"message_id": "<a@b.example>\r\nBcc: x@y.example"},
        {"calendar": b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"},
    ],
)
def test_what_must_not_leave_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Permanent):
        build(**changed)


GOOD = build(html="<p>Hello</p>").octets


def test_a_good_mail_has_no_faults() -> None:
    assert faults(GOOD, recipient="ann@client.example") == ()


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b"Subject:", b"Bcc: x@y.example\r\nSubject:", "a field that is not ours: 'bcc'"),
        (b"Subject:", b"Subject: x\r\nSubject:", "subject stands there twice"),
        (b"To: ", b"To: eve@evil.example, ", "To is not the one recipient"),
        (b"<ann@client", b"<eve@client", "To is not the one recipient"),
        (b"\r\n", b"\n", "a line that does not end in CRLF"),
        (b"Subject: We", b"Subject: \xc3\xbc We", "octets outside 7-bit ASCII"),
        (b"Subject: We", b"Subject: \x01 We", "a control character in subject"),
        (b"Hello", b"x" * 1_100, "a line longer than 998 octets"),
        (b"Hello", b"{{ x }}", "a template's mark was not filled in"),
        (b"Hello", b"{=25 x", "a template's mark was not filled in"),
        (b"Auto-Submitted: auto-replied", b"Auto-Submitted: no", "Auto-Submitted does not say that a program wrote it"),
        (b"Message-ID", b"X-Message-ID", "no message-id"),
    ],
)
def test_each_fault_is_found(old: bytes, new: bytes, fault: str) -> None:
    assert old in GOOD
    assert fault in faults(GOOD.replace(old, new), recipient="ann@client.example")


def test_too_large() -> None:
    assert faults(GOOD + b"x" * 70_000, recipient="ann@client.example") == ("larger than 64 KB",)


def test_a_calendar_part_of_another_method_is_found() -> None:
    octets = build(calendar=ICS).octets.replace(b'method="REQUEST"', b'method="CANCEL"')
    assert "the calendar's method is not the part's" in faults(octets, recipient="ann@client.example")
