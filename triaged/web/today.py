"""The log in, the first page out: what came since the last visit, what was done about it, what waits, what is late."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from triaged.web.desk import desk_of
from triaged.web.gate import Viewer

router = APIRouter()


@router.get("/")
def today(request: Request, visitor: Viewer) -> HTMLResponse:
    """The page."""
    return desk_of(request).page(request, visitor, "today.html")
