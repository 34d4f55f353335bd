"""An entry of the queue in, all that its page shows of the mail, the client and the choices out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from markupsafe import Markup

from triaged.decision import Decision
from triaged.log import waiting
from triaged.log.approvals import waiting_effects
from triaged.log.quarantine import QuarantinedRow, quarantined
from triaged.log.read import Reader
from triaged.log.rows import EffectRow, LogRow
from triaged.model import Message
from triaged.risk import evidence_words
from triaged.web import words
from triaged.web.choices import Choice, choice
from triaged.web.desk import Desk

NO_ACCOUNT = "-"
"""What a form says for: of no account."""
MOST_NAMES = 500
"""Accounts that a page lists to choose from; of more, words of the name are typed."""


@dataclass(frozen=True, slots=True)
class Edit:
    """An effect that is being reworded, with what was typed; None: not yet."""

    effect: int
    subject: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Category:
    """One that a mail may be of. number: its key; score: None where it has none; chosen: as shown now."""

    number: int
    name: str
    score: float | None
    sure: bool
    chosen: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry as the page shows it. subject, text: the deciding words marked; text: None when it was removed.

    corrected: number of the latest correction; candidates: accounts to choose from with one click, with their names;
    doings: what was planned and done beside what waits; bad_address: whoever wrote it is not answered any more.
    """

    entry: waiting.Entry
    row: LogRow
    message: Message | None
    decision: Decision | None
    subject: Markup
    text: Markup | None
    choices: tuple[Choice, ...]
    categories: tuple[Category, ...]
    corrected: int
    account: str
    evidence: str
    candidates: tuple[tuple[str, str], ...]
    accounts: Mapping[str, str]
    client: waiting.Client | None
    doings: tuple[EffectRow, ...]
    risk_words: tuple[str, ...]
    unread: QuarantinedRow | None
    bad_address: bool
    edit: Edit | None

    @property
    def held(self) -> tuple[Choice, ...]:
        """What can be approved."""
        return tuple(each for each in self.choices if each.held and each.waiting.effect is not None)

    @property
    def asked(self) -> tuple[Choice, ...]:
        """What a person only has to see to."""
        return tuple(each for each in self.choices if not each.held or each.waiting.effect is None)

    @property
    def in_doubt(self) -> bool:
        """Whether what it is, or whose, is to be confirmed."""
        return "category" in self.entry.kinds or "account" in self.entry.kinds


def shown(
    desk: Desk, reader: Reader, entry: waiting.Entry, *, edit: Edit | None, candidates: Sequence[str] = ()
) -> Shown:
    """All of it. candidates: ids of accounts that fit what was typed; else those that the mail may belong to."""
    row, message, decision = reader.row(entry.id), reader.message(entry.id), reader.decision(entry.id)
    assert row is not None  # it waits
    names = waiting.account_names(reader)
    marked = words.marked(message, decision.verdict.evidence) if message is not None and decision is not None else None
    match = decision.account if decision is not None else None
    fits = candidates or (match.rivals if match is not None and "account" in entry.kinds else ())
    waits = shown_choices(desk, reader, entry.id)
    open_rows = {each.waiting.id for each in waits}
    return Shown(
        entry=entry,
        row=row,
        message=message,
        decision=decision,
        subject=marked[0] if marked is not None else Markup().join([entry.subject]),
        text=marked[1] if marked is not None else None,
        choices=waits,
        categories=_categories(reader, row, decision),
        corrected=waiting.last_correction(reader, entry.id),
        account=names.get(row.account_id or "", row.account_id or ""),
        evidence=match.evidence if match is not None else "",
        candidates=tuple((each, names[each]) for each in fits if each in names and each != row.account_id),
        accounts=names if len(names) <= MOST_NAMES else {},
        client=waiting.client(reader, row.account_id, besides=entry.id, now=desk.clock()) if row.account_id else None,
        doings=tuple(each for each in reader.effects(entry.id) if each.id not in open_rows and each.kind != "ask"),
        risk_words=tuple(dict.fromkeys(map(evidence_words, decision.risk.evidence))) if decision is not None else (),
        unread=next((each for each in quarantined(reader) if each.id == entry.id), None)
        if "unreadable" in entry.kinds
        else None,
        bad_address=waiting.has_bad_address(reader, entry.id),
        edit=edit,
    )


def shown_choices(desk: Desk, reader: Reader, mail: int) -> tuple[Choice, ...]:
    """What waits for a mail, in words."""
    people, zone = {each.id: each.name for each in desk.config.person}, ZoneInfo(desk.zone)
    return tuple(
        choice(each, people=people, when=lambda moment: f"{moment.astimezone(zone):%a %d %b %H:%M}")
        for each in waiting_effects(reader, mail)
    )


def named(accounts: Mapping[str, str], typed: str) -> list[str]:
    """The ids of the accounts that fit what was typed: an id or `id · name` fits one, words of a name all that have
    them. `[""]`: said to be of none."""
    wanted = typed.strip().casefold()
    if wanted == NO_ACCOUNT:
        return [""]
    first = wanted.partition(" · ")[0].strip()
    exact = [each for each, name in accounts.items() if first == each.casefold() or wanted == name.casefold()]
    if len(exact) > 0 or wanted == "":
        return exact
    parts = wanted.split()
    return [each for each, name in accounts.items() if all(part in f"{each} {name}".casefold() for part in parts)]


def _categories(reader: Reader, row: LogRow, decision: Decision | None) -> tuple[Category, ...]:
    scores = {each.category: each for each in decision.verdict.scores} if decision is not None else {}
    return tuple(
        Category(
            number=number,
            name=name,
            score=scores[name].score if name in scores else None,
            sure=scores[name].sure if name in scores else True,
            chosen=name in row.categories,
        )
        for number, name in enumerate(waiting.known_categories(reader, row.id), 1)
    )
