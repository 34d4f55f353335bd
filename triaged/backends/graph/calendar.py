"""A person's calendar in Microsoft 365 in, over Microsoft Graph: busy times out, events made, changed and taken out.

Busy times are asked for by getSchedule and not read from calendarView: it is what the person's colleagues see, it needs
no right to read what an event is about, and one answer holds the whole window. It names no event: where some are not to
count, calendarView is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from triaged.backends.graph.events import SELECT, SEQUENCE, UID, at, attendees, changes, created, ics_of, wanted
from triaged.backends.graph.line import (
    GraphLine,
    GraphSettings,
    expanded,
    literal,
    properties_of,
    quoted,
    said,
    text_of,
)
from triaged.backends.ical import days_here, merged
from triaged.backends.web import Answer
from triaged.errors import Gone, Permanent, Transient
from triaged.model import Address, Interval

LONGEST_WINDOW = timedelta(days=62)
"""Of one getSchedule; Exchange refuses a longer one."""
SLOT = timedelta(minutes=15)
"""What one digit of availabilityView stands for; 5 minutes to 24 hours are allowed."""
MOST_ITEMS = 1_000
"""Entries of one schedule; Exchange refuses or cuts more (ErrorResultSetTooBig), then half the window is asked for."""

_IN_UTC = 'outlook.timezone="UTC"'
_AS_TEXT = 'outlook.body-content-type="text"'
_FREE = frozenset({"free", "workingElsewhere"})
"""freeBusyStatus of times that somebody can be called in; Outlook shows working elsewhere as not busy too."""
_FREE_DIGITS = frozenset("04")
"""The same in availabilityView; 1 tentative, 2 busy, 3 out of office."""
_TOO_MANY = frozenset({"errorresultsettoobig", "errortimeintervaltoobig"})
_MAY_PASS = tuple("serverbusy timeout unavailable transient throttl internalserver connection generationfailed".split())
"""Parts of the responseCode (lower case) of an error in a schedule that may pass."""
_UNKNOWN_ZONE = "timezone"


class GraphCalendar:
    """`ports.Calendar` over Microsoft Graph, on the default calendar of `settings.address`.

    timezone: IANA name, of the times in invitations and of all-day events. online_meeting: events are Teams meetings.
    """

    invites = True

    def __init__(self, settings: GraphSettings, *, timezone: str, online_meeting: bool = False) -> None:
        self._address = settings.address
        self._timezone = timezone
        self._write_zone = timezone
        self._online_meeting = online_meeting
        self._line = GraphLine(settings, right="Calendars.ReadWrite")

    def busy(self, start: datetime, end: datetime, *, besides: Collection[str] = ()) -> tuple[Interval, ...]:
        """See `ports.Calendar`. Tentative, out of office and anything unknown is busy."""
        # A day more on both sides: a day of UTC may be meant as one here (`days_here`).
        since, until = (each.astimezone(UTC) for each in (start - timedelta(days=1), end + timedelta(days=1)))
        if len(besides) > 0:
            return merged(self._viewed(since, until, besides), start, end)
        # Widened to whole slots, so that the digits cover the window exactly.
        since -= timedelta(minutes=since.minute % 15, seconds=since.second, microseconds=since.microsecond)
        slots = -((until - since) // -SLOT)
        until = since + slots * SLOT
        found: list[Interval] = []
        while since < until:
            window_end = min(until, since + LONGEST_WINDOW)
            found += self._schedule(since, window_end)
            since = window_end
        return merged(found, start, end)

    def add(self, uid: str, ics: bytes) -> bool:
        """See `ports.Calendar`. Looked for by our UID first; made with a transactionId, by which Graph knows a request
        that it has worked on already."""
        event = wanted(ics)
        if self._located(uid) is not None:
            return False
        answer = self._made(uid, ics)
        if answer.status == 400 and _UNKNOWN_ZONE in said(answer)[0].lower() and self._write_zone != "UTC":
            self._write_zone = "UTC"  # Graph knows Windows' zones and some of IANA's (resources/datetimetimezone)
            answer = self._made(uid, ics)
        known = answer.status == 409 and "transaction" in "".join(said(answer)).lower()
        if answer.status >= 400 and not known:
            raise self._line.refusal(answer)
        found = self._located(uid)
        if found is None:
            if known:
                raise Permanent(f"{self._address}: the event {uid} was made once and taken out again; make it by hand")
            raise Transient(f"{self._address}: the event {uid} was made and cannot be found yet", retry_after_s=5)
        # The times of another are those of before: Graph gives the event of an earlier request with this id.
        return not known and (at(found, "start"), at(found, "end")) == (event.start, event.end)

    def invite(self, uid: str, attendee: Address) -> None:
        """See `ports.Calendar`. A change of the attendees alone tells only those whom it concerns (event-update)."""
        found = self._located(uid)
        if found is None:
            raise Gone(f"{self._address}: the event {uid} is no longer in the calendar")
        there = attendees(found)
        if attendee.addr_spec.lower() in (text_of(each, "emailAddress", "address").lower() for each in there):
            return
        people = [{name: each[name] for name in ("emailAddress", "type") if name in each} for each in there]
        address = {"address": attendee.addr_spec, "name": attendee.display_name or attendee.addr_spec}
        self._change(found, {"attendees": [*people, {"emailAddress": address, "type": "required"}]})

    def replace(self, uid: str, ics: bytes) -> bool:
        """See `ports.Calendar`. Only what differs is written, so nobody is told of nothing."""
        event = wanted(ics)
        found = self._located(uid)
        if found is None:
            return False
        changed = changes(found, event, zone=self._write_zone)
        if len(changed) > 0:
            self._change(found, changed)
        return True

    def remove(self, uid: str) -> bool:
        """See `ports.Calendar`. Cancelled where somebody is invited, else deleted; both end in Deleted Items."""
        found = self._located(uid)
        if found is None:
            return False
        path = f"/calendar/events/{quoted(text_of(found, 'id'))}"
        try:
            if len(attendees(found)) > 0:
                self._line.post(f"{path}/cancel", {})
            else:
                self._line.ask("DELETE", self._line.url(path))
        except Gone:
            return False
        return True

    def find(self, uid: str) -> bytes | None:
        """See `ports.Calendar`."""
        found = self._located(uid)
        return ics_of(uid, found) if found is not None else None

    def close(self) -> None:
        """Close the connections."""
        self._line.close()

    def _made(self, uid: str, ics: bytes) -> Answer:
        body = created(uid, wanted(ics), zone=self._write_zone, online_meeting=self._online_meeting)
        return self._line.post("/calendar/events", body, accept=(400, 409), prefer=(_IN_UTC,))

    def _change(self, found: Mapping[str, Any], body: Mapping[str, object]) -> None:
        path = f"/calendar/events/{quoted(text_of(found, 'id'))}"
        self._line.patch(path, body, unchanged=text_of(found, "@odata.etag"), prefer=(_IN_UTC,))

    def _located(self, uid: str) -> dict[str, Any] | None:
        """The event with our UID that is not cancelled. Graph compares without regard to case, we do not."""
        condition = f"ep: ep/id eq {literal(UID)} and ep/value eq {literal(uid)}"
        query = {
            "$filter": f"singleValueExtendedProperties/Any({condition})",
            "$expand": expanded(UID, SEQUENCE),
            "$select": SELECT,
        }
        for item in self._line.listed("/calendar/events", query, prefer=(_IN_UTC, _AS_TEXT)):
            if properties_of(item).get(UID.lower()) == uid and item.get("isCancelled") is not True:
                return item
        return None

    def _viewed(self, start: datetime, end: datetime, besides: Collection[str]) -> Iterator[Interval]:
        """Busy times of the events, series expanded, without those under our UIDs `besides`. start, end: UTC."""
        query = {
            "startDateTime": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "endDateTime": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "$expand": expanded(UID),
            "$select": "start,end,showAs",
        }
        for item in self._line.listed("/calendar/calendarView", query, prefer=(_IN_UTC,)):
            if properties_of(item).get(UID.lower()) not in besides and text_of(item, "showAs") not in _FREE:
                yield from days_here(self._slot(item), self._timezone)

    def _schedule(self, start: datetime, end: datetime) -> list[Interval]:
        """Busy times of a window of whole slots, LONGEST_WINDOW at most. Raises: Transient, Permanent."""
        body = {
            "schedules": [self._address],
            "startTime": {"dateTime": start.strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"},
            "endTime": {"dateTime": end.strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"},
            "availabilityViewInterval": int(SLOT.total_seconds() // 60),
        }
        answer = self._line.object_of(self._line.post("/calendar/getSchedule", body, prefer=(_IN_UTC,)))
        schedules = self._line.items_of(answer)
        if len(schedules) != 1 or text_of(schedules[0], "scheduleId").lower() != self._address.lower():
            raise Permanent(f"{self._address}: the server gives no schedule of this calendar; it is not taken as free")
        [schedule] = schedules
        items, error = schedule.get("scheduleItems"), schedule.get("error")
        code = text_of(schedule, "error", "responseCode")
        many = code.lower() in _TOO_MANY or (isinstance(items, list) and len(items) >= MOST_ITEMS)
        if many and end - start > timedelta(days=1):
            middle = start + (end - start) // SLOT // 2 * SLOT
            return self._schedule(start, middle) + self._schedule(middle, end)
        if error is not None or many:
            kind = Transient if any(part in code.lower() for part in _MAY_PASS) else Permanent
            words = f"{code} {text_of(schedule, 'error', 'message')}"[:300] if error is not None else "too many entries"
            raise kind(f"{self._address}: the calendar cannot be read and is not taken as free: {words}")
        return list(self._read(schedule, start, end))

    def _read(self, schedule: Mapping[str, Any], start: datetime, end: datetime) -> Iterator[Interval]:
        items, view = schedule.get("scheduleItems"), schedule.get("availabilityView")
        if not isinstance(items, list) or not isinstance(view, str) or len(view) < (end - start) // SLOT:
            raise Permanent(f"{self._address}: the schedule is not whole; it is not taken as free")
        taken: list[Interval] = []
        for item in items:
            slot = self._slot(item)
            if text_of(item, "status") not in _FREE:
                taken.append(slot)
        _account_for(view, taken, start, self._address)
        for slot in taken:
            yield from days_here(slot, self._timezone)

    def _slot(self, item: object) -> Interval:
        since, until = (at(item, name) if isinstance(item, Mapping) else None for name in ("start", "end"))
        if since is None or until is None:
            raise Permanent(f"{self._address}: a busy time cannot be read; the calendar is not taken as free")
        return Interval(since, until)


def _account_for(view: str, taken: list[Interval], start: datetime, address: str) -> None:
    """Raises: Permanent when a slot is busy by its digit and no entry says with what."""
    for index, digit in enumerate(view):
        since = start + index * SLOT
        shown = (each.start < since + SLOT and (since < each.end or since <= each.start) for each in taken)
        if digit not in _FREE_DIGITS and not any(shown):
            raise Permanent(
                f"{address}: the calendar is busy at {since:%Y-%m-%d %H:%M} UTC and does not show its entries to us; "
                "it is not taken as free"
            )
