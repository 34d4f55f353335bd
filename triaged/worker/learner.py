"""The log in, a training as a child process out when one is due: it takes no time and no memory of the worker's.

The child is `triaged train --from-log --by-timer`: the lowest priority, a limit of memory of its own. It measures the
challenger, promotes it or not, and writes down what came of it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from tempfile import TemporaryFile

from triaged.errors import Transient
from triaged.log.labels import learning
from triaged.log.read import Reader
from triaged.settings import Config
from triaged.worker.timers import TimerSurroundings

LEARN, LEARN_S = "learn", 3600.0
"""Its own thread, for a training takes minutes. Asked hourly whether one is due, for a worker may not live a week."""
MIN_NEW = 10
"""Mails with a new label since the last training; with fewer there is little to learn, and less to measure it by."""
LOOK_S = 0.5
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LONGEST_REASON = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Learner:
    """command: trains from the log and says on standard error why it could not. every: how long between two."""

    command: tuple[str, ...]
    every: timedelta


def learner_of(config: Config) -> Learner | None:
    """How the worker trains anew by itself: the program as a child of its own. None: it never does."""
    if config.learn.every_days == 0:
        return None
    command = (sys.executable, "-m", "triaged", "train", "--from-log", "--by-timer", "--config", str(config.file))
    return Learner(command, every=timedelta(days=config.learn.every_days))


def is_due(learner: Learner, reader: Reader, around: TimerSurroundings) -> bool:
    """Whether enough days are over since the last training, and enough mails have new labels. A clock that was put
    back counts as days that are over."""
    stand = learning(reader)
    last = stand.last_learned
    return stand.new >= MIN_NEW and (last is None or not timedelta(0) <= around.clock() - last < learner.every)


def learn_if_due(learner: Learner, around: TimerSurroundings, reader: Reader) -> None:
    """Train if it is due. Raises: Transient with what the child said when it failed; its timer tells of it."""
    if not is_due(learner, reader, around):
        return
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
    with TemporaryFile() as said:
        child = subprocess.Popen(  # noqa: S603 - a command of ours
            learner.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, env=environment
        )
        try:
            while child.poll() is None and not around.stop.wait(LOOK_S):
                around.beats.beat(LEARN)
        finally:
            stopped = child.poll() is None
            if stopped:  # the service ends; what was in use stays so
                child.kill()
                child.wait()
        said.seek(0)
        words = said.read().decode("utf-8", "replace").strip()
    if stopped:
        return
    logger.info("learned code=%d", child.returncode)
    if child.returncode != 0:
        raise Transient(words[-LONGEST_REASON:] or f"the training ended with code {child.returncode}")
