"""The worker's small parts: progress and cursor, waits between tries, beats, sd_notify."""

from __future__ import annotations

import queue
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import RetryError

from tests.desk import open_log
from tests.doubles.mailbox import MemoryMailbox
from triaged.errors import LoginRefused, Permanent, Transient, TriagedError
from triaged.log.read import Reader
from triaged.model import Listed, Raw
from triaged.worker import systemd
from triaged.worker.beats import Beats
from triaged.worker.progress import Progress
from triaged.worker.retry import LONGEST_WAIT_S, REFUSED_WAIT_S, patiently, wait_after_s
from triaged.worker.service import utc_now
from triaged.worker.watch import Surroundings, Watched, look
from triaged.worker.writer import Writer


def pages(*each: str) -> list[Listed]:
    """A page a word: its letters are the keys, the word with a colon the cursor."""
    return [Listed(tuple(word), f"{word}:") for word in each]


def test_the_cursor_stops_before_the_first_gap() -> None:
    progress = Progress()
    assert progress.hand_out(pages("1", "2", "3", "4"), "1234") == ("1", "2", "3", "4")
    assert progress.hand_out(pages("34", "5"), "345") == ("5",)
    progress.committed("2")
    progress.committed("3")
    assert progress.take_reached() is None
    progress.committed("1")
    assert progress.take_reached() == "3:"
    assert progress.take_reached() is None


def test_a_page_is_covered_when_all_its_keys_are_and_those_before() -> None:
    progress = Progress()
    progress.hand_out(pages("ab", "cd"), "abcd")
    for key in "bdc":
        progress.committed(key)
        assert progress.take_reached() is None
    progress.committed("a")
    assert progress.take_reached() == "cd:"


def test_a_page_without_news_moves_the_cursor_once_nothing_is_under_way() -> None:
    progress = Progress()
    assert progress.hand_out(pages("ab"), "") == ()
    assert progress.take_reached() == "ab:"
    assert progress.hand_out(pages("ab"), "") == ()
    assert progress.take_reached() is None, "no news: nothing is written"
    progress.hand_out(pages("c"), "c")
    progress.hand_out(pages("c", "x"), "c")
    assert progress.take_reached() is None
    progress.committed("c")
    assert progress.take_reached() == "x:"


def test_what_was_taken_back_holds_up_the_cursor_and_is_handed_out_again() -> None:
    progress = Progress()
    progress.hand_out(pages("1", "2", "3"), "123")
    progress.take_back(["1", "9"])
    progress.committed("2")
    assert progress.take_reached() is None
    assert progress.hand_out(pages("1", "3"), "13") == ("1",)
    progress.committed("1")
    assert progress.take_reached() == "2:"


def test_what_was_taken_back_and_is_gone_holds_up_nothing() -> None:
    progress = Progress()
    progress.hand_out(pages("1", "2"), "12")
    progress.take_back(["1"])
    assert progress.hand_out(pages("2"), "2") == ()
    progress.committed("2")
    assert progress.take_reached() == "2:"


def test_the_last_of_a_page_that_is_gone_does_not_take_its_cursor_along() -> None:
    progress = Progress()
    progress.hand_out(pages("12"), "12")
    progress.take_back(["2"])
    progress.hand_out([], "")
    progress.committed("1")
    assert progress.take_reached() == "12:"


@given(st.permutations(range(8)), st.sets(st.integers(0, 7)), st.sampled_from([1, 3, 8]))
def test_a_cursor_never_covers_a_key_without_a_row(order: list[int], failing: set[int], size: int) -> None:
    progress = Progress()
    listed = [tuple(str(key) for key in range(8)[start : start + size]) for start in range(0, 8, size)]
    progress.hand_out([Listed(keys, keys[-1]) for keys in listed], [str(number) for number in range(8)])
    done: set[int] = set()
    for number in order:
        if number in failing:
            progress.take_back([str(number)])
        else:
            progress.committed(str(number))
            done.add(number)
        reached = progress.take_reached()
        assert reached is None or set(range(int(reached) + 1)) <= done


def test_waits_grow_and_heed_the_server() -> None:
    waits = [wait_after_s(Transient("busy"), attempt) for attempt in range(1, 12)]
    assert waits[0] < 3
    assert all(later >= earlier - 1 for earlier, later in pairwise(waits))
    assert LONGEST_WAIT_S <= waits[-1] <= LONGEST_WAIT_S + 1
    assert wait_after_s(Transient("busy", retry_after_s=42), 1) == 42
    assert wait_after_s(LoginRefused("no"), 1) == REFUSED_WAIT_S


def test_trying_patiently_ends_with_success_or_with_stop() -> None:
    stop, told = Event(), []
    answers = iter([Transient("one", retry_after_s=0), Permanent("two")])

    def attempt() -> str:
        error = next(answers, None)
        if isinstance(error, Permanent):
            stop.set()
        if error is not None:
            raise error
        return "done"

    with pytest.raises(RetryError):
        patiently(stop, TriagedError, lambda error, wait_s: told.append((str(error), wait_s)))(attempt)
    assert told == [("one", 0)]
    assert patiently(Event(), Transient, lambda *_: None)(attempt) == "done"


def test_beats_name_the_silent() -> None:
    beats = Beats()
    beats.beat("a")
    beats.beat("b")
    assert beats.silent(60) == ()
    assert beats.silent(0) == ("a", "b")
    beats.retire("a")
    beats.retire("a")
    assert beats.silent(0) == ("b",)


@pytest.mark.parametrize("abstract", [False, True])
def test_notify_reaches_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    name = f"\0triaged-test-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name)
        monkeypatch.setenv("NOTIFY_SOCKET", name.replace("\0", "@"))
        assert systemd.notify("READY=1")
        assert receiver.recv(100) == b"READY=1"
        assert systemd.reloading()
        assert receiver.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert not systemd.notify("READY=1") or abstract
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert not systemd.notify("READY=1")


def test_the_watchdog_is_fed_three_times_as_often_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert systemd.watchdog_interval_s() is None
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert systemd.watchdog_interval_s() == 10
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert systemd.watchdog_interval_s() is None


def test_the_writer_goes_on_after_a_transaction_that_failed(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "state" / "triaged.db", beats=Beats())
    thread = Thread(target=writer.run)
    thread.start()
    writer.opened.result(timeout=10)
    now = datetime(2026, 11, 17, tzinfo=UTC)
    bad = writer.submit(lambda rows: rows.db.execute("SELECT nothing FROM nowhere"))
    good = writer.submit(lambda rows: rows.set_cursor("desk", "INBOX", "7", now=now))
    assert bad.exception(timeout=10) is not None
    assert good.exception(timeout=10) is None
    broken = writer.submit(lambda rows: rows.db.execute("COMMIT"))  # the group's own COMMIT then has nothing to commit
    broken.exception(timeout=10)
    after = writer.submit(lambda rows: rows.set_cursor("desk", "INBOX", "8", now=now))
    assert after.exception(timeout=10) is None
    writer.close()
    thread.join(timeout=10)
    assert not thread.is_alive()
    with closing(Reader(tmp_path / "state" / "triaged.db")) as reader:
        assert reader.cursor("desk", "INBOX") == "8"


def test_a_log_that_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "triaged.db").write_bytes(b"this is no database, it is a letter to my aunt" * 100)
    writer = Writer(tmp_path / "triaged.db", beats=Beats())
    writer.run()
    with pytest.raises(Permanent, match=r"triaged\.db cannot be opened: file is not a database"):
        writer.opened.result()


def test_what_a_fault_of_ours_interrupts_is_handed_out_again(tmp_path: Path) -> None:
    class Faulty(MemoryMailbox):
        def fetch(self, keys: Sequence[str]) -> Iterator[Raw]:
            raise KeyError("www-authenticate")

    path = tmp_path / "triaged.db"
    open_log(path).close()
    mailbox, progress = Faulty(), Progress()
    mailbox.deliver(b"Subject: 1\r\n\r\n")
    around = Surroundings(path, queue.Queue(), Writer(path, beats=Beats()), Event(), Beats(), lambda *_: None, utc_now)
    with closing(Reader(path)) as reader:
        for _ in range(2):
            with pytest.raises(KeyError):
                look(Watched(mailbox, 1, progress), around, reader)


def test_a_start_that_takes_long_is_not_taken_for_one_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        begun: Future[None] = Future()
        waiting = Thread(target=systemd.still_starting, args=(begun,), kwargs={"every_s": 0.05})
        waiting.start()
        assert told.recv(1000).startswith(b"EXTEND_TIMEOUT_USEC=150000\n")
        begun.set_result(None)
        waiting.join(10)
        assert not waiting.is_alive()


def test_a_start_that_fails_says_why() -> None:
    begun: Future[None] = Future()
    begun.set_exception(TimeoutError("the disk does not answer"))
    with pytest.raises(TimeoutError, match="disk"):
        systemd.still_starting(begun, every_s=0.05)
