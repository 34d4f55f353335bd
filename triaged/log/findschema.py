"""What makes the log quick to search at a million mails: one row a mail and word it is filtered by, kept by triggers.

The view `facet_now` says which rows there are; the table `facet` holds them, in the order that lists have. The triggers
take a mail's rows out before its row in `message`, or its decision, changes, and put those of now in afterwards: so the
table is the view at the end of every transaction, whoever wrote what.
"""

from __future__ import annotations

TABLES = """
CREATE TABLE facet (                      -- what mails are filtered by; see the view facet_now
    kind TEXT NOT NULL,                   -- mail | category | rule | mailbox | account | owner | sure | open | …
    value TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (kind, value, received_at, message)
) STRICT, WITHOUT ROWID;

CREATE VIEW facet_now AS
WITH mail AS NOT MATERIALIZED (           -- our own test mails are in no list
    SELECT * FROM message WHERE state <> 'canary' AND (message_id = ''
        OR NOT EXISTS (SELECT 1 FROM canary WHERE canary.message_id = message.message_id))
)
SELECT mail.id AS message, received_at, each.key AS kind, each.value AS value
FROM mail, json_each(json_object(
    'mail', '',
    'mailbox', mailbox,
    'account', coalesce(account_id, ''),
    'owner', nullif(assigned, ''),
    'sure', CASE state WHEN 'triaged' THEN iif(sure, 'yes', 'no') END,
    'quarantined', iif(state = 'quarantined', '', NULL),
    'automatic', iif(state = 'triaged' AND automatic <> 'person', '', NULL),
    'open', iif(due_at IS NOT NULL AND done_at IS NULL AND answered_at IS NULL, '', NULL),
    'waiting', iif(waiting_at IS NOT NULL AND done_at IS NULL, '', NULL),
    'done', iif(done_at IS NOT NULL, '', NULL)
)) AS each
WHERE each.value IS NOT NULL
UNION ALL
SELECT mail.id, received_at, 'category', each.value
FROM mail, json_each(iif(state = 'triaged' AND categories = '[]', '["other"]', categories)) AS each
UNION ALL
SELECT mail.id, received_at, 'rule', each.value ->> '$.name'
FROM mail JOIN decision ON decision.id = (SELECT max(id) FROM decision AS last WHERE last.message = mail.id),
    json_each(decision, '$.rules') AS each
WHERE each.value ->> '$.fired';

DROP INDEX message_account;
CREATE INDEX message_account ON message (account_id, received_at, categories);   -- what is counted by month, too
CREATE INDEX message_order ON message (id, received_at, due_at, risk, sender);
                                          -- what lists are sorted by, apart from the long texts
CREATE INDEX message_awaited ON message (account_id, received_at)
    WHERE due_at IS NOT NULL AND done_at IS NULL AND answered_at IS NULL AND automatic = 'person';
                                          -- what an account waits for, which every decision asks
"""

FILL = """
INSERT OR IGNORE INTO facet (kind, value, received_at, message)
SELECT kind, value, received_at, message FROM facet_now WHERE message > ? AND message <= ? ORDER BY 1, 2, 3, 4
"""
FILLED = 50_000
"""Mails at once: their rows are sorted in memory."""

_TAKE_OUT = """
DELETE FROM facet WHERE (kind, value, received_at, message) IN
    (SELECT kind, value, received_at, message FROM facet_now WHERE message = {row} AND kind {kinds})
"""
_PUT_IN = """
INSERT OR IGNORE INTO facet (kind, value, received_at, message)
    SELECT kind, value, received_at, message FROM facet_now WHERE message = {row} AND kind {kinds}
"""
_COLUMNS = (
    "state, mailbox, message_id, received_at, automatic, categories, sure, account_id, due_at, assigned, done_at, "
    "waiting_at, answered_at"
)
"""Of `message`, that `facet_now` reads."""


def _out(name: str, when: str, row: str, kinds: str = "<> ''") -> str:
    return f"CREATE TRIGGER facet_out_{name} BEFORE {when} BEGIN {_TAKE_OUT.format(row=row, kinds=kinds)}; END"


def _in(name: str, when: str, row: str, kinds: str = "<> ''") -> str:
    return f"CREATE TRIGGER facet_in_{name} AFTER {when} BEGIN {_PUT_IN.format(row=row, kinds=kinds)}; END"


_RULES = "= 'rule'"
TRIGGERS = (
    _in("new_mail", "INSERT ON message", "new.id"),
    _out("mail", f"UPDATE OF {_COLUMNS} ON message", "old.id"),
    _in("mail", f"UPDATE OF {_COLUMNS} ON message", "new.id"),
    _out("gone_mail", "DELETE ON message", "old.id"),
    _out("new_decision", "INSERT ON decision", "new.message", _RULES),
    _in("new_decision", "INSERT ON decision", "new.message", _RULES),
    _out("decision", "UPDATE OF message, decision ON decision", "old.message", _RULES),
    _in("decision", "UPDATE OF message, decision ON decision", "new.message", _RULES),
    _out("gone_decision", "DELETE ON decision", "old.message", _RULES),
    _in("gone_decision", "DELETE ON decision", "old.message", _RULES),
)
"""Each a statement of its own; a decision changes only which rules fired."""
