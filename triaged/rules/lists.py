"""The text of a list in, its entries out: words or accounts that many rules name as `"@angry-words"`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath

from triaged.errors import ConfigError, Problem
from triaged.plaintext import text_of
from triaged.rules.grammar import plain
from triaged.tomlfile import did_you_mean

MAX_ENTRIES = 20_000
"""Of one list; a directory of all clients is far shorter."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def read_lists(files: Mapping[str, bytes], problems: list[Problem]) -> dict[str, tuple[str, ...]]:
    """The entries of every `lists/*.txt`, made plain, each once, in order; what is wrong is added to `problems`.

    One entry a line; `#` begins a comment at the start of a line or after a blank; empty lines count for nothing.
    """
    found: dict[str, tuple[str, ...]] = {}
    for path, octets in files.items():
        if not (path.startswith("lists/") and path.lower().endswith(".txt")):
            continue
        name = PurePosixPath(path).stem
        if _NAME.fullmatch(name) is None:
            what = "rules name a list by small letters, digits, '-' and '_'"
            problems.append(Problem(path, f"cannot be named '@{name}': {what}; rename the file, as in angry-words.txt"))
            continue
        try:
            text = text_of(octets, name=path)
        except ConfigError as error:
            problems += error.problems
            found[name] = ()  # it is there, so that those who name it are not told that it is not
            continue
        found[name] = _entries(text, path, problems)
    return found


def _entries(text: str, path: str, problems: list[Problem]) -> tuple[str, ...]:
    entries: dict[str, None] = {}
    before = len(problems)
    for number, line in enumerate(text.splitlines(), start=1):
        entry = plain(re.split(r"(?:^|\s)#", line, maxsplit=1)[0])
        if entry.startswith("@") and _NAME.fullmatch(entry[1:]):
            problems.append(Problem(f"{path}:{number}", f"'{entry}': a list cannot hold another list; copy its lines"))
        elif any(unicodedata.category(char) == "Cc" for char in entry):
            problems.append(Problem(f"{path}:{number}", "holds a character that cannot be seen; type the line anew"))
        elif entry != "":
            entries[entry] = None
    if len(entries) == 0 and len(problems) == before:
        problems.append(Problem(path, "holds no entry, so no rule that names it could hold; add one on a line"))
    if len(entries) > MAX_ENTRIES:
        problems.append(Problem(path, f"holds {len(entries):,} entries; at most {MAX_ENTRIES:,} can be used"))
    return tuple(entries)


def named_list(value: str, lists: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, ...], str]:
    """The entries of the list that `@name` means and `""`; or none, and what is wrong."""
    name = value[1:]
    if name in lists:
        return lists[name], ""
    there = f" (there is: {', '.join('@' + each for each in sorted(lists))})" if lists else ""
    hint = did_you_mean(name, lists) or f"; make the file lists/{name}.txt, an entry on each line"
    return (), f"there is no list '{value}'{hint}{there}"
