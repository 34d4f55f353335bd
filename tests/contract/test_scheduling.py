"""Servers that invite by themselves (RFC 6638) invite nobody to our events: our own mail has done so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests

from tests.servers.certificates import Authority
from tests.servers.cyrus import Cyrus
from tests.servers.dav import DavServer
from tests.servers.googledav import OWNER, GoogleCalendar, google_calendar
from tests.servers.radicale import radicale
from tests.servers.xandikos import xandikos
from triaged.backends import caldav
from triaged.backends.caldav import CaldavCalendar
from triaged.calls.invitations import event, stored_event
from triaged.model import Address, Interval

START = datetime(2026, 11, 24, 9, tzinfo=UTC)
SLOT, LATER = (Interval(START + timedelta(hours=each), START + timedelta(hours=each, minutes=30)) for each in (0, 5))
ORGANIZER = "desk@example.test"
ANSWERS_WITHIN_S = 5.0
"""Seconds; Cyrus looks for the attendee's own server first, which takes longer where no name server answers."""


def ours(slot: Interval = SLOT, *, organizer: str = ORGANIZER, **changes: object) -> bytes:
    values: dict[str, object] = {
        "uid": "call-1@triaged",
        "slot": slot,
        "organizer": Address(organizer, "Lena Berg"),
        "attendee": Address("bob@example.test", "Bob of a firm with a name so long that the line is folded"),
        "summary": "Call",
        "description": "About your message",
        "location": "",
        "timezone": "Europe/Berlin",
        "now": START,
        "method": None,
    }
    return event(**(values | changes))  # type: ignore[arg-type]


def calendar_at(url: str, server: DavServer) -> CaldavCalendar:
    return CaldavCalendar(
        url, user=server.user, password=server.password, ca_file=None, timeout_s=ANSWERS_WITHIN_S, timezone="UTC"
    )


def unfolded(octets: bytes | None) -> bytes:
    assert octets is not None
    return re.sub(rb"\r\n[ \t]", b"", octets)


def advertises(server: DavServer, url: str) -> bool:
    with server.session() as session:
        return "calendar-auto-schedule" in session.options(url, timeout=10).headers["DAV"]


def test_cyrus_invites_nobody(cyrus: Cyrus) -> None:
    url = cyrus.dav.make_calendar("calls")
    assert advertises(cyrus.dav, url)
    calendar = calendar_at(url, cyrus.dav)
    assert calendar.add("call-1@triaged", ours(SLOT)) is True
    assert calendar.replace("call-1@triaged", ours(LATER)) is True
    found = unfolded(calendar.find("call-1@triaged"))
    assert b"SCHEDULE-STATUS" not in found
    assert re.search(rb"ATTENDEE[^\r\n]*SCHEDULE-AGENT=CLIENT[^\r\n]*bob@example.test", found)
    assert calendar.remove("call-1@triaged") is True
    assert cyrus.scheduled() == ""
    assert _schedules_without_our_word(cyrus.dav, url), "the other half: it does invite when nobody tells it not to"
    calendar.close()


def _schedules_without_our_word(server: DavServer, url: str) -> bool:
    """Whether Cyrus begins to invite: it notes what came of it, or still looks for the attendee's server."""
    octets = ours(SLOT).replace(b"\r\n ", b"").replace(b";SCHEDULE-AGENT=CLIENT", b"")
    with server.session() as session:
        try:
            session.put(
                f"{url}other.ics", data=octets, headers={"Content-Type": "text/calendar"}, timeout=ANSWERS_WITHIN_S
            )
            return "SCHEDULE-STATUS" in session.get(f"{url}other.ics", timeout=ANSWERS_WITHIN_S).text
        except requests.Timeout:
            return True


@pytest.mark.skipif(find_spec("xandikos") is None, reason="needs Xandikos: pip install xandikos")
def test_xandikos_invites_nobody(tmp_path: Path) -> None:
    with xandikos(tmp_path) as server:
        url = server.make_calendar("calls")
        assert advertises(server, url)
        calendar = calendar_at(url, server)
        assert calendar.add("call-1@triaged", ours(SLOT)) is True
        assert b"SCHEDULE-AGENT=CLIENT" in unfolded(calendar.find("call-1@triaged"))
        assert _kept_elsewhere(tmp_path / "collections") == ["call-1@triaged.ics"]
        calendar.close()


KINDS: dict[str, dict[str, object]] = {
    "kept": {},
    "hold": {"attendee": None, "status": "TENTATIVE"},
    "moved": {"sequence": 1, "slot": LATER},
    "cancelled": {"sequence": 2, "status": "CANCELLED"},
    "with a link": {"location": "https://meet.example/a?b=1&c=%2C#d"},
    "with a link with commas": {"location": "https://meet.example/a?b=1,2;c"},
    "request": {"method": "REQUEST", "chair": Address("lena@example.test", "Lena")},
    "cancel": {"method": "CANCEL", "status": "CANCELLED", "sequence": 3},
}


@pytest.mark.skipif(find_spec("radicale") is None, reason="needs Radicale: pip install radicale")
def test_radicale_takes_every_kind_of_event(tmp_path: Path) -> None:
    """It parses all with vobject, another library than ours; the mailed ones are there as a client may store them."""
    with radicale(tmp_path) as server:
        for zone in ("Europe/Berlin", "Asia/Kolkata", "UTC"):
            url = server.make_calendar(zone.replace("/", "-"))
            calendar = calendar_at(url, server)
            for number, (kind, changes) in enumerate(KINDS.items()):
                uid = f"call-{number}@triaged"
                octets = ours(**({"uid": uid, "timezone": zone} | changes))
                if kind in ("request", "cancel"):
                    server.put(f"{url}{number}.ics", octets)
                else:
                    assert calendar.add(uid, octets) is True
                    assert calendar.add(uid, octets) is False
                    assert calendar.replace(uid, octets) is True
                found = calendar.find(uid)
                assert _told(found) == _told(octets), (kind, zone)
            calendar.close()


def _told(octets: bytes | None) -> set[bytes]:
    """Name and value of every line of the event; servers write its lines and parameters in an order of their own."""
    event = unfolded(octets).partition(b"BEGIN:VEVENT")[2].partition(b"END:VEVENT")[0]
    lines = [line for line in event.split(b"\r\n") if line != b""]
    return {
        re.match(rb"[A-Z-]+", line)[0] + b":" + re.sub(rb'^[A-Z-]+(?:;[A-Z-]+=(?:"[^"]*"|[^:;"]*))*:', b"", line)
        for line in lines
    }  # type: ignore[index]


def _kept_elsewhere(folder: Path) -> list[str]:
    """Every event that the server keeps, in any collection: an inbox or outbox would hold a second one."""
    return [path.name for path in folder.rglob("*.ics")]


@pytest.fixture
def google(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleCalendar]:
    monkeypatch.setattr(caldav, "GOOGLE", ("localhost",))
    with google_calendar(authority) as running:
        yield running


def test_google_is_told_of_nobody(google: GoogleCalendar, authority: Authority) -> None:
    calendar = CaldavCalendar(
        google.url, user="x", password="x", ca_file=str(authority.ca_file), timeout_s=5, timezone="UTC"
    )
    assert calendar.add("call-1@triaged", ours(SLOT, organizer="other@firm.example")) is True
    assert calendar.add("call-1@triaged", ours(LATER)) is False, "If-None-Match is not heard, so it looks first"
    found = unfolded(calendar.find("call-1@triaged"))
    assert stored_event(found).slot == SLOT
    assert (b"ATTENDEE" in found, b"ORGANIZER" in found, b"mailto:" in found) == (False, False, False)
    assert b"SUMMARY:Call\r\n" in found
    assert calendar.replace("call-1@triaged", ours(LATER)) is True
    assert calendar.busy(START, START + timedelta(days=1)) == (LATER,)
    assert google.invited == []
    calendar.close()


def test_google_would_invite_and_overwrite(
    google: GoogleCalendar, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other half: what the fake does to a client that takes it for any CalDAV server."""
    monkeypatch.setattr(caldav, "GOOGLE", ())
    calendar = CaldavCalendar(
        google.url, user="x", password="x", ca_file=str(authority.ca_file), timeout_s=5, timezone="UTC"
    )
    assert calendar.add("call-1@triaged", ours(SLOT, organizer=OWNER)) is True
    assert calendar.add("call-1@triaged", ours(LATER, organizer=OWNER)) is True
    assert google.invited == ["bob@example.test"] * 2
    calendar.close()


@pytest.mark.parametrize("host", ["apidata.googleusercontent.com", "www.google.com"])
def test_google_is_known_by_its_host(host: str) -> None:
    calendar = CaldavCalendar(
        f"https://{host}/calendar/dav/x/events/", user="x", password="x", ca_file=None, timeout_s=1, timezone="UTC"
    )
    assert calendar._kept(ours(SLOT)).count(b"bob@example.test") == 0
    other = CaldavCalendar(
        "https://google.com.example/x/", user="x", password="x", ca_file=None, timeout_s=1, timezone="UTC"
    )
    assert other._kept(ours(SLOT)) == ours(SLOT)
