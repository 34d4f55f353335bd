"""The page for monitoring: what it says, that no client can hold it up, and that nobody else can reach it."""

from __future__ import annotations

import json
import queue
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.desk import ACME, decided, lay_out_site, mail, open_log
from tests.servers.dovecot import free_ports
from triaged.decision import Decision
from triaged.loading import build_playbook
from triaged.log.alerts import Alert, begin_run, end_run, put_alerts
from triaged.model import Locator, Message, Raw
from triaged.worker import vitals as vitals_module
from triaged.worker.beats import Beats
from triaged.worker.timers import TimerSurroundings
from triaged.worker.vitals import MAX_CLIENTS, Page, Vitals, serve
from triaged.worker.writer import Writer

NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Message, Decision]:
    """A request that is acknowledged."""
    playbook = build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))
    return decided(playbook, mail("Could you please send me the invoice of October?"), accounts=(ACME,), now=NOW)


@pytest.fixture
def path(tmp_path: Path, case: tuple[Message, Decision]) -> Path:
    """A log with one mail that is answered, one quarantined, and three runs, the first of which crashed."""
    path = tmp_path / "state" / "triaged.db"
    log = open_log(path)
    with log.transaction():
        log.record(*case, Locator("desk", "inbox", "1"), now=NOW)
        log.db.execute("UPDATE message SET received_at = logged_at - 4000")
        log.db.execute("UPDATE effect SET state = 'done'")
        log.db.execute("UPDATE answered SET leaves_at = ?", (round(NOW.timestamp() * 1000) - 60_000,))
        raw = Raw(Locator("desk", "inbox", "2"), NOW - timedelta(seconds=90), b"x", 1)
        log.quarantine(raw, key="q" * 32, cause="hung", now=NOW)
        begin_run(log, now=NOW - timedelta(hours=2))
        begin_run(log, now=NOW - timedelta(hours=1))
        end_run(log, now=NOW - timedelta(minutes=30))
        begin_run(log, now=NOW)
        log.set_health("mailbox desk", "ok", "", now=NOW)
    log.close()
    return path


@contextmanager
def served(path: Path, *, raws: queue.Queue[Raw] | None = None, beats: Beats | None = None) -> Iterator[str]:
    stop, beats = threading.Event(), beats or Beats()
    around = TimerSurroundings(path, Writer(path, beats=beats), stop, beats, lambda *_: None, lambda: NOW)
    (port,) = free_ports(1)
    vitals = Vitals(around, raws=raws or queue.Queue(), stall_s=60)
    page = Page("127.0.0.1", port)
    listening = threading.Thread(target=serve, args=(page, vitals), kwargs={"stop": stop, "beats": beats})
    listening.start()
    try:
        for _ in range(200):
            with ExitStack() as stack:
                try:
                    stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=1))
                    break
                except ConnectionRefusedError:
                    stop.wait(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        listening.join(10)
    assert not listening.is_alive()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def write(path: Path, sql: str) -> None:
    log = open_log(path)
    with log.transaction():
        log.db.execute(sql)
    log.close()


def test_healthz_is_200_while_all_is_well_and_503_with_the_reason(path: Path) -> None:
    raws: queue.Queue[Raw] = queue.Queue()
    raws.put(Raw(Locator("desk", "inbox", "3"), NOW - timedelta(seconds=7), b"x", 1))
    beats = Beats()
    with served(path, raws=raws, beats=beats) as url:
        code, said = get(f"{url}/healthz")
        facts = json.loads(said)
        assert code == 200
        assert (facts["running"], facts["troubled"], facts["queue"], facts["oldest_unlogged_s"]) == (True, [], 1, 7)
        for bad, good, key, value in (
            ("UPDATE health SET state = 'trouble'", "UPDATE health SET state = 'ok'", "troubled", ["mailbox desk"]),
            (
                "INSERT INTO breaker (opened_at, why) VALUES (1, 'too many')",
                "UPDATE breaker SET closed_at = 2",
                "breaker_open",
                True,
            ),
        ):
            write(path, bad)
            code, said = get(f"{url}/healthz")
            assert (code, json.loads(said)[key]) == (503, value)
            write(path, good)
            assert get(f"{url}/healthz")[0] == 200
        log = open_log(path)
        for severity, expected in (("warning", 200), ("trouble", 503)):
            with log.transaction():
                put_alerts(log, [Alert("k", "k", severity, "w", 1, NOW)])  # type: ignore[arg-type]
            assert get(f"{url}/healthz")[0] == expected
        log.close()
        assert get(f"{url}/elsewhere")[0] == 404
        path.rename(path.with_name("gone"))
        assert get(f"{url}/healthz")[0] == 503
        assert get(f"{url}/metrics")[0] == 503


def test_metrics_are_what_prometheus_reads_and_hold_no_personal_word(path: Path) -> None:
    with served(path) as url:
        code, said = get(f"{url}/metrics")
    assert code == 200
    values = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(said)
        for sample in family.samples
    }
    expected = {
        ("triaged_up", ()): 1,
        ("triaged_mails", (("category", "request"), ("mailbox", "desk"), ("state", "triaged"))): 1,
        ("triaged_mails", (("category", "other"), ("mailbox", "desk"), ("state", "quarantined"))): 1,
        ("triaged_effects", (("kind", "ack"), ("state", "done"))): 1,
        ("triaged_acknowledged_last_hour", ()): 1,
        ("triaged_withheld", (("reason", "machine"),)): 0,
        ("triaged_last_mail_age_seconds", (("mailbox", "desk"),)): 4,
        ("triaged_lag_seconds", (("mailbox", "desk"), ("quantile", "1.0"))): 90,
        ("triaged_lag_seconds", (("mailbox", "desk"), ("quantile", "0.5"))): 90,
        ("triaged_quarantined", ()): 1,
        ("triaged_part_ok", (("part", "mailbox desk"),)): 1,
        ("triaged_breaker_open", ()): 0,
        ("triaged_starts", ()): 3,
        ("triaged_crashes", ()): 1,
    }
    assert {key: values.get(key) for key in expected} == expected
    assert values[("triaged_disk_free_bytes", ())] > 0
    assert "@" not in said
    assert "acme" not in said.lower()
    assert "invoice" not in said


def test_clients_that_are_stuck_or_drip_harm_nobody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitals_module, "CLIENT_S", 1.0)
    with served(path) as url, ExitStack() as stack:
        port = int(url.rpartition(":")[2])
        stuck = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(MAX_CLIENTS)]
        for number, line in enumerate(stuck):
            line.sendall(b"GET /healthz HTTP/1.1\r\n" if number % 2 else b"")
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.1):
                for line in stuck:
                    try:
                        line.sendall(b"x")
                    except OSError:
                        return

        dripping = threading.Thread(target=drip)
        dripping.start()
        codes = []
        for _ in range(100):
            try:
                codes.append(get(f"{url}/healthz")[0])
            except (OSError, urllib.error.URLError):
                stop.wait(0.1)
                continue
            break
        stop.set()
        dripping.join(10)
        assert codes == [200]
        assert stuck[0].recv(1) == b""  # it was cut off


def test_an_address_that_is_taken_is_an_error_that_its_thread_tells(path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        around = TimerSurroundings(
            path, Writer(path, beats=Beats()), threading.Event(), Beats(), lambda *_: None, lambda: NOW
        )
        vitals = Vitals(around, raws=queue.Queue(), stall_s=60)
        with pytest.raises(OSError, match="in use"):
            serve(Page("127.0.0.1", taken.getsockname()[1]), vitals, stop=threading.Event(), beats=Beats())
