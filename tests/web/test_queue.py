"""The queue: every mail that waits once, whatever it waits for; cleared without script, and with the keyboard alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.site import browsing, mails, serving, sign_in
from tests.web.waits import at, changing, entries, form, forms, held, one, press
from triaged.decision import SendAck
from triaged.log.approvals import waiting_effects
from triaged.log.read import Reader
from triaged.log.waiting import KINDS, Entry, known_categories
from triaged.model import Locator, Raw
from triaged.preview import letter
from triaged.settings import Config
from triaged.wire import log_path


def waiting_for(config: Config, *kinds: str) -> Entry:
    """The first that waits for exactly this."""
    return next(each for each in entries(config) if each.kinds == kinds)


def state_of(config: Config, mail: int, kind: str) -> str:
    return str(one(config, "SELECT state FROM effect WHERE message = ? AND kind = ? ORDER BY id DESC", mail, kind))


# --- what waits -------------------------------------------------------------------------------------------------


def test_each_mail_that_waits_is_there_once_with_all_its_reasons(held_site: Config) -> None:
    found = entries(held_site)
    assert len({each.id for each in found}) == len(found) > 50
    with closing(Reader(log_path(held_site))) as reader:
        expected: dict[int, set[str]] = {}
        for mail, state in reader.select("SELECT message, state FROM effect"):
            if state in ("held", "person"):
                expected.setdefault(mail, set()).add("approve" if state == "held" else "question")
        for mail, sure, how in reader.select(
            "SELECT id, sure, account_how FROM message WHERE automatic <> 'machine' AND state = 'triaged'"
        ):
            if not sure:
                expected.setdefault(mail, set()).add("category")
            if how in (None, "thread"):
                expected.setdefault(mail, set()).add("account")
    assert {each.id: set(each.kinds) for each in found} == expected


def test_complaints_come_first_then_the_oldest(held_site: Config) -> None:
    found = entries(held_site)
    complaints = ["complaint" in each.categories for each in found]
    assert complaints == sorted(complaints, reverse=True)
    assert True in complaints
    for group in (True, False):
        moments = [each.received for each in found if each.grave is group]
        assert moments == sorted(moments)


def test_counts_lead_to_what_they_count(held_site: Config) -> None:
    found = entries(held_site)
    with browsing(held_site, "carl") as carl:
        page = carl.get("/queue").text
        shown = dict(re.findall(r'href="/queue\?kind=(\w+)"[^>]*>[^<]*<b>(\d+)</b>', page))
        assert {kind: int(number) for kind, number in shown.items()} == {
            kind: number for kind in KINDS if (number := sum(kind in each.kinds for each in found)) > 0
        }
        for kind in shown:
            page = carl.get(f"/queue?kind={kind}").text
            assert kind in next(each for each in found if each.id == at(page)).kinds


def test_nothing_that_is_done_or_of_a_machine_waits_for_its_category(site: Config) -> None:
    entry = waiting_for(site, "category")
    with changing(site) as log:
        log.db.execute("UPDATE message SET done_at = 1 WHERE id = ?", (entry.id,))
    found = {each.id for each in entries(site)}
    assert entry.id not in found
    assert len(found) > 20
    with closing(Reader(log_path(site))) as reader:
        machines = {row[0] for row in reader.select("SELECT id FROM message WHERE automatic = 'machine' AND sure = 0")}
    assert len(machines) > 0
    assert found & machines == set()


def test_an_empty_queue_says_so(site: Config) -> None:
    with changing(site) as log:
        log.db.execute("UPDATE message SET sure = 1, account_how = 'corrected'")
        log.db.execute("UPDATE effect SET state = 'dropped' WHERE state IN ('held', 'person')")
    with browsing(site, "carl") as carl:
        assert "All clear" in carl.get("/queue").text
        assert "All clear" in carl.get("/queue?at=3&kind=approve").text


def test_the_entry_shows_what_decides(held_site: Config) -> None:
    mail = mails(held_site)["Rechnung Oktober doppelt abgebucht, bitte prüfen"]
    with browsing(held_site, "vera") as vera:
        page = vera.get(f"/queue?at={mail}").text
    assert re.search(r'<mark title="complaint [^"]+">So geht das nicht', page) is not None
    assert "Freigabe für die neue Messmaschine" in page, "an earlier mail of the client"
    assert "Account manager: lena" in page
    assert "j.uhl@brandstetter.example is a contact of Brandstetter Maschinenbau GmbH" in page
    assert "Lena Brandt" in page


# --- one step, then the next ------------------------------------------------------------------------------------


def test_after_a_step_the_next_one_comes(held_site: Config) -> None:
    found = [each for each in entries(held_site) if "category" in each.kinds]
    with browsing(held_site, "carl") as carl:
        page = carl.get(f"/queue?at={found[0].id}&kind=category").text
        page = press(carl, page, "y").text
    assert at(page) == found[1].id
    assert "Confirmed." in page


def test_a_mail_stays_while_something_of_it_waits(held_site: Config) -> None:
    entry = waiting_for(held_site, "approve", "category")
    with browsing(held_site, "carl") as carl:
        page = press(carl, carl.get(f"/queue?at={entry.id}").text, "y").text
        assert at(page) == entry.id
        page = press(carl, page, "a").text
        assert at(page) != entry.id


def test_one_step_for_all_that_is_right(held_site: Config) -> None:
    entry = waiting_for(held_site, "approve", "category")
    with browsing(held_site, "carl") as carl:
        page = press(carl, carl.get(f"/queue?at={entry.id}").text, "A").text
    assert "Confirmed. Approved: acknowledgement" in page
    assert state_of(held_site, entry.id, "ack") == "owed"
    assert one(held_site, "SELECT sure FROM message WHERE id = ?", entry.id) == 1


def test_one_step_for_all_does_nothing_when_the_answer_is_another_by_now(held_site: Config) -> None:
    entry = waiting_for(held_site, "approve", "category")
    with browsing(held_site, "carl") as carl:
        page = carl.get(f"/queue?at={entry.id}").text
        with changing(held_site) as log:
            log.db.execute("UPDATE effect SET payload = payload || ' ' WHERE message = ? AND kind = 'ack'", (entry.id,))
        assert press(carl, page, "A").status_code == 409
    assert one(held_site, "SELECT sure FROM message WHERE id = ?", entry.id) == 0


def test_a_form_may_say_where_it_leads_and_only_here(held_site: Config) -> None:
    entry = waiting_for(held_site, "approve")
    with browsing(held_site, "carl") as carl:
        it = form(carl.get(f"/queue?at={entry.id}").text, "a")
        for back, where in ((f"/mail/{entry.id}", f"/mail/{entry.id}"), ("https://evil.example", "/")):
            fields = {"csrf": carl.csrf, **it.sent(), "back": back}
            answer = carl.client.post(it.action, data=fields, follow_redirects=False)
            if answer.status_code == 303:
                assert answer.headers["location"] == where
            carl.post("/queue/undo")


def test_next_and_previous_go_round(site: Config) -> None:
    found = entries(site)
    with browsing(site, "carl") as carl:
        seen = []
        address = "/queue"
        for _ in range(len(found) + 1):
            page = carl.get(address).text
            seen.append(at(page))
            address = re.search(r'<a href="([^"]+)" data-key="n j"', page)[1].replace("&amp;", "&")  # type: ignore[index]
    assert seen == [*(each.id for each in found), found[0].id]


# --- what it is, and whose --------------------------------------------------------------------------------------


def test_categories_are_put_right(site: Config) -> None:
    entry = waiting_for(site, "category")
    with browsing(site, "carl") as carl:
        it = form(carl.get(f"/queue?at={entry.id}").text, "s")
        fields = {**it.sent(), "category": ["renewal", "request"]}
        assert "Put right" in carl.post(it.action, **fields).text
    assert one(site, "SELECT categories FROM message WHERE id = ?", entry.id) == '["renewal", "request"]'
    said = "SELECT what || ' ' || who FROM audit WHERE message = ? ORDER BY id DESC"
    assert one(site, said, entry.id) == "message.correct carl"


def test_none_of_them_is_other(site: Config) -> None:
    entry = next(each for each in entries(site) if each.kinds == ("category",) and len(each.categories) > 0)
    with browsing(site, "carl") as carl:
        it = form(carl.get(f"/queue?at={entry.id}").text, "s")
        carl.post(it.action, **{name: value for name, value in it.sent().items() if name != "category"})
    assert one(site, "SELECT categories FROM message WHERE id = ?", entry.id) == "[]"


def test_what_is_saved_as_shown_is_confirmed(site: Config) -> None:
    entry = waiting_for(site, "category")
    with browsing(site, "carl") as carl:
        assert "Confirmed." in press(carl, carl.get(f"/queue?at={entry.id}").text, "s").text
    assert one(site, "SELECT name FROM event WHERE message = ? ORDER BY id DESC", entry.id) == "confirmed"


def test_a_category_that_nobody_knows_is_none(site: Config) -> None:
    entry = waiting_for(site, "category")
    with browsing(site, "carl") as carl:
        answer = press(carl, carl.get(f"/queue?at={entry.id}").text, "s", category="<b>fish</b>")
    assert answer.status_code == 422
    assert "<b>fish" not in answer.text
    with closing(Reader(log_path(site))) as reader:
        assert known_categories(reader, entry.id)[:3] == ("request", "complaint", "renewal")


def test_who_corrected_it_meanwhile_is_told(site: Config) -> None:
    entry = waiting_for(site, "category")
    with browsing(site, "carl") as carl, browsing(site, "mona") as mona:
        page = carl.get(f"/queue?at={entry.id}").text
        press(mona, page, "s", category="renewal")
        answer = press(carl, page, "y")
    assert answer.status_code == 409
    assert "meanwhile mona said of this mail: renewal" in answer.text


@pytest.mark.parametrize(
    ("typed", "account"),
    [("C-104", "C-104"), ("c-104 · whatever", "C-104"), ("brandst", "C-101"), ("corvane retail", "C-112")],
)
def test_the_client_is_found_by_what_is_typed(site: Config, typed: str, account: str) -> None:
    entry = next(each for each in entries(site) if "account" in each.kinds)
    with browsing(site, "carl") as carl:
        page = carl.get(f"/queue?at={entry.id}").text
        corrected = str(form(page, "y").sent()["corrected"])
        answer = carl.post("/queue/correct", mail=str(entry.id), corrected=corrected, account=typed)
    assert answer.status_code == 200
    assert one(site, "SELECT account_id FROM message WHERE id = ?", entry.id) == account
    assert "account" not in {kind for each in entries(site) if each.id == entry.id for kind in each.kinds}


@pytest.mark.parametrize(("typed", "words"), [("corvane", "fits several"), ("nobody at all", "No account fits")])
def test_a_client_that_is_not_one_is_asked_for(site: Config, typed: str, words: str) -> None:
    entry = next(each for each in entries(site) if "account" in each.kinds)
    with browsing(site, "carl") as carl:
        answer = carl.post("/queue/correct", mail=str(entry.id), corrected="0", account=typed)
    assert answer.status_code == 422
    assert words in answer.text
    if typed == "corvane":
        assert {"C-112", "C-113"} <= set(re.findall(r'name="account" value="([^"]+)"', answer.text))


def test_a_rival_is_one_click(site: Config) -> None:
    entry = next(each for each in entries(site) if each.kinds == ("question", "account"))
    with browsing(site, "carl") as carl:
        page = carl.get(f"/queue?at={entry.id}").text
        buttons = [chosen for each in forms(page) for _, _, chosen in each.buttons if chosen is not None]
    assert ("account", "C-101") in buttons
    assert ("account", "-") in buttons


def test_right_as_shown_settles_that_it_is_of_no_client(site: Config) -> None:
    entry = waiting_for(site, "category", "account")
    with browsing(site, "carl") as carl:
        press(carl, carl.get(f"/queue?at={entry.id}").text, "y")
    assert entry.id not in {each.id for each in entries(site)}
    assert one(site, "SELECT account_how FROM message WHERE id = ?", entry.id) == "corrected"


# --- questions, and what went wrong -----------------------------------------------------------------------------


def test_a_question_that_was_seen_to(site: Config) -> None:
    entry = waiting_for(site, "question")
    with browsing(site, "carl") as carl:
        page = carl.get(f"/queue?at={entry.id}").text
        assert "The mail names a time that is not understood surely" in page
        press(carl, page, "d", words="called him")
    assert state_of(site, entry.id, "ask") == "dropped"
    detail = "SELECT detail FROM effect WHERE message = ? AND kind = 'ask'"
    assert one(site, detail, entry.id) == "by carl: called him"


def test_what_may_have_left_is_never_sent_again_by_machine(held_site: Config) -> None:
    mail, effect = held(held_site)
    with changing(held_site) as log:
        log.db.execute("UPDATE effect SET state = 'person', handed_at = 1 WHERE id = ?", (effect.id,))
    with browsing(held_site, "carl") as carl:
        page = carl.get("/queue?kind=uncertain").text
        assert at(page) == mail
        assert "not found in Sent. Did it arrive?" in page
        assert not any(each.action == "/queue/approve" for each in forms(page))
        assert carl.post("/queue/approve", mail=str(mail), seen=f"{effect.id}:{effect.seen}").status_code == 409
        carl.post("/queue/drop", mail=str(mail), seen=f"{effect.id}:{effect.seen}", words="it did arrive")
    assert state_of(held_site, mail, "ack") == "dropped"


def unreadable(config: Config, octets: bytes) -> int:
    """A mail in quarantine."""
    with changing(config) as log:
        raw = Raw(Locator("desk", "INBOX", "unread"), datetime.now(UTC), octets, len(octets))
        return log.quarantine(raw, key="u" * 32, cause="it took longer than 20 s", now=datetime.now(UTC)).row


def test_an_unreadable_mail_that_a_person_has_seen_to(site: Config) -> None:
    mail = unreadable(site, b"Subject: x\r\n\r\n")
    (entry,) = [each for each in entries(site) if each.id == mail]
    assert entry.kinds == ("unreadable",)
    with browsing(site, "carl") as carl:
        page = carl.get("/queue?kind=unreadable").text
        assert "it took longer than 20 s" in page
        page = press(carl, page, "d").text
        assert mail not in {each.id for each in entries(site)}
        press(carl, page, "u")
    assert mail in {each.id for each in entries(site)}


def test_an_unreadable_mail_is_read_once_more(site: Config) -> None:
    octets = b"From: Jonas Uhl <j.uhl@brandstetter.example>\r\nSubject: Lieferscheine\r\n\r\nBitte senden.\r\n"
    mail = unreadable(site, octets)
    with browsing(site, "carl") as carl:
        with carl.client.app.state.desk.retrying:  # type: ignore[attr-defined]
            assert "Another mail is being read once more" in carl.post("/queue/retry", mail=str(mail)).text
        answer = carl.post("/queue/retry", mail=str(mail))
    assert "could be read, and is triaged as any other" in answer.text
    assert one(site, "SELECT state || ' ' || subject FROM message WHERE id = ?", mail) == "triaged Lieferscheine"
    assert one(site, "SELECT who FROM audit WHERE what = 'quarantine.retry'") == "carl"
    assert one(site, "SELECT detail FROM event WHERE name = 'mended'").endswith("by carl")


def test_an_address_that_came_back_is_answered_again(held_site: Config) -> None:
    mail, effect = held(held_site)
    with changing(held_site) as log:
        log.db.execute("INSERT INTO bad_address VALUES ('key', ?, 1, 'no such user')", (mail,))
        log.db.execute(
            "INSERT INTO effect (key, message, kind, lane, state, not_before_at, external_id, payload, created_at, "
            "changed_at) VALUES ('ask:bounced:1', ?, 'ask', 'person', 'person', 0, '', ?, 0, 0)",
            (mail, '{"key": "ask:bounced:1", "question": "Our mail to x came back: no such user", "kind": "ask"}'),
        )
    with browsing(held_site, "carl") as carl:
        page = carl.get("/queue?kind=bounced").text
        assert "Our mail to x came back: no such user" in page
        (clearing,) = [each for each in forms(page) if each.action == "/queue/clear"]
        carl.post(clearing.action, **clearing.sent())
    assert one(held_site, "SELECT count(*) FROM bad_address") == 0
    assert "bounced" not in {kind for each in entries(held_site) for kind in each.kinds}
    assert one(held_site, "SELECT state FROM effect WHERE id = ?", effect.id) == "held", "the answer waits on"


def test_the_html_part_is_shown_where_nothing_runs(held_site: Config) -> None:
    mail, effect = held(held_site)
    with browsing(held_site, "vera") as vera:
        page = vera.get(f"/queue?at={mail}").text
        assert '<iframe sandbox loading="lazy" title="' in page
        answer = vera.get(f"/queue/{mail}/html/{effect.id}")
        assert answer.status_code == 200
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "script-src" not in answer.headers["content-security-policy"]
        assert vera.get(f"/queue/{mail}/html/999999").status_code == 404


# --- the whole night --------------------------------------------------------------------------------------------


def next_key(page: str) -> str:
    """What somebody presses who finds everything right."""
    return next(key for key in ("A", "d", "a", "y") if any(each.key(key) for each in forms(page)))


def test_the_whole_night_without_script(held_site: Config) -> None:
    count, steps = len(entries(held_site)), 0
    with browsing(held_site, "carl") as carl:
        page = carl.get("/queue").text
        while "All clear" not in page and steps < 200:
            page = press(carl, page, next_key(page)).text
            steps += 1
    assert entries(held_site) == []
    assert count <= steps <= count * 1.3


def test_the_whole_night_by_keyboard_alone(
    held_site: Config, page: Page, record_property: Callable[[str, object], None]
) -> None:
    count, strokes = len(entries(held_site)), 0
    with serving(held_site) as address:
        sign_in(page, address, "carl", back="/queue")
        begun = time.monotonic()
        while page.get_by_text("All clear").count() == 0 and strokes < 200:
            key = next_key(page.content())
            with page.expect_navigation():
                page.keyboard.press("Shift+A" if key == "A" else key)
            strokes += 1
            expect(page.locator("#announce")).not_to_be_empty()
        seconds = time.monotonic() - begun
    assert entries(held_site) == []
    record_property("strokes", strokes)
    print(f"{count} mails, {strokes} keys, {seconds:.0f} s")  # noqa: T201
    assert strokes <= count * 1.3


def test_keys(site: Config, page: Page) -> None:
    entry = next(each for each in entries(site) if each.kinds == ("category",) and each.categories == ("complaint",))
    with serving(site) as address:
        sign_in(page, address, "carl", back=f"/queue?at={entry.id}")
        expect(page.locator("#entry")).to_be_focused()
        page.keyboard.press("1")
        expect(page.get_by_role("checkbox", name="request")).to_be_checked()
        expect(page.get_by_role("checkbox", name="request")).to_be_focused()
        expect(page.get_by_role("checkbox", name="complaint")).not_to_be_checked()
        page.keyboard.press("3")
        page.keyboard.press("Enter")
        expect(page.locator("#announce")).to_contain_text("Put right")
        assert one(site, "SELECT categories FROM message WHERE id = ?", entry.id) == '["request", "renewal"]'
        page.keyboard.press("u")
        expect(page.locator("#announce")).to_contain_text("Taken back")
        assert one(site, "SELECT categories FROM message WHERE id = ?", entry.id) == '["complaint"]'
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("y")
        page.keyboard.press("Escape")
        assert one(site, "SELECT sure FROM message WHERE id = ?", entry.id) == 0, "behind the dialog nothing is pressed"
        page.keyboard.press("c")
        page.keyboard.type("brandst")
        page.keyboard.press("Enter")
        expect(page.locator(".said")).to_contain_text("Put right")
        assert one(site, "SELECT account_id FROM message WHERE id = ?", entry.id) == "C-101"


def test_keys_can_be_switched_off(site: Config, page: Page) -> None:
    with serving(site) as address:
        sign_in(page, address, "carl", back="/queue")
        page.keyboard.press("?")
        page.get_by_role("button", name="Switch letter keys off").click()
        page.get_by_role("button", name="Close").click()
        title = page.title()
        page.keyboard.press("n")
        page.keyboard.press("y")
        page.get_by_role("link", name="Next").click()
        expect(page).not_to_have_title(title)
    assert one(site, "SELECT count(*) FROM correction") == 0


def test_an_edited_text_is_saved_by_keyboard(held_site: Config, page: Page) -> None:
    mail, effect = held(held_site)
    with serving(held_site) as address:
        sign_in(page, address, "carl", back=f"/queue?at={mail}")
        page.keyboard.press("e")
        expect(page.locator("textarea[name=text]")).to_be_focused()
        page.keyboard.press("Control+Home")
        page.keyboard.type("One more line.\n")
        page.keyboard.press("Control+Enter")
        expect(page.locator(".said")).to_contain_text("The text is saved")
    with closing(Reader(log_path(held_site))) as reader:
        (waits,) = waiting_effects(reader, mail)
    assert isinstance(waits.effect, SendAck)
    assert letter("", waits.effect.mail).text.startswith("One more line.\n")
    assert waits.seen != effect.seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(held_site: Config, page: Page, scheme: str) -> None:
    mail, effect = held(held_site)
    unreadable(held_site, b"Subject: x\r\n\r\n")
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    with serving(held_site) as address:
        sign_in(page, address, "carl", back="/queue")
        where = ["/queue", "/queue?kind=question", "/queue?kind=account", "/queue?kind=unreadable"]
        for path in (*where, f"/queue?at={mail}&edit={effect.id}"):
            page.goto(address + path)
            found = Axe().run(page)
            assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        page.keyboard.press("Escape")
        page.goto(f"{address}/queue")
        page.keyboard.press("?")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_on_a_phone_nothing_lies_beside_the_page(held_site: Config, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    with serving(held_site) as address:
        sign_in(page, address, "carl", back="/queue")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
