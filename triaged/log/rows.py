"""The frozen rows that questions to the log are answered with: a mail's line, its effects and story, what is held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of the triage log. categories: empty is other; copies: how often it was seen; effects: kind → state.

    risk: of losing the client; None when it was decided before that was known. assigned: the id of who is to see to it,
    `""` for nobody; done: when a person said that nothing more is owed; answered: when a person wrote to the client.
    """

    id: int
    reference: str
    state: str
    mailbox: str
    received: datetime
    sender: str
    subject: str
    automatic: str
    categories: tuple[str, ...]
    sure: bool
    account_id: str | None
    priority: str
    due: datetime | None
    copies: int
    effects: tuple[tuple[str, str], ...]
    risk: float | None = None
    assigned: str = ""
    done: datetime | None = None
    answered: datetime | None = None


@dataclass(frozen=True, slots=True)
class EffectRow:
    """An effect as a person reads it."""

    id: int
    kind: str
    state: str
    attempts: int
    not_before: datetime
    detail: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of a mail's story."""

    at: datetime
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class HealthRow:
    """How a part of the worker is, and since when."""

    part: str
    state: str
    detail: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """What the log holds, in numbers."""

    messages: int
    today: int
    copies: int
    quarantined: int
    unsure: int
    effects: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """The breaker as it is: open since when and why; both None or "" while it is closed."""

    opened: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class HeldRow:
    """An effect that would have left, had no limit stood against it. message: the mail's row."""

    message: int
    kind: str
    sender: str
    subject: str
    why: str


@dataclass(frozen=True, slots=True)
class BouncedRow:
    """An address that our mail to came back from; message: the mail that was answered."""

    message: int
    sender: str
    since: datetime
    why: str
