"""Accounts that are one client, or two, in; what a merge or a split would do as a page, and done, and undone, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, Response

from triaged.accounts.difference import FIELDS, difference, digest
from triaged.accounts.together import merged, parted, unkept
from triaged.errors import Gone, Permanent
from triaged.log import accounts as logged
from triaged.log import merges as kept
from triaged.log import users
from triaged.log.accountrows import account_of, selecting
from triaged.log.calls import calls_of
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Account
from triaged.web.desk import desk_of
from triaged.web.gate import Manager, Viewer, Visitor

CANDIDATES = 30
"""Accounts that are shown for a word that more than one has."""
PAGE = 50
"""Merges on a page."""
MAX_CALLS = 1000

router = APIRouter()


# --- merge ---------------------------------------------------------------------------------------------------------


@router.get("/accounts/{account_id:path}/merge")
def merge_page(request: Request, visitor: Manager, account_id: str, into: str = "") -> HTMLResponse:
    """Choose the account that this one is part of, then see what moves. into: its id, or words of its name.

    Raises: Gone.
    """
    desk = desk_of(request)
    with desk.reading() as reader:
        gone = _there(reader, account_id)
        others = [each for each in reader.accounts() if each.account_id != account_id]
        exact = next((each for each in others if each.account_id == into.strip()), None)
        if exact is not None:
            return _merge_preview(request, visitor, reader, gone, exact)
    found = [each for each in others if into.strip().casefold() in f"{each.account_id} {each.name}".casefold()]
    return desk.page(
        request,
        visitor,
        "account_merge.html",
        gone=gone,
        asked=into.strip(),
        found=found[:CANDIDATES] if into.strip() != "" else [],
        more=max(0, len(found) - CANDIDATES),
        address=f"/accounts/{quote(account_id)}",
    )


@router.post("/accounts/{account_id:path}/merge")
def merge(
    request: Request,
    visitor: Manager,
    account_id: str,
    into: Annotated[str, Form(max_length=1000)],
    seen: Annotated[str, Form(max_length=100)],
) -> Response:
    """Do it. Raises: Gone, Permanent."""
    desk = desk_of(request)
    now = desk.clock()
    with desk.writing() as log:
        both = tuple(_in_log(log, each) for each in (account_id, into))
        if digest(*both) == seen:
            done = kept.merge(log, account_id, into, who=visitor.name, now=now)
            words = f"{both[0].name} ({account_id}) was made part of {both[1].name} ({into}): {_mails(done.messages)}"
            for about in (account_id, into):
                users.audit(log, "account.merge", words, who=visitor.name, now=now, about=about)
    if digest(*both) != seen:
        with desk.reading() as reader:
            again = "One of the two was changed since you looked at this. Here is what the merge would do now."
            return _merge_preview(request, visitor, reader, *both, again=again, status=409)
    return desk.done(visitor, f"/accounts/{quote(into)}", f"{words}. It can be undone: see Merges and splits.")


def _merge_preview(
    request: Request,
    visitor: Visitor,
    reader: Reader,
    gone: Account,
    into: Account,
    *,
    again: str = "",
    status: int = 200,
) -> HTMLResponse:
    desk = desk_of(request)
    ids = (gone.account_id, into.account_id)
    return desk.page(
        request,
        visitor,
        "account_merge_preview.html",
        status=status,
        again=again,
        gone=gone,
        into=into,
        seen=digest(gone, into),
        changes=difference(into, merged(into, gone)),
        unkept=unkept(into, gone),
        labels=FIELDS,
        figures=logged.figures(reader, ids, now=desk.clock()),
        mails={each: logged.count_mails(reader, each) for each in ids},
        calls={each: len(calls_of(reader, each, limit=MAX_CALLS)) for each in ids},
        address=f"/accounts/{quote(gone.account_id)}",
    )


# --- split ---------------------------------------------------------------------------------------------------------


@router.get("/accounts/{account_id:path}/split")
def split_page(
    request: Request,
    visitor: Manager,
    account_id: str,
    new_id: str = "",
    name: str = "",
    take: Annotated[list[str] | None, Query()] = None,
) -> HTMLResponse:
    """Choose what goes into a new account, then see what moves. take: see `together.parted`. Raises: Gone."""
    desk = desk_of(request)
    taken = take or []
    with desk.reading() as reader:
        account = _there(reader, account_id)
        problems = _split_problems(reader, new_id.strip(), name.strip(), taken) if new_id + name or taken else ()
        is_ready = len(taken) > 0 and len(problems) == 0
        left, new = parted(account, account_id=new_id.strip(), name=name.strip(), taken=taken)
        senders = kept.senders_of(reader.select, left, new) if is_ready else []
        mails = kept.count_of(reader, account_id, senders)
    return desk.page(
        request,
        visitor,
        "account_split.html",
        status=422 if len(problems) > 0 else 200,
        account=account,
        new=new,
        taken=taken,
        problems=problems,
        is_ready=is_ready,
        senders=senders,
        mails=mails,
        seen=digest(account),
        address=f"/accounts/{quote(account_id)}",
    )


@router.post("/accounts/{account_id:path}/split")
def split(
    request: Request,
    visitor: Manager,
    account_id: str,
    new_id: Annotated[str, Form(max_length=1000)],
    name: Annotated[str, Form(max_length=1000)],
    seen: Annotated[str, Form(max_length=100)],
    take: Annotated[list[str], Form()],
) -> Response:
    """Do it. Raises: Gone, Permanent (it was changed since it was looked at; the new id is taken)."""
    desk = desk_of(request)
    now = desk.clock()
    with desk.writing() as log:
        account = _in_log(log, account_id)
        if digest(account) != seen:
            raise Permanent(f"{account.name} was changed since you looked at it. Go back, load the page anew and look")
        left, new = parted(account, account_id=new_id, name=name, taken=take)
        done = kept.split(log, left, new, who=visitor.name, now=now)
        words = f"{name} ({new_id}) was split off from {account.name} ({account_id}): {_mails(done.messages)}"
        for about in (account_id, new_id):
            users.audit(log, "account.split", words, who=visitor.name, now=now, about=about)
    return desk.done(visitor, f"/accounts/{quote(new_id)}", f"{words}. It can be undone: see Merges and splits.")


def _split_problems(reader: Reader, new_id: str, name: str, taken: Sequence[str]) -> tuple[str, ...]:
    problems = []
    if new_id == "" or name == "":
        problems.append("Id and name: both are needed for the new account.")
    elif account_of(reader.select, new_id) is not None:
        problems.append(f"Id: there is an account {new_id} already; take another id.")
    if len(taken) == 0:
        problems.append("Tick at least one domain, address, contact or contract that goes into the new account.")
    return tuple(problems)


# --- undo ----------------------------------------------------------------------------------------------------------


@router.get("/accounts/merges")
def merges_page(request: Request, visitor: Viewer, before: int | None = None) -> HTMLResponse:
    """Merges and splits, the newest first, each with what undoes it."""
    desk = desk_of(request)
    with desk.reading() as reader:
        found = kept.merges(reader, limit=PAGE + 1, before_id=before)
    return desk.page(request, visitor, "account_merges.html", merges=found[:PAGE], has_more=len(found) > PAGE)


@router.post("/accounts/merges/{number}/undo")
def undo(request: Request, visitor: Manager, number: int) -> Response:
    """Undo one; where that cannot be done, the page says why and what to do."""
    desk = desk_of(request)
    now = desk.clock()
    try:
        with desk.writing() as log:
            undone = kept.undo(log, number, who=visitor.name, now=now)
            done = undone.merge
            words = f"The {'split' if done.is_split else 'merge'} of {done.account_id} and {done.into_id} was undone"
            stayed = f"; {undone.stayed:,} stayed, for somebody gave them to another account meanwhile"
            words += f": {undone.back:,} mails went back{stayed if undone.stayed > 0 else ''}"
            for about in (done.account_id, done.into_id):
                users.audit(log, "account.undo", words, who=visitor.name, now=now, about=about)
    except Permanent as error:
        return desk.done(visitor, "/accounts/merges", f"It was not undone: {error}.", bad=True)
    return desk.done(visitor, f"/accounts/{quote(undone.merge.into_id)}", f"{words}.")


def _there(reader: Reader, account_id: str) -> Account:
    """Raises: Gone."""
    return _found(account_of(reader.select, account_id), account_id)


def _in_log(log: Log, account_id: str) -> Account:
    """Raises: Gone."""
    return _found(account_of(selecting(log), account_id), account_id)


def _found(account: Account | None, account_id: str) -> Account:
    if account is None:
        raise Gone(f"there is no account {account_id}; it may have been made part of another meanwhile")
    return account


def _mails(messages: Sequence[int]) -> str:
    return f"{len(messages):,} mail{'s' if len(messages) != 1 else ''} moved"
