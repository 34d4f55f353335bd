"""Text in, the calendar days that it names out, as English, German, French and Spanish write them.

Patterns are bounded in length and few of their finds are looked at, so time is linear in the text.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import islice

from babel import Locale

from triaged.rules.money import LANGUAGES, MOST_CHARACTERS, MOST_MENTIONS
from triaged.rules.spellings import alternation, spellings

MOST_LOOKED_AT = 1_000
"""Finds of one kind that are looked at more closely."""
FIRST_YEAR, LAST_YEAR = 2000, 2099
DAYS_BACK = 60
"""A date without a year is the first one that is not longer than this before the mail was received."""
YEARS_AROUND = 10
"""A year in two digits is not further from the year the mail was received: "2.3.11" is a version."""


@dataclass(frozen=True, slots=True)
class DateMention:
    """A calendar day that the text names. words: text[start:end]."""

    day: date
    words: str
    start: int
    end: int


_MORE_MONTHS = {"en": {"sept": 9}, "de": {"jänner": 1, "mrz": 3}, "fr": {"fév": 2, "juill": 7}, "es": {}}
"""Used, but not in Babel's data (CLDR)."""
_NEAR = {
    "en": {"today": 0, "tomorrow": 1, "day after tomorrow": 2},
    "de": {"heute": 0, "morgen": 1, "übermorgen": 2},
    "fr": {"aujourd'hui": 0, "aujourd’hui": 0, "demain": 1, "après-demain": 2, "après demain": 2},
    "es": {"hoy": 0, "mañana": 1, "pasado mañana": 2},
}
"""Days after the day on which the mail was received; Babel keeps these words out of its interface."""
_END_STARTS = "end ende fin final finale finales fines month monatsende eom".split()
_WORD = re.compile(r"[^\W\d_][\w\u0300-\u036f]*")
_ALSO_VERBS = frozenset({"may", "march", "mar"})
"""In lower case no months, unless a year or "st", "th" … says so."""

_YEAR = r"(?P<y>[12]\d{3})(?!\d|[:.]\d)"
# A pattern that starts with a digit, not with a look behind, is searched for five times as fast.
_ISO = re.compile(r"(?P<y>\d(?<![\w/.-]\d)\d{3})([-/.])(?P<m>\d{1,2})\2(?P<d>\d{1,2})(?![\dA-SU-Za-z_])(?![-/.]\d)")
_DOTTED = re.compile(
    r"(?P<a>\d(?<![\w+./-]\d)(?<!\d[,:]\d)\d?)\.\s?(?P<b>\d{1,2})"
    r"(?:\.\s?(?P<y>\d{4})|\.(?P<yy>\d\d)|(?P<closed>\.))?(?!\w)(?![./:,-]\d)(?!\s?%)"
)
_SLASHED = re.compile(
    r"(?P<a>\d(?<![\w+./]\d)\d?)(?P<mark>[/-])(?P<b>\d{1,2})(?:(?P=mark)(?P<y>\d{4})|/(?P<yy>\d\d))?(?![\w%/])(?![.:,]\d)"
)
_DAY_NUMBER = r"\d{1,2}(?!\d|:|\s?(?:h|uhr|[ap]\.?m|heures|horas|o['’]clock)\b)"
_IS_TIME = re.compile(r"\s?(?:uhr|h|€|eur|mio)\b", re.IGNORECASE)
_SECTION = re.compile(
    r"(?<!\w)(?:v|ver|version|release|rev|build|python|java|node|kapitel|abschnitt|chapter|section|punkt|ziffer|punto|"
    r"point|nr|no|ip|tel|art|artikel|article|§)[.:]?\s{0,2}\Z",
    re.IGNORECASE,
)
_DOTTED_COMES = re.compile(
    r"(?<!\w)(?:am|bis|vom|zum|ab|den|dem|seit|nach|vor|spätestens|und|oder|\w{2,6}tag,?|mittwoch,?)\s{1,2}\(?\Z",
    re.IGNORECASE,
)
_SLASHED_COMES = re.compile(
    r"(?<!\w)(?:by|on|before|until|till?|from|due|since|\w{3,6}day,?|le|du|au|el|del|al|desde|hasta|día|avant|bis|am)"
    r"\s{1,2}\(?\Z",
    re.IGNORECASE,
)
_LAST_OR_EVERY = re.compile(
    r"(?<!\w)(?:last|past|previous|every|each|since|letzten?|letzte[mr]|vergangene[mnr]|vorige[mnr]|jede[mnr]|seit|"
    r"chaque|tous\sles|los|cada|pasado|último|good|black|cyber|ash|super|casual|said|said\son|announced|reported|late)\s{1,2}\Z",
    re.IGNORECASE,
)
_GONE = re.compile(r"\s(?:dernier|passé|pasado|gras|times|last\sweek|letzter\swoche|d['’]avant)\b", re.IGNORECASE)
_BY = re.compile(
    r"(?<!\w)(?:by|until|till?|before|next|this|coming|for|due|cob|eod|bis|spätestens|nächsten|kommenden|diesen|avant|"
    r"ici|jusqu['’]à|para\sel|antes\sdel|hasta\sel|próximo|este)\s{1,2}\Z",
    re.IGNORECASE,
)
_AT_A_TIME = re.compile(
    r",?\s(?:at|@|from|between|um|ab|zwischen|à|entre|a\slas?)\s{1,2}\d|\s(?:prochain|que\sviene)\b"
)
_SENTENCE_ENDS = re.compile(r"[.!?:;]\s|\n\s?\n")
_PAST = re.compile(
    r"(?<!\w)(?:[a-z]{2,12}ed|said|told|sent|met|was|were|had|got|came|did|went|saw|spoke|began|made|took|wrote|left|rose|"
    r"fell|heard|gave|paid|won|lost|sold|yesterday|ge[a-zäöü]{3,12}(?:t|en)|war(?:en)?|hatten?|wurden?|gestern|"
    r"(?:ai|avons|avez|ont|a)\s\w{2,12}(?:é|ée|és|ées|u|is|it)|était|avait|hier|\w{2,12}(?:aron|ieron|ó)|fue|hemos|han|ayer)"
    r"(?!\w)",
    re.IGNORECASE,
)
"""Signs of something that was, in the four languages; only where nothing in `_AHEAD` stands in the sentence."""
_AHEAD = re.compile(
    r"(?<!\w)(?:will|shall|going\sto|please|can|could|should|would|need|needs|must|let|let's|let’s|may|have\sto|has\sto|"
    r"scheduled|planned|expected|tentatively|available|werden|wird|bitte|können|könnten|kann|muss|müssen|sollen?|sollten?|"
    r"brauchen|möchten?|würden?|pourr\w{1,6}|pouvez|peut|dev\w{1,6}|doit|doivent|merci|veuillez|souhait\w{1,6}|sera|"
    r"serez|por\sfavor|podr\w{1,6}|puede\w{0,2}|debe\w{0,3}|neces\w{1,8}|quer\w{1,6}|será)(?!\w)|['’]ll\b|\?",
    re.IGNORECASE,
)
_MORNING_COMES = re.compile(
    r"(?<!\w)(?:guten?|schönen|am|heute|gestern|jede[nr]|diese[nr]|der|den|vom|frühen|\w{2,4}tag|mittwoch|"
    r"las?|esta|cada|una)\s{1,2}\Z",
    re.IGNORECASE,
)
_GREETING = re.compile(r"\s?(?:[,!]|zusammen|allerseits|miteinander|liebe|(?!Früh|Vor|Nach|Mittag|Abend)[A-ZÄÖÜ])")


def _months(languages: tuple[str, ...]) -> dict[str, int]:
    """Names and abbreviations in lower case, without a dot → 1..12."""
    told: dict[str, int] = {}
    for language in languages:
        for context in Locale(language).months.values():
            for width in ("wide", "abbreviated"):
                told |= {name.lower().rstrip("."): number for number, name in context.get(width, {}).items()}
        told |= _MORE_MONTHS[language]
    return {form: number for name, number in told.items() for form in spellings(name)}


def _weekdays(languages: tuple[str, ...]) -> dict[str, int]:
    """Full names in lower case → Monday 0 .. Sunday 6."""
    told = {name.lower(): day for each in languages for day, name in Locale(each).days["format"]["wide"].items()}
    return {form: day for name, day in told.items() for form in spellings(name)}


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of the languages that are tried. day_month: "1 December"; starts: a first word → the form it begins."""

    languages: tuple[str, ...]
    months: dict[str, int]
    weekdays: dict[str, int]
    near: dict[str, int]
    day_month: re.Pattern[str]
    starts: dict[str, _Form]


_Read = Callable[[str, re.Match[str], _Words, date], date | None]
_Form = tuple[re.Pattern[str], _Read]


@cache
def _words(language: str) -> _Words:
    languages = LANGUAGES if language == "" else (language,)
    months, weekdays = _months(languages), _weekdays(languages)
    near = {form: n for each in languages for word, n in _NEAR[each].items() for form in spellings(word)}
    month_end: _Form = (_month_end_pattern(alternation(months), languages), _month_end)
    weekday: _Form = (_weekday_pattern(alternation(weekdays), alternation(months)), _weekday)
    starts = dict.fromkeys(_END_STARTS, month_end) | dict.fromkeys(weekdays, weekday)
    near_form = (re.compile(rf"(?<![\w-])(?P<near>{alternation(near)})(?!\w)", re.IGNORECASE), _near_day)
    starts |= {_WORD.findall(word)[0]: near_form for word in near}
    if "en" in languages:
        english = _months(("en",))
        starts |= dict.fromkeys(english, (_month_day_pattern(alternation(english)), _day_and_month))
    return _Words(languages, months, weekdays, near, _day_month_pattern(alternation(months)), starts)


def _day_month_pattern(month: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?P<d>\d(?<![\w+]\d)(?<!\d[.,:/]\d)\d?)(?:(?P<nth>st|nd|rd|th|er|ro|º|°)?(?:\s{{1,2}}(?:of\s|de\s)?|-)|"
        rf"\.\s{{0,2}})(?=[^\W\d_])(?P<month>{month})(?!\w)"
        rf"(?:\.?(?:,?\s{{1,2}}(?:del?\s)?|-){_YEAR}|(?:-|\s?['’])(?P<yy>\d\d)(?!\w))?",
        re.IGNORECASE,
    )


def _month_day_pattern(month: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<![\w.])(?P<month>{month})(?!\w)\.?,?\s{{1,2}}(?:the\s)?(?P<d>\d{{1,2}})(?P<nth>st|nd|rd|th)?"
        rf"(?![\w%])(?![.:/]\d|,\d(?!\d{{3}}(?!\d)))(?!\s?(?:%|[ap]\.?m\b))"
        rf"(?:(?:\s?[-–&]\s?\d{{1,2}}(?:st|nd|rd|th)?)?(?:,?\s\d\d?:\d\d(?::\d\d)?(?:\s(?-i:[A-Z]{{3,4}}))?)?"
        rf"[,\s]\s{{0,2}}{_YEAR}|\s?['’](?P<yy>\d\d)(?!\w))?",
        re.IGNORECASE,
    )


def _month_end_pattern(month: str, languages: tuple[str, ...]) -> re.Pattern[str]:
    mes = r"mes(?!\s[^\W\d_]{4,})" if "fr" in languages else "mes"  # "fin de mes vacances" is French
    return re.compile(
        rf"(?<!\w)(?:(?:end\sof|ende|fin|finale?s?|fines)\s(?:(?:the|this|des|dieses|du|de\sce|del?|de\seste)\s)?"
        rf"(?:(?P<next>next|n(?:ä|ae)chsten|próximo)\s)?(?:month|monats|mois|{mes})"
        rf"(?P<next_after>\s(?:prochain|próximo|que\sviene))?(?!\s(?:dernier|passé|pasado))"
        rf"|month[- ]end|monatsende|eom|(?:end\sof|ende|fin|finale?s?|fines)\s(?:de\s|d['’])?(?P<month>{month})"
        rf"(?:,?\s(?:del?\s)?{_YEAR})?)(?!\w)",
        re.IGNORECASE,
    )


def _weekday_pattern(name: str, month: str) -> re.Pattern[str]:
    """A weekday that has no date of its own behind it; span: "to Friday", as of opening hours."""
    return re.compile(
        rf"(?<![\w-])(?P<name>{name})(?!\w)"
        rf"(?:(?P<span>\s?(?:-|–|to|through|thru|bis|au|à|al?)\s?(?:{name})(?!\w))"
        rf"|(?!(?:\s(?:morning|afternoon|evening|night|noon))?,?\s{{1,2}}\(?"
        rf"(?:(?:the|den|dem|der|le|el)\s)?(?:{_DAY_NUMBER}|(?:{month})\.?\s{{1,2}}\d)))",
        re.IGNORECASE,
    )


def dates(text: str, *, received: date, language: str) -> tuple[DateMention, ...]:
    """The days from 2000 to 2099 named in the first 100,000 characters, in order, at most 200.

    language: of the text, ISO 639-1; with `""`, or one that is not ours, the words of all four are tried.
    "today", a weekday ("next Friday", "am Freitag": the first after `received`) and dates without a year are read
    from the day the mail was received. 1/2/2026 in English may be two days, and is left out.
    """
    text, words = text[:MOST_CHARACTERS], _words(language if language in LANGUAGES else "")
    if _day(received.year, received.month, received.day) is None:
        return ()
    found = [
        (read, mention)
        for match, read in _finds(text, words)
        if (day := read(text, match, words, received)) is not None
        for mention in [DateMention(day, match[0], match.start(), match.end())]
    ]
    ends = {mention.end + gap for read, mention in found if read is not _weekday for gap in range(4)}
    told: list[DateMention] = []
    for read, mention in sorted(found, key=lambda each: (each[1].start, -each[1].end)):
        is_told = read is _weekday and mention.start in ends  # "5 May (Friday)"
        if not is_told and (len(told) == 0 or mention.start >= told[-1].end):
            told.append(mention)
    return tuple(told[:MOST_MENTIONS])


def _finds(text: str, words: _Words) -> Iterator[tuple[re.Match[str], _Read]]:
    """What looks like a day, and how to read it: by its digits, then by the word with which it starts."""
    by_digits: tuple[_Form, ...] = (
        (_ISO, _iso),
        (_DOTTED, _dotted),
        (_SLASHED, _slashed),
        (words.day_month, _day_and_month),
    )
    for pattern, read in by_digits:
        for match in islice(pattern.finditer(text), MOST_LOOKED_AT):
            yield match, read
    first = ((word, form) for word in _WORD.finditer(text) if (form := words.starts.get(word[0].lower())) is not None)
    behind = 0
    for word, (pattern, read) in islice(first, MOST_LOOKED_AT):
        started = pattern.match(text, word.start()) if word.start() >= behind else None
        if started is not None:
            behind = started.end()
            yield started, read


# --- how each form is read: the day, or None ---------------------------------------------------------------


def _iso(_text: str, found: re.Match[str], _words: _Words, _received: date) -> date | None:
    return _day(int(found["y"]), int(found["m"]), int(found["d"]))


def _dotted(text: str, found: re.Match[str], words: _Words, received: date) -> date | None:
    """1.12.2026, 1.12.26, 1.12. and "am 1.12"; the day comes first. "2.3.11", "5.3.", "12.30" seldom are dates."""
    day, month, before = int(found["a"]), int(found["b"]), (max(0, found.start() - 16), found.start())
    if _SECTION.search(text, *before) is not None:
        return None
    if found["y"] is not None:
        return _day(int(found["y"]), month, day)
    likely, german = _DOTTED_COMES.search(text, *before) is not None, words.languages == ("de",)
    if found["yy"] is not None:
        is_date = likely or german or len(found["a"] + found["b"]) == 4
        return _in_short(found["yy"], month, day, received) if is_date else None
    if found["closed"] is not None:
        begins_line = found.start() == 0 or text[found.start() - 1] == "\n"
        is_date = "de" in words.languages and (likely or (german and day >= 10 and not begins_line))
    else:
        is_date = likely and german and _IS_TIME.match(text, found.end()) is None
    return _nearest(month, day, received) if is_date else None


def _slashed(text: str, found: re.Match[str], words: _Words, received: date) -> date | None:
    """25/12/2026, 12/25/26, 25-12-2026, and after "on", "by", "le" 25/12; in English 1/12 may be two days: none."""
    day, month = int(found["a"]), int(found["b"])
    if day != month and day <= 12 and month <= 12 and "en" in words.languages:
        return None
    if month > 12:
        day, month = month, day
    if found["y"] is not None:
        return _day(int(found["y"]), month, day)
    if found["mark"] == "-":
        return None
    if found["yy"] is not None:
        return _in_short(found["yy"], month, day, received)
    comes = _SLASHED_COMES.search(text, max(0, found.start() - 16), found.start()) is not None
    return _nearest(month, day, received) if comes and found[0] != "24/7" else None


def _day_and_month(_text: str, found: re.Match[str], words: _Words, received: date) -> date | None:
    """1 December 2026, "1. Dezember", "le 1er décembre", "1 de diciembre de 2026", 1-Dec-26; December 1st, 2026."""
    month, day = words.months.get(found["month"].lower(), 0), int(found["d"])
    if found["y"] is not None:
        return _day(int(found["y"]), month, day)
    if found["yy"] is not None:
        return _in_short(found["yy"], month, day, received)
    is_verb = found["nth"] is None and _is_verb(found["month"], words)
    return None if is_verb else _nearest(month, day, received)


def _is_verb(name: str, words: _Words) -> bool:
    return name in _ALSO_VERBS and "en" in words.languages


def _month_end(_text: str, found: re.Match[str], words: _Words, received: date) -> date | None:
    """The last day in "end of the month", "Ende März 2026", "fin du mois prochain"."""
    name = found["month"]
    if name is None:
        later = 1 if found["next"] or found["next_after"] else 0
        return _last(received.year + (received.month + later > 12), (received.month + later - 1) % 12 + 1)
    month = words.months.get(name.lower(), 0)
    if found["y"] is not None:
        return _last(int(found["y"]), month)
    ends = [_last(received.year + each, month) for each in (-1, 0, 1)]
    return None if _is_verb(name, words) else _first_after(ends, received)


def _near_day(text: str, found: re.Match[str], words: _Words, received: date) -> date | None:
    """Today, tomorrow; but no "Guten Morgen", "por la mañana", "hoy en día"."""
    word = found["near"].lower()
    if word in {"morgen", "mañana", "manana"} and (
        _MORNING_COMES.search(text, max(0, found.start() - 14), found.start())
        or (found[0] == "Morgen" and _GREETING.match(text, found.end()))
    ):
        return None
    if word == "hoy" and text.startswith((" en día", " en dia"), found.end()):
        return None
    return _later(received, words.near[word]) if word in words.near else None


def _weekday(text: str, found: re.Match[str], words: _Words, received: date) -> date | None:
    """The first such day after the mail was received; none where it is a past or a repeated one."""
    day = words.weekdays.get(found["name"].lower())
    # "Monday to Friday" are opening hours, "Domingo" with a capital is a name.
    if day is None or found["span"] is not None or found["name"] == "Domingo" or _is_past(text, found):
        return None
    return _later(received, (day - received.weekday() - 1) % 7 + 1)


def _is_past(text: str, found: re.Match[str]) -> bool:
    """Whether the weekday is one that was ("he said on Tuesday") or every such day, by the words of its sentence."""
    near = (max(0, found.start() - 16), found.start())
    if _LAST_OR_EVERY.search(text, *near) or _GONE.match(text, found.end()):
        return True
    if _BY.search(text, *near) or _AT_A_TIME.match(text, found.end()):
        return False
    before = _SENTENCE_ENDS.split(text[max(0, found.start() - 90) : found.start()])[-1]
    after = _SENTENCE_ENDS.split(text[found.end() : found.end() + 60])[0]
    sentence = f"{before}…{after}"
    return _PAST.search(sentence) is not None and _AHEAD.search(sentence) is None


def _day(year: int, month: int, day: int) -> date | None:
    # 0 is the month of a name that only looks like one: to `re.IGNORECASE` "ı" and "ſ" are "i" and "s".
    if not (FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]):
        return None
    return date(year, month, day)


def _last(year: int, month: int) -> date | None:
    known = FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12
    return _day(year, month, calendar.monthrange(year, month)[1]) if known else None


def _later(received: date, days: int) -> date | None:
    day = received + timedelta(days=days)
    return day if day.year <= LAST_YEAR else None


def _in_short(year: str, month: int, day: int, received: date) -> date | None:
    told = 2000 + int(year)
    return _day(told, month, day) if abs(told - received.year) <= YEARS_AROUND else None


def _nearest(month: int, day: int, received: date) -> date | None:
    """The first such day that is not more than `DAYS_BACK` days before the mail was received."""
    return _first_after([_day(received.year + each, month, day) for each in (-1, 0, 1)], received)


def _first_after(days: list[date | None], received: date) -> date | None:
    return next((day for day in days if day is not None and (received - day).days <= DAYS_BACK), None)
