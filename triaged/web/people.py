"""Who may sign in and what people changed in, their pages out."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
