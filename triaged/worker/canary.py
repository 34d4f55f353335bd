"""Settings in, a mail to ourselves now and then out: whether mail that is sent to us arrives, seen end to end.

A canary is an ordinary mail of ours: its Message-ID is an HMAC under our own domain and Auto-Submitted says that a
program wrote it, so the gate takes it for a machine's and nobody answers it. Once it is logged, its row gets the state
`canary`, and `triaged log` leaves it out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from triaged.decision import Outgoing
from triaged.errors import TriagedError, Uncertain
from triaged.log.alerts import drop_canary, last_canary, mark_canaries, put_canary, unmarked_canaries
from triaged.log.read import Reader
from triaged.mail.compose import compose, make_message_id
from triaged.model import Address
from triaged.ports import Mailer
from triaged.worker.writer import Writer

KEPT = timedelta(days=30)
"""So long a canary is known as ours."""

TEXT = """This mail was sent by triaged to itself, to see that mail arrives. Nobody need read it.
It may be deleted, or filed by a rule.
"""


@dataclass(frozen=True, slots=True)
class CanarySettings:
    """How often a canary is sent, from whom and to which mailbox; domain, secret: of its Message-ID."""

    every: timedelta
    mailbox: str
    sender: Address
    recipient: Address
    domain: str
    secret: bytes


class Canary:
    """The canary's job; one thread's. Its mailer is its own, so that a hung server holds up no acknowledgement."""

    def __init__(
        self, settings: CanarySettings, *, mailer: Mailer, writer: Writer, clock: Callable[[], datetime]
    ) -> None:
        self._settings, self._mailer, self._writer, self._clock = settings, mailer, writer, clock
        self._tried_s = -settings.every.total_seconds() + time.monotonic()

    def work(self, reader: Reader) -> None:
        """Mark those that arrived; send one when it is time. Raises: TriagedError."""
        now = self._clock()
        if unmarked_canaries(reader):
            self._writer.submit(lambda rows: mark_canaries(rows, older=now - KEPT)).result()
        last, every = last_canary(reader), self._settings.every
        if last is not None and timedelta(0) <= now - last < every:
            return
        if time.monotonic() - self._tried_s < every.total_seconds():
            return  # a server that refuses us is not asked more often because of that
        self._tried_s = time.monotonic()
        self._send(now)

    def _send(self, now: datetime) -> None:
        mail = canary(self._settings, now=now)
        put = partial(put_canary, message_id=mail.message_id, mailbox=self._settings.mailbox, now=now)
        self._writer.submit(put).result()
        try:
            self._mailer.connect()
            self._mailer.send(mail, _Unnoted())
        except Uncertain:
            return  # it arrives or it does not: that is what it is for
        except TriagedError:
            self._writer.submit(partial(drop_canary, message_id=mail.message_id)).result()
            raise
        finally:
            self._mailer.close()


class _Unnoted:
    """A `ports.Crossing` that nobody needs to hear of: a canary that is sent twice, or not, harms nothing."""

    def begins(self) -> None:
        """Nothing."""

    def ends(self, words: str) -> None:
        """Nothing."""


def canary(settings: CanarySettings, *, now: datetime) -> Outgoing:
    """The mail itself."""
    moment = now.isoformat(timespec="milliseconds")
    return compose(
        message_id=make_message_id(settings.secret, f"canary:{moment}", settings.domain),
        sender=settings.sender,
        envelope_sender=settings.sender.addr_spec,
        recipient=settings.recipient,
        subject=f"triaged canary {moment}",
        text=TEXT,
        date=now,
        automatic="auto-generated",
    )
