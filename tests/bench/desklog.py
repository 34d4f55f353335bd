"""A number in; a site whose log holds so many mails of one year, made of mails that the worker really decided, out.

Each row is a copy of a decided mail's with its own key, sender, account, time, words and standing: to decide a million
mails would take the better part of a day. The log is as an earlier version left it; whoever opens it migrates it.
"""

from __future__ import annotations

import dataclasses
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count as count_from
from pathlib import Path
from typing import Any

from rich.progress import Progress
from sqlite_utils import Database
from sqlite_utils.utils import sqlite3

from tests.bench.mails import make_mails, write_accounts
from tests.bench.worker import write_config
from triaged import shipped
from triaged.accounts.match import directory
from triaged.accounts.read_csv import read_accounts
from triaged.config import load_config
from triaged.loading import assembled
from triaged.log.encode import DECISION, MESSAGE, to_ms
from triaged.log.people import put_accounts
from triaged.log.schema import migrations
from triaged.log.store import Log
from triaged.mail.donotanswer import DoNotAnswer
from triaged.model import Account, Locator, Raw
from triaged.settings import Config
from triaged.wire import log_path
from triaged.worker.triage import Desk, Triaged, keep_loaded, loaded_of, triage

PATTERNS = 300
"""Mails that are really decided."""
ACCOUNTS, MAILBOXES, OWNERS = 1_000, ("desk", "renewals", "billing", "support"), ("lena", "marek", "sofia", "")
SPAN = timedelta(days=365)
DAY_MS = 86_400_000
WORDS, WORDS_A_MAIL = 100_000, 12
"""Made-up words that mails hold besides their own, the first often and the last hardly ever, as in any language."""
BATCH = 2_000
EARLIER = "m012_find"
"""The migration that the log still lacks."""
SEED = 11


@dataclass(frozen=True, slots=True)
class Pattern:
    """Rows of one decided mail by table, without its number."""

    message: dict[str, Any]
    decision: dict[str, Any]
    effects: tuple[dict[str, Any], ...]
    event: dict[str, Any]


def lay_out(site: Path) -> Config:
    """Rules, templates, accounts and configuration in this folder."""
    shutil.copytree(shipped.shipped("templates"), site / "templates")
    shutil.copytree(shipped.STARTER_RULES, site / "rules")
    write_accounts(site / "accounts.csv")
    settings = write_config(site / "config.toml", imap_port=1, smtp_port=1, user="desk", keep_sent=False, rules="rules")
    return load_config(settings)


def build(config: Config, count: int, *, bar: Progress) -> None:
    """Fill the site's log, which must not exist yet."""
    patterns = _patterns(config)
    path = log_path(config)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "cache_size=-400000"):
            connection.execute(f"PRAGMA {pragma}")
        migrations.apply(Database(connection), stop_before=EARLIER)
        connection.execute("INSERT INTO mailbox VALUES (?, 0, 0, 'bench')", (MAILBOXES[0],))
        rows = _rows(patterns, count)
        task = bar.add_task(f"{count} rows", total=count)
        for start in range(0, count, BATCH):
            connection.execute("BEGIN")
            for number in range(start, min(start + BATCH, count)):
                _insert(connection, number + 1, next(rows))
            connection.execute("COMMIT")
            bar.advance(task, min(BATCH, count - start))
        task = bar.add_task("full-text index", total=1)
        connection.execute("INSERT INTO message_fts (message_fts) VALUES ('rebuild')")
        connection.execute("UPDATE meta SET value = ? WHERE name = 'indexed_to'", (count,))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        bar.advance(task)


def written_again(log: Log) -> Iterator[Callable[[], Any]]:
    """Without end: each writes a new mail, as the worker does, that is like one of the log's latest."""
    rows = log.db.execute(
        "SELECT parsed, decision FROM message JOIN decision ON decision.message = message.id "
        "WHERE parsed <> '' ORDER BY message.id DESC LIMIT ?",
        (PATTERNS,),
    ).fetchall()
    known = [(MESSAGE.validate_json(parsed), DECISION.validate_json(decision)) for parsed, decision in rows]
    began = time.time_ns()
    for number in count_from(0):
        message, decision = known[number % len(known)]
        key, now = f"{began + number:032x}", datetime.now(UTC)
        sent = dataclasses.replace(message, key=key, message_id=f"<{key}@client1.example>", received=now)
        yield partial(
            log.record,
            sent,
            dataclasses.replace(decision, message_key=key),
            Locator("desk", "INBOX", f"{began}/{number}"),
            now=now,
        )


def accounts() -> tuple[Account, ...]:
    """The clients that the mails are of."""
    return tuple(Account(f"B-{n}", f"Bench client {n}", domains=(f"client{n}.example",)) for n in range(ACCOUNTS))


def _patterns(config: Config) -> list[Pattern]:
    """Decide mails as the worker does, in a log of their own, and read the rows that this wrote."""
    path = config.state_dir / "patterns.db"
    playbook, now, log = assembled(config), datetime.now(UTC), Log(path)
    known = directory(read_accounts(config.base / "accounts.csv", people=frozenset()))
    made = make_mails(PATTERNS, seed=SEED)
    raws = [Raw(Locator("desk", "INBOX", f"1/{n}"), now, octets, len(octets)) for n, octets in enumerate(made)]
    with log.transaction():
        put_accounts(log, read_accounts(config.base / "accounts.csv", people=frozenset()))
        keep_loaded(log, loaded_of(playbook), now=now)
        log.db.execute("INSERT INTO mailbox VALUES ('desk', 0, 0, 'bench')")
        for result in triage(raws, desk=Desk(playbook, known, None, DoNotAnswer()), now=now):
            assert isinstance(result, Triaged), result
            log.record(result.message, result.decision, result.raw.locator, now=now, background=result.background)
    connection = log.db.conn
    connection.row_factory = sqlite3.Row
    tables = {
        table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY id")]
        for table in ("message", "decision", "effect", "event")
    }
    log.close()
    for file in path.parent.glob("patterns.db*"):
        file.unlink()
    return [
        Pattern(
            message,
            next(row for row in tables["decision"] if row["message"] == message["id"]),
            tuple(row for row in tables["effect"] if row["message"] == message["id"]),
            next(row for row in tables["event"] if row["message"] == message["id"]),
        )
        for message in tables["message"]
    ]


def _rows(patterns: list[Pattern], count: int) -> Iterator[Pattern]:
    """So many mails, the oldest first; some come later than those logged before them, as in life."""
    chance, end = random.Random(SEED), to_ms(datetime.now(UTC))
    vocabulary = [word(number) for number in range(WORDS)]
    step = SPAN / timedelta(milliseconds=1) / count
    for number in range(count):
        logged_at = round(end - (count - number) * step)
        # The number on a logarithmic scale: the first words often, the last hardly ever (Zipf).
        words = " ".join(vocabulary[int(WORDS ** chance.random()) - 1] for _ in range(WORDS_A_MAIL))
        yield _row(chance, chance.choice(patterns), number, logged_at, age_ms=end - logged_at, words=words)


def _row(chance: random.Random, pattern: Pattern, number: int, logged_at: int, *, age_ms: int, words: str) -> Pattern:
    key = f"{number:032x}"
    client = int(ACCOUNTS ** chance.random()) - 1
    received_at = logged_at - int(chance.expovariate(1 / 60_000))
    person = pattern.message["automatic"] == "person"
    done = person and chance.random() < min(0.995, age_ms / (7 * DAY_MS))
    message = pattern.message | {
        "id": number + 1,
        "key": key,
        "reference": f"T-{number:07X}",
        "mailbox": MAILBOXES[min(int(chance.expovariate(1.2)), 3)],
        "message_id": f"<{key}@client{client}.example>",
        "sender": f"alex{number % 7}@client{client}.example",
        "subject": f"{pattern.message['subject']} {words.split()[0]}",
        "received_at": received_at,
        "logged_at": logged_at,
        "sure": int(chance.random() < 0.85),
        "account_id": f"B-{client}" if chance.random() < 0.9 else None,
        "due_at": received_at + DAY_MS if person else None,
        "done_at": received_at + DAY_MS // 2 if done else None,
        "waiting_at": received_at + 1000 if person and not done and chance.random() < 0.2 else None,
        "assigned": chance.choice(OWNERS) if person else "",
        "risk": round(chance.random() ** 4, 4),
        "complaint": round(chance.random() ** 3, 4) if person else None,
        "new_text": f"{pattern.message['new_text']}\n{words}",
    }
    if chance.random() < 0.0005:
        message |= {"state": "quarantined", "categories": "[]", "sure": 0, "automatic": "hold", "parsed": ""}
    held = age_ms < 3 * DAY_MS and chance.random() < 0.3
    effects = tuple(
        row
        | {
            "key": f"{row['kind']}:{key}:{place}",
            "state": "held" if held else "done",
            "external_id": f"<{place}.{key}@bench.example>",
            "created_at": logged_at,
            "changed_at": logged_at,
        }
        for place, row in enumerate(pattern.effects)
    )
    return Pattern(message, pattern.decision | {"decided_at": logged_at}, effects, pattern.event | {"at": logged_at})


def _insert(connection: sqlite3.Connection, number: int, row: Pattern) -> None:
    """One mail with all that hangs on it."""
    _put(connection, "message", row.message)
    if row.message["state"] == "triaged":
        _put(connection, "decision", row.decision | {"id": number, "message": number})
    for each in row.effects:
        _put(connection, "effect", {**each, "id": None, "message": number})
    _put(connection, "event", row.event | {"id": number, "message": number})
    place = {"mailbox": row.message["mailbox"], "folder": "INBOX", "key": f"1/{number}", "message": number}
    _put(connection, "locator", {**place, "seen_at": row.message["logged_at"]})


def _put(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(row.values()))


def word(number: int) -> str:
    """The made-up word of this number, pronounceable, and the same for the same number."""
    letters = ""
    number += 100
    while number > 0:
        number, rest = divmod(number, 80)
        letters += "bdfgklmnprstvwzj"[rest % 16] + "aeiou"[rest // 16]
    return letters
