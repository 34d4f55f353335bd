"""The state folder in, its rights put right or what is wrong with them out: 0700 and 0600, whatever the umask was."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from triaged.errors import Problem

FOLDER, FILE = 0o700, 0o600
OURS = ("triaged.db*", "secret", "secret.*", "worker.lock", "in-hand-*", "rules-asked.json*")
"""Files of the state folder that are ours; a folder may hold others' too."""
MODELS = "models"
"""The folder in it that holds the site's own models."""
FOLDERS = (MODELS, "sign-in")
"""The folders in it; the latter holds the sign-ins of people (OAuth 2.0)."""


def make_private(folder: Path) -> None:
    """Make the folder, and let nobody but its owner look into it or our files there. Raises: OSError."""
    folder.mkdir(mode=FOLDER, parents=True, exist_ok=True)
    for path, wanted in _ours(folder):
        with suppress(FileNotFoundError):  # SQLite's -wal and -shm come and go
            if stat.S_IMODE(path.stat().st_mode) != wanted:
                path.chmod(wanted)


def open_to_others(folder: Path) -> Iterator[Problem]:
    """The folder, and our files in it, that others may read or write, each with what to type."""
    for path, wanted in _ours(folder):
        with suppress(FileNotFoundError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                yield Problem(str(path), f"others may open it (mode {mode:04o}); type: chmod {wanted:04o} {path}")


def of_another_owner(folder: Path) -> Iterator[Problem]:
    """The folder, and our files in it, that belong to somebody else, so that we can neither write nor protect them.

    Nothing for root, who may do both.
    """
    if os.geteuid() == 0:
        return
    for path, _ in _ours(folder):
        with suppress(FileNotFoundError, KeyError):
            if path.stat().st_uid != os.geteuid():
                words = f"it belongs to {path.owner()}, not to the user triaged runs as; type: chown $USER {path}"
                yield Problem(str(path), words)


def read_by_world(path: Path) -> Iterator[Problem]:
    """A secret that every user of the machine may read."""
    with suppress(OSError):  # one that cannot be read is told elsewhere
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o007:
            yield Problem(
                str(path), f"every user of this machine may read it (mode {mode:04o}); type: chmod 0600 {path}"
            )


def _ours(folder: Path) -> Iterator[tuple[Path, int]]:
    if folder.is_dir():
        yield folder, FOLDER
        for pattern in OURS:
            yield from (
                (path, FILE) for path in sorted(folder.glob(pattern)) if path.is_file() and not path.is_symlink()
            )
        for ours in (folder / name for name in FOLDERS):
            paths = (ours, *ours.rglob("*")) if ours.is_dir() else ()
            yield from ((path, FOLDER if path.is_dir() else FILE) for path in paths if not path.is_symlink())
