"""F2: the power fails while the writer commits: what it had said was written is there, whole, and nothing is damaged.

The writer's own SQLite is apsw's for this, its statements are the product's. What the disk holds is then opened by
the product's SQLite.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.desk import NOW, decided, lay_out_site, mail, open_log
from tests.faults.power import Connection, Contents, Disk
from triaged.decision import Decision, Outcome
from triaged.errors import Permanent
from triaged.loading import build_playbook
from triaged.log import store
from triaged.log.limits import Caps
from triaged.log.store import Claimed, Log
from triaged.model import Locator, Message
from triaged.worker.beats import Beats
from triaged.worker.writer import Writer

WITHOUT_LIMIT = Caps(timedelta(0), 10**6, 10**6, 10**6, 10**6)
STEPS = {"owed": 0, "doing": 1, "handed": 2, "done": 3}
CHANGES = 60
"""Writes and syncs for each mail at least; the power cuts are spread over so many."""
SUBMITTERS = 4
"""Threads that hand work to the writer, as watchers, lanes and intake do."""

Case = tuple[Message, Decision]


@dataclass
class Said:
    """What the writer has said is committed. effects: key → step. cursor: covers so many mails."""

    mails: dict[str, Case] = field(default_factory=dict)
    effects: dict[str, int] = field(default_factory=dict)
    cursor: int = 0


@dataclass
class Cut:
    """What lies on the disk after a power cut, and what had been said by then."""

    files: dict[str, bytes]
    mails: set[str]
    effects: dict[str, int]
    cursor: int


class Cuts:
    """Takes `wanted` pictures of the disk, each at a write or sync drawn by chance."""

    def __init__(self, said: Said, draw: random.Random, *, wanted: int, share: float) -> None:
        self._said, self._draw, self._wanted, self._share = said, draw, wanted, share
        self.taken: list[Cut] = []

    def __call__(self, disk: Disk) -> None:
        if len(self.taken) < self._wanted and self._draw.random() < self._share:
            said = self._said
            # what was said goes first: all that is said meanwhile is on the disk by then
            mails, effects, cursor = set(said.mails), dict(said.effects), said.cursor
            self.taken.append(Cut(disk.after_power_cut(self._draw), mails, effects, cursor))


def cases(folder: Path, number: int) -> list[Case]:
    """Complaints of as many persons, each with an acknowledgement, a notice and a call owed."""
    playbook = build_playbook(lay_out_site(folder))
    text = "I am very disappointed, the report is wrong again. This is unacceptable."
    return [
        decided(playbook, mail(f"{text} {each}", sender=f"Ann <n{each}@acme.example>", number=each))
        for each in range(1, number + 1)
    ]


@contextmanager
def writing(path: Path, disk: Disk, *, synchronous: str) -> Iterator[Writer]:
    """The worker's writer on the disk."""
    real = vars(store)["sqlite3"]
    connect = lambda name, **_: Connection(name, disk, synchronous=synchronous)  # noqa: E731
    vars(store)["sqlite3"] = SimpleNamespace(connect=connect, Error=Exception)
    writer = Writer(path, beats=Beats(), caps=WITHOUT_LIMIT)
    thread = threading.Thread(target=writer.run)
    thread.start()
    try:
        writer.opened.result()
        yield writer
    finally:
        writer.close()
        thread.join()
        vars(store)["sqlite3"] = real


def lives(writer: Writer, said: Said, mails: list[tuple[int, Case]]) -> None:
    """What intake and lanes have written about each mail, in their order; `said` learns of it after each commit."""
    for number, (message, decision) in mails:
        locator = Locator("desk", "inbox", f"7/{number}")
        recorded = writer.submit(partial(Log.record, message=message, decision=decision, locator=locator, now=NOW))
        lanes = recorded.result().lanes
        said.mails[message.key] = (message, decision)
        for lane in sorted(lanes):
            while (claimed := writer.submit(partial(Log.claim, lane=lane, now=_later())).result()) is not None:
                _does(writer, said, claimed)


def _later() -> datetime:
    return NOW + timedelta(days=365)


def _does(writer: Writer, said: Said, claimed: Claimed) -> None:
    said.effects[claimed.effect.key] = STEPS["doing"]
    writer.submit(partial(Log.hand_over, claimed=claimed, now=NOW)).result()
    said.effects[claimed.effect.key] = STEPS["handed"]
    writer.submit(partial(Log.finish, claimed=claimed, outcome=Outcome("250 ok"), now=NOW)).result()
    said.effects[claimed.effect.key] = STEPS["done"]


def cut_power(folder: Path, written: list[Case], *, cuts: int, seed: int, synchronous: str = "FULL") -> list[Cut]:
    """Write it all, and the pictures of the disk at moments in between."""
    path, said = folder / "state/triaged.db", Said()
    open_log(path).close()
    share = cuts / (CHANGES * len(written))
    taken = Cuts(said, random.Random(seed), wanted=cuts, share=share)
    disk = Disk(taken)
    disk.files[str(path)] = Contents(bytearray(path.read_bytes()))
    with writing(path, disk, synchronous=synchronous) as writer:
        parts = [list(enumerate(written, 1))[start::SUBMITTERS] for start in range(SUBMITTERS)]
        threads = [threading.Thread(target=lives, args=(writer, said, part)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cursor = partial(Log.set_cursor, mailbox="desk", folder="inbox", key=f"7/{len(written)}", now=NOW)
        writer.submit(cursor).result()
        said.cursor = len(written)
    assert len(said.mails) == len(written)
    assert min(said.effects.values()) == STEPS["done"]
    assert len(said.effects) > 2 * len(written)
    return taken.taken


def faults_of(cut: Cut, folder: Path) -> list[str]:
    """What is lost or damaged when the product opens what lies on the disk."""
    folder.mkdir(parents=True)
    for name, octets in cut.files.items():
        (folder / name).write_bytes(octets)
    try:
        Log(folder / "triaged.db").close()
    except Permanent as error:
        return [f"damaged: {error}"]
    with closing(sqlite3.connect(folder / "triaged.db")) as log:
        try:
            found = list(_damages(log)) + list(_losses(log, cut))
        except sqlite3.DatabaseError as error:
            return [f"damaged: {error}"]
    shutil.rmtree(folder)
    return found


def _damages(log: sqlite3.Connection) -> Iterator[str]:
    if log.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
        yield "damaged"
    for what, sql in (
        ("a mail without its decision", "SELECT count(*) FROM message WHERE id NOT IN (SELECT message FROM decision)"),
        ("a mail without its place", "SELECT count(*) FROM message WHERE id NOT IN (SELECT message FROM locator)"),
        ("a mail without effects", "SELECT count(*) FROM message WHERE id NOT IN (SELECT message FROM effect)"),
    ):
        if (number := log.execute(sql).fetchone()[0]) > 0:
            yield f"{number} times {what}"


def _losses(log: sqlite3.Connection, cut: Cut) -> Iterator[str]:
    lost = cut.mails - {key for (key,) in log.execute("SELECT key FROM message")}
    if len(lost) > 0:
        yield f"lost: {len(lost)} mails of {len(cut.mails)}"
    steps = {
        key: STEPS["handed" if state == "doing" and handed else state]
        for key, state, handed in log.execute("SELECT key, state, handed_at IS NOT NULL FROM effect")
        if state in STEPS
    }
    back = [key for key, step in cut.effects.items() if steps.get(key, -1) < step]
    if len(back) > 0:
        yield f"lost: what was done with {len(back)} effects of {len(cut.effects)}"
    cursor = log.execute("SELECT key FROM cursor").fetchone()
    if cut.cursor > 0 and cursor is None:
        yield "lost: the cursor"


def trial(folder: Path, written: list[Case], *, cuts: int, seed: int, synchronous: str = "FULL") -> list[list[str]]:
    """What each of the power cuts did."""
    taken = cut_power(folder, written, cuts=cuts, seed=seed, synchronous=synchronous)
    return [faults_of(cut, folder / f"cut-{number}") for number, cut in enumerate(taken)]


def told(found: list[list[str]], mails: int) -> None:
    damaged = sum(any(word.startswith("damaged") for word in each) for each in found)
    lost = sum(any(word.startswith("lost") for word in each) for each in found)
    print(  # noqa: T201 - the trial's one line
        f"F2 power cuts: {len(found):,} cuts over {mails:,} mails, {lost} lost something committed, {damaged} damaged, "
        f"{sum(len(each) > 0 for each in found)} with anything wrong"
    )


def test_what_was_committed_outlives_a_power_cut(tmp_path: Path) -> None:
    written = cases(tmp_path / "site", 12)
    found = trial(tmp_path, written, cuts=30, seed=2)
    told(found, len(written))
    assert len(found) == 30
    assert [each for each in found if len(each) > 0] == []


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_without_syncs_the_same_checks_tell(tmp_path: Path, synchronous: str) -> None:
    """The guard: a log that is not synced loses what it had said was written."""
    found = trial(tmp_path, cases(tmp_path / "site", 6), cuts=20, seed=2, synchronous=synchronous)
    seen = sum(any("lost" in word or "damaged" in word for word in each) for each in found)
    print(f"F2 power cuts, synchronous={synchronous}: {seen} of 20 seen")  # noqa: T201
    assert seen > 0  # how many depends on how busy the machine is


def long_run(folder: Path) -> None:
    """1,000 power cuts in ten runs."""
    written = cases(folder / "site", 60)
    found = [each for seed in range(10) for each in trial(folder / str(seed), written, cuts=100, seed=seed)]
    told(found, len(written) * 10)
    assert len(found) == 1000
    assert [each for each in found if len(each) > 0] == []
