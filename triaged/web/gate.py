"""A request in, who makes it and whether they may out: sessions, roles, and that a form came from a page of ours."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from triaged.log.changes import mark
from triaged.log.users import ROLES, Role, Session, name_of, session_of

if TYPE_CHECKING:
    from triaged.web.desk import Desk

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 9.2.1)."""
COOKIE, SECURE_COOKIE = "triaged", "__Host-triaged"
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who makes a request."""

    session: Session

    @property
    def name(self) -> str:
        """By which they sign in."""
        return self.session.user.name

    @property
    def role(self) -> Role:
        """What they may do."""
        return self.session.user.role

    @property
    def person(self) -> str:
        """Their id in config.toml, `""` for none."""
        return self.session.user.person

    def may(self, role: Role) -> bool:
        """Whether they may do what this role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


class NotSignedIn(Exception):
    """Nobody is signed in in this browser, or the proxy names somebody else now."""


class NotAllowed(Exception):
    """They may not, or the form came from elsewhere; says which, in a sentence."""


class Needs:
    """A dependency: the visitor, who must have this role; what changes something must come from a page of ours."""

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, request: Request) -> Visitor:
        """Raises: NotSignedIn, NotAllowed."""
        desk: Desk = request.app.state.desk
        session = await run_in_threadpool(_session, desk, request)
        if session is None:
            raise NotSignedIn
        visitor = Visitor(session)
        if not visitor.may(self.role):
            raise NotAllowed(f"this needs the role {self.role}; yours is {visitor.role}. An operator can change that")
        if request.method not in SAFE:
            await _must_be_ours(request, session)
        return visitor


Viewer = Annotated[Visitor, Depends(Needs("viewer"))]
Coordinator = Annotated[Visitor, Depends(Needs("coordinator"))]
Manager = Annotated[Visitor, Depends(Needs("manager"))]
Operator = Annotated[Visitor, Depends(Needs("operator"))]


def cookie_name(request: Request) -> str:
    """A browser keeps one with `__Host-` for this very host and for TLS alone."""
    return SECURE_COOKIE if request.app.state.secure else COOKIE


def is_same_origin(request: Request) -> bool:
    """Whether a page of ours sent this, by what the browser itself says; without a word of it, it is none."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


def named_by_proxy(desk: Desk, request: Request) -> str:
    """Who the proxy says it is, `""` when it says nobody; a name given twice is one too many."""
    names = request.headers.getlist(desk.config.desk.user_header)
    return name_of(names[0]) if len(names) == 1 else ""


def _session(desk: Desk, request: Request) -> Session | None:
    """As the cookie and, where a proxy says who it is, the proxy say; both must be of one mind."""
    token = request.cookies.get(cookie_name(request), "")
    if token == "":
        return None
    with desk.reading() as reader:
        request.state.mark = mark(reader)  # before the page reads anything: what comes meanwhile is new to it
        session = session_of(reader, token, now=desk.clock())
    if session is not None and desk.config.desk.user_header != "":
        return session if named_by_proxy(desk, request) == session.user.name else None
    return session


async def _must_be_ours(request: Request, session: Session) -> None:
    given = request.headers.get(CSRF_HEADER)
    if given is None and "form" in request.headers.get("content-type", ""):
        value = (await request.form()).get(CSRF_FIELD)
        given = value if isinstance(value, str) else None
    if given is None or not hmac.compare_digest(given.encode(), session.csrf.encode()):
        raise NotAllowed(
            "this form is not of a page that you opened here, or you signed in anew meanwhile. Open it again"
        )
