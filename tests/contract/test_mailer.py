"""One suite for every Mailer: the memory double, a Maildir, SMTP to a real server, EWS; then what only one can do."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.graph_sites import graph_mailer
from tests.doubles.crossing import Crossing, nothing
from tests.doubles.mailer import MemoryMailer
from tests.servers.certificates import Authority, Certificate
from tests.servers.dovecot import Dovecot
from tests.servers.scripted import Line, ScriptedServer, scripted_server
from tests.servers.smtp import SmtpServer, running_smtp_server
from triaged.backends.imap.sent import ImapSent
from triaged.backends.maildir import MaildirMailer
from triaged.backends.smtp import SmtpMailer, SmtpSettings
from triaged.decision import Outgoing
from triaged.errors import LoginRefused, Permanent, Transient, TriagedError, Uncertain
from triaged.ports import Mailer

HEAR, HEAR_MAIL, RESET = "hear a line", "hear a mail", "reset"
OPENING = ["220 here", HEAR, "250-here\n250 SIZE 100000000", HEAR, "250 sender ok", HEAR, "250 recipient ok", HEAR]


def outgoing(*, sender: str = "desk@example.test", body: bytes = b"Good day.\r\n") -> Outgoing:
    message_id = f"<{uuid.uuid4().hex}@example.test>"
    head = f"From: desk@example.test\r\nTo: client@example.com\r\nMessage-ID: {message_id}\r\n\r\n".encode()
    return Outgoing(sender, "client@example.com", message_id, head + body)


DOTTED = b".\r\n..\r\n.hidden\r\nwords\r\n. \r\n\r\n.\r\nend\r\n"


class Site:
    """A mailer under test and what arrived: where it can be seen, or what tells it."""

    def __init__(self, mailer: Mailer, arrived: object, *, twice: int) -> None:
        self.mailer = mailer
        self._arrived = arrived
        self.twice = twice
        """How many mails two sendings make."""

    def arrived(self) -> list[bytes]:
        if isinstance(self._arrived, SmtpServer):
            return [taken.octets for taken in self._arrived.mails]
        if isinstance(self._arrived, MemoryMailer):
            return [mail.octets for mail in self._arrived.sent]
        if callable(self._arrived):
            return list(self._arrived())
        if isinstance(self._arrived, list):
            return list(self._arrived)
        assert isinstance(self._arrived, Path)
        files = (self._arrived / "new").iterdir()
        return [path.read_bytes() for path in sorted(files, key=lambda path: path.stat().st_mtime_ns)]


@pytest.fixture(params=["memory", "maildir", "smtp", "ews fake", "graph fake"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if request.param == "ews fake":
        pytest.importorskip("exchangelib")
        from tests.contract.ews_sites import EwsMailer, fresh_address, running_fake, settings_of

        authority: Authority = request.getfixturevalue("authority")
        with running_fake(authority, fresh_address()) as fake:
            mailer = EwsMailer(settings_of(fake, authority))
            yield Site(mailer, lambda: fake.sent, twice=2)
            mailer.close()
        return
    if request.param == "smtp":
        server: SmtpServer = request.getfixturevalue("smtp_server")
        found = Site(SmtpMailer(server.settings(), sent=None), server, twice=2)
    elif request.param == "graph fake":
        with graph_mailer(request.getfixturevalue("authority")) as (mailer, sent):
            yield Site(mailer, sent, twice=2)
            mailer.close()
        return
    elif request.param == "maildir":
        found = Site(MaildirMailer(tmp_path / "out"), tmp_path / "out", twice=1)
    else:
        memory = MemoryMailer()
        found = Site(memory, memory, twice=2)
    yield found
    found.mailer.close()


@pytest.mark.parametrize("body", [b"Good day.\r\n", DOTTED, b"", b"a line\r\n" * 25_000], ids=len)
def test_arrives_octet_for_octet(site: Site, body: bytes) -> None:
    mail = outgoing(body=body)
    assert site.mailer.send(mail, nothing) != ""
    assert site.arrived() == [mail.octets]


def test_several_mails_in_a_row(site: Site) -> None:
    mails = [outgoing() for _ in range(5)]
    for mail in mails:
        site.mailer.connect()
        site.mailer.send(mail, nothing)
    assert site.arrived() == [mail.octets for mail in mails]


def test_done_twice(site: Site) -> None:
    mail = outgoing()
    site.mailer.send(mail, nothing)
    site.mailer.send(mail, nothing)
    assert site.arrived() == [mail.octets] * site.twice


def test_was_sent_is_never_wrong(site: Site) -> None:
    mail = outgoing()
    assert site.mailer.was_sent(mail.message_id) in (False, None)
    site.mailer.send(mail, nothing)
    assert site.mailer.was_sent(mail.message_id) in (True, None)


def test_the_point_of_no_return_is_told_before_and_after_it_is_passed(site: Site) -> None:
    class Watching(Crossing):
        def begins(self) -> None:
            super().begins()
            assert site.arrived() == []

    crossing = Watching()
    words = site.mailer.send(outgoing(), crossing)
    assert crossing.told == ["begins", words]
    assert len(site.arrived()) == 1


def test_without_leave_to_pass_it_nothing_arrives(site: Site) -> None:
    crossing = Crossing(Transient("the disk is full"))
    with pytest.raises(Transient, match="the disk is full"):
        site.mailer.send(outgoing(), crossing)
    assert site.arrived() == crossing.told == []
    mail = outgoing()
    site.mailer.send(mail, nothing)
    assert site.arrived() == [mail.octets]


def test_closing_twice_and_going_on(site: Site) -> None:
    site.mailer.close()
    site.mailer.connect()
    site.mailer.close()
    site.mailer.close()
    site.mailer.send(outgoing(), nothing)
    assert len(site.arrived()) == 1


# --- Maildir -----------------------------------------------------------------------------------------------------


def test_a_maildir_knows_a_mail_that_a_reader_has_moved(tmp_path: Path) -> None:
    mailer = MaildirMailer(tmp_path)
    mail = outgoing()
    assert mailer.was_sent(mail.message_id) is False
    mailer.send(mail, nothing)
    (found,) = (tmp_path / "new").iterdir()
    found.rename(tmp_path / "cur" / (found.name + ":2,S"))
    assert mailer.was_sent(mail.message_id) is True
    mailer.send(mail, nothing)
    assert list((tmp_path / "new").iterdir()) == list((tmp_path / "tmp").iterdir()) == []


def test_a_maildir_that_cannot_be_made_is_permanent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Permanent):
        MaildirMailer(tmp_path / "file").send(outgoing(), nothing)


# --- SMTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
def mailer(smtp_server: SmtpServer) -> Iterator[SmtpMailer]:
    made = SmtpMailer(smtp_server.settings(), sent=None)
    yield made
    made.close()


@pytest.mark.parametrize("sender", ["", "desk@example.test"])
def test_the_envelope(mailer: SmtpMailer, smtp_server: SmtpServer, sender: str) -> None:
    assert mailer.send(outgoing(sender=sender), nothing) == "250 2.0.0 queued"
    (taken,) = smtp_server.mails
    assert (taken.sender, taken.recipients) == (sender, ("client@example.com",))


@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "dot"])
@pytest.mark.parametrize(
    ("answer", "raised"),
    [("451 4.3.2 try later", Transient), ("550 5.7.1 not wanted here", Permanent), ("421 4.3.0 closing", Transient)],
)
def test_refusals(
    mailer: SmtpMailer, smtp_server: SmtpServer, moment: str, answer: str, raised: type[TriagedError]
) -> None:
    smtp_server.answers[moment] = answer
    with pytest.raises(raised, match=answer[4:]) as caught:
        mailer.send(outgoing(), nothing)
    assert type(caught.value) is raised
    assert smtp_server.mails == []
    smtp_server.answers.clear()
    mailer.send(outgoing(), nothing)
    assert len(smtp_server.mails) == 1


@pytest.mark.parametrize(
    ("moment", "raised", "taken"), [("MAIL", Transient, 0), ("RCPT", Transient, 0), ("dot", Uncertain, 1)]
)
def test_cuts(mailer: SmtpMailer, smtp_server: SmtpServer, moment: str, raised: type[TriagedError], taken: int) -> None:
    smtp_server.cut_at = moment  # type: ignore[assignment]
    with pytest.raises(TriagedError) as caught:
        mailer.send(outgoing(), nothing)
    assert type(caught.value) is raised
    assert len(smtp_server.mails) == taken
    smtp_server.cut_at = None
    mailer.send(outgoing(), nothing)
    assert len(smtp_server.mails) == taken + 1


def test_silence_after_the_mail_is_uncertain(mailer: SmtpMailer, smtp_server: SmtpServer) -> None:
    smtp_server.silent_at_dot = True
    started = time.monotonic()
    with pytest.raises(Uncertain):
        mailer.send(outgoing(), nothing)
    assert 0.9 < time.monotonic() - started < 4  # answer_s, not timeout_s


def test_a_connection_that_went_stale_is_found_before_the_mail(mailer: SmtpMailer, smtp_server: SmtpServer) -> None:
    mailer.send(outgoing(), nothing)
    mailer.connect()
    mailer.send(outgoing(), nothing)
    assert smtp_server.logins == 1
    smtp_server.close_connections()
    assert mailer.send(outgoing(), nothing).startswith("250")
    assert smtp_server.logins == 2
    assert len(smtp_server.mails) == 3


def test_a_wrong_password_is_tried_once(smtp_server: SmtpServer) -> None:
    mailer = SmtpMailer(smtp_server.settings(password="wörng"), sent=None)
    with pytest.raises(LoginRefused):
        mailer.connect()
    assert smtp_server.refused_logins == 1


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ("454 4.7.0 try later", Transient),
        ("535 5.7.8 no", LoginRefused),
        ("550 5.7.30 basic authentication is off", LoginRefused),
    ],
)
def test_answers_to_the_login(smtp_server: SmtpServer, answer: str, raised: type[TriagedError]) -> None:
    smtp_server.answers["AUTH"] = answer
    with pytest.raises(TriagedError) as caught:
        SmtpMailer(smtp_server.settings(), sent=None).connect()
    assert type(caught.value) is raised


def test_a_dead_port_is_transient(smtp_server: SmtpServer) -> None:
    settings = dataclasses.replace(smtp_server.settings(), port=1)
    with pytest.raises(Transient):
        SmtpMailer(settings, sent=None).send(outgoing(), nothing)


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("which", ["wrong_host", "expired", "stranger"])
def test_a_bad_certificate_is_permanent_and_nothing_is_told(dovecot: Dovecot, which: str, security: str) -> None:
    certificate: Certificate = getattr(dovecot.authority, which)

    def serve(line: Line, _: ScriptedServer) -> None:
        if security == "starttls":
            line.say("220 here")
            line.hear()
            line.say("250-here\n250 STARTTLS")
            assert line.hear() == "STARTTLS"
            line.say("220 go")
            line.start_tls(certificate.server_context())
        line.hear()

    context = certificate.server_context() if security == "tls" else None
    with scripted_server(serve, tls=context) as server:
        good = SmtpSettings(
            "localhost", server.port, "tls", "desk", "secret", str(dovecot.authority.ca_file), timeout_s=5
        )
        settings = dataclasses.replace(good, security=security)  # type: ignore[arg-type]
        with pytest.raises(Permanent, match="localhost: its certificate is not accepted"):
            SmtpMailer(settings, sent=None).send(outgoing(), nothing)
    assert server.connections == 1
    assert b"".join(server.heard) in (b"", b"ehlo localhost\r\nSTARTTLS\r\n")


def test_stripped_starttls_is_permanent_before_the_login(dovecot: Dovecot) -> None:
    with running_smtp_server(dovecot.authority, offer_starttls=False) as server:
        with pytest.raises(Permanent, match="STARTTLS"):
            SmtpMailer(server.settings(), sent=None).send(outgoing(), nothing)
        assert (server.logins, server.refused_logins, server.mails) == (0, 0, [])


@pytest.mark.parametrize(
    ("steps", "raised"),
    [
        ([], Transient),
        (["554 no service"], Permanent),
        (["421 busy"], Transient),
        (["hello?"], Transient),
        (["220 here", HEAR], Transient),
        (OPENING, Transient),  # cut when DATA is asked for
        ([*OPENING, "451 not now"], Transient),
        ([*OPENING, "554 no mail today"], Permanent),
        ([*OPENING, "354 go", HEAR, RESET], Transient),  # cut within the mail
        ([*OPENING, "354 go", HEAR_MAIL], Uncertain),
        ([*OPENING, "354 go", HEAR_MAIL, RESET], Uncertain),
        ([*OPENING, "354 go", HEAR_MAIL, "nonsense"], Uncertain),
        ([*OPENING, "354 go", HEAR_MAIL, "250-half an answer"], Uncertain),
        ([*OPENING, "354 go", HEAR_MAIL, "354 go on"], Uncertain),
        ([*OPENING, "354 go", HEAR_MAIL, "452 full"], Transient),
        ([*OPENING, "354 go", HEAR_MAIL, "552 too large"], Permanent),
    ],
)
def test_every_step_cut_or_refused(steps: list[str], raised: type[TriagedError]) -> None:
    def serve(line: Line, _: ScriptedServer) -> None:
        for step in steps:
            if step == RESET:
                line.reset()
                return
            if step in (HEAR, HEAR_MAIL):
                while line.hear() != "." and step == HEAR_MAIL:
                    pass
            else:
                line.say(step)

    # More than the sockets' buffers hold, where the mail is cut within.
    body = b"line\r\n" if HEAR_MAIL in steps else b"line\r\n" * 2_000_000
    with scripted_server(serve) as server:
        mailer = SmtpMailer(SmtpSettings("127.0.0.1", server.port, "none", timeout_s=5, answer_s=5), sent=None)
        with pytest.raises(TriagedError) as caught:
            mailer.send(outgoing(body=body), nothing)
        assert type(caught.value) is raised
        mailer.close()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipient", "client@example.com>\r\nRCPT TO:<other@example.com"),
        ("recipient", "client@example.com> <other@example.com"),
        ("recipient", "Client <client@example.com>"),
        ("recipient", "clïent@example.com"),
        ("recipient", ""),
        ("sender", "desk@example.test> BODY=8BITMIME"),
        ("octets", b"Subject: x\r\n\r\nhello\n.\nMAIL FROM:<>\r\n"),
        ("octets", b"Subject: x\r\n\r\nhello\r.\r\n"),
    ],
)
def test_nothing_breaks_out_of_its_command(
    mailer: SmtpMailer, smtp_server: SmtpServer, field: str, value: object
) -> None:
    with pytest.raises(Permanent):
        mailer.send(dataclasses.replace(outgoing(), **{field: value}), nothing)  # type: ignore[arg-type]
    assert smtp_server.mails == []


def test_settings_do_not_show_the_password(smtp_server: SmtpServer, dovecot: Dovecot) -> None:
    for settings in (smtp_server.settings(), dovecot.settings()):
        assert settings.password not in repr(settings)


# --- the copy in Sent ----------------------------------------------------------------------------------------------


def test_a_copy_lies_in_sent_and_is_found(smtp_server: SmtpServer, dovecot: Dovecot) -> None:
    smtp_server.lmtp_port = dovecot.lmtp_port
    mailer = SmtpMailer(smtp_server.settings(), sent=ImapSent(None, dovecot.settings()))
    mail = dataclasses.replace(outgoing(body=DOTTED), recipient="ann@example.test")
    assert mailer.was_sent(mail.message_id) is None
    assert mailer.send(mail, nothing) == "250 2.0.0 queued"
    assert mailer.was_sent(mail.message_id) is True
    assert mailer.was_sent("<another@example.test>") is None
    mailer.close()
    with dovecot.client() as reader:
        reader.select_folder("Sent Items", readonly=True)
        (uid,) = reader.search(["HEADER", "Message-ID", mail.message_id])
        copy = reader.fetch([uid], ["FLAGS", "BODY.PEEK[]"])[uid]
    assert (copy[b"BODY[]"], b"\\Seen" in copy[b"FLAGS"]) == (mail.octets, True)
    with dovecot.client("ann") as reader:
        reader.select_folder("INBOX", readonly=True)
        (uid,) = reader.search(["HEADER", "Message-ID", mail.message_id])
        assert reader.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"].endswith(mail.octets)


def test_a_folder_of_its_own_name_is_made(dovecot: Dovecot) -> None:
    sent = ImapSent(f"Sent by triaged {uuid.uuid4().hex}", dovecot.settings())
    mail = outgoing()
    assert sent.find(mail.message_id) is False
    sent.append(mail.octets)
    assert sent.find(mail.message_id) is True
    sent.close()
    assert sent.find(mail.message_id) is True
    sent.close()


def test_no_copy_in_sent_does_not_undo_the_sending(smtp_server: SmtpServer, dovecot: Dovecot) -> None:
    dead = dataclasses.replace(dovecot.settings(), port=1)
    mailer = SmtpMailer(smtp_server.settings(), sent=ImapSent(None, dead))
    mail = outgoing()
    assert "no copy in Sent" in mailer.send(mail, nothing)
    assert [taken.octets for taken in smtp_server.mails] == [mail.octets]
    with pytest.raises(Transient):
        mailer.was_sent(mail.message_id)
    mailer.close()
