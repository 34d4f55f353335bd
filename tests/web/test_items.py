"""Open items: what is owed comes in its order, nothing ages unnoticed, and what is said of one is written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.site import Browser, browsing, serving, sign_in
from triaged.log import handling, items, users
from triaged.log.encode import to_ms
from triaged.log.items import GROUPS, Asked, Group
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.settings import Config
from triaged.web.items import UNOWED_DAYS
from triaged.wire import caps_of, log_path

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@contextmanager
def writing(site: Config) -> Iterator[Log]:
    with closing(Log(log_path(site), caps=caps_of(site))) as log, log.transaction():
        yield log


def put(log: Log, message: int, **columns: object) -> None:
    """Moments as they are in the log."""
    for name, value in columns.items():
        stored = to_ms(value) if isinstance(value, datetime) else value
        log.db.execute(f"UPDATE message SET {name} = ? WHERE id = ?", (stored, message))


@pytest.fixture
def mails(site: Config) -> list[int]:
    """Of the night, those of clients that an answer is owed to, due in days; nothing else is open."""
    with writing(site) as log:
        found = [
            row[0]
            for row in log.db.execute(
                "SELECT id FROM message WHERE due_at IS NOT NULL AND account_id IS NOT NULL ORDER BY id"
            ).fetchall()
        ]
        for message in found:
            put(log, message, due_at=NOW + 5 * DAY, received_at=NOW - timedelta(hours=1), assigned="")
        log.db.execute("UPDATE message SET done_at = 1 WHERE due_at IS NULL OR account_id IS NULL")
    assert len(found) > 30
    return found


def subject(site: Config, message: int) -> str:
    with closing(Reader(log_path(site))) as reader:
        row = reader.row(message)
        assert row is not None
        return row.subject


def asked(**more: str) -> Asked:
    return Asked(
        now=NOW,
        tomorrow=NOW + timedelta(hours=1),
        unowed_since=NOW - 30 * DAY,
        unowed_until=NOW - UNOWED_DAYS * DAY,
        **more,
    )


def groups(site: Config, **more: str) -> dict[Group, list[int]]:
    """The numbers of the mails in each group, which must be as many as are counted."""
    with closing(Reader(log_path(site))) as reader:
        found = {group: [each.id for each in items.items(reader, group, asked(**more), limit=999)] for group in GROUPS}
        assert {group: len(ids) for group, ids in found.items()} == items.count(reader, asked(**more))
    return {group: ids for group, ids in found.items() if ids}


def rows_of(page: str) -> dict[str, list[str]]:
    """The headings of the page, each with the subjects under it."""
    sections = re.findall(r'<section aria-labelledby="(\w+)".*?</section>', page, re.DOTALL)
    texts = re.findall(r'<section aria-labelledby="\w+".*?</section>', page, re.DOTALL)
    return {name: re.findall(r'<a href="/mail/(\d+)">', text) for name, text in zip(sections, texts, strict=True)}


# --- which, and in what order -----------------------------------------------------------------------------------------


def test_each_mail_stands_in_one_group_and_the_first_to_see_to_comes_first(site: Config, mails: list[int]) -> None:
    late, later_late, today, waits, waits_chase, promised, answered, done, forgotten, *rest = mails
    with writing(site) as log:
        put(log, late, due_at=NOW - 3 * DAY)
        put(log, later_late, due_at=NOW - DAY)
        put(log, today, due_at=NOW + timedelta(minutes=30))
        put(log, waits, waiting_at=NOW - DAY, due_at=NOW - 2 * DAY)
        put(log, waits_chase, waiting_at=NOW, next_step="ask", next_at=NOW - DAY, answered_at=NOW - DAY)
        put(log, promised, answered_at=NOW, next_step="send it", next_at=NOW + DAY)
        put(log, answered, answered_at=NOW)
        put(log, done, done_at=NOW, due_at=NOW - DAY)
        put(log, forgotten, due_at=None, received_at=NOW - 4 * DAY)
        log.db.execute("DELETE FROM effect WHERE message = ?", (forgotten,))
    found = groups(site)
    assert found == {
        "late": [late, later_late],
        "today": [today],
        "later": rest,
        "waiting": [waits_chase, waits],
        "promised": [promised],
        "answered": [answered],
        "unowed": [forgotten],
    }
    with closing(Reader(log_path(site))) as reader:
        assert items.to_chase(reader, asked()) == 1


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        ({}, True),
        ({"received_at": NOW - DAY}, False),  # somebody may still see it
        ({"received_at": NOW - 40 * DAY}, False),
        ({"automatic": "machine"}, False),
        ({"account_id": None}, False),  # no client's
        ({"answered_at": NOW}, False),
        ({"done_at": NOW}, False),
    ],
)
def test_a_clients_mail_that_nothing_happened_to_is_not_forgotten(
    site: Config, mails: list[int], columns: dict[str, object], shown: bool
) -> None:
    with writing(site) as log:
        log.db.execute("DELETE FROM effect WHERE message = ?", (mails[0],))
        put(log, mails[0], due_at=None, received_at=NOW - 4 * DAY)
        put(log, mails[0], **columns)
    assert groups(site).get("unowed") == ([mails[0]] if shown else None)


def test_an_acknowledgement_is_something_and_a_mark_is_nothing(site: Config, mails: list[int]) -> None:
    with closing(Reader(log_path(site))) as reader:
        acknowledged = next(id for id in mails if ("ack", "done") in {(e.kind, e.state) for e in reader.effects(id)})
    with writing(site) as log:
        put(log, acknowledged, due_at=None, received_at=NOW - 4 * DAY)
    assert "unowed" not in groups(site)
    with writing(site) as log:
        log.db.execute("UPDATE effect SET kind = 'mark' WHERE message = ?", (acknowledged,))
    assert groups(site)["unowed"] == [acknowledged]


def test_filters_hold_for_counts_and_rows(site: Config, mails: list[int]) -> None:
    with closing(Reader(log_path(site))) as reader:
        first = reader.row(mails[0])
        of_account = {row.id for row in reader.rows(limit=999, account_id=first.account_id)}  # type: ignore[union-attr]
        complaints = {row.id for row in reader.rows(limit=999, category="complaint")}
    with writing(site) as log:
        put(log, mails[0], assigned="lena")
        put(log, mails[1], categories="[]")
    assert groups(site, owner="lena") == {"later": [mails[0]]}
    assert groups(site, owner="") == {"later": mails[1:]}
    assert first is not None
    assert first.account_id is not None
    assert groups(site, account=first.account_id) == {"later": sorted(of_account & set(mails))}
    assert groups(site, category="complaint") == {"later": sorted((complaints & set(mails)) - {mails[1]})}
    assert mails[1] in groups(site, category="other")["later"]


def test_no_group_is_found_by_reading_every_mail(site: Config) -> None:
    wanted = {"late": "owed", "today": "owed", "later": "owed", "waiting": "waiting", "promised": "promised"}
    with closing(Reader(log_path(site))) as reader:
        for group, index in {**wanted, "answered": "answered", "unowed": "unowed"}.items():
            sql = f"SELECT count(*) FROM message WHERE {items._WHERE[group]} AND {items._ASKED}"  # type: ignore[index]
            plan = reader.select(f"EXPLAIN QUERY PLAN {sql}", asked().values())
            assert f"message_{index}" in plan[0][3], (group, plan)


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_says_how_late_whose_and_what_next(site: Config, carl: Browser, mails: list[int]) -> None:
    with writing(site) as log:
        put(log, mails[0], due_at=NOW - 3 * DAY, assigned="lena", priority="urgent", chasing=1)
        put(log, mails[1], waiting_at=NOW, next_step="Ask Marek", next_at=NOW - DAY)
    page = carl.get("/items").text
    assert rows_of(page)["late"] == [str(mails[0])]
    late = page[page.index('id="late"') : page.index('id="later"')]
    for words in ("late by 3 days", "Lena Brandt", "urgent", "chasing"):
        assert words in late
    assert "1 to chase" in page
    assert "Ask Marek" in page


def test_mine_is_what_is_given_to_the_person_who_looks(site: Config, mails: list[int]) -> None:
    with writing(site) as log:
        put(log, mails[3], assigned="lena")
        log.db.execute("UPDATE user SET person = 'lena' WHERE name = 'carl'")
    with browsing(site, "carl") as carl:
        assert rows_of(carl.get("/items?owner=me").text) == {"later": [str(mails[3])]}
    with browsing(site, "mona") as mona:
        assert '<option value="me"' not in mona.get("/items").text
        assert rows_of(mona.get("/items?owner=me").text) == {}


def test_one_group_comes_page_by_page(site: Config, carl: Browser, mails: list[int]) -> None:
    assert len(rows_of(carl.get("/items").text)["later"]) == 15
    assert rows_of(carl.get("/items?group=later").text) == {"later": [str(each) for each in mails]}
    assert "Nothing here" in carl.get("/items?group=later&page=2").text
    assert "Nothing here" in carl.get("/items?group=late").text
    for wrong in ("?group=nonsense", "?page=0", "?group=late&page=999999999"):
        assert carl.get(f"/items{wrong}").status_code == 404


def test_words_of_a_mail_stay_words(site: Config, carl: Browser, mails: list[int]) -> None:
    with writing(site) as log:
        put(log, mails[0], subject="<script>alert(1)</script>", next_step='"><b>', sender_name="<i>Ann</i>")
    page = carl.get("/items").text
    assert "&lt;script&gt;" in page
    assert all(words not in page for words in ("<script>alert", '"><b>', "<i>Ann"))


# --- what is said -----------------------------------------------------------------------------------------------------


def story(site: Config, message: int) -> tuple[list[str], list[str]]:
    """The last event of a mail, and the audit lines about it."""
    with closing(Reader(log_path(site))) as reader:
        lines = [each.what for each in users.audits(reader, limit=99) if each.message == message]
        return [each.name for each in reader.events(message)][-1:], lines


def stands(site: Config, message: int) -> handling.Handling:
    with closing(Reader(log_path(site))) as reader:
        return handling.handling(reader, message)


def test_done_leaves_the_list_which_the_form_leads_back_to(site: Config, carl: Browser, mails: list[int]) -> None:
    page = carl.post(f"/mail/{mails[0]}/state", state="done", was="open", back="/items?group=later").text
    assert "It is done." in page
    assert rows_of(page)["later"] == [str(each) for each in mails[1:]]
    assert stands(site, mails[0]).done is not None
    assert story(site, mails[0]) == (["done"], ["message.state"])


def test_all_that_are_shown_as_answered_are_done_at_once(site: Config, carl: Browser, mails: list[int]) -> None:
    with writing(site) as log:
        for each in mails[:3]:
            put(log, each, answered_at=NOW)
    page = carl.get("/items").text
    shown = re.findall(r'name="mail" value="(\d+)"', page)
    assert sorted(map(int, shown)) == mails[:3]
    assert "3 mails are done." in carl.post("/items/done", mail=shown).text
    assert "answered" not in groups(site)
    assert [story(site, each) for each in mails[:3]] == [(["done"], ["message.state"])] * 3
    assert "0 mails are done." in carl.post("/items/done", mail=shown).text


def test_what_is_answered_is_opened_again(site: Config, carl: Browser, mails: list[int]) -> None:
    with writing(site) as log:
        put(log, mails[0], answered_at=NOW - DAY)
        put(log, mails[1], answered_at=NOW - DAY, waiting_at=NOW - DAY)
    assert "Open again" in carl.get("/items?group=answered").text
    carl.post(f"/mail/{mails[0]}/state", state="open", was="open")
    assert story(site, mails[0]) == (["reopened"], ["message.state"])
    carl.post(f"/mail/{mails[1]}/state", state="open", was="waiting")
    assert groups(site) == {"later": mails}


def test_a_mail_waits_for_others_and_waits_no_longer(site: Config, carl: Browser, mails: list[int]) -> None:
    fields = {"was": "open", "back": "/items"}
    page = carl.post(f"/mail/{mails[0]}/state", state="waiting", **fields).text
    assert rows_of(page)["waiting"] == [str(mails[0])]
    assert story(site, mails[0]) == (["waiting"], ["message.state"])
    page = carl.post(f"/mail/{mails[0]}/state", state="open", was="waiting", back="/items").text
    assert "waiting" not in rows_of(page)
    assert story(site, mails[0])[0] == ["waiting.over"]
    carl.post(f"/mail/{mails[0]}/state", state="done", **fields)
    response = carl.post(f"/mail/{mails[0]}/state", state="waiting", **fields)
    assert (response.status_code, stands(site, mails[0]).state) == (409, "done")


def test_a_viewer_sees_and_changes_nothing(site: Config, mails: list[int]) -> None:
    with browsing(site, "vera") as vera:
        page = vera.get("/items").text
        assert rows_of(page)["later"] != []
        assert 'method="post"' not in page[page.index("<main") :]
        assert vera.post("/items/done", mail=[str(mails[0])]).status_code == 403
    assert stands(site, mails[0]).state == "open"
    with browsing(site) as nobody:
        assert nobody.client.get("/items", follow_redirects=False).status_code == 303


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_no_form_leads_elsewhere(carl: Browser, mails: list[int], back: str) -> None:
    fields = {"csrf": carl.csrf, "mail": str(mails[0]), "back": back}
    answer = carl.client.post("/items/done", data=fields, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_mail_that_is_not_there_is_not_called_done(carl: Browser) -> None:
    assert carl.post("/items/done", mail=["999999"]).status_code == 404


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_in_a_browser_without_a_fault(site: Config, page: Page, mails: list[int], width: int, scheme: str) -> None:
    with writing(site) as log:
        put(log, mails[0], due_at=NOW - 3 * DAY, assigned="lena", priority="urgent", chasing=1)
        put(log, mails[1], waiting_at=NOW, next_step="Ask Marek", next_at=NOW - DAY)
        put(log, mails[2], answered_at=NOW)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    with serving(site) as address:
        sign_in(page, address, "carl", back="/items")
        late = page.get_by_role("region", name=re.compile("^Late"))
        late.get_by_text("Change").first.click()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        late.get_by_label("Next step").fill("Call Ann")
        late.get_by_label("by", exact=True).fill("2026-12-01")
        page.keyboard.press("Enter")
        expect(page.locator(".said")).to_contain_text("The next step is kept.")
        expect(late).to_contain_text("Call Ann")
        late.get_by_role("button", name="Done").first.focus()
        page.keyboard.press("Enter")
        expect(page.locator(".said")).to_contain_text("It is done.")
        expect(late).to_have_count(0)
