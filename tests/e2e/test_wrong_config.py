"""A wrong site is told what is wrong, all of it, in sentences; then nothing is started, sent or logged."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import MailServers
from tests.e2e.site import MAILDIR, Site, mail, make_site, triaged
from tests.servers.dovecot import free_ports
from tests.servers.radicale import Radicale, as_ann
from tests.servers.scripted import Line, ScriptedServer, scripted_server
from triaged.worker.service import lock_state


def refused(done: subprocess.CompletedProcess[str], count: int) -> list[str]:
    """The problems that a command told before it ended with exit code 2."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("✗ ")]
    assert len(lines) == count, done.stderr
    assert f"{count} problem{'s' if count > 1 else ''}; nothing was done." in done.stderr
    return [line.removeprefix("✗ ") for line in lines]


def nothing_was_done(site: Site) -> None:
    assert site.rows() == []
    assert site.outgoing() == []
    assert [path.name for path in (site.folder / "mail/inbox/new").iterdir()] == ["1"]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = make_site(tmp_path / "site", accounts=False)
    made.drop("1", mail("A matter"))
    return made


def edited(site: Site, *changes: tuple[str, str]) -> None:
    text = site.config.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    site.config.write_text(text)


def line_of(path: Path, words: str) -> str:
    text = path.read_text()
    return f"{path}:{text[: text.index(words)].count(chr(10)) + 1}"


def test_every_mistake_of_the_file_at_once_and_no_server_is_asked(site: Site) -> None:
    def silent(line: Line, server: ScriptedServer) -> None:
        line.hear()

    with scripted_server(silent) as server:
        edited(
            site,
            ('team = "Client Desk"', 'taem = "Client Desk"'),
            ('kind = "vdir"', 'kind = "vdri"'),
            ('email = "bob@example.test"', 'email = "bob"'),
            (
                "poll_s = 1",
                f'poll_s = "often"\n\n[[mailbox]]\nname = "second"\nkind = "imap"\naddress = "a@b.test"\n'
                f'host = "imap.example.com"\nport = {server.port}\nsecurity = "none"',
            ),
        )
        told = refused(site.triaged("run", "--once"), 6)
        assert server.connections == 0
    assert told == [
        f"{line_of(site.config, words)}: {sentence}"
        for words, sentence in (
            ("[firm]", "'firm.team' is missing"),
            ("taem", "there is no key 'firm.taem'; did you mean 'team'?"),
            ("poll_s", "'mailbox.poll_s' must be a number without quotes, not 'often'"),
            (
                '[[mailbox]]\nname = "second"',
                'mailbox: security = "none" is for this machine only; use "tls" or "starttls"',
            ),
            ("email", "person.email: 'bob' is not a mail address"),
            ("calendar", "'person.calendar.kind' must be 'vdir', 'caldav', 'ews', 'graph', not 'vdri'"),
        )
    ]
    nothing_was_done(site)


def test_every_mistake_of_words_rules_and_templates_at_once_and_no_server_is_asked(site: Site) -> None:
    def silent(line: Line, server: ScriptedServer) -> None:
        line.hear()

    rules = site.folder / "rules/test.toml"
    rules.write_text(rules.read_text().replace("when.tier", "when.teir"))
    (site.folder / "templates/received.txt").write_text("Subject: Hello\n\nDear {{ contcat }},\n")
    with scripted_server(silent) as server:
        (site.folder / "secrets/near").write_text("x")
        edited(
            site,
            ("Europe/Berlin", "Europe/Berln"),
            ('"00:00-24:00"', '"00:00-25:00"'),
            ('send = "auto"', 'send = "atuo"\n\n[due]\nlow = "later"'),
            (
                'path = "mail/inbox"',
                f'path = "mail/inbox"\n\n[[mailbox]]\nname = "second"\nkind = "imap"\naddress = "a@b.test"\n'
                f'host = "localhost"\nport = {server.port}\nuser = "desk"\npassword_file = "secrets/near"',
            ),
        )
        told = "\n".join(refused(site.triaged("run", "--once"), 6))
        assert server.connections == 0
    for words in (
        "hours.timezone: 'Europe/Berln' is no time zone; write such as 'Europe/Berlin'; did you mean 'Europe/Berlin'?",
        "hours.mon-sun: '00:00-25:00' holds a time that no day has",
        "acknowledge.send: ",
        "due.low: 'later' is no span of time",
        f"{line_of(rules, 'when.teir').rpartition('/')[2]}: there is no condition 'when.teir'; did you mean 'tier'?",
        "received.txt:3: there is no variable 'contcat' here; did you mean 'contact'?",
    ):
        assert words in told
    nothing_was_done(site)


def test_servers_that_are_not_there_or_refuse_us_are_told_at_once(
    servers: MailServers, radicale: Radicale, tmp_path: Path
) -> None:
    (dead,) = free_ports(1)
    mailboxes = servers.mailbox("ann") + servers.mailbox("bob", port=dead) + MAILDIR.replace("inbox", "inbx")
    calendar = (
        f'calendar = {{ kind = "caldav", url = "{radicale.root}x/", user = "desk", password_file = "secrets/ann" }}'
    )
    outgoing = servers.outgoing().replace(f"port = {servers.smtp.port}", f"port = {dead}")
    site = make_site(tmp_path / "site", mailboxes=mailboxes, outgoing=outgoing, calendar=calendar, accounts=False)
    site.drop("1", mail("A matter"))
    (site.folder / "secrets/ann").write_text("wrong")
    expected = {
        "mailbox ann": "localhost: user name or password is refused",
        "mailbox bob": "Connection refused",
        "mailbox desk": "no such Maildir",
        "outgoing": "refused",
        "calendar of lena": "(401)",
    }
    told = refused(site.triaged("run", "--once"), len(expected))
    for line, (service, words) in zip(told, expected.items(), strict=True):
        assert line.startswith(f"{service}: ")
        assert words in line
    checked = site.triaged("check", "--connect", "--json")
    assert checked.returncode == 1, checked.stderr
    services = json.loads(checked.stdout)["services"]
    assert [each["service"] for each in services] == list(expected)
    assert all(words in each["problem"] for each, words in zip(services, expected.values(), strict=True))
    shown = site.triaged("check", "--connect")
    assert shown.returncode == 1
    assert [line for line in shown.stdout.splitlines() if line.startswith("✗ ")] == [
        f"✗ {each['service']} ({each['kind']}): {'; '.join((*each['done'], each['problem']))}" for each in services
    ]
    assert "5 of 5 do not work" in shown.stdout
    nothing_was_done(site)
    assert servers.smtp.mails == []
    (site.folder / "secrets/ann").write_text("secret")
    (site.folder / "mail/inbox").rename(site.folder / "mail/inbx")
    some = site.triaged("check", "--connect").stdout.splitlines()
    assert "✓ mailbox desk (maildir): the folder inbx is open; a mail can be read" in some
    (site.folder / "mail/inbx").rename(site.folder / "mail/inbox")
    done = site.triaged("check")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_a_calendar_of_which_only_free_busy_times_are_shown_is_none_to_book_in(
    radicale: Radicale, tmp_path: Path
) -> None:
    url = as_ann(radicale).make_calendar("shared")
    calendar = f'calendar = {{ kind = "caldav", url = "{url}", user = "desk", password_file = "secrets/desk" }}'
    site = make_site(tmp_path / "site", calendar=calendar, accounts=False)
    services = json.loads(site.triaged("check", "--connect", "--json").stdout)["services"]
    [lena] = [each for each in services if each["service"] == "calendar of lena"]
    assert lena["done"] == ["it can be read: 0 busy times in the next 7 days"]
    assert "does not let this user do that" in lena["problem"]


def _no_rules(site: Site) -> str:
    shutil.rmtree(site.folder / "rules")
    return "the folder cannot be read: No such file or directory"


def _no_mailbox(site: Site) -> str:
    text = site.config.read_text()
    site.config.write_text("mailbox = []\n" + text.replace(MAILDIR, ""))
    return "there must be at least one [[mailbox]]"


def _unwritable_state(site: Site) -> str:
    (site.folder / "state").touch()
    return "service.state_dir: "


def _no_model(site: Site) -> str:
    edited(site, ('rules_dir = "rules"', 'rules_dir = "rules"\nmodel_dir = "gone"'))
    return "service.model_dir: the model cannot be loaded"


def _syntax(site: Site) -> str:
    edited(site, ('team = "Client Desk"', "team = Client Desk"))
    return f"{line_of(site.config, 'team')}: a text needs quotes"


@pytest.mark.parametrize("spoil", [_no_rules, _no_mailbox, _unwritable_state, _no_model, _syntax])
def test_one_thing_is_wrong(site: Site, spoil: Callable[[Site], str]) -> None:
    words = spoil(site)
    (told,) = refused(site.triaged("run", "--once"), 1)
    assert words in told
    if (site.folder / "state").is_dir():
        nothing_was_done(site)


def test_no_file(tmp_path: Path) -> None:
    (told,) = refused(triaged("run", "--config", "none.toml", cwd=tmp_path), 1)
    assert told == "none.toml: there is no such file"
    assert list(tmp_path.iterdir()) == []


def test_a_second_worker_on_the_same_log(site: Site) -> None:
    with lock_state(site.folder / "state/triaged.db"):
        (told,) = refused(site.triaged("run", "--once"), 1)
        assert told.endswith("another worker runs on this state folder; stop it first")
    nothing_was_done(site)
