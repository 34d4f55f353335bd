"""A mail in, the other mails of its conversation out, in time order: those of the client and what we sent.

Ancestors are found by the index of Message-IDs, whatever the account. Answers to a mail are looked for among the mails
of its account (of its sender, where it has none) within some weeks: those that refer to one of the conversation, and
those that only bear the same subject, as mail programs without References write them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from triaged.log.encode import from_ms, to_ms
from triaged.log.read import Reader
from triaged.model import Message

AROUND = timedelta(days=60)
MOST_LOOKED_AT, MOST_TOLD = 150, 50
"""Mails of the account that are looked at, before and as many after; mails of a conversation that are told."""

Link = Literal["refers", "subject"]
"""refers: its References say so · subject: it has the same subject and no more."""

_PREFIX = re.compile(
    r"\s*(?:\[[^\]]{1,30}\]\s*)?(?:re|aw|sv|vs|antw|rv|res|odp|ynt|ref|fwd?|wg|tr|enc|rif|r|doorst|回复|答复|转发)"
    r"\s?(?:\[\d{1,3}\])?\s?[:：]\s*",
    re.IGNORECASE,
)
_SHORTEST_SUBJECT = 6
"""Letters: “Hello” and “Hi” are no conversation."""


@dataclass(frozen=True, slots=True)
class Related:
    """Another mail of the conversation. categories: empty is other; sent: kinds of what we sent for it."""

    row: int
    received: datetime
    sender: str
    subject: str
    categories: tuple[str, ...]
    sent: tuple[str, ...]
    link: Link


def plain_subject(subject: str) -> str:
    """A subject without what answering and forwarding put before it, in one case and with single blanks."""
    for _ in range(10):
        shorter = _PREFIX.sub("", subject, count=1) if _PREFIX.match(subject) else subject
        if shorter == subject:
            break
        subject = shorter
    return " ".join(subject.casefold().split())


def conversation(reader: Reader, row: int, message: Message, *, account_id: str | None) -> list[Related]:
    """The other mails of a mail's conversation, oldest first; at most `MOST_TOLD`, the nearest in time."""
    named = {*message.in_reply_to, *message.references}
    ancestors = _ancestors(reader, named)
    ids = {each for each in (message.message_id, *named) if each != ""}
    ids |= _sent_ids(reader, [row, *ancestors])
    sender = message.sender.addr_spec if message.sender is not None else ""
    found: dict[int, Link] = dict.fromkeys(ancestors, "refers")
    subject = plain_subject(message.subject)
    for other, title, refers in _near(reader, message.received, account_id, sender, ids):
        if refers:
            found[other] = "refers"
        elif len(subject) >= _SHORTEST_SUBJECT and plain_subject(title) == subject:
            found.setdefault(other, "subject")
    found.pop(row, None)
    told = [_related(each, found[each[0]]) for each in _told(reader, list(found))]
    told.sort(key=lambda each: abs(each.received - message.received))
    return sorted(told[:MOST_TOLD], key=lambda each: (each.received, each.row))


def _ancestors(reader: Reader, named: set[str]) -> list[int]:
    """Mails that these Message-IDs name, and those that were answered by a mail of ours that they name."""
    rows = reader.select(
        "WITH wanted AS (SELECT value FROM json_each(?)) "
        "SELECT id FROM message WHERE message_id <> '' AND message_id IN (SELECT value FROM wanted) "
        "UNION SELECT message FROM effect WHERE external_id <> '' AND external_id IN (SELECT value FROM wanted)",
        (json.dumps(sorted(named)),),
    )
    return [row[0] for row in rows]


def _sent_ids(reader: Reader, rows: list[int]) -> set[str]:
    """Message-IDs of what we sent for these mails."""
    found = reader.select(
        "SELECT external_id FROM effect WHERE message IN (SELECT value FROM json_each(?)) AND external_id LIKE '<%'",
        (json.dumps(rows),),
    )
    return {row[0] for row in found}


def _near(
    reader: Reader, moment: datetime, account_id: str | None, sender: str, ids: set[str]
) -> list[tuple[int, str, bool]]:
    """Mails of the same account around a moment: row, subject, whether it refers to one of the conversation."""
    near = " UNION ALL ".join(  # by the index alone, in its order: a client may have thousands in these weeks
        f"SELECT id FROM (SELECT id FROM message WHERE account_id IS :account AND received_at {span} LIMIT :most)"  # noqa: S608
        for span in ("BETWEEN :since AND :moment ORDER BY received_at DESC", "> :moment ORDER BY received_at")
    )
    refers = (
        "SELECT 1 FROM wanted WHERE value IN (SELECT value FROM json_each(parsed, '$.references') "
        "UNION SELECT value FROM json_each(parsed, '$.in_reply_to'))"
    )
    rows = reader.select(
        "WITH wanted AS (SELECT value FROM json_each(:ids)) "  # noqa: S608 - words of ours
        f"SELECT id, subject, CASE WHEN parsed = '' THEN 0 ELSE EXISTS ({refers}) END FROM message "
        f"WHERE id IN ({near}) AND state = 'triaged' AND received_at <= :until "
        "AND (:account IS NOT NULL OR sender = :sender)",
        {
            "ids": json.dumps(sorted(ids)),
            "account": account_id,
            "sender": sender,
            "since": to_ms(moment - AROUND),
            "until": to_ms(moment + AROUND),
            "moment": to_ms(moment),
            "most": MOST_LOOKED_AT,
        },
    )
    return [(row[0], row[1], bool(row[2])) for row in rows]


def _told(reader: Reader, rows: list[int]) -> list[tuple[Any, ...]]:
    return reader.select(
        "SELECT id, received_at, sender, subject, categories, (SELECT json_group_array(kind) FROM effect "
        "WHERE effect.message = message.id AND effect.state = 'done' AND kind IN ('ack', 'invitation', 'notify')) "
        "FROM message WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(rows),),
    )


def _related(row: tuple[Any, ...], link: Link) -> Related:
    categories, sent = tuple(json.loads(row[4])), tuple(json.loads(row[5]))
    return Related(row[0], from_ms(row[1]), row[2], row[3], categories, sent, link)
