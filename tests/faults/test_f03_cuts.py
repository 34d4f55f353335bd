"""F3: the lines to IMAP and SMTP cut at every step of the protocols and at any octet, in both directions.

The worker runs as a service through it all. Every mail must get its row, every answer must leave once; only a mail
that was cut between its final dot and the answer may be left, and then with a person.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.crash.checks import Expected
from tests.crash.sites import DISTINCT
from tests.faults.ground import End, Ground, ending, passed_octets, running_ground
from tests.faults.proxy import Direction, Fault, Way

pytestmark = pytest.mark.timeout(600)

Service = Literal["imap", "smtp"]
WAYS: tuple[Way, ...] = ("close", "reset", "silence")
AT_ONCE = 8
"""A trial is mostly waiting: for IDLE, for back-off, for a silent line to be given up."""

IMAP_COMMANDS = (
    rb"CAPABILITY",
    rb"LOGIN",
    rb"EXAMINE",
    rb"NOOP",
    rb"UID SEARCH",
    rb"FETCH \S+ \(RFC822.SIZE",
    rb"FETCH \S+ \(BODY.PEEK\[\]",
    rb"IDLE",
    rb"DONE",
    rb"SELECT",
    rb"LIST",
    rb"CREATE",
    rb"SUBSCRIBE",
    rb"UID MOVE",
    rb"APPEND",
    rb"LOGOUT",
)
SMTP_COMMANDS = (rb"ehlo", rb"AUTH", rb"MAIL FROM", rb"RCPT TO", rb"DATA", rb"\r\n\.(?=\r\n)", rb"NOOP", rb"QUIT")
WITHIN: tuple[tuple[Service, Direction, bytes], ...] = (
    ("imap", "down", rb"^\* OK"),
    ("imap", "down", rb"BODY\[\] \{\d+\}\r\n.{10}"),
    ("imap", "down", rb"\+ idling"),
    ("imap", "up", rb"APPEND [^\r]*\{\d+\}\r\n.{10}"),
    ("smtp", "down", rb"^220"),
    ("smtp", "down", rb"354"),
    ("smtp", "up", rb"\nSubject:"),
)
"""Places within a greeting, a literal, a mail under way."""
NOT_EVERY_TIME = {rb"LOGOUT", rb"QUIT", rb"NOOP"}
"""Said at the very end, when a cut can hurt no more, or only on a line that was kept open."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut on one service's line."""

    service: Service
    fault: Fault
    tls: bool = False


def steps(ways: Iterable[Way]) -> list[Cut]:
    """Every step lost on its way and left without an answer, in each of `ways`."""
    cuts = []
    for way in ways:
        for service, commands in (("imap", IMAP_COMMANDS), ("smtp", SMTP_COMMANDS)):
            cuts += [
                Cut(service, Fault("up", way, at=command, unanswered=unanswered))  # type: ignore[arg-type]
                for command in commands
                for unanswered in (False, True)
            ]
        cuts += [Cut(service, Fault(direction, way, at=at)) for service, direction, at in WITHIN]
    return cuts


def anywhere(ground: Ground, count: int, *, seed: int) -> list[Cut]:
    """Cuts at octets drawn by chance from those that an undisturbed run needs, every second one within TLS."""
    draw = random.Random(seed)
    passed = {tls: passed_octets(ground, tls=tls)[0] for tls in (False, True)}
    cuts = []
    for number in range(count):
        tls, service = number % 2 == 1, draw.choice(("imap", "imap", "smtp"))
        lines = getattr(passed[tls], service).passed
        connection = draw.randrange(len(lines))
        direction: Direction = draw.choice(("up", "down"))
        after = draw.randrange(lines[connection][direction])
        way = draw.choices(WAYS, (4, 4, 1))[0]
        cuts.append(Cut(service, Fault(direction, way, after=after, connection=connection + 1), tls))  # type: ignore[arg-type]
    return cuts


def made(ground: Ground, expected: Expected, cuts: list[Cut]) -> list[tuple[Cut, End]]:
    """Each cut on a site of its own."""

    def trial(cut: Cut) -> tuple[Cut, End]:
        return cut, ending(ground, expected, tls=cut.tls, **{cut.service: cut.fault})

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(trial, cuts))


def judged(name: str, ends: list[tuple[Cut, End]]) -> str:
    """The line of figures. Fails on the first things that are wrong."""
    wrong = [(cut, end.problems) for cut, end in ends if len(end.problems) > 0]
    left = sum(end.doubts.with_persons for _, end in ends)
    fired = sum(end.fired for _, end in ends)
    line = (
        f"F3 {name}: {fired:,} cuts, {len(ends) * DISTINCT:,} mails, {len(wrong)} sites with a mail lost or doubled, "
        f"{left} with a person (of these {sum(end.doubts.arrived for _, end in ends)} had arrived)"
    )
    print(line)  # noqa: T201 - the trial's one line
    assert wrong == [], wrong[:3]
    for cut, end in ends:
        assert end.doubts.with_persons == 0 or cut.service == "smtp", cut
    return line


def unmet(ends: list[tuple[Cut, End]]) -> set[bytes]:
    """Steps that never came to pass."""
    met = {cut.fault.at for cut, end in ends if end.fired}
    return {cut.fault.at for cut, _ in ends if cut.fault.at is not None} - met - NOT_EVERY_TIME


def test_cut_at_every_step(ground: Ground) -> None:
    """Each way of ending a line by turns; every step is met."""
    _, expected = passed_octets(ground, tls=False)
    cuts = [steps([way])[number] for number, way in enumerate(WAYS * 99) if number < len(steps(["close"]))]
    ends = made(ground, expected, cuts)
    judged("steps", ends)
    assert unmet(ends) == set()
    dots = [end.doubts for cut, end in ends if cut.fault.at == rb"\r\n\.(?=\r\n)"]
    assert [(each.with_persons, each.arrived) for each in dots] == [(1, 0), (1, 1)]


def test_cut_anywhere(ground: Ground) -> None:
    _, expected = passed_octets(ground, tls=False)
    ends = made(ground, expected, anywhere(ground, 40, seed=3))
    judged("offsets", ends)
    assert sum(end.fired for _, end in ends) > 30


def test_a_slow_line_in_small_pieces(ground: Ground) -> None:
    """Seven octets at a time: nothing is taken for broken that is only slow."""
    _, expected = passed_octets(ground, tls=False)
    end = ending(ground, expected, tls=False, piece=7, pause_s=0.0005)
    assert end.problems == []
    assert end.doubts.with_persons == 0


def long_run(folder: Path) -> None:
    """Every step in every way, and 1,000 offsets."""
    with running_ground(folder) as ground:
        _, expected = passed_octets(ground, tls=False)
        ends = made(ground, expected, steps(WAYS))
        judged("steps", ends)
        assert unmet(ends) == set()
        ends, rounds = [], 0
        while (short := 1000 - sum(end.fired for _, end in ends)) > 0:  # a cut that no line came to is drawn again
            ends += made(ground, expected, anywhere(ground, short, seed=rounds))
            rounds += 1
        judged("offsets", ends)
        # when the line fell silent or the answer was lost nobody can know; of the others
        left = [end.doubts.with_persons - end.doubts.arrived for cut, end in ends if cut.fault.way != "silence"]
        assert sum(left) <= len(ends) * DISTINCT / 1000
