"""What people say in, rows changed out: approvals, corrections, the accounts they import."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from triaged.errors import Gone
from triaged.log.encode import DECISION, MESSAGE, text_version, to_ms
from triaged.log.store import Log
from triaged.model import Account, Verdict


def settle(log: Log, message: int, *, approve: bool, who: str, now: datetime, only_held_back: bool = False) -> int:
    """A person approves (held → owed) or drops (held, person → dropped) what waits for a mail; returns how many.

    only_held_back: of that, only what a limit holds back.
    """
    states = ("held",) if approve or only_held_back else ("held", "person")
    rows = log.db.execute(
        "SELECT id, kind FROM effect WHERE message = ? AND state IN (SELECT value FROM json_each(?)) "
        "AND (intended = 'owed' OR NOT ?)",
        (message, json.dumps(states), only_held_back),
    ).fetchall()
    for row, kind in rows:
        log.move(row, "owed" if approve else "dropped", f"by {who}", now)
        if approve:
            log.db.execute("UPDATE answered SET leaves_at = ? WHERE effect = ?", (to_ms(now), row))
        else:
            log.db.execute("DELETE FROM answered WHERE effect = ?", (row,))
        log.event(f"{kind}.{'approved' if approve else 'dropped'}", f"by {who}", message=message, now=now)
    return len(rows)


def correct(
    log: Log,
    message: int,
    *,
    categories: tuple[str, ...] | None,
    account_id: str | None,
    who: str,
    now: datetime,
    right: bool = False,
) -> None:
    """A person puts category or account right (None: as it was; "": no account); a row of its own each time.

    right: the person says that the categories are right as they are shown. Raises: Gone (no such mail).
    """
    row = log.db.execute(
        "SELECT categories, account_id, decision, sure, parsed FROM message JOIN decision "
        "ON decision.message = message.id WHERE message.id = ? ORDER BY decision.id DESC LIMIT 1",
        (message,),
    ).fetchone()
    if row is None:
        raise Gone(f"there is no triaged mail {message}")
    was = _shown(row[0], row[1], DECISION.validate_json(row[2]).verdict, sure=bool(row[3]))
    labelled = right or categories is not None
    fixed: dict[str, Any] = {
        "categories": list(categories) if categories is not None else was["categories"],
        "account": (account_id or None) if account_id is not None else row[1],
    }
    entry = {
        "message": message,
        "at": to_ms(now),
        "who": who,
        "was": json.dumps(was),
        "now": json.dumps(fixed),
        "text_version": text_version(MESSAGE.validate_json(row[4]).judged) if row[4] != "" else "",
        "labelled": int(labelled),
    }
    log.insert("correction", entry)
    log.db.execute(
        "UPDATE message SET categories = ?, account_id = ?, sure = CASE WHEN ? THEN 1 ELSE sure END, "
        "account_how = CASE WHEN ? THEN 'corrected' ELSE account_how END WHERE id = ?",
        (json.dumps(fixed["categories"]), fixed["account"], labelled, account_id is not None, message),
    )
    words = f"{', '.join(fixed['categories']) or 'other'}; account {fixed['account'] or 'none'}; by {who}"
    same = right and fixed["account"] == was["account"]
    log.event("confirmed" if same else "corrected", words, message=message, now=now)


def set_done(log: Log, message: int, *, done: bool, who: str, now: datetime) -> bool:
    """A person says that nothing more is owed for a mail, or that something is after all; False when that was so.

    What is open again is so whatever answers were found up to now.
    """
    sql = (
        "UPDATE message SET done_at = :now WHERE id = :message AND done_at IS NULL"
        if done
        else "UPDATE message SET done_at = NULL, answered_at = NULL WHERE id = :message "
        "AND (done_at IS NOT NULL OR answered_at IS NOT NULL)"
    )
    changed = log.db.execute(sql, {"now": to_ms(now), "message": message}).rowcount
    if changed > 0:
        log.event("done" if done else "reopened", f"by {who}", message=message, now=now)
    return bool(changed > 0)


def _shown(categories: str, account_id: str | None, verdict: Verdict, *, sure: bool) -> dict[str, Any]:
    """What the person saw, and by what it was said."""
    return {
        "categories": json.loads(categories),
        "sure": sure,
        "account": account_id,
        "scores": {each.category: each.score for each in verdict.scores},
        "model": verdict.model_id,
        "rules": verdict.rules_id,
    }


def put_accounts(log: Log, accounts: Iterable[Account]) -> None:
    """Insert or replace accounts with all that hangs on them; others stay."""
    for account in accounts:
        for table in ("alias", "contact", "contract"):
            log.db.execute(f"DELETE FROM {table} WHERE account_id = ?", (account.account_id,))  # noqa: S608
        columns = ("account_id", "name", "manager", "tier", "timezone", "language", "hours", "country")
        fields = {name: getattr(account, name) for name in columns}
        log.db.table("account").upsert(fields, pk="account_id")
        for alias in (*account.domains, *account.addresses):
            log.db.execute("INSERT INTO alias VALUES (?, ?)", (account.account_id, alias))
        for contact in account.contacts:
            log.db.execute(
                "INSERT INTO contact VALUES (?, ?, ?)", (account.account_id, contact.addr_spec, contact.name)
            )
        for contract in account.contracts:
            ends = contract.ends.isoformat() if contract.ends is not None else None
            log.db.execute("INSERT INTO contract VALUES (?, ?, ?)", (account.account_id, contract.number, ends))
    log.db.execute("UPDATE meta SET value = value + 1 WHERE name = 'accounts_revision'")
