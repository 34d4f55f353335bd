"""What a backend that signs in by OAuth 2.0 needs, and one sign-in's tokens, shared by all threads of this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, Protocol

from triaged.errors import LoginRefused, Permanent, Transient

Resource = Literal["mail", "calendar", "graph", "ews"]
"""What a token is for: IMAP and SMTP, CalDAV (Google only), Microsoft Graph, Exchange Web Services."""

GOOD_FOR_S = 60.0
"""Seconds that a token must still last: one that ends on the way to the server is refused there."""
REFUSED_HOLDS_S = 10.0
"""Seconds for which a refusal answers everybody: threads that waited for the same answer do not each ask again."""
FAILED_HOLDS_S = 1.0
"""The same for a failure that may pass, where the server does not say how long to wait."""


class Tokens(Protocol):
    """The access tokens (RFC 6749 1.4) of one sign-in for one resource; shared by all threads that use it."""

    def token(self, refused: str = "") -> str:
        """A token that is good for a minute at least.

        refused: one that the server has just refused; another is got then. Raises: Transient, LoginRefused (a person
        must sign in again, or a secret has ended; the message says which and what to type).
        """
        ...


@dataclass(frozen=True, slots=True)
class Token:
    """An access token as it came. lasts_s: seconds from now."""

    text: str = field(repr=False)
    lasts_s: float


class SharedTokens:
    """`Tokens` over something that asks for one. Callers wait for each other: one request, one answer for all."""

    def __init__(self, ask: Callable[[str], Token]) -> None:
        """ask: gets a token, other than the refused one it is given (`""`: none is). Raises: as `Tokens.token`."""
        self._ask = ask
        self._lock = Lock()
        self._text, self._ends = "", 0.0
        self._failure: Transient | Permanent | None = None
        self._ask_again = 0.0

    def token(self, refused: str = "") -> str:
        """See `Tokens`."""
        with self._lock:
            now = time.monotonic()
            if self._text not in ("", refused) and now < self._ends - GOOD_FOR_S:
                return self._text
            if self._failure is not None and now < self._ask_again:
                raise _once_more(self._failure, self._ask_again - now)
            try:
                found = self._ask(refused)
            except (Transient, Permanent) as error:
                self._failure, self._ask_again = error, time.monotonic() + _holds_s(error)
                raise
            self._failure = None
            self._text, self._ends = found.text, time.monotonic() + found.lasts_s
            return self._text


def _holds_s(error: Transient | Permanent) -> float:
    if isinstance(error, Transient):
        return FAILED_HOLDS_S if error.retry_after_s is None else error.retry_after_s
    return REFUSED_HOLDS_S


def _once_more(error: Transient | Permanent, left_s: float) -> Transient | Permanent:
    """The same for another thread: an exception that was raised already belongs to the thread it was raised in."""
    if isinstance(error, Transient):
        return Transient(str(error), retry_after_s=left_s)
    return LoginRefused(str(error)) if isinstance(error, LoginRefused) else Permanent(str(error))
