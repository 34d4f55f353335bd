"""F1: the worker killed (−9) at moments drawn by chance while mails stream in, again and again on the same site.

`make faults` also runs tests/crash at every single moment it knows (TRIAGED_CRASH_ALL=1).
"""

from __future__ import annotations

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import count
from pathlib import Path

import pytest

from tests.crash.checks import Doubts, _outside, doubts
from tests.crash.sites import Site, message_id
from tests.e2e.site import wait_for
from tests.faults.ground import Ground, running_ground

pytestmark = pytest.mark.timeout(600)

AT_ONCE = 4
LONGEST_S = 0.8
"""A life of an idle desk starts, reads and answers within it, so that kills fall on all of it."""
NO_LIMITS = "\n[limits]\nper_hour = 100000\ndomain_per_hour = 100000\nbreaker_per_hour = 100000\n"
WORDS = (
    "Could you please send us the price list?",
    "We will cancel our contract.",
    "The lamp flickers.",
    "We would like to renew our contract.",
)

_numbers = count()


@dataclass(frozen=True, slots=True)
class Story:
    """One site's: mails that came, kills, what was left with a person, what is wrong.

    set_aside: mails that the worker was killed with three times while it read them, so that a person is asked.
    """

    mails: int
    kills: int
    doubts: Doubts
    set_aside: int
    wrong: list[str]


def story(ground: Ground, *, kills: int, seed: int) -> Story:
    """Mails come in each life; each is cut short; then one is left to finish."""
    name = f"s{4000 + next(_numbers)}"  # a user of Dovecot's; other trials count from 0
    draw = random.Random(seed)
    site = ground.kinds[True](ground.folder / name, name)
    with (site.folder / "config.toml").open("a") as file:
        file.write(NO_LIMITS)
    given: list[str] = []
    with ground.dovecot.client(name) as client:
        client.select_folder("INBOX")
        client.delete_messages(client.search())
        client.expunge()
        for _ in range(kills):
            for _ in range(draw.choice((0, 1, 1, 2))):
                given.append(f"<{len(given)}.{name}@client.example>")
                client.append("INBOX", _mail(given[-1], len(given), draw))
            ground.nursery.killed(site.folder, after_s=draw.uniform(0, LONGEST_S))
    wrong = []
    with ground.nursery.staying(site.folder):
        try:
            wait_for(lambda: _is_done(site, len(given)), "the end of all work", timeout_s=120)
        except AssertionError as error:
            wrong.append(str(error))
    wrong += _wrong(site, given)
    left, set_aside = doubts(site), _aside(site)
    if len(wrong) == 0:
        shutil.rmtree(site.folder)
    return Story(len(given), kills, left, set_aside, wrong)


def _mail(message_id: str, number: int, draw: random.Random) -> bytes:
    return (
        f"From: <n{number}@{draw.choice(('oak', 'quay'))}.example>\r\nTo: <desk@harbour.example>\r\n"
        f"Subject: mail {number}\r\nDate: {format_datetime(datetime.now(UTC))}\r\nMessage-ID: {message_id}\r\n\r\n"
        f"Good day,\r\n\r\n{draw.choice(WORDS)}\r\n"
    ).encode()


def _is_done(site: Site, mails: int) -> bool:
    with closing(sqlite3.connect(site.log)) as log:
        owed = log.execute("SELECT count(*) FROM effect WHERE state IN ('owed', 'doing')").fetchone()[0]
        return bool(owed == 0 and log.execute("SELECT count(*) FROM message").fetchone()[0] >= mails)


def _wrong(site: Site, given: list[str]) -> list[str]:
    with closing(sqlite3.connect(site.log)) as log:
        found = list(_outside(log, site))
        rows = Counter(name for (name,) in log.execute("SELECT message_id FROM message WHERE state = 'triaged'"))
        octets = [octets for (octets,) in log.execute("SELECT octets FROM octets")]
        if rows + Counter(message_id(each) for each in octets) != Counter(given):
            found.append(f"given and not logged once: {set(given) ^ set(rows)}")
        without = log.execute(
            "SELECT count(*) FROM message WHERE id NOT IN (SELECT message FROM effect WHERE kind IN ('ack', 'ask'))"
        ).fetchone()[0]
        if without > 0:
            found.append(f"{without} mails without an acknowledgement planned")
        if log.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            found.append("the log is damaged")
        lost = log.execute("SELECT count(*) FROM effect WHERE state NOT IN ('done', 'person', 'held')").fetchall()
        if lost[0][0] > 0:
            states = log.execute(
                "SELECT kind, state, detail FROM effect WHERE state NOT IN ('done', 'person', 'held')"
            ).fetchall()
            found.append(f"neither done nor with a person: {states[:3]}")
        odd = log.execute("SELECT kind, detail FROM effect WHERE state = 'person' AND lane <> 'mail'").fetchall()
        found += [f"with a person: {each}" for each in odd if each[0] != "ask" and "no free" not in each[1]]
    return found


def _aside(site: Site) -> int:
    with closing(sqlite3.connect(site.log)) as log:
        return int(log.execute("SELECT count(*) FROM message WHERE state = 'quarantined'").fetchone()[0])


def stories(ground: Ground, *, sites: int, kills: int, seed: int) -> list[Story]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda number: story(ground, kills=kills, seed=seed + number), range(sites)))


def told(found: list[Story]) -> tuple[int, int]:
    """The line of figures; kills and mails with a person."""
    kills, left = sum(each.kills for each in found), sum(each.doubts.with_persons for each in found)
    wrong = [each.wrong for each in found if len(each.wrong) > 0]
    print(  # noqa: T201 - the trial's one line
        f"F1 random kills: {kills:,} kills, {sum(each.mails for each in found):,} mails, {len(wrong)} sites with a "
        f"mail lost or doubled, {sum(each.doubts.found for each in found)} found again in Sent, {left} with a person "
        f"(of these {sum(each.doubts.arrived for each in found)} had arrived), "
        f"{sum(each.set_aside for each in found)} set aside unread"
    )
    assert wrong == [], wrong[:2]
    return kills, left


def test_kills_while_mails_stream_in(ground: Ground) -> None:
    kills, _ = told(stories(ground, sites=4, kills=10, seed=1))
    assert kills == 40


def long_run(folder: Path) -> None:
    """1,000 kills at random moments; then all moments that tests/crash knows."""
    with running_ground(folder) as ground:
        kills, left = told(stories(ground, sites=20, kills=50, seed=100))
    assert kills == 1000
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "tests/crash"]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"TRIAGED_CRASH_ALL": "1"},
        capture_output=True,
        text=True,
    )
    for line in re.findall(r"crash .*", done.stdout):
        print(f"F1 every moment: {line}")  # noqa: T201
    assert done.returncode == 0, done.stdout[-3000:]
    assert left <= 1
