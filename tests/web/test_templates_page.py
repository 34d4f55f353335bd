"""Templates at the desk: who gets which, editing with a look at the mail that comes of it, saving."""

from __future__ import annotations

import html
from contextlib import closing
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.site import Browser, browsing, mails, serving, sign_in
from tests.web.test_rules_page import audits, text_in, words
from triaged.log.read import Reader
from triaged.settings import Config
from triaged.web.commands import PREFIX
from triaged.wire import log_path


def file_of(config: Config, name: str) -> Path:
    return config.path(config.service.templates_dir) / name


def looked_at(carl: Browser, text: str, *, name: str = "complaint.txt", mail: str = "") -> str:
    """What the frame shows of a draft."""
    response = carl.post("/templates/preview", name=f"templates/{name}", text=text, mail=mail)
    assert response.status_code == 200
    assert "script" not in response.headers["content-security-policy"]
    return html.unescape(response.text)


def test_the_page_says_who_gets_which_text(carl: Browser, site: Config) -> None:
    page = carl.get("/templates").text
    assert "by the rules “Complaint”, “Complaint, sure”" in words(page)
    assert 'href="/templates/edit/complaint.de.txt"' in page
    assert "nothing to say" in page
    file_of(site, "feedback.txt").write_text("Subject: Hi\n\nDear {{ contact }},\n\nthank you.\n", encoding="utf-8")
    told = words(carl.get("/templates").text)
    assert "no rule names it" in told
    assert "when 'contact' is empty" in told


def test_the_mail_shows_what_is_typed_and_nothing_is_sent(carl: Browser) -> None:
    text = text_in(carl.get("/templates/edit/complaint.txt").text)
    shown = looked_at(carl, text.replace("seriously", "to heart"))
    assert "The values are made up." in shown
    assert "Ann Archer <ann.archer@harbour.example>" in shown
    assert "We take what you write to heart." in shown
    german = text_in(carl.get("/templates/edit/complaint.de.txt").text)
    assert "Jana Vogt" in looked_at(carl, german, name="complaint.de.txt")
    assert "<h1>" in looked_at(carl, LAYOUT, name="layout.html")


LAYOUT = "<h1>{{ subject }}</h1>{% for paragraph in paragraphs %}<p>{{ paragraph|join(' ') }}</p>{% endfor %}"


def test_the_mail_that_the_writer_of_a_logged_mail_would_get(carl: Browser, site: Config) -> None:
    with closing(Reader(log_path(site))) as reader:
        answers = {subject: (number, reader.decision(number)) for subject, number in mails(site).items()}
    subject, number = next(
        (subject, number)
        for subject, (number, each) in answers.items()
        if each is not None and each.acknowledge.would_send and each.acknowledge.template == "complaint"
    )
    text = "Subject: About {{ subject }}\n\nWe heard you.\n\n{{ reference }}\n{{ slots }}\n"
    shown = looked_at(carl, text, mail=str(number))
    assert f"Mail {number}, T-" in shown
    assert "We heard you." in shown
    assert f"About {subject}" in shown
    assert "There is nothing to show: there is no mail 99999 in the log" in looked_at(carl, text, mail="99999")
    assert "is no number and no reference" in looked_at(carl, text, mail="--config=/etc/passwd")
    assert list(site.state_dir.glob(f"{PREFIX}*")) == []


@pytest.mark.parametrize(
    "sign",
    ["{{ ''.__class__ }}", "{% set x = 1 %}", "{% include 'config.toml' %}", "{{ contact() }}", "{{ nobody }}", "{%"],
)
def test_what_a_template_may_not_do_is_told_by_its_line(carl: Browser, sign: str) -> None:
    text = f"Subject: Hello\n\nfirst\n{sign}\n"
    (problem, *_) = carl.post("/templates/check", name="templates/complaint.txt", text=text).json()["told"]
    assert (problem["kind"], problem["line"], problem["here"]) == ("error", 4, True)
    assert "There is nothing to show yet." in looked_at(carl, text)
    page = carl.post("/templates/edit/complaint.txt", text=text, was="", do="check").text
    assert "<b>line 4" in page or ">line 4</a>" in page


def test_what_would_come_out_wrong_is_a_hint(carl: Browser) -> None:
    text = "Subject: Hello\n\nDear {{ contact }},\n\nthank you. {{ reference }}\n{{ slots }}\n"
    found = carl.post("/templates/check", name="templates/complaint.txt", text=text).json()["told"]
    assert ("hint", 3) in [(each["kind"], each["line"]) for each in found]
    assert all(each["here"] for each in found)


def test_a_template_is_saved_with_a_reason_and_a_conflict_is_shown(carl: Browser, site: Config) -> None:
    file = file_of(site, "complaint.txt")
    was = text_in(carl.get("/templates/edit/complaint.txt").text)
    new = was.replace("seriously", "to heart")
    assert new != was
    response = carl.post("/templates/edit/complaint.txt", text=new, was=was, do="save", why="Warmer")
    assert "Saved" in response.text
    assert file.read_text(encoding="utf-8") == new
    row = audits(site)[0]
    assert (row.who, row.what, row.about) == ("carl", "templates.save", "templates/complaint.txt")
    response = carl.post("/templates/edit/complaint.txt", text=was + "x", was=was, do="save", why="Colder")
    assert response.status_code == 409
    assert "carl saved it at this desk: Warmer" in words(response.text)
    assert file.read_text(encoding="utf-8") == new


def test_a_template_that_a_rule_names_is_not_taken_away(carl: Browser, site: Config) -> None:
    was = text_in(carl.get("/templates/edit/renewal.txt").text)
    response = carl.post("/templates/edit/renewal.txt", text=was, was=was, do="remove", why="Old")
    assert response.status_code == 422
    assert 'href="/rules/edit/handling.toml?line=' in response.text
    assert file_of(site, "renewal.txt").exists()


@pytest.mark.parametrize("name", ["../config.toml", "a/b.txt", "x.toml", ".a.txt", "..%2f..%2fx.txt", "rules/a.toml"])
def test_no_name_leads_out_of_the_folder(carl: Browser, name: str) -> None:
    assert carl.get(f"/templates/edit/{name}").status_code in (404, 405)
    assert carl.post(f"/templates/edit/{name}", text="x", do="save", why="x").status_code in (404, 405)
    assert carl.post("/templates/preview", name=f"templates/{name}", text="x").status_code == 404


def test_a_new_template_begins_with_its_name(carl: Browser) -> None:
    response = carl.client.get("/templates/new", params={"name": "feedback.de.txt"}, follow_redirects=False)
    assert response.headers["location"] == "/templates/edit/feedback.de.txt"
    assert text_in(carl.get("/templates/edit/feedback.de.txt").text).startswith("Subject: ")
    assert "can be called" in carl.get("/templates/new?name=Feedback.txt").text


def test_a_viewer_looks_and_does_not_write(site: Config) -> None:
    with browsing(site, "vera") as vera:
        page = vera.get("/templates/edit/complaint.txt").text
        assert "readonly" in page
        assert "Save and use" not in page
        assert "Ann Archer" in looked_at(vera, text_in(page))
        assert vera.post("/templates/edit/complaint.txt", text="x", do="save", why="x").status_code == 403


def test_in_a_browser(site: Config, page: Page) -> None:
    with serving(site) as address:
        sign_in(page, address, "carl", back="/templates/edit/complaint.txt")
        frame = page.frame_locator("iframe[name=preview]")
        letter = frame.frame_locator("iframe")
        expect(letter.locator("body")).to_contain_text("Dear Ann Archer")
        text, steps = page.get_by_label("Text of the file"), page.evaluate("history.length")
        good = text.input_value()
        text.fill(good.replace("Thank you for telling us", "We are sorry"))
        expect(letter.locator("body")).to_contain_text("We are sorry")
        assert page.evaluate("history.length") == steps
        text.fill(good.replace("{{ team }}", "{{ teem }}"))
        expect(page.locator("#found")).to_contain_text("1 problem")
        expect(frame.locator("body")).to_contain_text("did you mean 'team'")
        assert [each["id"] for each in Axe().run(page).response["violations"]] == []
        for path in ("/templates", "/templates/new", "/templates/edit/layout.html"):
            page.goto(address + path)
            assert [each["id"] for each in Axe().run(page).response["violations"]] == [], path


def test_the_list_tells_what_was_saved_on_disk_since_it_was_looked_at(carl: Browser, site: Config) -> None:
    assert "{% endif" not in carl.get("/templates").text
    file = site.base / "templates/complaint.txt"
    file.write_text(file.read_text(encoding="utf-8") + "\n{% if broken\n", encoding="utf-8")
    told = carl.get("/templates").text
    assert "complaint.txt:" in told
    file.write_text(file.read_text(encoding="utf-8").replace("\n{% if broken\n", ""), encoding="utf-8")
    assert "complaint.txt:" not in carl.get("/templates").text
