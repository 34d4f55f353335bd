"""What unit tests of the log share: where it lies, the log open for writing and for reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.desk import open_log
from triaged.log.read import Reader
from triaged.log.store import Log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "triaged.db"


@pytest.fixture
def log(path: Path) -> Iterator[Log]:
    opened = open_log(path)
    yield opened
    opened.close()


@pytest.fixture
def reader(log: Log, path: Path) -> Iterator[Reader]:
    with closing(Reader(path)) as opened:
        yield opened
