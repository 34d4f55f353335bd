"""An outgoing mail in, the submission server's answer (RFC 5321, RFC 6409) out; a copy goes to the Sent folder."""

from __future__ import annotations

import base64
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from triaged.backends.imap.sent import ImapSent
from triaged.backends.oauth.tokens import Tokens
from triaged.backends.tls import client_context, tls_translated
from triaged.decision import Outgoing
from triaged.errors import LoginRefused, Permanent, Transient, TriagedError, Uncertain
from triaged.ports import Crossing

_ADDRESS = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")
"""What may stand between the angle brackets of MAIL and RCPT: printable ASCII without space, `<` and `>`."""

_BARE_BREAK = re.compile(rb"\r(?!\n)|(?<!\r)\n")
"""A CR or LF alone: servers disagree whether it ends a line, which lets a second mail be smuggled in."""


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Where and how to submit. user None: no login. security `none` is for loopback hosts only.

    tokens: log in by XOAUTH2 with these, and without the password.

    local_hostname: our name in EHLO. timeout_s: for connecting and for each answer but the last.
    answer_s: for the answer to the whole mail; RFC 5321 4.5.3.2.6 asks for 600, and giving up early costs a person.
    """

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str | None = None
    password: str = ""
    ca_file: str | None = None
    timeout_s: float = 30
    local_hostname: str = "localhost"
    answer_s: float = 300
    tokens: Tokens | None = None

    def __repr__(self) -> str:
        return f"SmtpSettings({self.user} at {self.host}:{self.port})"


class SmtpMailer:
    """`ports.Mailer` over SMTP. The connection is kept open between mails and tried before each one."""

    def __init__(self, settings: SmtpSettings, *, sent: ImapSent | None) -> None:
        self._settings = settings
        self._sent = sent
        self._smtp: smtplib.SMTP | None = None

    def connect(self) -> None:
        """Connect and log in; one NOOP when connected. Raises: Transient, Permanent, LoginRefused."""
        if self._smtp is not None:
            with suppress(OSError):  # smtplib's errors are OSErrors
                if self._smtp.noop()[0] == 250:
                    return
            self._drop()
        self._smtp = _open(self._settings)
        if self._sent is not None:
            with suppress(TriagedError):  # told when there is a copy to be kept
                self._sent.connect()  # beforehand: between a sending and its copy nobody can tell whether it was sent

    def send(self, mail: Outgoing, crossing: Crossing) -> str:
        """Hand the mail over; the answer tells when no copy could be put into Sent, which does not undo the sending.

        Raises: as the port says. Uncertain is raised from the final dot on, Transient before it.
        """
        _check(mail)
        self.connect()
        assert self._smtp is not None
        try:
            words = _transact(self._smtp, self._settings, mail, crossing)
        except BaseException:
            self._drop()  # without the dot the server forgets what it has of the mail
            raise
        crossing.ends(words)
        if self._sent is not None:
            try:
                self._sent.append(mail.octets)
            except TriagedError as error:
                words += f" (no copy in Sent: {error})"
        return words

    def was_sent(self, message_id: str) -> bool | None:
        """True when a copy lies in Sent, else None: the copy is made after the sending, so its absence proves nothing.

        Raises: Transient, Permanent, LoginRefused.
        """
        if self._sent is not None and self._sent.find(message_id):
            return True
        return None

    def close(self) -> None:
        """Say goodbye and close; never raises."""
        if self._smtp is not None:
            with suppress(OSError):
                self._smtp.quit()
            self._drop()
        if self._sent is not None:
            self._sent.close()

    def _drop(self) -> None:
        if self._smtp is not None:
            with suppress(OSError):
                self._smtp.close()
        self._smtp = None


def _check(mail: Outgoing) -> None:
    """What could break out of its command or of the mail. Raises: Permanent."""
    for address in (mail.recipient, mail.sender or "null@path"):
        if not _ADDRESS.fullmatch(address):
            raise Permanent(f"{address!r} cannot be used as an envelope address")
    if _BARE_BREAK.search(mail.octets):
        raise Permanent("the mail holds a CR or LF that is not part of a CRLF")


def _transact(smtp: smtplib.SMTP, settings: SmtpSettings, mail: Outgoing, crossing: Crossing) -> str:
    host = settings.host
    assert smtp.sock is not None
    with _translated(host):
        _expect(smtp.docmd("MAIL", f"FROM:<{mail.sender}>"), host, (250,), "the sender")
        _expect(smtp.docmd("RCPT", f"TO:<{mail.recipient}>"), host, (250, 251, 252), "the recipient")
        _expect(smtp.docmd("DATA"), host, (354,), "the mail")
        octets = mail.octets if mail.octets.endswith(b"\r\n") else mail.octets + b"\r\n"
        # RFC 5321 4.5.2. Until the server has the line with the dot, it must not accept the mail.
        smtp.send(re.sub(rb"(?m)^\.", b"..", octets))
    crossing.begins()
    with _translated(host):
        if _is_ended(smtp.sock):
            raise smtplib.SMTPServerDisconnected("the server hung up within the mail")
        smtp.sock.settimeout(settings.answer_s)
        smtp.send(b".\r\n")  # an error means that not all of it went out, and a dot without its CRLF ends no mail
    try:
        code, words = smtp.getreply()
        if smtp.sock is not None:
            smtp.sock.settimeout(settings.timeout_s)
    except OSError as error:
        raise Uncertain(f"{host}: the whole mail was handed over and no answer came: {error}") from error
    if not 200 <= code <= 299 and not 400 <= code <= 599:
        raise Uncertain(f"{host}: the whole mail was handed over and the answer makes no sense: {code} {_text(words)}")
    _expect((code, words), host, tuple(range(200, 300)), "the mail")
    return f"{code} {_text(words)}"


def _is_ended(line: socket.socket) -> bool:
    """Whether the server has hung up or speaks out of turn: within a mail it has nothing to say."""
    line.setblocking(False)
    try:
        line.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    return True


def _open(settings: SmtpSettings) -> smtplib.SMTP:
    """Connected and logged in; user name and password or token leave only after the certificate was checked.

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
        words = f"the sign-in is good, but it may not send as {settings.user}; is authenticated SMTP allowed for it?"
        raise LoginRefused(f"{settings.host}: {words} ({error})") from error


def _opened(settings: SmtpSettings, token: str) -> smtplib.SMTP:
    context = client_context(settings.ca_file)
    host, timeout_s = settings.host, settings.timeout_s
    with _translated(host), tls_translated(host):
        if settings.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                host, settings.port, settings.local_hostname, timeout=timeout_s, context=context
            )
        else:
            smtp = smtplib.SMTP(host, settings.port, settings.local_hostname, timeout=timeout_s)
        try:
            _expect(smtp.ehlo(), host, (250,), "our greeting")
            if settings.security == "starttls":
                if not smtp.has_extn("starttls"):
                    raise _missing(smtp, f"{host}: offers no STARTTLS, no password was sent")
                _expect(smtp.starttls(context=context), host, (220,), "STARTTLS")
                _expect(smtp.ehlo(), host, (250,), "our greeting")
            if settings.user is not None and settings.tokens is not None:
                _log_in_by_token(smtp, host, settings.user, token)
            elif settings.user is not None:
                _log_in(smtp, host, settings.user, settings.password)
            assert smtp.sock is not None
            smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or the dot waits 40 ms for an ACK
        except BaseException:
            smtp.close()
            raise
    return smtp


def _missing(smtp: smtplib.SMTP, words: str) -> Permanent:
    """For what the answer to EHLO lacks: on a line that was cut within it the rest is lacking too, and NOOP raises."""
    smtp.noop()
    return Permanent(words)


def _log_in(smtp: smtplib.SMTP, host: str, user: str, password: str) -> None:
    """One try by one method: smtplib's own login tries each method in turn, and each counts towards a lock-out."""
    offered = smtp.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in offered:
        answer = smtp.docmd("AUTH", "PLAIN " + _base64(f"\0{user}\0{password}"))
    elif "LOGIN" in offered:
        for line in ("AUTH LOGIN", _base64(user)):
            _expect(smtp.docmd(line), host, (334,), "the login", refused=LoginRefused)
        answer = smtp.docmd(_base64(password))
    else:
        raise _missing(smtp, f"{host}: offers neither AUTH PLAIN nor AUTH LOGIN")
    _expect(answer, host, (235,), "user name or password", refused=LoginRefused)


def _log_in_by_token(smtp: smtplib.SMTP, host: str, user: str, token: str) -> None:
    """AUTH XOAUTH2 (developers.google.com/workspace/gmail/imap/xoauth2-protocol). The token has a line of its own: a
    command may have 512 octets (RFC 5321 4.5.3.1.4), a line of the exchange 12,288 (RFC 4954 4)."""
    if "XOAUTH2" not in smtp.esmtp_features.get("auth", "").upper().split():
        raise _missing(smtp, f"{host}: offers no AUTH XOAUTH2, which a sign_in needs")
    _expect(smtp.docmd("AUTH", "XOAUTH2"), host, (334,), "the login", refused=LoginRefused)
    answer = smtp.docmd(_base64(f"user={user}\1auth=Bearer {token}\1\1"))
    if answer[0] == 334:  # why it is refused; the refusal itself comes after an empty line
        answer = smtp.docmd("")
    _expect(answer, host, (235,), "the token", refused=LoginRefused)


def _expect(
    answer: tuple[int, bytes], host: str, wanted: tuple[int, ...], what: str, *, refused: type[Permanent] = Permanent
) -> None:
    """Raises: Transient for 4xx and for what is no answer, `refused` for every other unwanted answer."""
    code, words = answer
    if code in wanted:
        return
    kind = refused if code >= 500 else Transient
    raise kind(f"{host}: does not take {what}: {code} {_text(words)}")


@contextmanager
def _translated(host: str) -> Iterator[None]:
    """Foreign errors before the final dot: nothing was sent."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        kind = Permanent if error.smtp_code >= 500 else Transient
        raise kind(f"{host}: {error.smtp_code} {_text(error.smtp_error)}") from error
    except OSError as error:
        raise Transient(f"{host}: the connection was lost, nothing was sent: {error}") from error


def _text(words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return " ".join(text.split())


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
