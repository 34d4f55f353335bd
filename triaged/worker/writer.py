"""Closures over the log in, their results after the COMMIT out: the one thread that writes, in groups."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

from triaged.errors import Permanent
from triaged.log.limits import Caps
from triaged.log.store import Log
from triaged.worker.beats import Beats

T = TypeVar("T")

GROUP = 64
"""Closures in one transaction at most: one fsync for many mails when there is a backlog (engine.md 1.1)."""
WAITING = 512
"""Closures that may wait; who submits more is held up, so memory stays bounded."""
IDLE_S = 0.2
"""Seconds without work before the full-text index is brought up to date: in a backlog every lane would wait for it."""
INDEX_BATCH = 64

logger = logging.getLogger(__name__)

_Job = tuple[Callable[[Log], Any], "Future[Any]"]


class Writer:
    """Owns the log's writing connection. `run` is a thread's body; `submit` may be called by any other."""

    name = "writer"

    def __init__(self, path: Path, *, beats: Beats, caps: Caps = Caps()) -> None:  # noqa: B008 - frozen
        self._path, self._caps = path, caps
        self._beats = beats
        self._jobs: queue.Queue[_Job] = queue.Queue(WAITING)
        self._closing = Event()
        self.opened: Future[None] = Future()

    def submit(self, work: Callable[[Log], T]) -> Future[T]:
        """Have `work` done in a transaction; the future has its result once that is committed, else its exception."""
        done: Future[T] = Future()
        self._jobs.put((work, done))
        return done

    def close(self) -> None:
        """Finish what is waiting, then end `run`."""
        self._closing.set()

    def run(self) -> None:
        """Commit until closed. When the log cannot be opened, `opened` has the reason."""
        try:
            log = Log(self._path, caps=self._caps)
        except Permanent as error:
            self.opened.set_exception(error)
            return
        self.opened.set_result(None)
        unindexed = True
        while True:
            self._beats.beat(self.name)
            group = self._take_group(wait_s=0.0 if self._closing.is_set() else IDLE_S)
            if len(group) > 0:
                _commit(log, group)
                unindexed = True
            elif unindexed:
                unindexed = _index(log)
            elif self._closing.is_set():
                break
        log.close()
        self._beats.retire(self.name)

    def _take_group(self, *, wait_s: float) -> list[_Job]:
        group: list[_Job] = []
        try:
            group.append(self._jobs.get(timeout=wait_s) if wait_s > 0 else self._jobs.get_nowait())
            while len(group) < GROUP:
                group.append(self._jobs.get_nowait())
        except queue.Empty:
            pass
        return group


def _commit(log: Log, group: list[_Job]) -> None:
    """One transaction; a closure that fails is rolled back alone and its future has the exception."""
    results: list[tuple[Future[Any], Any, Exception | None]] = []
    try:
        with log.transaction():
            for work, done in group:
                try:
                    with log.savepoint():
                        results.append((done, work(log), None))
                except Exception as error:  # noqa: BLE001 - per effect or message: it alone fails, its submitter hears
                    results.append((done, None, error))
    except Exception as error:  # noqa: BLE001 - the COMMIT failed (full disk): every submitter must hear of it
        results = [(done, None, error) for _, done in group]
    for done, result, failure in results:
        if failure is not None:
            done.set_exception(failure)
        else:
            done.set_result(result)


def _index(log: Log) -> bool:
    """Index some mails for the full-text search; True while there is more. A failure (full disk) is logged."""
    done: Future[int] = Future()
    _commit(log, [(lambda rows: rows.index_text(INDEX_BATCH), done)])
    error = done.exception()
    if error is not None:
        logger.error("unindexed error=%s", error)
        return False
    return done.result() == INDEX_BATCH
