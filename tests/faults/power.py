"""SQLite's writes in, what a disk may hold after the power fails out: an apsw VFS that knows what was synced.

What was written since a file's last sync is there wholly, partly (in sectors of 512 octets) or not at all, each write
by itself and in any order. Not covered: a drive that lies about having synced, or that damages what it did not write.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR_BYTES = 512
VFS_NAME = "power"
CHECKPOINT_PAGES = 100
"""Ten times as often as by default, so that the power fails within checkpoints too."""


@dataclass(slots=True)
class Contents:
    """What is surely on the disk, and what was written since: (offset, octets), or (size, None) for a truncation."""

    synced: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        self.synced = bytearray(_applied(self.synced, self.since))
        self.since.clear()


class Disk:
    """Files by name. changed: called at each write and before and after each sync, when the power may fail."""

    def __init__(self, changed: Callable[[Disk], None]) -> None:
        self.files: dict[str, Contents] = {}
        self.syncs = 0
        self._changed = changed

    def change(self) -> None:
        """Something was or will be written or synced."""
        self._changed(self)

    def after_power_cut(self, draw: random.Random) -> dict[str, bytes]:
        """What the files hold, by the names of their last parts. One that was never synced may be missing."""
        left = {}
        for name, contents in self.files.items():
            kept = [part for write in contents.since for part in _kept(write, draw)]
            if len(contents.synced) > 0 or len(kept) > 0:
                left[Path(name).name] = _applied(contents.synced, kept)
        return left


def _kept(write: tuple[int, bytes | None], draw: random.Random) -> list[tuple[int, bytes | None]]:
    fate = draw.random()
    offset, octets = write
    if fate < 0.4 or octets is None:
        return [write] if fate < 0.4 else []
    if fate < 0.8:
        return []
    sectors = range(0, len(octets), SECTOR_BYTES)
    return [(offset + start, octets[start : start + SECTOR_BYTES]) for start in sectors if draw.random() < 0.5]


def _applied(before: bytes | bytearray, writes: Sequence[tuple[int, bytes | None]]) -> bytes:
    image = bytearray(before)
    for offset, octets in writes:
        if octets is None:
            del image[offset:]
            continue
        if len(image) < offset:
            image.extend(bytes(offset - len(image)))
        image[offset : offset + len(octets)] = octets
    return bytes(image)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._disk, self._contents = disk, disk.files.setdefault(path, Contents())

    def xWrite(self, octets: bytes, offset: int) -> None:
        super().xWrite(octets, offset)
        self._contents.since.append((offset, bytes(octets)))
        self._disk.change()

    def xTruncate(self, size: int) -> None:
        super().xTruncate(size)
        self._contents.since.append((size, None))
        self._disk.change()

    def xSync(self, flags: int) -> None:
        self._disk.change()
        self._contents.sync()
        self._disk.syncs += 1
        self._disk.change()


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        super().__init__(VFS_NAME, "")
        self._disk = disk

    def xOpen(self, name: Any, flags: list[int]) -> _File:
        return _File(self._disk, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:
        super().xDelete(name, sync)
        self._disk.files.pop(name, None)


class Connection:
    """As much of a DB-API connection as `Log` and sqlite-utils ask for, over apsw and the disk."""

    isolation_level = None

    def __init__(self, path: str, disk: Disk, *, synchronous: str) -> None:
        self._vfs = _Vfs(disk)
        self._synchronous = synchronous
        self._apsw = apsw.Connection(path, vfs=VFS_NAME)
        self.close = self._apsw.close
        self._description: Any = None
        self._apsw.set_exec_trace(self._before)
        self._apsw.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")

    def _before(self, cursor: apsw.Cursor, _sql: str, _parameters: Any) -> bool:
        """apsw tells the names of columns only until a statement is done."""
        self._description = cursor.get_description()
        return True

    @property
    def in_transaction(self) -> bool:
        return self._apsw.in_transaction

    def execute(self, sql: str, parameters: Any = ()) -> _Cursor:
        if sql == "PRAGMA synchronous=FULL":
            sql = f"PRAGMA synchronous={self._synchronous}"
        return self._done(self._apsw.execute(sql, parameters))

    def executemany(self, sql: str, rows: Any) -> _Cursor:
        return self._done(self._apsw.executemany(sql, rows))

    def _done(self, cursor: apsw.Cursor) -> _Cursor:
        return _Cursor(cursor, self._description, self._apsw.last_insert_rowid(), self._apsw.changes())


class _Cursor:
    def __init__(self, cursor: apsw.Cursor, description: Any, lastrowid: int, rowcount: int) -> None:
        self.description, self.lastrowid, self.rowcount = description, lastrowid, rowcount
        self.fetchone, self.fetchall = cursor.fetchone, cursor.fetchall
        self._cursor = cursor

    def __iter__(self) -> Any:
        return iter(self._cursor)
