"""Access tokens in, each request of a `web.Web` signed with one (RFC 6750 2.1) out."""

from __future__ import annotations

import requests

from triaged.backends.oauth.tokens import Tokens


class Bearer:
    """For `Web(auth=…)`; one thread's, as that is."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._sent, self._refused = "", ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Raises: as `Tokens.token`."""
        self._sent = self._tokens.token(self._refused)
        self._refused = ""
        request.headers["Authorization"] = f"Bearer {self._sent}"
        return request

    def renew(self) -> None:
        """The last one was refused (401): the next request has another."""
        self._refused = self._sent
