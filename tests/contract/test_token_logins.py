"""Tokens where passwords stood: IMAP to a real Dovecot that asks our fake about them, SMTP, and CalDAV to a fake."""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import pytest

from tests.doubles.crossing import nothing
from tests.servers import dovecot as dovecot_server
from tests.servers.certificates import Authority
from tests.servers.dovecot import Dovecot
from tests.servers.https import HttpsServer, Request, Response, running
from tests.servers.oauth import Grant, OAuthFake, dovecot_that_asks, running_oauth
from tests.servers.scripted import Line, ScriptedServer, scripted_server
from tests.servers.smtp import SmtpServer
from triaged.backends.caldav import CaldavCalendar
from triaged.backends.imap.line import ImapSettings
from triaged.backends.imap.mailbox import ImapMailbox
from triaged.backends.smtp import SmtpMailer, SmtpSettings
from triaged.decision import Outgoing
from triaged.errors import LoginRefused, Permanent, Transient, TriagedError
from triaged.model import Interval
from triaged.ports import keys_after


@dataclass
class Held:
    """`Tokens` that a test hands out: each refusal gives the next one. fails: what is raised in place of the next."""

    texts: list[str]
    refused: list[str] = field(default_factory=list)
    asked: int = 0
    fails: TriagedError | None = None

    def token(self, refused: str = "") -> str:
        self.asked += 1
        if self.fails is not None and self.asked > 1:
            raise self.fails
        if refused == self.texts[0]:
            self.refused.append(refused)
            if len(self.texts) > 1:
                self.texts.pop(0)
        return self.texts[0]


def good(fake: OAuthFake, user: str = "desk@example.test", *, lasts_s: float = 3600) -> str:
    """A token that the fake knows."""
    token = f"access-{len(fake.tokens)}-{user}-{'x' * 1500}"  # as long as Microsoft's
    fake.tokens[token] = Grant(user, "https://outlook.office.com/IMAP.AccessAsUser.All", "app", _now() + lasts_s)
    return token


def _now() -> float:
    return datetime.now(UTC).timestamp()


@pytest.fixture(scope="module")
def fake(authority: Authority) -> Iterator[OAuthFake]:
    with running_oauth(authority) as oauth:
        yield oauth


# --- IMAP ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def imap(authority: Authority, fake: OAuthFake) -> Iterator[Dovecot]:
    """A Dovecot that takes tokens, and passwords as ever."""
    if not dovecot_server.is_installed():
        if os.environ.get("CI") == "true":
            pytest.fail(dovecot_server.NEEDS)
        pytest.skip(dovecot_server.NEEDS)
    with dovecot_that_asks(fake, authority) as server:
        yield server


def mailbox(settings: ImapSettings) -> ImapMailbox:
    return ImapMailbox("desk", "INBOX", settings, max_message_bytes=1_000_000)


def by_token(server: Dovecot, tokens: Held, *, security: Literal["tls", "starttls"] = "tls") -> ImapSettings:
    return dataclasses.replace(server.settings(security=security), password="", tokens=tokens)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_imap_by_a_token(imap: Dovecot, fake: OAuthFake, security: Literal["tls", "starttls"]) -> None:
    imap.deliver(b"Subject: hello\r\n\r\nGood day.\r\n")
    held = Held([good(fake)])
    box = mailbox(by_token(imap, held, security=security))
    box.connect()
    assert len(keys_after(box, None)) > 0
    box.close()
    assert (held.asked, held.refused) == (1, [])


def test_imap_by_a_password_as_ever(imap: Dovecot, fake: OAuthFake) -> None:
    before = len(fake.server.requests)
    box = mailbox(imap.settings())
    box.connect()
    box.close()
    with pytest.raises(LoginRefused, match="user name or password is refused"):
        mailbox(imap.settings(password="wrong")).connect()
    assert len(fake.server.requests) == before


def test_imap_a_token_that_was_ended_early_is_replaced_once(imap: Dovecot, fake: OAuthFake) -> None:
    old, new = good(fake), good(fake)
    fake.tokens[old].alive = False
    held = Held([old, new])
    box = mailbox(by_token(imap, held))
    box.connect()
    box.close()
    assert (held.asked, held.refused) == (2, [old])


@pytest.mark.parametrize("which", ["ended", "unknown", "of somebody else"])
def test_imap_tokens_that_do_not_open_the_mailbox(imap: Dovecot, fake: OAuthFake, which: str) -> None:
    tokens = {
        "ended": [good(fake, lasts_s=-1), good(fake, lasts_s=-1), good(fake)],
        "unknown": ["nobody's-1", "nobody's-2", good(fake)],
        "of somebody else": [good(fake, "ann@example.test"), good(fake, "ann@example.test"), good(fake)],
    }[which]
    held = Held(list(tokens))
    with pytest.raises(LoginRefused, match=r"does not open the mailbox of desk@example\.test") as caught:
        mailbox(by_token(imap, held)).connect()
    assert held.refused == [tokens[0]]
    assert not any(token in str(caught.value) for token in tokens)


@pytest.mark.parametrize("error", [Transient("sign-in ms: busy"), LoginRefused("sign-in ms: sign in again")])
def test_imap_what_the_sign_in_says_is_passed_on(imap: Dovecot, error: TriagedError) -> None:
    held = Held(["nobody's"], fails=error)
    with pytest.raises(type(error), match="sign-in ms"):
        mailbox(by_token(imap, held)).connect()
    assert held.asked == 2


def test_imap_no_token_is_logged(imap: Dovecot, fake: OAuthFake, caplog: pytest.LogCaptureFixture) -> None:
    held = Held(["nobody's-token", good(fake)])
    settings = by_token(imap, held)
    with caplog.at_level(logging.DEBUG):
        box = mailbox(settings)
        box.connect()
        box.close()
    assert len(caplog.records) > 5
    encoded = ("bm9ib2R5J3M", "YXV0aD1CZWFyZXI", "F1dGg9QmVhcmVy", "hdXRoPUJlYXJlci")  # nobody's, auth=Bearer
    for word in ("nobody's-token", held.texts[0], *encoded):
        assert word not in caplog.text
    assert "access-" not in repr(settings)


def test_imap_the_challenge_is_answered_by_an_empty_line() -> None:
    heard = []

    def serve(line: Line, _: ScriptedServer) -> None:
        line.say("* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] ready")
        while (words := line.hear()) != "":
            tag = words.split()[0]
            if "AUTHENTICATE" not in words:
                line.say(f"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\n{tag} OK done")
                continue
            line.say("+ ")
            heard.append(line.hear())
            line.say("+ eyJzdGF0dXMiOiI0MDAifQ==")
            heard.append(line.hear())
            line.say(f"{tag} NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)")

    with scripted_server(serve) as server:
        settings = ImapSettings("127.0.0.1", server.port, "none", "desk", "", timeout_s=5, tokens=Held(["one", "two"]))
        with pytest.raises(LoginRefused):
            mailbox(settings).connect()
    assert heard[1::2] == ["", ""]
    assert len(set(heard[::2])) == 2


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ("NO [UNAVAILABLE] later", Transient),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", Transient),
        (None, Transient),
    ],
)
def test_imap_trouble_is_no_refusal(answer: str | None, raised: type[TriagedError]) -> None:
    def serve(line: Line, _: ScriptedServer) -> None:
        line.say("* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] ready")
        while (words := line.hear()) != "":
            tag = words.split()[0]
            if "AUTHENTICATE" not in words:
                line.say(f"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\n{tag} OK done")
                continue
            if answer is None:
                return
            line.say("+ ")
            line.hear()
            line.say(f"{tag} {answer}")

    held = Held(["one", "two"])
    with scripted_server(serve) as server:
        settings = ImapSettings("127.0.0.1", server.port, "none", "desk", "", timeout_s=5, tokens=held)
        with pytest.raises(TriagedError) as caught:
            mailbox(settings).connect()
    assert type(caught.value) is raised
    assert held.refused == []


def test_imap_a_server_that_takes_no_tokens(dovecot: Dovecot) -> None:
    with pytest.raises(Permanent, match="offers no AUTH=XOAUTH2") as caught:
        mailbox(by_token(dovecot, Held(["one"]))).connect()
    assert not isinstance(caught.value, LoginRefused)


# --- SMTP ----------------------------------------------------------------------------------------------------------


MAIL = Outgoing("", "client@example.com", "<1@example.test>", b"Subject: hello\r\n\r\nGood day.\r\n")


def mailer(server: SmtpServer, tokens: Held, fake: OAuthFake) -> SmtpMailer:
    def user_of(token: str) -> str | None:
        grant = fake.user_of(token)
        return grant.user if grant is not None else None

    server.user_of = user_of
    return SmtpMailer(dataclasses.replace(server.settings(), password="", tokens=tokens), sent=None)


def test_smtp_by_a_token(smtp_server: SmtpServer, fake: OAuthFake) -> None:
    held = Held([good(fake)])
    made = mailer(smtp_server, held, fake)
    made.send(MAIL, nothing)
    made.close()
    assert [mail.recipients for mail in smtp_server.mails] == [("client@example.com",)]
    assert smtp_server.token_logins == [f"user=desk@example.test\1auth=Bearer {held.texts[0]}\1\1"]


def test_smtp_a_token_that_was_ended_early_is_replaced_once(smtp_server: SmtpServer, fake: OAuthFake) -> None:
    held = Held(["old", good(fake)])
    made = mailer(smtp_server, held, fake)
    made.send(MAIL, nothing)
    made.close()
    assert (held.refused, smtp_server.refused_logins, smtp_server.logins) == (["old"], 1, 1)
    assert smtp_server.challenged == [b"\r\n"]


def test_smtp_a_sign_in_that_may_not_send(smtp_server: SmtpServer, fake: OAuthFake) -> None:
    held = Held(["one", "two", good(fake)])
    with pytest.raises(LoginRefused, match=r"may not send as desk@example\.test.*535"):
        mailer(smtp_server, held, fake).send(MAIL, nothing)
    assert (held.refused, smtp_server.refused_logins, smtp_server.mails) == (["one"], 2, [])
    with pytest.raises(Transient, match="busy"):
        mailer(smtp_server, Held(["one"], fails=Transient("busy")), fake).send(MAIL, nothing)


@pytest.mark.parametrize(("answer", "raised"), [("454 4.7.0 try later", Transient), ("535 5.7.3 no", LoginRefused)])
def test_smtp_refusals_without_a_challenge(answer: str, raised: type[TriagedError]) -> None:
    def serve(line: Line, _: ScriptedServer) -> None:
        line.say("220 here")
        while (words := line.hear()) != "":
            if words.upper().startswith("EHLO"):
                line.say("250-here\n250 AUTH LOGIN XOAUTH2")
            else:
                line.say("334 " if words.startswith("AUTH") else answer)

    with scripted_server(serve) as server:
        settings = SmtpSettings("127.0.0.1", server.port, "none", "desk", timeout_s=5, tokens=Held(["one", "two"]))
        with pytest.raises(TriagedError) as caught:
            SmtpMailer(settings, sent=None).connect()
        assert type(caught.value) is raised


def test_smtp_a_server_that_takes_no_tokens() -> None:
    def serve(line: Line, _: ScriptedServer) -> None:
        line.say("220 here")
        while line.hear() != "":
            line.say("250-here\n250 AUTH PLAIN LOGIN")

    with scripted_server(serve) as server:
        settings = SmtpSettings("127.0.0.1", server.port, "none", "desk", timeout_s=5, tokens=Held(["one"]))
        with pytest.raises(Permanent, match="offers no AUTH XOAUTH2"):
            SmtpMailer(settings, sent=None).connect()
        assert b"AUTH" not in b"".join(server.heard)


# --- CalDAV --------------------------------------------------------------------------------------------------------


@contextmanager
def caldav_fake(authority: Authority, fake: OAuthFake) -> Iterator[HttpsServer]:
    """A calendar without events that takes tokens only (RFC 6750), and keeps what is put into it."""
    kept: dict[str, bytes] = {}
    lock = threading.Lock()

    def answer(request: Request) -> Response:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or fake.user_of(token) is None:
            return Response(401, b"", {"WWW-Authenticate": 'Bearer realm="calendar", error="invalid_token"'})
        with lock:
            if request.method == "PUT":
                kept[request.path] = request.body
                return Response(201)
            if request.method == "GET":
                return Response(200, kept[request.path]) if request.path in kept else Response(404)
        return Response(207, b'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"/>')

    with running(HttpsServer(answer, lambda request: ""), authority) as server:
        yield server


START, END = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
ICS = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20261122T090000Z\r\n"
    b"DTSTART:20261124T090000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def calendar(server: HttpsServer, authority: Authority, tokens: Held) -> CaldavCalendar:
    ca_file = str(authority.ca_file)
    return CaldavCalendar(
        f"{server.url}/lena/", user="", password="", ca_file=ca_file, timeout_s=5, timezone="UTC", tokens=tokens
    )


def test_caldav_by_a_token_which_is_replaced_once(authority: Authority, fake: OAuthFake) -> None:
    held = Held(["old", good(fake)])
    with caldav_fake(authority, fake) as server:
        lena = calendar(server, authority, held)
        assert lena.add("u1", ICS) is True
        assert lena.find("u1") == ICS
        busy: tuple[Interval, ...] = lena.busy(START, END)
        assert busy == ()
        lena.close()
        assert [request.method for request in server.requests] == ["PUT", "PUT", "GET", "REPORT"]
    assert held.refused == ["old"]


def test_caldav_a_calendar_that_is_not_opened(authority: Authority, fake: OAuthFake) -> None:
    held = Held(["one", "two", good(fake)])
    with caldav_fake(authority, fake) as server:
        with pytest.raises(LoginRefused, match="does not open this calendar"):
            calendar(server, authority, held).busy(START, END)
        assert len(server.requests) == 2
        with pytest.raises(Transient, match="busy"):
            calendar(server, authority, Held(["one"], fails=Transient("busy"))).busy(START, END)
