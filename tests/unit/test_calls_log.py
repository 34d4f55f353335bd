"""Calls in the log: how they stand, what clients answered, who is asked; and the look at people's calendars."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.desk import ACME, NOW, decided, lay_out_site, mail, open_log
from tests.doubles.calendar import MemoryCalendar
from tests.doubles.crossing import nothing
from tests.unit.test_booking import APPOINTMENT, HOLDS, LENA, PLAIN, at, book, busy_at, lane, move, offer, slot
from triaged.calls.invitations import event
from triaged.decision import Answer, BookCall, CallChange, Decision, Outcome, Planned, ReleaseTimes
from triaged.errors import LoginRefused, Permanent, Transient, TriagedError
from triaged.loading import build_playbook
from triaged.log import calls
from triaged.log.callschema import as_of_today
from triaged.log.encode import EFFECT
from triaged.log.limits import Caps
from triaged.log.mailboxes import enable, observe, release
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Interval, Locator, Message
from triaged.worker.beats import Beats
from triaged.worker.lane import MAX_ATTEMPTS, Lane, LaneSurroundings
from triaged.worker.standing import Standing
from triaged.worker.writer import Writer


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Message, Decision]:
    playbook = build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))
    return decided(playbook, mail("Could you please send me the invoice of October?"), accounts=(ACME,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "triaged.db"


@pytest.fixture
def log(path: Path) -> Iterator[Log]:
    open_log(path).close()
    opened = Log(path, caps=Caps())
    yield opened
    opened.close()


def recorded(log: Log, case: tuple[Message, Decision], *planned: Planned, number: int = 1, **more: Any) -> int:
    """A mail with these effects instead of its own."""
    message, decision = case
    message = dataclasses.replace(message, key=f"{number:032x}", message_id=f"<mail-{number}@acme.example>", **more)
    decision = dataclasses.replace(decision, message_key=message.key, effects=planned)
    with log.transaction():
        return log.record(message, decision, Locator("desk", "inbox", str(number)), now=NOW).row


def finished(log: Log, row: int, effect: Any, outcome: Outcome) -> None:
    """The one effect of the lane is claimed, and ended so."""
    with log.transaction():
        claimed = log.claim("calendar:lena", now=NOW)
        assert claimed is not None
        assert claimed.effect == effect
        log.finish(claimed, outcome, now=NOW)


def states(reader: Reader, row: int) -> dict[str, str]:
    return {each.kind: each.state for each in reader.effects(row)}


def stand(log: Log, row: int, change: CallChange) -> None:
    with log.transaction():
        calls.put(log.db, change, message=row, now=NOW)


BOOKED = CallChange(APPOINTMENT, "booked", slot(18, 14), "Europe/Berlin")


def only_call(reader: Reader) -> calls.CallRow:
    (row,) = calls.calls(reader)
    return row


def test_a_call_is_kept_as_a_moment_with_the_wall_clock_that_was_promised(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    row = recorded(log, case, Planned(book(), "owed", NOW))
    finished(log, row, book(), Outcome("booked", (), BOOKED))
    kept = only_call(reader)
    assert (kept.message, kept.zone, kept.wall) == (row, "Europe/Berlin", "2026-11-18T14:00")
    assert (kept.call.state, kept.call.slot, kept.call.appointment) == ("booked", slot(18, 14), APPOINTMENT)
    assert calls.starts(reader, "lena", since=NOW) == [at(18, 14)]
    assert calls.starts(reader, "marek", since=NOW) == []


def test_a_call_is_found_by_its_uid_and_by_the_conversation(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    row = recorded(log, case, Planned(book(), "owed", NOW))
    outcome = lane(MemoryCalendar()).perform(book(), nothing)
    finished(log, row, book(), outcome)
    (invitation,) = outcome.follow_ups
    invited = invitation.effect.mail.message_id  # type: ignore[union-attr]
    assert calls.call_of(reader, uid="", message_ids=(invited,)) is None, "it has not left yet"
    with log.transaction():
        claimed = log.claim("mail", now=NOW)
        assert claimed is not None
        log.finish(claimed, Outcome("sent"), now=NOW)
    for uid, ids in ((APPOINTMENT.uid, ()), ("", ("<x@y>", invited)), ("z", (invited,))):
        found = calls.call_of(reader, uid=uid, message_ids=ids)
        assert found is not None
        assert found.appointment == APPOINTMENT
    for mail_of_theirs in ("<x@y>", "<mail-1@acme.example>"):
        assert calls.call_of(reader, uid="", message_ids=(mail_of_theirs,)) is None
    assert calls.call_of(reader, uid="z", message_ids=()) is None


def test_an_answer_that_is_older_than_the_last_changes_nothing(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    stand(log, recorded(log, case), BOOKED)
    answers = (("accepts", 10, "accepted"), ("declines", 5, "accepted"), ("declines", 11, "declined"))
    for says, minute, expected in answers:
        answer = Answer(APPOINTMENT.uid, says, "words", (), NOW + timedelta(minutes=minute))  # type: ignore[arg-type]
        with log.transaction():
            calls.note_answer(log.db, answer, now=NOW)
        assert only_call(reader).call.state == expected
    stand(log, 1, dataclasses.replace(BOOKED, slot=slot(19, 9), sequence=1))
    moved = only_call(reader).call
    assert (moved.state, moved.moves, moved.sequence) == ("booked", 1, 1)
    stand(log, 1, dataclasses.replace(BOOKED, state="cancelled", slot=slot(19, 9), sequence=2))
    with log.transaction():
        calls.note_answer(log.db, Answer(APPOINTMENT.uid, "accepts", "words"), now=NOW)
    assert only_call(reader).call.state == "cancelled"
    assert calls.calls(reader, since=NOW) == []


def test_a_mail_that_answers_is_noted_with_it(log: Log, reader: Reader, case: tuple[Message, Decision]) -> None:
    stand(log, recorded(log, case), BOOKED)
    message, decision = case
    accepting = dataclasses.replace(decision, answer=Answer(APPOINTMENT.uid, "accepts", "their calendar accepted"))
    row = recorded(log, (message, accepting), number=2)
    assert only_call(reader).call.state == "accepted"
    assert [(each.name, each.detail) for each in reader.events(row)][-1] == (
        "answer.accepts",
        "their calendar accepted",
    )


# --- offered -----------------------------------------------------------------------------------------------------


def test_an_offer_is_followed_by_the_acknowledgement_and_an_end(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    row = recorded(log, case, Planned(offer(), "owed", NOW))
    finished(log, row, offer(), lane(MemoryCalendar()).perform(offer(), nothing))
    assert states(reader, row) == {"offer": "done", "ack": "owed", "release": "owed"}
    assert only_call(reader).call.state == "offered"
    assert len(only_call(reader).call.offered) == 3


def test_where_no_times_can_be_offered_the_acknowledgement_leaves_without(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    row = recorded(log, case, Planned(offer(), "owed", NOW))
    with log.transaction():
        claimed = log.claim("calendar:lena", now=NOW)
        assert claimed is not None
        assert log.hand_to_person(claimed, why="no free 30 minutes", now=NOW) == {"mail", "calendar:lena"}
    assert states(reader, row) == {"offer": "person", "ack": "owed", "release": "owed"}
    (ack,) = (each for each in reader.effects(row) if each.kind == "ack")
    assert ack.payload["mail"]["message_id"] == PLAIN.mail.message_id


def test_a_second_offer_within_the_window_is_dropped_and_its_acknowledgement_is_judged_by_itself(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    wish = dataclasses.replace(offer(), client_key="ann", client_domain="acme.example")
    recorded(log, case, Planned(wish, "owed", NOW))
    again = dataclasses.replace(wish, key="offer:2")
    row = recorded(log, case, Planned(again, "owed", NOW), number=2)
    assert states(reader, row) == {"offer": "dropped", "ack": "owed"}
    # A time that was chosen is no second call, though it comes within the window; another wish is.
    chosen = dataclasses.replace(book(holds=HOLDS), key="call:3", client_key="ann", client_domain="acme.example")
    assert states(reader, recorded(log, case, Planned(chosen, "owed", NOW), number=3)) == {"call": "owed"}
    other = dataclasses.replace(chosen, key="call:4", holds=())
    assert states(reader, recorded(log, case, Planned(other, "owed", NOW), number=4)) == {"call": "dropped"}


def test_no_further_call_while_one_is_to_come(log: Log, reader: Reader, case: tuple[Message, Decision]) -> None:
    wish = dataclasses.replace(book(), client_key="ann", client_domain="acme.example")
    row = recorded(log, case, Planned(wish, "owed", NOW))
    finished(log, row, wish, Outcome("booked", (), dataclasses.replace(BOOKED, slot=slot(25, 14))))
    days = [(3, "dropped"), (9, "owed")]
    for number, (day, expected) in enumerate(days, 2):
        again = dataclasses.replace(wish, key=f"call:{number}")
        then = NOW + timedelta(days=day)
        with log.transaction():
            log.plan(row, (Planned(again, "owed", then),), then)
        assert [each.state for each in reader.effects(row) if each.kind == "call"][-1] == expected


def test_times_that_nobody_chose_are_in_the_way_only_while_they_lie_ahead(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    wish = dataclasses.replace(offer(question="why"), client_key="ann", client_domain="acme.example")
    row = recorded(log, case, Planned(wish, "owed", NOW))
    finished(log, row, wish, lane(MemoryCalendar()).perform(wish, nothing))
    last = max(each.end for each in only_call(reader).call.offered)
    for number, (then, expected) in enumerate([(last - timedelta(minutes=1), "dropped"), (last, "owed")], 2):
        assert len(calls.calls(reader, since=then)) == (expected == "dropped")
        again = dataclasses.replace(wish, key=f"offer:{number}")
        with log.transaction():
            log.plan(row, (Planned(again, "owed", then),), then)
        assert [each.state for each in reader.effects(row) if each.kind == "offer"][-1] == expected


def test_while_the_breaker_is_open_nothing_is_offered(log: Log, reader: Reader, case: tuple[Message, Decision]) -> None:
    with log.transaction():
        log.limits.open_breaker("too many", now=NOW)
    row = recorded(log, case, Planned(offer(), "owed", NOW))
    assert states(reader, row) == {"offer": "dropped", "ack": "held"}


@pytest.mark.parametrize("chosen", [True, False])
def test_a_person_hears_of_times_that_nobody_chose(
    log: Log, reader: Reader, case: tuple[Message, Decision], chosen: bool
) -> None:
    row = recorded(log, case)
    stand(log, row, CallChange(APPOINTMENT, "offered", None, "Europe/Berlin", offered=(slot(18, 9),)))
    if chosen:
        stand(log, row, BOOKED)
    assert only_call(reader).call.offered == (slot(18, 9),), "they stay as they were"
    letting_go = ReleaseTimes("release:1", APPOINTMENT.uid, "lena", HOLDS)
    with log.transaction():
        log.plan(row, (Planned(letting_go, "owed", NOW),), NOW)
    finished(log, row, letting_go, Outcome("let go"))
    assert ("ask" in states(reader, row)) == (not chosen)


def test_a_call_that_an_earlier_version_planned_is_booked_by_this_one() -> None:
    was = {
        "key": "call:1", "uid": "abc@nordlicht.example", "person": "lena",
        "attendee": {"addr_spec": "ann@acme.example", "display_name": "Ann"}, "minutes": 30,
        "earliest": "2026-11-17T10:00:00Z", "latest": "2026-11-19T10:00:00Z", "summary": "Desk and Acme",
        "subject": "Call", "text": "When", "html": "<p>When</p>", "in_reply_to": "<1@acme.example>",
        "from_address": {"addr_spec": "desk@nordlicht.example", "display_name": "Desk"},
        "message_id": "<2@nordlicht.example>", "when_zone": "Europe/Berlin", "when_language": "de",
        "client_timezone": "", "client_key": "k", "client_domain": "acme.example", "kind": "call",
    }  # fmt: skip
    effect = EFFECT.validate_json(json.dumps(as_of_today(was)))
    assert isinstance(effect, BookCall)
    assert effect.appointment.uid == "abc@nordlicht.example"
    assert (effect.draft.message_id, effect.draft.recipient.addr_spec) == ("<2@nordlicht.example>", "ann@acme.example")
    assert effect.windows[0].start == datetime(2026, 11, 17, 10, tzinfo=UTC)
    outcome = lane(MemoryCalendar()).perform(effect, nothing)
    assert outcome.call is not None
    assert outcome.call.slot is not None


# --- the look at people's calendars -----------------------------------------------------------------------------------


@pytest.fixture
def writer(log: Log, path: Path) -> Iterator[Writer]:
    """In its thread, as the worker's."""
    writing = Writer(path, beats=Beats())
    thread = Thread(target=writing.run)
    thread.start()
    writing.opened.result()
    yield writing
    writing.close()
    thread.join()


def looked(calendar: MemoryCalendar, reader: Reader, writer: Writer) -> list[str]:
    """What people are asked after two looks."""
    for _ in range(2):
        Standing({"lena": calendar}, writer=writer, clock=lambda: NOW).work(reader)
    return [each.payload["question"] for each in reader.effects(1) if each.kind == "ask"]


def booked_in(calendar: MemoryCalendar) -> None:
    assert lane(calendar).perform(book(slot(18, 14)), nothing).call == BOOKED


def test_a_call_that_is_as_it_was_promised_is_no_question(
    log: Log, reader: Reader, writer: Writer, case: tuple[Message, Decision]
) -> None:
    stand(log, recorded(log, case), BOOKED)
    calendar = MemoryCalendar()
    booked_in(calendar)
    assert looked(calendar, reader, writer) == []


def test_a_call_that_somebody_took_out_is_asked_about_once(
    log: Log, reader: Reader, writer: Writer, case: tuple[Message, Decision]
) -> None:
    stand(log, recorded(log, case), BOOKED)
    (question,) = looked(MemoryCalendar(), reader, writer)
    assert "is no longer in the calendar of lena, and Ann Archer waits for it" in question
    assert "triaged calls cancel T-7K3M9QX" in question


def test_a_call_that_somebody_dragged_to_another_hour_is_asked_about_once(
    log: Log, reader: Reader, writer: Writer, case: tuple[Message, Decision]
) -> None:
    stand(log, recorded(log, case), BOOKED)
    calendar = MemoryCalendar()
    moved = event(
        uid=APPOINTMENT.uid, slot=slot(20, 10), organizer=LENA, attendee=None, summary="", description="",
        location="", timezone="Europe/Berlin", now=NOW, method=None,
    )  # fmt: skip
    calendar.add(APPOINTMENT.uid, moved)
    (question,) = looked(calendar, reader, writer)
    assert "was moved in the calendar of lena to Friday, 20 November 2026, 10:00 (Europe/Berlin)" in question
    assert 'triaged calls move T-7K3M9QX "2026-11-20T09:00+00:00"' in question


def test_what_we_are_changing_ourselves_is_no_question(
    log: Log, reader: Reader, writer: Writer, case: tuple[Message, Decision]
) -> None:
    effect = move(slot(20, 10), was=slot(18, 14))
    stand(log, recorded(log, case, Planned(effect, "owed", NOW)), BOOKED)
    assert looked(MemoryCalendar(), reader, writer) == []


def test_answers_that_a_calendars_server_took_in_are_noted(
    log: Log, reader: Reader, writer: Writer, case: tuple[Message, Decision]
) -> None:
    stand(log, recorded(log, case), BOOKED)
    calendar = MemoryCalendar(invites=True)
    booked_in(calendar)
    calendar.invite(APPOINTMENT.uid, APPOINTMENT.attendee)
    assert looked(calendar, reader, writer) == []
    assert only_call(reader).call.state == "booked"
    calendar.answers[APPOINTMENT.uid][APPOINTMENT.attendee.addr_spec] = "ACCEPTED"
    assert looked(calendar, reader, writer) == []
    assert only_call(reader).call.state == "accepted"
    calendar.answers[APPOINTMENT.uid][APPOINTMENT.attendee.addr_spec] = "DECLINED"
    (question,) = looked(calendar, reader, writer)
    assert "Ann Archer declined the call T-7K3M9QX" in question
    assert only_call(reader).call.state == "declined"


# --- a calendar that cannot be read ----------------------------------------------------------------------------------


class Working:
    """A calendar's lane in its thread, on a log of its own; `skew` moves its clock."""

    def __init__(self, path: Path, calendar: MemoryCalendar) -> None:
        self.told: list[str] = []
        self.skew, self._stop = timedelta(0), Event()
        self._writer = Writer(path, beats=Beats())
        around = LaneSurroundings(
            log_path=path,
            writer=self._writer,
            stop=self._stop,
            beats=Beats(),
            health=lambda part, state, detail: self.told.append(f"{part} {state} {detail}"),
            wake_lanes=lambda names: None,
            clock=lambda: NOW + self.skew,
        )
        self._lane = Lane("calendar:lena", lane(calendar), around)
        self._threads = [Thread(target=self._writer.run), Thread(target=self._lane.run)]

    def __enter__(self) -> Working:
        self._threads[0].start()
        self._writer.opened.result()
        self._threads[1].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._lane.wake.set()
        self._threads[1].join()
        self._writer.close()
        self._threads[0].join()

    def until(self, condition: Callable[[], bool]) -> None:
        tick = Event()
        for _ in range(500):
            self._lane.wake.set()
            if condition():
                return
            tick.wait(0.02)
        pytest.fail(f"never as wanted: {self.told}")


@pytest.mark.parametrize(
    "error",
    [
        Transient("the server answers 500", retry_after_s=60),
        Transient("no answer within 30 s", retry_after_s=60),
        Permanent("the right to read is missing (403)"),
        LoginRefused("401"),
    ],
)
def test_a_calendar_that_cannot_be_read_gives_no_slot_and_an_alarm_until_it_can(
    path: Path, log: Log, reader: Reader, case: tuple[Message, Decision], error: TriagedError
) -> None:
    wanted = Planned(dataclasses.replace(book(), windows=(Interval(NOW, NOW + timedelta(days=90)),)), "owed", NOW)
    row = recorded(log, case, wanted)
    calendar = MemoryCalendar(fails=error)
    with Working(path, calendar) as working:
        for attempt in range(1, 9):  # the waits grow: a moment is no trouble
            working.until(lambda attempt=attempt: reader.effects(row)[0].attempts >= attempt)  # type: ignore[misc]
            working.until(lambda: states(reader, row)["call"] == "owed")
            working.skew += timedelta(minutes=6)
        working.until(lambda: any(f"lane calendar:lena trouble {error}" in told for told in working.told))
        assert calendar.objects == {}
        assert calls.calls(reader) == []
        calendar.fails = None
        working.skew += timedelta(minutes=6)
        working.until(lambda: states(reader, row)["call"] == "done")
        working.until(lambda: working.told[-1] == "lane calendar:lena ok ")
    assert list(calendar.objects) == [APPOINTMENT.uid]


def test_the_alarm_ends_when_the_calendar_can_be_read_again_though_nothing_is_owed_any_more(
    path: Path, log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    row = recorded(log, case, Planned(offer(), "owed", NOW))
    calendar = MemoryCalendar(fails=Transient("500", retry_after_s=10))
    with Working(path, calendar) as working:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            working.until(lambda attempt=attempt: reader.effects(row)[0].attempts >= attempt)  # type: ignore[misc]
            working.skew += timedelta(seconds=11)
        working.until(lambda: states(reader, row) == {"offer": "person", "ack": "owed", "release": "owed"})
        assert "trouble" in working.told[-1]
        calendar.fails = None
        working.skew += timedelta(minutes=2)
        working.until(lambda: working.told[-1] == "lane calendar:lena ok ")


def test_a_wish_that_cannot_be_met_becomes_times_for_a_person_to_choose_from(
    path: Path, log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    wish = dataclasses.replace(
        book(slot(18, 14)),
        otherwise=dataclasses.replace(offer(question="replaced"), key="waiting:1", client_key="ann"),
        client_key="ann",
        client_domain="acme.example",
    )
    calendar = MemoryCalendar()
    assert lane(calendar).perform(dataclasses.replace(book(slot(18, 14))), nothing).call is not None
    calendar.objects = {"somebody else's": calendar.objects.popitem()[1].replace(APPOINTMENT.uid.encode(), b"other")}
    row = recorded(log, case, Planned(wish, "owed", NOW))
    with Working(path, calendar) as working:
        working.until(
            lambda: states(reader, row) == {"call": "done", "offer": "done", "ask": "person", "release": "owed"}
        )
    kept = only_call(reader).call
    assert (kept.state, len(kept.offered)) == ("waiting", 3)
    (question,) = (each.payload["question"] for each in reader.effects(row) if each.kind == "ask")
    assert question.startswith("Lena Brandt has no free 30 minutes between Wednesday, 18 November 2026, 14:00")
    assert "Lena Brandt is free Tuesday, 17 November 2026, 11:00" in question
    # A second mail with the same wish is one call too many while a person chooses.
    again = dataclasses.replace(wish, key="call:2")
    assert states(reader, recorded(log, case, Planned(again, "owed", NOW), number=2)) == {"call": "dropped"}


# --- what becomes of calls under limits, approvals and faults --------------------------------------------------------


def test_a_call_is_found_by_the_mail_that_told_of_its_move_though_another_mail_asked_for_that(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    calendar = MemoryCalendar()
    booked_in(calendar)
    stand(log, recorded(log, case), BOOKED)
    effect = move(slot(19, 10), was=BOOKED.slot)
    outcome = lane(calendar).perform(effect, nothing)
    finished(log, recorded(log, case, Planned(effect, "owed", NOW), number=2), effect, outcome)
    with log.transaction():
        claimed = log.claim("mail", now=NOW)
        assert claimed is not None
        log.finish(claimed, Outcome("sent"), now=NOW)
    found = calls.call_of(reader, uid="", message_ids=(claimed.effect.mail.message_id,))  # type: ignore[union-attr]
    assert found is not None
    assert (found.appointment, found.slot) == (APPOINTMENT, slot(19, 10))


@pytest.mark.parametrize(
    ("effect", "kept", "until"),
    [(offer(), HOLDS, offer().until), (move(slot(19, 10), was=slot(18, 14)), (f"move.{APPOINTMENT.uid}",), NOW)],
)
def test_no_time_is_kept_free_for_what_a_person_got(
    log: Log, reader: Reader, case: tuple[Message, Decision], effect: Any, kept: tuple[str, ...], until: datetime
) -> None:
    row = recorded(log, case, Planned(effect, "owed", NOW))
    with log.transaction():
        claimed = log.claim("calendar:lena", now=NOW)
        assert claimed is not None
        log.hand_to_person(claimed, why="the calendar cannot be written", now=NOW)
        following = log.claim("calendar:lena", now=until)
    assert following is not None
    assert isinstance(following.effect, ReleaseTimes)
    assert following.effect.holds == kept
    calendar = MemoryCalendar()
    for uid in kept:
        busy_at(calendar, slot(19, 10), uid=uid)
    with log.transaction():
        log.finish(following, lane(calendar).perform(following.effect, nothing), now=NOW)
    assert calendar.objects == {}
    assert "ask" not in states(reader, row)


def test_the_client_hears_of_the_times_that_are_kept_free_though_they_were_acknowledged_before(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    earlier = dataclasses.replace(PLAIN, key="ack:0", client_key="ann", client_domain="acme.example")
    recorded(log, case, Planned(earlier, "owed", NOW))
    wish = offer()
    assert wish.offer is not None
    plain = dataclasses.replace(PLAIN, client_key="ann", client_domain="acme.example")
    wish = dataclasses.replace(
        wish, offer=dataclasses.replace(wish.offer, plain=plain), client_key="ann", client_domain="acme.example"
    )
    row = recorded(log, case, Planned(wish, "owed", NOW), number=2)
    finished(log, row, wish, lane(MemoryCalendar()).perform(wish, nothing))
    assert states(reader, row) == {"offer": "done", "ack": "owed", "release": "owed"}


def test_nobody_is_said_to_be_silent_whose_choice_waits_for_approval(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    row = recorded(log, case)
    stand(log, row, CallChange(APPOINTMENT, "offered", None, "Europe/Berlin", offered=(slot(18, 9),)))
    recorded(log, case, Planned(book(slot(18, 9), holds=HOLDS), "held", NOW), number=2)
    letting_go = ReleaseTimes("release:1", APPOINTMENT.uid, "lena", HOLDS)
    with log.transaction():
        log.plan(row, (Planned(letting_go, "owed", NOW),), NOW)
    finished(log, row, letting_go, Outcome("let go"))
    assert "ask" not in states(reader, row)


def test_an_offer_that_was_only_observed_is_made_once_it_is_released(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    with log.transaction():
        observe(log, "desk", who="lena", now=NOW)
    row = recorded(log, case, Planned(offer(), "owed", NOW))
    assert states(reader, row) == {"offer": "observed", "ack": "observed"}
    with log.transaction():
        enable(log, "desk", cut_off=NOW - timedelta(days=900), who="lena", now=NOW)
        release(log, [each.id for each in reader.effects(row)], who="lena", now=NOW)
    finished(log, row, offer(), lane(MemoryCalendar()).perform(offer(), nothing))
    (ack,) = (each for each in reader.effects(row) if each.kind == "ack")
    assert ack.state == "owed"
    assert ack.payload["mail"]["octets"] != EFFECT.dump_python(PLAIN, mode="json")["mail"]["octets"]


def test_times_are_let_go_though_the_mailbox_is_only_observed_by_then(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    row = recorded(log, case, Planned(offer(), "owed", NOW))
    finished(log, row, offer(), lane(MemoryCalendar()).perform(offer(), nothing))
    later = recorded(
        log, case, Planned(dataclasses.replace(offer(), key="offer:2", client_key="bob"), "owed", NOW), number=2
    )
    with log.transaction():
        claimed = log.claim("calendar:lena", now=NOW)
        assert claimed is not None
        observe(log, "desk", who="lena", now=NOW)
        log.finish(claimed, lane(MemoryCalendar()).perform(claimed.effect, nothing), now=NOW)
    assert states(reader, row)["release"] == "owed"
    assert states(reader, later)["release"] == "owed"


def test_what_is_owed_in_a_calendar_that_was_taken_out_of_the_configuration_goes_to_a_person(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    row = recorded(log, case, Planned(offer(), "owed", NOW))
    for lanes, expected in (({"mail", "calendar:lena"}, "owed"), ({"mail", "calendar:marek"}, "person")):
        with log.transaction():
            log.abandon(lanes, now=NOW)
        assert states(reader, row)["offer"] == expected
    assert states(reader, row)["ack"] == "owed"


def test_a_calendar_that_cannot_be_read_hides_no_change_in_anothers(
    log: Log, reader: Reader, writer: Writer, case: tuple[Message, Decision]
) -> None:
    stand(log, recorded(log, case), BOOKED)
    theirs = dataclasses.replace(APPOINTMENT, uid="def@nordlicht.example", person="marek", reference="T-OTHER")
    later = recorded(log, case, number=2)
    stand(log, later, dataclasses.replace(BOOKED, appointment=theirs, slot=slot(19, 14)))
    calendars = {"lena": MemoryCalendar(fails=Transient("500")), "marek": MemoryCalendar()}
    with pytest.raises(Transient, match="500"):
        Standing(calendars, writer=writer, clock=lambda: NOW).work(reader)
    (question,) = (each.payload["question"] for each in reader.effects(later) if each.kind == "ask")
    assert "T-OTHER is no longer in the calendar of marek" in question
