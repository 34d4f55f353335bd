"""Our words and one recipient go in, the octets of a mail that no other program can misread come out (RFC 5322)."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode, encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Literal

from triaged.decision import Outgoing
from triaged.errors import Permanent
from triaged.mail.strict import faults
from triaged.model import Address

MAX_REFERENCES = 50
"""S23: ids in References."""
MAX_REFERENCES_BYTES = 8_000
"""S23 says 8 KB; with the line ends of a folded field."""
MAX_ID_CHARACTERS = 990
"""RFC 5322 2.1.1: a line holds 998, and an id cannot be folded."""
MAX_SUBJECT_CHARACTERS = 250
MAX_NAME_CHARACTERS = 100

_SHORT_LINE = 78
"""RFC 5322 2.1.1: characters a line should have at most, without CRLF."""
_LONGEST_WORD = 64
"""Characters; a longer one is encoded in pieces, since it could not stand behind `Subject: `."""
_WORD_OCTETS = 39
"""Of UTF-8 in one encoded word: 64 characters, so that it stands behind `Subject: ` within 76 (RFC 2047 2)."""
_SIGNATURE_FOLLOWS = "-- "
"""RFC 3676 4.3."""
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SPECIALS = re.compile(r"[<>@,;:()\[\]\"\\]+")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_LOCAL = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_PLAIN_ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.:;\[\]-]+@[A-Za-z0-9!#$%&'*+/=?^_`{|}~.:;\[\]-]+>")
_METHOD = re.compile(rb"^METHOD:([A-Za-z-]{1,20})\r?$", re.MULTILINE)


def make_message_id(secret: bytes, key: str, domain: str) -> str:
    """The Message-ID of the mail for an effect's key: always the same, and nobody else can make it (S25)."""
    return f"<{hmac.new(secret, key.encode(), hashlib.sha256).hexdigest()[:40]}@{domain}>"


def compose(
    *,
    message_id: str,
    sender: Address,
    envelope_sender: str,
    recipient: Address,
    subject: str,
    text: str,
    html: str | None = None,
    date: datetime,
    in_reply_to: str = "",
    references: tuple[str, ...] = (),
    automatic: Literal["auto-replied", "auto-generated"],
    calendar: bytes | None = None,
) -> Outgoing:
    """Build a mail to exactly one recipient and have its octets looked at by a stranger (`strict.faults`).

    references: those of the mail that is answered; in_reply_to: its Message-ID, left out if it is no valid
    one. calendar: a VCALENDAR; its own METHOD is named in the part (RFC 6047 2.4). Line breaks and control
    characters in subject and names are removed. date: aware. Raises: Permanent when the mail must not leave.
    """
    to = wire_address(recipient.addr_spec)
    head = [
        _folded("Message-ID", (_one_id(message_id),)),
        _folded("Date", (format_datetime(date),)),
        _folded("From", (*_phrase(sender.display_name), f"<{wire_address(sender.addr_spec)}>")),
        _folded("To", (*_phrase(recipient.display_name), f"<{to}>")),
        _folded("Subject", _words(_line(subject)[:MAX_SUBJECT_CHARACTERS].rstrip())),
    ]
    head += _thread(in_reply_to, references)
    head += (
        _folded("Auto-Submitted", (automatic,)),
        _folded("X-Auto-Response-Suppress", ("All",)),
        b"MIME-Version: 1.0\r\n",
    )
    parts = [_text_part("plain", text)]
    if html is not None:
        parts.append(_text_part("html", html))
    if calendar is not None:
        parts.append(_calendar_part(calendar))
    octets = b"".join(head) + (parts[0] if len(parts) == 1 else _alternatives(parts, message_id))
    mail = Outgoing(wire_address(envelope_sender) if envelope_sender != "" else "", to, message_id, octets)
    if found := faults(mail):
        raise Permanent("the mail must not leave: " + "; ".join(found))
    return mail


# --- fields ----------------------------------------------------------------------------------------------------


def _folded(name: str, words: Sequence[str]) -> bytes:
    """One field with its CRLF, folded between words (RFC 5322 2.2.3). The standard library's folding is not used: it
    decodes what it is given, and differs from one Python to the next (mail-safety 4.8)."""
    lines, line = [], f"{name}:"
    for word in words:
        if len(line) + 1 + len(word) > _SHORT_LINE:
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join((*lines, line, "")).encode("ascii")


def _words(text: str) -> list[str]:
    """One line of text as the words of a field: as it is, or in UTF-8 and base64 (RFC 2047)."""
    words = text.split(" ")
    if text.isascii() and "=?" not in text and all(len(word) <= _LONGEST_WORD for word in words):
        return words if text != "" else []
    return _encoded(text)


def _encoded(text: str) -> list[str]:
    octets = text.encode("utf-8")
    encoded, start = [], 0
    while start < len(octets):
        end = start + _WORD_OCTETS
        while end < len(octets) and octets[end] & 0xC0 == 0x80:  # not within a character
            end -= 1
        encoded.append(f"=?utf-8?B?{b64encode(octets[start:end]).decode('ascii')}?=")
        start = end
    return encoded


def _phrase(name: str) -> list[str]:
    """A display name, without the characters that have a meaning in an address list (RFC 5322 3.2.5)."""
    name = _line(_SPECIALS.sub(" ", name))[:MAX_NAME_CHARACTERS].strip()
    if not name.isascii() or _PHRASE.fullmatch(name) is not None:
        return _words(name)
    # Never folded within its quotes: the standard library then reads no address at all (found by our fuzzing).
    return [f'"{name}"'] if len(name) <= _LONGEST_WORD else _encoded(name)


# --- parts -----------------------------------------------------------------------------------------------------


def _text_part(subtype: str, text: str) -> bytes:
    """Quoted-printable, or base64 where that is shorter: most scripts but Latin."""
    octets = _body(text).encode("utf-8")
    encoding, body = "quoted-printable", b2a_qp(octets, istext=True)
    if len(body) > len(octets) * 3 // 2:
        encoding, body = "base64", encodebytes(octets.replace(b"\n", b"\r\n"))
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode("ascii") + body.replace(b"\n", b"\r\n")


def _calendar_part(calendar: bytes) -> bytes:
    method = _METHOD.search(calendar)
    if method is None:
        raise Permanent("the invitation has no METHOD")
    kind = f'text/calendar; charset="utf-8"; method="{method[1].decode("ascii").upper()}"'
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head.encode("ascii") + encodebytes(calendar).replace(b"\n", b"\r\n")


def _alternatives(parts: Sequence[bytes], message_id: str) -> bytes:
    """RFC 2046 5.1.4. The boundary comes from the id, not by chance, so that the same mail has the same octets."""
    boundary = f"=_{hashlib.sha256(message_id.encode()).hexdigest()[:40]}"
    head = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    mark = f"--{boundary}".encode("ascii")
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts)
    return head.encode("ascii") + body + mark + b"--\r\n"


# --- values ----------------------------------------------------------------------------------------------------


def wire_address(addr_spec: str) -> str:
    """The address as it goes over the wire, its domain as A-labels. Raises: Permanent.

    A local part outside ASCII needs SMTPUTF8, which the other side may not have (S27), and is refused. So is a domain
    that comes back otherwise from its A-labels: IDNA 2003 makes `fass.example` of `faß.example`, which is another's.
    """
    local, _, domain = addr_spec.rpartition("@")
    if not local.isascii():
        raise Permanent("what stands before the @ in the address is not ASCII, which not every mail server takes")
    if not domain.isascii():
        domain = _a_labels(domain)
    if _LOCAL.fullmatch(local) is None or "=?" in local or len(domain) > 253 or _DOMAIN.fullmatch(domain) is None:
        raise Permanent("not an address that every mail server takes")
    return f"{local}@{domain}"


def _a_labels(domain: str) -> str:
    try:
        wire = domain.encode("idna").decode("ascii") if len(domain) <= 253 else ""
        if wire.encode("ascii").decode("idna") == domain:
            return wire
    except UnicodeError:
        pass
    raise Permanent("the domain of the address cannot be written in ASCII without a doubt")


def _one_id(message_id: str) -> str:
    if not _is_plain_id(message_id):
        raise Permanent("the mail's own Message-ID is not valid")
    return message_id


def _is_plain_id(message_id: str) -> bool:
    """Whether this is one msg-id that can be repeated in a mail of ours: no quotes, comments or encoded words in it."""
    return (
        len(message_id) <= MAX_ID_CHARACTERS and _PLAIN_ID.fullmatch(message_id) is not None and "=?" not in message_id
    )


def _line(text: str) -> str:
    """One line without anything that could end a field.

    `=?` is parted: the standard library decodes encoded words in what it is given, and one may hold a line break
    (CPython 3.11: a real Bcc line came out, found by our own test); whoever reads our mail with it is to be safe too.
    """
    text = _BREAKS.sub(" ", text.encode("utf-8", "replace").decode("utf-8"))
    return " ".join(text.replace("=?", "= ?").split())


def _body(text: str) -> str:
    """Lines without control characters and without white space at the end, where b2a_qp makes 77 octets of 76."""
    text = _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).encode("utf-8", "replace").decode("utf-8")
    lines = (line if line == _SIGNATURE_FOLLOWS else line.rstrip(" \t") for line in text.split("\n"))
    return "\n".join(lines).rstrip("\n") + "\n"


def _thread(in_reply_to: str, references: tuple[str, ...]) -> tuple[bytes, ...]:
    """The fields that say what is answered; none where that has no valid id (S23)."""
    if not _is_plain_id(in_reply_to):
        return ()
    return _folded("In-Reply-To", (in_reply_to,)), _folded("References", _references(references, in_reply_to))


def _references(references: tuple[str, ...], answered: str) -> tuple[str, ...]:
    """Old ones, then the one answered; cut in the middle so that the thread's root stays (RFC 5322 3.6.4, S23)."""
    ids = [each for each in dict.fromkeys(references) if _is_plain_id(each) and each != answered]
    ids.append(answered)
    while len(ids) > MAX_REFERENCES or (len(ids) > 2 and sum(len(each) + 1 for each in ids) > MAX_REFERENCES_BYTES):
        del ids[1]
    return tuple(ids)
