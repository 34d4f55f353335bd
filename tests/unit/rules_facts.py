"""Builders for rule tests: TOML text → RuleSet, keyword facts → Facts."""

from __future__ import annotations

from datetime import UTC, datetime

from triaged.model import Account, Address, Attachment, Automatic, CategoryScore, Identity, Message, Risk, Verdict
from triaged.rules.facts import Facts, Hits, Wall
from triaged.rules.grammar import RuleSet
from triaged.rules.load import parse_rules

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TEMPLATES = frozenset({"complaint", "renewal", "request", "received"})
PEOPLE = frozenset({"lena", "marek"})
ACME = Account("acme", "Acme", manager="lena", tier="gold")


def rule_set(text: str, name: str = "x.toml") -> RuleSet:
    return parse_rules({name: text.encode()}, templates=TEMPLATES, people=PEOPLE)


def message(**changes: object) -> Message:
    values: dict[str, object] = {
        "key": "0" * 32,
        "message_id": "<1@acme.example>",
        "subject": "Order 17",
        "sender": Address("ada@acme.example", "Ada"),
        "reply_to": (),
        "to": (Address("desk@nordlicht.example"),),
        "cc": (Address("Boss@Acme.example"),),
        "date": None,
        "received": NOW,
        "in_reply_to": (),
        "references": (),
        "text": "Hello",
        "new_text": "Hello",
        "quoted": "",
        "attachments": (Attachment("Invoice 7.PDF", "application/pdf", 10),),
        "automatic": Automatic(),
        "identity": Identity("authenticated"),
        "defects": (),
        "size_bytes": 100,
    }
    return Message(**(values | changes))  # type: ignore[arg-type]


def verdict(scores: dict[str, float], *, unsure: frozenset[str] = frozenset(), threshold: float = 0.5) -> Verdict:
    ordered = sorted(scores.items(), key=lambda item: -item[1])
    return Verdict(
        scores=tuple(CategoryScore(name, score, name not in unsure) for name, score in ordered),
        chosen=tuple(name for name, score in ordered if score >= threshold),
        evidence=(),
        sure=len(unsure) == 0,
        language="en",
        model_id="m",
        rules_id="r",
    )


def facts(
    *,
    mail: Message | None = None,
    account: Account | None = ACME,
    says: tuple[str, ...] = (),
    hits: Hits | None = None,
    judged: Verdict | None = None,
    language: str = "en",
    risk: Risk = Risk(),  # noqa: B008 - frozen
    open_items: int = 0,
    wall: Wall | None = None,
) -> Facts:
    return Facts(
        message=mail or message(),
        account=account,
        mailbox="desk",
        hits=hits
        if hits is not None
        else {("says", phrase): ((phrase.upper(), 3, 3 + len(phrase)),) for phrase in says},
        language=language,
        wall=wall or Wall(NOW, is_open=True, is_holiday=False),
        open_items=open_items,
        verdict=judged,
        risk=risk,
    )
