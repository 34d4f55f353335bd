"""A certificate in; a running Cyrus IMAP 3 with IMAP, CalDAV (which schedules by itself) and the user desk out.

Debian's packages of it and of Dovecot exclude each other, so it is absent where Dovecot's tests run: start the two
suites on a machine that has it, as root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imapclient import IMAPClient

from tests.servers.certificates import Authority
from tests.servers.dav import DavServer
from tests.servers.dovecot import free_ports
from triaged.backends.imap.line import ImapSettings

NEEDS = "needs Cyrus, and root: apt-get install cyrus-imapd cyrus-caldav sasl2-bin (in the place of Dovecot)"
START_S = 20.0
STOP_S = 10.0
BINARIES = "/usr/lib/cyrus/bin"

_IMAPD = """
configdirectory: {folder}/conf
partition-default: {folder}/spool
defaultpartition: default
proc_path: {folder}/proc
mboxname_lockpath: {folder}/lock
sievedir: {folder}/sieve
admins: cyrus
servername: localhost
altnamespace: yes
unixhierarchysep: yes
virtdomains: userid
defaultdomain: example.test
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {folder}/sasldb2
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
tls_server_cert: {folder}/chain.pem
tls_server_key: {folder}/key.pem
httpmodules: caldav
caldav_allowscheduling: on
calendar_user_address_set: firm.example example.test
caldav_create_default: yes
autocreate_quota: 0
autocreate_post: yes
autocreate_inbox_folders: Drafts|Sent Items
xlist-sent: Sent Items
xlist-drafts: Drafts
imapidresponse: no
sendmail: {folder}/sendmail
"""
_MASTER = """
START {{
  recover cmd="{binaries}/ctl_cyrusdb -C {folder}/imapd.conf -r"
}}
SERVICES {{
  imaps cmd="{binaries}/imapd -C {folder}/imapd.conf -s" listen="127.0.0.1:{imaps}" prefork=1
  http cmd="{binaries}/httpd -C {folder}/imapd.conf" listen="127.0.0.1:{http}" prefork=1
}}
EVENTS {{
}}
DAEMON {{
  idled cmd="{binaries}/idled -C {folder}/imapd.conf"
}}
"""
_SENDMAIL = """#!/bin/sh
cat >> {folder}/sent-by-cyrus
"""

_clock = threading.Event()
"""Never set: a clock to wait on."""


@dataclass(frozen=True, slots=True)
class Cyrus:
    """A running server. dav: its calendars of desk@example.test, at whom its mails arrive too."""

    folder: Path
    imaps_port: int
    dav: DavServer
    authority: Authority

    def settings(self) -> ImapSettings:
        return ImapSettings(
            host="localhost",
            port=self.imaps_port,
            security="tls",
            user="desk@example.test",
            password="desk-password",
            ca_file=str(self.authority.ca_file),
            timeout_s=10,
        )

    @contextmanager
    def client(self) -> Iterator[IMAPClient]:
        """A mail reader of our own, to look at the server past the code under test."""
        context = ssl.create_default_context(cafile=self.authority.ca_file)
        with IMAPClient("localhost", self.imaps_port, ssl_context=context, timeout=10) as client:
            client.normalise_times = False
            client.login("desk@example.test", "desk-password")
            yield client

    def scheduled(self) -> str:
        """What the server itself mailed to attendees; `""` for nothing."""
        path = self.folder / "sent-by-cyrus"
        return path.read_text() if path.exists() else ""


def is_installed() -> bool:
    return os.getuid() == 0 and Path(BINARIES, "httpd").exists() and shutil.which("cyrmaster") is not None


@contextmanager
def running_cyrus(authority: Authority) -> Iterator[Cyrus]:
    folder = Path(tempfile.mkdtemp(prefix="cyrus-"))
    try:
        imaps, http = free_ports(2)
        _configure(folder, authority, imaps=imaps, http=http)
        files = ("-C", "imapd.conf", "-M", "cyrus.conf", "-p", "master.pid", "-L", "master.log")
        paths = [each if each.startswith("-") else str(folder / each) for each in files]
        with (folder / "said").open("w") as said:
            master = subprocess.Popen(["cyrmaster", *paths], stdout=said, stderr=said)
        try:
            for port in (imaps, http):
                _await_port(port, master, folder)
            home = f"http://127.0.0.1:{http}/dav/calendars/user/desk@example.test/"
            running = Cyrus(folder, imaps, DavServer(home, "desk@example.test"), authority)
            with running.client():  # the first login makes the user's folders; calendars lie under them
                pass
            yield running
        finally:
            master.terminate()
            master.wait(STOP_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _configure(folder: Path, authority: Authority, *, imaps: int, http: int) -> None:
    for part in ("conf/socket", "conf/log", "conf/msg", "conf/db", "conf/user", "conf/quota"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for part in ("spool", "proc", "lock", "sieve"):
        (folder / part).mkdir()
    shutil.copy(authority.good.chain, folder / "chain.pem")
    shutil.copy(authority.good.key, folder / "key.pem")
    (folder / "imapd.conf").write_text(_IMAPD.format(folder=folder))
    (folder / "cyrus.conf").write_text(_MASTER.format(folder=folder, binaries=BINARIES, imaps=imaps, http=http))
    (folder / "sendmail").write_text(_SENDMAIL.format(folder=folder))
    (folder / "sendmail").chmod(0o755)
    for realm in ("example.test", "localhost"):  # users of the default domain are looked up in the server's own name
        command = ["saslpasswd2", "-p", "-c", "-f", str(folder / "sasldb2"), "-u", realm, "desk"]
        subprocess.run(command, input=b"desk-password", check=True, capture_output=True)
    account = pwd.getpwnam("cyrus")
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, account.pw_uid, account.pw_gid)


def _await_port(port: int, master: subprocess.Popen[bytes], folder: Path) -> None:
    for _ in range(int(START_S / 0.02)):
        if master.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            _clock.wait(0.02)
        else:
            return
    raise RuntimeError(f"Cyrus does not listen on {port}: {(folder / 'said').read_text()}")
