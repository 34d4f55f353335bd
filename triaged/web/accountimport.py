"""A CSV file of accounts in, what it would change out as a page; and, once that was seen, the accounts changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, UploadFile
from starlette.responses import HTMLResponse, Response

from triaged.accounts.difference import FIELDS, Changes, Shared, changes, digest, shared
from triaged.accounts.read_csv import COLUMNS, parse_accounts
from triaged.errors import ConfigError, Problem
from triaged.log import users
from triaged.log.accountrows import accounts, selecting
from triaged.log.merges import Merge, standing_merge
from triaged.log.people import put_accounts
from triaged.log.read import Reader
from triaged.model import Account
from triaged.playbook import client_problems
from triaged.web.desk import Desk, desk_of
from triaged.web.gate import Coordinator, Visitor

MAX_FILE_BYTES = 1_000_000
"""About 5,000 accounts. The file goes back in a field of the form that confirms it; one holds 1 MiB (Starlette), and as
multipart its letters count as they are."""
SHOWN = 200
"""Accounts that are listed one by one; more are counted."""
PASTED = "what was pasted"

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would do. digest: of what was read in it; revision: of the accounts that it was compared with.

    shared: what would belong to two accounts; returning: merges of accounts that the file would bring back.
    """

    name: str
    text: str
    digest: str
    revision: int
    changes: Changes
    shared: tuple[Shared, ...]
    returning: tuple[Merge, ...]


@router.get("/accounts/import")
def import_page(request: Request, visitor: Coordinator) -> HTMLResponse:
    """Choose a file, or paste one."""
    return _page(request, visitor)


@router.post("/accounts/import")
def preview(
    request: Request, visitor: Coordinator, file: UploadFile | None = None, text: Annotated[str, Form()] = ""
) -> HTMLResponse:
    """What the file would change, or what is wrong with it; nothing is changed."""
    octets, name = text.encode("utf-8", "surrogatepass"), PASTED
    if file is not None and file.filename:
        octets, name = file.file.read(MAX_FILE_BYTES + 1), file.filename[-100:]
    if len(octets.strip()) == 0:
        problem = Problem("no file", "Choose a file, or paste its lines; an empty one changes nothing.")
        return _page(request, visitor, (problem,), status=422)
    return _preview(request, visitor, octets, name)


@router.post("/accounts/import/apply")
def apply(
    request: Request,
    visitor: Coordinator,
    text: Annotated[str, Form()],
    name: Annotated[str, Form(max_length=200)],
    seen: Annotated[str, Form(max_length=100)],
    revision: Annotated[int, Form()],
) -> Response:
    """Take the accounts of a file that was looked at; if they or the accounts are others meanwhile, show it anew."""
    desk = desk_of(request)
    octets = text.encode("utf-8", "surrogatepass")
    try:
        read = _read(desk, octets, name)
    except ConfigError:
        return _preview(request, visitor, octets, name)
    with desk.writing() as log:
        select = selecting(log)
        holds = select("SELECT value FROM meta WHERE name = 'accounts_revision'", ())[0][0] == revision
        holds = holds and digest(*read) == seen
        found = changes({each.account_id: each for each in accounts(select)}, read)
        words = f"{len(found.added)} added, {len(found.changed)} changed, {found.same} as they were"
        if holds:
            put_accounts(log, (*found.added, *(each for each, _ in found.changed)))
            users.audit(log, "account.import", f"{name}: {words}", who=visitor.name, now=desk.clock())
    if not holds:
        again = "The accounts were changed since you looked at this. Here is what the file would do now."
        return _preview(request, visitor, octets, name, again=again, status=409)
    return desk.done(visitor, "/accounts", f"Imported: {words}. Mail is told to be theirs from the next one on.")


def _read(desk: Desk, octets: bytes, name: str) -> tuple[Account, ...]:
    """Raises: ConfigError."""
    if len(octets) > MAX_FILE_BYTES:
        megabytes = MAX_FILE_BYTES // 1_000_000
        what = f"is larger than {megabytes} MB; import it on the command line: triaged accounts import FILE"
        raise ConfigError((Problem(name, what),))
    return parse_accounts(octets, name=name, people=desk.config.people, check=client_problems)


def _preview(
    request: Request, visitor: Visitor, octets: bytes, name: str, *, again: str = "", status: int = 200
) -> HTMLResponse:
    desk = desk_of(request)
    try:
        read = _read(desk, octets, name)
    except ConfigError as error:
        return _page(request, visitor, error.problems, status=422)
    with desk.reading() as reader:
        revision = reader.accounts_revision()
        known = {each.account_id: each for each in reader.accounts()}
        found = Preview(
            name=name,
            text=octets.decode("utf-8-sig"),
            digest=digest(*read),
            revision=revision,
            changes=changes(known, read),
            shared=_newly_shared(known, read),
            returning=_returning(reader, known, read),
        )
    return desk.page(
        request,
        visitor,
        "accounts_preview.html",
        status=status,
        preview=found,
        again=again,
        labels=FIELDS,
        names={each.account_id: each.name for each in (*known.values(), *read)},
        shown=SHOWN,
    )


def _newly_shared(known: Mapping[str, Account], read: Sequence[Account]) -> tuple[Shared, ...]:
    """What would belong to more accounts than it does now."""
    before = set(shared(known.values()))
    after = {**known, **{each.account_id: each for each in read}}
    return tuple(each for each in shared(after.values()) if each not in before)


def _returning(reader: Reader, known: Mapping[str, Account], read: Sequence[Account]) -> tuple[Merge, ...]:
    found = (standing_merge(reader, each.account_id) for each in read if each.account_id not in known)
    return tuple(each for each in found if each is not None)


def _page(request: Request, visitor: Visitor, problems: Sequence[Problem] = (), *, status: int = 200) -> HTMLResponse:
    return desk_of(request).page(
        request,
        visitor,
        "accounts_import.html",
        status=status,
        problems=problems,
        columns=COLUMNS,
        megabytes=MAX_FILE_BYTES // 1_000_000,
    )
