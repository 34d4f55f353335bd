"""triaged: triage of shared client mailboxes into requests, complaints and renewals."""

__version__ = "0.1.0"
