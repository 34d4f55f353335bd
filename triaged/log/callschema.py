"""A call as an earlier version planned it in, as today's does out; and the table of calls, for the schema."""

from __future__ import annotations

from typing import Any

TABLE = """
CREATE TABLE call (                       -- every call that was offered or booked, as it stands
    uid TEXT PRIMARY KEY,                 -- RFC 5545 UID of the event
    message INTEGER NOT NULL REFERENCES message (id),   -- the mail that it came from
    person TEXT NOT NULL,                 -- the organizer's id
    state TEXT NOT NULL,                  -- waiting | offered | booked | accepted | tentative | declined | cancelled
    starts_at INTEGER,                    -- NULL while it is only offered
    ends_at INTEGER,
    zone TEXT NOT NULL,                   -- the organizer's zone (IANA) ...
    wall TEXT NOT NULL,                   -- ... and its wall clock at the start, as it was promised; '' while offered
    offered TEXT NOT NULL,                -- JSON list of [start, end] in ms: the times that were proposed
    sequence INTEGER NOT NULL,            -- RFC 5546 2.1.4, of the last invitation
    moves INTEGER NOT NULL DEFAULT 0,
    answered_at INTEGER,                  -- DTSTAMP of the client's last answer
    appointment TEXT NOT NULL,            -- JSON of decision.Appointment
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX call_message ON call (message);
CREATE INDEX call_starts ON call (person, starts_at);
"""


def as_of_today(was: dict[str, Any]) -> dict[str, Any]:
    """The payload of a call that was planned before calls could be moved."""
    desk = was["from_address"]
    return {
        "key": was["key"],
        "kind": "call",
        "appointment": {
            **{name: was[name] for name in ("uid", "person", "attendee", "minutes", "summary", "subject")},
            "desk": desk,
            "location": "",
            "reference": "",
            "zone": was["when_zone"],
            "language": was["when_language"],
        },
        "windows": [{"start": was["earliest"], "end": was["latest"]}],
        "draft": {
            **{name: was[name] for name in ("message_id", "subject", "text", "html", "in_reply_to")},
            "sender": desk,
            "envelope_sender": desk["addr_spec"],
            "recipient": was["attendee"],
            "references": [],
            "automatic": "auto-generated",
        },
        "client_key": was.get("client_key", ""),
        "client_domain": was.get("client_domain", ""),
    }
