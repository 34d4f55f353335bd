"""Text in, the amounts of money that it names out, as English, German, French and Spanish write them.

Patterns are bounded in length and give nothing back that they have read (`(?>…)`), so time is linear in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

from babel.numbers import get_currency_name

from triaged.rules.spellings import alternation, spellings

MOST_CHARACTERS = 100_000
"""What lies behind is not read."""
MOST_MENTIONS = 200
MOST_NUMBERS = 2_000
"""Numbers looked at for a currency beside them; a bound on the work that a page of digits makes."""
LANGUAGES = ("en", "de", "fr", "es")


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of money. currency: ISO 4217, or `""` when it cannot be told ("500 pesos"); words: text[start:end]."""

    value: float
    currency: str
    words: str
    start: int
    end: int


_CODES = (
    "EUR USD GBP CHF CAD AUD NZD JPY CNY HKD SGD INR SEK NOK DKK ISK PLN CZK HUF RON UAH RUB ILS AED SAR QAR ZAR BRL "
    "MXN CLP ARS KRW TWD THB MYR IDR VND EGP MAD TND XOF XAF"
).split()
"""Without those that are words or products as well: ALL, TOP, TRY, PHP."""
_SIGNS = {"€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB", "₩": "KRW", "₪": "ILS", "₺": "TRY", "₱": "PHP"}
_DOLLARS = {
    "": "USD", "us": "USD", "c": "CAD", "ca": "CAD", "can": "CAD", "a": "AUD", "au": "AUD", "nz": "NZD", "hk": "HKD",
    "s": "SGD", "r": "BRL", "mx": "MXN", "nt": "TWD",
}  # fmt: skip
_WORDS = {
    "dollar": "USD", "dollars": "USD", "dólar": "USD", "dólares": "USD", "bucks": "USD", "usd": "USD",
    "euro": "EUR", "euros": "EUR", "eur": "EUR", "pounds": "GBP", "pounds sterling": "GBP", "sterling": "GBP",
    "gbp": "GBP", "pfund sterling": "GBP", "franken": "CHF", "franc": "CHF", "francs": "CHF", "francos": "CHF",
    "sfr": "CHF", "sfr.": "CHF", "fr.": "CHF", "frs": "CHF", "chf": "CHF", "zł": "PLN", "zloty": "PLN",
    "złoty": "PLN", "kč": "CZK", "yen": "JPY", "reais": "BRL", "francs cfa": "", "peso": "", "pesos": "",
    "kr": "", "rupees": "",
}  # fmt: skip
"""How people say it; the full names ("Canadian dollars") are Babel's. Bare "livres", "Pfund" and "coronas" are
books, weights and beer more often than money."""
_TIMES = {
    "k": 1e3, "tsd": 1e3, "thousand": 1e3, "tausend": 1e3, "mille": 1e3, "mil": 1e3, "t": 1e3,
    "m": 1e6, "mm": 1e6, "mio": 1e6, "mln": 1e6, "million": 1e6, "millions": 1e6, "millionen": 1e6, "millón": 1e6,
    "millon": 1e6, "millones": 1e6, "b": 1e9, "bn": 1e9, "mrd": 1e9, "md": 1e9, "billion": 1e9, "billions": 1e9,
    "milliard": 1e9, "milliards": 1e9, "milliarde": 1e9, "milliarden": 1e9, "mil millones": 1e9,
}  # fmt: skip
"""`t` is read only before the currency: 250 TEUR."""

_GAP = r"[ \t\u00a0\u2009\u202f]{0,2}"
_NUMBER = (
    r"(?>[1-9]\d{0,2}(?:([.,'’])\d{3}(?:\1\d{3}){0,3}(?:(?!\1)[.,]\d{1,2})?"
    r"|(?:[ \u00a0\u2009\u202f]\d{3}){1,4}(?:[.,]\d{1,2})?)(?!\d)"
    r"|\d{1,12}(?:[.,]\d{1,6})?(?!\d))(?![.,]\d)"
)
_FIND_NUMBER = re.compile(rf"(?<!\d)(?<!\d[.,'’:/]){_NUMBER}")
_TIMES_WORDS = (
    rf"(?:(?:mio|mrd|tsd|mln)\.?|(?:{alternation(each for each in _TIMES if each != 't')})|t(?=\s?(?:€|EUR)))"
)
_TIMES_AFTER = re.compile(
    rf"(?P<closed>[.,][-–—]{{1,2}}(?![\d]))?(?:(?:{_GAP}-?|{_GAP}\n)(?P<times>{_TIMES_WORDS})(?:(?!\w)|(?=EUR|USD|CHF|GBP)))?",
    re.IGNORECASE,
)
_IN_A_WORD = re.compile(r"[^\W\d]")
_RANGE = re.compile(
    rf"{_GAP}(?:[-–—]|to|bis|a|à){_GAP}[$€£]?\d{{1,3}}(?:[.,]\d{{1,3}})?{_GAP}(?P<times>{_TIMES_WORDS})(?!\w)",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    rf"(?:(?<![\w$])(?P<dollar>US|CAN?|C|AU?|NZ|HK|S|R|MX|NT)?\$|(?<!\w)(?P<kilo>[Tk])?(?P<sign>[{''.join(_SIGNS)}])"
    rf"|(?<![\w-])(?P<thousand>[Tk])?(?P<code>{'|'.join(_CODES)}|[Ee]uros?|eur|usd|gbp|chf|[Ss][Ff]r\.?):?(?:{_GAP}\$)?"
    rf"|(?<!\w)(?P<franc>[Ff]rs?\.)){_GAP}\n?\Z"
)


@cache
def _currency_words() -> dict[str, str]:
    """Every way to write a currency in words, lower case → its code."""
    told = {
        get_currency_name(code, count=count, locale=language).lower(): code
        for language in LANGUAGES
        for code in _CODES
        for count in (1, 2)
    }
    return {form: code for words, code in (told | _WORDS).items() for form in spellings(words)}


@cache
def _currency_after() -> re.Pattern[str]:
    return re.compile(
        rf"(?>{_GAP}(?:\r?\n(?!\W{{0,2}}\w{{1,8}}\W{{0,2}}\d))?-?(?:de\s|d['’])?)(?:(?P<sign>[{''.join(_SIGNS)}])"
        rf"|(?P<dollar>US|C|CAN?|AU?|NZ|HK|MX)?\$(?!\s?\d)|(?P<code>{'|'.join(_CODES)})(?![^\W\d_])"
        rf"|(?=[^\W\d_])(?i:(?P<word>{alternation(_currency_words())})(?!\w)(?!(?<=pounds)\s(?:of|per)\b)))"
    )


def amounts(text: str) -> tuple[Amount, ...]:
    """The amounts in the first 100,000 characters, in order, at most 200: numbers with a currency beside them."""
    return tuple(islice(_amounts(text[:MOST_CHARACTERS]), MOST_MENTIONS))


def _amounts(text: str) -> Iterator[Amount]:
    behind = 0
    for number in islice(_FIND_NUMBER.finditer(text), MOST_NUMBERS):
        if number.start() < behind:
            continue
        found = _amount(text, number, behind)
        if found is not None:
            behind = found.end
            yield found


def _amount(text: str, number: re.Match[str], behind: int) -> Amount | None:
    """The amount around a number; `behind`: where the last one ended, whose currency is not taken twice."""
    beside = text[max(behind, number.start() - 3) : number.start()].rstrip()[-1:]
    may_have = beside in _SIGNS or beside in {"$", ".", ":"} or beside.isalpha()
    before = _BEFORE.search(text, max(behind, number.start() - 10), number.start()) if may_have else None
    if before is None and _IN_A_WORD.match(text, max(0, number.start() - 1)):
        return None
    times = _TIMES_AFTER.match(text, number.end())
    assert times is not None
    after = _currency_after().match(text, times.end())
    if before is None and after is None:
        return None
    if before is not None and before["franc"] is not None and after is None and not _is_francs(number[0], times):
        return None
    start, end = number.start(), times.end()
    currency = "" if before is None else _currency(before)
    if before is not None:
        start = before.start()
    if after is not None and (before is None or (before[0].strip().endswith("$") and not after["sign"])):
        currency, end = _currency(after), after.end()
    close = before is not None and before[0][-1] in "$£"
    value = _value(number[0], point=close) * _factor(text, times, before, after)
    return Amount(value, currency, text[start:end], start, end)


def _is_francs(number: str, times: re.Match[str]) -> bool:
    """ "Fr." before a number is a Friday as well: "Fr. 12.12.", "Mo.-Fr. 9-17"."""
    return times["closed"] is not None or "'" in number or "’" in number or _value(number, point=False) >= 100


def _currency(found: re.Match[str]) -> str:
    told = {key: value for key, value in found.groupdict().items() if value is not None}
    if "sign" in told:
        return _SIGNS[told["sign"]]
    if "franc" in told:
        return "CHF"
    words = told.get("word", told.get("code"))
    if words is None:
        return _DOLLARS[told.get("dollar", "").lower()]
    return words if words in _CODES else _currency_words().get(" ".join(words.lower().split()), "")


def _factor(text: str, times: re.Match[str], before: re.Match[str] | None, after: re.Match[str] | None) -> float:
    word = times["times"]
    if word is None and before is not None:
        if before["kilo"] is not None or before["thousand"] is not None:
            return 1e3
        several = _RANGE.match(text, times.end())  # "$12 - $15MM", "$350-400K"
        word = None if several is None else several["times"]
    if word is None:
        return 1.0
    word = " ".join(word.lower().rstrip(".").split())
    if word == "mil" and before is not None and after is None:
        return 1e6  # "$5 mil" is English; "5 mil euros" is Spanish
    return _TIMES.get(unicodedata.normalize("NFC", word), 1.0)


def _value(number: str, *, point: bool) -> float:
    """A number as any of the four languages writes it; three digits behind a single mark are thousands.

    point: a sign for dollars or pounds stands directly before it, so that a single dot is a decimal point: "$2.715".
    """
    digits = re.sub(r"[^\d.,]", "", number)
    at = max(digits.rfind("."), digits.rfind(","))
    if at < 0:
        return float(digits)
    whole, mark, rest = digits[:at], digits[at], digits[at + 1 :]
    grouped = len(rest) == 3 and not whole.startswith("0") and whole.isdigit()
    if grouped and mark == "." and point and rest != "000":
        grouped = False
    if mark in whole or grouped:
        return float(re.sub(r"\D", "", digits))
    return float(f"{re.sub(r'[.,]', '', whole)}.{rest}")
