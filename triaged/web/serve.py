"""A configuration in, the desk served until it is told to end: on loopback, or on a unix socket behind a proxy."""

from __future__ import annotations

import uvicorn

from triaged.settings import Config
from triaged.web.app import build

KEEP_ALIVE_S, DRAIN_S = 30, 3
"""Seconds that an idle connection is kept; seconds from SIGTERM to the end."""
AT_ONCE = 64
"""Connections; further ones are turned away. A page that is open keeps one for what is new."""


def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT. Raises: SystemExit (the address is taken)."""
    socket, host, port = config.desk.where
    uvicorn.Server(
        uvicorn.Config(
            build(config),
            host=host,
            port=port,
            uds=socket or None,
            access_log=False,
            log_config=None,
            log_level="warning",
            proxy_headers=False,
            server_header=False,
            limit_concurrency=AT_ONCE,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=DRAIN_S,
        )
    ).run()
