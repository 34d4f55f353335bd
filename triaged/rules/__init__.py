"""Rule files in, evidence and handling out: the rule language that coordinators edit (pure)."""
