"""Mails that MIME alone does not open: winmail.dat, signed S/MIME, heads and texts not where they should be."""

import base64
import struct
from datetime import UTC, datetime

import pytest

from triaged.mail import rtf, smime, tnef
from triaged.mail.identity import Border
from triaged.mail.parse import parse
from triaged.model import Attachment, Locator, Message, Raw

BORDER = Border(frozenset({"desk@firm.example"}), "triaged.firm.example", ("mx.firm.example",))
HEAD = b"From: Ann <ann@client.example>\nTo: desk@firm.example\nSubject: Renewal\nMessage-ID: <1@client.example>\n"


def read(octets: bytes) -> Message:
    return parse(
        Raw(Locator("desk", "INBOX", "1"), datetime(2026, 11, 22, tzinfo=UTC), octets, len(octets)), border=BORDER
    )


def as_base64(content_type: bytes, octets: bytes) -> bytes:
    return b"Content-Type: " + content_type + b"\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(octets)


# --- winmail.dat ---------------------------------------------------------------------------------------------------


def attribute(level: int, name: int, content: bytes) -> bytes:
    return struct.pack("<BII", level, name, len(content)) + content + struct.pack("<H", sum(content) & 0xFFFF)


def properties(*values: tuple[int, int, bytes]) -> bytes:
    packed = b""
    for kind, name, value in values:
        packed += struct.pack("<HHII", kind, name, 1, len(value)) + value + b"\0" * (-len(value) % 4)
    return struct.pack("<I", len(values)) + struct.pack("<HHI", 0x0003, 0x0E07, 7) * 0 + packed


def winmail(*attributes: bytes) -> bytes:
    return b"\x78\x9f\x3e\x22\x01\x00" + b"".join(attributes)


FILE = (
    attribute(2, 0x00069002, b"\0" * 14)
    + attribute(2, 0x00018010, b"CONTRA~1.PDF\0")
    + attribute(2, 0x0006800F, b"x" * 99)
)
LONG_NAME = attribute(2, 0x00069005, properties((0x1F, 0x3707, "../Vertrag Müller.pdf\0".encode("utf-16-le"))))
CODEPAGE = attribute(1, 0x00069007, struct.pack("<II", 1251, 0))
RICH = rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}Please \b renew\b0 , M\'fcller \u8364?5\par Bye}"
STORED = struct.pack("<II4sI", len(RICH) + 12, len(RICH), b"MELA", 0) + RICH


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        (winmail(attribute(1, 0x0002800C, b"Please renew\r\nAnn\0")), "Please renew\nAnn"),
        (winmail(CODEPAGE, attribute(1, 0x0002800C, "Продлите договор\0".encode("cp1251"))), "Продлите договор"),
        (winmail(attribute(1, 0x00069003, properties((0x1F, 0x1000, "Grüße\0".encode("utf-16-le"))))), "Grüße"),
        (winmail(attribute(1, 0x00069003, properties((0x102, 0x1013, b"<p>Please <b>renew</b></p>")))), "Please renew"),
        (winmail(attribute(1, 0x00069003, properties((0x102, 0x1009, STORED)))), "Please renew, Müller €5\nBye"),
    ],
)
def test_the_text_of_a_winmail_dat_is_read_where_there_is_no_other(packed: bytes, text: str) -> None:
    assert read(HEAD + as_base64(b"application/ms-tnef", packed)).text == text


def test_files_in_a_winmail_dat_are_attachments_and_its_text_is_not_read_twice() -> None:
    packed = winmail(attribute(1, 0x0002800C, b"Please renew\0"), FILE, LONG_NAME)
    parts = b"--b\nContent-Type: text/plain\n\nPlease renew\n--b\n" + as_base64(
        b'application/octet-stream; name="winmail.dat"', packed
    )
    mail = read(HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + parts + b"--b--\n")
    assert mail.text == "Please renew\n"
    assert mail.attachments == (Attachment("Vertrag Müller.pdf", "application/octet-stream", 99),)


def test_a_winmail_dat_cut_at_every_octet_gives_what_it_can() -> None:
    packed = winmail(CODEPAGE, attribute(1, 0x00069003, properties((0x102, 0x1009, STORED))), FILE, LONG_NAME)
    whole = tnef.unpack(packed)
    assert whole is not None
    assert whole.files[0].filename == "../Vertrag Müller.pdf"
    seen = 0
    for end in range(6, len(packed)):
        found = tnef.unpack(packed[:end])
        assert found is not None
        assert len(found.files) <= 1
        seen += 1
    assert seen > 250


def test_what_is_no_winmail_dat_stays_a_file() -> None:
    (attachment,) = read(HEAD + b'Content-Type: application/ms-tnef; name="winmail.dat"\n\nnothing').attachments
    assert attachment == Attachment("winmail.dat", "application/ms-tnef", 7)


# --- RTF -----------------------------------------------------------------------------------------------------------


def test_compressed_rtf_is_unpacked() -> None:
    # Made by compressed-rtf 1.0.7 from the RTF below; it refers to the dictionary and to itself.
    packed = bytes.fromhex(
        "40000000450000004c5a4675875ace6603000a007263706731323502320af320506c65617394652009706e07d02c200b50b5"
        "0ee82008612005a002307200d004747d1140"
    )
    source = rb"{\rtf1\ansi\ansicpg1252\pard Please renew, please renew our contract}"
    assert rtf.decompressed(packed) == source
    assert rtf.to_text(source) == "Please renew, please renew our contract"


def test_html_within_rtf_gives_its_text() -> None:
    source = rb"{\rtf1\ansi\fromhtml1{\*\htmltag64 <p>}\htmlrtf {\b\htmlrtf0 Dear Sir"
    source += rb"{\*\htmltag72 </p>}\htmlrtf }\htmlrtf0\par Bye}"
    assert rtf.to_text(source) == "Dear Sir\nBye"


@pytest.mark.parametrize("octets", [b"", b"{" * 10_000, b"}" * 10_000, b"\\", b"\\u99999999999?", b"\\'zz", b"LZFu"])
def test_broken_rtf_gives_what_it_can(octets: bytes) -> None:
    assert "\0" not in rtf.to_text(octets)
    assert rtf.decompressed(octets) == b""


# --- S/MIME --------------------------------------------------------------------------------------------------------

INNER = b"Content-Type: text/plain; charset=utf-8\r\n\r\nPlease renew our contract, M\xc3\xbcller.\r\n"
DATA, SIGNED, ENVELOPED = (bytes.fromhex(f"06092a864886f70d0107{last}") for last in ("01", "02", "03"))


def der(tag: int, content: bytes) -> bytes:
    width = (len(content).bit_length() + 7) // 8
    length = (
        bytes((len(content),)) if len(content) < 128 else bytes((0x80 | width,)) + len(content).to_bytes(width, "big")
    )
    return bytes((tag,)) + length + content


def ber(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x80)) + content + b"\0\0"


DEFINITE = der(0x30, SIGNED + der(0xA0, der(0x30, b"\2\1\1" + b"\x31\0" + der(0x30, DATA + der(0xA0, der(4, INNER))))))
PIECES = ber(0x24, der(4, INNER[:20]) + der(4, INNER[20:]))
STREAMED = ber(0x30, SIGNED + ber(0xA0, ber(0x30, b"\2\1\1" + b"\x31\0" + ber(0x30, DATA + ber(0xA0, PIECES)))))


@pytest.mark.parametrize("signed", [DEFINITE, STREAMED])
@pytest.mark.parametrize(
    "content_type", [b"application/pkcs7-mime; smime-type=signed-data", b"application/x-pkcs7-mime"]
)
def test_a_mail_signed_as_a_whole_is_read(signed: bytes, content_type: bytes) -> None:
    mail = read(HEAD + as_base64(content_type, signed))
    assert mail.text == "Please renew our contract, Müller.\n"
    assert mail.attachments == ()


def test_an_encrypted_mail_says_so_and_stays_a_file() -> None:
    mail = read(
        HEAD + as_base64(b"application/pkcs7-mime; name=smime.p7m", der(0x30, ENVELOPED + der(0xA0, b"x" * 50)))
    )
    assert mail.text == ""
    assert "it is encrypted" in mail.defects
    assert mail.attachments[0].filename == "smime.p7m"


def test_signed_data_cut_at_every_octet_gives_no_more_than_it_has() -> None:
    for whole in (DEFINITE, STREAMED):
        assert smime.signed_content(whole) == INNER
        for end in range(len(whole)):
            assert (smime.signed_content(whole[:end]) or b"") in (
                INNER[: len(smime.signed_content(whole[:end]) or b"")],
                b"",
            )


# --- heads and texts in the wrong place ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        b"\xef\xbb\xbf" + HEAD + b"\nhello",
        b"  \t \r\n\n" + HEAD + b"\nhello",
        b"From ann@client.example Sun Nov 22 10:00:00 2026\n" + HEAD + b"\nhello",
        b">From ann@client.example Sun Nov 22 10:00:00 2026\r\n" + HEAD + b"\nhello",
        b" " + HEAD + b"\nhello",
        HEAD.replace(b"To: ", b"To: a@b.example,\n \n\t") + b"\nhello",
        HEAD.replace(b"To: ", b"garbage\nTo: ") + b"\nhello",
        HEAD + b" \nhello",
    ],
)
def test_a_head_in_disorder_is_read_whole(octets: bytes) -> None:
    mail = read(octets)
    assert mail.sender is not None
    assert (mail.sender.addr_spec, mail.subject, mail.text) == ("ann@client.example", "Renewal", "hello")
    assert mail.to[-1].addr_spec == "desk@firm.example"


def test_a_head_below_an_empty_line_is_read_but_believed_by_nobody() -> None:
    forged = b"Authentication-Results: mx.firm.example; dmarc=pass header.from=client.example\n"
    mail = read(b"Received: from a by b; x\nX-Spam: no\n\n" + forged + HEAD + b"\nhello")
    assert (mail.subject, mail.text) == ("Renewal", "hello")
    assert mail.sender is not None
    assert mail.identity.trust == "none"
    assert "the head was broken off by an empty line" in mail.defects


@pytest.mark.parametrize(
    ("rest", "text"),
    [
        (b"\n<p>Please <b>renew</b></p>\n<br>\n", "Please renew"),
        (b"Content-Type: html\n\n<p>Please renew</p>", "Please renew"),
        (b"Content-Type: text/html charset=utf-8\n\n<p>Please renew</p>", "Please renew"),
        (b"Content-Type: text/plain\n\n<html><body>Please renew</body></html>", "Please renew"),
        (b"Content-Type: text/plain\n\nuse <b> and </b> and <i> and </i>", "use <b> and </b> and <i> and </i>"),
        (b"\nif a <b and c> d", "if a <b and c> d"),
        (b"Content-Transfer-Encoding: base64\n\nPlease renew it, in plain words.\nNot encoded at all.", None),
        (
            b"Content-Transfer-Encoding: base64\n\nUGxlYXNlIHJlbmV3\n\n___\nlist@x.example",
            "Please renew\n___\nlist@x.example",
        ),
        (b"Content-Disposition: attachment; filename=a.txt\nContent-Type: text/plain\n\nPlease renew", "Please renew"),
        (b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nPlease renew\n--b-\n", "Please renew\n"),
        (b"Content-Type: text/html\n\n<p>&#" + b"9" * 5_000 + b";x &#65; &#x1F600;</p>", "x A 😀"),
    ],
)
def test_text_that_is_not_what_it_says(rest: bytes, text: str | None) -> None:
    wanted = rest.partition(b"\n\n")[2].decode() if text is None else text
    assert read(HEAD + rest).text == wanted
