"""The house as its documents draw it: layers, map, sizes; each guard is shown to fail on a planted fault."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.readme_map import ROOT, room_map, rooms, sentence

LONGEST_MODULE = 450


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter over a copy of the package in `folder`."""
    command = [
        str(Path(sys.executable).parent / "lint-imports"),
        "--config",
        str(folder / "pyproject.toml"),
        "--no-cache",
    ]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The package and its layer contracts, to be spoiled."""
    ignore = shutil.ignore_patterns("__pycache__", "*.jsonl", "*.eml", "*.npz", "*.npy")
    shutil.copytree(ROOT / "triaged", tmp_path / "triaged", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    return tmp_path


def test_layers_hold(copied: Path) -> None:
    found = lint_imports(copied)
    assert found.returncode == 0, found.stdout
    assert "5 kept, 0 broken" in found.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("model.py", "import triaged.decide", "Rooms import downwards only"),
        ("mail/newtext.py", "import triaged.rules.match", "Rooms import downwards only"),
        ("mail/newtext.py", "import sqlite3", "Only log knows a database"),
        ("worker/lane.py", "import triaged.backends.smtp", "Only wire names backends"),
        ("rules/match.py", "import spacy", "Only classify knows spaCy"),
        ("decide.py", "import time", "The pure rooms touch no clock"),
        ("plan.py", "import socket", "The pure rooms touch no clock"),
    ],
)
def test_a_wrong_import_breaks_its_layer(copied: Path, file: str, line: str, contract: str) -> None:
    spoiled = copied / "triaged" / file
    spoiled.write_text(spoiled.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    found = lint_imports(copied)
    assert found.returncode != 0
    broken = [text for text in found.stdout.splitlines() if text.endswith("BROKEN")]
    assert any(text.startswith(contract) for text in broken), found.stdout


def test_a_new_room_must_have_its_layer(copied: Path) -> None:
    (copied / "triaged" / "attic.py").write_text('"""A room that nobody placed."""\n', encoding="utf-8")
    assert lint_imports(copied).returncode != 0


def test_readme_map_is_true() -> None:
    assert room_map() in (ROOT / "README.md").read_text(encoding="utf-8"), "run: python -m tests.house.readme_map"


def test_every_room_opens_with_a_sentence() -> None:
    modules = list((ROOT / "triaged").rglob("*.py"))
    assert len(modules) > 60
    assert [path for path in modules if len(sentence(path)) < 20] == []
    assert len(rooms()) > 20


def test_modules_are_short() -> None:
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in (ROOT / "triaged").rglob("*.py")}
    assert {str(path): lines for path, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_broad_excepts_stand_where_the_design_allows() -> None:
    """Per message, effect and job, at the parse, at the group commit; tidying up and raising again does not count."""
    found = set()
    for path in (ROOT / "triaged").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException")
            if broad and not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None):
                found.add(path.relative_to(ROOT / "triaged").as_posix())
    workers = ("crossing", "lane", "timers", "triage", "writer")
    assert found == {"mail/parse.py", *(f"worker/{name}.py" for name in workers)}
