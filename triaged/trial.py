"""Mails in files in, what would be decided about them out; nothing is written, sent or moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from triaged.accounts.match import Directory, directory
from triaged.decision import Decision
from triaged.loading import build_playbook, list_path
from triaged.log.read import Reader
from triaged.model import Locator, Message, Raw
from triaged.settings import Config
from triaged.wire import log_path
from triaged.worker.listed import ListFile
from triaged.worker.triage import Desk, Triaged, triage

BATCH = 16


def decisions(config: Config, files: Sequence[Path]) -> Iterator[tuple[str, Message | None, Decision | None, str]]:
    """For each file: its name, the mail, the decision and "", or None, None and why it could not be read.

    Accounts and threads are those of the log, where there is one. A mail counts as received now, so that its age
    decides nothing. Raises: ConfigError.
    """
    playbook = build_playbook(config, dry=True)
    reader, accounts = _what_is_known(config)
    desk, now = Desk(playbook, accounts, reader, ListFile(list_path(config)).current()), datetime.now(UTC)
    for start in range(0, len(files), BATCH):
        raws = []
        for file in files[start : start + BATCH]:
            try:
                octets = file.read_bytes()
            except OSError as error:
                yield str(file), None, None, f"cannot be read: {error.strerror}"
                continue
            locator = Locator(config.mailbox[0].name, "", str(file))
            raws.append(Raw(locator, now, octets, len(octets)))
        for result in triage(raws, desk=desk, now=now):
            name = result.raw.locator.key
            if isinstance(result, Triaged):
                yield name, result.message, result.decision, ""
            else:
                yield name, None, None, result.cause
    if reader is not None:
        reader.close()


def _what_is_known(config: Config) -> tuple[Reader | None, Directory]:
    try:
        reader = Reader(log_path(config))
    except FileNotFoundError:
        return None, directory(())
    return reader, directory(reader.accounts())
