"""What all commands share: their options, the configuration and the log opened, and how a failure ends."""

from __future__ import annotations

import getpass
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.progress import Progress

from triaged import shipped, terminal
from triaged.config import DEFAULT_PLACES, find_config, load_config
from triaged.log import users
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.log.store import Log
from triaged.settings import Config

FAILED, WRONG = 1, 2
_SPAN = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

app = typer.Typer(
    help="Triage of shared client mailboxes: requests, complaints, renewals.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,  # its frames go to the journal, and with local variables, passwords too
)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The configuration; else ./config.toml, else /etc/triaged/config.toml.", metavar="FILE"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
IdArgument = Annotated[str, typer.Argument(help="The mail's number in the log, or its reference (T-…).", metavar="ID")]


def fail(words: str) -> NoReturn:
    """Say why and end with exit code 1."""
    terminal.console(stderr=True).print(f"[bold red]✗[/bold red] {escape(words)}", soft_wrap=True)
    raise typer.Exit(FAILED)


def config_of(path: Path | None) -> Config:
    """The configuration given, or the one found. Raises: ConfigError."""
    return load_config(find_config(path))


def config_or_shipped(path: Path | None) -> Config:
    """For commands that touch nothing: where no configuration is found, the one that ships will do."""
    if path is None and not any(place.exists() for place in DEFAULT_PLACES):
        return load_config(shipped.shipped("config.toml"))
    return config_of(path)


@contextmanager
def reader_of(config: Config) -> Iterator[Reader]:
    """The log, open for reading; without one the command ends."""
    from triaged.wire import log_path

    try:
        reader = Reader(log_path(config))
    except FileNotFoundError:
        fail(f"there is no log in {config.state_dir} yet; 'triaged run --once' makes it")
    try:
        if reader.is_outdated():
            fail("an earlier version made the log; it is brought up to date when the worker starts: restart it")
        yield reader
    finally:
        reader.close()


def row_of(reader: Reader, text: str) -> LogRow:
    """The mail by its number or reference; without one the command ends."""
    number = reader.find(text)
    row = reader.row(number) if number is not None else None
    if row is None:
        fail(f"there is no mail {text} in the log; 'triaged log' shows those there are")
    return row


@contextmanager
def log_of(config: Config) -> Iterator[Log]:
    """The log, open for writing; one that is not there is made. Raises: Permanent."""
    from triaged.wire import caps_of, log_path

    with closing(Log(log_path(config), caps=caps_of(config))) as log:
        yield log


@contextmanager
def writing(config: Config) -> Iterator[Log]:
    """The log inside one transaction. Raises: Permanent."""
    with log_of(config) as log, log.transaction():
        yield log


def audited(log: Log, what: str, words: str, *, message: int | None = None, about: str = "") -> None:
    """Write down that the person at this terminal changed something, as the desk does (see `users.audit`)."""
    users.audit(log, what, words, who=getpass.getuser(), now=datetime.now(UTC), message=message, about=about)


def span_of(text: str) -> timedelta:
    """`90m`, `24h` or `7d`. Raises: typer.BadParameter."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no span; write 90m, 24h or 7d")
    return int(found[1]) * _UNITS[found[2]]


def moment_of(text: str, *, zone: str, now: datetime) -> datetime:
    """`24h` ago, or `2026-11-28 14:00` or `2026-11-28` on the desk's wall clock. Raises: typer.BadParameter."""
    if _SPAN.fullmatch(text) is not None:
        return now - span_of(text)
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        words = f"{text!r} is no moment; write 24h or 7d, or a day and time as in '2026-11-28 14:00'"
        raise typer.BadParameter(words) from None
    found = found if found.tzinfo is not None else found.replace(tzinfo=ZoneInfo(zone))
    if found > now + timedelta(minutes=1):
        raise typer.BadParameter(f"{text!r} has not come yet")
    return found.astimezone(UTC)


def write_page(file: Path, html: str) -> None:
    """Write an HTML page; where that fails the command ends."""
    try:
        file.write_text(html, encoding="utf-8")
    except OSError as error:
        fail(f"the page cannot be written: {error}")


def log_to_stderr(level: str) -> None:
    """Have log lines go to standard error, where journald takes them."""
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on standard error, told a step, how much is done and of how much."""
    with Progress(console=terminal.console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task("")
        yield lambda step, done, total: bar.update(task, description=step, completed=done, total=total)
