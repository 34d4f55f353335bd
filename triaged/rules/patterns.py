"""Patterns of the rules and a text in, where each of them is found out; time grows with the text's length only (RE2).

RE2 knows no step back, so no pattern and no mail can make it take forever. Beside RE2's own language: case makes no
difference, `^` and `$` are the start and end of a line, `\\w` knows ä, ñ and Ж, any blank is a space and any quote is
straight. (`\\b` is RE2's own and knows a–z only.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import re2

MAX_LENGTH = 1_000
"""Characters of a pattern."""
MAX_STEPS = 2_000
"""RE2 instructions of a pattern. The slowest text takes about 4 ns for each of its characters and each instruction."""
MAX_MEMORY_BYTES = 1 << 20
"""That RE2 may use for one pattern and what it remembers of texts; with less it reads on, more slowly."""
MAX_TOGETHER = 5_000
"""Patterns in one filter, which has 8 MB; 10,000 of two words each were found to fit, 50,000 not (2026-11-29)."""
MAX_TEXT = 100_000
"""Characters of a text that are read."""
MAX_PLACES = 3
"""Places kept of each pattern."""

Places = tuple[tuple[str, int, int], ...]
"""Words as they stand in the text, start, end (characters, end exclusive); by start, they do not overlap."""

_LETTERS = r"0-9A-Za-z_\x{aa}\x{b5}\x{ba}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{52f}"
"""Latin, Greek and Cyrillic. All of Unicode (`\\pL`) would take a hundred times the instructions."""
_SIGNS = {ord(sign): "'" for sign in "‘’´`"} | {ord(sign): '"' for sign in "“”„"} | {ord("\r"): "\n"}
_SIGNS |= {ord(sign): " " for sign in "\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000"}
_MARK = "\U000f1a2d\U000f1a2e"
"""Put below each text and looked for with the patterns; when it is not found, RE2 gave up. Of Unicode's private use."""
_PIECE = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|.", re.DOTALL)
"""One piece of a pattern: a quotation, an escape, a class in brackets, a sign."""
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class PatternIndex:
    """Patterns compiled once. Each must be one in which `problem` finds none. Raises: ValueError.

    All patterns are looked for at once: RE2's filter finds the letters that each of them cannot do without, and only
    patterns whose letters are there are tried. Measured 2026-11-29 on mails of 1–3 KB: a thousand patterns cost
    0.4 ms a mail; in one RE2 set they cost 11 ms, because its automaton outgrows any memory.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        wanted = tuple(dict.fromkeys(patterns))
        for pattern in wanted:
            if (wrong := problem(pattern)) is not None:
                raise ValueError(f"'{pattern}' {wrong}")
        self._filters = [
            each
            for start in range(0, len(wanted), MAX_TOGETHER)
            for each in _filters(wanted[start : start + MAX_TOGETHER])
        ]

    def find(self, text: str) -> Mapping[str, Places]:
        """Each pattern that is found in the first 100,000 characters, with its first three places; never raises."""
        octets = text[:MAX_TEXT].translate(_SIGNS).encode("utf-8", "replace")
        spans = {
            pattern: [match.span() for match in islice(compiled.finditer(octets), MAX_PLACES)]
            for patterns, index in self._filters
            for pattern, compiled in _candidates(patterns, index, octets)
        }
        at = _characters(octets, {offset for found in spans.values() for span in found for offset in span})
        places = {
            pattern: tuple((text[at[start] : at[end]], at[start], at[end]) for start, end in found if start < end)
            for pattern, found in spans.items()
        }
        return {pattern: found for pattern, found in places.items() if len(found) > 0}


def _filters(patterns: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """Patterns with a filter over them in their order, the mark last; several when they do not fit into one."""
    index = re2.Filter()
    for pattern in (*patterns, _MARK):
        index.Add(_prepared(pattern), _options())
    try:
        index.Compile()
        fits = index.Match(_MARK.encode()) == [len(patterns)]
    except re2.error:
        fits = False
    if fits or len(patterns) == 1:
        return [(patterns, index if fits else None)]
    half = len(patterns) // 2
    return _filters(patterns[:half]) + _filters(patterns[half:])


def _candidates(patterns: tuple[str, ...], index: Any, octets: bytes) -> list[tuple[str, Any]]:
    """Patterns that may be in the text, compiled: all that are, rarely one more.

    RE2's filter says nothing when its memory does not do; without the mark among what it found, all are candidates.
    """
    found = None if index is None else index.Match(octets + b"\n" + _MARK.encode())
    if found is None or found[-1] != len(patterns):
        return [(pattern, _compiled(_prepared(pattern))) for pattern in patterns]
    return [(patterns[number], index.re(number)) for number in found[:-1]]


def _characters(octets: bytes, offsets: set[int]) -> dict[int, int]:
    """Each offset in UTF-8 as a count of characters, in one pass."""
    if octets.isascii():
        return {offset: offset for offset in offsets}
    counted, last, characters = {}, 0, 0
    for offset in sorted(offsets):
        characters += len(octets[last:offset].decode())
        counted[offset] = characters
        last = offset
    return counted


# --- what a pattern must be ------------------------------------------------------------------------------------


def problem(pattern: str) -> str | None:
    """Why a pattern cannot be used and what to write instead, to be read behind the pattern; None when it can."""
    if len(pattern) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH:,} characters; make two patterns of it"
    for refuse in (_signs, _unknown, _syntax, _border, _size, _emptiness):
        if (wrong := refuse(pattern)) is not None:
            return wrong
    return None


def _signs(pattern: str) -> str | None:
    if pattern.strip() == "":
        return "is empty; write what is to be found"
    if "\b" in pattern:
        return "holds a backspace, which is what \\b means in \"double quotes\"; put the pattern in 'single quotes'"
    if any("\ud800" <= sign <= "\udfff" for sign in pattern):
        return "holds half a character; write it anew"
    return None


_UNKNOWN = (
    (
        re.compile(r"\(\?<?[=!]"),
        "looks ahead or behind with {0}…), which RE2 does not know because a hostile mail could make it take forever; "
        "write what must not be there as unless.pattern",
    ),
    (
        re.compile(r"\(\?P=|\(\?P>|\(\?\("),
        "refers to what a group found with {0}…), which RE2 does not know because a hostile mail could make it take "
        "forever; write the words out",
    ),
    (re.compile(r"\(\?#"), "holds a comment (?#…), which RE2 does not know; write it above the line, after #"),
    (re.compile(r"\(\?>"), "holds (?>…), which RE2 does not know and does not need; write (?:…)"),
    (
        re.compile(r"\(\?[a-zA-Z]*-?[a-zA-Z]*[mU][a-zA-Z-]*[:)]"),
        "changes how lines are read with {0}; ^ and $ are always the start and the end of a line, take it out",
    ),
)
_UNKNOWN_ESCAPES = {
    "C": "holds \\C, half a character; write . for any character",
    "z": "holds \\z, the end of the mail, which is never the end of what somebody wrote; write $, the end of a line",
    "Z": "holds \\Z, the end of the mail, which is never the end of what somebody wrote; write $, the end of a line",
    "K": "holds \\K, which RE2 does not know; write the whole text that is to be found",
    "R": "holds \\R, which RE2 does not know; write \\n for the end of a line",
    "h": "holds \\h, which RE2 does not know; write \\s for a blank",
    "X": "holds \\X, which RE2 does not know; write . for any character",
    "u": "holds \\u, which RE2 does not know; write the letter itself, or \\x{{e4}} for ä",
    "N": "holds \\N, which RE2 does not know; write the letter itself, or [^\\n] for anything but a line's end",
}
_REFERENCE = (
    "refers to what a group found with {0}, which RE2 does not know because a hostile mail could make it take forever; "
    "write the words out"
)


def _unknown(pattern: str) -> str | None:
    """What other regular expressions know and RE2 does not, or what makes no sense here."""
    pieces = _PIECE.findall(pattern)
    for piece in pieces:
        letter = piece[1:2] if piece.startswith("\\") else ""
        if (letter.isdigit() and letter != "0") or letter in ("k", "g"):
            return _REFERENCE.format(piece)
        if letter in _UNKNOWN_ESCAPES:
            return _UNKNOWN_ESCAPES[letter].format()
        if piece.startswith("[") and "W" in _ESCAPE.findall(piece):
            return r"has \W inside of [ ]; write [^\w …] with ^ in front, or \W outside"
    plain = "".join(piece if len(piece) == 1 else "\\." for piece in pieces)
    for known, sentence in _UNKNOWN:
        if (found := known.search(plain)) is not None:
            return sentence.format(found[0])
    return None


_SYNTAX: tuple[tuple[str, str], ...] = (
    ("missing )", "has a ( without its ); add the ), or write \\( for the sign itself"),
    ("unexpected )", "has a ) without its (; add the (, or write \\) for the sign itself"),
    ("missing ]", "has a [ without its ]; add the ], or write \\[ for the sign itself"),
    ("no argument for repetition", "repeats nothing: in front of {0} something must stand; write \\{0} for the sign"),
    ("bad repetition operator", "repeats what is repeated already ({0}); leave one of them"),
    ("invalid repetition size", "cannot repeat {0}; the smaller number comes first, and 1,000 is the most in all"),
    ("trailing \\", "ends with a single \\; write \\\\ for the sign itself"),
    ("invalid escape sequence", "holds {0}, which means nothing to RE2; write the sign without the \\"),
    ("invalid character class range", "holds {0}, which is no range or kind of characters; write for example [a-z]"),
    ("invalid named capture group", "names a group in a wrong way ({0}); write (?:…), a name is not needed"),
    ("invalid perl operator", "holds {0}…, which RE2 does not know; for a group write (?:…), for a ? itself \\?"),
    ("expression nests too deeply", "has too many brackets within brackets; make two patterns of it"),
)


def _syntax(pattern: str) -> str | None:
    try:
        _compiled(f"(?m){pattern.translate(_SIGNS)}")
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error.args[0])
        for known, sentence in _SYNTAX:
            if said.startswith(known):
                return sentence.format(said.partition(": ")[2])
        return _TOO_LARGE if "too large" in said else f"cannot be read ({said}); compare it with the examples in rules"
    return None


_BEFORE = re.compile(r"\\[bB](?:\((?:\?:)?(?:[^()]*\|)?)?([^\x00-\x7f])")
_BEHIND = re.compile(r"([^\x00-\x7f])(?:(?:\|[^()]*)?\))?\\[bB]")


def _border(pattern: str) -> str | None:
    """RE2's `\\b` takes ü for no letter, so it would never hold where it is wanted."""
    before, behind = _BEFORE.search(pattern), _BEHIND.search(pattern)
    if before is not None and before[1].isalpha():
        return f"has \\b in front of '{before[1]}', but \\b knows only the letters a to z; write (?:^|\\W) instead"
    if behind is not None and behind[1].isalpha():
        return f"has \\b after '{behind[1]}', but \\b knows only the letters a to z; write (?:\\W|$) instead"
    return None


_TOO_LARGE = (
    "is too large, mostly because of long repetitions like {1,500}; write a shorter one, or + or *, "
    "or \\w in place of \\p{…}"
)


def _size(pattern: str) -> str | None:
    try:
        compiled = _compiled(_prepared(pattern))
    except re2.error:
        return _TOO_LARGE
    return _TOO_LARGE if max(compiled.programsize, compiled.reverseprogramsize) > MAX_STEPS else None


_SAMPLES = tuple(sample.encode() for sample in ("", "a", "ab cd\n\nef. 7", "?", "é"))
_MAILS = tuple(sample.encode() for sample in ("The box is red", "Munch my fudge", "Klar, gut, komm"))
"""No two have a word in common; the first and the others hardly a letter."""


def _emptiness(pattern: str) -> str | None:
    """What holds for every mail is no condition."""
    compiled = _compiled(_prepared(pattern))
    if any(match.start() == match.end() for sample in _SAMPLES for match in islice(compiled.finditer(sample), 20)):
        return (
            "would hold for every mail, for it can also match without any words; name the words that must be there "
            "and take * or ? from behind them"
        )
    if all(compiled.search(sample) is not None for sample in _MAILS):
        return "would hold for nearly every mail; name the words or signs that must be there"
    return None


# --- for RE2 ---------------------------------------------------------------------------------------------------


def _prepared(pattern: str) -> str:
    return "(?m)" + "".join(_with_letters(piece) for piece in _PIECE.findall(pattern.translate(_SIGNS)))


def _with_letters(piece: str) -> str:
    """`\\w` and `\\W` with all letters, within brackets too."""
    if piece in (r"\w", r"\W"):
        return f"[{_LETTERS}]" if piece == r"\w" else f"[^{_LETTERS}]"
    if piece.startswith("[") and len(piece) > 1:
        return _ESCAPE.sub(lambda found: _LETTERS if found[1] == "w" else found[0], piece)
    return piece


def _options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.never_capture = True
    options.log_errors = False
    options.max_mem = MAX_MEMORY_BYTES
    return options


def _compiled(pattern: str) -> Any:
    """Made of octets, so that it reads octets and gives their offsets. Raises: re2.error."""
    return re2.compile(pattern.encode("utf-8", "replace"), _options())
