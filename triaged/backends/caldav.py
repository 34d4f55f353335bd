"""A calendar on a CalDAV server (RFC 4791): calendar-query for what is busy, PUT of one object an event.

What is busy is counted out here wherever the events may be read, and asked of the server (free-busy-query) only where
they may not: docs/decisions/0012-free-busy.md says what servers answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urljoin, urlsplit
from xml.sax.saxutils import escape

import requests
from lxml import etree

from triaged.backends.ical import busy_of, file_name, free_busy_of, holds_uid
from triaged.backends.oauth.bearer import Bearer
from triaged.backends.oauth.tokens import Tokens
from triaged.backends.web import Answer, Web
from triaged.errors import LoginRefused, Permanent, Transient
from triaged.model import Address, Interval

_DAV = "{DAV:}"
_CALDAV = "{urn:ietf:params:xml:ns:caldav}"
_QUERY = """<?xml version="1.0" encoding="utf-8"?>
<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
<D:prop><C:calendar-data/></D:prop>
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{}</C:comp-filter></C:comp-filter></C:filter>
</C:calendar-query>"""
_FREE_BUSY = """<?xml version="1.0" encoding="utf-8"?>
<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">{}</C:free-busy-query>"""
_SENTENCES: Mapping[int, str] = {
    403: "the server does not let this user do that in this calendar",
    404: "there is no such calendar; is the address that of the calendar itself?",
    405: "the address is no calendar that can be asked or written to",
}
_NOT_OPENED = "the sign-in is good, but it does not open this calendar; is it shared with who signed in?"


_TAKEN = (b"no-uid-conflict", b"unique-scheduling-object-resource")
"""How servers say that the UID is there under another name (RFC 4791 5.3.2.1; RFC 6638 3.2.4.1, as Cyrus does)."""
GOOGLE = ("apidata.googleusercontent.com", "www.google.com")
"""Google's CalDAV (developers.google.com/workspace/calendar/caldav): knows no If-None-Match, invites by itself and does
not promise to heed SCHEDULE-AGENT, and refuses some events whose ORGANIZER is not the calendar's own (reports)."""
_PEOPLE = re.compile(rb"^(?:ATTENDEE|ORGANIZER)[;:].*\r?\n(?:[ \t].*\r?\n)*", re.IGNORECASE | re.MULTILINE)
_ICS = {"Content-Type": "text/calendar; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class _Found:
    """An object on the server. etag: `""` where the server gives none, and then nothing guards against overwriting."""

    url: str
    octets: bytes
    etag: str

    @property
    def unchanged(self) -> dict[str, str]:
        return {"If-Match": self.etag} if self.etag else {}


class CaldavCalendar:
    """`ports.Calendar` on one calendar collection. url: the collection's own address; ca_file: PEM, None for the
    usual ones; timeout_s: for connecting and between two pieces of an answer, and the whole answer may take four
    times as long; timezone: IANA name, for all-day events; tokens: sign in with these (RFC 6750), without user and
    password. Proxies and certificates of the environment are not used.
    """

    invites = False

    def __init__(
        self,
        url: str,
        *,
        user: str,
        password: str,
        ca_file: str | None,
        timeout_s: float,
        timezone: str,
        tokens: Tokens | None = None,
    ) -> None:
        self._url = url.rstrip("/") + "/"
        self._timezone = timezone
        self._bearer = Bearer(tokens) if tokens is not None else None
        auth = (
            self._bearer if self._bearer is not None else requests.auth.HTTPBasicAuth(user.encode(), password.encode())
        )
        self._sentences = _SENTENCES if tokens is None else {**_SENTENCES, 401: _NOT_OPENED}
        self._web = Web(self._url, ca_file=ca_file, timeout_s=timeout_s, auth=auth)

    def busy(self, start: datetime, end: datetime, *, besides: Collection[str] = ()) -> tuple[Interval, ...]:
        """See `ports.Calendar`. Recurrences are expanded here; who may see no more than free/busy times (RFC 3744's
        read-free-busy without read) gets what the server makes of them, and cannot leave out any event."""
        # A day more on both sides: the server does not know in which zone an all-day event is meant.
        since, until = (_stamp(each) for each in (start - timedelta(days=1), end + timedelta(days=1)))
        window = f'<C:time-range start="{since}" end="{until}"/>'
        answer = self._report(_QUERY.format(window), accept=(207, 403))
        if answer.status == 207:
            found = self._objects(answer)
            return busy_of(found.items(), start, end, timezone=self._timezone, besides=besides)
        if len(besides) == 0:
            answer = self._report(_FREE_BUSY.format(window), accept=(200, 403, 404))
        if answer.status != 200:
            raise Permanent(f"{self._url}: {_SENTENCES[403]} ({answer.status})")
        try:
            return free_busy_of(answer.body, start, end, timezone=self._timezone)
        except Permanent as error:
            raise Permanent(f"{self._url}: what the server says of free/busy times {error}") from error

    def add(self, uid: str, ics: bytes) -> bool:
        """See `ports.Calendar`."""
        if self._is_google() and self._located(uid) is not None:
            return False
        answer = self._request(
            "PUT",
            self._url + quote(file_name(uid)),
            data=self._kept(ics),
            headers={**_ICS, "If-None-Match": "*"},
            accept=(200, 201, 204, 403, 409, 412),
        )
        if answer.status == 412 or (answer.status in (403, 409) and any(each in answer.body for each in _TAKEN)):
            return False
        if answer.status in (403, 409):
            words = _SENTENCES.get(answer.status, "the server does not take the event")
            raise Permanent(f"{self._url}: {words} ({answer.status})")
        return True

    def invite(self, uid: str, attendee: Address) -> None:
        """Our own mail invites."""
        raise Permanent(f"{self._url}: the server sends no invitations for us")

    def replace(self, uid: str, ics: bytes) -> bool:
        """See `ports.Calendar`. What changed since it was read is not overwritten: then Transient, and read anew."""
        found = self._located(uid)
        if found is None:
            return False
        answer = self._request(
            "PUT",
            found.url,
            data=self._kept(ics),
            headers={**_ICS, **found.unchanged},
            accept=(200, 201, 204, 404, 410, 412),
        )
        return self._was_there(answer)

    def remove(self, uid: str) -> bool:
        """See `ports.Calendar`."""
        found = self._located(uid)
        if found is None:
            return False
        return self._was_there(
            self._request("DELETE", found.url, headers=found.unchanged, accept=(200, 204, 404, 410, 412))
        )

    def find(self, uid: str) -> bytes | None:
        """See `ports.Calendar`. By the object's name first, then by a query for the UID."""
        found = self._located(uid)
        return found.octets if found is not None else None

    def close(self) -> None:
        """See `ports.Calendar`."""
        self._web.close()

    def _kept(self, ics: bytes) -> bytes:
        """The event as it is stored: on Google without anybody to invite."""
        return _PEOPLE.sub(b"", ics) if self._is_google() else ics

    def _is_google(self) -> bool:
        return urlsplit(self._url).hostname in GOOGLE

    def _located(self, uid: str) -> _Found | None:
        url = self._url + quote(file_name(uid))
        answer = self._request("GET", url, accept=(200, 404, 410))
        if answer.status == 200 and holds_uid(answer.body, uid):
            return _Found(url, answer.body, answer.headers.get("ETag", ""))
        match = f'<C:text-match collation="i;octet">{escape(uid)}</C:text-match>'
        query = _QUERY.format(f'<C:prop-filter name="UID">{match}</C:prop-filter>')
        for href, octets in self._objects(self._report(query, accept=(207,))).items():
            if holds_uid(octets, uid):
                url = urljoin(self._url, href)
                answer = self._request("GET", url, accept=(200, 404, 410))
                return _Found(url, answer.body, answer.headers.get("ETag", "")) if answer.status == 200 else None
        return None

    def _was_there(self, answer: Answer) -> bool:
        if answer.status == 412:
            raise Transient(f"{self._url}: somebody changed the event this moment", retry_after_s=1)
        return answer.status not in (404, 410)

    def _report(self, query: str, *, accept: tuple[int, ...]) -> Answer:
        headers = {"Content-Type": "application/xml; charset=utf-8", "Depth": "1"}
        return self._request("REPORT", self._url, data=query.encode(), headers=headers, accept=accept)

    def _objects(self, answer: Answer) -> dict[str, bytes]:
        """Href → object of every event in the answer to a calendar-query. Raises: Permanent when one is kept back."""
        try:
            parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
            root = etree.fromstring(answer.body, parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            raise Permanent(f"{self._url}: the answer is no XML: {error}"[:300]) from error
        if root.tag != f"{_DAV}multistatus":
            raise Permanent(f"{self._url}: the answer is no DAV:multistatus")
        return dict(self._object(response) for response in root.iterfind(f"{_DAV}response"))

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
    ) -> Answer:
        def ask() -> Answer:
            return self._web.request(method, url, accept=accept, data=data, headers=headers, sentences=self._sentences)

        try:
            return ask()
        except LoginRefused:  # nothing was done
            if self._bearer is None:
                raise
            self._bearer.renew()
            return ask()


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
