"""Keys handed out and committed in, the highest contiguously committed key out: what a cursor may say.

The cursor only saves listing what is logged already: it is written after the rows it covers, never before, and a
cursor that lags costs one query (`Reader.unlogged`), not a mail.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock


class Progress:
    """One folder's keys that are under way. The watcher hands out, the writer commits; both threads may call."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pending: dict[str, None] = {}
        self._early: set[str] = set()
        self._back: set[str] = set()
        self._reached: str | None = None

    def hand_out(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Those of `keys`, in order, that are not under way already; they are now.

        keys: every message of the folder that has no row; one that was taken back and is not among them is gone.
        """
        with self._lock:
            listed = tuple(keys)
            for key in self._back.difference(listed):
                del self._pending[key]
            new = tuple(key for key in listed if key not in self._pending or key in self._back)
            self._back.clear()
            self._pending.update(dict.fromkeys(new))
            return new

    def committed(self, key: str) -> None:
        """`key` has its row."""
        with self._lock:
            self._early.add(key)
            for first in list(self._pending):
                if first not in self._early:
                    break
                del self._pending[first]
                self._early.discard(first)
                self._reached = first

    def take_reached(self) -> str | None:
        """The key up to which all that were handed out have their rows; None if that is no news."""
        with self._lock:
            reached, self._reached = self._reached, None
            return reached

    def take_back(self, keys: Iterable[str]) -> None:
        """These came to nothing (connection lost, commit failed): they hold up the cursor and are handed out again."""
        with self._lock:
            self._back.update(key for key in keys if key in self._pending)
