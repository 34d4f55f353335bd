"""The command of the review desk in, its process kept running out: a thread's body; it ends with the worker."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from threading import Event

from tenacity import RetryError

from triaged.errors import Transient
from triaged.worker.beats import Beats
from triaged.worker.retry import patiently

PART = "desk"
LOOK_S, END_S = 1.0, 5.0
"""Between looks whether it lives; and how long it may take to end."""
STEADY_S = 15.0
"""So long it must live to be called well: one that finds its port taken ends sooner, each time anew, and that is one
trouble until it is over."""

Health = Callable[[str, str, str], None]


def keep_running(
    command: Sequence[str], *, stop: Event, beats: Beats, health: Health, steady_s: float = STEADY_S
) -> None:
    """Run it until stopped. When it ends by itself that is told, and it is begun again: at once if it was well, else
    after a while, each time a longer one."""
    beats.retire(PART)  # its process is looked at each second; that it waits is no hang
    live = partial(_live, command, stop=stop, health=health, steady_s=steady_s)

    def told(error: BaseException, wait_s: float) -> None:
        health(PART, "trouble", f"{error}; next try in {wait_s:.0f} s")

    while not stop.is_set():
        with suppress(RetryError):  # stopped
            patiently(stop, Transient, told)(live)


def _live(command: Sequence[str], *, stop: Event, health: Health, steady_s: float) -> None:
    """One process, to its end. Raises: Transient when it ends before it was ever well."""
    lived_s = 0.0
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:  # noqa: S603 - a command of ours
        while not stop.wait(LOOK_S):
            if process.poll() is not None:
                words = f"the review desk ended (exit code {process.returncode}); the journal says why"
                if lived_s < steady_s:
                    raise Transient(words)
                health(PART, "trouble", words)
                return
            lived_s += LOOK_S
            if lived_s - LOOK_S < steady_s <= lived_s:
                health(PART, "ok", "")
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
