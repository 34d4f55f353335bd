"""The fake Gmail as a site of the mailbox suite: its INBOX, looked at past the code under test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from tests.servers.gmail import Gmail, running_gmail
from triaged.backends.imap.folders import MARKS
from triaged.backends.imap.mailbox import ImapMailbox

SENT, DRAFTS = "Sent Items", "Drafts"
"""As the suite calls them; Gmail's own names differ by the account's language."""


class GmailSite:
    ordered = True

    def __init__(self, account: Gmail, limit: int) -> None:
        self.account = account
        self.mailbox = ImapMailbox("desk", "INBOX", account.settings(), max_message_bytes=limit)

    def deliver(self, octets: bytes, received: datetime) -> None:
        self.account.deliver(octets, received, "INBOX")

    def state(self) -> object:
        with self.account.lock:
            return {each.number: (set(each.flags), self.account.labels(each)) for each in self.account.mails()}

    def expunge_second(self) -> None:
        with self.account.lock:
            inbox = self.account.folders["INBOX"]
            self.account.expunge(inbox, list(inbox.mails.values())[1])

    def in_folder(self, folder: str) -> list[bytes]:
        return [mail.octets for mail in self.account.folders[folder].mails.values()]

    def marks(self, octets: bytes) -> set[str] | None:
        [mail] = [each for each in self.account.mails() if each.octets == octets]
        return {name.removeprefix(f"{MARKS}/") for name in self.account.labels(mail) if name.startswith(MARKS)}

    def lay(self, folder: str, octets: bytes, received: datetime) -> None:
        self.account.deliver(octets, received, folder)

    def remove_folder(self) -> None:
        self.account.hidden.add("INBOX")

    def settle(self) -> None:
        pass


@contextmanager
def gmail_site(limit: int) -> Iterator[GmailSite]:
    with running_gmail(Gmail(sent=SENT, drafts=DRAFTS)) as account:
        yield GmailSite(account, limit)
