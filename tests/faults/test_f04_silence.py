"""F4: IDLE connections die without a word, behind a proxy or by a packet filter; new mail is seen all the same.

With the default settings a mail waits at worst for the next poll (30 s), for the silence to be noticed (30 s), for a
second's pause and for a new connection: some 62 s, where 90 are allowed. Poll and time limits are what ends it, not
TCP: an idle connection sends nothing that could remain unanswered.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.site import MAILDIR_OUTGOING, Site, Worker, mail, make_site, running, wait_for
from tests.faults.ground import Ground
from tests.faults.proxy import Proxy, Way, running_proxy
from tests.servers.dovecot import Dovecot, running_dovecot

NEEDS_NETWORK = "needs root, unshare, ip and nft: apt-get install util-linux iproute2 nftables"
SEEN_S = 90.0
GROUPS = 5
"""Groups of mailboxes, each behind a proxy of its own, so that each is silenced at another moment of its poll."""


@dataclass(frozen=True, slots=True)
class Watching:
    """A running worker with many mailboxes, `b0` and on; those of `users[n]` behind `proxies[n]`."""

    site: Site
    worker: Worker
    dovecot: Dovecot
    proxies: list[Proxy]
    users: list[list[str]]

    def deliver(self, user: str, subject: str) -> float:
        """Lay a mail into the mailbox; when it lay there, by the wall clock."""
        self.dovecot.deliver(mail(subject, to=f"{user}@example.test"), user)
        return time.time()

    def seen(self) -> dict[str, list[float]]:
        """When each mailbox's mails got their rows, by the wall clock."""
        with closing(self.site.reader()) as reader:
            rows = reader._db.execute("SELECT mailbox, seen_at FROM locator ORDER BY seen_at").fetchall()
        found: dict[str, list[float]] = {}
        for mailbox, seen_at in rows:
            found.setdefault(mailbox, []).append(seen_at / 1000)
        return found

    def threads_and_descriptors(self) -> tuple[int, int]:
        """Of the worker now."""
        own = Path(f"/proc/{self.worker.started.pid}")
        return len(list((own / "task").iterdir())), len(list((own / "fd").iterdir()))


@contextmanager
def watching(
    folder: Path, dovecot: Dovecot, *, mailboxes: int, limits: str = "", direct: bool = False
) -> Iterator[Watching]:
    """limits: lines of configuration for each mailbox; direct: without proxies."""
    users = [[f"b{number}" for number in range(start, mailboxes, GROUPS)] for start in range(GROUPS)]
    with (dovecot.folder / "users").open("a") as file:
        file.writelines(f"{user}@example.test:{{PLAIN}}desk-password::::::\n" for group in users for user in group)
    with ExitStack() as stack:
        proxies = [stack.enter_context(running_proxy(dovecot.imaps_port)) for _ in users]
        tables = "\n".join(
            _mailbox(user, dovecot, dovecot.imaps_port if direct else proxy.port, limits)
            for group, proxy in zip(users, proxies, strict=True)
            for user in group
        )
        site = make_site(folder, mailboxes=tables, outgoing=MAILDIR_OUTGOING, calendar="")
        worker = stack.enter_context(running(site))
        yield Watching(site, worker, dovecot, proxies, users)


def _mailbox(user: str, dovecot: Dovecot, port: int, limits: str) -> str:
    return (
        f'[[mailbox]]\nname = "{user}"\nkind = "imap"\naddress = "{user}@example.test"\nhost = "localhost"\n'
        f'port = {port}\nuser = "{user}@example.test"\npassword_file = "secrets/desk"\n'
        f'ca_file = "{dovecot.authority.ca_file}"\n{limits}\n'
    )


def silenced_once(watched: Watching, *, within_s: float, seed: int) -> dict[str, float]:
    """Each group's lines die at a moment drawn by chance, and then a mail comes for each; seconds until it is seen."""
    draw = random.Random(seed)
    came: dict[str, float] = {}

    def group(number: int, after_s: float) -> None:
        threading.Event().wait(after_s)
        assert watched.proxies[number].black_hole() >= len(watched.users[number])
        for user in watched.users[number]:
            came[user] = watched.deliver(user, f"after the silence {seed}")

    before = {mailbox: len(times) for mailbox, times in watched.seen().items()}
    threads = [threading.Thread(target=group, args=(n, draw.uniform(0, within_s))) for n in range(GROUPS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {user: at - came[user] for user, at in _new(watched, before, came).items()}


def _new(watched: Watching, before: dict[str, int], came: dict[str, float]) -> dict[str, float]:
    def all_seen() -> dict[str, float]:
        seen = watched.seen()
        new = {user: seen[user][-1] for user in came if len(seen.get(user, [])) > before.get(user, 0)}
        return new if len(new) == len(came) else {}

    return wait_for(all_seen, "a row for every mail", timeout_s=5 * SEEN_S)


MANY = "service imap-login {\n service_count = 0\n client_limit = 2000\n}\nservice imap {\n process_limit = 2000\n}"
"""Dovecot takes 100 TLS connections at once by default; silent ones count as well."""
SHORT = "poll_s = 1\ntimeout_s = 1"


def dropped(watched: Watching, *, rounds: int) -> list[tuple[int, int]]:
    """Every line dropped, in three ways by turns, and all back each time; threads and descriptors after each."""
    held = [watched.threads_and_descriptors()]
    ways: tuple[Way, ...] = ("silence", "close", "reset")
    for number in range(rounds):
        way = ways[number % 3]
        before = {user: len(times) for user, times in watched.seen().items()}
        for proxy, group in zip(watched.proxies, watched.users, strict=True):
            wait_for(lambda: proxy.standing() >= len(group), "every line stands again")  # noqa: B023 - asked here only
            cut = proxy.black_hole() if way == "silence" else proxy.cut(way)
            assert cut >= len(group)
        came = {user: watched.deliver(user, f"{way} {number}") for group in watched.users for user in group}
        _new(watched, before, came)
        for proxy in watched.proxies:
            proxy.cut(silent=True)  # what fell silent before: nobody holds its other end any more
        held.append(watched.threads_and_descriptors())
    return held


def test_silent_lines_are_noticed(ground: Ground, tmp_path: Path) -> None:
    with watching(tmp_path / "site", ground.dovecot, mailboxes=5, limits=SHORT) as watched:
        delays = silenced_once(watched, within_s=1, seed=1)
    assert len(delays) == 5
    print(f"F4 silent lines: {len(delays)} of 5 mails seen, the last after {max(delays.values()):.0f} s")  # noqa: T201


def test_dropped_lines_leave_nothing_behind(ground: Ground, tmp_path: Path) -> None:
    with watching(tmp_path / "site", ground.dovecot, mailboxes=5, limits=SHORT) as watched:
        held = dropped(watched, rounds=6)
    print(f"F4 drops: 30 lines dropped; threads and descriptors {held[0]} before, {held[-1]} after")  # noqa: T201
    assert_no_growth(held)


def assert_no_growth(held: list[tuple[int, int]]) -> None:
    """After the first round, in which much happens for the first time, there are no more threads or descriptors."""
    threads, descriptors = zip(*held[1:], strict=True)
    assert max(threads) <= threads[0]
    assert descriptors[-1] <= descriptors[0] + 3, held  # a line may just be under way to its server


# --- packets dropped, in a network of their own --------------------------------------------------------------------


def has_network() -> bool:
    return os.geteuid() == 0 and all(shutil.which(name) is not None for name in ("unshare", "ip", "nft"))


def in_a_network_of_its_own(folder: Path, mailboxes: int, limits: str) -> str:
    """This module's trial with a packet filter, in a process whose network has nothing but a loopback; its words."""
    command = 'ip link set lo up && exec "$0" -m tests.faults.test_f04_silence "$@"'
    arguments = [sys.executable, str(folder), str(mailboxes), limits]
    done = subprocess.run(
        ["unshare", "--net", "--", "sh", "-c", command, *arguments], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def drop_established(port: int) -> int:
    """From now on the packet filter drops what belongs to the connections to `port` that stand; how many do."""
    theirs = sorted(set(_client_ports(port)))
    ports = ", ".join(str(each) for each in theirs)
    rules = f"""table inet silence {{
chain input {{
type filter hook input priority 0;
tcp dport {port} tcp sport {{ {ports} }} drop
tcp sport {port} tcp dport {{ {ports} }} drop
}}
}}
"""
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    return len(theirs)


def _client_ports(port: int) -> Iterator[int]:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        ours, theirs, state = line.split()[1:4]
        if int(theirs.split(":")[1], 16) == port and state == "01":
            yield int(ours.split(":")[1], 16)


def _dropped_by_filter(folder: Path, mailboxes: int, limits: str) -> None:
    with (
        running_dovecot() as dovecot,
        watching(folder / "site", dovecot, mailboxes=mailboxes, limits=limits, direct=True) as watched,
    ):
        before: dict[str, int] = {}
        assert drop_established(dovecot.imaps_port) >= mailboxes
        came = {user: watched.deliver(user, "after the drop") for group in watched.users for user in group}
        delays = [at - came[user] for user, at in _new(watched, before, came).items()]
    print(len(delays), max(delays))  # noqa: T201 - to the process that started it


@pytest.mark.skipif(not has_network(), reason=NEEDS_NETWORK)
def test_lines_whose_packets_are_dropped(ground: Ground, tmp_path: Path) -> None:
    seen, last_s = in_a_network_of_its_own(tmp_path, 5, SHORT).split()
    print(f"F4 dropped packets: {seen} of 5 mails seen, the last after {float(last_s):.0f} s")  # noqa: T201
    assert seen == "5"


def long_run(folder: Path) -> None:
    """100 lines with the default settings, behind proxies and then behind a packet filter; 1,000 drops."""
    with running_dovecot(more=MANY) as dovecot:
        with watching(folder / "silent", dovecot, mailboxes=100) as watched:
            delays = silenced_once(watched, within_s=30, seed=1)
        print(f"F4 silent lines: {len(delays)} of 100 mails seen, the last after {max(delays.values()):.0f} s")  # noqa: T201
        assert len(delays) == 100
        assert max(delays.values()) <= SEEN_S
        with watching(folder / "dropped", dovecot, mailboxes=100, limits="poll_s = 3\ntimeout_s = 10") as watched:
            held = dropped(watched, rounds=10)
        print(f"F4 drops: 1,000 lines dropped; threads and descriptors {held[1]} at first, {held[-1]} at last")  # noqa: T201
        assert_no_growth(held)
    if not has_network():
        print(f"F4 dropped packets: skipped, {NEEDS_NETWORK}")  # noqa: T201
        return
    seen, last_s = in_a_network_of_its_own(folder / "filtered", 50, "").split()
    print(f"F4 dropped packets: {seen} of 50 mails seen, the last after {float(last_s):.0f} s")  # noqa: T201
    assert seen == "50"
    assert float(last_s) <= SEEN_S


if __name__ == "__main__":
    _dropped_by_filter(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
