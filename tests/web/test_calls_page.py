"""The page of calls: what stands in which part, and that moving and cancelling does what the command line does."""

from __future__ import annotations

import html
import json
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.web.site import Browser, browsing
from tests.web.test_accounts import audited
from triaged.log import calls
from triaged.log.calls import CallRow
from triaged.log.encode import to_ms
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.settings import Config
from triaged.web.calls import seen_of
from triaged.wire import log_path, parts_of
from triaged.worker.service import Service

PARTS = ("attention", "today", "upcoming", "offered", "past")
BERLIN = ZoneInfo("Europe/Berlin")


def every(config: Config) -> list[CallRow]:
    with closing(Reader(log_path(config))) as reader:
        return calls.calls(reader)


def booked(config: Config) -> CallRow:
    """The one that lies farthest ahead."""
    return [row for row in every(config) if row.call.state == "booked"][-1]


def unchosen(config: Config, state: str = "offered") -> CallRow:
    return next(row for row in every(config) if row.call.state == state)


def change(config: Config, row: CallRow, **columns: object) -> None:
    """Have the log say something else of a call."""
    with closing(Log(log_path(config))) as log, log.transaction():
        for name, value in columns.items():
            log.db.execute(f"UPDATE call SET {name} = ? WHERE uid = ?", (value, row.call.appointment.uid))


def part_of(page: str, row: CallRow) -> list[str]:
    """The parts of the page that hold a call."""
    sections = {part: page.split(f'<h2 id="{part}">')[1].split("</section>")[0] for part in PARTS}
    return [part for part, text in sections.items() if f'href="/mail/{row.message}"' in text]


def planned(config: Config, row: CallRow) -> list[tuple[str, str, dict[str, object]]]:
    """What is planned in the calendar for a call: kind, state, payload."""
    with closing(Reader(log_path(config))) as reader:
        rows = reader.select(
            "SELECT kind, state, payload FROM effect WHERE kind IN ('call', 'move', 'cancel') AND state <> 'done' "
            "AND json_extract(payload, '$.appointment.uid') = ? ORDER BY id",
            (row.call.appointment.uid,),
        )
    return [(kind, state, json.loads(payload)) for kind, state, payload in rows]


def free_morning() -> datetime:
    """A Tuesday at ten in Berlin, two or three weeks ahead."""
    day = datetime.now(BERLIN) + timedelta(days=14)
    return (day + timedelta(days=(1 - day.weekday()) % 7)).replace(hour=10, minute=0, second=0, microsecond=0)


def test_every_call_stands_in_one_part_with_who_and_when(carl: Browser, site: Config) -> None:
    page = html.unescape(carl.get("/calls").text)
    rows = every(site)
    assert len(rows) > 8
    assert {tuple(part_of(page, row)) for row in rows} <= {(part,) for part in PARTS}
    assert part_of(page, unchosen(site)) == ["offered"]
    assert part_of(page, unchosen(site, "waiting")) == ["attention"]
    row = unchosen(site)
    cells = page.split('<h2 id="offered">')[1].split(f'href="/mail/{row.message}"')[0].split("<tr>")[-1]
    assert "Marek Nowak" in cells
    assert 'href="/accounts/C-102"' in cells
    assert "kept free until" in cells
    assert cells.count("<time ") == len(row.call.offered) + 1
    assert "triaged calls" not in page, "nobody types commands here"
    assert "The mail names a time that is not understood surely" in page


@pytest.mark.parametrize(
    ("state", "hours", "part"),
    [
        ("accepted", 24 * 9, "upcoming"),
        ("declined", 24 * 9, "attention"),
        ("declined", -1, "past"),
        ("accepted", -24, "past"),
        ("cancelled", 24 * 9, "past"),
    ],
)
def test_a_call_stands_where_it_needs_to(carl: Browser, site: Config, state: str, hours: int, part: str) -> None:
    row, start = booked(site), datetime.now(UTC) + timedelta(hours=hours)
    change(site, row, state=state, starts_at=to_ms(start), ends_at=to_ms(start + timedelta(minutes=30)))
    assert part_of(carl.get("/calls").text, row) == [part]


def test_a_call_of_long_ago_is_not_shown(carl: Browser, site: Config) -> None:
    row, start = booked(site), datetime.now(UTC) - timedelta(days=8)
    change(site, row, starts_at=to_ms(start), ends_at=to_ms(start + timedelta(minutes=30)))
    assert part_of(carl.get("/calls").text, row) == []


def test_today_is_today_on_the_desks_clock(carl: Browser, site: Config) -> None:
    row, now = booked(site), datetime.now(BERLIN)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    for start, part in ((midnight - timedelta(seconds=1), "today"), (midnight, "upcoming")):
        change(site, row, starts_at=to_ms(start), ends_at=to_ms(start + timedelta(minutes=30)))
        assert part_of(carl.get("/calls").text, row) == [part]


def test_times_that_passed_without_an_answer_need_a_person(carl: Browser, site: Config) -> None:
    row, ago = unchosen(site), to_ms(datetime.now(UTC) - timedelta(hours=3))
    change(site, row, offered=json.dumps([[ago, ago + 1_800_000]]))
    assert part_of(carl.get("/calls").text, row) == ["attention"]


def test_both_clocks_are_told_where_they_differ(carl: Browser, site: Config) -> None:
    row = booked(site)
    assert row.call.slot is not None
    page = html.unescape(carl.get(f"/calls/{row.message}").text)
    assert row.call.appointment.zone.startswith("America/")
    for zone in ("Europe/Berlin", row.call.appointment.zone):
        assert f"{row.call.slot.start.astimezone(ZoneInfo(zone)):%a %d %b %H:%M} ({zone})" in page


def test_a_move_is_done_by_the_worker_and_the_client_is_told(carl: Browser, site: Config) -> None:
    row, start = booked(site), free_morning()
    response = carl.post(f"/calls/{row.message}/move", to=f"{start:%Y-%m-%dT%H:%M}", seen=seen_of(row))
    assert "the worker does it within seconds" in response.text
    assert "a change is on its way" in response.text
    ((kind, state, payload),) = planned(site, row)
    assert (kind, state) == ("move", "owed")
    assert payload["windows"] == [
        {"start": f"{each.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "end": f"{end.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        for each, end in ((start, start + timedelta(minutes=row.call.appointment.minutes)),)
    ]
    (entry,) = audited(site)
    assert (entry.what, entry.who, entry.message) == ("call.move", "carl", row.message)
    again = carl.post(f"/calls/{row.message}/cancel", seen=seen_of(row))
    assert again.status_code == 409
    assert "another change of this call is about to be made" in again.text
    assert len(planned(site, row)) == 1
    assert Service(parts_of(site)).run(once=True) == ()
    moved = next(each for each in every(site) if each.message == row.message)
    assert moved.call.slot is not None
    assert moved.call.slot.start == start
    assert moved.call.moves == 1
    with closing(Reader(log_path(site))) as reader:
        invitations = [each for each in reader.effects(row.message) if each.kind == "invitation"]
    assert [each.state for each in invitations] == ["done", "done"]


def test_one_of_the_times_that_are_kept_free_is_booked(carl: Browser, site: Config) -> None:
    row = unchosen(site, "waiting")
    page = carl.get(f"/calls/{row.message}").text
    offered = re.findall(r'name="to" value="([^"]+)"', page)
    assert [datetime.fromisoformat(html.unescape(each)) for each in offered if each] == [
        each.start for each in row.call.offered
    ]
    response = carl.post(f"/calls/{row.message}/move", to=html.unescape(offered[-1]), seen=seen_of(row))
    assert "book the call of" in response.text
    ((kind, state, payload),) = planned(site, row)
    assert (kind, state) == ("call", "owed")
    assert payload["windows"][0]["start"] == f"{row.call.offered[-1].start:%Y-%m-%dT%H:%M:%SZ}"  # type: ignore[index]


def test_a_time_may_be_told_on_the_clients_clock(carl: Browser, site: Config) -> None:
    row, start = booked(site), free_morning()
    zone = row.call.appointment.zone
    assert f'<option value="{zone}">' in carl.get(f"/calls/{row.message}").text
    local = start.astimezone(ZoneInfo(zone))
    carl.post(f"/calls/{row.message}/move", to=f"{local:%Y-%m-%dT%H:%M}", zone=zone, seen=seen_of(row))
    ((_, _, payload),) = planned(site, row)
    assert payload["windows"][0]["start"] == f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"  # type: ignore[index]


@pytest.mark.parametrize(
    ("to", "sentence"),
    [
        ("", "is no day and time"),
        ("tomorrow", "'tomorrow' is no day and time; write such as '2026-12-01 15:00'"),
        ("2026-01-01T10:00", "is over"),
        ("2027-03-28T02:30", "the clocks in Europe/Berlin skip"),
        ("0001-01-01T00:00", "more than 2 years ahead"),
        ("9999-12-31T23:59-23:00", "more than 2 years ahead"),
    ],
)
def test_a_time_that_is_none_is_said_so(carl: Browser, site: Config, to: str, sentence: str) -> None:
    row = booked(site)
    response = carl.post(f"/calls/{row.message}/move", to=to, seen=seen_of(row))
    assert response.status_code == 422
    assert sentence in html.unescape(response.text)
    assert planned(site, row) == []


@pytest.mark.parametrize("silent", ["", "yes"])
def test_a_call_is_cancelled_and_the_client_told_or_not(carl: Browser, site: Config, silent: str) -> None:
    row = booked(site)
    response = carl.post(f"/calls/{row.message}/cancel", silent=silent, seen=seen_of(row))
    told = "nobody is told" if silent else f"{row.call.appointment.attendee.addr_spec} is told by mail"
    assert told in html.unescape(response.text)
    ((kind, state, payload),) = planned(site, row)
    assert (kind, state, payload["draft"] is None) == ("cancel", "owed", silent == "yes")
    assert [each.what for each in audited(site)] == ["call.cancel"]


def test_a_call_that_was_changed_since_it_was_looked_at_is_left_alone(carl: Browser, site: Config) -> None:
    row = booked(site)
    seen = seen_of(row)
    change(site, row, state="accepted")
    for what in ("move", "cancel"):
        response = carl.post(f"/calls/{row.message}/{what}", to=f"{free_morning():%Y-%m-%dT%H:%M}", seen=seen)
        assert response.status_code == 409
        assert "The call was changed since you looked at it" in response.text
    assert planned(site, row) == []
    assert audited(site) == []


def test_a_cancelled_call_offers_no_forms(carl: Browser, site: Config) -> None:
    row = booked(site)
    change(site, row, state="cancelled")
    page = carl.get(f"/calls/{row.message}").text
    assert "It is cancelled" in page
    assert "/cancel" not in page
    response = carl.post(f"/calls/{row.message}/cancel", seen=seen_of(booked_as(site, row)))
    assert response.status_code == 409
    assert "is cancelled already" in response.text


def booked_as(config: Config, row: CallRow) -> CallRow:
    """The same call as it stands now."""
    return next(each for each in every(config) if each.message == row.message)


def test_nobody_is_asked_whose_calendar_is_gone(site: Config) -> None:
    row = booked(site)
    person = next(each for each in site.person if each.id == row.call.appointment.person)
    others = [each for each in site.person if each.id != person.id]
    without = site.model_copy(update={"person": others})
    with browsing(without, "carl") as carl:
        response = carl.post(f"/calls/{row.message}/cancel", seen=seen_of(row))
    assert response.status_code == 409
    assert "has no calendar in the configuration any more" in response.text
    assert planned(site, row) == []


def test_a_viewer_reads_and_changes_nothing(site: Config) -> None:
    row = booked(site)
    with browsing(site, "vera") as vera:
        page = vera.get("/calls").text
        assert part_of(page, row) != []
        assert f'href="/calls/{row.message}"' not in page
        assert vera.get(f"/calls/{row.message}").status_code == 403
        assert vera.post(f"/calls/{row.message}/cancel", seen=seen_of(row)).status_code == 403
    assert planned(site, row) == []


def test_a_mail_without_a_call_has_no_such_page(carl: Browser) -> None:
    response = carl.get("/calls/999999")
    assert response.status_code == 404
    assert "no call came of mail 999999" in response.text
