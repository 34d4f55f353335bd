"""config.toml in, a checked `Config` out; every mistake is named at once, with its line and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from triaged.errors import ConfigError, Problem
from triaged.servers import (
    CaldavTable,
    EwsCalendarTable,
    EwsOutgoing,
    EwsTable,
    GraphCalendarTable,
    GraphOutgoing,
    GraphTable,
    ImapTable,
    MaildirOutgoing,
    MaildirTable,
    Remote,
    SignIn,
    SmtpOutgoing,
    VdirTable,
)
from triaged.settings import (
    Acknowledging,
    Alerts,
    Calls,
    CanaryTable,
    Config,
    DeskTable,
    Due,
    Firm,
    Health,
    Keep,
    Learn,
    Limits,
    Person,
    Service,
    Triage,
)
from triaged.signins import GoogleSignIn, MicrosoftSignIn
from triaged.tomlfile import Place, TomlFile, did_you_mean, read_toml

DEFAULT_PLACES = (Path("config.toml"), Path("/etc/triaged/config.toml"))
"""Where the configuration is looked for when `--config` does not say."""


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
        config = Config.model_validate({**file.data, "file": path, "base": path.parent})
    except ValidationError as error:
        raise ConfigError(tuple(_problem(file, each) for each in error.errors())) from None
    checks = (
        _doubled,
        _unreadable_secrets,
        _unreadable_proofs,
        _misused_sign_ins,
        _missing_packages,
        _impatient,
        _unknown_names,
        _unreadable_channels,
    )
    problems = tuple(problem for check in checks for problem in check(config, file))
    if len(problems) > 0:
        raise ConfigError(problems)
    return config


def sign_ins(config: Config) -> Iterator[tuple[Place, Remote]]:
    """Every table that signs in somewhere, with its place in the file."""
    for number, mailbox in enumerate(config.mailbox):
        if isinstance(mailbox, Remote):
            yield ("mailbox", number), mailbox
    if isinstance(config.outgoing, Remote):
        yield ("outgoing",), config.outgoing
    for number, person in enumerate(config.person):
        if isinstance(person.calendar, Remote):
            yield ("person", number, "calendar"), person.calendar
        for other, calendar in enumerate(person.also_busy):
            if isinstance(calendar, Remote):
                yield ("person", number, "also_busy", other), calendar


def _doubled(config: Config, file: TomlFile) -> Iterator[Problem]:
    for table, key, names in (
        ("mailbox", "name", [mailbox.name for mailbox in config.mailbox]),
        ("person", "id", [person.id for person in config.person]),
        ("sign_in", "name", [sign_in.name for sign_in in config.sign_in]),
    ):
        for number, name in enumerate(names):
            if name in names[:number]:
                where = file.where((table, number, key))
                yield Problem(where, f"there are two [[{table}]] with {key} = '{name}'; give each its own")


def _unreadable_secrets(config: Config, file: TomlFile) -> Iterator[Problem]:
    for place, table in sign_ins(config):
        if table.ca_file and not config.path(table.ca_file).is_file():
            yield Problem(file.where((*place, "ca_file")), f"there is no file '{table.ca_file}'")
        if not isinstance(table, SignIn):
            continue
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
            if table.user and not table.sign_in and not password:
                yield Problem(file.where((*place, "user")), "the password file is empty")


def _unreadable_proofs(config: Config, file: TomlFile) -> Iterator[Problem]:
    """Secrets, certificates and keys by which a [[sign_in]] proves itself; what is in them is looked at elsewhere."""
    for number, sign_in in enumerate(config.sign_in):
        for name, (given, credential) in sign_in.secrets().items():
            where = file.where(("sign_in", number, f"{name}_credential" if credential else f"{name}_file"))
            try:
                path = sign_in.secret_path(name, config.base)
                empty = path is not None and path.read_bytes().strip() == b""
            except KeyError:
                yield Problem(where, "there is no $CREDENTIALS_DIRECTORY; only systemd's LoadCredential= makes one")
            except OSError as error:
                yield Problem(where, f"the secret '{given or credential}' cannot be read: {error.strerror}")
            else:
                if empty:
                    yield Problem(where, f"the file '{given or credential}' is empty")
        if sign_in.ca_file and not config.path(sign_in.ca_file).is_file():
            yield Problem(file.where(("sign_in", number, "ca_file")), f"there is no file '{sign_in.ca_file}'")


def _misused_sign_ins(config: Config, file: TomlFile) -> Iterator[Problem]:
    known = {sign_in.name: sign_in for sign_in in config.sign_in}
    for place, table in sign_ins(config):
        if table.sign_in == "":
            continue
        where, used = file.where((*place, "sign_in")), known.get(table.sign_in)
        if used is None:
            hint = did_you_mean(table.sign_in, known) or "; add one (docs/sign-in.md)"
            words = f"there is no [[sign_in]] called '{table.sign_in}'{hint}"
            yield Problem(where, words)
        elif isinstance(table, CaldavTable) and isinstance(used, MicrosoftSignIn):
            yield Problem(where, 'Microsoft has no CalDAV; use kind = "graph" for this calendar')
        elif isinstance(used, GoogleSignIn) and not isinstance(table, ImapTable | SmtpOutgoing | CaldavTable):
            what = 'name a [[sign_in]] of kind = "microsoft"; Gmail is kind = "imap" (docs/google.md)'
            yield Problem(where, f"this is a sign-in at Google, and the server is Microsoft's: {what}")
        elif used.is_app and isinstance(used, GoogleSignIn) and isinstance(table, CaldavTable) and not table.user:
            yield Problem(
                where, "a service account acts for somebody: give user too, the address of the calendar's owner"
            )


def _missing_packages(config: Config, file: TomlFile) -> Iterator[Problem]:
    for place, table in sign_ins(config):
        if isinstance(table, EwsTable | EwsOutgoing | EwsCalendarTable) and find_spec("exchangelib") is None:
            what = 'kind = "ews" needs the package exchangelib; type: /opt/triaged/bin/pip install exchangelib'
            yield Problem(file.where((*place, "kind")), what)


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
    names = [mailbox.name for mailbox in config.mailbox]
    if (name := config.canary.mailbox) and name not in names:
        where = file.where(("canary", "mailbox"))
        yield Problem(where, f"there is no mailbox called '{name}'{did_you_mean(name, names)}")


def _unreadable_channels(config: Config, file: TomlFile) -> Iterator[Problem]:
    """The secrets that stand in no table of a server: where alerts go, and what the desk proves itself by."""
    alerts, desk = config.alerts, config.desk
    for table, key, given, read, file_of in (
        ("alerts", "urls", (alerts.urls_file, alerts.urls_credential), alerts.urls, "alert URLs"),
        ("desk", "oidc_secret", (desk.oidc_secret_file, desk.oidc_secret_credential), desk.oidc_secret, "the secret"),
    ):
        where = file.where((table, f"{key}_credential" if given[1] else f"{key}_file"))
        secret = given[0] or given[1]
        try:
            text = read(config.base)
        except KeyError:
            yield Problem(where, "there is no $CREDENTIALS_DIRECTORY; only systemd's LoadCredential= makes one")
        except (OSError, UnicodeDecodeError) as error:
            what = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            yield Problem(where, f"the secret '{secret}' cannot be read: {what}")
        else:
            if secret and text.strip() == "":
                yield Problem(where, f"the file of {file_of} is empty; without one leave the key out")
    if desk.oidc_ca_file and not config.path(desk.oidc_ca_file).is_file():
        yield Problem(file.where(("desk", "oidc_ca_file")), f"there is no file '{desk.oidc_ca_file}'")


def _problem(file: TomlFile, error: ErrorDetails) -> Problem:
    """One pydantic error as a sentence with its place."""
    place = _place(file.data, error["loc"])
    key = ".".join(str(part) for part in place if not isinstance(part, int)) or file.name
    given = error.get("input")
    context = error.get("ctx", {})
    if error["type"] == "extra_forbidden" and place[-1] in ("password", "secret", "client_secret"):
        name = "password_file" if place[-1] == "password" else "secret_file"
        what = f"a secret never stands here; write it into a file of its own and name that: {name}"
        return Problem(file.where(place), what)
    sentences: dict[str, Callable[[], str]] = {
        "missing": lambda: f"'{key}' is missing",
        "extra_forbidden": lambda: f"there is no key '{key}'{did_you_mean(str(place[-1]), _known_keys(file, place))}",
        "literal_error": lambda: f"'{key}' must be {context.get('expected')}, not {given!r}",
        "union_tag_invalid": lambda: f"'{key}.kind' must be {context.get('expected_tags')}, not '{context.get('tag')}'",
        "union_tag_not_found": lambda: f"'{key}.kind' is missing",
        "value_error": lambda: f"{key}: {context.get('error')}",
        "string_pattern_mismatch": lambda: f"'{key}' cannot be {given!r}; {_wanted(context.get('pattern', ''))}",
        "string_too_short": lambda: f"'{key}' must not be empty",
        "too_short": lambda: f"there must be at least one [[{key}]]",
        "list_type": lambda: (
            f"'{key}' begins with [[{key}]], with two brackets on each side"
            if isinstance(given, dict)
            else f'\'{key}\' must be a list, as in {key} = ["one", "two"]'
        ),
        "string_type": lambda: f"'{key}' must be a text in \"quotes\", not {given}",
        "int_type": lambda: f"'{key}' must be a whole number without quotes, not {given!r}",
        "float_type": lambda: f"'{key}' must be a number without quotes, not {given!r}",
        "date_type": lambda: f"'{key}' must be a day without quotes, as in {place[-1]} = 2027-05-01, not {given!r}",
        "less_than_equal": lambda: f"'{key}' is {given}; {context.get('le'):g} is the most it can be",
        "greater_than_equal": lambda: f"'{key}' is {given}; {context.get('ge'):g} is the least it can be",
        "greater_than": lambda: f"'{key}' is {given}; it must be more than {context.get('gt'):g}",
    }
    tell = sentences.get(error["type"])
    what = tell() if tell is not None else f"'{key}' is {given!r}: {error['msg'][:1].lower()}{error['msg'][1:]}"
    return Problem(file.where(place), what)


def _wanted(pattern: str) -> str:
    """What a text must be, in words."""
    words = {
        "^[a-z]{2}$": "write a language as two small letters: en, de, fr, es",
        "^([a-z]{2})?$": "write a language as two small letters: en, de, fr, es",
        "^[a-z0-9_.-]+$": "use small letters, digits, '.', '-' and '_', without blanks",
        "^[A-Za-z0-9_.-]+$": "use letters, digits, '.', '-' and '_', without blanks",
        "^[A-Za-z0-9.-]+$": "write a domain, such as example.com",
        "^([A-Za-z0-9-]+)?$": "write the name of a header, such as X-Remote-User",
        "^https?://": "it begins with https://",
        "^(https://.+)?$": "it begins with https://",
        "^(https://[^/]+/?)?$": "write https:// and a host, without a path",
    }
    return words.get(pattern, f"it must look like {pattern}")


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
    calendars: list[type[BaseModel]] = [VdirTable, CaldavTable, EwsCalendarTable, GraphCalendarTable]
    tables: dict[str, list[type[BaseModel]]] = {
        "": [Config],
        "firm": [Firm],
        "service": [Service],
        "triage": [Triage],
        "acknowledge": [Acknowledging],
        "limits": [Limits],
        "due": [Due],
        "calls": [Calls],
        "keep": [Keep],
        "learn": [Learn],
        "sign_in": [MicrosoftSignIn, GoogleSignIn],
        "mailbox": [MaildirTable, ImapTable, EwsTable, GraphTable],
        "outgoing": [MaildirOutgoing, SmtpOutgoing, EwsOutgoing, GraphOutgoing],
        "person": [Person],
        "calendar": calendars,
        "also_busy": calendars,
        "alerts": [Alerts],
        "health": [Health],
        "desk": [DeskTable],
        "canary": [CanaryTable],
    }
    around = next((part for part in reversed(place[:-1]) if isinstance(part, str)), "")
    return [key for table in tables.get(around, []) for key in table.model_fields if key not in ("file", "base")]
