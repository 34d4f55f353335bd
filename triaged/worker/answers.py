"""Folders of sent mail in; the mails that a person answered from a mail program of their own, into the log, out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from triaged.accounts.replies import Ours, reaches, replies
from triaged.errors import TriagedError
from triaged.log.answers import asked_by, logged_since, looked_until, mark_answered, set_looked
from triaged.log.read import Reader
from triaged.model import Surveyed
from triaged.ports import Mailbox
from triaged.worker.timers import TimerSurroundings

ANSWERS, ANSWERS_S = "answers", 120.0
"""A thread of its own, for a server may take its time. A look takes 38 ms beside a Dovecot with 3,000 sent mails, a far
one 340 ms, and one of all 31 folders would take 130 (measured 2026-11-30); over Graph two requests, over EWS four."""
POLLS = 4
"""Looks at a mailbox for new mail that a look for answers comes after, where that is sooner."""
NEAR, FAR = timedelta(hours=1), timedelta(days=14)
"""So far behind the last look each look begins; and one a day, as the first. A mail program that was not on the net
lays what it wrote hours ago into the folder, people move their own copies there, and clocks are put right."""
FAR_EVERY_S = 86_400.0


class Answers:
    """The job of a timer. mailboxes: its own objects, for one belongs to one thread."""

    def __init__(self, mailboxes: Sequence[Mailbox], ours: Ours, around: TimerSurroundings) -> None:
        self._mailboxes, self._ours, self._around = mailboxes, ours, around
        self._far_at = dict.fromkeys((each.name for each in mailboxes), 0.0)
        """By mailbox when the next far look is due, in seconds of the clock that nobody sets."""

    def work(self, reader: Reader) -> None:
        """Look into each mailbox. Raises: TriagedError when one cannot be looked into, after all others."""
        unread: list[TriagedError] = []
        for mailbox in self._mailboxes:
            try:
                self._look(reader, mailbox)
            except TriagedError as error:
                unread.append(error)
        for each in unread:
            raise each

    def _look(self, reader: Reader, mailbox: Mailbox) -> None:
        began, tick = self._around.clock(), time.monotonic()
        is_far = tick >= self._far_at[mailbox.name]
        until = looked_until(reader, mailbox.name) or began
        since = min(until, began) - (FAR if is_far else NEAR)
        self._note(reader, logged_since(reader, since, self._ours), mailbox.name)
        self._note(reader, mailbox.survey(since, sent_only=True), mailbox.name)
        if self._around.stop.is_set():
            return
        self._around.writer.submit(partial(set_looked, mailbox=mailbox.name, until=began)).result()
        if is_far:
            self._far_at[mailbox.name] = tick + FAR_EVERY_S

    def _note(self, reader: Reader, surveyed: Iterable[Surveyed], mailbox: str) -> None:
        for reply in replies(self._alive(surveyed), self._ours):
            for asked in asked_by(reader, reply):
                if reaches(reply, asked.addresses, self._ours):
                    now: datetime = self._around.clock()
                    mark = partial(mark_answered, message=asked.id, reply=reply, mailbox=mailbox, now=now)
                    self._around.writer.submit(mark).result()

    def _alive(self, surveyed: Iterable[Surveyed]) -> Iterable[Surveyed]:
        """The same, told as signs of life; ends early when the worker does."""
        for each in surveyed:
            self._around.beats.beat(ANSWERS)
            if self._around.stop.is_set():
                return
            yield each
