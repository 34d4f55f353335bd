"""A Calendar in memory, with the same reading of iCalendar as the real ones; and one that misbehaves on request."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from triaged.backends.ical import busy_of, holds_uid, unfold
from triaged.errors import Gone, TriagedError
from triaged.model import Address, Interval


@dataclass
class MemoryCalendar:
    """objects: name → octets, as a server would hold them. fails: raised by every call while it is set.

    invites: it invites by itself, as Exchange does. answers: by UID and address, PARTSTAT of who was invited. told:
    what it told them: `invite`, `update` or `cancel`, whom, the subject.
    """

    timezone: str = "Europe/Berlin"
    objects: dict[str, bytes] = field(default_factory=dict)
    fails: TriagedError | None = None
    invites: bool = False
    answers: dict[str, dict[str, str]] = field(default_factory=dict)
    told: list[tuple[str, str, str]] = field(default_factory=list)

    def busy(self, start: datetime, end: datetime, *, besides: Collection[str] = ()) -> tuple[Interval, ...]:
        self._fail()
        return busy_of(self.objects.items(), start, end, timezone=self.timezone, besides=besides)

    def add(self, uid: str, ics: bytes) -> bool:
        if self.find(uid) is not None:
            return False
        self.objects[uid] = _without_attendees(ics) if self.invites else ics
        return True

    def invite(self, uid: str, attendee: Address) -> None:
        if self._name(uid) is None:
            raise Gone(uid)
        if attendee.addr_spec not in self.answers.setdefault(uid, {}):
            self.answers[uid][attendee.addr_spec] = "NEEDS-ACTION"
            self.told.append(("invite", attendee.addr_spec, self._subject(uid)))

    def replace(self, uid: str, ics: bytes) -> bool:
        name = self._name(uid)
        if name is None:
            return False
        new = _without_attendees(ics) if self.invites else ics
        if new != self.objects[name]:
            self.objects[name] = new
            self._tell("update", uid)
        return True

    def remove(self, uid: str) -> bool:
        name = self._name(uid)
        if name is not None:
            self._tell("cancel", uid)
            del self.objects[name]
        return name is not None

    def find(self, uid: str) -> bytes | None:
        name = self._name(uid)
        if name is None:
            return None
        lines = "".join(
            f"ATTENDEE;PARTSTAT={answer}:mailto:{address}\r\n" for address, answer in self.answers.get(uid, {}).items()
        )
        return self.objects[name].replace(b"END:VEVENT", lines.encode() + b"END:VEVENT")

    def close(self) -> None:
        pass

    def _name(self, uid: str) -> str | None:
        self._fail()
        return next((name for name, octets in self.objects.items() if holds_uid(octets, uid)), None)

    def _tell(self, what: str, uid: str) -> None:
        self.told += [(what, address, self._subject(uid)) for address in self.answers.get(uid, {})]

    def _subject(self, uid: str) -> str:
        name = self._name(uid)
        assert name is not None
        found = re.search(rb"^SUMMARY:(.*?)\r?$", unfold(self.objects[name]), re.MULTILINE)
        return found[1].decode() if found is not None else ""

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails


def _without_attendees(ics: bytes) -> bytes:
    return re.sub(rb"^ATTENDEE.*\r\n", b"", unfold(ics), flags=re.MULTILINE)
