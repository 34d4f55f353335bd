"""The log in, how far it has got out: numbers that grow with what happens, by which a page knows that it is old."""

from __future__ import annotations

from dataclasses import dataclass

from triaged.log.read import Reader


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the log has got. message, event, audit: the highest numbers there are; every change that people look at
    adds to one of the three (an effect's changes are events, a person's are audited)."""

    message: int
    event: int
    audit: int

    def __str__(self) -> str:
        """As `mark_in` reads it."""
        return f"{self.message}.{self.event}.{self.audit}"


def mark(reader: Reader) -> Mark:
    """Where the log is now; three looks at the end of an index."""
    ends = (
        "SELECT (SELECT coalesce(max(id), 0) FROM message), (SELECT coalesce(max(id), 0) FROM event), "
        "(SELECT coalesce(max(id), 0) FROM audit)"
    )
    return Mark(*reader.select(ends)[0])


def mark_in(text: str) -> Mark | None:
    """One that was written down, None for anything else."""
    parts = text.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
        return None
    return Mark(*map(int, parts))


def mails_since(reader: Reader, since: Mark) -> int:
    """How many mails came, our own to see mail arrive not counted."""
    sql = "SELECT count(*) FROM message WHERE id > ? AND state <> 'canary'"
    return int(reader.select(sql, (since.message,))[0][0])
