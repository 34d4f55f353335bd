"""The log: what is written is read again, once; effects move through their states; nothing half is ever seen."""

from __future__ import annotations

import dataclasses
import stat
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.desk import ACME, NOW, decided, lay_out_site, mail, raw
from triaged.decision import AskPerson, Decision, Outcome, Planned
from triaged.errors import Gone
from triaged.loading import build_playbook
from triaged.log.people import correct, put_accounts, settle
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Contract, Locator, Message
from triaged.playbook import Playbook


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    return build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))


@pytest.fixture
def case(playbook: Playbook) -> tuple[Message, Decision]:
    """A complaint with an acknowledgement, a notice and a call owed."""
    return decided(playbook, mail("I am very disappointed, the report is wrong again. This is unacceptable."))


def recorded(log: Log, case: tuple[Message, Decision], *, key: str = "1", folder: str = "inbox") -> int:
    message, decision = case
    with log.transaction():
        return log.record(message, decision, Locator("desk", folder, key), now=NOW).row


def test_what_is_written_is_read_again(log: Log, reader: Reader, case: tuple[Message, Decision]) -> None:
    row = recorded(log, case)
    message, decision = case
    assert reader.message(row) == message
    assert reader.decision(row) == dataclasses.replace(decision, effects=())
    assert [effect.kind for effect in reader.effects(row)] == ["ack", "call", "notify"]
    [line] = reader.rows(limit=10)
    assert (line.subject, line.account_id, line.categories) == ("Hello", "C-1", decision.verdict.chosen)
    assert reader.find(decision.reference.lower()) == row


def test_a_second_copy_gets_a_locator_and_nothing_else(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    first = recorded(log, case)
    again = recorded(log, case, key="2")
    recorded(log, case, key="2")
    assert again == first
    [line] = reader.rows(limit=10)
    assert line.copies == 2
    assert len(reader.effects(first)) == 3
    assert [event.name for event in reader.events(first)] == ["triaged", "copy"]
    assert reader.unlogged("desk", "inbox", ["1", "2", "3"]) == ["3"]
    assert reader.unlogged("desk", "other", ["1"]) == ["1"]


def test_a_message_that_was_gone_and_comes_back_under_its_key_is_a_mail(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    """Graph's immutable ids survive a move out of the folder and back."""
    with log.transaction():
        log.record_gone(Locator("desk", "inbox", "7"), now=NOW)
    assert reader.unlogged("desk", "inbox", ["7"]) == ["7"]
    row = recorded(log, case, key="7")
    assert reader.locator(row) == Locator("desk", "inbox", "7")
    assert reader.unlogged("desk", "inbox", ["7"]) == []
    with log.transaction():
        log.record_gone(Locator("desk", "inbox", "7"), now=NOW)
    assert reader.locator(row) == Locator("desk", "inbox", "7"), "what has its mail keeps it"


def test_an_effect_moves_through_its_states(log: Log, reader: Reader, case: tuple[Message, Decision]) -> None:
    row = recorded(log, case)
    with log.transaction():
        claimed = log.claim("mail", now=NOW)
    assert claimed is not None
    assert (claimed.effect.kind, claimed.attempts) == ("ack", 1)
    assert [each.row for each in log.doing("mail")] == [claimed.row]
    with log.transaction():
        log.put_off(claimed, until=NOW + timedelta(minutes=1), why="451 later", now=NOW)
        notice = log.claim("mail", now=NOW)
    assert notice is not None
    assert notice.effect.kind == "notify"
    with log.transaction():
        log.hand_to_person(notice, why="550 no", now=NOW)
        assert log.claim("mail", now=NOW) is None
        again = log.claim("mail", now=NOW + timedelta(minutes=1))
        assert again is not None
        assert again.attempts == 2
        ask = Planned(AskPerson("ask:next", "and now?"), "person", NOW)
        lanes = log.finish(again, Outcome("250 ok", (ask,)), now=NOW)
    assert lanes == frozenset()
    states = {effect.kind: effect.state for effect in reader.effects(row)}
    assert states == {"ack": "done", "call": "owed", "notify": "person", "ask": "person"}


def test_people_settle_what_waits(log: Log, reader: Reader, case: tuple[Message, Decision]) -> None:
    message, decision = case
    held = tuple(dataclasses.replace(each, state="held") for each in decision.effects)
    row = recorded(log, (message, dataclasses.replace(decision, effects=held)))
    with log.transaction():
        assert log.claim("mail", now=NOW) is None
        assert settle(log, row, approve=True, who="eva", now=NOW) == 3
        assert settle(log, row, approve=True, who="eva", now=NOW) == 0
        assert log.claim("mail", now=NOW) is not None
    names = [event.name for event in reader.events(row)]
    assert names.count("ack.approved") == 1


def _record_and_fail(log: Log, case: tuple[Message, Decision]) -> None:
    log.record(*case, Locator("desk", "inbox", "1"), now=NOW)
    raise ZeroDivisionError


def test_a_transaction_is_whole_or_not_at_all(log: Log, reader: Reader, case: tuple[Message, Decision]) -> None:
    with pytest.raises(ZeroDivisionError), log.transaction():
        _record_and_fail(log, case)
    assert reader.rows(limit=10) == []
    with log.transaction():
        with pytest.raises(ZeroDivisionError), log.savepoint():
            _record_and_fail(log, case)
        log.set_cursor("desk", "inbox", "7", now=NOW)
    assert reader.rows(limit=10) == []
    assert reader.cursor("desk", "inbox") == "7"


def test_a_correction_keeps_what_was_and_what_is(log: Log, reader: Reader, case: tuple[Message, Decision]) -> None:
    row = recorded(log, case)
    with log.transaction():
        correct(log, row, categories=("request",), account_id=None, who="eva", now=NOW)
        correct(log, row, categories=None, account_id="", who="eva", now=NOW)
    with pytest.raises(Gone), log.transaction():
        correct(log, 999, categories=(), account_id=None, who="eva", now=NOW)
    line = reader.row(row)
    assert line is not None
    assert (line.categories, line.account_id, line.sure) == (("request",), None, True)
    kept = list(log.db.query("SELECT was, now FROM correction ORDER BY id"))
    assert len(kept) == 2
    assert '"complaint"' in kept[0]["was"]
    assert kept[0]["now"] == '{"categories": ["request"], "account": "C-1"}'


def test_accounts_are_kept_whole(log: Log, reader: Reader) -> None:
    second = dataclasses.replace(ACME, account_id="C-2", name="Other", hours="sun-thu 08:00-16:00", country="AE")
    second = dataclasses.replace(second, contracts=(Contract("K-1", date(2027, 1, 31)),))
    with log.transaction():
        put_accounts(log, [ACME, second])
    assert reader.accounts() == (ACME, second)
    revision = reader.accounts_revision()
    with log.transaction():
        put_accounts(log, [dataclasses.replace(second, contracts=())])
    assert reader.accounts()[1].contracts == ()
    assert reader.accounts_revision() == revision + 1


def test_threads_lead_to_accounts_by_received_and_by_sent_mail(
    log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    recorded(log, case)
    [sent] = [each.effect.mail.message_id for each in case[1].effects if each.effect.kind == "ack"]
    assert reader.thread_accounts(["<mail-1@acme.example>"]) == ("C-1",)
    assert reader.thread_accounts([sent]) == ("C-1",)
    assert reader.thread_accounts(["<forged@acme.example>", ""]) == ()


def test_search_and_filters(log: Log, reader: Reader, case: tuple[Message, Decision], playbook: Playbook) -> None:
    recorded(log, case)
    recorded(log, decided(playbook, mail("Danke, alles gut.", subject="Dank", number=2)), key="2")
    with log.transaction():
        assert log.index_text(10) == 2
        assert log.index_text(10) == 0
    assert [row.subject for row in reader.rows(limit=10, search="disappointed")] == ["Hello"]
    assert [row.subject for row in reader.rows(limit=10, category="complaint")] == ["Hello"]
    assert [row.subject for row in reader.rows(limit=10, category="other")] == ["Dank"]
    assert len(reader.rows(limit=1)) == 1
    with pytest.raises(ValueError, match="cannot search"):
        reader.rows(limit=10, search='"')


def test_quarantine_keeps_the_octets(log: Log, reader: Reader) -> None:
    with log.transaction():
        first = log.quarantine(raw(b"broken"), key="k" * 32, cause="it took longer than 20 s", now=NOW)
        second = log.quarantine(raw(b"broken", key="2"), key="k" * 32, cause="again", now=NOW)
    assert second.row == first.row
    assert second.copy
    assert reader.message(first.row) is None
    [waiting] = reader.waiting()
    assert "it took longer" in waiting[4]
    kept = log.db.execute("SELECT octets FROM octets").fetchone()[0]
    assert kept == b"broken"


def test_the_log_is_private_and_reads_do_not_write(
    path: Path, log: Log, reader: Reader, case: tuple[Message, Decision]
) -> None:
    recorded(log, case)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(Exception, match="attempt to write a readonly database"):
        reader._db.execute("DELETE FROM message")
    view = list(log.db.query("SELECT category, account FROM triage"))
    assert view[0]["account"] == "C-1"


def test_migrating_twice_changes_nothing(path: Path, case: tuple[Message, Decision]) -> None:
    first = Log(path)
    row = recorded(first, case)
    first.close()
    second = Log(path)
    with closing(Reader(path)) as reader:
        assert reader.row(row) is not None
    assert second.db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert second.db.execute("PRAGMA synchronous").fetchone()[0] == 2
    second.close()
