"""Octets as the server gave them go in, a `Message` with a value in every field comes out; never raises, bounded."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from triaged.mail import mime
from triaged.mail.addresses import addresses
from triaged.mail.automatic import automatic
from triaged.mail.charset import codec_of, decode
from triaged.mail.headers import Fields, date_of, message_ids, one_line, parameters, split_head, text_of
from triaged.mail.htmltext import to_text
from triaged.mail.identity import Border, identity
from triaged.mail.mime import Part
from triaged.mail.newtext import split
from triaged.model import Address, Attachment, Automatic, Identity, Message, Raw

MAX_MAIL_BYTES = 31_457_280
"""S42: 30 MB; what lies behind is not read."""
MAX_TEXT_CHARACTERS = 2_097_152
"""S42: 2 MB of text handed on."""
MAX_SUBJECT_CHARACTERS = 998
"""RFC 5322 2.1.1: a subject in one line is not longer."""
MAX_DEFECTS = 20

_FROM_LINE = re.compile(rb"\A(?:\xef\xbb\xbf)?[\r\n]*(?:>?From [^\r\n]*[\r\n]+)?")
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
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)

ONLY_HEAD = "only the head of the mail was fetched"
"""The defect of a mail that is over the size limit, or that the server would not give whole."""


def parse(raw: Raw, *, border: Border) -> Message:
    """Read a mail. Total: whatever the octets are, a `Message` comes back, and `defects` says what was broken."""
    try:
        return _parse(raw, border)
    except Exception as error:  # noqa: BLE001 - a mail must never stop the mailbox; a fault of ours becomes a defect
        return _bare(raw, f"could not be read: {type(error).__name__}")


def _parse(raw: Raw, border: Border) -> Message:
    octets = _normal(raw.octets[:MAX_MAIL_BYTES])
    defects = [ONLY_HEAD] if len(raw.octets) < raw.size_bytes else []
    root, broken = mime.read(octets)
    defects += broken
    fields, parts = root.fields, list(_flat(root))
    hint = _charset_hint(parts)
    text, attachments = _text_and_attachments(root, defects)
    if not text.strip() and not attachments:
        defects.append("nothing to read in it")
    new_text, quoted = split(text)
    sender, trick = _sender(fields, hint, defects)
    lists = {name: _all_addresses(fields, name, hint) for name in ("reply-to", *_RECIPIENTS)}
    for_us = any(each.addr_spec.lower() in border.own_addresses for name in _RECIPIENTS for each in lists[name])
    ids = message_ids(fields.first("message-id"))
    message_id = ids[0] if len(ids) == 1 else ""
    date = date_of(fields.first("date"))
    if date is None:
        defects.append("no usable date")
    subject = text_of(fields.first("subject"), hint)[:MAX_SUBJECT_CHARACTERS].strip()
    believed = identity(fields, sender=sender, trick=trick, border=border)
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
        automatic=automatic(
            fields,
            subject=subject,
            new_text=new_text,
            part_types=[parameters(fields.first("content-type"))[0], *(part.content_type for part in parts)],
            sender=sender,
            message_id=message_id,
            for_us=for_us,
            border=border,
        ),
        identity=believed,
        defects=tuple(dict.fromkeys(defects))[:MAX_DEFECTS],
        size_bytes=raw.size_bytes,
    )


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
    start = _FROM_LINE.match(octets)
    return mime.unix_lines(octets[start.end() :] if start is not None and start.end() else octets)


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


def _all_addresses(fields: Fields, name: str, hint: str) -> tuple[Address, ...]:
    values = fields.all(name)
    if not values:
        return ()
    return addresses(", ".join(values[:20]), hint).addresses


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


def _text_and_attachments(root: Part, defects: list[str]) -> tuple[str, tuple[Attachment, ...]]:
    attached: list[Part] = []
    text = _text(root, defects, attached)
    if not text.strip():
        # Nothing but an enclosed mail: someone forwarded it as an attachment and wrote nothing.
        enclosed = next((part for part in attached if part.children), None)
        if enclosed is not None:
            text = _text(enclosed.children[0], defects, [])
    if len(text) > MAX_TEXT_CHARACTERS:
        defects.append("the text is over the limit")
        text = text[:MAX_TEXT_CHARACTERS]
    return text, tuple(_attachment(part) for part in attached)


def _text(part: Part, defects: list[str], attached: list[Part]) -> str:
    """The text of a part and of those within it (their depth is bounded by `mime.MAX_DEPTH`)."""
    if part.content_type == "multipart/alternative":
        return _alternative(part, defects, attached)
    if part.content_type == "multipart/related" and part.children:
        first, *others = part.children
        text = _text(first, defects, attached)
        attached.extend(leaf for other in others for leaf in _flat(other) if not leaf.children)
        return text
    if part.content_type.startswith("multipart/"):
        texts = [_text(child, defects, attached) for child in part.children]
        return "\n".join(text.rstrip("\n") + "\n" for text in texts if text.strip())
    if _is_text(part):
        return _leaf_text(part, defects)
    attached.append(part)
    return ""


def _alternative(part: Part, defects: list[str], attached: list[Part]) -> str:
    """The plain text, or the HTML where there is none; both where they say different things."""
    plain, html = "", ""
    for child in part.children:
        text = _text(child, defects, attached)
        if _is_html(child):
            html = html or text
        else:
            plain = plain or text
    if not plain.strip() or not html.strip():
        return plain if plain.strip() else html
    words = set(re.findall(r"\w{3,}", html[:20_000].lower()))
    missing = len(words - set(re.findall(r"\w{3,}", plain[:40_000].lower())))
    if len(words) >= 5 and missing >= 0.55 * len(words):
        # "Your program cannot show HTML": the plain text is a stub.
        return f"{plain}\n\n{html}"
    return plain


def _is_html(part: Part) -> bool:
    kinds = {leaf.content_type for leaf in _flat(part) if not leaf.children}
    return "text/html" in kinds and "text/plain" not in kinds


def _is_text(part: Part) -> bool:
    if part.content_type not in ("text/plain", "text/html", "text/enriched", "text/richtext", "text/x-amp-html"):
        return part.content_type in ("text/x-markdown", "text/markdown", "text/x-plain") and not part.filename
    return part.disposition != "attachment" and not (part.filename and part.disposition != "inline")


def _leaf_text(part: Part, defects: list[str]) -> str:
    octets = mime.decoded(part, most=mime.MAX_TEXT_BYTES)
    if part.end - part.start > mime.MAX_TEXT_BYTES * 3 // 2:
        defects.append("the text is over the limit")
    label = part.parameters.get("charset", "")
    html = part.content_type in ("text/html", "text/x-amp-html")
    if html and not codec_of(label) and (meta := _META_CHARSET.search(octets[:4096])) is not None:
        label = meta[1].decode("ascii", "replace")
    text, defect = decode(octets, label)
    if defect:
        defects.append(defect)
    text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    if html:
        return to_text(text)
    if part.content_type in ("text/enriched", "text/richtext"):
        return re.sub(r"<(/?[A-Za-z-]{1,40})>", "", text).replace("<<", "<")
    if part.parameters.get("format", "").lower() == "flowed":
        text = _unflowed(text, delsp=part.parameters.get("delsp", "").lower() == "yes")
    if text[:200].lstrip()[:9].lower() in ("<!doctype", "<html><he", "<html>\n<h", "<html>"):
        return to_text(text)
    return text


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
    name = part.filename
    if not name and part.content_type.startswith("message/") and part.children:
        name = part.children[0].fields.first("subject")
        name = f"{text_of(name)[:80]}.eml" if name else ""
    return Attachment(safe_name(name), part.content_type[:100], mime.size_of(part))


_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\u2028\u2029]+")


def safe_name(carried: str) -> str:
    """A bare file name that is safe to show: no path, no control or direction marks, at most 120 characters."""
    name = carried if "=?" not in carried and not carried.isascii() and max(carried) > "\xff" else text_of(carried)
    name = unicodedata.normalize("NFC", one_line(name)).replace("\\", "/").rpartition("/")[2]
    name = _UNSAFE.sub("_", name).strip(" .")
    if len(name) > 120:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[:100]}{dot}{ending[:15]}" if dot and len(ending) <= 15 else name[:120]
    return name
