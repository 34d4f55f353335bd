"""Broken mails written by hand go through `parse`; subject, sender, text and defects must be right all the same."""

import unicodedata
from datetime import UTC, datetime

import pytest

from triaged.mail.identity import Border
from triaged.mail.parse import parse
from triaged.model import Address, Locator, Message, Raw

BORDER = Border(frozenset({"desk@firm.example"}), "triaged.firm.example", ("mx.firm.example",))
HEAD = b"From: Ann <ann@client.example>\nTo: desk@firm.example\nMessage-ID: <1@client.example>\n"


def read(octets: bytes, *, size: int | None = None) -> Message:
    size = len(octets) if size is None else size
    return parse(Raw(Locator("desk", "INBOX", "1"), datetime(2026, 11, 22, tzinfo=UTC), octets, size), border=BORDER)


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?utf-8?q?split_=C3?= =?utf-8?q?=BC_here?=", "split ü here"),
        (b"=?utf-8?b?R3LD?=\n =?utf-8?b?vMOfZQ==?=", "Grüße"),
        (b"=?utf-8?b?R3LDvMOfZQ?=", "Grüße"),
        (b"=?utf-8?q?one?= =?utf-8?q?two?= three", "onetwo three"),
        (b"before =?iso-8859-1?q?=FC?= after", "before ü after"),
        (b"=?utf-8?q?with space inside?=", "with space inside"),
        (b"=?nonsense?q?caf=C3=A9?=", "café"),
        (b"=?us-ascii?q?caf=E9?=", "café"),
        (b"=?utf-8?q?never closed =C3=A9", "never closed é"),
        ("raw UTF-8 naïve".encode(), "raw UTF-8 naïve"),
        ("raw latin naïve".encode("latin-1"), "raw latin naïve"),
        ("会議の件".encode("iso2022_jp"), "会議の件"),
        (b"=?utf-8?q?two=0D=0ABcc:_x@y.example?=", "two Bcc: x@y.example"),
        (b"folded\n\tover two", "folded over two"),
        (b"=?utf-8?q?=E2=80=AEtxt.exe?=", "txt.exe"),
    ],
)
def test_the_subject_is_one_readable_line(value: bytes, subject: str) -> None:
    assert read(HEAD + b"Subject: " + value + b"\n\nhello\n").subject == subject


@pytest.mark.parametrize(
    ("label", "octets", "text"),
    [
        ("us-ascii", "naïve “quote”".encode("cp1252"), "naïve “quote”"),
        ("iso-8859-1", "– €".encode("cp1252"), "– €"),
        ("iso-8859-1", "schön".encode(), "schön"),
        ("utf-8", "schön".encode("latin-1"), "schön"),
        ("X-UNKNOWN", "schön".encode(), "schön"),
        ("", "schön".encode("latin-1"), "schön"),
        ("gb2312", "您好,請問".encode("gb18030"), "您好,請問"),
        (
            "iso-8859-1",
            "我们的合同不能再这样下去了，请你们来电话".encode("gb18030"),
            "我们的合同不能再这样下去了，请你们来电话",
        ),
        ("us-ascii", "会議の件です".encode("iso2022_jp"), "会議の件です"),
        ("hz-gb-2312", "合同".encode("hz"), "合同"),
        ("koi8-r", "привет".encode("koi8-r"), "привет"),
        ("windows-1251", "привет".encode("cp1251"), "привет"),
        ("utf-7", b"+ADw-script+AD4-", "+ADw-script+AD4-"),
        ("unicode_escape", b"\\u003cb\\u003e", "\\u003cb\\u003e"),
        ("rot13", b"uryyb", "uryyb"),
        ("idna", b"xn--abc", "xn--abc"),
    ],
)
def test_text_is_read_whatever_its_charset_claims(label: str, octets: bytes, text: str) -> None:
    head = HEAD + f"Content-Type: text/plain; charset={label}\n".encode()
    assert read(head + b"\n" + octets).text == text


SPOOFS = [
    b"ceo@big.example <a@evil.example>",
    b"<ceo@big.example>a@evil.example",
    b"ceo@big.example(<a@evil.example>)",
    b"ceo@big.example:a@evil.example",
    b"ceo@big.example, a@evil.example",
    b"Board: ceo@big.example;",
    b"ceo@big.example\0 <a@evil.example>",
    b"<ceo@big.example> <a@evil.example>",
    b"ceo@big.example a@evil.example",
    b"ceo@big.example\nFrom: a@evil.example",
    b"nobody",
    b"",
]


@pytest.mark.parametrize("value", SPOOFS)
def test_a_from_that_can_be_read_two_ways_names_nobody(value: bytes) -> None:
    mail = read(b"From: " + value + b"\nMessage-ID: <1@x.example>\n\nhello")
    assert mail.sender is None
    assert mail.identity.trust == "none"
    assert mail.identity.reason != ""


@pytest.mark.parametrize(
    ("value", "sender"),
    [
        (b"ann@client.example", Address("ann@client.example")),
        (b"Ann <Ann@CLIENT.Example>", Address("Ann@client.example", "Ann")),
        (b"ann@client.example (Ann Lee)", Address("ann@client.example", "Ann Lee")),
        (b"Ann Lee ann@client.example", Address("ann@client.example", "Ann Lee")),
        (b'"Lee, Ann" <ann@client.example>', Address("ann@client.example", "Lee, Ann")),
        (b"=?utf-8?q?J=C3=BCrgen?= <j@client.example>", Address("j@client.example", "Jürgen")),
        (b"ann@client.example <ANN@client.example>", Address("ANN@client.example", "ann@client.example")),
        (b"<a@xn--mnchen-3ya.example>", Address("a@münchen.example")),
    ],
)
def test_one_from_address(value: bytes, sender: Address) -> None:
    mail = read(b"From: " + value + b"\n\nhello")
    assert mail.sender == sender
    assert mail.identity.trust == "unauthenticated"


def test_a_name_that_is_another_address_is_believed_by_nobody() -> None:
    mail = read(b'From: "ceo@big.example" <a@evil.example>\n\nhello')
    assert mail.sender == Address("a@evil.example", "ceo@big.example")
    assert mail.identity.trust == "none"


MIXED = b"Content-Type: multipart/mixed; boundary=b\n\n"


@pytest.mark.parametrize(
    ("rest", "text"),
    [
        (b"\nplain", "plain"),
        (b"no separator here", "no separator here"),
        (MIXED + b"--b\n\none\n--b\nContent-Type: text/plain\n\ntwo\n--b--", "one\n\ntwo\n"),
        (MIXED + b"--b\n\nnever closed", "never closed\n"),
        (MIXED.replace(b"; boundary=b", b"") + b"--b\nContent-Type: text/plain\n\nguessed\n--b--", "guessed\n"),
        (MIXED + b"no boundary at all", "no boundary at all"),
        (b"Content-Transfer-Encoding: base64\n\naGVs!bG8=", "hello"),
        (b"Content-Transfer-Encoding: nonsense\n\nhello", "hello"),
        (b"Content-Type: rubbish\n\nhello", "hello"),
        (MIXED + b"--b\nContent-Type: message/rfc822\n\nSubject: inner\n\ninner text\n--b--", "inner text"),
        (b"Content-Type: text/plain; format=flowed\n\nflows \non\n-- \nAnn", "flows on\n-- \nAnn"),
    ],
)
def test_broken_structure_still_gives_the_text(rest: bytes, text: str) -> None:
    assert read(HEAD + rest).text == text


@pytest.mark.parametrize("change", [(b"\n", b"\r"), (b"\n", b"\r\n"), (b"From:", b"From ann Mon Jan 1\nFrom:")])
def test_line_ends_and_an_mbox_line_change_nothing(change: tuple[bytes, bytes]) -> None:
    octets = HEAD + b"Subject: same\n\none\ntwo\n"
    mail = read(octets.replace(*change, -1 if change[0] == b"\n" else 1))
    assert (mail.subject, mail.text) == ("same", "one\ntwo\n")
    assert mail.key == read(octets).key


def test_html_is_read_as_a_reader_sees_it() -> None:
    html = (
        b"<html><head><style>p{}</style><title>no</title></head><body><div style='display:none'>hidden</div>"
        b"<p>Hello&nbsp;you</p><ul><li>one</li><li>two</li></ul><table><tr><td>a</td><td>b</td></tr></table>"
        b"<script>alert(1)</script><p>line<br>break</p><blockquote type=cite>old</blockquote></body></html>"
    )
    mail = read(HEAD + b"Content-Type: text/html\n\n" + html)
    assert mail.text == "Hello you\n\n- one\n- two\n\na b\n\nline\nbreak\n\n> old"
    assert mail.quoted == "> old"


def test_both_alternatives_are_read_where_the_plain_one_is_a_stub() -> None:
    parts = b"--b\n\nYour program shows no HTML.\n--b\nContent-Type: text/html\n\n"
    parts += b"<p>We must cancel our contract today</p>\n--b--"
    mail = read(HEAD + b"Content-Type: multipart/alternative; boundary=b\n\n" + parts)
    assert "cancel our contract" in mail.new_text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b'"../../etc/passwd"', "passwd"),
        (b'"C:\\\\temp\\\\a.doc"', "a.doc"),
        (b'"a\x01b.txt"', "ab.txt"),
        (b'"=?utf-8?q?=C3=BC.pdf?="', "ü.pdf"),
        (b'"' + b"x" * 500 + b'.pdf"', "x" * 100 + ".pdf"),
        (b"..", ""),
    ],
)
def test_a_file_name_is_a_bare_name(name: bytes, shown: str) -> None:
    part = b"--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=" + name + b"\n\nx\n--b--"
    (attachment,) = read(HEAD + MIXED + part).attachments
    assert attachment.filename == shown


def test_rfc_2231_names_are_put_together() -> None:
    part = b"--b\nContent-Type: application/pdf\nContent-Disposition: attachment; "
    part += b"filename*0*=utf-8''Gr%C3%BC; filename*1=n.pdf\n\nx\n--b--"
    assert read(HEAD + MIXED + part).attachments[0].filename == "Grün.pdf"


def test_keys_tell_mails_apart() -> None:
    first = read(HEAD + b"\nhello")
    assert len(first.key) == 32
    assert first.key == read(HEAD + b"X-Later: hop\n\nhello").key
    assert first.key != read(HEAD + b"\nhello again").key
    assert first.key != read(HEAD.replace(b"ann@", b"eve@", 1) + b"\nhello").key
    bare = HEAD.replace(b"Message-ID: <1@client.example>\n", b"")
    image = b"Content-Type: image/png\n\n"
    assert read(bare + image + b"one").key != read(bare + image + b"two").key
    assert read(HEAD + image + b"one").key != read(HEAD + image + b"two").key
    assert read(bare + b"\nhi\n> old one").key != read(bare + b"\nhi\n> old two").key


@pytest.mark.parametrize(
    ("octets", "defect"),
    [
        (b"", "there is no From field"),
        (HEAD + HEAD + b"\nx", "there is more than one From field"),
        (b"X: y\n" * 2_000 + b"\nx", "the head is over the limit"),
        (b"X: " + b"y" * 70_000 + b"\n\nx", "a line in the head is over the limit"),
        (b"X: y\n" + b" y\n" * 30_000 + b"\nx", "the field x is over the limit"),
        (HEAD + MIXED + b"--b\n\nx\n" * 600, "there are too many parts"),
        (HEAD + b"Content-Type: message/rfc822\n\n" * 60, "parts are nested too deeply"),
        (HEAD + b"\n" + b"word " * 700_000, "the text is over the limit"),
        (HEAD + b"Content-Type: text/plain; charset=zlib\n\nx\xff", "unknown charset 'zlib'"),
    ],
)
def test_limits_and_faults_are_named(octets: bytes, defect: str) -> None:
    assert defect in read(octets).defects


def test_a_mail_of_which_only_the_head_was_fetched_says_so() -> None:
    assert "only the head of the mail was fetched" in read(HEAD + b"\nhello", size=40_000_000).defects


def test_ids_and_dates() -> None:
    mail = read(
        b"From: a@b.example\nMessage-ID: <<>>@\nIn-Reply-To: see <1@b.example> (yesterday)\n"
        b"References: <1@b.example>\n <2@b.example> rubbish <no-at>\nDate: Sun, 22 Nov 2026 10:00:00 +0200\n\nx"
    )
    assert mail.message_id == ""
    assert mail.in_reply_to == ("<1@b.example>",)
    assert mail.references == ("<1@b.example>", "<2@b.example>")
    assert mail.date == datetime(2026, 11, 22, 8, tzinfo=UTC)
    assert read(b"Date: " + b"9" * 9_000 + b"\n\nx").date is None


RESULTS = b"Authentication-Results: %s; dmarc=%s header.from=%s\n"


@pytest.mark.parametrize(
    ("fields", "trust"),
    [
        (RESULTS % (b"mx.firm.example", b"pass", b"client.example"), "authenticated"),
        (RESULTS % (b"MX.firm.example 1", b"pass (p=none)", b"client.example"), "authenticated"),
        (RESULTS % (b"mx.evil.example", b"pass", b"client.example"), "unauthenticated"),
        (RESULTS % (b"(mx.firm.example) mx.evil.example", b"pass", b"client.example"), "unauthenticated"),
        (RESULTS % (b"mx.firm.example", b"pass", b"other.example"), "unauthenticated"),
        (RESULTS % (b"mx.firm.example", b"none", b"client.example"), "unauthenticated"),
        (RESULTS % (b"mx.firm.example", b"fail", b"client.example"), "none"),
        (RESULTS % (b"mx.firm.example", b"pass", b"client.example") * 2, "unauthenticated"),
        (b"", "unauthenticated"),
    ],
)
def test_only_our_border_authenticates(fields: bytes, trust: str) -> None:
    assert read(fields + HEAD + b"\nhello").identity.trust == trust


def test_letters_that_are_written_as_two_signs_become_one() -> None:
    words = unicodedata.normalize("NFD", "Müller kündigt in München")
    message = read(f"From: a@b.example\r\nSubject: {words}\r\n\r\n{words} und grüßt.\r\n".encode())
    assert message.subject == "Müller kündigt in München"
    assert message.new_text.strip() == "Müller kündigt in München und grüßt."
