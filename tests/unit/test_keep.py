"""Housekeeping on a log of its own: cleared mails stay counted, of a forgotten person nothing is left, backups hold."""

from __future__ import annotations

import base64
import dataclasses
import fcntl
import json
import os
import quopri
import stat
import tarfile
from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlite_utils import Database

from tests.desk import ACME, NOW, decided, lay_out_site, mail, open_log
from triaged.decision import AskPerson, Decision, Notify, Outgoing, Planned, SendAck
from triaged.errors import Permanent
from triaged.loading import build_playbook
from triaged.log import backup, forget, keep, rights
from triaged.log.people import correct, put_accounts
from triaged.log.read import Reader
from triaged.log.rulesets import keep_rule_set
from triaged.log.store import Log, connect
from triaged.log.traces import needles, occurrences, traces
from triaged.model import Account, Address, Contact, Locator, Message, Raw
from triaged.playbook import Playbook
from triaged.wire import log_path, lookout_of
from triaged.worker.beats import Beats
from triaged.worker.lookout import KEEP, timers
from triaged.worker.timers import TimerSurroundings
from triaged.worker.writer import Writer
from triaged.written import Written

DAYS = {"request": 0, "complaint": 0, "renewal": 0, "other": 90, "quarantined": 30}
PEOPLE = ("ann.archer@acme.example", "jörg.köhler@bücher.example")
NAMES = {PEOPLE[0]: "Ann Archer", PEOPLE[1]: "Jörg Köhler"}

Case = tuple[Message, Decision]


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    return build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))


@pytest.fixture(scope="module")
def case(playbook: Playbook) -> Case:
    """A complaint with everything a decision may hold."""
    return decided(playbook, mail("I am very disappointed, the report is wrong again. This is unacceptable."))


def written(
    log: Log,
    case: Case,
    number: int,
    *,
    effects: tuple[Planned, ...] = (),
    chosen: tuple[str, ...] = (),
    **fields: Any,
) -> int:
    """One mail in the log, made from `case` with these fields; inside a transaction."""
    message, decision = case
    verdict = dataclasses.replace(decision.verdict, chosen=chosen)
    message = dataclasses.replace(message, key=f"{number:032x}", message_id=f"<m{number}@x.example>", **fields)
    decision = dataclasses.replace(decision, verdict=verdict, effects=effects, due=None, message_key=message.key)
    return log.record(message, decision, Locator("desk", "inbox", str(number)), now=NOW).row


def sent(to: str, octets: bytes) -> Outgoing:
    return Outgoing("", to, f"<{abs(hash((to, octets)))}@nordlicht.example>", octets)


def finish(log: Log, row: int, *, state: str = "done", detail: str = "") -> None:
    log.db.execute("UPDATE effect SET state = ?, detail = ? WHERE message = ?", (state, detail, row))


def index(log: Log) -> None:
    with log.transaction():
        while log.index_text(500) > 0:
            pass


def octets_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()).lower()


# --- retention ------------------------------------------------------------------------------------------------------


@pytest.fixture
def aged(log: Log, case: Case) -> Log:
    """Mails 1 to 7, all of one day, each with a word of its own: xylophone1, xylophone2 …"""
    ask = Planned(AskPerson("ask:5", "who is this?"), "person", NOW)
    with log.transaction():
        for number, chosen in enumerate(((), ("request",), ("billing", "request"), ("billing",)), 1):
            written(log, case, number, chosen=chosen, new_text=f"xylophone{number}")
        written(log, case, 5, new_text="xylophone5", effects=(ask,))
        row = written(log, case, 6, new_text="xylophone6")
        log.db.execute("UPDATE message SET due_at = ? WHERE id = ?", (2**50, row))
        raw = Raw(Locator("desk", "inbox", "7"), NOW, b"xylophone7 in octets", 20)
        finish(log, log.quarantine(raw, key="7" * 32, cause="xylophone7", now=NOW).row, state="dropped")
    index(log)
    return log


def whole(path: Path) -> set[int]:
    """Which of the words xylophoneN stand in the log's files, whatever the tables say."""
    found = octets_of(path.parent)
    return {number for number in range(1, 8) if b"xylophone%d" % number in found}


@pytest.mark.parametrize(
    ("days", "after_days", "left", "waiting"),
    [
        (DAYS, 89, {1, 2, 3, 4, 5, 6}, 0),
        (DAYS, 91, {2, 3, 4, 5, 6}, 2),
        (DAYS, 29, {1, 2, 3, 4, 5, 6, 7}, 0),
        ({**DAYS, "billing": 10}, 91, {2, 3, 5, 6}, 2),
        ({**DAYS, "billing": 10, "request": 95}, 91, {2, 3, 5, 6}, 2),
        ({**DAYS, "billing": 10, "request": 20}, 91, {5, 6}, 2),
        ({}, 9000, {1, 2, 3, 4, 5, 6, 7}, 0),
    ],
)
def test_texts_go_when_their_days_are_over(
    aged: Log, path: Path, days: dict[str, int], after_days: int, left: set[int], waiting: int
) -> None:
    now = NOW + timedelta(days=after_days)
    assert whole(path) == {1, 2, 3, 4, 5, 6, 7}
    foreseen = keep.ripe(path, days=days, now=now)
    done = keep.clear_ripe(path, transacted(aged), days=days, now=now)
    forget.rewrite(aged)
    assert whole(path) == left
    assert (done, done.waiting) == (foreseen, waiting)
    assert len(done.rows) == 7 - len(left)
    assert keep.ripe(path, days=days, now=now).rows == ()


def transacted(log: Log) -> keep.Write:
    def write(work: Any) -> Any:
        with log.transaction():
            return work(log)

    return write


def test_deleted_words_leave_the_files_without_a_rewrite(aged: Log, path: Path) -> None:
    """Retention runs hourly: secure_delete and the merged index do it, once the WAL is folded back."""
    keep.clear_ripe(path, transacted(aged), days=DAYS, now=NOW + timedelta(days=91))
    with aged.alone():
        aged.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert whole(path) == {2, 3, 4, 5, 6}


def test_what_is_counted_stays(log: Log, path: Path, case: Case) -> None:
    message, decision = case
    with log.transaction():
        row = log.record(message, decision, Locator("desk", "inbox", "1"), now=NOW).row
        finish(log, row, detail="250 OK for ann@acme.example")
        correct(log, row, categories=(), account_id=None, who="lena", now=NOW)
        log.event("bounce", "ann@acme.example is unknown", message=row, now=NOW)
        log.db.execute("UPDATE message SET due_at = NULL")
    index(log)
    with closing(Reader(path)) as reader:
        before, [line] = reader.counts(since_ms=0), reader.rows(limit=9)
        keep.clear_ripe(path, transacted(log), days={"other": 1}, now=NOW + timedelta(days=2))
        assert reader.counts(since_ms=0) == before
        [after] = reader.rows(limit=9)
        assert after == dataclasses.replace(line, sender="", subject=keep.REMOVED)
        assert after.reference != ""
        assert [effect.state for effect in reader.effects(row)] == ["done", "done", "done"]
        assert {effect.detail for effect in reader.effects(row)} == {""}
        events = {event.name: event.detail for event in reader.events(row)}
        assert events["triaged"] == ", ".join(decision.verdict.chosen)
        assert events["removed"] == "its days are over"
        assert events["bounce"] == ""
        bare = reader.decision(row)
        assert bare is not None
        assert (bare.verdict.scores, bare.verdict.chosen) == (decision.verdict.scores, decision.verdict.chosen)
        assert {each.words for each in bare.verdict.evidence} == {""}
        assert reader.message(row) is None
        assert reader.rows(limit=9, search="disappointed") == []
        assert log.db.execute("SELECT count(*) FROM correction").fetchone() == (1,)
    with log.transaction():
        again = log.record(message, decision, Locator("desk", "inbox", "2"), now=NOW)
    assert (again.row, again.copy) == (row, True)


def test_clearing_ends_when_told_and_goes_on_later(log: Log, path: Path, case: Case) -> None:
    with log.transaction():
        for number in range(250):
            written(log, case, number + 1)
    index(log)
    now = NOW + timedelta(days=91)
    keep.clear_ripe(path, transacted(log), days=DAYS, now=now, go_on=lambda count: False)
    assert len(keep.ripe(path, days=DAYS, now=now).rows) == 150
    keep.clear_ripe(path, transacted(log), days=DAYS, now=now)
    assert keep.ripe(path, days=DAYS, now=now).rows == ()
    log.db.execute("INSERT INTO message_fts (message_fts, rank) VALUES ('integrity-check', 1)")


def test_the_worker_clears_by_itself(tmp_path: Path, case: Case) -> None:
    """The job that its timer does, with the configuration's days, while its writer goes on."""
    config = lay_out_site(tmp_path / "site", changes={"other = 90": "other = 3"})
    path = log_path(config)
    log = open_log(path)
    with log.transaction():
        for number in range(1, 8):
            written(log, case, number)
    log.close()
    beats, stop = Beats(), Event()
    writer = Writer(path, beats=beats)
    writing = Thread(target=writer.run)
    writing.start()
    clock = {"now": NOW + timedelta(days=2)}
    told = lambda part, state, detail: None  # noqa: E731
    around = TimerSurroundings(path, writer, stop, beats, told, lambda: clock["now"])
    [job] = timers(lookout_of(config), around)[KEEP]
    assert job.every_s == 3600
    with closing(Reader(path)) as reader:
        job.work(reader)
        assert {row.subject for row in reader.rows(limit=9)} == {"Hello"}
        clock["now"] += timedelta(days=2)
        job.work(reader)
        assert {row.subject for row in reader.rows(limit=9)} == {keep.REMOVED}
    writer.close()
    writing.join()


# --- a person is forgotten ------------------------------------------------------------------------------------------


def note(number: int, address: str, encoding: str) -> bytes:
    """A mail of ours to a colleague that quotes an address, in a transfer encoding."""
    text = f"Grüße, bitte {address} anrufen, am besten heute noch.\r\n".encode()
    body = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}[encoding](text)
    head = f"Subject: note {number}\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + body


def in_many_roles(log: Log, case: Case, address: str, name: str, *, mails: int) -> None:
    """A log of many mails in which one person stands everywhere a person may stand."""
    local, domain = address.split("@")
    person, bob = Address(address, name), Address("bob@acme.example", "Bob Baker")
    joann = Address(f"jo{address}", f"Jo{name.lower()}")
    with log.transaction():
        put_accounts(
            log,
            [
                dataclasses.replace(ACME, contacts=(Contact(address, name), Contact(bob.addr_spec, bob.display_name))),
                Account("C-2", "Umbrella", addresses=(address,), domains=("umbrella.example",), manager="lena"),
            ],
        )
        for number in range(1, mails + 1):
            fields: dict[str, Any] = {"sender": bob, "subject": f"Order {number}", "new_text": f"My order {number}."}
            effects: tuple[Planned, ...] = ()
            match number % 20:
                case 0:
                    spelled = (address, address.upper(), f"{local}+news@{domain}")[number // 20 % 3]
                    fields |= {"sender": Address(spelled, name), "to": (bob,)}
                    fields |= {
                        "subject": f"The marmalade contract {number}",
                        "new_text": f"Zanzibarite{number} is mine.",
                    }
                    words = f"Dear {name}, we have your mail.\r\n".encode()
                    effects = (
                        Planned(SendAck(f"ack:{number}", "received", sent(address, words), "k" * 32), "owed", NOW),
                    )
                case 1:
                    fields |= {"to": (bob, person), "cc": (Address(address, "Annie"),)}
                case 2:
                    fields |= {"quoted": f"> On Monday {name} <{address}> wrote:\n> Hello\n", "text": f"ask {address}"}
                case 3:
                    last, first = name.split()[1], name.split()[0]
                    fields |= {"new_text": f"Please ask {last}, {first} ({address}), not {joann.addr_spec}."}
                case 4:
                    fields |= {"sender": joann, "reply_to": (Address(f"{address}.org"),)}
                case 5:
                    octets = note(number, address, ("base64", "quoted-printable")[number // 20 % 2])
                    effects = (
                        Planned(Notify(f"n:{number}", "lena", "why", sent("lena@x.example", octets)), "owed", NOW),
                    )
            row = written(log, case, number, effects=effects, **fields)
            finish(log, row, detail=f"refused: <{address}> is full" if number % 50 == 0 else "")
            if number % 100 == 7:
                log.event("bounce", f"550 {address.upper()} unknown", message=row, now=NOW)
        log.set_health("lane mail", "trouble", f"550 <{address}>", now=NOW)
        kept = Written.of({"rules/a.toml": f'unless.from = ["{address}"]'.encode()})
        keep_rule_set(log, kept, how="saved", who="eva", why="", now=NOW)
        log.db.execute("INSERT INTO bad_address VALUES ('k', 20, 0, ?)", (f"550 {address}",))
        for number, octets in enumerate((f"From: {address}\n\nhello".encode(), note(1, address, "base64"))):
            raw = Raw(Locator("desk", "inbox", f"q{number}"), NOW, octets, len(octets))
            log.quarantine(raw, key=f"q{number}" * 16, cause=f"it names {address}", now=NOW)
    index(log)


@pytest.mark.parametrize("address", PEOPLE)
def test_nothing_is_left_of_a_forgotten_person(log: Log, path: Path, case: Case, address: str) -> None:
    """2,000 mails; a plain address, and one that needs an IDN and letters beyond ASCII (Q12)."""
    in_many_roles(log, case, address, NAMES[address], mails=2000)
    held = forget.find(path, address, ours=["Lena Brandt"])
    counts = dict(held.counts)
    assert counts["mails they wrote"] == 100
    assert counts["mails of others that name them"] == 300 + 2
    assert counts["effects of mails of others"] > 100
    assert counts["contact entries"] == counts["addresses of accounts"] == 1
    assert counts["unread mails (their octets)"] == 2
    sampled = forget.samples(path, held.mails)
    assert len(sampled) >= 50
    before = forget.search(path, held, sampled)
    assert before.occurrences > 1500

    with log.transaction():  # they are in the WAL and in the index now; the search must say so
        log.db.execute("UPDATE meta SET value = value")
    forget.erase(log, held, now=NOW)
    after = forget.search(path, held, sampled)
    assert (after.occurrences, after.files) == (0, ())
    assert after.size_bytes > 1_000_000
    assert forget.remaining(path, held) == 0

    # The same by eye, with none of the search's own code: the one who is called alike is blotted out first.
    everything = (
        octets_of(path.parent).replace(f"jo{address}".encode().lower(), b"").replace(f"{address}.org".encode(), b"")
    )
    local, name = address.split("@")[0], NAMES[address]
    for sought in (address, f"{local}@xn--bcher-kva.example", f"{local}+news", "marmalade contract", "zanzibarite"):
        assert sought.encode().lower() not in everything, sought
    for sought in (address, name):
        encoded = base64.b64encode(b"   " + sought.encode() + b"   ")[4:-8].lower()
        assert encoded not in everything
    assert everything.count(name.lower().encode()) == everything.count(f"jo{name.lower()}".encode())


def test_what_is_of_others_stays_whole(log: Log, path: Path, case: Case) -> None:
    address = PEOPLE[0]
    in_many_roles(log, case, address, NAMES[address], mails=200)
    with closing(Reader(path)) as reader:
        lines, answered = reader.rows(limit=999), log.db.execute("SELECT * FROM answered").fetchall()
        assert len(answered) > 5
        held = forget.find(path, address)
        forget.erase(log, held, now=NOW)
        after = {line.id: line for line in reader.rows(limit=999)}
        untouched = [line for line in lines if after[line.id] == line]
        assert len(after) == len(lines)
        assert {line.id for line in lines} - {line.id for line in untouched} == {*held.mails, 201, 202}
        for line in lines:
            message, decision = reader.message(line.id), reader.decision(line.id)
            assert (message is None) == (line.id in held.mails or line.state == "quarantined")
            assert (decision is None) == (line.state == "quarantined")
        blotted = reader.message(3)
        assert blotted is not None
        assert blotted.new_text == "Please ask ███████████ (███████████████████████), not joann.archer@acme.example."
        named = reader.message(1)
        assert named is not None
        assert [each.addr_spec for each in named.to] == ["bob@acme.example", "█" * len(address)]
        assert [each.display_name for each in (*named.to, *named.cc)] == ["Bob Baker", "█" * 10, "█" * 5]
        assert [contact.addr_spec for account in reader.accounts() for contact in account.contacts] == [
            "bob@acme.example"
        ]
        assert log.db.execute("SELECT * FROM answered").fetchall() == answered
        assert reader.rows(limit=9, search="marmalade") == []
        assert len(reader.rows(limit=999, search="order")) > 150
    log.db.execute("INSERT INTO message_fts (message_fts, rank) VALUES ('integrity-check', 1)")
    with log.transaction():
        again = log.record(dataclasses.replace(case[0], key=f"{20:032x}"), case[1], Locator("desk", "a", "b"), now=NOW)
    assert again.copy


@pytest.mark.parametrize("spared", ["rewrite", "index"])
def test_the_search_notices_what_was_not_erased(
    log: Log, path: Path, case: Case, monkeypatch: pytest.MonkeyPatch, spared: str
) -> None:
    """The guard: without one of the steps the proof fails."""
    address = PEOPLE[0]
    in_many_roles(log, case, address, NAMES[address], mails=100)
    held = forget.find(path, address)
    sampled = forget.samples(path, held.mails)
    if spared == "rewrite":
        monkeypatch.setattr(forget, "rewrite", lambda log: None)
    else:
        monkeypatch.setattr(keep, "reindexed", lambda log, rows: nullcontext())
    forget.erase(log, held, now=NOW)
    after = forget.search(path, held, sampled)
    assert after.occurrences > (100 if spared == "rewrite" else 0)
    assert (len(after.files) > 0) is (spared == "rewrite")


def test_what_is_still_to_be_done_for_others_stays_and_is_told(log: Log, path: Path, case: Case) -> None:
    address = PEOPLE[0]
    octets = f"Subject: x\r\n\r\nAsk {address}.\r\n".encode()
    owed = Planned(Notify("n:1", "lena", "why", sent("lena@x.example", octets)), "owed", NOW)
    with log.transaction():
        written(log, case, 1, sender=Address("bob@acme.example"), effects=(owed,))
        row = written(
            log, case, 2, sender=Address(address), effects=(dataclasses.replace(owed, effect=AskPerson("a", "?")),)
        )
    held = forget.find(path, address)
    forget.erase(log, held, now=NOW)
    assert forget.remaining(path, held) == 1
    assert forget.search(path, held, ()).occurrences > 0
    with log.transaction():
        assert [effect.state for effect in Reader(path).effects(row)] == ["dropped"]
        claimed = log.claim("mail", now=NOW)
        assert claimed is not None
        assert isinstance(claimed.effect, Notify)
        assert claimed.effect.mail.octets == octets
        log.db.execute("UPDATE effect SET state = 'done'")
    forget.erase(log, forget.find(path, address), now=NOW)
    assert forget.remaining(path, held) == forget.search(path, held, ()).occurrences == 0


def test_a_mail_that_is_being_answered_waits(log: Log, path: Path, case: Case) -> None:
    ack = SendAck("ack:1", "received", sent(PEOPLE[0], b"Hello\r\n"))
    with log.transaction():
        written(log, case, 1, sender=Address(PEOPLE[0]), effects=(Planned(ack, "owed", NOW),))
        assert log.claim("mail", now=NOW) is not None
    held = forget.find(path, PEOPLE[0])
    forget.erase(log, held, now=NOW)
    assert forget.remaining(path, held) > 0
    assert len(forget.find(path, PEOPLE[0]).mails) == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("write to ann.archer@acme.example.", True),
        ("ANN.ARCHER@ACME.EXAMPLE", True),
        ("<mailto:ann.archer%40acme.example>", True),
        ("%3Cann.archer%40acme.example%3E", True),
        ("ann.archer&#64;acme.example", True),
        ("ann.archer+tag@acme.example", True),
        ("Ann\n  Archer", True),
        ("ARCHER, Ann", True),
        ("joann.archer@acme.example", False),
        ("x-ann.archer@acme.example", False),
        ("ann.archer@acme.example.org", False),
        ("ann.archer@acme.examples", False),
        ("Joann Archer", False),
        ("Ann Archers", False),
        ("Ann", False),
    ],
)
def test_who_is_meant(text: str, named: bool) -> None:
    person = traces(PEOPLE[0], ["Ann Archer"])
    assert person.in_text(text) is named
    assert person.in_json(json.dumps({"a": [text]})) is named
    assert person.in_mail(f"X: y\r\n\r\n{text}".encode()) is named
    assert person.in_mail(base64.encodebytes(f"Some text before. {text} And after it.".encode())) is named
    assert len(person.masked(text)) == len(text)
    assert (MARKED in person.masked(text)) is named


MARKED = "█"


def test_every_form_is_sought_in_octets(tmp_path: Path) -> None:
    file, seen = tmp_path / "octets", 0
    for word in (*PEOPLE, *NAMES.values()):
        wanted = needles([word])
        for form in (word, word.upper(), word.lower()):
            for place in range(3):
                for octets in (
                    form.encode(),
                    form.encode("utf-16-le"),
                    form.encode("utf-16-be"),
                    json.dumps(form).encode(),
                    base64.b64encode(b"x" * place + form.encode() + b"tail"),
                ):
                    file.write_bytes(os.urandom(place) + octets + b"\0")
                    assert sum(occurrences(file, wanted).values()) > 0, (form, octets)
                    seen += 1
        file.write_bytes(b"nothing of the kind")
        assert occurrences(file, wanted) == {}
    assert seen == 4 * 3 * 3 * 5


def test_occurrences_across_chunks_are_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triaged.log.traces.CHUNK_BYTES", 64)
    file = tmp_path / "octets"
    for shift in range(80):
        file.write_bytes(b"-" * shift + (b"ann@x.example joann@x.example ann@x.example.org " * 9))
        assert occurrences(file, [b"ann@x.example"]) == {b"ann@x.example": 27}
        hidden = occurrences(file, [b"ann@x.example"], but_not=[b"joann@x.example", b"ann@x.example.org"])
        assert hidden == {b"ann@x.example": 9}


def test_a_name_that_others_bear_stays(log: Log, path: Path, case: Case) -> None:
    with log.transaction():
        written(log, case, 1, sender=Address(PEOPLE[0], "Ann Archer"), new_text="the first")
        written(log, case, 2, sender=Address("ann@other.example", "Ann Archer"), new_text="the second")
    held = forget.find(path, PEOPLE[0])
    assert (held.shared, held.person.names) == (("Ann Archer",), ())
    forget.erase(log, held, now=NOW)
    assert forget.remaining(path, held) == 0
    with closing(Reader(path)) as reader:
        message = reader.message(2)
        assert message is not None
        assert message.sender == Address("ann@other.example", "Ann Archer")


def test_words_that_others_quote_stay_and_are_named(log: Log, path: Path, case: Case) -> None:
    text = "The quarterly figures of the orchard are wrong"
    with log.transaction():
        written(log, case, 1, sender=Address(PEOPLE[0]), new_text=text, subject="Hi")
        written(log, case, 2, sender=Address("bob@acme.example"), quoted=f"> {text}")
    held = forget.find(path, PEOPLE[0])
    sampled = forget.samples(path, held.mails)
    forget.erase(log, held, now=NOW)
    after = forget.search(path, held, sampled)
    assert after.occurrences == 0
    assert len(after.longer) > 0
    assert all(each in text for each in after.longer)


# --- backup and restore ---------------------------------------------------------------------------------------------


def quiet(words: str, share: float) -> None:
    assert words != ""
    assert 0.0 <= share <= 1.0


def backed_up(path: Path, file: Path) -> backup.Backup:
    secret = path.parent / "secret"
    if not secret.exists():
        secret.write_bytes(b"s" * 32)
    return backup.back_up(path, secret, file, made_by="0.3", now=NOW, progress=quiet)


@pytest.fixture
def filled(log: Log, case: Case) -> Log:
    """Five mails; effects owed, held, being done, done, and one that a person has."""
    with log.transaction():
        for number, state in enumerate(("owed", "held", "doing", "done", "person"), 1):
            effect = SendAck(f"ack:{number}", "received", sent("a@x.example", b"Hello %d\r\n" % number))
            finish(log, written(log, case, number, effects=(Planned(effect, "owed", NOW),)), state=state)
    return log


def test_a_backup_holds_the_log_as_it_was(filled: Log, path: Path, tmp_path: Path, case: Case) -> None:
    made = backed_up(path, tmp_path / "b.tar")
    assert (made.holds.mails, made.holds.newest) == (5, 5)
    assert stat.S_IMODE(made.file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".triaged-")] == []
    with filled.transaction():
        written(filled, case, 6)
    with tarfile.open(made.file) as tar:
        assert set(tar.getnames()) == {"manifest.json", "secret", "triaged.db"}
        assert {entry.mode for entry in tar.getmembers()} == {0o600}
        content = tar.extractfile("triaged.db")
        assert content is not None
        (tmp_path / "copy.db").write_bytes(content.read())
    copy = Database(str(tmp_path / "copy.db"))
    assert copy.execute("SELECT count(*) FROM message").fetchone() == (5,)
    copy.close()


def test_a_restore_says_nothing_twice(filled: Log, path: Path, tmp_path: Path, case: Case) -> None:
    made = backed_up(path, tmp_path / "b.tar")
    with filled.transaction():
        written(filled, case, 6)
    filled.close()
    later = NOW + timedelta(hours=3)
    done = backup.restore(made.file, path, path.parent / "secret", now=later, progress=quiet)
    assert (done.asked, done.cut_off, done.backup.holds) == (3, later + backup.CLOCK_MARGIN, made.holds)
    log = Log(path)
    states = [state for (state,) in log.db.execute("SELECT state FROM effect ORDER BY id")]
    assert states == ["person", "person", "person", "done", "person"]
    ack = SendAck("ack:7", "received", sent("a@x.example", b"Hi\r\n"), "c" * 32, "x.example")
    with log.transaction():
        for number, received in ((7, done.cut_off - timedelta(seconds=1)), (8, done.cut_off)):
            effect = dataclasses.replace(ack, key=f"ack:{number}", client_key=f"{number:032}")
            written(log, case, number, received=received, effects=(Planned(effect, "owed", later),))
    last = log.db.execute("SELECT state FROM effect ORDER BY id DESC LIMIT 2").fetchall()
    assert last == [("owed",), ("dropped",)]
    log.close()
    [aside] = [each for each in done.aside if each.name.endswith("Z")]
    old = connect(aside)
    assert old.execute("SELECT count(*) FROM message").fetchone() == (6,)
    old.close()
    filled.__init__(path)  # type: ignore[misc]  # for the fixture to close


def test_the_secret_comes_back(filled: Log, path: Path, tmp_path: Path) -> None:
    made = backed_up(path, tmp_path / "b.tar")
    secret = tmp_path / "elsewhere" / "secret"
    done = backup.restore(made.file, secret.parent / "triaged.db", secret, now=NOW, progress=quiet)
    assert secret.read_bytes() == b"s" * 32
    assert done.aside == ()
    secret.write_bytes(b"another")
    done = backup.restore(made.file, secret.parent / "triaged.db", secret, now=NOW, progress=quiet)
    assert secret.read_bytes() == b"s" * 32
    assert {each.read_bytes() for each in done.aside if each.name.startswith("secret")} == {b"another"}
    assert {stat.S_IMODE(each.stat().st_mode) for each in secret.parent.iterdir()} == {0o600}


class Killed(BaseException):
    """Nothing catches it, as nothing catches a kill."""


def test_a_restore_killed_at_any_step_leaves_the_old_log_or_the_new(
    filled: Log, path: Path, tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after each change in the folder; a second restore then succeeds."""
    file = backed_up(path, tmp_path / "b.tar").file
    with filled.transaction():
        written(filled, case, 6)
    filled.close()
    kept = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    ended, seen = False, set()
    for step in range(40):
        if ended:
            break
        for each in path.parent.iterdir():
            each.unlink()
        for name, octets in kept.items():
            (path.parent / name).write_bytes(octets)
        (path.parent / "secret").write_bytes(b"other")
        left = [step]

        def dying(change: Any, left: list[int]) -> Any:
            def changed(*arguments: Any, **named: Any) -> Any:
                if left[0] == 0:
                    raise Killed
                left[0] -= 1
                return change(*arguments, **named)

            return changed

        with monkeypatch.context() as patched:
            for place, name in ((Path, "replace"), (Path, "rename"), (Path, "chmod"), (os, "link"), (os, "fsync")):
                patched.setattr(place, name, dying(getattr(place, name), left))
            try:
                backup.restore(file, path, path.parent / "secret", now=NOW, progress=quiet)
                ended = True
            except Killed:
                pass
        seen.add(backup.check(path).mails)
        assert (path.parent / "secret").read_bytes() in (b"other", b"s" * 32)
        backup.restore(file, path, path.parent / "secret", now=NOW + timedelta(hours=1), progress=quiet)
        assert backup.check(path).mails == 5
        assert (path.parent / "secret").read_bytes() == b"s" * 32
    assert ended
    assert step > 5
    assert seen == {5, 6}
    filled.__init__(path)  # type: ignore[misc]


def spoiled(octets: bytes, at: float) -> bytes:
    place = int(len(octets) * at)
    return octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]


@pytest.mark.parametrize("at", [0.0, 0.05, 0.3, 0.6, 0.9])
def test_a_damaged_backup_is_refused_and_the_log_stays(filled: Log, path: Path, tmp_path: Path, at: float) -> None:
    file = backed_up(path, tmp_path / "b.tar").file
    file.write_bytes(spoiled(file.read_bytes(), at))
    filled.close()
    there = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    with pytest.raises(Permanent):
        backup.restore(file, path, path.parent / "secret", now=NOW, progress=quiet)
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == there
    filled.__init__(path)  # type: ignore[misc]


@pytest.mark.parametrize("octets", [b"", b"no tar", b"\0" * 20_000])
def test_what_is_no_backup_is_refused(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "b.tar").write_bytes(octets)
    with pytest.raises(Permanent, match="no backup of triaged"):
        backup.restore(tmp_path / "b.tar", tmp_path / "s/triaged.db", tmp_path / "s/secret", now=NOW, progress=quiet)
    assert not (tmp_path / "s/triaged.db").exists()


def test_a_log_of_a_later_version_is_refused(log: Log, path: Path, tmp_path: Path) -> None:
    with log.transaction():
        log.db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('triaged', 'm999_x', '')"
        )
    with pytest.raises(Permanent, match="run that version"):
        Log(path)
    with pytest.raises(Permanent, match="later version"):
        backed_up(path, tmp_path / "b.tar")
    with log.transaction():
        log.db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm999_x'")
    Log(path).close()


# --- rights ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_files_are_private_whatever_the_umask(path: Path, case: Case) -> None:
    path.parent.mkdir(mode=0o777)
    log = open_log(path)
    with log.transaction():
        written(log, case, 1)
        seen = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert {"triaged.db", "triaged.db-wal", "triaged.db-shm", "triaged.db.lock"} == set(seen)
    assert set(seen.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    log.close()


@pytest.mark.usefixtures("open_umask")
def test_rights_that_were_wrong_are_named_and_put_right(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    for name in ("triaged.db", "secret", "worker.lock", "notes.txt"):
        (path.parent / name).touch(mode=0o664)
    named = {Path(problem.where).name: problem.what for problem in rights.open_to_others(path.parent)}
    assert set(named) == {"state", "triaged.db", "secret", "worker.lock"}
    assert named["secret"].endswith(f"type: chmod 0600 {path.parent / 'secret'}")
    rights.make_private(path.parent)
    assert list(rights.open_to_others(path.parent)) == []
    assert stat.S_IMODE((path.parent / "notes.txt").stat().st_mode) == 0o664  # not ours


def test_the_lock_of_a_log_is_honoured_while_it_is_rewritten(log: Log, path: Path) -> None:
    with log.alone(), (path.parent / "triaged.db.lock").open("w") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
