"""Days by category in, old mails without their texts, names and addresses out: what is counted stays.

Of a cleared mail stay its number, key, reference, categories, account, times and states; where it lies on the server
stays too, so that it is never taken for a new one.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # pysqlite3 where it is installed

from triaged.decision import Decision
from triaged.log.encode import DECISION, to_ms
from triaged.log.store import BUSY_TIMEOUT_S, Log
from triaged.model import Evidence

BATCH = 100
"""Mails in one transaction, so that the worker is never held up for long."""
MERGE_PAGES = 64
"""Pages of the full-text index merged at once (40–75 ms; engine.md 3)."""
REMOVED = "(removed)"
"""Stands where a subject stood."""

Write = Callable[[Callable[[Log], Any]], Any]
"""Has something done in one transaction of its own, and returns what it returned."""

_RIPE = """
SELECT id, CASE WHEN state = 'quarantined' THEN '["quarantined"]' WHEN categories = '[]' THEN '["other"]'
        ELSE categories END AS filed,
    coalesce(due_at, 0) > :now OR EXISTS (SELECT 1 FROM effect WHERE effect.message = message.id
        AND effect.state IN ('held', 'owed', 'doing', 'person')) AS busy
FROM message
WHERE cleared_at IS NULL AND logged_at < :newest AND NOT EXISTS (
    SELECT 1 FROM json_each(filed)
    WHERE value NOT IN (SELECT key FROM json_each(:before) AS days WHERE days.value > message.logged_at))
"""


@dataclass(frozen=True, slots=True)
class Ripe:
    """Mails whose days are over. rows: their numbers, oldest first; by_category: of these (one with two counts twice);
    waiting: mails that stay for now, since something about them is open or an answer is still due."""

    rows: tuple[int, ...]
    by_category: tuple[tuple[str, int], ...]
    waiting: int


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write. Raises: FileNotFoundError."""
    if not path.exists():
        raise FileNotFoundError(path)
    connection = sqlite3.connect(str(path), isolation_level=None, timeout=BUSY_TIMEOUT_S)
    try:
        connection.execute("PRAGMA query_only=ON")
        yield connection
    finally:
        connection.close()


def ripe(path: Path, *, days: Mapping[str, int], now: datetime) -> Ripe:
    """The mails that `clear_ripe` would clear. days: by category, `other` and `quarantined` too; 0 or none: for ever.

    A mail of several categories stays as long as the one that stays longest. Days are counted from its logging.
    """
    with reading(path) as db:
        found = db.execute(_RIPE, _parameters(days, now)).fetchall()
    clear = [(row, filed) for row, filed, busy in found if not busy]
    counts = Counter(category for _, filed in clear for category in json.loads(filed))
    return Ripe(tuple(sorted(row for row, _ in clear)), tuple(sorted(counts.items())), len(found) - len(clear))


def clear_ripe(
    path: Path,
    write: Write,
    *,
    days: Mapping[str, int],
    now: datetime,
    go_on: Callable[[int], bool] = lambda count: True,
) -> Ripe:
    """Clear every mail whose days are over, in short transactions; returns which.

    go_on: told how many more were cleared; False ends it, and the rest is cleared the next time. Done twice: nothing
    is left to clear.
    """
    found = ripe(path, days=days, now=now)
    for start in range(0, len(found.rows), BATCH):
        batch = found.rows[start : start + BATCH]
        write(partial(_clear_still_ripe, rows=batch, days=days, now=now))
        if not go_on(len(batch)):
            return found
    if len(found.rows) > 0:
        merge_index(write, go_on=partial(go_on, 0))
    return found


def _clear_still_ripe(log: Log, rows: Sequence[int], days: Mapping[str, int], now: datetime) -> None:
    """Something may have been opened about a mail since it was found."""
    only = "AND id IN (SELECT value FROM json_each(:only))"
    still = log.db.execute(f"{_RIPE} {only}", {**_parameters(days, now), "only": json.dumps(rows)}).fetchall()
    clear(log, [row for row, _, busy in still if not busy], event="removed", why="its days are over", now=now)


def _parameters(days: Mapping[str, int], now: datetime) -> dict[str, Any]:
    before = {category: to_ms(now - timedelta(days=count)) for category, count in days.items() if count > 0}
    return {"now": to_ms(now), "before": json.dumps(before), "newest": max(before.values(), default=0)}


def clear(log: Log, rows: Sequence[int], *, event: str, why: str, now: datetime) -> None:
    """Take text, names and addresses out of these mails, whatever is open about them. Inside a transaction."""
    wanted = (json.dumps(list(rows)),)
    these = "IN (SELECT value FROM json_each(?))"
    with reindexed(log, rows):
        blank = "message_id = '', sender = '', sender_name = '', new_text = '', parsed = ''"
        blank += ", next_step = '', next_at = NULL"
        sql = f"UPDATE message SET cleared_at = ?, subject = ?, {blank} WHERE id {these}"  # noqa: S608 - words of ours
        log.db.execute(sql, (to_ms(now), REMOVED, *wanted))
    found = log.db.execute(f"SELECT id, decision FROM decision WHERE message {these}", wanted).fetchall()  # noqa: S608
    for row, text in found:
        bare = DECISION.dump_json(_bare(DECISION.validate_json(text))).decode()
        log.db.execute("UPDATE decision SET decision = ?, background = '' WHERE id = ?", (bare, row))
    for statement in (
        "DELETE FROM octets WHERE message",
        "DELETE FROM note WHERE message",
        "DELETE FROM call WHERE message",
        "UPDATE effect SET payload = '{}', detail = '' WHERE message",
        "UPDATE undo_item SET told = '' WHERE message",
        "UPDATE bad_address SET why = 'what the server said was removed' WHERE message",
        "UPDATE event SET detail = '' WHERE name NOT IN ('triaged', 'corrected', 'confirmed') AND message",
    ):
        log.db.execute(f"{statement} {these}", wanted)
    for row in rows:
        log.event(event, why, message=row, now=now)


def _bare(decision: Decision) -> Decision:
    """What was decided and how sure, without the words of the mail that spoke for it."""
    verdict, risk = decision.verdict, decision.risk
    return dataclasses.replace(
        decision,
        verdict=dataclasses.replace(verdict, evidence=_wordless(verdict.evidence)),
        account=dataclasses.replace(decision.account, evidence=""),
        acknowledge=dataclasses.replace(decision.acknowledge, reason=""),
        rules=tuple(dataclasses.replace(rule, conditions=()) for rule in decision.rules),
        risk=dataclasses.replace(risk, evidence=_wordless(risk.evidence)),
        answer=None,
    )


def _wordless(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return tuple(dataclasses.replace(each, words="", start=-1, end=-1, marks=()) for each in evidence)


@contextmanager
def reindexed(log: Log, rows: Sequence[int]) -> Iterator[None]:
    """Around a change of these mails' texts: takes the old ones out of the full-text index and puts the new ones in."""
    texts = (
        "id, subject, sender, new_text FROM message WHERE id IN (SELECT value FROM json_each(?)) "
        "AND id <= (SELECT value FROM meta WHERE name = 'indexed_to')"
    )
    wanted = (json.dumps(list(rows)),)
    columns = "rowid, subject, sender, new_text"
    log.db.execute(f"INSERT INTO message_fts (message_fts, {columns}) SELECT 'delete', {texts}", wanted)
    yield
    log.db.execute(f"INSERT INTO message_fts ({columns}) SELECT {texts}", wanted)


def merge_index(write: Write, *, go_on: Callable[[], bool] = lambda: True) -> None:
    """Rewrite the full-text index as one piece, step by step: until then deleted words still stand in it."""
    pages = -MERGE_PAGES  # negative: all of it; the steps that follow go on with it (sqlite.org/fts5.html 6.9)
    while write(partial(_merge, pages=pages)) and go_on():
        pages = MERGE_PAGES


def _merge(log: Log, pages: int) -> bool:
    """One step; False when there was nothing left to do."""
    before = log.db.conn.total_changes
    log.db.execute("INSERT INTO message_fts (message_fts, rank) VALUES ('merge', ?)", (pages,))
    return bool(log.db.conn.total_changes - before >= 2)
