"""What tests of the desk share: the demo's night, played once; a browser, skipped by name where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, sync_playwright

from tests.web.site import Browser, browsing, copied, play_night
from triaged.settings import Config

NEEDS = "Chromium is not installed (Debian: chromium)"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo's night; not to be changed: see `site`."""
    return play_night(tmp_path_factory.mktemp("night") / "desk").base


@pytest.fixture
def site(night: Path, tmp_path: Path) -> Config:
    """A copy of that night."""
    return copied(night, tmp_path / "desk")


@pytest.fixture(scope="session")
def held_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same night, with every answer held until a person approves it; not to be changed: see `held_site`."""
    return play_night(tmp_path_factory.mktemp("night") / "desk", send="approve").base


@pytest.fixture
def held_site(held_night: Path, tmp_path: Path) -> Config:
    """A copy of the night whose answers wait."""
    return copied(held_night, tmp_path / "desk")


@pytest.fixture
def carl(site: Config) -> Iterator[Browser]:
    """A coordinator at the desk."""
    with browsing(site, "carl") as browser:
        yield browser


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """Headless Chromium."""
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail(NEEDS)
        pytest.skip(NEEDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Chromium) -> Iterator[Page]:
    """A page without history or cookies."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    yield context.new_page()
    context.close()
