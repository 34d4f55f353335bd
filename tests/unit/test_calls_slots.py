"""The first free slot: within hours, free, on the grid, and at a decent hour for the client."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triaged.calls.slots import free_slot
from triaged.clocks.hours import Hours, open_intervals, parse_hours
from triaged.model import Interval

BERLIN = parse_hours({"mon-fri": "09:00-12:30 13:30-17:30"}, timezone="Europe/Berlin")
MONDAY = "2026-11-23"


def local(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def span(since: str, until: str, day: str = MONDAY) -> Interval:
    return Interval(local(f"{day}T{since}"), local(f"{day}T{until}"))


def found(
    *busy: Interval,
    earliest: str = f"{MONDAY}T00:00",
    latest: str = "2026-11-27T23:00",
    minutes: int = 30,
    hours: Hours = BERLIN,
    **options: int | str,
) -> str:
    """Where the slot starts, on the organizer's wall clock; "" for none."""
    slot = free_slot(
        busy=busy,
        hours=hours,
        earliest=local(earliest),
        latest=local(latest),
        minutes=minutes,
        **options,  # type: ignore[arg-type]
    )
    if slot is None:
        return ""
    assert slot.end - slot.start == timedelta(minutes=minutes)
    assert slot.start.tzinfo is UTC
    return slot.start.astimezone(ZoneInfo(hours.timezone)).strftime("%d %H:%M")


def test_the_first_slot_of_an_empty_day() -> None:
    assert found() == "23 09:00"


def test_the_grid_stands_on_the_wall_clock() -> None:
    assert found(earliest=f"{MONDAY}T09:01") == "23 09:30"
    assert found(earliest=f"{MONDAY}T09:00:01") == "23 09:30"
    assert found(earliest=f"{MONDAY}T09:00:00.000001", step_min=15) == "23 09:15"
    assert found(span("09:00", "09:10"), step_min=5) == "23 09:10"
    kolkata = parse_hours({"mon-fri": "09:00-17:00"}, timezone="Asia/Kolkata")
    assert found(earliest=f"{MONDAY}T04:00", hours=kolkata, step_min=60) == "23 09:00"


def test_busy_times_are_left_alone() -> None:
    assert found(span("09:00", "09:30")) == "23 09:30"
    assert found(span("09:10", "09:20")) == "23 09:30"
    assert found(span("11:00", "11:30"), span("08:00", "11:00"), span("08:30", "09:00")) == "23 11:30"
    assert found(span("09:00", "12:10")) == "23 13:30", "20 minutes before the break are not enough"
    assert found(span("00:00", "23:59"), minutes=60) == "24 09:00"


def test_a_slot_between_two_events() -> None:
    between = span("09:00", "10:00"), span("10:30", "17:30")
    assert found(*between) == "23 10:00"
    assert found(*between, minutes=31) == "24 09:00"
    assert found(*between, buffer_min=5) == "24 09:00"


def test_the_buffer_is_kept_on_both_sides() -> None:
    assert found(span("09:00", "10:00"), buffer_min=1) == "23 10:30"
    assert found(span("09:40", "10:00"), buffer_min=10) == "23 09:00"
    assert found(span("09:40", "10:00"), buffer_min=11) == "23 10:30"


def test_the_slot_lies_whole_between_earliest_and_latest() -> None:
    assert found(latest=f"{MONDAY}T09:30") == "23 09:00"
    assert found(latest=f"{MONDAY}T09:29") == ""
    assert found(earliest=f"{MONDAY}T17:01", latest=f"{MONDAY}T23:00") == ""
    assert found(earliest="2026-11-28T00:00", latest="2026-11-29T23:00") == "", "a weekend"
    assert found(earliest="2026-11-27T00:00", latest="2026-11-26T00:00") == ""


def test_a_slot_longer_than_any_opening_is_none() -> None:
    assert found(minutes=240) == "23 13:30"
    assert found(minutes=241) == ""


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Europe/Berlin", "23 09:00"),
        ("Europe/Lisbon", "23 09:00"),  # 08:00 there
        ("America/New_York", "23 14:00"),  # 08:00 there
        ("America/Los_Angeles", "23 17:00"),
        ("Asia/Tokyo", "23 09:00"),  # 17:00 there; 17:30 is the last
        ("Australia/Sydney", ""),  # from 19:00 there
        ("Asia/Kathmandu", "23 09:00"),
    ],
)
def test_the_client_is_called_at_a_decent_hour(zone: str, expected: str) -> None:
    assert found(client_timezone=zone) == expected


def test_the_last_slot_of_the_clients_day() -> None:
    assert found(earliest=f"{MONDAY}T09:30", client_timezone="Asia/Tokyo") == "23 09:30"
    assert found(earliest=f"{MONDAY}T10:00", client_timezone="Asia/Tokyo") == "24 09:00"


def test_the_client_has_a_weekend_too() -> None:
    always = parse_hours({"mon-sun": "00:00-24:00"}, timezone="Pacific/Auckland")
    assert found(earliest="2026-11-21T00:00", hours=always, client_timezone="America/New_York") == "24 02:00"


def test_summer_time_of_client_and_organizer_ends_on_different_days() -> None:
    week_between = "2026-10-26T00:00"  # Berlin is back on winter time, New York a week later
    assert found(earliest=week_between, client_timezone="America/New_York") == "26 13:30"


def test_slots_around_the_end_of_summer_time() -> None:
    night = parse_hours({"sun": "00:00-24:00"}, timezone="Europe/Berlin")
    start = "2026-10-25T00:00"
    assert found(span("00:00", "01:45", "2026-10-25"), earliest=start, hours=night) == "25 02:00"
    first_hour = Interval(local(start), datetime(2026, 10, 25, 1, tzinfo=UTC))
    slot = free_slot(
        busy=[first_hour], hours=night, earliest=local(start), latest=local("2026-10-26T00:00"), minutes=30
    )
    assert slot == Interval(datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC))


def test_a_step_of_an_hour_where_clocks_change_by_half_an_hour() -> None:
    howe = parse_hours({"mon-sun": "00:00-24:00"}, timezone="Australia/Lord_Howe")
    day = Interval(local("2026-04-05T00:00", "Australia/Lord_Howe"), local("2026-04-05T01:30", "Australia/Lord_Howe"))
    slot = free_slot(
        busy=[day], hours=howe, earliest=day.start, latest=day.end + timedelta(days=1), minutes=30, step_min=60
    )
    assert slot is not None
    assert slot.start.astimezone(ZoneInfo("Australia/Lord_Howe")).minute == 0


blocks = st.builds(
    lambda start, length: Interval(start, start + timedelta(minutes=length)),
    st.datetimes(datetime(2026, 3, 20), datetime(2026, 4, 5), timezones=st.just(UTC)),
    st.integers(1, 2_000),
)


@settings(max_examples=200, deadline=None)
@given(
    busy=st.lists(blocks, max_size=30),
    minutes=st.sampled_from([15, 30, 45, 60, 90]),
    step=st.sampled_from([5, 15, 30]),
    client=st.sampled_from(["", "America/New_York", "Asia/Kolkata"]),
)
def test_a_slot_is_free_and_there_is_no_earlier_one(
    busy: Sequence[Interval], minutes: int, step: int, client: str
) -> None:
    """Against a slow search that tries every minute."""
    earliest, latest = datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    openings = open_intervals(earliest, latest, BERLIN)

    def fits(start: datetime) -> bool:
        end = start + timedelta(minutes=minutes)
        here = start.astimezone(ZoneInfo("Europe/Berlin"))
        there, after = (each.astimezone(ZoneInfo(client or "UTC")) for each in (start, end))
        return (
            (here.hour * 60 + here.minute) % step == 0
            and any(each.start <= start and end <= each.end for each in openings)
            and not any(each.start < end and start < each.end for each in busy)
            and (client == "" or (there.weekday() < 5 and there.hour >= 8 and after.strftime("%H:%M") <= "18:00"))
        )

    every_minute = (earliest + timedelta(minutes=minute) for minute in range(5 * 24 * 60))
    expected = next((start for start in every_minute if fits(start)), None)
    slot = free_slot(
        busy=busy,
        hours=BERLIN,
        earliest=earliest,
        latest=latest,
        minutes=minutes,
        client_timezone=client,
        step_min=step,
    )
    assert (slot.start if slot else None) == expected
