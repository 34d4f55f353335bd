"""A client's wish for a call, and what they answer in words or by their calendar, in; what is planned out."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.desk import ACME, NOW, decided, effects_of, lay_out_site, mail
from tests.doubles.calendar import MemoryCalendar
from tests.doubles.crossing import nothing
from tests.unit.test_booking import lane, told
from triaged.decision import (
    WHEN,
    Appointment,
    AskPerson,
    BookCall,
    CancelCall,
    Decision,
    MoveCall,
    Notify,
    OfferCall,
    SendAck,
    StandingCall,
)
from triaged.loading import build_playbook
from triaged.model import Address, Interval
from triaged.playbook import Playbook
from triaged.rules.grammar import SendPolicy
from triaged.scheduling import Letterhead, choose

RULES = """
[[rule]]
name = "Offer"
when.says = "talk about"
then.acknowledge = "request"
then.call = {{ with = "account manager", within = "2 business days", minutes = 30, way = "{way}" }}

[[rule]]
name = "Every other client"
when.account = "*"
then.acknowledge = "received"
"""
CLIENT = dataclasses.replace(ACME, timezone="Europe/Berlin")
APPOINTMENT = Appointment(
    uid="abc@nordlicht.example",
    person="lena",
    attendee=Address("ann@acme.example", "Ann Archer"),
    desk=Address("desk@nordlicht.example", "Client Desk"),
    minutes=30,
    summary="Client Desk and Acme: Next phase",
    location="",
    subject="Next phase",
    reference="T-7K3M9QX",
    zone="Europe/Berlin",
    language="en",
)


def slot(day: int, hour: int, minute: int = 0) -> Interval:
    """30 minutes from a moment of November 2026 in Berlin; the mails of `desk` are of Tuesday the 17th, 8:30."""
    start = datetime(2026, 11, day, hour - 1, minute, tzinfo=UTC)
    return Interval(start, start + timedelta(minutes=30))


OFFERED = StandingCall(APPOINTMENT, "offered", None, (slot(18, 9), slot(18, 14), slot(19, 10)))
BOOKED = StandingCall(APPOINTMENT, "booked", slot(18, 14))


def playbook_of(folder: Path, way: str) -> Playbook:
    config = lay_out_site(folder)
    for file in config.path(config.service.rules_dir).glob("*.toml"):
        file.unlink()
    (config.path(config.service.rules_dir) / "test.toml").write_text(RULES.format(way=way), encoding="utf-8")
    return build_playbook(config)


@pytest.fixture(scope="module")
def offering(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    return playbook_of(tmp_path_factory.mktemp("offer"), "offer")


@pytest.fixture(scope="module")
def booking(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    return playbook_of(tmp_path_factory.mktemp("book"), "book")


def only(decision: Decision, kind: type[Any]) -> tuple[Any, str]:
    ((effect, state),) = effects_of(decision, kind)
    return effect, state


def answered(playbook: Playbook, text: str, call: StandingCall, **more: Any) -> Decision:
    fields = more.pop("fields", "In-Reply-To: <ack@nordlicht.example>\r\n")
    octets = mail(text, subject="Re: Next phase", fields=fields, number=2, **more)
    return decided(playbook, octets, accounts=(CLIENT,), call=call)[1]


def itip(
    method: str,
    *,
    partstat: str = "ACCEPTED",
    who: str = "ann@acme.example",
    at: Interval | None = None,
    sequence: int = 0,
    by_machine: bool = False,
) -> bytes:
    """A mail of a calendar. at: its times; none in a REPLY, as some send it. by_machine: it says that none wrote it."""
    times = f"DTSTART:{at.start:%Y%m%dT%H%M%SZ}\r\nDTEND:{at.end:%Y%m%dT%H%M%SZ}\r\n" if at is not None else ""
    ics = (
        f"BEGIN:VCALENDAR\r\nPRODID:-//Example//EN\r\nVERSION:2.0\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\n"
        f"UID:{APPOINTMENT.uid}\r\nSEQUENCE:{sequence}\r\nDTSTAMP:20261117T073000Z\r\n{times}"
        f"ATTENDEE;PARTSTAT={partstat}:mailto:{who}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    fields = "Auto-Submitted: auto-replied\r\n" if by_machine else ""
    head = mail("@", subject="Re: call", number=3, fields=fields).partition(b"MIME-Version")[0]
    kind = f'Content-Type: text/calendar; charset="utf-8"; method={method}'
    return head + f"MIME-Version: 1.0\r\n{kind}\r\n\r\n{ics}".encode()


def by_calendar(playbook: Playbook, octets: bytes, call: StandingCall = BOOKED) -> Decision:
    return decided(playbook, octets, accounts=(CLIENT,), call=call)[1]


# --- wished ----------------------------------------------------------------------------------------------------------


def test_times_are_offered_in_the_acknowledgement_where_the_rule_says_so(offering: Playbook) -> None:
    _, decision = decided(offering, mail("Could we talk about the next phase?"), accounts=(CLIENT,))
    offer, state = only(decision, OfferCall)
    assert state == "owed"
    answer = offer.offer
    assert WHEN in answer.draft.text
    assert WHEN in answer.draft.html
    assert WHEN not in answer.plain.mail.octets.decode()
    assert (answer.plain.mail.message_id, answer.leaves) == (answer.draft.message_id, ("owed", NOW))
    assert effects_of(decision, SendAck) == []
    assert offer.count == 3
    assert decision.acknowledge.template == "request"


def test_a_call_is_booked_where_the_rule_says_so(booking: Playbook) -> None:
    _, decision = decided(booking, mail("Could we talk about the next phase?"), accounts=(CLIENT,))
    call, state = only(decision, BookCall)
    assert state == "owed"
    assert only(decision, SendAck)[1] == "owed"
    # Within the client's working day, and no sooner than the notice of two business hours.
    assert call.windows[0].start == datetime(2026, 11, 17, 10, 0, tzinfo=UTC)
    assert all(window.end <= datetime(2026, 11, 20, tzinfo=UTC) for window in call.windows)
    assert call.notice == call.otherwise.notice == "120 business minutes"


def test_a_time_that_the_client_names_is_the_one_that_is_booked(offering: Playbook, booking: Playbook) -> None:
    for playbook in (offering, booking):
        text = "Could we talk about it on Thursday at 3 pm?"
        _, decision = decided(playbook, mail(text), accounts=(CLIENT,))
        assert only(decision, BookCall)[0].windows == (slot(19, 15),)
        assert effects_of(decision, OfferCall) == []


def test_names_of_people_say_nothing_of_a_time(booking: Playbook) -> None:
    text = "Could Lena Brandt talk about it with me on Thursday at 3 pm?"
    _, decision = decided(booking, mail(text), accounts=(CLIENT,))
    assert only(decision, BookCall)[0].windows == (slot(19, 15),)
    _, decision = decided(booking, mail(text.replace("Lena Brandt", "Otto Kraft")), accounts=(CLIENT,))
    assert effects_of(decision, BookCall) == [], "the other half: a name that nobody knows"


def test_a_day_that_the_client_names_is_their_working_day_and_an_hour_is_theirs_too(booking: Playbook) -> None:
    tokyo = dataclasses.replace(ACME, timezone="Asia/Tokyo")
    _, decision = decided(booking, mail("Could we talk about it on Thursday?"), accounts=(tokyo,))
    (window,) = only(decision, BookCall)[0].windows
    assert (window.start, window.end) == (datetime(2026, 11, 18, 23, tzinfo=UTC), datetime(2026, 11, 19, 9, tzinfo=UTC))
    _, decision = decided(booking, mail("Could we talk about it on Thursday at 5 pm?"), accounts=(tokyo,))
    assert only(decision, BookCall)[0].windows[0].start == datetime(2026, 11, 19, 8, tzinfo=UTC)
    _, decision = decided(booking, mail("Could we talk about it on Thursday evening?"), accounts=(tokyo,))
    assert only(decision, BookCall)[0].windows[0].start == datetime(2026, 11, 19, 9, tzinfo=UTC), "as they say"


def test_times_are_kept_free_for_a_person_where_the_clients_is_not_understood(
    offering: Playbook, booking: Playbook
) -> None:
    text = "Could we talk about the next phase, maybe on Thursday or so at 3?"
    for playbook in (offering, booking):
        _, decision = decided(playbook, mail(text), accounts=(CLIENT,))
        offer, state = only(decision, OfferCall)
        assert (offer.offer, state) == (None, "owed")
        assert "not understood surely: “Could we talk about the next phase, maybe" in offer.question
        assert only(decision, SendAck)[1] == "owed", "the client is answered all the same"
        assert effects_of(decision, BookCall) == []


def test_what_the_client_adds_is_booked_while_a_person_has_the_call_in_hand(offering: Playbook) -> None:
    waiting = dataclasses.replace(OFFERED, state="waiting")
    decision = answered(offering, "Thursday at 3 pm would be best for the call.", waiting)
    assert only(decision, BookCall)[0].windows == (slot(19, 15),)
    decision = answered(offering, "The second one?", waiting)
    assert decision.answer is None, "nothing was offered to them"


def test_nobody_is_offered_a_time_who_is_not_authenticated(offering: Playbook) -> None:
    octets = mail("Could we talk about the next phase?", authenticated=False)
    _, decision = decided(offering, octets, accounts=(CLIENT,))
    assert effects_of(decision, OfferCall) == []
    ack, _ = only(decision, SendAck)
    assert ack.template.startswith("received")
    assert "not authenticated" in only(decision, AskPerson)[0].question


# --- answered in words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The second one works for me.", slot(18, 14)),
        ("2", slot(18, 14)),
        ("Thursday would be fine.", slot(19, 10)),
        ("Mittwoch um 9 passt.", slot(18, 9)),
        ("Le troisième créneau me convient.", slot(19, 10)),
        ("Neither. Could we do Friday at 11 am?", slot(20, 11)),
    ],
)
def test_a_time_is_chosen_in_words(offering: Playbook, text: str, wanted: Interval) -> None:
    decision = answered(offering, text, OFFERED)
    call, state = only(decision, BookCall)
    assert (call.windows, state) == ((wanted,), "owed")
    assert call.appointment == APPOINTMENT
    assert call.holds == ("1.abc@nordlicht.example", "2.abc@nordlicht.example", "3.abc@nordlicht.example")
    assert decision.answer is not None
    assert decision.answer.says == "chooses"
    assert not decision.acknowledge.would_send
    assert decision.due is None
    assert only(decision, Notify)[0].person == "lena"


@pytest.mark.parametrize(
    "text", ["Perhaps the second, I have to ask my boss.", "None of these suits me.", "Yes, that works."]
)
def test_what_is_not_clear_is_for_a_person_who_sees_what_was_offered(offering: Playbook, text: str) -> None:
    decision = answered(offering, text, OFFERED)
    assert effects_of(decision, BookCall) == []
    question = only(decision, AskPerson)[0].question
    assert "kept free are 1. Wednesday, 18 November 2026, 09:00; 2. Wednesday, 18 November 2026, 14:00" in question
    assert "triaged calls move T-7K3M9QX" in question


def test_a_mail_about_something_else_is_a_mail_like_any_other(offering: Playbook) -> None:
    for call in (OFFERED, BOOKED):
        decision = answered(offering, "One more thing: the delivery note of order 4711 is missing.", call)
        assert decision.answer is None
        assert decision.acknowledge.would_send


def test_a_call_is_moved_and_cancelled_in_words(offering: Playbook) -> None:
    decision = answered(offering, "Can we move the call to Thursday at 11 am?", BOOKED)
    effect, state = only(decision, MoveCall)
    assert (effect.windows, effect.slot, effect.sequence, state) == ((slot(19, 11),), slot(18, 14), 0, "owed")
    assert effects_of(decision, BookCall) == []
    decision = answered(offering, "Please cancel our call.", BOOKED)
    assert (only(decision, CancelCall)[0].slot, only(decision, CancelCall)[1]) == (slot(18, 14), "owed")
    decision = answered(offering, "See you on Wednesday at 2 pm!", BOOKED)
    assert decision.answer is not None
    assert decision.answer.says == "accepts"
    assert effects_of(decision, MoveCall) == []


def test_what_is_too_soon_or_over_is_for_a_person(offering: Playbook) -> None:
    decision = answered(offering, "Can we move the call to today at 10 am?", BOOKED)
    assert effects_of(decision, MoveCall) == []
    assert "too soon" in only(decision, AskPerson)[0].question


def test_a_time_that_was_offered_needs_no_further_notice_but_must_lie_ahead(offering: Playbook) -> None:
    soon = dataclasses.replace(OFFERED, offered=(slot(17, 8, 30), slot(17, 9, 30), slot(18, 14)))
    decision = answered(offering, "The second one works for me.", soon)
    assert only(decision, BookCall)[0].windows == (slot(17, 9, 30),)
    assert effects_of(answered(offering, "The first one works for me.", soon), BookCall) == []


def test_what_is_said_of_a_call_that_is_over_is_no_answer(offering: Playbook) -> None:
    over = dataclasses.replace(BOOKED, slot=slot(16, 14))
    for decision in (
        answered(offering, "Thanks for the call. Can we move the next one to Thursday at 11 am?", over),
        by_calendar(offering, itip("REPLY"), over),
        answered(offering, "2", dataclasses.replace(OFFERED, offered=(slot(16, 9), slot(16, 14)))),
    ):
        assert decision.answer is None


def test_the_fourth_move_is_for_a_person(offering: Playbook) -> None:
    decision = answered(offering, "Can we move the call to Thursday at 11 am?", dataclasses.replace(BOOKED, moves=3))
    assert effects_of(decision, MoveCall) == []
    assert "moved 3 times" in only(decision, AskPerson)[0].question


def test_whoever_was_not_invited_or_is_not_authenticated_changes_nothing_by_machine(offering: Playbook) -> None:
    text = "Can we move the call to Thursday at 11 am?"
    decision = answered(offering, text, BOOKED, sender="Bob <bob@acme.example>")
    assert effects_of(decision, MoveCall) == []
    assert "bob@acme.example, who was not invited" in only(decision, AskPerson)[0].question
    decision = answered(offering, text, BOOKED, authenticated=False)
    assert only(decision, MoveCall)[1] == "held"


def test_an_answering_machine_answers_no_offer(offering: Playbook) -> None:
    fields = "In-Reply-To: <ack@nordlicht.example>\r\nAuto-Submitted: auto-replied\r\n"
    decision = answered(offering, "I am away. I am back on Thursday at 10.", OFFERED, fields=fields)
    assert decision.answer is None
    assert decision.effects == () or all(not isinstance(each.effect, BookCall) for each in decision.effects)


def test_what_answers_a_call_wants_no_second_one(offering: Playbook) -> None:
    decision = answered(offering, "Could we talk about it on Friday at 11 am instead?", OFFERED)
    assert only(decision, BookCall)[0].holds != ()
    assert effects_of(decision, OfferCall) == []
    assert decision.call is None


# --- answered by a calendar ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("partstat", "says"), [("ACCEPTED", "accepts"), ("TENTATIVE", "tentative"), ("DECLINED", "declines")]
)
def test_a_calendars_reply_is_noted_and_not_answered(offering: Playbook, partstat: str, says: str) -> None:
    decision = by_calendar(offering, itip("REPLY", partstat=partstat))
    assert decision.answer is not None
    assert (decision.answer.says, decision.answer.uid) == (says, APPOINTMENT.uid)
    assert decision.answer.answered_at == datetime(2026, 11, 17, 7, 30, tzinfo=UTC)
    assert effects_of(decision, SendAck) == []
    assert len(effects_of(decision, Notify)) == (says != "accepts")
    assert len(effects_of(decision, AskPerson)) == (says == "declines")


def test_a_new_time_that_a_calendar_proposes_moves_the_call(offering: Playbook) -> None:
    decision = by_calendar(offering, itip("COUNTER", partstat="TENTATIVE", at=slot(20, 11)))
    assert only(decision, MoveCall)[0].windows == (slot(20, 11),)
    assert effects_of(decision, SendAck) == []


def test_a_calendar_that_cancels_cancels_the_call(offering: Playbook) -> None:
    decision = by_calendar(offering, itip("CANCEL", at=slot(18, 14)))
    assert only(decision, CancelCall)[1] == "owed"


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (itip("REPLY", who="eve@elsewhere.example"), "eve@elsewhere.example answers the invitation"),
        (itip("COUNTER", partstat="TENTATIVE"), "cannot be told"),
        (
            itip("COUNTER", partstat="TENTATIVE", at=Interval(slot(20, 11).start, slot(20, 12).start)),
            "proposes Friday, 20 November 2026, 11:00 (Europe/Berlin) for 60 minutes",
        ),
        (itip("REQUEST", at=slot(18, 14)), "sends REQUEST"),
        (itip("REPLY", partstat="DELEGATED"), "DELEGATED"),
    ],
)
def test_what_no_calendar_should_send_is_for_a_person(offering: Playbook, octets: bytes, words: str) -> None:
    decision = by_calendar(offering, octets)
    assert decision.answer is not None
    assert decision.answer.says == "asks"
    assert words in only(decision, AskPerson)[0].question


def test_an_answer_to_an_earlier_time_is_for_a_person(offering: Playbook) -> None:
    for partstat in ("ACCEPTED", "DECLINED"):
        decision = by_calendar(offering, itip("REPLY", partstat=partstat), dataclasses.replace(BOOKED, sequence=1))
        assert decision.answer is not None
        assert decision.answer.says == "asks"
        assert "an earlier time" in only(decision, AskPerson)[0].question


@pytest.mark.parametrize("by_machine", [True, False])
@pytest.mark.parametrize(("mode", "expected"), [("approve", "held"), ("observe", "held"), ("auto", "owed")])
def test_what_a_calendar_asks_for_waits_where_a_person_approves_what_goes_to_clients(
    offering: Playbook, mode: Any, expected: str, by_machine: bool
) -> None:
    desk = dataclasses.replace(offering, send=SendPolicy(mode))
    octets = itip("COUNTER", partstat="TENTATIVE", at=slot(20, 11), by_machine=by_machine)
    assert only(by_calendar(desk, octets), MoveCall)[1] == expected
    octets = itip("CANCEL", at=slot(18, 14), by_machine=by_machine)
    assert only(by_calendar(desk, octets), CancelCall)[1] == expected


def test_a_calendar_of_whom_no_machine_writes_to_moves_nothing_by_machine(offering: Playbook) -> None:
    octets = itip("COUNTER", partstat="TENTATIVE", at=slot(20, 11), by_machine=True)
    decision = decided(offering, octets, accounts=(CLIENT,), call=BOOKED, listed="Their lawyer answers.")[1]
    assert only(decision, MoveCall)[1] == "held"


def test_a_client_who_is_invited_before_their_cancellation_is_done_is_told_of_both(offering: Playbook) -> None:
    calendar = MemoryCalendar()
    chosen = only(answered(offering, "The second one works for me.", OFFERED), BookCall)[0]
    cancelled = only(answered(offering, "Please cancel our call.", OFFERED), CancelCall)[0]
    assert lane(calendar).perform(cancelled, nothing).follow_ups == (), "nobody was invited"
    lane(calendar).perform(chosen, nothing)
    _, gone, method = told(lane(calendar).perform(cancelled, nothing))
    assert (method, gone.start) == ("CANCEL", slot(18, 14).start)


@pytest.mark.parametrize("text", ["The second one works for me.", "Please cancel our call."])
def test_what_a_client_wants_of_someone_who_left_is_for_a_person(offering: Playbook, text: str) -> None:
    others = {name: each for name, each in offering.people.items() if name != "lena"}
    decision = answered(dataclasses.replace(offering, people=others), text, OFFERED)
    assert effects_of(decision, BookCall) == effects_of(decision, CancelCall) == []
    questions = [each.question for each, _ in effects_of(decision, AskPerson)]  # type: ignore[union-attr]
    assert any("lena has no calendar any more" in question for question in questions)


def test_a_time_that_one_of_us_chooses_counts_for_the_client_as_one_that_they_chose(offering: Playbook) -> None:
    """Or an invitation that comes back would have every later choice of ours dropped, whoever it is for."""
    chosen = only(answered(offering, "The second one works for me.", OFFERED), BookCall)[0]
    letterhead = Letterhead(
        offering.templates, offering.team, "en", offering.secret, offering.border.message_id_domain, {"lena": "Lena"}
    )
    ours = choose(OFFERED, (slot(18, 14),), letterhead, cause="x", in_reply_to="<1@acme.example>")
    assert ours.client_key != ""
    assert (ours.client_key, ours.client_domain) == (chosen.client_key, "acme.example")
