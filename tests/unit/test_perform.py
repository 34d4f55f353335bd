"""A calendar's lane: who invites, our mail or the calendar's server; and a mailbox's lane, which marks mail."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.desk import ACME, NOW, decided, effects_of, lay_out_site, mail
from tests.doubles.calendar import MemoryCalendar
from tests.doubles.crossing import nothing
from tests.doubles.mailbox import MemoryMailbox
from triaged.backends.ical import holds_uid
from triaged.calls.invitations import slot_of
from triaged.clocks.hours import Hours
from triaged.decision import BookCall, MarkMessage, Outcome, SendInvitation
from triaged.errors import Permanent
from triaged.loading import build_playbook, hours_of
from triaged.log.store import lane_of
from triaged.model import Address, Locator
from triaged.settings import Config
from triaged.worker.perform import CalendarLane, FilingLane

CHURN = "We are very unhappy with your service and want to cancel our contract. Please call me."
REFUSED = "they asked for no mail"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    changes = {"show_categories = false": "show_categories = true"}
    return lay_out_site(tmp_path_factory.mktemp("site"), changes=changes)


@pytest.fixture(scope="module")
def booking(config: Config) -> BookCall:
    _, decision = decided(build_playbook(config), mail(CHURN), accounts=(ACME,))
    [(effect, state)] = effects_of(decision, BookCall)
    assert isinstance(effect, BookCall)
    assert state == "owed"
    return effect


def lane(config: Config, calendar: MemoryCalendar, *, refuses: str = "") -> CalendarLane:
    hours: Hours = hours_of(config, config.hours, where="hours")
    return CalendarLane(
        calendar,
        organizer=Address("lena@nordlicht.example", "Lena Brandt"),
        hours=hours,
        step_min=30,
        buffer_min=0,
        location="",
        refuses=lambda _: refuses,
        clock=lambda: NOW,
    )


def booked(outcome: Outcome) -> SendInvitation:
    [planned] = outcome.follow_ups
    assert isinstance(planned.effect, SendInvitation)
    assert (planned.state, planned.not_before) == ("owed", NOW)
    return planned.effect


def test_our_own_mail_invites_to_a_calendar_that_does_not(config: Config, booking: BookCall) -> None:
    calendar = MemoryCalendar()
    invitation = booked(lane(config, calendar).perform(booking, nothing))
    assert lane_of(invitation) == "mail"
    assert b"method=REQUEST" in invitation.mail.octets.replace(b'"', b"")
    assert calendar.told == []


def test_the_calendars_server_invites_where_it_does_and_once(config: Config, booking: BookCall) -> None:
    calendar = MemoryCalendar(invites=True)
    at_work = lane(config, calendar)
    invitation = booked(at_work.perform(booking, nothing))
    assert calendar.told == [], "the booking alone tells nobody"
    assert lane_of(invitation) == f"calendar:{booking.person}"
    for _ in range(2):
        assert at_work.recover(invitation, False) is None
        said = at_work.perform(invitation, nothing)
        assert said == Outcome("invited by the calendar's server, in the name of lena@nordlicht.example")
    assert [(what, who) for what, who, _ in calendar.told] == [("invite", booking.attendee.addr_spec)]
    assert invitation.mail.recipient == booking.attendee.addr_spec


def test_whoever_must_not_be_written_to_is_not_invited_by_the_server_either(config: Config, booking: BookCall) -> None:
    calendar = MemoryCalendar(invites=True)
    invitation = booked(lane(config, calendar).perform(booking, nothing))
    with pytest.raises(Permanent, match=REFUSED):
        lane(config, calendar, refuses=REFUSED).perform(invitation, nothing)
    assert calendar.told == []


def test_a_call_that_is_booked_already_keeps_its_hour(config: Config, booking: BookCall) -> None:
    calendar = MemoryCalendar(invites=True)
    first = booked(lane(config, calendar).perform(booking, nothing))
    again = booked(lane(config, calendar).perform(booking, nothing))
    assert (again.key, again.uid, again.person) == (first.key, first.uid, first.person)
    [ics] = calendar.objects.values()
    assert holds_uid(ics, booking.uid)
    assert slot_of(ics).end - slot_of(ics).start == timedelta(minutes=booking.minutes)


def test_a_mail_is_marked_with_what_it_was_decided_to_be(config: Config) -> None:
    message, decision = decided(build_playbook(config), mail(CHURN), accounts=(ACME,))
    [(mark, state)] = effects_of(decision, MarkMessage)
    assert isinstance(mark, MarkMessage)
    verdict = decision.verdict
    shown = {each if verdict.answer(each) == "yes" else f"{each}?" for each in verdict.chosen}
    assert (set(mark.categories), state) == (shown, "owed")
    assert "complaint" in {each.rstrip("?") for each in shown}
    assert lane_of(mark) == "mailbox:desk"
    box = MemoryMailbox()
    key = box.deliver(b"Subject: x\r\n\r\n")
    filing = FilingLane(box)
    there = MarkMessage(mark.key, Locator("desk", "INBOX", key), mark.categories)
    for _ in range(2):
        assert filing.perform(there, nothing) == Outcome(f"marked {', '.join(mark.categories)}")
    assert box.marks == {key: set(mark.categories)}
    box.expunge(key)
    assert filing.perform(there, nothing) == Outcome("was no longer in INBOX")
    assert message.key in mark.key


def test_other_mail_is_marked_too_and_a_machines_is_not(config: Config) -> None:
    playbook = build_playbook(config)
    _, decision = decided(playbook, mail("Merry Christmas to all of you."))
    [(mark, _)] = effects_of(decision, MarkMessage)
    assert isinstance(mark, MarkMessage)
    assert mark.categories == ("other" if decision.verdict.sure else "other?",)
    _, decision = decided(playbook, mail("I am out of the office.", fields="Auto-Submitted: auto-replied\r\n"))
    assert effects_of(decision, MarkMessage) == []


def test_nothing_is_marked_where_nobody_asked_for_it(tmp_path: Path) -> None:
    _, decision = decided(build_playbook(lay_out_site(tmp_path)), mail(CHURN), accounts=(ACME,))
    assert "complaint" in decision.verdict.chosen
    assert effects_of(decision, MarkMessage) == []
