"""A person's calendars, the one that calls are booked in and the others: read, signed in to, tried, looked after."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from triaged.config import load_config, sign_ins
from triaged.connect import tried
from triaged.loading import people_of
from triaged.model import Interval
from triaged.settings import Config
from triaged.signon import uses_of
from triaged.wire import calendars_of, lookout_of, open_to_others

CONFIG = """
[firm]
name = "Desk House"
team = "Client Desk"

[hours]
timezone = "Europe/Berlin"
mon-fri = "09:00-17:30"
country = "DE-BE"

[calls]
location = "Line {reference}"

[[sign_in]]
name = "microsoft"
kind = "microsoft"
tenant = "desk.example"
client_id = "app-1"

[[mailbox]]
name = "desk"
kind = "maildir"
address = "desk@example.test"
path = "mail"

[outgoing]
kind = "maildir"
path = "out"
message_id_domain = "example.test"

[[person]]
id = "lena"
name = "Lena Brandt"
email = "lena@example.test"
location = "https://meet.example.test/{organizer}"
calendar = { kind = "vdir", path = "own" }
also_busy = [
  { kind = "vdir", path = "team" },
  { kind = "caldav", url = "https://cal.example.test/x/", user = "x", password_file = "secret" },
  { kind = "graph", sign_in = "microsoft", address = "team@example.test" },
]

[person.hours]
mon-fri = "09:00-17:30"
country = "FR"

[[person]]
id = "marek"
name = "Marek Nowak"
email = "marek@example.test"
"""
EVENT = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//x//x//EN\r
BEGIN:VEVENT\r
UID:team-1\r
DTSTAMP:20261101T000000Z\r
DTSTART:20261124T100000\r
DTEND:20261124T110000\r
END:VEVENT\r
END:VCALENDAR\r
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "secret").write_text("pass\n", encoding="utf-8")
    (tmp_path / "secret").chmod(0o644)
    for folder in ("own", "team"):
        (tmp_path / folder).mkdir()
    (tmp_path / "team/1.ics").write_text(EVENT, encoding="utf-8", newline="")
    return load_config(tmp_path / "config.toml")


def test_what_stands_in_the_others_is_busy(config: Config) -> None:
    own, (team, *rest) = calendars_of(config, config.person[0], timezone="Asia/Kathmandu")
    day = datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)
    assert own is not None
    assert own.busy(*day) == ()
    assert team.busy(*day) == (
        Interval(datetime(2026, 11, 24, 4, 15, tzinfo=UTC), datetime(2026, 11, 24, 5, 15, tzinfo=UTC)),
    )
    assert [type(each).__name__ for each in rest] == ["CaldavCalendar", "GraphCalendar"]
    assert calendars_of(config, config.person[1], timezone="UTC") == (None, ())


def test_they_are_signed_in_to_like_any_other(config: Config) -> None:
    assert [place for place, _ in sign_ins(config)] == [("person", 0, "also_busy", 1), ("person", 0, "also_busy", 2)]
    (use,) = uses_of(config, "microsoft")
    assert (use.where, use.resource) == ("another calendar of lena", "graph")
    assert "cal.example.test:443" in lookout_of(config).certificates
    assert any(str(each.where).endswith("secret") or "secret" in each.what for each in open_to_others(config))


def test_each_is_tried_by_itself(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remote ones are taken off: they would be asked."""
    lena = config.person[0].model_copy(update={"also_busy": config.person[0].also_busy[:1]})
    near = config.model_copy(update={"person": [lena, config.person[1]]})
    (config.base / "own").rmdir()
    found = {each.service: each for each in tried(near)}
    assert list(found) == ["mailbox desk", "outgoing", "calendar of lena", "also_busy 1 of lena"]
    assert found["also_busy 1 of lena"].works
    assert found["also_busy 1 of lena"].kind == "vdir"


def persons(config: Config) -> Iterator[tuple[str, str, str]]:
    for person in people_of(config).values():
        yield person.person, person.hours.country, person.location


def test_what_a_person_does_not_say_is_the_desks(config: Config) -> None:
    assert list(persons(config)) == [
        ("lena", "FR", "https://meet.example.test/{organizer}"),
        ("marek", "DE-BE", "Line {reference}"),
    ]
