"""Every IANA zone, each of its changes of the clocks from 2025 to 2030: the call that is promised is the one that is
written, on both sides. Zones whose clocks are alike in these years are tried once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest

from tests.calendarreader import read, shown
from triaged.calls.invitations import event, stored_event
from triaged.calls.slots import free_slots
from triaged.calls.vtimezone import vtimezone
from triaged.clocks.hours import Hours, parse_hours
from triaged.model import Address, Interval
from triaged.playbook import client_week, local_words

YEARS = range(2025, 2031)
HOME = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
STEP = timedelta(days=2)
"""Two changes of one zone are weeks apart."""
A_PLAIN_DAY = datetime(2026, 6, 16, 5, tzinfo=UTC)
LENA, ANN, DESK = Address("lena@firm.example"), Address("ann@client.example"), Address("desk@firm.example")
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    found = moment.astimezone(zone).utcoffset()
    assert found is not None
    return found


@cache
def changes(name: str) -> tuple[tuple[datetime, timedelta], ...]:
    """The first moment and each change of the offset in these years, to the second, with the offset from then on."""
    zone, found = ZoneInfo(name), []
    at = datetime(YEARS[0], 1, 1, tzinfo=UTC)
    found.append((at, offset(zone, at)))
    while at.year in YEARS:
        low, high = at, at + STEP
        if offset(zone, low) != offset(zone, high):
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if offset(zone, middle) == offset(zone, low) else (low, middle)
            found.append((high, offset(zone, high)))
        at += STEP
    return tuple(found)


@cache
def alike() -> tuple[tuple[str, ...], ...]:
    """The zones, those whose clocks are alike together."""
    groups: defaultdict[object, list[str]] = defaultdict(list)
    for name in sorted(available_timezones()):
        groups[changes(name)].append(name)
    return tuple(tuple(names) for names in groups.values())


def written(slot: Interval, zone: str) -> bytes:
    return event(
        uid="1@firm.example", slot=slot, organizer=DESK, chair=LENA, attendee=ANN, summary="Call", description="",
        location="", timezone=zone, now=A_PLAIN_DAY, method="REQUEST",
    )  # fmt: skip


def test_zones_are_not_left_out() -> None:
    names = [name for group in alike() for name in group]
    assert sorted(names) == sorted(available_timezones())
    assert len(names) > 550
    assert 50 < len(alike()) < 120
    assert sum(len(changes(group[0])) - 1 for group in alike()) > 300


def near(name: str) -> Iterator[datetime]:
    """Moments around every change of a zone, around every New Year there, and in between."""
    for change, _ in changes(name)[1:]:
        for minutes in (-26 * 60, -181, -121, -61, -60, -31, -30, -1, 0, 1, 30, 60, 61, 120, 26 * 60):
            yield change + timedelta(minutes=minutes)
    for year in YEARS:
        for hours in (-30, -14, -12, -1, 0, 1, 12, 14, 24 * 45, 24 * 105, 24 * 195, 24 * 285):
            yield datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=hours)


def test_a_vtimezone_gives_back_the_moment() -> None:
    wrong, seen, in_utc = [], 0, set()
    for name, *_ in alike():
        for start in near(name):
            slot = Interval(start, start + timedelta(minutes=30))
            octets = written(slot, name)
            if read(octets) != (slot.start, slot.end) or stored_event(octets).slot != slot:
                wrong.append(f"{name} {slot}")
            if b"VTIMEZONE" not in octets and ZoneInfo(name).key not in ("UTC", "Etc/UTC"):
                in_utc.add((name, start.astimezone(ZoneInfo(name)).year, _twice(start, name)))
            seen += 1
    assert wrong == []
    assert seen > 8_000
    assert {(name, year) for name, year, twice in in_utc if not twice} <= {("Africa/Casablanca", 2029)}
    assert len({name for name, _, twice in in_utc if twice}) > 20, "the other half: an hour that is there twice is UTC"


def _twice(start: datetime, name: str) -> bool:
    zone = ZoneInfo(name)
    local = [moment.astimezone(zone) for moment in (start, start + timedelta(minutes=30))]
    return any(each.replace(fold=0).utcoffset() != each.replace(fold=1).utcoffset() for each in local)


def test_zones_that_are_alike_are_written_alike() -> None:
    """Therefore one of them stands for all; only the name of the zone and of its times may differ."""
    seen = 0
    for group in alike():
        for year in YEARS:
            told = {_without_names(name, year) for name in group if name not in ("UTC", "Etc/UTC")}
            assert len(told) <= 1, (group, year)
            seen += len(group)
    assert seen > 6 * 550


def _without_names(name: str, year: int) -> str:
    component = vtimezone(ZoneInfo(name), year)
    lines = [] if component is None else component.to_ical().decode().split("\r\n")
    return "\n".join(line for line in lines if not line.startswith(("TZID:", "TZNAME:")))


# --- a call between two zones -----------------------------------------------------------------------------------


def around(home: str, other: str) -> Iterator[datetime]:
    """From when a call is looked for: a plain day, right before every change of both zones, and days before it."""
    yield A_PLAIN_DAY
    for name in (home, other):
        for change, _ in changes(name)[1:]:
            yield change - timedelta(minutes=20)
    for change, _ in changes(other)[1:]:
        yield change - timedelta(days=2, hours=12)


@cache
def working(zone: str) -> Hours:
    """So long that there is time for a call with anybody; with a break, and one day off."""
    return parse_hours({"mon-sat": "06:00-12:30 13:30-22:00"}, timezone=zone)


def words(moment: datetime) -> str:
    """What a calendar shows, as a person would write it; made here once more, without babel."""
    return f"{DAYS[moment.weekday()]}, {moment.day} {MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M}"


def what_is_wrong(organizer: str, client: str, earliest: datetime) -> str:
    latest = earliest + timedelta(days=7)
    hours = working(organizer)
    week = client_week(client)
    assert week is not None
    windows = week.open_intervals(earliest, latest)  # as `scheduling.py` cuts them
    slot = next(iter(free_slots(busy=(), hours=hours, windows=windows, minutes=30)), None)
    if slot is None or not earliest <= slot.start < slot.end <= latest:
        return f"no slot: {slot}"
    ours, theirs = ZoneInfo(organizer), ZoneInfo(client)
    octets = written(slot, organizer)
    start, end = read(octets)
    if (start, end) != (slot.start, slot.end) or stored_event(octets).slot != slot:
        return f"{slot} is written as {start} to {end}"
    on_the_page = shown(octets)[0]
    told = [words(each) for each in (start.astimezone(ours), start.astimezone(theirs))]
    if [local_words(slot.start, organizer, "en"), local_words(slot.start, client, "en")] != told:
        return f"{slot} is promised otherwise than the calendars show: {told}"
    if on_the_page.tzinfo is not UTC and words(on_the_page) != told[0]:
        return f"{slot} is written as {on_the_page}"
    if not any(each.start <= start and end <= each.end for each in hours.open_intervals(earliest, latest)):
        return f"{slot} is not in working hours"
    for since, until, days, zone in ((time(6), time(22), 6, ours), (time(8), time(18), 5, theirs)):
        first, last = start.astimezone(zone), end.astimezone(zone)
        if not (
            first.weekday() < days and first.date() == last.date() and since <= first.time() < last.time() <= until
        ):
            return f"{slot} is {first} to {last}"
    return ""


@pytest.mark.parametrize("home", HOME)
def test_a_call_is_what_both_sides_were_promised(home: str) -> None:
    wrong, seen = [], 0
    for other, *_ in alike():
        for earliest in around(home, other):
            for organizer, client in ((home, other), (other, home)):
                problem = what_is_wrong(organizer, client, earliest)
                if problem != "":
                    wrong.append(f"{organizer} → {client} from {earliest}: {problem}")
                seen += 1
    assert wrong == []
    assert seen > 1_200


def test_the_check_sees_a_call_that_is_not_what_was_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other half: words of another zone, an event an hour late."""
    case, hour = ("Europe/Berlin", "Asia/Tokyo", A_PLAIN_DAY), timedelta(hours=1)
    right_words, right_event = local_words, written
    assert what_is_wrong(*case) == ""
    with monkeypatch.context() as changed:
        changed.setitem(globals(), "local_words", lambda at, _, language: right_words(at, "Asia/Kathmandu", language))
        assert "promised otherwise" in what_is_wrong(*case)
    with monkeypatch.context() as changed:
        changed.setitem(
            globals(), "written", lambda at, zone: right_event(Interval(at.start + hour, at.end + hour), zone)
        )
        assert "is written as" in what_is_wrong(*case)
