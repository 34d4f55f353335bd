"""The log in, what the first page tells of it out: what came and was done, what is late, and how it all is.

Each is one or two statements over an index, so that a log of a million mails is told in the same moment.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from triaged.decision import Decision
from triaged.log.alerts import Alert, open_alerts
from triaged.log.encode import DECISION, from_ms, to_ms
from triaged.log.itemschema import TO_DO
from triaged.log.read import Reader
from triaged.log.rows import BreakerRow, HealthRow
from triaged.log.waiting import GRAVE_RISK
from triaged.model import FROM_VERDICT
from triaged.risk import evidence_words

LONGEST = timedelta(days=7)
"""What came is told no further back: after a holiday the log is read by other means."""
MOST = 5_000
"""Mails of that time that are counted, the newest."""
SIGN_LETTERS = 90


@dataclass(frozen=True, slots=True)
class Came:
    """What came since a moment. categories: how many of each, most first, a mail of two counts in both; machines: no
    person wrote them, and they are in no category. accounts: id (None: of no account), name, mails, complaints; most
    first. is_cut: more came than are counted."""

    mails: int
    machines: int
    unreadable: int
    categories: tuple[tuple[str, int], ...]
    accounts: tuple[tuple[str | None, str, int, int], ...]
    is_cut: bool


def came(reader: Reader, *, since: datetime) -> Came:
    """Count it."""
    rows = reader.select(
        "SELECT automatic, state, categories, account_id, count(*) FROM (SELECT * FROM message "
        "WHERE received_at >= ? AND state <> 'canary' ORDER BY received_at DESC LIMIT ?) GROUP BY 1, 2, 3, 4",
        (to_ms(since), MOST),
    )
    categories, accounts, complaints = Counter[str](), Counter[str | None](), Counter[str | None]()
    machines = unreadable = 0
    for automatic, state, said, account_id, number in rows:
        named = json.loads(said)
        if state == "quarantined":
            unreadable += number
        elif automatic == "machine":
            machines += number
        else:
            categories.update(dict.fromkeys(named or ["other"], number))
            accounts[account_id] += number
            complaints[account_id] += number if "complaint" in named else 0
    names = dict(reader.select("SELECT account_id, name FROM account"))
    total = sum(row[4] for row in rows)
    return Came(
        mails=total,
        machines=machines,
        unreadable=unreadable,
        categories=tuple(categories.most_common()),
        accounts=tuple(
            (each, names.get(each, each or ""), number, complaints[each]) for each, number in accounts.most_common()
        ),
        is_cut=total >= MOST,
    )


def done(reader: Reader, *, since: datetime, until: datetime) -> Counter[str]:
    """What left by machine in that time, by kind of effect: `ack`, `call`, `offer`, `notify`."""
    rows = reader.select(
        "SELECT answered.kind, count(*) FROM answered JOIN effect ON effect.id = answered.effect "
        "WHERE answered.kind IN ('ack', 'call', 'offer', 'notify') AND leaves_at BETWEEN ? AND ? "
        "AND effect.state = 'done' GROUP BY 1",
        (to_ms(since), to_ms(until)),
    )
    return Counter(dict(rows))


def owed(reader: Reader, *, now: datetime, tomorrow: datetime) -> tuple[int, int]:
    """How many answers are late, and how many are due until then."""
    (row,) = reader.select(
        f"SELECT coalesce(sum(due_at < :now), 0), coalesce(sum(due_at >= :now), 0) FROM message "  # noqa: S608
        f"INDEXED BY message_owed WHERE {TO_DO} AND due_at < :tomorrow",
        {"now": to_ms(now), "tomorrow": to_ms(tomorrow)},
    )
    return row[0], row[1]


def ages(reader: Reader, *, now: datetime, edges: Sequence[timedelta]) -> list[tuple[int, int]]:
    """How many answers that are owed are in time, and late, by the age of the mail. edges: where one bar ends and the
    next begins, ascending; one bar more than edges comes back."""
    bars = " ".join(f"WHEN received_at > {to_ms(now - edge)} THEN {place}" for place, edge in enumerate(edges))
    rows = reader.select(
        f"SELECT CASE {bars} ELSE {len(edges)} END, sum(due_at >= :now), sum(due_at < :now) FROM message "  # noqa: S608
        f"INDEXED BY message_owed WHERE {TO_DO} GROUP BY 1",
        {"now": to_ms(now)},
    )
    found = {row[0]: (row[1], row[2]) for row in rows}
    return [found.get(place, (0, 0)) for place in range(len(edges) + 1)]


def volume(reader: Reader, *, days: Sequence[datetime], mailboxes: Sequence[str]) -> list[Counter[str]]:
    """How many mails came each day, by their first category; it is `other`, or `automatic` for a machine's.

    days: when each begins, and last when the last one ends.
    """
    found = []
    for start, end in pairwise(days):
        counts = Counter[str]()
        for mailbox in mailboxes:
            rows = reader.select(
                "SELECT categories, automatic, count(*) FROM message INDEXED BY message_figures WHERE mailbox = ? "
                "AND received_at >= ? AND received_at < ? AND state = 'triaged' GROUP BY 1, 2",
                (mailbox, to_ms(start), to_ms(end)),
            )
            for said, automatic, number in rows:
                first = (json.loads(said) or ["other"])[0]
                counts["automatic" if automatic == "machine" else first] += number
        found.append(counts)
    return found


@dataclass(frozen=True, slots=True)
class Grave:
    """A complaint, or a mail of a client who may be lost, that nobody answered. why: the strongest sign, in words."""

    id: int
    received: datetime
    subject: str
    sender: str
    account_id: str | None
    account: str
    categories: tuple[str, ...]
    risk: float
    due: datetime | None
    why: str


def grave(reader: Reader, *, since: datetime, limit: int) -> list[Grave]:
    """Those that came since then, the greatest risk first. Only the newest `MOST` mails are looked at."""
    rows = reader.select(
        "SELECT message.id, received_at, subject, sender_name, sender, account_id, account.name, categories, "
        "coalesce(risk, 0), due_at, (SELECT decision FROM decision WHERE decision.message = message.id "
        " ORDER BY decision.id DESC LIMIT 1) FROM message LEFT JOIN account USING (account_id) WHERE message.id IN "
        "(SELECT id FROM (SELECT id, categories, risk, done_at, answered_at, automatic, priority FROM message "
        " WHERE received_at >= ? ORDER BY received_at DESC LIMIT ?) WHERE done_at IS NULL AND answered_at IS NULL "
        " AND automatic <> 'machine' AND (instr(categories, '\"complaint\"') > 0 OR risk >= ?) "
        " ORDER BY risk DESC, id LIMIT ?) ORDER BY risk DESC, message.id",
        (to_ms(since), MOST, GRAVE_RISK, limit),
    )
    return [_grave(row) for row in rows]


def _grave(row: tuple[Any, ...]) -> Grave:
    return Grave(
        id=row[0],
        received=from_ms(row[1]),
        subject=row[2],
        sender=row[3] or row[4],
        account_id=row[5],
        account=row[6] or row[5] or "",
        categories=tuple(json.loads(row[7])),
        risk=row[8],
        due=from_ms(row[9]) if row[9] is not None else None,
        why=_sign(DECISION.validate_json(row[10])) if row[10] is not None else "",
    )


def _sign(decision: Decision) -> str:
    """The strongest sign of a client who may be lost, else the words that spoke most for a complaint; `""` for none."""
    signals = [each for each in decision.risk.evidence if each.source != FROM_VERDICT]
    if len(signals) > 0:
        return evidence_words(signals[0])
    spoke = [each for each in decision.verdict.evidence if each.category == "complaint" and each.words != ""]
    words = " ".join(max(spoke, key=lambda each: each.weight).words.split()) if spoke else ""
    return f"“{words if len(words) <= SIGN_LETTERS else words[:SIGN_LETTERS].rstrip() + '…'}”" if words else ""


@dataclass(frozen=True, slots=True)
class CallToday:
    """A call of the day. person: id of who calls; client: their name or address; state: as in `StandingCall`."""

    message: int
    at: datetime
    minutes: int
    person: str
    client: str
    account: str
    subject: str
    state: str


def calls_between(reader: Reader, start: datetime, end: datetime) -> list[CallToday]:
    """The calls that stand and begin then, in order."""
    rows = reader.select(
        "SELECT message.id, starts_at, ends_at, person, appointment ->> '$.attendee.display_name', "
        "appointment ->> '$.attendee.addr_spec', coalesce(account.name, ''), message.subject, call.state "
        "FROM call JOIN message ON message.id = call.message LEFT JOIN account USING (account_id) "
        "WHERE starts_at IS NOT NULL AND starts_at >= ? AND starts_at < ? AND call.state <> 'cancelled' "
        "ORDER BY starts_at",
        (to_ms(start), to_ms(end)),
    )
    return [
        CallToday(row[0], from_ms(row[1]), (row[2] - row[1]) // 60_000, row[3], row[4] or row[5], *row[6:])
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class MailboxState:
    """enabled: since when it works, None while it is only observed; newest: when its last mail came, None before."""

    name: str
    enabled: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Pulse:
    """How worker and mailboxes are. troubled: parts that do not work; alerts: those that are open."""

    running: bool
    disk_full: bool
    troubled: tuple[HealthRow, ...]
    breaker: BreakerRow
    alerts: tuple[Alert, ...]
    mailboxes: tuple[MailboxState, ...]

    @property
    def is_well(self) -> bool:
        """Whether mail is worked on as it should be."""
        told = any(alert.severity != "info" for alert in self.alerts)
        stopped = not self.running or self.disk_full or self.breaker.opened is not None
        return not (stopped or told or len(self.troubled) > 0)


def pulse(reader: Reader, *, running: bool, disk_full: bool, mailboxes: Sequence[str]) -> Pulse:
    """How it stands. mailboxes: the configured ones."""
    enabled = dict(reader.select("SELECT name, enabled_at FROM mailbox"))
    states = []
    for name in mailboxes:
        (newest,) = reader.select(
            "SELECT max(received_at) FROM message INDEXED BY message_figures WHERE mailbox = ?", (name,)
        )[0]
        since = enabled.get(name)
        states.append(
            MailboxState(
                name,
                from_ms(since) if since is not None else None,
                from_ms(newest) if newest is not None else None,
            )
        )
    return Pulse(
        running=running,
        disk_full=disk_full,
        troubled=tuple(row for row in reader.health() if row.state == "trouble"),
        breaker=reader.breaker(),
        alerts=open_alerts(reader),
        mailboxes=tuple(states),
    )
