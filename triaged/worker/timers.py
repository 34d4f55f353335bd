"""Jobs with their intervals in, each done again and again: a timer thread's body; one that fails stops no other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event

from triaged.log.read import Reader
from triaged.worker.beats import Beats
from triaged.worker.writer import Writer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done every `every_s` seconds, for the first time when they are over once."""

    name: str
    every_s: float
    work: Callable[[Reader], None]

    @property
    def part(self) -> str:
        """What `triaged status` calls it."""
        return f"timer {self.name}"


@dataclass(frozen=True, slots=True)
class TimerSurroundings:
    """What every timer shares."""

    log_path: Path
    writer: Writer
    stop: Event
    beats: Beats
    health: Callable[[str, str, str], None]
    clock: Callable[[], datetime]


def run_jobs(part: str, jobs: Sequence[Job], around: TimerSurroundings) -> None:
    """Do each job at its times until stopped. What is missed while another takes long is done once, late."""
    started = time.monotonic()
    due_s = {job.name: started + job.every_s for job in jobs}
    troubled: set[str] = set()
    reader = Reader(around.log_path)
    try:
        while True:
            around.beats.retire(part)  # waiting is no hang
            if around.stop.wait(max(0.0, min(due_s.values()) - time.monotonic())):
                return
            for job in jobs:
                if due_s[job.name] <= time.monotonic():
                    around.beats.beat(part)
                    _do(job, reader, around, troubled)
                    due_s[job.name] = time.monotonic() + job.every_s
    finally:
        reader.close()
        around.beats.retire(part)


def _do(job: Job, reader: Reader, around: TimerSurroundings, troubled: set[str]) -> None:
    try:
        job.work(reader)
    except Exception as error:  # per job: it alone fails, and is told as trouble
        log.warning("job failed job=%s error=%r", job.name, error, exc_info=error)
        troubled.add(job.name)
        around.health(job.part, "trouble", f"{error or type(error).__name__}; next try in {job.every_s:.0f} s")
        return
    if job.name in troubled:
        troubled.discard(job.name)
        around.health(job.part, "ok", "")
