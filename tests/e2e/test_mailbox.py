"""Starting on a live mailbox, comparing it with the log, and quarantine, on a real Dovecot with the real program."""

from __future__ import annotations

import json
import re
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient

from tests.e2e.conftest import MailServers
from tests.e2e.site import Site, mail, make_site, running, wait_for
from tests.servers.certificates import Authority
from tests.servers.dovecot import NEEDS, Dovecot, is_installed, running_dovecot
from triaged.log.store import Log

SENT = "Sent Items"
COMPLAINT = "Good day,\n\nthis is a formal complaint: nobody came.\n\nAnn\n"
READING = frozenset("NOOP EXAMINE UID IDLE DONE LIST CAPABILITY LOGOUT ID ENABLE".split())
"""Commands that change nothing; a UID is looked at further."""


@pytest.fixture
def told_dovecot(authority: Authority) -> Iterator[tuple[Dovecot, Path]]:
    """A Dovecot that writes down every command of a session, and where."""
    if not is_installed():
        pytest.skip(NEEDS)
    with tempfile.TemporaryDirectory(prefix="rawlog-") as folder:
        Path(folder).chmod(0o777)
        with running_dovecot(authority=authority, more=f"rawlog_dir = {folder}\n") as server:
            yield server, Path(folder)


def commands(folder: Path) -> list[str]:
    """What clients said to the server, a command each, without its tag."""
    lines = [line for file in sorted(folder.glob("*.in")) for line in file.read_bytes().splitlines()]
    return [re.sub(rb"^(\d+\.\d+ )?([A-Z]+\d+ )?", b"", line).decode() for line in lines if line.strip()]


def whole_state(client: IMAPClient) -> dict[str, Any]:
    """Folders, their UIDs, flags and modification sequences."""
    found: dict[str, Any] = {}
    for _, _, folder in client.list_folders():
        client.select_folder(folder, readonly=True)
        facts = client.fetch(client.search(), ["FLAGS", "MODSEQ", "INTERNALDATE"])
        found[str(folder)] = {
            uid: (set(each[b"FLAGS"]) - {b"\\Recent"}, each[b"MODSEQ"], each[b"INTERNALDATE"])
            for uid, each in facts.items()
        }
    client.unselect_folder()
    return found


def answer_of_a_person(asked: str, *, to: str = "ann@example.test") -> bytes:
    answer = EmailMessage()
    answer["From"], answer["To"] = "Client Desk <desk@example.test>", to
    answer["Subject"], answer["Message-ID"] = "Re: hello", f"<re.{asked[1:-1]}>"
    answer["In-Reply-To"] = answer["References"] = asked
    answer.set_content("We look into it.")
    return answer.as_bytes()


def effects(site: Site, subject: str) -> dict[str, str]:
    row = site.row(subject)
    assert row is not None, subject
    return dict(row.effects)


def test_observing_changes_nothing(told_dovecot: tuple[Dovecot, Path], servers: MailServers, tmp_path: Path) -> None:
    server, rawlog = told_dovecot
    told = MailServers(server, servers.smtp)
    mailbox = told.mailbox(more='file_into = "Done"')
    site = make_site(tmp_path, mailboxes=mailbox, outgoing=told.outgoing(more='keep_sent_in = "desk"'), observed=True)
    with server.client() as client:
        client.append("INBOX", mail("Our figures"), flags=[b"\\Flagged"])
        client.append("INBOX", mail("Nobody came", COMPLAINT), flags=[b"\\Seen"])
        client.append("INBOX", mail("A robot", more="Auto-Submitted: auto-generated\n"))
        client.append(SENT, answer_of_a_person("<Nobody.came.1@client.example>"))
        before = whole_state(client)
    for file in rawlog.iterdir():
        file.unlink()
    with running(site):
        wait_for(lambda: len(site.rows()) == 3 or None, "all three are logged")
        assert site.triaged("mailbox", "report", "desk").returncode == 0
        assert site.triaged("reconcile").returncode == 0
    said = commands(rawlog)
    assert sum(line.startswith("EXAMINE") for line in said) > 3
    assert sum(line.startswith("UID FETCH") for line in said) > 3
    assert {line.split()[0].upper() for line in said} <= READING, said
    for line in said:
        if line.startswith("UID"):
            assert re.match(
                r"UID (SEARCH|FETCH [0-9,:]+ \((RFC822.SIZE INTERNALDATE|INTERNALDATE\)|(INTERNALDATE )?BODY.PEEK\[))",
                line,
            )
    with server.client() as client:
        assert whole_state(client) == before
    assert servers.smtp.mails == []
    assert list((tmp_path / "calendars/lena").iterdir()) == []
    assert effects(site, "Nobody came") == dict.fromkeys(("ack", "call", "notify", "file"), "observed")
    assert effects(site, "Our figures") == {"ack": "observed", "file": "observed"}
    assert effects(site, "A robot") == {"file": "observed"}


def test_enabling_releases_exactly_what_is_shown(servers: MailServers, tmp_path: Path) -> None:
    site = make_site(tmp_path, mailboxes=servers.mailbox(), outgoing=servers.outgoing(), calendar="", observed=True)
    site.config.write_text(site.config.read_text().replace('send = "auto"', 'send = "auto"\nmax_age_h = 72'))
    now = datetime.now(UTC)
    ages_h = {"Before": 5, "Answered": 2, "Too old": 3, "Young": 1, "Younger": 0.1}
    with servers.imap.client() as client:
        for subject, hours in ages_h.items():
            octets = mail(subject, message_id=f"<{subject.replace(' ', '.')}@client.example>")
            client.append("INBOX", octets, msg_time=now - timedelta(hours=hours))
        robot = mail("Robot", more="Auto-Submitted: auto-generated\n")
        client.append("INBOX", robot, msg_time=now - timedelta(hours=1))
        site.run_once()
        client.append(SENT, answer_of_a_person("<Answered@client.example>"))
        # An automatic answer is nobody's; the client's own second mail is no answer either.
        by_machine = b"Auto-Submitted: auto-replied\r\n" + answer_of_a_person("<Young@client.example>")
        client.append(SENT, by_machine)
        client.create_folder("Trash")
        client.append("Trash", b"From: ann@example.test\r\nIn-Reply-To: <Younger@client.example>\r\n\r\nand?\r\n")
    assert {subject: effects(site, subject) for subject in ages_h} == {key: {"ack": "observed"} for key in ages_h}

    since = (now - timedelta(hours=4)).isoformat()
    site.config.write_text(site.config.read_text().replace("max_age_h = 72", "max_age_h = 2.5"))
    refused = site.triaged("mailbox", "enable", "desk", "--from", since)
    assert refused.returncode == 1
    assert "2 acknowledgements to clients" in refused.stdout
    assert "--yes" in refused.stderr
    assert [json.loads(site.triaged("mailbox", "list", "--json").stdout)["mode"]] == ["observed"]
    site.run_once()
    assert servers.smtp.mails == []

    done = site.triaged("mailbox", "enable", "desk", "--from", since, "--yes")
    assert done.returncode == 0, done.stderr
    left_out = [line for line in done.stdout.splitlines() if line.startswith("left out")]
    assert [("Answered" in line, "Too old" in line) for line in left_out] == [(False, True), (True, False)]
    assert "is older than 2.5 hours" in left_out[0]
    assert "was answered" in left_out[1]
    assert "let go: 2 owed" in done.stdout
    site.run_once()
    assert sorted(taken.octets.split(b"In-Reply-To: ")[1].split(b"\r\n")[0] for taken in servers.smtp.mails) == [
        b"<Young@client.example>",
        b"<Younger@client.example>",
    ]
    assert {subject: effects(site, subject)["ack"] for subject in ages_h} == {
        "Before": "observed",
        "Answered": "observed",
        "Too old": "observed",
        "Young": "done",
        "Younger": "done",
    }
    again = site.triaged("mailbox", "enable", "desk", "--from", since, "--yes")
    assert "Nothing that was observed leaves now" in again.stdout
    site.run_once()
    assert len(servers.smtp.mails) == 2


def test_new_mail_of_an_enabled_mailbox_is_answered_and_older_mail_is_not(servers: MailServers, tmp_path: Path) -> None:
    site = make_site(tmp_path, mailboxes=servers.mailbox(), outgoing=servers.outgoing(), calendar="", observed=True)
    done = site.triaged("mailbox", "enable", "desk", "--yes")
    assert done.returncode == 0, done.stderr
    with servers.imap.client() as client:
        client.append("INBOX", mail("Older"), msg_time=datetime.now(UTC) - timedelta(hours=1))
        client.append("INBOX", mail("Newer"), msg_time=datetime.now(UTC) + timedelta(seconds=2))
    site.run_once()
    assert effects(site, "Older") == {"ack": "dropped"}
    assert effects(site, "Newer") == {"ack": "done"}
    (listed,) = (json.loads(line) for line in site.triaged("mailbox", "list", "--json").stdout.splitlines())
    assert (listed["mode"], listed["mails"], listed["acknowledged"]) == ("enabled", 2, 1)
    assert site.triaged("mailbox", "observe", "desk").returncode == 0
    with servers.imap.client() as client:
        client.append("INBOX", mail("Newest"))
    site.run_once()
    assert effects(site, "Newest") == {"ack": "observed"}
    assert len(servers.smtp.mails) == 1
    assert site.triaged("mailbox", "enable", "dsek", "--yes").returncode == 2


def test_the_shadow_report(servers: MailServers, tmp_path: Path) -> None:
    site = make_site(tmp_path, mailboxes=servers.mailbox(), outgoing=servers.outgoing(), calendar="", observed=True)
    with servers.imap.client() as client:
        when = datetime.now(UTC) - timedelta(hours=2)
        for subject, sender in (
            ("Both", "ann@example.test"),
            ("Only <script>ours</script>", "ann@example.test"),
            ("Only people", "stranger@elsewhere.example"),
            ("Neither", "stranger@elsewhere.example"),
        ):
            octets = mail(subject, COMPLAINT, sender=sender, message_id=f"<{subject.split()[-1][:7]}@client.example>")
            client.append("INBOX", octets, msg_time=when)
        site.run_once()
        for asked, to in (("Both", "ann@example.test"), ("people", "stranger@elsewhere.example")):
            answer = answer_of_a_person(f"<{asked}@client.example>", to=to)
            client.append(SENT, answer, msg_time=when + timedelta(minutes=90))
        client.create_folder("Complaints")
        client.select_folder("INBOX")
        client.move(client.search(["SUBJECT", "Both"]), "Complaints")
        client.unselect_folder()
    done = site.triaged("mailbox", "report", "desk", "--since", "1d", "--json", "--html", str(tmp_path / "shadow.html"))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["meetings"] == {"both": 1, "neither": 1, "only_people": 1, "only_triaged": 1}
    assert report["observed"] == 4
    assert report["median_answer_s"] == 90 * 60
    rows = {row["subject"]: row for row in report["mails"]}
    assert rows["Both"]["folder"] == "Complaints"
    assert [words.split()[0] for words in rows["Both"]["would"][:2]] == ["acknowledgement", "note"]
    assert rows["Neither"]["folder"] == "INBOX"
    assert "No rule asks" in rows["Only people"]["reason"]
    page = (tmp_path / "shadow.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;ours" in page
    assert re.search(r"""(src|href)=|url\(|@import""", page) is None
    shown = site.triaged("mailbox", "report", "desk").stdout
    assert "People answered 1 mail that triaged would not acknowledge. 1: No rule asks for an acknowledgement." in shown
    assert "People took 1 h 30 min to answer" in shown
    with servers.imap.client() as client:
        client.delete_folder("Complaints")


def test_reconcile_names_what_has_no_row(servers: MailServers, tmp_path: Path) -> None:
    site = make_site(
        tmp_path, mailboxes=servers.mailbox(), outgoing=servers.outgoing(more='keep_sent_in = "desk"'), calendar=""
    )
    with servers.imap.client() as client:
        for number in range(6):
            client.append("INBOX", mail(f"Matter {number}"))
        site.run_once()
        done = site.triaged("reconcile", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        result = json.loads(done.stdout)
        assert (result["whole"], result["on_server"], result["with_row"], result["missing"]) == (True, 6, 6, [])
        assert result["sent"] == {"done": 6, "not_found": [], "unmatched": []}

        # People delete one and move one; a copy vanishes from Sent, and a mail of ours is there that is not done.
        client.select_folder("INBOX")
        first, second, third = client.search()[:3]
        client.delete_messages([first])
        client.expunge()
        client.create_folder("Elsewhere")
        client.move([second], "Elsewhere")
        client.select_folder(SENT)
        client.delete_messages([client.search()[0]])
        client.expunge()
        client.unselect_folder()
        validity = client.folder_status("INBOX", ["UIDVALIDITY"])[b"UIDVALIDITY"]
    log = Log(tmp_path / "state/triaged.db")
    with log.transaction():
        log.db.execute("DELETE FROM locator WHERE key = ?", (f"{validity}/{third}",))
        log.db.execute("UPDATE effect SET state = 'person' WHERE id = (SELECT max(id) FROM effect)")
    log.close()
    before = (tmp_path / "state/triaged.db").read_bytes()
    done = site.triaged("reconcile", "--mailbox", "desk", "--json")
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert [(each["key"], each["why"]) for each in result["missing"]] == [(f"{validity}/{third}", "lost")]
    assert result["gone"] == {"moved to Elsewhere by people": 1, "deleted, or moved to another mailbox": 1}
    assert (len(result["sent"]["not_found"]), len(result["sent"]["unmatched"])) == (1, 1)
    shown = site.triaged("reconcile")
    assert shown.returncode == 1
    assert f"{validity}/{third}  LOST" in shown.stdout
    assert "Matter 2" in shown.stdout
    assert (tmp_path / "state/triaged.db").read_bytes() == before
    with servers.imap.client() as client:
        client.append("INBOX", mail("Unread"))
        client.delete_folder("Elsewhere")
    unread = json.loads(site.triaged("reconcile", "--json").stdout)["missing"]
    assert sorted(each["why"] for each in unread) == ["lost", "unread"]


def test_a_mail_that_came_a_moment_ago_is_no_fault_while_the_worker_runs(servers: MailServers, tmp_path: Path) -> None:
    """The worker is kept from its work by a lock on the log."""
    site = make_site(tmp_path, mailboxes=servers.mailbox(), outgoing=servers.outgoing(), calendar="")
    with running(site):
        servers.imap.deliver(mail("First"), sender="ann@example.test")
        wait_for(lambda: site.ended("First"), "the first is done")
        log = Log(tmp_path / "state/triaged.db")
        with log.transaction():
            servers.imap.deliver(mail("Second"), sender="ann@example.test")
            done = site.triaged("reconcile", "--json")
            assert done.returncode == 0, done.stdout
            assert [each["why"] for each in json.loads(done.stdout)["missing"]] == ["new"]
        log.close()
        wait_for(lambda: site.ended("Second"), "the second is done")
    done = site.triaged("reconcile", "--json")
    assert (done.returncode, json.loads(done.stdout)["missing"]) == (0, [])


FAULT = """
import os
import triaged.worker.triage as triage
read = triage.parse
def parse(raw, **how):
    return os._exit(9) if b"X-Bad:" in raw.octets else read(raw, **how)
triage.parse = parse
"""


@pytest.mark.timeout(600)
def test_quarantine_from_its_list_to_its_mending(servers: MailServers, tmp_path: Path) -> None:
    """The cause is a planted fault, which ends the process that reads such a mail; then it is mended."""
    site = make_site(tmp_path, mailboxes=servers.mailbox(), outgoing=servers.outgoing(), calendar="")
    (tmp_path / "fault").mkdir()
    (tmp_path / "fault/sitecustomize.py").write_text(FAULT)
    faulty = {"PYTHONPATH": f"{tmp_path / 'fault'}:{Path(__file__).parents[2]}"}
    with servers.imap.client() as client:
        for number, hours in enumerate((0.1, 0.2, 200)):
            octets = mail(f"Broken {number}", COMPLAINT).replace(
                b"Subject: ", b"X-Bad: \x1b[31m\xe2\x80\xae red \xff\r\nSubject: "
            )
            client.append("INBOX", octets, msg_time=datetime.now(UTC) - timedelta(hours=hours))
        client.append("INBOX", mail("Good"))
    assert site.triaged("run", "--once", env=faulty).returncode == 0
    assert len(servers.smtp.mails) == 1
    listed = [json.loads(line) for line in site.triaged("quarantine", "list", "--json").stdout.splitlines()]
    assert [row["mailbox"] for row in listed] == ["desk"] * 3
    assert all("ended the process" in row["cause"] for row in listed)
    first, second, third = (str(row["id"]) for row in listed)

    shown = site.triaged("quarantine", "show", first, "--octets", str(tmp_path / "mail.eml")).stdout
    assert "X-Bad: \\x1b[31m\\u202e red \\xff" in shown
    assert "\x1b" not in shown
    assert listed[0]["places"][0]["key"] in shown
    kept = tmp_path / "mail.eml"
    assert b"X-Bad: \x1b[31m" in kept.read_bytes()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert site.triaged("quarantine", "show", first, "--octets", str(kept)).returncode == 1

    still = site.triaged("quarantine", "retry", "--all", env=faulty)
    assert still.returncode == 1
    assert still.stdout.count("still cannot be read: it ended the process") == 3
    assert len(servers.smtp.mails) == 1

    mended = site.triaged("quarantine", "retry", first)
    assert mended.returncode == 0, mended.stderr
    assert f"{first}: could be read; T-" in mended.stdout
    site.run_once()
    row = site.row("Broken 0")
    assert row is not None
    assert (row.state, row.account_id, str(row.id)) == ("triaged", "C-1", first)
    states = dict(row.effects)
    assert (states["ack"], states["notify"]) == ("done", "done")
    assert ("ask", "done") in row.effects  # the quarantine's question; whom to call is another
    assert len(servers.smtp.mails) == 3
    found = site.triaged("log", "--search", "Broken", "--json").stdout.splitlines()
    assert [str(json.loads(line)["id"]) for line in found] == [first]

    # A second copy of the next one comes and can be read: then it is one mail.
    with servers.imap.client() as client:
        client.select_folder("INBOX", readonly=True)
        uid = client.search(["SUBJECT", "Broken 1"])[0]
        octets = client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"]
        client.append("INBOX", octets)
    site.run_once()
    copy = site.row("Broken 1")
    assert copy is not None
    merged = site.triaged("quarantine", "retry", "--all")
    assert merged.returncode == 0, merged.stdout
    assert f"{second}: could be read; it is the same mail as {copy.id}" in merged.stdout
    assert f"{third}: could be read" in merged.stdout
    site.run_once()
    assert {row.subject: (row.state, row.copies) for row in site.rows()} == {
        "Good": ("triaged", 1),
        "Broken 0": ("triaged", 1),
        "Broken 1": ("triaged", 2),
        "Broken 2": ("triaged", 1),
    }
    assert "ack" not in effects(site, "Broken 2")  # it is 200 hours old
    assert sum(b"In-Reply-To: <Broken.1." in taken.octets for taken in servers.smtp.mails) == 1
    assert site.triaged("quarantine", "list").stdout == "nothing is in quarantine\n"
    assert site.triaged("quarantine", "show", first).returncode == 1
    assert site.triaged("reconcile").returncode == 0
