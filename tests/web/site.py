"""A desk for tests: the demo's night behind it, somebody signed in, a browser that looks at it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2 as httpx
from playwright.sync_api import Page
from starlette.testclient import TestClient

from triaged.config import load_config
from triaged.demo.play import lay_out
from triaged.log import users
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.log.users import Role
from triaged.settings import Config, DeskTable
from triaged.web.app import build
from triaged.web.signin import hashed
from triaged.wire import log_path, parts_of
from triaged.worker.service import Service

PASSWORD = "correct horse battery"
HASHED = hashed(PASSWORD)
"""Once, for a hash takes its time."""
PEOPLE: dict[str, Role] = {"vera": "viewer", "carl": "coordinator", "mona": "manager", "otto": "operator"}
"""One of each role."""
CSRF = re.compile(r'<meta name="csrf" content="([^"]+)">')


def play_night(folder: Path, *, send: str = "auto") -> Config:
    """The demo's sixty mails, worked on; and one user of each role. send: how answers leave, as in config.toml."""
    config = lay_out(folder, datetime.now(UTC))
    if send != "auto":
        text = config.file.read_text(encoding="utf-8")
        config.file.write_text(text.replace('\nsend = "auto"', f'\nsend = "{send}"'), encoding="utf-8")
        config = load_config(config.file)
        assert config.acknowledge.send == send
    work(config)
    add_users(config)
    return config


def work(config: Config) -> None:
    """Have the worker do what there is to do."""
    failures = Service(parts_of(config)).run(once=True)
    assert failures == ()


def add_users(config: Config) -> None:
    """One of each role."""
    with closing(Log(log_path(config))) as log, log.transaction():
        for name, role in PEOPLE.items():
            users.put_user(log, name, role=role, password=HASHED, person="", now=datetime.now(UTC))


def copied(night: Path, folder: Path) -> Config:
    """That night in another folder, to be changed."""
    shutil.copytree(night, folder)
    return load_config(folder / "config.toml")


def desk_with(config: Config, **values: object) -> Config:
    """The same site with other values in `[desk]`, checked as those of a file."""
    desk = DeskTable.model_validate({**config.desk.model_dump(), **values})
    return config.model_copy(update={"desk": desk})


@dataclass
class Browser:
    """Requests as a browser makes them, without script. csrf: what its forms carry."""

    client: TestClient
    csrf: str = ""

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        """Sign in; the pages after that are this user's."""
        response = self.client.post(
            "/sign-in", data={"name": name, "password": password}, headers={"origin": "http://localhost"}
        )
        found = CSRF.search(response.text)
        self.csrf = found[1] if found is not None else ""
        return response

    def get(self, path: str) -> httpx.Response:
        """A page."""
        return self.client.get(path)

    def post(self, path: str, **fields: str | list[str]) -> httpx.Response:
        """A form of a page that was opened."""
        return self.client.post(path, data={"csrf": self.csrf, **fields})


@contextmanager
def browsing(config: Config, name: str = "") -> Iterator[Browser]:
    """The application in this process; name: who is signed in, `""` for nobody."""
    with TestClient(build(config), base_url="http://localhost", raise_server_exceptions=False) as client:
        browser = Browser(client)
        if name != "":
            browser.sign_in(name)
        yield browser


@contextmanager
def serving(config: Config) -> Iterator[str]:
    """`triaged desk` as a process of its own; gives its address."""
    with desk_process(config) as (address, _process):
        yield address


@contextmanager
def desk_process(config: Config) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Its address, and the process."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    set_in_desk(config, "listen", f"127.0.0.1:{port}")
    address = f"http://127.0.0.1:{port}"
    with started(config, ("127.0.0.1", port)) as process:
        yield address, process


@contextmanager
def started(config: Config, where: str | tuple[str, int]) -> Iterator[subprocess.Popen[bytes]]:
    """`triaged desk`, once somebody can connect: to the path of a socket, or to host and port."""
    command = [sys.executable, "-m", "triaged", "desk", "--config", str(config.file)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            _wait_for(where, process)
            yield process
        finally:
            process.terminate()


def set_in_desk(config: Config, key: str, value: str) -> None:
    """A key of `[desk]` in the file."""
    text = config.file.read_text(encoding="utf-8")
    desk = text.index("[desk]")
    changed = re.sub(rf'(?m)^{key} = "[^"]*"', f'{key} = "{value}"', text[desk:], count=1)
    config.file.write_text(text[:desk] + changed, encoding="utf-8")


def _wait_for(where: str | tuple[str, int], process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < give_up_at:
        with socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET) as probe:
            if probe.connect_ex(where) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the desk does not answer")


def sign_in(page: Page, address: str, name: str, *, back: str = "/") -> None:
    """In a real browser, by keyboard."""
    page.goto(f"{address}/sign-in?back={back}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(address + back)


def mails(config: Config) -> dict[str, int]:
    """The numbers of the mails by their subjects."""
    with closing(Reader(log_path(config))) as reader:
        return {row.subject: row.id for row in reader.rows(limit=1000)}
