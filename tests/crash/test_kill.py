"""The worker killed (−9) at its port calls, file changes, wire commands and SQL statements, and started again.

`make test` takes a sample of the moments; TRIAGED_CRASH_ALL=1 takes every one (some ten minutes).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.faults import FAULTS
from tests.crash.nursery import Nursery, running_nursery
from tests.crash.points import read_trace
from tests.crash.sites import all_maildir, on_dovecot, over_smtp, pattern_site
from tests.crash.trials import Bench, Trial, chosen, twice
from tests.servers.certificates import make_authority
from tests.servers.dovecot import Dovecot
from tests.servers.smtp import SmtpServer, running_smtp_server

pytestmark = pytest.mark.timeout(3000)

SITES = 110
"""Sites a suite when a sample is taken."""


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crash") / "pattern"
    pattern_site(folder)
    return folder


@pytest.fixture(scope="module")
def nursery(pattern: Path) -> Iterator[Nursery]:
    with running_nursery(pattern / "config.toml", pattern.parent / "nursery.log") as running:
        yield running


@pytest.fixture(scope="module")
def submission(pattern: Path) -> Iterator[SmtpServer]:
    with running_smtp_server(make_authority(pattern.parent / "tls")) as server:
        yield server


def judge(name: str, bench: Bench, number: int) -> list[Trial]:
    """Kill, restart, look; one line of figures; fails on the first things that are wrong."""
    began = time.monotonic()
    plan = twice(chosen(bench.moments, number), bench.moments, seed=1)
    trials = list(bench.killed_at(plan))
    kills = sum(len(trial.killed_at) for trial in trials)
    left = sum(trial.with_persons for trial in trials)
    bad = [trial for trial in trials if len(trial.problems) > 0]
    print(
        f"crash {name}: {len(bench.moments)} moments, {len(trials)} sites, {kills} kills, "
        f"{left} sendings left with a person, {len(bad)} wrong, {time.monotonic() - began:.0f} s"
    )
    assert bad == []
    calls = {moment[0] for moment in bench.moments if moment[0].startswith(("before ", "after ", "within "))}
    killed = {moment[0] for trial in trials for moment in trial.killed_at}
    assert calls <= killed, f"never killed at {calls - killed}"
    assert kills > 0.9 * len(trials)
    return trials


def kinds(bench: Bench) -> set[str]:
    return {key.partition(":")[0] for key in bench.expected.effects}


def test_all_files(nursery: Nursery, pattern: Path, tmp_path: Path) -> None:
    """Maildir to Maildir and vdir: everything is once, and nothing is ever left with a person."""
    bench = Bench(nursery, all_maildir(pattern), tmp_path, doubts=False)
    assert kinds(bench) == {"ack", "call", "notify", "invitation", "file"}
    assert len(bench.moments) > 300
    trials = judge("files", bench, SITES)
    assert sum(trial.with_persons for trial in trials) == 0


def test_smtp_without_copies(nursery: Nursery, pattern: Path, submission: SmtpServer, tmp_path: Path) -> None:
    """A mail under way when it was killed goes to a person; it is never sent twice, and no other is left."""
    bench = Bench(nursery, over_smtp(pattern, submission), tmp_path, doubts=True)
    trials = judge("smtp", bench, SITES)
    assert 0 < sum(trial.with_persons for trial in trials) < len(trials) / 2


def test_imap_and_smtp_with_copies(
    nursery: Nursery, pattern: Path, submission: SmtpServer, dovecot: Dovecot, tmp_path: Path
) -> None:
    """Reading, filing and the Sent folder on a real server; a mail that is found in Sent is done."""
    bench = Bench(nursery, on_dovecot(pattern, submission, dovecot), tmp_path, doubts=True)
    trials = judge("imap", bench, SITES)
    assert sum(trial.with_persons for trial in trials) < len(trials) / 2


def test_the_log_is_opened_first(nursery: Nursery, tmp_path: Path) -> None:
    """Killed at any statement of making the log: the next start makes the same."""
    wanted = nursery.life(bare_site(tmp_path / "whole"), trace="trace", only_open=True)
    assert wanted == []
    moments = read_trace(tmp_path / "whole/trace")
    assert len(moments) > 40
    for number, moment in enumerate(moments):
        folder = bare_site(tmp_path / f"{number}")
        assert nursery.life(folder, trace="trace", only_open=True, kill_at=moment) is None
        assert nursery.life(folder, trace="trace", only_open=True) == []
        assert tables(folder) == tables(tmp_path / "whole"), moment
    print(f"crash opening: {len(moments)} moments, {len(moments)} kills")


def bare_site(folder: Path) -> Path:
    pattern_site(folder)
    for path in (folder / "state").iterdir():
        path.unlink()
    return folder


def tables(folder: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(folder / "state/triaged.db")) as log:
        assert log.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        made = log.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        return [*made, *log.execute("SELECT name, value FROM meta ORDER BY name").fetchall()]


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_planted_fault_is_seen(
    fault: str, nursery: Nursery, pattern: Path, submission: SmtpServer, tmp_path: Path
) -> None:
    """Nothing is wrong with it until it is killed; then the same checks must tell."""
    bench = Bench(nursery, over_smtp(pattern, submission), tmp_path, doubts=True, fault=fault)
    undisturbed = bench.trial(())
    assert undisturbed.problems == []
    trials = 0
    for trial in bench.killed_at((moment,) for moment in chosen(bench.moments, SITES)):
        trials += 1
        if len(trial.problems) > 0:
            break
    else:
        pytest.fail(f"{trials} kills and nobody saw it")
    print(f"crash fault {fault}: seen after {trials} kills: {trial.problems[0]}")
