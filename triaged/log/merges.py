"""Two accounts to be one, or one to be two, in; accounts and mails changed out, kept so that each can be undone."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from triaged.accounts.difference import ACCOUNTS
from triaged.accounts.match import directory, match
from triaged.accounts.together import merged, put_back
from triaged.errors import Gone, Permanent
from triaged.log.accountrows import Select, account_of, selecting
from triaged.log.encode import from_ms, to_ms
from triaged.log.people import put_accounts, remove_account
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.log.traces import MARK
from triaged.model import Account, Address

_MERGE = "SELECT id, at, who, account_id, into_id, was, messages, undone_at, undone_by FROM account_merge"


@dataclass(frozen=True, slots=True)
class Merge:
    """A row of the table. account_id: that was made part of into_id, or was split off from it.

    before, after: the accounts of it as they were and as they then were. messages: numbers of the mails that changed
    hands. undone: None while it stands.
    """

    id: int
    at: datetime
    who: str
    account_id: str
    into_id: str
    before: tuple[Account, ...]
    after: tuple[Account, ...]
    messages: tuple[int, ...]
    undone: datetime | None
    undone_by: str

    @property
    def is_split(self) -> bool:
        """Whether the account was split off: it was not there before."""
        return all(each.account_id != self.account_id for each in self.before)


@dataclass(frozen=True, slots=True)
class Undone:
    """What undoing one did. back: mails that went back; stayed: those that did not, for a person gave them to another
    account meanwhile, or they are no longer there."""

    merge: Merge
    back: int
    stayed: int


def merges(reader: Reader, *, limit: int, before_id: int | None = None) -> list[Merge]:
    """The newest first; before_id: only older ones."""
    rows = reader.select(
        f"{_MERGE} WHERE (:before IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit",
        {"before": before_id, "limit": limit},
    )
    return [_merge(row) for row in rows]


def standing_merge(reader: Reader, account_id: str) -> Merge | None:
    """The last merge, not undone, that made this account part of another; None when it is there, or never was."""
    gone = "account_id = ? AND undone_at IS NULL AND account_id NOT IN (SELECT account_id FROM account)"
    rows = reader.select(f"{_MERGE} WHERE {gone} ORDER BY id DESC LIMIT 1", (account_id,))
    return _merge(rows[0]) if rows else None


def senders_of(select: Select, left: Account, new: Account) -> list[str]:
    """Senders in the log whose mails, now the account's that `left` was made from, would be found to be `new`'s."""
    known = directory((left, new))
    rows = select(
        "SELECT DISTINCT sender FROM message WHERE account_id = ? AND sender LIKE '%@%' ORDER BY 1", (left.account_id,)
    )
    return [sender for (sender,) in rows if _is_of(sender, known, new.account_id)]


def count_of(reader: Reader, account_id: str, senders: list[str]) -> int:
    """How many mails of an account these senders wrote."""
    sql = "SELECT count(*) FROM message WHERE account_id = ? AND sender IN (SELECT value FROM json_each(?))"
    return int(reader.select(sql, (account_id, json.dumps(senders)))[0][0])


# --- written, each inside a transaction --------------------------------------------------------------------------


def merge(log: Log, gone_id: str, into_id: str, *, who: str, now: datetime) -> Merge:
    """Make an account part of another, with all its mails. Raises: Gone (no such account), Permanent (one account)."""
    if gone_id == into_id:
        raise Permanent("an account cannot be made part of itself")
    gone, into = (_there(log, each) for each in (gone_id, into_id))
    whole = merged(into, gone)
    rows = _numbers(log, "account_id = ?", (gone_id,))
    put_accounts(log, (whole,))
    remove_account(log, gone_id)
    log.db.execute("UPDATE message SET account_id = ? WHERE account_id = ?", (into_id, gone_id))
    return _keep(log, gone_id, into_id, (gone, into), (whole,), rows, who=who, now=now)


def split(log: Log, left: Account, new: Account, *, who: str, now: datetime) -> Merge:
    """Put a new account beside what is left of one (see `together.parted`), with the mails that are now the new one's.

    Raises: Gone (no such account), Permanent (the new one is there already).
    """
    if account_of(selecting(log), new.account_id) is not None:
        raise Permanent(f"there is an account {new.account_id} already; give the new one another id")
    before = _there(log, left.account_id)
    senders = json.dumps(senders_of(selecting(log), left, new))
    where = "account_id = ? AND sender IN (SELECT value FROM json_each(?))"
    rows = _numbers(log, where, (left.account_id, senders))
    put_accounts(log, (left, new))
    log.db.execute(f"UPDATE message SET account_id = ? WHERE {where}", (new.account_id, left.account_id, senders))  # noqa: S608
    return _keep(log, new.account_id, left.account_id, (before,), (left, new), rows, who=who, now=now)


def undo(log: Log, number: int, *, who: str, now: datetime) -> Undone:
    """Put accounts and mails back as they were; what was changed since, and came since, stays.

    Raises: Gone (no such merge), Permanent, a sentence with what to do (undone already; changed since in such a way
    that it cannot be put back).
    """
    rows = log.db.execute(f"{_MERGE} WHERE id = ?", (number,)).fetchall()
    if len(rows) == 0:
        raise Gone(f"there is no merge {number}")
    done = _merge(rows[0])
    if done.undone is not None:
        raise Permanent("it was undone already")
    if MARK in done.account_id + done.into_id:
        raise Permanent("a person whom its accounts were named after was forgotten; make the account anew by hand")
    now_into = account_of(selecting(log), done.into_id)
    if now_into is None:
        raise Permanent(f"{done.into_id} was itself made part of another account since; undo that first")
    put_accounts(log, (_as_before(done, now_into),))
    if done.is_split:
        back, stayed = _take_in(log, done), 0
    else:
        back = _give_back(log, done)
        stayed = len(done.messages) - back
    log.db.execute("UPDATE account_merge SET undone_at = ?, undone_by = ? WHERE id = ?", (to_ms(now), who, number))
    return Undone(done, back, stayed)


def _as_before(done: Merge, now: Account) -> Account:
    """The account that took the other in, or gave it up, as it is to be. Raises: Permanent."""
    was, left = (next(each for each in side if each.account_id == done.into_id) for side in (done.before, done.after))
    try:
        return put_back(was=was, left=left, now=now)
    except ValueError as error:
        raise Permanent(
            f"{done.into_id} was changed since, in what it took over: {error}. Set these as they were right after "
            f"the {'split' if done.is_split else 'merge'}, then undo it; or split the account by hand"
        ) from None


def _give_back(log: Log, done: Merge) -> int:
    """The account that was taken in is there again, unless somebody made it anew meanwhile, which stays; so are its
    mails, but for those that a person gave to another account since. Returns how many."""
    if account_of(selecting(log), done.account_id) is None:
        put_accounts(log, (each for each in done.before if each.account_id == done.account_id))
    return log.db.execute(
        "UPDATE message SET account_id = ? WHERE id IN (SELECT value FROM json_each(?)) AND account_id = ? "
        "AND NOT EXISTS (SELECT 1 FROM correction WHERE correction.message = message.id AND at >= ? "
        "AND json_extract(was, '$.account') IS NOT json_extract(now, '$.account'))",
        (done.account_id, json.dumps(done.messages), done.into_id, to_ms(done.at)),
    ).rowcount


def _take_in(log: Log, done: Merge) -> int:
    """The account that was split off is gone, and all its mails are of the one it came from. Raises: Permanent."""
    current = account_of(selecting(log), done.account_id)
    if current is None:
        raise Permanent(f"{done.account_id} was itself made part of another account since; undo that first")
    if current not in done.after:
        words = f"{done.account_id} was changed since. To keep what is new in it, merge it into {done.into_id} instead"
        raise Permanent(words)
    remove_account(log, done.account_id)
    return log.db.execute(
        "UPDATE message SET account_id = ? WHERE account_id = ?", (done.into_id, done.account_id)
    ).rowcount


# --- within --------------------------------------------------------------------------------------------------------


def _keep(
    log: Log,
    account_id: str,
    into_id: str,
    before: tuple[Account, ...],
    after: tuple[Account, ...],
    rows: tuple[int, ...],
    *,
    who: str,
    now: datetime,
) -> Merge:
    told = {"before": ACCOUNTS.dump_python(before, mode="json"), "after": ACCOUNTS.dump_python(after, mode="json")}
    row = {
        "at": to_ms(now),
        "who": who,
        "account_id": account_id,
        "into_id": into_id,
        "was": json.dumps(told, ensure_ascii=False),
        "messages": json.dumps(rows),
    }
    number = log.insert("account_merge", row)
    return Merge(number, from_ms(to_ms(now)), who, account_id, into_id, before, after, rows, None, "")


def _merge(row: tuple[Any, ...]) -> Merge:
    told = json.loads(row[5])
    before, after = (
        tuple(_without_forgotten(each) for each in ACCOUNTS.validate_python(told[name])) for name in ("before", "after")
    )
    undone = from_ms(row[7]) if row[7] is not None else None
    messages = tuple(json.loads(row[6]))
    return Merge(row[0], from_ms(row[1]), row[2], row[3], row[4], before, after, messages, undone, row[8])


def _without_forgotten(account: Account) -> Account:
    """Without people whom `forget` took out of the log: their contact is gone from the account too."""
    return dataclasses.replace(
        account,
        addresses=tuple(each for each in account.addresses if MARK not in each),
        contacts=tuple(each for each in account.contacts if MARK not in each.addr_spec),
    )


def _is_of(sender: str, known: Any, account_id: str) -> bool:
    found = match(known, sender=Address(sender), thread_accounts=(), own_domains=frozenset())
    return found.account_id == account_id


def _numbers(log: Log, where: str, values: tuple[str, ...]) -> tuple[int, ...]:
    rows = log.db.execute(f"SELECT id FROM message WHERE {where} ORDER BY id", values).fetchall()  # noqa: S608
    return tuple(row[0] for row in rows)


def _there(log: Log, account_id: str) -> Account:
    found = account_of(selecting(log), account_id)
    if found is None:
        raise Gone(f"there is no account {account_id}")
    return found
