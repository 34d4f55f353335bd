"""Who may sign in, and what an operator changes about it in; the rows changed and the pages of users out."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, Response

from triaged.errors import Gone, TriagedError
from triaged.log import users
from triaged.log.users import ROLES, Role, User
from triaged.web.desk import Desk, desk_of
from triaged.web.gate import Operator, Visitor
from triaged.web.signin import hashed

MAY: dict[Role, str] = {
    "viewer": "reads everything",
    "coordinator": "also puts mails right, approves, and edits rules, templates and accounts",
    "manager": "also joins and parts accounts, and reads who changed what",
    "operator": "also says who may sign in",
}
"""What each role may do that the one before may not."""

router = APIRouter()

Name = Annotated[str, Form(max_length=200)]
Password = Annotated[str, Form(max_length=1000)]


@router.get("/people")
def people_page(request: Request, visitor: Operator) -> HTMLResponse:
    """Everybody, and a form to add somebody."""
    return _list(request, visitor)


@router.get("/people/user")
def user_page(request: Request, visitor: Operator, name: str) -> HTMLResponse:
    """One of them. Raises: Gone."""
    desk = desk_of(request)
    with desk.reading() as reader:
        user = _user(users.user_of(reader, name), name)
        sessions = users.sessions(reader, now=desk.clock(), user=user.name).get(user.name, [])
        changes = users.audits(reader, limit=5, about=user.name)
    return desk.page(
        request, visitor, "user.html", user=user, sessions=sessions, changes=changes, **_choices(desk, visitor)
    )


@router.post("/people/add")
def add(
    request: Request,
    visitor: Operator,
    name: Name,
    role: Annotated[Role, Form()],
    person: Name = "",
    how: Name = "here",
    password: Password = "",
    again: Password = "",
) -> Response:
    """Let somebody sign in, or sign in again. how: `here` with the password, or `elsewhere`."""
    desk, plain = desk_of(request), users.name_of(name)
    given = {"name": name, "role": role, "person": person, "how": how}
    try:
        kept = _new_password(password, again) if how == "here" else ""
        if plain == "" or any(letter.isspace() or not letter.isprintable() for letter in plain):
            raise ValueError(f"{name!r} is no name to sign in with; take one word, e.g. lena")
        _person(desk, person)
        with desk.writing() as log:
            known = users.find(log, plain)
            if known is not None and known.disabled is None:
                raise ValueError(f"there is a user {plain} already")
            users.put_user(log, plain, role=role, password=kept, person=person, now=desk.clock())
            users.audit(log, "user.add", f"as {role}", who=visitor.name, now=desk.clock(), about=plain)
    except ValueError as error:
        return _list(request, visitor, status=422, problem=f"Nobody was added: {error}.", given=given)
    next_ = "Tell them the password; they can change it under their name." if how == "here" else ""
    return desk.done(visitor, "/people", f"{plain} may sign in as {role}. {next_}".strip())


@router.post("/people/change")
def change(
    request: Request, visitor: Operator, name: Name, role: Annotated[Role, Form()], person: Name = ""
) -> Response:
    """Another role, another person of config.toml."""
    desk, plain = desk_of(request), users.name_of(name)
    try:
        _person(desk, person)
        with desk.writing() as log:
            was = users.change(log, plain, role=role, person=person)
            words = []
            if was.role != role:
                words.append(f"role from {was.role} to {role}")
            if was.person != person:
                words.append(f"person from {was.person or 'nobody'} to {person or 'nobody'}")
            for each in words:
                what = f"user.{each.partition(' ')[0]}"
                users.audit(log, what, each, who=visitor.name, now=desk.clock(), about=plain)
    except (ValueError, TriagedError) as error:
        return _refused(desk, visitor, plain, error)
    told = " and ".join(words)
    return desk.done(visitor, _address(plain), f"{plain}: {told}." if told else "That is as it was.")


@router.post("/people/password")
def password_(
    request: Request, visitor: Operator, name: Name, password: Password = "", again: Password = ""
) -> Response:
    """A new password; every browser of theirs is signed out, and failed tries are forgotten."""
    desk, plain = desk_of(request), users.name_of(name)
    try:
        new = _new_password(password, again)
    except ValueError as error:
        return _refused(desk, visitor, plain, error)
    return _set(desk, visitor, plain, new, "a new password", "Tell them the new password; they are signed out.")


@router.post("/people/elsewhere")
def elsewhere(request: Request, visitor: Operator, name: Name) -> Response:
    """No password here any more: they sign in at the proxy or the provider."""
    desk, plain = desk_of(request), users.name_of(name)
    if not _goes_elsewhere(desk):
        return _refused(desk, visitor, plain, ValueError("no other way to sign in is set up in config.toml, [desk]"))
    return _set(desk, visitor, plain, "", "signs in elsewhere only", "They sign in elsewhere from now on.")


@router.post("/people/disable")
def disable(request: Request, visitor: Operator, name: Name) -> Response:
    """They may sign in no more; what they did stays in the audit log under their name."""
    desk, plain = desk_of(request), users.name_of(name)
    try:
        with desk.writing() as log:
            users.disable(log, plain, now=desk.clock())
            users.audit(log, "user.remove", "may sign in no more", who=visitor.name, now=desk.clock(), about=plain)
    except TriagedError as error:
        return _refused(desk, visitor, plain, error)
    if plain == visitor.name:
        return Response(status_code=303, headers={"location": "/sign-in"})
    return desk.done(visitor, _address(plain), f"{plain} is signed out and may sign in no more.")


@router.post("/people/enable")
def enable(request: Request, visitor: Operator, name: Name) -> Response:
    """They may sign in again, as before."""
    desk, plain = desk_of(request), users.name_of(name)
    with desk.writing() as log:
        users.enable(log, plain)
        users.audit(log, "user.enable", "may sign in again", who=visitor.name, now=desk.clock(), about=plain)
    return desk.done(visitor, _address(plain), f"{plain} may sign in again, as before.")


@router.post("/people/sign-out")
def sign_out(request: Request, visitor: Operator, name: Name) -> Response:
    """Every browser of theirs; of one's own all but this one."""
    desk, plain = desk_of(request), users.name_of(name)
    with desk.writing() as log:
        users.sign_out_everywhere(log, plain, but=visitor.session)
        users.audit(log, "user.sign-out", "everywhere", who=visitor.name, now=desk.clock(), about=plain)
    return desk.done(visitor, _address(plain), f"{plain} is signed out everywhere.")


def _set(desk: Desk, visitor: Visitor, name: str, password: str, what: str, words: str) -> Response:
    with desk.writing() as log:
        _user(users.find(log, name), name)
        users.set_password(log, name, password, but=visitor.session)
        users.clear_tries(log, name=name)
        users.audit(log, "user.password", what, who=visitor.name, now=desk.clock(), about=name)
    return desk.done(visitor, _address(name), words)


def _list(
    request: Request,
    visitor: Visitor,
    *,
    status: int = 200,
    problem: str = "",
    given: dict[str, str] | None = None,
) -> HTMLResponse:
    desk = desk_of(request)
    with desk.reading() as reader:
        found, sessions = users.users(reader), users.sessions(reader, now=desk.clock())
    empty = {"name": "", "role": "coordinator", "person": "", "how": "here"}
    return desk.page(
        request,
        visitor,
        "people.html",
        status=status,
        users=found,
        sessions=sessions,
        problem=problem,
        given=given or empty,
        **_choices(desk, visitor),
    )


def _choices(desk: Desk, visitor: Visitor) -> dict[str, Any]:
    """What the forms offer."""
    people = {each.id: each.name for each in desk.config.person}
    return {"roles": MAY, "people": people, "goes_elsewhere": _goes_elsewhere(desk), "me": visitor.name}


def _goes_elsewhere(desk: Desk) -> bool:
    return desk.config.desk.user_header != "" or desk.config.desk.oidc_issuer != ""


def _new_password(password: str, again: str) -> str:
    """Hashed. Raises: ValueError, a sentence."""
    if password != again:
        raise ValueError("the two passwords are not the same; type the new one twice")
    return hashed(password)


def _person(desk: Desk, person: str) -> None:
    if person != "" and person not in {each.id for each in desk.config.person}:
        raise ValueError(f"nobody of us is called {person}; people stand in config.toml")


def _user(user: User | None, name: str) -> User:
    if user is None:
        raise Gone(f"There is no user {name}.")
    return user


def _refused(desk: Desk, visitor: Visitor, name: str, error: Exception) -> Response:
    return desk.done(visitor, _address(name), f"Nothing was changed: {error}.", bad=True)


def _address(name: str) -> str:
    return f"/people/user?name={quote(name, safe='')}"


assert tuple(MAY) == ROLES
