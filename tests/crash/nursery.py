"""Orders in (a line of JSON each over TCP), lives of the worker out: a warm process that forks one for every order.

spaCy, the model and the rules are loaded once, before the first fork, so that a life costs tenths of a second.
A life runs the real `Service.run(once=True)` on the site's own `config.toml`. Three things in it are not as in
production: the triage process, which would be started anew for 2 s, is `TriageHere`, the same `triage()` in the
same process; model and rules come loaded; and idle threads look for the end of the run more often.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Thread, Timer
from typing import IO, Any

from tests.crash import faults
from tests.crash.points import Point, Points
from tests.crash.sites import ACCOUNTS, mails
from triaged import loading, wire
from triaged.accounts.match import directory
from triaged.backends.smtp import SmtpSettings
from triaged.config import load_config
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.mail.donotanswer import DoNotAnswer
from triaged.model import Locator, Raw
from triaged.playbook import Playbook
from triaged.worker import intake, service, watch, writer
from triaged.worker.service import Service, utc_now
from triaged.worker.triage import Build, Desk, Loaded, Triaged, Unreadable, loaded_of, triage
from triaged.written import Written

IDLE_S = 0.02
TICK_S, PAUSE_S, ANSWER_S = 0.1, 0.1, 2.0
"""Of a life that stays: it ends, comes back to a server that is there, and gives up a silent one sooner."""
ORDER_LIMIT_S = 60.0
"""A life that takes longer hangs."""


class TriageHere:
    """Stands in for `TriageProcess`."""

    def __init__(
        self,
        *,
        build: Build,
        list_path: Path,
        log_path: Path,
        limits: Any,
        beat: Callable[[], None],
        on_loaded: Callable[[Loaded], None],
    ) -> None:
        self._build, self._log_path, self._on_loaded = build, log_path, on_loaded

    def start(self, written: Written | None = None) -> Loaded:
        self._playbook = self._build(written=written)
        loaded = loaded_of(self._playbook)
        self._on_loaded(loaded)
        return loaded

    def triage(self, raws: Sequence[Raw], *, now: datetime) -> list[Triaged | Unreadable]:
        reader = Reader(self._log_path)
        accounts = directory(reader.accounts())
        decided = triage(raws, desk=Desk(self._playbook, accounts, reader, DoNotAnswer()), now=now)
        reader.close()
        return decided

    def kill(self) -> None:
        """There is no process."""


def main() -> None:
    """Load everything, say the port, then fork for every order until killed."""
    config = load_config(Path(sys.argv[1]))
    model, written = loading.model_of(config), loading.rules_and_templates(config)
    _decide_once(loading.build_playbook(config, dry=True))
    vars(loading).update(model_of=lambda _: model, rules_and_templates=lambda *_: written)
    vars(service).update(TriageProcess=TriageHere)
    vars(intake).update(IDLE_S=IDLE_S)
    vars(writer).update(IDLE_S=IDLE_S)
    gc.freeze()
    with _Server(("127.0.0.1", 0), _Life) as server:
        print(server.server_address[1], flush=True)  # noqa: T201 - to the test that started it
        server.serve_forever()


def _decide_once(playbook: Playbook) -> None:
    """The first mail loads stop words, templates and locales; no life should pay for that."""
    now = utc_now()
    raws = [Raw(Locator("desk", "inbox", str(size)), now, octets, size) for size, octets in enumerate(mails(now))]
    decided = triage(raws, desk=Desk(playbook, directory(ACCOUNTS), None, DoNotAnswer()), now=now)
    assert all(isinstance(each, Triaged) for each in decided)


class _Server(socketserver.ForkingMixIn, socketserver.TCPServer):
    request_queue_size = 64


class _Life(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Live as ordered; a life that was killed answers nothing."""
        order = json.loads(self.rfile.readline())
        try:
            if order.get("stay"):
                answer = _stay(Path(order["site"]), self.rfile, order.get("dies_after_s"))
            else:
                answer = _live(
                    Path(order["site"]), order["trace"], order["kill_at"], order["fault"], order["only_open"]
                )
        except BaseException:
            answer = [traceback.format_exc()]
        self.wfile.write(json.dumps(answer).encode())


def _stay(site: Path, orders: IO[bytes], dies_after_s: float | None) -> list[str]:
    """`triaged run`, not once: until a line comes or the one who ordered it is gone, or killed after so long."""
    if dies_after_s is not None:
        Timer(dies_after_s, os.kill, (os.getpid(), signal.SIGKILL)).start()
    vars(service).update(TICK_S=TICK_S)
    vars(watch).update(PAUSE_S=PAUSE_S)
    vars(wire).update(SmtpSettings=partial(SmtpSettings, answer_s=ANSWER_S))
    living = Service(wire.parts_of(load_config(site / "config.toml")))
    Thread(target=lambda: (orders.readline(), living.stop()), daemon=True).start()
    return list(living.run(once=False))


def _live(site: Path, trace: str, kill_at: list[Any] | None, fault: str | None, only_open: bool) -> list[str]:
    points = Points(site, site / trace, (kill_at[0], kill_at[1]) if kill_at is not None else None)
    config = load_config(site / "config.toml")
    if fault is not None:
        vars(faults)[fault]()
    if only_open:
        points.watch_log()
        Log(wire.log_path(config)).close()
        return []
    points.watch_everything()
    return list(Service(wire.parts_of(config)).run(once=True))


# --- the side of the tests ------------------------------------------------------------------------------------


class Nursery:
    """A running nursery; `life` may be called by several threads."""

    def __init__(self, port: int, said: Path) -> None:
        self._port, self.said = port, said

    @contextmanager
    def staying(self, site: Path) -> Iterator[None]:
        """The worker runs on `site` as the service does, until the block ends; it must then end well."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=ORDER_LIMIT_S) as connection:
            connection.sendall(json.dumps({"site": str(site), "stay": True}).encode() + b"\n")
            yield
            connection.sendall(b"end\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer == b"[]", answer or f"a life ended by itself: {self.said.read_text()[-2000:]}"

    def killed(self, site: Path, *, after_s: float) -> None:
        """The worker runs on `site` as the service does and is killed after so long."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=ORDER_LIMIT_S) as connection:
            order = {"site": str(site), "stay": True, "dies_after_s": after_s}
            connection.sendall(json.dumps(order).encode() + b"\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer == b"", f"it ended before it was killed: {answer!r}"

    def life(
        self, site: Path, *, trace: str, kill_at: Point | None = None, fault: str | None = None, only_open: bool = False
    ) -> list[str] | None:
        """Run the worker once on `site`: what it could not do, in words; None when it was killed."""
        order = {"site": str(site), "trace": trace, "kill_at": kill_at, "fault": fault, "only_open": only_open}
        with socket.create_connection(("127.0.0.1", self._port), timeout=ORDER_LIMIT_S) as connection:
            connection.sendall(json.dumps(order).encode() + b"\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        if answer == b"":
            assert kill_at is not None, f"a life ended by itself: {self.said.read_text()[-2000:]}"
            return None
        failures: list[str] = json.loads(answer)
        return failures


@contextmanager
def running_nursery(config: Path, said: Path) -> Iterator[Nursery]:
    """`config`: whose rules and templates are loaded; every site must have the same. `said`: where its words go."""
    command = [sys.executable, "-m", "tests.crash.nursery", str(config)]
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[2]
    with said.open("w") as words:
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=words, env=alone, text=True)
    assert process.stdout is not None
    with process.stdout:
        port = process.stdout.readline()
        try:
            assert port != "", said.read_text()
            yield Nursery(int(port), said)
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
