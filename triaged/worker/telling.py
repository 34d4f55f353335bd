"""The log, the disk and the parts in, people told of what is wrong with them: the alarms' job and the certificates'."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from triaged.errors import Permanent, TriagedError
from triaged.log.alerts import Alert, LogFacts, alerts, busy_hours, is_alive, last_mail, log_facts, put_alerts
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.ports import Notifier
from triaged.worker.alarms import (
    Certificate,
    Disk,
    Facts,
    News,
    Quiet,
    Thresholds,
    conditions,
    heard,
    message,
    news,
    seen,
    unheard,
)
from triaged.worker.quiet import PAST, Habit, habit, is_unusual
from triaged.worker.writer import Writer

PART = "alerts"
"""What `triaged status` calls the telling."""
FULL_BYTES = 1_000_000
"""With less room than this the next commits fail."""
FIRST_RETRY_S, LONGEST_RETRY_S = 60.0, 600.0
"""Waits between tries to tell somebody: a server that refuses our login is not asked every few seconds."""
LOOK_AT_CERTIFICATE = timedelta(hours=12)
LOOK_AGAIN = timedelta(hours=1)
"""When a server could not be asked for its certificate."""
HABIT_FOR = timedelta(hours=1)
"""So long what is usual for a mailbox is not learnt anew."""

journal = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watchfulness:
    """What alarms depend on beside the facts. again: an alarm that comes and goes is told no more often than this.

    canary_within: None when no canary is sent. quiet_h: hours without mail that are too long while a mailbox has
    less than two weeks of past; 0: none are. is_holiday: of the desk.
    """

    thresholds: Thresholds
    again: timedelta
    mailboxes: tuple[str, ...]
    canary_within: timedelta | None
    quiet_h: float
    is_holiday: Callable[[date], bool]


class Certificates:
    """What is known of the ends of servers' certificates and of our own secrets. One thread looks, others may ask."""

    def __init__(
        self,
        looks: Mapping[str, Callable[[], datetime]],
        secrets: Mapping[str, Callable[[], datetime]],
        *,
        clock: Callable[[], datetime],
    ) -> None:
        """looks: by server, how to learn when its certificate ends; raises Permanent when it is not accepted.

        secrets: by name, when what we prove ourselves by ends; raises Permanent when it cannot be used.
        """
        self._looks, self._ours, self._clock = {**looks, **secrets}, frozenset(secrets), clock
        self._known: dict[str, Certificate] = {}
        self._next: dict[str, datetime] = {}

    def work(self, _reader: Reader | None = None) -> None:
        """Look at those whose time has come, each at most twice a day."""
        for where, look in self._looks.items():
            now = self._clock()
            if where in self._next and now < self._next[where] <= now + LOOK_AT_CERTIFICATE:
                continue
            self._next[where] = now + LOOK_AT_CERTIFICATE
            try:
                self._known[where] = Certificate(where, look(), ours=where in self._ours)
            except Permanent as error:
                self._known[where] = Certificate(where, None, str(error), ours=where in self._ours)
            except TriagedError:
                self._next[where] = now + LOOK_AGAIN

    def known(self) -> tuple[Certificate, ...]:
        """As they were last seen."""
        return tuple(dict(self._known).values())


class Alarms:
    """The alarms' job. What people heard is kept in the log, and here as long as that cannot be written."""

    def __init__(
        self,
        watchfulness: Watchfulness,
        *,
        notifier: Notifier,
        certificates: Certificates,
        state_dir: Path,
        writer: Writer,
        silent: Callable[[], tuple[str, ...]],
        health: Callable[[str, str, str], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._watchfulness, self._notifier, self._certificates = watchfulness, notifier, certificates
        self._state_dir, self._writer, self._silent = state_dir, writer, silent
        self._health, self._clock = health, clock
        self._facts, self._saved = LogFacts(), dict[str, Alert]()
        self._unsaved: dict[str, Alert] = {}
        self._writing: tuple[Future[None], dict[str, Alert]] | None = None
        self._habits: dict[str, tuple[datetime, Habit]] = {}
        self._problems = ""
        self._failures, self._retry_s = 0, 0.0

    def work(self, reader: Reader) -> None:
        """Look round once: raise and clear conditions, tell what is new. Never waits for the log to be written."""
        now, limits = self._clock(), self._watchfulness.thresholds
        facts, known = self._look(reader, now)
        current = seen(known, conditions(facts, limits), now=now)
        for key, alert in current.items():
            if (before := known.get(key)) is None or (before.cleared is None) != (alert.cleared is None):
                word = "raised" if alert.cleared is None else "cleared"
                journal.warning("alarm key=%r severity=%s is=%s", key, alert.severity, word)
        for after in self._tell(news(current, now=now, again=self._watchfulness.again), now):
            current[after.key] = after
        self._save({key: alert for key, alert in current.items() if known.get(key) != alert}, now)

    def _look(self, reader: Reader, now: datetime) -> tuple[Facts, dict[str, Alert]]:
        """The facts, and what people heard; what a log that cannot be read said last stays true meanwhile."""
        problem, quiet = self._settle_writing(), tuple[Quiet, ...]()
        within = self._watchfulness.canary_within
        try:
            self._facts = log_facts(
                reader,
                waiting_before=now - self._watchfulness.thresholds.waiting,
                bounced_after=now - timedelta(days=1),
                canary_before=now - within if within is not None else None,
            )
            self._saved = alerts(reader)
            quiet = tuple(self._quiet(reader, now))
        except Permanent as error:
            problem = str(error)
        facts = Facts(
            now=now,
            log=self._facts,
            log_problem=problem,
            silent=self._silent(),
            disk=disk_of(self._state_dir),
            certificates=self._certificates.known(),
            quiet=quiet,
        )
        return facts, {**self._saved, **self._unsaved}

    def _quiet(self, reader: Reader, now: datetime) -> Iterator[Quiet]:
        watched = self._watchfulness
        for mailbox in watched.mailboxes:
            last = last_mail(reader, mailbox)
            if last is None:
                continue
            learnt, past = self._habits.get(mailbox, (now - HABIT_FOR, Habit({}, enough=False)))
            if not now - HABIT_FOR < learnt <= now:
                busy = busy_hours(reader, mailbox, since=last - PAST)
                past = habit(busy, until=last, zone=watched.thresholds.zone, is_holiday=watched.is_holiday)
                self._habits[mailbox] = (now, past)
            if past.enough:
                unusual = is_unusual(
                    past, last=last, now=now, zone=watched.thresholds.zone, is_holiday=watched.is_holiday
                )
            else:
                unusual = watched.quiet_h > 0 and now - last > timedelta(hours=watched.quiet_h)
            if unusual:
                yield Quiet(mailbox, last)

    def _tell(self, items: Sequence[News], now: datetime) -> list[Alert]:
        """Tell people; the alerts as they are after that, none when it is not the time to try."""
        if len(items) == 0 or len(self._notifier.channels) == 0 or time.monotonic() < self._retry_s:
            return []
        title, text = message(items, host=socket.gethostname(), zone=self._watchfulness.thresholds.zone)
        answers = self._notifier.tell(title, text, bad=any(item.kind == "alarm" for item in items))
        problems = "; ".join(f"{channel}: {why}" for channel, why in answers.items() if why != "")
        if problems != self._problems:
            self._problems = problems
            self._health(PART, "trouble" if problems else "ok", problems)
        if all(why != "" for why in answers.values()):
            self._failures += 1
            self._retry_s = time.monotonic() + min(FIRST_RETRY_S * 2 ** (self._failures - 1), LONGEST_RETRY_S)
            return [unheard(item, problems) for item in items]
        self._failures = 0
        return [heard(item, now=now) for item in items]

    def _save(self, changed: Mapping[str, Alert], now: datetime) -> None:
        """Have it written, with a sign that the worker is alive; one writing at a time."""
        self._unsaved |= changed
        if self._writing is None:
            wanted = dict(self._unsaved)

            def write(rows: Log) -> None:
                put_alerts(rows, wanted.values())
                is_alive(rows, now=now)

            self._writing = (self._writer.submit(write), wanted)

    def _settle_writing(self) -> str:
        """What became of the last writing: why it failed, `""` when it did not or is under way."""
        if self._writing is None or not self._writing[0].done():
            return ""
        (done, wanted), self._writing = self._writing, None
        if (error := done.exception()) is not None:
            return f"the log cannot be written: {error}"
        self._saved |= wanted
        self._unsaved = {key: alert for key, alert in self._unsaved.items() if wanted.get(key) != alert}
        return ""


def disk_of(folder: Path) -> Disk | None:
    """How much room the folder's file system has for us; None when it does not say."""
    try:
        system = os.statvfs(folder)
    except OSError:
        return None
    free = system.f_bavail * system.f_frsize
    no_more_files = system.f_files > 0 and system.f_favail == 0
    return Disk(free, system.f_blocks * system.f_frsize, full=free < FULL_BYTES or no_more_files)
