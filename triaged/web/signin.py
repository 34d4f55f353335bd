"""Name and password in, a session or a refusal out; guessing is slow, and costs the desk little."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Semaphore
from typing import Annotated
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import APIRouter, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from triaged.log import users
from triaged.web.desk import Desk, desk_of
from triaged.web.gate import NotAllowed, Viewer, cookie_name, is_same_origin, named_by_proxy

WITHIN = timedelta(minutes=15)
TRIES, TRIES_AN_ORIGIN, TRIES_A_NAME = 5, 30, 50
"""Failed sign-ins within that time: of a name from one origin, from one origin by any name, of a name from anywhere.
The last is the larger, so that nobody at one place can keep somebody at another from signing in; sessions go on."""
AT_ONCE, IN_LINE = Semaphore(2), Semaphore(8)
"""A hash takes 64 MiB and a tenth of a second (measured 2026-11; argon2-cffi's defaults, RFC 9106). Whoever comes when
so many wait is sent away, so that however many sign in, pages have threads left."""
SHORTEST = 12
"""Letters of a password."""

router = APIRouter()
logger = logging.getLogger(__name__)
hasher = PasswordHasher()
NOBODYS = hasher.hash("nobody has this password")
"""Looked at for a name that is not there, so that it takes as long as one that is."""


def hashed(password: str) -> str:
    """In PHC form. Raises: ValueError, a sentence."""
    if len(password) < SHORTEST:
        raise ValueError(f"the password needs at least {SHORTEST} letters; a few words in a row are easy to remember")
    with AT_ONCE:
        return hasher.hash(normalize("NFKC", password))


@router.get("/sign-in")
def sign_in_page(request: Request, back: str = "/") -> Response:
    """The form; or, where a proxy says who it is, a session at once."""
    desk = desk_of(request)
    if desk.config.desk.user_header != "":
        return _by_proxy(request, ours(back))
    return form(desk, back=back)


@router.post("/sign-in")
def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=1000)],
    back: Annotated[str, Form()] = "/",
) -> Response:
    """A new session, and on to the page that was asked for."""
    if not is_same_origin(request):
        raise NotAllowed("this form is not of a page of this desk")
    desk, name = desk_of(request), users.name_of(name)
    if desk.config.desk.user_header != "":
        raise NotAllowed("people sign in at the proxy in front of this desk, not here")
    problem = problem_of(request, name, password)
    if problem is not None:
        status, words = problem
        return form(desk, status=status, back=back, problem=words, name=name)
    return begin(request, name, ours(back))


def form(desk: Desk, *, status: int = 200, back: str = "/", problem: str = "", name: str = "") -> HTMLResponse:
    """The page to sign in on; problem: why it did not work."""
    elsewhere = desk.config.desk.oidc_issuer != ""
    return desk.bare_page(
        "sign_in.html", status=status, back=ours(back), problem=problem, name=name, elsewhere=elsewhere
    )


def begin(request: Request, name: str, back: str, *, said: str = "") -> RedirectResponse:
    """Sign a user in in this browser; the session that was there before ends. said: what the page says once."""
    desk, cookie = desk_of(request), cookie_name(request)
    lasts = timedelta(hours=desk.config.desk.session_h)
    with desk.writing() as log:
        users.end_session(log, request.cookies.get(cookie, ""))
        session = users.begin_session(log, name, lasts=lasts, now=desk.clock())
        if said != "":
            users.say(log, session, {"words": said, "bad": False})
    answer = RedirectResponse(back, status_code=303)
    secure: bool = request.app.state.secure
    answer.set_cookie(
        cookie, session.token, max_age=int(lasts.total_seconds()), httponly=True, samesite="lax", secure=secure
    )
    return answer


@router.post("/sign-out")
def sign_out(request: Request, visitor: Viewer) -> RedirectResponse:
    """End the session."""
    desk = desk_of(request)
    with desk.writing() as log:
        users.end_session(log, visitor.session.token)
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(cookie_name(request), secure=request.app.state.secure, httponly=True, samesite="lax")
    return answer


@contextmanager
def in_line() -> Iterator[None]:
    """Something that takes its time, for somebody who is not signed in. Raises: HTTPException."""
    if not IN_LINE.acquire(blocking=False):
        raise HTTPException(503, "Too many people are signing in just now. Try again in a moment.")
    try:
        yield
    finally:
        IN_LINE.release()


def problem_of(request: Request, name: str, password: str) -> tuple[int, str] | None:
    """Status and words, None when name and password are right. The try is counted before it is made."""
    with in_line():
        return _problem(desk_of(request), name, password, origin=origin_of(request))


def _problem(desk: Desk, name: str, password: str, *, origin: str) -> tuple[int, str] | None:
    now = desk.clock()
    with desk.writing() as log:
        tries = users.count_tries(log, name=name, origin=origin, since=now - WITHIN)
        if tries.of_both >= TRIES or tries.of_origin >= TRIES_AN_ORIGIN or tries.of_name >= TRIES_A_NAME:
            minutes = int(WITHIN.total_seconds() // 60)
            return 429, f"Too many failed sign-ins. Wait {minutes} minutes, or ask an operator for a new password."
        users.add_try(log, name=name, origin=origin, now=now)
    with desk.reading() as reader:
        user = users.user_of(reader, name)
    known = user is not None and user.disabled is None and user.password != ""
    if not _is_right(user.password if known and user is not None else NOBODYS, password) or not known:
        logger.warning("sign-in refused origin=%s", origin)
        return 403, "Name or password is wrong."
    with desk.writing() as log:
        users.clear_tries(log, name=name, origin=origin)
    return None


def _is_right(kept: str, password: str) -> bool:
    with AT_ONCE:
        try:
            return hasher.verify(kept, normalize("NFKC", password))
        except (VerificationError, InvalidHashError):
            return False


def _by_proxy(request: Request, back: str) -> Response:
    """A session of who the proxy says it is. A page of elsewhere that calls this up signs in nobody else than that."""
    desk = desk_of(request)
    name = named_by_proxy(desk, request)
    with desk.reading() as reader:
        user = users.user_of(reader, name)
    if name == "":
        problem = "The proxy in front of this desk does not say who you are. Sign in there, or tell your operator."
    elif user is None or user.disabled is not None or user.password != "":
        problem = f"You are {name}, and nobody of that name may sign in here. Ask an operator to add you."
    else:
        return begin(request, name, back)
    return desk.bare_page("error.html", status=403, title="You cannot sign in", words=problem)


def origin_of(request: Request) -> str:
    """Where a request comes from, as far as the limit is concerned: an IPv4 address, or the /64 that one site has.

    On a unix socket it is what the proxy wrote last; on loopback nobody is believed.
    """
    if desk_of(request).config.desk.socket != "":
        text = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    else:
        text = request.client.host if request.client is not None else ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text[:64]
    if isinstance(address, ipaddress.IPv4Address) or address.ipv4_mapped is not None:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


def ours(back: str) -> str:
    """A path of this desk; anything else (`//elsewhere`, `https:…`, `\\\\…`) is the first page."""
    is_path = back.startswith("/") and not back.startswith("//")
    return back if is_path and back.isprintable() and "\\" not in back else "/"
