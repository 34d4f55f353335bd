"""A calendar object that we wrote in, every rule of RFC 5545, 5546, 6638 and 7986 that it breaks out, by name.

One function a rule; written from the RFCs, with no calendar library, and narrower than they are: only what we mean to
write is right. Each rule is seen to bite in test_itip_strict.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

_PARAMETER = re.compile(r';([A-Z-]+)=("[^"\x00-\x08\x0a-\x1f\x7f]*"|[^";:,\x00-\x08\x0a-\x1f\x7f]*)')
_NAME = re.compile(r"[A-Z-]+")
_LOCAL, _UTC = re.compile(r"[0-9]{8}T[0-9]{6}"), re.compile(r"[0-9]{8}T[0-9]{6}Z")
_OFFSET = re.compile(r"[+-](?:0[0-9]|1[0-5])[0-5][0-9]")
_RULE = re.compile(r"FREQ=YEARLY;BYDAY=(-1|[1-4])(MO|TU|WE|TH|FR|SA|SU);BYMONTH=([1-9]|1[0-2])")
_MAILTO = re.compile(r"mailto:[A-Za-z0-9!$&'*+/=._~%-]{1,200}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_HTTPS = re.compile(r"https://[!-~]+")
_TEXT = re.compile(r"(?:[^\\;,\x00-\x08\x0a-\x1f\x7f]|\\[\\;,n])*")
_TEXTS = ("UID", "SUMMARY", "DESCRIPTION", "LOCATION", "PRODID", "TZID", "TZNAME")
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

_CALENDAR = {"VERSION": (1, 1), "PRODID": (1, 1), "METHOD": (0, 1)}
_EVENT = {
    "UID": (1, 1), "DTSTAMP": (1, 1), "DTSTART": (1, 1), "DTEND": (1, 1), "SEQUENCE": (1, 1), "SUMMARY": (1, 1),
    "STATUS": (1, 1), "TRANSP": (1, 1), "DESCRIPTION": (0, 1), "LOCATION": (0, 1), "CONFERENCE": (0, 1),
    "ORGANIZER": (0, 1), "ATTENDEE": (0, 2),
}  # fmt: skip
_ZONE = {"TZID": (1, 1)}
_CHANGE = {"DTSTART": (1, 1), "TZOFFSETFROM": (1, 1), "TZOFFSETTO": (1, 1), "TZNAME": (1, 1), "RRULE": (0, 1)}
_COUNTS = {"VCALENDAR": _CALENDAR, "VEVENT": _EVENT, "VTIMEZONE": _ZONE, "STANDARD": _CHANGE, "DAYLIGHT": _CHANGE}
_WITHIN = {"VEVENT": "VCALENDAR", "VTIMEZONE": "VCALENDAR", "STANDARD": "VTIMEZONE", "DAYLIGHT": "VTIMEZONE"}
_PARAMETERS = {
    "ATTENDEE": {"CN", "CUTYPE", "PARTSTAT", "ROLE", "RSVP", "SCHEDULE-AGENT"}, "ORGANIZER": {"CN"},
    "DTSTART": {"TZID"}, "DTEND": {"TZID"}, "CONFERENCE": {"VALUE"},
}  # fmt: skip
_VALUES = {
    "STATUS": {"CONFIRMED", "TENTATIVE", "CANCELLED"}, "TRANSP": {"OPAQUE", "TRANSPARENT"}, "VERSION": {"2.0"},
    "METHOD": {"REQUEST", "CANCEL"}, "CUTYPE": {"INDIVIDUAL"}, "PARTSTAT": {"NEEDS-ACTION", "ACCEPTED"},
    "ROLE": {"REQ-PARTICIPANT", "CHAIR"}, "RSVP": {"TRUE", "FALSE"}, "SCHEDULE-AGENT": {"CLIENT"}, "VALUE": {"URI"},
}  # fmt: skip


@dataclass
class Line:
    """A content line. parameters: in order, values as they stand, with their quotes."""

    name: str
    parameters: list[tuple[str, str]]
    value: str

    def get(self, name: str) -> str:
        return next((value.strip('"') for key, value in self.parameters if key == name), "")


@dataclass
class Part:
    """A component: its lines, and what it is within."""

    name: str
    around: str
    lines: list[Line] = field(default_factory=list)

    def all(self, name: str) -> list[Line]:
        return [line for line in self.lines if line.name == name]

    def value(self, name: str) -> str:
        return next((line.value for line in self.all(name)), "")


@dataclass
class Written:
    """The object as octets, as unfolded lines, and as components in the order of their BEGIN."""

    octets: bytes
    text: list[str]
    parts: list[Part]

    def of(self, *names: str) -> list[Part]:
        return [part for part in self.parts if part.name in names]

    @property
    def event(self) -> Part:
        return next(iter(self.of("VEVENT")), Part("VEVENT", ""))

    @property
    def method(self) -> str:
        return next((part.value("METHOD") for part in self.of("VCALENDAR")), "")


def faults(octets: bytes) -> set[str]:
    """The names of the rules that the object breaks."""
    text = octets.decode("utf-8", "replace").replace("\r\n ", "").split("\r\n")
    written = Written(octets, text, _parts(text))
    return {rule.__name__ for rule in RULES if any(True for _ in rule(written))}


def _parts(text: list[str]) -> list[Part]:
    found: list[Part] = []
    around: list[Part] = []
    for each in text:
        line = _line(each)
        if line.name == "BEGIN":
            around.append(Part(line.value, around[-1].name if around else ""))
            found.append(around[-1])
        elif line.name == "END":
            around = around[:-1]
        elif around:
            around[-1].lines.append(line)
    return found


def _line(text: str) -> Line:
    name = _NAME.match(text)
    at = name.end() if name is not None else 0
    parameters = []
    while (parameter := _PARAMETER.match(text, at)) is not None:
        parameters.append((parameter[1], parameter[2]))
        at = parameter.end()
    return Line(name[0] if name is not None else "", parameters, text[at + 1 :] if text[at : at + 1] == ":" else "")


def _is_line(text: str) -> bool:
    line = _line(text)
    start = len(line.name) + sum(len(key) + len(value) + 2 for key, value in line.parameters)
    return line.name != "" and text[start : start + 1] == ":"


# --- RFC 5545 3.1, 3.2, 3.3: lines ------------------------------------------------------------------------------


def lines_end_in_crlf(it: Written) -> Iterator[str]:
    bare = it.octets.replace(b"\r\n", b"")
    if b"\r" in bare or b"\n" in bare or not it.octets.endswith(b"\r\n") or b"\r\n\r\n" in it.octets:
        yield "CR or LF alone, an empty line, or no CRLF at the end"


def lines_are_folded(it: Written) -> Iterator[str]:
    for line in it.octets.split(b"\r\n"):
        if len(line) > 75 or line.startswith(b"\t"):
            yield line.decode("utf-8", "replace")


def letters_are_not_cut(it: Written) -> Iterator[str]:
    for line in it.octets.split(b"\r\n"):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            yield str(error)


def no_line_breaks_for_others(it: Written) -> Iterator[str]:
    """Control characters (3.1), and what some reader takes for the end of a line."""
    text = it.octets.decode("utf-8", "replace").replace("\r\n", "")
    yield from re.findall("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]", text)


def lines_have_the_grammar(it: Written) -> Iterator[str]:
    yield from (line for line in it.text[:-1] if not _is_line(line))


def texts_are_escaped(it: Written) -> Iterator[str]:
    for part in it.parts:
        for line in part.lines:
            if line.name in _TEXTS and _TEXT.fullmatch(line.value) is None:
                yield line.value


def values_are_known(it: Written) -> Iterator[str]:
    for part in it.parts:
        for line in part.lines:
            named = [(line.name, line.value), *((key, line.get(key)) for key, _ in line.parameters)]
            yield from (name for name, value in named if name in _VALUES and value not in _VALUES[name])


def parameters_are_known_and_once(it: Written) -> Iterator[str]:
    for part in it.parts:
        for line in part.lines:
            counts = Counter(key for key, _ in line.parameters)
            if not counts.keys() <= _PARAMETERS.get(line.name, set()) or any(count > 1 for count in counts.values()):
                yield line.name


def no_x_properties(it: Written) -> Iterator[str]:
    for line in map(_line, it.text):
        yield from (name for name in (line.name, *(key for key, _ in line.parameters)) if name.startswith("X-"))


# --- RFC 5545 3.4, 3.6: components --------------------------------------------------------------------------------


def components_are_closed(it: Written) -> Iterator[str]:
    around: list[str] = []
    for each in it.text[:-1]:
        name, _, value = each.partition(":")
        if name == "BEGIN":
            around.append(value)
        elif name == "END" and (not around or around.pop() != value):
            yield each
        if not around and each != it.text[-2]:
            yield "something outside the object"
    yield from around


def components_are_where_they_belong(it: Written) -> Iterator[str]:
    yield from (part.name for part in it.parts if part.around != _WITHIN.get(part.name, ""))
    if [part.name for part in it.parts].count("VEVENT") != 1 or len(it.of("VCALENDAR")) != 1:
        yield "one object with one event"


def properties_are_known_and_as_often_as_they_may(it: Written) -> Iterator[str]:
    """3.6, 3.6.1, 3.6.5, and the tables of RFC 5546 3.2.2 and 3.2.5 for what they share."""
    for part in it.parts:
        may = _COUNTS.get(part.name, {})
        counts = Counter(line.name for line in part.lines)
        yield from (name for name in counts if name not in may)
        yield from (name for name, (least, most) in may.items() if not least <= counts[name] <= most)


def dtstamp_is_utc(it: Written) -> Iterator[str]:
    if not _is_time(_UTC, it.event.value("DTSTAMP")):
        yield it.event.value("DTSTAMP")


def sequence_is_a_number(it: Written) -> Iterator[str]:
    if re.fullmatch(r"0|[1-9][0-9]{0,8}", it.event.value("SEQUENCE")) is None:
        yield it.event.value("SEQUENCE")


def times_have_one_form(it: Written) -> Iterator[str]:
    """3.8.2.2: both with the same TZID, or both UTC without one (3.2.19)."""
    start, end = (next(iter(it.event.all(name)), Line(name, [], "")) for name in ("DTSTART", "DTEND"))
    form = _LOCAL if start.get("TZID") != "" else _UTC
    if start.get("TZID") != end.get("TZID") or not all(_is_time(form, each.value) for each in (start, end)):
        yield f"{start} {end}"


def it_ends_after_it_starts(it: Written) -> Iterator[str]:
    if it.event.value("DTEND") <= it.event.value("DTSTART"):
        yield it.event.value("DTEND")


def every_zone_is_told(it: Written) -> Iterator[str]:
    """3.2.19: a VTIMEZONE for each TZID, one; and none for nothing."""
    used = {line.get("TZID").replace("\\", "") for line in it.event.lines if line.get("TZID") != ""}
    told = [part.value("TZID").replace("\\", "") for part in it.of("VTIMEZONE")]
    if sorted(used) != sorted(told):
        yield f"{used} {told}"


def changes_of_the_clocks_are_right(it: Written) -> Iterator[str]:
    """3.6.5; at most one STANDARD and one DAYLIGHT, and rules by weekdays: all that Outlook reads."""
    for part in it.of("STANDARD", "DAYLIGHT"):
        yield from (name for name in ("TZOFFSETFROM", "TZOFFSETTO") if not _is_offset(part.value(name)))
        if not _is_time(_LOCAL, part.value("DTSTART")):
            yield "a start that is no local time"
        elif len(part.all("RRULE")) > 0 and not _is_first_of(part.value("RRULE"), part.value("DTSTART")):
            yield f"{part.value('RRULE')} does not begin at {part.value('DTSTART')}"
    for zone in it.of("VTIMEZONE"):
        at = it.parts.index(zone)
        within = [part.name for part in it.parts[at + 1 :] if part.around == "VTIMEZONE"]
        changes = sum(len(part.all("RRULE")) for part in it.of("STANDARD", "DAYLIGHT"))
        if (sorted(within), changes) not in ((["STANDARD"], 0), (["DAYLIGHT", "STANDARD"], 2)):
            yield f"{within} with {changes} rules"


def _is_time(form: re.Pattern[str], text: str) -> bool:
    try:
        return form.fullmatch(text) is not None and datetime.fromisoformat(text) is not None
    except ValueError:
        return False


def _is_offset(text: str) -> bool:
    return _OFFSET.fullmatch(text) is not None and text != "-0000"


def _is_first_of(rule: str, start: str) -> bool:
    found, day = _RULE.fullmatch(rule), datetime.fromisoformat(start)
    if found is None or day.month != int(found[3]) or _WEEKDAYS[day.weekday()] != found[2]:
        return False
    return (day + timedelta(days=7)).month != day.month if found[1] == "-1" else (day.day + 6) // 7 == int(found[1])


# --- RFC 5546, 6047, 6638, 7986: who is asked, and what -------------------------------------------------------------


def people_are_addresses(it: Written) -> Iterator[str]:
    people = [*it.event.all("ORGANIZER"), *it.event.all("ATTENDEE")]
    yield from (line.value for line in people if _MAILTO.fullmatch(line.value) is None)


def attendees_are_told_apart(it: Written) -> Iterator[str]:
    """RFC 5546 3.2.2: one is asked; who calls is the chair and has accepted."""
    addresses = [line.value for line in it.event.all("ATTENDEE")]
    if len(set(addresses)) != len(addresses):
        yield "somebody twice"
    for line in it.event.all("ATTENDEE"):
        asked = (line.get("ROLE"), line.get("PARTSTAT"), line.get("RSVP"))
        if asked not in (("REQ-PARTICIPANT", "NEEDS-ACTION", "TRUE"), ("CHAIR", "ACCEPTED", "FALSE")):
            yield f"{line.value}: {asked}"


def a_mail_names_organizer_and_attendee(it: Written) -> Iterator[str]:
    """RFC 5546 3.2.2, 3.2.5; RFC 5545 3.8.4.3: attendees without an organizer are none."""
    roles = [line.get("ROLE") for line in it.event.all("ATTENDEE")]
    organizers = len(it.event.all("ORGANIZER"))
    if (it.method != "" and "REQ-PARTICIPANT" not in roles) or (organizers == 1) != (len(roles) > 0):
        yield f"{organizers} organizers, {roles}"


def the_status_suits_the_method(it: Written) -> Iterator[str]:
    """RFC 5546 3.2.2: TENTATIVE or CONFIRMED; 3.2.5: CANCELLED, and with a sequence that went up."""
    status = it.event.value("STATUS")
    if it.method == "REQUEST" and status not in ("CONFIRMED", "TENTATIVE"):
        yield status
    if it.method == "CANCEL" and (status != "CANCELLED" or it.event.value("SEQUENCE") == "0"):
        yield status


def the_server_invites_nobody(it: Written) -> Iterator[str]:
    """RFC 6638 7.1: on every attendee in a calendar, on none in a mail."""
    for line in it.event.all("ATTENDEE"):
        if (line.get("SCHEDULE-AGENT") == "CLIENT") != (it.method == ""):
            yield line.value


def a_conference_is_a_uri(it: Written) -> Iterator[str]:
    """RFC 7986 5.11: VALUE=URI is a must; and the location says the same."""
    for line in it.event.all("CONFERENCE"):
        same = it.event.value("LOCATION").replace("\\", "") == line.value.replace("\\", "")
        if line.get("VALUE") != "URI" or _HTTPS.fullmatch(line.value) is None or not same:
            yield line.value


RULES: tuple[Callable[[Written], Iterator[str]], ...] = (
    lines_end_in_crlf, lines_are_folded, letters_are_not_cut, no_line_breaks_for_others, lines_have_the_grammar,
    texts_are_escaped, values_are_known, parameters_are_known_and_once, no_x_properties, components_are_closed,
    components_are_where_they_belong, properties_are_known_and_as_often_as_they_may, dtstamp_is_utc,
    sequence_is_a_number, times_have_one_form, it_ends_after_it_starts, every_zone_is_told,
    changes_of_the_clocks_are_right, people_are_addresses, attendees_are_told_apart,
    a_mail_names_organizer_and_attendee, the_status_suits_the_method, the_server_invites_nobody, a_conference_is_a_uri,
)  # fmt: skip
