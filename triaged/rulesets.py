"""Rules and templates in, the worker asked to take them and its answer out; and which set decided when, and why.

The command line and the review desk share it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from triaged.errors import ConfigError, Permanent, Problem
from triaged.log.read import Reader
from triaged.log.rulesets import KEPT, Use, decided_before, ids_of, last_use, rule_set, unused, uses
from triaged.rules.difference import file_changes
from triaged.settings import Config
from triaged.wire import log_path
from triaged.worker.reload import Request, ask, request_path
from triaged.worker.service import is_running
from triaged.written import Written

WAIT_S, LOOK_S = 10.0, 0.1
"""How long a running worker may take to say that it took the files, and between looks; it takes about 2 s."""


def bring_in(config: Config, written: Written, *, how: str, who: str, why: str) -> bool:
    """Ask the worker to take the files, which lie in the folders, and wait for what it says.

    how: `loaded` or `restored`. True: they decide from now on; False: no worker runs, and the request lies until one
    starts. Raises: Permanent, with why they were not taken.
    """
    path = log_path(config)
    asked = path.exists() and ask(config.state_dir, Request(written.id, how, who, why))
    if not (path.exists() and is_running(path)):
        return False
    if not asked:
        raise Permanent(
            f"{config.state_dir} cannot be written, so that the worker cannot be asked; run this as its user"
        )
    _wait(path, request_path(config.state_dir), written)
    return True


def _wait(path: Path, request: Path, written: Written) -> None:
    """Until the worker has answered. Raises: Permanent when it does not take the files."""
    give_up_at = time.monotonic() + WAIT_S
    while request.exists() and time.monotonic() < give_up_at:
        time.sleep(LOOK_S)
    reader = Reader(path)
    try:
        use, why = last_use(reader), refused(reader)
    finally:
        reader.close()
    if request.exists():
        raise Permanent(f"the worker did not answer within {WAIT_S:.0f} s; 'triaged status' says how it is")
    if why != "":
        raise Permanent(f"the worker refused them: {why}. It reads config.toml only when it starts")
    if use is None or use.rules_id != written.id:
        raise Permanent("the files were changed again meanwhile; 'triaged rules history' says which the worker took")


def refused(reader: Reader) -> str:
    """Why the worker does not take what lies in the folders, as it says, `""` when it does or said nothing."""
    return next((row.detail for row in reader.health() if row.part == "rules" and row.state == "trouble"), "")


def changed_by(reader: Reader, written: Written) -> tuple[str, list[str]]:
    """The set that decided before this one, `""` when none did, and what is different since, in words."""
    use = decided_before(reader, written.id)
    known = rule_set(reader, use.rules_id) if use is not None else None
    if use is None or known is None:
        return "", []
    return use.rules_id, [change.words for change in file_changes(known, written)]


def history(reader: Reader, limit: int) -> Iterator[tuple[Use, list[str]]]:
    """Each use, newest first, with what changed by it; among them, by time, the sets that were only kept."""
    rows = uses(reader, limit=limit + 1)
    before = dict(itertools.pairwise(rows))
    shown = sorted([*rows[:limit], *unused(reader)], key=lambda use: use.at, reverse=True)[:limit]
    for use in shown:
        if use.how == KEPT:
            yield use, ["it never decided"]
        elif (earlier := before.get(use)) is None:
            yield use, []
        else:
            old, new = rule_set(reader, earlier.rules_id), rule_set(reader, use.rules_id)
            found = file_changes(old, new) if old is not None and new is not None else ()
            yield use, [change.words for change in found]


def kept_set(reader: Reader, name: str) -> tuple[str, Written]:
    """A set by its id or the beginning of it, `""` for the one in use. Raises: ConfigError, Permanent."""
    if name == "":
        use = last_use(reader)
        if use is None:
            raise Permanent("no rule set decided yet; start the worker: triaged run")
        name = use.rules_id
    ids = ids_of(reader, name)
    if len(ids) != 1:
        what = "there is no rule set" if len(ids) == 0 else f"{len(ids)} rule sets begin with"
        raise ConfigError((Problem(name, f"{what} {name}; 'triaged rules history' shows those there are"),))
    written = rule_set(reader, ids[0])
    assert written is not None
    return ids[0], written


def aside_of(now: datetime) -> str:
    """What is put behind the name of a file that is no part of the set that is laid into the folders."""
    return f".before-{now:%Y%m%d-%H%M%S}"
