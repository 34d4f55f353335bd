"""A thousand logged mails come out the same again, to the octet, whatever changed since; and a planted change is seen.

Between them, as in life: a rule is edited, accounts change, the model learns, a template is edited.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

import pytest

from tests.desk import ACME, NOW, lay_out_site, mail, open_log
from tests.unit.test_shelf import put
from triaged import shelf
from triaged.accounts.match import directory
from triaged.config import load_config
from triaged.decide import decide
from triaged.examples import bare_message
from triaged.explanation import explanation
from triaged.loading import assembled
from triaged.log.encode import BACKGROUND, DECISION, MESSAGE
from triaged.log.past import past_rows
from triaged.log.people import correct, put_accounts, settle
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.mail.donotanswer import DoNotAnswer
from triaged.model import Account, Contact, Contract, Locator, Raw
from triaged.replay import Replay, kept_playbooks, replay
from triaged.settings import Config
from triaged.wire import log_path
from triaged.worker.triage import Desk, Triaged, keep_loaded, loaded_of, triage

WRITTEN = Path(__file__).parents[1] / "corpus" / "written"
MAILS, BATCH = 1_000, 50
ROOT = Path(__file__).parents[2]


def written_mails() -> list[Mapping[str, str]]:
    """A thousand of the mails written for tests, of all four languages by turns."""
    files = [map(json.loads, path.read_text("utf-8").splitlines()) for path in sorted(WRITTEN.glob("*.jsonl"))]
    return list(islice((each for four in zip(*files, strict=True) for each in four), MAILS))


def accounts_of(mails: list[Mapping[str, str]], *, tier: str) -> tuple[Account, ...]:
    """Every other sender's domain is a client's."""
    domains = sorted({each["from"].rpartition("@")[2] for each in mails})[::2]
    ends = Contract("1", date(2026, 12, 31))
    return tuple(
        Account(
            f"C-{number}",
            f"Client {number}",
            domains=(domain,),
            contacts=(Contact(f"contact@{domain}", "Con Tact"),),
            manager=("lena", "marek", "")[number % 3],
            tier=tier if number % 2 else "basic",
            contracts=(ends,) if number % 4 == 0 else (),
            timezone=("", "America/New_York")[number % 5 == 0],
            language=("", "de", "fr")[number % 3],
        )
        for number, domain in enumerate(domains)
    )


def raws(mails: list[Mapping[str, str]]) -> Iterator[Raw]:
    """As a mailbox gives them: one every 40 minutes, some not authenticated, some in answer to an earlier one."""
    for number, each in enumerate(mails):
        octets = mail(
            each["body"],
            subject=each["subject"],
            sender=each["from"],
            number=number,
            fields=f"In-Reply-To: <mail-{number - 9}@acme.example>\r\n" if number % 7 == 0 else "",
            authenticated=number % 6 > 0,
        )
        received = NOW + timedelta(minutes=40 * number)
        yield Raw(Locator("desk", "inbox", f"{number:04}"), received, octets, len(octets))


def decide_and_log(config: Config, log: Log, reader: Reader, batch: list[Raw]) -> None:
    """With all that stands on disk now, as the worker does."""
    playbook = assembled(config)
    with log.transaction():
        keep_loaded(log, loaded_of(playbook), now=batch[0].received)
    for start in range(0, len(batch), BATCH):
        some = batch[start : start + BATCH]
        now = some[-1].received + timedelta(seconds=1.234567)
        desk = Desk(playbook, directory(reader.accounts()), reader, DoNotAnswer())
        with log.transaction():
            for each in triage(some, desk=desk, now=now):
                assert isinstance(each, Triaged), each
                log.record(each.message, each.decision, each.raw.locator, background=each.background, now=now)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text, old
    file.write_text(text.replace(old, new), "utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site with a thousand mails in its log."""
    folder = tmp_path_factory.mktemp("site")
    config, mails = lay_out_site(folder), written_mails()
    log = open_log(log_path(config))
    reader = Reader(log_path(config))
    quarters = [list(raws(mails))[start : start + MAILS // 4] for start in range(0, MAILS, MAILS // 4)]
    with log.transaction():
        put_accounts(log, accounts_of(mails, tier="gold"))
    decide_and_log(config, log, reader, quarters[0])
    edit(folder / "rules/handling.toml", 'then.priority = "high"', 'then.priority = "urgent"')
    edit(folder / "rules/complaint.toml", "complaint = 0.75", "complaint = 0.6")
    decide_and_log(config, log, reader, quarters[1])
    shelf.use(config.state_dir, put(config.state_dir), who="eva", now=NOW)
    with log.transaction():
        put_accounts(log, accounts_of(mails, tier="silver"))
    decide_and_log(config, log, reader, quarters[2])
    edit(folder / "templates/received.txt", "\n", "\n\n")
    edit(folder / "config.toml", 'normal = "2 business days"', 'normal = "3 business days"')
    decide_and_log(load_config(folder / "config.toml"), log, reader, quarters[3])
    reader.close()
    log.close()
    return folder


@pytest.fixture
def copied(site: Path, tmp_path: Path) -> Path:
    """The site, to be spoiled."""
    return Path(shutil.copytree(site, tmp_path / "site"))


def replays(folder: Path, *, every: int = 1) -> list[Replay]:
    """Every mail of the site's log made again, or each of so many; the first is always there."""
    config = load_config(folder / "config.toml")
    reader = Reader(log_path(config))
    playbook_of = kept_playbooks(reader, config)
    rows = sorted(past_rows(reader, since=NOW))[::every]
    found = [replay(reader, row, playbook_of=playbook_of) for row in rows]
    reader.close()
    return [each for each in found if each is not None]


@pytest.fixture(scope="module")
def found(site: Path) -> list[Replay]:
    """All thousand, made again."""
    return replays(site)


def spoil(folder: Path, sql: str, *values: str) -> None:
    """Change the log behind its back."""
    with sqlite3.connect(log_path(load_config(folder / "config.toml"))) as db:
        assert db.execute(sql, values).rowcount > 0
    db.close()


def test_a_thousand_decisions_come_out_the_same(found: list[Replay]) -> None:
    assert len(found) == MAILS
    assert [(each.problem, each.differences) for each in found if each.reproduced is not True] == []
    verdicts = [each.stored.verdict for each in found]
    assert [len({getattr(each, name) for each in verdicts}) for name in ("rules_id", "model_id")] == [3, 2]
    assert len({each.stored.settings_id for each in found}) == 2
    seen = Counter(field.field for each in found for field in each.stored.fields)
    assert min(seen[name] for name in ("priority", "acknowledge", "call", "escalate", "tag")) > 10, seen
    assert sum(each.stored.account.account_id is not None for each in found) > 300


def test_the_octets_in_the_log_are_those_that_come_out(site: Path, found: list[Replay]) -> None:
    with sqlite3.connect(site / "state/triaged.db") as db:
        told = [text for (text,) in db.execute("SELECT decision FROM decision ORDER BY message")]
        payloads = db.execute("SELECT count(*) FROM effect WHERE kind IN ('ack', 'call', 'notify')").fetchone()[0]
    db.close()
    assert payloads > 400
    assert [DECISION.dump_json(each.stored).decode() for each in found] == told


def test_another_process_with_other_hashes_makes_the_same(site: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.unit.test_replay import replays\n"
        "found = replays(Path(sys.argv[1]), every=5); print(len(found), sum(each.reproduced is True for each in found))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(site)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(MAILS // 5)] * 2


def test_what_is_traced_in_full_is_the_same_decision(found: list[Replay]) -> None:
    for each in found:
        assert each.remade is not None
        full = each.remade.decision
        assert len(full.rules) > len(each.stored.rules)
        assert dataclasses.replace(full, rules=each.stored.rules, effects=()) == each.stored


def test_a_decision_is_made_of_its_arguments_alone(found: list[Replay]) -> None:
    """What was kept as JSON and read again gives the same as what was at hand; nothing is remembered between two."""
    for each in found[::50]:
        remade = each.remade
        assert remade is not None
        told = set()
        for _ in range(2):
            again = decide(
                MESSAGE.validate_json(MESSAGE.dump_json(remade.message)),
                locator=remade.locator,
                playbook=remade.playbook,
                background=BACKGROUND.validate_json(BACKGROUND.dump_json(remade.background)),
                now=remade.decision.decided_at,
                full=True,
            )
            told.add(DECISION.dump_json(again))
        assert told == {DECISION.dump_json(remade.decision)}


def test_what_people_do_to_a_mail_changes_nothing(copied: Path) -> None:
    log = Log(log_path(load_config(copied / "config.toml")))
    with log.transaction():
        for row in range(1, MAILS, 25):
            settle(log, row, approve=row % 2 == 0, who="eva", now=NOW)
            correct(log, row, categories=("renewal",), account_id="", who="eva", now=NOW)
        put_accounts(log, [ACME])
    log.close()
    (copied / "rules/handling.toml").write_text("")
    assert all(each.reproduced for each in replays(copied, every=25))


# --- planted changes --------------------------------------------------------------------------------------------------


def test_one_octet_of_a_kept_rule_set_is_seen(copied: Path) -> None:
    rules_id = replays(copied, every=500)[0].stored.verdict.rules_id
    spoil(
        copied,
        "UPDATE rule_set SET files = replace(files, 'Gold accounts', 'Gold Accounts') WHERE rules_id = ?",
        rules_id,
    )
    for each in replays(copied, every=10):
        if each.stored.verdict.rules_id == rules_id:
            assert (each.reproduced, each.remade) == (None, None)
            assert "the rule set of that day is no longer as it was kept" in each.problem
        else:
            assert each.reproduced


def test_one_digit_of_the_background_is_seen(copied: Path) -> None:
    spoil(copied, "UPDATE decision SET background = replace(background, '\"complaint\":0.', '\"complaint\":0.9')")
    found = replays(copied, every=10)
    assert sum(each.reproduced is False for each in found) > 0.9 * len(found)
    assert any("verdict.scores" in words for each in found for words in each.differences)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE setting SET told = replace(told, '3 business', '4 business') WHERE kind = 'config'", "configuration"),
        ("DELETE FROM setting WHERE kind = 'calibration'", "the model's calibration of that day is not kept"),
        ("DELETE FROM setting", "the configuration and the model's calibration of that day is not kept"),
        ("UPDATE decision SET background = ''", "before triaged kept what it knew"),
        ("UPDATE decision SET background = '{}'", "what was known of this mail is no longer as it was kept"),
        ("UPDATE rule_set SET files = replace(files, 'rules/handling', 'rules/Handling')", "rule set"),
    ],
)
def test_what_cannot_be_made_again_says_why(copied: Path, sql: str, words: str) -> None:
    spoil(copied, sql)
    last = replays(copied, every=333)[-1]
    assert last.remade is None
    assert words in last.problem
    told = explanation(bare_message("Hello", "Good morning."), last)
    assert told.decision == last.stored
    assert [rule.name for rule in told.rules] == list(dict.fromkeys(rule.name for rule in last.stored.rules))
    assert (told.due_steps, told.thresholds) == ((), {})


def test_a_mail_that_was_planned_otherwise_is_seen(copied: Path) -> None:
    spoil(copied, "UPDATE effect SET payload = json_set(payload, '$.template', 'planted') WHERE kind = 'ack'")
    found = replays(copied, every=10)
    planted = [each for each in found if each.reproduced is False]
    assert len(planted) > 20
    assert all(each.differences[0].startswith('ack.template: was "planted", comes out') for each in planted)


def test_an_effect_too_many_or_too_few_is_seen(copied: Path) -> None:
    spoil(copied, "DELETE FROM effect WHERE kind = 'notify'")
    another = "json_set(payload, '$.key', 'ask:9:' || (SELECT key FROM message WHERE message.id = message))"
    spoil(copied, f"UPDATE effect SET payload = {another} WHERE kind = 'ask'")
    words = [each for found in replays(copied, every=3) for each in found.differences]
    assert any(each.startswith("notify:") and each.endswith("was not planned, comes out now") for each in words)
    assert "ask:9: was planned, does not come out now" in words


def test_what_was_removed_from_an_effect_says_nothing(copied: Path) -> None:
    spoil(copied, "UPDATE effect SET payload = '{}'")
    assert all(each.reproduced for each in replays(copied, every=10))


def test_without_the_sites_secret_the_decision_still_comes_out_and_no_new_one_is_made(copied: Path) -> None:
    (copied / "state/secret").unlink()
    assert all(each.reproduced for each in replays(copied, every=10))
    assert not (copied / "state/secret").exists()
