"""What people said of mails in: the labels to learn from, how the review stands and what was learned out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from triaged.log.encode import MESSAGE, from_ms, text_version, to_ms
from triaged.log.read import LABELLED, TO_REVIEW, Reader
from triaged.log.store import Log
from triaged.model import Message

LEARNED = ("learn.promoted", "learn.refused")
"""Events of the text model's training; `adjust.…` are those of the combination alone."""
OUTCOMES = (*LEARNED, "adjust.promoted", "adjust.refused", "model.used")


@dataclass(frozen=True, slots=True)
class Label:
    """The latest word of a person about a mail's categories.

    right: those that are right, empty is other; judged: all that the person could have meant, theirs and those that
    had a score then. message: None when its text was removed, or is not what was judged then.
    """

    row: int
    at: datetime
    right: tuple[str, ...]
    judged: frozenset[str]
    confirmed: bool
    message: Message | None


@dataclass(frozen=True, slots=True)
class Learning:
    """How learning stands.

    to_review: mails drawn for review that nobody looked at; reviewed, reviewed_right: those somebody did, and those of
    them that were right as shown. labels: mails with a label; new: labels since the text model was last trained.
    last_learned: when that was, whatever came of it. last, outcome: when a model was last trained, adjusted or chosen,
    and what came of it in words.
    """

    to_review: int
    reviewed: int
    reviewed_right: int
    labels: int
    new: int
    last_learned: datetime | None
    last: datetime | None
    outcome: str


def is_drawn(message_key: str, percent: float) -> bool:
    """Whether a mail is drawn for review: by a keyed hash of its key, so always the same, and whatever its scores."""
    digest = hashlib.blake2b(message_key.encode(), digest_size=8, key=b"triaged review").digest()
    return int.from_bytes(digest, "big") < percent / 100 * 2**64


def labels(reader: Reader) -> list[Label]:
    """The latest label of each mail, in the order they were given."""
    return list(_labels(reader))


def said(reader: Reader) -> dict[int, tuple[str, ...]]:
    """By mail, the categories that a person said last are right; empty is other."""
    rows = reader.select(f"SELECT message, now FROM correction WHERE {LABELLED} ORDER BY id")  # noqa: S608
    return {row: tuple(_categories(now)) for row, now in rows}


def _labels(reader: Reader) -> Iterator[Label]:
    rows = reader.select(
        "SELECT message, at, was, now, text_version, parsed FROM correction JOIN message "
        "ON message.id = correction.message WHERE labelled = 1 AND correction.id = (SELECT max(id) FROM correction "
        "AS later WHERE later.message = correction.message AND labelled > 0) ORDER BY at, correction.id"
    )
    for row, at, was, now, version, parsed in rows:
        shown, right = json.loads(was), json.loads(now)["categories"]
        message = MESSAGE.validate_json(parsed) if parsed != "" else None
        if message is not None and version not in ("", text_version(message.judged)):
            message = None
        judged = frozenset((*shown["scores"], *shown["categories"], *right))
        yield Label(row, from_ms(at), tuple(right), judged, sorted(shown["categories"]) == sorted(right), message)


def learning(reader: Reader) -> Learning:
    """How it stands now."""
    to_review = reader.select(f"SELECT count(*) FROM message WHERE {TO_REVIEW}")[0][0]  # noqa: S608 - words of ours
    first = (
        "SELECT min(correction.id) FROM correction JOIN message ON message.id = correction.message "  # noqa: S608
        f"WHERE drawn = 1 AND {LABELLED} GROUP BY message"
    )
    seen = reader.select(f"SELECT was, now FROM correction WHERE id IN ({first})")  # noqa: S608 - words of ours
    right = sum(_categories(was) == _categories(now) for was, now in seen)
    trained, _ = _latest(reader, LEARNED)
    count, new = reader.select(
        "SELECT count(DISTINCT message), count(DISTINCT CASE WHEN at > ? THEN message END) FROM correction "  # noqa: S608
        f"WHERE {LABELLED}",
        (to_ms(trained) if trained is not None else -1,),
    )[0]
    last, outcome = _latest(reader, OUTCOMES)
    return Learning(to_review, len(seen), right, count, new, trained, last, outcome)


def told(log: Log, name: str, words: str, *, now: datetime) -> None:
    """Write down what came of a training, or that a person chose a model. name: one of `OUTCOMES`."""
    assert name in OUTCOMES
    log.event(name, words, message=None, now=now)


def _latest(reader: Reader, names: tuple[str, ...]) -> tuple[datetime | None, str]:
    rows = reader.select(
        "SELECT at, detail FROM event WHERE message IS NULL AND name IN (SELECT value FROM json_each(?)) "
        "ORDER BY id DESC LIMIT 1",
        (json.dumps(names),),
    )
    return (from_ms(rows[0][0]), rows[0][1]) if rows else (None, "")


def _categories(told: str) -> list[str]:
    return sorted(json.loads(told)["categories"])
