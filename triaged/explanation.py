"""A replayed decision in, why it came out so and why a rule did not decide otherwise out, in parts to be shown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from triaged.classify.verdict import OWN
from triaged.clocks.derivation import Step, derivation, moment_words
from triaged.clocks.hours import parse_span
from triaged.decide import facts_of
from triaged.decision import ConditionTrace, Decision, RuleTrace
from triaged.errors import ConfigError, Gone
from triaged.loading import rules_and_templates
from triaged.model import Evidence, Message
from triaged.playbook import sought_by
from triaged.replay import Remade, Replay, as_today
from triaged.rules.facts import Facts
from triaged.rules.grammar import DATES, NO_TEMPLATE, SINGLE, Rule, RuleSet
from triaged.rules.match import look_at, met
from triaged.rules.named import rule_named
from triaged.settings import Config


@dataclass(frozen=True, slots=True)
class ToldRule:
    """One rule on one mail. near: all of its conditions but one are met. gave: the evidence that it gave.

    unseen: why it was not looked at when it was decided, in words; `""` when it was.
    """

    name: str
    source: str
    because: str
    fired: bool
    near: bool
    conditions: tuple[ConditionTrace, ...]
    gave: tuple[Evidence, ...]
    unseen: str = ""


Outcome = Literal["set", "same", "overruled", "not set"]
"""set: by this rule. same: an earlier rule had set the same. overruled: an earlier one had set another value."""


@dataclass(frozen=True, slots=True)
class ToldField:
    """A field that a rule names. by, now: the rule that set it and its value, `""` where none did."""

    field: str
    value: str
    outcome: Outcome
    by: str
    now: str


@dataclass(frozen=True, slots=True)
class WhyNot:
    """What became of one rule on one mail. today: by the rules of today, for those of its day did not have it.

    answer: sentences, the first says it all. conditions: every one. fields: what it names, when its conditions are met.
    """

    name: str
    source: str
    because: str
    today: bool
    fired: bool
    answer: tuple[str, ...]
    conditions: tuple[ConditionTrace, ...]
    fields: tuple[ToldField, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """message, replay: what is explained. decision: as stored, with every rule in its trace where it came out the same.

    rules: those looked at, in order, then the others of the set, as far as they are known.
    due_steps: how the due time came about, `()` where it cannot be told. no_due: why no answer is owed, or `""`.
    thresholds: the score from which on each category counts; of none where the calibration is not known.
    """

    message: Message
    replay: Replay
    decision: Decision
    rules: tuple[ToldRule, ...]
    due_steps: tuple[Step, ...]
    no_due: str
    thresholds: dict[str, float]
    why_not: WhyNot | None


def explanation(message: Message, replay: Replay, *, why_not: WhyNot | None = None) -> Explanation:
    """Put together all that is told of a mail's decision."""
    same = replay.remade if replay.reproduced else None
    decision = same.decision if same is not None else replay.stored
    rules = (*_told_rules(decision, same), *(_unseen_rules(same) if same is not None else ()))
    fits = same.playbook.model.calibration.categories if same is not None else {}
    names = [each.category for each in decision.verdict.scores] if same is not None else []
    return Explanation(
        message=message,
        replay=replay,
        decision=decision,
        rules=rules,
        due_steps=tuple(due_steps(same)) if same is not None else (),
        no_due=_no_due(message, decision),
        thresholds={name: fits.get(name, OWN).threshold for name in names},
        why_not=why_not,
    )


def _told_rules(decision: Decision, remade: Remade | None) -> Iterator[ToldRule]:
    """Each rule once, though one that gives evidence and handles too was looked at twice."""
    because = {each.source: each.because for each in remade.playbook.rules.rules} if remade is not None else {}
    given = (*decision.verdict.evidence, *decision.risk.evidence)
    traces: dict[str, RuleTrace] = {}
    for trace in decision.rules:
        traces.setdefault(trace.source, trace)
    for source, trace in traces.items():
        yield ToldRule(
            name=trace.name,
            source=source,
            because=because.get(source, ""),
            fired=trace.fired,
            near=remade is not None and not trace.fired and _is_near(trace.conditions),
            conditions=trace.conditions,
            gave=tuple(each for each in given if each.source == source) if trace.fired else (),
        )


def _unseen_rules(remade: Remade) -> Iterator[ToldRule]:
    """Rules that are switched off, and those after one that stops."""
    seen = {each.source for each in remade.decision.rules}
    rules = [each for each in remade.playbook.rules.rules if each.source not in seen]
    facts = _facts(rules, remade)
    for rule in rules:
        stopped_by = _stopped_before(rule, remade)
        why = "switched off (enabled = false)" if not rule.enabled else f"after “{stopped_by}”, which stops"
        conditions = look_at(rule, facts).conditions
        yield ToldRule(rule.name, rule.source, rule.because, False, False, conditions, (), why)


def _facts(rules: Iterable[Rule], remade: Remade) -> Facts:
    """What was known of the mail once all was weighed. rules: whose words are looked for."""
    facts = facts_of(
        remade.message,
        locator=remade.locator,
        playbook=remade.playbook,
        background=remade.background,
        sought=sought_by(rules),
    )
    return dataclasses.replace(facts, verdict=remade.decision.verdict, risk=remade.decision.risk)


def _is_near(conditions: tuple[ConditionTrace, ...]) -> bool:
    """One condition is not met, and something that the rule asks for is there: more than that the account is known.

    `score` and `sure` look at another category where the rule's own was not chosen.
    """
    unmet = [each.key for each in conditions if not met(each)]
    asked = [each for each in conditions if each.key.startswith("when.") and each.wanted != "*"]
    if "when.category" in unmet:
        asked = [each for each in asked if each.key not in ("when.score", "when.sure")]
    return len(unmet) == 1 and any(each.holds for each in asked)


# --- how the due time came about ---------------------------------------------------------------------------------


def due_steps(remade: Remade) -> Iterator[Step]:
    """From the moment the mail was received to the one an answer is due; nothing where none is."""
    decision, message, playbook = remade.decision, remade.message, remade.playbook
    if decision.due is None:
        return
    received = message.received
    yield Step(received, "received", moment_words(received, playbook.hours.timezone))
    wanted, where = _span(remade)
    yield Step(received, "span", where)
    yield from derivation(received, parse_span(wanted), playbook.hours)


def _span(remade: Remade) -> tuple[str, str]:
    """How long, in words, and where that stands."""
    set_by = {each.field: each for each in remade.decision.fields}
    if (due := set_by.get("due")) is not None:
        return due.value, f"{due.value}: set by {_ruled(due.rule, remade.playbook.rules)}"
    priority = remade.decision.priority
    span = str(json.loads(remade.playbook.settings)["due"][priority])
    if (field := set_by.get("priority")) is not None:
        why = f"set by {_ruled(field.rule, remade.playbook.rules)}"
    else:
        why = "for no rule sets another"
    return span, f"{span} ([due] {priority} in config.toml): the priority is {priority}, {why}"


def _no_due(message: Message, decision: Decision) -> str:
    if decision.due is not None:
        return ""
    if message.automatic.by == "machine":
        return "no answer is owed: a machine wrote it"
    return "no answer is owed: it is of no category, and that is sure"


# --- why not --------------------------------------------------------------------------------------------------------


def asked(wanted: str, found: Replay, config: Config) -> WhyNot:
    """What became of the rule that somebody names; one that only today's files have is tried as it stands today.

    wanted: as in `rules.named.rule_named`. Raises: ValueError (no such rule, or several), Gone (nothing is known of
    it), ConfigError (what stands in the files today cannot be tried).
    """
    remade = found.remade
    if remade is None:
        trace = next((each for each in found.stored.rules if wanted.lower() in (each.name.lower(), each.source)), None)
        if trace is None:
            raise Gone(f"nothing was written down of a rule “{wanted}”, and it cannot be tried: {found.problem}")
        return stored_why_not(trace)
    then = {each.name: each for each in remade.playbook.rules.rules}
    today: dict[str, Rule] = {}
    with suppress(ConfigError):  # what is wrong in the files now is no matter for a mail of then
        today = {each.name: each for each in rules_and_templates(config)[0].rules}
    name = rule_named(wanted, {each.name: each.source for each in (today | then).values()})
    if name in then:
        return why_not(then[name], remade)
    return why_not(today[name], as_today(remade, config), today=True)


def why_not(rule: Rule, remade: Remade, *, today: bool = False) -> WhyNot:
    """Look at one rule, wherever it stands and be it enabled or not. today: it is one of today's."""
    trace = look_at(rule, _facts([rule], remade))
    fired = any(each.fired for each in remade.decision.rules if each.source == rule.source)
    answer, fields = _answer(rule, trace, remade)
    return WhyNot(rule.name, rule.source, rule.because, today, fired, answer, trace.conditions, fields)


def stored_why_not(trace: RuleTrace) -> WhyNot:
    """What is known of a rule where the decision cannot be made again."""
    told = "it fired" if trace.fired else "it did not fire"
    answer = (f"{told}; what was written down of it then:",)
    return WhyNot(trace.name, trace.source, "", False, trace.fired, answer, trace.conditions)


def _answer(rule: Rule, trace: RuleTrace, remade: Remade) -> tuple[tuple[str, ...], tuple[ToldField, ...]]:
    if not rule.enabled:
        would = "all its conditions are met" if trace.fired else "nor are all its conditions met"
        return (f"it is switched off (enabled = false), so it could not fire; {would}",), ()
    if not trace.fired:
        return tuple(_unmet(trace, remade)), ()
    stopped_by = _stopped_before(rule, remade)
    fields = tuple(_fields(rule, remade.decision, had_its_turn=stopped_by is None))
    gave = tuple(_gave(rule, remade))
    if stopped_by is None:
        late = len(fields) > 0 and not rule.then.stop and all(each.outcome != "set" for each in fields)
        first = (
            "it fired, but too late to set anything: earlier rules had set all that it names" if late else "it fired"
        )
        return (first, *gave, *_came_of(rule, remade, fields)), fields
    stopper = _ruled(stopped_by, remade.playbook.rules)
    first = f"its conditions are met, but {stopper} stands before it, fired and lets no later rule handle (stop = true)"
    return (first, *(f"what it knows of the mail counted all the same: {each}" for each in gave)), fields


def _unmet(trace: RuleTrace, remade: Remade) -> Iterator[str]:
    """Which conditions kept it from firing."""
    verdict, fits = remade.decision.verdict, remade.playbook.model.calibration.categories
    unmet = [each for each in trace.conditions if not met(each)]
    if len(trace.conditions) == 1:
        yield "it did not fire: its only condition is not met"
    elif len(unmet) == len(trace.conditions):
        yield f"it did not fire: none of its {len(unmet)} conditions is met"
    else:
        verb = "is" if len(unmet) == 1 else "are"
        yield f"it did not fire: {len(unmet)} of its {len(trace.conditions)} conditions {verb} not met"
    for each in unmet:
        if each.key in DATES:
            when = "from" if each.key == "from_date" else "until"
            yield f"it counts only {when} {each.wanted}; the mail was {each.actual}"
        if each.key == "when.category":
            for score in (score for score in verdict.scores if score.category in each.wanted.split(" or ")):
                threshold = fits.get(score.category, OWN).threshold
                yield f"{score.category} came to {score.score:.2f} and counts from {threshold:.2f} on"


def _stopped_before(rule: Rule, remade: Remade) -> str | None:
    """The name of the rule that stopped handling before this one's turn; None when it had it, or handles nothing."""
    if not rule.handles:
        return None
    fired = {each.source for each in remade.decision.rules if each.fired}
    for each in remade.playbook.rules.rules:
        if each.source == rule.source:
            return None
        if each.then.stop and each.source in fired:
            return each.name
    return None


def _gave(rule: Rule, remade: Remade) -> Iterator[str]:
    """What its evidence came to."""
    verdict = remade.decision.verdict
    for category, weight in rule.suggests:
        fit = remade.playbook.model.calibration.categories.get(category, OWN)
        chosen = "so it was chosen" if category in verdict.chosen else "so it was not chosen"
        score = verdict.score(category)
        yield (
            f"it spoke for {category} with {weight:.2f}; with all else that came to {score:.2f}, and {category} counts "
            f"from {fit.threshold:.2f} on, {chosen}"
        )
    for signal, weight in rule.signals:
        yield f"it gave the signal {signal} with {weight:.2f}; the risk came to {remade.decision.risk.score:.2f}"


def _fields(rule: Rule, decision: Decision, *, had_its_turn: bool) -> Iterator[ToldField]:
    then = rule.then
    named = [(name, str(value)) for name in SINGLE if (value := getattr(then, name)) is not None]
    added = [*(("tag", value) for value in then.tags), *(("notify", value) for value in then.notify)]
    for name, value in named:
        field = next((each for each in decision.fields if each.field == name), None)
        yield _told_field(
            rule, name, value, (field.rule, field.value) if field is not None and had_its_turn else ("", "")
        )
    for name, value in added:
        by = next((each.rule for each in decision.fields if (each.field, each.value) == (name, value)), "")
        yield _told_field(rule, name, value, (by, value) if by != "" and had_its_turn else ("", ""))


def _told_field(rule: Rule, name: str, value: str, winner: tuple[str, str]) -> ToldField:
    by, now = winner
    outcome: Outcome
    if by == "":
        outcome = "not set"
    elif by == rule.name:
        outcome = "set"
    else:
        outcome = "same" if now == value else "overruled"
    return ToldField(name, value, outcome, by, now)


def _came_of(rule: Rule, remade: Remade, fields: tuple[ToldField, ...]) -> Iterator[str]:
    """Where what it set was not all that decided."""
    decision, won = remade.decision, {each.field for each in fields if each.outcome == "set"}
    template = decision.acknowledge.template or NO_TEMPLATE
    if "acknowledge" in won and template != rule.then.acknowledge:
        yield f"the client's text is {template} all the same: {decision.acknowledge.reason}"
    if "call" in won and decision.call is None:
        yield "no call was planned all the same; 'triaged show' has the reason, if a person was asked"


def _ruled(name: str, rules: RuleSet) -> str:
    """`“Complaint” (handling.toml:52)`."""
    source = next((each.source for each in rules.rules if each.name == name), "")
    return f"“{name}” ({source})" if source != "" else f"“{name}”"
