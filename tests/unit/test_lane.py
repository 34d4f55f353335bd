"""A lane: what is owed is done once; what a kill interrupted is looked up first, and never done again unasked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.desk import ACME, NOW, decided, lay_out_site, mail, open_log
from tests.doubles.mailer import MemoryMailer
from triaged.decision import Decision, SendAck
from triaged.errors import LoginRefused, Permanent, Transient, TriagedError, Uncertain
from triaged.loading import build_playbook
from triaged.log.read import Reader
from triaged.log.rows import EffectRow
from triaged.log.store import Log
from triaged.model import Locator, Message
from triaged.worker.beats import Beats
from triaged.worker.crossing import Crossing, noted
from triaged.worker.lane import Lane, LaneSurroundings
from triaged.worker.perform import MailLane
from triaged.worker.service import utc_now
from triaged.worker.writer import Writer


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Message, Decision]:
    """A request that is to be acknowledged, and nothing else."""
    playbook = build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))
    message, decision = decided(playbook, mail("Could you please send me the invoice of October?"), accounts=(ACME,))
    assert [each.effect.kind for each in decision.effects] == ["ack"]
    return message, decision


@pytest.fixture
def path(tmp_path: Path, case: tuple[Message, Decision]) -> Path:
    """A log in which that acknowledgement is owed."""
    log = open_log(tmp_path / "state" / "triaged.db")
    with log.transaction():
        log.record(*case, Locator("desk", "inbox", "1"), now=NOW)
    log.close()
    return tmp_path / "state" / "triaged.db"


@dataclass
class ForgetfulMailer(MemoryMailer):
    """Cannot be asked for a while what was sent: raises `unasked` one by one first."""

    unasked: list[TriagedError] = field(default_factory=list)

    def was_sent(self, message_id: str) -> bool | None:
        if self.unasked:
            raise self.unasked.pop(0)
        return super().was_sent(message_id)


@contextmanager
def running(path: Path, mailer: MemoryMailer, *, until: Callable[[EffectRow, list[str]], bool]) -> Iterator[EffectRow]:
    """Run a mail lane on the log until the acknowledgement's row, or what was told of health, is as wanted."""
    stop, told, beats = Event(), [], Beats()
    writer = Writer(path, beats=beats)
    around = LaneSurroundings(
        log_path=path,
        writer=writer,
        stop=stop,
        beats=beats,
        health=lambda part, state, detail: told.append(f"{state} {detail}"),
        wake_lanes=lambda names: None,
        clock=utc_now,
    )
    lane = Lane("mail", MailLane(mailer, lambda address: ""), around)
    threads = [Thread(target=writer.run), Thread(target=lane.run)]
    for thread in threads:
        thread.start()
    writer.opened.result(timeout=10)
    with closing(Reader(path)) as reader:
        tick = Event()
        for _ in range(400):
            [effect] = reader.effects(1)
            if until(effect, told):
                break
            tick.wait(0.02)
        else:
            pytest.fail(f"never as wanted: {effect}, {told}")
    stop.set()
    lane.wake.set()
    threads[1].join(timeout=10)
    writer.close()
    threads[0].join(timeout=10)
    assert not any(thread.is_alive() for thread in threads)
    yield effect


def interrupt(path: Path, *, handed: bool = True) -> None:
    """Leave the acknowledgement begun, as a kill does; handed: past the point of no return."""
    log = Log(path)
    with log.transaction():
        claimed = log.claim("mail", now=utc_now())
        assert claimed is not None
        if handed:
            log.hand_over(claimed, now=utc_now())
    log.close()


def ack(case: tuple[Message, Decision]) -> SendAck:
    [effect] = [each.effect for each in case[1].effects]
    assert isinstance(effect, SendAck)
    return effect


def ended(effect: EffectRow, _told: list[str]) -> bool:
    return effect.state in ("done", "person")


def test_what_is_owed_is_sent_once(path: Path, case: tuple[Message, Decision]) -> None:
    mailer = MemoryMailer()
    with running(path, mailer, until=ended) as effect:
        assert (effect.state, effect.detail) == ("done", "250 kept")
    assert mailer.sent == [ack(case).mail]


@pytest.mark.parametrize(
    ("fault", "state", "sent"),
    [(Transient("451 later", retry_after_s=0), "done", 1), (Permanent("550 no such user"), "person", 0)],
)
def test_what_fails(path: Path, fault: TriagedError, state: str, sent: int) -> None:
    mailer = MemoryMailer(faults=[fault])
    with running(path, mailer, until=ended) as effect:
        assert effect.state == state
    assert len(mailer.sent) == sent


@pytest.mark.parametrize(
    ("arrives", "can_tell", "state", "sent"),
    [(True, True, "done", 1), (False, True, "done", 1), (True, False, "person", 1), (False, False, "person", 0)],
)
def test_when_the_answer_is_lost_it_is_looked_up(
    path: Path, arrives: bool, can_tell: bool, state: str, sent: int
) -> None:
    mailer = MemoryMailer(faults=[Uncertain("cut after the last line")], arrives=arrives, can_tell=can_tell)
    with running(path, mailer, until=ended) as effect:
        assert effect.state == state
    assert len(mailer.sent) == sent


@pytest.mark.parametrize(
    ("arrived", "can_tell", "state", "sent"),
    [(True, True, "done", 1), (False, True, "done", 1), (True, False, "person", 1), (False, False, "person", 0)],
)
def test_what_a_kill_interrupted_is_looked_up(
    path: Path, case: tuple[Message, Decision], arrived: bool, can_tell: bool, state: str, sent: int
) -> None:
    interrupt(path)
    mailer = MemoryMailer(sent=[ack(case).mail] if arrived else [], can_tell=can_tell)
    with running(path, mailer, until=ended) as effect:
        assert effect.state == state
    assert len(mailer.sent) == sent


@pytest.mark.parametrize("error", [Transient("Sent is away"), LoginRefused("no"), Transient("x", retry_after_s=60)])
def test_while_nobody_can_be_asked_nothing_is_sent_again(
    path: Path, case: tuple[Message, Decision], error: TriagedError
) -> None:
    interrupt(path)
    mailer = ForgetfulMailer(sent=[ack(case).mail], unasked=[error] * 1000)
    with running(path, mailer, until=lambda _, told: any("trouble" in each for each in told)) as effect:
        assert effect.state == "doing"
    assert mailer.sent == [ack(case).mail]
    mailer.unasked.clear()
    with running(path, mailer, until=ended) as effect:
        assert effect.state == "done"
    assert mailer.sent == [ack(case).mail]


def test_one_that_answers_in_the_end_is_believed(path: Path, case: tuple[Message, Decision]) -> None:
    interrupt(path)
    mailer = ForgetfulMailer(sent=[ack(case).mail], unasked=[Transient("away", retry_after_s=0)] * 3)
    with running(path, mailer, until=ended) as effect:
        assert (effect.state, effect.detail) == ("done", "sent, though no answer came; found again")
    assert len(mailer.sent) == 1


def test_a_lookup_that_is_refused_for_good_is_a_persons(path: Path) -> None:
    interrupt(path)
    mailer = ForgetfulMailer(unasked=[Permanent("there is no Sent folder")])
    with running(path, mailer, until=ended) as effect:
        assert (effect.state, effect.detail) == ("person", "there is no Sent folder")
    assert mailer.sent == []


def test_what_was_not_handed_over_is_sent_without_asking(path: Path, case: tuple[Message, Decision]) -> None:
    interrupt(path, handed=False)
    mailer = ForgetfulMailer(unasked=[Permanent("nobody may ask")])
    with running(path, mailer, until=ended) as effect:
        assert (effect.state, effect.attempts) == ("done", 2)
    assert mailer.sent == [ack(case).mail]


def test_a_second_try_is_handed_over_anew(path: Path, case: tuple[Message, Decision]) -> None:
    """What the first try handed over and the server refused must not count for the second."""
    interrupt(path)
    log = Log(path)
    with log.transaction():
        [claimed] = log.doing("mail")
        assert claimed.handed
        log.put_off(claimed, until=NOW, why="451 later", now=utc_now())
        assert log.claim("mail", now=utc_now()) is not None
        assert [each.handed for each in log.doing("mail")] == [False]
    log.close()


STEPS = {"ends": ("done", "250 taken", 0), "begins": ("person", "", 0), "commits": ("done", "250 kept", 1)}
"""The last thing done before the kill → the end, its words (`""`: any), and how many mails are sent at the restart."""


@pytest.mark.parametrize("last", STEPS)
def test_the_note_saves_a_question(path: Path, last: str) -> None:
    """Killed after the server's yes, within the crossing, or after the commit and before the last step."""

    class Killed(Exception):
        pass

    def hand_over() -> None:
        log = Log(path)
        with log.transaction():
            log.hand_over(claimed, now=utc_now())
        log.close()
        if last == "commits":
            raise Killed

    log = Log(path)
    with log.transaction():
        claimed = log.claim("mail", now=utc_now())
        assert claimed is not None
    log.close()
    crossing = Crossing(claimed, commit=hand_over, path=path.parent / "crossed-mail")
    with suppress(Transient):
        crossing.begins()
        if last == "ends":
            crossing.ends("250 taken")
    mailer = MemoryMailer(can_tell=False)
    with running(path, mailer, until=ended) as effect:
        state, words, sent = STEPS[last]
        assert (effect.state, len(mailer.sent)) == (state, sent)
        assert effect.detail == words or words == ""


def test_after_another_boot_a_note_proves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A power cut takes notes that were not synced: what is missing then may have been there."""
    interrupt(path)
    log = Log(path)
    [claimed] = log.doing("mail")
    log.close()
    note_path = path.parent / "crossed-mail"
    crossing = Crossing(claimed, commit=lambda: None, path=note_path)
    crossing.begins()
    crossing.ends("250 taken")
    assert noted(note_path, claimed) is not None
    for other in (dataclasses.replace(claimed, attempts=2), dataclasses.replace(claimed, row=99)):
        assert noted(note_path, other) is None
    (tmp_path / "boot").write_text("another\n")
    monkeypatch.setattr("triaged.worker.crossing.BOOT_ID", tmp_path / "boot")
    assert noted(note_path, claimed) is None
    with running(path, MemoryMailer(can_tell=False), until=ended) as effect:
        assert effect.state == "person"


def test_what_cannot_be_noted_is_not_crossed(tmp_path: Path, path: Path) -> None:
    interrupt(path)
    log = Log(path)
    [claimed] = log.doing("mail")
    log.close()
    with pytest.raises(Transient, match="cannot be written"):
        Crossing(claimed, commit=lambda: None, path=tmp_path / "no folder" / "note").begins()
