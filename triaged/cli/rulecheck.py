"""`triaged rules check`: a folder of rules in, everything that is wrong with it and everything worth a look out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from triaged import terminal, views
from triaged.cli.common import WRONG, ConfigOption, JsonOption, config_of, progress_bar, span_of
from triaged.cli.rules import rules_app
from triaged.errors import ConfigError, Problem
from triaged.log.read import Reader
from triaged.playbook import Playbook
from triaged.settings import Config


@dataclass(slots=True)
class _Found:
    """errors: why the set would not be taken. hints: what it is taken with. looked: what was looked at, in words."""

    errors: tuple[Problem, ...] = ()
    hints: tuple[Problem, ...] = ()
    looked: str = ""
    mails: int = 0
    rules: int = 0


@rules_app.command("check", epilog="Example: triaged rules check --since 30d --strict")
def rules_check(
    folder: Annotated[
        Path | None, typer.Argument(help="Another folder of rules, in the place of the site's.", metavar="FOLDER")
    ] = None,
    since: Annotated[str, typer.Option(help="Look at the mails of the log received since then: 24h, 90d.")] = "90d",
    no_log: Annotated[bool, typer.Option("--no-log", help="Do not look at the mails of the log.")] = False,
    conflicts: Annotated[
        bool, typer.Option("--conflicts", help="Tell of each rule that comes before another of its own file, too.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 2 on hints too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say everything that is wrong with the rules, and what is worth a look; touches nothing."""
    loaded, begin = config_of(config), datetime.now(UTC) - span_of(since)
    look = partial(_look_at_log, loaded, begin=begin, since=since, within_files=conflicts, quiet=as_json)
    found = _check(loaded, folder, look if not no_log else None)
    if as_json:
        for kind, problems in (("error", found.errors), ("hint", found.hints)):
            for each in problems:
                print(views.line(views.problem_view(kind, each)))  # noqa: T201
    else:
        _print(found)
    if len(found.errors) > 0 or (strict and len(found.hints) > 0):
        raise typer.Exit(WRONG)


def _check(config: Config, folder: Path | None, look_at_log: Callable[[Playbook, _Found], None] | None) -> _Found:
    from triaged.examples import failing
    from triaged.loading import assembled, written_of
    from triaged.rules.lint import by_line, lint

    try:
        written = written_of(config, rules_dir=folder)
        playbook = assembled(config, dry=True, written=written)
    except ConfigError as error:
        return _Found(errors=tuple(sorted(error.problems, key=by_line)))
    errors = tuple(failing(playbook, files=written.rules))
    hints = lint(
        playbook.rules,
        files=written.rules,
        templates=playbook.templates.names,
        mailboxes=frozenset(playbook.mailboxes),
        today=datetime.now(ZoneInfo(playbook.hours.timezone)).date(),
    )
    found = _Found(errors, hints, rules=len(playbook.rules.rules))
    if look_at_log is not None:
        look_at_log(playbook, found)
    return found


def _look_at_log(
    config: Config, playbook: Playbook, found: _Found, *, begin: datetime, since: str, within_files: bool, quiet: bool
) -> None:
    """Add what the mails of the log show; without a log that can be read, say so."""
    from triaged.rulecheck import check_log
    from triaged.rules.lint import by_line
    from triaged.wire import log_path

    try:
        reader = Reader(log_path(config))
    except FileNotFoundError:
        found.looked = "there is no log yet, so no mail was looked at"
        return
    outdated = reader.is_outdated()
    reader.close()
    if outdated:
        found.looked = "an earlier version made the log, so no mail was looked at; restart the worker"
        return
    with progress_bar(quiet=quiet) as progress:
        told = check_log(
            log_path(config),
            playbook,
            since=begin,
            progress=partial(progress, "mails of the log"),
            within_files=within_files,
        )
    found.mails = told.mails
    found.looked = f"{told.mails:,} mails of the last {since} were looked at"
    found.hints = tuple(sorted(dict.fromkeys((*found.hints, *told.hints)), key=by_line))


def _print(found: _Found) -> None:
    out = terminal.console()
    terminal.print_found(out, found.errors, mark="[bold red]✗[/bold red]")
    terminal.print_found(out, found.hints, mark="[bold yellow]![/bold yellow]")
    out.print(_summary(found), style="red" if found.errors else "yellow" if found.hints else "green", soft_wrap=True)


def _summary(found: _Found) -> str:
    looked = f"; {found.looked}" if found.looked != "" else ""
    hints = _count(found.hints, "hint")
    if len(found.errors) > 0:
        return f"{_count(found.errors, 'error')}, {hints}: this set is not taken until the errors are gone{looked}"
    if len(found.hints) > 0:
        return f"no error in {found.rules} rules: this set is taken; {hints} worth a look{looked}"
    return f"✓ {found.rules} rules, nothing to say{looked}"


def _count(problems: Sequence[Problem], word: str) -> str:
    return f"1 {word}" if len(problems) == 1 else f"{len(problems)} {word}s"
