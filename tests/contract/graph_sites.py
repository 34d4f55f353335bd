"""Mailbox, mailer and calendar over the fake of Microsoft Graph for the shared suites, and the ways past them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import icalendar

from tests.servers.certificates import Authority
from tests.servers.graph import GraphFake, running_graph
from tests.servers.graphdates import DateStore
from triaged.backends.graph.calendar import GraphCalendar
from triaged.backends.graph.events import UID
from triaged.backends.graph.mailbox import GraphMailbox
from triaged.backends.graph.mailer import GraphMailer
from triaged.backends.ical import busy_of

DESK, LENA = "desk@example.test", "lena@firm.example"
WATCHED = "Clients"
RESPONSES = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "tentativelyAccepted"}
"""PARTSTAT → responseType."""


class GraphSite:
    """A mailbox with a watched folder of its own (`test_mailbox.Site`)."""

    ordered = True

    def __init__(self, fake: GraphFake, folder: str = WATCHED, *, max_message_bytes: int = 2_000) -> None:
        self.fake = fake
        self.mail = fake.mail[DESK]
        self.folder = folder
        self.mail.by_path(folder, made=True)
        self.mailbox = GraphMailbox("desk", folder, fake.settings(DESK), max_message_bytes=max_message_bytes)

    def deliver(self, octets: bytes, received: datetime) -> None:
        self.mail.deliver(self.folder, octets, received)

    def state(self) -> object:
        return {mail.id: (mail.version, mail.folder, tuple(mail.categories)) for mail in self.mail.mails.values()}

    def expunge_second(self) -> None:
        self.mail.expunge(self.mail.in_folder(self.folder)[1].id)

    def marks(self, octets: bytes) -> set[str] | None:
        [mail] = [mail for mail in self.mail.in_folder(self.folder) if mail.octets == octets]
        return set(mail.categories)

    def in_folder(self, folder: str) -> list[bytes]:
        return [mail.octets for mail in self.mail.in_folder(folder)]

    def lay(self, folder: str, octets: bytes, received: datetime) -> None:
        self.mail.deliver(folder, octets, received)

    def remove_folder(self) -> None:
        self.mail.remove_folder(self.folder)

    def settle(self) -> None:
        pass


@contextmanager
def graph_mailbox(authority: Authority, *, max_message_bytes: int) -> Iterator[GraphSite]:
    with running_graph(authority, DESK) as fake:
        yield GraphSite(fake, max_message_bytes=max_message_bytes)


@contextmanager
def graph_mailer(authority: Authority) -> Iterator[tuple[GraphMailer, list[bytes]]]:
    """A mailer and what it sent, growing."""
    with running_graph(authority, DESK) as fake:
        yield GraphMailer(fake.settings(DESK), looks_s=(0.0, 0.05)), fake.mail[DESK].sent


@contextmanager
def graph_calendar(authority: Authority, timezone: str) -> Iterator[tuple[GraphCalendar, DateStore]]:
    with running_graph(authority, LENA) as fake:
        calendar = GraphCalendar(fake.settings(LENA), timezone=timezone)
        yield calendar, fake.dates[LENA]
        calendar.close()


def put_ics(dates: DateStore, octets: bytes, timezone: str) -> None:
    """What another program wrote, as Exchange holds it: an event for each time, series expanded.

    Raises: Permanent for what Exchange would not take.
    """
    around = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    [calendar] = icalendar.Calendar.from_ical(octets, multiple=True)
    for entry in calendar.walk("VEVENT"):
        is_free = entry.get("TRANSP") == "TRANSPARENT" or entry.get("STATUS") == "CANCELLED"
        status = "free" if is_free else "tentative" if entry.get("STATUS") == "TENTATIVE" else "busy"
        uid = str(entry["UID"])
        entry["TRANSP"], entry["STATUS"] = "OPAQUE", "CONFIRMED"
    for slot in busy_of([("put", calendar.to_ical())], *around, timezone=timezone):
        dates.put(slot.start, slot.end, status, properties={UID: uid})


def told_of(dates: DateStore) -> list[tuple[str, str, str]]:
    """What the server told attendees so far: `invite`, `update` or `cancel`, whom, the subject."""
    return [(each.kind, each.address, each.subject) for each in dates.told]


def answer_by(dates: DateStore, address: str, partstat: str) -> None:
    """An attendee answers the invitation."""
    dates.answer(address, RESPONSES[partstat])
