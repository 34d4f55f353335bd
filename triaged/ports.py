"""What we need from outside: Mailbox, Mailer, Calendar. Backends implement these; `wire` picks them.

Every method may block up to the backend's own timeout and raises only `Transient`, `Permanent` (`Gone`,
`LoginRefused`) or, for `Mailer.send`, `Uncertain`. One object belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from triaged.model import Interval, Outgoing, Raw


class Mailbox(Protocol):
    """One mailbox with one watched folder. Reading changes nothing on the server; `\\Seen` is neither used nor set."""

    name: str
    folder: str

    def connect(self) -> None:
        """Connect and open the folder. Done twice: reconnects. Raises: Transient, LoginRefused, Gone (no folder)."""

    def keys_after(self, cursor: str | None) -> tuple[str, ...]:
        """Keys of messages in the folder, oldest first, that the cursor does not cover.

        cursor: the highest contiguously committed key, or None for all. A cursor that no longer means
        anything (UIDVALIDITY changed) is as None. A backend without order (Maildir) returns all keys:
        the caller skips those it has. Raises: Transient, LoginRefused.
        """
        ...

    def fetch(self, keys: Sequence[str]) -> Iterator[Raw]:
        """The messages, in the order of `keys`; one that vanished meanwhile is left out. Raises: Transient."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Return when something may have come, when `wake` is called or after `timeout_s`. Raises: Transient."""

    def wake(self) -> None:
        """End a `wait` in another thread soon. The one method that other threads may call; never raises."""

    def file(self, key: str, folder: str) -> None:
        """Move a message into `folder`, made if missing. Done twice: Gone. Raises: Transient, Gone, Permanent."""

    def close(self) -> None:
        """Close; never raises. Done twice: nothing."""


class Mailer(Protocol):
    """Sends mail."""

    def connect(self) -> None:
        """Connect and log in; cheap when connected. Raises: Transient, Permanent, LoginRefused."""

    def send(self, mail: Outgoing) -> str:
        """Hand the mail over; returns the server's words.

        Raises: Transient (certainly not sent), Permanent (refused), LoginRefused, Uncertain (connection lost
        between the end of DATA and the answer). Done twice: may send twice, unless `was_sent` was asked.
        """
        ...

    def was_sent(self, message_id: str) -> bool | None:
        """Whether a mail with this Message-ID left: True, False, or None when nobody can tell. Raises: Transient."""
        ...

    def close(self) -> None:
        """Close; never raises."""


class Calendar(Protocol):
    """One person's calendar."""

    def busy(self, start: datetime, end: datetime) -> tuple[Interval, ...]:
        """Busy times overlapping [start, end), merged, in order, UTC.

        A calendar that cannot be read raises (Transient or Permanent); it is never reported as free.
        """
        ...

    def add(self, uid: str, ics: bytes) -> bool:
        """Write an event (a VCALENDAR with one VEVENT of this UID). False when the UID is there already, which
        then stays as it was. Raises: Transient, Permanent, LoginRefused."""
        ...

    def find(self, uid: str) -> bytes | None:
        """The VCALENDAR that holds this UID, or None. Raises: Transient, LoginRefused."""
        ...

    def close(self) -> None:
        """Close; never raises."""
