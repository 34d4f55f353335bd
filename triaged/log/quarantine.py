"""Mails that could not be read in, their rows mended out: listed, looked at, and turned into triaged ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from triaged.decision import Decision
from triaged.log.encode import from_ms, to_ms
from triaged.log.keep import reindexed
from triaged.log.read import Reader
from triaged.log.store import Log, _message_row, decision_row
from triaged.model import Locator, Message, Raw
from triaged.playbook import Background


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A mail that could not be read. cause: the latest; size_bytes: its whole size; kept_bytes: what the log has of it,
    None when retention took it; places: where it was seen on servers, the latest first."""

    id: int
    mailbox: str
    received: datetime
    logged: datetime
    cause: str
    size_bytes: int
    kept_bytes: int | None
    places: tuple[Locator, ...]


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of a quarantined mail that could be read now. row: where it stands; copy: it was there already."""

    row: int
    copy: bool


def quarantined(reader: Reader) -> list[QuarantinedRow]:
    """Every mail in quarantine, oldest first."""
    rows = reader.select(
        "SELECT message.id, mailbox, received_at, logged_at, "
        "(SELECT detail FROM event WHERE event.message = message.id AND name IN ('quarantined', 'quarantine.retried') "
        " ORDER BY event.id DESC LIMIT 1), size_bytes, length(octets) "
        "FROM message LEFT JOIN octets ON octets.message = message.id WHERE state = 'quarantined' ORDER BY message.id"
    )
    found = []
    for row, mailbox, received_at, logged_at, cause, size_bytes, kept_bytes in rows:
        places = reader.select(
            "SELECT mailbox, folder, key FROM locator WHERE message = ? ORDER BY seen_at DESC, key DESC", (row,)
        )
        found.append(
            QuarantinedRow(
                id=row,
                mailbox=mailbox,
                received=from_ms(received_at),
                logged=from_ms(logged_at),
                cause=cause or "",
                size_bytes=size_bytes if size_bytes is not None else kept_bytes or 0,
                kept_bytes=kept_bytes,
                places=tuple(Locator(*place) for place in places),
            )
        )
    return found


def octets_of(reader: Reader, row: QuarantinedRow) -> bytes | None:
    """What the log has of the mail; None when retention took it."""
    rows = reader.select("SELECT octets FROM octets WHERE message = ?", (row.id,))
    return bytes(rows[0][0]) if rows else None


def kept_octets(reader: Reader, message: int) -> tuple[bytes, int] | None:
    """What the log has of a mail in quarantine, and its whole size; None when there is nothing (any more)."""
    rows = reader.select("SELECT octets, size_bytes FROM octets WHERE message = ?", (message,))
    if len(rows) == 0 or len(rows[0][0]) == 0:
        return None
    octets = bytes(rows[0][0])
    return octets, rows[0][1] if rows[0][1] is not None else len(octets)


def raw_of(reader: Reader, row: QuarantinedRow) -> Raw | None:
    """The mail as it was fetched; None when the log does not have all of it, so that it must be fetched anew."""
    octets = octets_of(reader, row)
    if octets is None or len(octets) == 0 or len(octets) < row.size_bytes or len(row.places) == 0:
        return None
    return Raw(row.places[0], row.received, octets, row.size_bytes)


# --- writing: within a transaction ----------------------------------------------------------------------------


def still_unreadable(log: Log, row: int, *, cause: str, now: datetime) -> None:
    """It was tried again and cannot be read; it stays, with the cause of today."""
    log.event("quarantine.retried", cause, message=row, now=now)


def mend(
    log: Log, row: int, message: Message, decision: Decision, background: Background, *, who: str, now: datetime
) -> Mended | None:
    """A quarantined mail could be read: its row becomes a triaged one with decision and effects, as any mail's.

    If a copy of it was logged meanwhile, all that is known of this row (places, events, effects) moves to the copy's
    and the row is gone. None when it is not in quarantine any more.
    """
    if log.db.execute("SELECT 1 FROM message WHERE id = ? AND state = 'quarantined'", (row,)).fetchone() is None:
        return None
    log.db.execute("DELETE FROM octets WHERE message = ?", (row,))
    log.db.execute(
        "UPDATE effect SET state = 'done', detail = ?, changed_at = ? "
        "WHERE message = ? AND kind = 'ask' AND state IN ('person', 'held', 'observed')",
        (f"it could be read after all; by {who}", to_ms(now), row),
    )
    if (known := log._row_of(message.key)) is not None:
        log.event("mended", f"it is the same mail as this one; its row was {row}; by {who}", message=row, now=now)
        _merge(log, row, into=known)
        return Mended(known, True)
    mailbox = log.db.execute("SELECT mailbox FROM message WHERE id = ?", (row,)).fetchone()[0]
    fields = _message_row(message, decision, mailbox, now)
    del fields["logged_at"]
    with reindexed(log, [row]):
        names = ", ".join(f"{name} = ?" for name in fields)
        log.db.execute(f"UPDATE message SET {names} WHERE id = ?", (*fields.values(), row))  # noqa: S608 - ours
    log.insert("decision", {"message": row, **decision_row(decision, background)})
    log.event("mended", f"it could be read after all; by {who}", message=row, now=now)
    log.event("triaged", ", ".join(decision.verdict.chosen) or "other", message=row, now=now)
    log.plan(row, decision.effects, now)
    return Mended(row, False)


def _merge(log: Log, row: int, *, into: int) -> None:
    with reindexed(log, [row]):
        for table in ("locator", "effect", "event"):
            log.db.execute(f"UPDATE {table} SET message = ? WHERE message = ?", (into, row))  # noqa: S608 - ours
        log.db.execute("DELETE FROM message WHERE id = ?", (row,))
