"""Signs of life in, the names of the parts that are stuck out."""

from __future__ import annotations

import time


class Beats:
    """When each part of the worker was last seen alive; any thread may beat, the supervisor asks."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def beat(self, part: str) -> None:
        """`part` is alive now."""
        self._seen[part] = time.monotonic()

    def retire(self, part: str) -> None:
        """`part` ended as it should; nobody waits for it any more."""
        self._seen.pop(part, None)

    def silent(self, limit_s: float) -> tuple[str, ...]:
        """Parts that have not beaten for `limit_s` seconds, by name."""
        now = time.monotonic()
        return tuple(sorted(part for part, seen in list(self._seen.items()) if now - seen > limit_s))
