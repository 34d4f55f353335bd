"""Fifty at once want one free slot, are killed (−9) at random and start again: one gets it, and one event stands."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.crash.one_slot import SLOT, Contest, contend
from tests.servers.radicale import radicale
from triaged.backends.caldav import CaldavCalendar
from triaged.backends.vdir import VdirCalendar
from triaged.ports import Calendar

UIDS = tuple(f"call-{number}@triaged" for number in range(50))


@pytest.fixture(params=["vdir", "caldav"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str, Calendar]]:
    """The kind of calendar, where it is, and the calendar."""
    if request.param == "vdir":
        yield "vdir", str(tmp_path), VdirCalendar(tmp_path, "UTC")
        return
    if find_spec("radicale") is None:
        pytest.skip("needs Radicale: pip install radicale")
    with radicale(tmp_path) as server:
        url = server.make_calendar("calls")
        calendar = CaldavCalendar(
            url, user=server.user, password=server.password, ca_file=None, timeout_s=10, timezone="UTC"
        )
        yield "caldav", url, calendar
        calendar.close()


def standing(calendar: Calendar) -> list[str]:
    return [uid for uid in UIDS if calendar.find(uid) is not None]


@pytest.mark.parametrize("seed", [1, 2])
def test_one_of_fifty_gets_the_slot(place: tuple[str, str, Calendar], seed: int) -> None:
    kind, where, calendar = place
    ended = contend(Contest(kind, where, UIDS, seed))
    print(f"one slot, {kind}: {sum(ended.killed.values())} killed {ended.killed}")  # noqa: T201 - the suite's one line
    assert (len(ended.booked), len(ended.no_slot)) == (1, 49)
    assert standing(calendar) == [*ended.booked]
    assert calendar.busy(SLOT.start, SLOT.end, besides=ended.booked) == ()
    assert sum(ended.killed.values()) > 25


def test_without_a_second_look_several_get_it(place: tuple[str, str, Calendar]) -> None:
    """The other half: it is the second look that holds."""
    kind, where, calendar = place
    ended = contend(Contest(kind, where, UIDS, seed=1, looks_again=False))
    assert len(ended.booked) > 1
    assert set(standing(calendar)) == set(ended.booked)
