"""A running CalDAV server in (plain HTTP on the loopback); new calendars, and objects written past our code, out."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import requests

START_S = 30.0
STOP_S = 10.0

_clock = threading.Event()
"""Never set: a clock to wait on."""


@dataclass(frozen=True, slots=True)
class DavServer:
    """A running server. root: the user's home; calendars are made below it."""

    root: str
    user: str = "desk"
    password: str = "desk-password"

    def make_calendar(self, name: str) -> str:
        """The address of a new, empty calendar."""
        url = f"{self.root}{name}/"
        with self.session() as session:
            session.request("MKCALENDAR", url, timeout=10).raise_for_status()
        return url

    def remove_calendar(self, url: str) -> None:
        """With all that is in it: Cyrus takes a UID once only in all of somebody's calendars."""
        with self.session() as session:
            session.delete(url, timeout=10).raise_for_status()

    def put(self, url: str, octets: bytes) -> None:
        """Write an object past the code under test."""
        with self.session() as session:
            session.put(url, data=octets, headers={"Content-Type": "text/calendar"}, timeout=10).raise_for_status()

    def session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.auth = (self.user, self.password)
        return session


def await_answer(running: DavServer, server: subprocess.Popen[bytes], log: Path) -> None:
    with running.session() as session:
        for _ in range(int(START_S / 0.05)):
            if server.poll() is not None:
                break
            try:
                session.request("PROPFIND", running.root, headers={"Depth": "0"}, timeout=5)
            except requests.ConnectionError:
                _clock.wait(0.05)
            else:
                return
    raise RuntimeError(f"{running.root} does not answer: {log.read_text()}")
