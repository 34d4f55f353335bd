"""What a mailer tells of its point of no return in, kept; a refusal out where one is wanted."""

from __future__ import annotations

from triaged.errors import TriagedError


class Crossing:
    """Keeps what it was told; `begins` raises `refusal`."""

    def __init__(self, refusal: TriagedError | None = None) -> None:
        self.told: list[str] = []
        self._refusal = refusal

    def begins(self) -> None:
        if self._refusal is not None:
            raise self._refusal
        self.told.append("begins")

    def ends(self, words: str) -> None:
        self.told.append(words)


nothing = Crossing()
"""Where it does not matter."""
