"""Microsoft Graph: a mailbox, sending and calendars in Microsoft 365."""
