"""Sentences in four languages go in, the amounts and days that a person would read in them must come out, no others."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triaged.rules.dates import DateMention, dates
from triaged.rules.money import MOST_CHARACTERS, MOST_MENTIONS, Amount, amounts

RECEIVED = date(2026, 11, 16)
"""A Monday."""

AMOUNTS = [
    # English
    ("The invoice is for $12,500.00.", [(12500.0, "USD")]),
    ("That is $5k a month", [(5000.0, "USD")]),
    ("We spent $1.2M and $3bn", [(1.2e6, "USD"), (3e9, "USD")]),
    ("about 1.2 million euros", [(1.2e6, "EUR")]),
    ("£9.99 or US$ 20", [(9.99, "GBP"), (20.0, "USD")]),
    ("C$500, A$600, NZ$700, HK$ 800", [(500.0, "CAD"), (600.0, "AUD"), (700.0, "NZD"), (800.0, "HKD")]),
    ("CAD $5,000 or $6,000 CAD", [(5000.0, "CAD"), (6000.0, "CAD")]),
    ("500 dollars, 20 pounds", [(500.0, "USD"), (20.0, "GBP")]),
    ("100 Canadian dollars and 30 Swiss francs", [(100.0, "CAD"), (30.0, "CHF")]),
    ("a price of $2.715/MMBtu", [(2.715, "USD")]),
    ("$10.000 for all of it", [(10000.0, "USD")]),
    ("raise $350-400K", [(350e3, "USD")]),
    ("a $12 - $15MM range", [(12e6, "USD"), (15e6, "USD")]),
    ("the $8.9\nbillion figure", [(8.9e9, "USD")]),
    ("USD 1,234,567.89", [(1234567.89, "USD")]),
    ("500 euros per month", [(500.0, "EUR")]),
    ("a credit of -$500", [(500.0, "USD")]),
    ("A 500-dollar fee", [(500.0, "USD")]),
    ("¥5,000 and ₹300", [(5000.0, "JPY"), (300.0, "INR")]),
    ("Total 500\nEUR 600", [(600.0, "EUR")]),
    ("EUR 500 EUR 600", [(500.0, "EUR"), (600.0, "EUR")]),
    ("500 EUR 600 EUR", [(500.0, "EUR"), (600.0, "EUR")]),
    # German
    ("Die Rechnung über EUR 12.500,00", [(12500.0, "EUR")]),
    ("12.000,- € netto", [(12000.0, "EUR")]),
    ("rund 3,5 Mio. EUR", [(3.5e6, "EUR")]),
    ("2 Millionen Euro, 1,5 Mrd. €", [(2e6, "EUR"), (1.5e9, "EUR")]),
    ("250 TEUR oder TEUR 300 oder 5 T€", [(250e3, "EUR"), (300e3, "EUR"), (5e3, "EUR")]),
    ("10.000 bis 15.000 Euro", [(15000.0, "EUR")]),
    ("CHF 12'500.00", [(12500.0, "CHF")]),
    ("Fr. 500.– und SFr. 1’200.-", [(500.0, "CHF"), (1200.0, "CHF")]),
    ("80 Franken, 3 kanadische Dollar", [(80.0, "CHF"), (3.0, "CAD")]),
    ("0,05 €/Stück", [(0.05, "EUR")]),
    ("Euro 500,-", [(500.0, "EUR")]),
    ("ein 50-Euro-Gutschein", [(50.0, "EUR")]),
    ("1.234.567,89 €", [(1234567.89, "EUR")]),
    ("500EUR", [(500.0, "EUR")]),
    ("2.500 €", [(2500.0, "EUR")]),
    # French
    ("soit 12 500 € TTC", [(12500.0, "EUR")]),
    ("12\u202f500,50\u00a0€", [(12500.5, "EUR")]),
    ("2 millions d'euros", [(2e6, "EUR")]),
    ("3 000\u00a0000 euros", [(3e6, "EUR")]),
    ("1,5 M€ et 20 k€", [(1.5e6, "EUR"), (20e3, "EUR")]),
    ("300 francs suisses", [(300.0, "CHF")]),
    ("20 livres sterling", [(20.0, "GBP")]),
    ("3 milliards de dollars", [(3e9, "USD")]),
    # Spanish
    ("unos 1.200,50 euros", [(1200.5, "EUR")]),
    ("5 mil euros", [(5e3, "EUR")]),
    ("3 millones de dólares", [(3e6, "USD")]),
    ("5 mil millones de euros", [(5e9, "EUR")]),
    ("500 pesos", [(500.0, "")]),
    ("500 pesos mexicanos", [(500.0, "MXN")]),
    ("100 do\u0301lares", [(100.0, "USD")]),
]

NO_AMOUNTS = [
    "Call +49 30 1234567 or (415) 555-0100.",
    "Order 4711-0815, ticket #12345",
    "Version 3.12.1 on 192.168.10.20",
    "at 12.30 or 9:15",
    "chapter 5.3, page 12",
    "5 % discount, 19% VAT",
    "It costs 12.50.",
    "quinientos euros",
    "five hundred dollars",
    "20 pounds of sugar",
    "J'ai lu 20 livres, bebí 3 coronas, 3 Pfund Mehl",
    "Mo.-Fr. 9-17 Uhr; Fr. 12.12. und Fr. 09.30",
    "TOP 10, ALL 50 users, PHP 8.2",
    "abc$5 is his password",
    "The euro fell. 12 people came.",
    "1.234,567 €",
    "US 101 and Euro",
    "in 2026 we have 30 dollarized economies",
]

DATES = {
    "en": [
        ("by 2026-12-01 please", ["2026-12-01"]),
        ("at 2026-12-01T10:00Z", ["2026-12-01"]),
        ("1 December 2026 and December 1st, 2026", ["2026-12-01", "2026-12-01"]),
        ("Dec 1 and 2 Dec. 2026", ["2026-12-01", "2026-12-02"]),
        ("the 3rd of January", ["2027-01-03"]),
        ("Sept 20", ["2026-09-20"]),
        ("It was sent on August 1", ["2027-08-01"]),
        ("on 12/25/2026 or 25/12/26", ["2026-12-25", "2026-12-25"]),
        ("by 12/15", ["2026-12-15"]),
        ("5/5/2027", ["2027-05-05"]),
        ("1-Dec-26", ["2026-12-01"]),
        ("May 5 or 5 May", ["2027-05-05", "2027-05-05"]),
        ("on 2nd may", ["2027-05-02"]),
        ("March 15th, 2027", ["2027-03-15"]),
        ("June 15-16, 2027", ["2027-06-15"]),
        ("Tue Nov 17 10:00:00 UTC 2026", ["2026-11-17"]),
        ("today or tomorrow", ["2026-11-16", "2026-11-17"]),
        ("the day after tomorrow", ["2026-11-18"]),
        ("See you next Friday", ["2026-11-20"]),
        ("by Friday", ["2026-11-20"]),
        ("Monday works for me", ["2026-11-23"]),
        ("Please call me on Tuesday", ["2026-11-17"]),
        ("We have confirmed a meeting Friday at 3:45", ["2026-11-20"]),
        ("Friday, 20 November", ["2026-11-20"]),
        ("Friday, November 27, 2026", ["2026-11-27"]),
        ("27 November (Friday)", ["2026-11-27"]),
        ("by the end of the month", ["2026-11-30"]),
        ("at the end of next month", ["2026-12-31"]),
        ("end of February 2028", ["2028-02-29"]),
        ("before month-end", ["2026-11-30"]),
        ("due 29 February 2028", ["2028-02-29"]),
        ("1.12.2026", ["2026-12-01"]),
    ],
    "de": [
        ("am 1.12.2026, 1.12.26 oder 1. 12. 2026", ["2026-12-01"] * 3),
        ("bis zum 1.12. bitte", ["2026-12-01"]),
        ("Lieferung 15.12. geplant", ["2026-12-15"]),
        ("Geht es am 15.12 auch?", ["2026-12-15"]),
        ("1. Dezember 2026 und 2.Dezember", ["2026-12-01", "2026-12-02"]),
        ("am 5. März", ["2027-03-05"]),
        ("am 5. Maerz 2027", ["2027-03-05"]),
        ("15/12/2026 und 1/12/2026", ["2026-12-15", "2026-12-01"]),
        ("heute oder morgen", ["2026-11-16", "2026-11-17"]),
        ("morgen früh", ["2026-11-17"]),
        ("Morgen kommt er", ["2026-11-17"]),
        ("übermorgen", ["2026-11-18"]),
        ("am Freitag", ["2026-11-20"]),
        ("Am Freitag, den 27. November", ["2026-11-27"]),
        ("Haben Sie am Freitag Zeit?", ["2026-11-20"]),
        ("bis Ende des Monats", ["2026-11-30"]),
        ("bis Ende nächsten Monats und zum Monatsende", ["2026-12-31", "2026-11-30"]),
        ("Ende März 2027", ["2027-03-31"]),
        ("Freitag 14 Uhr", ["2026-11-20"]),
    ],
    "fr": [
        ("le 1er décembre", ["2026-12-01"]),
        ("le 1 decembre 2026", ["2026-12-01"]),
        ("le 3 de\u0301cembre", ["2026-12-03"]),
        ("avant le 5 mars", ["2027-03-05"]),
        ("le 01/12/2026", ["2026-12-01"]),
        ("le 15/12", ["2026-12-15"]),
        ("aujourd’hui ou demain", ["2026-11-16", "2026-11-17"]),
        ("après-demain", ["2026-11-18"]),
        ("Pouvez-vous vendredi ?", ["2026-11-20"]),
        ("vendredi prochain", ["2026-11-20"]),
        ("vendredi 27 novembre", ["2026-11-27"]),
        ("à la fin du mois", ["2026-11-30"]),
        ("fin du mois prochain", ["2026-12-31"]),
        ("fin février 2027", ["2027-02-28"]),
        ("fin d'août", ["2027-08-31"]),
    ],
    "es": [
        ("el 1 de diciembre de 2026", ["2026-12-01"]),
        ("antes del 15 de enero", ["2027-01-15"]),
        ("el 1/12/2026", ["2026-12-01"]),
        ("hoy o mañana", ["2026-11-16", "2026-11-17"]),
        ("mañana por la mañana", ["2026-11-17"]),
        ("pasado mañana", ["2026-11-18"]),
        ("el viernes", ["2026-11-20"]),
        ("el miércoles próximo y el sabado", ["2026-11-18", "2026-11-21"]),
        ("a fin de mes", ["2026-11-30"]),
        ("a finales de diciembre", ["2026-12-31"]),
        ("5 may", ["2027-05-05"]),
    ],
    "": [
        ("am 1.12. oder le 2 décembre or 3 December o el 4 de diciembre", [f"2026-12-0{day}" for day in (1, 2, 3, 4)]),
        ("tomorrow, morgen, demain, mañana", ["2026-11-17"] * 4),
    ],
    "it": [("2026-12-01, 2 december", ["2026-12-01", "2026-12-02"])],
}

NO_DATES = {
    "en": [
        "You may 2 times; it may be the 2 may differ",
        "the second one, a march 15 miles long",
        "May 2027, in December 2026, Mar 2027",
        "on 1/2/2026, by 1/2",
        "31 February 2027, 2026-02-30, 29 Feb 2027, 12.25.2026",
        "1 December 1999, 2100-01-01, December 5, 1847, 1 May 2150",
        "version 3.12.1, Python 3.11.12, update to 2.3.11",
        "host 10.12.20.26 and 192.168.1.1",
        "at 12.30, chapter 5.3., section 1.12., by 4.5 percent",
        "24/7, on 24/7, 50/50, 1/2, 3/4",
        "Call +1 415-555-0100 or 030/12.11.26.33",
        "Order 4711-2026-12-01-3, file_2026-12-01_x",
        "last Friday, every Monday, on Fridays, Good Friday",
        "Open Monday to Friday, Monday - Friday",
        "We met on Monday and you told me so",
        "He said on Tuesday that it works",
        "Friday the 13th",
        "May 3.5%, Dec 5%, Nov 12:30",
        "weekend of peace, the end of the line",
        "manana, heute, demain",
        "5 mars bars, 3 sets",
    ],
    "de": [
        "Guten Morgen Herr Maier",
        "Morgen, Peter!",
        "heute_1, am Morgen, jeden Morgen",
        "Kapitel 5.3., Version 3.12.1, Ziffer 10.2.",
        "um 12.30 Uhr, am 12.10 Uhr",
        "1.2. Leistungen",
        "12.1. Haftung",
        "letzten Freitag, jeden Montag, freitags",
        "Montag bis Freitag 9 bis 17 Uhr",
        "Am Freitag haben wir gesprochen",
        "Mai 2027",
    ],
    "fr": [
        "vendredi dernier, chaque lundi",
        "du lundi au vendredi",
        "le lendemain",
        "Nous avons discuté lundi",
        "à la fin de mes vacances",
        "la fin du mois dernier",
    ],
    "es": [
        "por la mañana, esta mañana, a las 9 de la mañana",
        "hoy en día",
        "el viernes pasado, los lunes",
        "Plácido Domingo",
        "el fin de semana",
        "Recibieron el paquete el lunes",
    ],
    "": ["Guten Morgen", "por la mañana", "you may 2", "5.3. und 12.30", "fin de mes vacances"],
}


def _flat(table: dict[str, list]) -> list[tuple]:  # type: ignore[type-arg]
    return [
        (language, *(row if isinstance(row, tuple) else (row,))) for language, rows in table.items() for row in rows
    ]


@pytest.mark.parametrize(("text", "wanted"), AMOUNTS)
def test_an_amount_is_a_number_with_its_currency(text: str, wanted: list[tuple[float, str]]) -> None:
    assert [(each.value, each.currency) for each in amounts(text)] == wanted


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_a_number_without_a_currency_is_no_amount(text: str) -> None:
    assert amounts(text) == ()


@pytest.mark.parametrize(("language", "text", "wanted"), _flat(DATES))
def test_days_are_read(language: str, text: str, wanted: list[str]) -> None:
    assert [each.day.isoformat() for each in dates(text, received=RECEIVED, language=language)] == wanted


@pytest.mark.parametrize(("language", "text"), _flat(NO_DATES))
def test_what_only_looks_like_a_day_is_none(language: str, text: str) -> None:
    assert dates(text, received=RECEIVED, language=language) == ()


def test_the_place_and_the_words_are_told() -> None:
    assert amounts("pay EUR 5,00 now") == (Amount(5.0, "EUR", "EUR 5,00", 4, 12),)
    assert dates("on May 5, 2027.", received=RECEIVED, language="en") == (
        DateMention(date(2027, 5, 5), "May 5, 2027", 3, 14),
    )


@pytest.mark.parametrize(
    ("received", "wanted"),
    [
        (date(2026, 12, 31), "2026-12-01"),
        (date(2027, 1, 30), "2026-12-01"),
        (date(2027, 1, 31), "2027-12-01"),
        (date(2026, 1, 1), "2025-12-01"),
    ],
)
def test_without_a_year_it_is_the_first_not_sixty_days_past(received: date, wanted: str) -> None:
    assert [each.day.isoformat() for each in dates("Dec 1", received=received, language="en")] == [wanted]


def test_the_weekday_of_the_mail_itself_is_a_week_later() -> None:
    assert dates("Monday", received=RECEIVED, language="en")[0].day == date(2026, 11, 23)


@pytest.mark.parametrize("received", [date.min, date(1999, 12, 31), date(2000, 1, 1), date(2099, 12, 31), date.max])
def test_at_the_ends_of_the_years_nothing_outside_them_is_told(received: date) -> None:
    text = "tomorrow, Friday, end of next month, 1 January, Dec 31, 31.1.99, end of February"
    assert all(2000 <= each.day.year <= 2099 for each in dates(text, received=received, language="en"))


def test_so_much_is_read_and_no_more() -> None:
    assert len(amounts("$5 " * 1_000)) == MOST_MENTIONS
    assert len(dates("2026-12-01 " * 1_000, received=RECEIVED, language="")) == MOST_MENTIONS
    behind = " " * MOST_CHARACTERS
    assert amounts(f"{behind}$5") == ()
    assert dates(f"{behind}2026-12-01", received=RECEIVED, language="") == ()


PIECES = (
    "1 12 31 2026 .  , - / ' ’ $ € £ US$ EUR CHF Fr. k Mio. million mil euros dollars de d' % : € ( \n \u00a0 \u202f "
    "May march mars März décembre de\u0301cembre dıc ſept Friday frıday Freitag viernes Sunday to by last met will "
    "today Morgen mañana hoy end of month fin mes prochain Ende st . , th 1er º the"
).split(" ")


@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from(PIECES), max_size=30).flatmap(
            lambda got: st.sampled_from(["", " "]).map(lambda gap: gap.join(got))
        ),
    ),
    st.dates(),
    st.sampled_from(["", "en", "de", "fr", "es", "zz"]),
)
def test_any_text_is_read_and_every_find_lies_where_it_says(text: str, received: date, language: str) -> None:
    for found in (amounts(text), dates(text, received=received, language=language)):
        assert all(each.words == text[each.start : each.end] != "" for each in found)
        assert all(before.end <= after.start for before, after in pairwise(found))
    assert all(0 <= each.value < 1e24 for each in amounts(text))
