"""Changes of the log in, a line to each open page out, so that new mail appears by itself."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
