"""Who uses the desk in, their rows out: users, sessions, failed sign-ins, the audit log. Passwords come hashed."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from triaged.errors import Gone
from triaged.log.encode import from_ms, to_ms
from triaged.log.read import Reader
from triaged.log.store import Log

Role = Literal["viewer", "coordinator", "manager", "operator"]
ROLES: tuple[Role, ...] = ("viewer", "coordinator", "manager", "operator")
"""Each may do what the one before may, and more."""

VISIT_ENDS = timedelta(minutes=30)
"""Without a page shown for so long, the next one begins another visit."""
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class User:
    """Who may sign in. password: argon2id in PHC form, `""` when they sign in elsewhere; person: id in config.toml.

    visited: when the visit before this one ended, None on the first.
    """

    name: str
    role: Role
    password: str
    person: str
    since: datetime
    disabled: datetime | None
    visited: datetime | None
    seen: datetime | None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in. token: what the cookie holds; said: what the next page says once, JSON or `""`."""

    token: str
    csrf: str
    user: User
    said: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One change that a person made."""

    id: int
    at: datetime
    who: str
    what: str
    message: int | None
    about: str
    detail: str


# --- users ----------------------------------------------------------------------------------------------------


_USER = "name, role, password, person, since_at, disabled_at, visited_at, user.seen_at"


def users(reader: Reader) -> list[User]:
    """All, by name."""
    return [_user(row) for row in reader.select(f"SELECT {_USER} FROM user ORDER BY name")]  # noqa: S608


def user_of(reader: Reader, name: str) -> User | None:
    """One, by their name in any case."""
    rows = reader.select(f"SELECT {_USER} FROM user WHERE name = ?", (name.strip().lower(),))  # noqa: S608
    return _user(rows[0]) if rows else None


def put_user(log: Log, name: str, *, role: Role, password: str, person: str, now: datetime) -> None:
    """Add a user, or change one, who is enabled then."""
    log.db.execute(
        "INSERT INTO user (name, role, password, person, since_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE "
        "SET role = excluded.role, password = excluded.password, person = excluded.person, disabled_at = NULL",
        (name, role, password, person, to_ms(now)),
    )


def set_password(log: Log, name: str, password: str) -> None:
    """A new one; every browser of theirs is signed out."""
    log.db.execute("UPDATE user SET password = ? WHERE name = ?", (password, name))
    sign_out_everywhere(log, name)


def disable(log: Log, name: str, *, now: datetime) -> None:
    """They can sign in no more, and are signed out. Raises: Gone (no such user)."""
    if log.db.execute("UPDATE user SET disabled_at = ? WHERE name = ?", (to_ms(now), name)).rowcount == 0:
        raise Gone(f"there is no user {name}")
    sign_out_everywhere(log, name)


# --- sessions -------------------------------------------------------------------------------------------------


def begin_session(log: Log, user: str, *, lasts: timedelta, now: datetime) -> Session:
    """A new token each time: one that was there before signing in means nothing afterwards (session fixation)."""
    token, csrf = secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES)
    log.db.execute("DELETE FROM session WHERE ends_at <= ?", (to_ms(now),))
    log.db.execute(
        "INSERT INTO session (token, user, csrf, began_at, seen_at, ends_at) VALUES (?, ?, ?, ?, ?, ?)",
        (_digest(token), user, csrf, to_ms(now), to_ms(now), to_ms(now + lasts)),
    )
    row = log.db.execute(f"SELECT {_USER} FROM user WHERE name = ?", (user,)).fetchone()  # noqa: S608
    return Session(token, csrf, _user(row), "")


def session_of(reader: Reader, token: str, *, now: datetime) -> Session | None:
    """The session of a cookie; None when it ended or its user is disabled."""
    rows = reader.select(
        f"SELECT csrf, said, {_USER} FROM session JOIN user ON user.name = session.user "  # noqa: S608
        "WHERE token = ? AND ends_at > ? AND disabled_at IS NULL",
        (_digest(token), to_ms(now)),
    )
    return Session(token, rows[0][0], _user(rows[0][2:]), rows[0][1]) if rows else None


def touch(log: Log, session: Session, *, now: datetime) -> None:
    """A page is shown; after a pause it is another visit, and what came since the last one is new."""
    user = session.user
    if user.seen is not None and now - user.seen > VISIT_ENDS:
        log.db.execute("UPDATE user SET visited_at = seen_at WHERE name = ?", (user.name,))
    log.db.execute("UPDATE user SET seen_at = ? WHERE name = ?", (to_ms(now), user.name))
    log.db.execute("UPDATE session SET seen_at = ?, said = '' WHERE token = ?", (to_ms(now), _digest(session.token)))


def say(log: Log, session: Session, said: dict[str, Any]) -> None:
    """What the next page of this browser says once."""
    log.db.execute("UPDATE session SET said = ? WHERE token = ?", (json.dumps(said), _digest(session.token)))


def end_session(log: Log, token: str) -> None:
    """Signed out."""
    log.db.execute("DELETE FROM session WHERE token = ?", (_digest(token),))


def sign_out_everywhere(log: Log, name: str) -> None:
    """Every browser of a user."""
    log.db.execute("DELETE FROM session WHERE user = ?", (name,))


def _digest(token: str) -> str:
    """So that whoever reads the log can sign in as nobody."""
    return hashlib.sha256(token.encode()).hexdigest()


# --- failed sign-ins --------------------------------------------------------------------------------------------


def count_tries(log: Log, *, name: str, origin: str, since: datetime) -> tuple[int, int]:
    """Failed ones since then: of this name, and from this address; older ones are removed."""
    log.db.execute("DELETE FROM sign_in_try WHERE at < ?", (to_ms(since),))
    row = log.db.execute(
        "SELECT count(*) FILTER (WHERE name = ?), count(*) FILTER (WHERE origin = ?) FROM sign_in_try", (name, origin)
    ).fetchone()
    return row[0], row[1]


def add_try(log: Log, *, name: str, origin: str, now: datetime) -> None:
    """One that is counted until it succeeds: before the password is looked at, so that many at once count too."""
    log.db.execute("INSERT INTO sign_in_try (at, name, origin) VALUES (?, ?, ?)", (to_ms(now), name, origin))


def clear_tries(log: Log, *, name: str) -> None:
    """Signed in: what was mistyped before counts no more."""
    log.db.execute("DELETE FROM sign_in_try WHERE name = ?", (name,))


# --- audit ------------------------------------------------------------------------------------------------------


def audit(
    log: Log, what: str, detail: str, *, who: str, now: datetime, message: int | None = None, about: str = ""
) -> None:
    """Write down a change, in the transaction that makes it. what: `message.correct`, `user.add` …"""
    log.db.execute(
        "INSERT INTO audit (at, who, what, message, about, detail) VALUES (?, ?, ?, ?, ?, ?)",
        (to_ms(now), who, what, message, about, detail),
    )


def audits(
    reader: Reader, *, limit: int, before_id: int | None = None, who: str = "", what: str = "", about: str = ""
) -> list[AuditRow]:
    """The newest changes, newest first; before_id: only those older than this one; who, what, about: only such."""
    rows = reader.select(
        "SELECT id, at, who, what, message, about, detail FROM audit WHERE (:before IS NULL OR id < :before) "
        "AND (:who = '' OR who = :who) AND (:what = '' OR what = :what) AND (:about = '' OR about = :about) "
        "ORDER BY id DESC LIMIT :limit",
        {"before": before_id, "who": who, "what": what, "about": about, "limit": limit},
    )
    return [AuditRow(row[0], from_ms(row[1]), *row[2:]) for row in rows]


def _user(row: tuple[Any, ...]) -> User:
    moments = [from_ms(value) if value is not None else None for value in row[5:8]]
    return User(row[0], row[1], row[2], row[3], from_ms(row[4]), *moments)
