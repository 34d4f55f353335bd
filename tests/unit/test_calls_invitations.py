"""Invitations as they are written; no value adds a line to one; and what other programs wrote is read, or refused."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest

from triaged.backends.ical import busy_of
from triaged.calls.invitations import event, stored_event
from triaged.errors import Permanent
from triaged.model import Address, Interval

ICS = Path(__file__).parents[2] / "../shared/mail/ics"
NOW = datetime(2026, 11, 22, 9, 30, 15, 123456, tzinfo=UTC)
SLOT = Interval(datetime(2026, 11, 24, 9, tzinfo=UTC), datetime(2026, 11, 24, 9, 30, tzinfo=UTC))
ANNA, LENA = Address("anna@acme.example", "Anna Berg"), Address("lena@firm.example", "Lena Ott")


def invitation(**changes: object) -> bytes:
    values: dict[str, object] = {
        "uid": "7k3m9qx@firm.example", "slot": SLOT, "organizer": LENA, "attendee": ANNA, "summary": "Call T-7K3M9QX",
        "description": "About your message", "location": "", "timezone": "Europe/Berlin", "now": NOW,
        "method": "REQUEST",
    }  # fmt: skip
    return event(**(values | changes))  # type: ignore[arg-type]


EXPECTED = """\
BEGIN:VEVENT
SUMMARY:Call T-7K3M9QX
DTSTART;TZID=Europe/Berlin:20261124T100000
DTEND;TZID=Europe/Berlin:20261124T103000
DTSTAMP:20261122T093015Z
UID:7k3m9qx@firm.example
SEQUENCE:0
ATTENDEE;CN="Anna Berg";CUTYPE=INDIVIDUAL;PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:anna@acme.example
DESCRIPTION:About your message
ORGANIZER;CN="Lena Ott":mailto:lena@firm.example
STATUS:CONFIRMED
TRANSP:OPAQUE
END:VEVENT
"""


def lines(octets: bytes) -> list[str]:
    return octets.decode().replace("\r\n ", "").split("\r\n")


def test_the_event_as_it_is_written() -> None:
    written = lines(invitation())
    start = written.index("BEGIN:VEVENT")
    assert written[start : written.index("END:VEVENT") + 1] == EXPECTED.splitlines()
    assert written[:4] == ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//triaged//triaged//EN", "METHOD:REQUEST"]
    assert written[-2:] == ["END:VCALENDAR", ""]


def test_the_copy_in_the_calendar_asks_the_server_to_invite_nobody_and_nothing_else_differs() -> None:
    mailed, kept = lines(invitation()), lines(invitation(method=None))
    assert "METHOD:REQUEST" in mailed
    assert "SCHEDULE-AGENT" not in "".join(mailed)
    assert sum(";SCHEDULE-AGENT=CLIENT:mailto:anna@acme.example" in line for line in kept) == 1
    without = [line.replace(";SCHEDULE-AGENT=CLIENT", "") for line in kept]
    assert without == [line for line in mailed if line != "METHOD:REQUEST"]


def test_the_same_call_is_the_same_octets() -> None:
    assert invitation() == invitation()


def test_location_and_sequence() -> None:
    assert "LOCATION:Room 4\\, 2nd floor" in lines(invitation(location="Room 4, 2nd floor"))
    assert "SEQUENCE:3" in lines(invitation(sequence=3))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo", "UTC"])
@pytest.mark.parametrize("month", [1, 3, 7, 10, 12])
def test_the_time_zone_is_told_rightly(zone: str, month: int) -> None:
    """A reader that knows no zone names must come to the same times by the VTIMEZONE."""
    start = datetime(2026, month, 28, 14, tzinfo=UTC)
    slot = Interval(start, start + timedelta(minutes=30))
    octets = invitation(slot=slot, timezone=zone)
    assert stored_event(octets).slot == slot
    (block,) = busy_of([("x", octets)], start - timedelta(days=1), start + timedelta(days=1), timezone="UTC")
    assert block == slot
    if zone != "UTC":
        (timezone,) = icalendar.Calendar.from_ical(octets).walk("VTIMEZONE")
        assert str(timezone["TZID"]) == zone
        offset = timezone.to_tz(lookup_tzid=False).utcoffset(start.astimezone(ZoneInfo(zone)).replace(tzinfo=None))
        assert offset == start.astimezone(ZoneInfo(zone)).utcoffset()


HOSTILE = [
    "a\r\nATTENDEE:mailto:evil@evil.example",
    "a\nMETHOD:CANCEL",
    "a\rSTATUS:CANCELLED",
    "a\x0bX-EVIL:1",
    "a\x85X-EVIL:1",
    "a\u2028X-EVIL:1",
    "a\u2029X-EVIL:1",
    "a\\nX-EVIL:1",
    'a";X-EVIL="1',
    "a:mailto:evil@evil.example",
    "a\r\n END:VEVENT\r\nBEGIN:VEVENT",
    "a\x00\x1b[31m\x7f",
    "\ud800 half a letter",
    ("Ünï·" * 60) + "\r\nX-EVIL:1",
]


@pytest.mark.parametrize("field", ["uid", "summary", "description", "location", "organizer", "attendee", "addresses"])
@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_adds_a_line(field: str, value: str) -> None:
    person = field in ("organizer", "attendee")
    changes: dict[str, object] = {field: Address("x@y.example", value) if person else value}
    if field == "addresses":
        changes = {"attendee": Address(value), "organizer": Address(value)}
    octets = invitation(**changes)

    names = {line.partition(":")[0].partition(";")[0] for line in lines(octets)}
    plain = {line.partition(":")[0].partition(";")[0] for line in lines(invitation(location="x"))}
    assert names <= plain
    for separator in ("\x0b", "\x85", "\u2028", "\u2029"):
        assert separator.encode() not in octets
    assert b"\r" not in octets.replace(b"\r\n", b"")
    assert b"\n" not in octets.replace(b"\r\n", b"")
    (written,) = icalendar.Calendar.from_ical(octets).walk("VEVENT")
    assert str(written["STATUS"]) == "CONFIRMED"
    assert not isinstance(written["ATTENDEE"], list)
    assert set(written["ATTENDEE"].params) <= {"CN", "CUTYPE", "PARTSTAT", "ROLE", "RSVP"}
    assert stored_event(octets).slot == SLOT


def test_lines_are_folded_at_75_octets() -> None:
    octets = invitation(description="Grüße, wie besprochen; " * 40, summary="ä" * 300)
    assert all(len(line) <= 75 for line in octets.split(b"\r\n"))
    (written,) = icalendar.Calendar.from_ical(octets).walk("VEVENT")
    assert str(written["SUMMARY"]) == "ä" * 300


def test_a_description_keeps_its_lines_and_a_summary_does_not() -> None:
    (written,) = icalendar.Calendar.from_ical(invitation(description="one\r\ntwo\n\nfour", summary="a\nb")).walk(
        "VEVENT"
    )
    assert str(written["DESCRIPTION"]) == "one\ntwo\n\nfour"
    assert str(written["SUMMARY"]) == "a b"


@pytest.mark.parametrize(
    "old_new",
    [
        ("DTSTART;TZID=Europe/Berlin:20261124T100000", "DTSTART;VALUE=DATE:20261124"),
        ("DTSTART;TZID=Europe/Berlin:20261124T100000", "DTSTART:20261124T100000"),
        ("DTSTART;TZID=Europe/Berlin:20261124T100000", "DTSTART;TZID=Mars/X:20261124T100000"),
        ("DTSTART;TZID=Europe/Berlin:20261124T100000\r\n", ""),
        ("DTSTART;TZID=Europe/Berlin:20261124T100000", "DTSTART:tomorrow"),
        ("DTEND;TZID=Europe/Berlin:20261124T103000\r\n", ""),
        ("DTEND;TZID=Europe/Berlin:20261124T103000", "DTEND;TZID=Europe/Berlin:20261124T100000"),
        ("BEGIN:VEVENT", "BEGIN:VEVENT\r\nRRULE:FREQ=DAILY"),
        ("TZNAME:CEST", "RRU\r\n LE:FREQ=SECONDLY"),
        ("BEGIN:VCALENDAR", "BEGIN:VCALENDAR" + "\r\nX-A:x" * 60_000),
    ],
)
def test_a_slot_that_cannot_be_told_is_refused(old_new: tuple[str, str]) -> None:
    octets = invitation()
    old, new = (each.encode() for each in old_new)
    assert octets.count(old) == 1
    assert stored_event(octets).slot == SLOT
    with pytest.raises(Permanent):
        stored_event(octets.replace(old, new))


@pytest.mark.parametrize(
    "octets", [b"", b"x", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", invitation().replace(b"VEVENT", b"VTODO")]
)
def test_what_holds_no_event_has_no_slot(octets: bytes) -> None:
    with pytest.raises(Permanent):
        stored_event(octets)


# --- what other programs wrote ------------------------------------------------------------------------------------

WINDOW = datetime(2014, 1, 1, tzinfo=UTC), datetime(2014, 12, 31, tzinfo=UTC)


def look_at(octets: bytes) -> tuple[bool, bool]:
    """Whether it could be read as busy times, and whether as a slot; nothing but Permanent may come out."""
    read = told = True
    try:
        for block in busy_of([("x", octets)], *WINDOW, timezone="Europe/Berlin"):
            assert WINDOW[0] <= block.start < block.end <= WINDOW[1]
    except Permanent:
        read = False
    try:
        slot = stored_event(octets).slot
        assert slot.start < slot.end
    except Permanent:
        told = False
    return read, told


@pytest.mark.filterwarnings("ignore::icalendar.error.GloballyUniqueTZIDGuessed")
@pytest.mark.skipif(not ICS.is_dir(), reason="needs ../shared/mail/ics")
def test_other_peoples_files_raise_only_our_own_errors() -> None:
    files = sorted(path for path in ICS.rglob("*") if path.is_file())
    started = time.perf_counter()
    results = [look_at(path.read_bytes()) for path in files]
    assert len(files) > 250
    assert sum(read for read, _ in results) > 200
    assert sum(told for _, told in results) > 50
    assert time.perf_counter() - started < 60, "6 s were measured"


@pytest.mark.filterwarnings("ignore::icalendar.error.GloballyUniqueTZIDGuessed")
@pytest.mark.skipif(not ICS.is_dir(), reason="needs ../shared/mail/ics")
def test_mutilated_files_raise_only_our_own_errors() -> None:
    files = [path for path in sorted(ICS.rglob("*.ics")) if path.stat().st_size < 3_000]
    assert len(files) > 100
    chance = random.Random(20261122)
    seen = 0
    for path in chance.sample(files, 100):
        octets = path.read_bytes()
        for _ in range(5):
            cut, until = sorted(chance.randrange(len(octets) + 1) for _ in range(2))
            look_at(chance.choice([octets[:cut], octets[:cut] + octets[until:], octets + octets[cut:until]]))
            seen += 1
    assert seen == 500


def bomb(*lines: str, zone: tuple[str, ...] = ()) -> bytes:
    head = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        *zone,
        "BEGIN:VEVENT",
        "UID:x",
        "DTSTART;TZID=Europe/Berlin:20000101T090000",
    ]
    return "\r\n".join([*head, "DURATION:PT1M", *lines, "END:VEVENT", "END:VCALENDAR", ""]).encode()


def zone_of(rule: str) -> tuple[str, ...]:
    return (
        "BEGIN:VTIMEZONE", "TZID:Odd", "BEGIN:STANDARD", "DTSTART:16010101T000000", "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0200", rule, "END:STANDARD", "END:VTIMEZONE",
    )  # fmt: skip


BOMBS = {
    "secondly": bomb("RRULE:FREQ=SECONDLY"),
    "minutely": bomb("rrule:freq=minutely"),
    "hourly": bomb("RRULE:FREQ=HOURLY;INTERVAL=2"),
    "folded": bomb("RRU\r\n LE:FREQ=SEC\r\n\tONDLY"),
    "folded with empty lines": bomb("RRU\r\n\r\n LE:FREQ=SECONDLY"),
    "behind a parameter": bomb('RRULE;X-A="a:b":FREQ=SECONDLY'),
    "named twice": bomb("RRULE:FREQ=SECONDLY;FREQ=DAILY"),
    "with a letter that has the same capital": bomb("RRULE:FREQ=\u017fECONDLY"),
    "every second of a day": bomb(
        *(f"RRULE:FREQ=DAILY;BYHOUR={','.join(map(str, range(24)))};BYMINUTE={','.join(map(str, range(60)))}",)
    ),
    "at an interval of nothing": bomb("RRULE:FREQ=DAILY;INTERVAL=0"),
    "at a signed interval of nothing": bomb("RRULE:FREQ=DAILY;INTERVAL=+00"),
    "days without number": bomb("RRULE:FREQ=DAILY").replace(b"PT1M", b"P4000D"),
    "in a time zone": bomb(zone=zone_of("RRULE:FREQ=SECONDLY")),
    "a time zone that changes daily": bomb(zone=zone_of("RRULE:FREQ=DAILY")),
    "rules without number": bomb(*["RRULE:FREQ=DAILY"] * 1_000),
    "time zones without end": bomb(zone=("begin:vtimezone",) * 100_000),
    "folded time zones without end": bomb(zone=("BEGIN:VTIME", " ZONE") * 80_000),
    "too large": bomb(*["X-A:" + "x" * 60] * 50_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_at_once(name: str) -> None:
    started = time.perf_counter()
    with pytest.raises(Permanent, match=r"^x: "):
        busy_of([("x", BOMBS[name])], *WINDOW, timezone="Europe/Berlin")
    assert time.perf_counter() - started < 2, "0.2 s were measured"


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"\r\n\n"])
def test_a_million_empty_lines_are_read_at_once(line: bytes) -> None:
    octets = bomb("TRANSP:OPAQUE").replace(b"20000101T", b"20140601T").replace(b"PT1M", b"PT1H")
    started = time.perf_counter()
    (block,) = busy_of(
        [("x", octets.replace(b"TRANSP", line * (1_500_000 // len(line)) + b"TRANSP"))], *WINDOW, timezone="UTC"
    )
    assert block.start == datetime(2014, 6, 1, 7, tzinfo=UTC)
    assert time.perf_counter() - started < 5, "0.2 s were measured"


def test_a_day_that_never_comes_takes_some_seconds_and_many_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    never = bomb("RRULE:FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30")
    started = time.perf_counter()
    assert busy_of([("x", never)], *WINDOW, timezone="Europe/Berlin") == ()
    assert time.perf_counter() - started < 20, "1 s was measured"
    monkeypatch.setattr("triaged.backends.ical.DEADLINE_S", 0.1)
    with pytest.raises(Permanent, match="take longer"):
        busy_of([("x", never), ("y", never)], *WINDOW, timezone="Europe/Berlin")


def test_a_time_zone_of_one_object_does_not_bend_the_next() -> None:
    """icalendar keeps every VTIMEZONE it reads, and the first of a name wins, in the whole process."""

    def at(offset: str) -> bytes:
        zone = [line.replace("+0200", offset) for line in zone_of("RDATE:20000101T000000")]
        octets = bomb(zone=tuple(zone)).replace(b"TZID=Europe/Berlin", b"TZID=Odd")
        return octets.replace(b"20000101T090000", b"20140601T090000").replace(b"PT1M", b"PT1H")

    starts = [busy_of([("x", octets)], *WINDOW, timezone="UTC")[0].start.hour for octets in (at("+0200"), at("+0500"))]
    assert starts == [7, 4]
    without = at("+0200").replace("\r\n".join(zone_of("RDATE:20000101T000000")).encode() + b"\r\n", b"")
    assert b"VTIMEZONE" not in without
    with pytest.raises(Permanent, match="time zone 'Odd'"):
        busy_of([("x", without)], *WINDOW, timezone="UTC")
