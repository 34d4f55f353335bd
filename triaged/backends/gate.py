"""Requests of all threads to one mailbox in, a few at once out, and none while the server has told us to wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore, Lock

from triaged.backends.web import LONGEST_RETRY_S
from triaged.errors import Transient

AT_ONCE = 4
"""Requests at once to one mailbox of one app (Microsoft Graph's limit for Outlook resources, learn.microsoft.com
"throttling-limits", 2026-11); Exchange's own limit for EWS is 27."""
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 300.0
"""Seconds to wait where the server says that it is too much and not for how long: doubled each time in a row."""


class Gate:
    """What the threads that talk to one mailbox share."""

    def __init__(self) -> None:
        self._slots = BoundedSemaphore(AT_ONCE)
        self._lock = Lock()
        self._shut_until = 0.0
        self._refusals = 0

    @contextmanager
    def passing(self, where: str, *, timeout_s: float) -> Iterator[None]:
        """For one request. A Transient out of it that means throttling is told by `shut`, before it is raised.

        Raises: Transient while the server has told us to wait, and when no turn comes within `timeout_s`.
        """
        if not self._slots.acquire(timeout=timeout_s):
            raise Transient(f"{where}: {AT_ONCE} requests to this mailbox have been waiting for {timeout_s:.0f} s")
        try:
            self.check(where)  # with a turn in hand: whoever had it before may have been told
            yield
        finally:
            self._slots.release()

    def check(self, where: str) -> None:
        """Raises: Transient while the server has told us to wait."""
        with self._lock:
            left_s = self._shut_until - time.monotonic()
        if left_s > 0:
            raise Transient(f"{where}: asked us to wait {left_s:.0f} s more", retry_after_s=left_s)

    def shut(self, retry_after_s: float | None) -> float:
        """The server asks us to wait, for this long or without a word how long; returns the seconds."""
        with self._lock:
            now = time.monotonic()
            wait_s = min(retry_after_s, LONGEST_RETRY_S) if retry_after_s is not None else None
            if wait_s is None:
                if now >= self._shut_until:  # not another of those that were under way when the first was refused
                    self._refusals += 1
                wait_s = min(FIRST_WAIT_S * 2.0 ** max(self._refusals - 1, 0), LONGEST_WAIT_S)
            self._shut_until = max(self._shut_until, now + wait_s)
            return wait_s

    def went_well(self) -> None:
        """An answer came: the next wait without a word begins small again."""
        with self._lock:
            self._refusals = 0


@cache
def gate_of(service: str, mailbox: str) -> Gate:
    """The one gate of this process for a mailbox (lower case) at a service (its host and port)."""
    return Gate()
