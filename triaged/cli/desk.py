"""Commands about the review desk: serve it alone, and say who may sign in."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from triaged import terminal, views
from triaged.cli.common import ConfigOption, JsonOption, app, config_of, fail, log_to_stderr, reader_of, writing
from triaged.log import users
from triaged.log.users import ROLES, Role, User
from triaged.tomlfile import did_you_mean

user_app = typer.Typer(help="Who may sign in to the review desk.", no_args_is_help=True)
app.add_typer(user_app, name="user")

NameArgument = Annotated[str, typer.Argument(help="The name they sign in with.", metavar="NAME")]
RoleOption = Annotated[str, typer.Option("--role", help=f"{', '.join(ROLES)}: each may do more.", metavar="ROLE")]
StdinOption = Annotated[bool, typer.Option("--stdin", help="Read the password from standard input, one line.")]


@app.command(epilog="Example: triaged desk --config /etc/triaged/config.toml")
def desk(
    config: ConfigOption = None,
    with_worker: Annotated[bool, typer.Option("--with-worker", hidden=True)] = False,
) -> None:
    """Serve the review desk alone; `triaged run` serves it beside its work."""
    from triaged.web.serve import serve
    from triaged.worker.parent import end_with_parent

    loaded = config_of(config)
    if loaded.desk.listen == "":
        fail("[desk] listen is empty, so the desk is off; give it an address, e.g. 127.0.0.1:9870")
    log_to_stderr(loaded.service.log_level)
    if with_worker:
        end_with_parent()
    else:
        with reader_of(loaded) as reader:
            nobody = len(users.users(reader)) == 0
        out = terminal.console(stderr=True)
        where = loaded.desk.address or loaded.desk.socket or f"http://{loaded.desk.listen}"
        out.print(f"the review desk is at {where}; Ctrl-C ends it", highlight=False)
        if nobody:
            out.print("nobody can sign in yet: triaged user add NAME --role operator", highlight=False)
    serve(loaded)


@user_app.command("add", epilog="Example: triaged user add lena --role manager --person lena")
def add(
    name: NameArgument,
    role: RoleOption = "coordinator",
    person: Annotated[str, typer.Option(help="Who of [[person]] in config.toml they are.", metavar="ID")] = "",
    elsewhere: Annotated[
        bool, typer.Option("--elsewhere", help="They sign in at a proxy or with OpenID Connect; no password here.")
    ] = False,
    stdin: StdinOption = False,
    config: ConfigOption = None,
) -> None:
    """Let somebody sign in; asks for a password."""
    loaded, lower = config_of(config), users.name_of(name)
    if lower == "" or any(letter.isspace() or not letter.isprintable() for letter in lower):
        fail(f"{name!r} is no name to sign in with; take one word, e.g. lena")
    if person != "" and person not in loaded.people:
        fail(f"nobody of us is called {person}{did_you_mean(person, loaded.people)}")
    checked = _role(role)
    with reader_of(loaded) as reader:
        known = users.user_of(reader, lower)
    if known is not None and known.disabled is None:
        fail(f"there is a user {lower} already; change them with 'triaged user role' or 'triaged user password'")
    password = "" if elsewhere else _password(stdin=stdin)
    now, who = datetime.now(UTC), getpass.getuser()
    with writing(loaded) as log:
        users.put_user(log, lower, role=checked, password=password, person=person, now=now)
        users.audit(log, "user.add", f"as {checked}", who=who, now=now, about=lower)
    terminal.console().print(f"{escape(lower)} may sign in as {checked}")


@user_app.command("list", epilog="Example: triaged user list --json")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List who may sign in, and when they were last seen."""
    loaded = config_of(config)
    with reader_of(loaded) as reader:
        rows = users.users(reader)
    if as_json:
        for row in rows:
            print(views.line(_view(row)))  # noqa: T201
        return
    if len(rows) == 0:
        terminal.console().print("nobody can sign in yet: triaged user add NAME --role operator", highlight=False)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("name", "role", "person", "signs in", "last seen"):
        table.add_column(title)
    for row in rows:
        how = "no more" if row.disabled is not None else "here" if row.password != "" else "elsewhere"
        seen = terminal.wall(row.seen, loaded.hours.timezone) if row.seen is not None else "never"
        table.add_row(escape(row.name), row.role, escape(row.person) or "-", how, seen)
    terminal.console().print(table)


@user_app.command("role", epilog="Example: triaged user role lena operator")
def role_(
    name: NameArgument,
    role: Annotated[str, typer.Argument(help=f"{', '.join(ROLES)}.", metavar="ROLE")],
    config: ConfigOption = None,
) -> None:
    """Give somebody another role."""
    loaded, checked = config_of(config), _role(role)
    user = _user(loaded, name)
    now = datetime.now(UTC)
    with writing(loaded) as log:
        was = users.change(log, user.name, role=checked, person=user.person)
        users.audit(log, "user.role", f"from {was.role} to {checked}", who=getpass.getuser(), now=now, about=user.name)
    terminal.console().print(f"{escape(user.name)} is {checked} now")


@user_app.command("password", epilog="Example: triaged user password lena")
def password_(name: NameArgument, stdin: StdinOption = False, config: ConfigOption = None) -> None:
    """Give somebody a new password; every browser of theirs is signed out, and failed tries are forgotten."""
    loaded = config_of(config)
    user = _user(loaded, name)
    new, now = _password(stdin=stdin), datetime.now(UTC)
    with writing(loaded) as log:
        users.set_password(log, user.name, new)
        users.clear_tries(log, name=user.name)
        users.audit(log, "user.password", "a new password", who=getpass.getuser(), now=now, about=user.name)
    terminal.console().print(f"{escape(user.name)} has a new password")


@user_app.command("remove", epilog="Example: triaged user remove lena")
def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Let somebody sign in no more; what they did stays in the audit log under their name."""
    loaded = config_of(config)
    user = _user(loaded, name)
    now = datetime.now(UTC)
    with writing(loaded) as log:
        users.disable(log, user.name, now=now)
        users.audit(log, "user.remove", "may sign in no more", who=getpass.getuser(), now=now, about=user.name)
    terminal.console().print(f"{escape(user.name)} may sign in no more")


def _user(config: Any, name: str) -> User:
    with reader_of(config) as reader:
        user, names = users.user_of(reader, name), {each.name for each in users.users(reader)}
    if user is None:
        fail(f"there is no user {name}{did_you_mean(name, names)}; 'triaged user list' shows those there are")
    return user


def _role(text: str) -> Role:
    role = next((each for each in ROLES if each == text), None)
    if role is None:
        fail(f"there is no role {text}{did_you_mean(text, set(ROLES))}; there are {', '.join(ROLES)}")
    return role


def _password(*, stdin: bool) -> str:
    """Asked for twice on a terminal; hashed."""
    from triaged.web.signin import hashed

    if stdin:
        text = sys.stdin.readline().rstrip("\r\n")
    else:
        text = getpass.getpass("Password: ")
        if text != getpass.getpass("Once more: "):
            fail("the two are not the same; nothing was changed")
    try:
        return hashed(text)
    except ValueError as error:
        fail(str(error))


def _view(user: User) -> dict[str, Any]:
    """One line of `triaged user list --json`."""
    return {
        "name": user.name,
        "role": user.role,
        "person": user.person or None,
        "password": user.password != "",
        "disabled": views.moment(user.disabled),
        "since": views.moment(user.since),
        "seen": views.moment(user.seen),
    }
