"""A folder in; a running Radicale (CalDAV over plain HTTP on the loopback) with one calendar of one user out."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.servers.dovecot import free_ports

START_S = 20.0
STOP_S = 10.0

_CONFIG = """
[server]
hosts = 127.0.0.1:{port}
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
delay = 0
[storage]
filesystem_folder = {folder}/collections
[rights]
type = owner_only
[logging]
level = warning
"""

_clock = threading.Event()
"""Never set: a clock to wait on."""


@dataclass(frozen=True, slots=True)
class Radicale:
    """A running server. root: the user's home; calendars are made below it."""

    root: str
    user: str = "desk"
    password: str = "desk-password"

    def make_calendar(self, name: str) -> str:
        """The address of a new, empty calendar."""
        url = f"{self.root}{name}/"
        with _session(self) as session:
            session.request("MKCALENDAR", url, timeout=10).raise_for_status()
        return url

    def put(self, url: str, octets: bytes) -> None:
        """Write an object past the code under test."""
        with _session(self) as session:
            session.put(url, data=octets, headers={"Content-Type": "text/calendar"}, timeout=10).raise_for_status()


@contextmanager
def radicale(folder: Path) -> Iterator[Radicale]:
    (folder / "users").write_text("desk:desk-password\n")
    (port,) = free_ports(1)
    (folder / "config").write_text(_CONFIG.format(port=port, folder=folder))
    with (folder / "log").open("w") as said:
        server = subprocess.Popen(
            [sys.executable, "-m", "radicale", "--config", str(folder / "config")], stdout=said, stderr=said
        )
    try:
        running = Radicale(f"http://127.0.0.1:{port}/desk/")
        _await_answer(running, server, folder / "log")
        yield running
    finally:
        server.terminate()
        server.wait(STOP_S)


def _session(running: Radicale) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.auth = (running.user, running.password)
    return session


def _await_answer(running: Radicale, server: subprocess.Popen[bytes], log: Path) -> None:
    with _session(running) as session:
        for _ in range(int(START_S / 0.05)):
            if server.poll() is not None:
                break
            try:
                session.request("PROPFIND", running.root, headers={"Depth": "0"}, timeout=5)
            except requests.ConnectionError:
                _clock.wait(0.05)
            else:
                return
    raise RuntimeError(f"Radicale does not answer: {log.read_text()}")
