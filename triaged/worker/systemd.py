"""States in, messages to systemd out (sd_notify(3)): READY, RELOADING, STOPPING, WATCHDOG; nothing without systemd."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import Future, wait


def notify(state: str) -> bool:
    """Send `state` (lines of NAME=value); False when no `$NOTIFY_SOCKET` is there. Never raises for a lost message."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path == "":
        return False
    if path[0] == "@":
        path = "\0" + path[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
        try:
            line.connect(path)
            line.sendall(state.encode())
        except OSError:
            return False
    return True


def reloading() -> bool:
    """RELOADING=1 with the monotonic time that systemd 253's notify-reload asks for."""
    return notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def still_starting(begun: Future[None], *, every_s: float = 20.0) -> None:
    """Wait for what may take minutes at the start (a log of an earlier version is brought up to date), and say so.

    Else systemd kills a start that takes longer than TimeoutStartSec, each time anew. Raises: what `begun` does.
    """
    while not wait((begun,), every_s).done:
        notify(f"EXTEND_TIMEOUT_USEC={int(every_s * 3_000_000)}\nSTATUS=bringing the log up to date")
    begun.result()


def watchdog_interval_s() -> float | None:
    """How often to feed the watchdog: a third of `$WATCHDOG_USEC`, None when it is not for us."""
    limit_us, pid = os.environ.get("WATCHDOG_USEC"), os.environ.get("WATCHDOG_PID")
    if not limit_us or (pid and int(pid) != os.getpid()):
        return None
    return int(limit_us) / 3_000_000
