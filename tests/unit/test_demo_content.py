"""The demo's mails, accounts, calendars and the shipped templates are whole, and agree with each other."""

from __future__ import annotations

import csv
import email
import email.policy
import json
import re
from collections import Counter
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.utils import parseaddr, parsedate_to_datetime
from pathlib import Path
from typing import Any

import icalendar
import pytest
import recurring_ical_events

from triaged.accounts.match import directory, match
from triaged.accounts.read_csv import read_accounts
from triaged.mail.render import ACKNOWLEDGEMENT, OF_CALLS, VARIABLES, Templates, load_templates, render
from triaged.model import Account, Address
from triaged.written import template_files

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "triaged" / "demo"
TEMPLATES = ROOT / "templates"
MAILS = sorted((DEMO / "mail").glob("*.eml"))
EXPECTED = [json.loads(line) for line in (DEMO / "expect.jsonl").read_text("utf-8").splitlines()]
PEOPLE = frozenset({"lena", "marek", "sofia"})
COPIES = {"58": "23", "59": "41"}
LANGUAGES = ("", ".de", ".fr", ".es")


def parsed(path: Path) -> EmailMessage:
    return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)  # type: ignore[return-value]


def of(number: str) -> Path:
    (path,) = (each for each in MAILS if each.name.startswith(f"{number}-"))
    return path


@pytest.fixture(scope="module")
def accounts() -> tuple[Account, ...]:
    return read_accounts(DEMO / "accounts.csv", people=PEOPLE)


@pytest.fixture(scope="module")
def templates() -> Templates:
    return load_templates(template_files(TEMPLATES))


# --- the mails -------------------------------------------------------------------------------------------------


def test_there_are_sixty_numbered_mails() -> None:
    assert [path.name[:3] for path in MAILS] == [f"{number:02d}-" for number in range(1, 61)]


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_a_mail_is_well_formed_and_of_that_night(path: Path) -> None:
    octets = path.read_bytes()
    message = parsed(path)
    assert b"\r" not in octets
    assert max(len(line) for line in octets.split(b"\n")) <= 998
    for name in ("From", "Date", "To", "Subject", "Message-ID", "Return-Path"):
        assert len(message.get_all(name, [])) == 1, name
    assert octets.partition(b"\n\n")[0].isascii()
    assert "desk@nordlicht.example" in message["To"]
    start, end = datetime(2026, 11, 16, 16, 30, tzinfo=UTC), datetime(2026, 11, 17, 7, 15, tzinfo=UTC)
    assert start <= parsedate_to_datetime(message["Date"]) <= end
    assert all(parsedate_to_datetime(line.rpartition(";")[2]) is not None for line in message.get_all("Received", []))
    defects = [defect for part in message.walk() for defect in part.defects]
    assert defects == []


@pytest.mark.parametrize(("copy", "original"), COPIES.items())
def test_second_copies_are_equal_octet_for_octet(copy: str, original: str) -> None:
    assert of(copy).read_bytes() == of(original).read_bytes()


def test_most_mails_are_authenticated_and_some_are_not() -> None:
    results = Counter(
        re.findall(r"dmarc=(\w+)", str(parsed(path)["Authentication-Results"] or "dmarc=missing"))[0] for path in MAILS
    )
    assert results == {"pass": 55, "none": 4, "missing": 1}


def test_no_other_two_mails_share_a_message_id() -> None:
    ids = Counter(str(parsed(path)["Message-ID"]) for path in MAILS)
    assert sorted(count for count in ids.values() if count > 1) == [2, 2]


def test_the_night_is_as_mixed_as_the_demo_promises() -> None:
    seen: Counter[str] = Counter()
    ids = {str(parsed(path)["Message-ID"]) for path in MAILS}
    for path in MAILS:
        message, text = parsed(path), path.read_bytes()
        seen["html only"] += message.get_content_type() == "text/html"
        seen["alternative"] += message.get_content_type() == "multipart/alternative"
        seen["report"] += message.get_content_type() == "multipart/report"
        seen["attachments"] += len(list(message.iter_attachments())) == 2
        seen["encoded subject"] += b"\nSubject: =?" in text or b"\n =?" in text
        seen["reply in the night"] += str(message["In-Reply-To"]) in ids
        seen["auto-submitted"] += message["Auto-Submitted"] is not None
        seen["list"] += message["List-Unsubscribe"] is not None
        seen["null path"] += message["Return-Path"] == "<>"
        for part in message.walk():
            seen[str(part["Content-Transfer-Encoding"])] += 1
            seen[str(part.get_content_charset())] += 1
    least = {
        "html only": 5, "alternative": 8, "report": 1, "attachments": 1, "encoded subject": 4, "reply in the night": 7,
        "auto-submitted": 2, "list": 1, "null path": 1, "quoted-printable": 20, "base64": 4, "8bit": 3,
        "iso-8859-1": 5, "windows-1252": 5, "x-user-defined-8": 1,
    }  # fmt: skip
    assert {name: seen[name] for name in least if seen[name] < least[name]} == {}


# --- what is expected of them ----------------------------------------------------------------------------------


def test_every_mail_is_expected_once() -> None:
    assert [each["file"] for each in EXPECTED] == [path.name for path in MAILS]


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda each: each["file"])
def test_an_expectation_is_consistent(expected: dict[str, Any], accounts: tuple[Account, ...]) -> None:
    assert set(expected) == {"file", "labels", "account", "acknowledge", "why"}
    labels = expected["labels"]
    assert labels == ["other"] or (labels and set(labels) <= {"request", "complaint", "renewal"})
    assert len(labels) == len(set(labels))
    assert expected["account"] in {None, *(each.account_id for each in accounts)}
    assert expected["why"].endswith(".")
    wanted = labels != ["other"] and expected["account"] is not None and expected["file"][:2] not in COPIES
    assert expected["acknowledge"] is wanted


def test_nobody_is_to_be_acknowledged_twice_in_one_night() -> None:
    """A site that answers a sender once a night must still be able to meet every expectation."""
    senders = [parseaddr(parsed(of(each["file"][:2]))["From"])[1] for each in EXPECTED if each["acknowledge"]]
    assert len(senders) >= 40
    assert len(senders) == len(set(senders))


def test_expected_accounts_are_those_the_matcher_finds(accounts: tuple[Account, ...]) -> None:
    """All but the bounce and the like; a conversation alone gives a stranger no account."""
    known = directory(accounts)
    owner: dict[str, str | None] = {}
    how: Counter[str] = Counter()
    for each in EXPECTED:
        message = parsed(of(each["file"][:2]))
        earlier = tuple(found for each_id in str(message["References"]).split() if (found := owner.get(each_id)))
        sender = Address(parseaddr(message["From"])[1].lower())
        found = match(known, sender=sender, thread_accounts=earlier, own_domains=frozenset({"nordlicht.example"}))
        assert found.account_id == each["account"], (each["file"], found)
        owner[str(message["Message-ID"])] = found.account_id
        how[str(found.how)] += 1
    assert how["address"] >= 30
    assert how["domain"] >= 8
    assert how["thread"] == 0
    assert how["alias"] == 1
    assert how["None"] == 5


# --- accounts and calendars ------------------------------------------------------------------------------------


def test_the_accounts_are_twenty_and_varied(accounts: tuple[Account, ...]) -> None:
    with (DEMO / "accounts.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 20
    assert len(accounts) == 20
    assert {each.manager for each in accounts} == PEOPLE
    assert {each.tier for each in accounts} == {"gold", "silver", "standard"}
    assert {each.language for each in accounts} == {"de", "en", "fr", "es"}
    assert len({each.timezone for each in accounts}) == 5
    assert all(len(each.contracts) == 1 and each.contracts[0].ends is not None for each in accounts)
    groups = [each for each in accounts if each.name.startswith("Corvane Group")]
    assert len(groups) == 2
    assert set(groups[0].domains).isdisjoint(groups[1].domains)


@pytest.mark.parametrize("person", sorted(PEOPLE))
def test_a_calendar_is_never_out_of_date(person: str) -> None:
    files = sorted((DEMO / "calendars" / person).glob("*.ics"))
    assert len(files) >= 3
    summaries: dict[int, set[str]] = {2026: set(), 2036: set()}
    for path in files:
        calendar = icalendar.Calendar.from_ical(path.read_bytes())
        (event,) = calendar.walk("VEVENT")
        assert str(event["UID"]).startswith(path.stem)
        assert len(calendar.walk("VTIMEZONE")) == 1
        for year, names in summaries.items():
            found = recurring_ical_events.of(calendar).between(date(year, 3, 1), date(year + 1, 3, 1))
            names.update(str(each["SUMMARY"]) for each in found)
            if path.stem == "team-meeting":
                starts = [each["DTSTART"].dt for each in found]
                assert len(starts) >= 52
                assert {(start.weekday(), start.hour, str(start.tzinfo)) for start in starts} == {
                    (0, 10, "Europe/Berlin")
                }
    assert len(summaries[2026]) == len(files)
    assert summaries[2026] == summaries[2036]


# --- the templates -----------------------------------------------------------------------------------------------

FULL: dict[str, Any] = {
    "contact": "Ada <Byron> & Söhne", "account": "Acme GmbH", "category": "request", "reference": "T-7K3M9QX",
    "due": "Tuesday, 17 November 2026, 17:00", "subject": "Printer <b>again</b>", "team": "Nordlicht Services",
    "desk": "desk@nordlicht.example", "person": "Lena", "account_id": "C-101", "tier": "gold",
    "sender": "ada@acme.example", "categories": "complaint", "score": "93%", "evidence": ("third time", "angry"),
    "text": "First line\nsecond line\n\nNext paragraph", "received": "Monday, 17:41",
    "contract_ends": "2026-12-31", "call": "Tuesday, 10:00", "organizer": "Lena", "when": "Tuesday, 10:00 (Berlin)",
    "minutes": 30, "location": "Telephone", "summary": "Call about the printer",
    "trust": "sender not authenticated: DMARC result is none",
    "risk": "0.81", "signals": ("churn “looking at alternatives”", "chasing “second time”"), "trend": "0.12 → 0.55",
    "chasers": 3, "slots": "1. Tuesday, 10:00 (Berlin)",
}  # fmt: skip
OPTIONAL = {
    "contact": "", "account": "", "account_id": "", "tier": "", "due": "", "subject": "", "contract_ends": "",
    "call": "", "evidence": (), "location": "", "summary": "", "person": "", "trust": "",
    "risk": "", "signals": (), "trend": "", "chasers": 0, "slots": "",
}  # fmt: skip
STEMS = [f"{name}{tail}" for name in ("request", "complaint", "renewal", "received", *OF_CALLS) for tail in LANGUAGES]
STEMS += ["escalation", "escalation.de"]


def rendered(templates: Templates, stem: str, values: dict[str, Any]) -> tuple[str, str, str]:
    name, _, language = stem.partition(".")
    known = VARIABLES.get(name, ACKNOWLEDGEMENT)
    variables = {key: value for key, value in values.items() if key in known}
    assert set(variables) == known
    mail = render(templates, name, language=language or "en", variables=variables)
    assert mail.template == stem
    return mail.subject, mail.text, mail.html


def test_the_templates_are_exactly_these(templates: Templates) -> None:
    drafts = [f"correction{language}" for language in LANGUAGES]  # no machine sends them
    assert sorted(templates.bodies) == sorted([*STEMS, *drafts])
    assert templates.names == {"request", "complaint", "renewal", "received"}


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("values", [FULL, FULL | OPTIONAL], ids=["full", "empty"])
def test_a_template_renders_cleanly(templates: Templates, stem: str, values: dict[str, Any]) -> None:
    subject, text, html = rendered(templates, stem, values)
    assert subject.strip() != ""
    for words in (subject, text, html):
        assert not re.search(r"\{[{%]|[%}]\}|None|Undefined", words)
    assert "\n\n\n" not in text
    assert not re.search(r"[^\S\n]\n|\w ,|,,|\.\.|  ", text), text
    assert "T-7K3M9QX" in text
    assert len(text) > 100


@pytest.mark.parametrize("stem", [stem for stem in STEMS if not stem.startswith("escalation")])
def test_what_is_known_is_said_and_what_is_not_known_leaves_no_hole(templates: Templates, stem: str) -> None:
    _, full, _ = rendered(templates, stem, FULL)
    _, bare, _ = rendered(templates, stem, FULL | OPTIONAL)
    greeting = full.split("\n")[0]
    assert "Ada <Byron> & Söhne" in greeting
    assert re.fullmatch(r"(Hello|Guten Tag|Bonjour),|Hola:", bare.split("\n")[0])
    if stem.partition(".")[0] not in OF_CALLS:
        assert FULL["slots"] in full
        assert FULL["slots"] not in bare
        assert FULL["due"] in full
        assert FULL["due"] not in bare
        last = full.rstrip("\n").split("\n")[-1]
        assert re.search("autom[aá]ti", last)
        assert last.endswith("T-7K3M9QX")


@pytest.mark.parametrize(
    "stem", [stem for stem in STEMS if stem.partition(".")[0] in ("request", "complaint", "renewal", "received")]
)
def test_an_acknowledgement_repeats_nothing_the_sender_wrote_but_the_name(templates: Templates, stem: str) -> None:
    """Field texts of strangers come back in no acknowledgement (mail-safety S24, S28)."""
    subject, text, html = rendered(templates, stem, FULL)
    for words in (subject, text, html):
        assert "Printer" not in words
        assert "Acme" not in words


def test_an_escalation_shows_what_the_manager_needs(templates: Templates) -> None:
    for stem in ("escalation", "escalation.de"):
        _, text, _ = rendered(templates, stem, FULL)
        wanted = VARIABLES["escalation"]
        missing = [key for key in sorted(wanted - {"evidence", "signals"}) if str(FULL[key]) not in text]
        assert missing == []
        assert "- third time\n- angry\n" in text
        assert "- churn “looking at alternatives”\n- chasing “second time”\n" in text


def test_the_layout_escapes_and_fetches_nothing(templates: Templates) -> None:
    _, _, html = rendered(templates, "escalation", FULL)
    assert "Printer &lt;b&gt;again&lt;/b&gt;" in html
    assert "<b>" not in html
    assert "First line<br>second line</p>" in html
    assert "<p" in html.partition("second line")[2]
    assert 'lang="en"' in html
    assert not re.search(r"<img|<link|<script|url\(|https?:|@import|src=|background", html)
