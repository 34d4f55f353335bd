"""The notifier over real servers: told is told, refused is said without the secret, and nobody else is spoken to."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.notifier import MemoryNotifier
from tests.servers.dovecot import free_ports
from tests.servers.sinks import TOKEN, MailSink, WebSink, mail_sink, web_sink
from triaged.backends.notify import AppriseNotifier, read_urls, url_problems
from triaged.ports import Notifier

ROOT = Path(__file__).parents[2]


@pytest.fixture
def web() -> Iterator[WebSink]:
    with web_sink() as sink:
        yield sink


@pytest.fixture
def post() -> Iterator[MailSink]:
    with mail_sink() as sink:
        yield sink


def test_both_channels_take_it(web: WebSink, post: MailSink) -> None:
    notifier: Notifier = AppriseNotifier([web.url, post.url])
    assert notifier.channels == ("1 (JSON)", "2 (E-Mail)")
    text = "It is <shut>.\n\nÖffnen Sie & sagen Sie „ja“."
    assert notifier.tell("triaged on mx: trouble: Größe", text, bad=True) == {"1 (JSON)": "", "2 (E-Mail)": ""}
    (posted,), (mail,) = web.taken, post.mails
    assert (posted["title"], posted["message"], posted["type"]) == ("triaged on mx: trouble: Größe", text, "warning")
    assert mail["Subject"] == "triaged on mx: trouble: Größe"
    assert mail["To"] == "operator@alarm.example"
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().split() == text.split()
    assert "http" not in str(mail)  # no picture, no link home
    assert set(notifier.tell("over", "All clear.", bad=False).values()) == {""}
    assert web.taken[1]["type"] == "success"


def test_the_double_does_the_same() -> None:
    notifier: Notifier = MemoryNotifier()
    assert notifier.tell("a", "b", bad=True) == {"one": "", "two": ""}


def test_one_that_refuses_is_named_without_its_secret_and_the_other_is_told(
    web: WebSink, post: MailSink, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    web.answer = 500
    answers = AppriseNotifier([web.url, post.url]).tell("title", "text", bad=True)
    assert answers["2 (E-Mail)"] == ""
    assert "500" in answers["1 (JSON)"]
    assert len(post.mails) == 1
    gone = f"json://ann:{TOKEN}@127.0.0.1:{free_ports(1)[0]}/{TOKEN}"
    (why,) = AppriseNotifier([gone]).tell("title", "text", bad=True).values()
    assert why != ""
    assert TOKEN not in str(answers) + why + caplog.text


def test_a_redirect_is_not_followed(web: WebSink) -> None:
    web.answer = 302
    (why,) = AppriseNotifier([web.url]).tell("title", "text", bad=True).values()
    assert why != ""
    assert web.paths == [f"/{TOKEN}/hook"]


def test_no_channel_tells_nobody() -> None:
    assert AppriseNotifier([]).tell("title", "text", bad=True) == {}


def test_urls_are_read_and_judged_without_their_secrets() -> None:
    urls = read_urls(f"# whom to tell\n\n json://localhost/{TOKEN} \nslak://{TOKEN}/b/c\nnonsense {TOKEN}\n")
    assert len(urls) == 3
    found = [str(problem) for problem in url_problems(urls, where="alerts")]
    assert len(found) == 2
    assert found[0].startswith("alerts: channel 2 (slak://…) is not a URL")
    assert found[1].startswith("alerts: channel 3 is not a URL")
    assert TOKEN not in "".join(found)
    assert AppriseNotifier(urls).channels == ("1 (JSON)",)


SPY = """
import json, os, sys
seen = {"hosts": set(), "home": set()}
home = os.path.expanduser("~")

def spy(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        seen["hosts"].add(str(arguments[1]))
    elif event == "socket.getaddrinfo":
        seen["hosts"].add(str(arguments[:2]))
    elif event in ("open", "os.listdir", "os.mkdir") and str(arguments[0]).startswith(home):
        seen["home"].add(str(arguments[0]))

sys.addaudithook(spy)
from triaged.backends.notify import AppriseNotifier
answers = AppriseNotifier(sys.argv[1:]).tell("title", "text", bad=True)
print(json.dumps({"answers": answers, "hosts": sorted(seen["hosts"]), "home": sorted(seen["home"])}))
"""


def test_nobody_else_is_spoken_to_and_the_home_folder_gives_nothing(
    web: WebSink, post: MailSink, tmp_path: Path
) -> None:
    """A configuration and a plugin of Apprise's own lie in the home folder: neither is read."""
    for folder in (".apprise", ".config/apprise"):
        (tmp_path / folder / "plugins").mkdir(parents=True)
        (tmp_path / folder / "apprise.conf").write_text(f"json://127.0.0.1:{web.port}/stranger\n")
        (tmp_path / folder / "plugins/evil.py").write_text("raise SystemExit('the plugin was loaded')\n")
    env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SPY), web.url, post.url],
        env={**env, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["answers"] == {"1 (JSON)": "", "2 (E-Mail)": ""}
    assert {path for path in said["home"] if "netrc" not in path} == set()  # requests looks for a .netrc
    wanted = {f"('127.0.0.1', {port})" for port in (web.port, post.port)}
    assert wanted <= set(said["hosts"])
    assert all("127.0.0.1" in host for host in said["hosts"]), said["hosts"]
    assert web.paths == [f"/{TOKEN}/hook"]
