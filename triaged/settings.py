"""The tables of config.toml as types: every key with its default, its unit and what it may be."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from triaged.servers import LOOPBACK, AnyCalendar, AnyMailbox, AnyOutgoing, Table, must_be_address, secret_text
from triaged.signins import GoogleSignIn, MicrosoftSignIn


class Firm(Table):
    """Who we are."""

    name: str = Field(min_length=1)
    team: str = Field(min_length=1)
    language: str = Field(default="en", pattern="^[a-z]{2}$")
    authserv_ids: list[str] = Field(default_factory=list)
    domains: list[str] = Field(default_factory=list)


class Service(Table):
    """Where things lie, and how the service behaves."""

    state_dir: str = "state"
    rules_dir: str = "rules"
    templates_dir: str = "templates"
    model_dir: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    stall_s: float = Field(default=330, gt=0)


class Triage(Table):
    """Limits of the triage processes."""

    processes: int = Field(default=1, ge=1, le=16)
    batch: int = Field(default=16, ge=1, le=256)
    timeout_s: float = Field(default=20, gt=0)
    memory_mb: int = Field(default=1500, ge=512)
    max_message_mb: int = Field(default=30, ge=1, le=150)


class Limits(Table):
    """How much may be sent by machine."""

    window_h: float = Field(default=24, ge=0)
    per_hour: int = Field(default=60, ge=1)
    domain_per_hour: int = Field(default=20, ge=1)
    breaker_per_hour: int = Field(default=100, ge=1)
    notices_per_hour: int = Field(default=30, ge=1)


class Classify(Table):
    """From which share of right answers on the classifier is taken at its word."""

    sure: float = Field(default=0.95, ge=0.9, le=0.99)
    answer: float = Field(default=0.97, ge=0.9, le=0.99)


class Acknowledging(Table):
    """What is answered by machine when no rule says otherwise."""

    send: str = "approve"
    max_age_h: float = Field(default=72, gt=0)


class Due(Table):
    """How soon a person owes an answer, by priority: spans in words."""

    urgent: str = "4 business hours"
    high: str = "1 business day"
    normal: str = "2 business days"
    low: str = "1 week"


Days = Annotated[int, Field(ge=0, le=36_500)]


class Keep(Table):
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


class Learn(Table):
    """How the classifier learns from what people say."""

    review_percent: float = Field(default=3, ge=0, le=100)
    every_days: float = Field(default=7, ge=0)


class HoursTable(BaseModel):
    """Working hours by day (`mon-fri`, `sat`); the days are extra keys. country: see `clocks.holidays`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    timezone: str = ""
    holidays: list[date] = Field(default_factory=list)
    country: str = ""

    @property
    def days(self) -> dict[str, str]:
        """The day keys with their spans in words."""
        return {key: str(value) for key, value in (self.model_extra or {}).items()}


LOCATION_NAMES = ("reference", "organizer")
"""What may stand in braces in a location."""


def _must_be_location(value: str) -> str:
    """The same text. Raises: ValueError when braces hold another name."""
    for name in re.findall(r"\{(.*?)\}", value):
        if name not in LOCATION_NAMES:
            there = " or ".join(f"{{{each}}}" for each in LOCATION_NAMES)
            raise ValueError(f"nothing is known as {{{name}}}; write {there}")
    return value


Location = Annotated[str, AfterValidator(_must_be_location)]
"""Where a call is, for the client: a number, a room, a link; `{reference}` and `{organizer}` are filled in."""


class Calls(Table):
    """How calls are laid. way: what a rule's call does that does not say. hold: how long offered slots stay free."""

    way: Literal["book", "offer"] = "book"
    offers: int = Field(default=3, ge=1, le=5)
    hold: str = "2 business days"
    per_day: int = Field(default=6, ge=0)
    step_min: int = Field(default=30, ge=5, le=120)
    buffer_min: int = Field(default=0, ge=0, le=120)
    notice: str = "2 business hours"
    location: Location = ""


class Alerts(Table):
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
        return secret_text(base, self.urls_file, self.urls_credential)


class Health(Table):
    """The page for a monitoring program."""

    listen: str = ""

    @field_validator("listen")
    @classmethod
    def _is_loopback(cls, value: str) -> str:
        return _must_be_loopback(value)

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port, None when it is off."""
        return _host_and_port(self.listen) if self.listen else None


class DeskTable(Table):
    """The review desk: where it listens, by which address people reach it, and how they sign in."""

    listen: str = ""
    address: str = ""
    session_h: float = Field(default=12, gt=0, le=24 * 30)
    user_header: str = Field(default="", pattern="^([A-Za-z0-9-]+)?$")
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_secret_file: str = ""
    oidc_secret_credential: str = ""
    oidc_claim: Literal["email", "preferred_username"] = "email"
    oidc_ca_file: str = ""

    @field_validator("listen")
    @classmethod
    def _is_ours(cls, value: str) -> str:
        if value.startswith("unix:"):
            if not value.removeprefix("unix:").startswith("/"):
                raise ValueError(f"'{value}' needs the whole path of the socket: unix:/run/triaged/desk.sock")
            return value
        return _must_be_loopback(value)

    @field_validator("address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value != "" and (
            parts.scheme not in ("http", "https") or parts.hostname is None or parts.path not in ("", "/")
        ):
            raise ValueError(f"'{value}' must be as in a browser, without a path: https://desk.nordlicht.example")
        return value.rstrip("/")

    @field_validator("oidc_issuer")
    @classmethod
    def _is_issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        if value != "" and not (parts.scheme == "https" and parts.hostname) and parts.hostname not in LOOPBACK:
            raise ValueError(f"'{value}' must begin with https://, as the provider itself writes it")
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> DeskTable:
        if self.user_header and self.socket == "":
            raise ValueError(
                'user_header needs listen = "unix:/run/triaged/desk.sock": on a port, any program of this machine '
                "could reach the desk past the proxy and say that it is anybody"
            )
        if self.oidc_issuer == "":
            return self
        if self.user_header:
            raise ValueError("give user_header or oidc_issuer, not both")
        if self.address == "":
            raise ValueError("oidc_issuer needs address too: the provider sends people back there")
        if self.oidc_client_id == "" or (self.oidc_secret_file == "") == (self.oidc_secret_credential == ""):
            raise ValueError(
                "oidc_issuer needs oidc_client_id, and either oidc_secret_file or oidc_secret_credential: "
                "what the provider gave you for this desk"
            )
        return self

    @property
    def socket(self) -> str:
        """Path of the unix socket it listens on, `""` when it listens on a port."""
        return self.listen.removeprefix("unix:") if self.listen.startswith("unix:") else ""

    @property
    def where(self) -> tuple[str, int]:
        """Host and port, when it listens on one."""
        return _host_and_port(self.listen)

    def oidc_secret(self, base: Path) -> str:
        """Without its line end; `""` where none is named. Raises: OSError, KeyError (no credentials folder)."""
        return secret_text(base, self.oidc_secret_file, self.oidc_secret_credential).rstrip("\r\n")


class CanaryTable(Table):
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
        return must_be_address(value) if value else value


class Person(Table):
    """One of us: an account manager or coordinator. also_busy: calendars that are only read: busy there is busy too."""

    id: str = Field(pattern="^[a-z0-9_.-]+$")
    name: str = Field(min_length=1)
    email: str
    language: str = Field(default="", pattern="^([a-z]{2})?$")
    location: Location = ""
    calendar: AnyCalendar | None = None
    also_busy: list[AnyCalendar] = Field(default_factory=list)
    hours: HoursTable | None = None

    @field_validator("email")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return must_be_address(value)

    @model_validator(mode="after")
    def _has_calendar(self) -> Person:
        if len(self.also_busy) > 0 and self.calendar is None:
            raise ValueError("also_busy needs a calendar beside it: the one that calls are booked in")
        return self


class Config(Table):
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
    sign_in: list[Annotated[MicrosoftSignIn | GoogleSignIn, Field(discriminator="kind")]] = Field(default_factory=list)
    mailbox: list[AnyMailbox] = Field(min_length=1)
    outgoing: AnyOutgoing
    person: list[Person] = Field(default_factory=list)
    alerts: Alerts = Alerts()
    keep: Keep = Keep()
    learn: Learn = Learn()
    health: Health = Health()
    desk: DeskTable = DeskTable()
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


def _must_be_loopback(value: str) -> str:
    """The same text: an address on this machine, or `""`. Raises: ValueError."""
    if value != "":
        host, port = _host_and_port(value)
        if host not in LOOPBACK:
            raise ValueError(f"'{value}' must be on this machine only: 127.0.0.1, [::1] or localhost, and a port")
        if not 1 <= port <= 65535:
            raise ValueError(f"'{value}' needs a port from 1 to 65535")
    return value


def _host_and_port(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0
