"""The alarms' job on a real log: told once over restarts, also while the log cannot be written or read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.desk import open_log
from tests.doubles.notifier import MemoryNotifier
from triaged.errors import Permanent, Transient
from triaged.log.alerts import Alert, alerts, begin_run, end_run, forget_health, put_alerts, put_canary, runs
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Locator, Raw
from triaged.worker import telling
from triaged.worker.alarms import Certificate, Thresholds
from triaged.worker.beats import Beats
from triaged.worker.telling import Alarms, Certificates, Watchfulness, disk_of
from triaged.worker.timers import Job, TimerSurroundings, run_jobs
from triaged.worker.writer import Writer

NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)


@dataclass
class Bench:
    """A log with its writer, and an alarms' job that stands for one run of the worker at a time."""

    path: Path
    writer: Writer
    reader: Reader
    now: datetime = NOW
    notifier: MemoryNotifier = field(default_factory=MemoryNotifier)
    health: list[tuple[str, str]] = field(default_factory=list)
    silent: tuple[str, ...] = ()
    quiet_h: float = 0
    job: Alarms = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        watchfulness = Watchfulness(
            thresholds=Thresholds("UTC", timedelta(seconds=30), timedelta(hours=24), 0, 0.0),
            again=timedelta(minutes=60),
            mailboxes=("desk",),
            canary_within=timedelta(minutes=10),
            quiet_h=self.quiet_h,
            is_holiday=lambda _day: False,
        )
        self.job = Alarms(
            watchfulness,
            notifier=self.notifier,
            certificates=Certificates({}, {}, clock=lambda: self.now),
            state_dir=self.path.parent,
            writer=self.writer,
            silent=lambda: self.silent,
            health=lambda part, state, detail: self.health.append((part, state)),
            clock=lambda: self.now,
        )

    def look(self, *, after_s: float = 30) -> None:
        """One round, and all that it had written is written."""
        self.now += timedelta(seconds=after_s)
        self.job.work(self.reader)
        self.flush()

    def flush(self) -> None:
        self.writer.submit(lambda rows: None).exception(timeout=10)

    def titles(self) -> list[str]:
        return [title.partition(": ")[2] for title, _, _ in self.notifier.told]


@contextmanager
def running_bench(folder: Path) -> Iterator[Bench]:
    path = folder / "state" / "triaged.db"
    open_log(path).close()
    writer = Writer(path, beats=Beats())
    thread = threading.Thread(target=writer.run)
    thread.start()
    writer.opened.result(timeout=10)
    try:
        with closing(Reader(path)) as reader:
            yield Bench(path, writer, reader)
    finally:
        writer.close()
        thread.join(10)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with running_bench(tmp_path) as made:
        yield made


def test_told_once_over_restarts_and_the_all_clear_once(bench: Bench) -> None:
    bench.silent = ("lane mail",)
    for _ in range(3):
        bench.look()
        bench.look()
        bench.restart()
    assert bench.titles() == ["trouble: lane mail"]
    bench.silent = ()
    for _ in range(3):
        bench.look()
        bench.restart()
    assert bench.titles() == ["trouble: lane mail", "all clear: lane mail"]
    (row,) = alerts(bench.reader).values()
    assert row.cleared is not None
    assert row.heard_step == 0


def test_while_nobody_can_be_told_it_is_tried_again_with_pauses_and_shown(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(telling.time, "monotonic", lambda: clock[0])
    bench.notifier.refusals = {"one": "no route", "two": "refused"}
    bench.silent = ("lane mail",)
    for _ in range(20):
        bench.look()
        clock[0] += 30
    assert 3 <= bench.notifier.tried <= 5
    assert alerts(bench.reader)["silent:lane mail"].failed == "one: no route; two: refused"
    assert bench.health == [("alerts", "trouble")]
    bench.notifier.refusals = {"one": "no route"}  # one of them is enough
    clock[0] += 3600
    bench.look()
    bench.look()
    assert bench.titles() == ["trouble: lane mail"]
    bench.notifier.refusals = {}
    bench.silent = ()
    bench.look()
    assert bench.health[-1] == ("alerts", "ok")
    assert alerts(bench.reader)["silent:lane mail"].failed == ""


def test_a_log_that_cannot_be_written_is_told_once_and_nothing_else_twice(bench: Bench) -> None:
    bench.silent = ("lane mail",)
    bench.writer.submit(
        lambda rows: rows.db.execute(
            "CREATE TRIGGER full BEFORE INSERT ON alert BEGIN SELECT RAISE (FAIL, 'database or disk is full'); END"
        )
    ).result(10)
    for _ in range(6):
        bench.look()
    assert bench.titles() == ["trouble: lane mail", "trouble: the log"]
    assert "database or disk is full" in bench.notifier.told[1][1]
    bench.writer.submit(lambda rows: rows.db.execute("DROP TRIGGER full")).result(10)
    for _ in range(3):
        bench.look()
    assert bench.titles()[2:] == ["all clear: the log"]
    bench.restart()
    bench.look()
    assert len(bench.titles()) == 3


def test_a_log_that_cannot_be_read_clears_nothing(bench: Bench) -> None:
    bench.writer.submit(lambda rows: rows.limits.open_breaker("100 were wanted", now=bench.now)).result(10)
    bench.look()
    assert bench.titles() == ["trouble: breaker"]
    good, bench.reader = bench.reader, Reader(bench.path)
    bench.reader.close()
    with pytest.raises(Permanent):
        alerts(bench.reader)
    bench.look()
    bench.reader = good
    bench.look()
    assert bench.titles() == ["trouble: breaker", "trouble: the log", "all clear: the log"]


def test_without_channels_alarms_are_kept_and_told_when_there_is_one(bench: Bench) -> None:
    bench.silent = ("lane mail",)
    bench.notifier.channels = ()
    bench.look()
    assert [row.cleared for row in alerts(bench.reader).values()] == [None]
    bench.notifier.channels = ("one",)
    bench.look()
    assert bench.titles() == ["trouble: lane mail"]


def quarantined(bench: Bench, *, received: datetime, key: str = "1") -> None:
    raw = Raw(Locator("desk", "inbox", key), received, b"x", 1)
    bench.writer.submit(lambda rows: rows.quarantine(raw, key=key * 32, cause="hung", now=received)).result(10)


def test_the_facts_come_from_the_log(bench: Bench) -> None:
    quarantined(bench, received=NOW)
    bench.look()
    assert bench.titles() == ["warning: quarantine"]
    bench.look(after_s=25 * 3600)  # the question about that mail has waited for a day
    assert bench.titles()[1:] == ["warning: approvals and questions"]
    bench.writer.submit(
        lambda rows: rows.db.execute("UPDATE effect SET kind = 'ack', state = 'person'"),
    ).result(10)
    bench.look()
    assert bench.titles()[2:] == ["1 alarm, 1 all-clear"]
    assert "effects that a person must decide" in bench.notifier.told[-1][1]
    bench.writer.submit(
        lambda rows: rows.db.execute(
            "INSERT INTO bad_address VALUES ('c', 1, ?, 'x')", (1000 * int(bench.now.timestamp()),)
        )
    ).result(10)
    bench.look()
    assert bench.titles()[3:] == ["info: addresses that came back"]
    bench.look(after_s=25 * 3600)
    assert len(bench.titles()) == 4
    assert alerts(bench.reader)["bounced"].cleared is not None


def test_a_canary_that_is_not_in_the_log_in_time(bench: Bench) -> None:
    bench.writer.submit(lambda rows: put_canary(rows, "<c1@x>", mailbox="desk", now=NOW)).result(10)
    bench.look(after_s=599)
    assert bench.titles() == []
    bench.look(after_s=1)
    assert bench.titles() == ["trouble: canary mail"]
    quarantined(bench, received=NOW)
    bench.writer.submit(
        lambda rows: rows.db.execute("UPDATE message SET message_id = '<c1@x>', state = 'canary'")
    ).result(10)
    bench.look()
    assert bench.titles()[1:] == ["all clear: canary mail"]


def test_a_mailbox_without_past_is_quiet_after_the_hours_configured(bench: Bench) -> None:
    quarantined(bench, received=NOW)
    bench.writer.submit(lambda rows: rows.db.execute("UPDATE message SET state = 'triaged'")).result(10)
    bench.look(after_s=3600 * 23)
    bench.quiet_h = 24
    bench.restart()
    bench.look()
    assert "quiet:desk" not in alerts(bench.reader)
    bench.look(after_s=3600)
    assert alerts(bench.reader)["quiet:desk"].heard_step == 1


def test_a_run_that_did_not_end_in_order_is_a_crash_until_the_next_has_lasted(bench: Bench) -> None:
    def begin(*, after_s: float) -> None:
        bench.now += timedelta(seconds=after_s)
        bench.writer.submit(lambda rows: begin_run(rows, now=bench.now)).result(10)
        bench.restart()

    begin(after_s=0)
    bench.look()
    bench.writer.submit(lambda rows: end_run(rows, now=bench.now)).result(10)
    begin(after_s=5)
    bench.look()
    assert bench.titles() == []
    begin(after_s=5)  # killed before
    bench.look()
    begin(after_s=5)  # and again
    bench.look()
    assert bench.titles() == ["warning: worker"]
    bench.look(after_s=3600)
    assert bench.titles() == ["warning: worker", "all clear: worker"]
    assert [run.ended is None for run in runs(bench.reader, limit=9)] == [True, True, True, False]


def test_what_parts_of_an_earlier_run_reported_is_over(bench: Bench) -> None:
    for part in ("lane mail", "rules"):
        bench.writer.submit(partial(Log.set_health, part=part, state="trouble", detail="no", now=NOW)).result(10)
    bench.writer.submit(forget_health).result(10)
    assert [row.part for row in bench.reader.health()] == ["rules"]


def test_what_another_program_told_is_known_and_cleared(bench: Bench) -> None:
    """`triaged alerts watch` told that the worker is away; the worker that runs says that it is back."""
    bench.look()
    assert alerts(bench.reader) == {}
    row = Alert("worker", "worker", "trouble", "It does not run.", 1, NOW, heard_step=1, heard=NOW)
    bench.writer.submit(lambda rows: put_alerts(rows, [row])).result(10)
    bench.look()
    assert bench.titles() == ["all clear: worker"]


def test_certificates_are_looked_at_twice_a_day_and_again_soon_when_nobody_answers() -> None:
    now, looks = [NOW], []
    answers: list[datetime | Exception] = [NOW, Transient("no route"), Permanent("it has expired")]

    def look() -> datetime:
        looks.append(now[0])
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    book = Certificates({"x:993": look}, {}, clock=lambda: now[0])
    for _ in range(24 * 60):
        book.work()
        now[0] += timedelta(minutes=1)
        if len(looks) == 1:
            assert book.known() == (Certificate("x:993", NOW),)
    assert [round((each - NOW).total_seconds() / 3600) for each in looks] == [0, 12, 13]
    assert book.known() == (Certificate("x:993", None, "it has expired"),)


def test_a_secret_of_ours_is_told_in_words_of_its_own(bench: Bench) -> None:
    ends = NOW + timedelta(days=10)
    book = Certificates({}, {"secret of the sign-in ms": lambda: ends}, clock=lambda: bench.now)
    bench.job._certificates = book
    book.work()
    bench.look()
    bench.now += timedelta(days=11)
    book.work()
    bench.look()
    ends += timedelta(days=700)
    bench.now += timedelta(days=1)
    book.work()
    bench.look()
    assert bench.titles() == [
        "warning: secret of the sign-in ms",
        "trouble: secret of the sign-in ms",
        "all clear: secret of the sign-in ms",
    ]
    _, text, _ = bench.notifier.told[0]
    assert "From then on nothing that signs in by it works" in text
    assert "Make a new one" in text


def test_the_disk_says_how_much_room_there_is(tmp_path: Path) -> None:
    disk = disk_of(tmp_path)
    assert disk is not None
    assert 0 < disk.free < disk.total
    assert not disk.full
    assert disk_of(tmp_path / "nowhere") is None


def test_a_job_that_fails_is_told_and_stops_no_other(tmp_path: Path) -> None:
    path = tmp_path / "state" / "triaged.db"
    open_log(path).close()
    told: list[tuple[str, str]] = []
    stop, ran, beats = threading.Event(), [], Beats()
    around = TimerSurroundings(
        path, Writer(path, beats=beats), stop, beats, lambda part, state, _: told.append((part, state)), lambda: NOW
    )

    def fails(reader: Reader) -> None:
        ran.append("fails")
        if ran.count("fails") < 3:
            raise RuntimeError("a fault")

    def works(reader: Reader) -> None:
        assert reader.health() == []
        ran.append("works")
        if min(ran.count("fails"), ran.count("works")) > 2:
            stop.set()

    run_jobs("timer", [Job("bad", 0.01, fails), Job("good", 0.01, works)], around)
    assert ran.count("works") >= 3
    assert told == [("timer bad", "trouble"), ("timer bad", "trouble"), ("timer bad", "ok")]
    assert beats.silent(0) == ()
