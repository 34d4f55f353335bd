"""The text of a calendar object in, its components with their properties out, bounded (RFC 5545 3.1, 3.4, 3.6).

Nothing is expanded or converted here: icalendar's own parse of an object works out the rules of its time zones, and
took 3.9 s for one of 200 kB (mail-safety 4.7).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from icalendar.parser import Contentline

MAX_CHARACTERS = 262_144
"""An invitation has 1 to 5 kB."""
MAX_LINES = 20_000
"""As they stand in the text, 75 octets each when they are folded."""
MAX_LINE_CHARACTERS = 4_000
"""Of a property that is read; a description may be longer."""
MAX_DEPTH = 8
"""Components within each other; VCALENDAR, VEVENT, VALARM are three."""

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NAME = re.compile(r"\s{0,100}([A-Za-z0-9-]{1,100})\s{0,100}[:;]")


@dataclass(frozen=True, slots=True)
class Property:
    """One content line. value: as it stands there; parameters: names in upper case, values without quotes."""

    value: str
    parameters: dict[str, tuple[str, ...]]

    def parameter(self, name: str) -> str:
        """The parameter's first value, `""` if it has none."""
        return self.parameters.get(name, ("",))[0].strip()


@dataclass(slots=True)
class Component:
    """A component. lines: (name in upper case, whole line) of its own properties, in order; children: likewise."""

    name: str
    lines: list[tuple[str, str]] = field(default_factory=list)
    children: list[Component] = field(default_factory=list)

    def has(self, *names: str) -> bool:
        """Whether there is a property of one of these names."""
        return any(name in names for name, _ in self.lines)

    def all(self, name: str, *, cut: bool = False) -> tuple[Property, ...]:
        """All properties of a name, in order. cut: read the beginning of one that is too long.

        Raises: ValueError, a sentence, for one that cannot be read.
        """
        return tuple(_property(name, line, cut=cut) for each, line in self.lines if each == name)

    def one(self, name: str) -> Property | None:
        """The one property of a name, None if there is none. Raises: ValueError, a sentence."""
        found = self.all(name)
        if len(found) > 1:
            raise ValueError(f"it has {len(found)} {name}")
        return found[0] if found else None

    def within(self, *names: str) -> tuple[Component, ...]:
        """The components of these names right within this one."""
        return tuple(child for child in self.children if child.name in names)


def read(text: str) -> Component:
    """The one VCALENDAR in the text; lines that are no content lines are passed over. Raises: ValueError, a sentence.

    A CR alone ends a line too: what another program might take for a line of its own must not hide in one of ours.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"the calendar object is larger than {MAX_CHARACTERS // 1024} KB")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff").split("\n")
    if len(lines) > MAX_LINES:
        raise ValueError(f"the calendar object has more than {MAX_LINES} lines")
    around = Component("")
    open_components = [around]
    for line in _unfolded(lines):
        found = _NAME.match(line)
        name = found[1].upper() if found is not None else ""
        word = line[found.end() :].strip().upper() if found is not None else ""
        if name == "BEGIN":
            if len(open_components) > MAX_DEPTH:
                raise ValueError("the calendar object's parts are nested too deeply")
            child = Component(word)
            open_components[-1].children.append(child)
            open_components.append(child)
        elif name == "END":
            if len(open_components) == 1 or open_components.pop().name != word:
                raise ValueError("the calendar object's parts do not end as they begin")
        elif name != "" and len(open_components) > 1:
            open_components[-1].lines.append((name, line))
    if len(open_components) > 1:
        raise ValueError("the calendar object is cut short")
    calendars = around.within("VCALENDAR")
    if len(calendars) != 1:
        raise ValueError("there is no calendar object" if len(calendars) == 0 else "there are several calendar objects")
    return calendars[0]


def unescaped(value: str) -> str:
    """A TEXT value (RFC 5545 3.3.11) as it is meant, with `\\n` lines."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def _unfolded(lines: Iterable[str]) -> Iterable[str]:
    """Whole content lines; blank lines, which some programs put into a fold, are left out."""
    pieces: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t"):
            pieces.append(line[1:])
        elif line != "":
            yield "".join(pieces)
            pieces = [line]
    yield "".join(pieces)


def _property(name: str, line: str, *, cut: bool) -> Property:
    if len(line) > MAX_LINE_CHARACTERS:
        if not cut:
            raise ValueError(f"its {name} is longer than {MAX_LINE_CHARACTERS} characters")
        line = line[:MAX_LINE_CHARACTERS]
    try:
        _, parameters, value = Contentline(line.strip()).raw_parts()  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise ValueError(f"its {name} cannot be read") from error
    values = {
        str(key).upper(): tuple(each) if isinstance(each, list) else (str(each),) for key, each in parameters.items()
    }
    return Property(value.strip(), values)
