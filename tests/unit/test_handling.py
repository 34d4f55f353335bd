"""What people do about a mail: state, owner, next step, notes; who was faster; nothing of it outlives the mail."""

from __future__ import annotations

import dataclasses
import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.desk import NOW, decided, lay_out_site, mail
from triaged.errors import Gone
from triaged.loading import build_playbook
from triaged.log import forget, handling, keep
from triaged.log.handling import Changed
from triaged.log.people import believed, correct, take_back_correction
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.log.threads import conversation, plain_subject
from triaged.log.users import audits
from triaged.model import Address, Locator, Message
from triaged.playbook import Playbook

SECRET = "xylophone"
"""Stands in what people write, and nowhere else."""


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    return build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))


@pytest.fixture(scope="module")
def message(playbook: Playbook) -> Message:
    return decided(playbook, mail("Please send the report again."))[0]


class Writer:
    """Writes mails into the log."""

    def __init__(self, log: Log, playbook: Playbook) -> None:
        self._log = log
        _, self._decision = decided(playbook, mail("Please send the report again."))
        self._message = decided(playbook, mail("Please send the report again."))[0]
        self.count = 0

    def __call__(self, *, account: str | None = "C-1", days: int = 0, **fields: object) -> int:
        """One mail; days: so many after `NOW`; its Message-ID is <mN@acme.example>, N from 1 on."""
        self.count += 1
        one = dataclasses.replace(
            self._message,
            key=f"{self.count:032x}",
            message_id=f"<m{self.count}@acme.example>",
            received=NOW + timedelta(days=days),
            **fields,  # type: ignore[arg-type]
        )
        match = dataclasses.replace(self._decision.account, account_id=account)
        decision = dataclasses.replace(self._decision, message_key=one.key, effects=(), account=match, due=None)
        with self._log.transaction():
            return self._log.record(one, decision, Locator("desk", "inbox", str(self.count)), now=NOW).row


@pytest.fixture
def write(log: Log, playbook: Playbook) -> Writer:
    return Writer(log, playbook)


def stands(path: Path, row: int) -> handling.Handling:
    with closing(Reader(path)) as reader:
        return handling.handling(reader, row)


def said(path: Path, row: int) -> tuple[list[str], list[str]]:
    """Names of the mail's events after it was triaged, and of its audit lines."""
    with closing(Reader(path)) as reader:
        names = [event.name for event in reader.events(row)]
        return names[1:], [each.what for each in handling.audits_of(reader, row)]


def octets_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.rglob("*") if file.is_file())


def test_a_state_changes_once_and_is_told(log: Log, path: Path, write: Writer) -> None:
    row = write()
    assert stands(path, row).state == "open"
    for state, later in (("waiting", 1), ("done", 2), ("waiting", 3), ("open", 4)):
        with log.transaction():
            moment = NOW + timedelta(hours=later)
            assert handling.set_state(log, row, state, who="carl", now=moment)  # type: ignore[arg-type]
            assert not handling.set_state(log, row, state, who="mona", now=moment)  # type: ignore[arg-type]
        now = stands(path, row)
        assert now.state == state
        assert now.waiting == (moment if state == "waiting" else None)
        assert now.done == (moment if state == "done" else None)
    events, audited = said(path, row)
    assert events == ["waiting", "done", "reopened", "waiting", "waiting.over"]
    assert audited == ["message.state"] * 4
    with closing(Reader(path)) as reader:
        assert [(each.who, each.detail) for each in audits(reader, limit=1)] == [("carl", "was waiting, is open")]


def test_one_that_was_answered_can_be_open_again(log: Log, path: Path, write: Writer) -> None:
    row = write()
    with log.transaction():
        log.db.execute("UPDATE message SET answered_at = 1 WHERE id = ?", (row,))
    assert (stands(path, row).state, stands(path, row).answered is not None) == ("open", True)
    with log.transaction():
        assert handling.set_state(log, row, "open", who="carl", now=NOW)
        assert not handling.set_state(log, row, "open", who="carl", now=NOW)
    assert stands(path, row).answered is None
    assert said(path, row)[0] == ["reopened"]


def test_what_was_taken_back_teaches_nothing(log: Log, path: Path, write: Writer) -> None:
    row = write()
    with log.transaction():
        before = believed(log, row)
        correct(log, row, categories=("complaint",), account_id=None, who="carl", now=NOW)
        take_back_correction(log, row, before, who="carl", now=NOW)
    with closing(Reader(path)) as reader:
        assert [each.labelled for each in handling.corrections(reader, row)] == [False, False]


def test_an_owner_and_a_next_step(log: Log, path: Path, write: Writer) -> None:
    row, by = write(), NOW + timedelta(days=2)
    with log.transaction():
        assert handling.assign(log, row, "lena", who="carl", now=NOW)
        assert not handling.assign(log, row, "lena", who="carl", now=NOW)
        assert handling.set_next(log, row, "send the offer", by, who="carl", now=NOW)
        assert not handling.set_next(log, row, "send the offer", by, who="carl", now=NOW)
        assert handling.set_next(log, row, "send the offer", None, who="carl", now=NOW)
    now = stands(path, row)
    assert (now.assigned, now.next_step, now.next_at) == ("lena", "send the offer", None)
    with log.transaction():
        handling.assign(log, row, "", who="carl", now=NOW)
        handling.set_next(log, row, "", None, who="carl", now=NOW)
    now = stands(path, row)
    assert (now.assigned, now.next_step) == ("", "")
    assert said(path, row)[1] == ["message.owner", "message.next", "message.next", "message.owner", "message.next"]


def test_who_was_faster_is_named_and_nothing_is_changed(log: Log, path: Path, write: Writer) -> None:
    row = write()
    with log.transaction():
        handling.set_state(log, row, "done", was="open", who="mona", now=NOW)
        handling.assign(log, row, "lena", was="", who="mona", now=NOW)
        handling.set_next(log, row, "call them", None, was="", who="mona", now=NOW)
    with log.transaction(), pytest.raises(Changed) as caught:
        handling.set_state(log, row, "waiting", was="open", who="carl", now=NOW)
    assert (caught.value.who, caught.value.at, caught.value.words) == ("mona", NOW, "was open, is done")
    with log.transaction(), pytest.raises(Changed):
        handling.assign(log, row, "marek", was="", who="carl", now=NOW)
    with log.transaction(), pytest.raises(Changed):
        handling.set_next(log, row, "write to them", None, was="", who="carl", now=NOW)
    now = stands(path, row)
    assert (now.state, now.assigned, now.next_step) == ("done", "lena", "call them")


def test_what_is_not_there_is_gone(log: Log, path: Path) -> None:
    for work in (
        lambda: handling.set_state(log, 99, "done", who="carl", now=NOW),
        lambda: handling.add_note(log, 99, "x", who="carl", now=NOW),
        lambda: handling.set_next(log, 99, "x", None, who="carl", now=NOW),
    ):
        with log.transaction(), pytest.raises(Gone):
            work()
    with closing(Reader(path)) as reader, pytest.raises(Gone):
        handling.handling(reader, 99)


def test_notes_stay_in_order_and_corrections_are_told_apart(log: Log, path: Path, write: Writer) -> None:
    row = write()
    with log.transaction():
        handling.add_note(log, row, "first", who="carl", now=NOW)
        handling.add_note(log, row, "second", who="mona", now=NOW)
        correct(log, row, categories=("complaint",), account_id=None, who="carl", now=NOW)
        correct(log, row, categories=None, account_id=None, who="mona", now=NOW, right=True)
        correct(log, row, categories=None, account_id="C-2", who="mona", now=NOW)
    with closing(Reader(path)) as reader:
        told = [(each.who, each.text) for each in handling.notes(reader, row)]
        assert told == [("carl", "first"), ("mona", "second")]
        found = handling.corrections(reader, row)
    assert [(each.confirmed, each.labelled) for each in found] == [(False, True), (True, True), (False, False)]
    assert (found[0].categories, found[2].account) == (("complaint",), "C-2")


# --- nothing outlives the mail ------------------------------------------------------------------------------------


def written_about(log: Log, row: int) -> None:
    with log.transaction():
        handling.add_note(log, row, f"{SECRET} was asked for", who="carl", now=NOW)
        handling.set_next(log, row, f"send the {SECRET}", NOW, who="carl", now=NOW)


def test_when_the_days_are_over_no_word_about_the_mail_is_left(log: Log, path: Path, write: Writer) -> None:
    old, other = write(), write()
    written_about(log, old)
    with log.transaction():
        handling.add_note(log, other, "stays", who="carl", now=NOW)
    assert SECRET.encode() in octets_of(path)
    with log.transaction():
        keep.clear(log, [old], event="removed", why="its days are over", now=NOW)
    with log.alone():
        log.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert SECRET.encode() not in octets_of(path)
    with closing(Reader(path)) as reader:
        assert handling.notes(reader, old) == []
        assert [each.text for each in handling.notes(reader, other)] == ["stays"]
        assert handling.is_cleared(reader, old)
        assert [each.what for each in handling.audits_of(reader, old)] == ["message.noted", "message.next"]
    assert (stands(path, old).next_step, stands(path, old).next_at) == ("", None)


def test_nothing_is_written_about_a_mail_that_was_removed(log: Log, write: Writer) -> None:
    row = write()
    with log.transaction():
        keep.clear(log, [row], event="removed", why="its days are over", now=NOW)
        with pytest.raises(Gone):
            handling.add_note(log, row, SECRET, who="carl", now=NOW)
        with pytest.raises(Gone):
            handling.set_next(log, row, SECRET, None, who="carl", now=NOW)


def test_of_a_forgotten_person_no_note_is_left(log: Log, path: Path, write: Writer) -> None:
    theirs = write(sender=Address("zoe.zander@acme.example", "Zoe Zander"))
    of_others = write()
    written_about(log, theirs)
    with log.transaction():
        handling.add_note(log, of_others, "Zoe Zander (zoe.zander@acme.example) called about it", who="carl", now=NOW)
        handling.set_next(log, of_others, "ask Zoe Zander", None, who="carl", now=NOW)
    held = forget.find(path, "zoe.zander@acme.example")
    forget.erase(log, held, now=NOW)
    assert forget.remaining(path, held) == 0
    left = octets_of(path).lower()
    assert [word for word in (SECRET.encode(), b"zoe", b"zander") if word in left] == []
    with closing(Reader(path)) as reader:
        (note,) = handling.notes(reader, of_others)
        assert "called about it" in note.text


# --- the conversation -----------------------------------------------------------------------------------------------


def test_a_conversation_is_found_up_and_down(path: Path, write: Writer) -> None:
    first = write(subject="Badges for three starters")
    answer = write(days=1, subject="Something else", in_reply_to=("<m1@acme.example>",))
    third = write(days=2, subject="Else again", references=("<m1@acme.example>", "<m2@acme.example>"), account="C-1")
    same = write(days=3, subject="AW: Re: badges  for three starters")
    write(days=4, subject="Badges for four starters")
    write(days=3, subject="Badges for three starters", account="C-2")
    write(days=70, subject="Re: Badges for three starters")
    with closing(Reader(path)) as reader:
        for row, others in ((first, [answer, third, same]), (third, [first, answer])):
            message = reader.message(row)
            assert message is not None
            assert [each.row for each in conversation(reader, row, message, account_id="C-1")] == others
        message = reader.message(first)
        assert message is not None
        links = {each.row: each.link for each in conversation(reader, first, message, account_id="C-1")}
    assert links == {answer: "refers", third: "refers", same: "subject"}


def test_an_answer_to_our_mail_is_of_the_conversation(log: Log, path: Path, write: Writer) -> None:
    first = write(subject="Badges")
    with log.transaction():
        log.db.execute(
            "INSERT INTO effect (key, message, kind, lane, state, not_before_at, external_id, payload, created_at, "
            "changed_at) VALUES ('ack:1', ?, 'ack', 'mail', 'done', 0, '<ours@firm.example>', '{}', 0, 0)",
            (first,),
        )
    answer = write(days=1, subject="Thanks", in_reply_to=("<ours@firm.example>",), account=None)
    with closing(Reader(path)) as reader:
        message = reader.message(answer)
        assert message is not None
        (found,) = conversation(reader, answer, message, account_id=None)
    assert (found.row, found.sent) == (first, ("ack",))


def test_strangers_have_conversations_too_and_a_removed_mail_breaks_none(log: Log, path: Path, write: Writer) -> None:
    ann, bob = Address("ann@else.example"), Address("bob@else.example")
    first = write(subject="Do you take small firms?", sender=ann, account=None)
    second = write(days=1, subject="Re: Do you take small firms?", sender=ann, account=None)
    write(days=1, subject="Re: Do you take small firms?", sender=bob, account=None)
    gone = write(days=2, subject="Re: Do you take small firms?", sender=ann, account=None)
    with log.transaction():
        keep.clear(log, [gone], event="removed", why="its days are over", now=NOW)
    with closing(Reader(path)) as reader:
        message = reader.message(first)
        assert message is not None
        assert [each.row for each in conversation(reader, first, message, account_id=None)] == [second]


@pytest.mark.parametrize(
    ("subject", "plain"),
    [
        ("Re: AW: [ext] Fwd: Hello  World", "hello world"),
        ("RE[2]: x", "x"),
        ("Rechnung: offen", "rechnung: offen"),
        ("回复：合同", "合同"),
        ("", ""),
    ],
)
def test_a_subject_without_what_answering_puts_before_it(subject: str, plain: str) -> None:
    assert plain_subject(subject) == plain


def test_where_a_mail_was_filed(log: Log, path: Path, write: Writer) -> None:
    row = write()

    def filed(
        kind: str, payload: dict[str, object], *, at: int, state: str = "done", detail: str = "moved to x"
    ) -> str | None:
        with log.transaction():
            log.db.execute(
                "INSERT INTO effect (key, message, kind, lane, state, not_before_at, external_id, payload, detail, "
                "created_at, changed_at) VALUES (?, ?, ?, 'm', ?, 0, '', ?, ?, 0, ?)",
                (f"{kind}:{at}", row, kind, state, json.dumps(payload), detail, at),
            )
        with closing(Reader(path)) as reader:
            return handling.filed_to(reader, row)

    with closing(Reader(path)) as reader:
        assert handling.filed_to(reader, row) is None
    assert filed("file", {"folder": "Billing"}, at=1, state="owed", detail="") is None
    assert filed("file", {"folder": "Else"}, at=2, detail="was no longer in inbox") is None
    assert filed("file", {"folder": "Billing"}, at=3) == "Billing"
    assert filed("refile", {"target": "inbox"}, at=4) is None
    assert filed("refile", {"target": "Other"}, at=5) == "Other"
