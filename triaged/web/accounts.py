"""Accounts and what people change of them in, their pages out: import, merge, split."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
