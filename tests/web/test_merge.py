"""Merging and splitting accounts: what moves, what stays, and that undoing it puts back exactly what was."""

from __future__ import annotations

import dataclasses
import html
import json
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.desk import ACME, decided, lay_out_site, mail
from tests.web.site import Browser, browsing, mails
from tests.web.test_accounts import audited, put, stored
from triaged.accounts.difference import canonical, digest
from triaged.accounts.together import merged, parted, put_back
from triaged.errors import Gone, Permanent
from triaged.loading import build_playbook
from triaged.log import forget
from triaged.log.accountrows import account_now
from triaged.log.encode import to_ms
from triaged.log.merges import merge, merges, split, undo
from triaged.log.people import correct, put_accounts
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Account, Contact, Contract, Locator
from triaged.settings import Config
from triaged.wire import log_path

NOW = datetime(2026, 11, 17, 8, 0, tzinfo=UTC)
HELLWEG, BRANDSTETTER = "C-102", "C-101"


def owners(config: Config) -> dict[int, str | None]:
    """The account of each mail."""
    with closing(Reader(log_path(config))) as reader:
        return {row.id: row.account_id for row in reader.rows(limit=1000)}


def accounts(config: Config) -> tuple[Account, ...]:
    with closing(Reader(log_path(config))) as reader:
        return reader.accounts()


def merge_by_page(browser: Browser, gone: str = HELLWEG, into: str = BRANDSTETTER, *, config: Config) -> str:
    seen = digest(stored(config, gone), stored(config, into))
    return html.unescape(browser.post(f"/accounts/{gone}/merge", into=into, seen=seen).text)


@pytest.fixture
def mona(site: Config) -> Iterator[Browser]:
    with browsing(site, "mona") as browser:
        yield browser


# --- by the pages --------------------------------------------------------------------------------------------------


def test_the_preview_counts_what_moves(mona: Browser, site: Config) -> None:
    before = owners(site)
    page = html.unescape(mona.get("/accounts/C-102/merge?into=C-101").text)
    row = page.split("Spedition Hellweg & Sohn KG (C-102)")[1].split("</tr>")[0]
    assert f'data-name="Mails">{sum(each == HELLWEG for each in before.values())}<' in row
    assert 'data-name="Calls">1<' in row
    assert 'data-name="Contacts">2<' in row
    assert "hellweg-spedition.example" in page.split('id="comes"')[1].split("</section>")[0]
    assert "tier silver" in page.split('id="unkept"')[1]
    assert owners(site) == before
    assert accounts(site) == accounts(site)


def test_the_other_account_is_found_by_words_of_its_name(mona: Browser) -> None:
    page = mona.get("/accounts/C-102/merge?into=maschinen").text
    assert '/accounts/C-102/merge?into=C-101"' in page
    assert "No account fits" in mona.get("/accounts/C-102/merge?into=zzz").text
    assert "into=C-102" not in mona.get("/accounts/C-102/merge?into=hellweg").text, "never into itself"


def test_a_merge_moves_all_and_undoing_it_brings_all_back(mona: Browser, site: Config) -> None:
    known, owned = accounts(site), owners(site)
    with closing(Reader(log_path(site))) as reader:
        revision = reader.accounts_revision()
        calls = reader.select("SELECT uid, message, state FROM call ORDER BY uid")
        effects = reader.select("SELECT id, payload, state FROM effect ORDER BY id")
        decisions = reader.select("SELECT id, decision, background FROM decision ORDER BY id")
    moved = sum(each == HELLWEG for each in owned.values())
    assert moved > 2
    assert f"{moved} mails moved" in merge_by_page(mona, config=site)
    assert HELLWEG not in owners(site).values()
    assert sum(each == BRANDSTETTER for each in owners(site).values()) == moved + sum(
        each == BRANDSTETTER for each in owned.values()
    )
    assert stored(site, BRANDSTETTER) == merged(*(each for each in known if each.account_id in (BRANDSTETTER, HELLWEG)))
    assert {each.account_id for each in accounts(site)} == {each.account_id for each in known} - {HELLWEG}
    with closing(Reader(log_path(site))) as reader:
        assert reader.accounts_revision() > revision
        assert reader.select("SELECT uid, message, state FROM call ORDER BY uid") == calls
        assert reader.select("SELECT id, payload, state FROM effect ORDER BY id") == effects
        assert reader.select("SELECT id, decision, background FROM decision ORDER BY id") == decisions
        (done,) = merges(reader, limit=9)
    gone = mona.get("/accounts/C-102")
    assert gone.status_code == 404
    assert 'href="/accounts/C-101"' in gone.text
    page = mona.post(f"/accounts/merges/{done.id}/undo").text
    assert f"{moved} mails went back" in page
    assert accounts(site) == known
    assert owners(site) == owned
    assert "undone by mona" in mona.get("/accounts/merges").text
    again = mona.post(f"/accounts/merges/{done.id}/undo")
    assert "It was not undone: it was undone already" in again.text
    assert sorted((each.what, each.about) for each in audited(site)) == sorted(
        (what, about) for what in ("account.merge", "account.undo") for about in (HELLWEG, BRANDSTETTER)
    )


def test_a_merge_of_accounts_that_were_changed_meanwhile_is_shown_anew(mona: Browser, site: Config) -> None:
    seen = digest(stored(site), stored(site, BRANDSTETTER))
    put(site, dataclasses.replace(stored(site), addresses=("new@hellweg.example",)))
    response = mona.post("/accounts/C-102/merge", into=BRANDSTETTER, seen=seen)
    assert response.status_code == 409
    assert "new@hellweg.example" in response.text.split('id="comes"')[1]
    assert stored(site).account_id == HELLWEG


def test_only_managers_merge_split_and_undo(site: Config, mona: Browser) -> None:
    merge_by_page(mona, config=site)
    with browsing(site, "carl") as carl:
        assert "a manager can" in carl.get("/accounts/merges").text
        for path in ("/accounts/C-103/merge", "/accounts/C-103/split"):
            assert carl.get(path).status_code == 403
            assert path not in carl.get("/accounts/C-103").text
            assert carl.post(path, into="C-104", seen="", new_id="N", name="N", take="x").status_code == 403
        assert carl.post("/accounts/merges/1/undo").status_code == 403
    assert len(accounts(site)) == 19


def test_mails_that_came_later_or_were_corrected_stay(mona: Browser, site: Config) -> None:
    owned = owners(site)
    merge_by_page(mona, config=site)
    theirs = [row for row, owner in owned.items() if owner == HELLWEG]
    with closing(Log(log_path(site))) as log, log.transaction():
        now = datetime.now(UTC)
        correct(log, theirs[0], categories=None, account_id="C-103", who="carl", now=now)
        correct(log, theirs[1], categories=None, account_id="C-103", who="carl", now=now)
        correct(log, theirs[1], categories=None, account_id=BRANDSTETTER, who="carl", now=now)
        correct(log, theirs[2], categories=("renewal",), account_id=None, who="carl", now=now)
        later = next(row for row, owner in owned.items() if owner is None)
        log.db.execute("UPDATE message SET account_id = ? WHERE id = ?", (BRANDSTETTER, later))
    page = mona.post("/accounts/merges/1/undo").text
    assert f"{len(theirs) - 2} mails went back; 2 stayed" in page
    after = owners(site)
    assert after[theirs[0]] == "C-103"
    assert after[theirs[1]] == BRANDSTETTER, "a person said so after the merge"
    assert after[theirs[2]] == HELLWEG, "a person said something else of it"
    assert after[later] == BRANDSTETTER


def test_an_account_whose_contact_was_changed_since_is_not_put_back(mona: Browser, site: Config) -> None:
    known = stored(site)
    merge_by_page(mona, config=site)
    now = stored(site, BRANDSTETTER)
    put(site, dataclasses.replace(now, contacts=tuple(each for each in now.contacts if each not in known.contacts[:1])))
    before = accounts(site), owners(site)
    page = mona.post("/accounts/merges/1/undo").text
    assert "It was not undone: C-101 was changed since, in what it took over: contacts." in page
    assert "split the account by hand" in page
    assert (accounts(site), owners(site)) == before


def test_what_was_changed_since_and_has_nothing_to_do_with_it_stays(mona: Browser, site: Config) -> None:
    known = {each.account_id: each for each in accounts(site)}
    merge_by_page(mona, config=site)
    now = stored(site, BRANDSTETTER)
    new = Contact("new@brandstetter.example", "New")
    put(site, dataclasses.replace(now, tier="platinum", contacts=(*now.contacts, new)))
    assert "went back" in mona.post("/accounts/merges/1/undo").text
    was = known[BRANDSTETTER]
    assert stored(site, BRANDSTETTER) == canonical(
        dataclasses.replace(was, tier="platinum", contacts=(*was.contacts, new))
    )
    assert stored(site) == known[HELLWEG]


def test_an_account_that_an_import_brought_back_stays_as_it_is(mona: Browser, site: Config) -> None:
    owned, known = owners(site), stored(site, BRANDSTETTER)
    merge_by_page(mona, config=site)
    put(site, Account(HELLWEG, "Hellweg, imported"))
    assert "went back" in mona.post("/accounts/merges/1/undo").text
    assert stored(site).name == "Hellweg, imported"
    assert stored(site, BRANDSTETTER) == known
    assert owners(site) == owned


def test_of_two_merges_in_a_row_the_later_is_undone_first(mona: Browser, site: Config) -> None:
    before = accounts(site), owners(site)
    merge_by_page(mona, config=site)
    merge_by_page(mona, BRANDSTETTER, "C-103", config=site)
    assert (
        "C-101 was itself made part of another account since; undo that first"
        in mona.post("/accounts/merges/1/undo").text
    )
    for number in (2, 1):
        assert "was undone" in mona.post(f"/accounts/merges/{number}/undo").text
    assert (accounts(site), owners(site)) == before


def test_a_split_takes_the_mails_of_its_people_and_can_be_undone(mona: Browser, site: Config) -> None:
    before = accounts(site), owners(site)
    with closing(Reader(log_path(site))) as reader:
        senders = {row.id: row.sender for row in reader.rows(limit=1000, account_id=HELLWEG)}
    kaya = [row for row, sender in senders.items() if sender == "a.kaya@hellweg-spedition.example"]
    assert 0 < len(kaya) < len(senders)
    query = "new_id=C-900&name=Hellweg Nord&take=a.kaya@hellweg-spedition.example&take=contract:NL-2022-0102"
    page = html.unescape(mona.get(f"/accounts/C-102/split?{query}").text)
    assert f"{len(kaya)} mail" in page.split('id="would"')[1]
    fields = {
        "new_id": "C-900",
        "name": "Hellweg Nord",
        "take": ["a.kaya@hellweg-spedition.example", "contract:NL-2022-0102"],
        "seen": digest(stored(site)),
    }
    assert "was split off from" in mona.post("/accounts/C-102/split", **fields).text  # type: ignore[arg-type]
    new = stored(site, "C-900")
    assert [each.addr_spec for each in new.contacts] == ["a.kaya@hellweg-spedition.example"]
    assert [each.number for each in new.contracts] == ["NL-2022-0102"]
    assert (new.tier, new.manager) == ("silver", "marek")
    assert {row for row, owner in owners(site).items() if owner == "C-900"} == set(kaya)
    again = mona.post("/accounts/C-102/split", **fields)  # type: ignore[arg-type]
    assert "was changed since you looked at it" in again.text
    assert f"{len(kaya)} mails went back" in mona.post("/accounts/merges/1/undo").text
    assert (accounts(site), owners(site)) == before


def test_a_split_account_that_was_changed_since_is_merged_instead(mona: Browser, site: Config) -> None:
    with closing(Log(log_path(site))) as log, log.transaction():
        left, new = parted(stored(site), account_id="C-900", name="Nord", taken=["d.hellweg@hellweg-spedition.example"])
        split(log, left, new, who="mona", now=datetime.now(UTC))
    put(site, dataclasses.replace(stored(site, "C-900"), tier="gold"))
    page = mona.post("/accounts/merges/1/undo").text
    assert "C-900 was changed since. To keep what is new in it, merge it into C-102 instead" in page
    assert stored(site, "C-900").tier == "gold"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("new_id=C-101&name=X&take=hellweg-spedition.example", "there is an account C-101 already"),
        ("new_id=&name=X&take=hellweg-spedition.example", "both are needed"),
        ("new_id=C-900&name=X", "Tick at least one"),
    ],
)
def test_a_split_says_what_is_missing(mona: Browser, query: str, sentence: str) -> None:
    response = mona.get(f"/accounts/C-102/split?{query}")
    assert response.status_code == 422
    assert sentence in response.text


# --- in the log ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """An empty log, emptied again by each example."""
    with closing(Log(tmp_path_factory.mktemp("merge") / "triaged.db")) as log:
        yield log


def read(log: Log) -> tuple[tuple[Account, ...], dict[int, str | None]]:
    path = Path(log.db.execute("PRAGMA database_list").fetchone()[2])
    with closing(Reader(path)) as reader:
        return reader.accounts(), dict(reader.select("SELECT id, account_id FROM message"))  # type: ignore[arg-type]


EMPTY = "reference state mailbox message_id sender_name subject automatic language priority new_text parsed".split()


def lay(log: Log, known: tuple[Account, ...], owned: list[tuple[str | None, str]]) -> None:
    """Nothing but these accounts and mails (owner, sender)."""
    with log.transaction():
        for table in ("account_merge", "alias", "contact", "contract", "account", "correction", "message"):
            log.db.execute(f"DELETE FROM {table}")
        put_accounts(log, known)
        for number, (owner, sender) in enumerate(owned, start=1):
            row = dict.fromkeys(EMPTY, "")
            log.insert(
                "message",
                row
                | {"id": number, "key": str(number), "account_id": owner, "sender": sender, "categories": "[]"}
                | {"received_at": number, "logged_at": number, "sure": 1},
            )


WORDS = st.sampled_from(["", "x", "y", "z"])
DOMAINS = ["one.example", "two.example", "three.example", "four.example"]
SPECS = [f"{name}@{domain}" for name in ("ann", "bob") for domain in (*DOMAINS, "gmail.com")]


def some(values: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=3).map(tuple)


@st.composite
def account(draw: st.DrawFn, account_id: str) -> Account:
    contacts = draw(some(SPECS))
    numbers = draw(some(["", "N-1", "N-2", "N-3"]))
    ends = st.sampled_from([None, date(2027, 1, 31), date(2027, 2, 28)])
    return canonical(
        Account(
            account_id,
            draw(st.sampled_from(["Acme", "Bolt", "Corvane"])),
            domains=draw(some(DOMAINS)),
            addresses=draw(some(SPECS)),
            contacts=tuple(Contact(each, draw(WORDS)) for each in contacts),
            manager=draw(WORDS),
            tier=draw(WORDS),
            contracts=tuple(Contract(each, draw(ends)) for each in numbers),
            timezone=draw(WORDS),
            language=draw(WORDS),
            hours=draw(WORDS),
            country=draw(WORDS),
        )
    )


IDS = ["A", "B", "C", "D"]
KNOWN = st.tuples(*(account(each) for each in IDS))
OWNED = st.lists(st.tuples(st.sampled_from([*IDS, None]), st.sampled_from([*SPECS, ""])), max_size=12)
AGAIN = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@AGAIN
@given(known=KNOWN, owned=OWNED, seed=st.integers(0, 10_000), rounds=st.integers(1, 3))
def test_merges_undone_in_turn_give_back_exactly_what_was(
    ground: Log, known: tuple[Account, ...], owned: list[tuple[str | None, str]], seed: int, rounds: int
) -> None:
    lay(ground, known, owned)
    chance, states, numbers = random.Random(seed), [read(ground)], []
    for _ in range(rounds):
        ids = [each.account_id for each in states[-1][0]]
        gone, into = chance.sample(ids, 2)
        with ground.transaction():
            numbers.append(merge(ground, gone, into, who="mona", now=NOW).id)
        states.append(read(ground))
        assert gone not in states[-1][1].values()
        assert len(states[-1][0]) == len(states[-2][0]) - 1
    for number, before in zip(reversed(numbers), reversed(states[:-1]), strict=True):
        with ground.transaction():
            assert undo(ground, number, who="mona", now=NOW).stayed == 0
        assert read(ground) == before
    assert states[0] == (known, {number: owner for number, (owner, _) in enumerate(owned, start=1)})


@AGAIN
@given(known=KNOWN, owned=OWNED, seed=st.integers(0, 10_000))
def test_a_split_undone_gives_back_exactly_what_was(
    ground: Log, known: tuple[Account, ...], owned: list[tuple[str | None, str]], seed: int
) -> None:
    lay(ground, known, owned)
    first, chance = known[0], random.Random(seed)
    parts = [*first.domains, *first.addresses, *(each.addr_spec for each in first.contacts)]
    parts += [f"contract:{each.number}" for each in first.contracts]
    left, new = parted(first, account_id="NEW", name="New", taken=[each for each in parts if chance.random() < 0.5])
    assert {*left.domains, *new.domains} == set(first.domains)
    assert {*left.contacts, *new.contacts} == set(first.contacts)
    before = read(ground)
    with ground.transaction():
        done = split(ground, left, new, who="mona", now=NOW)
    after = read(ground)
    assert {row for row, owner in after[1].items() if owner == "NEW"} == set(done.messages)
    assert all(before[1][row] == "A" for row in done.messages)
    with ground.transaction():
        undo(ground, done.id, who="mona", now=NOW)
    assert read(ground) == before


@AGAIN
@given(was=account("A"), gone=account("B"), now=account("A"))
def test_what_cannot_be_put_back_is_named_and_what_can_loses_nothing(was: Account, gone: Account, now: Account) -> None:
    left = merged(was, gone)
    assert put_back(was=was, left=left, now=left) == was
    try:
        back = put_back(was=was, left=left, now=now)
    except ValueError:
        assert now != left
        return
    added = set(now.contacts) - set(left.contacts)
    assert added <= set(back.contacts)
    assert set(back.domains) & (set(left.domains) - set(was.domains)) == set()


def test_what_two_accounts_say_differently_is_named_in_the_preview() -> None:
    from triaged.accounts.together import unkept

    into = Account("A", "Acme", tier="gold", contracts=(Contract("N-1", date(2027, 1, 1)),), timezone="Europe/Berlin")
    gone = Account(
        "B",
        "Bolt",
        manager="lena",
        tier="silver",
        contracts=(Contract("N-1", date(2028, 1, 1)), Contract("N-2", None)),
        timezone="Asia/Dubai",
        hours="sun-thu 08:00-16:00",
    )
    whole = merged(into, gone)
    assert (whole.manager, whole.tier, whole.timezone, whole.hours) == ("lena", "gold", "Europe/Berlin", "")
    assert unkept(into, gone) == (
        "name Bolt",
        "tier silver",
        "time zone Asia/Dubai",
        "working hours sun-thu 08:00-16:00",
        "contract N-1 until 2028-01-01",
    )


def test_an_account_is_not_merged_with_itself_or_with_none(ground: Log) -> None:
    lay(ground, (Account("A", "Acme"),), [])
    with pytest.raises(Permanent, match="part of itself"), ground.transaction():
        merge(ground, "A", "A", who="mona", now=NOW)
    with pytest.raises(Gone, match="no account B"), ground.transaction():
        merge(ground, "A", "B", who="mona", now=NOW)
    with pytest.raises(Gone, match="no merge 7"), ground.transaction():
        undo(ground, 7, who="mona", now=NOW)
    assert read(ground)[0] == (Account("A", "Acme"),)


def test_a_mail_that_was_being_decided_about_during_the_merge_is_of_the_account_that_stayed(tmp_path: Path) -> None:
    playbook = build_playbook(lay_out_site(tmp_path / "site"))
    message, decision = decided(playbook, mail("Please send me the invoice."), accounts=(ACME,))
    assert decision.account.account_id == ACME.account_id
    with closing(Log(tmp_path / "triaged.db")) as log:
        with log.transaction():
            put_accounts(log, (ACME, Account("C-2", "Second"), Account("C-3", "Third")))
            merge(log, "C-1", "C-2", who="mona", now=NOW)
            merge(log, "C-2", "C-3", who="mona", now=NOW)
        with log.transaction():
            row = log.record(message, decision, Locator("desk", "inbox", "1"), now=NOW).row
        assert log.db.execute("SELECT account_id FROM message WHERE id = ?", (row,)).fetchone() == ("C-3",)
        with log.transaction():
            undo(log, 2, who="mona", now=NOW)
        assert account_now(log.db, "C-1") == "C-2"
        assert account_now(log.db, "C-2") == "C-2"
        assert account_now(log.db, None) is None


def test_a_person_is_forgotten_in_accounts_that_were_merged_too(site: Config) -> None:
    """Their address and their name, though no mail holds them; the merge can be undone after that."""
    path = log_path(site)
    ghost = Contact("ghost.writer@hellweg-spedition.example", "Gerda Ghostwriter")
    known = stored(site)
    put(site, dataclasses.replace(known, contacts=(*known.contacts, ghost)))
    with closing(Log(path)) as log, log.transaction():
        merge(log, HELLWEG, BRANDSTETTER, who="mona", now=datetime.now(UTC))
    held = forget.find(path, ghost.addr_spec)
    assert dict(held.counts)["accounts that were merged"] == 1
    with closing(Log(path)) as log:
        forget.erase(log, held, now=datetime.now(UTC))
    assert forget.remaining(path, held) == 0
    octets = path.read_bytes()
    assert b"ghost.writer" not in octets
    assert b"Ghostwriter" not in octets
    with closing(Log(path)) as log, log.transaction():
        undo(log, 1, who="mona", now=datetime.now(UTC))
    assert stored(site) == known, "as it was, without them"


def test_the_row_keeps_both_accounts_as_they_were(site: Config) -> None:
    gone, into = stored(site), stored(site, BRANDSTETTER)
    with closing(Log(log_path(site))) as log, log.transaction():
        merge(log, HELLWEG, BRANDSTETTER, who="mona", now=NOW)
        (was, messages, at) = log.db.execute("SELECT was, messages, at FROM account_merge").fetchone()
    assert [each["name"] for each in json.loads(was)["before"]] == [gone.name, into.name]
    assert set(json.loads(messages)) <= set(mails(site).values())
    assert at == to_ms(NOW)
    with closing(Reader(log_path(site))) as reader:
        (done,) = merges(reader, limit=5)
    assert done.before == (gone, into)
    assert done.at == NOW
    assert timedelta(0) <= datetime.now(UTC) - done.at
