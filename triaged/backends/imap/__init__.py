"""IMAP (RFC 3501): a mailbox, its connection and folders, and the folder of sent mail."""
