"""A calendar on an Exchange server (EWS) in: what is busy, events, invitations and what was answered to them, out."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta

from lxml import etree

from triaged.backends.ews.discover import endpoint_of
from triaged.backends.ews.events import FIELDS, STATUS, attendees, event_of, ics_of, read_event
from triaged.backends.ews.folders import found_items, items
from triaged.backends.ews.line import EwsLine, EwsSettings
from triaged.backends.ews.xml import M, T, each_of, id_of, item_ids, known_id, moment, shape, text_of, written
from triaged.backends.ical import merged
from triaged.backends.web import Lost
from triaged.errors import Gone, LoginRefused, Permanent, TriagedError
from triaged.model import Address, Interval

WINDOW = timedelta(days=31)
"""Asked for at once; Exchange refuses more than 62 days, older ones more than 42 (ErrorTimeIntervalTooBig)."""
SHORTEST = timedelta(minutes=30)
"""A window must not be shorter than the interval of the merged view that it also asks for (MS-OXWAVLS)."""
MOST_ITEMS = 1_000
"""Events of a calendar view; Exchange's own limit (EWSFindCountLimit)."""
FREE = frozenset({"Free", "WorkingElsewhere"})
"""Busy types at which a call may be booked: who works elsewhere works. `NoData` is none of them: then nobody knows."""
BUSY = frozenset({"Tentative", "Busy", "OOF"})
ENOUGH = frozenset({"FreeBusy", "FreeBusyMerged", "Detailed", "DetailedMerged"})
"""Views with the events in them; `None` and `MergedOnly` are what somebody without rights gets."""

_GUID = "8d3e1a52-6c0f-4c38-9d0c-5b2f5a1e7c41"
_GLOBAL_ID = bytes.fromhex("040000008200E00074C5B7101A82E008") + bytes(20)
"""Of a GlobalObjectId (MS-OXOCAL 2.2.1.27): array id, no instance date, no creation time, reserved."""


class EwsCalendar:
    """`ports.Calendar` over EWS, where the server itself invites, tells of changes and takes in answers.

    `busy` asks GetUserAvailability, not for the calendar's items: it is what colleagues are shown, it needs
    the right to see free/busy only, and series are expanded by the server. The request's time zone is UTC, made here
    (GetServerTimeZones is not asked, which independent servers do not know), so no time in the answer can be meant in
    two ways. It names no event, so where some are not to count the calendar's view is read, which expands series too.
    timezone: IANA name, in which people are shown our events.

    An event is found by a property of our own (the UID's hash: Exchange compares long texts by their first 255 letters
    and without regard to case), or by its GlobalObjectId, for events that others wrote under this UID.
    """

    invites = True

    def __init__(self, settings: EwsSettings, *, timezone: str) -> None:
        self._settings = settings
        self._timezone = timezone
        self._line: EwsLine | None = None

    def busy(self, start: datetime, end: datetime, *, besides: Collection[str] = ()) -> tuple[Interval, ...]:
        """See `ports.Calendar`. A view without events in it, an event of which nobody knows whether it is busy, and
        every error raise."""
        line = self._connected()
        found: list[Interval] = []
        since = start
        while since < end:
            until = min(since + WINDOW, end)
            if len(besides) == 0:
                found += self._busy_within(line, since, until)
            else:
                found += self._busy_besides(line, since, until, besides)
            since = until
        return merged(found, start, end)

    def add(self, uid: str, ics: bytes) -> bool:
        """See `ports.Calendar`."""
        line = self._connected()
        event = read_event(ics)
        if self._found(line, uid) is not None:
            return False
        subject, body, *rest = event.fields(self._timezone).values()
        own = T.ExtendedProperty(_own_property(), T.Value(_hash(uid)))
        item = T.CalendarItem(subject, body, own, T.UID(uid), *rest)
        folder = M.SavedItemFolderId(line.distinguished("calendar"))
        line.one(M.CreateItem(folder, M.Items(item), SendMeetingInvitations="SendToNone"), "write an event")
        return True

    def invite(self, uid: str, attendee: Address) -> None:
        """See `ports.Calendar`. Refused, and tried anew, when somebody else changes the event at the same moment."""
        line = self._connected()
        item = self._found(line, uid)
        if item is None:
            raise Gone(f"{line.host}: the event {uid} is no longer in the calendar of {self._settings.address}")
        if attendee.addr_spec.lower() in attendees(item):
            return
        name = [T.Name(attendee.display_name)] if attendee.display_name != "" else []
        one = T.Attendee(T.Mailbox(*name, T.EmailAddress(attendee.addr_spec)))
        there = [T.Attendee(each) for each in each_of(item, "t:RequiredAttendees/t:Attendee/t:Mailbox")]
        fields = {"calendar:RequiredAttendees": T.RequiredAttendees(*there, one)}
        line.one(_update(item, fields, "SendToChangedAndSaveCopy"), "invite to an event")

    def replace(self, uid: str, ics: bytes) -> bool:
        """See `ports.Calendar`. Where nothing changes, nobody is told; what a person made of its status stays."""
        line = self._connected()
        event = read_event(ics)
        item = self._found(line, uid)
        if item is None:
            return False
        standing = event_of(item)
        if event.is_as(standing):
            return True
        fields = event.fields(self._timezone)
        if event.tentative == standing.tentative:
            del fields[STATUS]
        send = "SendToAllAndSaveCopy" if len(attendees(item)) > 0 else "SendToNone"
        line.one(_update(item, fields, send), "change an event")
        return True

    def remove(self, uid: str) -> bool:
        """See `ports.Calendar`. It lies among the deleted items afterwards."""
        line = self._connected()
        item = self._found(line, uid)
        if item is None:
            return False
        request = M.DeleteItem(
            item_ids([id_of(item)]),
            DeleteType="MoveToDeletedItems",
            SendMeetingCancellations="SendToAllAndSaveCopy" if len(attendees(item)) > 0 else "SendToNone",
        )
        try:
            line.one(request, "take out an event")
        except Gone:
            return False
        return True

    def find(self, uid: str) -> bytes | None:
        """See `ports.Calendar`. Made from the item's fields; times in UTC."""
        line = self._connected()
        item = self._found(line, uid)
        return ics_of(item, uid, datetime.now(UTC)) if item is not None else None

    def close(self) -> None:
        """See `ports.Calendar`."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _connected(self) -> EwsLine:
        if self._line is None:
            self._line = EwsLine(self._settings, endpoint_of(self._settings))
        return self._line

    def _busy_within(self, line: EwsLine, start: datetime, end: datetime) -> Iterator[Interval]:
        message = line.one(_availability(self._settings.address, start, end), "read what is busy")
        view = text_of(message, "m:FreeBusyView/t:FreeBusyViewType")
        if view not in ENOUGH:
            raise Permanent(
                f"{line.host}: what is busy in the calendar of {self._settings.address} is kept back from "
                f"{self._settings.user} (view {view or 'None'}); give the right to see free/busy times"
            )
        for event in each_of(message, "m:FreeBusyView/t:CalendarEventArray/t:CalendarEvent"):
            yield from _block(line, *(text_of(event, f"t:{name}") for name in ("BusyType", "StartTime", "EndTime")))

    def _busy_besides(
        self, line: EwsLine, start: datetime, end: datetime, besides: Collection[str]
    ) -> Iterator[Interval]:
        fields = ("calendar:UID", "calendar:Start", "calendar:End", STATUS, _own_property(), _global_id_property())
        request = M.FindItem(
            shape("ItemShape", *fields),
            M.CalendarView(MaxEntriesReturned=str(MOST_ITEMS), StartDate=written(start), EndDate=written(end)),
            M.ParentFolderIds(line.distinguished("calendar")),
            Traversal="Shallow",
        )
        root = line.one(request, "read the calendar").find(M.name("RootFolder"))
        if root is None:
            raise Lost(f"{line.host}: an answer without a calendar came to the question for one")
        events = each_of(root, "t:Items/*")
        if len(events) >= MOST_ITEMS or root.get("IncludesLastItemInRange", "true").lower() == "false":
            raise Permanent(f"{line.host}: {MOST_ITEMS} events or more from {start:%Y-%m-%d} to {end:%Y-%m-%d}")
        for event in events:
            if not any(_is_under(event, uid) for uid in besides):
                status, since, until = (
                    text_of(event, f"t:{name}") for name in ("LegacyFreeBusyStatus", "Start", "End")
                )
                yield from _block(line, status, since, until)

    def _found(self, line: EwsLine, uid: str) -> etree._Element | None:
        """The event under this UID, whole. Raises: Transient, Permanent, LoginRefused."""
        refused: list[Permanent] = []
        ways = ((_own_property(), _hash(uid)), (_global_id_property(), _global_id(uid)))
        for prop, value in ways:
            condition = T.IsEqualTo(prop, T.FieldURIOrConstant(T.Constant(Value=value)))
            calendar = line.distinguished("calendar")
            try:
                keys = [id_of(each) for each in found_items(line, calendar, condition, doing="look for an event")]
            except LoginRefused:
                raise
            except Permanent as error:  # a server that cannot look by this property
                refused.append(error)
                continue
            if (item := self._the_one(line, keys, uid)) is not None:
                return item
        if len(refused) == len(ways):
            raise refused[0]  # not "there is none", or it would be written twice
        return None

    def _the_one(self, line: EwsLine, keys: list[str], uid: str) -> etree._Element | None:
        """The first of them whose UID it is: a server may compare less exactly than we do."""
        body = (T.BodyType("Text"),)
        wanted = shape("ItemShape", *FIELDS, _own_property(), _global_id_property(), more=body)
        for item in items(line, keys, wanted, "read an event").values():
            if isinstance(item, TriagedError):
                raise item
            if _is_under(item, uid):
                return item
        return None


def _is_under(item: etree._Element, uid: str) -> bool:
    """Whether an event, with all that may hold it, has this UID."""
    values = [text_of(each, "t:Value") for each in each_of(item, "t:ExtendedProperty")]
    return text_of(item, "t:UID") == uid or _hash(uid) in values or _global_id(uid) in values


def _block(line: EwsLine, kind: str, start: str, end: str) -> Iterator[Interval]:
    """The time of an event, if it is busy. kind: LegacyFreeBusyType. Raises: Permanent, Lost (that cannot be told)."""
    if kind in FREE:
        return
    if kind not in BUSY:
        raise Permanent(f"{line.host}: nobody knows whether an event is busy ({kind or 'nothing said'})")
    try:
        since, until = moment(start), moment(end)
    except ValueError as error:
        raise Lost(f"{line.host}: tells a busy time that is none: {error}") from error
    if since < until:
        yield Interval(since, until)


def _availability(address: str, start: datetime, end: datetime) -> etree._Element:
    """UTC as a time zone: both halves of the year with no bias; Exchange wants both to be there."""
    halves = [
        half(T.Bias("0"), T.Time("00:00:00"), T.DayOrder(order), T.Month(month), T.DayOfWeek("Sunday"))
        for half, order, month in ((T.StandardTime, "1", "1"), (T.DaylightTime, "1", "7"))
    ]
    longest = max(end, start + SHORTEST)  # what lies beyond is cut off by who asks
    window = T.TimeWindow(T.StartTime(_naive(start)), T.EndTime(_naive(longest)))
    return M.GetUserAvailabilityRequest(
        T.TimeZone(T.Bias("0"), *halves),
        M.MailboxDataArray(
            T.MailboxData(T.Email(T.Address(address)), T.AttendeeType("Organizer"), T.ExcludeConflicts("false"))
        ),
        T.FreeBusyViewOptions(window, T.MergedFreeBusyIntervalInMinutes("5"), T.RequestedView("FreeBusy")),
    )


def _naive(at: datetime) -> str:
    """A time in the request's time zone, without an offset, as the request wants it."""
    return written(at).rstrip("Z")


def _update(item: etree._Element, fields: dict[str, etree._Element], send: str) -> etree._Element:
    """The UpdateItem request; refused where the item is no longer as it was read."""
    changes = [T.SetItemField(T.FieldURI(FieldURI=name), T.CalendarItem(element)) for name, element in fields.items()]
    return M.UpdateItem(
        M.ItemChanges(T.ItemChange(known_id(item), T.Updates(*changes))),
        MessageDisposition="SaveOnly",
        ConflictResolution="NeverOverwrite",
        SendMeetingInvitationsOrCancellations=send,
    )


def _own_property() -> etree._Element:
    return T.ExtendedFieldURI(PropertySetId=_GUID, PropertyName="TriagedUid", PropertyType="String")


def _global_id_property() -> etree._Element:
    """PidLidGlobalObjectId (MS-OXOCAL 2.2.1.27)."""
    return T.ExtendedFieldURI(DistinguishedPropertySetId="Meeting", PropertyId="3", PropertyType="Binary")


def _hash(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()


def _global_id(uid: str) -> str:
    """What Exchange makes of a UID that is not its own (MS-OXCICAL 2.1.3.1.1.20.26), base64."""
    their = b"vCal-Uid" + struct.pack("<I", 1) + uid.encode() + b"\0"
    return base64.b64encode(_GLOBAL_ID + struct.pack("<I", len(their)) + their).decode("ascii")
