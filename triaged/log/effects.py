"""An effect in; the lane that does it, the name by which the outside knows it, and what is done in its place, out."""

from __future__ import annotations

from datetime import datetime

from triaged.decision import (
    AskPerson,
    BookCall,
    CancelCall,
    Effect,
    FileMessage,
    MarkMessage,
    MoveCall,
    OfferCall,
    Planned,
    Refile,
    ReleaseTimes,
    SendInvitation,
)


def lane_of(effect: Effect) -> str:
    """The lane that does an effect: one per outbound service, so that a hung server delays no other."""
    match effect:
        case ReleaseTimes():
            return f"calendar:{effect.person}"
        case BookCall() | OfferCall() | MoveCall() | CancelCall():
            return f"calendar:{effect.appointment.person}"
        case SendInvitation() if effect.person != "":
            return f"calendar:{effect.person}"
        case MarkMessage() | FileMessage():
            return f"mailbox:{effect.locator.mailbox}"
        case Refile():
            return f"mailbox:{effect.mailbox}"
        case AskPerson():
            return "person"
        case _:
            return "mail"


def without_times(effect: Effect) -> tuple[Planned, ...]:
    """The acknowledgement that leaves when no times can be offered in it."""
    offer = effect.offer if isinstance(effect, OfferCall) else None
    return (Planned(offer.plain, *offer.leaves),) if offer is not None else ()


def given_up(effect: Effect, now: datetime) -> tuple[Planned, ...]:
    """What is still done for an effect that a person got: the client is answered, and no time stays kept free."""
    match effect:
        case OfferCall():
            release = ReleaseTimes(
                f"release:{effect.key}", effect.appointment.uid, effect.appointment.person, effect.holds
            )
            return (*without_times(effect), Planned(release, "owed", effect.until))
        case MoveCall():
            holds = (effect.claim,)
            release = ReleaseTimes(f"release:{effect.key}", effect.appointment.uid, effect.appointment.person, holds)
            return (Planned(release, "owed", now),)
        case _:
            return ()


def external_id(effect: Effect) -> str:
    """The Message-ID or UID of what it makes; `""` where the outside knows it by neither."""
    match effect:
        case BookCall() | OfferCall():
            return effect.appointment.uid
        case MoveCall() | CancelCall() | ReleaseTimes() | MarkMessage() | FileMessage() | Refile() | AskPerson():
            return ""
        case _:
            return effect.mail.message_id
