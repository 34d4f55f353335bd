"""An address on this machine that a browser is sent back to in; what it brought, or what a person pasted, out.

RFC 8252 7.3: the browser comes to 127.0.0.1 if it runs here. If it runs elsewhere it shows that it cannot open the
address, and the person pastes that.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

SLOW_S = 5.0
"""Seconds a browser may take for its request, which others wait for."""
LONGEST_LINE = 65_536
"""Bytes of one pasted line; addresses have some hundreds."""
_PAGE = (
    "<!doctype html><meta charset=utf-8><title>triaged</title><p>Thank you. What became of it stands in the terminal; "
    "this window can be closed."
)


@dataclass
class Listener:
    """heard: paths with their queries, as the browser asked for them; the newest last."""

    port: int
    server: HTTPServer
    heard: list[str] = field(default_factory=list)
    paste: int | None = None
    """A file descriptor of lines; None once it has ended."""
    _begun: bytes = b""

    def hear(self, wait_s: float) -> str:
        """The next thing that a browser or a person brought, `""` when nothing did within `wait_s`."""
        if len(self.heard) > 0:
            return self.heard.pop(0)
        watched = [self.server.fileno(), *([self.paste] if self.paste is not None else [])]
        ready, _, _ = select.select(watched, [], [], wait_s)
        if self.paste in ready:
            self._read_lines()
        if self.server.fileno() in ready:
            self.server.handle_request()
        return self.heard.pop(0) if len(self.heard) > 0 else ""

    def _read_lines(self) -> None:
        """Not `readline`: what Python has read ahead is not seen by `select`."""
        assert self.paste is not None
        octets = os.read(self.paste, LONGEST_LINE)
        if octets == b"":
            self.paste = None
            octets = b"\n"
        *lines, self._begun = (self._begun + octets).split(b"\n")
        self._begun = self._begun[:LONGEST_LINE]
        self.heard += [text for line in lines if (text := line.decode("utf-8", "replace").strip()) != ""]


@contextmanager
def listening(paste: int | None) -> Iterator[Listener]:
    """Listen on a free port of 127.0.0.1. paste: where a person pastes to, None for nowhere."""

    class Handler(BaseHTTPRequestHandler):
        timeout = SLOW_S

        def do_GET(self) -> None:
            """Take what was asked for; the page is the same for all, it says nothing about who signs in."""
            listener.heard.append(self.path)
            body = _PAGE.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """The path holds a code that a token can be got for."""

    class Quiet(HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A browser that hung up is nothing to tell of."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        listener = Listener(server.server_port, server, paste=paste)
        yield listener
