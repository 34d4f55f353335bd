"""A sign-in at Microsoft Entra in, its access tokens out (by msal); and a person's signing in by device code.

What is asked of the server goes over our own `web.Web`: msal's own client would use proxies and certificates of the
environment. msal is imported when a token is asked for, for that takes 0.2 s (msal 1.39, our measurement, 2026-11-29).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from triaged.backends.oauth import tokencache
from triaged.backends.oauth.endpoint import ANSWERS, json_of, lasts_s, secret_in, unexpected
from triaged.backends.oauth.entra import refusal
from triaged.backends.oauth.pem import key_pair
from triaged.backends.oauth.tokens import Resource, SharedTokens, Token
from triaged.backends.web import Answer, Web
from triaged.errors import LoginRefused
from triaged.ports import SignedIn, Visit

if TYPE_CHECKING:
    import msal


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where a Microsoft cloud's servers are. outlook: of IMAP and SMTP scopes that a person consents to; exchange: of
    those of an app."""

    login: str
    graph: str
    outlook: str
    exchange: str


CLOUDS: Mapping[str, Cloud] = {
    "global": Cloud("login.microsoftonline.com", "graph.microsoft.com", "outlook.office.com", "outlook.office365.com"),
    "usgov": Cloud("login.microsoftonline.us", "graph.microsoft.us", "outlook.office365.us", "outlook.office365.us"),
    "usgov-dod": Cloud(
        "login.microsoftonline.us", "dod-graph.microsoft.us", "outlook-dod.office365.us", "outlook-dod.office365.us"
    ),
    "china": Cloud(
        "login.partner.microsoftonline.cn",
        "microsoftgraph.chinacloudapi.cn",
        "partner.outlook.cn",
        "partner.outlook.cn",
    ),
}
"""learn.microsoft.com, "National cloud deployments" of Graph and "Authenticate an IMAP, POP or SMTP connection using
OAuth", 2026-11; the outlook hosts outside the global cloud are of Exchange's lists of endpoints, and not tried."""

PERMISSIONS: Mapping[Resource, tuple[str, ...]] = {
    "mail": ("IMAP.AccessAsUser.All", "SMTP.Send"),
    "graph": (
        "Mail.ReadWrite",
        "Mail.ReadWrite.Shared",
        "Mail.Send",
        "Mail.Send.Shared",
        "Calendars.ReadWrite",
        "Calendars.ReadWrite.Shared",
    ),
    "ews": ("EWS.AccessAsUser.All",),
}
"""What a person is asked to consent to; `offline_access`, without which there is no refresh token, is msal's."""


@dataclass(frozen=True, slots=True)
class MicrosoftSettings:
    """One app, and how it proves itself: by a secret, by a certificate (both for itself), or by a person who signed in.

    name: of the sign-in in config.toml. kept: the file of a person's sign-in. secret, certificate: files, the latter
    PEM with private key and certificate. authority: `https://host` in place of the cloud's, `""` for that. ews_host:
    of the Exchange server on premises that tokens for EWS are good for (hybrid modern authentication).
    """

    name: str
    tenant: str
    client_id: str
    kept: Path
    secret: Path | None = None
    certificate: Path | None = None
    cloud: str = "global"
    authority: str = ""
    ca_file: str | None = None
    timeout_s: float = 30
    ews_host: str = ""

    @property
    def is_app(self) -> bool:
        """Whether it proves itself, and nobody signs in."""
        return self.secret is not None or self.certificate is not None

    @property
    def server(self) -> str:
        """The address of the sign-in server, with the tenant."""
        return f"{self.authority.rstrip('/') or 'https://' + CLOUDS[self.cloud].login}/{self.tenant}"


def graph_root(cloud: str) -> str:
    """The address of Microsoft Graph in a cloud, without a path."""
    return f"https://{CLOUDS[cloud].graph}"


@cache
def microsoft_tokens(settings: MicrosoftSettings, resource: Resource) -> SharedTokens:
    """The one object of this process for this sign-in and what it is for."""
    ask = _app_token if settings.is_app else _person_token
    return SharedTokens(partial(ask, settings, resource))


def scopes(settings: MicrosoftSettings, resource: Resource) -> list[str]:
    """What is asked for (RFC 6749 3.3). An app has what an administrator gave it: `/.default`."""
    cloud = CLOUDS[settings.cloud]
    if settings.is_app:
        host = {"graph": cloud.graph, "ews": settings.ews_host, "mail": cloud.exchange}[resource]
        return [f"https://{host}/.default"]
    host = {"graph": cloud.graph, "ews": settings.ews_host, "mail": cloud.outlook}[resource]
    return [f"https://{host}/{permission}" for permission in PERMISSIONS[resource]]


def _app_token(settings: MicrosoftSettings, resource: Resource, _refused: str) -> Token:
    """The app object is made anew each time, so that nothing is reused and a changed secret is taken."""
    import msal

    credential: str | dict[str, str]
    if settings.certificate is not None:
        pair = key_pair(settings.certificate, sign_in=settings.name)
        credential = {"private_key": pair.key_pem, "public_certificate": pair.certificate_pem}
    else:
        assert settings.secret is not None
        credential = secret_in(settings.secret, sign_in=settings.name)
    with _asking(settings) as http:
        app = msal.ConfidentialClientApplication(settings.client_id, credential, **_common(settings, http))
        return _token(settings, app.acquire_token_for_client(scopes(settings, resource)))


def _person_token(settings: MicrosoftSettings, resource: Resource, refused: str) -> Token:
    """The file is read anew: another program may have been given the refresh token that counts now."""
    import msal

    with tokencache.locked(settings.kept, timeout_s=settings.timeout_s), _asking(settings) as http:
        kept = tokencache.read(settings.kept, sign_in=settings.name, client_id=settings.client_id)
        held = msal.SerializableTokenCache()
        held.deserialize(json.dumps(kept.held))
        app = msal.PublicClientApplication(settings.client_id, token_cache=held, **_common(settings, http))
        account = next(iter(app.get_accounts()), None)
        answer = app.acquire_token_silent_with_error(scopes(settings, resource), account, force_refresh=refused != "")
        if answer is None:
            words = f"nobody is signed in at {settings.server}; type: triaged login {settings.name}"
            raise LoginRefused(f"sign-in {settings.name}: {words}")
        token = _token(settings, answer)
        if held.has_state_changed:
            # Before the token is used: a server that changes refresh tokens forgets the old one with the next request.
            tokencache.write(settings.kept, _kept(kept.account, settings, held))
        return token


def sign_in(settings: MicrosoftSettings, resources: Sequence[Resource]) -> Iterator[Visit | SignedIn]:
    """A person signs in by device code (RFC 8628), for each resource that the first consent does not cover, then it is
    kept. Raises: Transient, LoginRefused (refused, or too late)."""
    import msal

    held = msal.SerializableTokenCache()
    with _asking(settings) as http:
        app = msal.PublicClientApplication(settings.client_id, token_cache=held, **_common(settings, http))
        for resource in resources:
            wanted = scopes(settings, resource)
            accounts = app.get_accounts()
            known = app.acquire_token_silent(wanted, accounts[0]) if len(accounts) > 0 else None
            if known is None:
                yield from _device_code(settings, app, wanted)
        accounts = app.get_accounts()
        if len(accounts) != 1:
            raise LoginRefused(f"sign-in {settings.name}: two accounts signed in; use the same one each time")
        account = str(accounts[0].get("username", ""))
        with tokencache.locked(settings.kept, timeout_s=settings.timeout_s):
            tokencache.write(settings.kept, _kept(account, settings, held))
    yield SignedIn(account)


def _device_code(settings: MicrosoftSettings, app: msal.PublicClientApplication, wanted: list[str]) -> Iterator[Visit]:
    flow = app.initiate_device_flow(wanted)
    if "user_code" not in flow:
        raise refusal(settings, flow)
    answer: dict[str, Any] = {}
    while "access_token" not in answer:
        left_s = flow["expires_at"] - time.time()
        if left_s <= 0:
            raise LoginRefused(f"sign-in {settings.name}: nobody signed in in time; type the command once more")
        yield Visit(flow["verification_uri"], flow["user_code"], flow["interval"], left_s)
        answer = app.acquire_token_by_device_flow(flow, exit_condition=lambda flow: True)  # one look
        if answer.get("error", "authorization_pending") not in ("authorization_pending", "slow_down"):
            raise refusal(settings, answer)


def _kept(account: str, settings: MicrosoftSettings, held: msal.SerializableTokenCache) -> tokencache.Kept:
    return tokencache.Kept(account, settings.client_id, json.loads(held.serialize()))


def _token(settings: MicrosoftSettings, answer: Mapping[str, Any]) -> Token:
    if not isinstance(answer.get("access_token"), str):
        raise refusal(settings, answer)
    return Token(answer["access_token"], lasts_s(answer))


# --- msal's requests ----------------------------------------------------------------------------------------------


def _common(settings: MicrosoftSettings, http: _Http) -> dict[str, Any]:
    """azure_region: else an environment variable chooses the server. instance_discovery: else msal asks
    login.microsoftonline.com about the authority, which the configuration names already."""
    more: dict[str, Any] = {"authority": settings.server, "http_client": http, "instance_discovery": False}
    return more | ({"azure_region": False} if settings.is_app else {})


@contextmanager
def _asking(settings: MicrosoftSettings) -> Iterator[_Http]:
    """What msal and the libraries below it raise becomes ours."""
    from jwt import PyJWTError
    from msal.exceptions import MsalError

    where = f"sign-in {settings.name} ({urlsplit(settings.server).netloc})"
    with closing(Web(where, ca_file=settings.ca_file, timeout_s=settings.timeout_s)) as web:
        try:
            yield _Http(settings, web)
        except (ValueError, KeyError, TypeError, AttributeError, PyJWTError, MsalError) as error:
            raise unexpected(settings.name, error) from None


@dataclass(frozen=True, slots=True)
class _Response:
    status_code: int
    text: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Http:
    """What msal calls an http_client. It hears of answers that say what became of the request; the rest is raised."""

    settings: MicrosoftSettings
    web: Web

    def post(
        self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str] | None = None, **_: Any
    ) -> _Response:
        form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        answer = self.web.request("POST", url, data=urlencode(data).encode(), headers=form, accept=ANSWERS)
        json_of(answer, f"sign-in {self.settings.name}")  # msal would log the text of one that is none
        return _heard(answer)

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, **_: Any) -> _Response:
        answer = self.web.request("GET", url, headers=headers, accept=(200, 400, 404))
        if answer.status != 200:
            raise refusal(self.settings, json_of(answer, f"sign-in {self.settings.name}"))
        return _heard(answer)

    def close(self) -> None:
        """`_asking` closes it."""


def _heard(answer: Answer) -> _Response:
    return _Response(answer.status, answer.body.decode("utf-8", "replace"), dict(answer.headers))
