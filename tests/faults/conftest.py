"""What the trials stand on, once a session; skipped by name where Dovecot is not installed (never in CI)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.faults.ground import Ground, running_ground
from tests.servers import dovecot as dovecot_server


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    if not dovecot_server.is_installed():
        if os.environ.get("CI") == "true":
            pytest.fail(dovecot_server.NEEDS)
        pytest.skip(dovecot_server.NEEDS)
    with running_ground(tmp_path_factory.mktemp("faults")) as stands:
        yield stands
