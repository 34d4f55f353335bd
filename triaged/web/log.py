"""A search in, the page of the triage log out, and the same as a file; searches kept under a name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Form, HTTPException, Query, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from triaged.log import users
from triaged.log.find import ENOUGH, OTHER, account_names, choices, every, find
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.log.saved import drop_view, save_view, saved_views
from triaged.web.desk import Desk, desk_of
from triaged.web.export import MOST, as_csv, as_workbook
from triaged.web.gate import Viewer
from triaged.web.search import NONE, SORT_WORDS, STATE_WORDS, FormFilters, chips, filters_of

ON_A_PAGE = 50
REFERENCE = re.compile(r"\s*(T-[0-9A-Z]{7})\s*", re.IGNORECASE)
"""What the clients' answers call a mail."""
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Number = Annotated[int | None, Query(ge=1, le=2**63 - 1)]
router = APIRouter()


@router.get("/log")
def log_page(
    request: Request,
    visitor: Viewer,
    filters: Annotated[FormFilters, Query()],
    after: Number = None,
    before: Number = None,
) -> Response:
    """One page of a search; a reference leads to its mail."""
    desk = desk_of(request)
    with desk.reading() as reader:
        if (wanted := REFERENCE.fullmatch(filters.search or "")) and (mail := reader.find(wanted[1])) is not None:
            return RedirectResponse(f"/mail/{mail}", status_code=303)
        try:
            found = find(reader, filters.search_of(desk.zone), limit=ON_A_PAGE, after=after, before=before)
        except ValueError as error:
            raise HTTPException(404, str(error)) from None
        accounts, people = account_names(reader), {person.id: person.name for person in desk.config.person}
        views = saved_views(reader, visitor.name)
        offered = _offered(reader, desk, filters, accounts, people)
    return desk.page(
        request,
        visitor,
        "log.html",
        found=found,
        filters=filters,
        query=filters.query(),
        chips=list(chips(filters, accounts=accounts, people=people)),
        offered=offered,
        accounts=accounts,
        people=people,
        views=views,
        is_first=after is None and before is None,
        most=MOST,
        counted=ENOUGH.counted,
        now=desk.clock(),
    )


def _offered(
    reader: Reader, desk: Desk, filters: FormFilters, accounts: dict[str, str], people: dict[str, str]
) -> dict[str, dict[str, str]]:
    """What each field of the form offers, value → words; what is asked for is always there."""
    mailboxes = {each.name for each in desk.config.mailbox} | {*choices(reader, "mailbox")}
    categories = [each for each in choices(reader, "category") if each != OTHER]
    offered = {
        "category": {**{each: each for each in categories}, OTHER: OTHER},
        "state": dict(STATE_WORDS),
        "account": {NONE: "no account", **{key: name or key for key, name in accounts.items()}},
        "mailbox": {each: each for each in sorted(mailboxes)},
        "rule": {each: each for each in choices(reader, "rule")},
        "owner": {**{each: each for each in choices(reader, "owner")}, **people},
        "sure": {"no": "not sure", "yes": "sure"},
    }
    for name, values in offered.items():
        asked = getattr(filters, name)
        if asked is not None:
            values.setdefault(asked, asked)
    return offered | {"sort": dict(SORT_WORDS)}


# --- as a file ------------------------------------------------------------------------------------------------


@router.get("/log.{kind}")
def export(
    request: Request, visitor: Viewer, kind: Literal["csv", "xlsx"], filters: Annotated[FormFilters, Query()]
) -> StreamingResponse:
    """The first `MOST` mails of a search, in its order."""
    desk = desk_of(request)
    with desk.reading() as reader:
        accounts = account_names(reader)
    write, media = (as_csv, "text/csv; charset=utf-8") if kind == "csv" else (as_workbook, SHEET)
    name = f"triage-log-{desk.clock():%Y-%m-%d}.{kind}"
    return StreamingResponse(
        write(_all_of(desk, filters), zone=desk.zone, accounts=accounts),
        media_type=media,
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _all_of(desk: Desk, filters: FormFilters) -> Iterator[LogRow]:
    with desk.reading() as reader:
        yield from every(reader, filters.search_of(desk.zone), limit=MOST)


# --- searches under a name ------------------------------------------------------------------------------------


@router.post("/log/views")
def save(
    request: Request,
    visitor: Viewer,
    name: Annotated[str, Form(min_length=1, max_length=60)],
    query: Annotated[str, Form(max_length=2000)] = "",
) -> RedirectResponse:
    """Keep a search; one of this name is replaced."""
    desk, filters, name = desk_of(request), filters_of(query), " ".join(name.split())
    if filters is None or name == "":
        raise HTTPException(422, "This is no search of the log, or it has no name. Go back and try again.")
    where = f"/log?{filters.query()}"
    try:
        with desk.writing() as log:
            save_view(log, visitor.name, name, filters.query())
            users.audit(log, "view.save", f"“{name}”", who=visitor.name, now=desk.clock(), about=visitor.name)
    except ValueError as error:
        return desk.done(visitor, where, f"It was not saved: {error}.", bad=True)
    return desk.done(visitor, where, f"Saved as “{name}”. You find it above the list, on every device.")


@router.post("/log/views/delete")
def delete(request: Request, visitor: Viewer, name: Annotated[str, Form(max_length=60)]) -> RedirectResponse:
    """Forget a search that was kept."""
    desk = desk_of(request)
    with desk.writing() as log:
        gone = drop_view(log, visitor.name, name)
        if gone:
            users.audit(log, "view.delete", f"“{name}”", who=visitor.name, now=desk.clock(), about=visitor.name)
    words = f"“{name}” is deleted; no mail was changed." if gone else f"There was no view “{name}” any more."
    return desk.done(visitor, "/log", words)
