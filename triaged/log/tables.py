"""The scripts that made the triage log's tables what they are, one a migration, in their order.

Times are INTEGER milliseconds since 1970 UTC in columns that end in `_at`; the views show them as ISO text, so
that anyone may read the log with `sqlite-utils` or `datasette`.
"""

from __future__ import annotations

TABLES = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,             -- model.Message.key
    reference TEXT NOT NULL,              -- T-7K3M9QX
    state TEXT NOT NULL,                  -- triaged | quarantined | canary (our own, to see mail arrive)
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
    decision TEXT NOT NULL                -- JSON of decision.Decision, its effects in table effect
) STRICT;
CREATE INDEX decision_message ON decision (message);

CREATE TABLE effect (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    message INTEGER NOT NULL REFERENCES message (id),
    kind TEXT NOT NULL,                   -- decision.Effect: ack | notify | call | offer | invitation | file | …
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
    was TEXT NOT NULL,                    -- JSON: categories, sure, scores, account, model and rule-set ids as shown
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

SAFETY = """
CREATE TABLE mailbox (                    -- what a mailbox may do; one without a row is only observed
    name TEXT PRIMARY KEY,
    enabled_at INTEGER,                   -- NULL: observed, nothing is sent, moved or booked
    cut_off_at INTEGER NOT NULL,          -- mail received earlier is logged and never answered
    by TEXT NOT NULL
) STRICT;

ALTER TABLE effect ADD COLUMN intended TEXT NOT NULL DEFAULT '';
                                          -- the state it would have begun in, had no limit stood against it
ALTER TABLE effect ADD COLUMN handed_at INTEGER;
                                          -- the point of no return: from here on it may have happened

CREATE TABLE answered (                   -- who was answered by machine, for the limits; outlives a `forget`
    effect INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,                   -- ack | call | notify
    mailbox TEXT NOT NULL,
    client TEXT NOT NULL,                 -- keyed hash of the person; a colleague's id for `notify`
    domain TEXT NOT NULL,                 -- the person's mail domain
    leaves_at INTEGER NOT NULL
) STRICT;
CREATE INDEX answered_client ON answered (client, mailbox, kind, leaves_at);
CREATE INDEX answered_leaves ON answered (kind, leaves_at);
CREATE INDEX answered_domain ON answered (domain, leaves_at);

CREATE TABLE breaker (                    -- open while `closed_at` is NULL: no acknowledgement leaves by machine
    id INTEGER PRIMARY KEY,
    opened_at INTEGER NOT NULL,
    why TEXT NOT NULL,
    closed_at INTEGER,
    closed_by TEXT NOT NULL DEFAULT ''
) STRICT;

ALTER TABLE octets ADD COLUMN size_bytes INTEGER;
                                          -- the mail's whole size; more than `octets` holds where the server gave less

CREATE TABLE bad_address (                -- a mail to it came back; it gets no acknowledgement until a person clears it
    client TEXT PRIMARY KEY,              -- keyed hash of the person
    message INTEGER NOT NULL,             -- the mail whose answer came back
    since_at INTEGER NOT NULL,
    why TEXT NOT NULL                     -- the words of the mail server
) STRICT;
"""

TOLD = """
CREATE TABLE alert (                      -- what people are told, one row a condition, open while cleared_at is NULL
    key TEXT PRIMARY KEY,                 -- part:mailbox desk | certificate:… | disk | breaker | …
    what TEXT NOT NULL,                   -- what it is about, in a few words
    severity TEXT NOT NULL,               -- trouble | warning | info
    words TEXT NOT NULL,
    step INTEGER NOT NULL,                -- how bad it is, a higher one is told anew
    since_at INTEGER NOT NULL,
    cleared_at INTEGER,
    heard_step INTEGER NOT NULL,          -- the step last told, 0: nothing or the all-clear
    heard_at INTEGER,                     -- when an alarm was last told
    failed TEXT NOT NULL                  -- why it could not be told, '' if it could
) STRICT, WITHOUT ROWID;

CREATE TABLE run (                        -- each time the worker ran
    id INTEGER PRIMARY KEY,
    started_at INTEGER NOT NULL,
    alive_at INTEGER NOT NULL,            -- when it last looked round for alarms
    ended_at INTEGER                      -- NULL: it runs, or it was killed
) STRICT;

CREATE TABLE canary (                     -- mails we sent to ourselves to see them arrive
    message_id TEXT PRIMARY KEY,
    mailbox TEXT NOT NULL,
    sent_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX message_figures ON message (mailbox, received_at, state, categories, automatic);
CREATE INDEX message_quarantined ON message (id) WHERE state = 'quarantined';
CREATE INDEX effect_figures ON effect (kind, state);
"""

KEEP = """
ALTER TABLE message ADD COLUMN cleared_at INTEGER;
                                          -- when text, names and addresses were removed; NULL: it is whole
CREATE INDEX message_whole ON message (logged_at) WHERE cleared_at IS NULL;
"""

RISK = """
ALTER TABLE message ADD COLUMN complaint REAL;
                                          -- the complaint score, of mails that a person wrote; NULL: no part of a trend
ALTER TABLE message ADD COLUMN chasing INTEGER NOT NULL DEFAULT 0;
                                          -- 1: it chases us about an earlier mail
ALTER TABLE message ADD COLUMN risk REAL; -- of losing the client, 0..1; NULL: decided before it was known
CREATE INDEX message_trend ON message (account_id, received_at, complaint, chasing) WHERE complaint IS NOT NULL;
"""

LEARN = """
ALTER TABLE correction ADD COLUMN text_version TEXT NOT NULL DEFAULT '';
                                          -- hash of what was judged (Message.judged); '' before this version
ALTER TABLE correction ADD COLUMN labelled INTEGER NOT NULL DEFAULT 0;
                                          -- 1: the person said which categories are right, changed or not
UPDATE correction SET labelled = 1
    WHERE json_extract(was, '$.categories') <> json_extract(now, '$.categories');
CREATE INDEX correction_labelled ON correction (at) WHERE labelled = 1;

ALTER TABLE message ADD COLUMN drawn INTEGER NOT NULL DEFAULT 0;
                                          -- 1: drawn for review, whatever its scores are
CREATE INDEX message_drawn ON message (id) WHERE drawn = 1;
"""

APPEND_ONLY = """
CREATE TRIGGER correction_{what} BEFORE {what} ON correction
WHEN NOT EXISTS (SELECT 1 FROM meta WHERE name = 'forgetting')
BEGIN SELECT raise(ABORT, 'a correction is never changed'); END
"""
"""The one exception: to forget a person who is named in one (an account's id may be an address)."""

RULES = """
ALTER TABLE decision ADD COLUMN background TEXT NOT NULL DEFAULT '';
                                          -- JSON of playbook.Background; '' where it cannot be made again
CREATE TABLE setting (                    -- what else decided, whole: configurations and calibrations of models
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,                   -- config | calibration
    told TEXT NOT NULL,                   -- JSON
    first_used_at INTEGER NOT NULL
) STRICT;
CREATE TABLE rule_use (                   -- each time that another rule set began to decide; never changed
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    rules_id TEXT NOT NULL REFERENCES rule_set (rules_id),
    how TEXT NOT NULL,                    -- started | saved | loaded | restored
    who TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;
ALTER TABLE message ADD COLUMN assigned TEXT NOT NULL DEFAULT '';
                                          -- the person who is to see to it; '' for nobody
ALTER TABLE message ADD COLUMN done_at INTEGER;
                                          -- when a person said that nothing more is owed for it
CREATE INDEX message_reference ON message (reference);
"""

UNDO = """
CREATE TABLE undo (                       -- each time that a person took back what a rule did
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    rule TEXT NOT NULL,
    since_at INTEGER NOT NULL,            -- of mail decided about since then
    words TEXT NOT NULL,                  -- what was to change, in numbers, as the person was told
    finished_at INTEGER,                  -- NULL: it was ended before its end; the same command goes on with it
    undone_at INTEGER,                    -- when it was taken back itself
    undone_by TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE undo_item (                  -- one mail of it
    undo INTEGER NOT NULL REFERENCES undo (id),
    message INTEGER NOT NULL REFERENCES message (id),
    decided INTEGER NOT NULL,             -- the decision that holds since then, the one made without the rule
    was TEXT NOT NULL,                    -- JSON: columns of `message` that were changed, as they were before
    now TEXT NOT NULL,                    -- JSON: the same columns as they were put
    effects TEXT NOT NULL,                -- JSON: numbers of effects that were dropped, by their states; those planned
    told TEXT NOT NULL,                   -- what changed and what stays, in words
    undone_at INTEGER,                    -- when this mail was brought back to what it was before the undo
    PRIMARY KEY (undo, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX undo_item_message ON undo_item (message);
"""

CLIENT_HOURS = """
ALTER TABLE account ADD COLUMN hours TEXT NOT NULL DEFAULT '';
                                          -- when the client works, on their own clock: sun-thu 08:00-16:00; '' unknown
ALTER TABLE account ADD COLUMN country TEXT NOT NULL DEFAULT '';
                                          -- whose public holidays they keep: DE, DE-BE; '' unknown
"""
