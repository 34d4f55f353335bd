"""What the review desk keeps in the log: users, sessions, the audit log, notes, saved views, merged accounts."""

from __future__ import annotations

TABLES = """
CREATE TABLE user (                       -- who may sign in to the desk
    name TEXT PRIMARY KEY,                -- lower case
    role TEXT NOT NULL,                   -- viewer | coordinator | manager | operator
    password TEXT NOT NULL,               -- argon2id in PHC form; '': signs in elsewhere (a proxy, OpenID Connect)
    person TEXT NOT NULL DEFAULT '',      -- their id in config.toml; '' for none
    since_at INTEGER NOT NULL,
    disabled_at INTEGER,                  -- NULL: may sign in
    visited_at INTEGER,                   -- when the visit before this one ended: what came since is new to them
    seen_at INTEGER                       -- when a page was last shown to them
) STRICT, WITHOUT ROWID;

CREATE TABLE session (                    -- a browser that is signed in
    token TEXT PRIMARY KEY,               -- SHA-256 of what the cookie holds
    user TEXT NOT NULL REFERENCES user (name),
    csrf TEXT NOT NULL,                   -- every form carries it
    said TEXT NOT NULL DEFAULT '',        -- JSON: what the next page says once of what was just done
    began_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_user ON session (user);

CREATE TABLE sign_in_try (                -- each that failed, for the limit; removed when it counts no more
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    name TEXT NOT NULL,
    origin TEXT NOT NULL                  -- address of the browser, as far as it is known
) STRICT;
CREATE INDEX sign_in_try_at ON sign_in_try (at);

CREATE TABLE audit (                      -- every change that a person made; never changed itself
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,                   -- message.correct | effect.approve | account.merge | user.add | …
    message INTEGER REFERENCES message (id),
    about TEXT NOT NULL,                  -- the account, user, rule file …; '' for none
    detail TEXT NOT NULL                  -- a sentence
) STRICT;
CREATE INDEX audit_message ON audit (message) WHERE message IS NOT NULL;

CREATE TABLE saved_view (                 -- a search of the log under a name
    user TEXT NOT NULL REFERENCES user (name),
    name TEXT NOT NULL,
    query TEXT NOT NULL,                  -- of the address: category=complaint&sure=no
    PRIMARY KEY (user, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE note (                       -- what people wrote about a mail
    id INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES message (id),
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX note_message ON note (message);

ALTER TABLE message ADD COLUMN waiting_at INTEGER;
                                          -- since when we wait for somebody else; NULL: we do not
ALTER TABLE message ADD COLUMN answered_at INTEGER;
                                          -- when a person answered it, as a folder of sent mail shows
ALTER TABLE message ADD COLUMN next_step TEXT NOT NULL DEFAULT '';
                                          -- what is to be done next, in a person's words
ALTER TABLE message ADD COLUMN next_at INTEGER;
                                          -- and by when

CREATE TABLE account_merge (              -- one account made part of another, so that it can be taken apart again
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    account_id TEXT NOT NULL,             -- the one that is gone
    into_id TEXT NOT NULL,                -- the one that took it in
    was TEXT NOT NULL,                    -- JSON: both accounts as they were (model.Account)
    messages TEXT NOT NULL,               -- JSON: numbers of the mails that changed hands
    undone_at INTEGER,
    undone_by TEXT NOT NULL DEFAULT ''
) STRICT;
"""

AUDIT_IS_KEPT = """
CREATE TRIGGER audit_{what} BEFORE {what} ON audit
WHEN NOT EXISTS (SELECT 1 FROM meta WHERE name = 'forgetting')
BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END
"""
"""The one exception: to forget a person who is named in it."""
