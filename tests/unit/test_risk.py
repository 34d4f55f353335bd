"""The risk of losing a client: noisy-or over kinds, free of order; the account's trend as the log tells it."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import itertools
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.desk import ACME, NOW, decided, effects_of, lay_out_site, mail, open_log, raw
from tests.unit.rules_facts import verdict
from triaged.accounts.match import directory
from triaged.decision import Decision, Notify
from triaged.loading import build_playbook
from triaged.log import keep
from triaged.log.encode import DECISION
from triaged.log.people import correct, put_accounts
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.mail.donotanswer import DoNotAnswer
from triaged.model import Automatic, Evidence, Locator, Message, Risk, Trend
from triaged.playbook import Playbook
from triaged.risk import assess, trend_words
from triaged.views import risk_view
from triaged.worker.triage import Desk, Triaged, triage

CALM = verdict({"request": 0.8, "complaint": 0.1, "renewal": 0.1})
ANGRY = verdict({"complaint": 0.8, "request": 0.3, "renewal": 0.1})
LEAVING = verdict({"complaint": 0.8, "renewal": 0.6, "request": 0.1})
RISING = Trend(recent=0.55, recent_mails=3, before=0.12, before_mails=4, chasers=0)
CHURN = Evidence("signals.toml:9", "churn", 0.8, "looking at\nalternatives", 10, 33)
CHASING = Evidence("signals.toml:1", "chasing", 0.9, "second time I ask", 40, 57)
HINT = Evidence("own.toml:1", "churn", 0.4, "new broom", 60, 69)
OWN = Evidence("own.toml:5", "moving", 0.6, "new premises", 70, 82)


def test_nothing_found_is_no_risk() -> None:
    assert assess((), CALM, None) == Risk(0.0, (), None)
    assert assess((), CALM, Trend(0.0, 0, 0.0, 0, 0)).score == 0


@pytest.mark.parametrize(
    ("signals", "judged", "trend", "score"),
    [
        ((CHURN,), CALM, None, 0.8 * 0.9),
        ((CHASING,), CALM, None, 0.9 * 0.3),
        ((OWN,), CALM, None, 0.6 * 0.5),
        ((CHURN, HINT), CALM, None, 0.8 * 0.9),  # of one kind the strongest counts
        ((CHURN, CHASING), CALM, None, 1 - (1 - 0.72) * (1 - 0.27)),
        ((), ANGRY, None, 0.8 * 0.5),
        ((), LEAVING, None, 1 - (1 - 0.4) * (1 - 0.6 * 0.8)),
        ((), CALM, RISING, 0.43),
        ((CHASING,), ANGRY, RISING, 1 - (1 - 0.27) * (1 - 0.4) * (1 - 0.43)),
        ((), CALM, dataclasses.replace(RISING, recent=0.2), 0.0),  # 0.08 more is no rise
        ((), CALM, dataclasses.replace(RISING, recent=0.0), 0.0),  # falling takes nothing away
        ((), CALM, dataclasses.replace(RISING, recent_mails=2), 0.0),
        ((), CALM, dataclasses.replace(RISING, before_mails=2), 0.0),
        ((), CALM, Trend(0.1, 2, 0.0, 0, chasers=2), 0.2),
        ((), CALM, Trend(0.1, 9, 0.0, 0, chasers=9), 0.4),
    ],
)
def test_how_it_comes_about(signals: tuple[Evidence, ...], judged: object, trend: Trend | None, score: float) -> None:
    found = assess(signals, judged, trend)  # type: ignore[arg-type]
    assert found.score == pytest.approx(score)
    assert found.trend == trend


def test_order_does_not_matter_and_more_never_lowers() -> None:
    every = [assess(order, ANGRY, RISING) for order in itertools.permutations((CHURN, CHASING, HINT, OWN))]
    assert len(every) == 24
    assert len(set(every)) == 1
    scores = [assess((CHURN, CHASING, HINT, OWN)[:count], ANGRY, RISING).score for count in range(5)]
    assert scores == sorted(scores)
    assert scores[0] < scores[-1] < 1


def test_the_evidence_says_what_each_would_be_alone() -> None:
    found = assess((CHASING, CHURN, HINT), ANGRY, dataclasses.replace(RISING, chasers=3))
    assert [(each.source, each.category, round(each.weight, 2), each.words) for each in found.evidence] == [
        ("signals.toml:9", "churn", 0.72, "looking at\nalternatives"),
        ("log", "trend", 0.43, "complaint scores rising: 0.12 → 0.55 over 7 mails"),
        ("verdict", "complaint", 0.4, "score 0.80"),
        ("own.toml:1", "churn", 0.36, "new broom"),
        ("log", "chasers", 0.3, "3 in the last 30 days"),
        ("signals.toml:1", "chasing", 0.27, "second time I ask"),
    ]
    assert found.signals == ("churn", "chasing")


@pytest.mark.parametrize(
    ("trend", "words"),
    [
        (RISING, "complaint scores rising: 0.12 → 0.55 over 7 mails"),
        (Trend(0.1, 3, 0.5, 3, 0), "complaint scores falling: 0.50 → 0.10 over 6 mails"),
        (Trend(0.15, 3, 0.1, 30, 0), "complaint scores steady: 0.10 → 0.15 over 33 mails"),
        (Trend(0.9, 2, 0.1, 30, 0), "too few mails for a trend: 2 in 30 days, 30 in the 90 before"),
    ],
)
def test_a_trend_in_words(trend: Trend, words: str) -> None:
    assert trend_words(trend) == words


# --- in a decision ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    return build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))


CHASER = "Hello, this is the second time I ask: could you send me the list of our seats? Thank you, Ann"
THREAT = (
    "Could you send us the figures? To be open, we are looking at alternatives and hear from our lawyers on Friday."
)


def told(decision: Decision) -> str:
    """What the account manager reads."""
    [(notice, _)] = effects_of(decision, Notify)
    assert isinstance(notice, Notify)
    body = email.message_from_bytes(notice.mail.octets, policy=email.policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def test_a_chaser_raises_the_priority(playbook: Playbook) -> None:
    _, decision = decided(playbook, mail(CHASER))
    assert decision.risk.signals == ("chasing",)
    [chasing] = [each for each in decision.risk.evidence if each.category == "chasing"]
    assert (chasing.weight, chasing.words) == (pytest.approx(0.27), "second time I ask")
    assert 0.27 - 1e-9 <= decision.risk.score < 0.7
    assert decision.priority == "high"
    assert "chasing" in decision.tags
    assert effects_of(decision, Notify) == []


def test_a_signal_is_no_category(playbook: Playbook) -> None:
    _, decision = decided(playbook, mail(CHASER))
    names = {each.category for each in decision.verdict.scores}
    assert names == {"request", "complaint", "renewal"}
    assert {each.category for each in decision.verdict.evidence} <= names


def test_signals_that_are_only_quoted_do_nothing(playbook: Playbook) -> None:
    quoted = "\n".join(f"> {line}" for line in (CHASER, THREAT))
    _, decision = decided(playbook, mail(f"Thank you, all is well now.\n\nOn Monday Ann wrote:\n{quoted}"))
    assert decision.risk == Risk(0.0, (), None)
    assert {rule.name for rule in decision.rules if rule.fired} & {"They chase us", "Client at risk"} == set()
    _, said = decided(playbook, mail(f"{CHASER}\n{THREAT}"))
    assert set(said.risk.signals) == {"chasing", "churn", "escalation"}


def test_a_threat_goes_to_the_account_manager_with_its_words(playbook: Playbook) -> None:
    trend = dataclasses.replace(RISING, chasers=2)
    _, decision = decided(playbook, mail(THREAT), trend=trend)
    assert decision.risk.score >= 0.7
    assert "at risk" in decision.tags
    text = told(decision)
    for words in (
        f"Risk of losing this client: {decision.risk.score:.2f} of 1\n",
        "- churn “looking at alternatives”\n",
        "- escalation “hear from our lawyers”\n",
        "(90 days before → last 30 days): 0.12 → 0.55\n",
        "Chasers of this account in the last 30 days: 2\n",
    ):
        assert words in text


def test_without_a_threat_the_manager_is_told_of_no_risk(playbook: Playbook) -> None:
    _, decision = decided(playbook, mail("I am very disappointed, the report is wrong. This is unacceptable."))
    assert decision.risk.score > 0
    assert "Risk" not in told(decision)


def test_a_worsening_account_tips_the_scales(playbook: Playbook) -> None:
    text = f"{CHASER} I am very disappointed that nobody answers."
    _, alone = decided(playbook, mail(text))
    _, worse = decided(playbook, mail(text), trend=dataclasses.replace(RISING, chasers=3))
    assert alone.risk.score < 0.7 <= worse.risk.score
    assert ("at risk" in alone.tags, "at risk" in worse.tags) == (False, True)


# --- in the log -------------------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = open_log(tmp_path / "triaged.db")
    with opened.transaction():
        put_accounts(opened, [ACME])
    yield opened
    opened.close()


@pytest.fixture
def reader(log: Log, tmp_path: Path) -> Iterator[Reader]:
    with closing(Reader(tmp_path / "triaged.db")) as opened:
        yield opened


Case = tuple[Message, Decision]


def record(
    log: Log,
    case: Case,
    *,
    number: int,
    received: datetime,
    score: float,
    chasing: bool = False,
    account_id: str | None = "C-1",
    by: str = "person",
) -> int:
    """A mail like `case`, with this complaint score."""
    message, decision = case
    changed = dataclasses.replace(
        message,
        key=f"{number:032x}",
        received=received,
        automatic=Automatic(by, ""),  # type: ignore[arg-type]
    )
    risk = assess((CHASING,) if chasing else (), CALM, None)
    made = dataclasses.replace(
        decision,
        message_key=changed.key,
        verdict=verdict({"complaint": score, "request": 0.1}),
        account=dataclasses.replace(decision.account, account_id=account_id),
        risk=risk,
        effects=(),
    )
    with log.transaction():
        return log.record(changed, made, Locator("desk", "inbox", str(number)), now=received).row


@pytest.fixture
def case(playbook: Playbook) -> Case:
    return decided(playbook, mail(CHASER))


def days(count: float) -> datetime:
    return NOW - timedelta(days=count)


def test_the_trend_of_an_account(log: Log, reader: Reader, case: Case) -> None:
    assert reader.trend("C-1", before=NOW) == Trend(0.0, 0, 0.0, 0, 0)
    for number, (age, score, chasing) in enumerate(
        ((1, 0.9, True), (10, 0.5, False), (30, 0.4, True), (30.1, 0.1, True), (119, 0.2, False), (121, 0.9, True))
    ):
        record(log, case, number=number, received=days(age), score=score, chasing=chasing)
    record(log, case, number=11, received=days(2), score=0.99, account_id="C-2")
    record(log, case, number=12, received=days(2), score=0.99, by="machine")
    record(log, case, number=13, received=NOW, score=0.99)
    found = reader.trend("C-1", before=NOW)
    assert (found.recent, found.before) == (pytest.approx(0.6), pytest.approx(0.15))
    assert (found.recent_mails, found.before_mails, found.chasers) == (3, 2, 2)


def test_a_correction_counts_above_the_score(log: Log, reader: Reader, case: Case) -> None:
    rows = [record(log, case, number=number, received=days(1), score=0.8) for number in range(2)]
    with log.transaction():
        correct(log, rows[0], categories=("request",), account_id=None, who="eva", now=NOW)
    assert reader.trend("C-1", before=NOW).recent == pytest.approx(0.4)
    with log.transaction():
        correct(log, rows[0], categories=("complaint",), account_id=None, who="eva", now=NOW)
    assert reader.trend("C-1", before=NOW).recent == pytest.approx(0.9)


def test_the_trend_is_read_from_its_index(log: Log, reader: Reader, case: Case) -> None:
    record(log, case, number=1, received=days(1), score=0.5)
    sql = "EXPLAIN QUERY PLAN SELECT chasing FROM message WHERE account_id = 'C-1' AND received_at >= 1 "
    [plan] = reader.select(sql + "AND received_at < 2 AND complaint IS NOT NULL")
    assert "COVERING INDEX message_trend (account_id=? AND received_at>? AND received_at<?)" in plan[3]


def test_the_next_mail_is_decided_by_what_the_log_knows(log: Log, reader: Reader, playbook: Playbook) -> None:
    calm = decided(playbook, mail("Thank you for the visit, all is fine."))
    for number in range(3):
        record(log, calm, number=number, received=days(60), score=0.05)
        record(log, calm, number=10 + number, received=days(5), score=0.75, chasing=True)
    known = directory(reader.accounts())
    for source, chasers in ((reader, 3), (None, 0)):
        given = raw(mail(f"{CHASER} I am very disappointed that nobody answers.", number=2))
        [result] = triage([given], desk=Desk(playbook, known, source, DoNotAnswer()), now=NOW)
        assert isinstance(result, Triaged)
        risk = result.decision.risk
        assert (risk.trend.chasers if risk.trend is not None else 0) == chasers
        assert (risk.score >= 0.7) is (source is not None)
    stranger = raw(mail(CHASER, sender="who@elsewhere.example"))
    [result] = triage([stranger], desk=Desk(playbook, known, reader, DoNotAnswer()), now=NOW)
    assert isinstance(result, Triaged)
    assert result.decision.risk.trend is None


def test_the_risk_is_kept_with_the_mail(log: Log, reader: Reader, case: Case) -> None:
    message, decision = case
    with log.transaction():
        row = log.record(message, decision, Locator("desk", "inbox", "1"), now=NOW).row
    stored = reader.decision(row)
    assert stored is not None
    assert stored.risk == decision.risk
    [line] = reader.rows(limit=1)
    assert line.risk == pytest.approx(decision.risk.score)
    with log.transaction():
        keep.clear(log, [row], event="removed", why="its days are over", now=NOW)
    bare = reader.decision(row)
    assert bare is not None
    assert bare.risk.score == decision.risk.score
    assert bare.risk.signals == ("chasing",)
    assert {(each.words, each.start) for each in bare.risk.evidence} == {("", -1)}


def test_a_decision_of_an_earlier_version_is_still_read(case: Case) -> None:
    _, decision = case
    old = json.loads(DECISION.dump_json(dataclasses.replace(decision, effects=())))
    del old["risk"]
    assert DECISION.validate_json(json.dumps(old)).risk == Risk(0.0, (), None)


def test_the_view_is_whole() -> None:
    view = risk_view(assess((CHURN,), ANGRY, RISING))
    assert (view["signals"], view["trend"]["change"], view["trend"]["recent_mails"]) == (["churn"], "rising", 3)
    assert view["trend"]["words"] == "complaint scores rising: 0.12 → 0.55 over 7 mails"
    told = [{name: each[name] for name in ("source", "category", "weight", "words")} for each in view["evidence"]]
    assert {"source": "log", "category": "trend", "weight": 0.43, "words": view["trend"]["words"]} in told
    assert risk_view(Risk())["trend"] is None
