"""Moments, spans and categories in, as people read them on a page out: the filters of the pages' templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from triaged.model import Evidence, Message

KNOWN = ("request", "complaint", "renewal")
"""Categories that have a colour of their own."""


def filters(zone: str, clock: Callable[[], datetime]) -> dict[str, Callable[..., Any]]:
    """By name; zone: of the desk (IANA)."""
    return {
        "when": lambda moment: when(moment, zone=zone, now=clock()),
        "day": lambda moment: moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d"),
        "weekday": lambda moment: f"{moment.astimezone(ZoneInfo(zone)):%A, %d %B %Y}",
        "ago": lambda moment: span_words(clock() - moment),
        "span": span_words,
        "category": category,
        "percent": lambda share: f"{share:.0%}".replace("%", " %"),
        "count": lambda number, one, many=None: counted(number, one, many),
        "clock": partial(_clock, zone),
        "kind": lambda kind: KINDS.get(kind, kind),
        "state": lambda state: STATES.get(state, state),
    }


def when(moment: datetime | None, *, zone: str, now: datetime) -> Markup:
    """A `time` element on the desk's wall clock: the hour today, else the day with it."""
    if moment is None:
        return Markup("–")
    local, today = moment.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    if local.date() == today:
        shown = f"{local:%H:%M}"
    elif local.year == today.year:
        shown = f"{local:%a %d %b %H:%M}"
    else:
        shown = f"{local:%Y-%m-%d %H:%M}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"), f"{local:%A, %d %B %Y, %H:%M %Z}", shown
    )


def span_words(span: timedelta) -> str:
    """`3 h`, `2 days`, `just now`; a negative one as its length."""
    minutes = abs(span).total_seconds() / 60
    if minutes < 1:
        return "just now"
    for size, one in ((1440, "day"), (60, "h"), (1, "min")):
        if minutes >= size * (2 if size == 1440 else 1):
            number = int(minutes // size)
            return f"{number} {one}{'s' if one == 'day' else ''}"
    return "1 min"


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 mail`, `3 mails`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def category(name: str) -> Markup:
    """A category as a badge."""
    colour = name if name in KNOWN else "other" if name == "other" else "own"
    return Markup('<span class="badge {}">{}</span>').format(colour, name)


def _clock(zone: str, moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%H:%M}"


KINDS = {
    "ack": "acknowledgement",
    "notify": "note to a colleague",
    "call": "call",
    "offer": "times for a call",
    "move": "move of a call",
    "cancel": "cancellation of a call",
    "release": "end of keeping times free",
    "invitation": "invitation",
    "mark": "mark in the mailbox",
    "file": "filing",
    "refile": "filing back",
    "ask": "question to a person",
}
"""Effects (`decision.Effect.kind`) in words."""
STATES = {
    "observed": "only observed",
    "held": "waits for approval",
    "owed": "about to be done",
    "doing": "being done",
    "done": "done",
    "person": "a person decides",
    "dropped": "not done",
}
"""Their states (`decision.EffectState`) in words."""


def marked(message: Message, evidence: Sequence[Evidence]) -> tuple[Markup, Markup]:
    """Subject and new text with the words that decided marked in them; each mark says what it spoke for and by what.

    Places overlap where several rules found the same words: the first that begins there counts.
    """
    judged, edge = message.judged, len(message.subject)
    sides, at = [Markup(), Markup()], 0
    for start, end, each in sorted(_places(evidence), key=lambda place: (place[0], -place[1])):
        if start < at or start >= end or start < edge < end:
            continue
        _add(sides, judged, at, start, edge)
        words = Markup('<mark title="{}">{}</mark>')
        sides[start >= edge] += words.format(f"{each.category} {each.weight:.2f} ({each.source})", judged[start:end])
        at = end
    _add(sides, judged, at, len(judged), edge)
    return sides[0], sides[1]


def _places(evidence: Sequence[Evidence]) -> Iterator[tuple[int, int, Evidence]]:
    for each in evidence:
        if each.start >= 0:
            yield from ((start, end, each) for start, end in each.marks or ((each.start, each.end),))


def _add(sides: list[Markup], judged: str, start: int, end: int, edge: int) -> None:
    """Plain text from start to end: what is before the edge to the subject, what is behind it to the text."""
    sides[0] += judged[start : min(end, edge)]
    sides[1] += judged[max(start, edge + 2) : end]
