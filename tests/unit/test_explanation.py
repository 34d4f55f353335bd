"""Why, and why not: what every kind of rule is told of a mail, by name, line and beginning, in words and as JSON."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.desk import ACME, NOW, lay_out_site, mail, open_log, raw
from triaged import cli
from triaged.accounts.match import directory
from triaged.config import load_config
from triaged.explanation import WhyNot, explanation, why_not
from triaged.loading import assembled
from triaged.log.people import put_accounts
from triaged.log.read import Reader
from triaged.mail.donotanswer import DoNotAnswer
from triaged.replay import Remade, kept_playbooks, replay
from triaged.rules.named import rule_named
from triaged.wire import log_path
from triaged.worker.triage import Desk, Triaged, keep_loaded, loaded_of, triage

RULES = """
[[rule]]
name = "Speaks of a leak"
because = "Water does not wait"
when.says = ["leaking", "dripping"]
then.suggests = { leak = 0.9, complaint = 0.12 }

[[rule]]
name = "Speaks of the roof"
when.says = "roof"
unless.says = ["sunroof", "leaking"]
then.suggests = { leak = 0.6 }

[[rule]]
name = "Old rule"
enabled = false
when.says = "kitchen"
then.priority = "low"

[[rule]]
name = "Summer only"
from_date = 2026-06-01
to_date = 2026-08-31
when.says = "kitchen"
then.priority = "low"

[[rule]]
name = "Leak"
when.category = "leak"
then.priority = "high"
then.acknowledge = "received"
then.tag = ["water", "house"]

[[rule]]
name = "Leak of a gold account"
when.category = "leak"
when.tier = "gold"
then.priority = "urgent"
then.acknowledge = "received"
then.tag = ["water", "gold"]
then.due = "4 business hours"

[[rule]]
name = "Leak at a great house"
when.category = "leak"
when.tier = "platinum"
then.priority = "urgent"

[[rule]]
name = "High is high"
when.account = "*"
then.priority = "low"

[[rule]]
name = "Enough"
when.says = "kitchen"
then.stop = true

[[rule]]
name = "After all"
when.says = "leaking"
then.assign = "marek"
then.signals = { churn = 0.3 }

[[rule]]
name = "[bold]odd[/bold] \\u202e name"
when.category = "renewal"
then.tag = "odd"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the rules above and one mail in its log."""
    folder = tmp_path_factory.mktemp("site")
    config = lay_out_site(folder)
    for file in (folder / "rules").glob("*.toml"):
        file.unlink()
    (folder / "rules/house.toml").write_text(RULES, "utf-8")
    playbook = assembled(config)
    log = open_log(log_path(config))
    with log.transaction():
        put_accounts(log, [ACME])
        keep_loaded(log, loaded_of(playbook), now=NOW)
    octets = mail("The tap in our kitchen is leaking. Is the roof next?", subject="Kitchen")
    reader = Reader(log_path(config))
    received = NOW + timedelta(hours=10)  # six in the evening: after closing
    (made,) = triage(
        [raw(octets, received=received)],
        desk=Desk(playbook, directory(reader.accounts()), reader, DoNotAnswer()),
        now=received,
    )
    assert isinstance(made, Triaged)
    with log.transaction():
        log.record(made.message, made.decision, made.raw.locator, background=made.background, now=received)
    reader.close()
    log.close()
    return folder


@pytest.fixture(scope="module")
def remade(site: Path) -> Remade:
    config = load_config(site / "config.toml")
    reader = Reader(log_path(config))
    found = replay(reader, 1, playbook_of=kept_playbooks(reader, config))
    reader.close()
    assert found is not None
    assert found.reproduced
    assert found.remade is not None
    return found.remade


def asked(remade: Remade, wanted: str) -> WhyNot:
    return why_not(next(each for each in remade.playbook.rules.rules if each.name == named(remade, wanted)), remade)


def named(remade: Remade, wanted: str) -> str:
    return rule_named(wanted, {each.name: each.source for each in remade.playbook.rules.rules})


@pytest.mark.parametrize(
    ("rule", "fired", "answer"),
    [
        ("Speaks of a leak", True, "it fired"),
        ("Speaks of the roof", False, "it did not fire: 1 of its 2 conditions is not met"),
        ("Old rule", False, "it is switched off (enabled = false), so it could not fire; all its conditions are met"),
        ("Summer only", False, "it did not fire: 1 of its 3 conditions is not met"),
        ("Leak", True, "it fired"),
        ("Leak of a gold account", True, "it fired"),
        ("Leak at a great house", False, "it did not fire: 1 of its 2 conditions is not met"),
        ("High is high", True, "it fired, but too late to set anything: earlier rules had set all that it names"),
        ("Enough", True, "it fired"),
        (
            "After all",
            True,
            "its conditions are met, but “Enough” (house.toml:54) stands before it, fired and lets no later rule "
            "handle (stop = true)",
        ),
    ],
)
def test_what_became_of_each_rule(remade: Remade, rule: str, fired: bool, answer: str) -> None:
    told = asked(remade, rule)
    assert (told.fired, told.answer[0]) == (fired, answer)


def test_what_kept_it_from_firing_is_told_with_what_was_there(remade: Remade) -> None:
    told = asked(remade, "Leak at a great house")
    assert [(each.key, each.wanted, each.actual, each.holds) for each in told.conditions] == [
        ("when.category", "leak", "leak, request", True),
        ("when.tier", "platinum", "gold", False),
    ]
    assert asked(remade, "Speaks of the roof").conditions[1].actual == '"leaking"'
    assert asked(remade, "Old rule").conditions[0].holds, "words of a rule that is switched off are looked for, too"
    assert asked(remade, "Summer only").answer[1] == "it counts only until 2026-08-31; the mail was received 2026-11-17"
    odd = asked(remade, "[bold]odd")
    assert odd.answer[1].startswith("renewal came to 0.")
    assert " and counts from 0." in odd.answer[1]


def test_what_its_evidence_came_to_is_told(remade: Remade) -> None:
    leak, complaint = asked(remade, "Speaks of a leak").answer[1:]
    assert leak == (
        "it spoke for leak with 0.90; with all else that came to 0.90, and leak counts from 0.50 on, so it was chosen"
    )
    assert complaint.endswith("so it was not chosen")
    counted = asked(remade, "After all").answer[1]
    assert counted.startswith("what it knows of the mail counted all the same: it gave the signal churn with 0.30")


def test_which_field_was_set_by_whom(remade: Remade) -> None:
    told = asked(remade, "Leak of a gold account")
    assert [(each.field, each.value, each.outcome, each.by, each.now) for each in told.fields] == [
        ("priority", "urgent", "overruled", "Leak", "high"),
        ("acknowledge", "received", "same", "Leak", "received"),
        ("due", "4 business hours", "set", "Leak of a gold account", "4 business hours"),
        ("tag", "water", "same", "Leak", "water"),
        ("tag", "gold", "set", "Leak of a gold account", "gold"),
    ]
    assert [(each.field, each.outcome) for each in asked(remade, "After all").fields] == [("assign", "not set")]


def test_it_came_about_so(site: Path, remade: Remade) -> None:
    told = objects(site, "explain", "1")
    assert told["due"] == "2026-11-18T13:00:00Z"
    assert [each["words"] for each in told["due_steps"]] == [
        "Tue 17 Nov 2026, 19:00",
        "4 business hours: set by “Leak of a gold account” (house.toml:34)",
        "19:00 is outside business hours, so counting begins Wed 18 Nov 09:00",
        "Wed 18 Nov 09:00–12:30: 3 h 30 min",
        "Wed 18 Nov 13:30–14:00: 30 min",
        "Wed 18 Nov 2026, 14:00",
    ]


# --- which rule is meant ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("leak", "Leak"),
        ("LEAK  of a Gold Account", "Leak of a gold account"),
        ("leak of", "Leak of a gold account"),
        ("house.toml:2", "Speaks of a leak"),
        ("rules/house.toml:7", "Speaks of a leak"),
        ("house.toml:9", "Speaks of the roof"),
        ("house.toml:999", "[bold]odd[/bold] \u202e name"),
    ],
)
def test_a_rule_is_found(remade: Remade, wanted: str, name: str) -> None:
    assert named(remade, wanted) == name


def test_a_rule_that_is_not_there_or_not_the_only_one_is_not_guessed(remade: Remade) -> None:
    for wanted, words in (
        ("Leek", "there is no rule “Leek”; did you mean 'Leak'?"),
        ("house.toml:1", "there is no rule “house.toml:1”"),
        ("other.toml:9", "there is no rule “other.toml:9”"),
        ("speaks of", "“speaks of” begins the names of 2 rules: “Speaks of a leak”, “Speaks of the roof”; write more"),
    ):
        with pytest.raises(ValueError, match="^" + re.escape(words)):
            named(remade, wanted)


# --- the command ------------------------------------------------------------------------------------------------------


def ran(site: Path, *words: str) -> Result:
    return CliRunner().invoke(cli.app, [*words, "--config", str(site / "config.toml")])


def objects(site: Path, *words: str) -> Any:
    done = ran(site, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_in_words(site: Path) -> None:
    done = ran(site, "explain", "1")
    assert done.exit_code == 0, done.output
    for words in (
        "the same, to the last letter",
        "leak: 0.90 (counts from 0.50 on)",
        "0.90 by “Speaks of a leak” (house.toml:2): “leaking”",
        "C-1: ann@acme.example is a contact of Acme.",
        "priority = high, by “Leak” (house.toml:27)",
        "overruled: “Leak of a gold account” (house.toml:34) wanted urgent",
        "✗ Leak at a great house (house.toml:43): when.tier wanted platinum, was gold",
        '✗ Speaks of the roof (house.toml:8): unless.says must not be sunroof or leaking, found "leaking"',
        "--all shows each",
    ):
        assert words in done.stdout
    assert "Old rule" not in done.stdout
    everything = ran(site, "explain", "1", "--all").stdout
    assert "✗ Summer only (house.toml:20)" in everything
    assert "[bold]odd[/bold]" in everything


def test_why_not_in_words(site: Path) -> None:
    done = ran(site, "explain", "1", "--why-not", "leak at")
    assert done.exit_code == 0, done.output
    assert "It did not fire: 1 of its 2 conditions is not met.\n" in done.stdout
    assert "  ✓ when.category wanted leak, was leak, request\n  ✗ when.tier wanted platinum, was gold\n" in done.stdout
    done = ran(site, "explain", "1", "--why-not", "high is high")
    assert "→ priority = low: overruled, for “Leak” stands before it and set high" in done.stdout


def test_a_rule_nobody_knows_is_wrong_usage(site: Path) -> None:
    done = ran(site, "explain", "1", "--why-not", "Leek")
    assert done.exit_code == 2
    assert "did you mean" in done.stderr


def test_as_json(site: Path) -> None:
    told = objects(site, "explain", "1", "--why-not", "leak of a gold account")
    assert (told["reproduced"], told["problem"], told["differences"], told["no_due"]) == (True, None, [], None)
    assert told["thresholds"]["leak"] == 0.5
    (rule,) = (each for each in told["trace"] if each["rule"] == "Leak at a great house")
    assert (rule["fired"], rule["near_miss"]) == (False, True)
    assert [(each["holds"], each["met"]) for each in rule["conditions"]] == [(True, True), (False, False)]
    (roof,) = (each for each in told["trace"] if each["rule"] == "Speaks of the roof")
    assert (roof["conditions"][1]["holds"], roof["conditions"][1]["met"]) == (True, False)
    assert len({each["source"] for each in told["trace"]}) == len(told["trace"]) == 11
    unseen = {each["rule"]: each["not_looked_at"] for each in told["trace"] if each["not_looked_at"] is not None}
    assert unseen == {
        "Old rule": "switched off (enabled = false)",
        "[bold]odd[/bold] \u202e name": "after “Enough”, which stops",
    }
    assert told["why_not"]["fired"]
    assert told["why_not"]["fields"][0] == {
        "field": "priority", "value": "urgent", "outcome": "overruled", "set_by": "Leak", "is": "high",
    }  # fmt: skip
    assert objects(site, "explain", "1")["why_not"] is None


def test_a_rule_of_today_is_tried_as_it_stands_today(site: Path) -> None:
    file = site / "rules/house.toml"
    try:
        file.write_text('[[rule]]\nname = "Taps"\nwhen.says = "tap"\nthen.priority = "urgent"\n', "utf-8")
        told = objects(site, "explain", "1", "--why-not", "Taps")
        assert told["reproduced"]
        assert (told["why_not"]["today"], told["why_not"]["fired"]) == (True, True)
        assert told["why_not"]["fields"][0]["outcome"] == "set"
        assert "The rules of that day do not have it" in ran(site, "explain", "1", "--why-not", "taps").stdout
        assert not objects(site, "explain", "1", "--why-not", "leak")["why_not"]["today"], "its own day comes first"
        file.write_text("[[rule]]\nname = 1\n", "utf-8")
        assert objects(site, "explain", "1", "--why-not", "leak")["reproduced"]
    finally:
        file.write_text(RULES, "utf-8")


def test_one_decided_before_is_shown_as_it_was_written_down(site: Path, remade: Remade) -> None:
    config = load_config(site / "config.toml")
    log = open_log(log_path(config))
    with log.transaction():
        (kept,) = log.db.execute("SELECT background FROM decision WHERE id = 1").fetchone()
        log.db.execute("UPDATE decision SET background = '' WHERE id = 1")
    try:
        told = objects(site, "explain", "1")
        assert (told["reproduced"], told["due_steps"], told["due"]) == (None, [], "2026-11-18T13:00:00Z")
        assert told["problem"].startswith("it was decided before triaged kept what it knew of a mail")
        words = ran(site, "explain", "1").stdout
        assert "It cannot be decided again: it was decided before" in words
        assert "An answer is due Wed 18 Nov 14:00 (priority high)." in words
        assert "priority = high, by “Leak” (house.toml:27)" in words
        stored = ran(site, "explain", "1", "--why-not", "leak").stdout
        assert "It fired; what was written down of it then:" in stored
        gone = ran(site, "explain", "1", "--why-not", "Winter only")
        assert gone.exit_code == 1
        assert "nothing was written down of a rule “Winter only”" in gone.stderr
    finally:
        with log.transaction():
            log.db.execute("UPDATE decision SET background = ? WHERE id = 1", (kept,))
        log.close()
    assert objects(site, "explain", "1")["reproduced"]


def test_what_is_told_is_what_was_stored(remade: Remade, site: Path) -> None:
    config = load_config(site / "config.toml")
    reader = Reader(log_path(config))
    found = replay(reader, 1, playbook_of=kept_playbooks(reader, config))
    reader.close()
    assert found is not None
    told = explanation(remade.message, found)
    assert told.decision.fields == found.stored.fields
    assert told.due_steps[-1].at == found.stored.due
    assert [rule.name for rule in told.rules if rule.near] == [
        "Speaks of the roof",
        "Summer only",
        "Leak at a great house",
    ]
