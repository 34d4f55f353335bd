"""Raw mails from the queue in, committed rows out: an intake thread's body, each with its own triage process."""

from __future__ import annotations

import hashlib
import logging
import queue
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event

from triaged.log.labels import is_drawn
from triaged.log.store import Log, Recorded
from triaged.model import Locator, Raw
from triaged.worker.beats import Beats
from triaged.worker.inhand import MAX_DEATHS, InHand
from triaged.worker.progress import Progress
from triaged.worker.triage import Triaged, TriageProcess, Unreadable
from triaged.worker.writer import Writer

IDLE_S = 1.0

log = logging.getLogger(__name__)

FolderKey = tuple[str, str]
"""mailbox, folder."""


class Intake:
    """What the intake threads share. `wake_lanes` is told which lanes have new work."""

    def __init__(
        self,
        *,
        raws: queue.Queue[Raw],
        writer: Writer,
        progress: Mapping[FolderKey, Progress],
        wake_lanes: Callable[[frozenset[str]], None],
        batch: int,
        state_dir: Path,
        review_percent: float,
        beats: Beats,
        clock: Callable[[], datetime],
    ) -> None:
        self._raws, self._writer, self._progress = raws, writer, progress
        self._wake_lanes, self._batch, self._state_dir = wake_lanes, batch, state_dir
        self._review_percent, self._beats, self._clock = review_percent, beats, clock

    def run(self, name: str, process: TriageProcess, stop: Event) -> None:
        """Decide and commit until stopped.

        A mail that was taken and not decided is handed out again: when the process cannot be started (rules that
        became wrong), and when it ended while the service stops, for then it may have been us who ended it.
        """
        in_hand = InHand(self._state_dir / f"in-hand-{name.replace(' ', '-')}")
        while not stop.is_set():
            self._beats.beat(name)
            batch = self._take()
            if len(batch) == 0:
                self._save_cursors()
                continue
            try:
                results = self._read(batch, process, in_hand)
            except BaseException:
                self._give_back(batch)
                raise
            for result in results:
                if stop.is_set() and isinstance(result, Unreadable):
                    self._give_back([result.raw])
                else:
                    self._commit(result)
            self._save_cursors()
        self._beats.retire(name)

    def _read(self, batch: list[Raw], process: TriageProcess, in_hand: InHand) -> list[Triaged | Unreadable]:
        """Decide about a batch; a mail that the service died with is read alone, and after MAX_DEATHS not at all."""
        results: list[Triaged | Unreadable] = []
        suspects = [raw for raw in batch if in_hand.deaths(raw.locator) > 0]
        rest = [raw for raw in batch if in_hand.deaths(raw.locator) == 0]
        for together in (*([raw] for raw in suspects), rest):
            if len(together) > 0 and in_hand.deaths(together[0].locator) >= MAX_DEATHS:
                results.append(Unreadable(together[0], f"the service died {MAX_DEATHS} times while it was being read"))
            elif len(together) > 0:
                in_hand.take(together)
                results += process.triage(together, now=self._clock())
            in_hand.put_down(together)
        return results

    def _take(self) -> list[Raw]:
        batch: list[Raw] = []
        try:
            batch.append(self._raws.get(timeout=IDLE_S))
            while len(batch) < self._batch:
                batch.append(self._raws.get_nowait())
        except queue.Empty:
            pass
        return batch

    def _give_back(self, raws: Sequence[Raw]) -> None:
        for raw in raws:
            self._progress[raw.locator.mailbox, raw.locator.folder].take_back([raw.locator.key])
            self._raws.task_done()

    def _commit(self, result: Triaged | Unreadable) -> None:
        locator = result.raw.locator
        self._writer.submit(lambda rows: self._record(rows, result)).add_done_callback(
            lambda done: self._committed(locator, done)
        )

    def _record(self, rows: Log, result: Triaged | Unreadable) -> Recorded:
        now, locator = self._clock(), result.raw.locator
        if isinstance(result, Triaged):
            drawn = result.message.automatic.by != "machine" and is_drawn(result.message.key, self._review_percent)
            recorded = rows.record(
                result.message, result.decision, locator, now=now, background=result.background, drawn=drawn
            )
        else:
            key = hashlib.sha256(result.raw.octets).hexdigest()[:32]
            recorded = rows.quarantine(result.raw, key=key, cause=result.cause, now=now)
        _tell(recorded, result)
        return recorded

    def _committed(self, locator: Locator, done: Future[Recorded]) -> None:
        error, progress = done.exception(), self._progress[locator.mailbox, locator.folder]
        if error is not None:
            progress.take_back([locator.key])
            log.error("uncommitted mailbox=%s key=%s error=%s", locator.mailbox, locator.key, error)
        else:
            progress.committed(locator.key)
            self._wake_lanes(done.result().lanes)
        self._raws.task_done()

    def _save_cursors(self) -> None:
        for (mailbox, folder), progress in self._progress.items():
            if (reached := progress.take_reached()) is not None:
                self._writer.submit(
                    partial(Log.set_cursor, mailbox=mailbox, folder=folder, key=reached, now=self._clock())
                )


def _tell(recorded: Recorded, result: Triaged | Unreadable) -> None:
    if isinstance(result, Unreadable):
        log.warning("quarantined mail=%d cause=%r", recorded.row, result.cause)
    elif recorded.copy:
        log.info("copy mail=%d", recorded.row)
    else:
        decision = result.decision
        log.info(
            "decided mail=%d categories=%s sure=%s account=%s acknowledge=%s effects=%d",
            recorded.row,
            ",".join(decision.verdict.chosen) or "other",
            decision.verdict.sure,
            decision.account.account_id or "none",
            decision.acknowledge.would_send,
            len(decision.effects),
        )
