"""The text of a mail goes in; what was written now, and apart from it quotes, footers and what was forwarded."""

from __future__ import annotations

import re

from triaged.mail.footers import MAX_FOOTER_LINES, Kind, adds_nothing, contact_lines, footer_kind, is_signature
from triaged.mail.history import RULE, Page, attribution_end, divider_end, is_quoted, next_is_quote, page_of

_MAX_LINES = 3_000
"""Lines looked at; what lies below counts as quoted: no person writes more, and 1 MB must take at most 200 ms."""
_MAX_FORWARDS = 4
"""Forwards within forwards whose quote marks are taken away."""
_WRITTEN = 600
"""Characters of what is known to be new that are kept: enough to see whether it adds anything to a forward."""
_MARKED_BY_NAME = re.compile(r"\s{0,8}[A-Za-z]{1,10}> ")
"""Quotes with the initials of who is quoted: "bl> old"."""
_LEAST_MARKED_BY_NAME = 3
_BROKEN_LINE = 65
"""Characters of a quoted line, at least, whose last words a mailer pushed into a line of its own without a mark."""


def split(text: str) -> tuple[str, str]:
    """(new text, quoted text), both `\\n` lines without empty lines around; new text is never empty if text is not.

    Answers between quotes stay new. A bare forward (nothing, or "FYI", above it) counts as its author's text.
    """
    lines = text.replace("\r\n", "\n").split("\n", _MAX_LINES)
    rest = lines.pop() if len(lines) > _MAX_LINES else ""
    lines = [line.rstrip() for line in lines]
    kept, quoted = _split(lines, forwards=0)
    if not any(kept):
        # Nothing but quotes or a signature: better judged whole than not at all.
        return _joined(lines) or rest.strip(), ""
    return _joined(kept), _joined([*quoted, *rest.split("\n")])


def _joined(lines: list[str]) -> str:
    squeezed: list[str] = []
    for line in lines:
        if line or (squeezed and squeezed[-1]):
            squeezed.append(line)
    return "\n".join(squeezed).strip("\n")


def _split(lines: list[str], *, forwards: int) -> tuple[list[str], list[str]]:
    """Lines that were written now, and the others. forwards: how many bare forwards these lines stand in."""
    page = page_of(lines)
    new, forwarded = _new_lines(page)
    _unmark_ends(lines, new)
    kept = [line for line, is_new in zip(lines, new, strict=True) if is_new]
    quoted = [line for line, is_new in zip(lines, new, strict=True) if not is_new]
    if forwarded and forwards < _MAX_FORWARDS and adds_nothing("\n".join(kept[:20])) and any(lines[forwarded:]):
        # A bare forward whose text carries marks of quotes: without them it is judged like a mail of its own.
        head = [line for line, is_new in zip(lines[:forwarded], new[:forwarded], strict=True) if not is_new]
        bare = [line.lstrip().removeprefix(">").removeprefix(" ") for line in lines[forwarded:]]
        within, below = _split(bare, forwards=forwards + 1)
        return [*kept, "", *within], [*head, *below]
    return kept, quoted


def _new_lines(page: Page) -> tuple[list[bool], int]:
    """For each line whether it was written now; and where a bare forward begins that carries marks of quotes, or 0."""
    new, lines, forwarded = _unmarked(page.raw), page.raw, 0
    written = ""
    index = 0
    while index < len(lines):
        if not new[index] or lines[index] == "":
            index += 1
        elif end := attribution_end(page, new, index):
            if not next_is_quote(page, end) and (written or not any(lines[end:])):
                return new[:index] + [False] * (len(lines) - index), forwarded
            new[index:end] = [False] * (end - index)
            index = end
        elif end := divider_end(page, index):
            if not adds_nothing(written):
                return new[:index] + [False] * (len(lines) - index), forwarded
            # A bare forward: its head is no one's text, what it forwards is judged like a mail of its own.
            new[index:end] = [False] * (end - index)
            forwarded = forwarded or (end if next_is_quote(page, end) else 0)
            index = end
        elif end := _footer_end(page, new, index, written=written != ""):
            new[index:end] = [False] * (end - index)
            index = end
        else:
            written = written if len(written) > _WRITTEN else f"{written}\n{page.looked[index]}"
            index += 1
    return new, forwarded


def _unmarked(lines: list[str]) -> list[bool]:
    """For each line whether it carries no mark of quotes and is no rest of a line that does."""
    new = [not is_quoted(line) for line in lines]
    names: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        if (found := _MARKED_BY_NAME.match(line)) is not None:
            names.setdefault(found[0].strip(), []).append(index)
    for indices in names.values():
        if len(indices) >= _LEAST_MARKED_BY_NAME:
            for index in indices:
                new[index] = False
    for index in range(1, len(lines) - 1):
        long, short = lines[index - 1], lines[index]
        if short and new[index] and not new[index - 1] and not new[index + 1]:
            new[index] = len(long) < _BROKEN_LINE or len(short) > 25 or short[0].isupper()
    return new


def _footer_end(page: Page, new: list[bool], index: int, *, written: bool) -> int:
    """Behind the footer that begins here, 0 if none does; it ends where a quote or an older mail begins."""
    kind = footer_kind(page, index, written=written)
    if kind in ("", "line"):
        return index + 1 if kind == "line" else 0
    end = _stretch_end(page, new, index, kind=kind)
    if kind == "rest" and sum(map(bool, page.looked[index:end])) > MAX_FOOTER_LINES:
        return 0 if is_signature(page, index) else _stretch_end(page, new, index, kind="paragraph")
    return end


def _stretch_end(page: Page, new: list[bool], index: int, *, kind: Kind) -> int:
    at = index + 1
    while at < len(page.raw) and new[at]:
        if page.looked[at] == "":
            if kind == "paragraph":
                break
        elif attribution_end(page, new, at) or divider_end(page, at):
            break
        at += 1
    return at


def _unmark_ends(lines: list[str], new: list[bool]) -> None:
    """Take rules, and people's titles, firms and numbers, away from the end of each run of new lines."""
    start = 0
    for index in range(len(lines) + 1):
        if index < len(lines) and new[index]:
            continue
        end = index
        while end > start and (lines[end - 1] == "" or RULE.fullmatch(lines[end - 1].strip()) is not None):
            end -= 1
            new[end] = lines[end] == ""
        for at in contact_lines(lines[start:end]):
            new[start + at] = False
        start = index + 1
