"""Accounts as they are and as they shall be in; what changes, field by field, and what would belong to two, out (pure).

Fields are named as the columns of the accounts file are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from triaged.accounts.match import plain_address
from triaged.model import Account, Contact, Contract

ACCOUNTS: TypeAdapter[tuple[Account, ...]] = TypeAdapter(tuple[Account, ...])
FIELDS: Mapping[str, str] = {
    "name": "Name",
    "domain": "Domains",
    "aliases": "Further addresses",
    "contacts": "Contacts",
    "manager": "Account manager",
    "tier": "Tier",
    "contract_no": "Contracts",
    "timezone": "Time zone",
    "language": "Language",
    "hours": "Working hours",
    "country": "Public holidays of",
}
"""What people call them; a contract goes with its end."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field. was, now: a line each; of a list, those that go and those that come, both may be empty."""

    field: str
    was: tuple[str, ...]
    now: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a file of accounts does. same: how many stay as they are; kept: those that are not in it and stay."""

    added: tuple[Account, ...]
    changed: tuple[tuple[Account, tuple[FieldChange, ...]], ...]
    same: int
    kept: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class Shared:
    """A domain or an address that belongs to more than one account."""

    value: str
    account_ids: tuple[str, ...]


def digest(*accounts: Account) -> str:
    """16 hex digits that tell these accounts from any other, whatever the order of what is listed in them."""
    return hashlib.sha256(ACCOUNTS.dump_json(tuple(map(canonical, accounts)))).hexdigest()[:16]


def canonical(account: Account) -> Account:
    """The same account as the log gives it back: what is listed, sorted, each once."""
    return Account(
        account_id=account.account_id,
        name=account.name,
        domains=tuple(sorted(set(account.domains))),
        addresses=tuple(sorted(set(account.addresses))),
        contacts=tuple(sorted(account.contacts, key=lambda each: each.addr_spec)),
        manager=account.manager,
        tier=account.tier,
        contracts=tuple(sorted(account.contracts, key=lambda each: each.number)),
        timezone=account.timezone,
        language=account.language,
        hours=account.hours,
        country=account.country,
    )


def lines(account: Account) -> dict[str, tuple[str, ...]]:
    """An account in words, by field, as a person writes it."""
    return {
        "name": (account.name,),
        "domain": account.domains,
        "aliases": account.addresses,
        "contacts": tuple(map(contact_words, account.contacts)),
        "manager": _one(account.manager),
        "tier": _one(account.tier),
        "contract_no": tuple(map(contract_words, account.contracts)),
        "timezone": _one(account.timezone),
        "language": _one(account.language),
        "hours": _one(account.hours),
        "country": _one(account.country),
    }


def contact_words(contact: Contact) -> str:
    """`Anna Berg <anna@acme.example>`, or the address alone."""
    return f"{contact.name} <{contact.addr_spec}>" if contact.name != "" else contact.addr_spec


def contract_words(contract: Contract) -> str:
    """`N-1 until 2027-03-31`, `N-2 open-ended`."""
    ends = f"until {contract.ends.isoformat()}" if contract.ends is not None else "open-ended"
    return f"{contract.number} {ends}".strip()


def difference(before: Account, after: Account) -> tuple[FieldChange, ...]:
    """The fields in which they differ, in the order of `FIELDS`."""
    was, now = lines(canonical(before)), lines(canonical(after))
    return tuple(
        FieldChange(
            field,
            tuple(each for each in was[field] if each not in now[field]),
            tuple(each for each in now[field] if each not in was[field]),
        )
        for field in FIELDS
        if was[field] != now[field]
    )


def changes(known: Mapping[str, Account], read: Sequence[Account]) -> Changes:
    """What it does to take `read` into the accounts that are known, by id."""
    compared = [(each, difference(known[each.account_id], each)) for each in read if each.account_id in known]
    changed = tuple((each, found) for each, found in compared if len(found) > 0)
    ids = {each.account_id for each in read}
    return Changes(
        added=tuple(each for each in read if each.account_id not in known),
        changed=changed,
        same=len(compared) - len(changed),
        kept=tuple(each for account_id, each in known.items() if account_id not in ids),
    )


def shared(accounts: Iterable[Account]) -> tuple[Shared, ...]:
    """What more than one of these accounts claims, in no order that matters; a mail from there is given to none."""
    claimed: dict[str, list[str]] = {}
    for account in accounts:
        for value in dict.fromkeys(value for _, value in claims(account)):
            claimed.setdefault(value, []).append(account.account_id)
    return tuple(Shared(value, tuple(ids)) for value, ids in sorted(claimed.items()) if len(ids) > 1)


def claims(account: Account) -> Iterator[tuple[str, str]]:
    """(field, domain or plain address) of all by which a mail is told to be this account's."""
    yield from (("domain", domain) for domain in account.domains)
    yield from (("aliases", plain_address(address)) for address in account.addresses)
    yield from (("contacts", plain_address(contact.addr_spec)) for contact in account.contacts)


def _one(text: str) -> tuple[str, ...]:
    return (text,) if text != "" else ()
