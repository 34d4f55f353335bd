"""What is to be done about a call in, its Outcome out: one person's calendars read, slots chosen, events written.

Two may want the same time at the same moment: another worker, or the person at their desk. No calendar can be locked,
so whatever is written is looked at once more: who then finds somebody else in their time takes it back and tries again
after a moment. Of two that saw each other none stays, of two that did not the later one did, so one time is never
given twice. A calendar that cannot be read gives no time at all.
"""

from __future__ import annotations

import dataclasses
import html
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, TypeVar, assert_never
from zoneinfo import ZoneInfo

from triaged.calls.invitations import event, stored_event
from triaged.calls.slots import free_slots
from triaged.clocks.hours import Hours, add, parse_span
from triaged.decision import (
    WHEN,
    Appointment,
    AskPerson,
    BookCall,
    CallChange,
    CallEffect,
    CancelCall,
    Draft,
    Effect,
    MoveCall,
    OfferCall,
    Outcome,
    Outgoing,
    Planned,
    ReleaseTimes,
    SendAck,
    SendInvitation,
)
from triaged.errors import Gone, LoginRefused, Permanent, Transient
from triaged.mail.compose import compose
from triaged.model import Address, Interval
from triaged.playbook import local_words
from triaged.ports import Calendar, Crossing

GIVES_WAY_S = 2.0
"""Seconds at most, at random, before whoever met another in their time tries again."""
SOON = timedelta(minutes=10)
"""After a mail was decided about, within which what it asks for is done as a rule, and is not late."""
LOOK_AHEAD = timedelta(days=28)
"""How far a calendar is read to see whether it can be read again."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Diary:
    """How one person's calls are laid. also: further calendars in which they are busy, only read.

    per_day: calls laid on one day at most, 0 for no limit. booked: when their calls are, by the log.
    """

    organizer: Address
    hours: Hours
    step_min: int
    buffer_min: int
    per_day: int
    also: Sequence[Calendar]
    booked: Callable[[], Sequence[datetime]]


class CalendarLane:
    """Books, offers, moves and cancels calls in one person's calendar. refuses: as in `perform.MailLane`."""

    fails_whole = True

    def __init__(
        self, calendar: Calendar, diary: Diary, *, refuses: Callable[[str], str], clock: Callable[[], datetime]
    ) -> None:
        self._calendar, self._diary, self._refuses, self._clock = calendar, diary, refuses, clock

    def connect(self) -> None:
        """See whether the calendars can be read. Raises: Transient, LoginRefused."""
        now = self._clock()
        self._busy(now, now + LOOK_AHEAD)

    def perform(self, effect: Effect, _crossing: Crossing) -> Outcome:
        """Do it, or find that it is done already. Done twice: one event, one mail."""
        assert isinstance(effect, CallEffect | SendInvitation)
        match effect:
            case BookCall():
                return self._book(effect)
            case OfferCall():
                return self._offer(effect)
            case MoveCall():
                return self._move(effect)
            case CancelCall():
                return self._cancel(effect)
            case ReleaseTimes():
                self._release(effect.holds)
                return Outcome("the times that were offered are kept free no longer")
            case SendInvitation():
                return self._invite(effect)
            case _:
                assert_never(effect)

    def recover(self, effect: Effect, _handed: bool) -> Outcome | None:
        """Do it again: the events' UIDs make that safe."""
        return None

    def close(self) -> None:
        """Close the connections."""
        for calendar in (self._calendar, *self._diary.also):
            calendar.close()

    # --- what is done ---

    def _book(self, effect: BookCall) -> Outcome:
        appointment, now = effect.appointment, self._clock()
        standing = self._find(appointment.uid)
        if standing is None:
            try:
                slot = self._free(appointment, effect.windows, besides=effect.holds, notice=effect.notice)[0]
            except Permanent as none:
                if effect.otherwise is None:
                    raise
                otherwise = dataclasses.replace(effect.otherwise, question=f"{none}.")
                return Outcome(f"{none}; others are looked for", (Planned(otherwise, "owed", now),))
            stored = self._stored(appointment, slot, effect.draft.text, now)
            if not self._ask(lambda calendar: calendar.add(appointment.uid, stored)):
                raise Transient("the call came into the calendar at the same moment", retry_after_s=0)
        else:
            slot = stored_event(standing).slot
            if not _within(slot, effect.windows):
                raise Permanent(f"the call is booked already, for {self._words(slot)}; move it: triaged calls move")
        if standing is None or slot.start not in self._diary.booked():  # what was told stays, whoever came after
            self._must_be_alone(appointment.uid, slot, besides=effect.holds)
        self._release(effect.holds)
        return self._stands(effect.key, appointment, slot, effect.draft, "booked", sequence=0)

    def _offer(self, effect: OfferCall) -> Outcome:
        appointment, now = effect.appointment, self._clock()
        slots = self._free(appointment, effect.windows, count=effect.count, besides=effect.holds, notice=effect.notice)
        for uid, slot in zip(effect.holds, slots, strict=False):
            self._keep(uid, self._held(uid, appointment, slot, now))
        self._release(effect.holds[len(slots) :])
        release = ReleaseTimes(f"release:{effect.key}", appointment.uid, appointment.person, effect.holds)
        return Outcome(
            f"kept free: {', '.join(self._words(slot) for slot in slots)}",
            (self._proposed(effect, slots), Planned(release, "owed", effect.until)),
            CallChange(
                appointment,
                "offered" if effect.offer is not None else "waiting",
                None,
                self._diary.hours.timezone,
                offered=slots,
            ),
        )

    def _proposed(self, effect: OfferCall, slots: Sequence[Interval]) -> Planned:
        """The times, to the client or to one of us."""
        offer, appointment = effect.offer, effect.appointment
        if offer is None:
            times = ", ".join(self._words(slot) for slot in slots)
            book = f"triaged calls move {appointment.reference} “…”"
            question = f"{effect.question} {self._diary.organizer.display_name} is free {times}. To book: {book}"
            return Planned(AskPerson(f"ask:{effect.key}", question), "person", self._clock())
        lines = [f"{number}. {self._when(appointment, slot)}" for number, slot in enumerate(slots, 1)]
        plain = offer.plain
        mail = self._mail(offer.draft, lines)
        answer = SendAck(plain.key, plain.template, mail, plain.client_key, plain.client_domain)
        return Planned(answer, *offer.leaves)

    def _move(self, effect: MoveCall) -> Outcome:
        appointment, now = effect.appointment, self._clock()
        uid, claim = appointment.uid, effect.claim
        standing = self._find(uid)
        if standing is None:
            raise Permanent(
                "the call is no longer in the calendar: somebody took it out. Tell the client, or book anew"
            )
        stored_as = stored_event(standing)
        slot, sequence = stored_as.slot, max(stored_as.sequence, effect.sequence)
        if _within(slot, effect.windows):  # done before a kill, or by hand in the calendar
            sequence = sequence if slot == effect.slot else max(sequence, effect.sequence + 1)
        else:
            found = self._free(appointment, effect.windows, besides=(uid, claim), instead_of=slot)
            slot, sequence = found[0], sequence + 1
            self._keep(claim, self._held(claim, appointment, slot, now))
            self._must_be_alone(claim, slot, besides=(uid,))
            stored = self._stored(appointment, slot, effect.draft.text, now, sequence=sequence)
            if not self._ask(lambda calendar: calendar.replace(uid, stored)):
                self._release((claim,))
                raise Permanent("the call was taken out of the calendar while it was being moved")
        self._release((claim,))
        return self._stands(effect.key, appointment, slot, effect.draft, "moved to", sequence=sequence)

    def _cancel(self, effect: CancelCall) -> Outcome:
        appointment, now = effect.appointment, self._clock()
        standing = self._find(appointment.uid)
        slot, sequence = effect.slot, effect.sequence
        if standing is not None:
            stored = stored_event(standing)
            slot, sequence = stored.slot, max(sequence, stored.sequence)
            self._ask(lambda calendar: calendar.remove(appointment.uid))
        self._release(effect.holds)
        zone = self._diary.hours.timezone
        change = CallChange(appointment, "cancelled", slot, zone, sequence + 1)
        if slot is None:
            return Outcome("the times that were offered are kept free no longer", (), change)
        words = f"cancelled the call of {self._words(slot)}"
        if effect.draft is None or self._calendar.invites:
            return Outcome(words, (), change)
        mail = self._mail(
            effect.draft,
            [self._when(appointment, slot)],
            calendar=self._sent(appointment, slot, effect.draft, now, sequence + 1, "CANCEL"),
        )
        told = SendInvitation(f"invitation:{effect.key}", appointment.uid, mail)
        return Outcome(words, (Planned(told, "owed", now),), change)

    def _invite(self, effect: SendInvitation) -> Outcome:
        """Have the calendar's server invite the client."""
        recipient = effect.mail.recipient
        if (why := self._refuses(recipient)) != "":
            raise Permanent(f"not sent: {why}")
        try:
            self._calendar.invite(effect.uid, Address(recipient))
        except Gone:
            raise Permanent("the call is no longer in the calendar, so nobody was invited") from None
        return Outcome(f"invited by the calendar's server, in the name of {self._diary.organizer.addr_spec}")

    def _stands(
        self, key: str, appointment: Appointment, slot: Interval, draft: Draft, done: str, *, sequence: int
    ) -> Outcome:
        """The call stands: what is told of it, and whom."""
        now, zone = self._clock(), self._diary.hours.timezone
        follow_ups: tuple[Planned, ...] = ()
        first = sequence == 0
        if first or not self._calendar.invites:  # of a change its server tells by itself
            octets = self._sent(appointment, slot, draft, now, sequence, "REQUEST")
            mail = self._mail(draft, [self._when(appointment, slot)], calendar=octets)
            by_server = appointment.person if self._calendar.invites else ""
            told = SendInvitation(f"invitation:{key}", appointment.uid, mail, by_server)
            follow_ups = (Planned(told, "owed", now),)
        return Outcome(
            f"{done} {self._words(slot)}", follow_ups, CallChange(appointment, "booked", slot, zone, sequence)
        )

    # --- the calendar ---

    def _ask(self, work: Callable[[Calendar], T], calendar: Calendar | None = None) -> T:
        """One request to the calendar. What it refuses for good is trouble all the same: people can mend it, and are
        told; until then nothing is booked. Raises: Transient, LoginRefused."""
        try:
            return work(calendar or self._calendar)
        except LoginRefused:
            raise
        except Permanent as error:
            raise Transient(str(error)) from error

    def _find(self, uid: str) -> bytes | None:
        return self._ask(lambda calendar: calendar.find(uid))

    def _busy(self, start: datetime, end: datetime, besides: Sequence[str] = ()) -> tuple[Interval, ...]:
        """In all their calendars; besides: events of ours in the first. Raises: Transient, LoginRefused when one of
        them cannot be read."""
        own = self._ask(lambda calendar: calendar.busy(start, end, besides=besides))
        further = (self._ask(lambda calendar: calendar.busy(start, end), each) for each in self._diary.also)
        return (*own, *(block for blocks in further for block in blocks))

    def _keep(self, uid: str, held: bytes) -> None:
        """Keep a time free with an event of ours; one that an earlier try left under this UID is written over."""
        if not self._ask(lambda calendar: calendar.add(uid, held)):
            self._ask(lambda calendar: calendar.replace(uid, held))

    def _release(self, uids: Sequence[str]) -> None:
        for uid in uids:
            self._ask(lambda calendar, uid=uid: calendar.remove(uid))  # type: ignore[misc]

    def _must_be_alone(self, uid: str, slot: Interval, *, besides: Sequence[str]) -> None:
        """Give way if somebody else is in the time that was just written. Raises: Transient."""
        margin = timedelta(minutes=self._diary.buffer_min)
        if len(self._busy(slot.start - margin, slot.end + margin, (uid, *besides))) > 0:
            self._release((uid,))
            wait_s = random.uniform(0, GIVES_WAY_S)  # noqa: S311 - no secret
            raise Transient(f"somebody else took {self._words(slot)} at the same moment", retry_after_s=wait_s)

    def _free(
        self,
        appointment: Appointment,
        windows: Sequence[Interval],
        *,
        count: int = 1,
        besides: Sequence[str] = (),
        instead_of: Interval | None = None,
        notice: str = "",
    ) -> tuple[Interval, ...]:
        """Free slots within the windows, at least one. Raises: Permanent if there is none, a sentence without dot."""
        now = self._clock()
        earliest = max(now, add(now, parse_span(notice), self._diary.hours) - SOON) if notice != "" else now
        left = [Interval(max(each.start, earliest), each.end) for each in windows if each.end > earliest]
        full_days = self._full_days(instead_of)
        found = self._free_within(appointment, left, count, besides, full_days)
        if len(found) > 0:
            return found
        name, wanted = self._diary.organizer.display_name, f"{appointment.minutes} minutes"
        if len(left) == 0:
            raise Permanent(f"The time in which {name} was to call is over")
        raise Permanent(f"{name} has no free {wanted} {_span_words(left, self._diary.hours.timezone)}")

    def _free_within(
        self,
        appointment: Appointment,
        windows: Sequence[Interval],
        count: int,
        besides: Sequence[str],
        full_days: frozenset[date],
    ) -> tuple[Interval, ...]:
        if len(windows) == 0:
            return ()
        margin = timedelta(minutes=self._diary.buffer_min)
        start, end = min(each.start for each in windows), max(each.end for each in windows)
        return free_slots(
            busy=self._busy(start - margin, end + margin, besides),
            hours=self._diary.hours,
            windows=windows,
            minutes=appointment.minutes,
            count=count,
            step_min=self._diary.step_min,
            buffer_min=self._diary.buffer_min,
            full_days=full_days,
        )

    def _full_days(self, instead_of: Interval | None) -> frozenset[date]:
        """Days on which no more calls are laid. instead_of: the call that is to be moved, which does not count."""
        if self._diary.per_day == 0:
            return frozenset()
        zone = ZoneInfo(self._diary.hours.timezone)
        moved = instead_of.start if instead_of is not None else None
        days = [start.astimezone(zone).date() for start in self._diary.booked() if start != moved]
        return frozenset(day for day in days if days.count(day) >= self._diary.per_day)

    # --- words and octets ---

    def _words(self, slot: Interval) -> str:
        zone = self._diary.hours.timezone
        return f"{local_words(slot.start, zone, 'en')} ({zone})"

    def _when(self, appointment: Appointment, slot: Interval) -> str:
        return f"{local_words(slot.start, appointment.zone, appointment.language)} ({appointment.zone})"

    def _stored(
        self, appointment: Appointment, slot: Interval, text: str, now: datetime, *, sequence: int = 0
    ) -> bytes:
        """The event as it lies in the calendar."""
        return event(
            uid=appointment.uid,
            slot=slot,
            organizer=self._diary.organizer,
            attendee=appointment.attendee,
            summary=appointment.summary,
            description=text.replace(WHEN, self._when(appointment, slot)),
            location=appointment.location,
            timezone=self._diary.hours.timezone,
            now=now,
            sequence=sequence,
            method=None,
        )

    def _held(self, uid: str, appointment: Appointment, slot: Interval, now: datetime) -> bytes:
        """An event that keeps a time free, for nobody is invited yet."""
        return event(
            uid=uid,
            slot=slot,
            organizer=self._diary.organizer,
            attendee=None,
            summary=f"Kept free: {appointment.summary}",
            description=f"Kept free until a time is chosen: {appointment.reference}",
            location="",
            timezone=self._diary.hours.timezone,
            now=now,
            method=None,
            status="TENTATIVE",
        )

    def _sent(
        self,
        appointment: Appointment,
        slot: Interval,
        draft: Draft,
        now: datetime,
        sequence: int,
        method: Literal["REQUEST", "CANCEL"],
    ) -> bytes:
        """The event as the client's calendar gets it: the desk invites, for it is the desk that reads the answers."""
        return event(
            uid=appointment.uid,
            slot=slot,
            organizer=appointment.desk,
            attendee=appointment.attendee,
            chair=self._diary.organizer,
            summary=appointment.summary,
            description=draft.text.replace(WHEN, self._when(appointment, slot)),
            location=appointment.location,
            timezone=self._diary.hours.timezone,
            now=now,
            sequence=sequence,
            method=method,
            status="CANCELLED" if method == "CANCEL" else "CONFIRMED",
        )

    def _mail(self, draft: Draft, lines: Sequence[str], *, calendar: bytes | None = None) -> Outgoing:
        return compose(
            message_id=draft.message_id,
            sender=draft.sender,
            envelope_sender=draft.envelope_sender,
            recipient=draft.recipient,
            subject=draft.subject.replace(WHEN, "; ".join(lines)),
            text=draft.text.replace(WHEN, "\n".join(lines)),
            html=draft.html.replace(WHEN, "<br>".join(html.escape(line) for line in lines)),
            date=self._clock(),
            in_reply_to=draft.in_reply_to,
            references=draft.references,
            automatic=draft.automatic,
            calendar=calendar,
        )


def _within(slot: Interval, windows: Sequence[Interval]) -> bool:
    return any(window.start <= slot.start and slot.end <= window.end for window in windows)


def _span_words(windows: Sequence[Interval], zone: str) -> str:
    """When a time was looked for: `until …`, or the moments themselves where only they were asked for."""
    first, last = min(each.start for each in windows), max(each.end for each in windows)
    return f"between {local_words(first, zone, 'en')} and {local_words(last, zone, 'en')} ({zone})"
