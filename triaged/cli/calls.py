"""Commands about calls: which are offered or booked, move one, cancel one; the client is told by the worker."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from triaged import rebook, terminal, views
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
from triaged.decision import BookCall, CancelCall, MoveCall
from triaged.errors import Permanent
from triaged.log.calls import CallRow, calls
from triaged.log.read import Reader
from triaged.settings import Config

calls_app = typer.Typer(help="Calls with clients: list, move, cancel.", no_args_is_help=True)
app.add_typer(calls_app, name="calls")

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@calls_app.command("list", epilog="Example: triaged calls list --json")
def calls_list(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over or cancelled too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the calls that are offered or booked, the next first, and what the client answered."""
    loaded = config_of(config)
    with reader_of(loaded) as reader:
        rows = calls(reader, since=None if everything else datetime.now(UTC))
    if as_json:
        for row in rows:
            print(views.line(call_view(row)))  # noqa: T201
    elif len(rows) == 0:
        terminal.console().print("no call is offered or booked")
    else:
        terminal.console().print(_table(rows, rebook.names(loaded)))


@calls_app.command("move", epilog='Example: triaged calls move T-7K3M9QX "2026-12-01 15:00"')
def calls_move(
    mail: IdArgument,
    to: Annotated[str, typer.Argument(help="Day and time, on the wall clock of whoever calls.", metavar="TIME")],
    zone: Annotated[str, typer.Option(help="Read the time in this zone instead (IANA).", metavar="ZONE")] = "",
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Move a call to another time, or book one that was only offered, if its calendar is free then; the client is
    sent the new invitation."""
    from triaged.loading import letterhead_of

    loaded, now = config_of(config), datetime.now(UTC)
    with reader_of(loaded) as reader:
        row, message_id = _call(reader, mail)
    try:
        start = rebook.moment(to, zone=zone or row.zone, now=now)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    _plan(
        loaded, row, rebook.moved(row, start, letterhead_of(loaded), message_id=message_id, now=now), yes=yes, now=now
    )


@calls_app.command("cancel", epilog="Example: triaged calls cancel T-7K3M9QX")
def calls_cancel(
    mail: IdArgument,
    silent: Annotated[bool, typer.Option("--silent", help="The client is not told.")] = False,
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Take a call out of the calendar and send the client the cancellation; times that were only offered are kept free
    no longer, and nobody is told."""
    from triaged.loading import letterhead_of

    loaded, now = config_of(config), datetime.now(UTC)
    with reader_of(loaded) as reader:
        row, message_id = _call(reader, mail)
    effect = rebook.cancelled(row, letterhead_of(loaded), message_id=message_id, silent=silent, now=now)
    _plan(loaded, row, effect, yes=yes, now=now)


def call_view(row: CallRow) -> dict[str, Any]:
    """One line of `triaged calls list --json`; times in UTC, `wall` on the clock of whoever calls."""
    call, slot = row.call, row.call.slot
    return {
        "id": row.message,
        "reference": call.appointment.reference,
        "state": call.state,
        "with": call.appointment.person,
        "client": call.appointment.attendee.addr_spec,
        "minutes": call.appointment.minutes,
        "start": views.moment(slot.start) if slot is not None else None,
        "end": views.moment(slot.end) if slot is not None else None,
        "wall": row.wall or None,
        "timezone": row.zone,
        "client_timezone": call.appointment.zone,
        "offered": [views.moment(each.start) for each in call.offered],
        "moves": call.moves,
        "sequence": call.sequence,
        "uid": call.appointment.uid,
        "summary": call.appointment.summary,
    }


def _call(reader: Reader, mail: str) -> tuple[CallRow, str]:
    """The call that came of a mail, and that mail's Message-ID; without one that stands the command ends."""
    found = row_of(reader, mail)
    rows = calls(reader, message=found.id)
    if len(rows) == 0:
        fail(f"no call came of mail {found.id}; 'triaged calls list' shows those there are")
    message = reader.message(found.id)
    return rows[0], message.message_id if message is not None else ""


def _plan(config: Config, row: CallRow, effect: BookCall | MoveCall | CancelCall, *, yes: bool, now: datetime) -> None:
    """Ask, then have the worker do it."""
    try:
        rebook.must_be_doable(row, config)
        words = rebook.words(row, effect, config)
        if not yes and not typer.confirm(f"{words[:1].upper()}{words[1:]}; {rebook.told(row, effect)}. Do it?"):
            fail("nothing was changed")
        with writing(config) as rows:
            begins = rebook.plan(rows, row, effect, f"{words}; by {getpass.getuser()}", now=now)
            audited(rows, f"call.{effect.kind}", words, message=row.message)
    except Permanent as error:
        fail(str(error))
    if not begins:
        fail(f"a limit or the mailbox's mode holds it back; see: triaged show {row.message}")
    terminal.console().print(f"the worker does it within seconds; see: triaged show {row.message}")


def _table(rows: Sequence[CallRow], names: dict[str, str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("mail", "when", "with", "client", "min", "state", "about"):
        table.add_column(name, justify="right" if name == "min" else "left", no_wrap=name in ("mail", "when"))
    for row in rows:
        call, appointment = row.call, row.call.appointment
        times = [call.slot] if call.slot is not None else call.offered
        when = "\n".join(terminal.wall(each.start, row.zone) for each in times)
        moved = f", moved {call.moves}×" if call.moves > 0 else ""
        client = appointment.attendee.display_name or appointment.attendee.addr_spec
        cells = (
            appointment.reference or str(row.message),
            when,
            names.get(appointment.person, appointment.person),
            client,
            str(appointment.minutes),
            f"{call.state}{moved}",
            appointment.subject,
        )
        table.add_row(*(escape(cell) for cell in cells))
    return table
