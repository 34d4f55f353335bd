"""A filled template in, what a careful colleague would mark in it out: "Dear ,", doubled spaces, an empty line more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from triaged.mail.template import Piece

SHOWN_CHARACTERS = 60
"""Of a line that is wrong."""


@dataclass(frozen=True, slots=True)
class Slip:
    """line: of the template's file. shown: the line that came out, shortened. what: what is wrong with it.

    is_written: the template says it literally, so it may be meant; else a variable, or its absence, made it so.
    """

    line: int
    shown: str
    what: str
    is_written: bool


@dataclass(frozen=True, slots=True)
class _Look:
    """How one slip looks. what: `<>` is group 1. can_be_meant: passed over where the template says it literally."""

    what: str
    pattern: re.Pattern[str]
    can_be_meant: bool = False
    in_subject: bool = True


def _look(what: str, pattern: str, *, can_be_meant: bool = False, in_subject: bool = True) -> _Look:
    return _Look(what, re.compile(pattern, re.MULTILINE), can_be_meant, in_subject)


_EMPTY_QUOTES: Final = r"(\"\"|“[ \t]*”|„[ \t]*[“”]|‘[ \t]*’|«[ \t\u00a0\u202f]*»|»[ \t]*«)"
_FRENCH: Final = _look("a space before '<>'", r"(?<=\S)[ \t]+([;:!?])(?=\s|\Z)")
"""As it should be in French."""
_BRACES: Final = "braces are left over (a variable is written {{ contact }})"
_LOOKS: Final = (
    _look("two spaces in a row", r"(?<=\S)[ \t]{2,}(?=\S)", in_subject=False),
    _look("a space before '<>'", r"(?<=\S)[ \t]+([,.])(?=\s|\Z)"),
    _FRENCH,
    _look("'<>' where one sign is enough", r"([,;:][ \t]*[,;.:])(?=\s|\Z)"),
    _look("two full stops", r"(?<=[^\s.])\.[ \t]*\.(?=\s|\Z)"),
    _look("nothing between the brackets", r"\([ \t]*\)|\[[ \t]*\]", can_be_meant=True),
    _look("nothing between the quotation marks", _EMPTY_QUOTES, can_be_meant=True),
    _look("a space inside the brackets", r"(?<=[^\s(])[ \t]+\)|\([ \t]+(?=[^\s)])", can_be_meant=True),
    _look("it begins with '<>'", r"^[ \t]*([,;:.!?])(?![.\w)(-])"),
    _look("it begins with a space", r"^[ \t]+(?=[^\s,;:.!?])", can_be_meant=True, in_subject=False),
    _look("nothing stands behind '<>'", r"([:,;–-])[ \t]+$", can_be_meant=True),
    _look("more than one empty line follows", r"(?<=\S)[ \t]*\n(?:[ \t]*\n){2,}(?=[ \t]*\S)", in_subject=False),
    _look(_BRACES, r"\{\{|\}\}|\{%|%\}|#\}"),
)


def slips(pieces: Sequence[Piece], *, variables: Iterable[str], language: str, is_subject: bool) -> Iterator[Slip]:
    """What is wrong with a filled template (see `trace`), in no order.

    variables: the template's, to find `{contact}` and the like. language: it is written in.
    """
    text = "".join(piece.text for piece in pieces)
    begin, end = len(text) - len(text.lstrip("\n")), len(text.rstrip())
    for look in _LOOKS:
        if (look is _FRENCH and language == "fr") or (is_subject and not look.in_subject):
            continue
        for found in look.pattern.finditer(text, begin):
            if found.start() >= end or (is_subject and text[: found.end()].strip() == ""):
                continue
            is_written, is_said = _origin(pieces, found.start(), found.end())
            if is_said or (is_written and look.can_be_meant):
                continue
            what = look.what.replace("<>", " ".join(found[1].split()) if found.re.groups > 0 else "")
            line = _line(pieces, found.start(), found.end())
            yield Slip(line, _shown(text, found.start()), what, is_written and look.what != _BRACES)
    yield from _placeholders(pieces, variables)


def _placeholders(pieces: Sequence[Piece], variables: Iterable[str]) -> Iterator[Slip]:
    """What was meant to be a variable: `{contact}`, `[contact]`, `<contact>`, `%contact%`, `$contact`."""
    names = "|".join(sorted(map(re.escape, variables), key=len, reverse=True))
    meant = re.compile(rf"(?:\$?\{{|\[|<|%)[ ]?({names})[ ]?(?:\}}|\]|>|%)|\$({names})\b", re.IGNORECASE)
    before = False
    for number, piece in enumerate(pieces):
        after = number + 1 < len(pieces) and pieces[number + 1].is_value
        if not piece.is_value:
            for found in meant.finditer(piece.text):
                name = (found[1] or found[2]).lower()
                line = piece.line + piece.text.count("\n", 0, found.start())
                what = f"'{found[0]}' is sent as it is (the variable is written {{{{ {name} }}}})"
                yield Slip(line, _shown(piece.text, found.start()), what, is_written=False)
            begins, ends = before and re.match(r"\}(?!\})", piece.text), after and re.search(r"(?<!\{)\{\Z", piece.text)
            if begins or ends:
                line = piece.line if begins else piece.line + piece.text.count("\n")
                shown = "".join(each.text for each in pieces[max(number - 1, 0) : number + 2])
                place = len(pieces[number - 1].text) if begins else shown.rfind("{")
                yield Slip(line, _shown(shown, place), _BRACES, is_written=False)
        before = piece.is_value


def _origin(pieces: Sequence[Piece], start: int, end: int) -> tuple[bool, bool]:
    """Whether what stands there stands so in the template, with a letter on either side; whether it is all of a value.

    Without the letters it would not be seen that something beside it is left out.
    """
    at, last = 0, sum(len(piece.text) for piece in pieces)
    is_written = False
    for piece in pieces:
        until = at + len(piece.text)
        if piece.is_value and at <= start < end <= until:
            return False, True
        if piece.is_value and at == until and start <= at <= end:
            return False, False
        is_written = is_written or (not piece.is_value and at < start and min(end + 1, last) <= until)
        at = until
    return is_written, False


def _line(pieces: Sequence[Piece], start: int, end: int) -> int:
    """The line of the template: of the value that is empty there, else of the third line end, else of the beginning."""
    text = "".join(piece.text for piece in pieces)
    if (ends := [place for place in range(start, end) if text[place] == "\n"])[2:]:
        start = ends[2]
    at = 0
    found = None
    for piece in pieces:
        if piece.is_value and piece.text == "" and start <= at <= end:
            return piece.line
        if found is None and at <= start < at + len(piece.text):
            found = piece.line + (0 if piece.is_value else piece.text.count("\n", 0, start - at))
        at += len(piece.text)
    return found or 1


def _shown(text: str, place: int) -> str:
    """The line at that place, or what of it stands around, its spaces as they are."""
    begin, end = text.rfind("\n", 0, place) + 1, text.find("\n", place)
    line = text[begin : end if end >= 0 else len(text)]
    if len(line) <= SHOWN_CHARACTERS:
        return line.rstrip()
    first = max(place - begin - SHOWN_CHARACTERS // 2, 0)
    cut = line[first : first + SHOWN_CHARACTERS]
    return f"{'…' if first > 0 else ''}{cut}{'…' if first + SHOWN_CHARACTERS < len(line) else ''}"
