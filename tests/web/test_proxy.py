"""The desk on a unix socket behind a proxy that says who it is: over a real socket, with the program as it is run."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.web.site import CSRF, PASSWORD, browsing, copied, desk_with, set_in_desk, started
from triaged.errors import Permanent
from triaged.log import users
from triaged.log.store import Log
from triaged.settings import Config
from triaged.web.serve import listening
from triaged.wire import log_path
from triaged.worker.service import utc_now

HEADER = "X-Remote-User"


def client_of(path: Path, **headers: str) -> httpx.Client:
    """As the proxy: what it adds to each request."""
    transport = httpx.HTTPTransport(uds=str(path))
    return httpx.Client(transport=transport, base_url="http://localhost", headers=headers)


@pytest.fixture(scope="module")
def path(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a running desk that believes the proxy; lena and max sign in elsewhere."""
    folder = tmp_path_factory.mktemp("run")
    path, site = folder / "desk.sock", copied(night, folder / "desk")
    with closing(Log(log_path(site))) as log, log.transaction():
        for name in ("lena", "max"):
            users.put_user(log, name, role="operator", password="", person="", now=utc_now())
    set_in_desk(site, "listen", f"unix:{path}")
    set_in_desk(site, "user_header", HEADER)
    with started(site, str(path)):
        yield path


def test_whoever_the_proxy_names_is_signed_in_and_nobody_else(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with client_of(path) as proxy:
        lena = {HEADER: "Lena"}
        page = proxy.get("/log?category=request", headers=lena, follow_redirects=True)
        assert page.status_code == 200
        assert page.url.path == "/log"
        assert ">lena</a>" in page.text
        assert "Sign out" not in page.text

        cookie = proxy.cookies["triaged"]
        assert proxy.get("/log").headers["location"].startswith("/sign-in"), "the cookie alone signs in nobody"
        nobody = proxy.get("/sign-in")
        assert (nobody.status_code, "does not say who you are" in nobody.text) == (403, True)
        twice = proxy.get("/log", headers=[(HEADER, "lena"), (HEADER, "otto")])
        assert twice.headers["location"].startswith("/sign-in"), "a name that is given twice is none"

        page = proxy.get("/log", headers={HEADER: "max"}, follow_redirects=True)
        assert ">max</a>" in page.text
        assert proxy.cookies["triaged"] != cookie, "another name is another session"

        for name in ("otto", "vera", "stranger", "", "ma x"):
            answer = proxy.get("/log", headers={HEADER: name}, follow_redirects=True)
            assert answer.status_code == 403, name


def test_a_form_still_needs_the_token_of_its_session(path: Path) -> None:
    with client_of(path, **{HEADER: "lena"}) as proxy:
        page = proxy.get("/people", follow_redirects=True)
        found = CSRF.search(page.text)
        assert found is not None
        fields = {"name": "max", "role": "viewer"}
        assert proxy.post("/people/change", data=fields).status_code == 403
        assert proxy.post("/people/change", data={**fields, "csrf": found[1]}).status_code == 303
        as_max = {HEADER: "max"}
        stolen = proxy.post("/people/change", data={**fields, "csrf": found[1]}, headers=as_max)
        assert stolen.headers["location"].startswith("/sign-in")


def test_a_password_is_not_asked_for(path: Path) -> None:
    fields = {"name": "otto", "password": PASSWORD}
    with client_of(path) as proxy:
        answer = proxy.post("/sign-in", data=fields, headers={"origin": "http://localhost"})
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_a_second_desk_does_not_take_the_socket_and_a_left_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "desk.sock"
    with listening(path), pytest.raises(Permanent, match=r"is served on .* already"):
        listening(path)
    assert path.exists(), "as a killed desk leaves it"
    with listening(path), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
    plain = tmp_path / "plain"
    plain.write_text("kept", encoding="utf-8")
    with pytest.raises(Permanent, match="is no socket"):
        listening(plain)
    assert plain.read_text(encoding="utf-8") == "kept"
    with pytest.raises(Permanent, match="RuntimeDirectory"):
        listening(tmp_path / "nowhere" / "desk.sock")


def test_on_a_port_nobody_is_believed(site: Config) -> None:
    with pytest.raises(ValueError, match="user_header needs listen"):
        desk_with(site, user_header=HEADER)


def test_failed_sign_ins_count_by_what_the_proxy_wrote_last(site: Config) -> None:
    with browsing(desk_with(site, listen="unix:/run/desk.sock")) as browser:

        def tried(forwarded: str, password: str = "wrong") -> int:
            headers = {"origin": "http://localhost", "x-forwarded-for": forwarded}
            fields = {"name": "carl", "password": password}
            return browser.client.post("/sign-in", data=fields, headers=headers, follow_redirects=False).status_code

        codes = [tried(f"10.0.0.{number}, 203.0.113.7") for number in range(6)]
        assert codes == [403] * 5 + [429], "what a client itself wrote counts for nothing"
        assert tried("203.0.113.7", PASSWORD) == 429
        assert tried("203.0.113.8", PASSWORD) == 303, "from another place he signs in"
        sites = [tried(f"2001:db8:1:2::{number}") for number in range(1, 7)]
        assert sites == [403] * 5 + [429], "a /64 is one place"
        assert tried("2001:db8:1:3::1", PASSWORD) == 303


def test_on_a_port_a_forwarded_address_counts_for_nothing(site: Config) -> None:
    with browsing(site) as browser:
        codes = [
            browser.client.post(
                "/sign-in",
                data={"name": "carl", "password": "wrong"},
                headers={"origin": "http://localhost", "x-forwarded-for": f"203.0.113.{number}"},
            ).status_code
            for number in range(6)
        ]
    assert codes == [403] * 5 + [429]
