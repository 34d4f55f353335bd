"""A set of files that is not in use in, what a command of ours says of it out: in a process of its own, for the memory.

Judging examples and past mail takes the model, some 60 MB and a second to load; the desk itself does without.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Semaphore
from typing import Any

from triaged.errors import Permanent
from triaged.settings import Config
from triaged.written import Written

PREFIX = "desk-draft-"
LEFT_S = 3600
"""A folder older than that was left by a desk that was killed."""
WRONG = 2
"""Exit code of a command that found something wrong in the files, and says what."""
SHOWN_LINES = 5
AT_ONCE = Semaphore(2)
"""So that a try of past mail leaves room for one that saves."""


@contextmanager
def laid(config: Config, written: Written) -> Iterator[Path]:
    """The files in a folder of their own in the state folder, which others cannot look into; removed afterwards."""
    for left in config.state_dir.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFT_S:
                shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=config.state_dir))  # mode 0700
    try:
        for part in ("rules", "templates"):
            (folder / part).mkdir()
        for name, octets in written.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(octets)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def say(
    config: Config,
    *words: str,
    within_s: float,
    begun: Callable[[subprocess.Popen[bytes]], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """What `triaged WORDS --json` prints, an object a line. begun: told its process, to end it early.

    Raises: Permanent when it says why it cannot, or takes too long.
    """
    command = [sys.executable, "-m", "triaged", *words, "--json", "--config", str(config.file.resolve())]
    if not AT_ONCE.acquire(timeout=within_s):
        raise Permanent("the desk is busy with other drafts; try again in a moment")
    try:
        out, err, code = _run(command, within_s, begun)
    finally:
        AT_ONCE.release()
    if code not in (0, WRONG) or (code == WRONG and out == b""):
        told = [line.strip("✗ ") for line in err.decode("utf-8", "replace").splitlines() if line.strip() != ""]
        raise Permanent("; ".join(told[-SHOWN_LINES:]) or f"it ended with exit code {code}")
    return [json.loads(line) for line in out.decode().splitlines()]


def _run(
    command: list[str], within_s: float, begun: Callable[[subprocess.Popen[bytes]], None]
) -> tuple[bytes, bytes, int]:
    """Standard output, standard error, exit code. Raises: Permanent."""
    env = {**os.environ, "NO_COLOR": "1"}
    with subprocess.Popen(  # noqa: S603 - a command of ours; no shell reads it
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as process:
        begun(process)
        try:
            out, err = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Permanent(f"it took longer than {within_s:.0f} s and was ended; nothing was changed") from None
    return out, err, process.returncode
