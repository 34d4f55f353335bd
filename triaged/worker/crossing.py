"""An effect at its point of no return in, what a restart must know of it out: a commit before, a note on disk after.

The commit before says that it may have happened; the note after, that it has. The note is not synced: it is there for a
kill, which the page cache outlives, and saves a person the question whether the mail arrived. A power cut may take it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from triaged.errors import Transient
from triaged.log.store import Claimed


class Crossing:
    """`ports.Crossing` of one effect. commit: writes down that it begins; note: the lane's file."""

    def __init__(self, claimed: Claimed, *, commit: Callable[[], object], note: Path) -> None:
        self._claimed, self._commit, self._note = claimed, commit, note

    def begins(self) -> None:
        """Right before the point of no return. Raises: Transient when it cannot be written down: do not pass it."""
        try:
            self._commit()
        except Exception as error:
            raise Transient(f"the log cannot be written: {error}") from error

    def ends(self, words: str) -> None:
        """It has happened. Never raises."""
        with suppress(OSError):
            draft = self._note.with_suffix(".new")
            draft.write_text(json.dumps([*_name(self._claimed), words]), encoding="utf-8")
            draft.replace(self._note)


def noted(note: Path, claimed: Claimed) -> str | None:
    """The words with which this very try of the effect ended, None when no note tells."""
    with suppress(OSError, ValueError):
        found = json.loads(note.read_text(encoding="utf-8"))
        if isinstance(found, list) and found[:-1] == _name(claimed):
            return str(found[-1])
    return None


def _name(claimed: Claimed) -> list[object]:
    return [claimed.row, claimed.attempts]
