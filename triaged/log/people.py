"""What people say in, rows changed out: approvals, corrections, the accounts they import."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from triaged.errors import Gone
from triaged.log.encode import DECISION, MESSAGE, text_version, to_ms
from triaged.log.read import LABELLED
from triaged.log.store import Log
from triaged.model import Account, Verdict

WITHDRAWN = 2
"""`labelled` of a correction that takes back what was said before it: none of that counts any more."""


def settle(
    log: Log,
    message: int,
    *,
    approve: bool,
    who: str,
    now: datetime,
    only_held_back: bool = False,
    only: Collection[int] | None = None,
    leaves: datetime | None = None,
    words: str = "",
) -> int:
    """A person approves (held → owed) or drops (held, person → dropped) what waits for a mail; returns how many.

    only_held_back: of that, only what a limit holds back; only: only these effects. leaves: when what is approved may
    leave, None: at once. words: why, in the person's words.
    """
    states = ("held",) if approve or only_held_back else ("held", "person")
    rows = log.db.execute(
        "SELECT id, kind FROM effect WHERE message = ? AND state IN (SELECT value FROM json_each(?)) "
        "AND (intended = 'owed' OR NOT ?)",
        (message, json.dumps(states), only_held_back),
    ).fetchall()
    wanted = [(row, kind) for row, kind in rows if only is None or row in only]
    said = f"by {who}: {words}" if words != "" else f"by {who}"
    for row, kind in wanted:
        log.move(row, "owed" if approve else "dropped", said, now)
        if approve:
            log.db.execute("UPDATE answered SET leaves_at = ? WHERE effect = ?", (to_ms(leaves or now), row))
            if leaves is not None:
                log.db.execute("UPDATE effect SET not_before_at = ? WHERE id = ?", (to_ms(leaves), row))
        else:
            log.db.execute("DELETE FROM answered WHERE effect = ?", (row,))
        log.event(f"{kind}.{'approved' if approve else 'dropped'}", said, message=message, now=now)
    return len(wanted)


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
    _add_correction(log, message, was=was, fixed=fixed, labelled=int(labelled), parsed=row[4], who=who, now=now)
    log.db.execute(
        "UPDATE message SET categories = ?, account_id = ?, sure = CASE WHEN ? THEN 1 ELSE sure END, "
        "account_how = CASE WHEN ? THEN 'corrected' ELSE account_how END WHERE id = ?",
        (json.dumps(fixed["categories"]), fixed["account"], labelled, account_id is not None, message),
    )
    words = f"{', '.join(fixed['categories']) or 'other'}; account {fixed['account'] or 'none'}; by {who}"
    same = right and fixed["account"] == was["account"]
    log.event("confirmed" if same else "corrected", words, message=message, now=now)


@dataclass(frozen=True, slots=True)
class Believed:
    """What a mail is taken for. how: of the account, `""` for none; labelled: a person said of which categories it is.

    last: number of the latest correction, 0 for none: it grows with each.
    """

    categories: tuple[str, ...]
    sure: bool
    account_id: str | None
    how: str
    labelled: bool
    last: int


def believed(log: Log, message: int) -> Believed:
    """What a mail is taken for now. Raises: Gone (no such mail)."""
    row = log.db.execute(
        "SELECT categories, sure, account_id, coalesce(account_how, ''), "  # noqa: S608 - words of ours
        f"EXISTS (SELECT 1 FROM correction WHERE correction.message = message.id AND {LABELLED}), "
        "(SELECT coalesce(max(id), 0) FROM correction WHERE correction.message = message.id) "
        "FROM message WHERE id = ?",
        (message,),
    ).fetchone()
    if row is None:
        raise Gone(f"there is no mail {message}")
    return Believed(tuple(json.loads(row[0])), bool(row[1]), row[2], row[3], bool(row[4]), row[5])


def take_back_correction(log: Log, message: int, before: Believed, *, who: str, now: datetime) -> None:
    """A mail is taken for what it was before a correction, by a row of its own; what was said meanwhile is not learned
    from. before: as `believed` said then."""
    parsed, decision = log.db.execute(
        "SELECT parsed, decision FROM message JOIN decision ON decision.message = message.id WHERE message.id = ? "
        "ORDER BY decision.id DESC LIMIT 1",
        (message,),
    ).fetchone()
    at = believed(log, message)
    was = _shown(json.dumps(at.categories), at.account_id, DECISION.validate_json(decision).verdict, sure=at.sure)
    fixed = {"categories": list(before.categories), "account": before.account_id}
    labelled = 1 if before.labelled else WITHDRAWN
    _add_correction(log, message, was=was, fixed=fixed, labelled=labelled, parsed=parsed, who=who, now=now)
    log.db.execute(
        "UPDATE message SET categories = ?, sure = ?, account_id = ?, account_how = ? WHERE id = ?",
        (json.dumps(before.categories), before.sure, before.account_id, before.how or None, message),
    )
    words = f"{', '.join(before.categories) or 'other'}; account {before.account_id or 'none'}; taken back by {who}"
    log.event("corrected", words, message=message, now=now)


def _add_correction(
    log: Log,
    message: int,
    *,
    was: dict[str, Any],
    fixed: dict[str, Any],
    labelled: int,
    parsed: str,
    who: str,
    now: datetime,
) -> None:
    entry = {
        "message": message,
        "at": to_ms(now),
        "who": who,
        "was": json.dumps(was),
        "now": json.dumps(fixed),
        "text_version": text_version(MESSAGE.validate_json(parsed).judged) if parsed != "" else "",
        "labelled": labelled,
    }
    log.insert("correction", entry)


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
        _clear(log, account.account_id)
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
    _revised(log)


def remove_account(log: Log, account_id: str) -> None:
    """Remove an account with all that hangs on it; its mails keep its id until somebody gives them another."""
    _clear(log, account_id)
    log.db.execute("DELETE FROM account WHERE account_id = ?", (account_id,))
    _revised(log)


def _clear(log: Log, account_id: str) -> None:
    for table in ("alias", "contact", "contract"):
        log.db.execute(f"DELETE FROM {table} WHERE account_id = ?", (account_id,))  # noqa: S608 - own names


def _revised(log: Log) -> None:
    """The worker reads the accounts anew before the next mail."""
    log.db.execute("UPDATE meta SET value = value + 1 WHERE name = 'accounts_revision'")
