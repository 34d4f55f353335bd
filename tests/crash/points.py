"""A moment's name and number in, a process that is killed right there; every moment is written to a trace file.

The product knows nothing of this: its classes are wrapped from outside, in a process that lives for one run.
"""

from __future__ import annotations

import functools
import imaplib
import inspect
import os
import re
import signal
import smtplib
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlite_utils.utils import sqlite3

from triaged.backends.caldav import CaldavCalendar
from triaged.backends.imap.mailbox import ImapMailbox
from triaged.backends.imap.sent import ImapSent
from triaged.backends.maildir import MaildirMailbox, MaildirMailer
from triaged.backends.smtp import SmtpMailer
from triaged.backends.vdir import VdirCalendar
from triaged.log import store
from triaged.ports import Calendar, Mailbox, Mailer

PORTS: dict[type, tuple[type, ...]] = {
    Mailbox: (MaildirMailbox, ImapMailbox),
    Mailer: (MaildirMailer, SmtpMailer),
    Calendar: (VdirCalendar, CaldavCalendar),
}
WRITING = os.O_WRONLY | os.O_RDWR
FILE_CALLS = frozenset({"os.link", "os.rename", "os.remove", "os.mkdir"})
SQL_WORDS = 4

Point = tuple[str, int]
"""A moment: its name, and the how-manieth of this name, from 1."""


class Points:
    """Counts moments, writes each to `trace`, and kills its own process at `kill_at` (None: never)."""

    def __init__(self, site: Path, trace: Path, kill_at: Point | None) -> None:
        self._site, self._kill_at = site, kill_at
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._trace = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def __call__(self, name: str) -> None:
        """The moment `name` is now."""
        with self._lock:
            self._seen[name] += 1
            point = (name, self._seen[name])
            os.write(self._trace, f"{point[1]} {name}\n".encode())
            if point == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch_everything(self) -> None:
        """Port calls before and after, octets on the wire, changes of files, SQL statements of the log."""
        for port, classes in PORTS.items():
            names = [name for name in vars(port) if not name.startswith("_") and inspect.isfunction(vars(port)[name])]
            assert len(names) >= 4
            for owner in classes:
                self._wrap(owner, *names)
        self._wrap(ImapSent, "append", "find")
        self._wrap(smtplib.SMTP, "send", "getreply")
        self._wrap(imaplib.IMAP4, "_command", "_command_complete")
        sys.addaudithook(self._on_audit)
        self.watch_log()

    def watch_log(self) -> None:
        """Every SQL statement of writing connections, before it runs; from the very first one on."""

        def connect(*arguments: Any, **options: Any) -> Any:
            connection = sqlite3.connect(*arguments, **options)
            connection.set_trace_callback(lambda sql: self(_sql_name(sql)))
            return connection

        vars(store)["sqlite3"] = SimpleNamespace(connect=connect)

    def _wrap(self, owner: type, *names: str) -> None:
        for name in names:
            setattr(owner, name, self._around(f"{owner.__name__}.{name}", getattr(owner, name)))

    def _around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def called(*arguments: Any, **options: Any) -> Any:
            self(f"before {name}")
            result = call(*arguments, **options)
            self(f"after {name}")
            return result

        @functools.wraps(call)
        def iterated(*arguments: Any, **options: Any) -> Iterator[Any]:
            self(f"before {name}")
            for each in call(*arguments, **options):
                self(f"within {name}")
                yield each
            self(f"after {name}")

        return iterated if inspect.isgeneratorfunction(call) else called

    def _on_audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in FILE_CALLS:
            self._on_file(event, arguments[0])
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            self._on_file("open", arguments[0])

    def _on_file(self, event: str, path: Any) -> None:
        """A change of a file of the site is about to happen; the name is without what differs between runs."""
        if isinstance(path, int):
            self(f"{event} descriptor")
            return
        text = os.fsdecode(path)
        if text.startswith(str(self._site)):
            self(f"{event} {re.sub('[0-9a-f]{6,}|[0-9]+', 'N', text[len(str(self._site)) + 1 :])}")


def _sql_name(sql: str) -> str:
    """Its first words, without numbers and the random names of sqlite-utils' savepoints."""
    words = re.sub(r"sqlite_utils_\w+", "sqlite_utils", " ".join(sql.split()[:SQL_WORDS]))
    return "SQL " + re.sub("[0-9]+", "N", words)[:60]


def read_trace(trace: Path) -> list[Point]:
    """The moments of a run, in order."""
    lines = trace.read_text().splitlines()
    return [(line.partition(" ")[2], int(line.partition(" ")[0])) for line in lines]
