"""A folder in; a certificate authority of our own and server certificates, good and bad, out (made by trustme)."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, PEM files."""

    chain: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Authority:
    """ca_file: what clients trust. good: for localhost and 127.0.0.1; the others are not to be trusted."""

    ca_file: Path
    good: Certificate
    wrong_host: Certificate
    expired: Certificate
    stranger: Certificate


def make_authority(folder: Path) -> Authority:
    """`stranger` is for localhost too, by an authority that nobody trusts."""
    folder.mkdir(parents=True, exist_ok=True)
    ours, theirs = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(folder / "ca.pem")
    long_ago = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)
    here = ("localhost", "127.0.0.1")
    return Authority(
        folder / "ca.pem",
        _written(folder, "good", ours.issue_cert(*here)),
        _written(folder, "wrong_host", ours.issue_cert("elsewhere.example")),
        _written(folder, "expired", ours.issue_cert(*here, not_before=long_ago[0], not_after=long_ago[1])),
        _written(folder, "stranger", theirs.issue_cert(*here)),
    )


def _written(folder: Path, name: str, leaf: trustme.LeafCert) -> Certificate:
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    leaf.cert_chain_pems[0].write_to_path(made.chain)
    leaf.private_key_pem.write_to_path(made.key)
    return made
