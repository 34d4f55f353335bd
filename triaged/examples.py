"""A playbook in, the examples of its rules that do not come out as their authors wrote out, each by file and line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from triaged.classify.model import judge
from triaged.clocks.hours import Hours
from triaged.decide import decide
from triaged.decision import Decision
from triaged.errors import Problem
from triaged.mail.newtext import split
from triaged.mail.parse import parse
from triaged.model import (
    Account,
    AccountMatch,
    Address,
    Attachment,
    Automatic,
    Contract,
    Identity,
    Locator,
    Message,
    Raw,
)
from triaged.playbook import Background, Playbook
from triaged.rules.grammar import DATES, NO_TEMPLATE, OTHER, Example, Rule, plain

NOBODY = AccountMatch(None, None, 0.0, "it is an example of a stranger's mail")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ANY_DAY = "2026-06-16"
"""A Tuesday far from all holidays, for examples that do not say when they came."""
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


def failing(playbook: Playbook, *, files: Mapping[str, bytes]) -> Iterator[Problem]:
    """The examples that do not come out as written. files: the folder of the rules, for examples in files."""
    for judged in judge_examples(playbook, files=files):
        for what in judged.differences:
            yield Problem(judged.example.source, f"the example {what}")


@dataclass(frozen=True, slots=True)
class JudgedExample:
    """An example with what came of it. differences: what is not as its author wrote, in words; none where all is."""

    rule: Rule
    example: Example
    decision: Decision
    differences: tuple[str, ...]

    @property
    def came(self) -> dict[str, tuple[str, ...]]:
        """What came of it in the fields that the example looks at."""
        return {field: came_of(self.decision, field) for field, _ in (*self.example.gives, *self.example.never)}


def judge_examples(playbook: Playbook, *, files: Mapping[str, bytes]) -> Iterator[JudgedExample]:
    """Judge every example of an enabled rule by the whole rule set and the model, in order."""
    pairs = [(rule, example) for rule in playbook.rules.rules if rule.enabled for example in rule.examples]
    messages = [_message(rule, example, files, playbook) for rule, example in pairs]
    opinions = judge(playbook.model, [message.judged for message in messages])
    mailbox = next(iter(playbook.mailboxes))
    for (rule, example), message, judged in zip(pairs, messages, opinions, strict=True):
        account = _account(example, message)
        evidence = "it is an example"
        matched = AccountMatch(account.account_id, "address", 1.0, evidence) if account else NOBODY
        decision = decide(
            message,
            locator=Locator(mailbox, "", example.source),
            playbook=playbook,
            background=Background(matched, account, judged, open_items=example.circumstances.open_items),
            now=message.received,
        )
        yield JudgedExample(rule, example, decision, tuple(_differences(example, decision)))


def _message(rule: Rule, example: Example, files: Mapping[str, bytes], playbook: Playbook) -> Message:
    received = _received(rule, example, playbook.hours)
    if example.file != "":
        octets = files[example.file]
        raw = Raw(Locator("", "", example.source), received, octets, len(octets))
        return parse(raw, border=playbook.border)
    around = example.circumstances
    return dataclasses.replace(
        bare_message(example.subject, example.mail, sender=Address(example.sender) if example.sender else CLIENT),
        received=received,
        in_reply_to=("<earlier@client.invalid>",) if around.is_reply else (),
        attachments=(Attachment(around.attachment, "", 1),) if around.attachment else (),
        automatic=Automatic(around.automatic, "the example says so" if around.automatic != "person" else ""),
    )


def _received(rule: Rule, example: Example, hours: Hours) -> datetime:
    """As the example says, else on a day on which the rule counts, when we open if we do."""
    zone = ZoneInfo(hours.timezone)
    if example.circumstances.received is not None:
        return example.circumstances.received.replace(tzinfo=zone).astimezone(UTC)
    days = {condition.key: condition.values[0] for condition in rule.when if condition.key in DATES}
    first = days.get("from_date") or days.get("to_date") or ANY_DAY
    noon = datetime.combine(date.fromisoformat(first), time(12), zone).astimezone(UTC)
    opens = hours.open_intervals(noon, noon + timedelta(days=14))
    moment = opens[0].start if len(opens) > 0 else noon
    return moment if moment.astimezone(zone).date().isoformat() <= days.get("to_date", "9999") else noon


def _account(example: Example, message: Message) -> Account | None:
    """Whose mail it is taken to be: a client's, unless the example says that nobody knows the writer."""
    around = example.circumstances
    if around.account == "none" or message.sender is None:
        return None
    return Account(
        around.account or "example",
        "Example",
        addresses=(message.sender.addr_spec,),
        tier=around.tier,
        manager=around.manager,
        contracts=(Contract("1", around.contract_ends),) if around.contract_ends is not None else (),
    )


def _differences(example: Example, decision: Decision) -> Iterator[str]:
    for field, wanted in example.gives:
        found = came_of(decision, field)
        for value in wanted:
            if value not in found:
                yield f"should give {field} {value}, but gives {_words(found)}{_scores(field, decision)}"
    for field, refused in example.never:
        found = came_of(decision, field)
        for value in refused:
            if value in found:
                yield f"should not give {field} {value}, but does{_scores(field, decision)}"


def came_of(decision: Decision, field: str) -> tuple[str, ...]:
    """What a mail got for a field of `EXPECTED`, as rule files write it."""
    match field:
        case "category":
            return decision.verdict.chosen or (OTHER,)
        case "signal":
            return decision.risk.signals
        case "priority":
            return (decision.priority,)
        case "acknowledge":
            return (decision.acknowledge.template or NO_TEMPLATE,)
        case "call":
            return ("true" if any(each.field == "call" for each in decision.fields) else "false",)
    return tuple(plain(each.value) for each in decision.fields if each.field == field)


def _words(found: tuple[str, ...]) -> str:
    return ", ".join(found) or "none"


def _scores(field: str, decision: Decision) -> str:
    if field != "category":
        return ""
    return f" ({', '.join(f'{each.category} {each.score:.2f}' for each in decision.verdict.scores)})"


# --- an example out of a mail -----------------------------------------------------------------------------------


def example_text(
    message: Message,
    decision: Decision,
    background: Background | None,
    *,
    categories: tuple[str, ...],
    rule: Rule | None,
    zone: str,
) -> str:
    """A mail as a `[[rule.example]]`. categories: what is right, by the log. rule: of the circumstances only what it
    asks for is said, and all that it sets is expected."""
    asked = {condition.key for condition in (*rule.when, *rule.unless)} if rule is not None else set()
    lines = {"subject": toml_text(message.subject)} if message.subject else {}
    lines["mail"] = toml_text(message.new_text.strip() or message.subject)
    account = background.account if background is not None else None
    ends = sorted(each.ends for each in account.contracts if each.ends is not None) if account is not None else []
    if asked & {"from", "to"} and message.sender is not None:
        lines["from"] = toml_text(message.sender.addr_spec)
    if account is None and "account" in asked:
        lines["account"] = '"none"'
    if account is not None and account.tier and "tier" in asked:
        lines["tier"] = toml_text(account.tier)
    if account is not None and account.manager and "manager" in asked:
        lines["manager"] = toml_text(account.manager)
    if len(ends) > 0 and "contract_ends_within" in asked:
        lines["contract_ends"] = ends[0].isoformat()
    if background is not None and "open_items" in asked:
        lines["open_items"] = str(background.open_items)
    if asked & {"received", "date_mentioned", "from_date", "to_date"}:
        lines["received"] = message.received.astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat("T", "seconds")
    if message.is_reply and "is_reply" in asked:
        lines["is_reply"] = "true"
    if len(message.attachments) > 0 and "attachment" in asked:
        lines["attachment"] = toml_text(message.attachments[0].filename)
    wanted = {"category": categories or (OTHER,), "signal": decision.risk.signals}
    for field, values in (wanted | (_set_by(rule) if rule is not None else {})).items():
        told = [toml_text(value) for value in values]
        if len(told) > 0:
            lines[f"gives.{field}"] = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    if rule is not None and rule.then.call is not None:
        lines["gives.call"] = "true"
    return "\n".join(("  [[rule.example]]", *(f"  {key} = {value}" for key, value in lines.items())))


def _set_by(rule: Rule) -> dict[str, tuple[str, ...]]:
    """What a rule sets, by field of `EXPECTED`, without its call."""
    then = rule.then
    one = {
        "priority": then.priority,
        "acknowledge": then.acknowledge,
        "send": str(then.send) if then.send is not None else None,
        "escalate": then.escalate,
        "assign": then.assign,
        "file": then.file,
        "due": then.due,
    }
    found = {field: (value,) for field, value in one.items() if value is not None}
    return found | {"tag": then.tags, "notify": then.notify}


def toml_text(text: str) -> str:
    """A text as TOML writes it; one of several lines on as many."""
    lines = [json.dumps(line, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f") for line in text.split("\n")]
    return f'"{lines[0]}"' if len(lines) == 1 else '"""\n' + "\n".join(lines) + '"""'
