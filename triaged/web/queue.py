"""What waits for a person in, one after the other, to be decided with a key, out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from triaged.decision import SendAck
from triaged.errors import ConfigError, Gone, Permanent
from triaged.loading import written_of
from triaged.log import approvals, waiting
from triaged.log.quarantine import Mended, quarantined, raw_of
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.log.store import Log
from triaged.log.users import audit
from triaged.mail.render import laid_out, load_templates
from triaged.mail.reword import problem, reworded
from triaged.web.desk import Desk, desk_of
from triaged.web.entry import Edit, named, shown, shown_choices
from triaged.web.gate import Coordinator, Viewer, Visitor
from triaged.web.signin import ours
from triaged.wire import mailbox_of, triage_process
from triaged.worker.mending import fetched
from triaged.worker.mending import retry as read_again

LISTED_BEFORE, LISTED_AFTER = 8, 40
"""Entries of the list around the one that is looked at."""
FRAME = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"
"""Of the HTML part of a mail: its own colours, and nothing that runs or is fetched."""
TITLE_LETTERS = 60

router = APIRouter()

Mail = Annotated[int, Form()]
Seen = Annotated[list[str], Form()]
Words = Annotated[str, Form(max_length=500)]
Where = Annotated[str, Form(max_length=500)]


@router.get("/queue")
def queue_page(request: Request, visitor: Viewer, at: int | None = None, kind: str = "", edit: int = 0) -> Response:
    """The list and the entry that is looked at: `at`, or the first. kind: only those; edit: an effect to reword."""
    return _page(request, visitor, at=at, kind=kind, edit=Edit(edit) if edit else None)


@router.get("/queue/{mail}/html/{effect}")
def html_part(request: Request, visitor: Viewer, mail: int, effect: int) -> HTMLResponse:
    """The HTML part of a mail that waits, for a frame."""
    desk = desk_of(request)
    with desk.reading() as reader:
        found = [each.letter for each in shown_choices(desk, reader, mail) if each.waiting.id == effect]
    if len(found) == 0 or found[0] is None:
        raise Gone("that mail waits no more")
    return HTMLResponse(found[0].html, headers={"content-security-policy": FRAME})


@router.post("/queue/approve")
def approve(
    request: Request, visitor: Coordinator, mail: Mail, seen: Seen, kind: Where = "", back: Where = ""
) -> Response:
    """Let effects go exactly as they were seen."""
    desk = desk_of(request)
    try:
        with desk.writing() as log:
            kinds = approvals.approve(log, mail, _seen(seen), who=visitor.name, now=desk.clock())
    except approvals.Changed as changed:
        return _changed(request, visitor, changed, mail=mail, kind=kind)
    words = f"Approved: {kinds}. It leaves in half a minute, and can be taken back until then."
    return _on(desk, visitor, words, mail=mail, kind=kind, back=back)


@router.post("/queue/drop")
def drop(
    request: Request,
    visitor: Coordinator,
    mail: Mail,
    seen: Seen = [],  # noqa: B006 - FastAPI makes a new one each time
    words: Words = "",
    done: Annotated[bool, Form()] = False,
    kind: Where = "",
    back: Where = "",
) -> Response:
    """Let effects be: what is held is not sent, what was asked has been seen to. done: nothing more is owed either."""
    desk, why = desk_of(request), " ".join(words.split())
    try:
        with desk.writing() as log:
            what = approvals.drop(log, mail, _seen(seen), words=why, done=done, who=visitor.name, now=desk.clock())
    except approvals.Changed as changed:
        return _changed(request, visitor, changed, mail=mail, kind=kind)
    return _on(desk, visitor, f"Let be: {what or 'the mail'}.", mail=mail, kind=kind, back=back)


@router.post("/queue/edit")
def edit(
    request: Request,
    visitor: Coordinator,
    mail: Mail,
    seen: Annotated[str, Form()],
    subject: Annotated[str, Form(max_length=2_000)] = "",
    text: Annotated[str, Form(max_length=200_000)] = "",
    kind: Where = "",
) -> Response:
    """Another text for an acknowledgement that is held; it waits on, to be approved as it is then."""
    desk = desk_of(request)
    ((effect, fingerprint),) = _seen([seen]).items()
    text = text.replace("\r\n", "\n")
    typed = Edit(effect, subject, text)
    if (wrong := problem(subject, text)) != "":
        return _page(request, visitor, at=mail, kind=kind, edit=typed, status=422, problem=wrong)
    with desk.reading() as reader:
        found = [each.effect for each in approvals.waiting_effects(reader, mail) if each.id == effect]
    if len(found) == 0 or not isinstance(found[0], SendAck):
        raise Gone("there is no such acknowledgement to be edited; perhaps it was sent or dropped meanwhile")
    try:
        new = reworded(found[0].mail, subject=subject, text=text, html=_html(desk, found[0], subject, text))
        with desk.writing() as log:
            approvals.reword(log, mail, effect, fingerprint, new, who=visitor.name, now=desk.clock())
    except Permanent as error:
        return _page(request, visitor, at=mail, kind=kind, edit=typed, status=422, problem=f"Not saved: {error}.")
    except approvals.Changed as changed:
        return _changed(request, visitor, changed, mail=mail, kind=kind, edit=typed)
    return _on(desk, visitor, "The text is saved. Read it once more, then approve it.", mail=mail, kind=kind)


@router.post("/queue/correct")
def correct(
    request: Request,
    visitor: Coordinator,
    mail: Mail,
    corrected: Annotated[int, Form()],
    category: Annotated[list[str] | None, Form()] = None,
    categories: Annotated[bool, Form()] = False,
    account: Annotated[str | None, Form(max_length=300)] = None,
    right: Annotated[bool, Form()] = False,
    seen: Seen = [],  # noqa: B006
    kind: Where = "",
    back: Where = "",
) -> Response:
    """Category or account put right, or confirmed (right). categories: `category` is what it is, none for other.

    corrected: the latest correction as shown. account: an id or words of its name, `-` for none. seen: what is approved
    in the same step.
    """
    desk = desk_of(request)
    with desk.reading() as reader:
        row, known = _row(reader, mail), waiting.known_categories(reader, mail)
        fits = named(waiting.account_names(reader), account) if account is not None else []
    if account is not None and len(fits) != 1:
        return _not_one(request, visitor, account, fits, mail=mail, kind=kind)
    chosen = tuple(dict.fromkeys(category or ())) if categories else None
    if chosen is not None and not set(chosen) <= set(known):
        raise HTTPException(422, f"There is no such category: {', '.join(set(chosen) - set(known))}")
    confirmed = right or (chosen is not None and set(chosen) == set(row.categories))
    account_id = fits[0] if account is not None else (row.account_id or "") if right else None
    try:
        with desk.writing() as log:
            approvals.correct(
                log,
                mail,
                seen=corrected,
                categories=None if confirmed else chosen,
                account_id=account_id,
                right=confirmed,
                who=visitor.name,
                now=desk.clock(),
            )
            kinds = approvals.approve(log, mail, _seen(seen), who=visitor.name, now=desk.clock()) if seen else ""
    except approvals.Changed as changed:
        return _changed(request, visitor, changed, mail=mail, kind=kind)
    words = "Confirmed." if confirmed and account is None else "Put right; it is learned from."
    return _on(desk, visitor, f"{words}{f' Approved: {kinds}.' if kinds else ''}", mail=mail, kind=kind, back=back)


@router.post("/queue/undo")
def undo(request: Request, visitor: Coordinator, kind: Where = "", back: Where = "") -> Response:
    """Take back what this person did last."""
    desk = desk_of(request)
    with desk.writing() as log:
        undone = approvals.undo(log, who=visitor.name, since=_since(desk), now=desk.clock())
    if undone is None:
        return desk.done(visitor, _address(None, kind), "There is nothing of yours to take back.", bad=True)
    return _on(desk, visitor, undone.words, mail=undone.message, kind="", back=back, bad=undone.bad)


@router.post("/queue/clear")
def clear(request: Request, visitor: Coordinator, mail: Mail, seen: Seen = [], kind: Where = "") -> Response:  # noqa: B006
    """Answer an address again that a mail of ours came back from, and let the question about it be."""
    desk = desk_of(request)
    try:
        with desk.writing() as log:
            if log.limits.clear_bounced(mail):
                log.event("bounced.cleared", f"by {visitor.name}", message=mail, now=desk.clock())
                words = "answered again: the address that a mail came back from"
                audit(log, "bounced.clear", words, who=visitor.name, now=desk.clock(), message=mail)
            if len(seen) > 0:
                words = "the address is answered again"
                approvals.drop(log, mail, _seen(seen), words=words, who=visitor.name, now=desk.clock())
    except approvals.Changed as changed:
        return _changed(request, visitor, changed, mail=mail, kind=kind)
    return _on(desk, visitor, "The next mail from this address is answered again.", mail=mail, kind=kind)


@router.post("/queue/retry")
def retry(request: Request, visitor: Coordinator, mail: Mail, kind: Where = "") -> Response:
    """Try once more to read a mail, by the rules of today; takes some seconds."""
    desk = desk_of(request)
    with desk.reading() as reader:
        row = next((each for each in quarantined(reader) if each.id == mail), None)
        raw = raw_of(reader, row) if row is not None else None
    if row is None:
        raise Gone("this mail is no longer in quarantine")
    configured = {each.name for each in desk.config.mailbox}
    it = raw or fetched(row, configured=configured, mailbox_of=lambda name: mailbox_of(desk.config, name))
    if isinstance(it, str):
        return _on(desk, visitor, f"It cannot be tried again: {it}.", mail=mail, kind=kind, bad=True)

    @contextmanager
    def writing() -> Iterator[Log]:
        with desk.writing() as log:
            yield log
            audit(log, "quarantine.retry", "read a mail once more", who=visitor.name, now=desk.clock(), message=None)

    if not desk.retrying.acquire(blocking=False):
        words = "Another mail is being read once more at this moment. Try again in half a minute."
        return _on(desk, visitor, words, mail=mail, kind=kind, bad=True)
    process = triage_process(desk.config)
    try:
        process.start()
        came = read_again(process, row, it, writing=writing, who=visitor.name, now=desk.clock())
    finally:
        process.kill()
        desk.retrying.release()
    words, bad = _came_words(came)
    return _on(desk, visitor, words, mail=came.row if isinstance(came, Mended) else mail, kind=kind, bad=bad)


def _not_one(
    request: Request, visitor: Visitor, account: str, fits: list[str], *, mail: int, kind: str
) -> HTMLResponse:
    """No account, or several, bear these words."""
    wrong = f"No account fits “{account}”." if len(fits) == 0 else f"“{account}” fits several accounts: choose one."
    return _page(request, visitor, at=mail, kind=kind, status=422, problem=wrong, candidates=fits)


# --- the page -----------------------------------------------------------------------------------------------------


def _page(
    request: Request,
    visitor: Visitor,
    *,
    at: int | None,
    kind: str,
    edit: Edit | None = None,
    status: int = 200,
    problem: str = "",
    candidates: list[str] | None = None,
) -> HTMLResponse:
    desk = desk_of(request)
    with desk.reading() as reader:
        found = waiting.entries(reader)
        listed = [entry for entry in found if kind == "" or kind in entry.kinds]
        entry = _current(reader, listed, at)
        view = shown(desk, reader, entry, edit=edit, candidates=candidates or ()) if entry is not None else None
        last = approvals.last_change(reader, who=visitor.name, since=_since(desk))
    return desk.page(
        request,
        visitor,
        "queue.html",
        status=status,
        problem=problem,
        kind=kind,
        counts={each: sum(each in entry.kinds for entry in found) for each in waiting.KINDS},
        total=len(found),
        is_cut=waiting.is_cut(found),
        moved_on=at is not None and entry is not None and entry.id != at and problem == "",
        view=view,
        last=last,
        **_around(listed, entry),
    )


def _around(listed: list[waiting.Entry], entry: waiting.Entry | None) -> dict[str, object]:
    """The part of the list around an entry, its number, and those before and after it; the last is before the first."""
    if entry is None:
        return {
            "entries": [],
            "hidden_before": 0,
            "hidden_after": 0,
            "number": 0,
            "of": 0,
            "before": None,
            "next": None,
        }
    place = listed.index(entry)
    first, end = max(0, place - LISTED_BEFORE), place + LISTED_AFTER
    return {
        "entries": listed[first:end],
        "hidden_before": first,
        "hidden_after": max(0, len(listed) - end),
        "number": place + 1,
        "of": len(listed),
        "before": listed[place - 1].id if listed else None,
        "next": listed[(place + 1) % len(listed)].id if listed else None,
    }


def _current(reader: Reader, listed: list[waiting.Entry], at: int | None) -> waiting.Entry | None:
    """The entry of this mail; if it does not wait, the one that comes after it; else the first."""
    there = {entry.id: entry for entry in listed}
    if at in there:
        return there[at]
    was = waiting.entry_of(reader, at) if at is not None else None
    later = [entry for entry in listed if was is not None and waiting.place(entry) > waiting.place(was)]
    return next(iter(later or listed), None)


def _changed(
    request: Request, visitor: Visitor, changed: approvals.Changed, *, mail: int, kind: str, edit: Edit | None = None
) -> HTMLResponse:
    """Nothing was done, for somebody was first; who, and how it stands now."""
    wall = changed.at.astimezone(ZoneInfo(desk_of(request).zone))
    words = f"Nothing was done: meanwhile {changed.what}, {wall:%d %b %H:%M}. This is how it stands now."
    return _page(request, visitor, at=mail, kind=kind, status=409, problem=words, edit=edit)


def _on(
    desk: Desk, visitor: Visitor, words: str, *, mail: int, kind: str, back: str = "", bad: bool = False
) -> RedirectResponse:
    """To where the form said, or on in the queue: the same mail while something of it waits, else the next."""
    with desk.reading() as reader:
        subject = _row(reader, mail).subject
    title = subject if len(subject) <= TITLE_LETTERS else f"{subject[:TITLE_LETTERS].rstrip()}…"
    where = ours(back) if back != "" else _address(mail, kind)
    return desk.done(visitor, where, f"“{title or 'no subject'}”: {words}", bad=bad)


def _address(mail: int | None, kind: str) -> str:
    fields = {"at": str(mail) if mail is not None else "", "kind": kind if kind in waiting.KINDS else ""}
    query = urlencode({name: value for name, value in fields.items() if value != ""})
    return f"/queue?{query}" if query else "/queue"


# --- within -------------------------------------------------------------------------------------------------------


def _row(reader: Reader, mail: int) -> LogRow:
    row = reader.row(mail)
    if row is None:
        raise Gone(f"there is no mail {mail} in the log")
    return row


def _seen(fields: list[str]) -> dict[int, str]:
    """What a form says was seen: `12:` and a fingerprint, by effect."""
    found = {}
    for field in fields:
        number, _, fingerprint = field.partition(":")
        if not number.isdecimal() or fingerprint == "":
            raise HTTPException(422, "The form does not say what was seen. Open the page again.")
        found[int(number)] = fingerprint
    return found


def _since(desk: Desk) -> datetime:
    return desk.clock() - timedelta(hours=desk.config.desk.session_h)


def _html(desk: Desk, ack: SendAck, subject: str, text: str) -> str | None:
    """The text in the site's layout; None where the templates are being edited and are wrong: then the text alone."""
    try:
        templates = load_templates(written_of(desk.config).templates)
        language = ack.template.partition(".")[2] or desk.config.firm.language
        return laid_out(templates, subject=subject, text=text, language=language)
    except (ConfigError, TypeError, ValueError, LookupError):
        return None


def _came_words(came: Mended | str | None) -> tuple[str, bool]:
    match came:
        case None:
            return "It is no longer in quarantine.", True
        case str():
            return f"It still cannot be read: {came}.", True
        case Mended():
            same = " It is the same mail as one that was there already." if came.copy else ""
            return f"It could be read, and is triaged as any other.{same}", False
