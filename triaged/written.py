"""The folders that coordinators edit in, the files in them out, in memory and with one id: what is loaded whole.

A set of files is kept by its id, so that it can be loaded again, compared and laid back, whatever the folders hold by
then. `rules/` and `templates/` stand before the names; messages to people leave them out.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from triaged.errors import ConfigError, Problem

RULES, TEMPLATES = "rules/", "templates/"
LISTS = "lists/"
"""Within the rules."""
MAX_FILES = 2_000
"""More is no folder of rules; somebody put something else there."""
MAX_BYTES = 32_000_000
"""Of a folder; each set is kept whole in the log, and more is no folder of rules either."""
MAX_MAIL_BYTES = 1_000_000
"""Of a mail that is an example."""


@dataclass(frozen=True, slots=True)
class Written:
    """files: octets by name (`rules/complaint.toml`, `rules/lists/vip.txt`, `templates/received.txt`), by name.

    id: 12 hex digits over names and octets.
    """

    files: Mapping[str, bytes]
    id: str

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Written:
        """These files."""
        digest = hashlib.sha256()
        for name, octets in sorted(files.items()):
            digest.update(f"{len(name.encode())} {name} {len(octets)}\0".encode())
            digest.update(octets)
        return cls(dict(sorted(files.items())), digest.hexdigest()[:12])

    @classmethod
    def load(cls, told: str) -> Written:
        """What `dump` gave."""
        return cls.of({name: text.encode("utf-8", "surrogateescape") for name, text in json.loads(told).items()})

    def with_templates_of(self, other: Written) -> Written:
        """This set, with the other's templates where it has none: sets of the first versions were kept without."""
        if len(self.templates) > 0:
            return self
        lent = {name: octets for name, octets in other.files.items() if name.startswith(TEMPLATES)}
        return Written.of({**self.files, **lent})

    def dump(self) -> str:
        """As JSON, whatever the octets are."""
        return json.dumps({name: octets.decode("utf-8", "surrogateescape") for name, octets in self.files.items()})

    @property
    def rules(self) -> dict[str, bytes]:
        """What lies in the folder of the rules, by its name there: `complaint.toml`, `lists/vip.txt`."""
        return self._within(RULES)

    @property
    def templates(self) -> dict[str, bytes]:
        """What lies in the folder of the templates, by its name there."""
        return self._within(TEMPLATES)

    def _within(self, folder: str) -> dict[str, bytes]:
        return {name[len(folder) :]: octets for name, octets in self.files.items() if name.startswith(folder)}


def read_written(rules_dir: Path, templates_dir: Path) -> Written:
    """Read both folders (see `rule_files`, `template_files`). Raises: ConfigError with every problem of both."""
    problems: list[Problem] = []
    files: dict[str, bytes] = {}
    for prefix, folder, read in ((RULES, rules_dir, rule_files), (TEMPLATES, templates_dir, template_files)):
        try:
            files |= {prefix + name: octets for name, octets in read(folder).items()}
        except ConfigError as error:
            problems += error.problems
    if len(problems) > 0:
        raise ConfigError(tuple(problems))
    return Written.of(files)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes whenever a file is saved, moved, or gets another owner or other rights. owner: a user's number."""

    saved_ns: int
    changed_ns: int
    size_bytes: int
    inode: int
    owner: int


def stamp(path: Path) -> Stamp | None:
    """Of one file; None while there is none. Raises: OSError."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return Stamp(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_uid)


def stamps(rules_dir: Path, templates_dir: Path) -> dict[str, Stamp]:
    """A stamp for each file that `read_written` would read, by its name there; nothing is opened.

    A folder that cannot be looked into has none.
    """
    found: dict[str, Stamp] = {}
    for prefix, folder, pattern, is_part in (
        (RULES, rules_dir, "**/*", is_rule_part),
        (TEMPLATES, templates_dir, "*", is_template_part),
    ):
        with suppress(OSError):
            for name in _names(folder, pattern, is_part):
                if (seen := stamp(folder / name)) is not None:
                    found[prefix + name] = seen
    return found


def rule_files(folder: Path) -> dict[str, bytes]:
    """Rule files, lists and mails that are examples, by name; hidden files and others are left out.

    Raises: ConfigError.
    """
    return _read(folder, "**/*", is_rule_part)


def template_files(folder: Path) -> dict[str, bytes]:
    """Templates and their layout, by name; hidden files and others are left out. Raises: ConfigError."""
    return _read(folder, "*", is_template_part)


def _read(folder: Path, pattern: str, is_part: Callable[[str], bool]) -> dict[str, bytes]:
    try:
        names = _names(folder, pattern, is_part)
        size = sum((folder / name).stat().st_size for name in names)
    except OSError as error:
        raise ConfigError((Problem(str(folder), f"the folder cannot be read: {error.strerror}"),)) from None
    if len(names) > MAX_FILES:
        raise ConfigError((Problem(str(folder), f"holds {len(names):,} files; at most {MAX_FILES:,} can be read"),))
    if size > MAX_BYTES:
        words = f"holds {size / 1e6:,.0f} MB in files that would be read; at most {MAX_BYTES // 1_000_000} MB can be"
        raise ConfigError((Problem(str(folder), f"{words}: is a folder of mails among them?"),))
    files, problems = dict[str, bytes](), list[Problem]()
    for name in names:
        try:
            name.encode()
            files[name] = (folder / name).read_bytes()
        except UnicodeEncodeError:
            shown = os.fsencode(name).decode("utf-8", "replace")
            problems.append(Problem(shown, "has a name with letters that are no UTF-8; give it another name"))
        except OSError as error:
            problems.append(Problem(name, f"cannot be read: {error.strerror}"))
    if len(problems) > 0:
        raise ConfigError(tuple(problems))
    return files


def _names(folder: Path, pattern: str, is_part: Callable[[str], bool]) -> list[str]:
    """The parts in a folder, in order. Raises: OSError."""
    next(folder.iterdir(), None)  # glob is silent about a folder that is not there
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob(pattern) if path.is_file())
    return [name for name in names if is_part(name) and not any(p.startswith(".") for p in PurePosixPath(name).parts)]


def is_template_part(name: str) -> bool:
    """Whether a file in the folder of the templates is part of the set; `name` is its path there."""
    return "/" not in name and name.endswith((".txt", ".html"))


def is_rule_part(name: str) -> bool:
    """Whether a file in the folder of the rules is part of the set; `name` is its path there."""
    lower, parts = name.lower(), PurePosixPath(name).parts
    if len(parts) == 1 and lower.endswith((".toml", ".toml.txt")):
        return True
    return lower.endswith(".eml") or (len(parts) == 2 and name.startswith(LISTS) and lower.endswith(".txt"))


# --- back into the folders --------------------------------------------------------------------------------------


def lay_back(written: Written, rules_dir: Path, templates_dir: Path, *, there: Written, aside: str) -> tuple[Path, ...]:
    """Have the folders hold these files and no other part; returns where those lie now that are no part of it.

    Those get `aside` behind their name, so nothing is deleted. there: what the folders hold, of which the caller kept
    a copy; when they hold anything else, nothing is touched. Each file is written beside its place, synced, and all are
    renamed together in the end: a kill leaves each as it was or as it is to be, and doing it again does the rest. An
    existing file keeps its owner and rights. Raises: ConfigError, OSError.
    """
    places = {name: _place(name, rules_dir, templates_dir) for name in (*written.files, *there.files)}
    drafts: list[tuple[Path, Path]] = []
    try:
        for name, octets in written.files.items():
            if there.files.get(name) != octets:
                drafts.append((_draft(places[name], octets), places[name]))
    except OSError:
        for draft, _ in drafts:
            draft.unlink(missing_ok=True)
        raise
    if read_written(rules_dir, templates_dir) != there:
        raise ConfigError((Problem(str(rules_dir), "somebody saved a file just now; say it again"),))
    for draft, path in drafts:
        draft.replace(path)
    gone = sorted(places[name] for name in there.files.keys() - written.files.keys())
    moved = tuple(path.rename(path.with_name(path.name + aside)) for path in gone)
    for folder in {path.parent for path in places.values()}:
        _sync(folder)
    return moved


def is_part(name: str) -> bool:
    """Whether a file of a set can be called so: `rules/lists/vip.txt`. No such name leads out of its folder."""
    folder, _, rest = name.partition("/")
    parts = PurePosixPath(rest).parts
    plain = "/".join(parts) == rest and not any(part.startswith((".", "/")) for part in parts)
    is_of_folder = {RULES: is_rule_part, TEMPLATES: is_template_part}.get(f"{folder}/")
    return plain and "\0" not in rest and is_of_folder is not None and is_of_folder(rest)


def _place(name: str, rules_dir: Path, templates_dir: Path) -> Path:
    """Where a file of a set lies; a link is followed. Raises: ConfigError for a name that no part can have."""
    if not is_part(name):
        raise ConfigError((Problem(name, "is no name of a rule file or template; it cannot be laid back"),))
    path = rules_dir / name[len(RULES) :] if name.startswith(RULES) else templates_dir / name[len(TEMPLATES) :]
    return path.resolve() if path.is_symlink() else path


def _draft(path: Path, octets: bytes) -> Path:
    """A hidden file beside `path`, synced, with the owner and rights of what stands there, else of the folder."""
    _make_folder(path.parent)
    like = path.stat() if path.exists() else path.parent.stat()
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)  # a kill left it
    with draft.open("xb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    _make_alike(draft, like, rights=0o666)
    return draft


def _make_folder(folder: Path) -> None:
    """Make a folder that is not there, open to the same people as the one around it."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir()
        _make_alike(folder, folder.parent.stat(), rights=0o777)


def _make_alike(path: Path, like: os.stat_result, *, rights: int) -> None:
    for owner in (-1, like.st_uid):  # only root gives files away, but the worker may read by its group alone
        with suppress(PermissionError):
            os.chown(path, owner, like.st_gid)
    path.chmod(stat.S_IMODE(like.st_mode) & rights)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
