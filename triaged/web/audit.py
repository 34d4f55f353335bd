"""A question in, the page of what people changed out: who, when, what, about which mail."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from triaged.log import users
from triaged.web.desk import desk_of
from triaged.web.gate import Manager

A_PAGE = 50
"""Changes on one."""

router = APIRouter()


@router.get("/people/audit")
def audit_page(
    request: Request,
    visitor: Manager,
    who: str = "",
    what: str = "",
    before: Annotated[int | None, Query(ge=1, lt=1 << 62)] = None,
) -> HTMLResponse:
    """The newest changes first; before: only those older than this one, so that a page stays as it was."""
    desk = desk_of(request)
    with desk.reading() as reader:
        rows = users.audits(reader, limit=A_PAGE + 1, before_id=before, who=who, what=what)
        whos, whats = users.audited(reader)
    asked = {key: value for key, value in (("who", who), ("what", what)) if value != ""}
    older = f"/people/audit?{urlencode(asked | {'before': str(rows[A_PAGE - 1].id)})}" if len(rows) > A_PAGE else ""
    return desk.page(
        request,
        visitor,
        "audit.html",
        rows=rows[:A_PAGE],
        whos=whos,
        whats=whats,
        who=who,
        what=what,
        older=older,
        newest=f"/people/audit?{urlencode(asked)}" if before is not None else "",
    )
