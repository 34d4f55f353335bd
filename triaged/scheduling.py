"""A call to be booked, offered, moved or cancelled in; what is done in the calendar and what the client reads, out.

Pure, and used by `plan` and by people's commands alike.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from triaged.clocks.hours import add
from triaged.decision import (
    WHEN,
    Answer,
    Appointment,
    BookCall,
    Call,
    CancelCall,
    Draft,
    MoveCall,
    Offer,
    OfferCall,
    StandingCall,
    holds_of,
)
from triaged.mail.addresses import person_domain, person_key
from triaged.mail.compose import make_message_id
from triaged.mail.render import Templates, language_of_mail, render
from triaged.model import Address, Interval
from triaged.playbook import Case, client_windows, location_words
from triaged.rules.grammar import SendPolicy

OTHER_DAYS = timedelta(days=14)
"""Within which other times are looked for when the one that was wanted is not free."""


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What every mail about a call needs. organizers: names of our people by id."""

    templates: Templates
    team: str
    language: str
    secret: bytes
    message_id_domain: str
    organizers: dict[str, str]


def letterhead_of(case: Case) -> Letterhead:
    """The desk's."""
    playbook = case.playbook
    return Letterhead(
        playbook.templates,
        playbook.team,
        playbook.language,
        playbook.secret,
        playbook.border.message_id_domain,
        {each.person: each.address.display_name for each in playbook.people.values()},
    )


def booking(case: Case, call: Call) -> BookCall:
    """Book it. Raises: Permanent when the invitation cannot be written."""
    appointment = _appointment(case, call)
    draft = _draft(
        letterhead_of(case), appointment, "invitation", f"invitation:{case.message.key}", case.message.message_id
    )
    client_key, client_domain = client_of(case.playbook.secret, appointment.attendee)
    others = client_windows(case.account, call.earliest, call.earliest + OTHER_DAYS)
    proposing = dataclasses.replace(call, windows=others)
    otherwise = dataclasses.replace(offering(case, proposing, None), key=f"waiting:{case.message.key}")
    return BookCall(
        key=f"call:{case.message.key}",
        appointment=appointment,
        windows=call.windows,
        draft=draft,
        otherwise=otherwise,
        client_key=client_key,
        client_domain=client_domain,
        notice=_notice(case),
    )


def offering(case: Case, call: Call, offer: Offer | None) -> OfferCall:
    """Keep times free and offer them in the acknowledgement; None: tell them to a person."""
    appointment = _appointment(case, call)
    client_key, client_domain = client_of(case.playbook.secret, appointment.attendee)
    return OfferCall(
        key=f"offer:{case.message.key}",
        appointment=appointment,
        windows=call.windows,
        count=case.playbook.offers,
        until=add(case.now, case.playbook.hold, case.playbook.hours),
        offer=offer,
        question=call.unsure,
        client_key=client_key,
        client_domain=client_domain,
        notice=_notice(case),
    )


def _notice(case: Case) -> str:
    """How long before a call whoever calls knows of it, as a span in words."""
    wish, otherwise = case.handling.call, case.playbook.notice
    return wish.notice if wish is not None and wish.notice != "" else f"{otherwise.amount} {otherwise.unit}"


def answering(case: Case, call: StandingCall, answer: Answer) -> BookCall | MoveCall | CancelCall | None:
    """What is done in the calendar for an answer; None when nothing is. Raises: Permanent as `booking`."""
    letterhead, message = letterhead_of(case), case.message
    match answer.says:
        case "chooses":
            return choose(call, answer.windows, letterhead, cause=message.key, in_reply_to=message.message_id)
        case "moves":
            return move(call, answer.windows, letterhead, cause=message.key, in_reply_to=message.message_id)
        case "cancels":
            return cancel(call, letterhead, cause=message.key, in_reply_to=message.message_id)
        case _:
            return None


def choose(
    call: StandingCall, windows: tuple[Interval, ...], letterhead: Letterhead, *, cause: str, in_reply_to: str
) -> BookCall:
    """Book one of the times that were offered for a call, or another. As `move`."""
    appointment = call.appointment
    draft = _draft(letterhead, appointment, "invitation", f"invitation:{cause}", in_reply_to)
    holds = holds_of(appointment, max(1, len(call.offered)))
    client_key, client_domain = client_of(letterhead.secret, appointment.attendee)
    return BookCall(
        f"call:{cause}", appointment, windows, draft, holds, client_key=client_key, client_domain=client_domain
    )


def move(
    call: StandingCall, windows: tuple[Interval, ...], letterhead: Letterhead, *, cause: str, in_reply_to: str
) -> MoveCall:
    """Move a call that stands. cause: what makes this move another than the next. Raises: Permanent as `booking`."""
    key = f"move:{cause}"
    draft = _draft(letterhead, call.appointment, "moved", key, in_reply_to)
    return MoveCall(key, call.appointment, windows, call.slot, call.sequence, draft)


def cancel(call: StandingCall, letterhead: Letterhead, *, cause: str, in_reply_to: str) -> CancelCall:
    """Cancel a call; who is not invited, for it is only offered when this is done, is told nothing. Raises: as
    `booking`."""
    key, appointment = f"cancel:{cause}", call.appointment
    draft = _draft(letterhead, appointment, "cancelled", key, in_reply_to)
    return CancelCall(
        key, appointment, call.slot, call.sequence, draft, holds_of(appointment, max(1, len(call.offered)))
    )


def client_of(secret: bytes, written_to: Address) -> tuple[str, str]:
    """What stands for the person in counts (not their address), and their domain. secret: the desk's."""
    said = "client:" + person_key(written_to.addr_spec)
    digest = hmac.new(secret, said.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
    return digest[:32], person_domain(written_to.domain)


def _appointment(case: Case, call: Call) -> Appointment:
    message = case.message
    assert message.sender is not None  # decide() answers nobody else
    organizer = case.playbook.people[call.person]
    name = case.account.name if case.account is not None else message.sender.domain
    return Appointment(
        uid=_uid(case, f"call:{message.key}"),
        person=call.person,
        attendee=Address(message.sender.addr_spec, case.contact),
        desk=case.desk,
        minutes=call.minutes,
        summary=f"{case.playbook.team} and {name}: {message.subject or case.reference}"[:200],
        location=location_words(organizer.location, reference=case.reference, organizer=organizer.address.display_name),
        subject=message.subject,
        reference=case.reference,
        zone=case.zone,
        language=language_of_mail(
            case.playbook.templates, "invitation", wanted=case.language, otherwise=case.playbook.language
        ),
    )


def _uid(case: Case, key: str) -> str:
    """The call's UID (RFC 5545 3.8.4.7): only we can make it, so that nobody else can aim at our events."""
    digest = hmac.new(case.playbook.secret, f"uid:{key}".encode(), hashlib.sha256).hexdigest()[:32]
    return f"{digest}@{case.playbook.border.message_id_domain}"


def _draft(letterhead: Letterhead, appointment: Appointment, template: str, key: str, in_reply_to: str) -> Draft:
    """The mail of one of the templates about calls, complete but for the time."""
    rendered = render(
        letterhead.templates,
        template,
        language=language_of_mail(
            letterhead.templates, template, wanted=appointment.language, otherwise=letterhead.language
        ),
        variables={
            "contact": appointment.attendee.display_name,
            "team": letterhead.team,
            "organizer": letterhead.organizers.get(appointment.person, letterhead.team),
            "when": WHEN,
            "minutes": appointment.minutes,
            "location": appointment.location,
            "reference": appointment.reference,
            "subject": appointment.subject,
            "summary": appointment.summary,
        },
    )
    return Draft(
        message_id=make_message_id(letterhead.secret, key, letterhead.message_id_domain),
        sender=appointment.desk,
        envelope_sender=appointment.desk.addr_spec,
        recipient=appointment.attendee,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        in_reply_to=in_reply_to,
        references=(),
        automatic="auto-generated",
    )


def leaves(policy: SendPolicy, now: datetime) -> tuple[Literal["owed", "held"], datetime]:
    """How something that goes to a client begins, and when it may leave."""
    return "held" if policy.mode == "approve" else "owed", now + timedelta(seconds=policy.hold_s)
