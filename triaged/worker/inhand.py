"""Mails about to be read in, a note on disk out: a mail that takes the whole service down with it is known afterwards.

The note is not synced: what a crash of ours leaves is what matters, and that the page cache keeps (a power cut is not
the mail's doing).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from triaged.model import Locator, Raw

MAX_DEATHS = 3
"""Times the service may die with a mail in hand before it is set aside unread; after the first it is read alone."""


class InHand:
    """One intake's note. deaths: how often the service died with a mail in hand, by the note it finds at its start."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._path = path
        self._deaths = _read(path)

    def deaths(self, locator: Locator) -> int:
        """How often the service died while it had this mail in hand; 0 for most."""
        return self._deaths.get(_name(locator), 0)

    def take(self, raws: Sequence[Raw]) -> None:
        """These are being read from now on."""
        held = {_name(raw.locator): self.deaths(raw.locator) + 1 for raw in raws}
        self._write({**self._deaths, **held})

    def put_down(self, raws: Sequence[Raw]) -> None:
        """These were read, or set aside: whatever kills the service now, it is not they."""
        for raw in raws:
            self._deaths.pop(_name(raw.locator), None)
        self._write(self._deaths)

    def _write(self, deaths: dict[str, int]) -> None:
        with suppress(OSError):  # a full disk: the commit that follows tells of it, and the old note stays
            draft = self._path.with_suffix(".new")
            draft.write_text(json.dumps(deaths), encoding="utf-8")
            draft.replace(self._path)


def _name(locator: Locator) -> str:
    return "\0".join((locator.mailbox, locator.folder, locator.key))


def _read(path: Path) -> dict[str, int]:
    """What the note says; nothing when there is none or the kill came while it was written."""
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {name: count for name, count in found.items() if isinstance(count, int)}
    return {}
