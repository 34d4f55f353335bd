"""A search in, the page of the triage log out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from triaged.web.desk import desk_of
from triaged.web.gate import Viewer

router = APIRouter()


@router.get("/log")
def log_page(request: Request, visitor: Viewer) -> HTMLResponse:
    """The newest mails."""
    desk = desk_of(request)
    with desk.reading() as reader:
        rows = reader.rows(limit=50)
    return desk.page(request, visitor, "log.html", rows=rows)
