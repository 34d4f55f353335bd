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
    "GET /api/openapi.json",
    "GET /static",
}
"""For everybody: signing in, and what says nothing about anybody."""
SAMPLES: dict[str, str] = {}
"""What a part of an address is filled with, by its name; else `1`, the number of the first mail."""
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
    path = name.partition(" ")[2]
    while "{" in path:
        start, end = path.index("{"), path.index("}")
        part = path[start + 1 : end].partition(":")[0]
        path = path[:start] + SAMPLES.get(part, "1") + path[end + 1 :]
    return path + (f"?{QUERIES[name]}" if name in QUERIES else "")
