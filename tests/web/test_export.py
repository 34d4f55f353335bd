"""The log as a file: what a spreadsheet reads of it, and that no cell of it is a command."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import zipfile
from contextlib import closing
from datetime import UTC, datetime

import pytest

from tests.web.site import Browser, mails
from triaged.log.find import Search, every
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.settings import Config
from triaged.web.export import TITLES, as_csv, as_workbook
from triaged.wire import log_path

EVIL = ('=HYPERLINK("http://evil.example")', "+1", "-2+3", "@SUM(A1)", "\tx", "\rx", "\nx", "\uff1d1+1", "\uff201")


def row_of(site: Config, **changes: object) -> LogRow:
    with closing(Reader(log_path(site))) as reader:
        return dataclasses.replace(next(every(reader, Search(), limit=1)), **changes)  # type: ignore[arg-type]


def read(octets: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(octets.decode("utf-8-sig"), newline="")))


def test_a_csv_holds_the_search_in_its_order(carl: Browser, site: Config) -> None:
    response = carl.get("/log.csv?category=complaint&sort=risk")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="triage-log-\d{4}-\d\d-\d\d\.csv"', response.headers["content-disposition"]
    )
    assert response.content.startswith(b"\xef\xbb\xbf")
    lines = read(response.content)
    assert lines[0] == list(TITLES)
    with closing(Reader(log_path(site))) as reader:
        wanted = [row.id for row in every(reader, Search(category="complaint", sort="risk"), limit=1000)]
    assert [int(line[0]) for line in lines[1:]] == wanted
    assert len(wanted) > 5


@pytest.mark.parametrize("evil", EVIL)
def test_no_cell_of_a_csv_is_a_command(site: Config, evil: str) -> None:
    row = row_of(site, subject=evil, sender=evil, account_id=evil, assigned=evil)
    [_, line] = read(b"".join(as_csv([row], zone="Europe/Berlin", accounts={evil: evil})))
    assert line.count(f"'{evil}") == 5
    assert [cell for cell in line if cell[:1] in set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")] == []


def test_times_are_on_the_wall_clock_of_the_desk(site: Config) -> None:
    row = row_of(site, received=datetime(2026, 7, 1, 22, 30, tzinfo=UTC), due=None)
    [titles, line] = read(b"".join(as_csv([row], zone="Europe/Berlin", accounts={})))
    cells = dict(zip(titles, line, strict=True))
    assert (cells["Received"], cells["Due"]) == ("2026-07-02 00:30", "")


def test_a_workbook_holds_texts_and_no_formula(site: Config) -> None:
    rows = [row_of(site, subject=evil, sender="\u00fcx\x00\x1f") for evil in (*EVIL, "=" * 40_000)]
    octets = b"".join(as_workbook(rows, zone="Europe/Berlin", accounts={}))
    with zipfile.ZipFile(io.BytesIO(octets)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == len(rows) + 1
    assert "<f>" not in sheet
    assert set(re.findall(r' t="(\w+)"', sheet)) == {"inlineStr"}
    assert "=HYPERLINK(&quot;http" in sheet or '=HYPERLINK("http' in sheet


def test_a_workbook_is_sent(carl: Browser, site: Config) -> None:
    response = carl.get("/log.xlsx?search=invoice")
    assert response.headers["content-disposition"].endswith('.xlsx"')
    with zipfile.ZipFile(io.BytesIO(response.content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    with closing(Reader(log_path(site))) as reader:
        found = list(every(reader, Search(text="invoice"), limit=1000))
    assert sheet.count("<row ") == len(found) + 1
    assert len(found) > 0


def test_other_kinds_and_other_people_are_refused(carl: Browser, site: Config) -> None:
    assert carl.get("/log.pdf").status_code == 422
    assert carl.get("/log.csv?state=sideways").status_code == 422
    assert len(mails(site)) > 0
    carl.client.cookies.clear()
    assert carl.client.get("/log.csv", follow_redirects=False).status_code == 303
