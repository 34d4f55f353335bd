"""The tables of config.toml that stand for servers as types: mailboxes, the way out, calendars, how we sign in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Table(BaseModel):
    """One table; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Remote(Table):
    """A server that we sign in to. sign_in: name of a [[sign_in]]."""

    sign_in: str = ""
    ca_file: str = ""
    timeout_s: float = Field(default=30, gt=0, le=600)


class SignIn(Remote):
    """How we sign in to a server: the secret comes from a file or a systemd credential, never from here; or a sign_in
    stands in place of a password."""

    user: str = ""
    password_file: str = ""
    password_credential: str = ""

    @model_validator(mode="after")
    def _one_secret(self) -> SignIn:
        if self.password_file and self.password_credential:
            raise ValueError("give password_file or password_credential, not both")
        if self.sign_in and (self.password_file or self.password_credential):
            raise ValueError("give a password or a sign_in, not both")
        if self.user and not (self.password_file or self.password_credential or self.sign_in):
            raise ValueError("user needs a password_file, a password_credential or a sign_in")
        return self

    def password(self, base: Path) -> str:
        """The secret without its line end; `""` without a user, and where a sign_in stands in its place.

        Raises: OSError, KeyError (no credentials folder).
        """
        if not self.user:
            return ""
        return secret_text(base, self.password_file, self.password_credential).rstrip("\r\n")


class _Server(SignIn):
    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "tls"

    @model_validator(mode="after")
    def _no_open_line(self) -> _Server:
        if self.security == "none" and self.host not in LOOPBACK:
            raise ValueError('security = "none" is for this machine only; use "tls" or "starttls"')
        if self.sign_in and not self.user:
            raise ValueError("sign_in needs user too: the address of the mailbox")
        return self


class _AnyMailbox(Table):
    name: str = Field(pattern="^[A-Za-z0-9_.-]+$")
    address: str
    aliases: list[str] = []
    poll_s: float = Field(default=30, ge=1, le=60)
    file_into: str = ""
    show_categories: bool = False

    @field_validator("address", "aliases")
    @classmethod
    def _is_address(cls, value: str | list[str]) -> str | list[str]:
        for each in [value] if isinstance(value, str) else value:
            must_be_address(each)
        return value


class MaildirTable(_AnyMailbox):
    """A mailbox that is a Maildir on this machine."""

    kind: Literal["maildir"]
    path: str = Field(min_length=1)


class ImapTable(_AnyMailbox, _Server):
    """A mailbox on an IMAP server."""

    kind: Literal["imap"]
    port: int = Field(default=993, ge=1, le=65535)
    folder: str = "INBOX"


EXCHANGE_ONLINE = ("office365.com", "outlook.office.com", "outlook.com")
"""Hosts, with all below them, where Microsoft blocks EWS since 1 October 2026 and ends it on 1 April 2027."""


def is_exchange_online(host: str) -> bool:
    """Whether a host is Microsoft's own."""
    name = host.rstrip(".").lower()
    return any(name == each or name.endswith(f".{each}") for each in EXCHANGE_ONLINE)


class _Ews(SignIn):
    """How Exchange is reached. endpoint: `""` asks autodiscover. access: as what `user` opens the mailbox."""

    endpoint: str = Field(default="", pattern="^(https://.+)?$")
    auth: Literal["ntlm", "basic", "oauth"] = "ntlm"
    access: Literal["delegate", "impersonation"] = "delegate"

    @model_validator(mode="after")
    def _one_way_in(self) -> _Ews:
        if is_exchange_online(urlsplit(self.endpoint).hostname or ""):
            raise ValueError(
                "this is Exchange Online, where Microsoft blocks EWS since 1 October 2026 and ends it on 1 April 2027; "
                'use kind = "graph" (docs/microsoft365.md)'
            )
        if self.auth == "oauth" and not (self.sign_in and self.endpoint):
            raise ValueError('auth = "oauth" needs a sign_in and the endpoint that its tokens are for')
        if self.auth != "oauth" and self.sign_in:
            raise ValueError('sign_in needs auth = "oauth"')
        if self.auth != "oauth" and not self.user:
            raise ValueError("user is missing: who signs in")
        return self


class _Graph(Remote):
    """How Microsoft 365 is reached. service: another address of Microsoft Graph than that of the sign-in's cloud."""

    sign_in: str = Field(min_length=1)
    service: str = Field(default="", pattern="^(https://.+)?$")


class _Sends(Table):
    """A mailbox that sends; its server takes no envelope sender from us."""

    address: str
    message_id_domain: str = Field(pattern="^[A-Za-z0-9.-]+$")

    @property
    def envelope_sender(self) -> str:
        """The server writes its own."""
        return ""

    @field_validator("address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return must_be_address(value)


class _Owned(Table):
    """A calendar in a mailbox. address: the mailbox's, `""` for the person's `email`."""

    address: str = ""

    @field_validator("address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return must_be_address(value) if value else value


class EwsTable(_AnyMailbox, _Ews):
    """A mailbox on an Exchange server."""

    kind: Literal["ews"]
    folder: str = "INBOX"


class GraphTable(_AnyMailbox, _Graph):
    """A mailbox in Microsoft 365."""

    kind: Literal["graph"]
    folder: str = "INBOX"


class MaildirOutgoing(Table):
    """Answers are laid into a Maildir; nothing leaves the machine."""

    kind: Literal["maildir"]
    path: str = Field(min_length=1)
    message_id_domain: str = Field(pattern="^[A-Za-z0-9.-]+$")
    envelope_sender: str = ""


class SmtpOutgoing(_Server):
    """Answers leave by an SMTP submission server."""

    kind: Literal["smtp"]
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "starttls"
    keep_sent_in: str = ""
    sent_folder: str = ""
    envelope_sender: str = ""
    message_id_domain: str = Field(pattern="^[A-Za-z0-9.-]+$")


class VdirTable(Table):
    """A calendar that is a folder of .ics files."""

    kind: Literal["vdir"]
    path: str = Field(min_length=1)


class CaldavTable(SignIn):
    """A calendar on a CalDAV server; url is the calendar collection's."""

    kind: Literal["caldav"]
    url: str = Field(pattern="^https?://")

    @model_validator(mode="after")
    def _no_open_line(self) -> CaldavTable:
        host = self.url.split("//", 1)[1].split("/")[0].rpartition("@")[2].rsplit(":", 1)[0].strip("[]")
        if self.url.startswith("http://") and host not in LOOPBACK:
            raise ValueError("http:// is for this machine only; use https://")
        return self


class EwsOutgoing(_Sends, _Ews):
    """Answers leave by an Exchange server."""

    kind: Literal["ews"]


class GraphOutgoing(_Sends, _Graph):
    """Answers leave by Microsoft 365."""

    kind: Literal["graph"]


class EwsCalendarTable(_Owned, _Ews):
    """A calendar on an Exchange server."""

    kind: Literal["ews"]


class GraphCalendarTable(_Owned, _Graph):
    """A calendar in Microsoft 365. online_meeting: each call gets a Teams meeting."""

    kind: Literal["graph"]
    online_meeting: bool = False


AnyMailbox = Annotated[MaildirTable | ImapTable | EwsTable | GraphTable, Field(discriminator="kind")]
AnyOutgoing = Annotated[MaildirOutgoing | SmtpOutgoing | EwsOutgoing | GraphOutgoing, Field(discriminator="kind")]
AnyCalendar = Annotated[VdirTable | CaldavTable | EwsCalendarTable | GraphCalendarTable, Field(discriminator="kind")]


def secret_text(base: Path, file: str, credential: str) -> str:
    """What a secret's file holds, `""` when neither is named. Raises: OSError, KeyError (no credentials folder)."""
    if credential:
        return (Path(os.environ["CREDENTIALS_DIRECTORY"]) / credential).read_text(encoding="utf-8")
    return (base / file).read_text(encoding="utf-8") if file else ""


def must_be_address(value: str) -> str:
    """The same text. Raises: ValueError."""
    local, at, domain = value.rpartition("@")
    if not (local and at and domain) or any(letter.isspace() or letter in "<>,;" for letter in value):
        raise ValueError(f"'{value}' is not a mail address")
    return value
