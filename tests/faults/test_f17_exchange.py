"""F17: Exchange and Microsoft 365, fakes of them, with faults drawn by chance: refusals, waits, cuts, lost answers.

Each schedule is a mailbox and a calendar of its own on one fake, worked on by the worker's own threads (watcher,
writer, lanes) over a real log; only the judging of mails is done beforehand. In the end every mail that lies there has
its row, nothing was sent, moved or booked twice, no request came while its mailbox was told to wait, and never were
more than four under way at once.
"""

from __future__ import annotations

import dataclasses
import queue
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

from tests.desk import NOW, background, lay_out_site, mail, open_log, raw
from tests.servers.https import Fault, HttpsServer, Request
from triaged.backends.gate import AT_ONCE
from triaged.clocks.hours import Hours
from triaged.decide import decide
from triaged.decision import Decision, FileMessage, MarkMessage
from triaged.loading import build_playbook, hours_of
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.mail.parse import parse
from triaged.model import Account, Address, Contact, Locator, Message, Raw
from triaged.playbook import Background
from triaged.ports import Calendar, Mailbox, Mailer
from triaged.worker.beats import Beats
from triaged.worker.lane import Lane, LaneSurroundings
from triaged.worker.perform import CalendarLane, FilingLane, MailLane
from triaged.worker.progress import Progress
from triaged.worker.service import utc_now
from triaged.worker.watch import Surroundings, Watched, watch
from triaged.worker.writer import Writer

MAILS = 3
"""Mails of one schedule; one of them asks for a call."""
ENDS_S = 240.0
"""Seconds within which all is done: some ten waits with back-off on a busy machine."""
FILED = "Triaged"

_numbers = count()
_clock = Event()
"""Never set: a clock to wait on."""


class Desk(Protocol):
    """One mailbox with its owner's calendar on a fake, seen past the code under test."""

    address: str

    def mailbox(self) -> Mailbox: ...
    def mailer(self) -> Mailer: ...
    def calendar(self) -> Calendar: ...
    def deliver(self, octets: bytes) -> None: ...
    def disturb(self, draw: random.Random) -> None:
        """Something odd that such a server does: a cursor forgotten, a token ended, a notification lost."""

    def lies(self) -> list[bytes]:
        """Every mail in its folders but Sent, as often as it is there."""

    def sent(self) -> list[bytes]:
        """Every mail that left, as often as it did."""

    def events(self) -> int:
        """How many events stand in the calendar."""

    def invited(self) -> int:
        """How often the server invited somebody."""


@dataclass(frozen=True, slots=True)
class Fake:
    """A running fake and how a desk is made on it. mailbox_of: whose a request is, as the server counts."""

    name: str
    server: HttpsServer
    mailbox_of: Callable[[Request], str]
    desk: Callable[[str], Desk]


@dataclass(frozen=True, slots=True)
class Judged:
    """A mail, and what was decided about it beforehand: judging takes longer than all the rest."""

    octets: bytes
    message: Message
    decision: Decision
    background: Background

    def at(self, locator: Locator) -> Decision:
        """The decision with the place where this copy lies."""
        effects = tuple(
            dataclasses.replace(each, effect=dataclasses.replace(each.effect, locator=locator))
            if isinstance(each.effect, FileMessage | MarkMessage)
            else each
            for each in self.decision.effects
        )
        return dataclasses.replace(self.decision, effects=effects)


@dataclass(frozen=True, slots=True)
class Ground:
    """What all schedules share. judged: by Message-ID."""

    judged: dict[str, Judged]
    hours: Hours
    faults: dict[str, random.Random]
    """By mailbox, while faults happen there."""
    left: Counter[str]
    """By mailbox: requests that may still meet one."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a schedule ended. doubts: acknowledgements that a person must look after; wrong: what must not be."""

    mails: int
    doubts: int
    wrong: list[str]


OAK = Account(
    "C-7", "Oak", domains=("oak.example",), contacts=(Contact("ann@oak.example", "Ann"),), manager="lena", tier="gold"
)
WORDS = (
    "We are very unhappy with your service and want to cancel our contract. Please call me.",
    "Could you please send me the invoice of October?",
    "Please order two new laptops for our office.",
)


def ground(folder: Path) -> Ground:
    """Mails judged by the real rules and model."""
    changes = {"show_categories = false": "show_categories = true", 'file_into = ""': f'file_into = "{FILED}"'}
    config = lay_out_site(folder, changes=changes)
    playbook = build_playbook(config)
    found: dict[str, Judged] = {}
    for number, words in enumerate(WORDS):
        octets = mail(words, sender=f"Ann <ann{number}@oak.example>", subject=f"Matter {number}", number=number)
        given = raw(octets)
        message = parse(given, border=playbook.border)
        known = background(playbook, message, accounts=(OAK,))
        decision = decide(message, locator=given.locator, playbook=playbook, background=known, now=NOW)
        found[message.message_id] = Judged(octets, message, decision, known)
    kinds = Counter(each.effect.kind for judged in found.values() for each in judged.decision.effects)
    assert len(found) == MAILS
    assert (kinds["ack"], kinds["call"], kinds["mark"], kinds["file"]) == (MAILS, 1, MAILS, MAILS)
    return Ground(found, hours_of(config, config.hours, where="hours"), {}, Counter())


def plan(ground: Ground, fake: Fake, request: Request) -> Fault | None:
    """The fault that a request meets, drawn by the schedule whose mailbox it is for."""
    mailbox = fake.mailbox_of(request)
    draw = ground.faults.get(mailbox)
    if draw is None or ground.left[mailbox] <= 0 or draw.random() > 0.25:
        return None
    ground.left[mailbox] -= 1
    return draw.choice(
        (
            Fault("refuse", 429, retry_after="1"),
            Fault("refuse", 503, retry_after="1"),
            Fault("refuse", 503),
            Fault("refuse", 500),
            Fault("lost", 504),
            Fault("lost", 500),
            Fault("cut before"),
            Fault("cut after"),
            Fault("cut after"),
            Fault("slow", seconds=0.3),
        )
    )


def schedule(ground: Ground, fake: Fake, folder: Path, seed: int) -> Ended:
    """A worker on a mailbox of its own, until all is done."""
    number = next(_numbers)
    desk = fake.desk(f"desk{number}@nordlicht.example")
    draw = random.Random(seed)
    path = folder / str(number) / "triaged.db"
    path.parent.mkdir()
    open_log(path).close()
    mailbox = desk.address.lower()
    ground.left[mailbox] = draw.randrange(4, 24)
    ground.faults[mailbox] = random.Random(seed + 1)
    try:
        with _working(ground, desk, path), closing(Reader(path)) as reader:
            for judged in ground.judged.values():
                desk.deliver(judged.octets)
                _clock.wait(draw.uniform(0, 0.4))
                desk.disturb(draw)
            if not _until(partial(_is_done, reader)):
                left = [(each.kind, each.state, each.detail) for row in (1, 2, 3) for each in reader.effects(row)]
                return Ended(MAILS, 0, [f"seed {seed}: not done within {ENDS_S:.0f} s: {left}"])
            return _checked(ground, desk, reader, seed)
    finally:
        del ground.faults[mailbox]
        shutil.rmtree(path.parent)


def _until(done: Callable[[], bool]) -> bool:
    give_up_at = time.monotonic() + ENDS_S
    while time.monotonic() < give_up_at:
        if done():
            return True
        _clock.wait(0.1)
    return False


def _is_done(reader: Reader) -> bool:
    waiting = reader.select("SELECT count(*) FROM effect WHERE state IN ('owed', 'doing')")[0][0]
    return bool(reader.located() == MAILS and waiting == 0)


def _checked(ground: Ground, desk: Desk, reader: Reader, seed: int) -> Ended:
    rows = Counter(name for (name,) in reader.select("SELECT message_id FROM message WHERE state = 'triaged'"))
    ends = reader.select("SELECT kind, state, external_id, detail FROM effect")
    lies, left = Counter(map(_message_id, desk.lies())), Counter(map(_message_id, desk.sent()))
    mails = {name: state for kind, state, name, _ in ends if kind in ("ack", "notify")}
    wrong = [
        f"{kind} is {state}: {detail}"
        for kind, state, _, detail in ends
        if state != "done" and (state != "person" or kind not in ("ack", "notify") or "did it arrive" not in detail)
    ]
    for what, found, expected in (("rows", rows, ground.judged), ("mails in its folders", lies, ground.judged)):
        if found != Counter(expected.keys()):
            wrong.append(f"{what}: {found}")
    # What a person is asked about left once or not at all; everything else once.
    if not left.keys() <= mails.keys() or any(count != 1 for count in left.values()):
        wrong.append(f"sent: {left}")
    if not left.keys() >= {name for name, state in mails.items() if state == "done"}:
        wrong.append(f"called sent and was not: {mails.keys() - left.keys()}")
    if (desk.events(), desk.invited()) != (1, 1):
        wrong.append(f"{desk.events()} calls, {desk.invited()} invitations")
    doubts = sum(state == "person" for state in mails.values())
    return Ended(MAILS, doubts, [f"seed {seed}: {each}" for each in wrong])


def _message_id(octets: bytes) -> str:
    found = re.search(rb"^Message-ID:\s*(\S+)", octets, re.MULTILINE | re.IGNORECASE)
    assert found is not None
    return found[1].decode()


@contextmanager
def _working(ground: Ground, desk: Desk, path: Path) -> Iterator[None]:
    """The worker's threads for one mailbox, over the log at `path`."""
    stop, beats = Event(), Beats()
    writer = Writer(path, beats=beats)
    lanes: dict[str, Lane] = {}

    def wake(names: frozenset[str]) -> None:
        for name in names & lanes.keys():
            lanes[name].wake.set()

    around = LaneSurroundings(path, writer, stop, beats, lambda part, state, detail: None, wake, utc_now)
    calendar = CalendarLane(
        desk.calendar(),
        organizer=Address("lena@nordlicht.example", "Lena"),
        hours=ground.hours,
        step_min=30,
        buffer_min=0,
        location="",
        refuses=lambda address: "",
        clock=lambda: NOW,
    )
    services = {
        "mail": MailLane(desk.mailer(), lambda address: ""),
        "mailbox:desk": FilingLane(desk.mailbox()),
        "calendar:lena": calendar,
    }
    lanes |= {name: Lane(name, service, around) for name, service in services.items()}
    raws: queue.Queue[Raw] = queue.Queue(8)
    watched = Watched(desk.mailbox(), 1, Progress())
    surroundings = Surroundings(path, raws, writer, stop, beats, lambda part, state, detail: None, utc_now)
    threads = [Thread(target=writer.run), *(Thread(target=lane.run) for lane in lanes.values())]
    threads.append(Thread(target=partial(watch, watched, surroundings, once=False, tried=lambda: None)))
    threads.append(Thread(target=partial(_take_in, ground, raws, writer, watched.progress, wake, stop)))
    threads[0].start()
    writer.opened.result(timeout=30)
    for thread in threads[1:]:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        watched.mailbox.wake()
        for lane in lanes.values():
            lane.wake.set()
        for thread in threads[1:]:
            thread.join()
        writer.close()
        threads[0].join()


def _take_in(
    ground: Ground,
    raws: queue.Queue[Raw],
    writer: Writer,
    progress: Progress,
    wake: Callable[[frozenset[str]], None],
    stop: Event,
) -> None:
    """The intake's part: a row for each mail, with what was decided beforehand; then the cursor that this allows."""
    while not stop.is_set():
        try:
            given = raws.get(timeout=0.2)
        except queue.Empty:
            given = None
        if given is not None:
            judged = ground.judged[_message_id(given.octets)]
            assert given.octets == judged.octets, "the mail is not as it was"
            record = partial(
                Log.record,
                message=judged.message,
                decision=judged.at(given.locator),
                locator=given.locator,
                now=utc_now(),
                background=judged.background,
            )
            recorded = writer.submit(record).result()
            progress.committed(given.locator.key)
            wake(recorded.lanes)
        if (reached := progress.take_reached()) is not None:
            folder = given.locator.folder if given is not None else "INBOX"
            writer.submit(partial(Log.set_cursor, mailbox="desk", folder=folder, key=reached, now=utc_now())).result()


def told(fake: Fake, ends: list[Ended]) -> None:
    wrong = [each for end in ends for each in end.wrong]
    met = Counter(fake.server.met)
    print(  # noqa: T201 - the trial's one line
        f"F17 {fake.name} (a fake): {len(ends):,} schedules, {sum(end.mails for end in ends):,} mails, "
        f"{len(fake.server.requests):,} requests, {sum(met.values()):,} faults; {len(wrong)} schedules wrong, "
        f"{sum(end.doubts for end in ends)} mails with a person, at most {max(fake.server.peak.values())} requests at "
        f"once to a mailbox, {len(fake.server.early)} while told to wait"
    )
    assert wrong == [], wrong[:3]
    assert fake.server.early == []
    assert 2 <= max(fake.server.peak.values()) <= AT_ONCE
    assert len(met) == 5, "every kind of fault came to pass"


def schedules(fake: Fake, ground: Ground, folder: Path, number: int, *, at_once: int) -> list[Ended]:
    fake.server.plan = partial(plan, ground, fake)
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(partial(schedule, ground, fake, folder), range(number)))
