"""The items of a clause in, out its terms: the days, clock times, spans and slots that their words make up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from triaged.calls.lexicon import Item
from triaged.calls.said import Clock, Day, Term, Value

ADJACENT: Final = 3
"""Characters between "option" and its number ("Nr. 2"); "the slot on 3 December" is no number of a slot."""

_BEFORE_CLOCK: Final = frozenset(("at", "after", "before", "until", "between", "instead"))
_JOINS: Final = frozenset(("through", "dash", "or", "and", "until", "at"))


def terms(items: Sequence[Item], *, minutes: int, language: str) -> list[Term]:
    """In order; a word that is part of no time is a term of its own, of its kind. minutes: how long a call is."""
    known = [item for item in items if item.kind != "plain"]
    for edge in range(len(known) - 2):
        if [item.kind for item in known[edge : edge + 3]] == ["edge", "weekday", "part"]:
            known[edge], known[edge + 1] = known[edge + 1], known[edge]  # "late Friday afternoon"
    found: list[Term] = []
    place = 0
    while place < len(known):
        term, size = (
            _date(known, place, found, language)
            or _length(known, place, found, minutes)
            or _clock(known, place, found)
            or _weekday(known, place)
            or _edge(known, place)
            or _slot(known, place)
            or _single(known, place, found)
        )
        if term is not None:
            if term.kind == "delta" and found and found[-1].kind == "in":
                found.pop()
            found.append(term)
        place += size
    return found


Read = tuple[Term | None, int]


def _kind(items: Sequence[Item], place: int) -> str:
    return items[place].kind if 0 <= place < len(items) else ""


def _made(items: Sequence[Item], place: int, size: int, kind: str, value: Value, extra: int | None = None) -> Read:
    return Term(kind, value, items[place].start, items[place + size - 1].end, extra), size


def _date(items: Sequence[Item], place: int, found: list[Term], language: str) -> Read | None:
    item = items[place]
    before = next((term.kind for term in reversed(found) if term.kind != "comma"), "")
    if item.kind == "iso":
        year, month, day = (int(piece) for piece in item.text[:10].split("-"))
        return _made(items, place, 1, "day", Day(date=(day, month, year)))
    if item.kind == "slashed":
        day, month, year = _pieces(item.text, "/")
        if month > 12 and language == "en":
            day, month = month, day
        either = language == "en" and day <= 12 and month <= 12 and day != month
        return _made(items, place, 1, "day", Day(date=(day, month, year), either=either))
    if item.kind == "dotted":
        return _dotted(items, place, before)
    if item.kind in ("number", "nth") and _kind(items, place + 1) == "month":
        year, size = _year(items, place + 2)
        return _made(items, place, 2 + size, "day", Day(date=(item.value, items[place + 1].value, year)))
    if item.kind == "month" and _kind(items, place + 1) in ("number", "nth") and not _is_hour(items, place + 1):
        year, size = _year(items, place + 2)
        return _made(items, place, 2 + size, "day", Day(date=(items[place + 1].value, item.value, year)))
    if item.kind == "thedate" and _kind(items, place + 1) in ("number", "nth") and not _is_hour(items, place + 1):
        if _kind(items, place + 2) == "month":
            year, size = _year(items, place + 3)
            return _made(
                items, place, 3 + size, "day", Day(date=(items[place + 1].value, items[place + 2].value, year))
            )
        if _kind(items, place + 2) not in ("slot", "?"):
            return _made(items, place, 2, "day", Day(date=(items[place + 1].value, 0, 0)))
    says_hour = _kind(items, place + 1) in ("at", "clock", "part") or (
        _kind(items, place + 1) == "number" and _is_hour(items, place + 1)
    )
    is_bare = item.kind == "number" and item.text.isdecimal() and not _is_hour(items, place)
    if is_bare and says_hour and _kind(items, place - 1) == "weekday":
        return _made(items, place, 1, "day", Day(date=(item.value, 0, 0)))
    if item.kind == "nth" and before == "day":
        return _made(items, place, 1, "day", Day(date=(item.value, 0, 0)))
    return None


def _year(items: Sequence[Item], place: int) -> tuple[int, int]:
    text = items[place].text if _kind(items, place) == "digits" else ""
    return (int(text), 1) if len(text) == 4 and text.isdecimal() else (0, 0)


def _pieces(text: str, mark: str) -> tuple[int, int, int]:
    first, second, *rest = (piece for piece in text.split(mark) if piece != "")
    year = int(rest[0]) if rest else 0
    return int(first), int(second), year + 2000 if 0 < year < 100 else year


def _dotted(items: Sequence[Item], place: int, before: str) -> Read:
    """ "3.12.", "3.12.2026" are dates, "14.30" with a word like "at" or "Uhr" a time; the rest is not clear."""
    text = items[place].text
    first, second, year = _pieces(text, ".")
    minute = text.split(".")[1]
    is_time = first < 24 and second < 60 and len(minute) == 2 and text.count(".") == 1
    says_hour = _kind(items, place + 1) in ("hour", "half")
    if is_time and (before in _BEFORE_CLOCK or says_hour or second > 12):
        size, half = 1, None
        while _kind(items, place + size) in ("hour", "half"):
            half = items[place + size].value if _kind(items, place + size) == "half" else half
            size += 1
        return _made(items, place, size, "clock", _on_clock(first, second, half, minute_text=text))
    if (text.count(".") == 2 or before in ("day", "weekday", "thedate")) and 1 <= second <= 12:
        return _made(items, place, 1, "day", Day(date=(first, second, year)))
    return _made(items, place, 1, "unclear", None)


def _is_hour(items: Sequence[Item], place: int) -> bool:
    return _kind(items, place + 1) in ("hour", "half", "tail")


def _clock(items: Sequence[Item], place: int, found: list[Term]) -> Read | None:
    item = items[place]
    if item.kind == "noon":
        tail = items[place + 1].value if _kind(items, place + 1) == "tail" else None
        return _made(items, place, 1 if tail is None else 2, "clock", _shifted(12, tail or 0, exact=True))
    if item.kind == "shift" and _kind(items, place + 1) == "number":
        return _hour(items, place + 1, place, shift=item.value)
    if item.kind == "clock":
        hour, minute = (int(piece) for piece in item.text.replace("h", ":").split(":"))
        size, half = 1, None
        while _kind(items, place + size) in ("hour", "half"):
            half = items[place + size].value if _kind(items, place + size) == "half" else half
            size += 1
        return _made(items, place, size, "clock", _on_clock(hour, minute, half, minute_text=item.text))
    if item.kind == "number" and (_is_hour(items, place) or _is_said_as_hour(items, place, found)):
        return _hour(items, place, place, shift=0)
    return None


def _is_said_as_hour(items: Sequence[Item], place: int, found: list[Term]) -> bool:
    if _kind(items, place + 1) in ("minutes", "hours", "days", "weeks", "?", "digits", "number", "slot", "month"):
        return False
    before = found[-1].kind if found else ""
    if before in _BEFORE_CLOCK:
        return True
    if before == "except" and _kind(items, place + 1) == "through" and _kind(items, place + 2) == "number":
        return True  # "except 12 to 1"; "except 2" may be a slot
    if before in _JOINS and len(found) > 1 and found[-2].kind == "clock":
        return True
    if _kind(items, place + 1) in _JOINS - {"at"}:
        second = place + 2
        if _kind(items, second) == "clock":
            return True
        return _kind(items, second) == "number" and _is_hour(items, second)
    return False


def _hour(items: Sequence[Item], place: int, since: int, *, shift: int) -> Read:
    """An hour's word with what follows it: "Uhr 30", "o'clock", "pm", "heures et demie"."""
    hour, minute, half = items[place].value, shift, None
    size = 1
    while (kind := _kind(items, place + size)) in ("hour", "half", "tail"):
        value = items[place + size].value
        half = value if kind == "half" else half
        minute = value if kind == "tail" else minute
        size += 1
        if kind == "hour" and _is_minute(items, place + size):
            minute = items[place + size].value
            size += 1
    clock = _on_clock(hour, 0, half, minute_text=items[place].text)
    if clock is None:
        return _made(items, since, size + place - since, "unclear", None)
    moved = _shifted(clock.hour, minute, exact=clock.exact)
    return _made(items, since, size + place - since, "clock", moved)


def _is_minute(items: Sequence[Item], place: int) -> bool:
    """ "15 Uhr 30"."""
    two_digits = _kind(items, place) == "number" and items[place].text.isdecimal() and len(items[place].text) == 2
    return two_digits and not _is_hour(items, place)


def _on_clock(hour: int, minute: int, half: int | None, *, minute_text: str) -> Clock | None:
    """None for what no clock shows. half: 0 for am, 12 for pm."""
    if minute > 59 or hour > 24 or (hour == 24 and minute > 0):
        return None
    if half is not None:
        return Clock(hour % 12 + half, minute, exact=True) if 1 <= hour <= 12 else None
    return Clock(hour % 24, minute, exact=hour > 12 or hour == 0 or minute_text.startswith("0"))


def _shifted(hour: int, minute: int, *, exact: bool) -> Clock:
    """minute: may be negative; on a twelve-hour clock a quarter to one is 12:45."""
    total = hour * 60 + minute
    hour = total // 60
    if not exact and hour < 1:
        hour += 12
    return Clock(hour % 24, total % 60, exact)


def _length(items: Sequence[Item], place: int, found: list[Term], minutes: int) -> Read | None:
    """ "in an hour", "30 minutes": a time from now, or how long; that only counts when it is longer than a call."""
    item = items[place]
    within = bool(found) and found[-1].kind == "in"
    length, size = None, 0
    if item.kind == "halfhour":
        length, size = 30, 1
    elif item.kind == "number" and _kind(items, place + 1) == "minutes":
        length, size = item.value, 2
    elif item.kind == "number" and (
        _kind(items, place + 1) == "hours" or (within and _kind(items, place + 1) == "hour")
    ):
        length, size = item.value * 60, 2
    elif item.kind == "number" and within and _kind(items, place + 1) == "days":
        return _made(items, place, 2, "delta", Day(offset=item.value))
    elif item.kind == "number" and _kind(items, place + 1) == "hour" and _kind(items, place + 2) == "later":
        length, size = item.value * 60, 2
    elif item.kind == "nextday":
        return _made(items, place, 1, "moved", 24 * 60)
    if length is None:
        return None
    if _kind(items, place + size) == "later":
        return _made(items, place, size + 1, "moved", length * items[place + size].value)
    if within:
        return _made(items, place, size, "delta", length)
    return (None, size) if length <= minutes else _made(items, place, size, "unclear", None)


_HOW: Final[dict[str, Literal["next", "coming", "this"]]] = {"next": "next", "coming": "coming", "this": "this"}


def _weekday(items: Sequence[Item], place: int) -> Read | None:
    kind, after = _kind(items, place), _kind(items, place + 1)
    if kind in _HOW and after == "weekday":
        return _made(items, place, 2, "day", Day(weekday=items[place + 1].value, how=_HOW[kind]))
    if kind == "weekday" and after == "coming":
        return _made(items, place, 2, "day", Day(weekday=items[place].value, how="coming"))
    if (kind == "last" and after in ("weekday", "week", "month", "part")) or (kind == "weekday" and after == "last"):
        return _made(items, place, 2, "gone", None)
    if kind == "weekday":
        return _made(items, place, 1, "day", Day(weekday=items[place].value))
    if kind == "day":
        item = items[place]
        if item.text == "morgen" and _kind(items, place - 1) in ("weekday", "day"):
            return _made(items, place, 1, "part", 0)
        return _made(items, place, 1, "day", Day(offset=item.value))
    if kind == "week":
        edge = items[place + 1].value if after == "edge" else None
        return _made(items, place, 1 if edge is None else 2, "day", Day(week=items[place].value, edge=edge))
    return None


def _edge(items: Sequence[Item], place: int) -> Read | None:
    kind, after = _kind(items, place), _kind(items, place + 1)
    if kind == "edge" and after in ("week", "theweek"):
        return _made(items, place, 2, "day", Day(week=items[place + 1].value, edge=items[place].value))
    if kind == "edge" and after == "part":
        return _made(items, place, 2, "part", items[place + 1].value, items[place].value)
    if kind == "edge" and items[place].text == "früh" and _kind(items, place - 1) in ("weekday", "day"):
        return _made(items, place, 1, "part", 0)
    if kind == "this" and after == "part":
        return _made(items, place, 1, "day", Day(offset=0))
    return None


def _slot(items: Sequence[Item], place: int) -> Read | None:
    """ "the second one", "option 2", "#2", "the last"."""
    item, after = items[place], _kind(items, place + 1)
    named = after == "slot" or after == "talk" or (after == "number" and items[place + 1].value == 1)
    if item.kind == "ordinal" or item.kind == "last":
        value = -1 if item.kind == "last" else item.value
        return _made(items, place, 2 if named else 1, "slot", value)
    if item.kind == "nth":
        return _made(items, place, 2, "slot", item.value) if named else _made(items, place, 1, "nth", item.value)
    if item.kind not in ("slot", "talk") or after == "" or items[place + 1].start - item.end > ADJACENT:
        return None
    if after == "slot" and _kind(items, place + 2) == "number":
        return _made(items, place, 3, "slot", items[place + 2].value)
    if after == "number" and not _is_hour(items, place + 1) and _kind(items, place + 2) != "month":
        return _made(items, place, 2, "slot", items[place + 1].value)
    return None


def _single(items: Sequence[Item], place: int, found: list[Term]) -> Read:
    item = items[place]
    if item.kind == "number" and item.value == 1 and not item.text.isdecimal():
        return None, 1
    if item.kind == "number" and found and found[-1].kind == "slot":
        return None, 1
    if item.kind == "part":
        return _made(items, place, 1, "part", item.value)
    if item.kind in ("zone", "unclear"):
        return _made(items, place, 1, item.kind, item.value)
    return _made(items, place, 1, item.kind, None, item.value)
