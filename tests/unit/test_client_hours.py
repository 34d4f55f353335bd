"""When a client works: by what the accounts say of them, Monday to Friday where they only say where."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from triaged.clocks.hours import parse_hours, parse_week
from triaged.model import Account
from triaged.playbook import client_hours, client_problems, location_words


def account(timezone: str = "", hours: str = "", country: str = "") -> Account:
    return Account("A-1", "Acme", timezone=timezone, hours=hours, country=country)


def test_without_a_zone_nothing_is_known() -> None:
    assert client_hours(account()) is None
    assert client_hours(account(country="DE")) is None


def test_with_a_zone_only_it_is_the_usual_week() -> None:
    hours = client_hours(account("Asia/Kathmandu"))
    assert hours is not None
    assert hours.timezone == "Asia/Kathmandu"
    assert hours.spans == ((((time(8), time(18)),),) * 5 + ((), ()))
    assert hours.works_on(date(2026, 12, 25))


def test_a_week_from_sunday_to_thursday() -> None:
    hours = client_hours(account("Asia/Riyadh", "sun-thu 08:00-16:00"))
    assert hours is not None
    thursday, monday = datetime(2026, 11, 26, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
    opens = [each.start.isoformat(timespec="minutes") for each in hours.open_intervals(thursday, monday)]
    assert opens == ["2026-11-26T05:00+00:00", "2026-11-29T05:00+00:00"]


def test_their_holidays_are_theirs() -> None:
    hours = client_hours(account("America/New_York", "mon-fri 09:00-17:00", "US"))
    assert hours is not None
    assert not hours.works_on(date(2026, 11, 26)), "Thanksgiving"
    assert hours.works_on(date(2026, 11, 27))


@pytest.mark.parametrize(
    ("text", "by_day"),
    [
        ("mon-thu 09:00-17:00, fri 09:00-13:00", {"mon-thu": "09:00-17:00", "fri": "09:00-13:00"}),
        ("mon-thu 09:00-17:00; fri 09:00-13:00", {"mon-thu": "09:00-17:00", "fri": "09:00-13:00"}),
        ("Mon-Thu 09:00-17:00 FRI 09:00-13:00", {"mon-thu": "09:00-17:00", "fri": "09:00-13:00"}),
        ("mon – fri 9:00 – 17:00", {"mon-fri": "09:00-17:00"}),
        ("mon-fri 09:00-12:30 13:30-17:30", {"mon-fri": "09:00-12:30 13:30-17:30"}),
        (
            "mon-fri 09:00-12:30, 13:30-17:30, sat 10:00-12:00",
            {"mon-fri": "09:00-12:30 13:30-17:30", "sat": "10:00-12:00"},
        ),
        ("mon 09:00-12:00, mon 13:00-17:00", {"mon": "09:00-12:00 13:00-17:00"}),
        ("sat-sun 00:00-24:00", {"sat-sun": "00:00-24:00"}),
    ],
)
def test_hours_in_one_line(text: str, by_day: dict[str, str]) -> None:
    assert parse_week(text, timezone="Europe/Berlin") == parse_hours(by_day, timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9 to 5", "'9 to 5' does not begin with a day; write such as 'mon-thu 09:00-17:00, fri 09:00-13:00'"),
        ("09:00-17:00", "does not begin with a day"),
        ("mon-fry 09:00-17:00", "(mon-fry: is no day); write such as 'mon-thu"),
        ("mon-fri 9-5", "(mon-fri: '9-5' are no hours)"),
        ("mon-fri 09:00-25:00", "holds a time that no day has"),
        ("mon-fri 17:00-09:00", "ends before it starts"),
        ("mon-fri 09:00-17:00, fri 09:00-13:00", "sets fri a second time"),
        ("mon-fri", "are never open"),
    ],
)  # fmt: skip
def test_hours_that_are_none(text: str, told: str) -> None:
    ((field, sentence),) = client_problems(account("Europe/Berlin", text))
    assert field == "hours"
    assert told in sentence


def test_hours_without_a_zone_and_an_unknown_country() -> None:
    (hours, country) = client_problems(account("", "mon-fri 09:00-17:00", "Austria"))
    assert hours == ("hours", "cannot be told without a time zone; fill in timezone, such as 'Europe/Berlin'")
    assert country[0] == "country"
    assert "did you mean 'AT'?" in country[1]
    assert list(client_problems(account())) == []
    assert list(client_problems(account("Europe/Vienna", "mon 09:00-10:00", "AT-9"))) == []


def test_where_a_call_is() -> None:
    location = "https://meet.example/{organizer}?ref={reference}, {reference}"
    assert location_words(location, reference="T-1", organizer="Lena") == "https://meet.example/Lena?ref=T-1, T-1"
    assert location_words("by phone", reference="T-1", organizer="Lena") == "by phone"
