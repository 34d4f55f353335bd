"""A certificate in; a running submission server (STARTTLS, AUTH) out, which collects mails and can misbehave."""

from __future__ import annotations

import asyncio
import base64
import json
import smtplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.servers.certificates import Authority
from tests.servers.dovecot import free_ports
from triaged.backends.smtp import SmtpSettings

Moment = Literal["MAIL", "RCPT", "dot"]
"""When a command arrives; `dot`: when the whole mail has arrived."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that the server has in full, whether it said so or not."""

    sender: str
    recipients: tuple[str, ...]
    octets: bytes


@dataclass  # no slots: aiosmtpd looks at every attribute of its handler, and Python before 3.11.4 trips over them
class SmtpServer:
    """answers: what to say instead of yes at a moment (or at "AUTH"). cut_at: close the connection at this moment.

    lmtp_port: where mails are handed on to, None for nowhere. Users are desk, ann, bob @example.test; every
    password is the name and `-password`. user_of: whose a token is (XOAUTH2), None when it is not good.
    """

    authority: Authority
    port: int = 0
    lmtp_port: int | None = None
    mails: list[Taken] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    cut_at: Moment | None = None
    silent_at_dot: bool = False
    logins: int = 0
    refused_logins: int = 0
    connections: list[Any] = field(default_factory=list)
    user_of: Callable[[str], str | None] = field(default=lambda token: None)
    token_logins: list[str] = field(default_factory=list)
    """The lines that clients sent after AUTH XOAUTH2, decoded."""
    challenged: list[bytes] = field(default_factory=list)
    """What clients answered to the challenge that says why their token is refused."""

    def settings(self, user: str = "desk", *, password: str | None = None) -> SmtpSettings:
        return SmtpSettings(
            host="localhost",
            port=self.port,
            security="starttls",
            user=f"{user}@example.test",
            password=f"{user}-password" if password is None else password,
            ca_file=str(self.authority.ca_file),
            timeout_s=5,
            answer_s=1,
        )

    def reset(self) -> None:
        """As new: no mails, no faults; connections stay."""
        self.mails.clear()
        self.answers.clear()
        self.cut_at = None
        self.silent_at_dot = False
        self.lmtp_port = None
        self.logins = self.refused_logins = 0
        self.token_logins.clear()
        self.challenged.clear()

    def close_connections(self) -> None:
        """What a server does with clients that were quiet for long."""
        for server in self.connections:
            if server.transport is None:
                continue
            server.loop.call_soon_threadsafe(server.transport.abort)
        self.connections.clear()

    # --- aiosmtpd's hooks ---

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections.append(server)
        return responses

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        envelope.mail_from = address
        return self._answer(server, "MAIL", "250 sender ok")

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        envelope.rcpt_tos.append(address)
        return self._answer(server, "RCPT", "250 recipient ok")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        sender = "" if envelope.mail_from == "<>" else envelope.mail_from  # aiosmtpd keeps the null path as written
        taken = Taken(sender, tuple(envelope.rcpt_tos), envelope.original_content)
        answer = self._answer(server, "dot", "250 2.0.0 queued")
        if answer.startswith("250"):
            self.mails.append(taken)
            if self.lmtp_port is not None:
                await asyncio.get_running_loop().run_in_executor(None, _hand_on, self.lmtp_port, taken)
        if self.silent_at_dot:
            await asyncio.Event().wait()
        return answer

    def authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, login: LoginPassword
    ) -> AuthResult:
        user = login.login.decode()
        if "AUTH" in self.answers:
            return AuthResult(success=False, handled=False, message=self.answers["AUTH"])
        if login.password.decode() == user.partition("@")[0] + "-password":
            self.logins += 1
            return AuthResult(success=True)
        self.refused_logins += 1
        return AuthResult(success=False, handled=False)

    async def auth_XOAUTH2(self, server: Any, args: list[str]) -> AuthResult:
        """As Gmail does it: a refusal is a challenge (334) that says why, and 535 comes after the client's answer."""
        if len(args) > 1 and len(args[1]) > 512 - len("AUTH XOAUTH2 \r\n"):
            await server.push("500 Command line too long")  # RFC 5321 4.5.3.1.4
            return AuthResult(success=False, handled=True)
        if len(args) == 1:
            await server.push("334 ")
            args.append((await _line(server)).decode())
        line = base64.b64decode(args[1]).decode()
        self.token_logins.append(line)
        user, bearer, *rest = line.split("\1")
        assert rest == ["", ""]
        if self.user_of(bearer.removeprefix("auth=Bearer ")) == user.removeprefix("user="):
            self.logins += 1
            return AuthResult(success=True, auth_data=user)
        self.refused_logins += 1
        why = json.dumps({"status": "400", "schemes": "Bearer", "scope": "https://mail.google.com/"})
        await server.push("334 " + base64.b64encode(why.encode()).decode())
        self.challenged.append(await _line(server))
        await server.push("535 5.7.8 Username and Password not accepted.")
        return AuthResult(success=False, handled=True)

    def _answer(self, server: Any, moment: Moment, yes: str) -> str:
        if self.cut_at == moment:
            server.transport.abort()
        return self.answers.get(moment, yes)


async def _line(server: Any) -> bytes:
    """Not `readline`: that of aiosmtpd takes 1,001 octets, an exchange's line may have 12,288 (RFC 4954 4)."""
    line = b""
    while not line.endswith(b"\n"):
        if (piece := await server._reader.read(12_288)) == b"":
            break
        line += piece
    return line


@contextmanager
def running_smtp_server(
    authority: Authority, *, offer_starttls: bool = True, plain_login: bool = False
) -> Iterator[SmtpServer]:
    """`offer_starttls=False` is what a stripping middlebox makes of a server; plain_login: it takes passwords so."""
    server = SmtpServer(authority, port=free_ports(1)[0])
    controller = Controller(
        server,
        hostname="127.0.0.1",
        port=server.port,
        tls_context=authority.good.server_context() if offer_starttls else None,
        require_starttls=offer_starttls,
        auth_required=not plain_login,
        auth_require_tls=not plain_login,
        authenticator=server.authenticate,
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def _hand_on(port: int, mail: Taken) -> None:
    with smtplib.LMTP("127.0.0.1", port) as lmtp:
        lmtp.sendmail(mail.sender, mail.recipients, mail.octets)
