"""An effect that is planned in, the state it may begin in out: observed mailboxes, cut-off, window, caps, breaker.

All of it is asked inside the transaction that writes the effect, so that two mails decided at the same moment cannot
both be the first. A limit never loses anything: what it stops stays in the log, with the reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlite_utils import Database

from triaged.decision import BookCall, EffectState, Notify, OfferCall, Planned, ReleaseTimes, SendAck, SendInvitation
from triaged.log.calls import UNCHOSEN_AHEAD
from triaged.log.encode import from_ms, to_ms

BREAKER = "the breaker is open: "
WINDOW = "answered already: "
BOUNCED = "mail to this address came back: "
CUT_OFF = "it came before the mailbox was enabled"
DOMAIN = "too many to one domain: "
ECHO = "two machines may be answering each other: "
"""How the reasons begin: `log/figures.py` counts by them."""
HOUR_MS = 3_600_000
ECHOES = 2
"""Acknowledgements of ours that a mail answers, it and the mails before it: clients answer one, hardly ever two in a
row; a machine that drops its own marks answers each."""
_ToClient = SendAck | BookCall | OfferCall
AHEAD = timedelta(days=1)
"""What leaves later than that was counted by a clock that was wrong, and counts no more."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How much may be sent by machine (`[limits]` in config.toml)."""

    window: timedelta = timedelta(hours=24)
    per_hour: int = 60
    domain_per_hour: int = 20
    breaker_per_hour: int = 100
    notices_per_hour: int = 30


@dataclass(frozen=True, slots=True)
class Start:
    """How an effect begins, and why not as it was meant to (`""` when it does)."""

    state: EffectState
    not_before: datetime
    why: str = ""


class Limits:
    """The limits over one connection; every method must be called inside a transaction."""

    def __init__(self, db: Database, caps: Caps) -> None:
        self._db, self._caps = db, caps

    def start(self, planned: Planned, *, message: int, mailbox: str, received: datetime, now: datetime) -> Start:
        """What an effect for a mail (its row) of `mailbox` may begin as."""
        effect = planned.effect
        as_meant = Start(planned.state, planned.not_before)
        if isinstance(effect, SendInvitation | ReleaseTimes):  # the client must hear of the call that stands in the
            return as_meant  # calendar, and what is kept free there must not be so for ever
        cut_off = self._cut_off(mailbox)
        if cut_off is None:
            return Start("observed", planned.not_before, f"the mailbox {mailbox} is only observed")
        match effect:
            case SendAck() | BookCall() | OfferCall():
                if received < cut_off:
                    return Start("dropped", planned.not_before, CUT_OFF)
                start = self._to_client(effect, planned, message, mailbox, now) or as_meant
                if isinstance(effect, OfferCall) and start.state == "held" != planned.state:
                    # The acknowledgement waits, or leaves, without times: those would be gone when a person looks.
                    return Start("dropped", planned.not_before, start.why)
                return start
            case Notify() if self._count("notify", now, client=effect.person) >= self._caps.notices_per_hour:
                cap = self._caps.notices_per_hour
                return Start("held", planned.not_before, f"{effect.person} had {cap} notes within an hour")
            case _:
                return as_meant

    def began(self, row: int, planned: Planned, start: Start, *, mailbox: str) -> None:
        """Count an effect that was written and may leave, now or when a person lets it go."""
        effect = planned.effect
        if start.state not in ("owed", "held"):
            return
        match effect:
            case SendAck() | BookCall() | OfferCall():
                client, domain = effect.client_key, effect.client_domain
            case Notify():
                client, domain = effect.person, ""
            case _:
                return
        is_silent = isinstance(effect, OfferCall) and effect.offer is None
        kind = "waiting" if is_silent else effect.kind
        values = (row, kind, mailbox, client, domain, to_ms(start.not_before))
        self._db.execute("INSERT OR IGNORE INTO answered VALUES (?, ?, ?, ?, ?, ?)", values)

    def breaker(self) -> str:
        """Why the breaker is open, `""` while it is closed."""
        row = self._db.execute("SELECT why FROM breaker WHERE closed_at IS NULL").fetchone()
        return str(row[0]) if row is not None else ""

    def open_breaker(self, why: str, *, now: datetime) -> None:
        """Hold every acknowledgement and call that is owed, and all that follow, until a person closes it."""
        self._db.execute("INSERT INTO breaker (opened_at, why) VALUES (?, ?)", (to_ms(now), why))
        self._db.execute(
            "UPDATE effect SET state = 'held', intended = 'owed', detail = ?, changed_at = ? "
            "WHERE state = 'owed' AND kind IN ('ack', 'call', 'offer')",
            (f"{BREAKER}{why}", to_ms(now)),
        )

    def close_breaker(self, *, who: str, now: datetime) -> bool:
        """Let acknowledgements leave again from now on; what was held stays held. False when it was closed."""
        closed = self._db.execute(
            "UPDATE breaker SET closed_at = ?, closed_by = ? WHERE closed_at IS NULL", (to_ms(now), who)
        )
        return bool(closed.rowcount > 0)

    def clear_bounced(self, message: int) -> bool:
        """Whoever wrote this mail is answered again; False when no answer to them had come back."""
        return bool(self._db.execute("DELETE FROM bad_address WHERE message = ?", (message,)).rowcount > 0)

    # --- within ---

    def _cut_off(self, mailbox: str) -> datetime | None:
        """From when on mail is answered; None while the mailbox is only observed."""
        row = self._db.execute(
            "SELECT cut_off_at FROM mailbox WHERE name = ? AND enabled_at IS NOT NULL", (mailbox,)
        ).fetchone()
        return from_ms(row[0]) if row is not None else None

    def _to_client(
        self, effect: _ToClient, planned: Planned, message: int, mailbox: str, now: datetime
    ) -> Start | None:
        """What stands against writing to this client now; None when nothing does."""
        if bad := self._db.execute("SELECT why FROM bad_address WHERE client = ?", (effect.client_key,)).fetchone():
            return Start("dropped", planned.not_before, f"{BOUNCED}{bad[0]}")
        if earlier := self._has_call(effect, now):
            return Start("dropped", planned.not_before, earlier)
        if isinstance(effect, OfferCall) and effect.offer is None:
            return None  # nobody is written to
        if not self._tells_times(effect, message) and (earlier := self._within_window(effect, mailbox, now)):
            return Start("dropped", planned.not_before, earlier)
        if planned.state != "owed":
            return None
        if why := self.breaker():
            return Start("held", planned.not_before, f"{BREAKER}{why}")
        if (echoes := self._echoes(message)) >= ECHOES:
            words = f"{ECHO}this mail and those before it answer {echoes} acknowledgements of ours"
            return Start("held", planned.not_before, words)
        if self._count(effect.kind, now, domain=effect.client_domain) >= self._caps.domain_per_hour:
            self._watch_breaker(effect.kind, now)
            words = f"{DOMAIN}{effect.client_domain} had {self._caps.domain_per_hour} answers within an hour"
            return Start("held", planned.not_before, words)
        if why := self._watch_breaker(effect.kind, now):
            return Start("held", planned.not_before, f"{BREAKER}{why}")
        return self._put_off(effect.kind, planned, now)

    def _tells_times(self, effect: _ToClient, message: int) -> bool:
        """Whether times are kept free that only this acknowledgement tells: the window was asked when they were."""
        return isinstance(effect, SendAck) and bool(
            self._db.execute(
                "SELECT 1 FROM effect JOIN call ON call.uid = external_id WHERE effect.message = ? AND kind = 'offer' "
                "AND effect.state = 'done' AND call.state = 'offered'",
                (message,),
            ).fetchone()
        )

    def _within_window(self, effect: _ToClient, mailbox: str, now: datetime) -> str:
        if isinstance(effect, BookCall) and len(effect.holds) > 0:
            return ""  # the client chose one of the times that we offered
        kinds = ("ack",) if isinstance(effect, SendAck) else ("call", "offer")
        row = self._db.execute(
            "SELECT message.reference, leaves_at, effect.state FROM answered "
            "LEFT JOIN effect ON effect.id = answered.effect LEFT JOIN message ON message.id = effect.message "
            "WHERE client = ? AND answered.mailbox = ? AND answered.kind IN (SELECT value FROM json_each(?)) "
            "AND leaves_at > ? AND leaves_at < ? ORDER BY leaves_at DESC LIMIT 1",
            (effect.client_key, mailbox, json.dumps(kinds), to_ms(now - self._caps.window), to_ms(now + AHEAD)),
        ).fetchone()
        if row is None:
            return ""
        reference, leaves_at, state = row
        what = "an acknowledgement" if isinstance(effect, SendAck) else "a call"
        hours = f"one in {self._caps.window.total_seconds() / 3600:g} h"
        if state in ("held", "person"):
            return f"{WINDOW}{what} to this person waits for approval already ({reference}); {hours}"
        when = f"{from_ms(leaves_at):%Y-%m-%d %H:%M} UTC"
        return f"{WINDOW}{what} to this person left or leaves on {when} ({reference}); {hours}"

    def _has_call(self, effect: _ToClient, now: datetime) -> str:
        """Why no further call is needed with this person: one is being booked, is offered or is to come."""
        if isinstance(effect, SendAck) or (isinstance(effect, BookCall) and len(effect.holds) > 0):
            return ""
        row = self._db.execute(
            "SELECT message.reference FROM answered JOIN effect ON effect.id = answered.effect "  # noqa: S608 - words of ours
            "JOIN message ON message.id = effect.message LEFT JOIN call ON call.uid = effect.external_id "
            "WHERE client = :client AND answered.kind IN ('call', 'offer', 'waiting') "
            f"AND (effect.state IN ('held', 'owed', 'doing') OR ({UNCHOSEN_AHEAD}) "
            "OR (call.state <> 'cancelled' AND call.ends_at > :now)) LIMIT 1",
            {"client": effect.client_key, "now": to_ms(now)},
        ).fetchone()
        return f"{WINDOW}there is a call with this person already ({row[0]})" if row is not None else ""

    def _echoes(self, message: int) -> int:
        """How many acknowledgements of ours a mail answers, by its own references and those of the mails that they were
        for; counted no further than ECHOES back. Whoever drops the marks of a machine may well keep In-Reply-To.
        """
        sql = (
            "WITH RECURSIVE answered_by (message, depth) AS (SELECT :message, 0 UNION "
            "SELECT effect.message, depth + 1 FROM answered_by JOIN message ON message.id = answered_by.message "
            "JOIN json_each(iif(message.parsed = '', '{}', message.parsed), '$.' || :field) AS named "
            "JOIN effect ON effect.external_id = named.value AND effect.kind = 'ack' "
            "WHERE depth < :depth AND effect.state IN ('owed', 'doing', 'done')) "
            "SELECT message FROM answered_by WHERE depth > 0"
        )
        values = {"message": message, "depth": ECHOES}
        found: set[int] = set()
        for field in ("in_reply_to", "references"):
            found.update(row[0] for row in self._db.execute(sql, {**values, "field": field}))
        return len(found)

    def _count(self, kind: str, now: datetime, *, client: str = "", domain: str = "") -> int:
        """How many of a kind left within the last hour or are to leave, since the breaker was last closed."""
        sql = "SELECT count(*) FROM answered WHERE kind = ? AND leaves_at > ? AND leaves_at < ?"
        values: list[str | int] = [kind, self._since_ms(now), to_ms(now + AHEAD)]
        for column, value in (("client", client), ("domain", domain)):
            if value:
                sql += f" AND {column} = ?"
                values.append(value)
        return int(self._db.execute(sql, values).fetchone()[0])

    def _since_ms(self, now: datetime) -> int:
        closed = self._db.execute("SELECT max(closed_at) FROM breaker").fetchone()[0]
        return max(to_ms(now) - HOUR_MS, closed or 0)

    def _watch_breaker(self, kind: str, now: datetime) -> str:
        """Open the breaker when too many are wanted; why it is open, else `""`."""
        wanted = self._count(kind, now)
        if wanted < self._caps.breaker_per_hour:
            return ""
        what = "acknowledgements" if kind == "ack" else "calls"
        why = f"{wanted} {what} were wanted within an hour; the limit is {self._caps.breaker_per_hour}"
        self.open_breaker(why, now=now)
        return why

    def _put_off(self, kind: str, planned: Planned, now: datetime) -> Start | None:
        """So late that no 60 minutes see more than `per_hour`."""
        row = self._db.execute(
            "SELECT leaves_at FROM answered WHERE kind = ? AND leaves_at < ? ORDER BY leaves_at DESC LIMIT 1 OFFSET ?",
            (kind, to_ms(now + AHEAD), self._caps.per_hour - 1),
        ).fetchone()
        if row is None or (earliest := from_ms(row[0] + HOUR_MS)) <= planned.not_before:
            return None
        return Start("owed", earliest, f"put off: {self._caps.per_hour} an hour leave at most")
