"""A fake of an OpenID provider: real HTTPS on loopback, discovery, keys, codes that are good once, ID tokens.

It checks what providers check: client, redirect address, PKCE, the client's secret, that a code is used once and soon.
What a test alters (`alter`, `sign`) is what a provider that is wrong, or somebody between, would do. Sources: OpenID
Connect Core 1.0 3.1.2 and 3.1.3, Discovery 1.0 3 and 4, RFC 6749 4.1, RFC 7636 4.6, RFC 7517.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.servers.certificates import Authority
from tests.servers.https import HttpsServer, Request, Response, running

CLIENT, SECRET = "triaged-desk", "s3cret of the desk/+~"
KEY_ID = "key-1"
CODE_LASTS_S = 60.0


def new_key() -> rsa.RSAPrivateKey:
    """An RSA key of 2048 bits."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class OpenIdFake:
    """claims: of who signs in at every browser. says: the error it answers with instead, `""` for none.

    alter: the claims of an ID token before it is signed; sign: how. keys: the JWKS. secret_in: how clients prove
    themselves. codes: those given, with what was asked; gone: those used.
    """

    claims: dict[str, Any] = field(default_factory=dict)
    says: str = ""
    alter: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    secret_in: str = "client_secret_basic"
    issuer: str = ""
    key: rsa.RSAPrivateKey = field(default_factory=new_key)
    codes: dict[str, tuple[dict[str, str], float]] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] = field(init=False)
    server: HttpsServer = field(init=False)

    def __post_init__(self) -> None:
        self.server = HttpsServer(self._answer, lambda request: "")
        self.sign = lambda claims: jwt.encode(claims, self.key, "RS256", headers={"kid": KEY_ID})

    @property
    def url(self) -> str:
        """The issuer."""
        return self.server.url

    def _answer(self, request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/.well-known/openid-configuration":
                return Response.of_json(self._document())
            case "GET", "/keys":
                named = {"kid": KEY_ID, "use": "sig", "alg": "RS256"}
                return Response.of_json({"keys": [RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True) | named]})
            case "GET", "/authorize":
                return self._authorized(dict(request.query))
            case "POST", "/token":
                return self._token(request)
        return Response(404)

    def _document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer or self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": [self.secret_in],
            "code_challenge_methods_supported": ["S256"],
        }

    def _authorized(self, asked: dict[str, str]) -> Response:
        """The person says yes at once, or `says`."""
        if asked.get("client_id") != CLIENT or not asked.get("redirect_uri", "").endswith("/sign-in/oidc/back"):
            return Response(400, b"no such client, or it may not send people there")
        assert asked["response_type"] == "code"
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        back = {"state": asked["state"]}
        if self.says:
            back |= {"error": self.says, "error_description": "The person said no"}
        else:
            back["code"] = secrets.token_urlsafe(16)
            self.codes[back["code"]] = (asked, time.monotonic())
        return Response(302, b"", {"Location": f"{asked['redirect_uri']}?{urlencode(back)}"})

    def _token(self, request: Request) -> Response:
        form = dict(parse_qsl(request.body.decode()))
        if self._client(request, form) != (CLIENT, SECRET):
            return Response.of_json({"error": "invalid_client"}, 401)
        asked, since = self.codes.pop(form.get("code", ""), ({}, 0.0))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            form.get("grant_type") != "authorization_code"
            or asked.get("redirect_uri") != form.get("redirect_uri")
            or asked.get("code_challenge") != base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            or time.monotonic() - since > CODE_LASTS_S
        ):
            return Response.of_json({"error": "invalid_grant", "error_description": "Code not valid"}, 400)
        now = int(time.time())
        claims = {"iss": self.issuer or self.url, "sub": "1", "aud": CLIENT, "iat": now, "exp": now + 300}
        token = self.sign(self.alter(claims | {"nonce": asked["nonce"]} | self.claims))
        return Response.of_json({"access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": token})

    def _client(self, request: Request, form: dict[str, str]) -> tuple[str, str]:
        if self.secret_in == "client_secret_post":
            return form.get("client_id", ""), form.get("client_secret", "")
        given = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        name, _, secret = given.partition(":")
        return unquote(name), unquote(secret)


@contextmanager
def running_oidc(authority: Authority) -> Iterator[OpenIdFake]:
    """Serve until the end of the block."""
    fake = OpenIdFake()
    with running(fake.server, authority):
        yield fake


def unsigned(claims: dict[str, Any]) -> str:
    """As somebody would send it who has no key: `alg` none."""
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."
