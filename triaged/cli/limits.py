"""Commands about what limits hold back: the breaker, and addresses whose mail comes back."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer

from triaged import terminal, views
from triaged.cli.common import (
    ConfigOption,
    IdArgument,
    JsonOption,
    app,
    audited,
    config_of,
    fail,
    reader_of,
    row_of,
    writing,
)
from triaged.log.people import settle

breaker_app = typer.Typer(
    help="The breaker: opens by itself when far too much is to be sent, and is closed by a person.",
    no_args_is_help=True,
)
app.add_typer(breaker_app, name="breaker")
bounced_app = typer.Typer(help="Addresses whose mail came back; they get no acknowledgement.", no_args_is_help=True)
app.add_typer(bounced_app, name="bounced")


@breaker_app.command("show", epilog="Example: triaged breaker show")
def breaker_show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say whether the breaker is open, why, and what it holds back."""
    loaded = config_of(config)
    with reader_of(loaded) as reader:
        state, held = reader.breaker(), reader.held_back()
    if as_json:
        print(views.line(views.breaker_view(state, held)))  # noqa: T201
    else:
        terminal.print_breaker(terminal.console(), state, held, zone=loaded.hours.timezone)


@breaker_app.command("close", epilog="Example: triaged breaker close --drop")
def breaker_close(
    config: ConfigOption = None,
    release: Annotated[bool, typer.Option("--release", help="Send all that limits hold back now.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Never send what limits hold back now.")] = False,
) -> None:
    """Close the breaker; what it held back stays held for a person unless --release or --drop says otherwise."""
    if release and drop:
        fail("--release or --drop, not both")
    loaded, who, now = config_of(config), getpass.getuser(), datetime.now(UTC)
    with reader_of(loaded) as reader:
        held = {each.message for each in reader.held_back()}
    with writing(loaded) as rows:
        was_open = rows.limits.close_breaker(who=who, now=now)
        if was_open:
            rows.event("breaker.closed", f"by {who}", message=None, now=now)
            audited(rows, "breaker.close", "let acknowledgements leave again")
        if release or drop:
            for message in sorted(held):
                settle(rows, message, approve=release, who=who, now=now, only_held_back=True)
                audited(rows, "effect.approve" if release else "effect.drop", "what a limit held back", message=message)
    if not was_open and not (release or drop):
        fail("the breaker is closed already")
    what = "let go" if release else "dropped" if drop else "still held; 'triaged breaker show' lists them"
    terminal.console().print(f"the breaker is closed; {len(held)} mails with something held back: {what}")


@bounced_app.command("list", epilog="Example: triaged bounced list")
def bounced_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the addresses whose mail came back, with the words of the mail server."""
    loaded = config_of(config)
    with reader_of(loaded) as reader:
        rows = reader.bounced()
    if as_json:
        for row in rows:
            print(views.line(views.bounced_view(row)))  # noqa: T201
    elif len(rows) == 0:
        terminal.console().print("no mail of ours has come back")
    else:
        terminal.console().print(terminal.bounced_table(rows, zone=loaded.hours.timezone))


@bounced_app.command("clear", epilog="Example: triaged bounced clear 12")
def bounced_clear(mail: IdArgument, config: ConfigOption = None) -> None:
    """Answer the sender of mail ID again: the address has been put right."""
    loaded, who = config_of(config), getpass.getuser()
    with reader_of(loaded) as reader:
        row = row_of(reader, mail)
    with writing(loaded) as rows:
        cleared = rows.limits.clear_bounced(row.id)
        if cleared:
            rows.event("bounced.cleared", f"by {who}", message=row.id, now=datetime.now(UTC))
            audited(rows, "bounced.clear", "the address is answered again", message=row.id)
    if not cleared:
        fail(f"no answer to mail {row.id} came back; 'triaged bounced list' shows those that did")
    terminal.console().print(f"the sender of mail {row.id} is answered again")
