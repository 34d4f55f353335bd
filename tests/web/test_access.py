"""Who may do what: every address of the desk, asked for by everybody, really."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from tests.web.routes import OPEN, ROLES, address_of, role_of, routes
from tests.web.site import PEOPLE
from triaged.log import users
from triaged.log.store import Log
from triaged.log.users import ROLES as IN_ORDER
from triaged.log.users import Session
from triaged.settings import Config
from triaged.web.app import build
from triaged.wire import log_path
from triaged.worker.service import utc_now

NAMES = {role: name for name, role in PEOPLE.items()}


@dataclass
class Door:
    """The desk, asked by whoever; each request has a session of its own, for some end it."""

    client: TestClient
    log: Log

    def session(self, role: str) -> Session:
        with self.log.transaction():
            return users.begin_session(self.log, NAMES[role], lasts=timedelta(hours=1), now=utc_now())

    def ask(
        self, name: str, session: Session | None, *, field: str | None = None, header: str | None = None
    ) -> httpx.Response:
        """A request by name; field, header: the token it carries there."""
        self.client.cookies.clear()
        if session is not None:
            self.client.cookies.set("triaged", session.token)
        headers = {"x-csrf-token": header} if header is not None else {}
        fields = {"csrf": field} if field is not None else {"none": "given"}
        method, address = name.partition(" ")[0], address_of(name)
        if method == "GET":
            return self.client.get(address)
        return self.client.request(method, address, data=fields, headers=headers)


@pytest.fixture
def door(site: Config) -> Iterator[Door]:
    with (
        TestClient(build(site), "http://localhost", raise_server_exceptions=False, follow_redirects=False) as client,
        closing(Log(log_path(site))) as log,
    ):
        yield Door(client, log)


def test_every_address_is_in_the_table_with_the_role_that_it_asks_for(site: Config) -> None:
    found = dict(routes(build(site)))
    asked = {name: role_of(route) if route is not None else None for name, route in found.items()}
    assert {name for name, role in asked.items() if role is None} == OPEN
    assert {name: role for name, role in asked.items() if role is not None} == ROLES
    assert len(found) > 20


def test_nobody_gets_anywhere_without_signing_in(door: Door) -> None:
    for name in ROLES:
        answer = door.ask(name, None, field="guessed")
        wanted = 401 if address_of(name).startswith("/api/") else 303
        assert answer.status_code == wanted, name
        if wanted == 303:
            assert answer.headers["location"].startswith("/sign-in?back=/"), name


def test_everybody_gets_where_their_role_lets_them_and_nowhere_else(door: Door) -> None:
    wrong = []
    for name, needed in ROLES.items():
        for role in IN_ORDER:
            session = door.session(role)
            answer = door.ask(name, session, field=session.csrf)
            may = IN_ORDER.index(role) >= IN_ORDER.index(needed)
            right = (
                answer.status_code < 500 and answer.status_code not in (401, 403) if may else answer.status_code == 403
            )
            if not right or "/sign-in?back" in answer.headers.get("location", ""):
                wrong.append((name, role, answer.status_code))
    assert wrong == []


def test_nothing_is_changed_by_a_form_from_elsewhere(door: Door) -> None:
    changing = [name for name in ROLES if not name.startswith("GET ")]
    assert len(changing) > 8
    others = door.session("operator").csrf
    for name in changing:
        session = door.session("operator")
        assert door.ask(name, session).status_code == 403, f"{name} without a token"
        for wrong in ("", "guessed", others, session.csrf[:-1], session.csrf + "x", "\N{SNOWMAN}"):
            assert door.ask(name, session, field=wrong).status_code == 403, f"{name} with {wrong!r}"
        assert door.ask(name, session, header="guessed").status_code == 403, name
        assert door.ask(name, session, header="guessed", field=session.csrf).status_code == 403, name
        in_json = {"csrf": session.csrf}
        assert door.client.request(*name.split(" ", 1), json=in_json).status_code == 403, f"{name} as JSON"
        assert door.ask(name, session, header=session.csrf).status_code != 403, name


def test_a_page_that_only_shows_something_changes_nothing_by_being_asked_otherwise(door: Door) -> None:
    session = door.session("operator")
    for name in ROLES:
        if name.startswith("GET ") and name.replace("GET", "POST", 1) not in ROLES:
            for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
                door.client.cookies.set("triaged", session.token)
                answer = door.client.request(method, address_of(name), data={"csrf": session.csrf})
                assert answer.status_code == 405, f"{method} {name}"
