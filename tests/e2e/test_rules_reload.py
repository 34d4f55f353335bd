"""Rules under a running worker: saved, loaded, refused, looked back at and laid back, by what people type and see."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.site import RULES, Site, mail, make_site, running, wait_for

LOUD = '\n[[rule]]\nname = "Loud"\nwhen.subject = "LOUD*"\nthen.priority = "urgent"\n'
WRONG = LOUD.replace("then.priority", "then.priorty")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Its rules begin with the loud one, when they have it: the first rule that names a field sets it."""
    return make_site(tmp_path / "site")


def save(site: Site, *first: str) -> None:
    (site.folder / "rules/test.toml").write_text("".join(first) + RULES)


def part(site: Site) -> dict[str, Any]:
    """How the rules are, as `triaged status` says it."""
    return next(each for each in site.status()[1]["parts"] if each["part"] == "rules")


def said(site: Site, *arguments: str, code: int = 0) -> str:
    done = site.triaged(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def objects(site: Site, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said(site, *arguments, "--json").splitlines()]


def told(site: Site) -> list[tuple[str, str | None, list[str]]]:
    """The history, oldest first: how, why, what changed."""
    return [(row["how"], row["why"], row["changes"]) for row in objects(site, "rules", "history")[::-1]]


def priority(site: Site, subject: str) -> str:
    site.drop(subject, mail(subject))
    return wait_for(lambda: site.ended(subject), f"{subject} is decided").priority


def test_saved_loaded_and_refused_and_a_restart_with_a_mistake(site: Site) -> None:
    with running(site) as worker:
        assert priority(site, "LOUD 1") == "normal"
        save(site, LOUD)
        worker.wait_for_line("health part='rules' state=ok", count=2)
        assert priority(site, "LOUD 2") == "urgent"

        save(site, WRONG)
        worker.wait_for_line("health part='rules' state=trouble")
        assert site.status()[0] == 1
        assert "'priorty' has no meaning in then" in part(site)["detail"]
        assert priority(site, "LOUD 3") == "urgent"
        worker.wait_for_line("alarm key='rules' severity=warning is=raised")
        refused = said(site, "rules", "load", code=2)
        assert "'priorty' has no meaning in then" in refused

        save(site)
        taken = said(site, "rules", "load", "--why", "not so loud")
        assert "is in use" in taken
        assert "test.toml: 1 rule removed (Loud)" in taken
        assert priority(site, "LOUD 4") == "normal"
        worker.wait_for_line("alarm key='rules' severity=warning is=cleared")
        assert site.status()[0] == 0

        save(site, WRONG)
        worker.wait_for_line("health part='rules' state=trouble", count=2)
    with running(site) as worker:
        assert "'priorty' has no meaning in then" in part(site)["detail"]
        assert priority(site, "LOUD 5") == "normal"
        save(site, LOUD)
        worker.wait_for_line("health part='rules' state=ok")
        assert priority(site, "LOUD 6") == "urgent"
    added, removed = "test.toml: 1 rule added (Loud)", "test.toml: 1 rule removed (Loud)"
    history = told(site)
    assert [row for row in history if row[1] is None] == [
        ("started", None, []),
        ("saved", None, [added]),
        *([("saved", None, [removed])] if ("loaded", "not so loud", []) in history else []),
        ("saved", None, [added]),
    ]
    assert [row[:2] for row in history if row[1] is not None] == [("loaded", "not so loud")]
    assert {row["who"] for row in objects(site, "rules", "history")} == {None, getpass.getuser()}


def test_once_works_with_the_last_good_set_and_says_so(site: Site) -> None:
    site.run_once()
    save(site, WRONG)
    site.drop("1", mail("A matter"))
    done = site.triaged("run", "--once")
    assert done.returncode == 1
    assert "rules: not taken, rule set " in done.stderr
    assert "'priorty' has no meaning in then" in done.stderr
    assert site.ended("A matter") is not None


def test_an_earlier_set_is_laid_back_and_that_is_undone(site: Site) -> None:
    rules, templates = site.folder / "rules", site.folder / "templates"
    assert "no worker runs" in said(site, "rules", "load", "--why", "to begin with")
    site.run_once()
    first = objects(site, "rules", "history")[0]["id"]
    (rules / "do-not-answer.txt").write_text("nobody@example.com\n")
    save(site, LOUD)
    (rules / "lists").mkdir(exist_ok=True)
    (rules / "lists/vip.txt").write_text("*@vip.example\n")
    (templates / "received.de.txt").write_text((templates / "received.txt").read_text())
    before = {path: path.read_bytes() for folder in (rules, templates) for path in folder.rglob("*.t*")}

    shown = said(site, "rules", "diff")
    assert "test.toml: 1 rule added (Loud)" in shown
    assert '+name = "Loud"' in shown
    assert "lists/vip.txt added" in shown
    assert "templates/received.de.txt changed" in shown
    assert "\x1b" not in shown
    files = {row["file"]: row for row in objects(site, "rules", "diff")}
    assert files["test.toml"]["from"] == first
    assert files["test.toml"]["to"] == "folder"

    with running(site) as worker:
        worker.wait_for_line("health part='rules' state=ok")
        second = objects(site, "rules", "history")[0]["id"]
        back = said(site, "rules", "restore", first[:8], "--why", "too loud")
        assert f"what lay in the folders is kept as {second}" in back
        assert f"rule set {first} is in use" in back
        assert (rules / "test.toml").read_text() == RULES
        assert (rules / "do-not-answer.txt").read_text() == "nobody@example.com\n"
        assert [path.read_text() for path in rules.glob("lists/vip.txt.before-*")] == ["*@vip.example\n"]
        assert priority(site, "LOUD 1") == "normal"
        assert said(site, "rules", "diff") == f"{first} and folder are the same\n"
        assert f"+++ {second}/rules/lists/vip.txt" in said(site, "rules", "diff", first, second)
        assert f"+++ {first}/rules/test.toml" in said(site, "rules", "diff", second)

        said(site, "rules", "restore", second)
        assert {path: path.read_bytes() for path in before} == before
        assert priority(site, "LOUD 2") == "urgent"
    assert [row[:2] for row in told(site)] == [
        ("loaded", "to begin with"),
        ("started", None),
        ("restored", "too loud"),
        ("restored", None),
    ]


def test_what_was_never_right_can_be_brought_back_too(site: Site) -> None:
    site.run_once()
    first = objects(site, "rules", "history")[0]["id"]
    save(site, WRONG)
    said(site, "rules", "restore", first)
    kept, used = objects(site, "rules", "history")
    assert (kept["how"], kept["changes"]) == ("kept", ["it never decided"])
    assert used["id"] == first
    assert "'priorty' has no meaning in then" in said(site, "rules", "restore", kept["id"], code=2)
    assert (site.folder / "rules/test.toml").read_text() == RULES
    assert "are wrong" in said(site, "rules", "restore", kept["id"], "--force", code=1)
    assert (site.folder / "rules/test.toml").read_text() == WRONG + RULES
    assert said(site, "rules", "restore", "ffffffffffff", code=2).startswith("✗ ffffffffffff: there is no rule set")
