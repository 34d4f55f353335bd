"""A folder in; a running Radicale (CalDAV over plain HTTP on the loopback) of one user out.

A second user, `ann`, lets the first see no more than the free/busy times of her calendar `ann/shared`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
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
type = from_file
file = {folder}/rights
[logging]
level = warning
"""

_RIGHTS = """
[home]
user: .+
collection: {user}
permissions: RW
[calendars]
user: .+
collection: {user}/[^/]+
permissions: rw
[shared]
user: desk
collection: ann/shared
permissions: f
"""
"""As Radicale's owner_only, and `f`: free/busy times only."""

Radicale = DavServer


def as_ann(server: Radicale) -> Radicale:
    return replace(server, root=server.root.replace("/desk/", "/ann/"), user="ann")


@contextmanager
def radicale(folder: Path) -> Iterator[Radicale]:
    (folder / "users").write_text("desk:desk-password\nann:desk-password\n")
    (folder / "rights").write_text(_RIGHTS)
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
