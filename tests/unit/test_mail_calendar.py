"""The calendar object of a mail is found wherever programs put it, and is never taken for what the client wrote."""

from __future__ import annotations

import base64
import quopri
from datetime import UTC, datetime

import pytest

from triaged.mail.calendarpart import MAX_CALENDAR_BYTES
from triaged.mail.identity import Border
from triaged.mail.parse import parse
from triaged.model import Locator, Message, Raw

HEAD = (
    "From: Ann <ann@client.example>\nTo: desk@firm.example\nMessage-ID: <1@client.example>\nSubject: Accepted: Call\n"
)
BORDER = Border(frozenset({"desk@firm.example"}), "triaged.firm.example", ())
ICS = "BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:1\nSUMMARY:Grüße\nEND:VEVENT\nEND:VCALENDAR\n"
TEXT = "Content-Type: text/plain; charset=utf-8\n\nI shall be there.\n"
HTML = "Content-Type: text/html; charset=utf-8\n\n<p>I shall be there.</p>\n"
CALENDAR = "Content-Type: text/calendar; charset=utf-8; method=REPLY\n"


def read(octets: bytes) -> Message:
    return parse(
        Raw(Locator("desk", "INBOX", "1"), datetime(2026, 11, 22, tzinfo=UTC), octets, len(octets)), border=BORDER
    )


def mail(kind: str, *parts: str) -> bytes:
    inner = "".join(f"--b1\n{part}\n" for part in parts)
    return f"{HEAD}Content-Type: {kind}; boundary=b1\n\n{inner}--b1--\n".encode()


def encoded(how: str, text: str = ICS) -> str:
    if how == "base64":
        return f"Content-Transfer-Encoding: base64\n\n{base64.encodebytes(text.encode()).decode()}"
    if how == "quoted-printable":
        return f"Content-Transfer-Encoding: quoted-printable\n\n{quopri.encodestring(text.encode()).decode()}"
    return f"\n{text}"


@pytest.mark.parametrize("how", ["8bit", "base64", "quoted-printable"])
@pytest.mark.parametrize(
    ("kind", "before"),
    [("multipart/alternative", (TEXT, HTML)), ("multipart/alternative", (TEXT,)), ("multipart/mixed", (TEXT,)),
     ("multipart/related", (TEXT,))],
)  # fmt: skip
def test_a_calendar_part_is_found(how: str, kind: str, before: tuple[str, ...]) -> None:
    message = read(mail(kind, *before, CALENDAR + encoded(how)))
    assert message.calendar.strip() == ICS.strip()
    assert message.calendar_method == "REPLY"
    assert message.text.strip() == message.new_text.strip() == "I shall be there."
    assert message.defects == ("no usable date",)


def test_in_an_alternative_within_a_mixed_one_the_part_counts_and_not_the_file_behind_it() -> None:
    inner = f"--b2\n{TEXT}\n--b2\n{CALENDAR.replace('=REPLY', '=reply')}{encoded('base64')}\n--b2--\n"
    file = 'Content-Type: application/ics; name="invite.ics"\nContent-Disposition: attachment; filename="invite.ics"\n'
    octets = mail(
        "multipart/mixed",
        file + encoded("base64", "other"),
        f"Content-Type: multipart/alternative; boundary=b2\n\n{inner}",
    )
    message = read(octets)
    assert (message.calendar.strip(), message.calendar_method) == (ICS.strip(), "REPLY")
    assert message.text.strip() == "I shall be there."


@pytest.mark.parametrize(
    "file",
    [
        "Content-Type: application/ics\nContent-Disposition: attachment\n",
        'Content-Type: application/octet-stream; name="Meeting.ICS"\nContent-Disposition: attachment\n',
        'Content-Type: application/octet-stream\nContent-Disposition: attachment; filename="meeting.ics"\n',
        'Content-Type: text/plain; charset=utf-8; name="meeting.ics"\nContent-Disposition: inline\n',
        'Content-Type: text/calendar; charset=utf-8; name="meeting.ics"\nContent-Disposition: attachment\n',
    ],
)
def test_a_file_is_taken_where_there_is_no_part(file: str) -> None:
    message = read(mail("multipart/mixed", TEXT, file + encoded("base64")))
    assert (message.calendar.strip(), message.calendar_method) == (ICS.strip(), "")
    assert message.text.strip() == "I shall be there."
    assert len(message.attachments) == 1


@pytest.mark.parametrize("how", ["8bit", "base64", "quoted-printable"])
@pytest.mark.parametrize(
    "kind", [CALENDAR, 'Content-Type: text/plain; name="x.ics"\nContent-Disposition: attachment\n']
)
def test_a_mail_that_is_nothing_but_a_calendar_object_has_no_text(how: str, kind: str) -> None:
    message = read((HEAD + kind + encoded(how)).encode())
    assert message.calendar.strip() == ICS.strip()
    assert message.text == message.new_text == ""


def test_the_charset_of_the_part_counts() -> None:
    part = CALENDAR.replace("utf-8", "iso-8859-1").encode() + b"\n" + ICS.encode("latin-1")
    message = read(HEAD.encode() + part)
    assert "SUMMARY:Grüße" in message.calendar


@pytest.mark.parametrize("line_end", [b"\n ", b"\r\n\t"])
def test_a_letter_that_is_folded_in_its_middle_is_whole(line_end: bytes) -> None:
    whole = ICS.encode()
    cut = whole.index("ü".encode()) + 1
    folded = base64.encodebytes(whole[:cut] + line_end + whole[cut:])
    message = read((HEAD + CALENDAR).encode() + b"Content-Transfer-Encoding: base64\n\n" + folded)
    assert "SUMMARY:Grüße" in message.calendar
    assert message.defects == ("no usable date",)


def test_an_invitation_within_an_enclosed_mail_is_somebody_elses() -> None:
    """A delivery report encloses the invitation that we sent."""
    enclosed = f"Content-Type: message/rfc822\n\n{HEAD}{CALENDAR}{encoded('base64')}"
    message = read(mail("multipart/mixed", TEXT, enclosed))
    assert (message.calendar, message.calendar_method) == ("", "")


def test_a_mail_without_one_has_none() -> None:
    message = read(mail("multipart/alternative", TEXT, HTML))
    assert (message.calendar, message.calendar_method) == ("", "")


@pytest.mark.parametrize("how", ["8bit", "base64", "quoted-printable"])
def test_one_over_the_limit_is_named_and_not_taken(how: str) -> None:
    largest = ICS + "X" * (MAX_CALENDAR_BYTES - len(ICS.encode()))
    assert len(largest.encode()) == MAX_CALENDAR_BYTES
    as_it_is = read((HEAD + CALENDAR + encoded(how, largest)).encode())
    assert as_it_is.calendar.strip() == largest
    over = read((HEAD + CALENDAR + encoded(how, largest + "XX")).encode())
    assert (over.calendar, over.calendar_method) == ("", "")
    assert "the calendar object is over the limit" in over.defects
    assert "the calendar object is over the limit" not in as_it_is.defects
