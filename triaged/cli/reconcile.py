"""The command that compares server and log: each message on the server must have its row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console

from triaged import reconcile as comparing
from triaged import terminal, views
from triaged.cli.common import FAILED, ConfigOption, JsonOption, app, config_of, reader_of
from triaged.cli.mailboxes import mailbox_object, must_be_mailbox, surveyed_with_progress
from triaged.log.places import cursor_moved, placed, sent_effects
from triaged.log.read import Reader
from triaged.ports import Mailbox, keys_after
from triaged.servers import MaildirTable, SmtpOutgoing
from triaged.settings import Config

SHOWN = 20
"""Lines of each list; the rest is a number, and `--json` has all."""


@app.command(epilog="Example: triaged reconcile --mailbox desk --json")
def reconcile(
    mailbox: Annotated[str | None, typer.Option(help="Only this mailbox.", metavar="M")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare server and log both ways, changing neither; exit code 1 unless each message on the server has its row."""
    loaded, out = config_of(config), terminal.console()
    if mailbox is not None:
        must_be_mailbox(loaded, mailbox)
    whole = True
    with reader_of(loaded) as reader:
        for name in [mailbox] if mailbox is not None else [each.name for each in loaded.mailbox]:
            result = _reconciled(loaded, reader, name, quiet=as_json)
            whole = whole and result.is_whole
            if as_json:
                print(views.line(comparing.view(result)))  # noqa: T201
            else:
                _say(out, loaded, result)
    if not whole:
        raise typer.Exit(FAILED)


def _reconciled(config: Config, reader: Reader, name: str, *, quiet: bool) -> comparing.Reconciled:
    """The log is read before the server and after it: what comes or goes meanwhile is then no difference."""
    box, now = mailbox_object(config, name), datetime.now(UTC)
    before = placed(reader, name)
    look, keys = _look(config, reader, box, name)
    watched = box.folder
    on_server = frozenset(keys)
    effects = sent_effects(reader) if _keeps_copies(config, name) else None
    since = min(
        now - 3 * look.poll,
        comparing.earliest(before, on_server, watched=watched, default=now),
        *(each.changed - timedelta(days=1) for each in effects or ()),
    )
    surveyed = surveyed_with_progress(box, since, quiet=quiet)
    logged = on_server - set(reader.unlogged(name, watched, keys))
    dates = {each.key: each.date for each in surveyed if each.folder == watched}
    domain = config.outgoing.message_id_domain
    return comparing.Reconciled(
        mailbox=name,
        folder=watched,
        on_server=len(on_server),
        with_row=len(logged),
        missing=comparing.missing(keys, frozenset(logged), dates=dates, look=look, now=now),
        gone=comparing.gone(before, on_server, surveyed, watched=watched),
        elsewhere=sum(place.folder != watched for place in before),
        sent=comparing.sent(effects, surveyed, domain=domain) if effects is not None else None,
    )


def _look(config: Config, reader: Reader, box: Mailbox, name: str) -> tuple[comparing.Look, tuple[str, ...]]:
    """When the worker looked last, and the server's keys of now."""
    from triaged.wire import log_path
    from triaged.worker.service import is_running

    cursor, cursor_at = reader.cursor(name, box.folder), cursor_moved(reader, name, box.folder)
    try:
        box.connect()
        keys = keys_after(box, None)
        after = frozenset(keys_after(box, cursor))
    finally:
        box.close()
    table = next(each for each in config.mailbox if each.name == name)
    look = comparing.Look(
        running=is_running(log_path(config)),
        keys_after=None if isinstance(table, MaildirTable) else after,
        cursor_at=cursor_at,
        poll=timedelta(seconds=table.poll_s),
    )
    return look, keys


def _keeps_copies(config: Config, name: str) -> bool:
    return isinstance(config.outgoing, SmtpOutgoing) and config.outgoing.keep_sent_in == name


def _say(out: Console, config: Config, result: comparing.Reconciled) -> None:
    def line(words: str, style: str = "") -> None:
        out.print(words, style=style, markup=False, soft_wrap=True)

    line(f"{result.mailbox}, folder {result.folder}", "bold")
    line(f"  {result.on_server} messages on the server, {result.with_row} of them have their row")
    bad = [each for each in result.missing if each.why != "new"]
    if len(result.missing) > len(bad):
        line(f"  {len(result.missing) - len(bad)} came a moment ago; the worker is about to read them")
    named = dict(_named(config, result.mailbox, [each.key for each in bad[:SHOWN]]))
    for each in bad[:SHOWN]:
        line(f"  {each.key}  {each.words}  {named.get(each.key, '')}".rstrip(), "bold red")
    _say_rest(line, len(bad))
    for what, count in result.gone:
        line(f"  {count} no longer in the folder: {what}")
    if result.elsewhere > 0:
        line(f"  {result.elsewhere} were seen in folders that are not watched now")
    if result.sent is not None:
        found = result.sent.done - len(result.sent.not_found)
        line(f"  {result.sent.done} mails were sent by the log, {found} of them are in the folder of sent mail")
        for effect in result.sent.not_found[:SHOWN]:
            line(f"  {effect.kind} of mail {effect.row} is done, but is not in Sent: {effect.message_id}", "yellow")
        _say_rest(line, len(result.sent.not_found))
        for unmatched in result.sent.unmatched[:SHOWN]:
            line(f"  {unmatched.message_id} {unmatched.words}", "yellow")
        _say_rest(line, len(result.sent.unmatched))
    if result.is_whole:
        out.print("  [green]✓[/green] each message on the server has its row")
    else:
        out.print(f"  [bold red]✗[/bold red] {len(bad)} messages on the server have no row")


def _say_rest(line: Callable[[str], None], count: int) -> None:
    if count > SHOWN:
        line(f"  … and {count - SHOWN} more; --json lists all")


def _named(config: Config, name: str, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Sender and subject of messages on the server."""
    if len(keys) == 0:
        return
    from triaged.loading import border_of
    from triaged.mail.parse import parse

    box = mailbox_object(config, name)
    try:
        box.connect()
        for raw in box.fetch(keys):
            message = parse(raw, border=border_of(config))
            sender = message.sender.addr_spec if message.sender is not None else "-"
            yield raw.locator.key, f"{terminal.wall(raw.received, config.hours.timezone)}  {sender}  {message.subject}"
    finally:
        box.close()
