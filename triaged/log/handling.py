"""What people do about a mail in, its rows out: notes, whether it is open, who sees to it, what is to be done next.

Nobody's words go into the audit log or the mail's story: they stand in one place, and are removed there with the mail.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from triaged.errors import Gone
from triaged.log.encode import from_ms, to_ms
from triaged.log.people import set_done
from triaged.log.read import LABELLED, Reader
from triaged.log.store import Log
from triaged.log.users import AuditRow, audit


class Changed(Exception):
    """Somebody changed it while the person looked at what was there before: who, when (None: unknown), and what."""

    def __init__(self, who: str, at: datetime | None, words: str) -> None:
        super().__init__(f"{who}: {words}")
        self.who, self.at, self.words = who, at, words


State = Literal["open", "waiting", "done"]
STATES: tuple[State, ...] = ("open", "waiting", "done")
"""open: something may be owed for it · waiting: for somebody else · done: nothing more is owed."""


@dataclass(frozen=True, slots=True)
class Handling:
    """How a mail stands. assigned: id of who sees to it, `""` for nobody; answered: when one of us answered it.

    next_step: what is to be done next, `""` for nothing; next_at: by when, None where nobody said.
    """

    waiting: datetime | None
    done: datetime | None
    answered: datetime | None
    assigned: str
    next_step: str
    next_at: datetime | None

    @property
    def state(self) -> State:
        """In one word."""
        return "done" if self.done is not None else "waiting" if self.waiting is not None else "open"


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote about a mail."""

    id: int
    at: datetime
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody put right, or confirmed. categories: empty is other; account: None for none.

    labelled: they said something of the categories that is learned from: nobody took it back.
    """

    at: datetime
    who: str
    was_categories: tuple[str, ...]
    was_account: str | None
    categories: tuple[str, ...]
    account: str | None
    labelled: bool

    @property
    def confirmed(self) -> bool:
        """Whether all was right as it was shown."""
        return (sorted(self.was_categories), self.was_account) == (sorted(self.categories), self.account)


# --- asked --------------------------------------------------------------------------------------------------------


_HANDLING = "SELECT waiting_at, done_at, answered_at, assigned, next_step, next_at FROM message WHERE id = ?"


def handling(reader: Reader, message: int) -> Handling:
    """How a mail stands. Raises: Gone (no such mail)."""
    return _handling(reader.select(_HANDLING, (message,)), message)


def notes(reader: Reader, message: int) -> list[Note]:
    """What was written about a mail, in order."""
    rows = reader.select("SELECT id, at, who, text FROM note WHERE message = ? ORDER BY id", (message,))
    return [Note(row[0], from_ms(row[1]), row[2], row[3]) for row in rows]


def corrections(reader: Reader, message: int) -> list[Correction]:
    """What was put right about a mail, in order."""
    rows = reader.select(
        f"SELECT at, who, was, now, {LABELLED} FROM correction WHERE message = ? ORDER BY id",  # noqa: S608 - ours
        (message,),
    )
    return [
        Correction(
            at=from_ms(at),
            who=who,
            was_categories=tuple((shown := json.loads(was))["categories"]),
            was_account=shown["account"],
            categories=tuple((right := json.loads(now))["categories"]),
            account=right["account"],
            labelled=bool(labelled),
        )
        for at, who, was, now, labelled in rows
    ]


def audits_of(reader: Reader, message: int) -> list[AuditRow]:
    """What people changed about a mail, in order."""
    rows = reader.select(
        "SELECT id, at, who, what, message, about, detail FROM audit WHERE message = ? ORDER BY id", (message,)
    )
    return [AuditRow(row[0], from_ms(row[1]), *row[2:]) for row in rows]


def effect_times(reader: Reader, message: int) -> dict[int, datetime]:
    """When each effect of a mail last changed, by its number."""
    rows = reader.select("SELECT id, changed_at FROM effect WHERE message = ?", (message,))
    return {row: from_ms(at) for row, at in rows}


def filed_to(reader: Reader, message: int) -> str | None:
    """The folder that we moved a mail to last; None when it lies where it came in, as far as we know."""
    rows = reader.select(
        "SELECT coalesce(payload ->> '$.folder', payload ->> '$.target'), "
        "payload ->> '$.target' IS (SELECT folder FROM locator WHERE locator.message = effect.message LIMIT 1) "
        "FROM effect WHERE message = ? AND kind IN ('file', 'refile') AND state = 'done' AND detail LIKE 'moved to %' "
        "AND payload <> '{}' ORDER BY changed_at DESC, id DESC LIMIT 1",
        (message,),
    )
    return str(rows[0][0]) if rows and not rows[0][1] else None


def is_cleared(reader: Reader, message: int) -> bool:
    """Whether text, names and addresses of a mail were removed."""
    return len(reader.select("SELECT 1 FROM message WHERE id = ? AND cleared_at IS NOT NULL", (message,))) > 0


# --- said, each inside a transaction, with its line of the audit log ---------------------------------------------


def still_shown(log: Log, message: int, categories: Sequence[str]) -> None:
    """Nobody put the categories right since these were shown. Raises: Changed, Gone."""
    row = log.db.execute("SELECT categories FROM message WHERE id = ?", (message,)).fetchone()
    if row is None:
        raise Gone(f"there is no mail {message}")
    _unchanged(log, message, "message.correct", shown=sorted(categories), found=sorted(json.loads(row[0])))


def add_note(log: Log, message: int, text: str, *, who: str, now: datetime) -> None:
    """Write something about a mail. Raises: Gone (no such mail, or it was cleared: a note would outlive it)."""
    found = log.db.execute("SELECT cleared_at FROM message WHERE id = ?", (message,)).fetchone()
    if found is None or found[0] is not None:
        raise Gone(f"mail {message} was removed, so nothing can be written about it")
    log.insert("note", {"message": message, "at": to_ms(now), "who": who, "text": text})
    _say(log, message, "noted", "wrote a note", who=who, now=now)


def set_state(log: Log, message: int, state: State, *, who: str, now: datetime, was: str | None = None) -> bool:
    """Say how a mail stands; False when it stood so. was: as the person saw it. Raises: Gone, Changed.

    open: an answer is owed for it again, also where one of us had answered.
    """
    stood = _now(log, message)
    found, answered = stood.state, stood.answered is not None
    if found == state and not (state == "open" and answered):
        return False
    _unchanged(log, message, "message.state", shown=found if was is None else was, found=found)
    if "done" in (found, state) or (state == "open" and answered):
        set_done(log, message, done=state == "done", who=who, now=now)
    log.db.execute(
        "UPDATE message SET waiting_at = ? WHERE id = ?", (to_ms(now) if state == "waiting" else None, message)
    )
    if state == "waiting":
        log.event("waiting", f"by {who}", message=message, now=now)
    elif found == "waiting" and state == "open" and not answered:
        log.event("waiting.over", f"by {who}", message=message, now=now)
    audit(log, "message.state", f"was {found}, is {state}", who=who, now=now, message=message)
    return True


def assign(log: Log, message: int, person: str, *, who: str, now: datetime, was: str | None = None) -> bool:
    """Say who sees to a mail, `""`: nobody; False when they did. was: as the person saw it. Raises: Gone, Changed."""
    found = _now(log, message).assigned
    if found == person:
        return False
    _unchanged(log, message, "message.owner", shown=found if was is None else was, found=found)
    log.db.execute("UPDATE message SET assigned = ? WHERE id = ?", (person, message))
    words = f"{person or 'nobody'} sees to it"
    log.event("assigned", f"{words}; by {who}", message=message, now=now)
    audit(
        log, "message.owner", f"{words}; before: {found or 'nobody'}", who=who, now=now, message=message, about=person
    )
    return True


def set_next(
    log: Log, message: int, step: str, by: datetime | None, *, who: str, now: datetime, was: str | None = None
) -> bool:
    """Say what is to be done next, `""`: nothing, and by when; False when that was so. was: the step as the person saw
    it. Raises: Gone (cleared, too), Changed."""
    found = _now(log, message)
    if (found.next_step, found.next_at) == (step, by):
        return False
    _unchanged(log, message, "message.next", shown=found.next_step if was is None else was, found=found.next_step)
    changed = log.db.execute(
        "UPDATE message SET next_step = ?, next_at = ? WHERE id = ? AND cleared_at IS NULL",
        (step, to_ms(by) if by is not None else None, message),
    ).rowcount
    if changed == 0:
        raise Gone(f"mail {message} was removed, so nothing is to be done about it")
    words = "took the next step out" if step == "" else "set the next step"
    _say(log, message, "next", words, who=who, now=now)
    return True


def _say(log: Log, message: int, name: str, words: str, *, who: str, now: datetime) -> None:
    log.event(name, f"by {who}", message=message, now=now)
    audit(log, f"message.{name}", words, who=who, now=now, message=message)


def _unchanged(log: Log, message: int, what: str, *, shown: object, found: object) -> None:
    """Nobody changed it since it was shown. Raises: Changed."""
    if shown == found:
        return
    row = log.db.execute(
        "SELECT who, at, detail FROM audit WHERE message = ? AND what = ? ORDER BY id DESC LIMIT 1", (message, what)
    ).fetchone()
    raise Changed(*((row[0], from_ms(row[1]), row[2]) if row is not None else ("somebody", None, "changed it")))


def _now(log: Log, message: int) -> Handling:
    """As it stands within this transaction."""
    return _handling(log.db.execute(_HANDLING, (message,)).fetchall(), message)


def _handling(rows: list[tuple[Any, ...]], message: int) -> Handling:
    if len(rows) == 0:
        raise Gone(f"there is no mail {message}")
    waiting, done, answered, assigned, step, by = rows[0]
    moments = [from_ms(value) if value is not None else None for value in (waiting, done, answered, by)]
    return Handling(moments[0], moments[1], moments[2], assigned, step, moments[3])
