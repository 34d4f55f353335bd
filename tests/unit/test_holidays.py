"""Public holidays: the days of a country and of its parts, in hours and due times; what is no country is told."""

from __future__ import annotations

import pickle
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from triaged.clocks.derivation import derivation
from triaged.clocks.holidays import country_problem, is_holiday, public_holidays
from triaged.clocks.hours import add, parse_hours, parse_span, parse_week
from triaged.decide import wall
from triaged.errors import ConfigError

WEEK = {"mon-fri": "09:00-17:00"}
WOMENS_DAY, EPIPHANY = date(2027, 3, 8), date(2027, 1, 6)


@pytest.mark.parametrize(
    ("country", "day", "expected"),
    [
        ("DE", date(2026, 10, 3), True),
        ("DE", date(2026, 12, 24), False),  # half a day off by custom only
        ("DE", EPIPHANY, False),
        ("DE-BY", EPIPHANY, True),
        ("DE-BE", EPIPHANY, False),
        ("DE-BE", WOMENS_DAY, True),
        ("DE-BY", WOMENS_DAY, False),
        ("US", date(2026, 7, 3), True),  # Friday for Saturday, 4 July
        ("US", date(2027, 12, 31), True),  # in lieu of a day of the next year
        ("GB", date(2027, 12, 27), True),  # Monday for Saturday, 25 December
        ("GB-SCT", date(2026, 11, 30), True),
        ("GB-ENG", date(2026, 11, 30), False),
        ("IL", date(2026, 9, 21), True),  # by the moon
        ("", date(2026, 12, 25), False),
        ("DE", date(2099, 12, 25), True),
    ],
)
def test_days_of_countries(country: str, day: date, expected: bool) -> None:
    assert is_holiday(day, own=frozenset(), country=country) is expected


def test_ones_own_days_count_beside_the_public_ones() -> None:
    hours = parse_hours(WEEK, timezone="Europe/Berlin", holidays=[date(2026, 12, 24)], country="DE")
    assert [hours.works_on(date(2026, 12, day)) for day in (23, 24, 25, 26, 27, 28)] == [True, *[False] * 4, True]
    assert hours.is_holiday(date(2026, 12, 26)), "a Saturday can be a holiday"
    assert not hours.is_holiday(date(2026, 12, 27)), "a Sunday need not be one"


def test_a_due_time_passes_over_them_and_says_so() -> None:
    hours = parse_hours(WEEK, timezone="Europe/Berlin", country="DE-BE")
    friday = datetime(2027, 3, 5, 15, tzinfo=UTC)
    assert add(friday, parse_span("1 business day"), hours) == datetime(2027, 3, 9, 15, tzinfo=UTC)
    assert add(friday, parse_span("2 business hours"), hours) == datetime(2027, 3, 9, 9, tzinfo=UTC)
    passed = [step.words for step in derivation(friday, parse_span("1 business day"), hours) if step.what == "passed"]
    assert "Mon 8 Mar" in passed[-1]


def test_the_rule_fact_is_the_same_day() -> None:
    """`received = "holiday"` goes by the desk's wall clock: 8 March begins at 23:00 UTC of the day before."""
    hours = parse_hours(WEEK, timezone="Europe/Berlin", country="DE-BE")
    facts = [
        wall(datetime(2027, 3, day, hour, 30, tzinfo=UTC), hours) for day, hour in ((7, 22), (7, 23), (8, 9), (8, 23))
    ]
    assert [fact.is_holiday for fact in facts] == [False, True, True, False]
    assert [fact.is_open for fact in facts] == [False] * 4
    assert wall(datetime(2027, 3, 9, 9, tzinfo=UTC), hours).is_open


def test_hours_with_a_country_stay_values() -> None:
    hours = parse_hours(WEEK, timezone="Europe/Berlin", country="DE-BE")
    assert hours.works_on(date(2026, 11, 24))
    again = pickle.loads(pickle.dumps(hours))
    assert again == hours == parse_week("mon-fri 09:00-17:00", timezone="Europe/Berlin", country="DE-BE")
    assert hash(again) == hash(hours)
    assert hours != parse_hours(WEEK, timezone="Europe/Berlin", country="DE")


@pytest.mark.parametrize(
    ("country", "told"),
    [
        (
            "Germany",
            "'Germany' is no country whose holidays are known; write such as 'DE' or 'DE-BE'; did you mean 'DE'?",
        ),
        ("germny", "did you mean 'DE'?"),
        ("de-BE", "did you mean 'DE-BE'?"),
        ("DEU", "did you mean 'DE'?"),
        ("XX", "'XX' is no country"),
        ("Europe", "'Europe' is no country"),
        ("DE-XX", "'DE-XX': no part 'XX' of 'DE' is known; there are BB, BE, BW"),
        ("DE-Bayern", "did you mean 'DE-BY'?"),
        ("DE-be", "did you mean 'DE-BE'?"),
        ("DE-", "no part '' of 'DE' is known"),
        ("IL-TA", "no part 'TA' of 'IL' is known; write 'IL', the days are the same"),
    ],
)
def test_what_is_no_country_is_told(country: str, told: str) -> None:
    assert told in country_problem(country)
    with pytest.raises(ConfigError, match=r"person lena: hours\.country: "):
        parse_hours(WEEK, timezone="Europe/Berlin", country=country, where="person lena: hours")


@pytest.mark.parametrize("country", ["", "DE", "DE-BE", "GB", "UK", "US-PR", "AE", "CH-ZH"])
def test_what_is_one(country: str) -> None:
    assert country_problem(country) == ""
    assert isinstance(public_holidays(country, 2026), frozenset)


def test_the_package_is_loaded_only_for_a_country() -> None:
    code = """
import sys
from triaged.clocks.hours import parse_hours
hours = {}
for country in ("", "DE"):
    hours = parse_hours({"mon-fri": "09:00-17:00"}, timezone="Europe/Berlin", country=country)
    print("holidays" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "True"]
