"""Commands about the examples in rule files: judge them all, make one from a logged mail; the schema for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triaged import terminal, views
from triaged.cli.common import (
    WRONG,
    ConfigOption,
    IdArgument,
    JsonOption,
    config_of,
    config_or_shipped,
    fail,
    reader_of,
    row_of,
)
from triaged.cli.rules import rules_app
from triaged.rules.named import rule_named

if TYPE_CHECKING:
    from triaged.examples import JudgedExample
    from triaged.rules.grammar import Rule


@rules_app.command("test", epilog="Example: triaged rules test --rule 'Still not done'")
def run_examples(
    folder: Annotated[
        Path | None, typer.Argument(help="Another rule folder; else the site's.", metavar="[FOLDER]")
    ] = None,
    rule: Annotated[
        str, typer.Option(help="Only examples of this rule: its name, a beginning of it, or file:line.")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge every example in the rule files by all rules and the model; exit code 2 if one does not come out."""
    from triaged.examples import judge_examples
    from triaged.loading import assembled, written_of

    loaded = config_or_shipped(config)
    playbook = assembled(loaded, dry=True, written=written_of(loaded, rules_dir=folder))
    chosen = _rule(rule, playbook.rules.rules) if rule != "" else None
    found = [
        each
        for each in judge_examples(playbook, files=playbook.written.rules)
        if chosen is None or each.rule.name == chosen.name
    ]
    if len(found) == 0 and chosen is not None:
        fail(f"the rule “{chosen.name}” has no example; 'triaged rules new-example ID' makes one from a logged mail")
    if as_json:
        for each in found:
            print(views.line(views.example_view(each)))  # noqa: T201
    else:
        _print(terminal.console(), found)
    if any(len(each.differences) > 0 for each in found):
        raise typer.Exit(WRONG)


def _print(out: Console, found: list[JudgedExample]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("", "example", "rule", "what came of it"):
        table.add_column(name, overflow="fold")
    for each in found:
        is_right = len(each.differences) == 0
        came = ", ".join(f"{field} {', '.join(values)}" for field, values in each.came.items())
        table.add_row(
            "[green]✓[/green]" if is_right else "[bold red]✗[/bold red]",
            escape(each.example.source),
            escape(each.rule.name),
            escape(came) if is_right else f"[red]{escape('; '.join(each.differences))}[/red]",
        )
    out.print(table)
    wrong = sum(len(each.differences) > 0 for each in found)
    tail = "[green]all come out as written[/green]" if wrong == 0 else f"[bold red]{wrong} do not come out[/bold red]"
    out.print(f"{len(found)} examples: {tail}")


@rules_app.command("new-example", epilog="Example: triaged rules new-example T-7K3M9QX --rule 'Still not done'")
def new_example(
    mail: IdArgument,
    rule: Annotated[
        str,
        typer.Option(help="The rule it is for, named likewise: then the example says what that rule asks for."),
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Make an example from a logged mail, to be pasted below a rule: its words, and what is right for it."""
    from triaged.examples import example_text
    from triaged.loading import rules_and_templates

    loaded = config_of(config)
    with reader_of(loaded) as reader:
        row = row_of(reader, mail)
        message, decision, background = reader.message(row.id), reader.decision(row.id), reader.background(row.id)
    if message is None or decision is None:
        fail(f"mail {mail} has no text any more, or never could be read, so it can be no example")
    chosen = _rule(rule, rules_and_templates(loaded)[0].rules) if rule != "" else None
    text = example_text(
        message, decision, background, categories=row.categories, rule=chosen, zone=loaded.hours.timezone
    )
    print(text)  # noqa: T201 - to be pasted as it is
    words = "Paste it below its rule. It holds a client's words: take names out that should not stand there."
    terminal.console(stderr=True).print(words, style="dim")


def _rule(text: str, rules: tuple[Rule, ...]) -> Rule:
    """The one rule that is meant; otherwise the command ends."""
    try:
        name = rule_named(text, {each.name: each.source for each in rules})
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--rule") from None
    return next(each for each in rules if each.name == name)


@rules_app.command("schema", epilog="Example: triaged rules schema > /etc/triaged/rules.schema.json")
def schema(config: ConfigOption = None) -> None:
    """Print a JSON Schema of rule files for editors, with this site's templates, people and mailboxes."""
    from triaged.loading import written_of
    from triaged.rules.grammar import ROLES
    from triaged.rules.schema import rule_schema

    loaded = config_or_shipped(config)
    made = rule_schema(
        templates=sorted({name.split(".")[0] for name in written_of(loaded).templates if name.endswith(".txt")}),
        people=sorted({*loaded.people, *ROLES}),
        mailboxes=[mailbox.name for mailbox in loaded.mailbox],
    )
    print(json.dumps(made, indent=2, ensure_ascii=False))  # noqa: T201
