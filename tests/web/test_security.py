"""The desk as somebody meets it who means it ill: odd requests on a real connection; what a mistake of ours shows."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.web.site import Browser, browsing, copied, serving
from triaged.log import users
from triaged.log.store import Log
from triaged.settings import Config
from triaged.web.app import build
from triaged.web.guard import MAX_BODY_BYTES
from triaged.wire import log_path


@pytest.fixture(scope="module")
def carl(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Nothing that is tried with him changes anything."""
    with browsing(copied(night, tmp_path_factory.mktemp("security") / "desk"), "carl") as browser:
        yield browser


@pytest.fixture(scope="module")
def address(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Host and port of the program as it is run."""
    with serving(copied(night, tmp_path_factory.mktemp("served") / "desk")) as address:
        host, port = address.removeprefix("http://").split(":")
        yield host, int(port)


def answer_to(address: tuple[str, int], octets: bytes, *, timeout_s: float = 10) -> bytes:
    """The first line of what comes back, `b""` when it hangs up."""
    with socket.create_connection(address, timeout=timeout_s) as connection:
        connection.sendall(octets)
        try:
            return connection.recv(4096).partition(b"\r\n")[0]
        except ConnectionResetError:
            return b""


def status_of(address: tuple[str, int], octets: bytes) -> int:
    first = answer_to(address, octets)
    return int(first.split(b" ")[1]) if first else 0


# --- whom it is for -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:9870",
        "",
        "localhost@evil.example",
        "[::2]",
        "127.0.0.1.nip.io",
    ],
)
def test_a_host_that_is_not_ours_is_turned_away(carl: Browser, host: str) -> None:
    answer = carl.client.get("/sign-in", headers={"host": host})
    assert answer.status_code == 421
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9870", "127.0.0.1:1", "[::1]", "[::1]:9870"])
def test_ours_is_served(carl: Browser, host: str) -> None:
    assert carl.client.get("/sign-in", headers={"host": host}).status_code == 200


# --- how much -------------------------------------------------------------------------------------------------------


def test_more_than_a_form_can_hold_is_refused_before_it_is_read(carl: Browser) -> None:
    for length in (str(MAX_BODY_BYTES + 1), "9" * 5000, "-1", "1e3", "0x10", "٣", " 1 2"):
        answer = carl.client.post("/sign-in", content=b"", headers={"content-length": length.encode()})
        assert answer.status_code == 413, length


@pytest.mark.parametrize("length", [b"", b"Content-Length: 5\r\n"])
def test_a_body_without_an_end_is_not_taken(address: tuple[str, int], length: bytes) -> None:
    """Chunks count beside a length, and then the length says nothing (RFC 9112 6.3)."""
    head = (
        b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\n" + length + b"Transfer-Encoding: chunked\r\n\r\n5\r\nname=\r\n"
    )
    assert status_of(address, head) in (400, 411)


def test_a_body_longer_than_it_says_is_no_second_request(address: tuple[str, int]) -> None:
    hidden = b"GET /static/desk.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
    form = b"name=a&password=b"
    head = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % len(form)
    for more in (b"Content-Length: 0\r\n", b"content-length: 3\r\n"):
        assert status_of(address, head + more + b"\r\n" + form + hidden) == 400


def test_huge_headers_and_cookies_end_in_a_refusal(address: tuple[str, int]) -> None:
    huge = b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: triaged=" + b"a" * 200_000 + b"\r\n\r\n"
    assert status_of(address, huge) in (0, 400, 431)
    many = b"".join(b"X-%d: a\r\n" % number for number in range(20_000))
    assert status_of(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n") in (0, 400, 431)
    assert status_of(address, b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n") == 200, "and it goes on"


@pytest.mark.parametrize(
    "cookie", ["triaged=" + "a" * 8000, "triaged=%00", "triaged=\x80\xff", "triaged", "triaged=; triaged=b", "=;;="]
)
def test_an_odd_cookie_is_nobody(carl: Browser, cookie: str) -> None:
    with TestClient(carl.client.app, base_url="http://localhost", follow_redirects=False) as client:
        answer = client.get("/log", headers=[(b"cookie", cookie.encode("latin-1"))])
    assert answer.status_code == 303


# --- what is asked for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "PATCH", "CONNECT", "FOO"])
def test_other_methods_do_nothing(carl: Browser, method: str) -> None:
    for path in ("/", "/sign-in", "/me/password", "/static/desk.css"):
        answer = carl.client.request(method, path, headers={"x-probe": "echo me"})
        assert answer.status_code == 405, path
        assert "echo me" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/..%5capp.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/desk.css%00.html",
        "/static/.",
        "/static/",
        "/static/....//app.py",
    ],
)
def test_nothing_but_static_files_is_read(address: tuple[str, int], path: str) -> None:
    asked = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(asked)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split(b" ")[1] in (b"404", b"400", b"303")
    assert b"root:" not in answer
    assert b"FastAPI(" not in answer


@pytest.mark.parametrize(
    "injected",
    ["a\r\nSet-Cookie: planted=1", "a\nLocation: //evil.example", "a\x00b", "a%0d%0aSet-Cookie:%20planted=1"],
)
def test_no_header_is_made_of_what_somebody_sends(carl: Browser, injected: str) -> None:
    with TestClient(carl.client.app, base_url="http://localhost", follow_redirects=False) as client:
        for answer in (
            client.get("/log", params={"search": injected}),
            client.get("/sign-in", params={"back": injected}),
            client.post(
                "/sign-in",
                data={"name": injected, "password": "p", "back": injected},
                headers={"origin": "http://localhost"},
            ),
        ):
            assert "planted" not in str(answer.headers.get("set-cookie", ""))
            assert "evil" not in answer.headers.get("location", "").partition("?")[0]


def test_what_somebody_sends_is_shown_as_text(carl: Browser) -> None:
    script = "<script>alert(1)</script>"
    with TestClient(carl.client.app, base_url="http://localhost") as client:
        fields = {"name": script, "password": "p", "back": f'/"{script}'}
        pages = [
            client.post("/sign-in", data=fields, headers={"origin": "http://localhost"}),
            client.get("/sign-in", params={"back": f'/"{script}'}),
            client.get(f"/{script}"),
        ]
    for page in pages:
        assert script not in page.text
    assert script.replace("<", "&lt;").replace(">", "&gt;") in pages[0].text


# --- what it shows, and what it bears -------------------------------------------------------------------------------


def test_a_mistake_of_ours_shows_no_trace_of_itself(site: Config, caplog: pytest.LogCaptureFixture) -> None:
    app: FastAPI = build(site)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        browser = Browser(client)
        browser.sign_in("carl")
        with closing(Log(log_path(site))) as log, log.transaction():
            log.db.execute("ALTER TABLE message RENAME COLUMN subject TO secret_column")
        answer = browser.get("/log")
    assert answer.status_code == 500
    assert "The desk made a mistake" in answer.text
    for word in ("Traceback", "secret_column", "sqlite", "select", ".py", "subject"):
        assert word.lower() not in answer.text.lower(), word
    assert "page failed path=/log" in caplog.text


def test_slow_clients_hold_up_nobody(address: tuple[str, int]) -> None:
    """Some send their request letter by letter, some never end it, some do not read what they asked for."""
    slow = [socket.create_connection(address, timeout=10) for _ in range(30)]
    try:
        for number, connection in enumerate(slow):
            if number % 3 == 0:
                connection.sendall(b"GET /sign-in HT")
            elif number % 3 == 1:
                connection.sendall(b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7000000\r\n\r\nname=")
            else:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                connection.sendall(b"GET /static/desk.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        began = time.monotonic()
        for _ in range(5):
            assert status_of(address, b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n") == 200
        assert time.monotonic() - began < 5
    finally:
        for connection in slow:
            connection.close()


def test_people_who_sign_in_take_no_thread_from_those_who_work(site: Config) -> None:
    """Forty at once, each from a place of its own, so that no limit of failed ones stops them."""
    proxied = site.model_copy(update={"desk": site.desk.model_copy(update={"listen": "unix:/run/desk.sock"})})
    with browsing(proxied, "carl") as browser:
        go, codes = threading.Event(), []

        def flood(number: int) -> None:
            headers = {"origin": "http://localhost", "x-forwarded-for": f"203.0.113.{number}"}
            go.wait()
            fields = {"name": f"name {number}", "password": "wrong"}
            codes.append(browser.client.post("/sign-in", data=fields, headers=headers).status_code)

        threads = [threading.Thread(target=flood, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        go.set()
        took = []
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            assert browser.get("/log").status_code == 200
            took.append(time.monotonic() - began)
        for thread in threads:
            thread.join()
    assert set(codes) <= {403, 503}
    assert codes.count(403) >= 8
    assert 503 in codes, "or nobody was sent away, and this showed nothing"
    assert min(took) < 2


def test_sessions_of_a_user_who_is_gone_are_nobody(site: Config) -> None:
    with browsing(site, "vera") as browser, closing(Log(log_path(site))) as log:
        with log.transaction():
            log.db.execute("UPDATE user SET disabled_at = 1 WHERE name = 'vera'")
        assert "Sign in" in browser.get("/log").text
        with log.transaction():
            users.enable(log, "vera")
            users.sign_out_everywhere(log, "vera")
        assert "Sign in" in browser.get("/log").text
