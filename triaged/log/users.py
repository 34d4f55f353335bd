"""Who uses the desk in, their rows out: users, sessions, failed sign-ins, the audit log. Passwords come hashed."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from unicodedata import normalize

from triaged.errors import Gone, Permanent
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
class SessionRow:
    """A session as its user sees it. id: names it on a page; nobody can sign in with it."""

    id: str
    began: datetime
    seen: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Tries:
    """Failed sign-ins: by this name from this origin, by this name from anywhere, from this origin by any name."""

    of_both: int
    of_name: int
    of_origin: int


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


def name_of(text: str) -> str:
    """The one form of a name, however it is typed: NFKC, small letters, no blanks around it (as RFC 8265, 3.3)."""
    return normalize("NFKC", normalize("NFKC", text).casefold()).strip()


def users(reader: Reader) -> list[User]:
    """All, by name."""
    return [_user(row) for row in reader.select(f"SELECT {_USER} FROM user ORDER BY name")]  # noqa: S608


def user_of(reader: Reader, name: str) -> User | None:
    """One, by their name in any case."""
    rows = reader.select(f"SELECT {_USER} FROM user WHERE name = ?", (name_of(name),))  # noqa: S608
    return _user(rows[0]) if rows else None


def put_user(log: Log, name: str, *, role: Role, password: str, person: str, now: datetime) -> None:
    """Add a user, or change one, who is enabled then."""
    log.db.execute(
        "INSERT INTO user (name, role, password, person, since_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE "
        "SET role = excluded.role, password = excluded.password, person = excluded.person, disabled_at = NULL",
        (name, role, password, person, to_ms(now)),
    )


def change(log: Log, name: str, *, role: Role, person: str) -> User:
    """Another role or person; the user as they were. It counts from the next page on, for sessions hold no role.

    Raises: Gone (no such user), Permanent (nobody could manage users any more).
    """
    was = _known(log, name)
    if role != "operator":
        _not_the_last(log, was)
    log.db.execute("UPDATE user SET role = ?, person = ? WHERE name = ?", (role, person, name))
    return was


def set_password(log: Log, name: str, password: str, *, but: Session | None = None) -> None:
    """A new one; every browser of theirs is signed out. but: this one goes on, if it is theirs."""
    log.db.execute("UPDATE user SET password = ? WHERE name = ?", (password, name))
    sign_out_everywhere(log, name, but=but)


def disable(log: Log, name: str, *, now: datetime) -> None:
    """They can sign in no more, and are signed out. Raises: Gone, Permanent, as `change`."""
    _not_the_last(log, _known(log, name))
    log.db.execute("UPDATE user SET disabled_at = ? WHERE name = ?", (to_ms(now), name))
    sign_out_everywhere(log, name)


def enable(log: Log, name: str) -> None:
    """They can sign in again, as before. Raises: Gone (no such user)."""
    _known(log, name)
    log.db.execute("UPDATE user SET disabled_at = NULL WHERE name = ?", (name,))


def find(log: Log, name: str) -> User | None:
    """As `user_of`, inside a transaction; name: in its one form."""
    row = log.db.execute(f"SELECT {_USER} FROM user WHERE name = ?", (name,)).fetchone()  # noqa: S608
    return _user(row) if row is not None else None


def _known(log: Log, name: str) -> User:
    if (user := find(log, name)) is None:
        raise Gone(f"there is no user {name}")
    return user


def _not_the_last(log: Log, user: User) -> None:
    """Raises: Permanent, when no other operator may sign in."""
    others = "SELECT count(*) FROM user WHERE role = 'operator' AND disabled_at IS NULL AND name <> ?"
    is_operator = user.role == "operator" and user.disabled is None
    if is_operator and log.db.execute(others, (user.name,)).fetchone()[0] == 0:
        raise Permanent(f"{user.name} is the only operator who may sign in; make somebody else an operator first")


# --- sessions -------------------------------------------------------------------------------------------------


def begin_session(log: Log, user: str, *, lasts: timedelta, now: datetime) -> Session:
    """A new token each time: one that was there before signing in means nothing afterwards (session fixation)."""
    token, csrf = secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES)
    log.db.execute("DELETE FROM session WHERE ends_at <= ?", (to_ms(now),))
    log.db.execute(
        "INSERT INTO session (token, user, csrf, began_at, seen_at, ends_at) VALUES (?, ?, ?, ?, ?, ?)",
        (_digest(token), user, csrf, to_ms(now), to_ms(now), to_ms(now + lasts)),
    )
    return Session(token, csrf, _known(log, user), "")


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


def sign_out_everywhere(log: Log, name: str, *, but: Session | None = None) -> None:
    """Every browser of a user. but: this one goes on, if it is theirs."""
    kept = _digest(but.token) if but is not None else ""
    log.db.execute("DELETE FROM session WHERE user = ? AND token <> ?", (name, kept))


def sessions(reader: Reader, *, now: datetime, user: str = "") -> dict[str, list[SessionRow]]:
    """Those that go on, by user, the one seen last first; user: only theirs."""
    found: dict[str, list[SessionRow]] = {}
    rows = reader.select(
        "SELECT user, token, began_at, seen_at, ends_at FROM session "
        "WHERE ends_at > :now AND (:user = '' OR user = :user) ORDER BY seen_at DESC",
        {"now": to_ms(now), "user": user},
    )
    for row in rows:
        found.setdefault(row[0], []).append(SessionRow(row[1], *map(from_ms, row[2:])))
    return found


def end_session_of(log: Log, name: str, session: str) -> bool:
    """End one of a user's sessions by its `SessionRow.id`; False when it is over, or is somebody else's."""
    ended = log.db.execute("DELETE FROM session WHERE user = ? AND token = ?", (name, session)).rowcount
    return bool(ended > 0)


def session_id(session: Session) -> str:
    """Its `SessionRow.id`."""
    return _digest(session.token)


def _digest(token: str) -> str:
    """So that whoever reads the log can sign in as nobody."""
    return hashlib.sha256(token.encode()).hexdigest()


# --- failed sign-ins --------------------------------------------------------------------------------------------


def count_tries(log: Log, *, name: str, origin: str, since: datetime) -> Tries:
    """Failed ones since then; older ones are removed."""
    log.db.execute("DELETE FROM sign_in_try WHERE at < ?", (to_ms(since),))
    row = log.db.execute(
        "SELECT count(*) FILTER (WHERE name = :name AND origin = :origin), count(*) FILTER (WHERE name = :name), "
        "count(*) FILTER (WHERE origin = :origin) FROM sign_in_try",
        {"name": name, "origin": origin},
    ).fetchone()
    return Tries(*row)


def add_try(log: Log, *, name: str, origin: str, now: datetime) -> None:
    """One that is counted until it succeeds: before the password is looked at, so that many at once count too."""
    log.db.execute("INSERT INTO sign_in_try (at, name, origin) VALUES (?, ?, ?)", (to_ms(now), name, origin))


def clear_tries(log: Log, *, name: str, origin: str | None = None) -> None:
    """What was mistyped counts no more; origin: only what came from there, for who signed in was there."""
    log.db.execute(
        "DELETE FROM sign_in_try WHERE name = :name AND (:origin IS NULL OR origin = :origin)",
        {"name": name, "origin": origin},
    )


# --- audit ------------------------------------------------------------------------------------------------------


def audit(
    log: Log,
    what: str,
    detail: str,
    *,
    who: str,
    now: datetime,
    message: int | None = None,
    about: str = "",
    was: str = "",
) -> None:
    """Write down a change, in the transaction that makes it. what: `message.correct`, `user.add` …

    was: how it was before, JSON, of what can be undone (see `approvals.undo`).
    """
    log.db.execute(
        "INSERT INTO audit (at, who, what, message, about, detail, was) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (to_ms(now), who, what, message, about, detail, was),
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


def audited(reader: Reader) -> tuple[list[str], list[str]]:
    """Everybody who ever changed something, and all that was ever done (`message.correct` …), each in order."""
    whos = reader.select("SELECT DISTINCT who FROM audit ORDER BY who")
    whats = reader.select("SELECT DISTINCT what FROM audit ORDER BY what")
    return [row[0] for row in whos], [row[0] for row in whats]


def _user(row: tuple[Any, ...]) -> User:
    moments = [from_ms(value) if value is not None else None for value in row[5:8]]
    return User(row[0], row[1], row[2], row[3], from_ms(row[4]), *moments)
