"""A folder in; a certificate authority of our own and server certificates, good and bad, out (made by openssl)."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


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
    """Keys are P-256; validity is two days, except for the expired one."""
    folder.mkdir(parents=True, exist_ok=True)
    ca = _self_signed(folder, "ca", "Test CA")
    here = "DNS:localhost,IP:127.0.0.1"
    return Authority(
        ca.chain,
        _signed(folder, "good", here, ca, "-days", "2"),
        _signed(folder, "wrong_host", "DNS:elsewhere.example", ca, "-days", "2"),
        _signed(folder, "expired", here, ca, "-startdate", "20200101000000Z", "-enddate", "20200102000000Z"),
        _self_signed(folder, "stranger", "localhost", "-addext", f"subjectAltName={here}"),
    )


def _self_signed(folder: Path, name: str, common_name: str, *more: str) -> Certificate:
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        "req", "-x509", *_new_key(made.key), "-days", "2", "-subj", f"/CN={common_name}", *more, "-out", made.chain
    )
    return made


def _signed(folder: Path, name: str, names: str, ca: Certificate, *validity: str) -> Certificate:
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    request, settings = folder / f"{name}.csr", folder / f"{name}.cnf"
    (folder / "index").write_text("")
    settings.write_text(
        f"[ca]\ndefault_ca=own\n[own]\ndatabase={folder}/index\nnew_certs_dir={folder}\nrand_serial=yes\n"
        f"default_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n[names]\nsubjectAltName={names}\n"
    )
    _openssl("req", "-new", *_new_key(made.key), "-subj", f"/CN={name}", "-out", request)
    signing: tuple[str | Path, ...] = (
        "-config",
        settings,
        "-cert",
        ca.chain,
        "-keyfile",
        ca.key,
        "-extensions",
        "names",
        *validity,
    )
    _openssl("ca", "-batch", "-notext", *signing, "-in", request, "-out", made.chain)
    return made


def _new_key(path: Path) -> tuple[str, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path))


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
