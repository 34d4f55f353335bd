"""Commands about the clients: import them from a CSV file, list them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triaged import terminal, views
from triaged.cli.common import ConfigOption, JsonOption, app, audited, config_of, reader_of, writing
from triaged.log.people import put_accounts

accounts_app = typer.Typer(help="The clients: import them from a CSV file, list them.", no_args_is_help=True)
app.add_typer(accounts_app, name="accounts")


@accounts_app.command("import", epilog="Example: triaged accounts import accounts.csv")
def accounts_import(
    file: Annotated[Path, typer.Argument(help="A CSV file; docs/accounts.md tells its columns.", metavar="FILE")],
    config: ConfigOption = None,
) -> None:
    """Take accounts from a CSV file, all or none; accounts that are not in it stay as they are."""
    from triaged.accounts.read_csv import read_accounts
    from triaged.playbook import client_problems

    loaded = config_of(config)
    read = read_accounts(file, people=loaded.people, check=client_problems)
    with writing(loaded) as rows, reader_of(loaded) as reader:
        before = {account.account_id: account for account in reader.accounts()}
        put_accounts(rows, read)
        new = sum(account.account_id not in before for account in read)
        same = sum(before.get(account.account_id) == account for account in read)
        kept = len(before.keys() - {account.account_id for account in read})
        words = (
            f"{len(read)} accounts: {new} new, {len(read) - new - same} changed, {same} the same; {kept} others kept"
        )
        audited(rows, "account.import", f"{file.name}: {words}")
    terminal.console().print(words)


@accounts_app.command("list", epilog="Example: triaged accounts list --json")
def accounts_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the accounts."""
    with reader_of(config_of(config)) as reader:
        known = reader.accounts()
    if as_json:
        for account in known:
            print(views.line(views.account_view(account)))  # noqa: T201
    elif len(known) == 0:
        terminal.console().print("no accounts yet; 'triaged accounts import FILE' takes them from a CSV file")
    else:
        terminal.console().print(terminal.accounts_table(known))
