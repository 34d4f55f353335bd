"""A playbook and the mails of the log in, hints about its rules out: what never holds, and what comes into conflict.

Every mail is decided about again by these rules, with what was known of it on its day; nothing is written or sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from triaged.accounts.match import directory
from triaged.again import decided_again, weighers_of
from triaged.decide import hits
from triaged.decision import Decision
from triaged.errors import Problem
from triaged.log.past import past_mails, past_rows
from triaged.log.read import Reader
from triaged.mail.donotanswer import DoNotAnswer
from triaged.model import Account
from triaged.playbook import Playbook
from triaged.rules.facts import Hits
from triaged.rules.grammar import WORDS, Condition, Key, Rule, plain
from triaged.rules.implies import implies
from triaged.rules.lint import NEUTRAL, by_line
from triaged.rules.phrasing import listed
from triaged.rules.places import Places, places_of
from triaged.tomlfile import did_you_mean
from triaged.worker.triage import Desk

MOST_MAILS = 5_000
"""The newest; 0.7 ms each, 3.5 s in all (measured 2026-11-29 on the demo's mails)."""
LEAST_MAILS = 200
"""With fewer, that a phrase was not found says nothing."""
BATCH = 64
MOST_PAIRS = 5
"""Rules named that overrule another, and words that silence one: those of most mails first."""

What = TypeVar("What")
Progress = Callable[[int, int], None]
"""Told how many mails of how many are done."""


@dataclass(frozen=True, slots=True)
class _Mail:
    """A mail that shows something. row: its number in the log."""

    row: int
    subject: str

    def __str__(self) -> str:
        return f"mail {self.row} '{self.subject}'"


@dataclass(slots=True)
class _Met:
    """A thing that happened, the first mail it happened to, and to how many."""

    mail: _Mail
    count: int = 1


@dataclass(slots=True)
class _Seen:
    """What was found in the mails. found: words that rules wait for. fired: rules by name.

    conflicts: (field, rule, value, overruled rule, its value). answered: (`complaint` or `unsure`, template).
    silenced: (rule, phrase that is there, phrase because of which it did not hold).
    """

    mails: int = 0
    found: Counter[Key] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    conflicts: dict[tuple[str, str, str, str, str], _Met] = field(default_factory=dict)
    answered: dict[tuple[str, str], _Met] = field(default_factory=dict)
    silenced: dict[tuple[str, str, str], _Met] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogCheck:
    """mails: how many were looked at. hints: by file and line."""

    mails: int
    hints: tuple[Problem, ...]


def check_log(
    path: Path, playbook: Playbook, *, since: datetime, progress: Progress, within_files: bool = True
) -> LogCheck:
    """Decide again about the mails received since then, the newest 5,000. path: the log. within_files: tell of each
    conflict of rules in one file too, not only how many there are."""
    reader = Reader(path)
    try:
        accounts, seen = reader.accounts(), _Seen()
        rows = past_rows(reader, since=since)[:MOST_MAILS]
        desk, weighers = Desk(playbook, directory(accounts), reader, DoNotAnswer()), weighers_of(reader, playbook.model)
        for start in range(0, len(rows), BATCH):
            for each in decided_again(past_mails(reader, rows[start : start + BATCH]), playbook, weighers, desk):
                message = each.mail.message
                found = hits(playbook.sought, message.judged, each.decision.verdict.language)
                _note(seen, _Mail(each.mail.row, message.subject), each.decision, found, playbook)
            progress(min(start + BATCH, len(rows)), len(rows))
    finally:
        reader.close()
    rules = playbook.rules.rules
    places = places_of(rules, playbook.written.rules)
    hints = [
        *_idle(seen, rules, places),
        *_conflicts(seen, rules, places, within_files=within_files),
        *_answered(seen),
        *_silenced(seen, rules, places),
    ]
    hints += _unknown_accounts(rules, accounts, places)
    return LogCheck(seen.mails, tuple(sorted(hints, key=by_line)))


# --- looking ----------------------------------------------------------------------------------------------------


def _note(seen: _Seen, mail: _Mail, decision: Decision, found: Hits, playbook: Playbook) -> None:
    seen.mails += 1
    seen.found.update(key for key, places in found.items() if len(places) > 0)
    by_name = {rule.name: rule for rule in playbook.rules.rules}
    for trace in decision.rules:
        if trace.fired:
            seen.fired[trace.name] += 1
        elif len(trace.conditions) > 0 and trace.conditions[-1].key == "unless.says" and trace.conditions[-1].holds:
            _note_silenced(seen, mail, by_name[trace.name], found)
    for each in decision.fields:
        for other in each.overruled:
            name = max((name for name in by_name if other.startswith(f"{name}: ")), key=len, default="")
            _meet(seen.conflicts, (each.field, each.rule, each.value, name, other[len(name) + 2 :]), mail)
    template = decision.acknowledge.template or NEUTRAL
    if decision.acknowledge.would_send and template != NEUTRAL:
        if "complaint" in decision.verdict.chosen:
            _meet(seen.answered, ("complaint", template), mail)
        elif not decision.verdict.sure:
            _meet(seen.answered, ("unsure", template), mail)


def _note_silenced(seen: _Seen, mail: _Mail, rule: Rule, found: Hits) -> None:
    """A phrase of the rule stands in the mail, apart from the words because of which it did not hold."""
    refused = [(value, place) for value in _says(rule.unless) for place in found.get(("says", value), ())]
    for value in _says(rule.when):
        for _, start, end in found.get(("says", value), ()):
            if all(end <= first or start >= last for _, (_, first, last) in refused):
                _meet(seen.silenced, (rule.name, value, refused[0][0]), mail)
                return


def _says(conditions: Sequence[Condition]) -> tuple[str, ...]:
    return next((each.values for each in conditions if each.key == "says"), ())


def _meet(met: dict[What, _Met], key: What, mail: _Mail) -> None:
    if key in met:
        met[key].count += 1
    else:
        met[key] = _Met(mail)


# --- telling ----------------------------------------------------------------------------------------------------


def _idle(seen: _Seen, rules: Sequence[Rule], places: Places) -> Iterator[Problem]:
    """Rules, and phrases of rules, that none of the mails met; one hint a rule."""
    if seen.mails < LEAST_MAILS:
        return
    for rule in (rule for rule in rules if rule.enabled):
        sought = [(side, each.key, value) for side, each in _word_conditions(rule) for value in each.values]
        missing = [(side, key, value) for side, key, value in sought if seen.found[(key, value)] == 0]
        if seen.fired[rule.name] == 0:
            why = ""
            if len(sought) > 0 and all(each in missing for each in sought if each[0] == "when"):
                why = "; none of its words is in any of them" if any(each[0] == "when" for each in sought) else ""
            yield Problem(
                places.where(rule),
                f"'{rule.name}' held for none of the last {seen.mails:,} mails{why}; is it still needed?",
            )
        elif len(missing) > 0:
            words = listed([value for _, _, value in missing])
            side, key, value = missing[0]
            where = places.where_words(rule, side, key, value) if key == "says" else places.where(rule, side, key)
            yield Problem(
                where,
                f"{len(missing)} of its {len(sought)} phrases were found in none of {seen.mails:,} mails: {words}",
            )


def _word_conditions(rule: Rule) -> Iterator[tuple[str, Condition]]:
    for side, conditions in (("when", rule.when), ("unless", rule.unless)):
        yield from ((side, each) for each in conditions if each.key in WORDS)


def _conflicts(seen: _Seen, rules: Sequence[Rule], places: Places, *, within_files: bool) -> Iterator[Problem]:
    """What a rule would set and others set before it, unless those are exceptions from it; a line a rule and field.

    within_files: those too that stand in one file, where their order is plain to see; else only how often it counts.
    """
    by_name = {rule.name: rule for rule in rules}
    overruled: dict[tuple[str, str, str], list[tuple[_Met, str, str]]] = {}
    same_file: dict[str, list[_Met]] = {}
    for (name, first, value, second, other), met in seen.conflicts.items():
        if second not in by_name or implies(by_name[first], by_name[second]):
            continue
        files = [by_name[each].source.partition(":")[0] for each in (first, second)]
        if files[0] == files[1] and not within_files:
            same_file.setdefault(files[0], []).append(met)
        else:
            overruled.setdefault((second, name, other), []).append((met, first, value))
    for (second, name, other), firsts in overruled.items():
        firsts.sort(key=lambda each: -each[0].count)
        told = "; ".join(
            f"'{first}' ({by_name[first].source}) sets '{value}' for {_times(met)}"
            for met, first, value in firsts[:MOST_PAIRS]
        )
        yield Problem(
            places.where(by_name[second], "then", name),
            f"'{second}' would set {name} to '{other}', but rules that stand before it and hold too come first: "
            f"{told}. That is right if they are exceptions from it; if not, move '{second}' up",
        )
    for file, mets in same_file.items():
        most, count = max(mets, key=lambda met: met.count), len(mets)
        yield Problem(
            file,
            f"{'once' if count == 1 else f'{count} times'} a rule of this file comes before another that would set the "
            f"same otherwise, most often for {_times(most)}; the order is as it stands in the file; "
            "'triaged rules check --conflicts' tells each",
        )


def _answered(seen: _Seen) -> Iterator[Problem]:
    kinds = {"complaint": "a complaint", "unsure": "not sure"}
    for (kind, template), met in seen.answered.items():
        yield Problem(
            f"templates/{template}.txt",
            f"{_times(met)} would be answered by machine with '{template}', though it is {kinds[kind]}; "
            'write then.send = "approve" where a person is to see it first',
        )


def _silenced(seen: _Seen, rules: Sequence[Rule], places: Places) -> Iterator[Problem]:
    by_name = {rule.name: rule for rule in rules}
    for (name, phrase, refused), met in sorted(seen.silenced.items(), key=lambda each: -each[1].count)[:MOST_PAIRS]:
        yield Problem(
            places.where_words(by_name[name], "unless", "says", refused),
            f"'{name}' does not hold for {_times(met)}: it says '{phrase}', but also '{refused}' in another place, and "
            "unless.says refuses the whole mail; is that meant?",
        )


def _times(met: _Met) -> str:
    return str(met.mail) if met.count == 1 else f"{met.count:,} mails, such as {met.mail}"


def _unknown_accounts(rules: Sequence[Rule], accounts: Sequence[Account], places: Places) -> Iterator[Problem]:
    """Accounts and tiers that rules name and no account has; nothing where there are no accounts yet."""
    there = {
        "account": {"*", "none", *(plain(each.account_id) for each in accounts)},
        "tier": {plain(each.tier) for each in accounts if each.tier != ""},
    }
    for rule in (rule for rule in rules if rule.enabled and len(accounts) > 0):
        for side, conditions in (("when", rule.when), ("unless", rule.unless)):
            for each in (each for each in conditions if each.key in there):
                unknown = [value for value in each.values if value not in there[each.key]]
                if len(unknown) > 0:
                    known = sorted(there[each.key] - {"*", "none"})
                    near = did_you_mean(unknown[0], known) if len(unknown) == 1 else ""
                    what = "account is called" if each.key == "account" else "account is of the tier"
                    yield Problem(
                        places.where(rule, side, each.key),
                        f"no {what} {listed(unknown)}{near or '; triaged accounts list shows those there are'}",
                    )
