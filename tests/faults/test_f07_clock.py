"""F7: every zone's next two changes of the clock, and a clock that jumps: calls lie right, nobody is answered twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from icalendar import Calendar

from tests.e2e.site import mail, make_site, running, wait_for
from triaged.calls.invitations import event, stored_event
from triaged.calls.slots import free_slots
from triaged.clocks.hours import add, parse_hours, parse_span
from triaged.model import Address, Interval

FROM, TO = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
NEEDS_FAKETIME = "needs faketime: apt-get install faketime"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LENA, ANN = Address("Lena", "lena@desk.example"), Address("Ann", "ann@client.example")


def changes(zone: ZoneInfo) -> list[datetime]:
    """The first two moments, to the minute, at which the zone's offset changes."""
    found = []
    at = FROM
    while at < TO and len(found) < 2:
        if at.astimezone(zone).utcoffset() != (at + timedelta(days=1)).astimezone(zone).utcoffset():
            low, high = at, at + timedelta(days=1)
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                same = middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high.replace(second=0, microsecond=0))
        at += timedelta(days=1)
    return found


def offices(name: str) -> Iterator[tuple[str, str]]:
    """Working hours over the change, hours that begin or end within it, and an office's."""
    for spans in ("00:00-24:00", "09:00-17:00", "00:30-02:30", "02:15-03:45", "23:00-24:00"):
        yield name, spans


def wrong_near(name: str, change: datetime) -> list[str]:
    """What is not right about due times and calls from a day before to a day after the change."""
    found = []
    zone = ZoneInfo(name)
    for _, spans in offices(name):
        hours = parse_hours(dict.fromkeys(DAYS, spans), timezone=name)
        for start in (
            change - timedelta(hours=26),
            change - timedelta(minutes=50),
            change,
            change + timedelta(minutes=7),
        ):
            dues = [
                add(start, parse_span(text), hours)
                for text in ("30m", "4h", "2 days", "2 business hours", "1 business day")
            ]
            if dues[0] - start != timedelta(minutes=30) or dues[1] - start != timedelta(hours=4):
                found.append(f"{name} {spans}: half an hour and four hours are not as long as they are")
            if any(due <= start for due in dues):
                found.append(f"{name} {spans}: due before it began")
            opened = sum((each.end - each.start for each in hours.open_intervals(start, dues[3])), timedelta(0))
            if opened != timedelta(hours=2):
                found.append(f"{name} {spans}: two business hours from {start} are {opened} of open time")
            found += _wrong_call(hours, zone, start, spans)
    return found


def _wrong_call(hours, zone: ZoneInfo, start: datetime, spans: str) -> Iterator[str]:  # type: ignore[no-untyped-def]
    """Three calls one after the other: within hours as the wall clock shows them, and written as they are meant."""
    busy: list[Interval] = []
    for _ in range(3):
        windows = [Interval(start, start + timedelta(days=6))]
        slot = next(iter(free_slots(busy=busy, hours=hours, windows=windows, minutes=30)), None)
        if slot is None:
            yield f"{zone.key} {spans}: no call within six days of {start}"
            return
        busy.append(slot)
        if not start <= slot.start or slot.end - slot.start != timedelta(minutes=30):
            yield f"{zone.key} {spans}: {slot} is not a call of 30 minutes from {start} on"
        if not any(each.start <= slot.start and slot.end <= each.end for each in _opened(hours, slot)):
            yield f"{zone.key} {spans}: {slot} is not within working hours"
        if slot.start.astimezone(zone).minute % 30 != 0:
            yield f"{zone.key} {spans}: {slot.start.astimezone(zone)} is not on the half hour"
        written = _written(slot, zone.key)
        if stored_event(written).slot != slot:
            yield f"{zone.key}: {slot} is written as {stored_event(written).slot}"
        if (read := Calendar.from_ical(written).walk("VEVENT")[0]["DTSTART"].dt.astimezone(UTC)) != slot.start:
            yield f"{zone.key}: another program reads {slot.start} as {read}"
    if any(later.start < sooner.end for sooner, later in pairwise(busy)):
        yield f"{zone.key} {spans}: calls lie over each other"


def _opened(hours, slot: Interval) -> tuple[Interval, ...]:  # type: ignore[no-untyped-def]
    opened: tuple[Interval, ...] = hours.open_intervals(slot.start - timedelta(days=1), slot.end + timedelta(days=1))
    return opened


def _written(slot: Interval, timezone: str) -> bytes:
    return event(
        uid="f7",
        slot=slot,
        organizer=LENA,
        attendee=ANN,
        summary="Call",
        description="",
        location="",
        timezone=timezone,
        now=FROM,
        method="REQUEST",
    )


def every_change() -> list[tuple[str, datetime]]:
    """Zone and moment, in every zone there is."""
    zones = sorted(available_timezones())
    assert len(zones) > 550
    return [(name, change) for name in zones for change in changes(ZoneInfo(name))]


def distinct(moments: list[tuple[str, datetime]]) -> list[tuple[str, datetime]]:
    """One zone for all that change at the same moment by the same step."""
    found: dict[object, tuple[str, datetime]] = {}
    for name, change in moments:
        zone = ZoneInfo(name)
        steps = [(change + timedelta(minutes=more)).astimezone(zone).utcoffset() for more in (-1, 0)]
        found.setdefault((change, *steps), (name, change))
    return list(found.values())


def test_calls_and_due_times_when_the_clocks_change() -> None:
    moments = distinct(every_change())
    wrong = [words for name, change in moments for words in wrong_near(name, change)]
    print(f"F7 zones: {len(moments)} different changes of the clock, {len(wrong)} wrong")  # noqa: T201
    assert len(moments) > 25
    assert wrong == []


# --- a clock that jumps ---------------------------------------------------------------------------------------------


def library() -> Path | None:
    return next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)


JUMPS_S = (1, -1, 3600, -3600, 86_400, -86_400, 400 * 86_400, -400 * 86_400, 3_650 * 86_400, -3_650 * 86_400)


def jumped(folder: Path, jumps_s: tuple[int, ...]) -> tuple[int, int, int]:
    """A worker whose clock jumps so many seconds, and back, by turns; a mail after each jump and the same one again.

    Mails seen, answers that left, answers that wait or were left out.
    """
    found = library()
    if found is None:
        pytest.skip(NEEDS_FAKETIME)
    offset = folder / "offset"
    folder.mkdir(parents=True, exist_ok=True)
    offset.write_text("+0\n")
    fake = {
        "LD_PRELOAD": str(found),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    site = make_site(folder / "site")
    steps = [step for jump in jumps_s for step in (jump, 0)]
    with running(site, env=fake) as worker:
        for number, step in enumerate(steps):
            offset.write_text(f"{step:+d}\n")
            name, octets = f"jump {number}", mail(f"jump {number}", sender=f"Eve <n{number}@many.example>")
            site.drop(f"n{number}", octets)
            wait_for(lambda: site.row(name), f"a row after a jump of {step} s")  # noqa: B023 - asked here only
            site.drop(f"n{number}-again", octets)
            wait_for(lambda: site.row(name).copies == 2, "its copy is known")  # type: ignore[union-attr]  # noqa: B023
            assert worker.started.poll() is None
    rows = site.rows()
    answered = [path.read_bytes() for path in site.outgoing()]
    recipients = [line for octets in answered for line in octets.split(b"\r\n") if line.startswith(b"To: ")]
    assert len(set(recipients)) == len(recipients), "somebody was answered twice"
    assert len(rows) == len(steps)
    return len(rows), len(recipients), sum(dict(row.effects).get("ack") != "done" for row in rows)


def told(jumps: int, figures: tuple[int, int, int]) -> None:
    seen, answers, other = figures
    print(  # noqa: T201 - the trial's one line
        f"F7 jumps: {jumps} jumps there and back, {seen} mails seen, {answers} answered once, 0 twice, "
        f"{other} not answered"
    )


def test_a_clock_that_jumps(tmp_path: Path) -> None:
    told(2, jumped(tmp_path, (JUMPS_S[-2], JUMPS_S[-1])))


def long_run(folder: Path) -> None:
    """All zones, all jumps."""
    moments = every_change()
    wrong = [words for name, change in moments for words in wrong_near(name, change)]
    zones = len({name for name, _ in moments})
    print(f"F7 zones: {zones} zones that change, {len(moments)} changes, {len(wrong)} wrong")  # noqa: T201
    assert wrong == []
    if library() is None:
        print(f"F7 jumps: skipped, {NEEDS_FAKETIME}")  # noqa: T201
        return
    told(len(JUMPS_S), jumped(folder, JUMPS_S))
