"""A folder in, the demo laid out and played in it: sixty mails, the log as it grows, and where to look afterwards."""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import socket
import sys
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from triaged import shipped, terminal
from triaged.accounts.read_csv import read_accounts
from triaged.config import load_config
from triaged.log import users
from triaged.log.mailboxes import enable
from triaged.log.people import put_accounts
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.log.store import Log
from triaged.playbook import client_problems
from triaged.settings import Config
from triaged.web.signin import hashed
from triaged.wire import log_path, parts_of
from triaged.worker.service import Service

NIGHT_ENDS = date(2026, 11, 17)
"""The morning on which the sample mails were written."""
USER, DESK_PORT = "demo", 9870
"""Who signs in to the desk; and where it listens by config.toml."""
AUTHSERV_ID = "mx.nordlicht.example"
WIDTHS = (3, 30, 6, 44, 36)
"""Columns of a line: number, categories, account, subject, what was done."""
_DATED = re.compile(
    rb"^(Date: |Received: [^\r\n]*(?:\r?\n[ \t][^\r\n]*)*?;\s*)([^\r\n]+)", re.MULTILINE | re.IGNORECASE
)


def play(folder: Path, *, keep_watching: bool) -> bool:
    """Lay the demo into `folder` (emptied of an earlier one) and run the worker on it; True when all went well.

    keep_watching: go on until Ctrl-C, so that a mail dropped into the inbox folder is seen at once.
    """
    out = terminal.console()
    if (folder / "mail").exists() and not (folder / ".triaged-demo").exists():
        out.print(f"[bold red]✗[/bold red] {folder} holds mail that is not a demo's; choose another with --dir")
        return False
    now = datetime.now(UTC)
    config = lay_out(folder, now)
    password = _let_sign_in(config, now)
    total = len(list((folder / "mail/inbox/new").iterdir()))
    out.print(f"[bold]Nordlicht Services[/bold], {total} mails came overnight. The worker starts; the model loads …\n")
    if keep_watching:
        out.print(
            f"The review desk: [bold]http://{config.desk.listen}[/bold], {_signs_in(password)}\n", highlight=False
        )
    failures = _run(config, out, total, keep_watching=keep_watching)
    for failure in failures:
        out.print(f"[bold red]✗[/bold red] {escape(failure)}")
    _say_where(out, folder, config, password)
    return len(failures) == 0


def lay_out(folder: Path, now: datetime) -> Config:
    """Make the demo's site in `folder`: configuration, rules, templates, accounts, calendars, mails of last night."""
    if (folder / ".triaged-demo").exists():
        shutil.rmtree(folder)
    shipped.lay_out(folder)
    (folder / ".triaged-demo").touch()
    settings = folder / "config.toml"
    text = settings.read_text(encoding="utf-8")
    text = text.replace("authserv_ids = []", f'authserv_ids = ["{AUTHSERV_ID}"]').replace(
        'listen = "127.0.0.1:9871"', 'listen = ""'
    )
    text = text.replace(f'listen = "127.0.0.1:{DESK_PORT}"', f'listen = "{_free_address()}"')
    settings.write_text(text, encoding="utf-8")
    shutil.copytree(shipped.DEMO / "calendars", folder / "calendars")
    shutil.copy(shipped.DEMO / "accounts.csv", folder / "accounts.csv")
    for name in ("inbox", "outgoing"):
        for part in ("cur", "new", "tmp"):
            (folder / "mail" / name / part).mkdir(parents=True)
    moved_by = timedelta(days=(now.date() - NIGHT_ENDS).days)
    for number, file in enumerate(sorted((shipped.DEMO / "mail").glob("*.eml"))):
        octets = last_night(file.read_bytes(), moved_by)
        target = folder / "mail/inbox/new" / f"{number:02d}.{file.stem}"
        target.write_bytes(octets)
        arrived = now.timestamp() - 60 + number
        os.utime(target, (arrived, arrived))
    config = load_config(settings)
    log = Log(log_path(config))
    with log.transaction():
        put_accounts(log, read_accounts(folder / "accounts.csv", people=config.people, check=client_problems))
        for mailbox in config.mailbox:
            enable(log, mailbox.name, cut_off=now - timedelta(days=1), who="demo", now=now)
    log.close()
    return config


def _let_sign_in(config: Config, now: datetime) -> str:
    """Add the demo's one user of the desk; returns the password."""
    password = secrets.token_urlsafe(9)
    with closing(Log(log_path(config))) as log, log.transaction():
        users.put_user(log, USER, role="operator", password=hashed(password), person="lena", now=now)
    return password


def _signs_in(password: str) -> str:
    return f"name [bold]{USER}[/bold], password [bold]{password}[/bold]"


def _free_address() -> str:
    """Where the desk listens: as config.toml has it, unless another program, perhaps another demo, does."""
    for port in (DESK_PORT, 0):
        with suppress(OSError), closing(socket.create_server(("127.0.0.1", port))) as probe:
            return f"127.0.0.1:{probe.getsockname()[1]}"
    return f"127.0.0.1:{DESK_PORT}"


def last_night(octets: bytes, moved_by: timedelta) -> bytes:
    """A sample mail with its Date and Received fields moved by whole days; the body stays as it is."""
    head, blank, body = octets.partition(b"\n\n")

    def moved(found: re.Match[bytes]) -> bytes:
        try:
            when = parsedate_to_datetime(found[2].decode("ascii"))
        except ValueError:
            return found[0]
        return found[1] + format_datetime(when + moved_by).encode("ascii")

    return _DATED.sub(moved, head) + blank + body


def _run(config: Config, out: Console, total: int, *, keep_watching: bool) -> tuple[str, ...]:
    """Run the worker and print a line for each mail as it is logged."""
    logging.getLogger("triaged").addHandler(logging.NullHandler())
    shown, hinted = 0, False
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with closing(Reader(log_path(config))) as reader, Progress(*columns, console=out) as bar:
        task = bar.add_task("mails read", total=total)

        def tick() -> None:
            nonlocal shown, hinted
            for row in reversed(reader.rows(limit=total, after_id=shown)):
                bar.console.print(_line(row))
                shown = row.id
            bar.update(task, completed=(located := reader.located()))
            if keep_watching and not hinted and located >= total:
                hinted = True
                bar.console.print(
                    "[dim]All read. Still watching the inbox folder; Ctrl-C ends it and says where to look.[/dim]"
                )

        service = Service(parts_of(config), on_tick=tick)
        failures = service.run(once=not keep_watching)
        tick()
    return failures


def _line(row: LogRow) -> Table:
    """One mail of the growing log, in columns."""
    words = {
        "ack": "answered",
        "call": "call",
        "notify": "manager told",
        "ask": "a person is asked",
        "mark": "marked",
        "file": "filed",
        "refile": "moved back",
    }
    done = ", ".join(words[kind] for kind, _ in row.effects if kind in words)
    if row.automatic == "machine":
        done = "a machine wrote it: not answered"
    elif row.automatic == "hold":
        done = "perhaps a machine: held for a person"
    line = Table.grid(padding=(0, 1))
    for width in WIDTHS:
        line.add_column(width=width, no_wrap=True, overflow="ellipsis")
    line.add_row(
        f"[dim]{row.id:>3}[/dim]",
        terminal.categories_of(row),
        escape(row.account_id or "-"),
        f"[bold]{escape(row.subject) or '(no subject)'}[/bold]",
        f"[dim]{escape(done)}[/dim]",
    )
    return line


def _say_where(out: Console, folder: Path, config: Config, password: str) -> None:
    """What came of it, where to look, what to try."""
    with closing(Reader(log_path(config))) as reader:
        counts = reader.counts(since_ms=0)
        rows = reader.rows(limit=1000)
    by_category: dict[str, int] = {}
    for row in rows:
        for category in row.categories or ("other",):
            by_category[category] = by_category.get(category, 0) + 1
    done = {kind: number for kind, state, number in counts.effects if state == "done"}
    told = ", ".join(f"{number} {terminal.coloured(category)}" for category, number in sorted(by_category.items()))
    read = counts.messages + counts.copies
    out.print(f"\n{read} mails read: {counts.messages} logged, {counts.copies} second copies. {told}.")
    out.print(
        f"{done.get('ack', 0)} acknowledgements, {done.get('notify', 0)} notes to account managers, "
        f"{done.get('call', 0)} calls booked and {done.get('invitation', 0)} invitations. "
        f"{counts.unsure} mails are marked ?: not sure, a person should look."
    )
    out.print(f"\nTo sign in to the review desk: {_signs_in(password)}", highlight=False)
    for title, lines in _hints(folder).items():
        out.print(f"\n[bold]{title}[/bold]")
        for name, where in lines.items():
            out.print(f"  {name:<19} {escape(where)}", soft_wrap=True)


def _hints(folder: Path) -> dict[str, dict[str, str]]:
    """Lines to copy, by title; they run as they stand, whether `triaged` is on the path or not."""
    called = sys.argv[0] if Path(sys.argv[0]).name == "triaged" else f"{sys.executable} -m triaged"
    program = "triaged" if shutil.which("triaged") is not None else called
    settings = folder / "config.toml"
    return {
        "Where to look": {
            "the review desk": f"{program} desk --config {settings}",
            "the log": f"{program} log --config {settings}",
            "one mail and why": f"{program} explain 1 --config {settings}",
            "outgoing mail": f"{folder}/mail/outgoing/new/",
            "the calendars": f"{folder}/calendars/lena/ marek/ sofia/ (.ics files)",
            "offered and booked calls": f"{program} calls list --config {settings}",
            "how it is": f"{program} status --config {settings}",
        },
        "What to try next": {
            "a mail of your own": f"cp some.eml {folder}/mail/inbox/new/ && {program} run --once --config {settings}",
            "edit a rule": f"cp -r {folder}/rules draft, edit that, then: {program} rules whatif draft -c {settings}",
            "put one right": f"{program} correct 1 --category complaint --config {settings}",
        },
    }
