"""An aspect of a mail that would be otherwise in, its words for a person out, the same on the terminal and the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from triaged.terminal import wall
from triaged.whatif.consequences import WhatIf
from triaged.whatif.difference import TIMES, Aspect

TITLES: Mapping[str, str] = {
    "acknowledge": "acknowledgement",
    "assign": "assigned to",
    "call by": "call until",
    "due": "answer due",
    "escalate": "escalated to",
    "file": "filed in",
    "notify": "colleagues told",
    "signal": "signals of risk",
    "sure": "certainty",
    "tag": "tags",
    "wording": "words to the client",
}
"""What an aspect is called, where that is not its name."""


def title(aspect: Aspect) -> str:
    """What it is called."""
    return TITLES.get(aspect.name, aspect.name)


def shown(aspect: Aspect, *, zone: str) -> tuple[str, str]:
    """What was, and what would be."""
    was, would = (_values(aspect.name, side, zone) for side in (aspect.was, aspect.would))
    return was, would


def _values(name: str, values: tuple[str, ...], zone: str) -> str:
    if name in TIMES:
        values = tuple(wall(datetime.fromisoformat(each), zone) for each in values)
    if name == "wording":
        return f"“{values[0].strip()}”" if values[0].strip() != "" else "nothing"
    return ", ".join(values) or "none"


def because(aspect: Aspect) -> str:
    """The rules that say so: those of before → those that would; `""` where no rule makes the difference."""
    was, would = ("; ".join(side) for side in (aspect.was_by, aspect.would_by))
    return was or would if was == would or "" in (was, would) else f"{was} → {would}"


def headline(answer: WhatIf) -> str:
    """How many mails would be decided otherwise, in a sentence or two."""
    found = answer.found
    changed = len(found.changes)
    if changed == 0:
        told = f"None of {found.mails} mails would be decided otherwise."
    else:
        told = f"{changed} of {found.mails} mails would be decided otherwise."
    if found.anew > 0:
        told += f" Of {found.anew} mails the log does not hold what was known then: they were judged anew, for both."
    return told


def not_taken(answer: WhatIf) -> str:
    """That the edited set would not be taken, in a sentence; `""` when it would."""
    if len(answer.broken) == 0:
        return ""
    count = len(answer.broken)
    many = "an example does" if count == 1 else f"{count} examples do"
    return f"The edited rules would not be taken: {many} not come out as written."


def edited(answer: WhatIf) -> str:
    """Which files were edited, in a sentence."""
    if len(answer.files) == 0:
        return "The files are those in use; none was edited."
    return f"Edited: {'; '.join(each.words for each in answer.files)}."
