"""Two decisions about one mail in, every aspect in which they differ out, in words and with the rules that say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from itertools import zip_longest

from triaged.decision import AskPerson, BookCall, Decision, FileMessage, Notify, OfferCall, Planned, SendAck
from triaged.model import Account
from triaged.rules.grammar import NO_TEMPLATE, OTHER, WORDS, Rule
from triaged.views import moment
from triaged.wishes import ACCOUNT_MANAGER

AT_ONCE, APPROVAL, NOT_SENT = "at once", "waits for approval", "is not sent"
SURE, UNSURE = "sure", "unsure"
FIELDS: Mapping[str, tuple[str, ...]] = {
    "acknowledge": ("acknowledge", "send"),
    "wording": ("acknowledge",),
    "call": ("call", "send"),
    "call by": ("call",),
    "due": ("due", "priority"),
    "question": ("call", "escalate", "notify"),
}
"""The fields of a rule that an aspect comes from, where it is not the one of the same name."""
_WORDS = tuple(f"when.{key}" for key in WORDS)
TIMES = ("call by", "due")
"""Aspects whose value is a time, as ISO text."""


@dataclass(frozen=True, slots=True)
class Aspect:
    """One thing that would be otherwise about a mail.

    name: `category`, `sure`, `signal`, `acknowledge` (template, then how it leaves), `wording` (the first line that
    differs), `call`, `call by`, `escalate`, `notify`, `assign`, `priority`, `tag`, `file`, `due` or `question`.
    was, would: the values in words, empty for none. was_by, would_by: names of the rules that say so.
    """

    name: str
    was: tuple[str, ...]
    would: tuple[str, ...]
    was_by: tuple[str, ...] = ()
    would_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision about a mail of this account, and the rules it was made by, by name."""

    decision: Decision
    account: Account | None
    rules: Mapping[str, Rule]


def differences(was: Decided, would: Decided) -> tuple[Aspect, ...]:
    """Every aspect in which they differ; none when they say the same, whatever the scores are."""
    before, after = values(was), values(would)
    given = _rules_apart(_givers(was), _givers(would))
    found = [
        Aspect(name, value, after[name], *_because(name, was, would, given))
        for name, value in before.items()
        if value != after[name] and not (name == "call by" and () in (value, after[name]))
    ]
    if not any(each.name in ("acknowledge", "call") for each in found):
        found += _wording(was, would, given)
    return tuple(found)


def values(side: Decided) -> dict[str, tuple[str, ...]]:
    """What a decision means for the mail, by aspect, in the order in which it is shown; all but the wording."""
    decision = side.decision
    told = [each.effect.person for each in decision.effects if isinstance(each.effect, Notify)]
    escalated = [person for person in told if person in _escalated(side)]
    calls = [each for each in decision.effects if isinstance(each.effect, (BookCall, OfferCall))]
    return {
        "category": tuple(sorted(decision.verdict.chosen)) or (OTHER,),
        "sure": (SURE if decision.verdict.sure else UNSURE,),
        "signal": tuple(sorted(decision.risk.signals)),
        "acknowledge": _acknowledgement(decision),
        "call": tuple(_call_words(each, decision.decided_at) for each in calls),
        "call by": tuple(_by(each) for each in calls),
        "escalate": tuple(escalated),
        "notify": tuple(person for person in told if person not in escalated),
        "assign": (decision.assigned,) if decision.assigned != "" else (),
        "priority": (decision.priority,),
        "tag": tuple(sorted(decision.tags)),
        "file": tuple(each.effect.folder for each in decision.effects if isinstance(each.effect, FileMessage)),
        "due": (moment(decision.due) or "",) if decision.due is not None else (),
        "question": tuple(each.effect.question for each in decision.effects if isinstance(each.effect, AskPerson)),
    }


def _acknowledgement(decision: Decision) -> tuple[str, ...]:
    """The template and how it leaves. Without an effect nothing leaves: observed, or it could not be written."""
    template = decision.acknowledge.template
    if template is None:
        return (NO_TEMPLATE,)
    acks = (_ack_of(each) for each in decision.effects)
    planned = next((each for each in acks if isinstance(each.effect, SendAck)), None)
    return (template, _how(planned, decision.decided_at) if planned is not None else NOT_SENT)


def _ack_of(planned: Planned) -> Planned:
    """The acknowledgement as it leaves, alone or with the times that are offered in it."""
    effect = planned.effect
    offer = effect.offer if isinstance(effect, OfferCall) else None
    return Planned(offer.plain, *offer.leaves) if offer is not None else planned


def _how(planned: Planned, now: datetime) -> str:
    if planned.state == "held":
        return APPROVAL
    minutes = round((planned.not_before - now).total_seconds() / 60)
    return f"after {minutes} minutes" if minutes > 0 else AT_ONCE


def _call_words(planned: Planned, now: datetime) -> str:
    assert isinstance(planned.effect, BookCall | OfferCall)
    how, appointment = _how(_ack_of(planned), now), planned.effect.appointment
    words = f"{appointment.minutes} minutes with {appointment.person}"
    words = f"offer of {words}" if isinstance(planned.effect, OfferCall) else words
    return words if how == AT_ONCE else f"{words}, {how}"


def _by(planned: Planned) -> str:
    assert isinstance(planned.effect, BookCall | OfferCall)
    return moment(max(each.end for each in planned.effect.windows)) or ""


def _escalated(side: Decided) -> frozenset[str]:
    """Whom a rule escalates to, as ids of persons."""
    named = {each.value for each in side.decision.fields if each.field == "escalate"}
    manager = side.account.manager if side.account is not None else ""
    return frozenset(manager if name == ACCOUNT_MANAGER else name for name in named)


def words(sides: tuple[Decided, Decided], aspects: tuple[Aspect, ...]) -> tuple[str, ...]:
    """The words of the mail that the rules met which decide otherwise, as the trace quotes them, each once."""
    named = {name for each in aspects for name in (*each.was_by, *each.would_by)}
    return tuple(
        dict.fromkeys(
            condition.actual
            for side in sides
            for rule in side.decision.rules
            if rule.fired and rule.name in named
            for condition in rule.conditions
            if condition.key in _WORDS
        )
    )


# --- why ------------------------------------------------------------------------------------------------------------

Names = tuple[str, ...]
Says = Mapping[tuple[object, ...], str]
"""What a rule says → its name."""


def _because(name: str, was: Decided, would: Decided, given: tuple[Names, Names]) -> tuple[Names, Names]:
    """The rules that set it otherwise; where all set the same, those whose evidence is another."""
    if name in ("category", "sure", "signal"):
        return given
    fields = FIELDS.get(name, (name,))
    set_by = _rules_apart(_setters(was, fields), _setters(would, fields))
    return set_by if set_by != ((), ()) else given


def _setters(side: Decided, fields: tuple[str, ...]) -> Says:
    found = (each for each in side.decision.fields if each.field in fields)
    return {(each.field, each.value, each.rule): each.rule for each in found}


def _givers(side: Decided) -> Says:
    """What rules that held give as evidence, of categories and signals."""
    fired = (side.rules[each.name] for each in side.decision.rules if each.fired)
    return {(rule.name, rule.suggests, rule.signals): rule.name for rule in fired if rule.suggests or rule.signals}


def _rules_apart(was: Says, would: Says) -> tuple[Names, Names]:
    """Names of the rules that say something on one side only, in order."""
    gone = tuple(dict.fromkeys(rule for told, rule in was.items() if told not in would))
    come = tuple(dict.fromkeys(rule for told, rule in would.items() if told not in was))
    return gone, come


# --- the words that the client reads ----------------------------------------------------------------------------------


def _wording(was: Decided, would: Decided, given: tuple[Names, Names]) -> Iterator[Aspect]:
    """The first line that differs in what the client gets, where the same is sent in the same way."""
    before, after = (_to_client(side.decision) for side in (was, would))
    if before == after:
        return
    pairs = zip_longest(*(_lines(effects) for effects in (before, after)), fillvalue="")
    first = next(((one, other) for one, other in pairs if one != other), None)
    if first is not None:
        template = f"templates/{would.decision.acknowledge.template or 'invitation'}"
        by = given if given != ((), ()) else ((template,), (template,))
        yield Aspect("wording", (first[0],), (first[1],), *by)


def _to_client(decision: Decision) -> list[SendAck | BookCall | OfferCall]:
    return [each.effect for each in decision.effects if isinstance(each.effect, (SendAck, BookCall, OfferCall))]


def _lines(effects: list[SendAck | BookCall | OfferCall]) -> Iterator[str]:
    """What the client reads, line by line: subject, text, then the HTML."""
    for effect in effects:
        if not isinstance(effect, SendAck):
            draft = effect.draft if isinstance(effect, BookCall) else effect.offer.draft if effect.offer else None
            if draft is not None:
                yield from (draft.subject, *draft.text.splitlines(), *draft.html.splitlines())
            continue
        mail = message_from_bytes(effect.mail.octets, policy=default)
        assert isinstance(mail, EmailMessage)
        yield str(mail["Subject"])
        for kind in ("plain", "html"):
            if (part := mail.get_body((kind,))) is not None:
                yield from part.get_content().splitlines()
