"""Commands about mail: try it, list it, show it, put it right, let it go."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from triaged import terminal, views
from triaged.cli.common import (
    FAILED,
    ConfigOption,
    IdArgument,
    JsonOption,
    app,
    audited,
    config_of,
    config_or_shipped,
    fail,
    reader_of,
    row_of,
    writing,
)
from triaged.errors import Gone
from triaged.log import people
from triaged.tomlfile import did_you_mean


@app.command("try", epilog="Example: triaged try --json mail.eml other.eml")
def try_(
    files: Annotated[list[Path], typer.Argument(help="Mails as files.", metavar="FILE.eml...")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what would be decided about mails in files; touches nothing."""
    from triaged.trial import decisions

    out = terminal.console()
    unreadable = 0
    for file, message, decision, cause in decisions(config_or_shipped(config), files):
        if message is None or decision is None:
            unreadable += 1
            terminal.console(stderr=True).print(f"{file}: {cause}", markup=False, soft_wrap=True)
        elif as_json:
            print(views.line(views.decision_view(file, message, decision)))  # noqa: T201 - JSON lines, as they are
        else:
            terminal.print_decision(out, file, message, decision)
    if unreadable > 0:
        raise typer.Exit(FAILED)


@app.command(epilog="Example: triaged log --category complaint --limit 20")
def log(
    config: ConfigOption = None,
    category: Annotated[str | None, typer.Option(help="Only this category, or `other`.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account id; '' = of no account.")] = None,
    search: Annotated[str | None, typer.Option(help="Only mails with these words (SQLite FTS5).")] = None,
    unsure: Annotated[bool, typer.Option("--unsure", help="Only those a person should look at.")] = False,
    review: Annotated[
        bool, typer.Option("--review", help="Only those drawn for review that nobody has looked at.")
    ] = False,
    open_only: Annotated[
        bool, typer.Option("--open", help="Only those that wait for an answer: one is due, and nobody said done.")
    ] = False,
    assigned: Annotated[str | None, typer.Option(help="Only those this person is to see to.", metavar="PERSON")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Our own test mails (canaries) too.")] = False,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 100,
    as_json: JsonOption = False,
) -> None:
    """Show the triage log, newest first."""
    loaded = config_of(config)
    if assigned is not None and assigned not in (known := {person.id for person in loaded.person}):
        fail(f"nobody of us is called {assigned}{did_you_mean(assigned, known)}")
    with reader_of(loaded) as reader:
        try:
            rows = reader.rows(
                limit=limit,
                category=category,
                account_id=account,
                search=search,
                unsure=unsure,
                review=review,
                open_only=open_only,
                assigned=assigned,
                canaries=everything,
            )
        except ValueError as error:
            fail(str(error))
    if as_json:
        for row in rows:
            print(views.line(views.row_view(row)))  # noqa: T201
    elif len(rows) == 0:
        terminal.console().print("no mail in the log fits")
    else:
        terminal.console().print(terminal.log_table(rows, zone=loaded.hours.timezone))


@app.command(epilog="Example: triaged show T-7K3M9QX")
def show(mail: IdArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one mail of the log: its text, what was done and what happened."""
    loaded = config_of(config)
    with reader_of(loaded) as reader:
        row = row_of(reader, mail)
        message, effects, events = reader.message(row.id), reader.effects(row.id), reader.events(row.id)
    if as_json:
        print(views.line(views.story_view(row, message, effects, events)))  # noqa: T201
    else:
        terminal.print_story(terminal.console(), row, message, effects, events, zone=loaded.hours.timezone)


@app.command(epilog="Example: triaged correct 12 --category complaint --category request --account C-104")
def correct(
    mail: IdArgument,
    category: Annotated[
        list[str] | None, typer.Option(help="The right category; more than one may be given; `other`.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="The right account id; '' = none.")] = None,
    right: Annotated[bool, typer.Option("--right", help="The categories are right as they are shown.")] = False,
    config: ConfigOption = None,
) -> None:
    """Put a mail's category or account right, or confirm it (--right); it is kept, and learned from."""
    from triaged.loading import rules_and_templates

    loaded = config_of(config)
    if category is None and account is None and not right:
        fail("say what is right: --category or --account; or --right, when it is right as it is shown")
    if category is not None and right:
        fail("say --category or --right, not both")
    with reader_of(loaded) as reader:
        row = row_of(reader, mail)
        accounts = {each.account_id for each in reader.accounts()}
        decision = reader.decision(row.id)
    if account and account not in accounts:
        fail(f"there is no account {account}{did_you_mean(account, accounts)}")
    known = {*rules_and_templates(loaded)[0].categories}
    known |= {each.category for each in decision.verdict.scores} if decision is not None else set()
    chosen = _chosen(category, known) if category is not None else None
    what, who, now = "confirm" if right and account is None else "correct", getpass.getuser(), datetime.now(UTC)
    try:
        with writing(loaded) as rows:
            people.correct(rows, row.id, categories=chosen, account_id=account, who=who, now=now, right=right)
            audited(rows, f"message.{what}", _said(chosen, account), message=row.id)
    except Gone as error:
        fail(str(error))
    said = "is put right; what was sent stays sent" if not right or account is not None else "is confirmed"
    terminal.console().print(f"mail {row.id} {said}")


def _said(categories: tuple[str, ...] | None, account: str | None) -> str:
    """What a person put right, in words; None: not said."""
    words = [] if categories is None else [f"it is {', '.join(categories) or 'other'}"]
    words += [] if account is None else [f"account {account}" if account else "of no account"]
    return ", ".join(words) or "right as shown"


def _chosen(said: list[str], known: set[str]) -> tuple[str, ...]:
    """The categories that were said, none for `other`; a mistake ends the command."""
    for each in said:
        if each not in (there := {*known, "other"}):
            fail(f"there is no category {each}{did_you_mean(each, there)}; there are {', '.join(sorted(there))}")
    if "other" in said and len(set(said)) > 1:
        fail("'other' means that none of the categories fits; say it alone, or leave it out")
    return tuple(dict.fromkeys(each for each in said if each != "other"))


@app.command(epilog="Example: triaged approve 12")
def approve(mail: IdArgument, config: ConfigOption = None) -> None:
    """Let go what is held for a mail: exactly what `show` shows is sent and booked."""
    _settle(mail, config, approve=True)


@app.command(epilog="Example: triaged drop 12")
def drop(mail: IdArgument, config: ConfigOption = None) -> None:
    """Let what is held, or waits for a person, not happen: a person has seen to it."""
    _settle(mail, config, approve=False)


def _settle(mail: str, config: Path | None, *, approve: bool) -> None:
    loaded = config_of(config)
    with reader_of(loaded) as reader:
        row = row_of(reader, mail)
    with writing(loaded) as rows:
        count = people.settle(rows, row.id, approve=approve, who=getpass.getuser(), now=datetime.now(UTC))
        if count > 0:
            audited(rows, "effect.approve" if approve else "effect.drop", f"{count} of what waited", message=row.id)
    if count == 0:
        fail(f"nothing of mail {row.id} is waiting")
    done = "let go; the worker does it now" if approve else "dropped"
    terminal.console().print(f"mail {row.id}: {count} {done}")
