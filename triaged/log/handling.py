"""What people do about a mail in, its rows out: whether it is open, who sees to it, what is to be done next.

Nobody's words go into the audit log or the mail's story: they stand in one place, and are removed there with the mail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from triaged.errors import Gone
from triaged.log.encode import from_ms, to_ms
from triaged.log.people import set_done
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.log.users import audit

State = Literal["open", "waiting", "done"]
STATES: tuple[State, ...] = ("open", "waiting", "done")
"""open: something is owed for it, or nobody said else · waiting: for somebody else · done: nothing more is owed."""


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


_HANDLING = "SELECT waiting_at, done_at, answered_at, assigned, next_step, next_at FROM message WHERE id = ?"


def handling(reader: Reader, message: int) -> Handling:
    """How a mail stands. Raises: Gone (no such mail)."""
    return _handling(reader.select(_HANDLING, (message,)), message)


# --- said, each inside a transaction: what is said of one mail, and the audit line with it ----------------------------


def set_state(log: Log, message: int, state: State, *, who: str, now: datetime) -> bool:
    """Say how a mail stands; False when it stood so. Raises: Gone."""
    was = _now(log, message).state
    if was == state:
        return False
    if "done" in (was, state):
        set_done(log, message, done=state == "done", who=who, now=now)
    log.db.execute(
        "UPDATE message SET waiting_at = ? WHERE id = ?", (to_ms(now) if state == "waiting" else None, message)
    )
    if state == "waiting" or (was, state) == ("waiting", "open"):
        log.event("waiting" if state == "waiting" else "waiting.over", f"by {who}", message=message, now=now)
    audit(log, "message.state", f"was {was}, is {state}", who=who, now=now, message=message)
    return True


def assign(log: Log, message: int, person: str, *, who: str, now: datetime) -> bool:
    """Say who sees to a mail, `""`: nobody; False when they did. Raises: Gone."""
    was = _now(log, message).assigned
    if was == person:
        return False
    log.db.execute("UPDATE message SET assigned = ? WHERE id = ?", (person, message))
    words = f"{person or 'nobody'} sees to it"
    log.event("assigned", f"{words}; by {who}", message=message, now=now)
    audit(log, "message.owner", f"{words}; before: {was or 'nobody'}", who=who, now=now, message=message, about=person)
    return True


def set_next(log: Log, message: int, step: str, by: datetime | None, *, who: str, now: datetime) -> bool:
    """Say what is to be done next, `""`: nothing, and by when; False when that was so. Raises: Gone (cleared, too)."""
    was = _now(log, message)
    if (was.next_step, was.next_at) == (step, by):
        return False
    changed = log.db.execute(
        "UPDATE message SET next_step = ?, next_at = ? WHERE id = ? AND cleared_at IS NULL",
        (step, to_ms(by) if by is not None else None, message),
    ).rowcount
    if changed == 0:
        raise Gone(f"mail {message} was removed, so nothing is to be done about it")
    words = "took the next step out" if step == "" else "set the next step"
    log.event("next", f"by {who}", message=message, now=now)
    audit(log, "message.next", words, who=who, now=now, message=message)
    return True


def _now(log: Log, message: int) -> Handling:
    """As it stands within this transaction."""
    return _handling(log.db.execute(_HANDLING, (message,)).fetchall(), message)


def _handling(rows: list[tuple[Any, ...]], message: int) -> Handling:
    if len(rows) == 0:
        raise Gone(f"there is no mail {message}")
    waiting, done, answered, assigned, step, by = rows[0]
    moments = [from_ms(value) if value is not None else None for value in (waiting, done, answered, by)]
    return Handling(moments[0], moments[1], moments[2], assigned, step, moments[3])
