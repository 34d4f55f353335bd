"""Decisions and outcomes in, committed rows out: every write to the log, each inside one transaction.

One `Log` belongs to one thread. Transactions of several programs (worker, command line) exclude each other by a
lock file as well, because SQLite before 3.51.3 can corrupt a WAL that two connections write or checkpoint at the
same moment (sqlite.org/wal.html#walresetbug).
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database
from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # pysqlite3 where it is installed

from triaged.decision import (
    AskPerson,
    Decision,
    Effect,
    Outcome,
    Planned,
    ReleaseTimes,
)
from triaged.errors import Permanent
from triaged.log import calls
from triaged.log.accountrows import account_now
from triaged.log.effects import external_id, given_up, lane_of, without_times
from triaged.log.encode import BACKGROUND, DECISION, EFFECT, MESSAGE, decided_columns, from_ms, to_ms
from triaged.log.limits import Caps, Limits, Start
from triaged.log.rights import make_private
from triaged.log.schema import migrations, refuse_newer
from triaged.model import Bounce, Locator, Message, Raw
from triaged.playbook import Background

BUSY_TIMEOUT_S = 30.0
UNANSWERED = "Nobody answered the times that were offered for a call; they are kept free no longer."


def connect(path: Path) -> Database:
    """A connection in manual-commit mode, as the measured rules ask (isolation_level=None, WAL, FULL)."""
    connection = sqlite3.connect(str(path), isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
    connection.execute("PRAGMA secure_delete=ON")  # what is deleted is gone; it costs nothing (2026-11-22)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "journal_size_limit=67108864"):
        connection.execute(f"PRAGMA {pragma}")
    return Database(connection)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a mail: its row, whether it was a further copy, and the lanes that have work now."""

    row: int
    copy: bool
    lanes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Claimed:
    """An effect that a lane has begun; attempts counts this one too. handed: past the point of no return."""

    row: int
    message: int
    effect: Effect
    attempts: int
    handed: bool = False


class Log:
    """The writing connection. Every method but `transaction` must be called inside one."""

    def __init__(self, path: Path, *, caps: Caps = Caps()) -> None:  # noqa: B008 - frozen
        """Open or make the log, migrated; caps: how much may be sent by machine. Raises: Permanent, a sentence."""
        try:
            make_private(path.parent)
            lock = path.parent / f"{path.name}.lock"
            for each in (lock, path):  # SQLite gives its -wal and -shm the rights of the database
                if not each.exists():  # to open and close one that is in use would drop its POSIX locks (fcntl(2))
                    each.touch(mode=0o600)
            self._lock = lock.open("w")
        except OSError as error:
            raise Permanent(f"the log {path} cannot be opened: {error}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self.db = connect(path)
            self.limits = Limits(self.db, caps)
            with self.transaction():  # or a kill leaves sqlite-utils' own table without its index
                refuse_newer(self.db)
                migrations.apply(self.db)
        except (OSError, sqlite3.Error, Permanent) as error:
            self._lock.close()
            raise Permanent(f"the log {path} cannot be opened: {error}") from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One BEGIN IMMEDIATE … COMMIT; on an exception nothing was written. Raises: sqlite3.OperationalError."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other program writes meanwhile; for what no transaction can hold: VACUUM, a checkpoint."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of a transaction that may fail alone."""
        self.db.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK TO part")
            self.db.execute("RELEASE part")
            raise
        self.db.execute("RELEASE part")

    def close(self) -> None:
        """Fold the WAL back and close."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()
        self._lock.close()

    # --- mail ---

    def record(
        self,
        message: Message,
        decision: Decision,
        locator: Locator,
        *,
        now: datetime,
        background: Background | None = None,
        drawn: bool = False,
    ) -> Recorded:
        """Write a mail, its decision and its effects; a mail that is there already only gets a further locator.

        background: None when it was not kept, and then nobody can make the decision again. drawn: for review (see
        `labels.is_drawn`).
        """
        if (row := self._row_of(message.key)) is not None:
            if self._locate(locator, row, now):
                self.event(
                    "copy", f"again in {locator.mailbox}/{locator.folder}; not answered again", message=row, now=now
                )
            return Recorded(row, True, frozenset())
        verdict = decision.verdict
        account = account_now(self.db, decision.account.account_id)
        columns = _message_row(message, decision, locator.mailbox, now)
        row = self.insert("message", {**columns, "account_id": account, "drawn": int(drawn)})
        self._locate(locator, row, now)
        self.insert("decision", {"message": row, **decision_row(decision, background)})
        self.event("triaged", ", ".join(verdict.chosen) or "other", message=row, now=now)
        if message.bounce is not None:
            self._came_back(message.bounce, now)
        if decision.answer is not None:
            calls.note_answer(self.db, decision.answer, now=now)
            self.event(f"answer.{decision.answer.says}", decision.answer.words, message=row, now=now)
        return Recorded(row, False, self.plan(row, decision.effects, now))

    def quarantine(self, raw: Raw, *, key: str, cause: str, now: datetime) -> Recorded:
        """Keep a mail that could not be read: its octets, the cause, and a question to a person."""
        if (row := self._row_of(key)) is not None:
            self._locate(raw.locator, row, now)
            return Recorded(row, True, frozenset())
        row = self.insert(
            "message",
            {
                "key": key,
                "reference": "",
                "state": "quarantined",
                "mailbox": raw.locator.mailbox,
                "message_id": "",
                "sender": "",
                "sender_name": "",
                "subject": f"(unreadable: {cause})",
                "received_at": to_ms(raw.received),
                "logged_at": to_ms(now),
                "automatic": "hold",
                "language": "",
                "categories": "[]",
                "sure": 0,
                "account_id": None,
                "account_how": None,
                "priority": "high",
                "due_at": None,
                "new_text": "",
                "parsed": "",
            },
        )
        self.insert("octets", {"message": row, "octets": raw.octets, "size_bytes": raw.size_bytes})
        self._locate(raw.locator, row, now)
        self.event("quarantined", cause, message=row, now=now)
        ask = AskPerson(f"ask:{key}", f"This mail could not be read: {cause}. Look at it on the server.")
        return Recorded(row, False, self.plan(row, (Planned(ask, "person", now),), now))

    def record_gone(self, locator: Locator, *, now: datetime) -> None:
        """A message that was listed but vanished before it was fetched has its row too."""
        self._locate(locator, None, now)
        self.event("gone", f"{locator.mailbox}/{locator.folder}/{locator.key} vanished unread", message=None, now=now)

    def set_cursor(self, mailbox: str, folder: str, key: str, *, now: datetime) -> None:
        """Remember the highest contiguously committed key."""
        self.db.execute(
            "INSERT INTO cursor VALUES (?, ?, ?, ?) "
            "ON CONFLICT (mailbox, folder) DO UPDATE SET key = excluded.key, changed_at = excluded.changed_at",
            (mailbox, folder, key, to_ms(now)),
        )

    # --- effects ---

    def claim(self, lane: str, *, now: datetime) -> Claimed | None:
        """Begin the lane's oldest owed effect that is due; its attempt is counted before it is made."""
        row = self.db.execute(
            "SELECT id, message, payload, attempts FROM effect WHERE lane = ? AND state = 'owed' "
            "AND not_before_at <= ? ORDER BY not_before_at, id LIMIT 1",
            (lane, to_ms(now)),
        ).fetchone()
        if row is None:
            return None
        self.move(row[0], "doing", "", now)
        self.db.execute("UPDATE effect SET attempts = attempts + 1, handed_at = NULL WHERE id = ?", (row[0],))
        return Claimed(row[0], row[1], EFFECT.validate_json(row[2]), row[3] + 1)

    def hand_over(self, claimed: Claimed, *, now: datetime) -> None:
        """The point of no return: once this is committed the effect may have happened."""
        self.db.execute("UPDATE effect SET handed_at = ? WHERE id = ?", (to_ms(now), claimed.row))

    def doing(self, lane: str) -> list[Claimed]:
        """Effects that a killed worker left begun."""
        rows = self.db.execute(
            "SELECT id, message, payload, attempts, handed_at IS NOT NULL FROM effect "
            "WHERE lane = ? AND state = 'doing' ORDER BY id",
            (lane,),
        ).fetchall()
        return [Claimed(row[0], row[1], EFFECT.validate_json(row[2]), row[3], bool(row[4])) for row in rows]

    def finish(self, claimed: Claimed, outcome: Outcome, *, now: datetime) -> frozenset[str]:
        """The effect is done; what follows from it is planned in the same commit. Returns the lanes with new work."""
        self.move(claimed.row, "done", outcome.detail, now)
        self.event(f"{claimed.effect.kind}.done", outcome.detail, message=claimed.message, now=now)
        if outcome.call is not None:
            calls.put(self.db, outcome.call, message=claimed.message, now=now)
        follow_ups = outcome.follow_ups
        if isinstance(claimed.effect, ReleaseTimes) and calls.is_unanswered(self.db, claimed.effect.uid):
            ask = AskPerson(f"ask:{claimed.effect.key}", UNANSWERED)
            follow_ups = (*follow_ups, Planned(ask, "person", now))
        return self.plan(claimed.message, follow_ups, now)

    def put_off(self, claimed: Claimed, *, until: datetime, why: str, now: datetime) -> None:
        """The effect did not happen and is owed again from `until` on."""
        self.move(claimed.row, "owed", why, now)
        self.db.execute("UPDATE effect SET not_before_at = ? WHERE id = ?", (to_ms(until), claimed.row))
        self.event(f"{claimed.effect.kind}.later", why, message=claimed.message, now=now)

    def hand_to_person(self, claimed: Claimed, *, why: str, now: datetime) -> frozenset[str]:
        """The effect goes to a person; no machine does it again. Whoever was to be offered times is answered."""
        self.move(claimed.row, "person", why, now)
        self.event(f"{claimed.effect.kind}.person", why, message=claimed.message, now=now)
        return self.plan(claimed.message, given_up(claimed.effect, now), now)

    def abandon(self, lanes: Collection[str], *, now: datetime) -> None:
        """What is owed in a calendar that is none of these lanes goes to a person: nobody would ever do it."""
        rows = self.db.execute(
            "SELECT id, message, payload, attempts FROM effect WHERE state IN ('owed', 'doing') "
            "AND lane LIKE 'calendar:%' AND lane NOT IN (SELECT value FROM json_each(?)) ORDER BY id",
            (json.dumps(list(lanes)),),
        ).fetchall()
        for row, message, payload, attempts in rows:
            claimed = Claimed(row, message, EFFECT.validate_json(payload), attempts)
            self.hand_to_person(claimed, why="its calendar is not in the configuration any more", now=now)

    # --- around ---

    def event(self, name: str, detail: str, *, message: int | None, now: datetime) -> None:
        """Add to the story; it is never changed."""
        self.db.execute(
            "INSERT INTO event (at, message, name, detail) VALUES (?, ?, ?, ?)", (to_ms(now), message, name, detail)
        )

    def set_health(self, part: str, state: str, detail: str, *, now: datetime) -> None:
        """How a part of the worker is; `since` stays while the state does."""
        self.db.execute(
            "INSERT INTO health VALUES (:part, :state, :detail, :now) ON CONFLICT (part) DO UPDATE SET "
            "since_at = CASE WHEN state = excluded.state THEN since_at ELSE excluded.since_at END, "
            "state = excluded.state, detail = excluded.detail",
            {"part": part, "state": state, "detail": detail, "now": to_ms(now)},
        )

    def index_text(self, limit: int) -> int:
        """Bring up to `limit` new mails into the full-text index; returns how many. For idle times: merges are slow."""
        start = self.db.execute("SELECT value FROM meta WHERE name = 'indexed_to'").fetchone()[0]
        rows = self.db.execute(
            "SELECT id, subject, sender, new_text FROM message WHERE id > ? ORDER BY id LIMIT ?", (start, limit)
        ).fetchall()
        if len(rows) > 0:
            self.db.conn.executemany(
                "INSERT INTO message_fts (rowid, subject, sender, new_text) VALUES (?, ?, ?, ?)", rows
            )
            self.db.execute("UPDATE meta SET value = ? WHERE name = 'indexed_to'", (rows[-1][0],))
        return len(rows)

    # --- within ---

    def _row_of(self, key: str) -> int | None:
        row = self.db.execute("SELECT id FROM message WHERE key = ?", (key,)).fetchone()
        return row[0] if row is not None else None

    def insert(self, table: str, row: Mapping[str, Any]) -> int:
        """By hand: sqlite-utils' insert asks for the names of all tables and views first, each time."""
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - names of ours
        rowid = self.db.execute(sql, tuple(row.values())).lastrowid
        assert rowid is not None  # every table here has a rowid
        return rowid

    def _locate(self, locator: Locator, row: int | None, now: datetime) -> bool:
        """Remember where a message lies; False when that was known."""
        added = self.db.execute(
            "INSERT INTO locator VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
            "SET message = excluded.message, seen_at = excluded.seen_at WHERE message IS NULL AND excluded.message > 0",
            (locator.mailbox, locator.folder, locator.key, row, to_ms(now)),
        )
        return bool(added.rowcount == 1)

    def plan(self, message: int, effects: Iterable[Planned], now: datetime) -> frozenset[str]:
        """Write effects down as the limits let them begin; one that is there already stays. Returns lanes with work."""
        lanes = set[str]()
        mailbox, received_at = self.db.execute(
            "SELECT mailbox, received_at FROM message WHERE id = ?", (message,)
        ).fetchone()
        for planned in effects:
            start = self.limits.start(planned, message=message, mailbox=mailbox, received=from_ms(received_at), now=now)
            if start.why == "" and start.state == planned.state:
                start = dataclasses.replace(start, why=planned.because)
            row = self._insert_effect(message, planned, start, now)
            if row is None:
                continue
            if start.state != "owed":
                lanes |= self.plan(message, without_times(planned.effect), now)
            self.limits.began(row, planned, start, mailbox=mailbox)
            if start.why != "":
                self.event(f"{planned.effect.kind}.{start.state}", start.why, message=message, now=now)
            if start.state == "owed":
                lanes.add(lane_of(planned.effect))
        return frozenset(lanes)

    def _came_back(self, bounce: Bounce, now: datetime) -> None:
        """A mail of ours came back: a person hears of it, and an address that is no good is not written to again.

        Only a Message-ID that we made counts; nobody else can make one, so nobody else can have an address marked.
        """
        sent = self.db.execute(
            "SELECT effect.id, effect.kind, effect.message, payload FROM effect "
            "WHERE external_id IN (SELECT value FROM json_each(?)) AND kind IN ('ack', 'invitation', 'notify')",
            (json.dumps(bounce.message_ids),),
        ).fetchone()
        if sent is None:
            return
        effect, kind, message, payload = sent
        to = json.loads(payload)["mail"]["recipient"]
        why = next((each.diagnostic for each in bounce.recipients if each.diagnostic != ""), "no reason is given")
        self.event(f"{kind}.bounced", why, message=message, now=now)
        if kind != "notify" and any(each.permanent for each in bounce.recipients):
            self.db.execute(
                "INSERT OR IGNORE INTO bad_address SELECT client, ?, ?, ? FROM answered "
                "WHERE effect IN (SELECT id FROM effect WHERE message = ?) AND kind IN ('ack', 'call') LIMIT 1",
                (message, to_ms(now), why, message),
            )
        ask = AskPerson(f"ask:bounced:{effect}", f"Our mail to {to} came back: {why}")
        self.plan(message, (Planned(ask, "person", now),), now)

    def _insert_effect(self, message: int, planned: Planned, start: Start, now: datetime) -> int | None:
        """The new row, None when an effect of this key is there."""
        effect = planned.effect
        added = self.db.execute(
            "INSERT OR IGNORE INTO effect (key, message, kind, lane, state, intended, not_before_at, external_id, "
            "payload, detail, created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                effect.key,
                message,
                effect.kind,
                lane_of(effect),
                start.state,
                planned.state,
                to_ms(start.not_before),
                external_id(effect),
                EFFECT.dump_json(effect).decode(),
                start.why,
                to_ms(now),
                to_ms(now),
            ),
        )
        return added.lastrowid if added.rowcount == 1 else None

    def move(self, effect: int, state: str, detail: str, now: datetime) -> None:
        """An effect's row gets another state, and in words why."""
        self.db.execute(
            "UPDATE effect SET state = ?, detail = ?, changed_at = ? WHERE id = ?", (state, detail, to_ms(now), effect)
        )


def decision_row(decision: Decision, background: Background | None) -> dict[str, Any]:
    """A row of the table `decision`, without the mail's number."""
    return {
        "decided_at": to_ms(decision.decided_at),
        "model_id": decision.verdict.model_id,
        "rules_id": decision.verdict.rules_id,
        "decision": DECISION.dump_json(dataclasses.replace(decision, effects=())).decode(),
        "background": BACKGROUND.dump_json(background).decode() if background is not None else "",
    }


def _message_row(message: Message, decision: Decision, mailbox: str, now: datetime) -> dict[str, Any]:
    return {
        "key": message.key,
        "reference": decision.reference,
        "state": "triaged",
        "mailbox": mailbox,
        "message_id": message.message_id,
        "sender": message.sender.addr_spec if message.sender is not None else "",
        "sender_name": message.sender.display_name if message.sender is not None else "",
        "subject": message.subject,
        "received_at": to_ms(message.received),
        "logged_at": to_ms(now),
        "automatic": message.automatic.by,
        "language": decision.verdict.language,
        **decided_columns(decision, message.automatic.by),
        "new_text": message.new_text,
        "parsed": MESSAGE.dump_json(message).decode(),
    }
