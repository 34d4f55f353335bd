"""What would be decided otherwise in; what that would mean, counted and in sentences, and by which rule, out (pure)."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from triaged.errors import Problem
from triaged.playbook import Playbook
from triaged.rules.difference import FileChange, file_changes
from triaged.rules.grammar import NO_TEMPLATE, OTHER, PRIORITIES, Rule, RuleSet
from triaged.views import moment
from triaged.whatif.difference import APPROVAL, NOT_SENT, SURE, Aspect
from triaged.whatif.otherwise import Change, Changes

Way = Literal["more", "fewer", "otherwise"]
WAYS: tuple[Way, ...] = ("more", "fewer", "otherwise")
Edit = Literal["added", "removed", "changed", ""]


@dataclass(frozen=True, slots=True)
class Consequence:
    """One thing that would happen more often, less often or otherwise: in how many mails, and as a sentence."""

    name: str
    title: str
    more: int
    fewer: int
    otherwise: int
    sentence: str

    @property
    def mails(self) -> int:
        """In how many mails in all."""
        return self.more + self.fewer + self.otherwise


@dataclass(frozen=True, slots=True)
class RuleCount:
    """A rule, what was done to it (`""`: nothing), and the mails in which it would act now, no longer, or otherwise.

    rule: its name, or a template's (`templates/received`) where that alone makes the difference.
    """

    rule: str
    edit: Edit
    now: int
    no_longer: int
    otherwise: int


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The whole answer. since: mails received since then; was_id, would_id: of the two sets; files: those that differ;
    broken: examples because of which the edited set would not be taken."""

    since: datetime
    was_id: str
    would_id: str
    files: tuple[FileChange, ...]
    found: Changes
    consequences: tuple[Consequence, ...]
    rules: tuple[RuleCount, ...]
    broken: tuple[Problem, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """What `triaged rules whatif --json` prints; the names are a promise."""
        return {
            "since": moment(self.since),
            "rules_in_use": self.was_id,
            "rules_edited": self.would_id,
            "files": [{"file": each.name, "change": each.what, "words": each.words} for each in self.files],
            "broken": [{"where": each.where, "what": each.what} for each in self.broken],
            "mails": self.found.mails,
            "judged_anew": self.found.anew,
            "changed": len(self.found.changes),
            "consequences": [dataclasses.asdict(each) for each in self.consequences],
            "rules": [dataclasses.asdict(each) for each in self.rules],
            "changes": [_as_dict(each) for each in self.found.changes],
        }


def _as_dict(change: Change) -> dict[str, Any]:
    return {
        "id": change.row,
        "reference": change.reference,
        "received": moment(change.received),
        "sender": change.sender,
        "subject": change.subject,
        "person_said": list(change.said) if change.said is not None else None,
        "words": list(change.words),
        "aspects": [dataclasses.asdict(each) for each in change.aspects],
    }


def answer(
    was: Playbook, would: Playbook, found: Changes, *, since: datetime, broken: tuple[Problem, ...] = ()
) -> WhatIf:
    """Count what was found and put it into sentences."""
    return WhatIf(
        since=since,
        was_id=was.written.id,
        would_id=would.written.id,
        files=file_changes(was.written, would.written),
        found=found,
        broken=broken,
        consequences=consequences(found.changes),
        rules=rule_counts(found.changes, edited_rules(was.rules, would.rules)),
    )


# --- what was edited --------------------------------------------------------------------------------------------------


def edited_rules(was: RuleSet, would: RuleSet) -> dict[str, Edit]:
    """Rules that say something else, by name; where they stand, why, and their examples are no matter."""
    before, after = ({rule.name: _plain(rule) for rule in side.rules} for side in (was, would))
    found: dict[str, Edit] = {}
    for name in before | after:
        if before.get(name) != after.get(name):
            found[name] = "added" if name not in before else "removed" if name not in after else "changed"
    return found


def _plain(rule: Rule) -> Rule:
    return dataclasses.replace(rule, source="", because="", examples=())


def rule_counts(changes: Sequence[Change], edits: Mapping[str, Edit]) -> tuple[RuleCount, ...]:
    """In how many mails each rule would act otherwise, most first."""
    counts: dict[str, Counter[str]] = {}
    for change in changes:
        was = {name for each in change.aspects for name in each.was_by}
        would = {name for each in change.aspects for name in each.would_by}
        for name in was | would:
            where = "otherwise" if name in was & would else "now" if name in would else "no longer"
            counts.setdefault(name, Counter())[where] += 1
    found = [
        RuleCount(name, edits.get(name, ""), each["now"], each["no longer"], each["otherwise"])
        for name, each in counts.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.now - each.no_longer - each.otherwise, each.rule)))


# --- what it would mean -----------------------------------------------------------------------------------------------

_THINGS: Mapping[str, tuple[str, str, str, str]] = {
    "acknowledge": (
        "Acknowledged by machine",
        "have acknowledged {more} by machine",
        "have acknowledged {fewer} by machine",
        "",
    ),
    "approve": (
        "Acknowledgements that wait for approval",
        "have kept the acknowledgement of {more} for approval",
        "have kept the acknowledgement of {fewer} for approval",
        "",
    ),
    "template": ("Acknowledged otherwise", "", "", "have acknowledged {mails} with another text or at another time"),
    "wording": ("Written in other words", "", "", "have written to the client in other words about {mails}"),
    "call": (
        "Calls",
        "have booked a call for {more}",
        "have booked a call for {fewer}",
        "have booked another call for {mails}",
    ),
    "escalate": (
        "Escalations",
        "have escalated {more}",
        "have escalated {fewer}",
        "have escalated {mails} to somebody else",
    ),
    "notify": (
        "Notes to colleagues",
        "have told colleagues of {more}",
        "have told colleagues of {fewer}",
        "have told other colleagues of {mails}",
    ),
    "question": (
        "Questions to a person",
        "have asked a person about {more}",
        "have asked a person about {fewer}",
        "have asked a person something else about {mails}",
    ),
    "assign": (
        "Assigned",
        "have assigned {more}",
        "have assigned {fewer}",
        "have assigned {mails} to somebody else",
    ),
    "due": (
        "Due",
        "have made the answer to {mails} due earlier",
        "have made the answer to {mails} due later",
        "",
    ),
    "owed": ("Answers owed", "have owed an answer to {more}", "have owed an answer to {fewer}", ""),
    "priority": (
        "Priority",
        "have given {mails} a higher priority",
        "have given {mails} a lower priority",
        "",
    ),
    "category": ("Taken for {what}", "have taken {more} for {what}", "have taken {fewer} for {what}", ""),
    "sure": ("Sure", "have been sure of {more}", "have been sure of {fewer}", ""),
    "signal": (
        "Signals of risk",
        "have found signals of risk in {more}",
        "have found signals of risk in {fewer}",
        "have found other signals of risk in {mails}",
    ),
    "tag": ("Tags", "have put tags on {more}", "have put tags on {fewer}", "have put other tags on {mails}"),
    "file": ("Filed", "have filed {more}", "have filed {fewer}", "have filed {mails} in another folder"),
}
"""By consequence, in the order they are told: its title, and what would happen more, less and otherwise."""
_EARLIER_LATER: Mapping[str, tuple[str, str, str]] = {
    "due": ("earlier", "later", "otherwise"),
    "priority": ("higher", "lower", "otherwise"),
}
_OF_THEM = ("acknowledge", "template", "call", "escalate")
"""Of these it is told how many are complaints or unsure: there a mistake is dear."""
_WHOM = ("escalate", "notify", "assign")


def way_words(name: str) -> tuple[str, str, str]:
    """What more, fewer and otherwise are called for a consequence."""
    return _EARLIER_LATER.get(name.split(" ")[0], ("more", "fewer", "otherwise"))


def consequences(changes: Sequence[Change]) -> tuple[Consequence, ...]:
    """What would happen more, less or otherwise, in the order in which it matters; none that would be as it was."""
    mails: dict[str, dict[Way, list[Change]]] = {}
    for change in changes:
        for name, way in _ways(change).items():
            mails.setdefault(name, {each: [] for each in WAYS})[way].append(change)
    order = {name: place for place, name in enumerate(_THINGS)}
    names = sorted(mails, key=lambda name: (order[name.split(" ")[0]], name))
    return tuple(_consequence(name, mails[name]) for name in names)


def _ways(change: Change) -> dict[str, Way]:
    """The consequences for one mail, each once."""
    found: dict[str, Way] = {}
    for aspect in change.aspects:
        told = _TELLING[aspect.name](aspect) if aspect.name in _TELLING else _some_or_none(aspect)
        for name, way in told:
            found.setdefault(name, way)
    return found


def _some_or_none(aspect: Aspect) -> Iterator[tuple[str, Way]]:
    """More where something comes, fewer where something goes, otherwise where both."""
    come, gone = set(aspect.would) - set(aspect.was), set(aspect.was) - set(aspect.would)
    yield aspect.name, "otherwise" if come and gone else "more" if come else "fewer"


def _acknowledgements(aspect: Aspect) -> Iterator[tuple[str, Way]]:
    machine, approval = (
        [kind(side) for side in (aspect.was, aspect.would)] for kind in (_is_by_machine, _is_for_approval)
    )
    if machine[0] != machine[1]:
        yield "acknowledge", "more" if machine[1] else "fewer"
    if approval[0] != approval[1]:
        yield "approve", "more" if approval[1] else "fewer"
    if machine[0] == machine[1] and approval[0] == approval[1]:
        yield "template", "otherwise"


def _is_by_machine(values: tuple[str, ...]) -> bool:
    return values[0] != NO_TEMPLATE and values[1] not in (APPROVAL, NOT_SENT)


def _is_for_approval(values: tuple[str, ...]) -> bool:
    return values[0] != NO_TEMPLATE and values[1] == APPROVAL


def _categories(aspect: Aspect) -> Iterator[tuple[str, Way]]:
    for way, gained, other in (("more", aspect.would, aspect.was), ("fewer", aspect.was, aspect.would)):
        for category in gained:
            if category not in other:
                yield f"category {category}", "more" if way == "more" else "fewer"


def _due(aspect: Aspect) -> Iterator[tuple[str, Way]]:
    if len(aspect.was) == 0 or len(aspect.would) == 0:
        yield "owed", "more" if len(aspect.would) > 0 else "fewer"
    else:
        earlier = datetime.fromisoformat(aspect.would[0]) < datetime.fromisoformat(aspect.was[0])
        yield "due", "more" if earlier else "fewer"


def _priority(aspect: Aspect) -> Iterator[tuple[str, Way]]:
    before, after = (PRIORITIES.index(side[0]) for side in (aspect.was, aspect.would))
    yield "priority", "more" if after > before else "fewer"


def _call(aspect: Aspect) -> Iterator[tuple[str, Way]]:
    none = (len(aspect.was) == 0, len(aspect.would) == 0)
    yield "call", "more" if none == (True, False) else "fewer" if none == (False, True) else "otherwise"


def _sure(aspect: Aspect) -> Iterator[tuple[str, Way]]:
    yield "sure", "more" if aspect.would == (SURE,) else "fewer"


_TELLING: Mapping[str, Callable[[Aspect], Iterator[tuple[str, Way]]]] = {
    "acknowledge": _acknowledgements,
    "category": _categories,
    "due": _due,
    "priority": _priority,
    "call": _call,
    "call by": _call,
    "sure": _sure,
}


# --- sentences -------------------------------------------------------------------------------------------------------


def _consequence(name: str, mails: Mapping[Way, Sequence[Change]]) -> Consequence:
    kind, _, what = name.partition(" ")
    title, *phrases = _THINGS[kind]
    shown = f"“{what}”" if what != OTHER else "none of these"
    parts = []
    for way, phrase in zip(WAYS, phrases, strict=True):
        count = len(mails[way])
        if count > 0:
            noun = "mail" if count == 1 else "mails"
            words = {"more": f"{count} more {noun}", "fewer": f"{count} fewer {noun}", "mails": f"{count} {noun}"}
            parts.append(phrase.format(**words, what=shown) + _details(kind, way, mails[way]))
    return Consequence(
        name=name,
        title=title.format(what=shown),
        more=len(mails["more"]),
        fewer=len(mails["fewer"]),
        otherwise=len(mails["otherwise"]),
        sentence=f"Would {'; would '.join(parts)}.",
    )


def _details(kind: str, way: Way, mails: Sequence[Change]) -> str:
    """To whom, and how many of them are complaints or unsure; `""` where there is nothing to say."""
    told = []
    if kind in _OF_THEM:
        complaints, unsure = sum(map(_is_complaint, mails)), sum(not each.would_sure for each in mails)
        if complaints > 0:
            told.append(f"{complaints} of them {'a complaint' if complaints == 1 else 'complaints'}")
        if unsure > 0:
            told.append(f"{unsure} of them unsure")
    whom = f" ({_whom(kind, way, mails)})" if kind in _WHOM else ""
    return whom + "".join(f", {each}" for each in told)


def _is_complaint(change: Change) -> bool:
    """By a person's word; without one, if either rules take it for one: to lose a complaint is what must be seen."""
    return "complaint" in (change.said if change.said is not None else (*change.was, *change.would))


def _whom(kind: str, way: Way, mails: Sequence[Change]) -> str:
    """`2 to lena, 1 to marek`."""
    people = Counter[str]()
    for each in mails:
        aspect = each.aspect(kind)
        assert aspect is not None
        before, after = set(aspect.was), set(aspect.would)
        people.update(before - after if way == "fewer" else after - before)
    return ", ".join(
        f"{count} to {person}" for person, count in sorted(people.items(), key=lambda each: (-each[1], each))
    )
