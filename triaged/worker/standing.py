"""Calls that stand and people's calendars in; what people changed and clients answered there, into the log, out.

A call that somebody took out of their calendar, or dragged to another hour, is one that the client still waits for: a
person hears of it. Where the calendar's own server invites (Exchange, Microsoft 365), answers arrive there alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from triaged.calls.invitations import stored_event
from triaged.decision import Answer, AskPerson, Planned
from triaged.errors import Permanent, TriagedError
from triaged.log import calls
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.playbook import local_words
from triaged.ports import Calendar
from triaged.wishes import SAYS
from triaged.worker.writer import Writer

AHEAD = timedelta(days=60)
"""Calls farther ahead are looked at when they come nearer."""


class Standing:
    """The job of a timer. calendars: by the person's id, its own objects, for one belongs to one thread."""

    def __init__(self, calendars: Mapping[str, Calendar], *, writer: Writer, clock: Callable[[], datetime]) -> None:
        self._calendars, self._writer, self._clock = calendars, writer, clock

    def work(self, reader: Reader) -> None:
        """Look at every call that is ahead. Raises: TriagedError when a calendar cannot be read, after all others."""
        now, unread = self._clock(), dict[str, TriagedError]()
        for row in calls.calls(reader, since=now):
            slot = row.call.slot
            person = row.call.appointment.person
            calendar = self._calendars.get(person)
            if slot is None or not now < slot.start < now + AHEAD or calendar is None or person in unread:
                continue
            try:
                self._look(row, calendar, now)
            except TriagedError as error:
                unread[person] = error
        for each in unread.values():
            raise each

    def _look(self, row: calls.CallRow, calendar: Calendar, now: datetime) -> None:
        call = row.call
        uid, reference = call.appointment.uid, call.appointment.reference
        ics = calendar.find(uid)
        if ics is None:
            words = f"is no longer in the calendar of {call.appointment.person}, and {_client(row)} waits for it"
            self._ask(
                row, f"gone:{uid}:{call.sequence}", f"{words}. To tell them: triaged calls cancel {reference}", now
            )
            return
        try:
            stored = stored_event(ics)
        except Permanent as error:
            self._ask(row, f"odd:{uid}:{call.sequence}", f"cannot be read in the calendar any more: {error}", now)
            return
        if stored.slot != call.slot:
            when = f"{stored.slot.start:%Y-%m-%dT%H:%M}+00:00"
            words = (
                f"was moved in the calendar of {call.appointment.person} to "
                f"{local_words(stored.slot.start, row.zone, 'en')} ({row.zone}), and {_client(row)} does not know. "
                f'To tell them: triaged calls move {reference} "{when}"'
            )
            self._ask(row, f"moved:{uid}:{when}", words, now)
            return
        invited = call.appointment.attendee.addr_spec.lower()
        answers = [each.partstat for each in stored.attendees if each.addr_spec == invited and calendar.invites]
        says = SAYS.get(answers[0]) if len(answers) > 0 else None
        if says is not None and calls.ANSWERED[says] != call.state:
            answer = Answer(uid, says, f"in the calendar of {call.appointment.person}: {says}", (), now)
            self._writer.submit(partial(_note, row=row, answer=answer, now=now)).result()

    def _ask(self, row: calls.CallRow, key: str, words: str, now: datetime) -> None:
        """Once for each change: an effect's key is there once. Not while we ourselves change it."""
        asked = AskPerson(f"ask:{key}", f"The call {row.call.appointment.reference} {words}")
        planned = (Planned(asked, "person", now),)
        self._writer.submit(
            lambda rows: rows.plan(row.message, planned, now) if calls.is_quiet(rows.db, row.call) else None
        ).result()


def _note(log: Log, *, row: calls.CallRow, answer: Answer, now: datetime) -> None:
    calls.note_answer(log.db, answer, now=now)
    log.event(f"answer.{answer.says}", answer.words, message=row.message, now=now)
    if answer.says == "declines":
        reference = row.call.appointment.reference
        what = f"triaged calls move {reference} “…”, triaged calls cancel {reference}"
        words = f"{_client(row)} declined the call {reference}. See: {what}"
        asked = AskPerson(f"ask:declined:{answer.uid}:{row.call.sequence}", words)
        log.plan(row.message, (Planned(asked, "person", now),), now)


def _client(row: calls.CallRow) -> str:
    attendee = row.call.appointment.attendee
    return attendee.display_name or attendee.addr_spec
