"""Real servers for tests, started from our own configuration in a temporary folder; and small ones that misbehave."""
