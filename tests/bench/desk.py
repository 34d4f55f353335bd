"""A number of mails in; how long each page of the review desk takes over such a log, beside a floor, out.

Meanwhile a worker's writes go on, one commit a mail. The floor is the least that a page can cost: a session looked up
by its key, and an empty answer. `python -m tests.bench.desk`; a million mails need 22 GB and some 20 minutes.
"""

from __future__ import annotations

import json
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from math import ceil
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.bench.desklog import ACCOUNTS, accounts, build, lay_out, word
from tests.bench.worker import TICK_S
from triaged.config import load_config
from triaged.log import users
from triaged.log.people import put_accounts
from triaged.log.store import Log
from triaged.settings import Config
from triaged.wire import log_path

AIM_MS = 200
PER_S = 50
"""Mails that are written meanwhile."""
PATIENCE_S = 120
FLOOR = "/api/me"
PAGES = (
    "/log",
    "/log?after={mail}",
    "/log?sort=oldest",
    "/log?sort=due",
    "/log?sort=risk",
    "/log?sort=sender&after={new}",
    "/log?category=complaint",
    "/log?category=renewal&account={account}",
    "/log?account={account}&sort=due",
    "/log?account=none",
    "/log?rule=Complaint, sure",
    "/log?rule=Complaint, sure&category=renewal&sure=no&mailbox=support",
    "/log?state=open&sort=due",
    "/log?state=waiting",
    "/log?state=held",
    "/log?state=done&owner=lena",
    "/log?state=quarantined",
    "/log?sure=no",
    "/log?since={day}&until={day}&category=complaint",
    "/log?search=please",
    "/log?search=invoice",
    "/log?search={rare}",
    "/log?search={word}",
    "/log?search={word}&sort=risk",
    '/log?search="please send"',
    "/log?search=inv*",
    "/log?search=invoice&account={account}",
    "/log?search=invoice&category=renewal&sure=no",
    "/log?search=please&since={day}&until={day}",
    "/api/mails?category=request&limit=100",
    "/api/items",
    "/api/accounts",
    "/api/status",
    "/api/mails/{mail}",
    "/",
    "/queue",
    "/items",
    "/mail/{mail}",
    "/accounts",
    "/accounts/{account}",
    "/calls",
    "/rules",
    "/templates",
)
"""What is asked for; a page that is not there is left out and named."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one page took, in ms, what of it the desk's process was at work, on average, and how many octets it had."""

    page: str
    took_ms: list[float]
    cpu_ms: float
    octets: int


def main(
    mails: Annotated[int, typer.Option(help="Mails in the log.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(help="Times that each page is asked for.")] = 40,
    site: Annotated[
        Path | None, typer.Option(help="Where the log is made, and kept; one that is there is used.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the review desk on this machine."""
    with _folder(site) as folder, Progress(console=Console(stderr=True)) as bar:
        config, migrated_s = _log(folder, mails, bar)
        with _writing(config) as written, _serving(config) as (port, pid, cookie):
            ask = Client(port, cookie)
            ask.get(FLOOR)
            began_mb = _rss_mb(pid)
            figures, absent = _measure(ask, pid, mails, rounds, bar)
            ended_mb = _rss_mb(pid)
        told = written()
    memory = {"desk_rss_begin_mb": began_mb, "desk_rss_end_mb": ended_mb}
    around = {"mails": mails, "migrated_s": migrated_s, "written_per_s": told["per_s"], **memory, "not_there": absent}
    around |= {"commit_p50_ms": told["p50_ms"], "commit_p95_ms": told["p95_ms"]}
    if as_json:
        print(json.dumps(around | {"pages": [_row(each, figures[0]) for each in figures]}, indent=1))  # noqa: T201
    else:
        _print(figures, around)


@contextmanager
def _folder(site: Path | None) -> Iterator[Path]:
    if site is not None:
        site.mkdir(parents=True, exist_ok=True)
        yield site
        return
    with tempfile.TemporaryDirectory(prefix="triaged-bench-") as name:
        yield Path(name)


# --- what is measured ---------------------------------------------------------------------------------------------


def _log(site: Path, mails: int, bar: Progress) -> tuple[Config, float]:
    """The site with its log, and the seconds that bringing an earlier version's log up to date took."""
    if not (site / "config.toml").exists():
        build(lay_out(site), mails, bar=bar)
    config = load_config(site / "config.toml")
    began = time.monotonic()
    with closing(Log(log_path(config))) as log, log.transaction():
        took_s = time.monotonic() - began
        put_accounts(log, accounts())
        users.put_user(log, "bench", role="operator", password="", person="", now=datetime.now(UTC))
    return config, round(took_s, 1)


@contextmanager
def _serving(config: Config) -> Iterator[tuple[int, int, str]]:
    """`triaged desk` as a process: its port and number, and the cookie of somebody who signed in."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    plain = re.sub(r"\[desk\][^\[]*", "", config.file.read_text(encoding="utf-8"))
    config.file.write_text(f'{plain}[desk]\nlisten = "127.0.0.1:{port}"\n', encoding="utf-8")
    with closing(Log(log_path(config))) as log, log.transaction():
        session = users.begin_session(log, "bench", lasts=timedelta(days=1), now=datetime.now(UTC))
    command = [sys.executable, "-m", "triaged", "desk", "--config", str(config.file)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _await(port, process)
            yield port, process.pid, f"triaged={session.token}"
        finally:
            process.terminate()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < give_up_at:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the desk does not answer")


class Client:
    """One connection that is kept, as a browser's."""

    def __init__(self, port: int, cookie: str) -> None:
        self._line, self._headers = (
            HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S),
            {"cookie": cookie, "host": "localhost"},
        )

    def get(self, address: str) -> tuple[int, float, int]:
        """Status, ms until the last octet, octets."""
        began = time.perf_counter()
        try:
            self._line.request("GET", quote(address, safe="/?=&*"), headers=self._headers)
            answer = self._line.getresponse()
            body = answer.read()
        except TimeoutError:
            raise RuntimeError(f"{address} takes more than {PATIENCE_S} s") from None
        return answer.status, (time.perf_counter() - began) * 1000, len(body)


def _measure(ask: Client, pid: int, mails: int, rounds: int, bar: Progress) -> tuple[list[Figures], list[str]]:
    """The floor first, then every page; in a new order each time, so that none is always asked after the same one."""
    chance = random.Random(3)
    there = [page for page in (FLOOR, *PAGES) if ask.get(_filled(page, chance, mails))[0] != 404]
    took: dict[str, list[float]] = {page: [] for page in there}
    cpu_ms, octets = dict.fromkeys(there, 0.0), dict.fromkeys(there, 0)
    task = bar.add_task("pages", total=rounds * len(there))
    for _ in range(rounds):
        for page in chance.sample(there, len(there)):
            before_ms = _cpu_ms(pid)
            status, took_ms, octets[page] = ask.get(_filled(page, chance, mails))
            if status != 200:
                raise RuntimeError(f"{page} answers {status}")
            took[page].append(took_ms)
            cpu_ms[page] += (_cpu_ms(pid) - before_ms) / rounds
            bar.advance(task)
    return [Figures(page, took[page], cpu_ms[page], octets[page]) for page in there], sorted(set(PAGES) - set(there))


def _filled(page: str, chance: random.Random, mails: int) -> str:
    """The page's address with other values each time."""
    return page.format(
        mail=chance.randrange(1, mails),
        new=mails - chance.randrange(min(5_000, mails)),
        account=f"B-{int(ACCOUNTS ** chance.random()) - 1}",
        day=(datetime.now(UTC) - timedelta(days=chance.randrange(1, 300))).date(),
        word=word(chance.randrange(50, 1_000)),
        rare=word(chance.randrange(20_000, 90_000)),
    )


def _cpu_ms(pid: int) -> float:
    """Of all its threads; in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 * TICK_S


def _rss_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) // 1024


# --- what is written meanwhile --------------------------------------------------------------------------------------


@contextmanager
def _writing(config: Config) -> Iterator[Any]:
    """A process that writes as the worker does; called after its end, what is given tells how it went."""
    context = get_context("spawn")
    ended, told = context.Event(), context.SimpleQueue()
    process = context.Process(target=_write, args=(str(log_path(config)), ended, told))
    process.start()
    try:
        yield told.get
    finally:
        ended.set()
        process.join(60)


def _write(path: str, ended: Event, told: Any) -> None:
    """One mail and one commit each fiftieth of a second, and the full-text index brought up each second."""
    from tests.bench.desklog import written_again  # the other process needs no more than this

    took, began = [], time.perf_counter()
    with closing(Log(Path(path))) as log:
        for number, record in enumerate(written_again(log)):
            late_s = began + number / PER_S - time.perf_counter()
            if ended.wait(max(0.0, late_s)):
                break
            at = time.perf_counter()
            with log.transaction():
                record()
            took.append((time.perf_counter() - at) * 1000)
            if number % PER_S == 0:
                with log.transaction():
                    log.index_text(PER_S)
    seconds = time.perf_counter() - began
    told.put({"per_s": round(len(took) / seconds, 1), "p50_ms": round(median(took), 1), "p95_ms": round(_p95(took), 1)})


# --- what is printed ------------------------------------------------------------------------------------------------


def _p95(values: list[float]) -> float:
    return sorted(values)[ceil(len(values) * 0.95) - 1]


def _row(each: Figures, floor: Figures) -> dict[str, Any]:
    p50 = median(each.took_ms)
    return {
        "page": each.page,
        "p50_ms": round(p50, 1),
        "p95_ms": round(_p95(each.took_ms), 1),
        "max_ms": round(max(each.took_ms), 1),
        "cpu_ms": round(each.cpu_ms, 1),
        "ratio": round(p50 / median(floor.took_ms), 1),
        "kB": round(each.octets / 1000, 1),
    }


def _print(figures: list[Figures], around: dict[str, Any]) -> None:
    table = Table(title=f"{around['mails']:,} mails", caption=f"aim: p95 ≤ {AIM_MS} ms; ratio: p50 beside {FLOOR}")
    for column in ("page", "p50 ms", "p95 ms", "max ms", "CPU ms", "ratio", "kB"):
        table.add_column(column, justify="left" if column == "page" else "right", no_wrap=True)
    for each in figures:
        row = _row(each, figures[0])
        late = "[bold red]" if row["p95_ms"] > AIM_MS else ""
        table.add_row(*(f"{late}{value}" for value in row.values()))
    console = Console(width=130)
    console.print(table)
    for title, value in around.items():
        console.print(f"{title}: {value}", highlight=False)


if __name__ == "__main__":
    typer.run(main)
