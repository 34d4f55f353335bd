"""Commands about starting on a live mailbox: list mailboxes, let one work, put it back, and see what it would do."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triaged import shadow, terminal, views
from triaged.cli.common import ConfigOption, JsonOption, app, audited, config_of, fail, reader_of, span_of, writing
from triaged.log.mailboxes import Mode, ObservedMail, Wish, enable, modes, observe, observed_mails, release
from triaged.log.read import Reader
from triaged.model import Surveyed
from triaged.ports import Mailbox
from triaged.settings import Config
from triaged.tomlfile import did_you_mean
from triaged.worker.lookout import ours_of

mailbox_app = typer.Typer(
    help="Starting on a live mailbox: observe, compare with what people do, enable.", no_args_is_help=True
)
app.add_typer(mailbox_app, name="mailbox")

NameArgument = Annotated[str, typer.Argument(help="The mailbox's name in config.toml.", metavar="M")]


@mailbox_app.command("list", epilog="Example: triaged mailbox list --json")
def mailbox_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the mailboxes: enabled or only observed, since when, and what the log holds of them."""
    loaded = config_of(config)
    with reader_of(loaded) as reader:
        known = modes(reader)
    named = [each.name for each in loaded.mailbox]
    rows = [known.get(name) or Mode(name, False, None, None, "", 0, 0, 0) for name in named]
    rows += [mode for name, mode in known.items() if name not in named]
    if as_json:
        for mode in rows:
            print(views.line(_mode_view(mode, configured=mode.mailbox in named)))  # noqa: T201
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("mailbox", "mode", "since", "answers mail since", "mails", "observed effects", "acknowledged"):
        table.add_column(name, justify="right" if name in ("mails", "observed effects", "acknowledged") else "left")
    zone = loaded.hours.timezone
    for mode in rows:
        words = "[green]enabled[/green]" if mode.enabled else "[yellow]observed[/yellow]"
        gone = "" if mode.mailbox in named else " [dim](not in the configuration)[/dim]"
        times = (terminal.wall(mode.since, zone), terminal.wall(mode.cut_off, zone))
        table.add_row(
            escape(mode.mailbox), words + gone, *times, str(mode.mails), str(mode.observed), str(mode.answered)
        )
    terminal.console().print(table)


@mailbox_app.command("enable", epilog='Example: triaged mailbox enable desk --from "2026-11-22 06:00"')
def mailbox_enable(
    name: NameArgument,
    from_: Annotated[
        str, typer.Option("--from", help="Answer mail received since then: now, or a time of the desk's zone.")
    ] = "now",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Let a mailbox work: from now on its mail is answered, booked and filed; shows first what would leave at once."""
    loaded = config_of(config)
    must_be_mailbox(loaded, name)
    out, began = terminal.console(), datetime.now(UTC)
    cut_off = began if from_ == "now" else _moment(from_, loaded.hours.timezone)
    with writing(loaded):  # makes the log where there is none yet
        pass
    with reader_of(loaded) as reader:
        told = _to_be_let_go(loaded, reader, name, cut_off, out) if cut_off < began else []
    _say_what_leaves(out, name, told, cut_off, loaded.hours.timezone)
    if not yes and not sys.stdin.isatty():
        fail("nothing was changed: there is no terminal to ask on; say --yes when this is what you want")
    if not yes and not typer.confirm(f"Enable {name}?"):
        fail("nothing was changed")
    now, who = datetime.now(UTC), getpass.getuser()
    with writing(loaded) as rows, reader_of(loaded) as reader:
        meanwhile = observed_mails(reader, name, since=max(began, cut_off))  # came while a person was asked
        enable(rows, name, cut_off=cut_off, who=who, now=now)
        mails = {mail.id: mail for mail in (*told, *meanwhile)}.values()
        audited(rows, "mailbox.enable", "it answers, files and books from now on", about=name)
        count = release(rows, (wish.effect for mail in mails for wish in mail.wishes), who=who, now=now)
    states = ", ".join(f"{number} {state}" for state, number in sorted(count.items()))
    out.print(f"[green]✓[/green] {escape(name)} is enabled" + (f"; let go: {states}" if states else ""))


@mailbox_app.command("observe", epilog="Example: triaged mailbox observe desk")
def mailbox_observe(name: NameArgument, config: ConfigOption = None) -> None:
    """Put a mailbox back to being observed: its mail is logged, nothing is sent; what is owed waits for a person."""
    loaded = config_of(config)
    must_be_mailbox(loaded, name)
    with writing(loaded) as rows:
        held = observe(rows, name, who=getpass.getuser(), now=datetime.now(UTC))
        audited(rows, "mailbox.observe", "only observed from now on", about=name)
    more = f"; {held} effects that were owed are held: 'triaged approve ID' or 'triaged drop ID'" if held > 0 else ""
    terminal.console().print(f"{name} is only observed from now on{more}", markup=False, soft_wrap=True)


@mailbox_app.command("report", epilog="Example: triaged mailbox report desk --since 7d --html shadow.html")
def mailbox_report(
    name: NameArgument,
    since: Annotated[str, typer.Option(help="How far back: 90m, 24h, 7d.")] = "7d",
    html: Annotated[Path | None, typer.Option("--html", help="Write a page here too.", metavar="FILE")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare what triaged would have done with what people did: answers in Sent, and the folder a mail lies in now."""
    loaded = config_of(config)
    must_be_mailbox(loaded, name)
    now = datetime.now(UTC)
    begin, zone, box = now - span_of(since), loaded.hours.timezone, mailbox_object(loaded, name)
    with reader_of(loaded) as reader:
        mails = observed_mails(reader, name, since=begin)
    surveyed = surveyed_with_progress(box, begin, quiet=as_json)
    report = shadow.compare(
        mails, surveyed, mailbox=name, watched=box.folder, ours=ours_of(loaded), since=begin, until=now
    )
    out = terminal.console()
    if html is not None:
        html.write_text(shadow.page(report, zone=zone), encoding="utf-8")
    if as_json:
        print(views.line(shadow.view(report)))  # noqa: T201
        return
    if len(report.mails) > 0:
        out.print(_report_table(report, zone))
        out.print("")
    for sentence in shadow.sentences(report, zone=zone):
        out.print(sentence, markup=False, soft_wrap=True)
    if html is not None:
        out.print(f"\nThe same as a page: {html}", markup=False, soft_wrap=True)


# --- shared with `triaged reconcile` ----------------------------------------------------------------------------


def must_be_mailbox(config: Config, name: str) -> None:
    """Refuse a name that the configuration does not have. Raises: typer.BadParameter (exit code 2)."""
    names = [each.name for each in config.mailbox]
    if name not in names:
        raise typer.BadParameter(f"there is no mailbox {name}{did_you_mean(name, names)}; there are {', '.join(names)}")


def mailbox_object(config: Config, name: str) -> Mailbox:
    """The mailbox, not connected yet."""
    from triaged.wire import mailbox_of

    return mailbox_of(config, name)


def surveyed_with_progress(mailbox: Mailbox, since: datetime, *, quiet: bool) -> list[Surveyed]:
    """Look over all folders, saying how far it is. Raises: Transient, Permanent."""
    from rich.progress import Progress

    found = []
    with Progress(console=terminal.console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task(f"looking over {mailbox.name}", total=None)
        try:
            mailbox.connect()
            for each in mailbox.survey(since):
                found.append(each)
                bar.update(task, description=f"looking over {mailbox.name}: {len(found)} mails, {each.folder}")
        finally:
            mailbox.close()
    return found


# --- within ---------------------------------------------------------------------------------------------------


def _to_be_let_go(config: Config, reader: Reader, name: str, cut_off: datetime, out: Console) -> list[ObservedMail]:
    """Observed mails with something to do, without those that are too old or that people have answered, named here."""
    from triaged.wire import log_path
    from triaged.worker.service import is_running

    box, max_age = mailbox_object(config, name), timedelta(hours=config.acknowledge.max_age_h)
    mails = [mail for mail in observed_mails(reader, name, since=cut_off) if len(mail.wishes) > 0]
    answered = shadow.answers(mails, surveyed_with_progress(box, cut_off, quiet=False), ours_of(config))
    kept = []
    for mail in mails:
        if mail.id in answered:
            why = f"was answered {terminal.wall(answered[mail.id], config.hours.timezone)}"
        elif datetime.now(UTC) - mail.received > max_age:
            why = f"is older than {config.acknowledge.max_age_h:g} hours"
        else:
            kept.append(mail)
            continue
        out.print(f"left out, {why}: {_mail_words(mail, config.hours.timezone)}", markup=False, soft_wrap=True)
    if not is_running(log_path(config)):
        out.print("[yellow]The worker does not run: mail that it has not read yet is not in this list.[/yellow]")
    return kept


def _say_what_leaves(out: Console, name: str, mails: Sequence[ObservedMail], cut_off: datetime, zone: str) -> None:
    out.print(
        f"From now on mail to {name} received since {terminal.wall(cut_off, zone)} is answered, booked and filed; "
        "mail received before is logged and never answered.",
        markup=False,
        soft_wrap=True,
    )
    if len(mails) == 0:
        out.print("Nothing that was observed leaves now.")
        return
    out.print(f"\n[bold]This begins at once[/bold], for {len(mails)} mails that were observed:\n")
    for kind, title in _KINDS.items():
        wishes = [(mail, wish) for mail in mails for wish in mail.wishes if wish.kind == kind]
        if len(wishes) > 0:
            out.print(f"[bold]{len(wishes)} {title}[/bold]")
        for mail, wish in wishes:
            out.print(f"  {_mail_words(mail, zone)}\n      {_wish_line(wish, zone)}", markup=False, soft_wrap=True)


_KINDS = {
    "ack": "acknowledgements to clients",
    "call": "calls with clients",
    "offer": "offers of times for a call",
    "notify": "notes to colleagues",
    "file": "mails moved",
    "refile": "mails moved back",
    "ask": "questions to a person",
}


def _mail_words(mail: ObservedMail, zone: str) -> str:
    subject = mail.subject or "(no subject)"
    return f"{terminal.wall(mail.received, zone)}  {mail.sender or '-'}  {subject}  {mail.reference}"


def _wish_line(wish: Wish, zone: str) -> str:
    words = shadow.wish_words(wish)
    if wish.kind in ("call", "offer"):
        windows = wish.payload["windows"]
        begin, end = (datetime.fromisoformat(each) for each in (windows[0]["start"], windows[-1]["end"]))
        words += f", between {terminal.wall(begin, zone)} and {terminal.wall(end, zone)}"
    return words


def _report_table(report: shadow.Report, zone: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("received", "from", "subject", "category", "triaged would", "people did", ""):
        table.add_column(name, no_wrap=name in ("received", ""), overflow="fold")
    colours = {"both": "green", "neither": "dim", "only people": "yellow", "only triaged": "blue"}
    for each in report.mails:
        table.add_row(
            terminal.wall(each.mail.received, zone),
            escape(each.mail.sender or "-"),
            escape(each.mail.subject),
            ", ".join(terminal.coloured(category) for category in each.mail.categories or ("other",)),
            escape(shadow.would_words(each.mail)),
            escape(shadow.did_words(each)),
            f"[{colours[each.meeting]}]{each.meeting}[/{colours[each.meeting]}]",
        )
    return table


def _mode_view(mode: Mode, *, configured: bool) -> dict[str, Any]:
    return {
        "mailbox": mode.mailbox,
        "mode": "enabled" if mode.enabled else "observed",
        "since": views.moment(mode.since),
        "cut_off": views.moment(mode.cut_off),
        "by": mode.by,
        "mails": mode.mails,
        "observed_effects": mode.observed,
        "acknowledged": mode.answered,
        "configured": configured,
    }


def _moment(text: str, zone: str) -> datetime:
    """A time of the desk's zone unless it has one itself. Raises: typer.BadParameter."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f'{text!r} is no time; write --from now or --from "2026-11-22 06:00"') from None
    return (given if given.tzinfo is not None else given.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
