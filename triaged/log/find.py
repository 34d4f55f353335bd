"""A search in, one page of the triage log out, quickly at a million mails: by facets and by the full-text index.

One filter leads: the mails that it fits are gone through in the order of their receipt, and each is looked up in the
others. Which one leads is chosen by counting, up to a bound, what each fits. So much work is done for a page and no
more; where that does not do, the page says how far back it looked, and the next one goes on from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, get_args

from triaged.log.encode import from_ms, to_ms
from triaged.log.read import Reader
from triaged.log.rows import LogRow

State = Literal["open", "waiting", "done", "held", "quarantined", "automatic"]
Sort = Literal["newest", "oldest", "due", "risk", "sender"]
STATES: tuple[State, ...] = get_args(State)
SORTS: tuple[Sort, ...] = get_args(Sort)
OTHER = "other"
"""The category of mails that have none."""

CHOICES = 1_000
"""So many values of a filter are offered in a form."""
STEP_US, GATHER_US = 0.1, 3.0
"""To go to the next mail of a facet; to gather and sort a mail that words find, or that is held."""
FACET_US, WORDS_US, HELD_US = 0.6, 0.5, 3.0
"""To look a mail up in a facet, among those that words find, among those held (measured 2026-11, a million mails)."""
_HELD = (  # said twice, or SQLite does not see that the partial index does
    "SELECT message FROM effect INDEXED BY effect_waiting WHERE state IN ('held', 'person') AND state = 'held'"
)


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; None and `""`: anything.

    category: one of the mail's, or `other`; account: its id, `""` for mails of none; rule: the name of one that fired;
    owner: id of a person; sure: of its categories; since, until: received then or later, and before.
    text: words of subject, sender and text, all of which must stand there; `"a phrase"`, `begin*`.
    state: open (we owe an answer) · waiting (for somebody else) · done · held (something waits for approval) ·
    quarantined (it could not be read) · automatic (a machine wrote it, or it looks so).
    """

    category: str | None = None
    account: str | None = None
    mailbox: str | None = None
    rule: str | None = None
    owner: str | None = None
    state: State | None = None
    sure: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    sort: Sort = "newest"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work a page may take.

    counted: so many mails are counted, and sorted by something else than their receipt; of more, the newest. gathered:
    up to so many mails that words find, or that are held, are gathered and sorted; of more, another filter must lead.
    weighed: so far facets are counted, to choose which leads. budget_us: microseconds that going through the leading
    filter may take for a page, and as much again for its count.
    """

    counted: int = 10_000
    gathered: int = 15_000
    weighed: int = 50_000
    budget_us: float = 25_000


ENOUGH = Effort()


@dataclass(frozen=True, slots=True)
class Found:
    """One page. before, after: numbers of mails from which the pages before and after it go on, None where none is.

    count: of all that fit, the page's among them; exact: or at least so many, and then a list that is not by receipt
    has only the newest of them. looked_to: how far was looked, where the work allowed for a page did not do.
    unindexed: how many of the newest mails cannot be found by their words yet.
    """

    rows: tuple[LogRow, ...]
    before: int | None
    after: int | None
    count: int
    exact: bool
    looked_to: datetime | None
    unindexed: int


_Place = tuple[int, int]
"""Where a mail stands by its receipt: the moment, in ms, and its number."""


@dataclass(frozen=True, slots=True)
class _Term:
    """One filter. ids: SELECT of the numbers of its mails, `""` for a facet (kind, value); probe: whether {id} is one.

    probe_us: what that takes; values: of the marks in ids, and in probe. count: of its mails, as far as counted.
    """

    values: tuple[Any, ...]
    probe: str
    probe_us: float
    ids: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """lead: the filter that is gone through; others: those that each of its mails is looked up in; looks: how many.

    span: of receipt, in ms, its end left out; counted: as of `Effort`.
    """

    lead: _Term
    others: tuple[_Term, ...]
    looks: int
    span: tuple[int, int]
    counted: int

    @property
    def is_whole(self) -> bool:
        """Whether all of the lead can be gone through; where it is alone, nothing is gone through in vain."""
        return len(self.others) == 0 or self.lead.count <= self.looks


def find(
    reader: Reader,
    search: Search,
    *,
    limit: int = 50,
    after: int | None = None,
    before: int | None = None,
    effort: Effort = ENOUGH,
) -> Found:
    """The page of at most `limit` mails after that mail in the order of the search, or before it; else the first.

    Raises: ValueError (there is no such mail to go on from).
    """
    plan = _plan(reader, search, effort)
    unindexed = _unindexed(reader) if search.text != "" else 0
    if plan is None:
        return Found((), None, None, 0, True, None, unindexed)
    count, exact = _count(reader, search, plan)
    back = before is not None
    start = before if back else after
    if search.sort in ("newest", "oldest"):
        found, bound = _by_receipt(reader, plan, limit + 1, start, down=(search.sort == "newest") != back)
    else:
        found, bound = _sorted(reader, plan, limit + 1, start, sort=search.sort, back=back), None
    more, ids = len(found) > limit, found[:limit]
    far = ids[-1] if more else bound[1] if bound is not None else None
    near = ids[0] if start is not None and len(ids) > 0 else None
    if back:
        ids, near, far = ids[::-1], far, near
    looked_to = from_ms(bound[0]) if bound is not None and not more else None
    return Found(tuple(reader.rows_of(ids)), near, far, count, exact, looked_to, unindexed)


def every(reader: Reader, search: Search, *, limit: int, page: int = 500) -> Iterator[LogRow]:
    """The first `limit` mails of a search in its order, read page by page."""
    after, left = None, limit
    while left > 0:
        found = find(reader, search, limit=min(page, left), after=after)
        yield from found.rows
        after, left = found.after, left - len(found.rows)
        if after is None:
            return


def choices(
    reader: Reader, kind: Literal["category", "mailbox", "rule", "owner"], *, limit: int = CHOICES
) -> tuple[str, ...]:
    """Values that mails of the log have, in alphabetical order; 2 µs each."""
    rows = reader.select(
        "WITH RECURSIVE each (value) AS (SELECT min(value) FROM facet WHERE kind = :kind UNION ALL "
        "SELECT (SELECT min(value) FROM facet WHERE kind = :kind AND value > each.value) FROM each "
        "WHERE each.value IS NOT NULL) SELECT value FROM each WHERE value IS NOT NULL LIMIT :limit",
        {"kind": kind, "limit": limit},
    )
    return tuple(row[0] for row in rows)


def account_names(reader: Reader) -> dict[str, str]:
    """Names of all accounts by their ids, in alphabetical order of the names."""
    rows = reader.select("SELECT account_id, name FROM account ORDER BY name COLLATE NOCASE, account_id")
    return {row[0]: row[1] for row in rows}


def words_of(text: str) -> str | None:
    """What a person typed, as FTS5's MATCH: every word quoted, so that none is a command; None when there is no word.

    `"a phrase"` stays together, a last `*` means any ending; a quotation mark without its fellow reaches to the end.
    """
    parts = []
    for phrase, word in re.findall(r'"([^"]*)"?|([^\s"]+)', text.replace("\0", " ")):
        plain = (phrase or word).rstrip("*")
        if any(letter.isalnum() for letter in plain):
            parts.append('"' + plain.replace('"', '""') + '"' + ("*" if (phrase or word).endswith("*") else ""))
    return " ".join(parts) or None


# --- which filter leads --------------------------------------------------------------------------------------


def _terms(search: Search) -> Iterator[_Term]:
    """The filters of a search; at least one of them is a facet, for only those leave our own test mails out."""
    facets = {
        "category": search.category,
        "account": search.account,
        "mailbox": search.mailbox,
        "rule": search.rule,
        "owner": search.owner,
        "sure": {True: "yes", False: "no", None: None}[search.sure],
    }
    if search.state is not None and search.state != "held":
        facets[search.state] = ""
    given = {kind: value for kind, value in facets.items() if value is not None} or {"mail": ""}
    for kind, value in given.items():
        here = "EXISTS (SELECT 1 FROM facet WHERE kind = ? AND value = ? AND received_at = {at} AND message = {id})"
        yield _Term((kind, value), here, FACET_US)
    if search.state == "held":
        here = "EXISTS (SELECT 1 FROM effect WHERE effect.message = {id} AND effect.state = 'held')"
        yield _Term((), here, HELD_US, _HELD)
    if search.text != "":
        # As a list that SQLite makes once, 0.13 µs a mail; to ask for one mail takes 140 µs, for `inv*` 1.7 ms.
        ids = "SELECT rowid FROM message_fts WHERE message_fts MATCH ?"
        yield _Term((words_of(search.text),), f"{{id}} IN ({ids})", WORDS_US, ids)


def _plan(reader: Reader, search: Search, effort: Effort) -> _Plan | None:
    """The way that costs least; None when nothing can fit."""
    since = to_ms(search.since) if search.since is not None else -(2**62)
    until = to_ms(search.until) if search.until is not None else 2**62
    terms = []
    for term in _terms(search):
        if term.values == (None,):
            return None
        if term.ids != "":
            sql, values, most = term.ids, term.values, effort.gathered + 1
        else:
            sql = "SELECT 1 FROM facet WHERE kind = ? AND value = ? AND received_at >= ? AND received_at < ?"
            values, most = (*term.values, since, until), effort.weighed + 1
        count = reader.select(f"SELECT count(*) FROM ({sql} LIMIT ?)", (*values, most))[0][0]  # noqa: S608 - ours
        if count == 0:
            return None
        terms.append(replace(term, count=count))
    plans = []
    for lead in terms:
        others = tuple(term for term in terms if term is not lead)
        each_us = (STEP_US if lead.ids == "" else GATHER_US) + sum(term.probe_us for term in others)
        if lead.ids == "":
            looks = min(int(effort.budget_us / each_us), effort.weighed)
        elif lead.count <= effort.gathered:
            looks = effort.gathered
        else:
            continue
        plan = _Plan(lead, others, looks, (since, until), effort.counted)
        plans.append((not plan.is_whole, lead.count * each_us, plan))
    return min(plans, key=lambda each: each[:2])[2]  # there is one: a facet can always lead


# --- what fits ------------------------------------------------------------------------------------------------


def _fitting(plan: _Plan, *, down: bool, start: _Place | None, end: _Place | None) -> tuple[str, list[Any]]:
    """SELECT of moment and number of what fits, newest first (down) or oldest first, after start to end."""
    if plan.lead.ids == "":
        at, number, source = "lead.received_at", "lead.message", "facet AS lead WHERE lead.kind = ? AND lead.value = ?"
    else:
        at, number = "lead.received_at", "lead.id"
        source = f"message AS lead INDEXED BY message_order WHERE lead.id IN ({plan.lead.ids})"
    # One bound on either side: of two, SQLite would begin at the first and go through all up to the second.
    low, high = (plan.span[0], -1), (plan.span[1], -1)
    if start is not None:
        low, high = (low, min(high, start)) if down else (max(low, start), high)
    if end is not None:
        low, high = (max(low, (end[0], end[1] - 1)), high) if down else (low, min(high, (end[0], end[1] + 1)))
    sql = f"SELECT {at}, {number} FROM {source} AND ({at}, {number}) > (?, ?) AND ({at}, {number}) < (?, ?)"  # noqa: S608
    values = [*plan.lead.values, *low, *high]
    for term in sorted(plan.others, key=lambda each: each.probe_us):
        sql += " AND " + term.probe.format(at=at, id=number)
        values += term.values
    way = "DESC" if down else "ASC"
    return f"{sql} ORDER BY {at} {way}, {number} {way} LIMIT ?", values


def _by_receipt(
    reader: Reader, plan: _Plan, limit: int, after: int | None, *, down: bool
) -> tuple[list[int], _Place | None]:
    """Numbers of what fits from there on, and where the looking ended when it was not the end."""
    start = _place(reader, after) if after is not None else None
    bound = _bound(reader, plan, start, down=down)
    sql, values = _fitting(plan, down=down, start=start, end=bound)
    return [row[1] for row in reader.select(sql, (*values, limit))], bound


def _bound(reader: Reader, plan: _Plan, start: _Place | None, *, down: bool) -> _Place | None:
    """The mail of the leading filter at which looking ends; None when it can go on to the last."""
    if plan.is_whole:
        return None
    sql, values = _fitting(replace(plan, others=()), down=down, start=start, end=None)
    rows = reader.select(f"{sql} OFFSET ?", (*values, 1, plan.looks))
    return (rows[0][0], rows[0][1]) if rows else None


def _count(reader: Reader, search: Search, plan: _Plan) -> tuple[int, bool]:
    """How many fit, and whether that is all; counted from the newest on."""
    if search == Search(text=search.text, sort=search.sort) and any(term.count > plan.counted for term in plan.others):
        return plan.counted, False  # words alone: so many have been counted already
    bound = _bound(reader, plan, None, down=True)
    sql, values = _fitting(plan, down=True, start=None, end=bound)
    count = reader.select(f"SELECT count(*) FROM ({sql})", (*values, plan.counted + 1))[0][0]  # noqa: S608 - words of ours
    return min(count, plan.counted), bound is None and count <= plan.counted


_KEYS = {
    "due": ("coalesce(due_at, 1 << 62)", False),
    "risk": ("coalesce(risk, -1)", True),
    "sender": ("sender COLLATE NOCASE", False),
}
"""By sort: what of a mail, and whether the greatest comes first; a mail without it comes last."""


def _sorted(reader: Reader, plan: _Plan, limit: int, start: int | None, *, sort: str, back: bool) -> list[int]:
    """Numbers of what fits from there on, of the newest that are counted."""
    fitting, values = _fitting(plan, down=True, start=None, end=_bound(reader, plan, None, down=True))
    values.append(plan.counted)
    key, down = _KEYS[sort]
    down = down != back
    place = ""
    if start is not None:
        _place(reader, start)
        sign = "<" if down else ">"
        place = f"WHERE ({key}, id) {sign} (SELECT {key}, id FROM message INDEXED BY message_order WHERE id = ?)"  # noqa: S608
        values.append(start)
    way = "DESC" if down else "ASC"
    rows = reader.select(
        f"WITH newest (at, number) AS MATERIALIZED ({fitting}) SELECT id FROM newest CROSS JOIN message "  # noqa: S608
        f"INDEXED BY message_order ON message.id = newest.number {place} ORDER BY {key} {way}, id {way} LIMIT ?",
        (*values, limit),
    )
    return [row[0] for row in rows]


def _place(reader: Reader, number: int) -> _Place:
    """Where a mail stands by its receipt. Raises: ValueError."""
    rows = reader.select("SELECT received_at, id FROM message INDEXED BY message_order WHERE id = ?", (number,))
    if len(rows) == 0:
        raise ValueError(f"there is no mail {number} to go on from; begin with the first page")
    return rows[0][0], rows[0][1]


def _unindexed(reader: Reader) -> int:
    """How many of the newest mails wait for the full-text index."""
    last, indexed = "SELECT max(id) FROM message", "SELECT value FROM meta WHERE name = 'indexed_to'"
    return int(reader.select(f"SELECT coalesce(({last}), 0) - ({indexed})")[0][0])
