"""The [[sign_in]] tables of config.toml as types: a person who signed in by OAuth 2.0, or an app that proves itself."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _OAuth(BaseModel):
    """What is common to every [[sign_in]]: one person who signed in, or one app that proves itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(pattern="^[A-Za-z0-9_.-]+$")
    client_id: str = ""
    secret_file: str = ""
    secret_credential: str = ""
    authority: str = Field(default="", pattern="^(https://[^/]+/?)?$")
    ca_file: str = ""
    timeout_s: float = Field(default=30, gt=0, le=600)

    def secrets(self) -> dict[str, tuple[str, str]]:
        """What it is called to prove itself by, by the first part of the keys: file and credential, where named."""
        names = ("secret", "certificate", "service_account")
        found = {name: (getattr(self, f"{name}_file", ""), getattr(self, f"{name}_credential", "")) for name in names}
        return {name: (file, credential) for name, (file, credential) in found.items() if file or credential}

    def secret_path(self, name: str, base: Path) -> Path | None:
        """The file of `secrets()`, None where it has none. Raises: KeyError (no credentials folder)."""
        file, credential = self.secrets().get(name, ("", ""))
        if credential:
            return Path(os.environ["CREDENTIALS_DIRECTORY"]) / credential
        return base / file if file else None


class MicrosoftSignIn(_OAuth):
    """A sign-in at Microsoft Entra: an app by secret or certificate, or a person by device code."""

    kind: Literal["microsoft"]
    tenant: str = Field(pattern="^[A-Za-z0-9.-]+$")
    client_id: str = Field(min_length=1)
    certificate_file: str = ""
    certificate_credential: str = ""
    secret_ends: date | None = None
    cloud: Literal["global", "usgov", "usgov-dod", "china"] = "global"

    @property
    def is_app(self) -> bool:
        """Whether it proves itself, and nobody signs in."""
        return len(self.secrets()) > 0

    @model_validator(mode="after")
    def _one_proof(self) -> MicrosoftSignIn:
        keys = (self.secret_file, self.secret_credential, self.certificate_file, self.certificate_credential)
        if sum(key != "" for key in keys) > 1:
            raise ValueError("give one of secret_file, secret_credential, certificate_file and certificate_credential")
        if self.secret_ends is not None and "secret" not in self.secrets():
            raise ValueError("secret_ends is of a secret, and none is named; the end of a certificate is read from it")
        if self.is_app and self.tenant.lower() in ("common", "organizations", "consumers"):
            raise ValueError("an app that proves itself needs its own tenant, such as example.com")
        return self


class GoogleSignIn(_OAuth):
    """A sign-in at Google: a person through a desktop app, or a service account that acts for the domain's users."""

    kind: Literal["google"]
    service_account_file: str = ""
    service_account_credential: str = ""

    @property
    def is_app(self) -> bool:
        """Whether it proves itself, and nobody signs in."""
        return "service_account" in self.secrets()

    @model_validator(mode="after")
    def _one_proof(self) -> GoogleSignIn:
        if all(value for value in self.secrets().get("secret", ("", ""))):
            raise ValueError("give secret_file or secret_credential, not both")
        if all(value for value in self.secrets().get("service_account", ("", ""))):
            raise ValueError("give service_account_file or service_account_credential, not both")
        if self.is_app and ("secret" in self.secrets() or self.client_id):
            raise ValueError("a service account needs neither client_id nor secret_file; they are of a desktop app")
        if not self.is_app and not (self.client_id and "secret" in self.secrets()):
            raise ValueError("give client_id and secret_file (a desktop app), or service_account_file")
        return self
