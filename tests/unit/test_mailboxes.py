"""Mailboxes in the log: what observing keeps back, what enabling lets go, and quarantined rows that are mended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.desk import ACME, NOW, background, decided, lay_out_site, mail, raw
from triaged.cli.quarantine import safe_head
from triaged.decision import Decision
from triaged.loading import build_playbook
from triaged.log.limits import Caps
from triaged.log.mailboxes import enable, modes, observe, observed_mails, release
from triaged.log.quarantine import mend, octets_of, quarantined, raw_of, still_unreadable
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Locator, Message, Raw
from triaged.playbook import Playbook

COMPLAINT = "I am very disappointed, the report is wrong again. This is unacceptable."
LATER = NOW + timedelta(hours=1)


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    return build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))


@pytest.fixture
def log(path: Path) -> Iterator[Log]:
    with closing(Log(path, caps=Caps(window=timedelta(hours=24)))) as opened:
        yield opened


def complaint(playbook: Playbook, number: int, *, sender: str = "Ann Archer <ann@acme.example>") -> bytes:
    return mail(COMPLAINT, subject=f"Complaint {number}", number=number, sender=sender)


def record(log: Log, case: tuple[Message, Decision], *, key: str = "1") -> int:
    with log.transaction():
        return log.record(*case, Locator("desk", "inbox", key), now=NOW).row


def states(reader: Reader, row: int) -> set[tuple[str, str]]:
    return {(each.kind, each.state) for each in reader.effects(row)}


def test_a_new_mailbox_only_observes(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, decided(playbook, complaint(playbook, 1)))
    assert {state for _, state in states(reader, row)} == {"observed"}
    assert len(states(reader, row)) >= 3
    mode = modes(reader)["desk"]
    assert (mode.enabled, mode.since, mode.cut_off, mode.mails, mode.answered) == (False, NOW, None, 1, 0)
    (observed,) = observed_mails(reader, "desk", since=NOW - timedelta(days=1))
    assert mode.observed == len(observed.wishes) == len(reader.effects(row))
    assert observed.wish("ack") is not None
    assert observed_mails(reader, "desk", since=LATER) == []
    with log.transaction():
        assert all(log.claim(lane, now=LATER) is None for lane in ("mail", "calendar:lena", "mailbox:desk"))


def test_releasing_begins_what_was_intended_once_and_within_the_limits(
    log: Log, reader: Reader, playbook: Playbook
) -> None:
    first = record(log, decided(playbook, complaint(playbook, 1)))
    second = record(log, decided(playbook, complaint(playbook, 2)), key="2")
    wishes = [wish for each in observed_mails(reader, "desk", since=NOW - timedelta(days=1)) for wish in each.wishes]
    intended = {wish.effect: wish.intended for wish in wishes}
    with log.transaction():
        enable(log, "desk", cut_off=NOW - timedelta(hours=1), who="ann", now=LATER)
        began = release(log, intended, who="ann", now=LATER)
        assert release(log, intended, who="ann", now=LATER) == {}
    assert sum(began.values()) == len(intended)
    assert {each.state for each in reader.effects(first)} == {wish.intended for wish in wishes}
    assert ("ack", "dropped") in states(reader, second)  # the same person within the window
    assert all(each.not_before >= LATER for each in reader.effects(first))
    assert observed_mails(reader, "desk", since=NOW - timedelta(days=1)) == []
    assert "ack.released" in [event.name for event in reader.events(first)]
    assert modes(reader)["desk"].cut_off == NOW - timedelta(hours=1)


def test_nothing_is_released_before_its_mailbox_is_enabled(log: Log, reader: Reader, playbook: Playbook) -> None:
    row = record(log, decided(playbook, complaint(playbook, 1)))
    with log.transaction():
        release(log, [each.id for each in reader.effects(row)], who="ann", now=LATER)
    assert {state for _, state in states(reader, row)} == {"observed"}


def test_back_to_observing_holds_what_is_owed(log: Log, reader: Reader, playbook: Playbook) -> None:
    with log.transaction():
        enable(log, "desk", cut_off=NOW - timedelta(days=1), who="ann", now=NOW)
    row = record(log, decided(playbook, complaint(playbook, 1)))
    owed = sum(state == "owed" for _, state in states(reader, row))
    assert owed >= 2
    with log.transaction():
        assert observe(log, "desk", who="ann", now=LATER) == owed
    assert {state for _, state in states(reader, row)} <= {"held", "person"}
    assert reader.held_back() == []  # no limit held them: a breaker that is closed must not let them go
    other = record(log, decided(playbook, complaint(playbook, 2, sender="Bo <bo@acme.example>")), key="2")
    assert {state for _, state in states(reader, other)} == {"observed"}
    assert [each.id for each in observed_mails(reader, "desk", since=NOW - timedelta(days=1))] == [other]
    mode = modes(reader)["desk"]
    assert (mode.enabled, mode.since, mode.by) == (False, LATER, "ann")


def test_mail_without_effects_is_observed_by_the_time_it_was_logged(
    log: Log, reader: Reader, playbook: Playbook
) -> None:
    stranger = "Nobody <nobody@unknown.example>"
    cases = [decided(playbook, mail("Hello there.", number=number, sender=stranger)) for number in (1, 2, 3)]
    assert [case[1].effects for case in cases] == [()] * 3
    rows = []
    with log.transaction():
        for number, case in enumerate(cases):
            at = NOW + timedelta(minutes=number)
            rows.append(log.record(*case, Locator("desk", "inbox", str(number)), now=at).row)
            if number == 0:
                enable(log, "desk", cut_off=NOW, who="ann", now=at + timedelta(seconds=1))
            if number == 1:
                observe(log, "desk", who="ann", now=at + timedelta(seconds=1))
                enable(log, "desk_2", cut_off=NOW, who="ann", now=at + timedelta(seconds=2))
    assert [each.id for each in observed_mails(reader, "desk", since=NOW - timedelta(days=1))] == [rows[0], rows[2]]


# --- quarantine -----------------------------------------------------------------------------------------------


def quarantine(log: Log, octets: bytes, *, key: str = "9", size_bytes: int | None = None) -> int:
    unread = raw(octets, key=key)
    if size_bytes is not None:
        unread = replace(unread, size_bytes=size_bytes)
    with log.transaction():
        return log.quarantine(unread, key=f"{int(key):032x}", cause="it took longer than 20 s", now=NOW).row


def test_a_quarantined_mail_is_kept_whole(log: Log, reader: Reader) -> None:
    row = quarantine(log, b"Subject: x\r\n\r\nbody\r\n")
    (found,) = quarantined(reader)
    assert (found.id, found.cause, found.size_bytes, found.kept_bytes) == (row, "it took longer than 20 s", 20, 20)
    assert raw_of(reader, found) == Raw(Locator("desk", "inbox", "9"), NOW, b"Subject: x\r\n\r\nbody\r\n", 20)
    with log.transaction():
        still_unreadable(log, row, cause="it ended", now=LATER)
    assert quarantined(reader)[0].cause == "it ended"


@pytest.mark.parametrize(("octets", "size_bytes"), [(b"", 5000), (b"Subject: x\r\n\r\n", 5000)])
def test_a_mail_that_the_server_did_not_give_whole_is_fetched_anew(
    log: Log, reader: Reader, octets: bytes, size_bytes: int
) -> None:
    quarantine(log, octets, size_bytes=size_bytes)
    (found,) = quarantined(reader)
    assert (raw_of(reader, found), octets_of(reader, found)) == (None, octets)


def test_a_mended_mail_is_as_any_other(log: Log, reader: Reader, playbook: Playbook) -> None:
    with log.transaction():
        enable(log, "desk", cut_off=NOW - timedelta(days=1), who="ann", now=NOW)
    octets = complaint(playbook, 1)
    row = quarantine(log, octets)
    with log.transaction():
        log.index_text(10)
    message, decision = decided(playbook, octets, accounts=(ACME,))
    with log.transaction():
        mended = mend(log, row, message, decision, background(playbook, message), who="ann", now=LATER)
        assert mend(log, row, message, decision, background(playbook, message), who="ann", now=LATER) is None
    assert mended is not None
    assert (mended.row, mended.copy) == (row, False)
    listed = reader.row(row)
    assert listed is not None
    assert (listed.state, listed.account_id, listed.copies) == ("triaged", "C-1", 1)
    assert reader.message(row) == message
    assert states(reader, row) >= {("ack", "owed"), ("ask", "done")}
    assert quarantined(reader) == []
    assert [each.id for each in reader.rows(limit=9, search="disappointed")] == [row]
    assert reader.rows(limit=9, search="unreadable") == []
    with log.transaction():  # the same mail once more is a copy
        assert log.record(message, decision, Locator("desk", "inbox", "10"), now=LATER).copy


def test_a_mended_copy_goes_to_the_mail_that_is_there(log: Log, reader: Reader, playbook: Playbook) -> None:
    octets = complaint(playbook, 1)
    row = quarantine(log, octets)
    message, decision = decided(playbook, octets)
    known = record(log, (message, decision))
    with log.transaction():
        log.index_text(10)
        mended = mend(log, row, message, decision, background(playbook, message), who="ann", now=LATER)
    assert mended is not None
    assert (mended.row, mended.copy) == (known, True)
    assert reader.row(row) is None
    listed = reader.row(known)
    assert listed is not None
    assert listed.copies == 2
    assert {"quarantined", "triaged", "mended"} <= {event.name for event in reader.events(known)}
    assert ("ask", "done") in states(reader, known)
    assert reader.rows(limit=9, search="unreadable") == []
    assert reader.counts(since_ms=0).copies == 1


def test_a_head_is_shown_without_what_a_terminal_obeys() -> None:
    octets = b"Subject: \x1b[2J\x07a\xffb\r\nFrom: \xe2\x80\xaeevil \xc3\xa4\r\n\tfolded\r\n\r\nbody \x1b\r\n"
    assert safe_head(octets) == ["Subject: \\x1b[2J\\x07a\\xffb", "From: \\u202eevil ä", "\tfolded"]
    assert len(safe_head(b"X: y\r\n" * 5_000)) == 60
    assert safe_head(b"") == [""]
