"""A person's answer is noticed: which mails count, what it ends, what it does not, and that no look loses any."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.desk import ACME, NOW, decided, lay_out_site, mail
from tests.doubles.mailbox import MemoryMailbox
from triaged.accounts.replies import Ours
from triaged.decision import Decision, SendAck
from triaged.errors import Transient
from triaged.loading import build_playbook
from triaged.log.answers import looked_until
from triaged.log.people import set_done
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Locator, Message
from triaged.playbook import Playbook
from triaged.worker.answers import FAR, NEAR, Answers
from triaged.worker.beats import Beats
from triaged.worker.timers import TimerSurroundings
from triaged.worker.writer import Writer

OURS = Ours(frozenset({"desk@nordlicht.example"}), frozenset({"nordlicht.example"}))
ANN, LENA = "ann@acme.example", "lena@nordlicht.example"
LATER = NOW + timedelta(hours=2)


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    return build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))


@pytest.fixture(scope="module")
def case(playbook: Playbook) -> tuple[Message, Decision]:
    """A client's mail that an answer is owed to, with an acknowledgement."""
    return decided(playbook, mail("Could you please send me the invoice of October?"), accounts=(ACME,))


class Clock:
    """One that tests set."""

    now = LATER

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def around(path: Path, log: Log, clock: Clock) -> Iterator[TimerSurroundings]:
    """With a writer in its thread, as the worker's."""
    writer = Writer(path, beats=Beats())
    thread = Thread(target=writer.run)
    thread.start()
    writer.opened.result()
    yield TimerSurroundings(path, writer, Event(), Beats(), lambda *_: None, clock)
    writer.close()
    thread.join()


def recorded(log: Log, case: tuple[Message, Decision], *, number: int = 1, **more: Any) -> int:
    message, decision = case
    fields = {"key": f"{number:032x}", "message_id": f"<mail-{number}@acme.example>"} | more
    message = dataclasses.replace(message, **fields)
    decision = dataclasses.replace(decision, message_key=message.key, effects=() if number > 1 else decision.effects)
    with log.transaction():
        return log.record(message, decision, Locator("desk", "INBOX", str(number)), now=NOW).row


def reply(
    *,
    names: str = "<mail-1@acme.example>",
    sender: str = LENA,
    to: str = ANN,
    message_id: str = "<re@nordlicht.example>",
    fields: str = "",
) -> bytes:
    return (
        f"From: {sender}\r\nTo: {to}\r\nMessage-ID: {message_id}\r\nIn-Reply-To: {names}\r\n{fields}\r\nHere it is.\r\n"
    ).encode()


def box(*sent: bytes, date: datetime = LATER) -> MemoryMailbox:
    return MemoryMailbox(folders={"Sent": [(date, each) for each in sent]})


def look(around: TimerSurroundings, reader: Reader, *boxes: MemoryMailbox) -> None:
    Answers(boxes, OURS, around).work(reader)


def answered(reader: Reader, message: int = 1) -> datetime | None:
    row = reader.row(message)
    assert row is not None
    return row.answered


def acknowledgement(case: tuple[Message, Decision]) -> SendAck:
    [found] = [each.effect for each in case[1].effects if isinstance(each.effect, SendAck)]
    return found


def test_a_reply_in_the_folder_of_sent_mail_ends_what_is_owed(
    log: Log, reader: Reader, around: TimerSurroundings, case: tuple[Message, Decision]
) -> None:
    recorded(log, case)
    assert len(reader.rows(limit=9, open_only=True)) == reader.open_items("C-1", before=LATER) == 1
    for _ in range(2):
        look(around, reader, box(reply()))
    assert answered(reader) == LATER
    assert reader.rows(limit=9, open_only=True) == []
    assert reader.open_items("C-1", before=LATER) == 0
    [event] = reader.events_named("answered")
    assert event.detail == f"by {LENA}; sent 2026-11-17T10:00:00+00:00, it lies in Sent of desk"
    [row] = reader.rows(limit=9)
    assert (row.done, row.due is not None) == (None, True)  # done is another word, and what was owed is still told


@pytest.mark.parametrize(
    ("octets", "counts"),
    [
        (reply(names="<other@acme.example>", fields="References: <x@y> <mail-1@acme.example>\r\n"), True),
        (reply(to="Boss <boss@acme.example>"), True),  # a colleague of hers
        (reply(to="lena@nordlicht.example"), False),  # handed on among us
        (reply(to="help@partner.example"), False),  # forwarded to somebody else
        (reply(to="help@partner.example", fields=f"Cc: {ANN}\r\n"), True),
        (reply(names="<other@acme.example>"), False),
        (reply(fields="Auto-Submitted: auto-replied\r\n"), False),  # somebody's note that they are away
        (reply(fields="Auto-Submitted: no\r\n"), True),
    ],
)
def test_what_counts_as_an_answer(
    log: Log,
    reader: Reader,
    around: TimerSurroundings,
    case: tuple[Message, Decision],
    octets: bytes,
    counts: bool,
) -> None:
    recorded(log, case)
    look(around, reader, box(octets))
    assert (answered(reader) is not None) == counts


def test_what_lies_elsewhere_is_not_looked_at(
    log: Log, reader: Reader, around: TimerSurroundings, case: tuple[Message, Decision]
) -> None:
    """Anybody can write a From into a mail that they send us; into our folder of sent mail only we can lay one."""
    recorded(log, case)
    look(around, reader, MemoryMailbox(folders={"Archive": [(LATER, reply())], "Drafts": [(LATER, reply())]}))
    assert answered(reader) is None


def test_our_own_acknowledgement_is_none_and_a_reply_to_it_is_one(
    log: Log, reader: Reader, around: TimerSurroundings, case: tuple[Message, Decision]
) -> None:
    recorded(log, case)
    ours = acknowledgement(case).mail
    bare = ours.octets.replace(b"Auto-Submitted: auto-replied\r\n", b"")  # as some servers keep it
    assert bare != ours.octets
    look(around, reader, box(ours.octets, bare))
    assert answered(reader) is None
    look(around, reader, box(reply(names=ours.message_id)))
    assert answered(reader) == LATER


def test_a_later_mail_of_the_same_conversation_is_an_item_of_its_own(
    log: Log, reader: Reader, around: TimerSurroundings, case: tuple[Message, Decision]
) -> None:
    recorded(log, case)
    look(around, reader, box(reply()))
    second = recorded(log, case, number=2, references=("<mail-1@acme.example>",), received=LATER + timedelta(hours=1))
    look(around, reader, box(reply()))
    assert (answered(reader), answered(reader, second)) == (LATER, None)
    assert [row.id for row in reader.rows(limit=9, open_only=True)] == [second]
    both = "References: <mail-1@acme.example> <mail-2@acme.example>\r\n"
    again = reply(names="<mail-2@acme.example>", message_id="<re2@x>", fields=both)
    look(around, reader, box(again, date=LATER + timedelta(hours=2)))
    assert (answered(reader), answered(reader, second)) == (LATER, LATER + timedelta(hours=2))


def test_an_answer_from_before_is_none_to_a_mail_under_the_same_message_id(
    log: Log, reader: Reader, around: TimerSurroundings, case: tuple[Message, Decision]
) -> None:
    recorded(log, case)
    twin = recorded(log, case, number=2, message_id="<mail-1@acme.example>", received=LATER + timedelta(days=1))
    look(around, reader, box(reply()))
    assert (answered(reader), answered(reader, twin)) == (LATER, None)


def test_what_is_open_again_stays_so_until_another_answer(
    log: Log, reader: Reader, around: TimerSurroundings, case: tuple[Message, Decision]
) -> None:
    recorded(log, case)
    look(around, reader, box(reply()))
    with log.transaction():
        assert set_done(log, 1, done=False, who="carl", now=LATER + timedelta(minutes=5))
        assert not set_done(log, 1, done=False, who="carl", now=LATER + timedelta(minutes=6))
    look(around, reader, box(reply()))
    assert answered(reader) is None
    assert len(reader.rows(limit=9, open_only=True)) == 1
    look(around, reader, box(reply(message_id="<re2@x>"), date=LATER + timedelta(minutes=10)))
    assert answered(reader) == LATER + timedelta(minutes=10)


def test_what_is_done_already_is_known_to_be_answered_too(
    log: Log, reader: Reader, around: TimerSurroundings, case: tuple[Message, Decision]
) -> None:
    """How soon people answer is worth knowing of every mail."""
    recorded(log, case)
    with log.transaction():
        set_done(log, 1, done=True, who="carl", now=NOW)
    look(around, reader, box(reply()))
    [row] = reader.rows(limit=9)
    assert (row.answered, row.done) == (LATER, NOW)


def colleagues(playbook: Playbook, **more: Any) -> tuple[Message, Decision]:
    fields = "In-Reply-To: <mail-1@acme.example>\r\n"
    octets = mail("Here it is.", sender=f"Lena <{LENA}>", to=f"{ANN}, desk@nordlicht.example", fields=fields, **more)
    return decided(playbook, octets)


@pytest.mark.parametrize("authenticated", [True, False])
def test_a_colleagues_copy_to_the_desk_counts_if_our_border_knows_them(
    log: Log,
    reader: Reader,
    around: TimerSurroundings,
    case: tuple[Message, Decision],
    playbook: Playbook,
    authenticated: bool,
) -> None:
    recorded(log, case)
    recorded(log, colleagues(playbook, authenticated=authenticated), number=2, received=LATER)
    look(around, reader, box())
    assert (answered(reader) is not None) == authenticated


# --- no look loses any ------------------------------------------------------------------------------------------------


def test_each_look_begins_before_the_last_one_and_the_first_far_back(
    log: Log, reader: Reader, around: TimerSurroundings, clock: Clock, case: tuple[Message, Decision]
) -> None:
    for number in (1, 2, 3):
        recorded(log, case, number=number, received=NOW - timedelta(days=10))
    mailbox = box(reply(), date=LATER - FAR + timedelta(days=5))
    answers = Answers([mailbox], OURS, around)
    answers.work(reader)
    assert answered(reader) is not None
    assert looked_until(reader, "desk") == LATER
    late = (LATER - NEAR + timedelta(minutes=1), reply(names="<mail-2@acme.example>", message_id="<2@x>"))
    older = (LATER - NEAR - timedelta(minutes=1), reply(names="<mail-3@acme.example>", message_id="<3@x>"))
    mailbox.folders["Sent"] += [late, older]  # laid there after the look, dated as they were written
    clock.now = LATER + timedelta(minutes=2)
    answers.work(reader)
    assert [answered(reader, number) is not None for number in (2, 3)] == [True, False]
    Answers([mailbox], OURS, around).work(reader)  # started again: far back
    assert answered(reader, 3) is not None


def test_days_without_a_worker_are_made_up_for(
    log: Log, reader: Reader, around: TimerSurroundings, clock: Clock, case: tuple[Message, Decision]
) -> None:
    recorded(log, case)
    look(around, reader, box())
    clock.now = LATER + timedelta(days=90)
    look(around, reader, box(reply(), date=LATER + timedelta(days=1)))
    assert answered(reader) == LATER + timedelta(days=1)


@pytest.mark.parametrize("wrong", [timedelta(days=3650), timedelta(days=-3650)])
def test_a_clock_that_is_put_right_loses_nothing(
    log: Log, reader: Reader, around: TimerSurroundings, clock: Clock, case: tuple[Message, Decision], wrong: timedelta
) -> None:
    recorded(log, case)
    mailbox = box()
    answers = Answers([mailbox], OURS, around)
    clock.now = LATER + wrong
    answers.work(reader)
    clock.now = LATER
    mailbox.folders["Sent"].append((LATER - timedelta(minutes=1), reply()))
    answers.work(reader)
    assert answered(reader) is not None


def test_a_mailbox_that_cannot_be_looked_into_stops_no_other(
    log: Log, reader: Reader, around: TimerSurroundings, case: tuple[Message, Decision]
) -> None:
    recorded(log, case)
    broken = MemoryMailbox(name="support", faults=[Transient("support: the connection was lost")])
    with pytest.raises(Transient, match="support"):
        look(around, reader, broken, box(reply()))
    assert answered(reader) == LATER
    assert (looked_until(reader, "support"), looked_until(reader, "desk")) == (None, LATER)


def test_a_look_that_is_cut_short_counts_for_nothing(
    log: Log, reader: Reader, around: TimerSurroundings, case: tuple[Message, Decision]
) -> None:
    recorded(log, case)
    around.stop.set()
    look(around, reader, box(reply()))
    assert looked_until(reader, "desk") is None
    around.stop.clear()
    look(around, reader, box(reply()))
    assert answered(reader) == LATER
    assert reader.rows(limit=1)[0].answered.tzinfo is UTC  # type: ignore[union-attr]
