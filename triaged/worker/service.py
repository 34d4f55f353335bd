"""The parts in, a running service out: threads started, supervised and ended in order; systemd is told."""

from __future__ import annotations

import fcntl
import logging
import queue
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import IO

from tenacity import RetryError

from triaged.errors import ConfigError, Problem, TriagedError
from triaged.log.alerts import begin_run, end_run, forget_health
from triaged.log.limits import Caps
from triaged.log.read import Reader
from triaged.log.rights import make_private
from triaged.model import Raw
from triaged.worker import systemd
from triaged.worker.beats import Beats
from triaged.worker.deskchild import PART as DESK
from triaged.worker.deskchild import keep_running
from triaged.worker.intake import Intake
from triaged.worker.lane import Lane, LaneSurroundings
from triaged.worker.listed import ListFile
from triaged.worker.perform import LaneService
from triaged.worker.reload import WATCH, Rules
from triaged.worker.retry import patiently
from triaged.worker.timers import Job, TimerSurroundings, run_jobs
from triaged.worker.triage import Build, Limits, Loaded, TriageProcess, keep_loaded
from triaged.worker.vitals import PART as PAGE
from triaged.worker.vitals import Page, Vitals, serve
from triaged.worker.watch import Surroundings, Watched, part_of, watch
from triaged.worker.writer import Writer

QUEUE = 128
"""Mails that may wait between watcher and triage; with the size limit this bounds the memory."""
SUPERVISOR = "supervisor"
DRAIN_S = 10.0
"""Seconds from SIGTERM to the end; missing it is safe, since any moment is safe to be killed in."""
TICK_S = 1.0
LIST, MODEL = "do-not-answer list", "model"
ONCE_TICK_S = 0.05

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """All that `wire` puts together. lanes: by lane name; stall_s: silence of a part that counts as a hang.

    folders: of the rules and of the templates. model_choice: the file that says which model is in use.
    review_percent: of mails that are drawn for review. timers: what to do now and then, by the name of the thread that
    does it. page: None when there is none. desk: the command that serves the review desk, empty for none.
    """

    log_path: Path
    caps: Caps
    watched: tuple[Watched, ...]
    lanes: Mapping[str, LaneService]
    build: Build
    folders: tuple[Path, Path]
    list_path: Path
    model_choice: Path
    processes: int
    batch: int
    review_percent: float
    limits: Limits
    stall_s: float
    timers: Callable[[TimerSurroundings], Mapping[str, tuple[Job, ...]]]
    page: Page | None
    desk: tuple[str, ...] = ()


def utc_now() -> datetime:
    """The clock that is handed to all parts."""
    return datetime.now(UTC)


def lock_state(log_path: Path) -> IO[str]:
    """Hold the state folder for one worker; the lock lives as long as the file object. Raises: ConfigError."""
    lock = log_path.parent / "worker.lock"
    make_private(log_path.parent)
    lock.touch(mode=0o600)
    held = lock.open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        raise ConfigError(
            (Problem(str(log_path.parent), "another worker runs on this state folder; stop it first"),)
        ) from None
    return held


def is_running(log_path: Path) -> bool:
    """Whether a worker holds the state folder now, whatever its last report says."""
    try:
        with (log_path.parent / "worker.lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class Service:
    """The running worker. `run` blocks until the end; its thread must be the main one (signals)."""

    def __init__(self, parts: Parts, *, on_tick: Callable[[], None] | None = None) -> None:
        self._parts, self._on_tick = parts, on_tick
        self._beats, self._stop = Beats(), Event()
        self._wake, self._reload = Event(), Event()
        self._writer = Writer(parts.log_path, beats=self._beats, caps=parts.caps)
        self._raws: queue.Queue[Raw] = queue.Queue(QUEUE)
        self._listed, self._list_told = ListFile(parts.list_path), ""
        self._failures: list[str] = []
        self._tried: set[str] = set()
        self._died: set[str] = set()
        self._processes = [self._process(name) for name in self._intake_names()]
        self._counted = False
        self._around = TimerSurroundings(parts.log_path, self._writer, self._stop, self._beats, self._health, utc_now)
        self._rules = Rules(
            parts.folders,
            self._processes,
            around=self._around,
            asked=self._reload,
            model_choice=parts.model_choice,
            on_loaded=self._keep,
        )
        around = LaneSurroundings(
            parts.log_path, self._writer, self._stop, self._beats, self._health, self._wake_lanes, utc_now
        )
        self._lanes = {name: Lane(name, service, around) for name, service in parts.lanes.items()}

    def run(self, *, once: bool) -> tuple[str, ...]:
        """Watch until SIGTERM or SIGINT, or (once) do all there is now. Returns what did not work, in words.

        Raises: ConfigError (rules, templates, model or another worker), before anything is started.
        """
        held = lock_state(self._parts.log_path)
        try:
            return self._run(once=once)
        finally:
            held.close()

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Begin to end; safe from any thread and from a signal handler."""
        self._stop.set()
        self._wake.set()
        self._reload.set()

    def reload(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Have rules, templates and model loaded anew soon; safe as `stop` is."""
        self._reload.set()

    # --- start ---

    def _run(self, *, once: bool) -> tuple[str, ...]:
        for number, handler in ((signal.SIGTERM, self.stop), (signal.SIGINT, self.stop), (signal.SIGHUP, self.reload)):
            signal.signal(number, handler)
        writing = self._start_writer()
        working: list[Thread] = []
        try:
            self._rules.start()
            watching = self._start_threads(working, once=once)
            if once:
                self._wait_until_done(watching)
                self._failures += [f"rules: {self._rules.refused}"] if self._rules.refused else []
            else:
                self._supervise()
        finally:  # whatever ended it, the triage processes must not outlive it
            self._end(writing, working)
        return tuple(self._failures)

    def _start_threads(self, working: list[Thread], *, once: bool) -> list[Thread]:
        """Start all that works, each into `working` at once; returns the watchers."""
        self._writer.submit(forget_health)
        self._writer.submit(lambda rows: rows.abandon(self._lanes.keys(), now=utc_now()))
        intake = Intake(
            raws=self._raws,
            writer=self._writer,
            progress={(each.mailbox.name, each.mailbox.folder): each.progress for each in self._parts.watched},
            wake_lanes=self._wake_lanes,
            batch=self._parts.batch,
            state_dir=self._parts.log_path.parent,
            review_percent=self._parts.review_percent,
            beats=self._beats,
            clock=utc_now,
        )
        for name, process in zip(self._intake_names(), self._processes, strict=True):
            working.append(self._thread(name, partial(intake.run, name, process, self._stop)))
        working += [self._thread(lane.part, lane.run) for lane in self._lanes.values()]
        watching = [self._thread(part_of(each), partial(self._watch, each, once)) for each in self._parts.watched]
        working += watching
        if not once:
            working.append(self._thread(WATCH, self._rules.run))
            self._start_timers(working)
        return watching

    def _start_timers(self, working: list[Thread]) -> None:
        """Start what looks after the other parts: the timers, and the page that says how they are."""
        timers = self._parts.timers(self._around)
        self._writer.submit(partial(begin_run, now=utc_now()))
        self._counted = True
        working += [self._thread(name, partial(run_jobs, name, jobs, self._around)) for name, jobs in timers.items()]
        if (page := self._parts.page) is not None:
            vitals = Vitals(self._around, raws=self._raws, stall_s=self._parts.stall_s)
            working.append(self._thread(PAGE, partial(serve, page, vitals, stop=self._stop, beats=self._beats)))
        if len(command := self._parts.desk) > 0:
            keep = partial(keep_running, command, stop=self._stop, beats=self._beats, health=self._health)
            working.append(self._thread(DESK, keep))

    def _start_writer(self) -> Thread:
        """Open the log in its thread. Raises: what opening it raised."""
        writing = Thread(target=self._writer.run, name="writer", daemon=True)
        self._beats.beat(self._writer.name)
        writing.start()
        systemd.still_starting(self._writer.opened)
        return writing

    def _process(self, name: str) -> TriageProcess:
        return TriageProcess(
            build=self._parts.build,
            list_path=self._parts.list_path,
            log_path=self._parts.log_path,
            limits=self._parts.limits,
            beat=partial(self._beats.beat, name),
            on_loaded=self._keep,
        )

    def _intake_names(self) -> tuple[str, ...]:
        return tuple(f"triage {number}" for number in range(1, self._parts.processes + 1))

    def _keep(self, loaded: Loaded) -> None:
        now = utc_now()
        self._writer.submit(partial(keep_loaded, loaded=loaded, now=now))
        self._health(MODEL, "trouble" if loaded.model_problem else "ok", loaded.model_problem or loaded.model_id)

    def _thread(self, part: str, body: Callable[[], None]) -> Thread:
        """A thread that starts its body again, with back-off, when it dies of a fault."""

        def died(error: BaseException, wait_s: float) -> None:
            self._beats.retire(part)  # it is told as trouble; a sleep of minutes is no hang
            log.error("died part=%r error=%r restart_s=%.0f", part, error, wait_s, exc_info=error)
            self._died.add(part)
            self._health(part, "trouble", f"{type(error).__name__}: {error}; starts again in {wait_s:.0f} s")

        def again() -> None:
            if part in self._died:
                self._died.discard(part)
                self._health(part, "ok", "started again")
            self._beats.beat(part)
            body()

        def live() -> None:
            try:
                patiently(self._stop, Exception, died)(again)
            except RetryError as ended:
                error = ended.last_attempt.exception()
                if error is not None:
                    self._failures.append(f"{part}: {error}")

        self._beats.beat(part)
        thread = Thread(target=live, name=part, daemon=True)
        thread.start()
        return thread

    def _watch(self, watched: Watched, once: bool) -> None:
        around = Surroundings(
            self._parts.log_path, self._raws, self._writer, self._stop, self._beats, self._health, utc_now
        )
        try:
            watch(watched, around, once=once, tried=lambda: self._has_tried(part_of(watched)))
        except TriagedError as error:  # once: told, not repeated
            self._failures.append(f"{part_of(watched)}: {error}")
            self._health(part_of(watched), "trouble", str(error))

    # --- while it runs ---

    def _has_tried(self, part: str) -> None:
        self._tried.add(part)
        self._wake.set()

    def _wake_lanes(self, names: frozenset[str]) -> None:
        for name in names & self._lanes.keys():
            self._lanes[name].wake.set()

    def _health(self, part: str, state: str, detail: str) -> None:
        level = logging.INFO if state == "ok" else logging.WARNING
        log.log(level, "health part=%r state=%s detail=%r", part, state, detail)
        now = utc_now()
        self._writer.submit(lambda rows: rows.set_health(part, state, detail, now=now))

    def _supervise(self) -> None:
        """Until stopped: tell systemd, and feed the watchdog while every part is alive."""
        every_s = systemd.watchdog_interval_s()
        ready = False
        while not self._stop.is_set():
            self._beats.beat(SUPERVISOR)
            if not ready and len(self._tried) == len(self._parts.watched):
                ready = True
                log.info("ready mailboxes=%d", len(self._tried))
                systemd.notify(f"READY=1\nSTATUS=watching {len(self._tried)} mailboxes")
            self._look_at_list()
            silent = self._beats.silent(self._parts.stall_s)
            if len(silent) == 0:
                systemd.notify("WATCHDOG=1")
            else:
                log.error("stalled parts=%r", silent)
            if self._on_tick is not None:
                self._on_tick()
            self._wake.wait(min(TICK_S, every_s or TICK_S))
            self._wake.clear()

    def _look_at_list(self) -> None:
        """Tell of lines in the do-not-answer list that nobody understands, and when they are mended."""
        self._listed.current()
        wrong = "; ".join(str(problem) for problem in self._listed.problems)
        if wrong != self._list_told:
            self._list_told = wrong
            self._health(LIST, "trouble" if wrong else "ok", wrong)

    def _wait_until_done(self, watching: list[Thread]) -> None:
        """All mailboxes looked at, all mails committed, nothing due left (or its lane in trouble), or stopped."""
        for thread in watching:
            while thread.is_alive():
                self._tick()
        reader = Reader(self._parts.log_path)
        while not self._stop.is_set() and (self._raws.unfinished_tasks > 0 or self._is_due(reader)):
            self._tick()
        for lane in self._lanes.values():
            if lane.troubled:
                self._failures.append(f"{lane.part}: not reached; what is owed stays owed")
        reader.close()

    def _tick(self) -> None:
        if self._on_tick is not None:
            self._on_tick()
        self._wake.wait(ONCE_TICK_S)
        self._wake.clear()

    def _is_due(self, reader: Reader) -> bool:
        busy = reader.busy_lanes(now=utc_now())
        return any(name in busy and not lane.troubled for name, lane in self._lanes.items())

    # --- end ---

    def _end(self, writing: Thread, working: list[Thread]) -> None:
        """In order: stop fetching, finish what is taken, commit, close. After DRAIN_S it ends all the same."""
        systemd.notify("STOPPING=1")
        self._beats.retire(SUPERVISOR)
        if self._counted and self._stop.is_set():  # else it ends by a fault, and that is a crash
            self._writer.submit(partial(end_run, now=utc_now()))
        give_up_at = utc_now().timestamp() + DRAIN_S
        self._stop.set()
        self._reload.set()
        for each in self._parts.watched:
            each.mailbox.wake()
        self._wake_lanes(frozenset(self._lanes))
        for thread in working:
            thread.join(max(0.0, give_up_at - utc_now().timestamp()))
            if thread.is_alive():
                log.warning("undrained part=%r", thread.name)
        for process in self._processes:
            process.kill()
        self._writer.close()
        writing.join(max(1.0, give_up_at - utc_now().timestamp()))
        log.info("stopped")
