"""A function in; a server out that follows it on every connection, for misbehaving servers; keeps what it heard."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True)
class Line:
    """One connection, seen from the server."""

    socket: socket.socket
    heard: list[bytes]
    _rest: bytes = b""

    def say(self, text: str) -> None:
        """Send lines; CRLF is added."""
        self.socket.sendall(text.replace("\n", "\r\n").encode() + b"\r\n")

    def hear(self) -> str:
        """The next line without its CRLF. Raises: EOFError."""
        while b"\r\n" not in self._rest:
            octets = self.socket.recv(65536)
            if octets == b"":
                raise EOFError
            self.heard.append(octets)
            self._rest += octets
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line.decode()

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def reset(self) -> None:
        """Close so that the peer gets a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


@dataclass(slots=True)
class ScriptedServer:
    """heard: all octets that clients sent (inside TLS, where there is TLS). connections: how many came."""

    port: int
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when the server is stopped; a script may wait on it to fall silent."""


@contextmanager
def scripted_server(
    script: Callable[[Line, ScriptedServer], None], *, tls: ssl.SSLContext | None = None
) -> Iterator[ScriptedServer]:
    """Run `script` in a thread per connection; TLS from the first octet when `tls` is given."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = ScriptedServer(listener.getsockname()[1])
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        line = Line(connection, server.heard)
        with suppress(OSError, EOFError):
            if tls is not None:
                line.start_tls(tls)
            script(line, server)
        line.socket.close()
        connection.close()

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(30)
                server.connections += 1
                threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [acceptor, *threads]:
            thread.join(10)
