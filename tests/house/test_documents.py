"""Documents and program name the same things: commands, options, keys, rule words, variables, columns, links."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from pydantic import BaseModel

from tests.house.readme_map import ROOT
from triaged import settings as configuration
from triaged.accounts.read_csv import COLUMNS
from triaged.classify.phrases import PhraseIndex
from triaged.cli import app
from triaged.config import load_config
from triaged.decide import hits
from triaged.examples import EPOCH, bare_message
from triaged.mail.render import ACKNOWLEDGEMENT, VARIABLES
from triaged.rules.grammar import CONDITIONS
from triaged.rules.load import parse_rules
from triaged.rules.match import Facts, signals

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
TEMPLATES = frozenset(path.stem for path in (ROOT / "templates").glob("*.txt") if "." not in path.stem)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands() -> dict[str, click.Command]:
    """Every command by its words: `accounts import`."""
    found: dict[str, click.Command] = {}

    def walk(words: str, command: Any) -> None:
        children = getattr(command, "commands", None)
        if children is None:
            found[words] = command
            return
        for name, child in children.items():
            walk(f"{words} {name}".strip(), child)

    walk("", typer.main.get_command(app))
    return found


def first_column(page: str, heading: str) -> set[str]:
    """What stands in backticks in the first column of the table under a heading."""
    section = text_of(ROOT / "docs" / page).split(f"## {heading}", 1)[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_command_is_in_the_readme() -> None:
    readme = text_of(ROOT / "README.md")
    assert len(commands()) >= 15
    assert [name for name in commands() if re.search(rf"`triaged {name}\b", readme) is None] == []


def test_commands_and_options_in_documents_exist() -> None:
    known, seen = commands(), 0
    for page in PAGES:
        for words in re.findall(r"(?:`|bin/)triaged ([a-z][^`\n#]*)", text_of(page)):
            name = next((each for each in known if words.split()[: len(each.split())] == each.split()), None)
            assert name is not None, f"{page.name}: triaged {words}"
            options = {option for parameter in known[name].params for option in parameter.opts}
            assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", words)) - options == set(), f"{page.name}: triaged {words}"
            seen += 1
    assert seen > 30


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_has_an_example_that_it_takes(name: str) -> None:
    command = commands()[name]
    assert command.help
    example = str(getattr(command, "epilog", "") or "")
    assert example.startswith(f"Example: triaged {name}")
    options = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", example)) - options == set()


def shown_keys() -> dict[str, set[str]]:
    """Keys of config.toml by table, those that are commented out too."""
    found: dict[str, set[str]] = {}
    table = ""
    for line in text_of(ROOT / "config.toml").splitlines():
        plain = re.sub(r"^# (?=\[|[a-z_]+ = )", "", line)
        if header := re.match(r"\[+([a-z]+)\]", plain):
            table = header[1]
        elif key := re.match(r"([a-z-]+(?:_[a-z]+)*) = (.*)", plain):
            found.setdefault(table, set()).add(key[1])
            if key[1] == "calendar":
                found.setdefault("calendar", set()).update(re.findall(r"([a-z_]+) = ", key[2]))
            found[table] |= set(re.findall(r"or ([a-z_]+) = ", plain))
    return found


def test_config_toml_shows_every_key_and_no_other() -> None:
    tables: dict[str, tuple[type[BaseModel], ...]] = {
        "firm": (configuration.Firm,),
        "service": (configuration.Service,),
        "triage": (configuration.Triage,),
        "acknowledge": (configuration.Acknowledging,),
        "due": (configuration.Due,),
        "calls": (configuration.Calls,),
        "keep": (configuration.Keep,),
        "learn": (configuration.Learn,),
        "alerts": (configuration.Alerts,),
        "health": (configuration.Health,),
        "canary": (configuration.CanaryTable,),
        "mailbox": (configuration.MaildirTable, configuration.ImapTable),
        "outgoing": (configuration.MaildirOutgoing, configuration.SmtpOutgoing),
        "person": (configuration.Person,),
        "calendar": (configuration.VdirTable, configuration.CaldavTable),
    }
    shown = shown_keys()
    for table, models in tables.items():
        keys = {key for model in models for key in model.model_fields}
        also = {f"{key.removesuffix('_file')}_credential" for key in keys & {"password_file", "urls_file"}}
        assert shown[table] | also == keys, table
    assert shown["hours"] - {"mon-fri"} == set(configuration.HoursTable.model_fields)


def test_config_toml_is_right_and_shows_the_defaults() -> None:
    loaded = load_config(ROOT / "config.toml")
    assert loaded.service == configuration.Service(rules_dir="triaged/rules/starter")
    assert loaded.triage == configuration.Triage()
    assert loaded.due == configuration.Due()
    assert loaded.alerts == configuration.Alerts()
    assert loaded.canary == configuration.CanaryTable()
    assert loaded.learn == configuration.Learn()


def test_rule_words() -> None:
    assert first_column("rules.md", "Conditions") == set(CONDITIONS)
    settable = first_column("rules.md", "What can be set")
    evidence = {"suggests", "signals"}
    handling = {"priority", "acknowledge", "send", "call", "escalate", "file", "tag", "due", "stop"}
    assert settable == evidence | handling


def test_rules_in_documents_are_right() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", text_of(ROOT / "docs/rules.md"), re.DOTALL)
    assert len(blocks) >= 4
    files = [(f"{number}.toml", block.encode()) for number, block in enumerate(blocks)]
    rules = parse_rules(files, templates=TEMPLATES, people=frozenset({"lena"}))
    assert len(rules.rules) == sum(block.count("[[rule]]") for block in blocks)
    for block in blocks:
        tomllib.loads(block)


def test_signal_examples_in_documents_come_out() -> None:
    block = text_of(ROOT / "docs/rules.md").split("## Signals and risk", 1)[1].split("```toml\n", 1)[1].split("```")[0]
    rules = parse_rules([("docs.toml", block.encode())], templates=TEMPLATES, people=frozenset({"lena"}))
    phrases, seen = PhraseIndex(rules.phrases), 0
    for example in (example for rule in rules.rules for example in rule.examples):
        message = bare_message(example.subject, example.mail)
        facts = Facts(message, None, "desk", hits(phrases, message.judged), "en", EPOCH)
        assert tuple(each.category for each in signals(rules, facts)) == example.signal
        seen += 1
    assert seen > 0


def test_template_variables() -> None:
    assert first_column("templates.md", "Acknowledgements (every template that rules may name)") == ACKNOWLEDGEMENT
    assert first_column("templates.md", "`escalation` (to a colleague)") == VARIABLES["escalation"]
    assert first_column("templates.md", "`invitation` (to a call)") == VARIABLES["invitation"]


def test_account_columns() -> None:
    rows = [line for line in text_of(ROOT / "docs/accounts.md").splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(COLUMNS)


def test_links_lead_somewhere() -> None:
    seen = 0
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", text_of(page)):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
            seen += 1
    assert seen > 8


def test_nothing_of_a_machine_is_named() -> None:
    """No path of somebody's own machine stands in the project."""
    for page in PAGES:
        assert re.search(r"/home/[a-z]+/|/Users/|/root/", text_of(page)) is None, page


def test_every_metric_is_explained() -> None:
    source = (ROOT / "triaged/worker/vitals.py").read_text(encoding="utf-8")
    names = {f"{name}_info" if name == "triaged_build" else name for name in re.findall(r'"(triaged_[a-z_]+)"', source)}
    assert len(names) > 15
    assert names - first_column("operating.md", "Being told") == set()
