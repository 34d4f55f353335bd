"""An account's fields as a person writes them in, the account changed out, or what is wrong with each by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import available_timezones

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, Response

from triaged.accounts.difference import FIELDS, FieldChange, claims, contact_words, difference, digest
from triaged.accounts.read_csv import read_cells
from triaged.errors import Gone
from triaged.log import users
from triaged.log.accountrows import account_of, accounts, selecting
from triaged.log.accounts import last_changes
from triaged.log.people import put_accounts
from triaged.model import Account
from triaged.playbook import client_problems
from triaged.rebook import names
from triaged.web.desk import Desk, desk_of
from triaged.web.gate import Coordinator, Visitor

ADDED_LINES = 3
"""Empty lines for further contracts."""
MAX_TEXT = 20_000
"""Letters of a field: some hundred contacts."""
Problems = tuple[tuple[str, str], ...]
"""(field, sentence)."""

router = APIRouter()

Text = Annotated[str, Field(max_length=MAX_TEXT)]


class Written(BaseModel):
    """The form. domain, aliases, contacts: one a line; the contracts' numbers and ends side by side.

    seen: digest of the account that was shown, `""` for a new one.
    """

    account_id: Text = ""
    name: Text = ""
    domain: Text = ""
    aliases: Text = ""
    contacts: Text = ""
    manager: Text = ""
    tier: Text = ""
    contract_no: Annotated[list[Text], Field(max_length=1000)] = []
    contract_ends: Annotated[list[Text], Field(max_length=1000)] = []
    timezone: Text = ""
    language: Text = ""
    hours: Text = ""
    country: Text = ""
    seen: Text = ""

    @property
    def contracts(self) -> list[tuple[str, str]]:
        """Number and end of each line that is not empty."""
        pairs = zip(self.contract_no, self.contract_ends, strict=False)
        return [(number.strip(), ends.strip()) for number, ends in pairs if number.strip() + ends.strip() != ""]

    @property
    def cells(self) -> dict[str, str]:
        """As the accounts file has them."""
        values = self.model_dump(exclude={"seen", "contract_no", "contract_ends"})
        for name in ("domain", "aliases", "contacts"):
            values[name] = ";".join(values[name].splitlines())
        numbers, ends = zip(*self.contracts, strict=True) if len(self.contracts) > 0 else ((), ())
        return values | {"contract_no": ";".join(numbers), "contract_ends": ";".join(ends)}


@router.get("/accounts/new")
def new_page(request: Request, visitor: Coordinator) -> HTMLResponse:
    """An empty form."""
    return _form(request, visitor, "", Written())


@router.post("/accounts/new")
def add(request: Request, visitor: Coordinator, written: Annotated[Written, Form()]) -> Response:
    """Add an account, or say what is wrong."""
    return _save(request, visitor, "", written)


@router.get("/accounts/{account_id:path}/edit")
def edit_page(request: Request, visitor: Coordinator, account_id: str) -> HTMLResponse:
    """The form with the account in it. Raises: Gone."""
    with desk_of(request).reading() as reader:
        account = account_of(reader.select, account_id)
    if account is None:
        raise Gone(f"there is no account {account_id}")
    return _form(request, visitor, account_id, written_of(account))


@router.post("/accounts/{account_id:path}/edit")
def edit(request: Request, visitor: Coordinator, account_id: str, written: Annotated[Written, Form()]) -> Response:
    """Change an account, or say what is wrong, or that somebody else changed it meanwhile. Raises: Gone."""
    return _save(request, visitor, account_id, written)


def written_of(account: Account) -> Written:
    """An account as the form shows it."""
    return Written(
        account_id=account.account_id,
        name=account.name,
        domain="\n".join(account.domains),
        aliases="\n".join(account.addresses),
        contacts="\n".join(map(contact_words, account.contacts)),
        manager=account.manager,
        tier=account.tier,
        contract_no=[each.number for each in account.contracts],
        contract_ends=[each.ends.isoformat() if each.ends is not None else "" for each in account.contracts],
        timezone=account.timezone,
        language=account.language,
        hours=account.hours,
        country=account.country,
        seen=digest(account),
    )


def change_words(changes: tuple[FieldChange, ...]) -> str:
    """`Tier: gold → silver; Contacts: added bob@acme.example`, for the audit log."""
    return "; ".join(f"{FIELDS[each.field]}: {_one_change(each)}" for each in changes)


def _one_change(each: FieldChange) -> str:
    if each.field not in ("domain", "aliases", "contacts", "contract_no"):
        return f"{'; '.join(each.was) or 'none'} → {'; '.join(each.now) or 'none'}"
    gone, come = ", ".join(each.was), ", ".join(each.now)
    return " and ".join(words for words in (f"added {come}" * (come != ""), f"removed {gone}" * (gone != "")) if words)


def _save(request: Request, visitor: Visitor, account_id: str, written: Written) -> Response:
    """Nothing is saved with a problem, nor over what somebody else saved meanwhile."""
    desk = desk_of(request)
    if account_id != "":
        written.account_id = account_id
    account, problems = read_cells(written.cells, people=desk.config.people, check=client_problems)
    with desk.writing() as log:
        known = {each.account_id: each for each in accounts(selecting(log))}
        current = known.get(account.account_id)
        if account_id != "" and current is None:
            raise Gone(f"there is no account {account_id} any more; it may have been made part of another")
        problems += tuple(_taken(account, current, known, is_new=account_id == ""))
        changed_meanwhile = account_id != "" and current is not None and digest(current) != written.seen
        changes = difference(current, account) if current is not None else ()
        is_fine = len(problems) == 0 and not changed_meanwhile
        if is_fine and (current is None or len(changes) > 0):
            put_accounts(log, (account,))
            what = "account.change" if current is not None else "account.add"
            users.audit(
                log,
                what,
                change_words(changes) if current is not None else f"{account.name} was added",
                who=visitor.name,
                now=desk.clock(),
                about=account.account_id,
            )
    if changed_meanwhile and current is not None:
        return _conflict(request, visitor, current, written, problems, changes)
    if not is_fine:
        return _form(request, visitor, account_id, written, problems, status=422)
    return _saved(desk, visitor, account, changes, is_new=current is None)


def _saved(
    desk: Desk, visitor: Visitor, account: Account, changes: tuple[FieldChange, ...], *, is_new: bool
) -> Response:
    words = f"{account.name} was added" if is_new else "Saved" if len(changes) > 0 else "Nothing was different"
    more = ". Mail is told to be theirs by it from the next one on." if is_new or len(changes) > 0 else "."
    return desk.done(visitor, f"/accounts/{quote(account.account_id)}", words + more)


def _taken(
    account: Account, current: Account | None, known: Mapping[str, Account], *, is_new: bool
) -> Iterator[tuple[str, str]]:
    """What another account has already; what both had before is no problem of this form."""
    if is_new and current is not None:
        yield "account_id", f"'{current.account_id}' is {current.name} already; take another id, or change that account"
        return
    had = {value for _, value in claims(current)} if current is not None else set()
    holders = {
        value: each for each in known.values() if each.account_id != account.account_id for _, value in claims(each)
    }
    for column, value in claims(account):
        if value in holders and value not in had:
            other = holders[value]
            yield (
                column,
                f"'{value}' belongs to account {other.account_id} ({other.name}) already; "
                "take it out there first, or merge the two accounts",
            )


def _conflict(
    request: Request,
    visitor: Visitor,
    current: Account,
    written: Written,
    problems: Problems,
    changes: tuple[FieldChange, ...],
) -> HTMLResponse:
    """Both versions, and the form with what was written, which saves over the other one once that was seen."""
    with desk_of(request).reading() as reader:
        last = last_changes(reader, current.account_id, limit=1)
    written.seen = digest(current)
    return _form(
        request, visitor, current.account_id, written, problems, status=409, last=last, changes=changes, meanwhile=True
    )


def _form(
    request: Request,
    visitor: Visitor,
    account_id: str,
    written: Written,
    problems: Problems = (),
    *,
    status: int = 200,
    **more: Any,
) -> HTMLResponse:
    desk = desk_of(request)
    found: dict[str, list[str]] = {}
    for field, what in problems:
        found.setdefault("contract_no" if field == "contract_ends" else field, []).append(what)
    with desk.reading() as reader:
        tiers = sorted({each.tier for each in reader.accounts() if each.tier != ""})
    values = {"meanwhile": False, "last": [], "changes": (), **more}
    return desk.page(
        request,
        visitor,
        "account_edit.html",
        status=status,
        account_id=account_id,
        address=f"/accounts/{quote(account_id)}",
        written=written,
        contracts=[*written.contracts, *[("", "")] * ADDED_LINES],
        problems=found,
        labels={"account_id": "Id", **FIELDS},
        people=names(desk.config),
        tiers=tiers,
        zones=sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix"))),
        **values,
    )
