"""A SQLite file in, the triage log's tables out: schema and migrations (sqlite-utils).

Times are INTEGER milliseconds since 1970 UTC in columns that end in `_at`; the views show them as ISO text, so
that anyone may read the log with `sqlite-utils` or `datasette`.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("triaged")

_TABLES = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,             -- model.Message.key
    reference TEXT NOT NULL,              -- T-7K3M9QX
    state TEXT NOT NULL,                  -- triaged | quarantined
    mailbox TEXT NOT NULL,
    message_id TEXT NOT NULL,             -- the Message-ID field, with brackets; '' if none
    sender TEXT NOT NULL,
    sender_name TEXT NOT NULL,
    subject TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    logged_at INTEGER NOT NULL,
    automatic TEXT NOT NULL,              -- person | hold | machine
    language TEXT NOT NULL,
    categories TEXT NOT NULL,             -- JSON list, highest score first; [] is other
    sure INTEGER NOT NULL,
    account_id TEXT,
    account_how TEXT,
    priority TEXT NOT NULL,
    due_at INTEGER,
    new_text TEXT NOT NULL,
    parsed TEXT NOT NULL                  -- JSON of model.Message
) STRICT;
CREATE INDEX message_received ON message (received_at);
CREATE INDEX message_message_id ON message (message_id) WHERE message_id <> '';
CREATE INDEX message_account ON message (account_id, received_at);

CREATE TABLE octets (                     -- of quarantined mail only
    message INTEGER PRIMARY KEY REFERENCES message (id),
    octets BLOB NOT NULL
) STRICT;

CREATE TABLE locator (                    -- every message seen on a server, each copy
    mailbox TEXT NOT NULL,
    folder TEXT NOT NULL,
    key TEXT NOT NULL,
    message INTEGER REFERENCES message (id),   -- NULL: it was gone before it could be read
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (mailbox, folder, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX locator_message ON locator (message);

CREATE TABLE decision (
    id INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES message (id),
    decided_at INTEGER NOT NULL,
    model_id TEXT NOT NULL,
    rules_id TEXT NOT NULL,
    decision TEXT NOT NULL                -- JSON of model.Decision, its effects in table effect
) STRICT;
CREATE INDEX decision_message ON decision (message);

CREATE TABLE effect (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    message INTEGER NOT NULL REFERENCES message (id),
    kind TEXT NOT NULL,                   -- ack | notify | call | invitation | file | ask
    lane TEXT NOT NULL,                   -- which thread does it
    state TEXT NOT NULL,                  -- held | owed | doing | done | person | dropped
    not_before_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    external_id TEXT NOT NULL,            -- Message-ID or UID by which the outside knows it; '' if none
    payload TEXT NOT NULL,                -- JSON of the effect
    detail TEXT NOT NULL DEFAULT '',      -- what was done, or what went wrong
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX effect_open ON effect (lane, not_before_at) WHERE state IN ('owed', 'doing');
CREATE INDEX effect_waiting ON effect (state) WHERE state IN ('held', 'person');
CREATE INDEX effect_message ON effect (message);
CREATE INDEX effect_external ON effect (external_id) WHERE external_id <> '';

CREATE TABLE event (                      -- what happened, in order; never changed
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    message INTEGER REFERENCES message (id),
    name TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX event_message ON event (message);

CREATE TABLE correction (                 -- what a person put right; never changed
    id INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES message (id),
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    was TEXT NOT NULL,                    -- JSON: categories, scores, account, model and rule-set ids as shown
    now TEXT NOT NULL                     -- JSON: categories and account as corrected
) STRICT;
CREATE INDEX correction_message ON correction (message);

CREATE TABLE account (
    account_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    manager TEXT NOT NULL,
    tier TEXT NOT NULL,
    timezone TEXT NOT NULL,
    language TEXT NOT NULL
) STRICT;
CREATE TABLE alias (                      -- domains and addresses that belong to an account
    account_id TEXT NOT NULL REFERENCES account (account_id),
    alias TEXT NOT NULL,
    PRIMARY KEY (account_id, alias)
) STRICT, WITHOUT ROWID;
CREATE TABLE contact (
    account_id TEXT NOT NULL REFERENCES account (account_id),
    addr_spec TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (account_id, addr_spec)
) STRICT, WITHOUT ROWID;
CREATE TABLE contract (
    account_id TEXT NOT NULL REFERENCES account (account_id),
    number TEXT NOT NULL,
    ends TEXT,                            -- ISO date; NULL: open-ended
    PRIMARY KEY (account_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursor (
    mailbox TEXT NOT NULL,
    folder TEXT NOT NULL,
    key TEXT NOT NULL,                    -- highest contiguously committed key
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (mailbox, folder)
) STRICT, WITHOUT ROWID;

CREATE TABLE rule_set (                   -- every rule set that decided something, whole
    rules_id TEXT PRIMARY KEY,
    files TEXT NOT NULL,                  -- JSON object: file name → text
    first_used_at INTEGER NOT NULL
) STRICT;

CREATE TABLE health (                     -- how each part of the worker is, for `triaged status`
    part TEXT PRIMARY KEY,
    state TEXT NOT NULL,                  -- ok | trouble | stopped
    detail TEXT NOT NULL,
    since_at INTEGER NOT NULL
) STRICT;

CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT INTO meta VALUES ('accounts_revision', 0), ('indexed_to', 0);

CREATE VIRTUAL TABLE message_fts USING fts5 (subject, sender, new_text, content = 'message', content_rowid = 'id');
INSERT INTO message_fts (message_fts, rank) VALUES ('automerge', 0);

CREATE VIEW triage AS
SELECT message.id, strftime('%Y-%m-%dT%H:%M:%SZ', received_at / 1000, 'unixepoch') AS received,
    mailbox, sender, subject,
    CASE WHEN state = 'quarantined' THEN 'quarantined' WHEN categories = '[]' THEN 'other'
        ELSE (SELECT group_concat(value, ', ') FROM json_each(categories)) END AS category,
    sure, account_id AS account, priority, reference,
    strftime('%Y-%m-%dT%H:%M:%SZ', due_at / 1000, 'unixepoch') AS due
FROM message;
"""


@migrations()
def m001_tables(db: Database) -> None:
    """The tables of version 0.1."""
    for statement in _statements(_TABLES):
        db.execute(statement)


def _statements(script: str) -> list[str]:
    """One statement at a time: executescript would end the migration's transaction."""
    plain = "\n".join(line.split("--")[0] for line in script.split("\n"))
    return [statement for statement in plain.split(";") if statement.strip()]
