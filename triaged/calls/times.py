"""What a client wrote in, what it says about when to talk out: a slot that we offered, times of their own, or no.

A wrong time is a call that nobody comes to, so what can be read in two ways is left to a person. The rules:

- A time counts only in a clause of which every word is known (`words`). One that is unknown makes it unsure, or, where
  nothing points at the call, nothing. So do "maybe", "if", "I have to check", a question word, a no that may belong to
  something else. What is past, recurs, is a deadline or is about an invoice, a delivery or a contract is no wish.
- Without an offer or a call that stands, a time counts only beside a word of talking or suiting.
- Hours without am or pm are those from 08:00 to 17:59; six and seven may be either and are unsure, unless one of them
  is offered. "07:30" and "19 Uhr" are said exactly; before 05:00 is unsure.
- A weekday is the coming one; if a slot was offered on such a day, that; if slots or the call lie in another week, the
  one of that week, where that is the only one that can be ("tomorrow" would be called so). Today's weekday is unsure
  unless they do. "Next Tuesday" is unsure where the coming one and the one of next week differ, unless one of the two
  is offered; "kommenden", "prochain" and "coming" are the coming one, unless that is tomorrow.
- 12/3 is unsure in English, unless one reading is no date, agrees alone with a weekday or is offered. German and
  French have the day first. A date without a year is the next one; one more than half a year away is unsure.
- A day is from midnight to midnight on the client's wall clock, a week Monday to Friday, early in it Monday and
  Tuesday, late Thursday and Friday; a morning 08–12, an afternoon 13–18, an evening 18–21; noon is the moment. "From
  Thursday on" are seven days.
- A zone that is named goes before the client's. If its name is not the one in use that day (EST in July), unsure.
- A wall clock that is skipped or comes twice is unsure. So is what is past, and "tomorrow" written before 04:00.
- With an offer, what fits exactly one slot is that choice, what fits none is a time of their own, the rest is unsure.
- Two moments are alternatives only with "or" or in a list.
- "Ten minutes later?" and "same time on Friday?" are told from the call that stands. "Not in the morning" rules out all
  until noon.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from triaged.calls.clauses import Found, Place, beside_a_wish, judged, time_beside
from triaged.calls.days import Setting, Unclear, fits, windows
from triaged.calls.grammar import MOST
from triaged.calls.lexicon import Item, sentences
from triaged.calls.said import Ask, Day
from triaged.model import Interval


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail says about when to talk.

    says: "choice" one of the offered slots; "times" times of their own; "declines" none of what was offered suits, or
    the call that stands does not, and no other time is named; "cancels" they do not want the call; "agrees" a yes to
    the only slot offered or to the call that stands, also by its own time; "unsure" something that a person should
    look at; "nothing" no word about a time.

    windows: for "choice" exactly that slot, for "times" in the order written, a moment as long as the call, a span as
    it was said; else empty. words: what it was read from, as it stands; "" if nothing. why: a sentence for the person
    who looks, for "unsure" only.
    """

    says: Literal["choice", "times", "declines", "cancels", "agrees", "unsure", "nothing"]
    windows: tuple[Interval, ...] = ()
    words: str = ""
    why: str = ""


def read_times(
    text: str,
    *,
    written: datetime,
    zone: str,
    minutes: int,
    offered: Sequence[Interval] = (),
    standing: Interval | None = None,
    wanted: bool = False,
    names: Collection[str] = (),
) -> Reading:
    """What a client writes about when to talk, in English, German or French; only its first 20,000 characters count.

    text: what was written now, without what is quoted. written: when, aware. zone: the client's, IANA. minutes: how
    long the call is. offered: the slots we proposed, in their order. standing: the call that is booked. wanted: that
    they want a call is known, so that a time beside a word of talking or suiting is never passed over. names: of people
    and firms that may stand in it.
    """
    client = ZoneInfo(zone)
    setting = Setting(written.astimezone(client), client, minutes, tuple(offered), standing)
    read = sentences(text, names)
    try:
        if offered and len(read) == 1 and len(read[0].items) == 1 and read[0].items[0].kind in ("number", "nth"):
            reading = _bare_number(read[0].items[0], setting, text)
        else:
            found = judged(read, setting)
            reading = _concluded(found, setting, text)
            if found.is_open and (beside := time_beside(read, found)) is not None:
                raise Unclear("They name a time in another sentence too.", beside)
        if reading.says == "choice" and reading.windows[0].start < written:
            raise Unclear("The slot lies in the past.")
        if wanted and reading.says == "nothing" and (beside := beside_a_wish(read)) is not None:
            raise Unclear("They name a time where they speak of the call.", beside)
        return reading
    except Unclear as unclear:
        return Reading("unsure", words=_first(text, unclear.place), why=str(unclear))


def _first(text: str, place: Place | None) -> str:
    return text.strip()[:80] if place is None else text[place[0] : place[1]]


def _concluded(found: Found, setting: Setting, text: str) -> Reading:
    if found.doubts:
        why, place = found.doubts[0]
        raise Unclear(why, place)
    if len(found.wishes) + len(found.against) > MOST:
        raise Unclear("More times than one can choose from.", _place([*found.wishes, *found.against][:1]))
    if found.wishes:
        return _wished(found, setting, text)
    if found.cancels and found.moves:
        raise Unclear("They cancel and ask for another time.", found.cancels[0])
    if found.cancels:
        return Reading("cancels", words=_words(found.cancels, text))
    if found.against:
        return _against(found, setting, text)
    if found.declines and found.agrees:
        raise Unclear("They say both yes and no.", found.declines[0])
    if found.declines:
        return Reading("declines", words=_words(found.declines, text))
    if found.agrees and len(setting.known) > 1:
        raise Unclear("A yes, but more than one slot was offered.", found.agrees[0])
    if found.agrees:
        found.is_open = True
        return Reading("agrees", words=_words(found.agrees, text))
    return Reading("nothing")


def _words(places: Sequence[Place], text: str) -> str:
    return text[places[0][0] : places[-1][1]]


def _place(asks: Sequence[Ask]) -> Place:
    return asks[0].start, asks[-1].end


def _against(found: Found, setting: Setting, text: str) -> Reading:
    """Only what does not suit: all of what we offered, or not."""
    if setting.known == ():
        return Reading("nothing")
    place = _place(found.against)
    taken = [window for ask in found.against for window in _windows(ask, setting, place)]
    if all(any(_overlap(slot, window) for window in taken) for slot in setting.known) and not found.agrees:
        return Reading("declines", words=text[place[0] : place[1]])
    raise Unclear("They say only when it does not suit.", place)


def _windows(ask: Ask, setting: Setting, place: Place) -> tuple[Interval, ...]:
    try:
        return windows(ask, setting)
    except Unclear as unclear:
        raise Unclear(str(unclear), place) from None


def _overlap(first: Interval, second: Interval) -> bool:
    return first.start < second.end and second.start < first.end


# --- wishes ----------------------------------------------------------------------------------------------------------


def _wished(found: Found, setting: Setting, text: str) -> Reading:
    place = _place(found.wishes)
    words = text[place[0] : place[1]]
    if found.cancels:
        raise Unclear("They cancel and name a time.", place)
    if any(end > place[1] for _, end in found.declines):
        raise Unclear("They name a time and then say no to something.", place)
    wishes, against = _completed(found.wishes, found.against)
    taken = [window for ask in against for window in _windows(ask, setting, place)]
    chosen: list[frozenset[int]] = []
    asked: list[Interval] = []
    open_ends: list[Interval] = []
    for ask in wishes:
        slots, wanted = _matched(ask, setting, place)
        chosen.append(frozenset(n for n in slots if not any(_overlap(setting.offered[n], each) for each in taken)))
        left = _without(wanted, taken, ask, place)
        open_ends += left if ask.clock is None and ask.span is None else []
        asked.extend(left)
    asked = _narrowest(asked)
    found.is_open = any(each in open_ends for each in asked) or all(
        (each.clock, each.span, each.slot, each.nth) == (None, None, None, None) for each in wishes
    )
    named = frozenset[int]().union(*chosen)
    if len(named) == 1 and all(chosen):
        return Reading("choice", (setting.offered[min(named)],), words)
    if named:
        raise Unclear("More than one slot, or a slot and another time.", place)
    _check_alternatives(wishes, asked, place)
    if setting.standing is not None and len(setting.offered) == 0:
        return _beside_standing(found, asked, wishes, setting, words)
    return Reading("times", tuple(dict.fromkeys(asked)), words)


def _narrowest(windows: list[Interval]) -> list[Interval]:
    """Without those in which another lies: "on Thursday; after 2 would be best"."""
    return [
        each
        for each in windows
        if not any(each != other and each.start <= other.start and other.end <= each.end for other in windows)
    ]


def _check_alternatives(wishes: list[Ask], asked: list[Interval], place: Place) -> None:
    if not asked:
        raise Unclear("Nothing is left of the times they name.", place)
    if len(set(asked)) == 1:
        return
    joints = {ask.joined for ask in wishes[1:]}
    if "word" in joints:
        raise Unclear("More than one time, with words between them that may matter.", place)
    if any(ask.clock is not None for ask in wishes) and not joints <= {"or", "comma", "line"}:
        raise Unclear("More than one time, and not as alternatives.", place)


def _beside_standing(found: Found, asked: list[Interval], wishes: list[Ask], setting: Setting, words: str) -> Reading:
    """Times of their own while a call stands: its own time, named again, is a yes to it."""
    assert setting.standing is not None
    moved = any(ask.shift is not None for ask in wishes)  # "ten minutes later"
    if moved or not any(_overlap(window, setting.standing) for window in asked):
        return Reading("times", tuple(dict.fromkeys(asked)), words)
    day = wishes[0].day
    whole = not wishes[0].is_timed and day is not None and (day.week, day.last, day.bound) == (None, None, "")
    same = whole or (wishes[0].clock is not None and asked[0].start == setting.standing.start)
    if len(asked) == 1 and same and not found.moves and not found.declines:
        return Reading("agrees", words=words)
    raise Unclear("The time they name is that of the call that stands.", _place(wishes))


def _matched(ask: Ask, setting: Setting, place: Place) -> tuple[frozenset[int], tuple[Interval, ...]]:
    """The places of the offered slots that may be meant, from 0, and the windows if none is."""
    local = [slot.start.astimezone(setting.zone) for slot in setting.offered]
    if ask.nth is not None:
        meant = {n for n, start in enumerate(local) if ask.nth in (start.day, n + 1)}
        if len(meant) > 1:
            raise Unclear("It may be the number of a slot or a day of the month.", place)
        if meant:
            return frozenset(meant), ()
    if ask.day is None and ask.is_timed and ask.zone is None:
        meant = {n for n, start in enumerate(local) if fits(ask, start.hour * 60 + start.minute, setting.minutes)}
        if meant:
            return frozenset(meant), ()
    wanted = _windows(ask, setting, place)
    meant = {n for n, slot in enumerate(setting.offered) if any(_is_meant(slot, window, ask) for window in wanted)}
    if meant and ask.day is not None and ask.day.week is not None and ask.day.weekday is None:
        raise Unclear("A week in which a slot was offered.", place)
    return frozenset(meant), wanted


def _is_meant(slot: Interval, window: Interval, ask: Ask) -> bool:
    if ask.clock is not None:
        return slot.start == window.start
    return window.start <= slot.start and slot.end <= window.end


def _without(wanted: Sequence[Interval], taken: Sequence[Interval], ask: Ask, place: Place) -> list[Interval]:
    left = list(wanted)
    for gone in taken:
        if ask.clock is not None and any(_overlap(window, gone) for window in left):
            raise Unclear("A time that they also say does not suit.", place)
        left = [piece for window in left for piece in _cut(window, gone)]
    return left


def _cut(window: Interval, gone: Interval) -> Iterable[Interval]:
    if not _overlap(window, gone):
        yield window
        return
    if window.start < gone.start:
        yield Interval(window.start, gone.start)
    if gone.end < window.end:
        yield Interval(gone.end, window.end)


# --- what one time takes from its neighbours --------------------------------------------------------------------------

_BESIDE = ("or", "and", "comma")


def _completed(wishes: list[Ask], against: list[Ask]) -> tuple[list[Ask], list[Ask]]:
    """Wishes and exceptions with the month, the week, the day and the time that they share with their neighbours."""
    month = next((ask.day.date[1:] for ask in wishes if ask.day and ask.day.date and ask.day.date[1] > 0), None)
    wishes = [_in_month(ask, month) for ask in wishes]
    for place in range(len(wishes) - 2, -1, -1):
        this, after = wishes[place], wishes[place + 1]
        if after.joined in _BESIDE and this.day and not this.is_timed and after.day and after.is_timed:
            # "Wednesday or Thursday after 2": after 2 on Wednesday is wanted in either reading.
            wishes[place] = replace(
                this, part=after.part, edge=after.edge, clock=after.clock, span=after.span, zone=after.zone
            )
    for place in range(1, len(wishes)):
        if wishes[place].day is None and wishes[place].is_timed:
            wishes[place] = replace(wishes[place], day=wishes[place - 1].day)
    for place in range(len(wishes) - 2, -1, -1):
        this, after = wishes[place], wishes[place + 1]
        if this.day is None and this.is_timed and after.joined in _BESIDE:
            wishes[place] = replace(this, day=after.day)
    day = next((ask.day for ask in wishes if ask.day is not None), None)
    against = [replace(ask, day=day) if ask.day is None and ask.is_timed else ask for ask in against]
    return _in_week(wishes, against)


def _in_month(ask: Ask, month: tuple[int, int] | None) -> Ask:
    """ "The 8th or 9th of January"."""
    if month is None or ask.day is None or ask.day.date is None or ask.day.date[1] > 0:
        return ask
    return replace(ask, day=replace(ask.day, date=(ask.day.date[0], *month)))


def _in_week(wishes: list[Ask], against: list[Ask]) -> tuple[list[Ask], list[Ask]]:
    """Weekdays are those of the only week that is named beside them: "next week, Tuesday or Friday"."""
    weeks = {ask.day.week for ask in wishes if ask.day is not None and ask.day.week is not None}
    if len(weeks) != 1:
        return wishes, against
    week = weeks.pop()
    if any(_is_bare(ask) for ask in wishes):
        wishes = [ask for ask in wishes if ask.day != Day(week=week) or ask.is_timed]
    return [_placed(ask, week) for ask in wishes], [_placed(ask, week) for ask in against]


def _is_bare(ask: Ask) -> bool:
    return ask.day is not None and ask.day.weekday is not None and ask.day == Day(weekday=ask.day.weekday)


def _placed(ask: Ask, week: int | None) -> Ask:
    return replace(ask, day=replace(ask.day, week=week)) if _is_bare(ask) and ask.day is not None else ask


def _bare_number(item: Item, setting: Setting, text: str) -> Reading:
    """A mail that is only "2": the slot of that number, unless another one starts at that hour."""
    hours = [slot.start.astimezone(setting.zone).hour % 12 for slot in setting.offered]
    if any(hour == item.value % 12 and number != item.value for number, hour in enumerate(hours, 1)):
        raise Unclear("It may be the number of a slot or a time.")
    slot = windows(Ask(item.start, item.end, slot=item.value), setting)
    return Reading("choice", slot, text[item.start : item.end])
