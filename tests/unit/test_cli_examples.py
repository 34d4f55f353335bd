"""`triaged rules test`, `new-example` and `schema` on a site, as a coordinator types them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.desk import ACME, NOW, decided, lay_out_site, mail, open_log
from tests.desk import background as background_of
from triaged.cli import app
from triaged.loading import build_playbook
from triaged.model import Locator
from triaged.settings import Config
from triaged.wire import log_path

OWN = """[[rule]]
name = "Zebra"
because = "A test"
when.says = "zebra crossing"
when.tier = "gold"
then.tag = "found"

  [[rule.example]]
  mail = "At the zebra crossing."
  tier = "gold"
  gives.tag = "found"
"""

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = lay_out_site(tmp_path)
    for path in (tmp_path / "rules").rglob("*.t*"):
        path.unlink()
    (tmp_path / "rules/own.toml").write_text(OWN, encoding="utf-8")
    return made


@pytest.fixture
def run(config: Config) -> Run:
    def command(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["rules", *words, "--config", str(config.file)])
        return done.exit_code, done.output

    return command


def test_examples_that_come_out_and_one_that_does_not(run: Run, config: Config) -> None:
    code, told = run("test")
    assert (code, "1 examples: all come out as written" in told) == (0, True)
    file = config.base / "rules/own.toml"
    file.write_text(OWN.replace('gives.tag = "found"', 'gives.tag = "lost"'), encoding="utf-8")
    code, told = run("test")
    assert code == 2
    assert "own.toml:8" in told
    assert "should give tag lost, but gives found" in told
    code, told = run("test", "--json")
    [each] = [json.loads(line) for line in told.splitlines()]
    assert (code, each["right"], each["rule"], each["came"]) == (2, False, "Zebra", {"tag": ["found"]})


def test_another_folder_and_a_rule_by_the_beginning_of_its_name(run: Run, config: Config, tmp_path: Path) -> None:
    draft = tmp_path / "draft"
    draft.mkdir()
    (draft / "own.toml").write_text(
        OWN + '[[rule]]\nname = "Lion"\nbecause = "b"\nwhen.says = "lion"\nthen.tag = "l"\n', encoding="utf-8"
    )
    assert run("test", str(draft), "--rule", "zeb")[0] == 0
    code, told = run("test", str(draft), "--rule", "lion")
    assert (code, "“Lion” has no example; 'triaged rules new-example ID' makes one" in told) == (1, True)
    code, told = run("test", "--rule", "zebbra")
    assert (code, "did you mean 'Zebra'?" in told) == (2, True)


def test_a_logged_mail_becomes_an_example(run: Run, config: Config) -> None:
    playbook = build_playbook(config)
    message, decision = decided(
        playbook, mail("Thanks for lunch at the zebra crossing, all is fine.", subject="Thanks"), accounts=(ACME,)
    )
    known = background_of(playbook, message)
    with closing(open_log(log_path(config))) as log, log.transaction():
        log.record(message, decision, Locator("desk", "inbox", "1"), now=NOW, background=known)
    words = ["rules", "new-example", "1", "--rule", "zebra", "--config", str(config.file)]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "It holds a client's words" in done.stderr) == (0, True)
    text = done.stdout
    [example] = tomllib.loads("[[rule]]\n" + text)["rule"][0]["example"]
    assert example == {
        "subject": "Thanks",
        "mail": "Thanks for lunch at the zebra crossing, all is fine.",
        "tier": "gold",
        "gives": {"category": "other", "tag": "found"},
    }
    (config.base / "rules/own.toml").write_text(OWN + "\n" + text, encoding="utf-8")
    assert run("test")[0] == 0
    code, told = run("new-example", "7")
    assert (code, "there is no mail 7 in the log" in told) == (1, True)


def test_the_schema_knows_the_site(run: Run) -> None:
    code, told = run("schema")
    made = json.loads(told)
    assert code == 0
    assert made["definitions"]["then"]["properties"]["acknowledge"]["enum"][-1] == "none"
    assert "lena" in made["definitions"]["then"]["properties"]["escalate"]["enum"]
