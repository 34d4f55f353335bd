"""What every answer carries to protect itself, and what no page holds: nothing inline, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2 as httpx
import lxml.html
import pytest
from starlette.testclient import TestClient

from tests.web.routes import OPEN, ROLES, address_of
from tests.web.site import Browser, browsing, copied
from triaged.web.guard import HEADERS

LINKS = ("src", "href", "action", "formaction", "poster", "data", "srcset", "background", "ping", "cite", "longdesc")
FRAMES = {"GET /mail/{mail}/frame", "GET /queue/{mail}/html/{effect}"}
"""Somebody else's layout, sanitised, with a sheet of its own: nothing in it is ours, and nothing runs or loads."""
POLICY = "content-security-policy"
STRICTER = {POLICY: "sandbox", "referrer-policy": "no-referrer"}
ANSWERS: dict[str, Callable[[Browser], httpx.Response]] = {
    "no such page": lambda browser: browser.get("/nowhere"),
    "not allowed": lambda browser: browser.client.post("/sign-out"),
    "no such method": lambda browser: browser.client.delete("/log"),
    "a form that is wrong": lambda browser: browser.post("/people/add", name="x" * 300),
    "another host": lambda browser: browser.client.get("/", headers={"host": "evil.example"}),
    "too large": lambda browser: browser.client.post("/sign-out", headers={"content-length": "99999999"}),
    "a redirect": lambda browser: TestClient(browser.client.app, "http://localhost").get("/", follow_redirects=False),
    "a static file": lambda browser: browser.get("/static/desk.css"),
    "no such file": lambda browser: browser.get("/static/nowhere"),
    "the stream": lambda browser: browser.get("/live"),
}


def inline_or_from_elsewhere(html: str) -> list[str]:
    """What a page holds that it must not, in words."""
    found = []
    for element in lxml.html.document_fromstring(html).iter(lxml.etree.Element):
        tag = str(element.tag)
        if tag in ("style", "base", "object", "embed", "applet"):
            found.append(f"<{tag}>")
        if tag == "script" and (element.get("src") is None or (element.text or "").strip() != ""):
            found.append("a script within the page")
        for name, value in element.attrib.items():
            if name == "style" or name.startswith("on"):
                found.append(f"<{tag} {name}={value!r}>")
            if name == "http-equiv" or (name in LINKS and _is_elsewhere(value)):
                found.append(f"<{tag} {name}={value!r}>")
    return found


def _is_elsewhere(link: str) -> bool:
    parts = urlsplit(link.strip())
    return parts.netloc != "" or parts.scheme not in ("", "mailto", "tel")


def missing(answer: httpx.Response) -> dict[str, str]:
    """Headers that are not as they must be, with what they are; where other people's content is shown, stricter."""
    wrong = {}
    for name, value in HEADERS.items():
        given = answer.headers.get(name, "nothing")
        if given not in (value, STRICTER.get(name)) and (name != POLICY or "default-src 'none'" not in given):
            wrong[name] = given
    return wrong


def test_the_policy_lets_nothing_inline_and_nothing_from_elsewhere() -> None:
    parts = dict(each.strip().split(" ", 1) for each in HEADERS[POLICY].split(";"))
    assert parts["default-src"] == parts["base-uri"] == parts["frame-ancestors"] == "'none'"
    assert set(parts.values()) == {"'none'", "'self'"}
    assert {"script-src", "style-src", "form-action"} <= parts.keys()
    assert HEADERS["x-content-type-options"] == "nosniff"
    assert HEADERS["cache-control"] == "no-store"


@pytest.fixture(scope="module")
def otto(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """He may see every page; nothing is changed here."""
    with browsing(copied(night, tmp_path_factory.mktemp("headers") / "desk"), "otto") as browser:
        yield browser


@pytest.mark.parametrize("page", sorted(name for name in {*ROLES, *OPEN} if name.startswith("GET ")))
def test_every_page_is_protected_and_holds_nothing_foreign(otto: Browser, page: str) -> None:
    answer = otto.get(address_of(page))
    assert missing(answer) == {}
    assert "server" not in answer.headers
    if page in FRAMES and answer.status_code == 200:
        assert "sandbox" in answer.headers[POLICY]
        assert "script-src" not in answer.headers[POLICY]
        assert set(inline_or_from_elsewhere(answer.text)) <= {"<style>"}
    elif answer.headers.get("content-type", "").startswith("text/html"):
        assert inline_or_from_elsewhere(answer.text) == []


@pytest.mark.parametrize("what", ANSWERS)
def test_so_is_every_refusal(otto: Browser, what: str) -> None:
    answer = ANSWERS[what](otto)
    assert missing(answer) == {}
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert inline_or_from_elsewhere(answer.text) == []


@pytest.mark.parametrize(
    "html",
    [
        "<p style='color: red'>",
        "<style>p { color: red }</style>",
        "<script>alert(1)</script>",
        "<script src='https://evil.example/a.js'></script>",
        "<a onclick='alert(1)'>",
        "<img src='//evil.example/a.png'>",
        "<a href='javascript:alert(1)'>",
        "<form action='https://evil.example'>",
        "<meta http-equiv='refresh' content='0'>",
        "<img src='data:image/png;base64,AAAA'>",
        "<base href='/a'>",
    ],
)
def test_the_look_at_pages_finds_what_it_is_for(html: str) -> None:
    assert len(inline_or_from_elsewhere(f"<html><body>{html}</body></html>")) == 1
    assert (
        inline_or_from_elsewhere("<html><body><a href='/a?b=https://c.example'>mail: onclick= style=</a></body></html>")
        == []
    )
