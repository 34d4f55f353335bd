"""The accounts' rows in, accounts out; and what the log knows of each: figures, mails by month, what was changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from triaged.log.encode import from_ms, to_ms
from triaged.model import Account, Contact, Contract, Trend

if TYPE_CHECKING:
    from triaged.log.read import Reader
    from triaged.log.store import Log

Select = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

MONTH, OPEN_FOR = timedelta(days=30), timedelta(days=120)
"""Spans that mails are counted in; of what waits, as `Reader.open_items` counts it."""
AWAITED = "due_at IS NOT NULL AND done_at IS NULL AND automatic = 'person'"
"""Of mails: an answer is due, and nobody said that it is done."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How it stands with an account. mails, complaints: of the last 30 days; next_call: the first that is ahead."""

    open_items: int
    mails: int
    complaints: int
    trend: Trend
    next_call: datetime | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of an account that a person made, in words."""

    at: datetime
    who: str
    what: str
    detail: str


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


# --- what is known of them ---------------------------------------------------------------------------------------


def figures(reader: Reader, account_ids: Sequence[str], *, now: datetime) -> dict[str, Figures]:
    """Of these accounts, by id. Reads the mails of 120 days by account (index message_account), never all."""
    values = {
        "ids": json.dumps(list(account_ids)),
        "now": to_ms(now),
        "recent": to_ms(now - MONTH),
        "earlier": to_ms(now - OPEN_FOR),
    }
    counts = reader.select(
        "SELECT wanted.value, count(*) FILTER (WHERE received_at >= :recent), "  # noqa: S608 - own words
        "count(*) FILTER (WHERE received_at >= :recent AND instr(categories, '\"complaint\"')), "
        f"count(*) FILTER (WHERE {AWAITED}) "
        "FROM json_each(:ids) AS wanted CROSS JOIN message "
        "ON account_id = wanted.value AND received_at >= :earlier AND received_at < :now GROUP BY wanted.value",
        values,
    )
    ahead = reader.select(
        "SELECT account_id, min(starts_at) FROM call CROSS JOIN message ON message.id = call.message "
        "WHERE starts_at > :now AND call.state <> 'cancelled' "
        "AND account_id IN (SELECT value FROM json_each(:ids)) GROUP BY account_id",
        values,
    )
    by_id, calls = {row[0]: row[1:] for row in counts}, {row[0]: from_ms(row[1]) for row in ahead}
    trends = reader.trends(account_ids, before=now)
    return {
        each: Figures(
            mails=by_id.get(each, (0, 0, 0))[0],
            complaints=by_id.get(each, (0, 0, 0))[1],
            open_items=by_id.get(each, (0, 0, 0))[2],
            trend=trends[each],
            next_call=calls.get(each),
        )
        for each in account_ids
    }


def by_month(reader: Reader, account_id: str, starts: Sequence[datetime]) -> list[dict[str, int]]:
    """Mails between each of these moments and the next, by category; one of several counts under the surest."""
    spans = [[to_ms(start), to_ms(end)] for start, end in pairwise(starts)]
    rows = reader.select(
        "SELECT span.key, coalesce(json_extract(categories, '$[0]'), 'other'), count(*) "
        "FROM json_each(?) AS span CROSS JOIN message ON account_id = ? "
        "AND received_at >= json_extract(span.value, '$[0]') AND received_at < json_extract(span.value, '$[1]') "
        "GROUP BY 1, 2",
        (json.dumps(spans), account_id),
    )
    found: list[dict[str, int]] = [{} for _ in spans]
    for key, category, count in rows:
        found[key][category] = count
    return found


def newest(reader: Reader, account_id: str, *, limit: int) -> list[int]:
    """Numbers of the newest mails, newest first."""
    rows = reader.select(
        "SELECT id FROM message WHERE account_id = ? ORDER BY received_at DESC LIMIT ?", (account_id, limit)
    )
    return [row[0] for row in rows]


def awaited(reader: Reader, account_id: str, *, now: datetime, limit: int) -> list[int]:
    """Numbers of the mails of 120 days that wait for an answer, the one that is due first at first."""
    rows = reader.select(
        f"SELECT id FROM message WHERE account_id = ? AND received_at >= ? AND {AWAITED} ORDER BY due_at LIMIT ?",  # noqa: S608
        (account_id, to_ms(now - OPEN_FOR), limit),
    )
    return [row[0] for row in rows]


def count_mails(reader: Reader, account_id: str) -> int:
    """All of them."""
    return int(reader.select("SELECT count(*) FROM message WHERE account_id = ?", (account_id,))[0][0])


def last_changes(reader: Reader, account_id: str, *, limit: int) -> list[Changed]:
    """What people changed of an account, the newest first."""
    rows = reader.select(
        "SELECT at, who, what, detail FROM audit WHERE about = ? AND what LIKE 'account.%' ORDER BY id DESC LIMIT ?",
        (account_id, limit),
    )
    return [Changed(from_ms(row[0]), *row[1:]) for row in rows]
