"""Each condition that people must hear of: what raises it, what clears it, and that it is told once."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from triaged.log.alerts import Alert, LogFacts, RunRow
from triaged.log.rows import BreakerRow, HealthRow
from triaged.worker.alarms import (
    ABSENT,
    Certificate,
    Condition,
    Disk,
    Facts,
    News,
    Quiet,
    Thresholds,
    absence,
    conditions,
    heard,
    message,
    news,
    seen,
    unheard,
)

NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
AGAIN = timedelta(minutes=60)
LIMITS = Thresholds(
    zone="Europe/Berlin",
    poll=timedelta(seconds=30),
    waiting=timedelta(hours=24),
    disk_min_bytes=500_000_000,
    disk_min_share=0.05,
)
ROOM = Disk(free=50_000_000_000, total=100_000_000_000, full=False)
RUNS = RunRow(NOW - timedelta(days=3), NOW, None)
WELL = Facts(
    now=NOW,
    log=LogFacts(
        parts=(HealthRow("mailbox desk", "ok", "", NOW), HealthRow("rules", "ok", "", NOW)),
        run=RUNS,
        run_before=RunRow(NOW - timedelta(days=9), NOW - timedelta(days=3), NOW - timedelta(days=3)),
    ),
    disk=ROOM,
    certificates=(Certificate("imap.example:993", NOW + timedelta(days=15)),),
)


def part(name: str, *, state: str = "trouble", for_s: float = 10, detail: str = "it said no") -> LogFacts:
    return LogFacts(parts=(HealthRow(name, state, detail, NOW - timedelta(seconds=for_s)),))


def ends_in(days: float) -> tuple[Certificate, ...]:
    return (Certificate("imap.example:993", NOW + timedelta(days=days)),)


def secret_ends_in(days: float) -> tuple[Certificate, ...]:
    return (Certificate("secret of the sign-in ms", NOW + timedelta(days=days), ours=True),)


CRASHED = RunRow(NOW - timedelta(days=1), NOW - timedelta(minutes=1), None)
STARTED = RunRow(NOW - timedelta(minutes=1), NOW, None)

TABLE: list[tuple[str, dict[str, object], dict[str, object], str, str, int]] = [
    # name, what raises it, what is nearly so and does not, key, severity, step
    (
        "refused login",
        {"log": part("mailbox desk", detail="imap.example: user name or password is refused")},
        {"log": part("mailbox desk", for_s=9)},
        "part:mailbox desk",
        "trouble",
        1,
    ),
    ("lane", {"log": part("lane mail")}, {"log": part("lane mail", state="ok")}, "part:lane mail", "trouble", 1),
    (
        "dead job",
        {"log": part("timer canary")},
        {"log": part("timer canary", state="stopped")},
        "part:timer canary",
        "trouble",
        1,
    ),
    ("channel", {"log": part("alerts")}, {"log": part("alerts", state="ok")}, "part:alerts", "trouble", 1),
    ("rules not taken", {"log": part("rules")}, {"log": part("rules", state="ok")}, "rules", "warning", 1),
    (
        "list not understood",
        {"log": part("do-not-answer list")},
        {"log": part("do-not-answer list", state="ok")},
        "part:do-not-answer list",
        "warning",
        1,
    ),
    ("hung part", {"silent": ("triage 1",)}, {"silent": ()}, "silent:triage 1", "trouble", 1),
    ("log cannot be written", {"log_problem": "disk I/O error"}, {"log_problem": ""}, "log", "trouble", 1),
    (
        "disk low",
        {"disk": dataclasses.replace(ROOM, free=4_900_000_000)},
        {"disk": dataclasses.replace(ROOM, free=5_100_000_000)},
        "disk",
        "warning",
        1,
    ),
    (
        "disk very small",
        {"disk": Disk(499_000_000, 1_000_000_000, full=False)},
        {"disk": Disk(501_000_000, 1_000_000_000, full=False)},
        "disk",
        "warning",
        1,
    ),
    ("disk full", {"disk": Disk(0, 1_000_000_000, full=True)}, {"disk": ROOM}, "disk", "trouble", 2),
    (
        "certificate, 14 days",
        {"certificates": ends_in(13.9)},
        {"certificates": ends_in(14.1)},
        "certificate:imap.example:993",
        "warning",
        1,
    ),
    (
        "certificate, 7 days",
        {"certificates": ends_in(6.9)},
        {"certificates": ends_in(14.1)},
        "certificate:imap.example:993",
        "warning",
        2,
    ),
    (
        "certificate, 1 day",
        {"certificates": ends_in(0.9)},
        {"certificates": ends_in(14.1)},
        "certificate:imap.example:993",
        "warning",
        3,
    ),
    (
        "certificate over",
        {"certificates": (Certificate("imap.example:993", None, "certificate has expired"),)},
        {"certificates": ()},
        "certificate:imap.example:993",
        "trouble",
        4,
    ),
    *(
        (
            f"secret of ours, {days} days",
            {"certificates": secret_ends_in(days)},
            {"certificates": secret_ends_in(14.1)},
            "secret:secret of the sign-in ms",
            severity,
            step,
        )
        for days, severity, step in (
            (13.9, "warning", 1),
            (6.9, "warning", 2),
            (0.9, "warning", 3),
            (0, "trouble", 4),
            (-300, "trouble", 4),
        )
    ),
    (
        "secret of ours that cannot be used",
        {"certificates": (Certificate("certificate of the sign-in ms", None, "no PEM", ours=True),)},
        {"certificates": ()},
        "secret:certificate of the sign-in ms",
        "trouble",
        4,
    ),
    (
        "breaker",
        {"log": LogFacts(breaker=BreakerRow(NOW, "100 were wanted"))},
        {"log": LogFacts()},
        "breaker",
        "trouble",
        1,
    ),
    ("quarantine", {"log": LogFacts(quarantined=1)}, {"log": LogFacts(quarantined=0)}, "quarantine", "warning", 1),
    (
        "more quarantined",
        {"log": LogFacts(quarantined=10)},
        {"log": LogFacts(quarantined=0)},
        "quarantine",
        "warning",
        2,
    ),
    ("a person must decide", {"log": LogFacts(stuck=2)}, {"log": LogFacts(stuck=0)}, "person", "warning", 1),
    ("waits long", {"log": LogFacts(waiting=3)}, {"log": LogFacts(waiting=0)}, "waiting", "warning", 1),
    ("quiet", {"quiet": (Quiet("desk", NOW),)}, {"quiet": ()}, "quiet:desk", "warning", 1),
    ("canary", {"log": LogFacts(canary_lost=NOW)}, {"log": LogFacts(canary_lost=None)}, "canary", "trouble", 1),
    ("bounced", {"log": LogFacts(bounced=1)}, {"log": LogFacts(bounced=0)}, "bounced", "info", 1),
    (
        "crash",
        {"log": LogFacts(run=STARTED, run_before=CRASHED)},
        {"log": LogFacts(run=dataclasses.replace(STARTED, started=NOW - timedelta(minutes=61)), run_before=CRASHED)},
        "crash",
        "warning",
        1,
    ),
    (
        "crash, not an end in order",
        {"log": LogFacts(run=STARTED, run_before=CRASHED)},
        {"log": LogFacts(run=STARTED, run_before=dataclasses.replace(CRASHED, ended=NOW))},
        "crash",
        "warning",
        1,
    ),
]


def facts(changed: dict[str, object]) -> Facts:
    return dataclasses.replace(WELL, **changed)  # type: ignore[arg-type]


def test_nothing_is_said_while_all_is_well() -> None:
    assert conditions(WELL, LIMITS) == ()


@pytest.mark.parametrize(
    ("raising", "nearly", "key", "severity", "step"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_a_condition_is_raised_told_once_and_cleared(
    raising: dict[str, object], nearly: dict[str, object], key: str, severity: str, step: int
) -> None:
    (found,) = conditions(facts(raising), LIMITS)
    assert (found.key, found.severity, found.step) == (key, severity, step)
    assert found.words.endswith(".")
    assert len(found.words.split(". ")) >= 2  # what happened, and what to do
    assert conditions(facts(nearly), LIMITS) == ()

    alerts = seen({}, [found], now=NOW)
    (item,) = news(alerts, now=NOW, again=AGAIN)
    assert item.kind == "alarm"
    alerts = {key: heard(item, now=NOW)}
    later = NOW + timedelta(days=2)
    alerts = seen(alerts, conditions(facts(raising), LIMITS), now=later)
    assert news(alerts, now=later, again=AGAIN) == ()
    assert alerts[key].since == NOW

    alerts = seen(alerts, conditions(facts(nearly), LIMITS), now=later)
    cleared = news(alerts, now=later, again=AGAIN)
    if severity == "info":
        assert cleared == ()
    else:
        assert [each.kind for each in cleared] == ["clear"]
        alerts = {key: heard(cleared[0], now=later)}
    assert news(alerts, now=later, again=AGAIN) == ()
    alerts = seen(alerts, conditions(facts(raising), LIMITS), now=later)
    assert [each.kind for each in news(alerts, now=later, again=AGAIN)] == ["alarm"]


CONDITION = Condition("part:x", "x", "trouble", "It broke. Mend it.")


def told(alerts: dict[str, Alert], now: datetime) -> dict[str, Alert]:
    return alerts | {item.alert.key: heard(item, now=now) for item in news(alerts, now=now, again=AGAIN)}


def test_what_flaps_is_told_once_in_a_while() -> None:
    alerts: dict[str, Alert] = {}
    alarms = clears = 0
    for minute in range(600):
        now = NOW + timedelta(minutes=minute)
        alerts = seen(alerts, [CONDITION] if minute % 4 < 2 else [], now=now)
        items = news(alerts, now=now, again=AGAIN)
        alarms += sum(item.kind == "alarm" for item in items)
        clears += sum(item.kind == "clear" for item in items)
        alerts = told(alerts, now)
    assert 9 <= alarms <= 10
    assert clears == alarms


def test_what_gets_worse_is_told_anew_at_once_and_what_gets_better_is_not() -> None:
    alerts = told(seen({}, [CONDITION], now=NOW), NOW)
    worse = dataclasses.replace(CONDITION, step=2)
    later = NOW + timedelta(minutes=1)
    alerts = seen(alerts, [worse], now=later)
    assert [item.kind for item in news(alerts, now=later, again=AGAIN)] == ["alarm"]
    alerts = told(alerts, later)
    alerts = seen(alerts, [CONDITION], now=later)
    assert news(alerts, now=later, again=AGAIN) == ()
    alerts = seen(alerts, [worse], now=later)
    assert news(alerts, now=later, again=AGAIN) == ()


def test_what_could_not_be_told_stays_to_be_told_and_says_why() -> None:
    alerts = seen({}, [CONDITION], now=NOW)
    (item,) = news(alerts, now=NOW, again=AGAIN)
    alerts = {CONDITION.key: unheard(item, "1 (Slack): no route")}
    assert alerts[CONDITION.key].failed == "1 (Slack): no route"
    later = NOW + timedelta(minutes=1)
    (again,) = news(seen(alerts, [CONDITION], now=later), now=later, again=AGAIN)
    assert heard(again, now=later).failed == ""


def test_what_is_over_before_anybody_heard_of_it_is_never_told() -> None:
    alerts = seen(seen({}, [CONDITION], now=NOW), [], now=NOW)
    assert news(alerts, now=NOW, again=AGAIN) == ()


def test_a_clock_put_back_silences_nothing() -> None:
    ahead = NOW + timedelta(days=3650)
    alerts = told(seen(told(seen({}, [CONDITION], now=ahead), ahead), [], now=ahead), ahead)
    assert [item.kind for item in news(seen(alerts, [CONDITION], now=NOW), now=NOW, again=AGAIN)] == ["alarm"]


def test_a_message_names_all_of_it_once() -> None:
    alarm = News("alarm", Alert("a", "mailbox desk", "trouble", "It is shut. Open it.", 1, NOW))
    clear = News("clear", Alert("b", "breaker", "trouble", "It is open.", 1, NOW, cleared=NOW))
    assert message([alarm], host="mx", zone="UTC") == (
        "triaged on mx: trouble: mailbox desk",
        "Trouble: mailbox desk. It is shut. Open it.",
    )
    title, text = message([alarm, alarm, clear], host="mx", zone="Europe/Berlin")
    assert title == "triaged on mx: 2 alarms, 1 all-clear"
    assert text.endswith("\n\nAll clear: breaker (it was so since Tue 17 Nov 10:00).")


@pytest.mark.parametrize(
    ("run", "running", "raised"),
    [
        (None, False, False),
        (RunRow(NOW, NOW - ABSENT, None), False, True),
        (RunRow(NOW, NOW - ABSENT, None), True, False),
        (RunRow(NOW, NOW - timedelta(minutes=11), None), True, True),
        (RunRow(NOW, NOW - timedelta(days=1), NOW - timedelta(seconds=59)), False, False),
        (RunRow(NOW, NOW - timedelta(days=1), NOW - timedelta(seconds=61)), False, True),
    ],
)
def test_a_worker_that_is_away_or_hangs_is_seen_from_outside(run: RunRow | None, running: bool, raised: bool) -> None:
    found = absence(run, running=running, now=NOW, hung_after=timedelta(minutes=10), zone="UTC")
    assert (found is not None) == raised
