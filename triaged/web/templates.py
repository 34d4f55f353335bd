"""Templates in, the page they are edited and looked at in out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from triaged import preview as previews
from triaged.errors import ConfigError, Gone, Permanent, TriagedError
from triaged.loading import folders_of, languages_of, ours_of, rules_alone, written_of
from triaged.mail.render import LAYOUT, VARIABLES, read_templates, variables_of
from triaged.preview import Letter
from triaged.proofread import Proof, proofread
from triaged.rules.grammar import RuleSet
from triaged.samples import may_be_empty, sample
from triaged.settings import Config
from triaged.web import drafts, editor
from triaged.web.commands import laid, say
from triaged.web.desk import Desk, desk_of
from triaged.web.drafts import Draft, Found, address_of
from triaged.web.editor import Edit, Editor, Text, Typed
from triaged.web.gate import Coordinator, Viewer
from triaged.written import TEMPLATES, Written

router = APIRouter()
files = Editor(TEMPLATES, "templates_edit.html")

FILE = re.compile(r"[a-z0-9][a-z0-9_-]*(?:\.[a-z]{2})?\.txt")
"""Names for new files: `complaint.txt`, `complaint.de.txt`."""
NEW = "Subject: \n\n\n"
FRAME_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
"""Of the page in the frame that shows a mail: no script, nothing from elsewhere; the layout brings its own styles, and
stands in a frame of its own that may do nothing at all."""
MAIL_S = 60.0
"""Seconds in which the mail to a real client must be written; it takes about 3."""
MADE_UP = "The values are made up."


class Previewed(BaseModel):
    """What is to be looked at. mail: of the log, for whom; `""`: for a made-up client."""

    name: str
    text: Text = ""
    mail: Annotated[str, Field(max_length=40)] = ""


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template. languages: each file that there is, with its language, `""` for the plain one; named: rules that
    name it, None where the machine itself uses it."""

    name: str
    languages: tuple[tuple[str, str], ...]
    named: tuple[str, ...] | None


@router.get("/templates")
def templates_page(request: Request, visitor: Viewer) -> HTMLResponse:
    """Every template, who gets it, and what is wrong with any."""
    desk = desk_of(request)
    there, now = written_of(desk.config), desk.clock()
    rules, proof = desk.once("proof", f"{there.id} {now:%Y-%m-%d}", lambda: _proof(desk.config, there, now))
    named: dict[str, list[str]] = {}
    for rule in rules.rules if rules is not None else ():
        if rule.enabled and rule.then.acknowledge is not None:
            named.setdefault(rule.then.acknowledge, []).append(rule.name)
    return desk.page(
        request,
        visitor,
        "templates.html",
        rows=list(_rows(there, named)),
        told=drafts.told(Found(proof.problems, proof.hints), there, ""),
        layout=address_of(TEMPLATES + LAYOUT) if LAYOUT in there.templates else "",
        may_not="" if drafts.may_write(desk.config, TEMPLATES) else drafts.may_not_words(desk.config, TEMPLATES),
        folder=folders_of(desk.config)[1],
    )


def _proof(config: Config, there: Written, now: datetime) -> tuple[RuleSet | None, Proof]:
    """The rules, None where they cannot be read, and what is wrong with the templates or would come out wrong."""
    try:
        rules = rules_alone(config, there)
    except ConfigError:
        rules = None
    ours, colleagues = ours_of(config), languages_of(config)
    return rules, proofread(there.templates, rules=rules, ours=ours, colleagues=colleagues, now=now)


def _rows(there: Written, named: Mapping[str, list[str]]) -> Iterator[TemplateRow]:
    stems = [name.removesuffix(".txt") for name in there.templates if name.endswith(".txt")]
    for name in sorted({stem.partition(".")[0] for stem in stems}):
        found = sorted(stem for stem in stems if stem.partition(".")[0] == name)
        languages = tuple((stem.partition(".")[2], address_of(f"{TEMPLATES}{stem}.txt")) for stem in found)
        yield TemplateRow(name, languages, None if name in VARIABLES else tuple(named.get(name, ())))


# --- one file ---------------------------------------------------------------------------------------------------


@router.get("/templates/new")
def new(request: Request, visitor: Coordinator, name: str = "") -> Response:
    """Ask how a new template is to be called, then open it."""
    name = name.strip()
    if FILE.fullmatch(name) is not None:
        return RedirectResponse(address_of(TEMPLATES + name), status_code=303)
    problem = "" if name == "" else f"No template can be called “{name}”."
    return desk_of(request).page(
        request, visitor, "templates_new.html", name=name, problem=problem, status=422 if problem else 200
    )


@router.get("/templates/edit/{name:path}")
def edit(request: Request, visitor: Viewer, name: str, line: int | None = None, mail: str = "") -> Response:
    """The editor. mail: for whom the preview is."""
    desk, name = desk_of(request), files.checked(name)
    draft = None
    if name not in written_of(desk.config).files:
        if not visitor.may("coordinator"):
            raise Gone(f"there is no file {name}")
        draft = Draft(name, NEW, "")
    return files.show(desk, request, visitor, name, draft=draft, line=line, mail=mail, **_beside(desk, name))


@router.post("/templates/edit/{name:path}")
def edited(request: Request, visitor: Coordinator, name: str, form: Annotated[Edit, Form()]) -> Response:
    """Check, try, save or remove it."""
    desk, name = desk_of(request), files.checked(name)
    return files.act(desk, request, visitor, name, form, line=None, mail=form.mail, **_beside(desk, name))


@router.post("/templates/check")
def check(request: Request, visitor: Coordinator, form: Annotated[Typed, Form()]) -> JSONResponse:
    """Problems while somebody types."""
    return editor.check(desk_of(request), form)


def _beside(desk: Desk, name: str) -> dict[str, Any]:
    """The variables of a template, each with a made-up value, and whether it may be empty."""
    stem = name[len(TEMPLATES) :].removesuffix(".txt")
    if name.endswith(".html"):
        return {"variables": []}
    language = stem.partition(".")[2]
    values = sample(stem, language=language, ours=ours_of(desk.config), now=desk.clock())
    empty = may_be_empty(stem)
    return {"variables": [(each, values[each], each in empty) for each in sorted(variables_of(stem))]}


# --- what a mail looks like -------------------------------------------------------------------------------------


@router.post("/templates/preview")
def preview(request: Request, visitor: Viewer, form: Annotated[Previewed, Form()]) -> HTMLResponse:
    """The mail that a draft makes, as a page of its own for a frame."""
    desk, name = desk_of(request), files.checked(form.name.removeprefix(TEMPLATES))
    there = written_of(desk.config)
    written = drafts.with_draft(there, Draft(name, drafts.typed(form.text), ""))
    stem = "received" if name.endswith(".html") else name[len(TEMPLATES) :].removesuffix(".txt")
    try:
        if form.mail.strip() != "":
            letter, said = _for_mail(desk.config, written, stem, form.mail.strip())
        else:
            letter, said = _made_up(desk, written, stem), [MADE_UP]
    except ConfigError as error:
        letter, said = None, ["There is nothing to show yet.", *map(str, error.problems)]
    except (TriagedError, OSError) as error:
        letter, said = None, [f"There is nothing to show: {error}"]
    page = desk.bare_page("templates_frame.html", letter=letter, said=said)
    page.headers["content-security-policy"] = FRAME_POLICY
    return page


def _made_up(desk: Desk, written: Written, stem: str) -> Letter:
    """With made-up values. Raises: ConfigError, Permanent."""
    read = read_templates(written.templates)
    if stem not in read.bodies or read.layout is None:
        mine = tuple(each for each in read.problems if each.where.split(":")[0] in (f"{stem}.txt", LAYOUT))
        raise ConfigError(mine or read.problems)
    return previews.made_up(read, stem, ours=ours_of(desk.config), now=desk.clock())


def _for_mail(config: Config, written: Written, stem: str, mail: str) -> tuple[Letter | None, list[str]]:
    """For the writer of a logged mail, in another process: it takes the model. Raises: Permanent, OSError."""
    if re.fullmatch(r"[A-Za-z0-9-]{1,20}", mail) is None:
        raise Permanent(f"“{mail}” is no number and no reference of a mail")
    with laid(config, written) as folder:
        told = say(config, "templates", "preview", stem, "--mail", mail, "--folder", str(folder), within_s=MAIL_S)[0]
    made = told["answer"]
    if made is None:
        return None, told["said"]
    head = tuple(made["head"].items())
    return Letter(made["template"], head, made["text"], made["html"], made["returns_to"] or ""), told["said"]
