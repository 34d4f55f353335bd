"""A database that takes no writes now (disk full, read-only, locked for too long) in; that as an error of ours out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # pysqlite3 where it is installed

from triaged.errors import Permanent

SAYS = ("full", "readonly", "locked", "I/O", "unable to open")
"""Words of SQLite for what is no fault of the statement (sqlite.org/rescode.html)."""


@contextmanager
def told() -> Iterator[None]:
    """Around a transaction. Raises: Permanent, a sentence; any other fault passes as it is."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if not any(words in str(error) for words in SAYS):
            raise
        raise Permanent(
            f"The log cannot be written now ({error}). Make room on its disk, or ask an operator"
        ) from error
