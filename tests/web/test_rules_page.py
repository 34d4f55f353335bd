"""Rules at the desk: what is in use, editing with its checks, saving with a reason, history, what past mail says."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.desk import lay_out_site
from tests.unit.test_zoo import OF_RULES, ZOO, expected
from tests.web.site import Browser, add_users, browsing, mails, serving, set_in_desk, sign_in
from triaged.config import load_config
from triaged.log import users
from triaged.log.read import Reader
from triaged.log.rulesets import last_use
from triaged.log.store import Log
from triaged.settings import Config
from triaged.web.commands import PREFIX
from triaged.wire import log_path
from triaged.worker import note
from triaged.worker.reload import request_path

LOUD = """
[[rule]]
name = "Loud"
because = "They shout"
when.says = ["delivery", "invoice"]
then.tag = "loud"

  [[rule.example]]
  mail = "Where is the delivery?"
  gives.tag = "loud"
"""
UNSEEN = re.compile(r"<[^>]+>")


def words(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(html.unescape(UNSEEN.sub(" ", page)).split())


def text_in(page: str) -> str:
    """What stands in the editor."""
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


def file_of(config: Config, name: str) -> Path:
    return config.path(config.service.rules_dir) / name


def audits(config: Config) -> list[users.AuditRow]:
    with closing(Reader(log_path(config))) as reader:
        return users.audits(reader, limit=10)


# --- what there is ----------------------------------------------------------------------------------------------


def test_the_page_says_what_decides_and_how_often_each_rule_held(carl: Browser, site: Config) -> None:
    with closing(Reader(log_path(site))) as reader:
        use = last_use(reader)
        decisions = [reader.decision(number) for number in mails(site).values()]
    assert use is not None
    held = sum(trace.name == "Request" and trace.fired for each in decisions if each for trace in each.rules)
    page = carl.get("/rules?find=The client knows that it has arrived").text
    assert use.rules_id in page
    assert "What lies in the folders is what is in use" in page
    assert "lists/call-words.txt" in page
    assert held > 5
    assert f"Request The client knows that it has arrived and by when somebody answers {held} {held}" in words(page)
    assert "1 rule found" in words(page)


def test_what_is_on_disk_and_not_in_use_is_told_with_its_problems_by_line(carl: Browser, site: Config) -> None:
    file = file_of(site, "gold.toml")
    file.write_text(file.read_text(encoding="utf-8") + LOUD, encoding="utf-8")
    assert "gold.toml: 1 rule added (Loud)" in words(carl.get("/rules").text)
    line = len(file.read_text(encoding="utf-8").split("\n"))
    file.write_text(file.read_text(encoding="utf-8") + "then.priorty = 1\n", encoding="utf-8")
    page = carl.get("/rules").text
    assert f'href="/rules/edit/gold.toml?line={line}"' in page
    assert "The rules cannot be read" in page


def test_a_viewer_reads_and_may_not_write(site: Config) -> None:
    before = file_of(site, "gold.toml").read_bytes()
    with browsing(site, "vera") as vera:
        page = vera.get("/rules/edit/gold.toml").text
        assert "readonly" in page
        assert "Save and use" not in page
        fields = {"text": "", "was": text_in(page), "why": "no", "do": "save"}
        assert vera.post("/rules/edit/gold.toml", **fields).status_code == 403
        assert vera.get("/rules/edit/none.toml").status_code == 404
        assert vera.get("/rules/words").status_code == 200
    assert file_of(site, "gold.toml").read_bytes() == before


@pytest.mark.parametrize(
    "name",
    [
        *("../config.toml", "..%2fconfig.toml", "%2e%2e/config.toml", "/etc/passwd.eml", "x/../../a.eml", "a/b.toml"),
        *("lists/../../a.txt", ".hidden.toml", "do-not-answer.txt", "lists/.x.txt", "a%00.toml", "lists/a/b.txt", ""),
    ],
)
def test_no_name_leads_out_of_the_folder(carl: Browser, site: Config, name: str) -> None:
    before = sorted(path for path in site.base.rglob("*") if "state" not in path.parts)
    assert carl.get(f"/rules/edit/{name}").status_code in (404, 405)
    assert carl.post(f"/rules/edit/{name}", text="x", do="save", why="x").status_code in (404, 405)
    assert carl.post("/rules/check", name=f"rules/{unquote(name)}", text="x").status_code == 404
    assert sorted(path for path in site.base.rglob("*") if "state" not in path.parts) == before


@pytest.mark.parametrize("name", ["../a.toml", "a.txt", "A b.toml ", "lists/x.toml", "x.eml", ".toml"])
def test_a_new_file_gets_a_name_that_works(carl: Browser, name: str) -> None:
    response = carl.client.get("/rules/new", params={"name": name}, follow_redirects=False)
    if name.strip() == "A b.toml":
        assert response.headers["location"] == "/rules/edit/A%20b.toml"
    else:
        assert response.status_code == 422
        assert "can be called" in response.text


# --- checking ---------------------------------------------------------------------------------------------------


def test_a_mistake_is_told_by_line_with_and_without_script(carl: Browser) -> None:
    text = text_in(carl.get("/rules/edit/gold.toml").text) + LOUD.replace("then.tag", "then.tagg")
    line = text.split("\n").index('then.tagg = "loud"') + 1
    answer = carl.post("/rules/check", name="rules/gold.toml", text=text).json()
    (problem,) = answer["told"]
    assert (problem["kind"], problem["line"], problem["here"]) == ("error", line, True)
    assert "did you mean 'tag'" in problem["what"]
    page = carl.post("/rules/edit/gold.toml", text=text.replace("\n", "\r\n"), was="", do="check").text
    assert f'data-line="{line}"' in page
    assert "1 problem: it cannot be saved like this." in page
    assert text_in(page) == text


def test_a_hint_is_told_for_the_file_at_hand_alone(carl: Browser) -> None:
    never = '[[rule]]\nname = "Never"\nwhen.account = "none"\nwhen.tier = "gold"\nthen.tag = "x"\n'
    told = carl.post("/rules/check", name="rules/new.toml", text=never).json()["told"]
    assert [each["kind"] for each in told] == ["hint"] * len(told)
    assert any("exclude each other" in each["what"] for each in told)
    assert all(each["here"] for each in told)


def test_what_breaks_another_file_leads_there(carl: Browser) -> None:
    told = carl.post("/rules/check", name="rules/lists/call-words.txt", text="@gold\n").json()["told"]
    assert ("lists/call-words.txt:1", True) in [(each["where"], each["here"]) for each in told]
    broken = carl.post("/templates/check", name="templates/complaint.txt", text="nothing").json()["told"]
    assert broken[0]["here"]


def test_the_whole_zoo_can_be_pasted_in(tmp_path: Path) -> None:
    """Each broken file as a draft: never a fault of ours, and what is wrong is told by its line."""
    site = lay_out_site(tmp_path)
    with closing(Log(log_path(site))):
        pass
    add_users(site)
    pasted = named = 0
    with browsing(site, "carl") as carl:
        for name in OF_RULES:
            sources = [path for path in (ZOO / name).rglob("*") if path.is_file() and path.name != "expect.txt"]
            for path in sources:
                part = path.relative_to(ZOO / name).as_posix()
                text = path.read_bytes().decode("utf-8", "replace")
                response = carl.post("/rules/check", name=part, text=text)
                if part.endswith(".eml"):
                    continue
                assert response.status_code == 200, (name, part)
                pasted += 1
                told = [f"{each['where']}: {each['what']}" for each in response.json()["told"]]
                alone = len(sources) == 1 and "\ufffd" not in text and "\0" not in text
                wanted = [line for line in expected(name) if ": the example " not in line] if alone else []
                for line in wanted:
                    assert any(each.startswith(line) for each in told), (name, line, told)
                    named += 1
                if pasted % 10 == 0:
                    page = carl.post(f"/{part.replace('/', '/edit/', 1)}", text=text, was="", do="check")
                    assert page.status_code == 200, (name, part)
    assert pasted > 80
    assert named > 60


# --- saving -----------------------------------------------------------------------------------------------------


def test_a_save_needs_a_reason_and_a_change(carl: Browser, site: Config) -> None:
    was = text_in(carl.get("/rules/edit/gold.toml").text)
    fields = {"text": was + LOUD, "was": was, "do": "save"}
    response = carl.post("/rules/edit/gold.toml", **fields, why="  ")
    assert response.status_code == 422
    assert "Write why" in response.text
    assert text_in(response.text) == was + LOUD
    response = carl.post("/rules/edit/gold.toml", text=was, was=was, do="save", why="nothing")
    assert "Nothing is changed" in response.text
    assert LOUD not in file_of(site, "gold.toml").read_text(encoding="utf-8")


def test_without_a_worker_it_is_saved_and_waits_for_one(carl: Browser, site: Config) -> None:
    file = file_of(site, "gold.toml")
    file.chmod(0o640)
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    was = text_in(carl.get("/rules/edit/gold.toml").text)
    assert "\r" not in was
    text = (was + LOUD).replace("\n", "\r\n")  # as a browser sends it
    response = carl.post("/rules/edit/gold.toml", text=text, was=was, do="save", why="They shout at us")
    assert "No worker runs; it takes rule set" in response.text
    assert file.read_bytes() == (was + LOUD).replace("\n", "\r\n").encode()
    assert file.stat().st_mode & 0o777 == 0o640
    asked = note.get(request_path(site.state_dir))
    assert (asked["who"], asked["why"], asked["how"]) == ("carl", "They shout at us", "loaded")
    row = audits(site)[0]
    assert (row.who, row.what, row.about) == ("carl", "rules.save", "rules/gold.toml")
    assert "They shout at us" in row.detail
    assert "1 rule added (Loud)" in row.detail
    assert "not tried" in row.detail
    assert list(site.state_dir.glob(f"{PREFIX}*")) == []


def test_what_somebody_saved_meanwhile_is_never_overwritten(carl: Browser, site: Config) -> None:
    file = file_of(site, "gold.toml")
    was = text_in(carl.get("/rules/edit/gold.toml").text)
    theirs = was.replace("Gold accounts", "Golden accounts")
    file.write_text(theirs, encoding="utf-8")
    response = carl.post("/rules/edit/gold.toml", text=was + LOUD, was=was, do="save", why="They shout")
    assert response.status_code == 409
    assert file.read_text(encoding="utf-8") == theirs
    told = words(response.text)
    assert "Somebody changed this file while you edited it" in told
    assert "the file belongs to" in told
    assert "<ins>+because = &#34;Golden accounts" in response.text
    assert "<ins>+name = &#34;Loud&#34;" in response.text
    assert text_in(response.text) == was + LOUD
    again = html.unescape(re.search(r'name="was" value="([^"]*)"', response.text)[1])  # type: ignore[index]
    assert again == theirs
    merged = theirs + LOUD
    assert carl.post("/rules/edit/gold.toml", text=merged, was=again, do="save", why="Both").status_code == 200
    assert file.read_text(encoding="utf-8") == merged


def test_a_colleague_at_the_desk_is_named_in_a_conflict(carl: Browser, site: Config) -> None:
    was = text_in(carl.get("/rules/edit/lists/call-words.txt").text)
    with browsing(site, "mona") as mona:
        fields = {"text": was + "ring me\n", "was": was, "do": "save", "why": "One more"}
        assert "Saved" in mona.post("/rules/edit/lists/call-words.txt", **fields).text
    fields = {"text": was + "phone me\n", "was": was, "do": "save", "why": "Mine"}
    response = carl.post("/rules/edit/lists/call-words.txt", **fields)
    assert response.status_code == 409
    assert "mona saved it at this desk: One more" in words(response.text)


def test_an_example_that_does_not_come_out_keeps_it_from_being_saved(carl: Browser, site: Config) -> None:
    before = file_of(site, "gold.toml").read_bytes()
    was = text_in(carl.get("/rules/edit/gold.toml").text)
    text = was + LOUD.replace('gives.tag = "loud"', 'gives.priority = "urgent"')
    assert carl.post("/rules/check", name="rules/gold.toml", text=text).json()["told"] == []
    response = carl.post("/rules/edit/gold.toml", text=text, was=was, do="save", why="They shout")
    assert response.status_code == 422
    assert "the example should give priority urgent, but gives" in words(response.text)
    assert file_of(site, "gold.toml").read_bytes() == before
    assert audits(site) == []


def test_of_two_broken_files_one_can_be_mended_first(carl: Browser, site: Config) -> None:
    for name in ("gold.toml", "evenings.toml"):
        file = file_of(site, name)
        file.write_text(file.read_text(encoding="utf-8") + "\nthen.priorty = 1\n", encoding="utf-8")
    was = text_in(carl.get("/rules/edit/gold.toml").text)
    mended = was.replace("\nthen.priorty = 1\n", "")
    response = carl.post("/rules/edit/gold.toml", text=mended, was=was, do="save", why="Mended")
    assert "Saved" in response.text
    worse = carl.post("/rules/edit/gold.toml", text=mended + "x", was=mended, do="save", why="Worse")
    assert worse.status_code == 422
    assert file_of(site, "gold.toml").read_text(encoding="utf-8") == mended.rstrip("\n") + "\n"


def test_a_file_is_taken_away_and_lies_beside(carl: Browser, site: Config) -> None:
    file = file_of(site, "evenings.toml")
    octets = file.read_bytes()
    was = text_in(carl.get("/rules/edit/evenings.toml").text)
    response = carl.post("/rules/edit/evenings.toml", text=was, was=was, do="remove", why="We work in shifts now")
    assert "Saved" in response.text
    assert not file.exists()
    (aside,) = file.parent.glob("evenings.toml.before-*")
    assert aside.read_bytes() == octets
    with closing(Reader(log_path(site))) as reader:
        use = last_use(reader)
    assert use is not None
    page = carl.get(f"/rules/restore/{use.rules_id}").text
    assert "evenings.toml added" in words(page)
    seen = re.search(r'name="seen" value="(\w+)"', page)
    assert seen is not None
    assert "Saved" in carl.post(f"/rules/restore/{use.rules_id}", seen=seen[1], why="We do not").text
    assert file.read_bytes() == octets
    assert "it never decided" in words(carl.get("/rules/history").text)  # the set without it is kept


def test_a_file_that_cannot_be_written_says_so(carl: Browser, site: Config) -> None:
    file = file_of(site, "gold.toml")
    was = text_in(carl.get("/rules/edit/gold.toml").text)
    file.with_name(".gold.toml.draft").mkdir()  # stands where the new text is written first
    response = carl.post("/rules/edit/gold.toml", text=was + LOUD, was=was, do="save", why="They shout")
    assert response.status_code == 409
    assert "cannot be written" in response.text
    assert text_in(response.text) == was + LOUD
    assert file.read_text(encoding="utf-8") == was
    assert audits(site) == []


def test_where_the_service_may_not_write_the_operator_is_told_what_to_do(carl: Browser, site: Config) -> None:
    folders = [Path("/sys/kernel/mm/transparent_hugepage"), Path("/sys/kernel")]
    there = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()) if readable(path)]
    if len(there) == 0:
        pytest.skip("needs a file of text in /sys")
    list_ = file_of(site, "lists/kernel.txt")
    list_.symlink_to(there[0])
    was = text_in(carl.get("/rules/edit/lists/kernel.txt").text)
    response = carl.post("/rules/edit/lists/kernel.txt", text=was + "more\n", was=was, do="save", why="Try")
    assert response.status_code == 409
    assert "ReadWritePaths=" in response.text
    assert audits(site) == []


def readable(path: Path) -> bool:
    """Whether it is a short plain text that could be a list."""
    try:
        return path.is_file() and 0 < len(path.read_bytes()) < 500 and path.read_text(encoding="ascii").strip() != ""
    except (OSError, UnicodeDecodeError):
        return False


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told_before_anybody_types(carl: Browser, site: Config) -> None:
    folder = file_of(site, "")
    folder.chmod(0o555)
    try:
        assert "ReadWritePaths=" in carl.get("/rules").text
        assert "ReadWritePaths=" in carl.get("/rules/edit/gold.toml").text
    finally:
        folder.chmod(0o755)


# --- with a worker ----------------------------------------------------------------------------------------------


@contextmanager
def working(config: Config) -> Iterator[None]:
    """A worker that runs, without a desk of its own, as the configuration is now."""
    alone, said = config.base / "worker.toml", config.base / "said"
    shutil.copyfile(config.file, alone)
    set_in_desk(load_config(alone), "listen", "")
    command = [sys.executable, "-m", "triaged", "run", "--config", str(alone)]
    with said.open("wb") as file, subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=file) as process:
        try:
            give_up_at = time.monotonic() + 120
            while " ready mailboxes=" not in said.read_text(encoding="utf-8"):
                assert process.poll() is None, said.read_text(encoding="utf-8")
                assert time.monotonic() < give_up_at, said.read_text(encoding="utf-8")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


def test_a_running_worker_takes_it_and_the_history_says_who_and_why(site: Config) -> None:
    text = site.file.read_text(encoding="utf-8")
    with working(site), browsing(site, "carl") as carl:
        was = text_in(carl.get("/rules/edit/gold.toml").text)
        response = carl.post("/rules/edit/gold.toml", text=was + LOUD, was=was, do="save", why="They shout at us")
        assert "Saved, and in use" in response.text
        rows = words(carl.get("/rules/history").text)
        assert "carl, loaded They shout at us gold.toml: 1 rule added (Loud)" in rows
        with closing(Reader(log_path(site))) as reader:
            use = last_use(reader)
        assert use is not None
        first = re.search(rf"/rules/diff\?first=(\w+)&amp;second={use.rules_id}", carl.get("/rules/history").text)
        assert first is not None
        assert "+name = " in carl.get(f"/rules/diff?first={first[1]}&second={use.rules_id}").text

        page = carl.get(f"/rules/restore/{first[1]}").text
        assert "-name = &#34;Loud&#34;" in page
        seen = re.search(r'name="seen" value="(\w+)"', page)
        assert seen is not None
        wrong = carl.post(f"/rules/restore/{first[1]}", seen="0" * 12, why="Too loud")
        assert wrong.status_code == 409
        assert carl.post(f"/rules/restore/{first[1]}", seen=seen[1], why="").status_code == 422
        response = carl.post(f"/rules/restore/{first[1]}", seen=seen[1], why="It was too loud")
        assert "Saved, and in use" in response.text
        assert "carl, restored It was too loud" in words(response.text)
        assert file_of(site, "gold.toml").read_text(encoding="utf-8") == was
        assert [row.what for row in audits(site)] == ["rules.restore", "rules.save"]
        assert carl.get("/rules/restore/ffffffffffff").status_code == 409

        # somebody new in config.toml, whom the worker hears of when it starts anew
        new = text.replace('id = "lena"', 'id = "lenka"', 1)
        assert new != text
        site.file.write_text(text + new[new.index("[[person]]") : new.index("[[person]]", new.index("lenka"))])
        with browsing(load_config(site.file), "carl") as later:
            rule = LOUD.replace('then.tag = "loud"', 'then.assign = "lenka"').replace("gives.tag", "not.tag")
            response = later.post("/rules/edit/gold.toml", text=was + rule, was=was, do="save", why="For Lenka")
            assert "Saved, but not in use" in response.text
            assert "there is no person" in words(response.text)
            assert "reads config.toml only when it starts" in words(response.text)


# --- past mail --------------------------------------------------------------------------------------------------


def ended(carl: Browser, address: str) -> str:
    """The page of a trial once it is over."""
    for thread in threading.enumerate():
        if thread.name == "trial":
            thread.join(120)
    return carl.get(address).text


def test_what_would_change_is_tried_on_past_mail_and_touches_nothing(carl: Browser, site: Config) -> None:
    before = file_of(site, "gold.toml").read_bytes()
    was = text_in(carl.get("/rules/edit/gold.toml").text)
    fields = {"data": {"csrf": carl.csrf, "text": was + LOUD, "was": was, "do": "try", "why": "They shout"}}
    begun = carl.client.post("/rules/edit/gold.toml", **fields, follow_redirects=False)  # type: ignore[arg-type]
    address = begun.headers["location"]
    assert "data-running" in carl.get(address).text
    busy = carl.client.post("/rules/edit/gold.toml", **fields)  # type: ignore[arg-type]
    assert busy.status_code == 409
    assert "carl tries an edit just now" in busy.text
    assert text_in(busy.text) == was + LOUD
    (draft,) = site.state_dir.glob(f"{PREFIX}*")
    assert draft.stat().st_mode & 0o777 == 0o700

    page = ended(carl, address)
    assert "data-running" not in page
    found = re.search(r"(\d+) of (\d+) mails would be decided otherwise", words(page))
    assert found is not None
    assert 0 < int(found[1]) < int(found[2])
    assert len(re.findall(r'href="/mail/\d+"', page)) == int(found[1])
    assert "tags : none → loud" in words(page)
    assert "gold.toml: 1 rule added (Loud)" in words(page)
    assert list(site.state_dir.glob(f"{PREFIX}*")) == []
    assert file_of(site, "gold.toml").read_bytes() == before

    back = carl.post("/rules/edit/gold.toml", text=was + LOUD, was=was, do="edit", why="They shout").text
    assert text_in(back) == was + LOUD
    assert f'href="{address}"' in back
    assert "Saved" in carl.post("/rules/edit/gold.toml", text=was + LOUD, was=was, do="save", why="They shout").text
    assert f"tried: {found[0]}" in audits(site)[0].detail


def test_what_is_wrong_is_not_tried(carl: Browser) -> None:
    response = carl.post("/rules/edit/gold.toml", text="[[rule]]\n", was="", do="try")
    assert response.status_code == 422
    assert "what is wrong stands below" in response.text
    assert carl.get("/rules/try/unknown").status_code == 404


# --- from a mail to a rule --------------------------------------------------------------------------------------


def test_a_mail_becomes_an_example_below_its_rule(carl: Browser, site: Config) -> None:
    with closing(Reader(log_path(site))) as reader:
        found = [
            (number, reader.decision(number))
            for number in mails(site).values()
            if "complaint" in reader.row(number).categories  # type: ignore[union-attr]
        ]
    number = next(n for n, each in found if each and any(t.name == "Strong words" and t.fired for t in each.rules))
    page = carl.get(f"/rules/new-example?mail={number}&rule=Strong+words").text
    text = text_in(page)
    assert text.startswith("  [[rule.example]]")
    response = carl.post("/rules/new-example", rule="Strong words", text=text)
    draft = text_in(response.text)
    start = draft.index('name = "Strong words"')
    assert start < draft.index(text) < draft.index("[[rule]]", start)
    assert carl.post("/rules/check", name="rules/complaint.toml", text=draft).json()["told"] == []
    assert text not in file_of(site, "complaint.toml").read_text(encoding="utf-8")
    assert carl.get(f"/rules/new-example?mail={number}&rule=none").status_code == 404
    assert carl.get("/rules/new-example?mail=99999").status_code == 404


# --- in a browser -----------------------------------------------------------------------------------------------


def axe(page: Page) -> list[str]:
    return [each["id"] for each in Axe().run(page).response["violations"]]


def test_in_a_browser(site: Config, page: Page) -> None:
    with serving(site) as address:
        sign_in(page, address, "carl", back="/rules/edit/gold.toml")
        text = page.get_by_label("Text of the file")
        good = text.input_value()
        text.fill(good + LOUD.replace("then.tag", "then.tagg"))
        line = (good + LOUD).split("\n").index('then.tag = "loud"') + 1
        expect(page.locator("#found")).to_contain_text("1 problem")
        expect(page.locator(".lines .error")).to_have_text(str(line))
        assert axe(page) == []
        page.get_by_role("link", name=f"line {line}").click()
        assert page.evaluate("document.getSelection().toString()") == 'then.tagg = "loud"'
        page.keyboard.type('then.tag = "loud"')
        expect(page.locator("#found")).to_contain_text("Nothing is wrong")
        expect(page.locator(".lines .error")).to_have_count(0)

        page.get_by_role("button", name="See what would change").click()
        expect(page.get_by_role("heading", level=2).first).to_contain_text("would be decided otherwise", timeout=60_000)
        assert axe(page) == []
        page.get_by_role("button", name="Back to the text").click()
        page.get_by_label("Why").fill("They shout at us")
        page.keyboard.press("Enter")
        expect(page.locator(".said")).to_contain_text("Saved.", timeout=30_000)
        assert file_of(site, "gold.toml").read_text(encoding="utf-8") == good + LOUD
        for path in ("/rules", "/rules?find=gold", "/rules/history", "/rules/diff", "/rules/words", "/rules/new"):
            page.goto(address + path)
            assert axe(page) == [], path
