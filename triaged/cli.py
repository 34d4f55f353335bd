"""The command line: words of an operator or coordinator in, the other rooms' work out.

Exit codes: 0 done · 1 something did not work · 2 what was given is wrong (configuration, rules, arguments).
"""

from __future__ import annotations

import getpass
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape
from rich.progress import Progress

from triaged import shipped, terminal, views
from triaged.config import DEFAULT_PLACES, Config, find_config, load_config
from triaged.errors import ConfigError, Gone, Problem, TriagedError
from triaged.log.read import LogRow, Reader

FAILED, WRONG = 1, 2

app = typer.Typer(
    help="Triage of shared client mailboxes: requests, complaints, renewals.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,  # its frames go to the journal, and with local variables, passwords too
)
accounts_app = typer.Typer(help="The clients: import them from a CSV file, list them.", no_args_is_help=True)
app.add_typer(accounts_app, name="accounts")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The configuration; else ./config.toml, else /etc/triaged/config.toml.", metavar="FILE"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
IdArgument = Annotated[str, typer.Argument(help="The mail's number in the log, or its reference (T-…).", metavar="ID")]


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


def _fail(words: str) -> NoReturn:
    terminal.console(stderr=True).print(f"[bold red]✗[/bold red] {escape(words)}", soft_wrap=True)
    raise typer.Exit(FAILED)


def _config(path: Path | None) -> Config:
    return load_config(find_config(path))


def _config_or_shipped(path: Path | None) -> Config:
    """For commands that touch nothing: where no configuration is found, the one that ships will do."""
    if path is None and not any(place.exists() for place in DEFAULT_PLACES):
        return load_config(shipped.shipped("config.toml"))
    return _config(path)


@contextmanager
def _reader(config: Config) -> Iterator[Reader]:
    from triaged.wire import log_path

    try:
        reader = Reader(log_path(config))
    except FileNotFoundError:
        _fail(f"there is no log in {config.state_dir} yet; 'triaged run --once' makes it")
    try:
        yield reader
    finally:
        reader.close()


def _row(reader: Reader, text: str) -> LogRow:
    number = reader.find(text)
    row = reader.row(number) if number is not None else None
    if row is None:
        _fail(f"there is no mail {text} in the log; 'triaged log' shows those there are")
    return row


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )


# --- set up and run ----------------------------------------------------------------------------------------


@app.command(epilog="Example: triaged init /etc/triaged --state /var/lib/triaged")
def init(
    folder: Annotated[Path, typer.Argument(help="The site's own folder.", metavar="DIR")],
    state: Annotated[str, typer.Option("--state", help="Where the log is to lie.", metavar="DIR")] = "state",
) -> None:
    """Lay config.toml, rules/ and templates/ into DIR, to be edited there; what is there already stays."""
    out = terminal.console()
    made = shipped.lay_out(folder, state_dir=state)
    for path in made:
        out.print(f"made {path}")
    if len(made) == 0:
        out.print(f"all of it is in {folder} already; nothing was changed")
    out.print(f"Next: edit {folder / 'config.toml'}, then: triaged check --config {folder / 'config.toml'}")


@app.command(epilog="Example: triaged check --connect")
def check(
    config: ConfigOption = None,
    connect: Annotated[bool, typer.Option("--connect", help="Try every configured server too.")] = False,
) -> None:
    """Say everything that is wrong with configuration, rules and templates; exit code 2 if anything is."""
    from triaged.wire import all_problems

    loaded = _config(config)
    problems = all_problems(loaded, connect=connect)
    if len(problems) > 0:
        raise ConfigError(problems)
    tried = "and every server answers" if connect else "(servers were not tried: --connect)"
    terminal.console().print(f"[green]✓[/green] configuration, rules and templates are right {tried}")


@app.command(epilog="Example: triaged run --config /etc/triaged/config.toml")
def run(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Do what there is, then end.")] = False,
) -> None:
    """Watch the mailboxes and do the work until SIGTERM; SIGHUP loads rules and templates anew."""
    from triaged.wire import parts_of, state_problems, unreachable, written_problems
    from triaged.worker.service import Service

    loaded = _config(config)
    _log_to_stderr(loaded.service.log_level)
    problems = (*state_problems(loaded), *written_problems(loaded)) or tuple(unreachable(loaded))
    if len(problems) > 0:
        raise ConfigError(problems)
    failures = Service(parts_of(loaded)).run(once=once)
    if len(failures) > 0:
        _fail("; ".join(failures))


@app.command(epilog="Example: triaged demo --dir /tmp/desk")
def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Where to lay it.", metavar="DIR")] = Path("demo"),
    once: Annotated[bool, typer.Option("--once", help="End when the mail is done, on a terminal too.")] = False,
) -> None:
    """Show the whole job on a made-up firm: 60 mails in, the log as it grows, answers and calls as files."""
    from triaged.demo.play import play

    if not play(folder, keep_watching=sys.stdout.isatty() and not once):
        raise typer.Exit(FAILED)


# --- look at mail ---------------------------------------------------------------------------------------------


@app.command("try", epilog="Example: triaged try --json mail.eml other.eml")
def try_(
    files: Annotated[list[Path], typer.Argument(help="Mails as files.", metavar="FILE.eml...")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what would be decided about mails in files; touches nothing."""
    from triaged.trial import decisions

    out = terminal.console()
    unreadable = 0
    for file, message, decision, cause in decisions(_config_or_shipped(config), files):
        if message is None or decision is None:
            unreadable += 1
            terminal.console(stderr=True).print(f"{file}: {cause}", markup=False, soft_wrap=True)
        elif as_json:
            print(views.line(views.decision_view(file, message, decision)))  # noqa: T201 - JSON lines, as they are
        else:
            terminal.print_decision(out, file, message, decision)
    if unreadable > 0:
        raise typer.Exit(FAILED)


@app.command(epilog="Example: triaged log --category complaint --limit 20")
def log(
    config: ConfigOption = None,
    category: Annotated[str | None, typer.Option(help="Only this category, or `other`.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account id; '' = of no account.")] = None,
    search: Annotated[str | None, typer.Option(help="Only mails with these words (SQLite FTS5).")] = None,
    unsure: Annotated[bool, typer.Option("--unsure", help="Only those a person should look at.")] = False,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 100,
    as_json: JsonOption = False,
) -> None:
    """Show the triage log, newest first."""
    loaded = _config(config)
    with _reader(loaded) as reader:
        try:
            rows = reader.rows(limit=limit, category=category, account_id=account, search=search, unsure=unsure)
        except ValueError as error:
            _fail(str(error))
    if as_json:
        for row in rows:
            print(views.line(views.row_view(row)))  # noqa: T201
    elif len(rows) == 0:
        terminal.console().print("no mail in the log fits")
    else:
        terminal.console().print(terminal.log_table(rows, zone=loaded.hours.timezone))


@app.command(epilog="Example: triaged show T-7K3M9QX")
def show(mail: IdArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one mail of the log: its text, what was done and what happened."""
    loaded = _config(config)
    with _reader(loaded) as reader:
        row = _row(reader, mail)
        message, effects, events = reader.message(row.id), reader.effects(row.id), reader.events(row.id)
    if as_json:
        print(views.line(views.story_view(row, message, effects, events)))  # noqa: T201
    else:
        terminal.print_story(terminal.console(), row, message, effects, events, zone=loaded.hours.timezone)


@app.command(epilog="Example: triaged explain 12")
def explain(mail: IdArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say why a mail was decided as it was: words, scores, rules and who set what."""
    loaded = _config(config)
    with _reader(loaded) as reader:
        row = _row(reader, mail)
        message, decision = reader.message(row.id), reader.decision(row.id)
    if message is None or decision is None:
        _fail(f"mail {mail} is quarantined: it could not be read, so nothing was decided")
    if as_json:
        print(views.line(views.explanation_view(str(row.id), message, decision)))  # noqa: T201
    else:
        terminal.print_explanation(terminal.console(), message, decision, zone=loaded.hours.timezone)


# --- put right --------------------------------------------------------------------------------------------------


@app.command(epilog="Example: triaged correct 12 --category complaint --category request --account C-104")
def correct(
    mail: IdArgument,
    category: Annotated[
        list[str] | None, typer.Option(help="The right category; more than one may be given; `other`.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="The right account id; '' = none.")] = None,
    config: ConfigOption = None,
) -> None:
    """Put a mail's category or account right; the correction is kept and learned from."""
    from triaged.log.store import Log
    from triaged.tomlfile import did_you_mean
    from triaged.wire import log_path, rules_and_templates

    loaded = _config(config)
    if category is None and account is None:
        _fail("say what is right: --category or --account")
    with _reader(loaded) as reader:
        row = _row(reader, mail)
        accounts = {each.account_id for each in reader.accounts()}
        decision = reader.decision(row.id)
    if account and account not in accounts:
        _fail(f"there is no account {account}{did_you_mean(account, accounts)}")
    known = {"other", *rules_and_templates(loaded)[0].categories}
    known |= {each.category for each in decision.verdict.scores} if decision is not None else set()
    for each in category or ():
        if each not in known:
            _fail(f"there is no category {each}{did_you_mean(each, known)}; there are {', '.join(sorted(known))}")
    chosen = tuple(each for each in category if each != "other") if category is not None else None
    store = Log(log_path(loaded))
    try:
        with store.transaction():
            store.correct(row.id, categories=chosen, account_id=account, who=getpass.getuser(), now=datetime.now(UTC))
    except Gone as error:
        _fail(str(error))
    finally:
        store.close()
    terminal.console().print(f"mail {row.id} is put right; what was sent stays sent")


@app.command(epilog="Example: triaged approve 12")
def approve(mail: IdArgument, config: ConfigOption = None) -> None:
    """Let go what is held for a mail: exactly what `show` shows is sent and booked."""
    _settle(mail, config, approve=True)


@app.command(epilog="Example: triaged drop 12")
def drop(mail: IdArgument, config: ConfigOption = None) -> None:
    """Let what is held, or waits for a person, not happen: a person has seen to it."""
    _settle(mail, config, approve=False)


def _settle(mail: str, config: Path | None, *, approve: bool) -> None:
    from triaged.log.store import Log
    from triaged.wire import log_path

    loaded = _config(config)
    with _reader(loaded) as reader:
        row = _row(reader, mail)
    store = Log(log_path(loaded))
    with store.transaction():
        count = store.settle(row.id, approve=approve, who=getpass.getuser(), now=datetime.now(UTC))
    store.close()
    if count == 0:
        _fail(f"nothing of mail {row.id} is waiting")
    done = "let go; the worker does it now" if approve else "dropped"
    terminal.console().print(f"mail {row.id}: {count} {done}")


# --- accounts ----------------------------------------------------------------------------------------------------


@accounts_app.command("import", epilog="Example: triaged accounts import accounts.csv")
def accounts_import(
    file: Annotated[Path, typer.Argument(help="A CSV file; docs/accounts.md tells its columns.", metavar="FILE")],
    config: ConfigOption = None,
) -> None:
    """Take accounts from a CSV file, all or none; accounts that are not in it stay as they are."""
    from triaged.accounts.read_csv import read_accounts
    from triaged.log.store import Log
    from triaged.wire import log_path

    loaded = _config(config)
    read = read_accounts(file, people=loaded.people)
    store = Log(log_path(loaded))
    with _reader(loaded) as reader:
        before = {account.account_id: account for account in reader.accounts()}
    with store.transaction():
        store.put_accounts(read)
    store.close()
    new = sum(account.account_id not in before for account in read)
    same = sum(before.get(account.account_id) == account for account in read)
    kept = len(before.keys() - {account.account_id for account in read})
    terminal.console().print(
        f"{len(read)} accounts: {new} new, {len(read) - new - same} changed, {same} the same; {kept} others kept"
    )


@accounts_app.command("list", epilog="Example: triaged accounts list --json")
def accounts_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the accounts."""
    with _reader(_config(config)) as reader:
        known = reader.accounts()
    if as_json:
        for account in known:
            print(views.line(views.account_view(account)))  # noqa: T201
    elif len(known) == 0:
        terminal.console().print("no accounts yet; 'triaged accounts import FILE' takes them from a CSV file")
    else:
        terminal.console().print(terminal.accounts_table(known))


# --- the model -----------------------------------------------------------------------------------------------------


@app.command(epilog="Example: triaged train --out /var/lib/triaged/model")
def train(
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.", metavar="DIR")] = Path("model"),
    shared: Annotated[
        Path | None,
        typer.Option("--shared", help="Folder with gold_dev.jsonl and public_train.jsonl too.", metavar="DIR"),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed and rows give the same model.")] = 1,
    config: ConfigOption = None,
) -> None:
    """Train the classifier anew on the examples that ship (and, with --shared, on real and public mail)."""
    from triaged.classify.phrases import PhraseIndex
    from triaged.classify.train import shipped_rows
    from triaged.classify.train import train as train_model
    from triaged.learning import rule_evidence
    from triaged.mail.newtext import split
    from triaged.wire import rules_and_templates

    rules, _ = rules_and_templates(_config_or_shipped(config))
    try:
        rows = shipped_rows(shipped.EXAMPLES, shared=shared, new_text=lambda body: split(body)[0])
    except (OSError, ValueError, KeyError) as error:
        _fail(f"the labelled mails cannot be read: {error}")
    with Progress(console=terminal.console(stderr=True)) as bar:
        task = bar.add_task(f"training on {len(rows)} mails")

        def progress(step: str, done: int, total: int) -> None:
            bar.update(task, description=f"{step}", completed=done, total=total)

        evidence = rule_evidence(rules, PhraseIndex(rules.phrases))
        train_model(rows=rows, out=out, rule_evidence=evidence, seed=seed, progress=progress)
    terminal.console().print(f'trained on {len(rows)} mails; to use it set [service] model_dir = "{out}"')


@app.command(epilog="Example: triaged evaluate labelled.jsonl --json")
def evaluate(
    file: Annotated[Path, typer.Argument(help='Lines {"id","subject","from","body","labels"}.', metavar="FILE.jsonl")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the classifier on labelled mails: precision, recall, F1, average precision, calibration, what is sure."""
    from triaged.classify.evaluate import evaluate as measure
    from triaged.classify.evaluate import read_rows
    from triaged.learning import judge_rows
    from triaged.mail.newtext import split
    from triaged.wire import build_playbook

    try:
        rows = read_rows(file, new_text=lambda body: split(body)[0])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError((Problem(str(file), f"is not a file of labelled mails: {error}"),)) from None
    playbook = build_playbook(_config_or_shipped(config), dry=True)
    with Progress(console=terminal.console(stderr=True), disable=as_json) as bar:
        task = bar.add_task("judging", total=len(rows))
        began = time.perf_counter()
        verdicts = judge_rows(playbook, lambda count: bar.advance(task, count))(rows)
        elapsed_s = time.perf_counter() - began
    report = measure(rows, judge=lambda _rows: verdicts, elapsed_s=elapsed_s)
    if as_json:
        print(views.line(report.as_dict()))  # noqa: T201
    else:
        terminal.print_report(terminal.console(), report)


@app.command(epilog="Example: triaged status --json")
def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show how the worker is, what the log holds, what waits for a person; exit code 1 unless it runs untroubled."""
    from triaged.wire import log_path
    from triaged.worker.service import is_running

    loaded = _config(config)
    running = is_running(log_path(loaded))
    since_ms = round((datetime.now(UTC) - timedelta(days=1)).timestamp() * 1000)
    with _reader(loaded) as reader:
        health, counts, waiting = reader.health(), reader.counts(since_ms=since_ms), reader.waiting()
    if as_json:
        print(views.line(views.status_view(health, counts, waiting, running=running)))  # noqa: T201
    else:
        terminal.print_status(terminal.console(), health, counts, waiting, running=running, zone=loaded.hours.timezone)
    if not running or any(row.state == "trouble" for row in health):
        raise typer.Exit(FAILED)
