"""A Calendar in memory, with the same reading of iCalendar as the real ones; and one that misbehaves on request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from triaged.backends.ical import busy_of, holds_uid
from triaged.errors import Gone, TriagedError
from triaged.model import Address, Interval


@dataclass
class MemoryCalendar:
    """objects: name → octets, as a server would hold them. fails: raised by every call while it is set."""

    timezone: str = "Europe/Berlin"
    objects: dict[str, bytes] = field(default_factory=dict)
    fails: TriagedError | None = None
    invites: bool = False
    invited: dict[str, list[str]] = field(default_factory=dict)

    def busy(self, start: datetime, end: datetime) -> tuple[Interval, ...]:
        self._fail()
        return busy_of(self.objects.items(), start, end, timezone=self.timezone)

    def add(self, uid: str, ics: bytes) -> bool:
        if self.find(uid) is not None:
            return False
        self.objects[uid] = ics
        return True

    def invite(self, uid: str, attendee: Address) -> None:
        if uid not in self.objects:
            raise Gone(uid)
        if attendee.addr_spec not in self.invited.setdefault(uid, []):
            self.invited[uid].append(attendee.addr_spec)

    def replace(self, uid: str, ics: bytes) -> bool:
        name = self._name(uid)
        if name is not None:
            self.objects[name] = ics
        return name is not None

    def remove(self, uid: str) -> bool:
        name = self._name(uid)
        if name is not None:
            del self.objects[name]
        return name is not None

    def _name(self, uid: str) -> str | None:
        self._fail()
        return next((name for name, octets in self.objects.items() if holds_uid(octets, uid)), None)

    def find(self, uid: str) -> bytes | None:
        self._fail()
        return next((octets for octets in self.objects.values() if holds_uid(octets, uid)), None)

    def close(self) -> None:
        pass

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails
