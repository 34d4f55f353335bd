"""Housekeeping of a whole site: a live backup, a restore that answers nobody twice, a person forgotten, rights."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.e2e.site import Site, mail, make_site, running, triaged, wait_for
from triaged.log.backup import CLOCK_MARGIN

MANY = "Client {0} <c{0}@many.example>"


def acknowledged(site: Site) -> Counter[str]:
    """How often each client was answered."""
    return Counter(str(message_from_bytes(path.read_bytes())["To"]) for path in site.outgoing())


def said(site: Site, *arguments: str, code: int = 0) -> str:
    done = site.triaged(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_a_restore_of_a_live_backup_answers_nobody_twice(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    file = tmp_path / "monday.tar"
    with running(site):
        for number in range(20):
            site.drop(f"a{number}", mail(f"Before {number}", sender=MANY.format(number)))
        wait_for(lambda: len(site.outgoing()) >= 1, "a first answer")
        told = json.loads(said(site, "backup", str(file), "--json"))
        refused = site.triaged("restore", str(file), "--yes")
        assert refused.returncode == 2
        assert "another worker runs" in refused.stderr
        for number in range(20, 40):
            site.drop(f"a{number}", mail(f"After {number}", sender=MANY.format(number)))
        wait_for(lambda: len(site.outgoing()) == 40, "40 answers")
    assert 1 <= told["rows"]["message"] <= 20
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    assert "log in" in said(site, "restore", str(file), code=1)  # it asks, and nobody says yes
    restored = json.loads(said(site, "restore", str(file), "--yes", "--json"))
    assert restored["rows"]["message"] == told["rows"]["message"] == len(site.rows())
    assert any(Path(each).name.startswith("triaged.db.before-restore-") for each in restored["aside"])

    later = time.time() + CLOCK_MARGIN.total_seconds() + 60
    site.drop("new", mail("Quite new", sender=MANY.format(99)))
    os.utime(site.folder / "mail/inbox/new/new", (later, later))
    site.run_once()
    assert len(site.rows()) == 41
    answers = acknowledged(site)
    assert len(answers) == 41
    assert set(answers.values()) == {1}
    row = site.row("After 30")
    assert row is not None
    assert row.effects == (("ack", "dropped"),)
    # What was open when the backup was made waits for a person, and says why.
    waiting = site.status()[1]["waiting"]
    assert len(waiting) == restored["asked"]
    assert all("may have happened" in each["detail"] for each in waiting)


def test_a_backup_is_not_replaced_unasked(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    file = tmp_path / "b.tar"
    said(site, "backup", str(file))
    first = file.read_bytes()
    assert "say --force" in site.triaged("backup", str(file)).stderr
    assert file.read_bytes() == first
    said(site, "backup", str(file), "--force")
    assert file.read_bytes() != first
    assert "cannot be read" in site.triaged("restore", str(tmp_path / "none.tar"), "--yes").stderr
    assert "No such file" in site.triaged("backup", str(tmp_path / "none/b.tar")).stderr


def test_a_person_is_forgotten_while_the_worker_goes_on(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    with running(site):
        for number in range(5):
            site.drop(f"a{number}", mail(f"The marmalade {number}", "Our zanzibarite plant is still silent.\n"))
        site.drop("b", mail("Who else", "Ask Ann Client <ann@example.test> about it.\n", sender=MANY.format(1)))
        wait_for(lambda: site.ended("Who else") and len(site.rows()) == 6, "six rows")
        wait_for(
            lambda: all({"owed", "doing"}.isdisjoint(dict(row.effects).values()) for row in site.rows()), "no work"
        )
        said(site, "backup", str(tmp_path / "b.tar"))
        shown = site.triaged("forget", "ann@example.test")
        assert shown.returncode == 1  # it asks, and nobody says yes
        assert "5 mails they wrote" in shown.stdout
        assert len([row for row in site.rows() if row.subject.startswith("The marmalade")]) == 5

        told = json.loads(said(site, "forget", "Ann@Example.test", "--yes", "--json"))
        assert told["held"]["mails they wrote"] == 5
        assert told["occurrences_before"] > 20
        assert (told["occurrences"], told["rows_left"], told["files"]) == (0, 0, {})
        assert any(str(tmp_path / "b.tar") in each for each in told["beyond"])
        assert any("accounts.csv names them" in each for each in told["beyond"])
        site.drop("c", mail("Goes on", sender=MANY.format(2)))
        wait_for(lambda: site.ended("Goes on"), "the worker goes on")
    octets = b"".join(path.read_bytes() for path in (site.folder / "state").iterdir()).lower()
    for word in (b"ann@example.test", b"ann client", b"marmalade", b"zanzibarite"):
        assert word not in octets
    assert len(site.rows()) == 7
    assert said(site, "show", "1").count("whoever wrote it was forgotten") == 1
    assert "was removed" in site.triaged("explain", "1").stderr
    # The mails still lie in the mailbox; none is new.
    site.run_once()
    assert len(site.rows()) == 7


def test_one_of_us_is_not_forgotten(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    assert "one of ours" in site.triaged("forget", "Bob@example.test", "--yes").stderr
    assert "no mail address" in site.triaged("forget", "ann", "--yes").stderr
    assert json.loads(said(site, "forget", "nobody@else.example", "--yes", "--json"))["held"] == {}


def test_a_copy_of_the_log_in_the_state_folder_fails_the_proof(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.drop("a", mail("The marmalade"))
    site.run_once()
    (site.folder / "state/copy.db").write_bytes((site.folder / "state/triaged.db").read_bytes())
    failed = site.triaged("forget", "ann@example.test", "--yes")
    assert failed.returncode == 1
    assert "copy.db" in failed.stdout
    (site.folder / "state/copy.db").unlink()
    assert json.loads(said(site, "forget", "ann@example.test", "--yes", "--json"))["occurrences"] == 0


def test_old_mail_is_cleared(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    text = site.config.read_text(encoding="utf-8")
    site.config.write_text(f"{text}\n[keep]\nother = 1\nrequest = 1\ncomplaint = 1\nrenewal = 1\n", encoding="utf-8")
    for number in range(3):
        site.drop(str(number), mail(f"Figures {number}", sender=MANY.format(number)))
    site.run_once()
    nothing = {"cleared": 0, "categories": {}, "waiting": 0, "dry_run": False}
    assert json.loads(said(site, "keep", "--json")) == nothing
    aged = "UPDATE message SET logged_at = logged_at - 2 * 86400000, due_at = NULL WHERE id < 3"
    done = subprocess.run(
        [sys.executable, "-m", "sqlite_utils", str(site.folder / "state/triaged.db"), aged],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(said(site, "keep", "--dry-run", "--json"))["cleared"] == 2
    assert json.loads(said(site, "keep", "--json"))["cleared"] == 2
    assert sorted(row.subject for row in site.rows()) == ["(removed)", "(removed)", "Figures 2"]
    assert json.loads(said(site, "keep", "--json")) == nothing
    site.config.write_text(f"{text}\n[keep]\nother = -1\nrequets = 3\n", encoding="utf-8")
    assert "keep.other" in site.triaged("check").stderr
    site.config.write_text(f"{text}\n[keep]\nrequets = 3\n", encoding="utf-8")
    assert "there is no category 'requets'; did you mean 'request'?" in site.triaged("check").stderr


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_every_file_of_a_demo_is_private(tmp_path: Path) -> None:
    """All that a whole run makes in the state folder, and a backup, under the most open umask."""
    done = triaged("demo", "--once", "--dir", str(tmp_path / "demo"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = str(tmp_path / "demo/config.toml")
    assert triaged("backup", str(tmp_path / "b.tar"), "--config", config, cwd=tmp_path).returncode == 0
    state = tmp_path / "demo/state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (*state.rglob("*"), tmp_path / "b.tar")}
    assert {"triaged.db", "triaged.db.lock", "secret", "worker.lock", "b.tar"} <= set(modes)
    assert set(modes.values()) == {0o600}, modes


def test_check_names_what_others_may_open(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", mailboxes=IMAP, outgoing=SMTP)
    (site.folder / "secrets/desk").chmod(0o644)
    (site.folder / "state/triaged.db").chmod(0o640)
    (site.folder / "state").chmod(0o755)
    done = site.triaged("check")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("!")]
    assert len(lines) == 3
    assert all("type: chmod 0" in line for line in lines)
    for line in lines:
        subprocess.run(line.split("type: ")[1].split(), check=True)
    assert site.triaged("check").stderr == ""


IMAP = """
[[mailbox]]
name = "desk"
kind = "imap"
address = "desk@example.test"
host = "localhost"
user = "desk"
password_file = "secrets/desk"
"""
SMTP = """
[outgoing]
kind = "smtp"
host = "localhost"
message_id_domain = "desk.example"
"""
