"""Two conditions, or two rules, in; whether one holds whenever the other does, out. It never says so wrongly.

What is not known to follow is taken not to follow, so that a hint about rules is never a false alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from triaged.rules.facts import glob, within
from triaged.rules.grammar import Condition, Rule

_SAME_CATEGORY = frozenset({"score", "sure"})
"""They look at the scores of the rule's own categories, so they say the same only beside the same categories."""
_KNOWN_ACCOUNT = frozenset({"tier", "manager", "contract_ends_within"})
"""They hold only for mail of an account that is known."""


def implies(later: Rule, earlier: Rule) -> bool:
    """Whether `earlier` holds for every mail for which `later` does."""
    if any(_is_other_scale(each, later, earlier) for each in (*earlier.when, *earlier.unless)):
        return False
    return all(follows(each, later.when) for each in earlier.when) and all(
        is_excluded(each, later) for each in earlier.unless
    )


def _is_other_scale(condition: Condition, later: Rule, earlier: Rule) -> bool:
    return condition.key in _SAME_CATEGORY and _categories(later) != _categories(earlier)


def _categories(rule: Rule) -> frozenset[str]:
    return frozenset(value for each in rule.when if each.key == "category" for value in each.values)


def follows(wanted: Condition, given: Sequence[Condition]) -> bool:
    """Whether a condition holds for every mail for which all those given do."""
    if wanted.key == "account" and "*" in wanted.values and any(_needs_account(each) for each in given):
        return True
    return any(
        each.key == wanted.key
        and all(any(_is_within(each.key, value, wide) for wide in wanted.values) for value in each.values)
        for each in given
    )


def is_excluded(refused: Condition, rule: Rule) -> bool:
    """Whether a condition holds for no mail for which the rule does."""
    if any(each.key == refused.key and follows(each, (refused,)) for each in rule.unless):
        return True
    return any(
        each.key == refused.key
        and each.key in SINGLE
        and not set(each.values) & set(refused.values)
        and not _has_star((*each.values, *refused.values))
        for each in rule.when
    )


SINGLE = frozenset({"tier", "manager", "account", "language", "automatic", "is_reply", "mailbox", "from", "sure"})
"""Conditions of which a mail has one value only."""


def _needs_account(condition: Condition) -> bool:
    if condition.key == "account":
        return "none" not in condition.values
    if condition.key == "open_items":
        return not any(within(0, value) for value in condition.values)
    return condition.key in _KNOWN_ACCOUNT


# --- one value within another -----------------------------------------------------------------------------------


def _is_within(key: str, narrow: str, wide: str) -> bool:
    """Whether a mail that has the narrow value always has the wide one."""
    return narrow == wide or (key in _WITHIN and _WITHIN[key](narrow, wide))


def has_words(text: str, words: str) -> bool:
    """Whether a phrase stands in another, word by word."""
    there, sought = text.split(), words.split()
    return any(there[start : start + len(sought)] == sought for start in range(len(there) - len(sought) + 1))


def _attachment(narrow: str, wide: str) -> bool:
    named = narrow not in ("true", "false")
    return named and (wide == "true" or (wide != "false" and glob(wide, narrow)))


def _subject(narrow: str, wide: str) -> bool:
    if "*" not in wide:
        return any(wide in part for part in narrow.split("*"))
    if "*" not in narrow:
        return wide.startswith("*") and wide.endswith("*") and glob(wide, narrow)
    return glob(wide, narrow)


def _days(narrow: str, wide: str) -> bool:
    return int(narrow.split()[-2]) <= int(wide.split()[-2])


def _date(narrow: str, wide: str) -> bool:
    return narrow.startswith("within") and (wide == "true" or (wide.startswith("within") and _days(narrow, wide)))


def _amount(narrow: str, wide: str) -> bool:
    sign, number, *currency = narrow.split(" ")
    wide_sign, wide_number, *wide_currency = wide.split(" ")
    bound = _bound(f"{sign} {number}", f"{wide_sign} {wide_number}")
    return bound and (wide_currency == [] or wide_currency == currency)


def _bound(narrow: str, wide: str) -> bool:
    """`>= 0.8` lies within `>= 0.5` and `> 0.7`."""
    (sign, number), (wide_sign, wide_number) = _read(narrow), _read(wide)
    if sign == "=":
        return within(number, wide)
    if wide_sign == "=" or sign[0] != wide_sign[0]:
        return False
    if number == wide_number:
        return len(sign) <= len(wide_sign)
    return number > wide_number if sign[0] == ">" else number < wide_number


def _read(bound: str) -> tuple[str, float]:
    sign, number = bound.split(" ")
    return sign, float(number)


def always_holds(key: str, bounds: Sequence[str]) -> bool:
    """Whether any number that a mail can have meets one of the bounds. key: `score`, `risk` or `open_items`."""
    top = 1.0 if key in ("score", "risk") else 10_000.0
    limits = {_read(each)[1] for each in bounds}
    tried = {0.0, top, *limits} | {limit + step for limit in limits for step in (-1e-9, 1e-9)}
    tried |= {limit + step for limit in limits for step in (-1, 1)} if key == "open_items" else set()
    possible = {each for each in tried if 0 <= each <= top and (key != "open_items" or each == int(each))}
    return all(any(within(number, bound) for bound in bounds) for number in possible)


def never_holds(key: str, bounds: Sequence[str]) -> bool:
    """Whether no number that a mail can have meets any of the bounds."""
    top = 1.0 if key in ("score", "risk") else 10_000.0
    return not any(_meets(bound, top) for bound in bounds)


def _meets(bound: str, top: float) -> bool:
    sign, limit = _read(bound)
    return {">=": limit <= top, ">": limit < top, "<=": limit >= 0, "<": limit > 0, "=": 0 <= limit <= top}[sign]


def _account(narrow: str, wide: str) -> bool:
    return wide == "*" and narrow != "none"


def _glob(narrow: str, wide: str) -> bool:
    return glob(wide, narrow)


_WITHIN: Mapping[str, Callable[[str, str], bool]] = {
    "says": has_words,
    "subject": _subject,
    "from": _glob,
    "to": _glob,
    "mailbox": _glob,
    "attachment": _attachment,
    "account": _account,
    "score": _bound,
    "risk": _bound,
    "open_items": _bound,
    "contract_ends_within": _days,
    "amount": _amount,
    "date_mentioned": _date,
    "from_date": lambda narrow, wide: narrow >= wide,
    "to_date": lambda narrow, wide: narrow <= wide,
}


# --- which rules to compare -------------------------------------------------------------------------------------

Filed = dict[tuple[str, str], list[int]]
"""Numbers of rules by a condition's key and one of its values; of those that cannot be filed so, by `_ANY`."""
_ANY = ("", "")
_EXACT = ("pattern", "tokens", "manager", "tier", "signal", "language", "automatic", "category", "is_reply")
MOST_WORDS = 12
"""Of a phrase whose parts are looked up; one that is longer is looked up whole."""


def file_under(filed: Filed, number: int, rule: Rule) -> None:
    """File a rule under each value of one of its conditions, so that of ten thousand rules only a few are compared."""
    for each in rule.when:
        if each.key in (*_EXACT, "says", "account") or (each.key == "from" and not _has_star(each.values)):
            for value in each.values:
                filed.setdefault((each.key, value), []).append(number)
            return
    filed.setdefault(_ANY, []).append(number)


def candidates(filed: Filed, rule: Rule) -> list[int]:
    """Numbers of the filed rules that can follow from this one, in order; few others."""
    found = set(filed.get(_ANY, ()))
    for key in _keys(rule):
        found.update(filed.get(key, ()))
    return sorted(found)


def _keys(rule: Rule) -> Iterator[tuple[str, str]]:
    if any(_needs_account(each) for each in rule.when):
        yield "account", "*"
    for each in rule.when:
        value = each.values[0]  # all of them must lie within the other's, so the first must
        yield each.key, value
        words = value.split()
        if each.key == "says" and len(words) <= MOST_WORDS:
            for start in range(len(words)):
                yield from (("says", " ".join(words[start:end])) for end in range(start + 1, len(words) + 1))


def _has_star(values: Sequence[str]) -> bool:
    return any("*" in value for value in values)
