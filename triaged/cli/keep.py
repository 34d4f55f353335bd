"""Commands of housekeeping: back the log up and restore it, clear old mails, forget a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress

import triaged
from triaged import terminal, views
from triaged.cli.common import ConfigOption, JsonOption, app, config_of, fail, log_of, reader_of
from triaged.log import backup as backups
from triaged.log import forget as forgetting
from triaged.log import keep as keeping
from triaged.log.backup import Backup
from triaged.log.forget import Found, Held
from triaged.log.store import Log
from triaged.settings import Config

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command(epilog="Example: triaged backup /mnt/backup/triaged-monday.tar")
def backup(
    file: Annotated[Path, typer.Argument(help="The file to be made.", metavar="FILE")],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the log and its secret into one checked file; the worker may go on meanwhile."""
    from triaged.loading import secret_path
    from triaged.wire import log_path

    loaded = config_of(config)
    file = file.resolve()
    if file.is_dir() or (file.exists() and not force):
        fail(f"{file} is there already; give another name" + ("" if file.is_dir() else " or say --force"))
    with _bar(quiet=as_json) as progress:
        made = backups.back_up(
            log_path(loaded), secret_path(loaded), file, made_by=triaged.__version__, now=_now(), progress=progress
        )
    with log_of(loaded) as log, log.transaction():  # so that `forget` can name it
        log.event("backup", str(file), message=None, now=_now())
    if as_json:
        print(views.line(_backup_view(made)))  # noqa: T201
        return
    out = terminal.console()
    out.print(f"[green]✓[/green] {escape(str(file))}: {_holds_words(made)}; read back and checked", soft_wrap=True)
    out.print("It holds what clients wrote, and the secret: keep it where only you can read it.")


@app.command(epilog="Example: triaged restore /mnt/backup/triaged-monday.tar")
def restore(
    file: Annotated[Path, typer.Argument(help="A file that 'triaged backup' made.", metavar="FILE")],
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup in the place of the log, which is kept beside it; the worker must not run."""
    from triaged.loading import secret_path
    from triaged.wire import log_path
    from triaged.worker.service import lock_state

    loaded = config_of(config)
    path = log_path(loaded)
    with lock_state(path):
        if path.exists() and not yes:
            terminal.console().print(f"There is a log in {path.parent}. It will be kept, under another name.")
            typer.confirm(f"Go on with what is in {file}?", abort=True)
        with _bar(quiet=as_json) as progress:
            done = backups.restore(file, path, secret_path(loaded), now=_now(), progress=progress)
    cut_off = f"{done.cut_off:%Y-%m-%d %H:%M} UTC"
    if as_json:
        aside = [str(each) for each in done.aside]
        told = {**_backup_view(done.backup), "aside": aside, "asked": done.asked, "cut_off": views.moment(done.cut_off)}
        print(views.line(told))  # noqa: T201
        return
    out = terminal.console()
    out.print(f"[green]✓[/green] restored: {_holds_words(done.backup)}", soft_wrap=True)
    for kept in done.aside:
        out.print(f"  what was there is now {escape(str(kept))}", soft_wrap=True)
    for line in (
        f"\nThe log knows nothing of what was done after {done.backup.made:%Y-%m-%d %H:%M} UTC. So that no client is "
        "answered twice:",
        f"  mail received before {cut_off} is logged again and not answered by machine; look through it: triaged log",
        f"  {done.asked} answers, calls and notes that were open then wait for a person: triaged status",
        "Next: start the worker. Mail that was moved out of the watched folder meanwhile is not seen again.",
    ):
        out.print(line, soft_wrap=True)


@app.command(epilog="Example: triaged keep --dry-run")
def keep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be cleared.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Clear texts, names and addresses of mails whose days ([keep]) are over, as the worker does every hour."""
    from triaged.wire import log_path

    loaded = config_of(config)
    path, days = log_path(loaded), loaded.keep.days
    with reader_of(loaded), log_of(loaded) as log, _bar(quiet=as_json) as progress:
        found = keeping.ripe(path, days=days, now=_now())
        if not dry_run:
            step = _stepping(progress, "clearing", len(found.rows))
            found = keeping.clear_ripe(path, _writing(log), days=days, now=_now(), go_on=step)
    if as_json:
        told = {"cleared": len(found.rows), "categories": dict(found.by_category), "waiting": found.waiting}
        print(views.line({**told, "dry_run": dry_run}))  # noqa: T201
        return
    out = terminal.console()
    verb = "would be cleared" if dry_run else "cleared"
    by_category = ", ".join(f"{count} {category}" for category, count in found.by_category)
    out.print(f"{len(found.rows)} mails {verb}{f': {by_category}' if by_category else ''}")
    if found.waiting > 0:
        out.print(f"{found.waiting} more stay for now: something about them is open, or an answer is still due")


@app.command(epilog="Example: triaged forget ann@client.example")
def forget(
    address: Annotated[str, typer.Argument(help="The person's mail address.", metavar="ADDRESS")],
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the log holds about a person, erase it, and prove that no octet of it is left."""
    from triaged.wire import log_path

    loaded = config_of(config)
    _refuse_ours(loaded, address)
    path = log_path(loaded)
    with reader_of(loaded), log_of(loaded) as log, _bar(quiet=as_json) as progress:
        progress("reading the log", 0.0)
        held = forgetting.find(path, address, ours=[person.name for person in loaded.person])
        sampled = forgetting.samples(path, held.mails)
        before = forgetting.search(path, held, sampled)
    out = terminal.console(stderr=as_json)
    _print_held(out, held, before)
    if before.occurrences == 0 and len(held.counts) == 0:
        _end(loaded, held, before, before, left=0, as_json=as_json)
        return
    if before.occurrences == 0:
        fail("the search in the files does not find what the log shows: it could prove nothing, so nothing was erased")
    if not yes:
        typer.confirm("Erase all of this for ever?", abort=True, err=as_json)
    with log_of(loaded) as log, _bar(quiet=as_json) as progress:
        total = len(held.mails) + sum(len(keys) for _, keys in held.places)
        forgetting.erase(log, held, now=_now(), go_on=_stepping(progress, "erasing", total))
        progress("searching", 1.0)
        after, left = forgetting.search(path, held, sampled), forgetting.remaining(path, held)
    _end(loaded, held, before, after, left=left, as_json=as_json)


def _refuse_ours(config: Config, address: str) -> None:
    """One of us stands in every note and in config.toml: erasing them there would not forget them."""
    if "@" not in address.strip("@"):
        fail(f"{address} is no mail address")
    own = {each.lower() for mailbox in config.mailbox for each in (mailbox.address, *mailbox.aliases)}
    if address.lower() in own | {person.email.lower() for person in config.person}:
        fail(f"{address} stands in config.toml as one of ours; take it out there first")


def _print_held(out: Any, held: Held, before: Found) -> None:
    names = f" ({', '.join(held.person.names)})" if held.person.names else ""
    out.print(f"[bold]{escape(held.person.address)}[/bold]{escape(names)}", soft_wrap=True)
    for words, count in held.counts:
        out.print(f"  {count:>6} {words}")
    if len(held.counts) == 0:
        out.print("  the log holds nothing about this person")
    for name in held.shared:
        out.print(f"  the name {escape(name)} stays where it stands alone: others bear it too", soft_wrap=True)
    out.print(f"  {before.occurrences} occurrences in {before.size_bytes:,} bytes, in {before.forms} written forms")


def _end(config: Config, held: Held, before: Found, after: Found, *, left: int, as_json: bool) -> None:
    """The proof, and what is beyond our reach; ends with exit code 1 when anything was found."""
    beyond = tuple(_beyond(config, held))
    if as_json:
        told = {
            "address": held.person.address,
            "held": dict(held.counts),
            "occurrences_before": before.occurrences,
            "occurrences": after.occurrences,
            "bytes": after.size_bytes,
            "forms": after.forms,
            "files": {str(file): count for file, count in after.files},
            "rows_left": left,
            "not_counted": list(after.longer),
            "beyond": list(beyond),
        }
        print(views.line(told))  # noqa: T201
    else:
        _print_proof(after, left, beyond)
    if left > 0:
        fail(f"{left} rows had to stay: something about them is being done or waits; see to it, then run this again")
    if after.occurrences > 0:
        fail("see above where it was found; a copy of the log must be deleted by hand, then run this again")


def _print_proof(after: Found, left: int, beyond: Sequence[str]) -> None:
    out = terminal.console()
    mark = "[green]✓[/green]" if after.occurrences + left == 0 else "[bold red]✗[/bold red]"
    out.print(f"{mark} {after.occurrences} occurrences in {after.size_bytes:,} bytes, in {after.forms} written forms")
    for file, count in after.files:
        out.print(f"  {count} in {escape(str(file))}", soft_wrap=True)
    for text in after.longer[:5]:
        out.print(f"  not counted, for somebody else wrote or bears it: {escape(text)}", soft_wrap=True)
    out.print("What stays: that these mails came, their categories and times, and a keyed hash that counts answers.")
    out.print("Beyond our reach:")
    for each in beyond:
        out.print(f"  {escape(each)}", soft_wrap=True)


def _beyond(config: Config, held: Held) -> Iterator[str]:
    """Where the person may still stand."""
    boxes = ", ".join(mailbox.name for mailbox in config.mailbox)
    yield f"the mail itself: the mailboxes ({boxes}), what was sent, the calendars"
    yield "free blocks of the disk, and the journal (which names no address of a mail)"
    with reader_of(config) as reader:
        made = {event.detail for event in reader.events_named("backup")}
    for name in sorted(made):
        if Path(name).exists():
            yield f"the backup {name}: delete it, or forget again after a restore"
    folders = (config.service.rules_dir, config.service.templates_dir, ".")
    for folder in dict.fromkeys(config.path(each) for each in folders):
        for file in sorted((*folder.glob("*.toml"), *folder.glob("*.txt"), *folder.glob("*.csv"))):
            if held.person.in_text(file.read_text(encoding="utf-8", errors="replace")):
                yield f"{file} names them: edit it"


# --- around -------------------------------------------------------------------------------------------------------


def _now() -> datetime:
    return datetime.now(UTC)


def _writing(log: Log) -> keeping.Write:
    def write(work: Callable[[Log], Any]) -> Any:
        with log.transaction():
            return work(log)

    return write


@contextmanager
def _bar(*, quiet: bool) -> Iterator[backups.Progress]:
    """A progress bar on standard error."""
    with Progress(console=terminal.console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda words, share: bar.update(task, description=words, completed=share)


def _stepping(progress: backups.Progress, words: str, total: int) -> Callable[[int], bool]:
    done = 0

    def step(count: int) -> bool:
        nonlocal done
        done += count
        progress(words, done / max(1, total))
        return True

    return step


def _holds_words(made: Backup) -> str:
    holds = made.holds
    latest = f", the latest received {holds.received:%Y-%m-%d %H:%M} UTC" if holds.received is not None else ""
    effects = dict(holds.rows)["effect"]
    return f"{holds.mails} mails and {effects} effects as of {made.made:%Y-%m-%d %H:%M} UTC{latest}"


def _backup_view(made: Backup) -> dict[str, Any]:
    return {
        "file": str(made.file),
        "bytes": made.size_bytes,
        "made": views.moment(made.made),
        "made_by": made.made_by,
        "rows": dict(made.holds.rows),
        "newest": made.holds.newest,
        "received": views.moment(made.holds.received),
    }
