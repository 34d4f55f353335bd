"""F5: certificates and TLS that are not right: no credential and no octet of a mail leaves, for IMAP, SMTP and CalDAV.

Expired, foreign and wrong-host certificates of IMAP and SMTP, and servers without STARTTLS, are in tests/contract.
"""

from __future__ import annotations

import dataclasses
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doubles.crossing import nothing
from tests.e2e.site import mail, make_site, running, wait_for
from tests.faults.proxy import running_proxy
from tests.servers.certificates import Authority, Certificate
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.scripted import Line, ScriptedServer, scripted_server
from tests.servers.smtp import SmtpServer
from triaged.backends.caldav import CaldavCalendar
from triaged.backends.imap.line import ImapSettings
from triaged.backends.imap.mailbox import ImapMailbox
from triaged.backends.smtp import SmtpMailer, SmtpSettings
from triaged.decision import Outgoing
from triaged.errors import Permanent, Transient, TriagedError
from triaged.ports import keys_after

SECRET = "the-password"
MAIL = Outgoing("desk@example.test", "client@example.com", "<f5@example.test>", b"Subject: ours\r\n\r\nthe words\r\n")
OURS = (b"desk", b"the-password", b"dGhlLXBhc3N3b3Jk", b"AGRlc2sAdGhl", b"ours", b"the words", b"BEGIN:VCALENDAR")
"""What must not leave: user, password, both in base64, mail and event."""
RECOVERED_S = 60.0


def read_mail(port: int, ca_file: Path, security: str) -> None:
    settings = ImapSettings("localhost", port, security, "desk", SECRET, str(ca_file), timeout_s=3)  # type: ignore[arg-type]
    box = ImapMailbox("desk", "INBOX", settings, max_message_bytes=1_000_000)
    try:
        list(box.fetch(keys_after(box, None)))
    finally:
        box.close()


def send_mail(port: int, ca_file: Path, security: str) -> None:
    settings = SmtpSettings("localhost", port, security, "desk", SECRET, str(ca_file), timeout_s=3)  # type: ignore[arg-type]
    mailer = SmtpMailer(settings, sent=None)
    try:
        mailer.send(MAIL, nothing)
    finally:
        mailer.close()


def book_call(port: int, ca_file: Path, _security: str) -> None:
    calendar = CaldavCalendar(
        f"https://localhost:{port}/desk/any/",
        user="desk",
        password=SECRET,
        ca_file=str(ca_file),
        timeout_s=3,
        timezone="Europe/Berlin",
    )
    try:
        calendar.add("uid", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    finally:
        calendar.close()


Attempt = Callable[[int, Path, str], None]
ATTEMPTS: dict[str, Attempt] = {"imap": read_mail, "smtp": send_mail, "caldav": book_call}


def told(heard: list[bytes]) -> list[bytes]:
    """What of ours is among the octets that a server heard."""
    octets = b"".join(heard)
    return [words for words in OURS if words in octets]


def greet(line: Line, protocol: str) -> None:
    """Up to the moment before TLS begins, for the protocols that begin without."""
    if protocol == "smtp":
        line.say("220 here")
        line.hear()
        line.say("250-here\n250 STARTTLS")
        assert line.hear() == "STARTTLS"
    else:
        line.say("* OK ready")
        line.say(f"* CAPABILITY IMAP4rev1 STARTTLS\n{line.hear().split()[0]} OK done")
        assert line.hear().endswith("STARTTLS")


def serve(protocol: str, security: str, context: ssl.SSLContext) -> Callable[[Line, ScriptedServer], None]:
    """A server that takes what comes, once TLS stands."""

    def script(line: Line, _: ScriptedServer) -> None:
        if security == "starttls":
            greet(line, protocol)
            line.say("220 go" if protocol == "smtp" else "A OK go")
            line.start_tls(context)
        elif protocol == "smtp":
            line.say("220 here")
        elif protocol == "imap":
            line.say("* OK ready")
        while True:
            line.hear()

    return script


def old_tls(certificate: Certificate) -> ssl.SSLContext:
    """A server that speaks nothing newer than TLS 1.1."""
    context = certificate.server_context()
    with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def bad_contexts(authority: Authority) -> dict[str, ssl.SSLContext]:
    return {
        "expired": authority.expired.server_context(),
        "wrong host": authority.wrong_host.server_context(),
        "stranger": authority.stranger.server_context(),
        "TLS 1.1": old_tls(authority.good),
    }


def refused(attempt: Attempt, server: ScriptedServer, authority: Authority, security: str) -> list[bytes]:
    """The attempt must fail with an error of ours; what it gave away."""
    with pytest.raises(TriagedError):
        attempt(server.port, authority.ca_file, security)
    assert server.connections >= 1
    return told(server.heard)


def test_old_tls_is_spoken_by_who_wants_to(authority: Authority) -> None:
    """The guard: the server of TLS 1.1 is one that could be talked to."""
    with scripted_server(serve("caldav", "tls", old_tls(authority.good)), tls=old_tls(authority.good)) as server:
        context = ssl.create_default_context(cafile=authority.ca_file)
        with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):
            context.minimum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with (
            socket.create_connection(("127.0.0.1", server.port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as line,
        ):
            assert line.version() in ("TLSv1", "TLSv1.1")


@pytest.mark.parametrize("which", ["expired", "wrong host", "stranger", "TLS 1.1"])
@pytest.mark.parametrize(
    ("protocol", "security"),
    [("imap", "tls"), ("imap", "starttls"), ("smtp", "tls"), ("smtp", "starttls"), ("caldav", "tls")],
)
def test_nothing_leaves_over_bad_tls(authority: Authority, protocol: str, security: str, which: str) -> None:
    context = bad_contexts(authority)[which]
    with scripted_server(serve(protocol, security, context), tls=context if security == "tls" else None) as server:
        assert refused(ATTEMPTS[protocol], server, authority, security) == []


@pytest.mark.parametrize(
    "injected", ["220 go\n250-here\n250 AUTH PLAIN LOGIN", "220 go\n250 here\n235 you are in\n250 sender\n354 go"]
)
def test_smtp_words_said_before_tls_are_forgotten(authority: Authority, injected: str) -> None:
    """In one packet with the go-ahead: as answers to what is said within TLS they would be an attacker's."""

    def script(line: Line, _: ScriptedServer) -> None:
        greet(line, "smtp")
        line.say(injected)
        line.start_tls(authority.good.server_context())
        line.hear()
        line.say("421 not now")  # who believed the injected words goes on with the login all the same
        while True:
            line.hear()

    with scripted_server(script) as server:
        assert refused(send_mail, server, authority, "starttls") == []


def test_imap_words_said_before_tls_are_forgotten(authority: Authority) -> None:
    def script(line: Line, _: ScriptedServer) -> None:
        greet(line, "imap")
        tag = line.heard[-1].split()[0].decode()
        line.say(
            f"{tag} OK go\n* OK [UIDVALIDITY 666] theirs\n* OK [UIDNEXT 67] theirs\n* SEARCH 66\n* PREAUTH welcome"
        )
        line.start_tls(authority.good.server_context())
        answers = {"CAPABILITY": "* CAPABILITY IMAP4rev1", "EXAMINE": "* OK [UIDVALIDITY 7] ours", "UID": "* SEARCH 1"}
        while True:
            tag, command, *_ = line.hear().split()
            line.say(f"{answers.get(command, '* OK ours')}\n{tag} OK done")

    with scripted_server(script) as server:
        settings = ImapSettings("localhost", server.port, "starttls", "desk", SECRET, str(authority.ca_file))
        box = ImapMailbox("desk", "INBOX", settings, max_message_bytes=1_000_000)
        assert keys_after(box, None) == ("7/1",)
        box.close()


def test_a_greeting_that_says_logged_in_already_does_not_avoid_tls(authority: Authority) -> None:
    def script(line: Line, _: ScriptedServer) -> None:
        line.say("* PREAUTH welcome")
        while True:
            tag, *words = line.hear().split()
            line.say(f"* CAPABILITY IMAP4rev1\n{tag} OK done" if words == ["CAPABILITY"] else f"{tag} OK done")

    with scripted_server(script) as server:
        assert refused(read_mail, server, authority, "starttls") == []


def test_a_middlebox_that_takes_starttls_out(dovecot: Dovecot, smtp_server: SmtpServer) -> None:
    """Real servers behind a proxy that overwrites the word; it keeps all that the client says."""
    for attempt, port in ((read_mail, dovecot.imap_port), (send_mail, smtp_server.port)):
        with running_proxy(port) as proxy:
            proxy.replaces = (b"STARTTLS", b"XXXXXXXX")
            with pytest.raises(Permanent, match="STARTTLS"):
                attempt(proxy.port, dovecot.authority.ca_file, "starttls")
            assert told([bytes(proxy.heard)]) == []
            assert len(proxy.heard) > 5


def test_through_the_same_proxy_all_is_well_when_it_changes_nothing(smtp_server: SmtpServer) -> None:
    with running_proxy(smtp_server.port) as proxy:
        settings = dataclasses.replace(smtp_server.settings(), port=proxy.port)
        mailer = SmtpMailer(settings, sent=None)
        mailer.send(MAIL, nothing)
        mailer.close()
        assert told([bytes(proxy.heard)]) == [], "within TLS"
    assert [taken.octets for taken in smtp_server.mails] == [MAIL.octets]


def test_a_calendar_with_a_bad_certificate_is_tried_again(authority: Authority) -> None:
    """Who renews it must not find every call of the last hour with a person."""
    context = authority.expired.server_context()
    with scripted_server(serve("caldav", "tls", context), tls=context) as server, pytest.raises(Transient):
        book_call(server.port, authority.ca_file, "tls")


def renewed(folder: Path, good: Dovecot, *, trouble_s: float) -> float:
    """A worker whose server's certificate runs out; seconds from its renewal until a mail is seen."""
    expired = dataclasses.replace(good.authority, good=good.authority.expired)
    with running_dovecot(authority=expired) as bad, running_proxy(good.imaps_port) as proxy:
        table = (
            f'[[mailbox]]\nname = "desk"\nkind = "imap"\naddress = "desk@example.test"\nhost = "localhost"\n'
            f'port = {proxy.port}\nuser = "desk@example.test"\npassword_file = "secrets/desk"\n'
            f'ca_file = "{good.authority.ca_file}"\n'
        )
        site = make_site(folder / "site", mailboxes=table)
        with running(site) as worker:
            proxy.server_port = bad.imaps_port
            proxy.cut()
            worker.wait_for_line("its certificate is not accepted", timeout_s=60)
            threading.Event().wait(trouble_s)
            good.deliver(mail("renewed"))
            proxy.server_port = good.imaps_port
            began = time.monotonic()
            wait_for(lambda: site.row("renewed"), "the mail's row", timeout_s=600)
            return time.monotonic() - began


def long_run(folder: Path) -> None:
    """A certificate is put right while the worker runs, after a minute of trouble."""
    with running_dovecot() as good:
        took_s = renewed(folder, good, trouble_s=60)
    print(f"F5 TLS: certificate renewed, the mailbox was back after {took_s:.0f} s without a restart")  # noqa: T201
    assert took_s <= RECOVERED_S
