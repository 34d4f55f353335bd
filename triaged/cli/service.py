"""Commands of the operator: lay out a site, check it, run it, see how it is."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from triaged import shipped, terminal, views
from triaged.cli.common import FAILED, ConfigOption, JsonOption, app, config_of, fail, log_to_stderr, reader_of
from triaged.errors import ConfigError
from triaged.log.status import status_of


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
) -> None:
    """Say everything that is wrong with configuration, rules and templates; exit code 2 if anything is."""
    from triaged.signon import soon_ended
    from triaged.wire import all_problems, open_to_others

    loaded = config_of(config)
    problems = all_problems(loaded, connect=connect)
    if len(problems) > 0:
        raise ConfigError(problems)
    terminal.print_warnings(open_to_others(loaded))
    terminal.print_warnings(soon_ended(loaded, now=datetime.now(UTC)))
    tried = "and every server answers" if connect else "(servers were not tried: --connect)"
    terminal.console().print(f"[green]✓[/green] configuration, rules and templates are right {tried}")


@app.command(epilog="Example: triaged run --config /etc/triaged/config.toml")
def run(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Do what there is, then end.")] = False,
) -> None:
    """Watch the mailboxes and do the work until SIGTERM; rules and templates that are saved are taken by themselves."""
    from triaged.loading import settings_problems, written_problems
    from triaged.log.alerts import has_run
    from triaged.log.rulesets import has_decided
    from triaged.wire import log_path, parts_of, state_problems, unreachable
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
