"""Octets as the server gave them go in, a `Message` with a value in every field comes out; never raises, bounded."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field, replace

from triaged.mail import mime, tnef
from triaged.mail.addresses import addresses
from triaged.mail.automatic import automatic, own_parts
from triaged.mail.bounce import read_bounce
from triaged.mail.calendarpart import calendar_of, is_calendar
from triaged.mail.charset import codec_of, decode, html_label
from triaged.mail.headers import Fields, date_of, message_ids, one_line, split_head, text_of
from triaged.mail.htmltext import to_text
from triaged.mail.identity import Border, identity
from triaged.mail.mime import Part
from triaged.mail.newtext import split
from triaged.model import Address, Attachment, Automatic, Identity, Message, Raw

MAX_MAIL_BYTES = 31_457_280
"""S42: 30 MB; what lies behind is not read."""
MAX_TEXT_CHARACTERS = 2_097_152
"""S42: 2 MB of text handed on."""
MAX_QUOTE_LINES = 1_000
"""S42: lines of quotes handed on."""
MAX_FIELDS_OF_ONE_NAME = 20
"""To, Cc … fields of one mail that are read; RFC 5322 3.6 allows one."""
MAX_SUBJECT_CHARACTERS = 998
"""RFC 5322 2.1.1: a subject in one line is not longer."""
MAX_DEFECTS = 20
MAX_HTML_TAGS = 60_000
"""In all HTML parts together; behind them no further part is read. A newsletter has 5,000."""
MAX_TNEF = 2
"""winmail.dat files that are opened in one mail; Outlook sends one."""

_FROM_LINE = re.compile(rb"\A>?From [^\r\n]*[\r\n]+")
_RECIPIENTS = (
    "to",
    "cc",
    "bcc",
    "resent-to",
    "resent-cc",
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
)

ONLY_HEAD = "only the head of the mail was fetched"
"""The defect of a mail that is over the size limit, or that the server would not give whole."""


BROKEN_HEAD = "the head was broken off by an empty line"
_BELOW = frozenset(
    ["from", "to", "cc", "subject", "date", "reply-to", "message-id", "in-reply-to", "references", "mime-version"]
)
"""What is taken from a head that stands below an empty line; nothing in it can say what our border found."""


def parse(raw: Raw, *, border: Border) -> Message:
    """Read a mail. Total: whatever the octets are, a `Message` comes back, and `defects` says what was broken."""
    try:
        return _parse(raw, border)
    except Exception as error:  # noqa: BLE001 - a mail must never stop the mailbox; a fault of ours becomes a defect
        return _bare(raw, f"could not be read: {type(error).__name__}")


def _parse(raw: Raw, border: Border) -> Message:
    octets = _normal(raw.octets[:MAX_MAIL_BYTES])
    defects = [ONLY_HEAD] if len(raw.octets) < raw.size_bytes else []
    if len(raw.octets) > MAX_MAIL_BYTES:
        defects.append("the mail is over the limit")
    root, fields, parts = _structure(octets, defects)
    hint = _charset_hint(parts)
    text, attachments = _text_and_attachments(root, defects)
    if not text.strip() and not attachments:
        defects.append("nothing to read in it")
    text = unicodedata.normalize("NFC", text)  # a Mac may write ü as two signs; rules and model know it as one
    new_text, quoted = split(text)
    quoted = _first_lines(quoted, defects)
    sender, trick = _sender(fields, hint, defects)
    if BROKEN_HEAD in defects:
        trick = trick or BROKEN_HEAD
    lists = {name: _all_addresses(fields, name, hint, defects) for name in ("reply-to", *_RECIPIENTS)}
    for_us = any(each.addr_spec.lower() in border.own_addresses for name in _RECIPIENTS for each in lists[name])
    ids = message_ids(fields.first("message-id"))
    message_id = ids[0] if len(ids) == 1 else ""
    date = date_of(fields.first("date"))
    if date is None:
        defects.append("no usable date")
    subject = unicodedata.normalize("NFC", text_of(fields.first("subject"), hint)[:MAX_SUBJECT_CHARACTERS]).strip()
    own = own_parts(root)
    calendar, calendar_method = calendar_of(own, defects)
    believed = identity(fields, sender=sender, trick=trick, border=border)
    by_whom = automatic(
        root,
        subject=subject,
        new_text=new_text,
        quoted=quoted,
        sender=sender,
        message_id=message_id,
        for_us=for_us,
        border=border,
    )
    return Message(
        key=_key(message_id, sender, fields.first("date"), new_text, octets),
        message_id=message_id,
        subject=subject,
        sender=sender,
        reply_to=lists["reply-to"],
        to=lists["to"],
        cc=lists["cc"],
        date=date,
        received=raw.received,
        in_reply_to=message_ids(fields.first("in-reply-to")),
        references=message_ids(fields.first("references")),
        text=text,
        new_text=new_text,
        quoted=quoted,
        attachments=attachments,
        automatic=by_whom,
        identity=believed,
        defects=tuple(dict.fromkeys(defects))[:MAX_DEFECTS],
        size_bytes=raw.size_bytes,
        bounce=read_bounce(root, own=own, text=text, automatic=by_whom),
        calendar=calendar,
        calendar_method=calendar_method,
    )


def _structure(octets: bytes, defects: list[str]) -> tuple[Part, Fields, list[Part]]:
    """The mail's parts, the fields that count, and all parts flat; a head broken off by an empty line is mended."""
    root, broken = mime.read(octets)
    defects += broken
    if (inner := _head_below(root)) is None:
        return root, root.fields, list(_flat(root))
    above = root.fields
    root, more = mime.read(octets, root.start)
    root.fields = Fields(root.fields.items + above.items)  # a machine may have said so in either
    defects += [BROKEN_HEAD, *more]
    return root, inner, list(_flat(root))


def _first_lines(quoted: str, defects: list[str]) -> str:
    lines = quoted.split("\n", MAX_QUOTE_LINES)
    if len(lines) > MAX_QUOTE_LINES:
        defects.append("the quotes are over the limit")
    return "\n".join(lines[:MAX_QUOTE_LINES])


def _head_below(root: Part) -> Fields | None:
    """The fields of a mail whose real head stands behind an empty line: what is above it says neither who nor what."""
    if any(root.fields.has(name) for name in ("from", "subject", "content-type", "date")):
        return None
    below, _, _ = split_head(root.source, root.start, root.end)
    if not (below.has("from") and (below.has("subject") or below.has("date") or below.has("to"))):
        return None
    return Fields(root.fields.items + tuple(item for item in below.items if item[0] in _BELOW))


def _bare(raw: Raw, defect: str) -> Message:
    """What can be told when reading failed: subject and sender, if even those."""
    octets = _normal(raw.octets[:MAX_MAIL_BYTES])
    subject, sender = "", None
    try:
        fields, _, _ = split_head(octets)
        subject = text_of(fields.first("subject"))[:MAX_SUBJECT_CHARACTERS]
        sender, _ = _sender(fields, "", [])
    except Exception:  # noqa: BLE001, S110 - the second attempt at a mail that broke us once already
        pass
    return Message(
        key=hashlib.sha256(octets).hexdigest()[:32],
        message_id="",
        subject=subject,
        sender=sender,
        reply_to=(),
        to=(),
        cc=(),
        date=None,
        received=raw.received,
        in_reply_to=(),
        references=(),
        text="",
        new_text="",
        quoted="",
        attachments=(),
        automatic=Automatic("hold", "It could not be read"),
        identity=Identity("none", "the mail could not be read"),
        defects=(defect,),
        size_bytes=raw.size_bytes,
    )


def _normal(octets: bytes) -> bytes:
    """LF line ends, without an mbox `From ` line or empty lines in front."""
    octets = octets.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    start = _FROM_LINE.match(octets)
    return mime.unix_lines(octets[start.end() :] if start is not None else octets)


def _key(message_id: str, sender: Address | None, date: str, new_text: str, octets: bytes) -> str:
    """32 hex digits. Without Message-ID or text all the body counts, lest two different mails share a key."""
    digest = hashlib.sha256()
    for piece in (message_id, sender.addr_spec if sender is not None else "", date, new_text):
        digest.update(piece.encode("utf-8", "surrogatepass") + b"\0")
    if message_id == "" or new_text == "":
        _, body, _ = split_head(octets)
        digest.update(octets[body:].rstrip() if body < len(octets) else octets)
    return digest.hexdigest()[:32]


# --- who -----------------------------------------------------------------------------------------------------


def _sender(fields: Fields, hint: str, defects: list[str]) -> tuple[Address | None, str]:
    """The one address of the one From field, or None; and what was wrong or tried (S32, S33)."""
    values = fields.all("from")
    if len(values) != 1:
        why = "there is no From field" if not values else "there is more than one From field"
        defects.append(why)
        return None, why
    found = addresses(values[0], hint)
    why = found.trick
    if found.group:
        why = "the From field names a group"
    elif len(found.addresses) > 1 or (found.addresses and found.broken):
        why = "the From field names more than one address"
    elif not found.addresses:
        why = why or "there is no address in the From field"
    if why:
        defects.append(why)
    alone = len(found.addresses) == 1 and not found.group and not found.broken
    return (found.addresses[0] if alone else None), why


def _all_addresses(fields: Fields, name: str, hint: str, defects: list[str]) -> tuple[Address, ...]:
    values = fields.all(name)
    if not values:
        return ()
    found = addresses(", ".join(values[:MAX_FIELDS_OF_ONE_NAME]), hint)
    if found.over or len(values) > MAX_FIELDS_OF_ONE_NAME:
        defects.append("there are too many addresses")
    return found.addresses


# --- what ----------------------------------------------------------------------------------------------------


def _flat(root: Part) -> list[Part]:
    parts, waiting = [], [root]
    while waiting:
        part = waiting.pop()
        parts.append(part)
        waiting.extend(reversed(part.children))
    return parts


def _charset_hint(parts: list[Part]) -> str:
    """The charset the mail names first, for raw octets in its fields."""
    return next((label for part in parts if codec_of(label := part.parameters.get("charset", ""))), "")


@dataclass(slots=True)
class _Reading:
    """What is gathered while the parts are read: what was broken, what is no text, and how much may still be read."""

    defects: list[str]
    attached: list[Part] = field(default_factory=list)
    bytes_left: int = mime.MAX_TEXT_BYTES
    tags_left: int = MAX_HTML_TAGS


def _text_and_attachments(root: Part, defects: list[str]) -> tuple[str, tuple[Attachment, ...]]:
    reading = _Reading(defects)
    attached = reading.attached
    text = _text(root, reading)
    packed = [(part, tnef.unpack(mime.decoded(part))) for part in attached if _is_tnef(part)][:MAX_TNEF]
    if not text.strip():
        text = next((found.text for _, found in packed if found is not None and found.text), text)
    if not text.strip():
        # Nothing but an enclosed mail: someone forwarded it as an attachment and wrote nothing.
        enclosed = next((part for part in attached if part.children), None)
        if enclosed is not None:
            text = _text(enclosed.children[0], replace(reading, attached=[]))
    if not text.strip() and root in attached and root.content_type.startswith("text/") and not is_calendar(root):
        text = _leaf_text(root, reading)  # the whole mail is one text that calls itself a file
    files: list[Attachment] = []
    if len(text) > MAX_TEXT_CHARACTERS:
        defects.append("the text is over the limit")
        text = text[:MAX_TEXT_CHARACTERS]
    unpacked = {id(part): found.files for part, found in packed if found is not None}
    for part in attached:
        files += [
            Attachment(safe_name(file.filename), safe_type(file.content_type), file.size_bytes)
            for file in unpacked.get(id(part), [])
        ] or [_attachment(part)]
    return text, tuple(files[: mime.MAX_PARTS])


def _is_tnef(part: Part) -> bool:
    return part.content_type in ("application/ms-tnef", "application/vnd.ms-tnef") or (
        part.content_type == "application/octet-stream" and part.filename.lower() == "winmail.dat"
    )


def _text(part: Part, reading: _Reading) -> str:
    """The text of a part and of those within it (their depth is bounded by `mime.MAX_DEPTH`)."""
    if part.content_type == "multipart/alternative":
        return _alternative(part, reading)
    if part.content_type == "multipart/related" and part.children:
        first, *others = part.children
        text = _text(first, reading)
        reading.attached.extend(leaf for other in others for leaf in _flat(other) if not leaf.children)
        return text
    if part.content_type.startswith("multipart/") or (part.content_type in mime.SMIME and part.children):
        texts = [_text(child, reading) for child in part.children]
        return "\n".join(text.rstrip("\n") + "\n" for text in texts if text.strip())
    if _is_text(part):
        return _leaf_text(part, reading)
    reading.attached.append(part)
    return ""


def _alternative(part: Part, reading: _Reading) -> str:
    """The plain text, or the HTML where there is none; both where they say different things."""
    plain, html = "", ""
    for child in part.children:
        text = _text(child, reading)
        if _is_html(child):
            html = html or text
        else:
            plain = plain or text
    if not plain.strip() or not html.strip():
        return plain if plain.strip() else html
    words = set(re.findall(r"\w+", html[:20_000].lower()))
    missing = len(words - set(re.findall(r"\w+", plain[:40_000].lower())))
    if words and missing >= 0.55 * len(words):
        # "Your program cannot show HTML": the plain text is a stub.
        return f"{plain}\n\n{html}"
    return plain


def _is_html(part: Part) -> bool:
    kinds = {leaf.content_type for leaf in _flat(part) if not leaf.children}
    return "text/html" in kinds and "text/plain" not in kinds


def _is_text(part: Part) -> bool:
    if part.content_type not in ("text/plain", "text/html", "text/enriched", "text/richtext", "text/x-amp-html"):
        return part.content_type in ("text/x-markdown", "text/markdown", "text/x-plain") and not part.filename
    is_file = part.disposition == "attachment" or (part.filename and part.disposition != "inline")
    return not is_file and not is_calendar(part)


def _leaf_text(part: Part, reading: _Reading) -> str:
    octets = mime.decoded(part, most=reading.bytes_left + 1)
    if len(octets) > reading.bytes_left:
        reading.defects.append("the text is over the limit")
        octets = octets[: reading.bytes_left]
    reading.bytes_left -= len(octets)
    label = part.parameters.get("charset", "")
    html = part.content_type in ("text/html", "text/x-amp-html")
    text, defect = decode(octets, html_label(octets, label) if html else label)
    if defect:
        reading.defects.append(defect)
    text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    if html:
        return _html_text(text, reading)
    if part.content_type in ("text/enriched", "text/richtext"):
        return re.sub(r"<(/?[A-Za-z-]{1,40})>", "", text).replace("<<", "<")
    if part.parameters.get("format", "").lower() == "flowed":
        text = _unflowed(text, delsp=part.parameters.get("delsp", "").lower() == "yes")
    if _is_html_after_all(text, typed=part.fields.has("content-type") and "/" in part.fields.first("content-type")):
        return _html_text(text, reading)
    return text


def _html_text(html: str, reading: _Reading) -> str:
    if reading.tags_left <= 0:
        reading.defects.append("there is too much HTML")
        return ""
    reading.tags_left -= html.count("<")
    return to_text(html)


_HTML_BEGINS = re.compile(r"\s{0,200}<(?:!doctype html|html[\s>])", re.IGNORECASE)
_HTML_TAG = re.compile(
    r"</?(?:html|body|p|div|br|table|td|font|b|span|a|h[1-6]|pre|ul|li)(?:\s[^<>]{0,500})?/?>", re.IGNORECASE
)


def _is_html_after_all(text: str, *, typed: bool) -> bool:
    """Whether a text is HTML that does not say so; `typed`: it says that it is plain, so only a whole page counts."""
    if _HTML_BEGINS.match(text) is not None:
        return True
    sample = text[:4_000]
    return not typed and len(_HTML_TAG.findall(sample)) >= 4 and len(sample.split("\n")) < 20 * sample.count("<")


def _unflowed(text: str, *, delsp: bool) -> str:
    """RFC 3676: lines that end in a space go on in the next one of the same quote depth."""
    lines: list[list[str]] = []
    flows, depth = False, -1
    for line in text.split("\n"):
        body = line.lstrip(">")
        quote = len(line) - len(body)
        body = body.removeprefix(" ")
        signature = body == "-- "
        goes_on = flows and quote == depth and not signature
        flows = body.endswith(" ") and not signature
        kept = body[:-1] if flows and delsp else body
        if goes_on:
            lines[-1].append(kept)
        else:
            lines.append([">" * quote + " " if quote else "", kept])
        depth = quote
    return "\n".join("".join(pieces) for pieces in lines)


def _attachment(part: Part) -> Attachment:
    name = text_of(part.filename)
    if not name and part.content_type.startswith("message/") and part.children:
        name = part.children[0].fields.first("subject")
        name = f"{text_of(name)[:80]}.eml" if name else ""
    return Attachment(safe_name(name), part.content_type[:100], mime.size_of(part))


def safe_type(carried: str) -> str:
    """A content type that is safe to show; `application/octet-stream` for what is none."""
    carried = carried.strip().lower()
    return carried if re.fullmatch(r"[\w.+-]{1,60}/[\w.+-]{1,60}", carried) else "application/octet-stream"


_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\u2028\u2029]+")


def safe_name(name: str) -> str:
    """A bare file name that is safe to show: no path, no control or direction marks, at most 120 characters."""
    name = unicodedata.normalize("NFC", one_line(name)).replace("\\", "/").rpartition("/")[2]
    name = _UNSAFE.sub("_", name).strip(" .")
    if len(name) > 120:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[:100]}{dot}{ending[:15]}" if dot and len(ending) <= 15 else name[:120]
    return name
