"""One mailbox in, its new mails onto a bounded queue: a watcher thread's body. I/O only; it decides nothing."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event

from tenacity import RetryError

from triaged.errors import TriagedError
from triaged.log.read import Reader
from triaged.model import Locator, Raw
from triaged.ports import Mailbox
from triaged.worker.beats import Beats
from triaged.worker.progress import Progress
from triaged.worker.retry import patiently
from triaged.worker.writer import Writer

BATCH = 100
"""Messages asked for at once (0.37 s for 1,000 of 4 kB in batches of 50; backends.md 2a)."""
PAUSE_S = 1.0
"""Seconds before a lost connection is opened again."""

log = logging.getLogger(__name__)

Health = Callable[[str, str, str], None]
"""part, state (`ok`, `trouble`, `stopped`), detail."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A mailbox with what its watcher needs."""

    mailbox: Mailbox
    poll_s: float
    progress: Progress


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every watcher shares."""

    log_path: Path
    raws: queue.Queue[Raw]
    writer: Writer
    stop: Event
    beats: Beats
    health: Health
    clock: Callable[[], datetime]


def part_of(watched: Watched) -> str:
    """What `triaged status` calls the watcher."""
    return f"mailbox {watched.mailbox.name}"


def watch(watched: Watched, around: Surroundings, *, once: bool, tried: Callable[[], None]) -> None:
    """Watch until stopped, or look once. A server that fails is tried again with back-off, for ever.

    once: a failure is not repeated but told by raising it. tried: called when the mailbox was looked at, and when that
    failed. Raises: TriagedError (once only).
    """
    part, mailbox = part_of(watched), watched.mailbox
    reader = Reader(around.log_path)

    def failed(error: BaseException, wait_s: float) -> None:
        around.beats.retire(part)  # a sleep of minutes is no hang
        around.health(part, "trouble", f"{error}; next try in {wait_s:.0f} s")
        tried()

    def open_and_look() -> None:
        around.beats.beat(part)
        mailbox.connect()
        look(watched, around, reader)

    try:
        while not around.stop.is_set():
            if once:
                open_and_look()
                return
            try:
                patiently(around.stop, TriagedError, failed)(open_and_look)
            except RetryError:
                return
            around.health(part, "ok", "")
            tried()
            lost = _serve(watched, around, reader)
            if lost is not None:
                around.health(part, "trouble", str(lost))
                around.stop.wait(PAUSE_S)
    finally:
        mailbox.close()
        reader.close()
        around.beats.retire(part)


def _serve(watched: Watched, around: Surroundings, reader: Reader) -> TriagedError | None:
    """Wait and look until stopped (None) or the connection is lost (why)."""
    try:
        while not around.stop.is_set():
            around.beats.beat(part_of(watched))
            watched.mailbox.wait(watched.poll_s)
            look(watched, around, reader)
    except TriagedError as error:
        return error
    return None


def look(watched: Watched, around: Surroundings, reader: Reader) -> None:
    """Put every message that has no row yet onto the queue. Raises: TriagedError."""
    mailbox = watched.mailbox
    pages = tuple(mailbox.list_after(reader.cursor(mailbox.name, mailbox.folder)))
    keys = tuple(dict.fromkeys(key for page in pages for key in page.keys))
    new = watched.progress.hand_out(pages, reader.unlogged(mailbox.name, mailbox.folder, keys))
    for start in range(0, len(new), BATCH):
        batch = new[start : start + BATCH]
        wanted = dict.fromkeys(batch)
        try:
            for raw in mailbox.fetch(batch):
                wanted.pop(raw.locator.key, None)
                if not _put(raw, watched, around):
                    return  # stopping: what was not handed on is listed again at the next start
        except BaseException:  # a fault of ours too: what was handed out and not read must be handed out again
            watched.progress.take_back((*wanted, *new[start + BATCH :]))
            raise
        for key in wanted:
            _vanished(Locator(mailbox.name, mailbox.folder, key), watched, around)


def _put(raw: Raw, watched: Watched, around: Surroundings) -> bool:
    """Hand a mail on, however long the queue is full; False when stopped meanwhile."""
    while not around.stop.is_set():
        around.beats.beat(part_of(watched))
        try:
            around.raws.put(raw, timeout=1.0)
        except queue.Full:
            continue
        return True
    return False


def _vanished(locator: Locator, watched: Watched, around: Surroundings) -> None:
    log.info("gone mailbox=%s key=%s", locator.mailbox, locator.key)
    progress = watched.progress

    def written(done: Future[None]) -> None:
        if done.exception() is None:
            progress.committed(locator.key)
        else:
            progress.take_back([locator.key])

    around.writer.submit(lambda rows: rows.record_gone(locator, now=around.clock())).add_done_callback(written)
