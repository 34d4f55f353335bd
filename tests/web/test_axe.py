"""Every page in a real browser: no barrier that axe finds, nothing wider than a phone, everything reached by Tab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from tests.web.site import copied, serving, sign_in

PAGES = [
    "/",
    "/queue",
    "/log",
    "/log?category=complaint",
    "/mail/1",
    "/mail/1/why",
    "/mail/1/html",
    "/mail/1/source",
    "/items",
    "/calls",
    "/accounts",
    "/accounts/C-101",
    "/accounts/C-101/edit",
    "/accounts/C-101/merge",
    "/accounts/new",
    "/accounts/import",
    "/accounts/merges",
    "/rules",
    "/rules/history",
    "/rules/words",
    "/rules/edit/complaint.toml",
    "/rules/new-example",
    "/templates",
    "/templates/new",
    "/templates/edit/complaint.txt",
    "/people",
    "/people/user?name=carl",
    "/people/user?name=otto",
    "/people/audit",
    "/people/audit?who=nobody",
    "/me",
    "/keys",
    "/nowhere",
]
"""As an operator sees them, who sees the most."""
OPTIONS = {
    "light": {"rules": {"target-size": {"enabled": True}}},
    "dark": {"runOnly": ["color-contrast"]},
}
"""Targets of 24 pixels (WCAG 2.2, 2.5.8) are looked at only when axe is told to. In the dark only colours differ."""
FOCUS = """() => {
    const at = document.activeElement;
    if (at === null || at === document.body) return null;
    const isOutlined = (each) => {
        const style = getComputedStyle(each);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    };
    // Within a date the browser shows the part that has it, and within a frame the frame's page does.
    let isSeen = (at.type === "date" && !at.matches(":focus-visible")) || at.localName === "iframe";
    for (let each = at; each !== null && !isSeen; each = each.parentElement) isSeen = isOutlined(each);
    const box = at.getBoundingClientRect();
    const inSight = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    at.dataset.reached = "yes";
    return { what: at.outerHTML.slice(0, 200), isSeen, inSight };
}"""
MISSED = """[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
    .filter((each) => each.tabIndex >= 0 && !each.matches(":disabled, iframe") && each.type !== "hidden")
    .filter((each) => each.checkVisibility() && each.dataset.reached === undefined)
    .filter((each) => each.type !== "radio" || [...document.getElementsByName(each.name)]
        .every((other) => other.form !== each.form || other.dataset.reached === undefined))
    .map((each) => each.outerHTML.slice(0, 200))"""
"""What Tab did not lead to; of radio buttons that belong together one is enough."""
MOST_STEPS = 600


@pytest.fixture(scope="module")
def address(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(copied(night, tmp_path_factory.mktemp("axe") / "desk")) as address:
        yield address


@pytest.fixture(scope="module")
def otto(chromium: Chromium, address: str) -> Iterator[Page]:
    """Signed in."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    sign_in(page, address, "otto")
    yield page
    context.close()


def barriers(page: Page) -> list[str]:
    """What axe finds in light and dark, wide and on a phone, in words; and what is wider than a phone."""
    found = []
    for width, height in ((1400, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme, options in OPTIONS.items():
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            for each in Axe().run(page, options=options).response["violations"]:
                where = [node["html"][:200] for node in each["nodes"]]
                found.append(f"{width} {scheme}: {each['id']}: {each['help']}: {where}")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{width}: the page is wider than the window")
    return found


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_barriers(otto: Page, address: str, path: str) -> None:
    otto.goto(address + path)
    assert otto.get_by_role("heading", level=1).count() == 1
    assert barriers(otto) == []


@pytest.mark.parametrize("path", PAGES)
def test_everything_on_a_page_is_reached_by_tab_and_seen(otto: Page, address: str, path: str) -> None:
    otto.set_viewport_size({"width": 1400, "height": 900})
    otto.goto(address + path)
    steps = 0
    otto.keyboard.press("Tab")
    while (focus := otto.evaluate(FOCUS)) is not None:
        assert focus["isSeen"], f"its focus is not seen: {focus['what']}"
        assert focus["inSight"], f"it stays out of sight: {focus['what']}"
        otto.keyboard.press("Tab")
        steps += 1
        assert steps < MOST_STEPS, f"Tab does not leave it: {focus['what']}"
    assert steps > 0
    assert otto.evaluate(MISSED) == []


@pytest.mark.parametrize("path", PAGES)
def test_the_first_tab_leads_past_the_bar_on_top(otto: Page, address: str, path: str) -> None:
    otto.goto(address + path)
    otto.keyboard.press("Tab")
    if otto.locator(".bar").count() == 0:  # a page that says what went wrong: nothing to skip
        assert otto.evaluate("document.activeElement.closest('main')") is not None
        return
    assert otto.evaluate("document.activeElement.textContent") == "To the content"
    otto.keyboard.press("Enter")
    assert otto.evaluate("document.activeElement.id") == "main"
    otto.keyboard.press("Tab")
    assert otto.evaluate("document.activeElement.closest('.bar')") is None


def test_the_page_to_sign_in_has_no_barriers_with_and_without_a_mistake(page: Page, address: str) -> None:
    page.goto(f"{address}/sign-in")
    assert page.evaluate("document.activeElement.name") == "name"
    assert barriers(page) == []
    page.get_by_label("Name").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    assert page.evaluate("document.activeElement.name") == "password"
    assert barriers(page) == []


def test_the_look_for_barriers_finds_what_it_is_for(page: Page) -> None:
    page.set_content(
        "<html><body><h1>A</h1><img src='a.png'><p style='width: 2000px; color: #ddd'>wide</p></body></html>"
    )
    found = " ".join(barriers(page))
    for what in ("image-alt", "color-contrast", "wider than the window"):
        assert what in found
