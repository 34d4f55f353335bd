"""config.toml in, a checked `Config` out; every mistake is named at once, with its line and what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from triaged.errors import ConfigError, Problem
from triaged.tomlfile import Place, TomlFile, did_you_mean, read_toml

DEFAULT_PLACES = (Path("config.toml"), Path("/etc/triaged/config.toml"))
"""Where the configuration is looked for when `--config` does not say."""

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


class _SignIn(_Table):
    """How we sign in to a server: the secret comes from a file or a systemd credential, never from here."""

    user: str = ""
    password_file: str = ""
    password_credential: str = ""
    ca_file: str = ""
    timeout_s: float = Field(default=30, gt=0, le=600)

    @model_validator(mode="after")
    def _one_secret(self) -> _SignIn:
        if self.password_file and self.password_credential:
            raise ValueError("give password_file or password_credential, not both")
        if self.user and not (self.password_file or self.password_credential):
            raise ValueError("user needs a password_file or a password_credential")
        return self

    def password(self, base: Path) -> str:
        """The secret without its line end; `""` without a user. Raises: OSError, KeyError (no credentials folder)."""
        if not self.user:
            return ""
        if self.password_credential:
            path = Path(os.environ["CREDENTIALS_DIRECTORY"]) / self.password_credential
        else:
            path = base / self.password_file
        return path.read_text(encoding="utf-8").rstrip("\r\n")


class _Server(_SignIn):
    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "tls"

    @model_validator(mode="after")
    def _no_open_line(self) -> _Server:
        if self.security == "none" and self.host not in LOOPBACK:
            raise ValueError('security = "none" is for this machine only; use "tls" or "starttls"')
        return self


class _AnyMailbox(_Table):
    name: str = Field(pattern="^[A-Za-z0-9_.-]+$")
    address: str
    aliases: list[str] = []
    poll_s: float = Field(default=30, ge=1, le=60)
    file_into: str = ""

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


class CaldavTable(_SignIn):
    """A calendar on a CalDAV server; url is the calendar collection's."""

    kind: Literal["caldav"]
    url: str = Field(pattern="^https?://")

    @model_validator(mode="after")
    def _no_open_line(self) -> CaldavTable:
        host = self.url.split("//", 1)[1].split("/")[0].rpartition("@")[2].rsplit(":", 1)[0].strip("[]")
        if self.url.startswith("http://") and host not in LOOPBACK:
            raise ValueError("http:// is for this machine only; use https://")
        return self


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
    """The whole configuration. base: the folder that relative paths start from."""

    firm: Firm
    service: Service = Service()
    triage: Triage = Triage()
    acknowledge: Acknowledging = Acknowledging()
    due: Due = Due()
    hours: HoursTable
    calls: Calls = Calls()
    mailbox: list[Annotated[MaildirTable | ImapTable, Field(discriminator="kind")]] = Field(min_length=1)
    outgoing: Annotated[MaildirOutgoing | SmtpOutgoing, Field(discriminator="kind")]
    person: list[Person] = []
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


def find_config(given: Path | None) -> Path:
    """The configuration file to use. Raises: ConfigError when there is none."""
    if given is not None:
        return given
    for place in DEFAULT_PLACES:
        if place.exists():
            return place
    where = " or ".join(str(place) for place in DEFAULT_PLACES)
    raise ConfigError((Problem("config", f"there is no {where}; say --config FILE or begin with 'triaged init DIR'"),))


def load_config(path: Path) -> Config:
    """Read and check a configuration file, its secrets too. Raises: ConfigError with every problem found."""
    file = read_toml(path)
    try:
        config = Config.model_validate({**file.data, "base": path.parent})
    except ValidationError as error:
        raise ConfigError(tuple(_problem(file, each) for each in error.errors())) from None
    checks = (_doubled, _unreadable_secrets, _impatient, _unknown_names)
    problems = tuple(problem for check in checks for problem in check(config, file))
    if len(problems) > 0:
        raise ConfigError(problems)
    return config


def sign_ins(config: Config) -> Iterator[tuple[Place, _SignIn]]:
    """Every table that signs in somewhere, with its place in the file."""
    for number, mailbox in enumerate(config.mailbox):
        if isinstance(mailbox, ImapTable):
            yield ("mailbox", number), mailbox
    if isinstance(config.outgoing, SmtpOutgoing):
        yield ("outgoing",), config.outgoing
    for number, person in enumerate(config.person):
        if isinstance(person.calendar, CaldavTable):
            yield ("person", number, "calendar"), person.calendar


def _must_be_address(value: str) -> str:
    local, at, domain = value.rpartition("@")
    if not (local and at and domain) or any(letter.isspace() or letter in "<>,;" for letter in value):
        raise ValueError(f"'{value}' is not a mail address")
    return value


def _doubled(config: Config, file: TomlFile) -> Iterator[Problem]:
    for table, key, names in (
        ("mailbox", "name", [mailbox.name for mailbox in config.mailbox]),
        ("person", "id", [person.id for person in config.person]),
    ):
        for number, name in enumerate(names):
            if name in names[:number]:
                where = file.where((table, number, key))
                yield Problem(where, f"there are two [[{table}]] with {key} = '{name}'; give each its own")


def _unreadable_secrets(config: Config, file: TomlFile) -> Iterator[Problem]:
    for place, table in sign_ins(config):
        try:
            password = table.password(config.base)
        except KeyError:
            where = file.where((*place, "password_credential"))
            yield Problem(where, "there is no $CREDENTIALS_DIRECTORY; only systemd's LoadCredential= makes one")
        except (OSError, UnicodeDecodeError) as error:
            key = "password_file" if table.password_file else "password_credential"
            what = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            secret = table.password_file or table.password_credential
            yield Problem(file.where((*place, key)), f"the secret '{secret}' cannot be read: {what}")
        else:
            if table.user and not password:
                yield Problem(file.where((*place, "user")), "the password file is empty")
        if table.ca_file and not config.path(table.ca_file).is_file():
            yield Problem(file.where((*place, "ca_file")), f"there is no file '{table.ca_file}'")


def _impatient(config: Config, file: TomlFile) -> Iterator[Problem]:
    """A watcher that waits for mail must not count as hung."""
    longest_s = max(mailbox.poll_s for mailbox in config.mailbox)
    if config.service.stall_s <= 2 * longest_s:
        where = file.where(("service", "stall_s"))
        yield Problem(where, f"'service.stall_s' must be more than twice the longest poll_s ({longest_s:g})")


def _unknown_names(config: Config, file: TomlFile) -> Iterator[Problem]:
    if isinstance(config.outgoing, SmtpOutgoing) and config.outgoing.keep_sent_in:
        name = config.outgoing.keep_sent_in
        imap = [mailbox.name for mailbox in config.mailbox if isinstance(mailbox, ImapTable)]
        if name not in imap:
            where = file.where(("outgoing", "keep_sent_in"))
            yield Problem(where, f"there is no IMAP mailbox called '{name}'{did_you_mean(name, imap)}")


def _problem(file: TomlFile, error: ErrorDetails) -> Problem:
    """One pydantic error as a sentence with its place."""
    place = _place(file.data, error["loc"])
    key = ".".join(str(part) for part in place if not isinstance(part, int)) or file.name
    given = error.get("input")
    context = error.get("ctx", {})
    sentences: dict[str, Callable[[], str]] = {
        "missing": lambda: f"'{key}' is missing",
        "extra_forbidden": lambda: f"there is no key '{key}'{did_you_mean(str(place[-1]), _known_keys(file, place))}",
        "literal_error": lambda: f"'{key}' must be {context.get('expected')}, not {given!r}",
        "union_tag_invalid": lambda: f"'{key}.kind' must be {context.get('expected_tags')}, not '{context.get('tag')}'",
        "union_tag_not_found": lambda: f"'{key}.kind' is missing",
        "value_error": lambda: f"{key}: {context.get('error')}",
        "string_pattern_mismatch": lambda: f"'{key}' cannot be {given!r}; it must look like {context.get('pattern')}",
        "string_too_short": lambda: f"'{key}' must not be empty",
        "too_short": lambda: f"there must be at least one [[{key}]]",
    }
    tell = sentences.get(error["type"])
    what = tell() if tell is not None else f"'{key}' is {given!r}: {error['msg'][:1].lower()}{error['msg'][1:]}"
    return Problem(file.where(place), what)


def _place(values: dict[str, Any], loc: tuple[int | str, ...]) -> Place:
    """Pydantic's location without the tags of unions, which do not stand in the file."""
    place: Place = ()
    current: Any = values
    for part in loc:
        if isinstance(current, dict) and part not in current and part == current.get("kind"):
            continue
        place = (*place, part)
        known = isinstance(current, dict) and part in current
        listed = isinstance(current, list) and isinstance(part, int) and part < len(current)
        current = current[part] if known or listed else None
    return place


def _known_keys(file: TomlFile, place: Place) -> list[str]:
    """The keys that could have been meant at this place."""
    tables: dict[str, list[type[BaseModel]]] = {
        "": [Config],
        "firm": [Firm],
        "service": [Service],
        "triage": [Triage],
        "acknowledge": [Acknowledging],
        "due": [Due],
        "calls": [Calls],
        "mailbox": [MaildirTable, ImapTable],
        "outgoing": [MaildirOutgoing, SmtpOutgoing],
        "person": [Person],
        "calendar": [VdirTable, CaldavTable],
    }
    around = next((part for part in reversed(place[:-1]) if isinstance(part, str)), "")
    return [key for table in tables.get(around, []) for key in table.model_fields if key != "base"]
