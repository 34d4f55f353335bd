"""The review desk beside the running worker, on real servers, in a real browser: what coordinators do, end to end."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import MailServers
from tests.e2e.site import RULES, Site, Worker, mail, make_site, running, wait_for
from tests.e2e.test_imap_smtp_caldav import SENT, mails_in, part
from tests.web.site import add_users, sign_in
from triaged.config import load_config
from triaged.log.answers import looked_until
from triaged.log.rows import EffectRow, EventRow, LogRow

ASKED = "Good morning,\n\ncould you please send me the invoice of October?\n\nAnn\n"
HELD = RULES.replace('then.acknowledge = "received"', 'then.acknowledge = "received"\nthen.send = "approve"')
PATIENCE_MS = 40_000
"""For what the worker does meanwhile; on a machine that does nothing else it is there within two seconds."""


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
    return port


def desk_site(servers: MailServers, folder: Path, *, port: int, rules: str = RULES) -> Site:
    """A site on the mail servers with a desk on this port, and one user of each role."""
    site = make_site(
        folder,
        mailboxes=servers.mailbox().replace("poll_s = 60", "poll_s = 1"),
        outgoing=servers.outgoing(more='keep_sent_in = "desk"'),
        calendar="",
        service=f'\n[desk]\nlisten = "127.0.0.1:{port}"',
        rules=rules,
    )
    add_users(load_config(site.config))
    return site


def is_served(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def working(site: Site, port: int) -> Iterator[str]:
    """The worker with its desk; the desk's address."""
    with running(site):
        wait_for(lambda: is_served(port), "the desk answers")
        yield f"http://127.0.0.1:{port}"


def desk_of(worker: Worker) -> int | None:
    """The number of the process that serves the desk."""
    for each in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            command = (each / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if parent == worker.started.pid and b"desk" in command:
            return int(each.name)
    return None


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def row_of(site: Site, subject: str) -> LogRow:
    row = site.row(subject)
    assert row is not None
    return row


def effects(site: Site, message: int) -> list[EffectRow]:
    with closing(site.reader()) as reader:
        return reader.effects(message)


def events(site: Site, message: int) -> list[EventRow]:
    with closing(site.reader()) as reader:
        return reader.events(message)


# --- mail comes, is put right, and what is approved leaves ------------------------------------------------------------


def test_what_is_approved_is_what_the_client_gets(servers: MailServers, tmp_path: Path, page: Page) -> None:
    port = free_port()
    site = desk_site(servers, tmp_path, port=port, rules=HELD)
    with working(site, port) as address:
        sign_in(page, address, "carl", back="/log")
        today = page.context.new_page()
        today.goto(f"{address}/")
        for each in (page, today):
            each.evaluate("window.isTheSame = true")
        expect(today.locator("#today")).to_contain_text("No mail of a person.")
        servers.imap.deliver(mail("Invoice of October", ASKED), sender="ann@example.test")

        new = page.get_by_role("link", name="Invoice of October")
        page.bring_to_front()
        expect(new).to_be_visible(timeout=PATIENCE_MS)
        today.bring_to_front()
        expect(today.locator("#today")).to_contain_text("Ann's Bakery", timeout=PATIENCE_MS)
        assert [each.evaluate("window.isTheSame") for each in (page, today)] == [True, True]
        today.close()

        new.click()
        row = row_of(site, "Invoice of October")
        fields = page.get_by_role("group", name="What it is")
        for box in fields.get_by_role("checkbox").all():
            box.set_checked(False)
        fields.get_by_label("renewal", exact=True).check()
        page.get_by_role("button", name="Put right").click()
        expect(page.get_by_text("Category request → renewal.")).to_be_visible()
        assert row_of(site, "Invoice of October").categories == ("renewal",)

        page.goto(f"{address}/queue?at={row.id}&kind=approve")
        shown = page.locator(".held .letter").text_content() or ""
        assert row.reference in shown
        assert mails_in(servers.imap, "ann") == []
        (held,) = (each for each in effects(site, row.id) if each.kind == "ack")
        approved = sha(held.payload["mail"]["octets"].encode())
        page.keyboard.press("a")
        expect(page.get_by_text("It leaves in half a minute")).to_be_visible()
        wait_for(lambda: site.ended("Invoice of October"), "it left", timeout_s=45)
    (answer,) = mails_in(servers.imap, "ann")
    assert part(answer, "text/plain").get_content().splitlines() == shown.splitlines()
    (ack,) = (each for each in effects(site, row.id) if each.kind == "ack")
    assert answer["Message-ID"] == ack.payload["mail"]["message_id"]
    (taken,) = servers.smtp.mails
    assert sha(taken.octets) == approved
    assert "by carl" in next(each.detail for each in events(site, row.id) if each.name == "ack.approved")


def sha(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


# --- a person answers by themselves -----------------------------------------------------------------------------------


def test_a_reply_from_any_mail_program_ends_what_is_owed(servers: MailServers, tmp_path: Path, page: Page) -> None:
    port, asked = free_port(), "<invoice.1@client.example>"
    site = desk_site(servers, tmp_path, port=port)
    with working(site, port) as address:
        servers.imap.deliver(mail("Invoice of October", ASKED, message_id=asked), sender="ann@example.test")
        row = wait_for(lambda: site.ended("Invoice of October"), "the mail is acknowledged")
        assert row.due is not None
        (ours,) = mails_in(servers.imap, "desk", SENT)  # our acknowledgement, which names the mail as a reply does
        assert ours["In-Reply-To"] == asked
        acknowledged = datetime.now(UTC)

        def looked() -> bool:
            with closing(site.reader()) as reader:
                until = looked_until(reader, "desk")
            return until is not None and until > acknowledged

        wait_for(looked, "the folder of sent mail was looked into")
        assert row_of(site, "Invoice of October").answered is None
        sign_in(page, address, "carl", back="/items")
        page.evaluate("window.isTheSame = true")
        link = page.get_by_role("link", name="Invoice of October")
        expect(page.get_by_role("region", name=re.compile("^Due")).filter(has=link)).to_have_count(1)

        reply = (
            "From: Lena Brandt <desk@example.test>\r\nTo: Ann Client <ann@example.test>\r\nSubject: Re: Invoice\r\n"
            f"Message-ID: <re.1@desk.example>\r\nIn-Reply-To: {asked}\r\n\r\nHere it is.\r\n"
        )
        with servers.imap.client() as client:
            client.append(SENT, reply.encode(), flags=[b"\\Seen"])
        answered = page.get_by_role("region", name=re.compile("^Answered, not yet done"))
        expect(answered.filter(has=link)).to_have_count(1, timeout=PATIENCE_MS)
        assert page.evaluate("window.isTheSame")
        answered.get_by_role("button", name="This one is done").click()
        expect(page.get_by_text("Nothing is open.")).to_be_visible()
    assert row_of(site, "Invoice of October").done is not None
    (told,) = (each.detail for each in events(site, row.id) if each.name == "answered")
    assert told.startswith("by desk@example.test; sent ")
    assert told.endswith(f"it lies in {SENT} of desk")


# --- a rule is edited -------------------------------------------------------------------------------------------------


def test_a_rule_that_is_edited_in_the_page_decides_the_next_mail(
    servers: MailServers, tmp_path: Path, page: Page
) -> None:
    port = free_port()
    site = desk_site(servers, tmp_path, port=port)
    with working(site, port) as address:
        servers.imap.deliver(mail("Before", ASKED), sender="ann@example.test")
        assert wait_for(lambda: site.ended("Before"), "the mail before").priority == "normal"
        sign_in(page, address, "carl", back="/rules")
        page.get_by_role("link", name="test.toml", exact=True).click()
        text = page.get_by_label(re.compile("^Text of the file"))
        edited = RULES.replace('then.acknowledge = "received"', 'then.acknowledge = "received"\nthen.priority = "high"')
        text.fill(edited)
        page.get_by_role("button", name="See what would change").click()
        expect(page.get_by_role("link", name="Before")).to_be_visible(timeout=PATIENCE_MS)
        assert row_of(site, "Before").priority == "normal"
        page.get_by_label("Why").fill("Clients wait too long")
        page.get_by_role("button", name="Save and use").click()
        expect(page.locator(".said").first).to_be_visible(timeout=PATIENCE_MS)

        def is_in_use() -> bool:
            with closing(site.reader()) as reader:
                return any("Clients wait too long" in str(each) for each in reader.select("SELECT why FROM rule_use"))

        wait_for(is_in_use, "the rules are taken")
        servers.imap.deliver(mail("After", ASKED), sender="ann@example.test")
        assert wait_for(lambda: site.ended("After"), "the mail after").priority == "high"
    assert (tmp_path / "rules/test.toml").read_text(encoding="utf-8").strip() == edited.strip()


# --- the two programs, and what one does to the other -----------------------------------------------------------------


def test_a_killed_desk_stops_no_mail_and_comes_back(servers: MailServers, tmp_path: Path) -> None:
    port = free_port()
    site = desk_site(servers, tmp_path, port=port)
    with running(site) as worker:
        wait_for(lambda: is_served(port), "the desk answers")
        first = desk_of(worker)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        servers.imap.deliver(mail("Meanwhile", ASKED), sender="ann@example.test")
        wait_for(lambda: site.ended("Meanwhile"), "mail goes on")
        wait_for(lambda: desk_of(worker) not in (None, first) and is_served(port), "another desk answers")
    assert len(mails_in(servers.imap, "ann")) == 1


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_the_desk_ends_with_the_worker(servers: MailServers, tmp_path: Path, by: signal.Signals) -> None:
    port = free_port()
    site = desk_site(servers, tmp_path, port=port)
    with running(site) as worker:
        wait_for(lambda: is_served(port), "the desk answers")
        desk = desk_of(worker)
        assert desk is not None
        worker.started.send_signal(by)
        worker.started.wait(20)
        wait_for(lambda: not is_alive(desk), "the desk ended")
    assert not is_served(port)


def test_a_port_that_is_taken_is_told_and_mail_goes_on(servers: MailServers, tmp_path: Path) -> None:
    def desk() -> tuple[str, str]:
        with closing(site.reader()) as reader:
            return next(((each.state, each.detail) for each in reader.health() if each.part == "desk"), ("", ""))

    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        site = desk_site(servers, tmp_path, port=port)
        with running(site) as worker:
            wait_for(lambda: desk()[0] == "trouble", "the trouble is told")
            assert "the review desk ended" in desk()[1]
            code, status = site.status()
            assert (code, status["troubled"]) == (1, True)
            assert "desk" in [each["part"] for each in status["parts"] if each["state"] == "trouble"]
            servers.imap.deliver(mail("Meanwhile", ASKED), sender="ann@example.test")
            wait_for(lambda: site.ended("Meanwhile"), "mail goes on")
            taken.close()
            wait_for(lambda: is_served(port) and desk()[0] == "ok", "the desk is well when the port is free")
            assert "address already in use" in worker.said()
