"""How a due time comes about: the last step is what `add` gives, whatever the hours; the words name what was passed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triaged.clocks.derivation import derivation
from triaged.clocks.hours import Hours, Span, add, parse_hours, parse_span

OFFICE = {"mon-thu": "09:00-12:30 13:30-17:30", "fri": "09:00-12:00", "sat": ""}
WEEK = {"mon-fri": "09:00-17:30"}
CHRISTMAS = date(2026, 12, 25)
BERLIN = parse_hours(WEEK, timezone="Europe/Berlin", holidays=[CHRISTMAS])
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago")

moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))
all_hours = st.builds(
    lambda table, zone, holidays: parse_hours(table, timezone=zone, holidays=holidays),
    st.sampled_from([OFFICE, WEEK, {"mon-sun": "00:00-24:00"}, {"sun": "02:15-02:45", "wed": "22:00-24:00"}]),
    st.sampled_from(ZONES),
    st.sets(st.dates(date(2024, 1, 1), date(2030, 12, 31)), max_size=20),
)
spans = st.builds(Span, st.integers(1, 600), st.sampled_from(["minutes", "days", "business minutes", "business days"]))


@settings(max_examples=200, deadline=None)
@given(start=moments, hours=all_hours, span=spans)
def test_it_ends_where_add_ends(start: datetime, hours: Hours, span: Span) -> None:
    steps = derivation(start, span, hours)
    assert steps[-1].at == add(start, span, hours)
    assert steps[-1].what == "due"
    assert len(steps) <= 30
    assert all(step.at <= steps[-1].at for step in steps if step.what == "counted" and span.unit == "business minutes")


def told(start: str, span: str, hours: Hours = BERLIN) -> list[str]:
    begin = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(hours.timezone))
    return [f"{step.what}: {step.words}" for step in derivation(begin, parse_span(span), hours)]


@pytest.mark.parametrize(
    ("start", "span", "steps"),
    [
        (
            "2026-11-27T17:40",
            "1 business day",
            [
                "passed: Sat 28 Nov to Sun 29 Nov closed: passed over",
                "counted: the next working day after Fri 27 Nov: Mon 30 Nov",
                "moved: 17:40 is after closing that day, so 17:30",
                "due: Mon 30 Nov 2026, 17:30",
            ],
        ),
        (
            "2026-12-24T16:00",
            "4 business hours",
            [
                "counted: Thu 24 Dec 16:00–17:30: 1 h 30 min",
                "passed: Fri 25 Dec is a holiday: passed over",
                "passed: Sat 26 Dec to Sun 27 Dec closed: passed over",
                "counted: Mon 28 Dec 09:00–11:30: 2 h 30 min",
                "due: Mon 28 Dec 2026, 11:30",
            ],
        ),
        (
            "2026-11-28T11:00",
            "30 business minutes",
            [
                "passed: Sat 28 Nov to Sun 29 Nov closed: passed over",
                "begins: 11:00 is outside business hours, so counting begins Mon 30 Nov 09:00",
                "counted: Mon 30 Nov 09:00–09:30: 30 min",
                "due: Mon 30 Nov 2026, 09:30",
            ],
        ),
        (
            "2026-03-28T02:30",
            "1d",
            [
                "counted: the same time of day 1 day later, working days or not",
                "moved: the clocks skip 02:30 that day, so 03:30",
                "due: Sun 29 Mar 2026, 03:30",
            ],
        ),
        ("2026-11-27T17:40", "4h", ["counted: 4 h by the clock, open or closed", "due: Fri 27 Nov 2026, 21:40"]),
    ],
)
def test_the_words(start: str, span: str, steps: list[str]) -> None:
    assert told(start, span) == steps


def test_a_long_span_is_told_short() -> None:
    steps = told("2026-11-02T08:00", "200 business hours")
    assert len(steps) == 11
    assert "counted: and 17 more stretches of open hours" in steps


def test_what_never_comes_is_refused_as_add_refuses_it() -> None:
    never = Hours("UTC", ((),) * 7)
    for span in ("1 business day", "1 business minute"):
        with pytest.raises(ValueError, match=r"open|working days"):
            derivation(datetime(2026, 11, 23, tzinfo=UTC), parse_span(span), never)
