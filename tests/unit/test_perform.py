"""A mailbox's lane, which marks mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desk import ACME, decided, effects_of, lay_out_site, mail
from tests.doubles.crossing import nothing
from tests.doubles.mailbox import MemoryMailbox
from triaged.decision import MarkMessage, Outcome
from triaged.loading import build_playbook
from triaged.log.effects import lane_of
from triaged.model import Locator
from triaged.settings import Config
from triaged.worker.perform import FilingLane

CHURN = "We are very unhappy with your service and want to cancel our contract. Please call me."


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    changes = {"show_categories = false": "show_categories = true"}
    return lay_out_site(tmp_path_factory.mktemp("site"), changes=changes)


def test_a_mail_is_marked_with_what_it_was_decided_to_be(config: Config) -> None:
    message, decision = decided(build_playbook(config), mail(CHURN), accounts=(ACME,))
    [(mark, state)] = effects_of(decision, MarkMessage)
    assert isinstance(mark, MarkMessage)
    verdict = decision.verdict
    shown = {each if verdict.answer(each) == "yes" else f"{each}?" for each in verdict.chosen}
    assert (set(mark.categories), state) == (shown, "owed")
    assert "complaint" in {each.rstrip("?") for each in shown}
    assert lane_of(mark) == "mailbox:desk"
    box = MemoryMailbox()
    key = box.deliver(b"Subject: x\r\n\r\n")
    filing = FilingLane(box)
    there = MarkMessage(mark.key, Locator("desk", "INBOX", key), mark.categories)
    for _ in range(2):
        assert filing.perform(there, nothing) == Outcome(f"marked {', '.join(mark.categories)}")
    assert box.marks == {key: set(mark.categories)}
    box.expunge(key)
    assert filing.perform(there, nothing) == Outcome("was no longer in INBOX")
    assert message.key in mark.key


def test_other_mail_is_marked_too_and_a_machines_is_not(config: Config) -> None:
    playbook = build_playbook(config)
    _, decision = decided(playbook, mail("Merry Christmas to all of you."))
    [(mark, _)] = effects_of(decision, MarkMessage)
    assert isinstance(mark, MarkMessage)
    assert mark.categories == ("other" if decision.verdict.sure else "other?",)
    _, decision = decided(playbook, mail("I am out of the office.", fields="Auto-Submitted: auto-replied\r\n"))
    assert effects_of(decision, MarkMessage) == []


def test_nothing_is_marked_where_nobody_asked_for_it(tmp_path: Path) -> None:
    _, decision = decided(build_playbook(lay_out_site(tmp_path)), mail(CHURN), accounts=(ACME,))
    assert "complaint" in decision.verdict.chosen
    assert effects_of(decision, MarkMessage) == []
