"""Rule files in, the page they are edited in out: checked, tried on past mail, saved, restored."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
