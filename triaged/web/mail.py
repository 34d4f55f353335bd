"""One mail in, its page out: what it says, why it was decided so, what happened, and what people say of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, Response

from triaged.decision import Decision
from triaged.examples import example_text
from triaged.log import handling, people, users
from triaged.log.handling import STATES, Changed, Correction, State
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.log.rulesets import calibrations
from triaged.log.store import Log
from triaged.log.threads import conversation
from triaged.model import Account
from triaged.rules.grammar import OTHER, Rule
from triaged.tomlfile import did_you_mean
from triaged.web import maillook, story, why
from triaged.web.desk import Desk, desk_of, mail_row
from triaged.web.gate import Coordinator, Viewer, Visitor
from triaged.web.signin import ours
from triaged.web.words import marked

MAX_NOTE, MAX_STEP = 5_000, 300
"""Characters of a note and of a next step."""
DAY_ENDS = (23, 59)
"""Something that is to be done by a day is late when the day is over, on the desk's clock."""

router = APIRouter()
router.include_router(maillook.router)
router.include_router(why.router)

Back = Annotated[str, Form()]


@router.get("/mail/{mail}")
def mail_page(request: Request, visitor: Viewer, mail: str) -> HTMLResponse:
    """The page."""
    desk = desk_of(request)
    with desk.reading() as reader:
        row = mail_row(reader, mail)
        message, decision = reader.message(row.id), reader.decision(row.id)
        accounts = {each.account_id: each for each in reader.accounts()}
        said = handling.corrections(reader, row.id)
        effects = reader.effects(row.id)
        values: dict[str, Any] = {
            "row": row,
            "message": message,
            "decision": decision,
            "cleared": handling.is_cleared(reader, row.id),
            "handling": handling.handling(reader, row.id),
            "held": story.held(effects),
            "asked": [each.payload.get("question", each.detail) for each in effects if each.state == "person"],
            "story": story.story(reader, row),
            "related": conversation(reader, row.id, message, account_id=row.account_id) if message is not None else [],
            "accounts": accounts,
            "categories": _categories(desk, reader, row, decision),
            "corrections": said,
            "teaches": _teaches(desk, reader, row, said),
            "thresholds": thresholds(reader, decision),
            "rules": why.rules_of_its_day(desk, reader, decision),
        }
    if message is not None and decision is not None:
        values["subject"], values["text"] = marked(message, decision.verdict.evidence)
    values |= {"people": desk.config.person, "states": STATES}
    return desk.page(request, visitor, "mail.html", **values)


def thresholds(reader: Reader, decision: Decision | None) -> dict[str, float]:
    """The score from which on each category counts, as far as the model's calibration is kept."""
    fits = calibrations(reader).get(decision.verdict.model_id) if decision is not None else None
    return {name: fit.threshold for name, fit in fits.categories.items()} if fits is not None else {}


def _categories(desk: Desk, reader: Reader, row: LogRow, decision: Decision | None) -> list[str]:
    """Those that a mail may be said to be of: what the rules of today know, and what it had a score for."""
    rules = desk.rule_sets.in_use(reader)
    scored = [each.category for each in decision.verdict.scores] if decision is not None else []
    return list(dict.fromkeys((*row.categories, *scored, *(rules.categories if rules is not None else ()))))


# --- what is right ----------------------------------------------------------------------------------------------


@router.post("/mail/{mail}/correct")
def correct(
    request: Request,
    visitor: Coordinator,
    mail: str,
    category: Annotated[list[str] | None, Form()] = None,
    account: Annotated[str | None, Form(max_length=300)] = None,
    right: Annotated[bool, Form()] = False,
    back: Back = "",
) -> Response:
    """Put category or account right, or say that the categories are right as shown.

    category: those that are right, `other` alone for none; account: an id or a name, `""` for none. What is not given
    stays as it is.
    """
    desk = desk_of(request)
    with desk.reading() as reader:
        row = mail_row(reader, mail)
        known = _categories(desk, reader, row, reader.decision(row.id))
        accounts = reader.accounts()
    where = _where(row, back)
    try:
        chosen = _chosen(category, known) if category is not None and not right else None
        account_id = _account(account, accounts) if account is not None else None
    except ValueError as error:
        return desk.done(visitor, where, str(error), bad=True)
    chosen = chosen if chosen is not None and sorted(chosen) != sorted(row.categories) else None
    account_id = account_id if account_id != (row.account_id or "") else None
    if chosen is None and account_id is None and not right:
        words = "Nothing was changed. If it is right as it is shown, say so with the other button."
        return desk.done(visitor, where, words, bad=True)
    with desk.writing() as log:
        now = desk.clock()
        people.correct(log, row.id, categories=chosen, account_id=account_id, who=visitor.name, now=now, right=right)
        words = _corrected_words(row, chosen, account_id, right=right)
        users.audit(log, "message.correct", words, who=visitor.name, now=now, message=row.id)
    learned = " It is learned from: see “What this teaches” below." if right or chosen is not None else ""
    return desk.done(visitor, where, f"{words[:1].upper()}{words[1:]}.{learned} What was sent stays sent.")


def _chosen(said: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The categories that were said, none for `other`. Raises: ValueError, a sentence."""
    for each in said:
        if each not in (*known, OTHER):
            raise ValueError(f"There is no category {each}{did_you_mean(each, known)}.")
    if OTHER in said and len(set(said)) > 1:
        raise ValueError("“other” means that none of the categories fits: tick it alone, or leave it out.")
    return tuple(dict.fromkeys(each for each in said if each != OTHER))


def _account(said: str, accounts: Sequence[Account]) -> str:
    """The id of the account that is meant, `""` for none: by `C-104`, `Acme` or `C-104 Acme`. Raises: ValueError."""
    wanted = " ".join(said.split()).casefold()
    if wanted == "":
        return ""
    for name_of in (lambda a: a.account_id, lambda a: f"{a.account_id} {a.name}", lambda a: a.name):
        found = [each for each in accounts if name_of(each).casefold() == wanted]
        if len(found) == 1:
            return found[0].account_id
    near = [each for each in accounts if wanted in f"{each.account_id} {each.name}".casefold()]
    if len(near) == 1:
        return near[0].account_id
    some = ", ".join(f"{each.account_id} {each.name}" for each in near[:5])
    hint = f"It could be {some}{' …' if len(near) > 5 else ''}" if some else "Look it up under Accounts"
    raise ValueError(f"There is no one account “{said.strip()}”. {hint}.")


def _corrected_words(row: LogRow, chosen: tuple[str, ...] | None, account_id: str | None, *, right: bool) -> str:
    parts = [f"said that {', '.join(row.categories) or OTHER} is right"] if right else []
    if chosen is not None:
        parts.append(f"category {', '.join(row.categories) or OTHER} → {', '.join(chosen) or OTHER}")
    if account_id is not None:
        parts.append(f"account {row.account_id or 'none'} → {account_id or 'none'}")
    return "; ".join(parts)


def _teaches(desk: Desk, reader: Reader, row: LogRow, said: Sequence[Correction]) -> dict[str, Any] | None:
    """What the last word about the categories teaches: the example that it makes, and the rule it belongs to."""
    labelled = [each for each in said if each.labelled]
    message, decision = reader.message(row.id), reader.decision(row.id)
    if len(labelled) == 0 or message is None or decision is None:
        return None
    last = labelled[-1]
    rules = desk.rule_sets.in_use(reader)
    rule = _rule_for(last.categories, decision, rules.rules if rules is not None else ())
    spoke = {each.source: each for each in decision.verdict.evidence if each.category not in last.categories}
    named = {each.source: each.name for each in rules.rules} if rules is not None else {}
    return {
        "said": last,
        "rule": rule,
        "example": example_text(
            message, decision, reader.background(row.id), categories=last.categories, rule=None, zone=desk.zone
        ),
        "misled": [(named[source], source, each.category) for source, each in spoke.items() if source in named],
    }


def _rule_for(categories: Sequence[str], decision: Decision, rules: Sequence[Rule]) -> Rule | None:
    """Below which rule an example of these categories belongs: one that spoke for it, else the first that could."""
    fired = {each.source for each in decision.rules if each.fired}
    could = [rule for rule in rules if any(name in categories for name, _ in rule.suggests)]
    return next((rule for rule in could if rule.source in fired), could[0] if len(could) > 0 else None)


# --- what is done about it ------------------------------------------------------------------------------------------


@router.post("/mail/{mail}/note")
def note(
    request: Request,
    visitor: Coordinator,
    mail: str,
    text: Annotated[str, Form(max_length=MAX_NOTE)] = "",
    back: Back = "",
) -> Response:
    """Write something about the mail."""
    text = text.replace("\r\n", "\n").strip()

    def write(log: Log, row: LogRow, now: datetime) -> str:
        handling.add_note(log, row.id, text, who=visitor.name, now=now)
        return "The note is kept with the mail."

    wrong = "The note is empty, so nothing was kept." if text == "" else ""
    return _said(request, visitor, mail, back, write, wrong=wrong)


@router.post("/mail/{mail}/state")
def state(
    request: Request,
    visitor: Coordinator,
    mail: str,
    state: Annotated[State, Form()],
    was: Annotated[str | None, Form()] = None,
    back: Back = "",
) -> Response:
    """Say how the mail stands. was: as it stood when the form was shown."""

    def write(log: Log, row: LogRow, now: datetime) -> str:
        if not handling.set_state(log, row.id, state, was=was, who=visitor.name, now=now):
            return f"It is {state} already."
        return {"open": "It is open again.", "waiting": "It waits for somebody else.", "done": "It is done."}[state]

    return _said(request, visitor, mail, back, write)


@router.post("/mail/{mail}/owner")
def owner(
    request: Request,
    visitor: Coordinator,
    mail: str,
    person: Annotated[str, Form(max_length=200)] = "",
    was: Annotated[str | None, Form()] = None,
    back: Back = "",
) -> Response:
    """Say who sees to the mail, `""`: nobody. was: who did when the form was shown."""
    names = {"": "Nobody", **{each.id: each.name for each in desk_of(request).config.person}}

    def write(log: Log, row: LogRow, now: datetime) -> str:
        changed = handling.assign(log, row.id, person, was=was, who=visitor.name, now=now)
        return f"{names[person]} sees to it{'' if changed else ' already'}."

    wrong = f"Nobody of us is called {person}." if person not in names else ""
    return _said(request, visitor, mail, back, write, wrong=wrong)


@router.post("/mail/{mail}/next")
def next_step(
    request: Request,
    visitor: Coordinator,
    mail: str,
    step: Annotated[str, Form(max_length=MAX_STEP)] = "",
    by: Annotated[str, Form(max_length=10)] = "",
    was: Annotated[str | None, Form()] = None,
    back: Back = "",
) -> Response:
    """Say what is to be done next, and by which day (`2026-12-01`); an empty step takes it out. was: the step shown."""
    step = " ".join(step.split())
    try:
        end, wrong = (_end_of(by, desk_of(request).zone) if by != "" and step != "" else None), ""
    except ValueError:
        end, wrong = None, f"“{by}” is no day; write it as 2026-12-01."

    def write(log: Log, row: LogRow, now: datetime) -> str:
        if not handling.set_next(log, row.id, step, end, was=was, who=visitor.name, now=now):
            return "Nothing was changed."
        return "The next step is kept." if step != "" else "No next step is planned any more."

    return _said(request, visitor, mail, back, write, wrong=wrong)


def _said(
    request: Request,
    visitor: Visitor,
    mail: str,
    back: str,
    write: Callable[[Log, LogRow, datetime], str],
    *,
    wrong: str = "",
) -> Response:
    """Write what a person said in one transaction, and go on with what came of it in words. wrong: why it cannot be.

    On another page than the mail's the words say which mail they are about.
    """
    desk = desk_of(request)
    with desk.reading() as reader:
        row = mail_row(reader, mail)
    which = f"{row.subject or row.reference}: " if back != "" else ""
    if wrong != "":
        return desk.done(visitor, _where(row, back), which + wrong, bad=True)
    try:
        with desk.writing() as log:
            words = write(log, row, desk.clock())
    except Changed as changed:
        return desk.page(request, visitor, "mail_changed.html", status=409, row=row, changed=changed)
    return desk.done(visitor, _where(row, back), which + words)


def _end_of(day: str, zone: str) -> datetime:
    """The last minute of a day. Raises: ValueError."""
    hour, minute = DAY_ENDS
    return datetime.strptime(day, "%Y-%m-%d").replace(hour=hour, minute=minute, tzinfo=ZoneInfo(zone))


def _where(row: LogRow, back: str) -> str:
    """The page to go on with: the one that the form was on, else the mail's."""
    return ours(back) if back != "" else f"/mail/{row.id}"
