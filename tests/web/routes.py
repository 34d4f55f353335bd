"""Every address of the desk with the role it needs: kept by hand here, so that a new one must be thought about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from triaged.log.users import Role
from triaged.web.gate import Needs

ROLES: dict[str, Role] = {
    "POST /sign-out": "viewer",
    "GET /": "viewer",
    "GET /log": "viewer",
    "GET /live": "viewer",
    "GET /me": "viewer",
    "POST /me/password": "viewer",
    "POST /me/sign-out": "viewer",
    "GET /keys": "viewer",
    "GET /queue": "viewer",
    "GET /queue/{mail}/html/{effect}": "viewer",
    "POST /queue/approve": "coordinator",
    "POST /queue/drop": "coordinator",
    "POST /queue/edit": "coordinator",
    "POST /queue/correct": "coordinator",
    "POST /queue/undo": "coordinator",
    "POST /queue/clear": "coordinator",
    "POST /queue/retry": "coordinator",
    "GET /log.{kind}": "viewer",
    "POST /log/views": "viewer",
    "POST /log/views/delete": "viewer",
    "GET /mail/{mail}/html": "viewer",
    "GET /mail/{mail}/frame": "viewer",
    "GET /mail/{mail}/source": "viewer",
    "GET /mail/{mail}/source.eml": "viewer",
    "GET /mail/{mail}/why": "viewer",
    "GET /mail/{mail}": "viewer",
    "POST /mail/{mail}/correct": "coordinator",
    "POST /mail/{mail}/note": "coordinator",
    "POST /mail/{mail}/state": "coordinator",
    "POST /mail/{mail}/owner": "coordinator",
    "POST /mail/{mail}/next": "coordinator",
    "GET /items": "viewer",
    "POST /items/done": "coordinator",
    "GET /calls": "viewer",
    "GET /calls/{message}": "coordinator",
    "POST /calls/{message}/move": "coordinator",
    "POST /calls/{message}/cancel": "coordinator",
    "GET /accounts/import": "coordinator",
    "POST /accounts/import": "coordinator",
    "POST /accounts/import/apply": "coordinator",
    "GET /accounts/{account_id:path}/merge": "manager",
    "POST /accounts/{account_id:path}/merge": "manager",
    "GET /accounts/{account_id:path}/split": "manager",
    "POST /accounts/{account_id:path}/split": "manager",
    "GET /accounts/merges": "viewer",
    "POST /accounts/merges/{number}/undo": "manager",
    "GET /accounts/new": "coordinator",
    "POST /accounts/new": "coordinator",
    "GET /accounts/{account_id:path}/edit": "coordinator",
    "POST /accounts/{account_id:path}/edit": "coordinator",
    "GET /accounts": "viewer",
    "GET /accounts/{account_id:path}": "viewer",
    "GET /rules/history": "viewer",
    "GET /rules/diff": "viewer",
    "GET /rules/restore/{name}": "coordinator",
    "POST /rules/restore/{name}": "coordinator",
    "GET /rules": "viewer",
    "GET /rules/new": "coordinator",
    "GET /rules/edit/{name:path}": "viewer",
    "POST /rules/edit/{name:path}": "coordinator",
    "POST /rules/check": "coordinator",
    "GET /rules/words": "viewer",
    "GET /rules/try/{name}": "coordinator",
    "GET /rules/new-example": "coordinator",
    "POST /rules/new-example": "coordinator",
    "GET /templates": "viewer",
    "GET /templates/new": "coordinator",
    "GET /templates/edit/{name:path}": "viewer",
    "POST /templates/edit/{name:path}": "coordinator",
    "POST /templates/check": "coordinator",
    "POST /templates/preview": "viewer",
    "GET /api/openapi.json": "viewer",
    "GET /api/mails": "viewer",
    "GET /api/items": "viewer",
    "GET /api/mails/{number}": "viewer",
    "GET /api/accounts": "viewer",
    "GET /api/status": "viewer",
    "GET /api/me": "viewer",
    "GET /people": "operator",
    "GET /people/user": "operator",
    "POST /people/add": "operator",
    "POST /people/change": "operator",
    "POST /people/password": "operator",
    "POST /people/elsewhere": "operator",
    "POST /people/disable": "operator",
    "POST /people/enable": "operator",
    "POST /people/sign-out": "operator",
    "GET /people/audit": "manager",
}
"""What the lowest role is that may ask for it."""
OPEN = {
    "GET /sign-in",
    "POST /sign-in",
    "GET /sign-in/oidc",
    "GET /sign-in/oidc/back",
    "GET /static",
}
"""For everybody: signing in, and what says nothing about anybody."""
SAMPLES = {"account_id": "C-101", "name": "complaint.toml", "kind": "csv"}
"""What a part of an address is filled with, by its name; else `1`, the number of the first mail."""
EXAMPLES = {
    "GET /templates/edit/{name:path}": "/templates/edit/complaint.txt",
    "POST /templates/edit/{name:path}": "/templates/edit/complaint.txt",
}
"""Addresses that are filled with something else than `SAMPLES` says."""
QUERIES = {"GET /people/user": "name=carl"}
"""What a page is asked with, where it needs something."""


def routes(app: FastAPI) -> Iterator[tuple[str, APIRoute | None]]:
    """Each method and path; None for what is no route of ours: the folder of static files, the API's description."""
    yield from _walked(app.routes)


def _walked(found: list[Any]) -> Iterator[tuple[str, APIRoute | None]]:
    for each in found:
        if hasattr(each, "original_router"):  # FastAPI includes routers as they are, since 0.137
            assert each.include_context.prefix == "", "then paths are not those of the router"
            yield from _walked(each.original_router.routes)
        elif isinstance(each, APIRoute):
            for method in each.methods:
                yield f"{method} {each.path}", each
        elif isinstance(each, Mount):
            yield f"GET {each.path}", None
        else:
            assert isinstance(each, Route), each
            yield f"GET {each.path}", None


def role_of(route: APIRoute) -> Role | None:
    """What its dependencies ask for, however deep they lie; None for nothing."""
    under_way, asked = [route.dependant], []
    while under_way:
        dependant = under_way.pop()
        under_way += dependant.dependencies
        if isinstance(dependant.call, Needs):
            asked.append(dependant.call.role)
    assert len(asked) <= 1, f"{route.path} asks twice: {asked}"
    return asked[0] if asked else None


def address_of(name: str) -> str:
    """An address that can be asked for, from `GET /mail/{message}`."""
    path = EXAMPLES.get(name, name.partition(" ")[2])
    while "{" in path:
        start, end = path.index("{"), path.index("}")
        part = path[start + 1 : end].partition(":")[0]
        path = path[:start] + SAMPLES.get(part, "1") + path[end + 1 :]
    return path + (f"?{QUERIES[name]}" if name in QUERIES else "")
