"""Of a mail of many parts the one that is shown, its letters right, and the pictures that came with it."""

from __future__ import annotations

import base64

import pytest

from triaged.mail.layout import layout

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fcffff3f030005fe02fe"
    "a72d0a100000000049454e44ae426082"
)


def parts(kind: str, *bodies: str, more: str = "") -> str:
    boundary = f"b{abs(hash(bodies))}"
    return (
        f"Content-Type: multipart/{kind}; boundary={boundary}{more}\n\n"
        + "".join(f"--{boundary}\n{body}\n" for body in bodies)
        + f"--{boundary}--\n"
    )


PLAIN, RICH = "Content-Type: text/plain\n\nplain <words>", "Content-Type: text/html\n\n<b>rich</b>"
FILE = "Content-Type: text/html\nContent-Disposition: attachment; filename=x.html\n\n<b>file</b>"
LOGO_HEAD = "Content-Type: image/png\nContent-ID: <logo@x>\nContent-Transfer-Encoding: base64\n\n"
LOGO = LOGO_HEAD + base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    ("mail", "html"),
    [
        (RICH, "<b>rich</b>"),
        (parts("alternative", PLAIN, RICH), "<b>rich</b>"),
        (parts("alternative", RICH, PLAIN), "<b>rich</b>"),
        (parts("alternative", PLAIN, parts("related", RICH, LOGO)), "<b>rich</b>"),
        (parts("mixed", parts("alternative", PLAIN, RICH), FILE), "<b>rich</b>"),
        (parts("mixed", PLAIN, RICH), "<pre>plain &lt;words&gt;</pre>\n<b>rich</b>"),
        (
            parts("related", LOGO, RICH.replace("\n\n", "\nContent-ID: <root>\n\n"), more='; start="<root>"'),
            "<b>rich</b>",
        ),
        (parts("related", RICH, LOGO), "<b>rich</b>"),
    ],
)
def test_which_part_is_shown(mail: str, html: str) -> None:
    found = layout(mail.encode())
    assert found is not None
    assert found.html.strip() == html
    assert set(found.pictures) == ({"logo@x"} if "logo@x" in mail else set())


@pytest.mark.parametrize("mail", [PLAIN, FILE, parts("mixed", PLAIN, FILE), parts("alternative", PLAIN)])
def test_a_file_is_not_the_mail(mail: str) -> None:
    assert layout(mail.encode()) is None


@pytest.mark.parametrize(
    ("octets", "word"),
    [
        (b"Content-Type: text/html; charset=iso-8859-1\n\n<p>sch\xf6n", "schön"),
        (b"Content-Type: text/html\n\n<meta charset=windows-1251><p>\xef\xf0\xe8\xe2\xe5\xf2", "привет"),
        (
            b"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n<p>sch=C3=B6n",
            "schön",
        ),
        (
            b"Content-Type: text/html; charset=utf-16le\nContent-Transfer-Encoding: base64\n\n"
            + base64.b64encode("<p>schön".encode("utf-16-le")),
            "schön",
        ),
    ],
)
def test_letters_are_what_the_sender_wrote(octets: bytes, word: str) -> None:
    found = layout(octets)
    assert found is not None
    assert word in found.html


def test_large_pictures_are_left_out() -> None:
    large = LOGO_HEAD + base64.b64encode(PNG + b"x" * 600_000).decode()
    found = layout(parts("related", RICH, large).encode())
    assert found is not None
    assert found.pictures == {}
