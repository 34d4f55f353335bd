"""A file of a set in, the page that edits it out, and what its buttons do: check, try on past mail, save, remove.

The draft travels in the form, so nothing is lost and no script is needed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, RedirectResponse, Response

from triaged.errors import ConfigError, Gone, TriagedError
from triaged.loading import written_of
from triaged.rules.difference import FileDiff
from triaged.web import drafts
from triaged.web.desk import Desk
from triaged.web.drafts import MAX_CHARACTERS, Conflict, Draft, Found, Refused, address_of
from triaged.web.gate import Visitor
from triaged.web.words import counted
from triaged.written import is_part

NOT_TAKEN = "Nothing was saved or tried, for the worker would not take it: what is wrong stands below."
MAIL = "A mail that is an example is kept as it came: look at it here, change it on the machine."
Text = Annotated[str, Field(max_length=MAX_CHARACTERS)]


class Edit(BaseModel):
    """The editor's form. was: the text as it was when the file was opened; mail: for whom a template is looked at."""

    text: Text = ""
    was: Text = ""
    why: Annotated[str, Field(max_length=500)] = ""
    mail: Annotated[str, Field(max_length=40)] = ""
    do: Literal["edit", "check", "try", "save", "remove"] = "check"


class Typed(BaseModel):
    """What is looked at while somebody types. name: of the file within a set."""

    name: str
    text: Text = ""


@dataclass(frozen=True, slots=True)
class Clash:
    """Who changed the file meanwhile, how, and what the draft changes."""

    who: str
    theirs: tuple[FileDiff, ...]
    mine: tuple[FileDiff, ...]


@dataclass(frozen=True, slots=True)
class Editor:
    """The editor of one kind of file. folder: `rules/` or `templates/`; page: its template."""

    folder: str
    page: str

    def checked(self, rest: str) -> str:
        """The name within a set. Raises: Gone when no file can be called so."""
        name = self.folder + rest
        if not is_part(name):
            raise Gone(f"no file of {self.folder.rstrip('/')} can be called “{rest}”")
        return name

    def show(
        self,
        desk: Desk,
        request: Request,
        visitor: Visitor,
        name: str,
        *,
        draft: Draft | None = None,
        why: str = "",
        found: Found | None = None,
        problem: str = "",
        clash: Clash | None = None,
        status: int = 200,
        **more: Any,
    ) -> Response:
        """The page, with the draft or what lies on disk. Raises: ConfigError when the folder cannot be read."""
        there = written_of(desk.config)
        unread = ""
        try:
            text = drafts.opened(there, name)
        except ConfigError as error:
            text, unread = drafts.shown(there, name), "; ".join(map(str, error.problems))
        if name.lower().endswith(".eml"):
            unread = MAIL
        draft = draft or Draft(name, text, text)
        written = drafts.with_draft(there, draft) if unread == "" else there
        found = found or drafts.look(desk.config, written, name, now=desk.clock())
        may_write = drafts.may_write(desk.config, name)
        values = {
            "name": name,
            "called": name[len(self.folder) :],
            "address": address_of(name),
            "text": draft.text or "",
            "was": draft.was,
            "why": why,
            "told": drafts.told(found, written, name),
            "summary": summary(found),
            "problem": problem if problem or may_write else drafts.may_not_words(desk.config, name),
            "clash": clash,
            "exists": name in there.files,
            "is_changed": draft.text != text,
            "unread": unread,
            "may_edit": visitor.may("coordinator") and unread == "",
            "trial": desk.trials.of(written.id),
            "written": written,
        }
        return desk.page(request, visitor, self.page, status=status, **values, **more)

    def act(self, desk: Desk, request: Request, visitor: Visitor, name: str, form: Edit, **more: Any) -> Response:
        """What a button of the form does. more: as for `show`."""
        why = " ".join(form.why.split())
        kept = Draft(name, drafts.typed(form.text), drafts.typed(form.was))

        def again(draft: Draft = kept, **values: Any) -> Response:
            return self.show(desk, request, visitor, name, draft=draft, why=why, **values, **more)

        if form.do in ("edit", "check"):
            return again()
        try:
            if form.do == "try":
                return self._try(desk, visitor, kept, why)
            words, is_well = self._save(desk, visitor, kept, why, remove=form.do == "remove")
        except Conflict as conflict:
            # the form counts from what lies there now, which is seen then
            return again(Draft(name, kept.text, conflict.now), clash=_clash(conflict, kept), status=409)
        except Refused as refused:
            return again(found=refused.found, problem=NOT_TAKEN, status=422)
        except ValueError as error:
            return again(problem=str(error), status=422)
        except (TriagedError, OSError) as error:
            return again(problem=f"Nothing was saved: {error}.", status=409)
        where = address_of(name) if form.do == "save" else f"/{self.folder.rstrip('/')}"
        return desk.done(visitor, where, words, bad=not is_well)

    def _save(self, desk: Desk, visitor: Visitor, draft: Draft, why: str, *, remove: bool) -> tuple[str, bool]:
        """Raises: ValueError for what the form lacks, and as `drafts.save`."""
        if draft.name.lower().endswith(".eml"):
            raise ValueError(MAIL)
        if why == "":
            raise ValueError("Write why: a sentence that the history keeps.")
        if draft.text == draft.was and not remove:
            raise ValueError("Nothing is changed, so there is nothing to save.")
        draft = Draft(draft.name, None, draft.was) if remove else draft
        written = drafts.with_draft(written_of(desk.config), draft)
        trial = desk.trials.of(written.id)
        tried = f"tried: {trial.answer['headline']}" if trial is not None and trial.answer is not None else "not tried"
        return drafts.save(desk, visitor, draft, why=why, tried=tried)

    def _try(self, desk: Desk, visitor: Visitor, draft: Draft, why: str) -> Response:
        """Raises: Refused, Busy."""
        written = drafts.with_draft(written_of(desk.config), draft)
        found = drafts.look(desk.config, written, draft.name, now=desk.clock())
        if len(found.problems) > 0:
            raise Refused(found)
        trial = desk.trials.begin(
            written, who=visitor.name, name=draft.name, text=draft.text or "", was=draft.was, why=why
        )
        return RedirectResponse(f"/rules/try/{trial.id}", status_code=303)


def _clash(conflict: Conflict, draft: Draft) -> Clash:
    opened, name = "as you opened it", draft.name
    return Clash(
        conflict.who,
        theirs=drafts.differs(draft.was, conflict.now, name, names=(opened, "as it is now")),
        mine=drafts.differs(draft.was, draft.text or "", name, names=(opened, "your text")),
    )


def check(desk: Desk, typed: Typed) -> JSONResponse:
    """Problems and hints of a draft, for script. Raises: Gone."""
    if not is_part(typed.name):
        raise Gone(f"no file can be called “{typed.name}”")
    there = written_of(desk.config)
    written = drafts.with_draft(there, Draft(typed.name, drafts.typed(typed.text), ""))
    found = drafts.look(desk.config, written, typed.name, now=desk.clock())
    told = [asdict(each) for each in drafts.told(found, written, typed.name)]
    return JSONResponse({"told": told, "summary": summary(found)})


def summary(found: Found) -> str:
    """How much was found, in a sentence."""
    problems, hints = len(found.problems), len(found.hints)
    look = f", and {counted(hints, 'hint')}" if hints > 0 else ""
    if problems > 0:
        return f"{counted(problems, 'problem')}{look}: it cannot be saved like this."
    return f"Nothing is wrong{look}."
