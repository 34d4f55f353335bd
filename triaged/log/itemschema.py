"""What the list of open items is read by: an index a group, which holds that group alone and all that is counted."""

from __future__ import annotations

INDEXES = """
CREATE INDEX message_owed ON message (due_at, assigned, account_id, categories)
    WHERE due_at IS NOT NULL AND done_at IS NULL AND answered_at IS NULL AND waiting_at IS NULL;
CREATE INDEX message_waiting ON message (next_at, waiting_at, assigned, account_id, categories)
    WHERE waiting_at IS NOT NULL AND done_at IS NULL;
CREATE INDEX message_promised ON message (next_at, assigned, account_id, categories)
    WHERE answered_at IS NOT NULL AND next_step <> '' AND done_at IS NULL AND waiting_at IS NULL;
CREATE INDEX message_answered ON message (answered_at, assigned, account_id, categories)
    WHERE answered_at IS NOT NULL AND next_step = '' AND done_at IS NULL AND waiting_at IS NULL AND due_at IS NOT NULL;
CREATE INDEX message_unowed ON message (received_at, assigned, account_id, categories)
    WHERE due_at IS NULL AND done_at IS NULL AND answered_at IS NULL AND waiting_at IS NULL
        AND automatic = 'person' AND account_id IS NOT NULL;
"""
