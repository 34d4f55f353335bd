"""Commands of coordinators about their rule files: check them, test them, see what an edit would change, take it."""

from __future__ import annotations

import typer

from triaged.cli.common import app

rules_app = typer.Typer(help="The rule files: check, test, try out, load, look back.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")
