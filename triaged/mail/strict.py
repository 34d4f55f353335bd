"""A mail that is about to leave in, everything that forbids it to leave out: a stranger's look at the bare octets.

It knows only the mails we mean to send and refuses every other, valid or not. It shares no code with `compose` and
uses no mail library, so that a mistake there is not made twice (mail-safety S26).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from typing import Final

from triaged.decision import WHEN, Outgoing

MAX_MAIL_BYTES = 65_536
"""S26: an acknowledgement is a page; more is a template gone wrong."""
MAX_LINE_BYTES = 998
"""RFC 5322 2.1.1, without CRLF."""
MAX_CODED_LINE_BYTES = 76
"""RFC 2045 6.7 and 6.8: of quoted-printable and base64; also RFC 2047 2."""
MAX_REFERENCES = 50
"""S23: ids in References."""
MAX_REFERENCES_BYTES = 8_192
"""S23."""

_ATOM: Final = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ID: Final = rb"<[!#-'*+\-./0-;=?A-Z\\^-~\[\]]{1,900}@[!#-'*+\-./0-;=?A-Z\\^-~\[\]]{1,900}>"
_LABEL: Final = rb"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = (
    rb"(?=[^@]{1,64}@[^@]{1,253}\Z)" + _ATOM + rb"(?:\." + _ATOM + rb")*@" + _LABEL + rb"(?:\." + _LABEL + rb")*"
)
_PHRASE: Final = rb"(?:\"[ !#-'*+\-./0-9=?A-Z^-~]*\"|" + _ATOM + rb"(?:[ \t]+" + _ATOM + rb")*)"
_DAY: Final = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH: Final = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_LEAF: Final = rb"text/(?:plain|html); charset=\"utf-8\"|text/calendar; charset=\"utf-8\"; method=\"[A-Z]{1,20}\""
_MULTIPART: Final = re.compile(rb"multipart/alternative; boundary=\"([A-Za-z0-9=_]{10,70})\"")

_HEAD: Final[Mapping[bytes, re.Pattern[bytes]]] = {
    name: re.compile(shape)
    for name, shape in {
        b"message-id": _ID,
        b"date": _DAY
        + rb", [0-3][0-9] "
        + _MONTH
        + rb" [12][0-9]{3} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] [+-][01][0-9][0-5][0-9]",
        b"from": rb"(?:" + _PHRASE + rb"[ \t]+)?<[^<>]+>|[^<> \t]+",
        b"to": rb"(?:" + _PHRASE + rb"[ \t]+)?<[^<>]+>|[^<> \t]+",
        b"subject": rb"[ -~\t]*",
        b"in-reply-to": _ID,
        b"references": _ID + rb"(?:[ \t]+" + _ID + rb")*",
        b"auto-submitted": rb"auto-replied|auto-generated",
        b"x-auto-response-suppress": rb"All",
        b"mime-version": rb"1\.0",
        b"content-type": _LEAF + rb"|" + _MULTIPART.pattern,
        b"content-transfer-encoding": rb"quoted-printable|base64",
    }.items()
}
"""The fields that our mails have, each with all that may stand in it; any other, or one of these twice, is a fault."""
_MAY_BE_MISSING: Final = frozenset({b"in-reply-to", b"references", b"content-transfer-encoding"})
_PART: Final = {name: _HEAD[name] for name in (b"content-type", b"content-transfer-encoding")}
_KINDS: Final = (b"text/plain", b"text/html", b"text/calendar")

_FIELD: Final = re.compile(rb"([A-Za-z-]{1,40}):[ \t]*(.*)", re.DOTALL)
_WRITTEN_AS_WORDS: Final = (b"from", b"to", b"subject")
_WORD: Final = re.compile(rb"=\?utf-8\?B\?([A-Za-z0-9+/]+={0,2})\?=", re.IGNORECASE)
_ADDR_SPEC: Final = re.compile(_ADDRESS)
_NOT_QUOTED: Final = re.compile(rb"[^!-~ \t\r\n]|=(?![0-9A-F]{2}|\r\n)|[ \t]\r\n")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BREAK: Final = re.compile("[\n\t\u2028\u2029]")
_MARK: Final = re.compile(r"\{\{|\{%|" + re.escape(WHEN))
_METHOD: Final = re.compile(r"^METHOD[:;](.*)$", re.MULTILINE | re.IGNORECASE)


def faults(mail: Outgoing) -> tuple[str, ...]:
    """What forbids this mail to leave, a few words each; empty if nothing does. Never raises, linear in its size."""
    octets = mail.octets
    if len(octets) > MAX_MAIL_BYTES:
        return (f"larger than {MAX_MAIL_BYTES // 1024} KB",)
    found = [*_line_faults(octets), *_envelope_faults(mail)]
    head, gap, body = octets.partition(b"\r\n\r\n")
    if gap == b"":
        return (*found, "no end of the head")
    fields = _fields(head, _HEAD, found)
    found.extend(f"no {_shown(name)}" for name in _HEAD if name not in fields and name not in _MAY_BE_MISSING)
    found.extend(_head_faults(fields, mail))
    multipart = _MULTIPART.fullmatch(fields.get(b"content-type", b""))
    if multipart is None:
        found.extend(_leaf_faults(fields, body))
    elif b"content-transfer-encoding" in fields:
        found.append("an encoding of a whole of several parts")
    else:
        found.extend(_part_faults(b"--" + multipart[1], body))
    return tuple(dict.fromkeys(found))


def _line_faults(octets: bytes) -> list[str]:
    found = []
    if not octets.isascii() or b"\0" in octets:
        found.append("octets outside 7-bit ASCII")
    if octets.count(b"\r\n") != octets.count(b"\r") or octets.count(b"\r\n") != octets.count(b"\n"):
        found.append("a line that does not end in CRLF")
    if not octets.endswith(b"\r\n"):
        found.append("no CRLF at the end")
    if max(map(len, octets.split(b"\r\n"))) > MAX_LINE_BYTES:
        found.append(f"a line longer than {MAX_LINE_BYTES} octets")
    return found


def _envelope_faults(mail: Outgoing) -> list[str]:
    found = []
    if mail.sender != "" and not _is_address(mail.sender):
        found.append("the envelope sender is no address")
    if not _is_address(mail.recipient):
        found.append("the recipient is no address")
    return found


def _is_address(text: str) -> bool:
    return text.isascii() and _ADDR_SPEC.fullmatch(text.encode("ascii")) is not None


# --- the head --------------------------------------------------------------------------------------------------


def _fields(head: bytes, shapes: Mapping[bytes, re.Pattern[bytes]], found: list[str]) -> dict[bytes, bytes]:
    """The fields, unfolded (RFC 5322 2.2.3), names in lower case; each once, ours, and as it must be, or a fault."""
    lines: list[bytes] = []
    for line in head.split(b"\r\n"):
        if line[:1] not in (b" ", b"\t"):
            lines.append(line)
        elif len(lines) == 0 or line.strip(b" \t") == b"":
            found.append("a line in the head that goes on from nothing, or holds nothing")
        else:
            lines[-1] += line
    fields: dict[bytes, bytes] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        name = field[1].lower() if field is not None else line[:40]
        value = field[2].rstrip(b" \t") if field is not None else b""
        if field is None or name not in shapes:
            found.append(f"a field that is not ours: {_shown(name)!r}")
        elif name in fields:
            found.append(f"{_shown(name)} stands there twice")
        elif shapes[name].fullmatch(value) is None:
            found.append(f"{_shown(name)} is not as it must be")
        fields.setdefault(name, value)
    return fields


def _shown(octets: bytes) -> str:
    return octets[:40].decode("ascii", "replace")


def _head_faults(fields: Mapping[bytes, bytes], mail: Outgoing) -> list[str]:
    found = []
    if _addr_spec(fields.get(b"to", b"")) != mail.recipient.encode("ascii", "replace"):
        found.append("To is not the one recipient")
    if _ADDR_SPEC.fullmatch(_addr_spec(fields.get(b"from", b""))) is None:
        found.append("From is not one address")
    if fields.get(b"message-id", b"") != mail.message_id.encode("ascii", "replace"):
        found.append("Message-ID is not the one in the log")
    if any(len(fields.get(name, b"")) > MAX_LINE_BYTES for name in (b"message-id", b"in-reply-to")):
        found.append("an id that is too long")
    references = fields.get(b"references", b"")
    if len(references) > MAX_REFERENCES_BYTES or references.count(b"<") > MAX_REFERENCES:
        found.append("too many References")
    for name, value in fields.items():
        words = _decoded(value) if name in _WRITTEN_AS_WORDS else None if b"=?" in value else ""
        if words is None or _CONTROL.search(words) is not None or _BREAK.search(words) is not None:
            found.append(f"{_shown(name)} holds a word that cannot be read")
        elif name == b"subject" and _MARK.search(words) is not None:
            found.append("a template's mark was not filled in")
    return found


def _addr_spec(value: bytes) -> bytes:
    """What stands in the angle brackets, or all of it where there are none."""
    return value.rpartition(b"<")[2][:-1] if value.endswith(b">") else value


def _decoded(value: bytes) -> str | None:
    """The text of RFC 2047 words; None where `=?` is not the beginning of one that is whole and stands alone."""
    if b"=?" not in value:
        return value.decode("ascii", "replace").replace("\t", " ")
    pieces: list[str] = []
    after_word = False
    for token in re.split(rb"[ \t]+", value):
        word = _WORD.fullmatch(token) if b"=?" in token else None
        if word is None:
            if b"=?" in token:
                return None
            pieces.extend((" ", token.decode("ascii", "replace")))
        else:
            text = _text(word[1] if len(token) <= MAX_CODED_LINE_BYTES else b"=")
            if text is None:
                return None
            pieces.extend(("" if after_word else " ", text))
        after_word = word is not None
    return "".join(pieces).strip(" ")


def _text(base64: bytes) -> str | None:
    try:
        return binascii.a2b_base64(base64, strict_mode=True).decode("utf-8")
    except ValueError:
        return None


# --- the body --------------------------------------------------------------------------------------------------


def _part_faults(mark: bytes, body: bytes) -> list[str]:
    """RFC 2046 5.1.1, as narrow as can be: nothing before the first mark, nothing after the last, no mark within."""
    if not body.startswith(mark + b"\r\n") or not body.endswith(b"\r\n" + mark + b"--\r\n"):
        return ["the parts do not begin or end where they must"]
    found: list[str] = []
    kinds: list[bytes] = []
    inner = body[len(mark) + 2 : -len(mark) - 6]
    for part in inner.split(b"\r\n" + mark + b"\r\n"):
        head, gap, content = part.partition(b"\r\n\r\n")
        if gap == b"" or part.startswith(mark) or b"\n" + mark in part:
            found.append("the parts do not begin or end where they must")
        fields = _fields(head, _PART, found)
        kinds.append(fields.get(b"content-type", b"").partition(b";")[0])
        found.extend(_leaf_faults(fields, content))
    if kinds != [kind for kind in _KINDS if kind in kinds] or kinds[:1] != [b"text/plain"]:
        found.append("the parts are not text, then HTML, then calendar, each once")
    return found


def _leaf_faults(fields: Mapping[bytes, bytes], content: bytes) -> list[str]:
    kind = fields.get(b"content-type", b"")
    text = _content(fields.get(b"content-transfer-encoding", b""), content)
    if text is None:
        return ["a part that cannot be decoded"]
    found = []
    if _CONTROL.search(text) is not None:
        found.append("a control character in the text")
    if kind.startswith(b"text/calendar"):
        # Marks may stand in it: the client's subject is in there as it came, and no template wrote more than the text.
        methods = [each.strip() for each in _METHOD.findall(text)]
        if methods != [kind.rpartition(b"=")[2].strip(b'"').decode("ascii", "replace")]:
            found.append("the calendar's method is not the part's")
    elif _MARK.search(text) is not None:
        found.append("a template's mark was not filled in")
    return found


def _content(encoding: bytes, content: bytes) -> str | None:
    """The text of a part, lines parted by LF, None if it is not what its encoding says."""
    if max(map(len, content.split(b"\r\n"))) > MAX_CODED_LINE_BYTES:
        return None
    octets = _from_base64(content) if encoding == b"base64" else None
    if encoding == b"quoted-printable":
        octets = _from_quoted(content)
    try:
        return None if octets is None else octets.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None


def _from_base64(content: bytes) -> bytes | None:
    try:
        return binascii.a2b_base64(content.replace(b"\r\n", b""), strict_mode=True)
    except ValueError:
        return None


def _from_quoted(content: bytes) -> bytes | None:
    """RFC 2045 6.7; a line may not end in white space, which a relay might take away."""
    if _NOT_QUOTED.search(content) is not None:
        return None
    first, *rest = content.replace(b"=\r\n", b"").split(b"=")
    return first + b"".join(bytes((int(each[:2], 16),)) + each[2:] for each in rest)
