"""The folders that coordinators edit in, the files in them out, in memory and with one id: what is loaded whole.

A set of files is kept by its id, so that it can be loaded again, compared and laid back, whatever the folders hold by
then. `rules/` and `templates/` stand before the names; messages to people leave them out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from triaged.errors import ConfigError, Problem

RULES, TEMPLATES = "rules/", "templates/"
LISTS = "lists/"
"""Within the rules."""
MAX_FILES = 2_000
"""More is no folder of rules; somebody put something else there."""
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


def rule_files(folder: Path) -> dict[str, bytes]:
    """Rule files, lists and mails that are examples, by name; hidden files and others are left out.

    Raises: ConfigError.
    """
    return _read(folder, "**/*", is_rule_part)


def template_files(folder: Path) -> dict[str, bytes]:
    """Templates and their layout, by name; hidden files and others are left out. Raises: ConfigError."""
    return _read(folder, "*", lambda name: name.endswith((".txt", ".html")))


def _read(folder: Path, pattern: str, is_part: Callable[[str], bool]) -> dict[str, bytes]:
    try:
        next(folder.iterdir(), None)  # glob is silent about a folder that is not there
        names = sorted(path.relative_to(folder).as_posix() for path in folder.glob(pattern) if path.is_file())
    except OSError as error:
        raise ConfigError((Problem(str(folder), f"the folder cannot be read: {error.strerror}"),)) from None
    names = [name for name in names if is_part(name) and not any(p.startswith(".") for p in PurePosixPath(name).parts)]
    if len(names) > MAX_FILES:
        raise ConfigError((Problem(str(folder), f"holds {len(names):,} files; at most {MAX_FILES:,} can be read"),))
    files, problems = dict[str, bytes](), list[Problem]()
    for name in names:
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as error:
            problems.append(Problem(name, f"cannot be read: {error.strerror}"))
    if len(problems) > 0:
        raise ConfigError(tuple(problems))
    return files


def is_rule_part(name: str) -> bool:
    """Whether a file in the folder of the rules is part of the set; `name` is its path there."""
    lower, parts = name.lower(), PurePosixPath(name).parts
    if len(parts) == 1 and lower.endswith((".toml", ".toml.txt")):
        return True
    return lower.endswith(".eml") or (len(parts) == 2 and name.startswith(LISTS) and lower.endswith(".txt"))
