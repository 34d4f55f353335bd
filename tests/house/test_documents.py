"""Documents and program name the same things: commands, options, keys, rule words, variables, columns, links."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from pydantic import BaseModel

from tests.desk import lay_out_site
from tests.house.readme_map import ROOT
from triaged import servers, signins
from triaged import settings as configuration
from triaged.accounts.read_csv import COLUMNS
from triaged.cli import app
from triaged.config import load_config
from triaged.examples import judge_examples
from triaged.loading import assembled
from triaged.mail.render import ACKNOWLEDGEMENT, OF_CALLS, VARIABLES
from triaged.playbook import sought_of
from triaged.rules.check import EXAMPLE_KEYS, RULE_KEYS, THEN_KEYS
from triaged.rules.grammar import CONDITIONS, EXPECTED
from triaged.rules.load import parse_rules

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


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
        if header := re.match(r"\[+([a-z_]+)\]", plain):
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
        "desk": (configuration.DeskTable,),
        "canary": (configuration.CanaryTable,),
        "sign_in": (signins.MicrosoftSignIn, signins.GoogleSignIn),
        "mailbox": (servers.MaildirTable, servers.ImapTable, servers.EwsTable, servers.GraphTable),
        "outgoing": (servers.MaildirOutgoing, servers.SmtpOutgoing, servers.EwsOutgoing, servers.GraphOutgoing),
        "person": (configuration.Person,),
        "calendar": (servers.VdirTable, servers.CaldavTable, servers.EwsCalendarTable, servers.GraphCalendarTable),
    }
    shown = shown_keys()
    for table, models in tables.items():
        keys = {key for model in models for key in model.model_fields}
        also = {
            f"{key.removesuffix('_file')}_credential"
            for key in keys
            if f"{key.removesuffix('_file')}_credential" in keys
        }
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
    assert first_column("rules.md", "What can be set") == set(THEN_KEYS)
    text = text_of(ROOT / "docs/rules.md")
    assert [key for key in (*RULE_KEYS, *EXAMPLE_KEYS) if f"`{key}`" not in text and f"`{key}." not in text] == []
    assert [key for key in EXPECTED if f"`gives.{key}`" not in text] == []


def documented_rules() -> tuple[dict[str, bytes], int]:
    """Every rule and list that docs/rules.md shows, as files, and how many rules that makes."""
    text = text_of(ROOT / "docs/rules.md")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    files = {f"{number:02}.toml": block.encode() for number, block in enumerate(blocks)}
    for name, entries in re.findall(r"`(lists/[a-z-]+\.txt)`[^\n]*:\n\n```text\n(.*?)```", text, re.DOTALL):
        files[name] = entries.encode()
    return files, sum(block.count("[[rule]]") for block in blocks)


def test_rules_in_documents_are_right_and_their_examples_come_out(tmp_path: Path) -> None:
    files, count = documented_rules()
    assert count >= 12
    site = assembled(lay_out_site(tmp_path), dry=True)
    rules = parse_rules(files, templates=site.templates.names, people=frozenset(site.people))
    assert len(rules.rules) == count
    judged = list(judge_examples(dataclasses.replace(site, rules=rules, sought=sought_of(rules)), files=files))
    assert [(each.example.source, each.differences) for each in judged if each.differences] == []
    assert len(judged) >= 12


def test_template_variables() -> None:
    assert first_column("templates.md", "Acknowledgements (every template that rules may name)") == ACKNOWLEDGEMENT
    assert first_column("templates.md", "`escalation` (to a colleague)") == VARIABLES["escalation"]
    assert first_column("templates.md", "`correction` (a draft, never sent by machine)") == VARIABLES["correction"]
    for name in OF_CALLS:
        assert first_column("templates.md", "`invitation`, `moved`, `cancelled` (about a call)") == VARIABLES[name]


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


SERVERS = ("exchange", "google", "imap", "microsoft365")
"""Pages for the administrators of mail servers: what they say to write into config.toml is whole."""


@pytest.mark.parametrize("page", SERVERS)
def test_what_an_administrator_is_to_write_loads(page: str, tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", text_of(ROOT / f"docs/{page}.md"), re.DOTALL)
    assert len(blocks) == 1
    base = (
        '[firm]\nname = "Nordlicht"\nteam = "Desk"\n\n[hours]\ntimezone = "Europe/Berlin"\nmon-fri = "09:00-17:00"\n\n'
    )
    for secret in re.findall(r'_file = "([^"]+)"', blocks[0]):
        (tmp_path / secret).parent.mkdir(exist_ok=True)
        (tmp_path / secret).write_text("secret\n", encoding="utf-8")
    (tmp_path / "config.toml").write_text(base + blocks[0], encoding="utf-8")
    config = load_config(tmp_path / "config.toml")
    assert [mailbox.name for mailbox in config.mailbox] == ["desk"]
    assert config.person[0].calendar is not None
