"""The parts of a mail in, the calendar object that came with it out, as text (RFC 6047)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from triaged.mail import mime
from triaged.mail.charset import decode
from triaged.mail.mime import Part

MAX_CALENDAR_BYTES = 262_144
"""Decoded; an invitation has 1 to 5 kB, and `calls.lines` reads no more."""

_FOLD = re.compile(rb"\r?\n[ \t]")
"""Taken out before the charset is read: some programs fold in the middle of a letter (RFC 5545 3.1)."""


def calendar_of(own: Sequence[Part], defects: list[str]) -> tuple[str, str]:
    """The text of the mail's calendar object and the method its part names (upper case); both `""` where none is.

    own: the parts of the mail itself: what a delivery report encloses is our own invitation, and asks us nothing.
    A text/calendar part counts before an attached file, as in mail programs that send both.
    """
    leaves = [part for part in own if not part.children and is_calendar(part)]
    part = next((each for each in leaves if each.content_type == "text/calendar"), leaves[0] if leaves else None)
    if part is None:
        return "", ""
    octets = mime.decoded(part, most=MAX_CALENDAR_BYTES + 1)
    if len(octets) > MAX_CALENDAR_BYTES:
        defects.append("the calendar object is over the limit")
        return "", ""
    text, defect = decode(_FOLD.sub(b"", octets), part.parameters.get("charset", "") or "utf-8")
    if defect:
        defects.append(defect)
    return text, part.parameters.get("method", "").strip().upper()


def is_calendar(part: Part) -> bool:
    """Whether it is a calendar object, or a file that calls itself one."""
    return part.content_type in ("text/calendar", "application/ics") or part.filename.lower().endswith(".ics")
