"""What people say of mails: written down once and for ever, drawn without regard to scores, read again as labels."""

from __future__ import annotations

import dataclasses
import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils.utils import sqlite3

from tests.desk import ACME, NOW, decided, lay_out_site, mail
from triaged.decision import Decision
from triaged.errors import Gone
from triaged.loading import build_playbook
from triaged.log import forget, keep
from triaged.log.encode import text_version
from triaged.log.labels import is_drawn, labels, learning, told
from triaged.log.people import correct
from triaged.log.read import Reader
from triaged.log.schema import migrations
from triaged.log.store import Log, connect
from triaged.model import Locator, Message
from triaged.playbook import Playbook

Case = tuple[Message, Decision]


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    return build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))


@pytest.fixture(scope="module")
def case(playbook: Playbook) -> Case:
    return decided(playbook, mail("I am very disappointed, the report is wrong again. This is unacceptable."))


def record(log: Log, case: Case, number: int, *, drawn: bool = False) -> int:
    """One more mail like the case; inside a transaction."""
    message = dataclasses.replace(case[0], key=f"{number:032x}", message_id=f"<m{number}@x.example>")
    return log.record(message, case[1], Locator("desk", "inbox", str(number)), now=NOW, drawn=drawn).row


def test_a_correction_holds_all_that_was_shown_and_said(log: Log, case: Case) -> None:
    message, decision = case
    with log.transaction():
        row = record(log, case, 1)
        correct(log, row, categories=("request",), account_id="C-2", who="eva", now=NOW)
        correct(log, row, categories=None, account_id=None, who="max", now=NOW, right=True)
    first, second = log.db.query("SELECT * FROM correction ORDER BY id")
    assert (first["message"], first["who"], first["at"], first["labelled"]) == (row, "eva", 1794902400000, 1)
    assert first["text_version"] == text_version(message.judged)
    verdict = decision.verdict
    assert json.loads(first["was"]) == {
        "categories": list(verdict.chosen),
        "sure": verdict.sure,
        "scores": {each.category: each.score for each in verdict.scores},
        "account": "C-1",
        "model": verdict.model_id,
        "rules": verdict.rules_id,
    }
    assert json.loads(first["now"]) == {"categories": ["request"], "account": "C-2"}
    assert json.loads(second["was"])["categories"] == ["request"]
    assert json.loads(second["now"]) == {"categories": ["request"], "account": "C-2"}
    assert [event["name"] for event in log.db.query("SELECT name FROM event WHERE message = ?", (row,))] == [
        "triaged",
        "corrected",
        "confirmed",
    ]
    words = [each for each in json.dumps([first, second]).lower().split() if "disappointed" in each]
    assert words == []


@pytest.mark.parametrize("statement", ["UPDATE correction SET who = 'nobody'", "DELETE FROM correction"])
def test_a_correction_is_never_changed(log: Log, case: Case, statement: str) -> None:
    with log.transaction():
        correct(log, record(log, case, 1), categories=(), account_id=None, who="eva", now=NOW)
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        log.db.execute(statement)
    assert [row["who"] for row in log.db.query("SELECT who FROM correction")] == ["eva"]


def test_keeping_and_forgetting_leave_the_label_and_no_word(log: Log, reader: Reader, path: Path, case: Case) -> None:
    """An account may be called by a person's address: to forget them is the one thing that changes a correction."""
    sender = case[0].sender
    assert sender is not None
    with log.transaction():
        row = record(log, case, 1)
        correct(log, row, categories=(), account_id="eve@other.example", who="eva", now=NOW)
        while log.index_text(100) > 0:
            pass
        log.db.execute("UPDATE message SET due_at = NULL")
        log.db.execute("UPDATE effect SET state = 'done'")
    [label] = labels(reader)
    assert label.message is not None
    held = forget.find(path, "eve@other.example")
    assert "correction" in dict(held.places)
    forget.erase(log, held, now=NOW)
    assert forget.remaining(path, held) == 0
    [kept] = log.db.query("SELECT was, now, labelled FROM correction")
    assert "eve@" not in kept["now"]
    assert kept["labelled"] == 1
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        log.db.execute("DELETE FROM correction")
    forget.erase(log, forget.find(path, sender.addr_spec), now=NOW)
    [label] = labels(reader)
    assert (label.right, label.message) == ((), None)


def test_a_label_counts_once_with_the_text_it_was_given_for(log: Log, reader: Reader, case: Case) -> None:
    with log.transaction():
        rows = [record(log, case, number) for number in range(1, 5)]
        correct(log, rows[0], categories=("request",), account_id=None, who="eva", now=NOW)
        correct(log, rows[0], categories=("renewal",), account_id=None, who="eva", now=NOW + timedelta(hours=2))
        correct(log, rows[1], categories=None, account_id=None, who="eva", now=NOW + timedelta(hours=1), right=True)
        correct(log, rows[2], categories=None, account_id="C-2", who="eva", now=NOW)  # says nothing of categories
        correct(log, rows[3], categories=("billing",), account_id=None, who="eva", now=NOW + timedelta(hours=3))
        other = dataclasses.replace(case[0], new_text="somebody changed this")
        from triaged.log.encode import MESSAGE

        log.db.execute("UPDATE message SET parsed = ? WHERE id = ?", (MESSAGE.dump_json(other).decode(), rows[3]))
    found = labels(reader)
    assert [(each.row, each.right, each.confirmed) for each in found] == [
        (rows[1], case[1].verdict.chosen, True),
        (rows[0], ("renewal",), False),
        (rows[3], ("billing",), False),
    ]
    assert [each.message is not None for each in found] == [True, True, False]
    assert found[0].judged == {each.category for each in case[1].verdict.scores}
    assert found[2].judged == found[0].judged | {"billing"}


def test_the_sample_is_of_the_stated_share_and_always_the_same() -> None:
    keys = [f"{number:032x}" for number in range(20_000)]
    drawn = {key for key in keys if is_drawn(key, 3)}
    assert 0.027 < len(drawn) / len(keys) < 0.033
    assert drawn == {key for key in keys if is_drawn(key, 3)}
    assert drawn < {key for key in keys if is_drawn(key, 5)}
    assert not any(is_drawn(key, 0) for key in keys)
    assert all(is_drawn(key, 100) for key in keys)


def test_a_drawn_mail_waits_until_somebody_said_what_it_is(log: Log, reader: Reader, path: Path, case: Case) -> None:
    with log.transaction():
        rows = [record(log, case, number, drawn=number != 5) for number in range(1, 6)]
        correct(log, rows[0], categories=None, account_id=None, who="eva", now=NOW, right=True)
        correct(log, rows[1], categories=("request",), account_id=None, who="eva", now=NOW)
        correct(log, rows[1], categories=None, account_id=None, who="max", now=NOW, right=True)
        correct(log, rows[2], categories=None, account_id="C-2", who="eva", now=NOW)
    assert {row.id for row in reader.rows(limit=9, review=True)} == {rows[2], rows[3]}
    stand = learning(reader)
    assert (stand.to_review, stand.reviewed, stand.reviewed_right) == (2, 2, 1)
    assert (stand.labels, stand.new, stand.last) == (2, 2, None)
    with log.transaction():
        told(log, "learn.refused", "the words", now=NOW + timedelta(days=1))
        correct(log, rows[4], categories=("request",), account_id=None, who="eva", now=NOW + timedelta(days=2))
        told(log, "model.used", "model shipped", now=NOW + timedelta(days=3))
        keep.clear(log, [rows[3]], event="removed", why="its days are over", now=NOW)
    stand = learning(reader)
    assert (stand.to_review, stand.labels, stand.new) == (1, 3, 1)
    assert (stand.last_learned, stand.last) == (NOW + timedelta(days=1), NOW + timedelta(days=3))
    assert stand.outcome == "model shipped"


def test_an_account_put_right_says_nothing_of_the_categories(log: Log, reader: Reader, case: Case) -> None:
    with log.transaction():
        rows = [record(log, case, number) for number in (1, 2)]
        log.db.execute("UPDATE message SET sure = 0")
        correct(log, rows[0], categories=None, account_id="C-2", who="eva", now=NOW)
        correct(log, rows[1], categories=None, account_id="C-2", who="eva", now=NOW, right=True)
    assert {row.id: row.sure for row in reader.rows(limit=9)} == {rows[0]: False, rows[1]: True}


def test_corrections_of_an_earlier_version_are_read_on(path: Path, case: Case) -> None:
    path.parent.mkdir(mode=0o700)
    db = connect(path)
    migrations.apply(db, stop_before="m006_learn")
    message, decision = case
    from triaged.log.encode import DECISION, MESSAGE

    db.execute(
        "INSERT INTO message (id, key, reference, state, mailbox, message_id, sender, sender_name, subject, "
        "received_at, logged_at, automatic, language, categories, sure, priority, new_text, parsed) VALUES "
        "(1, 'k', 'T-1', 'triaged', 'desk', '', '', '', 'Lamp', 1, 1, 'person', 'en', '[]', 1, 'normal', '', ?)",
        (MESSAGE.dump_json(message).decode(),),
    )
    db.execute("INSERT INTO decision VALUES (1, 1, 1, 'm', 'r', ?)", (DECISION.dump_json(decision).decode(),))
    was = {"categories": ["complaint"], "account": None, "scores": {"complaint": 0.8}, "model": "m", "rules": "r"}
    for categories in (["request"], ["complaint"]):  # the second may have been of the account alone
        fixed = json.dumps({"categories": categories, "account": "C-1"})
        db.execute(
            "INSERT INTO correction (message, at, who, was, now) VALUES (1, 5, 'eva', ?, ?)", (json.dumps(was), fixed)
        )
    db.close()
    log = Log(path)
    with closing(Reader(path)) as reader:
        [label] = labels(reader)
        assert (label.right, label.judged, label.confirmed) == (("request",), {"complaint", "request"}, False)
        assert label.message == message
        assert learning(reader).to_review == 0
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        log.db.execute("DELETE FROM correction")
    with pytest.raises(Gone), log.transaction():
        correct(log, 7, categories=(), account_id=None, who="eva", now=NOW, right=True)
    log.close()
    assert ACME.account_id == "C-1"
