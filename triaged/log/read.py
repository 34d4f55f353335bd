"""Questions in, rows of the log out: short reads on a connection that cannot write."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # pysqlite3 where it is installed

from triaged.decision import Decision
from triaged.log.accountrows import accounts
from triaged.log.encode import BACKGROUND, DECISION, MESSAGE, from_ms, to_ms
from triaged.log.itemschema import OWED
from triaged.log.rows import BouncedRow, BreakerRow, Counts, EffectRow, EventRow, HealthRow, HeldRow, LogRow
from triaged.log.schema import newest
from triaged.model import Account, Locator, Message, Trend
from triaged.playbook import Background

LABELLED = (
    "labelled = 1 AND NOT EXISTS (SELECT 1 FROM correction AS later WHERE later.message = correction.message "
    "AND later.labelled = 2 AND later.id > correction.id)"
)
"""Of corrections: a person said of which categories the mail is, and did not take it back."""
TO_REVIEW = (
    "drawn = 1 AND cleared_at IS NULL AND NOT EXISTS "  # noqa: S608 - words of ours
    f"(SELECT 1 FROM correction WHERE correction.message = message.id AND {LABELLED})"
)
"""Of mails: drawn for review, whole still, and nobody has said whether its categories are right."""

_ROWS = """
SELECT id, reference, state, mailbox, received_at, sender, subject, automatic, categories, sure, account_id,
    priority, due_at,
    (SELECT count(*) FROM locator WHERE locator.message = message.id),
    (SELECT json_group_array(json_array(kind, effect.state)) FROM effect WHERE effect.message = message.id),
    risk, assigned, done_at, answered_at
FROM message
"""

RECENT, EARLIER = timedelta(days=30), timedelta(days=90)
"""The two spans of a `Trend`, one before the other."""
_TRENDS = """
WITH mail AS MATERIALIZED (
    SELECT account_id, received_at >= :recent AS is_recent, chasing,
        CASE WHEN EXISTS (SELECT 1 FROM correction WHERE correction.message = message.id)
            THEN EXISTS (SELECT 1 FROM json_each(categories) WHERE value = 'complaint') ELSE complaint END AS score
    FROM message
    WHERE account_id IN (SELECT value FROM json_each(:accounts)) AND received_at >= :earlier AND received_at < :before
        AND complaint IS NOT NULL
)
SELECT account_id, avg(score) FILTER (WHERE is_recent), count(*) FILTER (WHERE is_recent),
    avg(score) FILTER (WHERE NOT is_recent), count(*) FILTER (WHERE NOT is_recent),
    count(*) FILTER (WHERE is_recent AND chasing)
FROM mail GROUP BY account_id
"""


class Reader:
    """A connection that reads. Each method is one or a few statements, fetched whole, so that the WAL can reset."""

    def __init__(self, path: Path) -> None:
        """Open an existing log. Raises: FileNotFoundError."""
        if not path.exists():
            raise FileNotFoundError(path)
        self._db = sqlite3.connect(str(path), isolation_level=None, timeout=30, check_same_thread=False)
        self._db.execute("PRAGMA query_only=ON")

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def is_outdated(self) -> bool:
        """Whether an earlier version made the log and no worker of this one has brought it up to date yet."""
        return len(self.select("SELECT 1 FROM _sqlite_migrations WHERE name = ?", (newest(),))) == 0

    def select(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one SELECT; for this room only."""
        rows: list[tuple[Any, ...]] = self._db.execute(sql, parameters).fetchall()
        return rows

    # --- for the worker ---

    def cursor(self, mailbox: str, folder: str) -> str | None:
        """The highest contiguously committed key, or None."""
        rows = self.select("SELECT key FROM cursor WHERE mailbox = ? AND folder = ?", (mailbox, folder))
        return str(rows[0][0]) if rows else None

    def unlogged(self, mailbox: str, folder: str, keys: Sequence[str]) -> list[str]:
        """Those of `keys` that have no row yet, in their order; one that was gone when it was to be read has none."""
        known = {
            row[0]
            for row in self.select(
                "SELECT locator.key FROM json_each(?) AS wanted JOIN locator ON locator.mailbox = ? "
                "AND locator.folder = ? AND locator.key = wanted.value AND locator.message IS NOT NULL",
                (json.dumps(list(keys)), mailbox, folder),
            )
        }
        return [key for key in keys if key not in known]

    def thread_accounts(self, message_ids: Sequence[str]) -> tuple[str, ...]:
        """Accounts of the mails, received or sent by us, that these Message-IDs name; each once, in no order."""
        if len(message_ids) == 0:
            return ()
        rows = self.select(
            "WITH wanted AS (SELECT value FROM json_each(?)) "
            "SELECT account_id FROM message WHERE message_id <> '' AND message_id IN (SELECT value FROM wanted) "
            "UNION SELECT account_id FROM effect JOIN message ON message.id = effect.message "
            "WHERE external_id <> '' AND external_id IN (SELECT value FROM wanted)",
            (json.dumps(list(message_ids)),),
        )
        return tuple(sorted(row[0] for row in rows if row[0] is not None))

    def trend(self, account_id: str, *, before: datetime) -> Trend:
        """How an account wrote in the 120 days before a moment; all zeros when it did not."""
        return self.trends((account_id,), before=before)[account_id]

    def trends(self, account_ids: Sequence[str], *, before: datetime) -> dict[str, Trend]:
        """The same of several accounts, by id."""
        moments = {"before": before, "recent": before - RECENT, "earlier": before - RECENT - EARLIER}
        values: dict[str, Any] = {name: to_ms(moment) for name, moment in moments.items()}
        found = dict.fromkeys(account_ids, Trend(0.0, 0, 0.0, 0, 0))
        for row in self.select(_TRENDS, values | {"accounts": json.dumps(list(account_ids))}):
            found[row[0]] = Trend(row[1] or 0.0, row[2], row[3] or 0.0, row[4], row[5])
        return found

    def open_items(self, account_id: str, *, before: datetime) -> int:
        """Mails of an account, of the 120 days before a moment, that wait for an answer: one is due, nobody gave it and
        nobody has said that it is done."""
        span = (to_ms(before - RECENT - EARLIER), to_ms(before))
        return int(
            self.select(
                "SELECT count(*) FROM message WHERE account_id = ? AND received_at >= ? AND received_at < ? "  # noqa: S608
                f"AND {OWED} AND automatic = 'person'",
                (account_id, *span),
            )[0][0]
        )

    def accounts_revision(self) -> int:
        """Grows with every change of the accounts."""
        return int(self.select("SELECT value FROM meta WHERE name = 'accounts_revision'")[0][0])

    def next_due_ms(self, lane: str) -> int | None:
        """When the lane's next owed effect may be done, in ms since 1970; None when nothing is owed."""
        rows = self.select("SELECT min(not_before_at) FROM effect WHERE lane = ? AND state = 'owed'", (lane,))
        return rows[0][0] if rows else None

    def located(self) -> int:
        """How many messages were seen on servers and have their row, copies counted."""
        return int(self.select("SELECT count(*) FROM locator")[0][0])

    def busy_lanes(self, *, now: datetime) -> frozenset[str]:
        """Lanes with an effect that is due or begun."""
        rows = self.select(
            "SELECT DISTINCT lane FROM effect WHERE state = 'doing' OR (state = 'owed' AND not_before_at <= ?)",
            (to_ms(now),),
        )
        return frozenset(row[0] for row in rows)

    # --- accounts ---

    def accounts(self) -> tuple[Account, ...]:
        """Every account, by id."""
        return accounts(self.select)

    # --- for people ---

    def rows(
        self,
        *,
        limit: int,
        category: str | None = None,
        account_id: str | None = None,
        search: str | None = None,
        unsure: bool = False,
        review: bool = False,
        open_only: bool = False,
        assigned: str | None = None,
        after_id: int = 0,
        canaries: bool = False,
    ) -> list[LogRow]:
        """The newest `limit` mails that fit, newest first. search: as FTS5's MATCH. canaries: our own test mails too.

        review: only those drawn for review that nobody has looked at. open_only: those that we owe an answer (`OWED`).
        assigned: to this person. Raises: ValueError (bad search).
        """
        where = ["id > ?"]
        if not canaries:
            where.append("state <> 'canary' AND (message_id = '' OR message_id NOT IN (SELECT message_id FROM canary))")
        values: list[Any] = [after_id]
        if category == "other":
            where.append("categories = '[]' AND state = 'triaged'")
        elif category is not None:
            where.append("EXISTS (SELECT 1 FROM json_each(categories) WHERE value = ?)")
            values.append(category)
        if account_id is not None:
            where.append("account_id IS ?")
            values.append(account_id or None)
        if unsure:
            where.append("sure = 0")
        if review:
            where.append(TO_REVIEW)
        if open_only:
            where.append(OWED)
        if assigned is not None:
            where.append("assigned = ?")
            values.append(assigned)
        if search is not None:
            found = "SELECT rowid FROM message_fts WHERE message_fts MATCH ? ORDER BY rowid DESC LIMIT 10000"
            where.append(f"id IN ({found})")
            values.append(search)
        try:
            rows = self.select(f"{_ROWS} WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?", (*values, limit))
        except sqlite3.OperationalError as error:
            if search is None:
                raise
            raise ValueError(f"cannot search for {search!r}: {error}") from None
        return [_log_row(row) for row in rows]

    def row(self, message: int) -> LogRow | None:
        """One mail's line."""
        rows = self.select(f"{_ROWS} WHERE id = ?", (message,))
        return _log_row(rows[0]) if rows else None

    def rows_of(self, messages: Sequence[int]) -> list[LogRow]:
        """Lines of these mails, in this order; one that is gone is left out."""
        these = "id IN (SELECT value FROM json_each(?))"
        rows = self.select(f"{_ROWS} WHERE {these}", (json.dumps(list(messages)),))
        found = {row[0]: _log_row(row) for row in rows}
        return [found[message] for message in messages if message in found]

    def find(self, text: str) -> int | None:
        """The row of a mail by its number or its reference (`T-7K3M9QX`, any case)."""
        if text.isdecimal():
            rows = self.select("SELECT id FROM message WHERE id = ?", (min(int(text[:20]), 2**63 - 1),))
        else:
            rows = self.select("SELECT id FROM message WHERE reference = ?", (text.upper(),))
        return int(rows[0][0]) if rows else None

    def message(self, message: int) -> Message | None:
        """The mail as it was read; None when it is quarantined or unknown."""
        rows = self.select("SELECT parsed FROM message WHERE id = ? AND parsed <> ''", (message,))
        return MESSAGE.validate_json(rows[0][0]) if rows else None

    def background(self, message: int) -> Background | None:
        """What was known of a mail when it was decided about last; None when that was not kept or is no longer."""
        rows = self.select(
            "SELECT background FROM decision WHERE message = ? ORDER BY id DESC LIMIT 1",
            (message,),
        )
        return BACKGROUND.validate_json(rows[0][0]) if rows and rows[0][0] != "" else None

    def locator(self, message: int) -> Locator | None:
        """Where a mail lay when it was decided about; None when nobody knows.

        Copies may be seen in the same moment: it is the place that it was to be filed from, else one in its mailbox.
        """
        rows = self.select(
            "SELECT payload ->> '$.locator.mailbox', payload ->> '$.locator.folder', payload ->> '$.locator.key' "
            "FROM effect WHERE message = ? AND kind = 'file' AND payload <> '{}' ORDER BY id LIMIT 1",
            (message,),
        ) or self.select(
            "SELECT locator.mailbox, folder, locator.key FROM locator JOIN message ON message.id = locator.message "
            "WHERE message.id = ? ORDER BY locator.mailbox <> message.mailbox, seen_at, folder, locator.key LIMIT 1",
            (message,),
        )
        return Locator(*rows[0]) if rows else None

    def decision(self, message: int) -> Decision | None:
        """The latest decision about a mail, without its effects (see `effects`)."""
        rows = self.select("SELECT decision FROM decision WHERE message = ? ORDER BY id DESC LIMIT 1", (message,))
        return DECISION.validate_json(rows[0][0]) if rows else None

    def effects(self, message: int) -> list[EffectRow]:
        """What was planned and done for a mail, in order."""
        rows = self.select(
            "SELECT id, kind, state, attempts, not_before_at, detail, payload FROM effect "
            "WHERE message = ? ORDER BY id",
            (message,),
        )
        return [EffectRow(row[0], row[1], row[2], row[3], from_ms(row[4]), row[5], json.loads(row[6])) for row in rows]

    def events(self, message: int) -> list[EventRow]:
        """A mail's story, in order."""
        rows = self.select("SELECT at, name, detail FROM event WHERE message = ? ORDER BY id", (message,))
        return [EventRow(from_ms(row[0]), row[1], row[2]) for row in rows]

    def events_named(self, name: str) -> list[EventRow]:
        """Every event of a name, in order."""
        rows = self.select("SELECT at, name, detail FROM event WHERE name = ? ORDER BY id", (name,))
        return [EventRow(from_ms(row[0]), row[1], row[2]) for row in rows]

    def waiting(self) -> list[tuple[int, str, str, str, str]]:
        """Effects that wait for a person: message row, kind, state, subject, detail; oldest first."""
        return [
            (row[0], row[1], row[2], row[3], row[4])
            for row in self.select(
                "SELECT message.id, effect.kind, effect.state, message.subject, "
                "CASE WHEN effect.kind = 'ask' THEN json_extract(payload, '$.question') ELSE detail END "
                "FROM effect JOIN message ON message.id = effect.message "
                "WHERE effect.state IN ('held', 'person') ORDER BY effect.id"
            )
        ]

    def breaker(self) -> BreakerRow:
        """Whether the breaker is open."""
        rows = self.select("SELECT opened_at, why FROM breaker WHERE closed_at IS NULL")
        return BreakerRow(from_ms(rows[0][0]), rows[0][1]) if rows else BreakerRow(None, "")

    def held_back(self) -> list[HeldRow]:
        """What limits hold back until a person decides, oldest first."""
        rows = self.select(
            "SELECT message, kind, sender, subject, detail FROM effect JOIN message ON message.id = effect.message "
            "WHERE effect.state = 'held' AND intended = 'owed' ORDER BY effect.id"
        )
        return [HeldRow(*row) for row in rows]

    def bounced(self) -> list[BouncedRow]:
        """Addresses whose mail came back, oldest first."""
        rows = self.select(
            "SELECT message, sender, since_at, why FROM bad_address JOIN message ON message.id = bad_address.message "
            "ORDER BY since_at"
        )
        return [BouncedRow(row[0], row[1], from_ms(row[2]), row[3]) for row in rows]

    def health(self) -> list[HealthRow]:
        """Every part of the worker that has reported."""
        rows = self.select("SELECT part, state, detail, since_at FROM health ORDER BY part")
        return [HealthRow(row[0], row[1], row[2], from_ms(row[3])) for row in rows]

    def counts(self, *, since_ms: int) -> Counts:
        """What the log holds; `today` counts mails logged since then."""
        one = self.select(
            "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM message WHERE received_at >= ?), "
            "(SELECT count(*) FROM locator WHERE message IS NOT NULL) - (SELECT count(*) FROM message), "
            "(SELECT count(*) FROM message WHERE state = 'quarantined'), "
            "(SELECT count(*) FROM facet WHERE kind = 'sure' AND value = 'no')",
            (since_ms,),
        )[0]
        effects = self.select("SELECT kind, state, count(*) FROM effect GROUP BY 1, 2 ORDER BY 1, 2")
        kinds = tuple((row[0], row[1], row[2]) for row in effects)
        return Counts(one[0], one[1], one[2], one[3], one[4], kinds)


def _log_row(row: tuple[Any, ...]) -> LogRow:
    return LogRow(
        id=row[0],
        reference=row[1],
        state=row[2],
        mailbox=row[3],
        received=from_ms(row[4]),
        sender=row[5],
        subject=row[6],
        automatic=row[7],
        categories=tuple(json.loads(row[8])),
        sure=bool(row[9]),
        account_id=row[10],
        priority=row[11],
        due=from_ms(row[12]) if row[12] is not None else None,
        copies=row[13],
        effects=tuple((kind, state) for kind, state in json.loads(row[14])),
        risk=row[15],
        assigned=row[16],
        done=from_ms(row[17]) if row[17] is not None else None,
        answered=from_ms(row[18]) if row[18] is not None else None,
    )
