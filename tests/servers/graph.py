"""A fake of Microsoft Graph v1.0 for mail and calendars, in memory, over real HTTPS; it keeps what it holds for wrong.

Everything that it is asked and everything that it answers is compared with Microsoft's own description (graphschema).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.servers.certificates import Authority
from tests.servers.graphdates import DateStore
from tests.servers.graphmail import MailStore, refused
from tests.servers.graphschema import Place, Schema, schema
from tests.servers.https import Fault, HttpsServer, Request, Response, running
from triaged.backends.gate import gate_of
from triaged.backends.graph.line import GraphSettings

VIEW_OPTIONS = ("startDateTime", "endDateTime")
"""Of calendarView, not in the metadata (learn.microsoft.com/graph/api/calendar-list-calendarview)."""


class FakeTokens:
    """The tokens of one sign-in: `token-1`, then another each time one is refused."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 1
        self.refreshed = 0

    def token(self, refused: str = "") -> str:
        with self._lock:
            if refused == f"token-{self._count}":
                self._count += 1
                self.refreshed += 1
            return f"token-{self._count}"


class GraphFake:
    """good_tokens: those that are accepted. violations: what was wrong with a request or an answer, in words."""

    def __init__(self, authority: Authority, *addresses: str) -> None:
        self.mail = {address: MailStore(address) for address in addresses}
        self.dates = {address: DateStore(address) for address in addresses}
        self.good_tokens = {"token-1"}
        self.violations: list[str] = []
        self.checked = 0
        self.tokens = FakeTokens()
        self.forbidden: dict[str, Response] = {}
        """By the last named part of a path: what is answered instead."""
        self.ca_file = str(authority.ca_file)
        self.server = HttpsServer(self.answer, self._mailbox_of)
        self.server.throttled = _throttled
        self._schema: Schema | None = schema()
        self._rest: dict[str, list[dict[str, Any]]] = {}

    def settings(self, address: str, **changes: Any) -> GraphSettings:
        options: dict[str, Any] = {"base_url": self.root, "ca_file": self.ca_file, "timeout_s": 5.0}
        return GraphSettings(address, self.tokens, **(options | changes))

    @property
    def root(self) -> str:
        return f"{self.server.url}/v1.0"

    def asked(self, method: str, ending: str) -> list[Request]:
        """Requests by method and the end of their path."""
        return [each for each in self.server.requests if each.method == method and each.path.endswith(ending)]

    def _mailbox_of(self, request: Request) -> str:
        return request.segments[2].lower() if request.segments[:2] == ["v1.0", "users"] else ""

    def answer(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except Exception as error:
            self._wrong(request, f"the fake cannot bear it: {error!r}")
            return refused(500, "ErrorInternalServerError")

    def _answer(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.good_tokens:
            return refused(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
        if 'IdType="ImmutableId"' not in request.headers.get("prefer", ""):
            self._wrong(request, "without Prefer: IdType")
        segments = request.segments
        if segments[:1] != ["v1.0"]:
            self._wrong(request, "outside of v1.0")
            return refused(404, "BadRequest")
        place = self._place(request, segments[1:])
        address = next((each for each in self.mail if each.lower() == segments[2].lower()), None)
        if address is None:
            return refused(404, "ErrorInvalidUser", f"The requested user '{segments[2]}' is invalid.")
        for name, response in self.forbidden.items():
            if name in segments:
                return response
        response = self._routed(request, segments[3:], self.mail[address], self.dates[address])
        self._check_answer(request, place, response)
        return response

    def _routed(self, request: Request, rest: list[str], mail: MailStore, dates: DateStore) -> Response:
        match request.method, rest:
            case "POST", ["sendMail"]:
                if request.headers.get("content-type") != "text/plain":
                    self._wrong(request, "sendMail is to come as MIME")
                return mail.send(request.body)
            case _, ["mailFolders", *inner]:
                return self._folders(request, inner, mail)
            case _, ["messages", key, *inner]:
                return self._message(request, key, inner, mail)
            case _, ["calendar", *inner]:
                return self._calendar(request, inner, dates)
        return self._unknown(request)

    def _folders(self, request: Request, rest: list[str], mail: MailStore) -> Response:
        folder = mail.folder_of(rest[0]) if rest else None
        if rest and folder is None:
            return refused(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        match request.method, rest:
            case "GET", []:
                return mail.folder_list(None, request, self._page)
            case "POST", []:
                return mail.make_folder(None, self._json(request)["displayName"])
        assert folder is not None
        match request.method, rest[1:]:
            case "GET", []:
                return Response.of_json(mail.folder_json(folder))
            case "GET", ["childFolders"]:
                return mail.folder_list(folder.id, request, self._page)
            case "POST", ["childFolders"]:
                return mail.make_folder(folder.id, self._json(request)["displayName"])
            case "GET", ["messages"]:
                return mail.search(folder, request, self._page)
            case "GET", ["messages", "delta"]:
                return mail.delta(folder, request, self._size(request), self.root)
        return self._unknown(request)

    def _message(self, request: Request, key: str, rest: list[str], mail: MailStore) -> Response:
        if len(key) < 16:
            return refused(400, "ErrorInvalidIdMalformed", "Id is malformed.")
        found = mail.mail_of(key)
        if found is None:
            return refused(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        match request.method, rest:
            case "GET", []:
                return Response.of_json(mail.mail_json(found, request))
            case "PATCH", []:
                return mail.change(found, self._json(request), request)
            case "GET", ["$value"]:
                if found.id in mail.unreadable:
                    return refused(500, "ErrorMimeContentConversionFailed", "Conversion failed.")
                return Response(200, found.octets, {"Content-Type": "text/plain"})
            case "POST", ["move"]:
                return mail.move(found, self._json(request)["destinationId"], request)
        return self._unknown(request)

    def _calendar(self, request: Request, rest: list[str], dates: DateStore) -> Response:
        match request.method, rest:
            case "POST", ["getSchedule"]:
                return dates.schedule(self._json(request), request)
            case "GET", ["calendarView"]:
                return dates.view(request, self._page)
            case "GET", ["events"]:
                return dates.search(request, self._page)
            case "POST", ["events"]:
                return dates.create(self._json(request), request)
        found = dates.events.get(rest[1]) if rest[:1] == ["events"] else None
        if found is None:
            return refused(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        match request.method, rest[2:]:
            case "PATCH", []:
                return dates.change(found, self._json(request), request)
            case "DELETE", []:
                return dates.take_out(found, cancel=False)
            case "POST", ["cancel"]:
                if len(found.attendees) == 0:
                    return refused(400, "ErrorInvalidRequest", "Only a meeting can be cancelled.")
                return dates.take_out(found, cancel=True)
        return self._unknown(request)

    # --- pages, and what is wrong -----------------------------------------------------------------------------------

    def _page(self, items: list[dict[str, Any]], request: Request) -> Response:
        """A list's first page, or the one that a token stands for."""
        token = request.asked("$skiptoken")
        items = self._rest[token] if token else items
        size = self._size(request)
        answer: dict[str, Any] = {"value": items[:size]}
        if len(items) > size:
            name = f"page{len(self._rest)}"
            self._rest[name] = items[size:]
            kept = "&".join(f"{key}={value}" for key, value in request.query if key in ("$filter", "$select"))
            path = request.target.partition("?")[0]
            answer["@odata.nextLink"] = f"{self.server.url}{path}?{kept.replace(' ', '%20')}&$skiptoken={name}"
        return Response.of_json(answer)

    def _size(self, request: Request) -> int:
        for each in request.headers.get("prefer", "").split(","):
            name, _, value = each.strip().partition("=")
            if name == "odata.maxpagesize":
                return int(value)
        return 10

    def _json(self, request: Request) -> Any:
        return json.loads(request.body)

    def _unknown(self, request: Request) -> Response:
        self._wrong(request, "the fake does not know this request")
        return refused(501, "NotImplemented")

    def _wrong(self, request: Request, what: str) -> None:
        self.violations.append(f"{request.method} {request.path}: {what}")

    def _place(self, request: Request, segments: list[str]) -> Place | None:
        if self._schema is None:
            return None
        place = self._schema.place(segments)
        if isinstance(place, str):
            self._wrong(request, place)
            return None
        options = [each for each in request.query if segments[-1] != "calendarView" or each[0] not in VIEW_OPTIONS]
        for fault in self._schema.option_faults(place, options):
            self._wrong(request, fault)
        if request.method in ("POST", "PATCH") and place.name != "sendMail":
            if request.headers.get("content-type") != "application/json":
                self._wrong(request, "JSON without its Content-Type")
            for fault in self._body_faults(self._schema, place, self._json(request)):
                self._wrong(request, fault)
        return place

    def _body_faults(self, known: Schema, place: Place, body: Any) -> list[str]:
        self.checked += 1
        if place.parameters is None:
            return known.faults(body, f"graph.{place.type}")
        faults = []
        for name, value in body.items():
            kind = place.parameters.get(name.lower())
            faults += known.faults(value, kind, name) if kind is not None else [f"{place.name} takes no {name}"]
        return faults

    def _check_answer(self, request: Request, place: Place | None, response: Response) -> None:
        if self._schema is None or place is None or response.status >= 300 or not isinstance(response.body, bytes):
            return
        if place.stream or response.body == b"":
            return
        self.checked += 1
        kind = place.returns or f"graph.{place.type}"
        many = place.returns.startswith("Collection(") or (place.many and request.method == "GET")
        value = json.loads(response.body)
        if many and not kind.startswith("Collection("):
            kind = f"Collection({kind})"
        for fault in self._schema.faults(value["value"] if many else value, kind):
            self._wrong(request, f"the fake's own answer: {fault}")


def _throttled(fault: Fault) -> Response:
    code = "ApplicationThrottled" if fault.status == 429 else "UnknownError"
    return refused(fault.status, code, "Application is over its MailboxConcurrency limit.")


@contextmanager
def running_graph(authority: Authority, *addresses: str) -> Iterator[GraphFake]:
    """A fake with these mailboxes. Its violations, too early and too many requests fail the test at its end."""
    gate_of.cache_clear()  # a port is used again, and the mailbox there was told to wait in another test
    fake = GraphFake(authority, *addresses)
    with running(fake.server, authority):
        yield fake
    assert fake.violations == []
    fake.server.assert_heeded()
