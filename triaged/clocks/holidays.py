"""A country and a year in, its public holidays out, as the package `holidays` knows them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import date
from functools import cache

from babel import Locale


def is_holiday(day: date, *, own: frozenset[date], country: str) -> bool:
    """Whether a day is one of one's own holidays or a public one of the country (see `public_holidays`)."""
    return day in own or day in public_holidays(country, day.year)


@cache
def public_holidays(country: str, year: int) -> frozenset[date]:
    """The days off of a year, those in lieu too (a Monday for a Sunday); half days and banks' days are none.

    country: checked by `country_problem`: ISO 3166-1 alpha-2 (`DE`), with a part of it for its own days too
    (`DE-BE`); `""` has none.
    """
    if country == "":
        return frozenset()
    from holidays import country_holidays  # 0.1 s and 11 MB that few need (0.109)

    code, _, part = country.partition("-")
    return frozenset(country_holidays(code, subdiv=part or None, years=year))


def country_problem(country: str) -> str:
    """Why a text is no country of `public_holidays`, a sentence; `""` when it is one, or empty."""
    if country == "":
        return ""
    from holidays import country_holidays, list_supported_countries

    parts = {code: each for code, each in list_supported_countries().items() if len(code) == 2}
    code, dash, part = country.partition("-")
    if code not in parts:
        names = {name: f"{known}{dash}{part}" for known, name in Locale("en").territories.items() if known in parts}
        near = _near(code, names | {known: f"{known}{dash}{part}" for known in parts})
        return f"'{country}' is no country whose holidays are known; write such as 'DE' or 'DE-BE'{near}"
    if dash and part not in parts[code]:
        names = {name: f"{code}-{known}" for name, known in country_holidays(code).subdivisions_aliases.items()}
        near = _near(part, names | {known: f"{code}-{known}" for known in parts[code]})
        there = f"there are {', '.join(parts[code])}" if parts[code] else f"write '{code}', the days are the same"
        return f"'{country}': no part '{part}' of '{code}' is known; {there}{near}"
    return ""


def _near(word: str, known: Mapping[str, str]) -> str:
    """As `did_you_mean`, where what is meant is to be written in another way. known: name → what to write."""
    by_lower = {name.lower(): code for name, code in known.items()}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean '{by_lower[near[0]]}'?" if near else ""
