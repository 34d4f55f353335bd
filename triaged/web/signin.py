"""Name and password in, a session or a refusal out; guessing is slow, and costs the desk little."""

from __future__ import annotations

from datetime import timedelta
from threading import Semaphore
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from triaged.log import users
from triaged.web.desk import Desk, desk_of
from triaged.web.gate import NotAllowed, Viewer, cookie_name, is_same_origin

WITHIN = timedelta(minutes=15)
TRIES_A_NAME, TRIES_AN_ADDRESS = 5, 30
"""Failed sign-ins within that time; then nobody signs in by this name, or from there, until it is over."""
AT_ONCE = Semaphore(2)
"""A hash takes 64 MiB and a tenth of a second (measured 2026-11; argon2-cffi's defaults, RFC 9106)."""
SHORTEST = 12
"""Letters of a password."""

router = APIRouter()
hasher = PasswordHasher()
NOBODYS = hasher.hash("nobody has this password")
"""Looked at for a name that is not there, so that it takes as long as one that is."""


def hashed(password: str) -> str:
    """In PHC form. Raises: ValueError, a sentence."""
    if len(password) < SHORTEST:
        raise ValueError(f"the password needs at least {SHORTEST} letters; a few words in a row are easy to remember")
    return hasher.hash(password)


@router.get("/sign-in")
def sign_in_page(request: Request, back: str = "/") -> HTMLResponse:
    """The form."""
    return desk_of(request).bare_page("sign_in.html", back=ours(back), problem="", name="")


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
    desk, name = desk_of(request), name.strip().lower()
    problem = _problem(desk, name, password, origin=request.client.host if request.client is not None else "")
    if problem is not None:
        status, words = problem
        return desk.bare_page("sign_in.html", status=status, back=ours(back), problem=words, name=name)
    return begin(request, name, ours(back))


def begin(request: Request, name: str, back: str) -> RedirectResponse:
    """Sign a user in in this browser; the session that was there before ends."""
    desk, cookie = desk_of(request), cookie_name(request)
    lasts = timedelta(hours=desk.config.desk.session_h)
    with desk.writing() as log:
        users.end_session(log, request.cookies.get(cookie, ""))
        session = users.begin_session(log, name, lasts=lasts, now=desk.clock())
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


def _problem(desk: Desk, name: str, password: str, *, origin: str) -> tuple[int, str] | None:
    """Status and words, None when name and password are right. The try is counted before it is made."""
    now = desk.clock()
    with desk.writing() as log:
        of_name, of_origin = users.count_tries(log, name=name, origin=origin, since=now - WITHIN)
        if of_name >= TRIES_A_NAME or of_origin >= TRIES_AN_ADDRESS:
            minutes = int(WITHIN.total_seconds() // 60)
            return 429, f"Too many failed sign-ins. Wait {minutes} minutes, or ask an operator: triaged user password"
        users.add_try(log, name=name, origin=origin, now=now)
    with desk.reading() as reader:
        user = users.user_of(reader, name)
    known = user is not None and user.disabled is None and user.password != ""
    if not _is_right(user.password if known and user is not None else NOBODYS, password) or not known:
        return 403, "Name or password is wrong."
    with desk.writing() as log:
        users.clear_tries(log, name=name)
    return None


def _is_right(kept: str, password: str) -> bool:
    with AT_ONCE:
        try:
            return hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def ours(back: str) -> str:
    """A path of this desk; anything else (`//elsewhere`, `https:…`, `\\\\…`) is the first page."""
    return back if back.startswith("/") and not back.startswith(("//", "/\\")) and "\n" not in back else "/"
