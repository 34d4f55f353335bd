"""What is owed to clients in, one list by age and due time out.

What is done about one of them goes by the forms of its own page (`mail.py`), which lead back here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse

from triaged.clocks.hours import Hours
from triaged.loading import hours_of
from triaged.log import handling
from triaged.log import items as owed
from triaged.log.items import GROUPS, Asked, Group
from triaged.web.desk import Desk, desk_of
from triaged.web.gate import Coordinator, Viewer, Visitor
from triaged.web.signin import ours

SHOWN, A_PAGE = 15, 100
"""Items of a group in the list of all groups, and a page of one group."""
UNOWED_DAYS, FORGOTTEN_DAYS = 2, 30
"""A client's mail that nothing happened to is shown after so many working days, and for no more than so many days: then
it is a matter for the log, and the list stays one that can be emptied."""
MINE, NOBODYS = "me", "nobody"
TITLES: dict[Group, tuple[str, str]] = {
    "late": ("Late", "The time at which an answer was owed is over."),
    "today": ("Due today", ""),
    "later": ("Due later", ""),
    "waiting": ("Waiting for others", "The client waits with us: chase when the day of the next step has come."),
    "promised": ("Answered, with a next step", "A person wrote to the client, and something is still to be done."),
    "answered": ("Answered, not yet done", "A person wrote to the client. Done? Then say so, and it leaves this list."),
    "unowed": (
        "Perhaps forgotten",
        f"Clients' mails of the last {FORGOTTEN_DAYS} days that ask for nothing, as far as triaged can tell, and that "
        f"nobody answered, acknowledged or called done within {UNOWED_DAYS} working days.",
    ),
}
"""Of a group: what it is called, and what that means."""

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Filter:
    """What the address of the page asks for, `""` for all. owner: an id, `me`, `nobody`; group: only that one."""

    owner: str = ""
    account: str = ""
    category: str = ""
    group: str = ""

    def address(self, **changed: str | int) -> str:
        """The page with these changed."""
        fields = {name: getattr(self, name) for name in self.__slots__} | changed
        query = urlencode({name: value for name, value in fields.items() if value})
        return f"/items?{query}" if query else "/items"


@router.get("/items")
def items_page(
    request: Request,
    visitor: Viewer,
    owner: str = "",
    account: str = "",
    category: str = "",
    group: str = "",
    page: int = 1,
) -> HTMLResponse:
    """All groups, each with its first items; or one group, page by page."""
    desk, wanted = desk_of(request), Filter(owner, account, category, group)
    if group not in ("", *GROUPS) or not 1 <= page <= 100_000:
        raise HTTPException(404, "There is no such list of open items.")
    asked = _asked(desk, visitor, wanted)
    shown: tuple[Group, ...] = tuple(each for each in GROUPS if group in ("", each))
    limit = A_PAGE if group else SHOWN
    with desk.reading() as reader:
        counts = owed.count(reader, asked)
        found = {each: owed.items(reader, each, asked, limit=limit, offset=limit * (page - 1)) for each in shown}
        chase, accounts, categories = owed.to_chase(reader, asked), owed.accounts(reader), owed.categories(reader)
    pages = -(-counts[shown[0]] // A_PAGE) if group else 1
    return desk.page(
        request,
        visitor,
        "items.html",
        counts=counts,
        found=found,
        titles=TITLES,
        chase=chase,
        accounts=accounts,
        categories=categories,
        people={person.id: person.name for person in desk.config.person},
        wanted=wanted,
        now=asked.now,
        tomorrow=asked.tomorrow,
        here=wanted.address(page=page if page > 1 else 0),
        page_number=page,
        pages=pages,
    )


@router.post("/items/done")
def all_done(
    request: Request,
    visitor: Coordinator,
    mail: Annotated[list[int], Form(max_length=A_PAGE)],
    back: Annotated[str, Form()] = "/items",
) -> RedirectResponse:
    """Say of several mails at once, those that were shown, that nothing more is owed."""
    desk = desk_of(request)
    with desk.writing() as log:
        now = desk.clock()
        changed = sum(handling.set_state(log, each, "done", who=visitor.name, now=now) for each in mail)
    words = "1 mail is done." if changed == 1 else f"{changed} mails are done."
    return desk.done(visitor, ours(back), words)


# --- within -----------------------------------------------------------------------------------------------------------


def _asked(desk: Desk, visitor: Visitor, wanted: Filter) -> Asked:
    now, zone = desk.clock(), ZoneInfo(desk.zone)
    tomorrow = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(), zone)
    owners = {"": None, MINE: visitor.person or MINE, NOBODYS: ""}
    hours = hours_of(desk.config, desk.config.hours, where="hours")
    return Asked(
        now=now,
        tomorrow=tomorrow.astimezone(UTC),
        unowed_since=now - timedelta(days=FORGOTTEN_DAYS),
        unowed_until=_working_days_ago(now, hours),
        owner=owners.get(wanted.owner, wanted.owner),
        account=wanted.account or None,
        category=wanted.category or None,
    )


def _working_days_ago(now: datetime, hours: Hours) -> datetime:
    """The same time of day so many working days ago."""
    left, days = UNOWED_DAYS, 0
    today = now.astimezone(ZoneInfo(hours.timezone)).date()
    while left > 0 and days < FORGOTTEN_DAYS:
        days += 1
        left -= hours.works_on(today - timedelta(days=days))
    return now - timedelta(days=days)
