"""Every command of the command line on a site with a few mails: what it prints, for people and for programs."""

from __future__ import annotations

import email
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.e2e.site import RULES, Site, mail, make_site, triaged
from triaged import cli

TRY_NAMES = set(
    "file key subject sender new_text automatic categories scores sure answers runner_up account acknowledge call "
    "answer priority risk rules evidence defects".split()
)
ROW_NAMES = set(
    "id reference state mailbox received sender subject automatic categories sure account priority due assigned "
    "answered done risk copies effects".split()
)
EXPLAIN_NAMES = TRY_NAMES | set(
    "reference decided due tags account_evidence account_rivals identity model rule_set fields trace "
    "reproduced problem differences thresholds due_steps no_due why_not".split()
)
ACCOUNT_NAMES = set(
    "account_id name domains addresses contacts manager tier contracts timezone language hours country".split()
)
STATUS_NAMES = set(
    "running disk_full learning "
    "troubled parts breaker alerts mailboxes mails last_24_h further_copies unsure quarantined effects "
    "waiting".split()
)
HELD = '\n[[rule]]\nname = "Look first"\nwhen.subject = "Held"\nthen.send = "approve"\n'
COMPLAINT = "Good day,\n\nthis is a formal complaint: nobody came.\n\nAnn\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Six mails, one of them twice; two of them held."""
    made = make_site(tmp_path_factory.mktemp("cli") / "site", rules=RULES.replace("\n[[rule]]", HELD + "\n[[rule]]", 1))
    complaint = mail("Nobody came", COMPLAINT)
    for number, octets in enumerate(
        (
            mail("Our figures"),
            complaint,
            complaint,
            mail("Who are you", sender="stranger@elsewhere.example"),
            mail("Held one"),
            mail("Held two"),
            mail("A robot", more="Auto-Submitted: auto-generated\n"),
        )
    ):
        made.drop(str(number), octets)
    made.run_once()
    return made


def printed(site: Site, *arguments: str, code: int = 0) -> str:
    """What a command prints into a pipe, without anything for a terminal."""
    done = site.triaged(*arguments)
    assert done.returncode == code, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    return done.stdout


def objects(site: Site, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed(site, *arguments, "--json", code=code).splitlines()]


def failed(site: Site, *arguments: str) -> str:
    """What a command that did not work says."""
    done = site.triaged(*arguments)
    assert done.returncode == 1, done.stdout
    assert done.stdout == ""
    assert done.stderr.startswith("✗ ")
    return done.stderr


def number_of(site: Site, subject: str) -> str:
    row = site.row(subject)
    assert row is not None
    return str(row.id)


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def test_every_command_has_help_with_an_example(tmp_path: Path) -> None:
    found = list(commands(typer.main.get_command(cli.app)))
    assert len(found) >= 16
    for path in found:
        shown = CliRunner().invoke(cli.app, [*path, "--help"])
        assert shown.exit_code == 0
        assert f"Example: triaged {' '.join(path)}" in shown.output
    done = triaged("accounts", "import", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Example: triaged accounts import" in done.stdout
    assert "\x1b" not in done.stdout


def test_arguments_that_make_no_sense(tmp_path: Path) -> None:
    for arguments in (("lgo",), ("log", "--limt", "3")):
        assert triaged(*arguments, cwd=tmp_path).returncode == 2


def test_init(tmp_path: Path) -> None:
    for said in (f"made {tmp_path}/site/config.toml", f"all of it is in {tmp_path}/site already"):
        done = triaged("init", str(tmp_path / "site"), cwd=tmp_path)
        assert done.returncode == 0
        assert said in done.stdout
    assert {each.name for each in (tmp_path / "site").iterdir()} == {"config.toml", "rules", "templates"}
    done = triaged("check", "--config", "site/config.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_log(site: Site) -> None:
    rows = objects(site, "log")
    assert len(rows) == 6
    assert all(row.keys() == ROW_NAMES for row in rows)
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    by_subject = {row["subject"]: row for row in rows}
    assert by_subject["Nobody came"]["copies"] == 2
    assert by_subject["Nobody came"]["effects"] == [
        {"kind": kind, "state": "done"} for kind in ("ack", "call", "notify", "invitation")
    ]
    assert by_subject["Our figures"]["account"] == "C-1"
    assert by_subject["Who are you"]["account"] is None
    assert by_subject["Who are you"]["effects"] == []
    assert by_subject["A robot"]["effects"] == []
    assert len(site.outgoing()) == 4
    table = printed(site, "log")
    assert all(subject in table for subject in by_subject)
    assert [row["subject"] for row in objects(site, "log", "--search", "formal")] == ["Nobody came"]
    assert [row["subject"] for row in objects(site, "log", "--account", "", "--limit", "1")] == ["Who are you"]
    assert "cannot search" in failed(site, "log", "--search", '"')


def test_show_and_explain(site: Site) -> None:
    number = number_of(site, "Nobody came")
    (story,) = objects(site, "show", number)
    assert story.keys() > ROW_NAMES
    assert "formal complaint" in story["text"]
    assert [each["name"] for each in story["events"]][:1] == ["triaged"]
    assert "copy" in [each["name"] for each in story["events"]]
    (by_reference,) = objects(site, "show", story["reference"].lower())
    assert by_reference == story
    (why,) = objects(site, "explain", number)
    assert why.keys() == EXPLAIN_NAMES
    assert why["priority"] == "urgent"
    (rule,) = (each for each in why["trace"] if each["rule"] == "Formal complaint of a gold account")
    assert rule["fired"] is True
    assert {each["field"]: each["rule"] for each in why["fields"]}["priority"] == rule["rule"]
    assert "formal complaint" in printed(site, "show", number)
    assert rule["rule"] in printed(site, "explain", number)
    assert "there is no mail 999" in failed(site, "show", "999")


def test_try(site: Site) -> None:
    file, gone = site.folder / "one.eml", site.folder / "gone.eml"
    file.write_bytes(mail("Nobody came again", COMPLAINT))
    before = sorted(site.folder.rglob("*"))
    (found,) = objects(site, "try", str(file))
    assert found.keys() == TRY_NAMES
    assert found["automatic"] == {"is": False, "reason": None}
    assert found["account"] == {"id": "C-1", "how": "address", "score": found["account"]["score"]}
    assert found["acknowledge"].keys() == {"would_send", "template", "reason"}
    assert (found["acknowledge"]["would_send"], found["acknowledge"]["template"]) == (True, "complaint")
    assert found["call"].keys() == {"with", "minutes", "earliest", "latest", "way", "windows"}
    assert "acknowledge: yes [complaint]" in printed(site, "try", str(file))
    done = site.triaged("try", "--json", str(file), str(gone))
    assert done.returncode == 1
    assert f"{gone}: cannot be read: No such file or directory" in done.stderr
    assert json.loads(done.stdout)["file"] == str(file)
    assert sorted(site.folder.rglob("*")) == before


def test_correct(site: Site) -> None:
    number = number_of(site, "Our figures")
    assert "is put right" in printed(site, "correct", number, "--category", "complaint", "--account", "C-2")
    (row,) = (row for row in objects(site, "log") if row["subject"] == "Our figures")
    assert (row["categories"], row["account"], row["sure"]) == (["complaint"], "C-2", True)
    assert "did you mean 'complaint'?" in failed(site, "correct", number, "--category", "complant")
    assert "did you mean 'C-2'?" in failed(site, "correct", number, "--account", "C-22")
    assert "say what is right" in failed(site, "correct", number)
    both = ("--category", "other", "--category", "request")
    assert "'other' means that none" in failed(site, "correct", number, *both)


def test_approve_and_drop(site: Site) -> None:
    one, two = number_of(site, "Held one"), number_of(site, "Held two")
    code, status = site.status()
    assert (code, status["running"]) == (1, False)  # the worker that made this log has ended
    assert status.keys() == STATUS_NAMES
    assert [each["id"] for each in status["waiting"]] == [int(one), int(two)]
    assert f"mail {one}: 1 let go" in printed(site, "approve", one)
    assert f"mail {two}: 1 dropped" in printed(site, "drop", two)
    assert "nothing" in failed(site, "approve", one)
    before = len(site.outgoing())
    site.run_once()
    assert len(site.outgoing()) == before + 1
    effects = {row.subject: row.effects for row in site.rows()}
    assert (effects["Held one"], effects["Held two"]) == ((("ack", "done"),), (("ack", "dropped"),))
    assert site.status()[1]["waiting"] == []
    told = site.triaged("status").stdout
    assert "the worker does not run" in told
    assert "6 mails" in told


def test_accounts(site: Site) -> None:
    found = objects(site, "accounts", "list")
    assert [each["account_id"] for each in found] == ["C-1", "C-2"]
    assert all(each.keys() == ACCOUNT_NAMES for each in found)
    assert "Ann's Bakery" in printed(site, "accounts", "list")
    file = site.folder / "more.csv"
    text = (site.folder / "accounts.csv").read_text().splitlines()
    file.write_text(
        "\n".join((text[0], text[2].replace("Many Hands", "Many More Hands"), text[2].replace("C-2", "C-3")))
    )
    done = site.triaged("accounts", "import", str(file))
    assert done.returncode == 2
    assert f"{file}:3: " in done.stderr  # one domain, two accounts
    file.write_text("\n".join((text[0], text[2].replace("Many Hands", "Many More Hands"))))
    assert printed(site, "accounts", "import", str(file)) == "1 accounts: 0 new, 1 changed, 0 the same; 1 others kept\n"


def test_evaluate_and_train(site: Site) -> None:
    rows = [
        {"id": str(number), "subject": "Bill", "from": "a@b.example", "body": body, "labels": labels}
        for number, (body, labels) in enumerate(
            [("This is unacceptable, I complain.", ["complaint"]), ("Please send us two chairs.", ["request"])] * 3
        )
    ]
    file = site.folder / "labelled.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (report,) = objects(site, "evaluate", str(file))
    assert report["mails"] == 6
    assert report["categories"]["complaint"]["count"] == 3
    assert report["intervals"]["senders"] == 1
    assert report["intervals"]["macro_f1"] is None  # one sender tells nothing of others
    page = site.folder / "report.html"
    assert f"The same as a page: {page}" in printed(site, "evaluate", str(file), "--html", str(page), "--seed", "2")
    assert page.read_text().count("<svg") >= 3
    assert "the page cannot be written" in failed(
        site, "evaluate", str(file), "--json", "--html", str(site.folder / "no/page")
    )
    (site.folder / "empty.jsonl").write_text("\n")
    done = site.triaged("evaluate", str(site.folder / "empty.jsonl"))
    assert done.returncode == 2
    assert "holds no mail" in done.stderr
    file.write_text("no JSON\n")
    done = site.triaged("evaluate", str(file))
    assert done.returncode == 2
    assert "is not a file of labelled mails" in done.stderr
    assert "cannot be read" in failed(site, "train", "--also", "gone.jsonl", "--out", str(site.folder / "model"))


def test_a_reader_that_goes_away_is_no_fault(site: Site) -> None:
    """`triaged log --json | head -0`."""
    command = [sys.executable, "-m", "triaged", "log", "--json", "--config", str(site.config)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as one:
        assert one.stdout is not None
        assert one.stderr is not None
        one.stdout.close()
        assert one.stderr.read() == b""


def test_try_reads_every_mail_there_is(shared_mail: list[Path], tmp_path: Path) -> None:
    assert len(shared_mail) > 1500
    done = triaged("try", "--json", *map(str, shared_mail), cwd=tmp_path, timeout_s=280)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = [json.loads(line) for line in done.stdout.split("\n")[:-1]]
    assert [each["file"] for each in found] == [str(path) for path in shared_mail]
    assert all(each.keys() == TRY_NAMES for each in found)
    assert all(0 <= score <= 1 for each in found for score in each["scores"].values())
    machines = [each for each in found if each["automatic"]["is"]]
    assert len(machines) > 250
    assert not any(each["acknowledge"]["would_send"] for each in machines)


REPORT = """From: Mail Delivery System <MAILER-DAEMON@mx.desk.example>
To: desk@example.test
Subject: Undelivered Mail Returned to Sender
Date: Sun, 22 Nov 2026 09:00:00 +0000
Message-ID: <report.1@mx.desk.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"

--=_b
Content-Type: text/plain

This is the mail system. Your message could not be delivered.
--=_b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.desk.example

Final-Recipient: rfc822; ann@example.test
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--=_b
Content-Type: text/rfc822-headers

Message-ID: {message_id}
--=_b--
"""


def test_an_address_that_an_answer_came_back_from(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.drop("1", mail("First"))
    site.run_once()
    [sent] = site.outgoing()
    message_id = email.message_from_bytes(sent.read_bytes())["Message-ID"]
    site.drop("2", REPORT.format(message_id=message_id).replace("\n", "\r\n").encode())
    site.drop("3", mail("Second"))
    site.run_once()
    assert len(site.outgoing()) == 1
    [bounced] = objects(site, "bounced", "list")
    assert (bounced["id"], bounced["sender"]) == (1, "ann@example.test")
    assert "550 5.1.1 no such user" in printed(site, "bounced", "list")
    waiting = objects(site, "status", code=1)[0]["waiting"]
    assert [each["id"] for each in waiting] == [1]
    assert "Our mail to ann@example.test came back" in waiting[0]["detail"]
    assert "is answered again" in printed(site, "bounced", "clear", "1")
    assert "no answer to mail 1 came back" in failed(site, "bounced", "clear", "1")
    site.drop("4", mail("Third"))
    site.run_once()
    assert len(site.outgoing()) == 2
