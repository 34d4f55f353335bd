"""The stranger's look: the mails we mean to send pass; each change that must not leave is named, and nothing raises."""

from __future__ import annotations

import dataclasses
import random
from base64 import b64encode
from pathlib import Path

import pytest

from triaged.decision import WHEN, Outgoing
from triaged.mail.strict import faults

ID = "<0123456789abcdef@triaged.firm.example>"
HEAD = (
    b"Message-ID: <0123456789abcdef@triaged.firm.example>\r\n"
    b"Date: Sun, 22 Nov 2026 09:00:00 +0000\r\n"
    b"From: Desk <desk@firm.example>\r\n"
    b"To: =?utf-8?B?w4Rubg==?= <ann@client.example>\r\n"
    b"Subject: We have your request\r\n"
    b" (T-1)\r\n"
    b"In-Reply-To: <1@client.example>\r\n"
    b"References: <0@client.example>\r\n"
    b" <1@client.example>\r\n"
    b"Auto-Submitted: auto-replied\r\n"
    b"X-Auto-Response-Suppress: All\r\n"
    b"MIME-Version: 1.0\r\n"
)
PLAIN = (
    b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    b"Sch=C3=B6ne Gr=C3=BC=C3=9Fe, and a long=\r\n line.\r\n"
)
HTML = (
    b'Content-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>Hello</p>\r\n'
)
ICS = b64encode(b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nSUMMARY:{{x}}\r\nEND:VCALENDAR\r\n").replace(b"\n", b"\r\n")
CALENDAR = (
    b'Content-Type: text/calendar; charset="utf-8"; method="REQUEST"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    + ICS[:76]
    + b"\r\n"
    + ICS[76:]
    + b"\r\n"
)


def mail(octets: bytes, *, sender: str = "", recipient: str = "ann@client.example", message_id: str = ID) -> Outgoing:
    return Outgoing(sender, recipient, message_id, octets)


def parts(*each: bytes) -> bytes:
    inner = b"".join(b"--=_mark00000\r\n" + part + b"\r\n" for part in each)
    return (
        HEAD + b'Content-Type: multipart/alternative; boundary="=_mark00000"\r\n\r\n' + inner + b"--=_mark00000--\r\n"
    )


def text(words: bytes) -> bytes:
    """The single mail with these words as its text, in quoted-printable."""
    return HEAD + PLAIN.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + words + b"\r\n"


SINGLE = HEAD + PLAIN
THREE = parts(PLAIN, HTML, CALENDAR)


@pytest.mark.parametrize(
    "octets",
    [
        SINGLE,
        THREE,
        parts(PLAIN),
        parts(PLAIN, HTML),
        parts(PLAIN, CALENDAR),
        SINGLE.replace(b"In-Reply-To: <1@client.example>\r\n", b"").replace(
            b"References: <0@client.example>\r\n <1@client.example>\r\n", b""
        ),
        SINGLE.replace(b"=?utf-8?B?w4Rubg==?= <ann@client.example>", b"ann@client.example"),
        SINGLE.replace(b"=?utf-8?B?w4Rubg==?=", b'"Ann, no: O. Archer"'.replace(b",", b"").replace(b":", b"")),
        SINGLE.replace(b"We have your request", b"=?utf-8?B?e3s=?=").replace(b"e3s=", b"eyB7"),
        SINGLE.replace(b"Message-ID", b"MESSAGE-id"),
        text(b"."),
        text(b"{ {name}} and } and {"),
    ],
)
def test_what_we_mean_to_send_passes(octets: bytes) -> None:
    assert faults(mail(octets)) == ()


@pytest.mark.parametrize("sender", ["", "desk@firm.example", "a+b=c@x-y.example"])
def test_envelope_senders(sender: str) -> None:
    assert faults(mail(SINGLE, sender=sender)) == ()


LF = "a line that does not end in CRLF"
MARK = "a template's mark was not filled in"
ENDS = "the parts do not begin or end where they must"
TO = "To is not the one recipient"
UNREADABLE = "a part that cannot be decoded"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        # fields
        (b"Subject:", b"Bcc: x@y.example\r\nSubject:", "a field that is not ours: 'bcc'"),
        (b"Subject:", b"Cc: x@y.example\r\nSubject:", "a field that is not ours: 'cc'"),
        (b"Subject:", b"Reply-To: x@y.example\r\nSubject:", "a field that is not ours: 'reply-to'"),
        (b"Subject:", b"Sender: x@y.example\r\nSubject:", "a field that is not ours: 'sender'"),
        (b"Subject:", b"Resent-To: x@y.example\r\nSubject:", "a field that is not ours: 'resent-to'"),
        (b"Subject:", b"To: ann@client.example\r\nSubject:", "to stands there twice"),
        (b"Subject:", b"SUBJECT: x\r\nSubject:", "subject stands there twice"),
        (b"Subject:", b"Subject :", "a field that is not ours: 'Subject : We have your request (T-1)'"),
        (b"Subject:", b"no field\r\nSubject:", "a field that is not ours: 'no field'"),
        (b"Subject: ", b"Subject: \r\n \r\n ", "a line in the head that goes on from nothing, or holds nothing"),
        (b"Message-ID:", b" Message-ID:", "a line in the head that goes on from nothing, or holds nothing"),
        (b"Message-ID: <0123456789abcdef@triaged.firm.example>\r\n", b"", "no message-id"),
        (b"Date: Sun, 22 Nov 2026 09:00:00 +0000\r\n", b"", "no date"),
        (b"From: Desk <desk@firm.example>\r\n", b"", "no from"),
        (b"Auto-Submitted: auto-replied\r\n", b"", "no auto-submitted"),
        (b"X-Auto-Response-Suppress: All\r\n", b"", "no x-auto-response-suppress"),
        (b"MIME-Version: 1.0\r\n", b"", "no mime-version"),
        (b"auto-replied", b"no", "auto-submitted is not as it must be"),
        (b"Suppress: All", b"Suppress: None", "x-auto-response-suppress is not as it must be"),
        (b"Sun, 22", b"Someday, 22", "date is not as it must be"),
        # addresses
        (b"<ann@client.example>", b"<eve@evil.example>", TO),
        (b"<ann@client.example>", b"<ann@client.example>, eve@evil.example", TO),
        (b"<ann@client.example>", b"<ann@client.example> <eve@evil.example>", "to is not as it must be"),
        (b"<ann@client.example>", b"<ann@client.example> eve@evil.example", TO),
        (b"=?utf-8?B?w4Rubg==?= <ann", b"eve@evil.example <ann", "to is not as it must be"),
        (b"=?utf-8?B?w4Rubg==?= <ann", b"us: eve@evil.example; <ann", "to is not as it must be"),
        (b"=?utf-8?B?w4Rubg==?= <ann", b'"a\\" <ann', "to is not as it must be"),
        (b"=?utf-8?B?w4Rubg==?= <ann", b"(eve) <ann", "to is not as it must be"),
        (b"Desk <desk@firm.example>", b"a@b.example, c@d.example", "From is not one address"),
        (b"Desk <desk@firm.example>", b"Desk", "From is not one address"),
        # ids
        (b"0123456789abcdef@triaged.firm.example>", b"other@x.example>", "Message-ID is not the one in the log"),
        (b"To: <1@client.example>", b"To: 1@client.example", "in-reply-to is not as it must be"),
        (b"To: <1@client.example>", b"To: <1@c.example> <2@c.example>", "in-reply-to is not as it must be"),
        (b"To: <1@client.example>", b"To: <(1)@c.example>", "in-reply-to is not as it must be"),
        (b"To: <1@client.example>", b"To: <=?utf-8?q?=0A?=@c.example>", "in-reply-to holds a word that cannot be read"),
        (b"To: <1@client.example>", b"To: <1" + b"x" * 600 + b"@" + b"c" * 400 + b">", "an id that is too long"),
        (b"\r\n <1@client.example>", b"\r\n <1@c.example>" * 51, "too many References"),
        (b"\r\n <1@client.example>", b"\r\n <" + b"x" * 990 + b"@c.example>", "references is not as it must be"),
        (b"\r\n <1@client.example>", b"\r\n 1@c.example", "references is not as it must be"),
        (b"References: ", b"References: " + (b"<" + b"x" * 800 + b"@c.example>\r\n ") * 12, "too many References"),
        # words
        (b"We have", b"=?utf-8?B?DQpCY2M6?= We", "subject holds a word that cannot be read"),
        (b"We have", b"=?utf-8?B?AA==?= We", "subject holds a word that cannot be read"),
        (b"We have", b"=?utf-8?B?/w==?= We", "subject holds a word that cannot be read"),
        (b"We have", b"=?utf-8?B?QQ= We", "subject holds a word that cannot be read"),
        (b"We have", b"=?utf-8?Q?=0D=0ABcc:_x?= We", "subject holds a word that cannot be read"),
        (b"We have", b"=?utf-7?B?QQ==?= We", "subject holds a word that cannot be read"),
        (b"We have", b"x=?utf-8?B?QQ==?= We", "subject holds a word that cannot be read"),
        (b"We have", b"=?utf-8?B?" + b"QUFB" * 20 + b"?= We", "subject holds a word that cannot be read"),
        (b"w4Rubg==", b"CgpFdmU=", "to holds a word that cannot be read"),
        (b"We have", b"{{ subject }}", MARK),
        (b"We have", b"=?utf-8?B?e3s=?=", MARK),
        (b"We have", b"=?utf-8?B?ew==?= =?utf-8?B?e2F9fQ==?=", MARK),
        (b"We have", b"=?utf-8?B?" + b64encode(WHEN.encode()) + b"?=", MARK),
        # octets
        (b"\r\n", b"\n", LF),
        (b"\r\n", b"\r", LF),
        (b"We have", b"We\r have", LF),
        (b"We have", b"We\n have", LF),
        (b"We have", b"\xc3\xbc", "octets outside 7-bit ASCII"),
        (b"We have", b"We\0have", "octets outside 7-bit ASCII"),
        (b"We have", b"We \x01 have", "subject is not as it must be"),
        (b"We have", b"x" * 1_100, "a line longer than 998 octets"),
        (b"MIME-Version: 1.0\r\n", b"MIME-Version: 1.0\r\n\r\n", "no content-type"),
    ],
)
def test_each_fault_of_the_head_is_found(old: bytes, new: bytes, fault: str) -> None:
    assert old in SINGLE
    for octets in (SINGLE, THREE):
        assert fault in faults(mail(octets.replace(old, new, 1) if b"\n" not in old[:2] else octets.replace(old, new)))


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (HEAD[:-2], "no end of the head"),
        (b"", "no end of the head"),
        (SINGLE[:-2], "no CRLF at the end"),
        (SINGLE + b"x" * 70_000, "larger than 64 KB"),
        (text(b"x" * 80), UNREADABLE),
        (text(b"=C3"), UNREADABLE),
        (text(b"=c3=bc"), UNREADABLE),
        (text(b"100 = 100"), UNREADABLE),
        (text(b"white space at the end "), UNREADABLE),
        (text(b"=1B[31m"), "a control character in the text"),
        (text(b"=00"), "a control character in the text"),
        (text(b"a =0D b"), "a control character in the text"),
        (text(b"=C2=9B31m"), "a control character in the text"),
        (text(b"{{ name }}"), MARK),
        (text(b"{=25 if x %}"), MARK),
        (text(b"=7B=\r\n{ name }}"), MARK),
        (text(b"=E2=9F=A6when=E2=9F=A7"), MARK),
        (SINGLE.replace(b"text/plain", b"text/enriched"), "content-type is not as it must be"),
        (SINGLE.replace(b'utf-8"', b'utf-7"'), "content-type is not as it must be"),
        (SINGLE.replace(b"quoted-printable", b"8bit"), "content-transfer-encoding is not as it must be"),
        (SINGLE.replace(b"quoted-printable", b"base64"), UNREADABLE),
        (SINGLE.replace(b"Content-Transfer-Encoding: quoted-printable\r\n", b""), UNREADABLE),
        (parts(PLAIN, HTML.replace(b"Hello", b"{{ line }}")), MARK),
        (parts(HTML, PLAIN), "the parts are not text, then HTML, then calendar, each once"),
        (parts(PLAIN, PLAIN), "the parts are not text, then HTML, then calendar, each once"),
        (parts(HTML), "the parts are not text, then HTML, then calendar, each once"),
        (parts(PLAIN, HTML.replace(b"text/html", b"image/png")), "content-type is not as it must be"),
        (
            parts(PLAIN, b"Content-Disposition: attachment\r\n" + HTML),
            "a field that is not ours: 'content-disposition'",
        ),
        (parts(PLAIN, b"To: eve@evil.example\r\n" + HTML), "a field that is not ours: 'to'"),
        (parts(PLAIN, CALENDAR.replace(b'"REQUEST"', b'"CANCEL"')), "the calendar's method is not the part's"),
        (THREE.replace(b"base64", b"base64", 1).replace(ICS[:8], b"!!!!!!!!"), UNREADABLE),
        (THREE.replace(b"--=_mark00000--\r\n", b""), ENDS),
        (THREE + b"more\r\n", ENDS),
        (THREE.replace(b"--=_mark00000\r\n", b"before\r\n--=_mark00000\r\n", 1), ENDS),
        (THREE.replace(b"<p>", b"--=_mark00000--\r\n<p>"), ENDS),
        (
            THREE.replace(b"MIME-V", b"Content-Transfer-Encoding: base64\r\nMIME-V"),
            "an encoding of a whole of several parts",
        ),
        (THREE.replace(b'"=_mark00000"', b'"="'), "content-type is not as it must be"),
    ],
)
def test_each_fault_of_the_body_is_found(octets: bytes, fault: str) -> None:
    assert fault in faults(mail(octets))


@pytest.mark.parametrize("where", ["sender", "recipient"])
@pytest.mark.parametrize(
    "address",
    ["a", "a@", "@b.example", "a@b@c.example", "a@b.example\r\nRCPT TO:<x@y.example>", "a b@c.example", "ü@c.example",
     "a@ü.example", "<a@b.example>", ".a@b.example", "a..b@c.example", "a@-b.example", "a@b..example",
     "x" * 65 + "@b.example",
     "a@b.example,c@d.example", '"a"@b.example', "a@b.example "],
)  # fmt: skip
def test_an_envelope_address_is_one_plain_address(where: str, address: str) -> None:
    outgoing = dataclasses.replace(mail(SINGLE), **{where: address})
    words = {"sender": "the envelope sender is no address", "recipient": "the recipient is no address"}
    assert words[where] in faults(outgoing)


def test_it_never_raises_whatever_the_octets_are() -> None:
    chance = random.Random(3)
    refused = 0
    pieces = (b"", b"\r\n", b"\n", b"=", b"\0", b"\xff", b":", b"--=_mark00000", b"=?", b"<", b"a", b",", b"\r\n ")
    for _ in range(3_000):
        octets = bytearray(chance.choice((SINGLE, THREE)))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(octets))
            octets[place : place + chance.randint(0, 3)] = chance.choice(pieces)
        refused += faults(mail(bytes(octets))) != ()
    assert refused > 2_000


def test_it_knows_no_mail_library_and_nothing_of_compose() -> None:
    source = (Path(__file__).parents[2] / "triaged/mail/strict.py").read_text(encoding="utf-8")
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert len(imports) > 4
    assert not any(word in line for line in imports for word in ("email", "compose", "headers", "quopri", "base64"))
