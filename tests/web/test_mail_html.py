"""HTML of anybody's mail in a real browser: no script runs, nothing but the desk is asked, whatever the mail holds."""

from __future__ import annotations

import base64
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lxml.html import document_fromstring
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, Route

from tests.conftest import FLAGS
from tests.web.attacks import EVIL, attacks
from tests.web.mailbox import html_mail, lay
from tests.web.site import copied, serving, sign_in
from triaged.mail.layout import MAX_HTML_CHARACTERS, Picture, layout
from triaged.web import mailhtml
from triaged.web.mailhtml import ATTRIBUTES, STYLES, TAGS, TIME_S, harmless, laid_out

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
def browser(chromium: Chromium, sink: Sink) -> Iterator[Chromium]:
    """For which every name but the desk's leads to the sink."""
    rules = f"--host-resolver-rules=MAP *.example 127.0.0.1:{sink.port}, MAP *.invalid 127.0.0.1:{sink.port}"
    opened = chromium.browser_type.launch(executable_path=shutil.which("chromium"), args=[*FLAGS, rules])
    yield opened
    opened.close()


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
        if not url.startswith((*(self._desk + each for each in ("/mail/", "/static/", "/live")), "data:image/")):
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
    night: Path, tmp_path_factory: pytest.TempPathFactory, browser: Chromium
) -> Iterator[tuple[str, Page, dict[str, int]]]:
    """The desk with every attack as a mail; somebody signed in."""
    config = copied(night, tmp_path_factory.mktemp("attacked") / "desk")
    rows = dict(zip(ATTACKS, lay(config, [html_mail(html) for html in ATTACKS.values()]), strict=True))
    with serving(config) as address:
        page = browser.new_context(viewport={"width": 1200, "height": 800}).new_page()
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
def bare(browser: Chromium) -> Iterator[Page]:
    context = browser.new_context()
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


# --- real mail ------------------------------------------------------------------------------------------------------


def shared_mails() -> list[tuple[str, bytes]]:
    """Every collected mail with HTML in it, once, and every collected HTML file as a mail."""
    found: dict[str, tuple[str, bytes]] = {}
    for file in sorted(SHARED.rglob("*.eml")):
        octets = file.read_bytes()
        if (read := layout(octets)) is not None:
            found.setdefault(read.html, (file.name, octets))
    for file in sorted((SHARED / "html").rglob("*")):
        if file.suffix in (".html", ".xhtml"):
            charset = re.search(r"\.(utf-\d+(?:BE|LE)?)\.", file.name)
            head = f"Content-Type: text/html; charset={charset[1] if charset is not None else 'utf-8'}\r\n"
            octets = (
                head.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(file.read_bytes())
            )
            found[file.name] = (file.name, octets)
    return list(found.values())


needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/mail")


@pytest.fixture(scope="module")
def collected(
    night: Path, tmp_path_factory: pytest.TempPathFactory, browser: Chromium
) -> Iterator[tuple[str, Page, list[tuple[str, int]]]]:
    """The desk with every such mail."""
    config = copied(night, tmp_path_factory.mktemp("collected") / "desk")
    mails = shared_mails()
    rows = lay(config, [octets for _, octets in mails])
    with serving(config) as address:
        page = browser.new_context(viewport={"width": 1200, "height": 800}).new_page()
        sign_in(page, address, "carl", back="/log")
        yield address, page, [(name, row) for (name, _), row in zip(mails, rows, strict=True)]


@needs_shared
@pytest.mark.parametrize("part", range(6))
def test_no_collected_mail_runs_or_asks_anything(
    collected: tuple[str, Page, list[tuple[str, int]]], sink: Sink, part: int
) -> None:
    address, page, mails = collected
    before = sink.connections
    watch, done = Watch(page, address), dict[str, list[str]]()
    for name, row in mails[part::6]:
        watch.found = []
        look(page, address, row)
        done[name] = watch.found
    assert len(done) > 30
    assert {name: found for name, found in done.items() if len(found) > 0} == {}
    assert sink.connections == before


# --- what is left -----------------------------------------------------------------------------------------------------


ADDRESSES = ("href", "src", "background", "action", "data", "poster", "srcset", "cite", "ping", "formaction")


def faults(html: str) -> list[str]:
    """What stands in HTML that was made harmless and must not."""
    found = []
    for element in document_fromstring(f"<div>{html}</div>").iter():
        if not isinstance(element.tag, str) or element.tag in ("html", "head", "body"):
            found += [] if isinstance(element.tag, str) else [f"no element: {element}"]
            continue
        allowed = ATTRIBUTES.get(element.tag, set()) | ATTRIBUTES["*"] | {"data-link"}
        found += [f"tag {element.tag}"] if element.tag not in TAGS else []
        found += [f"{element.tag} {name}" for name in element.attrib if name not in allowed]
        found += [
            f"{name}={value[:40]}"
            for name, value in element.attrib.items()
            if name in ADDRESSES and re.match(r"data:image/(?:png|jpeg|gif|webp);base64,", value) is None
        ]
        style = element.get("style", "").lower()
        properties = {each.partition(":")[0].strip() for each in re.sub(r"\"[^\"]*\"", "", style).split(";")}
        found += [f"style {each}" for each in properties - STYLES - {""}]
    return found


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_is_left_but_what_is_known(name: str) -> None:
    assert faults(harmless(ATTACKS[name], {}).html) == []


def test_the_look_at_what_is_left_finds_what_must_not_be() -> None:
    """Most attacks as they are, and some that are one step from being let through."""
    unsafe = sum(len(faults(html)) > 0 for html in ATTACKS.values())
    assert unsafe > 300
    for html in (
        "<p onclick=x>",
        "<a href=http://x>",
        "<img src=http://x>",
        "<p style='position:fixed'>",
        "<form>x</form>",
    ):
        assert len(faults(html)) > 0, html


@needs_shared
def test_what_is_left_of_collected_mail() -> None:
    seen = 0
    for name, octets in shared_mails():
        read = layout(octets)
        assert read is not None
        assert faults(harmless(read.html, read.pictures).html) == [], name
        seen += 1
    assert seen > 200


def test_a_plain_letter_stays_as_it_is() -> None:
    html = (
        '<p style="color:#c00;font-family:Arial">Dear <b>team</b>,</p><ul><li>one</li></ul>'
        '<table width="100%" border="1"><tbody><tr><td colspan="2" bgcolor="#eeeeee">cell</td></tr></tbody></table>'
    )
    shown = harmless(html, {})
    assert shown == mailhtml.Shown(shown.html, (), 0, 0, False)
    for piece in ("color:#c00", "font-family:Arial", "<b>team</b>", "<li>one</li>", 'colspan="2"', 'bgcolor="#eeeeee"'):
        assert piece in shown.html


def test_pictures_that_came_with_the_mail_are_shown_and_others_are_counted() -> None:
    html = (
        "<img src=cid:logo%40x alt=Logo><img src=cid:missing><img src=http://evil.example/1><img src=//evil.example/2>"
        "<table background=http://evil.example/3><tr><td>x</table>"
    )
    shown = harmless(html, {"logo@x": Picture("image/png", PNG)})
    assert f'<img src="data:image/png;base64,{base64.b64encode(PNG).decode()}" alt="Logo">' in shown.html
    assert shown.html.count("src=") == 1
    assert (shown.from_elsewhere, shown.left_out) == (3, 1)


# --- bounded ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "html",
    ["<div>" * 200_000, "<p " + " ".join(f"a{number}=1" for number in range(200_000)) + ">"],
    ids=["deep", "many attributes"],
)
def test_what_takes_too_long_is_given_up(html: str) -> None:
    began = time.monotonic()
    shown = laid_out(html_mail(html))
    assert isinstance(shown, str)
    assert "takes very long" in shown
    assert time.monotonic() - began < 3 * TIME_S


@pytest.mark.parametrize(
    "html",
    ["<p>abc</p>" * 1_000_000, "<" * 10_000_000, "x" * 10_000_000, "<table><tr><td>" * 20_000],
    ids=["paragraphs", "signs", "text", "tables"],
)
def test_what_is_very_long_is_cut(html: str) -> None:
    shown = laid_out(html_mail(html))
    assert isinstance(shown, mailhtml.Shown)
    assert shown.cut == (len(html) > MAX_HTML_CHARACTERS)
    assert len(shown.html) < 5 * MAX_HTML_CHARACTERS


def test_a_mail_without_html_has_none() -> None:
    assert laid_out(b"Subject: x\n\nplain") is None
    assert laid_out(b"") is None
