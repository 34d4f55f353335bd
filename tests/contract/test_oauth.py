"""Sign-ins by OAuth 2.0 against a fake of Microsoft's and Google's servers: tokens, their files, what goes wrong."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.servers.certificates import Authority
from tests.servers.dovecot import free_ports
from tests.servers.https import Fault, Request
from tests.servers.oauth import (
    CERTIFICATE_APP,
    DESKTOP,
    DESKTOP_SECRET,
    PUBLIC,
    SECRET,
    SECRET_APP,
    SERVICE,
    TENANT,
    OAuthFake,
    running_oauth,
)
from triaged.backends.oauth import google, microsoft, tokencache
from triaged.backends.oauth.google import GoogleSettings, google_tokens
from triaged.backends.oauth.microsoft import CLOUDS, MicrosoftSettings, graph_root, microsoft_tokens
from triaged.backends.oauth.pem import key_pair
from triaged.backends.oauth.tokens import SharedTokens, Token
from triaged.errors import LoginRefused, Permanent, Transient, TriagedError
from triaged.ports import SignedIn, Visit

ROOT = Path(__file__).parents[2]


@pytest.fixture
def oauth(authority: Authority) -> Iterator[OAuthFake]:
    with running_oauth(authority) as fake:
        yield fake


class Made:
    """Settings of each kind for the fake, with their files in one folder."""

    def __init__(self, fake: OAuthFake, authority: Authority, folder: Path) -> None:
        self.fake, self.folder, self.ca_file = fake, folder, str(authority.ca_file)
        (folder / "secret").write_text(SECRET + "\n")
        (folder / "desktop").write_text(DESKTOP_SECRET + "\n")

    def app(self, **changes: object) -> MicrosoftSettings:
        return self._microsoft(client_id=SECRET_APP, secret=self.folder / "secret", **changes)

    def person(self, **changes: object) -> MicrosoftSettings:
        return self._microsoft(**{"client_id": PUBLIC, **changes})

    def _microsoft(self, **changes: object) -> MicrosoftSettings:
        plain = MicrosoftSettings(
            name="ms",
            tenant=TENANT,
            client_id=PUBLIC,
            kept=self.folder / "state" / "sign-in" / "ms.json",
            authority=self.fake.url,
            ca_file=self.ca_file,
            timeout_s=5,
        )
        return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]

    def certificate(self, **changes: object) -> MicrosoftSettings:
        key, certificate = make_certificate(CERTIFICATE_APP)
        (self.folder / "pair.pem").write_bytes(key + certificate)
        self.fake.certificate = x509.load_pem_x509_certificate(certificate)
        return self._microsoft(client_id=CERTIFICATE_APP, certificate=self.folder / "pair.pem", **changes)

    def google(self, **changes: object) -> GoogleSettings:
        plain = GoogleSettings(
            name="goo",
            client_id=DESKTOP,
            kept=self.folder / "state" / "sign-in" / "goo.json",
            secret=self.folder / "desktop",
            authority=self.fake.url,
            ca_file=self.ca_file,
            timeout_s=5,
        )
        return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]

    def service(self) -> GoogleSettings:
        key = rsa.generate_private_key(65537, 2048)
        self.fake.service_key = key.public_key()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        file = {"type": "service_account", "client_email": SERVICE, "private_key_id": "k1", "private_key": pem}
        (self.folder / "service.json").write_text(json.dumps(file))
        return self.google(client_id="", secret=None, service_account=self.folder / "service.json")


@pytest.fixture
def made(oauth: OAuthFake, authority: Authority, tmp_path: Path) -> Made:
    return Made(oauth, authority, tmp_path)


def make_certificate(name: str, *, ends: datetime | None = None) -> tuple[bytes, bytes]:
    """Private key and self-signed certificate, PEM."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(ends or now + timedelta(days=9))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, certificate.public_bytes(Encoding.PEM)


def signed_in(settings: MicrosoftSettings, *resources: str) -> str:
    """Sign in by device code, without waiting; the account."""
    for step in microsoft.sign_in(settings, resources or ("mail",)):  # type: ignore[arg-type]
        if isinstance(step, SignedIn):
            return step.account
    raise AssertionError("nobody signed in")


def forgotten() -> None:
    """As after a restart of the process."""
    microsoft_tokens.cache_clear()
    google_tokens.cache_clear()


# --- one object for all threads -------------------------------------------------------------------------------------


def test_a_token_is_used_until_a_minute_before_it_ends() -> None:
    asked: list[str] = []

    def ask(refused: str) -> Token:
        asked.append(refused)
        return Token(f"t{len(asked)}", lasts_s=3600 if len(asked) != 2 else 59)

    tokens = SharedTokens(ask)
    assert [tokens.token(), tokens.token()] == ["t1", "t1"]
    assert tokens.token(refused="t1") == "t2"
    assert tokens.token() == "t3"  # t2 would have ended within the minute
    assert tokens.token(refused="t1") == "t3"  # another thread has replaced it already
    assert asked == ["", "t1", ""]


def test_threads_share_one_request_and_its_answer(made: Made) -> None:
    made.fake.server.plan = lambda request: Fault("slow", seconds=0.2) if request.path.endswith("token") else None
    tokens = microsoft_tokens(made.app(), "graph")
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: tokens.token(), range(8)))
    assert len(found) == 1
    assert made.fake.grants["client_credentials"] == 1
    assert microsoft_tokens(made.app(), "graph") is tokens
    assert microsoft_tokens(made.app(), "mail") is not tokens


def test_threads_share_one_refusal(made: Made) -> None:
    (made.folder / "secret").write_text("wrong")
    made.fake.server.plan = lambda request: Fault("slow", seconds=0.2) if request.path.endswith("token") else None
    tokens = microsoft_tokens(made.app(), "graph")

    def ask(_: int) -> str:
        with pytest.raises(LoginRefused) as caught:
            tokens.token()
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert made.fake.grants["client_credentials"] == 1


# --- Microsoft, an app ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cloud", "resource", "scope"),
    [
        ("global", "graph", "https://graph.microsoft.com/.default"),
        ("global", "mail", "https://outlook.office365.com/.default"),
        ("global", "ews", "https://mail.firm.example/.default"),
        ("usgov", "graph", "https://graph.microsoft.us/.default"),
        ("usgov-dod", "graph", "https://dod-graph.microsoft.us/.default"),
        ("china", "graph", "https://microsoftgraph.chinacloudapi.cn/.default"),
        ("china", "mail", "https://partner.outlook.cn/.default"),
    ],
)
def test_an_app_by_its_secret(made: Made, cloud: str, resource: str, scope: str) -> None:
    token = microsoft_tokens(made.app(cloud=cloud, ews_host="mail.firm.example"), resource).token()  # type: ignore[arg-type]
    grant = made.fake.user_of(token)
    assert grant is not None
    assert (grant.client, grant.scope, grant.user) == (SECRET_APP, scope, "")


def test_each_cloud_has_its_servers(made: Made) -> None:
    hosts = {name: made.app(cloud=name, authority="").server for name in CLOUDS}
    assert hosts == {
        "global": f"https://login.microsoftonline.com/{TENANT}",
        "usgov": f"https://login.microsoftonline.us/{TENANT}",
        "usgov-dod": f"https://login.microsoftonline.us/{TENANT}",
        "china": f"https://login.partner.microsoftonline.cn/{TENANT}",
    }
    assert graph_root("usgov-dod") == "https://dod-graph.microsoft.us"


def test_an_app_by_its_certificate(made: Made) -> None:
    settings = made.certificate()
    token = microsoft_tokens(settings, "graph").token()
    grant = made.fake.user_of(token)
    assert grant is not None
    assert grant.client == CERTIFICATE_APP


def test_a_new_secret_is_taken_without_a_restart(made: Made) -> None:
    (made.folder / "secret").write_text("an old one")
    with pytest.raises(LoginRefused):
        microsoft_tokens(made.app(), "graph").token()
    (made.folder / "secret").write_text(SECRET)
    forgotten()
    first = microsoft_tokens(made.app(), "graph").token()
    (made.folder / "secret").write_text("an old one")
    with pytest.raises(LoginRefused, match="AADSTS7000215"):
        microsoft_tokens(made.app(), "graph").token(refused=first)


def test_a_certificate_that_is_not_registered(made: Made) -> None:
    settings = made.certificate()
    key, certificate = make_certificate("another")
    (made.folder / "pair.pem").write_bytes(key + certificate)
    with pytest.raises(LoginRefused, match=r"not the app's, or has ended.*AADSTS700027"):
        microsoft_tokens(settings, "graph").token()


def test_a_chain_may_stand_around_our_certificate(tmp_path: Path) -> None:
    key, certificate = make_certificate("ours", ends=datetime(2031, 5, 1, tzinfo=UTC))
    _, other = make_certificate("of an authority")
    (tmp_path / "pair.pem").write_bytes(other + certificate + key)
    pair = key_pair(tmp_path / "pair.pem", sign_in="ms")
    assert (pair.certificate_pem.encode(), pair.ends) == (certificate, datetime(2031, 5, 1, tzinfo=UTC))
    assert "PRIVATE" not in repr(pair)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (None, "cannot be read"),
        (b"no PEM", "must hold, as PEM"),
        ("only the key", "must hold, as PEM"),
        ("only the certificate", "must hold, as PEM"),
        ("of two pairs", "belongs to the private key"),
    ],
)
def test_a_certificates_file_that_is_none(made: Made, octets: bytes | str | None, words: str) -> None:
    settings = made.certificate()
    assert settings.certificate is not None
    key, certificate = make_certificate("x")
    whole = {"only the key": key, "only the certificate": certificate, "of two pairs": key + make_certificate("y")[1]}
    settings.certificate.unlink()
    if octets is not None:
        settings.certificate.write_bytes(octets if isinstance(octets, bytes) else whole[octets])
    with pytest.raises(LoginRefused, match=words) as caught:
        microsoft_tokens(settings, "graph").token()
    assert "PRIVATE" not in str(caught.value)
    assert made.fake.grants.total() == 0


REFUSALS = [
    ("AADSTS7000222: The provided client secret keys are expired.", "secret has ended.*Certificates & secrets"),
    ("AADSTS65001: The user or administrator has not consented.", "Grant admin consent"),
    ("AADSTS53003: Access has been blocked by Conditional Access policies.", "Conditional Access"),
    ("AADSTS500011: The resource principal was not found.", "no Exchange Online there"),
    ("AADSTS1: Something that we have no words for {braces}.", r"no words for \{braces\}\.$"),
    ("", "invalid_client"),
]


@pytest.mark.parametrize(("told", "words"), REFUSALS, ids=[row[0][:13] for row in REFUSALS])
def test_refusals_in_plain_words(made: Made, told: str, words: str) -> None:
    made.fake.fails["client_credentials"] = ("invalid_client", told, 401)
    with pytest.raises(LoginRefused, match=words) as caught:
        microsoft_tokens(made.app(), "graph").token()
    assert str(caught.value).startswith("sign-in ms: ")
    assert "Trace ID" not in str(caught.value)


def test_an_unknown_app_and_an_unknown_tenant(made: Made) -> None:
    with pytest.raises(LoginRefused, match=r"tenant desk\.example has no app nobody; look at client_id"):
        microsoft_tokens(dataclasses.replace(made.app(), client_id="nobody"), "graph").token()
    with pytest.raises(LoginRefused, match=r"no tenant other\.example; look at tenant"):
        microsoft_tokens(made.app(tenant="other.example"), "graph").token()


# --- a server in trouble --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["app", "person", "google", "service"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("refuse", 500),
        Fault("refuse", 503),
        Fault("refuse", 429),
        Fault("lost", 504),
        Fault("cut before"),
        Fault("cut after"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status}",
)
def test_trouble_passes(made: Made, kind: str, fault: Fault) -> None:
    tokens = tokens_of_kind(made, kind)
    made.fake.server.plan = lambda request: fault if request.path.endswith("/token") else None
    made.fake.forgets = False
    with pytest.raises(Transient):
        tokens.token()
    made.fake.server.plan = lambda request: None
    forgotten()
    assert made.fake.user_of(tokens_of_kind(made, kind, sign_in=False).token()) is not None


def tokens_of_kind(made: Made, kind: str, *, sign_in: bool = True) -> SharedTokens:
    if kind == "app":
        return microsoft_tokens(made.app(), "mail")
    if kind == "person":
        if sign_in:
            signed_in(made.person())
            made.fake.end_access_tokens()
            _drop_access_tokens(made.person().kept)
        return microsoft_tokens(made.person(), "mail")
    if kind == "google":
        if sign_in:
            browsed(made)
        return google_tokens(made.google(), "mail", "")
    return google_tokens(made.service() if sign_in else made.google(
        client_id="", secret=None, service_account=made.folder / "service.json"
    ), "mail", "desk@example.test")  # fmt: skip


def _drop_access_tokens(kept: Path) -> None:
    """As if they had ended."""
    values = json.loads(kept.read_text())
    values["held"]["AccessToken"] = {}
    kept.write_text(json.dumps(values))


def test_told_to_wait_nobody_asks_meanwhile(made: Made) -> None:
    made.fake.server.plan = lambda request: Fault("refuse", 429, "7") if request.path.endswith("/token") else None
    tokens = microsoft_tokens(made.app(), "graph")
    waits = []
    for _ in range(3):
        with pytest.raises(Transient) as caught:
            tokens.token()
        waits.append(caught.value.retry_after_s or 0)
    assert waits[0] == 7
    assert all(6 < wait < 7 for wait in waits[1:])
    assert len([each for each in made.fake.server.requests if each.path.endswith("/token")]) == 1


def test_a_refusal_that_may_pass_is_transient(made: Made) -> None:
    made.fake.fails["client_credentials"] = ("temporarily_unavailable", "AADSTS90033: A transient error.", 400)
    with pytest.raises(Transient, match="cannot do it now"):
        microsoft_tokens(made.app(), "graph").token()


def test_an_answer_that_is_none_is_not_shown(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    def page(request: Request) -> Fault | None:
        return Fault("refuse", 200) if request.path.endswith("/token") else None

    made.fake.server.plan = page
    with caplog.at_level(logging.DEBUG), pytest.raises(Transient, match="no JSON"):
        microsoft_tokens(made.app(), "graph").token()


def test_nobody_is_there_and_a_certificate_of_others(made: Made, authority: Authority) -> None:
    (dead,) = free_ports(1)
    with pytest.raises(Transient):
        microsoft_tokens(made.app(authority=f"https://localhost:{dead}"), "graph").token()
    with pytest.raises(Transient, match="certificate is not accepted"):
        microsoft_tokens(made.app(ca_file=None), "graph").token()
    assert made.fake.server.requests == []


def test_the_environment_is_not_used(made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (dead,) = free_ports(1)
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{dead}")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "missing.pem"))
    monkeypatch.setenv("MSAL_FORCE_REGION", "westeurope")
    for kind in ("app", "person", "google", "service"):
        assert made.fake.user_of(tokens_of_kind(made, kind).token()) is not None


# --- Microsoft, a person --------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Attempted too soon")  # nobody waits here
def test_a_person_signs_in_by_device_code(made: Made) -> None:
    made.fake.after_looks, made.fake.slow_downs = 2, 1
    steps = list(microsoft.sign_in(made.person(), ("mail",)))
    *visits, last = steps
    assert last == SignedIn("desk@example.test")
    assert [(type(visit), visit.address, visit.code) for visit in visits if isinstance(visit, Visit)] == [
        (Visit, f"{made.fake.url}/devicelogin", "ABCD-1001")
    ] * 3
    first, slowed, _ = visits
    assert isinstance(first, Visit)
    assert isinstance(slowed, Visit)
    assert (first.wait_s, slowed.wait_s) == (1, 6)  # slow_down is five seconds more (RFC 8628 3.5)
    assert 890 < first.left_s <= 900
    before = made.fake.grants.total()
    token = microsoft_tokens(made.person(), "mail").token()
    assert made.fake.grants.total() == before  # the one that came with signing in
    grant = made.fake.user_of(token)
    assert grant is not None
    assert (grant.user, set(grant.scope.split()) >= {"https://outlook.office.com/IMAP.AccessAsUser.All"}) == (
        "desk@example.test",
        True,
    )


def test_one_consent_may_do_for_two_resources(made: Made) -> None:
    assert signed_in(made.person(), "graph", "mail") == "desk@example.test"
    assert made.fake.grants == {"device_code": 2, "refresh_token": 1}  # one look was too early
    for resource in ("graph", "mail"):
        grant = made.fake.user_of(microsoft_tokens(made.person(), resource).token())  # type: ignore[arg-type]
        assert grant is not None
        assert ("graph.microsoft.com" in grant.scope) == (resource == "graph")


def test_where_one_consent_does_not_do_another_is_asked_for(made: Made) -> None:
    made.fake.fails["refresh_token"] = ("invalid_grant", "AADSTS65001: Not consented.", 400)
    assert signed_in(made.person(), "graph", "mail") == "desk@example.test"
    assert made.fake.grants["device_code"] == 4


def test_two_accounts_in_one_sign_in_are_refused(made: Made) -> None:
    made.fake.fails["refresh_token"] = ("invalid_grant", "AADSTS65001: Not consented.", 400)
    steps = microsoft.sign_in(made.person(), ("graph", "mail"))
    while "ABCD-1002" not in str(next(steps)):
        pass
    made.fake.person = "ann@example.test"
    with pytest.raises(LoginRefused, match="two accounts signed in"):
        list(steps)
    assert not made.person().kept.exists()


@pytest.mark.parametrize(
    ("says", "words"), [("authorization_declined", "said no"), ("expired_token", "in time")], ids=["no", "too late"]
)
def test_a_person_who_does_not_sign_in(made: Made, says: str, words: str) -> None:
    made.fake.says = says
    with pytest.raises(LoginRefused, match=words):
        signed_in(made.person())
    assert not made.person().kept.exists()


def test_a_code_that_has_ended_is_not_asked_about(made: Made) -> None:
    made.fake.device_lasts_s = 0
    with pytest.raises(LoginRefused, match="in time"):
        signed_in(made.person())
    assert made.fake.grants.total() == 0


def test_an_app_without_public_flows(made: Made) -> None:
    with pytest.raises(LoginRefused, match="Allow public client flows: Yes"):
        signed_in(made.person(client_id=SECRET_APP))


def test_an_unknown_app_is_told_before_anybody_signs_in(made: Made) -> None:
    with pytest.raises(LoginRefused, match="has no app nobody"):
        signed_in(made.person(client_id="nobody"))


def newest_refresh_token(fake: OAuthFake) -> str:
    return list(fake.refresh_tokens)[-1]


def test_a_new_refresh_token_is_kept(made: Made) -> None:
    signed_in(made.person())
    tokens = microsoft_tokens(made.person(), "mail")
    found = [tokens.token()]
    for _ in range(3):
        found.append(tokens.token(refused=found[-1]))
        assert newest_refresh_token(made.fake) in made.person().kept.read_text()
    assert len(set(found)) == 4
    assert made.fake.grants["refresh_token"] == 3
    forgotten()
    made.fake.end_access_tokens()
    assert made.fake.user_of(microsoft_tokens(made.person(), "mail").token(refused=found[-1])) is not None


def test_two_programs_with_one_sign_in_do_not_end_each_others(made: Made) -> None:
    """Each refresh ends the refresh token before it, so that who reads too early is refused."""
    signed_in(made.person())
    ours, theirs = (microsoft_tokens(made.person(timeout_s=seconds), "mail") for seconds in (9, 10))
    assert ours is not theirs

    def often(tokens: SharedTokens) -> int:
        token = ""
        for _ in range(10):
            token = tokens.token(refused=token)
        return 10

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(often, (ours, theirs))) == [10, 10]


DIES = """
import os, sys
from pathlib import Path
from triaged.backends.oauth.microsoft import MicrosoftSettings, microsoft_tokens

def die(event, arguments):
    if event == "os.rename":
        os._exit(9)

sys.addaudithook(die)
name, tenant, client, kept, authority, ca_file, refused = sys.argv[1:]
settings = MicrosoftSettings(name, tenant, client, Path(kept), authority=authority, ca_file=ca_file)
microsoft_tokens(settings, "mail").token(refused=refused)
"""


def test_killed_before_the_new_one_is_on_the_disk_the_old_one_is_there(made: Made) -> None:
    made.fake.forgets = False  # as Microsoft: the old one stays good
    settings = made.person()
    signed_in(settings)
    token = microsoft_tokens(settings, "mail").token()
    before = settings.kept.read_bytes()
    command = [sys.executable, "-c", DIES, settings.name, TENANT, PUBLIC, str(settings.kept), settings.authority]
    died = subprocess.run(
        [*command, str(settings.ca_file), token], env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60
    )
    assert died.returncode == 9
    assert made.fake.grants["refresh_token"] == 1  # the server had answered
    assert settings.kept.read_bytes() == before
    assert newest_refresh_token(made.fake) in settings.kept.with_name("ms.json.new").read_text()
    forgotten()
    assert made.fake.user_of(microsoft_tokens(settings, "mail").token(refused=token)) is not None
    assert settings.kept.read_bytes() != before
    assert not settings.kept.with_name("ms.json.new").exists()


@pytest.mark.parametrize("kind", ["person", "google"])
def test_a_sign_in_that_was_withdrawn(made: Made, kind: str) -> None:
    tokens = tokens_of_kind(made, kind)
    first = tokens.token()
    made.fake.withdraw()
    name = "ms" if kind == "person" else "goo"
    with pytest.raises(LoginRefused, match=f"sign in again: triaged login {name}") as caught:
        tokens.token(refused=first)
    if kind == "google":
        assert "ends after 7 days" in str(caught.value)


# --- the file -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["person", "google"])
def kept(request: pytest.FixtureRequest, made: Made) -> tuple[Path, Callable[[], SharedTokens]]:
    """A sign-in's file, and its tokens as after a restart."""
    tokens_of_kind(made, request.param).token()

    def again() -> SharedTokens:
        forgotten()
        return tokens_of_kind(made, request.param, sign_in=False)

    return (made.person().kept if request.param == "person" else made.google().kept), again


def test_only_its_owner_may_open_it(kept: tuple[Path, Callable[[], SharedTokens]]) -> None:
    file, again = kept
    old = os.umask(0)
    try:
        again().token()
    finally:
        os.umask(old)
    names = {path.name for path in file.parent.iterdir()}
    assert names == {file.name, f"{file.name}.lock"}
    assert [stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()] == [0o600, 0o600]
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "octets", [b"", b"{", b"[]", b"{}", b'{"account": 1, "client_id": "", "held": {}}', b"\xff\xfe", None]
)
def test_a_broken_file_says_to_sign_in_again(
    kept: tuple[Path, Callable[[], SharedTokens]], octets: bytes | None
) -> None:
    file, again = kept
    if octets is None:
        file.unlink()
    else:
        file.write_bytes(octets)
    with pytest.raises(LoginRefused, match=f"type: triaged login {file.stem}"):
        again().token()


def test_a_sign_in_to_another_app_does_not_count(kept: tuple[Path, Callable[[], SharedTokens]]) -> None:
    file, again = kept
    file.write_text(file.read_text().replace(f'"client_id": "{PUBLIC}", "held"', '"client_id": "x", "held"'))
    file.write_text(file.read_text().replace(f'"client_id": "{DESKTOP}", "held"', '"client_id": "x", "held"'))
    with pytest.raises(LoginRefused, match="client_id is another one now"):
        again().token()


def test_what_cannot_be_kept_is_not_used(made: Made) -> None:
    signed_in(made.person())
    token = microsoft_tokens(made.person(), "mail").token()
    made.person().kept.with_name("ms.json.new").mkdir()
    with pytest.raises(Transient, match="cannot be kept"):
        microsoft_tokens(made.person(), "mail").token(refused=token)


def test_a_file_that_is_held_for_too_long(made: Made) -> None:
    signed_in(made.person())
    forgotten()
    settings = made.person(timeout_s=0.2)
    with tokencache.locked(settings.kept, timeout_s=1), pytest.raises(Transient, match="held by another program"):
        microsoft_tokens(settings, "mail").token()
    microsoft_tokens.cache_clear()
    assert microsoft_tokens(settings, "mail").token()


# --- Google, a person -----------------------------------------------------------------------------------------------


def browser(made: Made, address: str) -> str:
    """What a person's browser does with the address: where Google sends it to in the end."""
    from triaged.backends.web import Web

    web = Web("Google", ca_file=made.ca_file, timeout_s=5)
    return web.request("GET", address, accept=(302,)).headers["Location"]


def visit(address: str) -> None:
    import urllib.request

    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=10) as page:
        assert b"Thank you" in page.read()


def browsed(made: Made, *resources: str, settings: GoogleSettings | None = None, hint: str = "") -> str:
    """Sign in with a browser on this machine; the account."""
    done: threading.Thread | None = None
    steps = google.sign_in(settings or made.google(), resources or ("mail",), hint=hint, paste=None)  # type: ignore[arg-type]
    for step in steps:
        if isinstance(step, SignedIn):
            assert done is not None
            done.join(10)
            return step.account
        if done is None:
            done = threading.Thread(target=visit, args=(browser(made, step.address),))
            done.start()
    raise AssertionError("nobody signed in")


def test_a_person_signs_in_with_a_browser_here(made: Made) -> None:
    assert browsed(made, "mail", "calendar", hint="desk@example.test") == "desk@example.test"
    (asked,) = (dict(each.query) for each in made.fake.server.requests if each.path == "/o/oauth2/v2/auth")
    assert asked["login_hint"] == "desk@example.test"
    assert set(asked["scope"].split()) == {"openid", "email", *google.SCOPES.values()}
    assert DESKTOP_SECRET not in str(asked)
    for resource in ("mail", "calendar"):
        grant = made.fake.user_of(google_tokens(made.google(), resource, "").token())  # type: ignore[arg-type]
        assert grant is not None
        assert grant.user == "desk@example.test"


def test_a_browser_elsewhere_and_what_is_pasted(made: Made) -> None:
    notes, written = [], False
    read, write = os.pipe()
    for step in google.sign_in(made.google(), ("mail",), hint="", paste=read):
        if isinstance(step, SignedIn):
            break
        if not written:
            lines = (
                "what?",
                "",
                "http://127.0.0.1:1/?state=wrong&code=4/x",
                "http://127.0.0.1:1/?code=4/x",
                browser(made, step.address),
            )
            os.write(write, "\n".join(lines).encode())
            os.close(write)  # the last line has no end
            written = True
        notes.append(step.note)
    os.close(read)
    assert step == SignedIn("desk@example.test")
    assert [note.partition(";")[0] for note in notes] == [
        "",
        "the whole address is wanted that the browser shows at the end",
        "that address is of another sign-in",
        "that address is of another sign-in",
    ]
    assert made.fake.grants == {"authorization_code": 1}


def test_what_else_a_browser_asks_for_does_no_harm(made: Made) -> None:
    steps = google.sign_in(made.google(), ("mail",), hint="", paste=None)
    first = next(steps)
    assert isinstance(first, Visit)
    location = browser(made, first.address)
    root = location.partition("/?")[0]
    for path in ("/favicon.ico", "/?state=wrong&code=4/stolen", "/?error=access_denied&state=wrong"):
        thread = threading.Thread(target=visit, args=(root + path,))
        thread.start()
        assert isinstance(next(steps), Visit)
        thread.join(10)
    thread = threading.Thread(target=visit, args=(location,))
    thread.start()
    assert next(steps) == SignedIn("desk@example.test")
    thread.join(10)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda fake: setattr(fake, "says", "access_denied"), "the person said no"),
        (lambda fake: setattr(fake, "unticked", frozenset({google.SCOPES["mail"]})), "tick every box"),
        (lambda fake: setattr(fake, "gives_refresh_token", False), "no refresh token"),
        (lambda fake: fake.fails.update(authorization_code=("invalid_grant", "Malformed.", 400)), "Malformed"),
    ],
    ids=["denied", "unticked", "no refresh token", "refused"],
)
def test_a_person_who_does_not_give_all(made: Made, spoil: Callable[[OAuthFake], None], words: str) -> None:
    spoil(made.fake)
    with pytest.raises(LoginRefused, match=words):
        browsed(made)
    assert not made.google().kept.exists()


def test_a_resource_that_was_not_asked_for_at_the_signing_in(made: Made) -> None:
    browsed(made, "mail")
    with pytest.raises(LoginRefused, match=r"did not allow https://www\.googleapis\.com/auth/calendar; sign in again"):
        google_tokens(made.google(), "calendar", "").token()


def test_the_secret_of_a_desktop_app_is_wrong(made: Made) -> None:
    browsed(made)
    (made.folder / "desktop").write_text("wrong")
    with pytest.raises(LoginRefused, match="client_id or client secret is wrong"):
        google_tokens(made.google(), "mail", "").token()


# --- Google, a service account --------------------------------------------------------------------------------------


def test_a_service_account_acts_for_each_user(made: Made) -> None:
    settings = made.service()
    for user in ("desk@example.test", "ann@example.test"):
        grant = made.fake.user_of(google_tokens(settings, "mail", user).token())
        assert grant is not None
        assert (grant.user, grant.scope) == (user, "https://mail.google.com/")


def test_a_service_account_that_may_not(made: Made) -> None:
    settings = made.service()
    with pytest.raises(LoginRefused, match="no such user in the domain"):
        google_tokens(settings, "mail", "desk@elsewhere.test").token()
    made.fake.unticked = frozenset({google.SCOPES["calendar"]})
    with pytest.raises(LoginRefused, match="Domain-wide delegation"):
        google_tokens(settings, "calendar", "desk@example.test").token()
    made.fake.service_key = rsa.generate_private_key(65537, 2048).public_key()
    with pytest.raises(LoginRefused, match="key was deleted"):
        google_tokens(settings, "mail", "desk@example.test").token()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"client_email": "x"}', '{"client_email": "x", "private_key": "y"}'])
def test_a_key_file_that_is_none(made: Made, text: str) -> None:
    settings = made.service()
    (made.folder / "service.json").write_text(text)
    with pytest.raises(LoginRefused, match=r"service\.json is (no key|empty)"):
        google_tokens(settings, "mail", "desk@example.test").token()
    assert made.fake.grants.total() == 0


# --- nothing secret is told -----------------------------------------------------------------------------------------


def test_no_secret_stands_in_a_log_a_message_or_a_repr(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for kind in ("app", "person", "google", "service"):
            tokens = tokens_of_kind(made, kind)
            token = tokens.token()
            told += [repr(tokens), repr(vars(tokens).get("_ask")), repr(Token(token, 1))]
            made.fake.withdraw()
            for grant_type in ("client_credentials", "refresh_token", "jwt-bearer"):
                made.fake.fails[grant_type] = ("invalid_grant", "AADSTS700082: It has ended.", 400)
            with pytest.raises(TriagedError) as caught:
                tokens.token(refused=token)
            error: BaseException | None = caught.value
            while error is not None:
                told += [str(error), repr(error)]
                error = error.__context__
            made.fake.fails.clear()
        told += [repr(made.app()), repr(made.certificate()), repr(made.google())]
        told.append(repr(tokencache.read(made.person().kept, sign_in="ms", client_id=PUBLIC)))
    assert len(caplog.records) > 10
    text = caplog.text + "\n".join(told)
    secrets = made.fake.everything_secret()
    assert len(secrets) > 8
    assert [secret for secret in secrets if secret in text] == []


def test_importing_it_does_not_load_msal() -> None:
    code = "import sys, triaged.wire; print(sorted({'msal', 'jwt', 'cryptography'} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_permanent_is_kept_apart_from_a_refusal(made: Made) -> None:
    """A file that cannot be opened is mended by a person; it is tried again sooner than a login."""
    made.folder.joinpath("state").mkdir()
    made.folder.joinpath("state/sign-in").write_text("a file in the folder's place")
    with pytest.raises(Permanent, match="cannot be opened") as caught:
        microsoft_tokens(made.person(), "mail").token()
    assert not isinstance(caught.value, LoginRefused)
