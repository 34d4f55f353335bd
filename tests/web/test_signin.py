"""Signing in: who may, what a wrong password costs, what a form from elsewhere gets."""

from __future__ import annotations

from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.web.site import PASSWORD, Browser, browsing, serving, sign_in
from triaged.log import users
from triaged.log.read import Reader
from triaged.settings import Config
from triaged.web.signin import TRIES_A_NAME
from triaged.wire import log_path


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
        codes = [browser.sign_in("carl", "wrong").status_code for _ in range(TRIES_A_NAME + 1)]
        assert codes == [403] * TRIES_A_NAME + [429]
        assert browser.sign_in("carl").status_code == 429
        assert browser.sign_in("vera").status_code == 200


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


@pytest.mark.parametrize("back", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"])
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
