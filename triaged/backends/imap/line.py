"""Where an IMAP server is in, a connection that is logged in out; its errors become ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from imaplib import IMAP4
from typing import Literal

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import LoginError

from triaged.backends.oauth.tokens import Tokens
from triaged.backends.tls import client_context, tls_translated
from triaged.errors import LoginRefused, Permanent, Transient

_PASSES = re.compile(
    r"\[(UNAVAILABLE|INUSE|LIMIT|EXPUNGEISSUED)\b|too many|maximum number of connections", re.IGNORECASE
)
"""Refusals that pass by themselves: RFC 5530 codes, and the words of Gmail and Dovecot for too many connections."""

_LOGIN_CAN_CARRY = re.compile(r"[A-Za-z0-9@._+=/-]+")


@dataclass(frozen=True, slots=True)
class ImapSettings:
    """Where and how to log in. security `none` is for loopback hosts only (the configuration sees to it).

    tokens: log in by XOAUTH2 with these, and without the password.

    timeout_s: for connecting and for each answer. idle_s: IDLE is ended and the folder searched at least this
    often, because a dead connection cannot be seen from within IDLE; must stay under 29 minutes (RFC 2177).
    """

    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    user: str
    password: str
    ca_file: str | None = None
    timeout_s: float = 30
    idle_s: float = 240
    tokens: Tokens | None = None

    def __repr__(self) -> str:
        return f"ImapSettings({self.user} at {self.host}:{self.port})"


@contextmanager
def translated(host: str, doing: str, *, refused: type[Permanent] = Permanent) -> Iterator[None]:
    """Foreign errors become ours; `refused` is what a tagged NO or BAD means here."""
    try:
        yield
    except (IMAP4.abort, OSError) as error:
        raise Transient(f"{host}: the connection was lost, could not {doing}: {error}") from error
    except LoginError as error:
        # imapclient makes a LoginError of everything, a lost connection too (our measurement, imapclient 4.1).
        if isinstance(error.__context__, IMAP4.abort) or _PASSES.search(str(error)):
            raise Transient(f"{host}: could not log in: {error}") from error
        raise LoginRefused(f"{host}: user name or password is refused: {error}") from error
    except IMAP4.error as error:
        kind = Transient if _PASSES.search(str(error)) else refused
        raise kind(f"{host}: will not {doing}: {error}") from error


def open_line(settings: ImapSettings) -> IMAPClient:
    """Connected and logged in; the password or token leaves only after the certificate was checked.

    A token that is refused may have been ended early by the server: another is got and tried, once, on a new line.
    """
    if settings.tokens is None:
        return _opened(settings, "")
    token = settings.tokens.token()
    try:
        return _opened(settings, token)
    except LoginRefused:
        another = settings.tokens.token(refused=token)
    try:
        return _opened(settings, another)
    except LoginRefused as error:
        words = f"the sign-in is good, but it does not open the mailbox of {settings.user}; who may use this mailbox, "
        raise LoginRefused(f"{settings.host}: {words}and may IMAP be used? ({error})") from error


def _opened(settings: ImapSettings, token: str) -> IMAPClient:
    if re.search(r"[\r\n\0]", settings.user + settings.password):
        raise Permanent(f"{settings.host}: user name or password holds a line break")
    context = client_context(settings.ca_file) if settings.security != "none" else None
    timeout = SocketTimeout(settings.timeout_s, settings.timeout_s)
    client: IMAPClient | None = None
    try:
        with translated(settings.host, "connect"), tls_translated(settings.host):
            client = IMAPClient(
                settings.host, settings.port, ssl=settings.security == "tls", ssl_context=context, timeout=timeout
            )
            client.normalise_times = False
            if settings.security == "starttls":
                if not client.has_capability("STARTTLS"):
                    raise Permanent(f"{settings.host}: offers no STARTTLS, no password was sent")
                client.starttls(context)
            if settings.tokens is None:
                _log_in(client, settings.user, settings.password)
            else:
                _log_in_by_token(client, settings.user, token)
    except BaseException:
        shut(client)
        raise
    return client


def _log_in(client: IMAPClient, user: str, password: str) -> None:
    """LOGIN, which every server has; AUTHENTICATE PLAIN (UTF-8) where LOGIN cannot carry the characters."""
    if _LOGIN_CAN_CARRY.fullmatch(user) and password.isascii():
        client.login(user, password)
    else:
        client.plain_login(user, password)


def _log_in_by_token(client: IMAPClient, user: str, token: str) -> None:
    """AUTHENTICATE XOAUTH2 (developers.google.com/workspace/gmail/imap/xoauth2-protocol). Why it is refused comes as a
    challenge, which wants an empty answer before the server says NO."""
    if not client.has_capability("AUTH=XOAUTH2"):
        raise Permanent(f"{client.host}: offers no AUTH=XOAUTH2, which a sign_in needs")
    client.sasl_login("XOAUTH2", lambda challenge: f"user={user}\1auth=Bearer {token}\1\1" if challenge == b"" else "")


def shut(client: IMAPClient | None) -> None:
    """Close without a word to the server; never raises."""
    if client is not None:
        with suppress(OSError, IMAP4.error):
            client.shutdown()


def log_out(client: IMAPClient | None) -> None:
    """Log out and close; never raises."""
    if client is not None:
        with suppress(OSError, IMAP4.error):
            client.logout()
        shut(client)
