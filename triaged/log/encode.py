"""The types that travel to JSON text and back, for the columns that keep them whole."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, TypeAdapter

from triaged.classify.verdict import Calibration
from triaged.decision import Decision, Effect
from triaged.model import Message
from triaged.playbook import Background

MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)
DECISION: TypeAdapter[Decision] = TypeAdapter(Decision)
BACKGROUND: TypeAdapter[Background] = TypeAdapter(Background)
CALIBRATION: TypeAdapter[Calibration] = TypeAdapter(Calibration)
EFFECT: TypeAdapter[Effect] = TypeAdapter(Annotated[Effect, Field(discriminator="kind")])


def text_version(judged: str) -> str:
    """16 hex digits that tell one judged text (`Message.judged`) from another."""
    return hashlib.sha256(judged.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 UTC."""
    return round(moment.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """The moment, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
