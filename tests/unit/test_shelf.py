"""The site's own models: whole or not there, switched by one rename, and a damaged one is told and replaced."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.desk import NOW, decided, lay_out_site, mail
from triaged import shelf
from triaged.classify import model as models
from triaged.errors import ConfigError, Permanent
from triaged.loading import build_playbook
from triaged.log import rights
from triaged.settings import Config

SHIPPED_ID = json.loads((models.SHIPPED / "model.json").read_text())["model_id"]
COMPLAINT = mail("I am very disappointed, the report is wrong again. This is unacceptable.")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return lay_out_site(tmp_path / "site")


def other_model(folder: Path, model_id: str = "abcdef012345") -> str:
    """The shipped model with another id and scores that differ a little, into `folder`."""
    for file in ("weights.npz", "model.json"):
        shutil.copy(models.SHIPPED / file, folder)
    told = json.loads((folder / "model.json").read_text())
    for fit in told["calibration"].values():
        fit["c"] += 0.01
    (folder / "model.json").write_text(json.dumps({**told, "model_id": model_id}))
    return model_id


def put(state_dir: Path, model_id: str = "abcdef012345") -> str:
    with shelf.draft(state_dir) as folder:
        shelf.put(state_dir, folder, other_model(folder, model_id), {"made": "2026-11-17", "kind": "learn"})
    return model_id


def in_use(config: Config) -> tuple[str, str]:
    playbook = build_playbook(config, dry=True)
    return playbook.model.model_id, playbook.model_problem


def test_one_is_put_and_used_and_the_way_back_is_the_same_octet_for_octet(config: Config) -> None:
    before = decided(build_playbook(config), COMPLAINT)
    assert in_use(config) == (SHIPPED_ID, "")
    name = put(config.state_dir)
    assert in_use(config) == (SHIPPED_ID, "")
    shelf.use(config.state_dir, name, who="eva", now=NOW)
    assert in_use(config) == (name, "")
    other = decided(build_playbook(config), COMPLAINT)
    assert other[1].verdict.scores != before[1].verdict.scores
    shelf.use(config.state_dir, shelf.SHIPPED, who="eva", now=NOW)
    assert decided(build_playbook(config), COMPLAINT) == before
    shelf.use(config.state_dir, name, who="eva", now=NOW)
    assert decided(build_playbook(config), COMPLAINT) == other
    assert [(each.model_id, each.about["kind"]) for each in shelf.kept(config.state_dir)] == [(name, "learn")]


def test_all_of_it_is_private(config: Config) -> None:
    shelf.use(config.state_dir, put(config.state_dir), who="eva", now=NOW)
    folder = config.state_dir / "models"
    seen = {path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    name = "abcdef012345"
    files = {"lock", "use.json", *(f"{name}/{each}" for each in ("about.json", "model.json", "weights.npz"))}
    assert seen == {name: 0o700} | dict.fromkeys(files, 0o600)
    (folder / name / "weights.npz").chmod(0o644)
    assert any("weights.npz" in problem.where for problem in rights.open_to_others(config.state_dir))
    rights.make_private(config.state_dir)
    assert list(rights.open_to_others(config.state_dir)) == []


class _Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.mark.parametrize("moment", ["rename", "replace"])
def test_a_kill_between_writing_and_switching_leaves_the_old_one(
    config: Config, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    shelf.use(config.state_dir, put(config.state_dir, "aaaaaa"), who="eva", now=NOW)

    def killed(self: Path, target: Path) -> Path:
        raise _Killed

    monkeypatch.setattr(Path, moment, killed)
    with pytest.raises(_Killed):
        shelf.use(config.state_dir, put(config.state_dir, "bbbbbb"), who="eva", now=NOW)
    monkeypatch.undo()
    assert in_use(config) == ("aaaaaa", "")
    put(config.state_dir, "bbbbbb")
    shelf.use(config.state_dir, "bbbbbb", who="eva", now=NOW)
    assert in_use(config) == ("bbbbbb", "")
    assert not any(path.name.startswith(shelf.DRAFT) for path in (config.state_dir / "models").iterdir())


def cut(folder: Path) -> None:
    octets = (folder / "weights.npz").read_bytes()
    (folder / "weights.npz").write_bytes(octets[:-100])


def flip(folder: Path) -> None:
    octets = bytearray((folder / "weights.npz").read_bytes())
    octets[len(octets) // 2] ^= 1
    (folder / "weights.npz").write_bytes(octets)


DAMAGE: list[Callable[[Path], object]] = [
    cut,
    flip,
    shutil.rmtree,
    lambda folder: (folder / "about.json").unlink(),
    lambda folder: (folder / "about.json").write_text("[]"),
    lambda folder: (folder.parent / "use.json").write_text("{"),
    lambda folder: (folder.parent / "use.json").write_text('{"model": "../../elsewhere"}'),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_one_is_told_and_the_shipped_one_decides(config: Config, damage: Callable[[Path], object]) -> None:
    name = put(config.state_dir)
    shelf.use(config.state_dir, name, who="eva", now=NOW)
    damage(config.state_dir / "models" / name)
    model_id, problem = in_use(config)
    assert model_id == SHIPPED_ID
    assert "cannot be loaded" in problem
    put(config.state_dir)
    shelf.use(config.state_dir, name, who="eva", now=NOW)
    assert in_use(config) == (name, "")


def test_one_of_another_format_is_told_too(config: Config) -> None:
    with shelf.draft(config.state_dir) as folder:
        name = other_model(folder)
        (folder / "model.json").write_text('{"model_id": "abcdef012345", "of_the": "future"}')
        shelf.put(config.state_dir, folder, name, {})
    shelf.use(config.state_dir, name, who="eva", now=NOW)
    model_id, problem = in_use(config)
    assert (model_id, name in problem) == (SHIPPED_ID, True)


def test_the_configured_one_comes_before_the_shipped_one_and_must_be_right(config: Config, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    other_model(folder, "cccccc")
    table = config.service.model_copy(update={"model_dir": str(folder)})
    own = config.model_copy(update={"service": table})
    assert in_use(own) == ("cccccc", "")
    shelf.use(own.state_dir, shelf.SHIPPED, who="eva", now=NOW)
    assert in_use(own) == (SHIPPED_ID, "")
    shelf.use(own.state_dir, shelf.CONFIGURED, who="eva", now=NOW)
    assert in_use(own) == ("cccccc", "")
    (folder / "model.json").unlink()
    with pytest.raises(ConfigError, match="model cannot be loaded"):
        build_playbook(own, dry=True)


def test_two_programs_do_not_make_models_at_once(tmp_path: Path) -> None:
    with (
        shelf.draft(tmp_path) as folder,
        pytest.raises(Permanent, match="another program"),
        shelf.draft(tmp_path) as other,
    ):
        assert other == folder
    with shelf.draft(tmp_path) as folder:
        assert list(folder.iterdir()) == []
    assert not folder.exists()
