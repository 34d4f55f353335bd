"""OAuth 2.0 (RFC 6749): who signs in at Microsoft or Google, and the tokens that come of it."""
