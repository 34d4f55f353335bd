"""An effect at its point of no return in, what a restart must know of it out: a commit before, a note on disk after.

The commit before says that it may have happened; the note after, that it has: it saves a person the question whether
the mail arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from triaged.errors import Transient
from triaged.log.store import Claimed
from triaged.worker import note


class Crossing:
    """`ports.Crossing` of one effect. commit: writes down that it begins; path: of the lane's note."""

    def __init__(self, claimed: Claimed, *, commit: Callable[[], object], path: Path) -> None:
        self._claimed, self._commit, self._path = claimed, commit, path

    def begins(self) -> None:
        """Right before the point of no return. Raises: Transient when it cannot be written down: do not pass it."""
        try:
            self._commit()
        except Exception as error:
            raise Transient(f"the log cannot be written: {error}") from error

    def ends(self, words: str) -> None:
        """It has happened. Never raises."""
        note.put(self._path, [*_name(self._claimed), words])


def noted(path: Path, claimed: Claimed) -> str | None:
    """The words with which this very try of the effect ended, None when no note tells."""
    found = note.get(path)
    return str(found[-1]) if isinstance(found, list) and found[:-1] == _name(claimed) else None


def _name(claimed: Claimed) -> list[object]:
    return [claimed.row, claimed.attempts]
