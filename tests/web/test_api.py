"""The JSON interface: every route of its own description, held to it by made-up requests; and what it says of mails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.web.site import Browser, browsing, copied, mails
from triaged import views
from triaged.log.find import Search, every
from triaged.log.read import Reader
from triaged.settings import Config
from triaged.wire import log_path

ROUTES = (
    "/api/mails",
    "/api/items",
    "/api/mails/{number}",
    "/api/accounts",
    "/api/status",
    "/api/me",
)
EXAMPLES = 50
"""Of each route."""


@pytest.fixture(scope="module")
def described(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, dict[str, str]]]:
    """The description with the application that is to keep it, and the cookies of somebody who reads."""
    with browsing(copied(night, tmp_path_factory.mktemp("api") / "desk"), "vera") as browser:
        cookies = {"triaged": browser.client.cookies["triaged"]}
        headers = {"cookie": f"triaged={cookies['triaged']}", "host": "localhost"}
        schema = schemathesis.openapi.from_asgi("/api/openapi.json", browser.client.app, headers=headers)
        schema.config.generation.with_security_parameters = False  # the cookie is always sent; see the last test
        yield schema, cookies


def test_the_routes_are_these_and_every_one_tells_what_it_is(described: tuple[Any, dict[str, str]]) -> None:
    paths = described[0].raw_schema["paths"]
    assert set(paths) == set(ROUTES)
    for path, ways in paths.items():
        assert set(ways) == {"get"}, path
        assert ways["get"]["summary"]
        assert ways["get"]["description"]
        assert ways["get"]["responses"]["200"]["content"]["application/json"]["schema"] != {}
        assert all("description" in each for each in ways["get"].get("parameters", [])), path


@pytest.mark.parametrize("path", ROUTES)
def test_every_route_keeps_to_its_description(described: tuple[Any, dict[str, str]], path: str) -> None:
    """No error of the server, every answer as described, wrong values refused, whatever is asked."""
    schema, cookies = described
    asked = schema[path]["GET"]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.one_of(*(asked.as_strategy(generation_mode=mode) for mode in GenerationMode)))
    def held_to_it(case: Any) -> None:
        case.call_and_validate(headers={"host": "localhost"}, cookies=cookies)

    held_to_it()


def lines(config: Config, search: Search) -> list[dict[str, Any]]:
    """As `triaged log --json` prints them."""
    with closing(Reader(log_path(config))) as reader:
        return [views.row_view(row) for row in every(reader, search, limit=1000)]


def test_mails_come_page_by_page_as_the_command_line_prints_them(carl: Browser, site: Config) -> None:
    wanted = lines(site, Search(category="complaint"))
    found: list[dict[str, Any]] = []
    after = ""
    while after is not None:
        page = carl.get(f"/api/mails?category=complaint&limit=5{after}").json()
        assert (page["count"], page["exact"]) == (len(wanted), True)
        found += page["mails"]
        after = f"&after={page['after']}" if page["after"] is not None else None
    assert found == wanted
    assert len(found) > 10


def test_a_mail_is_told_as_the_command_line_tells_it(carl: Browser, site: Config) -> None:
    number = mails(site)["STILL NOT FIXED"]
    with closing(Reader(log_path(site))) as reader:
        row = reader.row(number)
        assert row is not None
        told = views.story_view(row, reader.message(number), reader.effects(number), reader.events(number))
    answer = carl.get(f"/api/mails/{number}").json()
    assert answer == json.loads(json.dumps(told))
    assert len(answer["effects"]) > 0


def test_items_are_open_and_the_next_due_comes_first(carl: Browser, site: Config) -> None:
    found = carl.get("/api/items").json()["mails"]
    assert found == lines(site, Search(state="open", sort="due"))[:50]
    assert [each["due"] for each in found] == sorted(each["due"] for each in found)
    assert len(found) > 10


def test_accounts_status_and_who_asks(carl: Browser, site: Config) -> None:
    with closing(Reader(log_path(site))) as reader:
        assert carl.get("/api/accounts").json() == [views.account_view(each) for each in reader.accounts()]
    status = carl.get("/api/status").json()
    assert status["mails"] == len(lines(site, Search()))
    assert status["unsure"] == len(lines(site, Search(sure=False)))
    assert carl.get("/api/me").json() == {"name": "carl", "role": "coordinator", "person": None}


def test_what_cannot_be_answered_is_told_in_json(carl: Browser) -> None:
    for address, status in (
        ("/api/mails/999999", 404),
        ("/api/mails?after=999999", 404),
        ("/api/nothing", 404),
        ("/api/mails/first", 422),
        ("/api/mails?state=sideways", 422),
        ("/api/mails?category=", 422),
        ("/api/mails?limit=100000", 422),
    ):
        answer = carl.get(address)
        assert (answer.status_code, list(answer.json())) == (status, ["detail"]), address
    refused = carl.client.post("/api/mails", headers={"x-csrf-token": carl.csrf})
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("path", [*ROUTES, "/api/openapi.json"])
def test_nothing_is_told_to_who_did_not_sign_in(site: Config, path: str) -> None:
    with browsing(site) as browser:
        answer = browser.get(path.format(number=1))
    assert (answer.status_code, answer.json()) == (401, {"detail": "sign in first"})
