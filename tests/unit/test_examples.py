"""Examples in rule files are judged under the circumstances that they name, and everything they expect is looked at."""

from __future__ import annotations

import dataclasses
import tomllib
from datetime import datetime
from pathlib import Path

import pytest

from tests.desk import ACME, decided, lay_out_site, mail
from triaged.classify.model import Judged
from triaged.examples import example_text, failing, judge_examples
from triaged.loading import assembled
from triaged.playbook import Background, Playbook, sought_of
from triaged.rules.load import parse_rules
from triaged.written import Written

RULES = """
[[rule]]
name = "Late from gold"
when.says = "zebra crossing"
when.tier = "gold"
when.received = "outside business hours"
when.open_items = ">= 2"
when.contract_ends_within = "60 days"
when.is_reply = true
when.attachment = "*.pdf"
from_date = 2026-12-01
then.priority = "urgent"
then.assign = "marek"
then.notify = "lena"
then.tag = "night"
then.due = "2h"
then.file = "Gold"
then.send = "approve"
then.acknowledge = "request"
then.call = { with = "marek", within = "2 days" }
then.escalate = "lena"

  [[rule.example]]
  mail = "At the zebra crossing"
  tier = "Gold"
  received = 2026-12-02T22:30:00
  open_items = 2
  contract_ends = 2027-01-01
  is_reply = true
  attachment = "plan.pdf"
  gives.priority = "urgent"
  gives.assign = "marek"
  gives.notify = "lena"
  gives.tag = "night"
  gives.due = "2h"
  gives.file = "gold"
  gives.send = "approve"
  gives.call = true
  gives.escalate = "lena"
  not.priority = ["low", "normal"]
  not.tag = "day"
"""
CHANGES = {
    "tier": ('tier = "Gold"', 'tier = "silver"'),
    "received": ("2026-12-02T22:30:00", "2026-12-02T11:30:00"),
    "open items": ("  open_items = 2", "  open_items = 1"),
    "contract": ("2027-01-01", "2027-03-01"),
    "reply": ("  is_reply = true", "  is_reply = false"),
    "attachment": ("plan.pdf", "plan.doc"),
    "from date": ("from_date = 2026-12-01", "from_date = 2026-12-03"),
    "stranger": ('  tier = "Gold"', '  account = "none"'),
    "words": ("At the zebra", "At the"),
}
FIELDS = 9
"""Of the fields above, those that differ once the rule does not hold, beside the two refused priorities."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    return assembled(lay_out_site(tmp_path_factory.mktemp("site")), dry=True)


def judged(site: Playbook, text: str, more: dict[str, bytes] | None = None) -> list[str]:
    files = {"a.toml": text.encode(), **(more or {})}
    rules = parse_rules(files, templates=site.templates.names, people=frozenset(site.people))
    playbook = dataclasses.replace(site, rules=rules, sought=sought_of(rules), written=Written.of({}))
    return [str(problem) for problem in failing(playbook, files=files)]


def test_all_circumstances_together_make_it_hold(site: Playbook) -> None:
    assert judged(site, RULES) == []


@pytest.mark.parametrize(("old", "new"), CHANGES.values(), ids=list(CHANGES))
def test_each_circumstance_counts(site: Playbook, old: str, new: str) -> None:
    assert RULES.count(old) == 1
    told = judged(site, RULES.replace(old, new))
    assert len(told) == FIELDS + 1, told
    assert "a.toml:23: the example should give priority urgent, but gives normal" in told
    assert "a.toml:23: the example should give tag night, but gives none" in told
    assert "a.toml:23: the example should not give priority normal, but does" in told


def test_an_example_may_be_a_mail_in_a_file(site: Playbook) -> None:
    text = """[[rule]]
name = "A"
when.says = "zebra crossing"
then.tag = "found"
  [[rule.example]]
  file = "examples/one.eml"
  gives.tag = "{}"
"""
    files = {"examples/one.eml": mail("We met at the zebra crossing.")}
    assert judged(site, text.format("found"), files) == []
    assert judged(site, text.format("lost"), files) == ["a.toml:5: the example should give tag lost, but gives found"]


def test_every_example_that_ships_comes_out(tmp_path: Path) -> None:
    playbook = assembled(lay_out_site(tmp_path), dry=True)
    found = list(judge_examples(playbook, files=playbook.written.rules))
    assert len(found) >= 60
    assert [each.differences for each in found if each.differences] == []


def test_a_logged_mail_becomes_an_example_that_comes_out(site: Playbook) -> None:
    text = 'We met at "Zur Post"\n\n\tPath C:\\new\x7f\nand the zebra crossing.'
    message, decision = decided(site, mail(text, subject="Plan \\ 1"), open_items=4)
    background = Background(decision.account, ACME, Judged({}, ()), open_items=4)
    rule_text = '[[rule]]\nname = "A"\nwhen.says = "zebra crossing"\nwhen.open_items = ">= 4"\nwhen.tier = "gold"\n'
    rule_text += 'when.received = "business hours"\nthen.priority = "urgent"\n'
    rules = parse_rules({"a.toml": rule_text.encode()}, templates=site.templates.names, people=frozenset(site.people))
    [rule] = rules.rules
    made = example_text(message, decision, background, categories=(), rule=rule, zone="Europe/Berlin")
    table = tomllib.loads(f"[[rule]]\n{made}\n")["rule"][0]["example"][0]
    assert table["mail"] == message.new_text.strip()
    assert table["subject"] == "Plan \\ 1"
    assert (table["open_items"], table["tier"], table["received"]) == (4, "gold", datetime(2026, 11, 17, 9, 0))
    assert table["gives"] == {"category": "other", "priority": "urgent"}
    assert "from" not in table
    assert judged(site, f"{rule_text}\n{made}\n") == []
    assert judged(site, f"{rule_text}\n{made}\n".replace("open_items = 4", "open_items = 3")) != []
    bare = example_text(message, decision, background, categories=("request",), rule=None, zone="Europe/Berlin")
    assert set(tomllib.loads(bare.replace("[[rule.example]]", ""))) == {"subject", "mail", "gives"}
