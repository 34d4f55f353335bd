"""A CA file in, an SSL context out; and TLS failures told apart: those that a person must mend from those that pass."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from triaged.errors import Permanent, Transient


def client_context(ca_file: str | None) -> ssl.SSLContext:
    """A context that checks certificate and host name, TLS 1.2 or newer; `ca_file` None means the system's CAs.

    Raises: Permanent (the file cannot be used).
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Permanent(f"the CA file {ca_file} cannot be used: {error.strerror or error}") from None


@contextmanager
def tls_translated(host: str) -> Iterator[None]:
    """For the making of a connection. Raises: Permanent (bad certificate or protocol), Transient (it was lost)."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        words = f"{host}: its certificate is not accepted, no password was sent: {error.verify_message}"
        raise Permanent(words) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError) as error:
        raise Transient(f"{host}: the connection was lost while TLS was set up") from error
    except ssl.SSLError as error:
        raise Permanent(f"{host}: no TLS connection can be made: {error.reason or error}") from error
