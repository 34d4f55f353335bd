"""An outgoing mail in, an Exchange server's answer to it (CreateItem, MS-OXWSMSG) out; its copy lies in Sent Items."""

from __future__ import annotations

import base64
import email.policy
import time
from email.message import EmailMessage
from email.parser import BytesHeaderParser

from lxml import etree

from triaged.backends.ews.discover import endpoint_of
from triaged.backends.ews.folders import distinguished_id, keys_of
from triaged.backends.ews.line import EwsLine, EwsSettings
from triaged.backends.ews.xml import M, T
from triaged.backends.web import Lost
from triaged.decision import Outgoing
from triaged.errors import Permanent, Uncertain
from triaged.ports import Crossing

FRESH_S = 30.0
"""Seconds after an answer for which the line counts as alive."""
LOOKS_S = (0.5, 1.0, 2.0)
"""Seconds between looks into Sent Items for a mail that is not there: Exchange puts the copy there when transport has
taken the mail, some hundred milliseconds later (our measurement at an independent server: 56 to 300 ms)."""


class EwsMailer:
    """`ports.Mailer` over EWS. The envelope sender is the mailbox's own and cannot be set: of a mail with the null path
    as its sender only the fields in it say that no answer is wanted."""

    def __init__(self, settings: EwsSettings) -> None:
        self._settings = settings
        self._line: EwsLine | None = None
        self._answered_at = float("-inf")

    def connect(self) -> None:
        """Ask for Sent Items, unless the server has answered a moment ago: a dead line, or a wrong password, is found
        before a mail is on it.

        Raises: Transient, Permanent, LoginRefused.
        """
        if time.monotonic() - self._answered_at > FRESH_S:
            distinguished_id(self._connected(), "sentitems")
            self._answered_at = time.monotonic()

    def send(self, mail: Outgoing, crossing: Crossing) -> str:
        """Send it and have a copy saved, in one request. Raises: as the port says.

        Uncertain is also an answer that makes no sense (an independent server gives one after having sent) and an
        internal error, which may come after the sending.
        """
        request = _request(mail, self._settings)
        line = self._connected()
        request.insert(0, M.SavedItemFolderId(line.distinguished("sentitems")))
        crossing.begins()
        try:
            line.one(request, "send a mail")
        except Lost as error:
            raise Uncertain(f"the whole mail was handed over and no clear answer came: {error}") from error
        self._answered_at = time.monotonic()
        words = f"{line.host}: sent, and saved in Sent Items"
        crossing.ends(words)
        return words

    def was_sent(self, message_id: str) -> bool | None:
        """True when a copy lies in Sent Items, else None, after some looks: people may have it cleared away.

        Raises: Transient, Permanent, LoginRefused.
        """
        line = self._connected()
        for wait_s in (*LOOKS_S, None):
            if len(keys_of(line, line.distinguished("sentitems"), message_id)) > 0:
                return True
            if wait_s is not None:
                time.sleep(wait_s)
        return None

    def close(self) -> None:
        """Close the connections; never raises."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _connected(self) -> EwsLine:
        if self._line is None:
            self._line = EwsLine(self._settings, endpoint_of(self._settings))
        return self._line


def _request(mail: Outgoing, settings: EwsSettings) -> etree._Element:
    """Raises: Permanent when the fields of the mail name other recipients than its envelope: EWS has no envelope."""
    head = BytesHeaderParser(policy=email.policy.default).parsebytes(mail.octets)
    assert isinstance(head, EmailMessage)
    named = {
        _plain(address.addr_spec)
        for name in ("To", "Cc", "Bcc")
        for field in head.get_all(name, [])
        for address in field.addresses
    }
    if named != {_plain(mail.recipient)}:
        raise Permanent(f"the mail is for {mail.recipient}, but its fields name {', '.join(sorted(named)) or 'nobody'}")
    senders = [address for field in head.get_all("From", []) for address in field.addresses]
    name, address = (senders[0].display_name, senders[0].addr_spec) if senders else ("", settings.address)
    # Exchange takes it from the mailbox, an independent server sends without From.
    author = T.Mailbox(*([T.Name(name)] if name else []), T.EmailAddress(address))
    content = T.MimeContent(base64.b64encode(mail.octets).decode("ascii"), CharacterSet="UTF-8")
    return M.CreateItem(M.Items(T.Message(content, T.From(author))), MessageDisposition="SendAndSaveCopy")


def _plain(address: str) -> str:
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}".lower()
    except UnicodeError:
        return address.lower()
