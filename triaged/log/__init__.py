"""The triage log: SQLite rows of every message, decision, effect and event; the one room that imports a database."""
