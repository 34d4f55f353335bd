"""An effect that waits in, what a person reads of it out: its words, why it waits, and what approving it would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from triaged.decision import (
    WHEN,
    AskPerson,
    BookCall,
    CancelCall,
    Draft,
    Effect,
    FileMessage,
    MarkMessage,
    MoveCall,
    Notify,
    OfferCall,
    Outgoing,
    Refile,
    ReleaseTimes,
    SendAck,
    SendInvitation,
)
from triaged.log.approvals import Waiting
from triaged.model import Address
from triaged.preview import letter
from triaged.web import words

ITS_RULE = "Its rule lets nothing leave before a person has approved it."
LOST = "It was handed to the mail server, no answer came, and it is not found in Sent. Did it arrive?"


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as its reader will see it. html: its HTML part, `""` for none; drafted: times are filled in later, where
    ⟦when⟧ stands."""

    head: tuple[tuple[str, str], ...]
    subject: str
    text: str
    html: str
    drafted: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """An effect that waits, in words. does: what approving it does, a sentence; question: what a person is asked.

    letter: None where no mail is part of it; can_edit: its text may be edited; waiting: the effect.
    """

    waiting: Waiting
    title: str
    why: str
    does: str
    question: str
    letter: Letter | None
    can_edit: bool

    @property
    def held(self) -> bool:
        """Whether it can be approved; else a person only says that they have seen to it."""
        return self.waiting.state == "held"


def choice(waiting: Waiting, *, people: Mapping[str, str], when: Callable[[datetime], str]) -> Choice:
    """One effect in words. people: names by id; when: a moment in words."""
    effect = waiting.effect
    return Choice(
        waiting=waiting,
        title=words.KINDS.get(waiting.kind, waiting.kind),
        why=_why(waiting),
        does=_does(effect, people, when) if effect is not None else "",
        question=effect.question if isinstance(effect, AskPerson) else "",
        letter=_letter(effect),
        can_edit=isinstance(effect, SendAck) and waiting.state == "held",
    )


def _why(waiting: Waiting) -> str:
    if waiting.effect is None:
        return "Its text was removed, for its days were over."
    if waiting.kind == "ask":
        return ""
    if waiting.state == "held":
        return f"A limit holds it back: {waiting.why}" if waiting.held_back else waiting.why or ITS_RULE
    return LOST if waiting.handed else f"It could not be done: {waiting.why}"


def _letter(effect: Effect | None) -> Letter | None:
    match effect:
        case SendAck() | Notify() | SendInvitation():
            return _of_mail(effect.mail)
        case OfferCall() if effect.offer is not None:
            return _of_draft(effect.offer.draft)
        case BookCall() | MoveCall():
            return _of_draft(effect.draft)
        case CancelCall() if effect.draft is not None:
            return _of_draft(effect.draft)
        case _:
            return None


def _of_mail(mail: Outgoing) -> Letter:
    read = letter("", mail)
    return Letter(read.head, read.subject, read.text, read.html, drafted=False)


def _of_draft(draft: Draft) -> Letter:
    head = (("From", _address(draft.sender)), ("To", _address(draft.recipient)), ("Subject", draft.subject))
    return Letter(head, draft.subject, draft.text, draft.html, drafted=WHEN in draft.subject + draft.text)


def _address(address: Address) -> str:
    return f"{address.display_name} <{address.addr_spec}>" if address.display_name != "" else address.addr_spec


def _does(effect: Effect, people: Mapping[str, str], when: Callable[[datetime], str]) -> str:
    who = _organizer(effect, people)
    match effect:
        case SendAck() | SendInvitation():
            return f"Sends exactly this mail to {effect.mail.recipient}."
        case Notify():
            return f"Sends this note to {people.get(effect.person, effect.person)}."
        case BookCall():
            first, last = effect.windows[0].start, effect.windows[-1].end
            return (
                f"Looks into the calendar of {who}, books the earliest free {effect.appointment.minutes} minutes "
                f"between {when(first)} and {when(last)}, and invites {effect.appointment.attendee.addr_spec}."
            )
        case OfferCall():
            told = effect.appointment.attendee.addr_spec if effect.offer is not None else "us"
            return f"Keeps up to {effect.count} times free in the calendar of {who} and proposes them to {told}."
        case MoveCall():
            return f"Moves the call with {who} to the earliest free time that suits, and tells the client."
        case CancelCall():
            return f"Takes the call out of the calendar of {who}{', and tells the client' if effect.draft else ''}."
        case ReleaseTimes():
            return "Keeps the proposed times free no longer."
        case FileMessage():
            return f"Moves the mail into the folder {effect.folder}."
        case Refile():
            return f"Moves the mail from {effect.source} back into {effect.target}."
        case MarkMessage():
            return f"Marks the mail in its mailbox: {', '.join(effect.categories)}."
        case AskPerson():
            return ""
        case _:
            assert_never(effect)


def _organizer(effect: Effect, people: Mapping[str, str]) -> str:
    if not isinstance(effect, BookCall | OfferCall | MoveCall | CancelCall):
        return ""
    return people.get(effect.appointment.person, effect.appointment.person)
