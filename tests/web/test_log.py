"""The page of the triage log: what its form asks for is what is listed, by links alone; searches under a name."""

from __future__ import annotations

import html
import re
from contextlib import closing
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.site import Browser, browsing, mails, serving, sign_in
from triaged.log.find import Search, every
from triaged.log.read import Reader
from triaged.settings import Config
from triaged.wire import log_path

LINK = re.compile(r'<th scope="row"><a href="/mail/(\d+)">([^<]*)</a>')


def listed(text: str) -> list[str]:
    """Subjects on a page, in order."""
    return [html.unescape(subject) for _, subject in LINK.findall(text)]


def wanted(config: Config, search: Search) -> list[str]:
    with closing(Reader(log_path(config))) as reader:
        return [row.subject for row in every(reader, search, limit=1000)]


@pytest.mark.parametrize(
    ("query", "search"),
    [
        ({"category": "complaint"}, Search(category="complaint")),
        ({"category": "other", "account": "none"}, Search(category="other", account="")),
        (
            {"sure": "no", "sort": "risk", "category": "complaint"},
            Search(category="complaint", sure=False, sort="risk"),
        ),
        ({"state": "automatic"}, Search(state="automatic")),
        ({"search": "rechnung"}, Search(text="rechnung")),
        ({"rule": "Complaint, sure"}, Search(rule="Complaint, sure")),
    ],
)
def test_what_the_form_asks_for_is_listed(carl: Browser, site: Config, query: dict[str, str], search: Search) -> None:
    empty = dict.fromkeys(("search", "category", "state", "account", "owner", "sure", "rule", "since", "until"), "")
    found = listed(carl.get(f"/log?{urlencode(empty | query)}").text)
    assert found == wanted(site, search)[:50]
    assert len(found) > 0


def test_every_mail_is_on_one_of_the_pages(carl: Browser, site: Config) -> None:
    first = carl.get("/log").text
    onward = re.search(r'rel="next"[^>]* href="([^"]+)"', first)
    assert onward is not None
    second = carl.get(html.unescape(onward[1])).text
    assert listed(first) + listed(second) == wanted(site, Search())
    assert len(listed(first)) == 50
    back = re.search(r'rel="prev"[^>]* href="([^"]+)"', second)
    assert back is not None
    assert listed(carl.get(html.unescape(back[1])).text) == listed(first)


def test_each_filter_can_be_taken_out_again(carl: Browser) -> None:
    page = carl.get("/log?category=complaint&sure=no&sort=due").text
    chips = {words: html.unescape(address) for address, words in re.findall(
        r'<a class="chip" href="([^"]+)"><span class="unseen">Remove the filter </span>([^<]+) <', page
    )}  # fmt: skip
    assert chips == {
        "Category: complaint": "/log?sure=no&sort=due",
        "Not sure of the category": "/log?category=complaint&sort=due",
    }


@pytest.mark.parametrize("search", ['"', "AND", "a OR (", "x*y:z", "*", "'; DROP TABLE message; --", "<script>"])
def test_whatever_is_searched_for_the_page_comes(carl: Browser, search: str) -> None:
    response = carl.get(f"/log?{urlencode({'search': search})}")
    assert response.status_code == 200
    assert html.escape(search, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in response.text


def test_what_is_no_filter_is_refused_in_words(carl: Browser) -> None:
    for query in ("state=sideways", "since=yesterday", "after=0", "sort=size"):
        assert carl.get(f"/log?{query}").status_code == 422
    gone = carl.get("/log?after=999999")
    assert gone.status_code == 404
    assert "there is no mail 999999 to go on from" in gone.text


def test_a_reference_leads_to_its_mail(carl: Browser, site: Config) -> None:
    number = mails(site)["STILL NOT FIXED"]
    with closing(Reader(log_path(site))) as reader:
        row = reader.row(number)
    assert row is not None
    response = carl.client.get(f"/log?search={row.reference.lower()}", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, f"/mail/{number}")


def test_a_search_is_kept_under_a_name_for_its_user_alone(carl: Browser, site: Config) -> None:
    page = carl.post("/log/views", name="  Angry  clients ", query="category=complaint&sort=risk&search=").text
    assert "Saved as “Angry clients”" in page
    link = '<a class="chip view" href="/log?category=complaint&amp;sort=risk" aria-current="true">Angry clients</a>'
    assert link in page
    with browsing(site, "vera") as vera:
        assert "Angry clients" not in vera.get("/log").text
        assert "no view “Angry clients”" in vera.post("/log/views/delete", name="Angry clients").text
    assert "Angry clients" in carl.get("/log").text
    assert carl.post("/log/views", name="Evil", query="sort=sideways").status_code == 422
    page = carl.post("/log/views/delete", name="Angry clients").text
    assert "is deleted" in page
    assert link not in page
    with closing(Reader(log_path(site))) as reader:
        whats = [row[0] for row in reader.select("SELECT what FROM audit WHERE who = 'carl' ORDER BY id")]
    assert whats == ["view.save", "view.delete"]


@pytest.mark.parametrize("width", [1400, 390])
def test_by_keyboard_and_without_barriers(site: Config, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    with serving(site) as address:
        sign_in(page, address, "carl", back="/log")
        page.keyboard.press("/")
        expect(page.get_by_role("searchbox", name="Words")).to_be_focused(timeout=20_000)
        page.keyboard.type("invoice")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Words: invoice")).to_be_visible(timeout=20_000)
        if width < 768:
            page.get_by_text("Filters (1 set)").click()
        page.get_by_role("combobox", name="Category", exact=True).select_option("complaint")
        page.get_by_role("button", name="Search", exact=True).locator("visible=true").last.press("Enter")
        expect(page.get_by_role("link", name="Category: complaint")).to_be_visible(timeout=20_000)
        expect(page.get_by_role("status").filter(has_text="mail")).to_be_visible(timeout=20_000)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            assert Axe().run(page).response["violations"] == []
