"""What lies on the server and what the log says in, every difference by name and by count out (pure)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from triaged.log.places import Placed, SentEffect
from triaged.model import Surveyed
from triaged.shadow import folders_of

Why = Literal["new", "unread", "lost"]


@dataclass(frozen=True, slots=True)
class Missing:
    """A message on the server without a row. new: it came a moment ago, no fault; unread: the worker has not come to
    it; lost: the worker has gone past it."""

    key: str
    why: Why
    words: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A mail of ours in Sent that the log does not call done. row: None when no effect has this Message-ID."""

    message_id: str
    row: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The log's sent mails beside the folder of sent mail. not_found: done, but not there."""

    done: int
    not_found: tuple[SentEffect, ...]
    unmatched: tuple[Unmatched, ...]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One mailbox, compared both ways. gone: what the log knows and the folder no longer has, by what became of it;
    elsewhere: places in folders that are not watched (any more). sent: None where no copies are kept."""

    mailbox: str
    folder: str
    on_server: int
    with_row: int
    missing: tuple[Missing, ...]
    gone: tuple[tuple[str, int], ...]
    elsewhere: int
    sent: Sent | None

    @property
    def is_whole(self) -> bool:
        """Each message on the server has its row, those aside that came a moment ago."""
        return all(each.why == "new" for each in self.missing)


@dataclass(frozen=True, slots=True)
class Look:
    """When the worker looked last. keys_after: the server's keys beyond the cursor, None where the folder has no order
    (Maildir); cursor_at: when the cursor last moved; poll: the time between two looks."""

    running: bool
    keys_after: frozenset[str] | None
    cursor_at: datetime | None
    poll: timedelta


def missing(
    keys: Sequence[str], logged: frozenset[str], *, dates: dict[str, datetime], look: Look, now: datetime
) -> tuple[Missing, ...]:
    """Keys on the server that have no row, each with the reason. dates: when the newest came; older ones are absent."""
    found = []
    for key in keys:
        if key in logged:
            continue
        came = dates.get(key)
        if look.running and came is not None and came >= now - 2 * look.poll:
            found.append(Missing(key, "new", "came a moment ago; the worker is about to read it"))
        elif _is_ahead(key, came, look, now):
            why = "the worker is still at it" if look.running else "the worker does not run"
            found.append(Missing(key, "unread", f"not read yet: {why}"))
        else:
            found.append(Missing(key, "lost", "LOST: the worker has gone past it, and it has no row"))
    return tuple(found)


def _is_ahead(key: str, came: datetime | None, look: Look, now: datetime) -> bool:
    """Whether the worker may yet come to it."""
    if look.cursor_at is None:
        return True
    if look.keys_after is not None:
        return key in look.keys_after
    # A folder without order: nothing tells but time.
    at_it = look.running and look.cursor_at >= now - 2 * look.poll
    return at_it or (not look.running and came is not None and came > look.cursor_at)


def gone(
    places: Sequence[Placed], keys: frozenset[str], surveyed: Sequence[Surveyed], *, watched: str
) -> tuple[tuple[str, int], ...]:
    """What became of the places in the watched folder that the server no longer has, counted; most first."""
    lies_in = folders_of(surveyed, watched)
    there = {place.row for place in places if place.folder == watched and place.key in keys}
    counts: Counter[str] = Counter()
    for place in places:
        if place.folder != watched or place.key in keys:
            continue
        folder = lies_in.get(place.message_id, "") if place.message_id != "" else ""
        if place.moved:
            counts["moved by triaged"] += 1
        elif place.row is None:
            counts["vanished before it could be read"] += 1
        elif place.row in there:
            counts["there under another number"] += 1
        elif folder not in ("", watched):
            counts[f"moved to {folder} by people"] += 1
        elif place.message_id == "":
            counts["moved or deleted (it has no Message-ID to look for)"] += 1
        else:
            counts["deleted, or moved to another mailbox"] += 1
    return tuple(counts.most_common())


def earliest(places: Sequence[Placed], keys: frozenset[str], *, watched: str, default: datetime) -> datetime:
    """From when on a survey must look to find what became of the places that `gone` counts."""
    wanted = (
        place.received
        for place in places
        if place.folder == watched and place.key not in keys and not place.moved and place.message_id != ""
    )
    return min((each for each in wanted if each is not None), default=default)


def sent(effects: Sequence[SentEffect], surveyed: Sequence[Surveyed], *, domain: str) -> Sent:
    """The mails that the log says were sent beside those in Sent. domain: the right side of our Message-IDs."""
    kept = {each.message_id for each in surveyed if each.is_sent_folder and each.message_id != ""}
    known = {each.message_id: each for each in effects}
    done = [each for each in effects if each.state == "done"]
    ours = re.compile(rf"<[0-9a-f]{{40}}@{re.escape(domain)}>")  # as compose.make_message_id makes them
    unmatched = []
    for message_id in sorted(kept):
        effect = known.get(message_id)
        if effect is not None and effect.state != "done":
            words = f"lies in Sent, but by the log the {effect.kind} of mail {effect.row} is {effect.state}"
            unmatched.append(Unmatched(message_id, effect.row, words))
        elif effect is None and ours.fullmatch(message_id):
            unmatched.append(
                Unmatched(message_id, None, "lies in Sent and looks like ours; the log knows nothing of it")
            )
    return Sent(len(done), tuple(each for each in done if each.message_id not in kept), tuple(unmatched))


def view(result: Reconciled) -> dict[str, Any]:
    """What `triaged reconcile --json` prints for a mailbox; the names are a promise."""
    return {
        "mailbox": result.mailbox,
        "folder": result.folder,
        "whole": result.is_whole,
        "on_server": result.on_server,
        "with_row": result.with_row,
        "missing": [{"key": each.key, "why": each.why, "words": each.words} for each in result.missing],
        "gone": dict(result.gone),
        "other_folders": result.elsewhere,
        "sent": None
        if result.sent is None
        else {
            "done": result.sent.done,
            "not_found": [
                {"id": each.row, "kind": each.kind, "message_id": each.message_id} for each in result.sent.not_found
            ],
            "unmatched": [
                {"id": each.row, "message_id": each.message_id, "words": each.words} for each in result.sent.unmatched
            ],
        },
    }
