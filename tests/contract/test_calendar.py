"""One suite for `ports.Calendar`: the double in memory, a folder of files, CalDAV on real servers, fakes of others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract.graph_sites import answer_by, graph_calendar, put_ics, told_of
from tests.doubles.calendar import MemoryCalendar
from tests.servers.certificates import Authority
from tests.servers.cyrus import Cyrus
from tests.servers.dav import DavServer
from tests.servers.dovecot import free_ports
from tests.servers.googledav import google_calendar
from tests.servers.radicale import Radicale, as_ann, radicale
from tests.servers.xandikos import xandikos
from triaged.backends.caldav import CaldavCalendar
from triaged.backends.ical import unfold
from triaged.backends.vdir import VdirCalendar
from triaged.backends.web import Lost
from triaged.calls.invitations import event, stored_event
from triaged.errors import Gone, LoginRefused, Permanent, Transient
from triaged.model import Address, Interval
from triaged.ports import Calendar

if TYPE_CHECKING:
    from tests.servers.ews import EwsFake

ZONE = "Europe/Berlin"
START = datetime(2026, 11, 23, tzinfo=UTC)
END = datetime(2026, 12, 21, tzinfo=UTC)


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


NINE = Interval(at(24, 9), at(24, 9, 30))


def ours(uid: str, slot: Interval) -> bytes:
    return event(
        uid=uid,
        slot=slot,
        organizer=Address("lena@firm.example", "Lena Berg"),
        attendee=Address("anna@acme.example", "Anna"),
        summary="Call: T-7K3M9QX",
        description="About your message",
        location="",
        timezone=ZONE,
        now=at(22, 9),
        method=None,
    )


def held(uid: str, slot: Interval, status: str = "TENTATIVE") -> bytes:
    """A slot held for a client: nobody organizes it, nobody is invited."""
    times = [f"{name}:{each:%Y%m%dT%H%M%SZ}" for name, each in (("DTSTART", slot.start), ("DTEND", slot.end))]
    return theirs(*times, f"STATUS:{status}", uid=uid)


def theirs(*lines: str, uid: str = "theirs") -> bytes:
    """What another program wrote: one event of these lines."""
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//other//EN", "BEGIN:VEVENT", f"UID:{uid}"]
    tail = ["DTSTAMP:20261101T000000Z", "SUMMARY:x", "END:VEVENT", "END:VCALENDAR", ""]
    return "\r\n".join([*head, *lines, *tail]).encode()


@dataclass(frozen=True, slots=True)
class Case:
    """A calendar and a way to put octets into it past the code under test, under a name."""

    calendar: Calendar
    put: Callable[[str, bytes], None]
    told: Callable[[], list[tuple[str, str, str]]] = list
    """Where the server invites: what it told attendees so far (`invite`, `update`, `cancel`; whom; the subject)."""
    answer: Callable[[str, str, str], None] = lambda uid, address, answer: None
    """Where the server invites: take in an attendee's answer, by its PARTSTAT."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    if find_spec("radicale") is None:
        pytest.skip("needs Radicale: pip install radicale")
    with radicale(tmp_path_factory.mktemp("radicale")) as running:
        yield running


def caldav(server: Radicale, url: str, **changes: object) -> CaldavCalendar:
    options = {"user": server.user, "password": server.password, "ca_file": None, "timeout_s": 10.0, "timezone": ZONE}
    return CaldavCalendar(url, **(options | changes))  # type: ignore[arg-type]


HOLDING_ICS = ["memory", "vdir", "caldav", "xandikos", "cyrus", "google fake"]
"""In which octets lie as they are, so also some that cannot be read; other servers hold only what they understood."""
INVITING = ["memory that invites", "ews fake", "graph fake"]
"""Which send invitations themselves."""


@pytest.fixture(scope="session")
def second_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DavServer]:
    if find_spec("xandikos") is None:
        pytest.skip("needs Xandikos: pip install xandikos")
    with xandikos(tmp_path_factory.mktemp("xandikos")) as running:
        yield running


@pytest.fixture(params=[*HOLDING_ICS, *INVITING])
def case(
    request: pytest.FixtureRequest, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Case]:
    if request.param == "memory":
        double = MemoryCalendar(ZONE)
        yield Case(double, double.objects.__setitem__)
    elif request.param == "memory that invites":
        double = MemoryCalendar(ZONE, invites=True)
        yield Case(
            double,
            double.objects.__setitem__,
            told=lambda: list(double.told),
            answer=lambda uid, address, answer: double.answers[uid].__setitem__(address, answer),
        )
    elif request.param == "vdir":
        yield Case(VdirCalendar(tmp_path, ZONE), lambda name, octets: put_file(tmp_path / name, octets))
    elif request.param == "ews fake":
        pytest.importorskip("exchangelib")
        from tests.contract.ews_sites import fresh_address, running_fake

        with running_fake(authority, fresh_address()) as fake:
            yield from ews_case(fake, authority)
    elif request.param == "google fake":
        monkeypatch.setattr("triaged.backends.caldav.GOOGLE", ("localhost",))
        with google_calendar(authority) as google:
            options = {"user": "lena", "password": "x", "timeout_s": 10.0, "timezone": ZONE}
            calendar = CaldavCalendar(google.url, ca_file=str(authority.ca_file), **options)  # type: ignore[arg-type]
            yield Case(calendar, google.put)
            calendar.close()
    elif request.param == "graph fake":
        with graph_calendar(request.getfixturevalue("authority"), ZONE) as (calendar, dates):
            yield Case(
                calendar,
                lambda name, octets: put_ics(dates, octets, ZONE),
                told=lambda: told_of(dates),
                answer=lambda uid, address, answer: answer_by(dates, address, answer),
            )
    else:
        names = {"caldav": "server", "xandikos": "second_server", "cyrus": "cyrus"}
        found = request.getfixturevalue(names[request.param])
        server = found.dav if isinstance(found, Cyrus) else found
        url = server.make_calendar(tmp_path.name)
        calendar = caldav(server, url)
        yield Case(calendar, lambda name, octets: server.put(url + name, octets))
        calendar.close()
        server.remove_calendar(url)


def ews_case(fake: EwsFake, authority: Authority) -> Iterator[Case]:
    from tests.contract.ews_sites import ANSWERS, EwsCalendar, put_ics, settings_of

    calendar = EwsCalendar(settings_of(fake, authority), timezone=ZONE)
    yield Case(
        calendar,
        lambda name, octets: put_ics(fake, octets, ZONE),
        told=lambda: list(fake.invitations),
        answer=lambda uid, address, answer: fake.answers(uid, address, ANSWERS[answer]),
    )
    calendar.close()


def put_file(path: Path, octets: bytes) -> None:
    path.write_bytes(octets)


def test_an_empty_calendar_is_free(case: Case) -> None:
    assert case.calendar.busy(START, END) == ()


BUSY = {
    "a time in UTC": (["DTSTART:20261124T090000Z", "DTEND:20261124T100000Z"], [(at(24, 9), at(24, 10))]),
    "a time in a zone": (
        ["DTSTART;TZID=America/New_York:20261124T090000", "DURATION:PT45M"],
        [(at(24, 14), at(24, 14, 45))],
    ),
    "a zone by its Windows name": (
        ["DTSTART;TZID=W. Europe Standard Time:20261124T090000", "DURATION:PT1H"],
        [(at(24, 8), at(24, 9))],
    ),
    "a time without a zone": (["DTSTART:20261124T090000", "DTEND:20261124T100000"], [(at(24, 8), at(24, 9))]),
    "an all-day event": (["DTSTART;VALUE=DATE:20261124", "DTEND;VALUE=DATE:20261126"], [(at(23, 23), at(25, 23))]),
    "an all-day event without an end": (["DTSTART;VALUE=DATE:20261124"], [(at(23, 23), at(24, 23))]),
    "a tentative event": (
        ["DTSTART:20261124T090000Z", "DTEND:20261124T100000Z", "STATUS:TENTATIVE"],
        [(at(24, 9), at(24, 10))],
    ),
    "one that began before the window": (
        ["DTSTART:20261120T090000Z", "DTEND:20261124T100000Z"],
        [(START, at(24, 10))],
    ),
    "one around the whole window": (["DTSTART:20260901T090000Z", "DTEND:20270301T100000Z"], [(START, END)]),
    "one that recurs since years, over the end of summer time": (
        ["DTSTART;TZID=Europe/Berlin:20240702T090000", "DURATION:PT30M", "RRULE:FREQ=WEEKLY;UNTIL=20261201T080000Z"],
        [(at(24, 8), at(24, 8, 30)), (at(1, 8, month=12), at(1, 8, 30, month=12))],
    ),
    "one that recurs without one date": (
        [
            "DTSTART:20261124T090000Z",
            "DURATION:PT30M",
            "RRULE:FREQ=DAILY;COUNT=3",
            "EXDATE:20261125T090000Z",
        ],
        [(at(24, 9), at(24, 9, 30)), (at(26, 9), at(26, 9, 30))],
    ),
    "the last weekday of the month": (
        ["DTSTART:20260130T090000Z", "DURATION:PT1H", "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"],
        [(at(30, 9), at(30, 10))],
    ),
    "a transparent event": (["DTSTART:20261124T090000Z", "DTEND:20261124T100000Z", "TRANSP:TRANSPARENT"], []),
    "a cancelled event": (["DTSTART:20261124T090000Z", "DTEND:20261124T100000Z", "STATUS:CANCELLED"], []),
    "one before the window": (["DTSTART:20261101T090000Z", "DTEND:20261101T100000Z"], []),
    "one that ends as the window begins": (["DTSTART:20261122T230000Z", "DTEND:20261123T000000Z"], []),
}


@pytest.mark.parametrize("name", BUSY)
def test_what_is_busy(case: Case, name: str) -> None:
    lines, expected = BUSY[name]
    case.put("a.ics", theirs(*lines))
    assert case.calendar.busy(START, END) == tuple(Interval(*each) for each in expected)


def test_busy_times_are_merged_and_in_order(case: Case) -> None:
    for name, since, until in (("c", 12, 13), ("a", 9, 11), ("b", 10, 12), ("d", 15, 16)):
        case.put(
            f"{name}.ics", theirs(f"DTSTART:20261124T{since:02}0000Z", f"DTEND:20261124T{until:02}0000Z", uid=name)
        )
    assert case.calendar.busy(START, END) == (Interval(at(24, 9), at(24, 13)), Interval(at(24, 15), at(24, 16)))


def test_a_moved_instance_is_busy_where_it_was_moved_to(case: Case) -> None:
    moved = theirs("DTSTART:20261124T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2").replace(
        b"END:VEVENT\r\n",
        b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:theirs\r\nDTSTAMP:20261101T000000Z\r\nRECURRENCE-ID:20261125T090000Z\r\n"
        b"DTSTART:20261125T150000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\n",
    )
    case.put("a.ics", moved)
    assert case.calendar.busy(START, END) == (Interval(at(24, 9), at(24, 10)), Interval(at(25, 15), at(25, 16)))


def test_a_task_is_not_busy(case: Case) -> None:
    task = theirs("DTSTART:20261124T090000Z", "DUE:20261124T100000Z").replace(b"VEVENT", b"VTODO")
    case.put("task.ics", task)
    assert case.calendar.busy(START, END) == ()


UNREADABLE = {
    "recurs every second": ["DTSTART:20261124T090000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY;COUNT=5"],
    "recurs every hour": ["DTSTART:20261101T090000Z", "DURATION:PT1M", "RRULE:FREQ=HOURLY;COUNT=3000"],
    "a zone that nobody knows": ["DTSTART;TZID=Customized Time Zone:20261124T090000", "DURATION:PT1H"],
}


@pytest.mark.parametrize("case", HOLDING_ICS, indirect=True)
@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_never_free(case: Case, name: str) -> None:
    case.put("a.ics", theirs(*UNREADABLE[name]))
    with pytest.raises(Permanent, match=r"recurs|time zone"):
        case.calendar.busy(START, END)


@pytest.mark.parametrize("case", HOLDING_ICS, indirect=True)
@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_not_free_besides_ours_either(case: Case, name: str) -> None:
    case.calendar.add("call-1", ours("call-1", NINE))
    case.put("a.ics", theirs(*UNREADABLE[name]))
    with pytest.raises(Permanent, match=r"recurs|time zone"):
        case.calendar.busy(START, END, besides=("call-1",))


# --- besides ours ---------------------------------------------------------------------------------------------------


def test_ours_do_not_count_where_they_are_named(case: Case) -> None:
    case.calendar.add("call-1", ours("call-1", NINE))
    case.calendar.add("call-2", ours("call-2", Interval(at(25, 9), at(25, 10))))
    assert case.calendar.busy(START, END, besides=("call-1",)) == (Interval(at(25, 9), at(25, 10)),)
    assert case.calendar.busy(START, END, besides=("call-1", "call-2")) == ()
    assert case.calendar.busy(START, END) == (NINE, Interval(at(25, 9), at(25, 10)))
    assert case.calendar.busy(NINE.start, NINE.end, besides=["call-1"]) == ()


@pytest.mark.parametrize("uid", ["call", "call-11", "CALL-1", "call-1 ", "another", ""])
def test_another_uid_changes_nothing(case: Case, uid: str) -> None:
    case.calendar.add("call-1", ours("call-1", NINE))
    assert case.calendar.busy(START, END, besides=(uid,)) == (NINE,)


def test_anothers_event_at_the_same_time_counts(case: Case) -> None:
    case.calendar.add("call-1", ours("call-1", NINE))
    case.put("a.ics", theirs("DTSTART:20261124T090000Z", "DTEND:20261124T093000Z"))
    assert case.calendar.busy(START, END, besides=("call-1",)) == (NINE,)
    assert case.calendar.busy(NINE.start, NINE.end, besides=("call-1",)) == (NINE,)


def test_of_overlapping_times_that_of_the_other_is_left(case: Case) -> None:
    case.calendar.add("call-1", ours("call-1", Interval(at(24, 10), at(24, 10, 30))))
    case.put("a.ics", theirs("DTSTART:20261124T101500Z", "DTEND:20261124T104500Z"))
    assert case.calendar.busy(START, END) == (Interval(at(24, 10), at(24, 10, 45)),)
    assert case.calendar.busy(START, END, besides=("call-1",)) == (Interval(at(24, 10, 15), at(24, 10, 45)),)


def test_anothers_series_counts_on_each_of_its_days(case: Case) -> None:
    case.calendar.add("call-1", ours("call-1", Interval(at(25, 9), at(25, 9, 30))))
    case.put("a.ics", theirs("DTSTART:20261124T090000Z", "DURATION:PT30M", "RRULE:FREQ=DAILY;COUNT=3"))
    days = tuple(Interval(at(day, 9), at(day, 9, 30)) for day in (24, 25, 26))
    assert case.calendar.busy(START, END, besides=("call-1",)) == days


@pytest.mark.parametrize("name", BUSY)
def test_what_is_busy_besides_ours(case: Case, name: str) -> None:
    """Where it is asked so, some servers are asked in another way."""
    lines, expected = BUSY[name]
    case.put("a.ics", theirs(*lines))
    case.calendar.add("call-1", ours("call-1", NINE))
    assert case.calendar.busy(START, END, besides=("call-1",)) == tuple(Interval(*each) for each in expected)


def test_one_of_ours_that_somebody_wrote_under_another_name_does_not_count(case: Case) -> None:
    case.put("other.ics", theirs("DTSTART:20261124T090000Z", "DTEND:20261124T100000Z", uid="call-1"))
    assert case.calendar.busy(START, END, besides=("call-1",)) == ()


@pytest.mark.parametrize("case", ["memory", "vdir"], indirect=True)
def test_of_several_events_in_one_object_only_ours_does_not_count(case: Case) -> None:
    """Servers refuse such objects (RFC 4791 4.1), a folder holds them."""
    both = theirs("DTSTART:20261124T090000Z", "DTEND:20261124T100000Z", uid="call-1").replace(
        b"END:VEVENT\r\n",
        b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:theirs\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:20261124T093000Z\r\n"
        b"DURATION:PT1H\r\nEND:VEVENT\r\n",
    )
    case.put("a.ics", both)
    assert case.calendar.busy(START, END, besides=("call-1",)) == (Interval(at(24, 9, 30), at(24, 10, 30)),)
    assert case.calendar.busy(START, END, besides=("theirs",)) == (Interval(at(24, 9), at(24, 10)),)


# --- slots that are held ----------------------------------------------------------------------------------------------


def status_of(case: Case, uid: str) -> str:
    found = case.calendar.find(uid)
    assert found is not None
    return "".join(line[7:] for line in unfold(found).decode().splitlines() if line.startswith("STATUS:"))


def test_a_held_slot_is_busy_until_it_is_taken_out(case: Case) -> None:
    assert case.calendar.add("hold-1", held("hold-1", NINE)) is True
    assert case.calendar.add("hold-1", held("hold-1", NINE)) is False
    assert (status_of(case, "hold-1"), case.calendar.busy(START, END)) == ("TENTATIVE", (NINE,))
    assert case.calendar.busy(START, END, besides=("hold-1",)) == ()
    assert case.calendar.remove("hold-1") is True
    assert case.calendar.busy(START, END) == ()
    assert case.told() == []


def test_a_held_slot_becomes_a_call(case: Case) -> None:
    case.calendar.add("hold-1", held("hold-1", NINE))
    for call in (held("hold-1", NINE, "CONFIRMED"), ours("hold-1", NINE)):
        assert case.calendar.replace("hold-1", call) is True
        assert (status_of(case, "hold-1"), case.calendar.busy(START, END)) == ("CONFIRMED", (NINE,))
    assert case.told() == []


def test_a_held_slot_is_moved_and_stays_held(case: Case) -> None:
    later = Interval(at(25, 9), at(25, 10))
    case.calendar.add("hold-1", held("hold-1", NINE))
    assert case.calendar.replace("hold-1", held("hold-1", later)) is True
    assert (status_of(case, "hold-1"), case.calendar.busy(START, END)) == ("TENTATIVE", (later,))


# --- events of ours ---------------------------------------------------------------------------------------------------


def test_an_added_event_is_found_and_busy(case: Case) -> None:
    slot = Interval(at(24, 9), at(24, 9, 30))
    assert case.calendar.find("call-1@triaged") is None
    assert case.calendar.add("call-1@triaged", ours("call-1@triaged", slot)) is True
    found = case.calendar.find("call-1@triaged")
    assert found is not None
    assert stored_event(found).slot == slot
    assert case.calendar.busy(START, END) == (slot,)
    assert case.calendar.find("call-2@triaged") is None


def test_adding_twice_changes_nothing(case: Case) -> None:
    first, second = Interval(at(24, 9), at(24, 10)), Interval(at(25, 9), at(25, 10))
    assert case.calendar.add("call-1", ours("call-1", first)) is True
    assert case.calendar.add("call-1", ours("call-1", second)) is False
    assert case.calendar.busy(START, END) == (first,)
    found = case.calendar.find("call-1")
    assert found is not None
    assert stored_event(found).slot == first


def test_a_uid_under_another_name_is_found_and_not_added(case: Case) -> None:
    case.put("other.ics", theirs("DTSTART:20261124T090000Z", "DTEND:20261124T100000Z", uid="call-1"))
    found = case.calendar.find("call-1")
    assert found is not None
    assert b"UID:call-1" in found
    assert case.calendar.find("call") is None, "a part of a UID is none"
    assert case.calendar.add("call-1", ours("call-1", Interval(at(25, 9), at(25, 10)))) is False
    assert case.calendar.busy(START, END) == (Interval(at(24, 9), at(24, 10)),)


@pytest.mark.parametrize("uid", ["../../etc/evil", ".hidden", "a/b?c#d%20", "ünï <x>&", "x" * 300])
def test_an_odd_uid_is_kept_as_it_is(case: Case, uid: str) -> None:
    slot = Interval(at(24, 9), at(24, 10))
    assert case.calendar.add(uid, ours(uid, slot)) is True
    assert case.calendar.add(uid, ours(uid, slot)) is False
    assert case.calendar.find(uid) is not None
    assert case.calendar.busy(START, END) == (slot,)
    assert case.calendar.busy(START, END, besides=(uid,)) == ()


def test_an_event_is_written_anew(case: Case) -> None:
    first, second = Interval(at(24, 9), at(24, 10)), Interval(at(25, 9), at(25, 10))
    assert case.calendar.replace("call-1", ours("call-1", second)) is False
    case.calendar.add("call-1", ours("call-1", first))
    case.calendar.add("call-2", ours("call-2", Interval(at(27, 9), at(27, 10))))
    for _ in range(2):
        assert case.calendar.replace("call-1", ours("call-1", second)) is True
        assert case.calendar.busy(START, END) == (second, Interval(at(27, 9), at(27, 10)))
    found = case.calendar.find("call-1")
    assert found is not None
    assert stored_event(found).slot == second


def test_an_event_is_taken_out(case: Case) -> None:
    case.calendar.add("call-1", ours("call-1", Interval(at(24, 9), at(24, 10))))
    case.calendar.add("call-2", ours("call-2", Interval(at(27, 9), at(27, 10))))
    assert case.calendar.remove("call-1") is True
    assert case.calendar.remove("call-1") is False
    assert case.calendar.find("call-1") is None
    assert case.calendar.replace("call-1", ours("call-1", Interval(at(24, 9), at(24, 10)))) is False
    assert case.calendar.busy(START, END) == (Interval(at(27, 9), at(27, 10)),)


def test_one_under_another_name_is_written_anew_and_taken_out(case: Case) -> None:
    case.put("other.ics", theirs("DTSTART:20261124T090000Z", "DTEND:20261124T100000Z", uid="call-1"))
    slot = Interval(at(25, 9), at(25, 10))
    assert case.calendar.replace("call-1", ours("call-1", slot)) is True
    assert case.calendar.busy(START, END) == (slot,)
    assert case.calendar.remove("call-1") is True
    assert case.calendar.busy(START, END) == ()


ANNA = Address("anna@acme.example", "Anna")


inviting_only = pytest.mark.parametrize("case", INVITING, indirect=True)


@pytest.fixture
def inviting(case: Case) -> Case:
    """With one event in it, about which nobody has been told."""
    assert case.calendar.invites
    case.calendar.add("call-1", ours("call-1", Interval(at(24, 9), at(24, 10))))
    assert case.told() == [], "writing an event tells nobody"
    return case


def answered(case: Case, uid: str) -> str:
    """PARTSTAT of the one attendee, `""` while nobody is invited."""
    found = case.calendar.find(uid)
    assert found is not None
    lines = [line for line in unfold(found).decode().splitlines() if line.startswith("ATTENDEE")]
    assert all("mailto:anna@acme.example" in line.lower() for line in lines)
    return lines[0].split("PARTSTAT=")[1].split(";")[0].split(":")[0] if lines else ""


@inviting_only
def test_who_is_invited_gets_one_invitation(inviting: Case) -> None:
    assert answered(inviting, "call-1") == ""
    for _ in range(3):
        inviting.calendar.invite("call-1", ANNA)
    assert inviting.told() == [("invite", "anna@acme.example", "Call: T-7K3M9QX")]
    assert answered(inviting, "call-1") == "NEEDS-ACTION"


@inviting_only
def test_nobody_is_invited_to_what_is_not_there(inviting: Case) -> None:
    with pytest.raises(Gone):
        inviting.calendar.invite("call-2", ANNA)
    assert inviting.told() == []


@inviting_only
@pytest.mark.parametrize("answer", ["ACCEPTED", "DECLINED", "TENTATIVE"])
def test_what_was_answered_is_told(inviting: Case, answer: str) -> None:
    inviting.calendar.invite("call-1", ANNA)
    inviting.answer("call-1", "anna@acme.example", answer)
    assert answered(inviting, "call-1") == answer
    inviting.calendar.invite("call-1", ANNA)
    assert answered(inviting, "call-1") == answer
    assert len(inviting.told()) == 1


@inviting_only
def test_those_invited_are_told_of_a_change_once(inviting: Case) -> None:
    inviting.calendar.invite("call-1", ANNA)
    later = Interval(at(25, 9), at(25, 10))
    for _ in range(2):
        assert inviting.calendar.replace("call-1", ours("call-1", later)) is True
    assert [(what, who) for what, who, _ in inviting.told()[1:]] == [("update", "anna@acme.example")]
    assert answered(inviting, "call-1") != "", "who was invited stays so"
    assert inviting.calendar.busy(START, END) == (later,)


@inviting_only
def test_those_invited_are_told_that_it_is_off(inviting: Case) -> None:
    inviting.calendar.invite("call-1", ANNA)
    assert inviting.calendar.remove("call-1") is True
    assert inviting.calendar.remove("call-1") is False
    assert [(what, who) for what, who, _ in inviting.told()[1:]] == [("cancel", "anna@acme.example")]


@inviting_only
def test_changing_and_taking_out_what_nobody_is_invited_to_tells_nobody(inviting: Case) -> None:
    inviting.calendar.replace("call-1", ours("call-1", Interval(at(25, 9), at(25, 10))))
    inviting.calendar.remove("call-1")
    assert inviting.told() == []


def test_closing_twice_does_nothing(case: Case) -> None:
    case.calendar.close()
    case.calendar.close()


# --- a folder of files ------------------------------------------------------------------------------------------


def test_vdir_leaves_one_whole_file_and_nothing_else(tmp_path: Path) -> None:
    octets = ours("call-1", Interval(at(24, 9), at(24, 10)))
    VdirCalendar(tmp_path, ZONE).add("call-1", octets)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("call-1.ics", octets)]


def test_vdir_two_writers_at_once_make_one_event(tmp_path: Path) -> None:
    slots = [Interval(at(24, hour), at(24, hour + 1)) for hour in range(8, 16)]
    results: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda slot=slot: results.append(VdirCalendar(tmp_path, ZONE).add("c", ours("c", slot)))
        )
        for slot in slots
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 7 + [True]
    assert [path.name for path in tmp_path.iterdir()] == ["c.ics"]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"no calendar",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:x\r\nDTSTART:20261124T090000Z\r\n",
        theirs("DTSTART:20261124T090000Z") + theirs("DTSTART:20261125T090000Z")[:-40],
        theirs("DTSTART:yesterday"),
        theirs("DURATION:PT1H"),
        theirs("DTSTART:20261124T090000Z", "RRULE:FREQ=WEEKLY;BYDAY=XX"),
        theirs("DTSTART:20261124T090000Z", "RRULE:FREQ=DAILY;INTERVAL=0"),
    ],
)
def test_vdir_names_the_file_that_cannot_be_read(tmp_path: Path, octets: bytes) -> None:
    put_file(tmp_path / "good.ics", theirs("DTSTART:20261124T090000Z", "DURATION:PT1H"))
    put_file(tmp_path / "broken.ics", octets)
    with pytest.raises(Permanent, match=r"broken\.ics"):
        VdirCalendar(tmp_path, ZONE).busy(START, END)


def test_vdir_without_its_folder_is_not_free(tmp_path: Path) -> None:
    calendar = VdirCalendar(tmp_path / "gone", ZONE)
    for ask in (lambda: calendar.busy(START, END), lambda: calendar.find("x"), lambda: calendar.add("x", b"")):
        with pytest.raises(Permanent, match="gone"):
            ask()


def test_vdir_passes_over_what_is_no_event(tmp_path: Path) -> None:
    for name in ("color", "displayname", ".call.ics.1.2.tmp", ".hidden.ics", "notes.txt"):
        put_file(tmp_path / name, b"no calendar")
    assert VdirCalendar(tmp_path, ZONE).busy(START, END) == ()


# --- CalDAV --------------------------------------------------------------------------------------------------------


def calls_of(calendar: Calendar) -> list[Callable[[], object]]:
    octets = ours("x", Interval(at(24, 9), at(24, 10)))
    return [
        lambda: calendar.busy(START, END),
        lambda: calendar.busy(START, END, besides=("x",)),
        lambda: calendar.find("x"),
        lambda: calendar.add("x", octets),
    ]


def test_caldav_wrong_password(server: Radicale) -> None:
    for call in calls_of(caldav(server, server.root + "any/", password="wrong")):
        with pytest.raises(LoginRefused):
            call()


def test_caldav_the_calendar_of_another_user(server: Radicale) -> None:
    for call in calls_of(caldav(server, server.root.replace("/desk/", "/ann/") + "any/")):
        with pytest.raises(Permanent, match="does not let this user") as raised:
            call()
        assert not isinstance(raised.value, LoginRefused)


@pytest.fixture(scope="module")
def shared(server: Radicale) -> DavServer:
    """A calendar of another's, of which its owner lets us see the free/busy times."""
    ann = as_ann(server)
    url = ann.make_calendar("shared")
    for name, lines in (
        ("a", ["DTSTART:20261124T090000Z", "DTEND:20261124T100000Z"]),
        ("b", ["DTSTART:20261124T110000Z", "DTEND:20261124T120000Z", "STATUS:TENTATIVE"]),
        ("c", ["DTSTART:20261124T130000Z", "DTEND:20261124T140000Z", "STATUS:CANCELLED"]),
        ("d", ["DTSTART:20261124T150000Z", "DTEND:20261124T160000Z", "TRANSP:TRANSPARENT"]),
        ("e", ["DTSTART:20261126T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2"]),
        ("f", ["DTSTART;VALUE=DATE:20261130", "DTEND;VALUE=DATE:20261201"]),
    ):
        ann.put(f"{url}{name}.ics", theirs(*lines, uid=name))
    return ann


def test_caldav_who_may_see_free_busy_times_only_is_told_those(server: Radicale, shared: DavServer) -> None:
    assert caldav(server, shared.root + "shared/").busy(START, END) == (
        Interval(at(24, 9), at(24, 10)),
        Interval(at(24, 11), at(24, 12)),
        Interval(at(26, 9), at(26, 10)),
        Interval(at(27, 9), at(27, 10)),
        Interval(at(29, 23), at(1, 0, month=12)),  # all day in UTC or in Berlin: nobody knows
    )


def test_caldav_who_may_see_free_busy_times_only_can_leave_out_none(server: Radicale, shared: DavServer) -> None:
    _, *others = calls_of(caldav(server, shared.root + "shared/"))
    for call in others:
        with pytest.raises(Permanent, match="does not let this user"):
            call()


def free_busy(*lines: str, window: tuple[str, str] = ("20261122T000000Z", "20261222T000000Z")) -> bytes:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//other//EN", "BEGIN:VFREEBUSY", "DTSTAMP:20261101T000000Z"]
    times = [f"DTSTART:{window[0]}", f"DTEND:{window[1]}"]
    return "\r\n".join([*head, *times, *lines, "END:VFREEBUSY", "END:VCALENDAR", ""]).encode()


FREE_BUSY = {
    "nothing": ([], []),
    "a time": (["FREEBUSY:20261124T090000Z/20261124T100000Z"], [(at(24, 9), at(24, 10))]),
    "a time by its length": (["FREEBUSY;FBTYPE=BUSY:20261124T090000Z/PT1H"], [(at(24, 9), at(24, 10))]),
    "several on a line": (
        ["FREEBUSY:20261124T090000Z/PT1H,20261125T090000Z/PT1H", "FREEBUSY:20261124T093000Z/PT1H"],
        [(at(24, 9), at(24, 10, 30)), (at(25, 9), at(25, 10))],
    ),
    "tentative": (["FREEBUSY;FBTYPE=BUSY-TENTATIVE:20261124T090000Z/PT1H"], [(at(24, 9), at(24, 10))]),
    "unavailable": (["FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20261124T090000Z/PT1H"], [(at(24, 9), at(24, 10))]),
    "of a kind that nobody knows": (["FREEBUSY;FBTYPE=X-LUNCH:20261124T090000Z/PT1H"], [(at(24, 9), at(24, 10))]),
    "free": (["FREEBUSY;FBTYPE=FREE:20261124T090000Z/PT1H"], []),
    "beyond the window": (["FREEBUSY:20261101T090000Z/20261123T010000Z"], [(START, at(23, 1))]),
}


@pytest.mark.parametrize("name", FREE_BUSY)
def test_caldav_free_busy_times(server: Radicale, name: str) -> None:
    lines, expected = FREE_BUSY[name]
    with answering(403, free_busy=free_busy(*lines)) as url:
        assert caldav(server, url).busy(START, END) == tuple(Interval(*each) for each in expected)


def test_caldav_events_that_can_be_read_are_not_asked_for_as_free_busy_times(server: Radicale) -> None:
    with answering(207, multistatus(""), free_busy=free_busy("FREEBUSY:20261124T090000Z/PT1H")) as url:
        assert caldav(server, url).busy(START, END) == ()


NO_FREE_BUSY = {
    "empty": b"",
    "no iCalendar": b"<html/>",
    "no free/busy times": theirs("DTSTART:20261124T090000Z", "DTEND:20261124T100000Z"),
    "nothing in it": b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n",
    "cut short": free_busy("FREEBUSY:20261124T090000Z/PT1H")[:-40],
    "several": free_busy() + free_busy(),
    "of a part of the window": free_busy(window=("20261124T090000Z", "20261124T100000Z")),
    "without a window": free_busy().replace(b"DTEND", b"X-END"),
    "as Radicale 3.5 does": free_busy("FBTYPE:BUSY"),
    "a time that is none": free_busy("FREEBUSY:tomorrow"),
    "a time without a zone": free_busy("FREEBUSY:20261124T090000/20261124T100000"),
    "a time that ends before it starts": free_busy("FREEBUSY:20261124T100000Z/20261124T090000Z"),
    "a time without a length, as Xandikos 0.4 writes an all-day event": free_busy("FREEBUSY:20261124T000000Z/P0D"),
    "a time zone that changes by the second": free_busy().replace(
        b"BEGIN:VFREEBUSY",
        b"BEGIN:VTIMEZONE\r\nTZID:x\r\nBEGIN:STANDARD\r\nDTSTART:20000101T000000\r\nTZOFFSETFROM:+0000\r\n"
        b"TZOFFSETTO:+0000\r\nRRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VFREEBUSY",
    ),
}


@pytest.mark.parametrize("name", NO_FREE_BUSY)
def test_caldav_free_busy_times_that_cannot_be_read_are_not_free(server: Radicale, name: str) -> None:
    with answering(403, free_busy=NO_FREE_BUSY[name]) as url, pytest.raises(Permanent, match="free/busy times"):
        caldav(server, url).busy(START, END)


def test_caldav_no_such_calendar(server: Radicale) -> None:
    for call in calls_of(caldav(server, server.root + "missing/")):
        with pytest.raises(Permanent):
            call()


def test_caldav_server_down(server: Radicale) -> None:
    for call in calls_of(caldav(server, f"http://127.0.0.1:{free_ports(1)[0]}/desk/any/")):
        with pytest.raises(Transient):
            call()


def test_caldav_environment_is_not_used(server: Radicale, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    assert caldav(server, server.make_calendar(tmp_path.name)).busy(START, END) == ()


@contextmanager
def answering(
    status: int,
    body: bytes = b"",
    *,
    after_headers: bytes | None = None,
    free_busy: bytes | None = None,
    **headers: str,
) -> Iterator[str]:
    """A server that gives one answer to everything, but to a free-busy-query `free_busy` where there is that."""

    class Answer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if free_busy is not None and b"free-busy-query" in asked:
                self.told(200, free_busy)
            else:
                self.told(status, body)

        def told(self, status: int, body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if after_headers is None else after_headers)

        do_GET = do_PUT = do_REPORT = answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/desk/any/"
        finally:
            http.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, Permanent), (400, Permanent), (401, LoginRefused), (403, Permanent), (405, Permanent), (413, Permanent),
        (423, Transient), (429, Transient), (500, Transient), (502, Transient), (503, Transient), (507, Transient),
    ],
)  # fmt: skip
def test_caldav_refusals(server: Radicale, status: int, error: type[Exception]) -> None:
    with answering(status) as url:
        for call in calls_of(caldav(server, url)):
            with pytest.raises(error) as raised:
                call()
            assert type(raised.value) in ((error, Lost) if error is Transient else (error,))


def test_caldav_missing_calendar_is_gone(server: Radicale) -> None:
    with answering(404) as url, pytest.raises(Gone, match="no such calendar"):
        caldav(server, url).busy(START, END)


def test_caldav_retry_after(server: Radicale) -> None:
    def asked_for(value: str) -> float | None:
        with answering(503, Retry_After=value) as url, pytest.raises(Transient) as raised:
            caldav(server, url).busy(START, END)
        return raised.value.retry_after_s

    assert asked_for("120") == 120.0
    assert asked_for("soon") is None
    later = datetime.now(UTC) + timedelta(minutes=10)
    seconds = asked_for(later.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    assert seconds is not None
    assert 500 < seconds <= 600
    assert asked_for("Sun, 06 Nov 1994 08:49:37 GMT") == 0.0


def multistatus(inner: str) -> bytes:
    return (
        f'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{inner}'
        "</D:multistatus>"
    ).encode()


KEPT_BACK = {
    "no XML": b"<html><p>Sign in</html>",
    "another document": b"<html/>",
    "empty": b"",
    "cut short (RFC 6578 3.6)": multistatus(
        "<D:response><D:href>/a/</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status></D:response>"
    ),
    "an object it does not show": multistatus(
        "<D:response><D:href>/a/x.ics</D:href><D:propstat><D:prop><C:calendar-data/></D:prop>"
        "<D:status>HTTP/1.1 403 Forbidden</D:status></D:propstat></D:response>"
    ),
    "an empty object": multistatus(
        "<D:response><D:href>/a/x.ics</D:href><D:propstat><D:prop><C:calendar-data></C:calendar-data></D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    ),
}


@pytest.mark.parametrize("name", KEPT_BACK)
def test_caldav_an_answer_with_gaps_is_not_free(server: Radicale, name: str) -> None:
    with answering(207, KEPT_BACK[name]) as url, pytest.raises(Permanent):
        caldav(server, url).busy(START, END)


def test_caldav_entities_are_not_resolved(server: Radicale, tmp_path: Path) -> None:
    put_file(tmp_path / "secret", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    inner = (
        "<D:response><D:href>/a/x.ics</D:href><D:propstat><D:prop><C:calendar-data>&x;</C:calendar-data></D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
    body = multistatus(inner).replace(
        b"<D:multistatus", f'<!DOCTYPE x [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><D:multistatus'.encode(), 1
    )
    with answering(207, body) as url, pytest.raises(Permanent):
        caldav(server, url).busy(START, END)


def test_caldav_a_connection_that_breaks_is_transient(server: Radicale) -> None:
    whole = multistatus("")
    with answering(207, whole, after_headers=whole[:-20]) as url, pytest.raises(Transient):
        caldav(server, url, timeout_s=2.0).busy(START, END)
    with answering(207, whole) as url:
        assert caldav(server, url).busy(START, END) == (), "the other half: the same answer, whole, is free"


def test_caldav_an_answer_without_end_is_refused(server: Radicale, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triaged.backends.web.MAX_ANSWER_BYTES", 100_000)
    with answering(207, b" " * 200_000) as url, pytest.raises(Permanent, match="larger than"):
        caldav(server, url).busy(START, END)


def test_caldav_certificates_that_are_missing(server: Radicale, tmp_path: Path) -> None:
    calendar = caldav(server, "https://127.0.0.1:9/any/", ca_file=str(tmp_path / "missing.pem"))
    with pytest.raises(Permanent, match=r"missing\.pem"):
        calendar.busy(START, END)


def test_caldav_address_that_is_none(server: Radicale) -> None:
    for url in ("calendar", "gopher://x/", "http://"):
        with pytest.raises(Permanent):
            caldav(server, url).busy(START, END)
