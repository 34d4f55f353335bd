"""What a rule did and what is to be put back in; the log changed, each change kept so that it can be brought back.

One mail is changed whole or not at all. What is planned anew waits for a person: a day late, nothing leaves by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from triaged.decision import AskPerson, Decision, Effect, FileMessage, MarkMessage, Planned, Refile
from triaged.errors import Gone
from triaged.log.encode import EFFECT, from_ms, to_ms
from triaged.log.read import LABELLED, Reader
from triaged.log.store import Log, decision_row
from triaged.playbook import Background

COLUMNS = tuple(
    "categories sure account_id account_how priority due_at assigned complaint chasing risk".split()
)  # as `encode.decided_columns`
BATCH = 100
"""Mails in one transaction, so that the worker is never held up for long."""
NOT_BEGUN = ("held", "owed", "observed")
NAMES: Mapping[str, str] = {
    "ack": "acknowledgement",
    "notify": "note to a colleague",
    "call": "call",
    "offer": "offer of times for a call",
    "invitation": "invitation",
    "move": "move of a call",
    "cancel": "cancellation of a call",
    "release": "release of offered times",
    "mark": "mark in the mailbox",
    "file": "move to a folder",
    "refile": "move back",
    "ask": "question to a person",
}
"""What people call the kinds of effects."""
MOVED = "moved to "
"""How the outcome of a move begins; what somebody else had moved before says otherwise."""

Columns = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table `effect`. effect: None where its contents were removed; changed: when its state was set."""

    id: int
    key: str
    kind: str
    state: str
    detail: str
    changed: datetime
    effect: Effect | None

    @property
    def is_open(self) -> bool:
        """Not begun; of a question: not answered."""
        return self.state in (*NOT_BEGUN, "person") if self.kind == "ask" else self.state in NOT_BEGUN


@dataclass(frozen=True, slots=True)
class Standing:
    """A mail as it stands now. decision: number of the newest; columns: those of `message` that a decision fills.

    by_person: a person said of which categories it is, or that they are right. effects: in order.
    """

    decision: int
    columns: Columns
    by_person: bool
    effects: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done about one mail. columns: to be set; drop: effects that are not begun; add: effects, planned
    as held whatever they say; told: all of it in words; decision: what holds from now on, with its background."""

    columns: Columns
    drop: tuple[Entry, ...]
    add: tuple[Planned, ...]
    told: str
    decision: Decision
    background: Background


@dataclass(frozen=True, slots=True)
class Undo:
    """A row of the table. mails: that it changed; back: of these, brought back. finished: None when it was ended early;
    undone: None unless it was taken back."""

    id: int
    at: datetime
    who: str
    rule: str
    since: datetime
    words: str
    finished: datetime | None
    undone: datetime | None
    undone_by: str
    mails: int
    back: int


Select = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

_UNDO = """
SELECT id, at, who, rule, since_at, words, finished_at, undone_at, undone_by,
    (SELECT count(*) FROM undo_item WHERE undo_item.undo = undo.id),
    (SELECT count(*) FROM undo_item WHERE undo_item.undo = undo.id AND undo_item.undone_at IS NOT NULL)
FROM undo
"""


# --- reading ---------------------------------------------------------------------------------------------------


def undos(reader: Reader) -> list[Undo]:
    """Every undo, the newest first."""
    return [_undo(row) for row in reader.select(f"{_UNDO} ORDER BY id DESC")]


def undo_of(reader: Reader, number: int) -> Undo | None:
    """The undo of this number."""
    rows = reader.select(f"{_UNDO} WHERE id = ?", (number,))
    return _undo(rows[0]) if rows else None


def items(reader: Reader, undo: int) -> list[tuple[int, str]]:
    """Mails of an undo that were not brought back, with what was told of each."""
    rows = reader.select("SELECT message, told FROM undo_item WHERE undo = ? AND undone_at IS NULL ORDER BY 1", (undo,))
    return [(row[0], row[1]) for row in rows]


def taken_out(reader: Reader, message: int) -> tuple[str, ...]:
    """Rules whose doings were taken back for a mail: the decision that holds was made without them."""
    rows = reader.select(
        "SELECT DISTINCT rule FROM undo_item JOIN undo ON undo.id = undo_item.undo "
        "WHERE message = ? AND undo_item.undone_at IS NULL ORDER BY 1",
        (message,),
    )
    return tuple(row[0] for row in rows)


def fired_in(reader: Reader, rule: str, *, since: datetime) -> list[int]:
    """Mails, oldest first, decided about since then in whose decision that holds the rule of this name fired."""
    rows = reader.select(
        "SELECT message FROM decision JOIN message ON message.id = decision.message "
        "WHERE decided_at >= ? AND state = 'triaged' AND EXISTS ("
        "SELECT 1 FROM json_each(decision, '$.rules') AS rule WHERE rule.value ->> '$.fired' "
        "AND rule.value ->> '$.name' = ?) "
        "AND decision.id = (SELECT max(id) FROM decision AS other WHERE other.message = decision.message) "
        "ORDER BY message",
        (to_ms(since), rule),
    )
    return [row[0] for row in rows]


def rules_that_fired(reader: Reader, *, since: datetime) -> dict[str, str]:
    """Names of the rules that had a part in what was decided since then, each with its last place (`file:line`)."""
    rows = reader.select(
        "SELECT rule.value ->> '$.name', rule.value ->> '$.source', max(decision.id) "
        "FROM decision, json_each(decision, '$.rules') AS rule "
        "WHERE decided_at >= ? AND rule.value ->> '$.fired' GROUP BY 1",
        (to_ms(since),),
    )
    return {row[0]: row[1] for row in rows}


def standing(select: Select, message: int) -> Standing | None:
    """How a mail stands; None when nothing was decided about it."""
    rows = select(
        f"SELECT (SELECT max(id) FROM decision WHERE decision.message = message.id), {', '.join(COLUMNS)}, EXISTS ("  # noqa: S608 - own words
        f"SELECT 1 FROM correction WHERE correction.message = message.id AND {LABELLED}) "
        "FROM message WHERE message.id = ?",
        (message,),
    )
    if len(rows) == 0 or rows[0][0] is None:
        return None
    found = select(
        "SELECT id, key, kind, state, detail, changed_at, payload FROM effect WHERE message = ? ORDER BY id", (message,)
    )
    effects = tuple(
        Entry(number, key, kind, state, detail, from_ms(changed), EFFECT.validate_json(told) if told != "{}" else None)
        for number, key, kind, state, detail, changed, told in found
    )
    return Standing(rows[0][0], dict(zip(COLUMNS, rows[0][1:-1], strict=True)), bool(rows[0][-1]), effects)


def _undo(row: tuple[Any, ...]) -> Undo:
    moments = [from_ms(each) if each is not None else None for each in (row[1], row[4], row[6], row[7])]
    at, since, finished, undone = moments
    assert at is not None
    assert since is not None
    return Undo(row[0], at, row[2], row[3], since, row[5], finished, undone, row[8], row[9], row[10])


# --- taking back ------------------------------------------------------------------------------------------------


def unfinished(select: Select, rule: str) -> int | None:
    """The undo of this rule that was ended before its end, if any: the same command goes on with it."""
    rows = select(
        "SELECT max(id) FROM undo WHERE rule = ? AND finished_at IS NULL AND undone_at IS NULL",
        (rule,),
    )
    return int(rows[0][0]) if rows[0][0] is not None else None


PlanOf = Callable[[Standing], Change | None]
"""What to do about a mail that stands so; None for nothing."""


def take_all_back(
    log: Log,
    plans: Sequence[tuple[int, PlanOf]],
    *,
    rule: str,
    since: datetime,
    who: str,
    words: str,
    now: datetime,
    go_on: Callable[[int], bool] = lambda count: True,
) -> tuple[int, int]:
    """Change these mails (row, plan), `BATCH` in one transaction; returns the undo's number and how many were changed.

    words: as of `Undo`. go_on: told how many more were changed; False ends it, and the next call goes on.
    Done twice: see `take_back`. Raises: Permanent.
    """
    with log.transaction():
        undo = unfinished(_select(log), rule)
        if undo is None:
            row = {"at": to_ms(now), "who": who, "rule": rule, "since_at": to_ms(since), "words": words}
            undo = log.insert("undo", row)
    changed = 0
    for start in range(0, len(plans), BATCH):
        with log.transaction():
            batch = plans[start : start + BATCH]
            done = sum(take_back(log, undo, mail, plan, rule=rule, who=who, now=now) for mail, plan in batch)
        changed += done
        if not go_on(done):
            return undo, changed
    with log.transaction():
        log.db.execute("UPDATE undo SET finished_at = ? WHERE id = ?", (to_ms(now), undo))
    return undo, changed


def take_back(log: Log, undo: int, message: int, plan: PlanOf, *, rule: str, who: str, now: datetime) -> bool:
    """Change one mail as `plan` says of how it stands now; False when it says that nothing is to be done.

    Done twice, by `plan`: the decision that holds is no longer the one that was made with the rule.
    """
    found = standing(_select(log), message)
    change = plan(found) if found is not None else None
    if found is None or change is None:
        return False
    decided = log.insert("decision", {"message": message, **decision_row(change.decision, change.background)})
    was = {name: found.columns[name] for name in change.columns}
    _set(log, message, change.columns)
    dropped = {str(each.id): each.state for each in change.drop}
    for entry in change.drop:
        _drop(log, entry.id, why=f"without the rule “{rule}” it is not wanted; undone by {who}", now=now)
    added = [_add(log, undo, message, planned, rule=rule, now=now) for planned in change.add]
    row = {
        "undo": undo,
        "message": message,
        "decided": decided,
        "was": json.dumps(was),
        "now": json.dumps(dict(change.columns)),
        "effects": json.dumps({"dropped": dropped, "added": [each for each in added if each is not None]}),
        "told": change.told,
        "undone_at": None,
    }
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    # A mail that was brought back one by one may be taken back again by the same undo.
    log.db.execute(f"INSERT OR REPLACE INTO undo_item ({columns}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
    log.event("undone", f"rule “{rule}”, by {who}: {change.told}", message=message, now=now)
    return True


def _add(log: Log, undo: int, message: int, planned: Planned, *, rule: str, now: datetime) -> int | None:
    """Plan an effect as held for a person; of one of the same key that was dropped, the key is set aside."""
    key = planned.effect.key
    log.db.execute("UPDATE effect SET key = key || '~' || id WHERE key = ? AND state = 'dropped'", (key,))
    at_once = isinstance(planned.effect, MarkMessage | Refile | AskPerson)
    log.plan(message, (Planned(planned.effect, planned.state if at_once else "held", now),), now)
    row = log.db.execute("SELECT id, state FROM effect WHERE key = ? AND message = ?", (key, message)).fetchone()
    if row is not None and row[1] == "held":
        log.move(row[0], "held", f"planned by undo {undo}, without the rule “{rule}”: a person decides", now)
    return int(row[0]) if row is not None else None


def _drop(log: Log, effect: int, *, why: str, now: datetime) -> None:
    log.move(effect, "dropped", why, now)
    log.db.execute("DELETE FROM answered WHERE effect = ?", (effect,))


def _set(log: Log, message: int, columns: Columns) -> None:
    if len(columns) > 0:
        names = ", ".join(f"{name} = ?" for name in columns)
        log.db.execute(f"UPDATE message SET {names} WHERE id = ?", (*columns.values(), message))  # noqa: S608 - COLUMNS


# --- and back again ----------------------------------------------------------------------------------------------


def bring_back(log: Log, undo: int, message: int, *, who: str, now: datetime) -> str:
    """Put one mail as it was before the undo, in so far as it is as the undo left it; returns what stays, in words.

    What was owed then is held: a person decides whether it may leave so late. While something that the undo planned is
    being done, nothing is changed. Done twice: nothing more.
    Raises: Gone (the undo has no such mail).
    """
    item = log.db.execute(
        "SELECT decided, was, now, effects, undone_at FROM undo_item WHERE undo = ? AND message = ?", (undo, message)
    ).fetchone()
    if item is None:
        raise Gone(f"undo {undo} did not change mail {message}")
    found = standing(_select(log), message)
    if item[4] is not None or found is None:
        return ""
    decided, was, left, effects = item[0], json.loads(item[1]), json.loads(item[2]), json.loads(item[3])
    rows = {each.id: each for each in found.effects}
    if busy := [rows[number] for number in effects["added"] if rows[number].state == "doing"]:
        return "; ".join(f"the {NAMES[each.kind]} is being done this moment; run this again" for each in busy)
    stays = [name for name in left if found.columns[name] != left[name] or (found.by_person and name in _SAID)]
    _set(log, message, {name: value for name, value in was.items() if name not in stays})
    words = [f"{WORDS[name]} was changed since" for name in stays if name in WORDS]
    words += _effects_back(log, undo, message, effects, rows, now=now)
    if found.decision == decided:
        _decision_back(log, message, decided)
    else:
        words.append("it was decided about again since")
    log.db.execute("UPDATE undo_item SET undone_at = ? WHERE undo = ? AND message = ?", (to_ms(now), undo, message))
    told = "; ".join(dict.fromkeys(words))
    log.event("undone.back", f"undo {undo}, by {who}" + (f"; stays: {told}" if told else ""), message=message, now=now)
    return told


_SAID = ("categories", "sure")
"""What a person says when they correct a category, or confirm it."""
WORDS = {
    "categories": "category",
    "account_id": "account",
    "priority": "priority",
    "due_at": "when an answer is due",
    "assigned": "who is to see to it",
}


def _decision_back(log: Log, message: int, decided: int) -> None:
    """The decision before the undo holds again: as a row of its own, for decisions are never changed."""
    log.db.execute(
        "INSERT INTO decision (message, decided_at, model_id, rules_id, decision, background) "
        "SELECT message, decided_at, model_id, rules_id, decision, background FROM decision "
        "WHERE message = ? AND id < ? ORDER BY id DESC LIMIT 1",
        (message, decided),
    )


def _effects_back(
    log: Log, undo: int, message: int, effects: dict[str, Any], rows: Mapping[int, Entry], *, now: datetime
) -> list[str]:
    """Drop what the undo planned, plan what it dropped; returns what stays."""
    words = []
    for number in effects["added"]:
        entry = rows[number]
        if entry.is_open:
            _drop(log, entry.id, why=f"undo {undo} was taken back", now=now)
            log.db.execute("UPDATE effect SET key = key || '~' || id WHERE id = ?", (entry.id,))
        elif isinstance(entry.effect, Refile) and entry.state == "done" and entry.detail.startswith(MOVED):
            again = entry.effect
            key = f"refile:back:{undo}:{again.key}"
            log.plan(
                message,
                (Planned(Refile(key, again.mailbox, again.message_id, again.target, again.source), "owed", now),),
                now,
            )
        elif entry.state != "dropped":
            words.append(f"the {NAMES[entry.kind]} is {entry.state}")
    for number, state in effects["dropped"].items():
        entry = rows[int(number)]
        if entry.state != "dropped" or entry.effect is None:
            words.append(f"the {NAMES[entry.kind]} is {entry.state}")
            continue
        taken = log.db.execute(
            "SELECT 1 FROM effect WHERE key = ? AND id <> ?", (entry.effect.key, entry.id)
        ).fetchone()
        if taken is not None:  # the one that the undo planned in its place, which a person let go or dropped
            words.append(
                f"the {NAMES[entry.kind]} of before stays dropped: a person decided about the one in its place"
            )
            continue
        _restore(log, undo, message, entry, state, now=now)
    return words


def _restore(log: Log, undo: int, message: int, entry: Entry, state: str, *, now: datetime) -> None:
    """An effect that an undo dropped begins again, as held where it was owed, as far as the limits let it."""
    assert entry.effect is not None
    is_quiet = isinstance(entry.effect, MarkMessage | FileMessage | Refile | AskPerson)
    planned = Planned(entry.effect, state if is_quiet and state != "observed" else "held", now)  # type: ignore[arg-type]
    # As it is meant now: what was meant to leave at once would count as held back by a limit, and be let go with that.
    values = (entry.effect.key, planned.state, entry.id)
    log.db.execute("UPDATE effect SET key = ?, intended = ? WHERE id = ?", values)
    mailbox, received_at = log.db.execute(
        "SELECT mailbox, received_at FROM message WHERE id = ?", (message,)
    ).fetchone()
    start = log.limits.start(planned, message=message, mailbox=mailbox, received=from_ms(received_at), now=now)
    log.move(entry.id, start.state, start.why or f"undo {undo} was taken back", now)
    log.limits.began(entry.id, planned, start, mailbox=mailbox)


def bring_all_back(
    log: Log,
    undo: int,
    mails: Sequence[int],
    *,
    who: str,
    now: datetime,
    go_on: Callable[[int], bool] = lambda count: True,
) -> dict[int, str]:
    """Bring these mails of an undo back, `BATCH` in one transaction; what stays of each, in words.

    go_on: as of `take_all_back`. Raises: Gone.
    """
    stays: dict[int, str] = {}
    for start in range(0, len(mails), BATCH):
        batch = mails[start : start + BATCH]
        with log.transaction():
            stays |= {message: bring_back(log, undo, message, who=who, now=now) for message in batch}
        if not go_on(len(batch)):
            return stays
    with log.transaction():
        log.db.execute(
            "UPDATE undo SET undone_at = ?, undone_by = ? WHERE id = ? AND NOT EXISTS "
            "(SELECT 1 FROM undo_item WHERE undo_item.undo = undo.id AND undo_item.undone_at IS NULL)",
            (to_ms(now), who, undo),
        )
    return stays


def _select(log: Log) -> Select:
    return lambda sql, values: log.db.execute(sql, tuple(values)).fetchall()
