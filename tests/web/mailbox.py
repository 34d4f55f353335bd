"""Mails laid into the mailbox of a played night, each with its row in the log, so that the desk can show them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Locator
from triaged.servers import MaildirTable
from triaged.settings import Config
from triaged.wire import log_path

MAILBOX = "desk"


def lay(config: Config, mails: Sequence[bytes], *, like: int = 1) -> list[int]:
    """The rows of these mails, in order. like: the row of a mail that theirs are made after."""
    table = next(each for each in config.mailbox if each.name == MAILBOX)
    assert isinstance(table, MaildirTable)
    folder = config.path(table.path)
    with closing(Reader(log_path(config))) as reader:
        message, decision = reader.message(like), reader.decision(like)
    assert message is not None
    assert decision is not None
    rows = []
    with closing(Log(log_path(config))) as log, log.transaction():
        for number, octets in enumerate(mails):
            name = f"laid-{number:05}"
            (folder / "new" / name).write_bytes(octets)
            one = dataclasses.replace(message, key=f"{number:032x}", message_id=f"<{name}@client.example>")
            decided = dataclasses.replace(decision, message_key=one.key, effects=())
            place = Locator(MAILBOX, folder.name, name)
            rows.append(log.record(one, decided, place, now=datetime.now(UTC)).row)
    return rows


def html_mail(html: str, *, charset: str = "utf-8") -> bytes:
    """A mail that is HTML and nothing else."""
    head = f"From: ann@client.example\r\nSubject: x\r\nContent-Type: text/html; charset={charset}\r\n\r\n"
    return head.encode() + html.encode(charset, "surrogatepass")
