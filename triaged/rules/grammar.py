"""The words of the rule language, and the frozen types that a rule file becomes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

OTHER = "other"
"""The category of a mail to which no other applies; it is never suggested, only asked for."""

KNOWN_CATEGORIES = frozenset({"request", "complaint", "renewal"})
"""Those that exist without a rule; a site's own exist as soon as a rule suggests them."""

KNOWN_SIGNALS = frozenset({"chasing", "churn", "escalation"})
"""Signals of risk that exist without a rule; a site's own exist as soon as a rule gives them."""

ROLES = frozenset({"account manager", "coordinator"})
"""Who may be named besides a person's id."""

PRIORITIES = ("low", "normal", "high", "urgent")
NO_TEMPLATE = "none"
"""`then.acknowledge = "none"`: no acknowledgement, whatever a later rule says."""

CONDITIONS = (
    "says",
    "subject",
    "from",
    "to",
    "mailbox",
    "account",
    "tier",
    "manager",
    "category",
    "score",
    "sure",
    "is_reply",
    "language",
    "attachment",
    "automatic",
    "signal",
    "risk",
)
NEEDS_VERDICT = frozenset({"category", "score", "sure", "signal", "risk"})
"""Conditions that exist only once all evidence is weighed, so a rule that gives evidence cannot use them."""

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
    """A call to be booked. with_: a person's id or a role; within: a span in words (`1 business day`)."""

    with_: str
    within: str
    minutes: int

    def __str__(self) -> str:
        return f"{self.minutes} minutes with {self.with_} within {self.within}"


@dataclass(frozen=True, slots=True)
class Condition:
    """One `when.*` or `unless.*`. values: lower case, any of them will do, at least one; yes/no as `true`/`false`."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A mail that the rule's author wrote down, with what must come of it.

    mail: the text, or "" when `file` (relative to the rule folder) holds it. category: None when not stated.
    signal, not_signal: names that must, or must not, be found.
    """

    source: str
    mail: str = ""
    file: str = ""
    subject: str = ""
    sender: str = ""
    category: tuple[str, ...] | None = None
    not_category: tuple[str, ...] = ()
    priority: str | None = None
    acknowledge: str | None = None
    signal: tuple[str, ...] = ()
    not_signal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Then:
    """What a rule sets; None where it says nothing. acknowledge: a template's name or `none`."""

    priority: str | None = None
    acknowledge: str | None = None
    send: SendPolicy | None = None
    call: CallWish | None = None
    escalate: str | None = None
    file: str | None = None
    due: str | None = None
    tags: tuple[str, ...] = ()
    stop: bool = False


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


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rule files, read and checked.

    id: 12 hex digits over names and texts. rules: files by name, then in file order, disabled ones too.
    phrases: every phrase of an enabled rule once, lower case. categories: all suggested or asked for, never `other`.
    files: (name, text). by_phrase, without_phrase: indices of the enabled rules that a phrase can make fire,
    and of those that need none.
    """

    id: str
    rules: tuple[Rule, ...]
    phrases: tuple[str, ...]
    categories: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    by_phrase: Mapping[str, tuple[int, ...]] = field(compare=False, repr=False)
    without_phrase: tuple[int, ...] = field(compare=False, repr=False)


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
