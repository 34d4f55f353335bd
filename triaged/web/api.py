"""The log in, JSON out: what other programs read, described by OpenAPI."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
