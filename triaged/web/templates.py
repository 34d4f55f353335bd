"""Templates in, the page they are edited and looked at in out."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
