"""The frozen types of what was decided: effects with their states, the decision with its trace, outcomes.

As in `model.py`, every time is an aware datetime in UTC and collections are tuples.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from triaged.model import AccountMatch, Address, Locator, Risk, Verdict

# --- what is to be done -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A mail that leaves: built, checked and frozen.

    sender: envelope sender, `""` for the null path `<>`. recipient: the one envelope recipient.
    message_id: with angle brackets, deterministic. octets: RFC 5322, CRLF lines, 7-bit.
    """

    sender: str
    recipient: str
    message_id: str
    octets: bytes


WHEN = "\N{MATHEMATICAL LEFT WHITE SQUARE BRACKET}when\N{MATHEMATICAL RIGHT WHITE SQUARE BRACKET}"
"""Stands in a rendered invitation until the slot is known."""


@dataclass(frozen=True, slots=True)
class SendAck:
    """Acknowledge a client's mail.

    client_key: 32 hex digits that stand for the person written to, the same for all their spellings, so that the
    log can count without keeping addresses; client_domain: their domain, plain. Both `""` in rows written before.
    """

    key: str
    template: str
    mail: Outgoing
    client_key: str = ""
    client_domain: str = ""
    kind: Literal["ack"] = "ack"


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell one of us (escalation to an account manager). person: their id."""

    key: str
    person: str
    why: str
    mail: Outgoing
    kind: Literal["notify"] = "notify"


@dataclass(frozen=True, slots=True)
class BookCall:
    """Find a free slot in a person's calendar, write the event, then invite the client.

    uid: RFC 5545 UID, stable. person: the organizer's id. earliest, latest: the call lies whole within them; the
    slot is chosen when the calendar is read, not before. subject, text, html: the invitation, rendered, with
    `WHEN` where the time belongs; when_zone, when_language: how that time is written. message_id: the invitation's.
    client_key, client_domain: of the attendee, as in `SendAck`.
    """

    key: str
    uid: str
    person: str
    attendee: Address
    minutes: int
    earliest: datetime
    latest: datetime
    summary: str
    subject: str
    text: str
    html: str
    in_reply_to: str
    from_address: Address
    message_id: str
    when_zone: str
    when_language: str
    client_timezone: str = ""
    client_key: str = ""
    client_domain: str = ""
    kind: Literal["call"] = "call"


@dataclass(frozen=True, slots=True)
class SendInvitation:
    """Send the invitation to a call that stands in the calendar.

    person: id of whose calendar's server sends it in our place, with the event's text; `""`: the mail is sent.
    """

    key: str
    uid: str
    mail: Outgoing
    person: str = ""
    kind: Literal["invitation"] = "invitation"


@dataclass(frozen=True, slots=True)
class FileMessage:
    """Move the mail into a folder of its mailbox."""

    key: str
    locator: Locator
    folder: str
    kind: Literal["file"] = "file"


@dataclass(frozen=True, slots=True)
class MarkMessage:
    """Show on the mail in its mailbox what it was decided to be. categories: words that people read, at least one."""

    key: str
    locator: Locator
    categories: tuple[str, ...]
    kind: Literal["mark"] = "mark"


@dataclass(frozen=True, slots=True)
class Refile:
    """Move the mail with this Message-ID from one folder of its mailbox into another: what a rule filed, back again.

    source, target: as the server names them; that of the watched folder is its name. message_id: with brackets.
    """

    key: str
    mailbox: str
    message_id: str
    source: str
    target: str
    kind: Literal["refile"] = "refile"


@dataclass(frozen=True, slots=True)
class AskPerson:
    """A person must look; nothing is done by machine."""

    key: str
    question: str
    kind: Literal["ask"] = "ask"


Effect = SendAck | Notify | BookCall | SendInvitation | MarkMessage | FileMessage | Refile | AskPerson

EffectState = Literal["observed", "held", "owed", "doing", "done", "person", "dropped"]
"""observed: would have been planned, were the mailbox not only observed · held: a person must approve · owed: to be
done · doing: started, maybe done · done · person: stuck, a person decides · dropped: a person or a limit decided
against it. Nothing else keeps progress."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An effect with the state it starts in and the time before which it is not done.

    because: why it is held although its rule would let it leave, a sentence; else `""`.
    """

    effect: Effect
    state: EffectState
    not_before: datetime
    because: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an effect ended well: what was done, in words, and what follows from it (written in the same commit)."""

    detail: str
    follow_ups: tuple[Planned, ...] = ()


# --- the decision and its trace --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConditionTrace:
    """One condition of a rule on one mail: the key (`when.says`), what was wanted, what was there, whether it holds."""

    key: str
    wanted: str
    actual: str
    holds: bool


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """One rule on one mail; conditions are those that were looked at, in order."""

    name: str
    source: str
    fired: bool
    conditions: tuple[ConditionTrace, ...]


@dataclass(frozen=True, slots=True)
class FieldSet:
    """A handling field, its value in words, the rule that set it, and the rules that would have set it otherwise."""

    field: str
    value: str
    rule: str
    overruled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Whether the mail is answered. reason: a sentence, always; template: the one chosen, None when none was."""

    would_send: bool
    template: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Call:
    """The call to be booked: with whom (person id), between when, how long."""

    person: str
    minutes: int
    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """All that was decided about one mail; stored whole before anything is done.

    reference: what client and coordinator call the mail (`T-7K3M9QX`). due: when an answer is owed, None
    when none is. fields, rules: the trace. risk: of losing the client; none in decisions written before it was known.
    assigned: id of the person who is to see to it; `""` for nobody. settings_id: of the configuration of that day.
    """

    message_key: str
    reference: str
    decided_at: datetime
    verdict: Verdict
    account: AccountMatch
    acknowledge: Acknowledge
    call: Call | None
    priority: str
    tags: tuple[str, ...]
    due: datetime | None
    fields: tuple[FieldSet, ...]
    rules: tuple[RuleTrace, ...]
    effects: tuple[Planned, ...]
    risk: Risk = Risk()  # noqa: RUF009 - frozen
    assigned: str = ""
    settings_id: str = ""
