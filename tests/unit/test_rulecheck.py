"""What the mails of the log show about rules: idle words and rules, conflicts, answers by machine, unknown accounts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.desk import ACME, NOW, lay_out_site, mail, open_log, raw
from triaged.accounts.match import directory
from triaged.cli.common import app
from triaged.loading import build_playbook
from triaged.log.people import put_accounts
from triaged.log.read import Reader
from triaged.mail.donotanswer import DoNotAnswer
from triaged.rulecheck import LEAST_MAILS, LogCheck, check_log
from triaged.settings import Config
from triaged.wire import log_path
from triaged.worker.triage import Desk, Triaged, triage

BASE = """[[rule]]
name = "Mentions an invoice"
because = "b"
when.says = [
  "invoice",
  "dunning letter",
]
then.suggests = { billing = 0.9 }

  [[rule.example]]
  mail = "The invoice, please."
  gives.category = "billing"

[[rule]]
name = "Billing"
because = "b"
when.category = "billing"
then.priority = "high"
"""


@dataclass(frozen=True)
class Site:
    config: Config
    own: Path

    def log(self, texts: Sequence[str]) -> None:
        """Write mails of Acme into the log, decided by the rules as they stand."""
        playbook = build_playbook(self.config)
        log = open_log(log_path(self.config))
        with log.transaction():
            put_accounts(log, [ACME])
        with closing(Reader(log_path(self.config))) as reader:
            desk = Desk(playbook, directory([ACME]), reader, DoNotAnswer())
            raws = [raw(mail(text, subject=f"Mail {n}", number=n), key=str(n)) for n, text in enumerate(texts, start=1)]
            with log.transaction():
                for each in triage(raws, desk=desk, now=NOW):
                    assert isinstance(each, Triaged)
                    log.record(each.message, each.decision, each.raw.locator, background=each.background, now=NOW)
        log.close()

    def check(self, *, within_files: bool = True) -> LogCheck:
        begin, steps = NOW - timedelta(days=1), list[tuple[int, int]]()
        found = check_log(
            log_path(self.config),
            build_playbook(self.config, dry=True),
            since=begin,
            progress=lambda done, total: steps.append((done, total)),
            within_files=within_files,
        )
        assert steps[-1] == (found.mails, found.mails)
        return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with rules of its own only."""
    config = lay_out_site(tmp_path)
    for path in (tmp_path / "rules").rglob("*.t*"):
        path.unlink()
    own = tmp_path / "rules" / "own.toml"
    own.write_text(BASE, encoding="utf-8")
    return Site(config, own)


def told(found: LogCheck) -> list[tuple[str, str]]:
    return [(each.where, each.what) for each in found.hints]


def test_words_and_rules_that_no_mail_meets_are_named_from_two_hundred_mails_on(site: Site) -> None:
    site.own.write_text(
        BASE + '[[rule]]\nname = "Gold"\nbecause = "b"\nwhen.tier = "gold"\nthen.tag = "gold"\n'
        '[[rule]]\nname = "Furious"\nbecause = "b"\nwhen.says = "furious"\nthen.tag = "angry"\n',
        encoding="utf-8",
    )
    site.log([f"Where is invoice {number}?" for number in range(LEAST_MAILS - 1)])
    assert told(site.check()) == []
    playbook = build_playbook(site.config)
    log = open_log(log_path(site.config))
    with closing(Reader(log_path(site.config))) as reader:
        desk = Desk(playbook, directory([ACME]), reader, DoNotAnswer())
        [last] = triage([raw(mail("Where is it?", number=900), key="900")], desk=desk, now=NOW)
        assert isinstance(last, Triaged)
        with log.transaction():
            log.record(last.message, last.decision, last.raw.locator, background=last.background, now=NOW)
    log.close()
    phrase, furious = told(site.check())
    assert phrase == ("own.toml:6", "1 of its 2 phrases were found in none of 200 mails: 'dunning letter'")
    assert furious[0] == "own.toml:24"
    assert "'Furious' held for none of the last 200 mails; none of its words is in any of them" in furious[1]


def test_two_rules_that_set_a_field_differently_are_shown_with_a_mail(site: Site) -> None:
    site.own.write_text(
        BASE + '[[rule]]\nname = "Thanks"\nbecause = "b"\nwhen.says = "thank you"\nthen.priority = "low"\n',
        encoding="utf-8",
    )
    site.log(["The invoice is here, thank you.", "Lunch?", "Another invoice came, thank you."])
    [(where, what)] = told(site.check())
    assert where == "own.toml:23"
    assert what.startswith("'Thanks' would set priority to 'low', but rules that stand before it")
    assert "'Billing' (own.toml:14) sets 'high' for 2 mails, such as mail 3 'Mail 3'. " in what


def test_conflicts_within_a_file_are_only_counted_where_that_is_asked(site: Site) -> None:
    thanks = '[[rule]]\nname = "Thanks"\nbecause = "b"\nwhen.says = "thank you"\nthen.priority = "low"\n'
    site.own.write_text(BASE + thanks, encoding="utf-8")
    site.log(["The invoice is here, thank you.", "Lunch?", "Another invoice came, thank you."])
    [(where, what)] = told(site.check(within_files=False))
    assert where == "own.toml"
    assert what.startswith("once a rule of this file comes before another that would set the same otherwise")
    assert "2 mails, such as mail 3 'Mail 3'" in what
    site.own.write_text(BASE, encoding="utf-8")
    (site.own.parent / "zz.toml").write_text(thanks, encoding="utf-8")
    [(where, what)] = told(site.check(within_files=False))
    assert (where, "'Billing' (own.toml:14) sets 'high'" in what) == ("zz.toml:5", True)


def test_an_exception_in_front_of_a_rule_is_no_conflict(site: Site) -> None:
    special = '[[rule]]\nname = "Gold billing"\nbecause = "b"\nwhen.category = "billing"\nwhen.tier = "gold"\n'
    at = BASE.index('[[rule]]\nname = "Billing"')
    site.own.write_text(BASE[:at] + special + 'then.priority = "urgent"\n' + BASE[at:], encoding="utf-8")
    site.log(["The invoice is here."])
    assert told(site.check()) == []


def test_an_unless_that_silences_a_rule_is_shown_with_a_mail(site: Site) -> None:
    site.own.write_text(
        BASE.replace("then.suggests", 'unless.says = "invoice attached"\nthen.suggests', 1), encoding="utf-8"
    )
    site.log(["See the invoice attached.", "See the invoice attached. The invoice of May is wrong, though."])
    [(where, what)] = told(site.check())
    assert where == "own.toml:8"
    assert "does not hold for mail 2 'Mail 2': it says 'invoice', but also 'invoice attached' in another place" in what


def test_a_complaint_that_would_be_answered_by_machine_is_shown_with_a_mail(site: Site) -> None:
    rules = (
        '[[rule]]\nname = "C"\nbecause = "b"\nwhen.says = "unacceptable"\nthen.acknowledge = "complaint"\n'
        'then.send = "auto"\n'
    )
    angry = "I am very disappointed, the report is wrong again. This is unacceptable, we complained twice already."
    site.own.write_text(BASE + rules, encoding="utf-8")
    site.log([angry])
    [(where, what)] = told(site.check())
    assert where == "templates/complaint.txt"
    assert what.startswith("mail 1 'Mail 1' would be answered by machine with 'complaint', though it is a complaint")
    site.own.write_text(BASE + rules.replace('"auto"', '"approve"'), encoding="utf-8")
    assert told(site.check()) == []


def test_accounts_and_tiers_that_nobody_has(site: Site) -> None:
    site.own.write_text(
        BASE + '[[rule]]\nname = "A"\nbecause = "b"\nwhen.account = ["C-1", "c-11"]\nunless.tier = "golden"\n'
        'then.tag = "x"\n',
        encoding="utf-8",
    )
    site.log(["Hello"])
    account, tier = told(site.check())
    assert account[0] == "own.toml:22"
    assert account[1].startswith("no account is called 'c-11'; did you mean 'c-1'?")
    assert tier[1].startswith("no account is of the tier 'golden'; did you mean 'gold'?")


def test_mails_whose_background_was_not_kept_are_decided_with_what_is_known_today(site: Site) -> None:
    site.log(["The invoice is here."])
    log = open_log(log_path(site.config))
    with log.transaction():
        log.db.execute("UPDATE decision SET background = ''")
    log.close()
    assert site.check() == LogCheck(1, ())


# --- the command --------------------------------------------------------------------------------------------------


def run(site: Site, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["rules", "check", *arguments, "--config", str(site.config.file)])
    return result.exit_code, result.output


def test_the_command_says_what_it_found_and_ends_accordingly(site: Site) -> None:
    code, words = run(site, "--no-log")
    assert code == 0
    assert words.count("no rule names this template") == 3
    assert "no error in 2 rules: this set is taken; 3 hints worth a look" in words
    assert run(site, "--no-log", "--strict")[0] == 2
    code, words = run(site)
    assert "there is no log yet, so no mail was looked at" in words
    site.own.write_text(BASE.replace('"high"', '"hihg"').replace("0.9", "9"), encoding="utf-8")
    code, words = run(site, "--no-log")
    lines = words.splitlines()
    assert code == 2
    assert lines[0].startswith("✗ own.toml:8: the weight of 'billing' must lie between")
    assert lines[1].startswith("✗ own.toml:18: there is no priority 'hihg'; did you mean 'high'?")
    assert lines[2].startswith("2 errors, 0 hints: this set is not taken")


def test_the_command_checks_another_folder_and_prints_json(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.toml").write_text(
        BASE.replace('gives.category = "billing"', 'gives.category = "complaint"'), encoding="utf-8"
    )
    code, words = run(site, str(other), "--json", "--no-log")
    assert code == 2
    assert '"kind":"error","where":"b.toml:10","file":"b.toml","line":10' in words.replace(", ", ",").replace(": ", ":")
