"""A decided case in, the complete effects out: mails rendered and composed, each effect with its key."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from triaged.decision import (
    WHEN,
    Acknowledge,
    AskPerson,
    BookCall,
    Call,
    Effect,
    EffectState,
    FileMessage,
    MarkMessage,
    Notify,
    Outgoing,
    Planned,
    SendAck,
)
from triaged.errors import Permanent
from triaged.mail.addresses import person_domain, person_key
from triaged.mail.compose import compose
from triaged.mail.parse import ONLY_HEAD
from triaged.mail.render import Rendered, language_of_mail, render
from triaged.model import FROM_VERDICT, Address, Message, Risk, Verdict
from triaged.playbook import Case, Colleague, day_words, local_words
from triaged.risk import change, evidence_words
from triaged.rules.grammar import SendPolicy

FIXED_TEXT = "received"
"""The template that whoever is not authenticated gets, with nothing in it about anybody (S28)."""
SHOWN_TEXT_CHARACTERS = 2_000
"""Characters of a client's mail that an escalation shows."""
ACCOUNT_MANAGER = "account manager"
"""The role that rules name; every other name is a person's id or `coordinator`."""


def effects(
    case: Case, *, acknowledge: Acknowledge, policy: SendPolicy | None, call: Call | None, questions: tuple[str, ...]
) -> tuple[Planned, ...]:
    """Everything that is to be done for a mail, in the order of its doing.

    policy: how what goes to the client leaves, None when nothing may. questions: what a person must be asked.
    A mail that cannot be written (a template fails, an address that SMTP cannot take) becomes a question.
    """
    planned: list[Planned] = []
    asked = list(questions)
    if acknowledge.template is not None and policy is not None and policy.mode != "observe":
        _try(
            asked, planned, "The acknowledgement", lambda: _to_client(case, acknowledgement(case, acknowledge), policy)
        )
    if call is not None and policy is not None and policy.mode != "observe":
        _try(asked, planned, "The invitation", lambda: _invited(case, _to_client(case, _call(case, call), policy)))
    for person in told(case):
        _try(asked, planned, f"The mail to {person.address.display_name}", partial(_told, case, person, call))
    if case.role.shows_categories and case.message.automatic.by == "person":
        marks = _marks(case.verdict)
        planned.append(_now(case, MarkMessage(f"mark:{'+'.join(marks)}:{case.message.key}", case.locator, marks)))
    if (folder := case.handling.file or case.role.file_into) != "":
        planned.append(_now(case, FileMessage(f"file:{case.message.key}", case.locator, folder)))
    for number, question in enumerate(asked):
        ask = AskPerson(f"ask:{number}:{case.message.key}", question)
        planned.append(Planned(ask, "person", case.now))
    return tuple(planned)


def _marks(verdict: Verdict) -> tuple[str, ...]:
    """Its categories as people see them on the mail, with the log's question mark where a person has to look."""
    if len(verdict.chosen) == 0:
        return ("other" if verdict.sure else "other?",)
    return tuple(each if verdict.answer(each) == "yes" else f"{each}?" for each in verdict.chosen)


def escalated_to(case: Case) -> Colleague | None:
    """Whom a rule escalates to; None when none does, a machine wrote, or the account has no manager we know."""
    if case.handling.escalate is None or case.message.automatic.by == "machine":
        return None
    return colleague(case, case.handling.escalate)


def told(case: Case) -> tuple[Colleague, ...]:
    """Who hears of the mail: whom it is escalated to, then whom rules notify, each once; nobody of a machine's."""
    if case.message.automatic.by == "machine":
        return ()
    named = [escalated_to(case), *(colleague(case, name) for name in case.handling.notify)]
    return tuple({person.person: person for person in named if person is not None}.values())


def person_of(case: Case, name: str | None) -> str:
    """The id of whom a rule names; `""` where that is nobody we know."""
    found = colleague(case, name) if name is not None else None
    return found.person if found is not None else ""


def colleague(case: Case, name: str) -> Colleague | None:
    """`account manager` or a person's id → the colleague, None when there is none."""
    person = (case.account.manager if case.account is not None else "") if name == ACCOUNT_MANAGER else name
    return case.playbook.people.get(person)


def _try(asked: list[str], planned: list[Planned], what: str, make: Any) -> None:
    try:
        planned.append(make())
    except Permanent as error:
        asked.append(f"{what} could not be written: {error}")


def _now(case: Case, effect: Effect) -> Planned:
    return Planned(effect, "owed", case.now)


def _told(case: Case, person: Colleague, call: Call | None) -> Planned:
    return _now(case, _escalation(case, person, call))


def _to_client(case: Case, effect: Effect, policy: SendPolicy) -> Planned:
    state: EffectState = "held" if policy.mode == "approve" else "owed"
    return Planned(effect, state, case.now + timedelta(seconds=policy.hold_s))


def _invited(case: Case, planned: Planned) -> Planned:
    """Nobody is invited by machine who is not authenticated: whoever answers first would talk to a stranger."""
    if case.is_authenticated:
        return planned
    because = f"The sender is not authenticated: {case.message.identity.reason}"
    return dataclasses.replace(planned, state="held", because=because)


def acknowledgement(case: Case, acknowledge: Acknowledge, *, language: str = "") -> SendAck:
    """The mail that answers the writer, complete; language: in the place of the client's.

    Raises: Permanent when it cannot be written, AssertionError when nobody is answered (see `decide`).
    """
    message, key = case.message, f"ack:{case.message.key}"
    assert acknowledge.template is not None
    known = case.is_known_client
    tells = case.is_authenticated
    language = _language(case, acknowledge.template, language or case.language)
    due = day_words(case.due, case.zone, language) if case.due is not None and tells else ""
    rendered = render(
        case.playbook.templates,
        acknowledge.template,
        language=language,
        variables={
            "contact": case.contact if known else "",
            "account": case.account.name if case.account is not None and known else "",
            "category": "" if not tells else case.verdict.chosen[0] if len(case.verdict.chosen) > 0 else "other",
            "reference": case.reference,
            "due": due,
            "subject": message.subject if known else "",
            "team": case.playbook.team,
            "desk": case.role.address,
        },
    )
    mail = _answer(case, key, rendered, envelope_sender=case.playbook.envelope_sender)
    return SendAck(key, rendered.template, mail, *_client(case, message.sender))


def _language(case: Case, template: str, wanted: str) -> str:
    return language_of_mail(case.playbook.templates, template, wanted=wanted, otherwise=case.playbook.language)


def _client(case: Case, written_to: Address | None) -> tuple[str, str]:
    """What stands for the person in counts (not their address), and their domain."""
    assert written_to is not None  # decide() answers nobody else
    said = "client:" + person_key(written_to.addr_spec)
    digest = hmac.new(case.playbook.secret, said.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
    return digest[:32], person_domain(written_to.domain)


def _answer(case: Case, key: str, rendered: Rendered, *, envelope_sender: str) -> Outgoing:
    message = case.message
    assert message.sender is not None  # decide() answers nobody else
    return compose(
        message_id=case.message_id(key),
        sender=case.desk,
        envelope_sender=envelope_sender,
        # The name beside a stranger's address is the stranger's text (S24).
        recipient=message.sender if case.is_known_client else Address(message.sender.addr_spec),
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        date=case.now,
        in_reply_to=message.message_id,
        references=message.references,
        automatic="auto-replied",
    )


def _call(case: Case, call: Call) -> BookCall:
    message, key = case.message, f"call:{case.message.key}"
    assert message.sender is not None
    organizer = case.playbook.people[call.person]
    client_key, client_domain = _client(case, message.sender)
    name = case.account.name if case.account is not None else message.sender.domain
    language = _language(case, "invitation", case.language)
    summary = f"{case.playbook.team} and {name}: {message.subject or case.reference}"[:200]
    rendered = render(
        case.playbook.templates,
        "invitation",
        language=language,
        variables={
            "contact": case.contact,
            "team": case.playbook.team,
            "organizer": organizer.address.display_name,
            "when": WHEN,
            "minutes": call.minutes,
            "location": case.playbook.call_location,
            "reference": case.reference,
            "subject": message.subject,
            "summary": summary,
        },
    )
    return BookCall(
        key=key,
        uid=_uid(case, key),
        person=call.person,
        attendee=Address(message.sender.addr_spec, case.contact),
        minutes=call.minutes,
        earliest=call.earliest,
        latest=call.latest,
        summary=summary,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        in_reply_to=message.message_id,
        from_address=case.desk,
        message_id=case.message_id(f"invitation:{message.key}"),
        when_zone=case.zone,
        when_language=language,
        client_timezone=case.account.timezone if case.account is not None else "",
        client_key=client_key,
        client_domain=client_domain,
    )


def _uid(case: Case, key: str) -> str:
    """The call's UID (RFC 5545 3.8.4.7): only we can make it, so that nobody else can aim at our events."""
    digest = hmac.new(case.playbook.secret, f"uid:{key}".encode(), hashlib.sha256).hexdigest()[:32]
    return f"{digest}@{case.playbook.border.message_id_domain}"


def _escalation(case: Case, to: Colleague, call: Call | None) -> Notify:
    message, account, key = case.message, case.account, f"notify:{to.person}:{case.message.key}"
    best = case.verdict.scores[0].score if len(case.verdict.scores) > 0 else 0.0
    zone = to.hours.timezone
    language = _language(case, "escalation", to.language)
    ends = [contract.ends for contract in account.contracts if contract.ends is not None] if account is not None else []
    rendered = render(
        case.playbook.templates,
        "escalation",
        language=language,
        variables={
            "person": to.address.display_name,
            "account": account.name if account is not None else "",
            "account_id": account.account_id if account is not None else "",
            "tier": account.tier if account is not None else "",
            "contact": case.contact,
            "sender": message.sender.addr_spec if message.sender is not None else "",
            "categories": ", ".join(case.verdict.chosen) or "other",
            "score": f"{best:.0%}",
            "evidence": _evidence_words(case),
            "subject": message.subject,
            "text": _shortened(message),
            "reference": case.reference,
            "received": local_words(message.received, zone, language),
            "contract_ends": min(ends).isoformat() if len(ends) > 0 else "",
            "due": local_words(case.due, zone, language) if case.due is not None else "",
            "call": _call_words(call, zone, language),
            "trust": "" if case.is_authenticated else f"sender not authenticated: {message.identity.reason}",
            "team": case.playbook.team,
            **_risk_words(case.risk),
        },
    )
    mail = compose(
        message_id=case.message_id(key),
        sender=case.desk,
        envelope_sender=case.role.address,
        recipient=to.address,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        date=case.now,
        automatic="auto-generated",
    )
    return Notify(key, to.person, f"{', '.join(case.verdict.chosen) or 'other'}: {message.subject}", mail)


def _is_from_us(case: Case) -> bool:
    return case.message.sender is not None and case.message.sender.domain in case.playbook.own_domains


def _evidence_words(case: Case) -> list[str]:
    """The words that decided, each once, strongest first."""
    weighed = sorted(case.verdict.evidence, key=lambda each: -each.weight)
    words = (" ".join(each.words.split()) for each in weighed if each.category in case.verdict.chosen)
    return list(dict.fromkeys(each for each in words if each != ""))[:5]


def _risk_words(risk: Risk) -> dict[str, str | int | list[str]]:
    """What an escalation says of the risk; words of a language belong into the template, not here."""
    trend = risk.trend
    is_rising = trend is not None and change(trend) == "rising"
    strongest = {each.category: evidence_words(each) for each in reversed(risk.evidence)}
    is_more = any(each.source != FROM_VERDICT for each in risk.evidence)  # than the complaint that is told anyway
    return {
        "risk": f"{risk.score:.2f}" if is_more else "",
        "signals": [strongest[signal] for signal in risk.signals],
        "trend": f"{trend.before:.2f} → {trend.recent:.2f}" if trend is not None and is_rising else "",
        "chasers": trend.chasers if trend is not None else 0,
    }


def _shortened(message: Message) -> str:
    text = message.new_text.strip()
    return text if len(text) <= SHOWN_TEXT_CHARACTERS else text[:SHOWN_TEXT_CHARACTERS].rstrip() + " […]"


def _call_words(call: Call | None, zone: str, language: str) -> str:
    if call is None:
        return ""
    return f"{call.minutes} min ≤ {local_words(call.latest, zone, language)}"


def questions(case: Case, *, call_problem: str) -> Iterator[str]:
    """What a person must be asked about this mail, beside what could not be written."""
    if ONLY_HEAD in case.message.defects:
        yield f"Only the head of this mail was read: it has {case.message.size_bytes / 1_000_000:.1f} MB."
    if call_problem != "":
        yield call_problem
    if case.match.imitates != "" and case.message.automatic.by != "machine":
        yield f"Perhaps a forgery: {case.match.evidence}."
    elif case.account is None and len(case.match.rivals) > 0 and case.due is not None and not _is_from_us(case):
        yield f"Whose mail is it? {case.match.evidence}."
    if case.message.automatic.by == "machine":
        return
    named = dict.fromkeys((case.handling.escalate, *case.handling.notify))
    unmet = [name for name in named if name is not None and colleague(case, name) is None]
    if ACCOUNT_MANAGER in unmet:
        whose = f"the account {case.account.name} has none" if case.account is not None else "no account is known"
        yield f"This mail should go to the account manager, but {whose}."
    if any(name != ACCOUNT_MANAGER for name in unmet):
        yield "A rule wants a coordinator to look at this mail."
