"""Pages of keys handed out and commits in, the cursor that all commits together allow out.

The cursor only saves listing what is logged already: it is written after the rows it covers, never before, and a
cursor that lags costs one query (`Reader.unlogged`), not a mail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from threading import Lock

from triaged.model import Listed


class Progress:
    """One folder's keys that are under way. The watcher hands out, the writer commits; both threads may call."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pending: dict[str, None] = {}
        self._cursors: dict[str, str] = {}
        """By the last key that must have its row before it may be written down."""
        self._early: set[str] = set()
        self._back: set[str] = set()
        self._reached: str | None = None
        self._told: str | None = None

    def hand_out(self, pages: Sequence[Listed], unlogged: Collection[str]) -> tuple[str, ...]:
        """Those keys without a row, in order, that are not under way already; they are now.

        pages: all that the folder lists beyond the cursor that was written last; unlogged: those of their keys that
        have no row. A key that was taken back and is not among them is gone.
        """
        with self._lock:
            wanted = set(unlogged)
            for key in self._back - wanted:
                self._forget(key)
            new: dict[str, None] = {}
            for page in pages:
                for key in page.keys:
                    if key in wanted and (key not in self._pending or key in self._back):
                        new[key] = self._pending[key] = None
                if len(self._pending) > 0:
                    self._cursors[next(reversed(self._pending))] = page.cursor
                else:
                    self._reached = page.cursor
            self._back.clear()
            return tuple(new)

    def committed(self, key: str) -> None:
        """`key` has its row."""
        with self._lock:
            self._early.add(key)
            for first in list(self._pending):
                if first not in self._early:
                    break
                self._early.discard(first)
                self._forget(first)

    def take_reached(self) -> str | None:
        """The cursor of the last page whose keys, and all handed out before, have their rows; None if no news."""
        with self._lock:
            reached, self._reached = self._reached, None
            if reached == self._told:
                return None
            self._told = reached or self._told
            return reached

    def take_back(self, keys: Iterable[str]) -> None:
        """These came to nothing (connection lost, commit failed): they hold up the cursor and are handed out again."""
        with self._lock:
            self._back.update(key for key in keys if key in self._pending)

    def _forget(self, key: str) -> None:
        """No longer under way; the cursor that waited for it waits for those before it, if there are any."""
        before = None
        for each in self._pending:
            if each == key:
                break
            before = each
        del self._pending[key]
        if (cursor := self._cursors.pop(key, None)) is None:
            return
        if before is None:
            self._reached = cursor
        else:
            self._cursors[before] = cursor
