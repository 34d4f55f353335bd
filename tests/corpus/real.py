"""The labelled real mails beside the checkout in, JSON lines for `triaged train --also` out (`python -m … FILE`).

They are not ours and never committed; our labels are, by id (`labels.jsonl`, `gold.jsonl`). Mails whose licence forbids
it (AESLC) are left out unless they are only measured on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from email.utils import parseaddr
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "nlp"
NOT_TO_LEARN_FROM = "enron-aeslc"


def mails(*, measured_only: bool = False) -> Iterator[dict[str, Any]]:
    """Each labelled mail once, as `read_rows` reads it; told by sender. measured_only: those not to learn from, too.

    Labels of gold_dev.jsonl are taken as they are, but for the ten where a second look found one to be plainly missing.
    """
    for mail, told in _labelled():
        if measured_only or not mail["id"].startswith(NOT_TO_LEARN_FROM):
            yield {
                "id": mail["id"],
                "subject": mail["subject"] or "",
                "from": parseaddr(mail["from"] or "")[1].lower(),
                "body": mail["body"],
                "labels": told["labels"],
                "language": "en",
                "span": _span(mail["body"], told),
            }


def _labelled() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    ours = {each["id"]: each for each in _lines(HERE / "gold.jsonl")}
    for mail in _lines(SHARED / "gold_dev.jsonl"):
        told = ours[mail["id"]]
        agreed = told["labels"] == mail["labels"]
        labels = told["right"] if told.get("clear") else mail["labels"]
        yield mail, {"labels": labels, "places": told.get("places", {}) if agreed else {}}
    unlabelled = {mail["id"]: mail for mail in _lines(SHARED / "unlabelled_dev.jsonl")}
    for told in _lines(HERE / "labels.jsonl"):
        yield unlabelled[told["id"]], told


def _span(body: str, told: dict[str, Any]) -> str:
    """The words that carry the label, of a mail with a single one."""
    places = told.get("places", {})
    if len(told["labels"]) != 1 or told["labels"][0] not in places:
        return ""
    start, end = places[told["labels"][0]]
    return str(body[start:end])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def write(path: Path, *, measured_only: bool = False) -> Path:
    """All of them into a file."""
    lines = (json.dumps(each, ensure_ascii=False) + "\n" for each in mails(measured_only=measured_only))
    path.write_text("".join(lines), encoding="utf-8")
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]))
