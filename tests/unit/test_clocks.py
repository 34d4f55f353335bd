"""Spans and business hours: breaks, holidays, and every way in which clocks are put forward and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triaged.clocks.hours import Hours, Span, add, open_intervals, parse_hours, parse_span
from triaged.errors import ConfigError
from triaged.model import Interval

OFFICE = {"mon-thu": "09:00-12:30 13:30-17:30", "fri": "09:00-12:00", "sat": ""}
BERLIN = parse_hours(OFFICE, timezone="Europe/Berlin", holidays=[date(2026, 12, 25), date(2026, 4, 6)])
NIGHT = parse_hours({"mon-sun": "00:00-24:00"}, timezone="Europe/Berlin")
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago")


def local(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


# --- what a person wrote --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30m", Span(30, "minutes")),
        ("4h", Span(240, "minutes")),
        ("90 minutes", Span(90, "minutes")),
        ("1 hour", Span(60, "minutes")),
        ("2d", Span(2, "days")),
        ("2 weeks", Span(14, "days")),
        ("1 business day", Span(1, "business days")),
        ("3 working days", Span(3, "business days")),
        ("2 business weeks", Span(10, "business days")),
        ("4 business hours", Span(240, "business minutes")),
        ("  4  Business   Hours ", Span(240, "business minutes")),
    ],
)
def test_spans(text: str, span: Span) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize(
    "text",
    ["", "soon", "4", "4 hous", "-1h", "0m", "1.5h", "1h 30m", "1 business", "5 months", "4000 days", "١h", "9" * 99],
)
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no span of time|longer than ten years"):
        parse_span(text)


def test_hours_as_written() -> None:
    day = ((time(9), time(12, 30)), (time(13, 30), time(17, 30)))
    assert BERLIN.spans == (day, day, day, day, ((time(9), time(12)),), (), ())
    assert NIGHT.spans == (((time(0), time(0)),),) * 7
    assert parse_hours({"sat-mon": "9:00–10:00,10:00-11:00"}, timezone="UTC").spans[0] == (
        (time(9), time(10)),
        (time(10), time(11)),
    )


@pytest.mark.parametrize(
    ("text_by_day", "timezone", "where"),
    [
        ({"monday": "09:00-17:00"}, "UTC", "office.monday"),
        ({"mon-xyz": "09:00-17:00"}, "UTC", "office.mon-xyz"),
        ({"mon": "9-17"}, "UTC", "office.mon"),
        ({"mon": "09:00-17:00 closed"}, "UTC", "office.mon"),
        ({"mon": "17:00-09:00"}, "UTC", "office.mon"),
        ({"mon": "09:00-09:00"}, "UTC", "office.mon"),
        ({"mon": "09:60-17:00"}, "UTC", "office.mon"),
        ({"mon": "09:00-24:01"}, "UTC", "office.mon"),
        ({"mon": "13:00-17:00 09:00-12:00"}, "UTC", "office.mon"),
        ({"mon": "09:00-12:00 11:00-17:00"}, "UTC", "office.mon"),
        ({"mon": "09:00-24:00 00:00-01:00"}, "UTC", "office.mon"),
        ({"mon-fri": "09:00-17:00", "wed": "09:00-12:00"}, "UTC", "office.wed"),
        ({"mon": ""}, "UTC", "office"),
        ({}, "UTC", "office"),
        ({"mon": "09:00-17:00"}, "Europe/Belin", "office.timezone"),
        ({"mon": "09:00-17:00"}, "../UTC", "office.timezone"),
    ],
)
def test_hours_that_are_none(text_by_day: Mapping[str, str], timezone: str, where: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_hours(text_by_day, timezone=timezone, where="office")
    assert [problem.where for problem in raised.value.problems] == [where]


def test_every_mistake_in_hours_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_hours({"mo": "", "tue": "x", "wed": "09:00-10:00"}, timezone="Nowhere")
    assert [problem.where for problem in raised.value.problems] == ["hours.timezone", "hours.mo", "hours.tue"]


# --- spans added ------------------------------------------------------------------------------------------------

ADD = [
    # start, span, what comes out; all Berlin. 2026-11-23 is a Monday.
    ("elapsed time", "2026-11-23T16:00", "4h", "2026-11-23T20:00"),
    ("elapsed time over the end of summer time", "2026-10-24T12:00", "24h", "2026-10-25T11:00"),
    ("elapsed time over its start", "2026-03-28T12:00", "24h", "2026-03-29T13:00"),
    ("days keep the wall clock over the end of summer time", "2026-10-24T12:00", "1d", "2026-10-25T12:00"),
    ("days keep the wall clock over its start", "2026-03-28T12:00", "1 day", "2026-03-29T12:00"),
    ("days are counted at weekends too", "2026-11-27T12:00", "2 days", "2026-11-29T12:00"),
    ("a time that the clocks skip", "2026-03-28T02:30", "1 day", "2026-03-29T03:30"),
    ("business hours within a morning", "2026-11-23T09:30", "2 business hours", "2026-11-23T11:30"),
    ("business hours exactly up to the break", "2026-11-23T09:00", "210 business minutes", "2026-11-23T12:30"),
    ("business hours over the break", "2026-11-23T11:30", "2 business hours", "2026-11-23T14:30"),
    ("business hours overnight", "2026-11-23T17:00", "1 business hour", "2026-11-24T09:30"),
    ("business hours over the weekend", "2026-11-27T11:00", "4 business hours", "2026-11-30T12:00"),
    ("business hours from the weekend", "2026-11-28T03:00", "1 business hour", "2026-11-30T10:00"),
    ("business hours from the break", "2026-11-23T13:00", "1 business hour", "2026-11-23T14:30"),
    ("business hours over a holiday", "2026-12-24T17:00", "1 business hour", "2026-12-28T09:30"),
    ("business hours over the end of summer time", "2026-10-23T11:00", "2 business hours", "2026-10-26T10:00"),
    ("the next business day", "2026-11-23T10:15", "1 business day", "2026-11-24T10:15"),
    ("a business day over the weekend", "2026-11-27T11:00", "1 business day", "2026-11-30T11:00"),
    ("a business day from Saturday", "2026-11-28T14:00", "1 business day", "2026-11-30T14:00"),
    ("a business day from before opening", "2026-11-23T06:00", "1 business day", "2026-11-24T09:00"),
    ("a business day from after closing", "2026-11-23T22:00", "1 business day", "2026-11-24T17:30"),
    ("a business day from the break", "2026-11-23T13:00", "1 business day", "2026-11-24T12:30"),
    ("a business day into a short one", "2026-11-26T16:00", "1 business day", "2026-11-27T12:00"),
    ("a business day over Christmas", "2026-12-24T10:00", "1 business day", "2026-12-28T10:00"),
    ("a business day over Easter Monday", "2026-04-03T10:00", "1 business day", "2026-04-07T10:00"),
    ("a business day over the start of summer time", "2026-03-27T10:00", "1 business day", "2026-03-30T10:00"),
    ("a business week", "2026-11-23T10:00", "1 business week", "2026-11-30T10:00"),
    ("five business days", "2026-11-25T10:00", "5 business days", "2026-12-02T10:00"),
]


@pytest.mark.parametrize(("name", "start", "span", "expected"), ADD, ids=[case[0] for case in ADD])
def test_add(name: str, start: str, span: str, expected: str) -> None:
    found = add(local(start).astimezone(UTC), parse_span(span), BERLIN)
    assert found == local(expected).astimezone(UTC)
    assert found.tzinfo is UTC


def test_the_zone_of_the_start_does_not_matter() -> None:
    start = local("2026-11-23T17:00")
    for zone in ZONES:
        assert add(start.astimezone(ZoneInfo(zone)), parse_span("1 business hour"), BERLIN) == local("2026-11-24T09:30")


def test_the_second_of_two_hours_is_an_hour_later() -> None:
    first, second = (local("2026-10-25T02:30", fold=fold).astimezone(UTC) for fold in (0, 1))
    assert second - first == timedelta(hours=1)
    assert add(second, parse_span("30m"), NIGHT) - add(first, parse_span("30m"), NIGHT) == timedelta(hours=1)
    assert add(second, parse_span("1 business hour"), NIGHT) == second + timedelta(hours=1)


def test_hours_that_never_open_are_refused() -> None:
    never = Hours("UTC", ((),) * 7)
    for span in ("1 business day", "1 business minute"):
        with pytest.raises(ValueError, match=r"open|working days"):
            add(local("2026-11-23T10:00"), parse_span(span), never)


# --- open intervals ----------------------------------------------------------------------------------------------


def open_hours(day: str, zone: str) -> float:
    hours = parse_hours({"mon-sun": "00:00-24:00"}, timezone=zone)
    start = local(f"{day}T00:00", zone)
    end = local((date.fromisoformat(day) + timedelta(days=1)).isoformat(), zone)
    found = open_intervals(start.astimezone(UTC), end.astimezone(UTC), hours)
    return sum((each.end - each.start).total_seconds() for each in found) / 3600


@pytest.mark.parametrize(
    ("day", "zone", "length"),
    [
        ("2026-03-29", "Europe/Berlin", 23),
        ("2026-10-25", "Europe/Berlin", 25),
        ("2026-03-08", "America/New_York", 23),
        ("2026-11-01", "America/New_York", 25),
        ("2026-04-05", "Australia/Lord_Howe", 24.5),
        ("2026-09-06", "America/Santiago", 23),  # the clocks skip midnight itself
        ("2026-11-23", "Asia/Kolkata", 24),
    ],
)
def test_a_day_is_as_long_as_it_is(day: str, zone: str, length: float) -> None:
    assert open_hours(day, zone) == length


def test_office_hours_stand_on_the_wall_clock() -> None:
    hours = parse_hours({"sat-mon": "09:00-17:00"}, timezone="America/New_York")
    found = open_intervals(datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC), hours)
    assert [each.start.hour for each in found] == [14, 13, 13], "UTC, before and after 8 March 2026"


def test_intervals_are_cut_to_the_window_and_touching_ones_joined() -> None:
    start, end = local("2026-11-23T10:00").astimezone(UTC), local("2026-11-24T09:30").astimezone(UTC)
    assert open_intervals(start, end, BERLIN) == (
        Interval(start, local("2026-11-23T12:30").astimezone(UTC)),
        Interval(local("2026-11-23T13:30").astimezone(UTC), local("2026-11-23T17:30").astimezone(UTC)),
        Interval(local("2026-11-24T09:00").astimezone(UTC), end),
    )
    assert open_intervals(start, end, NIGHT) == (Interval(start, end),)
    assert open_intervals(end, start, BERLIN) == ()
    assert open_intervals(start, start, BERLIN) == ()


def test_a_holiday_is_closed() -> None:
    day = local("2026-12-25T00:00"), local("2026-12-26T00:00")
    assert open_intervals(*day, BERLIN) == ()
    assert len(open_intervals(*day, Hours(BERLIN.timezone, BERLIN.spans))) == 1, "the other half"


def test_hours_in_the_hour_the_clocks_skip() -> None:
    hours = parse_hours({"sun": "02:15-02:45"}, timezone="Europe/Berlin")
    found = open_intervals(local("2026-03-29T00:00"), local("2026-03-30T00:00"), hours)
    assert [(each.end - each.start) for each in found] == [timedelta(minutes=30)]
    assert found[0].start == local("2026-03-29T03:15")
    into = parse_hours({"sun": "02:30-03:15"}, timezone="Europe/Berlin")
    assert open_intervals(local("2026-03-29T00:00"), local("2026-03-30T00:00"), into) == ()


# --- laws -----------------------------------------------------------------------------------------------------------

moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))
all_hours = st.builds(
    lambda zone, holidays: parse_hours(OFFICE, timezone=zone, holidays=holidays),
    st.sampled_from(ZONES),
    st.sets(st.dates(date(2024, 1, 1), date(2030, 12, 31)), max_size=20),
)
spans = st.builds(Span, st.integers(1, 600), st.sampled_from(["minutes", "days", "business minutes", "business days"]))


@settings(max_examples=200, deadline=None)
@given(start=moments, hours=all_hours, span=spans)
def test_time_added_lies_later_and_in_business_hours_where_asked(start: datetime, hours: Hours, span: Span) -> None:
    found = add(start, span, hours)
    assert found > start
    if span.unit.startswith("business"):
        around = open_intervals(found - timedelta(days=1), found + timedelta(days=1), hours)
        assert any(each.start <= found <= each.end for each in around)
    if span.unit == "business minutes":
        worked = sum(((each.end - each.start) for each in open_intervals(start, found, hours)), timedelta())
        assert worked == timedelta(minutes=span.amount)


@settings(max_examples=200, deadline=None)
@given(start=moments, later=st.integers(0, 10_000), hours=all_hours, span=spans)
def test_who_writes_later_is_not_answered_earlier(start: datetime, later: int, hours: Hours, span: Span) -> None:
    # Not of days: 02:30 of the day before the clocks go back and of the hour that comes twice are one wall clock.
    if span.unit in ("minutes", "business minutes"):
        assert add(start, span, hours) <= add(start + timedelta(minutes=later), span, hours)


@settings(max_examples=100, deadline=None)
@given(start=moments, hours=all_hours)
def test_open_intervals_are_in_order_and_apart(start: datetime, hours: Hours) -> None:
    end = start + timedelta(days=30)
    found = open_intervals(start, end, hours)
    assert len(found) > 0
    assert all(start <= each.start < each.end <= end for each in found)
    assert all(first.end < second.start for first, second in pairwise(found))
