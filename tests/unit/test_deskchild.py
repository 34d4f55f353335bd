"""The desk's process: begun, noticed when it ends by itself, ended with the worker."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from triaged.errors import Transient
from triaged.worker.beats import Beats
from triaged.worker.deskchild import keep_running


def test_a_desk_that_ends_by_itself_is_told() -> None:
    told: list[tuple[str, str, str]] = []
    command = (sys.executable, "-c", "raise SystemExit(3)")
    with pytest.raises(Transient, match="exit code 3"):
        keep_running(command, stop=threading.Event(), beats=Beats(), health=lambda *each: told.append(each))
    assert told == [("desk", "ok", "")]


def test_the_desk_ends_when_the_worker_does(tmp_path: Path) -> None:
    told, stop = tmp_path / "told", threading.Event()
    program = (
        "import pathlib, signal, sys, time\n"
        f"told = pathlib.Path({str(told)!r})\n"
        "signal.signal(signal.SIGTERM, lambda *_: (told.write_text('ended'), sys.exit()))\n"
        "told.write_text('runs')\n"
        "signal.pause()\n"
    )
    keeper = threading.Thread(
        target=keep_running,
        args=((sys.executable, "-c", program),),
        kwargs={"stop": stop, "beats": Beats(), "health": lambda *_: None},
    )
    keeper.start()
    waiting = threading.Event()
    for _ in range(200):
        if told.exists() and told.read_text() == "runs":
            break
        waiting.wait(0.05)
    stop.set()
    keeper.join(20)
    assert not keeper.is_alive()
    assert told.read_text() == "ended"
