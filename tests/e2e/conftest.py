"""Servers of these tests: a calendar server, and mail servers with empty mailboxes before each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.radicale import Radicale
from tests.servers.radicale import radicale as running_radicale
from tests.servers.smtp import SmtpServer


@dataclass(frozen=True, slots=True)
class MailServers:
    """IMAP, and a submission server that delivers into it. Users are desk, ann and bob, their folders empty."""

    imap: Dovecot
    smtp: SmtpServer

    def mailbox(self, name: str = "desk", *, port: int = 0, folder: str = "INBOX", more: str = "") -> str:
        """A `[[mailbox]]` of config.toml. port: another way to the server; more: further lines."""
        return (
            f'[[mailbox]]\nname = "{name}"\nkind = "imap"\naddress = "{name}@example.test"\nhost = "localhost"\n'
            f'port = {port or self.imap.imaps_port}\nuser = "{name}@example.test"\npassword_file = "secrets/{name}"\n'
            f'ca_file = "{self.imap.authority.ca_file}"\nfolder = "{folder}"\npoll_s = 60\ntimeout_s = 10\n{more}\n'
        )

    def outgoing(self, *, more: str = "") -> str:
        """An `[outgoing]` of config.toml."""
        return (
            f'[outgoing]\nkind = "smtp"\nhost = "localhost"\nport = {self.smtp.port}\nuser = "desk@example.test"\n'
            f'password_file = "secrets/desk"\nca_file = "{self.smtp.authority.ca_file}"\ntimeout_s = 10\n'
            f'message_id_domain = "desk.example"\n{more}\n'
        )


@pytest.fixture
def servers(dovecot: Dovecot, smtp_server: SmtpServer) -> MailServers:
    for user in ("desk", "ann", "bob"):
        with dovecot.client(user) as client:
            for marks, _, folder in client.list_folders():
                if b"\\NoSelect" in marks or b"\\Noselect" in marks:
                    continue
                client.select_folder(folder)
                if len(uids := client.search()) > 0:
                    client.delete_messages(uids)
                    client.expunge()
    smtp_server.lmtp_port = dovecot.lmtp_port
    return MailServers(dovecot, smtp_server)


@pytest.fixture(scope="session")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    """A CalDAV server; it comes with the packages of the tests."""
    with running_radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture(scope="session")
def shared_mail() -> list[Path]:
    """The mails that lie beside the checkout."""
    folder = Path(__file__).parents[3] / "shared/mail"
    if not folder.exists():
        pytest.skip("needs ../shared/mail")
    return sorted(folder.rglob("*.eml"))
