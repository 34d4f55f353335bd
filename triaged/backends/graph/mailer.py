"""An outgoing mail in, Microsoft Graph's word that it takes it (sendMail) out; a copy lies in Sent Items."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from email.parser import BytesHeaderParser
from email.utils import getaddresses

from triaged.backends.graph.line import GraphLine, GraphSettings, literal, text_of
from triaged.backends.web import Lost
from triaged.decision import Outgoing
from triaged.errors import Permanent, Uncertain
from triaged.ports import Crossing

LOOKS_S = (0.0, 1.0, 2.0, 4.0)
"""Seconds before each look into Sent Items: the copy is made after the sending (learn.microsoft.com/graph/
outlook-immutable-id, "may take time")."""
FRESH_S = 30.0
"""Seconds after an answer for which the connection is taken to be alive."""
ACCEPTED_BYTES = 65_536
"""Octets read of the answer to a sending; it has none."""


class GraphMailer:
    """`ports.Mailer` over Microsoft Graph. looks_s: seconds before each look of `was_sent`.

    Graph sends to those whom the header names, so that must be the one recipient, and under the address in From: an
    empty envelope sender cannot be had. Limits (2026): 4 MB a request, 30 mails a minute.
    """

    def __init__(self, settings: GraphSettings, *, looks_s: Sequence[float] = LOOKS_S) -> None:
        self._host = settings.host
        self._looks_s = looks_s
        self._line = GraphLine(settings, right="Mail.ReadWrite")
        self._answered_at = float("-inf")

    def connect(self) -> None:
        """Ask for Sent Items, unless Graph has answered a moment ago: a dead line is found before a mail is on it.

        Raises: Transient, Permanent, LoginRefused.
        """
        if time.monotonic() - self._answered_at > FRESH_S:
            self._line.get("/mailFolders/sentitems", {"$select": "id"})
            self._answered_at = time.monotonic()

    def send(self, mail: Outgoing, crossing: Crossing) -> str:
        """Hand the mail over. 202 says that it is accepted, not that it is delivered; a refusal later comes as a mail.

        Raises: as the port says. Uncertain when no answer of Graph's own came, or another than 202 or a refusal.
        """
        _check(mail)
        self.connect()
        self._answered_at = float("-inf")
        try:
            answer = self._line.ask(
                "POST",
                self._line.url("/sendMail"),
                data=base64.b64encode(mail.octets),
                content_type="text/plain",
                limit_bytes=ACCEPTED_BYTES,
                right="Mail.Send",
                begins=crossing.begins,
            )
        except Lost as error:
            raise Uncertain(f"{self._host}: the whole mail was handed over and no answer came: {error}") from error
        if answer.status != 202:
            raise Uncertain(f"{self._host}: the whole mail was handed over, the answer makes no sense: {answer.status}")
        self._answered_at = time.monotonic()
        words = f"202 accepted {answer.headers.get('request-id', '')}".strip()
        crossing.ends(words)
        return words

    def was_sent(self, message_id: str) -> bool | None:
        """True when the copy lies in Sent Items, else None: it comes late, and may be moved away.

        Takes as long as the looks together. Raises: Transient, Permanent, LoginRefused.
        """
        query = {"$filter": f"internetMessageId eq {literal(message_id)}", "$select": "internetMessageId"}
        for wait_s in self._looks_s:
            time.sleep(wait_s)
            found = self._line.listed("/mailFolders/sentitems/messages", query)
            if any(text_of(item, "internetMessageId") == message_id for item in found):
                return True
        return None

    def close(self) -> None:
        """Close the connections."""
        self._line.close()
        self._answered_at = float("-inf")


def _check(mail: Outgoing) -> None:
    """Raises: Permanent when the header names anybody but the recipient, whom alone the mail is meant for."""
    head = BytesHeaderParser().parsebytes(mail.octets)
    fields = [str(value) for name in ("To", "Cc", "Bcc") for value in head.get_all(name, [])]
    named = [address for _, address in getaddresses(fields)]
    if named != [mail.recipient]:
        raise Permanent(
            f"the header names {', '.join(named) or 'nobody'} and the mail is for {mail.recipient} alone: Microsoft "
            "Graph sends to those whom the header names"
        )
