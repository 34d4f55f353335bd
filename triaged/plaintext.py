"""The octets of a file that a person wrote in, its text out; what is no plain text is named, with what to do."""

from __future__ import annotations

import re
import unicodedata

from triaged.errors import ConfigError, Problem

_MARKS = (
    (b"{\\rtf", "is a Rich Text document (RTF)"),
    (b"PK\x03\x04", "is a document of Word or another office program, or a ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "is a document of an old Word or Excel"),
    (b"%PDF", "is a PDF"),
    (b"\x89PNG", "is a picture"),
    (b"\xff\xd8\xff", "is a picture"),
)
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml|head|body|meta|div|p|pre)\b", re.IGNORECASE)
"""How a page saved by a browser or an office program begins."""
_BLANKS = dict.fromkeys(map(ord, "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f"), " ")
_UNSEEN = dict.fromkeys(map(ord, "\ufeff\u200b\u2060\u00ad"))
"""Marks that show nothing and come with what is copied from Word or a web page."""


def text_of(octets: bytes, *, name: str, markup: bool = False, as_typed: bool = False) -> str:
    """The text with plain blanks and `\\n` as line ends; a byte order mark, CRLF and Mac line ends do no harm.

    markup: it may be HTML. as_typed: blanks that do not break and soft hyphens are meant, and stay.
    Raises: ConfigError with `file:line` where there is a line.
    """
    if (what := _other_kind(octets, markup=markup)) != "":
        raise ConfigError((Problem(name, what),))
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError((Problem(f"{name}:{_line(octets, error.start)}", _not_utf8(octets, error.start)),)) from None
    if (at := octets.find(b"\0")) >= 0:
        what = "holds a character that cannot be seen (NUL), as a damaged file does; type the line anew"
        raise ConfigError((Problem(f"{name}:{_line(octets, at)}", what),))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if as_typed else text.translate(_BLANKS).translate(_UNSEEN)


def _other_kind(octets: bytes, *, markup: bool) -> str:
    """Why the file is no plain text at all, or `""`."""
    for mark, what in _MARKS:
        if octets.startswith(mark):
            return f"{what}, not plain text; open it, choose 'Save as' and take plain text, UTF-8 (*.txt)"
    if not markup and _PAGE.match(octets[:500]):
        return "is a web page (HTML), not plain text; copy its words into a new file with an editor such as Notepad"
    even, odd = octets[:2000:2].count(0), octets[1:2000:2].count(0)
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")) or max(even, odd) > len(octets[:2000]) // 4:
        return "is saved as UTF-16 (Notepad calls it 'Unicode'); choose 'Save as' and take the encoding UTF-8"
    return ""


def _line(octets: bytes, at: int) -> int:
    before = octets[:at].replace(b"\r\n", b"\n")
    return before.count(b"\n") + before.count(b"\r") + 1


def _not_utf8(octets: bytes, at: int) -> str:
    """With the word that an older Windows or Mac encoding makes of it, where it makes one."""
    start = max(octets.rfind(sign, 0, at) for sign in (b" ", b"\n", b"\r", b'"', b"'")) + 1
    end = min((found for sign in (b" ", b"\n", b"\r", b'"', b"'") if (found := octets.find(sign, at)) >= 0), default=at)
    word = octets[start : min(end, start + 40)].decode("cp1252", "replace")
    seen = f" (the word is perhaps '{word}')" if word.isprintable() and "\ufffd" not in word and word != "" else ""
    return f"is not UTF-8 text{seen}; save the file as UTF-8"


def visible(text: str) -> str:
    """A line with control and invisible characters as escapes: what it shows may come from anybody."""
    return "".join(map(_visible, text))


def _visible(letter: str) -> str:
    if letter == "\t" or unicodedata.category(letter)[0] not in "CZ" or letter == " ":
        return letter
    return letter.encode("unicode_escape").decode("ascii")
