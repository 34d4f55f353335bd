"""A fake of Microsoft's and Google's sign-in servers: real HTTPS on loopback, tokens that it knows again.

It checks what those check: who asks and by what proof, PKCE, the signature, audience and age of every assertion, one
resource a request; and it words refusals as they do. `https://localhost:PORT` is the `authority` of either kind.
Sources: RFC 6749, 7523, 7636, 7662, 8628; learn.microsoft.com "v2-oauth2-device-code", "client-creds-grant-flow",
"certificate-credentials"; developers.google.com/identity/protocols/oauth2 "native-app", "service-account".
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from tests.servers.certificates import Authority
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.https import HttpsServer, Request, Response, running

TENANT = "desk.example"
PUBLIC, SECRET_APP, CERTIFICATE_APP, DESKTOP = "app-public", "app-secret", "app-certificate", "app-desktop"
SECRET, DESKTOP_SECRET = "s3cret-of-the-app~", "GOCSPX-s3cret-of-the-desktop"
SERVICE = "desk@project.iam.gserviceaccount.example"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_ASSERTED_S = 3600


@dataclass
class Grant:
    """What a token stands for. user: `""` for an app. alive: False once it was withdrawn."""

    user: str
    scope: str
    client: str
    ends: float
    alive: bool = True


@dataclass
class Device:
    """A device code under way. looks: how often it was asked what became of it."""

    scope: str
    client: str
    ends: float
    looks: int = 0
    last: float = 0.0


class Refused(Exception):
    """error and error_description of the answer, and its status."""

    def __init__(self, error: str, told: str = "", status: int = 400) -> None:
        super().__init__(error)
        self.error, self.told, self.status = error, told, status


@dataclass
class OAuthFake:
    """person: who signs in at every browser. after_looks: how many looks until then. says: what they say, `""` is yes.

    rotate: each refresh gives another refresh token; forgets: and ends the old one (Microsoft does not). fails: errors
    by grant type, in place of any answer: (error, description, status).
    """

    server: HttpsServer = field(init=False)
    person: str = "desk@example.test"
    after_looks: int = 1
    interval_s: int = 1
    says: str = ""
    lasts_s: int = 3600
    device_lasts_s: int = 900
    rotate: bool = True
    forgets: bool = True
    gives_refresh_token: bool = True
    unticked: frozenset[str] = frozenset()
    fails: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    slow_downs: int = 0
    tokens: dict[str, Grant] = field(default_factory=dict)
    refresh_tokens: dict[str, Grant] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    devices_given: int = 0
    codes: dict[str, tuple[Grant, dict[str, str]]] = field(default_factory=dict)
    grants: Counter[str] = field(default_factory=Counter)
    """Token requests by grant type, refused ones too."""
    asked_too_soon: int = 0
    certificate: x509.Certificate | None = None
    service_key: Any = None
    """Public key of the service account."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.server = HttpsServer(self.answer, lambda request: "")

    @property
    def url(self) -> str:
        return self.server.url

    def withdraw(self) -> None:
        """Every token given so far is refused from now on, as after a changed password."""
        with self.lock:
            for grant in (*self.tokens.values(), *self.refresh_tokens.values()):
                grant.alive = False

    def end_access_tokens(self) -> None:
        """As a server that forgets them before their time; refresh tokens stay."""
        with self.lock:
            for grant in self.tokens.values():
                grant.alive = False

    def user_of(self, token: str) -> Grant | None:
        """What a token stands for, None for one that is not good."""
        grant = self.tokens.get(token)
        return grant if grant is not None and grant.alive and grant.ends > time.time() else None

    def everything_secret(self) -> list[str]:
        """All that must stand in no message and no log."""
        return [SECRET, DESKTOP_SECRET, *self.tokens, *self.refresh_tokens, *self.codes, *self.devices]

    # --- endpoints ---

    def answer(self, request: Request) -> Response:
        path = request.path
        try:
            with self.lock:
                if path.endswith("/.well-known/openid-configuration"):
                    return Response.of_json(self._configuration(path.split("/")[1]))
                if path.endswith("/oauth2/v2.0/devicecode"):
                    return Response.of_json(self._device(_form(request)))
                if path.endswith("/oauth2/v2.0/token") or path == "/token":
                    return Response.of_json(self._token(_form(request), self.url + path))
                if path == "/o/oauth2/v2/auth":
                    return self._browser(dict(request.query))
                if path == "/introspect":
                    return Response.of_json(self._introspection(request))
        except Refused as error:
            microsoft = "oauth2/v2.0" in path or "openid" in path
            return Response.of_json(self._worded(error, microsoft=microsoft), error.status)
        return Response(404)

    def _configuration(self, tenant: str) -> dict[str, str]:
        if tenant != TENANT:
            raise Refused(
                "invalid_tenant", f"AADSTS90002: Tenant '{tenant}' not found. Check to make sure you have it."
            )
        root = f"{self.url}/{tenant}"
        return {
            "issuer": f"{root}/v2.0",
            "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
            "token_endpoint": f"{root}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{root}/discovery/v2.0/keys",
        }

    def _worded(self, error: Refused, *, microsoft: bool) -> dict[str, object]:
        if not microsoft:
            return {"error": error.error, **({"error_description": error.told} if error.told else {})}
        code = error.told.partition(":")[0].removeprefix("AADSTS")
        lines = (error.told, "Trace ID: 0f1e", "Correlation ID: 2d3c", "Timestamp: 2026-11-29 12:00:00Z")
        numbers = [int(code)] if code.isdecimal() else []
        return {"error": error.error, "error_description": "\r\n".join(lines), "error_codes": numbers}

    def _device(self, form: dict[str, str]) -> dict[str, object]:
        if form.get("client_id") not in (PUBLIC, SECRET_APP):
            raise Refused("unauthorized_client", _NO_APP.format(form.get("client_id")))
        _one_resource(form["scope"])
        code = secrets.token_urlsafe(24)
        self.devices_given += 1
        self.devices[code] = Device(form["scope"], form["client_id"], time.time() + self.device_lasts_s)
        return {
            "user_code": f"ABCD-{1000 + self.devices_given}",
            "device_code": code,
            "verification_uri": f"{self.url}/devicelogin",
            "expires_in": self.device_lasts_s,
            "interval": self.interval_s,
            "message": "To sign in, use a web browser.",
        }

    def _browser(self, query: dict[str, str]) -> Response:
        """A person's browser at Google: signs in and says yes at once, and is sent back."""
        if query.get("client_id") != DESKTOP:
            raise Refused("invalid_client", "The OAuth client was not found.", 401)
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert query["redirect_uri"].startswith("http://127.0.0.1:")
        back = {"state": query["state"]}
        if self.says:
            back["error"] = self.says
        else:
            code = "4/" + secrets.token_urlsafe(24)
            scope = " ".join(each for each in query["scope"].split() if each not in self.unticked)
            self.codes[code] = (Grant(self.person, scope, DESKTOP, time.time() + 60), query)
            back |= {"code": code, "scope": scope}
        return Response(302, b"", {"Location": f"{query['redirect_uri']}/?{urlencode(back)}"})

    def _introspection(self, request: Request) -> dict[str, object]:
        """RFC 7662, as Dovecot asks: by GET or POST with the token as a parameter."""
        values = {**dict(request.query), **_form(request)}
        grant = self.user_of(values.get("token", ""))
        if grant is None:
            return {"active": False}
        return {"active": True, "email": grant.user or "app", "scope": grant.scope}

    # --- grants ---

    def _token(self, form: dict[str, str], endpoint: str) -> dict[str, object]:
        kind = form.get("grant_type", "").rpartition(":")[2]
        self.grants[kind] += 1
        if kind in self.fails:
            error, told, status = self.fails[kind]
            raise Refused(error, told, status)
        match kind:
            case "client_credentials":
                return self._for_app(form, endpoint)
            case "device_code":
                return self._for_device(form)
            case "refresh_token":
                return self._for_refresh_token(form)
            case "authorization_code":
                return self._for_code(form)
            case "jwt-bearer":
                return self._for_assertion(form, endpoint)
        raise Refused("unsupported_grant_type", "AADSTS70003: The grant type is not supported.")

    def _for_app(self, form: dict[str, str], endpoint: str) -> dict[str, object]:
        client = form.get("client_id", "")
        if client == SECRET_APP:
            if form.get("client_secret") != SECRET:
                told = f"AADSTS7000215: Invalid client secret provided. Ensure it is the value, for app '{client}'."
                raise Refused("invalid_client", told, 401)
        elif client == CERTIFICATE_APP:
            self._check_assertion(form, endpoint)
        else:
            raise Refused("unauthorized_client", _NO_APP.format(client))
        if not form["scope"].endswith("/.default"):
            raise Refused("invalid_scope", "AADSTS1002012: The provided value for scope is not valid.")
        return self._given(Grant("", form["scope"], client, 0), refresh=False)

    def _check_assertion(self, form: dict[str, str], endpoint: str) -> None:
        assert self.certificate is not None
        if form.get("client_assertion_type") != JWT_BEARER:
            raise Refused("invalid_client", "AADSTS7000218: The request body must contain client_assertion.", 401)
        assertion = form["client_assertion"]
        thumb = base64.urlsafe_b64encode(self.certificate.fingerprint(SHA256())).rstrip(b"=").decode()
        try:
            shown = str(jwt.get_unverified_header(assertion).get("x5t#S256", ""))
            if shown.rstrip("=") != thumb:  # msal 1.39 leaves the padding on, which Microsoft takes
                raise jwt.InvalidTokenError("another certificate")
            claims = jwt.decode(
                assertion,
                self.certificate.public_key(),  # type: ignore[arg-type]
                algorithms=["PS256"],
                audience=endpoint,
                issuer=CERTIFICATE_APP,
                options={"require": ["exp", "jti", "sub"]},
            )
        except jwt.InvalidTokenError:
            told = "AADSTS700027: The certificate with identifier used to sign the client assertion is not registered."
            raise Refused("invalid_client", told, 401) from None
        assert claims["sub"] == CERTIFICATE_APP

    def _for_device(self, form: dict[str, str]) -> dict[str, object]:
        device = self.devices.get(form.get("device_code", ""))
        if device is None or device.client != form.get("client_id"):
            raise Refused("bad_verification_code", "AADSTS70018: Invalid verification code.")
        if device.client == SECRET_APP and "client_secret" not in form:
            raise Refused("invalid_client", "AADSTS7000218: The request body must contain: 'client_secret'.", 401)
        now = time.time()
        self.asked_too_soon += device.last > 0 and now - device.last < self.interval_s - 0.1
        device.last, device.looks = now, device.looks + 1
        if now > device.ends:
            raise Refused("expired_token", "AADSTS70020: The provided device code has expired.")
        if self.slow_downs > 0:
            self.slow_downs -= 1
            raise Refused("slow_down", "AADSTS70021: You are polling too quickly.")
        if device.looks <= self.after_looks:
            raise Refused("authorization_pending", "AADSTS70016: Authorization is pending. Continue polling.")
        if self.says:
            raise Refused(self.says, "AADSTS70022: The user said no.")
        del self.devices[form["device_code"]]
        return self._given(Grant(self.person, device.scope, device.client, 0), refresh=True)

    def _for_refresh_token(self, form: dict[str, str]) -> dict[str, object]:
        self._check_client(form)
        grant = self.refresh_tokens.get(form.get("refresh_token", ""))
        if grant is None or not grant.alive or grant.client != form["client_id"]:
            told = "AADSTS700082: The refresh token has expired due to inactivity."
            raise Refused(
                "invalid_grant", told if form["client_id"] == PUBLIC else "Token has been expired or revoked."
            )
        if self.rotate and self.forgets:
            grant.alive = False
        scope = form.get("scope", grant.scope)
        if form["client_id"] == PUBLIC:
            _one_resource(scope)
        return self._given(Grant(grant.user, scope, grant.client, 0), refresh=self.rotate)

    def _for_code(self, form: dict[str, str]) -> dict[str, object]:
        self._check_client(form)
        grant, asked = self.codes.pop(form.get("code", ""), (None, {}))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if grant is None or grant.ends < time.time():
            raise Refused("invalid_grant", "Malformed auth code.")
        if asked["code_challenge"] != challenge.rstrip(b"=").decode() or asked["redirect_uri"] != form["redirect_uri"]:
            raise Refused("invalid_grant", "Invalid code verifier.")
        offline = asked.get("access_type") == "offline" and asked.get("prompt") == "consent"
        return self._given(grant, refresh=offline and self.gives_refresh_token)

    def _check_client(self, form: dict[str, str]) -> None:
        client = form.get("client_id")
        if client == DESKTOP and form.get("client_secret") != DESKTOP_SECRET:
            raise Refused("invalid_client", "Unauthorized", 401)
        if client not in (DESKTOP, PUBLIC):
            raise Refused("unauthorized_client", _NO_APP.format(client))

    def _for_assertion(self, form: dict[str, str], endpoint: str) -> dict[str, object]:
        try:
            claims = jwt.decode(
                form["assertion"], self.service_key, algorithms=["RS256"], audience=endpoint, issuer=SERVICE
            )
        except jwt.InvalidTokenError:
            raise Refused("invalid_grant", "Invalid JWT Signature.") from None
        if claims["exp"] - claims["iat"] > LONGEST_ASSERTED_S:
            raise Refused("invalid_grant", "Invalid JWT: Token must be a short-lived token.")
        if not claims["sub"].endswith("@example.test"):
            raise Refused("invalid_grant", "Invalid email or User ID")
        if claims["scope"] in self.unticked:
            told = "Client is unauthorized to retrieve access tokens using this method, or not for any of the scopes."
            raise Refused("unauthorized_client", told, 401)
        return self._given(Grant(claims["sub"], claims["scope"], SERVICE, 0), refresh=False)

    def _given(self, grant: Grant, *, refresh: bool) -> dict[str, object]:
        token = "access-" + secrets.token_urlsafe(24)
        grant.ends = time.time() + self.lasts_s
        self.tokens[token] = grant
        answer: dict[str, object] = {
            "token_type": "Bearer",
            "scope": grant.scope,
            "expires_in": self.lasts_s,
            "access_token": token,
        }
        if grant.user and grant.client != SERVICE:
            answer["id_token"] = self._id_token(grant)
            answer["client_info"] = _base64(json.dumps({"uid": grant.user.replace("@", "."), "utid": TENANT}).encode())
        if refresh:
            refresh_token = "refresh-" + secrets.token_urlsafe(24)
            self.refresh_tokens[refresh_token] = Grant(grant.user, grant.scope, grant.client, 0)
            answer["refresh_token"] = refresh_token
        return answer

    def _id_token(self, grant: Grant) -> str:
        claims = {
            "iss": f"{self.url}/{TENANT}/v2.0",
            "aud": grant.client,
            "sub": grant.user,
            "oid": grant.user,
            "preferred_username": grant.user,
            "email": grant.user,
            "iat": int(time.time()),
            "exp": int(time.time()) + 3600,
        }
        return jwt.encode(claims, "k" * 32, "HS256")


_NO_APP = "AADSTS700016: Application with identifier '{}' was not found in the directory 'Desk'."


def _one_resource(scope: str) -> None:
    resources = {each.rpartition("/")[0] for each in scope.split() if each.startswith("https://")}
    if len(resources) != 1:
        raise Refused(
            "invalid_request", f"AADSTS28000: Provided value for scope is not valid, {len(resources)} resources."
        )


def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def _base64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


@contextmanager
def running_oauth(authority: Authority) -> Iterator[OAuthFake]:
    """Serve on `https://localhost:PORT` with a certificate of our authority."""
    fake = OAuthFake()
    with running(fake.server, authority):
        yield fake


@contextmanager
def dovecot_that_asks(fake: OAuthFake, authority: Authority) -> Iterator[Dovecot]:
    """A Dovecot that takes tokens (XOAUTH2), and asks the fake about each; and passwords as ever."""
    folder = Path(tempfile.mkdtemp(prefix="oauth-"))  # the server reads it as another user
    try:
        folder.chmod(0o755)
        shutil.copy(authority.ca_file, folder / "ca.pem")
        (folder / "oauth2.conf").write_text(
            f"introspection_mode = get\nintrospection_url = {fake.url}/introspect?token=\nusername_attribute = email\n"
            f"active_attribute = active\nactive_value = true\ntls_ca_cert_file = {folder}/ca.pem\n"
        )
        for path in folder.iterdir():
            path.chmod(0o644)
        passdb = f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2\n  args = {folder}/oauth2.conf\n}}"
        more = f"auth_mechanisms = plain login xoauth2\nauth_cache_size = 0\n{passdb}"
        with running_dovecot(authority=authority, more=more) as server:
            yield server
    finally:
        shutil.rmtree(folder)
