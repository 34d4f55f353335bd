"""The import of accounts: what is shown before anything changes, what is applied, what becomes of any other file."""

from __future__ import annotations

import dataclasses
import html
import re
from contextlib import closing
from datetime import UTC, datetime

import httpx2 as httpx
import pytest

from tests.web.site import Browser, browsing
from tests.web.test_accounts import audited, put, stored
from triaged.accounts.read_csv import COLUMNS
from triaged.log.merges import merge
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.model import Account
from triaged.settings import Config
from triaged.web.accountimport import MAX_FILE_BYTES
from triaged.wire import log_path

HEADER = ",".join(COLUMNS)
NEW = "A-1,Acme Ärzte GmbH,acme.example,,Ann <ann@acme.example>,lena,gold,N-1,2027-03-31,Europe/Berlin,de,,"
CHANGED = (
    "C-102,Spedition Hellweg & Sohn KG,hellweg-spedition.example,,"
    "Aylin Kaya <a.kaya@hellweg-spedition.example>;Dirk Hellweg <d.hellweg@hellweg-spedition.example>,"
    "lena,silver,NL-2022-0102,2027-03-31,Europe/Berlin,de,,"
)
FILE = f"{HEADER}\n{NEW}\n{CHANGED}\n"


def upload(browser: Browser, octets: bytes, name: str = "accounts.csv") -> httpx.Response:
    return browser.client.post(
        "/accounts/import", data={"csrf": browser.csrf}, files={"file": (name, octets, "text/csv")}
    )


def hidden(response: httpx.Response) -> dict[str, str]:
    """What the button of the preview sends, as a browser does it: line ends of a form are CRLF."""
    form = response.text.split('action="/accounts/import/apply"')[1].split("</form>")[0]
    fields = {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
    text = html.unescape(form.split('<textarea name="text" hidden aria-hidden="true">')[1].split("</textarea>")[0])
    text = text.removeprefix("\n").replace("\r\n", "\n").replace("\n", "\r\n")
    return {name: fields[name] for name in ("name", "seen", "revision")} | {"text": text}


def apply(browser: Browser, fields: dict[str, str]) -> httpx.Response:
    """As the form is sent: multipart, each field a part."""
    parts = {name: (None, value) for name, value in ({"csrf": browser.csrf} | fields).items()}
    return browser.client.post("/accounts/import/apply", files=parts)


def everything(config: Config) -> tuple[Account, ...]:
    with closing(Reader(log_path(config))) as reader:
        return reader.accounts()


def test_the_preview_tells_what_would_change_and_changes_nothing(carl: Browser, site: Config) -> None:
    before = everything(site)
    page = html.unescape(upload(carl, FILE.encode()).text)
    tiles = re.findall(r"<b>(\d+)</b> <span>([^<]*)", page)
    assert tiles == [("1", "added"), ("1", "changed"), ("0", "the same"), ("19", "not in the file, they stay")]
    changed = page.split('id="changed"')[1].split("</section>")[0]
    assert "Account manager" in changed
    assert "<del>marek</del>" in changed
    assert "<ins>lena</ins>" in changed
    assert "Contacts" not in changed, "they are the same in another order"
    assert "Acme Ärzte GmbH" in page.split('id="added"')[1]
    assert "Look at this first" not in page
    assert everything(site) == before
    assert audited(site) == []


@pytest.mark.parametrize("way", ["chosen", "pasted"])
def test_exactly_what_was_shown_is_applied(carl: Browser, site: Config, way: str) -> None:
    before = {each.account_id: each for each in everything(site)}
    shown = upload(carl, FILE.encode()) if way == "chosen" else carl.post("/accounts/import", text=FILE)
    response = apply(carl, hidden(shown))
    assert "Imported: 1 added, 1 changed, 0 as they were" in response.text
    after = {each.account_id: each for each in everything(site)}
    assert after.pop("A-1").name == "Acme Ärzte GmbH"
    assert after == before | {"C-102": dataclasses.replace(before["C-102"], manager="lena")}
    (row,) = audited(site)
    assert (row.what, row.who) == ("account.import", "carl")
    assert "1 added, 1 changed" in row.detail


def test_the_same_file_again_has_nothing_to_import(carl: Browser, site: Config) -> None:
    octets = (site.base / "accounts.csv").read_bytes()
    page = upload(carl, octets).text
    assert "There is nothing to import" in page
    assert ">20</b> <span>the same" in page
    assert '<button class="primary">Import' not in page


def test_accounts_that_were_changed_meanwhile_are_shown_anew(carl: Browser, site: Config) -> None:
    shown = upload(carl, FILE.encode())
    put(site, dataclasses.replace(stored(site), tier="platinum"))
    response = apply(carl, hidden(shown))
    assert response.status_code == 409
    assert "The accounts were changed since you looked at this" in response.text
    assert "<del>platinum</del>" in response.text
    assert "A-1" not in {each.account_id for each in everything(site)}
    assert "Imported" in apply(carl, hidden(response)).text


def test_another_text_than_the_one_that_was_shown_is_not_applied(carl: Browser, site: Config) -> None:
    fields = hidden(upload(carl, FILE.encode()))
    response = apply(carl, {**fields, "text": fields["text"].replace("gold", "free")})
    assert response.status_code == 409
    assert "A-1" not in {each.account_id for each in everything(site)}
    broken = apply(carl, {**fields, "text": "nonsense"})
    assert "there is no column 'nonsense'" in html.unescape(broken.text)


def test_what_would_belong_to_two_accounts_is_told_first(carl: Browser, site: Config) -> None:
    line = "A-1,Acme,hellweg-spedition.example,,j.uhl@brandstetter.example,,,,,,,,"
    page = html.unescape(upload(carl, f"{HEADER}\n{line}\n".encode()).text)
    conflicts = page.split('id="conflicts"')[1].split("</section>")[0]
    for words in ("hellweg-spedition.example", "C-102", "j.uhl@brandstetter.example", "C-101", "A-1"):
        assert words in conflicts
    assert "Import all the same" in page


def test_an_account_that_was_merged_is_not_brought_back_unseen(carl: Browser, site: Config) -> None:
    with closing(Log(log_path(site))) as log, log.transaction():
        merge(log, "C-102", "C-101", who="mona", now=datetime.now(UTC))
    page = html.unescape(upload(carl, f"{HEADER}\n{CHANGED}\n".encode()).text)
    assert "C-102 was made part of" in page
    assert "hellweg-spedition.example" in page.split('id="conflicts"')[1].split("</section>")[0]


GARBAGE = {
    "nothing": (b"", "Choose a file"),
    "spaces": (b"  \r\n ", "Choose a file"),
    "a workbook": (b"PK\x03\x04" + bytes(range(256)) * 20, "is a workbook"),
    "an old workbook": (bytes.fromhex("d0cf11e0a1b11ae1") + b"\xff" * 500, "is not UTF-8 text"),
    "UTF-16": (FILE.encode("utf-16"), "UTF-16"),
    "UTF-16 without a mark": (FILE.encode("utf-16-le"), "UTF-16"),
    "Latin-1": (FILE.encode("latin-1"), "accounts.csv:2: is not UTF-8 text"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "is a workbook or UTF-16 text, no CSV"),
    "a web page": (b"<html><body>no</body></html>", "there is no column '<html>"),
    "only a head": (b"a,b,c\n", "there is no column 'a'"),
    "an open quotation mark": (f'{HEADER}\nA-1,"Acme\n'.encode(), "quotation mark that is not closed"),
    "too large": (FILE.encode() + b"\n" * MAX_FILE_BYTES, "is larger than 1 MB"),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_any_other_file_gets_a_sentence(carl: Browser, site: Config, kind: str) -> None:
    octets, sentence = GARBAGE[kind]
    before = everything(site)
    response = upload(carl, octets)
    assert response.status_code == 422
    assert sentence in html.unescape(re.sub(r"</?b>", "", response.text))
    assert "Traceback" not in response.text
    assert everything(site) == before


def test_a_huge_file_is_turned_away_before_it_is_read(carl: Browser) -> None:
    response = upload(carl, b"x" * 9_000_000)
    assert response.status_code == 413
    assert "8 MB" in response.text


def test_every_mistake_is_named_by_line_and_column(carl: Browser, site: Config) -> None:
    lines = ["A-1,,acme,,,nobody,,,,Berlin,,,", "A-1,Acme,,,,,,N-1;N-1,2027-01-01;2028-01-01,,,,"]
    page = html.unescape(re.sub(r"</?b>", "", upload(carl, "\n".join((HEADER, *lines)).encode()).text))
    for words in (
        "accounts.csv:2: column 'name': is empty",
        "accounts.csv:2: column 'domain': 'acme' is no domain",
        "accounts.csv:2: column 'manager': 'nobody'",
        "accounts.csv:2: column 'timezone': 'Berlin'",
        "accounts.csv:3: column 'account_id': 'A-1' stands in line 2 already",
        "accounts.csv:3: column 'contract_no': 'N-1' stands here twice",
    ):
        assert words in page


def test_a_file_at_the_limit_goes_through_preview_and_import(carl: Browser, site: Config) -> None:
    """Letters that a form writes as three each, so that the form with the file in it is the longest there can be."""
    lines = [f"Z-{number:05},{'ü' * 150},,,,,,,,,,," for number in range(3100)]
    octets = "\n".join((HEADER, *lines)).encode()
    assert MAX_FILE_BYTES * 0.95 < len(octets) <= MAX_FILE_BYTES
    response = apply(carl, hidden(upload(carl, octets)))
    assert "Imported: 3100 added" in response.text
    assert len(everything(site)) == 3120


def test_only_coordinators_import(site: Config) -> None:
    with browsing(site, "vera") as vera:
        assert vera.get("/accounts/import").status_code == 403
        assert upload(vera, FILE.encode()).status_code == 403
        assert vera.post("/accounts/import/apply", text=FILE, name="x", seen="", revision="0").status_code == 403
