"""The pages of accounts: the list, one account, the form, and what happens when two people change one at once."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.site import Browser, browsing, serving, sign_in
from triaged.accounts.difference import digest
from triaged.log import users
from triaged.log.accountrows import account_of
from triaged.log.accounts import figures
from triaged.log.encode import to_ms
from triaged.log.people import put_accounts
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Account, Contact, Contract
from triaged.settings import Config
from triaged.web.accounts import by_month
from triaged.wire import log_path

HELLWEG = "C-102"
FIELDS = (
    "account_id",
    "name",
    "domain",
    "aliases",
    "contacts",
    "manager",
    "tier",
    "timezone",
    "language",
    "hours",
    "country",
)


def stored(config: Config, account_id: str = HELLWEG) -> Account:
    with closing(Reader(log_path(config))) as reader:
        found = account_of(reader.select, account_id)
    assert found is not None
    return found


def put(config: Config, *accounts: Account) -> None:
    with closing(Log(log_path(config))) as log, log.transaction():
        put_accounts(log, accounts)


def fields(account: Account, **changed: str | list[str]) -> dict[str, str | list[str]]:
    """What the form sends."""
    return {
        "name": account.name,
        "domain": "\r\n".join(account.domains),
        "aliases": "\r\n".join(account.addresses),
        "contacts": "\r\n".join(f"{each.name} <{each.addr_spec}>" for each in account.contacts),
        "manager": account.manager,
        "tier": account.tier,
        "contract_no": [*(each.number for each in account.contracts), ""],
        "contract_ends": [*(each.ends.isoformat() if each.ends else "" for each in account.contracts), ""],
        "timezone": account.timezone,
        "language": account.language,
        "hours": account.hours,
        "country": account.country,
        "seen": digest(account),
        **changed,
    }


def audited(config: Config) -> list[users.AuditRow]:
    with closing(Reader(log_path(config))) as reader:
        return users.audits(reader, limit=50)


def names_of(page: str) -> list[str]:
    """Accounts of the list, in order."""
    return [
        html.unescape(each)
        for each in re.findall(r'<th scope="row" class="words"><a href="/accounts/[^"]*">([^<]*)', page)
    ]


# --- the list ------------------------------------------------------------------------------------------------------


def test_the_list_tells_of_each_account_what_the_log_knows(carl: Browser, site: Config) -> None:
    page = carl.get("/accounts").text
    with closing(Reader(log_path(site))) as reader:
        known = reader.accounts()
        told = figures(reader, [each.account_id for each in known], now=datetime.now(UTC))
        for each in known:
            mails = reader.rows(limit=1000, account_id=each.account_id)
            assert told[each.account_id].mails == len(mails)
            assert told[each.account_id].complaints == sum("complaint" in row.categories for row in mails)
            assert told[each.account_id].open_items == reader.open_items(each.account_id, before=datetime.now(UTC))
    assert sum(each.complaints for each in told.values()) > 5
    assert names_of(page) == sorted((each.name for each in known), key=str.casefold)
    row = page.split("Spedition Hellweg &amp; Sohn KG</a>")[1].split("</tr>")[0]
    for cell in ("C-102", "Marek Nowak", "silver", f">{told[HELLWEG].mails}<", "2027-03-31", "too few mails"):
        assert cell in row


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("hellweg", ["Spedition Hellweg & Sohn KG"]),
        ("C-102", ["Spedition Hellweg & Sohn KG"]),
        ("CLÍNICA", ["Clínica Dental Arganda"]),
        ("hofladen.birkengrund.familie.sommer@gmail.com", ["Hofladen Birkengrund"]),
        ("dirk hellweg", ["Spedition Hellweg & Sohn KG"]),
        ("nobody at all", []),
    ],
)
def test_a_search_finds_ids_names_domains_and_people(carl: Browser, search: str, found: list[str]) -> None:
    page = carl.client.get("/accounts", params={"search": search}).text
    assert names_of(page) == found
    assert ("No account fits" in page) == (found == [])


def test_mine_are_those_that_i_manage(site: Config) -> None:
    with closing(Log(log_path(site))) as log, log.transaction():
        log.db.execute("UPDATE user SET person = 'marek' WHERE name = 'carl'")
    with browsing(site, "carl") as carl:
        mine, mareks = carl.get("/accounts?manager=mine").text, carl.get("/accounts?manager=marek").text
    with closing(Reader(log_path(site))) as reader:
        theirs = {each.name for each in reader.accounts() if each.manager == "marek"}
    assert set(names_of(mine)) == set(names_of(mareks)) == theirs
    assert 2 < len(theirs) < 20
    with browsing(site, "vera") as vera:
        assert 'value="mine"' not in vera.get("/accounts").text


@pytest.mark.parametrize("key", ["mails", "complaints", "open", "ends", "call", "id", "tier", "manager", "trend"])
def test_the_list_is_sorted_by_each_of_its_columns_and_the_other_way_round(carl: Browser, key: str) -> None:
    one, other = (names_of(carl.get(f"/accounts?sort={sign}{key}").text) for sign in ("", "-"))
    assert len(one) == 20
    assert sorted(one) == sorted(other)
    if key not in ("trend",):
        assert one != other
    assert (
        f'aria-sort="{"descending" if key in ("mails", "complaints", "open", "trend") else "ascending"}"'
        in carl.get(f"/accounts?sort={key}").text
    )


def test_most_mails_come_first(carl: Browser, site: Config) -> None:
    found = names_of(carl.get("/accounts?sort=mails").text)
    with closing(Reader(log_path(site))) as reader:
        ids = {each.name: each.account_id for each in reader.accounts()}
        counts = [len(reader.rows(limit=1000, account_id=ids[name])) for name in found]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_a_long_list_has_pages(carl: Browser, site: Config) -> None:
    put(site, *(Account(f"X-{number:03}", f"Zebra {number:03}") for number in range(250)))
    first, last = carl.get("/accounts?search=zebra").text, carl.get("/accounts?search=zebra&page=3").text
    assert len(names_of(first)) == 100
    assert names_of(last) == [f"Zebra {number:03}" for number in range(200, 250)]
    assert "Page 3 of 3" in last
    assert names_of(carl.get("/accounts?search=zebra&page=99").text) == names_of(last)
    assert names_of(carl.get("/accounts?search=zebra&sort=-mails&page=3").text) == names_of(last)


# --- one account ---------------------------------------------------------------------------------------------------


def test_an_account_shows_contracts_with_days_and_its_mails(carl: Browser, site: Config) -> None:
    today = datetime.now(UTC).date()
    ends = {"N-SOON": 60, "N-LATE": 61, "N-OVER": -3}
    contracts = tuple(Contract(number, today + timedelta(days=days)) for number, days in ends.items())
    put(site, dataclasses.replace(stored(site), contracts=(*contracts, Contract("N-OPEN", None)), timezone="UTC"))
    page = carl.get("/accounts/C-102").text
    for number, badge, words in (
        ("N-SOON", "warn", "in 60 days"),
        ("N-LATE", "other", "in 61 days"),
        ("N-OVER", "bad", "over for 3 days"),
        ("N-OPEN", "other", "open-ended"),
    ):
        assert f'<span class="badge {badge}">{words}</span>' in page.split(number)[1].split("</li>")[0]
    with closing(Reader(log_path(site))) as reader:
        rows = reader.rows(limit=100, account_id=HELLWEG)
    assert len(rows) > 2
    for row in rows:
        assert f'href="/mail/{row.id}"' in page
    assert "Too few mails for a trend" in page


def test_the_picture_and_its_table_count_the_same_mails() -> None:
    starts = [datetime(2026, month, 1, tzinfo=UTC) for month in (8, 9, 10, 11)]
    shown = by_month(starts, [{"request": 3, "complaint": 1}, {}, {"other": 1, "billing": 3}])
    assert [name for _, name in shown.series] == ["complaint", "request", "billing", "other"]
    assert shown.rows == (
        ("August 2026", (1, 3, 0, 0)),
        ("September 2026", (0, 0, 0, 0)),
        ("October 2026", (0, 0, 3, 1)),
    )
    assert shown.told == "8 mails in 3 months."


def test_months_are_those_of_the_desks_clock(carl: Browser, site: Config) -> None:
    """A mail of the last minute of a month in Berlin is of that month, though the next one has begun nowhere."""
    now = datetime.now(UTC)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with closing(Log(log_path(site))) as log, log.transaction():
        moment = first - timedelta(hours=1, seconds=1)  # in Berlin the last second of a winter month, or an hour before
        log.db.execute("UPDATE message SET received_at = ? WHERE account_id = 'C-102'", (to_ms(moment),))
    page = carl.get("/accounts/C-102").text
    table = page.split("As a table")[1]
    assert f"{moment:%B %Y}</th>" in table
    row = table.split(f"{moment:%B %Y}</th>")[1].split("</tr>")[0]
    assert re.findall(r">(\d+)<", row)[-1] == str(
        len(re.findall(r'href="/mail/', page.split("Latest mails")[1].split("<h2")[0]))
    )


def test_an_account_that_is_not_there_says_so(carl: Browser) -> None:
    response = carl.get("/accounts/C-999")
    assert response.status_code == 404
    assert "there is no account C-999" in response.text


def test_an_id_may_hold_anything_that_a_file_may(carl: Browser, site: Config) -> None:
    put(site, Account("Ä/7 #?&%", "Odd & <b>Sons</b>"))
    page = carl.get("/accounts?search=odd").text
    (address,) = re.findall(r'<a href="(/accounts/[^"]*)">Odd', page)
    assert "Odd &amp; &lt;b&gt;Sons" in carl.get(address).text
    assert carl.get(address + "/edit").status_code == 200


# --- the form ------------------------------------------------------------------------------------------------------


def test_what_is_shown_in_the_form_saves_as_no_change(carl: Browser, site: Config) -> None:
    before = stored(site)
    assert "Nothing was different" in carl.post("/accounts/C-102/edit", **fields(before)).text
    assert stored(site) == before
    assert audited(site) == []


def test_every_field_can_be_changed(carl: Browser, site: Config) -> None:
    with closing(Reader(log_path(site))) as reader:
        revision = reader.accounts_revision()
    response = carl.post(
        "/accounts/C-102/edit",
        name="Hellweg Group",
        domain="hellweg.example\nhellweg-spedition.example",
        aliases="post@other.example",
        contacts="Dirk Hellweg <D.Hellweg@hellweg.example>\n\nnew@hellweg.example",
        manager="lena",
        tier="Gold",
        contract_no=["", "N-1", "N-2"],
        contract_ends=["", "2027-06-30", ""],
        timezone="Europe/London",
        language="EN",
        hours="mon-thu 09:00-17:00",
        country="GB",
        seen=digest(stored(site)),
    )
    assert "Saved" in response.text
    assert stored(site) == Account(
        HELLWEG,
        "Hellweg Group",
        domains=("hellweg-spedition.example", "hellweg.example"),
        addresses=("post@other.example",),
        contacts=(Contact("d.hellweg@hellweg.example", "Dirk Hellweg"), Contact("new@hellweg.example")),
        manager="lena",
        tier="gold",
        contracts=(Contract("N-1", date(2027, 6, 30)), Contract("N-2", None)),
        timezone="Europe/London",
        language="en",
        hours="mon-thu 09:00-17:00",
        country="GB",
    )
    with closing(Reader(log_path(site))) as reader:
        assert reader.accounts_revision() == revision + 1
    (row,) = audited(site)
    assert (row.what, row.who, row.about) == ("account.change", "carl", HELLWEG)
    assert "Tier: silver → gold" in row.detail
    assert row.detail in html.unescape(carl.get("/accounts/C-102").text)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", " ", "is empty"),
        ("domain", "acme", "'acme' is no domain"),
        ("domain", "gmail.com", "anybody can have an address at 'gmail.com'"),
        ("domain", "brandstetter.example", "'brandstetter.example' belongs to account C-101"),
        ("contacts", "Anna anna@x.example", "is no mail address"),
        ("contacts", "A <a@x.example>\nB <a@x.example>", "'a@x.example' stands here twice"),
        ("contacts", "j.uhl@brandstetter.example", "belongs to account C-101"),
        ("manager", "nobody", "'nobody' is none of the people"),
        ("timezone", "Berlin", "'Berlin' is no time zone"),
        ("language", "xx", "'xx' is no language code"),
        ("hours", "always", "always"),
        ("country", "XX", "XX"),
        ("contract_ends", ["31.12.2027", ""], "'31.12.2027' is no date"),
        ("contract_no", ["N-1;N-2", ""], "has 1 dates for 2 contracts"),
    ],
)
def test_each_mistake_is_named_at_its_field_and_nothing_is_saved(
    carl: Browser, site: Config, field: str, value: str | list[str], sentence: str
) -> None:
    before = stored(site)
    response = carl.post("/accounts/C-102/edit", **fields(before, **{field: value}))
    assert response.status_code == 422
    page = html.unescape(response.text)
    shown = "contract_no" if field == "contract_ends" else field
    assert sentence in page.split(f'id="wrong-{shown}"')[1].split("</span>")[0]
    assert f'href="#{shown}"' in page
    assert "Nothing was saved" in page
    assert stored(site) == before
    assert audited(site) == []
    written = value[0] if isinstance(value, list) else value.splitlines()[0]
    assert written.strip() in page, "what was written is still there"


def test_all_mistakes_are_told_at_once(carl: Browser, site: Config) -> None:
    response = carl.post("/accounts/C-102/edit", **fields(stored(site), name="", language="xx", domain="acme"))
    assert response.text.count('class="field-problem"') == 3


def test_what_two_accounts_had_before_does_not_stop_another_change(carl: Browser, site: Config) -> None:
    before = stored(site)
    put(site, Account("C-900", "Twin", domains=before.domains))
    assert "Saved" in carl.post("/accounts/C-102/edit", **fields(before, tier="gold")).text
    assert stored(site).tier == "gold"


def test_a_change_that_somebody_else_made_meanwhile_is_shown_beside_mine(site: Config) -> None:
    seen = stored(site)
    with browsing(site, "carl") as carl, browsing(site, "mona") as mona:
        mona.post("/accounts/C-102/edit", **fields(seen, tier="platinum"))
        response = carl.post("/accounts/C-102/edit", **fields(seen, tier="bronze"))
        assert response.status_code == 409
        assert stored(site).tier == "platinum"
        page = html.unescape(response.text)
        assert "mona changed it" in page
        for words in ("platinum", "bronze", "It was changed meanwhile"):
            assert words in page
        (fresh,) = re.findall(r'name="seen" value="([^"]+)"', page)
        assert fresh == digest(stored(site))
        assert "Saved" in carl.post("/accounts/C-102/edit", **fields(seen, tier="bronze", seen=fresh)).text
    assert stored(site).tier == "bronze"


def test_a_new_account_is_added_once(carl: Browser, site: Config) -> None:
    acme = Account("A-1", "Acme", domains=("acme.example",), contacts=(Contact("ann@acme.example", "Ann"),))
    response = carl.post("/accounts/new", **fields(acme, account_id="A-1"))
    assert "Acme was added" in response.text
    assert stored(site, "A-1") == acme
    again = carl.post("/accounts/new", **fields(acme, account_id="A-1", name="Other"))
    assert again.status_code == 422
    assert "is Acme already" in again.text
    assert stored(site, "A-1") == acme
    assert [each.what for each in audited(site)] == ["account.add"]


def test_a_viewer_reads_and_changes_nothing(site: Config) -> None:
    before = stored(site)
    with browsing(site, "vera") as vera:
        assert "/accounts/C-102/edit" not in vera.get("/accounts/C-102").text
        assert vera.get("/accounts/C-102/edit").status_code == 403
        assert vera.post("/accounts/C-102/edit", **fields(before, tier="gold")).status_code == 403
        assert vera.post("/accounts/new", **fields(before, account_id="A-9")).status_code == 403
    assert stored(site) == before


# --- in a browser --------------------------------------------------------------------------------------------------

PAGES = (
    "/accounts",
    "/accounts?search=nothing",
    "/accounts/C-102",
    "/accounts/C-102/edit",
    "/accounts/new",
    "/accounts/import",
    "/accounts/C-102/merge?into=c-1",
    "/accounts/C-102/merge?into=C-101",
    "/accounts/C-102/split?new_id=C-900&name=Nord&take=a.kaya@hellweg-spedition.example",
    "/accounts/merges",
    "/calls",
)


def test_pages_of_accounts_and_calls_are_for_everybody(site: Config, page: Page) -> None:
    """axe finds nothing (WCAG 2.2 AA) in light and dark, and nothing is cut off on a phone."""
    with closing(Log(log_path(site))) as log, log.transaction():
        (call,) = log.db.execute("SELECT message FROM call WHERE state = 'booked' LIMIT 1").fetchone()
    seen = 0
    with serving(site) as address:
        sign_in(page, address, "mona")
        for path in (*PAGES, f"/calls/{call}"):
            for scheme, width in (("light", 1400), ("dark", 390)):
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                page.set_viewport_size({"width": width, "height": 900})
                page.goto(address + path)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path
                found = Axe().run(page).response["violations"]
                told = [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found]
                assert told == [], f"{path} {scheme}: {json.dumps(told, indent=1)}"
                seen += 1
        assert seen == 24
        page.set_viewport_size({"width": 1400, "height": 900})
        page.goto(address + "/accounts/C-102")
        page.keyboard.press("e")
        page.get_by_label("Tier").fill("gold")
        page.keyboard.press("Enter")
        expect(page.locator("p.said")).to_contain_text("Saved")
    assert stored(site).tier == "gold"
