"""The site's own models in its state folder: one is laid there whole, one is in use, and every switch can be undone.

`models/<id>/` holds a model and `about.json`; `models/use.json` names the one in use. Both are written beside their
place and renamed into it, so that a kill at any moment leaves the old model in use.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from triaged.classify.model import Model, load
from triaged.errors import ConfigError, Permanent, Problem
from triaged.log.rights import FILE, FOLDER, MODELS
from triaged.settings import Config

SHIPPED, CONFIGURED = "shipped", "configured"
"""Instead of a model's id: the one that comes with the program; the one of `[service] model_dir`."""
ABOUT, USE, DRAFT, LOCK = "about.json", "use.json", ".draft-", "lock"
_ID = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True, slots=True)
class Kept:
    """A model of the site's own. about: made, by, kind, rows, parent, seed, until, trial (see `promotion`)."""

    model_id: str
    folder: Path
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model in use. folder: None is the one that ships. problem: why it is not the one that was chosen, or `""`."""

    name: str
    folder: Path | None
    problem: str = ""


def use_path(state_dir: Path) -> Path:
    """The file that names the model in use; absent while nobody chose."""
    return state_dir / MODELS / USE


def kept(state_dir: Path) -> tuple[Kept, ...]:
    """The site's own models, oldest first; what cannot be read is left out."""
    found = []
    for folder in (state_dir / MODELS).glob("*"):
        with suppress(OSError, ValueError):
            if _ID.fullmatch(folder.name):
                found.append(Kept(folder.name, folder, _read(folder / ABOUT)))
    return tuple(sorted(found, key=lambda each: (str(each.about.get("made")), each.model_id)))


def chosen(state_dir: Path, *, configured: Path | None) -> Chosen:
    """Which model is to be used; when the one that was chosen is not whole, the one that ships."""
    default = CONFIGURED if configured is not None else SHIPPED
    path = use_path(state_dir)
    if not path.exists():
        return Chosen(default, configured)
    name = "?"
    try:
        name = str(_read(path).get("model"))
        return Chosen(name, folder_of(state_dir, name, configured=configured))
    except (OSError, ValueError) as error:
        return fallen_back(name, str(error))


def fallen_back(name: str, why: str) -> Chosen:
    """The one that ships, in the place of a model that cannot be used."""
    return Chosen(SHIPPED, None, f"model {name} is in use and cannot be loaded ({why}); the one that ships decides")


def folder_of(state_dir: Path, name: str, *, configured: Path | None) -> Path | None:
    """Where a model lies, by id, `shipped` (None) or `configured`. Raises: OSError, ValueError (none, or damaged)."""
    if name == SHIPPED:
        return None
    if name == CONFIGURED and configured is not None:
        return configured
    folder = state_dir / MODELS / name
    if _ID.fullmatch(name) is None or not folder.is_dir():
        raise ValueError(f"there is no model {name}")
    told = _read(folder / ABOUT).get("files")
    if not isinstance(told, dict):
        raise ValueError(f"{folder / ABOUT} is damaged")  # noqa: TRY004 - what a file says is a value
    for file, digest in told.items():
        if _digest(folder / file) != digest:
            raise ValueError(f"{folder / file} is damaged")
    return folder


def configured_model(config: Config) -> Path | None:
    """The folder of `[service] model_dir`; None where it names none."""
    return config.path(config.service.model_dir) if config.service.model_dir else None


def model_of(config: Config) -> tuple[Model, str]:
    """The model in use, and `""`; or the one that ships, and why the site's own that was chosen cannot be used.

    Raises: ConfigError (`[service] model_dir`).
    """
    choice = chosen(config.state_dir, configured=configured_model(config))
    try:
        return load(choice.folder), choice.problem
    except (OSError, ValueError, KeyError, TypeError) as error:  # damaged, or of another version's form
        if choice.name == CONFIGURED:
            raise ConfigError((Problem("service.model_dir", f"the model cannot be loaded: {error}"),)) from None
        return load(), fallen_back(choice.name, str(error)).problem


@contextmanager
def draft(state_dir: Path) -> Iterator[Path]:
    """A new, empty, private folder to make a model in, for one program at a time; gone in the end if it was not `put`.

    Raises: Permanent (another program is at it).
    """
    (state_dir / MODELS).mkdir(mode=FOLDER, parents=True, exist_ok=True)
    with os.fdopen(os.open(state_dir / MODELS / LOCK, os.O_RDWR | os.O_CREAT, FILE), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Permanent("another program is making a model here just now; wait until it is done") from None
        for stale in (state_dir / MODELS).glob(f"{DRAFT}*"):  # a kill left it
            shutil.rmtree(stale, ignore_errors=True)
        folder = Path(mkdtemp(prefix=DRAFT, dir=state_dir / MODELS))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def put(state_dir: Path, made: Path, model_id: str, about: Mapping[str, Any]) -> None:
    """Lay the model that was made in a `draft` into its place, with what is to be known of it. Twice: nothing more."""
    files = {path.name: _digest(path) for path in sorted(made.iterdir())}
    _write(made / ABOUT, {**about, "files": files})
    for path in made.iterdir():
        path.chmod(FILE)
        _sync(path)
    place, damaged = state_dir / MODELS / model_id, made.with_name(f"{made.name}-old")
    if place.exists():
        try:
            folder_of(state_dir, model_id, configured=None)
        except (OSError, ValueError):
            place.rename(damaged)
        else:  # the same id is the same model
            return
    made.rename(place)
    _sync(place.parent)
    shutil.rmtree(damaged, ignore_errors=True)


def use(state_dir: Path, name: str, *, who: str, now: datetime) -> None:
    """From now on this model is in use; a worker that runs takes it by itself. Raises: OSError."""
    path = use_path(state_dir)
    path.parent.mkdir(mode=FOLDER, parents=True, exist_ok=True)
    fresh = path.with_name(f"{USE}.{os.getpid()}")
    _write(fresh, {"model": name, "since": now.isoformat(timespec="seconds"), "by": who})
    _sync(fresh)
    fresh.replace(path)
    _sync(path.parent)


def _read(path: Path) -> dict[str, Any]:
    """Raises: OSError, ValueError."""
    told = json.loads(path.read_text("utf-8"))
    if not isinstance(told, dict):
        raise ValueError(f"{path} is damaged")  # noqa: TRY004 - what a file says is a value
    return told


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.touch(mode=FILE)
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
