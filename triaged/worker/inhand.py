"""Mails about to be read in, a note on disk out: a mail that took the whole service down is known afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from triaged.model import Locator, Raw
from triaged.worker import note

MAX_DEATHS = 3
"""Times the service may die with a mail in hand before it is set aside unread; after the first it is read alone."""


class InHand:
    """One intake's note. deaths: how often the service died with a mail in hand, by the note it finds at its start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._deaths = _read(path)

    def deaths(self, locator: Locator) -> int:
        """How often the service died while it had this mail in hand; 0 for most."""
        return self._deaths.get(_name(locator), 0)

    def take(self, raws: Sequence[Raw]) -> None:
        """These are being read from now on."""
        held = {_name(raw.locator): self.deaths(raw.locator) + 1 for raw in raws}
        note.put(self._path, {**self._deaths, **held})

    def put_down(self, raws: Sequence[Raw]) -> None:
        """These were read, or set aside: whatever kills the service now, it is not they."""
        for raw in raws:
            self._deaths.pop(_name(raw.locator), None)
        note.put(self._path, self._deaths)


def _name(locator: Locator) -> str:
    return "\0".join((locator.mailbox, locator.folder, locator.key))


def _read(path: Path) -> dict[str, int]:
    """What the note says; nothing when it cannot be understood."""
    found = note.get(path)
    if not isinstance(found, dict):
        return {}
    return {name: count for name, count in found.items() if isinstance(count, int)}
