"""Servers and a browser that tests share: started once a session, skipped by name where there are none (not in CI)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, sync_playwright

from tests.servers import cyrus as cyrus_server
from tests.servers import dovecot as dovecot_server
from tests.servers.certificates import Authority, make_authority
from tests.servers.cyrus import Cyrus, running_cyrus
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.smtp import SmtpServer, running_smtp_server

CHROMIUM = "Chromium is not installed (Debian: chromium)"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the servers' certificates."""
    return make_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def dovecot(authority: Authority) -> Iterator[Dovecot]:
    """A real IMAP and LMTP server."""
    if not dovecot_server.is_installed():
        if os.environ.get("CI") == "true":
            pytest.fail(dovecot_server.NEEDS)
        pytest.skip(dovecot_server.NEEDS)
    with running_dovecot(authority=authority) as server:
        yield server


@pytest.fixture(scope="session")
def cyrus(authority: Authority) -> Iterator[Cyrus]:
    """A second real IMAP and CalDAV server; absent in CI too, for its packages exclude Dovecot's."""
    if not cyrus_server.is_installed():
        pytest.skip(cyrus_server.NEEDS)
    with running_cyrus(authority) as server:
        yield server


@pytest.fixture(scope="session")
def _shared_smtp_server(authority: Authority) -> Iterator[SmtpServer]:
    with running_smtp_server(authority) as server:
        yield server


@pytest.fixture
def smtp_server(_shared_smtp_server: SmtpServer) -> SmtpServer:
    """A submission server without faults and without mails."""
    _shared_smtp_server.reset()
    return _shared_smtp_server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """Headless Chromium."""
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail(CHROMIUM)
        pytest.skip(CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Chromium) -> Iterator[Page]:
    """A page without history or cookies."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    yield context.new_page()
    context.close()
