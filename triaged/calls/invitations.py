"""A slot and two people in, the event (RFC 5545) or the invitation to it (RFC 5546 REQUEST) out; and its slot back."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, tzinfo
from typing import Literal, TypeGuard
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vCalAddress

from triaged.errors import Permanent
from triaged.model import Address, Interval

PRODUCT = "-//triaged//triaged//EN"

MAX_BYTES = 262_144
"""Bytes; an event of ours has 3 kB, and icalendar needed 3.9 s for one of 200 kB (mail-safety 4.7)."""

_BOMB = re.compile(r"FREQ\s*=\s*(?:SECONDLY|MINUTELY|HOURLY|DAILY)")
"""No call recurs, and a time zone that changes so often keeps icalendar busy for ever (S52)."""

_FOLD = re.compile(rb"(?:\r?\n)+[ \t]")

_BROKEN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, OSError)
"""What icalendar 7.3 raises on broken input (39 ValueError and 1 AttributeError in 864 files, mail-safety 4.7)."""


def event(
    *,
    uid: str,
    slot: Interval,
    organizer: Address,
    attendee: Address,
    summary: str,
    description: str,
    location: str,
    timezone: str,
    now: datetime,
    sequence: int = 0,
    method: Literal["REQUEST"] | None,
) -> bytes:
    """A VCALENDAR with its VTIMEZONE and one VEVENT, CRLF lines folded at 75 octets.

    timezone: IANA name that the times are written in, unless the wall clock shows them twice. method: "REQUEST"
    for the mail, whose Content-Type must then say `method=REQUEST` too (RFC 6047 2.4); None for the calendar
    (RFC 4791 4.1 forbids METHOD there), whose server must not invite a second time (SCHEDULE-AGENT, RFC 6638 7.1).
    location, description: may be empty; only the description keeps its line breaks. The same arguments give the
    same octets.
    """
    zone = _zone_of(slot, ZoneInfo(timezone))
    entry = Event()
    entry.add("uid", _line(uid))
    entry.add("dtstamp", now.astimezone(UTC).replace(microsecond=0))
    entry.add("dtstart", slot.start.astimezone(zone))
    entry.add("dtend", slot.end.astimezone(zone))
    entry.add("sequence", sequence)
    entry.add("summary", _line(summary))
    for name, text in (("location", _line(location)), ("description", _lines(description))):
        if text != "":
            entry.add(name, text)
    entry.add("organizer", _person(organizer))
    invited = _person(attendee)
    invited.params |= {"CUTYPE": "INDIVIDUAL", "ROLE": "REQ-PARTICIPANT", "PARTSTAT": "NEEDS-ACTION", "RSVP": "TRUE"}
    if method is None:
        invited.params["SCHEDULE-AGENT"] = "CLIENT"
    entry.add("attendee", invited)
    entry.add("status", "CONFIRMED")
    entry.add("transp", "OPAQUE")

    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    if method is not None:
        calendar.add("method", method)
    calendar.add_component(entry)
    # A VTIMEZONE of two years: the default, 1970 to 2038, is 3 kB of dates that no call lies on.
    year = slot.start.astimezone(zone).year
    calendar.add_missing_timezones(first_date=date(year, 1, 1), last_date=date(year + 1, 12, 31))
    octets: bytes = calendar.to_ical()
    return octets


def _zone_of(slot: Interval, zone: ZoneInfo) -> tzinfo:
    """The zone to write a slot in: UTC where the wall clock shows its start or end twice that night.

    A local time that occurs twice means the first of the two (RFC 5545 3.3.5), so the second cannot be written.
    """
    for moment in (slot.start, slot.end):
        local = moment.astimezone(zone)
        if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
            return UTC
    return zone


def slot_of(ics: bytes) -> Interval:
    """When the first event in `ics` is, UTC. Raises: Permanent when that cannot be told.

    Meant for events of ours; a time without a zone, an all-day event or one without an end cannot be told.
    """
    if len(ics) > MAX_BYTES:
        raise Permanent(f"the event is larger than {MAX_BYTES // 1024} KB")
    if _BOMB.search(_FOLD.sub(b"", ics).decode("utf-8", "replace").upper()) is not None:
        raise Permanent("the event recurs")
    try:
        entry = next(iter(Calendar.from_ical(ics).walk("VEVENT")), None)
        start = None if entry is None else entry.decoded("dtstart", None)
        end = None if entry is None else entry.decoded("dtend", None)
    except _BROKEN as error:
        raise Permanent(f"the event cannot be read: {error!r}"[:300]) from error
    if not _is_exact(start) or not _is_exact(end):
        raise Permanent("the event has no start and end with a time and a time zone")
    try:
        slot = Interval(start.astimezone(UTC), end.astimezone(UTC))
    except _BROKEN as error:
        raise Permanent(f"the event's time cannot be read: {error!r}"[:300]) from error
    if slot.start >= slot.end:
        raise Permanent("the event ends before it starts")
    return slot


def _is_exact(moment: object) -> TypeGuard[datetime]:
    return isinstance(moment, datetime) and moment.tzinfo is not None


def _person(address: Address) -> vCalAddress:
    person = vCalAddress(f"mailto:{_line(address.addr_spec)}")
    if address.display_name.strip() != "":
        person.params["CN"] = _line(address.display_name)
    return person


def _line(text: str) -> str:
    """One line: line breaks and control characters become spaces (S53)."""
    return " ".join("".join(" " if _breaks(letter) else letter for letter in text).split())


def _lines(text: str) -> str:
    r"""The text with `\n` lines and no other control character but the tab."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(" " if _breaks(letter) and letter not in "\n\t" else letter for letter in text)


def _breaks(letter: str) -> bool:
    """Whether some reader may take it for a line break, or cannot take it at all."""
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
