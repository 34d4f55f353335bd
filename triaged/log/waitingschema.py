"""What the queue and the first page need of the log: how a change can be undone, and indexes for what is open."""

from __future__ import annotations

TABLES = """
ALTER TABLE audit ADD COLUMN was TEXT NOT NULL DEFAULT '';
                                          -- JSON: how it was before, of what can be undone; '' where nothing can be
CREATE INDEX audit_undo ON audit (who, id) WHERE was <> '';

CREATE INDEX message_doubtful ON message (received_at)
    WHERE state = 'triaged' AND automatic <> 'machine' AND done_at IS NULL
    AND (sure = 0 OR account_how IS NULL OR account_how = 'thread');
CREATE INDEX call_day ON call (starts_at) WHERE starts_at IS NOT NULL;
"""
