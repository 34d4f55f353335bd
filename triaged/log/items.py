"""Who asks, in; what is owed to clients, in groups and in the order in which somebody should see to it, out.

Every group has an index of its own (`itemschema.py`), so that a million mails that are done cost nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from triaged.log.encode import from_ms, to_ms
from triaged.log.itemschema import TO_DO
from triaged.log.read import Reader

Group = Literal["late", "today", "later", "waiting", "promised", "answered", "unowed"]
"""late, today, later: we owe an answer, by when · waiting: for somebody else · promised: answered, and there is a next
step · answered: by a person, and nobody said that it is done · unowed: nothing is owed as far as we know, and nothing
happened."""
GROUPS: tuple[Group, ...] = ("late", "today", "later", "waiting", "promised", "answered", "unowed")

_OPEN = "answered_at IS NOT NULL AND done_at IS NULL AND waiting_at IS NULL"
_WHERE: Mapping[Group, str] = {
    "late": f"{TO_DO} AND due_at < :now",
    "today": f"{TO_DO} AND due_at >= :now AND due_at < :tomorrow",
    "later": f"{TO_DO} AND due_at >= :tomorrow",
    "waiting": "waiting_at IS NOT NULL AND done_at IS NULL",
    "promised": f"{_OPEN} AND next_step <> ''",
    "answered": f"{_OPEN} AND next_step = '' AND due_at IS NOT NULL",
    "unowed": (
        "due_at IS NULL AND done_at IS NULL AND answered_at IS NULL AND waiting_at IS NULL AND automatic = 'person' "
        "AND account_id IS NOT NULL AND received_at >= :unowed_since AND received_at < :unowed_until AND NOT EXISTS "
        "(SELECT 1 FROM effect WHERE effect.message = message.id AND effect.state = 'done' "
        "AND kind NOT IN ('mark', 'file', 'refile', 'release'))"
    ),
}
_INDEX: Mapping[Group, str] = {
    "late": "owed",
    "today": "owed",
    "later": "owed",
    "waiting": "waiting",
    "promised": "promised",
    "answered": "answered",
    "unowed": "unowed",
}
"""The index of each; named, for beside the account's name the planner goes through more mails than there are in it."""
_ORDER: Mapping[Group, str] = {
    "late": "due_at",
    "today": "due_at",
    "later": "due_at",
    "waiting": "next_at IS NULL, next_at, waiting_at",
    "promised": "next_at IS NULL, next_at",
    "answered": "answered_at DESC",
    "unowed": "received_at",
}
_ASKED = (
    "(:owner IS NULL OR assigned = :owner) AND (:account IS NULL OR account_id = :account) AND (:category IS NULL "
    "OR instr(categories, :category) > 0)"
)
_COLUMNS = (
    "message.id, reference, subject, sender, sender_name, categories, priority, chasing, account_id, account.name, "
    "account.manager, assigned, received_at, due_at, waiting_at, answered_at, next_step, next_at"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what, and when. owner: an id, `""`: nobody; account: an id; category: `other` too; None: any.

    tomorrow: when today ends. unowed_since, unowed_until: when mails came that should not be forgotten.
    """

    now: datetime
    tomorrow: datetime
    unowed_since: datetime
    unowed_until: datetime
    owner: str | None = None
    account: str | None = None
    category: str | None = None

    def values(self) -> dict[str, Any]:
        """As SQL parameters."""
        moments = ("now", "tomorrow", "unowed_since", "unowed_until")
        categories = "[]" if self.category == "other" else json.dumps(self.category) if self.category else None
        return {
            **{name: to_ms(getattr(self, name)) for name in moments},
            "owner": self.owner,
            "account": self.account,
            "category": categories,
        }


@dataclass(frozen=True, slots=True)
class Item:
    """A mail that something is to be done about. account_name, manager, owner, next_step: `""` for none; manager and
    owner: ids. chasing: the client asks for something that they asked for before."""

    id: int
    reference: str
    subject: str
    client: str
    categories: tuple[str, ...]
    priority: str
    chasing: bool
    account_id: str | None
    account_name: str
    manager: str
    owner: str
    received: datetime
    due: datetime | None
    waiting: datetime | None
    answered: datetime | None
    next_step: str
    next_at: datetime | None


def count(reader: Reader, asked: Asked) -> dict[Group, int]:
    """How many there are in each group."""
    each = (f"(SELECT count(*) FROM message WHERE {_WHERE[group]} AND {_ASKED})" for group in GROUPS)  # noqa: S608
    return dict(zip(GROUPS, reader.select(f"SELECT {', '.join(each)}", asked.values())[0], strict=True))


def to_chase(reader: Reader, asked: Asked) -> int:
    """How many wait for somebody else, or have a next step, whose day has come."""
    sql = " + ".join(
        f"(SELECT count(*) FROM message WHERE {_WHERE[group]} AND next_at < :tomorrow AND {_ASKED})"  # noqa: S608
        for group in ("waiting", "promised")
    )
    return int(reader.select(f"SELECT {sql}", asked.values())[0][0])


def items(reader: Reader, group: Group, asked: Asked, *, limit: int, offset: int = 0) -> list[Item]:
    """Those of a group, the one first that should be seen to first."""
    sql = (
        f"SELECT {_COLUMNS} FROM message INDEXED BY message_{_INDEX[group]} "  # noqa: S608 - words of ours
        "LEFT JOIN account USING (account_id) "
        f"WHERE {_WHERE[group]} AND {_ASKED} ORDER BY {_ORDER[group]}, message.id LIMIT :limit OFFSET :offset"
    )
    return [_item(row) for row in reader.select(sql, asked.values() | {"limit": limit, "offset": offset})]


def accounts(reader: Reader) -> list[tuple[str, str]]:
    """Id and name of each account that something is owed to, waits or is promised, by name."""
    rows = reader.select(
        f"SELECT account_id, name FROM ({_unfinished('account_id')}) LEFT JOIN account USING (account_id) "  # noqa: S608
        "WHERE account_id IS NOT NULL ORDER BY coalesce(name, account_id) COLLATE NOCASE"
    )
    return [(row[0], row[1] or row[0]) for row in rows]


def categories(reader: Reader) -> list[str]:
    """Those of the same mails, by name; `other` last, if there is any."""
    found = [json.loads(row[0]) for row in reader.select(_unfinished("categories"))]
    return [*sorted({name for names in found for name in names}), *(["other"] if [] in found else [])]


def _unfinished(column: str) -> str:
    """Its values, each once. By name of the index, for without a word of when the planner would read every mail."""
    wanted = {"owed": TO_DO, "waiting": _WHERE["waiting"], "promised": _WHERE["promised"]}
    return " UNION ".join(
        f"SELECT {column} FROM message INDEXED BY message_{index} WHERE {where}"  # noqa: S608 - words of ours
        for index, where in wanted.items()
    )


def _item(row: tuple[Any, ...]) -> Item:
    moments = [from_ms(value) if value is not None else None for value in row[13:16]]
    return Item(
        id=row[0],
        reference=row[1],
        subject=row[2],
        client=row[4] or row[3],
        categories=tuple(json.loads(row[5])),
        priority=row[6],
        chasing=bool(row[7]),
        account_id=row[8],
        account_name=row[9] or row[8] or "",
        manager=row[10] or "",
        owner=row[11],
        received=from_ms(row[12]),
        due=moments[0],
        waiting=moments[1],
        answered=moments[2],
        next_step=row[16],
        next_at=from_ms(row[17]) if row[17] is not None else None,
    )
