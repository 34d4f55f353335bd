"""The octets of a mail go in, its parts come out in order, bounded and without recursion over the input (RFC 2046)."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field

from triaged.mail import smime
from triaged.mail.headers import Fields, base64_octets, parameters, split_head

MAX_PARTS = 500
"""S42."""
MAX_DEPTH = 50
"""S42: multiparts and enclosed mails within each other."""
MAX_TEXT_BYTES = 2_097_152
"""S42: 2 MB of a text part are decoded; no person writes more."""
SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_MAX_FALSE_BOUNDARIES = 5_000
"""Lines that begin like a boundary and are none; more is an attack."""

_GUESSED = re.compile(rb"^--([^\s-][^\n]{0,120}?)[ \t\r]*\n(?:content-|\n)", re.IGNORECASE | re.MULTILINE)


@dataclass(slots=True)
class Part:
    """A part: its own fields, what it is, and where its body lies in the octets of the mail.

    content_type is always `type/subtype` in lower case; children are in order and empty for a leaf.
    """

    fields: Fields
    content_type: str
    parameters: dict[str, str]
    disposition: str
    filename: str
    source: bytes
    start: int
    end: int
    children: list[Part] = field(default_factory=list)

    @property
    def encoding(self) -> str:
        """Content-Transfer-Encoding, lower case, without what does not belong there."""
        return self.fields.first("content-transfer-encoding").split(";")[0].strip(" \t\"'.").lower()


def unix_lines(octets: bytes) -> bytes:
    """The octets with LF line ends, whatever they had (CRLF, CR CR LF, CR alone)."""
    if b"\r" not in octets:
        return octets
    octets = octets.replace(b"\r\n", b"\n")
    if b"\n" not in octets[:100_000]:
        return octets.replace(b"\r", b"\n")
    return octets.replace(b"\r\n", b"\n") if b"\r\n" in octets else octets


def read(octets: bytes, start: int = 0) -> tuple[Part, list[str]]:
    """The tree of parts of a mail whose lines end in LF; depth and number are bounded, the rest named as defects."""
    defects: list[str] = []
    root = _part(octets, start, len(octets), defects, default="text/plain")
    waiting = [(root, 0)]
    seen = 1
    while waiting:
        part, depth = waiting.pop()
        if depth >= MAX_DEPTH:
            defects.append("parts are nested too deeply")
            continue
        for source, begin, end, default in _inner(part, defects):
            seen += 1
            if seen > MAX_PARTS:
                defects.append("there are too many parts")
                return root, defects
            part.children.append(_part(source, begin, end, defects, default=default))
        waiting.extend((child, depth + 1) for child in reversed(part.children))
    return root, defects


def _part(octets: bytes, start: int, end: int, defects: list[str], *, default: str) -> Part:
    fields, body, broken = split_head(octets, start, end)
    defects.extend(broken)
    content_type, options = parameters(fields.first("content-type"))
    disposition, placing = parameters(fields.first("content-disposition"))
    if re.fullmatch(r"[\w.+-]+/[\w.+-]+", content_type) is None:
        token = re.match(r"[\w.+-]+/[\w.+-]+(?=\s)", content_type)  # the semicolon was lost
        known = {"text": "text/plain", "plain": "text/plain", "html": "text/html", "": default}
        if token is not None:
            known[content_type] = token[0]
        if content_type not in known:
            defects.append("an unreadable Content-Type")
        content_type = known.get(content_type, "text/plain")
    filename = placing.get("filename") or options.get("name") or ""
    return Part(fields, content_type, options, disposition, filename, octets, body, end)


def _inner(part: Part, defects: list[str]) -> list[tuple[bytes, int, int, str]]:
    """Where the parts within a part lie: (octets, start, end, default content type)."""
    if part.content_type.startswith("multipart/"):
        default = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
        return [(part.source, begin, end, default) for begin, end in _between_boundaries(part, defects)]
    if part.content_type in ("message/rfc822", "message/global", "message/news"):
        if part.encoding in ("base64", "quoted-printable"):
            octets = unix_lines(decoded(part))
            return [(octets, 0, len(octets), "text/plain")]
        return [(part.source, part.start, part.end, "text/plain")]
    if part.content_type in SMIME:
        return _signed(part, defects)
    return []


def _signed(part: Part, defects: list[str]) -> list[tuple[bytes, int, int, str]]:
    """The mail within an S/MIME body that is signed and not encrypted."""
    octets = decoded(part)
    if smime.is_encrypted(octets):
        defects.append("it is encrypted")
    content = smime.signed_content(octets)
    if content is None:
        return []
    content = unix_lines(content)
    return [(content, 0, len(content), "text/plain")]


def _between_boundaries(part: Part, defects: list[str]) -> list[tuple[int, int]]:
    named = part.parameters.get("boundary", "").strip().encode("latin-1")
    for boundary in (named, _guess(part)):
        if boundary:
            spans = _spans(part, boundary, defects)
            if spans:
                return spans
    defects.append("a multipart without its boundary")
    part.content_type = "text/plain"
    return []


def _guess(part: Part) -> bytes:
    """The boundary as the body shows it: a line of two hyphens and something, then a field or an empty line."""
    found = _GUESSED.search(part.source, part.start, min(part.end, part.start + 100_000))
    return found[1] if found is not None else b""


def _spans(part: Part, boundary: bytes, defects: list[str]) -> list[tuple[int, int]]:
    source, mark = part.source, b"--" + boundary
    spans: list[tuple[int, int]] = []
    begin, false_ones = -1, 0
    position = part.start
    while (at := source.find(mark, position, part.end)) >= 0:
        position = at + len(mark)
        newline = source.find(b"\n", position, part.end)
        line_end = part.end if newline < 0 else newline
        rest = source[position : min(line_end, position + 200)]
        closes = rest.startswith(b"--") or rest.strip() == b"-"
        if (at > part.start and source[at - 1] != 10) or (not closes and rest.strip() != b""):
            false_ones += 1
            if false_ones > _MAX_FALSE_BOUNDARIES:
                defects.append("too many lines like a boundary")
                break
            continue
        if begin >= 0:
            spans.append((begin, max(begin, at - 1)))
        begin = -1 if closes else min(line_end + 1, part.end)
        if closes or len(spans) > MAX_PARTS:
            return spans
    if begin >= 0:
        defects.append("the last boundary is missing")
        spans.append((begin, part.end))
    return spans


# --- content ---------------------------------------------------------------------------------------------------


def decoded(part: Part, *, most: int | None = None) -> bytes:
    """The body without its transfer encoding; at most about `most` octets; broken encodings give what they can."""
    needed = len(part.source) if most is None else most * (3 if part.encoding == "quoted-printable" else 2)
    body = part.source[part.start : min(part.end, part.start + needed)]
    match part.encoding:
        case "base64":
            octets = _from_base64(body)
        case "quoted-printable":
            octets = binascii.a2b_qp(body)
        case "x-uuencode" | "uuencode" | "x-uue" | "uue":
            octets = _uudecoded(body)
        case _:
            octets = body
    return octets if most is None else octets[:most]


_FOREIGN = re.compile(rb"[^A-Za-z0-9+/=\s_-]|(?<=[A-Za-z0-9]) +(?=[A-Za-z0-9])")


def _from_base64(body: bytes) -> bytes:
    """The octets; the body as it stands where it is no base64; with the plain footer that a list put behind it."""
    sample = body[:4_000]
    if len(_FOREIGN.findall(sample)) > max(4, len(sample) // 50):
        return body
    footer = _footer(body)
    return base64_octets(body[:footer]) + (b"\n" + body[footer:] if footer < len(body) else b"")


def _footer(body: bytes) -> int:
    """Where plain lines begin behind the last line of base64; the length of the body where there are none."""
    at = max(0, len(body) - 2_000)
    for line in body[at:].splitlines(keepends=True):
        if len(_FOREIGN.findall(line)) >= 2 or (line.startswith(b"__") and line.strip(b"_\n ") == b""):
            return at
        at += len(line)
    return len(body)


def size_of(part: Part) -> int:
    """About how many octets the decoded body has, without decoding it."""
    length = max(0, part.end - part.start)
    if part.encoding == "base64":
        newlines = part.source.count(b"\n", part.start, part.end)
        padding = part.source.count(b"=", max(part.start, part.end - 6), part.end)
        return max(0, (length - newlines) * 3 // 4 - padding)
    return length


def _uudecoded(body: bytes) -> bytes:
    octets, start = bytearray(), 0
    while start < len(body):
        newline = body.find(b"\n", start)
        end = len(body) if newline < 0 else newline
        line, start = body[start : min(end, start + 200)], end + 1
        if line.startswith((b"begin ", b"end")) or not line.strip():
            continue
        try:
            octets += binascii.a2b_uu(line)
        except binascii.Error:
            # Encoders that leave out trailing blanks: the first octet says how many characters count.
            count = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                octets += binascii.a2b_uu(line[:count].ljust(count))
            except binascii.Error:
                continue
    return bytes(octets)
