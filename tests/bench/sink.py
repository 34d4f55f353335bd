"""Nothing in; an SMTP server in a process of its own out, which accepts every mail and tells when each came."""

from __future__ import annotations

import multiprocessing
import queue
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import ClassVar

IS_ANSWER = b"\r\nAuto-Submitted: auto-replied\r\n"


class Sink:
    """A running sink. port: on 127.0.0.1; only acknowledgements are told."""

    def __init__(self, line: Connection) -> None:
        self.port: int = line.recv()
        self._arrived: queue.SimpleQueue[float] = queue.SimpleQueue()
        # A pipe holds only some hundred of them, and a full one would stop the server.
        threading.Thread(target=self._take, args=(line,), daemon=True).start()

    def arrivals(self, *, wait_s: float = 0.0) -> list[float]:
        """When each acknowledgement since the last call had wholly arrived (time.monotonic, one clock for all)."""
        found: list[float] = []
        with suppress(queue.Empty):
            while True:
                found.append(self._arrived.get(timeout=wait_s) if wait_s and not found else self._arrived.get_nowait())
        return found

    def _take(self, line: Connection) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._arrived.put(line.recv())


@contextmanager
def running_sink() -> Iterator[Sink]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Sink(ours)
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
