"""The frozen types that travel: octets → Message → Verdict → AccountMatch; `decision.py` has the rest of the way.

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
    (IMAP `UIDVALIDITY/UID`, Maildir the unique part of the file name, EWS ItemId, Graph's immutable id).
    """

    mailbox: str
    folder: str
    key: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Keys of messages that lie in a folder, and the cursor that covers them and all that was listed before them.

    cursor: opaque, the backend's own (IMAP `UIDVALIDITY/UID`, Graph's whole delta link, EWS's sync state).
    """

    keys: tuple[str, ...]
    cursor: str


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


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What a look over all folders tells of a message.

    folder: the server's name; key: as in `Locator`. date: when the server took it. sender: the address in From,
    lower case, `""` if none can be told. message_id, in_reply_to, references: with angle brackets; `""`/empty if none.
    automatic: it says of itself that no person wrote it (Auto-Submitted, RFC 3834). is_sent_folder: it lies in a
    folder of sent mail (RFC 6154). recipients: the addresses in To, Cc and Bcc, lower case.
    """

    folder: str
    key: str
    date: datetime
    sender: str
    message_id: str
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    automatic: bool
    is_sent_folder: bool
    recipients: tuple[str, ...]


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
class BouncedRecipient:
    """One address that a mail did not reach.

    permanent: the address itself is no good (unknown, closed, no such domain); a full mailbox or a refused text is
    not. diagnostic: the server's words, one line of at most 200 characters.
    """

    addr_spec: str
    permanent: bool
    diagnostic: str


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a delivery report says (RFC 3464). message_ids: of the mail that came back, the surest first, may be empty;
    recipients: at least one. Anybody can write such a report: it counts only for a Message-ID that we sent."""

    message_ids: tuple[str, ...]
    recipients: tuple[BouncedRecipient, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A mail, read; every field has a value, whatever the octets were.

    key: 32 hex digits over Message-ID, sender, date and new text: two copies of a mail have one key,
    another mail under a forged Message-ID has another.
    message_id, in_reply_to, references: with angle brackets, syntactically valid ones only; `""`/empty
    otherwise. sender: None unless exactly one address can be told. date: the Date field, None if unusable.
    text: the whole text; new_text: what was written now; quoted: the rest. All three `\\n` lines.
    delivered_to: addresses of ours the mail was for, by To, Cc, Resent-* and Delivered-To fields.
    defects: what was broken, a short phrase each, in the order met. bounce: what a delivery report says, None for
    every other mail.
    calendar: the iTIP object that came with the mail: the decoded text of its first text/calendar part or, lacking one,
    of the first attachment that is application/ics or called *.ics, lines unfolded; `""` if there is none or it is over
    the limit.
    calendar_method: the `method` that its part names, upper case, `""` if none; the object must say the same
    (RFC 6047 2.4).
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
    bounce: Bounce | None = None
    calendar: str = ""
    calendar_method: str = ""

    @property
    def is_reply(self) -> bool:
        """True when the mail refers to an earlier one."""
        return len(self.in_reply_to) > 0 or len(self.references) > 0

    @property
    def judged(self) -> str:
        """What the classifier and the phrases read: subject, one empty line, new text. Evidence points here."""
        return f"{self.subject}\n\n{self.new_text}"


# --- what it is -------------------------------------------------------------------------------------------


Answer = Literal["yes", "no", "a person looks"]
"""What is said about one category of a mail."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a category was believed, or not.

    source: `model` or the rule's place (`complaint.toml:12`). weight: the score this evidence alone would
    give, 0..1. words: as they stand in the mail; start, end: their place in `Message.judged` (characters,
    end exclusive), both -1 where the evidence has no place. marks: places of the words in it that spoke most, in order;
    empty where all of it counts.
    """

    source: str
    category: str
    weight: float
    words: str
    start: int = -1
    end: int = -1
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """A category's calibrated score, and how far the answer may be trusted.

    precision: the share of answers like this one that were right when the model was calibrated, one of a few steps;
    0.0 for none. sure: that is as high as the site asks for; otherwise a person looks.
    """

    category: str
    score: float
    sure: bool
    precision: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the mail is about.

    scores: one per known category, highest first. chosen: categories at or over their threshold, highest
    first; empty means *other*. sure: every score is. language: ISO 639-1 of the new text, `""` if unclear.
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

    @property
    def runner_up(self) -> CategoryScore | None:
        """The category that was not chosen and came nearest; None when every known one was chosen."""
        return next((each for each in self.scores if each.category not in self.chosen), None)

    def answer(self, category: str) -> Answer:
        """Whether the mail is of that category, or a person has to look; one that nobody knows is `no`."""
        if any(each.category == category and not each.sure for each in self.scores):
            return "a person looks"
        return "yes" if category in self.chosen else "no"


# --- how the account feels -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trend:
    """How an account wrote before this mail, by the log: mails of persons only, a correction above the score.

    recent, before: mean complaint scores 0..1 of the last 30 days and of the 90 days before them, 0.0 where there was
    no mail; recent_mails, before_mails: of how many. chasers: how many of the recent ones chased us.
    """

    recent: float
    recent_mails: int
    before: float
    before_mails: int
    chasers: int


FROM_LOG, FROM_VERDICT = "log", "verdict"
"""Sources of evidence for a risk that no rule found."""


@dataclass(frozen=True, slots=True)
class Risk:
    """How likely this client is to be lost, 0..1, for ordering: not calibrated. `risk.py` says how it comes about.

    evidence: the risk each would be alone, highest first; by its category a signal (`churn`), `complaint` or `trend`.
    trend: what was known of the account, also where it adds nothing; None without an account or a log.
    """

    score: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    trend: Trend | None = None

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that rules found in this mail, highest risk first, each once."""
        found = (each.category for each in self.evidence if each.source not in (FROM_LOG, FROM_VERDICT))
        return tuple(dict.fromkeys(found))


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

    timezone: IANA name or `""`; language: ISO 639-1 or `""`; tier: the firm's own word, lower case. hours: when they
    work, on their own clock (`sun-thu 08:00-16:00`), or `""`; country: whose public holidays they keep (`DE`, `DE-BE`),
    or `""`.
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
    hours: str = ""
    country: str = ""


How = Literal["address", "alias", "thread", "domain", "corrected"]


@dataclass(frozen=True, slots=True)
class AccountMatch:
    """The client a mail belongs to, or None, with the reason in words; rivals: other account ids it could be.

    imitates: the domain of a client or of ours that the sender's could be mistaken for; `""` for none.
    """

    account_id: str | None
    how: How | None
    score: float
    evidence: str
    rivals: tuple[str, ...] = ()
    imitates: str = ""


# --- calendars ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interval:
    """A span of time, end exclusive; `start < end`."""

    start: datetime
    end: datetime
