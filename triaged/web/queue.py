"""What waits for a person in, one after the other, to be decided with a key, out."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
