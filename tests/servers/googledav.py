"""A fake of Google Calendar's CalDAV over HTTPS on loopback: one calendar with Google's gaps, and whom it invited.

Gaps: developers.google.com/workspace/calendar/caldav (no free-busy-query, no MKCALENDAR, no If* but If-Match). By
reports of client authors, where nothing is published: objects are called after their UID whatever name they were put
under, a prop-filter is not looked at, an ORGANIZER who is not the calendar's own is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote
from xml.sax.saxutils import escape

from tests.servers.certificates import Authority
from tests.servers.https import HttpsServer, Request, Response, running

OWNER = "lena@calendar.example"
ROOT = f"/caldav/v2/{OWNER}/events/"
_UNFOLD = re.compile(rb"\r?\n[ \t]")


class GoogleCalendar:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        """By the decoded path."""
        self.invited: list[str] = []
        """Addresses, in the order in which Google would have mailed them."""
        self.server = HttpsServer(self._answer, lambda request: "")

    @property
    def url(self) -> str:
        return f"{self.server.url}{ROOT}"

    def put(self, _: str, octets: bytes) -> None:
        """As if somebody wrote it in Google's own calendar."""
        self.objects[ROOT + _uid(octets) + ".ics"] = octets

    def _answer(self, request: Request) -> Response:
        if request.method == "REPORT" and request.path == ROOT:
            return self._report(request)
        if request.method == "PUT":
            return self._put(request)
        octets = self.objects.get(request.path)
        if octets is None:
            return Response(404 if request.method in ("GET", "DELETE") else 403)
        if (wanted := request.headers.get("if-match")) is not None and wanted != self._etag(octets):
            return Response(412)
        if request.method == "DELETE":
            del self.objects[request.path]
            return Response(204)
        return Response(200, octets, {"ETag": self._etag(octets), "Content-Type": "text/calendar"})

    def _put(self, request: Request) -> Response:
        people = re.findall(rb"^(ATTENDEE|ORGANIZER)[;:].*mailto:(\S+)", _UNFOLD.sub(b"", request.body), re.I | re.M)
        if any(kind.upper() == b"ORGANIZER" and who.decode() != OWNER for kind, who in people):
            return Response(403)
        path = ROOT + _uid(request.body) + ".ics"
        known = self.objects.get(path)
        wanted = request.headers.get("if-match")
        if wanted is not None and (known is None or wanted != self._etag(known)):
            return Response(412)
        self.invited += [who.decode() for kind, who in people if kind.upper() == b"ATTENDEE"]
        self.objects[path] = request.body
        return Response(201 if known is None else 204)

    def _report(self, request: Request) -> Response:
        if b"calendar-query" not in request.body:
            return Response(403)
        found = "".join(
            f"<D:response><D:href>{_href(path)}</D:href><D:propstat><D:status>HTTP/1.1 200 OK</D:status>"
            f"<D:prop><caldav:calendar-data>{escape(octets.decode())}</caldav:calendar-data></D:prop></D:propstat>"
            "</D:response>"
            for path, octets in self.objects.items()
            if b"BEGIN:VEVENT" in octets
        )
        spaces = 'xmlns:D="DAV:" xmlns:caldav="urn:ietf:params:xml:ns:caldav"'
        body = f'<?xml version="1.0" encoding="UTF-8"?><D:multistatus {spaces}>{found}</D:multistatus>'
        return Response(207, body.encode(), {"Content-Type": "text/xml; charset=UTF-8"})

    def _etag(self, octets: bytes) -> str:
        return f'"{abs(hash(octets))}"'


def _href(path: str) -> str:
    return quote(ROOT) + quote(path.removeprefix(ROOT), safe="")


def _uid(octets: bytes) -> str:
    found = re.search(rb"^UID:(.*?)\r?$", _UNFOLD.sub(b"", octets), re.MULTILINE)
    assert found is not None
    return found[1].decode()


@contextmanager
def google_calendar(authority: Authority) -> Iterator[GoogleCalendar]:
    calendar = GoogleCalendar()
    with running(calendar.server, authority):
        yield calendar
