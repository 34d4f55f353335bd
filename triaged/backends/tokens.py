"""What a backend that signs in by OAuth 2.0 needs: an access token that is good now."""

from __future__ import annotations

from typing import Protocol


class Tokens(Protocol):
    """The access tokens (RFC 6749 1.4) of one sign-in for one resource; shared by all threads that use it."""

    def token(self, refused: str = "") -> str:
        """A token that is good for a minute at least.

        refused: one that the server has just refused; another is got then. Raises: Transient, LoginRefused (a person
        must sign in again, or a secret has ended; the message says which and what to type).
        """
        ...
