"""F8: another program holds the log's write lock while readers read: nothing is lost, and all is done after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlite_utils.utils import (
    sqlite3,
)  # the product's: a second SQLite in one process would drop the locks of the first

from tests.e2e.site import Site, mail, make_site, running, wait_for

READS_PER_S = 50
CAUGHT_UP_S = 30.0


@contextmanager
def locked(site: Site) -> Iterator[None]:
    """A write transaction by a program that does not know our lock file, as `sqlite3 triaged.db` would begin one."""
    with closing(sqlite3.connect(site.folder / "state/triaged.db", isolation_level=None, timeout=30)) as log:
        log.execute("BEGIN IMMEDIATE")
        log.execute("UPDATE meta SET value = value")
        try:
            yield
        finally:
            log.execute("ROLLBACK")


@contextmanager
def read_all_the_while(site: Site) -> Iterator[list[str]]:
    """Somebody looks at the log, 50 times a second; what went wrong with that."""
    ended, wrong = threading.Event(), []

    def read() -> None:
        while not ended.wait(1 / READS_PER_S):
            try:
                site.rows()
            except sqlite3.Error as error:
                wrong.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield wrong
    finally:
        ended.set()
        thread.join()


def outlived(folder: Path, *, lasts_s: float, mails: int) -> float:
    """Mails come while the log is locked; seconds from its release until all is done."""
    site = make_site(folder)
    with running(site, dies=True) as worker, read_all_the_while(site) as wrong:
        with locked(site):
            for number in range(mails):
                site.drop(f"n{number}", mail(f"mail {number}", sender=f"Eve <n{number}@m{number}.example>"))
            threading.Event().wait(lasts_s)
            assert worker.started.poll() is None
            assert site.outgoing() == []
            assert site.rows() == []
        began = time.monotonic()
        for number in range(mails):
            wait_for(lambda: site.ended(f"mail {number}"), "its end", timeout_s=400)  # noqa: B023 - asked here only
        took_s = time.monotonic() - began
    assert wrong == []
    assert len(site.rows()) == mails
    return took_s


def told(lasts_s: float, mails: int, took_s: float) -> None:
    print(f"F8 locked: {lasts_s:.0f} s, {mails} of {mails} mails done {took_s:.0f} s after, 0 errors to readers")  # noqa: T201


def test_a_log_that_is_locked_for_a_while(tmp_path: Path) -> None:
    told(2, 5, outlived(tmp_path / "site", lasts_s=2, mails=5))


def long_run(folder: Path) -> None:
    """A minute, which is twice as long as a statement waits for the lock."""
    took_s = outlived(folder / "site", lasts_s=60, mails=20)
    told(60, 20, took_s)
    assert took_s <= CAUGHT_UP_S
