"""What is known of one mail in, whether a condition of a rule holds for it and what was there instead, out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from operator import eq, ge, gt, le, lt

from triaged.model import Account, Address, CategoryScore, Message, Risk, Verdict
from triaged.rules.dates import dates
from triaged.rules.grammar import OTHER, WEEKDAYS, Condition, Key, Rule, plain
from triaged.rules.money import amounts

MOST_SHOWN = 5
"""Values or names shown in a trace; the rule file holds the rest."""

Hits = Mapping[Key, tuple[tuple[str, int, int], ...]]
"""A condition on words and its value (as in `RuleSet.phrases`, …) → where it was found in `Message.judged`: words as
they stand, start, end."""


@dataclass(frozen=True, slots=True)
class Wall:
    """When a mail was received, on the desk's wall clock. is_open: within business hours; is_holiday: a day without."""

    moment: datetime
    is_open: bool
    is_holiday: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a mail. language: ISO 639-1 or `""`. open_items: of the account, this mail not counted.

    verdict: None in the first pass (`suggest`, `signals`).
    """

    message: Message
    account: Account | None
    mailbox: str
    hits: Hits
    language: str
    wall: Wall
    open_items: int = 0
    verdict: Verdict | None = None
    risk: Risk = Risk()  # noqa: RUF009 - frozen


Check = Callable[[Condition, Facts, Rule], tuple[str, bool]]
"""A condition, the mail and the condition's rule in; what is there, in words, and whether it holds, out."""


def keys_of(facts: Facts) -> Iterator[Key]:
    """All that a rule may be filed under (`index`) and this mail has."""
    yield from (key for key, places in facts.hits.items() if len(places) > 0)
    message, account = facts.message, facts.account
    if message.sender is not None:
        address = plain(message.sender.addr_spec)
        yield "from", address
        yield "from", f"*@{address.rpartition('@')[2]}"
    yield from (("account", name) for name in (("none",) if account is None else ("*", plain(account.account_id))))
    yield "manager", plain(account.manager) if account is not None else ""
    yield "tier", plain(account.tier) if account is not None else ""
    yield "language", facts.language.lower()
    yield "mailbox", plain(facts.mailbox)
    yield "automatic", message.automatic.by
    yield from (("signal", name) for name in facts.risk.signals)
    if facts.verdict is not None:
        yield from (("category", name) for name in facts.verdict.chosen or (OTHER,))


# --- the conditions: (what is there, in words; whether it holds) -------------------------------------------


def _words(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    places = [at[0] for each in condition.values if (at := facts.hits.get((condition.key, each), ()))]
    found = list(dict.fromkeys(words for words, _, _ in places))  # two phrases may be found in the same words
    if len(found) == 0:
        return "none of them" if len(condition.values) > 1 else "not there", False
    return ", ".join(f'"{words}"' for words in found[:MOST_SHOWN]), True


def _subject(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    subject = plain(facts.message.subject)
    holds = any(glob(value, subject) if "*" in value else value in subject for value in condition.values)
    return facts.message.subject or "empty", holds


def _from(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    sender = facts.message.sender
    return ("nobody", False) if sender is None else _addressed(condition, (sender,))


def _to(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    return _addressed(condition, facts.message.to + facts.message.cc)


def _mailbox(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    return facts.mailbox, _any_glob(condition, facts.mailbox)


def _account(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    if facts.account is None:
        return "unknown", "none" in condition.values
    account_id = facts.account.account_id
    return account_id, "*" in condition.values or plain(account_id) in condition.values


def _tier(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    tier = "" if facts.account is None else facts.account.tier
    return tier or "none", plain(tier) in condition.values


def _manager(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    person = "" if facts.account is None else facts.account.manager
    return person or "none", plain(person) in condition.values


def _category(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    assert facts.verdict is not None
    chosen = facts.verdict.chosen or (OTHER,)
    return ", ".join(chosen), any(name in condition.values for name in chosen)


def _score(condition: Condition, facts: Facts, rule: Rule) -> tuple[str, bool]:
    asked = _asked(facts, rule)
    holds = any(within(each.score, bound) for bound in condition.values for each in asked)
    return ", ".join(f"{each.category} {each.score:.2f}" for each in asked) or "no score", holds


def _sure(condition: Condition, facts: Facts, rule: Rule) -> tuple[str, bool]:
    assert facts.verdict is not None
    named = any(name in facts.verdict.chosen for name in _categories_of(rule))
    asked = _asked(facts, rule) if named else ()
    if len(asked) == 0:  # of "other" one is sure when every category surely does not apply
        is_sure, what = facts.verdict.sure, "the verdict"
    else:
        is_sure, what = all(each.sure for each in asked), ", ".join(each.category for each in asked)
    return f"{what}: {'sure' if is_sure else 'not sure'}", ("true" if is_sure else "false") in condition.values


def _is_reply(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    word = "true" if facts.message.is_reply else "false"
    return word, word in condition.values


def _language(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    return facts.language or "unclear", facts.language.lower() in condition.values


def _attachment(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    names = [each.filename or each.content_type for each in facts.message.attachments]
    if condition.values in (("true",), ("false",)):
        holds = (len(names) > 0) == (condition.values == ("true",))
    else:
        holds = any(_any_glob(condition, each.filename) for each in facts.message.attachments)
    return ", ".join(names[:MOST_SHOWN]) or "none", holds


def _automatic(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    return facts.message.automatic.by, facts.message.automatic.by in condition.values


def _contract_ends_within(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    ends = sorted(each.ends for each in facts.account.contracts if each.ends is not None) if facts.account else []
    today = facts.wall.moment.date()
    coming = [end for end in ends if end >= today]
    if len(coming) == 0:
        return "no contract with an end to come", False
    days = (coming[0] - today).days
    return f"{coming[0].isoformat()}, in {days} days", any(days <= int(value.split()[0]) for value in condition.values)


def _open_items(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    return str(facts.open_items), any(within(facts.open_items, bound) for bound in condition.values)


def _received(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    wall = facts.wall
    day = WEEKDAYS[wall.moment.weekday()]
    told = "a holiday, " if wall.is_holiday else ""
    told += "business hours" if wall.is_open else "outside business hours"
    actual = f"{day} {wall.moment:%Y-%m-%d %H:%M}, {told}"
    return actual, any(_is_received(value, wall) for value in condition.values)


def _is_received(value: str, wall: Wall) -> bool:
    number = wall.moment.weekday()
    match value:
        case "business hours":
            return wall.is_open
        case "outside business hours":
            return not wall.is_open
        case "holiday":
            return wall.is_holiday
        case "weekend":
            return number >= WEEKDAYS.index("saturday")
    days, _, times = value.rpartition(" ") if value[-1].isdigit() else (value, "", "")
    start, end = (time_of(each) for each in (times or "00:00-24:00").split("-"))
    clock = wall.moment.time().replace(tzinfo=None)
    is_early = start >= end != time(0) and clock < end  # after midnight: it belongs to the day before
    first, _, last = days.partition("-")
    if days != "":
        span = (WEEKDAYS.index(last or first) - WEEKDAYS.index(first)) % 7
        if ((number - is_early) % 7 - WEEKDAYS.index(first)) % 7 > span:
            return False
    return is_early or (clock >= start and (start >= end or clock < end))


def time_of(text: str) -> time:
    """`HH:MM`; `24:00` is midnight, as `00:00` is."""
    hour, minute = text.split(":")
    return time(int(hour) % 24, int(minute))


def _amount(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    found = _amounts_in(facts.message.judged)
    holds = any(_is_amount(each.value, each.currency, bound) for bound in condition.values for each in found)
    return ", ".join(each.words for each in found[:MOST_SHOWN]) or "none", holds


def _is_amount(value: float, currency: str, bound: str) -> bool:
    sign, number, *wanted = bound.split(" ")
    return _SIGNS[sign](value, float(number)) and (wanted == [] or wanted == [currency])


_amounts_in = lru_cache(maxsize=4)(amounts)
_dates_in = lru_cache(maxsize=4)(dates)


def _date_mentioned(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    today = facts.wall.moment.date()
    found = _dates_in(facts.message.judged, received=today, language=facts.language)
    actual = ", ".join(f'"{each.words}" ({each.day.isoformat()})' for each in found[:MOST_SHOWN]) or "none"
    return actual, any(_is_mentioned(value, [each.day for each in found], today) for value in condition.values)


def _is_mentioned(value: str, days: list[date], today: date) -> bool:
    if value in ("true", "false"):
        return (len(days) > 0) == (value == "true")
    return any(today <= day <= today + timedelta(days=int(value.split()[1])) for day in days)


def _from_date(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    day = facts.wall.moment.date().isoformat()
    return f"received {day}", day >= condition.values[0]


def _to_date(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    day = facts.wall.moment.date().isoformat()
    return f"received {day}", day <= condition.values[0]


def _signal(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    found = facts.risk.signals
    return ", ".join(found) or "none", any(name in condition.values for name in found)


def _risk(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    return f"{facts.risk.score:.2f}", any(within(facts.risk.score, bound) for bound in condition.values)


CHECKS: Mapping[str, Check] = {
    "says": _words,
    "pattern": _words,
    "tokens": _words,
    "subject": _subject,
    "from": _from,
    "to": _to,
    "mailbox": _mailbox,
    "account": _account,
    "tier": _tier,
    "manager": _manager,
    "contract_ends_within": _contract_ends_within,
    "open_items": _open_items,
    "category": _category,
    "score": _score,
    "sure": _sure,
    "is_reply": _is_reply,
    "language": _language,
    "attachment": _attachment,
    "automatic": _automatic,
    "received": _received,
    "amount": _amount,
    "date_mentioned": _date_mentioned,
    "signal": _signal,
    "risk": _risk,
    "from_date": _from_date,
    "to_date": _to_date,
}


# --- what the conditions are made of -----------------------------------------------------------------------


def glob(pattern: str, text: str) -> bool:
    """Whether `text` is `pattern` as a whole, `*` standing for anything; nothing else is special, time is linear."""
    first, *rest = pattern.split("*")
    if len(rest) == 0:
        return text == pattern
    if not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(rest[-1]) and text.endswith(rest[-1])


def _any_glob(condition: Condition, text: str) -> bool:
    return any(glob(value, plain(text)) for value in condition.values)


def _addressed(condition: Condition, addresses: tuple[Address, ...]) -> tuple[str, bool]:
    shown = ", ".join(address.addr_spec for address in addresses[:MOST_SHOWN])
    return shown or "nobody", any(_any_glob(condition, address.addr_spec) for address in addresses)


def _categories_of(rule: Rule) -> tuple[str, ...]:
    return next((condition.values for condition in rule.when if condition.key == "category"), ())


def _asked(facts: Facts, rule: Rule) -> tuple[CategoryScore, ...]:
    """The scores that `score` and `sure` look at: of the rule's own categories that were chosen, else the highest."""
    assert facts.verdict is not None
    named = [name for name in facts.verdict.chosen if name in _categories_of(rule)]
    return tuple(each for each in facts.verdict.scores if each.category in named) or facts.verdict.scores[:1]


def within(number: float, bound: str) -> bool:
    """Whether a number meets a bound as conditions hold it: `>= 0.8`."""
    sign, limit = bound.split(" ")
    return _SIGNS[sign](number, float(limit))


_SIGNS: Mapping[str, Callable[[float, float], bool]] = {">=": ge, ">": gt, "<=": le, "<": lt, "=": eq}
