"""The log in, the mails that wait for a person out: why each does, which come first, and what its client is about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from triaged.log.encode import from_ms, to_ms
from triaged.log.read import Reader

Kind = Literal["approve", "uncertain", "bounced", "question", "unreadable", "category", "account"]
"""Why a mail waits: something is to be approved · something may have happened, or could not · our mail came back · a
question · it could not be read · its category is not sure · nor whose it is."""
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST = 1_000
"""Of each source, the newest: nobody gets through more, and the page is there at once."""
GRAVE_RISK = 0.5
"""From this risk of losing the client on a mail comes first: what a certain complaint makes alone (`risk.SHARES`)."""
PAST = timedelta(days=120)
"""Within which calls of a client are looked for."""

_DOUBTFUL = (
    "state = 'triaged' AND automatic <> 'machine' AND done_at IS NULL "
    "AND (sure = 0 OR account_how IS NULL OR account_how = 'thread')"
)
"""As the index `message_doubtful` has it; an account that is corrected, to none too, has a `how`."""

_ENTRIES = f"""
WITH effects AS (
    SELECT message, CASE WHEN state = 'held' THEN 'approve' WHEN kind <> 'ask' THEN 'uncertain'
        WHEN key LIKE 'ask:bounced:%' THEN 'bounced' ELSE 'question' END AS kind
    FROM effect WHERE id IN
        (SELECT id FROM effect INDEXED BY effect_waiting WHERE state IN ('held', 'person') ORDER BY id DESC LIMIT :most)
), doubtful AS MATERIALIZED (
    SELECT id, sure, account_how FROM message INDEXED BY message_doubtful
    WHERE {_DOUBTFUL} ORDER BY received_at DESC LIMIT :most
), waiting AS (
    SELECT message, kind FROM effects
    UNION ALL SELECT id, 'category' FROM doubtful WHERE sure = 0
    UNION ALL SELECT id, 'account' FROM doubtful WHERE account_how IS NULL OR account_how = 'thread'
    UNION ALL SELECT id, 'unreadable' FROM (SELECT id FROM message INDEXED BY message_quarantined
        WHERE state = 'quarantined' AND done_at IS NULL ORDER BY id DESC LIMIT :most)
), mails AS MATERIALIZED (
    SELECT message, json_group_array(kind) AS kinds FROM waiting GROUP BY message
)
SELECT message.id, reference, received_at, sender_name, sender, subject, categories, account_id, priority, risk, kinds
FROM mails CROSS JOIN message ON message.id = mails.message
WHERE message_id = '' OR NOT EXISTS (SELECT 1 FROM canary WHERE canary.message_id = message.message_id)
"""  # noqa: S608 - words of ours


@dataclass(frozen=True, slots=True)
class Entry:
    """A mail that waits for a person. kinds: why, in the order of `KINDS`, at least one. sender: as people call them.

    grave: a complaint, urgent, or a client who may be lost; those come first.
    """

    id: int
    reference: str
    received: datetime
    sender: str
    subject: str
    categories: tuple[str, ...]
    account_id: str | None
    kinds: tuple[Kind, ...]
    grave: bool


def entries(reader: Reader) -> list[Entry]:
    """The mails that wait, each once: complaints, what is urgent and clients at risk first, then the oldest."""
    found = [_entry(row) for row in reader.select(_ENTRIES, {"most": MOST})]
    return sorted(found, key=place)


def place(entry: Entry) -> tuple[bool, datetime, int]:
    """Where a mail stands in the queue."""
    return not entry.grave, entry.received, entry.id


def entry_of(reader: Reader, message: int) -> Entry | None:
    """A mail as an entry that waits for nothing, to find its place; None when there is none of this number."""
    rows = reader.select(
        "SELECT id, reference, received_at, sender_name, sender, subject, categories, account_id, priority, risk, '[]' "
        "FROM message WHERE id = ?",
        (message,),
    )
    return _entry(rows[0]) if rows else None


def _entry(row: tuple[Any, ...]) -> Entry:
    categories, kinds = tuple(json.loads(row[6])), set(json.loads(row[10]))
    if "unreadable" in kinds:
        kinds.discard("question")  # which says the same
    return Entry(
        id=row[0],
        reference=row[1],
        received=from_ms(row[2]),
        sender=row[3] or row[4],
        subject=row[5],
        categories=categories,
        account_id=row[7],
        kinds=tuple(kind for kind in KINDS if kind in kinds),
        grave=is_grave(categories, row[8], row[9]),
    )


def is_grave(categories: Sequence[str], priority: str, risk: float | None) -> bool:
    """Whether a mail comes before others."""
    return "complaint" in categories or priority == "urgent" or (risk is not None and risk >= GRAVE_RISK)


def is_cut(found: Sequence[Entry]) -> bool:
    """Whether more may wait than are shown."""
    return any(sum(kind in entry.kinds for entry in found) >= MOST for kind in KINDS)


# --- around one mail --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier mail of the same client. open: an answer was due and nobody said that it is done."""

    id: int
    received: datetime
    subject: str
    categories: tuple[str, ...]
    open: bool


@dataclass(frozen=True, slots=True)
class Client:
    """What the log knows of a client. mails: the latest, newest first; open: how many of theirs wait for an answer;
    calls: when those are that stand, with the person's id."""

    account_id: str
    name: str
    manager: str
    tier: str
    mails: tuple[Earlier, ...]
    open: int
    calls: tuple[tuple[datetime, str], ...]


def client(reader: Reader, account_id: str, *, besides: int, now: datetime, limit: int = 5) -> Client:
    """How it stands with a client; besides: the mail that is looked at."""
    known = reader.select("SELECT name, manager, tier FROM account WHERE account_id = ?", (account_id,))
    name, manager, tier = known[0] if known else (account_id, "", "")
    mails = reader.select(
        "SELECT id, received_at, subject, categories, due_at IS NOT NULL AND done_at IS NULL AND answered_at IS NULL "
        "FROM message WHERE account_id = ? AND id <> ? ORDER BY received_at DESC LIMIT ?",
        (account_id, besides, limit),
    )
    calls = reader.select(
        "SELECT starts_at, person FROM message JOIN call ON call.message = message.id WHERE account_id = ? "
        "AND received_at >= ? AND starts_at >= ? AND call.state <> 'cancelled' ORDER BY starts_at",
        (account_id, to_ms(now - PAST), to_ms(now)),
    )
    return Client(
        account_id=account_id,
        name=name,
        manager=manager,
        tier=tier,
        mails=tuple(Earlier(row[0], from_ms(row[1]), row[2], tuple(json.loads(row[3])), bool(row[4])) for row in mails),
        open=reader.open_items(account_id, before=now),
        calls=tuple((from_ms(at), person) for at, person in calls),
    )


def account_names(reader: Reader) -> dict[str, str]:
    """The clients' names by id, in the order of their names."""
    return dict(reader.select("SELECT account_id, name FROM account ORDER BY name COLLATE NOCASE, account_id"))


def known_categories(reader: Reader, message: int) -> tuple[str, ...]:
    """Every category that a mail can be said to be of: the three first, then a site's own by name.

    They are those with a score in its own decision or the newest of all, by the rules of today, and those it has.
    """
    rows = reader.select(
        "SELECT score.value ->> '$.category' FROM decision, json_each(decision, '$.verdict.scores') AS score "
        "WHERE decision.id IN ((SELECT max(id) FROM decision), (SELECT max(id) FROM decision WHERE message = :mail)) "
        "UNION SELECT value FROM message, json_each(categories) WHERE message.id = :mail",
        {"mail": message},
    )
    found = {row[0] for row in rows}
    first = [each for each in ("request", "complaint", "renewal") if each in found]
    return (*first, *sorted(found.difference(first)))


def last_correction(reader: Reader, message: int) -> int:
    """The number of the latest, 0 for none (see `people.Believed`)."""
    return int(reader.select("SELECT coalesce(max(id), 0) FROM correction WHERE message = ?", (message,))[0][0])


def has_bad_address(reader: Reader, message: int) -> bool:
    """Whether whoever wrote this mail gets no acknowledgement any more, for one came back."""
    return len(reader.select("SELECT 1 FROM bad_address WHERE message = ?", (message,))) > 0
