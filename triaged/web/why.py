"""One mail in, why it was decided so out: its decision made again by what was kept, and why a rule did not decide."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from triaged.decision import Decision
from triaged.errors import TriagedError
from triaged.explanation import asked, explanation
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.replay import kept_playbooks, replay
from triaged.risk import evidence_words, trend_words
from triaged.rules.match import met
from triaged.web.desk import Desk, desk_of, mail_row
from triaged.web.gate import Viewer

router = APIRouter()


def rules_of_its_day(desk: Desk, reader: Reader, decision: Decision | None) -> list[tuple[str, str]]:
    """Name and place of every rule that a mail was decided by, in order; those of its trace where no more is kept."""
    if decision is None:
        return []
    rules = desk.rule_sets.rules(reader, decision.verdict.rules_id)
    found = rules.rules if rules is not None else decision.rules
    return list({each.source: (each.name, each.source) for each in found}.values())


@router.get("/mail/{mail}/why")
def why_page(request: Request, visitor: Viewer, mail: str, why_not: str = "") -> HTMLResponse:
    """The decision made again, every rule with every condition. why_not: the rule that somebody asks for.

    It is done on request and not for each page: it loads spaCy into the process once (63 MB, 1.3 s), then takes 0.2 to
    0.4 s (56 rules, 2026-11-30). What is stored with the decision is shown with the mail without any of that.
    """
    desk = desk_of(request)
    with desk.reading() as reader:
        row = mail_row(reader, mail)
        values = _told(desk, reader, row, why_not)
        rules = rules_of_its_day(desk, reader, reader.decision(row.id))
    values |= {"row": row, "wanted": why_not, "rule_names": rules, "met": met}
    values |= {"evidence_words": evidence_words, "trend_words": trend_words}
    return desk.page(request, visitor, "mail_why.html", **values)


def _told(desk: Desk, reader: Reader, row: LogRow, wanted: str) -> dict[str, Any]:
    message = reader.message(row.id)
    found = replay(reader, row.id, playbook_of=kept_playbooks(reader, desk.config)) if message is not None else None
    if message is None or found is None:
        return {"told": None, "problem": "Its text is not there, and with it why it was decided so."}
    answer, problem = None, ""
    if wanted.strip() != "":
        try:
            answer = asked(wanted.strip(), found, desk.config)
        except (ValueError, TriagedError) as error:
            problem = str(error)
    return {"told": explanation(message, found, why_not=answer), "problem": problem}
