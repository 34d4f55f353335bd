"""Owed effects of one lane in, their ends into the log out: a lane thread's body.

An effect is claimed (`doing`, committed) only once the service is connected, then done, then marked: so a kill
leaves at most one effect of a lane in doubt, and that one is looked up before anything else is done.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeVar

from tenacity import RetryError

from triaged.decision import Outcome
from triaged.errors import LoginRefused, Permanent, Transient, TriagedError, Uncertain
from triaged.log.encode import from_ms
from triaged.log.read import Reader
from triaged.log.store import Claimed, Log
from triaged.worker.beats import Beats
from triaged.worker.crossing import Crossing, noted
from triaged.worker.perform import LaneService
from triaged.worker.retry import LONGEST_WAIT_S, patiently, wait_after_s
from triaged.worker.writer import Writer

MAX_ATTEMPTS = 12
"""Tries of one effect before a person gets it: with the waits of `retry` about half an hour of refusals."""
LONGEST_SLEEP_S = 5.0
"""Between looks at what people let go or asked for by a command; one short query each."""

MOMENT_S = 5.0
"""A shorter wait is no trouble: two wanted the same time, or a connection broke."""
LOOK_EVERY = timedelta(minutes=1)
"""Between looks at a service in trouble for which nothing is owed soon."""
SOON = 2 * timedelta(seconds=LONGEST_WAIT_S)
"""Within which whatever is being retried is due again; times that were offered are let go only days later."""

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LaneSurroundings:
    """What every lane shares."""

    log_path: Path
    writer: Writer
    stop: Event
    beats: Beats
    health: Callable[[str, str, str], None]
    wake_lanes: Callable[[frozenset[str]], None]
    clock: Callable[[], datetime]


class Lane:
    """One outbound service and its thread. name: as in the log's `effect.lane`; `wake` tells it of new work."""

    def __init__(self, name: str, service: LaneService, around: LaneSurroundings) -> None:
        self.name, self._service, self._around = name, service, around
        self._note = around.log_path.parent / f"crossed-{name.replace(':', '-')}"
        self.wake = Event()
        self.troubled = False
        self._look_at = around.clock()

    @property
    def part(self) -> str:
        """What `triaged status` calls it."""
        return f"lane {self.name}"

    def run(self) -> None:
        """Do what is owed until stopped; what is begun is brought to its end."""
        reader = Reader(self._around.log_path)
        try:
            self._recover()
            claimed: Claimed | None = None
            while not self._around.stop.is_set():
                self._around.beats.beat(self.part)
                self.wake.clear()
                if not self._is_ready(reader.next_due_ms(self.name)):
                    self._sleep(reader)
                    continue
                claimed = self._write(lambda rows: rows.claim(self.name, now=self._around.clock()))
                while claimed is not None:
                    self._around.beats.beat(self.part)
                    end = self._attempt(claimed)
                    claimed = self._settle(claimed, end) if end is not None else None
                self._sleep(reader)
        finally:
            self._service.close()
            reader.close()
            self._around.beats.retire(self.part)

    def _sleep(self, reader: Reader) -> None:
        """Until something new is owed, or what was put off is due."""
        due_ms = reader.next_due_ms(self.name)
        left_s = LONGEST_SLEEP_S
        if due_ms is not None:
            left_s = min(left_s, max(0.0, (from_ms(due_ms) - self._around.clock()).total_seconds()))
        self._around.beats.retire(self.part)  # waiting for work is no hang, however short `stall_s` is
        self.wake.wait(left_s)

    def _is_ready(self, due_ms: int | None) -> bool:
        """Whether something is owed and the service is there. due_ms: when the first of it is due.

        Where one failure stops all, effects are tried all the same, so that a person gets them in time; while none is
        to be tried soon, the service is looked at now and then, so that the alarm ends.
        """
        is_owed, now = due_ms is not None, self._around.clock()
        if not self._service.fails_whole:
            return is_owed and self._connect()
        is_tried = due_ms is not None and from_ms(due_ms) <= now + SOON
        if self.troubled and not is_tried and now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            try:
                self._service.connect()
            except TriagedError as error:
                self._failed(error, LOOK_EVERY.total_seconds())
            else:
                self._well()
        return is_owed

    def _connect(self) -> bool:
        """Connect, patiently; False when stopped meanwhile."""
        try:
            patiently(self._around.stop, TriagedError, self._failed)(self._service.connect)
        except RetryError:
            return False
        self._well()
        return True

    def _failed(self, error: BaseException, wait_s: float) -> None:
        self._around.beats.retire(self.part)  # a sleep of minutes is no hang
        self.troubled = True
        self._around.health(self.part, "trouble", f"{error}; next try in {wait_s:.0f} s")

    def _well(self) -> None:
        if self.troubled:
            self.troubled = False
            self._around.health(self.part, "ok", "")

    def _attempt(self, claimed: Claimed) -> Outcome | TriagedError | None:
        """Do it; None when stopped before it was clear how it ended, and then it stays `doing`."""
        try:
            return self._service.perform(claimed.effect, self._crossing(claimed))
        except Uncertain as error:
            return self._found_after(claimed, error)
        except TriagedError as error:
            return error
        except Exception as error:  # per effect: it alone is uncertain, and a person looks
            log.exception("effect failed lane=%s effect=%d", self.name, claimed.row)
            return Uncertain(f"a fault of ours: {type(error).__name__}: {error}")

    def _found_after(self, claimed: Claimed, error: Uncertain) -> Outcome | TriagedError | None:
        """What became of an effect whose answer was lost, as after a kill: some servers fill Sent by themselves."""
        found = self._look_up(dataclasses.replace(claimed, handed=True))
        return error if isinstance(found, Uncertain) else found

    def _crossing(self, claimed: Claimed) -> Crossing:
        def commit() -> None:
            self._write(lambda rows: rows.hand_over(claimed, now=self._around.clock()))

        return Crossing(claimed, commit=commit, path=self._note)

    def _settle(self, claimed: Claimed, end: Outcome | TriagedError) -> Claimed | None:
        """Write down how it ended and, in the same commit, begin the next; None when nothing more is due."""
        go_on = isinstance(end, Outcome) and not self._around.stop.is_set()

        def write(rows: Log) -> tuple[frozenset[str], Claimed | None]:
            lanes = self._end(rows, claimed, end)
            return lanes, rows.claim(self.name, now=self._around.clock()) if go_on else None

        lanes, following = self._write(write)
        self._around.wake_lanes(lanes - {self.name})
        if not isinstance(end, Outcome) or self.name in lanes:
            self.wake.set()
        return following

    def _end(self, rows: Log, claimed: Claimed, end: Outcome | TriagedError) -> frozenset[str]:
        now = self._around.clock()
        word = "done"
        lanes: frozenset[str] = frozenset()
        match end:
            case Outcome():
                lanes = rows.finish(claimed, end, now=now)
                if self._service.fails_whole:
                    self._well()
            case Transient() | LoginRefused() if claimed.attempts < MAX_ATTEMPTS:
                wait_s = wait_after_s(end, claimed.attempts)
                rows.put_off(claimed, until=now + timedelta(seconds=wait_s), why=str(end), now=now)
                if self._service.fails_whole and wait_s > MOMENT_S:
                    self._failed(end, wait_s)
                word = "later"
            case Permanent() | Uncertain() | _:
                lanes = rows.hand_to_person(claimed, why=str(end), now=now)
                word = "person"
        log.info(
            "effect mail=%d kind=%s end=%s attempt=%d", claimed.message, claimed.effect.kind, word, claimed.attempts
        )
        return lanes

    def _recover(self) -> None:
        """Find out what became of the effects that a kill interrupted, before anything else is done."""
        for claimed in self._write(lambda rows: rows.doing(self.name)):
            end = self._look_up(claimed)
            if end is None:
                return
            self._write(partial(self._end, claimed=claimed, end=end))

    def _look_up(self, claimed: Claimed) -> Outcome | TriagedError | None:
        """How an interrupted effect ended; None when stopped meanwhile, and then it stays `doing`.

        While the outside cannot be asked, the answer is waited for: to do the effect again could do it twice.
        """
        if claimed.handed and (end := noted(self._note, claimed)) is not None:
            return end
        ask = patiently(self._around.stop, (Transient, LoginRefused), self._failed)
        try:
            found = ask(self._service.recover, claimed.effect, claimed.handed)
        except RetryError:
            return None
        except (Uncertain, Permanent) as error:
            return Uncertain(str(error))
        self._well()
        return found or Transient("it was begun and not done", retry_after_s=0)

    def _write(self, work: Callable[[Log], T]) -> T:
        return self._around.writer.submit(work).result()
