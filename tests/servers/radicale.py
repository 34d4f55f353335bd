"""A folder in; a running Radicale (CalDAV over plain HTTP on the loopback) of one user out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.dav import STOP_S, DavServer, await_answer
from tests.servers.dovecot import free_ports

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

Radicale = DavServer


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
        await_answer(running, server, folder / "log")
        yield running
    finally:
        server.terminate()
        server.wait(STOP_S)
