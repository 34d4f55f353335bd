"""Edited rules over stored mail: exactly the differences are told, and nothing is touched."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import select
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.desk import MAILDIRS, lay_out_site, mail, open_log, raw
from triaged.accounts.match import directory
from triaged.cli import main
from triaged.decision import Decision
from triaged.loading import assembled, build_playbook
from triaged.log.past import PastMail, past_mails, past_rows
from triaged.log.people import correct, put_accounts
from triaged.log.read import Reader
from triaged.log.rulesets import keep_settings
from triaged.mail.donotanswer import DoNotAnswer
from triaged.model import Account, Message
from triaged.playbook import Playbook
from triaged.settings import Config
from triaged.whatif.consequences import Consequence, answer, consequences, edited_rules, rule_counts
from triaged.whatif.difference import APPROVAL, Aspect
from triaged.whatif.otherwise import Change, decided_otherwise
from triaged.wire import log_path
from triaged.worker.triage import Desk, Triaged, keep_loaded, loaded_of, triage
from triaged.written import read_written

WRITTEN = Path(__file__).parents[1] / "corpus" / "written" / "english-8.jsonl"
MAILS = 300
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=20)
"""When the first of them came; one an hour after that."""
NEW = '[[rule]]\nname = "New"\nbecause = "A test"\nwhen.says = \'"please"\'\n{then}\n'
OWN = '[[rule]]\nname = "Invoices"\nbecause = "A test"\nwhen.says = "invoice"\nthen.tag = "billing"\n'
SAYS = re.compile(r"(?<![\w'])please(?![\w'])", re.IGNORECASE)
SINCE = "60d"

Run = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True, slots=True)
class Site:
    """A site whose log holds the mails. said: what a person said of some; ends: the listening end of its servers."""

    config: Config
    playbook: Playbook
    mails: Mapping[int, PastMail]
    decisions: Mapping[int, Decision]
    said: Mapping[int, str]
    server: socket.socket

    @property
    def file(self) -> str:
        return str(self.config.base / "config.toml")

    def rows(self, fits: Callable[[Message, Decision], bool]) -> set[int]:
        """The mails that say "please" and fit."""
        return {
            row
            for row, each in self.mails.items()
            if SAYS.search(each.message.judged) and fits(each.message, self.decisions[row])
        }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The first 300 written mails, decided and logged as the worker does it, each from an account of its domain."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield lay_out(tmp_path_factory.mktemp("site"), server)


def lay_out(folder: Path, server: socket.socket) -> Site:
    (folder / "p").write_text("secret", encoding="utf-8")
    config = lay_out_site(folder, changes={IMAP_OFF: IMAP_ON.format(port=server.getsockname()[1])})
    for name in MAILDIRS:
        (folder / name / "new" / "1.a").write_bytes(mail("Hello"))
    (folder / "rules/own.toml").write_text(OWN, encoding="utf-8")
    playbook = build_playbook(config)
    written = [json.loads(line) for line in WRITTEN.read_text(encoding="utf-8").splitlines()[:MAILS]]
    domains = sorted({row["from"].rpartition("@")[2] for row in written})
    accounts = [
        Account(f"C-{n}", domain, domains=(domain,), manager=("lena", "marek")[n % 2], tier=("gold", "")[n % 2])
        for n, domain in enumerate(domains)
    ]
    log, said = open_log(log_path(config)), {1: "complaint", 2: "request"}
    with log.transaction():
        put_accounts(log, accounts)
        keep_loaded(log, loaded_of(playbook), now=BEGAN)
    with closing(Reader(log_path(config))) as reader:
        for number, row in enumerate(written, 1):
            octets = mail(row["body"], subject=row["subject"], sender=row["from"], number=number)
            received = BEGAN + timedelta(hours=number)
            given = raw(octets, key=str(number), received=received)
            desk = Desk(playbook, directory(accounts), reader, DoNotAnswer())
            [result] = triage([given], desk=desk, now=received)
            assert isinstance(result, Triaged)
            with log.transaction():
                log.record(result.message, result.decision, given.locator, now=received, background=result.background)
        with log.transaction():
            for number, category in said.items():
                correct(log, number, categories=(category,), account_id=None, who="eva", now=BEGAN)
    log.close()
    with closing(Reader(log_path(config))) as reader:
        mails = {each.row: each for each in past_mails(reader, past_rows(reader, since=BEGAN))}
        decisions = {row: decision for row in mails if (decision := reader.decision(row)) is not None}
    assert len(decisions) == MAILS
    return Site(config, playbook, mails, decisions, said, server)


IMAP_OFF = "\n[outgoing]\n"
IMAP_ON = """
[[mailbox]]
name = "elsewhere"
kind = "imap"
address = "elsewhere@nordlicht.example"
host = "127.0.0.1"
port = {port}
security = "none"
user = "u"
password_file = "p"
[outgoing]
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: exit code, output, errors."""

    def command(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["triaged", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return command


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def asked(run: Run, site: Site, *words: object, code: int = 0) -> dict[str, Any]:
    ended, out, _ = run("rules", "whatif", *words, "--since", SINCE, "--json", "--config", site.file)
    assert ended == code, out
    told: dict[str, Any] = json.loads(out)
    assert (told["mails"], told["judged_anew"]) == (MAILS, 0)
    return told


def replayed(site: Site, folder: Path) -> dict[str, Any]:
    """The same without the command line, and without the examples, which an edit may well break."""
    written = read_written(folder, site.config.base / "templates")
    edited = assembled(site.config, dry=True, model=site.playbook.model, written=written)
    seen: list[tuple[int, int]] = []
    found = decided_otherwise(
        log_path(site.config),
        dataclasses.replace(site.playbook, secret=b""),
        edited,
        since=BEGAN,
        said={},
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(200, MAILS), (MAILS, MAILS)]
    return answer(site.playbook, edited, found, since=BEGAN).as_dict()


def edit(site: Site, folder: Path, then: str) -> Path:
    """A copy of the site's rules with one more that comes first."""
    shutil.copytree(site.config.base / "rules", folder)
    (folder / "00-new.toml").write_text(NEW.format(then=then), encoding="utf-8")
    return folder


# --- nothing changes --------------------------------------------------------------------------------------------------


def test_unchanged_rules_change_nothing_and_nothing_is_touched(run: Run, site: Site, tmp_path: Path) -> None:
    before = digests(site.config.base)
    assert len([name for name in before if name.startswith("mail/")]) == 2
    page = tmp_path / "page.html"
    told = asked(run, site, "--html", page)
    assert (told["changed"], told["changes"], told["consequences"], told["rules"], told["files"]) == (0, [], [], [], [])
    assert told["rules_in_use"] == told["rules_edited"] != ""
    assert f"None of {MAILS} mails would be decided otherwise." in page.read_text(encoding="utf-8")
    folder = edit(site, tmp_path / "rules", "then.tag = 'x'")
    there = digests(folder)
    assert asked(run, site, folder)["changed"] > 0
    assert digests(folder) == there
    assert digests(site.config.base) == before
    assert select.select([site.server], [], [], 0)[0] == [], "a server was spoken to"


def test_what_says_the_same_in_other_words_changes_nothing(run: Run, site: Site, tmp_path: Path) -> None:
    shutil.copytree(site.config.base / "rules", tmp_path / "rules")
    file = tmp_path / "rules" / "handling.toml"
    file.write_text("# Mine.\n\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    told = asked(run, site, tmp_path / "rules")
    words = "handling.toml: comments or spacing only"
    assert told["files"] == [{"file": "handling.toml", "change": "changed", "words": words}]
    assert (told["changed"], told["rules"]) == (0, [])


# --- each kind of edit ------------------------------------------------------------------------------------------------


def by_machine(_: Message, decision: Decision) -> bool:
    return decision.acknowledge.would_send


EDITS: tuple[tuple[str, str, Callable[[Message, Decision], bool]], ...] = (
    ("then.tag = 'polite'", "tag", lambda _message, _decision: True),
    ("then.file = 'Polite'", "file", lambda _message, _decision: True),
    ("then.assign = 'sofia'", "assign", lambda _message, _decision: True),
    ("then.notify = 'sofia'", "notify", lambda _message, _decision: True),
    ("then.priority = 'urgent'", "priority", lambda _message, decision: decision.priority != "urgent"),
    ("then.due = '1 hour'", "due", lambda _message, decision: decision.due is not None),
    ("then.acknowledge = 'none'", "acknowledge", lambda _message, decision: decision.acknowledge.template is not None),
    ("then.send = 'approve'", "acknowledge", by_machine),
    ("then.escalate = 'sofia'", "escalate", lambda _message, _decision: True),
    (
        "then.call = { with = 'sofia', within = '3 business days', minutes = 20 }",
        "call",
        lambda _message, _decision: True,
    ),
    ("then.signals = { churn = 0.05 }", "signal", lambda _message, decision: "churn" not in decision.risk.signals),
    ("then.suggests = { billing = 0.99 }", "category", lambda _message, _decision: True),
)


@pytest.mark.parametrize(("then", "aspect", "fits"), EDITS, ids=[then for then, _, _ in EDITS])
def test_an_edit_changes_exactly_the_mails_it_names(
    site: Site, tmp_path: Path, then: str, aspect: str, fits: Callable[[Message, Decision], bool]
) -> None:
    told = replayed(site, edit(site, tmp_path / "rules", then))
    expected = site.rows(fits)
    assert len(expected) > 20
    changed = {each["id"]: {one["name"]: one for one in each["aspects"]} for each in told["changes"]}
    assert {row for row, aspects in changed.items() if aspect in aspects} == expected
    assert all("New" in changed[row][aspect]["would_by"] for row in expected)
    assert all(each["words"][0].lower() == '"please"' for each in told["changes"] if each["id"] in expected)
    new = next(each for each in told["rules"] if each["rule"] == "New")
    acts = [row for row, aspects in changed.items() if any("New" in each["would_by"] for each in aspects.values())]
    assert (new["edit"], new["now"], new["no_longer"]) == ("added", len(acts), 0)
    if aspect in ("tag", "file", "assign", "notify"):
        assert {name for aspects in changed.values() for name in aspects} == {aspect}


def test_a_rule_taken_away_is_told_by_its_name(site: Site, tmp_path: Path) -> None:
    shutil.copytree(site.config.base / "rules", tmp_path / "rules")
    (tmp_path / "rules/own.toml").unlink()
    told = replayed(site, tmp_path / "rules")
    tagged = {row for row, each in site.decisions.items() if "billing" in each.tags}
    assert len(tagged) > 5
    assert {each["id"] for each in told["changes"]} == tagged
    assert told["rules"] == [
        {"rule": "Invoices", "edit": "removed", "now": 0, "no_longer": len(tagged), "otherwise": 0},
    ]


def test_a_template_edited_is_told_by_the_line_that_differs(run: Run, site: Site, tmp_path: Path) -> None:
    for name in ("rules", "templates"):
        shutil.copytree(site.config.base / name, tmp_path / "mine" / name)
    file = tmp_path / "mine/templates/received.txt"
    text = file.read_text(encoding="utf-8")
    assert "Your message has arrived, and" in text
    file.write_text(text.replace("Your message has arrived, and", "Thank you;"), encoding="utf-8")
    told = asked(run, site, tmp_path / "mine")
    expected = {
        row
        for row, each in site.decisions.items()
        if each.acknowledge.template == "received" and each.verdict.language not in ("de", "es", "fr")
    }
    assert len(expected) > 20
    assert {each["id"] for each in told["changes"]} == expected
    [one] = told["changes"][0]["aspects"]
    assert one["name"] == "wording"
    assert one["was"][0].startswith("Your message has arrived, and one")
    assert one["would"][0].startswith("Thank you; one")
    assert [each["rule"] for each in told["rules"]] == ["templates/received"]


def test_what_a_person_said_stands_beside_and_counts(run: Run, site: Site, tmp_path: Path) -> None:
    shutil.copytree(site.config.base / "rules", tmp_path / "rules")
    file = tmp_path / "rules" / "00-all.toml"
    file.write_text('[[rule]]\nname = "All"\nbecause = "A test"\nthen.acknowledge = "none"\n', encoding="utf-8")
    told = asked(run, site, tmp_path / "rules", code=2)  # examples that want an answer do not come out
    said = {each["id"]: each["person_said"] for each in told["changes"] if each["person_said"] is not None}
    answered = {row for row, each in site.decisions.items() if each.acknowledge.template is not None}
    assert said == {row: [right] for row, right in site.said.items() if row in answered}
    assert len(said) >= 1
    gone = [row for row in answered if site.decisions[row].acknowledge.would_send]
    complaints = [row for row in gone if is_complaint(site, row)]
    unsure = [row for row in gone if not site.decisions[row].verdict.sure]
    first = told["consequences"][0]
    assert (first["name"], first["more"], first["fewer"]) == ("acknowledge", 0, len(gone))
    assert first["sentence"] == (
        f"Would have acknowledged {len(gone)} fewer mails by machine, {len(complaints)} of them complaints, "
        f"{len(unsure)} of them unsure."
    )


def is_complaint(site: Site, row: int) -> bool:
    return "complaint" in ((site.said[row],) if row in site.said else site.decisions[row].verdict.chosen)


# --- mails of another day ---------------------------------------------------------------------------------------------


def test_mail_of_an_earlier_version_is_judged_anew_and_counted(run: Run, tmp_path: Path) -> None:
    """Without a background; by a model whose calibration is kept, and by one nobody knows any more."""
    config = lay_out_site(tmp_path)
    playbook, received = build_playbook(config), BEGAN
    log = open_log(log_path(config))
    with log.transaction():
        keep_loaded(log, loaded_of(playbook), now=BEGAN)
        keep_settings(
            log,
            settings_id="s",
            settings="{}",
            model_id="kept",
            calibration=playbook.model.calibration,
            now=BEGAN,
        )
        for number, model_id in enumerate(("", "kept", "gone"), 1):
            given = raw(mail("Please send us the report.", number=number), key=str(number), received=received)
            model = dataclasses.replace(playbook.model, model_id=model_id or playbook.model.model_id)
            desk = Desk(dataclasses.replace(playbook, model=model), directory(()), None, DoNotAnswer())
            [result] = triage([given], desk=desk, now=received)
            assert isinstance(result, Triaged)
            background = result.background if model_id != "" else None
            log.record(result.message, result.decision, given.locator, now=received, background=background)
    log.close()
    code, out, _ = run("rules", "whatif", "--since", SINCE, "--json", "--config", config.base / "config.toml")
    told = json.loads(out)
    assert (code, told["mails"], told["judged_anew"], told["changed"]) == (0, 3, 2, 0)


# --- what is given is wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("then.priority = 'urgently'", "00-new.toml:5"),
    ],
)
def test_a_broken_folder_is_told_by_file_and_line(run: Run, site: Site, tmp_path: Path, then: str, words: str) -> None:
    code, out, errors = run("rules", "whatif", edit(site, tmp_path / "rules", then), "--config", site.file)
    assert (code, out) == (2, "")
    assert words in errors


def test_an_example_that_fails_is_told_beside_what_would_change(run: Run, site: Site, tmp_path: Path) -> None:
    then = "then.tag = 'polite'\n[[rule.example]]\nmail = 'Hi'\ngives.tag = 'polite'"
    folder, page = edit(site, tmp_path / "rules", then), tmp_path / "page.html"
    words = ("rules", "whatif", folder, "--since", SINCE, "--config", site.file)
    code, out, _ = run(*words, "--html", page)
    assert code == 2
    assert "would not be taken: an example does not come out as written" in out
    assert "00-new.toml:6: the example should give tag polite, but gives" in out
    assert "00-new.toml:6" in page.read_text(encoding="utf-8")
    told = json.loads(run(*words, "--json")[1])
    assert told["changed"] == len(site.rows(lambda _message, _decision: True))
    assert [each["where"] for each in told["broken"]] == ["00-new.toml:6"]


def test_a_folder_that_is_not_there_and_a_page_that_cannot_be_written(run: Run, site: Site, tmp_path: Path) -> None:
    code, _, errors = run("rules", "whatif", tmp_path / "nowhere", "--config", site.file)
    assert code == 2
    assert "the folder cannot be read" in errors
    code, _, errors = run("rules", "whatif", "--html", tmp_path / "no/page.html", "--config", site.file)
    assert code == 1
    assert "the page cannot be written" in errors


def test_terminal_and_page_tell_the_same(run: Run, site: Site, tmp_path: Path) -> None:
    folder, page = edit(site, tmp_path / "rules", "then.tag = '<b>polite</b>'"), tmp_path / "page.html"
    count = len(site.rows(lambda _message, _decision: True))
    code, out, _ = run("rules", "whatif", folder, "--since", SINCE, "--config", site.file)
    assert code == 0
    sentence = f"Would have put tags on {count} more mails"
    assert f"{count} of {MAILS} mails would be decided otherwise." in out
    assert "Edited: 00-new.toml added: 1 rule (" in out
    assert out.index(sentence) < out.index("acts now") < out.index("would be  ")
    assert f"… and {count - 20} more mails; --html FILE shows all" in out
    code, out, _ = run("rules", "whatif", folder, "--since", SINCE, "--html", page, "--config", site.file)
    html = page.read_text(encoding="utf-8")
    assert code == 0
    assert sentence in html
    assert html.count('<th scope="row">') == 2 + count
    assert "<b>polite</b>" not in html
    assert "&lt;b&gt;polite" in html
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")


# --- counting ---------------------------------------------------------------------------------------------------------


def change(*aspects: Aspect, was: str = "", would: str = "", sure: bool = True, said: str | None = None) -> Change:
    before, after = ((each,) if each else () for each in (was, would))
    right = (said,) if said is not None else None
    return Change(1, "T-1", BEGAN, "a@b.example", "Hi", before, after, sure, sure, right, aspects)


def aspect(name: str, was: str | None, would: str | None, *more: str) -> Aspect:
    """was, would: the first value, None for none; more: a second value of both."""
    return Aspect(name, *((each, *more) if each is not None else () for each in (was, would)))


def sentences(*changes: Change) -> dict[str, str]:
    return {each.name: each.sentence for each in consequences(changes)}


def test_consequences_are_counted_by_what_happens() -> None:
    sent, none, waits = ("received", "at once"), ("none",), ("received", APPROVAL)
    more = Aspect("acknowledge", none, sent)
    told = sentences(
        change(more, would="request"),
        change(more, was="complaint", would="request", sure=False),
        change(more, would="complaint", said="request"),
        change(Aspect("acknowledge", sent, waits)),
        change(Aspect("acknowledge", sent, ("request", "at once"))),
        change(Aspect("acknowledge", none, ("received", "is not sent"))),
    )
    assert told == {
        "acknowledge": "Would have acknowledged 3 more mails by machine, 1 of them a complaint, 1 of them unsure; "
        "would have acknowledged 1 fewer mail by machine.",
        "approve": "Would have kept the acknowledgement of 1 more mail for approval.",
        "template": "Would have acknowledged 2 mails with another text or at another time.",
    }


def test_consequences_with_a_direction_and_with_people() -> None:
    early, late = "2026-11-17T08:00:00Z", "2026-11-18T08:00:00Z"
    told = sentences(
        change(aspect("due", late, early), aspect("priority", "normal", "high")),
        change(aspect("due", early, late), aspect("priority", "urgent", "low")),
        change(aspect("due", None, late)),
        change(aspect("escalate", "lena", None)),
        change(aspect("escalate", "lena", None)),
        change(aspect("escalate", "marek", None)),
        change(aspect("escalate", "marek", "lena")),
        change(aspect("call", None, "30 minutes with lena")),
        change(aspect("call by", early, late)),
        change(Aspect("category", ("other",), ("complaint", "renewal"))),
        change(aspect("sure", "sure", "unsure")),
    )
    assert told == {
        "call": "Would have booked a call for 1 more mail; would have booked another call for 1 mail.",
        "escalate": "Would have escalated 3 fewer mails (2 to lena, 1 to marek); "
        "would have escalated 1 mail to somebody else (1 to lena).",
        "due": "Would have made the answer to 1 mail due earlier; would have made the answer to 1 mail due later.",
        "owed": "Would have owed an answer to 1 more mail.",
        "priority": "Would have given 1 mail a higher priority; would have given 1 mail a lower priority.",
        "category complaint": "Would have taken 1 more mail for “complaint”.",
        "category other": "Would have taken 1 fewer mail for none of these.",
        "category renewal": "Would have taken 1 more mail for “renewal”.",
        "sure": "Would have been sure of 1 fewer mail.",
    }
    assert consequences([]) == ()
    assert all(
        isinstance(each, Consequence) and each.mails > 0 for each in consequences([change(aspect("tag", None, "x"))])
    )


def test_rules_are_counted_once_a_mail() -> None:
    both = Aspect("tag", (), ("x",), ("Old",), ("New",))
    again = Aspect("file", ("y",), ("z",), ("Old", "Kept"), ("New", "Kept"))
    counts = {each.rule: each for each in rule_counts([change(both, again), change(both)], {"New": "added"})}
    assert {name: (each.edit, each.now, each.no_longer, each.otherwise) for name, each in counts.items()} == {
        "New": ("added", 2, 0, 0),
        "Old": ("", 0, 2, 0),
        "Kept": ("", 0, 0, 1),
    }


def test_a_rule_is_edited_when_it_says_something_else(site: Site) -> None:
    rules = build_playbook(site.config, dry=True).rules
    first, second, *rest = rules.rules
    moved = dataclasses.replace(first, source="elsewhere.toml:1", because="Another reason", examples=())
    other = dataclasses.replace(second, enabled=False)
    new = dataclasses.replace(first, name="New")
    edits = edited_rules(rules, dataclasses.replace(rules, rules=(moved, other, *rest[1:], new)))
    assert edits == {second.name: "changed", rest[0].name: "removed", "New": "added"}
