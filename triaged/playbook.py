"""What people wrote down (`Playbook`) and one mail with what was found out about it (`Case`), for decide and plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from triaged.classify.model import Judged, Model
from triaged.classify.phrases import PhraseIndex
from triaged.classify.tokens import TokenIndex
from triaged.clocks.holidays import country_problem
from triaged.clocks.hours import Hours, Span, open_intervals, parse_week
from triaged.decision import StandingCall
from triaged.mail.compose import make_message_id
from triaged.mail.identity import Border
from triaged.mail.render import Templates
from triaged.model import Account, AccountMatch, Address, Interval, Locator, Message, Risk, Trend, Verdict
from triaged.rules.grammar import Rule, RuleSet, SendPolicy, words_of
from triaged.rules.match import Handling
from triaged.rules.patterns import PatternIndex
from triaged.written import Written

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is read as another on the telephone."""
REFERENCE_LETTERS = 7
CLIENT_WEEK = "mon-fri 08:00-18:00"
"""When a client works, on their own wall clock, where the accounts do not say. Our own choice."""
_DAY = {
    "en": "EEEE, d MMMM y",
    "de": "EEEE, d. MMMM y",
    "fr": "EEEE d MMMM y",
    "es": "EEEE d 'de' MMMM 'de' y",
    "it": "EEEE d MMMM y",
    "nl": "EEEE d MMMM y",
    "pt": "EEEE, d 'de' MMMM 'de' y",
}
"""Unicode date patterns (UTS 35), as a letter of that language has them."""
_CLOCK = {"de": "HH:mm 'Uhr'", "fr": "HH'h'mm"}
_TIME = {language: f"{day}, {_CLOCK.get(language, 'HH:mm')}" for language, day in _DAY.items()}


@dataclass(frozen=True, slots=True)
class Colleague:
    """One of us. has_calendar: whether calls can be booked with them. location: where, see `location_words`."""

    person: str
    address: Address
    language: str
    hours: Hours
    has_calendar: bool
    location: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """What a mailbox is for: the address it answers from, and the folder a triaged mail is moved into (`""`: none).

    shows_categories: what a mail was decided to be is shown on it in people's mail programs.
    """

    address: str
    file_into: str
    shows_categories: bool = False


@dataclass(frozen=True, slots=True)
class Sought:
    """All words that rules wait for, one index of each kind: every mail is searched once for all of them."""

    phrases: PhraseIndex
    patterns: PatternIndex
    tokens: TokenIndex


def sought_of(rules: RuleSet) -> Sought:
    """All words that these rules wait for, compiled."""
    return Sought(PhraseIndex(rules.phrases), PatternIndex(rules.patterns), TokenIndex(rules.tokens))


def sought_by(rules: Iterable[Rule]) -> Sought:
    """The words that these rules wait for, be they enabled or not, compiled."""
    words = words_of(rules)
    return Sought(PhraseIndex(words["says"]), PatternIndex(words["pattern"]), TokenIndex(words["tokens"]))


@dataclass(frozen=True, slots=True)
class Playbook:
    """All that people wrote down: rules, templates, model, hours, people. Loaded once, swapped whole.

    written: the files of rules and templates. settings_id, settings: the configuration that the rest is made
    of, as JSON. due: span by priority. notice: no call sooner. call_way, offers, hold: what is done for a call when its
    rule does not say, how many times are offered, and how long they are kept free. envelope_sender: of
    acknowledgements, `""` for `<>`.
    sure, answer: how often an answer must be right before it counts as sure, and before a client is told by machine.
    model_problem: why `model` is not the one that people chose, `""` when it is.
    """

    model: Model
    written: Written
    settings_id: str
    settings: str
    rules: RuleSet
    sought: Sought
    templates: Templates
    border: Border
    own_domains: frozenset[str]
    mailboxes: Mapping[str, Role]
    people: Mapping[str, Colleague]
    hours: Hours
    due: Mapping[str, Span]
    notice: Span
    send: SendPolicy
    max_age: timedelta
    team: str
    language: str
    envelope_sender: str
    secret: bytes
    call_way: Literal["book", "offer"]
    offers: int
    hold: Span
    sure: float = 0.95
    answer: float = 0.97
    model_problem: str = ""


@dataclass(frozen=True, slots=True)
class Background:
    """What accounts, log, lists and model say of a mail when it is decided about; kept with the decision, so that the
    decision can be made again.

    account: the one that was matched, as it was then. trend: how it wrote before; None without an account or a log.
    open_items: mails of the account that wait for an answer. listed: why a person wants this sender to get no automatic
    mail, a sentence, or `""`. call: the one that the mail, or its conversation, is about. judged: the model's opinion
    of `Message.judged`.
    """

    match: AccountMatch
    account: Account | None
    judged: Judged
    trend: Trend | None = None
    open_items: int = 0
    listed: str = ""
    call: StandingCall | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One mail under decision, with what was found out so far."""

    message: Message
    locator: Locator
    playbook: Playbook
    now: datetime
    reference: str
    background: Background
    verdict: Verdict
    risk: Risk
    handling: Handling
    due: datetime | None

    @property
    def match(self) -> AccountMatch:
        """Whose mail it is."""
        return self.background.match

    @property
    def account(self) -> Account | None:
        """The client's account, None when it is nobody's."""
        return self.background.account

    @property
    def is_authenticated(self) -> bool:
        """Whether our border says that the mail is from whom it names (DMARC); only then is anything told (S28)."""
        return self.message.identity.trust == "authenticated"

    @property
    def is_known_client(self) -> bool:
        """Whether the writer is a client of ours beyond doubt."""
        return self.is_authenticated and self.account is not None

    @property
    def language(self) -> str:
        """The client's language: the account's, if it may be shown, else the mail's, else ours."""
        known = self.account.language if self.account is not None and self.is_authenticated else ""
        return known or self.verdict.language or self.playbook.language

    @property
    def role(self) -> Role:
        """What the mailbox is for."""
        return self.playbook.mailboxes[self.locator.mailbox]

    @property
    def desk(self) -> Address:
        """The address we answer from, with the team's name."""
        return Address(self.role.address, self.playbook.team)

    @property
    def zone(self) -> str:
        """The zone in which the client reads times."""
        known = self.account.timezone if self.account is not None else ""
        return known or self.playbook.hours.timezone

    @property
    def contact(self) -> str:
        """The writer's name: as our contacts have it, else as the mail says; `""` if unknown."""
        sender = self.message.sender
        if sender is None:
            return ""
        contacts = self.account.contacts if self.account is not None else ()
        known = next((each.name for each in contacts if each.addr_spec.lower() == sender.addr_spec.lower()), "")
        return known or sender.display_name

    def message_id(self, key: str) -> str:
        """The Message-ID of the mail that the effect `key` sends."""
        return make_message_id(self.playbook.secret, key, self.playbook.border.message_id_domain)


def reference(message_key: str) -> str:
    """What client and coordinator call the mail: `T-` and seven letters of the key."""
    number = int(message_key, 16)
    return "T-" + "".join(_ALPHABET[number >> (5 * place) & 31] for place in reversed(range(REFERENCE_LETTERS)))


def location_words(location: str, *, reference: str, organizer: str) -> str:
    """Where a call is, as it is told: `{reference}` and `{organizer}` of the configuration filled in."""
    return location.replace("{reference}", reference).replace("{organizer}", organizer)


def client_hours(account: Account) -> Hours | None:
    """When a client works, None where their time zone is not known. Raises: ValueError, see `client_week`."""
    return client_week(account.timezone, account.hours, account.country)


def client_windows(account: Account | None, start: datetime, end: datetime) -> tuple[Interval, ...]:
    """When a client works, between two moments; all of it where that is not known."""
    hours = client_hours(account) if account is not None else None
    return open_intervals(start, end, hours) if hours is not None else (Interval(start, end),)


@lru_cache(maxsize=1024)
def client_week(timezone: str, hours: str = "", country: str = "") -> Hours | None:
    """Working hours by what an account says (see `Account`), None without a zone; `CLIENT_WEEK` where hours are `""`.

    Raises: ValueError, a sentence, on what `client_problems` would tell.
    """
    return parse_week(hours or CLIENT_WEEK, timezone=timezone, country=country) if timezone != "" else None


def client_problems(account: Account) -> Iterator[tuple[str, str]]:
    """(field, sentence) of what is wrong in an account's hours and country."""
    if account.hours != "" and account.timezone == "":
        yield "hours", "cannot be told without a time zone; fill in timezone, such as 'Europe/Berlin'"
    try:
        client_week("UTC", account.hours)
    except ValueError as error:
        yield "hours", str(error)
    if (wrong := country_problem(account.country)) != "":
        yield "country", wrong


def day_words(moment: datetime, zone: str, language: str) -> str:
    """A day as a person promises it: `Tuesday, 17 November 2026` in `language`, English where unknown."""
    return _words(moment, zone, language, _DAY)


def local_words(moment: datetime, zone: str, language: str) -> str:
    """A time as a person writes it: `Tuesday, 17 November 2026, 17:30` in `language`, English where unknown."""
    return _words(moment, zone, language, _TIME)


def _words(moment: datetime, zone: str, language: str, pattern: Mapping[str, str]) -> str:
    known = language if language in pattern else "en"
    return format_datetime(moment.astimezone(ZoneInfo(zone)), pattern[known], locale=known)
