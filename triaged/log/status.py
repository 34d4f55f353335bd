"""The log in, how everything stands out: what `triaged status` shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from triaged.log.alerts import Alert, open_alerts
from triaged.log.encode import from_ms, to_ms
from triaged.log.labels import Learning, learning
from triaged.log.read import Reader
from triaged.log.rows import BreakerRow, Counts, HealthRow


@dataclass(frozen=True, slots=True)
class Status:
    """running: whether a worker does now. disk_full: nothing can be written down, so what the log says may be old.

    health: as the parts last reported. alerts: those that are open. mailboxes: since when each is enabled, None where
    it is only observed. waiting: as `Reader.waiting`. learning: as `labels.learning`.
    """

    running: bool
    disk_full: bool
    health: tuple[HealthRow, ...]
    breaker: BreakerRow
    alerts: tuple[Alert, ...]
    mailboxes: tuple[tuple[str, datetime | None], ...]
    counts: Counts
    waiting: tuple[tuple[int, str, str, str, str], ...]
    learning: Learning

    @property
    def troubled(self) -> bool:
        """Whether mail is not worked on as it should be."""
        parts = any(row.state == "trouble" for row in self.health)
        told = any(alert.severity == "trouble" for alert in self.alerts)
        return not self.running or self.disk_full or parts or told or self.breaker.opened is not None


def status_of(reader: Reader, *, running: bool, disk_full: bool, mailboxes: tuple[str, ...], since: datetime) -> Status:
    """How it stands. mailboxes: the configured ones; since: from when on mails count as recent."""
    enabled = {row[0]: row[1] for row in reader.select("SELECT name, enabled_at FROM mailbox")}
    return Status(
        running=running,
        disk_full=disk_full,
        health=tuple(reader.health()),
        breaker=reader.breaker(),
        alerts=open_alerts(reader),
        mailboxes=tuple(
            (name, from_ms(enabled[name]) if enabled.get(name) is not None else None) for name in mailboxes
        ),
        counts=reader.counts(since_ms=to_ms(since)),
        waiting=tuple(reader.waiting()),
        learning=learning(reader),
    )
