"""A sent mail in, its copy in a folder of an IMAP server out; and whether one is there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesHeaderParser
from email.policy import compat32
from imaplib import IMAP4

from imapclient import SEEN, IMAPClient

from triaged.backends.imap.folders import GMAIL, make_folder, sent_folder
from triaged.backends.imap.line import ImapSettings, log_out, open_line, shut, translated
from triaged.errors import Transient

GMAIL_FILES_WITHIN_S = 10.0
"""Seconds in which Gmail files what it sends; not published, reports speak of one or two."""
LOOK_S = 0.5
"""Seconds between two looks for Gmail's copy."""


class ImapSent:
    """The folder where copies of sent mail lie. folder None: the one marked \\Sent (RFC 6154), else `Sent`."""

    def __init__(self, folder: str | None, settings: ImapSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._client: IMAPClient | None = None

    def connect(self) -> None:
        """Connect unless that is done. Raises: Transient, Permanent, LoginRefused."""
        with self._talking("keep copies of sent mail"):
            pass

    def append(self, octets: bytes) -> None:
        """Put a copy into the folder, marked as read. Done twice: two copies.

        Gmail puts what leaves by smtp.gmail.com there itself (support.google.com/mail/answer/78892): its copy is waited
        for, and ours is made only when there is none, because the mail left by another server.
        Raises: Transient, Permanent, LoginRefused.
        """
        message_id = BytesHeaderParser(policy=compat32).parsebytes(octets).get("Message-ID", "").strip()
        with self._talking("keep a copy of a sent mail") as client:
            if not client.has_capability(GMAIL) or not self._finds(client, message_id):
                client.append(self._folder, octets, flags=[SEEN])

    def find(self, message_id: str) -> bool:
        """Whether a mail with this Message-ID (with angle brackets) is there; on Gmail it is waited for.

        Raises: Transient, Permanent, LoginRefused.
        """
        with self._talking("search sent mail") as client:
            return self._finds(client, message_id)

    def _finds(self, client: IMAPClient, message_id: str) -> bool:
        client.select_folder(self._folder, readonly=True)
        give_up_at = time.monotonic() + (GMAIL_FILES_WITHIN_S if client.has_capability(GMAIL) else 0)
        while len(client.search(["HEADER", "Message-ID", message_id])) == 0:
            if time.monotonic() >= give_up_at:
                return False
            time.sleep(LOOK_S)
            client.noop()  # lets the server tell what came since the folder was opened
        return True

    def close(self) -> None:
        """Log out and close; never raises."""
        log_out(self._client)
        self._client = None

    @contextmanager
    def _talking(self, doing: str) -> Iterator[IMAPClient]:
        """A connection known to be alive."""
        if self._client is not None:
            try:
                self._client.noop()
            except (IMAP4.error, OSError):
                self._drop()
        try:
            if self._client is None:
                self._client = open_line(self._settings)
                with translated(self._settings.host, "open the folder of sent mail"):
                    self._folder = self._folder or sent_folder(self._client)
                    make_folder(self._client, self._folder)
            with translated(self._settings.host, doing):
                yield self._client
        except Transient:
            self._drop()
            raise

    def _drop(self) -> None:
        shut(self._client)
        self._client = None
