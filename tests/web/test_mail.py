"""The page of one mail: what it shows, what people may say there, and what is said when the mailbox does not answer."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.mailbox import html_mail, lay
from tests.web.site import Browser, browsing, mails, serving, sign_in
from triaged.log import handling, keep
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.log.users import audits
from triaged.model import Locator, Raw
from triaged.servers import MaildirTable
from triaged.settings import Config
from triaged.wire import log_path

ANGRY = "STILL NOT FIXED"


@pytest.fixture
def row(site: Config) -> int:
    """A complaint that was acknowledged."""
    return mails(site)[ANGRY]


def inbox(site: Config) -> Path:
    table = site.mailbox[0]
    assert isinstance(table, MaildirTable)
    return site.path(table.path)


def stands(site: Config, row: int) -> handling.Handling:
    with closing(Reader(log_path(site))) as reader:
        return handling.handling(reader, row)


# --- what it shows ------------------------------------------------------------------------------------------------


def test_the_mail_with_the_words_that_decided(carl: Browser, row: int) -> None:
    page = carl.get(f"/mail/{row}").text
    assert "tom.ashdown@corvane-retail.example" in page
    assert re.search(r'<mark title="complaint [^"]+">STILL NOT FIXED</mark>', page)
    assert "DMARC passed" in page
    assert "Still not done" in page  # a rule that fired
    assert "Complaint, sure: high" in page  # overruled
    assert "What was sent" in page
    assert "We have your complaint" in page or "Card terminals" in page


def test_it_is_found_by_its_reference_in_any_case(carl: Browser, site: Config, row: int) -> None:
    with closing(Reader(log_path(site))) as reader:
        found = reader.row(row)
    assert found is not None
    assert carl.get(f"/mail/{found.reference.lower()}").text == carl.get(f"/mail/{row}").text


@pytest.mark.parametrize("mail", ["0", "99999", "T-NONE000", "9" * 400, "-1", "x%00y", "²"])
def test_one_that_is_not_there_is_said_to_be_so(carl: Browser, mail: str) -> None:
    for rest in ("", "/html", "/frame", "/source", "/source.eml", "/why"):
        assert carl.get(f"/mail/{mail}{rest}").status_code == 404


def test_the_conversation_is_listed(carl: Browser, site: Config, row: int) -> None:
    answer = mails(site)["Re: STILL NOT FIXED"]
    assert f'<a href="/mail/{answer}">' in carl.get(f"/mail/{row}").text


def test_a_viewer_reads_and_changes_nothing(site: Config, row: int) -> None:
    with browsing(site, "vera") as vera:
        page = vera.get(f"/mail/{row}").text
        assert "What happened" in page
        assert "/correct" not in page
        for what, fields in (
            ("correct", {"right": "true"}),
            ("note", {"text": "x"}),
            ("state", {"state": "done"}),
            ("owner", {"person": "lena"}),
            ("next", {"step": "x"}),
        ):
            assert vera.post(f"/mail/{row}/{what}", **fields).status_code == 403
    assert stands(site, row).state == "open"


def test_every_mail_of_the_night_has_its_page(carl: Browser, site: Config) -> None:
    rows = mails(site)
    assert len(rows) > 50
    for subject, row in rows.items():
        answer = carl.get(f"/mail/{row}")
        assert answer.status_code == 200, subject


def test_what_is_held_is_shown_with_its_text(carl: Browser, site: Config, row: int) -> None:
    with closing(Log(log_path(site))) as log, log.transaction():
        log.db.execute("UPDATE effect SET state = 'held' WHERE message = ? AND kind IN ('ack', 'notify')", (row,))
    page = carl.get(f"/mail/{row}").text
    assert f'<a href="/queue?mail={row}">2 things wait for approval</a>' in page
    assert "What waits for approval" in page
    assert "What will be sent" in page


def test_a_removed_mail_says_so(carl: Browser, site: Config, row: int) -> None:
    with closing(Log(log_path(site))) as log, log.transaction():
        keep.clear(log, [row], event="removed", why="its days are over", now=datetime.now(UTC))
    answer = carl.get(f"/mail/{row}")
    assert answer.status_code == 200
    assert "Text, names and addresses of this mail were removed" in answer.text
    assert "ashdown" not in answer.text
    assert carl.get(f"/mail/{row}/why").status_code == 200
    assert carl.post(f"/mail/{row}/note", text="a word that would outlive it").status_code == 404
    assert b"outlive" not in log_path(site).read_bytes()


# --- why ----------------------------------------------------------------------------------------------------------


def test_the_decision_is_made_again_on_request(carl: Browser, row: int) -> None:
    page = carl.get(f"/mail/{row}/why").text
    assert "the same, to the last letter" in page
    assert "4 business hours" in page
    assert "Rules that nearly fired" in page


def test_why_a_rule_did_not_decide(carl: Browser, row: int) -> None:
    page = carl.get(f"/mail/{row}/why?why_not=Request+of+a+gold").text
    assert "It did not fire" in page
    assert "when.category" in page
    assert "✗ no" in page
    assert "nothing like a rule" not in page
    assert "no-such-rule" in carl.get(f"/mail/{row}/why?why_not=no-such-rule").text


def test_every_rule_of_that_day_can_be_asked_for(carl: Browser, row: int) -> None:
    page = carl.get(f"/mail/{row}").text
    options = re.findall(r'<option value="([\w-]+\.toml:\d+)">', page)
    assert len(options) > 50


# --- what is right --------------------------------------------------------------------------------------------------


def test_putting_right_is_kept_and_says_what_it_teaches(carl: Browser, site: Config, row: int) -> None:
    page = carl.post(f"/mail/{row}/correct", category=["request", "renewal"], account="C-101").text
    assert "Category complaint → request, renewal; account C-112 → C-101." in page
    assert "What this teaches" in page
    assert "[[rule.example]]" in page
    assert "gives.category = [&#34;request&#34;, &#34;renewal&#34;]" in page
    with closing(Reader(log_path(site))) as reader:
        found = reader.row(row)
        (line,) = audits(reader, limit=1)
        (correction,) = handling.corrections(reader, row)
    assert found is not None
    assert (found.categories, found.account_id) == (("request", "renewal"), "C-101")
    assert (line.who, line.what, line.message) == ("carl", "message.correct", row)
    assert correction.labelled
    assert page.count("complaint → request, renewal; account C-112 → C-101") >= 1


def test_right_as_shown_is_learned_from(carl: Browser, site: Config, row: int) -> None:
    assert "It is learned from" in carl.post(f"/mail/{row}/correct", right="true", category="request").text
    with closing(Reader(log_path(site))) as reader:
        (correction,) = handling.corrections(reader, row)
    assert correction.confirmed
    assert correction.labelled
    assert correction.categories == ("complaint",)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"category": "complaint"}, "Nothing was changed"),
        ({"category": ["other", "complaint"]}, "tick it alone"),
        ({"category": "complant"}, "did you mean &#39;complaint&#39;"),
        ({"account": "Nobody Inc"}, "There is no one account “Nobody Inc”"),
        ({"account": "C-1"}, "It could be C-1"),
    ],
)
def test_what_cannot_be_right_is_said_and_changes_nothing(
    carl: Browser, site: Config, row: int, fields: dict[str, str], words: str
) -> None:
    assert words in carl.post(f"/mail/{row}/correct", **fields).text
    with closing(Reader(log_path(site))) as reader:
        assert handling.corrections(reader, row) == []


@pytest.mark.parametrize(
    ("said", "account"), [("c-101", "C-101"), ("", None), ("C-101 {name}", "C-101"), ("{name}", "C-101")]
)
def test_an_account_is_told_by_number_or_name(
    carl: Browser, site: Config, row: int, said: str, account: str | None
) -> None:
    with closing(Reader(log_path(site))) as reader:
        name = next(each.name for each in reader.accounts() if each.account_id == "C-101")
    carl.post(f"/mail/{row}/correct", account=said.format(name=name), account_was="C-112")
    with closing(Reader(log_path(site))) as reader:
        found = reader.row(row)
        (correction,) = handling.corrections(reader, row)
    assert found is not None
    assert found.account_id == account
    assert not correction.labelled


def test_other_means_none_of_them(carl: Browser, site: Config, row: int) -> None:
    carl.post(f"/mail/{row}/correct", category="other", back="/log?x=1")
    with closing(Reader(log_path(site))) as reader:
        found = reader.row(row)
    assert found is not None
    assert found.categories == ()


@pytest.mark.parametrize(
    ("back", "where"), [("/log?category=x", "/log?category=x"), ("//evil.example", "/"), ("", None)]
)
def test_afterwards_the_page_that_it_came_from_is_shown(carl: Browser, row: int, back: str, where: str | None) -> None:
    fields = {"csrf": carl.csrf, "text": "x", "back": back}
    answer = carl.client.post(f"/mail/{row}/note", data=fields, follow_redirects=False)
    assert answer.headers["location"] == (where or f"/mail/{row}")


# --- what is done about it --------------------------------------------------------------------------------------------


def test_state_owner_next_step_and_note_are_told_in_the_story(carl: Browser, site: Config, row: int) -> None:
    carl.post(f"/mail/{row}/state", state="waiting", was="open")
    carl.post(f"/mail/{row}/owner", person="lena", was="")
    carl.post(f"/mail/{row}/next", step="  Send   the offer ", by="2031-02-28", was="")
    page = carl.post(f"/mail/{row}/note", text="They called.\r\nVery <b>angry</b>.").text
    now = stands(site, row)
    assert (now.state, now.assigned, now.next_step) == ("waiting", "lena", "Send the offer")
    assert now.next_at == datetime(2031, 2, 28, 22, 59, tzinfo=UTC)
    assert "They called.\nVery &lt;b&gt;angry&lt;/b&gt;." in page
    story = page[page.index('<ol class="story">') :]
    assert story.count("carl</span>") == 4  # each act once, though events and audit log both have it
    assert "was open, is waiting" in story
    assert 'value="2031-02-28"' in page
    with closing(Reader(log_path(site))) as reader:
        assert {each.what for each in audits(reader, limit=9)} >= {
            "message.state",
            "message.owner",
            "message.next",
            "message.noted",
        }


def test_whoever_was_slower_is_told_who_was_faster(carl: Browser, site: Config, row: int) -> None:
    with browsing(site, "mona") as mona:
        mona.post(f"/mail/{row}/state", state="done", was="open")
        mona.post(f"/mail/{row}/owner", person="lena", was="=")
        mona.post(f"/mail/{row}/next", step="call them", was="=")
    assert carl.post(f"/mail/{row}/owner", person="marek", was="=").status_code == 409
    assert carl.post(f"/mail/{row}/next", step="write to them", was="=").status_code == 409
    answer = carl.post(f"/mail/{row}/state", state="waiting", was="open")
    assert answer.status_code == 409
    assert "mona changed this" in answer.text
    assert "was open, is done" in answer.text
    now = stands(site, row)
    assert (now.state, now.assigned, now.next_step) == ("done", "lena", "call them")


@pytest.mark.parametrize(
    ("what", "fields", "words"),
    [
        ("note", {"text": " \n "}, "The note is empty"),
        ("owner", {"person": "nobody-we-know"}, "Nobody of us is called"),
        ("next", {"step": "x", "by": "soon"}, "is no day"),
        ("next", {"step": "", "by": ""}, "Nothing was changed"),
        ("state", {"state": "open"}, "open already"),
    ],
)
def test_what_makes_no_sense_is_said(carl: Browser, row: int, what: str, fields: dict[str, str], words: str) -> None:
    assert words in carl.post(f"/mail/{row}/{what}", **fields).text


def test_too_much_is_refused(carl: Browser, site: Config, row: int) -> None:
    assert carl.post(f"/mail/{row}/note", text="x" * 6_000).status_code == 422
    assert carl.post(f"/mail/{row}/next", step="x" * 400).status_code == 422
    assert carl.post(f"/mail/{row}/state", state="burnt").status_code == 422
    assert stands(site, row).next_step == ""


# --- what was really sent ---------------------------------------------------------------------------------------------


def test_the_source_is_what_lies_in_the_mailbox_and_looking_changes_nothing(
    carl: Browser, site: Config, row: int
) -> None:
    with closing(Reader(log_path(site))) as reader:
        place = reader.locator(row)
    assert place is not None
    (file,) = inbox(site).glob(f"*/{place.key}*")
    before = (file.name, file.stat().st_mtime_ns)
    saved = carl.get(f"/mail/{row}/source.eml")
    assert saved.content == file.read_bytes()
    assert saved.headers["content-type"] == "message/rfc822"
    assert re.fullmatch(r'attachment; filename="T-\w{7}\.eml"', saved.headers["content-disposition"])
    assert saved.headers["x-content-type-options"] == "nosniff"
    page = carl.get(f"/mail/{row}/source").text
    assert "From: Tom Ashdown &lt;tom.ashdown@corvane-retail.example&gt;" in page
    assert (file.name, file.stat().st_mtime_ns) == before


def test_signs_that_deceive_are_shown_as_escapes(carl: Browser, site: Config) -> None:
    (row,) = lay(site, ["Subject: x\r\n\r\nfile\u202egpj.exe <script>".encode() + b"\xff\x00"])
    page = carl.get(f"/mail/{row}/source").text
    assert "file\\u202egpj.exe &lt;script&gt;\\xff\\x00" in page
    assert "\u202e" not in page


def test_one_that_we_filed_is_found_where_it_lies_now(carl: Browser, site: Config, row: int) -> None:
    with closing(Reader(log_path(site))) as reader:
        place, message = reader.locator(row), reader.message(row)
    assert place is not None
    assert message is not None
    (file,) = inbox(site).glob(f"*/{place.key}*")
    filed = inbox(site) / ".Billing" / "cur"
    for part in ("cur", "new", "tmp"):
        (inbox(site) / ".Billing" / part).mkdir(parents=True)
    octets = file.read_bytes()
    file.rename(filed / "another-key:2,S")
    page = carl.get(f"/mail/{row}/source").text
    assert "It lay in the folder “inbox” of the mailbox “desk” and is not there any more" in page
    with closing(Log(log_path(site))) as log, log.transaction():
        log.db.execute(
            "INSERT INTO effect (key, message, kind, lane, state, not_before_at, external_id, payload, detail, "
            "created_at, changed_at) VALUES ('file:x', ?, 'file', 'mailbox:desk', 'done', 0, '', json_object('key', "
            "'file:x', 'kind', 'file', 'folder', 'Billing', 'locator', json_object('mailbox', 'desk', 'folder', "
            "'inbox', 'key', ?)), 'moved to Billing', 0, 1)",
            (row, place.key),
        )
    assert carl.get(f"/mail/{row}/source.eml").content == octets
    assert "Filing: done" in carl.get(f"/mail/{row}").text


def test_one_that_was_deleted_is_said_to_be_gone(carl: Browser, site: Config, row: int) -> None:
    with closing(Reader(log_path(site))) as reader:
        place = reader.locator(row)
    assert place is not None
    for file in inbox(site).glob(f"*/{place.key}*"):
        file.unlink()
    for rest in ("html", "source"):
        answer = carl.get(f"/mail/{row}/{rest}")
        assert answer.status_code == 200
        assert "somebody moved or deleted it" in answer.text
    for rest in ("frame", "source.eml"):
        assert carl.get(f"/mail/{row}/{rest}").status_code == 404


def test_a_mailbox_that_does_not_answer_is_a_sentence(carl: Browser, site: Config, row: int) -> None:
    inbox(site).rename(inbox(site).with_name("elsewhere"))
    answer = carl.get(f"/mail/{row}/html")
    assert answer.status_code == 200
    assert 'role="status"' in answer.text
    assert carl.get(f"/mail/{row}").status_code == 200


def test_a_mail_in_quarantine_shows_what_was_kept_of_it(carl: Browser, site: Config) -> None:
    octets = b"Subject: broken\r\nContent-Type: text/html\r\n\r\n<p>kept <script>x</script>words"
    raw = Raw(Locator("desk", "inbox", "gone"), datetime.now(UTC), octets, len(octets) + 10)
    with closing(Log(log_path(site))) as log, log.transaction():
        row = log.quarantine(raw, key="q" * 32, cause="it took too long", now=datetime.now(UTC)).row
    page = carl.get(f"/mail/{row}").text
    assert "could not be read" in page
    assert "it took too long" in page
    assert "Subject: broken" in carl.get(f"/mail/{row}/source").text
    assert "the mailbox gave only its head" in carl.get(f"/mail/{row}/source").text
    assert "kept words" in carl.get(f"/mail/{row}/frame").text
    assert carl.get(f"/mail/{row}/why").status_code == 200


def test_plain_text_has_no_other_layout(carl: Browser, row: int) -> None:
    assert "written as plain text" in carl.get(f"/mail/{row}/html").text


def test_the_frame_is_closed_by_its_own_policy(carl: Browser, site: Config) -> None:
    (row,) = lay(site, [html_mail("<b>bold</b><img src=http://evil.example/1><img src=//evil.example/2>")])
    answer = carl.get(f"/mail/{row}/frame")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert policy.endswith("; sandbox")
    assert "<b>bold</b>" in answer.text
    page = carl.get(f"/mail/{row}/html").text
    assert "2 pictures from elsewhere were not loaded" in page
    assert re.search(r'<iframe class="mail-frame" sandbox src="/mail/\d+/frame" title="[^"]+"', page)
    assert "allow-" not in page


def test_links_are_listed_with_where_they_lead(carl: Browser, site: Config) -> None:
    html = "<a href='https://evil.example/login?x=1&y=2'>https://bank.example</a> <a href='mailto:a@b.example'>mail</a>"
    (row,) = lay(site, [html_mail(html)])
    frame, page = carl.get(f"/mail/{row}/frame").text, carl.get(f"/mail/{row}/html").text
    assert '<a data-link="1">https://bank.example</a> <a data-link="2">mail</a>' in frame
    assert 'href="https://evil.example/login?x=1&amp;y=2" rel="noopener noreferrer nofollow" target="_blank"' in page
    assert "<b>evil.example</b>" in page
    assert 'href="mailto:a@b.example"' in page


# --- in a browser -----------------------------------------------------------------------------------------------------


def test_a_mail_is_put_right_by_keyboard_alone_and_nothing_is_inaccessible(site: Config, page: Page, row: int) -> None:
    (laid,) = lay(site, [html_mail("<h1>Hello</h1><p>It is <a href='https://client.example/x'>here</a>.")])
    with serving(site) as address:
        sign_in(page, address, "carl", back=f"/mail/{row}")
        page.get_by_role("checkbox", name="request").focus()
        page.keyboard.press("Space")
        page.get_by_role("button", name="Put right").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("complaint → ")
        page.keyboard.press("c")
        page.keyboard.type("They called")
        page.get_by_role("button", name="Keep the note").press("Enter")
        expect(page.locator(".story")).to_contain_text("They called")
        page.locator("body").click(position={"x": 5, "y": 5})
        page.keyboard.press("d")
        expect(page.get_by_role("status")).to_contain_text("It is done")
        for path in (
            f"/mail/{row}",
            f"/mail/{row}/why?why_not=gold.toml:29",
            f"/mail/{row}/source",
            f"/mail/{laid}/html",
        ):
            for width in (1400, 390):
                page.set_viewport_size({"width": width, "height": 900})
                page.goto(address + path)
                found = Axe().run(page)
                assert found.violations_count == 0, (path, width, found.generate_report())
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)


def test_without_script_everything_works(site: Config, page: Page, row: int) -> None:
    context = page.context.browser.new_context(java_script_enabled=False)  # type: ignore[union-attr]
    plain = context.new_page()
    with serving(site) as address:
        sign_in(plain, address, "carl", back=f"/mail/{row}")
        plain.get_by_label("Next step").fill("Call them")
        plain.get_by_label("by", exact=True).fill("2031-01-02")
        plain.locator("form[action$='/next'] button").click()
        expect(plain.get_by_role("status")).to_contain_text("The next step is kept")
        plain.get_by_label("Who sees to it").select_option("lena")
        plain.locator("form[action$='/owner'] button").click()
        expect(plain.get_by_role("status")).to_contain_text("sees to it")
        plain.get_by_label("Why did a rule not decide?").select_option(index=3)
        plain.get_by_role("button", name="Look").click()
        expect(plain.get_by_role("heading", level=1)).to_have_text("Why it was decided so")
    context.close()
