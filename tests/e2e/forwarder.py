"""A port in; another port that leads to it out, which can be held back, cut and opened again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True)
class Forwarder:
    """connections: how many came. through: while it is not set, connections are taken and nothing passes.

    hold_from: the number of the first connection that waits for `through`, 1 for all.
    """

    target: int
    port: int = 0
    connections: int = 0
    hold_from: int = 1
    through: threading.Event = field(default_factory=threading.Event)
    _listener: socket.socket | None = None
    _open: list[socket.socket] = field(default_factory=list)

    def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """As a server that died: nobody listens, and every connection is reset."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._lead, args=(connection, self.connections), daemon=True).start()

    def _lead(self, connection: socket.socket, number: int) -> None:
        if number >= self.hold_from:
            self.through.wait()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.target)) as server:
            self._open.append(server)
            back = threading.Thread(target=_pump, args=(server, connection), daemon=True)
            back.start()
            _pump(connection, server)
            back.join()
        connection.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while (octets := source.recv(65536)) != b"":
            target.sendall(octets)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def forwarder(target: int, *, hold_from: int = 0) -> Iterator[Forwarder]:
    """A running one. hold_from: 0 holds nothing back."""
    made = Forwarder(target, hold_from=hold_from or 1)
    if hold_from == 0:
        made.through.set()
    made.start()
    try:
        yield made
    finally:
        made.through.set()
        made.cut()
