"""The state of our EWS fake in: folders, items, their elements as an Exchange server words them, out."""

from __future__ import annotations

import base64
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from struct import pack

from lxml import etree
from lxml.builder import ElementMaker

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
NS = {"t": TYPES, "m": MESSAGES}
T = ElementMaker(namespace=TYPES, nsmap=NS)
M = ElementMaker(namespace=MESSAGES, nsmap=NS)

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


class Refused(Exception):
    """A response code, with its text; back_off_ms: MessageXml's BackOffMilliseconds."""

    def __init__(self, code: str, text: str = "refused by the fake", *, back_off_ms: int | None = None) -> None:
        super().__init__(code)
        self.code, self.text, self.back_off_ms = code, text, back_off_ms


def fresh_id(kind: str) -> str:
    """Base64 of octets as long as Exchange's."""
    return base64.b64encode(f"{kind}:".encode() + uuid.uuid4().bytes * 3).decode()


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def global_id(uid: str) -> str:
    """GlobalObjectId of a UID that is not Exchange's own (MS-OXOCAL 2.2.1.27), base64."""
    data = b"vCal-Uid\x01\x00\x00\x00" + uid.encode() + b"\x00"
    head = bytes.fromhex("040000008200e00074c5b7101a82e008" + "00" * 20)
    return base64.b64encode(head + pack("<I", len(data)) + data).decode()


@dataclass
class Folder:
    key: str
    parent: str
    name: str
    kind: str = "IPF.Note"
    distinguished: str = ""
    log: list[tuple[int, str, str]] = field(default_factory=list)
    """Number, what happened (`Create`, `Update`, `Delete`) and to which item."""

    def element(self, *, all_fields: bool) -> etree._Element:
        tag = {"IPF.Appointment": T.CalendarFolder, "IPF.Contact": T.ContactsFolder}.get(self.kind, T.Folder)
        made = tag(T.FolderId(Id=self.key, ChangeKey="AQAAAA=="))
        if all_fields:
            made.append(T.ParentFolderId(Id=self.parent, ChangeKey="AQAAAA=="))
            made.append(T.FolderClass(self.kind))
            made.append(T.DisplayName(self.name))
        return made


@dataclass
class Event:
    """What a calendar item has. attendees: address → name, answer."""

    uid: str
    subject: str
    start: datetime
    end: datetime
    body: str = ""
    location: str = ""
    status: str = "Busy"
    cancelled: bool = False
    attendees: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Item:
    folder: str
    mime: bytes
    received: datetime
    came: bool
    """By transport, and then with PidTagTransportMessageHeaders."""
    key: str = field(default_factory=lambda: fresh_id("item"))
    version: int = 1
    categories: list[str] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    event: Event | None = None
    tag: str = "Message"

    @property
    def change_key(self) -> str:
        return base64.b64encode(f"{self.version:08}".encode()).decode()

    def head(self, name: str) -> str:
        """The first field of this name, unfolded."""
        head = re.split(rb"\r?\n\r?\n", self.mime, maxsplit=1)[0]
        found = re.search(rb"(?im)^" + name.encode() + rb":((?:[^\r\n]*)(?:\r?\n[ \t][^\r\n]*)*)", head)
        return clean(re.sub(r"\s+", " ", found[1].decode("utf-8", "replace"))).strip() if found else ""

    def element(self, wanted: set[str], *, mime: bool, body_type: str) -> etree._Element:
        """In the schema's order; wanted: FieldURIs, and keys of extended properties."""
        made = T.CalendarItem() if self.event is not None else T(self.tag)
        if mime:
            made.append(T.MimeContent(base64.b64encode(self.mime).decode(), CharacterSet="UTF-8"))
        made.append(T.ItemId(Id=self.key, ChangeKey=self.change_key))
        event = self.event
        if "item:Subject" in wanted and event is not None:
            made.append(T.Subject(event.subject))
        if "item:Body" in wanted and event is not None:
            made.append(T.Body(event.body.replace("\n", "\r\n") + "\r\n", BodyType=body_type))
        if "item:DateTimeReceived" in wanted:
            made.append(T.DateTimeReceived(stamp(self.received)))
        if "item:Size" in wanted:
            made.append(T.Size(str(len(self.mime))))
        if "item:Categories" in wanted and len(self.categories) > 0:
            made.append(T.Categories(*(T.String(each) for each in self.categories)))
        if "item:InReplyTo" in wanted and self.head("in-reply-to") != "":
            made.append(T.InReplyTo(self.head("in-reply-to")))
        for name, uri in _EXTENDED.items():
            if name in wanted and (value := self.extended(name)) is not None:
                made.append(T.ExtendedProperty(T.ExtendedFieldURI(**uri), T.Value(value)))
        for each in sorted(wanted & self.properties.keys()):
            uri = dict(pair.split("=", 1) for pair in each.split(";"))
            made.append(T.ExtendedProperty(T.ExtendedFieldURI(**uri), T.Value(self.properties[each])))
        for each in self._own(wanted):
            made.append(each)
        return made

    def extended(self, name: str) -> str | None:
        if name == "head" and self.came:
            head = re.split(rb"\r?\n\r?\n", self.mime, maxsplit=1)[0]
            return clean(head.decode("utf-8", "replace")) + "\r\n\r\n"
        if name == "auto" and self.head("auto-submitted") != "":
            return self.head("auto-submitted")
        if name == "goid" and self.event is not None:
            return global_id(self.event.uid)
        return None

    def _own(self, wanted: set[str]) -> list[etree._Element]:
        if self.event is not None:
            return _calendar(self.event, wanted)
        made = []
        for name, head in (("ToRecipients", "to"), ("CcRecipients", "cc"), ("BccRecipients", "bcc")):
            found = re.findall(r"[^\s<>\"(),;:@]+@[^\s<>\"(),;:@]+", self.head(head)[:2000])
            people = [T.Mailbox(T.Name(each), T.EmailAddress(each), T.RoutingType("SMTP")) for each in found]
            if f"message:{name}" in wanted and len(people) > 0:
                made.append(T(name, *people))
        address = re.search(r"[^\s<>\"(),;:@]+@[^\s<>\"(),;:@]+", self.head("from")[-500:])
        if "message:From" in wanted and address is not None:
            made.append(T.From(T.Mailbox(T.Name(address[0]), T.EmailAddress(address[0]), T.RoutingType("SMTP"))))
        if "message:InternetMessageId" in wanted and self.head("message-id") != "":
            made.append(T.InternetMessageId(self.head("message-id")))
        if "message:References" in wanted and self.head("references") != "":
            made.append(T.References(self.head("references")))
        return made


_EXTENDED = {
    "head": {"PropertyTag": "0x7d", "PropertyType": "String"},
    "auto": {
        "DistinguishedPropertySetId": "InternetHeaders",
        "PropertyName": "Auto-Submitted",
        "PropertyType": "String",
    },
    "goid": {"DistinguishedPropertySetId": "Meeting", "PropertyId": "3", "PropertyType": "Binary"},
}


def property_key(uri: etree._Element) -> str:
    """A name for an ExtendedFieldURI: one of ours, or its attributes."""
    given = dict(sorted(uri.attrib.items()))
    tag = given.get("PropertyTag", "")
    if tag != "" and int(tag, 0) == 0x7D:
        return "head"
    for name, known in _EXTENDED.items():
        if given == dict(sorted(known.items())):
            return name
    return ";".join(f"{name}={value}" for name, value in given.items())


def _calendar(event: Event, wanted: set[str]) -> list[etree._Element]:
    made = []
    if "calendar:UID" in wanted:
        made.append(T.UID(event.uid))
    made += [T.Start(stamp(event.start))] if "calendar:Start" in wanted else []
    made += [T.End(stamp(event.end))] if "calendar:End" in wanted else []
    made += [T.LegacyFreeBusyStatus(event.status)] if "calendar:LegacyFreeBusyStatus" in wanted else []
    made += [T.Location(event.location)] if "calendar:Location" in wanted and event.location else []
    made += [T.IsCancelled(str(event.cancelled).lower())] if "calendar:IsCancelled" in wanted else []
    if "calendar:Organizer" in wanted:
        made.append(T.Organizer(T.Mailbox(T.Name("Lena Berg"), T.EmailAddress("lena@firm.example"))))
    if "calendar:RequiredAttendees" in wanted and len(event.attendees) > 0:
        people = [
            T.Attendee(T.Mailbox(T.Name(name), T.EmailAddress(address), T.RoutingType("SMTP")), T.ResponseType(answer))
            for address, (name, answer) in event.attendees.items()
        ]
        made.append(T.RequiredAttendees(*people))
    return made


def clean(text: str) -> str:
    """Without what XML cannot hold."""
    return _NO_XML.sub(" ", text)


def text_of(element: etree._Element, path: str) -> str:
    return (element.findtext(path, namespaces=NS) or "").strip()


def moment(text: str) -> datetime:
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).astimezone(UTC)
