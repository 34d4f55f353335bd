"""A site in; the real `triaged run` as a process out, with what it costs: CPU by process, memory, seconds."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.sink import Sink
from triaged.accounts.read_csv import read_accounts
from triaged.config import load_config
from triaged.log.mailboxes import enable
from triaged.log.people import put_accounts
from triaged.log.read import Reader
from triaged.log.rows import Counts
from triaged.log.store import Log
from triaged.wire import log_path

START_S = 60.0
STUCK_S = 30.0
"""Seconds without an acknowledgement after which a run counts as failed."""
SAMPLE_S = 0.25
TICK_S = os.sysconf("SC_CLK_TCK") ** -1
ROLES = ("main", "forkserver", "triage")

_CONFIG = """
[firm]
name = "Bench"
team = "Client Desk"
domains = ["bench.example"]
[service]
state_dir = "state"
rules_dir = "{rules}"
templates_dir = "templates"
[acknowledge]
send = "auto"
[limits]
window_h = 0
per_hour = 1000000
domain_per_hour = 1000000
breaker_per_hour = 1000000
[hours]
timezone = "Europe/Berlin"
mon-fri = "09:00-17:00"
[[mailbox]]
name = "desk"
kind = "imap"
address = "desk@bench.example"
host = "127.0.0.1"
port = {imap_port}
security = "none"
user = "{user}@example.test"
password_file = "password-{user}"
[outgoing]
kind = "smtp"
host = "127.0.0.1"
port = {smtp_port}
security = "none"
keep_sent_in = "{keep_sent_in}"
message_id_domain = "bench.example"
"""


def write_config(file: Path, *, imap_port: int, smtp_port: int, user: str, keep_sent: bool, rules: str) -> Path:
    """A configuration beside `rules/` and `templates/`; nothing is encrypted, as for the floor."""
    kept = "desk" if keep_sent else ""
    text = _CONFIG.format(imap_port=imap_port, smtp_port=smtp_port, user=user, keep_sent_in=kept, rules=rules)
    file.write_text(text, encoding="utf-8")
    (file.parent / f"password-{user}").write_text(f"{user}-password\n")
    return file


@dataclass(slots=True)
class Worker:
    """A running worker. began: when it was ready to fetch (time.monotonic); start_s: seconds it took until then."""

    process: subprocess.Popen[str]
    settings: Path
    said: list[str] = field(default_factory=list)
    began: float = 0.0
    start_s: float = 0.0

    def processes(self) -> dict[str, int]:
        """Role → pid. The fork server is our child, the triage process its child."""
        found = {"main": self.process.pid}
        for pid in _children(self.process.pid):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"forkserver" in command:
                found["forkserver"] = pid
                found |= dict.fromkeys(["triage"], next(iter(_children(pid)), pid))
        return found

    def await_said(self, words: str) -> None:
        """Wait for words of its log. Raises: RuntimeError."""
        for _ in range(int(START_S / SAMPLE_S)):
            if any(words in line for line in self.said):
                return
            time.sleep(SAMPLE_S)
        raise RuntimeError(f"the worker does not say {words!r}: " + "".join(self.said[-20:]))

    def counts(self) -> Counts:
        """What its log holds."""
        reader = Reader(log_path(load_config(self.settings)))
        try:
            return reader.counts(since_ms=0)
        finally:
            reader.close()


@dataclass(frozen=True, slots=True)
class Run:
    """One run over a full mailbox. cpu_s, rss_mb, pss_mb: by role, from the first fetch to the last answer; peaks."""

    seconds: float
    start_s: float
    cpu_s: dict[str, float]
    rss_mb: dict[str, float]
    pss_mb: dict[str, float]
    rss_sum_mb: float
    pss_sum_mb: float


@contextmanager
def running_worker(settings: Path, accounts: Path) -> Iterator[Worker]:
    """Start it on an empty log that knows the accounts; ended by SIGTERM."""
    config = load_config(settings)
    shutil.rmtree(config.state_dir, ignore_errors=True)
    log = Log(log_path(config))
    with log.transaction():
        put_accounts(log, read_accounts(accounts, people=frozenset()))
        enable(log, "desk", cut_off=datetime.fromtimestamp(0, UTC), who="bench", now=datetime.now(UTC))
    log.close()
    started = time.monotonic()
    command = [sys.executable, "-m", "triaged", "run", "--config", str(settings)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    worker, ready = Worker(process, settings), threading.Event()
    listener = threading.Thread(target=_listen, args=(worker, ready), daemon=True)
    listener.start()
    try:
        if not ready.wait(START_S) or process.poll() is not None:
            raise RuntimeError("the worker did not start: " + "".join(worker.said[-20:]))
        worker.start_s = worker.began - started
        yield worker
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        listener.join(5)


def _listen(worker: Worker, ready: threading.Event) -> None:
    """Its first word is that the rules are loaded; after that the mailbox is opened."""
    assert worker.process.stderr is not None
    for line in worker.process.stderr:
        if worker.began == 0.0 and "part='rules' state=ok" in line:
            worker.began = time.monotonic()
            ready.set()
        worker.said.append(line)
    ready.set()


def run_through(
    settings: Path, accounts: Path, sink: Sink, *, mails: int, answers: int, tell: Callable[[int], None]
) -> Run:
    """Let it work off a full mailbox until the last acknowledgement has arrived. Raises: RuntimeError if not."""
    sink.arrivals()
    with running_worker(settings, accounts) as worker:
        pids = worker.processes()
        before = {role: _cpu_s(pid) for role, pid in pids.items()}
        arrived: list[float] = []
        rss: dict[str, float] = dict.fromkeys(pids, 0.0)
        pss: dict[str, float] = dict.fromkeys(pids, 0.0)
        sums = (0.0, 0.0)
        while len(arrived) < answers:
            new = sink.arrivals()
            arrived += new
            tell(len(new))
            if time.monotonic() - (arrived[-1] if arrived else worker.began) > STUCK_S:
                last = "".join(worker.said[-5:])
                raise RuntimeError(f"{len(arrived)} of {answers} acknowledgements came, then nothing:\n{last}")
            sample = {role: _memory_mb(pid) for role, pid in pids.items()}
            rss = {role: max(rss[role], sample[role][0]) for role in pids}
            pss = {role: max(pss[role], sample[role][1]) for role in pids}
            sums = (
                max(sums[0], sum(mb for mb, _ in sample.values())),
                max(sums[1], sum(mb for _, mb in sample.values())),
            )
            time.sleep(SAMPLE_S)
        cpu = {role: _cpu_s(pid) - before[role] for role, pid in pids.items()}
    counts, too_many = worker.counts(), sink.arrivals(wait_s=0.1)
    if counts.messages != mails or ("ack", "done", answers) not in counts.effects or len(too_many) > 0:
        raise RuntimeError(f"the log does not hold what was to be done ({mails} mails, {answers} answers): {counts}")
    return Run(arrived[-1] - worker.began, worker.start_s, cpu, rss, pss, *sums)


def _children(pid: int) -> list[int]:
    return [
        int(each) for task in Path(f"/proc/{pid}/task").iterdir() for each in (task / "children").read_text().split()
    ]


def _cpu_s(pid: int) -> float:
    """User and system time of all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def _memory_mb(pid: int) -> tuple[float, float]:
    """RSS and PSS (shared pages divided among those that share them)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = {line.split()[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
    return sizes["Rss:"] / 1024, sizes["Pss:"] / 1024
