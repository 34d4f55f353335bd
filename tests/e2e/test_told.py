"""A real worker, real servers that fail it, and people who hear of it: once, over two channels, with an all-clear."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.site import Site, Worker, mail, make_site, running, wait_for
from tests.servers.dovecot import free_ports
from tests.servers.sinks import TOKEN, MailSink, WebSink, mail_sink, web_sink
from tests.servers.smtp import SmtpServer
from triaged.log.store import Log


@pytest.fixture
def web() -> Iterator[WebSink]:
    with web_sink() as sink:
        yield sink


@pytest.fixture
def post() -> Iterator[MailSink]:
    with mail_sink() as sink:
        yield sink


def outgoing(server: SmtpServer) -> str:
    return (
        f'[outgoing]\nkind = "smtp"\nhost = "localhost"\nport = {server.port}\nuser = "desk@example.test"\n'
        f'password_file = "secrets/desk"\nca_file = "{server.authority.ca_file}"\ntimeout_s = 10\n'
        'message_id_domain = "desk.example"\n'
    )


def told_site(folder: Path, *urls: str, smtp: SmtpServer | None = None, more: str = "") -> Site:
    """A site whose alarms go to `urls`. more: further tables; the alarms' own keys first."""
    site = make_site(folder, calendar="", **({"outgoing": outgoing(smtp)} if smtp is not None else {}))
    (site.folder / "secrets/alerts").write_text("# who is told\n" + "\n".join(urls) + "\n", encoding="utf-8")
    with site.config.open("a", encoding="utf-8") as config:
        config.write(f'\n[alerts]\nurls_file = "secrets/alerts"\ndisk_min_mb = 0\ndisk_min_percent = 0\n{more}')
    return site


def change(site: Site, old: str, new: str) -> None:
    text = site.config.read_text(encoding="utf-8")
    assert old in text
    site.config.write_text(text.replace(old, new), encoding="utf-8")


def rounds(worker: Worker, site: Site, count: int = 2) -> None:
    """Wait until the alarms looked round some times more, by the sign of life in the log."""
    for _ in range(count):
        before = alive(site)
        wait_for(lambda before=before: alive(site) > before, "the alarms look round")  # type: ignore[misc]
    assert worker.started.poll() is None


def alive(site: Site) -> int:
    reader = site.reader()
    try:
        return int(reader.select("SELECT max(alive_at) FROM run")[0][0] or 0)
    finally:
        reader.close()


def alarms(site: Site) -> dict[str, dict[str, object]]:
    done = site.triaged("alerts", "list", "--json")
    return {row["key"]: row for row in map(json.loads, done.stdout.splitlines())}


def test_a_refused_login_is_told_over_both_channels_once_and_the_all_clear_after(
    smtp_server: SmtpServer, web: WebSink, post: MailSink, tmp_path: Path
) -> None:
    site = told_site(tmp_path, web.url, post.url, smtp=smtp_server)
    with running(site) as worker:
        rounds(worker, site)
        assert web.titles() == []
        smtp_server.answers["AUTH"] = "535 5.7.8 no longer"
        site.drop("1", mail("A matter"))
        wait_for(lambda: len(web.taken) > 0 and len(post.mails) > 0, "people are told")
        assert web.titles() == post.titles() == ["trouble: lane mail"]
        assert "does not take user name or password: 535 5.7.8 no longer" in web.taken[0]["message"]
        assert "what is owed stays owed" in web.taken[0]["message"]
        assert "ann@example.test" not in web.taken[0]["message"]
        rounds(worker, site)
        code, status = site.status()
        (alert,) = status["alerts"]
        assert (code, status["troubled"], alert["key"], alert["open"]) == (1, True, "part:lane mail", True)
        assert alert["told"] is not None
        assert alert["not_told"] is None
        assert "lane mail" in site.triaged("status").stdout
        assert worker.stop() == 0
        assert TOKEN not in worker.said()
    smtp_server.reset()
    with running(site) as worker:  # sooner than the 5 minutes in which a refused login is not tried again
        wait_for(lambda: len(web.taken) > 1 and len(post.mails) > 1, "the all-clear")
        wait_for(lambda: site.ended("A matter"), "the answer is sent")
        rounds(worker, site)
        assert site.status()[0] == 0
    assert web.titles() == post.titles() == ["trouble: lane mail", "all clear: lane mail"]
    assert len(smtp_server.mails) == 1
    assert alarms(site)["part:lane mail"]["open"] is False


def test_restarts_and_crashes_tell_nothing_twice(web: WebSink, tmp_path: Path) -> None:
    site = told_site(tmp_path, web.url)
    change(site, "disk_min_percent = 0", "disk_min_percent = 99.99")
    with running(site) as worker:
        wait_for(lambda: len(web.taken) > 0, "people are told")
        rounds(worker, site)
        worker.started.send_signal(signal.SIGKILL)
        worker.started.wait()
    assert web.titles() == ["warning: disk of the state folder"]
    with running(site) as worker:
        wait_for(lambda: len(web.taken) > 1, "the crash is told")
        rounds(worker, site)
        assert site.status()[0] == 0  # these are only warnings
    assert web.titles()[1:] == ["warning: worker"]
    change(site, "disk_min_percent = 99.99", "disk_min_percent = 0")
    with running(site) as worker:  # the run before this one ended in order
        wait_for(lambda: len(web.taken) > 2, "the all-clear")
        rounds(worker, site)
    assert web.titles()[2:] == ["2 all-clears"]


def test_a_server_that_comes_back_and_a_channel_that_does_not(
    smtp_server: SmtpServer, web: WebSink, post: MailSink, tmp_path: Path
) -> None:
    site = told_site(tmp_path, web.url, post.url, smtp=smtp_server)
    web.answer = 500
    with running(site) as worker:
        smtp_server.answers["AUTH"] = "454 4.7.0 not now"
        site.drop("1", mail("A matter"))
        wait_for(lambda: "trouble: lane mail" in post.titles(), "people are told")
        wait_for(lambda: "trouble: alerts" in post.titles(), "the channel that failed is told over the other")
        smtp_server.answers.clear()
        wait_for(lambda: "all clear: lane mail" in post.titles(), "the all-clear")
        assert site.ended("A matter") is not None
        assert TOKEN not in str([str(each) for each in post.mails]) + worker.said() + site.triaged("status").stdout
        assert "1 (JSON)" in site.triaged("status").stdout
        rounds(worker, site)
    assert web.taken == []
    assert sorted(post.titles()) == ["all clear: lane mail", "trouble: alerts", "trouble: lane mail"]


def test_the_canary_is_seen_and_is_no_clients_mail(web: WebSink, tmp_path: Path) -> None:
    more = '\n[canary]\nevery_min = 600\nmailbox = "desk"\nwithin_min = 0.02\n'
    site = told_site(tmp_path, web.url, more=more)
    site.drop("1", mail("A matter"))
    with running(site) as worker:
        (sent,) = wait_for(lambda: [file for file in site.outgoing() if b"canary" in file.read_bytes()], "it is sent")
        wait_for(lambda: web.titles() == ["trouble: canary mail"], "it is missed")
        sent.rename(site.folder / "mail/inbox/new/canary")
        wait_for(lambda: len(web.taken) > 1, "it is seen")
        wait_for(lambda: all(row.state != "triaged" or row.subject == "A matter" for row in all_rows(site)), "marked")
        rounds(worker, site)
        assert site.status()[0] == 0
    assert web.titles() == ["trouble: canary mail", "all clear: canary mail"]
    (row,) = (row for row in all_rows(site) if row.state == "canary")
    assert row.automatic == "machine"
    assert row.effects == ()
    assert [each.subject for each in site.rows()] == ["A matter"]
    assert row.subject in site.triaged("log", "--all").stdout
    assert row.subject not in site.triaged("log").stdout
    assert len(site.outgoing()) == 1  # the answer to the client's mail


def all_rows(site: Site):  # type: ignore[no-untyped-def]
    reader = site.reader()
    try:
        return reader.rows(limit=10, canaries=True)
    finally:
        reader.close()


def test_a_worker_that_is_away_is_told_by_the_watch_and_the_worker_says_when_it_is_back(
    web: WebSink, tmp_path: Path
) -> None:
    site = told_site(tmp_path, web.url)
    assert site.triaged("alerts", "watch").returncode == 0  # it never ran: nobody expects it to
    with running(site) as worker:
        rounds(worker, site)
        assert site.triaged("alerts", "watch").returncode == 0
    assert site.triaged("alerts", "watch").returncode == 0  # it may be starting again
    log = Log(site.folder / "state/triaged.db")
    with log.transaction():
        long_ago = round((datetime.now(UTC) - timedelta(minutes=5)).timestamp() * 1000)
        log.db.execute("UPDATE run SET alive_at = ?, ended_at = ?", (long_ago, long_ago))
    log.close()
    for _ in range(2):
        done = site.triaged("alerts", "watch")
        assert done.returncode == 1
        assert "It does not run since about" in done.stderr
    assert web.titles() == ["trouble: worker"]
    with running(site) as worker:
        wait_for(lambda: len(web.taken) > 1, "the all-clear")
        rounds(worker, site)
    assert web.titles() == ["trouble: worker", "all clear: worker"]


def test_the_page_for_monitoring(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    site = told_site(tmp_path, "json://127.0.0.1:1/x", more=f'\n[health]\nlisten = "127.0.0.1:{port}"\n')
    site.drop("1", mail("A matter"))
    with running(site):
        wait_for(lambda: site.ended("A matter"), "the answer is sent")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            assert json.loads(answer.read())["well"] is True
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            said = answer.read().decode()
        assert re.search(r'^triaged_mails{category="\w+",mailbox="desk",state="triaged"} 1\.0$', said, re.MULTILINE)
        assert "ann@" not in said


def test_the_commands(web: WebSink, post: MailSink, tmp_path: Path) -> None:
    site = told_site(tmp_path, web.url, post.url)
    done = site.triaged("alerts", "test")
    assert done.returncode == 0, done.stderr
    assert "✓ 1 (JSON)\n✓ 2 (E-Mail)\n" in done.stdout
    assert site.triaged("alerts", "send", "The desk is closed today").returncode == 0
    assert web.taken[1]["message"] == "The desk is closed today"
    web.answer = 403
    done = site.triaged("alerts", "test")
    assert done.returncode == 1
    assert "✗ 1 (JSON): " in done.stdout
    assert "403" in done.stdout
    assert "✓ 2 (E-Mail)" in done.stdout
    assert len(post.mails) == 3
    assert TOKEN not in done.stdout + done.stderr
    assert site.triaged("alerts", "list").stdout.strip() == "no alarm"

    (site.folder / "secrets/alerts").write_text(f"nonsense://{TOKEN}/x\n")
    done = site.triaged("check")
    assert done.returncode == 2
    assert "alerts: channel 1 (nonsense://…) is not a URL that Apprise knows" in done.stderr
    assert TOKEN not in done.stderr
    assert site.triaged("alerts", "test").returncode == 1
    (site.folder / "secrets/alerts").write_text("\n")
    done = site.triaged("check")
    assert "the file of alert URLs is empty" in done.stderr
    change(site, 'urls_file = "secrets/alerts"', 'urls_file = ""')
    done = site.triaged("alerts", "send", "x")
    assert done.returncode == 1
    assert "nobody would be told" in done.stderr


def test_the_breaker_is_told_and_shown_until_a_person_closes_it(web: WebSink, tmp_path: Path) -> None:
    site = told_site(tmp_path, web.url)
    change(site, "breaker_per_hour = 1000\n", "breaker_per_hour = 3\n")
    with running(site) as worker:
        for number in range(6):
            site.drop(str(number), mail(f"Matter {number}", sender=f"p{number}@many.example"))
        wait_for(lambda: web.titles() == ["trouble: breaker"], "people are told")
        wait_for(lambda: len(site.rows()) == 6, "all are logged")
        rounds(worker, site)
        assert len(site.outgoing()) <= 3
        code, status = site.status()
        assert (code, status["breaker"]["open"]) == (1, True)
        assert [alert["key"] for alert in status["alerts"]] == ["breaker"]
        said = site.triaged("status").stdout
        assert "the breaker is open since" in said
        assert "3 acknowledgements were wanted within an hour" in said
        assert site.triaged("breaker", "close", "--drop").returncode == 0
        wait_for(lambda: web.titles() == ["trouble: breaker", "all clear: breaker"], "the all-clear")
        assert site.status()[0] == 0
