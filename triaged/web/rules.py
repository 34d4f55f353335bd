"""Rule files in, the page they are edited in out: checked, tried on past mail, saved, restored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from triaged.errors import ConfigError, Gone, Problem
from triaged.examples import example_text
from triaged.loading import folders_of, rules_alone, rules_and_templates, written_of
from triaged.log.past import times_fired
from triaged.log.rulesets import last_use, rule_set
from triaged.rules.difference import file_changes
from triaged.rules.grammar import Rule
from triaged.rulesets import refused
from triaged.web import drafts, editor, rulehistory
from triaged.web.desk import Desk, desk_of
from triaged.web.drafts import Draft, Found, address_of
from triaged.web.editor import Edit, Editor, Typed
from triaged.web.gate import Coordinator, Viewer
from triaged.web.rulewords import rule_words
from triaged.whatif.difference import Aspect
from triaged.whatif.words import because, shown, title
from triaged.worker.service import is_running
from triaged.written import RULES, Written

router = APIRouter()
router.include_router(rulehistory.router)
files = Editor(RULES, "rules_edit.html")

SPANS = (30, 90)
"""Days in which it is counted how often a rule fired."""
FILE, LIST = re.compile(r"[A-Za-z0-9][\w .-]*\.toml"), re.compile(r"lists/[A-Za-z0-9][\w .-]*\.txt")
"""Names for new files: letters that every system and every editor takes."""
_PROBLEM = re.compile(r"([^:\s]+(?::\d+)?): (.+)")
_REFUSED = re.compile(r"not taken, rule set \w+ goes on: ")
NEW_RULE = """\
[[rule]]
name = ""
because = ""
when.says = [""]
then.tag = ""

  [[rule.example]]
  mail = ""
  gives.tag = ""
"""
NEW_LIST = '# One word or phrase a line; a rule names the list with "@{name}"\n'


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule. address: of the line on which it begins; fired: in how many mails, by `SPANS`."""

    rule: Rule
    address: str
    fired: list[int]


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of the set. rules: those in a rule file; lines: how many entries a list has."""

    name: str
    address: str
    kind: str
    rules: tuple[RuleRow, ...] = ()
    lines: int = 0


@router.get("/rules")
def rules_page(request: Request, visitor: Viewer, find: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """What decides, what lies on disk, every file and every rule. find: only rules in which this stands."""
    desk, find = desk_of(request), find.strip()
    there, now = written_of(desk.config), desk.clock()
    with desk.reading() as reader:
        use, why_not = last_use(reader), refused(reader)
        in_use = rule_set(reader, use.rules_id) if use is not None else None
        fired = times_fired(reader, since=[now - timedelta(days=days) for days in SPANS])
    rules, problems = desk.once("rules", there.id, lambda: _read(desk, there))
    is_in_use = in_use is not None and in_use.id == there.id
    found = Found() if is_in_use else Found(problems or _problems(why_not))
    return desk.page(
        request,
        visitor,
        "rules.html",
        use=use,
        running=is_running(desk.log_path),
        is_in_use=is_in_use,
        changed=[each.words for each in file_changes(in_use, there)] if in_use is not None else [],
        told=drafts.told(found, there, ""),
        files=_rows(there, rules, fired),
        readable=len(rules) > 0,
        find=find,
        found={rule.name for rule in rules if find.casefold() in _text(rule, rules, there).casefold()},
        spans=SPANS,
        may_not="" if drafts.may_write(desk.config, RULES) else drafts.may_not_words(desk.config, RULES),
        folder=folders_of(desk.config)[0],
    )


def _read(desk: Desk, there: Written) -> tuple[tuple[Rule, ...], tuple[Problem, ...]]:
    """The rules, none when they cannot be read, and what is wrong with them or with the templates."""
    try:
        return rules_and_templates(desk.config, there)[0].rules, ()
    except ConfigError as error:
        problems = error.problems
    try:
        return rules_alone(desk.config, there).rules, problems
    except ConfigError:
        return (), problems


def _problems(why_not: str) -> tuple[Problem, ...]:
    """What the worker says is wrong, by file and line."""
    lines = _REFUSED.sub("", why_not).split("\n") if why_not != "" else []
    found = [_PROBLEM.fullmatch(line) for line in lines]
    return tuple(
        Problem(each[1], each[2]) if each is not None else Problem("rules", line)
        for each, line in zip(found, lines, strict=True)
    )


def _rows(there: Written, rules: tuple[Rule, ...], fired: Mapping[str, list[int]]) -> list[FileRow]:
    """Rule files, then lists, then example mails."""
    rows = []
    for name, octets in there.rules.items():
        lower, address = name.lower(), address_of(RULES + name)
        if lower.endswith(".eml"):
            rows.append(FileRow(name, address, "example mail"))
        elif lower.endswith(".toml"):
            mine = [(rule, _line(rule)) for rule in rules if rule.source.rpartition(":")[0] == name]
            found = [
                RuleRow(rule, f"{address}?line={line}", fired.get(rule.name, [0] * len(SPANS))) for rule, line in mine
            ]
            rows.append(FileRow(name, address, "rules", rules=tuple(found)))
        else:
            entries = [line.partition(b"#")[0].strip() for line in octets.splitlines()]
            rows.append(FileRow(name, address, "list", lines=sum(entry != b"" for entry in entries)))
    return sorted(rows, key=lambda row: (("rules", "list", "example mail").index(row.kind), row.name))


def _line(rule: Rule) -> int:
    """Where it begins in its file."""
    return int(rule.source.rpartition(":")[2])


def _text(rule: Rule, rules: tuple[Rule, ...], there: Written) -> str:
    """All that stands in a rule, examples and notes too."""
    name = rule.source.rpartition(":")[0]
    lines = drafts.shown(there, RULES + name).split("\n")
    return "\n".join(lines[_line(rule) - 1 : (_following(rule, rules) or len(lines) + 1) - 1])


def _following(rule: Rule, rules: tuple[Rule, ...]) -> int | None:
    """The line on which the next rule of the same file begins; None for the last one."""
    name = rule.source.rpartition(":")[0]
    lines = [_line(each) for each in rules if each.source.rpartition(":")[0] == name]
    return min((line for line in lines if line > _line(rule)), default=None)


# --- one file ---------------------------------------------------------------------------------------------------


@router.get("/rules/new")
def new(request: Request, visitor: Coordinator, name: str = "") -> Response:
    """Ask how a new file is to be called, then open it."""
    name = name.strip()
    if FILE.fullmatch(name) is not None or LIST.fullmatch(name) is not None:
        return RedirectResponse(address_of(RULES + name), status_code=303)
    problem = "" if name == "" else f"No rule file can be called “{name}”."
    return desk_of(request).page(
        request, visitor, "rules_new.html", name=name, problem=problem, status=422 if problem else 200
    )


@router.get("/rules/edit/{name:path}")
def edit(request: Request, visitor: Viewer, name: str, line: int | None = None) -> Response:
    """The editor."""
    desk, name = desk_of(request), files.checked(name)
    there, draft = written_of(desk.config), None
    if name not in there.files:
        if not visitor.may("coordinator"):
            raise Gone(f"there is no file {name}")
        is_list = name.endswith(".txt")
        text = NEW_LIST.format(name=name.rpartition("/")[2].removesuffix(".txt")) if is_list else NEW_RULE
        draft = Draft(name, text, "")
    return files.show(desk, request, visitor, name, draft=draft, line=line, **_beside(desk, there))


@router.post("/rules/edit/{name:path}")
def edited(request: Request, visitor: Coordinator, name: str, form: Annotated[Edit, Form()]) -> Response:
    """Check, try, save or remove it."""
    desk = desk_of(request)
    return files.act(
        desk, request, visitor, files.checked(name), form, line=None, **_beside(desk, written_of(desk.config))
    )


@router.post("/rules/check")
def check(request: Request, visitor: Coordinator, form: Annotated[Typed, Form()]) -> JSONResponse:
    """Problems while somebody types."""
    return editor.check(desk_of(request), form)


def _beside(desk: Desk, there: Written) -> dict[str, Any]:
    return {"sections": rule_words(desk.config, there)}


@router.get("/rules/words")
def words(request: Request, visitor: Viewer) -> HTMLResponse:
    """Every word of the rule language."""
    desk = desk_of(request)
    return desk.page(request, visitor, "rules_words.html", **_beside(desk, written_of(desk.config)))


# --- trying -----------------------------------------------------------------------------------------------------


@router.get("/rules/try/{name}")
def tried(request: Request, visitor: Coordinator, name: str) -> HTMLResponse:
    """A trial that goes on, or what it showed."""
    desk = desk_of(request)
    trial = desk.trials.find(name)
    if trial is None:
        raise Gone("this trial is not kept any more; try the edit again")
    found = Found(
        tuple(Problem(each["where"], each["what"]) for each in trial.hints if each["kind"] == "error"),
        tuple(Problem(each["where"], each["what"]) for each in trial.hints if each["kind"] == "hint"),
    )
    mails = [_mail(each, desk.zone) for each in trial.answer["changes"]] if trial.answer is not None else []
    return desk.page(
        request,
        visitor,
        "rules_try.html",
        trial=trial,
        answer=trial.answer,
        mails=mails,
        told=drafts.told(found, trial.written, ""),
        editor=address_of(trial.name),
        since=desk.clock() - trial.began,
    )


def _mail(change: dict[str, Any], zone: str) -> dict[str, Any]:
    """A mail that would be decided otherwise, its aspects in words."""
    aspects = [
        Aspect(each["name"], *(tuple(each[key]) for key in ("was", "would", "was_by", "would_by")))
        for each in change["aspects"]
    ]
    return {
        **change,
        "aspects": [(title(each), *shown(each, zone=zone), because(each)) for each in aspects],
    }


# --- from a mail to a rule --------------------------------------------------------------------------------------


@router.get("/rules/new-example")
def new_example(request: Request, visitor: Coordinator, mail: str, rule: str = "") -> HTMLResponse:
    """A logged mail as an example of a rule, to be put below it."""
    desk = desk_of(request)
    there = written_of(desk.config)
    rules = rules_alone(desk.config, there).rules
    chosen = next((each for each in rules if each.name == rule), None)
    if chosen is None and rule != "":
        raise Gone(f"there is no rule “{rule}”")
    with desk.reading() as reader:
        number = reader.find(mail)
        row = reader.row(number) if number is not None else None
        if row is None:
            raise Gone(f"there is no mail {mail} in the log")
        message, decision, background = reader.message(row.id), reader.decision(row.id), reader.background(row.id)
    if message is None or decision is None:
        raise Gone(f"mail {mail} has no text any more, or never could be read, so it can be no example")
    text = example_text(message, decision, background, categories=row.categories, rule=chosen, zone=desk.zone)
    fired = {trace.name for trace in decision.rules if trace.fired}
    return desk.page(
        request,
        visitor,
        "rules_example.html",
        row=row,
        rules=sorted(rules, key=lambda each: each.name not in fired),
        fired=fired,
        chosen=chosen,
        text=text,
    )


@router.post("/rules/new-example")
def put_example(
    request: Request,
    visitor: Coordinator,
    rule: Annotated[str, Form(max_length=500)],
    text: Annotated[str, Form(max_length=drafts.MAX_CHARACTERS)],
) -> Response:
    """The editor, with the example below its rule; nothing is saved yet."""
    desk = desk_of(request)
    there = written_of(desk.config)
    rules = rules_alone(desk.config, there).rules
    chosen = next((each for each in rules if each.name == rule), None)
    if chosen is None:
        raise Gone(f"there is no rule “{rule}”")
    name = RULES + chosen.source.rpartition(":")[0]
    was = drafts.opened(there, name)
    lines = was.split("\n")
    at = _end_of_rule(lines, _line(chosen), _following(chosen, rules))
    lines[at:at] = ["", *drafts.typed(text).rstrip("\n").split("\n")]
    draft = Draft(name, "\n".join(lines), was)
    return files.show(desk, request, visitor, name, draft=draft, line=at + 2, **_beside(desk, there))


def _end_of_rule(lines: list[str], begin: int, following: int | None) -> int:
    """The number of the last line of a rule that begins in a line; notes above the next rule are the next one's."""
    end = following - 1 if following is not None else len(lines)
    while end > begin and (lines[end - 1].strip() == "" or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end
