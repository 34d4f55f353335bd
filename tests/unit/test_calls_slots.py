"""Free slots: within what was asked for, when both work, free, on the grid; several are spread."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triaged.calls.slots import free_slots
from triaged.clocks.hours import Hours, open_intervals, parse_hours
from triaged.model import Interval
from triaged.playbook import client_week

BERLIN = parse_hours({"mon-fri": "09:00-12:30 13:30-17:30"}, timezone="Europe/Berlin")
MONDAY = "2026-11-23"


def local(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def span(since: str, until: str, day: str = MONDAY) -> Interval:
    return Interval(local(f"{day}T{since}"), local(f"{day}T{until}"))


def windows(earliest: str, latest: str) -> tuple[Interval, ...]:
    return (Interval(local(earliest), local(latest)),)


def when_both_work(windows: Sequence[Interval], client: Hours | None) -> tuple[Interval, ...]:
    """As the mail's decision cuts them (`scheduling.py`)."""
    if client is None:
        return tuple(windows)
    return tuple(each for window in windows for each in client.open_intervals(window.start, window.end))


def found(
    *busy: Interval,
    earliest: str = f"{MONDAY}T00:00",
    latest: str = "2026-11-27T23:00",
    minutes: int = 30,
    hours: Hours = BERLIN,
    client: Hours | None = None,
    **options: Any,
) -> str:
    """Where the first slot starts, on the organizer's wall clock; "" for none."""
    within = when_both_work(windows(earliest, latest), client)
    slots = free_slots(busy=busy, hours=hours, windows=within, minutes=minutes, **options)
    if len(slots) == 0:
        return ""
    (slot,) = slots
    assert slot.end - slot.start == timedelta(minutes=minutes)
    assert slot.start.tzinfo is UTC
    return slot.start.astimezone(ZoneInfo(hours.timezone)).strftime("%d %H:%M")


def offered(
    *busy: Interval,
    within: Sequence[Interval] = windows(f"{MONDAY}T00:00", "2026-11-27T23:00"),
    count: int = 3,
    hours: Hours = BERLIN,
    client: Hours | None = None,
    **options: Any,
) -> list[str]:
    """Where the slots start, on the organizer's wall clock."""
    options = {"minutes": 30, **options}
    slots = free_slots(busy=busy, hours=hours, windows=when_both_work(within, client), count=count, **options)
    return [slot.start.astimezone(ZoneInfo(hours.timezone)).strftime("%d %H:%M") for slot in slots]


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
    assert found(client=client_week(zone)) == expected


def test_the_last_slot_of_the_clients_day() -> None:
    assert found(earliest=f"{MONDAY}T09:30", client=client_week("Asia/Tokyo")) == "23 09:30"
    assert found(earliest=f"{MONDAY}T10:00", client=client_week("Asia/Tokyo")) == "24 09:00"


def test_the_client_has_a_weekend_too() -> None:
    always = parse_hours({"mon-sun": "00:00-24:00"}, timezone="Pacific/Auckland")
    assert found(earliest="2026-11-21T00:00", hours=always, client=client_week("America/New_York")) == "24 02:00"


def test_summer_time_of_client_and_organizer_ends_on_different_days() -> None:
    week_between = "2026-10-26T00:00"  # Berlin is back on winter time, New York a week later
    assert found(earliest=week_between, client=client_week("America/New_York")) == "26 13:30"


def test_slots_around_the_end_of_summer_time() -> None:
    night = parse_hours({"sun": "00:00-24:00"}, timezone="Europe/Berlin")
    start = "2026-10-25T00:00"
    assert found(span("00:00", "01:45", "2026-10-25"), earliest=start, hours=night) == "25 02:00"
    first_hour = Interval(local(start), datetime(2026, 10, 25, 1, tzinfo=UTC))
    (slot,) = free_slots(busy=[first_hour], hours=night, windows=windows(start, "2026-10-26T00:00"), minutes=30)
    assert slot == Interval(datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC))


def test_a_step_of_an_hour_where_clocks_change_by_half_an_hour() -> None:
    howe = parse_hours({"mon-sun": "00:00-24:00"}, timezone="Australia/Lord_Howe")
    day = Interval(local("2026-04-05T00:00", "Australia/Lord_Howe"), local("2026-04-05T01:30", "Australia/Lord_Howe"))
    until = Interval(day.start, day.end + timedelta(days=1))
    (slot,) = free_slots(busy=[day], hours=howe, windows=[until], minutes=30, step_min=60)
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
    expected = next(((start,) for start in every_minute if fits(start)), ())
    slots = free_slots(
        busy=busy,
        hours=BERLIN,
        windows=when_both_work([Interval(earliest, latest)], client_week(client)),
        minutes=minutes,
        step_min=step,
    )
    assert tuple(slot.start for slot in slots) == expected


# --- windows, moments, full days ------------------------------------------------------------------------------


def test_windows_are_gone_through_in_their_order() -> None:
    wednesday, tuesday = span("09:00", "12:00", "2026-11-25"), span("15:00", "17:00", "2026-11-24")
    assert offered(within=[wednesday, tuesday], count=1) == ["25 09:00"]
    assert offered(within=[tuesday, wednesday], count=1) == ["24 15:00"]
    assert offered(within=[wednesday, tuesday], count=2) == ["24 15:00", "25 09:00"], "told in order of time"
    assert offered(span("09:00", "12:00", "2026-11-25"), within=[wednesday, tuesday], count=1) == ["24 15:00"]
    assert offered(within=[], count=1) == []


def test_a_slot_lies_whole_within_one_window() -> None:
    halves = [span("09:00", "09:20"), span("09:20", "09:40")]
    assert offered(within=halves, count=1) == []
    assert offered(within=[*halves, span("09:00", "09:40")], count=1) == ["23 09:00"]


def test_a_moment_that_was_asked_for_may_lie_off_the_grid() -> None:
    quarter = span("15:15", "15:45")
    assert offered(within=[quarter], count=1) == ["23 15:15"]
    assert offered(within=[span("15:15", "15:46")], count=1) == [], (
        "a minute more, and it is a window: 15:30 ends too late"
    )
    assert offered(within=[span("15:15", "16:15")], count=1) == ["23 15:30"]
    assert offered(span("15:40", "16:00"), within=[quarter], count=1) == []
    assert offered(span("15:50", "16:00"), within=[quarter], count=1, buffer_min=5) == ["23 15:15"]
    assert offered(span("15:50", "16:00"), within=[quarter], count=1, buffer_min=6) == []
    assert offered(within=[span("12:15", "12:45")], count=1) == [], "the break begins in it"
    assert offered(within=[span("17:15", "17:45")], count=1) == [], "we close in it"
    assert offered(within=[quarter], count=1, client=client_week("America/Los_Angeles")) == [], "06:15 there"


def test_the_buffer_reaches_over_the_edges_of_a_window() -> None:
    window = [span("10:00", "11:00")]
    assert offered(span("09:30", "10:00"), within=window, count=1) == ["23 10:00"]
    assert offered(span("09:30", "10:00"), within=window, count=1, buffer_min=15) == ["23 10:30"]
    assert offered(span("09:30", "10:00"), span("11:00", "12:00"), within=window, count=1, buffer_min=15) == []
    between = (span("09:30", "10:00"), span("11:00", "12:00"))
    assert offered(*between, within=window, count=1, buffer_min=15, step_min=15) == ["23 10:15"]


def test_no_further_call_on_a_full_day() -> None:
    assert found(full_days={date(2026, 11, 23)}) == "24 09:00"
    assert found(full_days={date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 26)}) == "25 09:00"
    moment = span("15:15", "15:45")
    assert offered(within=[moment], count=1, full_days={date(2026, 11, 23)}) == []


def test_a_full_day_is_one_of_the_organizers_wall_clock() -> None:
    """23 November in Auckland begins at 11:00 UTC of the 22nd, and buffers do not make it longer."""
    always = parse_hours({"mon-sun": "00:00-24:00"}, timezone="Pacific/Auckland")
    start = "2026-11-22T12:00"  # 00:00 of the 23rd in Auckland
    assert found(earliest=start, hours=always) == "23 00:00"
    assert found(earliest=start, hours=always, full_days={date(2026, 11, 23)}, buffer_min=30) == "24 00:00"
    night = (Interval(local("2026-11-22T23:30", "Pacific/Auckland"), local("2026-11-23T00:00", "Pacific/Auckland")),)
    options = {"hours": always, "within": night, "count": 1, "buffer_min": 30}
    assert offered(full_days={date(2026, 11, 23)}, **options) == ["22 23:30"]
    assert offered(full_days={date(2026, 11, 22)}, **options) == []


def test_a_full_day_of_25_hours() -> None:
    night = parse_hours({"sat-mon": "00:00-24:00"}, timezone="Europe/Berlin")
    assert found(earliest="2026-10-25T00:00", hours=night, full_days={date(2026, 10, 25)}) == "26 00:00"
    assert found(earliest="2026-10-24T23:00", hours=night, full_days={date(2026, 10, 25)}, minutes=60) == "24 23:00"


# --- when the client works ------------------------------------------------------------------------------------


def test_a_client_who_works_from_sunday_to_thursday() -> None:
    riyadh = client_week("Asia/Riyadh", "sun-thu 08:00-16:00")  # two hours before us in winter
    friday = "2026-11-27T00:00"
    assert found(client=riyadh) == "23 09:00"
    assert found(earliest=f"{MONDAY}T13:00", client=riyadh) == "23 13:30", "the last: until 16:00 there"
    assert found(earliest=f"{MONDAY}T14:00", client=riyadh) == "24 09:00"
    assert found(earliest=friday, latest="2026-11-29T23:00", client=riyadh) == ""
    always = parse_hours({"mon-sun": "09:00-17:00"}, timezone="Europe/Berlin")
    assert found(earliest=friday, latest="2026-11-29T23:00", client=riyadh, hours=always) == "29 09:00", "a Sunday"


def test_the_clients_break_is_theirs() -> None:
    lunch = client_week("Europe/Berlin", "mon-fri 08:00-10:00 11:00-18:00")
    assert found(span("09:00", "09:45"), client=lunch) == "23 11:00"
    assert found(earliest=f"{MONDAY}T09:30", minutes=60, client=lunch) == "23 11:00"


def test_holidays_of_either_side() -> None:
    week = {"earliest": "2026-11-25T14:00", "latest": "2026-11-27T23:00"}
    assert found(**week, client=client_week("America/New_York", country="US")) == "25 14:00"
    thanksgiving = {"earliest": "2026-11-26T00:00", "latest": "2026-11-27T23:00"}
    assert found(**thanksgiving, client=client_week("America/New_York")) == "26 14:00"
    assert found(**thanksgiving, client=client_week("America/New_York", country="US")) == "27 14:00"
    ours = parse_hours({"mon-fri": "09:00-17:00"}, timezone="Europe/Berlin", country="DE-BE")
    march = {"earliest": "2027-03-08T00:00", "latest": "2027-03-12T23:00"}
    assert found(**march) == "08 09:00"
    assert found(**march, hours=ours) == "09 09:00", "International Women's Day, in Berlin"


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Asia/Kolkata", "23 11:00"),  # +5:30: until 16:00 there
        ("Asia/Kathmandu", "23 10:30"),  # +5:45: until 15:45 there; 11:00 would end at 16:15
        ("Asia/Yangon", "23 10:00"),  # +6:30
        ("Australia/Eucla", ""),  # +8:45: 16:45 there when we open
    ],
)
def test_zones_that_are_half_an_hour_or_a_quarter_off(zone: str, expected: str) -> None:
    """The last start that still ends by 16:00 there, against a search of every half hour."""
    client = client_week(zone, "mon-fri 08:00-16:00")
    day = [span("09:00", "12:30")]
    starts = offered(within=day, count=99, client=client)
    assert (starts[-1] if starts else "") == expected
    for start in starts:
        moment = local(f"2026-11-{start.replace(' ', 'T')}").astimezone(ZoneInfo(zone)) + timedelta(minutes=30)
        assert moment.strftime("%H:%M") <= "16:00"


def test_an_organizer_whose_zone_is_a_quarter_off_keeps_to_its_own_grid() -> None:
    kathmandu = parse_hours({"mon-fri": "10:00-17:00"}, timezone="Asia/Kathmandu")
    assert found(earliest=f"{MONDAY}T00:00", hours=kathmandu) == "23 10:00"
    assert found(earliest=f"{MONDAY}T06:01", hours=kathmandu) == "23 11:00", "10:46 there"
    assert offered(within=[span("06:10", "06:40")], hours=kathmandu, count=1) == ["23 10:55"]


def test_when_only_one_side_changes_its_clocks() -> None:
    """The weeks in March when New York has summer time and Berlin has not: five hours between, not six."""
    morning = client_week("America/New_York", "mon-fri 08:00-09:00")
    assert found(earliest="2027-03-08T00:00", latest="2027-03-12T23:00", client=morning) == "08 14:00"
    assert found(earliest="2027-03-15T00:00", latest="2027-03-19T23:00", client=morning) == "15 13:30"
    assert found(earliest="2027-03-29T00:00", latest="2027-04-02T23:00", client=morning) == "29 14:00"


def test_the_night_the_clocks_go_forward() -> None:
    night = parse_hours({"sat-sun": "00:00-24:00"}, timezone="Europe/Berlin")
    hour = windows("2027-03-28T01:00", "2027-03-28T04:00")
    assert offered(within=hour, hours=night, count=9) == ["28 01:00", "28 01:30", "28 03:00", "28 03:30"]
    assert offered(within=hour, hours=night, minutes=90, count=1) == ["28 01:00"]


# --- several --------------------------------------------------------------------------------------------------


def test_several_are_spread_over_half_days() -> None:
    assert offered() == ["23 09:00", "23 13:30", "24 09:00"]
    assert offered(span("09:00", "17:30"), count=5) == ["24 09:00", "24 13:30", "25 09:00", "25 13:30", "26 09:00"]
    long_day = parse_hours({"mon-fri": "09:00-17:00"}, timezone="Europe/Berlin")
    assert offered(hours=long_day, count=2) == ["23 09:00", "23 12:30"], "the afternoon begins at half past twelve"


def test_half_days_are_the_organizers() -> None:
    tokyo = parse_hours({"mon-fri": "09:00-18:00"}, timezone="Asia/Tokyo")
    assert offered(hours=tokyo, within=windows(f"{MONDAY}T00:00", f"{MONDAY}T23:00"), count=2) == [
        "23 09:00",
        "23 12:30",
    ]


def test_too_few_half_days_are_filled_up() -> None:
    assert offered(within=[span("09:00", "12:30")]) == ["23 09:00", "23 09:30", "23 10:00"]
    assert offered(within=[span("09:00", "17:30")]) == ["23 09:00", "23 09:30", "23 13:30"]
    assert offered(within=[span("09:00", "10:00")]) == ["23 09:00", "23 09:30"], "what there is"
    assert offered(within=[span("09:00", "17:30")], count=5, minutes=120) == ["23 09:00", "23 13:30", "23 15:30"]


def test_they_keep_the_buffer_between_them() -> None:
    assert offered(within=[span("09:00", "12:30")], buffer_min=1) == ["23 09:00", "23 10:00", "23 11:00"]
    assert offered(within=[span("09:00", "12:30")], buffer_min=10, step_min=5) == ["23 09:00", "23 09:40", "23 10:20"]


def test_the_same_window_twice_gives_nothing_twice() -> None:
    twice = [span("09:00", "10:00")] * 2
    assert offered(within=twice) == ["23 09:00", "23 09:30"]
    moments = [span("15:15", "15:45"), span("15:30", "16:00"), span("15:45", "16:15")]
    assert offered(within=moments) == ["23 15:15", "23 15:45"]


@settings(max_examples=100, deadline=None)
@given(
    busy=st.lists(blocks, max_size=30),
    count=st.integers(1, 5),
    buffer=st.sampled_from([0, 15]),
    full=st.sets(st.dates(date(2026, 3, 26), date(2026, 4, 2)), max_size=2),
)
def test_each_of_several_could_be_booked_beside_the_others(
    busy: Sequence[Interval], count: int, buffer: int, full: set[date]
) -> None:
    window = Interval(datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    options: dict[str, Any] = {
        "hours": BERLIN,
        "windows": [window],
        "minutes": 30,
        "buffer_min": buffer,
        "full_days": full,
    }
    slots = free_slots(busy=busy, count=count, **options)
    assert len(slots) <= count
    apart = timedelta(minutes=buffer)
    assert all(one.end + apart <= other.start for one, other in pairwise(slots))
    for number, slot in enumerate(slots):
        others = slots[:number] + slots[number + 1 :]
        alone = {**options, "windows": [slot]}
        assert free_slots(busy=(*busy, *others), **alone) == (slot,)
    if len(slots) < count:
        assert free_slots(busy=(*busy, *slots), **options) == (), "there was no other"
