"""A rule and the mails it had a part in, in; what each would have been without it, and what is to be put back, out.

`plan` is pure: a decision thrice (as it was made, made again, made again without the rule) and how the mail stands now.
Only that is put back which is still as the decision left it; what a person said since stays, and is named.
"""

from __future__ import annotations

import dataclasses
import email
import email.policy
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from triaged.decide import decide
from triaged.decision import (
    BookCall,
    CancelCall,
    Decision,
    FileMessage,
    MarkMessage,
    MoveCall,
    Notify,
    OfferCall,
    Planned,
    Refile,
    ReleaseTimes,
    SendAck,
    SendInvitation,
)
from triaged.log import undo as logged
from triaged.log.encode import decided_columns, from_ms
from triaged.log.read import Reader
from triaged.log.undo import MOVED, NAMES, Change, Columns, Entry, PlanOf, Standing
from triaged.model import Message
from triaged.playbook import Background, Playbook
from triaged.replay import PlaybookOf, what_decided, without

ASPECTS: Mapping[str, tuple[str, ...]] = {
    "category": ("categories", "sure"),
    "account": ("account_id", "account_how"),
    "priority": ("priority",),
    "due time": ("due_at",),
    "person in charge": ("assigned",),
    "risk": ("complaint", "chasing", "risk"),
}
"""What of a mail a decision says, each with its columns of `message`: put back together or not at all."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A mail's decision thrice. stored: as it was made, number: its row; again: made again from what was kept, by the
    same rules; without: the same, without the rule. playbook: that both were made by."""

    row: int
    mailbox: str
    number: int
    message: Message
    background: Background
    stored: Decision
    again: Decision
    without: Decision
    playbook: Playbook


@dataclass(frozen=True, slots=True)
class Sent:
    """What left the house and cannot be taken back. kind: as of effects; when: it left, or was booked; to, name: whom,
    `name` may be empty; detail: a call's time in words; uid, person: of a call in the calendar."""

    kind: str
    when: datetime
    to: str
    name: str
    subject: str
    detail: str = ""
    uid: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about one mail. columns: to be set; aspects: of these, changes in words by aspect; tags: as
    they were and as they will be, where they change; stays: what is not put back, with the reason."""

    case: Compared
    columns: Columns
    aspects: Mapping[str, str]
    tags: str
    drop: tuple[Entry, ...]
    add: tuple[Planned, ...]
    sent: tuple[Sent, ...]
    stays: tuple[str, ...]
    is_busy: bool = False

    @property
    def changes(self) -> bool:
        """Whether anything is put back."""
        return len(self.columns) + len(self.drop) + len(self.add) > 0 or self.tags != ""

    @property
    def moves(self) -> tuple[Refile, ...]:
        """What is moved back to another folder."""
        return tuple(each.effect for each in self.add if isinstance(each.effect, Refile))

    @property
    def done_words(self) -> list[str]:
        """What changes, a few words each."""
        words = [f"{aspect} {change}" for aspect, change in self.aspects.items()]
        words += [f"tags {self.tags}"] if self.tags != "" else []
        words += [f"{each.state} {NAMES[each.kind]} is dropped" for each in self.drop]
        for planned in self.add:
            match planned.effect:
                case Refile(source=source, target=target):
                    words.append(f"moved from {source} back to {target}")
                case MarkMessage(categories=categories):
                    words.append(f"marked {', '.join(categories)} in the mailbox")
                case _:
                    words.append(f"{NAMES[planned.effect.kind]} is planned, for a person to decide")
        return words

    @property
    def told(self) -> str:
        """All of it on one line, for the log."""
        sent = (f"{NAMES[each.kind]}: {each.to} has it" for each in self.sent)
        return "; ".join((*self.done_words, *sent, *self.stays))

    def as_change(self) -> Change:
        """What the log is to be told."""
        return Change(self.columns, self.drop, self.add, self.told, self.case.without, self.case.background)


@dataclass(frozen=True, slots=True)
class Doings:
    """What a rule did. fired: in how many mails; plans: for those in which it made a difference; lost: numbers of those
    whose decision cannot be made again, for their text was removed or an earlier version decided."""

    rule: str
    fired: int
    plans: tuple[Plan, ...]
    lost: tuple[int, ...]


# --- decisions made again -----------------------------------------------------------------------------------------


def doings(
    reader: Reader, rule: str, *, since: datetime, playbook_of: PlaybookOf, progress: Callable[[int, int], None]
) -> Doings:
    """What the rule of this name did to mail decided about since then. progress: how many of how many are looked at."""
    plans: list[Plan] = []
    lost: list[int] = []
    rows = logged.fired_in(reader, rule, since=since)
    for count, row in enumerate(rows, start=1):
        standing = logged.standing(reader.select, row)
        case = _compared(reader, row, standing, rule, playbook_of) if standing is not None else None
        if case is None or standing is None:
            lost.append(row)
        elif (made := plan(case, standing)) is not None:
            plans.append(made)
        progress(count, len(rows))
    return Doings(rule, len(rows), tuple(plans), tuple(lost))


def _compared(reader: Reader, row: int, standing: Standing, rule: str, playbook_of: PlaybookOf) -> Compared | None:
    message, stored = reader.message(row), reader.decision(row)
    if message is None or stored is None:
        return None
    found = what_decided(reader, row, stored, playbook_of)
    if isinstance(found, str):
        return None
    playbook, background, locator = found
    again, bare = (
        decide(message, locator=locator, playbook=each, background=background, now=stored.decided_at)
        for each in (playbook, without(playbook, rule))
    )
    return Compared(row, locator.mailbox, standing.decision, message, background, stored, again, bare, playbook)


# --- what is to be put back ---------------------------------------------------------------------------------------


def plan(case: Compared, standing: Standing) -> Plan | None:
    """What to do about a mail that stands so now; None when the rule made no difference, or the mail was decided about
    again since `case` was made."""
    if standing.decision != case.number:
        return None
    columns, aspects, stays = _columns(case, standing)
    was, now = (", ".join(each.tags) or "none" for each in (case.again, case.without))
    effects = _Effects(case, {entry.key: entry for entry in standing.effects})
    effects.settle()
    if (
        len(effects.busy) > 0
    ):  # it may fail and be owed again: once the decision is another, nobody would come back to it
        return Plan(case, {}, {}, "", (), (), (), tuple(effects.busy), is_busy=True)
    made = Plan(
        case,
        columns,
        aspects,
        f"{was} → {now}" if was != now else "",
        tuple(effects.drop),
        tuple(effects.add),
        tuple(effects.sent),
        (*stays, *effects.stays),
    )
    return made if made.changes or len(made.sent) + len(made.stays) > 0 else None


def change_of(case: Compared) -> PlanOf:
    """`plan`, as the log asks for it in the transaction that changes the mail."""

    def change(standing: Standing) -> Change | None:
        made = plan(case, standing)
        return made.as_change() if made is not None and not made.is_busy else None

    return change


def _columns(case: Compared, standing: Standing) -> tuple[Columns, Mapping[str, str], list[str]]:
    """Columns to set, the change in words by aspect, and what stays."""
    by = case.message.automatic.by
    stored, again, bare = (decided_columns(each, by) for each in (case.stored, case.again, case.without))
    zone = case.playbook.hours.timezone
    put: dict[str, Any] = {}
    told: dict[str, str] = {}
    stays = []
    for aspect, names in ASPECTS.items():
        changed = [name for name in names if again[name] != bare[name]]
        if len(changed) == 0:
            continue
        now, would = (_words(aspect, values, zone) for values in (standing.columns, bare))
        if aspect == "category" and standing.by_person:
            stays.append(f"the category stays {now}: a person said so")
        elif any(standing.columns[name] != stored[name] for name in changed):
            stays.append(f"the {aspect} stays {now}: it was changed since the decision")
        elif any(stored[name] != again[name] for name in changed):
            stays.append(f"the {aspect} stays {now}: what it would be without the rule cannot be told any more")
        else:
            put |= {name: bare[name] for name in changed}
            told[aspect] = f"{now} → {would}"
    return put, told, stays


def _words(aspect: str, columns: Columns, zone: str) -> str:
    match aspect:
        case "category":
            chosen = ", ".join(json.loads(columns["categories"])) or "other"
            return chosen if columns["sure"] else f"{chosen} (unsure)"
        case "account":
            return columns["account_id"] or "none"
        case "due time":
            due = columns["due_at"]
            return f"{from_ms(due).astimezone(ZoneInfo(zone)):%a %d %b %H:%M}" if due is not None else "none"
        case "risk":
            return f"{columns['risk'] or 0.0:.2f}"
    return str(columns[ASPECTS[aspect][0]] or "nobody")


@dataclass(slots=True)
class _Effects:
    """The effects of one mail, settled one by one; a class for the sake of what all steps add to."""

    case: Compared
    rows: Mapping[str, Entry]
    drop: list[Entry] = dataclasses.field(default_factory=list)
    add: list[Planned] = dataclasses.field(default_factory=list)
    sent: list[Sent] = dataclasses.field(default_factory=list)
    stays: list[str] = dataclasses.field(default_factory=list)
    busy: list[str] = dataclasses.field(default_factory=list)

    def settle(self) -> None:
        """What was planned with the rule beside what would have been without it."""
        bare = {each.effect.key: each for each in self.case.without.effects}
        again = {each.effect.key: each for each in self.case.again.effects}
        for key, planned in again.items():
            entry, other = self.rows.get(key), bare.get(key)
            if entry is None or (other is not None and _is_same(planned, other)):
                continue
            self._differs(entry, planned, other)
            if isinstance(planned.effect, BookCall) and (called := self.rows.get(f"invitation:{key}")) is not None:
                self._differs(called, planned, None)
        for key, planned in bare.items():
            standing = self.rows.get(key)
            if key not in again and (standing is None or standing.state == "dropped"):
                self.add.append(planned)

    def _differs(self, entry: Entry, planned: Planned, other: Planned | None) -> None:
        """An effect that would not have been planned, or otherwise."""
        only_how = other is not None and other.effect == planned.effect
        if entry.is_open and not (only_how and entry.state == "held"):
            self.drop.append(entry)
            self.add += [other] if other is not None else []
        elif entry.state == "doing":
            self.busy.append(f"the {NAMES[entry.kind]} is being done this moment; run this again")
        elif entry.state == "person":
            self.stays.append(
                f"the {NAMES[entry.kind]} went wrong and waits for a person: triaged drop {self.case.row}"
            )
        elif entry.state == "done":
            self._done(entry, planned, other)

    def _done(self, entry: Entry, planned: Planned, other: Planned | None) -> None:
        if other is not None and other.effect == planned.effect:
            self.stays.append(
                f"the {NAMES[entry.kind]} is done; without the rule it would have waited, for a person or longer"
            )
            return
        match entry.effect:
            case None:
                self.stays.append(f"the {NAMES[entry.kind]} was done; its contents were removed since")
            case MarkMessage(categories=categories):
                self.stays.append(f"the mark {', '.join(categories)} stays on the mail: take it off by hand")
            case FileMessage():
                self._moved(entry, planned, other)
            case BookCall(appointment=call):
                detail = entry.detail.removeprefix("booked ")
                subject, to = call.summary, call.attendee
                self.sent.append(
                    Sent("call", entry.changed, to.addr_spec, to.display_name, subject, detail, call.uid, call.person)
                )
            case OfferCall() | MoveCall() | CancelCall() | ReleaseTimes():
                self.stays.append(f"the {NAMES[entry.kind]} is done: see triaged calls list")
            case SendAck() | Notify() | SendInvitation() as effect:
                self.sent.append(_sent(entry, effect, self.rows))

    def _moved(self, entry: Entry, planned: Planned, other: Planned | None) -> None:
        assert isinstance(planned.effect, FileMessage)
        source, target = planned.effect.folder, planned.effect.locator.folder
        if other is not None and isinstance(other.effect, FileMessage):
            target = other.effect.folder
        if not entry.detail.startswith(MOVED):
            self.stays.append("the folder stays: somebody else had moved the mail")
        elif self.case.message.message_id == "":
            self.stays.append(f"the mail stays in {source}: it has no Message-ID to find it by; move it by hand")
        else:
            # The number of the decision: a mail may be brought back more than once, and each time is another move.
            key = f"refile:{self.case.number}:{self.case.message.key}"
            effect = Refile(key, self.case.mailbox, self.case.message.message_id, source, target)
            self.add.append(Planned(effect, "owed", self.case.without.decided_at))


def _is_same(planned: Planned, other: Planned) -> bool:
    """The same is done, and no sooner. A note to a colleague is the same though its words differ a little: they are to
    hear of the mail all the same, and now."""
    if isinstance(planned.effect, Notify) and isinstance(other.effect, Notify):
        return planned.effect.why == other.effect.why
    is_sooner = planned.not_before < other.not_before or (planned.state, other.state) == ("owed", "held")
    return planned.effect == other.effect and not is_sooner


def _sent(entry: Entry, effect: SendAck | Notify | SendInvitation, rows: Mapping[str, Entry]) -> Sent:
    """The mail that left, as its octets say; of an invitation with the time of its call."""
    mail = email.message_from_bytes(effect.mail.octets, policy=email.policy.default)
    to = mail["To"].addresses[0].display_name if mail["To"] is not None and mail["To"].addresses else ""
    call = rows.get(effect.key.removeprefix("invitation:")) if isinstance(effect, SendInvitation) else None
    detail = call.detail.removeprefix("booked ") if call is not None else ""
    return Sent(effect.kind, entry.changed, effect.mail.recipient, to, str(mail["Subject"] or ""), detail)


# --- for people ---------------------------------------------------------------------------------------------------


PLURAL: Mapping[str, str] = {
    "category": "categories",
    "priority": "priorities",
    "person in charge": "persons in charge",
    "risk": "risks",
    "acknowledgement": "acknowledgements",
    "note to a colleague": "notes to colleagues",
    "move to a folder": "moves to a folder",
    "question to a person": "questions to a person",
}


def counted(plans: Sequence[Plan]) -> str:
    """What would be done, in numbers: `12 mails would change: 9 categories, 2 folders; 3 mails were sent and stay`."""
    changing = [each for each in plans if each.changes]
    aspects = Counter(aspect for each in changing for aspect in each.aspects)
    aspects["tag"] = sum(each.tags != "" for each in changing)
    aspects["folder"] = sum(len(each.moves) for each in changing)
    told = ", ".join(_many(count, aspect) for aspect, count in aspects.items() if count > 0)
    parts = [f"{_many(len(changing), 'mail')} would change" + (f": {told}" if told else "")]
    dropped = Counter((each.state, NAMES[each.kind]) for plan in changing for each in plan.drop)
    parts += [f"{_many(count, name, state)} dropped" for (state, name), count in dropped.items()]
    added = Counter(NAMES[each.effect.kind] for plan in changing for each in plan.add if each.effect.kind != "refile")
    parts += [f"{_many(count, name)} planned, for a person to decide" for name, count in added.items()]
    left = Counter(each.kind == "call" for plan in plans for each in plan.sent)
    if left[False] > 0:
        parts.append(
            "1 mail was sent and stays sent" if left[False] == 1 else f"{left[False]} mails were sent and stay sent"
        )
    parts += [f"{_many(left[True], 'call')} in the calendar"] if left[True] > 0 else []
    stay = sum(len(each.stays) for each in plans)
    parts += [f"{_many(stay, 'more thing')} not put back"] if stay > 0 else []
    return "; ".join(parts)


def _many(count: int, name: str, state: str = "") -> str:
    """`1 held acknowledgement`, `2 held acknowledgements`."""
    word = name if count == 1 else PLURAL.get(name, f"{name}s")
    return f"{count} {state} {word}" if state != "" else f"{count} {word}"
