"""Sites and moments in, what became of each after kill and restart out: several at once, bounded in number."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.crash.checks import Doubts, Expected, doubts, expected_of, is_idle, problems
from tests.crash.nursery import Nursery
from tests.crash.points import Point, read_trace
from tests.crash.sites import Kind, Site

AT_ONCE = 4
"""Two cores; half of a life is waiting for the disk and for servers."""
RESTARTS = 3
EVERY_MOMENT = os.environ.get("TRIAGED_CRASH_ALL") == "1"

_numbers = count()


@dataclass(slots=True)
class Trial:
    """One site's story: the moments it was killed at, and what was wrong in the end."""

    wanted: tuple[Point, ...]
    killed_at: list[Point] = field(default_factory=list)
    doubts: Doubts = field(default_factory=Doubts)
    problems: list[str] = field(default_factory=list)


class Bench:
    """One kind of site, and its undisturbed run to compare with. may_doubt: a killed sending may stay unknown.

    notes: whether the notes of a crossing outlive the kill; they may not outlive a power cut.
    """

    def __init__(
        self,
        nursery: Nursery,
        kind: Kind,
        folder: Path,
        *,
        may_doubt: bool,
        notes: bool = True,
        fault: str | None = None,
    ) -> None:
        self._notes = notes
        self._nursery, self._kind, self._folder, self._fault, self._may_doubt = nursery, kind, folder, fault, may_doubt
        site = self.new_site()
        failures = nursery.life(site.folder, trace="trace")
        assert failures == []
        self.moments = read_trace(site.folder / "trace")
        self.expected: Expected = expected_of(site)
        assert problems(site, self.expected, doubtful=0) == []

    def new_site(self) -> Site:
        name = f"s{next(_numbers)}"
        return self._kind(self._folder / name, name)

    def killed_at(self, plan: Iterable[tuple[Point, ...]]) -> Iterator[Trial]:
        """A trial for each element of `plan`: the moments at which its first lives are killed."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(self.trial, plan)

    def trial(self, wanted: tuple[Point, ...]) -> Trial:
        """Live and be killed as wanted, then live undisturbed until nothing is left to do, then look."""
        site, trial = self.new_site(), Trial(wanted)
        for number, moment in enumerate(wanted):
            answer = self._nursery.life(site.folder, trace=f"trace-{number}", kill_at=moment, fault=self._fault)
            if answer is None:
                last = read_trace(site.folder / f"trace-{number}")[-1]
                assert last == moment, f"died at {last} instead of {moment}: {self._nursery.said.read_text()[-2000:]}"
                trial.killed_at.append(moment)
                if not self._notes:
                    for note in site.log.parent.glob("crossed-*"):
                        note.unlink()
        self.bring_to_end(site, trial)
        return trial

    def bring_to_end(self, site: Site, trial: Trial) -> None:
        """Restart until idle, then look; a site on which all is well is thrown away."""
        for number in range(RESTARTS):
            answer = self._nursery.life(site.folder, trace=f"trace-restart-{number}", fault=self._fault)
            assert answer is not None
            trial.problems.extend(answer)
            if is_idle(site):
                break
        doubtful = len(trial.killed_at) if self._may_doubt else 0
        trial.problems.extend(problems(site, self.expected, doubtful=doubtful))
        trial.doubts = doubts(site)
        if len(trial.problems) == 0:
            shutil.rmtree(site.folder)


def chosen(moments: Sequence[Point], number: int) -> list[Point]:
    """The first of each call and change of a file, and others evenly, `number` in all unless every one is wanted."""
    if EVERY_MOMENT:
        return list(moments)
    firsts = [moment for moment in moments if moment[1] == 1 and not moment[0].startswith("SQL")]
    others = [moment for moment in moments if moment not in firsts]
    assert number > len(firsts)
    step = len(others) / (number - len(firsts))
    return [*firsts, *(others[int(place * step)] for place in range(number - len(firsts)))]


def is_call(moment: Point) -> bool:
    """Whether it is the moment of a port call."""
    return moment[0].startswith(("before ", "after ", "within "))


def twice(points: Sequence[Point], moments: Sequence[Point], *, seed: int) -> list[tuple[Point, ...]]:
    """Each point alone, every third followed by a second kill of the restarted worker at a moment drawn by chance."""
    draw = random.Random(seed)
    return [(point, draw.choice(moments)) if number % 3 == 0 else (point,) for number, point in enumerate(points)]
