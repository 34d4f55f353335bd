"""A calendar that is a folder of .ics files (a vdir, as khal and vdirsyncer keep them); each event a file."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path

from triaged.backends.ical import busy_of, file_name, holds_uid
from triaged.errors import Permanent, Transient
from triaged.model import Address, Interval

_MAY_PASS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN, errno.ESTALE, errno.EMFILE, errno.ENFILE})


class VdirCalendar:
    """`ports.Calendar` on a folder that exists. timezone: IANA name, for all-day events."""

    invites = False

    def __init__(self, folder: Path, timezone: str) -> None:
        self._folder = folder
        self._timezone = timezone

    def busy(self, start: datetime, end: datetime, *, besides: Collection[str] = ()) -> tuple[Interval, ...]:
        """See `ports.Calendar`."""
        return busy_of(self._objects(), start, end, timezone=self._timezone, besides=besides)

    def add(self, uid: str, ics: bytes) -> bool:
        """See `ports.Calendar`. The file appears whole or not at all, and never in the place of another."""
        if self.find(uid) is not None:
            return False
        final = self._folder / file_name(uid)
        return self._write(final, ics, over=False)

    def invite(self, uid: str, attendee: Address) -> None:
        """Our own mail invites."""
        raise Permanent(f"{self._folder}: a folder sends no invitations")

    def replace(self, uid: str, ics: bytes) -> bool:
        """See `ports.Calendar`. The file holds the old event or the new one, whole, at each moment."""
        found = self._file_of(uid)
        return found is not None and self._write(found[0], ics, over=True)

    def remove(self, uid: str) -> bool:
        """See `ports.Calendar`."""
        found = self._file_of(uid)
        if found is None:
            return False
        try:
            found[0].unlink()
            self._sync_folder()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _foreign(error, found[0]) from error
        return True

    def find(self, uid: str) -> bytes | None:
        """See `ports.Calendar`. By the file's name first, then in every file."""
        found = self._file_of(uid)
        return found[1] if found is not None else None

    def close(self) -> None:
        """Nothing is open."""

    def _file_of(self, uid: str) -> tuple[Path, bytes] | None:
        likely = self._folder / file_name(uid)
        octets = self._read(likely)
        if octets is not None and holds_uid(octets, uid):
            return likely, octets
        return next(((Path(name), octets) for name, octets in self._objects() if holds_uid(octets, uid)), None)

    def _write(self, final: Path, ics: bytes, *, over: bool) -> bool:
        """Whole and on disk; False when there is a file of that name and it is not to be written over."""
        unfinished = self._folder / f".{final.name}.{os.getpid()}.{threading.get_ident()}.tmp"
        try:
            with unfinished.open("wb") as file:
                file.write(ics)
                file.flush()
                os.fsync(file.fileno())
            if over:
                unfinished.replace(final)
            else:
                os.link(unfinished, final)
            self._sync_folder()
        except FileExistsError:
            return False
        except OSError as error:
            raise _foreign(error, final) from error
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink()
        return True

    def _objects(self) -> Iterator[tuple[str, bytes]]:
        try:
            names = sorted(entry.name for entry in os.scandir(self._folder))
        except OSError as error:
            raise _foreign(error, self._folder) from error
        for name in names:
            if name.lower().endswith(".ics") and not name.startswith("."):
                octets = self._read(self._folder / name)
                if octets is not None:
                    yield str(self._folder / name), octets

    def _read(self, path: Path) -> bytes | None:
        """None where there is no such file: it was deleted meanwhile."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _foreign(error, path) from error

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _foreign(error: OSError, path: Path) -> Transient | Permanent:
    what = f"{path}: {error.strerror}"
    return Transient(what) if error.errno in _MAY_PASS else Permanent(what)
