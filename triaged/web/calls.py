"""Calls as they stand in, their page out; move one, cancel one."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
