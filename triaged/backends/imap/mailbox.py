"""An IMAP server (RFC 3501) in: its messages, the news of new ones, and a filing hand out."""

from __future__ import annotations

import dataclasses
import select
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from imaplib import IMAP4

from imapclient import IMAPClient

from triaged.backends.imap.folders import mark, move, survey, the_one
from triaged.backends.imap.line import ImapSettings, log_out, open_line, shut, translated
from triaged.errors import Gone, Permanent, Transient
from triaged.model import Listed, Locator, Raw, Surveyed

BATCH_MESSAGES = 100
"""Messages per FETCH; batches of 50 to 100 are six times faster than one by one (our measurement, 2026-11)."""

BATCH_BYTES = 16 * 1024 * 1024
"""Octets asked for in one FETCH, so that memory stays bounded; one message alone may be larger."""

SEARCH_SPAN = 50_000
"""UIDs per SEARCH: imaplib refuses an answer line over 1,000,000 octets, and a UID takes up to 11."""

POLL_S = 60.0
"""Seconds between looks where the server has no IDLE."""


class ImapMailbox:
    """`ports.Mailbox` over IMAP. Keys are `UIDVALIDITY/UID`.

    Reading uses EXAMINE and BODY.PEEK, so no flag changes. A lost connection raises Transient once; the next
    call connects anew. `file` selects the folder for writing: give filing an object of its own.
    """

    def __init__(self, name: str, folder: str, settings: ImapSettings, *, max_message_bytes: int) -> None:
        self.name = name
        self.folder = folder
        self._settings = settings
        self._max_message_bytes = max_message_bytes
        self._client: IMAPClient | None = None
        self._writable = False
        self._validity = 0
        self._uid_next = 0
        self._highest_told: int | None = None
        self._woken = threading.Event()
        self._wake_pair: tuple[socket.socket, socket.socket] | None = None

    def connect(self) -> None:
        """Connect, log in and open the folder. Raises: Transient, Permanent, LoginRefused, Gone (no such folder)."""
        self._drop()
        self._client = open_line(self._settings)
        try:
            self._select(self._client, writable=False)
        except Permanent:
            self._drop()
            raise
        if self._wake_pair is None:
            self._wake_pair = _wake_pair()

    def list_after(self, cursor: str | None) -> Iterator[Listed]:
        """Keys above the cursor, by UID; all of them when the cursor is of another UIDVALIDITY. A page's cursor is its
        last key."""
        client = self._selected(writable=False)
        validity, uid = _parse_key(cursor) if cursor is not None else (0, 0)
        if validity != self._validity:
            uid = 0
        with self._talking("search"):
            uids = self._uids_above(client, uid)
        self._highest_told = max([uid, *uids])
        keys = tuple(f"{self._validity}/{uid}" for uid in uids)
        for start in range(0, len(keys), BATCH_MESSAGES):
            page = keys[start : start + BATCH_MESSAGES]
            yield Listed(page, page[-1])

    def fetch(self, keys: Sequence[str]) -> Iterator[Raw]:
        """The messages in the order of `keys`. A message that the server refuses to give has no octets."""
        for start in range(0, len(keys), BATCH_MESSAGES):
            client = self._selected(writable=False)
            parsed = [_parse_key(key) for key in keys[start : start + BATCH_MESSAGES]]
            uids = [uid for validity, uid in parsed if validity == self._validity]
            with self._talking("read message sizes"):
                facts = client.fetch(uids, ["RFC822.SIZE", "INTERNALDATE"])
            known = [uid for uid in uids if {b"RFC822.SIZE", b"INTERNALDATE"} <= facts.get(uid, {}).keys()]
            sizes = {uid: facts[uid][b"RFC822.SIZE"] for uid in known}
            for group in _groups(known, sizes, limit=self._max_message_bytes):
                octets = self._octets(client, group, sizes)
                for uid in group:
                    if uid in octets:
                        yield self._raw(uid, facts[uid][b"INTERNALDATE"], octets[uid], sizes[uid])

    def wait(self, timeout_s: float) -> None:
        """Return when the server pushes something, when woken, after `timeout_s` or after the settings' `idle_s`."""
        client = self._selected(writable=False)
        with self._talking("wait for mail"):
            # What came since the last search was perhaps told during a FETCH and will not be told again.
            if self._highest_told is not None and self._uids_above(client, self._highest_told):
                return
            if not client.has_capability("IDLE"):
                self._sleep(min(timeout_s, POLL_S), None)
                return
            client.idle()
            if not _told_already(client, self._settings.timeout_s):
                self._sleep(min(timeout_s, self._settings.idle_s), client.socket())
            # Only idle_done() can tell a dead connection from a quiet one, and it raises on a dead one.
            client.idle_done()

    def wake(self) -> None:
        """End a `wait`, or the next one if none is under way."""
        self._woken.set()
        pair = self._wake_pair
        if pair is not None:
            with suppress(OSError):
                pair[1].send(b"\0")

    def survey(self, since: datetime, *, sent_only: bool = False) -> Iterator[Surveyed]:
        """The heads of the folders, by EXAMINE and BODY.PEEK, in batches; the connection is closed at the end."""
        client = self._selected(writable=False)
        try:
            with self._talking("look into folders"):
                yield from survey(client, since, watched=self.folder, sent_only=sent_only)
        finally:
            self.close()  # another folder is open on it

    def mark(self, key: str, categories: Sequence[str]) -> None:
        """Set a keyword each (RFC 3501 2.3.2), on Gmail a label; a server that keeps no new keywords drops them."""
        client = self._selected(writable=True)
        with self._talking("mark a message"):
            mark(client, self._uid_of(client, key), categories)

    def file(self, key: str, folder: str) -> None:
        """Move a message, by MOVE (RFC 6851) or else COPY and expunge of this one message (RFC 4315).

        A server with neither keeps the original, flagged as deleted. Without MOVE a connection lost between
        copy and expunge leaves a copy behind, so the next try makes a second one. On Gmail only MOVE is used, which
        changes labels; into All Mail it archives.
        """
        client = self._selected(writable=True)
        with self._talking("move a message"):
            move(client, self._uid_of(client, key), folder, source=self.folder)

    def _uid_of(self, client: IMAPClient, key: str) -> int:
        """Raises: Gone."""
        validity, uid = _parse_key(key)
        if validity != self._validity or not client.search(["UID", str(uid), "UNDELETED"]):
            raise Gone(f"{self.name}: message {key} is no longer in {self.folder}")
        return uid

    def refile(self, message_id: str, source: str, target: str) -> None:
        """Move by Message-ID, as `file` moves; the connection is closed at the end."""
        client = self._selected(writable=False)
        try:
            with self._talking(f"open the folder {source}", refused=Gone):
                client.select_folder(source)
            with self._talking("move a message"):
                move(client, the_one(client, self.name, message_id, source), target, source=source)
        finally:
            self.close()  # another folder is open on it

    def find(self, message_id: str, folder: str) -> Raw:
        """By SEARCH and BODY.PEEK in the folder, opened by EXAMINE; the connection is closed at the end."""
        client = self._selected(writable=False)
        try:
            with self._talking(f"open the folder {folder}", refused=Gone):
                answer = client.select_folder(folder, readonly=True)
            with self._talking("look for a message"):
                uid = the_one(client, self.name, message_id, folder)
                facts = client.fetch([uid], ["RFC822.SIZE", "INTERNALDATE"])[uid]
            octets = self._octets(client, [uid], {uid: facts[b"RFC822.SIZE"]})
            raw = self._raw(uid, facts[b"INTERNALDATE"], octets.get(uid, b""), facts[b"RFC822.SIZE"])
            key = f"{answer.get(b'UIDVALIDITY', 0)}/{uid}"
            return dataclasses.replace(raw, locator=Locator(self.name, folder, key))
        finally:
            self.close()  # another folder is open on it

    def close(self) -> None:
        """Log out and close; never raises."""
        log_out(self._client)
        self._client = None
        pair, self._wake_pair = self._wake_pair, None
        for end in pair or ():
            end.close()

    def _selected(self, *, writable: bool) -> IMAPClient:
        if self._client is None:
            self.connect()
        client = self._client
        assert client is not None
        if self._writable != writable:
            self._select(client, writable=writable)
        return client

    def _select(self, client: IMAPClient, *, writable: bool) -> None:
        with self._talking(f"open the folder {self.folder}", refused=Gone):
            answer = client.select_folder(self.folder, readonly=not writable)
        if b"UIDVALIDITY" not in answer:
            raise Permanent(
                f"{self._settings.host}: gives no UIDVALIDITY for {self.folder}, so mails cannot be told apart"
            )
        self._validity = int(answer[b"UIDVALIDITY"])
        self._uid_next = int(answer.get(b"UIDNEXT", 0))
        self._writable = writable

    def _uids_above(self, client: IMAPClient, uid: int) -> list[int]:
        """`n:*` gives the last message even when its UID is under n (RFC 3501 6.4.8), so it is taken out again.

        Dovecot searches what this session was told of so far, so NOOP comes first and lets it tell.
        """
        client.noop()
        found: set[int] = set()
        starts = range(uid + 1, max(self._uid_next, uid + 2), SEARCH_SPAN)
        for start in starts:
            end = "*" if start == starts[-1] else str(start + SEARCH_SPAN - 1)
            found.update(client.search(["UID", f"{start}:{end}"]))
        return sorted(each for each in found if each > uid)

    def _octets(self, client: IMAPClient, group: Sequence[int], sizes: dict[int, int]) -> dict[int, bytes]:
        limit = self._max_message_bytes
        whole = [uid for uid in group if sizes[uid] <= limit]
        large = [uid for uid in group if sizes[uid] > limit]
        with self._talking("read messages"):
            octets = _fetch_part(client, whole, "BODY.PEEK[]")
            octets |= _fetch_part(client, large, f"BODY.PEEK[HEADER]<0.{limit}>")
        return octets

    def _raw(self, uid: int, received: datetime | None, octets: bytes, size_bytes: int) -> Raw:
        if received is None:
            received = datetime.now(UTC)  # imapclient's answer to an INTERNALDATE that is none
        if len(octets) > 0 and size_bytes <= self._max_message_bytes:
            size_bytes = len(octets)  # Exchange estimates RFC822.SIZE; what came whole has its own length
        locator = Locator(self.name, self.folder, f"{self._validity}/{uid}")
        return Raw(locator, received.astimezone(UTC), octets, size_bytes)

    def _sleep(self, timeout_s: float, server: socket.socket | None) -> None:
        """Until the server says something, `wake` is called or the time is over."""
        assert self._wake_pair is not None
        poller = select.poll()
        poller.register(self._wake_pair[0], select.POLLIN)
        if server is not None:
            poller.register(server, select.POLLIN)
        if not self._woken.is_set():
            poller.poll(max(timeout_s, 0) * 1000)
        self._woken.clear()
        with suppress(OSError):
            self._wake_pair[0].recv(4096)

    @contextmanager
    def _talking(self, doing: str, *, refused: type[Permanent] = Permanent) -> Iterator[None]:
        try:
            with translated(self._settings.host, doing, refused=refused):
                yield
        except Transient:
            self._drop()
            raise

    def _drop(self) -> None:
        """Forget the connection without a word to the server: after a timeout it cannot be talked to."""
        shut(self._client)
        self._client = None
        self._writable = False


def _wake_pair() -> tuple[socket.socket, socket.socket]:
    pair = socket.socketpair()
    for end in pair:
        end.setblocking(False)
    return pair


def _parse_key(key: str) -> tuple[int, int]:
    """UIDVALIDITY and UID; (0, 0), which no server uses, for what is not a key of ours."""
    validity, _, uid = key.partition("/")
    return (int(validity), int(uid)) if validity.isdecimal() and uid.isdecimal() else (0, 0)


def _groups(uids: Sequence[int], sizes: dict[int, int], *, limit: int) -> Iterator[list[int]]:
    """Runs of UIDs whose octets to be fetched stay under BATCH_BYTES together."""
    group: list[int] = []
    total = 0
    for uid in uids:
        octets = min(sizes[uid], limit)
        if group and total + octets > BATCH_BYTES:
            yield group
            group, total = [], 0
        group.append(uid)
        total += octets
    if group:
        yield group


def _fetch_part(client: IMAPClient, uids: Sequence[int], part: str) -> dict[int, bytes]:
    """Octets by UID; without those that vanished; `b""` for one that the server refuses, so that it holds up no other.

    A NO fails the whole FETCH, and Dovecot says NO when one of the messages was expunged meanwhile.
    """
    try:
        found = client.fetch(list(uids), [part])
    except IMAP4.abort:
        raise
    except IMAP4.error as error:
        if len(uids) == 1:
            return {} if "EXPUNGEISSUED" in str(error) else {uids[0]: b""}
        return {uid: octets for each in uids for uid, octets in _fetch_part(client, [each], part).items()}
    return {
        uid: value or b"" for uid, items in found.items() for item, value in items.items() if item.startswith(b"BODY[")
    }


def _told_already(client: IMAPClient, timeout_s: float) -> bool:
    """Whether something came in one packet with the `+ idling`: it lies in imaplib's buffer, unseen by poll()."""
    server = client.socket()
    held = getattr(client._imap, "_readbuf", None)  # Python 3.14 and newer
    if held is not None:
        return any(held) or (isinstance(server, ssl.SSLSocket) and server.pending() > 0)
    server.setblocking(False)
    try:
        return len(client._imap.file.peek(1)) > 0
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    finally:
        server.settimeout(timeout_s)
