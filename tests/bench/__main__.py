"""Options in, one table of speed and memory out, each figure beside a floor or an aim and measured in the same run."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.bench.floor import floor
from tests.bench.judging import Judging, judging, write_many_rules
from tests.bench.latency import latencies
from tests.bench.mails import make_mails, write_accounts
from tests.bench.sink import Sink, running_sink
from tests.bench.start import Start, start
from tests.bench.worker import ROLES, Run, run_through, running_worker, write_config
from tests.servers import dovecot as dovecot_server
from tests.servers.dovecot import Dovecot, running_dovecot
from triaged import shipped
from triaged.backends.imap.line import ImapSettings

RATIO_AIM = 0.4
MEMORY_AIM_MB = 400
LATENCY_AIM_S = 0.6
MANY_RULES = 10_000
SEED = 7


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured. floors: seconds."""

    mails: int
    answers: int
    answer_bytes: int
    floors: list[float]
    runs: list[Run]
    kept: list[Run]
    pushes: list[float]
    latencies: list[float]
    few: Judging
    many: Judging
    plain: Start
    exchange: Start


def bench(
    mails: Annotated[int, typer.Option(help="Mails in the mailbox.")] = 1_000,
    rounds: Annotated[int, typer.Option(help="Times that floor and worker each run, in turn.")] = 2,
    singles: Annotated[int, typer.Option(help="Mails delivered one by one.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the worker on this machine beside a floor; 2 to 4 minutes."""
    if not dovecot_server.is_installed():
        Console(stderr=True).print(f"the bench {dovecot_server.NEEDS}")
        raise typer.Exit(1)
    try:
        with _progress() as bar, _site() as site, running_dovecot() as dovecot, running_sink() as sink:
            figures = _measure(Bench(site, dovecot, sink, bar), mails, rounds=rounds, singles=singles)
    except RuntimeError as error:
        Console(stderr=True).print(f"the bench cannot go on: {error}", markup=False)
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps({title: value for title, _, value, _ in _rows(figures)}, indent=1))  # noqa: T201
    else:
        Console().print(_table(figures))


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement works with."""

    site: Path
    dovecot: Dovecot
    sink: Sink
    bar: Progress

    @property
    def accounts(self) -> Path:
        return self.site / "accounts.csv"

    def settings(self, name: str, *, user: str = "desk", keep_sent: bool = False, rules: str = "rules") -> Path:
        file = self.site / f"{name}.toml"
        ports = {"imap_port": self.dovecot.imap_port, "smtp_port": self.sink.port}
        return write_config(file, **ports, user=user, keep_sent=keep_sent, rules=rules)


def _measure(around: Bench, count: int, *, rounds: int, singles: int) -> Figures:
    preparing = around.bar.add_task("preparing", total=2)
    mails = make_mails(count, seed=SEED)
    _preload(around.dovecot, mails)
    around.bar.advance(preparing)
    few = _in_process(judging, around.settings("judging"), around.accounts, mails)
    around.bar.advance(preparing)
    if len(few.answered) < 0.9 * count:
        raise RuntimeError(f"only {len(few.answered)} of {count} mails would be answered: the mails are ill made")
    floors: list[float] = []
    runs: list[Run] = []
    for number in range(1, rounds + 1):
        floors.append(_floor(around, count, few.answer, f"floor {number}"))
        runs.append(_run(around, around.settings("plain"), count, few, f"worker {number}"))
    settings = around.settings("kept", keep_sent=True)
    kept = [_run(around, settings, count, few, "worker, with copies in Sent")]
    pushes, answers = _singles(around, few, singles)
    judged = around.bar.add_task(f"judging by {MANY_RULES} rules", total=1)
    settings = around.settings("many", rules="rules-many")
    many = _in_process(judging, settings, around.accounts, mails[: count // 2])
    around.bar.advance(judged)
    plain, exchange = start("triaged.wire"), start("triaged.wire, triaged.backends.ews.mailbox")
    if plain.libraries != [] or "exchangelib" not in exchange.libraries:
        raise RuntimeError(f"loading triaged brings {plain.libraries or 'nothing'}, Exchange {exchange.libraries}")
    return Figures(
        count, len(few.answered), len(few.answer), floors, runs, kept, pushes, answers, few, many, plain, exchange
    )


def _preload(dovecot: Dovecot, mails: list[bytes]) -> None:
    with dovecot.client() as client:
        for start in range(0, len(mails), 100):
            client.multiappend("INBOX", mails[start : start + 100])


def _in_process(work: Any, *arguments: Any) -> Any:
    """In a fresh process, as nothing else may slow it down."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _floor(around: Bench, count: int, answer: bytes, title: str) -> float:
    task = around.bar.add_task(title, total=count)
    settings = ImapSettings("127.0.0.1", around.dovecot.imap_port, "none", "desk@example.test", "desk-password")
    log = Path(tempfile.mkdtemp(dir=around.site)) / "floor.db"
    took_s, sent = _in_process(floor, settings, around.sink.port, answer, log)
    around.sink.arrivals()
    if sent != count:
        raise RuntimeError(f"the floor sent {sent} of {count} mails")
    around.bar.update(task, completed=count)
    return float(took_s)


def _run(around: Bench, settings: Path, count: int, few: Judging, title: str) -> Run:
    answers = len(few.answered)
    task = around.bar.add_task(title, total=answers)
    return run_through(
        settings,
        around.accounts,
        around.sink,
        mails=count,
        answers=answers,
        tell=lambda number: around.bar.advance(task, number),
    )


def _singles(around: Bench, few: Judging, count: int) -> tuple[list[float], list[float]]:
    task = around.bar.add_task("single mails through IDLE", total=count)
    made = make_mails(max(few.answered) + 1, seed=SEED)
    mails = [made[place] for place in few.answered[:count]]
    settings = around.settings("singles", user="ann")
    around.sink.arrivals()
    with running_worker(settings, around.accounts) as worker:
        worker.await_said("ready mailboxes=1")
        port = around.dovecot.imap_port
        tell = lambda number: around.bar.advance(task, number)  # noqa: E731 - one line beside its use
        return latencies(around.dovecot, around.sink, mails, user="ann", port=port, tell=tell)


@contextmanager
def _site() -> Iterator[Path]:
    """A folder with rules (few and many), templates and accounts."""
    with tempfile.TemporaryDirectory(prefix="triaged-bench-") as name:
        site = Path(name)
        shutil.copytree(shipped.shipped("templates"), site / "templates")
        for rules in ("rules", "rules-many"):
            shutil.copytree(shipped.STARTER_RULES, site / rules)
        write_many_rules(site / "rules-many", MANY_RULES, seed=SEED)
        write_accounts(site / "accounts.csv")
        yield site


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), refresh_per_second=2)


# --- what is printed -------------------------------------------------------------------------------------------


def _rows(figures: Figures) -> Iterator[tuple[str, str, Any, str]]:
    """title, shown, value, aim."""
    rates, kept = ([figures.mails / run.seconds for run in runs] for runs in (figures.runs, figures.kept))
    floors = [figures.mails / seconds for seconds in figures.floors]
    ratio = median(rates) / median(floors)
    yield _spread("worker, mails/s", rates, 0, "")
    yield _spread("floor, mails/s", floors, 0, "")
    yield "ratio of medians", f"{ratio:.2f}", round(ratio, 3), f"≥ {RATIO_AIM}"
    yield _spread("worker with copies in Sent, mails/s", kept, 0, "")
    for role in ROLES:
        yield _spread(f"CPU {role}, ms/mail", [run.cpu_s[role] * 1000 / figures.mails for run in figures.runs], 2, "")
    for role in ROLES:
        rss = max(run.rss_mb[role] for run in figures.runs)
        pss = max(run.pss_mb[role] for run in figures.runs)
        yield f"memory {role}, peak MB", f"{rss:.0f} RSS, {pss:.0f} PSS", [round(rss), round(pss)], ""
    rss = max(run.rss_sum_mb for run in figures.runs)
    pss = max(run.pss_sum_mb for run in figures.runs)
    yield "memory in all, peak MB", f"{rss:.0f} RSS, {pss:.0f} PSS", [round(rss), round(pss)], f"RSS ≤ {MEMORY_AIM_MB}"
    yield _spread("start until ready, s", [run.start_s for run in figures.runs], 1, "")
    yield _spread("LMTP to acknowledgement, s", figures.latencies, 3, f"median ≤ {LATENCY_AIM_S}")
    yield _spread("LMTP to push of a bare IDLE, s", figures.pushes, 3, "")
    for what, start_of in (("without Exchange", figures.plain), ("with Exchange configured", figures.exchange)):
        yield _spread(f"loading triaged {what}, CPU s", start_of.cpu_s, 2, "")
        yield f"loading triaged {what}, MB", f"{start_of.rss_mb:.0f} RSS", round(start_of.rss_mb), ""
    for each in (figures.few, figures.many):
        yield _spread(f"judging by {each.phrases} phrases, mails/s of one CPU", [each.mails_per_s], 0, "")
        yield _spread(f"loading {each.phrases} phrases with the model, s", [each.load_s], 1, "")


def _spread(title: str, values: list[float], digits: int, aim: str) -> tuple[str, str, Any, str]:
    told = {"min": min(values), "median": median(values), "max": max(values)}
    if len(values) == 1:
        return title, f"{values[0]:.{digits}f}", round(values[0], 3), aim
    shown = " / ".join(f"{value:.{digits}f}" for value in told.values())
    return title, shown, {name: round(value, 3) for name, value in told.items()}, aim


def _table(figures: Figures) -> Table:
    title = f"{figures.mails} mails of about 4 kB, {figures.answers} answered ({figures.answer_bytes} octets each)"
    table = Table(title=title, caption="min / median / max; no TLS, neither worker nor floor")
    for column in ("what", "measured", "aim"):
        table.add_column(column)
    for what, shown, _, aim in _rows(figures):
        table.add_row(what, shown, aim)
    return table


if __name__ == "__main__":
    typer.run(bench)
