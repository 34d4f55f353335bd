"""Saved rules reach every triage process or none; after a mistake the last good set goes on, also after a restart."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import TypeVar

import pytest

from tests.desk import NOW, lay_out_site, mail, raw
from triaged.errors import ConfigError
from triaged.loading import build_playbook, folders_of, list_path, written_of
from triaged.log.read import HealthRow, Reader
from triaged.log.rulesets import Use, keep_rule_set, last_use, rule_set, uses
from triaged.log.store import Log
from triaged.playbook import Playbook
from triaged.settings import Config
from triaged.shelf import SHIPPED, use, use_path
from triaged.wire import log_path
from triaged.worker.beats import Beats
from triaged.worker.reload import PART, WATCH, Request, Rules, ask, request_path
from triaged.worker.timers import TimerSurroundings
from triaged.worker.triage import Build, Limits, Loaded, Triaged, TriageProcess, keep_loaded
from triaged.worker.writer import Writer
from triaged.written import Written

OWN = '[[rule]]\nname = "Own"\nwhen.says = "zebra"\nthen.suggests = { zoo = 0.9 }\n'
OTHER = OWN.replace("0.9", "0.8")
WRONG = OWN.replace("0.9", "2")
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
T = TypeVar("T")
_clock = Event()
"""Never set: a clock to wait on."""


@dataclass
class Bench:
    """A worker's rules with two processes, its log and its writer."""

    config: Config
    writer: Writer
    build: Build
    stop: Event = field(default_factory=Event)
    asked: Event = field(default_factory=Event)
    beats: Beats = field(default_factory=Beats)
    rules: Rules = field(init=False)
    processes: list[TriageProcess] = field(init=False)

    def __post_init__(self) -> None:
        self.processes = [self._process(), self._process()]
        around = TimerSurroundings(
            log_path(self.config), self.writer, self.stop, self.beats, self._health, lambda: datetime.now(UTC)
        )
        self.rules = Rules(
            folders_of(self.config),
            self.processes,
            around=around,
            asked=self.asked,
            model_choice=use_path(self.config.state_dir),
            on_loaded=self._keep,
        )

    def _process(self) -> TriageProcess:
        return TriageProcess(
            build=self.build,
            list_path=list_path(self.config),
            log_path=log_path(self.config),
            limits=Limits(timeout_s=20, memory_mb=2000),
            beat=lambda: None,
            on_loaded=self._keep,
        )

    def _keep(self, loaded: Loaded) -> None:
        self.writer.submit(partial(keep_loaded, loaded=loaded, now=NOW))

    def _health(self, part: str, state: str, detail: str) -> None:
        self.writer.submit(lambda rows: rows.set_health(part, state, detail, now=NOW))

    def save(self, text: str, name: str = "own.toml") -> str:
        """Into the rules; the id of the set that the folders hold then."""
        (self.config.base / "rules" / name).write_text(text, encoding="utf-8")
        return written_of(self.config).id

    def decides(self) -> tuple[str, ...]:
        """The rule set of each process's decision about a mail."""
        found = []
        for process in self.processes:
            [result] = process.triage([raw(mail("A zebra."))], now=NOW)
            assert isinstance(result, Triaged)
            found.append(result.decision.verdict.rules_id)
        return tuple(found)

    def read(self, look: Callable[[Reader], T]) -> T:
        """Of the log, with all that was told of up to now."""
        self.writer.submit(lambda rows: None).result()
        with closing(Reader(log_path(self.config))) as reader:
            return look(reader)

    def part(self) -> HealthRow:
        return next(row for row in self.read(Reader.health) if row.part == PART)

    def in_use(self) -> str:
        use = self.read(last_use)
        return use.rules_id if use is not None else ""

    def uses(self) -> list[Use]:
        """Oldest first."""
        return self.read(uses)[::-1]

    def is_taken(self, rules_id: str) -> Callable[[], bool]:
        return lambda: self.in_use() == rules_id and self.part().state == "ok"

    def is_refused(self, words: str) -> Callable[[], bool]:
        return lambda: self.part().state == "trouble" and words in self.part().detail


def wait_for(condition: Callable[[], bool], what: str) -> None:
    for _ in range(600):
        if condition():
            return
        _clock.wait(0.05)
    raise AssertionError(f"not within 30 s: {what}")


@contextmanager
def running(config: Config, *, build: Build | None = None, asked: Event | None = None) -> Iterator[Bench]:
    """Started, with the thread that looks at the folders."""
    writer = Writer(log_path(config), beats=Beats())
    threads = [Thread(target=writer.run)]
    threads[0].start()
    writer.opened.result()
    bench = Bench(config, writer, build or partial(build_playbook, config), asked=asked or Event())
    try:
        bench.rules.start()
        threads.append(Thread(target=bench.rules.run))
        threads[1].start()
        yield bench
    finally:
        bench.stop.set()
        bench.asked.set()
        for thread in threads[1:]:
            thread.join()
        for process in bench.processes:
            process.kill()
        writer.close()
        threads[0].join()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return lay_out_site(tmp_path)


def me() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def test_what_is_saved_is_taken_by_all_and_a_mistake_by_none(config: Config) -> None:
    with running(config) as bench:
        first = bench.in_use()
        assert bench.decides() == (first, first)
        second = bench.save(OWN)
        wait_for(bench.is_taken(second), "a good edit is taken")
        assert bench.decides() == (second, second)

        bench.save(WRONG)
        wait_for(bench.is_refused("own.toml:4: "), "a bad edit is trouble")
        assert bench.part().detail.startswith(f"not taken, rule set {second} goes on: ")
        assert bench.decides() == (second, second)

        third = bench.save(OTHER)
        wait_for(bench.is_taken(third), "it is taken once it is mended")
        assert bench.decides() == (third, third)

        (config.base / "rules/own.toml").unlink()
        wait_for(bench.is_taken(first), "a file that was removed is seen")
        (config.base / "templates/received.txt").write_text("Subject: {{ nonsense }}\n\nHello\n", encoding="utf-8")
        wait_for(bench.is_refused("received.txt:1"), "templates are part of the set")
        assert [(use.rules_id, use.how, use.why) for use in bench.uses()] == [
            (first, "started", ""),
            (second, "saved", ""),
            (third, "saved", ""),
            (first, "saved", ""),
        ]
        assert [use.who for use in bench.uses()] == ["", me(), me(), ""]


def test_back_to_what_decides_is_the_all_clear(config: Config) -> None:
    with running(config) as bench:
        before = (config.base / "rules/complaint.toml").read_text(encoding="utf-8")
        bench.save(before + "\n[[rule", "complaint.toml")
        wait_for(bench.is_refused("complaint.toml"), "a bad edit is trouble")
        bench.save(before, "complaint.toml")
        wait_for(lambda: bench.part().state == "ok", "the all-clear comes")
        assert len(bench.uses()) == 1


def test_a_folder_that_cannot_be_read_is_a_mistake_too(config: Config) -> None:
    with running(config) as bench:
        (config.base / "rules").rename(config.base / "away")
        wait_for(bench.is_refused("the folder cannot be read"), "a folder that is gone is trouble")
        assert len(set(bench.decides())) == 1
        (config.base / "away").rename(config.base / "rules")
        wait_for(lambda: bench.part().state == "ok", "the all-clear comes")


def test_after_a_restart_the_last_good_set_goes_on(config: Config) -> None:
    with running(config) as bench:
        good = bench.save(OWN)
        wait_for(bench.is_taken(good), "a good edit is taken")
    bench.save(WRONG)
    with running(config) as bench:
        assert bench.part().state == "trouble"
        assert "own.toml:4: " in bench.part().detail
        assert bench.decides() == (good, good)
        mended = bench.save(OTHER)
        wait_for(bench.is_taken(mended), "it is taken once it is mended")
        assert bench.decides() == (mended, mended)
        assert [use.rules_id for use in bench.uses()][1:] == [good, mended]


def test_of_the_earlier_sets_the_newest_that_still_loads_goes_on(config: Config) -> None:
    """Sets that are wrong by now, here of an earlier program with other words, are passed over."""
    good, old = written_of(config), Written.of({"rules/a.toml": b'[[rule]]\nname = "A"\nwhen.sais = "x"\n'})
    log = Log(log_path(config))
    with log.transaction():
        for written in (good, old, Written.of({"rules/a.toml": b"[[rule"})):
            keep_rule_set(log, written, how="started", who="", why="", now=NOW)
    log.close()
    (config.base / "rules/own.toml").write_text(WRONG, encoding="utf-8")
    with running(config) as bench:
        assert bench.decides() == (good.id, good.id)
        assert bench.in_use() == good.id
        assert bench.part().state == "trouble"


def test_without_an_earlier_set_a_mistake_refuses_the_start(config: Config) -> None:
    (config.base / "rules/own.toml").write_text(WRONG, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"own\.toml:4: "), running(config):
        raise AssertionError("it started")
    with closing(Reader(log_path(config))) as reader:
        assert uses(reader) == []


def test_a_process_that_dies_while_the_files_are_wrong_goes_on_with_the_set_in_use(config: Config) -> None:
    with running(config) as bench:
        good = bench.save(OWN)
        wait_for(bench.is_taken(good), "a good edit is taken")
        bench.save(WRONG)
        wait_for(bench.is_refused("own.toml:4: "), "a bad edit is trouble")
        for process in bench.processes:
            assert process._child is not None
            os.kill(process._child.pid, 9)
        assert bench.decides() == (good, good)
        assert bench.part().state == "trouble"  # nobody gave the all-clear


def test_when_one_process_cannot_take_a_set_none_does(config: Config) -> None:
    with running(config) as bench:
        first, second = bench.in_use(), bench.processes[1]
        assert second._child is not None
        os.kill(second._child.pid, signal.SIGSTOP)
        fresh = bench.save(OWN)
        wait_for(lambda: is_held(second), "it is asked, and does not answer")
        os.kill(second._child.pid, signal.SIGKILL)
        wait_for(bench.is_refused("did not load it"), "one that died refuses for all")
        assert bench.decides() == (first, first)
        bench.processes[0].take()
        assert bench.decides() == (first, first), "what it had prepared is forgotten"
        bench.asked.set()
        wait_for(bench.is_taken(fresh), "asked once more, all take it")
        assert bench.decides() == (fresh, fresh)


def is_held(process: TriageProcess) -> bool:
    """Whether somebody waits for its answer."""
    if process._asking.acquire(blocking=False):
        process._asking.release()
        return False
    return True


def test_what_the_log_could_not_hold_is_told_once_more(config: Config) -> None:
    """A full disk, here a trigger: decisions must not name a set that nobody can look up."""
    with running(config) as bench:
        bench.writer.submit(
            lambda rows: rows.db.execute(
                "CREATE TRIGGER full BEFORE INSERT ON rule_set BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        ).result()
        fresh = bench.save(OWN)
        wait_for(lambda: bench.decides() == (fresh, fresh), "it decides, whatever the log holds")
        assert bench.in_use() != fresh
        bench.writer.submit(lambda rows: rows.db.execute("DROP TRIGGER full")).result()
        wait_for(bench.is_taken(fresh), "the log holds it once it can")
        assert bench.read(partial(rule_set, rules_id=fresh)) is not None


def test_files_that_loading_stumbles_over_are_a_mistake_too(config: Config) -> None:
    """Whatever they make us do wrong, what decided before goes on, also after a restart."""
    with running(config) as bench:
        good = bench.save(OWN)
        wait_for(bench.is_taken(good), "a good edit is taken")
    bench.save(OTHER)
    for how, words in ((_stumble, "a fault of ours: RuntimeError"), (_die, "did not load it")):
        with running(config, build=partial(how, config, good)) as bench:
            assert words in bench.part().detail
            assert bench.decides() == (good, good)


def _stumble(config: Config, good: str, *, written: Written | None) -> Playbook:
    if written is None or written.id != good:
        raise RuntimeError
    return build_playbook(config, written=written)


def _die(config: Config, good: str, *, written: Written | None) -> Playbook:
    if written is None or written.id != good:
        os._exit(9)
    return build_playbook(config, written=written)


def test_a_name_that_is_no_utf8_is_a_mistake_too(config: Config) -> None:
    with running(config) as bench:
        first = bench.in_use()
        odd = Path(os.fsdecode(os.fsencode(config.base) + b"/rules/K\xfcndigung.toml"))
        odd.write_text(OWN, encoding="utf-8")
        wait_for(bench.is_refused("no UTF-8"), "it is trouble")
        assert bench.decides() == (first, first)
    with running(config) as bench:
        assert bench.decides() == (first, first)
        odd.rename(config.base / "rules/own.toml")
        wait_for(lambda: bench.part().state == "ok", "the all-clear comes")


# --- asked for ------------------------------------------------------------------------------------------------------


def test_who_asks_and_why_stand_in_the_history(config: Config) -> None:
    with running(config) as bench:
        first = bench.in_use()
        fresh = bench.save(OWN)
        assert ask(config.state_dir, Request(fresh, "loaded", "eva", "zebras"))
        wait_for(lambda: not request_path(config.state_dir).exists(), "the worker answers")
        assert bench.in_use() == fresh
        assert ask(config.state_dir, Request(fresh, "loaded", "eva", ""))
        wait_for(lambda: not request_path(config.state_dir).exists(), "the worker answers")
        assert ask(config.state_dir, Request(fresh, "loaded", "max", "as agreed"))
        wait_for(lambda: not request_path(config.state_dir).exists(), "the worker answers")
        told = [(use.rules_id, use.how, use.who, use.why) for use in bench.uses()]
        assert told == [
            (first, "started", "", ""),
            (fresh, "loaded", "eva", "zebras"),
            (fresh, "loaded", "max", "as agreed"),
        ]


def test_a_request_that_is_refused_or_about_other_files_is_answered_too(config: Config) -> None:
    with running(config) as bench:
        wrong = bench.save(WRONG)
        ask(config.state_dir, Request(wrong, "loaded", "eva", "zebras"))
        wait_for(lambda: not request_path(config.state_dir).exists(), "the worker answers")
        assert bench.part().state == "trouble"
        right = bench.save(OWN)
        ask(config.state_dir, Request(wrong, "loaded", "eva", "zebras"))
        wait_for(lambda: not request_path(config.state_dir).exists(), "the worker answers")
        assert bench.uses()[-1] == Use(bench.uses()[-1].at, right, "saved", me(), "")


@pytest.mark.parametrize("told", ["", "[]", "{}", '{"rules_id": 1, "how": 2, "who": 3, "why": 4}', '{"x": 1}'])
def test_a_request_that_nobody_understands_counts_as_none(config: Config, told: str) -> None:
    config.state_dir.mkdir()
    request_path(config.state_dir).write_text(told)
    with running(config) as bench:
        assert [use.how for use in bench.uses()] == ["started"]
        assert not request_path(config.state_dir).exists()


def test_a_request_lies_until_a_worker_starts(config: Config) -> None:
    config.state_dir.mkdir()
    ask(config.state_dir, Request(written_of(config).id, "loaded", "eva", "zebras"))
    with running(config) as bench:
        assert [(use.how, use.who, use.why) for use in bench.uses()] == [("loaded", "eva", "zebras")]
        assert not request_path(config.state_dir).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_request_of_root_can_be_read_by_the_worker(tmp_path: Path) -> None:
    os.chown(tmp_path, 4321, 4322)
    assert ask(tmp_path, Request("abc", "loaded", "root", "as agreed"))
    found = request_path(tmp_path).stat()
    assert (found.st_uid, found.st_gid, oct(found.st_mode & 0o777)) == (4321, 4322, "0o600")


class Steps(Event):
    """Waited on between two looks at the folders: each step is done in one such wait."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Callable[[], None]] = []

    def wait(self, timeout: float | None = None) -> bool:
        if len(self.steps) > 0:
            self.steps.pop(0)()
            return False
        return super().wait(timeout)


def test_what_is_being_saved_is_left_until_it_rests(config: Config) -> None:
    rules, refused = config.base / "rules" / "own.toml", []

    def save_half() -> None:
        rules.write_text(OWN[:-8], encoding="utf-8")

    def save_whole() -> None:
        refused.append(bench.rules.refused)
        rules.write_text(OWN, encoding="utf-8")

    def look() -> None:
        refused.append(bench.rules.refused)

    asked = Steps()
    with running(config, asked=asked) as bench:
        asked.steps = [save_half, save_whole, look]
        wait_for(lambda: len(refused) == 2, "both are looked at")
        wait_for(bench.is_taken(written_of(config).id), "what rests is taken")
    assert refused == ["", ""]


def test_another_model_is_taken_with_the_rules_as_they_are(config: Config) -> None:
    with running(config) as bench:
        before = [process.loaded for process in bench.processes]
        use(config.state_dir, SHIPPED, who="eva", now=DECEMBER)
        wait_for(
            lambda: all(each.loaded is not old for each, old in zip(bench.processes, before, strict=True)),
            "it is loaded",
        )
        assert len(bench.uses()) == 1
        assert bench.part().state == "ok"


def test_the_thread_gives_signs_of_life_and_ends(config: Config) -> None:
    with running(config) as bench:
        wait_for(lambda: WATCH in bench.beats.silent(0), "it beats")
    assert bench.beats.silent(0) == ()
