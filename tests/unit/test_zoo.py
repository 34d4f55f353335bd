"""The zoo: broken sites, each by one thing that coordinators do; every one is named by line, and none is taken in part.

A folder of tests/zoo holds the files that differ from the site that `triaged init` lays out, and `expect.txt`: the
problems in order, a line each, as far as it goes (`where: words`). What is called `harmless-…` must be taken.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.desk import NOW, lay_out_site, mail, raw
from triaged.config import load_config
from triaged.errors import ConfigError
from triaged.loading import build_playbook, list_path, written_of
from triaged.log.store import Log
from triaged.settings import Config
from triaged.wire import log_path
from triaged.worker.triage import Limits, Triaged, TriageProcess

ZOO = Path(__file__).parents[1] / "zoo"
NAMES = sorted(folder.name for folder in ZOO.iterdir() if folder.is_dir())
OF_RULES = [name for name in NAMES if not (ZOO / name / "config.toml").exists() and not name.startswith("harmless-")]
OF_CONFIG = [name for name in NAMES if (ZOO / name / "config.toml").exists()]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    lay_out_site(folder)
    return folder


def lay_over(site: Path, name: str) -> dict[Path, bytes | None]:
    """Put the files of a folder of the zoo in their places; returns what was there before, None for nothing."""
    before: dict[Path, bytes | None] = {}
    for source in (path for path in (ZOO / name).rglob("*") if path.is_file() and path.name != "expect.txt"):
        target = site / source.relative_to(ZOO / name)
        before[target] = target.read_bytes() if target.exists() else None
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    assert len(before) > 0
    return before


def put_back(before: dict[Path, bytes | None]) -> None:
    for path, octets in before.items():
        if octets is None:
            path.unlink()
        else:
            path.write_bytes(octets)


def expected(name: str) -> list[str]:
    return (ZOO / name / "expect.txt").read_text(encoding="utf-8").splitlines()


def told(site: Path) -> list[str]:
    """Every problem that loading the site names; none when it is taken."""
    try:
        build_playbook(load_config(site / "config.toml"), dry=True)
    except ConfigError as error:
        return [str(each).removeprefix(f"{site}/") for each in error.problems]
    return []


def test_the_zoo_is_large() -> None:
    assert len(OF_RULES) >= 60
    assert len(OF_CONFIG) >= 12
    assert all((len(expected(name)) == 0) == name.startswith("harmless-") for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_is_wrong_is_named_and_nothing_else(site: Path, name: str) -> None:
    before = lay_over(site, name)
    try:
        problems = told(site)
    finally:
        put_back(before)
    wanted = expected(name)
    assert len(problems) == len(wanted), problems
    for problem, words in zip(problems, wanted, strict=True):
        assert problem.startswith(words), (problem, words)


def test_a_running_process_keeps_its_set_whole_whatever_is_laid_over_it(tmp_path: Path) -> None:
    """One process, a reload for every broken folder: refused with the same words, and mail is judged as before."""
    config: Config = lay_out_site(tmp_path)
    Log(log_path(config)).close()
    process = TriageProcess(
        build=partial(build_playbook, config),
        list_path=list_path(config),
        log_path=log_path(config),
        limits=Limits(timeout_s=60, memory_mb=2000),
        beat=lambda: None,
        on_loaded=lambda loaded: None,
    )
    question = [raw(mail("Please send the invoice and the credit note."), key="1")]
    try:
        start = process.start()
        [first] = process.triage(question, now=NOW)
        assert isinstance(first, Triaged)
        for name in OF_RULES:
            before = lay_over(tmp_path, name)
            with pytest.raises(ConfigError) as refused:
                process.prepare(written_of(config))
            put_back(before)
            assert len(refused.value.problems) == len(expected(name)), name
            assert process.loaded == start, name
            assert process.triage(question, now=NOW) == [first], name
        lay_over(tmp_path, "harmless-tabs")  # the guard itself: what is right is taken
        assert process.prepare(written_of(config)).written.id != start.written.id
        process.take()
        [after] = process.triage(question, now=NOW)
        assert isinstance(after, Triaged)
        assert after.decision != first.decision
    finally:
        process.kill()
