"""What people were told in and out, and what there may be to tell them: alerts, runs, canaries, facts of the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # pysqlite3 where it is installed

from triaged.errors import Permanent
from triaged.log.encode import from_ms, to_ms
from triaged.log.read import Reader
from triaged.log.rows import BreakerRow, HealthRow
from triaged.log.store import Log

Severity = Literal["trouble", "warning", "info"]
"""trouble: mail is not worked on as it should be · warning: soon it will not, or a person must act · info: to know."""


CLOSED = BreakerRow(None, "")


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition and what people heard of it.

    what: what it is about, in a few words; words: sentences. step: how bad, from 1. cleared: None while it is so.
    heard_step: the step last told, 0 when nothing or the all-clear was. heard: when an alarm was last told.
    failed: why it could not be told.
    """

    key: str
    what: str
    severity: Severity
    words: str
    step: int
    since: datetime
    cleared: datetime | None = None
    heard_step: int = 0
    heard: datetime | None = None
    failed: str = ""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of the worker; ended: None while it runs, or when it was killed."""

    started: datetime
    alive: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What the log knows that people may have to be told.

    stuck: effects that failed for good and wait for a person; waiting: mails' other effects that wait for one for
    long. bounced: addresses that came back lately. canary_lost: when the latest canary was sent that should be here
    and is not. run, run_before: the latest run of the worker and the one before.
    """

    parts: tuple[HealthRow, ...] = ()
    breaker: BreakerRow = CLOSED
    quarantined: int = 0
    stuck: int = 0
    waiting: int = 0
    bounced: int = 0
    canary_lost: datetime | None = None
    run: RunRow | None = None
    run_before: RunRow | None = None


def alerts(reader: Reader) -> dict[str, Alert]:
    """Every condition that there ever was, by key. Raises: Permanent when the log cannot be read."""
    columns = "key, what, severity, words, step, since_at, cleared_at, heard_step, heard_at, failed"
    with _readable():
        rows = reader.select(f"SELECT {columns} FROM alert ORDER BY since_at")  # noqa: S608 - names of ours
    return {
        row[0]: Alert(
            key=row[0],
            what=row[1],
            severity=row[2],
            words=row[3],
            step=row[4],
            since=from_ms(row[5]),
            cleared=_moment(row[6]),
            heard_step=row[7],
            heard=_moment(row[8]),
            failed=row[9],
        )
        for row in rows
    }


def open_alerts(reader: Reader) -> tuple[Alert, ...]:
    """Those that are so now, oldest first."""
    return tuple(alert for alert in alerts(reader).values() if alert.cleared is None)


def put_alerts(log: Log, changed: Iterable[Alert]) -> None:
    """Write conditions as they are now."""
    for each in changed:
        log.db.execute(
            "INSERT OR REPLACE INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                each.key,
                each.what,
                each.severity,
                each.words,
                each.step,
                to_ms(each.since),
                _ms(each.cleared),
                each.heard_step,
                _ms(each.heard),
                each.failed,
            ),
        )


# --- runs ---


def forget_health(log: Log) -> None:
    """The worker starts and looks at everything anew, so what an earlier run reported of its parts is over."""
    log.db.execute("DELETE FROM health WHERE part NOT IN ('rules', 'model')")


def begin_run(log: Log, *, now: datetime) -> None:
    """The worker starts, to go on until it is told to end."""
    log.db.execute("INSERT INTO run (started_at, alive_at) VALUES (?, ?)", (to_ms(now), to_ms(now)))


def is_alive(log: Log, *, now: datetime) -> None:
    """The run goes on."""
    log.db.execute("UPDATE run SET alive_at = ? WHERE id = (SELECT max(id) FROM run)", (to_ms(now),))


def end_run(log: Log, *, now: datetime) -> None:
    """The worker ends in order."""
    log.db.execute("UPDATE run SET ended_at = ? WHERE id = (SELECT max(id) FROM run)", (to_ms(now),))


def has_run(path: Path) -> bool:
    """Whether the service has run on this log: a server that does not answer then is an outage, not a mistake."""
    try:
        with closing(Reader(path)) as reader:
            return len(runs(reader)) > 0
    except (FileNotFoundError, sqlite3.OperationalError):  # no log yet, or one that is still to be migrated
        return False


def runs(reader: Reader, *, limit: int = 2) -> tuple[RunRow, ...]:
    """The latest runs, newest first."""
    rows = reader.select("SELECT started_at, alive_at, ended_at FROM run ORDER BY id DESC LIMIT ?", (limit,))
    return tuple(RunRow(from_ms(row[0]), from_ms(row[1]), _moment(row[2])) for row in rows)


# --- canaries ---


def put_canary(log: Log, message_id: str, *, mailbox: str, now: datetime) -> None:
    """A canary is about to be sent."""
    log.db.execute("INSERT INTO canary VALUES (?, ?, ?)", (message_id, mailbox, to_ms(now)))


def drop_canary(log: Log, message_id: str) -> None:
    """It was certainly not sent."""
    log.db.execute("DELETE FROM canary WHERE message_id = ?", (message_id,))


def mark_canaries(log: Log, *, older: datetime) -> None:
    """Mails that are our own canaries are told apart from clients'; canaries sent before `older` are forgotten."""
    log.db.execute(
        "UPDATE message SET state = 'canary', sure = 1 "
        "WHERE message_id <> '' AND message_id IN (SELECT message_id FROM canary) AND state = 'triaged'"
    )
    log.db.execute("DELETE FROM canary WHERE sent_at < ?", (to_ms(older),))


def unmarked_canaries(reader: Reader) -> bool:
    """Whether a canary arrived that is not marked yet."""
    rows = reader.select(
        "SELECT 1 FROM canary CROSS JOIN message ON message.message_id = canary.message_id "
        "WHERE message.message_id <> '' AND message.state = 'triaged' LIMIT 1"  # so that the index is used
    )
    return len(rows) > 0


def last_canary(reader: Reader) -> datetime | None:
    """When the latest canary was sent."""
    return _moment(reader.select("SELECT max(sent_at) FROM canary")[0][0])


# --- facts ---


def log_facts(
    reader: Reader, *, waiting_before: datetime, bounced_after: datetime, canary_before: datetime | None
) -> LogFacts:
    """What may have to be told now. canary_before: one sent earlier should be here, None when none is sent.

    Raises: Permanent when the log cannot be read.
    """
    with _readable():
        # The plus keeps SQLite on the small partial index of what waits.
        stuck, waiting = reader.select(
            "SELECT count(*) FILTER (WHERE state = 'person' AND +kind <> 'ask'), "
            "count(*) FILTER (WHERE (state = 'held' OR +kind = 'ask') AND created_at < ?) "
            "FROM effect INDEXED BY effect_waiting WHERE state IN ('held', 'person')",
            (to_ms(waiting_before),),
        )[0]
        quarantined, bounced = reader.select(
            "SELECT (SELECT count(*) FROM message INDEXED BY message_quarantined WHERE state = 'quarantined'), "
            "(SELECT count(*) FROM bad_address WHERE since_at > ?)",
            (to_ms(bounced_after),),
        )[0]
        latest = (*runs(reader), None, None)
        return LogFacts(
            parts=tuple(reader.health()),
            breaker=reader.breaker(),
            quarantined=quarantined,
            stuck=stuck,
            waiting=waiting,
            bounced=bounced,
            canary_lost=_canary_lost(reader, canary_before) if canary_before is not None else None,
            run=latest[0],
            run_before=latest[1],
        )


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Permanent(f"the log cannot be read: {error}") from error


def _canary_lost(reader: Reader, before: datetime) -> datetime | None:
    rows = reader.select(
        "SELECT sent_at, EXISTS (SELECT 1 FROM message WHERE message_id <> '' AND message_id = canary.message_id) "
        "FROM canary WHERE sent_at <= ? ORDER BY sent_at DESC LIMIT 1",
        (to_ms(before),),
    )
    return from_ms(rows[0][0]) if rows and not rows[0][1] else None


def last_mail(reader: Reader, mailbox: str) -> datetime | None:
    """When the latest mail came into a mailbox; canaries do not count. Raises: Permanent when it cannot be read."""
    sql = "SELECT received_at FROM message WHERE mailbox = ? AND state <> 'canary' ORDER BY received_at DESC LIMIT 1"
    with _readable():
        rows = reader.select(sql, (mailbox,))
    return _moment(rows[0][0]) if rows else None


def busy_hours(reader: Reader, mailbox: str, *, since: datetime) -> tuple[int, ...]:
    """The hours, counted from 1970 in UTC, in which mail came into a mailbox, in order. Raises: Permanent."""
    with _readable():
        rows = reader.select(
            "SELECT DISTINCT received_at / 3600000 FROM message WHERE mailbox = ? AND received_at >= ? "
            "AND state <> 'canary' ORDER BY 1",
            (mailbox, to_ms(since)),
        )
    return tuple(row[0] for row in rows)


def _moment(milliseconds: int | None) -> datetime | None:
    return from_ms(milliseconds) if milliseconds is not None else None


def _ms(moment: datetime | None) -> int | None:
    return to_ms(moment) if moment is not None else None
