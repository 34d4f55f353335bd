"""The frozen types of what was decided: effects with their states, the decision with its trace, outcomes.

As in `model.py`, every time is an aware datetime in UTC and collections are tuples.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from triaged.model import AccountMatch, Address, Interval, Locator, Risk, Verdict

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
"""Stands in a mail that is written before the time of its call is known."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail that lacks nothing but a time: `WHEN` stands in subject, text and HTML where it belongs.

    The rest is what `mail.compose.compose` asks for.
    """

    message_id: str
    sender: Address
    envelope_sender: str
    recipient: Address
    subject: str
    text: str
    html: str
    in_reply_to: str
    references: tuple[str, ...]
    automatic: Literal["auto-replied", "auto-generated"]


@dataclass(frozen=True, slots=True)
class Appointment:
    """What of a call stays as it is however often it is moved.

    uid: RFC 5545 UID. person: the organizer's id, in whose calendar it stands. attendee: the client. desk: the address
    that invites and takes the answers. subject, reference: of the client's mail. zone (IANA), language: in which the
    client reads its time.
    """

    uid: str
    person: str
    attendee: Address
    desk: Address
    minutes: int
    summary: str
    location: str
    subject: str
    reference: str
    zone: str
    language: str


CallState = Literal["waiting", "offered", "booked", "accepted", "tentative", "declined", "cancelled"]
"""waiting: times are kept free until one of us chooses · offered: they were proposed to the client · booked: it stands,
the client was invited · accepted, tentative, declined: what the client answered to that · cancelled."""


@dataclass(frozen=True, slots=True)
class StandingCall:
    """A call as the log knows it. slot: None while none is chosen, and after that if it was cancelled without one.

    offered: the times that are kept free, in the order of the mail. sequence: RFC 5546 2.1.4, of the last invitation.
    moves: how often it was moved. answered_at: DTSTAMP of the client's last answer.
    """

    appointment: Appointment
    state: CallState
    slot: Interval | None
    offered: tuple[Interval, ...] = ()
    sequence: int = 0
    moves: int = 0
    answered_at: datetime | None = None


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
class Offer:
    """The acknowledgement that proposes times. draft: with `WHEN` where they belong; plain: the one that leaves where
    none can be offered, its key is that of both. leaves: how and when it does."""

    draft: Draft
    plain: SendAck
    leaves: tuple[Literal["owed", "held"], datetime]


@dataclass(frozen=True, slots=True)
class OfferCall:
    """Find free slots, keep them free, then propose them to the client, or to one of us.

    count: how many at most. windows: each lies whole within one of them. offer: the mail to the client; None where a
    person is asked, and then question says why, a sentence. until: when the times are no longer kept free. notice: as
    in `BookCall`.
    """

    key: str
    appointment: Appointment
    windows: tuple[Interval, ...]
    count: int
    until: datetime
    offer: Offer | None
    question: str = ""
    client_key: str = ""
    client_domain: str = ""
    notice: str = ""
    kind: Literal["offer"] = "offer"

    @property
    def holds(self) -> tuple[str, ...]:
        """UIDs of the events that keep the times free."""
        return holds_of(self.appointment, self.count)


@dataclass(frozen=True, slots=True)
class BookCall:
    """Find a free slot in a person's calendar, write the event, then invite the client.

    windows: the call lies whole within one of them, the earliest slot of the first that has one; the slot is chosen
    when the calendar is read, not before. draft: the invitation. holds: UIDs of times that are kept free for this call
    and no longer need to be. otherwise: what is done when there is no free slot; None: a person is told. client_key,
    client_domain: of the attendee, as in `SendAck`. notice: a span (`2 business hours`), no call sooner than that when
    this is done, perhaps late; `""`: none.
    """

    key: str
    appointment: Appointment
    windows: tuple[Interval, ...]
    draft: Draft
    holds: tuple[str, ...] = ()
    otherwise: OfferCall | None = None
    client_key: str = ""
    client_domain: str = ""
    notice: str = ""
    kind: Literal["call"] = "call"


@dataclass(frozen=True, slots=True)
class MoveCall:
    """Move a call that stands to the earliest free slot within the windows, then tell the client. draft: that mail.

    slot, sequence: what the client was told last.
    """

    key: str
    appointment: Appointment
    windows: tuple[Interval, ...]
    slot: Interval | None
    sequence: int
    draft: Draft
    kind: Literal["move"] = "move"

    @property
    def claim(self) -> str:
        """UID of the event that keeps the new time free while the call is moved."""
        return f"move.{self.appointment.uid}"


@dataclass(frozen=True, slots=True)
class CancelCall:
    """Take a call out of the calendar, then tell the client. draft: that mail; None when nobody is to be told.

    slot, sequence: what the log knows of it; the calendar is asked first. holds: as in `BookCall`.
    """

    key: str
    appointment: Appointment
    slot: Interval | None
    sequence: int
    draft: Draft | None
    holds: tuple[str, ...] = ()
    kind: Literal["cancel"] = "cancel"


@dataclass(frozen=True, slots=True)
class ReleaseTimes:
    """Keep proposed times free no longer. uid: of the call that they were proposed for; holds: of the events."""

    key: str
    uid: str
    person: str
    holds: tuple[str, ...]
    kind: Literal["release"] = "release"


@dataclass(frozen=True, slots=True)
class SendInvitation:
    """Send the invitation to a call that stands in the calendar, or tell that it was moved or cancelled.

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


CallEffect = BookCall | OfferCall | MoveCall | CancelCall | ReleaseTimes
"""What is done in a person's calendar."""

Effect = SendAck | Notify | CallEffect | SendInvitation | MarkMessage | FileMessage | Refile | AskPerson


def holds_of(appointment: Appointment, count: int) -> tuple[str, ...]:
    """UIDs of the events that keep proposed times free for a call: always the same, so that they are found again."""
    return tuple(f"{number}.{appointment.uid}" for number in range(1, count + 1))


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
class CallChange:
    """How a call stands after an effect. zone: the organizer's, in which its hour is promised. The rest is as in
    `StandingCall`; offered: empty where they stay as they were."""

    appointment: Appointment
    state: Literal["waiting", "offered", "booked", "cancelled"]
    slot: Interval | None
    zone: str
    sequence: int = 0
    offered: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an effect ended well: what was done, in words, and what follows from it (written in the same commit)."""

    detail: str
    follow_ups: tuple[Planned, ...] = ()
    call: CallChange | None = None


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
    """The call to be booked or offered: with whom (person id), how long, between when; way: which of the two.

    windows: what of that time suits the client, as far as the mail and the account tell; in order. unsure: what of
    the mail could not be told, a sentence, and then the times that are free are told to a person.
    """

    person: str
    minutes: int
    earliest: datetime
    latest: datetime
    way: Literal["book", "offer"] = "book"
    windows: tuple[Interval, ...] = ()
    unsure: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a mail says of a call that stands: says in a word, words in a sentence for people.

    accepts, tentative, declines: of the slot as it is · chooses: one of the times offered · moves: to another time ·
    cancels · asks: a person must see what it says. answered_at: DTSTAMP of the calendar object, None for words.
    """

    uid: str
    says: Literal["accepts", "tentative", "declines", "chooses", "moves", "cancels", "asks"]
    words: str
    windows: tuple[Interval, ...] = ()
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """All that was decided about one mail; stored whole before anything is done.

    reference: what client and coordinator call the mail (`T-7K3M9QX`). due: when an answer is owed, None
    when none is. fields, rules: the trace. risk: of losing the client; none in decisions written before it was known.
    assigned: id of the person who is to see to it; `""` for nobody. settings_id: of the configuration of that day.
    answer: what the mail says of a call that stands.
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
    answer: Answer | None = None
