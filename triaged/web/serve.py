"""A configuration in, the desk served until it is told to end: on loopback, or on a unix socket behind a proxy."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

import uvicorn

from triaged.errors import Permanent
from triaged.settings import Config
from triaged.web.app import build

KEEP_ALIVE_S, DRAIN_S = 30, 3
"""Seconds that an idle connection is kept; seconds from SIGTERM to the end."""
AT_ONCE = 200
"""Connections; further ones are turned away. A page that is looked at keeps one for what is new."""
SOCKET_MODE = 0o660
"""For us and the group; the folder's mode says who gets there at all."""


def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT. Raises: Permanent (the socket cannot be had), SystemExit (the port is taken)."""
    app, path = build(config), Path(config.desk.socket)
    host, port = config.desk.where if config.desk.socket == "" else ("", 0)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            access_log=False,
            log_config=None,
            log_level="warning",
            proxy_headers=False,
            server_header=False,
            limit_concurrency=AT_ONCE,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=DRAIN_S,
        )
    )
    app.state.live.ending = lambda: server.should_exit
    if config.desk.socket == "":
        server.run()
        return
    with listening(path) as bound:
        try:
            server.run(sockets=[bound])
        finally:
            path.unlink(missing_ok=True)


def listening(path: Path) -> socket.socket:
    """A unix socket that has its mode before anybody can connect (uvicorn's own gives it to everybody).

    One that a killed desk left is replaced. Raises: Permanent.
    """
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists():
            _must_be_left(path)
            path.unlink()
        bound.bind(str(path))
        path.chmod(SOCKET_MODE)
        bound.listen(socket.SOMAXCONN)
    except OSError as error:
        bound.close()
        words = "the folder must be there and belong to us; with systemd: RuntimeDirectory=triaged"
        raise Permanent(f"[desk] listen: the socket {path} cannot be made: {error.strerror}; {words}") from None
    except Permanent:
        bound.close()
        raise
    return bound


def _must_be_left(path: Path) -> None:
    """Raises: Permanent, when it is no socket, or somebody answers on it."""
    if not stat.S_ISSOCK(os.stat(path).st_mode):  # noqa: PTH116
        raise Permanent(f"[desk] listen: {path} is there and is no socket; name another file")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, suppress(ConnectionRefusedError):
        probe.connect(str(path))
        raise Permanent(f"[desk] listen: a desk is served on {path} already")
