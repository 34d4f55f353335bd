"""A `RuleSet` and the facts of one mail in; evidence, handling and the trace of every rule looked at out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import ge, gt, le, lt
from typing import TypeVar

from triaged.decision import ConditionTrace, FieldSet, RuleTrace
from triaged.model import Account, Address, CategoryScore, Evidence, Message, Risk, Verdict
from triaged.rules.grammar import NO_TEMPLATE, OTHER, CallWish, Condition, Rule, RuleSet, SendPolicy, plain

T = TypeVar("T")

MOST_SHOWN = 5
"""Values or names shown in a trace; the rule file holds the rest."""

Hits = Mapping[str, tuple[tuple[str, int, int], ...]]
"""Phrase (as in `RuleSet.phrases`) → where it was found in `Message.judged`: words as they stand, start, end."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a mail. language: ISO 639-1 or `""`. verdict: None in the first pass (`suggest`, `signals`)."""

    message: Message
    account: Account | None
    mailbox: str
    hits: Hits
    language: str
    now: datetime
    verdict: Verdict | None = None
    risk: Risk = Risk()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class Handling:
    """What the rules want done. fields: what was set, by which rule; `overruled` holds `rule name: value`.

    acknowledge: None also when a rule said `none`; then `fields` shows it. rules: those looked at, in order,
    none after a `stop`. stopped_by: the name of the rule that ended it, or "".
    """

    priority: str
    acknowledge: str | None
    send: SendPolicy | None
    call: CallWish | None
    escalate: str | None
    file: str | None
    due: str | None
    tags: tuple[str, ...]
    fields: tuple[FieldSet, ...]
    rules: tuple[RuleTrace, ...]
    stopped_by: str = ""


def suggest(rules: RuleSet, facts: Facts, *, full: bool = False) -> tuple[tuple[Evidence, ...], tuple[RuleTrace, ...]]:
    """First pass: one `Evidence` for each suggesting rule that holds and each of its categories; see also `signals`.

    The traces are those of all rules that give evidence, of categories or of signals. full: look at every rule and
    every condition, for "why not"; otherwise rules without a phrase hit are passed over, and a rule's conditions are
    looked at up to the first that decides.
    """
    evidence: list[Evidence] = []
    traces: list[RuleTrace] = []
    for rule in _to_look_at(rules, facts, full=full):
        if len(rule.suggests) + len(rule.signals) == 0:
            continue
        trace = _trace(rule, facts, full=full)
        traces.append(trace)
        if trace.fired:
            evidence += _evidence(rule, rule.suggests, facts)
    return tuple(evidence), tuple(traces)


def signals(rules: RuleSet, facts: Facts) -> tuple[Evidence, ...]:
    """First pass too: one `Evidence` for each rule that holds and each of its signals. They are no categories."""
    giving = (rule for rule in _to_look_at(rules, facts, full=False) if len(rule.signals) > 0)
    found = (_evidence(rule, rule.signals, facts) for rule in giving if _trace(rule, facts, full=False).fired)
    return tuple(each for evidence in found for each in evidence)


def _evidence(rule: Rule, named: tuple[tuple[str, float], ...], facts: Facts) -> list[Evidence]:
    words, start, end = _place(rule, facts.hits)
    return [Evidence(rule.source, name, weight, words, start, end) for name, weight in named]


def handle(rules: RuleSet, facts: Facts, *, full: bool = False) -> Handling:
    """Second pass, `facts.verdict` set: the first rule in order that names a field sets it; tags add up.

    full: as in `suggest`; rules after a `stop` stay unlooked at. Raises: ValueError without a verdict.
    """
    if facts.verdict is None:
        raise ValueError("handling needs a verdict")
    fired: list[Rule] = []
    traces: list[RuleTrace] = []
    for rule in _to_look_at(rules, facts, full=full):
        if not rule.handles:
            continue
        trace = _trace(rule, facts, full=full)
        traces.append(trace)
        if trace.fired:
            fired.append(rule)
            if rule.then.stop:
                break
    return _handling(fired, tuple(traces))


def _handling(fired: list[Rule], traces: tuple[RuleTrace, ...]) -> Handling:
    priority, priority_set = _first(fired, "priority", lambda rule: rule.then.priority)
    acknowledge, acknowledge_set = _first(fired, "acknowledge", lambda rule: rule.then.acknowledge)
    send, send_set = _first(fired, "send", lambda rule: rule.then.send)
    call, call_set = _first(fired, "call", lambda rule: rule.then.call)
    escalate, escalate_set = _first(fired, "escalate", lambda rule: rule.then.escalate)
    file, file_set = _first(fired, "file", lambda rule: rule.then.file)
    due, due_set = _first(fired, "due", lambda rule: rule.then.due)
    tags = {tag: rule.name for rule in reversed(fired) for tag in reversed(rule.then.tags)}
    tag_set = tuple(FieldSet("tag", tag, name) for tag, name in reversed(tags.items()))
    return Handling(
        priority=priority or "normal",
        acknowledge=None if acknowledge == NO_TEMPLATE else acknowledge,
        send=send,
        call=call,
        escalate=escalate,
        file=file,
        due=due,
        tags=tuple(each.value for each in tag_set),
        fields=(
            *(priority_set + acknowledge_set + send_set + call_set + escalate_set + file_set + due_set),
            *tag_set,
        ),
        rules=traces,
        stopped_by=next((rule.name for rule in fired if rule.then.stop), ""),
    )


def _first(fired: list[Rule], name: str, value: Callable[[Rule], T | None]) -> tuple[T | None, tuple[FieldSet, ...]]:
    """The first rule's value, and the field with those later rules that would have set another."""
    named = [(rule, found) for rule in fired if (found := value(rule)) is not None]
    if len(named) == 0:
        return None, ()
    winner, chosen = named[0]
    overruled = tuple(f"{rule.name}: {found}" for rule, found in named[1:] if found != chosen)
    return chosen, (FieldSet(name, str(chosen), winner.name, overruled),)


# --- one rule on one mail ----------------------------------------------------------------------------------


def _to_look_at(rules: RuleSet, facts: Facts, *, full: bool) -> list[Rule]:
    """Enabled rules in order; those that wait for a phrase only when one of theirs was found, unless `full`."""
    if full:
        return [rule for rule in rules.rules if rule.enabled]
    numbers = set(rules.without_phrase)
    for phrase, places in facts.hits.items():
        if len(places) > 0:
            numbers.update(rules.by_phrase.get(phrase, ()))
    return [rules.rules[number] for number in sorted(numbers)]


def _trace(rule: Rule, facts: Facts, *, full: bool) -> RuleTrace:
    """Every `when` must hold and no `unless` may; `holds` is the condition itself, on either side."""
    looked_at = []
    fired = True
    for side, conditions in (("when", rule.when), ("unless", rule.unless)):
        for condition in conditions:
            actual, holds = _CHECKS[condition.key](condition, facts, rule)
            looked_at.append(ConditionTrace(f"{side}.{condition.key}", _wanted(condition), actual, holds))
            fired = fired and holds == (side == "when")
            if not (fired or full):
                return RuleTrace(rule.name, rule.source, False, tuple(looked_at))
    return RuleTrace(rule.name, rule.source, fired, tuple(looked_at))


def _place(rule: Rule, hits: Hits) -> tuple[str, int, int]:
    """The first place in the mail of any phrase the rule waits for."""
    found = [
        place
        for condition in rule.when
        if condition.key == "says"
        for phrase in condition.values
        for place in hits.get(phrase, ())
    ]
    return min(found, key=lambda place: (place[1], -place[2]), default=("", -1, -1))


def _wanted(condition: Condition) -> str:
    if len(condition.values) > MOST_SHOWN:
        return f"{' or '.join(condition.values[:MOST_SHOWN])} or {len(condition.values) - MOST_SHOWN} more"
    return " or ".join(condition.values)


# --- the conditions: (what is there, in words; whether it holds) -------------------------------------------


def _says(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    found = [facts.hits[phrase][0][0] for phrase in condition.values if len(facts.hits.get(phrase, ())) > 0]
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
    holds = any(_within(each.score, bound) for bound in condition.values for each in asked)
    return ", ".join(f"{each.category} {each.score:.2f}" for each in asked) or "no score", holds


def _sure(condition: Condition, facts: Facts, rule: Rule) -> tuple[str, bool]:
    assert facts.verdict is not None
    asked = _asked(facts, rule) if len(_categories_of(rule)) > 0 else ()
    if len(asked) == 0:
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


def _signal(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    found = facts.risk.signals
    return ", ".join(found) or "none", any(name in condition.values for name in found)


def _risk(condition: Condition, facts: Facts, _rule: Rule) -> tuple[str, bool]:
    return f"{facts.risk.score:.2f}", any(_within(facts.risk.score, bound) for bound in condition.values)


_CHECKS: Mapping[str, Callable[[Condition, Facts, Rule], tuple[str, bool]]] = {
    "says": _says,
    "subject": _subject,
    "from": _from,
    "to": _to,
    "mailbox": _mailbox,
    "account": _account,
    "tier": _tier,
    "manager": _manager,
    "category": _category,
    "score": _score,
    "sure": _sure,
    "is_reply": _is_reply,
    "language": _language,
    "attachment": _attachment,
    "automatic": _automatic,
    "signal": _signal,
    "risk": _risk,
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


def _within(score: float, bound: str) -> bool:
    sign, number = bound.split(" ")
    return _SIGNS[sign](score, float(number))


_SIGNS: Mapping[str, Callable[[float, float], bool]] = {">=": ge, ">": gt, "<=": le, "<": lt}
