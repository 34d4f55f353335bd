"""Signing in at an OpenID provider: who gets in, and every answer that must let nobody in."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import base64url_encode
from starlette.testclient import TestClient

from tests.servers.certificates import Authority
from tests.servers.oidc import CLIENT, KEY_ID, SECRET, OpenIdFake, new_key, running_oidc, unsigned
from tests.web.site import browsing, desk_with
from triaged.log import users
from triaged.log.store import Log
from triaged.settings import Config
from triaged.web.app import build
from triaged.wire import log_path
from triaged.worker.service import utc_now

ADDRESS = "https://desk.nordlicht.example"
COOKIE, UNDER_WAY = "__Host-triaged", "__Host-triaged-under-way"


@pytest.fixture
def provider(authority: Authority) -> Iterator[OpenIdFake]:
    with running_oidc(authority) as fake:
        fake.claims = {"email": "Lena@Nordlicht.example", "email_verified": True, "preferred_username": "lena"}
        yield fake


@pytest.fixture
def config(site: Config, provider: OpenIdFake, authority: Authority) -> Config:
    """The desk knows lena by her address and by her name, a user who is disabled, and one with a password here."""
    (site.base / "desk-secret").write_text(SECRET + "\n", encoding="utf-8")
    with closing(Log(log_path(site))) as log, log.transaction():
        for name in ("lena@nordlicht.example", "lena", "gone"):
            users.put_user(log, name, role="coordinator", password="", person="", now=utc_now())
        users.disable(log, "gone", now=utc_now())
    return desk_with(
        site,
        address=ADDRESS,
        oidc_issuer=provider.url,
        oidc_client_id=CLIENT,
        oidc_secret_file="desk-secret",
        oidc_ca_file=str(authority.ca_file),
    )


@pytest.fixture
def client(config: Config) -> Iterator[TestClient]:
    with TestClient(build(config), base_url=ADDRESS, follow_redirects=False) as browser:
        yield browser


def go_there(client: TestClient, authority: Authority, back: str = "/log") -> str:
    """As the browser does: to the provider, and where it sends one back to."""
    left = client.get("/sign-in/oidc", params={"back": back})
    assert left.status_code == 303, left.text
    answer = httpx.get(left.headers["location"], verify=ssl.create_default_context(cafile=authority.ca_file))
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"]).removeprefix(ADDRESS)


def words(text: str) -> str:
    """What the page says went wrong."""
    return text.partition('role="alert">')[2].partition("</p>")[0].replace("&#39;", "'")


def test_the_page_to_sign_in_leads_to_the_provider(client: TestClient) -> None:
    page = client.get("/sign-in", params={"back": "/log?a=1&b=2"}).text
    assert "Sign in with your company account" in page
    assert 'href="/sign-in/oidc?back=/log%3Fa%3D1%26b%3D2"' in page


@pytest.mark.parametrize("claim", ["email", "preferred_username"])
@pytest.mark.parametrize("secret_in", ["client_secret_basic", "client_secret_post"])
def test_somebody_known_is_signed_in_and_sees_what_they_asked_for(
    config: Config, provider: OpenIdFake, authority: Authority, claim: str, secret_in: str
) -> None:
    provider.secret_in = secret_in
    with TestClient(build(desk_with(config, oidc_claim=claim)), base_url=ADDRESS, follow_redirects=False) as client:
        back = client.get(go_there(client, authority))
        assert (back.status_code, back.headers["location"]) == (303, "/log")
        page = client.get("/me").text
    assert f"You are signed in as {provider.claims[claim].lower()}" in page
    assert "there is no password of yours here" in page


def test_what_is_under_way_stands_in_a_cookie_of_this_host_that_ends(client: TestClient, authority: Authority) -> None:
    left = client.get("/sign-in/oidc")
    cookie = left.headers["set-cookie"].lower()
    assert cookie.startswith(f"{UNDER_WAY.lower()}=")
    assert all(each in cookie for each in ("httponly", "secure", "samesite=lax", "path=/", "max-age=600"))
    asked = {key: value[0] for key, value in parse_qs(urlsplit(left.headers["location"]).query).items()}
    assert asked["redirect_uri"] == f"{ADDRESS}/sign-in/oidc/back"
    client.get(go_there(client, authority))
    assert UNDER_WAY not in client.cookies
    assert COOKIE in client.cookies


def refused(client: TestClient, address: str, status: int = 403) -> str:
    """Nobody is signed in; what the page says."""
    answer = client.get(address)
    assert answer.status_code == status, answer.text
    assert COOKIE not in client.cookies
    assert client.get("/log").headers["location"].startswith("/sign-in")
    assert SECRET not in answer.text
    return words(answer.text)


def test_a_wrong_state_is_another_browsers(client: TestClient, authority: Authority) -> None:
    back = go_there(client, authority)
    code = parse_qs(urlsplit(back).query)["code"][0]
    assert "another browser" in refused(client, f"/sign-in/oidc/back?state=guessed&code={code}")


def test_a_link_with_somebody_elses_code_signs_in_nobody(
    config: Config, client: TestClient, authority: Authority
) -> None:
    with TestClient(build(config), base_url=ADDRESS, follow_redirects=False) as attacker:
        link = go_there(attacker, authority)
    assert "another browser" in refused(client, link)


def test_a_cookie_that_the_desk_did_not_make_is_none(client: TestClient, authority: Authority) -> None:
    back = go_there(client, authority)
    state = parse_qs(urlsplit(back).query)["state"][0]
    begun = {"state": state, "nonce": "n", "verifier": "v" * 43, "back": "/", "exp": time.time() + 600}
    for forged in (jwt.encode(begun, "guessed" * 8, "HS256"), unsigned(begun)):
        client.cookies.clear()
        client.cookies.set(UNDER_WAY, forged)
        assert "another browser" in refused(client, back)


def test_a_code_is_good_once(config: Config, client: TestClient, authority: Authority) -> None:
    back = go_there(client, authority)
    under_way = client.cookies[UNDER_WAY]
    assert client.get(back).headers["location"] == "/log"
    client.cookies.clear()
    client.cookies.set(UNDER_WAY, under_way)
    assert "Code not valid" in refused(client, back)


Claims = dict[str, Any]
ALTERED: dict[str, tuple[Callable[[Claims], Claims], str]] = {
    "another nonce": (lambda claims: claims | {"nonce": "another"}, "belongs to another sign-in"),
    "no nonce": (lambda claims: {key: claims[key] for key in claims if key != "nonce"}, "belongs to another sign-in"),
    "another program": (lambda claims: claims | {"aud": "another"}, "is for another program"),
    "two programs": (lambda claims: claims | {"aud": [CLIENT, "another"]}, "is for another program"),
    "a party that is not us": (lambda claims: claims | {"azp": "another"}, "is for another program"),
    "no audience": (lambda claims: {key: claims[key] for key in claims if key != "aud"}, "not to be trusted"),
    "another provider": (lambda claims: claims | {"iss": "https://evil.example"}, "is another provider's"),
    "too old": (lambda claims: claims | {"exp": time.time() - 120}, "came too late"),
    "without an end": (lambda claims: {key: claims[key] for key in claims if key != "exp"}, "not to be trusted"),
    "of a time to come": (lambda claims: claims | {"nbf": time.time() + 600}, "of a time to come"),
    "an address nobody verified": (lambda claims: claims | {"email_verified": False}, "has not verified"),
    "no address": (lambda claims: claims | {"email": None}, "has no email"),
    "an address that is a number": (lambda claims: claims | {"email": 7}, "has no email"),
    "nobody we know": (lambda claims: claims | {"email": "ann@client.example"}, "nobody of that name may sign in"),
    "somebody disabled": (lambda claims: claims | {"email": "gone"}, "nobody of that name may sign in"),
    "somebody with a password here": (lambda claims: claims | {"email": "otto"}, "nobody of that name may sign in"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_an_answer_that_is_not_right_signs_in_nobody(
    client: TestClient, provider: OpenIdFake, authority: Authority, what: str
) -> None:
    provider.alter, expected = ALTERED[what]
    assert expected in refused(client, go_there(client, authority))


def signed_by_the_secret(claims: Claims) -> str:
    return jwt.encode(claims, SECRET.ljust(40), "HS256", headers={"kid": KEY_ID})


def test_a_signature_that_is_not_the_providers_signs_in_nobody(
    client: TestClient, provider: OpenIdFake, authority: Authority
) -> None:
    strange = new_key()
    pem = provider.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def by_the_public_key(claims: Claims) -> str:
        """The classic: the public key taken as the secret of an HMAC (RFC 8725 2.1)."""
        head = base64url_encode(json.dumps({"alg": "HS256", "kid": KEY_ID, "typ": "JWT"}).encode())
        body = base64url_encode(json.dumps(claims).encode())
        mac = hmac.new(pem, head + b"." + body, hashlib.sha256).digest()
        return (head + b"." + body + b"." + base64url_encode(mac)).decode()

    signs: list[Callable[[Claims], str]] = [
        unsigned,
        signed_by_the_secret,
        by_the_public_key,
        lambda claims: jwt.encode(claims, strange, "RS256", headers={"kid": KEY_ID}),
        lambda claims: jwt.encode(claims, provider.key, "RS256", headers={"kid": "another"}),
        lambda claims: jwt.encode(claims, strange, "RS256"),
        lambda claims: "nonsense",
    ]
    for sign in signs:
        provider.sign = sign
        said = refused(client, go_there(client, authority))
        assert "not to be trusted" in said or "a key that it does not name" in said, said


def test_a_person_who_says_no_is_told_so(client: TestClient, provider: OpenIdFake, authority: Authority) -> None:
    provider.says = "access_denied"
    assert refused(client, go_there(client, authority)) == "You were not signed in: The person said no."


def test_a_provider_that_calls_itself_otherwise_is_named(client: TestClient, provider: OpenIdFake) -> None:
    provider.issuer = "https://evil.example"
    answer = client.get("/sign-in/oidc")
    assert answer.status_code == 409
    assert "oidc_issuer must say just that" in answer.text


def test_a_provider_that_is_away_is_named(site: Config, config: Config, provider: OpenIdFake) -> None:
    gone = desk_with(config, oidc_issuer="https://localhost:1")
    with TestClient(build(gone), base_url=ADDRESS, follow_redirects=False) as client:
        answer = client.get("/sign-in/oidc")
    assert answer.status_code == 409
    assert "nothing answers there" in answer.text


def test_a_wrong_secret_is_told_without_it(config: Config, provider: OpenIdFake, authority: Authority) -> None:
    (config.base / "desk-secret").write_text("wrong", encoding="utf-8")
    with TestClient(build(config), base_url=ADDRESS, follow_redirects=False) as client:
        assert "invalid_client" in refused(client, go_there(client, authority))


def test_without_a_provider_there_is_no_such_way(site: Config) -> None:
    with browsing(site) as browser:
        assert "company account" not in browser.get("/sign-in").text
        assert browser.get("/sign-in/oidc").status_code == 404
        assert browser.get("/sign-in/oidc/back?state=a&code=b").status_code in (403, 404)


def test_a_password_still_opens_the_desk_where_there_is_a_provider(client: TestClient) -> None:
    fields = {"name": "otto", "password": "correct horse battery"}
    assert client.post("/sign-in", data=fields, headers={"origin": ADDRESS}).headers["location"] == "/"
