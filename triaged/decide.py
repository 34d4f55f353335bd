"""A mail and what is known → a Decision: what it is, whose, and everything that is to be done. THE function.

Pure: no clock, no I/O, no chance. Dry run, explanation, replay and the worker are all this same call.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from triaged.accounts.match import Directory, match
from triaged.classify.language import language as language_of
from triaged.classify.model import Judged
from triaged.classify.verdict import verdict as weigh
from triaged.clocks.hours import Hours, add, parse_span
from triaged.decision import Acknowledge, Answer, Decision, RuleTrace, SendAck
from triaged.model import Account, AccountMatch, Locator, Message, Verdict
from triaged.plan import FIXED_TEXT, acknowledgement, effects, person_of, questions
from triaged.playbook import Background, Case, Playbook, Sought, reference
from triaged.risk import assess
from triaged.rules.facts import Facts, Hits, Wall
from triaged.rules.grammar import Key, SendPolicy
from triaged.rules.match import handle, signals, suggest
from triaged.wishes import answer_of, wanted

SETTLED = ("accepts", "tentative", "chooses", "moves", "cancels")
"""Answers to a call after which nobody owes the client another one."""
LEAST_WORDS = 12
"""Words of a mail with attachments below which it is taken to say only "see attached"."""


def decide(
    message: Message,
    *,
    locator: Locator,
    playbook: Playbook,
    background: Background,
    now: datetime,
    full: bool = False,
) -> Decision:
    """Decide about one mail. The same arguments give the same decision, octet for octet.

    full: the trace has every rule and every condition, for "why not"; nothing else differs.
    """
    case, suggested = _case(message, locator=locator, playbook=playbook, background=background, now=now, full=full)
    answer = answer_of(case)
    acknowledge, policy = _acknowledge(case, answer)
    call, call_problem = wanted(case) if policy is not None and answer is None else (None, "")
    return Decision(
        message_key=message.key,
        reference=case.reference,
        decided_at=now,
        verdict=case.verdict,
        account=background.match,
        acknowledge=acknowledge,
        call=call,
        priority=case.handling.priority,
        tags=case.handling.tags,
        due=case.due if answer is None or answer.says not in SETTLED else None,
        fields=case.handling.fields,
        rules=(*suggested, *case.handling.rules),
        effects=effects(
            case,
            acknowledge=acknowledge,
            policy=policy,
            call=call,
            answer=answer,
            questions=tuple(questions(case, call=call, call_problem=call_problem, answer=answer)),
        ),
        risk=case.risk,
        assigned=person_of(case, case.handling.assign),
        settings_id=playbook.settings_id,
        answer=answer,
    )


def answer(
    message: Message,
    *,
    locator: Locator,
    playbook: Playbook,
    background: Background,
    now: datetime,
    template: str = "",
    language: str = "",
) -> tuple[Acknowledge, SendAck | None]:
    """The acknowledgement that `decide` would plan, whether or not it may leave; None when nobody is answered.

    template: as if the rules named this one. language: in the place of the client's.
    Raises: Permanent when the mail cannot be written.
    """
    case, _ = _case(message, locator=locator, playbook=playbook, background=background, now=now)
    if template != "":
        case = dataclasses.replace(case, handling=dataclasses.replace(case.handling, acknowledge=template))
    acknowledge, _ = _acknowledge(case, answer_of(case))
    if acknowledge.template is None:
        return acknowledge, None
    return acknowledge, acknowledgement(case, acknowledge, language=language)


def _case(
    message: Message,
    *,
    locator: Locator,
    playbook: Playbook,
    background: Background,
    now: datetime,
    full: bool = False,
) -> tuple[Case, tuple[RuleTrace, ...]]:
    """The mail with all that is found out about it, and the traces of the rules that gave evidence."""
    facts = facts_of(message, locator=locator, playbook=playbook, background=background, sought=playbook.sought)
    verdict, suggested = _verdict(facts, playbook, background.judged, full=full)
    risk = assess(signals(playbook.rules, facts), verdict, background.trend)
    handling = handle(playbook.rules, dataclasses.replace(facts, verdict=verdict, risk=risk), full=full)
    case = Case(message, locator, playbook, now, reference(message.key), background, verdict, risk, handling, due=None)
    return dataclasses.replace(case, due=_due(case)), suggested


def whose(
    message: Message, *, playbook: Playbook, directory: Directory, thread_accounts: tuple[str, ...]
) -> tuple[AccountMatch, Account | None]:
    """Whose mail it is; nobody's when the sender is known to be forged, whatever name it came under.

    directory: the accounts of the day. thread_accounts: whose mails this one refers to, by the log.
    """
    found = match(directory, sender=message.sender, thread_accounts=thread_accounts, own_domains=playbook.own_domains)
    if message.identity.trust != "none" or found.account_id is None:
        return found, directory.accounts.get(found.account_id) if found.account_id is not None else None
    evidence = f"the sender may not be believed ({message.identity.reason}), though {found.evidence}"
    return AccountMatch(None, None, 0.0, evidence, (found.account_id, *found.rivals), found.imitates), None


def facts_of(
    message: Message, *, locator: Locator, playbook: Playbook, background: Background, sought: Sought
) -> Facts:
    """What rules can ask for of a mail before anything is weighed. sought: the words that are looked for."""
    language = language_of(message.new_text)
    return Facts(
        message=message,
        account=background.account,
        mailbox=locator.mailbox,
        hits=hits(sought, message.judged, language),
        language=language,
        wall=wall(message.received, playbook.hours),
        open_items=background.open_items,
    )


def hits(sought: Sought, judged: str, language: str) -> Hits:
    """Where everything that rules wait for stands in `Message.judged`, which is in `language` (ISO 639-1, or `""`)."""
    said: dict[Key, list[tuple[str, int, int]]] = {}
    for hit in sought.phrases.find(judged, language):
        said.setdefault(("says", hit.phrase), []).append((hit.words, hit.start, hit.end))
    found = {key: tuple(places) for key, places in said.items()}
    found |= {("pattern", each): places for each, places in sought.patterns.find(judged).items()}
    found |= {("tokens", each): places for each, places in sought.tokens.find(judged).items()}
    return found


def wall(received: datetime, hours: Hours) -> Wall:
    """When a mail was received, on the desk's wall clock."""
    moment = received.astimezone(ZoneInfo(hours.timezone))
    is_open = len(hours.open_intervals(received, received + timedelta(seconds=1))) > 0
    return Wall(moment, is_open, is_holiday=hours.is_holiday(moment.date()))


def _verdict(facts: Facts, playbook: Playbook, judged: Judged, *, full: bool) -> tuple[Verdict, tuple[RuleTrace, ...]]:
    evidence, suggested = suggest(playbook.rules, facts, full=full)
    verdict = weigh(
        model_scores=judged.scores,
        model_evidence=judged.evidence,
        rule_evidence=evidence,
        calibration=playbook.model.calibration,
        categories=playbook.rules.categories,
        language=facts.language,
        model_id=playbook.model.model_id,
        rules_id=playbook.written.id,
        sure=playbook.sure,
        readable=_is_readable(facts.message, judged),
    )
    return verdict, suggested


def _is_readable(message: Message, judged: Judged) -> bool:
    """Whether the model can say anything: it read and knows the words, and they do more than point to an attachment."""
    only_points = len(message.attachments) > 0 and len(message.new_text.split()) < LEAST_WORDS
    return judged.readable and not only_points


def _due(case: Case) -> datetime | None:
    """When a person owes an answer: nothing is owed for what no person wrote or nobody asked."""
    if case.message.automatic.by == "machine" or (len(case.verdict.chosen) == 0 and case.verdict.sure):
        return None
    wanted = case.handling.due
    span = parse_span(wanted) if wanted is not None else case.playbook.due[case.handling.priority]
    return add(case.message.received, span, case.playbook.hours)


def _acknowledge(case: Case, answer: Answer | None) -> tuple[Acknowledge, SendPolicy | None]:
    """Whether the mail is answered, and how what goes to the client leaves (None: nothing may)."""
    template = case.handling.acknowledge
    if (refusal := _refusal(case)) is not None:
        return Acknowledge(False, None, refusal), None
    policy = case.handling.send or case.playbook.send
    if case.message.automatic.by == "hold":
        policy = SendPolicy("approve")
        reason = f"Held for a person: {case.message.automatic.reason}"
    else:
        reason = {
            "observe": "Only observed: nothing is sent",
            "approve": "Waits for a person's approval",
            "hold": f"Leaves after {policy.hold_s // 60} minutes unless a person stops it",
            "auto": "Leaves at once",
        }[policy.mode]
    if answer is not None and answer.says != "asks":
        return Acknowledge(False, None, f"It answers what we wrote of a call: {answer.words}"), policy
    if template is None:
        return Acknowledge(False, None, "No rule asks for an acknowledgement"), policy
    if not case.is_authenticated:
        why = case.message.identity.reason
        reason += f"; only the fixed text without names, dates or topic, for the sender is not authenticated: {why}"
        template = FIXED_TEXT
    elif policy.mode in ("hold", "auto") and template != FIXED_TEXT and not _may_tell(case, template):
        least = f"right {case.playbook.answer:.0%} of the time"
        reason += f"; with neutral words, for what it is about is not known well enough ({least}) to be told by machine"
        template = FIXED_TEXT
    return Acknowledge(policy.mode in ("hold", "auto"), template, reason), policy


def _may_tell(case: Case, template: str) -> bool:
    """Whether this text may be sent without a person.

    A rule that asked for words or addresses knows what it says. One that asked what the mail is about must be sure of
    it: of the category that the text is named like, else of the likeliest that was chosen.
    """
    setter = next((each.rule for each in case.handling.fields if each.field == "acknowledge"), "")
    rule = next((each for each in case.playbook.rules.rules if each.name == setter), None)
    if rule is not None and not any(each.key in ("category", "score", "sure") for each in rule.when):
        return True
    scores = {each.category: each.precision for each in case.verdict.scores}
    about = template if template in scores else next(iter(case.verdict.chosen), "")
    return scores.get(about, 0.0) >= case.playbook.answer


def _refusal(case: Case) -> str | None:
    """Why nothing may be sent to the writer of this mail, whatever the rules say; None when it may."""
    message, playbook = case.message, case.playbook
    if message.automatic.by == "machine":
        return f"A machine wrote it: {message.automatic.reason}"
    if message.sender is None or message.identity.trust == "none":
        return f"Nobody to answer: {message.identity.reason}"
    if (
        message.sender.addr_spec.lower() in playbook.border.own_addresses
        or message.sender.domain in playbook.own_domains
    ):
        return "It comes from ourselves"
    if case.background.listed != "":
        return f"A person asked us not to: {case.background.listed}"
    if case.match.imitates != "":
        return f"Perhaps a forgery: {case.match.evidence}"
    age_h, limit_h = (span.total_seconds() / 3600 for span in (case.now - message.received, playbook.max_age))
    if age_h > limit_h:
        return f"It is {age_h:.0f} hours old; only mail up to {limit_h:.0f} hours old is answered by machine"
    return None
