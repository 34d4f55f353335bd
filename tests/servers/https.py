"""Real HTTPS on loopback for our fakes: requests in, answers or planned faults out, and what a client did wrong kept.

It watches what a throttling server watches: how many requests to one mailbox are under way at once, and whether one
comes while its mailbox was told to wait.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.servers.certificates import Authority

CLOCKS_S = 0.05
"""Seconds by which a waiting client may be early: it measures from when it heard, and rounds."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. path: decoded; query: in order, decoded; number: how many came before it, over all."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    number: int
    port: int = 0
    """The client's, which tells its connections apart."""
    target: str = ""
    """As it stood in the request line."""

    @property
    def segments(self) -> list[str]:
        """Of the path, each decoded by itself: an id may hold a `/`."""
        return [unquote(each) for each in urlsplit(self.target).path.split("/")[1:]]

    def asked(self, name: str) -> str:
        """The value of a query option, `""` without it."""
        return next((value for key, value in self.query if key == name), "")


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; body: octets, or pieces as they come (a stream, chunked)."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, value: object, status: int = 200, **headers: str) -> Response:
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request.

    refuse: answered with `status` and not worked on; lost: worked on, then answered with `status` (a gateway's 504);
    cut before: the connection breaks and it was not worked on; cut after: it was; slow: worked on, `seconds` late.
    retry_after: the header's value, `""` for none.
    """

    kind: Literal["refuse", "lost", "cut before", "cut after", "slow"]
    status: int = 503
    retry_after: str = ""
    seconds: float = 0.0


class HttpsServer:
    """A fake's server. mailbox_of: whose quota a request counts against, `""` for nobody's (sign-in)."""

    def __init__(self, answer: Callable[[Request], Response], mailbox_of: Callable[[Request], str]) -> None:
        self._answer, self._mailbox_of = answer, mailbox_of
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._wait: dict[str, tuple[int, float, float]] = {}
        self.plan: Callable[[Request], Fault | None] = lambda request: None
        """Which fault a request meets."""
        self.throttled: Callable[[Fault], Response] = lambda fault: Response(fault.status)
        """How the fake words a refusal: status and body; Retry-After is added here."""
        self.requests: list[Request] = []
        self.peak: Counter[str] = Counter()
        """By mailbox: the most requests at once."""
        self.met: Counter[str] = Counter()
        """Faults that came to pass, by kind."""
        self.grace_s = 0.05
        """Seconds after which all threads of a client must have heard that it is to wait; on the connection that was
        told none are granted."""
        self.early: list[Request] = []
        """Requests that came while their mailbox was told to wait."""
        self.url = ""

    def assert_heeded(self) -> None:
        """No request came while its mailbox was told to wait, and never more than four at once."""
        early = [f"number {each.number}: {each.method} {each.path} {each.body[:300]!r}" for each in self.early]
        assert early == [], f"of {len(self.requests)} requests these came while told to wait: {early}"
        peak = max(self.peak.values(), default=0)
        assert peak <= 4, f"{peak} requests at once"

    def handle(self, method: str, target: str, headers: dict[str, str], body: bytes, port: int = 0) -> Response | None:
        """The answer, or None when the connection is to break."""
        split = urlsplit(target)
        query = tuple(parse_qsl(split.query, keep_blank_values=True))
        with self._lock:
            number = len(self.requests)
            request = Request(method, unquote(split.path), query, headers, body, number, port, target)
            self.requests.append(request)
            mailbox = self._mailbox_of(request)
            if mailbox:
                self._under_way[mailbox] += 1
                self.peak[mailbox] = max(self.peak[mailbox], self._under_way[mailbox])
                told, since, until = self._wait.get(mailbox, (0, 0.0, 0.0))
                since += 0.0 if told == port else self.grace_s
                if since < time.monotonic() < until - CLOCKS_S:
                    self.early.append(request)
        try:
            return self._faulty(request, mailbox, self.plan(request))
        finally:
            with self._lock:
                if mailbox:
                    self._under_way[mailbox] -= 1

    def _faulty(self, request: Request, mailbox: str, fault: Fault | None) -> Response | None:
        if fault is None:
            return self._answer(request)
        self.met[fault.kind] += 1
        if fault.kind == "cut before":
            return None
        if fault.kind == "refuse":
            return self._refused(fault, mailbox, request.port)
        if fault.kind == "slow":
            time.sleep(fault.seconds)
        response = self._answer(request)
        if fault.kind == "cut after":
            return None
        return self._refused(fault, mailbox, request.port) if fault.kind == "lost" else response

    def _refused(self, fault: Fault, mailbox: str, port: int) -> Response:
        response = self.throttled(fault)
        if fault.retry_after == "":
            return response
        with self._lock:
            now = time.monotonic()
            until = max(self._wait.get(mailbox, (0, 0.0, 0.0))[2], now + float(fault.retry_after))
            self._wait[mailbox] = (port, now, until)
        return Response(response.status, response.body, {**response.headers, "Retry-After": fault.retry_after})


@contextmanager
def running(server: HttpsServer, authority: Authority) -> Iterator[HttpsServer]:
    """Serve on `https://localhost:PORT` (`server.url`) with a certificate of our authority."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            response = server.handle(self.command, self.path, headers, body, self.client_address[1])
            if response is None:
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if isinstance(response.body, bytes):
                self.send_header("Content-Length", str(len(response.body)))
                self.end_headers()
                self.wfile.write(response.body)
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with suppress(OSError):
                for piece in response.body:
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_REPORT = do_PROPFIND = answer

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hung up, or a TLS handshake that came to nothing, is the tests' business."""

    with Quiet(("127.0.0.1", 0), Handler) as http:
        context: ssl.SSLContext = authority.good.server_context()
        # The handshake in the request's own thread: a client that is slow with it holds up nobody else.
        http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        server.url = f"https://localhost:{http.server_port}"
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
