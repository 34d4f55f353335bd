"""What tests of the desk share: the demo's night, played once, and somebody who looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.site import Browser, browsing, copied, play_night
from triaged.settings import Config


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
