"""A folder in; a whole site of its own, and the real `triaged` program run on it, out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, TypeVar

from triaged import shipped
from triaged.log.mailboxes import enable
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.log.store import Log

START_S = 60.0
"""Seconds that a start may take on a busy machine; 4 to 5 alone."""
STOP_S = 10.0
"""Seconds from SIGTERM to the end, as promised."""
LONG_S = 30.0

CONFIG = """
[firm]
name = "Desk House"
team = "Client Desk"
domains = ["desk.example"]
authserv_ids = ["mx.desk.example"]

[service]
rules_dir = "rules"
{service}

[acknowledge]
send = "auto"

[limits]
window_h = 0
domain_per_hour = 1000
per_hour = 1000
breaker_per_hour = 1000

[hours]
timezone = "Europe/Berlin"
mon-sun = "00:00-24:00"

{mailboxes}

{outgoing}

[[person]]
id = "lena"
name = "Lena Brandt"
email = "bob@example.test"
{calendar}
"""

MAILDIR = """
[[mailbox]]
name = "desk"
kind = "maildir"
address = "desk@example.test"
path = "mail/inbox"
poll_s = 1
"""

MAILDIR_OUTGOING = """
[outgoing]
kind = "maildir"
path = "mail/outgoing"
message_id_domain = "desk.example"
"""

VDIR = 'calendar = { kind = "vdir", path = "calendars/lena" }'

RULES = """
[[rule]]
name = "Machines get no answer"
when.automatic = ["machine", "hold"]
then.acknowledge = "none"
then.stop = true

[[rule]]
name = "Formal complaint of a gold account"
when.says = "formal complaint"
when.tier = "gold"
then.priority = "urgent"
then.acknowledge = "complaint"
then.escalate = "account manager"
then.call = { with = "account manager", within = "4 business days", minutes = 30 }

[[rule]]
name = "Every other client"
when.account = "*"
then.acknowledge = "received"
"""
"""Rules that ask for words only, so that what is tested here does not hang on the classifier; and a call within days,
for the client can be called Monday to Friday, and tests run on Sundays too."""

ACCOUNTS = """account_id,name,domain,aliases,contacts,manager,tier,contract_no,contract_ends,timezone,language
C-1,Ann's Bakery,,,Ann Client <ann@example.test>,lena,gold,N-1,2031-12-31,Europe/Berlin,en
C-2,Many Hands,many.example,,,lena,standard,,,Europe/Berlin,en
"""

_T = TypeVar("_T")
_clock = threading.Event()
"""Never set: a clock to wait on."""


def wait_for(condition: Callable[[], _T | None], what: str, *, timeout_s: float = LONG_S) -> _T:
    """The first true value of `condition`, asked again and again; AssertionError after `timeout_s`."""
    for _ in range(round(timeout_s / 0.05)):
        if value := condition():
            return value
        _clock.wait(0.05)
    raise AssertionError(f"not within {timeout_s:.0f} s: {what}")


def mail(
    subject: str,
    body: str = "Good morning,\n\nhere are our figures.\n\nAnn\n",
    *,
    sender: str = "Ann Client <ann@example.test>",
    to: str = "desk@example.test",
    message_id: str = "",
    more: str = "",
) -> bytes:
    """A mail of now, which the site's border says is authentic. more: further header lines, each with its end."""
    words = subject.replace(" ", ".")
    domain = sender.rpartition("@")[2].rstrip(">")
    head = (
        f"Authentication-Results: mx.desk.example; dmarc=pass header.from={domain}\n"
        f"Received: from out.{domain} by mx.desk.example id 1; {format_datetime(datetime.now(UTC))}\n"
        f"From: {sender}\nTo: {to}\nSubject: {subject}\nDate: {format_datetime(datetime.now(UTC))}\n"
        f"Message-ID: {message_id or f'<{words}.{os.getpid()}@client.example>'}\n{more}"
        'MIME-Version: 1.0\nContent-Type: text/plain; charset="utf-8"\n'
    )
    return f"{head}\n{body}".replace("\n", "\r\n").encode()


@dataclass(frozen=True, slots=True)
class Site:
    """A site's folder with its configuration, rules, templates and accounts."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def triaged(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """The program, run to its end on this site."""
        return triaged(*arguments, "--config", str(self.config), cwd=self.folder, env=env)

    def run_once(self) -> str:
        """`triaged run --once`, which must succeed; its log lines."""
        done = self.triaged("run", "--once")
        assert done.returncode == 0, done.stderr
        return done.stderr

    def status(self) -> tuple[int, dict[str, Any]]:
        """Exit code and object of `triaged status --json`."""
        done = self.triaged("status", "--json")
        return done.returncode, json.loads(done.stdout)

    def reader(self) -> Reader:
        return Reader(self.folder / "state/triaged.db")

    def rows(self) -> list[LogRow]:
        """The whole log, newest first; empty while there is none."""
        try:
            reader = self.reader()
        except FileNotFoundError:
            return []
        try:
            return reader.rows(limit=10_000)
        finally:
            reader.close()

    def row(self, subject: str) -> LogRow | None:
        return next((row for row in self.rows() if row.subject == subject), None)

    def ended(self, subject: str) -> LogRow | None:
        """The mail's row once nothing about it is owed or under way, but what is to be done in days."""
        row = self.row(subject)
        states = {state for kind, state in row.effects if kind != "release"} if row is not None else {"owed"}
        return row if not states & {"owed", "doing"} else None

    def drop(self, name: str, octets: bytes, folder: str = "mail/inbox") -> None:
        """Deliver into a Maildir."""
        (self.folder / folder / "tmp" / name).write_bytes(octets)
        (self.folder / folder / "tmp" / name).rename(self.folder / folder / "new" / name)

    def outgoing(self) -> list[Path]:
        return sorted((self.folder / "mail/outgoing/new").glob("*"))


def triaged(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """The program, run to its end; nothing it ever says is a traceback."""
    command = [sys.executable, "-m", "triaged", *arguments]
    done = subprocess.run(
        command, cwd=cwd, env={**_environment(), **(env or {})}, capture_output=True, text=True, timeout=timeout_s
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def _environment() -> dict[str, str]:
    """Ours, with the checkout importable from anywhere and nothing of a systemd around the tests."""
    path = str(Path(__file__).parents[2])
    hidden = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY", "FORCE_COLOR", "COLUMNS")
    return {**{name: value for name, value in os.environ.items() if name not in hidden}, "PYTHONPATH": path}


def make_site(
    folder: Path,
    *,
    mailboxes: str = MAILDIR,
    outgoing: str = MAILDIR_OUTGOING,
    calendar: str = VDIR,
    service: str = "",
    rules: str | None = RULES,
    accounts: bool = True,
    observed: bool = False,
) -> Site:
    """Lay a site out, with accounts taken in by the command line. rules: None for those that ship.

    observed: leave its mailboxes as they begin; else they are enabled for whatever lies there.
    """
    shipped.lay_out(folder)
    site = Site(folder)
    site.config.write_text(
        CONFIG.format(mailboxes=mailboxes, outgoing=outgoing, calendar=calendar, service=service), encoding="utf-8"
    )
    for name in ("mail/inbox", "mail/outgoing"):
        for part in ("cur", "new", "tmp"):
            (folder / name / part).mkdir(parents=True)
    (folder / "calendars/lena").mkdir(parents=True)
    (folder / "secrets").mkdir()
    for user in ("desk", "ann", "bob"):
        secret = folder / "secrets" / user
        secret.touch(mode=0o600)
        secret.write_text(f"{user}-password\n", encoding="utf-8")
    if rules is not None:
        for file in (folder / "rules").rglob("*.t*"):
            file.unlink()
        (folder / "rules/test.toml").write_text(rules, encoding="utf-8")
    (folder / "accounts.csv").write_text(ACCOUNTS, encoding="utf-8")
    if not accounts:
        return site
    taken = site.triaged("accounts", "import", str(folder / "accounts.csv"))
    assert taken.returncode == 0, taken.stderr
    assert "2 accounts: 2 new" in taken.stdout
    if not observed:
        enable_all(site.config)
    return site


def enable_all(config: Path) -> None:
    """Let every mailbox of a configuration work, for mail of any age; its log is beside it in `state`."""
    settings = tomllib.loads(config.read_text(encoding="utf-8"))
    log = Log(config.parent / "state/triaged.db")
    with log.transaction():
        for mailbox in settings["mailbox"]:
            enable(log, mailbox["name"], cut_off=datetime.fromtimestamp(0, UTC), who="test", now=datetime.now(UTC))
    log.close()


@dataclass(frozen=True, slots=True)
class Worker:
    """`triaged run` as a subprocess; what it says goes into a file."""

    started: subprocess.Popen[bytes]
    said_path: Path

    def said(self) -> str:
        return self.said_path.read_text(encoding="utf-8")

    def wait_for_line(self, words: str, *, count: int = 1, timeout_s: float = LONG_S) -> None:
        """Wait until it has said `words` so often; a worker that ended meanwhile is a failure."""

        def said_it() -> bool:
            if self.said().count(words) >= count:
                return True
            assert self.started.poll() is None, f"it ended with {self.started.returncode}: {self.said()}"
            return False

        wait_for(said_it, f"{words!r} {count} times in {self.said_path}", timeout_s=timeout_s)

    def stop(self, *, timeout_s: float = STOP_S) -> int:
        """SIGTERM; the exit code."""
        self.started.send_signal(signal.SIGTERM)
        return self.started.wait(timeout_s)


@contextmanager
def running(
    site: Site, *, env: Mapping[str, str] | None = None, ready: bool = True, dies: bool = False
) -> Iterator[Worker]:
    """`triaged run` on a site, stopped at the end if it is not yet. ready: wait until every mailbox is watched.

    dies: parts of it may die and be started again, which is told with a traceback.
    """
    said = site.folder / "said"
    with said.open("wb") as file:
        command = [sys.executable, "-m", "triaged", "run", "--config", str(site.config)]
        started = subprocess.Popen(
            command, cwd=site.folder, env={**_environment(), **(env or {})}, stdout=file, stderr=file
        )
    worker = Worker(started, said)
    try:
        if ready:
            worker.wait_for_line(" ready mailboxes=", timeout_s=START_S)
        yield worker
        if started.poll() is None:
            assert worker.stop() == 0, worker.said()
        assert dies or "Traceback" not in worker.said()
    finally:
        if started.poll() is None:
            started.kill()
            started.wait()
