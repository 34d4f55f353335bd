"""The command that decides past mail by edited rules: what would be otherwise, before anything is."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triaged import terminal, views
from triaged.cli.common import (
    WRONG,
    ConfigOption,
    JsonOption,
    config_of,
    progress_bar,
    reader_of,
    span_of,
    write_page,
)
from triaged.cli.rules import rules_app
from triaged.errors import ConfigError, Problem
from triaged.log.labels import said
from triaged.log.rulesets import decided_before, rules_in_use
from triaged.playbook import Playbook
from triaged.settings import Config
from triaged.whatif.consequences import WhatIf, answer
from triaged.whatif.difference import Aspect
from triaged.whatif.words import because, edited, headline, not_taken, shown, title
from triaged.written import Written

SHORT = 60
"""Characters of a value in a table on the terminal."""


@rules_app.command("whatif", epilog="Example: triaged rules whatif ~/rules-draft --since 30d --html whatif.html")
def rules_whatif(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A folder of edited rules, or one with rules/ and templates/; else the site's own."),
    ] = None,
    against: Annotated[
        str, typer.Option(help="An earlier rule set, as the history shows it; else the one in use.", metavar="ID")
    ] = "",
    since: Annotated[str, typer.Option(help="Past mail received since then: 24h, 90d.")] = "90d",
    html: Annotated[Path | None, typer.Option("--html", help="Write a page here too.", metavar="FILE")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide past mail once more, by the rules in use and by edited ones; show what differs, touch nothing."""
    from triaged.examples import failing
    from triaged.loading import list_path, written_of
    from triaged.rulesets import kept_set
    from triaged.whatif.otherwise import decided_otherwise
    from triaged.whatif.page import page
    from triaged.wire import log_path
    from triaged.worker.listed import ListFile

    loaded, begin = config_of(config), datetime.now(UTC) - span_of(since)
    with reader_of(loaded) as reader:
        in_use = kept_set(reader, against)[1] if against != "" else rules_in_use(reader)
        before = decided_before(reader, in_use.id) if in_use is not None else None
        corrected = said(reader)
    was, would = _both(loaded, in_use, written_of(loaded, rules_dir=folder))
    with progress_bar(quiet=as_json) as progress:
        found = decided_otherwise(
            log_path(loaded),
            was,
            would,
            since=begin,
            said=corrected,
            progress=partial(progress, "past mail"),
            listed=ListFile(list_path(loaded)).current(),
        )
    broken = tuple(failing(would, files=would.written.rules))
    told, zone = answer(was, would, found, since=begin, broken=broken), loaded.hours.timezone
    if html is not None:
        write_page(html, page(told, zone=zone))
    if as_json:
        print(views.line({"headline": headline(told), **told.as_dict()}))  # noqa: T201
    else:
        _print(terminal.console(), told, zone=zone, html=html)
        if len(told.files) == 0 and against == "" and before is not None:
            words = f"What the edit before did: triaged rules whatif --against {before.rules_id}"
            terminal.console().print(words, style="dim", markup=False, soft_wrap=True)
    if len(broken) > 0:  # it was looked at all the same, for that may be what the author wants to see
        raise typer.Exit(WRONG)


def _both(config: Config, in_use: Written | None, edit: Written) -> tuple[Playbook, Playbook]:
    """The rules to compare with (on disk where none has decided yet) and the edited ones, with one model.

    Raises: ConfigError.
    """
    from triaged.loading import assembled

    would = assembled(config, dry=True, written=edit)
    try:
        was = assembled(config, dry=True, model=would.model, written=in_use)
    except ConfigError as error:
        where = "the rules to compare with, by today's configuration"
        problems = (Problem(f"{where}: {each.where}", each.what) for each in error.problems)
        raise ConfigError(tuple(problems)) from None
    return was, would


# --- on the terminal -------------------------------------------------------------------------------------------------


def _print(out: Console, told: WhatIf, *, zone: str, html: Path | None) -> None:
    out.print(f"[bold]{escape(headline(told))}[/bold]", soft_wrap=True)
    out.print(escape(f"{edited(told)} Nothing was touched."), soft_wrap=True)
    if len(told.broken) > 0:
        out.print(f"[bold red]{escape(not_taken(told))}[/bold red]", soft_wrap=True)
        terminal.print_found(out, told.broken, mark="[bold red]✗[/bold red]")
    if len(told.found.changes) == 0:
        return
    out.print("")
    for each in told.consequences:
        out.print(f"  {escape(each.sentence)}", soft_wrap=True)
    if len(told.rules) > 0:
        out.print("")
        out.print(_rules_table(told))
    out.print("")
    out.print(_mails_table(told, zone))
    more = len(told.found.changes) - terminal.SHOWN
    if html is not None:
        out.print(f"\nAll of it as a page: {html}", markup=False, soft_wrap=True)
    elif more > 0:
        out.print(f"… and {more} more mails; --html FILE shows all")


def _rules_table(told: WhatIf) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("rule")
    table.add_column("edited")
    for name in ("acts now", "no longer", "otherwise"):
        table.add_column(name, justify="right")
    for each in told.rules:
        counts = (str(count) if count > 0 else "" for count in (each.now, each.no_longer, each.otherwise))
        table.add_row(escape(each.rule), each.edit, *counts)
    return table


def _mails_table(told: WhatIf, zone: str) -> Table:
    """The first mails, a line for each thing that would be otherwise."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("id", "subject", "what", "was", "would be", "by"):
        table.add_column(name, overflow="fold", no_wrap=name == "id")
    for change in told.found.changes[: terminal.SHOWN]:
        head = [str(change.row), _short(change.subject)]
        for aspect in change.aspects:
            table.add_row(*map(escape, (*head, *_cells(aspect, zone))))
            head = ["", ""]
        if change.said is not None:
            table.add_row("", "", "[yellow]a person said[/yellow]", escape(", ".join(change.said) or "other"), "", "")
    return table


def _cells(aspect: Aspect, zone: str) -> tuple[str, ...]:
    was, would = shown(aspect, zone=zone)
    return title(aspect), _short(was), _short(would), _short(because(aspect))


def _short(text: str) -> str:
    return text if len(text) <= SHORT else text[: SHORT - 1].rstrip() + "…"
