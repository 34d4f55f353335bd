"""A moment in, the mails received since then out, each with what was known when it was decided about, page by page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from triaged.log.encode import BACKGROUND, MESSAGE, from_ms, to_ms
from triaged.log.find import choices
from triaged.log.read import Reader
from triaged.model import Message
from triaged.playbook import Background


@dataclass(frozen=True, slots=True)
class PastMail:
    """A mail of the log, to be decided about again.

    background: what was known, None where it was not kept (an earlier version). decided: when it was decided about
    last; model_id: by which model.
    """

    row: int
    reference: str
    mailbox: str
    message: Message
    background: Background | None
    decided: datetime
    model_id: str


def past_rows(reader: Reader, *, since: datetime) -> list[int]:
    """Rows of the mails received since then whose text is there, newest first; no canaries."""
    rows = reader.select(
        "SELECT id FROM message WHERE received_at >= ? AND parsed <> '' AND state = 'triaged' "
        "ORDER BY received_at DESC, id DESC",
        (to_ms(since),),
    )
    return [row[0] for row in rows]


def past_mails(reader: Reader, rows: Sequence[int]) -> list[PastMail]:
    """These mails in this order, by one SELECT; one whose text was removed meanwhile is left out."""
    found = reader.select(
        "SELECT message.id, reference, mailbox, parsed, background, decision.decided_at, decision.model_id "
        "FROM json_each(?) AS wanted JOIN message ON message.id = wanted.value JOIN decision ON decision.id = "
        "(SELECT max(id) FROM decision WHERE decision.message = message.id) WHERE parsed <> '' ORDER BY wanted.key",
        (json.dumps(list(rows)),),
    )
    return [
        PastMail(
            row=row[0],
            reference=row[1],
            mailbox=row[2],
            message=MESSAGE.validate_json(row[3]),
            background=BACKGROUND.validate_json(row[4]) if row[4] != "" else None,
            decided=from_ms(row[5]),
            model_id=row[6],
        )
        for row in found
    ]


MOST_RULES = 100_000
"""More than any site has."""


def times_fired(reader: Reader, *, since: Sequence[datetime]) -> dict[str, list[int]]:
    """By a rule's name, for how many mails received since each of these moments it fired, by the decision that holds;
    0.1 µs a mail."""
    begins, rules = [to_ms(each) for each in since], choices(reader, "rule", limit=MOST_RULES)
    rows = reader.select(
        "SELECT rule.value, (SELECT json_group_array((SELECT count(*) FROM facet WHERE kind = 'rule' "
        "AND facet.value = rule.value AND received_at >= since.value)) FROM json_each(:since) AS since) "
        "FROM json_each(:rules) AS rule",
        {"since": json.dumps(begins), "rules": json.dumps(rules)},
    )
    return {name: json.loads(counts) for name, counts in rows}
