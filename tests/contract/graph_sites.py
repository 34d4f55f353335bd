"""Mailbox, mailer and calendar over the fake of Microsoft Graph for the shared suites, and the ways past them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from tests.servers.certificates import Authority
from tests.servers.graph import GraphFake, running_graph
from triaged.backends.graph import GraphMailbox
from triaged.backends.graphcalendar import GraphCalendar
from triaged.backends.graphmailer import GraphMailer

DESK, LENA = "desk@example.test", "lena@firm.example"
WATCHED = "Clients"


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
def graph_calendar(authority: Authority, timezone: str) -> Iterator[GraphCalendar]:
    with running_graph(authority, LENA) as fake:
        calendar = GraphCalendar(fake.settings(LENA), timezone=timezone)
        yield calendar
        calendar.close()
