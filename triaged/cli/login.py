"""The command by which a person signs in to Microsoft or Google once; the worker then goes on in their name."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from triaged import terminal, views
from triaged.cli.common import ConfigOption, JsonOption, app, config_of, fail
from triaged.ports import SignedIn, Visit
from triaged.servers import Remote
from triaged.settings import Config
from triaged.signins import GoogleSignIn, MicrosoftSignIn
from triaged.tomlfile import did_you_mean

NameArgument = Annotated[
    str,
    typer.Argument(help="A \\[[sign_in]] of config.toml, or a mailbox or person that uses one.", metavar="NAME"),
]


@app.command(epilog="Example: triaged login microsoft")
def login(name: NameArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Sign in to Microsoft or Google in a browser, here or on another machine; once, for the worker to go on with."""
    from triaged.signon import login_steps

    loaded = config_of(config)
    sign_in = _sign_in_of(loaded, name)
    if sign_in.is_app:
        fail(
            f"nobody needs to sign in to {sign_in.name}: it proves itself by its "
            f"{' or '.join(sign_in.secrets()).replace('_', ' ')}; triaged check --connect tries it"
        )
    # What is pasted is read by the steps themselves, while they wait for the browser.
    paste = sys.stdin.fileno() if isinstance(sign_in, GoogleSignIn) and sys.stdin is not None else None
    steps = login_steps(loaded, sign_in, paste=paste)
    account = _told_as_json(steps, sign_in.name) if as_json else _told(steps, sign_in)
    for warning in _another_account(loaded, sign_in, account):
        terminal.console(stderr=True).print(f"[bold yellow]![/bold yellow] {escape(warning)}", soft_wrap=True)


def _sign_in_of(config: Config, name: str) -> MicrosoftSignIn | GoogleSignIn:
    """The sign-in that is meant. Raises: typer.BadParameter (exit code 2)."""
    known = {sign_in.name: sign_in for sign_in in config.sign_in}
    tables = {person.id: (person.calendar, *person.also_busy) for person in config.person}
    used = {user: [each.sign_in for each in those if isinstance(each, Remote)] for user, those in tables.items()}
    used |= {each.name: [each.sign_in] if isinstance(each, Remote) else [] for each in config.mailbox}
    users = {user: next(filter(None, names), "") for user, names in used.items()}
    found = known.get(name) or known.get(users.get(name, ""))
    if found is None and name in users:
        raise typer.BadParameter(f"{name} uses no [[sign_in]]: there is nothing to sign in to")
    if found is None:
        names = [*known, *(each for each, used in users.items() if used)]
        there = f"; there are {', '.join(names)}" if names else "; config.toml has no [[sign_in]]"
        raise typer.BadParameter(f"there is no [[sign_in]] {name}{did_you_mean(name, names)}{there}")
    return found


def _told(steps: Iterable[Visit | SignedIn], sign_in: MicrosoftSignIn | GoogleSignIn) -> str:
    """Show what is to be done, then that we wait; who signed in."""
    out, shown, note, account = terminal.console(), "", "", ""
    pastes = isinstance(sign_in, GoogleSignIn)
    with terminal.console(stderr=True).status("asking the server …") as waiting:
        for step in steps:
            if isinstance(step, SignedIn):
                account = step.account
                break
            if step.address + step.code != shown:
                shown = step.address + step.code
                waiting.stop()
                _show(out, step, pastes=pastes)
                if not pastes:  # a line that is drawn anew would run through what is being pasted
                    waiting.start()
            if step.note not in ("", note):
                out.print(f"[yellow]{escape(step.note)}[/yellow]", soft_wrap=True)
            note = step.note
            waiting.update(f"waiting for somebody to sign in, {step.left_s / 60:.0f} minutes left; Ctrl-C gives up")
            time.sleep(step.wait_s)
    who = account or "somebody"
    out.print(f"[green]✓[/green] {escape(who)} is signed in to {escape(sign_in.name)}", soft_wrap=True)
    return account


def _show(out: Console, step: Visit, *, pastes: bool) -> None:
    out.print("Open this address in a browser, on this machine or another:\n")
    out.print(f"    [bold]{escape(step.address)}[/bold]\n", soft_wrap=True)
    if step.code:
        out.print("and type this code there:\n")
        out.print(f"    [bold]{escape(step.code)}[/bold]\n", soft_wrap=True)
    if pastes:
        out.print(
            "If the browser runs on another machine, it ends at an address that it cannot open (http://127.0.0.1…). "
            "Copy that from its address bar, paste it here and press Enter.\n",
            soft_wrap=True,
        )
    out.file.flush()


def _told_as_json(steps: Iterable[Visit | SignedIn], name: str) -> str:
    """The same as objects, one a line: what is to be done whenever that changes, then who signed in."""
    shown = ""
    for step in steps:
        if isinstance(step, SignedIn):
            print(views.line({"sign_in": name, "signed_in": step.account}))  # noqa: T201
            return step.account
        if (key := step.address + step.code + step.note) != shown:
            shown = key
            view = {"sign_in": name, "visit": step.address, "code": step.code, "left_s": round(step.left_s)}
            print(views.line({**view, "note": step.note}), flush=True)  # noqa: T201
        time.sleep(step.wait_s)
    raise AssertionError("the steps end with who signed in, or raise")


def _another_account(config: Config, sign_in: MicrosoftSignIn | GoogleSignIn, account: str) -> Iterable[str]:
    """Where somebody else's mailbox or calendar is to be opened than that of who signed in."""
    from triaged.signon import uses_of

    for use in uses_of(config, sign_in.name):
        if account == "" or use.user.lower() in ("", account.lower()):
            continue
        words = f"{use.where} is that of {use.user}, and {account} signed in"
        if isinstance(sign_in, MicrosoftSignIn):
            yield f"{words}: that works only where {account} has full access to it (a shared mailbox)"
        else:
            yield f"{words}: Google will refuse; sign in once more as {use.user}"
