"""Where the log says messages lie, and what it says was sent: the log's side of `triaged reconcile`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from triaged.log.encode import from_ms
from triaged.log.read import Reader


@dataclass(frozen=True, slots=True)
class Placed:
    """A message that was seen on the server. row: None when it vanished before it could be read.

    moved: triaged itself moved it away from there. message_id: `""` if it has none or that was removed.
    """

    folder: str
    key: str
    row: int | None
    message_id: str
    received: datetime | None
    moved: bool


@dataclass(frozen=True, slots=True)
class SentEffect:
    """A mail of ours, by the log. row: the client's mail."""

    row: int
    kind: str
    state: str
    message_id: str
    changed: datetime


def placed(reader: Reader, mailbox: str) -> list[Placed]:
    """Every place in a mailbox that the log knows."""
    rows = reader.select(
        "SELECT folder, locator.key, message.id, message_id, received_at, EXISTS (SELECT 1 FROM effect "
        " WHERE effect.message = message.id AND kind = 'file' AND effect.state = 'done' AND detail LIKE 'moved to %' "
        " AND json_extract(payload, '$.locator.key') = locator.key) "
        "FROM locator LEFT JOIN message ON message.id = locator.message WHERE locator.mailbox = ?",
        (mailbox,),
    )
    return [
        Placed(row[0], row[1], row[2], row[3] or "", from_ms(row[4]) if row[4] is not None else None, bool(row[5]))
        for row in rows
    ]


def sent_effects(reader: Reader) -> list[SentEffect]:
    """Every effect that sends a mail, of all mailboxes; of two of the same the done one comes last."""
    rows = reader.select(
        "SELECT message, kind, state, external_id, changed_at FROM effect "
        "WHERE kind IN ('ack', 'notify', 'invitation') AND external_id <> '' ORDER BY state = 'done', id"
    )
    return [SentEffect(row[0], row[1], row[2], row[3], from_ms(row[4])) for row in rows]


def cursor_moved(reader: Reader, mailbox: str, folder: str) -> datetime | None:
    """When the cursor last moved; None while there is none."""
    rows = reader.select("SELECT changed_at FROM cursor WHERE mailbox = ? AND folder = ?", (mailbox, folder))
    return from_ms(rows[0][0]) if rows else None
