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
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Protocol

import pytest

from tests.contract.ews_sites import calendar_items, settings_of
from tests.desk import NOW, background, lay_out_site, mail, open_log, raw
from tests.servers.certificates import Authority, make_authority
from tests.servers.ews import EwsFake, running_fake
from tests.servers.ewsparts import Refused
from tests.servers.ewsschema import schema as ews_schema
from tests.servers.graph import GraphFake
from tests.servers.https import Fault, HttpsServer, Request, running
from triaged.backends.ews.calendar import EwsCalendar
from triaged.backends.ews.mailbox import EwsMailbox
from triaged.backends.ews.mailer import EwsMailer
from triaged.backends.gate import AT_ONCE
from triaged.backends.graph.calendar import GraphCalendar
from triaged.backends.graph.mailbox import GraphMailbox
from triaged.backends.graph.mailer import GraphMailer
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
from triaged.worker.booking import CalendarLane, Diary
from triaged.worker.lane import Lane, LaneSurroundings
from triaged.worker.perform import FilingLane, MailLane
from triaged.worker.progress import Progress
from triaged.worker.service import utc_now
from triaged.worker.watch import Surroundings, Watched, watch
from triaged.worker.writer import Writer

MAILS = 3
"""Mails of one schedule; one of them asks for a call."""
ENDS_S = 600.0
"""Seconds within which all is done: eight waits with back-off are 255 of them."""
FILED = "Triaged"
ADDRESS = "desk@nordlicht.example"
"""Whom the mails are written to and answered by."""

LOST = re.compile("did it arrive|no (clear )?answer came")
"""What a person is asked about an acknowledgement of which nobody can tell."""

_clock = Event()
"""Never set: a clock to wait on."""


class Desk(Protocol):
    """A fake with one mailbox and its owner's calendar, seen past the code under test."""

    server: HttpsServer

    def mailbox(self) -> Mailbox: ...
    def mailer(self) -> Mailer: ...
    def calendar(self) -> Calendar: ...
    def deliver(self, octets: bytes) -> None: ...
    def disturb(self, draw: random.Random) -> None:
        """Something odd that such a server does: a cursor forgotten, a token ended, a notification lost or doubled."""

    def lies(self) -> list[bytes]:
        """Every mail in its folders but Sent, as often as it is there."""

    def sent(self) -> list[bytes]:
        """Every mail that left, as often as it did."""

    def events(self) -> int:
        """How many events stand in the calendar."""

    def invited(self) -> int:
        """How often the server invited somebody."""


class GraphDesk:
    def __init__(self, fake: GraphFake, draw: random.Random) -> None:
        self._fake, self.server = fake, fake.server
        [self.address] = fake.mail
        self._mail, self._dates = fake.mail[self.address], fake.dates[self.address]
        self._mail.send_as.add(ADDRESS)
        self._mail.shuffled = random.Random(draw.random())
        self._mail.sent_late = draw.choice((0, 0, 1, 2))
        self._dates.duplicate_is_error = draw.random() < 0.5

    def mailbox(self) -> Mailbox:
        return GraphMailbox("desk", "INBOX", self._fake.settings(self.address), max_message_bytes=1_000_000)

    def mailer(self) -> Mailer:
        return GraphMailer(self._fake.settings(self.address))

    def calendar(self) -> Calendar:
        return GraphCalendar(self._fake.settings(self.address), timezone="Europe/Berlin")

    def deliver(self, octets: bytes) -> None:
        self._mail.deliver("INBOX", octets, datetime.now(UTC))

    def disturb(self, draw: random.Random) -> None:
        match draw.choice(("nothing", "cursor", "token", "other mail")):
            case "cursor":
                self._mail.forget_tokens()
            case "token":
                old = self._fake.tokens.token()
                self._fake.good_tokens = {f"token-{int(old.removeprefix('token-')) + 1}"}

    def lies(self) -> list[bytes]:
        sent = self._mail.by_path("Sent Items").id
        return [mail.octets for mail in self._mail.mails.values() if mail.folder != sent]

    def sent(self) -> list[bytes]:
        return list(self._mail.sent)

    def events(self) -> int:
        return len(self._dates.events)

    def invited(self) -> int:
        return sum(told.kind == "invite" for told in self._dates.told)


class EwsDesk:
    def __init__(self, fake: EwsFake, authority: Authority, draw: random.Random) -> None:
        self._fake, self.server = fake, fake.https
        self._settings = settings_of(fake, authority, timeout_s=5)
        fake.page = draw.choice((1, 2, 100))
        fake.streams, fake.mute, fake.echo = draw.random() < 0.8, draw.random() < 0.3, draw.choice((1, 1, 3))
        fake.drops = draw.choice(((), ("Auto-Submitted", "X-Triaged")))

    def mailbox(self) -> Mailbox:
        return EwsMailbox("desk", "INBOX", self._settings, max_message_bytes=1_000_000)

    def mailer(self) -> Mailer:
        return EwsMailer(self._settings)

    def calendar(self) -> Calendar:
        return EwsCalendar(self._settings, timezone="Europe/Berlin")

    def deliver(self, octets: bytes) -> None:
        self._fake.put(self._fake.known("inbox"), octets, datetime.now(UTC))

    def disturb(self, draw: random.Random) -> None:
        match draw.choice(("nothing", "streams cut", "busy", "busy without a word")):
            case "streams cut":
                self._fake.cut_streams()
            case "busy":
                self._fake.refuse.setdefault("SyncFolderItems", []).append(Refused("ErrorServerBusy", back_off_ms=1000))
            case "busy without a word":
                self._fake.refuse.setdefault("MoveItem", []).append(Refused("ErrorServerBusy"))

    def lies(self) -> list[bytes]:
        folders = {
            self._fake.known("inbox").key,
            *(each.key for each in self._fake.folders.values() if each.name == FILED),
        }
        return [item.mime for item in self._fake.items.values() if item.folder in folders]

    def sent(self) -> list[bytes]:
        return list(self._fake.sent)

    def events(self) -> int:
        return len(calendar_items(self._fake))

    def invited(self) -> int:
        return sum(kind == "invite" for kind, _, _ in self._fake.invitations)


def address_of(draw: random.Random) -> str:
    """A mailbox that no other schedule has: what one was told to wait for is kept by host, port and address, and ports
    are used again."""
    return f"desk{draw.getrandbits(64):x}@nordlicht.example"


@contextmanager
def graph_desk(authority: Authority, draw: random.Random) -> Iterator[Desk]:
    fake = GraphFake(authority, address_of(draw))
    with running(fake.server, authority):
        yield GraphDesk(fake, draw)
    assert fake.violations == []
    fake.server.assert_heeded()


@contextmanager
def ews_desk(authority: Authority, draw: random.Random) -> Iterator[Desk]:
    with running_fake(authority, address_of(draw)) as fake:
        yield EwsDesk(fake, authority, draw)


DESKS = {"Microsoft 365": graph_desk, "Exchange": ews_desk}


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
    authority: Authority


@dataclass(frozen=True, slots=True)
class Ended:
    """How a schedule ended. doubts: mails of ours that a person must look after; wrong: what must not be."""

    mails: int
    doubts: int
    met: Counter[str]
    requests: int
    peak: int
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
    ews_schema()  # once, before many threads want it
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
    return Ground(found, hours_of(config, config.hours, where="hours"), make_authority(folder / "tls"))


class Faults:
    """Which fault a request meets, drawn by chance, until so many came to pass; two in a row at most, for after each
    the worker waits twice as long."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._left, self._row = self._draw.randrange(2, 7), 0
        self._lock = Lock()

    def __call__(self, request: Request) -> Fault | None:
        with self._lock:
            if self._left <= 0 or self._row == 2 or self._draw.random() > 0.3:
                self._row = 0
                return None
            self._left, self._row = self._left - 1, self._row + 1
            return self._draw.choice(FAULTS)


FAULTS = (
    Fault("refuse", 429, retry_after="4"),
    Fault("refuse", 503, retry_after="4"),
    Fault("refuse", 503),
    Fault("refuse", 500),
    Fault("lost", 504),
    Fault("lost", 500),
    Fault("cut before"),
    Fault("cut after"),
    Fault("cut after"),
    Fault("slow", seconds=0.3),
)


def schedule(ground: Ground, kind: str, folder: Path, seed: int) -> Ended:
    """A worker on a fake of its own, until all is done."""
    draw = random.Random(seed)
    path = folder / kind / str(seed) / "triaged.db"
    path.parent.mkdir(parents=True)
    open_log(path).close()
    try:
        with DESKS[kind](ground.authority, draw) as desk:
            desk.server.plan = Faults(seed)
            desk.server.grace_s = 2.0  # many threads of one process, servers' and clients', are slow to hear
            with _working(ground, desk, path), closing(Reader(path)) as reader:
                for judged in ground.judged.values():
                    desk.deliver(judged.octets)
                    _clock.wait(draw.uniform(0, 0.4))
                    desk.disturb(draw)
                done = _until(partial(_is_done, reader))
                doubts, wrong = _checked(ground, desk, reader)
            if not done:
                wrong.append(f"not done within {ENDS_S:.0f} s")
            server = desk.server
            return Ended(
                MAILS,
                doubts,
                server.met,
                len(server.requests),
                max(server.peak.values()),
                [f"seed {seed}: {each}" for each in wrong],
            )
    except AssertionError as error:  # the fake's own guards: the schema, too many at once, too early
        return Ended(MAILS, 0, Counter(), 0, 0, [f"seed {seed}: {error}"])
    finally:
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


def _checked(ground: Ground, desk: Desk, reader: Reader) -> tuple[int, list[str]]:
    rows = Counter(name for (name,) in reader.select("SELECT message_id FROM message WHERE state = 'triaged'"))
    ends = reader.select("SELECT kind, state, external_id, detail FROM effect")
    lies, left = Counter(map(_message_id, desk.lies())), Counter(map(_message_id, desk.sent()))
    mails = {name: state for kind, state, name, _ in ends if kind in ("ack", "notify")}
    wrong = [
        f"{kind} is {state}: {detail}"
        for kind, state, _, detail in ends
        if state != "done" and (state != "person" or kind not in ("ack", "notify") or not LOST.search(detail))
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
    return sum(state == "person" for state in mails.values()), wrong


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
    diary = Diary(
        organizer=Address("lena@nordlicht.example", "Lena"),
        hours=ground.hours,
        step_min=30,
        buffer_min=0,
        per_day=0,
        also=(),
        booked=tuple,
    )
    calendar = CalendarLane(desk.calendar(), diary, refuses=lambda address: "", clock=lambda: NOW)
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


def told(kind: str, ends: list[Ended]) -> None:
    wrong = [each for end in ends for each in end.wrong]
    met = sum((end.met for end in ends), Counter())
    peak = max(end.peak for end in ends)
    print(  # noqa: T201 - the trial's one line
        f"F17 {kind} (a fake): {len(ends):,} schedules, {sum(end.mails for end in ends):,} mails, "
        f"{sum(end.requests for end in ends):,} requests, {met.total():,} faults {dict(met)}; "
        f"{len(wrong)} wrong, {sum(end.doubts for end in ends)} mails with a person, at most {peak} requests at once "
        "to a mailbox, none while told to wait"
    )
    assert wrong == [], wrong[:3]
    assert 2 <= peak <= AT_ONCE
    assert len(met) == len({fault.kind for fault in FAULTS}), "every kind of fault came to pass"


def schedules(kind: str, ground: Ground, folder: Path, number: int, *, at_once: int) -> list[Ended]:
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(partial(schedule, ground, kind, folder), range(number)))


@pytest.mark.parametrize("kind", DESKS)
def test_no_fault_loses_a_mail_or_does_anything_twice(kind: str, tmp_path: Path) -> None:
    told(kind, schedules(kind, ground(tmp_path / "site"), tmp_path, 24, at_once=8))


def long_run(folder: Path) -> None:
    """Five thousand schedules over each."""
    made = ground(folder / "site")
    for kind in DESKS:
        told(kind, schedules(kind, made, folder, 5_000, at_once=24))
