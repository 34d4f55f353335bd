"""One mail in, its page out: what it says, why it was decided so, what happened, and what people say of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, Response

from triaged.decision import Decision
from triaged.log import handling
from triaged.log.handling import STATES, Changed, State
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.log.rulesets import calibrations
from triaged.log.store import Log
from triaged.log.threads import conversation
from triaged.web import correct, maillook, story, why
from triaged.web.correct import after
from triaged.web.desk import desk_of, mail_row
from triaged.web.gate import Coordinator, Viewer, Visitor
from triaged.web.words import marked

MAX_NOTE, MAX_STEP = 5_000, 300
"""Characters of a note and of a next step."""
DAY_ENDS = (23, 59)
"""Something that is to be done by a day is late when the day is over, on the desk's clock."""

router = APIRouter()
router.include_router(correct.router)
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
            "categories": correct.categories_of(desk, reader, row, decision),
            "corrections": said,
            "teaches": correct.teaches(desk, reader, row, said),
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
        changed = handling.assign(log, row.id, person, was=_shown(was), who=visitor.name, now=now)
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
        if not handling.set_next(log, row.id, step, end, was=_shown(was), who=visitor.name, now=now):
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
        return desk.done(visitor, after(row, back), which + wrong, bad=True)
    try:
        with desk.writing() as log:
            words = write(log, row, desk.clock())
    except Changed as changed:
        return desk.page(request, visitor, "mail_changed.html", status=409, row=row, changed=changed)
    return desk.done(visitor, after(row, back), which + words)


def _shown(was: str | None) -> str | None:
    """What a form showed, which it sends behind a `=`, for an empty field is as none at all; None: it did not say."""
    return was[1:] if was is not None and was.startswith("=") else None


def _end_of(day: str, zone: str) -> datetime:
    """The last minute of a day. Raises: ValueError."""
    hour, minute = DAY_ENDS
    return datetime.strptime(day, "%Y-%m-%d").replace(hour=hour, minute=minute, tzinfo=ZoneInfo(zone))
