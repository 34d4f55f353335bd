"""A server's port in; a port before it out, on which connections are cut, fall silent or crawl as told."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["up", "down"]
"""up: from the client to the server."""
Way = Literal["close", "reset", "silence"]
"""How a line ends: orderly (FIN), by RST, or by nothing more coming on a connection that stays open."""

REMEMBERED = 4096
"""Octets of a stream that a pattern is looked for in."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, once: `after` so many octets of a direction, or behind the first place that matches `at`.

    unanswered: what matched is handed on whole, and the line ends when the other side answers.
    connection: on which one, from 1; 0 for the first that gets there.
    """

    direction: Direction
    way: Way
    after: int | None = None
    at: bytes | None = None
    unanswered: bool = False
    connection: int = 0


@dataclass(eq=False)
class _Line:
    """One connection through the proxy."""

    number: int
    writers: tuple[asyncio.StreamWriter, ...]
    passed: dict[Direction, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    seen: bytes = b""
    doomed: Direction | None = None
    silent: bool = False


class Proxy:
    """A listening port. fault: may be set at any time; `fired` once it happened. lines: how many came so far.

    server_port: may be changed for connections to come. heard: all that clients said.
    piece, pause_s: hand on in pieces of so many octets with a pause after each; 0: as it comes.
    replaces: octets that the server says, and what becomes of them (of the same length).
    """

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.fault: Fault | None = None
        self.fired = threading.Event()
        self.piece, self.pause_s = 0, 0.0
        self.replaces = (b"", b"")
        self.heard = bytearray()
        self.lines = 0
        self.server_port = server_port
        self._open: set[_Line] = set()
        self._all: list[_Line] = []
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()

    @property
    def passed(self) -> list[dict[Direction, int]]:
        """Octets handed on, by connection and direction."""
        return [line.passed for line in self._all]

    def black_hole(self) -> int:
        """Every line that is open now falls silent and stays open; new ones work. Returns how many fell silent."""

        async def silence() -> int:
            lines = [line for line in self._open if not line.silent]
            for line in lines:
                line.silent = True
            return len(lines)

        return asyncio.run_coroutine_threadsafe(silence(), self._loop).result()

    def cut(self, way: Way = "close", *, silent: bool = False) -> int:
        """End every line that works now (silent: that fell silent); new ones work. Returns how many were ended."""

        async def end() -> int:
            lines = [line for line in self._open if line.silent == silent]
            for line in lines:
                self._end(line, way)
            return len(lines)

        return asyncio.run_coroutine_threadsafe(end(), self._loop).result()

    def standing(self) -> int:
        """How many lines work now."""
        return sum(not line.silent for line in list(self._open))

    # --- in the proxy's own thread ---

    async def serve(self, ready: threading.Event) -> None:
        """Until `ended`."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._ended.wait()
        server.close()
        for line in list(self._open):
            self._end(line, "reset")

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines += 1
        try:
            theirs = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.transport.abort()
            return
        line = _Line(self.lines, (writer, theirs[1]))
        self._open.add(line)
        self._all.append(line)
        with suppress(asyncio.CancelledError):  # the proxy ends
            await asyncio.gather(self._pump(line, "up", reader, theirs[1]), self._pump(line, "down", theirs[0], writer))
        self._end(line, "close")

    async def _pump(
        self, line: _Line, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while (octets := await reader.read(65536)) != b"":
                if direction == "up":
                    self.heard += octets
                elif self.replaces[0] != b"":
                    octets = octets.replace(*self.replaces)
                handed_on, ends = self._judge(line, direction, octets)
                if line.silent:
                    continue
                line.passed[direction] += len(handed_on)
                piece = self.piece or 65536
                for start in range(0, len(handed_on), piece):
                    writer.write(handed_on[start : start + piece])
                    await writer.drain()
                    if self.pause_s > 0:
                        await asyncio.sleep(self.pause_s)
                if ends is not None:
                    self._end(line, ends)
                    return
        if line.silent:
            await self._ended.wait()
        writer.close()

    def _judge(self, line: _Line, direction: Direction, octets: bytes) -> tuple[bytes, Way | None]:
        """What of these octets is handed on, and how the line ends then, if it does."""
        fault = self.fault
        if fault is None or self.fired.is_set() or fault.connection not in (0, line.number):
            return octets, None
        if line.doomed == direction:
            return b"", self._fire(line, fault)
        if direction != fault.direction or line.doomed is not None:
            return octets, None
        if fault.after is not None:
            room = fault.after - line.passed[direction]
            return (octets, None) if room >= len(octets) else (octets[:room], self._fire(line, fault))
        assert fault.at is not None
        line.seen = (line.seen + octets)[-max(REMEMBERED, len(octets)) :]
        found = re.search(fault.at, line.seen, re.DOTALL)
        if found is None:
            return octets, None
        if fault.unanswered:
            line.doomed = "down" if direction == "up" else "up"
            return octets, None
        end = max(0, found.end() - (len(line.seen) - len(octets)))
        return octets[:end], self._fire(line, fault)

    def _fire(self, line: _Line, fault: Fault) -> Way | None:
        self.fired.set()
        if fault.way == "silence":
            line.silent = True
            return None
        return fault.way

    def _end(self, line: _Line, way: Way) -> None:
        self._open.discard(line)
        for writer in line.writers:
            if way == "reset":
                known: socket.socket | None = writer.get_extra_info("socket")
                with suppress(OSError):
                    if known is not None:
                        known.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()


@contextmanager
def running_proxy(server_port: int) -> Iterator[Proxy]:
    """A proxy to 127.0.0.1, in a thread of its own."""
    proxy, ready = Proxy(server_port), threading.Event()
    loop = proxy._loop

    def live() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(proxy.serve(ready))
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=live, name="proxy", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(proxy._ended.set)
        thread.join()
