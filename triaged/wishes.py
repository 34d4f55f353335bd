"""A mail in, what its client wants of a call out: one that a rule books or offers, or an answer to the one that stands.

Pure. Whether a time is free is not known here: the lane of the calendar finds that out, in the moment of booking.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from triaged.calls.itip import Itip, Unreadable, read_itip
from triaged.calls.times import Reading, read_times
from triaged.clocks.hours import add, parse_span
from triaged.decision import Answer, Call, StandingCall
from triaged.model import Interval
from triaged.playbook import Case, Colleague, client_windows, local_words

ACCOUNT_MANAGER = "account manager"
"""The role that rules name; every other name is a person's id or `coordinator`."""
FARTHEST = timedelta(days=60)
"""How far ahead a client may name a time; a later one is a mistake, or nobody's plan yet."""
MOST_MOVES = 3
"""Times that a call is moved by machine; two calendars that answer each other would go on for ever."""

UNCHOSEN = ("waiting", "offered")
"""States of a call for which times are kept free and none is chosen."""
SAYS: dict[str, Literal["accepts", "tentative", "declines"]] = {
    "ACCEPTED": "accepts",
    "TENTATIVE": "tentative",
    "DECLINED": "declines",
}
"""PARTSTAT (RFC 5545 3.2.12) → what it says of a call; every other value answers nothing."""


# --- a call that is wanted -------------------------------------------------------------------------------------------


def colleague(case: Case, name: str) -> Colleague | None:
    """`account manager` or a person's id → the colleague, None when there is none."""
    person = (case.account.manager if case.account is not None else "") if name == ACCOUNT_MANAGER else name
    return case.playbook.people.get(person)


def wanted(case: Case) -> tuple[Call | None, str]:
    """The call that a rule wants, or why there is none although one does (`""` when none does).

    Whether another with this client is on its way already is asked when it is written down (`log/limits.py`).
    """
    wish = case.handling.call
    if wish is None:
        return None, ""
    if case.account is None:
        return None, "A call is wanted, but the account is not known."
    organizer = colleague(case, wish.with_)
    if organizer is None:
        who = (
            "the account has no manager we know" if wish.with_ == ACCOUNT_MANAGER else f"nobody is called {wish.with_}"
        )
        return None, f"A call is wanted, but {who}."
    if not organizer.has_calendar:
        return None, f"A call is wanted, but {organizer.address.display_name} has no calendar in the configuration."
    notice = parse_span(wish.notice) if wish.notice != "" else case.playbook.notice
    earliest = add(case.now, notice, organizer.hours)
    latest = add(earliest, parse_span(wish.within), organizer.hours)
    offers = (wish.way or case.playbook.call_way) == "offer"
    call = Call(organizer.person, wish.minutes, earliest, latest, "offer" if offers else "book")
    reading = _read(case, minutes=wish.minutes, zone=case.zone, wanted=True)
    if reading.says == "times":
        windows = _ahead(case, reading.windows, earliest, wish.minutes)
        if len(windows) > 0:
            return dataclasses.replace(call, way="book", windows=windows, latest=max(each.end for each in windows)), ""
        reading = Reading("unsure", words=reading.words, why="it is over, too soon or too far away")
    windows = client_windows(case.account, earliest, latest)
    if reading.says == "unsure":  # a person sees the times that would be offered beside what the client wrote
        return dataclasses.replace(call, way="offer", windows=windows, unsure=_told(reading)), ""
    return dataclasses.replace(call, windows=windows), ""


def _read(
    case: Case,
    *,
    minutes: int,
    zone: str,
    offered: Sequence[Interval] = (),
    standing: Interval | None = None,
    wanted: bool = False,
) -> Reading:
    """What the mail says about when to talk."""
    message = case.message
    written = message.date if message.date is not None and message.date <= message.received else message.received
    return read_times(
        message.new_text,
        written=written,
        zone=zone,
        minutes=minutes,
        offered=offered,
        standing=standing,
        wanted=wanted,
        names=_names(case),
    )


def _names(case: Case) -> tuple[str, ...]:
    """Ours, the client's and the writer's."""
    ours = (person.address.display_name for person in case.playbook.people.values())
    account = (case.account.name,) if case.account is not None else ()
    return (*ours, *account, case.contact, case.playbook.team)


def _ahead(case: Case, windows: Iterable[Interval], earliest: datetime, minutes: int) -> tuple[Interval, ...]:
    """What of the windows that a client named lies ahead and holds a call.

    A moment is whole or not at all. Of a longer time ("on Tuesday") it is their working day, if that touches it.
    """
    length, latest = timedelta(minutes=minutes), case.now + FARTHEST
    found: list[Interval] = []
    for each in windows:
        if each.end - each.start <= length:
            found += [each] if earliest <= each.start and each.end <= latest else []
        elif max(each.start, earliest) < min(each.end, latest):
            whole = Interval(max(each.start, earliest), min(each.end, latest))
            within = client_windows(case.account, whole.start, whole.end)
            fits = [part for part in within if part.end - part.start >= length]
            found += fits or [whole]
    return tuple(each for each in found if each.end - each.start >= length)


def _told(reading: Reading) -> str:
    return f"The mail names a time that is not understood surely: “{_said(reading)}”. {reading.why}".strip()


def _said(reading: Reading) -> str:
    """Its words on one line."""
    return " ".join(reading.words.split())


# --- what a mail says of a call that stands ------------------------------------------------------------------------


def answer_of(case: Case) -> Answer | None:
    """What the mail says of the call that its conversation, or its calendar object, is about; None when nothing.

    Only the client who was invited is taken at their word; what anybody else says is for a person.
    """
    call, message = case.background.call, case.message
    if call is None or message.sender is None or message.identity.trust == "none":
        return None
    if all(each.end <= case.now for each in ((call.slot,) if call.slot is not None else call.offered)):
        return None  # it is over
    itip = read_itip(message.calendar, mime_method=message.calendar_method)
    if itip is not None and itip.uid == call.appointment.uid:
        found = _by_calendar(case, call, itip)
    elif message.automatic.by == "person" and call.state != "cancelled":
        found = _by_words(case, call)
    else:
        return None
    invited = call.appointment.attendee.addr_spec
    is_invited = message.sender.addr_spec.lower() == invited.lower()
    if found is None or (found.says == "asks" and (is_invited or itip is not None)):
        return found
    if found.says == "asks":
        return None  # somebody else in the conversation, and perhaps not about the call at all
    if not is_invited:
        return _asks(call, f"{message.sender.addr_spec}, who was not invited, answers for {invited}: {found.words}")
    if found.says in ("chooses", "moves", "cancels") and _organizer(case, call) is None:
        return _asks(call, f"{found.words}; {call.appointment.person} has no calendar any more")
    return found


def _organizer(case: Case, call: StandingCall) -> Colleague | None:
    """Whose call it is, None when they or their calendar are no longer in the configuration."""
    found = case.playbook.people.get(call.appointment.person)
    return found if found is not None and found.has_calendar else None


def _by_calendar(case: Case, call: StandingCall, itip: Itip | Unreadable) -> Answer | None:
    """iTIP (RFC 5546): REPLY, COUNTER and CANCEL of an attendee; everything else is for a person."""
    if isinstance(itip, Unreadable):
        return _asks(call, f"what their calendar sends is not understood: {itip.problem}")
    problem = f" ({itip.problem})" if itip.problem != "" else ""
    if call.state in ("cancelled", *UNCHOSEN):
        what = "was cancelled" if call.state == "cancelled" else "is not booked yet"
        return None if _declines(itip) else _asks(call, f"their calendar answers a call that {what}")
    match itip.method:
        case "REPLY":
            return _by_reply(case, call, itip)
        case "COUNTER" if itip.slot is not None and itip.problem == "" and not itip.recurs:
            words = f"their calendar proposes {_slot_words(case, itip.slot)}"
            if (minutes := round((itip.slot.end - itip.slot.start).total_seconds() / 60)) != call.appointment.minutes:
                return _asks(call, f"{words} for {minutes} minutes")
            return _moves(case, call, (itip.slot,), words, itip.dtstamp)
        case "COUNTER":
            return _asks(call, f"their calendar proposes another time, which cannot be told{problem}")
        case "CANCEL":
            return Answer(call.appointment.uid, "cancels", "their calendar cancels the call", (), itip.dtstamp)
        case _:
            return _asks(call, f"their calendar sends {itip.method} for the call{problem}")


def _declines(itip: Itip) -> bool:
    """Whether a calendar says no, or nothing."""
    return itip.method == "CANCEL" or (
        itip.method == "REPLY" and all(each.partstat == "DECLINED" for each in itip.attendees)
    )


def _by_reply(case: Case, call: StandingCall, itip: Itip) -> Answer:
    invited = call.appointment.attendee.addr_spec.lower()
    answers = [each for each in itip.attendees if each.addr_spec == invited]
    if len(answers) == 0:
        names = ", ".join(each.addr_spec for each in itip.attendees) or "nobody"
        return _asks(call, f"{names} answers the invitation, which was for {invited}")
    says = SAYS.get(answers[0].partstat)
    if says is None:
        return _asks(call, f"their calendar answers {answers[0].partstat}")
    if itip.sequence < call.sequence:
        return _asks(call, f"their calendar {says} an earlier time of the call")
    if says != "accepts":
        reading = _read(case, minutes=call.appointment.minutes, zone=call.appointment.zone, standing=call.slot)
        if reading.says == "times":
            return _moves(case, call, reading.windows, f"{says}, and asks for “{_said(reading)}”", itip.dtstamp)
    words = {"accepts": "accepted", "tentative": "accepted tentatively", "declines": "declined"}[says]
    return Answer(call.appointment.uid, says, f"their calendar {words} the call", (), itip.dtstamp)


def _by_words(case: Case, call: StandingCall) -> Answer | None:
    """What a person wrote, in an answer to what we wrote of the call."""
    appointment, is_offered = call.appointment, call.state in UNCHOSEN
    reading = _read(
        case,
        minutes=appointment.minutes,
        zone=appointment.zone,
        offered=call.offered if call.state == "offered" else (),
        standing=None if is_offered else call.slot,
    )
    uid, said = appointment.uid, f"“{_said(reading)}”"
    match reading.says:
        case "choice":
            return _chose(case, call, reading.windows, f"chose {said}")
        case "times" if is_offered:
            return _chooses(case, call, reading.windows, f"asks for {said}")
        case _ if call.state == "waiting":
            return None  # a person has the call in hand
        case "times" if _lies_within(call.slot, reading.windows):
            return Answer(uid, "accepts", f"agreed: {said}")
        case "times":
            return _moves(case, call, reading.windows, f"asks for {said}", None)
        case "agrees" if is_offered and len(call.offered) == 1:
            return _chose(case, call, call.offered, f"agreed: {said}")
        case "agrees" if not is_offered:
            return Answer(uid, "accepts", f"agreed: {said}")
        case "cancels":
            return Answer(uid, "cancels", f"cancels: {said}")
        case "declines" if not is_offered:
            return Answer(uid, "declines", f"declined: {said}")
        case "declines":
            return _asks(call, f"none of the times that were offered suits: {said}")
        case "agrees":
            return _asks(call, f"it agrees, and not to which time: {said}")
        case "unsure":
            return _asks(call, _told(reading))
        case _:
            return None


def _lies_within(slot: Interval | None, windows: Iterable[Interval]) -> bool:
    return slot is not None and any(each.start <= slot.start and slot.end <= each.end for each in windows)


def _chose(case: Case, call: StandingCall, windows: tuple[Interval, ...], words: str) -> Answer:
    """One of the times that were offered, which needs no further notice."""
    if windows[0].start <= case.now:
        return _asks(call, f"{words}; that is over")
    return Answer(call.appointment.uid, "chooses", words, windows)


def _chooses(case: Case, call: StandingCall, windows: tuple[Interval, ...], words: str) -> Answer:
    return _with_notice(case, call, Answer(call.appointment.uid, "chooses", words, windows))


def _moves(
    case: Case, call: StandingCall, windows: tuple[Interval, ...], words: str, answered_at: datetime | None
) -> Answer:
    if call.moves >= MOST_MOVES:
        return _asks(call, f"{words}; it was moved {call.moves} times already")
    return _with_notice(case, call, Answer(call.appointment.uid, "moves", words, windows, answered_at))


def _with_notice(case: Case, call: StandingCall, answer: Answer) -> Answer:
    """Only what leaves whoever calls the notice they were promised; else a person decides."""
    organizer = _organizer(case, call)
    if organizer is None:
        return answer  # `answer_of` has a person asked
    earliest = add(case.now, case.playbook.notice, organizer.hours)
    windows = _ahead(case, answer.windows, earliest, call.appointment.minutes)
    if len(windows) == 0:
        return _asks(call, f"{answer.words}; that is over, too soon or too far away")
    return dataclasses.replace(answer, windows=windows)


def _asks(call: StandingCall, words: str) -> Answer:
    return Answer(call.appointment.uid, "asks", words)


def _slot_words(case: Case, slot: Interval) -> str:
    zone = case.playbook.hours.timezone
    return f"{local_words(slot.start, zone, 'en')} ({zone})"


def question_of(case: Case, call: StandingCall, answer: Answer) -> str:
    """What a person is asked about an answer: what it says, how the call stands, what to type."""
    zone, reference = case.playbook.hours.timezone, call.appointment.reference
    if call.state in UNCHOSEN:
        times = "; ".join(
            f"{number}. {local_words(each.start, zone, 'en')}" for number, each in enumerate(call.offered, 1)
        )
        standing = f"kept free are {times} ({zone})"
    elif call.slot is not None:
        standing = f"it stands for {local_words(call.slot.start, zone, 'en')} ({zone})"
    else:
        standing = "it is not in the calendar"
    return (
        f"About the call {reference}: {answer.words}; {standing}. "
        f"See: triaged calls move {reference} “…”, triaged calls cancel {reference}"
    )
