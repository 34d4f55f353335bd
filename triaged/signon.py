"""A [[sign_in]] of a checked configuration in, its tokens, its end, its problems and a person's signing in out.

Beside `wire`, which uses it, the one module that names backends: those of sign-ins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from triaged.backends.oauth import google, microsoft, tokencache
from triaged.backends.oauth.google import GoogleSettings, google_tokens
from triaged.backends.oauth.microsoft import MicrosoftSettings, graph_root, microsoft_tokens
from triaged.backends.oauth.pem import key_pair
from triaged.backends.oauth.tokens import Resource, Tokens
from triaged.config import sign_ins
from triaged.errors import Problem, TriagedError
from triaged.ports import SignedIn, Visit
from triaged.servers import (
    CaldavTable,
    EwsCalendarTable,
    EwsOutgoing,
    EwsTable,
    GraphCalendarTable,
    GraphOutgoing,
    GraphTable,
    Remote,
    SignIn,
)
from triaged.settings import Config
from triaged.signins import GoogleSignIn, MicrosoftSignIn

SOON = timedelta(days=14)
"""Before a secret ends it is told of in `triaged check` too; the worker's alarms come 14, 7 and 1 days before."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a sign-in is used for. where: for messages; user: whose mailbox or calendar, `""` where it is not said."""

    where: str
    resource: Resource
    user: str


def tokens_of(config: Config, table: Remote, resource: Resource) -> Tokens:
    """What a table with a `sign_in` signs in with. One object for the same."""
    sign_in = _sign_in_of(config, table)
    settings = settings_of(config, sign_in)
    if isinstance(settings, MicrosoftSettings):
        return microsoft_tokens(settings, resource)
    user = table.user if settings.is_app and isinstance(table, SignIn) else ""
    return google_tokens(settings, resource, user)


def graph_service(config: Config, table: Remote) -> str:
    """The address of Microsoft Graph in the cloud of a table's sign-in."""
    sign_in = _sign_in_of(config, table)
    assert isinstance(sign_in, MicrosoftSignIn)
    return f"{graph_root(sign_in.cloud)}/v1.0"


def _sign_in_of(config: Config, table: Remote) -> MicrosoftSignIn | GoogleSignIn:
    return next(each for each in config.sign_in if each.name == table.sign_in)


def settings_of(config: Config, sign_in: MicrosoftSignIn | GoogleSignIn) -> MicrosoftSettings | GoogleSettings:
    """Where and how to get tokens; the secrets are read when one is asked for."""

    def file(name: str) -> Path | None:
        return sign_in.secret_path(name, config.base)

    kept = config.state_dir / tokencache.FOLDER / f"{sign_in.name}.json"
    ca_file = str(config.path(sign_in.ca_file)) if sign_in.ca_file else None
    if isinstance(sign_in, MicrosoftSignIn):
        return MicrosoftSettings(
            name=sign_in.name,
            tenant=sign_in.tenant,
            client_id=sign_in.client_id,
            kept=kept,
            secret=file("secret"),
            certificate=file("certificate"),
            cloud=sign_in.cloud,
            authority=sign_in.authority,
            ca_file=ca_file,
            timeout_s=sign_in.timeout_s,
            ews_host=_ews_host(config, sign_in.name),
        )
    return GoogleSettings(
        name=sign_in.name,
        client_id=sign_in.client_id,
        kept=kept,
        secret=file("secret"),
        service_account=file("service_account"),
        authority=sign_in.authority,
        ca_file=ca_file,
        timeout_s=sign_in.timeout_s,
    )


def _ews_host(config: Config, name: str) -> str:
    """Of the Exchange server that a sign-in opens, `""` for none."""
    tables = (table for _, table in sign_ins(config) if table.sign_in == name)
    endpoints = (table.endpoint for table in tables if isinstance(table, EwsTable | EwsOutgoing | EwsCalendarTable))
    return urlsplit(next(endpoints, "")).hostname or ""


def uses_of(config: Config, name: str) -> tuple[Use, ...]:
    """All that a sign-in is used for."""
    tables: list[tuple[str, object]] = [
        *((f"mailbox {mailbox.name}", mailbox) for mailbox in config.mailbox),
        ("outgoing", config.outgoing),
        *((f"calendar of {person.id}", person.calendar) for person in config.person),
        *((f"another calendar of {person.id}", other) for person in config.person for other in person.also_busy),
    ]
    return tuple(
        Use(where, _resource_of(table), table.user if isinstance(table, SignIn) else "")
        for where, table in tables
        if isinstance(table, Remote) and table.sign_in == name
    )


def _resource_of(table: Remote) -> Resource:
    match table:
        case GraphTable() | GraphOutgoing() | GraphCalendarTable():
            return "graph"
        case EwsTable() | EwsOutgoing() | EwsCalendarTable():
            return "ews"
        case CaldavTable():
            return "calendar"
        case _:
            return "mail"


# --- a person signs in ------------------------------------------------------------------------------------------------


def login_steps(
    config: Config, sign_in: MicrosoftSignIn | GoogleSignIn, *, paste: int | None
) -> Iterator[Visit | SignedIn]:
    """What a person is to do, then who signed in. paste: file descriptor of what is typed, None for none.

    Raises: Transient, LoginRefused.
    """
    uses, settings = uses_of(config, sign_in.name), settings_of(config, sign_in)
    resources = tuple(dict.fromkeys(use.resource for use in uses))
    if isinstance(settings, MicrosoftSettings):
        return microsoft.sign_in(settings, resources or ("mail",))
    hint = next((use.user for use in uses if use.user), "")
    return google.sign_in(settings, resources or ("mail",), hint=hint, paste=paste)


# --- what is wrong, or soon will be -----------------------------------------------------------------------------------


def sign_in_problems(config: Config, *, now: datetime) -> Iterator[Problem]:
    """Sign-ins that cannot work: keys that are none, secrets that have ended, nobody signed in. No server is asked."""
    for sign_in in config.sign_in:
        where, settings = f"sign-in {sign_in.name}", settings_of(config, sign_in)
        try:
            if isinstance(settings, GoogleSettings) and settings.is_app:
                google.service_key(settings)
            if not settings.is_app and len(uses_of(config, sign_in.name)) > 0:
                tokencache.read(settings.kept, sign_in=sign_in.name, client_id=sign_in.client_id)
            end = _end_of(config, sign_in)
            if end is not None and end() <= now:
                yield Problem(where, f"its {_what(sign_in)} ended on {end():%d %B %Y}; {_RENEW}")
        except TriagedError as error:
            yield Problem(where, str(error).removeprefix(f"{where}: "))


def soon_ended(config: Config, *, now: datetime) -> Iterator[Problem]:
    """Secrets and certificates of sign-ins that end within two weeks. Those of `sign_in_problems` are left out."""
    for sign_in in config.sign_in:
        end = _end_of(config, sign_in)
        try:
            if end is not None and now < (ends := end()) <= now + SOON:
                yield Problem(f"sign-in {sign_in.name}", f"its {_what(sign_in)} ends on {ends:%d %B %Y}; {_RENEW}")
        except TriagedError:
            continue


def secret_ends(config: Config) -> dict[str, Callable[[], datetime]]:
    """By what it is (`secret of the sign-in microsoft`), how to learn when it ends; those alone that have an end."""
    ends = ((sign_in, _end_of(config, sign_in)) for sign_in in config.sign_in)
    return {f"{_what(sign_in)} of the sign-in {sign_in.name}": end for sign_in, end in ends if end is not None}


_RENEW = "make a new one where the app is registered and put it in place of the old (docs/sign-in.md)"


def _what(sign_in: MicrosoftSignIn | GoogleSignIn) -> str:
    return "certificate" if "certificate" in sign_in.secrets() else "secret"


def _end_of(config: Config, sign_in: MicrosoftSignIn | GoogleSignIn) -> Callable[[], datetime] | None:
    """How to learn when it ends; None where it has no end, or nobody said when."""
    if not isinstance(sign_in, MicrosoftSignIn):
        return None
    path = sign_in.secret_path("certificate", config.base)
    if path is not None:
        return partial(_certificate_end, path, sign_in.name)
    if sign_in.secret_ends is not None:
        end = datetime.combine(sign_in.secret_ends, time(), UTC)  # the hour is not told: rather too early
        return lambda: end
    return None


def _certificate_end(path: Path, sign_in: str) -> datetime:
    return key_pair(path, sign_in=sign_in).ends
