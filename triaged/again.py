"""Mails of the log and a playbook in, what it decides about them with what was known then out; nothing is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from triaged.classify.model import Judged, Model, judge
from triaged.decide import decide
from triaged.decision import Decision
from triaged.log.past import PastMail
from triaged.log.read import Reader
from triaged.log.rulesets import calibrations
from triaged.model import Locator
from triaged.playbook import Background, Playbook
from triaged.worker.triage import Desk, background_of

Weighers = Mapping[str, Model]
"""By a model's id, that model at least as it weighs; a mail that any other has judged must be judged anew."""


@dataclass(frozen=True, slots=True)
class Again:
    """A mail that was decided about again, with what was known of it. anew: its words were judged anew."""

    mail: PastMail
    background: Background
    decision: Decision
    anew: bool


def weighers_of(reader: Reader, model: Model) -> Weighers:
    """What a model of its day said can be weighed by its calibration, which the log keeps; the model may be gone."""
    kept = {
        name: dataclasses.replace(model, calibration=each, model_id=name) for name, each in calibrations(reader).items()
    }
    return kept | {model.model_id: model}


def decided_again(mails: Sequence[PastMail], playbook: Playbook, weighers: Weighers, desk: Desk) -> Iterator[Again]:
    """Each mail in order, as of when it was decided about. desk: what is known today, where that was not kept."""
    first = next(iter(playbook.mailboxes.values()))
    gone = {mail.mailbox: first for mail in mails}  # those that are no longer in the configuration
    playbook = dataclasses.replace(playbook, mailboxes={**gone, **playbook.mailboxes})
    for mail, background, model, anew in _known(mails, playbook.model, weighers, desk):
        decision = decide(
            mail.message,
            locator=Locator(mail.mailbox, "", str(mail.row)),
            playbook=playbook if model is playbook.model else dataclasses.replace(playbook, model=model),
            background=background,
            now=mail.decided,
        )
        yield Again(mail, background, decision, anew)


def _known(
    mails: Sequence[PastMail], model: Model, weighers: Weighers, desk: Desk
) -> Iterator[tuple[PastMail, Background, Model, bool]]:
    """Each mail, what was known of it, the model to weigh that with, and whether it was judged anew."""
    unjudged = [mail for mail in mails if mail.background is None or mail.model_id not in weighers]
    texts = [mail.message.judged for mail in unjudged]
    opinions: dict[int, Judged] = dict(zip((mail.row for mail in unjudged), judge(model, texts), strict=True))
    for mail in mails:
        judged = opinions.get(mail.row)
        if mail.background is None:
            assert judged is not None
            yield mail, background_of(mail.message, desk, judged), model, True
        elif judged is not None:
            yield mail, dataclasses.replace(mail.background, judged=judged), model, True
        else:
            yield mail, mail.background, weighers[mail.model_id], False
