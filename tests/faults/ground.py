"""A folder in; what the trials stand on out: a nursery, Dovecot, submission servers, and sites behind proxies."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.crash.checks import Doubts, Expected, doubts, expected_of, is_idle, problems
from tests.crash.nursery import Nursery, running_nursery
from tests.crash.sites import COPIES, Kind, Site, on_dovecot, pattern_site
from tests.e2e.site import wait_for
from tests.faults.proxy import Fault, Proxy, running_proxy
from tests.servers.certificates import make_authority
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.smtp import SmtpServer, running_smtp_server

TIMEOUT_S = 2
"""Of the sites' servers, so that a silent line is given up soon."""
ENDS_S = 50.0
"""Seconds within which all is done after one fault: two timeouts and some waits with back-off, on a busy machine."""

_numbers = count()


@dataclass(frozen=True, slots=True)
class Ground:
    """plain_smtp: takes passwords without TLS, so that a proxy sees the steps. kinds: of site, with TLS and without."""

    folder: Path
    pattern: Path
    nursery: Nursery
    dovecot: Dovecot
    smtp: SmtpServer
    plain_smtp: SmtpServer
    kinds: dict[bool, Kind]


@contextmanager
def running_ground(folder: Path) -> Iterator[Ground]:
    """Everything that the trials share."""
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's: clients that vanish are what we are about
    pattern = folder / "pattern"
    pattern_site(pattern)
    authority = make_authority(folder / "tls")
    with (
        running_nursery(pattern / "config.toml", folder / "nursery.log") as nursery,
        running_dovecot(authority=authority) as dovecot,
        running_smtp_server(authority) as smtp,
        running_smtp_server(authority, offer_starttls=False, plain_login=True) as plain_smtp,
    ):
        kinds = {True: on_dovecot(pattern, smtp, dovecot), False: on_dovecot(pattern, plain_smtp, dovecot)}
        yield Ground(folder, pattern, nursery, dovecot, smtp, plain_smtp, kinds)


@dataclass(frozen=True, slots=True)
class Proxied:
    """A site whose mailbox and submission server are reached through proxies of its own."""

    site: Site
    imap: Proxy
    smtp: Proxy


@dataclass(frozen=True, slots=True)
class End:
    """How a trial ended. fired: whether the fault came to pass."""

    fired: bool
    doubts: Doubts
    problems: list[str]


def undisturbed(ground: Ground, proxied: Proxied) -> None:
    """Five mails, and one more while the mailbox is watched; until nothing is left to do."""
    with ground.nursery.staying(proxied.site.folder):
        wait_for(lambda: _located(proxied.site) == COPIES - 1, "five rows", timeout_s=ENDS_S)
        with ground.dovecot.client(proxied.site.folder.name) as client:
            client.append("INBOX", (ground.pattern / f"mail/inbox/new/{COPIES - 1}.mail").read_bytes())
        wait_for(lambda: _ended(proxied.site), "the end of all work", timeout_s=ENDS_S)


def passed_octets(ground: Ground, *, tls: bool) -> tuple[Proxied, Expected]:
    """A site that ran undisturbed, for the octets that went through its proxies."""
    with _proxied_site(ground, tls=tls) as proxied:
        undisturbed(ground, proxied)
        return proxied, expected_of(proxied.site)


def ending(
    ground: Ground,
    expected: Expected,
    *,
    tls: bool,
    imap: Fault | None = None,
    smtp: Fault | None = None,
    piece: int = 0,
    pause_s: float = 0,
) -> End:
    """A site of its own, with a fault on a line, until all is done; a site on which all is well is thrown away."""
    with _proxied_site(ground, tls=tls) as proxied:
        proxied.imap.fault, proxied.smtp.fault = imap, smtp
        for proxy in (proxied.imap, proxied.smtp):
            proxy.piece, proxy.pause_s = piece, pause_s
        found: list[str] = []
        try:
            undisturbed(ground, proxied)
        except AssertionError as error:
            found.append(str(error))
        fired = proxied.imap.fired.is_set() or proxied.smtp.fired.is_set()
        found.extend(problems(proxied.site, expected, doubtful=1))
        left = doubts(proxied.site)
        if len(found) == 0:
            shutil.rmtree(proxied.site.folder)
        return End(fired, left, found)


@contextmanager
def _proxied_site(ground: Ground, *, tls: bool) -> Iterator[Proxied]:
    name = f"s{next(_numbers)}"
    server = ground.smtp if tls else ground.plain_smtp
    site = ground.kinds[tls](ground.folder / name, name)
    with ground.dovecot.client(name) as client:
        client.select_folder("INBOX")
        client.delete_messages([max(client.search())])
        client.expunge()
    here = ground.dovecot.imaps_port if tls else ground.dovecot.imap_port
    config = (site.folder / "config.toml").read_text().replace("timeout_s = 10", f"timeout_s = {TIMEOUT_S}")
    open_line = "" if tls else '\nsecurity = "none"'
    with running_proxy(here) as imap, running_proxy(server.port) as smtp:
        for before, proxy in ((ground.dovecot.imaps_port, imap), (server.port, smtp)):
            assert config.count(f"port = {before}\n") == 1
            config = config.replace(f"port = {before}\n", f"port = {proxy.port}{open_line}\n")
        (site.folder / "config.toml").write_text(config)
        yield Proxied(site, imap, smtp)


def _located(site: Site) -> int:
    if not site.log.exists():
        return 0
    with closing(sqlite3.connect(site.log)) as log:
        if log.execute("SELECT count(*) FROM sqlite_master WHERE name = 'locator'").fetchone()[0] == 0:
            return 0
        return int(log.execute("SELECT count(*) FROM locator").fetchone()[0])


def _ended(site: Site) -> bool:
    return _located(site) >= COPIES and is_idle(site)
