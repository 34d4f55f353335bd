"""A mailbox on an Exchange server (EWS) in: its messages, the news of new ones, and a filing hand out."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from datetime import UTC, datetime

from exchangelib import errors as ews
from lxml import etree

from triaged.backends.ews.discover import endpoint_of
from triaged.backends.ews.folders import (
    AT_ONCE,
    HEAD,
    came_head,
    folder_id,
    items,
    made_folder,
    move,
    survey,
    the_one,
)
from triaged.backends.ews.line import EwsLine, EwsSettings
from triaged.backends.ews.listen import Listener
from triaged.backends.ews.xml import M, T, each_of, id_of, known_id, moment, shape, text_of
from triaged.backends.web import MAX_ANSWER_BYTES
from triaged.errors import Gone, Permanent, Transient, TriagedError
from triaged.model import Listed, Locator, Raw, Surveyed

PAGE = 500
"""Changes asked for in one SyncFolderItems; Exchange's limit is 512 (MaxChangesReturned, MS-OXWSSYNC)."""
BATCH_MESSAGES, BATCH_BYTES = 50, 8 * 1024 * 1024
"""Messages, and octets by the server's own count, per GetItem with contents; one message alone may be larger."""
GROWS = 3
"""Times that an answer may be larger than the message in it: base64 of MIME, in which attachments are base64 too."""
FIRST_POLL_S, LONGEST_POLL_S = 1.0, 30.0
"""Seconds between looks while no stream is open: doubled as long as nothing comes."""
CONFLICTS = 3
"""Times that a message is read anew and marked when somebody else changes it at the same moment."""

_KEY = re.compile(r"[A-Za-z0-9+/=_-]{20,1024}")
"""What may be an ItemId: base64; anything else is not asked for."""


class EwsMailbox:
    """`ports.Mailbox` over EWS. Keys are ItemIds, cursors the server's sync state with a mark of the folder before it.

    Nothing is marked as read. A thread of its own listens for notifications from the first `wait` on. A moved message
    gets another ItemId.
    """

    def __init__(self, name: str, folder: str, settings: EwsSettings, *, max_message_bytes: int) -> None:
        self.name = name
        self.folder = folder
        self._settings = settings
        self._max_message_bytes = max_message_bytes
        self._line: EwsLine | None = None
        self._folder_id = ""
        self._state = ""
        self._failed: Counter[str] = Counter()
        """How often the server failed over a message alone, by its key."""
        self._poll_s = FIRST_POLL_S
        self._listener: Listener | None = None
        self._news = threading.Condition()
        self._woken = self._came = self._look = False

    def connect(self) -> None:
        """Find the server and the folder. Raises: Transient, Permanent, LoginRefused, Gone (no such folder)."""
        self.close()
        limit = max(MAX_ANSWER_BYTES, GROWS * self._max_message_bytes)
        self._line = EwsLine(self._settings, endpoint_of(self._settings), limit_bytes=limit)
        try:
            self._folder_id = folder_id(self._line, self.folder)
        except TriagedError:
            self.close()
            raise

    def list_after(self, cursor: str | None) -> Iterator[Listed]:
        """Keys of what was added or changed since, by SyncFolderItems, oldest first within a page.

        A folder that was made anew, or a sync state that the server does not know, is listed from the beginning.
        """
        line = self._connected()
        state = self._state_in(cursor)
        while True:
            try:
                changes = self._changes(line, state, PAGE)
            except Gone:  # the folder was made anew under its name; if not, connecting says that it is gone
                self.connect()
                line, state = self._connected(), ""
                changes = self._changes(line, state, PAGE)
            except Permanent as error:
                if state == "" or not isinstance(error.__cause__, ews.ErrorInvalidSyncStateData):
                    raise
                state = ""
                continue
            is_stuck = changes.state == state
            if not is_stuck or len(changes.keys) > 0:
                yield Listed(changes.keys, f"{self._mark()}/{changes.state}")
            if len(changes.keys) > 0:
                self._poll_s = FIRST_POLL_S
            state = self._state = changes.state
            if changes.is_last or is_stuck:
                return

    def fetch(self, keys: Sequence[str]) -> Iterator[Raw]:
        """The messages in the order of `keys`, of 100 those first of which nothing is told. A message that the server
        refuses to give, or fails over each time, has no octets.

        The limit is held against the server's own count of octets first, then against what came.
        """
        line = self._connected()
        for start in range(0, len(keys), AT_ONCE):
            asked = [key for key in keys[start : start + AT_ONCE] if _KEY.fullmatch(key)]
            wanted = shape("ItemShape", "item:Size", "item:DateTimeReceived")
            facts = items(line, asked, wanted, "read message sizes", failed=self._failed)
            for key, fact in facts.items():
                if isinstance(fact, TriagedError):  # refused is not vanished
                    yield Raw(Locator(self.name, self.folder, key), datetime.now(UTC), b"", 1)
            sizes = {key: _size(item) for key, item in facts.items() if isinstance(item, etree._Element)}
            for group in _groups([key for key in asked if key in sizes], sizes, limit=self._max_message_bytes):
                octets = self._octets(line, group, sizes)
                for key in group:
                    if key in octets:
                        yield self._raw(key, facts[key], octets[key], sizes[key])

    def wait(self, timeout_s: float) -> None:
        """Return when the server tells of something, when woken, or after `timeout_s`; while it tells nothing (it has
        no streaming notifications, or the stream broke) after some seconds, more of them each time nothing came."""
        until = time.monotonic() + timeout_s
        if self._listener is None:
            line = self._connected()
            self._listener = Listener(line, self._folder_id, changed=self._stream_changed, came=self._something_came)
        poll_at = time.monotonic() + self._poll_s
        while True:
            with self._news:
                is_open = self._listener.is_open
                left_s = (until if is_open else min(until, poll_at)) - time.monotonic()
                if left_s > 0 and not (self._woken or self._came or self._look):
                    self._news.wait(left_s if is_open else min(left_s, FIRST_POLL_S))
                    continue
                must_end = self._woken or self._came or left_s <= 0
                look, self._look = self._look, False
                if must_end:
                    self._woken = self._came = False
            if must_end:
                if left_s <= 0 and not is_open:
                    self._poll_s = min(2 * self._poll_s, LONGEST_POLL_S)
                return
            if look and self._state != "" and self._has_news():
                return

    def wake(self) -> None:
        """End a `wait`, or the next one if none is under way."""
        with self._news:
            self._woken = True
            self._news.notify_all()

    def survey(self, since: datetime, *, sent_only: bool = False) -> Iterator[Surveyed]:
        """The heads of the folders with mail, by FindItem and GetItem, folder by folder."""
        yield from survey(self._connected(), since, watched=self.folder, sent_only=sent_only)

    def mark(self, key: str, categories: Sequence[str]) -> None:
        """Add Outlook categories. What somebody else changes at the same moment is read anew and kept."""
        line = self._connected()
        for left in reversed(range(CONFLICTS)):
            item = self._item(line, key, "item:Categories")
            there = [(each.text or "").strip() for each in each_of(item, "t:Categories/t:String")]
            known = {each.casefold() for each in there}
            more = [each for each in dict.fromkeys(categories) if each.casefold() not in known]
            if len(more) == 0:
                return
            try:
                line.one(_with_categories(item, [*there, *more]), "mark a message")
                return
            except Transient as error:
                if left == 0 or not isinstance(error.__cause__, ews.ErrorIrresolvableConflict):
                    raise

    def file(self, key: str, folder: str) -> None:
        """Move a message; levels of the folder's name by `/`."""
        line = self._connected()
        self._item(line, key)  # so that no folder is made for a message that is gone
        move(line, key, made_folder(line, folder))

    def refile(self, message_id: str, source: str, target: str) -> None:
        """Move by Message-ID, as `file` moves."""
        line = self._connected()
        key = the_one(line, self.name, message_id, source)
        move(line, key, made_folder(line, target))

    def find(self, message_id: str, folder: str) -> Raw:
        """By Message-ID."""
        key = the_one(self._connected(), self.name, message_id, folder)
        for raw in self.fetch([key]):
            return dataclasses.replace(raw, locator=Locator(self.name, folder, key))
        raise Gone(f"{self.name}: message {message_id} has just left {folder}")

    def close(self) -> None:
        """End the listening and close the connections; never raises."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _connected(self) -> EwsLine:
        if self._line is None:
            self.connect()
        assert self._line is not None
        return self._line

    def _mark(self) -> str:
        """Tells this folder from another under its name; a FolderId is never given again."""
        return hashlib.sha256(f"{self._settings.address.lower()}\0{self._folder_id}".encode()).hexdigest()[:16]

    def _state_in(self, cursor: str | None) -> str:
        mark, _, state = (cursor or "").partition("/")
        return state if mark == self._mark() else ""

    def _changes(self, line: EwsLine, state: str, count: int) -> _Changes:
        since = [M.SyncState(state)] if state != "" else []
        request = M.SyncFolderItems(
            shape("ItemShape", "item:DateTimeReceived"),
            M.SyncFolderId(T.FolderId(Id=self._folder_id)),
            *since,
            M.MaxChangesReturned(str(count)),
            M.SyncScope("NormalItems"),
        )
        return _Changes(line.one(request, f"list {self.folder}"), line.host)

    def _item(self, line: EwsLine, key: str, *fields: str) -> etree._Element:
        """Raises: Gone."""
        found = items(line, [key], shape("ItemShape", *fields), "find a message") if _KEY.fullmatch(key) else {}
        if key not in found:
            raise Gone(f"{self.name}: message {key[:40]} is no longer in {self.folder}")
        item = found[key]
        if isinstance(item, TriagedError):
            raise item
        return item

    def _has_news(self) -> bool:
        try:
            found = self._changes(self._connected(), self._state, 1)
            return len(found.keys) > 0 or not found.is_last
        except Gone:  # listing says what has become of the folder
            return True

    def _octets(self, line: EwsLine, group: Sequence[str], sizes: dict[str, int]) -> dict[str, bytes]:
        whole = [key for key in group if sizes[key] <= self._max_message_bytes]
        large = [key for key in group if sizes[key] > self._max_message_bytes]
        octets = _read(line, whole, _contents(), _mime, self._failed)
        return octets | _read(line, large, shape("ItemShape", deepcopy(HEAD)), _head, self._failed)

    def _raw(self, key: str, item: object, octets: bytes, size_bytes: int) -> Raw:
        assert isinstance(item, etree._Element)
        limit = self._max_message_bytes
        if size_bytes <= limit and len(octets) > 0:
            size_bytes = len(octets)  # Exchange counts what it stores, not what it gives
            if size_bytes > limit:
                octets = octets[: min(_head_ends(octets), limit)]
        told = text_of(item, "t:DateTimeReceived")
        try:
            received = moment(told)
        except ValueError:
            received = datetime.now(UTC)
        return Raw(Locator(self.name, self.folder, key), received, octets[:limit], size_bytes)

    def _stream_changed(self) -> None:
        with self._news:
            self._look = True
            self._news.notify_all()

    def _something_came(self) -> None:
        with self._news:
            self._came = True
            self._news.notify_all()


class _Changes:
    """What a SyncFolderItems answer tells: keys added or changed, oldest first, and the state after it.

    Changed ones too: a key that has its row is skipped, and none may be missed. Raises: Transient (it makes no sense).
    """

    def __init__(self, message: etree._Element, host: str) -> None:
        self.state = text_of(message, "m:SyncState")
        if self.state == "":
            raise Transient(f"{host}: the server tells no sync state")
        self.is_last = text_of(message, "m:IncludesLastItemInRange").lower() != "false"
        added = [*each_of(message, "m:Changes/t:Create"), *each_of(message, "m:Changes/t:Update")]
        dated = [(_received(each), id_of(each)) for each in added]
        self.keys = tuple(dict.fromkeys(key for _, key in sorted(dated, key=lambda each: each[0])))


def _received(change: etree._Element) -> datetime:
    """Last of all for what says no time."""
    told = next((each.text or "" for each in change.iter(T.name("DateTimeReceived"))), "")
    try:
        return moment(told)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)


def _size(item: etree._Element) -> int:
    told = text_of(item, "t:Size")
    return int(told) if told.isdecimal() else 0


def _contents() -> etree._Element:
    return shape("ItemShape", more=(T.IncludeMimeContent("true"),))


def _read(
    line: EwsLine,
    keys: Sequence[str],
    wanted: etree._Element,
    octets_of: Callable[[etree._Element], bytes],
    failed: Counter[str],
) -> dict[str, bytes]:
    told = items(line, keys, wanted, "read messages", failed=failed) if len(keys) > 0 else {}
    return {key: octets_of(item) if isinstance(item, etree._Element) else b"" for key, item in told.items()}


def _mime(item: etree._Element) -> bytes:
    try:
        return base64.b64decode(text_of(item, "t:MimeContent"))
    except binascii.Error:
        return b""


def _head(item: etree._Element) -> bytes:
    head = came_head(item)
    return f"{head}\r\n".encode() if head != "" else b""


def _head_ends(octets: bytes) -> int:
    found = re.search(rb"\r?\n\r?\n", octets)
    return found.end() if found is not None else len(octets)


def _groups(keys: Sequence[str], sizes: dict[str, int], *, limit: int) -> Iterator[list[str]]:
    """Runs of keys whose contents stay under BATCH_BYTES together."""
    group: list[str] = []
    total = 0
    for key in keys:
        octets = min(sizes[key], limit)
        if len(group) == BATCH_MESSAGES or (group and total + octets > BATCH_BYTES):
            yield group
            group, total = [], 0
        group.append(key)
        total += octets
    if group:
        yield group


def _with_categories(item: etree._Element, categories: Sequence[str]) -> etree._Element:
    """The UpdateItem request; refused where the item is no longer as it was read."""
    value = T.named(etree.QName(item).localname)  # a Message, a MeetingRequest
    value.append(T.Categories(*(T.String(each) for each in categories)))
    change = T.ItemChange(known_id(item), T.Updates(T.SetItemField(T.FieldURI(FieldURI="item:Categories"), value)))
    return M.UpdateItem(
        M.ItemChanges(change),
        MessageDisposition="SaveOnly",
        ConflictResolution="NeverOverwrite",
    )
