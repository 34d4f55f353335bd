"""A folder in; a running Xandikos (CalDAV over plain HTTP on the loopback, no login) of one user out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.dav import STOP_S, DavServer, await_answer
from tests.servers.dovecot import free_ports


@contextmanager
def xandikos(folder: Path) -> Iterator[DavServer]:
    (port,) = free_ports(1)
    options = ["--defaults", "--current-user-principal", "/desk/", "--listen-address", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("w") as said:
        command = [sys.executable, "-m", "xandikos", "serve", "-d", str(folder / "collections"), *options]
        server = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        running = DavServer(f"http://127.0.0.1:{port}/desk/calendars/")
        await_answer(running, server, folder / "log")
        yield running
    finally:
        server.terminate()
        server.wait(STOP_S)
