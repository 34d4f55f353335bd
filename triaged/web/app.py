"""A configuration in, the review desk as an ASGI application out: its pages, and what is said when one fails."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from triaged import __version__
from triaged.errors import Gone, TriagedError
from triaged.servers import LOOPBACK
from triaged.settings import Config
from triaged.web import (
    accounts,
    api,
    audit,
    calls,
    items,
    live,
    mail,
    me,
    oidc,
    people,
    queue,
    rules,
    signin,
    templates,
    today,
)
from triaged.web import log as log_pages
from triaged.web.desk import STATIC, Desk, desk_of
from triaged.web.gate import SAFE, NotAllowed, NotSignedIn
from triaged.web.guard import HEADERS, Guard

API = "/api/"
ROUTERS = (
    signin.router,
    oidc.router,
    today.router,
    queue.router,
    log_pages.router,
    mail.router,
    items.router,
    calls.router,
    accounts.router,
    rules.router,
    templates.router,
    people.router,
    audit.router,
    me.router,
    live.router,
    api.router,
)
"""In the order of the bar on top."""

log = logging.getLogger(__name__)


def build(config: Config) -> FastAPI:
    """The application; nothing is opened yet."""
    desk = Desk(config)
    address = urlsplit(config.desk.address)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        desk.close()

    app = FastAPI(
        title="triaged: the review desk",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.desk, app.state.live = desk, live.Live(desk)
    app.state.secure = address.scheme == "https"
    app.add_middleware(Guard, hosts=frozenset({*LOOPBACK, "[::1]", (address.hostname or "localhost").lower()}))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for router in ROUTERS:
        app.include_router(router, include_in_schema=router is api.router)
    for kind, handler in (
        (NotSignedIn, _not_signed_in),
        (NotAllowed, _not_allowed),
        (HTTPException, _http),
        (RequestValidationError, _invalid),
        (Gone, _gone),
        (TriagedError, _failed),
        (Exception, _broken),
    ):
        app.add_exception_handler(kind, handler)
    return app


async def _not_signed_in(request: Request, _error: Exception) -> Response:
    if request.url.path.startswith(API):
        return JSONResponse({"detail": "sign in first"}, 401)
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?back={quote(back if request.method in SAFE else '/')}", 303)


async def _not_allowed(request: Request, error: Exception) -> Response:
    return _told(request, 403, "That is not allowed", str(error))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = {404: "There is no such page", 405: "That cannot be done here"}.get(error.status_code, "That did not work")
    detail = (
        error.detail
        if error.detail not in ("Not Found", "Method Not Allowed")
        else "It may have been moved or removed."
    )
    return _told(request, error.status_code, title, detail, headers=error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = "; ".join(f"{'.'.join(str(part) for part in each['loc'][1:])}: {each['msg']}" for each in error.errors())
    return _told(request, 422, "Something on the form is wrong", fields)


async def _gone(request: Request, error: Exception) -> Response:
    return _told(request, 404, "It is not there", str(error))


async def _failed(request: Request, error: Exception) -> Response:
    return _told(request, 409, "That could not be done", str(error))


async def _broken(request: Request, error: Exception) -> Response:
    log.error("page failed path=%s error=%r", request.url.path, error, exc_info=error)
    words = "Nothing was changed. The journal of the service says more."
    answer = _told(request, 500, "The desk made a mistake", words)
    answer.headers.update(HEADERS)  # this one is answered outside of the guard
    return answer


def _told(
    request: Request, status: int, title: str, words: str, *, headers: Mapping[str, str] | None = None
) -> Response:
    """What happened and why, as a page or as JSON; headers: further ones, as `Allow` of a 405."""
    if request.url.path.startswith(API):
        return JSONResponse({"detail": words}, status, headers)
    answer = desk_of(request).bare_page("error.html", status=status, title=title, words=words)
    answer.headers.update(headers or {})
    return answer
