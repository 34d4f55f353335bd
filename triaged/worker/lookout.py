"""What is looked after and who is told of it in, the jobs of the timer threads out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from triaged.accounts.match import plain_address, plain_domain
from triaged.accounts.replies import Ours
from triaged.clocks.holidays import is_holiday
from triaged.log.keep import clear_ripe
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Address
from triaged.ports import Calendar, Mailbox, Mailer, Notifier
from triaged.settings import Config
from triaged.worker.alarms import Thresholds
from triaged.worker.answers import ANSWERS, ANSWERS_S, POLLS, Answers
from triaged.worker.canary import Canary, CanarySettings
from triaged.worker.learner import LEARN, LEARN_S, Learner, learn_if_due
from triaged.worker.standing import Standing
from triaged.worker.telling import Alarms, Certificates, Watchfulness
from triaged.worker.timers import Job, TimerSurroundings

ALARMS_S = 30.0
"""Between looks at the longest, so that people hear within a minute of what is wrong for ten seconds."""
CERTIFICATES_S = 60.0
CANARY_S = 10.0
CALLS, CALLS_S = "calls", 300.0
"""Its own thread, for a calendar may take its time to answer."""
KEEP, KEEP_S = "keep", 3600.0
"""Its own thread, for a first clearing of a large log takes minutes; hourly, for a worker may not live a day."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lookout:
    """certificates: by server, how to learn when its certificate ends; secrets: by name, when one of ours does.

    canary: None when none is sent; mailer: its own. calendars: makes those of our people, by their ids; mailboxes:
    makes those that we watch. ours: whose mail is ours.
    stall_s: silence of a part that counts as a hang. keep_days: how long texts are kept, by category. learner: None
    when the worker never trains by itself.
    """

    watchfulness: Watchfulness
    notifier: Notifier
    certificates: Mapping[str, Callable[[], datetime]]
    secrets: Mapping[str, Callable[[], datetime]]
    canary: CanarySettings | None
    mailer: Callable[[], Mailer]
    calendars: Callable[[], Mapping[str, Calendar]]
    mailboxes: Callable[[], Sequence[Mailbox]]
    ours: Ours
    stall_s: float
    keep_days: Mapping[str, int]
    learner: Learner | None


def timers(lookout: Lookout, around: TimerSurroundings) -> dict[str, tuple[Job, ...]]:
    """The jobs by the thread that does them: what may take long must not hold up the alarms."""
    certificates = Certificates(lookout.certificates, lookout.secrets, clock=around.clock)
    alarms = Alarms(
        lookout.watchfulness,
        notifier=lookout.notifier,
        certificates=certificates,
        state_dir=around.log_path.parent,
        writer=around.writer,
        silent=partial(around.beats.silent, lookout.stall_s),
        health=around.health,
        clock=around.clock,
    )
    chores = [Job("certificates", CERTIFICATES_S, certificates.work)]
    if lookout.canary is not None:
        canary = Canary(lookout.canary, mailer=lookout.mailer(), writer=around.writer, clock=around.clock)
        chores.append(Job("canary", CANARY_S, canary.work))
    poll_s = lookout.watchfulness.thresholds.poll.total_seconds()
    keep = Job(KEEP, KEEP_S, partial(_clear, around, lookout.keep_days))
    jobs = {"alarms": (Job("alarms", min(poll_s, ALARMS_S), alarms.work),), "timer": tuple(chores), KEEP: (keep,)}
    standing = Standing(lookout.calendars(), writer=around.writer, clock=around.clock)
    jobs[CALLS] = (Job(CALLS, CALLS_S, standing.work),)
    answers = Answers(lookout.mailboxes(), lookout.ours, around)
    jobs[ANSWERS] = (Job(ANSWERS, min(POLLS * poll_s, ANSWERS_S), answers.work),)
    if lookout.learner is not None:
        jobs[LEARN] = (Job(LEARN, LEARN_S, partial(learn_if_due, lookout.learner, around)),)
    return jobs


def _clear(around: TimerSurroundings, days: Mapping[str, int], _reader: Reader) -> None:
    """Take texts, names and addresses out of mails whose days are over."""

    def go_on(_count: int) -> bool:
        around.beats.beat(KEEP)
        return not around.stop.is_set()

    def write(work: Callable[[Log], Any]) -> Any:
        return around.writer.submit(work).result()

    found = clear_ripe(around.log_path, write, days=days, now=around.clock(), go_on=go_on)
    logger.info("kept cleared=%d waiting=%d", len(found.rows), found.waiting)


def watchfulness_of(config: Config) -> Watchfulness:
    """When something is worth an alarm, by the configuration."""
    return Watchfulness(
        thresholds=Thresholds(
            zone=config.hours.timezone or "UTC",
            poll=timedelta(seconds=min(mailbox.poll_s for mailbox in config.mailbox)),
            waiting=timedelta(hours=config.alerts.waiting_h),
            disk_min_bytes=config.alerts.disk_min_mb * 1_000_000,
            disk_min_share=config.alerts.disk_min_percent / 100,
        ),
        again=timedelta(minutes=config.alerts.again_min),
        mailboxes=tuple(mailbox.name for mailbox in config.mailbox),
        canary_within=timedelta(minutes=config.canary.within_min) if config.canary.every_min > 0 else None,
        quiet_h=config.alerts.quiet_h,
        is_holiday=partial(is_holiday, own=frozenset(config.hours.holidays), country=config.hours.country),
    )


def ours_of(config: Config) -> Ours:
    """Whose mail is ours, by the configuration."""
    own = (address for mailbox in config.mailbox for address in (mailbox.address, *mailbox.aliases))
    people = (person.email for person in config.person)
    return Ours(
        addresses=frozenset(plain_address(each) for each in (*own, *people)),
        domains=frozenset(plain_domain(domain) for domain in config.firm.domains),
    )


def canary_of(config: Config, *, secret: bytes) -> CanarySettings:
    """The mail to ourselves, by the configuration, which names its mailbox."""
    mailbox = next(each for each in config.mailbox if each.name == config.canary.mailbox)
    return CanarySettings(
        every=timedelta(minutes=config.canary.every_min),
        mailbox=mailbox.name,
        sender=Address(config.canary.sender or mailbox.address, "triaged"),
        recipient=Address(mailbox.address),
        domain=config.outgoing.message_id_domain,
        secret=secret,
    )
