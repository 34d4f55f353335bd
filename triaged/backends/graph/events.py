"""An event of ours (iCalendar, RFC 5545) in, Microsoft Graph's JSON of it out, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icalendar import Calendar, Event, vCalAddress

from triaged.backends.graph.line import moment, properties_of, text_of
from triaged.errors import Permanent

UID = "String {a2d1f4c6-5b0e-4f0b-9c53-6f1f7d2f0c41} Name triaged-uid"
"""Our UID as an extended property (a property set of our own): Graph gives each event an iCalUId itself."""
SEQUENCE = "Integer {00062002-0000-0000-c000-000000000046} Id 0x8201"
"""PidLidAppointmentSequence (MS-OXOCAL 2.2.1.1)."""
SELECT = "subject,body,start,end,location,showAs,attendees,organizer,isCancelled,isOnlineMeeting,lastModifiedDateTime"
MAX_BYTES = 262_144
"""Bytes of an event given to us; ours have 3 kB."""

_TRANSACTIONS = UUID("6f0e3a52-6f3b-4c0e-8f10-0c6d2a9b7e55")
"""Namespace (RFC 9562 5.5) of the transactionIds that are made from our UIDs."""
_PRODUCT = "-//triaged//triaged//EN"
_PARTSTAT = {
    "accepted": "ACCEPTED",
    "organizer": "ACCEPTED",
    "declined": "DECLINED",
    "tentativelyaccepted": "TENTATIVE",
}
"""responseType (lower case) → RFC 5545 3.2.12; anything else is NEEDS-ACTION."""
_BROKEN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, OSError)
"""What icalendar 7.3 raises on broken input."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an event is to say. start, end: UTC; texts: may be empty. tentative: it only holds its time."""

    start: datetime
    end: datetime
    subject: str
    text: str
    location: str
    tentative: bool

    @property
    def show_as(self) -> str:
        """As Graph calls it (freeBusyStatus)."""
        return "tentative" if self.tentative else "busy"


def wanted(ics: bytes) -> Wanted:
    """Read an event of ours. Raises: Permanent when it has no start and end with a time zone."""
    try:
        entry = next(iter(Calendar.from_ical(ics[: MAX_BYTES + 1]).walk("VEVENT")))
        start, end = entry.decoded("dtstart"), entry.decoded("dtend")
        subject, text, location, status = (
            str(entry.get(name, "")) for name in ("summary", "description", "location", "status")
        )
    except (StopIteration, *_BROKEN) as error:
        raise Permanent(f"the event cannot be read: {error!r}"[:300]) from error
    if not all(isinstance(each, datetime) and each.tzinfo is not None for each in (start, end)):
        raise Permanent("the event has no start and end with a time and a time zone")
    is_tentative = status.upper() == "TENTATIVE"
    return Wanted(start.astimezone(UTC), end.astimezone(UTC), subject, text, location, is_tentative)


def created(uid: str, event: Wanted, *, zone: str, online_meeting: bool) -> dict[str, Any]:
    """The body of a request that makes the event; without attendees, so nobody is told. zone: IANA name or `UTC`."""
    body: dict[str, Any] = {
        "transactionId": str(uuid5(_TRANSACTIONS, uid)),
        "subject": event.subject,
        "body": {"contentType": "text", "content": event.text},
        "location": {"displayName": event.location},
        "showAs": event.show_as,
        "singleValueExtendedProperties": [{"id": UID, "value": uid}],
        **times(event, zone),
    }
    if online_meeting:
        body |= {"isOnlineMeeting": True, "onlineMeetingProvider": "teamsForBusiness"}
    return body


def changes(found: Mapping[str, Any], event: Wanted, *, zone: str) -> dict[str, Any]:
    """What must be changed on the event that is there: empty when it says what it is to say.

    The text of an online meeting stays, for it holds the way into the meeting (learn.microsoft.com/graph/api/
    event-update); one that a person wrote to ours too, and a person's word that it is out of office, or free.
    """
    changed: dict[str, Any] = {}
    if (at(found, "start"), at(found, "end")) != (event.start, event.end):
        changed |= times(event, zone)
    if text_of(found, "subject") != event.subject:
        changed["subject"] = event.subject
    if text_of(found, "location", "displayName") != event.location:
        changed["location"] = {"displayName": event.location}
    if _is_tentative(found) != event.tentative:
        changed["showAs"] = event.show_as
    said = " ".join(text_of(found, "body", "content").split())
    if found.get("isOnlineMeeting") is not True and " ".join(event.text.split()) not in said:
        changed["body"] = {"contentType": "text", "content": event.text}
    return changed


def times(event: Wanted, zone: str) -> dict[str, Any]:
    """start and end, in the zone that the invitation shows them in; in UTC where its wall clock shows one twice."""
    where: tzinfo = UTC if zone == "UTC" else ZoneInfo(zone)
    local = [each.astimezone(where) for each in (event.start, event.end)]
    if any(each.replace(fold=0).utcoffset() != each.replace(fold=1).utcoffset() for each in local):
        zone, local = "UTC", [event.start, event.end]
    return {
        name: {"dateTime": each.strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": zone}
        for name, each in zip(("start", "end"), local, strict=True)
    }


def at(item: Mapping[str, Any], name: str) -> datetime | None:
    """A dateTimeTimeZone in UTC; None for what is none, or is in a zone that nobody knows."""
    try:
        local = datetime.fromisoformat(text_of(item, name, "dateTime"))
        zone = text_of(item, name, "timeZone")
        where: tzinfo = UTC if zone in ("UTC", "tzone://Microsoft/Utc") else ZoneInfo(zone)
        return (local if local.tzinfo is not None else local.replace(tzinfo=where)).astimezone(UTC)
    except (ValueError, OverflowError, OSError, ZoneInfoNotFoundError):
        return None


def ics_of(uid: str, found: Mapping[str, Any]) -> bytes:
    """A VCALENDAR of the event: times in UTC, each attendee with the answer. Raises: Permanent (no times)."""
    start, end = at(found, "start"), at(found, "end")
    if start is None or end is None:
        raise Permanent("the event has no start and end that can be read")
    entry = Event()
    entry.add("uid", uid)
    entry.add("dtstamp", moment(text_of(found, "lastModifiedDateTime")) or start)
    entry.add("dtstart", start)
    entry.add("dtend", end)
    sequence = properties_of(found).get(SEQUENCE.lower(), "")
    entry.add("sequence", int(sequence) if sequence.isdecimal() else 0)
    entry.add("summary", text_of(found, "subject"))
    if (location := text_of(found, "location", "displayName")) != "":
        entry.add("location", location)
    standing = "TENTATIVE" if _is_tentative(found) else "CONFIRMED"
    entry.add("status", "CANCELLED" if found.get("isCancelled") is True else standing)
    organizer = found.get("organizer")
    if isinstance(organizer, Mapping) and text_of(organizer, "emailAddress", "address") != "":
        entry.add("organizer", _person(organizer))
    for each in attendees(found):
        person = _person(each)
        answer = text_of(each, "status", "response").lower()
        person.params["PARTSTAT"] = _PARTSTAT.get(answer, "NEEDS-ACTION")
        entry.add("attendee", person)
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add_component(entry)
    octets: bytes = calendar.to_ical()
    return octets


def attendees(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those invited."""
    listed = found.get("attendees")
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []


def _is_tentative(found: Mapping[str, Any]) -> bool:
    return text_of(found, "showAs") == "tentative"


def _person(recipient: Mapping[str, Any]) -> vCalAddress:
    person = vCalAddress(f"mailto:{_line(text_of(recipient, 'emailAddress', 'address'))}")
    if (name := _line(text_of(recipient, "emailAddress", "name"))) != "":
        person.params["CN"] = name.replace('"', "'")
    return person


def _line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
