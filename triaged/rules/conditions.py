"""The value of one `when.*` or `unless.*` in, the texts that a mail is compared with out; mistakes told by place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from triaged.rules.grammar import CONDITIONS, ROLES, WEEKDAYS, Condition
from triaged.rules.patterns import problem as pattern_problem
from triaged.rules.values import Known, Spot, all_of, one_of, shown, texts
from triaged.tomlfile import did_you_mean

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
"""Of a category or a signal."""

_BOUND = re.compile(r"(>=|<=|>|<)\s*(0(?:\.\d+)?|1(?:\.0+)?|\.\d+)")
_COUNT = re.compile(r"(>=|<=|>|<|=)\s*(\d{1,4})")
_AMOUNT = re.compile(r"(>=|<=|>|<)\s*(\d{1,12}(?:\.\d{1,2})?)(?:\s*([a-z]{3}))?")
_DAYS = re.compile(r"([1-9]\d{0,3})\s*(d|days?|w|weeks?)")
_WITHIN = re.compile(rf"within {_DAYS.pattern}")
_DAY = "|".join(WEEKDAYS)
_RECEIVED = re.compile(rf"(?:({_DAY})(?:\s*-\s*({_DAY}))?)?\s*(?:(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d))?")
RECEIVED_WORDS = ("business hours", "outside business hours", "holiday", "weekend")


def read_conditions(table: Any, spot: Spot, known: Known) -> tuple[Condition, ...]:
    """Every condition of a `when` or an `unless`."""
    side = str(spot.place[-1])
    if not isinstance(table, dict):
        spot.wrong(f'{side} needs to say what it looks at, for example {side}.says = "cancel our contract"')
        return ()
    found = []
    for key, value in table.items():
        here = spot.at(key)
        if key not in CONDITIONS:
            here.wrong(f"there is no condition '{side}.{key}'{did_you_mean(key, CONDITIONS)}{all_of(CONDITIONS)}")
            continue
        values = _VALUES.get(key, texts)(value, here, known)
        if values:
            found.append(Condition(key, values))
    return tuple(found)


# --- words ------------------------------------------------------------------------------------------------------


def _phrases(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    phrases = texts(value, spot, known)
    for phrase in phrases:
        if "*" in phrase:
            spot.wrong(f"'{phrase}': a phrase is plain words, '*' means nothing in it; endings are found without it")
            return ()
        if '"' in phrase and (phrase.count('"') != 2 or phrase[0] + phrase[-1] != '""'):
            spot.wrong(
                f"{phrase}: a double quote stands alone or in the middle; put one at each end for exactly these words, "
                """as in '"let us down"', or take it out"""
            )
            return ()
        if not any(char.isalnum() for char in phrase):
            spot.wrong(f"'{phrase}' holds no word")
            return ()
    return phrases


def _patterns(value: Any, spot: Spot, _known: Known) -> tuple[str, ...]:
    """As they stand: in a pattern capitals and blanks have a meaning."""
    patterns = value if isinstance(value, list) else [value]
    if len(patterns) == 0 or not all(isinstance(each, str) and each.strip() != "" for each in patterns):
        spot.wrong(f"{spot.label} must be a pattern in 'quotes' or a list of patterns, not {shown(value)}")
        return ()
    wrong = {each: why for each in patterns if (why := pattern_problem(each)) is not None}
    for each, why in wrong.items():
        spot.wrong(f"the pattern '{each}' cannot be used: {why}")
    return () if wrong else tuple(dict.fromkeys(patterns))


def _tokens(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    """One list of token descriptions, or a list of such lists."""
    lists = value if isinstance(value, list) and all(isinstance(each, list) for each in value) else [value]
    if len(lists) == 0 or not all(isinstance(each, list) and len(each) > 0 for each in lists):
        spot.wrong(f'{spot.label} must be a list of words, for example [{{ LOWER = "price" }}, {{ LOWER = "rise" }}]')
        return ()
    wrong = [why for each in lists if (why := known.token_problem(each)) is not None]
    for why in wrong:
        spot.wrong(f"{spot.label} cannot be used: {why}")
    return () if wrong else tuple(dict.fromkeys(json.dumps(each, ensure_ascii=False, sort_keys=True) for each in lists))


def _addresses(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    patterns = texts(value, spot, known)
    for pattern in patterns:
        if "@" not in pattern and "*" not in pattern:
            hint = f"; for everybody there write '*@{pattern}'" if "." in pattern else ""
            spot.wrong(f"'{pattern}' is not an address{hint}")
            return ()
    return patterns


# --- names ------------------------------------------------------------------------------------------------------


def names(value: Any, spot: Spot, known: Known, *, kind: str = "category") -> tuple[str, ...]:
    """Names of categories or signals; whether they exist is known when all files are read."""
    found = texts(value, spot, known)
    for name in found:
        if NAME.fullmatch(name) is None:
            spot.wrong(f"'{name}' cannot be a {kind}; use letters, digits, '-' and '_'")
            return ()
    return found


def signals(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    """As `names`."""
    return names(value, spot, known, kind="signal")


def _languages(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    found = texts(value, spot, known)
    for name in found:
        if re.fullmatch("[a-z]{2}", name) is None:
            spot.wrong(f"'{name}' is not a language code; write two letters: en, de, fr, es")
            return ()
    return found


def _people(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    return tuple(name for name in texts(value, spot, known) if one_of(name, spot, known.people - ROLES, "person"))


def _mailboxes(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    found = texts(value, spot, known)
    if len(known.mailboxes) == 0:
        return found
    return tuple(name for name in found if "*" in name or one_of(name, spot, known.mailboxes, "mailbox"))


def _by(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    if isinstance(value, bool):
        spot.wrong('automatic is one of "person", "hold", "machine"; for any machine write ["hold", "machine"]')
        return ()
    kinds = ("person", "hold", "machine")
    return tuple(name for name in texts(value, spot, known) if one_of(name, spot, kinds, "kind of sender"))


# --- yes or no, numbers, times ----------------------------------------------------------------------------------


def _truth(value: Any, spot: Spot, _known: Known) -> tuple[str, ...]:
    if not isinstance(value, bool):
        spot.wrong(f"{spot.label} must be true or false, without quotes, not {shown(value)}")
        return ()
    return ("true" if value else "false",)


def _attachments(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    if isinstance(value, bool):
        return _truth(value, spot, known)
    found = texts(value, spot, known)
    if not {"true", "false", "yes", "no"}.isdisjoint(found):
        spot.wrong('write true or false without quotes, or the name of a file, for example "*.pdf"')
        return ()
    return found


def _bounds(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    what = str(spot.place[-1])
    if isinstance(value, int | float) and not isinstance(value, bool):
        near = value / 100 if value > 1 else value
        spot.wrong(f'write the {what} with a sign and in quotes, for example ">= {near:g}"')
        return ()
    bounds = []
    for text in texts(value, spot, known):
        found = _BOUND.fullmatch(text)
        if found is None:
            spot.wrong(f"'{text}' is not a {what}; write for example \">= 0.8\" ({what}s go from 0 to 1)")
            return ()
        bounds.append(f"{found[1]} {float(found[2]):g}")
    return tuple(bounds)


def _counts(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    if type(value) is int:
        spot.wrong(f'write the number with a sign and in quotes, for example ">= {value}"')
        return ()
    found = [(text, _COUNT.fullmatch(text)) for text in texts(value, spot, known)]
    for text, match in found:
        if match is None:
            spot.wrong(f"'{text}' is not a number of open items; write for example \">= 3\"")
            return ()
    return tuple(f"{match[1]} {int(match[2])}" for _, match in found if match is not None)


def _amounts(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        spot.wrong(
            f'write the amount with a sign and in quotes, for example ">= {value:.15g}" or ">= {value:.15g} EUR"'
        )
        return ()
    found = [(text, _AMOUNT.fullmatch(text)) for text in texts(value, spot, known)]
    for text, match in found:
        if match is None:
            spot.wrong(f'\'{text}\' is not an amount; write for example ">= 10000" or ">= 10000 EUR", without dots')
            return ()
    return tuple(
        f"{match[1]} {float(match[2]):.15g} {(match[3] or '').upper()}".strip()
        for _, match in found
        if match is not None
    )


def _days_within(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    found = []
    for text in texts(value, spot, known):
        match = _DAYS.fullmatch(text)
        if match is None:
            spot.wrong(f'\'{text}\' is not a number of days; write for example "60 days" or "8 weeks"')
            return ()
        found.append(_in_days(match))
    return tuple(found)


def _dates(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ("true" if value else "false",)
    found = []
    for text in texts(value, spot, known):
        match = _WITHIN.fullmatch(text)
        if match is None:
            spot.wrong(f"'{text}' is not what {spot.label} can be; write true, or for example \"within 14 days\"")
            return ()
        found.append(f"within {_in_days(match)}")
    return tuple(found)


def _in_days(match: re.Match[str]) -> str:
    return f"{int(match[1]) * (7 if match[2].startswith('w') else 1)} days"


def _received(value: Any, spot: Spot, known: Known) -> tuple[str, ...]:
    """`friday 15:00-24:00`, `monday-wednesday`, `18:00-08:00` (over midnight), or one of `RECEIVED_WORDS`."""
    found = []
    for written in texts(value, spot, known):
        text = written.replace("–", "-").replace("—", "-")  # Word makes dashes of hyphens
        if text in RECEIVED_WORDS:
            found.append(text)
            continue
        match = _RECEIVED.fullmatch(text)
        if match is None or text == "" or not _is_time(match):
            near = did_you_mean(text, (*RECEIVED_WORDS, *WEEKDAYS))
            spot.wrong(
                f'\'{text}\' is no time of receipt{near}; write for example "outside business hours", "weekend", '
                '"friday", "18:00-08:00" or "friday 15:00-24:00"'
            )
            return ()
        days = "-".join(day for day in (match[1], match[2]) if day)
        times = f"{int(match[3]):02}:{match[4]}-{int(match[5]):02}:{match[6]}" if match[3] else ""
        found.append(f"{days} {times}".strip())
    return tuple(found)


def _is_time(match: re.Match[str]) -> bool:
    if match[3] is None:
        return True
    start, end = (int(match[hour]) * 60 + int(match[hour + 1]) for hour in (3, 5))
    return max(int(match[4]), int(match[6])) < 60 and start < 24 * 60 and 0 < end <= 24 * 60 and start != end


_VALUES: Mapping[str, Callable[[Any, Spot, Known], tuple[str, ...]]] = {
    "says": _phrases,
    "pattern": _patterns,
    "tokens": _tokens,
    "from": _addresses,
    "to": _addresses,
    "mailbox": _mailboxes,
    "manager": _people,
    "contract_ends_within": _days_within,
    "open_items": _counts,
    "category": names,
    "score": _bounds,
    "sure": _truth,
    "is_reply": _truth,
    "language": _languages,
    "attachment": _attachments,
    "automatic": _by,
    "received": _received,
    "amount": _amounts,
    "date_mentioned": _dates,
    "signal": signals,
    "risk": _bounds,
}
