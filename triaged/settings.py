"""The tables of config.toml as types: every key with its default, its unit and what it may be."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from triaged.signins import GoogleSignIn, MicrosoftSignIn

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Firm(_Table):
    """Who we are."""

    name: str = Field(min_length=1)
    team: str = Field(min_length=1)
    language: str = Field(default="en", pattern="^[a-z]{2}$")
    authserv_ids: list[str] = []
    domains: list[str] = []


class Service(_Table):
    """Where things lie, and how the service behaves."""

    state_dir: str = "state"
    rules_dir: str = "rules"
    templates_dir: str = "templates"
    model_dir: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    stall_s: float = Field(default=330, gt=0)


class Triage(_Table):
    """Limits of the triage processes."""

    processes: int = Field(default=1, ge=1, le=16)
    batch: int = Field(default=16, ge=1, le=256)
    timeout_s: float = Field(default=20, gt=0)
    memory_mb: int = Field(default=1500, ge=512)
    max_message_mb: int = Field(default=30, ge=1, le=150)


class Limits(_Table):
    """How much may be sent by machine."""

    window_h: float = Field(default=24, ge=0)
    per_hour: int = Field(default=60, ge=1)
    domain_per_hour: int = Field(default=20, ge=1)
    breaker_per_hour: int = Field(default=100, ge=1)
    notices_per_hour: int = Field(default=30, ge=1)


class Classify(_Table):
    """From which share of right answers on the classifier is taken at its word."""

    sure: float = Field(default=0.95, ge=0.9, le=0.99)
    answer: float = Field(default=0.97, ge=0.9, le=0.99)


class Acknowledging(_Table):
    """What is answered by machine when no rule says otherwise."""

    send: str = "approve"
    max_age_h: float = Field(default=72, gt=0)


class Due(_Table):
    """How soon a person owes an answer, by priority: spans in words."""

    urgent: str = "4 business hours"
    high: str = "1 business day"
    normal: str = "2 business days"
    low: str = "1 week"


Days = Annotated[int, Field(ge=0, le=36_500)]


class Keep(_Table):
    """Days that texts, names and addresses of mails are kept, by category; 0: for ever. Own categories: extra keys."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, Days] = Field(init=False)

    request: Days = 0
    complaint: Days = 0
    renewal: Days = 0
    other: Days = 90
    quarantined: Days = 30

    @property
    def days(self) -> dict[str, int]:
        """All of them by category."""
        return dict(self)


class Learn(_Table):
    """How the classifier learns from what people say."""

    review_percent: float = Field(default=3, ge=0, le=100)
    every_days: float = Field(default=7, ge=0)


class HoursTable(BaseModel):
    """Working hours by day (`mon-fri`, `sat`); the days are extra keys."""

    model_config = ConfigDict(extra="allow", frozen=True)

    timezone: str = ""
    holidays: list[date] = []

    @property
    def days(self) -> dict[str, str]:
        """The day keys with their spans in words."""
        return {key: str(value) for key, value in (self.model_extra or {}).items()}


class Calls(_Table):
    """How calls are laid."""

    step_min: int = Field(default=30, ge=5, le=120)
    buffer_min: int = Field(default=0, ge=0, le=120)
    notice: str = "2 business hours"
    location: str = ""


class SignIn(_Table):
    """How we sign in to a server: the secret comes from a file or a systemd credential, never from here.

    sign_in: name of a [[sign_in]], in place of a password.
    """

    user: str = ""
    password_file: str = ""
    password_credential: str = ""
    sign_in: str = ""
    ca_file: str = ""
    timeout_s: float = Field(default=30, gt=0, le=600)

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
        return _secret_text(base, self.password_file, self.password_credential).rstrip("\r\n")


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


class _AnyMailbox(_Table):
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
            _must_be_address(each)
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


class MaildirOutgoing(_Table):
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


class VdirTable(_Table):
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


class Alerts(_Table):
    """Who is told when something is wrong, and from when on it is."""

    urls_file: str = ""
    urls_credential: str = ""
    again_min: float = Field(default=60, ge=0)
    waiting_h: float = Field(default=24, gt=0)
    quiet_h: float = Field(default=0, ge=0)
    disk_min_mb: int = Field(default=500, ge=0)
    disk_min_percent: float = Field(default=5, ge=0, lt=100)

    @model_validator(mode="after")
    def _one_secret(self) -> Alerts:
        if self.urls_file and self.urls_credential:
            raise ValueError("give urls_file or urls_credential, not both")
        return self

    def urls(self, base: Path) -> str:
        """What the file says; `""` where none is named. Raises: OSError, KeyError (no credentials folder)."""
        return _secret_text(base, self.urls_file, self.urls_credential)


class Health(_Table):
    """The page for a monitoring program."""

    listen: str = ""

    @field_validator("listen")
    @classmethod
    def _is_loopback(cls, value: str) -> str:
        if value != "":
            host, port = _host_and_port(value)
            if host not in LOOPBACK:
                raise ValueError(f"'{value}' must be on this machine only: 127.0.0.1, [::1] or localhost, and a port")
            if not 1 <= port <= 65535:
                raise ValueError(f"'{value}' needs a port from 1 to 65535")
        return value

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port, None when it is off."""
        return _host_and_port(self.listen) if self.listen else None


class CanaryTable(_Table):
    """Mail that we send to ourselves to see it arrive."""

    every_min: float = Field(default=0, ge=0)
    mailbox: str = ""
    sender: str = ""
    within_min: float = Field(default=10, gt=0)

    @model_validator(mode="after")
    def _is_whole(self) -> CanaryTable:
        if 0 < self.every_min < 1:
            raise ValueError("every_min is 0 (off) or at least 1")
        if self.every_min > 0 and not self.mailbox:
            raise ValueError("a canary needs a mailbox that it is sent to")
        return self

    @field_validator("sender")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return _must_be_address(value) if value else value


class Person(_Table):
    """One of us: an account manager or coordinator."""

    id: str = Field(pattern="^[a-z0-9_.-]+$")
    name: str = Field(min_length=1)
    email: str
    language: str = Field(default="", pattern="^([a-z]{2})?$")
    calendar: Annotated[VdirTable | CaldavTable, Field(discriminator="kind")] | None = None
    hours: HoursTable | None = None

    @field_validator("email")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return _must_be_address(value)


class Config(_Table):
    """The whole configuration. file: where it was read; base: the folder that relative paths start from."""

    firm: Firm
    service: Service = Service()
    triage: Triage = Triage()
    classify: Classify = Classify()
    acknowledge: Acknowledging = Acknowledging()
    limits: Limits = Limits()
    due: Due = Due()
    hours: HoursTable
    calls: Calls = Calls()
    sign_in: list[Annotated[MicrosoftSignIn | GoogleSignIn, Field(discriminator="kind")]] = []
    mailbox: list[Annotated[MaildirTable | ImapTable, Field(discriminator="kind")]] = Field(min_length=1)
    outgoing: Annotated[MaildirOutgoing | SmtpOutgoing, Field(discriminator="kind")]
    person: list[Person] = []
    alerts: Alerts = Alerts()
    keep: Keep = Keep()
    learn: Learn = Learn()
    health: Health = Health()
    canary: CanaryTable = CanaryTable()
    file: Path = Path()
    base: Path = Path()

    def path(self, relative: str) -> Path:
        """A path of the configuration, from the folder of its file."""
        return self.base / relative

    @property
    def state_dir(self) -> Path:
        """Where the log lies."""
        return self.path(self.service.state_dir)

    @property
    def people(self) -> frozenset[str]:
        """The ids of our people."""
        return frozenset(person.id for person in self.person)


def _secret_text(base: Path, file: str, credential: str) -> str:
    """What a secret's file holds, `""` when neither is named. Raises: OSError, KeyError (no credentials folder)."""
    if credential:
        return (Path(os.environ["CREDENTIALS_DIRECTORY"]) / credential).read_text(encoding="utf-8")
    return (base / file).read_text(encoding="utf-8") if file else ""


def _host_and_port(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0


def _must_be_address(value: str) -> str:
    local, at, domain = value.rpartition("@")
    if not (local and at and domain) or any(letter.isspace() or letter in "<>,;" for letter in value):
        raise ValueError(f"'{value}' is not a mail address")
    return value
