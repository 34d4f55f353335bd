"""Moments, spans and categories in, as people read them on a page out: the filters of the pages' templates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

KNOWN = ("request", "complaint", "renewal")
"""Categories that have a colour of their own."""


def filters(zone: str, clock: Callable[[], datetime]) -> dict[str, Callable[..., Any]]:
    """By name; zone: of the desk (IANA)."""
    return {
        "when": lambda moment: when(moment, zone=zone, now=clock()),
        "day": lambda moment: moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d"),
        "ago": lambda moment: span_words(clock() - moment),
        "span": span_words,
        "category": category,
        "percent": lambda share: f"{share:.0%}".replace("%", " %"),
        "count": lambda number, one, many=None: counted(number, one, many),
        "clock": partial(_clock, zone),
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
