"""An effect in, its Outcome out: how each kind of effect is done, and looked up when a kill left it half done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from triaged.calls.invitations import event, slot_of
from triaged.calls.slots import free_slots
from triaged.clocks.hours import Hours
from triaged.decision import (
    WHEN,
    BookCall,
    Effect,
    FileMessage,
    MarkMessage,
    Notify,
    Outcome,
    Outgoing,
    Planned,
    Refile,
    SendAck,
    SendInvitation,
)
from triaged.errors import Gone, Permanent, Transient, Uncertain
from triaged.mail.compose import compose
from triaged.mail.strict import faults
from triaged.model import Address, Interval
from triaged.playbook import client_week, local_words
from triaged.ports import Calendar, Crossing, Mailbox, Mailer


class LaneService(Protocol):
    """What a lane works with; one thread owns it. Errors as in `triaged.ports`."""

    def connect(self) -> None:
        """Be ready to perform; cheap when it is."""

    def perform(self, effect: Effect, crossing: Crossing) -> Outcome:
        """Do the effect; what cannot safely be done twice tells `crossing` of its point of no return.

        Raises: Transient, Permanent, Uncertain.
        """
        ...

    def recover(self, effect: Effect, handed: bool) -> Outcome | None:
        """What became of an effect that a kill interrupted: its outcome, or None when it must be done (again, safely).

        handed: whether its `crossing` had begun.

        Raises: Uncertain when nobody can tell; Transient.
        """
        ...

    def close(self) -> None:
        """Close; never raises."""


class MailLane:
    """Sends acknowledgements, notices and invitations.

    refuses: why a client must not be written to, `""` for most: asked again now, for the list may have been edited
    since the mail was decided about.
    """

    def __init__(self, mailer: Mailer, refuses: Callable[[str], str]) -> None:
        self._mailer, self._refuses = mailer, refuses

    def connect(self) -> None:
        """Connect and log in before an effect is begun, so that a dead server leaves nothing half done."""
        self._mailer.connect()

    def perform(self, effect: Effect, crossing: Crossing) -> Outcome:
        """Send the mail of the effect, after a last look at the octets that came back from the log (S26)."""
        assert isinstance(effect, SendAck | Notify | SendInvitation)
        if not isinstance(effect, Notify) and (why := self._refuses(effect.mail.recipient)) != "":
            raise Permanent(f"not sent: {why}")
        if found := faults(effect.mail):
            raise Permanent("not sent, the mail is not as it must be: " + "; ".join(found))
        return Outcome(self._mailer.send(effect.mail, crossing))

    def recover(self, effect: Effect, handed: bool) -> Outcome | None:
        """A mail that was handed over is looked up by its Message-ID; any other was certainly not sent."""
        assert isinstance(effect, SendAck | Notify | SendInvitation)
        if not handed:
            return None
        sent = self._mailer.was_sent(effect.mail.message_id)
        if sent is None:
            raise Uncertain("it was handed over, no answer came, and it is not found in Sent: did it arrive?")
        return Outcome("sent, though no answer came; found again") if sent else None

    def close(self) -> None:
        """Close the connection."""
        self._mailer.close()


class CalendarLane:
    """Books calls in one person's calendar; the invitation follows from the booking. refuses: as in `MailLane`."""

    def __init__(
        self,
        calendar: Calendar,
        *,
        organizer: Address,
        hours: Hours,
        step_min: int,
        buffer_min: int,
        location: str,
        refuses: Callable[[str], str],
        clock: Callable[[], datetime],
    ) -> None:
        self._calendar, self._organizer, self._hours, self._refuses = calendar, organizer, hours, refuses
        self._step_min, self._buffer_min, self._location, self._clock = step_min, buffer_min, location, clock

    def connect(self) -> None:
        """Nothing: each request stands alone."""

    def perform(self, effect: Effect, _crossing: Crossing) -> Outcome:
        """Book the call, or find that it is booked already, and plan the invitation. Done twice: one event, one
        invitation."""
        if isinstance(effect, SendInvitation):
            return self._invite(effect)
        assert isinstance(effect, BookCall)
        now = self._clock()
        standing = self._calendar.find(effect.uid)
        if standing is not None:
            slot = slot_of(standing)
        else:
            slot = self._free(effect, now)
            self._calendar.add(effect.uid, self._ics(effect, slot, now, invite=False))
        by_server = effect.person if self._calendar.invites else ""
        invitation = SendInvitation(f"invitation:{effect.key}", effect.uid, self._mail(effect, slot, now), by_server)
        words = local_words(slot.start, self._hours.timezone, "en")
        return Outcome(f"booked {words} ({self._hours.timezone})", (Planned(invitation, "owed", now),))

    def recover(self, effect: Effect, _handed: bool) -> Outcome | None:
        """Book or invite again: the event's UID makes that safe."""
        return None

    def close(self) -> None:
        """Close the connection."""
        self._calendar.close()

    def _invite(self, effect: SendInvitation) -> Outcome:
        """Have the calendar's server invite the client."""
        recipient = effect.mail.recipient
        if (why := self._refuses(recipient)) != "":
            raise Permanent(f"not sent: {why}")
        self._calendar.invite(effect.uid, Address(recipient))
        return Outcome(f"invited by the calendar's server, in the name of {self._organizer.addr_spec}")

    def _free(self, effect: BookCall, now: datetime) -> Interval:
        earliest = max(effect.earliest, now)
        slots = free_slots(
            busy=self._calendar.busy(earliest, effect.latest) if earliest < effect.latest else (),
            hours=self._hours,
            windows=(Interval(earliest, effect.latest),),
            minutes=effect.minutes,
            client=client_week(effect.client_timezone),
            step_min=self._step_min,
            buffer_min=self._buffer_min,
        )
        if len(slots) == 0:
            until = local_words(effect.latest, self._hours.timezone, "en")
            raise Permanent(f"{self._organizer.display_name} has no free {effect.minutes} minutes until {until}")
        return slots[0]

    def _ics(self, effect: BookCall, slot: Interval, now: datetime, *, invite: bool) -> bytes:
        return event(
            uid=effect.uid,
            slot=slot,
            organizer=self._organizer,
            attendee=effect.attendee,
            summary=effect.summary,
            description=effect.text.replace(WHEN, self._when(effect, slot)),
            location=self._location,
            timezone=self._hours.timezone,
            now=now,
            method="REQUEST" if invite else None,
        )

    def _when(self, effect: BookCall, slot: Interval) -> str:
        return f"{local_words(slot.start, effect.when_zone, effect.when_language)} ({effect.when_zone})"

    def _mail(self, effect: BookCall, slot: Interval, now: datetime) -> Outgoing:
        when = self._when(effect, slot)
        return compose(
            message_id=effect.message_id,
            sender=effect.from_address,
            envelope_sender=effect.from_address.addr_spec,
            recipient=effect.attendee,
            subject=effect.subject.replace(WHEN, when),
            text=effect.text.replace(WHEN, when),
            html=effect.html.replace(WHEN, when),
            date=now,
            in_reply_to=effect.in_reply_to,
            automatic="auto-generated",
            calendar=self._ics(effect, slot, now, invite=True),
        )


class FilingLane:
    """Marks triaged mail and moves it into folders of one mailbox, over a connection of its own."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._connected = False

    def connect(self) -> None:
        """Connect unless that is done."""
        if not self._connected:
            self._mailbox.connect()
            self._connected = True

    def perform(self, effect: Effect, _crossing: Crossing) -> Outcome:
        """Move or mark the message; one that is no longer there was moved by somebody."""
        assert isinstance(effect, MarkMessage | FileMessage | Refile)
        source = effect.source if isinstance(effect, Refile) else effect.locator.folder
        try:
            return Outcome(self._done(effect))
        except Gone:
            return Outcome(f"was no longer in {source}")
        except Transient:
            self._connected = False
            raise

    def _done(self, effect: MarkMessage | FileMessage | Refile) -> str:
        match effect:
            case MarkMessage():
                self._mailbox.mark(effect.locator.key, effect.categories)
                return f"marked {', '.join(effect.categories)}"
            case FileMessage():
                self._mailbox.file(effect.locator.key, effect.folder)
                return f"moved to {effect.folder}"
            case Refile():
                self._mailbox.refile(effect.message_id, effect.source, effect.target)
                return f"moved to {effect.target}"

    def recover(self, effect: Effect, _handed: bool) -> Outcome | None:
        """Do it again: a message that was moved is gone from where it was, a mark is set once."""
        return None

    def close(self) -> None:
        """Close the connection."""
        self._mailbox.close()
