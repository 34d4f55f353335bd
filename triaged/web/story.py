"""What the log holds about one mail in, its story in time order out: what happened, what was sent, who said what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from triaged.decision import BookCall, CancelCall, Draft, Effect, MoveCall, Notify, OfferCall, SendAck, SendInvitation
from triaged.log import handling
from triaged.log.encode import EFFECT
from triaged.log.read import Reader
from triaged.log.rows import EffectRow, LogRow
from triaged.preview import letter
from triaged.web.words import KINDS, STATES

MACHINE = "triaged"
"""Who did what no person did."""
_BY = re.compile(r"(?:^|[;,] )by ([^;,:]+)")

EVENTS = {
    "triaged": "Judged",
    "copy": "Came again",
    "quarantined": "Could not be read, so it was set aside",
    "quarantine.retried": "Tried to read it again; it still cannot be read",
    "mended": "Read after all",
    "corrected": "Put right",
    "confirmed": "Said that it is right as shown",
    "done": "Done: nothing more is owed",
    "reopened": "Open again",
    "answered": "A person answered it",
    "waiting": "Waiting for somebody else",
    "waiting.over": "Waits no longer",
    "assigned": "Given to somebody",
    "noted": "Wrote a note",
    "next": "Changed the next step",
    "undone": "What a rule did was taken back",
    "undone.back": "What a rule did was put back",
    "removed": "Text, names and addresses were removed",
    "forgotten": "Text, names and addresses were erased",
    "calls": "Changed a call",
    "bounced.cleared": "The address may be written to again",
}
"""Names of events in words; those of effects are made of the effect's kind."""
CHANGES = {
    "done": "done",
    "later": "put off",
    "person": "a person must see to it",
    "approved": "approved",
    "dropped": "decided against",
    "held": "held back",
    "owed": "put off",
    "released": "let go",
    "bounced": "came back",
}


AUDITS = {
    "message.state": "Changed the state",
    "message.owner": "Changed who sees to it",
    "effect.approve": "Approved",
    "effect.drop": "Decided against",
    "effect.edit": "Changed the words of what is sent",
    "queue.undo": "Took back what was just done",
    "quarantine.retry": "Had it read again",
    "bounced.clear": "Said that the address may be written to again",
}
"""What people change about a mail, in words."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail of ours, as it was or will be sent. whole: its last word is there, no time is still to be filled in."""

    to: str
    subject: str
    text: str
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the story. state: of an effect, else `""`; note: what a person wrote."""

    at: datetime
    who: str
    words: str
    detail: str = ""
    state: str = ""
    letter: Letter | None = None
    note: str = ""


def story(reader: Reader, row: LogRow) -> list[Entry]:
    """Everything that is known to have happened to a mail, oldest first.

    The same act is told once: what a person did at the desk stands in the audit log and in the mail's events, of the
    same moment.
    """
    effects = list(_effects(reader, row.id))
    said = [*_corrections(reader, row.id), *_notes(reader, row.id)]
    told = {(each.at, each.who) for each in said}
    audits = [
        Entry(each.at, each.who, _audit_words(each.what), each.detail)
        for each in handling.audits_of(reader, row.id)
        if (each.at, each.who) not in told
    ]
    told |= {(each.at, each.who) for each in audits}
    done = {(each.at, kind) for kind, each in effects}
    events = [
        each
        for kind, each in _events(reader, row.id)
        if (each.at, each.who) not in told and (each.at, kind) not in done
    ]
    arrived = Entry(row.received, row.sender or "somebody", "Sent it", f"came into the mailbox “{row.mailbox}”")
    return sorted([arrived, *events, *(each for _, each in effects), *said, *audits], key=lambda each: each.at)


def _effects(reader: Reader, message: int) -> Iterator[tuple[str, Entry]]:
    times = handling.effect_times(reader, message)
    for effect in reader.effects(message):
        who, detail = _split(effect.detail)
        words = f"{KINDS.get(effect.kind, effect.kind).capitalize()}: {STATES.get(effect.state, effect.state)}"
        if effect.kind == "ask":
            detail = "; ".join(each for each in (str(effect.payload.get("question", "")), detail) if each != "")
        yield effect.kind, Entry(times[effect.id], who, words, detail, effect.state, letter_of(effect))


def _events(reader: Reader, message: int) -> Iterator[tuple[str, Entry]]:
    """Each with the kind of the effect that it tells of, `""` for none."""
    for event in reader.events(message):
        who, detail = _split(event.detail)
        kind, _, change = event.name.partition(".")
        if event.name in EVENTS:
            yield "", Entry(event.at, who, EVENTS[event.name], detail)
        elif kind == "answer":
            yield "", Entry(event.at, "the client", "Answered about the call", detail)
        else:
            words = f"{KINDS.get(kind, kind).capitalize()}: {CHANGES.get(change, change)}"
            yield kind, Entry(event.at, who, words, detail)


def _corrections(reader: Reader, message: int) -> Iterator[Entry]:
    for each in handling.corrections(reader, message):
        if each.confirmed:
            yield Entry(each.at, each.who, EVENTS["confirmed"], _categories(each.categories))
            continue
        parts = []
        if sorted(each.was_categories) != sorted(each.categories):
            parts.append(f"{_categories(each.was_categories)} → {_categories(each.categories)}")
        if each.was_account != each.account:
            parts.append(f"account {each.was_account or 'none'} → {each.account or 'none'}")
        yield Entry(each.at, each.who, EVENTS["corrected"], "; ".join(parts))


def _categories(names: Sequence[str]) -> str:
    return ", ".join(names) or "other"


def _notes(reader: Reader, message: int) -> Iterator[Entry]:
    for each in handling.notes(reader, message):
        yield Entry(each.at, each.who, EVENTS["noted"], note=each.text)


def _audit_words(what: str) -> str:
    kind, _, change = what.partition(".")
    return AUDITS.get(what) or EVENTS.get(change) or f"{kind}: {change}".replace("_", " ").capitalize()


def _split(detail: str) -> tuple[str, str]:
    """Who, and the rest of the words: `moved; by carl` is said by carl."""
    found = _BY.search(detail)
    if found is None:
        return MACHINE, detail
    return found[1].strip(), (detail[: found.start()] + detail[found.end() :]).strip(" ;,:")


# --- what is sent ---------------------------------------------------------------------------------------------


def letter_of(row: EffectRow) -> Letter | None:
    """The mail that an effect sends; None where it sends none, or its text was removed.

    Of a call that stands its mail is an effect of its own, the invitation: that is what was sent.
    """
    if "key" not in row.payload:
        return None
    effect = EFFECT.validate_json(json.dumps(row.payload))
    match effect:
        case SendAck() | Notify() | SendInvitation():
            read = letter("", effect.mail)
            return Letter(effect.mail.recipient, read.subject, read.text)
        case _:
            draft = _draft(effect) if row.state != "done" else None
            return Letter(draft.recipient.addr_spec, draft.subject, draft.text, whole=False) if draft else None


def _draft(effect: Effect) -> Draft | None:
    """The mail of an effect in a calendar, which lacks its time until that is known."""
    match effect:
        case OfferCall():
            return effect.offer.draft if effect.offer is not None else None
        case BookCall() | MoveCall() | CancelCall():
            return effect.draft
        case _:
            return None


def held(effects: Sequence[EffectRow]) -> list[tuple[EffectRow, Letter | None]]:
    """What waits for a person to approve, each with the mail that it would send."""
    return [(each, letter_of(each)) for each in effects if each.state == "held"]
