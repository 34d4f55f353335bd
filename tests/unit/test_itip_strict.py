"""Everything that `event` can write is right by rules made from the RFCs alone, and each of these rules bites."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import icalendar
import pytest

from tests.unit.itip_strict import RULES, faults
from triaged.calls.invitations import event, stored_event
from triaged.calls.itip import Itip, read_itip
from triaged.model import Address, Interval

NOW = datetime(2026, 11, 22, 9, 30, 15, 123456, tzinfo=UTC)
SLOT = Interval(datetime(2026, 11, 24, 9, tzinfo=UTC), datetime(2026, 11, 24, 9, 30, tzinfo=UTC))
DESK, LENA, ANNA = (
    Address("desk@firm.example", "Desk"),
    Address("lena@firm.example", "Lena Ott"),
    Address("anna@acme.example", "Anna Berg"),
)
LINK = "https://meet.example/~a?b=1&c=%22#[d]"
KINDS: dict[str, dict[str, object]] = {
    "request": {"method": "REQUEST"},
    "request with a chair": {"method": "REQUEST", "organizer": DESK, "chair": LENA},
    "update": {"method": "REQUEST", "organizer": DESK, "chair": LENA, "sequence": 3},
    "tentative request": {"method": "REQUEST", "status": "TENTATIVE"},
    "cancel": {"method": "CANCEL", "organizer": DESK, "chair": LENA, "status": "CANCELLED", "sequence": 4},
    "kept": {"method": None},
    "kept hold": {"method": None, "attendee": None, "status": "TENTATIVE"},
    "kept and cancelled": {"method": None, "status": "CANCELLED", "sequence": 1},
}  # fmt: skip


def written(kind: str = "request", **changes: object) -> bytes:
    values: dict[str, object] = {
        "uid": "7k3m9qx@firm.example", "slot": SLOT, "organizer": LENA, "attendee": ANNA, "summary": "Call T-7K3M9QX",
        "description": "About your message", "location": "", "timezone": "Europe/Berlin", "now": NOW,
    }  # fmt: skip
    return event(**(values | KINDS[kind] | changes))  # type: ignore[arg-type]


def lines(octets: bytes) -> list[str]:
    return octets.decode().replace("\r\n ", "").split("\r\n")


def agreed(octets: bytes) -> icalendar.Event:
    """The event as icalendar reads it, which had nothing to complain of."""
    (calendar,) = icalendar.Calendar.from_ical(octets, multiple=True)
    assert [component.errors for component in calendar.walk() if component.errors != []] == []
    (found,) = calendar.walk("VEVENT")
    return found


HOSTILE = [
    'Anna "the boss" Berg', "a\r\nATTENDEE:mailto:evil@evil.example", "a\nEND:VEVENT", "a\rb", "a\x0bb", "a\x85b",
    "a\u2028b", "a\u2029b", "a\x00\x1b[31mb\x7f", "a, b; c: d", "back\\slash \\n \\, \\; \\N C:\\New\\", 'a";X-EVIL="1',
    "a^nb^'c^^d",
    "\ud800half", "日本語のとても長い要約" * 30, "👩‍👩‍👧‍👦" * 50, "עברית \u202e שלום \u200f", "x" * 5_000,
    "ä" * 5_000, " ", "-", "=?utf-8?q?x?=",
    "BEGIN:VALARM", ";", "\\", "\t", "tab\tbed",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "America/New_York", "Africa/Casablanca", "UTC"])
def test_every_kind_is_right(kind: str, zone: str) -> None:
    for location in (
        "",
        "Room 4, 2nd floor",
        LINK,
        f"{LINK},x;y",
        "https://not a url",
        "http://meet.example",
    ):
        octets = written(kind, timezone=zone, location=location)
        assert faults(octets) == set()
        assert stored_event(octets).slot == SLOT
        found = agreed(octets)
        assert (found["DTSTART"].dt, found["DTEND"].dt) == (SLOT.start, SLOT.end)
        assert str(found.get("LOCATION", "")) == location
        assert ("CONFERENCE" in found) == (location == LINK)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_makes_it_wrong(kind: str, value: str) -> None:
    plain = {line.partition(":")[0].partition(";")[0] for line in lines(written(kind, location="x"))}
    for name in ("uid", "summary", "description", "location"):
        octets = written(kind, **{name: value if name != "uid" else f"x{value}"})
        assert faults(octets) == set(), name
        assert {line.partition(":")[0].partition(";")[0] for line in lines(octets)} <= plain
        assert stored_event(octets).slot == SLOT
    for role in ("organizer", "attendee", "chair"):
        if KINDS[kind].get(role, ANNA) is not None:
            octets = written(
                kind, **{role: Address("x@y.example", value)} | ({"organizer": DESK} if role == "chair" else {})
            )
            assert faults(octets) == set(), role
            assert stored_event(octets).slot == SLOT


def test_what_was_written_is_read_as_it_was_meant() -> None:
    text = 'Grüße, wie besprochen; C:\\Temp\\x\n\nBis dann: "Lena" 👋 ' + "lang " * 40
    found = agreed(written(summary="a, b; c\\d", description=text, location="x\\, y"))
    assert str(found["SUMMARY"]) == "a, b; c\\d"
    assert str(found["DESCRIPTION"]) == text
    assert str(found["LOCATION"]) == "x\\, y"


@pytest.mark.parametrize(
    ("addr_spec", "uri"),
    [
        ("anna+x@acme.example", "mailto:anna+x@acme.example"),
        ("o'neil@acme.example", "mailto:o'neil@acme.example"),
        ("50%off?x#y@acme.example", "mailto:50%25off%3Fx%23y@acme.example"),
        ("a@münchen.example", "mailto:a@xn--mnchen-3ya.example"),
        ("jürgen@acme.example", "mailto:j%C3%BCrgen@acme.example"),
        ('"a b"@acme.example', "mailto:%22a%20b%22@acme.example"),
    ],
)
def test_an_address_is_a_uri_and_comes_back(addr_spec: str, uri: str) -> None:
    octets = written(attendee=Address(addr_spec), organizer=Address(addr_spec))
    assert faults(octets) == set()
    assert sum(line.endswith(f":{uri}") for line in lines(octets)) == 2
    found = read_itip(octets.decode(), mime_method="REQUEST")
    assert isinstance(found, Itip)
    if '"' not in addr_spec:
        assert (found.organizer, found.attendees[0].addr_spec) == (addr_spec, addr_spec)


# --- what is written ----------------------------------------------------------------------------------------------


def test_the_mail_asks_the_client_in_the_name_of_the_desk_and_names_who_calls() -> None:
    found = lines(written("request with a chair"))
    assert [line for line in found if line.startswith(("ORGANIZER", "ATTENDEE"))] == [
        'ATTENDEE;CN="Lena Ott";CUTYPE=INDIVIDUAL;PARTSTAT=ACCEPTED;ROLE=CHAIR;RSVP=FALSE:mailto:lena@firm.example',
        'ATTENDEE;CN="Anna Berg";CUTYPE=INDIVIDUAL;PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE'
        ":mailto:anna@acme.example",
        "ORGANIZER;CN=Desk:mailto:desk@firm.example",
    ]


def test_a_cancel_takes_back_what_was_asked() -> None:
    asked, taken_back = (read_itip(written(kind).decode()) for kind in ("update", "cancel"))
    assert isinstance(asked, Itip)
    assert isinstance(taken_back, Itip)
    assert (asked.uid, asked.organizer, asked.slot) == (taken_back.uid, taken_back.organizer, taken_back.slot)
    assert (asked.method, taken_back.method, asked.sequence, taken_back.sequence) == ("REQUEST", "CANCEL", 3, 4)
    assert {"STATUS:CANCELLED", "TRANSP:TRANSPARENT", "METHOD:CANCEL"} <= set(lines(written("cancel")))


def test_a_hold_names_nobody_and_takes_the_time() -> None:
    found = lines(written("kept hold"))
    assert "mailto:" not in "".join(found)
    assert {"STATUS:TENTATIVE", "TRANSP:OPAQUE"} <= set(found)


@pytest.mark.parametrize(
    "changes",
    [{"method": "CANCEL"}, {"method": "REQUEST", "status": "CANCELLED"}, {"method": "REQUEST", "attendee": None}],
)
def test_what_makes_no_sense_is_not_written(changes: dict[str, object]) -> None:
    with pytest.raises(AssertionError):
        written(**changes)


@pytest.mark.parametrize(("minutes", "in_utc"), [(-90, False), (-59, True), (0, True), (89, True), (90, False)])
def test_an_hour_that_is_there_twice_is_written_in_utc(minutes: int, in_utc: bool) -> None:
    start = datetime(2026, 10, 25, 0, 30, tzinfo=UTC) + timedelta(minutes=minutes)
    octets = written(slot=Interval(start, start + timedelta(minutes=30)))
    assert (b"VTIMEZONE" not in octets) == in_utc
    assert faults(octets) == set()


# --- every rule bites -----------------------------------------------------------------------------------------------

LONG = "ü" * 60
START, END = "DTSTART;TZID=Europe/Berlin:20261124T100000", "DTEND;TZID=Europe/Berlin:20261124T103000"
ZONE = written().decode()[written().decode().index("BEGIN:VTIMEZONE") : written().decode().index("BEGIN:VEVENT")]
WRONG: list[tuple[str, dict[str, object], str, str]] = [
    ("lines_end_in_crlf", {}, "\r\nSUMMARY", "\nSUMMARY"),
    ("lines_end_in_crlf", {}, "END:VCALENDAR\r\n", "END:VCALENDAR"),
    ("lines_end_in_crlf", {}, "BEGIN:VEVENT\r\n", "BEGIN:VEVENT\r\n\r\n"),
    ("lines_are_folded", {}, "SUMMARY:", "SUMMARY:" + "x" * 70),
    ("letters_are_not_cut", {"summary": LONG}, "", ""),
    ("no_line_breaks_for_others", {}, "SUMMARY:", "SUMMARY:\u2028"),
    ("no_line_breaks_for_others", {}, "SUMMARY:", "SUMMARY:\0"),
    ("lines_have_the_grammar", {}, "SUMMARY:", "SUMMARY"),
    ("lines_have_the_grammar", {}, "CN=\"Anna Berg\"", "CN=\"Anna\"Berg\""),
    ("texts_are_escaped", {}, "SUMMARY:", "SUMMARY:a,b"),
    ("texts_are_escaped", {}, "SUMMARY:", "SUMMARY:a\\b"),
    ("values_are_known", {}, "PARTSTAT=NEEDS-ACTION", "PARTSTAT=YES"),
    ("values_are_known", {}, "VERSION:2.0", "VERSION:1.0"),
    ("values_are_known", {}, "METHOD:REQUEST", "METHOD:PUBLISH"),
    ("parameters_are_known_and_once", {}, "RSVP=TRUE", "RSVP=TRUE;RSVP=TRUE"),
    ("parameters_are_known_and_once", {}, "UID:", "UID;LANGUAGE=en:"),
    ("no_x_properties", {}, "UID:", "X-A:1\r\nUID:"),
    ("no_x_properties", {}, "UID:", "UID;X-A=1:"),
    ("components_are_closed", {}, "END:VEVENT\r\n", ""),
    ("components_are_closed", {}, "END:VCALENDAR\r\n", "END:VCALENDAR\r\nX:1\r\n"),
    ("components_are_where_they_belong", {}, "END:VEVENT", "BEGIN:VALARM\r\nEND:VALARM\r\nEND:VEVENT"),
    ("components_are_where_they_belong", {}, "END:VEVENT", "END:VEVENT\r\nBEGIN:VEVENT\r\nEND:VEVENT"),
    ("properties_are_known_and_as_often_as_they_may", {}, "PRODID:-//triaged//triaged//EN\r\n", ""),
    ("properties_are_known_and_as_often_as_they_may", {}, "METHOD:REQUEST", "METHOD:REQUEST\r\nMETHOD:REQUEST"),
    ("properties_are_known_and_as_often_as_they_may", {}, "TRANSP:OPAQUE", "TRANSP:OPAQUE\r\nDURATION:PT1H"),
    ("properties_are_known_and_as_often_as_they_may", {}, "UID:7k3m9qx@firm.example\r\n", ""),
    ("dtstamp_is_utc", {}, "DTSTAMP:20261122T093015Z", "DTSTAMP:20261122T093015"),
    ("dtstamp_is_utc", {}, "DTSTAMP:20261122T093015Z", "DTSTAMP:20261322T093015Z"),
    ("sequence_is_a_number", {}, "SEQUENCE:0", "SEQUENCE:-1"),
    ("times_have_one_form", {}, END, "DTEND:20261124T103000Z"),
    ("times_have_one_form", {}, START, START + "Z"),
    ("times_have_one_form", {"timezone": "UTC"}, "DTSTART:20261124T090000Z", "DTSTART:20261124T090000"),
    ("it_ends_after_it_starts", {}, "T103000", "T100000"),
    ("every_zone_is_told", {}, ZONE, ""),
    ("every_zone_is_told", {}, ZONE, ZONE + ZONE),
    ("every_zone_is_told", {"timezone": "UTC"}, "BEGIN:VEVENT", ZONE + "BEGIN:VEVENT"),
    ("changes_of_the_clocks_are_right", {}, "TZOFFSETTO:+0200", "TZOFFSETTO:-0000"),
    ("changes_of_the_clocks_are_right", {}, "DTSTART:19700329T020000", "DTSTART:19700329T020000Z"),
    ("changes_of_the_clocks_are_right", {}, "DTSTART:19700329T020000", "DTSTART:19700322T020000"),
    ("changes_of_the_clocks_are_right", {}, "BYDAY=-1SU;BYMONTH=3", "BYMONTHDAY=29;BYMONTH=3"),
    ("changes_of_the_clocks_are_right", {}, "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\n", ""),
    ("people_are_addresses", {}, "mailto:anna@acme.example", "anna@acme.example"),
    ("people_are_addresses", {}, "mailto:lena@firm.example", "mailto:lena@münchen.example"),
    ("attendees_are_told_apart", {"chair": ANNA}, "", ""),
    ("attendees_are_told_apart", {}, "RSVP=TRUE", "RSVP=FALSE"),
    ("a_mail_names_organizer_and_attendee", {}, 'ORGANIZER;CN="Lena Ott":mailto:lena@firm.example\r\n', ""),
    (
        "a_mail_names_organizer_and_attendee", {"method": None, "attendee": None},
        "UID:", "ORGANIZER:mailto:a@b.example\r\nUID:",
    ),
    ("the_status_suits_the_method", {}, "STATUS:CONFIRMED", "STATUS:CANCELLED"),
    ("the_status_suits_the_method", {"method": "CANCEL", "status": "CANCELLED"}, "", ""),
    ("the_server_invites_nobody", {"method": None}, ";SCHEDULE-AGENT=CLIENT", ""),
    ("the_server_invites_nobody", {}, "RSVP=TRUE", "RSVP=TRUE;SCHEDULE-AGENT=CLIENT"),
    ("a_conference_is_a_uri", {"location": "https://a.example"}, "CONFERENCE;VALUE=URI", "CONFERENCE"),
    ("a_conference_is_a_uri", {"location": "https://a.example"}, "LOCATION:https", "LOCATION:http"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "changes", "old", "new"), WRONG)
def test_a_rule_bites(rule: str, changes: dict[str, object], old: str, new: str) -> None:
    octets = written(**changes)
    if rule == "letters_are_not_cut":
        at = octets.index("ü".encode()) + 1
        octets = octets[:at] + b"\r\n " + octets[at:]
    elif old != "":
        folded = octets.count(old.encode()) == 0
        octets = octets.replace(b"\r\n ", b"") if folded else octets
        assert octets.count(old.encode()) == 1
        octets = octets.replace(old.encode(), new.encode())
    assert rule in faults(octets)
    if old != "":
        assert rule not in faults(written(**changes)), "the other half"


def test_every_rule_has_a_case_in_which_it_bites() -> None:
    assert {rule for rule, *_ in WRONG} == {rule.__name__ for rule in RULES}
