"""A calendar's lane on a calendar in memory: what is booked, offered, moved and cancelled, twice and after a kill."""

from __future__ import annotations

import dataclasses
import email
import email.policy
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from icalendar import Calendar, Event

from tests.doubles.calendar import MemoryCalendar
from tests.doubles.crossing import nothing
from triaged.calls.invitations import event, stored_event
from triaged.clocks.hours import parse_hours
from triaged.decision import (
    WHEN,
    Appointment,
    AskPerson,
    BookCall,
    CancelCall,
    Draft,
    MoveCall,
    Offer,
    OfferCall,
    Outcome,
    Outgoing,
    ReleaseTimes,
    SendAck,
    SendInvitation,
    holds_of,
)
from triaged.errors import LoginRefused, Permanent, Transient
from triaged.log.effects import lane_of
from triaged.model import Address, Interval
from triaged.worker.booking import CalendarLane, Diary

NOW = datetime(2026, 11, 17, 8, 0, tzinfo=UTC)
"""A Tuesday, nine o'clock in Berlin."""
LENA = Address("lena@nordlicht.example", "Lena Brandt")
ANN = Address("ann@acme.example", "Ann Archer")
APPOINTMENT = Appointment(
    uid="abc@nordlicht.example",
    person="lena",
    attendee=ANN,
    desk=Address("desk@nordlicht.example", "Client Desk"),
    minutes=30,
    summary="Client Desk and Acme: Next phase",
    location="Phone: we call you",
    subject="Next phase",
    reference="T-7K3M9QX",
    zone="America/New_York",
    language="en",
)
DRAFT = Draft(
    message_id="<invitation@nordlicht.example>",
    sender=APPOINTMENT.desk,
    envelope_sender="desk@nordlicht.example",
    recipient=ANN,
    subject=f"Call: {WHEN}",
    text=f"When: {WHEN}\n",
    html=f"<p>{WHEN}</p>",
    in_reply_to="<wish@acme.example>",
    references=(),
    automatic="auto-generated",
)
PLAIN = SendAck("ack:1", "request", Outgoing("", "ann@acme.example", "<ack@nordlicht.example>", b"x\r\n"))
WEEK = Interval(NOW + timedelta(hours=2), NOW + timedelta(days=7))
HOLDS = holds_of(APPOINTMENT, 3)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of November 2026 in Berlin, as UTC."""
    return datetime(2026, 11, day, hour - 1, minute, tzinfo=UTC)


def slot(day: int, hour: int, minute: int = 0) -> Interval:
    return Interval(at(day, hour, minute), at(day, hour, minute) + timedelta(minutes=30))


def lane(
    calendar: MemoryCalendar,
    *,
    also: Sequence[MemoryCalendar] = (),
    per_day: int = 0,
    booked: Sequence[datetime] = (),
    refuses: str = "",
) -> CalendarLane:
    diary = Diary(
        organizer=LENA,
        hours=parse_hours({"mon-fri": "09:00-12:30 13:30-17:30"}, timezone="Europe/Berlin"),
        step_min=30,
        buffer_min=0,
        per_day=per_day,
        also=also,
        booked=lambda: booked,
    )
    return CalendarLane(calendar, diary, refuses=lambda _: refuses, clock=lambda: NOW)


def book(*windows: Interval, holds: tuple[str, ...] = ()) -> BookCall:
    return BookCall("call:1", APPOINTMENT, windows or (WEEK,), DRAFT, holds)


def offer(count: int = 3, *, question: str = "") -> OfferCall:
    draft = dataclasses.replace(DRAFT, message_id=PLAIN.mail.message_id, automatic="auto-replied")
    mail = Offer(draft, PLAIN, ("owed", NOW)) if question == "" else None
    return OfferCall("offer:1", APPOINTMENT, (WEEK,), count, NOW + timedelta(days=2), mail, question)


def move(*windows: Interval, was: Interval | None, sequence: int = 0) -> MoveCall:
    return MoveCall("move:1", APPOINTMENT, windows, was, sequence, DRAFT)


def busy_at(calendar: MemoryCalendar, taken: Interval, uid: str = "other") -> None:
    ics = event(
        uid=uid, slot=taken, organizer=LENA, attendee=None, summary="Something else", description="", location="",
        timezone="Europe/Berlin", now=NOW, method=None,
    )  # fmt: skip
    assert calendar.add(uid, ics)


def told(outcome: Outcome) -> tuple[EmailMessage, Event, str]:
    """The mail that follows, its event and its method."""
    effect = outcome.follow_ups[0].effect
    assert isinstance(effect, SendInvitation)
    mail = email.message_from_bytes(effect.mail.octets, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    (part,) = (each for each in mail.walk() if each.get_content_type() == "text/calendar")
    calendar = Calendar.from_ical(part.get_content())
    (found,) = calendar.walk("VEVENT")
    assert part["Content-Type"].params["method"] == str(calendar["METHOD"])
    return mail, found, str(calendar["METHOD"])


# --- booked ------------------------------------------------------------------------------------------------------


def test_the_first_free_slot_of_the_windows_is_booked_and_told_in_the_clients_zone() -> None:
    calendar = MemoryCalendar()
    busy_at(calendar, slot(18, 14))
    outcome = lane(calendar).perform(book(Interval(at(18, 14), at(18, 16))), nothing)
    assert outcome.call is not None
    assert (outcome.call.state, outcome.call.slot, outcome.call.zone) == ("booked", slot(18, 14, 30), "Europe/Berlin")
    assert stored_event(calendar.objects[APPOINTMENT.uid]).slot == slot(18, 14, 30)
    mail, invited, method = told(outcome)
    assert (method, int(invited["SEQUENCE"])) == ("REQUEST", 0)
    assert str(mail["Subject"]) == "Call: Wednesday, 18 November 2026, 08:30 (America/New_York)"
    assert (invited.start, invited.end) == (at(18, 14, 30), at(18, 15))


def test_done_twice_one_event_and_one_mail() -> None:
    calendar = MemoryCalendar()
    first, again = (lane(calendar).perform(book(), nothing) for _ in range(2))
    assert len(calendar.objects) == 1
    assert first.call == again.call
    assert [each.effect.key for each in first.follow_ups] == [each.effect.key for each in again.follow_ups]


def test_where_a_wish_cannot_be_met_other_times_are_looked_for() -> None:
    calendar = MemoryCalendar()
    busy_at(calendar, slot(18, 14))
    wish = dataclasses.replace(book(slot(18, 14)), otherwise=offer(question="replaced"))
    outcome = lane(calendar).perform(wish, nothing)
    assert outcome.call is None
    (other,) = outcome.follow_ups
    assert isinstance(other.effect, OfferCall)
    assert "no free 30 minutes between Wednesday, 18 November 2026, 14:00" in other.effect.question
    assert list(calendar.objects) == ["other"]


def test_a_moment_that_is_taken_goes_to_a_person() -> None:
    calendar = MemoryCalendar()
    busy_at(calendar, slot(18, 14))
    with pytest.raises(Permanent, match=r"no free 30 minutes between Wednesday, 18 Nov.*, 14:00 and .*14:30"):
        lane(calendar).perform(book(slot(18, 14)), nothing)
    assert list(calendar.objects) == ["other"]


def test_a_window_that_is_over_is_not_taken() -> None:
    with pytest.raises(Permanent, match="over"):
        lane(MemoryCalendar()).perform(book(Interval(NOW - timedelta(hours=2), NOW)), nothing)


def test_every_calendar_of_theirs_counts() -> None:
    private = MemoryCalendar()
    busy_at(private, slot(18, 14))
    outcome = lane(MemoryCalendar(), also=[private]).perform(book(Interval(at(18, 14), at(18, 15))), nothing)
    assert outcome.call is not None
    assert outcome.call.slot == slot(18, 14, 30)


@pytest.mark.parametrize("which", ["their own", "a further one"])
@pytest.mark.parametrize("error", [Transient("500"), Permanent("403")])
def test_a_calendar_that_cannot_be_read_gives_no_slot(which: str, error: Transient | Permanent) -> None:
    own, further = MemoryCalendar(), MemoryCalendar()
    working = lane(own, also=[further])
    (own if which == "their own" else further).fails = error
    with pytest.raises(Transient, match=str(error)):
        working.perform(book(), nothing)
    with pytest.raises(Transient, match=str(error)):
        working.connect()
    own.fails = further.fails = None
    working.connect()
    assert own.objects == {}


def test_a_day_that_is_full_is_left_out() -> None:
    full = [at(18, 9), at(18, 10)]
    outcome = lane(MemoryCalendar(), per_day=2, booked=full).perform(book(Interval(at(18, 9), at(19, 12))), nothing)
    assert outcome.call is not None
    assert outcome.call.slot == slot(19, 9)
    outcome = lane(MemoryCalendar(), per_day=3, booked=full).perform(book(Interval(at(18, 9), at(19, 12))), nothing)
    assert outcome.call is not None
    assert outcome.call.slot == slot(18, 9)


def test_a_call_moves_within_a_day_that_is_full_of_it() -> None:
    calendar = MemoryCalendar()
    before = lane(calendar).perform(book(slot(18, 9)), nothing).call
    assert before is not None
    full = [at(18, 9), at(18, 10)]
    moved = lane(calendar, per_day=2, booked=full).perform(move(slot(18, 11), was=before.slot), nothing).call
    assert moved is not None
    assert moved.slot == slot(18, 11)


def test_a_refused_login_is_not_tried_again_at_once() -> None:
    calendar = MemoryCalendar(fails=LoginRefused("401"))
    with pytest.raises(LoginRefused):
        lane(calendar).perform(book(), nothing)


class Racing(MemoryCalendar):
    """Somebody else writes at the same moment: right after we looked, before we wrote."""

    def add(self, uid: str, ics: bytes) -> bool:
        taken = stored_event(ics).slot
        if "other" not in self.objects:
            busy_at_once = event(
                uid="other", slot=taken, organizer=LENA, attendee=None, summary="", description="", location="",
                timezone="Europe/Berlin", now=NOW, method=None,
            )  # fmt: skip
            super().add("other", busy_at_once)
        return super().add(uid, ics)


def test_who_meets_another_in_their_time_gives_way_and_takes_the_next() -> None:
    calendar = Racing()
    working = lane(calendar)
    with pytest.raises(Transient, match="at the same moment") as raised:
        working.perform(book(Interval(at(18, 9), at(18, 11))), nothing)
    assert raised.value.retry_after_s is not None
    assert raised.value.retry_after_s <= 2
    assert list(calendar.objects) == ["other"]
    outcome = working.perform(book(Interval(at(18, 9), at(18, 11))), nothing)
    assert outcome.call is not None
    assert outcome.call.slot == slot(18, 9, 30)


# --- offered -----------------------------------------------------------------------------------------------------


def test_times_are_offered_in_the_acknowledgement_and_kept_free() -> None:
    calendar = MemoryCalendar()
    outcome = lane(calendar).perform(offer(), nothing)
    assert outcome.call is not None
    offered = outcome.call.offered
    assert (outcome.call.state, outcome.call.slot, len(offered)) == ("offered", None, 3)
    assert sorted(calendar.objects) == sorted(HOLDS)
    assert {stored_event(ics).slot for ics in calendar.objects.values()} == set(offered)
    assert all(b"STATUS:TENTATIVE" in ics and b"ATTENDEE" not in ics for ics in calendar.objects.values())
    ack, release = outcome.follow_ups
    assert isinstance(ack.effect, SendAck)
    assert (ack.effect.key, ack.state) == (PLAIN.key, "owed")
    text = email.message_from_bytes(ack.effect.mail.octets, policy=email.policy.default).get_body(("plain",))
    assert text is not None
    lines = [line for line in text.get_content().splitlines() if line[:1].isdigit() or "When" in line]
    assert lines[0].startswith("When: 1. Tuesday, 17 November 2026, ")
    assert [line[:3] for line in lines[1:]] == ["2. ", "3. "]
    assert isinstance(release.effect, ReleaseTimes)
    assert release.not_before == NOW + timedelta(days=2)


def test_times_are_told_to_a_person_where_the_clients_are_not_understood() -> None:
    calendar = MemoryCalendar()
    outcome = lane(calendar).perform(offer(question="The mail names a time."), nothing)
    assert outcome.call is not None
    assert (outcome.call.state, len(outcome.call.offered)) == ("waiting", 3)
    ask, release = outcome.follow_ups
    assert isinstance(ask.effect, AskPerson)
    assert ask.state == "person"
    assert ask.effect.question.startswith("The mail names a time. Lena Brandt is free Tuesday, 17 November 2026, 11:00")
    assert "triaged calls move T-7K3M9QX" in ask.effect.question
    assert isinstance(release.effect, ReleaseTimes)
    assert len(calendar.objects) == 3


def test_an_offer_done_twice_keeps_three_times() -> None:
    calendar = MemoryCalendar()
    first, again = (lane(calendar).perform(offer(), nothing) for _ in range(2))
    assert first.call == again.call
    assert len(calendar.objects) == 3


def test_a_time_that_was_chosen_is_booked_and_the_others_are_free_again() -> None:
    calendar = MemoryCalendar()
    offered = lane(calendar).perform(offer(), nothing).call
    assert offered is not None
    chosen = offered.offered[1]
    outcome = lane(calendar).perform(book(chosen, holds=HOLDS), nothing)
    assert outcome.call is not None
    assert (outcome.call.state, outcome.call.slot) == ("booked", chosen)
    assert list(calendar.objects) == [APPOINTMENT.uid]


def test_a_time_that_somebody_else_took_meanwhile_is_not_booked() -> None:
    calendar = MemoryCalendar()
    offered = lane(calendar).perform(offer(), nothing).call
    assert offered is not None
    busy_at(calendar, offered.offered[1])
    with pytest.raises(Permanent, match="no free 30 minutes"):
        lane(calendar).perform(book(offered.offered[1], holds=HOLDS), nothing)


def test_a_second_choice_does_not_book_twice() -> None:
    calendar = MemoryCalendar()
    offered = lane(calendar).perform(offer(), nothing).call
    assert offered is not None
    lane(calendar).perform(book(offered.offered[1], holds=HOLDS), nothing)
    with pytest.raises(Permanent, match="booked already"):
        lane(calendar).perform(book(offered.offered[2], holds=HOLDS), nothing)


def test_times_nobody_chose_are_let_go() -> None:
    calendar = MemoryCalendar()
    lane(calendar).perform(offer(), nothing)
    for _ in range(2):
        lane(calendar).perform(ReleaseTimes("release:1", APPOINTMENT.uid, "lena", HOLDS), nothing)
    assert calendar.objects == {}


# --- moved and cancelled --------------------------------------------------------------------------------------------


def test_a_call_is_moved_with_a_higher_sequence_and_done_twice_only_once() -> None:
    calendar = MemoryCalendar()
    before = lane(calendar).perform(book(slot(18, 9)), nothing).call
    assert before is not None
    outcomes = [lane(calendar).perform(move(slot(19, 10), was=before.slot), nothing) for _ in range(2)]
    for outcome in outcomes:
        assert outcome.call is not None
        assert (outcome.call.state, outcome.call.slot, outcome.call.sequence) == ("booked", slot(19, 10), 1)
        _, invited, method = told(outcome)
        assert (method, invited.start, int(invited["SEQUENCE"])) == ("REQUEST", at(19, 10), 1)
    assert {name: stored_event(ics).slot for name, ics in calendar.objects.items()} == {APPOINTMENT.uid: slot(19, 10)}


def test_a_call_may_move_into_its_own_time_but_not_into_anothers() -> None:
    calendar = MemoryCalendar()
    before = lane(calendar).perform(book(slot(18, 9)), nothing).call
    assert before is not None
    quarter = Interval(at(18, 9, 15), at(18, 9, 45))
    moved = lane(calendar).perform(move(quarter, was=before.slot), nothing).call
    assert moved is not None
    assert moved.slot == quarter
    busy_at(calendar, slot(18, 11))
    with pytest.raises(Permanent, match="no free 30 minutes"):
        lane(calendar).perform(move(slot(18, 11), was=quarter, sequence=1), nothing)
    assert stored_event(calendar.objects[APPOINTMENT.uid]).slot == quarter


def test_a_call_that_was_dragged_by_hand_is_told_with_a_higher_sequence() -> None:
    calendar = MemoryCalendar()
    before = lane(calendar).perform(book(slot(18, 9)), nothing).call
    assert before is not None
    calendar.objects.clear()
    busy_at(calendar, slot(20, 9), uid=APPOINTMENT.uid)
    outcome = lane(calendar).perform(move(slot(20, 9), was=before.slot, sequence=4), nothing)
    _, invited, _ = told(outcome)
    assert (invited.start, int(invited["SEQUENCE"])) == (at(20, 9), 5)


def test_a_call_that_is_gone_is_not_moved() -> None:
    with pytest.raises(Permanent, match="no longer in the calendar"):
        lane(MemoryCalendar()).perform(move(slot(18, 9), was=slot(17, 9)), nothing)


def test_a_cancelled_call_leaves_the_calendar_and_the_client_is_told_though_a_kill_came_between() -> None:
    calendar = MemoryCalendar()
    lane(calendar).perform(book(slot(18, 9)), nothing)
    effect = CancelCall("cancel:1", APPOINTMENT, slot(18, 9), 0, DRAFT, HOLDS)
    for _ in range(2):
        outcome = lane(calendar).perform(effect, nothing)
        assert outcome.call is not None
        assert (outcome.call.state, outcome.call.sequence) == ("cancelled", 1)
        _, gone, method = told(outcome)
        assert (method, str(gone["STATUS"]), int(gone["SEQUENCE"])) == ("CANCEL", "CANCELLED", 1)
        assert gone.start == at(18, 9)
    assert calendar.objects == {}


def test_a_cancellation_without_words_tells_nobody() -> None:
    calendar = MemoryCalendar()
    lane(calendar).perform(book(slot(18, 9)), nothing)
    outcome = lane(calendar).perform(CancelCall("cancel:1", APPOINTMENT, slot(18, 9), 0, None), nothing)
    assert outcome.follow_ups == ()
    assert calendar.objects == {}


def test_a_server_that_invites_tells_of_moves_and_cancellations_itself() -> None:
    calendar = MemoryCalendar(invites=True)
    working = lane(calendar)
    booked = working.perform(book(slot(18, 9)), nothing)
    (invitation,) = booked.follow_ups
    working.perform(invitation.effect, nothing)
    moved = working.perform(move(slot(19, 9), was=slot(18, 9)), nothing)
    assert moved.follow_ups == ()
    assert moved.call is not None
    assert moved.call.slot == slot(19, 9)
    gone = working.perform(CancelCall("cancel:1", APPOINTMENT, slot(19, 9), 1, DRAFT), nothing)
    assert gone.follow_ups == ()
    assert [(what, who) for what, who, _ in calendar.told] == [
        (each, ANN.addr_spec) for each in ("invite", "update", "cancel")
    ]


def test_whoever_must_not_be_written_to_is_not_invited_by_the_server_either() -> None:
    calendar = MemoryCalendar(invites=True)
    (invitation,) = lane(calendar).perform(book(slot(18, 9)), nothing).follow_ups
    with pytest.raises(Permanent, match="they asked for no mail"):
        lane(calendar, refuses="they asked for no mail").perform(invitation.effect, nothing)
    assert calendar.told == []


def test_our_own_mail_invites_to_a_calendar_that_does_not_and_its_server_where_it_does() -> None:
    for invites, expected in ((False, "mail"), (True, "calendar:lena")):
        calendar = MemoryCalendar(invites=invites)
        (invitation,) = lane(calendar).perform(book(slot(18, 9)), nothing).follow_ups
        assert lane_of(invitation.effect) == expected
        assert calendar.told == [], "the booking alone tells nobody"
        if invites:
            for _ in range(2):
                assert lane(calendar).recover(invitation.effect, False) is None
                said = lane(calendar).perform(invitation.effect, nothing)
                assert said == Outcome("invited by the calendar's server, in the name of lena@nordlicht.example")
            assert [(what, who) for what, who, _ in calendar.told] == [("invite", ANN.addr_spec)]


def test_what_is_done_late_still_leaves_whoever_calls_their_notice() -> None:
    """Approved a day later, say: nine o'clock on Tuesday lies within what was asked, and is too soon by then."""
    asked = Interval(NOW - timedelta(days=1), at(17, 12))
    for late in (dataclasses.replace(book(asked), notice="2 business hours"), dataclasses.replace(book(asked))):
        outcome = lane(MemoryCalendar()).perform(late, nothing)
        assert outcome.call is not None
        assert outcome.call.slot == (slot(17, 11) if late.notice != "" else slot(17, 9))
    late_offer = dataclasses.replace(offer(1), windows=(asked,), notice="2 business hours")
    offered = lane(MemoryCalendar()).perform(late_offer, nothing).call
    assert offered is not None
    assert offered.offered == (slot(17, 11),)


def test_a_minute_between_the_wish_and_the_booking_takes_no_time_away() -> None:
    wish = Interval(at(17, 11) - timedelta(minutes=1), at(17, 11) + timedelta(minutes=29))
    outcome = lane(MemoryCalendar()).perform(dataclasses.replace(book(wish), notice="2 business hours"), nothing)
    assert outcome.call is not None
    assert outcome.call.slot == wish


def test_a_call_that_was_told_does_not_give_way_when_the_client_chooses_it_once_more() -> None:
    calendar = MemoryCalendar(invites=True)
    working = lane(calendar, booked=[at(18, 9)])
    (invitation,) = working.perform(book(slot(18, 9), holds=HOLDS), nothing).follow_ups
    working.perform(invitation.effect, nothing)
    busy_at(calendar, slot(18, 9))  # a colleague's own doing
    working.perform(book(slot(18, 9), holds=HOLDS), nothing)
    assert APPOINTMENT.uid in calendar.objects
    assert [what for what, _, _ in calendar.told] == ["invite"]
