"""A folder in; a running Dovecot 2.3 with IMAP, LMTP and the users desk, ann and bob @example.test out."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imapclient import IMAPClient

from tests.servers.certificates import Authority, make_authority
from triaged.backends.imap.line import ImapSettings

NEEDS = "needs Dovecot: apt-get install dovecot-imapd dovecot-lmtpd"
USERS = ("desk", "ann", "bob")
START_S = 10.0
STOP_S = 10.0

_CONFIG = """
protocols = imap lmtp
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
instance_name = triaged
listen = 127.0.0.1
default_internal_user = {owner}
default_internal_group = {group}
default_login_user = {owner}
first_valid_uid = 1
ssl = yes
ssl_cert = <{chain}
ssl_key = <{key}
disable_plaintext_auth = yes
auth_mechanisms = plain login
auth_failure_delay = 0
auth_verbose = yes
mail_location = sdbox:~/mail
mail_max_userip_connections = 100
{more}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
  override_fields = uid={owner} gid={group} home={folder}/home/%n
}}
namespace {{
  inbox = yes
  separator = /
  mailbox "Sent Items" {{
    special_use = \\Sent
    auto = subscribe
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp_port}
  }}
}}
service anvil {{
  chroot =
  # No longer and longer pauses after wrong passwords.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener auth-userdb {{
    mode = 0600
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0600
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """A running server. Every user's password is the name and `-password`."""

    folder: Path
    imap_port: int
    imaps_port: int
    lmtp_port: int
    authority: Authority
    master: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Done twice: nothing."""
        self.master.terminate()
        self.master.wait(STOP_S)

    def settings(
        self, user: str = "desk", *, security: Literal["tls", "starttls"] = "tls", password: str | None = None
    ) -> ImapSettings:
        return ImapSettings(
            host="localhost",
            port=self.imaps_port if security == "tls" else self.imap_port,
            security=security,
            user=f"{user}@example.test",
            password=f"{user}-password" if password is None else password,
            ca_file=str(self.authority.ca_file),
            timeout_s=10,
        )

    def deliver(self, octets: bytes, to: str = "desk", *, sender: str = "") -> None:
        """Deliver by LMTP; the mail lies in the user's INBOX when this returns."""
        with smtplib.LMTP("127.0.0.1", self.lmtp_port) as lmtp:
            lmtp.sendmail(sender, f"{to}@example.test", octets)

    @contextmanager
    def client(self, user: str = "desk") -> Iterator[IMAPClient]:
        """A mail reader of our own, to look at the server past the code under test."""
        context = ssl.create_default_context(cafile=self.authority.ca_file)
        with IMAPClient("localhost", self.imaps_port, ssl_context=context, timeout=10) as client:
            client.normalise_times = False
            client.login(f"{user}@example.test", f"{user}-password")
            yield client

    def log(self) -> str:
        return (self.folder / "log").read_text()


def is_installed() -> bool:
    return shutil.which("dovecot", path=_path()) is not None


@contextmanager
def running_dovecot(*, more: str = "", authority: Authority | None = None) -> Iterator[Dovecot]:
    """`more`: further lines of configuration. As root the whole server runs as the package's user `dovecot`.

    The folder is a short one of our own: the path of a Unix socket may have 107 octets.
    """
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
    try:
        server = _configured(folder, more, authority or make_authority(folder / "tls"))
        try:
            for port in (server.imap_port, server.imaps_port, server.lmtp_port):
                _await_port(port, server)
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _configured(folder: Path, more: str, authority: Authority) -> Dovecot:
    chain = shutil.copy(authority.good.chain, folder / "chain.pem")  # the server reads them as another user
    key = shutil.copy(authority.good.key, folder / "key.pem")
    ports = free_ports(3)
    owner = "dovecot" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    account = pwd.getpwnam(owner)
    (folder / "users").write_text("".join(f"{user}@example.test:{{PLAIN}}{user}-password::::::\n" for user in USERS))
    (folder / "dovecot.conf").write_text(
        _CONFIG.format(
            folder=folder,
            owner=owner,
            group=grp.getgrgid(account.pw_gid).gr_name,
            chain=chain,
            key=key,
            more=more,
            imap_port=ports[0],
            imaps_port=ports[1],
            lmtp_port=ports[2],
        )
    )
    if os.getuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, account.pw_uid, account.pw_gid)
    return Dovecot(folder, ports[0], ports[1], ports[2], authority, _start(folder))


def _start(folder: Path) -> subprocess.Popen[bytes]:
    as_owner: list[str] = []
    if os.getuid() == 0:
        owner = pwd.getpwnam("dovecot")
        as_owner = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
    command = [*as_owner, "dovecot", "-F", "-c", str(folder / "dovecot.conf")]
    with (folder / "start").open("w") as said:
        return subprocess.Popen(command, stdout=said, stderr=said, env={"PATH": _path()})


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def free_ports(count: int) -> list[int]:
    """Ports that nobody used a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


_clock = threading.Event()
"""Never set: a clock to wait on."""


def _await_port(port: int, server: Dovecot) -> None:
    for _ in range(int(START_S / 0.02)):
        if server.master.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            _clock.wait(0.02)
        else:
            return
    raise RuntimeError(f"Dovecot does not listen on {port}: {(server.folder / 'start').read_text()}")
