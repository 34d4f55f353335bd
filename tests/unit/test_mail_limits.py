"""The limits of reading a mail (S42): what is just under each is read without a word, what is over it is named."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from triaged.mail import headers, mime, parse
from triaged.mail.addresses import MAX_ADDRESSES
from triaged.mail.identity import Border
from triaged.model import Locator, Message, Raw

BORDER = Border(frozenset({"desk@firm.example"}), "triaged.firm.example")
HEAD = b"From: Ann <ann@client.example>\nDate: Sun, 22 Nov 2026 10:00:00 +0100\n"
MIXED = HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n"


def read(octets: bytes) -> Message:
    raw = Raw(Locator("desk", "INBOX", "1"), datetime(2026, 11, 22, tzinfo=UTC), octets, len(octets))
    return parse.parse(raw, border=BORDER)


def _mail(size: int) -> bytes:
    return HEAD + b"Content-Type: image/png\n\n" + b"x" * (size - len(HEAD) - 25)


def _head(size: int) -> bytes:
    size -= 1  # the empty line belongs to it
    line = b"X-Filler: " + b"x" * 989 + b"\n"
    filled = HEAD + line * ((size - len(HEAD)) // len(line))
    return filled + b"Y:" + b"y" * (size - len(filled) - 3) + b"\n\nhello"


def _nested(depth: int) -> bytes:
    return HEAD + b"Content-Type: message/rfc822\n\n" * depth + b"Subject: x\n\nhello"


LIMITS: dict[str, tuple[Callable[[int], bytes], int, str]] = {
    # name: (a mail of a size, the largest that is read whole, the defect)
    "message": (_mail, parse.MAX_MAIL_BYTES, "the mail is over the limit"),
    "head": (_head, headers.MAX_HEAD_BYTES, "the head is over the limit"),
    "fields": (lambda n: HEAD + b"X: y\n" * (n - 2) + b"\nhello", headers.MAX_FIELDS, "the head is over the limit"),
    "line": (
        lambda n: HEAD + b"X-Y:" + b"y" * (n - 4) + b"\n\nhello",
        headers.MAX_FIELD_BYTES,
        "a line in the head is over the limit",
    ),
    "field": (
        lambda n: HEAD + b"X-Y:" + b"\n y" * (n // 3) + b"y" * (n % 3) + b"\n\nhello",
        headers.MAX_FIELD_BYTES,
        "the field x-y is over the limit",
    ),
    "parts": (lambda n: MIXED + b"--b\n\nx\n" * (n - 1) + b"--b--\n", mime.MAX_PARTS, "there are too many parts"),
    "depth": (_nested, mime.MAX_DEPTH - 1, "parts are nested too deeply"),
    "addresses": (
        lambda n: HEAD + b"To: " + b",\n ".join(b"a%d@b.example" % i for i in range(n)) + b"\n\nhello",
        MAX_ADDRESSES,
        "there are too many addresses",
    ),
    "fields of one name": (
        lambda n: HEAD + b"Cc: a@b.example\n" * n + b"\nhello",
        parse.MAX_FIELDS_OF_ONE_NAME,
        "there are too many addresses",
    ),
    "text": (lambda n: HEAD + b"\n" + b"w" * n, mime.MAX_TEXT_BYTES, "the text is over the limit"),
    "text of many parts": (
        lambda n: MIXED + b"--b\n\n" + b"w" * (n // 2) + b"\n--b\n\n" + b"w" * (n - n // 2) + b"\n--b--\n",
        mime.MAX_TEXT_BYTES - 3,  # three line ends join them
        "the text is over the limit",
    ),
    "quotes": (lambda n: HEAD + b"\nhello\n" + b"> old\n" * n, parse.MAX_QUOTE_LINES, "the quotes are over the limit"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_holds_on_both_sides(name: str) -> None:
    mail_of, most, defect = LIMITS[name]
    under, over = read(mail_of(most)), read(mail_of(most + 1))
    assert defect not in under.defects
    assert defect in over.defects
    assert under.sender == over.sender
    assert under.sender is not None


def test_what_is_over_a_limit_is_not_handed_on() -> None:
    assert len(read(LIMITS["text"][0](5_000_000)).text) == parse.MAX_TEXT_CHARACTERS
    assert len(read(LIMITS["addresses"][0](5_000)).to) == MAX_ADDRESSES
    assert read(LIMITS["quotes"][0](5_000)).quoted.count("\n") == parse.MAX_QUOTE_LINES - 1
    assert len(read(LIMITS["parts"][0](5_000)).text) < 3 * mime.MAX_PARTS
    assert len(read(HEAD + b"Subject: " + b"s" * 5_000 + b"\n\nx").subject) == parse.MAX_SUBJECT_CHARACTERS


def test_html_parts_share_one_limit() -> None:
    def mail(tags: int) -> bytes:
        return MIXED + (b"--b\nContent-Type: text/html\n\n" + b"<p>x" * tags + b"\n") * 3 + b"--b--\n"

    assert "there is too much HTML" not in read(mail(parse.MAX_HTML_TAGS // 3)).defects
    assert "there is too much HTML" in read(mail(parse.MAX_HTML_TAGS // 2)).defects
