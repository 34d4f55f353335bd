"""The log and the parts in, `/healthz` and `/metrics` on loopback out: a thread's body; a stuck client harms nobody."""

from __future__ import annotations

import json
import logging
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, SHUT_RDWR, socket
from threading import BoundedSemaphore, Event, Thread, Timer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from triaged import __version__
from triaged.errors import TriagedError
from triaged.log.alerts import Alert, LogFacts, log_facts, open_alerts
from triaged.log.figures import Figures, figures
from triaged.log.read import Reader
from triaged.model import Raw
from triaged.worker.beats import Beats
from triaged.worker.telling import disk_of
from triaged.worker.timers import TimerSurroundings

PART = "health page"
MAX_CLIENTS = 8
"""Further ones are turned away."""
CLIENT_S = 5.0
"""Seconds a client may take for everything."""
LOOK_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """Where to listen: a loopback address."""

    host: str
    port: int


class Vitals:
    """What the two pages say."""

    def __init__(self, around: TimerSurroundings, *, raws: queue.Queue[Raw], stall_s: float) -> None:
        self._around, self._raws, self._stall_s = around, raws, stall_s

    def healthz(self) -> tuple[int, dict[str, Any]]:
        """200 while all is well, else 503, and why."""
        now = self._around.clock()
        try:
            facts, alerts = self._log_now(now)
        except (OSError, TriagedError) as error:
            return 503, {"running": True, "log": str(error)}
        troubled = [row.part for row in facts.parts if row.state == "trouble"]
        silent = list(self._around.beats.silent(self._stall_s))
        bad = [alert.key for alert in alerts if alert.severity == "trouble"]
        well = len(troubled) == 0 and len(silent) == 0 and len(bad) == 0 and facts.breaker.opened is None
        return 200 if well else 503, {
            "running": True,
            "well": well,
            "version": __version__,
            "troubled": troubled,
            "silent": silent,
            "breaker_open": facts.breaker.opened is not None,
            "alerts": [alert.key for alert in alerts],
            "queue": self._raws.qsize(),
            "oldest_unlogged_s": oldest_s(self._raws, now),
        }

    def metrics(self) -> bytes:
        """Prometheus text."""
        now = self._around.clock()
        facts, alerts = self._log_now(now)
        reader = Reader(self._around.log_path)
        try:
            counted = figures(reader, now=now)
        finally:
            reader.close()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Once((*_of_the_log(counted, now), *self._of_the_worker(facts, alerts, now))))
        return generate_latest(registry)

    def _log_now(self, now: datetime) -> tuple[LogFacts, tuple[Alert, ...]]:
        reader = Reader(self._around.log_path)
        try:
            facts = log_facts(reader, waiting_before=now, bounced_after=now, canary_before=None)
            return facts, open_alerts(reader)
        finally:
            reader.close()

    def _of_the_worker(self, facts: LogFacts, alerts: tuple[Alert, ...], now: datetime) -> Iterator[Metric]:
        yield InfoMetricFamily("triaged_build", "The version that runs.", {"version": __version__})
        yield _gauge("triaged_up", "1 while the worker runs.", 1)
        if facts.run is not None:
            yield _gauge("triaged_start_time_seconds", "When the worker started.", facts.run.started.timestamp())
        part = GaugeMetricFamily("triaged_part_ok", "1 while a part of the worker is well.", labels=["part"])
        silent = self._around.beats.silent(self._stall_s)
        for row in facts.parts:
            part.add_metric([row.part], float(row.state == "ok" and row.part not in silent))
        yield part
        yield _gauge("triaged_breaker_open", "1 while the breaker is open.", float(facts.breaker.opened is not None))
        by_severity = GaugeMetricFamily("triaged_alerts_open", "Open alerts.", labels=["severity"])
        for severity in ("trouble", "warning", "info"):
            by_severity.add_metric([severity], sum(alert.severity == severity for alert in alerts))
        yield by_severity
        yield _gauge("triaged_quarantined", "Mails that could not be read.", facts.quarantined)
        yield _gauge("triaged_waiting_for_person", "Effects that wait for a person.", facts.waiting + facts.stuck)
        yield _gauge("triaged_queue_mails", "Mails fetched and not yet decided.", self._raws.qsize())
        yield _gauge("triaged_oldest_unlogged_seconds", "Age of the oldest of them.", oldest_s(self._raws, now))
        if (disk := disk_of(self._around.log_path.parent)) is not None:
            yield _gauge("triaged_disk_free_bytes", "Room on the disk of the state folder.", disk.free)


def _of_the_log(counted: Figures, now: datetime) -> Iterator[Metric]:
    mails = GaugeMetricFamily("triaged_mails", "Mails in the log.", labels=["mailbox", "category", "state"])
    for *labels, count in counted.mails:
        mails.add_metric([str(label) for label in labels], count)
    yield mails
    effects = GaugeMetricFamily("triaged_effects", "Effects in the log.", labels=["kind", "state"])
    for kind, state, count in counted.effects:
        effects.add_metric([kind, state], count)
    yield effects
    withheld = GaugeMetricFamily("triaged_withheld", "Mails not acknowledged by machine, and why.", labels=["reason"])
    for reason, count in counted.withheld:
        withheld.add_metric([reason], count)
    yield withheld
    yield _gauge("triaged_acknowledged_last_hour", "Acknowledgements sent in the last hour.", counted.acks_per_hour)
    age = GaugeMetricFamily("triaged_last_mail_age_seconds", "Since the latest mail of a mailbox.", labels=["mailbox"])
    for mailbox, newest in counted.newest:
        age.add_metric([mailbox], max(0.0, (now - newest).total_seconds()))
    yield age
    lag = GaugeMetricFamily(
        "triaged_lag_seconds", "From the server's receipt to the log, last hour.", labels=["mailbox", "quantile"]
    )
    for mailbox, lags in counted.lags_s.items():
        for quantile in (0.5, 0.95, 1.0):
            lag.add_metric([mailbox, str(quantile)], lags[min(len(lags) - 1, int(quantile * len(lags)))])
    yield lag
    yield _gauge("triaged_starts", "How often the worker was started.", counted.runs)
    yield _gauge("triaged_crashes", "How often it ended without being told to.", counted.crashes)


def oldest_s(raws: queue.Queue[Raw], now: datetime) -> float:
    """How long ago the server took the mail that waits longest, 0 when none waits."""
    with raws.mutex:
        received = raws.queue[0].received if raws.queue else now
    return max(0.0, (now - received).total_seconds())


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)


class _Once(Collector):
    """Figures counted a moment ago, for the one answer that is being made."""

    def __init__(self, counted: tuple[Metric, ...]) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        yield from self._counted


def serve(page: Page, vitals: Vitals, *, stop: Event, beats: Beats) -> None:
    """Answer until stopped. Raises: OSError (the address is taken), which its thread tells and tries again."""
    with _Server((page.host, page.port), vitals) as server:
        answering = Thread(target=server.serve_forever, args=(0.2,), name=f"{PART} listener", daemon=True)
        answering.start()
        while not stop.wait(LOOK_S):
            beats.beat(PART)
        server.shutdown()
    beats.retire(PART)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], vitals: Vitals) -> None:
        self.vitals, self.seats = vitals, BoundedSemaphore(MAX_CLIENTS)
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread a client, for so many clients."""
        if not self.seats.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and cut off a client that reads or writes too slowly, however it does it."""
        clock = Timer(CLIENT_S, _cut, (request,))
        clock.daemon = True
        clock.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            clock.cancel()
            self.seats.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nobody's business; anything else is logged."""
        log.debug("health page client failed", exc_info=True)


def _cut(line: socket) -> None:
    try:
        line.shutdown(SHUT_RDWR)
    except OSError:
        return


class _Handler(BaseHTTPRequestHandler):
    server_version = "triaged"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        """The two pages."""
        try:
            code, kind, octets = self._page()
        except (OSError, TriagedError) as error:
            code, kind, octets = 503, "text/plain; charset=utf-8", f"{error}\n".encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def _page(self) -> tuple[int, str, bytes]:
        find: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/healthz": self._healthz,
            "/metrics": lambda: (200, CONTENT_TYPE_LATEST, self.server.vitals.metrics()),
        }
        found = find.get(self.path.partition("?")[0])
        return found() if found is not None else (404, "text/plain", b"there are /healthz and /metrics\n")

    def _healthz(self) -> tuple[int, str, bytes]:
        code, said = self.server.vitals.healthz()
        return code, "application/json", json.dumps(said, ensure_ascii=False).encode() + b"\n"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: who asked is of no interest."""
