"""Mails that could not be read in; read once more in a process that may be killed, and triaged as any other, out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime

from triaged.errors import TriagedError
from triaged.log.quarantine import Mended, QuarantinedRow, mend, still_unreadable
from triaged.log.store import Log
from triaged.model import Raw
from triaged.ports import Mailbox
from triaged.worker.triage import Triaged, TriageProcess, keep_loaded

NOWHERE = "the log has not all of it, and it no longer lies where it was on the server"


def retry(
    process: TriageProcess,
    row: QuarantinedRow,
    raw: Raw,
    *,
    writing: Callable[[], AbstractContextManager[Log]],
    who: str,
    now: datetime,
) -> Mended | str | None:
    """Read a mail once more and write down what came of it: in words why it cannot be read, if it cannot.

    process: started. writing: opens the log for one transaction. None: it is no longer in quarantine.
    Raises: ConfigError, Transient (the process had to be started again and could not).
    """
    (result,) = process.triage([raw], now=now)
    with writing() as log:
        if not isinstance(result, Triaged):
            still_unreadable(log, row.id, cause=result.cause, now=now)
            return result.cause
        assert process.loaded is not None
        keep_loaded(log, process.loaded, now=now)
        return mend(log, row.id, result.message, result.decision, result.background, who=who, now=now)


def fetched(row: QuarantinedRow, *, configured: Collection[str], mailbox_of: Callable[[str], Mailbox]) -> Raw | str:
    """The mail anew from the server, or why not. configured: names of mailboxes; mailbox_of: one of them."""
    for name in dict.fromkeys(place.mailbox for place in row.places if place.mailbox in configured):
        box = mailbox_of(name)
        keys = [place.key for place in row.places if (place.mailbox, place.folder) == (name, box.folder)]
        try:
            box.connect()
            for raw in box.fetch(keys):
                if len(raw.octets) > 0:
                    return raw
        except TriagedError as error:
            return str(error)
        finally:
            box.close()
    return NOWHERE
