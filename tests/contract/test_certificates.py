"""When a server's certificate ends, seen at the server itself, and never with a password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.servers.certificates import Authority, Certificate
from tests.servers.dovecot import Dovecot, free_ports
from tests.servers.smtp import SmtpServer, running_smtp_server
from triaged.backends.certificates import TlsServer, certificate_end
from triaged.errors import Permanent, Transient


@contextmanager
def tls_server(shown: Certificate) -> Iterator[int]:
    """Shows its certificate to whoever comes, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        context = shown.server_context()

        def answer() -> None:
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                with line:
                    try:
                        context.wrap_socket(line, server_side=True).close()
                    except OSError:
                        continue

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    answering.join(10)


def look(port: int, authority: Authority, *, begins: str = "at once") -> datetime:
    return certificate_end(TlsServer("localhost", port, begins, str(authority.ca_file)))  # type: ignore[arg-type]


def test_the_end_of_the_certificate_that_is_shown(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=13)
    leaf = authority.issue_cert("localhost", not_before=ends - timedelta(days=90), not_after=ends)
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "leaf.pem")
    leaf.private_key_pem.write_to_path(tmp_path / "leaf.key")
    with tls_server(Certificate(tmp_path / "leaf.pem", tmp_path / "leaf.key")) as port:
        assert certificate_end(TlsServer("localhost", port, "at once", str(tmp_path / "ca.pem"))) == ends


@pytest.mark.parametrize(
    ("name", "words"), [("expired", "expired"), ("wrong_host", "localhost"), ("stranger", "unable to get local issuer")]
)
def test_one_that_is_not_accepted_is_said_to_be(authority: Authority, name: str, words: str) -> None:
    with tls_server(getattr(authority, name)) as port, pytest.raises(Permanent, match=words):
        look(port, authority)


def test_by_starttls_of_smtp_without_signing_in(smtp_server: SmtpServer, authority: Authority) -> None:
    assert look(smtp_server.port, authority, begins="smtp") > datetime.now(UTC)
    assert smtp_server.logins == smtp_server.refused_logins == 0


def test_no_starttls_is_said_to_be(authority: Authority) -> None:
    with running_smtp_server(authority, offer_starttls=False) as server, pytest.raises(Permanent, match="no STARTTLS"):
        look(server.port, authority, begins="smtp")


def test_by_imap(dovecot: Dovecot, authority: Authority) -> None:
    before = len(dovecot.log())
    assert look(dovecot.imap_port, authority, begins="imap") == look(dovecot.imaps_port, authority)
    assert "Login: user" not in dovecot.log()[before:]


def test_one_that_cannot_be_asked_is_asked_later(authority: Authority) -> None:
    with pytest.raises(Transient):
        look(free_ports(1)[0], authority)
