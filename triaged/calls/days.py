"""A time as it is said in, out the windows that it means, in UTC; Unclear where it means two or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from triaged.calls.said import Ask, Clock, Day
from triaged.calls.words import ZONES
from triaged.model import Interval

PARTS: Final = ((8 * 60, 12 * 60), (13 * 60, 18 * 60), (18 * 60, 21 * 60), (0, 24 * 60))
"""Minutes of the day of morning, afternoon, evening and the whole day. Narrow, so that each lies within everybody's."""

WIDE: Final = ((0, 12 * 60), (13 * 60, 18 * 60), (18 * 60, 24 * 60), (0, 24 * 60))
"""The same where they are taken away: "not in the morning" is not at seven either."""

EARLY, LATE = 2 * 60, 2 * 60
"""Minutes of a part that are its early and its late ones ("late afternoon")."""

FARTHEST_DAYS: Final = 183
"""A day without a year that comes again only later than this was rather the last one ("3 March", in May)."""

OPEN_DAYS: Final = 7
"""How long "from Thursday on" goes on."""

EARLIEST: Final = 5 * 60
"""Minutes of the day; who writes "03:00" or "at 3 am" rather means the afternoon, or another place."""

WEEK_OF_OFFICE: Final = 2
"""Days; "Monday to Thursday" and longer is how office hours are written."""

NIGHT_ENDS: Final = time(4)
"""Before it, one cannot tell which day is "tomorrow" to somebody who is still awake."""


class Unclear(Exception):
    """What was said means more than one time or none; its text says why, for the person who looks.

    place: start and end in the text of what was said; None where that is not known.
    """

    def __init__(self, why: str, place: tuple[int, int] | None = None) -> None:
        super().__init__(why)
        self.place = place


@dataclass(frozen=True, slots=True)
class Setting:
    """written: when, on the client's wall clock. offered: UTC, in order. standing: the call that is booked."""

    written: datetime
    zone: ZoneInfo
    minutes: int
    offered: tuple[Interval, ...]
    standing: Interval | None

    @property
    def today(self) -> date:
        """The client's."""
        return self.written.date()

    @property
    def known(self) -> tuple[Interval, ...]:
        """The slots that a mail may refer to."""
        return self.offered if self.offered or self.standing is None else (self.standing,)

    def day_of(self, slot: Interval) -> date:
        """The client's."""
        return slot.start.astimezone(self.zone).date()


Days = tuple[date, date]
"""First and last, both included."""


def windows(ask: Ask, setting: Setting) -> tuple[Interval, ...]:
    """What is asked for, in order. Raises: Unclear."""
    if ask.slot is not None:
        return (_slot(ask.slot, setting),)
    if ask.delta is not None:
        start = (setting.written + timedelta(minutes=ask.delta)).astimezone(UTC).replace(second=0, microsecond=0)
        return (Interval(start, start + timedelta(minutes=setting.minutes)),)
    if ask.shift is not None:
        return (_shifted(ask.shift, setting),)
    zone = _zone(ask, setting)
    if ask.nth is not None:
        ask = replace(ask, nth=None, day=Day(date=(ask.nth, 0, 0)))
    days = _days(ask, setting)
    found = tuple(window for span in days for window in _on(span, ask, setting, zone))
    if any(window.end <= setting.written for window in found):
        raise Unclear("The time lies in the past.")
    return found


def _slot(number: int, setting: Setting) -> Interval:
    if number > len(setting.offered) or len(setting.offered) == 0:
        raise Unclear("No slot of that number was offered.")
    return setting.offered[number - 1 if number > 0 else number]


def _shifted(minutes: int, setting: Setting) -> Interval:
    """On the client's wall clock, so that a day later is the same time."""
    if setting.standing is None:
        raise Unclear("Earlier or later than what is not said.")
    local = setting.standing.start.astimezone(setting.zone) + timedelta(minutes=minutes)
    return Interval(local.astimezone(UTC), local.astimezone(UTC) + timedelta(minutes=setting.minutes))


def _zone(ask: Ask, setting: Setting) -> ZoneInfo:
    if ask.zone is None:
        return setting.zone
    if ask.clock is None and ask.span is None:
        raise Unclear("A time zone is named without a time of day.")
    return ZoneInfo(ZONES[ask.zone][0])


# --- days --------------------------------------------------------------------------------------------------------


def _days(ask: Ask, setting: Setting) -> tuple[Days, ...]:
    if ask.day is None:
        return (_only_day(setting),)
    found = tuple(_looked_up(ask.day, setting))
    if ask.day.bound != "":
        return (_open(found, ask.day, setting),)
    if ask.is_timed:
        return tuple((day, day) for first, last in found for day in _each(first, last))
    return found


def _only_day(setting: Setting) -> Days:
    """The day of a time without one: that of all that is offered, or of the call that stands."""
    days = {setting.day_of(slot) for slot in setting.known}
    if len(days) != 1:
        raise Unclear("A time of day is named without a day.")
    day = days.pop()
    return day, day


def _open(found: tuple[Days, ...], day: Day, setting: Setting) -> Days:
    if len(found) != 1 or found[0][0] != found[0][1]:
        raise Unclear("It is open from when or until when.")
    only = found[0][0]
    if day.bound == "before":
        return setting.today, only - timedelta(days=1)
    first = only + timedelta(days=1) if day.bound == "after" else only
    return first, first + timedelta(days=OPEN_DAYS - 1)


def _each(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=step) for step in range((last - first).days + 1))


def _looked_up(day: Day, setting: Setting) -> Iterable[Days]:
    if day.date is not None:
        only = _date(day, setting)
        if day.weekday is not None and only.weekday() != day.weekday:
            raise Unclear("The weekday and the date do not agree.")
        yield only, only
    elif day.offset is not None:
        if setting.written.time() < NIGHT_ENDS:
            raise Unclear("Written at night: it is not clear which day is meant.")
        only = setting.today + timedelta(days=day.offset)
        if day.weekday is not None and only.weekday() != day.weekday:
            raise Unclear("The weekday and the day do not agree.")
        yield only, only
    elif day.weekday is not None:
        first = _weekday(day, setting)
        last = first if day.last is None else first + timedelta(days=(day.last - first.weekday()) % 7)
        if (last - first).days > WEEK_OF_OFFICE:
            raise Unclear("Nearly a whole week: it may be office hours.")
        yield first, last
    elif day.week is not None:
        yield _week(day.week, day.edge, setting)
    else:
        raise Unclear("It is not clear which day is meant.")


def _date(day: Day, setting: Setting) -> date:
    assert day.date is not None
    first, second, year = day.date
    readings = {_year_found(first, second, year, setting)}
    if day.either:
        # That one of two is over does not say that the other is meant: only a weekday or an offered slot does.
        offered = {setting.day_of(slot) for slot in setting.known}
        readings.add(_year_found(second, first, year, setting))
        readings = {each for each in readings if each is None or each in offered or each.weekday() == day.weekday}
    found = [reading for reading in readings if reading is not None]
    if day.either and len(found) != 1:
        raise Unclear("The date can be read as two days.")
    if len(found) != 1:
        raise Unclear("There is no such day in the months to come.")
    return found[0]


def _year_found(day: int, month: int, year: int, setting: Setting) -> date | None:
    """The next such day; for a day without a month, the next in the months to come."""
    today = setting.today
    if month == 0:
        starts = [(today.year + (today.month - 1 + step) // 12, (today.month - 1 + step) % 12 + 1) for step in (0, 1)]
    else:
        starts = [(year, month)] if year else [(today.year, month), (today.year + 1, month)]
    for in_year, in_month in starts:
        try:
            found = date(in_year, in_month, day)
        except ValueError:
            continue
        if month == 0 and found == today:
            return None
        if found >= today and (found - today).days <= FARTHEST_DAYS:
            return found
    return None


def _weekday(day: Day, setting: Setting) -> date:
    """The coming one, unless what was offered or stands speaks of another week."""
    assert day.weekday is not None
    today = setting.today
    monday = today - timedelta(days=today.weekday())
    coming = today + timedelta(days=(day.weekday - today.weekday() - 1) % 7 + 1)
    if day.week is not None:
        if today.weekday() == 6:
            raise Unclear("Written on a Sunday: it is not clear which week is meant.")
        return monday + timedelta(weeks=day.week, days=day.weekday)
    later = monday + timedelta(weeks=1, days=day.weekday)
    match day.how:
        case "next":
            offered = {setting.day_of(slot) for slot in setting.known} & {later, coming}
            if len(offered) == 1:
                return offered.pop()
            if later != coming or today.weekday() == 6:
                raise Unclear("“Next” may mean the coming one or the one of next week.")
        case "this":
            if any(setting.day_of(slot) == later for slot in setting.known):
                raise Unclear("It may mean the coming one or that of the slot.")
            if coming > monday + timedelta(days=6):
                raise Unclear("That day of this week is over.")
        case "coming":
            others = {slot_day for slot_day in map(setting.day_of, setting.known) if slot_day.weekday() == day.weekday}
            if others - {coming} or coming == today + timedelta(days=1):
                raise Unclear("It may mean the coming one or a later one.")
        case "":
            return _bare_weekday(day.weekday, coming, setting)
    return coming


def _bare_weekday(weekday: int, coming: date, setting: Setting) -> date:
    """Among the coming one and those of the weeks in which something was offered or stands, the only one that can be.

    One that is offered is meant. Tomorrow would be called so, and today even more.
    """
    days = {setting.day_of(slot) for slot in setting.known}
    offered = {day for day in days if day.weekday() == weekday}
    near = {day - timedelta(days=day.weekday()) + timedelta(days=weekday) for day in days}
    readings = offered or {day for day in near | {coming} if day > setting.today}
    if len(readings) > 1:
        readings.discard(setting.today + timedelta(days=1))
    if len(readings) != 1:
        raise Unclear("It is not clear which week is meant.")
    only = readings.pop()
    if weekday == setting.today.weekday() and only not in near:
        raise Unclear("It may mean today or the same day of next week.")
    return only


def _week(week: int, edge: int | None, setting: Setting) -> Days:
    """Monday to Friday; early in it Monday and Tuesday, in its middle Wednesday, late Thursday and Friday."""
    today = setting.today
    if today.weekday() == 6 or (week == 0 and today.weekday() > 4):
        raise Unclear("Written at a weekend: it is not clear which week is meant.")
    monday = today - timedelta(days=today.weekday()) + timedelta(weeks=week)
    first, last = {None: (0, 4), 0: (0, 1), 1: (2, 2), 2: (3, 4)}[edge]
    since, until = monday + timedelta(days=first), monday + timedelta(days=last)
    if until < today:
        raise Unclear("That part of this week is over.")
    return max(since, today), until


# --- times of day --------------------------------------------------------------------------------------------------


def _on(days: Days, ask: Ask, setting: Setting, zone: ZoneInfo) -> Iterable[Interval]:
    first, last = days
    part = _part(ask)
    if zone.key != setting.zone.key and setting.written.astimezone(zone).date() != setting.today:
        raise Unclear(f"It was another day in {zone.key} when this was written.")
    if ask.clock is not None:
        minute = _minute(ask.clock, first, part, setting, zone)
        start = _moment(first, minute, zone, ask)
        if start < setting.written:
            raise Unclear("The time lies in the past.")
        yield Interval(start, start + timedelta(minutes=setting.minutes))
        return
    since, until = part
    if ask.span is not None:
        since, until = _span(ask.span, part)
    yield Interval(_moment(first, since, zone, ask), _moment(last, until, zone, ask))


def _part(ask: Ask) -> tuple[int, int]:
    since, until = (WIDE if ask.excluded else PARTS)[3 if ask.part is None else ask.part]
    match ask.edge:
        case 0:
            return since, since + EARLY
        case 1:
            raise Unclear("It is not clear when in the day is meant.")
        case 2:
            return until - LATE, until
        case _:
            return since, until


def candidates(clock: Clock, part: tuple[int, int] = PARTS[3]) -> tuple[int, ...]:
    """The minutes of the day that a clock may show, within a part of the day."""
    minute = clock.hour * 60 + clock.minute
    both = (minute,) if clock.exact else (minute % 720, minute % 720 + 720)
    return tuple(each for each in both if part[0] <= each <= part[1]) if part != PARTS[3] else both


def fits(ask: Ask, minute: int, minutes: int) -> bool:
    """Whether a slot of `minutes` from this minute of the day may be meant by a time without a day. Raises: Unclear."""
    since, until = _part(ask)
    if ask.clock is not None:
        return minute in candidates(ask.clock) and (ask.part is None or since <= minute <= until)
    if ask.span is not None:
        since, until = _span(ask.span, (since, until))
    return since <= minute and minute + minutes <= until


def _minute(clock: Clock, day: date, part: tuple[int, int], setting: Setting, zone: ZoneInfo) -> int:
    """The minute of the day; where an offered slot starts at one of the two, that one."""
    # "9 in the morning" may be before the part that "morning" is when it stands alone.
    wide = part if part == PARTS[3] else (0, 12 * 60) if part[1] <= 12 * 60 else (12 * 60, 24 * 60)
    found = candidates(clock, wide)
    starts = {slot.start.astimezone(zone).replace(tzinfo=None) for slot in setting.known}
    on_offer = [each for each in found if datetime.combine(day, time()) + timedelta(minutes=each) in starts]
    if len(on_offer) == 1:
        return on_offer[0]
    if len(found) == 1 and (clock.exact or part != PARTS[3]):
        if found[0] < EARLIEST:
            raise Unclear("A time in the night.")
        return found[0]
    usual = [each for each in found if 8 * 60 <= each < 18 * 60]
    if len(usual) != 1:
        raise Unclear("It may mean the morning or the evening.")
    return usual[0]


def _span(span: tuple[Clock | None, Clock | None], part: tuple[int, int]) -> tuple[int, int]:
    first, last = span
    wide = part if part == PARTS[3] else (0, 12 * 60) if part[1] <= 12 * 60 else (12 * 60, 24 * 60)
    lows = () if first is None else candidates(first, wide)
    highs = () if last is None else candidates(last, wide)
    if first is None:
        return part[0], _usual(highs)
    if last is None:
        low = _usual(lows)
        return low, max(part[1], low + 1)
    if last.exact and not first.exact:
        before = [each for each in lows if each < highs[0]] if highs else []
        if len(before) == 0:
            raise Unclear("It ends before it starts.")
        return before[-1], highs[0]
    low = lows[0] if len(lows) == 1 else _usual(lows)
    after = [each for each in highs if each > low]
    if len(after) == 0:
        raise Unclear("It ends before it starts.")
    return low, after[0]


def _usual(found: Sequence[int]) -> int:
    """The one of two that lies from 08:00 to 18:00; at six and seven both may be meant."""
    usual = [each for each in found if 8 * 60 <= each < 18 * 60]
    if len(found) == 1:
        return found[0]
    if len(usual) != 1:
        raise Unclear("It may mean the morning or the evening.")
    return usual[0]


def _moment(day: date, minute: int, zone: ZoneInfo, ask: Ask) -> datetime:
    """UTC. A time that the wall clock skips or shows twice that night is not clear."""
    naive = datetime.combine(day, time()) + timedelta(minutes=minute)
    local = naive.replace(tzinfo=zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != naive:
        if ask.clock is None and minute in (0, 24 * 60):
            return moment
        raise Unclear("The clocks are put forward: there is no such time that day.")
    offset, later = local.utcoffset(), local.replace(fold=1).utcoffset()
    if offset != later and ask.is_timed:
        raise Unclear("The clocks are put back: that time comes twice that day.")
    claimed = None if ask.zone is None else ZONES[ask.zone][1]
    if claimed is not None and offset != timedelta(hours=claimed):
        raise Unclear("The time zone that is named is not the one in use on that day.")
    return moment
