"""A mailbox in Microsoft 365 in, over Microsoft Graph: its messages, the news of new ones, and a filing hand out."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from triaged.backends.graph.folders import INBOX, folder_id, make_folder, survey
from triaged.backends.graph.line import (
    PAGE,
    GraphLine,
    GraphSettings,
    expanded,
    literal,
    moment,
    properties_of,
    quoted,
    said,
    text_of,
)
from triaged.backends.heads import none_or_several
from triaged.errors import Gone, LoginRefused, Permanent, Transient
from triaged.model import Listed, Locator, Raw, Surveyed

SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Seconds between two looks: after news, doubled while it is quiet, and at most. One look is one request, and 10,000
are allowed in ten minutes (learn.microsoft.com/graph/throttling-limits)."""
RESOLVE_S = 300.0
"""Seconds after which a folder's name is looked up again: a folder that was thrown away lives on in Deleted Items under
its id, and another one may have been made in its place."""
_SIZE = "Integer 0x0E08"
"""PidTagMessageSize (MS-OXPROPS): of the message with all its properties, so an estimate."""
_UNREADABLE = frozenset({"errormimecontentconversionfailed", "errorcontentconversionfailed"})
"""Codes (lower case) of a message that Exchange cannot write as MIME."""
TRIES = 3
"""Of a message that Graph fails over each time, before it counts as unreadable."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Way:
    """How far the pages after a cursor were read.

    pages: those of a listing that was cut short, which the next one gives again: a hundred thousand mails are a
    thousand pages, and one of them may fail. link: what follows them, None to begin with. start: the link that was
    reached before there was any key, and which is asked from then on: Graph forgets old ones.
    """

    cursor: str | None
    link: str | None
    start: str | None
    pages: list[Listed] = field(default_factory=list)


class GraphMailbox:
    """`ports.Mailbox` over Microsoft Graph. Keys are immutable ids, which stay when a message is moved.

    A cursor is a page's whole nextLink or deltaLink, with the folder's id as its fragment: of a folder that was made
    anew it means nothing. folder: `INBOX`, or names as Outlook shows them, levels by `/`.
    """

    def __init__(self, name: str, folder: str, settings: GraphSettings, *, max_message_bytes: int) -> None:
        self.name = name
        self.folder = folder
        self._max_message_bytes = max_message_bytes
        self._line = GraphLine(settings, right="Mail.ReadWrite")
        self._folder_id = ""
        self._resolved_at = 0.0
        self._forms: dict[str, str] = {}
        self._way: _Way | None = None
        self._failed: Counter[str] = Counter()
        """How often Graph did not give a message, by its key."""
        self._wait_s = SHORTEST_WAIT_S
        self._woken = threading.Event()

    def connect(self) -> None:
        """Find the folder. Raises: Transient, Permanent, LoginRefused, Gone (no such folder)."""
        found = folder_id(self._line, self.folder)
        if found is None:
            raise Gone(f"{self.name}: there is no folder {self.folder}; name it as Outlook shows it, levels by `/`")
        if found != self._folder_id:
            self._way = None
        self._folder_id, self._resolved_at = found, time.monotonic()

    def list_after(self, cursor: str | None) -> Iterator[Listed]:
        """Keys that the delta query (message: delta) lists beyond the cursor, by time within a page, none twice.

        A link that Graph has forgotten (410, and 400 or 404) is as no cursor, in the middle of the pages too. A message
        that was only changed is listed again. Raises: as the port, and Gone (the folder is no longer there).
        """
        self._opened()
        if self._way is None or self._way.cursor != cursor:
            link = self._link_after(cursor)
            self._way = _Way(cursor, link, link)
        way = self._way
        yield from way.pages
        seen = {key for page in way.pages for key in page.keys}
        for page, reached in self._pages(way.link):
            items = [item for item in page if "@removed" not in item]
            items.sort(key=lambda item: text_of(item, "receivedDateTime"))
            keys = tuple(dict.fromkeys(key for item in items if (key := text_of(item, "id")) and key not in seen))
            seen.update(keys)
            way.link = reached
            if len(keys) > 0 or len(way.pages) > 0:
                self._wait_s = SHORTEST_WAIT_S
                way.pages.append(Listed(keys, f"{reached}#{quote(self._folder_id, safe='')}"))
                yield way.pages[-1]
            else:
                way.start = reached
        way.link = way.start
        way.pages.clear()

    def fetch(self, keys: Sequence[str]) -> Iterator[Raw]:
        """The messages in the order of `keys`. One that Exchange cannot write as MIME has no octets."""
        self._opened()
        for key in keys:
            try:
                raw = self._read(key)
            except Gone:
                continue
            yield raw

    def wait(self, timeout_s: float) -> None:
        """Return when it is time to look again, when woken or after `timeout_s`; there is no push."""
        self._woken.wait(max(0.0, min(timeout_s, self._wait_s)))
        self._woken.clear()
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    def wake(self) -> None:
        """End a `wait`, or the next one if none is under way."""
        self._woken.set()

    def survey(self, since: datetime, *, sent_only: bool = False) -> Iterator[Surveyed]:
        """The headers of the folders. A folder that may not be read is left out."""
        self._opened()
        return survey(self._line, since, watched_id=self._folder_id, watched=self.folder, sent_only=sent_only)

    def mark(self, key: str, categories: Sequence[str]) -> None:
        """Add Outlook categories; those that are there stay. Transient when somebody changes the message meanwhile."""
        found = self._here(key, "categories")
        there = [each for each in found.get("categories") or [] if isinstance(each, str)]
        wanted = list(dict.fromkeys((*there, *categories)))
        if wanted != there:
            etag = text_of(found, "@odata.etag")
            self._line.patch(f"/messages/{quoted(key)}", {"categories": wanted}, unchanged=etag)

    def file(self, key: str, folder: str) -> None:
        """Move a message; its key stays, so whether it is still here is asked first."""
        self._here(key, "id")
        self._move(key, make_folder(self._line, folder))

    def refile(self, message_id: str, source: str, target: str) -> None:
        """Move by Message-ID; the key stays what it was."""
        key = self._the_one(message_id, source)
        self._move(key, self._folder_id if target == self.folder else make_folder(self._line, target))

    def find(self, message_id: str, folder: str) -> Raw:
        """By Message-ID."""
        raw = self._read(self._the_one(message_id, folder), anywhere=True)
        return dataclasses.replace(raw, locator=dataclasses.replace(raw.locator, folder=folder))

    def _the_one(self, message_id: str, source: str) -> str:
        """The key of the one message in a folder with this Message-ID. Raises: Gone, Permanent (several)."""
        self._opened()
        there = self._folder_id if source == self.folder else folder_id(self._line, source)
        if there is None:
            raise Gone(f"{self.name}: there is no folder {source}")
        query = {"$filter": f"internetMessageId eq {literal(message_id)}", "$select": "internetMessageId"}
        found = [
            text_of(item, "id")
            for item in self._line.listed(f"/mailFolders/{quoted(there)}/messages", query)
            if text_of(item, "internetMessageId") == message_id
        ]
        if len(found) != 1:
            raise none_or_several(self.name, len(found), message_id, source)
        return found[0]

    def close(self) -> None:
        """Close the connections."""
        self._line.close()

    def _opened(self) -> None:
        """Find the folder unless that was done a moment ago; the inbox cannot be thrown away."""
        late = time.monotonic() - self._resolved_at > RESOLVE_S and self.folder.lower() != INBOX
        if self._folder_id == "" or late:
            self.connect()

    def _link_after(self, cursor: str | None) -> str | None:
        """The link to ask, None to list everything: also for a cursor of another folder, server or backend."""
        link, _, of_folder = (cursor or "").rpartition("#")
        ours = of_folder == quote(self._folder_id, safe="") and self._line.is_ours(link)
        return link if ours else None

    def _pages(self, link: str | None) -> Iterator[tuple[list[dict[str, Any]], str]]:
        """Each page's items and the link to what follows it."""
        path = f"/mailFolders/{quoted(self._folder_id)}/messages/delta"
        # No $top, which ends the list after so many (microsoft-graph-docs issue 2232), and no changeType=created: it is
        # not told whether that has what was moved into the folder.
        first = self._line.url(path, {"$select": "receivedDateTime"})
        url: str | None = link or first
        restarted = False
        while url is not None:
            answer = self._line.ask("GET", url, accept=(400, 404, 410), prefer=(f"odata.maxpagesize={PAGE}",))
            if answer.status >= 400:
                if url == first or restarted:
                    raise self._lost(answer.status) if answer.status == 410 else self._line.refusal(answer)
                log.info("relisted mailbox=%s status=%d code=%s", self.name, answer.status, said(answer)[0])
                restarted, url = True, first
                continue
            page = self._line.object_of(answer)
            following = self._line.link_of(page, "@odata.nextLink")
            reached = following or self._line.link_of(page, "@odata.deltaLink")
            if reached is None:
                raise self._lost(answer.status)
            yield self._line.items_of(page), reached
            url = following

    def _lost(self, status: int) -> Transient:
        return Transient(f"{self.name}: Microsoft Graph loses count of {self.folder} while it lists it ({status})")

    def _read(self, key: str, *, anywhere: bool = False) -> Raw:
        """anywhere: in whatever folder it lies. Raises: Gone, also when it lies in another folder now."""
        found = self._here(key, "receivedDateTime", expand=_SIZE, anywhere=anywhere)
        url = self._line.url(f"/messages/{quoted(key)}/$value")
        answer = self._line.ask("GET", url, accept=range(400, 600), limit_bytes=self._max_message_bytes)
        size_bytes = int(size) if (size := properties_of(found).get(_SIZE.lower(), "")).isdecimal() else 0
        if answer.status >= 400:
            self._failed[key] += 1
            refusal = self._line.refusal(answer)
            if said(answer)[0].lower() not in _UNREADABLE and not self._is_hopeless(key, answer.status, refusal):
                raise refusal
            octets = b""
            size_bytes = max(size_bytes, 1)
        elif answer.whole:
            octets, size_bytes = answer.body, len(answer.body)
        else:
            octets, size_bytes = _head(answer.body), max(size_bytes, len(answer.body) + 1)
        received = moment(text_of(found, "receivedDateTime")) or datetime.now(UTC)
        return Raw(Locator(self.name, self.folder, key), received, octets, size_bytes)

    def _is_hopeless(self, key: str, status: int, refusal: Transient | Permanent) -> bool:
        """Whether this one message will not come: refused, though its properties were told a moment ago, or failed over
        each time. It must hold up no other."""
        if isinstance(refusal, Gone | LoginRefused) or status in (429, 503):
            return False
        return isinstance(refusal, Permanent) or self._failed[key] >= TRIES

    def _here(self, key: str, select: str, *, expand: str = "", anywhere: bool = False) -> dict[str, Any]:
        """Something of a message in the folder, or `anywhere`. Raises: Gone, also when it lies elsewhere now."""
        self._opened()
        query = {"$select": f"{select},parentFolderId"} | ({"$expand": expanded(expand)} if expand else {})
        found = self._line.get(f"/messages/{quoted(key)}", query)
        if not anywhere and self._folder_of(text_of(found, "parentFolderId")) != self._folder_id:
            raise Gone(f"{self.name}: message {key} is no longer in {self.folder}")
        return found

    def _folder_of(self, parent_id: str) -> str:
        """A folder's id as the folder itself gives it: the same id has several forms, and a message that only seems to
        lie elsewhere would be taken for gone."""
        if parent_id == self._folder_id:
            return parent_id
        if parent_id not in self._forms:
            found = self._line.get(f"/mailFolders/{quoted(parent_id)}", {"$select": "id"})
            self._forms[parent_id] = text_of(found, "id")
        return self._forms[parent_id]

    def _move(self, key: str, destination_id: str) -> None:
        self._line.post(f"/messages/{quoted(key)}/move", {"destinationId": destination_id})


def _head(octets: bytes) -> bytes:
    """Up to and with the first empty line; all of it where there is none."""
    end = octets.find(b"\r\n\r\n")
    return octets[: end + 4] if end >= 0 else octets
