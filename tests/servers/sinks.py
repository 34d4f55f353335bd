"""Servers that take alarms: a web server for `json://`, a second mail server for `mailto://`; what they took out."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller

from tests.servers.dovecot import free_ports

TOKEN = "s3cr3t-t0ken"
"""Stands in the URLs, and must never be repeated."""


@dataclass
class WebSink:
    """answer: the status that everybody gets. taken: what was posted, in order. paths: where to."""

    port: int
    answer: int = 200
    taken: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"json://ann:{TOKEN}@127.0.0.1:{self.port}/{TOKEN}/hook"

    def titles(self) -> list[str]:
        return [each["title"].partition(": ")[2] for each in self.taken]


@contextmanager
def web_sink() -> Iterator[WebSink]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            sink.paths.append(self.path)
            if sink.answer == 200:
                sink.taken.append(posted)
            self.send_response(sink.answer)
            if sink.answer == 302:
                self.send_header("Location", f"http://localhost:{sink.port}/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink = WebSink(server.server_port)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailSink:
    """A mail server that is not the one we work with."""

    port: int = field(default_factory=lambda: free_ports(1)[0])
    mails: list[EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=triaged@alarm.example&to=operator@alarm.example"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"

    def titles(self) -> list[str]:
        return [str(mail["Subject"]).partition(": ")[2] for mail in self.mails]


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    sink = MailSink()
    controller = Controller(sink, hostname="127.0.0.1", port=sink.port)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
