"""A number of mails in; how long `triaged rules whatif` takes over them, beside a floor measured in the same run, out.

The floor only reads the stored rows and makes mails of them again. `python -m tests.bench.whatif`; some three minutes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from tests.bench.mails import make_mails, write_accounts
from tests.bench.worker import write_config
from triaged import shipped
from triaged.accounts.match import directory
from triaged.accounts.read_csv import read_accounts
from triaged.config import load_config
from triaged.loading import assembled
from triaged.log.past import past_mails, past_rows
from triaged.log.people import put_accounts
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.mail.donotanswer import DoNotAnswer
from triaged.model import Locator, Raw
from triaged.whatif.otherwise import PAGE
from triaged.wire import log_path
from triaged.worker.triage import Desk, Triaged, keep_loaded, loaded_of, triage

AIM_S = 60.0
BATCH = 16
EDIT = '[[rule]]\nname = "Bench"\nbecause = "An edit"\nwhen.says = "please"\nthen.priority = "urgent"\n'


def main(
    mails: Annotated[int, typer.Option(help="Mails in the log.")] = 10_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the what-if replay on this machine."""
    with tempfile.TemporaryDirectory(prefix="triaged-bench-") as name:
        settings = _log(Path(name), mails)
        database = log_path(load_config(settings))
        before = hashlib.sha256(database.read_bytes()).hexdigest()
        floor_s = _floor(database)
        same_s, same = _whatif(settings, settings.parent / "rules")
        edited_s, edited = _whatif(settings, settings.parent / "edited")
        touched = hashlib.sha256(database.read_bytes()).hexdigest() != before
    if same["changed"] > 0 or edited["changed"] == 0 or edited["mails"] != mails or touched:
        counts = (same["changed"], edited["changed"], edited["mails"])
        Console(stderr=True).print(f"the bench is ill made, or what-if is: {counts}, touched: {touched}")
        raise typer.Exit(1)
    told = {
        "mails": mails,
        "floor_s": round(floor_s, 2),
        "unchanged_rules_s": round(same_s, 1),
        "edited_rules_s": round(edited_s, 1),
        "changed": edited["changed"],
        "ratio_to_floor": round(edited_s / floor_s, 1),
        "aim_s": AIM_S * mails / 10_000,
    }
    if as_json:
        print(json.dumps(told))  # noqa: T201
    else:
        Console().print("\n".join(f"{title}: {value}" for title, value in told.items()))


def _log(site: Path, count: int) -> Path:
    """A site whose log holds so many mails, one a minute, decided as the worker does it; and edited rules beside."""
    shutil.copytree(shipped.shipped("templates"), site / "templates")
    for rules in ("rules", "edited"):
        shutil.copytree(shipped.STARTER_RULES, site / rules)
    (site / "edited" / "00-bench.toml").write_text(EDIT, encoding="utf-8")
    write_accounts(site / "accounts.csv")
    settings = write_config(site / "config.toml", imap_port=1, smtp_port=1, user="desk", keep_sent=False, rules="rules")
    config, now = load_config(settings), datetime.now(UTC)
    playbook, accounts = assembled(config), read_accounts(site / "accounts.csv", people=frozenset())
    made, log = make_mails(count, seed=7), Log(log_path(config))
    with log.transaction():
        put_accounts(log, accounts)
        keep_loaded(log, loaded_of(playbook), now=now)
    desk = Desk(playbook, directory(accounts), None, DoNotAnswer())
    for start in track(range(0, count, BATCH), description="logging", console=Console(stderr=True)):
        batch = [
            Raw(Locator("desk", "INBOX", f"1/{n}"), now - timedelta(minutes=n), octets, len(octets))
            for n, octets in enumerate(made[start : start + BATCH], start)
        ]
        with log.transaction():
            for result in triage(batch, desk=desk, now=now):
                assert isinstance(result, Triaged), result
                log.record(result.message, result.decision, result.raw.locator, now=now, background=result.background)
    log.close()
    return settings


def _floor(database: Path) -> float:
    """Seconds to read every row and make its mail of it."""
    began = time.monotonic()
    with closing(Reader(database)) as reader:
        rows = past_rows(reader, since=datetime.fromtimestamp(0, UTC))
        for start in range(0, len(rows), PAGE):
            past_mails(reader, rows[start : start + PAGE])
    return time.monotonic() - began


def _whatif(settings: Path, rules: Path) -> tuple[float, dict[str, int]]:
    """Seconds of the whole command, from its start to its last word, and what it said."""
    command = [sys.executable, "-m", "triaged", "rules", "whatif", str(rules), "--json", "--config", str(settings)]
    began = time.monotonic()
    ended = subprocess.run([*command, "--since", "90d"], capture_output=True, text=True, check=False)
    if ended.returncode not in (0, 2):  # 2: examples of the shipped rules do not come out by the edited ones
        raise RuntimeError(ended.stderr)
    return time.monotonic() - began, json.loads(ended.stdout)


if __name__ == "__main__":
    typer.run(main)
