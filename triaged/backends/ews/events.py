"""A VCALENDAR of ours in, the fields of an Exchange calendar item (MS-OXWSMTGS) out, and the other way round."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import icalendar
from exchangelib import EWSTimeZone
from lxml import etree

from triaged.backends.ews.xml import T, each_of, moment, text_of, written
from triaged.errors import Permanent
from triaged.model import Interval

PARTSTAT = {
    "Organizer": "ACCEPTED",
    "Accept": "ACCEPTED",
    "Tentative": "TENTATIVE",
    "Decline": "DECLINED",
    "NoResponseReceived": "NEEDS-ACTION",
    "Unknown": "NEEDS-ACTION",
}
"""ResponseType (MS-OXWSCDATA 2.2.4.49) → RFC 5545 3.2.12."""
FIELDS = (
    "item:Subject",
    "item:Body",
    "calendar:UID",
    "calendar:Start",
    "calendar:End",
    "calendar:Location",
    "calendar:IsCancelled",
    "calendar:LegacyFreeBusyStatus",
    "calendar:Organizer",
    "calendar:RequiredAttendees",
    "calendar:OptionalAttendees",
)
"""What is read of an item."""

STATUS = "calendar:LegacyFreeBusyStatus"
TENTATIVE = "Tentative"
"""Of an event that only holds its time (MS-OXWSCDATA, LegacyFreeBusyType)."""

_BROKEN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, OSError)
"""What icalendar 7.3 raises on broken input."""


@dataclass(frozen=True, slots=True)
class Event:
    """What we write of an event. text: its description, lines with `\\n`. tentative: it only holds its time."""

    slot: Interval
    subject: str
    text: str
    location: str
    tentative: bool

    def fields(self, timezone: str) -> dict[str, etree._Element]:
        """By FieldURI the elements to set, in the order that the schema wants them in an item."""
        zone = _windows_zone(timezone)
        return {
            "item:Subject": T.Subject(self.subject),
            "item:Body": T.Body(self.text, BodyType="Text"),
            "calendar:Start": T.Start(written(self.slot.start)),
            "calendar:End": T.End(written(self.slot.end)),
            STATUS: T.LegacyFreeBusyStatus(TENTATIVE if self.tentative else "Busy"),
            "calendar:Location": T.Location(self.location),
            "calendar:StartTimeZone": T.StartTimeZone(Id=zone),
            "calendar:EndTimeZone": T.EndTimeZone(Id=zone),
        }

    def is_as(self, other: Event) -> bool:
        """Whether nobody needs to be told; Exchange changes blanks and line breaks of a text."""
        mine, its = ((each.subject, each.text, each.location) for each in (self, other))
        same = (self.slot, self.tentative) == (other.slot, other.tentative)
        return same and all(a.split() == b.split() for a, b in zip(mine, its, strict=True))


def read_event(ics: bytes) -> Event:
    """The first VEVENT. Raises: Permanent (it has no start and end with a time zone, or cannot be read)."""
    try:
        entry = next(iter(icalendar.Calendar.from_ical(ics).walk("VEVENT")))
        start, end = entry.decoded("dtstart"), entry.decoded("dtend")
        slot = Interval(start.astimezone(UTC), end.astimezone(UTC))
        if start.tzinfo is None or end.tzinfo is None or slot.start >= slot.end:
            raise ValueError("no time zone, or it ends before it starts")
        subject, text, location, status = (
            str(entry.get(name, "")) for name in ("SUMMARY", "DESCRIPTION", "LOCATION", "STATUS")
        )
    except (StopIteration, *_BROKEN) as error:
        raise Permanent(f"the event cannot be read: {error!r}"[:300]) from error
    return Event(slot, subject, text, location, tentative=status.upper() == "TENTATIVE")


def event_of(item: etree._Element) -> Event:
    """What stands in the calendar. Raises: Permanent (no start or end)."""
    try:
        slot = Interval(moment(text_of(item, "t:Start")), moment(text_of(item, "t:End")))
    except ValueError as error:
        raise Permanent(f"the event in the calendar has no time that can be read: {error}") from error
    subject, text, location, status = (
        text_of(item, path) for path in ("t:Subject", "t:Body", "t:Location", "t:LegacyFreeBusyStatus")
    )
    return Event(slot, subject, text.replace("\r\n", "\n"), location, tentative=status == TENTATIVE)


def attendees(item: etree._Element) -> dict[str, tuple[str, str]]:
    """Address in lower case → name and PARTSTAT, of those invited."""
    found = {}
    for each in [*each_of(item, "t:RequiredAttendees/t:Attendee"), *each_of(item, "t:OptionalAttendees/t:Attendee")]:
        address = text_of(each, "t:Mailbox/t:EmailAddress").lower()
        answer = PARTSTAT.get(text_of(each, "t:ResponseType"), "NEEDS-ACTION")
        found[address] = (text_of(each, "t:Mailbox/t:Name"), answer)
    return found


def ics_of(item: etree._Element, uid: str, now: datetime) -> bytes:
    """A VCALENDAR with one VEVENT under that UID, times in UTC. Raises: Permanent (no start or end)."""
    event = event_of(item)
    entry = icalendar.Event()
    entry.add("uid", uid)
    entry.add("dtstamp", now.astimezone(UTC).replace(microsecond=0))
    entry.add("dtstart", event.slot.start)
    entry.add("dtend", event.slot.end)
    entry.add("summary", event.subject)
    for name, text in (("location", event.location), ("description", event.text)):
        if text != "":
            entry.add(name, text)
    standing = "TENTATIVE" if event.tentative else "CONFIRMED"
    entry.add("status", "CANCELLED" if text_of(item, "t:IsCancelled").lower() == "true" else standing)
    is_free = text_of(item, "t:LegacyFreeBusyStatus") == "Free"
    entry.add("transp", "TRANSPARENT" if is_free else "OPAQUE")
    organizer = text_of(item, "t:Organizer/t:Mailbox/t:EmailAddress")
    if "@" in organizer:
        entry.add("organizer", icalendar.vCalAddress(f"mailto:{organizer}"))
    for address, (name, answer) in attendees(item).items():
        person = icalendar.vCalAddress(f"mailto:{address}")
        person.params["PARTSTAT"] = answer
        if name != "" and name.lower() != address:
            person.params["CN"] = name
        entry.add("attendee", person)
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//triaged//triaged//EN")
    calendar.add("version", "2.0")
    calendar.add_component(entry)
    octets: bytes = calendar.to_ical()
    return octets


def _windows_zone(timezone: str) -> str:
    """Windows' name of an IANA zone, by which Exchange shows the event to people; UTC where it has none."""
    try:
        return str(EWSTimeZone.from_zoneinfo(ZoneInfo(timezone)).ms_id)
    except (ValueError, LookupError):
        return "UTC"
