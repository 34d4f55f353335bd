"""What a mailbox may do: enabled since when and for which mail, or only observed; what was observed, and let go."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from triaged.decision import Planned
from triaged.log.effects import without_times
from triaged.log.encode import EFFECT, from_ms, to_ms
from triaged.log.read import Reader
from triaged.log.store import Log


@dataclass(frozen=True, slots=True)
class Mode:
    """How a mailbox is. since: when that began, None before its first mail; cut_off: None while it is observed.

    mails: rows in the log. observed: effects that would have been planned. answered: acknowledgements that left.
    """

    mailbox: str
    enabled: bool
    since: datetime | None
    cut_off: datetime | None
    by: str
    mails: int
    observed: int
    answered: int


@dataclass(frozen=True, slots=True)
class Wish:
    """An effect that was observed: what would have been done. intended: the state it would have begun in."""

    effect: int
    kind: str
    intended: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ObservedMail:
    """A mail that was logged while its mailbox was only observed. wishes: may be empty; reason: why it would (not)
    have been acknowledged; categories: empty is other."""

    id: int
    reference: str
    received: datetime
    sender: str
    subject: str
    message_id: str
    automatic: str
    categories: tuple[str, ...]
    template: str | None
    reason: str
    wishes: tuple[Wish, ...]

    def wish(self, kind: str) -> Wish | None:
        """What would have been done of a kind."""
        return next((each for each in self.wishes if each.kind == kind), None)


# --- writing: within a transaction ----------------------------------------------------------------------------


def enable(log: Log, name: str, *, cut_off: datetime, who: str, now: datetime) -> None:
    """From now on effects of this mailbox's mail are done; mail received before `cut_off` is logged, never answered.

    Done twice: the later cut-off counts.
    """
    log.db.execute(
        "INSERT INTO mailbox (name, enabled_at, cut_off_at, by) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
        "enabled_at = coalesce(enabled_at, excluded.enabled_at), cut_off_at = excluded.cut_off_at, by = excluded.by",
        (name, to_ms(now), to_ms(cut_off), who),
    )
    words = f"{name} for mail received since {cut_off.isoformat(timespec='seconds')}, by {who}"
    log.event("mailbox.enabled", words, message=None, now=now)


def observe(log: Log, name: str, *, who: str, now: datetime) -> int:
    """From now on this mailbox is only observed; what is owed for its mail waits for a person. Returns how many.

    An invitation stays owed, for its call stands in the calendar already, and so do times that are to be let go.
    """
    log.db.execute(
        "INSERT INTO mailbox (name, enabled_at, cut_off_at, by) VALUES (?, NULL, ?, ?) ON CONFLICT (name) DO UPDATE "
        "SET enabled_at = NULL, by = excluded.by",
        (name, to_ms(now), who),
    )
    held = log.db.execute(
        "UPDATE effect SET state = 'held', intended = 'held', detail = ?, changed_at = ? WHERE state = 'owed' "
        "AND kind NOT IN ('invitation', 'release') AND message IN (SELECT id FROM message WHERE mailbox = ?)",
        (f"the mailbox {name} is only observed", to_ms(now), name),
    ).rowcount
    log.event("mailbox.observed", f"{name} by {who}; {held} effects held", message=None, now=now)
    return int(held)


def release(log: Log, effects: Iterable[int], *, who: str, now: datetime) -> Counter[str]:
    """Let observed effects begin as they were meant to, as far as the limits let them; one that is no longer observed
    stays as it is. Their mailbox must be enabled. Returns how many began in which state."""
    began: Counter[str] = Counter()
    for effect in effects:
        row = log.db.execute(
            "SELECT message.id, mailbox, received_at, intended, not_before_at, payload FROM effect "
            "JOIN message ON message.id = effect.message "
            "WHERE effect.id = ? AND effect.state = 'observed' AND cleared_at IS NULL",
            (effect,),
        ).fetchone()
        if row is None:
            continue
        message, mailbox, received_at, intended, not_before_at, payload = row
        planned = Planned(EFFECT.validate_json(payload), intended, max(now, from_ms(not_before_at)))
        start = log.limits.start(planned, message=message, mailbox=mailbox, received=from_ms(received_at), now=now)
        log.db.execute(
            "UPDATE effect SET state = ?, not_before_at = ?, detail = ?, changed_at = ? WHERE id = ?",
            (start.state, to_ms(start.not_before), start.why, to_ms(now), effect),
        )
        log.limits.began(effect, planned, start, mailbox=mailbox)
        if start.state == "owed":  # the acknowledgement follows, with the times in it
            for plain in without_times(planned.effect):
                log.db.execute("DELETE FROM effect WHERE key = ? AND state = 'observed'", (plain.effect.key,))
        words = f"by {who}" if start.why == "" else f"by {who}; {start.state}: {start.why}"
        log.event(f"{planned.effect.kind}.released", words, message=message, now=now)
        began[start.state] += 1
    return began


# --- reading --------------------------------------------------------------------------------------------------


def modes(reader: Reader) -> dict[str, Mode]:
    """Every mailbox that has a row or a mail, by name."""
    rows = reader.select(
        "WITH known AS (SELECT name FROM mailbox UNION SELECT DISTINCT mailbox FROM message) "
        "SELECT known.name, enabled_at, cut_off_at, coalesce(by, ''), "
        "(SELECT count(*) FROM message WHERE mailbox = known.name), "
        "(SELECT count(*) FROM effect JOIN message ON message.id = effect.message "
        " WHERE effect.state = 'observed' AND mailbox = known.name), "
        "(SELECT count(*) FROM effect JOIN message ON message.id = effect.message "
        " WHERE effect.state = 'done' AND kind = 'ack' AND mailbox = known.name), "
        "(SELECT min(logged_at) FROM message WHERE mailbox = known.name) "
        "FROM known LEFT JOIN mailbox ON mailbox.name = known.name ORDER BY 1"
    )
    found = {}
    for name, enabled_at, cut_off_at, by, mails, observed, answered, first_at in rows:
        changes = _changes(reader, name)
        since_at = enabled_at or (changes[-1][0] if changes else first_at)
        found[name] = Mode(
            mailbox=name,
            enabled=enabled_at is not None,
            since=from_ms(since_at) if since_at is not None else None,
            cut_off=from_ms(cut_off_at) if enabled_at is not None else None,
            by=by,
            mails=mails,
            observed=observed,
            answered=answered,
        )
    return found


def observed_mails(reader: Reader, mailbox: str, *, since: datetime) -> list[ObservedMail]:
    """Mails received since that were logged while the mailbox was only observed, and of which nothing was let go since;
    oldest first, no quarantined ones. What an undo dropped was not let go."""
    changes = _changes(reader, mailbox)
    rows = reader.select(
        "SELECT message.id, reference, received_at, logged_at, sender, subject, message_id, automatic, categories, "
        "(SELECT json_extract(decision, '$.acknowledge') FROM decision WHERE decision.message = message.id "
        " ORDER BY decision.id DESC LIMIT 1), "
        "(SELECT json_group_array(json_array(effect.id, kind, intended, json(payload))) FROM effect "
        " WHERE effect.message = message.id AND effect.state = 'observed') "
        "FROM message WHERE mailbox = ? AND message.state = 'triaged' AND cleared_at IS NULL AND received_at >= ? "
        "AND NOT EXISTS (SELECT 1 FROM effect WHERE effect.message = message.id AND effect.state <> 'observed' "
        " AND NOT (effect.state = 'dropped' AND message.id IN (SELECT undo_item.message FROM undo_item))) "
        "ORDER BY received_at, id",
        (mailbox, to_ms(since)),
    )
    found = []
    for row in rows:
        wishes = tuple(Wish(*each) for each in sorted(json.loads(row[10])))
        if len(wishes) == 0 and _was_enabled(changes, row[3]):
            continue
        acknowledge = json.loads(row[9])
        found.append(
            ObservedMail(
                id=row[0],
                reference=row[1],
                received=from_ms(row[2]),
                sender=row[4],
                subject=row[5],
                message_id=row[6],
                automatic=row[7],
                categories=tuple(json.loads(row[8])),
                template=acknowledge["template"],
                reason=acknowledge["reason"],
                wishes=wishes,
            )
        )
    return found


def _changes(reader: Reader, mailbox: str) -> list[tuple[int, bool]]:
    """When the mailbox was enabled (True) or put back (False), in ms, oldest first."""
    rows = reader.select(
        "SELECT at, name = 'mailbox.enabled' FROM event WHERE name IN ('mailbox.enabled', 'mailbox.observed') "
        "AND detail LIKE ? ESCAPE '\\' ORDER BY id",
        (mailbox.replace("_", "\\_") + " %",),
    )
    migrated = reader.select("SELECT 0, 1 FROM mailbox WHERE name = ? AND by = 'migration'", (mailbox,))
    return [(at, bool(enabled)) for at, enabled in (*migrated, *rows)]


def _was_enabled(changes: list[tuple[int, bool]], at_ms: int) -> bool:
    place = bisect_right([at for at, _ in changes], at_ms)
    return place > 0 and changes[place - 1][1]
