"""Exchange Web Services (MS-OXWS*) by exchangelib: a mailbox, sending and calendars on an Exchange server."""
