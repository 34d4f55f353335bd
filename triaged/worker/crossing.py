"""An effect at its point of no return in, what a restart must know of it out: a commit before, notes on disk around it.

The commit says that it may have happened; the notes, whether the last step was begun and how it ended: they save a
person the question whether the mail arrived. They count only within one boot of the machine, for a power cut may take
some of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from triaged.decision import Outcome
from triaged.errors import Transient
from triaged.log.store import Claimed
from triaged.worker import note

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Another one after every start of the machine (proc(5))."""

Step = Literal["committing", "crossing", "crossed"]


class Crossing:
    """`ports.Crossing` of one try of an effect. commit: writes down that it begins; path: of the lane's note."""

    def __init__(self, claimed: Claimed, *, commit: Callable[[], object], path: Path) -> None:
        self._claimed, self._commit, self._path = claimed, commit, path

    def begins(self) -> None:
        """Right before the point of no return. Raises: Transient when it cannot be written down: do not pass it."""
        self._must_put("committing")  # first, so that no note of an earlier life of the log can stand for this one
        try:
            self._commit()
        except Exception as error:  # whatever it was: nothing has been passed yet, and must not be
            raise Transient(f"the log cannot be written: {error}") from error
        self._must_put("crossing")

    def ends(self, words: str) -> None:
        """It has happened. Never raises."""
        self._put("crossed", words)

    def _must_put(self, step: Step) -> None:
        if not self._put(step):
            raise Transient(f"{self._path} cannot be written")

    def _put(self, step: Step, words: str = "") -> bool:
        return note.put(self._path, [*_name(self._claimed), step, words])


def noted(path: Path, claimed: Claimed) -> Outcome | Transient | None:
    """How this very try of an effect ended: it happened, it certainly did not, or None when the note cannot tell."""
    found = note.get(path)
    if not isinstance(found, list) or found[:-2] != _name(claimed):
        return None
    step, words = found[-2:]
    if step == "crossed":
        return Outcome(str(words))
    return Transient("it was begun and not done", retry_after_s=0) if step == "committing" else None


def _name(claimed: Claimed) -> list[int | str]:
    """The try, and the boot of the machine. Raises: OSError (no /proc: systemd's machines have it)."""
    return [claimed.row, claimed.attempts, BOOT_ID.read_text(encoding="ascii").strip()]
