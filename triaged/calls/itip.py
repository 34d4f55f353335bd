"""The text of a calendar object in, what it asks or answers out (RFC 5546); never raises, nothing is ever expanded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args
from urllib.parse import unquote

from icalendar import vDuration

from triaged.calls import lines, zones
from triaged.calls.lines import Component, Property
from triaged.model import Interval

MAX_ZONES = 20
"""VTIMEZONE in one object; an invitation has one."""
MAX_ATTENDEES = 500
MAX_COMMENT_CHARACTERS = 4_000

Method = Literal["REQUEST", "REPLY", "COUNTER", "CANCEL", "REFRESH", "DECLINECOUNTER", "ADD", "PUBLISH"]

_TIMELESS = ("REPLY", "CANCEL", "REFRESH", "DECLINECOUNTER")
"""Methods whose objects need no times (RFC 5546 3.2)."""
_UID = re.compile(r"^UID[^:\n]{0,200}:([^\r\n]{0,1000})", re.MULTILINE | re.IGNORECASE)
_METHOD = re.compile(r"^METHOD:[ \t]{0,20}([A-Za-z]{1,20})[ \t]{0,20}\r?$", re.MULTILINE | re.IGNORECASE)
_SEQUENCE = re.compile(r"[0-9]{1,10}")
_ADDR_SPEC = re.compile(r"[^@\s<>\",;:]{1,64}@([^@\s<>\",;:]{1,253})")


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody who is asked, or who answers.

    addr_spec: lower case, `""` if it cannot be told. partstat: upper case (RFC 5545 3.2.12). sent_by: the address of
    who answers in their name, `""` for themselves; delegated_to, delegated_from: addresses, lower case.
    """

    addr_spec: str
    partstat: str = "NEEDS-ACTION"
    sent_by: str = ""
    delegated_to: tuple[str, ...] = ()
    delegated_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Itip:
    """What a calendar object asks or answers (RFC 5546). Anybody can write one: who sent it is for others to ask.

    uid: never empty. dtstamp: UTC, None if it has none that can be read. organizer: addr-spec, lower case, `""` if
    none is named (outlook.com's replies). slot: UTC, the first where it recurs. comment: what its writer said, `\\n`
    lines, without control characters. recurs: it has a rule or dates, or stands for one of several.
    problem: why there is no slot, a sentence: it is a day and no time; a time in no zone, in one that nobody knows, or
    that its VTIMEZONE and its name tell differently; it has no end. `""` if there is a slot, and where there are no
    times and the method needs none.
    """

    method: Method
    uid: str
    sequence: int
    dtstamp: datetime | None
    organizer: str
    attendees: tuple[Attendee, ...]
    slot: Interval | None
    comment: str
    recurs: bool
    problem: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A calendar object that must not be acted upon. problem: why, a sentence; method, uid: as far as they can be told.

    Besides what is broken or too large: no method, or one that its mail contradicts (RFC 6047 2.4); no event, no UID,
    or more than one (RFC 5546 1.4).
    """

    problem: str
    method: str
    uid: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An event that stands in a calendar. slot: UTC; sequence: 0 where the server keeps none."""

    slot: Interval
    sequence: int
    attendees: tuple[Attendee, ...]


def read_itip(text: str, *, mime_method: str = "") -> Itip | Unreadable | None:
    """What the object says; None when there is none. mime_method: `method` of its Content-Type, `""` if it has none."""
    if text.strip() == "":
        return None
    try:
        return _read(text, mime_method.upper())
    except ValueError as error:
        head = text[: lines.MAX_CHARACTERS]
        method, uid = _METHOD.search(head), _UID.search(head)
        told = mime_method or ("" if method is None else method[1])
        return Unreadable(_sentence(error), told.upper()[:20], "" if uid is None else _plain(uid[1]).strip())


def read_stored(text: str) -> Stored:
    """The one event of an object in a calendar. Raises: ValueError, a sentence, when its time cannot be told."""
    calendar = lines.read(text)
    events = calendar.within("VEVENT")
    if len(events) == 0:
        raise ValueError("there is no event in it")
    if _recurs(events):
        raise ValueError("the event recurs")
    attendees = tuple(_attendee(line) for line in _all(events[0], "ATTENDEE"))
    return Stored(_slot(calendar, events[0]), _sequence(events[0]), attendees)


def _read(text: str, mime_method: str) -> Itip:
    calendar = lines.read(text)
    method = _method(calendar, mime_method)
    events = calendar.within("VEVENT")
    if len(events) == 0:
        raise ValueError("there is no event in it")
    uids = {_plain(line.value).strip() for event in events for line in event.all("UID")}
    if len(uids) != 1 or "" in uids or not all(event.has("UID") for event in events):
        raise ValueError("it has more than one UID" if len(uids) > 1 else "it has no UID")
    event = next((each for each in events if not each.has("RECURRENCE-ID")), events[0])
    slot, problem = None, ""
    if event.has("DTSTART") or method not in _TIMELESS:
        try:
            slot = _slot(calendar, event)
        except ValueError as error:
            problem = _sentence(error)
    organizer = event.one("ORGANIZER")
    attendees = _all(event, "ATTENDEE")
    return Itip(
        method=method,
        uid=uids.pop(),
        sequence=_sequence(event),
        dtstamp=_dtstamp(event),
        organizer=_addr_spec(organizer) if organizer is not None else "",
        attendees=tuple(_attendee(line) for line in attendees),
        slot=slot,
        comment=_comment(event, attendees),
        recurs=_recurs(events),
        problem=problem,
    )


def _method(calendar: Component, mime_method: str) -> Method:
    line = calendar.one("METHOD")
    if line is None:
        raise ValueError("it has no method: it asks and answers nothing")
    named = line.value.upper()
    if mime_method not in ("", named):
        raise ValueError(f"its mail calls it {mime_method!r}, it calls itself {named!r}"[:200])
    for method in get_args(Method):
        if method == named:
            found: Method = method
            return found
    raise ValueError(f"nobody knows its method {named!r}"[:200])


def _recurs(events: Iterable[Component]) -> bool:
    events = tuple(events)
    return len(events) > 1 or events[0].has("RRULE", "RDATE", "EXRULE", "RECURRENCE-ID")


def _sequence(event: Component) -> int:
    line = event.one("SEQUENCE")
    if line is None:
        return 0
    if _SEQUENCE.fullmatch(line.value) is None:
        raise ValueError("its SEQUENCE is no number")
    return int(line.value)


def _dtstamp(event: Component) -> datetime | None:
    try:
        line = event.one("DTSTAMP")
        return zones.to_utc(line, ()) if line is not None else None
    except ValueError:
        return None


# --- when --------------------------------------------------------------------------------------------------------


def _slot(calendar: Component, event: Component) -> Interval:
    known = calendar.within("VTIMEZONE")
    if len(known) > MAX_ZONES:
        raise ValueError(f"it has more than {MAX_ZONES} time zones")
    first, last, lasts = event.one("DTSTART"), event.one("DTEND"), event.one("DURATION")
    if first is None:
        raise ValueError("it has no start")
    if first.parameter("VALUE").upper() == "DATE" or re.fullmatch(r"[0-9]{8}", first.value) is not None:
        raise ValueError("it is a day, not a time")
    if (last is None) == (lasts is None):
        raise ValueError("it has no end")
    start = zones.to_utc(first, known)
    end = zones.to_utc(last, known) if last is not None else _after(start, lasts)
    if start >= end:
        raise ValueError("it ends before it starts")
    return Interval(start, end)


def _after(start: datetime, lasts: Property | None) -> datetime:
    try:
        length: timedelta = vDuration.from_ical(lasts.value if lasts is not None else "")  # type: ignore[no-untyped-call]
        return start + length
    except (ValueError, ArithmeticError) as error:
        raise ValueError("its duration cannot be read") from error


# --- who -----------------------------------------------------------------------------------------------------------


def _all(event: Component, name: str) -> tuple[Property, ...]:
    if sum(each == name for each, _ in event.lines) > MAX_ATTENDEES:
        raise ValueError(f"it has more than {MAX_ATTENDEES} {name}")
    return event.all(name)


def _attendee(line: Property) -> Attendee:
    return Attendee(
        _addr_spec(line),
        line.parameter("PARTSTAT").upper() or "NEEDS-ACTION",
        _mailto(line.parameter("SENT-BY")),
        tuple(_mailto(each) for each in line.parameters.get("DELEGATED-TO", ())),
        tuple(_mailto(each) for each in line.parameters.get("DELEGATED-FROM", ())),
    )


def _addr_spec(line: Property) -> str:
    """The address; that of EMAIL (RFC 7986 6.2) where the value is the path of somebody on a server, as Apple's."""
    return _mailto(line.value) or _mailto(line.parameter("EMAIL"))


def _mailto(uri: str) -> str:
    """The addr-spec of a mailto URI or of a bare address, lower case, IDN as U-labels; `""` if it is none."""
    text = uri.strip(" \"'")
    if text[:7].lower() == "mailto:":
        text = unquote(text[7:].partition("?")[0])
    text = text.strip(" <>").lower()
    found = _ADDR_SPEC.fullmatch(text)
    if found is None or not text.isprintable():
        return ""
    if "xn--" not in text:
        return text
    try:
        return f"{text.rpartition('@')[0]}@{found[1].encode('ascii').decode('idna')}"
    except UnicodeError:
        return text


# --- words ---------------------------------------------------------------------------------------------------------


def _comment(event: Component, attendees: tuple[Property, ...]) -> str:
    """COMMENT, or what Google puts beside the address of the one who answers."""
    said = [line.value for line in event.all("COMMENT", cut=True)]
    if len(said) == 0 and len(attendees) == 1:
        said = [attendees[0].parameter("X-RESPONSE-COMMENT")]
    return "\n".join(_plain(text).strip() for text in said)[:MAX_COMMENT_CHARACTERS].strip()


def _plain(value: str) -> str:
    """A TEXT value without its escapes and without control characters."""
    text = lines.unescaped(value)
    return "".join(" " if letter not in "\n\t" and _is_control(letter) else letter for letter in text)


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def _sentence(error: ValueError) -> str:
    return _plain(str(error)).replace("\n", " ")
