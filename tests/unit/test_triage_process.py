"""The triage process: a mail that hangs, exhausts or kills it is named, the others of its batch are decided."""

from __future__ import annotations

import os
import queue
import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.desk import ACME, NOW, lay_out_site, mail, raw
from tests.unit.poison import build_poisonable
from triaged.errors import ConfigError
from triaged.loading import build_playbook, list_path, written_of
from triaged.log.people import put_accounts
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Contact, Listed, Raw
from triaged.settings import Config
from triaged.wire import log_path
from triaged.worker.beats import Beats
from triaged.worker.intake import Intake
from triaged.worker.progress import Progress
from triaged.worker.triage import ENDED, Build, Limits, Triaged, TriageProcess, Unreadable
from triaged.worker.writer import Writer

SHIPPED_MODEL = Path(__file__).parents[2] / "triaged/classify/model"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = lay_out_site(tmp_path)
    log = Log(log_path(config))
    with log.transaction():
        put_accounts(log, [ACME])
    log.close()
    return config


def process_of(config: Config, build: Build) -> TriageProcess:
    return TriageProcess(
        build=build,
        list_path=list_path(config),
        log_path=log_path(config),
        limits=Limits(timeout_s=2, memory_mb=2000),
        beat=lambda: None,
        on_loaded=lambda loaded: None,
    )


@pytest.fixture
def process(config: Config) -> Iterator[TriageProcess]:
    """Some subjects hang, exhaust or kill it (`poison`)."""
    made = process_of(config, partial(build_poisonable, config))
    made.start()
    yield made
    made.kill()


def subjects(results: list[Triaged | Unreadable]) -> dict[str, str]:
    """Key → `decided` or the cause."""
    return {each.raw.locator.key: "decided" if isinstance(each, Triaged) else each.cause for each in results}


def test_a_mail_that_hangs_is_named_and_the_others_go_on(process: TriageProcess) -> None:
    batch = [
        raw(mail("Please send the list.", number=1), key="1"),
        raw(mail("Please send the list.", subject="endless", number=2), key="2"),
        raw(mail("Please send the other list.", number=3), key="3"),
    ]
    found = subjects(process.triage(batch, now=NOW))
    assert found == {"1": "decided", "2": "it took longer than 3 s", "3": "decided"}


def test_a_mail_that_exhausts_memory_is_named(process: TriageProcess) -> None:
    batch = [raw(mail("Hello", subject="greedy"), key="1"), raw(mail("Please send it.", number=2), key="2")]
    found = subjects(process.triage(batch, now=NOW))
    assert found == {"1": "it needs more memory than a mail may", "2": "decided"}


def test_a_mail_that_kills_its_process_twice_is_named_and_the_others_go_on(process: TriageProcess) -> None:
    batch = [raw(mail("Hello", subject="deadly"), key="1"), raw(mail("Please send it.", number=2), key="2")]
    found = subjects(process.triage(batch, now=NOW))
    assert found == {"1": ENDED, "2": "decided"}


def test_a_process_that_dies_is_started_again(process: TriageProcess) -> None:
    assert process._child is not None
    os.kill(process._child.pid, 9)
    assert subjects(process.triage([raw(mail("Please send it."), key="1")], now=NOW)) == {"1": "decided"}


OWN = '[[rule]]\nname = "Own"\nwhen.says = "zebra"\nthen.suggests = { zoo = 0.9 }\n'


def test_new_rules_decide_once_they_are_taken_and_not_before(process: TriageProcess, config: Config) -> None:
    assert process.loaded is not None
    before = process.loaded.written.id
    (config.base / "rules" / "own.toml").write_text(OWN, encoding="utf-8")
    fresh = process.prepare(written_of(config)).written.id
    assert fresh != before
    assert zebra(process) == (before, False)
    process.take()
    assert zebra(process) == (fresh, True)
    assert process.loaded.written.id == fresh


def test_new_rules_that_are_wrong_or_dropped_change_nothing(process: TriageProcess, config: Config) -> None:
    assert process.loaded is not None
    before = process.loaded.written.id
    own = config.base / "rules" / "own.toml"
    own.write_text(OWN.replace("0.9", "2"), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        process.prepare(written_of(config))
    assert refused.value.problems[0].where == "own.toml:4"
    assert zebra(process) == (before, False)
    own.write_text(OWN, encoding="utf-8")
    process.prepare(written_of(config))
    process.drop()
    process.take()  # there is nothing to take
    assert zebra(process) == (before, False)


def test_a_process_that_dies_is_started_again_with_the_rules_that_it_decided_by(
    process: TriageProcess, config: Config
) -> None:
    assert process.loaded is not None
    before, own = process.loaded.written.id, config.base / "rules" / "own.toml"
    own.write_text("[[rule]]\nnam = 1\n", encoding="utf-8")
    kill(process)
    assert zebra(process) == (before, False)
    own.write_text(OWN, encoding="utf-8")
    kill(process)
    assert zebra(process) == (before, False)  # right as they are now, nobody took them


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_dies_while_rules_are_taken_has_them_when_it_is_started_again(
    process: TriageProcess, config: Config, when: str
) -> None:
    (config.base / "rules" / "own.toml").write_text(OWN, encoding="utf-8")
    fresh = process.prepare(written_of(config)).written.id
    if when == "before":
        kill(process)
    process.take()
    if when == "after":
        kill(process)
    assert zebra(process) == (fresh, True)


def zebra(process: TriageProcess) -> tuple[str, bool]:
    """The rule set that decides about a mail, and whether our own rule spoke."""
    [result] = process.triage([raw(mail("A zebra."), key="1")], now=NOW)
    assert isinstance(result, Triaged)
    return result.decision.verdict.rules_id, "zoo" in result.decision.verdict.chosen


def kill(process: TriageProcess) -> None:
    assert process._child is not None
    os.kill(process._child.pid, 9)


def test_new_accounts_are_known_to_the_next_mail(process: TriageProcess, config: Config) -> None:
    stranger = raw(mail("Please send it.", sender="zoe@zoo.example"), key="1")
    [result] = process.triage([stranger], now=NOW)
    assert isinstance(result, Triaged)
    assert result.decision.account.account_id is None
    log = Log(log_path(config))
    with log.transaction():
        put_accounts(log, [type(ACME)("C-9", "Zoo", domains=("zoo.example",))])
    log.close()
    [result] = process.triage([stranger], now=NOW)
    assert isinstance(result, Triaged)
    assert result.decision.account.account_id == "C-9"


def test_of_an_account_only_the_contact_that_wrote_is_kept_with_a_mail(process: TriageProcess, config: Config) -> None:
    """Or every mail kept the names of all who work there."""
    contacts = tuple(Contact(f"{name}@zoo.example", name.title()) for name in ("zoe", "max", "kim"))
    log = Log(log_path(config))
    with log.transaction():
        put_accounts(log, [type(ACME)("C-9", "Zoo", domains=("zoo.example",), contacts=contacts)])
    log.close()
    [result] = process.triage([raw(mail("Please send it.", sender="Zoe@zoo.example"), key="1")], now=NOW)
    assert isinstance(result, Triaged)
    assert result.background.account is not None
    assert result.background.account.contacts == contacts[:1]


def test_wrong_rules_refuse_the_start(config: Config, tmp_path: Path) -> None:
    (tmp_path / "rules" / "own.toml").write_text("[[rule]]\nnam = 1\n", encoding="utf-8")
    made = process_of(config, partial(build_playbook, config))
    with pytest.raises(ConfigError) as refused:
        made.start()
    assert any("own.toml" in problem.where for problem in refused.value.problems)
    made.kill()


def test_mails_wait_while_the_process_cannot_be_started(tmp_path: Path) -> None:
    """A process that had to be killed finds its model damaged: its mails are handed out again, none is lost."""
    model = tmp_path / "model"
    shutil.copytree(SHIPPED_MODEL, model)
    config = lay_out_site(tmp_path / "site", changes={'model_dir = ""': f'model_dir = "{model}"'})
    process = process_of(config, partial(build_playbook, config))
    process.start()
    raws: queue.Queue[Raw] = queue.Queue()
    progress, stop = Progress(), Event()
    beats = Beats()
    writer = Writer(log_path(config), beats=beats)
    intake = Intake(
        raws=raws,
        writer=writer,
        progress={("desk", "inbox"): progress},
        wake_lanes=lambda lanes: None,
        batch=4,
        state_dir=tmp_path,
        review_percent=0,
        beats=beats,
        clock=lambda: NOW,
    )
    model.rename(tmp_path / "elsewhere")
    process.kill()
    assert progress.hand_out([Listed(("1",), "1")], ["1"]) == ("1",)
    raws.put(raw(mail("Please send it."), key="1"))
    with pytest.raises(ConfigError):
        intake.run("triage 1", process, stop)
    assert raws.unfinished_tasks == 0
    assert progress.hand_out([Listed(("1",), "1")], ["1"]) == ("1",)
    (tmp_path / "elsewhere").rename(model)
    raws.put(raw(mail("Please send it."), key="1"))
    threads = [Thread(target=writer.run), Thread(target=intake.run, args=("triage 1", process, stop))]
    for thread in threads:
        thread.start()
    raws.join()
    stop.set()
    threads[1].join(timeout=20)
    writer.close()
    threads[0].join(timeout=20)
    process.kill()
    with closing(Reader(log_path(config))) as reader:
        assert reader.unlogged("desk", "inbox", ["1"]) == []
        assert reader.counts(since_ms=0).quarantined == 0
