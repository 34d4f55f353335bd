"""Events of one calendar in, what Microsoft Graph answers about them out: the fake's calendar, in memory."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

from tests.servers.graphmail import refused
from tests.servers.https import Request, Response

ZONES = frozenset({"UTC", "Europe/Berlin", "Europe/London", "America/New_York", "W. Europe Standard Time"})
"""Those that this Graph takes; not every name of IANA's."""
DIGITS = {"free": "0", "tentative": "1", "busy": "2", "oof": "3", "workingElsewhere": "4", "unknown": "?"}
LONGEST = timedelta(days=62)
LONGEST_VIEW = timedelta(days=1825)


@dataclass
class Meeting:
    """Attendees: as Graph gives them. text: as it was written; the way into an online meeting is put below it."""

    id: str
    start: datetime
    end: datetime
    subject: str = ""
    text: str = ""
    location: str = ""
    status: str = "busy"
    transaction: str = ""
    online: bool = False
    cancelled: bool = False
    version: int = 1
    attendees: list[dict[str, Any]] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return f'W/"{self.id[:6]}{self.version}"'


@dataclass(frozen=True)
class Told:
    """A mail of the server's own to an attendee."""

    kind: Literal["invite", "update", "cancel"]
    address: str
    subject: str


class DateStore:
    """One calendar. The switches below spoil it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.lock = threading.RLock()
        self.events: dict[str, Meeting] = {}
        self.gone: list[Meeting] = []
        self.told: list[Told] = []
        self.spoil: Callable[[dict[str, Any]], object] = lambda schedule: schedule
        """What becomes of a schedule before it is sent."""
        self.spoil_event: Callable[[dict[str, Any]], object] = lambda event: event
        """What becomes of an event in a calendarView before it is sent."""
        self.windows: list[tuple[datetime, datetime]] = []
        self.most_items = 1_000
        self.duplicate_is_error = False
        self.blind_searches = 0
        """Searches that do not find what is there."""

    def put(self, start: datetime, end: datetime, status: str = "busy", **changes: Any) -> Meeting:
        with self.lock:
            meeting = Meeting(uuid4().hex, start, end, status=status, **changes)
            self.events[meeting.id] = meeting
            return meeting

    def the_one(self) -> Meeting:
        [meeting] = self.events.values()
        return meeting

    def answer(self, address: str, response: str) -> None:
        """An attendee answers the invitation."""
        with self.lock:
            for meeting in self.events.values():
                for each in meeting.attendees:
                    if each["emailAddress"]["address"] == address:
                        each["status"] = {"response": response, "time": "2026-11-20T10:00:00Z"}
                        meeting.version += 1

    # --- what Graph answers ----------------------------------------------------------------------------------------

    def json_of(self, meeting: Meeting, request: Request) -> dict[str, Any]:
        as_text = 'body-content-type="text"' in request.headers.get("prefer", "")
        shown = meeting.text + ("\n________\nJoin the meeting now\n" if meeting.online else "")
        content = shown if as_text else f"<html><body>{html.escape(shown)}</body></html>"
        whole: dict[str, Any] = {
            "subject": meeting.subject,
            "body": {"contentType": "text" if as_text else "html", "content": content},
            "start": _shown(meeting.start, request),
            "end": _shown(meeting.end, request),
            "location": {"displayName": meeting.location, "locationType": "default"},
            "attendees": meeting.attendees,
            "organizer": {"emailAddress": {"name": "Lena Berg", "address": self.address}},
            "isCancelled": meeting.cancelled,
            "isOnlineMeeting": meeting.online,
            "showAs": meeting.status,
            "transactionId": meeting.transaction or None,
            "lastModifiedDateTime": "2026-11-20T09:00:00.1234567Z",
            "iCalUId": f"0400{meeting.id}",
        }
        selected = request.asked("$select").split(",") if request.asked("$select") else list(whole)
        found = {name: whole[name] for name in selected}
        if request.asked("$expand"):
            wanted = re.findall(r"id eq '([^']*)'", request.asked("$expand"))
            known = meeting.properties | {"Integer {00062002-0000-0000-c000-000000000046} Id 0x8201": "3"}
            found["singleValueExtendedProperties"] = [
                {"id": name, "value": known[name]} for name in wanted if name in known
            ]
        return {"@odata.etag": meeting.etag, "id": meeting.id, **found}

    def search(self, request: Request, page: Callable[..., Response]) -> Response:
        condition = request.asked("$filter")
        pattern = r"singleValueExtendedProperties/Any\(ep: ep/id eq '([^']*)' and ep/value eq '((?:[^']|'')*)'\)"
        match = re.fullmatch(pattern, condition, re.DOTALL)
        if match is None:
            return refused(400, "ErrorInvalidUrlQueryFilter", f"The fake does not know {condition}")
        name, value = match[1], match[2].replace("''", "'").lower()  # without regard to case, as Graph's page says
        found = [each for each in self.events.values() if each.properties.get(name, "").lower() == value]
        if self.blind_searches > 0:
            self.blind_searches, found = self.blind_searches - 1, []
        return page([self.json_of(each, request) for each in found], request)

    def view(self, request: Request, page: Callable[..., Response]) -> Response:
        """calendarView, in the order of the events' starts."""
        if request.asked("$skiptoken"):
            return page([], request)
        try:
            start, end = (datetime.fromisoformat(request.asked(name)) for name in ("startDateTime", "endDateTime"))
        except ValueError:
            return refused(400, "ErrorInvalidParameter", "This request requires a time window.")
        if not start < end <= start + LONGEST_VIEW:
            return refused(400, "ErrorCalendarViewRangeTooBig", "The range is not within the limit.")
        found = sorted(self.events.values(), key=lambda each: each.start)
        there = [each for each in found if each.start < end and start <= each.end]
        return page([self.spoil_event(self.json_of(each, request)) for each in there], request)

    def create(self, body: dict[str, Any], request: Request) -> Response:
        with self.lock:
            transaction = body.get("transactionId", "")
            for each in self.events.values():
                if transaction and each.transaction == transaction:
                    if self.duplicate_is_error:
                        return refused(409, "ErrorDuplicateTransactionId", "Your request can't be completed.")
                    return Response.of_json(self.json_of(each, request), 201)
            for name in ("start", "end"):
                if body[name]["timeZone"] not in ZONES:
                    return refused(400, "TimeZoneNotSupportedException", "A valid TimeZone value must be specified.")
            meeting = self.put(_moment(body["start"]), _moment(body["end"]), transaction=transaction)
            meeting.online = body.get("isOnlineMeeting", False)
            for each in body.get("singleValueExtendedProperties", []):
                meeting.properties[each["id"]] = each["value"]
            self._write(meeting, body)
            return Response.of_json(self.json_of(meeting, request), 201)

    def change(self, meeting: Meeting, body: dict[str, Any], request: Request) -> Response:
        with self.lock:
            expected = request.headers.get("if-match", "")
            if expected and expected != meeting.etag:
                return refused(412, "ErrorIrresolvableConflict", "The change key does not match.")
            stay = [each["emailAddress"]["address"] for each in meeting.attendees]
            self._write(meeting, body)
            if set(body) - {"attendees"}:
                self.told += [Told("update", address, meeting.subject) for address in stay]
            meeting.version += 1
            return Response.of_json(self.json_of(meeting, request))

    def _write(self, meeting: Meeting, body: dict[str, Any]) -> None:
        meeting.subject = body.get("subject", meeting.subject)
        if "body" in body:
            meeting.text = body["body"]["content"]
            meeting.online = meeting.online and meeting.version == 1  # the way in is lost with the text
        meeting.location = body.get("location", {"displayName": meeting.location})["displayName"]
        meeting.status = body.get("showAs", meeting.status)
        for name in {"start", "end"} & set(body):
            setattr(meeting, name, _moment(body[name]))
        if "attendees" in body:
            self._invite(meeting, body["attendees"])

    def _invite(self, meeting: Meeting, people: list[dict[str, Any]]) -> None:
        before = {each["emailAddress"]["address"]: each for each in meeting.attendees}
        now = {each["emailAddress"]["address"]: each for each in people}
        fresh = {"response": "none", "time": "0001-01-01T00:00:00Z"}
        meeting.attendees = [
            {"type": each.get("type", "required"), "emailAddress": each["emailAddress"],
             "status": before[address]["status"] if address in before else fresh}
            for address, each in now.items()
        ]  # fmt: skip
        self.told += [Told("invite", address, meeting.subject) for address in now if address not in before]
        self.told += [Told("cancel", address, meeting.subject) for address in before if address not in now]

    def take_out(self, meeting: Meeting, *, cancel: bool) -> Response:
        with self.lock:
            del self.events[meeting.id]
            self.gone.append(meeting)
            people = [each["emailAddress"]["address"] for each in meeting.attendees]
            self.told += [Told("cancel", address, meeting.subject) for address in people]
            return Response(202 if cancel else 204)

    def schedule(self, body: dict[str, Any], request: Request) -> Response:
        lower = {name.lower(): value for name, value in body.items()}
        start, end = _moment(lower["starttime"]), _moment(lower["endtime"])
        interval = timedelta(minutes=lower["availabilityviewinterval"])
        with self.lock:
            self.windows.append((start, end))
            if end - start > LONGEST or not timedelta(minutes=5) <= interval <= timedelta(days=1):
                return refused(400, "ErrorTimeIntervalTooBig", "The requested time duration is not within the limit.")
            found = [each for each in self.events.values() if each.start < end and start < each.end]
            schedules = [self._schedule(name, found, start, end, interval, request) for name in lower["schedules"]]
            return Response.of_json({"value": [self.spoil(each) for each in schedules]})

    def _schedule(
        self, name: str, found: list[Meeting], start: datetime, end: datetime, interval: timedelta, request: Request
    ) -> dict[str, Any]:
        if name.lower() != self.address.lower():
            return {"scheduleId": name, "error": {"responseCode": "ErrorMailRecipientNotFound", "message": "Unknown."}}
        if len(found) > self.most_items:
            words = f"The result set contains too many calendar entries. The allowed size = {self.most_items}."
            return {"scheduleId": name, "error": {"responseCode": "ErrorResultSetTooBig", "message": words}}
        view = ""
        for index in range(-((end - start) // -interval)):
            since = start + index * interval
            # One without a length marks its slot, too.
            there = [
                each.status
                for each in found
                if each.start < since + interval and (since < each.end or since <= each.start)
            ]
            view += max((DIGITS[each] for each in there if each != "workingElsewhere"), default="4" if there else "0")
        items = [
            {"status": each.status, "start": _shown(each.start, request), "end": _shown(each.end, request)}
            for each in found
        ]
        return {"scheduleId": name, "availabilityView": view, "scheduleItems": items}


def _moment(value: dict[str, Any]) -> datetime:
    zone = {"W. Europe Standard Time": "Europe/Berlin"}.get(value["timeZone"], value["timeZone"])
    return datetime.fromisoformat(value["dateTime"]).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _shown(moment: datetime, request: Request) -> dict[str, str]:
    """In the zone that was preferred; the mailbox's own without."""
    wanted = re.search(r'outlook\.timezone="([^"]+)"', request.headers.get("prefer", ""))
    zone = wanted[1] if wanted is not None else "Europe/Berlin"
    return {"dateTime": moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S.0000000"), "timeZone": zone}
