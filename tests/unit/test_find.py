"""Searching the log: facets are never out of step, whoever changes what; a search finds what a slow look finds."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils.utils import sqlite3

from tests.desk import ACME, NOW, background, decided, lay_out_site, mail, open_log, raw
from triaged.decision import Decision
from triaged.loading import build_playbook
from triaged.log import alerts, forget, keep
from triaged.log.encode import to_ms
from triaged.log.find import SORTS, STATES, Effort, Found, Search, choices, every, find, words_of
from triaged.log.people import correct, put_accounts, set_done
from triaged.log.quarantine import mend
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.log.schema import migrations
from triaged.log.store import Log, connect
from triaged.log.undo import Change, bring_all_back, take_all_back
from triaged.model import Locator, Message
from triaged.playbook import Playbook

COMPLAINT = "I am very disappointed, the report is wrong again. This is unacceptable."


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    return build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))


@pytest.fixture(scope="module")
def case(playbook: Playbook) -> tuple[Message, Decision]:
    return decided(playbook, mail(COMPLAINT))


@pytest.fixture
def log(path: Path) -> Iterator[Log]:
    opened = open_log(path)
    with opened.transaction():
        put_accounts(opened, (ACME,))
    yield opened
    opened.close()


def recorded(log: Log, case: tuple[Message, Decision], key: str = "1") -> int:
    with log.transaction():
        return log.record(*case, Locator("desk", "inbox", key), now=NOW).row


def out_of_step(log: Log) -> list[tuple[str, str, int, int]]:
    """Rows that the table has and should not have, or the other way round."""
    columns = "kind, value, received_at, message"
    now, kept = (f"SELECT {columns} FROM {name}" for name in ("facet_now", "facet"))
    sql = f"SELECT * FROM ({kept} EXCEPT {now}) UNION ALL SELECT * FROM ({now} EXCEPT {kept})"
    return [tuple(row) for row in log.db.execute(sql).fetchall()]


def facets(log: Log, row: int) -> dict[str, set[str]]:
    """By kind, the values of a mail, as the table has them."""
    assert out_of_step(log) == []
    found: dict[str, set[str]] = {}
    for kind, value in log.db.execute("SELECT kind, value FROM facet WHERE message = ?", (row,)).fetchall():
        found.setdefault(kind, set()).add(value)
    return found


# --- in step -----------------------------------------------------------------------------------------------------


def test_a_mail_that_comes_in_has_its_facets(log: Log, case: tuple[Message, Decision]) -> None:
    row = recorded(log, case)
    kept = facets(log, row)
    fired = {rule.name for rule in case[1].rules if rule.fired}
    assert kept["category"] == set(case[1].verdict.chosen)
    assert kept["rule"] == fired
    assert len(fired) > 1
    assert (kept["account"], kept["mailbox"], kept["open"], kept["mail"]) == ({"C-1"}, {"desk"}, {""}, {""})
    assert "done" not in kept


def test_what_people_say_changes_them(log: Log, case: tuple[Message, Decision]) -> None:
    row = recorded(log, case)
    with log.transaction():
        correct(log, row, categories=("renewal", "billing"), account_id="", who="eva", now=NOW)
    kept = facets(log, row)
    assert (kept["category"], kept["account"], kept["sure"]) == ({"renewal", "billing"}, {""}, {"yes"})
    with log.transaction():
        correct(log, row, categories=(), account_id=None, who="eva", now=NOW)
        set_done(log, row, done=True, who="eva", now=NOW)
        log.db.execute("UPDATE message SET waiting_at = ?, assigned = 'lena' WHERE id = ?", (to_ms(NOW), row))
    kept = facets(log, row)
    assert (kept["category"], kept["done"], kept["owner"]) == ({"other"}, {""}, {"lena"})
    assert kept.keys().isdisjoint({"open", "waiting"})
    with log.transaction():
        set_done(log, row, done=False, who="eva", now=NOW)
    assert facets(log, row).keys() >= {"open", "waiting"}


def test_an_undo_changes_them_and_so_does_taking_it_back(
    log: Log, playbook: Playbook, case: tuple[Message, Decision]
) -> None:
    row, (message, decision) = recorded(log, case), case
    before = facets(log, row)
    rules = tuple(dataclasses.replace(rule, fired=False) for rule in decision.rules)
    without = dataclasses.replace(decision, rules=rules, verdict=dataclasses.replace(decision.verdict, chosen=()))
    change = Change({"categories": "[]", "assigned": "sofia"}, (), (), "", without, background(playbook, message))
    undo, _ = take_all_back(log, [(row, lambda standing: change)], rule="x", since=NOW, who="eva", words="", now=NOW)
    kept = facets(log, row)
    assert (kept["category"], kept["owner"], kept.get("rule")) == ({"other"}, {"sofia"}, None)
    bring_all_back(log, undo, [row], who="eva", now=NOW)
    assert facets(log, row) == before


def test_a_mail_out_of_quarantine_has_those_of_its_decision(log: Log, playbook: Playbook) -> None:
    octets = mail(COMPLAINT, number=3)
    with log.transaction():
        row = log.quarantine(raw(octets), key="k" * 32, cause="too slow", now=NOW).row
        other = log.quarantine(raw(octets, key="2"), key="j" * 32, cause="too slow", now=NOW).row
    assert facets(log, row) == {"mail": {""}, "mailbox": {"desk"}, "account": {""}, "quarantined": {""}}
    message, decision = decided(playbook, octets)
    known = background(playbook, message)
    with log.transaction():
        mend(log, row, message, decision, known, who="eva", now=NOW)
        mended = mend(log, other, message, decision, known, who="eva", now=NOW)
    assert mended is not None
    assert mended.copy
    assert facets(log, row)["rule"] == {rule.name for rule in decision.rules if rule.fired}
    assert facets(log, other) == {}


def test_a_mail_without_its_words_keeps_them_and_a_forgotten_name_is_in_none(
    log: Log, path: Path, case: tuple[Message, Decision]
) -> None:
    row = recorded(log, case)
    before = facets(log, row)
    with log.transaction():
        log.db.execute("UPDATE message SET account_id = 'bob@other.example' WHERE id = ?", (row,))
        keep.clear(log, [row], event="removed", why="", now=NOW)
    assert facets(log, row) == before | {"account": {"bob@other.example"}}
    held = forget.find(path, "bob@other.example")
    forget.erase(log, held, now=NOW)
    assert forget.remaining(path, held) == 0
    assert "bob@other.example" not in facets(log, row)["account"]


def test_our_own_test_mails_are_in_no_list(log: Log, reader: Reader, case: tuple[Message, Decision]) -> None:
    with log.transaction():
        alerts.put_canary(log, case[0].message_id, mailbox="desk", now=NOW)
    row = recorded(log, case)
    assert facets(log, row) == {}
    with log.transaction():
        alerts.mark_canaries(log, older=NOW + timedelta(days=1))
        while log.index_text(10) > 0:
            pass
    assert facets(log, row) == {}
    assert find(reader, Search(text="disappointed")).rows == ()


def test_a_log_of_an_earlier_version_gets_them(path: Path, case: tuple[Message, Decision]) -> None:
    path.parent.mkdir()
    earlier = connect(path)
    migrations.apply(earlier, stop_before="m012_find")
    with closing(Log(path.with_name("other.db"))) as other:
        recorded(other, case)
        for table in ("message", "decision"):
            [row] = other.db.query(f"SELECT * FROM {table}")
            earlier[table].insert(row)
    earlier.close()
    with closing(Log(path)) as log:
        assert facets(log, 1)["rule"] == {rule.name for rule in case[1].rules if rule.fired}


# --- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "match"),
    [
        ("late invoice", '"late" "invoice"'),
        ('"as soon as" possib*', '"as soon as" "possib"*'),
        ("C++ AND NOT (NEAR", '"C++" "AND" "NOT" "(NEAR"'),
        ('say "unfinished', '"say" "unfinished"'),
        ("subject:x -y ^z", '"subject:x" "-y" "^z"'),
        ('— ! "" *', None),
        ("", None),
    ],
)
def test_words_are_words_and_no_commands(typed: str, match: str | None) -> None:
    assert words_of(typed) == match


@given(st.text(st.sampled_from("ab \"*^-+():{}[]\\/'%_,;.~\0\u00e9\u4e2d\ud7ff\U0001f600ANDORT"), max_size=30))
def test_whatever_is_typed_is_no_error(typed: str) -> None:
    match = words_of(typed)
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE VIRTUAL TABLE t USING fts5 (x)")
        db.execute("INSERT INTO t VALUES (?)", (typed.replace("\0", " "),))
        if match is not None:
            assert db.execute("SELECT count(*) FROM t WHERE t MATCH ?", (match,)).fetchone() == (1,)


# --- what is found -------------------------------------------------------------------------------------------------

MAILS = 160
WORDS = ("invoice", "late", "upload", "scanner", "thanks")
DAYS = 12
TINY = Effort(counted=7, gathered=3, weighed=9, budget_us=300)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, case: tuple[Message, Decision]) -> Path:
    """A log of mails that differ in everything that can be asked for; several came at the same moment."""
    path, chance = tmp_path_factory.mktemp("library") / "state" / "triaged.db", random.Random(5)
    message, decision = case
    with closing(open_log(path)) as log:
        for number in range(MAILS):
            received = NOW - timedelta(days=chance.randrange(DAYS), hours=chance.randrange(3))
            words = " ".join(chance.sample(WORDS, 2))
            sent = dataclasses.replace(
                message, key=f"{number:032}", message_id=f"<{number}@x.example>", received=received, new_text=words
            )
            rules = tuple(dataclasses.replace(each, fired=chance.random() < 0.3) for each in decision.rules)
            with log.transaction():
                row = log.record(
                    sent,
                    dataclasses.replace(decision, message_key=sent.key, rules=rules),
                    Locator(chance.choice(("desk", "billing")), "inbox", str(number)),
                    now=NOW,
                ).row
                log.db.execute(
                    "UPDATE message SET categories = ?, account_id = ?, assigned = ?, sure = ?, automatic = ?, "
                    "due_at = ?, done_at = ?, waiting_at = ?, risk = ?, sender = ?, state = ?, answered_at = ? "
                    "WHERE id = ?",
                    (
                        chance.choice(("[]", '["complaint"]', '["complaint", "renewal"]', '["renewal"]')),
                        chance.choice((None, "C-1", "C-2")),
                        chance.choice(("", "lena", "marek")),
                        chance.randrange(2),
                        chance.choice(("person", "person", "hold", "machine")),
                        chance.choice((None, *(to_ms(NOW) + hours for hours in range(5)))),
                        chance.choice((None, None, to_ms(NOW))),
                        chance.choice((None, to_ms(NOW))),
                        chance.choice((None, 0.0, 0.5, 0.9)),
                        chance.choice(("Ann@acme.example", "bea@acme.example", "")),
                        chance.choice(("triaged",) * 8 + ("quarantined",)),
                        chance.choice((None, None, to_ms(NOW))),
                        row,
                    ),
                )
                log.db.execute(
                    "UPDATE effect SET state = ? WHERE message = ?", (chance.choice(("held", "done", "done")), row)
                )
        with log.transaction():
            assert log.index_text(1000) == MAILS
    return path


SEARCHES = st.builds(
    Search,
    category=st.sampled_from((None, None, "complaint", "renewal", "other", "unheard of")),
    account=st.sampled_from((None, None, "", "C-1")),
    mailbox=st.sampled_from((None, None, "desk")),
    rule=st.sampled_from((None, None, "Complaint")),
    owner=st.sampled_from((None, None, "lena")),
    state=st.sampled_from((None, None, *STATES)),
    sure=st.sampled_from((None, None, True, False)),
    since=st.sampled_from((None, NOW - timedelta(days=5))),
    until=st.sampled_from((None, NOW - timedelta(days=2), NOW - timedelta(days=8))),
    text=st.sampled_from(("", "", "invoice", "LATE upload", "scan*", "?")),
    sort=st.sampled_from(SORTS),
)


def fits(row: LogRow, search: Search, *, fired: set[str], waiting: bool, text: str) -> bool:
    """As plainly as it can be said."""
    triaged = row.state == "triaged"
    state = {
        None: True,
        "open": row.due is not None and row.done is None and row.answered is None,
        "waiting": waiting and row.done is None,
        "done": row.done is not None,
        "held": any(each == "held" for _, each in row.effects),
        "quarantined": row.state == "quarantined",
        "automatic": triaged and row.automatic != "person",
    }[search.state]
    categories = row.categories or (("other",) if triaged else ())
    wanted = [word.strip("*").lower() for word in search.text.split()]
    return (
        state
        and search.category in (None, *categories)
        and (search.account is None or search.account == (row.account_id or ""))
        and search.mailbox in (None, row.mailbox)
        and search.rule in (None, *fired)
        and search.owner in (None, row.assigned)
        and (search.sure is None or (triaged and row.sure == search.sure))
        and (search.since is None or row.received >= search.since)
        and (search.until is None or row.received < search.until)
        and "?" not in search.text
        and all(word in text for word in wanted)
    )


@pytest.fixture(scope="module")
def looked_at(library: Path) -> list[tuple[LogRow, set[str], bool, str]]:
    """Every mail, the newest first: its line, the rules that fired, whether we wait for somebody, its words."""
    found = []
    with closing(Reader(library)) as reader:
        waiting = {row[0] for row in reader.select("SELECT id FROM message WHERE waiting_at IS NOT NULL")}
        for row in reader.rows(limit=MAILS):
            decision, message = reader.decision(row.id), reader.message(row.id)
            assert decision is not None
            assert message is not None
            fired = {rule.name for rule in decision.rules if rule.fired}
            found.append((row, fired, row.id in waiting, message.new_text))
    return sorted(found, key=lambda each: (each[0].received, each[0].id), reverse=True)


def slowly(looked_at: list[tuple[LogRow, set[str], bool, str]], search: Search) -> list[LogRow]:
    """Every mail that fits, the newest first."""
    return [
        row for row, fired, waiting, text in looked_at if fits(row, search, fired=fired, waiting=waiting, text=text)
    ]


KEYS = {
    "newest": lambda row: (-row.received.timestamp(), -row.id),
    "oldest": lambda row: (row.received.timestamp(), row.id),
    "due": lambda row: (row.due.timestamp() if row.due is not None else float("inf"), row.id),
    "risk": lambda row: (-row.risk if row.risk is not None else 1, -row.id),
    "sender": lambda row: (row.sender.lower(), row.id),
}


def walked(reader: Reader, search: Search, effort: Effort) -> list[Found]:
    """All pages, by the way forward."""
    pages = [find(reader, search, limit=5, effort=effort)]
    while pages[-1].after is not None:
        pages.append(find(reader, search, limit=5, after=pages[-1].after, effort=effort))
        assert len(pages) < 4 * MAILS
    return pages


@settings(deadline=None, max_examples=150)
@given(search=SEARCHES, effort=st.sampled_from((Effort(), TINY)))
def test_a_search_finds_what_a_slow_look_finds(library: Path, looked_at: Any, search: Search, effort: Effort) -> None:
    with closing(Reader(library)) as reader:
        wanted = slowly(looked_at, search)
        pages = walked(reader, search, effort)
        found = [row for page in pages for row in page.rows]
        first = pages[0]
        assert first.count <= len(wanted)
        if first.exact:
            assert first.count == len(wanted)
        if search.sort in ("newest", "oldest") or first.exact:
            assert [row.id for row in found] == [row.id for row in sorted(wanted, key=KEYS[search.sort])]
        else:
            newest = wanted[: first.count]
            assert [row.id for row in found] == [row.id for row in sorted(newest, key=KEYS[search.sort])]
        last = pages[-1]
        back: list[LogRow] = []
        while last.before is not None:
            last = find(reader, search, limit=5, before=last.before, effort=effort)
            back = [*last.rows, *back]
        assert [row.id for row in back] == [row.id for row in found[: len(back)]]
        if len(pages[-1].rows) > 0:
            assert len(back) == len(found) - len(pages[-1].rows)


def test_with_little_work_a_page_says_how_far_it_looked(library: Path) -> None:
    with closing(Reader(library)) as reader:
        pages = walked(reader, Search(category="renewal", account="C-2", owner="marek", sure=True), TINY)
    short = [page for page in pages if page.looked_to is not None]
    assert len(short) > 0
    assert all(page.after is not None and not page.exact for page in short)


def test_all_of_a_search_up_to_a_limit(library: Path, looked_at: Any) -> None:
    with closing(Reader(library)) as reader:
        wanted = [row.id for row in slowly(looked_at, Search(category="complaint"))]
        assert [row.id for row in every(reader, Search(category="complaint"), limit=1000, page=7)] == wanted
        assert [row.id for row in every(reader, Search(category="complaint"), limit=10, page=7)] == wanted[:10]
        assert len(wanted) > 20


def test_choices_are_what_there_is(library: Path) -> None:
    with closing(Reader(library)) as reader:
        assert choices(reader, "category") == ("complaint", "other", "renewal")
        assert choices(reader, "owner") == ("lena", "marek")


def test_a_place_that_is_not_there_is_named(library: Path) -> None:
    with closing(Reader(library)) as reader:
        for sort in SORTS:
            with pytest.raises(ValueError, match="there is no mail 999 to go on from"):
                find(reader, Search(sort=sort), after=999)
