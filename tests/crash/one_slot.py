"""One free slot and many who want it in, each a process that is killed (−9) at random and started again; a winner out.

A process of its own, which loads the backend once and forks: `contend` is the side of the tests. How a slot is booked
is `book` alone.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

from tests.doubles.crossing import nothing
from triaged.backends.caldav import CaldavCalendar
from triaged.backends.vdir import VdirCalendar
from triaged.clocks.hours import parse_hours
from triaged.decision import Appointment, BookCall, Draft
from triaged.errors import Permanent, Transient
from triaged.model import Address, Interval
from triaged.ports import Calendar
from triaged.worker.booking import CalendarLane, Diary

SLOT = Interval(datetime(2026, 11, 24, 9, tzinfo=UTC), datetime(2026, 11, 24, 9, 30, tzinfo=UTC))
ANN, OURS = Address("ann@client.example"), Address("desk@firm.example")
DIARY = Diary(
    organizer=Address("lena@firm.example", "Lena"),
    hours=parse_hours({"mon-fri": "09:00-17:00"}, timezone="UTC"),
    step_min=30,
    buffer_min=0,
    per_day=0,
    also=(),
    booked=tuple,
)
MOMENTS = {
    "vdir": {"os.scandir": 4, "open": 12, "os.link": 2, "os.remove": 3},
    "caldav": {"http.client.send": 12},
}
"""Audit events before which a life is killed, by the kind of calendar, and before the how-manieth at most: of files,
and of the pieces of requests. One that has ended by then is not."""
KILLED_LIVES = 2
"""Of each; the one after these is left alone."""
BOOKED, NO_SLOT, LATER = 0, 3, 75
"""Exit codes; 75 is EX_TEMPFAIL."""
LIMIT_S = 60.0

_clock = threading.Event()
"""Never set: a clock to wait on."""


@dataclass(frozen=True, slots=True)
class Contest:
    """kind: `vdir`, whose place is a folder, or `caldav`, whose place is the calendar's address. seed: of the kills."""

    kind: str
    place: str
    uids: tuple[str, ...]
    seed: int
    looks_again: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """uids of those who booked, and of those who found no free slot; killed: how many lives were, by the moment."""

    booked: tuple[str, ...]
    no_slot: tuple[str, ...]
    killed: dict[str, int]


def book(calendar: Calendar, uid: str, slot: Interval, *, looks_again: bool = True) -> bool:
    """Whether the lane of a calendar has the slot for us; also when an earlier process of ours began it.

    What it puts off is done again after as long as it says. Raises: Transient where it says nothing.
    """
    if not looks_again:
        _blind(calendar)
    lane = CalendarLane(calendar, DIARY, refuses=lambda _: "", clock=lambda: slot.start - timedelta(days=1))
    while True:
        try:
            outcome = lane.perform(_call(uid, slot), nothing)
        except Transient as error:
            if error.retry_after_s is None:
                raise
            _clock.wait(error.retry_after_s)
        except Permanent:
            return False
        else:
            assert outcome.call is not None
            return outcome.call.slot == slot


def _blind(calendar: Calendar) -> None:
    """Nobody else is seen when it is looked at once more."""
    look = calendar.busy

    def busy(start: datetime, end: datetime, *, besides: Collection[str] = ()) -> tuple[Interval, ...]:
        return look(start, end) if len(besides) == 0 else ()

    vars(calendar)["busy"] = busy


def _call(uid: str, slot: Interval) -> BookCall:
    appointment = Appointment(uid, "lena", ANN, OURS, 30, "Call", "", "", "T-1", "UTC", "en")
    draft = Draft(
        "<1@firm.example>", OURS, OURS.addr_spec, ANN, "Call", "Call\n", "<p>Call</p>", "", (), "auto-generated"
    )
    return BookCall(f"call:{uid}", appointment, (slot,), draft)


def main() -> None:
    """Fork one for each, start those again that were killed or could not do it now, until each has ended."""
    given = json.loads(sys.argv[1])
    contest = Contest(**given | {"uids": tuple(given["uids"])})
    gate = os.pipe()
    lives = dict.fromkeys(contest.uids, 0)
    living = {_born(contest, uid, 0, gate): uid for uid in contest.uids}
    os.close(gate[1])
    ended: dict[str, int] = {}
    while len(living) > 0:
        pid, status = os.wait()
        uid, code = living.pop(pid), os.waitstatus_to_exitcode(status)
        if code in (-signal.SIGKILL, LATER):
            lives[uid] += 1
            living[_born(contest, uid, lives[uid], gate)] = uid
        else:
            ended[uid] = code
    print(json.dumps(ended))  # noqa: T201 - to the test that started it


def _born(contest: Contest, uid: str, life: int, gate: tuple[int, int]) -> int:
    pid = os.fork()
    if pid == 0:
        _live(contest, uid, life, gate)
    return pid


def _live(contest: Contest, uid: str, life: int, gate: tuple[int, int]) -> NoReturn:
    code = 1
    try:
        calendar = _calendar(contest)
        _add_at_once(calendar, gate, is_first=life == 0)
        if life < KILLED_LIVES:
            chance = random.Random(f"{contest.seed} {uid} {life}")
            event, last = chance.choice([*MOMENTS[contest.kind].items()])
            _die_before(event, chance.randint(1, last))
        code = BOOKED if book(calendar, uid, SLOT, looks_again=contest.looks_again) else NO_SLOT
    except Transient:
        code = LATER
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _add_at_once(calendar: Calendar, gate: tuple[int, int], *, is_first: bool) -> None:
    """Nobody adds before each first life has come to its first `add`, or died: until then all see the slot free.

    gate: a pipe, of which each first life holds the writing end open.
    """
    add = calendar.add

    def first_add(uid: str, ics: bytes) -> bool:
        vars(calendar)["add"] = add
        if is_first:
            os.close(gate[1])
        os.read(gate[0], 1)
        return add(uid, ics)

    vars(calendar)["add"] = first_add


def _die_before(moment: str, count: int) -> None:
    def on_audit(event: str, _: tuple[object, ...]) -> None:
        nonlocal count
        if event == moment:
            count -= 1
            if count == 0:
                os.write(2, f"killed before {event}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(on_audit)


def _calendar(contest: Contest) -> Calendar:
    if contest.kind == "vdir":
        return VdirCalendar(Path(contest.place), "UTC")
    options = {"user": "desk", "password": "desk-password", "ca_file": None, "timeout_s": 30.0, "timezone": "UTC"}
    return CaldavCalendar(contest.place, **options)  # type: ignore[arg-type]


# --- the side of the tests ------------------------------------------------------------------------------------


def contend(contest: Contest) -> Ended:
    """All of them until each has ended; none may end in another way."""
    command = [sys.executable, "-m", "tests.crash.one_slot", json.dumps(asdict(contest))]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    ended: dict[str, int] = json.loads(done.stdout)
    assert set(ended.values()) <= {BOOKED, NO_SLOT}, done.stderr[-5_000:]
    booked, no_slot = (tuple(uid for uid, code in ended.items() if code == each) for each in (BOOKED, NO_SLOT))
    moments = [line.removeprefix("killed before ") for line in done.stderr.splitlines()]
    return Ended(booked, no_slot, {each: moments.count(each) for each in set(moments)})


if __name__ == "__main__":
    main()
