"""F16: a log of the first version is brought up to date by a worker that is killed: all is there, at any moment.

A backup taken while the worker writes, and its restoring, are tested with `triaged backup`.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Migrations

from tests.crash.nursery import Nursery, running_nursery
from tests.crash.points import Point, read_trace
from tests.crash.sites import pattern_site
from tests.faults.ground import Ground
from triaged.errors import Permanent
from triaged.log.read import Reader
from triaged.log.schema import migrations
from triaged.log.store import Log, connect

MAILS = 40


def old_site(pattern: Path, folder: Path) -> Path:
    """A site whose log was made by the first version, with mails and effects in every state."""
    folder.mkdir(parents=True)
    (folder / "state").mkdir(mode=0o700)
    shutil.copy(pattern / "config.toml", folder)
    db = connect(folder / "state/triaged.db")
    later = [each.name for each in migrations.pending(db)][1:]
    assert len(later) > 0
    migrations.apply(db, stop_before=later)
    states = ("held", "owed", "doing", "done", "person", "dropped")
    db.execute("BEGIN")
    for number in range(1, MAILS + 1):
        db.execute(
            "INSERT INTO message (id, key, reference, state, mailbox, message_id, sender, sender_name, subject, "
            "received_at, logged_at, automatic, language, categories, sure, priority, new_text, parsed) VALUES "
            "(?, ?, 'T-1', 'triaged', 'desk', '<1@client.example>', 'ben@oak.example', '', 'Lamp', 1, 1, 'person', "
            "'en', '[]', 1, 'normal', 'good words', '{}')",
            (number, f"key-{number}"),
        )
        db.execute("INSERT INTO locator VALUES ('desk', 'INBOX', ?, ?, 1)", (f"7/{number}", number))
        db.execute(
            "INSERT INTO effect (key, message, kind, lane, state, not_before_at, external_id, payload, created_at, "
            "changed_at) VALUES (?, ?, 'ack', 'mail', ?, 1, '', '{}', 1, 1)",
            (f"ack:{number}", number, states[number % len(states)]),
        )
    db.execute("COMMIT")
    db.close()
    return folder


def held(folder: Path) -> list[object]:
    """All that the first version knew."""
    with closing(sqlite3.connect(folder / "state/triaged.db")) as log:
        assert log.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert log.execute("PRAGMA foreign_key_check").fetchall() == []
        return [
            log.execute("SELECT id, key, sender, new_text FROM message ORDER BY id").fetchall(),
            log.execute("SELECT * FROM locator ORDER BY key").fetchall(),
            log.execute("SELECT key, message, kind, state, attempts FROM effect ORDER BY id").fetchall(),
        ]


def shape(folder: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(folder / "state/triaged.db")) as log:
        return log.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def killed_while_upgrading(nursery: Nursery, pattern: Path, folder: Path, *, kills: int, seed: int) -> int:
    """Kill at moments drawn by chance, some of the restarts too; how many moments there are."""
    whole = old_site(pattern, folder / "whole")
    before = held(whole)
    assert nursery.life(whole, trace="trace", only_open=True) == []
    assert held(whole) == before
    moments = read_trace(whole / "trace")
    draw = random.Random(seed)
    for number in range(kills):
        site = old_site(pattern, folder / f"{number}")
        wanted: list[Point] = [draw.choice(moments) for _ in range(1 + number % 2)]
        for moment in wanted:
            nursery.life(site, trace="trace", only_open=True, kill_at=moment)
            assert held(site) == before, f"after a kill at {moment}"
        assert nursery.life(site, trace="trace", only_open=True) == []
        assert held(site) == before, wanted
        assert shape(site) == shape(whole), wanted
        shutil.rmtree(site)
    return len(moments)


def told(kills: int, moments: int) -> None:
    print(f"F16 upgrades: {kills} killed at {moments} moments, {kills * MAILS:,} mails, 0 lost")  # noqa: T201


def test_an_upgrade_that_is_killed_loses_nothing(ground: Ground, tmp_path: Path) -> None:
    told(12, killed_while_upgrading(ground.nursery, ground.pattern, tmp_path, kills=12, seed=16))


def test_an_older_version_refuses_a_newer_log(tmp_path: Path) -> None:
    path = tmp_path / "state/triaged.db"
    Log(path).close()
    newer = Migrations(migrations.name)
    newer(name="m999_of_the_future")(lambda db: db.execute("CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT"))
    db = connect(path)
    newer.apply(db)
    db.close()
    with pytest.raises(Permanent, match="later version"):
        Log(path)


def test_a_log_of_an_earlier_version_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "state/triaged.db"
    Log(path).close()
    with closing(Reader(path)) as reader:
        assert not reader.is_outdated()
    db = connect(path)
    db.execute("DELETE FROM _sqlite_migrations WHERE name <> 'm001_tables'")
    db.close()
    with closing(Reader(path)) as reader:
        assert reader.is_outdated()


def long_run(folder: Path) -> None:
    """100 kills."""
    pattern = folder / "pattern"
    pattern_site(pattern)
    with running_nursery(pattern / "config.toml", folder / "nursery.log") as nursery:
        told(100, killed_while_upgrading(nursery, pattern, folder, kills=100, seed=16))
