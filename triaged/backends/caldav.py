"""A calendar on a CalDAV server (RFC 4791): calendar-query for what is busy, PUT of one object an event."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote
from xml.sax.saxutils import escape

import requests
import urllib3
from lxml import etree

from triaged.backends.ical import busy_of, file_name, holds_uid
from triaged.errors import Gone, LoginRefused, Permanent, Transient
from triaged.model import Interval

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Bytes of one answer; two months of a full calendar have 2 MB."""

_DAV = "{DAV:}"
_CALDAV = "{urn:ietf:params:xml:ns:caldav}"
_QUERY = """<?xml version="1.0" encoding="utf-8"?>
<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
<D:prop><C:calendar-data/></D:prop>
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{}</C:comp-filter></C:comp-filter></C:filter>
</C:calendar-query>"""
_MAY_PASS = frozenset({408, 423, 425, 429})
"""HTTP: timeout, locked, too early, too many requests; all 5xx too."""
_WRONG_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    urllib3.exceptions.LocationValueError,
)
_SENTENCES: Mapping[int, str] = {
    403: "the server does not let this user do that in this calendar",
    404: "there is no such calendar; is the address that of the calendar itself?",
    405: "the address is no calendar that can be asked or written to",
}


class CaldavCalendar:
    """`ports.Calendar` on one calendar collection. url: the collection's own address; ca_file: PEM, None for the
    usual ones; timeout_s: for connecting and between two pieces of an answer, and the whole answer may take four
    times as long; timezone: IANA name, for all-day events. Proxies and certificates of the environment are not used.
    """

    def __init__(
        self, url: str, *, user: str, password: str, ca_file: str | None, timeout_s: float, timezone: str
    ) -> None:
        self._url = url.rstrip("/") + "/"
        self._timeout_s = timeout_s
        self._timezone = timezone
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = requests.auth.HTTPBasicAuth(user.encode(), password.encode())
        self._session.verify = ca_file if ca_file is not None else True
        self._session.headers["User-Agent"] = "triaged"

    def busy(self, start: datetime, end: datetime) -> tuple[Interval, ...]:
        """See `ports.Calendar`. Recurrences are expanded here: Google offers neither free-busy-query nor expand."""
        # A day more on both sides: the server does not know in which zone an all-day event is meant.
        since, until = (_stamp(each) for each in (start - timedelta(days=1), end + timedelta(days=1)))
        found = self._query(f'<C:time-range start="{since}" end="{until}"/>')
        return busy_of(found.items(), start, end, timezone=self._timezone)

    def add(self, uid: str, ics: bytes) -> bool:
        """See `ports.Calendar`."""
        status, body = self._request(
            "PUT",
            self._url + quote(file_name(uid)),
            data=ics,
            headers={"Content-Type": "text/calendar; charset=utf-8", "If-None-Match": "*"},
            accept=(200, 201, 204, 403, 409, 412),
        )
        # RFC 4791 5.3.2.1: the UID is there under another name.
        if status == 412 or (status in (403, 409) and b"no-uid-conflict" in body):
            return False
        if status in (403, 409):
            raise Permanent(f"{self._url}: {_SENTENCES.get(status, 'the server does not take the event')} ({status})")
        return True

    def find(self, uid: str) -> bytes | None:
        """See `ports.Calendar`. By the object's name first, then by a query for the UID."""
        status, body = self._request("GET", self._url + quote(file_name(uid)), accept=(200, 404, 410))
        if status == 200 and holds_uid(body, uid):
            return body
        match = f'<C:text-match collation="i;octet">{escape(uid)}</C:text-match>'
        found = self._query(f'<C:prop-filter name="UID">{match}</C:prop-filter>')
        return next((octets for octets in found.values() if holds_uid(octets, uid)), None)

    def close(self) -> None:
        """See `ports.Calendar`."""
        self._session.close()

    def _query(self, condition: str) -> dict[str, bytes]:
        """Href → object of every event that fits. Raises: Permanent when one is kept back."""
        _, body = self._request(
            "REPORT",
            self._url,
            data=_QUERY.format(condition).encode(),
            headers={"Content-Type": "application/xml; charset=utf-8", "Depth": "1"},
            accept=(207,),
        )
        try:
            parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
            answer = etree.fromstring(body, parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            raise Permanent(f"{self._url}: the answer is no XML: {error}"[:300]) from error
        if answer.tag != f"{_DAV}multistatus":
            raise Permanent(f"{self._url}: the answer is no DAV:multistatus")
        return dict(self._object(response) for response in answer.iterfind(f"{_DAV}response"))

    def _object(self, response: etree._Element) -> tuple[str, bytes]:
        href = response.findtext(f"{_DAV}href", "").strip()
        for propstat in response.iterfind(f"{_DAV}propstat"):
            text = propstat.findtext(f"{_DAV}prop/{_CALDAV}calendar-data")
            if " 200 " in f"{propstat.findtext(f'{_DAV}status', '')} " and text is not None:
                return href, text.encode()
        # A 507 here says that the list is cut short (RFC 6578 3.6); what is missing may be busy.
        status = response.findtext(f"{_DAV}status", "") or response.findtext(f"{_DAV}propstat/{_DAV}status", "")
        raise Permanent(f"{self._url}: the server keeps {href} back: {status.strip()}"[:300])

    def _request(
        self,
        method: str,
        url: str,
        *,
        accept: tuple[int, ...],
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Status and body of an answer that is in `accept`. Raises: Transient, Permanent, LoginRefused."""
        try:
            with self._session.request(
                method, url, data=data, headers=headers, timeout=self._timeout_s, stream=True, allow_redirects=False
            ) as answer:
                if answer.status_code not in accept:
                    raise _refusal(answer, self._url)
                return answer.status_code, self._body(answer)
        except _WRONG_ADDRESS as error:
            raise Permanent(f"{self._url}: is no address: {error}"[:300]) from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise Transient(
                    f"{self._url}: its certificate is not accepted, no password was sent: {error}"[:500]
                ) from error
            raise Transient(f"{self._url}: {error}"[:500]) from error
        except OSError as error:  # requests' words when the file of certificates is missing
            raise Permanent(f"{self._url}: {error}"[:500]) from error

    def _body(self, answer: requests.Response) -> bytes:
        give_up_at = time.monotonic() + 4 * self._timeout_s
        body = bytearray()
        for piece in answer.iter_content(65_536):
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise Permanent(f"{self._url}: the answer is larger than {MAX_ANSWER_BYTES // 1024 // 1024} MB")
            if time.monotonic() > give_up_at:
                raise Transient(f"{self._url}: the answer takes longer than {4 * self._timeout_s:.0f} s")
        return bytes(body)


def _refusal(answer: requests.Response, url: str) -> Transient | Permanent:
    status = answer.status_code
    what = f"{url}: {_SENTENCES.get(status, answer.reason or 'refused')} ({status})"
    if status == 401:
        return LoginRefused(f"{url}: the server does not accept user and password (401)")
    if status >= 500 or status in _MAY_PASS:
        return Transient(what, retry_after_s=_retry_after_s(answer.headers.get("Retry-After", "")))
    if 300 <= status < 400:
        return Permanent(f"{url}: has moved to {answer.headers.get('Location', 'nowhere')}; configure that ({status})")
    return Gone(what) if status in (404, 410) else Permanent(what)


def _retry_after_s(value: str) -> float | None:
    """Seconds, given as such or as a date (RFC 9110 10.2.3)."""
    if value.strip().isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
