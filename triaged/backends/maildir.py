"""A Maildir folder in: its messages and the news of new ones out; and a folder that mails are delivered into."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from imapclient import imap_utf7

from triaged.backends.heads import HEAD_BYTES, is_draft_name, is_sent_name, none_or_several, surveyed
from triaged.decision import Outgoing
from triaged.errors import Gone, Permanent, Transient
from triaged.model import Listed, Locator, Raw, Surveyed
from triaged.ports import Crossing

POLL_S = 0.5
"""Seconds between two looks at the folder's modification times; the standard library has no inotify."""

RACY_NS = 2_000_000_000
"""Nanoseconds: a folder changed this recently may change again within the same clock tick, unseen in its mtime."""


class MaildirMailbox:
    """`ports.Mailbox` over one Maildir folder. Keys are file names up to the `:`. Reading moves and touches nothing."""

    def __init__(self, name: str, folder_path: Path, *, max_message_bytes: int) -> None:
        self.name = name
        self.folder = folder_path.name
        self._path = folder_path
        self._max_message_bytes = max_message_bytes
        self._woken = threading.Event()
        self._seen_mtimes: tuple[int, int] | None = None

    def connect(self) -> None:
        """See that the folder is there. Raises: Gone, Permanent (no right to read it)."""
        with _translated(self._path):
            self._seen_mtimes = None
            _paths(self._path)

    def list_after(self, cursor: str | None) -> Iterator[Listed]:
        """All keys, by modification time, then name: a Maildir has no order that a cursor could use."""
        with _translated(self._path):
            self._seen_mtimes = self._settled_mtimes()
            dated = []
            for key, path in _paths(self._path).items():
                with suppress(FileNotFoundError):
                    dated.append((path.stat().st_mtime_ns, key))
        keys = tuple(key for _, key in sorted(dated))
        if len(keys) > 0:
            yield Listed(keys, keys[-1])

    def fetch(self, keys: Sequence[str]) -> Iterator[Raw]:
        """The messages in the order of `keys`; a mail reader may move a file between listing and opening."""
        paths: dict[str, Path] = {}
        for key in keys:
            with _translated(self._path):
                raw = self._read(key, paths.get(key))
                if raw is None:
                    paths = _paths(self._path)
                    raw = self._read(key, paths.get(key))
            if raw is not None:
                yield raw

    def wait(self, timeout_s: float) -> None:
        """Return when new/ or cur/ changed since the last `list_after`, when woken, or after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        with _translated(self._path):
            while self._seen_mtimes in (None, _mtimes(self._path)):
                left_s = deadline - time.monotonic()
                if left_s <= 0 or self._woken.wait(min(POLL_S, left_s)) or self._seen_mtimes is None:
                    break
        self._woken.clear()

    def wake(self) -> None:
        """End a `wait`, or the next one if none is under way."""
        self._woken.set()

    def survey(self, since: datetime, *, sent_only: bool = False) -> Iterator[Surveyed]:
        """The heads of this folder and of every Maildir++ folder beside it, by modification time."""
        with _translated(self._path):
            root = _root(self._path)
            folders = [root, *sorted(path for path in root.glob(".?*") if (path / "cur").is_dir())]
            for path in folders:
                name = self.folder if path == self._path else _folder_name(path) if path != root else "INBOX"
                sent = is_sent_name(name)
                if is_draft_name(name) or (sent_only and not sent):
                    continue
                for key, file in _paths(path).items():
                    with suppress(FileNotFoundError, PermissionError), file.open("rb") as opened:
                        date = datetime.fromtimestamp(os.fstat(opened.fileno()).st_mtime, UTC)
                        if date >= since:
                            head = opened.read(HEAD_BYTES)
                            yield surveyed(head, folder=name, key=key, date=date, is_sent_folder=sent)

    def mark(self, key: str, categories: Sequence[str]) -> None:
        """Nothing: a Maildir has no place for words that every mail reader shows."""

    def file(self, key: str, folder: str) -> None:
        """Move a message into the Maildir++ folder `.folder`, `/` in its name read as a level."""
        with _translated(self._path):
            source = _paths(self._path).get(key)
            if source is None:
                raise Gone(f"{self.name}: message {key} is no longer in {self._path}")
            self._move(key, source, _subfolder(self._path, folder))

    def refile(self, message_id: str, source: str, target: str) -> None:
        """Move by Message-ID; the key stays what it was."""
        with _translated(self._path):
            there, into = self._named(source), self._named(target)
            found = [(key, path) for key, path in _paths(there).items() if _message_id(path) == message_id]
            if len(found) != 1:
                raise none_or_several(self.name, len(found), message_id, source)
            self._move(*found[0], into)

    def find(self, message_id: str, folder: str) -> Raw:
        """By the Message-ID in each head."""
        with _translated(self._path):
            found = [item for item in _paths(self._named(folder)).items() if _message_id(item[1]) == message_id]
            raw = self._read(*found[0]) if len(found) == 1 else None
        if raw is None:
            raise none_or_several(self.name, len(found) if len(found) > 1 else 0, message_id, folder)
        return dataclasses.replace(raw, locator=Locator(self.name, folder, raw.locator.key))

    def _named(self, folder: str) -> Path:
        return self._path if folder == self.folder else _subfolder(self._path, folder)

    def _move(self, key: str, source: Path, target: Path) -> None:
        if target != self._path:
            _make(target)
            (target / "maildirfolder").touch()
        _, colon, flags = source.name.partition(":")
        try:
            source.rename(target / "cur" / f"{key}:{flags if colon else '2,'}")
        except FileNotFoundError:
            raise Gone(f"{self.name}: message {key} has just left {source.parents[1]}") from None

    def close(self) -> None:
        """Nothing is held open."""

    def _read(self, key: str, path: Path | None) -> Raw | None:
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
                octets = file.read(self._max_message_bytes + 1)
        except FileNotFoundError:
            return None
        size_bytes = max(stat.st_size, len(octets))
        if len(octets) > self._max_message_bytes:
            octets = _head(octets[: self._max_message_bytes])
        received = datetime.fromtimestamp(stat.st_mtime, UTC)
        return Raw(Locator(self.name, self.folder, key), received, octets, size_bytes)

    def _settled_mtimes(self) -> tuple[int, int] | None:
        """Modification times to compare with later; None while they are too young to be relied on."""
        mtimes = _mtimes(self._path)
        return mtimes if time.time_ns() - max(mtimes) > RACY_NS else None


class MaildirMailer:
    """`ports.Mailer` that delivers into a Maildir. The file name comes from the Message-ID, so twice is once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def connect(self) -> None:
        """Make the folder if it is missing. Raises: Transient, Permanent."""
        with _translated(self._path):
            _make(self._path)

    def send(self, mail: Outgoing, crossing: Crossing) -> str:
        """Deliver, on disk before it returns. Done twice: one file. Raises: Transient, Permanent."""
        self.connect()
        name = _delivered_name(mail.message_id)
        if self.was_sent(mail.message_id):
            return f"was already delivered as {name}"
        with _translated(self._path):
            draft = self._path / "tmp" / f"{name}.{os.getpid()}.{threading.get_native_id()}"
            try:
                with draft.open("wb") as file:
                    file.write(mail.octets)
                    file.flush()
                    os.fsync(file.fileno())
                crossing.begins()
                with suppress(FileExistsError):
                    os.link(draft, self._path / "new" / name)
            finally:
                draft.unlink(missing_ok=True)
            _sync_folder(self._path / "new")
        words = f"delivered as {name}"
        crossing.ends(words)
        return words

    def was_sent(self, message_id: str) -> bool | None:
        """Whether the file lies in new/ or cur/; False after a reader has deleted it. Raises: Transient, Permanent."""
        self.connect()
        with _translated(self._path):
            return _delivered_name(message_id) in _paths(self._path)

    def close(self) -> None:
        """Nothing is held open."""


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Gone(f"{error.filename}: there is no such Maildir folder") from error
    except PermissionError as error:
        raise Permanent(f"{error.filename}: may not be read or written") from error
    except OSError as error:
        raise Transient(f"{path}: {error.strerror}") from error


def _paths(folder: Path) -> dict[str, Path]:
    """Each key's file. new/ is read before cur/: a file that moves meanwhile is then met at least once."""
    found = {}
    for part in ("new", "cur"):
        with os.scandir(folder / part) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                    found[entry.name.partition(":")[0]] = Path(entry.path)
    return found


def _message_id(path: Path) -> str:
    """`""` of a file that has just gone, too."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        return ""
    epoch = datetime.fromtimestamp(0, UTC)
    return surveyed(head, folder="", key="", date=epoch, is_sent_folder=False).message_id


def _mtimes(folder: Path) -> tuple[int, int]:
    return (folder / "new").stat().st_mtime_ns, (folder / "cur").stat().st_mtime_ns


def _head(octets: bytes) -> bytes:
    """Up to and with the first empty line; all of it where there is none."""
    ends = [octets.find(mark) + len(mark) for mark in (b"\n\n", b"\n\r\n") if mark in octets]
    return octets[: min(ends)] if ends else octets


def _subfolder(path: Path, folder: str) -> Path:
    """`A/B` is `.A.B` beside the other subfolders of the whole Maildir, in modified UTF-7 as Dovecot has it."""
    levels = folder.replace("/", ".").split(".")
    if "" in levels or "\0" in folder:
        raise Permanent(f"'{folder}' cannot be the name of a Maildir folder")
    encoded: bytes = imap_utf7.encode(".".join(levels))
    return _root(path) / ("." + encoded.decode("ascii"))


def _root(path: Path) -> Path:
    """The whole Maildir that a folder belongs to."""
    return path.parent if path.name.startswith(".") and (path.parent / "cur").is_dir() else path


def _folder_name(path: Path) -> str:
    """`.A.B` as people call it: `A/B`; as it stands where it is not modified UTF-7."""
    try:
        decoded: str = imap_utf7.decode(path.name[1:].encode("ascii"))
    except (ValueError, UnicodeError):
        return path.name[1:]
    return decoded.replace(".", "/")


def _make(folder: Path) -> None:
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True, exist_ok=True, mode=0o700)


def _delivered_name(message_id: str) -> str:
    return hashlib.sha256(message_id.encode("utf-8", "surrogateescape")).hexdigest()[:40] + ".triaged"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
