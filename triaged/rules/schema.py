"""The rule language as a JSON Schema, so that an editor offers its words and marks mistakes while one types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from triaged.rules.check import (
    CALL_KEYS,
    CALL_MIN,
    CALL_WITHIN,
    EXAMPLE_KEYS,
    MAX_CALL_MIN,
    MAX_WEIGHT,
    MIN_CALL_MIN,
    MIN_WEIGHT,
    RULE_KEYS,
    THEN_KEYS,
)
from triaged.rules.conditions import NAME, RECEIVED_WORDS
from triaged.rules.grammar import (
    CALL_WAYS,
    CONDITIONS,
    EXPECTED,
    KNOWN_CATEGORIES,
    KNOWN_SIGNALS,
    NO_TEMPLATE,
    PRIORITIES,
    WEEKDAYS,
)

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that editors of TOML know (Taplo, Even Better TOML)."""

TOLD: Mapping[str, str] = {
    "name": "Shown wherever the rule acts; each rule has its own.",
    "because": "Why the rule is there; shown where it acts.",
    "enabled": "false switches the rule off.",
    "from_date": "The first day on which the rule counts, such as 2026-12-01.",
    "to_date": "The last day on which the rule counts.",
    "when": "All of these must hold.",
    "unless": "None of these may hold.",
    "then": "What the rule does: evidence (suggests, signals) or handling (everything else).",
    "example": "A mail with what must come of it, judged whenever the rules are loaded.",
    "says": "A phrase stands in the subject or in what was written now, in any form of its words; '\"exactly so\"'.",
    "pattern": "A regular expression (RE2) is found there; write it in 'single quotes'.",
    "tokens": "Words by what they are like (spaCy's Matcher): [{ LOWER = 'price' }, { LIKE_NUM = true }].",
    "subject": "The subject contains it; * stands for anything.",
    "from": "The sender's address fits: *@partner.example.",
    "to": "An address in To or Cc fits.",
    "mailbox": "It came into this mailbox.",
    "account": "It belongs to this account; '*' any known one, 'none' nobody's.",
    "tier": "The account's tier.",
    "manager": "The account's manager, by id.",
    "contract_ends_within": "A contract of the account ends within so many days: '60 days', '8 weeks'.",
    "open_items": "How many mails of the account wait for an answer: '>= 3'.",
    "category": "The category was chosen; 'other' when none was.",
    "score": "The score of the rule's own category: '>= 0.8'.",
    "sure": "The rule's own category is sure.",
    "is_reply": "It answers an earlier mail.",
    "language": "The language of what was written now: 'de'.",
    "attachment": "There is an attachment, or one of this name: '*.pdf'.",
    "automatic": "Who wrote it: 'person', 'hold' (perhaps a machine), 'machine'.",
    "received": "When it came, on the desk's clock: 'outside business hours', 'friday 15:00-24:00'.",
    "amount": "An amount of money is named: '>= 10000', '> 500 EUR'.",
    "date_mentioned": "A calendar day is named: true, or 'within 14 days'.",
    "signal": "A rule found this signal in it.",
    "risk": "How likely the client is to be lost: '>= 0.7'.",
    "suggests": "Of a hundred such mails, how many are of the category: { complaint = 0.7 }.",
    "signals": "Of a hundred such mails, how many mean it: { churn = 0.7 }.",
    "priority": "Decides when an answer is due.",
    "acknowledge": "Answer with this template; 'none' forbids it.",
    "send": "How what goes to the client leaves: 'observe', 'approve', 'hold 15m', 'auto'.",
    "call": "A call with the client: { with = 'account manager', within = '1 business day', minutes = 30 }.",
    "escalate": "Tell a colleague by mail, with all of it.",
    "assign": "Who is to see to it.",
    "notify": "Who hears of it besides; adds up over rules.",
    "file": "Move the mail into this folder.",
    "tag": "Words for searching; they add up over rules.",
    "due": "When an answer is owed, instead of by priority: '4 business hours'.",
    "stop": "No later rule handles this mail.",
    "mail": "The mail's text.",
    "contract_ends": "The day on which the client's contract ends.",
    "gives": "What must come of it.",
    "not": "What must not come of it.",
    "with": "With whom: 'account manager' or a person's id.",
    "within": "Within which span: '1 business day'.",
    "minutes": "How long.",
    "way": "'book' lays it at the first free time, 'offer' proposes some; else as [calls] way says.",
    "notice": "No call sooner than this, instead of [calls] notice: '4 business hours'.",
}
"""What each word of the language means, in a line."""
_IN_EXAMPLES = {
    "file": "An .eml file below the rule folder, in the place of mail.",
    "subject": "The mail's subject.",
    "from": "The sender's address.",
    "account": "The id of the client's account; 'none' for a stranger.",
    "tier": "The tier of the client's account.",
    "manager": "The manager of the client's account.",
    "open_items": "How many other mails of the account wait for an answer.",
    "received": "When it came, on the desk's clock: 2026-12-01T18:30:00.",
    "is_reply": "Whether it answers an earlier mail.",
    "attachment": "The name of its attachment.",
    "automatic": "Who wrote it: 'person', 'hold' (perhaps a machine) or 'machine'.",
}


def rule_schema(*, templates: Iterable[str] = (), people: Iterable[str] = (), mailboxes: Iterable[str] = ()) -> Schema:
    """The schema of a rule file. templates, people (roles too), mailboxes: those there are; any where none is given."""
    names = {"acknowledge": [*templates, NO_TEMPLATE] if templates else [], "people": [*people]}
    names |= {"mailbox": [*mailboxes]}
    return {
        "$schema": DRAFT,
        "title": "triaged rules",
        "type": "object",
        "additionalProperties": False,
        "properties": {"rule": {"type": "array", "items": {"$ref": "#/definitions/rule"}}},
        "definitions": {
            "rule": _table(RULE_KEYS, _rule(names), required=("name", "then")),
            "conditions": _table(CONDITIONS, _conditions(names)),
            "then": _table(THEN_KEYS, _then(names)),
            "example": _table(EXAMPLE_KEYS, _example(), told={**TOLD, **_IN_EXAMPLES}),
            "expected": _table(EXPECTED, _expected(names)),
        },
    }


def _table(
    keys: Iterable[str], kinds: Mapping[str, Schema], *, required: tuple[str, ...] = (), told: Mapping[str, str] = TOLD
) -> Schema:
    properties = {key: {"description": told[key], **kinds.get(key, _TEXTS)} for key in keys}
    table: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**table, "required": list(required)} if required else table


_TEXT: Schema = {"type": "string", "minLength": 1}
_TEXTS: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_TRUTH: Schema = {"type": "boolean"}
_DAY: Schema = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}


def _any_of(names: Iterable[str]) -> Schema:
    """One of the names or a list of them; any text where none is known."""
    one: Schema = {"enum": sorted(names)} if names else _TEXT
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}, {"type": "string", "pattern": "^@"}]}


def _like(pattern: str, *examples: str) -> Schema:
    one = {"type": "string", "pattern": pattern, "examples": list(examples)}
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def _offered(*examples: str) -> Schema:
    """Any text, these offered."""
    one = {"type": "string", "examples": list(examples)}
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def _rule(_names: Mapping[str, list[str]]) -> dict[str, Schema]:
    conditions = {"$ref": "#/definitions/conditions"}
    return {
        "name": _TEXT,
        "because": _TEXT,
        "enabled": _TRUTH,
        "from_date": _DAY,
        "to_date": _DAY,
        "when": conditions,
        "unless": conditions,
        "then": {"$ref": "#/definitions/then"},
        "example": {"type": "array", "items": {"$ref": "#/definitions/example"}},
    }


def _conditions(names: Mapping[str, list[str]]) -> dict[str, Schema]:
    share, count = r"^(>=|<=|>|<)\s*(0(\.\d+)?|1(\.0+)?|\.\d+)$", r"^(>=|<=|>|<|=)\s*\d{1,4}$"
    days = r"[1-9]\d{0,3}\s*(d|days?|w|weeks?)"
    token = {"type": "object"}
    tokens = {"type": "array", "items": token, "minItems": 1}
    return {
        "tokens": {"anyOf": [tokens, {"type": "array", "items": tokens, "minItems": 1}]},
        "mailbox": _offered(*names["mailbox"]),
        "manager": _any_of(names["people"]),
        "contract_ends_within": _like(f"^{days}$", "60 days", "8 weeks"),
        "open_items": _like(count, ">= 3"),
        "category": _offered(*sorted(KNOWN_CATEGORIES), "other"),
        "score": _like(share, ">= 0.8", "< 0.5"),
        "sure": _TRUTH,
        "is_reply": _TRUTH,
        "language": _like("^[a-z]{2}$", "en", "de", "fr", "es"),
        "attachment": {
            "anyOf": [_TRUTH, *_offered("*.pdf")["anyOf"]],
            "not": {"enum": ["true", "false", "yes", "no"]},
        },
        "automatic": _any_of(("person", "hold", "machine")),
        "received": _offered(*RECEIVED_WORDS, *WEEKDAYS, "18:00-08:00", "friday 15:00-24:00"),
        "amount": _like(r"^(>=|<=|>|<)\s*\d{1,12}(\.\d{1,2})?(\s*[A-Za-z]{3})?$", ">= 10000", "> 500 EUR"),
        "date_mentioned": {"anyOf": [_TRUTH, *_like(f"^within {days}$", "within 14 days")["anyOf"]]},
        "signal": _offered(*sorted(KNOWN_SIGNALS)),
        "risk": _like(share, ">= 0.7"),
    }


def _then(names: Mapping[str, list[str]]) -> dict[str, Schema]:
    weight = {"type": "number", "minimum": MIN_WEIGHT, "maximum": MAX_WEIGHT}
    weights = {"type": "object", "minProperties": 1, "additionalProperties": weight}
    weights |= {"propertyNames": {"pattern": f"^{NAME.pattern}$"}}
    person: Schema = {"enum": names["people"]} if names["people"] else _TEXT
    minutes = {"type": "integer", "minimum": MIN_CALL_MIN, "maximum": MAX_CALL_MIN, "default": CALL_MIN}
    spans = {"type": "string", "examples": ["4 business hours", "1 business day", "2d"]}
    call = {"with": person, "within": {**spans, "default": CALL_WITHIN}, "minutes": minutes}
    call |= {"way": {"enum": list(CALL_WAYS)}, "notice": spans}
    return {
        "suggests": {**weights, "examples": [{"complaint": 0.7}]},
        "signals": {**weights, "examples": [{"churn": 0.7}]},
        "priority": {"enum": list(PRIORITIES)},
        "acknowledge": {"enum": names["acknowledge"]} if names["acknowledge"] else _TEXT,
        "send": {"type": "string", "examples": ["observe", "approve", "hold 15m", "auto"]},
        "call": _table(CALL_KEYS, call, required=("with",)),
        "escalate": person,
        "assign": person,
        "notify": _any_of(names["people"]),
        "file": _TEXT,
        "due": spans,
        "stop": _TRUTH,
    }


def _example() -> dict[str, Schema]:
    expected = {"$ref": "#/definitions/expected"}
    return {
        "mail": _TEXT,
        "file": {"type": "string", "pattern": r"\.[eE][mM][lL]$"},
        "subject": _TEXT,
        "from": _TEXT,
        "account": _TEXT,
        "tier": _TEXT,
        "manager": _TEXT,
        "contract_ends": _DAY,
        "open_items": {"type": "integer", "minimum": 0},
        "received": {"type": "string", "format": "date-time"},
        "is_reply": _TRUTH,
        "attachment": _TEXT,
        "automatic": {"enum": ["person", "hold", "machine"]},
        "gives": expected,
        "not": expected,
    }


def _expected(names: Mapping[str, list[str]]) -> dict[str, Schema]:
    return {
        "priority": _any_of(PRIORITIES),
        "acknowledge": _any_of(names["acknowledge"]),
        "call": _TRUTH,
        "escalate": _any_of(names["people"]),
        "assign": _any_of(names["people"]),
        "notify": _any_of(names["people"]),
    }
