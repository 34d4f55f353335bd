"""A person's sign-in in, the file that keeps it out: read anew each time, replaced whole, for its owner's eyes only.

A worker and a command may use one sign-in at once: whoever changes it holds its lock from the reading to the writing.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triaged.errors import LoginRefused, Permanent, Transient

FOLDER = "sign-in"
"""The folder within the state folder."""
LOOK_AGAIN_S = 0.05
"""Between tries to get the lock that another program holds."""


@dataclass(frozen=True, slots=True)
class Kept:
    """account: who signed in, as the server calls them. client_id: of the app that they signed in to.

    held: what the kind of sign-in keeps, JSON; it holds secrets.
    """

    account: str
    client_id: str
    held: dict[str, Any] = field(repr=False)


@contextmanager
def locked(path: Path, *, timeout_s: float) -> Iterator[None]:
    """Nobody else changes the file meanwhile. Makes the folder. Raises: Transient (another has it for too long)."""
    give_up_at = time.monotonic() + timeout_s
    try:
        _make_folder(path.parent)
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Permanent(_not_ours(path, error)) from error
    try:
        _belongs_to_the_folders_owner(path.with_name(f"{path.name}.lock"))
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up_at:
                    raise Transient(f"{path} is held by another program for {timeout_s:.0f} s") from None
                time.sleep(LOOK_AGAIN_S)
        yield
    finally:
        os.close(lock)


def read(path: Path, *, sign_in: str, client_id: str) -> Kept:
    """Raises: LoginRefused (nobody signed in yet, to this app; or the file is broken), Permanent (not readable)."""
    again = f"type: triaged login {sign_in}"
    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        raise LoginRefused(f"sign-in {sign_in}: nobody has signed in yet; {again}") from None
    except OSError as error:
        raise Permanent(_not_ours(path, error)) from error
    try:
        values = json.loads(octets)
        kept = Kept(values["account"], values["client_id"], values["held"])
        whole = isinstance(kept.account, str) and isinstance(kept.held, dict)
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise LoginRefused(f"sign-in {sign_in}: the file {path} that keeps it is broken; sign in again, {again}")
    if kept.client_id != client_id:
        raise LoginRefused(f"sign-in {sign_in}: its client_id is another one now; sign in again, {again}")
    return kept


def write(path: Path, kept: Kept) -> None:
    """Keep it in place of what was there, which stays until the new one is on the disk. To be called within `locked`.

    Raises: Transient (it could not be written).
    """
    draft = path.with_name(f"{path.name}.new")
    values = {"account": kept.account, "client_id": kept.client_id, "held": kept.held}
    try:
        draft.unlink(missing_ok=True)  # of a run that was killed
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(json.dumps(values).encode())
            file.flush()
            os.fsync(file.fileno())
        _belongs_to_the_folders_owner(draft)
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise Transient(f"the sign-in cannot be kept in {path}: {error.strerror}") from error


def _make_folder(folder: Path) -> None:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
    _belongs_to_the_folders_owner(folder)


def _belongs_to_the_folders_owner(path: Path) -> None:
    """What root makes here by `triaged login` must be open to the user that the worker runs as."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _not_ours(path: Path, error: OSError) -> str:
    return (
        f"{path} cannot be opened: {error.strerror}; it belongs to the user that ran triaged login, run it as this one"
    )
