"""The log in, one file that holds all that is needed to go on out; and back again, so that nothing is said twice.

The file is a tar with `manifest.json`, `secret` (without it what was sent is not found again) and `triaged.db`.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from sqlite_utils import Database
from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # pysqlite3 where it is installed

from triaged.errors import Permanent
from triaged.log.encode import from_ms, to_ms
from triaged.log.schema import refuse_newer
from triaged.log.store import BUSY_TIMEOUT_S, Log

MANIFEST, SECRET, LOG = "manifest.json", "secret", "triaged.db"
COUNTED = ("message", "effect", "event", "locator", "correction", "account")
BLOCK_BYTES = 1 << 20
CLOCK_MARGIN = timedelta(minutes=5)
"""A mail server's clock may be ahead of ours; mail of these minutes after a restore is not answered either."""
MAY_HAVE_HAPPENED = "open when the backup was made; it may have happened since: look in Sent before you do it"

Progress = Callable[[str, float], None]
"""What is being done, and how much of it is done, 0..1."""


@dataclass(frozen=True, slots=True)
class Holds:
    """What a log holds. rows: by table; newest: the highest number of a mail; received: when the latest mail came."""

    rows: tuple[tuple[str, int], ...]
    newest: int
    received: datetime | None

    @property
    def mails(self) -> int:
        """How many mails."""
        return dict(self.rows)["message"]


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup file and what is in it. made_by: the version of triaged that made it."""

    file: Path
    size_bytes: int
    made: datetime
    made_by: str
    holds: Holds


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. aside: what was there before, under its new names; asked: effects that a person gets now,
    since nobody can tell whether they happened; cut_off: mail received earlier is not answered by machine."""

    backup: Backup
    aside: tuple[Path, ...]
    asked: int
    cut_off: datetime


def back_up(log: Path, secret: Path, file: Path, *, made_by: str, now: datetime, progress: Progress) -> Backup:
    """Write the log as it is now, and its secret, into `file`; the worker may go on meanwhile.

    A file of that name is replaced, at once and only by one that was checked. Raises: Permanent.
    """
    if not log.is_file():
        raise Permanent(f"there is no log {log}")
    with _beside(file, needed=2 * _size(log)) as folder:
        copy = folder / LOG
        before = _holds(log)
        _copy_log(log, copy, progress)
        progress("checking the copy", 0.0)
        holds = check(copy)
        _between(before, holds, _holds(log))
        parts = {SECRET: secret, LOG: copy} if secret.is_file() else {LOG: copy}
        draft = folder / "draft.tar"
        _pack(draft, parts, {"made": now.isoformat(), "made_by": made_by, **_told(holds)}, progress)
        progress("reading it back", 0.0)
        with draft.open("rb") as packed:
            _unpack(packed, None)
        draft.replace(file)
        _sync_folder(file.parent)
    return Backup(file, file.stat().st_size, now, made_by, holds)


def restore(file: Path, log: Path, secret: Path, *, now: datetime, progress: Progress) -> Restored:
    """Put a backup in the place of the log; what is there is moved aside. The caller keeps the worker away.

    What the lost log knew is lost: so all that was open goes to a person, and mail received before now is logged
    and not answered by machine. A kill at any moment leaves the old log or the new one. Raises: Permanent.
    """
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _beside(log, needed=_size(file)) as folder:
        progress("unpacking", 0.0)
        try:
            with file.open("rb") as packed:
                manifest = _unpack(packed, folder)
        except OSError as error:
            raise Permanent(f"{file} cannot be read: {error.strerror}") from None
        fresh = folder / LOG
        progress("checking", 0.5)
        holds = check(fresh)
        if (told := _told(holds)) != {key: manifest.get(key) for key in told}:
            raise Permanent(f"{file} does not hold what its manifest says")
        cut_off = now + CLOCK_MARGIN
        asked = _nothing_twice(fresh, cut_off=cut_off, now=now, made=manifest["made"])
        aside = _swap(folder, log, secret, stamp=now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"))
        progress("done", 1.0)
    made = datetime.fromisoformat(manifest["made"])
    return Restored(Backup(file, file.stat().st_size, made, manifest["made_by"], holds), aside, asked, cut_off)


def check(path: Path) -> Holds:
    """Read a whole log and count it. Raises: Permanent when it is damaged or of a later version."""
    try:
        with _opened(path) as db:
            refuse_newer(Database(db))
            said = [row[0] for row in db.execute("PRAGMA integrity_check(3)").fetchall()]
            if said != ["ok"]:
                raise Permanent(f"the log is damaged: {'; '.join(said)}")
            if (broken := db.execute("PRAGMA foreign_key_check").fetchone()) is not None:
                raise Permanent(f"the log is damaged: a row of table {broken[0]} hangs on one that is not there")
        return _holds(path)
    except sqlite3.DatabaseError as error:
        raise Permanent(f"this is no log of triaged: {error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(str(path), isolation_level=None, timeout=BUSY_TIMEOUT_S)
    try:
        yield connection
    finally:
        connection.close()


def _holds(path: Path) -> Holds:
    with _opened(path) as db:
        rows = tuple((table, int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])) for table in COUNTED)  # noqa: S608
        newest, received = db.execute("SELECT coalesce(max(id), 0), max(received_at) FROM message").fetchone()
    return Holds(rows, newest, from_ms(received) if received is not None else None)


def _told(holds: Holds) -> dict[str, Any]:
    received = holds.received.isoformat() if holds.received is not None else None
    return {"rows": dict(holds.rows), "newest": holds.newest, "received": received}


def _between(before: Holds, copy: Holds, after: Holds) -> None:
    """Mails are never deleted, so a copy made meanwhile lies between what was there before and what is there after."""
    if not before.newest <= copy.newest <= after.newest or not before.mails <= copy.mails <= after.mails:
        raise Permanent(f"the copy has {copy.mails} mails, the log had {before.mails} and has {after.mails}")


# --- making it --------------------------------------------------------------------------------------------------------


def _copy_log(log: Path, copy: Path, progress: Progress) -> None:
    """One consistent copy. Not by the backup API in steps: each write of the worker makes that begin again, 210 times
    in 30 s and without end as we measured (2026-11-22)."""
    copy.touch(mode=0o600)
    whole = max(1, _size(log))

    def tell() -> int:
        progress("copying", min(1.0, copy.stat().st_size / whole))
        return 0

    try:
        with _opened(log) as db:
            db.set_progress_handler(tell, 100_000)
            db.execute("VACUUM INTO ?", (str(copy),))
    except sqlite3.Error as error:
        raise Permanent(f"the log cannot be copied: {error}") from None


def _pack(draft: Path, parts: Mapping[str, Path], about: Mapping[str, Any], progress: Progress) -> None:
    files = {name: {"sha256": _sha256(path), "bytes": path.stat().st_size} for name, path in parts.items()}
    manifest = json.dumps({**about, "files": files}, indent=1).encode()
    draft.touch(mode=0o600)
    with draft.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.addfile(_entry(MANIFEST, len(manifest)), io.BytesIO(manifest))
            for number, (name, path) in enumerate(parts.items(), 1):
                with path.open("rb") as part:
                    tar.addfile(_entry(name, path.stat().st_size), part)
                progress("packing", number / len(parts))
        file.flush()
        os.fsync(file.fileno())


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- taking it back ---------------------------------------------------------------------------------------------------


def _unpack(packed: IO[bytes], folder: Path | None) -> dict[str, Any]:
    """Write the parts into `folder` (None: only read them), no other name and no path, each as its checksum says.

    Returns the manifest.
    """
    try:
        with tarfile.open(fileobj=packed, mode="r:") as tar:
            entries = {entry.name: entry for entry in tar.getmembers() if entry.isfile()}
            manifest: dict[str, Any] = json.load(_content(tar, entries[MANIFEST]))
            for name in (SECRET, LOG):
                if name in manifest["files"]:
                    digest = _take(_content(tar, entries[name]), folder / name if folder is not None else None)
                    if digest != manifest["files"][name]["sha256"]:
                        raise Permanent(f"the backup is damaged: {name} is not what was packed")
            if LOG not in manifest["files"] or not isinstance(manifest["made_by"], str):
                raise KeyError(LOG)
            datetime.fromisoformat(manifest["made"])
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise Permanent(f"this is no backup of triaged, or it is damaged: {error}") from None
    return manifest


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(entry)
    assert content is not None  # only files are asked for
    return content


def _take(content: IO[bytes], path: Path | None) -> str:
    """Write a part, if there is a path; returns its SHA-256."""
    if path is None:
        return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]  # it reads into a buffer
    path.touch(mode=0o600)
    with path.open("w+b") as file:
        shutil.copyfileobj(content, file, BLOCK_BYTES)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _nothing_twice(fresh: Path, *, cut_off: datetime, now: datetime, made: str) -> int:
    """What the log that is lost may have done since, no machine does again. Returns how many effects a person gets."""
    log = Log(fresh)
    with log.transaction():
        rows = log.db.execute(
            "SELECT id, message, kind FROM effect WHERE state IN ('held', 'owed', 'doing') "
            "AND kind IN ('ack', 'notify', 'call', 'offer', 'invitation', 'move', 'cancel') ORDER BY id"
        ).fetchall()
        for row, message, kind in rows:
            log.db.execute(
                "UPDATE effect SET state = 'person', detail = ?, changed_at = ? WHERE id = ?",
                (MAY_HAVE_HAPPENED, to_ms(now), row),
            )
            log.event(f"{kind}.person", MAY_HAVE_HAPPENED, message=message, now=now)
        log.db.execute("UPDATE mailbox SET cut_off_at = max(cut_off_at, ?)", (to_ms(cut_off),))
        words = f"a backup of {made}; mail received before {cut_off.isoformat()} is not answered by machine"
        log.event("restored", words, message=None, now=now)
    log.close()
    return len(rows)


def _swap(folder: Path, log: Path, secret: Path, *, stamp: str) -> tuple[Path, ...]:
    """Put log and secret in their places; what was there gets other names. The old log's WAL goes first: left beside
    the new log it would be folded into it."""
    suffix = f".before-restore-{stamp}"
    names = {Path(f"{log}{part}"): log.with_name(f"{log.name}{suffix}{part}") for part in ("-wal", "-shm", "")}
    if (folder / SECRET).is_file() and not _same(secret, folder / SECRET):
        names[secret] = secret.with_name(f"{secret.name}{suffix}")
    aside = {path: name for path, name in names.items() if path.is_file()}
    lock_path = log.with_name(f"{log.name}.lock")
    lock_path.touch(mode=0o600)
    with lock_path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # no command line is within a transaction
        for path, name in aside.items():
            if path in (log, secret):
                os.link(path, name)  # and not renamed: at no moment is there no log, which would be begun anew
            else:
                path.rename(name)
            name.chmod(0o600)
        if (folder / SECRET).is_file():
            (folder / SECRET).replace(secret)
        (folder / LOG).replace(log)
        _sync_folder(log.parent)
    return tuple(aside.values())


def _same(path: Path, other: Path) -> bool:
    return path.is_file() and path.read_bytes() == other.read_bytes()


@contextmanager
def _beside(file: Path, *, needed: int) -> Iterator[Path]:
    """A folder of our own beside `file`, on the same disk, gone in the end. Raises: Permanent."""
    try:
        free = shutil.disk_usage(file.parent).free
        if free < needed:
            raise Permanent(f"there are {free // 1_000_000} MB free in {file.parent}; {needed // 1_000_000} are needed")
        with TemporaryDirectory(prefix=".triaged-", dir=file.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise Permanent(f"{error.filename or file}: {error.strerror}") from None


def _size(path: Path) -> int:
    total = 0
    for each in (path, Path(f"{path}-wal")):
        with suppress(FileNotFoundError):
            total += each.stat().st_size
    return total


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
