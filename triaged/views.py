"""Decisions and log rows in, the JSON objects that other programs build on out; the names here are a promise."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from triaged.decision import ConditionTrace, Decision
from triaged.errors import Problem
from triaged.log.alerts import Alert
from triaged.log.labels import Learning
from triaged.log.rows import BouncedRow, BreakerRow, EffectRow, EventRow, HealthRow, HeldRow, LogRow
from triaged.log.status import Status
from triaged.model import Account, Evidence, Message, Risk
from triaged.risk import change, trend_words
from triaged.rules.match import met

if TYPE_CHECKING:  # they load spaCy's readers, which most commands do without
    from triaged.examples import JudgedExample
    from triaged.explanation import Explanation, WhyNot


def moment(value: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the second."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if value is not None else None


def problem_view(kind: str, problem: Problem) -> dict[str, Any]:
    """What `triaged rules check --json` and `triaged templates check --json` print. kind: `error` or `hint`."""
    name, _, line = problem.where.rpartition(":")
    has_line = name != "" and line.isdigit()
    return {
        "kind": kind,
        "where": problem.where,
        "file": name if has_line else problem.where,
        "line": int(line) if has_line else None,
        "what": problem.what,
    }


def decision_view(file: str, message: Message, decision: Decision) -> dict[str, Any]:
    """What `triaged try --json` prints for a mail."""
    verdict, account, call = decision.verdict, decision.account, decision.call
    return {
        "file": file,
        "key": message.key,
        "subject": message.subject,
        "sender": message.sender.addr_spec if message.sender is not None else None,
        "new_text": message.new_text,
        "automatic": {"is": message.automatic.by == "machine", "reason": message.automatic.reason or None},
        "categories": list(verdict.chosen),
        "scores": {each.category: round(each.score, 4) for each in verdict.scores},
        "sure": verdict.sure,
        "answers": {each.category: verdict.answer(each.category) for each in verdict.scores},
        "runner_up": verdict.runner_up.category if verdict.runner_up is not None else None,
        "account": {"id": account.account_id, "how": account.how, "score": round(account.score, 4)}
        if account.account_id is not None
        else None,
        "acknowledge": {
            "would_send": decision.acknowledge.would_send,
            "template": decision.acknowledge.template,
            "reason": decision.acknowledge.reason,
        },
        "call": {
            "with": call.person,
            "minutes": call.minutes,
            "earliest": moment(call.earliest),
            "latest": moment(call.latest),
            "way": call.way,
            "windows": [{"start": moment(each.start), "end": moment(each.end)} for each in call.windows],
        }
        if call is not None
        else None,
        "answer": {"says": decision.answer.says, "words": decision.answer.words}
        if decision.answer is not None
        else None,
        "priority": decision.priority,
        "risk": risk_view(decision.risk),
        "rules": [rule.name for rule in decision.rules if rule.fired],
        "evidence": [evidence_view(each) for each in verdict.evidence],
        "defects": list(message.defects),
    }


def evidence_view(each: Evidence) -> dict[str, Any]:
    """One piece of evidence; start, end, marks: places in subject, empty line and new text, -1 for none."""
    return {
        "source": each.source,
        "category": each.category,
        "weight": round(each.weight, 4),
        "words": each.words,
        "start": each.start,
        "end": each.end,
        "marks": [list(mark) for mark in each.marks],
    }


def risk_view(risk: Risk) -> dict[str, Any]:
    """The risk of losing the client; trend: null without an account or a log."""
    trend = risk.trend
    return {
        "score": round(risk.score, 4),
        "signals": list(risk.signals),
        "evidence": [evidence_view(each) for each in risk.evidence],
        "trend": {
            "change": change(trend) or None,
            "recent": round(trend.recent, 4),
            "recent_mails": trend.recent_mails,
            "before": round(trend.before, 4),
            "before_mails": trend.before_mails,
            "chasers": trend.chasers,
            "words": trend_words(trend),
        }
        if trend is not None
        else None,
    }


def row_view(row: LogRow) -> dict[str, Any]:
    """What `triaged log --json` prints for a mail."""
    return {
        "id": row.id,
        "reference": row.reference,
        "state": row.state,
        "mailbox": row.mailbox,
        "received": moment(row.received),
        "sender": row.sender,
        "subject": row.subject,
        "automatic": row.automatic,
        "categories": list(row.categories),
        "sure": row.sure,
        "account": row.account_id,
        "priority": row.priority,
        "due": moment(row.due),
        "assigned": row.assigned or None,
        "answered": moment(row.answered),
        "done": moment(row.done),
        "risk": round(row.risk, 4) if row.risk is not None else None,
        "copies": row.copies,
        "effects": [{"kind": kind, "state": state} for kind, state in row.effects],
    }


def story_view(
    row: LogRow, message: Message | None, effects: list[EffectRow], events: list[EventRow]
) -> dict[str, Any]:
    """What `triaged show --json` prints."""
    return {
        **row_view(row),
        "text": message.text if message is not None else None,
        "new_text": message.new_text if message is not None else None,
        "defects": list(message.defects) if message is not None else [],
        "effects": [
            {
                "kind": effect.kind,
                "state": effect.state,
                "attempts": effect.attempts,
                "not_before": moment(effect.not_before),
                "detail": effect.detail,
                "payload": effect.payload,
            }
            for effect in effects
        ],
        "events": [{"at": moment(event.at), "name": event.name, "detail": event.detail} for event in events],
    }


def explanation_view(file: str, told: Explanation) -> dict[str, Any]:
    """What `triaged explain --json` prints: the decision with its whole trace.

    reproduced: whether the decision comes out the same when it is made again; null where it cannot be, and then
    `problem` says why.
    """
    message, decision = told.message, told.decision
    return {
        **decision_view(file, message, decision),
        "reproduced": told.replay.reproduced,
        "problem": told.replay.problem or None,
        "differences": list(told.replay.differences),
        "reference": decision.reference,
        "decided": moment(decision.decided_at),
        "due": moment(decision.due),
        "tags": list(decision.tags),
        "account_evidence": decision.account.evidence,
        "account_rivals": list(decision.account.rivals),
        "identity": {"trust": message.identity.trust, "reason": message.identity.reason},
        "model": decision.verdict.model_id,
        "rule_set": decision.verdict.rules_id,
        "fields": [
            {"field": each.field, "value": each.value, "rule": each.rule, "overruled": list(each.overruled)}
            for each in decision.fields
        ],
        "thresholds": {name: round(value, 4) for name, value in told.thresholds.items()},
        "due_steps": [{"at": moment(each.at), "what": each.what, "words": each.words} for each in told.due_steps],
        "no_due": told.no_due or None,
        "trace": [
            {
                "rule": rule.name,
                "source": rule.source,
                "because": rule.because,
                "fired": rule.fired,
                "near_miss": rule.near,
                "not_looked_at": rule.unseen or None,
                "conditions": [condition_view(each) for each in rule.conditions],
                "gave": [{"name": each.category, "weight": round(each.weight, 4)} for each in rule.gave],
            }
            for rule in told.rules
        ],
        "why_not": why_not_view(told.why_not) if told.why_not is not None else None,
    }


def condition_view(each: ConditionTrace) -> dict[str, Any]:
    """One condition; met: whether the rule may fire for all that it says, so a false `holds` of an `unless`."""
    return {"key": each.key, "wanted": each.wanted, "actual": each.actual, "holds": each.holds, "met": met(each)}


def why_not_view(told: WhyNot) -> dict[str, Any]:
    """What became of one rule; today: it is a rule of today that the rule set of the mail's day did not have."""
    return {
        "rule": told.name,
        "source": told.source,
        "because": told.because,
        "today": told.today,
        "fired": told.fired,
        "answer": list(told.answer),
        "conditions": [condition_view(each) for each in told.conditions],
        "fields": [
            {"field": each.field, "value": each.value, "outcome": each.outcome, "set_by": each.by or None}
            | {"is": each.now or None}
            for each in told.fields
        ],
    }


def example_view(each: JudgedExample) -> dict[str, Any]:
    """One line of `triaged rules test --json`."""
    return {
        "rule": each.rule.name,
        "source": each.example.source,
        "right": len(each.differences) == 0,
        "gives": {field: list(values) for field, values in each.example.gives},
        "not": {field: list(values) for field, values in each.example.never},
        "came": {field: list(values) for field, values in each.came.items()},
        "differences": list(each.differences),
    }


def account_view(account: Account) -> dict[str, Any]:
    """What `triaged accounts list --json` prints for an account."""
    return {
        "account_id": account.account_id,
        "name": account.name,
        "domains": list(account.domains),
        "addresses": list(account.addresses),
        "contacts": [{"address": contact.addr_spec, "name": contact.name} for contact in account.contacts],
        "manager": account.manager,
        "tier": account.tier,
        "contracts": [
            {"number": contract.number, "ends": contract.ends.isoformat() if contract.ends is not None else None}
            for contract in account.contracts
        ],
        "timezone": account.timezone,
        "language": account.language,
        "hours": account.hours,
        "country": account.country,
    }


def breaker_view(state: BreakerRow, held: list[HeldRow]) -> dict[str, Any]:
    """What `triaged breaker show --json` prints."""
    return {
        "open": state.opened is not None,
        "since": moment(state.opened),
        "why": state.why,
        "held_back": [
            {"id": each.message, "kind": each.kind, "sender": each.sender, "subject": each.subject, "why": each.why}
            for each in held
        ],
    }


def bounced_view(row: BouncedRow) -> dict[str, Any]:
    """One line of `triaged bounced list --json`."""
    return {"id": row.message, "sender": row.sender, "since": moment(row.since), "why": row.why}


def health_view(row: HealthRow) -> dict[str, Any]:
    """One part of the worker in `triaged status --json`."""
    return {"part": row.part, "state": row.state, "detail": row.detail, "since": moment(row.since)}


def line(value: dict[str, Any]) -> str:
    """One JSON object on one line, readable in any language."""
    return json.dumps(value, ensure_ascii=False)


def alert_view(alert: Alert) -> dict[str, Any]:
    """One alarm in `triaged status --json` and `triaged alerts list --json`."""
    return {
        "key": alert.key,
        "what": alert.what,
        "severity": alert.severity,
        "words": alert.words,
        "open": alert.cleared is None,
        "since": moment(alert.since),
        "cleared": moment(alert.cleared),
        "told": moment(alert.heard) if alert.heard_step > 0 else None,
        "not_told": alert.failed or None,
    }


def learning_view(learning: Learning) -> dict[str, Any]:
    """How learning stands in `triaged status --json`."""
    return {
        "to_review": learning.to_review,
        "reviewed": learning.reviewed,
        "reviewed_right": learning.reviewed_right,
        "labels": learning.labels,
        "new_labels": learning.new,
        "last": moment(learning.last),
        "outcome": learning.outcome or None,
    }


def status_view(status: Status) -> dict[str, Any]:
    """What `triaged status --json` prints. parts: as the worker last reported them."""
    counts = status.counts
    return {
        "running": status.running,
        "disk_full": status.disk_full,
        "troubled": status.troubled,
        "parts": [health_view(row) for row in status.health],
        "breaker": {
            "open": status.breaker.opened is not None,
            "since": moment(status.breaker.opened),
            "why": status.breaker.why,
        },
        "alerts": [alert_view(alert) for alert in status.alerts],
        "mailboxes": [
            {"name": name, "mode": "live" if enabled is not None else "observed", "since": moment(enabled)}
            for name, enabled in status.mailboxes
        ],
        "mails": counts.messages,
        "last_24_h": counts.today,
        "further_copies": counts.copies,
        "unsure": counts.unsure,
        "quarantined": counts.quarantined,
        "effects": [{"kind": kind, "state": state, "count": count} for kind, state, count in counts.effects],
        "waiting": [
            {"id": message, "kind": kind, "state": state, "subject": subject, "detail": detail}
            for message, kind, state, subject, detail in status.waiting
        ],
        "learning": learning_view(status.learning),
    }
