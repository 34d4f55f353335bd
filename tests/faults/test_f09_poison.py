"""F9: mails that hang, exhaust or kill whoever reads them, among torture files: each is set aside, the next goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.site import Site, _environment, mail, make_site, wait_for
from tests.unit.poison import build_poisonable
from triaged.config import load_config
from triaged.model import Raw
from triaged.wire import parts_of
from triaged.worker.inhand import MAX_DEATHS
from triaged.worker.service import Service
from triaged.worker.triage import TriageProcess

SHARED = Path(__file__).parents[2] / "../shared/mail"
POISON = ("endless", "greedy", "deadly")
FATAL = b"Subject: fatal"
LIMITS = "[triage]\ntimeout_s = 2\nmemory_mb = 2000\nbatch = 8\n"


def victim(config: Path, *, once: bool) -> None:
    """The worker: some subjects hang, exhaust or kill its triage process, and `fatal` kills the worker itself."""
    read = TriageProcess.triage

    def triage(self: TriageProcess, raws: Sequence[Raw], **rest: object) -> object:
        if any(FATAL in raw.octets for raw in raws):
            os.kill(os.getpid(), signal.SIGKILL)
        return read(self, raws, **rest)  # type: ignore[arg-type]

    setattr(TriageProcess, "triage", triage)  # noqa: B010 - a planted fault
    loaded = load_config(config)
    Service(replace(parts_of(loaded), build=partial(build_poisonable, loaded))).run(once=once)


def poisoned_site(folder: Path, files: Sequence[Path]) -> tuple[Site, int]:
    """Poison first, then torture, then a plain mail; and how many there are."""
    site = make_site(folder)
    site.config.write_text(site.config.read_text() + LIMITS)
    for word in POISON:
        site.drop(f"0-{word}", mail(word))
    for number, file in enumerate(files):
        site.drop(f"1-{number:05}", file.read_bytes())
    site.drop("2-last", mail("the last", sender="Eve <eve@many.example>"))
    return site, len(POISON) + len(files) + 1


def started(site: Site, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.faults.test_f09_poison", str(site.config), *options]
    root = Path(__file__).parents[2]
    with (site.folder / "said").open("ab") as said:
        return subprocess.Popen(command, cwd=root, env=_environment(), stdout=said, stderr=said)


def lived(site: Site, number: int, *, deaths: int = 0) -> int:
    """Run until so many mails have their place in the log, started again after each of `deaths`; starts it took."""
    starts, worker = 1, started(site)
    try:
        while True:
            wait_for(lambda: worker.poll() is not None or located(site) >= number, "every mail's place", timeout_s=900)  # noqa: B023
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
                assert worker.wait(30) == 0
                return starts
            assert worker.returncode == -signal.SIGKILL, (site.folder / "said").read_text()[-2000:]
            starts += 1
            assert starts <= deaths + 1, "it dies again and again"
            worker = started(site)
    finally:
        worker.kill()
        worker.wait()


def located(site: Site) -> int:
    with closing(sqlite3.connect(f"file:{site.folder}/state/triaged.db?mode=ro", uri=True)) as log:
        return int(log.execute("SELECT count(*) FROM locator WHERE message IS NOT NULL").fetchone()[0])


def set_aside(site: Site) -> dict[str, str]:
    """Octets' subject line → the cause that is told."""
    with closing(sqlite3.connect(site.folder / "state/triaged.db")) as log:
        rows = log.execute(
            "SELECT octets.octets, event.detail FROM message JOIN octets ON octets.message = message.id "
            "JOIN event ON event.message = message.id AND event.name = 'quarantined' WHERE state = 'quarantined'"
        ).fetchall()
    return {octets.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode("latin-1"): cause for octets, cause in rows}


def trial(folder: Path, files: Sequence[Path]) -> str:
    """The worker lives through it all; every mail has its row; poison is set aside with its cause and stays so."""
    site, number = poisoned_site(folder / "poison", files)
    assert lived(site, number) == 1
    causes = set_aside(site)
    assert set(POISON) <= set(causes)
    assert all(cause != "" for cause in causes.values())
    last = site.row("the last")
    assert last is not None
    assert last.state == "triaged"
    said = (site.folder / "said").read_text()
    assert started(site, "once").wait(120) == 0  # and again: nothing is read a second time
    assert (site.folder / "said").read_text()[len(said) :].count("quarantined mail=") == 0
    return f"{number:,} mails, {len(causes)} set aside by name ({len(causes) - len(POISON)} of them not planted)"


def fatal(folder: Path) -> int:
    """A mail with which the whole worker dies, between others; how often it died."""
    site = make_site(folder / "fatal")
    for name, subject in (("1", "the first"), ("2", "fatal"), ("3", "the last")):
        site.drop(name, mail(subject, sender=f"Eve <n{name}@many.example>"))
    starts = lived(site, 3, deaths=MAX_DEATHS)
    assert list(set_aside(site)) == ["fatal"]
    for subject in ("the first", "the last"):
        row = site.row(subject)
        assert row is not None
        assert row.state == "triaged"
    return starts - 1


def torture() -> list[Path]:
    if not SHARED.exists():
        pytest.skip("needs ../shared/mail")
    return sorted(path for path in (SHARED / "torture").rglob("*") if path.is_file())


def test_poison_and_torture(tmp_path: Path) -> None:
    files = torture()
    assert len(files) > 30
    print(f"F9 poison: {trial(tmp_path, files)}, the worker never ended")  # noqa: T201


def test_a_mail_that_the_worker_dies_of(tmp_path: Path) -> None:
    deaths = fatal(tmp_path)
    print(f"F9 fatal: the worker died {deaths} times of one mail, then set it aside; 2 of 2 others done")  # noqa: T201
    assert deaths <= MAX_DEATHS


def long_run(folder: Path) -> None:
    """All mails of the corpora."""
    if not SHARED.exists():
        print("F9 poison: skipped, needs ../shared/mail")  # noqa: T201
        return
    files = sorted(path for path in SHARED.rglob("*.eml") if path.is_file())
    assert len(files) > 1000
    print(f"F9 poison: {trial(folder, [*torture(), *files])}, the worker never ended")  # noqa: T201
    print(f"F9 fatal: the worker died {fatal(folder)} times of one mail, then set it aside; 2 of 2 others done")  # noqa: T201


if __name__ == "__main__":
    victim(Path(sys.argv[1]), once=len(sys.argv) > 2)
