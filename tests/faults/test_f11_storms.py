"""F11: storms of mail and two desks that face each other: at most one answer a person, few in all, then the breaker."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import count
from pathlib import Path

from tests.crash.nursery import Nursery, running_nursery
from tests.crash.sites import FILED, Site, all_maildir, message_id, pattern_site
from tests.e2e.site import wait_for
from tests.faults.ground import Ground
from triaged.log.limits import ECHOES, Caps
from triaged.log.people import put_accounts
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Account

CAPS = Caps()
"""As they are when nobody sets them."""
FIRMS = 300
"""Clients of ours whose names somebody forges."""

_numbers = count()


@dataclass(frozen=True, slots=True)
class Stormed:
    """What became of a storm. answered: answers that left, by recipient; breaker: why it is open, "" if it is not."""

    mails: int
    answered: Counter[str]
    held: int
    breaker: str


def mail_of(
    sender: str, number: int, *, subject: str = "The lamp", more: str = "", to: str = "desk@harbour.example"
) -> bytes:
    return (
        f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: {format_datetime(datetime.now(UTC))}\r\n"
        f"Message-ID: <{number}.{next(_numbers)}@elsewhere.example>\r\n{more}\r\nThe lamp {number} flickers.\r\n"
    ).encode()


def auto_replies(number: int) -> Iterable[bytes]:
    """One peer's machine, in turns well marked, marked by its subject alone, and not at all."""
    for each in range(number):
        match each % 3:
            case 0:
                yield mail_of("ben@oak.example", each, more="Auto-Submitted: auto-replied\r\n")
            case 1:
                yield mail_of("ben@oak.example", each, subject="Automatic reply: your mail")
            case _:
                yield mail_of("ben@oak.example", each)


def forged(number: int) -> Iterable[bytes]:
    return (mail_of(f"n{each}@firm{each % FIRMS}.example", each) for each in range(number))


def plus_addresses(number: int) -> Iterable[bytes]:
    return (mail_of(f"Ben+{each}@oak.example", each) for each in range(number))


def storm(nursery: Nursery, pattern: Path, folder: Path, mails: Iterable[bytes]) -> Stormed:
    """All of them lie there at once."""
    name = f"t{next(_numbers)}"
    site = all_maildir(pattern)(folder / name, name)
    config = (site.folder / "config.toml").read_text()
    (site.folder / "config.toml").write_text(config.replace(f'file_into = "{FILED}"\n', ""))
    _know(site, [f"firm{each}.example" for each in range(FIRMS)])
    for path in (site.folder / "mail/inbox/new").iterdir():
        path.unlink()
    number = 0
    for number, octets in enumerate(mails, 1):
        _drop(site, octets, number)
    with nursery.staying(site.folder):
        wait_for(lambda: _located(site) >= number, "a row for every mail", timeout_s=1500)
        wait_for(lambda: _due(site) == 0, "the end of all work", timeout_s=300)
    with closing(Reader(site.log)) as reader:
        held = reader.held_back()
        return Stormed(number, Counter(_recipient(octets) for octets in site.sent()), len(held), reader.breaker().why)


def _know(site: Site, domains: Iterable[str]) -> None:
    log = Log(site.log)
    with log.transaction():
        put_accounts(
            log,
            (Account(f"F-{domain}", domain, (domain,), manager="lena", timezone="Europe/Berlin") for domain in domains),
        )
    log.close()


def _drop(site: Site, octets: bytes, number: int) -> None:
    draft = site.folder / f"mail/inbox/tmp/{number}.mail"
    draft.write_bytes(octets)
    draft.rename(site.folder / f"mail/inbox/new/{number}.mail")


def _one(site: Site, sql: str) -> int:
    with closing(sqlite3.connect(site.log)) as log:
        return int(log.execute(sql).fetchone()[0])


def _located(site: Site) -> int:
    return _one(site, "SELECT count(*) FROM locator")


def _due(site: Site) -> int:
    """What is owed now; what was put off until there is room again is not."""
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    sql = "SELECT count(*) FROM effect WHERE state = 'doing' OR state = 'owed' AND not_before_at < "
    return _one(site, sql + str(now_ms))


def _recipient(octets: bytes) -> str:
    found = re.search(rb"^To:.*?([^\s<>]+@[^\s<>]+)", octets, re.MULTILINE)
    assert found is not None
    return re.sub(r"\+[^@]*", "", found[1].decode().lower())


def told(name: str, found: Stormed) -> None:
    clients = {who: times for who, times in found.answered.items() if not who.endswith("@harbour.example")}
    most, total = max(clients.values(), default=0), sum(clients.values())
    breaker = f"open ({found.breaker})" if found.breaker else "closed"
    print(  # noqa: T201 - the trial's one line
        f"F11 {name}: {found.mails:,} mails, {total} answers, at most {most} a person, {found.held} held, "
        f"breaker {breaker}"
    )
    assert most <= 1
    assert total <= CAPS.per_hour


def storms(nursery: Nursery, pattern: Path, folder: Path, *, many: int, plus: int) -> None:
    replies = storm(nursery, pattern, folder, auto_replies(many))
    told("auto-replies of one peer", replies)
    variants = storm(nursery, pattern, folder, plus_addresses(plus))
    told("plus-address variants", variants)
    assert sum(variants.answered.values()) == 1, "one is a person all the same"
    forgers = storm(nursery, pattern, folder, forged(many))
    told("forged senders", forgers)
    assert forgers.breaker != ""
    assert forgers.held > 0


Carrier = Callable[[bytes, str], bytes]
"""A mail and the desk it goes to → the mail as it arrives."""


def face_each_other(
    nursery: Nursery, pattern: Path, folder: Path, *, carrier: Carrier, window_h: int = 24
) -> dict[str, int]:
    """Two desks, each a client of the other; how many answers each sent."""
    places = {}
    for here, there in (("harbour", "mooring"), ("mooring", "harbour")):
        name = f"{here}{next(_numbers)}"
        site = all_maildir(pattern)(folder / name, name)
        for path in (site.folder / "mail/inbox/new").iterdir():
            path.unlink()
        config = (site.folder / "config.toml").read_text()
        limits = f"\n[limits]\nwindow_h = {window_h}\n"
        (site.folder / "config.toml").write_text(config.replace("harbour.example", f"{here}.example") + limits)
        _know(site, [f"{there}.example"])
        places[here] = site
    carried: dict[str, set[str]] = {name: set() for name in places}
    _drop(places["harbour"], mail_of("desk@mooring.example", 1), 1)
    with nursery.staying(places["harbour"].folder), nursery.staying(places["mooring"].folder):

        def quiet() -> bool:
            if _carry(places, carried, carrier) > 0:
                return False
            expected = {"harbour": 1 + len(carried["mooring"]), "mooring": len(carried["harbour"])}
            return all(_located(site) >= expected[name] and _due(site) == 0 for name, site in places.items())

        for _ in range(3):  # and stays so
            wait_for(quiet, "both are quiet", timeout_s=60)
            threading.Event().wait(1)
    return {name: len(sent) for name, sent in carried.items()}


def _carry(places: dict[str, Site], carried: dict[str, set[str]], carrier: Carrier) -> int:
    """What each desk sent to the other one goes there; how many."""
    number = 0
    for here, there in (("harbour", "mooring"), ("mooring", "harbour")):
        for octets in places[here].sent():
            name = message_id(octets)
            if _recipient(octets) != f"desk@{there}.example" or name in carried[here]:
                continue
            carried[here].add(name)
            number += 1
            _drop(places[there], carrier(octets, there), 100 + len(carried[here]))
    return number


def honest(octets: bytes, _: str) -> bytes:
    return octets


def drops_marks(octets: bytes, _: str) -> bytes:
    """As a server does that takes the mail apart and keeps what it knows (an EWS server, our measurement)."""
    kept, marks = re.subn(rb"(?im)^(?:Auto-Submitted|X-[A-Za-z-]+):.*\r?\n(?:[ \t].*\r?\n)*", b"", octets)
    assert marks >= 2
    return kept


def drops_all(octets: bytes, to: str) -> bytes:
    """Another Message-ID, no references; sender, subject and nothing else stay."""
    subject = re.search(rb"^Subject: (.*)", octets, re.MULTILINE)
    assert subject is not None
    sender = "mooring" if to == "harbour" else "harbour"
    return mail_of(f"desk@{sender}.example", 0, subject=subject[1].decode().strip(), to=f"desk@{to}.example")


def pairs(nursery: Nursery, pattern: Path, folder: Path) -> None:
    """most: answers of one desk, at most. The first mail is one of a client, so the first desk always sends one."""
    trials: tuple[tuple[Carrier, int, int], ...] = (
        (honest, 24, 1),
        (drops_marks, 24, 1),
        (drops_all, 24, 1),
        (honest, 0, 1),
        (drops_marks, 0, ECHOES),
        (drops_all, 0, CAPS.domain_per_hour),
    )
    for carrier, window_h, most in trials:
        sent = face_each_other(nursery, pattern, folder, carrier=carrier, window_h=window_h)
        way = f"over a carrier that is {carrier.__name__}, one answer in {window_h} h"
        print(f"F11 two desks {way}: {sent['harbour']} and {sent['mooring']} answers, then silence")  # noqa: T201
        assert 1 <= sent["harbour"] <= most
        assert sent["mooring"] <= most
        assert (sent["mooring"] == 0) == (carrier is honest), "what is not marked is answered, else nothing was tried"


def test_storms(ground: Ground, tmp_path: Path) -> None:
    storms(ground.nursery, ground.pattern, tmp_path, many=300, plus=50)


def test_two_desks_that_face_each_other(ground: Ground, tmp_path: Path) -> None:
    pairs(ground.nursery, ground.pattern, tmp_path)


def long_run(folder: Path) -> None:
    """10,000 auto-replies, 10,000 forged senders, 1,000 plus-address variants."""
    pattern = folder / "pattern"
    pattern_site(pattern)
    with running_nursery(pattern / "config.toml", folder / "nursery.log") as nursery:
        storms(nursery, pattern, folder, many=10_000, plus=1_000)
        pairs(nursery, pattern, folder)
