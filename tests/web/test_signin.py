"""Signing in: who may, what a wrong password costs, what a form from elsewhere gets."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from tests.web.site import CSRF, PASSWORD, Browser, browsing, desk_with, serving, sign_in
from triaged.log import users
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.settings import Config
from triaged.web.app import build
from triaged.web.signin import TRIES, TRIES_A_NAME, TRIES_AN_ORIGIN, WITHIN
from triaged.wire import log_path
from triaged.worker.service import utc_now


def test_without_signing_in_every_page_asks_for_it(site: Config) -> None:
    with browsing(site) as browser:
        response = browser.client.get("/log?category=complaint", follow_redirects=False)
    assert response.status_code == 303
    assert response.headers["location"] == "/sign-in?back=/log%3Fcategory%3Dcomplaint"


def test_a_sign_in_shows_the_page_that_was_asked_for(carl: Browser) -> None:
    response = carl.get("/log")
    assert response.status_code == 200
    assert "The triage log" in response.text
    assert "carl" in response.text


def test_a_session_that_was_there_before_signing_in_means_nothing_after_it(site: Config) -> None:
    with browsing(site, "vera") as browser:
        planted = browser.client.cookies["triaged"]
        browser.sign_in("otto")
        assert browser.client.cookies["triaged"] != planted
        browser.client.cookies.clear()
        browser.client.cookies.set("triaged", planted)
        assert "Sign in" in browser.get("/log").text


def test_guessing_is_stopped_for_the_right_password_too(site: Config) -> None:
    with browsing(site) as browser:
        codes = [browser.sign_in("carl", "wrong").status_code for _ in range(TRIES + 1)]
        assert codes == [403] * TRIES + [429]
        assert browser.sign_in("carl").status_code == 429
        assert browser.sign_in("vera").status_code == 200


def test_many_guesses_at_once_count_as_many(site: Config) -> None:
    """Each is counted before its password is looked at. Some are sent away, for too many wait: they were not tried."""
    with browsing(site) as browser:

        def guess(number: int) -> int:
            fields = {"name": ("carl", "CARL", "ｃarl")[number % 3], "password": f"guess {number}"}
            return browser.client.post("/sign-in", data=fields, headers={"origin": "http://localhost"}).status_code

        with ThreadPoolExecutor(24) as pool:
            codes = Counter(pool.map(guess, range(48)))
        assert codes[403] == TRIES
        assert codes[403] + codes[429] + codes[503] == 48
        assert browser.sign_in("carl").status_code == 429


def test_one_place_may_fail_only_so_often_whatever_the_names(site: Config) -> None:
    with browsing(site) as browser:
        with closing(Log(log_path(site))) as log, log.transaction():
            for number in range(TRIES_AN_ORIGIN - 1):
                users.add_try(log, name=f"name {number}", origin="testclient", now=utc_now())
        assert browser.sign_in("stranger", "wrong").status_code == 403
        assert browser.sign_in("carl").status_code == 429


def test_an_outsider_keeps_nobody_from_signing_in_elsewhere_nor_ends_a_session(site: Config) -> None:
    with browsing(site, "carl") as inside, browsing(site) as outside:
        with closing(Log(log_path(site))) as log, log.transaction():
            for _ in range(TRIES_A_NAME - 1):
                users.add_try(log, name="carl", origin="203.0.113.9", now=utc_now())
        assert inside.get("/log").status_code == 200
        assert outside.sign_in("carl").status_code == 200, "and what failed elsewhere is not forgotten by that"
        assert outside.sign_in("carl", "wrong").status_code == 403
        assert outside.sign_in("carl").status_code == 429, "many places together are stopped"
        assert inside.get("/log").status_code == 200


def test_after_a_quarter_of_an_hour_it_may_be_tried_again(site: Config) -> None:
    with browsing(site) as browser:
        with closing(Log(log_path(site))) as log, log.transaction():
            for _ in range(TRIES):
                users.add_try(log, name="carl", origin="testclient", now=utc_now() - WITHIN + timedelta(seconds=3))
        assert browser.sign_in("carl").status_code == 429
        with closing(Log(log_path(site))) as log, log.transaction():
            log.db.execute("UPDATE sign_in_try SET at = at - 4000")
        assert browser.sign_in("carl").status_code == 200


def test_a_name_that_is_not_there_takes_as_long_and_says_the_same(site: Config) -> None:
    with closing(Log(log_path(site))) as log, log.transaction():
        users.put_user(log, "elsewhere", role="viewer", password="", person="", now=utc_now())
        users.disable(log, "vera", now=utc_now())
    with browsing(site) as browser:
        took: dict[str, list[float]] = {name: [] for name in ("carl", "stranger", "elsewhere", "vera")}
        said = set()
        for _ in range(TRIES):
            for name, times in took.items():
                began = time.process_time()
                said.add(browser.sign_in(name, "wrong").text.replace(name, ""))
                times.append(time.process_time() - began)
    assert len(said) == 1
    fastest = {name: min(times) for name, times in took.items()}
    assert max(fastest.values()) < 1.6 * min(fastest.values()), fastest


@pytest.mark.parametrize("typed", ["CARL", " carl ", "Ｃａｒｌ", "ⅽarl"])
def test_a_name_has_one_form_however_it_is_typed(site: Config, typed: str) -> None:
    with browsing(site) as browser:
        assert browser.sign_in(typed).status_code == 200
        assert "You are signed in as carl" in browser.get("/me").text


def test_a_session_ends_after_its_hours(site: Config) -> None:
    with browsing(site, "carl") as browser:
        began = utc_now()
        with closing(Reader(log_path(site))) as reader:
            (session,) = users.sessions(reader, now=began)["carl"]
            token = browser.client.cookies["triaged"]
            assert abs(session.ends - began - timedelta(hours=site.desk.session_h)) < timedelta(minutes=1)
            assert users.session_of(reader, token, now=session.ends - timedelta(seconds=1)) is not None
            assert users.session_of(reader, token, now=session.ends) is None
        with closing(Log(log_path(site))) as log, log.transaction():
            log.db.execute("UPDATE session SET ends_at = 1")
        assert "Sign in" in browser.get("/log").text


@pytest.mark.parametrize(
    ("address", "flags"),
    [
        ("", ("triaged=", "httponly", "samesite=lax", "path=/", "max-age=43200")),
        ("https://desk.example", ("__host-triaged=", "httponly", "samesite=lax", "path=/", "max-age=43200", "secure")),
    ],
)
def test_the_cookie_is_for_this_host_and_no_script(site: Config, address: str, flags: tuple[str, ...]) -> None:
    where = address or "http://localhost"
    with TestClient(build(desk_with(site, address=address)), base_url=where, follow_redirects=False) as client:
        answer = client.post("/sign-in", data={"name": "carl", "password": PASSWORD}, headers={"origin": where})
        cookie = answer.headers["set-cookie"].lower()
        assert cookie.startswith(flags[0])
        assert [flag for flag in flags if flag not in cookie] == []
        assert "domain" not in cookie
        assert ("secure" in cookie) == (address != "")
        token = CSRF.search(client.get("/log").text)
        assert token is not None
        gone = client.post("/sign-out", data={"csrf": token[1]}).headers["set-cookie"].lower()
    assert gone.startswith(flags[0])
    assert "max-age=0" in gone


def test_a_form_from_elsewhere_changes_nothing(carl: Browser, site: Config) -> None:
    assert carl.client.post("/sign-out", data={"csrf": "guessed"}).status_code == 403
    assert carl.client.post("/sign-out").status_code == 403
    assert carl.get("/log").status_code == 200
    assert carl.post("/sign-out").status_code == 200
    assert "Sign in" in carl.get("/log").text


@pytest.mark.parametrize("origin", ["https://evil.example", ""])
def test_nobody_is_signed_in_by_a_page_from_elsewhere(site: Config, origin: str) -> None:
    with browsing(site) as browser:
        fields = {"name": "carl", "password": PASSWORD}
        response = browser.client.post("/sign-in", data=fields, headers={"origin": origin} if origin else {})
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    "back",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/a\\b",
        "/log\r\nSet-Cookie: a=b",
        " /log",
        "",
    ],
)
def test_signing_in_leads_to_no_other_site(site: Config, back: str) -> None:
    with browsing(site) as browser:
        fields = {"name": "carl", "password": PASSWORD, "back": back}
        origin = {"origin": "http://localhost"}
        response = browser.client.post("/sign-in", data=fields, headers=origin, follow_redirects=False)
    assert response.headers["location"] == "/"


def test_the_log_holds_no_token_and_no_password(site: Config) -> None:
    with browsing(site, "carl") as browser:
        token = browser.client.cookies["triaged"]
    with closing(Reader(log_path(site))) as reader:
        assert users.session_of(reader, token, now=users.user_of(reader, "carl").since) is not None  # type: ignore[union-attr]
    octets = b"".join(path.read_bytes() for path in site.state_dir.glob("triaged.db*"))
    assert token.encode() not in octets
    assert PASSWORD.encode() not in octets


def test_another_host_name_is_turned_away(site: Config) -> None:
    with browsing(site) as browser:
        assert browser.client.get("/sign-in", headers={"host": "evil.example"}).status_code == 421


def test_in_a_browser(site: Config, page: Page) -> None:
    with serving(site) as address:
        sign_in(page, address, "carl", back="/log")
        expect(page.get_by_role("heading", level=1)).to_have_text("The triage log")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
