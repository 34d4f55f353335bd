"""HTML of anybody's mail in a real browser: no script runs, nothing but the desk is asked, whatever the mail holds."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, Route, sync_playwright

from tests.web.attacks import EVIL, attacks
from tests.web.conftest import FLAGS, NEEDS
from tests.web.mailbox import html_mail, lay
from tests.web.site import copied, serving, sign_in

SHARED = Path(__file__).parents[2] / "../shared/mail"
ATTACKS = attacks()
FAMILIES = sorted({name.partition(":")[0] for name in ATTACKS})
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fcffff3f030005fe02fe"
    "a72d0a100000000049454e44ae426082"
)


# --- in the browser ---------------------------------------------------------------------------------------------


class Sink:
    """Where evil.example lies: counts whoever connects, so that even a connection without a request is seen."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._server.close()


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with closing(Sink()) as opened:
        yield opened


@pytest.fixture(scope="module")
def chromium(sink: Sink) -> Iterator[Chromium]:
    """For which every name leads to the sink."""
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail(NEEDS)
        pytest.skip(NEEDS)
    rules = f"--host-resolver-rules=MAP *.example 127.0.0.1:{sink.port}, MAP *.invalid 127.0.0.1:{sink.port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS, rules])
        yield browser
        browser.close()


class Watch:
    """What a page did that no mail may do. desk: the one address that may be asked."""

    def __init__(self, page: Page, desk: str) -> None:
        self.found: list[str] = []
        self._desk = desk
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.found.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self._asked(request.url))
        page.on("popup", lambda popup: self.found.append(f"popup: {popup.url}"))
        page.on("download", lambda download: self.found.append(f"download: {download.url}"))

    def _console(self, message: ConsoleMessage) -> None:
        """Scripts that were stopped are told here too: then the first wall let one through."""
        self.found.append(f"console: {message.text}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self._desk + "/mail/", self._desk + "/static/", "data:image/")):
            self.found.append(f"request: {url}")


def look(page: Page, address: str, row: int) -> None:
    """As a person does: look, move over it, click into it, press some keys."""
    page.goto(f"{address}/mail/{row}/html")
    frame = page.frame_locator("iframe")
    frame.locator("body").wait_for(state="attached")
    box = page.locator("iframe").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.click(box["x"] + 60, box["y"] + 30)
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.localName") == "iframe":  # else nothing in the mail takes the keyboard
        page.keyboard.press("Enter")
    assert page.url == f"{address}/mail/{row}/html"


@pytest.fixture(scope="module")
def shown(
    night: Path, tmp_path_factory: pytest.TempPathFactory, chromium: Chromium
) -> Iterator[tuple[str, Page, dict[str, int]]]:
    """The desk with every attack as a mail; somebody signed in."""
    config = copied(night, tmp_path_factory.mktemp("attacked") / "desk")
    rows = dict(zip(ATTACKS, lay(config, [html_mail(html) for html in ATTACKS.values()]), strict=True))
    with serving(config) as address:
        page = chromium.new_context(viewport={"width": 1200, "height": 800}).new_page()
        sign_in(page, address, "carl", back="/log")
        yield address, page, rows


def test_there_are_enough_attacks_of_every_family() -> None:
    assert len(ATTACKS) >= 223
    assert len(FAMILIES) == 12


@pytest.mark.parametrize("family", FAMILIES)
def test_no_attack_runs_a_script_or_asks_anybody(
    shown: tuple[str, Page, dict[str, int]], sink: Sink, family: str
) -> None:
    address, page, rows = shown
    before = sink.connections
    done: dict[str, list[str]] = {}
    watch = Watch(page, address)
    for name in (name for name in ATTACKS if name.partition(":")[0] == family):
        watch.found = []
        look(page, address, rows[name])
        done[name] = watch.found
    assert len(done) >= 10
    assert {name: found for name, found in done.items() if len(found) > 0} == {}
    assert sink.connections == before


@pytest.fixture
def bare(chromium: Chromium) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def test_the_watch_sees_what_an_unguarded_page_would_do(bare: Page, sink: Sink) -> None:
    """The same HTML, neither made harmless nor in a frame, on a page without a policy: most attacks are seen."""
    desk = "http://desk.invalid"
    watch, seen, before = Watch(bare, desk), set[str](), sink.connections
    page: dict[str, str] = {}

    def answer(route: Route) -> None:
        if route.request.url == f"{desk}/mail/":
            route.fulfill(body=page["html"], content_type="text/html; charset=utf-8")
        else:
            route.continue_()

    bare.route("**/*", answer)
    for name, html in ATTACKS.items():
        if name.partition(":")[0] not in ("handlers", "requests", "svg", "script_elements"):
            continue
        watch.found, page["html"] = [], html
        bare.goto(f"{desk}/mail/", wait_until="commit")
        bare.wait_for_load_state("domcontentloaded")
        bare.mouse.move(50, 50)
        bare.mouse.click(60, 30)
        if any("RAN" in each or EVIL in each for each in watch.found):
            seen.add(name)
    assert len(seen) > 80
    assert {"handlers: svg onload", "requests: picture", "script_elements: plain", "svg: use from elsewhere"} & seen
    assert sink.connections > before
