"""Accounts in, what the log knows of each out: figures, mails by month, what waits, what people changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from triaged.log.encode import from_ms, to_ms
from triaged.log.itemschema import OWED
from triaged.log.read import Reader
from triaged.model import Trend

MONTH, OPEN_FOR = timedelta(days=30), timedelta(days=120)
"""Spans that mails are counted in; of what waits, as `Reader.open_items` counts it."""
AWAITED = f"{OWED} AND automatic = 'person'"
"""Of mails: a person wrote and waits for an answer."""


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


def figures(reader: Reader, account_ids: Sequence[str], *, now: datetime) -> dict[str, Figures]:
    """Of these accounts, by id; counted from indexes alone."""
    values = {
        "ids": json.dumps(list(account_ids)),
        "now": to_ms(now),
        "recent": to_ms(now - MONTH),
        "earlier": to_ms(now - OPEN_FOR),
    }
    theirs = "theirs.kind = 'account' AND theirs.value = wanted.value AND theirs.received_at BETWEEN :recent AND :now"
    complaint = "kind = 'category' AND value = 'complaint' AND received_at = theirs.received_at"
    counts = reader.select(
        f"SELECT wanted.value, (SELECT count(*) FROM facet AS theirs WHERE {theirs}), "  # noqa: S608 - own words
        f"(SELECT count(*) FROM facet AS theirs WHERE {theirs} AND EXISTS "
        f"(SELECT 1 FROM facet WHERE {complaint} AND message = theirs.message)), "
        f"(SELECT count(*) FROM message WHERE account_id = wanted.value AND {AWAITED} "
        "AND received_at BETWEEN :earlier AND :now) FROM json_each(:ids) AS wanted",
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
