"""Faults planted into a victim, by name: each loses a mail or does something twice, and only when killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from triaged.decision import Decision
from triaged.log.encode import EFFECT, to_ms
from triaged.log.read import Reader
from triaged.log.store import Claimed, Log, Recorded
from triaged.model import Locator, Message
from triaged.worker.intake import Intake
from triaged.worker.perform import MailLane
from triaged.worker.triage import Triaged


def claim_is_not_committed() -> None:
    """The effect is begun in memory only: after a kill nothing tells that it may have been sent."""

    def claim(self: Log, lane: str, *, now: datetime) -> Claimed | None:
        row = self.db.execute(
            "SELECT id, message, payload, attempts FROM effect WHERE lane = ? AND state = 'owed' "
            "AND not_before_at <= ? ORDER BY not_before_at, id LIMIT 1",
            (lane, to_ms(now)),
        ).fetchone()
        return Claimed(row[0], row[1], EFFECT.validate_json(row[2]), row[3] + 1) if row is not None else None

    _replace(Log, "claim", claim)


def claim_says_done() -> None:
    """The effect is marked as done before it is done."""
    claim = Log.claim

    def claimed(self: Log, lane: str, *, now: datetime) -> Claimed | None:
        found = claim(self, lane, now=now)
        if found is not None:
            self.db.execute("UPDATE effect SET state = 'done' WHERE id = ?", (found.row,))
        return found

    _replace(Log, "claim", claimed)


def locator_goes_first() -> None:
    """Where the mail lies is committed before the mail and its decision are, and that counts as its row."""
    commit = Intake._commit
    record = Log.record

    def located_first(self: Intake, result: Any) -> None:
        place = result.raw.locator
        self._writer.submit(lambda rows: rows._locate(place, None, result.raw.received)).result()
        commit(self, result)

    def recorded(
        self: Log, message: Message, decision: Decision, locator: Locator, *, now: datetime, **more: Any
    ) -> Recorded:
        found = record(self, message, decision, locator, now=now, **more)
        self.db.execute("UPDATE locator SET message = ? WHERE key = ?", (found.row, locator.key))
        return found

    def without_place(self: Reader, mailbox: str, folder: str, keys: Sequence[str]) -> list[str]:
        known = {key for (key,) in self.select("SELECT key FROM locator WHERE folder = ?", (folder,))}
        return [key for key in keys if key not in known]

    _replace(Intake, "_commit", located_first)
    _replace(Log, "record", recorded)
    _replace(Reader, "unlogged", without_place)


def effects_go_after() -> None:
    """The decision is committed without its effects, which follow in a transaction of their own."""
    commit = Intake._commit
    record = Log.record

    def without_effects(self: Intake, result: Any) -> None:
        commit(self, result)
        if isinstance(result, Triaged):
            decision, now = result.decision, result.decision.decided_at

            def plan(rows: Log) -> frozenset[str]:
                row = rows._row_of(result.message.key)
                assert row is not None
                return rows.plan(row, decision.effects, now)

            self._writer.submit(lambda rows: None).result()  # or both go into one transaction
            self._wake_lanes(self._writer.submit(plan).result())

    def recorded(
        self: Log, message: Message, decision: Decision, locator: Locator, *, now: datetime, **more: Any
    ) -> Recorded:
        planned = self.plan
        vars(self)["plan"] = lambda *_: frozenset()
        try:
            return record(self, message, decision, locator, now=now, **more)
        finally:
            vars(self)["plan"] = planned

    _replace(Intake, "_commit", without_effects)
    _replace(Log, "record", recorded)


def sending_is_repeated() -> None:
    """After a kill the mail is sent again without asking whether it left: what queue libraries do."""
    _replace(MailLane, "recover", lambda self, effect, handed: None)


def no_mark_before_the_dot() -> None:
    """That the final dot is about to be sent is not written down: after a kill the mail looks as if it never left."""
    _replace(Log, "hand_over", lambda self, claimed, *, now: None)


FAULTS: dict[Callable[[], None], str] = {
    claim_is_not_committed: "after SmtpMailer.send",
    claim_says_done: "before SmtpMailer.send",
    locator_goes_first: "SQL INSERT INTO ",
    effects_go_after: "SQL INSERT OR IGNORE INTO",
    sending_is_repeated: "after SMTP.send",
    no_mark_before_the_dot: "after SmtpMailer.send",
}
"""Each fault with the moment at which it bites, so that few kills will do to show it."""


def _replace(owner: type, name: str, call: Callable[..., Any]) -> None:
    setattr(owner, name, call)
