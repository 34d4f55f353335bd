"""A message's head in, what a survey of folders tells of it out; and which folders hold sent mail or drafts by name."""

from __future__ import annotations

import re
from datetime import datetime

from triaged.errors import Gone, Permanent
from triaged.model import Surveyed

FIELDS = ("MESSAGE-ID", "IN-REPLY-TO", "REFERENCES", "FROM", "TO", "CC", "BCC", "AUTO-SUBMITTED")
"""All that is read of a message."""
HEAD_BYTES = 65_536
"""Octets of a head that are looked at; a longer one is cut."""
IDS = 200
"""Message-IDs kept of a References field."""

SENT_NAMES = frozenset(
    "sent|sent items|sent mail|sent messages|gesendet|gesendete objekte|gesendete elemente|envoyés|éléments envoyés|"
    "enviados|elementos enviados|inviata|posta inviata|verzonden|verzonden items|itens enviados".split("|")
)
DRAFT_NAMES = frozenset("drafts|draft|entwürfe|brouillons|borradores|bozze|concepten|rascunhos".split("|"))
"""Names that mail programs give these folders, where no server marks them (RFC 6154)."""

_FIELD = re.compile(
    rb"^(message-id|in-reply-to|references|from|to|cc|bcc|auto-submitted):((?:[^\r\n]*)(?:\r?\n[ \t][^\r\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_ID = re.compile(r"<[^<>\s]{1,996}>")
_ADDRESS = re.compile(r"[^\s<>\"(),;:@]{1,256}@[^\s<>\"(),;:@]{1,256}")
FROM_CHARACTERS, TO_CHARACTERS = 2_000, 20_000
"""Characters of a From field, and of To, Cc and Bcc together, that addresses are looked for in."""


def surveyed(octets: bytes, *, folder: str, key: str, date: datetime, is_sent_folder: bool) -> Surveyed:
    """Read a head; never raises. Of a field that comes twice the first counts."""
    head = re.split(rb"\r?\n\r?\n", octets[:HEAD_BYTES], maxsplit=1)[0]
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(head):
        fields.setdefault(name.decode("ascii").lower(), value.decode("utf-8", "replace").strip())
    addresses = _ADDRESS.findall(fields.get("from", "")[:FROM_CHARACTERS])
    to = ", ".join(fields[name] for name in ("to", "cc", "bcc") if name in fields)[:TO_CHARACTERS]
    own = _ids(fields.get("message-id", ""))
    submitted = re.split(r"[\s;(]", fields.get("auto-submitted", "no"))[0].lower()
    return Surveyed(
        folder=folder,
        key=key,
        date=date,
        sender=addresses[-1].lower() if addresses else "",
        message_id=own[0] if own else "",
        in_reply_to=_ids(fields.get("in-reply-to", "")),
        references=_ids(fields.get("references", "")),
        automatic=submitted != "no",
        is_sent_folder=is_sent_folder,
        recipients=tuple(dict.fromkeys(each.lower() for each in _ADDRESS.findall(to))),
    )


def none_or_several(name: str, count: int, message_id: str, folder: str) -> Permanent:
    """Why a message cannot be told by its Message-ID: anybody may have sent another one under it."""
    if count == 0:
        return Gone(f"{name}: no message {message_id} is in {folder}")
    return Permanent(
        f"{name}: {count} messages in {folder} have the Message-ID {message_id}; move the right one by hand"
    )


def is_sent_name(folder: str) -> bool:
    """Whether a folder that no server marks is called as one for sent mail; levels by `/` or `.`."""
    return _last(folder) in SENT_NAMES


def is_draft_name(folder: str) -> bool:
    """Whether a folder that no server marks is called as one for drafts."""
    return _last(folder) in DRAFT_NAMES


def _last(folder: str) -> str:
    return re.split(r"[/.]", folder.lower())[-1]


def _ids(value: str) -> tuple[str, ...]:
    return tuple(_ID.findall(value)[-IDS:])
