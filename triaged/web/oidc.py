"""Somebody who signed in at an OpenID provider in, a session at the desk out; what went wrong as a sentence."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Annotated, Any

import jwt
from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from triaged.errors import Gone, LoginRefused, TriagedError
from triaged.log import users
from triaged.ports import Provider
from triaged.web.desk import Desk, desk_of
from triaged.web.signin import begin, form, in_line, ours
from triaged.wire import provider_of

UNDER_WAY = "triaged-under-way"
"""The cookie of a sign-in that was begun: its state, nonce and verifier, signed, for this browser alone."""
LASTS = timedelta(minutes=10)
KEY = secrets.token_bytes(32)
"""Of this process: a sign-in that a restart cuts in two is begun again."""

router = APIRouter()


@router.get("/sign-in/oidc")
def leave(request: Request, back: str = "/") -> RedirectResponse:
    """On to the provider; back: the page that was asked for."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    with in_line():
        address = _provider(request).address(state=state, nonce=nonce, verifier=verifier)
    until = datetime.now(UTC) + LASTS
    begun = {"state": state, "nonce": nonce, "verifier": verifier, "back": ours(back), "exp": until}
    answer = RedirectResponse(address, status_code=303)
    answer.set_cookie(
        _cookie(request),
        jwt.encode(begun, KEY, "HS256"),
        max_age=int(LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.app.state.secure,
    )
    return answer


@router.get("/sign-in/oidc/back")
def come_back(
    request: Request,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
    error_description: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """From the provider, with a code or with a refusal (RFC 6749 4.1.2); the state ends, however it goes."""
    desk, begun = desk_of(request), _begun(request)
    answer: Response
    if begun is None or not compare_digest(state.encode(), begun["state"].encode()):
        words = "This sign-in was begun in another browser, or more than ten minutes ago. Begin again."
        answer = form(desk, status=403, problem=words)
    elif error != "":
        words = f"You were not signed in: {error_description or error}."
        answer = form(desk, status=403, problem=words, back=begun["back"])
    else:
        answer = _answer(request, desk, begun, code)
    answer.delete_cookie(_cookie(request), secure=request.app.state.secure, httponly=True, samesite="lax")
    return answer


def _answer(request: Request, desk: Desk, begun: dict[str, Any], code: str) -> Response:
    try:
        with in_line():
            claim = _provider(request).who(code, nonce=begun["nonce"], verifier=begun["verifier"])
    except TriagedError as problem:
        status = 403 if isinstance(problem, LoginRefused) else 502
        return form(desk, status=status, problem=f"Signing in did not work. {problem}.", back=begun["back"])
    name = users.name_of(claim)
    with desk.reading() as reader:
        user = users.user_of(reader, name)
    if user is None or user.disabled is not None or user.password != "":
        words = f"You are {name}, and nobody of that name may sign in this way. Ask an operator to add you."
        return form(desk, status=403, problem=words, back=begun["back"])
    return begin(request, name, begun["back"])


def _provider(request: Request) -> Provider:
    """Raises: Gone."""
    provider = provider_of(desk_of(request).config)
    if provider is None:
        raise Gone("people sign in with name and password here; no other way is set up")
    return provider


def _cookie(request: Request) -> str:
    return f"__Host-{UNDER_WAY}" if request.app.state.secure else UNDER_WAY


def _begun(request: Request) -> dict[str, Any] | None:
    try:
        begun: dict[str, Any] = jwt.decode(request.cookies.get(_cookie(request), ""), KEY, ["HS256"])
    except jwt.PyJWTError:
        return None
    return begun
