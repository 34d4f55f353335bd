"""One `[[rule]]` table in, a `Rule` out; everything wrong with it is named by line in words for its author."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Literal

from triaged.rules.conditions import NAME, names, read_conditions, signals
from triaged.rules.grammar import (
    CALL_WAYS,
    EXPECTED,
    NEEDS_VERDICT,
    NO_TEMPLATE,
    OTHER,
    PRIORITIES,
    CallWish,
    Circumstances,
    Condition,
    Example,
    Rule,
    SendPolicy,
    Then,
    parse_send,
    plain,
)
from triaged.rules.values import (
    Known,
    Spot,
    choice,
    no_other_keys,
    one_of,
    shown,
    span,
    texts,
    whole_number,
    words,
    yes_no,
)

MIN_WEIGHT, MAX_WEIGHT = 0.01, 0.99
"""0 and 1 would be certainty: no other evidence could ever speak against it."""
MIN_CALL_MIN, MAX_CALL_MIN = 5, 480
"""Minutes of a call; eight hours is a working day."""
CALL_KEYS = ("with", "within", "minutes", "way", "notice")
CALL_WITHIN, CALL_MIN = "2 business days", 30
"""What holds of a call where the rule does not say. Our own choice."""

RULE_KEYS = ("name", "because", "enabled", "from_date", "to_date", "when", "unless", "then", "example")
THEN_KEYS = (
    *("suggests", "signals", "priority", "acknowledge", "send", "call", "escalate", "assign", "notify"),
    *("file", "tag", "due", "stop"),
)
EXAMPLE_KEYS = (
    *("mail", "file", "subject", "from", "account", "tier", "manager", "contract_ends", "open_items"),
    *("received", "is_reply", "attachment", "automatic", "gives", "not"),
)

Weights = tuple[tuple[str, float], ...]


def check_rule(table: Mapping[str, Any], spot: Spot, known: Known) -> Rule:
    """Read one rule; a part that is wrong is reported to `spot` and left out of what is returned."""
    no_other_keys(table, spot, RULE_KEYS, "a rule")
    name = words(table, "name", spot)
    if "name" not in table:
        spot.wrong('has no name; add name = "…", it is shown wherever the rule acts')
    when = read_conditions(table.get("when", {}), spot.at("when"), known)
    unless = read_conditions(table.get("unless", {}), spot.at("unless"), known)
    suggests, gives_signals, then = _then(table, spot, known)
    if suggests or gives_signals:
        does = "suggests" if suggests else "signals"
        _check_evidence(when, unless, spot, does)
        if table.get("when", {}) == {}:
            spot.wrong(f'{does} something for every mail; add a condition, for example when.says = "…"')
    return Rule(
        name=name,
        because=words(table, "because", spot),
        source=spot.where,
        enabled=yes_no(table, "enabled", spot, default=True),
        when=(*when, *_days(table, spot)),
        unless=unless,
        suggests=suggests,
        signals=gives_signals,
        then=then,
        examples=_examples(table.get("example", []), spot.at("example"), known),
    )


def _days(table: Mapping[str, Any], spot: Spot) -> tuple[Condition, ...]:
    """From which day to which a rule counts, both included, as conditions of its own."""
    found = {}
    for key in ("from_date", "to_date"):
        day = _day(table[key], spot.at(key)) if key in table else None
        if day is not None:
            found[key] = day
    if len(found) == 2 and found["to_date"] < found["from_date"]:
        spot.at("to_date").wrong(
            f"the rule ends on {found['to_date']}, before it begins on {found['from_date']}, so it could never hold"
        )
    return tuple(Condition(key, (day.isoformat(),)) for key, day in found.items())


def _day(value: Any, spot: Spot) -> date | None:
    """A day, as TOML has it or in quotes."""
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        spot.wrong(f"{spot.place[-1]} must be a day such as 2026-12-31, not {shown(value)}")
        return None


# --- then --------------------------------------------------------------------------------------------------


def _then(table: Mapping[str, Any], spot: Spot, known: Known) -> tuple[Weights, Weights, Then]:
    """What it suggests, what it signals, what it sets."""
    here, then = spot.at("then"), table.get("then", {})
    if not isinstance(then, dict) or len(then) == 0:
        here.wrong('does nothing; add for example then.suggests = { request = 0.7 } or then.priority = "high"')
        return (), (), Then()
    no_other_keys(then, here, THEN_KEYS, "then")
    suggests = _weights(then["suggests"], here.at("suggests"), "category") if "suggests" in then else ()
    gives_signals = _weights(then["signals"], here.at("signals"), "signal") if "signals" in then else ()
    sets = Then(
        priority=choice(then, "priority", here, PRIORITIES, "priority"),
        acknowledge=choice(then, "acknowledge", here, known.templates | {NO_TEMPLATE}, "template"),
        send=_send(then, here),
        call=_call(then["call"], here.at("call"), known) if "call" in then else None,
        escalate=choice(then, "escalate", here, known.people, "person"),
        assign=choice(then, "assign", here, known.people, "person"),
        file=words(then, "file", here) or None,
        due=span(then, "due", here),
        tags=texts(then["tag"], here.at("tag"), known) if "tag" in then else (),
        notify=_people(then["notify"], here.at("notify"), known) if "notify" in then else (),
        stop=yes_no(then, "stop", here, default=False),
    )
    return suggests, gives_signals, sets


def _people(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    return tuple(name for name in texts(value, spot, known) if one_of(name, spot, known.people, "person"))


def _weights(value: Any, spot: Spot, kind: str) -> Weights:
    """Names with their weights. kind: `category` or `signal`."""
    if not isinstance(value, dict) or len(value) == 0:
        example = "suggests = { complaint = 0.7 }" if kind == "category" else "signals = { churn = 0.7 }"
        spot.wrong(f"write the {kind} with its weight: then.{example}")
        return ()
    found = []
    for key, weight in value.items():
        name, here = plain(key), spot.at(key)
        if kind == "category" and name == OTHER:
            here.wrong("'other' cannot be suggested; it is what remains when nothing else applies")
        elif NAME.fullmatch(name) is None:
            here.wrong(f"'{key}' cannot be a {kind}; use letters, digits, '-' and '_'")
        elif isinstance(weight, bool) or not isinstance(weight, int | float):
            here.wrong(f"the weight of '{key}' must be a number like 0.7, without quotes, not {shown(weight)}")
        elif not MIN_WEIGHT <= weight <= MAX_WEIGHT:
            near = f"; did you mean {weight / (10 if weight < 10 else 100):g}?" if 1 < weight < 100 else ""
            here.wrong(f"the weight of '{key}' must lie between {MIN_WEIGHT} and {MAX_WEIGHT}, not {weight}{near}")
        else:
            found.append((name, float(weight)))
    return tuple(found)


def _check_evidence(when: tuple[Condition, ...], unless: tuple[Condition, ...], spot: Spot, does: str) -> None:
    """Evidence makes scores and risk, so it cannot depend on them. does: `suggests` or `signals`."""
    for side, conditions in (("when", when), ("unless", unless)):
        for condition in conditions:
            if condition.key in NEEDS_VERDICT:
                spot.at(side, condition.key).wrong(
                    f"a rule that {does} cannot ask for {side}.{condition.key}: categories, scores and risk are known "
                    "only after all evidence is weighed; make two rules of it"
                )


def _send(then: Mapping[str, Any], spot: Spot) -> SendPolicy | None:
    text = words(then, "send", spot)
    if text == "":
        return None
    try:
        return parse_send(text)
    except ValueError as error:
        spot.at("send").wrong(str(error))
        return None


def _call(value: Any, spot: Spot, known: Known) -> CallWish | None:
    if not isinstance(value, dict):
        spot.wrong('write then.call = { with = "account manager", within = "1 business day", minutes = 30 }')
        return None
    before = len(spot.problems)
    no_other_keys(value, spot, CALL_KEYS, "then.call")
    with_ = choice(value, "with", spot, known.people, "person")
    if "with" not in value:
        spot.wrong('then.call does not say with; add with = "account manager"')
    wish = CallWish(
        with_ or "",
        within=span(value, "within", spot) or CALL_WITHIN,
        minutes=whole_number(value, "minutes", spot, least=MIN_CALL_MIN, most=MAX_CALL_MIN, default=CALL_MIN),
        way=choice(value, "way", spot, CALL_WAYS, "way to call") or "",
        notice=span(value, "notice", spot) or "",
    )
    return wish if len(spot.problems) == before else None


# --- examples ----------------------------------------------------------------------------------------------


def _examples(tables: Any, spot: Spot, known: Known) -> tuple[Example, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        spot.wrong("write an example under its own line [[rule.example]], with two brackets")
        return ()
    return tuple(_example(table, spot.at(number), known) for number, table in enumerate(tables))


def _example(table: Mapping[str, Any], spot: Spot, known: Known) -> Example:
    no_other_keys(table, spot, EXAMPLE_KEYS, "an example")
    mail, file = words(table, "mail", spot), words(table, "file", spot)
    if ("mail" in table) == ("file" in table):
        spot.wrong('an example needs either mail = "…" with the mail\'s text, or file = "…" with an .eml file\'s name')
    gives, never = table.get("gives", {}), table.get("not", {})
    if not isinstance(gives, dict) or not isinstance(never, dict) or len(gives) + len(never) == 0:
        spot.wrong('the example does not say what must come of it; add for example gives.category = "request"')
        gives, never = {}, {}
    return Example(
        source=spot.where,
        mail=mail,
        file=file,
        subject=words(table, "subject", spot),
        sender=words(table, "from", spot),
        circumstances=_circumstances(table, spot),
        gives=_expected(gives, spot.at("gives"), known),
        never=_expected(never, spot.at("not"), known),
    )


def _circumstances(table: Mapping[str, Any], spot: Spot) -> Circumstances:
    received = table.get("received")
    if received is not None and (type(received) is not datetime or received.tzinfo is not None):
        spot.at("received").wrong(
            f"received must be a moment on your own clock, without quotes, such as 2026-12-01T18:30:00, "
            f"not {shown(received)}"
        )
        received = None
    return Circumstances(
        account=words(table, "account", spot),
        tier=plain(words(table, "tier", spot)),
        manager=plain(words(table, "manager", spot)),
        contract_ends=_day(table["contract_ends"], spot.at("contract_ends")) if "contract_ends" in table else None,
        open_items=whole_number(table, "open_items", spot, least=0, most=9_999, default=0),
        received=received,
        is_reply=yes_no(table, "is_reply", spot, default=False),
        attachment=words(table, "attachment", spot),
        automatic=_sender(table, spot),
    )


def _sender(table: Mapping[str, Any], spot: Spot) -> Literal["person", "hold", "machine"]:
    """Who wrote the example."""
    match choice(table, "automatic", spot, ("person", "hold", "machine"), "kind of sender"):
        case "hold":
            return "hold"
        case "machine":
            return "machine"
    return "person"


def _expected(table: Mapping[str, Any], spot: Spot, known: Known) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What must, or must not, come of an example, by field."""
    no_other_keys(table, spot, EXPECTED, str(spot.place[-1]))
    found: list[tuple[str, tuple[str, ...]]] = []
    for field, value in table.items():
        if field not in EXPECTED:
            continue
        here = spot.at(field)
        if field == "call":
            if not isinstance(value, bool):
                here.wrong(f"{here.label} must be true or false, without quotes, not {shown(value)}")
            found.append((field, ("true" if value is True else "false",)))
        elif values := _EXPECTED.get(field, texts)(value, here, known):
            found.append((field, values))
    return tuple(found)


def _of(kind: str, names_of: Callable[[Known], frozenset[str]]) -> Callable[[Any, Spot, Known], tuple[str, ...]]:
    def read(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
        return tuple(word for word in texts(value, spot, known) if one_of(word, spot, names_of(known), kind))

    return read


_EXPECTED: Mapping[str, Callable[[Any, Spot, Known], tuple[str, ...]]] = {
    "category": names,
    "signal": signals,
    "priority": _of("priority", lambda _: frozenset(PRIORITIES)),
    "acknowledge": _of("template", lambda known: known.templates | {NO_TEMPLATE}),
    "escalate": _people,
    "assign": _people,
    "notify": _people,
}
