"""The rule sets of the log in, pages out: who changed what when and why, what differs, and an earlier set again."""

from __future__ import annotations

import itertools
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, Response

from triaged.errors import TriagedError
from triaged.loading import written_of
from triaged.log.read import Reader
from triaged.log.rulesets import last_use
from triaged.rules.difference import diffs, file_changes
from triaged.rulesets import history, kept_set
from triaged.web import drafts
from triaged.web.desk import Desk, desk_of
from triaged.web.drafts import Found, Refused
from triaged.web.gate import Coordinator, Viewer, Visitor
from triaged.written import RULES, Written

router = APIRouter()

LIMIT = 50
FOLDER = "folder"
"""What the files as they lie in the folders are called."""


@router.get("/rules/history")
def history_page(request: Request, visitor: Viewer, limit: int = LIMIT) -> HTMLResponse:
    """Each set, newest first."""
    desk, limit = desk_of(request), min(max(limit, 1), 1000)
    with desk.reading() as reader:
        rows, current = list(history(reader, limit + 1)), last_use(reader)
    return desk.page(
        request,
        visitor,
        "rules_history.html",
        rows=rows[:limit],
        more=limit * 2 if len(rows) > limit else None,
        current=current.rules_id if current is not None else "",
        before={use: older.rules_id for (use, _), (older, _) in itertools.pairwise(rows)},
    )


@router.get("/rules/diff")
def diff(request: Request, visitor: Viewer, first: str = "", second: str = FOLDER) -> HTMLResponse:
    """The lines that differ between two sets, by id; `folder`: what lies in the folders, `""`: the set in use."""
    desk = desk_of(request)
    with desk.reading() as reader:
        old, new = _set(desk, reader, first), _set(desk, reader, second)
    return desk.page(request, visitor, "rules_diff.html", old=old[0], new=new[0], changes=_changes(old, new))


@router.get("/rules/restore/{name}")
def restore_page(request: Request, visitor: Coordinator, name: str) -> HTMLResponse:
    """What it would change to have an earlier set again, and the question why."""
    desk = desk_of(request)
    return _restore_page(desk, request, visitor, name)


def _restore_page(
    desk: Desk,
    request: Request,
    visitor: Visitor,
    name: str,
    *,
    why: str = "",
    problem: str = "",
    found: Found | None = None,
    status: int = 200,
) -> HTMLResponse:
    there = written_of(desk.config)
    with desk.reading() as reader:
        found_id, kept = kept_set(reader, name)
    written = kept.with_templates_of(there)
    return desk.page(
        request,
        visitor,
        "rules_restore.html",
        status=status,
        name=found_id,
        seen=there.id,
        changes=_changes((FOLDER, there), (found_id, written)),
        why=why,
        problem=problem,
        told=drafts.told(found, written, "") if found is not None else [],
    )


@router.post("/rules/restore/{name}")
def restore(
    request: Request,
    visitor: Coordinator,
    name: str,
    seen: Annotated[str, Form(max_length=100)] = "",
    why: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Lay it into the folders and have the worker take it. seen: the id of what lay there when the page was shown."""
    desk, why = desk_of(request), " ".join(why.split())
    there = written_of(desk.config)
    with desk.reading() as reader:
        found_id, kept = kept_set(reader, name)
    written = kept.with_templates_of(there)
    if why == "":
        words = "Write why: a sentence that the history keeps."
        return _restore_page(desk, request, visitor, name, problem=words, status=422)
    if there.id != seen:
        words = "The files were changed meanwhile. Nothing was restored; look again at what would change."
        return _restore_page(desk, request, visitor, name, problem=words, status=409, why=why)
    try:
        drafts.must_be_no_worse(desk.config, written, there, RULES, now=desk.clock())
        changed = "; ".join(each.words for each in file_changes(there, written))
        words, is_well = drafts.put(
            desk,
            visitor,
            written,
            there=there,
            how="restored",
            what="rules.restore",
            about=found_id,
            why=why,
            told=changed or "the same files",
        )
    except Refused as refused:
        words = "Nothing was restored, for the worker would not take that set today: what is wrong stands below."
        return _restore_page(desk, request, visitor, name, problem=words, found=refused.found, status=422, why=why)
    except (TriagedError, OSError) as error:
        return _restore_page(desk, request, visitor, name, problem=f"{error}.", status=409, why=why)
    return desk.done(visitor, "/rules/history", words, bad=not is_well)


def _set(desk: Desk, reader: Reader, name: str) -> tuple[str, Written]:
    """Raises: ConfigError, Permanent."""
    return (FOLDER, written_of(desk.config)) if name == FOLDER else kept_set(reader, name)


def _changes(old: tuple[str, Written], new: tuple[str, Written]) -> list[tuple[str, tuple[str, ...]]]:
    """Each file that differs: what is different in words, and its lines."""
    lines = diffs(old[1], new[1], names=(old[0], new[0]))
    told = file_changes(old[1], new[1])
    return [(change.words, file.lines) for change, file in zip(told, lines, strict=True)]
