"""What only IMAP can do wrong: logins, certificates, lost connections, silent pushes, servers without extensions."""

from __future__ import annotations

import dataclasses
import logging
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.servers.certificates import Certificate
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.scripted import Line, ScriptedServer, scripted_server
from triaged.backends.imap.line import ImapSettings
from triaged.backends.imap.mailbox import ImapMailbox
from triaged.errors import Gone, LoginRefused, Permanent, Transient, TriagedError
from triaged.ports import keys_after

MAIL = b"Subject: hello\r\n\r\nGood day.\r\n"


def mailbox(settings: ImapSettings, folder: str = "INBOX") -> ImapMailbox:
    return ImapMailbox("desk", folder, settings, max_message_bytes=1_000_000)


@pytest.fixture
def folder(dovecot: Dovecot) -> str:
    name = f"test {uuid.uuid4().hex}"
    with dovecot.client() as reader:
        reader.create_folder(name)
    return name


# --- logging in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_both_ways_of_tls(dovecot: Dovecot, security: str) -> None:
    box = mailbox(dovecot.settings(security=security))  # type: ignore[arg-type]
    box.connect()
    keys_after(box, None)
    box.close()


@pytest.mark.parametrize("password", ["wrong", "fälsch", 'qu"ote\\', ""])
def test_a_wrong_password_is_refused(dovecot: Dovecot, password: str) -> None:
    with pytest.raises(LoginRefused):
        mailbox(dovecot.settings(password=password)).connect()


def test_a_password_cannot_carry_a_second_command(dovecot: Dovecot) -> None:
    with pytest.raises(Permanent):
        mailbox(dovecot.settings(password='x"\r\nA1 LOGOUT')).connect()


def test_the_password_is_not_logged(dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        box = mailbox(dovecot.settings())
        box.connect()
        box.close()
        with pytest.raises(LoginRefused):
            mailbox(dovecot.settings(password="sëcret")).connect()
    assert len(caplog.records) > 5
    for word in ("desk-password", "sëcret", "AGRlc2tAZXhhbXBsZS50ZXN0"):
        assert word not in caplog.text


def test_a_dead_port_is_transient(dovecot: Dovecot) -> None:
    with pytest.raises(Transient):
        mailbox(dataclasses.replace(dovecot.settings(), port=1)).connect()


def test_an_unusable_ca_file_is_permanent(dovecot: Dovecot) -> None:
    for path in ("/nonexistent/ca.pem", str(dovecot.folder / "users")):
        with pytest.raises(Permanent, match="CA file"):
            mailbox(dataclasses.replace(dovecot.settings(), ca_file=path)).connect()


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("which", ["wrong_host", "expired", "stranger"])
def test_a_bad_certificate_is_permanent_and_nothing_is_told(dovecot: Dovecot, which: str, security: str) -> None:
    certificate: Certificate = getattr(dovecot.authority, which)

    def serve(line: Line, _: ScriptedServer) -> None:
        line.say("* OK ready")
        if security == "starttls":
            line.say(f"* CAPABILITY IMAP4rev1 STARTTLS\n{line.hear().split()[0]} OK done")
            line.say(f"{line.hear().split()[0]} OK go")
            line.start_tls(certificate.server_context())
        line.hear()

    context = certificate.server_context() if security == "tls" else None
    with scripted_server(serve, tls=context) as server:
        settings = dataclasses.replace(dovecot.settings(), port=server.port, security=security)  # type: ignore[arg-type]
        with pytest.raises(Permanent, match="localhost: its certificate is not accepted"):
            mailbox(settings).connect()
    assert server.connections == 1
    assert b"LOGIN" not in b"".join(server.heard)
    assert b"desk" not in b"".join(server.heard)


def test_a_stripped_starttls_is_permanent_before_the_login() -> None:
    with imap_server({}) as server:
        settings = ImapSettings("localhost", server.port, "starttls", "desk", "secret", timeout_s=5)
        with pytest.raises(Permanent, match="STARTTLS"):
            mailbox(settings).connect()
    assert b"secret" not in b"".join(server.heard)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ("NO [AUTHENTICATIONFAILED] no", LoginRefused),
        ("NO go away", LoginRefused),
        ("NO [UNAVAILABLE] later", Transient),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", Transient),
        ("RESET", Transient),
        ("CLOSE", Transient),
        ("SILENCE", Transient),
    ],
)
def test_answers_to_the_login(answer: str, raised: type[TriagedError]) -> None:
    with imap_server({"LOGIN": answer}) as server:
        with pytest.raises(TriagedError) as caught:
            mailbox(plain(server)).connect()
        assert type(caught.value) is raised


# --- a server that does as it is told --------------------------------------------------------------------------------


def plain(server: ScriptedServer, *, timeout_s: float = 1) -> ImapSettings:
    return ImapSettings("127.0.0.1", server.port, "none", "desk", "secret", timeout_s=timeout_s)


def imap_server(
    answers: dict[str, str], *, searches: list[str] | None = None
) -> AbstractContextManager[ScriptedServer]:
    """Answers OK to everything but `answers`; `%` in one is the tag. `searches`: results, one after the other."""
    found = iter(searches or [])
    known = {
        "CAPABILITY": "* CAPABILITY IMAP4rev1 IDLE\n% OK done",
        "EXAMINE": "* 1 EXISTS\n* OK [UIDVALIDITY 7] here\n* OK [UIDNEXT 2] next\n% OK done",
        "LOGOUT": "* BYE\n% OK bye",
    }

    def serve(line: Line, server: ScriptedServer) -> None:
        line.say("* OK ready")
        tag = ""
        while True:
            words = line.hear().split()
            if words[0] != "DONE":
                tag = words[0]
            name = words[0] if words[0] == "DONE" else words[2] if words[1] == "UID" else words[1]
            answer = answers.get(name, known.get(name, "% OK done"))
            if name == "SEARCH" and name not in answers:
                answer = f"* SEARCH {next(found, '')}\n% OK done"
            if answer == "SILENCE":
                server.ended.wait(20)
                return
            answer, resets, _ = answer.partition("RESET")
            answer, closes, _ = answer.partition("CLOSE")
            if answer != "":
                line.say(answer.strip().replace("%", tag) if answer[0] in "*+%" else f"{tag} {answer}")
            if resets != "":
                line.reset()
            if resets + closes != "":
                return

    return scripted_server(serve)


# --- waiting -------------------------------------------------------------------------------------------------------


def test_a_push_in_one_packet_with_the_idling_is_not_missed() -> None:
    answers = {"IDLE": "+ idling\n* 2 EXISTS", "DONE": "% OK done"}
    with imap_server(answers) as server:
        box = mailbox(plain(server))
        keys_after(box, None)
        started = time.monotonic()
        box.wait(15)
        assert time.monotonic() - started < 1
        box.close()


@pytest.mark.parametrize("silence", ["CLOSE", "RESET", "SILENCE"])
def test_an_idle_connection_that_died_is_seen(silence: str) -> None:
    """Silence (a black hole) is seen when IDLE is ended and no answer comes: idle_s plus timeout_s."""
    with imap_server({"IDLE": "+ idling", "DONE": silence}) as server:
        box = mailbox(dataclasses.replace(plain(server), idle_s=0.5))
        keys_after(box, None)
        started = time.monotonic()
        with pytest.raises(Transient):
            box.wait(60)
        assert 0.4 < time.monotonic() - started < 4
        assert keys_after(box, None) == ()  # connects anew
        assert server.connections == 2
        box.close()


@pytest.mark.parametrize("ending", ["CLOSE", "RESET", "* BYE shutting down\nCLOSE"])
def test_a_server_that_hangs_up_in_idle_is_seen_at_once(ending: str) -> None:
    with imap_server({"IDLE": f"+ idling\n{ending}"}) as server:
        box = mailbox(plain(server))
        keys_after(box, None)
        started = time.monotonic()
        with pytest.raises(Transient):
            box.wait(60)
        assert time.monotonic() - started < 1
        box.close()


def test_a_push_told_before_the_wait_is_not_waited_for_again() -> None:
    """A server may tell of a new mail in its answer to FETCH and then never again."""
    with imap_server({"IDLE": "+ idling", "DONE": "% OK done"}, searches=["1", "2"]) as server:
        box = mailbox(plain(server))
        assert keys_after(box, None) == ("7/1",)
        started = time.monotonic()
        box.wait(15)
        assert time.monotonic() - started < 1
        box.close()


def test_without_idle_wait_ends_by_time_and_by_wake() -> None:
    with imap_server({"CAPABILITY": "* CAPABILITY IMAP4rev1\n% OK done"}) as server:
        box = mailbox(plain(server))
        keys_after(box, None)
        started = time.monotonic()
        box.wait(0.3)
        assert 0.25 < time.monotonic() - started < 2
        threading.Timer(0.2, box.wake).start()
        box.wait(30)
        assert time.monotonic() - started < 5
        box.close()
    assert b"IDLE" not in b"".join(server.heard)


# --- folders made anew, messages the server will not give ---------------------------------------------------


def test_a_new_uidvalidity_makes_all_mails_new(dovecot: Dovecot, folder: str) -> None:
    box = mailbox(dovecot.settings(), folder)
    with dovecot.client() as reader:
        for _ in range(3):
            reader.append(folder, MAIL)
        old = keys_after(box, None)
        assert len(old) == 3
        reader.delete_folder(folder)
        reader.create_folder(folder)
        for _ in range(2):
            reader.append(folder, MAIL)
    box.connect()
    new = keys_after(box, old[-1])
    assert len(new) == 2
    assert set(new).isdisjoint(old)
    assert list(box.fetch(old)) == []
    with pytest.raises(Gone):
        box.file(old[0], "Done")
    assert len(list(box.fetch(new))) == 2
    box.close()


def test_a_message_that_the_server_will_not_give_holds_up_no_other() -> None:
    facts = '* {} FETCH (UID {} RFC822.SIZE 5 INTERNALDATE "02-Nov-2026 09:00:00 +0000")'
    answers = {"CAPABILITY": "* CAPABILITY IMAP4rev1\n% OK done", "SEARCH": "* SEARCH 1 2 3 4\n% OK done"}

    def serve(line: Line, _: ScriptedServer) -> None:
        line.say("* OK ready")
        while True:
            tag, *words = line.hear().split()
            command = " ".join(words)
            if "RFC822.SIZE" in command:
                line.say("\n".join(facts.format(uid, uid) for uid in (1, 2, 3, 4)) + f"\n{tag} OK done")
            elif command.startswith("UID FETCH 1,2,3,4"):
                line.say(f"{tag} NO [SERVERBUG] cannot read one of them")
            elif command.startswith("UID FETCH 2"):
                line.say(f"{tag} NO [SERVERBUG] cannot read it")
            elif command.startswith("UID FETCH 4"):
                line.say(f"{tag} NO [EXPUNGEISSUED] somebody deleted it just now")
            elif command.startswith("UID FETCH"):
                line.say(f"* {words[2]} FETCH (UID {words[2]} BODY[] {{5}}\nmail{words[2]})\n{tag} OK done")
            elif words[0] == "EXAMINE":
                line.say(f"* OK [UIDVALIDITY 7] here\n{tag} OK done")
            elif words[0] == "CAPABILITY" or "SEARCH" in words:
                line.say(answers["SEARCH" if "SEARCH" in words else "CAPABILITY"].replace("%", tag))
            else:
                line.say(f"{tag} OK done")

    with scripted_server(serve) as server:
        box = mailbox(plain(server))
        raws = list(box.fetch(keys_after(box, None)))
        assert [raw.octets for raw in raws] == [b"mail1", b"", b"mail3"]
        assert [raw.size_bytes for raw in raws] == [5, 5, 5]
        box.close()


def test_a_folder_of_many_uids_is_searched_in_spans() -> None:
    answers = {"EXAMINE": "* OK [UIDVALIDITY 7] here\n* OK [UIDNEXT 120000] next\n% OK done"}
    with imap_server(answers, searches=["1 49999", "70000", "119999 130000"]) as server:
        box = mailbox(plain(server))
        assert keys_after(box, None) == ("7/1", "7/49999", "7/70000", "7/119999", "7/130000")
        box.close()
    heard = b"".join(server.heard)
    for span in (b"UID 1:50000", b"UID 50001:100000", b"UID 100001:*"):
        assert heard.count(span) == 1


# --- connections cut anywhere ---------------------------------------------------------------------------------------


def test_a_connection_cut_anywhere_is_transient_and_loses_nothing(dovecot: Dovecot, folder: str) -> None:
    """The server's octets are cut off after each of many lengths, within greetings, literals and answers."""
    with dovecot.client() as reader:
        for number in (1, 2, 3):
            reader.append(folder, MAIL * 20 + b"%d\r\n" % number)
    direct = dataclasses.replace(dovecot.settings(), host="127.0.0.1", port=dovecot.imap_port, security="none")
    box = mailbox(direct, folder)
    whole = list(box.fetch(keys_after(box, None)))
    box.close()
    assert len(whole) == 3
    passed: list[int] = []
    cuts = 0
    for allowed in [10**9, *range(0, 5_000, 61)]:
        with scripted_server(cut_after(dovecot.imap_port, allowed, passed)) as proxy:
            box = mailbox(dataclasses.replace(direct, port=proxy.port, timeout_s=5), folder)
            try:
                got = list(box.fetch(keys_after(box, None)))
            except Transient:
                cuts += 1
            else:
                assert got == whole
                assert passed[-1] < allowed
            box.close()
    assert 40 < cuts < 80


def cut_after(port: int, allowed: int, passed: list[int]) -> Callable[[Line, ScriptedServer], None]:
    """A proxy that hands on so many octets of the server's, then closes; it tells in `passed` how many there were."""

    def hand_on(line: Line, _: ScriptedServer) -> None:
        count = 0
        with socket.create_connection(("127.0.0.1", port), timeout=10) as server:
            while True:
                ready = select.select([server, line.socket], [], [], 10)[0]
                octets = server.recv(65536) if server in ready else b""
                if server in ready:
                    line.socket.sendall(octets[: allowed - count])
                    count += len(octets)
                    passed.append(count)
                    if octets == b"" or count >= allowed:
                        return
                if line.socket in ready:
                    server.sendall(line.socket.recv(65536))

    return hand_on


# --- filing on lesser servers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("missing", "left"), [("MOVE", 0), ("MOVE UIDPLUS", 1)])
@pytest.mark.usefixtures("dovecot")  # skipped where it is not installed
def test_filing_without_move(missing: str, left: int) -> None:
    offered = {"IMAP4rev1", "IDLE", "MOVE", "UIDPLUS"} - set(missing.split())
    with running_dovecot(more=f"imap_capability = {' '.join(sorted(offered))}") as server, server.client() as reader:
        for number in (1, 2, 3):
            reader.append("INBOX", MAIL + b"%d\r\n" % number)
        box = mailbox(server.settings())
        keys = keys_after(box, None)
        box.file(keys[1], "Done/This year")
        with pytest.raises(Gone):
            box.file(keys[1], "Done/This year")
        box.close()
        reader.select_folder("Done/This year", readonly=True)
        found = reader.fetch(reader.search(), ["BODY.PEEK[]"])
        assert [item[b"BODY[]"] for item in found.values()] == [MAIL + b"2\r\n"]
        reader.select_folder("INBOX", readonly=True)
        assert len(reader.search("UNDELETED")) == 2
        assert len(reader.search("DELETED")) == left


def test_a_folder_that_cannot_be_made_is_permanent(dovecot: Dovecot, folder: str) -> None:
    box = mailbox(dovecot.settings(), folder)
    with dovecot.client() as reader:
        reader.append(folder, MAIL)
    (key,) = keys_after(box, None)
    with pytest.raises(Permanent) as caught:
        box.file(key, "../../elsewhere")
    assert type(caught.value) is Permanent
    assert keys_after(box, None) == (key,)
    box.close()
