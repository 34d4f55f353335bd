"""An HTTPS request in, its answer or one of our errors out: the one place that knows `requests`.

Redirects are not followed, proxies and certificates of the environment are not used: credentials go to the configured
server and nowhere else.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
import urllib3

from triaged.errors import Gone, LoginRefused, Permanent, Transient

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Bytes of one answer where the caller says nothing else; two months of a full calendar have 2 MB."""
LONGEST_ANSWER = 4.0
"""Times `timeout_s` that a whole answer may take."""

LONGEST_RETRY_S = 3600.0
"""Seconds to wait at most, whatever a server asks for: a wrong clock there must not stop us for years."""

MAY_PASS = frozenset({408, 423, 425, 429})
"""HTTP: timeout, locked, too early, too many requests; all 5xx too."""
_WRONG_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    urllib3.exceptions.LocationValueError,
)
_HANDSHAKE = (struct.error, LookupError, ValueError, TypeError, AttributeError)
"""What requests_ntlm raises when an answer in its handshake is not as it should be."""
_NOT_SENT = (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError)
"""Not SSLError: `requests` gives it for a TLS record that broke after the request, too."""


def was_not_done(status: int, retry_after: str) -> bool:
    """Whether a refusal says that the request was not worked on: 429, and a 503 that names a time to come back (RFC
    6585 4, RFC 9110 15.6.4). A bare 503 may be a gateway's whose line to the server broke after the request, a 504 is
    its word for a server that took too long."""
    return status == 429 or (status == 503 and retry_after.strip() != "")


class Lost(Transient):
    """The request may have been worked on: the connection broke after it, or a gateway gave up waiting."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer read to its end, or to the limit: then `whole` is False. headers: names in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True


class Web:
    """One server, one thread's connections. where: what messages call it. ca_file: PEM, None for the usual ones.

    timeout_s: for connecting and between two pieces of an answer; the whole answer may take LONGEST_ANSWER times that.
    auth: puts the credentials into a prepared request.
    """

    def __init__(
        self,
        where: str,
        *,
        ca_file: str | None,
        timeout_s: float,
        auth: Callable[[requests.PreparedRequest], requests.PreparedRequest] | None = None,
    ) -> None:
        self._where = where
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = auth
        self._session.verify = ca_file if ca_file is not None else True
        self._session.headers["User-Agent"] = "triaged"

    def request(
        self,
        method: str,
        url: str,
        *,
        accept: Container[int],
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        sentences: Mapping[int, str] | None = None,
        limit_bytes: int | None = None,
        cut: bool = False,
    ) -> Answer:
        """An answer whose status is in `accept`.

        sentences: what a status means here, for the message. limit_bytes: None is MAX_ANSWER_BYTES. cut: over it the
        answer is cut off instead of refused. Raises: Transient (with the server's Retry-After), Lost, Permanent, Gone,
        LoginRefused (401).
        """
        with (
            self._translated(),
            self._session.request(
                method, url, data=data, headers=headers, timeout=self._timeout_s, stream=True, allow_redirects=False
            ) as answer,
        ):
            if answer.status_code not in accept:
                raise _refusal(answer, self._where, sentences or {})
            body, whole = self._body(answer, limit_bytes or MAX_ANSWER_BYTES, cut=cut)
            return Answer(answer.status_code, answer.headers, body, whole)

    def stream(
        self, method: str, url: str, *, data: bytes, headers: Mapping[str, str], silence_s: float
    ) -> requests.Response:
        """The answer (200) to a request, not yet read: one that goes on for minutes. The caller closes it.

        silence_s: seconds after which an answer of which nothing more comes is given up. Raises: as `request`; while it
        is read, what `requests` raises.
        """
        with self._translated():
            timeouts = (self._timeout_s, silence_s)
            answer = self._session.request(
                method, url, data=data, headers=headers, timeout=timeouts, stream=True, allow_redirects=False
            )
            if answer.status_code != 200:
                with answer:
                    raise _refusal(answer, self._where, {})
            return answer

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _WRONG_ADDRESS as error:
            raise Permanent(f"{self._where}: is no address: {error}"[:300]) from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise Transient(
                    f"{self._where}: its certificate is not accepted, no password was sent: {error}"[:500]
                ) from error
            kind = Transient if isinstance(error, _NOT_SENT) or "NewConnectionError" in str(error) else Lost
            raise kind(f"{self._where}: {_plain(error)}"[:500]) from error
        except PermissionError as error:
            if error.errno is None:  # requests_ntlm's word for a server that lets nobody in
                raise LoginRefused(f"{self._where}: {error}"[:500]) from error
            raise Permanent(f"{self._where}: {error}"[:500]) from error
        except OSError as error:  # requests' words when the file of certificates is missing
            raise Permanent(f"{self._where}: {error}"[:500]) from error
        except _HANDSHAKE as error:
            raise Lost(f"{self._where}: signing in broke off: {error!r}"[:500]) from error

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _body(self, answer: requests.Response, limit_bytes: int, *, cut: bool) -> tuple[bytes, bool]:
        give_up_at = time.monotonic() + LONGEST_ANSWER * self._timeout_s
        body = bytearray()
        for piece in answer.iter_content(65_536):
            body += piece
            if len(body) > limit_bytes:
                if cut:
                    return bytes(body[:limit_bytes]), False
                raise Permanent(f"{self._where}: the answer is larger than {limit_bytes // 1024 // 1024} MB")
            if time.monotonic() > give_up_at:
                raise Lost(f"{self._where}: the answer takes longer than {LONGEST_ANSWER * self._timeout_s:.0f} s")
        return bytes(body), True


def _plain(error: Exception) -> str:
    """What went wrong on the way to a server, for people; else the library's own words."""
    words = str(error)
    if "NameResolutionError" in words or "Name or service not known" in words:
        return "there is no host of that name (DNS); is the address right?"
    if "Connection refused" in words:
        return "nothing answers there: Connection refused; is the address right, is a firewall between?"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no answer came in time to a connection; is the address right, is a firewall between?"
    return words


def _refusal(answer: requests.Response, where: str, sentences: Mapping[int, str]) -> Transient | Permanent:
    status = answer.status_code
    what = f"{where}: {sentences.get(status, answer.reason or 'refused')} ({status})"
    if status == 401:
        return LoginRefused(f"{where}: {sentences.get(401, 'the server does not accept user and password')} (401)")
    if status >= 500 or status in MAY_PASS:
        asked = answer.headers.get("Retry-After", "")
        kind = Transient if status < 500 or was_not_done(status, asked) else Lost
        return kind(what, retry_after_s=retry_after_s(asked))
    if 300 <= status < 400:
        return Permanent(
            f"{where}: has moved to {answer.headers.get('Location', 'nowhere')}; configure that ({status})"
        )
    return Gone(what) if status in (404, 410) else Permanent(what)


def retry_after_s(value: str) -> float | None:
    """Seconds, given as such or as a date (RFC 9110 10.2.3), LONGEST_RETRY_S at most; None for what is neither."""
    if value.strip().isdecimal():
        return min(float(value), LONGEST_RETRY_S)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return min(max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds()), LONGEST_RETRY_S)
