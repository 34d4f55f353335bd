"""A sign-in at Google in, its access tokens out; and a person's signing in through a browser.

Two kinds: a person who signed in once to a desktop app (refresh token, RFC 6749 6), and a service account with
domain-wide delegation, which acts for any user (JWT, RFC 7523). developers.google.com/identity/protocols/oauth2,
"native-app" and "service-account", 2026-11.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from triaged.backends.oauth import tokencache
from triaged.backends.oauth.endpoint import MAY_PASS, claims_of, first_line, lasts_s, post_form, secret_in
from triaged.backends.oauth.loopback import listening
from triaged.backends.oauth.tokens import Resource, SharedTokens, Token
from triaged.errors import LoginRefused, Transient
from triaged.ports import SignedIn, Visit

AUTHORIZE = "https://accounts.google.com/o/oauth2/v2/auth"
TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105
SCOPES: Mapping[Resource, str] = {
    "mail": "https://mail.google.com/",
    "calendar": "https://www.googleapis.com/auth/calendar",
}
ASSERTED_S = 3600
"""Seconds that an assertion of a service account is good for; Google takes no longer one."""
LOGIN_S = 600.0
"""Seconds that a person has to sign in."""
LOOK_S = 1.0
"""Seconds between two signs that we still wait."""


@dataclass(frozen=True, slots=True)
class GoogleSettings:
    """name: of the sign-in in config.toml. kept: the file of a person's sign-in. secret: file of a desktop app's client
    secret. service_account: file with its JSON key, and then nobody signs in. authority: `https://host` in place of
    Google's servers, `""` for those."""

    name: str
    client_id: str
    kept: Path
    secret: Path | None = None
    service_account: Path | None = None
    authority: str = ""
    ca_file: str | None = None
    timeout_s: float = 30

    @property
    def is_app(self) -> bool:
        """Whether it proves itself, and nobody signs in."""
        return self.service_account is not None

    @property
    def token_url(self) -> str:
        """Where tokens are got."""
        return f"{self.authority.rstrip('/')}/token" if self.authority else TOKEN

    @property
    def authorize_url(self) -> str:
        """Where a person signs in."""
        return f"{self.authority.rstrip('/')}/o/oauth2/v2/auth" if self.authority else AUTHORIZE


@cache
def google_tokens(settings: GoogleSettings, resource: Resource, user: str) -> SharedTokens:
    """The one object of this process for this sign-in, what it is for and, with a service account, who it acts for."""
    if settings.service_account is not None:
        return SharedTokens(partial(_service_token, settings, resource, user))
    return SharedTokens(partial(_person_token, settings, resource))


def _ask(settings: GoogleSettings, form: Mapping[str, str]) -> dict[str, Any]:
    where = f"sign-in {settings.name} ({urlsplit(settings.token_url).netloc})"
    return post_form(settings.token_url, form, where=where, ca_file=settings.ca_file, timeout_s=settings.timeout_s)


def _token(settings: GoogleSettings, answer: Mapping[str, Any]) -> Token:
    if not isinstance(answer.get("access_token"), str):
        raise refusal(settings, answer)
    return Token(answer["access_token"], lasts_s(answer))


# --- a person's sign-in ---------------------------------------------------------------------------------------------


def _person_token(settings: GoogleSettings, resource: Resource, _refused: str) -> Token:
    with tokencache.locked(settings.kept, timeout_s=settings.timeout_s):
        kept = tokencache.read(settings.kept, sign_in=settings.name, client_id=settings.client_id)
        form = {"grant_type": "refresh_token", "refresh_token": str(kept.held.get("refresh_token", ""))}
        answer = _ask(settings, {**form, **_client(settings)})
        token = _token(settings, answer)
        if isinstance(answer.get("refresh_token"), str):
            # Before the token is used: a server that changes refresh tokens forgets the old one with the next request.
            held = {**kept.held, "refresh_token": answer["refresh_token"]}
            tokencache.write(settings.kept, tokencache.Kept(kept.account, kept.client_id, held))
    _must_cover(settings, (resource,), str(answer.get("scope") or kept.held.get("scope", "")))
    return token


def _client(settings: GoogleSettings) -> dict[str, str]:
    """A desktop app's secret is none, but Google wants it."""
    secret = secret_in(settings.secret, sign_in=settings.name) if settings.secret is not None else ""
    return {"client_id": settings.client_id, **({"client_secret": secret} if secret else {})}


def _must_cover(settings: GoogleSettings, resources: Sequence[Resource], granted: str) -> None:
    """A person may leave out single permissions. Raises: LoginRefused."""
    missing = [SCOPES[resource] for resource in resources if SCOPES[resource] not in granted.split()]
    if len(missing) > 0:
        words = f"the person who signed in did not allow {' and '.join(missing)}; sign in again and tick every box"
        raise LoginRefused(f"sign-in {settings.name}: {words}: triaged login {settings.name}")


def sign_in(
    settings: GoogleSettings, resources: Sequence[Resource], *, hint: str, paste: int | None
) -> Iterator[Visit | SignedIn]:
    """A person signs in with a browser, here or elsewhere (RFC 8252, PKCE of RFC 7636), then it is kept.

    hint: who should. paste: file descriptor of what the person types. Raises: Transient, LoginRefused.
    """
    verifier, state = secrets.token_urlsafe(64), secrets.token_urlsafe(32)
    with listening(paste) as listener:
        redirect = f"http://127.0.0.1:{listener.port}"
        asked = {
            "client_id": settings.client_id,
            "redirect_uri": redirect,
            "response_type": "code",
            "scope": " ".join(("openid", "email", *(SCOPES[resource] for resource in resources))),
            "code_challenge": _base64url(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "state": state,
            "access_type": "offline",  # with a refresh token
            "prompt": "consent",  # else there is none the second time
            **({"login_hint": hint} if hint else {}),
        }
        address = f"{settings.authorize_url}?{urlencode(asked)}"
        until, code, note = time.monotonic() + LOGIN_S, "", ""
        while code == "":
            left_s = until - time.monotonic()
            if left_s <= 0:
                raise LoginRefused(f"sign-in {settings.name}: nobody signed in in time; type the command once more")
            yield Visit(address, "", 0, left_s, note)
            code, note = _brought(settings, listener.hear(LOOK_S), state)
    yield SignedIn(_redeemed(settings, resources, code=code, verifier=verifier, redirect=redirect))


def _brought(settings: GoogleSettings, text: str, state: str) -> tuple[str, str]:
    """The code in an address, else what is wrong with the address. Raises: LoginRefused (the person said no)."""
    if text == "":
        return "", ""
    query = dict(parse_qsl(urlsplit(text).query))
    if not query.keys() & {"code", "error"}:
        wanted = "the whole address is wanted that the browser shows at the end; it begins with http://127.0.0.1"
        return "", "" if text.startswith("/") else wanted  # a browser asks for icons too
    if not secrets.compare_digest(query.get("state", "").encode(), state.encode()):
        return "", "that address is of another sign-in; use the one shown here"
    if "error" in query:
        words = "the person said no" if query["error"] == "access_denied" else first_line(query["error"])
        raise LoginRefused(f"sign-in {settings.name}: {words}")
    return query["code"], ""


def _redeemed(
    settings: GoogleSettings, resources: Sequence[Resource], *, code: str, verifier: str, redirect: str
) -> str:
    """Get tokens for a code, keep them; who signed in."""
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": redirect}
    answer = _ask(settings, {**form, **_client(settings)})
    _token(settings, answer)
    _must_cover(settings, resources, str(answer.get("scope", "")))
    refresh_token = answer.get("refresh_token")
    if not isinstance(refresh_token, str):
        raise LoginRefused(
            f"sign-in {settings.name}: Google gave no refresh token; is it a client of type Desktop app?"
        )
    account = str(claims_of(answer.get("id_token")).get("email", ""))
    held = {"refresh_token": refresh_token, "scope": str(answer.get("scope", ""))}
    with tokencache.locked(settings.kept, timeout_s=settings.timeout_s):
        tokencache.write(settings.kept, tokencache.Kept(account, settings.client_id, held))
    return account


# --- a service account's ----------------------------------------------------------------------------------------------


def _service_token(settings: GoogleSettings, resource: Resource, user: str, _refused: str) -> Token:
    import jwt

    key = service_key(settings)
    now = int(time.time())
    claims = {
        "iss": key["client_email"],
        "sub": user,
        "scope": SCOPES[resource],
        "aud": settings.token_url,
        "iat": now,
        "exp": now + ASSERTED_S,
    }
    try:
        assertion = jwt.encode(claims, key["private_key"], "RS256", headers={"kid": str(key.get("private_key_id", ""))})
    except (ValueError, TypeError, jwt.PyJWTError):
        raise LoginRefused(f"sign-in {settings.name}: {_broken_key(settings)}") from None
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    return _token(settings, _ask(settings, {"grant_type": grant, "assertion": assertion}))


def service_key(settings: GoogleSettings) -> dict[str, Any]:
    """A service account's key file (JSON). Raises: LoginRefused."""
    assert settings.service_account is not None
    try:
        key = json.loads(secret_in(settings.service_account, sign_in=settings.name))
    except ValueError:
        key = None
    if not isinstance(key, dict) or not all(isinstance(key.get(name), str) for name in ("client_email", "private_key")):
        raise LoginRefused(f"sign-in {settings.name}: {_broken_key(settings)}")
    return key


def _broken_key(settings: GoogleSettings) -> str:
    return f"{settings.service_account} is no key of a service account; it must be the JSON file that Google made"


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


# --- refusals ---------------------------------------------------------------------------------------------------------


def refusal(settings: GoogleSettings, answer: Mapping[str, Any]) -> Transient | LoginRefused:
    """A refusal in plain words. answer: with `error` and perhaps `error_description` (RFC 6749 5.2)."""
    error, told = str(answer.get("error", "")), first_line(answer.get("error_description"))
    if error in (*MAY_PASS, "internal_failure"):
        return Transient(f"sign-in {settings.name}: the server cannot do it now: {told or error}")
    words = (_SERVICE if settings.is_app else _PERSON).get(error, "Google refuses")
    words = words.replace("{name}", settings.name).replace("{client_id}", settings.client_id)
    return LoginRefused(f"sign-in {settings.name}: {words} ({': '.join(filter(None, (error, told)))})")


_PERSON: Mapping[str, str] = {
    "invalid_grant": "the sign-in has ended: access was withdrawn, the password was changed, it was unused for six "
    "months, or the app is still in testing, where every sign-in ends after 7 days (Google Cloud console > Audience: "
    "Internal, or publish it); sign in again: triaged login {name}",
    "invalid_client": "client_id or client secret is wrong; both stand at Google Cloud console > Clients > the desktop "
    "app",
    "deleted_client": "the app {client_id} was deleted at Google; make another at Google Cloud console > Clients",
    "unauthorized_client": "the app {client_id} is none of the type Desktop app",
    "admin_policy_enforced": "an administrator of the domain does not let people use this app: Admin console > "
    "Security > API controls",
}
_SERVICE: Mapping[str, str] = {
    "invalid_grant": "there is no such user in the domain, the key was deleted, or this machine's clock is wrong",
    "unauthorized_client": "the service account may not act for users, or not for this: Admin console > Security > API "
    "controls > Domain-wide delegation must list its client ID with the scopes https://mail.google.com/ and "
    "https://www.googleapis.com/auth/calendar",
    "access_denied": "the service account may not act for this user: Admin console > Security > API controls > "
    "Domain-wide delegation",
    "invalid_client": "the service account was deleted at Google",
}
