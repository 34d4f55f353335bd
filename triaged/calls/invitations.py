"""A slot and the people of a call in, its event (RFC 5545) and the mail about it (RFC 5546) out; and its slot back."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, tzinfo
from typing import Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone, vCalAddress, vUri

from triaged.calls import itip
from triaged.calls.vtimezone import vtimezone
from triaged.errors import Permanent
from triaged.model import Address, Interval

PRODUCT = "-//triaged//triaged//EN"
MAX_NAME_CHARACTERS = 100
"""As in the fields of a mail (`mail.compose`)."""


def event(
    *,
    uid: str,
    slot: Interval,
    organizer: Address,
    attendee: Address | None,
    chair: Address | None = None,
    summary: str,
    description: str,
    location: str,
    timezone: str,
    now: datetime,
    sequence: int = 0,
    method: Literal["REQUEST", "CANCEL"] | None,
    status: Literal["CONFIRMED", "TENTATIVE", "CANCELLED"] = "CONFIRMED",
) -> bytes:
    """A VCALENDAR with its VTIMEZONE and one VEVENT, CRLF lines folded at 75 octets.

    organizer: whom the client's program answers; in a mail the address whose mailbox we watch, with the colleague who
    calls as its chair, in the calendar the colleague. attendee: the client, None for a time that is only held and
    names nobody. timezone: IANA name that the times are written in, unless the zone cannot be told in rules
    (`vtimezone`) or its clock shows them twice. sequence: higher with every REQUEST after the first one, and with the
    CANCEL. method: for the mail, whose Content-Type must then name it too (RFC 6047 2.4), a CANCEL with the status
    CANCELLED; None for the calendar (RFC 4791 4.1 forbids METHOD there), whose server must not invite a second time
    (SCHEDULE-AGENT, RFC 6638 7.1). location, description: may be empty; a location that is an https URL is also told
    as one to join by (RFC 7986 5.11). Only the description keeps its line breaks. The same arguments give the same
    octets.
    """
    assert method is None or (method == "CANCEL") == (status == "CANCELLED"), f"{method} of a {status} call"
    assert method is None or attendee is not None, "a mail asks somebody"
    zone, component = _zone_of(slot, ZoneInfo(timezone))
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
    if _is_link(_line(location)):
        entry.add("conference", vUri(_line(location), params={"VALUE": "URI"}))
    if attendee is not None:
        entry.add("organizer", _person(organizer))
        if chair is not None:
            entry.add("attendee", _attendee(chair, _CHAIR, method))
        entry.add("attendee", _attendee(attendee, _CLIENT, method))
    entry.add("status", status)
    entry.add("transp", "TRANSPARENT" if status == "CANCELLED" else "OPAQUE")
    return _calendar_around(entry, component, method)


def _calendar_around(entry: Event, zone: Timezone | None, method: str | None) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    if method is not None:
        calendar.add("method", method)
    if zone is not None:
        calendar.add_component(zone)
    calendar.add_component(entry)
    octets: bytes = calendar.to_ical()
    return octets


_CHAIR = {"CUTYPE": "INDIVIDUAL", "ROLE": "CHAIR", "PARTSTAT": "ACCEPTED", "RSVP": "FALSE"}
_CLIENT = {"CUTYPE": "INDIVIDUAL", "ROLE": "REQ-PARTICIPANT", "PARTSTAT": "NEEDS-ACTION", "RSVP": "TRUE"}


def _zone_of(slot: Interval, zone: ZoneInfo) -> tuple[tzinfo, Timezone | None]:
    """The zone to write a slot in, and what tells it: UTC, which needs no telling, where the wall clock shows the
    slot's start or end twice that night, and where the zone cannot be told in rules.

    A local time that occurs twice means the first of the two (RFC 5545 3.3.5), so the second cannot be written.
    """
    for moment in (slot.start, slot.end):
        local = moment.astimezone(zone)
        if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
            return UTC, None
    component = None if zone.key in _IS_UTC else vtimezone(zone, slot.start.astimezone(zone).year)
    return (UTC, None) if component is None else (zone, component)


_IS_UTC = ("UTC", "Etc/UTC")
"""Written with a Z."""


def stored_event(ics: bytes) -> itip.Stored:
    """The event in `ics`, one of ours. Raises: Permanent when its time cannot be told: without a zone, all-day, without
    an end, or recurring."""
    try:
        return itip.read_stored(ics.decode("utf-8", "replace"))
    except ValueError as error:
        raise Permanent(f"the event cannot be read: {error}") from error


def _attendee(address: Address, parameters: dict[str, str], method: str | None) -> vCalAddress:
    person = _person(address)
    person.params |= parameters
    if method is None:
        person.params["SCHEDULE-AGENT"] = "CLIENT"
    return person


def _person(address: Address) -> vCalAddress:
    person = vCalAddress(_mailto(_line(address.addr_spec)))
    if address.display_name.strip() != "":
        # A quotation mark would be written `^'` (RFC 6868), and Outlook shows it so.
        person.params["CN"] = _line(address.display_name)[:MAX_NAME_CHARACTERS].replace('"', "'")
    return person


def _mailto(addr_spec: str) -> str:
    """The address as a URI, which is ASCII (RFC 6068 2); the IDN as A-labels."""
    local, _, domain = addr_spec.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        domain = quote(domain)
    return f"mailto:{quote(local, safe=_IN_MAILTO)}@{domain}"


_IN_MAILTO = "!$'*+/=&"
"""What RFC 5322 allows in a local part and a URI as it stands; `&`, `=` and `/` are for fields only behind a `?`."""


def _is_link(location: str) -> bool:
    """Whether it is an https URL that every server keeps: vobject (Radicale 3.9) cuts one off at its first comma."""
    return re.fullmatch(r"https://[!#-+\--:<-\[\]-~]{1,500}", location) is not None


def _line(text: str) -> str:
    """One line: line breaks and control characters become spaces (S53)."""
    return " ".join("".join(" " if _breaks(letter) else letter for letter in _apart(text)).split())


def _lines(text: str) -> str:
    r"""The text with `\n` lines and no other control character but the tab."""
    text = _apart(text).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(" " if _breaks(letter) and letter not in "\n\t" else letter for letter in text)


def _apart(text: str) -> str:
    r"""icalendar 7.3.2 takes `\N` in a text, as in `C:\New`, for a line break and writes one."""
    return text.replace("\\N", "\\ N")


def _breaks(letter: str) -> bool:
    """Whether some reader may take it for a line break, or cannot take it at all."""
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
