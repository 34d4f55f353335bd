"""What is owed to clients in, one list by age and due time out."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
