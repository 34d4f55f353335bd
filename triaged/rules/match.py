"""A `RuleSet` and the facts of one mail in; evidence, handling and the trace of every rule looked at out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from triaged.decision import ConditionTrace, FieldSet, RuleTrace
from triaged.model import Evidence
from triaged.rules.facts import CHECKS, MOST_SHOWN, Facts, Hits, keys_of
from triaged.rules.grammar import DATES, NO_TEMPLATE, WORDS, CallWish, Condition, Rule, RuleSet, SendPolicy

T = TypeVar("T")


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
    assign: str | None
    file: str | None
    due: str | None
    tags: tuple[str, ...]
    notify: tuple[str, ...]
    fields: tuple[FieldSet, ...]
    rules: tuple[RuleTrace, ...]
    stopped_by: str = ""


def suggest(rules: RuleSet, facts: Facts, *, full: bool = False) -> tuple[tuple[Evidence, ...], tuple[RuleTrace, ...]]:
    """First pass: one `Evidence` for each suggesting rule that holds and each of its categories; see also `signals`.

    The traces are those of all rules that give evidence, of categories or of signals. full: look at every rule and
    every condition, for "why not"; otherwise rules that cannot hold are passed over (see `index`), and a rule's
    conditions are looked at up to the first that decides.
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
    """Second pass, `facts.verdict` set: the first rule in order that names a field sets it; tags and `notify` add up.

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


def look_at(rule: Rule, facts: Facts) -> RuleTrace:
    """Every condition of one rule, be it enabled or not, on a mail whose verdict is known."""
    return _trace(rule, facts, full=True)


def met(condition: ConditionTrace) -> bool:
    """Whether the rule may fire for all that this condition says: a `when` that holds, an `unless` that does not."""
    return condition.holds != condition.key.startswith("unless.")


def _handling(fired: list[Rule], traces: tuple[RuleTrace, ...]) -> Handling:
    priority, priority_set = _first(fired, "priority", lambda rule: rule.then.priority)
    acknowledge, acknowledge_set = _first(fired, "acknowledge", lambda rule: rule.then.acknowledge)
    send, send_set = _first(fired, "send", lambda rule: rule.then.send)
    call, call_set = _first(fired, "call", lambda rule: rule.then.call)
    escalate, escalate_set = _first(fired, "escalate", lambda rule: rule.then.escalate)
    assign, assign_set = _first(fired, "assign", lambda rule: rule.then.assign)
    file, file_set = _first(fired, "file", lambda rule: rule.then.file)
    due, due_set = _first(fired, "due", lambda rule: rule.then.due)
    tag_set = _all(fired, "tag", lambda rule: rule.then.tags)
    notify_set = _all(fired, "notify", lambda rule: rule.then.notify)
    return Handling(
        priority=priority or "normal",
        acknowledge=None if acknowledge == NO_TEMPLATE else acknowledge,
        send=send,
        call=call,
        escalate=escalate,
        assign=assign,
        file=file,
        due=due,
        tags=tuple(each.value for each in tag_set),
        notify=tuple(each.value for each in notify_set),
        fields=(
            *(priority_set + acknowledge_set + send_set + call_set + escalate_set + assign_set + file_set + due_set),
            *(tag_set + notify_set),
        ),
        rules=traces,
        stopped_by=next((rule.name for rule in fired if rule.then.stop), ""),
    )


def _all(fired: list[Rule], name: str, values: Callable[[Rule], tuple[str, ...]]) -> tuple[FieldSet, ...]:
    """What adds up over all rules: each value once, by the first that names it."""
    found: dict[str, str] = {}
    for rule in fired:
        for value in values(rule):
            found.setdefault(value, rule.name)
    return tuple(FieldSet(name, value, rule) for value, rule in found.items())


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
    """Enabled rules in order; those filed under a key only when the mail has it, unless `full`."""
    if full:
        return [rule for rule in rules.rules if rule.enabled]
    numbers = set(rules.always)
    for key in keys_of(facts):
        numbers.update(rules.by_key.get(key, ()))
    return [rules.rules[number] for number in sorted(numbers)]


def _trace(rule: Rule, facts: Facts, *, full: bool) -> RuleTrace:
    """Every `when` must hold and no `unless` may; `holds` is the condition itself, on either side."""
    looked_at = []
    fired = True
    for side, conditions in (("when", rule.when), ("unless", rule.unless)):
        for condition in conditions:
            actual, holds = CHECKS[condition.key](condition, facts, rule)
            key = condition.key if condition.key in DATES else f"{side}.{condition.key}"
            looked_at.append(ConditionTrace(key, _wanted(condition), actual, holds))
            fired = fired and holds == (side == "when")
            if not (fired or full):
                return RuleTrace(rule.name, rule.source, False, tuple(looked_at))
    return RuleTrace(rule.name, rule.source, fired, tuple(looked_at))


def _place(rule: Rule, hits: Hits) -> tuple[str, int, int]:
    """The first place in the mail of any words the rule waits for."""
    found = [
        place
        for condition in rule.when
        if condition.key in WORDS
        for value in condition.values
        for place in hits.get((condition.key, value), ())
    ]
    return min(found, key=lambda place: (place[1], -place[2]), default=("", -1, -1))


def _wanted(condition: Condition) -> str:
    if len(condition.values) > MOST_SHOWN:
        return f"{' or '.join(condition.values[:MOST_SHOWN])} or {len(condition.values) - MOST_SHOWN} more"
    return " or ".join(condition.values)
