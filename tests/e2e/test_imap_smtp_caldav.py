"""From a client's mail to the answer in their mailbox and the call in the calendar, through real servers."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

from icalendar import Calendar
from imapclient import IMAPClient

from tests.e2e.conftest import MailServers
from tests.e2e.forwarder import forwarder
from tests.e2e.site import LONG_S, Site, mail, make_site, running, wait_for
from tests.servers.dovecot import Dovecot
from tests.servers.radicale import Radicale
from triaged.log.rows import LogRow
from triaged.mail.compose import make_message_id

SENT = "Sent Items"


def mails_in(server: Dovecot, user: str, folder: str = "INBOX") -> list[EmailMessage]:
    with server.client(user) as client:
        client.select_folder(folder, readonly=True)
        found = client.fetch(client.search(), ["BODY.PEEK[]"])
    octets = [found[uid][b"BODY[]"] for uid in sorted(found)]
    return [email.message_from_bytes(each, policy=email.policy.default) for each in octets]


def answers_to(message_id: str, mails: list[EmailMessage]) -> list[EmailMessage]:
    return [each for each in mails if each["In-Reply-To"] == message_id]


def flags(client: IMAPClient, folder: str) -> dict[int, tuple[bytes, ...]]:
    client.select_folder(folder, readonly=True)
    return {uid: facts[b"FLAGS"] for uid, facts in client.fetch(client.search(), ["FLAGS"]).items()}


def part(answer: EmailMessage, kind: str) -> EmailMessage:
    (found,) = (each for each in answer.walk() if each.get_content_type() == kind)
    return found


def test_a_mail_is_answered_at_once_and_once(servers: MailServers, tmp_path: Path) -> None:
    site = make_site(
        tmp_path, mailboxes=servers.mailbox(), outgoing=servers.outgoing(more='keep_sent_in = "desk"'), calendar=""
    )
    asked, older = "<figures.1@client.example>", "<before.1@client.example>"
    with running(site):
        octets = mail("Our figures", message_id=asked, more=f"References: {older}\n")
        servers.imap.deliver(octets, sender="ann@example.test")
        # Without IDLE nobody looks again for 30 seconds.
        row = wait_for(lambda: site.ended("Our figures"), "the answer is sent", timeout_s=10)
    assert (row.account_id, row.effects) == ("C-1", (("ack", "done"),))

    (answer,) = mails_in(servers.imap, "ann")
    key = site.reader().message(row.id)
    assert key is not None
    assert answer["Message-ID"] == make_message_id(
        (tmp_path / "state/secret").read_bytes(), f"ack:{key.key}", "desk.example"
    )
    assert answer["Return-Path"] == "<>"
    assert str(answer["From"]) == "Client Desk <desk@example.test>"
    assert str(answer["To"]) == "Ann Client <ann@example.test>"
    assert answer["Cc"] is None
    assert answer["Auto-Submitted"] == "auto-replied"
    assert answer["X-Auto-Response-Suppress"] == "All"
    assert answer["In-Reply-To"] == asked
    assert str(answer["References"]).split() == [older, asked]
    assert answer.get_content_type() == "multipart/alternative"
    for kind in ("text/plain", "text/html"):
        assert row.reference in part(answer, kind).get_content()
    (taken,) = servers.smtp.mails
    assert (taken.sender, taken.recipients) == ("", ("ann@example.test",))
    (copy,) = mails_in(servers.imap, "desk", SENT)
    assert copy["Message-ID"] == answer["Message-ID"]
    with servers.imap.client() as client:
        assert [set(each) - {b"\\Recent"} for each in flags(client, "INBOX").values()] == [set()]

    assert "decided" not in site.run_once()
    assert len(servers.smtp.mails) == 1


def test_mails_that_come_again_under_new_numbers_are_not_answered_again(servers: MailServers, tmp_path: Path) -> None:
    """UIDVALIDITY changes when a folder is made anew, so every mail in it has a new key."""
    mailboxes = servers.mailbox(folder="Clients") + servers.mailbox("bob")
    site = make_site(tmp_path, mailboxes=mailboxes, outgoing=servers.outgoing(), calendar="")
    written = [mail(f"Matter {number}") for number in range(3)]

    def lay(client: IMAPClient) -> int:
        client.create_folder("Clients")
        for octets in written:
            client.append("Clients", octets, flags=[b"\\Flagged"])
        return int(client.folder_status("Clients", ["UIDVALIDITY"])[b"UIDVALIDITY"])

    with servers.imap.client() as client:
        validity = lay(client)
        site.run_once()
        assert len(servers.smtp.mails) == 3
        client.delete_folder("Clients")
        assert lay(client) != validity
        servers.imap.deliver(mail("Something new"), to="bob", sender="ann@example.test")
        site.run_once()
        assert sorted(row.copies for row in site.rows()) == [1, 2, 2, 2]
        subjects = sorted(str(email.message_from_bytes(taken.octets)["In-Reply-To"]) for taken in servers.smtp.mails)
        assert len(subjects) == len(set(subjects)) == 4
        assert [set(each) - {b"\\Recent"} for each in flags(client, "Clients").values()] == [{b"\\Flagged"}] * 3
        client.delete_folder("Clients")


def test_a_gold_complaint_is_told_to_the_manager_and_a_call_is_booked_once(
    servers: MailServers, radicale: Radicale, tmp_path: Path
) -> None:
    url = radicale.make_calendar("lena-e2e")
    (tmp_path / "secrets-cal").write_text(radicale.password)
    calendar = (
        f'calendar = {{ kind = "caldav", url = "{url}", user = "{radicale.user}", password_file = "secrets-cal" }}'
    )
    site = make_site(tmp_path, mailboxes=servers.mailbox(), outgoing=servers.outgoing(), calendar=calendar)
    complaint = "<complaint.1@client.example>"
    body = "Good day,\n\nthis is a formal complaint: nobody came, for the third time.\n\nAnn\n"
    octets = mail("Nobody came", body, message_id=complaint)
    with running(site):
        servers.imap.deliver(octets, sender="ann@example.test")
        row = wait_for(lambda: _with_all(site, "Nobody came", {"ack", "call", "notify", "invitation"}), "all is done")
    assert dict(row.effects) == {"ack": "done", "call": "done", "notify": "done", "invitation": "done"}
    assert row.priority == "urgent"

    (told,) = mails_in(servers.imap, "bob")
    assert str(told["To"]) == "Lena Brandt <bob@example.test>"
    assert told["Auto-Submitted"] == "auto-generated"
    assert "nobody came, for the third time" in part(told, "text/plain").get_content()

    answers = answers_to(complaint, mails_in(servers.imap, "ann"))
    assert len(answers) == 2
    (invitation,) = (each for each in answers if any(p.get_content_type() == "text/calendar" for p in each.walk()))
    invited = part(invitation, "text/calendar")
    assert invited["Content-Type"].params["method"] == "REQUEST"
    event = _only_event(invited.get_content())
    booked = _only_event(calendar_text(radicale, url))
    assert (event["UID"], event.start, event.end) == (booked["UID"], booked.start, booked.end)
    assert (booked.end - booked.start).total_seconds() == 30 * 60
    assert str(booked["ORGANIZER"]) == "mailto:bob@example.test"
    assert [str(each) for each in event["ATTENDEE"]] == ["mailto:bob@example.test", "mailto:ann@example.test"]
    assert str(event["ORGANIZER"]) == "mailto:desk@example.test"

    servers.imap.deliver(octets, sender="ann@example.test")
    site.run_once()
    assert [row.copies for row in site.rows()] == [2]
    assert _only_event(calendar_text(radicale, url))["UID"] == booked["UID"]
    assert len(servers.smtp.mails) == 3


def test_triaged_mail_is_moved_and_stays_in_the_log(servers: MailServers, tmp_path: Path) -> None:
    site = make_site(
        tmp_path,
        mailboxes=servers.mailbox(more='file_into = "Done/Triaged"'),
        outgoing=servers.outgoing(),
        calendar="",
    )
    for number in range(3):
        servers.imap.deliver(mail(f"Moved {number}"), sender="ann@example.test")
    site.run_once()
    assert mails_in(servers.imap, "desk") == []
    assert sorted(each["Subject"] for each in mails_in(servers.imap, "desk", "Done/Triaged")) == [
        "Moved 0",
        "Moved 1",
        "Moved 2",
    ]
    assert [dict(row.effects) for row in site.rows()] == [{"ack": "done", "file": "done"}] * 3


def test_one_dead_server_holds_up_no_other_mailbox(servers: MailServers, tmp_path: Path) -> None:
    with forwarder(servers.imap.imaps_port) as way:
        mailboxes = servers.mailbox() + servers.mailbox("bob", port=way.port)
        site = make_site(tmp_path, mailboxes=mailboxes, outgoing=servers.outgoing(), calendar="")
        with running(site) as worker:
            code, status = site.status()
            assert (code, status["running"]) == (0, True)
            way.cut()
            worker.wait_for_line("health part='mailbox bob' state=trouble")
            servers.imap.deliver(mail("Meanwhile"), sender="ann@example.test")
            servers.imap.deliver(mail("Not seen yet"), to="bob", sender="ann@example.test")
            wait_for(lambda: site.ended("Meanwhile"), "the other mailbox goes on", timeout_s=10)
            code, status = site.status()
            parts = {each["part"]: each for each in status["parts"]}
            assert code == 1
            assert parts["mailbox bob"]["state"] == "trouble"
            assert "localhost" in parts["mailbox bob"]["detail"]
            assert parts["mailbox desk"]["state"] == "ok"
            assert site.row("Not seen yet") is None

            way.start()
            wait_for(lambda: site.ended("Not seen yet"), "it recovers by itself", timeout_s=LONG_S)
            code, status = site.status()
            assert code == 0
            assert {each["state"] for each in status["parts"]} == {"ok"}


def _with_all(site: Site, subject: str, kinds: set[str]) -> LogRow | None:
    row = site.ended(subject)
    return row if row is not None and kinds <= dict(row.effects).keys() else None


def calendar_text(server: Radicale, url: str) -> str:
    """All objects of a calendar as one, past the code under test."""
    with server.session() as session:
        answer = session.get(url, timeout=10)
    answer.raise_for_status()
    return answer.text


def _only_event(text: str):  # type: ignore[no-untyped-def]
    (event,) = Calendar.from_ical(text).events
    return event


def test_a_start_amid_an_outage_works_for_all_others(servers: MailServers, tmp_path: Path) -> None:
    """Once the service has run, a server that does not answer is an outage: after a reboot nobody waits for it."""
    with forwarder(servers.imap.imaps_port) as way:
        mailboxes = servers.mailbox() + servers.mailbox("bob", port=way.port)
        site = make_site(tmp_path, mailboxes=mailboxes, outgoing=servers.outgoing(), calendar="")
        with running(site):
            pass
        way.cut()
        with running(site) as worker:  # ready, though one mailbox is not
            worker.wait_for_line("health part='mailbox bob' state=trouble")
            servers.imap.deliver(mail("Amid the outage"), sender="ann@example.test")
            wait_for(lambda: site.ended("Amid the outage"), "the other mailbox is worked on", timeout_s=10)
            code, _ = site.status()
            assert code == 1
            way.start()
            wait_for(lambda: site.status()[0] == 0, "it recovers by itself", timeout_s=LONG_S)
