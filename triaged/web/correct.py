"""What a person says is right of a mail in, kept to be learned from; what it teaches, and the example it makes, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from triaged.decision import Decision
from triaged.examples import example_text
from triaged.log import handling, people, users
from triaged.log.handling import Changed, Correction
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.model import Account
from triaged.rules.grammar import OTHER, Rule
from triaged.tomlfile import did_you_mean
from triaged.web.desk import Desk, desk_of, mail_row
from triaged.web.gate import Coordinator, Visitor
from triaged.web.signin import ours

router = APIRouter()


@router.post("/mail/{mail}/correct")
def correct(
    request: Request,
    visitor: Coordinator,
    mail: str,
    category: Annotated[list[str] | None, Form()] = None,
    was: Annotated[str, Form()] = "",
    account: Annotated[str, Form(max_length=300)] = "",
    account_was: Annotated[str, Form()] = "",
    right: Annotated[bool, Form()] = False,
    back: Annotated[str, Form()] = "",
) -> Response:
    """Put category or account right, or say that the categories are right as shown.

    category: those that are right, `other` alone for none; was: those that were shown, with commas between. account: an
    id or a name; left empty where `account_was` is not, it is none. What is not given stays as it is.
    """
    desk = desk_of(request)
    with desk.reading() as reader:
        row = mail_row(reader, mail)
        known = categories_of(desk, reader, row, reader.decision(row.id))
        accounts = reader.accounts()
    try:
        chosen = _chosen(category, known) if category is not None and not right else None
        account_id = _account(account, accounts) if (account, account_was) != ("", "") else None
    except ValueError as error:
        return desk.done(visitor, after(row, back), str(error), bad=True)
    chosen = chosen if chosen is not None and sorted(chosen) != sorted(row.categories) else None
    account_id = account_id if account_id != (row.account_id or "") else None
    if chosen is None and account_id is None and not right:
        words = "Nothing was changed. If it is right as it is shown, say so with the other button."
        return desk.done(visitor, after(row, back), words, bad=True)
    shown = tuple(was.split(",")) if was != "" else None
    try:
        words = _put_right(desk, visitor, row, chosen, account_id, shown=shown, right=right)
    except Changed as changed:
        return desk.page(request, visitor, "mail_changed.html", status=409, row=row, changed=changed)
    learned = " It is learned from: see “What this teaches” on its page." if right or chosen is not None else ""
    return desk.done(visitor, after(row, back), f"{words[:1].upper()}{words[1:]}.{learned} What was sent stays sent.")


def after(row: LogRow, back: str) -> str:
    """The page to go on with: the one that the form was on, else the mail's."""
    return ours(back) if back != "" else f"/mail/{row.id}"


def _put_right(
    desk: Desk,
    visitor: Visitor,
    row: LogRow,
    chosen: tuple[str, ...] | None,
    account_id: str | None,
    *,
    shown: tuple[str, ...] | None,
    right: bool,
) -> str:
    """What was put right, in words. Raises: Changed."""
    now, words = desk.clock(), _corrected_words(row, chosen, account_id, right=right)
    with desk.writing() as log:
        if shown is not None:
            handling.still_shown(log, row.id, tuple(each for each in shown if each != OTHER))
        people.correct(log, row.id, categories=chosen, account_id=account_id, who=visitor.name, now=now, right=right)
        users.audit(log, "message.correct", words, who=visitor.name, now=now, message=row.id)
    return words


def categories_of(desk: Desk, reader: Reader, row: LogRow, decision: Decision | None) -> list[str]:
    """Those that a mail may be said to be of: what the rules of today know, and what it had a score for."""
    rules = desk.rule_sets.in_use(reader)
    scored = [each.category for each in decision.verdict.scores] if decision is not None else []
    return list(dict.fromkeys((*row.categories, *scored, *(rules.categories if rules is not None else ()))))


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


def teaches(desk: Desk, reader: Reader, row: LogRow, said: Sequence[Correction]) -> dict[str, Any] | None:
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
