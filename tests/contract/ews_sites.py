"""Our fake of Exchange in, the sites and cases by which the shared suites see it, past the code under test, out."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime

import icalendar

from tests.servers.certificates import Authority
from tests.servers.ews import EwsFake, running_fake
from tests.servers.ewsparts import Event, Item
from triaged.backends.ews.calendar import EwsCalendar
from triaged.backends.ews.line import EwsSettings
from triaged.backends.ews.mailbox import EwsMailbox
from triaged.backends.ews.mailer import EwsMailer
from triaged.backends.ical import busy_of

ANSWERS = {"ACCEPTED": "Accept", "DECLINED": "Decline", "TENTATIVE": "Tentative"}
"""PARTSTAT → ResponseType."""


def fresh_address() -> str:
    """A mailbox that no other test has: what it was told to wait for is kept by address."""
    return f"desk.{uuid.uuid4().hex[:12]}@firm.example"


def settings_of(fake: EwsFake, authority: Authority, **changes: object) -> EwsSettings:
    good = EwsSettings(
        fake.endpoint, fake.address, fake.user, fake.password, "basic", ca_file=str(authority.ca_file), timeout_s=10
    )
    return replace(good, **changes)  # type: ignore[arg-type]


class EwsSite:
    """A mailbox of the fake, as `test_mailbox.Site`."""

    ordered = True

    def __init__(self, fake: EwsFake, settings: EwsSettings, *, limit: int) -> None:
        self.fake = fake
        self.folder = f"test {uuid.uuid4().hex}"
        self._watched = fake.path(self.folder, make=True)
        self.mailbox = EwsMailbox("desk", self.folder, settings, max_message_bytes=limit)

    def deliver(self, octets: bytes, received: datetime) -> None:
        self.fake.put(self._watched, octets, received)

    def state(self) -> object:
        return {item.key: (item.change_key, tuple(item.categories), item.folder) for item in self.fake.items.values()}

    def expunge_second(self) -> None:
        self.fake.delete(self.fake.in_folder(self._watched)[1])

    def in_folder(self, folder: str) -> list[bytes]:
        return [item.mime for item in self.fake.in_folder(self.fake.path(folder))]

    def marks(self, octets: bytes) -> set[str] | None:
        [item] = [item for item in self.fake.in_folder(self._watched) if item.mime == octets]
        return set(item.categories)

    def lay(self, folder: str, octets: bytes, received: datetime) -> None:
        self.fake.put(self.fake.path(folder, make=True), octets, received, came=folder != "Sent Items")

    def remove_folder(self) -> None:
        self.fake.remove(self._watched)

    def settle(self) -> None:
        pass


def put_ics(fake: EwsFake, octets: bytes, zone: str) -> None:
    """What another program wrote, as Exchange would have it: an item for each time, series expanded."""
    around = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    [calendar] = icalendar.Calendar.from_ical(octets, multiple=True)
    for entry in calendar.walk("VEVENT"):
        entry["TRANSP"], entry["STATUS"] = "OPAQUE", "CONFIRMED"
    for slot in busy_of([("put", calendar.to_ical())], *around, timezone=zone):
        text = octets.decode()
        is_free = "TRANSP:TRANSPARENT" in text or "STATUS:CANCELLED" in text
        status = "Free" if is_free else "Tentative" if "STATUS:TENTATIVE" in text else "Busy"
        uid = str(next(iter(calendar.walk("VEVENT"))).get("UID"))
        fake.put_event(Event(uid, "x", slot.start, slot.end, status=status))


def calendar_items(fake: EwsFake) -> list[Item]:
    return fake.in_folder(fake.known("calendar"))


__all__ = [
    "ANSWERS",
    "EwsCalendar",
    "EwsMailer",
    "EwsSite",
    "calendar_items",
    "fresh_address",
    "put_ics",
    "running_fake",
    "settings_of",
]
