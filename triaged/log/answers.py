"""A reply that a person wrote in, the logged mails that it answers out, marked so; and how far was looked for such.

What a person did in their own mail program counts as what they do here: what is answered is no longer owed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from triaged.accounts.replies import Ours
from triaged.log.encode import from_ms, to_ms
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Surveyed

CLOCKS = timedelta(hours=1)
"""Mail programs date what they lay into a folder of sent mail themselves; their clocks may be slow by so much."""

_NAMED = """
WITH wanted AS (SELECT value FROM json_each(:names)), named AS (
    SELECT id FROM message WHERE message_id <> '' AND message_id IN (SELECT value FROM wanted)
    UNION SELECT message FROM effect WHERE external_id <> '' AND external_id IN (SELECT value FROM wanted)
        AND kind IN ('ack', 'invitation'))
SELECT id, sender, iif(parsed = '', '[]', parsed ->> '$.reply_to') FROM message JOIN named USING (id)
WHERE answered_at IS NULL AND received_at <= :latest
    AND NOT EXISTS (SELECT 1 FROM effect WHERE external_id <> '' AND external_id = :own)
    AND NOT EXISTS (SELECT 1 FROM event WHERE event.message = message.id AND name = 'reopened' AND at >= :date)
ORDER BY id
"""
"""Not by a mail of the machine's, whatever became of its mark on the way; nor by one that was there as somebody said
that the mail is open after all."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A mail that nobody answered yet, and the addresses at which its client waits; none when it was cleared."""

    id: int
    addresses: tuple[str, ...]


def asked_by(reader: Reader, reply: Surveyed) -> list[Asked]:
    """Mails without an answer that a reply names, by their Message-ID or by that of our acknowledgement."""
    names = (*reply.in_reply_to, *reply.references)
    moments = {"date": to_ms(reply.date), "latest": to_ms(reply.date + CLOCKS)}
    rows = reader.select(_NAMED, {"names": json.dumps(names), "own": reply.message_id, **moments})
    return [
        Asked(row[0], tuple(each for each in (row[1], *(to["addr_spec"] for to in json.loads(row[2]))) if each != ""))
        for row in rows
    ]


def logged_since(reader: Reader, since: datetime, ours: Ours) -> Iterator[Surveyed]:
    """Mails of ours that came in since and that our border says are ours, as a survey tells of them: a colleague's
    answer from a mailbox of their own may be there as a copy."""
    rows = reader.select(
        "SELECT id, sender FROM message WHERE cleared_at IS NULL AND logged_at >= ? AND automatic = 'person'",
        (to_ms(since),),
    )
    for number, sender in rows:
        if sender not in ours:
            continue
        message, locator = reader.message(number), reader.locator(number)
        if message is not None and locator is not None and message.identity.trust == "authenticated":
            yield Surveyed(
                folder=locator.folder,
                key=locator.key,
                date=message.received,
                sender=sender.lower(),
                message_id=message.message_id,
                in_reply_to=message.in_reply_to,
                references=message.references,
                automatic=False,
                is_sent_folder=False,
                recipients=tuple(each.addr_spec.lower() for each in (*message.to, *message.cc)),
            )


def mark_answered(log: Log, message: int, reply: Surveyed, *, mailbox: str, now: datetime) -> bool:
    """A person answered this mail; False when that was known."""
    changed = log.db.execute(
        "UPDATE message SET answered_at = ? WHERE id = ? AND answered_at IS NULL", (to_ms(reply.date), message)
    ).rowcount
    if changed > 0:
        who = reply.sender or "somebody"
        words = f"by {who}; sent {reply.date.isoformat(timespec='seconds')}, it lies in {reply.folder} of {mailbox}"
        log.event("answered", words, message=message, now=now)
    return bool(changed > 0)


def looked_until(reader: Reader, mailbox: str) -> datetime | None:
    """Up to when the folders of a mailbox were looked over for answers; None: never."""
    rows = reader.select("SELECT value FROM meta WHERE name = ?", (f"answers:{mailbox}",))
    return from_ms(rows[0][0]) if rows else None


def set_looked(log: Log, mailbox: str, until: datetime) -> None:
    """Remember up to when."""
    log.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"answers:{mailbox}", to_ms(until)))
