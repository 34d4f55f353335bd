"""The frozen types that travel: octets → Message → Verdict → AccountMatch → Decision → Outcome.

Every time is an aware datetime in UTC unless its name says otherwise. Collections are tuples and may be
empty unless said otherwise. A score is a calibrated probability in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

# --- where a mail lies, and its octets ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Locator:
    """Where a message lies now.

    mailbox: the configured name; folder: the server's name; key: unique in the folder for ever
    (IMAP `UIDVALIDITY/UID`, Maildir the unique part of the file name).
    """

    mailbox: str
    folder: str
    key: str


@dataclass(frozen=True, slots=True)
class Raw:
    """A message as the server gave it.

    received: when the server took it (IMAP INTERNALDATE, Maildir mtime). size_bytes: its whole size;
    `len(octets) < size_bytes` when it was over the limit and only its head was fetched.
    """

    locator: Locator
    received: datetime
    octets: bytes
    size_bytes: int


# --- the mail, read ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox address (RFC 5322 3.4.1). addr_spec: `local@domain`, domain in lower case, IDN as U-labels."""

    addr_spec: str
    display_name: str = ""

    @property
    def domain(self) -> str:
        """What follows the last `@`; never empty for an address that the parser made."""
        return self.addr_spec.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is not the text. filename: a bare name, safe to show, never a path; may be empty."""

    filename: str
    content_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Automatic:
    """Whether a machine wrote the mail (RFC 3834, RFC 5230 4.6, S01–S11, S15).

    `machine`: it says so itself, never answered. `hold`: it looks so (a subject like "Out of office"),
    a person decides. `person`: nothing speaks for a machine. reason: a sentence; "" for `person`.
    """

    by: Literal["person", "hold", "machine"] = "person"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """How far the sender may be believed (S32, S40).

    `authenticated`: our own border says DMARC passed for the From domain. `unauthenticated`: one plain
    From and nothing more. `none`: no sender, or more than one, or a trick; nobody to answer.
    """

    trust: Literal["authenticated", "unauthenticated", "none"] = "none"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A mail, read; every field has a value, whatever the octets were.

    key: 32 hex digits over Message-ID, sender, date and new text: two copies of a mail have one key,
    another mail under a forged Message-ID has another.
    message_id, in_reply_to, references: with angle brackets, syntactically valid ones only; `""`/empty
    otherwise. sender: None unless exactly one address can be told. date: the Date field, None if unusable.
    text: the whole text; new_text: what was written now; quoted: the rest. All three `\\n` lines.
    delivered_to: addresses of ours the mail was for, by To, Cc, Resent-* and Delivered-To fields.
    defects: what was broken, a short phrase each, in the order met.
    """

    key: str
    message_id: str
    subject: str
    sender: Address | None
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    date: datetime | None
    received: datetime
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    text: str
    new_text: str
    quoted: str
    attachments: tuple[Attachment, ...]
    automatic: Automatic
    identity: Identity
    defects: tuple[str, ...]
    size_bytes: int

    @property
    def is_reply(self) -> bool:
        """True when the mail refers to an earlier one."""
        return len(self.in_reply_to) > 0 or len(self.references) > 0

    @property
    def judged(self) -> str:
        """What the classifier and the phrases read: subject, one empty line, new text. Evidence points here."""
        return f"{self.subject}\n\n{self.new_text}"


# --- what it is -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a category was believed, or not.

    source: `model` or the rule's place (`complaint.toml:12`). weight: the score this evidence alone would
    give, 0..1. words: as they stand in the mail; start, end: their place in `Message.judged` (characters,
    end exclusive), both -1 where the evidence has no place.
    """

    source: str
    category: str
    weight: float
    words: str
    start: int = -1
    end: int = -1


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """A category's calibrated score; `sure` when it is far enough from the threshold either way."""

    category: str
    score: float
    sure: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the mail is about.

    scores: one per known category, highest first. chosen: categories at or over their threshold, highest
    first; empty means *other*. sure: every score is sure. language: ISO 639-1 of the new text, `""` if unclear.
    """

    scores: tuple[CategoryScore, ...]
    chosen: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    sure: bool
    language: str
    model_id: str
    rules_id: str

    def score(self, category: str) -> float:
        """The score of `category`; 0.0 for one nobody knows."""
        return next((each.score for each in self.scores if each.category == category), 0.0)


# --- whose it is -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract with a client; `ends` is a calendar date in the account's own zone, None if open-ended."""

    number: str
    ends: date | None


@dataclass(frozen=True, slots=True)
class Contact:
    """A person at a client."""

    addr_spec: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A client. domains and addresses: lower case; manager: a person's id in the configuration, may be `""`.

    timezone: IANA name or `""`; language: ISO 639-1 or `""`; tier: the firm's own word, lower case.
    """

    account_id: str
    name: str
    domains: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    contacts: tuple[Contact, ...] = ()
    manager: str = ""
    tier: str = ""
    contracts: tuple[Contract, ...] = ()
    timezone: str = ""
    language: str = ""


How = Literal["address", "alias", "thread", "domain", "corrected"]


@dataclass(frozen=True, slots=True)
class AccountMatch:
    """The client a mail belongs to, or None, with the reason in words; rivals: other account ids it could be."""

    account_id: str | None
    how: How | None
    score: float
    evidence: str
    rivals: tuple[str, ...] = ()


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
    """Acknowledge a client's mail."""

    key: str
    template: str
    mail: Outgoing
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
    kind: Literal["call"] = "call"


@dataclass(frozen=True, slots=True)
class SendInvitation:
    """Send the invitation to a call that stands in the calendar."""

    key: str
    uid: str
    mail: Outgoing
    kind: Literal["invitation"] = "invitation"


@dataclass(frozen=True, slots=True)
class FileMessage:
    """Move the mail into a folder of its mailbox."""

    key: str
    locator: Locator
    folder: str
    kind: Literal["file"] = "file"


@dataclass(frozen=True, slots=True)
class AskPerson:
    """A person must look; nothing is done by machine."""

    key: str
    question: str
    kind: Literal["ask"] = "ask"


Effect = SendAck | Notify | BookCall | SendInvitation | FileMessage | AskPerson

EffectState = Literal["held", "owed", "doing", "done", "person", "dropped"]
"""held: a person must approve · owed: to be done · doing: started, maybe done · done · person: stuck, a person
decides · dropped: a person decided against it. Nothing else keeps progress."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An effect with the state it starts in and the time before which it is not done."""

    effect: Effect
    state: EffectState
    not_before: datetime


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
    when none is. fields, rules: the trace.
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


# --- calendars ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interval:
    """A span of time, end exclusive; `start < end`."""

    start: datetime
    end: datetime
