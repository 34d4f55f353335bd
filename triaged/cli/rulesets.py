"""Commands about rule sets: have the worker take the files, look back at who changed what, lay an earlier set back."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triaged import terminal, views
from triaged.cli.common import ConfigOption, JsonOption, audited, config_of, fail, reader_of, writing
from triaged.cli.rules import rules_app
from triaged.errors import ConfigError
from triaged.log.rulesets import Use, keep_files, last_use
from triaged.plaintext import visible
from triaged.rules.difference import FileDiff, diffs, file_changes
from triaged.settings import Config
from triaged.written import Written, lay_back

FOLDER = "folder"
"""What the files as they stand on disk are called."""
COLOURS = {"+": "green", "-": "red", "@": "cyan"}

WhyOption = Annotated[str, typer.Option("--why", help="A sentence that the history keeps.", metavar="TEXT")]


# --- load -------------------------------------------------------------------------------------------------------


@rules_app.command("load", epilog='Example: triaged rules load --why "Gold accounts get a call the same day"')
def load(why: WhyOption = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the files wholly and have a running worker take them; says what changed."""
    from triaged.loading import build_playbook, written_of

    loaded = config_of(config)
    written = written_of(loaded)
    build_playbook(loaded, dry=True, written=written)
    _bring_in(loaded, written, how="loaded", why=why, as_json=as_json)


def _bring_in(config: Config, written: Written, *, how: str, why: str, as_json: bool) -> None:
    """Have the worker take them, and tell what it said."""
    from triaged.rulesets import bring_in, changed_by
    from triaged.wire import log_path

    running = bring_in(config, written, how=how, who=getpass.getuser(), why=why)
    before, told = "", list[str]()
    if log_path(config).exists():
        with reader_of(config) as reader:
            before, told = changed_by(reader, written)
    if as_json:
        view = {"id": written.id, "in_use": running, "before": before or None, "changes": told}
        print(views.line(view))  # noqa: T201
        return
    out = terminal.console()
    if running:
        out.print(f"[green]✓[/green] rule set {written.id} is in use")
    else:
        out.print(f"[green]✓[/green] rule set {written.id} is right; no worker runs, it is taken when one starts")
    for words in told:
        out.print(f"  {escape(visible(words))}", soft_wrap=True)
    if before != "":
        out.print(f"before: {before}; back again: triaged rules restore {before}")


# --- history, diff ----------------------------------------------------------------------------------------------


@rules_app.command("history", epilog="Example: triaged rules history --json")
def history(
    limit: Annotated[int, typer.Option("--limit", help="So many at most.", min=1)] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rule sets, newest first: since when each decided, who brought it in, why, and what changed by it."""
    from triaged.rulesets import history as told_history

    loaded = config_of(config)
    with reader_of(loaded) as reader:
        current = last_use(reader)
        rows = list(told_history(reader, limit))
    if as_json:
        for use, told in rows:
            print(views.line(_use_view(use, told)))  # noqa: T201
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("when", "rule set", "how", "who", "why"):
        table.add_column(name, no_wrap=name in ("when", "rule set"), overflow="fold")
    table.add_column("what changed", overflow="fold", ratio=1)
    for use, told in rows:
        is_current = current is not None and use.rules_id == current.rules_id
        rules_id = f"[green]{use.rules_id}[/green]" if is_current else use.rules_id
        cells = (use.how, use.who, use.why, "; ".join(told))
        when = terminal.wall(use.at, loaded.hours.timezone)
        table.add_row(when, rules_id, *(escape(visible(cell)) for cell in cells))
    out = terminal.console()
    out.print(table)
    if current is not None:
        out.print(f"in use: {current.rules_id}; an earlier one again: triaged rules restore ID")


def _use_view(use: Use, told: Sequence[str]) -> dict[str, Any]:
    return {
        "at": views.moment(use.at),
        "id": use.rules_id,
        "how": use.how,
        "who": use.who or None,
        "why": use.why or None,
        "changes": list(told),
    }


@rules_app.command("diff", epilog="Example: triaged rules diff 3f9c0a12be45")
def diff(
    first: Annotated[str, typer.Argument(help="A rule set; else the one in use.", metavar="[ID]")] = "",
    second: Annotated[str, typer.Argument(help="The set to compare it with.", metavar="[ID]")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the lines that differ: between the set in use and the folders, a set and the one in use, or two sets."""
    from triaged.loading import written_of
    from triaged.rulesets import kept_set

    loaded = config_of(config)
    with reader_of(loaded) as reader:
        old = kept_set(reader, first)
        new = kept_set(reader, second) if first != "" else (FOLDER, written_of(loaded))
    told = file_changes(old[1], new[1])
    found = list(diffs(old[1], new[1], names=(old[0], new[0])))
    if as_json:
        for change, file in zip(told, found, strict=True):
            view = {"file": file.name, "change": change.what, "words": change.words, "lines": list(file.lines)}
            print(views.line({"from": old[0], "to": new[0], **view}))  # noqa: T201
        return
    out = terminal.console()
    if len(found) == 0:
        out.print(f"{old[0]} and {new[0]} are the same")
    for change, file in zip(told, found, strict=True):
        out.print(f"[bold]{escape(visible(change.words))}[/bold]", soft_wrap=True)
        _print_diff(out, file)


def _print_diff(out: Console, file: FileDiff) -> None:
    for line in file.lines:
        colour = COLOURS.get(line[:1])
        told = escape(visible(line))
        out.print(f"[{colour}]{told}[/{colour}]" if colour is not None else told, soft_wrap=True)


# --- restore ----------------------------------------------------------------------------------------------------


@rules_app.command("restore", epilog='Example: triaged rules restore 3f9c0a12be45 --why "The new ones were too eager"')
def restore(
    rules_id: Annotated[str, typer.Argument(help="A rule set, as the history shows it.", metavar="ID")],
    why: WhyOption = "",
    force: Annotated[
        bool, typer.Option("--force", help="Lay the files back even if they are wrong; the worker does not take them.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lay the files of an earlier set back into the folders and load them; what lies there now is kept as a set."""
    from triaged.loading import build_playbook, folders_of, written_of
    from triaged.rulesets import aside_of, kept_set

    loaded, now = config_of(config), datetime.now(UTC)
    with reader_of(loaded) as reader:
        _, kept = kept_set(reader, rules_id)
    there = written_of(loaded)
    written, is_right = kept.with_templates_of(there), True
    try:
        build_playbook(loaded, dry=True, written=written)
    except ConfigError:
        if not force:
            raise
        is_right = False
    with writing(loaded) as log:
        keep_files(log, there, now=now)
        audited(log, "rules.restore", why or "no reason was given", about=rules_id)
    with _told_in_words(there):
        aside = lay_back(written, *folders_of(loaded), there=there, aside=aside_of(now))
    out = terminal.console(stderr=as_json)
    if there.id != written.id:
        out.print(f"what lay in the folders is kept as {there.id}; back again: triaged rules restore {there.id}")
    for path in aside:
        out.print(f"  not part of the set, so it is now {escape(str(path))}", soft_wrap=True)
    if is_right:
        _bring_in(loaded, written, how="restored", why=why, as_json=as_json)
    else:
        fail("the files are laid back, and are wrong; 'triaged check' says where. What decides goes on")


@contextmanager
def _told_in_words(there: Written) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        fail(
            f"{error.filename or 'a file'} cannot be written: {error.strerror}. Some files may be laid back and some "
            f"not: say it again, or triaged rules restore {there.id} --force for what lay there"
        )
