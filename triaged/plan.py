"""A decided case in, the complete effects out: mails rendered and composed, each effect with its key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial

from triaged.decision import (
    WHEN,
    Acknowledge,
    Answer,
    AskPerson,
    Call,
    Draft,
    Effect,
    FileMessage,
    MarkMessage,
    Notify,
    Offer,
    Planned,
    SendAck,
)
from triaged.errors import Permanent
from triaged.mail.compose import compose
from triaged.mail.parse import ONLY_HEAD
from triaged.mail.render import Rendered, language_of_mail, render
from triaged.model import FROM_VERDICT, Address, Message, Risk, Verdict
from triaged.playbook import Case, Colleague, day_words, local_words
from triaged.risk import change, evidence_words
from triaged.rules.grammar import SendPolicy
from triaged.scheduling import answering, booking, client_of, leaves, offering
from triaged.wishes import ACCOUNT_MANAGER, colleague, question_of

FIXED_TEXT = "received"
"""The template that whoever is not authenticated gets, with nothing in it about anybody (S28)."""
SHOWN_TEXT_CHARACTERS = 2_000
"""Characters of a client's mail that an escalation shows."""


def effects(
    case: Case,
    *,
    acknowledge: Acknowledge,
    policy: SendPolicy | None,
    call: Call | None,
    answer: Answer | None,
    questions: tuple[str, ...],
) -> tuple[Planned, ...]:
    """Everything that is to be done for a mail, in the order of its doing.

    policy: how what goes to the client leaves, None when nothing may. answer: what the mail says of a call that
    stands. questions: what a person must be asked. A mail that cannot be written (a template fails, an address that
    SMTP cannot take) becomes a question.
    """
    planned: list[Planned] = []
    asked = list(questions)
    if policy is not None and policy.mode != "observe":
        if call is not None and call.way == "offer" and call.unsure == "":
            _try(asked, planned, "The acknowledgement", partial(_offered, case, acknowledge, call, policy, asked))
        elif acknowledge.template is not None:
            _try(asked, planned, "The acknowledgement", partial(_acknowledged, case, acknowledge, policy))
        if call is not None and call.unsure != "":
            _try(asked, planned, "The invitation", partial(_kept_free, case, call))
        elif call is not None and call.way == "book":
            _try(asked, planned, "The invitation", partial(_booked, case, call, policy))
    if answer is not None:
        _try(asked, planned, "The mail about the call", partial(_answered, case, answer, policy))
    for person in told(case, answer):
        _try(asked, planned, f"The mail to {person.address.display_name}", partial(_told, case, person, call, answer))
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


def told(case: Case, answer: Answer | None = None) -> tuple[Colleague, ...]:
    """Who hears of the mail: whom it is escalated to, whom rules notify, then whose call it is about unless the client
    only agrees; each once, and only the last of a machine's."""
    named: list[Colleague | None] = []
    if case.message.automatic.by != "machine":
        named = [escalated_to(case), *(colleague(case, name) for name in case.handling.notify)]
    if answer is not None and answer.says != "accepts" and case.background.call is not None:
        named.append(case.playbook.people.get(case.background.call.appointment.person))
    return tuple({person.person: person for person in named if person is not None}.values())


def person_of(case: Case, name: str | None) -> str:
    """The id of whom a rule names; `""` where that is nobody we know."""
    found = colleague(case, name) if name is not None else None
    return found.person if found is not None else ""


def _try(asked: list[str], planned: list[Planned], what: str, make: Callable[[], Planned | None]) -> None:
    try:
        made = make()
    except Permanent as error:
        asked.append(f"{what} could not be written: {error}")
    else:
        planned += [made] if made is not None else []


def _now(case: Case, effect: Effect) -> Planned:
    return Planned(effect, "owed", case.now)


def _told(case: Case, person: Colleague, call: Call | None, answer: Answer | None) -> Planned:
    return _now(case, _escalation(case, person, call, answer))


def _acknowledged(case: Case, acknowledge: Acknowledge, policy: SendPolicy) -> Planned:
    return Planned(acknowledgement(case, acknowledge), *leaves(policy, case.now))


def _booked(case: Case, call: Call, policy: SendPolicy) -> Planned:
    return _by_client(case, Planned(booking(case, call), *leaves(policy, case.now)))


def _by_client(case: Case, planned: Planned) -> Planned:
    """Nobody is invited by machine, and no call changed, for one who is not authenticated: whoever answers first would
    talk to a stranger."""
    if case.is_authenticated:
        return planned
    because = f"The sender is not authenticated: {case.message.identity.reason}"
    return dataclasses.replace(planned, state="held", because=because)


def _answered(case: Case, answer: Answer, policy: SendPolicy | None) -> Planned | None:
    """What a client's answer asks for; waits where no machine writes to them, but for what a calendar wants."""
    call = case.background.call
    effect = answering(case, call, answer) if call is not None else None
    if effect is None:
        return None
    if policy is None and case.message.automatic.by == "machine" and case.background.listed == "":
        policy = case.handling.send or case.playbook.send  # a calendar is not answered, and may ask all the same
    if policy is None or policy.mode == "observe":
        return Planned(effect, "held", case.now, because="Nothing is sent to this client by machine")
    return _by_client(case, Planned(effect, *leaves(policy, case.now)))


def _offered(case: Case, acknowledge: Acknowledge, call: Call, policy: SendPolicy, asked: list[str]) -> Planned:
    """The acknowledgement with times in it; whoever is not authenticated is told no times, and a person decides."""
    if acknowledge.template is None:
        acknowledge = dataclasses.replace(acknowledge, template=FIXED_TEXT)
    plain = acknowledgement(case, acknowledge)
    if not case.is_authenticated:
        return Planned(plain, *leaves(policy, case.now))
    draft = _acknowledgement_draft(case, acknowledge, call)
    if WHEN not in draft.text:
        asked.append(f"A call is wanted, and {plain.template}.txt has no {{{{ slots }}}} to offer times in.")
        return Planned(plain, *leaves(policy, case.now))
    return _now(case, offering(case, call, Offer(draft, plain, leaves(policy, case.now))))


def _kept_free(case: Case, call: Call) -> Planned:
    """Times for a person to choose from."""
    return _by_client(case, _now(case, offering(case, call, None)))


def acknowledgement(case: Case, acknowledge: Acknowledge, *, language: str = "") -> SendAck:
    """The mail that answers the writer, complete; language: in the place of the client's.

    Raises: Permanent when it cannot be written, AssertionError when nobody is answered (see `decide`).
    """
    message, key = case.message, _acknowledgement_key(case)
    assert message.sender is not None  # decide() answers nobody else
    rendered = _acknowledgement_words(case, acknowledge, language=language or case.language)
    mail = compose(
        message_id=case.message_id(key),
        sender=case.desk,
        envelope_sender=case.playbook.envelope_sender,
        recipient=_writer(case),
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        date=case.now,
        in_reply_to=message.message_id,
        references=message.references,
        automatic="auto-replied",
    )
    return SendAck(key, rendered.template, mail, *client_of(case.playbook.secret, message.sender))


def _acknowledgement_draft(case: Case, acknowledge: Acknowledge, call: Call) -> Draft:
    """The same with a place for times, whose words are not known yet."""
    rendered = _acknowledgement_words(case, acknowledge, language=case.language, call=call)
    return Draft(
        message_id=case.message_id(_acknowledgement_key(case)),
        sender=case.desk,
        envelope_sender=case.playbook.envelope_sender,
        recipient=_writer(case),
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        in_reply_to=case.message.message_id,
        references=case.message.references,
        automatic="auto-replied",
    )


def _acknowledgement_key(case: Case) -> str:
    return f"ack:{case.message.key}"


def _acknowledgement_words(
    case: Case, acknowledge: Acknowledge, *, language: str, call: Call | None = None
) -> Rendered:
    assert acknowledge.template is not None
    known, tells, account = case.is_known_client, case.is_authenticated, case.account
    language = _language(case, acknowledge.template, language)
    organizer = case.playbook.people[call.person].address.display_name if call is not None else ""
    return render(
        case.playbook.templates,
        acknowledge.template,
        language=language,
        variables={
            "contact": case.contact if known else "",
            "account": account.name if account is not None and known else "",
            "category": "" if not tells else case.verdict.chosen[0] if len(case.verdict.chosen) > 0 else "other",
            "reference": case.reference,
            "due": day_words(case.due, case.zone, language) if case.due is not None and tells else "",
            "subject": case.message.subject if known else "",
            "team": case.playbook.team,
            "desk": case.role.address,
            "organizer": organizer,
            "minutes": call.minutes if call is not None else 0,
            "slots": WHEN if call is not None else "",
        },
    )


def _writer(case: Case) -> Address:
    """Whom the answer goes to; the name beside a stranger's address is the stranger's text (S24)."""
    sender = case.message.sender
    assert sender is not None
    return sender if case.is_known_client else Address(sender.addr_spec)


def _language(case: Case, template: str, wanted: str) -> str:
    return language_of_mail(case.playbook.templates, template, wanted=wanted, otherwise=case.playbook.language)


def _escalation(case: Case, to: Colleague, call: Call | None, answer: Answer | None) -> Notify:
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
            "call": answer.words if answer is not None else _call_words(call, zone, language),
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


def questions(case: Case, *, call: Call | None, call_problem: str, answer: Answer | None) -> Iterator[str]:
    """What a person must be asked about this mail, beside what could not be written."""
    if answer is not None and answer.says in ("asks", "declines") and case.background.call is not None:
        yield question_of(case, case.background.call, answer)
    if call is not None and call.way == "offer" and call.unsure == "" and not case.is_authenticated:
        why = case.message.identity.reason
        yield f"A call is wanted and no times were offered, for the sender is not authenticated: {why}"
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
