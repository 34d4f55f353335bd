"""One mail in, two looks at what was sent out: as its sender laid it out, in a frame that can do nothing, and raw."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from triaged.log.rows import LogRow
from triaged.plaintext import visible
from triaged.web.desk import Desk, desk_of, mail_row
from triaged.web.gate import Viewer
from triaged.web.mailhtml import POLICY, Shown
from triaged.web.mailsource import Source

MAX_SOURCE_BYTES = 300_000
"""Of a mail's source that are shown; the file has all of it."""
NO_HTML = "It was written as plain text, so there is no other layout: the mail's page shows all of it."

router = APIRouter()


@router.get("/mail/{mail}/html")
def html_page(request: Request, visitor: Viewer, mail: str) -> HTMLResponse:
    """The page around the frame: what was left out, and where the links lead."""
    desk = desk_of(request)
    row, found = _source(desk, mail)
    shown = _shown(desk, found)
    why = shown if isinstance(shown, str) else ""
    links = [(each, urlsplit(each).hostname or "") for each in shown.links] if isinstance(shown, Shown) else []
    return desk.page(request, visitor, "mail_html.html", row=row, shown=shown, why=why, links=links)


@router.get("/mail/{mail}/frame")
def frame(request: Request, visitor: Viewer, mail: str) -> Response:
    """What is in the frame. Nothing in it runs or is loaded, whatever the mail holds; see `mailhtml`."""
    desk = desk_of(request)
    row, found = _source(desk, mail)
    shown = _shown(desk, found)
    headers = {"content-security-policy": POLICY, "referrer-policy": "no-referrer"}
    if isinstance(shown, str):
        return PlainTextResponse(shown, 404, headers=headers)
    with desk.reading() as reader:
        decision = reader.decision(row.id)
    language = decision.verdict.language if decision is not None else ""
    page = desk.bare_page("mail_frame.html", html=shown.html, language=language)
    page.headers.update(headers)
    return page


@router.get("/mail/{mail}/source")
def source_page(request: Request, visitor: Viewer, mail: str) -> HTMLResponse:
    """The octets as they came, as far as they can be read."""
    desk = desk_of(request)
    row, found = _source(desk, mail)
    text = why = ""
    if isinstance(found, Source):
        lines = found.octets[:MAX_SOURCE_BYTES].decode("utf-8", "backslashreplace").replace("\r\n", "\n").split("\n")
        text = "\n".join(map(visible, lines))
    else:
        why = found
    return desk.page(
        request, visitor, "mail_source.html", row=row, source=found, text=text, why=why, most=MAX_SOURCE_BYTES
    )


@router.get("/mail/{mail}/source.eml")
def source_file(request: Request, visitor: Viewer, mail: str) -> Response:
    """The octets as a file, which no browser shows."""
    row, found = _source(desk_of(request), mail)
    if not isinstance(found, Source):
        return PlainTextResponse(found, 404)
    name = f"{row.reference or f'mail-{row.id}'}.eml"
    headers = {"content-disposition": f'attachment; filename="{name}"', "content-security-policy": "sandbox"}
    return Response(found.octets, media_type="message/rfc822", headers=headers)


def _source(desk: Desk, mail: str) -> tuple[LogRow, Source | str]:
    with desk.reading() as reader:
        row = mail_row(reader, mail)
        return row, desk.sources.source(reader, row)


def _shown(desk: Desk, found: Source | str) -> Shown | str:
    """What is shown in the frame, or a sentence why nothing is."""
    if isinstance(found, str):
        return found
    shown = desk.sources.layout(found)
    return NO_HTML if shown is None else shown
