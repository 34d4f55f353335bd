"""The log and two playbooks in, every mail that they would decide otherwise out; nothing is written or sent."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from triaged.accounts.match import directory
from triaged.classify.model import Judged, Model, judge
from triaged.decide import decide
from triaged.log.past import PastMail, past_mails, past_rows
from triaged.log.read import Reader
from triaged.log.rulesets import calibrations
from triaged.mail.donotanswer import DoNotAnswer
from triaged.model import Locator
from triaged.playbook import Background, Playbook
from triaged.rules.grammar import Rule
from triaged.whatif.difference import Aspect, Decided, differences, words
from triaged.worker.triage import Desk, background_of

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
    listed: DoNotAnswer = DoNotAnswer(),  # noqa: B008 - frozen
) -> Changes:
    """The mails that another model would put elsewhere, by the same rules; see `replay`."""
    would = dataclasses.replace(playbook, model=other)
    found = replay(path, playbook, would, since=since, said=said, progress=progress, listed=listed)
    return dataclasses.replace(found, changes=tuple(each for each in found.changes if each.was != each.would))


def replay(
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
            before = _decided(mails, was, weighers[0], desk, rules[0])
            after = _decided(mails, would, weighers[1], desk, rules[1])
            for mail, one, other in zip(mails, before, after, strict=True):
                counts.update(
                    mails=1,
                    anew=mail.background is None or mail.model_id not in weighers[0],
                    was=one.decision.verdict.sure,
                    would=other.decision.verdict.sure,
                )
                changes += _change(mail, one, other, said.get(mail.row))
            progress(min(start + PAGE, len(rows)), len(rows))
    finally:
        reader.close()
    return Changes(counts["mails"], counts["anew"], counts["was"], counts["would"], tuple(changes))


Weighers = Mapping[str, Model]
"""By a model's id, that model at least as it weighs; a mail that any other has judged must be judged anew."""


def _weighers(reader: Reader, was: Model, would: Model) -> tuple[Weighers, Weighers]:
    """What a model of its day said can be weighed by its calibration, which the log keeps; the model itself may be
    gone. Where two models are compared, each only stands for itself."""
    if was is not would:
        return {was.model_id: was}, {would.model_id: would}
    kept = {
        name: dataclasses.replace(was, calibration=each, model_id=name) for name, each in calibrations(reader).items()
    }
    both = kept | {was.model_id: was}
    return both, both


def _decided(
    mails: Sequence[PastMail], playbook: Playbook, weighers: Weighers, desk: Desk, rules: Mapping[str, Rule]
) -> list[Decided]:
    first = next(iter(playbook.mailboxes.values()))
    gone = {mail.mailbox: first for mail in mails}  # those that are no longer in the configuration
    playbook = dataclasses.replace(playbook, mailboxes={**gone, **playbook.mailboxes})
    found = []
    for mail, background, model in _known(mails, playbook.model, weighers, desk):
        decision = decide(
            mail.message,
            locator=Locator(mail.mailbox, "", str(mail.row)),
            playbook=playbook if model is playbook.model else dataclasses.replace(playbook, model=model),
            background=background,
            now=mail.decided,
        )
        found.append(Decided(decision, background.account, rules))
    return found


def _known(
    mails: Sequence[PastMail], model: Model, weighers: Weighers, desk: Desk
) -> Iterator[tuple[PastMail, Background, Model]]:
    """Each mail, what was known of it, and the model to weigh that with."""
    unjudged = [mail for mail in mails if mail.background is None or mail.model_id not in weighers]
    texts = [mail.message.judged for mail in unjudged]
    opinions: dict[int, Judged] = dict(zip((mail.row for mail in unjudged), judge(model, texts), strict=True))
    for mail in mails:
        judged = opinions.get(mail.row)
        if mail.background is None:
            assert judged is not None
            yield mail, background_of(mail.message, desk, judged), model
        elif judged is not None:
            yield mail, dataclasses.replace(mail.background, judged=judged), model
        else:
            yield mail, mail.background, weighers[mail.model_id]


def _change(mail: PastMail, one: Decided, other: Decided, said: tuple[str, ...] | None) -> Iterator[Change]:
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
