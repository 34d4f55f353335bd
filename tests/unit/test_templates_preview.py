"""A preview is the mail that would be sent, made by the same call; nothing is sent or written for it."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.desk import ACME, NOW, background, decided, lay_out_site, mail, open_log
from triaged import cli
from triaged.decide import answer
from triaged.decision import AskPerson, Decision, SendAck
from triaged.errors import ConfigError, Permanent
from triaged.loading import assembled, build_playbook
from triaged.log.encode import EFFECT
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.mail.render import ACKNOWLEDGEMENT, read_templates
from triaged.mail.template import read_template
from triaged.model import Locator, Message
from triaged.playbook import Playbook
from triaged.preview import letter, made_up, page
from triaged.samples import Ours
from triaged.settings import Config
from triaged.wire import log_path
from triaged.written import template_files

ANGRY = "I am very disappointed. The report is wrong for the third time and nobody answers. This is unacceptable."
DESK = Locator("desk", "inbox", "1")
MAILS = {
    "angry": mail(ANGRY, subject="Third time", number=1),
    "unproven": mail(ANGRY, subject="Third time", number=4, authenticated=False),
    "stranger": mail("Could you send me your prices, please?", sender="Bo <bo@else.example>", number=2),
    "machine": mail("I am away.", fields="Auto-Submitted: auto-replied\r\n", number=3),
}  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A laid-out site whose log holds `MAILS`, and the row of each."""

    folder: Path
    config: Config
    playbook: Playbook
    rows: Mapping[str, int]

    def run(self, *words: str, code: int = 0) -> Result:
        done = CliRunner().invoke(cli.app, ["templates", *words, "--config", str(self.folder / "config.toml")])
        assert done.exit_code == code, (done.output, done.exception)
        return done

    def objects(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run(*words, "--json").stdout.splitlines()]

    def reader(self) -> Reader:
        return Reader(log_path(self.config))


def record(log: Log, playbook: Playbook, octets: bytes, *, key: str) -> int:
    message, decision = decided(playbook, octets)
    with log.transaction():
        locator = dataclasses.replace(DESK, key=key)
        return log.record(message, decision, locator, now=NOW, background=background(playbook, message)).row


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    config = lay_out_site(folder)
    playbook = build_playbook(config)
    log = open_log(log_path(config))
    rows = {name: record(log, playbook, octets, key=name) for name, octets in MAILS.items()}
    log.close()
    return Site(folder, config, playbook, rows)


def stored(site: Site, name: str) -> SendAck:
    """The acknowledgement that the log holds for a mail."""
    reader = site.reader()
    [ack] = [each.payload for each in reader.effects(site.rows[name]) if each.kind == "ack"]
    reader.close()
    effect = EFFECT.validate_python(ack)
    assert isinstance(effect, SendAck)
    return effect


def text_of(octets: bytes) -> bytes:
    """The octets of the text part, its coding undone."""
    part = email.message_from_bytes(octets, policy=email.policy.default).get_body(("plain",))
    assert part is not None
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def known(site: Site, name: str) -> dict[str, Any]:
    """What `answer` needs of a logged mail, as the log holds it."""
    reader, row = site.reader(), site.rows[name]
    given = {"message": reader.message(row), "locator": reader.locator(row), "background": reader.background(row)}
    decision = reader.decision(row)
    reader.close()
    assert decision is not None
    return given | {"now": decision.decided_at, "playbook": site.playbook}


def told(playbook: Playbook, message: Message, *, template: str = "") -> tuple[Any, SendAck | None]:
    return answer(
        message,
        locator=DESK,
        playbook=playbook,
        background=background(playbook, message),
        now=NOW,
        template=template,
    )


@pytest.mark.parametrize("name", ["angry", "unproven"])
def test_a_preview_is_the_acknowledgement_that_the_log_holds(site: Site, name: str) -> None:
    _, made = answer(**known(site, name))
    assert made == stored(site, name)  # the whole mail, octet for octet
    assert made is not None
    shown = site.objects("preview", "--mail", str(site.rows[name]))[0]["answer"]
    assert shown["text"].replace("\n", "\r\n").encode() == text_of(stored(site, name).mail.octets)
    assert shown["template"] == made.template
    assert shown["text"] == letter(made.template, made.mail).text


def test_a_preview_of_a_template_is_what_the_rules_would_send_if_they_named_it(site: Site, tmp_path: Path) -> None:
    config = lay_out_site(tmp_path)
    handling = tmp_path / "rules/handling.toml"
    text = handling.read_text(encoding="utf-8")
    assert 'then.acknowledge = "complaint"' in text
    handling.write_text(
        text.replace('then.acknowledge = "complaint"', 'then.acknowledge = "renewal"'), encoding="utf-8"
    )
    other = dataclasses.replace(assembled(config, dry=True), secret=site.playbook.secret)
    message, decision = decided(other, MAILS["angry"])
    [sent] = [each.effect for each in decision.effects if isinstance(each.effect, SendAck)]
    acknowledge, made = told(site.playbook, message, template="renewal")
    assert made == sent
    assert made != stored(site, "angry")
    assert (acknowledge.template, acknowledge.reason) == ("renewal", decision.acknowledge.reason)


def test_who_is_not_authenticated_gets_the_fixed_text_whatever_is_named(site: Site) -> None:
    row = str(site.rows["unproven"])
    words = site.run("preview", "complaint", "--mail", row).stdout
    assert "It would not get complaint, but received.txt." in words
    assert "the sender is not authenticated" in words
    assert "Ann Archer" not in words.split("──")[2]
    [shown] = site.objects("preview", "complaint", "--mail", row)
    assert (shown["asked"], shown["answer"]["template"], shown["would_send"]) == ("complaint", "received", True)


@pytest.mark.parametrize(
    ("name", "why"),
    [("machine", "A machine wrote it: "), ("stranger", "No rule asks for an acknowledgement")],
)
def test_who_is_not_answered_and_why(site: Site, name: str, why: str) -> None:
    row = str(site.rows[name])
    assert f"It is not answered. {why}" in site.run("preview", "--mail", row).stdout
    [shown] = site.objects("preview", "--mail", row)
    assert (shown["answer"], shown["would_send"]) == (None, False)
    assert shown["reason"].startswith(why)


def test_a_mail_is_shown_as_a_person_reads_it(site: Site) -> None:
    words = site.run("preview", "--mail", str(site.rows["angry"])).stdout
    assert "From:                     Client Desk <desk@nordlicht.example>\n" in words
    assert "To:                       Ann Archer <ann@acme.example>\n" in words
    assert "Auto-Submitted:           auto-replied\n" in words
    assert "In-Reply-To:              <mail-1@acme.example>\n" in words
    assert "it does not come back (<>)" in words
    assert "\nDear Ann Archer,\n\n" in words
    assert "\x1b" not in words


def test_a_preview_in_another_language(site: Site) -> None:
    row = str(site.rows["angry"])
    [shown] = site.objects("preview", "complaint.de", "--mail", row)
    assert shown["answer"]["template"] == "complaint.de"
    assert "Guten Tag Ann Archer," in shown["answer"]["text"]
    assert "There is no complaint.it.txt, so complaint.txt is used." in site.run(
        "preview", "complaint", "--mail", row, "--language", "it"
    ).stdout.replace("\n", " ")


def test_nothing_is_written(site: Site, tmp_path: Path) -> None:
    def sums() -> dict[str, str]:
        files = [path for path in site.folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = sums()
    site.run("preview", "--mail", str(site.rows["angry"]), "--html", str(tmp_path / "page.html"))
    site.run("preview")
    site.run("check")
    assert sums() == before
    shown = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<iframe sandbox" in shown
    assert "Dear Ann Archer," in shown


def test_made_up_mails_of_every_template_in_every_language(site: Site) -> None:
    stems = {path.stem for path in (site.folder / "templates").glob("*.txt")}
    shown = site.objects("preview")
    assert {each["template"] for each in shown} == stems
    assert len(stems) > 20
    for each in shown:
        assert set(each) == {"template", "head", "returns_to", "text", "html"}
        assert "T-7K3M9QX" in each["text"] + each["head"]["Subject"]
    [french] = site.objects("preview", "received.fr.txt")
    assert "Bonjour Claire Morel," in french["text"]
    [english] = site.objects("preview", "received", "--language", "en")
    assert english["template"] == "received"
    words = site.run("preview", "complaint").stdout
    assert words.startswith("The values are made up.\n")
    assert words.count("── complaint") == 4


def test_what_is_asked_for_and_is_not_there(site: Site) -> None:
    row = str(site.rows["angry"])
    for words, said in (
        (("preview", "complant"), "there is no template complant; did you mean 'complaint'?"),
        (("preview", "complaint", "--language", "it"), "it is not there in 'it'; there are de, en, es, fr"),
        (("preview", "complant", "--mail", row), "rules cannot name complant; did you mean 'complaint'?"),
        (("preview", "invitation", "--mail", row), "rules cannot name invitation"),
        (("preview", "--mail", "999"), "there is no mail 999 in the log"),
        (("preview", "--html", "/nowhere/page.html"), "the page cannot be written"),
    ):
        assert said in site.run(*words, code=1).stderr


def test_check_of_a_site(tmp_path: Path) -> None:
    config = lay_out_site(tmp_path)
    given = ["templates", "check", "--config", str(tmp_path / "config.toml")]
    done = CliRunner().invoke(cli.app, given)
    assert (done.exit_code, done.stdout) == (0, "✓ 35 files, read as 226 made-up mails: 0 problems, 0 hints\n")
    folder = config.path(config.service.templates_dir)
    (folder / "own.txt").write_text("Subject: x\n\nDear {{ contact }},\n", encoding="utf-8")
    (folder / "own.docx").write_bytes(b"PK")
    (folder / "request.txt").write_text("Subject: {{ reff }}\n\nx\n", encoding="utf-8")
    done = CliRunner().invoke(cli.app, given)
    assert done.exit_code == 2
    lines = done.stdout.splitlines()
    assert lines[0].startswith("✗ own.txt:3: a space before ','")
    assert lines[1].startswith("✗ request.txt:1: there is no variable 'reff' here")
    assert any(line.startswith("! own.docx: is not read") for line in lines)
    assert any(line.startswith("! own.txt: no rule names it") for line in lines)
    assert lines[-1].startswith("36 files, read as ")
    done = CliRunner().invoke(cli.app, [*given, "--json"])
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.exit_code, found[0]["where"], found[0]["kind"]) == (2, "own.txt:3", "error")
    (tmp_path / "rules/handling.toml").write_text("[[rule]]\nnam = 1\n", encoding="utf-8")
    done = CliRunner().invoke(cli.app, given)
    assert "! rules: cannot be read, so it is not known which templates they name" in done.stdout
    assert "no rule names it" not in done.stdout


def test_the_program_itself(site: Site) -> None:
    command = [sys.executable, "-m", "triaged", "templates", "preview", "request.es", "--config"]
    done = subprocess.run([*command, str(site.folder / "config.toml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Hola, Lucía Ortega:" in done.stdout


# --- what cannot be filled in, and languages -------------------------------------------------------------------


def with_body(playbook: Playbook, stem: str, text: str, *, variables: frozenset[str]) -> Playbook:
    """The playbook with another text in a template, in which these variables may stand."""
    body = read_template(text, name=f"{stem}.txt", variables=variables, lists={})
    templates = playbook.templates
    return dataclasses.replace(
        playbook, templates=dataclasses.replace(templates, bodies={**templates.bodies, stem: body})
    )


def questions_of(decision: Decision) -> list[str]:
    return [each.effect.question for each in decision.effects if isinstance(each.effect, AskPerson)]


def test_a_variable_that_nobody_knows_is_never_loaded(site: Site, tmp_path: Path) -> None:
    config = lay_out_site(tmp_path)
    (tmp_path / "templates/complaint.txt").write_text("Subject: x\n\n{{ order }}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"complaint\.txt:3: there is no variable 'order' here"):
        assembled(config, dry=True)


def test_a_variable_without_a_value_holds_the_mail_for_a_person(site: Site) -> None:
    """As after a change of ours that forgets one: nothing leaves with a hole in it, and a person is asked."""
    spoiled = with_body(site.playbook, "complaint", "Order {{ order }}", variables=ACKNOWLEDGEMENT | {"order"})
    message, decision = decided(spoiled, MAILS["angry"])
    assert not any(isinstance(each.effect, SendAck) for each in decision.effects)
    [question] = [each for each in questions_of(decision) if "acknowledgement" in each]
    assert question == (
        "The acknowledgement could not be written: the template complaint.txt failed: 'order' has no value"
    )
    assert {each.state for each in decision.effects if isinstance(each.effect, AskPerson)} == {"person"}
    with pytest.raises(Permanent, match="'order' has no value"):
        told(spoiled, message)
    assert questions_of(decided(site.playbook, MAILS["angry"])[1]) == []


def test_days_are_in_the_language_of_the_text(site: Site) -> None:
    """An Italian writer, for whom there is no template, gets the English text with an English date in it."""
    for language, day in (("it", "Tuesday, 17 November 2026"), ("de", "Dienstag, 17. November 2026")):
        accounts = (dataclasses.replace(ACME, language=language),)
        _, decision = decided(site.playbook, MAILS["angry"], accounts=accounts)
        [ack] = [each.effect for each in decision.effects if isinstance(each.effect, SendAck)]
        assert day in text_of(ack.mail.octets).decode()


def test_a_page_shows_words_of_a_client_as_words(site: Site) -> None:
    octets = mail(ANGRY, subject="x", sender='"<script>alert(1)</script>" <ann@acme.example>')
    account = dataclasses.replace(ACME, contacts=())
    message, _ = decided(site.playbook, octets, accounts=(account,))
    known_of = background(site.playbook, message, accounts=(account,))
    _, made = answer(message, locator=DESK, playbook=site.playbook, background=known_of, now=NOW)
    assert made is not None
    shown = page([letter(made.template, made.mail)], title="A page", said=["<b>"])
    assert "<script" not in shown
    assert "<b>" not in shown
    assert "alert(1)" in shown


def test_a_template_that_cannot_be_read_is_named_and_others_are_shown(site: Site) -> None:
    files = template_files(site.folder / "templates") | {"own.txt": b"Subject: x\n\n{{ order }}\n"}
    read, ours = read_templates(files), Ours("Desk", "desk@firm.example", "Lena", "", "UTC", "en")
    assert [each.where for each in read.problems] == ["own.txt:3"]
    assert "Ann Archer" in made_up(read, "request", ours=ours, now=NOW).text
