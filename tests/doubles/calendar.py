"""A Calendar in memory, with the same reading of iCalendar as the real ones; and one that misbehaves on request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from triaged.backends.ical import busy_of, holds_uid
from triaged.errors import TriagedError
from triaged.model import Interval


@dataclass
class MemoryCalendar:
    """objects: name → octets, as a server would hold them. fails: raised by every call while it is set."""

    timezone: str = "Europe/Berlin"
    objects: dict[str, bytes] = field(default_factory=dict)
    fails: TriagedError | None = None

    def busy(self, start: datetime, end: datetime) -> tuple[Interval, ...]:
        self._fail()
        return busy_of(self.objects.items(), start, end, timezone=self.timezone)

    def add(self, uid: str, ics: bytes) -> bool:
        if self.find(uid) is not None:
            return False
        self.objects[uid] = ics
        return True

    def find(self, uid: str) -> bytes | None:
        self._fail()
        return next((octets for octets in self.objects.values() if holds_uid(octets, uid)), None)

    def close(self) -> None:
        pass

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails
