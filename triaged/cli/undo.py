"""Commands that take back what a rule did, and that say of a mail that nothing more is owed for it."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape

from triaged import terminal, views
from triaged.cli.common import (
    ConfigOption,
    IdArgument,
    JsonOption,
    app,
    audited,
    config_of,
    fail,
    log_of,
    moment_of,
    progress_bar,
    reader_of,
    row_of,
    writing,
)
from triaged.errors import ConfigError
from triaged.log import people
from triaged.log import undo as logged
from triaged.log.store import Log
from triaged.settings import Config

if TYPE_CHECKING:  # they load spaCy, which most commands do without
    from triaged.apology import Draft
    from triaged.undo import Doings, Plan

SHOWN = 20
"""Mails that are shown one by one; --json has all."""


@app.command(epilog='Example: triaged undo --rule "Wants a call" --since 24h --dry-run')
def undo(
    rule: Annotated[str | None, typer.Option(help="The rule: its name, a beginning of it, or file:line.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Mail decided about since: 24h, 7d, or '2026-11-28 14:00'.", metavar="WHEN")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change; nothing is written.")] = False,
    drafts: Annotated[
        Path | None, typer.Option(help="Write a draft for each mail that was sent into this folder.", metavar="DIR")
    ] = None,
    back: Annotated[int | None, typer.Option(help="Take back the undo of this number.", metavar="NUMBER")] = None,
    list_: Annotated[bool, typer.Option("--list", help="What was undone so far.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back what a rule did: categories, priorities, due times, folders, what has not left yet."""
    if sum((rule is not None, back is not None, list_)) != 1:
        raise typer.BadParameter("say one of --rule (with --since), --back and --list")
    if dry_run and drafts is not None:
        raise typer.BadParameter("--dry-run writes nothing, no drafts either; the report shows them")
    loaded = config_of(config)
    if list_:
        _list(loaded, as_json=as_json)
    elif back is not None:
        _bring_back(loaded, back, dry_run=dry_run, yes=yes, as_json=as_json)
    elif rule is not None:
        if since is None:
            raise typer.BadParameter("say since when: --since 24h, --since 7d or --since '2026-11-28 14:00'")
        moment = moment_of(since, zone=loaded.hours.timezone, now=_now())
        _take_back(loaded, rule, moment, dry_run=dry_run, drafts=drafts, yes=yes, as_json=as_json)


@app.command(epilog="Example: triaged done 12")
def done(
    mail: IdArgument,
    reopen: Annotated[bool, typer.Option("--reopen", help="Something is owed for it after all.")] = False,
    config: ConfigOption = None,
) -> None:
    """Say that nothing more is owed for a mail: it is answered, or needs no answer."""
    loaded = config_of(config)
    with reader_of(loaded) as reader:
        row = row_of(reader, mail)
    with writing(loaded) as rows:
        changed = people.set_done(rows, row.id, done=not reopen, who=getpass.getuser(), now=_now())
        if changed:
            audited(rows, "message.state", "open again" if reopen else "done", message=row.id)
    if not changed:
        fail(f"mail {row.id} is {'open' if reopen else 'done'} already")
    terminal.console().print(f"mail {row.id} is {'open again' if reopen else 'done'}")


# --- taking back ------------------------------------------------------------------------------------------------


def _take_back(
    config: Config, named: str, since: datetime, *, dry_run: bool, drafts: Path | None, yes: bool, as_json: bool
) -> None:
    from triaged.apology import draft
    from triaged.loading import rules_and_templates
    from triaged.replay import kept_playbooks
    from triaged.rules.named import rule_named
    from triaged.undo import change_of, doings

    today: dict[str, str] = {}
    with suppress(ConfigError):  # what is broken now may be what is to be taken back
        today = {rule.name: rule.source for rule in rules_and_templates(config)[0].rules}
    with reader_of(config) as reader:
        try:
            rule = rule_named(named, {**logged.rules_that_fired(reader, since=since), **today})
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        with progress_bar(quiet=as_json) as progress:
            found = doings(
                reader,
                rule,
                since=since,
                playbook_of=kept_playbooks(reader, config),
                progress=partial(progress, "deciding again"),
            )
        resumed = logged.unfinished(reader.select, rule)
    written = [
        [draft(made.case, sent, now=_now()) if sent.kind != "call" else None for sent in made.sent]
        for made in found.plans
    ]
    told = _report(found, written, source=today.get(rule), since=since, dry_run=dry_run)
    out = terminal.console(stderr=as_json)
    if not as_json:
        _print_report(out, told, zone=config.hours.timezone)
    number, changed = None, 0
    if not dry_run and (len(found.plans) > 0 or resumed is not None):
        if not yes:
            typer.confirm(f"{told['summary']}. Do it?", abort=True, err=as_json)
        if drafts is not None:
            _write_drafts(drafts, found.plans, written)
        changes = [(made.case.row, change_of(made.case)) for made in found.plans]
        with log_of(config) as log:
            number, changed = logged.take_all_back(
                log, changes, rule=rule, since=since, who=getpass.getuser(), words=told["summary"], now=_now()
            )
            with log.transaction():
                audited(log, "rule.undo", told["summary"], about=rule)
    if as_json:
        print(views.line({**told, "undo": number, "changed": changed}))  # noqa: T201
    else:
        _print_end(out, rule, today.get(rule), number, changed, drafts=drafts if number is not None else None)


def _report(
    found: Doings, drafts: Sequence[Sequence[Draft | None]], *, source: str | None, since: datetime, dry_run: bool
) -> dict[str, Any]:
    """What `triaged undo --json` prints, without what was done."""
    from triaged.undo import counted

    return {
        "rule": found.rule,
        "source": source,
        "since": views.moment(since),
        "dry_run": dry_run,
        "fired": found.fired,
        "lost": list(found.lost),
        "summary": counted(found.plans),
        "mails": [_view(made, each) for made, each in zip(found.plans, drafts, strict=True)],
    }


def _view(made: Plan, drafts: Sequence[Draft | None]) -> dict[str, Any]:
    """One mail in `triaged undo --json`; the names are a promise."""
    return {
        "id": made.case.row,
        "reference": made.case.stored.reference,
        "subject": made.case.message.subject,
        "changes": made.done_words,
        "stays": list(made.stays),
        "sent": [
            {
                "kind": sent.kind,
                "when": views.moment(sent.when),
                "to": sent.to,
                "subject": sent.subject,
                "call": sent.detail or None,
                "uid": sent.uid or None,
                "person": sent.person or None,
                "draft": {"subject": each.subject, "text": each.text} if each is not None else None,
            }
            for sent, each in zip(made.sent, drafts, strict=True)
        ],
    }


def _print_report(out: Console, told: dict[str, Any], *, zone: str) -> None:
    where = f" ({told['source']})" if told["source"] is not None else " (it is no longer in the files)"
    moment = datetime.fromisoformat(told["since"]).astimezone(ZoneInfo(zone)).strftime("%a %d %b %Y %H:%M")
    head = f"“{told['rule']}”{where} had a part in {_mails(told['fired'])} decided since {moment}."
    out.print(f"{escape(head)}\n", soft_wrap=True)
    shown = [each for each in told["mails"] if len(each["changes"]) + len(each["stays"]) > 0]
    for each in shown[:SHOWN]:
        out.print(f"{each['id']}  {escape(each['reference'])}  {escape(each['subject'])}", soft_wrap=True)
        for words in each["changes"]:
            out.print(f"    {escape(words)}", soft_wrap=True)
        for words in each["stays"]:
            out.print(f"    [dim]{escape(words)}[/dim]", soft_wrap=True)
    if len(shown) > SHOWN:
        out.print(f"… and {len(shown) - SHOWN} more; --json lists all")
    if len(told["lost"]) > 0:
        numbers = ", ".join(str(each) for each in told["lost"][:SHOWN])
        out.print(
            f"\n{len(told['lost'])} cannot be decided again (text removed, or decided by an earlier version): {numbers}"
        )
    _print_sent(out, told["mails"], zone=zone)
    out.print(f"\n[bold]{escape(told['summary'])}[/bold]", soft_wrap=True)
    if told["fired"] > 0 and len(told["mails"]) + len(told["lost"]) == 0:
        out.print("Without it the other rules make the same of these mails.", soft_wrap=True)


def _print_sent(out: Console, mails: Sequence[dict[str, Any]], *, zone: str) -> None:
    """What stays sent, each with its draft; calls with what to do by hand."""
    sent = [(each["id"], one) for each in mails for one in each["sent"]]
    if len(sent) > 0:
        out.print("\n[bold]This cannot be undone:[/bold]")
    for number, each in sent[:SHOWN]:
        when = terminal.wall(datetime.fromisoformat(each["when"]), zone)
        if each["kind"] == "call":
            words = f"call of {each['person']} with {each['to']}, {each['call']}: cancel it in the calendar of "
            words += f"{each['person']} (UID {each['uid']})"
            out.print(f"  {number}  {escape(words)}", soft_wrap=True)
            continue
        out.print(
            f"  {number}  {logged.NAMES[each['kind']]}, {escape(each['to'])}, {when}: {escape(each['subject'])}",
            soft_wrap=True,
        )
        text = each["draft"]["text"].strip().replace("\n", "\n        ")
        out.print(f"      draft: {escape(each['draft']['subject'])}\n        {escape(text)}", soft_wrap=True)
    if len(sent) > SHOWN:
        out.print(f"  … and {len(sent) - SHOWN} more; --json lists all, --drafts DIR writes a file for each")


def _print_end(
    out: Console, rule: str, source: str | None, number: int | None, changed: int, *, drafts: Path | None
) -> None:
    if number is not None:
        out.print(f"[green]✓[/green] {_mails(changed)} changed; triaged undo --back {number} brings it all back")
    if drafts is not None:
        out.print(f"The drafts lie in {escape(str(drafts))}; open one in your mail program to send it.", soft_wrap=True)
    if source is not None:
        words = (
            f"“{rule}” still stands at {source} and decides about new mail: to switch it off, write 'enabled = false' "
        )
        out.print(escape(f"{words}into it; a worker that runs takes it when you save."), soft_wrap=True)


def _mails(count: int) -> str:
    return f"{count} mail{'s' if count != 1 else ''}"


def _write_drafts(folder: Path, plans: Sequence[Plan], drafts: Sequence[Sequence[Draft | None]]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for made, written in zip(plans, drafts, strict=True):
            for count, (sent, each) in enumerate(zip(made.sent, written, strict=True), start=1):
                if each is not None and len(each.octets) > 0:
                    name = f"{made.case.stored.reference}-{count}-{sent.kind}.eml"
                    (folder / name).write_bytes(each.octets)
    except OSError as error:
        fail(f"the drafts cannot be written, so nothing was changed: {error}")


# --- and back again ----------------------------------------------------------------------------------------------


class _OnlyTried(Exception):
    """Ends a transaction of which nothing is to be written; carries what was found."""


def _bring_back(config: Config, number: int, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    with reader_of(config) as reader:
        made, mails = logged.undo_of(reader, number), logged.items(reader, number)
    if made is None:
        fail(f"there is no undo {number}; 'triaged undo --list' shows those there are")
    if made.undone is not None:
        fail(f"undo {number} was taken back already, by {made.undone_by}")
    if not (yes or dry_run):
        words = f"{len(mails)} mails get back what undo {number} took from them (rule “{made.rule}”)"
        typer.confirm(f"{words}. Do it?", abort=True, err=as_json)
    who, rows = getpass.getuser(), [row for row, _ in mails]
    with log_of(config) as log:
        stays = (
            _tried(log, made.id, rows, who)
            if dry_run
            else logged.bring_all_back(log, made.id, rows, who=who, now=_now())
        )
        if not dry_run:
            with log.transaction():
                audited(log, "rule.undo", f"took undo {made.id} back", about=made.rule)
    if as_json:
        told = [{"id": row, "undid": words, "stays": stays[row] or None} for row, words in mails]
        print(views.line({"undo": number, "rule": made.rule, "dry_run": dry_run, "mails": told}))  # noqa: T201
        return
    out = terminal.console()
    for row, words in mails[:SHOWN]:
        out.print(f"{row}  [dim]{escape(words)}[/dim]", soft_wrap=True)
        if stays[row] != "":
            out.print(f"    stays: {escape(stays[row])}", soft_wrap=True)
    verb = "would get back" if dry_run else "got back"
    out.print(f"{_mails(len(mails))} {verb} what undo {number} took from them; what was owed then is held for a person")


def _tried(log: Log, undo: int, rows: Sequence[int], who: str) -> dict[int, str]:
    """What bringing back would say; nothing of it is written."""
    stays: dict[int, str] = {}
    try:
        with log.transaction():
            for row in rows:
                stays[row] = logged.bring_back(log, undo, row, who=who, now=_now())
            raise _OnlyTried
    except _OnlyTried:
        return stays


def _list(config: Config, *, as_json: bool) -> None:
    with reader_of(config) as reader:
        found = logged.undos(reader)
    zone, out = config.hours.timezone, terminal.console()
    for each in found:
        if as_json:
            print(views.line(_undo_view(each)))  # noqa: T201
            continue
        back = f", taken back {terminal.wall(each.undone, zone)} by {each.undone_by}" if each.undone is not None else ""
        part = " [yellow]ended before its end: give the same command again[/yellow]" if each.finished is None else ""
        words = f"rule “{each.rule}” since {terminal.wall(each.since, zone)}, by {each.who}{back}"
        out.print(f"{each.id}  {terminal.wall(each.at, zone)}  {escape(words)}{part}", soft_wrap=True)
        out.print(
            f"    {_mails(each.mails)} changed, {each.back} of them brought back. {escape(each.words)}", soft_wrap=True
        )
    if len(found) == 0 and not as_json:
        out.print("nothing was undone yet")


def _undo_view(each: logged.Undo) -> dict[str, Any]:
    """One line of `triaged undo --list --json`."""
    return {
        "undo": each.id,
        "at": views.moment(each.at),
        "who": each.who,
        "rule": each.rule,
        "since": views.moment(each.since),
        "summary": each.words,
        "finished": views.moment(each.finished),
        "taken_back": views.moment(each.undone),
        "taken_back_by": each.undone_by or None,
        "mails": each.mails,
        "brought_back": each.back,
    }


# --- around -------------------------------------------------------------------------------------------------------


def _now() -> datetime:
    return datetime.now(UTC)
