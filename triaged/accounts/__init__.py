"""Accounts and contacts in, the client a mail belongs to out, with the reason in words."""
