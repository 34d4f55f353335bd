"""An OpenID provider's answers in, the name of who signed in there out: authorization code, PKCE, a checked ID token.

OpenID Connect Core 1.0, 3.1; Discovery 1.0; RFC 7636. PyJWT checks signature, issuer, audience and times; what it does
not know of, nonce and authorized party, is checked here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from triaged.backends.oauth.endpoint import ANSWERS, FORM, first_line, json_of
from triaged.backends.web import Web
from triaged.errors import LoginRefused, Permanent
from triaged.servers import LOOPBACK

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Of signatures by a key pair. What a secret signs is not taken, and neither is what nobody signed (RFC 8725 3.1)."""
CLOCKS_S = 60
"""Seconds by which two machines' clocks may differ."""
TIMEOUT_S = 10.0
"""Somebody sits and waits."""


@dataclass(frozen=True, slots=True)
class OpenIdProvider:
    """issuer: as the provider writes it. back: where it sends people to; claim: what is the name of a user here.

    ca_file: PEM, None for the usual authorities.
    """

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    claim: Literal["email", "preferred_username"]
    back: str
    ca_file: str | None = None

    def address(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where a browser is sent to sign in. All three: random, of this one sign-in. Raises: Transient, Permanent."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.back,
            "scope": "openid email" if self.claim == "email" else "openid profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        with closing(self._web()) as web:
            endpoint = self._endpoint(self._document(web), "authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def who(self, code: str, *, nonce: str, verifier: str) -> str:
        """The claim of who came back with this code. Raises: LoginRefused (a sentence), Transient, Permanent."""
        with closing(self._web()) as web:
            document = self._document(web)
            token = self._redeemed(web, document, code, verifier)
            keys = self._asked(web, self._endpoint(document, "jwks_uri"))
        claims = self._checked(token, keys)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise LoginRefused(f"{self._host}: its answer belongs to another sign-in; begin again")
        return self._name(claims)

    @property
    def _host(self) -> str:
        return urlsplit(self.issuer).netloc

    def _web(self) -> Web:
        return Web(self._host, ca_file=self.ca_file, timeout_s=TIMEOUT_S)

    def _asked(self, web: Web, address: str) -> dict[str, Any]:
        return json_of(web.request("GET", address, accept=(200,), headers={"Accept": "application/json"}), self._host)

    def _document(self, web: Web) -> dict[str, Any]:
        """What the provider says of itself; asked for each time, so that nothing of it is ever old."""
        document = self._asked(web, f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self.issuer:
            words = f"it calls itself {first_line(document.get('issuer'))!r}; [desk] oidc_issuer must say just that"
            raise Permanent(f"{self._host}: {words}")
        return document

    def _endpoint(self, document: Mapping[str, Any], name: str) -> str:
        address = str(document.get(name, ""))
        parts = urlsplit(address)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise Permanent(f"{self._host}: its {name} is no address that begins with https://: {first_line(address)}")
        return address

    def _redeemed(self, web: Web, document: Mapping[str, Any], code: str, verifier: str) -> str:
        """The ID token for a code. The desk proves itself as the provider wants it (OpenID Connect Core 9)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.back,
            "code_verifier": verifier,
        }
        headers = dict(FORM)
        if "client_secret_basic" in document.get("token_endpoint_auth_methods_supported", ("client_secret_basic",)):
            pair = f"{quote(self.client_id, safe='')}:{quote(self.secret, safe='')}"  # RFC 6749 2.3.1
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": self.client_id, "client_secret": self.secret}
        endpoint = self._endpoint(document, "token_endpoint")
        given = web.request("POST", endpoint, data=urlencode(form).encode(), headers=headers, accept=ANSWERS)
        answer = json_of(given, self._host)
        token = answer.get("id_token")
        if not isinstance(token, str):
            why = first_line(answer.get("error_description") or answer.get("error") or "it gave no ID token")
            raise LoginRefused(f"{self._host}: {why}")
        return token

    def _checked(self, token: str, keys: Mapping[str, Any]) -> dict[str, Any]:
        """What an ID token says, once it is known to be the provider's and for us."""
        import jwt  # it takes a while, and few need it

        sentences: dict[type[Exception], str] = {
            jwt.ExpiredSignatureError: "its answer came too late; is the clock of this machine right?",
            jwt.ImmatureSignatureError: "its answer is of a time to come; is the clock of this machine right?",
            jwt.InvalidAudienceError: "its answer is for another program; is oidc_client_id right?",
            jwt.InvalidIssuerError: "its answer is another provider's; is oidc_issuer right?",
        }
        try:
            named = jwt.get_unverified_header(token).get("kid")
            usable = [key for key in jwt.PyJWKSet.from_dict(dict(keys)).keys if key.public_key_use in (None, "sig")]
            key = next((key for key in usable if key.key_id == named), None)
            if key is None:
                raise LoginRefused(f"{self._host}: its answer is signed with a key that it does not name among its own")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self.client_id,
                issuer=self.issuer,
                leeway=CLOCKS_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except jwt.PyJWTError as error:
            words = sentences.get(type(error), f"its answer is not to be trusted ({error})")
            raise LoginRefused(f"{self._host}: {words}") from None
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", "" if several else self.client_id) != self.client_id:
            raise LoginRefused(f"{self._host}: {sentences[jwt.InvalidAudienceError]}")
        return claims

    def _name(self, claims: Mapping[str, Any]) -> str:
        name = claims.get(self.claim)
        if not isinstance(name, str) or name.strip() == "":
            words = (
                f"it does not say who you are: its ID token has no {self.claim}. Your operator can have it put there"
            )
            raise LoginRefused(f"{self._host}: {words}")
        if self.claim == "email" and claims.get("email_verified", True) not in (True, "true"):
            raise LoginRefused(f"{self._host}: it has not verified that {name} is your address")
        return name
