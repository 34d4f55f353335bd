"""One rule in; why it can never hold, holds always, or sets what can never be done, out, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from triaged.errors import Problem
from triaged.rules.grammar import NO_TEMPLATE, OTHER, Condition, Rule
from triaged.rules.implies import SINGLE, always_holds, follows, never_holds
from triaged.rules.places import Places

_MANAGER = "account manager"
_OF_ACCOUNT = {
    "tier": "a sender whom nobody knows has no tier",
    "manager": "a sender whom nobody knows has no account manager",
    "contract_ends_within": "a sender whom nobody knows has no contract",
}
_BOUNDS = ("score", "risk", "open_items")


def impossible(rule: Rule, places: Places, *, today: date) -> Iterator[Problem]:
    """What is to be said of the conditions of one rule."""
    when = {each.key: each for each in rule.when}
    yield from _stranger(rule, when, places)
    yield from _machine(rule, when, places)
    yield from _bounds(rule, places)
    yield from _against_unless(rule, when, places)
    yield from _always(rule, when, places)
    if "to_date" in when and (last := when["to_date"].values[0]) < today.isoformat():
        yield Problem(
            places.where(rule, "to_date"),
            f"the rule ended on {last} and holds for no new mail; take it out, or give it a later day",
        )


def _stranger(rule: Rule, when: dict[str, Condition], places: Places) -> Iterator[Problem]:
    """Of a sender who belongs to no account nothing is known."""
    if "account" not in when or when["account"].values != ("none",):
        return
    where, never = places.where(rule, "when", "account"), "so this rule can never hold"
    for key, what in _OF_ACCOUNT.items():
        if key in when:
            yield Problem(where, f'when.account = "none" and when.{key} exclude each other: {what}, {never}')
    if "open_items" in when and not follows(when["open_items"], (Condition("open_items", ("= 0",)),)):
        yield Problem(where, f'when.account = "none" and when.open_items exclude each other, {never}')
    then = rule.then
    if then.call is not None:
        yield Problem(
            places.where(rule, "then", "call"),
            "no call can be booked with a sender whom nobody knows; take then.call out",
        )
    for key, named in (("escalate", (then.escalate,)), ("assign", (then.assign,)), ("notify", then.notify)):
        if _MANAGER in named:
            yield Problem(
                places.where(rule, "then", key),
                f'a sender whom nobody knows has no account manager; name a person in then.{key}, or "coordinator"',
            )


def _machine(rule: Rule, when: dict[str, Condition], places: Places) -> Iterator[Problem]:
    """Nothing is ever sent to what a machine wrote."""
    if "automatic" not in when or when["automatic"].values != ("machine",):
        return
    for key, named in (("acknowledge", rule.then.acknowledge), ("call", rule.then.call), ("send", rule.then.send)):
        if named is not None and named != NO_TEMPLATE:
            yield Problem(
                places.where(rule, "then", key),
                f'then.{key} does nothing: when.automatic = "machine", and a machine is never answered; take it out',
            )


def _bounds(rule: Rule, places: Places) -> Iterator[Problem]:
    for side, conditions in (("when", rule.when), ("unless", rule.unless)):
        for each in (each for each in conditions if each.key in _BOUNDS):
            where, told = places.where(rule, side, each.key), " or ".join(f'"{value}"' for value in each.values)
            if never_holds(each.key, each.values):
                does = "so this rule can never hold" if side == "when" else "so it does nothing"
                yield Problem(where, f"{side}.{each.key} = {told} holds for no mail, {does}")
            elif always_holds(each.key, each.values):
                yield Problem(where, _holds_always(side, each))


def _holds_always(side: str, condition: Condition) -> str:
    key, values = condition.key, condition.values
    does = "asks for nothing" if side == "when" else "refuses every mail, and the rule can never hold"
    if len(values) == 1:
        return f'{side}.{key} = "{values[0]}" holds for every mail, so it {does}'
    turned = {">=": "<", ">": "<=", "<=": ">", "<": ">="}
    above = next((value for value in values if value.startswith(">")), values[0])
    below = next((value for value in values if value.startswith("<")), values[-1])
    sign, number = below.split(" ")
    between = f'when.{key} = "{above}" with unless.{key} = "{turned.get(sign, sign)} {number}"'
    return f"any item of a list will do, so {side}.{key} holds for every mail and {does}; for a span write {between}"


def _against_unless(rule: Rule, when: dict[str, Condition], places: Places) -> Iterator[Problem]:
    """An `unless` that refuses every mail that `when` lets in, or none of them."""
    for refused in rule.unless:
        where, mine = places.where(rule, "unless", refused.key), when.get(refused.key)
        if follows(refused, rule.when):
            by = f"when.{refused.key}" if mine is not None and follows(refused, (mine,)) else "when"
            yield Problem(
                where,
                f"this rule can never hold: unless.{refused.key} refuses all that {by} asks for; take one out",
            )
        elif mine is not None and (common := [each for each in mine.values if each in refused.values]):
            if refused.key not in ("says", "pattern", "tokens"):  # phrases have their own sentence
                yield Problem(
                    where,
                    f"'{common[0]}' stands in when.{refused.key} and in unless.{refused.key}; take one of them out",
                )
        elif mine is not None and (refused.key in SINGLE or _is_other(mine, refused)) and not _has_star(mine, refused):
            yield Problem(
                where,
                f"unless.{refused.key} does nothing: a mail that meets when.{refused.key} never meets it; take it out",
            )


def _is_other(mine: Condition, refused: Condition) -> bool:
    """`other` is the category of a mail that has none, so it never comes with another."""
    alone = (OTHER,)
    return mine.key == "category" and (mine.values == alone) != (refused.values == alone)


def _has_star(*conditions: Condition) -> bool:
    return any("*" in value for each in conditions for value in each.values)


def _always(rule: Rule, when: dict[str, Condition], places: Places) -> Iterator[Problem]:
    """Lists in which every mail is met by some item."""
    if "account" in when and {"*", "none"} <= set(when["account"].values):
        what = '"*" and "none" together are every mail, so when.account asks for nothing; take the line out'
        yield Problem(places.where(rule, "when", "account"), what)
    if "automatic" in when and {"person", "hold", "machine"} <= set(when["automatic"].values):
        yield Problem(
            places.where(rule, "when", "automatic"),
            "when.automatic names all there is, so it asks for nothing; take the line out",
        )
