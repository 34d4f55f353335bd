"""Questions of other programs in, JSON out: the same searches and mails as on the pages, described in OpenAPI.

A program signs in as a browser does and sends the session's cookie. Nothing can be changed by it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, Security
from fastapi.security import APIKeyCookie
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from triaged import views
from triaged.log.find import Search, find
from triaged.log.status import status_of
from triaged.web.desk import desk_of
from triaged.web.gate import COOKIE, Viewer
from triaged.web.search import Filters
from triaged.wire import log_path
from triaged.worker.service import is_running
from triaged.worker.telling import disk_of

DAY = timedelta(days=1)
HIGHEST = 2**63 - 1
"""Of SQLite's numbers."""


class Told(BaseModel):
    """Why it could not be answered."""

    detail: str


class Shape(BaseModel):
    """An object with these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Effect(Shape):
    """Something that was to be done for a mail, and how it stands."""

    kind: str
    state: str


class Line(Shape):
    """What the log says of a mail. Times are UTC; risk: of losing the client, 0 to 1; copies: how often it was seen."""

    id: int
    reference: str = Field(description="What clients and coordinators call it, T-7K3M9QX; empty if none.")
    state: str
    mailbox: str
    received: datetime
    sender: str
    subject: str
    automatic: str = Field(description="person, hold (it looks like a machine's) or machine.")
    categories: list[str] = Field(description="Highest score first; empty is other.")
    sure: bool
    account: str | None
    priority: str
    due: datetime | None
    assigned: str | None
    answered: datetime | None = Field(description="When one of us answered it, as a folder of sent mail shows.")
    done: datetime | None
    risk: float | None
    copies: int


class Mail(Line):
    """A mail's line in the log."""

    effects: list[Effect]


class MailPage(Shape):
    """One page. before, after: for the parameters of the same name, null where no page is."""

    mails: list[Mail]
    count: int = Field(description="Of all mails that fit, counted up to 10,000.")
    exact: bool = Field(description="Whether that is all of them; if not, at least so many fit.")
    looked_to: datetime | None = Field(description="Where looking ended for this page although more mails may fit.")
    before: int | None
    after: int | None


class EffectStory(Effect):
    """An effect with its tries and all that it needs."""

    attempts: int
    not_before: datetime
    detail: str
    payload: dict[str, Any]


class Event(Shape):
    """A line of a mail's story."""

    at: datetime
    name: str
    detail: str


class MailStory(Line):
    """A mail with its text, what was done for it and its story; text: null when it could not be read or is removed."""

    text: str | None
    new_text: str | None
    defects: list[str]
    effects: list[EffectStory]
    events: list[Event]


class Contact(Shape):
    """A person at a client."""

    address: str
    name: str


class Contract(Shape):
    """A contract; ends: a calendar day, null when it is open-ended."""

    number: str
    ends: str | None


class Account(Shape):
    """A client."""

    account_id: str
    name: str
    domains: list[str]
    addresses: list[str]
    contacts: list[Contact]
    manager: str
    tier: str
    contracts: list[Contract]
    timezone: str
    language: str
    hours: str
    country: str


class Part(Shape):
    """A part of the worker as it last reported."""

    part: str
    state: str
    detail: str
    since: datetime


class Breaker(Shape):
    """Whether acknowledgements are stopped by the breaker."""

    open: bool
    since: datetime | None
    why: str


class Alert(Shape):
    """Something that people are told about."""

    key: str
    what: str
    severity: str
    words: str
    open: bool
    since: datetime
    cleared: datetime | None
    told: datetime | None
    not_told: str | None


class MailboxState(Shape):
    """A mailbox: live, or only observed."""

    name: str
    mode: str
    since: datetime | None


class EffectCount(Effect):
    """How many effects stand so."""

    count: int


class Waiting(Effect):
    """An effect that waits for a person."""

    id: int = Field(description="Of its mail.")
    subject: str
    detail: str


class Learning(Shape):
    """What was learned from corrections."""

    to_review: int
    reviewed: int
    reviewed_right: int
    labels: int
    new_labels: int
    last: datetime | None
    outcome: str | None


class Status(Shape):
    """How the worker is and what the log holds."""

    running: bool
    disk_full: bool
    troubled: bool
    parts: list[Part]
    breaker: Breaker
    alerts: list[Alert]
    mailboxes: list[MailboxState]
    mails: int
    last_24_h: int
    further_copies: int
    unsure: int
    quarantined: int
    effects: list[EffectCount]
    waiting: list[Waiting]
    learning: Learning


class Me(Shape):
    """Who is signed in. person: their id in config.toml, null for none."""

    name: str
    role: str
    person: str | None


router = APIRouter(
    prefix="/api",
    dependencies=[Security(APIKeyCookie(name=COOKIE, auto_error=False, description="Of a browser that signed in."))],
    responses={
        401: {"model": Told, "description": "Sign in first."},
        404: {"model": Told, "description": "It is not there."},
        422: {"model": Told, "description": "A parameter is wrong; says which and why."},
    },
)
Number = Annotated[int | None, Query(ge=1, le=HIGHEST, description="A mail's number, from the page before or after.")]
Limit = Annotated[int, Query(ge=1, le=200, description="Mails on a page.")]


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request, visitor: Viewer) -> JSONResponse:
    """This description; like everything else for those who signed in."""
    return JSONResponse(request.app.openapi())


@router.get("/mails", summary="Search the log", response_model=MailPage)
def mails(
    request: Request,
    visitor: Viewer,
    filters: Annotated[Filters, Query()],
    limit: Limit = 50,
    after: Number = None,
    before: Number = None,
) -> dict[str, Any]:
    """One page of the mails that all the filters let through, in the order of `sort`."""
    return _page(request, filters.search_of(desk_of(request).zone), limit, after, before)


@router.get("/items", summary="List what is open", response_model=MailPage)
def items(
    request: Request, visitor: Viewer, limit: Limit = 50, after: Number = None, before: Number = None
) -> dict[str, Any]:
    """Mails that we owe an answer: none was given, and nobody said that none is needed; the next due first."""
    return _page(request, Search(state="open", sort="due"), limit, after, before)


@router.get("/mails/{number}", summary="Read one mail", response_model=MailStory)
def mail(
    request: Request, visitor: Viewer, number: Annotated[int, Path(ge=1, le=HIGHEST, description="The mail's number.")]
) -> dict[str, Any]:
    """Its line, its text, what was done for it, and its story."""
    with desk_of(request).reading() as reader:
        row = reader.row(number)
        if row is None:
            raise HTTPException(404, f"there is no mail {number}")
        return views.story_view(row, reader.message(number), reader.effects(number), reader.events(number))


@router.get("/accounts", summary="List the accounts", response_model=list[Account])
def accounts(request: Request, visitor: Viewer) -> list[dict[str, Any]]:
    """Every client, by id, with contacts and contracts."""
    with desk_of(request).reading() as reader:
        return [views.account_view(account) for account in reader.accounts()]


@router.get("/status", summary="See how the worker is", response_model=Status)
def status(request: Request, visitor: Viewer) -> dict[str, Any]:
    """What `triaged status --json` prints."""
    desk = desk_of(request)
    disk = disk_of(desk.config.state_dir)
    with desk.reading() as reader:
        found = status_of(
            reader,
            running=is_running(log_path(desk.config)),
            disk_full=disk is not None and disk.full,
            mailboxes=tuple(mailbox.name for mailbox in desk.config.mailbox),
            since=desk.clock() - DAY,
        )
    return views.status_view(found)


@router.get("/me", summary="See who is signed in", response_model=Me)
def me(visitor: Viewer) -> dict[str, Any]:
    """Name, role, and the person of ours that they are."""
    return {"name": visitor.name, "role": visitor.role, "person": visitor.person or None}


def _page(request: Request, search: Search, limit: int, after: int | None, before: int | None) -> dict[str, Any]:
    with desk_of(request).reading() as reader:
        try:
            found = find(reader, search, limit=limit, after=after, before=before)
        except ValueError as error:
            raise HTTPException(404, str(error)) from None
    return {
        "mails": [views.row_view(row) for row in found.rows],
        "count": found.count,
        "exact": found.exact,
        "looked_to": views.moment(found.looked_to),
        "before": found.before,
        "after": found.after,
    }
