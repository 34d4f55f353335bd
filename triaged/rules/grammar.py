"""The words of the rule language, and the frozen types that a rule file becomes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

OTHER = "other"
"""The category of a mail to which no other applies; it is never suggested, only asked for."""

KNOWN_CATEGORIES = frozenset({"request", "complaint", "renewal"})
"""Those that exist without a rule; a site's own exist as soon as a rule suggests them."""

KNOWN_SIGNALS = frozenset({"chasing", "churn", "escalation"})
"""Signals of risk that exist without a rule; a site's own exist as soon as a rule gives them."""

ROLES = frozenset({"account manager", "coordinator"})
"""Who may be named besides a person's id."""

CALL_WAYS = ("book", "offer")
PRIORITIES = ("low", "normal", "high", "urgent")
NO_TEMPLATE = "none"
"""`then.acknowledge = "none"`: no acknowledgement, whatever a later rule says."""

CONDITIONS = (
    "says",
    "pattern",
    "tokens",
    "subject",
    "from",
    "to",
    "mailbox",
    "account",
    "tier",
    "manager",
    "contract_ends_within",
    "open_items",
    "category",
    "score",
    "sure",
    "is_reply",
    "language",
    "attachment",
    "automatic",
    "received",
    "amount",
    "date_mentioned",
    "signal",
    "risk",
)
WORDS = ("says", "pattern", "tokens")
"""Conditions on the words of a mail: all of them together are looked for once, by an index each."""
DATES = ("from_date", "to_date")
"""Conditions that a rule has beside `when` and `unless`: the days on which it counts."""
NEEDS_VERDICT = frozenset({"category", "score", "sure", "signal", "risk"})
"""Conditions that exist only once all evidence is weighed, so a rule that gives evidence cannot use them."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_SPAN = re.compile(r"[1-9]\d{0,3} (business )?(minute|hour|day|week)s?|[1-9]\d{0,3}[mhd]")
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "\u00a0": " "})
_UNIT_S = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class SendPolicy:
    """Whether a mail of ours leaves: only looked at, approved by a person, after `hold_s` seconds, or at once."""

    mode: Literal["observe", "approve", "hold", "auto"]
    hold_s: int = 0

    def __str__(self) -> str:
        return f"hold {self.hold_s // 60}m" if self.mode == "hold" else self.mode


@dataclass(frozen=True, slots=True)
class CallWish:
    """A call with the client. with_: a person's id or a role; within: a span in words (`1 business day`).

    way: one of `CALL_WAYS`, whether it is booked or times are offered; notice: a span, no call sooner than that; `""`:
    as the configuration says.
    """

    with_: str
    within: str
    minutes: int
    way: str = ""
    notice: str = ""

    def __str__(self) -> str:
        notice = f", not sooner than in {self.notice}" if self.notice else ""
        way = {"": "", "book": ", booked", "offer": ", times offered"}[self.way]
        return f"{self.minutes} minutes with {self.with_} within {self.within}{notice}{way}"


@dataclass(frozen=True, slots=True)
class Condition:
    """One `when.*` or `unless.*`, or one of `DATES`.

    values: any of them will do, at least one; lower case but for `pattern` and `tokens` (JSON of the descriptions);
    yes/no as `true`/`false`; a list that was named stands in it entry by entry.
    """

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an example's author says of the mail beside its words. account: an id, `none` for a stranger, `""` for a
    client like any other. received: on the desk's wall clock, None when it does not matter."""

    account: str = ""
    tier: str = ""
    manager: str = ""
    contract_ends: date | None = None
    open_items: int = 0
    received: datetime | None = None
    is_reply: bool = False
    attachment: str = ""
    automatic: Literal["person", "hold", "machine"] = "person"


@dataclass(frozen=True, slots=True)
class Example:
    """A mail that the rule's author wrote down, with what must come of it.

    mail: the text, or "" when `file` (an .eml below the rule folder) holds it. gives, never: values by field, one of
    `EXPECTED`; all of `gives` must come of it, none of `never` may.
    """

    source: str
    mail: str = ""
    file: str = ""
    subject: str = ""
    sender: str = ""
    circumstances: Circumstances = Circumstances()
    gives: tuple[tuple[str, tuple[str, ...]], ...] = ()
    never: tuple[tuple[str, tuple[str, ...]], ...] = ()


EXPECTED = (
    *("category", "signal", "priority", "acknowledge", "send", "call", "escalate", "assign", "notify", "tag"),
    *("file", "due"),
)
"""What an example can expect of a mail."""


@dataclass(frozen=True, slots=True)
class Then:
    """What a rule sets; None where it says nothing. acknowledge: a template's name or `none`. notify: as `escalate`."""

    priority: str | None = None
    acknowledge: str | None = None
    send: SendPolicy | None = None
    call: CallWish | None = None
    escalate: str | None = None
    assign: str | None = None
    file: str | None = None
    due: str | None = None
    tags: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    stop: bool = False


SINGLE = ("priority", "acknowledge", "send", "call", "escalate", "assign", "file", "due")
"""Fields of `Then` that the first rule sets; what the others name adds up over all rules."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One `[[rule]]`. source: `file:line`; suggests: (category, weight 0..1); signals: (signal, weight 0..1)."""

    name: str
    because: str
    source: str
    enabled: bool
    when: tuple[Condition, ...]
    unless: tuple[Condition, ...]
    suggests: tuple[tuple[str, float], ...]
    signals: tuple[tuple[str, float], ...]
    then: Then
    examples: tuple[Example, ...]

    @property
    def handles(self) -> bool:
        """True when it sets anything, not only gives evidence."""
        return self.then != Then()


def words_of(rules: Iterable[Rule]) -> dict[str, tuple[str, ...]]:
    """What these rules look for in the words of a mail, by each of `WORDS`, each once; of disabled ones too."""
    found: dict[str, dict[str, None]] = {key: {} for key in WORDS}
    for condition in (each for rule in rules for each in (*rule.when, *rule.unless)):
        if condition.key in WORDS:
            found[condition.key] |= dict.fromkeys(condition.values)
    return {key: tuple(values) for key, values in found.items()}


Key = tuple[str, str]
"""A condition's key and one of its values."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rule files, read and checked.

    rules: files by name, then in file order, disabled ones too. phrases, patterns, tokens: every one of an enabled rule
    once. categories: all suggested or asked for, never `other`. lists: names of lists → what stands in them.
    by_key: of the enabled rules, numbers of those that can hold only for a mail that has one of these keys; always:
    numbers of the others (see `index`).
    """

    rules: tuple[Rule, ...]
    phrases: tuple[str, ...]
    patterns: tuple[str, ...]
    tokens: tuple[str, ...]
    categories: tuple[str, ...]
    lists: Mapping[str, tuple[str, ...]]
    by_key: Mapping[Key, tuple[int, ...]] = field(compare=False, repr=False)
    always: tuple[int, ...] = field(compare=False, repr=False)


def plain(text: str) -> str:
    """Straight quotes, single spaces, composed letters, lower case: how phrases and conditions are compared."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_STRAIGHT)).lower().split())


def is_span(text: str) -> bool:
    """True for `15m`, `2h`, `1d`, `4 business hours`, `1 week`; never zero, at most four digits."""
    return _SPAN.fullmatch(text) is not None


def parse_send(text: str) -> SendPolicy:
    """`observe`, `approve`, `auto`, or `hold` with a span that is not counted in business time (`hold 15m`).

    Raises: ValueError with a sentence.
    """
    words = " ".join(text.lower().split())
    match words.split(" ", 1):
        case ["observe" | "approve" | "auto" as mode]:
            return SendPolicy(mode)
        case ["hold", span] if is_span(span) and "business" not in span:
            number = re.match(r"\d+", span)
            assert number is not None
            unit = span[number.end() :].strip()[0]
            return SendPolicy("hold", int(number[0]) * _UNIT_S[unit])
        case ["hold", *_]:
            raise ValueError(f"'{text}' does not say how long; write for example 'hold 15m' or 'hold 2 hours'")
        case _:
            raise ValueError(f"'{text}' is not a way to send; write observe, approve, hold 15m or auto")
