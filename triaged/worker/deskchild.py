"""The command of the review desk in, its process kept running out: a thread's body; it ends with the worker."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from threading import Event

from triaged.errors import Transient
from triaged.worker.beats import Beats

PART = "desk"
LOOK_S, END_S = 1.0, 5.0
"""Between looks whether it lives; and how long it may take to end."""


def keep_running(command: Sequence[str], *, stop: Event, beats: Beats, health: Callable[[str, str, str], None]) -> None:
    """Run it until stopped. Raises: Transient when it ends by itself; it is begun again then, after a while."""
    beats.retire(PART)  # its process is looked at each second; that it waits is no hang
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:  # noqa: S603 - a command of ours
        health(PART, "ok", "")
        while not stop.wait(LOOK_S):
            if process.poll() is not None:
                raise Transient(f"the review desk ended (exit code {process.returncode}); the journal says why")
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
