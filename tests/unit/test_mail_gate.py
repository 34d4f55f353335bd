"""Bounces, out-of-office answers and people writing of both go through `parse`; what is held back is counted (Q4)."""

from __future__ import annotations

import email.header
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from triaged.mail.identity import Border
from triaged.mail.parse import parse
from triaged.model import Locator, Raw

OURS = Path(__file__).parents[1] / "corpus/gate.jsonl"
"""Written by us: what a mail is (away, bounce, person), its fields and text, and which line ends it has."""
SHARED = Path(__file__).parents[2] / "../shared"
BORDER = Border(frozenset({"desk@firm.example"}), "triaged.firm.example")
ENDS = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}
NO_LIST = re.compile(
    rb"^(?:list-|precedence:|x-mailing-list|x-beenthere|errors-to:|sender:.*-)", re.IGNORECASE | re.MULTILINE
)
MACHINES = ("noreply@", "nobody@", "owner-", "-owner@", "mailer-daemon@")
"""Senders in the real mails that are none of people (S07)."""


def octets_of(row: dict[str, Any]) -> bytes:
    subject = row["subject"]
    encoded = subject if subject.isascii() else email.header.Header(subject, "utf-8").encode()
    fields = row.get("fields", "")
    if "ontent-Type" not in fields and "X-Nothing" not in fields:
        fields += "\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8"
    reply = "In-Reply-To: <a1@firm.example>\n" if row.get("reply") else ""
    head = (
        f"From: {row['from']}\nTo: desk@firm.example\nSubject: {encoded}\nDate: Sun, 22 Nov 2026 09:00:00 +0000\n"
        f"Message-ID: <x@client.example>\n{reply}{fields.strip()}\n"
    )
    return f"{head}\n{row['text']}".encode().replace(b"\n", ENDS[row["ends"]])


def counted(mails: Iterable[bytes], border: Border = BORDER) -> Counter[str]:
    found: Counter[str] = Counter()
    for octets in mails:
        given = Raw(Locator("desk", "INBOX", "1"), datetime(2026, 11, 22, tzinfo=UTC), octets, len(octets))
        found[parse(given, border=border).automatic.by] += 1
    return found


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in OURS.read_text("utf-8").split("\n") if line]


def test_machines_are_never_taken_for_people(rows: list[dict[str, Any]]) -> None:
    for kind, least in (("away", 200), ("bounce", 100)):
        found = counted(octets_of(row) for row in rows if row["is"] == kind)
        print(f"{kind}: {dict(found)}")  # noqa: T201 - the figures are the finding
        assert found.total() >= least
        assert found["person"] <= 0.008 * found.total()
        assert found["machine"] >= 10


def test_people_who_write_of_such_things_are_answered(rows: list[dict[str, Any]]) -> None:
    found = counted(octets_of(row) for row in rows if row["is"] == "person")
    print(f"people on the same subjects: {dict(found)}")  # noqa: T201
    assert found.total() >= 280
    assert found["machine"] == 0
    assert found["hold"] <= 0.01 * found.total()


def test_line_ends_make_no_difference(rows: list[dict[str, Any]]) -> None:
    for row in rows[::7]:
        found = [counted([octets_of(row | {"ends": ends})]) for ends in ENDS]
        assert found[0] == found[1] == found[2], row


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/mail and ../shared/nlp")
def test_real_mails() -> None:
    def files(folder: str) -> Iterator[bytes]:
        return (file.read_bytes() for file in sorted((SHARED / folder).rglob("*.eml")))

    anywhere = Border(frozenset(), "triaged.firm.example")
    machines = counted(files("mail/auto/sisimai"), anywhere) + counted(files("mail/auto/synthetic-ooo/pos"), anywhere)
    print(f"bounces and out-of-office answers: {dict(machines)}")  # noqa: T201
    assert machines.total() > 340
    assert machines["person"] <= 0.002 * machines.total()
    hard = counted(files("mail/auto/synthetic-ooo/neg"), anywhere)
    assert hard == {"person": hard.total()}
    people = counted(_personal(), anywhere)
    print(f"mails of people: {dict(people)}")  # noqa: T201
    assert people.total() > 3_000
    assert people["machine"] <= 0.002 * people.total()
    assert people["hold"] <= 0.01 * people.total()


def _personal() -> Iterator[bytes]:
    for file in sorted((SHARED / "mail/normal").rglob("*ham*/*")):
        octets = file.read_bytes() if file.is_file() else b""
        if octets and NO_LIST.search(octets.partition(b"\n\n")[0]) is None:
            yield octets
    for name in ("gold_dev.jsonl", "unlabelled_dev.jsonl"):
        for line in filter(None, (SHARED / "nlp" / name).read_text("utf-8").split("\n")):
            row = json.loads(line)
            sender = row["from"] or "a@b.example"
            if row.get("auto") or any(each in sender.lower() for each in MACHINES):
                continue
            subject = " ".join((row["subject"] or "").split())
            head = (
                f"From: {sender}\nTo: desk@firm.example\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n"
            )
            yield f"{head}\n{row['body'] or ''}".encode("utf-8", "replace")
