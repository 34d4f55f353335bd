"""One mail in, its page out: what it says, why it was decided so, what happened, and what people say of it."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
