"""The desk's process: begun, noticed when it ends by itself, ended with the worker."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from triaged.worker.beats import Beats
from triaged.worker.deskchild import keep_running


def told_of(program: str, *, steady_s: float, count: int) -> list[tuple[str, str, str]]:
    """The first so many things that are told of a desk of that program."""
    told: list[tuple[str, str, str]] = []
    stop = threading.Event()

    def health(part: str, state: str, detail: str) -> None:
        told.append((part, state, detail))
        if len(told) == count:
            stop.set()

    command = (sys.executable, "-c", program)
    keep_running(command, stop=stop, beats=Beats(), health=health, steady_s=steady_s)
    return told


def test_a_desk_that_cannot_begin_is_in_trouble_until_it_can() -> None:
    told = told_of("raise SystemExit(3)", steady_s=60, count=2)
    assert [each[:2] for each in told] == [("desk", "trouble")] * 2
    assert "the review desk ended (exit code 3); the journal says why; next try in" in told[0][2]


def test_a_desk_that_ends_after_it_was_well_is_told_and_begun_again() -> None:
    told = told_of("import time; time.sleep(1.5); raise SystemExit(3)", steady_s=1, count=3)
    assert [each[1] for each in told] == ["ok", "trouble", "ok"]
    assert "exit code 3" in told[1][2]


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
