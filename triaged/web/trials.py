"""An edited set of files in, what it would have done to the mails of the last 90 days out; one at a time."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock, Thread
from typing import Any

from triaged.errors import Permanent, TriagedError
from triaged.settings import Config
from triaged.web.commands import laid, say
from triaged.written import Written

SINCE = "90d"
WITHIN_S = 600.0
"""For each of the two looks; 5,000 mails take some 10 s."""
KEPT = 8
"""Trials whose answer can still be looked at."""


@dataclass(slots=True)
class Trial:
    """An edit that is tried, or was. name, text, was, why: of the editor's form, so that it can go on from there.

    step: what is being done, in words. hints, answer: what `triaged rules check` and `triaged rules whatif` say; None
    until it ended well. problem: why it did not, `""` when it did.
    """

    id: str
    who: str
    began: datetime
    written: Written
    name: str
    text: str
    was: str
    why: str
    step: str = "reading the rules"
    ended: datetime | None = None
    hints: list[dict[str, Any]] = field(default_factory=list)
    answer: dict[str, Any] | None = None
    problem: str = ""


class Busy(TriagedError):
    """Another trial goes on; says whose."""


class Trials:
    """Those of a desk, in memory: the last ones, of which one at most goes on."""

    def __init__(self, config: Config, *, clock: Callable[[], datetime]) -> None:
        self._config, self._clock = config, clock
        self._lock = Lock()
        self._trials: dict[str, Trial] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def begin(self, written: Written, *, who: str, name: str, text: str, was: str, why: str) -> Trial:
        """Start one in a thread of its own. Raises: Busy."""
        with self._lock:
            running = next((each for each in self._trials.values() if each.ended is None), None)
            if running is not None:
                raise Busy(f"{running.who} tries an edit just now, and one is tried at a time; try again in a moment")
            trial = Trial(secrets.token_urlsafe(9), who, self._clock(), written, name, text, was, why)
            self._trials[trial.id] = trial
            for old in list(self._trials)[:-KEPT]:
                del self._trials[old]
        Thread(target=self._run, args=(trial,), name="trial", daemon=True).start()
        return trial

    def find(self, name: str) -> Trial | None:
        """By its id."""
        return self._trials.get(name)

    def of(self, rules_id: str) -> Trial | None:
        """The last one that ended well with this very set."""
        found = [each for each in self._trials.values() if each.written.id == rules_id and each.answer is not None]
        return found[-1] if len(found) > 0 else None

    def close(self) -> None:
        """End the one that goes on."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def _run(self, trial: Trial) -> None:
        try:
            with laid(self._config, trial.written) as folder:
                trial.hints = self._say("rules", "check", str(folder), "--since", SINCE)
                trial.step = "deciding past mail by the rules in use and by these"
                trial.answer = self._say("rules", "whatif", str(folder), "--since", SINCE)[0]
        except (OSError, TriagedError) as error:
            trial.problem = str(error)
        finally:
            trial.ended = self._clock()

    def _say(self, *words: str) -> list[dict[str, Any]]:
        return say(self._config, *words, within_s=WITHIN_S, begun=self._begun)

    def _begun(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._process = process
            if self._closed:
                process.kill()
                raise Permanent("the desk ends")
