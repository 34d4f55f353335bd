"""Signing in on the command line, both ways, and a worker that reads and sends with the tokens; against a fake."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.site import Site, _environment, mail, make_site, running, wait_for
from tests.servers import dovecot as dovecot_server
from tests.servers.certificates import Authority
from tests.servers.dovecot import Dovecot
from tests.servers.oauth import (
    DESKTOP,
    DESKTOP_SECRET,
    PUBLIC,
    SECRET,
    SECRET_APP,
    TENANT,
    OAuthFake,
    dovecot_that_asks,
    running_oauth,
)
from tests.servers.smtp import SmtpServer
from triaged.backends.web import Web
from triaged.log.alerts import alerts


@pytest.fixture
def oauth(authority: Authority) -> Iterator[OAuthFake]:
    with running_oauth(authority) as fake:
        yield fake


def sign_in(fake: OAuthFake, authority: Authority, kind: str, more: str) -> str:
    tenant = f'tenant = "{TENANT}"\n' if kind == "microsoft" else ""
    return (
        f'[[sign_in]]\nname = "{kind}"\nkind = "{kind}"\n{tenant}authority = "{fake.url}"\n'
        f'ca_file = "{authority.ca_file}"\n{more}\n\n'
    )


def imap(sign_in: str, *, port: int = 993, ca_file: object = "", name: str = "desk") -> str:
    return (
        f'[[mailbox]]\nname = "{name}"\nkind = "imap"\naddress = "{name}@example.test"\nhost = "localhost"\n'
        f'port = {port}\nuser = "{name}@example.test"\nsign_in = "{sign_in}"\nca_file = "{ca_file}"\n'
        "poll_s = 60\ntimeout_s = 10\n"
    )


@pytest.fixture
def site(oauth: OAuthFake, authority: Authority, tmp_path: Path) -> Site:
    """Mailbox `desk` by Microsoft (a person), `ann` by Google (a person), `bob` by an app."""
    (tmp_path / "site/secrets").mkdir(parents=True)
    (tmp_path / "site/secrets/app").write_text(SECRET)
    (tmp_path / "site/secrets/desktop").write_text(DESKTOP_SECRET)
    app = sign_in(oauth, authority, "microsoft", f'client_id = "{SECRET_APP}"\nsecret_file = "secrets/app"')
    mailboxes = (
        sign_in(oauth, authority, "microsoft", f'client_id = "{PUBLIC}"')
        + sign_in(oauth, authority, "google", f'client_id = "{DESKTOP}"\nsecret_file = "secrets/desktop"')
        + app.replace('name = "microsoft"', 'name = "app"')
        + imap("microsoft")
        + imap("google", name="ann")
        + imap("app", name="bob")
    )
    (tmp_path / "site/secrets").rename(tmp_path / "secrets")
    (tmp_path / "site").rmdir()
    made = make_site(tmp_path / "site", mailboxes=mailboxes, accounts=False)
    for name in ("app", "desktop"):
        (tmp_path / "secrets" / name).rename(made.folder / "secrets" / name)
        (made.folder / "secrets" / name).chmod(0o600)
    return made


def kept(site: Site, name: str) -> dict[str, object]:
    file = site.folder / "state/sign-in" / f"{name}.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found: dict[str, object] = json.loads(file.read_text())
    return found


def says_no_secret(oauth: OAuthFake, text: str) -> None:
    assert [secret for secret in oauth.everything_secret() if secret in text] == []


def test_at_microsoft_by_a_code(site: Site, oauth: OAuthFake) -> None:
    done = site.triaged("login", "microsoft")
    assert done.returncode == 0, done.stderr
    assert f"    {oauth.url}/devicelogin\n" in done.stdout
    assert "    ABCD-1001\n" in done.stdout
    assert "✓ desk@example.test is signed in to microsoft\n" in done.stdout
    assert done.stderr == ""
    assert kept(site, "microsoft")["account"] == "desk@example.test"
    assert oauth.asked_too_soon == 0
    says_no_secret(oauth, done.stdout + done.stderr)


def test_by_the_mailboxs_name_for_programs(site: Site, oauth: OAuthFake) -> None:
    oauth.person = "boss@example.test"
    done = site.triaged("login", "desk", "--json")
    assert done.returncode == 0, done.stderr
    first, last = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["sign_in"], first["visit"], first["code"]) == (
        "microsoft",
        f"{oauth.url}/devicelogin",
        "ABCD-1001",
    )
    assert last == {"sign_in": "microsoft", "signed_in": "boss@example.test"}
    assert "mailbox desk is that of desk@example.test, and boss@example.test signed in" in done.stderr
    assert "shared mailbox" in done.stderr


@pytest.mark.parametrize(("says", "words"), [("authorization_declined", "said no"), ("expired_token", "in time")])
def test_a_person_who_does_not(site: Site, oauth: OAuthFake, says: str, words: str) -> None:
    oauth.says = says
    done = site.triaged("login", "microsoft")
    assert done.returncode == 1
    assert words in done.stderr
    assert not (site.folder / "state/sign-in/microsoft.json").exists()


def test_where_there_is_nothing_to_sign_in_to(site: Site, oauth: OAuthFake) -> None:
    done = site.triaged("login", "bob")
    assert done.returncode == 1
    assert "nobody needs to sign in to app: it proves itself by its secret; triaged check --connect tries it" in (
        " ".join(done.stderr.split())
    )
    for name, words in (("microsft", "did you mean 'microsoft'?"), ("lena", "uses no [[sign_in]]")):
        done = site.triaged("login", name)
        assert done.returncode == 2
        assert words in " ".join(done.stderr.replace("│", " ").split())
    assert oauth.grants.total() == 0


@pytest.mark.parametrize("elsewhere", [False, True], ids=["browser here", "browser elsewhere"])
def test_at_google_by_a_browser(site: Site, oauth: OAuthFake, authority: Authority, elsewhere: bool) -> None:
    oauth.person = "ann@example.test"
    command = [sys.executable, "-m", "triaged", "login", "ann", "--config", str(site.config)]
    process = subprocess.Popen(
        command,
        cwd=site.folder,
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    while (found := re.search(r"^    (https://\S+)$", said, re.MULTILINE)) is None:
        line = process.stdout.readline()
        assert line != "", said
        said += line
    web = Web("Google", ca_file=str(authority.ca_file), timeout_s=5)
    back = web.request("GET", found[1], accept=(302,)).headers["Location"]
    if elsewhere:
        said_after, errors = process.communicate(f"{back}\n", timeout=60)
    else:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(back, timeout=10) as page:
            assert b"Thank you" in page.read()
        said_after, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "✓ ann@example.test is signed in to google" in said_after
    assert errors == ""
    assert kept(site, "google")["account"] == "ann@example.test"
    says_no_secret(oauth, said + said_after)


# --- check ---------------------------------------------------------------------------------------------------------


def changed(site: Site, old: str, new: str) -> None:
    text = site.config.read_text()
    assert text.count(old) == 1, old
    site.config.write_text(text.replace(old, new))


def test_check_names_who_must_sign_in_and_what_has_ended(site: Site, oauth: OAuthFake) -> None:
    today = datetime.now(UTC).date()
    ended, soon, later = (today + timedelta(days=days) for days in (-1, 10, 30))
    changed(site, 'secret_file = "secrets/app"', f'secret_file = "secrets/app"\nsecret_ends = {ended}')
    done = site.triaged("check")
    assert done.returncode == 2
    problems = [line.removeprefix("✗ ") for line in done.stderr.splitlines() if line.startswith("✗ ")]
    assert problems[:3] == [
        "sign-in microsoft: nobody has signed in yet; type: triaged login microsoft",
        "sign-in google: nobody has signed in yet; type: triaged login google",
        f"sign-in app: its secret ended on {ended:%d %B %Y}; make a new one where the app is registered and put it in "
        "place of the old (docs/sign-in.md)",
    ]
    folder = site.folder / "state/sign-in"
    folder.mkdir(parents=True, mode=0o700)
    for name, client in (("microsoft", PUBLIC), ("google", DESKTOP)):
        (folder / f"{name}.json").touch(mode=0o600)
        (folder / f"{name}.json").write_text(json.dumps({"account": "x", "client_id": client, "held": {}}))
    changed(site, f"secret_ends = {ended}", f"secret_ends = {soon}")
    done = site.triaged("check")
    assert done.returncode == 0, done.stderr
    assert f"sign-in app: its secret ends on {soon:%d %B %Y}" in done.stderr
    changed(site, f"secret_ends = {soon}", f"secret_ends = {later}")
    (folder / "google.json").chmod(0o644)
    done = site.triaged("check")
    assert done.returncode == 0, done.stderr
    assert "its secret" not in done.stderr
    assert "google.json" in done.stderr  # others may open it
    assert oauth.grants.total() == 0


# --- a worker ------------------------------------------------------------------------------------------------------


@pytest.fixture
def dovecot_by_token(oauth: OAuthFake, authority: Authority) -> Iterator[Dovecot]:
    if not dovecot_server.is_installed():
        if os.environ.get("CI") == "true":
            pytest.fail(dovecot_server.NEEDS)
        pytest.skip(dovecot_server.NEEDS)
    with dovecot_that_asks(oauth, authority) as server:
        yield server


def test_a_worker_reads_and_answers_with_tokens_until_they_are_withdrawn(
    dovecot_by_token: Dovecot, smtp_server: SmtpServer, oauth: OAuthFake, authority: Authority, tmp_path: Path
) -> None:
    def user_of(token: str) -> str | None:
        grant = oauth.user_of(token)
        return grant.user if grant is not None else None

    smtp_server.user_of = user_of
    outgoing = (
        f'[outgoing]\nkind = "smtp"\nhost = "localhost"\nport = {smtp_server.port}\nuser = "desk@example.test"\n'
        f'sign_in = "microsoft"\nca_file = "{authority.ca_file}"\nmessage_id_domain = "desk.example"\n'
    )
    mailbox = imap("microsoft", port=dovecot_by_token.imaps_port, ca_file=authority.ca_file)
    site = make_site(
        tmp_path / "site",
        mailboxes=sign_in(oauth, authority, "microsoft", f'client_id = "{PUBLIC}"') + mailbox,
        outgoing=outgoing,
    )
    done = site.triaged("run", "--once")
    assert done.returncode == 2
    assert "mailbox desk: sign-in microsoft: nobody has signed in yet; type: triaged login microsoft" in done.stderr
    assert site.triaged("login", "microsoft").returncode == 0
    dovecot_by_token.deliver(mail("Our figures"), sender="ann@example.test")
    with running(site):
        row = wait_for(lambda: site.ended("Our figures"), "a mail read and answered")
    assert ("ack", "done") in row.effects
    assert len(smtp_server.mails) == 1
    assert len(smtp_server.token_logins) >= 1
    assert oauth.grants["device_code"] == 2
    assert oauth.grants["refresh_token"] == 0  # one token did for reading and sending, over three runs
    oauth.withdraw()
    done = site.triaged("check", "--connect")
    assert done.returncode == 1
    assert done.stdout.count("sign in again: triaged login microsoft") == 2
    says_no_secret(oauth, done.stdout + done.stderr)

    def told() -> bool:
        with closing(site.reader()) as reader:
            found = alerts(reader).get("part:mailbox desk")
        return found is not None and "sign in again: triaged login microsoft" in found.words

    with running(site, ready=False):
        wait_for(told, "an alarm that says what to type", timeout_s=90)
        parts = {part["part"]: part for part in site.status()[1]["parts"]}
    assert parts["mailbox desk"]["state"] == "trouble"
    assert "sign in again: triaged login microsoft" in parts["mailbox desk"]["detail"]
