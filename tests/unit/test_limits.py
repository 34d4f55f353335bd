"""Limits: one answer a person and window, caps an hour and domain, the breaker, observed mailboxes, the cut-off."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.desk import ACME, NOW, decided, lay_out_site, mail, open_log
from triaged.decision import Decision, EffectState, Notify, Outgoing, Planned, SendAck
from triaged.loading import build_playbook
from triaged.log.limits import Caps
from triaged.log.people import settle
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Bounce, BouncedRecipient, Locator, Message

CAPS = Caps(window=timedelta(hours=24), per_hour=5, domain_per_hour=3, breaker_per_hour=8, notices_per_hour=2)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Message, Decision]:
    playbook = build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))
    return decided(playbook, mail("Could you please send me the invoice of October?"), accounts=(ACME,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "triaged.db"


@pytest.fixture
def log(path: Path) -> Iterator[Log]:
    open_log(path).close()
    opened = Log(path, caps=CAPS)
    yield opened
    opened.close()


class Desk:
    """Mails arrive, each with one effect planned; `states` tells what became of the effects."""

    def __init__(self, log: Log, reader: Reader, case: tuple[Message, Decision]) -> None:
        self.log, self.reader, (self._message, self._decision) = log, reader, case
        self.rows: list[int] = []

    def arrives(
        self,
        client: str = "ann",
        domain: str = "",
        *,
        at: datetime = NOW,
        received: datetime | None = None,
        state: EffectState = "owed",
        mailbox: str = "desk",
        colleague: str = "",
        answers: str = "",
        refers: tuple[str, ...] = (),
    ) -> int:
        key = hashlib.sha256(str(len(self.rows)).encode()).hexdigest()[:32]
        outgoing = Outgoing("", f"{client}@client.example", f"<{key}@desk.example>", b"")
        named = {"in_reply_to": (answers,) if answers else (), "references": refers}
        message = dataclasses.replace(self._message, key=key, received=received or at, **named)
        effect: SendAck | Notify = SendAck(f"ack:{key}", "received", outgoing, client, domain or f"{client}.example")
        if colleague:
            effect = Notify(f"notify:{key}", colleague, "why", outgoing)
        decision = dataclasses.replace(
            self._decision, message_key=key, reference=f"T-{len(self.rows)}", effects=(Planned(effect, state, at),)
        )
        with self.log.transaction():
            row = self.log.record(message, decision, Locator(mailbox, "inbox", key), now=at).row
        self.rows.append(row)
        return row

    def bounces(self, message_id: str, *, permanent: bool) -> None:
        """A delivery report for one of our mails comes in."""
        bounce = Bounce((message_id,), (BouncedRecipient("x@client.example", permanent, "550 no such user"),))
        key = hashlib.sha256(f"{message_id} {permanent}".encode()).hexdigest()[:32]
        message = dataclasses.replace(self._message, key=key, bounce=bounce)
        decision = dataclasses.replace(self._decision, message_key=key, effects=())
        with self.log.transaction():
            self.log.record(message, decision, Locator("desk", "inbox", key), now=NOW)

    def sent(self, row: int) -> str:
        """The Message-ID of what answers a mail."""
        return str(self.reader.effects(row)[0].payload["mail"]["message_id"])

    def states(self) -> list[str]:
        return [self.reader.effects(row)[0].state for row in self.rows]

    def detail(self, row: int) -> str:
        return self.reader.effects(row)[0].detail


@pytest.fixture
def desk(log: Log, reader: Reader, case: tuple[Message, Decision]) -> Desk:
    return Desk(log, reader, case)


def test_one_person_is_answered_once_a_window(desk: Desk) -> None:
    desk.arrives("ann")
    second = desk.arrives("ann", at=NOW + timedelta(hours=23))
    desk.arrives("ben", at=NOW + timedelta(hours=23))
    desk.arrives("ann", at=NOW + timedelta(hours=24, seconds=1))
    assert desk.states() == ["owed", "dropped", "owed", "owed"]
    assert "T-0" in desk.detail(second)
    assert "one in 24 h" in desk.detail(second)


def test_a_clock_that_was_wrong_stops_nobody_for_years(desk: Desk) -> None:
    for number in range(6):
        desk.arrives(f"client{number}", at=NOW + timedelta(days=3650))
    desk.arrives("client1")
    desk.arrives("ann")
    assert desk.states()[-2:] == ["owed", "owed"]
    assert [desk.reader.effects(row)[0].not_before for row in desk.rows[-2:]] == [NOW, NOW]


def test_machines_that_answer_each_other_end_whatever_the_window(desk: Desk) -> None:
    """Each answer comes after the window, with In-Reply-To alone; at last two of ours stand behind it."""
    rows = [desk.arrives("ann")]
    for day in (1, 2):
        rows.append(desk.arrives("ann", at=NOW + timedelta(days=2 * day), answers=desk.sent(rows[-1])))
    assert desk.states() == ["owed", "owed", "held"]
    assert "answer 2 acknowledgements of ours" in desk.detail(rows[2])


def test_machines_that_take_a_new_address_each_time_end_too(desk: Desk) -> None:
    first = desk.arrives("case-1")
    second = desk.arrives("case-2", refers=(desk.sent(first),))
    desk.arrives("case-3", refers=(desk.sent(first), desk.sent(second)))
    assert desk.states() == ["owed", "owed", "held"]


def test_a_client_who_answers_an_acknowledgement_is_answered(desk: Desk) -> None:
    first = desk.arrives("ann")
    desk.arrives("ann", at=NOW + timedelta(days=2), answers=desk.sent(first), refers=(desk.sent(first),))
    desk.arrives("ben", refers=("<a@client.example>", desk.sent(first)))
    desk.arrives("carl", refers=("<a@client.example>", "<b@client.example>"))
    with desk.log.transaction():
        desk.log.db.execute("UPDATE message SET parsed = '' WHERE id = ?", (first,))  # as when it was cleared
    desk.arrives("dora", refers=(desk.sent(first),))
    assert desk.states() == ["owed"] * 5


def test_another_mailbox_has_its_own_window(desk: Desk) -> None:
    with desk.log.transaction():
        desk.log.db.execute("INSERT INTO mailbox VALUES ('support', 0, 0, 'test')")
    desk.arrives("ann")
    desk.arrives("ann", mailbox="support")
    assert desk.states() == ["owed", "owed"]


def test_what_waits_for_approval_takes_the_window_until_it_is_dropped(desk: Desk) -> None:
    first = desk.arrives("ann", state="held")
    desk.arrives("ann")
    with desk.log.transaction():
        settle(desk.log, first, approve=False, who="lena", now=NOW)
    desk.arrives("ann")
    assert desk.states() == ["dropped", "dropped", "owed"]
    assert "waits for approval already (T-0)" in desk.detail(desk.rows[1])


def test_no_sixty_minutes_see_more_than_the_cap(desk: Desk) -> None:
    for number in range(7):
        desk.arrives(f"client{number}", at=NOW + number * timedelta(minutes=1))
    assert desk.states() == ["owed"] * 7
    leaves = [desk.reader.effects(row)[0].not_before - NOW for row in desk.rows]
    assert leaves[:5] == [number * timedelta(minutes=1) for number in range(5)]
    assert leaves[5:] == [HOUR, HOUR + timedelta(minutes=1)]
    assert "put off" in desk.detail(desk.rows[5])


def test_one_domain_cannot_use_it_all_up(desk: Desk) -> None:
    for number in range(4):
        desk.arrives(f"client{number}", "many.example")
    desk.arrives("other", "other.example")
    assert desk.states() == ["owed", "owed", "owed", "held", "owed"]
    assert "many.example had 3 answers" in desk.detail(desk.rows[3])


def test_the_breaker_opens_holds_everything_and_survives_a_restart(desk: Desk, path: Path) -> None:
    for number in range(8):
        desk.arrives(f"client{number}")
    assert desk.reader.breaker().opened is None
    desk.arrives("client8")
    assert set(desk.states()) == {"held"}  # what was owed a moment ago too
    assert "8 acknowledgements were wanted within an hour" in desk.reader.breaker().why
    with closing(Log(path, caps=CAPS)) as desk.log:
        desk.arrives("client9", at=NOW + timedelta(days=3))
    assert desk.states()[-1] == "held"
    assert len(desk.reader.held_back()) == 10


def test_a_closed_breaker_counts_anew_and_lets_go_only_what_it_held(desk: Desk) -> None:
    approval = desk.arrives("gus", state="held")
    for number in range(8):
        desk.arrives(f"client{number}")
    assert desk.reader.breaker().opened is not None
    with desk.log.transaction():
        assert desk.log.limits.close_breaker(who="lena", now=NOW)
        assert not desk.log.limits.close_breaker(who="lena", now=NOW)
        for row in desk.rows:
            settle(desk.log, row, approve=True, who="lena", now=NOW, only_held_back=True)
    desk.arrives("late", at=NOW + timedelta(seconds=1))
    assert desk.reader.effects(approval)[0].state == "held"
    assert set(desk.states()[1:]) == {"owed"}


def test_a_colleague_is_not_flooded(desk: Desk) -> None:
    for number in range(3):
        desk.arrives(f"client{number}", colleague="lena")
    desk.arrives("x", colleague="marek")
    desk.arrives("y", colleague="lena", at=NOW + HOUR + timedelta(seconds=1))
    assert desk.states() == ["owed", "owed", "held", "owed", "owed"]


def test_an_observed_mailbox_does_nothing(desk: Desk) -> None:
    desk.arrives("ann", mailbox="new")
    desk.arrives("ann", mailbox="new", colleague="lena")
    assert desk.states() == ["observed", "observed"]
    with desk.log.transaction():
        assert desk.log.claim("mail", now=NOW) is None


def test_mail_from_before_the_cut_off_is_never_answered(desk: Desk) -> None:
    with desk.log.transaction():
        desk.log.db.execute("UPDATE mailbox SET cut_off_at = ?", (round(NOW.timestamp() * 1000),))
    desk.arrives("ann", received=NOW - timedelta(seconds=1))
    desk.arrives("ann", received=NOW)
    assert desk.states() == ["dropped", "owed"]


def test_an_address_that_our_answer_came_back_from_is_not_answered_again(desk: Desk, log: Log, reader: Reader) -> None:
    first = desk.arrives("ann")
    desk.bounces("<nobody-made-this@evil.example>", permanent=True)
    desk.bounces(desk.sent(first), permanent=False)
    assert reader.bounced() == []
    desk.bounces(desk.sent(first), permanent=True)
    [bounced] = reader.bounced()
    assert (bounced.message, bounced.why) == (first, "550 no such user")
    asked = [each.payload["question"] for each in reader.effects(first) if each.kind == "ask"]
    assert asked == ["Our mail to ann@client.example came back: 550 no such user"]
    later = desk.arrives("ann", at=NOW + timedelta(days=30))
    assert reader.effects(later)[0].state == "dropped"
    assert "550 no such user" in desk.detail(later)
    with log.transaction():
        assert log.limits.clear_bounced(first)
    assert reader.effects(desk.arrives("ann", at=NOW + timedelta(days=60)))[0].state == "owed"
