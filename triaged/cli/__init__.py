"""The command line: words of an operator or coordinator in, the other rooms' work out.

Exit codes: 0 done · 1 something did not work · 2 what was given is wrong (configuration, rules, arguments).
"""

from __future__ import annotations

import sys

from rich.markup import escape

from triaged import terminal
from triaged.cli.common import FAILED, WRONG, app
from triaged.errors import ConfigError, TriagedError

# Each adds its commands to `app`; `--help` shows them in this order.
from triaged.cli import (  # isort: skip
    service,
    desk,
    login,
    mails,
    calls,
    explain,
    undo,
    limits,
    mailboxes,
    quarantine,
    reconcile,
    accounts,
    rules,
    rulecheck,
    examples,
    whatif,
    rulesets,
    templates,
    learn,
    models,
    told,
    keep,
)


def main() -> None:
    """Run the command line; what a person wrote wrong ends in sentences and exit code 2, never in a traceback."""
    try:
        app()
    except ConfigError as error:
        terminal.print_problems(error.problems)
        sys.exit(WRONG)
    except TriagedError as error:
        terminal.console(stderr=True).print(f"[bold red]✗[/bold red] {escape(str(error))}", soft_wrap=True)
        sys.exit(FAILED)
