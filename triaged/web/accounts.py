"""Accounts and what the log knows of them in, their pages out: the list, and one account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from triaged.errors import Gone
from triaged.log import accounts as logged
from triaged.log.accountrows import account_of
from triaged.log.accounts import Figures
from triaged.log.calls import calls_of
from triaged.log.merges import standing_merge
from triaged.log.read import Reader
from triaged.model import Account, Contract
from triaged.rebook import names
from triaged.risk import change, trend_words
from triaged.settings import Config
from triaged.web import accountform, accountimport, merges
from triaged.web.calls import STATES
from triaged.web.desk import desk_of
from triaged.web.gate import Viewer, Visitor
from triaged.web.plot import Picture, colour, picture
from triaged.web.words import counted

PAGE = 100
"""Accounts on a page."""
SHOWN = 20
"""Mails, open items and calls that are shown of an account."""
SOON = timedelta(days=60)
"""A contract that ends within that time is one to renew."""
MONTHS = 12
ORDER = ("complaint", "request", "renewal")
"""Categories from the bottom of a bar up, before those of one's own."""

router = APIRouter()
router.include_router(accountimport.router)
router.include_router(merges.router)
router.include_router(accountform.router)


@dataclass(frozen=True, slots=True)
class Ends:
    """When a contract ends. days: until then, negative when it is over; None for one that is open-ended."""

    number: str
    on: date | None
    days: int | None

    @property
    def words(self) -> str:
        """`in 12 days`."""
        if self.days is None:
            return "open-ended"
        if self.days == 0:
            return "ends today"
        days = f"{abs(self.days)} day{'s' if abs(self.days) != 1 else ''}"
        return f"in {days}" if self.days > 0 else f"over for {days}"

    @property
    def is_soon(self) -> bool:
        """Whether it is time to speak of renewing it."""
        return self.days is not None and 0 <= self.days <= SOON.days


@dataclass(frozen=True, slots=True)
class Line:
    """One account of the list. ends: the next contract that ends."""

    account: Account
    figures: Figures
    ends: Ends | None


SortBy = Callable[[Line], Any]
COLUMNS: Mapping[str, tuple[str, SortBy]] = {
    "name": ("Name", lambda line: line.account.name.casefold()),
    "id": ("Id", lambda line: line.account.account_id),
    "manager": ("Manager", lambda line: line.account.manager or None),
    "tier": ("Tier", lambda line: line.account.tier or None),
    "open": ("Open items", lambda line: line.figures.open_items),
    "mails": ("Mails, 30 days", lambda line: line.figures.mails),
    "complaints": ("Complaints, 30 days", lambda line: line.figures.complaints),
    "trend": ("Complaint scores", lambda line: line.figures.trend.recent - line.figures.trend.before),
    "ends": ("Next contract end", lambda line: line.ends.on if line.ends is not None else None),
    "call": ("Next call", lambda line: line.figures.next_call),
}
"""By which the list can be sorted: what the column is called, and what of a line counts; None goes last."""
BY_FIGURES = frozenset({"open", "mails", "complaints", "trend", "call"})
FALLING = frozenset({"open", "mails", "complaints", "trend"})
"""Sorted with the highest first; the others with the lowest."""


# --- the list ------------------------------------------------------------------------------------------------------


@router.get("/accounts")
def accounts_page(
    request: Request, visitor: Viewer, search: str = "", manager: str = "", sort: str = "name", page: int = 1
) -> HTMLResponse:
    """The page. manager: a person's id, `mine`, or `""` for all; sort: of `COLUMNS`, with `-` the other way round."""
    desk = desk_of(request)
    now, today = desk.clock(), desk.clock().astimezone(ZoneInfo(desk.zone)).date()
    by = sort.removeprefix("-") if sort.removeprefix("-") in COLUMNS else "name"
    asked: dict[str, str] = {
        "search": search.strip(),
        "manager": manager,
        "sort": f"-{by}" if sort.startswith("-") else by,
    }
    whose = visitor.person if manager == "mine" else manager
    with desk.reading() as reader:
        known = reader.accounts()
        found = [each for each in known if _fits(each, asked["search"].casefold(), whose)]
        pages = max(1, -(-len(found) // PAGE))
        number = min(max(page, 1), pages)
        part = slice((number - 1) * PAGE, number * PAGE)
        if by in BY_FIGURES:
            lines = _sorted(_lines(reader, found, now=now, today=today), asked["sort"])[part]
        else:
            bare = [Line(each, _NOTHING, _next_end(each, today)) for each in found]
            chosen = [line.account for line in _sorted(bare, asked["sort"])[part]]
            lines = _lines(reader, chosen, now=now, today=today)
    return desk.page(
        request,
        visitor,
        "accounts.html",
        lines=lines,
        total=len(known),
        found=len(found),
        asked=asked,
        columns=[_column(key, asked) for key in COLUMNS],
        managers=_managers(known, desk.config),
        names=names(desk.config),
        number=number,
        pages=pages,
        link=lambda **other: f"/accounts?{urlencode({**asked, **other})}",
        trend=change,
    )


_NOTHING: Any = None
"""Figures that nobody asks for yet."""


def _lines(reader: Reader, found: Sequence[Account], *, now: datetime, today: date) -> list[Line]:
    known = logged.figures(reader, [each.account_id for each in found], now=now)
    return [Line(each, known[each.account_id], _next_end(each, today)) for each in found]


def _sorted(lines: list[Line], sort: str) -> list[Line]:
    by = sort.removeprefix("-")
    value = COLUMNS[by][1]
    there = [line for line in lines if value(line) is not None]
    there.sort(key=value, reverse=(by in FALLING) != sort.startswith("-"))
    return there + [line for line in lines if value(line) is None]


def _fits(account: Account, search: str, manager: str) -> bool:
    if manager != "" and account.manager != manager:
        return False
    told = (account.account_id, account.name, *account.domains, *account.addresses)
    people = (part for contact in account.contacts for part in (contact.name, contact.addr_spec))
    return search == "" or any(search in each.casefold() for each in (*told, *people))


def _column(key: str, asked: dict[str, str]) -> dict[str, str]:
    """A head of the table: what it is called, where it leads, and how the list is sorted by it now."""
    is_this = asked["sort"].removeprefix("-") == key
    turned = f"-{key}" if asked["sort"] == key else key
    falls = (key in FALLING) != asked["sort"].startswith("-")
    return {
        "key": key,
        "name": COLUMNS[key][0],
        "href": f"/accounts?{urlencode({**asked, 'sort': turned})}",
        "sorted": ("descending" if falls else "ascending") if is_this else "",
    }


def _managers(known: Sequence[Account], config: Config) -> dict[str, str]:
    """Names by id of all who manage an account."""
    called = names(config)
    found = {each.manager: called.get(each.manager, each.manager) for each in known if each.manager != ""}
    return dict(sorted(found.items(), key=lambda pair: pair[1].casefold()))


def _next_end(account: Account, today: date) -> Ends | None:
    ahead = [each for each in _ends(account.contracts, today) if each.days is not None and each.days >= 0]
    return min(ahead, key=lambda each: each.days or 0) if ahead else None


def _ends(contracts: Sequence[Contract], today: date) -> list[Ends]:
    return [Ends(each.number, each.ends, (each.ends - today).days if each.ends else None) for each in contracts]


# --- one account ---------------------------------------------------------------------------------------------------


@router.get("/accounts/{account_id:path}")
def account_page(request: Request, visitor: Viewer, account_id: str) -> HTMLResponse:
    """The page of an account; of one that was made part of another, where it is now. Raises: Gone."""
    desk = desk_of(request)
    now = desk.clock()
    with desk.reading() as reader:
        account = account_of(reader.select, account_id)
        if account is None:
            return _gone(request, visitor, reader, account_id)
        zone = ZoneInfo(account.timezone or desk.zone)
        starts = _months(now.astimezone(ZoneInfo(desk.zone)))
        mails = logged.by_month(reader, account_id, starts)
        figures = logged.figures(reader, [account_id], now=now)[account_id]
        waiting = logged.awaited(reader, account_id, now=now, limit=SHOWN)
        newest = logged.newest(reader, account_id, limit=SHOWN)
        values: dict[str, Any] = {
            "calls": calls_of(reader, account_id, limit=SHOWN),
            "open_rows": [row for each in waiting if (row := reader.row(each)) is not None],
            "rows": [row for each in newest if (row := reader.row(each)) is not None],
            "changes": logged.last_changes(reader, account_id, limit=5),
        }
    return desk.page(
        request,
        visitor,
        "account.html",
        account=account,
        address=f"/accounts/{quote(account_id)}",
        states=STATES,
        manager=names(desk.config).get(account.manager, account.manager),
        names=names(desk.config),
        figures=figures,
        trend=trend_words(figures.trend),
        contracts=sorted(
            _ends(account.contracts, now.astimezone(zone).date()), key=lambda each: (each.on is None, each.on)
        ),
        months=by_month(starts, mails),
        now=now,
        **values,
    )


def _gone(request: Request, visitor: Visitor, reader: Reader, account_id: str) -> HTMLResponse:
    merge = standing_merge(reader, account_id)
    if merge is None:
        raise Gone(f"there is no account {account_id}; look for it at /accounts")
    return desk_of(request).page(request, visitor, "account_gone.html", status=404, merge=merge)


def _months(today: datetime) -> list[datetime]:
    """When each of the last twelve months began on the desk's clock, and when this one ends."""
    months = [today.year * 12 + today.month - 1 - back for back in range(MONTHS - 1, -2, -1)]
    return [datetime(month // 12, month % 12 + 1, 1, tzinfo=today.tzinfo) for month in months]


def by_month(starts: Sequence[datetime], mails: Sequence[Mapping[str, int]]) -> Picture:
    """Mails by month and category, each under its first. starts: one more than there are months."""
    known = {category for month in mails for category in month}
    order = [each for each in ORDER if each in known]
    own = sorted(known.difference(ORDER, ("other",)))
    series = tuple((colour(each), each) for each in (*order, *own, *(["other"] if "other" in known else [])))
    months = list(zip(starts, mails, strict=False))
    rows = tuple((f"{start:%B %Y}", tuple(month.get(name, 0) for _, name in series)) for start, month in months)
    told = f"{counted(sum(sum(month.values()) for month in mails), 'mail')} in {len(mails)} months."
    return picture(
        "months", "Mails by month and first category", told, series, rows, [f"{each:%b}" for each, _ in months]
    )
