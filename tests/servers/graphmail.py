"""Mails and folders of one mailbox in, what Microsoft Graph answers about them out: the fake's mail, in memory."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import uuid4

from tests.servers.https import Request, Response

WELL_KNOWN = {
    "inbox": "Posteingang",
    "drafts": "Drafts",
    "sentitems": "Sent Items",
    "deleteditems": "Deleted Items",
    "outbox": "Outbox",
    "junkemail": "Junk Email",
}
_FIELD = re.compile(rb"^([!-9;-~]+):((?:[^\r\n]*)(?:\r?\n[ \t][^\r\n]*)*)", re.MULTILINE)
SIZE, IN_REPLY_TO, REFERENCES = "Integer 0x0E08", "String 0x1042", "String 0x1039"


def refused(status: int, code: str, message: str = "The fake says no.") -> Response:
    return Response.of_json({"error": {"code": code, "message": message}}, status)


@dataclass
class Mail:
    """id: the immutable one; moving_id: the other, which changes with each move."""

    id: str
    moving_id: str
    folder: str
    octets: bytes
    received: datetime
    received_here: bool = True
    """Has transport headers: not one that the mailbox itself sent."""
    categories: list[str] = field(default_factory=list)
    version: int = 1
    unseen_looks: int = 0
    """Searches that do not find it yet."""

    @property
    def etag(self) -> str:
        return f'W/"{self.id[:6]}{self.version}"'

    def fields(self) -> list[tuple[str, str]]:
        head = re.split(rb"\r?\n\r?\n", self.octets, maxsplit=1)[0]
        return [
            (name.decode(), re.sub(rb"\r?\n", b"", value).decode("utf-8", "replace").strip())
            for name, value in _FIELD.findall(head)
        ]

    def field(self, name: str) -> str:
        return next((value for each, value in self.fields() if each.lower() == name), "")

    def extended(self) -> dict[str, str]:
        known = {IN_REPLY_TO: self.field("in-reply-to"), REFERENCES: self.field("references")}
        return {SIZE: str(len(self.octets))} | {name: value for name, value in known.items() if value}


@dataclass
class Folder:
    id: str
    name: str
    parent: str | None
    well_known: str = ""
    shows_others: bool = False
    """A search folder."""


@dataclass(frozen=True)
class Walk:
    """What a delta token stands for. waiting: ids still to be given; beyond: place in the log of changes."""

    folder: str
    waiting: tuple[str, ...] | None
    beyond: int


class MailStore:
    """One mailbox's mail. The switches below spoil it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.lock = threading.RLock()
        self.mails: dict[str, Mail] = {}
        self.folders: dict[str, Folder] = {}
        self.log: list[tuple[str, str]] = []
        """Folder and id of everything that changed in it."""
        self.walks: dict[str, Walk] = {}
        self.sent: list[bytes] = []
        self.send_as = {address}
        self.sent_late = 0
        """Looks into Sent Items that a sent mail is not found by."""
        self.largest = 3_000_000
        self.shuffled: Random | None = None
        """Pages of a delta query out of order and with items twice."""
        self.last_page_empty = False
        self.link_to = ""
        """Another server that the next links lead to."""
        self.lost_code = (410, "SyncStateNotFound")
        self.other_form = False
        """parentFolderId in another form than the folder's own id."""
        self.unreadable: set[str] = set()
        self.when_listed: Callable[[int], None] = lambda page: None
        self.pages = 0
        for well_known, name in WELL_KNOWN.items():
            self.make(name, None, well_known)

    # --- past the code under test ----------------------------------------------------------------------------------

    def make(self, name: str, parent: str | None, well_known: str = "") -> Folder:
        with self.lock:
            folder = Folder(f"AAMk{uuid4().hex}-_=", name, parent, well_known)
            self.folders[folder.id] = folder
            return folder

    def by_path(self, path: str, *, made: bool = False) -> Folder:
        with self.lock:
            found: Folder | None = None
            for level, name in enumerate(path.split("/")):
                parent = found.id if found is not None else None
                found = next(
                    (each for each in self.folders.values() if each.parent == parent and each.name == name), None
                )
                if level == 0 and name.lower() == "inbox":
                    found = next(each for each in self.folders.values() if each.well_known == "inbox")
                if found is None:
                    if not made:
                        raise LookupError(path)
                    found = self.make(name, parent)
            assert found is not None
            return found

    def deliver(self, folder: str, octets: bytes, received: datetime, *, late: int = 0) -> Mail:
        with self.lock:
            there = self.by_path(folder, made=True)
            own = there.well_known == "sentitems"
            mail = Mail(
                f"AAkA{uuid4().hex}=", f"AAMk{uuid4().hex}=", there.id, octets, received.astimezone(UTC), not own
            )
            mail.unseen_looks = late
            self.mails[mail.id] = mail
            self.log.append((there.id, mail.id))
            return mail

    def in_folder(self, path: str) -> list[Mail]:
        with self.lock:
            there = self.by_path(path)
            return [mail for mail in self.mails.values() if mail.folder == there.id]

    def expunge(self, key: str) -> None:
        with self.lock:
            mail = self.mails.pop(key)
            self.log.append((mail.folder, key))

    def remove_folder(self, path: str) -> None:
        with self.lock:
            there = self.by_path(path)
            for mail in self.in_folder(path):
                del self.mails[mail.id]
            del self.folders[there.id]

    def forget_tokens(self) -> None:
        with self.lock:
            self.walks.clear()

    # --- what Graph answers ----------------------------------------------------------------------------------------

    def folder_list(self, parent: str | None, request: Request, page: Callable[..., Response]) -> Response:
        found = [each for each in self.folders.values() if each.parent == parent]
        return page([self.folder_json(each) for each in found], request)

    def folder_json(self, folder: Folder) -> dict[str, Any]:
        children = sum(each.parent == folder.id for each in self.folders.values())
        kind = {"@odata.type": "#microsoft.graph.mailSearchFolder"} if folder.shows_others else {}
        return {**kind, "id": folder.id, "displayName": folder.name, "childFolderCount": children}

    def folder_of(self, name: str) -> Folder | None:
        plain = name.removeprefix("AQMk-other-")
        well_known = next((each for each in self.folders.values() if each.well_known == name.lower()), None)
        return self.folders.get(plain) or well_known

    def make_folder(self, parent: str | None, name: str) -> Response:
        with self.lock:
            if any(each.parent == parent and each.name.lower() == name.lower() for each in self.folders.values()):
                return refused(409, "ErrorFolderExists", "A folder with the specified name already exists.")
            return Response.of_json(self.folder_json(self.make(name, parent)), 201)

    def mail_of(self, key: str) -> Mail | None:
        found = self.mails.get(key)
        return found or next((each for each in self.mails.values() if each.moving_id == key), None)

    def mail_json(self, mail: Mail, request: Request) -> dict[str, Any]:
        """With what $select and $expand ask for."""
        immutable = "immutableid" in request.headers.get("prefer", "").lower()
        address = re.findall(r"[^\s<>\"]+@[^\s<>\"]+", mail.field("from")[:2000])
        whole: dict[str, Any] = {
            "internetMessageId": mail.field("message-id") or None,
            "receivedDateTime": f"{mail.received:%Y-%m-%dT%H:%M:%SZ}",
            "categories": mail.categories,
            "parentFolderId": f"AQMk-other-{mail.folder}" if self.other_form else mail.folder,
            "from": {"emailAddress": {"name": "", "address": address[-1]}} if address else None,
        } | {
            f"{name}Recipients": [
                {"emailAddress": {"name": "", "address": each}}
                for each in re.findall(r"[^\s<>\",]+@[^\s<>\",]+", mail.field(name))
            ]
            for name in ("to", "cc", "bcc")
        }
        if mail.received_here:
            whole["internetMessageHeaders"] = [{"name": name, "value": value} for name, value in mail.fields()]
        selected = request.asked("$select").split(",") if request.asked("$select") else list(whole)
        found = {name: whole[name] for name in selected if name in whole}
        if request.asked("$expand"):
            wanted = re.findall(r"id eq '([^']*)'", request.asked("$expand"))
            known = [{"id": name, "value": mail.extended()[name]} for name in wanted if name in mail.extended()]
            found |= {"singleValueExtendedProperties": known} if known else {}
        return {"@odata.etag": mail.etag, "id": mail.id if immutable else mail.moving_id, **found}

    def search(self, folder: Folder, request: Request, page: Callable[..., Response]) -> Response:
        condition = request.asked("$filter")
        found = [mail for mail in self.mails.values() if mail.folder == folder.id]
        if (match := re.fullmatch(r"internetMessageId eq '((?:[^']|'')*)'", condition)) is not None:
            wanted = match[1].replace("''", "'").lower()  # Exchange compares strings without regard to case
            found = [mail for mail in found if mail.field("message-id").lower() == wanted]
        elif (match := re.fullmatch(r"receivedDateTime ge (\S+)", condition)) is not None:
            since = datetime.fromisoformat(match[1])
            found = [mail for mail in found if mail.received >= since]
        elif condition:
            return refused(400, "ErrorInvalidUrlQueryFilter", f"The fake does not know {condition}")
        for mail in found:
            mail.unseen_looks -= 1
        return page([self.mail_json(mail, request) for mail in found if mail.unseen_looks < 0], request)

    def delta(self, folder: Folder, request: Request, size: int, root: str) -> Response:
        with self.lock:
            token = request.asked("$deltatoken") or request.asked("$skiptoken")
            if token and (token not in self.walks or self.walks[token].folder != folder.id):
                return refused(*self.lost_code, "The sync state generation is not found.")
            walk = self.walks[token] if token else self._walk(folder.id, tuple(self._ids(folder.id)), len(self.log))
            if walk.waiting is None:
                changed = dict.fromkeys(key for of, key in self.log[walk.beyond :] if of == folder.id)
                walk = self._walk(folder.id, tuple(changed), len(self.log))
            assert walk.waiting is not None
            now, later = walk.waiting[:size], walk.waiting[size:]
            items = [self._delta_json(key, folder.id, request) for key in now]
            self.pages += 1
            self.when_listed(self.pages)
            more = len(later) > 0 or (self.last_page_empty and len(now) > 0)
            following = Walk(folder.id, later if more else None, walk.beyond)
            name = uuid4().hex
            self.walks[name] = following
            kind, option = ("nextLink", "skiptoken") if more else ("deltaLink", "deltatoken")
            link = (
                f"{self.link_to or root}/users/{self.address}/mailFolders/{folder.id}/messages/delta?${option}={name}"
            )
            return Response.of_json({"value": items, f"@odata.{kind}": link})

    def _walk(self, folder: str, waiting: tuple[str, ...], beyond: int) -> Walk:
        if self.shuffled is not None and len(waiting) > 0:
            twice = [*waiting, *self.shuffled.sample(waiting, k=len(waiting) // 3)]
            self.shuffled.shuffle(twice)
            waiting = tuple(twice)
        return Walk(folder, waiting, beyond)

    def _ids(self, folder: str) -> list[str]:
        return [mail.id for mail in self.mails.values() if mail.folder == folder]

    def _delta_json(self, key: str, folder: str, request: Request) -> dict[str, Any]:
        mail = self.mails.get(key)
        if mail is None or mail.folder != folder:
            return {"id": key, "@removed": {"reason": "deleted"}}
        return self.mail_json(mail, request)

    def move(self, mail: Mail, destination: str, request: Request) -> Response:
        with self.lock:
            folder = self.folder_of(destination)
            if folder is None:
                return refused(404, "ErrorItemNotFound", "The specified folder could not be found in the store.")
            self.log += [(mail.folder, mail.id), (folder.id, mail.id)]
            mail.folder, mail.moving_id = folder.id, f"AAMk{uuid4().hex}="
            mail.version += 1
            return Response.of_json(self.mail_json(mail, request), 201)

    def change(self, mail: Mail, body: dict[str, Any], request: Request) -> Response:
        with self.lock:
            expected = request.headers.get("if-match", "")
            if expected and expected != mail.etag:
                return refused(412, "ErrorIrresolvableConflict", "The change key does not match.")
            mail.categories = list(body["categories"])
            mail.version += 1
            self.log.append((mail.folder, mail.id))
            return Response.of_json(self.mail_json(mail, request))

    def send(self, body: bytes) -> Response:
        try:
            octets = base64.b64decode(body, validate=True)
        except ValueError:
            return refused(400, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.")
        if len(octets) > self.largest:
            return refused(413, "ErrorMessageSizeExceeded", "The message exceeds the maximum supported size.")
        mail = Mail("", "", "", octets, datetime.now(UTC))
        sender = re.findall(r"[^\s<>\"]+@[^\s<>\"]+", mail.field("from"))
        if sender[-1:] == [] or sender[-1] not in self.send_as:
            return refused(403, "ErrorSendAsDenied", "The user account which was used to submit this request does not "
                           "have the right to send mail on behalf of the specified sending account.")  # fmt: skip
        with self.lock:
            self.sent.append(octets)
            self.deliver("Sent Items", octets, datetime.now(UTC), late=self.sent_late)
        return Response(202, b"", {"request-id": uuid4().hex})
