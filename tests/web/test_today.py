"""The first page: its numbers are those of the log, it is loud when something is wrong, its pictures can be read."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.web.site import Browser, browsing, mails, serving, sign_in
from tests.web.waits import changing, entries, one
from triaged.loading import hours_of
from triaged.log import overview
from triaged.log.encode import to_ms
from triaged.log.read import Reader
from triaged.settings import Config
from triaged.web.today import _since
from triaged.wire import log_path
from triaged.worker.service import lock_state


def tiles(page: str) -> dict[str, str]:
    """The numbers on top, by what they count."""
    return {words: number for number, words in re.findall(r"<b>([\d,+]+)</b> <span>([^<]+)</span>", page)}


def picture(page: str, name: str) -> ElementTree.Element:
    """The one of this name."""
    drawn = [ElementTree.fromstring(svg) for svg in re.findall(r'<svg class="plot".*?</svg>', page, re.DOTALL)]
    (found,) = [each for each in drawn if each.attrib["aria-labelledby"].startswith(f"{name}-")]
    return found


def now() -> datetime:
    return datetime.now(UTC)


# --- what came and was done -------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_log(site: Config, carl: Browser) -> None:
    page = carl.get("/").text
    mails_of_persons = one(site, "SELECT count(*) FROM message WHERE automatic <> 'machine'")
    complaints = one(site, "SELECT count(*) FROM message WHERE instr(categories, '\"complaint\"') > 0")
    assert tiles(page)["mails since your last visit"] == str(one(site, "SELECT count(*) FROM message"))
    assert re.search(rf"complaint</span></a> {complaints}\b", page) is not None
    assert tiles(page)["mails wait for a decision"] == str(len(entries(site)))
    for kind, words in (("ack", "acknowledged"), ("notify", "told to colleagues")):
        left = one(site, "SELECT count(*) FROM effect WHERE kind = ? AND state = 'done'", kind)
        assert left > 0
        assert f"<b>{left}</b> {words}" in page
    machines = one(site, "SELECT count(*) FROM message WHERE automatic = 'machine'")
    assert f"Not answered, for a machine wrote: <b>{machines}</b>" in page
    assert machines + mails_of_persons == 58


def test_what_came_before_the_last_visit_is_not_new(site: Config) -> None:
    last, middle = now(), one(site, "SELECT received_at FROM message ORDER BY received_at LIMIT 1 OFFSET 29")
    with changing(site) as log:
        log.db.execute("UPDATE user SET visited_at = ?, seen_at = ? WHERE name = 'carl'", (middle + 1, to_ms(last)))
    with browsing(site, "carl") as carl:
        assert tiles(carl.get("/").text)["mails since your last visit"] == "28"
        assert tiles(carl.get("/?span=week").text)["mails in 7 days"] == "58"


@pytest.mark.parametrize(
    ("moment", "since"),
    [
        ("2026-11-30T07:30", "2026-11-27T17:30"),  # a Monday: since Friday evening
        ("2026-12-01T08:00", "2026-11-30T17:30"),
        ("2026-12-01T19:00", "2026-11-30T17:30"),
        ("2026-11-29T12:00", "2026-11-27T17:30"),
    ],
)
def test_on_the_first_visit_what_came_since_the_desk_closed_is_new(site: Config, moment: str, since: str) -> None:
    hours, zone = hours_of(site, site.hours, where="hours"), ZoneInfo(site.hours.timezone)
    at = datetime.fromisoformat(moment).replace(tzinfo=zone)
    assert _since(None, "", hours, at).astimezone(zone) == datetime.fromisoformat(since).replace(tzinfo=zone)


def test_clients_are_counted(site: Config) -> None:
    with closing(Reader(log_path(site))) as reader:
        came = overview.came(reader, since=now() - timedelta(days=1))
        counted = dict(
            reader.select("SELECT account_id, count(*) FROM message WHERE automatic <> 'machine' GROUP BY 1")
        )
    assert {account: number for account, _, number, _ in came.accounts} == counted
    assert sum(complaints for *_, complaints in came.accounts) == dict(came.categories)["complaint"]


# --- what is late, and what comes first -------------------------------------------------------------------------


def test_what_is_late_is_counted_until_it_is_answered(site: Config) -> None:
    subjects = mails(site)
    three = [subjects[name] for name in ("STILL NOT FIXED", "2027 price list", "Abholung Dresden")]
    with changing(site) as log:
        for mail in three:
            log.db.execute("UPDATE message SET due_at = ? WHERE id = ?", (to_ms(now() - timedelta(hours=1)), mail))
    with browsing(site, "carl") as carl:
        assert tiles(carl.get("/").text)["answers late"] == "3"
        for column, mail in zip(("done_at", "answered_at", "waiting_at"), three, strict=True):
            with changing(site) as log:
                log.db.execute(f"UPDATE message SET {column} = ? WHERE id = ?", (to_ms(now()), mail))
        assert tiles(carl.get("/").text)["answers late"] == "0"


def test_complaints_stand_on_top_until_somebody_answered(site: Config) -> None:
    mail = mails(site)["STILL NOT FIXED"]
    with browsing(site, "carl") as carl:
        (first,) = re.findall(r'aria-labelledby="grave">.*?</section>', carl.get("/").text, re.DOTALL)
        assert f'href="/mail/{mail}"' in first
        assert "Corvane Group – Retail" in first
        with changing(site) as log:
            log.db.execute("UPDATE message SET done_at = 1 WHERE id = ?", (mail,))
        (first,) = re.findall(r'aria-labelledby="grave">.*?</section>', carl.get("/").text, re.DOTALL)
        assert f'href="/mail/{mail}"' not in first


def test_calls_of_today_are_listed(site: Config) -> None:
    with closing(Reader(log_path(site))) as reader:
        calls = overview.calls_between(reader, now() - timedelta(days=1), now() + timedelta(days=30))
    assert len(calls) == one(site, "SELECT count(*) FROM call WHERE state = 'booked'") > 0
    assert [each.at for each in calls] == sorted(each.at for each in calls)
    with changing(site) as log:
        at = to_ms(now().replace(hour=12, minute=0))
        log.db.execute(
            "UPDATE call SET starts_at = ?, ends_at = ? WHERE message = ?", (at, at + 1_800_000, calls[0].message)
        )
    with browsing(site, "vera") as vera:
        page = vera.get("/").text
    assert calls[0].client in page
    assert "Lena Brandt" in page or "Marek Nowak" in page


# --- how it is --------------------------------------------------------------------------------------------------


def test_all_is_well_in_one_line(site: Config, carl: Browser) -> None:
    with lock_state(log_path(site)):
        page = carl.get("/").text
    assert "All is well" in page
    assert "desk: last mail" in page
    assert 'role="alert"' not in page


def test_it_is_loud_when_the_worker_does_not_run(carl: Browser) -> None:
    page = carl.get("/").text
    assert "All is well" not in page
    assert "The worker does not run" in page


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("INSERT INTO breaker (opened_at, why) VALUES (1, 'too many at once')", "too many at once"),
        ("INSERT INTO health VALUES ('mailbox desk', 'trouble', 'no route to host', 1)", "no route to host"),
        (
            "INSERT INTO alert VALUES ('disk', 'the disk', 'warning', 'It is nearly full.', 1, 1, NULL, 0, NULL, '')",
            "It is nearly full.",
        ),
    ],
)
def test_it_is_loud_when_something_is_wrong(site: Config, carl: Browser, sql: str, words: str) -> None:
    with changing(site) as log:
        log.db.execute(sql)
    with lock_state(log_path(site)):
        page = carl.get("/").text
    assert "Look at this first" in page
    assert words in page


# --- pictures ---------------------------------------------------------------------------------------------------


def test_the_picture_of_what_came_shows_the_log(site: Config, carl: Browser) -> None:
    with changing(site) as log:
        log.db.execute("UPDATE message SET received_at = ? WHERE id = 1", (to_ms(now() - timedelta(days=3)),))
    page = carl.get("/").text
    volume = picture(page, "volume")
    drawn = [re.fullmatch(r"(\d\d \w{3}): ([\d,]+) ([\w ]+)", each.text or "") for each in volume.iter("title")][1:]
    assert sum(int(each[2]) for each in drawn if each is not None) == 58
    assert None not in drawn
    zone = ZoneInfo(site.hours.timezone)
    assert f"{(now() - timedelta(days=3)).astimezone(zone):%d %b}: 1 request" in [each[0] for each in drawn if each]
    assert "58 mails came in 14 days" in page
    rows = re.findall(r'<th scope="row">\w{3} \d\d \w{3}</th>(.*?)</tr>', page, re.DOTALL)
    assert len(rows) == 14
    assert sum(int(re.findall(r">(\d+)<", row)[-1]) for row in rows) == 58
    assert "58 mails came in 28 days" in carl.get("/?days=28").text
    assert "58 mails came in 14 days" in carl.get("/?days=365").text


def test_the_picture_of_ages_tells_late_from_in_time(site: Config, carl: Browser) -> None:
    with changing(site) as log:
        for mail, age in ((1, 5), (2, 40)):
            moments = (to_ms(now() - timedelta(days=age)), to_ms(now() - timedelta(hours=1)))
            log.db.execute("UPDATE message SET received_at = ?, due_at = ? WHERE id = ?", (*moments, mail))
    ages = picture(carl.get("/").text, "ages")
    told = [each.text for each in ages.iter("title")]
    assert "<7 d: 1 late" in told
    assert "older: 1 late" in told
    owed = one(site, "SELECT count(*) FROM message WHERE due_at IS NOT NULL")
    assert f"<4 h: {owed - 2} in time" in told


def test_axe_finds_nothing(site: Config, page: Page) -> None:
    with serving(site) as address:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            sign_in(page, address, "vera")
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
