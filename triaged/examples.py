"""A playbook in, the examples of its rules that do not come out as their authors wrote out, each by file and line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from triaged.accounts.match import directory
from triaged.classify.model import judge
from triaged.decide import decide
from triaged.decision import Decision
from triaged.errors import Problem
from triaged.mail.newtext import split
from triaged.model import Account, Address, Automatic, Identity, Locator, Message
from triaged.playbook import Playbook
from triaged.rules.grammar import Example

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLIENT = Address("someone@client.invalid")
"""Who writes an example that does not say so: somebody of a known client, since strangers get no answer."""


def bare_message(subject: str, body: str, *, sender: Address = CLIENT) -> Message:
    """A mail of which only the words are known, received at the epoch."""
    new_text, quoted = split(body)
    return Message(
        key="0" * 32,
        message_id="",
        subject=subject,
        sender=sender,
        reply_to=(),
        to=(),
        cc=(),
        date=None,
        received=EPOCH,
        in_reply_to=(),
        references=(),
        text=body,
        new_text=new_text,
        quoted=quoted,
        attachments=(),
        automatic=Automatic(),
        identity=Identity("unauthenticated"),
        defects=(),
        size_bytes=len(body),
    )


def failing(playbook: Playbook, *, folder: Path) -> Iterator[Problem]:
    """Judge every example by the whole rule set and the model. folder: where `file` examples lie."""
    examples = [example for rule in playbook.rules.rules if rule.enabled for example in rule.examples]
    messages = [_message(example, folder) for example in examples]
    opinions = judge(playbook.model, [message.judged for message in messages])
    mailbox = next(iter(playbook.mailboxes))
    for example, message, judged in zip(examples, messages, opinions, strict=True):
        assert message.sender is not None
        client = Account("example", "Example", addresses=(message.sender.addr_spec,))
        decision = decide(
            message,
            locator=Locator(mailbox, "", example.source),
            playbook=playbook,
            directory=directory([client]),
            thread_accounts=(),
            trend=None,
            judged=judged,
            now=EPOCH,
        )
        for what in _differences(example, decision):
            yield Problem(example.source, f"the example {what}")


def _message(example: Example, folder: Path) -> Message:
    body = example.mail or (folder / example.file).read_text(encoding="utf-8", errors="replace")
    return bare_message(example.subject, body, sender=Address(example.sender) if example.sender else CLIENT)


def _differences(example: Example, decision: Decision) -> Iterator[str]:
    chosen = decision.verdict.chosen or ("other",)
    scores = ", ".join(f"{each.category} {each.score:.2f}" for each in decision.verdict.scores)
    for category in example.category or ():
        if category not in chosen:
            yield f"should be {category}, but is {', '.join(chosen)} ({scores})"
    for category in example.not_category:
        if category in chosen:
            yield f"should not be {category}, but is ({scores})"
    found = ", ".join(decision.risk.signals) or "none"
    for signal in example.signal:
        if signal not in decision.risk.signals:
            yield f"should give the signal {signal}, but gives {found}"
    for signal in example.not_signal:
        if signal in decision.risk.signals:
            yield f"should not give the signal {signal}, but gives {found}"
    if example.priority is not None and example.priority != decision.priority:
        yield f"should have priority {example.priority}, but has {decision.priority}"
    wanted = None if example.acknowledge == "none" else example.acknowledge
    if example.acknowledge is not None and wanted != decision.acknowledge.template:
        yield f"should be answered with {example.acknowledge}, but is answered with {decision.acknowledge.template}"
