"""New mail appears by itself: what the stream says, when it ends, and that nothing is swapped under somebody."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import httpx2 as httpx
from playwright.sync_api import Page, expect

from tests.web.site import CSRF, PASSWORD, browsing, desk_process, mails, serving, sign_in
from triaged.log import users
from triaged.log.changes import Mark, mails_since, mark, mark_in
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.settings import Config
from triaged.web.live import PAGES
from triaged.wire import log_path
from triaged.worker.service import utc_now


def another_mail(config: Config, subject: str = "A mail that came just now") -> None:
    """As the worker writes one down; a copy of the first one there is, under another name."""
    with closing(Log(log_path(config))) as log, log.transaction():
        columns = [row[1] for row in log.db.execute("PRAGMA table_info(message)")]
        row = dict(zip(columns, log.db.execute("SELECT * FROM message ORDER BY id LIMIT 1").fetchone(), strict=True))
        del row["id"]
        newest = log.db.execute("SELECT max(received_at) FROM message").fetchone()[0]
        log.insert("message", {**row, "key": f"key of {subject}", "subject": subject, "received_at": newest + 1})
        log.event("triaged", "request", message=None, now=utc_now())


def mark_of(config: Config) -> Mark:
    with closing(Reader(log_path(config))) as reader:
        return mark(reader)


@dataclass
class Stream:
    """What one open page heard. over: the desk or the session ended."""

    events: list[tuple[str, str]] = field(default_factory=list)
    status: int = 0
    begun: threading.Event = field(default_factory=threading.Event)
    heard: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    response: httpx.Response | None = None

    def read(self, client: httpx.Client, since: str) -> None:
        kind = ""
        try:
            with client.stream("GET", "/live", params={"since": since}, timeout=30) as response:
                self.status = response.status_code
                for line in response.iter_lines():
                    self.begun.set()
                    name, _, value = line.partition(": ")
                    if name == "event":
                        kind = value
                    elif name == "data":
                        self.events.append((kind, value))
                        self.heard.set()
        except httpx.TransportError:
            pass
        finally:
            self.begun.set()
            self.over.set()


@contextmanager
def client_of(address: str, name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, follow_redirects=False) as client:
        fields = {"name": name, "password": PASSWORD}
        assert client.post("/sign-in", data=fields, headers={"origin": address}).status_code == 303
        yield client


def listen(client: httpx.Client, since: str) -> Stream:
    stream = Stream()
    threading.Thread(target=stream.read, args=(client, since), daemon=True).start()
    assert stream.begun.wait(10)
    return stream


def test_a_mark_grows_with_everything_that_people_look_at(site: Config) -> None:
    before = mark_of(site)
    another_mail(site)
    after = mark_of(site)
    assert (after.message, after.event, after.audit) == (before.message + 1, before.event + 1, before.audit)
    assert mark_in(str(after)) == after
    assert [mark_in(text) for text in ("", "1.2", "1.2.x", "1.2.3.4", "-1.2.3", "1.2." + "9" * 30, "1.2.²")] == [
        None
    ] * 7
    with closing(Reader(log_path(site))) as reader:
        assert (mails_since(reader, before), mails_since(reader, after)) == (1, 0)


def test_a_page_hears_of_a_mail_and_a_stream_ends_with_its_session(site: Config) -> None:
    with serving(site) as address, client_of(address, "vera") as vera, client_of(address, "otto") as otto:
        stream = listen(vera, str(mark_of(site)))
        another_mail(site)
        assert stream.heard.wait(5)
        assert stream.events == [("changed", "1")]
        token = CSRF.search(otto.get("/people").text)
        assert token is not None
        assert otto.post("/people/disable", data={"csrf": token[1], "name": "vera"}).status_code == 303
        assert stream.over.wait(5), "she is out at once, and not at her next click"
        assert vera.get("/live").status_code == 303

        late = listen(otto, "0.0.0")
        assert late.heard.wait(5), "what came before the stream was there is told too"
        with closing(Reader(log_path(site))) as reader:
            assert late.events[0] == ("changed", str(mails_since(reader, Mark(0, 0, 0))))


def opened(address: str, token: str, since: str) -> socket.socket:
    """A stream as a browser opens it, past the line of its status."""
    host, port = address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    head = f"GET /live?since={since} HTTP/1.1\r\nHost: localhost\r\nCookie: triaged={token}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def status_of(connection: socket.socket) -> int:
    return int(connection.recv(4096).split(b" ", 2)[1])


def test_one_browser_keeps_a_few_streams_open_and_gets_them_back(site: Config) -> None:
    with serving(site) as address, client_of(address, "carl") as carl, client_of(address, "mona") as mona:
        since, token = str(mark_of(site)), carl.cookies["triaged"]
        for _ in range(2):
            streams = [opened(address, token, since) for _ in range(PAGES)]
            assert [status_of(each) for each in streams] == [200] * PAGES
            with opened(address, token, since) as one_more, opened(address, mona.cookies["triaged"], since) as hers:
                assert (status_of(one_more), status_of(hers)) == (204, 200)
            for each in streams:
                each.close()
            assert carl.get("/log").status_code == 200, "and by now the desk has heard that they are closed"


def test_the_desk_ends_promptly_with_open_pages(site: Config) -> None:
    with desk_process(site) as (address, process), client_of(address, "carl") as carl:
        stream = listen(carl, str(mark_of(site)))
        began = time.monotonic()
        process.terminate()
        assert process.wait(10) in (0, -signal.SIGTERM)
        assert time.monotonic() - began < 5
        assert stream.over.wait(5)


def test_without_a_mark_or_a_session_there_is_no_stream(site: Config) -> None:
    with browsing(site, "vera") as browser:
        assert browser.get("/live?since=nonsense").status_code == 204
        browser.client.cookies.clear()
        assert browser.client.get("/live?since=0.0.0", follow_redirects=False).status_code == 303


def test_a_look_that_nobody_asked_for_is_no_visit_and_takes_nothing_said_away(site: Config) -> None:
    with browsing(site, "carl") as browser:
        with closing(Log(log_path(site))) as log, log.transaction():
            log.db.execute("UPDATE session SET said = ?", (json.dumps({"words": "Well done", "bad": False}),))
            log.db.execute("UPDATE user SET seen_at = 1, visited_at = NULL WHERE name = 'carl'")
        assert "Well done" not in browser.client.get("/log", headers={"x-by-itself": "1"}).text
        with closing(Reader(log_path(site))) as reader:
            assert (user := users.user_of(reader, "carl")) is not None
            assert user.seen is not None
            assert user.seen.year == 1970
        assert "Well done" in browser.get("/log").text
        assert "Well done" not in browser.get("/log").text


# --- in a browser ---------------------------------------------------------------------------------------------------


TOP = "(path) => document.querySelector(`#mails a[href='${path}']`).getBoundingClientRect().top"
IN_SIGHT = """[...document.querySelectorAll("#mails a")].find((each) => each.getBoundingClientRect().bottom > 0)
    .getAttribute("href")"""


def test_mail_appears_in_the_log_without_a_reload(site: Config, page: Page) -> None:
    with serving(site) as address:
        sign_in(page, address, "vera", back="/log")
        link = page.get_by_role("link", name="A mail that came just now")
        expect(link).to_have_count(0)
        third = page.locator("#mails th a").nth(2)
        third.focus()
        focused = third.get_attribute("href")
        another_mail(site)
        expect(link).to_have_count(1, timeout=8000)
        expect(page.locator("#news")).to_have_text("1 new mail")
        assert page.evaluate("document.activeElement.getAttribute('href')") == focused
        page.evaluate("window.scrollTo(0, 900)")
        there = page.evaluate(IN_SIGHT)
        top = page.evaluate(TOP, there)
        another_mail(site, "Another one")
        expect(page.get_by_role("link", name="Another one")).to_have_count(1, timeout=8000)
        after = page.evaluate(TOP, there)
        assert abs(after - top) < 3, "what is read stays where it is"
        assert mails(site)["Another one"] > 0


def test_nothing_is_swapped_under_somebody_who_writes_or_decides(site: Config, page: Page) -> None:
    with serving(site) as address:
        sign_in(page, address, "vera", back="/log")
        page.evaluate(
            """() => {
                const region = document.getElementById("mails");
                region.insertAdjacentHTML("afterbegin", '<label>Note <input id="note"></label>');
            }"""
        )
        page.locator("#note").fill("half a sen")
        another_mail(site)
        page.wait_for_function("() => live.isOwed", timeout=8000)
        page.evaluate("showNews()")
        assert page.locator("#note").input_value() == "half a sen"
        expect(page.get_by_role("link", name="A mail that came just now")).to_have_count(0)
        page.locator("#note").fill("")
        page.evaluate(
            "document.body.insertAdjacentHTML('beforeend', '<dialog id=sure>Sure? <button>No</button></dialog>')"
        )
        page.evaluate("document.getElementById('sure').showModal()")
        page.evaluate("showNews()")
        expect(page.locator("#note")).to_have_count(1)
        page.evaluate("document.getElementById('sure').close()")
        page.locator("#note").blur()
        expect(page.get_by_role("link", name="A mail that came just now")).to_have_count(1, timeout=8000)
        expect(page.locator("#note")).to_have_count(0)


def test_a_page_that_is_not_looked_at_keeps_no_stream_and_catches_up(site: Config, page: Page) -> None:
    hide = """(hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with serving(site) as address:
        sign_in(page, address, "vera", back="/log")
        page.wait_for_function("() => live.stream !== null && live.stream.readyState === 1", timeout=8000)
        page.evaluate(hide, True)
        assert page.evaluate("live.stream") is None
        another_mail(site)
        page.evaluate(hide, False)
        expect(page.get_by_role("link", name="A mail that came just now")).to_have_count(1, timeout=8000)
