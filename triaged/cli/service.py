"""Commands of the operator: lay out a site, check it, run it, see how it is."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from triaged import shipped, terminal, views
from triaged.cli.common import FAILED, ConfigOption, JsonOption, app, config_of, fail, log_to_stderr, reader_of
from triaged.errors import ConfigError
from triaged.log.status import status_of
from triaged.settings import Config

if TYPE_CHECKING:
    from triaged.connect import Tried


@app.command(epilog="Example: triaged init /etc/triaged --state /var/lib/triaged")
def init(
    folder: Annotated[Path, typer.Argument(help="The site's own folder.", metavar="DIR")],
    state: Annotated[str, typer.Option("--state", help="Where the log is to lie.", metavar="DIR")] = "state",
) -> None:
    """Lay config.toml, rules/ and templates/ into DIR, to be edited there; what is there already stays."""
    out = terminal.console()
    made = shipped.lay_out(folder, state_dir=state)
    for path in made:
        out.print(f"made {path}")
    if len(made) == 0:
        out.print(f"all of it is in {folder} already; nothing was changed")
    out.print(f"Next: edit {folder / 'config.toml'}, then: triaged check --config {folder / 'config.toml'}")


@app.command(epilog="Example: triaged check --connect")
def check(
    config: ConfigOption = None,
    connect: Annotated[bool, typer.Option("--connect", help="Try every configured server too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say everything that is wrong with configuration, rules and templates; exit code 2 if anything is.

    With --connect each configured server is tried as the service would use it, and nothing is changed or sent; exit
    code 1 if one does not work.
    """
    from triaged.signon import soon_ended
    from triaged.wire import all_problems, open_to_others

    loaded = config_of(config)
    problems = all_problems(loaded)
    if len(problems) > 0:
        raise ConfigError(problems)
    terminal.print_warnings(open_to_others(loaded))
    terminal.print_warnings(soon_ended(loaded, now=datetime.now(UTC)))
    services = _tried(loaded) if connect else []
    if as_json:
        shown = [dataclasses.asdict(each) for each in services]
        print(views.line({"right": all(each.works for each in services), "tried": connect, "services": shown}))  # noqa: T201
    else:
        _say_tried(terminal.console(), services, connect=connect)
    if not all(each.works for each in services):
        raise typer.Exit(FAILED)


def _say_tried(out: Console, services: Sequence[Tried], *, connect: bool) -> None:
    """That the files are right, and what each server that was tried does and does not do."""
    out.print("[green]✓[/green] configuration, rules and templates are right")
    if not connect:
        out.print("  servers were not tried: triaged check --connect")
    for each in services:
        mark = "[green]✓[/green]" if each.works else "[bold red]✗[/bold red]"
        words = "; ".join((*each.done, *([each.problem] if each.problem else [])))
        out.print(f"{mark} [bold]{escape(each.service)}[/bold] ({each.kind}): {escape(words)}", soft_wrap=True)
    if not all(each.works for each in services):
        bad = sum(not each.works for each in services)
        pages = "docs/exchange.md, docs/microsoft365.md, docs/google.md, docs/imap.md"
        out.print(f"{bad} of {len(services)} do not work. What is granted where: {pages}", soft_wrap=True)


def _tried(config: Config) -> list[Tried]:
    """Each configured server, tried; which one is being tried stands on a terminal meanwhile."""
    from triaged.connect import tried

    found = []
    with terminal.console(stderr=True).status("trying the servers …") as status:
        for service in tried(config):
            found.append(service)
            status.update(f"tried {escape(service.service)} …")
    return found


@app.command(epilog="Example: triaged run --config /etc/triaged/config.toml")
def run(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Do what there is, then end.")] = False,
) -> None:
    """Watch the mailboxes and do the work until SIGTERM; rules and templates that are saved are taken by themselves."""
    from triaged.connect import unreachable
    from triaged.loading import settings_problems, written_problems
    from triaged.log.alerts import has_run
    from triaged.log.rulesets import has_decided
    from triaged.wire import log_path, parts_of, state_problems
    from triaged.worker.service import Service

    loaded = config_of(config)
    log_to_stderr(loaded.service.log_level)
    # Rules that are wrong are only trouble where earlier ones can go on: the worker sees to that.
    check = settings_problems if has_decided(log_path(loaded)) else written_problems
    problems = (*state_problems(loaded), *check(loaded))
    if len(problems) == 0 and (once or not has_run(log_path(loaded))):
        problems = tuple(unreachable(loaded))
    if len(problems) > 0:
        raise ConfigError(problems)
    failures = Service(parts_of(loaded)).run(once=once)
    if len(failures) > 0:
        fail("; ".join(failures))


@app.command(epilog="Example: triaged demo --dir /tmp/desk")
def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Where to lay it.", metavar="DIR")] = Path("demo"),
    once: Annotated[bool, typer.Option("--once", help="End when the mail is done, on a terminal too.")] = False,
) -> None:
    """Show the whole job on a made-up firm: 60 mails in, the log as it grows, answers and calls as files."""
    from triaged.demo.play import play

    if not play(folder, keep_watching=sys.stdout.isatty() and not once):
        raise typer.Exit(FAILED)


@app.command(epilog="Example: triaged status --json")
def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show how the worker is, what the log holds, what waits for a person; exit code 1 unless it runs untroubled."""
    from triaged.wire import log_path
    from triaged.worker.service import is_running
    from triaged.worker.telling import disk_of

    loaded = config_of(config)
    disk = disk_of(loaded.state_dir)
    with reader_of(loaded) as reader:
        found = status_of(
            reader,
            running=is_running(log_path(loaded)),
            disk_full=disk is not None and disk.full,
            mailboxes=tuple(mailbox.name for mailbox in loaded.mailbox),
            since=datetime.now(UTC) - timedelta(days=1),
        )
    if as_json:
        print(views.line(views.status_view(found)))  # noqa: T201
    else:
        terminal.print_status(terminal.console(), found, zone=loaded.hours.timezone)
    if found.troubled:
        raise typer.Exit(FAILED)
