"""A mail of the log in, its octets as the mailbox or the quarantine has them out, or a sentence why they are not there.

The log keeps no octets of mail that could be read; they are asked of the mailbox when somebody wants to see them.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import closing
from dataclasses import dataclass
from threading import Lock

from triaged.errors import Gone, LoginRefused, Permanent, Transient, TriagedError
from triaged.log.handling import filed_to
from triaged.log.quarantine import kept_octets
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.model import Locator
from triaged.settings import Config
from triaged.web.mailhtml import Shown, laid_out
from triaged.wire import mailbox_of

KEPT, KEPT_S = 2, 60
"""Mails whose octets stay in memory for some seconds: a page, its frame and the file that is saved are one look."""


@dataclass(frozen=True, slots=True)
class Source:
    """A mail's octets. whole: False where the mailbox gave only the beginning; size_bytes: of all of it."""

    octets: bytes
    size_bytes: int

    @property
    def whole(self) -> bool:
        """Whether this is all of it."""
        return len(self.octets) >= self.size_bytes


class Sources:
    """Fetches mails of the log, over one connection at a time per mailbox."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._locks = {table.name: Lock() for table in config.mailbox}
        self._kept: OrderedDict[int, tuple[float, Source]] = OrderedDict()
        self._laid_out: tuple[Source, Shown | str | None] | None = None

    def source(self, reader: Reader, row: LogRow) -> Source | str:
        """The octets of a mail, or a sentence that says why they are not to be had."""
        if row.state == "quarantined":
            found = kept_octets(reader, row.id)
            return Source(*found) if found is not None else "What was kept of it was removed when its days were over."
        if (kept := self._kept.get(row.id)) is not None and time.monotonic() - kept[0] < KEPT_S:
            return kept[1]
        fetched = self._asked(reader, row)
        if isinstance(fetched, Source):
            self._kept[row.id] = (time.monotonic(), fetched)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return fetched

    def layout(self, source: Source) -> Shown | str | None:
        """As `mailhtml.laid_out`; the last one stays in memory, for a page and its frame are one look."""
        last = self._laid_out
        if last is None or last[0] is not source:
            self._laid_out = last = (source, laid_out(source.octets))
        return last[1]

    def _asked(self, reader: Reader, row: LogRow) -> Source | str:
        place, message = reader.locator(row.id), reader.message(row.id)
        if place is None:
            return "The log does not know where in the mailbox it lies."
        if place.mailbox not in self._locks:
            return f"It came into the mailbox “{place.mailbox}”, which is not in the configuration any more."
        folder = filed_to(reader, row.id)
        message_id = message.message_id if message is not None else ""
        try:
            with self._locks[place.mailbox], closing(mailbox_of(self._config, place.mailbox)) as mailbox:
                mailbox.connect()
                for raw in mailbox.fetch([place.key]):
                    return _source(raw.octets, raw.size_bytes)
                if message_id != "":  # it was moved, or moved back: its key means nothing there (IMAP)
                    raw = mailbox.find(message_id, folder or place.folder)
                    return _source(raw.octets, raw.size_bytes)
        except TriagedError as error:
            return _why(error, _where(place, folder), place.mailbox)
        return f"{_where(place, folder)} and has no Message-ID by which it could be found. Look for it in the mailbox."


def _where(place: Locator, folder: str | None) -> str:
    if folder is None:
        return f"It lay in the folder “{place.folder}” of the mailbox “{place.mailbox}”"
    return f"It was moved to the folder “{folder}” of the mailbox “{place.mailbox}”"


def _source(octets: bytes, size_bytes: int) -> Source | str:
    if len(octets) == 0:
        return "The mail server does not give it out. Look at it in the mailbox."
    return Source(octets, size_bytes)


def _why(error: TriagedError, where: str, mailbox: str) -> str:
    match error:
        case Gone():
            return f"{where} and is not there any more: somebody moved or deleted it."
        case LoginRefused():
            return f"The mailbox “{mailbox}” does not let us in ({error}). Tell an operator."
        case Transient():
            return f"The mailbox “{mailbox}” does not answer now ({error}). Try again in some minutes."
        case Permanent():
            return f"The mailbox “{mailbox}” does not give it out: {error}."
        case _:
            return f"It cannot be fetched: {error}"
