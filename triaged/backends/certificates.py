"""A server's address in, when its certificate ends out; no password and no mail is sent."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import ssl
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from triaged.backends.tls import client_context, tls_translated
from triaged.errors import Permanent, Transient

TIMEOUT_S = 10.0

Begins = Literal["at once", "imap", "smtp"]


@dataclass(frozen=True, slots=True)
class TlsServer:
    """Where to look. begins: TLS from the first octet on, or after STARTTLS of IMAP (RFC 3501) or SMTP (RFC 3207)."""

    host: str
    port: int
    begins: Begins
    ca_file: str | None


def certificate_end(server: TlsServer) -> datetime:
    """When the certificate that the server shows now ends.

    Raises: Permanent (it is not accepted, or there is no STARTTLS), Transient (the server cannot be asked).
    """
    context = client_context(server.ca_file)
    try:
        with tls_translated(server.host):
            shown = _shown(server, context)
    except (OSError, imaplib.IMAP4.error) as error:
        raise Transient(f"{server.host}: {error}") from error
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)


def _shown(server: TlsServer, context: ssl.SSLContext) -> ssl._PeerCertRetDictType:
    shown: ssl._PeerCertRetDictType | None
    match server.begins:
        case "at once":
            with (
                socket.create_connection((server.host, server.port), timeout=TIMEOUT_S) as line,
                context.wrap_socket(line, server_hostname=server.host) as wrapped,
            ):
                shown = wrapped.getpeercert()
        case "smtp":
            with closing(smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)) as smtp:
                smtp.ehlo()
                if not smtp.has_extn("starttls"):
                    raise Permanent(f"{server.host}: offers no STARTTLS")
                smtp.starttls(context=context)
                assert isinstance(smtp.sock, ssl.SSLSocket)
                shown = smtp.sock.getpeercert()
        case "imap":
            imap = imaplib.IMAP4(server.host, server.port, timeout=TIMEOUT_S)
            try:
                if "STARTTLS" not in imap.capabilities:
                    raise Permanent(f"{server.host}: offers no STARTTLS")
                imap.starttls(context)
                assert isinstance(imap.sock, ssl.SSLSocket)
                shown = imap.sock.getpeercert()
            finally:
                with suppress(OSError, imaplib.IMAP4.error):
                    imap.logout()
    if not shown:
        raise Transient(f"{server.host}: showed no certificate")
    return shown
