"""Two accounts in, the one made of both out; parts of an account in, two accounts out; and each way back (pure)."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

from triaged.accounts.difference import FIELDS, canonical, contract_words
from triaged.model import Account

CLOCK = ("timezone", "hours", "country")
"""Fields that only mean something together: the hours are told on the clock of the zone."""
PLAIN = ("name", "manager", "tier", "language", *CLOCK)
LISTED = ("domains", "addresses", "contacts", "contracts")


def merged(into: Account, gone: Account) -> Account:
    """`into` with all that `gone` has; where both say something of their own, `into` counts (see `unkept`)."""
    values: dict[str, Any] = {
        name: getattr(into, name) or getattr(gone, name) for name in ("manager", "tier", "language")
    }
    clock = into if any(getattr(into, name) != "" for name in CLOCK) else gone
    values |= {name: getattr(clock, name) for name in CLOCK}
    specs = {each.addr_spec for each in into.contacts}
    numbers = {each.number for each in into.contracts}
    return canonical(
        dataclasses.replace(
            into,
            domains=(*into.domains, *gone.domains),
            addresses=(*into.addresses, *gone.addresses),
            contacts=(*into.contacts, *(each for each in gone.contacts if each.addr_spec not in specs)),
            contracts=(*into.contracts, *(each for each in gone.contracts if each.number not in numbers)),
            **values,
        )
    )


def unkept(into: Account, gone: Account) -> tuple[str, ...]:
    """What of `gone` the merged account does not say, a few words each; it comes back when the merge is undone."""
    whole = merged(into, gone)
    words = [
        f"{_label(name)} {getattr(gone, name)}"
        for name in PLAIN
        if getattr(gone, name) not in ("", getattr(whole, name))
    ]
    names = {each.name for each in whole.contacts}
    words += [f"the name {each.name}" for each in gone.contacts if each.name != "" and each.name not in names]
    words += [f"contract {contract_words(each)}" for each in gone.contracts if each not in whole.contracts]
    return tuple(words)


def parted(account: Account, *, account_id: str, name: str, taken: Collection[str]) -> tuple[Account, Account]:
    """What is left of the account, and a new one of this id and name with what is taken of it.

    taken: domains, addresses, contacts' addresses and `contract:NUMBER`. The rest (manager, tier, zone …) both have.
    """

    def parts(*, theirs: bool) -> dict[str, Any]:
        return {
            "domains": tuple(each for each in account.domains if (each in taken) == theirs),
            "addresses": tuple(each for each in account.addresses if (each in taken) == theirs),
            "contacts": tuple(each for each in account.contacts if (each.addr_spec in taken) == theirs),
            "contracts": tuple(each for each in account.contracts if (f"contract:{each.number}" in taken) == theirs),
        }

    left = dataclasses.replace(account, **parts(theirs=False))
    return left, dataclasses.replace(account, account_id=account_id, name=name, **parts(theirs=True))


def put_back(*, was: Account, left: Account, now: Account) -> Account:
    """An account as it was before a merge or a split, with what people changed of it since.

    was, left: before and after that; now: as it is. Raises: ValueError, the fields in which both were at work.
    """
    values: dict[str, Any] = {}
    conflicts = []
    for name in (*PLAIN, *LISTED):
        before, after, current = (getattr(each, name) for each in (was, left, now))
        try:
            values[name] = (_lists if name in LISTED else _plain)(before, after, current)
        except ValueError:
            conflicts.append(_label(name))
    if conflicts:
        raise ValueError(", ".join(conflicts))
    return canonical(dataclasses.replace(now, **values))


def _plain(was: str, left: str, now: str) -> str:
    if now in (left, was):
        return was
    if was == left:
        return now
    raise ValueError(now)


def _lists(was: tuple[Any, ...], left: tuple[Any, ...], now: tuple[Any, ...]) -> tuple[Any, ...]:
    """What came goes, what went comes back; what else was added or removed since stays so."""
    came = {each for each in left if each not in was}
    went = tuple(each for each in was if each not in left)
    rest = tuple(each for each in now if each not in came and each not in went)
    keys = [_key(each) for each in (*rest, *went)]
    if not came <= set(now) or len(keys) != len(set(keys)):
        raise ValueError(now)
    return (*rest, *went)


def _key(each: Any) -> str:
    """By which the log tells one from another."""
    return str(getattr(each, "addr_spec", getattr(each, "number", each)))


def _label(name: str) -> str:
    """What people call a field of `Account`."""
    columns = {"domains": "domain", "addresses": "aliases", "contracts": "contract_no"}
    return FIELDS[columns.get(name, name)].lower()
