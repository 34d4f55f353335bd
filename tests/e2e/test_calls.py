"""A call, from the client's wish to its end: offered, chosen, accepted, moved by the client, moved and cancelled by us;
through a real IMAP, SMTP and CalDAV server, with mails as clients and their calendars send them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar, Event

from tests.e2e.conftest import MailServers
from tests.e2e.site import Site, mail, make_site, running, wait_for
from tests.e2e.test_imap_smtp_caldav import calendar_text, mails_in, part
from tests.servers.radicale import Radicale
from triaged.log.calls import calls

RULES = """
[[rule]]
name = "Wants to talk"
when.says = "talk about"
then.acknowledge = "request"
then.call = { with = "account manager", within = "3 business days", minutes = 30, way = "offer", notice = "1 hour" }

[[rule]]
name = "Every other client"
when.account = "*"
then.acknowledge = "received"
"""
ANN = "Ann Client <ann@example.test>"


@pytest.fixture
def url(radicale: Radicale) -> str:
    """Lena's calendar."""
    return radicale.make_calendar("lena-calls")


@pytest.fixture
def site(servers: MailServers, radicale: Radicale, url: str, tmp_path: Path) -> Site:
    (tmp_path / "secrets-cal").write_text(radicale.password)
    calendar = (
        f'calendar = {{ kind = "caldav", url = "{url}", user = "{radicale.user}", password_file = "secrets-cal" }}'
    )
    site = make_site(tmp_path, mailboxes=servers.mailbox(), outgoing=servers.outgoing(), calendar=calendar, rules=RULES)
    with site.config.open("a") as file:
        file.write('\n[calls]\nnotice = "1 hour"\nlocation = "Phone: we call you"\n')
    return site


def test_a_call_is_offered_chosen_accepted_moved_and_cancelled(
    site: Site, servers: MailServers, radicale: Radicale, url: str
) -> None:
    def events() -> list[Event]:
        return list(Calendar.from_ical(calendar_text(radicale, url)).walk("VEVENT"))

    def to_ann() -> list[EmailMessage]:
        return mails_in(servers.imap, "ann")

    def ann_writes(octets: bytes, subject: str) -> Any:
        servers.imap.deliver(octets, sender="ann@example.test")
        return wait_for(lambda: site.ended(subject), f"{subject} is triaged")

    with running(site):
        # She asks, and gets three times that are kept free for her.
        wish = mail("Next phase", "Could we talk about the next phase?\n\nAnn\n", message_id="<wish@client.example>")
        row = ann_writes(wish, "Next phase")
        (offer,) = wait_for(to_ann, "the offer arrives")
        text = part(offer, "text/plain").get_content()
        offered = [line for line in text.splitlines() if line[:2] in ("1.", "2.", "3.")]
        assert len(offered) == 3, text
        assert all(f"{line}" in part(offer, "text/html").get_content() for line in offered)
        held = sorted(events(), key=lambda event: event.start)
        assert [str(event["STATUS"]) for event in held] == ["TENTATIVE"] * 3
        assert state(site) == "offered"

        # She chooses the second: it is booked, the others are free again, and she is invited.
        reply = f"In-Reply-To: {offer['Message-ID']}\nReferences: <wish@client.example> {offer['Message-ID']}\n"
        ann_writes(mail("Re: Next phase", "The second one works for me.\n\nAnn\n", more=reply), "Re: Next phase")
        _, invitation = wait_for(lambda: to_ann() if len(to_ann()) == 2 else None, "the invitation arrives")
        (booked,) = events()
        invited = event_of(invitation, "REQUEST")
        assert (booked.start, booked.end) == (held[1].start, held[1].end) == (invited.start, invited.end)
        assert (str(booked["UID"]), int(invited["SEQUENCE"])) == (str(invited["UID"]), 0)
        assert str(invited["ORGANIZER"]) == "mailto:desk@example.test"
        assert {str(each) for each in invited["ATTENDEE"]} == {"mailto:ann@example.test", "mailto:bob@example.test"}
        assert offered[1].removeprefix("2. ") in part(invitation, "text/plain").get_content()
        assert state(site) == "booked"

        # Her calendar accepts; nobody answers a calendar.
        ann_writes(calendar_mail("Accepted: call", reply_to(invited, "ACCEPTED"), "REPLY"), "Accepted: call")
        assert state(site) == "accepted"
        assert len(to_ann()) == 2

        # Her calendar proposes another time, which is free: the call moves.
        later = booked.start + timedelta(days=7)
        counter = reply_to(invited, "TENTATIVE", method="COUNTER", start=later)
        ann_writes(calendar_mail("New time proposed", counter, "COUNTER"), "New time proposed")
        moved = wait_for(lambda: to_ann()[2:] or None, "the new invitation arrives")[0]
        update = event_of(moved, "REQUEST")
        assert (update.start, int(update["SEQUENCE"]), str(update["UID"])) == (later, 1, str(booked["UID"]))
        assert [event.start for event in events()] == [later]

        # A colleague moves it again by hand, then cancels it.
        again = (later + timedelta(days=1)).astimezone(UTC)
        done = site.triaged("calls", "move", row.reference, again.isoformat(), "--yes")
        assert done.returncode == 0, done.stderr
        moved = wait_for(lambda: to_ann()[3:] or None, "the second move arrives", timeout_s=60)[0]
        update = event_of(moved, "REQUEST")
        assert (update.start.astimezone(UTC), int(update["SEQUENCE"])) == (again, 2)
        (listed,) = (json.loads(line) for line in site.triaged("calls", "list", "--json").stdout.splitlines())
        assert (listed["state"], listed["moves"], listed["client"]) == ("booked", 2, "ann@example.test")
        assert site.triaged("calls", "cancel", row.reference, "--yes").returncode == 0
        cancelled = wait_for(lambda: to_ann()[4:] or None, "the cancellation arrives", timeout_s=60)[0]
        gone = event_of(cancelled, "CANCEL")
        assert (str(gone["UID"]), int(gone["SEQUENCE"]), str(gone["STATUS"])) == (str(booked["UID"]), 3, "CANCELLED")
        assert events() == []
    assert state(site) == "cancelled"
    assert site.triaged("calls", "list", "--json").stdout == ""
    assert len(to_ann()) == 5
    for each in to_ann():
        assert each["Auto-Submitted"] in ("auto-replied", "auto-generated")


def test_the_commands_name_what_is_wrong_and_ask_before_they_do_anything(tmp_path: Path) -> None:
    site = make_site(tmp_path, rules=RULES.replace('way = "offer"', 'way = "book"'))
    with site.config.open("a") as file:
        file.write('\n[calls]\nnotice = "1 hour"\n')
    site.drop("1", mail("Next phase", "Could we talk about the next phase?\n\nAnn\n"))
    site.drop("2", mail("Our figures"))
    site.run_once()
    row, other = site.row("Next phase"), site.row("Our figures")
    assert row is not None
    assert other is not None
    listed = site.triaged("calls", "list").stdout
    assert row.reference in listed
    assert "Lena Brandt" in listed
    for arguments, code, words in (
        (("move", row.reference, "2020-01-01 10:00"), 2, "is over"),
        (("move", row.reference, "next Tuesday"), 2, "is no day and time"),
        (("move", row.reference, "2027-03-28 02:30", "--zone", "Europe/Berlin"), 2, "skip 2027-03-28 02:30"),
        (("move", row.reference, "2027-03-29 10:00", "--zone", "Europe/Berln"), 2, "did you mean 'Europe/Berlin'"),
        (("move", "999", "2027-03-29 10:00"), 1, "there is no mail 999"),
        (("cancel", other.reference), 1, "no call came of mail"),
        (("cancel", row.reference), 1, "Cancel the call of Ann Client with Lena Brandt"),
    ):
        done = site.triaged("calls", *arguments)
        said = " ".join((done.stdout + done.stderr).replace("│", " ").split())
        assert (done.returncode, words in said) == (code, True), said
    assert state(site) == "booked"
    sent = len(site.outgoing())
    written = site.config.read_text("utf-8")
    site.config.write_text(re.sub(r"(?m)^calendar = .*lena.*$", "", written), "utf-8")
    done = site.triaged("calls", "cancel", row.reference, "--yes")
    assert (done.returncode, "lena has no calendar in the configuration any more" in done.stderr) == (1, True)
    site.config.write_text(written, "utf-8")
    assert site.triaged("calls", "cancel", row.reference, "--silent", "--yes").returncode == 0
    site.run_once()
    assert state(site) == "cancelled"
    assert list((tmp_path / "calendars/lena").glob("*.ics")) == []
    assert len(site.outgoing()) == sent
    assert "is cancelled already" in site.triaged("calls", "cancel", row.reference).stderr


def state(site: Site) -> str:
    reader = site.reader()
    try:
        (row,) = calls(reader)
        return row.call.state
    finally:
        reader.close()


def event_of(message: EmailMessage, method: str) -> Event:
    """The event of an invitation; its MIME method is that of the object (RFC 6047 2.4)."""
    found = part(message, "text/calendar")
    assert found["Content-Type"].params["method"] == method
    calendar = Calendar.from_ical(found.get_content())
    assert str(calendar["METHOD"]) == method
    (event,) = calendar.walk("VEVENT")
    return event


def reply_to(invited: Event, partstat: str, *, method: str = "REPLY", start: datetime | None = None) -> str:
    """What Ann's calendar sends, as most do: the event's own times in UTC, one ATTENDEE."""
    start = (start or invited.start).astimezone(UTC)
    lines = (
        "BEGIN:VCALENDAR",
        "PRODID:-//Example//Calendar//EN",
        "VERSION:2.0",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{invited['UID']}",
        f"SEQUENCE:{invited['SEQUENCE']}",
        f"DTSTAMP:{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
        f"DTEND:{start + timedelta(minutes=30):%Y%m%dT%H%M%SZ}",
        f"ORGANIZER:{invited['ORGANIZER']}",
        f"ATTENDEE;PARTSTAT={partstat}:mailto:ann@example.test",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return "\r\n".join((*lines, ""))


def calendar_mail(subject: str, ics: str, method: str) -> bytes:
    """A mail of Ann's calendar: an empty text and the iTIP object (RFC 6047)."""
    octets = mail(subject, "@")
    head, _, _ = octets.partition(b"\r\n\r\n")
    head = head.rpartition(b"MIME-Version")[0]
    body = (
        'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="=_b"\r\n\r\n'
        '--=_b\r\nContent-Type: text/plain; charset="utf-8"\r\n\r\n\r\n'
        f'--=_b\r\nContent-Type: text/calendar; charset="utf-8"; method={method}\r\n\r\n{ics}\r\n--=_b--\r\n'
    )
    return head + body.encode()
