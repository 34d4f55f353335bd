"""Calls as they stand in, their page out; move one, cancel one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, Response

from triaged import rebook
from triaged.decision import BookCall, CancelCall, MoveCall
from triaged.errors import ConfigError, Gone, Permanent
from triaged.loading import letterhead_of
from triaged.log import calls as logged
from triaged.log import users
from triaged.log.calls import CallRow, Surroundings
from triaged.log.read import Reader
from triaged.web.desk import Desk, desk_of
from triaged.web.gate import Coordinator, Viewer, Visitor

PAST = timedelta(days=7)
"""Calls that lie farther back are found on the page of their mail or account."""
SHOWN = 200
"""Calls of one part of the page."""
STATES: Mapping[str, str] = {
    "waiting": "one of us chooses",
    "offered": "times offered, no answer yet",
    "booked": "booked, no answer yet",
    "accepted": "accepted",
    "tentative": "tentative",
    "declined": "declined",
    "cancelled": "cancelled",
}
"""How a call stands (`decision.CallState`), in words."""

COMMANDS = re.compile(r"\s*\b[A-Z][a-z ]*: triaged calls .*$", re.DOTALL)

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Shown:
    """A call with what the log knows around it."""

    row: CallRow
    around: Surroundings

    @property
    def seen(self) -> str:
        """Tells how the call stands now from how it stands after any change."""
        return seen_of(self.row)

    @property
    def questions(self) -> list[tuple[int, str]]:
        """What a person is asked, without what they would type on a command line: this page has it as buttons."""
        return [(mail, COMMANDS.sub("", words)) for mail, words in self.around.questions]


@router.get("/calls")
def calls_page(request: Request, visitor: Viewer) -> HTMLResponse:
    """What needs attention, today's, what is ahead, times that are kept free, the week that is over."""
    desk = desk_of(request)
    now = desk.clock()
    with desk.reading() as reader:
        rows = logged.calls_since(reader, now - PAST, limit=SHOWN * 5)
        around = logged.surroundings(reader, rows)
        shown = [Shown(row, around[row.call.appointment.uid]) for row in rows]
    parts = _parts(shown, now=now, zone=ZoneInfo(desk.zone))
    return desk.page(
        request,
        visitor,
        "calls.html",
        parts=parts,
        states=STATES,
        names=rebook.names(desk.config),
        local=_local,
        now=now,
    )


@router.get("/calls/{message}")
def call_page(request: Request, visitor: Coordinator, message: int) -> HTMLResponse:
    """The call of a mail, with the forms that move and cancel it. Raises: Gone."""
    return _call_page(request, visitor, message)


@router.post("/calls/{message}/move")
def move(
    request: Request,
    visitor: Coordinator,
    message: int,
    *,
    to: Annotated[str, Form(max_length=100)] = "",
    seen: Annotated[str, Form(max_length=100)],
    zone: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Move it, or book it where it was only offered. zone: on whose clock; `""`: of whoever calls. Raises: Gone."""
    desk = desk_of(request)
    now = desk.clock()
    row, message_id = _found(desk, message)
    try:
        start = rebook.moment(to, zone=zone or row.zone, now=now)
    except ValueError as error:
        return _call_page(request, visitor, message, problem=f"New time: {error}.", to=to, status=422)
    return _change(
        request,
        visitor,
        row,
        lambda: rebook.moved(row, start, letterhead_of(desk.config), message_id=message_id, now=now),
        seen=seen,
    )


@router.post("/calls/{message}/cancel")
def cancel(
    request: Request,
    visitor: Coordinator,
    message: int,
    seen: Annotated[str, Form(max_length=100)],
    silent: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Take it out of the calendar. silent: the client is not told. Raises: Gone."""
    desk = desk_of(request)
    now = desk.clock()
    row, message_id = _found(desk, message)
    return _change(
        request,
        visitor,
        row,
        lambda: rebook.cancelled(row, letterhead_of(desk.config), message_id=message_id, silent=silent != "", now=now),
        seen=seen,
    )


def seen_of(row: CallRow) -> str:
    """Tells how a call stands from how it stands after any change."""
    call = row.call
    start = call.slot.start.isoformat() if call.slot is not None else ""
    return f"{call.state} {call.sequence} {start}"


def _change(
    request: Request,
    visitor: Visitor,
    row: CallRow,
    make: Callable[[], BookCall | MoveCall | CancelCall],
    *,
    seen: str,
) -> Response:
    """Have the worker do it, unless the call is no longer as it was when it was looked at."""
    desk = desk_of(request)
    now, message = desk.clock(), row.message
    if seen_of(row) != seen:
        problem = "The call was changed since you looked at it. This is how it stands now; nothing was changed by you."
        return _call_page(request, visitor, message, problem=problem, status=409)
    try:
        rebook.must_be_doable(row, desk.config)
        effect = make()
        words = rebook.words(row, effect, desk.config)
        with desk.writing() as log:
            begins = rebook.plan(log, row, effect, f"{words}; by {visitor.name}", now=now)
            users.audit(log, f"call.{effect.kind}", words, who=visitor.name, now=now, message=message)
    except (ConfigError, Permanent) as error:
        return _call_page(request, visitor, message, problem=f"Nothing was changed: {error}.", status=409)
    if not begins:
        held = f"To {words}: a limit or the mailbox's mode holds it back until it is approved."
        return desk.done(visitor, f"/mail/{message}", held, bad=True)
    return desk.done(visitor, "/calls", f"To {words}: the worker does it within seconds; {rebook.told(row, effect)}.")


def _call_page(
    request: Request, visitor: Visitor, message: int, *, problem: str = "", to: str = "", status: int = 200
) -> HTMLResponse:
    desk = desk_of(request)
    with desk.reading() as reader:
        row = _row(reader, message)
        around = logged.surroundings(reader, [row])[row.call.appointment.uid]
    return desk.page(
        request,
        visitor,
        "call.html",
        status=status,
        call=Shown(row, around),
        states=STATES,
        names=rebook.names(desk.config),
        local=_local,
        problem=problem,
        to=to,
        now=desk.clock(),
        can_change=row.call.state != "cancelled" and not around.is_being_changed,
    )


def _parts(shown: Sequence[Shown], *, now: datetime, zone: ZoneInfo) -> dict[str, list[Shown]]:
    """The calls by the parts of the page, each in one of them."""
    parts: dict[str, list[Shown]] = {name: [] for name in ("attention", "today", "upcoming", "offered", "past")}
    for each in shown:
        parts[_part(each, now=now, zone=zone)].append(each)
    parts["past"].reverse()
    return {name: found[:SHOWN] for name, found in parts.items()}


def _part(shown: Shown, *, now: datetime, zone: ZoneInfo) -> str:
    call = shown.row.call
    is_ahead = call.slot.end > now if call.slot is not None else True
    if call.state == "cancelled" or not is_ahead:
        return "past"
    if call.state == "declined" or len(shown.around.questions) > 0:
        return "attention"
    if call.slot is None:
        return "offered" if any(each.end > now for each in call.offered) else "attention"
    is_today = call.slot.start.astimezone(zone).date() == now.astimezone(zone).date()
    return "today" if is_today else "upcoming"


def _local(moment: datetime, zone: str) -> str:
    """A time on another wall clock: `Thu 03 Dec 16:00`."""
    return f"{moment.astimezone(ZoneInfo(zone)):%a %d %b %H:%M}"


def _found(desk: Desk, message: int) -> tuple[CallRow, str]:
    """The call of a mail, and the mail's Message-ID. Raises: Gone."""
    with desk.reading() as reader:
        row = _row(reader, message)
        mail = reader.message(message)
    return row, mail.message_id if mail is not None else ""


def _row(reader: Reader, message: int) -> CallRow:
    rows = logged.calls(reader, message=message)
    if len(rows) == 0:
        raise Gone(f"no call came of mail {message}")
    return rows[0]
