"""A rule set that loads in, hints out: what it allows and its author can hardly mean, by file and line, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from triaged.errors import Problem
from triaged.rules.facts import glob
from triaged.rules.grammar import NO_TEMPLATE, SINGLE, Rule, RuleSet, plain
from triaged.rules.implies import Filed, candidates, file_under, implies
from triaged.rules.impossible import impossible
from triaged.rules.phrasing import listed, phrasing
from triaged.rules.places import Places, places_of, texts_in
from triaged.tomlfile import did_you_mean

NEUTRAL = "received"
"""The one template that says nothing of what the mail is about."""


def lint(
    rules: RuleSet, *, files: Mapping[str, bytes], templates: frozenset[str], mailboxes: frozenset[str], today: date
) -> tuple[Problem, ...]:
    """Every hint, by file and line. files: the folder of the rules, as it was read. templates: those rules may name.

    mailboxes: their names. today: on the desk's wall clock.
    """
    places = places_of(rules.rules, files)
    enabled = [rule for rule in rules.rules if rule.enabled]
    hints: list[Problem] = []
    for rule in enabled:
        hints += impossible(rule, places, today=today)
        hints += phrasing(rule, places)
        hints += _by_machine(rule, places)
        hints += _no_mailbox(rule, places, mailboxes)
    hints += _overruled(enabled, places)
    hints += _unhandled(rules, enabled, places)
    hints += _unused(rules, files, templates, places)
    hints += _bare(enabled)
    return tuple(sorted(dict.fromkeys(hints), key=by_line))


def by_line(problem: Problem) -> tuple[str, int]:
    """File and line of a problem, to put them in order."""
    name, _, line = problem.where.rpartition(":")
    return (name, int(line)) if name != "" and line.isdigit() else (problem.where, 0)


# --- rules beside each other ------------------------------------------------------------------------------------


def _overruled(enabled: Sequence[Rule], places: Places) -> Iterator[Problem]:
    """Rules whose handling an earlier one always forestalls, wholly or in one field."""
    filed: Filed = {}
    handling = [rule for rule in enabled if rule.handles]
    for number, rule in enumerate(handling):
        before = [handling[each] for each in candidates(filed, rule) if implies(rule, handling[each])]
        if len(before) > 0:
            yield from _forestalled(rule, before, places)
        file_under(filed, number, rule)


def _forestalled(rule: Rule, before: Sequence[Rule], places: Places) -> Iterator[Problem]:
    """before: earlier rules that hold whenever this one does."""
    handling = "its handling" if len(rule.suggests) + len(rule.signals) > 0 else "this rule"
    stopping = next((each for each in before if each.then.stop), None)
    if stopping is not None:
        yield Problem(
            places.where(rule),
            f"{handling} is never reached: whenever it could act, {_named(stopping)} comes first and ends the handling "
            "(then.stop); move it above that rule, or take it out",
        )
        return
    fields = [name for name in SINGLE if getattr(rule.then, name) is not None]
    setter = {name: each for each in reversed(before) for name in fields if getattr(each.then, name) is not None}
    if len(setter) == len(fields) and _adds_nothing(rule, before):
        names = " and ".join(dict.fromkeys(_named(each) for each in setter.values()) or [_named(before[0])])
        yield Problem(
            places.where(rule),
            f"{handling} never does anything: whenever it could act, {names} has set the same before; "
            "move it above, make it ask for less, or take it out",
        )
        return
    for name, first in setter.items():
        mine, theirs = str(getattr(rule.then, name)), str(getattr(first.then, name))
        if mine != theirs:
            yield Problem(
                places.where(rule, "then", name),
                f"then.{name} = '{mine}' never counts: whenever this rule holds, {_named(first)} holds too, comes "
                f"first and sets '{theirs}'; move this rule above it, or take one of the two out",
            )


def _adds_nothing(rule: Rule, before: Sequence[Rule]) -> bool:
    """Whether its tags and those it tells are all there already, and it ends nothing."""
    tags = {tag for each in before for tag in each.then.tags}
    told = {name for each in before for name in each.then.notify}
    return not rule.then.stop and set(rule.then.tags) <= tags and set(rule.then.notify) <= told


def _named(rule: Rule) -> str:
    return f"'{rule.name}' ({rule.source})"


# --- one rule ---------------------------------------------------------------------------------------------------


def _by_machine(rule: Rule, places: Places) -> Iterator[Problem]:
    """A text about a topic that leaves without a person, for a complaint or a mail that is not sure."""
    then = rule.then
    if then.acknowledge in (None, NO_TEMPLATE, NEUTRAL) or then.send is None or then.send.mode not in ("auto", "hold"):
        return
    when = {each.key: each.values for each in rule.when}
    kinds = [
        ("a complaint", "complaint" in when.get("category", ())),
        ("a mail that is not sure", "false" in when.get("sure", ())),
    ]
    for kind, is_asked in kinds:
        if is_asked:
            yield Problem(
                places.where(rule, "then", "send"),
                f"{kind} would be answered by machine with '{then.acknowledge}' (send = \"{then.send}\"); "
                f'write then.send = "approve", so that a person sees it first, or then.acknowledge = "{NEUTRAL}"',
            )


def _no_mailbox(rule: Rule, places: Places, mailboxes: frozenset[str]) -> Iterator[Problem]:
    for side, conditions in (("when", rule.when), ("unless", rule.unless)):
        for each in (each for each in conditions if each.key == "mailbox"):
            for value in each.values:
                if "*" in value and not any(glob(value, plain(name)) for name in mailboxes):
                    yield Problem(
                        places.where(rule, side, "mailbox"),
                        f"no mailbox is called like '{value}' (there is: {', '.join(sorted(mailboxes))})",
                    )


# --- the whole set ----------------------------------------------------------------------------------------------


def _unhandled(rules: RuleSet, enabled: Sequence[Rule], places: Places) -> Iterator[Problem]:
    """Categories and signals that are given and asked for by nothing, or asked for and given by nothing."""
    for kind, given_by in (("category", "suggests"), ("signal", "signals")):
        asked = {
            value: rule for rule in reversed(enabled) for each in rule.when if each.key == kind for value in each.values
        }
        given = {name: rule for rule in reversed(enabled) for name, _ in getattr(rule, given_by)}
        switched_off = {name: rule for rule in rules.rules if not rule.enabled for name, _ in getattr(rule, given_by)}
        for name, rule in given.items():
            if kind == "category" and name not in asked and not _is_handled_anyway(name, enabled):
                yield Problem(
                    places.where(rule, "then", given_by),
                    f"no rule says what is done with the category '{name}', so such a mail gets no answer and normal "
                    f'priority; add a rule with when.category = "{name}"{did_you_mean(name, asked.keys() - {name})}',
                )
        for name in switched_off.keys() & asked.keys() - given.keys():
            yield Problem(
                places.where(asked[name], "when", kind),
                f"only rules that are switched off give the {kind} '{name}', such as {_named(switched_off[name])}; "
                "write enabled = true there, or take this rule out",
            )


def _is_handled_anyway(category: str, enabled: Sequence[Rule]) -> bool:
    """Whether some rule answers mail of any category but those it excludes."""
    return any(
        rule.then.acknowledge is not None
        and not any(each.key == "category" for each in rule.when)
        and any(each.key == "category" and category not in each.values for each in rule.unless)
        for rule in enabled
    )


def _unused(rules: RuleSet, files: Mapping[str, bytes], templates: frozenset[str], places: Places) -> Iterator[Problem]:
    named = {rule.then.acknowledge for rule in rules.rules}
    for name in sorted(templates - named - {NEUTRAL}):
        yield Problem(
            f"templates/{name}.txt",
            f'no rule names this template; name it (then.acknowledge = "{name}") or take it away',
        )
    said = {plain(text) for rule in rules.rules for text in texts_in(dict(places.raw(rule)))}
    for name in sorted(name for name in rules.lists if f"@{name}" not in said):
        near = did_you_mean(f"@{name}", (text for text in said if text.startswith("@")))
        yield Problem(f"lists/{name}.txt", f'no rule names this list; name it as "@{name}"{near}, or take it away')
    mails = {example.file for rule in rules.rules for example in rule.examples}
    for name in sorted(name for name in files if name.lower().endswith(".eml") and name not in mails):
        yield Problem(name, f'no example names this mail; add one (file = "{name}") or take it away')


def _bare(enabled: Sequence[Rule]) -> Iterator[Problem]:
    """Rules without a reason, and rules that nothing shows to work; a line each for all of them."""
    silent = [rule for rule in enabled if rule.because == ""]
    if len(silent) > 0:
        what = (
            f"no because: {listed([rule.name for rule in silent])}; a sentence why it exists is shown wherever it acts"
        )
        yield Problem(silent[0].source, f"{_count(silent)} {'has' if len(silent) == 1 else 'have'} {what}")
    unproved = [rule for rule in enabled if len(rule.suggests) + len(rule.signals) > 0 and len(rule.examples) == 0]
    if len(unproved) > 0:
        what = f"no example: {listed([rule.name for rule in unproved])}; a [[rule.example]] keeps each right"
        yield Problem(unproved[0].source, f"{_count(unproved)} {'has' if len(unproved) == 1 else 'have'} {what}")


def _count(rules: Sequence[Rule]) -> str:
    return "1 rule" if len(rules) == 1 else f"{len(rules)} rules"
