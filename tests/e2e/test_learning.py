"""Learning on a whole site: said, measured, promoted, taken by the running worker, undone; damage is told."""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.e2e.site import Site, mail, make_site, running, wait_for
from triaged.errors import Transient
from triaged.log.labels import labels, learning, told
from triaged.log.people import correct
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.worker.beats import Beats
from triaged.worker.learner import Learner, learn_if_due
from triaged.worker.timers import TimerSurroundings
from triaged.worker.writer import Writer

TEXTS = (
    "Good day,\n\nplease send us the figures of March by Friday.\n\nAnn\n",
    "Good day,\n\nthis is the third time that the delivery came late. We are very disappointed.\n\nAnn\n",
)
EVERY = "\n[learn]\nreview_percent = 100\nevery_days = 7\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Twelve mails of people, every one drawn for review, and one of a machine."""
    made = make_site(tmp_path_factory.mktemp("learning") / "site")
    made.config.write_text(made.config.read_text(encoding="utf-8") + EVERY, encoding="utf-8")
    for number in range(12):
        made.drop(str(number), mail(f"Mail {number}", TEXTS[number % 2]))
    made.drop("robot", mail("A robot", more="Auto-Submitted: auto-generated\n"))
    made.run_once()
    return made


def objects(site: Site, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    done = site.triaged(*arguments, "--json")
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def said(site: Site, *arguments: str, code: int = 0) -> str:
    done = site.triaged(*arguments)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def digests(site: Site) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(site.folder.rglob("*"))
        if path.is_file()
    }


def test_the_whole_way(site: Site) -> None:
    assert len(objects(site, "log", "--review")) == 12  # not the machine's
    number = str(site.rows()[0].id)
    assert "only 0 mails have a label" in said(site, "train", "--from-log", code=1)
    assert "not both" in said(site, "correct", number, "--right", "--category", "other", code=1)
    for row in site.rows():
        if row.subject != "A robot":
            right = "complaint" if int(row.subject.split()[1]) % 2 else "request"
            with_log = Log(site.folder / "state/triaged.db")
            with with_log.transaction():
                correct(with_log, row.id, categories=(right,), account_id=None, who="eva", now=datetime.now(UTC))
            with_log.close()
    assert "is confirmed" in said(site, "correct", site.rows()[1].reference, "--right")
    assert objects(site, "log", "--review") == []
    stand = objects(site, "status", code=1)[0]["learning"]
    assert (stand["to_review"], stand["reviewed"], stand["labels"], stand["new_labels"]) == (0, 12, 12, 12)
    assert "drawn for review: 0 to look at" in said(site, "status", code=1)

    before = digests(site)
    [measured] = objects(site, "train", "--from-log", "--quick", "--dry-run")
    assert (measured["dry_run"], measured["promoted"]) == (True, None)
    assert measured["site"]["champion"]["mails"] == 2
    assert "challenger" in said(site, "train", "--from-log", "--quick", "--dry-run")
    assert digests(site) == before

    [first] = objects(site, "train", "--from-log", "--quick")
    models = objects(site, "model", "list")
    assert first["promoted"] is not None, first["against"]
    assert [each["model"] for each in models if each["in_use"]] == [first["promoted"]]
    own = next(each for each in models if each["in_use"])
    assert own["rows"]["corrected"] + own["rows"]["confirmed"] == 12
    assert (own["kind"], own["parent"]) == ("adjust", "shipped")
    stand = objects(site, "status", code=1)[0]["learning"]
    assert first["promoted"] in stand["outcome"]
    assert stand["new_labels"] == 12  # the text model has not learned them
    assert "in use" in said(site, "model", "list")

    before = digests(site)
    [compared] = objects(site, "model", "compare", "shipped", "--since", "1d")
    assert compared["past"]["mails"] == 13
    assert compared["champion"] == first["promoted"]
    assert digests(site) == before
    words = said(site, "model", "compare", "shipped", first["promoted"])
    assert "Of 13 mails of the last 90d" in words
    assert f"model {first['promoted']} has learned from some" in words
    assert "there is no model abcdef" in said(site, "model", "use", "abcdef", code=1)

    with running(site):
        model_id = wait_for(lambda: loaded(site), "the worker says what it loaded")
        assert model_id == first["promoted"]
        assert "within seconds" in said(site, "model", "use", "shipped")
        wait_for(lambda: loaded(site) == first["champion"], "the shipped model is taken")
        said(site, "model", "use", first["promoted"])
        wait_for(lambda: loaded(site) == first["promoted"], "and the other again")
        (site.folder / "state/models" / first["promoted"] / "weights.npz").write_bytes(b"damaged")
        (site.folder / "state/models/use.json").touch()
        wait_for(lambda: trouble(site), "the damage is told")
        assert "the one that ships decides" in trouble(site)
        site.drop("late", mail("Late", TEXTS[0]))
        wait_for(lambda: site.ended("Late"), "mail is judged all the same")
        wait_for(lambda: objects(site, "alerts", "list"), "an alarm is raised")
        assert "triaged model use" in objects(site, "alerts", "list")[0]["words"]


def loaded(site: Site) -> str:
    with closing(site.reader()) as reader:
        return next((row.detail for row in reader.health() if row.part == "model" and row.state == "ok"), "")


def trouble(site: Site) -> str:
    with closing(site.reader()) as reader:
        return next((row.detail for row in reader.health() if row.part == "model" and row.state == "trouble"), "")


# --- the worker's job -----------------------------------------------------------------------------------------------


class Bench:
    """A copy of the site's log, with a writer and a clock of its own, as the job sees them."""

    def __init__(self, path: Path) -> None:
        self.path, self.stop, self.beats = path, Event(), Beats()
        self.now = datetime.now(UTC)
        self.writer = Writer(path, beats=self.beats)
        self.around = TimerSurroundings(path, self.writer, self.stop, self.beats, lambda *_: None, lambda: self.now)

    def learn(self, *command: str) -> None:
        with closing(Reader(self.path)) as reader:
            learn_if_due(Learner(command, timedelta(days=7)), self.around, reader)

    def tell(self, name: str) -> None:
        log = Log(self.path)
        with log.transaction():
            told(log, name, "as it came out", now=self.now)
        log.close()


@pytest.fixture
def bench(site: Site, tmp_path: Path) -> Bench:
    path = tmp_path / "state/triaged.db"
    path.parent.mkdir()
    log = Log(path)
    source = site.folder / "state/triaged.db"
    log.close()
    path.write_bytes(source.read_bytes())
    with closing(Reader(path)) as reader:
        assert len(labels(reader)) == 12
    return Bench(path)


def test_the_worker_trains_when_enough_is_new_and_not_before_its_days_are_over(bench: Bench, tmp_path: Path) -> None:
    did = tmp_path / "did"
    note = (sys.executable, "-c", f"import pathlib; pathlib.Path({str(did)!r}).touch()")

    def trains() -> bool:
        did.unlink(missing_ok=True)
        bench.learn(*note)
        return did.exists()

    assert trains()
    bench.tell("learn.refused")
    assert not trains()  # nothing is new
    log = Log(bench.path)
    with log.transaction():
        for label in labels(Reader(bench.path))[:10]:
            later = bench.now + timedelta(hours=1)
            correct(log, label.row, categories=("request",), account_id=None, who="eva", now=later)
    log.close()
    bench.now += timedelta(days=6)
    assert not trains()
    bench.now += timedelta(days=2)
    assert trains()
    with closing(Reader(bench.path)) as reader:
        assert learning(reader).new == 10
    bench.tell("learn.promoted")
    assert not trains()


def test_a_training_that_fails_says_why(bench: Bench) -> None:
    with pytest.raises(Transient, match="no room"):
        bench.learn(sys.executable, "-c", "import sys; sys.exit('no room')")


def test_a_training_ends_with_the_service(bench: Bench) -> None:
    working = Thread(target=bench.learn, args=(sys.executable, "-c", "import signal; signal.pause()"))
    working.start()
    bench.stop.set()
    working.join(10)
    assert not working.is_alive()
