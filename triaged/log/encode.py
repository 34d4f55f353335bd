"""The types that travel to JSON text and back, for the columns that keep them whole."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any

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


def decided_columns(decision: Decision, automatic: str) -> dict[str, Any]:
    """What of a mail's row comes of the decision about it, by column. automatic: `Automatic.by` of the mail."""
    verdict = decision.verdict
    return {
        "categories": json.dumps(verdict.chosen),
        "sure": int(verdict.sure),
        "account_id": decision.account.account_id,
        "account_how": decision.account.how,
        "priority": decision.priority,
        "due_at": to_ms(decision.due) if decision.due is not None else None,
        "complaint": verdict.score("complaint") if automatic == "person" else None,
        "chasing": int("chasing" in decision.risk.signals),
        "risk": decision.risk.score,
        "assigned": decision.assigned,
    }
