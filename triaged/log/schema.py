"""A SQLite file in, the triage log's tables out: migrations (sqlite-utils); the scripts are in `tables.py`."""

from __future__ import annotations

import json

from sqlite_utils import Database, Migrations

from triaged.errors import Permanent
from triaged.log import deskschema, findschema, itemschema, tables, waitingschema
from triaged.log.callschema import TABLE, as_of_today

migrations = Migrations("triaged")


@migrations()
def m001_tables(db: Database) -> None:
    """The tables of version 0.1."""
    for statement in _statements(tables.TABLES):
        db.execute(statement)


@migrations()
def m002_safety(db: Database) -> None:
    """Limits, breaker, observed mailboxes, addresses that bounce; what was logged before was live."""
    for statement in _statements(tables.SAFETY):
        db.execute(statement)
    db.execute("INSERT INTO mailbox SELECT DISTINCT mailbox, logged_at, 0, 'migration' FROM message GROUP BY mailbox")


@migrations()
def m003_told(db: Database) -> None:
    """Alerts, runs, canaries, and the indexes that figures are counted from."""
    for statement in _statements(tables.TOLD):
        db.execute(statement)


@migrations()
def m004_keep(db: Database) -> None:
    """Which mails are whole still."""
    for statement in _statements(tables.KEEP):
        db.execute(statement)


@migrations()
def m005_risk(db: Database) -> None:
    """What an account's trend is made of; mails logged before are no part of it."""
    for statement in _statements(tables.RISK):
        db.execute(statement)


@migrations()
def m006_learn(db: Database) -> None:
    """What people said of mails, to be learned from and never changed; which mails are drawn for review."""
    for statement in _statements(tables.LEARN):
        db.execute(statement)
    for what in ("UPDATE", "DELETE"):
        db.execute(tables.APPEND_ONLY.format(what=what))


@migrations()
def m007_rules(db: Database) -> None:
    """What is needed to make a decision again, and when which rules decided; rule sets hold templates and lists too."""
    for statement in _statements(tables.RULES):
        db.execute(statement)
    for rules_id, files in db.execute("SELECT rules_id, files FROM rule_set").fetchall():
        named = {f"rules/{name}": text for name, text in json.loads(files).items()}
        db.execute("UPDATE rule_set SET files = ? WHERE rules_id = ?", (json.dumps(named), rules_id))
    db.execute(
        "INSERT INTO rule_use (at, rules_id, how, who, why) SELECT first_used_at, rules_id, 'started', '', '' "
        "FROM rule_set ORDER BY first_used_at"
    )


@migrations()
def m008_undo(db: Database) -> None:
    """What people took back of what rules did, with how it was before."""
    for statement in _statements(tables.UNDO):
        db.execute(statement)


@migrations()
def m009_client_hours(db: Database) -> None:
    """When clients work."""
    for statement in _statements(tables.CLIENT_HOURS):
        db.execute(statement)


@migrations()
def m010_calls(db: Database) -> None:
    """Calls as they stand; an effect that was planned before knows its windows and its mail as those of today do."""
    for statement in _statements(TABLE):
        db.execute(statement)
    for row, payload in db.execute("SELECT id, payload FROM effect WHERE kind = 'call' AND payload <> '{}'").fetchall():
        db.execute("UPDATE effect SET payload = ? WHERE id = ?", (json.dumps(as_of_today(json.loads(payload))), row))


@migrations()
def m011_desk(db: Database) -> None:
    """What the review desk keeps."""
    for statement in _statements(deskschema.TABLES):
        db.execute(statement)
    for what in ("UPDATE", "DELETE"):
        db.execute(deskschema.AUDIT_IS_KEPT.format(what=what))


@migrations()
def m012_find(db: Database) -> None:
    """What mails are filtered and sorted by; a million mails take two minutes."""
    for statement in (*_statements(findschema.TABLES), *findschema.TRIGGERS):
        db.execute(statement)
    last = db.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()[0]
    for start in range(0, last, findschema.FILLED):
        db.execute(findschema.FILL, (start, start + findschema.FILLED))


@migrations()
def m013_waiting(db: Database) -> None:
    """What the queue and the first page need."""
    for statement in _statements(waitingschema.TABLES):
        db.execute(statement)


@migrations()
def m014_items(db: Database) -> None:
    """What the list of open items is read by."""
    for statement in _statements(itemschema.INDEXES):
        db.execute(statement)


def newest() -> str:
    """The name of the last migration."""
    return list(migrations.pending(Database(memory=True)))[-1].name


def refuse_newer(db: Database) -> None:
    """A log that a later version has changed is not touched by this one. Raises: Permanent."""
    known = {each.name for each in migrations.pending(Database(memory=True))}
    later = [each.name for each in migrations.applied(db) if each.name not in known]
    if len(later) > 0:
        raise Permanent(f"a later version of triaged changed it ({', '.join(later)}); run that version")


def _statements(script: str) -> list[str]:
    """One statement at a time: executescript would end the migration's transaction."""
    plain = "\n".join(line.split("--")[0] for line in script.split("\n"))
    return [statement for statement in plain.split(";") if statement.strip()]
