"""The head of a mail or part goes in as octets; its fields, and their text, addresses, ids and parameters come out.

A value is carried as a str with one character for each octet (latin-1), so that nothing is lost before its
charset is known. Every function is total and linear in its input.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from triaged.mail.charset import codec_of, decode

MAX_HEAD_BYTES = 262_144
"""S42; real heads stay under 32 KB."""
MAX_FIELDS = 1_000
"""S42."""
MAX_FIELD_BYTES = 65_536
"""S42: one field."""
MAX_PARAMETERS = 64
"""A Content-Type with more is an attack on RFC 2231 continuations (mail-safety 4.2)."""
MAX_ID_CHARACTERS = 998
"""S23; the longest line that RFC 5322 2.1.1 allows."""

_MAX_FOLDED = 20
"""Lines of one field that are looked at behind a line of blanks."""

_NAME = re.compile(rb"([!-9;-~]{1,256})[ \t]*:")
_NEWLINES = re.compile(r"[\r\n]+[ \t]*")


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a head, top to bottom: (name in lower case, value unfolded, one character per octet)."""

    items: tuple[tuple[str, str], ...] = ()
    _by_name: dict[str, list[str]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for name, value in self.items:
            self._by_name.setdefault(name, []).append(value)

    def all(self, name: str) -> list[str]:
        """Every value under this name (lower case), topmost first."""
        return self._by_name.get(name, [])

    def first(self, name: str) -> str:
        """The topmost value, `""` if there is none."""
        values = self._by_name.get(name)
        return values[0] if values else ""

    def has(self, name: str) -> bool:
        """Whether the field stands there at all, empty or not."""
        return name in self._by_name


def split_head(octets: bytes, start: int = 0, end: int | None = None) -> tuple[Fields, int, list[str]]:
    """The fields of octets[start:end] (lines end in LF), where the body begins, and what was broken."""
    end = len(octets) if end is None else end
    limit = min(end, start + MAX_HEAD_BYTES)
    lines: list[tuple[str, list[bytes]]] = []
    defects: list[str] = []
    position = start
    while position < limit:
        newline = octets.find(b"\n", position, end)
        line_end = end if newline < 0 else newline
        line = octets[position : min(line_end, position + MAX_FIELD_BYTES)]
        following = min(line_end + 1, end)
        if line_end - position > MAX_FIELD_BYTES:
            defects.append("a line in the head is over the limit")
        if line.strip(b" \t\r") == b"" and (line == b"" or not lines or not _goes_on_folded(octets, following, end)):
            return _fields(lines, defects), following, defects
        if line[:1] in (b" ", b"\t") and lines:
            lines[-1][1].append(line)
        elif name := _NAME.match(line if lines else line.lstrip(b" \t")):
            lines.append((name[1].decode("ascii").lower(), [name.string[name.end() :]]))
        elif _goes_on(octets, following, end) and len(defects) < 20:
            defects.append("a line in the head is no field")
        else:
            defects.append("no empty line between head and body")
            return _fields(lines, defects), position, defects
        if len(lines) > MAX_FIELDS:
            break
        position = following
    if position < end:
        defects.append("the head is over the limit")
        blank = octets.find(b"\n\n", max(start, position - 1), end)
        position = end if blank < 0 else blank + 2
    return _fields(lines, defects), position, defects


def _goes_on(octets: bytes, position: int, end: int) -> bool:
    """Whether a well-known kind of field follows, so that the odd line before it was not the end of the head."""
    return _NAME.match(octets, position, min(end, position + 80)) is not None


def _goes_on_folded(octets: bytes, position: int, end: int) -> bool:
    """The same behind a line of blanks, which may stand within a folded field (RFC 5322 4.2)."""
    for _ in range(_MAX_FOLDED):
        if octets[position : position + 1] not in (b" ", b"\t"):
            return _goes_on(octets, position, end)
        position = octets.find(b"\n", position, min(end, position + 1_000)) + 1
        if position == 0:
            break
    return False


def _fields(lines: list[tuple[str, list[bytes]]], defects: list[str]) -> Fields:
    items = []
    for name, pieces in lines[:MAX_FIELDS]:
        value = b"\n".join(pieces) if len(pieces) > 1 else pieces[0]
        if len(value) > MAX_FIELD_BYTES:
            value = value[:MAX_FIELD_BYTES]
            defects.append(f"the field {name[:40]} is over the limit")
        text = value.decode("latin-1")
        if len(pieces) > 1 or "\r" in text:
            text = _NEWLINES.sub(" ", text)
        items.append((name, text.strip(" \t")))
    return Fields(tuple(items))


# --- RFC 2047 ------------------------------------------------------------------------------------------------

_WORD_START = re.compile(r"=\?([A-Za-z0-9][A-Za-z0-9_.:+-]{0,59})(?:\*[A-Za-z0-9-]{0,20})?\?([BbQq])\?")
_WORD_END = re.compile(r"\?=(?=[\s,;:.!()<>\"'\[\]]|=\?|$)|\?=(?![0-9A-Fa-f]{2})")
_Q_ESCAPE = re.compile(rb"=[ \t]*([0-9A-Fa-f]{2})")
_NOT_BASE64 = bytes(each for each in range(256) if not (chr(each).isalnum() and each < 128) and each not in b"+/-_=")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def text_of(value: str, hint: str = "") -> str:
    """The readable text of an unstructured value or phrase: RFC 2047 words and raw 8-bit octets, in one line.

    hint: the charset of the body, for raw octets. Neighbouring words of one charset are joined before
    decoding, since senders split characters between them.
    """
    if not value.isascii() and max(value) > "\xff":
        value = value.encode("utf-8", "replace").decode("latin-1")  # it was text already
    if "=?" not in value:
        plain = value if value.isascii() and "\x1b" not in value else _octets_text(value, hint)
        return one_line(plain)
    pieces: list[tuple[str, str, bytes]] = []  # (kind: text|charset, label, octets)
    position = 0
    while (start := _WORD_START.search(value, position)) is not None:
        stop = _WORD_END.search(value, start.end())
        another = value.find("=?", start.end())
        cut, after = (stop.start(), stop.end()) if stop is not None else (len(value), len(value))
        if 0 <= another < cut and _WORD_START.match(value, another) is not None:
            cut = after = another  # the end of the word was lost
        between = value[position : start.start()]
        if between.strip() or not pieces or not pieces[-1][0]:
            pieces.append(("", hint, between.encode("latin-1")))
        octets = _word_octets(value[start.end() : cut], start[2])
        if pieces and pieces[-1][0] == "word" and pieces[-1][1].lower() == start[1].lower():
            pieces[-1] = ("word", pieces[-1][1], pieces[-1][2] + octets)
        else:
            pieces.append(("word", start[1], octets))
        position = after
        if stop is None and cut == len(value):
            break
    pieces.append(("", hint, value[position:].encode("latin-1")))
    return one_line("".join(_piece_text(*piece) for piece in pieces))


def _piece_text(kind: str, label: str, octets: bytes) -> str:
    if kind == "" and octets.isascii() and b"\x1b" not in octets:
        return octets.decode("ascii")
    return decode(octets, label)[0]


def _octets_text(value: str, hint: str) -> str:
    return decode(value.encode("latin-1"), hint)[0]


def _word_octets(payload: str, encoding: str) -> bytes:
    octets = payload.encode("latin-1")
    if encoding in "Bb":
        return base64_octets(octets)
    return _Q_ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), octets.replace(b"_", b" "))


def base64_octets(octets: bytes) -> bytes:
    """What base64 text stands for; foreign characters, missing padding and padding in the middle do no harm."""
    pieces = []
    for run in octets.translate(_URL_SAFE, _NOT_BASE64.replace(b"-", b"").replace(b"_", b"")).split(b"="):
        if len(run) % 4 == 1:
            run = run[:-1]
        if run:
            pieces.append(binascii.a2b_base64(run + b"=" * (-len(run) % 4)))
    return b"".join(pieces)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+")


def one_line(text: str) -> str:
    """Without control characters, line breaks and marks that turn the direction of writing round."""
    return _CONTROL.sub(lambda found: " " if found[0].strip("\t\n\r\u2028\u2029") != found[0] else "", text).strip()


# --- parameters (RFC 2045 5.1, RFC 2231) -----------------------------------------------------------------------

_PARAMETER = re.compile(r"\s*([^\s=;\"]{1,80})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"?|([^;]*))[^;]*")


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """The leading token in lower case and its parameters (names in lower case), RFC 2231 pieces put together."""
    token, _, rest = value.partition(";")
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    position = 0
    for _ in range(MAX_PARAMETERS):
        found = _PARAMETER.match(rest, position)
        if found is None:
            semicolon = rest.find(";", position)
            if semicolon < 0:
                break
            position = semicolon + 1
            continue
        position = min(found.end() + 1, len(rest))
        name = found[1].lower()
        text = re.sub(r"\\(.)", r"\1", found[2]) if found[2] is not None else found[3].strip()
        if split := re.fullmatch(r"([^*]+)\*(?:(\d{1,3})(\*)?)?", name):
            coded = split[2] is None or split[3] is not None
            pieces.setdefault(split[1], {})[int(split[2] or 0)] = (coded, text)
        else:
            plain.setdefault(name, text)
    for name, numbered in pieces.items():
        plain[name] = _rfc2231(numbered)
    return token.strip().lower(), plain


def _rfc2231(numbered: dict[int, tuple[bool, str]]) -> str:
    label, octets = "", b""
    for index, (coded, text) in sorted(numbered.items()):
        if coded and index == 0 and text.count("'") >= 2:
            label, _, text = text.split("'", 2)
        octets += unquote_to_bytes(text.encode("latin-1")) if coded else text.encode("latin-1")
    if octets.isascii() and not codec_of(label).startswith(("iso2022", "hz", "utf-16")):
        return octets.decode("ascii")
    # Handed on as octets of UTF-8, one character each, like every other value here.
    return decode(octets, label)[0].encode("utf-8", "replace").decode("latin-1")


# --- ids and dates ---------------------------------------------------------------------------------------------

_ID = re.compile(r"<[!-;=?A-~]{1,900}@[!-;=?A-~]{1,900}>")


def message_ids(value: str, *, most: int = 200) -> tuple[str, ...]:
    """The valid msg-ids (RFC 5322 3.6.4) in a value, with brackets, in order; of too many the first and last ones."""
    ids = [found for found in _ID.findall(value) if len(found) <= MAX_ID_CHARACTERS]
    ids = list(dict.fromkeys(ids))
    return tuple(ids if len(ids) <= most else ids[:1] + ids[1 - most :])


def date_of(value: str) -> datetime | None:
    """The Date field in UTC, None if unusable; one without a zone is taken as UTC (RFC 5322 3.3)."""
    try:
        date = parsedate_to_datetime(value[:100])
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def without_comments(value: str) -> str:
    """The value without RFC 5322 comments; quoted strings stay."""
    if "(" not in value:
        return value
    kept, depth, quoted, escaped = [], 0, False, False
    for character in value:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"' and depth == 0:
            quoted = not quoted
        elif not quoted and character == "(":
            depth += 1
            continue
        elif not quoted and character == ")" and depth:
            depth -= 1
            if depth == 0:
                kept.append(" ")
            continue
        if depth == 0:
            kept.append(character)
    return "".join(kept)
