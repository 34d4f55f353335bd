"""What became of calls in, rows of the table `call` out; and back: a call by its UID, its mail or its conversation.

The log says what was promised; what stands in a person's calendar is asked of the calendar.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter
from sqlite_utils import Database

from triaged.decision import Answer, Appointment, CallChange, CallState, StandingCall
from triaged.log.encode import from_ms, to_ms
from triaged.model import Interval

if TYPE_CHECKING:
    from triaged.log.read import Reader

APPOINTMENT: TypeAdapter[Appointment] = TypeAdapter(Appointment)

STANDING = ("booked", "accepted", "tentative", "declined")
"""States of a call that stands in the calendar."""
ANSWERED: dict[str, CallState] = {"accepts": "accepted", "tentative": "tentative", "declines": "declined"}
"""What an answer makes of a call that stands."""

UNCHOSEN_AHEAD = (
    "call.state IN ('waiting', 'offered') AND EXISTS (SELECT 1 FROM json_each(call.offered) AS time "
    "WHERE json_extract(time.value, '$[1]') > :now)"
)
"""Of calls: times are kept free, and one of them at least is still ahead."""

_COLUMNS = "uid, call.state, starts_at, ends_at, offered, sequence, moves, answered_at, appointment"


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call for people. message: the mail that it came from; zone, wall: of the organizer, as promised."""

    message: int
    call: StandingCall
    zone: str
    wall: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the log knows around a call. account_id, account: of the mail it came from, `""` for none.

    kept_until: how long its times are kept free, None where none are. questions: what a person is asked about it, with
    the number of the mail. is_being_changed: it is about to be booked, moved or cancelled.
    """

    account_id: str
    account: str
    kept_until: datetime | None
    questions: tuple[tuple[int, str], ...]
    is_being_changed: bool


# --- written, each inside a transaction ------------------------------------------------------------------------


def put(db: Database, change: CallChange, *, message: int, now: datetime) -> None:
    """A call was offered, booked, moved or cancelled. message: whose effect did it; a call keeps its first.

    What the client answered before counts no more.
    """
    slot, zone = change.slot, change.zone
    wall = slot.start.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M") if slot is not None else ""
    values = {
        "uid": change.appointment.uid,
        "message": message,
        "person": change.appointment.person,
        "state": change.state,
        "starts": to_ms(slot.start) if slot is not None else None,
        "ends": to_ms(slot.end) if slot is not None else None,
        "zone": zone,
        "wall": wall,
        "offered": json.dumps([[to_ms(each.start), to_ms(each.end)] for each in change.offered]),
        "sequence": change.sequence,
        "appointment": APPOINTMENT.dump_json(change.appointment).decode(),
        "now": to_ms(now),
    }
    db.execute(
        "INSERT INTO call VALUES (:uid, :message, :person, :state, :starts, :ends, :zone, :wall, :offered, :sequence, "
        "0, NULL, :appointment, :now) ON CONFLICT (uid) DO UPDATE SET "
        "moves = moves + (starts_at IS NOT excluded.starts_at AND starts_at IS NOT NULL AND :state = 'booked'), "
        "state = excluded.state, starts_at = excluded.starts_at, ends_at = excluded.ends_at, zone = excluded.zone, "
        "wall = excluded.wall, offered = iif(excluded.offered = '[]', offered, excluded.offered), "
        "sequence = excluded.sequence, changed_at = excluded.changed_at",
        values,
    )


def note_answer(db: Database, answer: Answer, *, now: datetime) -> None:
    """What the client answered to a call that stands, unless a later answer of theirs is known (RFC 5546 2.1.5)."""
    if answer.says not in ANSWERED:
        return
    at = to_ms(answer.answered_at or now)
    db.execute(
        "UPDATE call SET state = ?, answered_at = ?, changed_at = ? WHERE uid = ? AND state IN "
        "(SELECT value FROM json_each(?)) AND (answered_at IS NULL OR answered_at <= ?)",
        (ANSWERED[answer.says], at, to_ms(now), answer.uid, json.dumps(STANDING), at),
    )


def is_unanswered(db: Database, uid: str) -> bool:
    """Whether times are kept free for this call, none of them was chosen, and nobody is to approve such a choice."""
    sql = (
        "SELECT 1 FROM call WHERE uid = ? AND state IN ('offered', 'waiting') AND NOT EXISTS "
        "(SELECT 1 FROM effect WHERE external_id = uid AND kind = 'call' AND effect.state IN ('held', 'owed'))"
    )
    return db.execute(sql, (uid,)).fetchone() is not None


def is_quiet(db: Database, call: StandingCall) -> bool:
    """Whether a call is as it was when it was read, and nothing is being done in its calendar."""
    uid, person = call.appointment.uid, call.appointment.person
    starts_at = to_ms(call.slot.start) if call.slot is not None else None
    return (
        db.execute(
            "SELECT 1 FROM call WHERE uid = ? AND state <> 'cancelled' AND starts_at IS ? AND sequence = ? "
            "AND NOT EXISTS (SELECT 1 FROM effect WHERE lane = ? AND effect.state IN ('owed', 'doing') "
            "AND kind <> 'release')",
            (uid, starts_at, call.sequence, f"calendar:{person}"),
        ).fetchone()
        is not None
    )


def is_being_changed(db: Database, appointment: Appointment) -> bool:
    """Whether this call is about to be booked, moved or cancelled in its calendar."""
    return (
        db.execute(
            "SELECT 1 FROM effect WHERE lane = ? AND state IN ('owed', 'doing') AND kind IN ('call', 'move', 'cancel') "
            "AND json_extract(payload, '$.appointment.uid') = ? LIMIT 1",
            (f"calendar:{appointment.person}", appointment.uid),
        ).fetchone()
        is not None
    )


# --- read ----------------------------------------------------------------------------------------------------


def call_of(reader: Reader, *, uid: str, message_ids: Sequence[str]) -> StandingCall | None:
    """The call of this UID, else the newest about which these Message-IDs name a mail of ours that left: only what
    answers one of those can be an answer. None when there is none."""
    rows = reader.select(f"SELECT {_COLUMNS} FROM call WHERE uid = ?", (uid,)) if uid != "" else []  # noqa: S608
    if len(rows) == 0 and len(message_ids) > 0:
        rows = reader.select(
            "WITH ours AS (SELECT message, payload FROM effect WHERE external_id <> '' "  # noqa: S608
            "AND external_id IN (SELECT value FROM json_each(?)) AND kind IN ('ack', 'invitation') AND state = 'done') "
            f"SELECT {_COLUMNS} FROM call WHERE message IN (SELECT message FROM ours) "
            "OR uid IN (SELECT json_extract(payload, '$.uid') FROM ours) "  # that of a move is of the mail that asked
            "ORDER BY state = 'cancelled', changed_at DESC LIMIT 1",
            (json.dumps(list(message_ids)),),
        )
    return _standing(rows[0]) if len(rows) > 0 else None


def starts(reader: Reader, person: str, *, since: datetime) -> list[datetime]:
    """When the calls of a person are that stand or are being held, from a moment on."""
    rows = reader.select(
        "SELECT starts_at FROM call WHERE person = ? AND starts_at >= ? AND state <> 'cancelled' ORDER BY starts_at",
        (person, to_ms(since)),
    )
    return [from_ms(row[0]) for row in rows]


def calls(reader: Reader, *, since: datetime | None = None, message: int | None = None) -> list[CallRow]:
    """Calls by their time, offered ones first. since: only those that lie, or may lie, after this moment.

    message: only those of this mail.
    """
    where, values = ["1"], dict[str, int]()
    if since is not None:
        where.append(f"({UNCHOSEN_AHEAD} OR (ends_at > :now AND call.state <> 'cancelled'))")
        values["now"] = to_ms(since)
    if message is not None:
        where.append("call.message = :message")
        values["message"] = message
    rows = reader.select(
        f"SELECT {_COLUMNS}, call.message, zone, wall FROM call WHERE {' AND '.join(where)} "  # noqa: S608
        "ORDER BY starts_at IS NOT NULL, starts_at, changed_at",
        values,
    )
    return [CallRow(row[9], _standing(row), row[10], row[11]) for row in rows]


def calls_of(reader: Reader, account_id: str, *, limit: int) -> list[CallRow]:
    """Calls that came of an account's mails: those without a time first, then the latest time first."""
    rows = reader.select(
        f"SELECT {_COLUMNS}, call.message, zone, wall FROM call "  # noqa: S608 - own words
        "WHERE (SELECT account_id FROM message WHERE message.id = call.message) = ? "
        "ORDER BY starts_at IS NOT NULL, starts_at DESC, changed_at DESC LIMIT ?",
        (account_id, limit),
    )
    return [CallRow(row[9], _standing(row), row[10], row[11]) for row in rows]


def calls_since(reader: Reader, since: datetime, *, limit: int) -> list[CallRow]:
    """Calls that are not over at this moment, were offered or cancelled since, or have times that may still be chosen,
    by their time; those without one first."""
    rows = reader.select(
        f"SELECT {_COLUMNS}, call.message, zone, wall FROM call "  # noqa: S608 - own words
        f"WHERE ends_at > :now OR (starts_at IS NULL AND (changed_at > :now OR {UNCHOSEN_AHEAD})) "
        "ORDER BY starts_at IS NOT NULL, starts_at, changed_at LIMIT :limit",
        {"now": to_ms(since), "limit": limit},
    )
    return [CallRow(row[9], _standing(row), row[10], row[11]) for row in rows]


def surroundings(reader: Reader, rows: Sequence[CallRow]) -> dict[str, Surroundings]:
    """What the log knows around these calls, by UID."""
    mails = json.dumps([row.message for row in rows])
    of_mail = reader.select(
        "SELECT message.id, coalesce(account_id, ''), coalesce(account.name, account_id, '') FROM message "
        "LEFT JOIN account USING (account_id) WHERE message.id IN (SELECT value FROM json_each(?))",
        (mails,),
    )
    kept = reader.select(
        "SELECT json_extract(payload, '$.uid'), max(not_before_at) FROM effect "
        "WHERE message IN (SELECT value FROM json_each(?)) AND kind = 'release' AND state = 'owed' GROUP BY 1",
        (mails,),
    )
    changing = reader.select(
        "SELECT json_extract(payload, '$.appointment.uid') FROM effect "
        "WHERE state IN ('owed', 'doing') AND kind IN ('call', 'move', 'cancel')"
    )
    accounts, until = {row[0]: row[1:] for row in of_mail}, {row[0]: from_ms(row[1]) for row in kept}
    uids, questions = {row[0] for row in changing}, _questions(reader)
    return {
        (uid := row.call.appointment.uid): Surroundings(
            account_id=accounts[row.message][0],
            account=accounts[row.message][1],
            kept_until=until.get(uid),
            questions=tuple((mail, words) for mail, about, words in questions if about == uid or (mail == row.message)),
            is_being_changed=uid in uids,
        )
        for row in rows
    }


def _questions(reader: Reader) -> list[tuple[int, str, str]]:
    """What waits for a person: the mail, the UID of the call that the mail answers or `""`, and the words."""
    rows = reader.select(
        "SELECT effect.message, "
        "coalesce((SELECT json_extract(decision, '$.answer.uid') FROM decision "
        "WHERE decision.message = effect.message ORDER BY decision.id DESC LIMIT 1), ''), "
        "CASE WHEN kind = 'ask' THEN coalesce(json_extract(payload, '$.question'), '') ELSE detail END "
        "FROM effect INDEXED BY effect_waiting WHERE effect.state IN ('held', 'person') AND effect.state = 'person' "
        "ORDER BY effect.id"
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _standing(row: tuple[Any, ...]) -> StandingCall:
    _, state, starts_at, ends_at, offered, sequence, moves, answered_at, appointment = row[:9]
    return StandingCall(
        appointment=APPOINTMENT.validate_json(appointment),
        state=state,
        slot=Interval(from_ms(starts_at), from_ms(ends_at)) if starts_at is not None else None,
        offered=tuple(Interval(from_ms(start), from_ms(end)) for start, end in json.loads(offered)),
        sequence=sequence,
        moves=moves,
        answered_at=from_ms(answered_at) if answered_at is not None else None,
    )
