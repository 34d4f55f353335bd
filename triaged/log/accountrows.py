"""The accounts' rows in, accounts out, within a transaction too; and what became of an account that is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from triaged.model import Account, Contact, Contract

if TYPE_CHECKING:
    from triaged.log.store import Log

Select = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]


def accounts(select: Select, account_id: str | None = None) -> tuple[Account, ...]:
    """Every account by id, or the one of this id, if it is there."""
    which, values = ("", ()) if account_id is None else ("WHERE account_id = ?", (account_id,))

    def rows(sql: str) -> dict[str, list[tuple[Any, ...]]]:
        found: dict[str, list[tuple[Any, ...]]] = {}
        for of, *rest in select(sql.format(which=which), values):
            found.setdefault(of, []).append(tuple(rest))
        return found

    aliases = rows("SELECT account_id, alias FROM alias {which} ORDER BY alias")
    contacts = rows("SELECT account_id, addr_spec, name FROM contact {which} ORDER BY addr_spec")
    contracts = rows("SELECT account_id, number, ends FROM contract {which} ORDER BY number")
    return tuple(
        Account(
            account_id=row[0],
            name=row[1],
            domains=tuple(alias for (alias,) in aliases.get(row[0], ()) if "@" not in alias),
            addresses=tuple(alias for (alias,) in aliases.get(row[0], ()) if "@" in alias),
            contacts=tuple(Contact(addr_spec, name) for addr_spec, name in contacts.get(row[0], ())),
            manager=row[2],
            tier=row[3],
            contracts=tuple(
                Contract(number, date.fromisoformat(ends) if ends is not None else None)
                for number, ends in contracts.get(row[0], ())
            ),
            timezone=row[4],
            language=row[5],
            hours=row[6],
            country=row[7],
        )
        for row in select(
            "SELECT account_id, name, manager, tier, timezone, language, hours, country "  # noqa: S608 - own words
            f"FROM account {which} ORDER BY account_id",
            values,
        )
    )


def account_of(select: Select, account_id: str) -> Account | None:
    """The account of this id."""
    return next(iter(accounts(select, account_id)), None)


def selecting(log: Log) -> Select:
    """To read within a transaction that writes: it sees its own changes, and nobody else's come between."""
    return lambda sql, values: log.db.execute(sql, values).fetchall()


def account_now(db: Database, account_id: str | None) -> str | None:
    """The account that one is a part of by now: a mail may have been decided about just before a merge."""
    seen = set[str]()
    while account_id is not None and account_id not in seen:
        seen.add(account_id)
        row = db.execute(
            "SELECT into_id FROM account_merge WHERE account_id = :id AND undone_at IS NULL "
            "AND NOT EXISTS (SELECT 1 FROM account WHERE account_id = :id) ORDER BY id DESC LIMIT 1",
            {"id": account_id},
        ).fetchone()
        if row is None:
            break
        account_id = row[0]
    return account_id
