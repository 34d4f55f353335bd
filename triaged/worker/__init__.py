"""The worker: watchers fetch, triage processes decide, one writer commits, lanes do; a supervisor tells systemd."""
