"""The worker killed (−9) at its port calls, file changes, wire commands and SQL statements, and started again.

`make test` takes a sample of the moments; TRIAGED_CRASH_ALL=1 takes every one (some ten minutes).
"""

from __future__ import annotations

import logging
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.checks import problems
from tests.crash.faults import FAULTS
from tests.crash.nursery import Nursery, running_nursery
from tests.crash.points import read_trace
from tests.crash.sites import Site, all_maildir, on_dovecot, over_smtp, pattern_site
from tests.crash.trials import EVERY_MOMENT, Bench, Trial, chosen, is_call, twice
from tests.servers.certificates import make_authority
from tests.servers.dovecot import Dovecot
from tests.servers.smtp import SmtpServer, running_smtp_server

pytestmark = pytest.mark.timeout(3000)

SITES = 90
"""Sites a suite when a sample is taken."""
PROGRAM_KILLS = 99 if EVERY_MOMENT else 12
CHILDREN_END_S = 20.0
"""A triage process notices that its parent is gone when it next asks for work; loading may be in between."""
ALL_KINDS = {"offer", "release", "ack", "call", "notify", "invitation", "file"}


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
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's: clients that vanish are what we are about
    with running_smtp_server(make_authority(pattern.parent / "tls")) as server:
        yield server


def judge(name: str, bench: Bench, number: int) -> list[Trial]:
    """Kill, restart, look; one line of figures; fails on the first things that are wrong."""
    began = time.monotonic()
    plan = twice(chosen(bench.moments, number), bench.moments, seed=1)
    trials = list(bench.killed_at(plan))
    kills = sum(len(trial.killed_at) for trial in trials)
    told = [trial.doubts for trial in trials]
    bad = [trial for trial in trials if len(trial.problems) > 0]
    print(  # noqa: T201 - the suite's one line
        f"crash {name}: {len(bench.moments)} moments, {len(trials)} sites, {kills} kills, {len(bad)} wrong; "
        f"{sum(each.with_persons for each in told)} sendings left with a person, {sum(each.arrived for each in told)} "
        f"of them had arrived, {sum(each.found for each in told)} were found; {time.monotonic() - began:.0f} s"
    )
    assert bad == []
    calls = {moment[0] for moment in bench.moments if is_call(moment)}
    killed = {moment[0] for trial in trials for moment in trial.killed_at}
    assert calls <= killed, f"never killed at {calls - killed}"
    assert kills > 0.9 * len(trials)
    return trials


def kinds(bench: Bench) -> set[str]:
    return {key.partition(":")[0] for key in bench.expected.effects}


def test_all_files(nursery: Nursery, pattern: Path, tmp_path: Path) -> None:
    """Maildir to Maildir and vdir: everything is once, and nothing is ever left with a person."""
    bench = Bench(nursery, all_maildir(pattern), tmp_path, may_doubt=False)
    assert kinds(bench) == ALL_KINDS
    assert len(bench.moments) > 300
    trials = judge("files", bench, SITES)
    assert all(trial.doubts.with_persons == 0 for trial in trials)


def test_smtp_without_copies(nursery: Nursery, pattern: Path, submission: SmtpServer, tmp_path: Path) -> None:
    """A mail under way when it was killed goes to a person; it is never sent twice, and no other is left."""
    bench = Bench(nursery, over_smtp(pattern, submission), tmp_path, may_doubt=True)
    assert kinds(bench) == ALL_KINDS
    trials = judge("smtp", bench, SITES)
    assert any(trial.doubts.with_persons > 0 for trial in trials)
    assert any(trial.doubts.with_persons == 0 for trial in trials)


def test_imap_and_smtp_with_copies(
    nursery: Nursery, pattern: Path, submission: SmtpServer, dovecot: Dovecot, tmp_path: Path
) -> None:
    """Reading, filing and the Sent folder on a real server; without the note a mail that is found in Sent is done."""
    bench = Bench(nursery, on_dovecot(pattern, submission, dovecot), tmp_path, may_doubt=True, notes=False)
    assert kinds(bench) == ALL_KINDS
    trials = judge("imap", bench, SITES)
    assert any(trial.doubts.found > 0 for trial in trials)


def test_the_log_is_opened_first(nursery: Nursery, pattern: Path, tmp_path: Path) -> None:
    """Killed at any statement of making the log: the next start makes the same."""
    wanted = nursery.life(bare_site(pattern, tmp_path / "whole"), trace="trace", only_open=True)
    assert wanted == []
    moments = read_trace(tmp_path / "whole/trace")
    assert len(moments) > 40
    for number, moment in enumerate(moments):
        folder = bare_site(pattern, tmp_path / f"{number}")
        assert nursery.life(folder, trace="trace", only_open=True, kill_at=moment) is None
        assert nursery.life(folder, trace="trace", only_open=True) == []
        assert tables(folder) == tables(tmp_path / "whole"), moment
    print(f"crash opening: {len(moments)} moments, {len(moments)} kills")  # noqa: T201


def bare_site(pattern: Path, folder: Path) -> Path:
    """Nothing but the configuration."""
    folder.mkdir()
    shutil.copy(pattern / "config.toml", folder)
    return folder


def tables(folder: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(folder / "state/triaged.db")) as log:
        assert log.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        made = log.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        return [*made, *log.execute("SELECT name, value FROM meta ORDER BY name").fetchall()]


def test_the_program_itself_killed_at_random(nursery: Nursery, pattern: Path, tmp_path: Path) -> None:
    """`triaged run --once` with its own triage process: nothing is lost, and no process is left behind."""
    began = time.monotonic()
    bench = Bench(nursery, all_maildir(pattern), tmp_path, may_doubt=False)
    whole = bench.new_site()
    after_ready_s, after_first_s = run_program(whole)
    assert problems(whole, bench.expected, doubtful=0) == []
    draw = random.Random(began)
    windows = (("decided mail=", after_first_s), ("decided mail=", after_first_s), ("rule set", after_ready_s))
    plan = [(words, draw.uniform(0, 0.7 * window_s)) for words, window_s in windows * (PROGRAM_KILLS // 3)]

    def trial(moment: tuple[str, float]) -> Trial:
        site, found = bench.new_site(), Trial(())
        if kill_program(site, *moment):
            found.killed_at.append((f"{moment[1]:.2f} s after '{moment[0]}'", 1))
        bench.bring_to_end(site, found)
        return found

    with ThreadPoolExecutor(2) as pool:
        trials = list(pool.map(trial, plan))
    kills = sum(len(trial.killed_at) for trial in trials)
    print(f"crash program: {kills} kills of {len(plan)} runs, {time.monotonic() - began:.0f} s")  # noqa: T201
    assert [trial for trial in trials if len(trial.problems) > 0] == []
    assert kills > len(plan) / 3


def started_program(site: Site) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "triaged", "run", "--once", "--config", str(site.folder / "config.toml")]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def run_program(site: Site) -> tuple[float, float]:
    """Undisturbed: how many seconds it goes on after it has loaded, and after the first mail is decided."""
    said_at: dict[str, float] = {}
    with started_program(site) as process:
        assert process.stderr is not None
        for line in process.stderr:
            words = next((words for words in ("rule set", "decided mail=") if words in line), "")
            said_at.setdefault(words, time.monotonic())
    assert process.returncode == 0
    return time.monotonic() - said_at["rule set"], time.monotonic() - said_at["decided mail="]


def kill_program(site: Site, words: str, delay_s: float) -> bool:
    """Kill it some time after it has said `words`; False when it had ended. Its children must end by themselves."""
    with started_program(site) as process:
        assert process.stderr is not None
        assert any(words in line for line in process.stderr)
        try:
            process.wait(delay_s)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate(timeout=CHILDREN_END_S)  # reads until the last process that could write there is gone
    return process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_seen(
    fault: Callable[[], None], nursery: Nursery, pattern: Path, submission: SmtpServer, tmp_path: Path
) -> None:
    """Nothing is wrong with it until it is killed; then the same checks must tell."""
    bench = Bench(nursery, over_smtp(pattern, submission), tmp_path, may_doubt=True, fault=fault.__name__)
    assert bench.trial(()).problems == []
    bites = [moment for moment in bench.moments if moment[0].startswith(FAULTS[fault])]
    assert len(bites) > 3
    for kills, moment in enumerate(bites, 1):
        trial = bench.trial((moment,))
        if len(trial.problems) > 0:
            print(f"crash fault {fault.__name__}: seen after {kills} kills: {trial.problems[0]}")  # noqa: T201
            return
    pytest.fail(f"{len(bites)} kills and nobody saw it")
