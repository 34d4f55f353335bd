"""What systemd sees of the service: readiness, watchdog, reload, and an end in time that loses and doubles nothing."""

from __future__ import annotations

import email
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.conftest import MailServers
from tests.e2e.forwarder import forwarder
from tests.e2e.site import RULES, START_S, Site, Worker, mail, make_site, running, wait_for

BEATS = {"WATCHDOG_USEC": "3000000"}
LOUD = '\n[[rule]]\nname = "Loud"\nwhen.subject = "LOUD"\nthen.priority = "urgent"\n'


@dataclass(frozen=True, slots=True)
class Notified:
    """systemd's end of `$NOTIFY_SOCKET`. told: every message, in order."""

    socket_name: str
    told: list[str] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.socket_name, **BEATS}

    def count(self, words: str) -> int:
        return sum(line == words for message in list(self.told) for line in message.split("\n"))

    def wait_for(self, words: str, *, count: int) -> None:
        """Wait until a line came so often in all."""
        wait_for(lambda: self.count(words) >= count, f"systemd is told {words} {count} times", timeout_s=START_S)


@contextmanager
def systemd(name: str) -> Iterator[Notified]:
    """A socket as systemd gives one. name: a path, or with `@` first an abstract one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind("\0" + name[1:] if name[0] == "@" else name)
        notified = Notified(name)

        def listen() -> None:
            while (message := ours.recv(4096).decode()) != "end":
                notified.told.append(message)

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        yield notified
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"end", ours.getsockname())
        listener.join()


def test_ready_reload_and_stop(servers: MailServers, tmp_path: Path) -> None:
    # The first connection is the check before the start, the second the watcher's own.
    with systemd(str(tmp_path / "notify")) as notified, forwarder(servers.imap.imaps_port, hold_from=2) as way:
        site = make_site(tmp_path, mailboxes=servers.mailbox(port=way.port), outgoing=servers.outgoing(), calendar="")
        with running(site, env=notified.env, ready=False) as worker:
            wait_for(lambda: way.connections >= 2, "the watcher connects", timeout_s=START_S)
            notified.wait_for("WATCHDOG=1", count=2)
            assert notified.count("READY=1") == 0
            way.through.set()
            notified.wait_for("READY=1", count=1)

            rules = site.folder / "rules/test.toml"
            rules.write_text(RULES + LOUD.replace("then.priority", "then.priorty"))
            _reload(notified, worker)
            code, status = site.status()
            (part,) = (each for each in status["parts"] if each["part"] == "rules")
            assert (code, part["state"]) == (1, "trouble")
            line = (RULES + LOUD).count("\n")
            assert f"test.toml:{line}: " in part["detail"]
            assert _priority(servers, site, "LOUD 1") == "normal"

            rules.write_text(RULES + LOUD)
            _reload(notified, worker)
            assert site.status()[0] == 0
            assert _priority(servers, site, "LOUD 2") == "urgent"

            assert notified.count("STOPPING=1") == 0
            assert worker.stop() == 0
        notified.wait_for("STOPPING=1", count=1)
        assert len(servers.smtp.mails) == 2


def test_the_watchdog_is_not_fed_while_a_part_hangs(servers: MailServers, tmp_path: Path) -> None:
    site = make_site(tmp_path, outgoing=servers.outgoing(), calendar="", service="stall_s = 4")
    servers.smtp.silent_at_dot = True
    with systemd(f"@triaged-{uuid.uuid4().hex}") as notified, running(site, env=notified.env) as worker:
        notified.wait_for("WATCHDOG=1", count=6)  # longer than stall_s: parts without work are no hung parts
        assert "stalled" not in worker.said()
        site.drop("1", mail("A matter"))
        worker.wait_for_line("stalled parts=('lane mail',)")
        fed, stalled = notified.count("WATCHDOG=1"), worker.said().count("stalled")
        worker.wait_for_line("stalled parts=('lane mail',)", count=stalled + 3)
        assert notified.count("WATCHDOG=1") == fed >= 6
        assert worker.stop(timeout_s=15) == 0  # 10 s for what hangs, and the end
        assert "undrained part='lane mail'" in worker.said()
    assert len(servers.smtp.mails) == 1

    servers.smtp.silent_at_dot = False
    site.run_once()
    row = site.row("A matter")
    assert row is not None
    assert row.effects == (("ack", "person"),)  # perhaps it arrived, perhaps not: it is not sent a second time
    assert len(servers.smtp.mails) == 1


def test_it_ends_in_time_amid_a_backlog_and_the_rest_is_done_once(servers: MailServers, tmp_path: Path) -> None:
    count = 300
    site = make_site(tmp_path, outgoing=servers.outgoing(), calendar="")
    servers.smtp.lmtp_port = None
    for number in range(count):
        octets = mail(f"Matter {number}", sender=f"p{number}@many.example", message_id=f"<m{number}@many.example>")
        site.drop(str(number), octets)
    with running(site) as worker:
        wait_for(lambda: len(servers.smtp.mails) >= 10, "the first are answered")
        assert worker.stop() == 0
        assert "undrained" not in worker.said()
    sent, logged = len(servers.smtp.mails), len(site.rows())
    assert 10 <= sent < count
    assert sent <= logged

    site.run_once()
    assert len(site.rows()) == count
    assert {row.effects for row in site.rows()} == {(("ack", "done"),)}
    answered = [email.message_from_bytes(each.octets)["In-Reply-To"] for each in servers.smtp.mails]
    assert sorted(answered) == sorted(f"<m{number}@many.example>" for number in range(count))


@pytest.mark.parametrize("name", ["triaged.service", "triaged-watch.service"])
def test_the_unit_is_walled_in(name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("needs systemd-analyze: apt-get install systemd")
        pytest.skip("needs systemd-analyze: apt-get install systemd")
    unit = Path(__file__).parents[2] / "deploy" / name
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True, text=True, timeout=60
    )
    found = re.search(rf"Overall exposure level for {re.escape(name)}: ([\d.]+)", judged.stdout)
    assert found is not None, judged.stdout + judged.stderr
    assert float(found[1]) <= 1.5


def _reload(notified: Notified, worker: Worker) -> None:
    """SIGHUP, and what systemd must hear of it: RELOADING with the time, then READY."""
    before, ready = len(notified.told), notified.count("READY=1")
    worker.started.send_signal(signal.SIGHUP)
    notified.wait_for("READY=1", count=ready + 1)
    told = [message for message in notified.told[before:] if "WATCHDOG=1" not in message]
    assert [message.partition("\n")[0] for message in told] == ["RELOADING=1", "READY=1"]
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", told[0])


def _priority(servers: MailServers, site: Site, subject: str) -> str:
    servers.imap.deliver(mail(subject), sender="ann@example.test")
    return wait_for(lambda: site.ended(subject), f"{subject} is answered").priority
