"""Somebody who is signed in in; their own page and the page of keys out, their password and their browsers changed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, Response

from triaged.log import users
from triaged.web.desk import desk_of
from triaged.web.gate import Viewer, Visitor
from triaged.web.people import MAY
from triaged.web.signin import begin, hashed, problem_of

router = APIRouter()

Password = Annotated[str, Form(max_length=1000)]


@router.get("/me")
def me_page(request: Request, visitor: Viewer) -> HTMLResponse:
    """Name, role, password, browsers."""
    return _page(request, visitor)


@router.post("/me/password")
def change_password(
    request: Request, visitor: Viewer, old: Password = "", new: Password = "", again: Password = ""
) -> Response:
    """Another password; other browsers are signed out. Guessing the old one is as hard as at the door."""
    desk, problem = desk_of(request), ""
    if visitor.session.user.password == "":
        return _page(request, visitor, status=409, problem="You sign in elsewhere, and have no password here.")
    if new != again:
        problem = "The two new passwords are not the same."
    elif (refusal := problem_of(request, visitor.name, old)) is not None:
        problem = "The old password is wrong." if refusal[0] == 403 else refusal[1]
    else:
        try:
            password = hashed(new)
        except ValueError as error:
            problem = f"Nothing was changed: {error}."
    if problem != "":
        return _page(request, visitor, status=422, problem=problem)
    with desk.writing() as log:
        users.set_password(log, visitor.name, password)
        now = desk.clock()
        users.audit(log, "user.password", "changed their own", who=visitor.name, now=now, about=visitor.name)
    words = "You have a new password. Every other browser of yours is signed out."
    return begin(request, visitor.name, "/me", said=words)


@router.post("/me/sign-out")
def sign_out(request: Request, visitor: Viewer, session: Annotated[str, Form(max_length=100)]) -> Response:
    """End one of one's own sessions; this one too."""
    desk = desk_of(request)
    with desk.writing() as log:
        ended = users.end_session_of(log, visitor.name, session)
    if session == users.session_id(visitor.session):
        return Response(status_code=303, headers={"location": "/sign-in"})
    words = "That browser is signed out." if ended else "That browser was signed out already."
    return desk.done(visitor, "/me", words)


@router.get("/keys")
def keys_page(request: Request, visitor: Viewer) -> HTMLResponse:
    """What each page is for, and the keys on it."""
    return desk_of(request).page(request, visitor, "keys.html")


def _page(request: Request, visitor: Visitor, *, status: int = 200, problem: str = "") -> HTMLResponse:
    desk = desk_of(request)
    with desk.reading() as reader:
        sessions = users.sessions(reader, now=desk.clock(), user=visitor.name).get(visitor.name, [])
    return desk.page(
        request,
        visitor,
        "me.html",
        status=status,
        sessions=sessions,
        this=users.session_id(visitor.session),
        may="; ".join(words for role, words in MAY.items() if visitor.may(role)),
        person=next((each.name for each in desk.config.person if each.id == visitor.person), ""),
        problem=problem,
    )
