"""Server and log compared: which messages without a row are a fault, what became of those that went, what was sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from triaged.log.places import Placed, SentEffect
from triaged.model import Surveyed
from triaged.reconcile import Look, Missing, Reconciled, earliest, gone, missing, sent, view

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
POLL = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)
DOMAIN = "desk.example"
OURS = f"<{'0f' * 20}@{DOMAIN}>"


def lying(message_id: str, folder: str = "INBOX", *, is_sent: bool = False) -> Surveyed:
    return Surveyed(folder, "9/1", NOW, "ann@client.example", message_id, (), (), False, is_sent, ())


def look(*, running: bool, ahead: tuple[str, ...] | None = (), cursor_at: datetime | None = NOW - 5 * MINUTE) -> Look:
    return Look(running, frozenset(ahead) if ahead is not None else None, cursor_at, POLL)


@pytest.mark.parametrize(
    ("looked", "age", "why"),
    [
        (look(running=True), timedelta(seconds=59), "new"),
        (look(running=True), timedelta(seconds=61), "lost"),
        (look(running=True, ahead=("1/2",)), timedelta(seconds=61), "unread"),
        (look(running=False), timedelta(seconds=1), "lost"),  # the cursor is past it
        (look(running=False, ahead=("1/2",)), timedelta(seconds=1), "unread"),
        (look(running=False, cursor_at=None), timedelta(days=9), "unread"),  # the worker never ran
        (look(running=True), None, "lost"),
        # Without order (Maildir) nothing tells but time.
        (look(running=True, ahead=None), timedelta(seconds=59), "new"),
        (look(running=True, ahead=None), MINUTE * 2, "lost"),
        (look(running=True, ahead=None, cursor_at=NOW - timedelta(seconds=10)), MINUTE * 2, "unread"),
        (look(running=False, ahead=None), MINUTE * 4, "unread"),
        (look(running=False, ahead=None), MINUTE * 6, "lost"),
    ],
)
def test_why_a_message_has_no_row(looked: Look, age: timedelta | None, why: str) -> None:
    dates = {"1/2": NOW - age} if age is not None else {}
    (found,) = missing(("1/1", "1/2", "1/3"), frozenset({"1/1", "1/3"}), dates=dates, look=looked, now=NOW)
    assert (found.key, found.why) == ("1/2", why)


def test_it_is_whole_when_nothing_but_new_mail_has_no_row() -> None:
    def whole(*found: Missing) -> bool:
        result = Reconciled("desk", "INBOX", 3, 3 - len(found), found, (), 0, None)
        assert view(result)["whole"] == result.is_whole
        return result.is_whole

    assert whole()
    assert whole(Missing("1", "new", ""), Missing("2", "new", ""))
    assert not whole(Missing("1", "new", ""), Missing("2", "unread", ""))
    assert not whole(Missing("2", "lost", ""))


def test_what_became_of_what_is_no_longer_there() -> None:
    def place(key: str, row: int | None, message_id: str, *, moved: bool = False, folder: str = "INBOX") -> Placed:
        return Placed(folder, key, row, message_id, NOW - timedelta(days=int(key)), moved)

    places = [
        place("1", 1, "<there@c>"),
        place("2", 2, "<filed@c>", moved=True),
        place("3", 3, "<by-people@c>"),
        place("4", 4, "<deleted@c>"),
        place("5", None, ""),
        place("6", 1, "<there@c>"),
        place("7", 7, ""),
        place("8", 8, "<of-old@c>", folder="Clients"),
        place("9", 9, "<in-sent-only@c>"),
    ]
    lies = [
        lying("<there@c>"),
        lying("<by-people@c>", "Complaints"),
        lying("<by-people@c>"),
        lying("<in-sent-only@c>", "Sent", is_sent=True),
    ]
    assert dict(gone(places, frozenset({"1"}), lies, watched="INBOX")) == {
        "moved by triaged": 1,
        "moved to Complaints by people": 1,
        "deleted, or moved to another mailbox": 2,
        "vanished before it could be read": 1,
        "there under another number": 1,
        "moved or deleted (it has no Message-ID to look for)": 1,
    }
    assert earliest(places, frozenset({"1"}), watched="INBOX", default=NOW) == NOW - timedelta(days=9)
    assert earliest(places[:2], frozenset({"1"}), watched="INBOX", default=NOW) == NOW


def test_sent_mail_both_ways() -> None:
    effects = [
        SentEffect(1, "ack", "done", "<kept@desk.example>", NOW),
        SentEffect(2, "ack", "done", "<not-kept@desk.example>", NOW),
        SentEffect(3, "ack", "person", "<doubtful@desk.example>", NOW),
        SentEffect(4, "notify", "held", "<never-left@desk.example>", NOW),
    ]
    lies = [
        *(lying(each, "Sent", is_sent=True) for each in ("<kept@desk.example>", "<doubtful@desk.example>", OURS)),
        lying("<by-a-person@desk.example>", "Sent", is_sent=True),
        lying(OURS.replace(DOMAIN, "deskXexample"), "Sent", is_sent=True),
        lying("<not-kept@desk.example>", "INBOX"),
    ]
    found = sent(effects, lies, domain=DOMAIN)
    assert found.done == 2
    assert [each.row for each in found.not_found] == [2]
    assert {(each.message_id, each.row) for each in found.unmatched} == {("<doubtful@desk.example>", 3), (OURS, None)}
