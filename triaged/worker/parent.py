"""A process that the worker began in; that it ends with the worker, however that ends, out (prctl(2))."""

from __future__ import annotations

import ctypes
import signal

PR_SET_PDEATHSIG = 1
"""The signal that this process gets when its parent ends."""


def end_with_parent(by: signal.Signals = signal.SIGTERM) -> None:
    """One that hangs, or waits for people, does not outlive a killed worker."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, by)
