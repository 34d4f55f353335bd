"""What is owed to clients, as a condition, and what the list of open items is read by: an index a group of it."""

from __future__ import annotations

OWED = "due_at IS NOT NULL AND done_at IS NULL AND answered_at IS NULL"
"""Of mails: a person owes an answer, nobody gave one, and nobody said that none is needed."""
TO_DO = f"{OWED} AND waiting_at IS NULL"
"""And nobody said that we wait for somebody else."""

INDEXES = """
CREATE INDEX message_owed ON message (due_at, received_at, assigned, account_id, categories)
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
