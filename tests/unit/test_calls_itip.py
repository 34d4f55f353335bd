"""What clients' calendars send is read as it is meant; what cannot be trusted is named, whatever it is, and at once."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triaged.calls.itip import Attendee, Itip, Unreadable, read_itip, read_stored
from triaged.calls.zones import iana_name
from triaged.mail.identity import Border
from triaged.mail.parse import parse
from triaged.model import Interval, Locator, Raw

GOLDEN = Path(__file__).parents[1] / "corpus/itip"
MAIL = Path(__file__).parents[2] / "../shared/mail"
OUR_UID = "call-7k3m9qx@firm.example"
DESK, ANNA, BOB = "desk@firm.example", "anna.berg@acme.example", "bob@elsewhere.example"
MAX_CPU_S = 0.25


def slot(since: str, until: str) -> Interval:
    return Interval(*(datetime.fromisoformat(f"2026-11-{each}:00Z") for each in (since, until)))


ASKED = slot("24T09:00", "24T09:30")


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-22T{clock}Z")


def accepted(address: str, **more: object) -> Attendee:
    return Attendee(address, "ACCEPTED", **more)  # type: ignore[arg-type]


EXPECTED = {
    "outlook-reply": Itip("REPLY", OUR_UID, 0, at("10:15:00"), DESK, (accepted(ANNA),), ASKED, "", False, ""),
    "outlook-counter": Itip(
        "COUNTER", OUR_UID, 0, at("10:17:00"), DESK, (Attendee(ANNA, "TENTATIVE"),), slot("25T10:00", "25T10:30"),
        "Passt es auch am Mittwoch, gern vormittags?\nGruß, Anna", False, "",
    ),
    "exchange-online-reply": Itip(
        "REPLY", OUR_UID, 1, at("10:20:00"), "", (Attendee(ANNA, "DECLINED"),), ASKED, "I am travelling that day.",
        False, "",
    ),
    "google-reply": Itip(
        "REPLY", OUR_UID, 0, at("10:22:00"), DESK, (Attendee(ANNA, "TENTATIVE"),), ASKED, "If my train is on time",
        False, "",
    ),
    "google-counter": Itip(
        "COUNTER", OUR_UID, 0, at("10:23:00"), DESK, (accepted("lena@firm.example"), Attendee(ANNA, "TENTATIVE")),
        slot("24T14:30", "24T15:00"), "Could we speak later?", False, "",
    ),
    "apple-reply": Itip("REPLY", OUR_UID, 0, at("10:25:00"), DESK, (accepted(ANNA),), ASKED, "", False, ""),
    "apple-counter": Itip(
        "COUNTER", OUR_UID, 2, at("10:26:00"), DESK, (accepted(ANNA),), slot("24T09:30", "24T10:30"),
        "An hour; I have more to ask", False, "",
    ),
    "thunderbird-reply": Itip(
        "REPLY", OUR_UID, 0, at("10:27:00"), DESK, (accepted(ANNA, sent_by="office@acme.example"),), ASKED,
        "", False, "",
    ),
    "zoho-reply": Itip(
        "REPLY", OUR_UID, 0, at("10:28:00"), DESK,
        (
            Attendee(ANNA, "DELEGATED", delegated_to=("otto@acme.example",)),
            accepted("otto@acme.example", delegated_from=(ANNA,)),
        ),
        ASKED, "", False, "",
    ),
    "notes-reply": Itip("REPLY", OUR_UID, 0, at("10:33:00"), DESK, (accepted(ANNA),), ASKED, "", False, ""),
    "client-cancel": Itip(
        "CANCEL", "3k2l1m0n@google.com", 3, at("10:30:00"), ANNA, (Attendee(DESK),), None, "", False, ""
    ),
    "forwarded-request": Itip("REQUEST", OUR_UID, 0, at("10:31:00"), DESK, (Attendee(BOB),), ASKED, "", False, ""),
    "uninvited-reply": Itip("REPLY", OUR_UID, 0, at("10:32:00"), DESK, (accepted(BOB),), None, "", False, ""),
}  # fmt: skip


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.ics").read_text(encoding="utf-8")


def test_every_golden_file_is_expected() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.ics")) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_what_programs_send_is_read_as_it_is_meant(name: str, line_end: str) -> None:
    assert read_itip(golden(name).replace("\n", line_end), mime_method=EXPECTED[name].method) == EXPECTED[name]


# --- what cannot be trusted -----------------------------------------------------------------------------------

REPLY = golden("outlook-reply")
START, END = (
    'DTSTART;TZID="W. Europe Standard Time":20261124T100000',
    'DTEND;TZID="W. Europe Standard Time":20261124T103000',
)


def changed(*pairs: tuple[str, str], text: str = REPLY) -> str:
    for old, new in pairs:
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ([("METHOD:REPLY\n", "")], "no method"),
        ([("METHOD:REPLY", "METHOD:REPLY\nMETHOD:CANCEL")], "2 METHOD"),
        ([("METHOD:REPLY", "METHOD:STEAL")], "nobody knows its method"),
        ([(f"UID:{OUR_UID}\n", "")], "no UID"),
        ([(f"UID:{OUR_UID}", f"UID:{OUR_UID}\nUID:other")], "more than one UID"),
        ([("END:VEVENT\n", "END:VEVENT\nBEGIN:VEVENT\nUID:other\nEND:VEVENT\n")], "more than one UID"),
        ([("END:VEVENT\n", "END:VEVENT\nBEGIN:VEVENT\nEND:VEVENT\n")], "no UID"),
        ([("VEVENT", "VTODO")], "no event"),
        ([("END:VEVENT\n", "")], "do not end as they begin"),
        ([("END:VCALENDAR\n", "")], "cut short"),
        ([("END:VCALENDAR\n", "END:VCALENDAR\nBEGIN:VCALENDAR\nEND:VCALENDAR\n")], "several calendar objects"),
        ([("BEGIN:VCALENDAR\n", ""), ("END:VCALENDAR\n", "")], "no calendar object"),
        ([("SEQUENCE:0", "SEQUENCE:-1")], "SEQUENCE is no number"),
        ([("SEQUENCE:0", "SEQUENCE:" + "9" * 5_000)], "SEQUENCE is longer"),
        ([("ATTENDEE;PARTSTAT", 'ATTENDEE;X="a;PARTSTAT')], "ATTENDEE cannot be read"),
    ],
)  # fmt: skip
def test_an_object_that_must_not_be_acted_upon(pairs: list[tuple[str, str]], problem: str) -> None:
    found = read_itip(changed(*pairs))
    assert isinstance(found, Unreadable)
    assert problem in found.problem
    assert found.uid in (OUR_UID, "")
    assert (found.uid == "") == (problem == "no UID" and pairs[0][1] == "")
    assert (found.method == "") == (problem == "no method")


def test_the_method_of_the_mail_and_of_the_object_must_be_one() -> None:
    found = read_itip(REPLY, mime_method="CANCEL")
    assert found == Unreadable("its mail calls it 'CANCEL', it calls itself 'REPLY'", "CANCEL", OUR_UID)
    assert isinstance(read_itip(REPLY, mime_method="reply"), Itip)


@pytest.mark.parametrize("text", ["", " \r\n\t"])
def test_no_calendar_object(text: str) -> None:
    assert read_itip(text) is None


BERLIN = 'TZID="W. Europe Standard Time"'


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ([(BERLIN + ":2", "VALUE=DATE:2"), ("T100000", ""), ("T103000", "")], "a day"),
        ([(";" + BERLIN, "")], "in no time zone"),
        ([(BERLIN, "TZID=Mars/Olympus")], "nobody knows"),
        ([(BERLIN + ":20261124T100000", "TZID=Mars/Olympus:20261124T100000")], "nobody knows"),
        ([("DTEND", "X-END")], "no end"),
        ([("DTEND", "DURATION:PT1H\nDTEND")], "no end"),
        ([("T103000", "T100000")], "before it starts"),
        ([("T100000", "T250000")], "cannot be read"),
        ([("20261124T100000", "20261324T100000")], "cannot be read"),
        ([("20261124T100000", "00000101T100000")], "cannot be read"),
        ([("20261124T10", "00010101T00"), ("TZOFFSETTO:+0100", "TZOFFSETTO:+1500"),
          ("TZID:W. Europe Standard Time", "TZID:X"), (BERLIN, "TZID=X")], "out of reach"),
        ([(START, START + "\n" + START)], "2 DTSTART"),
        ([(START, START + "Z")], "both in UTC"),
        ([("TZOFFSETTO:+0100", "TZOFFSETTO:+0300")], "contradicts itself"),
        ([("BYDAY=-1SU;BYMONTH=10", "BYDAY=-1SU;BYMONTH=12")], "contradicts itself"),
        ([("TZOFFSETTO:+0100", "TZOFFSETTO:+9900")], "is +9900 from UTC"),
        ([("TZOFFSETTO:+0100", "TZOFFSETTO:1h")], "no readable offset"),
        ([("FREQ=YEARLY", "FREQ=DAILY")], "once a year"),
        ([("FREQ=YEARLY", "FREQ=YEARLY;INTERVAL=2")], "once a year"),
        ([("FREQ=YEARLY", "FREQ=YEARLY;COUNT=3")], "odd rule"),
        ([("FREQ=YEARLY", "FREQ=YEARLY;BYHOUR=7")], "odd rule"),
        ([("BYDAY=-1SU", "BYDAY=SU")], "odd rule"),
        ([("BYDAY=-1SU", "BYDAY=-1SU,1MO")], "odd rule"),
        ([("BYMONTH=10", "BYMONTH=10,11")], "odd rule"),
        ([("RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "RRULE:FREQ=YEARLY;BYMONTHDAY=30;BYMONTH=2")], "odd rule"),
        ([("DTSTART:16011028T030000", "X:1")], "no start"),
        ([("BEGIN:VEVENT", "BEGIN:VTIMEZONE\nTZID:Y\nEND:VTIMEZONE\n" * 20 + "BEGIN:VEVENT")], "20 time zones"),
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_told(pairs: list[tuple[str, str]], problem: str) -> None:
    found = read_itip(changed(*pairs))
    assert isinstance(found, Itip)
    assert (found.slot, found.method, found.uid) == (None, "REPLY", OUR_UID)
    assert problem in found.problem
    assert found.attendees == (accepted(ANNA),), "the answer itself is read all the same"


def test_a_request_needs_a_time_and_a_reply_does_not() -> None:
    without = changed((START, "X:1"), (END, "X:2"))
    assert isinstance(found := read_itip(without), Itip)
    assert (found.slot, found.problem) == (None, "")
    assert isinstance(found := read_itip(without.replace(":REPLY", ":REQUEST")), Itip)
    assert (found.slot, found.problem) == (None, "it has no start")


@pytest.mark.parametrize(
    "line",
    [
        "RRULE:FREQ=SECONDLY",
        "RRULE:FREQ=YEARLY;COUNT=999999999",
        "RDATE:20261125T100000Z",
        "RECURRENCE-ID:20261124T090000Z",
    ],
)
def test_what_recurs_says_so_and_its_first_time(line: str) -> None:
    found = read_itip(changed((START, f"{START}\n{line}")))
    assert isinstance(found, Itip)
    assert (found.recurs, found.slot) == (True, ASKED)
    with pytest.raises(ValueError, match="recurs"):
        read_stored(changed((START, f"{START}\n{line}")))


def test_of_several_events_of_one_series_the_series_counts() -> None:
    other = f"BEGIN:VEVENT\nUID:{OUR_UID}\nRECURRENCE-ID:20261201T090000Z\nSEQUENCE:7\nEND:VEVENT\n"
    for text in (changed(("BEGIN:VEVENT", other + "BEGIN:VEVENT")), changed(("END:VEVENT\n", "END:VEVENT\n" + other))):
        found = read_itip(text)
        assert isinstance(found, Itip)
        assert (found.recurs, found.slot, found.sequence) == (True, ASKED, 0)


def test_words_are_clean() -> None:
    said = r"COMMENT;LANGUAGE=en:a\, b\; c\\n d\nNext\N" + "\x1b[31m\u2028x\x00"
    found = read_itip(changed(("PRIORITY:5", f"{said}\nCOMMENT:{'y' * 9_000}")))
    assert isinstance(found, Itip)
    assert found.comment.startswith("a, b; c\\n d\nNext\n [31m x\ny")
    assert len(found.comment) == 4_000


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("MAILTO:Anna@ACME.example", "anna@acme.example"), ("anna@acme.example", "anna@acme.example"),
        ("mailto:%61nna@acme.example?subject=x", "anna@acme.example"),
        ("mailto: anna@acme.example", "anna@acme.example"),
        ("mailto:a@xn--mnchen-3ya.example", "a@münchen.example"), ("mailto:a@xn--\u00e4.example", "a@xn--ä.example"),
        ("invalid:nomail", ""), ("urn:uuid:1-2-3", ""), ("mailto:", ""), ("mailto:a%0Ab@c.example", ""),
        ("mailto:a@b.example,c@d.example", ""),
    ],
)  # fmt: skip
def test_addresses(value: str, address: str) -> None:
    found = read_itip(changed(("mailto:Anna.Berg@Acme.example", value)))
    assert isinstance(found, Itip)
    assert [each.addr_spec for each in found.attendees] == [address]


# --- time zones -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tzid", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"), ("europe/berlin", "Europe/Berlin"), ('"Europe/Berlin"', "Europe/Berlin"),
        ("/Europe/Berlin", "Europe/Berlin"), ("/mozilla.org/20070129_1/Europe/Berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        ("W. Europe Standard Time", "Europe/Berlin"), ("Pacific Standard Time", "America/Los_Angeles"),
        ("UTC", "Etc/UTC"), ("tzone://Microsoft/Utc", "UTC"), ("tzone://Microsoft/Custom", ""),
        ("Customized Time Zone", ""), ("/vendor/Cuba", ""),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", ""), ("../../etc/passwd", ""), ("", ""),
    ],
)  # fmt: skip
def test_names_of_time_zones(tzid: str, name: str) -> None:
    assert iana_name(tzid) == name


def told(wall: str, tzid: str, *zone: str) -> str:
    """UTC time of a local one, `HH:MM` with the day before it; or the problem."""
    text = changed(
        (START, f"DTSTART;TZID={tzid}:{wall}"), (END, "DURATION:PT1M"),
        (REPLY[REPLY.index("BEGIN:VTIMEZONE") : REPLY.index("BEGIN:VEVENT")], "\n".join([*zone, ""])),
    )  # fmt: skip
    found = read_itip(text)
    assert isinstance(found, Itip)
    return found.problem if found.slot is None else found.slot.start.strftime("%d %H:%M")


def rules(tzid: str, *parts: tuple[str, str, str, str]) -> list[str]:
    """A VTIMEZONE of (start, offset before, offset after, rule or dates)."""
    inner = [
        line
        for start, before, after, rule in parts
        for line in (
            "BEGIN:STANDARD",
            f"DTSTART:{start}",
            f"TZOFFSETFROM:{before}",
            f"TZOFFSETTO:{after}",
            rule,
            "END:STANDARD",
        )
    ]
    return ["BEGIN:VTIMEZONE", f"TZID:{tzid}", *inner, "END:VTIMEZONE"]


OCTOBER = "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"
CUSTOM = rules(
    "Ours",
    ("19700329T020000", "+0100", "+0200", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"),
    ("19701025T030000", "+0200", "+0100", OCTOBER),
)


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("20260329T013000", "29 00:30"), ("20260329T015959", "29 00:59"),
        ("20260329T020000", "29 01:00"), ("20260329T023000", "29 01:30"), ("20260329T030000", "29 01:00"),
        ("20261025T013000", "24 23:30"), ("20261025T020000", "25 00:00"), ("20261025T023000", "25 00:30"),
        ("20261025T030000", "25 02:00"), ("20261231T235959", "31 22:59"), ("20260101T000000", "31 23:00"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("tzid", ["Europe/Berlin", "Ours", "W. Europe Standard Time"])
def test_gaps_and_overlaps_are_read_by_the_rule_of_the_rfc(wall: str, utc: str, tzid: str) -> None:
    assert told(wall, tzid, *CUSTOM) == utc


@pytest.mark.parametrize(
    ("rule", "utc"),
    [
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=SU;BYMONTHDAY=25,26,27,28,29,30,31", "29 01:00"),
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=29", "29 01:00"),
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=-3", "29 01:00"),
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=5SU", "odd"),
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;UNTIL=20270328T010000Z", "29 01:00"),
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;UNTIL=20250330T010000Z", "29 02:00"),
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;UNTIL=20260329T005959Z", "29 02:00"),
        ("RDATE:20250330T020000,20260329T020000", "29 01:00"),
        ("RDATE:20250330T020000\nRDATE:20260329T020000", "29 01:00"),
        ("RDATE;VALUE=PERIOD:20250330T020000/PT1H", "cannot be read"),
    ],
)
def test_rules_of_a_time_zone_that_only_the_object_knows(rule: str, utc: str) -> None:
    """03:00 of the day of the change: 01:00 UTC when it has been read, 02:00 when not."""
    zone = rules("X", ("19700329T020000", "+0100", "+0200", rule), ("19701025T030000", "+0200", "+0100", OCTOBER))
    assert utc in told("20260329T030000", "X", *zone)


def test_the_last_change_of_rules_that_ended_holds() -> None:
    ended = rules(
        "X", ("19700329T020000", "+0100", "+0300", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;UNTIL=19990101T000000Z")
    )
    assert told("20260329T120000", "X", *ended) == "29 09:00"
    assert told("19600101T120000", "X", *ended) == "01 11:00", "before its first change"


def test_every_explanation_of_a_zone_must_say_the_same() -> None:
    other = rules("Ours", ("19700101T000000", "+0500", "+0500", "COMMENT:x"))
    assert told("20260601T120000", "Ours", *CUSTOM, *CUSTOM) == "01 10:00"
    assert "contradicts itself" in told("20260601T120000", "Ours", *CUSTOM, *other)
    assert "contradicts itself" in told(
        "20260601T120000", "Europe/Berlin", *[line.replace("Ours", "Europe/Berlin") for line in other]
    )
    twice = rules("X", ("20260101T000000", "+0100", "+0200", "C:x"), ("20260101T000000", "+0100", "+0300", "C:x"))
    assert "twice at once" in told("20260601T120000", "X", *twice)
    assert (
        told("20260601T120000", "Europe/Berlin", "BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "END:VTIMEZONE") == "01 10:00"
    )


# --- bombs ------------------------------------------------------------------------------------------------------

SIZE = 262_144


def bomb(*lines: str, head: str = "") -> str:
    text = "\n".join([f"DTSTART;{BERLIN}:20261124T100000", *lines])
    return changed((START, text), ("METHOD:REPLY\n", "METHOD:REPLY\n" + head))


def filled(line: str, before: str = "", after: str = "") -> str:
    """As many lines as the limit allows."""
    return before + line * ((SIZE - len(REPLY) - len(before) - len(after) - 200) // len(line)) + after


def numbers(count: int) -> str:
    return ",".join(map(str, range(count)))


def in_zone(line: str) -> str:
    return changed(("RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", line))


ZONES = "\n".join(rules("W. Europe Standard Time", ("19701025T030000", "+0200", "+0100", OCTOBER)))
PART = "\n".join([*rules("", ("16010101T000000", "+0100", "+0100", OCTOBER))[2:-1], ""])
BOMBS = {
    "secondly": bomb("RRULE:FREQ=SECONDLY"),
    "minutely": bomb("RRULE:FREQ=MINUTELY;INTERVAL=1"),
    "folded secondly": bomb("RRU\n LE:FREQ=SEC\n ONDLY"),
    "interval of nothing": bomb("RRULE:FREQ=DAILY;INTERVAL=0"),
    "every second of a day": bomb(f"RRULE:FREQ=DAILY;BYHOUR={numbers(24)};BYMINUTE={numbers(60)}"),
    "a day that never comes": bomb("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
    "a billion times": bomb("RRULE:FREQ=DAILY;COUNT=999999999"),
    "many rules": bomb(filled("RRULE:FREQ=SECONDLY\n")),
    "periods": bomb(filled("RDATE;VALUE=PERIOD:20261124T100000Z/P99999W\n")),
    "one line of periods": bomb("RDATE;VALUE=PERIOD:" + filled("20261124T100000Z/PT1S,")),
    "dates left out": bomb(filled("EXDATE:20261124T100000Z\n")),
    "long duration": bomb("DURATION:P99999999999W").replace(END + "\n", ""),
    "longer duration": bomb(f"DURATION:P{'9' * 3_000}W").replace(END + "\n", ""),
    "year 9999": changed(("20261124T1", "99991231T1")),
    "last moment": changed(("20261124T10", "99991231T23"), ("TZOFFSETTO:+0100", "TZOFFSETTO:-1500")),
    "many zones": bomb(head=filled(ZONES)),
    "many parts of one zone": changed(("BEGIN:STANDARD", filled(PART, after="BEGIN:STANDARD"))),
    "parts of one zone up to the limit": changed(("BEGIN:STANDARD", PART * 290 + "BEGIN:STANDARD")),
    "secondly in a zone": in_zone("RRULE:FREQ=SECONDLY"),
    "daily in a zone": in_zone("RRULE:FREQ=DAILY"),
    "never in a zone": in_zone("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
    "rule of 4,000 parts in a zone": in_zone("RRULE:FREQ=YEARLY" + ";BYDAY=1SU" * 380),
    "month days without end in a zone": in_zone("RRULE:FREQ=YEARLY;BYMONTHDAY=" + "1," * 1_900),
    "dates in a zone": in_zone(filled("RDATE:" + "20260329T020000," * 200 + "20260329T020000\n")),
    "one line of dates in a zone": in_zone("RDATE:" + filled("20260329T020000,")),
    "huge offset": changed(("TZOFFSETTO:+0100", "TZOFFSETTO:+999999")),
    "attendees": bomb(filled("ATTENDEE:a@b.c\n")),
    "attendees up to the limit": bomb(filled("ATTENDEE;CN=\"" + "x" * 480 + "\":mailto:a@b.c\n")),
    "one attendee": bomb("ATTENDEE;" + filled("A=1;")),
    "delegates": bomb("ATTENDEE;DELEGATED-TO=" + ",".join(['"mailto:a@b.c"'] * 270) + ":mailto:a@b.c"),
    "quotes": bomb("ATTENDEE;CN=" + filled('"')),
    "nested": bomb(head=filled("BEGIN:VEVENT\n")),
    "nested and ended": bomb(head=filled("BEGIN:X\n" * 5 + "END:X\n" * 5)),
    "events": bomb(head=filled("BEGIN:VEVENT\nUID:x\nEND:VEVENT\n")),
    "events of one UID": bomb(head=filled(f"BEGIN:VEVENT\nUID:{OUR_UID}\nEND:VEVENT\n")),
    "empty lines": bomb(filled("\n")),
    "empty CRLF lines": bomb(filled("\r\n")),
    "a fold without end": bomb("SUMMARY:" + filled("x\n ")),
    "a fold of long lines": bomb("SUMMARY:" + filled("x" * 70 + "\n ")),
    "one line": bomb("COMMENT:" + filled("x")),
    "one line of escapes": bomb("COMMENT:" + filled("\\n")),
    "comments": bomb(filled("COMMENT:x\n")),
    "long comments": bomb(filled("COMMENT:" + "\\" * 3_900 + "\n")),
    "colons": bomb(filled(":")),
    "white space": bomb(filled(" ") + ":"),
    "names": filled("UID"),
    "names and colons": filled("UID:\n"),
    "methods": filled("METHOD: \n"),
    "spaces of methods": "METHOD:" + filled(" "),
    "CR": bomb(filled("\r")),
    "NUL": bomb(filled("\0")),
    "NUL in the name": changed(("DTSTART", "DT\0START")),
    "not ASCII": bomb(filled("ß\u2028")),
    "half a letter": bomb("COMMENT:\ud800"),
    "no end": REPLY[:-40] + "\n" + filled("X:1\n"),
    "too large": REPLY + "x" * SIZE,
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_read_at_once(name: str) -> None:
    assert len(BOMBS[name]) <= SIZE or name == "too large"
    started = time.process_time()
    found = read_itip(BOMBS[name])
    used = time.process_time() - started
    assert found is not None
    assert used < MAX_CPU_S, f"{used:.3f} s"


# --- other people's files ---------------------------------------------------------------------------------------


@pytest.mark.skipif(not (MAIL / "ics").is_dir(), reason="needs ../shared/mail/ics")
def test_other_peoples_files_are_read_at_once() -> None:
    seen: Counter[str] = Counter()
    for path in sorted(each for each in (MAIL / "ics").rglob("*") if each.is_file()):
        text = path.read_bytes().decode("utf-8", "replace")
        if "METHOD" not in text:  # an export: what it would say had it been sent
            text = text.replace("BEGIN:VCALENDAR", "BEGIN:VCALENDAR\nMETHOD:PUBLISH", 1)
        started = time.process_time()
        found = read_itip(text)
        assert time.process_time() - started < MAX_CPU_S, path
        seen[type(found).__name__] += 1
        if isinstance(found, Itip):
            seen["slot"] += found.slot is not None
            assert found.slot is not None or found.problem != "" or found.method in ("REPLY", "CANCEL")
    assert seen["slot"] > 70
    assert seen["Itip"] > 120
    assert seen["Unreadable"] > 120


@pytest.mark.skipif(not MAIL.is_dir(), reason="needs ../shared/mail")
def test_calendars_in_other_peoples_mails_are_read_at_once() -> None:
    seen = 0
    for path in sorted(each for each in MAIL.rglob("*") if each.is_file() and each.stat().st_size < 1_000_000):
        octets = path.read_bytes()
        if b"calendar" not in octets and b".ics" not in octets:
            continue
        raw = Raw(Locator("desk", "INBOX", "1"), datetime(2026, 11, 22, tzinfo=UTC), octets, len(octets))
        message = parse(raw, border=Border(frozenset(), "triaged.firm.example", ()))
        started = time.process_time()
        found = read_itip(message.calendar, mime_method=message.calendar_method)
        assert time.process_time() - started < MAX_CPU_S, path
        assert (found is None) == (message.calendar.strip() == "")
        seen += found is not None
    assert seen >= 2


@settings(max_examples=300, deadline=timedelta(seconds=1))
@given(
    st.sampled_from(sorted(EXPECTED)),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 60), st.text(max_size=20) | st.sampled_from('\r\n\0:;=",\\TZ')),
        max_size=6,
    ),
)
def test_nothing_raises_on_what_was_mutilated(name: str, cuts: list[tuple[float, int, str]]) -> None:
    text = golden(name)
    for place, length, put in cuts:
        start = int(place * len(text))
        text = text[:start] + put + text[start + length :]
    found = read_itip(text)
    if isinstance(found, Itip):
        assert found.uid != ""
        assert found.slot is None or (found.slot.start < found.slot.end and found.problem == "")


def test_nothing_raises_on_lines_that_were_shuffled() -> None:
    chance = random.Random(20261122)
    kinds: Counter[str] = Counter()
    for _ in range(300):
        lines = golden(chance.choice(sorted(EXPECTED))).split("\n")
        first, second = (chance.randrange(len(lines)) for _ in range(2))
        lines[first], lines[second] = lines[second], lines[first]
        kinds[type(read_itip("\n".join(lines))).__name__] += 1
    assert kinds["Itip"] > 30
    assert kinds["Unreadable"] > 30
