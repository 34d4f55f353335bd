"""A fake of Exchange's web services: one mailbox in memory behind real HTTPS, every message checked by the schema.

A fake because no Exchange server can be had here. It speaks basic, bearer and NTLM authentication (by pyspnego, which
exchangelib needs); NTLM anew for each request, where Exchange keeps it for a connection.
"""

from __future__ import annotations

import base64
import itertools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import spnego
from lxml import etree

from tests.servers.certificates import Authority
from tests.servers.ewsparts import (
    NS,
    Event,
    Folder,
    Item,
    M,
    Refused,
    T,
    fresh_id,
    moment,
    property_key,
    stamp,
    text_of,
)  # fmt: skip
from tests.servers.ewsschema import schema, violations
from tests.servers.https import HttpsServer, Request, Response, running

ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
    '<h:ServerVersionInfo MajorVersion="15" MinorVersion="2" MajorBuildNumber="1748" MinorBuildNumber="10" '
    'Version="V2017_07_11" xmlns:h="{types}"/></s:Header><s:Body>{body}</s:Body></s:Envelope>'
)
FAULT = (
    '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<s:Fault><faultcode xmlns:a="{types}">a:{code}</faultcode><faultstring>{text}</faultstring><detail>'
    '<e:ResponseCode xmlns:e="{errors}">{code}</e:ResponseCode><e:Message xmlns:e="{errors}">{text}</e:Message>'
    "{more}</detail></s:Fault></s:Body></s:Envelope>"
)
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"
TYPES = NS["t"]
DISTINGUISHED = {
    "inbox": "Posteingang", "drafts": "Drafts", "outbox": "Postausgang", "sentitems": "Sent Items",
    "deleteditems": "Gelöschte Elemente", "junkemail": "Junk-E-Mail", "calendar": "Kalender", "contacts": "Kontakte",
}  # fmt: skip
"""Under the top, as in a German mailbox; those that the shared suite names have its names."""
EMPTY = {
    "GetItem": "Items",
    "CreateItem": "Items",
    "MoveItem": "Items",
    "UpdateItem": "Items",
    "GetFolder": "Folders",
    "CreateFolder": "Folders",
}
"""What the schema wants in a refusal too."""
PATH = "/EWS/Exchange.asmx"
LONGEST_VIEW = timedelta(days=2 * 365)


class EwsFake:
    """The mailbox `address`. What tests set is listed in `__init__`."""

    def __init__(self, address: str, *, user: str = "desk", password: str = "secret") -> None:
        self.address, self.user, self.password = address, user, password
        self.tokens: set[str] = set()
        """Bearer tokens that are good now."""
        self.page = 100
        """Changes or items a page at most, whatever is asked for."""
        self.refuse: dict[str, list[Refused]] = {}
        """By operation: the next refusals, as its response message; a busy server's as a SOAP fault."""
        self.garble: dict[str, bytes] = {}
        """By operation: what is answered instead, after it was done."""
        self.drops: tuple[str, ...] = ()
        """Fields of a mail that are lost as it is sent, as at an independent server."""
        self.saves_copies = True
        self.free_busy_view = "FreeBusy"
        self.offset_form = "Z"
        """How availability writes its offsets."""
        self.streams, self.mute, self.echo = True, False, 1
        """Whether there are streaming notifications; whether they are lost; how often each is told."""
        self.before: Callable[[str], None] = lambda operation: None
        """Called before each operation, without a lock."""
        self.sent: list[bytes] = []
        self.authors: list[str] = []
        self.invitations: list[tuple[str, str, str]] = []
        """What went to attendees: `invite`, `update` or `cancel`, to whom, the subject."""
        self.operations: list[str] = []
        self.answers_given: list[bytes] = []
        self.ntlm_users = False
        """Whether NTLM is offered; the users are in the file that the environment's NTLM_USER_FILE names."""
        self._acceptors: dict[int, spnego.ContextProxy] = {}
        self.refused_logins = 0
        self.violations: list[str] = []
        self.folders: dict[str, Folder] = {}
        self.items: dict[str, Item] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition(threading.RLock())
        self._subscriptions: dict[str, tuple[str, list[str]]] = {}
        self._closing = False
        self.root = self.add_folder("", "Oberste Ebene", distinguished="msgfolderroot")
        for name, shown in DISTINGUISHED.items():
            kind = {"calendar": "IPF.Appointment", "contacts": "IPF.Contact"}.get(name, "IPF.Note")
            self.add_folder(self.root.key, shown, kind=kind, distinguished=name)
        self.https = HttpsServer(self._answer, lambda request: self.address)

    # --- past the protocol --------------------------------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        return self.https.url + PATH

    def add_folder(self, parent: str, name: str, *, kind: str = "IPF.Note", distinguished: str = "") -> Folder:
        folder = Folder(fresh_id("folder"), parent, name, kind, distinguished)
        self.folders[folder.key] = folder
        return folder

    def path(self, path: str, *, make: bool = False) -> Folder:
        if path.upper() == "INBOX":
            return self.known("inbox")
        at = self.root
        for name in path.split("/"):
            below = [each for each in self.folders.values() if each.parent == at.key and each.name == name]
            assert below or make, f"no folder {path}"
            at = below[0] if below else self.add_folder(at.key, name)
        return at

    def known(self, distinguished: str) -> Folder:
        return next(each for each in self.folders.values() if each.distinguished == distinguished)

    def remove(self, folder: Folder) -> None:
        """A folder with all that is in it."""
        with self._changed:
            del self.folders[folder.key]
            self.items = {key: item for key, item in self.items.items() if item.folder != folder.key}

    def put(self, folder: Folder, mime: bytes, received: datetime, *, came: bool = True) -> Item:
        return self._add(Item(folder.key, mime, received.astimezone(UTC), came), "NewMailEvent")

    def put_event(self, event: Event) -> Item:
        return self._add(Item(self.known("calendar").key, b"", datetime.now(UTC), False, event=event), "CreatedEvent")

    def delete(self, item: Item) -> None:
        with self._changed:
            self._drop(item)

    def in_folder(self, folder: Folder) -> list[Item]:
        return [item for item in self.items.values() if item.folder == folder.key]

    def answers(self, uid: str, address: str, answer: str) -> None:
        """An attendee's reply, taken in by the server."""
        with self._changed:
            item = next(item for item in self.items.values() if item.event is not None and item.event.uid == uid)
            assert item.event is not None
            item.event.attendees[address][1] = answer
            item.version += 1

    def touch(self, item: Item) -> None:
        """As if somebody changed it."""
        with self._changed:
            item.version += 1

    def cut_streams(self) -> None:
        with self._changed:
            self._subscriptions.clear()
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    # --- the protocol -------------------------------------------------------------------------------------------

    def _answer(self, request: Request) -> Response:
        if (refusal := self._authentication(request)) is not None:
            return refusal
        if request.path != PATH or request.method != "POST":
            return Response(404)
        self.violations += [f"request: {each}" for each in violations(request.body)]
        root = etree.fromstring(request.body)
        asked = root.find("{http://schemas.xmlsoap.org/soap/envelope/}Body/*")
        assert asked is not None
        operation = etree.QName(asked).localname.removesuffix("Request")
        self.operations.append(operation)
        self.before(operation)
        with self._changed:
            if (planned := self.refuse.get(operation)) and planned[0].code == "ErrorServerBusy":
                return self._fault(planned.pop(0))
            if operation == "GetStreamingEvents":
                return self._stream(asked)
            body = self._messages(operation, asked)
        answer = ENVELOPE.format(types=TYPES, body=etree.tostring(body, encoding="unicode")).encode()
        self.violations += [f"response: {each}" for each in violations(answer)]
        self.answers_given.append(answer)
        return Response(200, self.garble.get(operation, answer), {"Content-Type": "text/xml; charset=utf-8"})

    def _authentication(self, request: Request) -> Response | None:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind == "Basic" and base64.b64decode(value).decode() == f"{self.user}:{self.password}":
            return None
        if kind == "Bearer" and value in self.tokens:
            return None
        if kind == "NTLM":
            return self._ntlm(request.port, base64.b64decode(value))
        if kind != "":
            self.refused_logins += 1
        return Response(401, b"", {"WWW-Authenticate": "NTLM" if self.ntlm_users else 'Basic realm="fake"'})

    def _ntlm(self, connection: int, token: bytes) -> Response | None:
        """NEGOTIATE is answered by a challenge, AUTHENTICATE by nothing or a refusal (MS-NLMP 2.2.1)."""
        is_first = token[8] == 1
        if is_first:
            options = spnego.NegotiateOptions.use_ntlm
            self._acceptors[connection] = spnego.server(protocol="ntlm", options=options)
        try:
            challenge = self._acceptors[connection].step(token)
        except spnego.exceptions.SpnegoError:
            self.refused_logins += 1
            return Response(401, b"", {"WWW-Authenticate": "NTLM"})
        if not is_first:
            return None
        return Response(401, b"", {"WWW-Authenticate": f"NTLM {base64.b64encode(challenge or b'').decode()}"})

    def _fault(self, refused: Refused) -> Response:
        more = ""
        if refused.back_off_ms is not None:
            value = f'<t:Value Name="BackOffMilliseconds">{refused.back_off_ms}</t:Value>'
            more = f'<t:MessageXml xmlns:t="{TYPES}">{value}</t:MessageXml>'
        text = FAULT.format(types=TYPES, errors=ERRORS, code=refused.code, text=refused.text, more=more)
        return Response(500, text.encode(), {"Content-Type": "text/xml; charset=utf-8"})

    def _messages(self, operation: str, asked: etree._Element) -> etree._Element:
        """The whole response element; one response message for each thing asked for."""
        planned = self.refuse.get(operation)
        try:
            if planned:
                raise planned.pop(0)
            made = list(getattr(self, f"_{operation}")(asked))
        except Refused as refused:
            made = [refused]
        if operation == "GetUserAvailability":
            return M.GetUserAvailabilityResponse(M.FreeBusyResponseArray(*(self._free_busy(each) for each in made)))
        name = f"{operation}ResponseMessage"
        said = [self._said(M(name), each) for each in made]
        for each in said:
            if each.get("ResponseClass") == "Error" and operation in EMPTY:
                each.append(M(EMPTY[operation]))
        return M(f"{operation}Response", M.ResponseMessages(*said))

    def _said(self, message: etree._Element, outcome: list[etree._Element] | Refused) -> etree._Element:
        if isinstance(outcome, Refused):
            message.set("ResponseClass", "Error")
            message.extend([M.MessageText(outcome.text), M.ResponseCode(outcome.code), M.DescriptiveLinkKey("0")])
        else:
            message.set("ResponseClass", "Success")
            message.extend([M.ResponseCode("NoError"), *outcome])
        return message

    def _free_busy(self, outcome: list[etree._Element] | Refused) -> etree._Element:
        said = self._said(M.ResponseMessage(), outcome if isinstance(outcome, Refused) else [])
        return M.FreeBusyResponse(said, *([] if isinstance(outcome, Refused) else outcome))

    def _each(self, ids: list[etree._Element], work: Callable[[str], list[etree._Element]]) -> Iterator[object]:
        for each in ids:
            try:
                yield work(each.get("Id", ""))
            except Refused as refused:
                yield refused

    def _folder(self, parent: etree._Element) -> Folder:
        [given] = parent
        if given.tag == f"{{{TYPES}}}DistinguishedFolderId":
            whose = text_of(given, "t:Mailbox/t:EmailAddress")
            if whose != "" and whose.lower() != self.address.lower():
                raise Refused("ErrorNonExistentMailbox")
            return self.known(given.get("Id", ""))
        if given.get("Id") not in self.folders:
            raise Refused("ErrorItemNotFound", "The specified object was not found in the store.")
        return self.folders[given.get("Id", "")]

    def _item(self, key: str) -> Item:
        try:
            if not base64.b64decode(key, validate=True).startswith(b"item:"):
                raise ValueError
        except ValueError:
            raise Refused("ErrorInvalidIdMalformed", "Id is malformed.") from None
        if key not in self.items:
            raise Refused("ErrorItemNotFound", "The specified object was not found in the store.")
        return self.items[key]

    def _add(self, item: Item, event: str) -> Item:
        with self._changed:
            self.items[item.key] = item
            self.folders[item.folder].log.append((next(self._numbers), "Create", item.key))
            for folder, events in self._subscriptions.values():
                if folder == item.folder and not self.mute:
                    events += [event] * self.echo
            self._changed.notify_all()
        return item

    def _drop(self, item: Item) -> None:
        del self.items[item.key]
        self.folders[item.folder].log.append((next(self._numbers), "Delete", item.key))

    def _shaped(self, asked: etree._Element, item: Item) -> etree._Element:
        shape = asked.find("m:ItemShape", NS)
        assert shape is not None
        wanted = {each.get("FieldURI", "") for each in shape.iter(f"{{{TYPES}}}FieldURI")}
        wanted |= {property_key(each) for each in shape.iter(f"{{{TYPES}}}ExtendedFieldURI")}
        mime = text_of(shape, "t:IncludeMimeContent") == "true"
        return item.element(wanted, mime=mime, body_type=text_of(shape, "t:BodyType") or "HTML")

    # --- operations: for each thing asked for the content of its response message, or a refusal ------------------

    def _GetFolder(self, asked: etree._Element) -> Iterator[object]:
        for each in asked.iterfind("m:FolderIds/*", NS):
            named = asked.find("m:FolderShape/t:AdditionalProperties", NS) is not None
            yield [M.Folders(self._folder(M.x(etree.fromstring(etree.tostring(each)))).element(all_fields=named))]

    def _FindFolder(self, asked: etree._Element) -> Iterator[object]:
        top = self._folder(asked.find("m:ParentFolderIds", NS))
        below: list[Folder] = []
        level = [top.key]
        while level:
            here = [each for each in self.folders.values() if each.parent in level]
            below += here
            level = [each.key for each in here]
        page, paging = self._paged(asked.find("m:IndexedPageFolderView", NS), below)
        yield [M.RootFolder(T.Folders(*(each.element(all_fields=True) for each in page)), **paging)]

    def _paged(self, view: etree._Element | None, found: list[object]) -> tuple[list[object], dict[str, str]]:
        assert view is not None
        start, count = int(view.get("Offset", "0")), min(int(view.get("MaxEntriesReturned", "1000")), self.page)
        end = min(start + count, len(found))
        is_last = str(end >= len(found)).lower()
        return found[start:end], {
            "IndexedPagingOffset": str(end), "TotalItemsInView": str(len(found)), "IncludesLastItemInRange": is_last,
        }  # fmt: skip

    def _CreateFolder(self, asked: etree._Element) -> Iterator[object]:
        parent = self._folder(asked.find("m:ParentFolderId", NS))
        for each in asked.iterfind("m:Folders/*", NS):
            name = text_of(each, "t:DisplayName")
            if any(f.parent == parent.key and f.name.lower() == name.lower() for f in self.folders.values()):
                raise Refused("ErrorFolderExists")
            folder = self.add_folder(parent.key, name, kind=text_of(each, "t:FolderClass") or "IPF.Note")
            yield [M.Folders(folder.element(all_fields=False))]

    def _SyncFolderItems(self, asked: etree._Element) -> Iterator[object]:
        folder = self._folder(asked.find("m:SyncFolderId", NS))
        since = self._since(folder, text_of(asked, "m:SyncState"))
        limit = min(int(text_of(asked, "m:MaxChangesReturned")), self.page)
        last: dict[str, int] = {}
        born: dict[str, int] = {}
        for number, what, key in folder.log:
            last[key] = number
            if what == "Create":
                born[key] = number
        there = {key for key, item in self.items.items() if item.folder == folder.key}
        changes: list[tuple[int, etree._Element]] = []
        for key, number in last.items():
            if number <= since or (key not in there and born[key] > since):
                continue
            if key not in there:
                made = T.Delete(T.ItemId(Id=key, ChangeKey="AQAAAA=="))
            else:
                made = (T.Create if born[key] > since else T.Update)(self._shaped(asked, self.items[key]))
            changes.append((number, made))
        changes.sort(key=lambda each: each[0])
        page = changes[:limit]
        newest = max((number for number, _, _ in folder.log), default=0)
        reached = page[-1][0] if len(page) < len(changes) else max(newest, since)
        state = base64.b64encode(f"{folder.key}|{reached}".encode()).decode()
        is_last = str(len(page) == len(changes)).lower()
        yield [M.SyncState(state), M.IncludesLastItemInRange(is_last), M.Changes(*(each for _, each in page))]

    def _since(self, folder: Folder, state: str) -> int:
        if state == "":
            return 0
        try:
            key, _, number = base64.b64decode(state, validate=True).decode().partition("|")
            if key != folder.key:
                raise ValueError
            return int(number)
        except ValueError:
            raise Refused("ErrorInvalidSyncStateData") from None

    def _GetItem(self, asked: etree._Element) -> Iterator[object]:
        ids = asked.findall("m:ItemIds/t:ItemId", NS)
        return self._each(ids, lambda key: [M.Items(self._shaped(asked, self._item(key)))])

    def _FindItem(self, asked: etree._Element) -> Iterator[object]:
        folder = self._folder(asked.find("m:ParentFolderIds", NS))
        if (view := asked.find("m:CalendarView", NS)) is not None:
            yield self._view(asked, folder, view)
            return
        condition = asked.find("m:Restriction/*", NS)
        found = [item for item in self.in_folder(folder) if condition is None or self._holds(condition, item)]
        page, paging = self._paged(asked.find("m:IndexedPageItemView", NS), found)
        yield [M.RootFolder(T.Items(*(self._shaped(asked, each) for each in page)), **paging)]

    def _view(self, asked: etree._Element, folder: Folder, view: etree._Element) -> list[etree._Element]:
        start, end = moment(view.get("StartDate", "")), moment(view.get("EndDate", ""))
        if folder.kind != "IPF.Appointment":
            raise Refused("ErrorCalendarFolderIsInvalidForCalendarView")
        if start > end:
            raise Refused("ErrorCalendarEndDateIsEarlierThanStartDate")
        if end - start > LONGEST_VIEW:
            raise Refused("ErrorCalendarViewRangeTooBig")
        events = [(item.event.start, item) for item in self.in_folder(folder)
                  if item.event is not None and item.event.start < end and item.event.end >= start]  # fmt: skip
        found = [item for _, item in sorted(events, key=lambda each: each[0])]
        page = found[: min(int(view.get("MaxEntriesReturned", "1000")), self.page)]
        whole = {"TotalItemsInView": str(len(page)), "IncludesLastItemInRange": str(len(page) == len(found)).lower()}
        return [M.RootFolder(T.Items(*(self._shaped(asked, each) for each in page)), **whole)]

    def _holds(self, condition: etree._Element, item: Item) -> bool:
        """Without regard to case, as Exchange compares."""
        what, wanted = condition[0], condition.find("t:FieldURIOrConstant/t:Constant", NS).get("Value", "")
        if what.tag == f"{{{TYPES}}}ExtendedFieldURI":
            key = property_key(what)
            value = item.properties.get(key) or item.extended(key) or ""
        else:
            value = {
                "message:InternetMessageId": item.head("message-id"), "item:DateTimeReceived": stamp(item.received),
            }[what.get("FieldURI", "")]  # fmt: skip
        if etree.QName(condition).localname == "IsGreaterThanOrEqualTo":
            return moment(value) >= moment(wanted)
        return value.lower() == wanted.lower()

    def _MoveItem(self, asked: etree._Element) -> Iterator[object]:
        to = self._folder(asked.find("m:ToFolderId", NS))

        def work(key: str) -> list[etree._Element]:
            item = self._item(key)
            self._drop(item)
            item.folder, item.key = to.key, fresh_id("item")
            self._add(item, "MovedEvent")
            return [M.Items(item.element(set(), mime=False, body_type="HTML"))]

        return self._each(asked.findall("m:ItemIds/t:ItemId", NS), work)

    def _DeleteItem(self, asked: etree._Element) -> Iterator[object]:
        def work(key: str) -> list[etree._Element]:
            item = self._item(key)
            if asked.get("SendMeetingCancellations", "SendToNone") != "SendToNone":
                self._tell("cancel", item, list(item.event.attendees) if item.event is not None else [])
            self._drop(item)
            if asked.get("DeleteType") == "MoveToDeletedItems":
                item.folder, item.key = self.known("deleteditems").key, fresh_id("item")
                self._add(item, "MovedEvent")
            return []

        return self._each(asked.findall("m:ItemIds/t:ItemId", NS), work)

    def _CreateItem(self, asked: etree._Element) -> Iterator[object]:
        for each in asked.iterfind("m:Items/*", NS):
            item = self._event_made(each, asked) if each.tag == f"{{{TYPES}}}CalendarItem" else self._sent(each, asked)
            shown = [item.element(set(), mime=False, body_type="HTML")] if item is not None else []
            yield [M.Items(*shown)]

    def _sent(self, given: etree._Element, asked: etree._Element) -> Item | None:
        assert asked.get("MessageDisposition") == "SendAndSaveCopy"
        octets = base64.b64decode(text_of(given, "t:MimeContent"))
        for name in self.drops:
            octets = re.sub(rb"(?im)^" + name.encode() + rb":[^\r\n]*(\r\n[ \t][^\r\n]*)*\r\n", b"", octets)
        self.sent.append(octets)
        self.authors.append(text_of(given, "t:From/t:Mailbox/t:EmailAddress"))
        if self.saves_copies:
            folder = self._folder(asked.find("m:SavedItemFolderId", NS))
            self._add(Item(folder.key, octets, datetime.now(UTC), False), "CreatedEvent")
        return None  # Exchange tells no id of what it sent

    def _event_made(self, given: etree._Element, asked: etree._Element) -> Item:
        event = Event(text_of(given, "t:UID"), "", moment(text_of(given, "t:Start")), moment(text_of(given, "t:End")))
        folder = self._folder(asked.find("m:SavedItemFolderId", NS))
        item = Item(folder.key, b"", datetime.now(UTC), False, event=event)
        self._set(item, given)
        if asked.get("SendMeetingInvitations") != "SendToNone":
            self._tell("invite", item, list(event.attendees))
        return self._add(item, "CreatedEvent")

    def _set(self, item: Item, given: etree._Element) -> None:
        """What a CalendarItem or a Message element says, over what the item has."""
        for each in given.iterfind("t:ExtendedProperty", NS):
            item.properties[property_key(each[0])] = text_of(each, "t:Value")
        if given.find("t:Categories", NS) is not None:
            item.categories = [each.text or "" for each in given.iterfind("t:Categories/t:String", NS)]
        event = item.event
        if event is None:
            return
        for path, name in (("t:Subject", "subject"), ("t:Body", "body"), ("t:Location", "location")):
            if given.find(path, NS) is not None:
                setattr(event, name, given.findtext(path, "", NS) or "")
        for path, name in (("t:Start", "start"), ("t:End", "end")):
            if given.find(path, NS) is not None:
                setattr(event, name, moment(text_of(given, path)))
        event.status = text_of(given, "t:LegacyFreeBusyStatus") or event.status
        if given.find("t:RequiredAttendees", NS) is not None:
            people = [
                (text_of(each, "t:Mailbox/t:EmailAddress"), text_of(each, "t:Mailbox/t:Name"))
                for each in given.iterfind("t:RequiredAttendees/t:Attendee", NS)
            ]
            old = event.attendees
            event.attendees = {who: [name or who, old.get(who, ["", "Unknown"])[1]] for who, name in people}

    def _UpdateItem(self, asked: etree._Element) -> Iterator[object]:
        for change in asked.iterfind("m:ItemChanges/t:ItemChange", NS):
            given = change.find("t:ItemId", NS)
            assert given is not None
            item = self._item(given.get("Id", ""))
            is_old = given.get("ChangeKey") not in (None, item.change_key)
            if is_old and asked.get("ConflictResolution") == "NeverOverwrite":
                raise Refused("ErrorIrresolvableConflict")
            before = set(item.event.attendees) if item.event is not None else set()
            for each in change.iterfind("t:Updates/t:SetItemField", NS):
                self._set(item, each[1])
            item.version += 1
            self.folders[item.folder].log.append((next(self._numbers), "Update", item.key))
            self._tell_of_change(item, before, asked.get("SendMeetingInvitationsOrCancellations", "SendToNone"))
            shown = item.element(set(), mime=False, body_type="HTML")
            yield [M.Items(shown), M.ConflictResults(T.Count("0"))]

    def _tell_of_change(self, item: Item, before: set[str], how: str) -> None:
        if item.event is None or how == "SendToNone":
            return
        new = [who for who in item.event.attendees if who not in before]
        self._tell("invite", item, new)
        if "Changed" not in how or len(new) == 0:
            self._tell("update", item, [who for who in item.event.attendees if who in before])

    def _tell(self, what: str, item: Item, people: list[str]) -> None:
        assert item.event is not None or len(people) == 0
        self.invitations += [(what, who, item.event.subject if item.event is not None else "") for who in people]

    def _GetUserAvailability(self, asked: etree._Element) -> Iterator[object]:
        window = asked.find("t:FreeBusyViewOptions/t:TimeWindow", NS)
        assert window is not None
        assert text_of(asked, "t:TimeZone/t:Bias") == "0"
        start, end = moment(text_of(window, "t:StartTime")), moment(text_of(window, "t:EndTime"))
        if (end - start).days > 62:
            raise Refused("ErrorTimeIntervalTooBig")
        if text_of(asked, "m:MailboxDataArray/t:MailboxData/t:Email/t:Address").lower() != self.address.lower():
            raise Refused("ErrorMailRecipientNotFound")
        events = [item.event for item in self.in_folder(self.known("calendar")) if item.event is not None]
        told = [
            T.CalendarEvent(
                T.StartTime(self._local(each.start)), T.EndTime(self._local(each.end)), T.BusyType(each.status)
            )
            for each in events
            if each.start < end and each.end > start
        ]
        view = [T.FreeBusyViewType(self.free_busy_view)]
        if self.free_busy_view not in ("None", "MergedOnly"):
            view.append(T.CalendarEventArray(*told))
        yield [M.FreeBusyView(*view)]

    def _local(self, at: datetime) -> str:
        """In the request's time zone, which is UTC here; Exchange writes no offset."""
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") + self.offset_form.replace("Z", "")

    def _Subscribe(self, asked: etree._Element) -> Iterator[object]:
        if not self.streams:
            raise Refused("ErrorInvalidSubscriptionRequest")
        request = asked.find("m:StreamingSubscriptionRequest", NS)
        assert request is not None
        folder = self._folder(request.find("t:FolderIds", NS))
        key = base64.b64encode(fresh_id("subscription").encode()).decode()
        self._subscriptions[key] = (folder.key, [])
        yield [M.SubscriptionId(key)]

    def _Unsubscribe(self, asked: etree._Element) -> Iterator[object]:
        if self._subscriptions.pop(text_of(asked, "m:SubscriptionId"), None) is None:
            raise Refused("ErrorSubscriptionNotFound")
        yield []

    def _stream(self, asked: etree._Element) -> Response:
        key = text_of(asked, "m:SubscriptionIds/t:SubscriptionId")
        return Response(200, self._documents(key), {"Content-Type": "text/xml; charset=utf-8"})

    def _documents(self, key: str) -> Iterator[bytes]:
        yield self._document([M.ConnectionStatus("OK")])
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or key not in self._subscriptions or self._told(key))
                if self._closing or key not in self._subscriptions:
                    return  # the connection breaks without a word
                folder, events = self._subscriptions[key]
                told, events[:] = list(events), []
            made = [self._event(name, folder) for name in told]
            content = M.Notifications(T.Notification(T.SubscriptionId(key), *made))
            yield self._document([content])

    def _told(self, key: str) -> bool:
        return len(self._subscriptions[key][1]) > 0

    def _event(self, name: str, folder: str) -> etree._Element:
        where = [T.TimeStamp(stamp(datetime.now(UTC))), T.ItemId(Id=fresh_id("item"), ChangeKey="AQAAAA==")]
        where.append(T.ParentFolderId(Id=folder, ChangeKey="AQAAAA=="))
        if name == "MovedEvent":
            where += [T.OldItemId(Id=fresh_id("item")), T.OldParentFolderId(Id=folder)]
        return T(name, *where)

    def _document(self, content: list[etree._Element]) -> bytes:
        message = self._said(M.GetStreamingEventsResponseMessage(), content)
        body = M.GetStreamingEventsResponse(M.ResponseMessages(message))
        answer = ENVELOPE.format(types=TYPES, body=etree.tostring(body, encoding="unicode")).encode()
        self.violations += [f"stream: {each}" for each in violations(answer)]
        return answer


@contextmanager
def running_fake(authority: Authority, address: str) -> Iterator[EwsFake]:
    """Skips where the schema is missing; at the end nothing may have been said or asked that the schema does not know,
    too early, or too often at once."""
    schema()
    fake = EwsFake(address)
    with running(fake.https, authority):
        try:
            yield fake
        finally:
            fake.stop()
    assert fake.violations == [], "\n".join(fake.violations)
    fake.https.assert_heeded()
