"""One `[[rule]]` table in, a `Rule` out; everything wrong with it is named by line in words for its author."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from triaged.errors import Problem
from triaged.rules.grammar import (
    CONDITIONS,
    NEEDS_VERDICT,
    NO_TEMPLATE,
    OTHER,
    PRIORITIES,
    ROLES,
    CallWish,
    Condition,
    Example,
    Rule,
    SendPolicy,
    Then,
    is_span,
    parse_send,
    plain,
)
from triaged.tomlfile import Place, TomlFile, did_you_mean

MIN_WEIGHT, MAX_WEIGHT = 0.01, 0.99
"""0 and 1 would be certainty: no other evidence could ever speak against it."""
MIN_CALL_MIN, MAX_CALL_MIN = 5, 480
"""Minutes of a call; eight hours is a working day."""
SPAN_EXAMPLES = "'30 minutes', '4 business hours', '1 business day' or '2h'"

_BOUND = re.compile(r"(>=|<=|>|<)\s*(0(?:\.\d+)?|1(?:\.0+)?|\.\d+)")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Known:
    """What exists outside the rule files: template names, and people's ids with the roles."""

    templates: frozenset[str]
    people: frozenset[str]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a file, and the list that what is wrong there is added to."""

    file: TomlFile
    place: Place
    problems: list[Problem]

    def at(self, *parts: str | int) -> Spot:
        """A place further in."""
        return Spot(self.file, self.place + parts, self.problems)

    @property
    def where(self) -> str:
        """`file:line`."""
        return self.file.where(self.place)

    def wrong(self, what: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(self.where, what))


def check_rule(table: Mapping[str, Any], spot: Spot, known: Known) -> Rule:
    """Read one rule; a part that is wrong is reported to `spot` and left out of what is returned."""
    _no_other_keys(table, spot, ("name", "because", "enabled", "when", "unless", "then", "example"), "a rule")
    name = _words(table, "name", spot)
    if "name" not in table:
        spot.wrong('has no name; add name = "…", it is shown wherever the rule acts')
    when = _conditions(table.get("when", {}), spot.at("when"), known)
    unless = _conditions(table.get("unless", {}), spot.at("unless"), known)
    suggests, signals, then = _then(table, spot, known)
    if suggests or signals:
        does = "suggests" if suggests else "signals"
        _check_evidence(when, unless, spot, does)
        if table.get("when", {}) == {}:
            spot.wrong(f'{does} something for every mail; add a condition, for example when.says = "…"')
    return Rule(
        name=name,
        because=_words(table, "because", spot),
        source=spot.where,
        enabled=_yes_no(table, "enabled", spot, default=True),
        when=when,
        unless=unless,
        suggests=suggests,
        signals=signals,
        then=then,
        examples=_examples(table.get("example", []), spot.at("example"), known),
    )


# --- when and unless ---------------------------------------------------------------------------------------


def _conditions(table: Any, spot: Spot, known: Known) -> tuple[Condition, ...]:
    side = str(spot.place[-1])
    if not isinstance(table, dict):
        spot.wrong(f'{side} needs to say what it looks at, for example {side}.says = "cancel our contract"')
        return ()
    found = []
    for key, value in table.items():
        here = spot.at(key)
        if key not in CONDITIONS:
            here.wrong(f"there is no condition '{side}.{key}'{did_you_mean(key, CONDITIONS)}{_all(CONDITIONS)}")
            continue
        values = _VALUES[key](value, here, known) if key in _VALUES else _texts(value, here)
        if values:
            found.append(Condition(key, values))
    return tuple(found)


def _texts(value: Any, spot: Spot, _known: Known | None = None) -> tuple[str, ...]:
    """A text or a list of texts, made plain; () when something is wrong."""
    items = value if isinstance(value, list) else [value]
    label = _label(spot)
    if len(items) == 0:
        spot.wrong(f"{label} is an empty list, so it could never hold; name something or take the line out")
    elif not all(isinstance(item, str) for item in items):
        spot.wrong(f'{label} must be a text in "quotes" or a list of texts, not {_shown(value)}')
    elif any(plain(item) == "" for item in items):
        spot.wrong(f"{label} holds an empty text; take it out")
    else:
        return tuple(dict.fromkeys(plain(item) for item in items))
    return ()


def _phrases(value: Any, spot: Spot, _known: Known) -> tuple[str, ...]:
    phrases = _texts(value, spot)
    for phrase in phrases:
        if "*" in phrase:
            spot.wrong(f"'{phrase}': a phrase is plain words, '*' means nothing in it; write each form out")
            return ()
        if not any(char.isalnum() for char in phrase):
            spot.wrong(f"'{phrase}' holds no word")
            return ()
    return phrases


def _addresses(value: Any, spot: Spot, _known: Known) -> tuple[str, ...]:
    patterns = _texts(value, spot)
    for pattern in patterns:
        if "@" not in pattern and "*" not in pattern:
            hint = f"; for everybody there write '*@{pattern}'" if "." in pattern else ""
            spot.wrong(f"'{pattern}' is not an address{hint}")
            return ()
    return patterns


def _categories(value: Any, spot: Spot, _known: Known, *, kind: str = "category") -> tuple[str, ...]:
    """Names only; whether they exist is known when all files are read."""
    names = _texts(value, spot)
    for name in names:
        if _NAME.fullmatch(name) is None:
            spot.wrong(f"'{name}' cannot be a {kind}; use letters, digits, '-' and '_'")
            return ()
    return names


def _signals(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    return _categories(value, spot, known, kind="signal")


def _bounds(value: Any, spot: Spot, _known: Known) -> tuple[str, ...]:
    what = str(spot.place[-1])
    if isinstance(value, int | float) and not isinstance(value, bool):
        near = value / 100 if value > 1 else value
        spot.wrong(f'write the {what} with a sign and in quotes, for example ">= {near:g}"')
        return ()
    bounds = []
    for text in _texts(value, spot):
        found = _BOUND.fullmatch(text)
        if found is None:
            spot.wrong(f"'{text}' is not a {what}; write for example \">= 0.8\" ({what}s go from 0 to 1)")
            return ()
        bounds.append(f"{found[1]} {float(found[2]):g}")
    return tuple(bounds)


def _truth(value: Any, spot: Spot, _known: Known) -> tuple[str, ...]:
    if not isinstance(value, bool):
        spot.wrong(f"{_label(spot)} must be true or false, without quotes, not {_shown(value)}")
        return ()
    return ("true" if value else "false",)


def _attachments(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    return _truth(value, spot, known) if isinstance(value, bool) else _texts(value, spot)


def _languages(value: Any, spot: Spot, _known: Known) -> tuple[str, ...]:
    names = _texts(value, spot)
    for name in names:
        if re.fullmatch("[a-z]{2}", name) is None:
            spot.wrong(f"'{name}' is not a language code; write two letters: en, de, fr, es")
            return ()
    return names


def _people(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    return tuple(name for name in _texts(value, spot) if _one_of(name, spot, known.people - ROLES, "person"))


def _by(value: Any, spot: Spot, _known: Known) -> tuple[str, ...]:
    if isinstance(value, bool):
        spot.wrong('automatic is one of "person", "hold", "machine"; for any machine write ["hold", "machine"]')
        return ()
    kinds = ("person", "hold", "machine")
    return tuple(name for name in _texts(value, spot) if _one_of(name, spot, kinds, "kind of sender"))


_VALUES: Mapping[str, Callable[[Any, Spot, Known], tuple[str, ...]]] = {
    "says": _phrases,
    "from": _addresses,
    "to": _addresses,
    "manager": _people,
    "category": _categories,
    "score": _bounds,
    "sure": _truth,
    "is_reply": _truth,
    "language": _languages,
    "attachment": _attachments,
    "automatic": _by,
    "signal": _signals,
    "risk": _bounds,
}


# --- then --------------------------------------------------------------------------------------------------

_THEN = ("suggests", "signals", "priority", "acknowledge", "send", "call", "escalate", "file", "tag", "due", "stop")

Weights = tuple[tuple[str, float], ...]


def _then(table: Mapping[str, Any], spot: Spot, known: Known) -> tuple[Weights, Weights, Then]:
    """What it suggests, what it signals, what it sets."""
    here, then = spot.at("then"), table.get("then", {})
    if not isinstance(then, dict) or len(then) == 0:
        here.wrong('does nothing; add for example then.suggests = { request = 0.7 } or then.priority = "high"')
        return (), (), Then()
    _no_other_keys(then, here, _THEN, "then")
    suggests = _weights(then["suggests"], here.at("suggests"), "category") if "suggests" in then else ()
    signals = _weights(then["signals"], here.at("signals"), "signal") if "signals" in then else ()
    sets = Then(
        priority=_choice(then, "priority", here, PRIORITIES, "priority"),
        acknowledge=_choice(then, "acknowledge", here, known.templates | {NO_TEMPLATE}, "template"),
        send=_send(then, here),
        call=_call(then["call"], here.at("call"), known) if "call" in then else None,
        escalate=_choice(then, "escalate", here, known.people, "person"),
        file=_words(then, "file", here) or None,
        due=_span(then, "due", here),
        tags=_texts(then["tag"], here.at("tag")) if "tag" in then else (),
        stop=_yes_no(then, "stop", here, default=False),
    )
    return suggests, signals, sets


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
        elif _NAME.fullmatch(name) is None:
            here.wrong(f"'{key}' cannot be a {kind}; use letters, digits, '-' and '_'")
        elif isinstance(weight, bool) or not isinstance(weight, int | float):
            here.wrong(f"the weight of '{key}' must be a number like 0.7, without quotes, not {_shown(weight)}")
        elif not MIN_WEIGHT <= weight <= MAX_WEIGHT:
            near = f"; did you mean {weight / 100:g}?" if 1 < weight < 100 else ""
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
    text = _words(then, "send", spot)
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
    _no_other_keys(value, spot, ("with", "within", "minutes"), "then.call")
    with_ = _choice(value, "with", spot, known.people, "person")
    within = _span(value, "within", spot)
    minutes = value.get("minutes", 30)
    for key in ("with", "within"):
        if key not in value:
            example = "account manager" if key == "with" else "1 business day"
            spot.wrong(f'then.call does not say {key}; add {key} = "{example}"')
    if type(minutes) is not int or not MIN_CALL_MIN <= minutes <= MAX_CALL_MIN:
        spot.at("minutes").wrong(f"minutes must be a whole number from {MIN_CALL_MIN} to {MAX_CALL_MIN}")
    elif with_ is not None and within is not None and len(spot.problems) == before:
        return CallWish(with_, within, minutes)
    return None


# --- examples ----------------------------------------------------------------------------------------------


def _examples(tables: Any, spot: Spot, known: Known) -> tuple[Example, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        spot.wrong("write an example under its own line [[rule.example]], with two brackets")
        return ()
    return tuple(_example(table, spot.at(number), known) for number, table in enumerate(tables))


def _example(table: Mapping[str, Any], spot: Spot, known: Known) -> Example:
    _no_other_keys(table, spot, ("mail", "file", "subject", "from", "gives", "not"), "an example")
    mail, file = _words(table, "mail", spot), _words(table, "file", spot)
    if ("mail" in table) == ("file" in table):
        spot.wrong('an example needs either mail = "…" with the mail\'s text, or file = "…" with an .eml file\'s name')
    gives, never = table.get("gives", {}), table.get("not", {})
    if not isinstance(gives, dict) or not isinstance(never, dict) or len(gives) + len(never) == 0:
        spot.wrong('the example does not say what must come of it; add for example gives.category = "request"')
        gives, never = {}, {}
    _no_other_keys(gives, spot.at("gives"), ("category", "signal", "priority", "acknowledge"), "gives")
    _no_other_keys(never, spot.at("not"), ("category", "signal"), "not")
    wanted, refused = spot.at("gives"), spot.at("not")
    return Example(
        source=spot.where,
        mail=mail,
        file=file,
        subject=_words(table, "subject", spot),
        sender=_words(table, "from", spot),
        category=_categories(gives["category"], wanted.at("category"), known) if "category" in gives else None,
        not_category=_categories(never["category"], refused.at("category"), known) if "category" in never else (),
        priority=_choice(gives, "priority", wanted, PRIORITIES, "priority"),
        acknowledge=_choice(gives, "acknowledge", wanted, known.templates | {NO_TEMPLATE}, "template"),
        signal=_signals(gives["signal"], wanted.at("signal"), known) if "signal" in gives else (),
        not_signal=_signals(never["signal"], refused.at("signal"), known) if "signal" in never else (),
    )


# --- single values -----------------------------------------------------------------------------------------


def _words(table: Mapping[str, Any], key: str, spot: Spot) -> str:
    """A text that is not empty; "" when it is absent or wrong."""
    value = table.get(key)
    if key not in table:
        return ""
    if not isinstance(value, str) or value.strip() == "":
        spot.at(key).wrong(f'{key} must be a text in "quotes", not {_shown(value)}')
        return ""
    if key in ("name", "file", "send") and any(unicodedata.category(char) == "Cc" for char in value):
        spot.at(key).wrong(f"{key} must be one line")
        return ""
    return value.strip()


def _yes_no(table: Mapping[str, Any], key: str, spot: Spot, *, default: bool) -> bool:
    value = table.get(key, default)
    if isinstance(value, bool):
        return value
    spot.at(key).wrong(f"{key} must be true or false, without quotes, not {_shown(value)}")
    return default


def _choice(table: Mapping[str, Any], key: str, spot: Spot, known: Iterable[str], kind: str) -> str | None:
    value = _words(table, key, spot)
    found = plain(value)
    return found if value != "" and _one_of(found, spot.at(key), known, kind) else None


def _span(table: Mapping[str, Any], key: str, spot: Spot) -> str | None:
    value = _words(table, key, spot)
    span = plain(value)
    if value == "" or is_span(span):
        return span or None
    spot.at(key).wrong(f"'{value}' is not a span of time; write for example {SPAN_EXAMPLES}")
    return None


def _one_of(word: str, spot: Spot, known: Iterable[str], kind: str) -> bool:
    names = {plain(name) for name in known}
    if word not in names:
        spot.wrong(f"there is no {kind} '{word}'{did_you_mean(word, sorted(names))}{_all(sorted(names))}")
    return word in names


def _no_other_keys(table: Mapping[str, Any], spot: Spot, known: tuple[str, ...], what: str) -> None:
    for key in table:
        if key not in known:
            spot.at(key).wrong(f"'{key}' has no meaning in {what}{did_you_mean(key, known)}{_all(known)}")


def _all(names: Iterable[str]) -> str:
    return f" (there is: {', '.join(names)})"


def _label(spot: Spot) -> str:
    return ".".join(part for part in spot.place[-2:] if isinstance(part, str))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return f"'{value}'"
