"""F13: a million mutated mails, a million hostile answers, structures of 20 MB; short runs are in `tests/fuzz`."""

from __future__ import annotations

import os
from pathlib import Path

from tests.fuzz import answers, mails, torture

MILLION = "1000000"


def long_run(folder: Path) -> None:
    """Each prints its own line."""
    jobs = str(os.cpu_count() or 1)
    assert torture.main() == 0
    assert mails.main(["--count", MILLION, "--jobs", jobs, "--out", str(folder)]) == 0
    assert answers.main(["--count", MILLION, "--jobs", jobs]) == 0
