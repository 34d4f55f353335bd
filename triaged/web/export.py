"""Lines of the log in, a file for a spreadsheet out: CSV as it is read, or a workbook; no cell is ever a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Any
from zoneinfo import ZoneInfo

import xlsxwriter

from triaged.log.rows import LogRow
from triaged.web.words import KINDS, STATES

MOST = 100_000
"""Mails in one file."""
CHUNK_BYTES = 65_536
LONGEST = 32_000
"""Letters of a cell; Excel takes 32,767."""
TITLES = (
    *("Number", "Reference", "Received", "Mailbox", "From", "Subject", "Categories", "Sure", "Account", "Account name"),
    *("Owner", "Priority", "Due", "Answered", "Done", "State", "Risk", "What was done"),
)
WIDTHS = (9, 12, 17, 12, 32, 48, 20, 6, 12, 28, 12, 10, 17, 17, 17, 14, 6, 48)
"""Of the columns, in letters."""
COMMANDS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A spreadsheet takes a cell that begins so for a formula (OWASP, CSV Injection); the last four are = + - @ in full
width, which Excel in Japanese and Chinese takes for the same."""


def as_csv(rows: Iterable[LogRow], *, zone: str, accounts: dict[str, str]) -> Iterator[bytes]:
    """UTF-8 with a mark, so that Excel reads it as that; lines end as RFC 4180 has it."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\r\n")
    lines.writerow(TITLES)
    yield b"\xef\xbb\xbf"
    for row in rows:
        lines.writerow([_harmless(cell) for cell in _cells(row, zone, accounts)])
        if text.tell() > CHUNK_BYTES:
            yield _taken(text)
    yield _taken(text)


def as_workbook(rows: Iterable[LogRow], *, zone: str, accounts: dict[str, str]) -> Iterator[bytes]:
    """An .xlsx file of one sheet, every cell a text; written to disk line by line, then read from there."""
    with TemporaryFile(prefix="triaged-") as file:
        _write(file, rows, zone, accounts)
        file.seek(0)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _write(file: IO[bytes], rows: Iterable[LogRow], zone: str, accounts: dict[str, str]) -> None:
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet, bold = book.add_worksheet("Triage log"), book.add_format({"bold": True})
        for column, (title, width) in enumerate(zip(TITLES, WIDTHS, strict=True)):
            sheet.set_column(column, column, width)
            sheet.write_string(0, column, title, bold)
        sheet.freeze_panes(1, 0)
        for line, row in enumerate(rows, 1):
            for column, cell in enumerate(_cells(row, zone, accounts)):
                sheet.write_string(line, column, cell[:LONGEST])


def _cells(row: LogRow, zone: str, accounts: dict[str, str]) -> list[str]:
    state = row.state if row.state != "triaged" else "automatic" if row.automatic != "person" else "triaged"
    effects = "; ".join(f"{KINDS.get(kind, kind)}: {STATES.get(each, each)}" for kind, each in row.effects)
    account = row.account_id or ""
    fields: list[Any] = [row.id, row.reference, _wall(row.received, zone), row.mailbox, row.sender, row.subject]
    fields += [", ".join(row.categories) or "other", "yes" if row.sure else "no", account, accounts.get(account, "")]
    fields += [row.assigned, row.priority]
    fields += [_wall(moment, zone) for moment in (row.due, row.answered, row.done)]
    fields += [state, f"{row.risk:.2f}" if row.risk is not None else "", effects]
    return [str(each) for each in fields]


def _wall(moment: datetime | None, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" if moment is not None else ""


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(COMMANDS) else cell


def _taken(text: io.StringIO) -> bytes:
    octets = text.getvalue().encode("utf-8", "replace")
    text.seek(0)
    text.truncate()
    return octets
