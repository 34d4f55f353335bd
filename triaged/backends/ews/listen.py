"""A folder on an Exchange server in; word that something may have come into it, by its streaming notifications, out.

Only a wake-up: a stream cannot catch up on what it missed, so the sync state stays the truth and a poll backs it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
import urllib3
from exchangelib import errors as ews
from exchangelib.services import GetStreamingEvents
from lxml import etree

from triaged.backends.ews.line import EwsLine
from triaged.backends.ews.xml import M, T, each_of, text_of
from triaged.backends.web import Lost
from triaged.errors import LoginRefused, Permanent, TriagedError

STREAM_MINUTES = 20
"""Minutes that a stream lasts before it is opened anew; Exchange allows 30 (ConnectionTimeout, MS-OXWSNTIF)."""
FIRST_AGAIN_S, LONGEST_AGAIN_S = 5.0, 600.0
"""Seconds until a stream that broke is tried again: doubled each time in a row, as for a server that has none."""
EVENTS = ("NewMailEvent", "CreatedEvent", "MovedEvent", "CopiedEvent")
"""What adds a mail to a folder."""
CLOSING_S = 2.0
"""Seconds that closing waits for the thread."""

_BROKE = (
    TriagedError, ews.EWSError, requests.RequestException, urllib3.exceptions.HTTPError, etree.LxmlError,
    ValueError, AttributeError, LookupError, TypeError, OSError,
)  # fmt: skip
"""What a stream ends with that is refused, cut (also by `close`) or makes no sense."""

log = logging.getLogger(__name__)


class Listener:
    """A thread that keeps a stream open. changed: called when one was opened or ended; came: when it tells of mail."""

    def __init__(self, line: EwsLine, folder: str, *, changed: Callable[[], None], came: Callable[[], None]) -> None:
        self._line, self._folder = line, folder
        self._changed, self._came = changed, came
        self._closed = threading.Event()
        self._stream: _Stream | None = None
        self.is_open = False
        """Whether a stream is open now; while none is, somebody must look by himself."""
        self._thread = threading.Thread(target=self._run, name="ews-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the stream and the thread; never raises."""
        self._closed.set()
        if (stream := self._stream) is not None:
            stream.cut()
        self._thread.join(CLOSING_S)

    def _run(self) -> None:
        again_s = FIRST_AGAIN_S
        while not self._closed.is_set():
            try:
                heard = self._listen_once()
            except LoginRefused as error:  # the next look raises it too; trying again here would lock the account out
                log.info("unheard error=%s", error)
                return
            except _BROKE as error:
                log.info("unheard error=%r", error)
                heard = False
            self._closed.wait(0 if heard else again_s)
            again_s = FIRST_AGAIN_S if heard else min(2 * again_s, LONGEST_AGAIN_S)

    def _listen_once(self) -> bool:
        """From a subscription to its end; whether the stream ended as it should, and not at once."""
        subscription = self._subscribe()
        started = time.monotonic()
        try:
            is_whole = self._listen(subscription)
        except LoginRefused:
            raise
        except _BROKE as error:
            log.info("unheard error=%r", error)
            is_whole = False
        try:
            self._line.one(M.Unsubscribe(M.SubscriptionId(subscription)), "end a subscription")
        except LoginRefused:
            raise
        except TriagedError:  # it ends by itself after half an hour
            pass
        return is_whole and time.monotonic() - started > FIRST_AGAIN_S

    def _subscribe(self) -> str:
        request = M.Subscribe(
            M.StreamingSubscriptionRequest(
                T.FolderIds(T.FolderId(Id=self._folder)), T.EventTypes(*(T.EventType(each) for each in EVENTS))
            )
        )
        subscription = text_of(self._line.one(request, "be told of new mail"), "m:SubscriptionId")
        if subscription == "":
            raise Permanent(f"{self._line.host}: gives no subscription")
        self._changed()  # what came until now is not told by the stream
        return subscription

    def _listen(self, subscription: str) -> bool:
        """Whether the stream ended as it should."""
        if self._closed.is_set():
            return False
        stream = self._stream = _Stream(self._line, self._told)
        try:
            with self._line.listening():
                for _ in stream.call([subscription], STREAM_MINUTES):
                    if self._closed.is_set():
                        break
        finally:
            self._stream = None
            self.is_open = False
            self._changed()
            stream.end()
        return bool(stream.connection_status == stream.CLOSED)

    def _told(self, has_events: bool) -> None:
        if self._closed.is_set():
            raise Lost("nobody listens any more")  # ends the stream at its first document
        if not self.is_open:
            self.is_open = True
            self._changed()
        if has_events:
            self._came()


class _Stream(GetStreamingEvents):  # type: ignore[misc]
    """exchangelib's reading of a stream; each document in it is told as it comes."""

    def __init__(self, line: EwsLine, told: Callable[[bool], None]) -> None:
        super().__init__(account=line.account)
        self._told = told

    def _api_versions_to_try(self) -> tuple[str, ...]:
        return (self._version_hint.api_version,)

    def _get_element_container(self, message: etree._Element, name: str | None = None) -> Any:
        found = super()._get_element_container(message=message, name=name)
        # Microsoft's schema has t:Notification, its server m:Notification.
        events = [each for each in each_of(message, "m:Notifications/*/*") if _adds(each)]
        self._told(len(events) > 0)
        return found if isinstance(found, Exception) else []

    def cut(self) -> None:
        """End the reading in another thread."""
        if (response := self._streaming_response) is not None:
            with suppress(OSError, ValueError, RuntimeError, AttributeError):
                response.raw.shutdown()

    def end(self) -> None:
        """Give the connection back."""
        if self._streaming_response is not None or self._streaming_session is not None:
            with suppress(OSError):
                self.stop_streaming()


def _adds(event: etree._Element) -> bool:
    return etree.QName(event).localname in EVENTS
