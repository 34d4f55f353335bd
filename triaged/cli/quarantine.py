"""Commands about mail that could not be read: list it, look at it safely, try it again with the rules of today."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triaged import terminal, views
from triaged.cli.common import FAILED, ConfigOption, JsonOption, app, audited, config_of, fail, reader_of, writing
from triaged.log.quarantine import Mended, QuarantinedRow, octets_of, quarantined, raw_of
from triaged.log.read import Reader
from triaged.model import Raw
from triaged.plaintext import visible
from triaged.settings import Config

if TYPE_CHECKING:  # or every command would wait for the pure rooms to load
    from triaged.worker.triage import TriageProcess

quarantine_app = typer.Typer(help="Mail that could not be read: list, look at, try again.", no_args_is_help=True)
app.add_typer(quarantine_app, name="quarantine")

NumberArgument = Annotated[int, typer.Argument(help="The mail's number in the log.", metavar="ID")]
HEAD_BYTES = 16_384
"""Octets of a head that are shown at most."""
HEAD_LINES = 60


@quarantine_app.command("list", epilog="Example: triaged quarantine list --json")
def quarantine_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the mails that could not be read, and why."""
    loaded = config_of(config)
    with reader_of(loaded) as reader:
        rows = quarantined(reader)
    if as_json:
        for row in rows:
            print(views.line(_view(row)))  # noqa: T201
        return
    if len(rows) == 0:
        terminal.console().print("nothing is in quarantine")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("id", "received", "mailbox", "size", "cause"):
        table.add_column(name, justify="right" if name == "size" else "left", no_wrap=name != "cause", overflow="fold")
    for row in rows:
        received = terminal.wall(row.received, loaded.hours.timezone)
        table.add_row(str(row.id), received, escape(row.mailbox), _size(row.size_bytes), escape(row.cause))
    terminal.console().print(table)


@quarantine_app.command("show", epilog="Example: triaged quarantine show 12 --octets mail.eml")
def quarantine_show(
    number: NumberArgument,
    octets: Annotated[
        Path | None, typer.Option("--octets", help="Write the mail as it came here (mode 0600).", metavar="FILE")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show why a mail could not be read, where it lies, and its head with everything harmful made visible."""
    loaded = config_of(config)
    with reader_of(loaded) as reader:
        row = _row(reader, number)
        kept = octets_of(reader, row)
    if octets is not None:
        _write(octets, kept, row)
    if as_json:
        print(views.line({**_view(row), "head": safe_head(kept or b"")}))  # noqa: T201
        return
    out, zone = terminal.console(), loaded.hours.timezone
    out.print(f"[bold]{row.id}[/bold]  received {terminal.wall(row.received, zone)} by {escape(row.mailbox)}")
    out.print(f"could not be read: {row.cause}", markup=False, soft_wrap=True)
    out.print(f"{_size(row.size_bytes)}{_kept_words(row)}")
    for place in row.places:
        out.print(f"seen in {place.mailbox}, folder {place.folder}, as {place.key}", markup=False, soft_wrap=True)
    if kept:
        out.print("")
        for line in safe_head(kept):
            out.print(f"  {line}", markup=False, soft_wrap=True)
    if octets is not None:
        out.print(f"\nas it came: {octets}", markup=False, soft_wrap=True)


@quarantine_app.command("retry", epilog="Example: triaged quarantine retry 12")
def quarantine_retry(
    number: Annotated[int | None, typer.Argument(help="The mail's number in the log.", metavar="ID")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every mail in quarantine.")] = False,
    config: ConfigOption = None,
) -> None:
    """Try to read a mail again, in a process that may be killed; if it works it is triaged as any other mail."""
    if (number is None) != every:
        raise typer.BadParameter("say which: the number of a mail, or --all")
    from rich.progress import Progress

    loaded, out = config_of(config), terminal.console()
    with reader_of(loaded) as reader:
        rows = quarantined(reader) if number is None else [_row(reader, number)]
        raws = [(row, raw_of(reader, row)) for row in rows]
    if len(rows) == 0:
        out.print("nothing is in quarantine")
        return
    from triaged.wire import triage_process

    process, failures = triage_process(loaded), 0
    try:
        process.start()
        with Progress(console=terminal.console(stderr=True), transient=True, disable=len(rows) < 2) as bar:
            for row, raw in bar.track(raws, description="reading again"):
                failures += not _retry(loaded, process, row, raw or _fetched(loaded, row), out)
    finally:
        process.kill()
    if failures > 0:
        raise typer.Exit(FAILED)


# --- within ---------------------------------------------------------------------------------------------------


def _retry(config: Config, process: TriageProcess, row: QuarantinedRow, raw: Raw | str, out: Console) -> bool:
    """Whether the mail could be read; says what came of it."""
    from triaged.worker.mending import retry

    if isinstance(raw, str):
        out.print(f"{row.id}: cannot be tried again: {raw}", markup=False, soft_wrap=True)
        return False
    now = datetime.now(UTC)
    came = retry(process, row, raw, writing=partial(writing, config), who=getpass.getuser(), now=now)
    if isinstance(came, str):
        out.print(f"{row.id}: still cannot be read: {came}", markup=False, soft_wrap=True)
        return False
    with writing(config) as log:
        audited(log, "quarantine.retry", "read a mail once more")
    out.print(f"{row.id}: {_mended_words(config, came)}", markup=False, soft_wrap=True)
    return True


def _mended_words(config: Config, mended: Mended | None) -> str:
    if mended is None:
        return "is no longer in quarantine"
    if mended.copy:
        return f"could be read; it is the same mail as {mended.row}, and is found there now"
    with reader_of(config) as reader:
        row = reader.row(mended.row)
    assert row is not None
    effects = ", ".join(f"{kind} {state}" for kind, state in row.effects) or "nothing to do"
    return f"could be read; {row.reference} {', '.join(row.categories) or 'other'}; {effects}"


def _fetched(config: Config, row: QuarantinedRow) -> Raw | str:
    """The mail anew from the server, or why not."""
    from triaged.wire import mailbox_of
    from triaged.worker.mending import fetched

    configured = {each.name for each in config.mailbox}
    return fetched(row, configured=configured, mailbox_of=partial(mailbox_of, config))


def _row(reader: Reader, number: int) -> QuarantinedRow:
    row = next((row for row in quarantined(reader) if row.id == number), None)
    if row is None:
        fail(f"there is no mail {number} in quarantine; 'triaged quarantine list' shows those there are")
    return row


def safe_head(octets: bytes) -> Sequence[str]:
    """The first lines of a head; control and invisible characters, and octets that are no UTF-8, as escapes."""
    head = re.split(rb"\r?\n\r?\n", octets[:HEAD_BYTES], maxsplit=1)[0]
    lines = re.split(r"\r\n|\r|\n", head.decode("utf-8", "backslashreplace"))
    return [visible(line) for line in lines[:HEAD_LINES]]


def _write(path: Path, kept: bytes | None, row: QuarantinedRow) -> None:
    """Never over a file that is there."""
    if kept is None:
        fail(f"the octets of mail {row.id} were removed")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(kept)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")


def _kept_words(row: QuarantinedRow) -> str:
    if row.kept_bytes is None:
        return "; its octets were removed"
    return "" if row.kept_bytes >= row.size_bytes else f"; the server gave {_size(row.kept_bytes)} of it"


def _size(octets: int) -> str:
    return f"{octets} B" if octets < 1000 else f"{octets / 1000:.1f} kB" if octets < 1e6 else f"{octets / 1e6:.1f} MB"


def _view(row: QuarantinedRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "mailbox": row.mailbox,
        "received": views.moment(row.received),
        "logged": views.moment(row.logged),
        "size_bytes": row.size_bytes,
        "kept_bytes": row.kept_bytes,
        "cause": row.cause,
        "places": [{"mailbox": each.mailbox, "folder": each.folder, "key": each.key} for each in row.places],
    }
