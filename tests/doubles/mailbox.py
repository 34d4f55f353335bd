"""A mailbox in memory: mails are delivered into it by hand, faults are set by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from triaged.backends.heads import is_draft_name, is_sent_name, none_or_several, surveyed
from triaged.errors import Gone, TriagedError
from triaged.model import Listed, Locator, Raw, Surveyed

RECEIVED = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@dataclass
class MemoryMailbox:
    """`ports.Mailbox`; keys are `VALIDITY/NUMBER`, as with IMAP. faults: raised one by one by the next calls."""

    name: str = "desk"
    folder: str = "INBOX"
    max_message_bytes: int = 1_000_000
    faults: list[TriagedError] = field(default_factory=list)
    validity: int = 1
    exists: bool = True
    folders: dict[str, list[tuple[datetime, bytes]]] = field(default_factory=dict)
    marks: dict[str, set[str]] = field(default_factory=dict)
    _messages: dict[int, tuple[datetime, bytes]] = field(default_factory=dict)
    _next: int = 1
    _changed: threading.Event = field(default_factory=threading.Event)

    def deliver(self, octets: bytes, *, received: datetime = RECEIVED) -> str:
        """Returns the new message's key; may be called from any thread."""
        number, self._next = self._next, self._next + 1
        self._messages[number] = (received.astimezone(UTC), octets)
        self._changed.set()
        return f"{self.validity}/{number}"

    def expunge(self, key: str) -> None:
        del self._messages[self._number(key)]

    def remake(self) -> None:
        """Delete the folder and make it anew: UIDVALIDITY changes, UIDs start again."""
        self.validity += 1
        self._messages.clear()
        self._next = 1

    def connect(self) -> None:
        self._fault()
        if not self.exists:
            raise Gone(f"{self.name}: there is no folder {self.folder}")

    def list_after(self, cursor: str | None) -> Iterator[Listed]:
        self._fault()
        self._changed.clear()
        above = self._number(cursor) if cursor is not None else 0
        for number in sorted(self._messages):
            if number > above:
                key = f"{self.validity}/{number}"
                yield Listed((key,), key)

    def mark(self, key: str, categories: Sequence[str]) -> None:
        self._fault()
        if self._number(key) not in self._messages:
            raise Gone(f"{self.name}: message {key} is no longer in {self.folder}")
        self.marks.setdefault(key, set()).update(categories)

    def fetch(self, keys: Sequence[str]) -> Iterator[Raw]:
        for key in keys:
            self._fault()
            found = self._messages.get(self._number(key))
            if found is not None:
                received, octets = found
                size_bytes = len(octets)
                if size_bytes > self.max_message_bytes:
                    octets = octets[: octets.find(b"\r\n\r\n") + 4][: self.max_message_bytes]
                yield Raw(Locator(self.name, self.folder, key), received, octets, size_bytes)

    def wait(self, timeout_s: float) -> None:
        self._changed.wait(timeout_s)
        self._changed.clear()

    def wake(self) -> None:
        self._changed.set()

    def file(self, key: str, folder: str) -> None:
        self._fault()
        found = self._messages.pop(self._number(key), None)
        if found is None:
            raise Gone(f"{self.name}: message {key} is no longer in {self.folder}")
        self.folders.setdefault(folder, []).append(found)

    def refile(self, message_id: str, source: str, target: str) -> None:
        """Into the watched folder it comes as a new message, as with IMAP."""
        found = self._the_one(message_id, source)
        moved = self._messages.pop(found) if source == self.folder else self.folders[source].pop(found)
        if target == self.folder:
            self.deliver(moved[1], received=moved[0])
        else:
            self.folders.setdefault(target, []).append(moved)

    def find(self, message_id: str, folder: str) -> Raw:
        found = self._the_one(message_id, folder)
        received, octets = self._messages[found] if folder == self.folder else self.folders[folder][found]
        return Raw(Locator(self.name, folder, f"1/{found + 1}"), received, octets, len(octets))

    def _the_one(self, message_id: str, source: str) -> int:
        """Its number in the watched folder, or its place in another."""
        self._fault()
        watched = {number: octets for number, (_, octets) in self._messages.items()}
        filed = dict(enumerate(octets for _, octets in self.folders.get(source, [])))
        there = watched if source == self.folder else filed
        found = [
            number
            for number, octets in there.items()
            if surveyed(octets, folder="", key="", date=RECEIVED, is_sent_folder=False).message_id == message_id
        ]
        if len(found) != 1:
            raise none_or_several(self.name, len(found), message_id, source)
        return found[0]

    def survey(self, since: datetime, *, sent_only: bool = False) -> Iterator[Surveyed]:
        self._fault()
        watched = {f"{self.validity}/{number}": found for number, found in self._messages.items()}
        filed = {name: {f"1/{n}": each for n, each in enumerate(mails, 1)} for name, mails in self.folders.items()}
        for name, mails in {self.folder: watched, **filed}.items():
            if is_draft_name(name) or (sent_only and not is_sent_name(name)):
                continue
            for key, (date, octets) in mails.items():
                if date >= since:
                    yield surveyed(octets, folder=name, key=key, date=date, is_sent_folder=is_sent_name(name))

    def close(self) -> None:
        pass

    def _number(self, key: str) -> int:
        """0, which no message has, for a key of another validity or no key at all."""
        validity, _, number = key.partition("/")
        return int(number) if validity == str(self.validity) and number.isdecimal() else 0

    def _fault(self) -> None:
        if self.faults:
            raise self.faults.pop(0)
