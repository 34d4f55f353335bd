"""What waits for a person, and what they saw of it, in; approved, dropped, reworded, put right or taken back out.

A form says which text was seen (`Waiting.seen`). What stands there otherwise by now is not touched: `Changed` says who
was there first. So what leaves is what was seen, and two who approve at once have it sent once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from triaged.decision import Effect, Outgoing, Planned, SendAck
from triaged.errors import TriagedError
from triaged.log import people
from triaged.log.encode import EFFECT, from_ms, to_ms
from triaged.log.limits import Start
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.log.undo import NAMES
from triaged.log.users import audit

UNDO_FOR = timedelta(seconds=30)
"""So long what was approved at the desk stays, so that a slip of the hand can be taken back."""
WAITING = ("held", "person")


class Changed(TriagedError):
    """It is no longer as the person saw it. what: what became of it, a sentence's end; at: since when."""

    def __init__(self, what: str, at: datetime) -> None:
        super().__init__(f"{what} ({at:%Y-%m-%d %H:%M} UTC)")
        self.what, self.at = what, at


@dataclass(frozen=True, slots=True)
class Waiting:
    """An effect that waits for a person. seen: SHA-256 of all of it, in hex; effect: None when its text was removed.

    why: why it waits, `""` where its rule wants approval; held_back: a limit stood against it; handed: it may have
    happened; edited: by whom it was reworded, as the story says it, `""` for nobody.
    """

    id: int
    kind: str
    state: str
    why: str
    seen: str
    effect: Effect | None
    held_back: bool
    handed: bool
    edited: str


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back, in words. bad: it could not be, and why."""

    message: int
    words: str
    bad: bool


def fingerprint(payload: str) -> str:
    """What a form carries of an effect: of its payload as it stands in the log, which is what is sent."""
    return hashlib.sha256(payload.encode()).hexdigest()


def waiting_effects(reader: Reader, message: int) -> list[Waiting]:
    """What waits for a mail, in order."""
    rows = reader.select(
        "SELECT id, kind, state, detail, payload, intended = 'owed', handed_at IS NOT NULL, "
        "coalesce((SELECT event.detail FROM event WHERE event.message = effect.message "
        " AND event.name = effect.kind || '.edited' ORDER BY event.id DESC LIMIT 1), '') "
        "FROM effect WHERE message = ? AND state IN ('held', 'person') ORDER BY id",
        (message,),
    )
    return [
        Waiting(
            id=row[0],
            kind=row[1],
            state=row[2],
            why=row[3],
            seen=fingerprint(row[4]),
            effect=EFFECT.validate_json(row[4]) if row[4] != "{}" else None,
            held_back=bool(row[5]),
            handed=bool(row[6]),
            edited=row[7],
        )
        for row in rows
    ]


# --- what people do: each within a transaction ------------------------------------------------------------------


def approve(log: Log, message: int, seen: Mapping[int, str], *, who: str, now: datetime) -> str:
    """Let these effects of a mail go, exactly as they were seen, after `UNDO_FOR`; all of them or none.

    seen: by effect, its `Waiting.seen`. In words, which. Raises: Changed.
    """
    kinds = _must_stand(log, message, seen, ("held",))
    people.settle(log, message, approve=True, only=seen, leaves=now + UNDO_FOR, who=who, now=now)
    was = {"effects": dict.fromkeys(map(str, seen), "held")}
    audit(log, "effect.approve", f"let go: {kinds}", who=who, now=now, message=message, was=json.dumps(was))
    return kinds


def drop(
    log: Log, message: int, seen: Mapping[int, str], *, words: str, who: str, now: datetime, done: bool = False
) -> str:
    """Let these effects be, all of them or none; words: why, or `""`. done: nothing more is owed for the mail either.

    In words, which. Raises: Changed.
    """
    kinds = _must_stand(log, message, seen, WAITING)
    rows = log.db.execute(
        "SELECT id, state FROM effect WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(seen)),)
    ).fetchall()
    people.settle(log, message, approve=False, only=seen, words=words, who=who, now=now)
    was: dict[str, Any] = {"effects": {str(row): state for row, state in rows}}
    if done and people.set_done(log, message, done=True, who=who, now=now):
        was["done"] = False
    said = f"let be: {kinds}" if kinds != "" else "nothing more is owed"
    audit(log, "effect.drop", said, who=who, now=now, message=message, was=json.dumps(was))
    return kinds


def reword(log: Log, message: int, effect: int, seen: str, mail: Outgoing, *, who: str, now: datetime) -> None:
    """Another text in the place of an acknowledgement's that was seen; it waits on. Raises: Changed."""
    _must_stand(log, message, {effect: seen}, ("held",))
    (payload,) = log.db.execute("SELECT payload FROM effect WHERE id = ?", (effect,)).fetchone()
    ack = EFFECT.validate_json(payload)
    assert isinstance(ack, SendAck)
    changed = EFFECT.dump_json(dataclasses.replace(ack, mail=mail)).decode()
    log.db.execute("UPDATE effect SET payload = ?, changed_at = ? WHERE id = ?", (changed, to_ms(now), effect))
    log.event("ack.edited", f"by {who}", message=message, now=now)
    audit(log, "effect.edit", "reworded the acknowledgement", who=who, now=now, message=message)


def correct(
    log: Log,
    message: int,
    *,
    seen: int,
    categories: tuple[str, ...] | None,
    account_id: str | None,
    right: bool,
    who: str,
    now: datetime,
) -> None:
    """As `people.correct`, unless somebody did meanwhile. seen: `Believed.last` as shown. Raises: Changed, Gone."""
    before = people.believed(log, message)
    if before.last != seen:
        row = log.db.execute("SELECT who, at, now FROM correction WHERE id = ?", (before.last,)).fetchone()
        said = json.loads(row[2])
        told = f"{', '.join(said['categories']) or 'other'}, account {said['account'] or 'none'}"
        raise Changed(f"{row[0]} said of this mail: {told}", from_ms(row[1]))
    people.correct(log, message, categories=categories, account_id=account_id, right=right, who=who, now=now)
    after = people.believed(log, message)
    told = f"{', '.join(after.categories) or 'other'}; account {after.account_id or 'none'}"
    same = (before.categories, before.account_id) == (after.categories, after.account_id)
    was = json.dumps({"believed": dataclasses.asdict(before), "then": dataclasses.asdict(after)})
    audit(
        log,
        "message.confirm" if same else "message.correct",
        f"right as shown: {told}" if same else f"put right: {told}",
        who=who,
        now=now,
        message=message,
        was=was,
    )


# --- and take back ----------------------------------------------------------------------------------------------


def undo(log: Log, *, who: str, since: datetime, now: datetime) -> Undone | None:
    """Take back the last change since then that this person made and did not take back; None when there is none.

    What cannot be taken back any more counts as taken back, so that the one before comes next.
    """
    row = _last_change(log, who=who, since=since)
    if row is None:
        return None
    number, message, at, before = row[0], row[1], row[2], json.loads(row[3])
    if "believed" in before:
        undone = _correction_back(log, message, before, who=who, now=now)
    else:
        undone = _effects_back(log, message, before, at, who=who, now=now)
    audit(log, "queue.undo", undone.words, who=who, now=now, message=message, about=str(number))
    return undone


def last_change(reader: Reader, *, who: str, since: datetime) -> str:
    """What `undo` would take back, as the audit log says it; `""` for nothing."""
    rows = reader.select(_LAST.format(columns="detail"), {"who": who, "since": to_ms(since)})
    return str(rows[0][0]) if rows else ""


_LAST = (
    "SELECT {columns} FROM audit WHERE who = :who AND was <> '' AND at >= :since AND NOT EXISTS "
    "(SELECT 1 FROM audit AS later WHERE later.message = audit.message AND later.what = 'queue.undo' "
    "AND later.about = CAST(audit.id AS TEXT)) ORDER BY id DESC LIMIT 1"
)


def _last_change(log: Log, *, who: str, since: datetime) -> tuple[int, int, int, str] | None:
    values = {"who": who, "since": to_ms(since)}
    found: tuple[int, int, int, str] | None = log.db.execute(
        _LAST.format(columns="id, message, at, was"), values
    ).fetchone()
    return found


def _correction_back(log: Log, message: int, before: dict[str, Any], *, who: str, now: datetime) -> Undone:
    was, then = (_believed(before[name]) for name in ("believed", "then"))
    if dataclasses.replace(people.believed(log, message), last=then.last) != then:
        return Undone(message, "Not taken back: somebody said something else of this mail since then.", True)
    people.take_back_correction(log, message, was, who=who, now=now)
    doubt = "" if was.sure else ", and a person should look"
    told = f"{', '.join(was.categories) or 'other'}, account {was.account_id or 'none'}{doubt}"
    return Undone(message, f"Taken back: it is what it was before ({told}).", False)


def _believed(told: dict[str, Any]) -> people.Believed:
    return people.Believed(**{**told, "categories": tuple(told["categories"])})


def _effects_back(log: Log, message: int, before: dict[str, Any], at_ms: int, *, who: str, now: datetime) -> Undone:
    back, gone = list[str](), list[str]()
    for number, state in before["effects"].items():
        row = log.db.execute(
            "SELECT kind, state, changed_at, payload, not_before_at, intended FROM effect WHERE id = ?", (number,)
        ).fetchone()
        what = f"the {NAMES.get(row[0], row[0])}"
        if row[1] == "owed" or (row[1] == "dropped" and row[2] == at_ms and row[3] != "{}"):
            _wait_again(log, message, int(number), state, row, who=who, now=now)
            back.append(f"{what} waits again")
        else:
            gone.append(f"{what} {_GONE.get(row[1], 'was changed by somebody since then')}")
    if before.get("done") is False and people.set_done(log, message, done=False, who=who, now=now):
        back.append("the mail is open again")
    told = [f"Taken back: {'; '.join(back)}."] if back else []
    told += [f"Not taken back: {'; '.join(gone)}."] if gone else []
    return Undone(message, " ".join(told), len(gone) > 0)


_GONE = {
    "doing": "is being sent at this moment",
    "done": "has left already",
    "person": "was tried and failed: it waits for a person",
}


def _wait_again(
    log: Log, message: int, effect: int, state: str, row: tuple[Any, ...], *, who: str, now: datetime
) -> None:
    """As it waited before, with the reason of that time, and counted among those that wait."""
    kind, payload, not_before, intended = row[0], row[3], from_ms(row[4]), row[5]
    told = log.db.execute(
        "SELECT detail FROM event WHERE message = ? AND name = ? ORDER BY id DESC LIMIT 1", (message, f"{kind}.{state}")
    ).fetchone()
    log.move(effect, state, told[0] if told is not None else "", now)
    planned = Planned(EFFECT.validate_json(payload), intended, not_before)
    (mailbox,) = log.db.execute("SELECT mailbox FROM message WHERE id = ?", (message,)).fetchone()
    log.limits.began(effect, planned, Start("held", not_before), mailbox=mailbox)
    log.event(f"{kind}.taken_back", f"by {who}", message=message, now=now)


# --- within -----------------------------------------------------------------------------------------------------


def _must_stand(log: Log, message: int, seen: Mapping[int, str], states: tuple[str, ...]) -> str:
    """The kinds of these effects in words; all must be of this mail, wait still and be as they were seen."""
    kinds = list[str]()
    for number, wanted in seen.items():
        row = log.db.execute(
            "SELECT kind, state, payload, detail, changed_at FROM effect WHERE id = ? AND message = ?",
            (number, message),
        ).fetchone()
        if row is None:
            raise Changed("it is no longer in the log", from_ms(0))
        kind, state, payload, detail, changed_at = row
        if state not in states or fingerprint(payload) != wanted:
            raise Changed(_meanwhile(log, message, kind, state, detail), from_ms(changed_at))
        kinds.append(NAMES.get(kind, kind))
    return ", ".join(kinds)


def _meanwhile(log: Log, message: int, kind: str, state: str, detail: str) -> str:
    """Who did what to an effect, by the story of its mail."""
    row = log.db.execute(
        "SELECT name, detail FROM event WHERE message = ? AND name LIKE ? || '.%' ORDER BY id DESC LIMIT 1",
        (message, kind),
    ).fetchone()
    done = row[0].partition(".")[2].replace("_", " ") if row is not None else state
    why = row[1] if row is not None else detail
    words = {"done": "has left", "later": "is being sent", "person": "could not be done"}.get(done, f"was {done}")
    return f"the {NAMES.get(kind, kind)} {words}{f' {why}' if why.startswith('by ') else f' ({why})' if why else ''}"
