"""The text of a do-not-answer list goes in, whom it covers and which of its lines nobody understands come out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from triaged.errors import Problem
from triaged.mail.addresses import person_domain, person_key

MAX_CHARACTERS = 4_194_304
"""About a hundred thousand lines."""
MAX_PROBLEMS = 100

_INVISIBLE = re.compile("[\ufeff\u200b-\u200f\u202a-\u202e\u2060\u00ad]")
_QUOTES = str.maketrans(
    dict.fromkeys("“”„‟«»", '"')
    | dict.fromkeys("‘’‛`´", "'")
    | {"\N{NO-BREAK SPACE}": " ", "\N{FULLWIDTH COMMERCIAL AT}": "@"}
)
_WRAPPING = " \t\"'<>[](),;"
_LOCAL = re.compile(r"[^\s@*\"<>(),:;\[\]\\]{1,64}")
_LABEL = re.compile(r"[^\W_](?:[\w-]{0,61}[^\W_])?")


@dataclass(frozen=True, slots=True)
class DoNotAnswer:
    """Whom people want no automatic mail to go to.

    people: `person_key` → the comment beside it; domains: plain domain, its sub-domains included → the comment.
    """

    people: Mapping[str, str] = field(default_factory=dict)
    domains: Mapping[str, str] = field(default_factory=dict)

    def covers(self, addr_spec: str) -> str:
        """Why this address gets no automatic answer, as a sentence; `""` if the list says nothing about it.

        Case, `+tag`, dots before the `@` and the form of an IDN make no difference.
        """
        key = person_key(addr_spec)
        if (comment := self.people.get(key)) is not None:
            return _sentence(addr_spec, comment)
        labels = key.rpartition("@")[2].split(".")
        for start in range(len(labels)):
            domain = ".".join(labels[start:])
            if (comment := self.domains.get(domain)) is not None:
                return _sentence(f"@{domain}", comment)
        return ""


def _sentence(entry: str, comment: str) -> str:
    return f"{entry} is on the do-not-answer list" + (f": {comment}" if comment else "")


def parse_list(text: str, name: str) -> tuple[DoNotAnswer, tuple[Problem, ...]]:
    """Read the list: an address or `@domain` a line, `#` begins a comment, kept as the reason shown to people.

    name: how problems call the file. A line that cannot be understood is a problem; all the others count.
    """
    people: dict[str, str] = {}
    domains: dict[str, str] = {}
    problems: list[Problem] = []
    for number, line in _lines(text):
        entry, comment = _entry_and_comment(line)
        if entry == "":
            continue
        local, _, domain = entry.rpartition("@")
        named = local in ("", "*") or _LOCAL.fullmatch(local) is not None
        if "@" not in entry or not named or not _is_domain(person_domain(domain)):
            if len(problems) < MAX_PROBLEMS:
                problems.append(Problem(f"{name}:{number}", _what_is_wrong(entry)))
        elif local in ("", "*"):
            domains.setdefault(person_domain(domain), comment)
        else:
            people.setdefault(person_key(entry), comment)
    return DoNotAnswer(people, domains), tuple(problems)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    cleaned = _INVISIBLE.sub("", text[:MAX_CHARACTERS]).translate(_QUOTES)
    return enumerate(re.split(r"\r\n|\r|\n", cleaned), start=1)


def _entry_and_comment(line: str) -> tuple[str, str]:
    """`Ann Lee <ann@client.example>  # asked for it` → address and comment."""
    place = next(
        (found.start() for found in re.finditer("#", line) if _may_begin_comment(line[: found.start()])), len(line)
    )
    written, comment = line[:place], line[place + 1 :]
    in_angles = re.search(r"<([^<>]*)>", written)
    entry = (in_angles[1] if in_angles is not None else written).strip(_WRAPPING)
    entry = re.sub(r"^mailto:\s*", "", entry, flags=re.IGNORECASE).partition("?")[0].strip(_WRAPPING)
    return entry, " ".join(comment.split())[:200]


def _may_begin_comment(before: str) -> bool:
    """A `#` inside a local part (`dept#4@client.example`) is none."""
    return before.strip() == "" or before[-1].isspace() or "@" in before


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    return len(labels) > 1 and len(domain) <= 253 and all(_LABEL.fullmatch(label) is not None for label in labels)


def _what_is_wrong(entry: str) -> str:
    shown = entry[:60]
    if "@" not in entry:
        hint = f"; for a whole domain write @{shown}" if _is_domain(person_domain(entry)) else ""
        return f"“{shown}” is neither an address nor a domain{hint}. The line is passed over."
    if entry.count("@") > 1 or re.search(r"[\s,;]", entry) is not None:
        return f"“{shown}” is more than one address; write one a line. The line is passed over."
    if "*" in entry:
        return (
            f"“{shown}” has a * in a name; only *@domain is understood, for everybody there. The line is passed over."
        )
    right = "write ann@client.example, or @client.example for everybody there"
    return f"“{shown}” is no address: {right}. The line is passed over."
