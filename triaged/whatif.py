"""Another model and the mails of the log in, what it would have decided otherwise out; nothing is written or sent."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from triaged.accounts.match import Directory, directory
from triaged.classify.model import Model, judge
from triaged.decide import decide
from triaged.decision import Decision
from triaged.log.read import Reader
from triaged.mail.donotanswer import DoNotAnswer
from triaged.model import Locator, Message
from triaged.playbook import Playbook
from triaged.worker.triage import Desk, background_of

BATCH = 64


@dataclass(frozen=True, slots=True)
class Change:
    """A mail that the other model would have put elsewhere. was, would: categories, empty is other; sure likewise.

    said: what a person said is right, None when nobody did. answer: the template that would be used, when it differs.
    """

    row: int
    subject: str
    was: tuple[str, ...]
    would: tuple[str, ...]
    was_sure: bool
    would_sure: bool
    said: tuple[str, ...] | None
    answers: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What the other model would have done. mails: looked at; sure, would_be_sure: of them; changes: newest first."""

    mails: int
    sure: int
    would_be_sure: int
    changes: tuple[Change, ...]

    @property
    def counts(self) -> list[tuple[tuple[str, ...], tuple[str, ...], int]]:
        """Was, would be, how many mails; most first."""
        found = Counter((each.was, each.would) for each in self.changes)
        return [(was, would, count) for (was, would), count in found.most_common()]


def effect_on_past(
    path: Path,
    playbook: Playbook,
    other: Model,
    *,
    since: datetime,
    said: dict[int, tuple[str, ...]],
    progress: Callable[[int, int], None],
) -> Effect:
    """Decide about every mail received since then whose text is there, by the rules of today, with both models.

    path: the log. said: by mail, the categories that a person said are right. progress: how many of how many are done.
    """
    reader = Reader(path)
    try:
        numbers, accounts = reader.readable_since(since), directory(reader.accounts())
        sides, changes = Counter[str](), list[Change]()
        for start in range(0, len(numbers), BATCH):
            batch = [
                (row, mailbox, message)
                for row, mailbox in numbers[start : start + BATCH]
                if (message := reader.message(row))
            ]
            both = [
                _decided(batch, dataclasses.replace(playbook, model=model), accounts, reader)
                for model in (playbook.model, other)
            ]
            for (row, _, message), was, would in zip(batch, *both, strict=True):
                sides.update(was=was.verdict.sure, would=would.verdict.sure, mails=1)
                changes += _change(row, message, was, would, said.get(row))
            progress(min(start + BATCH, len(numbers)), len(numbers))
    finally:
        reader.close()
    return Effect(sides["mails"], sides["was"], sides["would"], tuple(changes))


def _decided(
    batch: Sequence[tuple[int, str, Message]], playbook: Playbook, accounts: Directory, reader: Reader
) -> list[Decision]:
    """As the worker decides, at the time each mail was received."""
    opinions = judge(playbook.model, [message.judged for _, _, message in batch])
    first = next(iter(playbook.mailboxes))
    desk = Desk(playbook, accounts, reader, DoNotAnswer())
    return [
        decide(
            message,
            locator=Locator(mailbox if mailbox in playbook.mailboxes else first, "", str(row)),
            playbook=playbook,
            background=background_of(message, desk, judged),
            now=message.received,
        )
        for (row, mailbox, message), judged in zip(batch, opinions, strict=True)
    ]


def _change(
    row: int, message: Message, was: Decision, would: Decision, said: tuple[str, ...] | None
) -> Iterable[Change]:
    before, after = was.verdict, would.verdict
    if frozenset(before.chosen) != frozenset(after.chosen):
        answers = (was.acknowledge.template or "none", would.acknowledge.template or "none")
        yield Change(
            row,
            message.subject,
            tuple(sorted(before.chosen)),
            tuple(sorted(after.chosen)),
            before.sure,
            after.sure,
            said,
            answers if answers[0] != answers[1] else None,
        )
