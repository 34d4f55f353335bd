"""Nothing in; an SMTP server in a process of its own out, which accepts every mail and tells when each came."""

from __future__ import annotations

import multiprocessing
import socketserver
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import ClassVar

IS_ANSWER = b"\r\nAuto-Submitted: auto-replied\r\n"


class Sink:
    """A running sink. port: on 127.0.0.1; only acknowledgements are told."""

    def __init__(self, port: int, line: Connection) -> None:
        self.port, self._line = port, line

    def arrivals(self, *, wait_s: float = 0.0) -> list[float]:
        """When each acknowledgement since the last call had wholly arrived (time.monotonic, one clock for all)."""
        found: list[float] = []
        while self._line.poll(wait_s if len(found) == 0 else 0.0):
            found.append(self._line.recv())
        return found


@contextmanager
def running_sink() -> Iterator[Sink]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Sink(ours.recv(), ours)
    finally:
        process.kill()
        process.join()


class _Session(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    line: ClassVar[Connection]

    def handle(self) -> None:
        self.wfile.write(b"220 sink\r\n")
        for command in self.rfile:
            verb = command[:4].upper()
            if verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            if verb != b"DATA":
                self.wfile.write(b"250 ok\r\n")
                continue
            self.wfile.write(b"354 go on\r\n")
            mail = b"".join(iter(self.rfile.readline, b".\r\n"))
            arrived = time.monotonic()
            self.wfile.write(b"250 taken\r\n")
            if IS_ANSWER in mail:
                self.line.send(arrived)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


def _serve(line: Connection) -> None:
    _Session.line = line
    with _Server(("127.0.0.1", 0), _Session) as server:
        line.send(server.server_address[1])
        server.serve_forever()
