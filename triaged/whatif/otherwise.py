"""The log and two playbooks in, every mail that they would decide otherwise out; nothing is written or sent."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from triaged.accounts.match import directory
from triaged.again import Again, Weighers, decided_again, weighers_of
from triaged.classify.model import Model
from triaged.log.past import PastMail, past_mails, past_rows
from triaged.log.read import Reader
from triaged.mail.donotanswer import DoNotAnswer
from triaged.playbook import Playbook
from triaged.rules.grammar import Rule
from triaged.whatif.difference import Aspect, Decided, differences, words
from triaged.worker.triage import Desk

PAGE = 200
"""Mails in memory at a time: some 2 MB of rows."""


@dataclass(frozen=True, slots=True)
class Change:
    """A mail that would be decided otherwise. was, would: categories, empty is other; was_sure, would_sure likewise.

    said: the categories that a person said are right, None when nobody did. aspects: at least one.
    words: of the mail, that the rules met which decide otherwise, in quotes.
    """

    row: int
    reference: str
    received: datetime
    sender: str
    subject: str
    was: tuple[str, ...]
    would: tuple[str, ...]
    was_sure: bool
    would_sure: bool
    said: tuple[str, ...] | None
    aspects: tuple[Aspect, ...]
    words: tuple[str, ...] = ()

    def aspect(self, name: str) -> Aspect | None:
        """What differs under this name; None when nothing does."""
        return next((each for each in self.aspects if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Changes:
    """What would be otherwise. mails: looked at; anew: of them, those whose words were judged anew; sure,
    would_be_sure: of them; changes: newest first."""

    mails: int
    anew: int
    sure: int
    would_be_sure: int
    changes: tuple[Change, ...]

    @property
    def counts(self) -> list[tuple[tuple[str, ...], tuple[str, ...], int]]:
        """Categories as they were and would be, how many mails; most first."""
        found = Counter((each.was, each.would) for each in self.changes if each.was != each.would)
        return [(was, would, count) for (was, would), count in found.most_common()]


Progress = Callable[[int, int], None]
"""Told how many of how many are done."""


def effect_on_past(
    path: Path,
    playbook: Playbook,
    other: Model,
    *,
    since: datetime,
    said: Mapping[int, tuple[str, ...]],
    progress: Progress,
) -> Changes:
    """The mails that another model would put elsewhere, by the same rules; see `decided_otherwise`."""
    would = dataclasses.replace(playbook, model=other)
    found = decided_otherwise(path, playbook, would, since=since, said=said, progress=progress)
    return dataclasses.replace(found, changes=tuple(each for each in found.changes if each.was != each.would))


def decided_otherwise(
    path: Path,
    was: Playbook,
    would: Playbook,
    *,
    since: datetime,
    said: Mapping[int, tuple[str, ...]],
    progress: Progress,
    listed: DoNotAnswer = DoNotAnswer(),  # noqa: B008 - frozen
) -> Changes:
    """Decide about every mail received since then whose text is there, by both playbooks, as of when it was decided.

    What accounts, log, lists and model said then is taken as it was; where that was not kept, it is found out anew, the
    same for both. Playbooks with the same model each weigh what a mail's model of its day said as that model was
    calibrated; otherwise each lets its own model judge. path: the log. said: by mail, what a person said is right.
    listed: who gets no automatic mail, for mails of which that was not kept.
    """
    reader = Reader(path)
    try:
        rows = past_rows(reader, since=since)
        desk = Desk(was, directory(reader.accounts()), reader, listed)
        rules = [{rule.name: rule for rule in side.rules.rules} for side in (was, would)]
        counts, changes = Counter[str](), list[Change]()
        weighers = _weighers(reader, was.model, would.model)
        for start in range(0, len(rows), PAGE):
            mails = past_mails(reader, rows[start : start + PAGE])
            before = decided_again(mails, was, weighers[0], desk)
            after = decided_again(mails, would, weighers[1], desk)
            for one, other in zip(before, after, strict=True):
                counts.update(
                    mails=1,
                    anew=one.anew,
                    was=one.decision.verdict.sure,
                    would=other.decision.verdict.sure,
                )
                sides = _side(one, rules[0]), _side(other, rules[1])
                changes += _change(one.mail, *sides, said=said.get(one.mail.row))
            progress(min(start + PAGE, len(rows)), len(rows))
    finally:
        reader.close()
    return Changes(counts["mails"], counts["anew"], counts["was"], counts["would"], tuple(changes))


def _weighers(reader: Reader, was: Model, would: Model) -> tuple[Weighers, Weighers]:
    """Where two models are compared, each only stands for itself."""
    if was is not would:
        return {was.model_id: was}, {would.model_id: would}
    both = weighers_of(reader, was)
    return both, both


def _side(each: Again, rules: Mapping[str, Rule]) -> Decided:
    return Decided(each.decision, each.background.account, rules)


def _change(mail: PastMail, one: Decided, other: Decided, *, said: tuple[str, ...] | None) -> Iterator[Change]:
    aspects = differences(one, other)
    if len(aspects) > 0:
        before, after = one.decision.verdict, other.decision.verdict
        yield Change(
            row=mail.row,
            reference=mail.reference,
            received=mail.message.received,
            sender=mail.message.sender.addr_spec if mail.message.sender is not None else "",
            subject=mail.message.subject,
            was=tuple(sorted(before.chosen)),
            would=tuple(sorted(after.chosen)),
            was_sure=before.sure,
            would_sure=after.sure,
            said=said,
            aspects=aspects,
            words=words((one, other), aspects),
        )
