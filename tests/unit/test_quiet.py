"""Silence in a mailbox: unusual by its own past, and never because of a night, a weekend, a holiday or one burst."""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from triaged.worker.quiet import habit, is_unusual

ZONE = "Europe/Berlin"
BERLIN = ZoneInfo(ZONE)
MONDAY = datetime(2026, 11, 16, tzinfo=BERLIN)
HOLIDAY = date(2026, 11, 17)


def mails(per_day: float, *, weeks: int = 8, seed: int = 1) -> list[datetime]:
    """Arrivals before MONDAY, spread by chance over nine hours of each working day."""
    chance = random.Random(seed)
    found = []
    for day in range(weeks * 7, 0, -1):
        start = MONDAY - timedelta(days=day) + timedelta(hours=8)
        if start.weekday() < 5:
            moment = start
            while (moment := moment + timedelta(hours=chance.expovariate(per_day / 9))) < start + timedelta(hours=9):
                found.append(moment)
    return found


def never(_day: date) -> bool:
    return False


def unusual_after(arrivals: list[datetime], *, holidays: Collection[date] = frozenset()) -> float:
    """So many hours after Monday 0:00 on the wall clock its silence is unusual."""
    last = arrivals[-1].astimezone(UTC)
    busy = sorted({int(moment.timestamp()) // 3600 for moment in arrivals})
    past = habit(busy, until=last, zone=ZONE, is_holiday=holidays.__contains__)
    assert past.enough
    for hour in range(24 * 30):
        now = (MONDAY + timedelta(hours=hour)).astimezone(UTC)
        if is_unusual(past, last=last, now=now, zone=ZONE, is_holiday=holidays.__contains__):
            return hour
    return float("inf")


@pytest.mark.parametrize(
    ("per_day", "between"),
    [(200, (10, 17)), (40, (12, 24 + 10)), (10, (24, 72)), (3, (48, 24 * 14))],
)
def test_the_busier_a_mailbox_the_sooner_its_silence_is_noticed(per_day: float, between: tuple[int, int]) -> None:
    assert between[0] <= unusual_after(mails(per_day)) <= between[1]


def test_a_holiday_is_like_a_weekend() -> None:
    arrivals = mails(10)
    without = unusual_after(arrivals)
    assert without > 24 + 8  # Tuesday lies within the silence
    assert unusual_after(arrivals, holidays={HOLIDAY}) > without


def test_one_burst_changes_nothing() -> None:
    arrivals = mails(10)
    burst = arrivals[len(arrivals) // 2]
    assert unusual_after(sorted([*arrivals, *[burst] * 1000])) == unusual_after(arrivals)


def test_false_alarms_are_rare() -> None:
    """Mailboxes with 2 to 20 mails a day, looked at right before a mail that ends a silence."""
    alarms = looked = 0
    for seed in range(8):
        arrivals = mails(2.5 * (1 + seed % 8), weeks=12, seed=seed)
        busy = sorted({int(moment.timestamp()) // 3600 for moment in arrivals})
        for number in range(len(arrivals) // 3, len(arrivals)):
            last, now = arrivals[number - 1].astimezone(UTC), arrivals[number].astimezone(UTC)
            if now - last < timedelta(hours=3):
                continue
            known = [
                hour for hour in busy if last - timedelta(weeks=8) <= datetime.fromtimestamp(hour * 3600, UTC) <= last
            ]
            looked += 1
            past = habit(known, until=last, zone=ZONE, is_holiday=never)
            alarms += past.enough and is_unusual(past, last=last, now=now, zone=ZONE, is_holiday=never)
    assert looked > 300
    assert alarms == 0


def test_with_two_weeks_of_past_it_is_enough_and_with_less_it_is_not() -> None:
    busy = [int((MONDAY - timedelta(days=days)).timestamp()) // 3600 for days in (14, 13, 1)]
    last = MONDAY.astimezone(UTC)
    assert habit(busy, until=last, zone=ZONE, is_holiday=never).enough
    assert not habit(busy[1:], until=last, zone=ZONE, is_holiday=never).enough
    assert not habit([], until=last, zone=ZONE, is_holiday=never).enough


def test_a_clock_put_back_is_no_silence() -> None:
    past = habit([int(MONDAY.timestamp()) // 3600], until=MONDAY, zone=ZONE, is_holiday=never)
    assert not is_unusual(past, last=MONDAY, now=MONDAY - timedelta(days=3650), zone=ZONE, is_holiday=never)
