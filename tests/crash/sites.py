"""A folder in, a small site with six mails laid out in it, and what lies outside it afterwards, out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from imapclient import IMAPClient

from tests.servers.dovecot import Dovecot
from tests.servers.smtp import SmtpServer
from triaged import shipped
from triaged.log.mailboxes import enable
from triaged.log.people import put_accounts
from triaged.log.store import Log
from triaged.model import Account, Contract

FILED = "Triaged"
USERS = 5000
"""Dovecot users that may be had, one a site; a user costs nothing until he logs in."""

_RULES = """
[[rule]]
name = "They may leave"
because = "A call keeps an account"
when.says = "cancel our contract"
then.acknowledge = "complaint"
then.escalate = "account manager"
then.call = { with = "account manager", within = "1 business day", minutes = 30 }
then.suggests = { complaint = 0.9 }

[[rule]]
name = "Renewal"
because = "The account manager talks about it"
when.says = "renew our contract"
then.acknowledge = "renewal"
then.call = { with = "account manager", within = "1 business day", minutes = 30, way = "offer" }

[[rule]]
name = "Everything else of clients"
because = "They know that it has arrived"
when.account = "*"
then.acknowledge = "received"
"""

_CONFIG = """
[firm]
name = "Harbour Works"
team = "Harbour Desk"
language = "en"
domains = ["harbour.example"]
authserv_ids = ["mx.harbour.example"]

[service]
state_dir = "state"
rules_dir = "rules"
templates_dir = "templates"

[triage]
processes = 1
batch = 2

[acknowledge]
send = "auto"

[hours]
timezone = "Europe/Berlin"
mon-sun = "00:30-23:30"

[[mailbox]]
name = "desk"
address = "desk@harbour.example"
file_into = "{filed}"
{mailbox}

[outgoing]
message_id_domain = "{domain}"
{outgoing}

[[person]]
id = "lena"
name = "Lena Brandt"
email = "lena.brandt@harbour.example"
calendar = {{ kind = "vdir", path = "calendars/lena" }}
"""

_MAILDIR_IN = 'kind = "maildir"\npath = "mail/inbox"'
_MAILDIR_OUT = 'kind = "maildir"\npath = "mail/outgoing"'
_IMAP_IN = """kind = "imap"
host = "localhost"
port = {port}
user = "{user}@example.test"
password_file = "secret-imap"
ca_file = "{ca_file}"
timeout_s = 10"""
_SMTP_OUT = """kind = "smtp"
host = "localhost"
port = {port}
user = "desk@example.test"
password_file = "secret-smtp"
ca_file = "{ca_file}"
timeout_s = 10
keep_sent_in = "{keep_sent_in}\""""

ACCOUNTS = (
    Account("C-1", "Quay Lighting", ("quay.example",), manager="lena", tier="gold", timezone="Europe/Berlin"),
    Account("C-2", "Oak Bakery", ("oak.example",), manager="lena", contracts=(Contract("N-2", None),), language="en"),
)

_MAILS = (
    ("ada@quay.example", "Enough", "Nobody called us back for a week. We will cancel our contract.", ""),
    ("ben@oak.example", "New oven", "Could you please send us the price list for the new ovens?", ""),
    ("eve@oak.example", "Next year", "We would like to renew our contract for another year. What do you offer?", ""),
    ("ann@quay.example", "Out of office", "I am away until Monday.", "Auto-Submitted: auto-replied\r\n"),
    ("ben@oak.example", "Lamp", "The lamp over the counter flickers.", ""),
    ("ben@oak.example", "New oven", "Could you please send us the price list for the new ovens?", ""),
)
"""sender, subject, words, further header fields; the last is the second over again, octet for octet."""
DISTINCT = len(set(_MAILS))
COPIES = len(_MAILS)


def mails(now: datetime) -> list[bytes]:
    """The mails as they lie in the mailbox, in this order, written some minutes before `now`."""
    written = []
    for sender, subject, words, more in _MAILS:
        number = _MAILS.index((sender, subject, words, more))
        date = format_datetime(now - timedelta(minutes=30 - number))
        results = f"Authentication-Results: mx.harbour.example; dmarc=pass header.from={sender.partition('@')[2]}\r\n"
        head = f"{results}From: <{sender}>\r\nTo: <desk@harbour.example>\r\nSubject: {subject}\r\nDate: {date}\r\n"
        written.append(
            f"{head}Message-ID: <{number}@client.example>\r\n{more}\r\nGood day,\r\n\r\n{words}\r\n".encode()
        )
    return written


@dataclass(frozen=True, slots=True)
class Site:
    """A site and what can be seen of the world around it.

    sent: every mail that left, whole. inbox, filed: Message-IDs of what lies there, copies counted.
    """

    folder: Path
    sent: Callable[[], list[bytes]]
    inbox: Callable[[], list[str]]
    filed: Callable[[], list[str]]

    @property
    def log(self) -> Path:
        return self.folder / "state/triaged.db"

    def events(self) -> list[bytes]:
        """Every event in the calendar."""
        return [path.read_bytes() for path in (self.folder / "calendars/lena").glob("*.ics")]


Kind = Callable[[Path, str], Site]
"""Lays out a site in a folder that does not exist yet; the name is one of its own."""


def pattern_site(folder: Path) -> Path:
    """What every site begins as a copy of; returns its configuration."""
    (folder / "rules").mkdir(parents=True)
    (folder / "rules/all.toml").write_text(_RULES)
    _configure(folder, _MAILDIR_IN, _MAILDIR_OUT, "pattern.example")
    shipped.lay_out(folder)
    (folder / "calendars/lena").mkdir(parents=True)
    for part in ("cur", "new", "tmp"):
        (folder / "mail/inbox" / part).mkdir(parents=True)
    for number, octets in enumerate(mails(datetime.now(UTC))):
        (folder / f"mail/inbox/new/{number}.mail").write_bytes(octets)
    (folder / "secret-smtp").write_text("desk-password\n")
    log = Log(folder / "state/triaged.db")
    with log.transaction():
        put_accounts(log, ACCOUNTS)
        enable(log, "desk", cut_off=datetime.fromtimestamp(0, UTC), who="test", now=datetime.now(UTC))
    log.close()
    return folder / "config.toml"


def _configure(folder: Path, mailbox: str, outgoing: str, domain: str) -> None:
    text = _CONFIG.format(filed=FILED, mailbox=mailbox, outgoing=outgoing, domain=domain)
    (folder / "config.toml").write_text(text)


def all_maildir(pattern: Path) -> Kind:
    """Mailbox and outgoing mail are Maildirs: nothing may ever be left in doubt."""

    def lay_out(folder: Path, name: str) -> Site:
        shutil.copytree(pattern, folder)
        _configure(folder, _MAILDIR_IN, _MAILDIR_OUT, f"{name}.example")
        return _on_maildir(folder, lambda: _in_maildir(folder / "mail/outgoing"))

    return lay_out


def over_smtp(pattern: Path, server: SmtpServer) -> Kind:
    """Mails leave by SMTP and no copy is kept: what was under way when it was killed cannot be known."""

    def lay_out(folder: Path, name: str) -> Site:
        shutil.copytree(pattern, folder)
        _configure(folder, _MAILDIR_IN, _smtp(server, keep_sent_in=""), f"{name}.example")
        return _on_maildir(folder, lambda: _taken(server, name))

    return lay_out


def on_dovecot(pattern: Path, server: SmtpServer, dovecot: Dovecot) -> Kind:
    """The mailbox is on a real IMAP server, mails leave by SMTP, and a copy of each lies in the Sent folder."""
    users = dovecot.folder / "users"
    with users.open("a") as file:
        file.writelines(f"s{n}@example.test:{{PLAIN}}s{n}-password::::::\n" for n in range(USERS))

    def lay_out(folder: Path, name: str) -> Site:
        shutil.copytree(pattern, folder)
        mailbox = _IMAP_IN.format(port=dovecot.imaps_port, user=name, ca_file=dovecot.authority.ca_file)
        _configure(folder, mailbox, _smtp(server, keep_sent_in="desk"), f"{name}.example")
        (folder / "secret-imap").write_text(f"{name}-password\n")
        with dovecot.client(name) as client:
            for path in sorted((pattern / "mail/inbox/new").iterdir()):
                client.append("INBOX", path.read_bytes())
        return Site(
            folder,
            lambda: _taken(server, name),
            lambda: _in_imap(dovecot.client(name), "INBOX"),
            lambda: _in_imap(dovecot.client(name), FILED),
        )

    return lay_out


def _smtp(server: SmtpServer, *, keep_sent_in: str) -> str:
    return _SMTP_OUT.format(port=server.port, ca_file=server.authority.ca_file, keep_sent_in=keep_sent_in)


def _on_maildir(folder: Path, sent: Callable[[], list[bytes]]) -> Site:
    inbox = folder / "mail/inbox"
    return Site(folder, sent, lambda: _ids(_in_maildir(inbox)), lambda: _ids(_in_maildir(inbox / f".{FILED}")))


def _in_maildir(folder: Path) -> list[bytes]:
    return [path.read_bytes() for part in ("new", "cur") for path in folder.glob(f"{part}/*")]


def _in_imap(login: AbstractContextManager[IMAPClient], folder: str) -> list[str]:
    with login as client:
        if not client.folder_exists(folder):
            return []
        client.select_folder(folder, readonly=True)
        found = client.fetch(client.search(), ["BODY.PEEK[]"])
        return _ids([each[b"BODY[]"] for each in found.values()])


def _taken(server: SmtpServer, name: str) -> list[bytes]:
    """What the server took for this site: its Message-IDs end in the site's own name."""
    return [mail.octets for mail in list(server.mails) if message_id(mail.octets).endswith(f"@{name}.example>")]


def _ids(mails: list[bytes]) -> list[str]:
    return sorted(message_id(octets) for octets in mails)


def message_id(octets: bytes) -> str:
    """The Message-ID field of a mail, with brackets."""
    head = octets.partition(b"\r\n\r\n")[0]
    fields = [line for line in head.split(b"\r\n") if line.lower().startswith(b"message-id:")]
    assert len(fields) == 1, head
    return fields[0].partition(b":")[2].strip().decode()
