"""Taking back what a rule did: each aspect both ways, what people said stays, in pieces, and back again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.desk import ACME, NOW, background, lay_out_site, mail, open_log
from tests.doubles.crossing import nothing
from tests.doubles.mailbox import MemoryMailbox
from triaged.apology import draft
from triaged.backends.maildir import MaildirMailbox
from triaged.classify.model import Model
from triaged.cli import app
from triaged.cli.common import moment_of
from triaged.decide import decide
from triaged.decision import Outcome
from triaged.loading import assembled
from triaged.log import forget, keep
from triaged.log import undo as logged
from triaged.log.mailboxes import observe, observed_mails
from triaged.log.people import correct, put_accounts, settle
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.mail.parse import parse
from triaged.model import Locator, Raw
from triaged.playbook import Playbook
from triaged.ports import keys_after
from triaged.replay import without
from triaged.rules.grammar import Then, parse_send
from triaged.rules.load import rule_set
from triaged.rules.named import rule_named
from triaged.settings import Config
from triaged.undo import Doings, Plan, change_of, counted, doings
from triaged.wire import log_path
from triaged.worker.perform import FilingLane
from triaged.worker.triage import keep_loaded, loaded_of

RULES = """
[[rule]]
name = "Billing"
when.says = "invoice"
then.suggests = { billing = 0.97 }

[[rule]]
name = "Red flag"
when.says = "red flag"
then.priority = "urgent"
then.tag = "red"
then.file = "Urgent"
then.assign = "marek"
then.acknowledge = "complaint"
then.send = "auto"
then.notify = ["lena"]

[[rule]]
name = "Red tape"
when.says = "red tape"
then.call = { with = "lena", within = "2 business days", minutes = 30 }
then.send = "auto"

[[rule]]
name = "No answer"
when.says = "for your records"
then.acknowledge = "none"
then.stop = true

[[rule]]
name = "Everybody else"
when.account = "*"
then.priority = "low"
then.tag = "client"
then.acknowledge = "received"
then.send = "auto"
"""
RED = "Look at this red flag in the warehouse, please."
PLAIN = "The door of the warehouse is open."
OLD = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    made = lay_out_site(tmp_path_factory.mktemp("site"))
    ruled(made, RULES)
    return made


def ruled(config: Config, rules: str) -> None:
    """These rules alone in the site's folder."""
    folder = config.path(config.service.rules_dir)
    for file in folder.glob("*.toml"):
        file.unlink()
    (folder / "own.toml").write_text(rules, encoding="utf-8")


@pytest.fixture(scope="module")
def model(config: Config) -> Model:
    return assembled(config).model


@pytest.fixture(scope="module")
def playbook(config: Config, model: Model) -> Playbook:
    return assembled(config, model=model)


@pytest.fixture
def log(path: Path) -> Iterator[Log]:
    opened = open_log(path)
    with opened.transaction():
        put_accounts(opened, (ACME,))
    yield opened
    opened.close()


def record(log: Log, playbook: Playbook, octets: bytes, number: int = 1) -> int:
    """Decided and written down, as the worker does."""
    given = Raw(Locator("desk", "inbox", str(number)), NOW, octets, len(octets))
    message = parse(given, border=playbook.border)
    known = background(playbook, message)
    decision = decide(message, locator=given.locator, playbook=playbook, background=known, now=NOW)
    with log.transaction():
        return log.record(message, decision, given.locator, now=NOW, background=known).row


def sender(number: int) -> str:
    """Each another person, so that the window of one answer a person holds nobody back."""
    return f"Ann Archer <ann{number}@acme.example>"


def looked(reader: Reader, playbook: Playbook, rule: str = "Red flag", *, since: datetime = OLD) -> Doings:
    return doings(reader, rule, since=since, playbook_of=lambda *_: playbook, progress=lambda done, total: None)


def the_plan(reader: Reader, playbook: Playbook, rule: str = "Red flag") -> Plan:
    [made] = looked(reader, playbook, rule).plans
    return made


def take_back(
    log: Log,
    reader: Reader,
    playbook: Playbook,
    rule: str = "Red flag",
    *,
    go_on: Callable[[int], bool] = lambda count: True,
) -> tuple[int, int]:
    found = looked(reader, playbook, rule)
    changes = [(each.case.row, change_of(each.case)) for each in found.plans]
    return logged.take_all_back(
        log, changes, rule=rule, since=OLD, who="eva", words=counted(found.plans), now=NOW, go_on=go_on
    )


def back(log: Log, reader: Reader, undo: int) -> dict[int, str]:
    rows = [row for row, _ in logged.items(reader, undo)]
    return logged.bring_all_back(log, undo, rows, who="eva", now=NOW)


def states(reader: Reader, row: int) -> list[tuple[str, str]]:
    return [(each.kind, each.state) for each in reader.effects(row)]


def do(log: Log, lane: str, detail: str = "250 ok") -> None:
    """All that a lane owes is done."""
    while True:
        with log.transaction():
            claimed = log.claim(lane, now=NOW + timedelta(days=1))
            if claimed is None:
                return
            log.finish(claimed, Outcome(detail), now=NOW)


# --- each aspect ----------------------------------------------------------------------------------------------------


def test_a_playbook_without_a_rule_differs_by_that_rule_only(playbook: Playbook) -> None:
    bare = without(playbook, "Red flag")
    assert [rule.name for rule in bare.rules.rules] == [
        rule.name for rule in playbook.rules.rules if rule.name != "Red flag"
    ]
    assert "billing" in bare.rules.categories
    assert "billing" not in without(playbook, "Billing").rules.categories
    assert without(playbook) == playbook


def test_a_category_is_taken_back(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail("Please send the invoice again."))
    assert "billing" in reader.row(row).categories  # type: ignore[union-attr]
    rules_id = reader.decision(row).verdict.rules_id  # type: ignore[union-attr]
    take_back(log, reader, playbook, "Billing")
    assert "billing" not in reader.row(row).categories  # type: ignore[union-attr]
    after = reader.decision(row)
    assert after is not None
    assert "billing" not in after.verdict.chosen
    assert after.verdict.rules_id == rules_id
    assert all(rule.name != "Billing" for rule in after.rules)
    assert reader.background(row) is not None
    assert log.db.execute("SELECT count(*) FROM decision WHERE message = ?", (row,)).fetchone() == (2,)


def test_priority_due_person_and_tags_are_taken_back(log: Log, reader: Reader, playbook: Playbook) -> None:
    red = record(log, playbook, mail(RED))
    plain = record(log, playbook, mail(PLAIN, sender=sender(2), number=2), 2)
    before = reader.row(red)
    assert before is not None
    assert (before.priority, before.assigned) == ("urgent", "marek")
    take_back(log, reader, playbook)
    after, beside = reader.row(red), reader.row(plain)
    assert after is not None
    assert beside is not None
    assert (after.priority, after.assigned) == (beside.priority, "") == ("low", "")
    assert after.due is None or before.due is None or after.due > before.due
    assert reader.decision(red).tags == ("client",)  # type: ignore[union-attr]
    assert (reader.decision(plain), len(logged.items(reader, 1))) == (reader.decision(plain), 1)
    assert [event.name for event in reader.events(plain)] == ["triaged"]
    [event] = [event for event in reader.events(red) if event.name == "undone"]
    assert "priority urgent → low" in event.detail
    assert "tags red, client → client" in event.detail


def test_what_was_not_begun_is_dropped_and_what_would_have_been_is_held(
    log: Log, reader: Reader, playbook: Playbook
) -> None:
    row = record(log, playbook, mail(RED))
    assert states(reader, row) == [("ack", "owed"), ("notify", "owed"), ("file", "owed")]
    take_back(log, reader, playbook)
    assert states(reader, row) == [("ack", "dropped"), ("notify", "dropped"), ("file", "dropped"), ("ack", "held")]
    first, *_, second = reader.effects(row)
    assert (first.payload["template"], second.payload["template"]) == ("complaint", "received")
    assert "planned by undo 1" in second.detail
    # What is dropped counts no more against the limits; what is planned does.
    counting = [effect for (effect,) in log.db.execute("SELECT effect FROM answered")]
    assert counting == [second.id]
    with log.transaction():
        assert [log.claim(lane, now=NOW + timedelta(days=9)) for lane in ("mail", "mailbox:desk")] == [None, None]
        assert settle(log, row, approve=True, who="eva", now=NOW) == 1
        claimed = log.claim("mail", now=NOW)
    assert claimed is not None
    assert claimed.row == second.id


def test_an_answer_that_a_rule_kept_back_is_planned_for_a_person(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail("This is for your records."))
    assert states(reader, row) == []
    take_back(log, reader, playbook, "No answer")
    assert states(reader, row) == [("ack", "held")]


def test_in_an_observed_mailbox_nothing_is_held(log: Log, reader: Reader, playbook: Playbook) -> None:
    with log.transaction():
        observe(log, "desk", who="test", now=NOW)
    row = record(log, playbook, mail(RED))
    assert {state for _, state in states(reader, row)} == {"observed"}
    take_back(log, reader, playbook)
    assert states(reader, row)[-1] == ("ack", "observed")
    assert {state for _, state in states(reader, row)[:-1]} == {"dropped"}
    [seen] = observed_mails(reader, "desk", since=OLD)  # or it would never be let go
    assert [wish.kind for wish in seen.wishes] == ["ack"]


def test_what_was_sent_stays_sent_and_is_named(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail(RED))
    do(log, "mail")
    made = the_plan(reader, playbook)
    told = [(each.kind, each.to, each.when) for each in made.sent]
    assert told == [("ack", "ann@acme.example", NOW), ("notify", "lena.brandt@nordlicht.example", NOW)]
    assert made.sent[0].subject != ""
    assert "2 mails were sent and stay sent" in counted([made])
    take_back(log, reader, playbook)
    assert [each for each in states(reader, row) if each[0] in ("ack", "notify")] == [
        ("ack", "done"),
        ("notify", "done"),
    ]
    apology = draft(made.case, made.sent[0], now=NOW)
    assert apology.octets.startswith(b"X-Unsent: 1\r\n")
    assert b"Auto-Submitted" not in apology.octets
    assert b"Message-ID" not in apology.octets
    assert b"To: Ann Archer <ann@acme.example>\r\n" in apology.octets
    assert made.sent[0].subject in apology.text
    assert draft(made.case, made.sent[1], now=NOW).to == "lena.brandt@nordlicht.example"


def test_a_booked_call_is_named_for_the_calendar(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail("So much red tape again."))
    assert ("call", "owed") in states(reader, row)
    do(log, "calendar:lena", "booked Wednesday, 18 November 2026, 10:00 (Europe/Berlin)")
    [call] = [each for each in the_plan(reader, playbook, "Red tape").sent if each.kind == "call"]
    assert (call.person, call.to, call.detail) == (
        "lena",
        "ann@acme.example",
        "Wednesday, 18 November 2026, 10:00 (Europe/Berlin)",
    )
    assert call.uid.endswith("nordlicht.example")
    assert "1 call in the calendar" in counted([the_plan(reader, playbook, "Red tape")])


def test_a_rule_that_made_no_difference_changes_nothing(log: Log, reader: Reader, playbook: Playbook) -> None:
    record(log, playbook, mail(PLAIN))
    assert looked(reader, playbook, "Red flag").fired == 0
    found = looked(reader, without(playbook, "Red flag"), "Everybody else", since=NOW + timedelta(hours=1))
    assert (found.fired, found.plans) == (0, ())
    assert looked(reader, playbook, "Everybody else", since=NOW).fired == 1


@pytest.mark.parametrize(("hasty", "careful"), [("auto", "approve"), ("auto", "hold 60m"), ("hold 5m", "hold 60m")])
def test_what_would_leave_sooner_by_the_rule_is_held(
    log: Log, reader: Reader, playbook: Playbook, hasty: str, careful: str
) -> None:
    thens = {"Red flag": Then(send=parse_send(hasty)), "Everybody else": Then(acknowledge="received")}
    rules = [dataclasses.replace(rule, then=thens[rule.name]) for rule in playbook.rules.rules if rule.name in thens]
    by_these = dataclasses.replace(playbook, rules=rule_set(rules, {}), send=parse_send(careful))
    row = record(log, by_these, mail(RED))
    assert states(reader, row) == [("ack", "owed")]
    take_back(log, reader, by_these)
    assert states(reader, row) == [("ack", "dropped"), ("ack", "held")]


def test_what_leaves_later_by_the_rule_is_left_alone(log: Log, reader: Reader, playbook: Playbook) -> None:
    thens = {"Red flag": Then(send=parse_send("approve")), "Everybody else": Then(acknowledge="received")}
    rules = [dataclasses.replace(rule, then=thens[rule.name]) for rule in playbook.rules.rules if rule.name in thens]
    record(
        log, by_these := dataclasses.replace(playbook, rules=rule_set(rules, {}), send=parse_send("auto")), mail(RED)
    )
    assert looked(reader, by_these).plans == ()


def test_a_colleague_who_would_have_heard_all_the_same_hears_now(log: Log, reader: Reader, playbook: Playbook) -> None:
    thens = {"Red flag": Then(priority="urgent"), "Everybody else": Then(notify=("lena",), priority="low")}
    rules = [dataclasses.replace(rule, then=thens[rule.name]) for rule in playbook.rules.rules if rule.name in thens]
    by_these = dataclasses.replace(playbook, rules=rule_set(rules, {}))
    row = record(log, by_these, mail(RED))
    assert states(reader, row) == [("notify", "owed")]
    made = the_plan(reader, by_these)
    assert {each.effect for each in made.case.again.effects} != {each.effect for each in made.case.without.effects}
    assert "priority" in made.aspects
    take_back(log, reader, by_these)
    assert states(reader, row) == [("notify", "owed")]


def test_a_draft_is_in_the_readers_language_and_needs_no_template_of_the_site(
    log: Log, reader: Reader, playbook: Playbook
) -> None:
    record(log, playbook, mail(RED))
    do(log, "mail")
    made = the_plan(reader, playbook)
    bodies = {stem: body for stem, body in playbook.templates.bodies.items() if not stem.startswith("correction")}
    assert len(bodies) < len(playbook.templates.bodies)
    bare = dataclasses.replace(playbook, templates=dataclasses.replace(playbook.templates, bodies=bodies))
    assert draft(dataclasses.replace(made.case, playbook=bare), made.sent[0], now=NOW) == draft(
        made.case, made.sent[0], now=NOW
    )
    account = dataclasses.replace(ACME, language="de")
    german = dataclasses.replace(made.case, background=dataclasses.replace(made.case.background, account=account))
    assert "Bitte entschuldigen Sie" in draft(german, made.sent[0], now=NOW).text
    assert "entschuldigen" not in draft(german, made.sent[1], now=NOW).text  # to a colleague


# --- what people said stays -----------------------------------------------------------------------------------------


def test_a_persons_correction_stays_and_is_named(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail("Please send the invoice again."))
    with log.transaction():
        correct(log, row, categories=("request", "billing"), account_id=None, who="eva", now=NOW)
    made = the_plan(reader, playbook, "Billing")
    assert "category" not in made.aspects
    assert made.stays == ("the category stays request, billing: a person said so",)
    take_back(log, reader, playbook, "Billing")
    assert reader.row(row).categories == ("request", "billing")  # type: ignore[union-attr]


def test_what_a_person_confirmed_stays(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail("Please send the invoice again."))
    was = reader.row(row)
    with log.transaction():
        correct(log, row, categories=None, account_id=None, who="eva", now=NOW, right=True)
    take_back(log, reader, playbook, "Billing")
    assert reader.row(row).categories == was.categories  # type: ignore[union-attr]


def test_what_was_changed_since_stays(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail(RED))
    with log.transaction():
        log.db.execute("UPDATE message SET priority = 'high' WHERE id = ?", (row,))
    made = the_plan(reader, playbook)
    assert "the priority stays high: it was changed since the decision" in made.stays
    assert "person in charge" in made.aspects
    take_back(log, reader, playbook)
    assert (reader.row(row).priority, reader.row(row).assigned) == ("high", "")  # type: ignore[union-attr]


def test_what_a_person_dropped_stays_dropped(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail(RED))
    with log.transaction():
        log.db.execute("UPDATE effect SET state = 'dropped', detail = 'by eva'")
    take_back(log, reader, playbook)
    assert states(reader, row) == [("ack", "dropped"), ("notify", "dropped"), ("file", "dropped")]


def test_what_is_being_done_is_left_alone_until_it_is_done(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail(RED))
    with log.transaction():
        claimed = log.claim("mailbox:desk", now=NOW)
        assert claimed is not None
    made = the_plan(reader, playbook)
    assert made.stays == ("the move to a folder is being done this moment; run this again",)
    assert not made.changes
    assert take_back(log, reader, playbook)[1] == 0
    with log.transaction():  # the server was away, and it is owed again
        log.put_off(claimed, until=NOW, why="busy", now=NOW)
    assert take_back(log, reader, playbook)[1] == 1
    assert ("file", "owed") not in states(reader, row)
    assert ("ack", "owed") not in states(reader, row)


def test_a_decision_that_comes_out_otherwise_today_is_not_guessed(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail(RED))
    today = dataclasses.replace(playbook, due={**playbook.due, "urgent": playbook.due["normal"]})
    made = the_plan(reader, today)
    if reader.row(row).due is not None:  # type: ignore[union-attr]
        assert any(each.startswith("the due time stays") and "cannot be told" in each for each in made.stays)
    assert "priority" in made.aspects


# --- folders --------------------------------------------------------------------------------------------------------


def maildir(folder: Path) -> Path:
    for part in ("cur", "new", "tmp"):
        (folder / "inbox" / part).mkdir(parents=True)
    return folder / "inbox"


def perform(log: Log, service: FilingLane) -> list[str]:
    """What the lane of the mailbox does, in words."""
    told = []
    service.connect()
    while True:
        with log.transaction():
            claimed = log.claim("mailbox:desk", now=NOW + timedelta(days=1))
        if claimed is None:
            return told
        outcome = service.perform(claimed.effect, nothing)
        told.append(outcome.detail)
        with log.transaction():
            log.finish(claimed, outcome, now=NOW)


def test_a_mail_that_was_filed_is_moved_back_and_away_again(
    log: Log, reader: Reader, playbook: Playbook, tmp_path: Path
) -> None:
    inbox = maildir(tmp_path)
    (inbox / "new" / "1").write_bytes(mail(RED))
    mailbox = MaildirMailbox("desk", inbox, max_message_bytes=1_000_000)
    service = FilingLane(MaildirMailbox("desk", inbox, max_message_bytes=1_000_000))
    row = record(log, playbook, mail(RED))
    assert perform(log, service) == ["moved to Urgent"]
    assert keys_after(mailbox, None) == ()
    undo, changed = take_back(log, reader, playbook)
    assert changed == 1
    assert perform(log, service) == ["moved to inbox"]
    assert keys_after(mailbox, None) == ("1",)
    assert reader.unlogged("desk", "inbox", keys_after(mailbox, None)) == []  # nothing is read or answered again
    assert perform(log, service) == []
    assert back(log, reader, undo) == {row: ""}
    assert perform(log, service) == ["moved to Urgent"]
    assert keys_after(mailbox, None) == ()


def test_a_mail_moved_back_is_seen_as_a_copy_and_not_answered_again(
    log: Log, reader: Reader, playbook: Playbook
) -> None:
    mailbox = MemoryMailbox(folder="inbox")
    octets = mail(RED)
    key = mailbox.deliver(octets, received=NOW)
    [given] = mailbox.fetch([key])
    message = parse(given, border=playbook.border)
    known = background(playbook, message)
    decision = decide(message, locator=given.locator, playbook=playbook, background=known, now=NOW)
    with log.transaction():
        row = log.record(message, decision, given.locator, now=NOW, background=known).row
    assert perform(log, FilingLane(mailbox)) == ["moved to Urgent"]
    take_back(log, reader, playbook)
    assert perform(log, FilingLane(mailbox)) == ["moved to inbox"]
    [again] = keys_after(mailbox, key)
    assert reader.unlogged("desk", "inbox", [again]) == [again]
    [given] = mailbox.fetch([again])
    count = len(reader.effects(row))
    with log.transaction():
        recorded = log.record(parse(given, border=playbook.border), decision, given.locator, now=NOW, background=known)
    assert (recorded.row, recorded.copy) == (row, True)
    assert len(reader.effects(row)) == count
    assert reader.events(row)[-1].name == "copy"
    assert perform(log, FilingLane(mailbox)) == []


def test_a_mail_that_somebody_else_moved_or_that_has_no_name_stays(
    log: Log, reader: Reader, playbook: Playbook
) -> None:
    record(log, playbook, mail(RED))
    do(log, "mailbox:desk", "was no longer in inbox")
    assert "the folder stays: somebody else had moved the mail" in the_plan(reader, playbook).stays
    nameless = mail(RED, sender=sender(2)).replace(b"Message-ID: <mail-1@acme.example>\r\n", b"")
    record(log, playbook, nameless, 2)
    do(log, "mailbox:desk", "moved to Urgent")
    _, second = looked(reader, playbook).plans
    assert any("it has no Message-ID to find it by" in each for each in second.stays)
    assert second.moves == ()


def test_without_the_rule_it_goes_where_the_mailbox_files(log: Log, reader: Reader, playbook: Playbook) -> None:
    roles = {name: dataclasses.replace(role, file_into="Done") for name, role in playbook.mailboxes.items()}
    filing = dataclasses.replace(playbook, mailboxes=roles)
    record(log, filing, mail(RED))
    do(log, "mailbox:desk", "moved to Urgent")
    [move] = the_plan(reader, filing).moves
    assert (move.source, move.target, move.message_id) == ("Urgent", "Done", "<mail-1@acme.example>")


# --- in pieces, and twice -------------------------------------------------------------------------------------------


def many(log: Log, playbook: Playbook, count: int) -> None:
    for number in range(1, count + 1):
        record(log, playbook, mail(RED, sender=sender(number), number=number), number)


def dump(log: Log) -> list[str]:
    """Every row of every table, in words."""
    tables = log.db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'message_fts%'")
    names = sorted(name for (name,) in tables.fetchall())
    return [f"{name}: {row}" for name in names for row in log.db.execute(f"SELECT * FROM {name}").fetchall()]


def test_stopped_after_the_first_transaction_the_same_undo_goes_on(
    log: Log, reader: Reader, playbook: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logged, "BATCH", 2)
    many(log, playbook, 5)
    undo, changed = take_back(log, reader, playbook, go_on=lambda count: False)
    assert changed == 2
    [standing] = logged.undos(reader)
    assert (standing.finished, standing.mails) == (None, 2)
    assert len(looked(reader, playbook).plans) == 3
    assert take_back(log, reader, playbook) == (undo, 3)
    [standing] = logged.undos(reader)
    assert (standing.finished, standing.mails, standing.who) == (NOW, 5, "eva")
    for row in range(1, 6):
        assert [event.name for event in reader.events(row)].count("undone") == 1
        assert states(reader, row).count(("ack", "held")) == 1
    before = dump(log)
    assert looked(reader, playbook).plans == ()
    assert looked(reader, playbook).fired == 0
    assert dump(log) == before


def test_stopped_half_way_bringing_back_goes_on(
    log: Log, reader: Reader, playbook: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logged, "BATCH", 2)
    many(log, playbook, 3)
    undo, _ = take_back(log, reader, playbook)
    rows = [row for row, _ in logged.items(reader, undo)]
    logged.bring_all_back(log, undo, rows, who="eva", now=NOW, go_on=lambda count: False)
    assert [row for row, _ in logged.items(reader, undo)] == [3]
    assert logged.undo_of(reader, undo).undone is None  # type: ignore[union-attr]
    assert back(log, reader, undo) == {3: ""}
    assert logged.undo_of(reader, undo).undone == NOW  # type: ignore[union-attr]
    assert {reader.row(row).priority for row in rows} == {"urgent"}  # type: ignore[union-attr]


def test_an_undo_that_was_ended_early_and_taken_back_is_not_gone_on_with(
    log: Log, reader: Reader, playbook: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logged, "BATCH", 2)
    many(log, playbook, 3)
    first, _ = take_back(log, reader, playbook, go_on=lambda count: False)
    assert back(log, reader, first) == {1: "", 2: ""}
    second, changed = take_back(log, reader, playbook)
    assert (second != first, changed) == (True, 3)
    assert [(each.id, each.undone) for each in logged.undos(reader)] == [(second, None), (first, NOW)]


def columns(log: Log, row: int) -> tuple[Any, ...]:
    found = logged.standing(lambda sql, values: log.db.execute(sql, tuple(values)).fetchall(), row)
    assert found is not None
    return tuple(found.columns.values())


def test_an_undo_is_undone(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail(RED))
    before, decision = columns(log, row), reader.decision(row)
    undo, _ = take_back(log, reader, playbook)
    assert columns(log, row) != before
    assert back(log, reader, undo) == {row: ""}
    assert columns(log, row) == before
    assert reader.decision(row) == decision
    # What was owed is held now: a person decides whether it may leave so late; a move harms nobody.
    assert states(reader, row) == [("ack", "held"), ("notify", "held"), ("file", "owed"), ("ack", "dropped")]
    assert reader.held_back() == []  # which 'triaged breaker close --release' would send
    assert reader.effects(row)[0].payload["template"] == "complaint"
    again, changed = take_back(log, reader, playbook)
    assert (again, changed) == (undo + 1, 1)
    assert reader.row(row).priority == "low"  # type: ignore[union-attr]
    assert [state for _, state in states(reader, row)] == ["dropped"] * 4 + ["held"]
    keys = [key for (key,) in log.db.execute("SELECT key FROM effect")]
    assert len(set(keys)) == len(keys) == 5


def test_what_changed_since_the_undo_stays_when_it_is_undone(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail(RED))
    undo, _ = take_back(log, reader, playbook)
    with log.transaction():
        log.db.execute("UPDATE message SET priority = 'high' WHERE id = ?", (row,))
        settle(log, row, approve=True, who="eva", now=NOW)
    do(log, "mail")
    told = back(log, reader, undo)[row]
    assert "priority was changed since" in told
    assert "the acknowledgement is done" in told
    assert (reader.row(row).priority, reader.row(row).assigned) == ("high", "marek")  # type: ignore[union-attr]


def test_while_the_mail_is_being_moved_back_the_undo_is_not_undone(
    log: Log, reader: Reader, playbook: Playbook
) -> None:
    row = record(log, playbook, mail(RED))
    do(log, "mailbox:desk", "moved to Urgent")
    undo, _ = take_back(log, reader, playbook)
    with log.transaction():
        claimed = log.claim("mailbox:desk", now=NOW + timedelta(days=1))
        assert claimed is not None
    assert back(log, reader, undo) == {row: "the move back is being done this moment; run this again"}
    with log.transaction():
        log.finish(claimed, Outcome("moved to inbox"), now=NOW)
    assert back(log, reader, undo) == {row: ""}
    assert states(reader, row)[-1] == ("refile", "owed")  # into Urgent again
    assert logged.undo_of(reader, undo).undone is not None  # type: ignore[union-attr]


def test_what_was_looked_at_before_the_undo_is_not_done_twice(log: Log, reader: Reader, playbook: Playbook) -> None:
    many(log, playbook, 2)
    changes = [(each.case.row, change_of(each.case)) for each in looked(reader, playbook).plans]
    told = [
        logged.take_all_back(log, changes, rule="Red flag", since=OLD, who="eva", words="", now=NOW)[1]
        for _ in range(2)
    ]
    assert told == [2, 0]
    assert [event.name for event in reader.events(1)].count("undone") == 1


def test_what_a_person_confirmed_after_the_undo_stays(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail("Please send the invoice again."))
    undo, _ = take_back(log, reader, playbook, "Billing")
    with log.transaction():
        correct(log, row, categories=None, account_id=None, who="eva", now=NOW, right=True)
    assert "category was changed since" in back(log, reader, undo)[row]
    assert "billing" not in reader.row(row).categories  # type: ignore[union-attr]


def test_two_rules_one_after_the_other(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, playbook, mail(RED + " The invoice is wrong."))
    first, _ = take_back(log, reader, playbook, "Red flag")
    take_back(log, reader, playbook, "Billing")
    decision = reader.decision(row)
    assert decision is not None
    assert "billing" not in decision.verdict.chosen
    assert decision.priority == "low"
    assert logged.taken_out(reader, row) == ("Billing", "Red flag")
    assert back(log, reader, first) == {row: "it was decided about again since"}


def test_a_dry_run_writes_nothing(log: Log, reader: Reader, path: Path, playbook: Playbook) -> None:
    many(log, playbook, 3)
    log.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    assert counted(looked(reader, playbook).plans).startswith("3 mails would change: 3 priorities")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


# --- a forgotten person, and days that are over ---------------------------------------------------------------------


def test_of_a_forgotten_person_nothing_is_left_in_an_undo(
    log: Log, reader: Reader, path: Path, playbook: Playbook
) -> None:
    record(log, playbook, mail(RED, sender="Ann Archer <ann.archer@acme.example>"))
    do(log, "mail")
    take_back(log, reader, playbook)
    other = record(log, playbook, mail(PLAIN, sender=sender(2), number=2), 2)
    with log.transaction():
        log.db.execute("UPDATE undo SET rule = 'Mails of ann.archer@acme.example'")
        log.db.execute(
            "INSERT INTO undo_item SELECT undo, ?, decided, was, now, effects, 'ack to ann.archer@acme.example stays', "
            "NULL FROM undo_item",
            (other,),
        )
    assert "ann.archer@acme.example" in "\n".join(dump(log))
    held = forget.find(path, "ann.archer@acme.example")
    assert {"rules whose doings were taken back", "mails of others that such a rule had decided"} <= dict(
        held.counts
    ).keys()
    forget.erase(log, held, now=NOW)
    assert forget.remaining(path, held) == 0
    assert "ann.archer" not in "\n".join(dump(log))
    assert [told for _, told in logged.items(reader, 1)] == ["", "ack to " + "█" * 23 + " stays"]


def test_of_a_cleared_mail_an_undo_keeps_no_words_and_cannot_bring_its_effects_back(
    log: Log, reader: Reader, playbook: Playbook
) -> None:
    row = record(log, playbook, mail(RED))
    undo, _ = take_back(log, reader, playbook)
    with log.transaction():
        keep.clear(log, [row], event="removed", why="its days are over", now=NOW)
    assert logged.items(reader, undo) == [(row, "")]
    assert "the acknowledgement is dropped" in back(log, reader, undo)[row]
    assert reader.row(row).priority == "urgent"  # type: ignore[union-attr]
    found = looked(reader, playbook)
    assert (found.plans, found.lost) == ((), (row,))


# --- which rule, since when -----------------------------------------------------------------------------------------


NAMES = {"Red flag": "own.toml:7", "Red tape": "own.toml:18", "Billing": "own.toml:2", "Old one": "gone.toml:1"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Red flag", "Red flag"),
        ("RED FLAG", "Red flag"),
        ("bill", "Billing"),
        ("own.toml:7", "Red flag"),
        ("own.toml:12", "Red flag"),
        ("own.toml:18", "Red tape"),
        ("old", "Old one"),
    ],
)
def test_a_rule_is_named_by_name_beginning_or_line(text: str, name: str) -> None:
    assert rule_named(text, NAMES) == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("red", "“red” begins the names of 2 rules: “Red flag”, “Red tape”; write more of the one you mean"),
        ("Red flog", "there is no rule “Red flog”; did you mean 'Red flag'?"),
        ("own.toml:1", "there is no rule"),
        ("", "there is no rule"),
    ],
)
def test_a_rule_that_cannot_be_told_is_not_guessed(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="^" + words.replace("?", r"\?")):
        rule_named(text, NAMES)


def test_a_moment_is_a_span_ago_or_a_time_on_the_desks_clock() -> None:
    assert moment_of("24h", zone="Europe/Berlin", now=NOW) == NOW - timedelta(hours=24)
    assert moment_of("7d", zone="Europe/Berlin", now=NOW) == NOW - timedelta(days=7)
    assert moment_of("2026-11-16 14:00", zone="Europe/Berlin", now=NOW) == datetime(2026, 11, 16, 13, 0, tzinfo=UTC)
    assert moment_of("2026-11-16", zone="Europe/Berlin", now=NOW) == datetime(2026, 11, 15, 23, 0, tzinfo=UTC)
    for wrong in ("yesterday", "24", "2026-11-18 14:00"):
        with pytest.raises(typer.BadParameter):
            moment_of(wrong, zone="Europe/Berlin", now=NOW)


# --- the commands ---------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path, model: Model) -> tuple[Config, Playbook]:
    """A site with three mails in its log, one of them answered."""
    made = lay_out_site(tmp_path / "site")
    ruled(made, RULES)
    playbook = assembled(made, model=model)
    with closing(open_log(log_path(made))) as log:
        with log.transaction():
            keep_loaded(log, loaded_of(playbook), now=NOW)
        record(log, playbook, mail(RED, sender=sender(1), number=1), 1)
        do(log, "mail")
        record(log, playbook, mail(RED, sender=sender(2), number=2), 2)
        record(log, playbook, mail(PLAIN, sender=sender(3), number=3), 3)
    return made, playbook


def run(config: Config, *words: str, given: str = "") -> tuple[int, str]:
    assert config.file is not None
    done = CliRunner().invoke(app, [*words, "--config", str(config.file)], input=given)
    return done.exit_code, done.output


def test_a_rule_beside_which_others_do_the_same_is_told_so(tmp_path: Path, model: Model) -> None:
    config = lay_out_site(tmp_path / "site")
    twin = '[[rule]]\nname = "Twin"\nwhen.says = "red flag"\nthen.priority = "high"\nthen.tag = "red"\n'
    ruled(config, RULES + twin)
    playbook = assembled(config, model=model)
    with closing(open_log(log_path(config))) as log:
        with log.transaction():
            keep_loaded(log, loaded_of(playbook), now=NOW)
        record(log, playbook, mail(RED))
    same = "Without it the other rules make the same of these mails."
    code, told = run(config, "undo", "--rule", "twin", "--since", "2020-01-01", "--dry-run")
    assert (code, same in told, "0 mails would change" in told) == (0, True, True), told
    assert same not in run(config, "undo", "--rule", "red f", "--since", "2020-01-01", "--dry-run")[1]


def test_the_command_tells_writes_lists_and_brings_back(site: tuple[Config, Playbook], tmp_path: Path) -> None:
    config, _ = site
    path, undo = log_path(config), ("undo", "--rule", "red f", "--since", "2020-01-01")
    before = path.read_bytes()
    code, dry = run(config, *undo, "--dry-run")
    assert code == 0, dry
    assert "2 mails would change: 2 priorities" in " ".join(dry.split())
    assert "This cannot be undone" in dry
    assert path.read_bytes() == before
    code, told = run(config, *undo, "--dry-run", "--json")
    assert json.loads(told)["summary"] in " ".join(dry.split())
    assert run(config, *undo, given="n\n")[0] == 1
    assert path.read_bytes() == before
    code, done = run(config, *undo, "--yes", "--drafts", str(tmp_path / "drafts"))
    assert code == 0, done
    assert " ".join(dry.split()).split("✓")[0].split("“Red flag” still")[0].strip() in " ".join(done.split())
    assert "own.toml:7" in done
    assert "enabled = false" in done
    written = sorted((tmp_path / "drafts").iterdir())
    assert len(written) == 2
    assert all(file.read_bytes().startswith(b"X-Unsent: 1\r\n") for file in written)
    code, listed = run(config, "undo", "--list", "--json")
    assert (json.loads(listed)["mails"], json.loads(listed)["rule"]) == (2, "Red flag")
    code, tried = run(config, "undo", "--back", "1", "--dry-run", "--json")
    assert run(config, "undo", "--list", "--json")[1] == listed
    code, brought = run(config, "undo", "--back", "1", "--yes", "--json")
    assert {**json.loads(tried), "dry_run": False} == json.loads(brought)
    assert run(config, "undo", "--back", "1", "--yes")[0] == 1
    with closing(Reader(path)) as reader:
        assert [row.priority for row in reader.rows(limit=9)] == ["low", "urgent", "urgent"]


@pytest.mark.parametrize(
    "words",
    [
        ("undo",),
        ("undo", "--rule", "Red flag"),
        ("undo", "--rule", "Red flag", "--list"),
        ("undo", "--rule", "Blue flag", "--since", "24h"),
        ("undo", "--rule", "Red flag", "--since", "soon"),
        ("undo", "--rule", "Red flag", "--since", "24h", "--dry-run", "--drafts", "x"),
    ],
)
def test_what_is_given_wrong_is_told(site: tuple[Config, Playbook], words: tuple[str, ...]) -> None:
    code, told = run(site[0], *words)
    assert code == 2, told


def test_done_and_whose_it_is(site: tuple[Config, Playbook]) -> None:
    config, _ = site

    def shown(*words: str) -> list[int]:
        code, told = run(config, "log", "--json", *words)
        assert code == 0, told
        return [json.loads(line)["id"] for line in told.splitlines()]

    with closing(open_log(log_path(config))) as log, log.transaction():
        log.db.execute("UPDATE message SET due_at = 1 WHERE id IN (1, 2)")
        log.db.execute("UPDATE message SET due_at = NULL WHERE id = 3")
    assert shown("--assigned", "marek") == [2, 1]
    assert shown("--assigned", "lena") == []
    assert run(config, "log", "--assigned", "marx")[0] == 1
    assert shown("--open") == [2, 1]
    assert run(config, "done", "1")[0] == 0
    assert run(config, "done", "1")[0] == 1
    assert shown("--open") == [2]
    with closing(Reader(log_path(config))) as reader:
        assert reader.open_items("C-1", before=NOW + timedelta(days=1)) == 1
        assert reader.events(1)[-1].name == "done"
        assert reader.row(1).done is not None  # type: ignore[union-attr]
    told = run(config, "show", "1")[1]
    assert "for marek" in told
    assert "done since" in told
    assert "for marek" in run(config, "log")[1]
    assert json.loads(run(config, "show", "1", "--json")[1])["assigned"] == "marek"
    assert run(config, "done", "1", "--reopen")[0] == 0
    assert run(config, "done", "1", "--reopen")[0] == 1
    assert shown("--open") == [2, 1]
