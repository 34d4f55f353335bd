"""Searches that people want again in, kept under names for each of them out."""

from __future__ import annotations

from triaged.log.read import Reader
from triaged.log.store import Log

MOST = 30
"""Of one user."""


def saved_views(reader: Reader, user: str) -> list[tuple[str, str]]:
    """Names with the queries of their addresses, by name."""
    rows = reader.select("SELECT name, query FROM saved_view WHERE user = ? ORDER BY name COLLATE NOCASE", (user,))
    return [(row[0], row[1]) for row in rows]


def save_view(log: Log, user: str, name: str, query: str) -> None:
    """Keep a search; one of the same name is replaced. Raises: ValueError (too many)."""
    count = log.db.execute("SELECT count(*) FROM saved_view WHERE user = ? AND name <> ?", (user, name)).fetchone()[0]
    if count >= MOST:
        raise ValueError(f"{MOST} views are kept for each of us; delete one first")
    log.db.execute("INSERT OR REPLACE INTO saved_view (user, name, query) VALUES (?, ?, ?)", (user, name, query))


def drop_view(log: Log, user: str, name: str) -> bool:
    """Forget one; False when there was none."""
    return bool(log.db.execute("DELETE FROM saved_view WHERE user = ? AND name = ?", (user, name)).rowcount > 0)
